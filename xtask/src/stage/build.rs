//! Builds the programs, and finds out where cargo put them.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

/// What is started.
pub(crate) struct Programs {
    /// The daemon and its command line.
    pub(crate) mainstay: PathBuf,
    /// The Bot API server with a chat in front of it.
    pub(crate) botapi: PathBuf,
}

/// How it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quickly.
    Dev,
    /// As it is shipped.
    Release,
}

/// Builds; cargo's progress passes through. Cargo itself says where the programs are, whatever target folder is in use.
pub(crate) fn build(profile: Profile) -> Result<Programs, String> {
    let mut build = crate::cargo::cargo()
        // With the shim that is installed beside it: an old one there would be taken for its own.
        .args(["build", "--package", "mainstay", "--bin", "mainstay", "--bin", "mainstay-shim"])
        .args(["--package", "mainstay-sim", "--bin", "mainstay-botapi"])
        .args((profile == Profile::Release).then_some("--release"))
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
    let program = |name: &str| {
        let found = built.iter().find(|m| m["target"]["name"] == name && m["executable"].is_string());
        let path = found.and_then(|m| m["executable"].as_str());
        path.map(PathBuf::from).ok_or_else(|| format!("cargo built no program {name}"))
    };
    Ok(Programs { mainstay: program("mainstay")?, botapi: program("mainstay-botapi")? })
}
