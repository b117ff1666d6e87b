//! Links the program so that it starts quickly: each task starts a shim, each command a client.

use std::process::Command;

/// The first glibc that reads packed relocations. With an older one, a program that has them does not start.
const PACKED_SINCE: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=link");
    println!("cargo::rerun-if-changed=build.rs");
    let target = ["CARGO_CFG_TARGET_OS", "CARGO_CFG_TARGET_ENV"].map(|name| std::env::var(name).unwrap_or_default());
    if target != ["linux", "gnu"] {
        return;
    }
    // Links libgcc in instead of loading libgcc_s, which costs a tenth of a start (100 us of 1,000). The standard library
    // asks for `-lgcc_s` by name, so a linker script of that name answers. To be removed once the standard library has a
    // switch for it, or no longer needs libgcc.
    println!("cargo::rustc-link-search=native={}/link", env!("CARGO_MANIFEST_DIR"));
    // 12,000 addresses are corrected at every start: packed they take 8 KB to read instead of 290. A linker that does not
    // know how ignores this. To be removed once glibc 2.36 is the oldest that anybody builds with.
    if glibc_here().is_some_and(|version| version >= PACKED_SINCE) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of glibc that the program will meet: this machine's, if it is built for machines like this one.
fn glibc_here() -> Option<(u32, u32)> {
    if std::env::var_os("HOST") != std::env::var_os("TARGET") {
        return None;
    }
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let (major, minor) = std::str::from_utf8(&said.stdout).ok()?.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
