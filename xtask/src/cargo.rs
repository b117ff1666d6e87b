//! Cargo, started from here.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Cargo, without what it has told this program of itself. Build scripts look at some of that, and everything that depends on
/// them would be built anew each time that cargo itself and this program take turns.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let ours = |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|begin| name.starts_with(begin));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
        command.env_remove(name);
    }
    command
}

/// Runs a build that was told what to build and how; cargo's progress passes through. Cargo itself says where the programs
/// are, whatever target folder is in use.
pub(crate) fn programs<const N: usize>(build: &mut Command, names: [&str; N]) -> Result<[PathBuf; N], String> {
    let mut build = build
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("failed to start cargo: {e}"))?;
    let messages = BufReader::new(build.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let built: Vec<Value> = messages.filter_map(|line| serde_json::from_str(&line).ok()).collect();
    let status = build.wait().map_err(|e| format!("failed to wait for cargo: {e}"))?;
    if !status.success() {
        return Err(format!("the build failed ({status})"));
    }
    let mut paths = names.map(|_| PathBuf::new());
    for (path, name) in paths.iter_mut().zip(names) {
        let found = built.iter().find(|m| m["target"]["name"] == name && m["executable"].is_string());
        let there = found.and_then(|m| m["executable"].as_str());
        *path = there.map(PathBuf::from).ok_or_else(|| format!("cargo built no program {name}"))?;
    }
    Ok(paths)
}
