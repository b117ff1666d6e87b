//! Builds the programs so that the same commit, toolchain, linker and C library give the same bytes, in whatever folder.
//!
//! Paths of this machine get into a program by way of messages of panics, of `file!()`, and of `__FILE__` in C: they are
//! replaced. Variables of whoever builds don't get in: but for those that say where things are, none is handed on. The target
//! folder is its own one, because everything is built otherwise than elsewhere.

use crate::gate::checkout::{Checkout, Head};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it is built, below the tree's top.
const FOLDER: &str = "target/release-build";
/// Variables that say where things are and how the registry is reached, or the beginnings of their names.
const HANDED_ON: [&str; 13] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "TERM",
    "RUSTUP_",
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "http_proxy",
    "https_proxy",
];
/// Between flags, in the variable that can have flags with spaces.
const BETWEEN: &str = "\u{1f}";

/// What was built.
pub(crate) struct Programs {
    /// The daemon and its command line.
    pub(crate) mainstay: PathBuf,
    /// The small one that owns an attempt.
    pub(crate) shim: PathBuf,
    /// What built them.
    pub(crate) rustc: Rustc,
}

/// A compiler.
pub(crate) struct Rustc {
    /// As `rustc -V` names itself.
    pub(crate) name: String,
    /// What it builds for when not told otherwise.
    pub(crate) host: String,
    commit: String,
    sysroot: PathBuf,
}

impl Rustc {
    /// The one of a tree.
    pub(crate) fn of(root: &Path) -> Result<Rustc, String> {
        let ask = |arguments: &[&str]| {
            let output = Command::new("rustc").args(arguments).current_dir(root).output();
            let output = output.map_err(|error| format!("rustc: {error}"))?;
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match output.status.success() {
                true => Ok(text),
                false => {
                    Err(format!("rustc {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
                }
            }
        };
        let about = ask(&["-vV"])?;
        let field = |key: &str| {
            let said = about.lines().find_map(|line| line.strip_prefix(key));
            said.map(|said| said.trim().to_owned()).ok_or_else(|| format!("rustc -vV does not say its {key}"))
        };
        Ok(Rustc {
            name: about.lines().next().unwrap_or_default().to_owned(),
            host: field("host:")?,
            commit: field("commit-hash:")?,
            sysroot: PathBuf::from(ask(&["--print", "sysroot"])?),
        })
    }
}

/// Builds them; cargo's progress passes through.
pub(crate) fn build(checkout: &Checkout, at: &Head) -> Result<Programs, String> {
    let root = &checkout.root;
    let rustc = Rustc::of(root)?;
    let mut cargo = crate::cargo::cargo();
    cargo.env_clear().current_dir(root);
    let handed_on =
        |name: &str| HANDED_ON.iter().any(|known| name == *known || (known.ends_with('_') && name.starts_with(known)));
    cargo.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(handed_on)));
    let instead = replaced(root, &rustc)?;
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(&instead))
        .env("CFLAGS", c_flags(&instead))
        // So that a folder with a space in its name is one word of CFLAGS.
        .env("CC_SHELL_ESCAPED_FLAGS", "1")
        .env("CARGO_TARGET_DIR", root.join(FOLDER))
        .env("SOURCE_DATE_EPOCH", checkout.committed_s(&at.commit)?.to_string())
        .env("LC_ALL", "C")
        // Never the workspace: what the others ask of shared dependencies would be linked in.
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "mainstay",
            "--bin",
            "mainstay",
            "--bin",
            "mainstay-shim",
        ])
        // Named, so that the flags are for the programs alone, and build scripts are as they always are.
        .args(["--target", &rustc.host]);
    let [mainstay, shim] = crate::cargo::programs(&mut cargo, ["mainstay", "mainstay-shim"])?;
    Ok(Programs { mainstay, shim, rustc })
}

/// Folders of this machine, and what stands in the programs instead. The last that fits is taken.
fn replaced(root: &Path, rustc: &Rustc) -> Result<[(PathBuf, String); 3], String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let home = home.ok_or("neither CARGO_HOME nor HOME is set: cargo's folder can't be told")?;
    Ok([
        (home, "/cargo".to_owned()),
        // What the standard library is built with where its source is not installed.
        (rustc.sysroot.join("lib/rustlib/src/rust"), format!("/rustc/{}", rustc.commit)),
        (root.to_owned(), "/mainstay".to_owned()),
    ])
}

fn rust_flags(replaced: &[(PathBuf, String)]) -> OsString {
    let mut flags = OsString::new();
    for (folder, instead) in replaced {
        if !flags.is_empty() {
            flags.push(BETWEEN);
        }
        flags.push("--remap-path-prefix=");
        flags.push(folder);
        flags.push(format!("={instead}"));
    }
    flags
}

fn c_flags(replaced: &[(PathBuf, String)]) -> String {
    let flag = |(folder, instead): &(PathBuf, String)| {
        let folder = folder.display().to_string().replace('\'', r"'\''");
        format!("'-ffile-prefix-map={folder}={instead}'")
    };
    replaced.iter().map(flag).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_with_spaces_and_quotes_are_one_flag() {
        let replaced =
            [(PathBuf::from("/a b/it's"), "/mainstay".to_owned()), (PathBuf::from("/c"), "/cargo".to_owned())];
        assert_eq!(c_flags(&replaced), r"'-ffile-prefix-map=/a b/it'\''s=/mainstay' '-ffile-prefix-map=/c=/cargo'");
        let rust = "--remap-path-prefix=/a b/it's=/mainstay\u{1f}--remap-path-prefix=/c=/cargo";
        assert_eq!(rust_flags(&replaced), rust);
    }
}
