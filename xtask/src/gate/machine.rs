//! `env.json`: on what machines it ran. A list of what may be said, so that nothing else of an environment gets into a bundle;
//! no time and no name of a host, so that like machines say the same.

use super::layout;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Variables that change what is built or run. Others are not looked at.
const VARIABLES: [&str; 6] =
    ["CARGO_BUILD_TARGET", "CARGO_INCREMENTAL", "CI", "RUSTC_WRAPPER", "RUSTFLAGS", "RUST_TEST_THREADS"];

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    kernel: String,
    system: String,
    architecture: String,
    processor: String,
    cores: usize,
    memory_mib: u64,
    toolchain: String,
    variables: BTreeMap<String, String>,
}

/// The machines of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machines {
    /// Each kind once, in order.
    pub(crate) machines: BTreeSet<Machine>,
}

impl Machines {
    /// This one.
    pub(crate) fn here() -> Result<Machines, String> {
        let system = rustix::system::uname();
        let first = |path: &str, key: &str| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
            line[key.len().min(line.len())..].trim_matches([' ', '\t', ':', '=', '"']).to_owned()
        };
        let memory = first("/proc/meminfo", "MemTotal");
        let variable = |name: &&str| Some(((*name).to_owned(), std::env::var(name).ok()?));
        let machine = Machine {
            kernel: system.release().to_string_lossy().into_owned(),
            system: first("/etc/os-release", "PRETTY_NAME"),
            architecture: system.machine().to_string_lossy().into_owned(),
            processor: first("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: memory.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024,
            toolchain: toolchain()?,
            variables: VARIABLES.iter().filter_map(variable).collect(),
        };
        Ok(Machines { machines: BTreeSet::from([machine]) })
    }

    /// Those of a bundle.
    pub(crate) fn read(bundle: &Path) -> Result<Machines, String> {
        let bytes = layout::read(bundle, layout::ENV)?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", layout::ENV))
    }
}

/// The compiler, as it names itself.
pub(crate) fn toolchain() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let of = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim).unwrap_or_default();
    match text.lines().next() {
        Some(name) if output.status.success() => Ok(format!("{name} {}", of("host:"))),
        Some(_) | None => Err(format!("rustc -vV: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
