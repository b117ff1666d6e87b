//! Links libgcc in instead of loading libgcc_s at every start: each task starts a shim, each command a client, and loading
//! a library costs a tenth of either (100 us of 1,000). The standard library asks for `-lgcc_s` by name, so a linker script
//! of that name answers. To be removed once the standard library has a switch for it, or no longer needs libgcc.

fn main() {
    println!("cargo::rerun-if-changed=link");
    let linux_gnu = ["CARGO_CFG_TARGET_OS", "CARGO_CFG_TARGET_ENV"].map(|name| std::env::var(name).unwrap_or_default())
        == ["linux", "gnu"];
    if linux_gnu {
        println!("cargo::rustc-link-search=native={}/link", env!("CARGO_MANIFEST_DIR"));
    }
}
