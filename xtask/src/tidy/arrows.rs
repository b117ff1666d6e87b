//! Which part may know which: between packages, and between the layers of the daemon.

use super::{Finding, Source};

/// Packages of ours that each package must not depend on.
const FORBIDDEN_PACKAGES: [(&str, &[&str]); 4] = [
    ("daemon/Cargo.toml", &["mainstay-sim", "mainstay-tests", "xtask"]),
    // Whoever judges knows nobody.
    ("daemon/metric/Cargo.toml", &["mainstay", "mainstay-sim", "mainstay-tests", "xtask"]),
    ("sim/Cargo.toml", &["mainstay-tests", "xtask"]),
    // It has to build in seconds.
    ("xtask/Cargo.toml", &["mainstay", "mainstay-sim", "mainstay-tests"]),
];

/// A layer of the daemon: its files (a path below `daemon/src/`, or a folder), and which of [`NAMES`] they may name.
struct Layer {
    parts: &'static [&'static str],
    may_name: &'static [&'static str],
}

/// What only some layers may name.
const NAMES: &[&str] = &[
    "std::fs",
    "std::process",
    "std::net",
    "std::os",
    "std::env",
    "std::io",
    "std::thread",
    "Instant",
    "SystemTime",
    "rustix",
    "libc",
    "tokio",
    "reqwest",
    "rusqlite",
    "teloxide_core",
    "async",
    "await",
    "crate::real",
    "crate::run",
    "crate::perform",
    "crate::offline",
    "crate::cli",
];

const MACHINE: &[&str] = &[
    "std::fs",
    "std::process",
    "std::net",
    "std::os",
    "std::env",
    "std::io",
    "std::thread",
    "Instant",
    "SystemTime",
    "rustix",
    "libc",
    "tokio",
    "async",
    "await",
    "crate::real",
];

const LAYERS: &[Layer] = &[
    // Values and functions on them: no clock, no disk, nobody else's process, nothing to wait for.
    Layer {
        parts: &[
            "anomaly.rs",
            "attempt.rs",
            "command.rs",
            "command/",
            "config.rs",
            "config/",
            "decide/",
            "event.rs",
            "event/",
            "exit.rs",
            "hex.rs",
            "id.rs",
            "measured/",
            "outage.rs",
            "plan.rs",
            "policy.rs",
            "policy/",
            "poll.rs",
            "redact.rs",
            "release/",
            "report/",
            "starts.rs",
            "task.rs",
            "view.rs",
        ],
        may_name: &[],
    },
    // Telegram's update types come in here, and go no further.
    Layer { parts: &["input.rs"], may_name: &["teloxide_core"] },
    // What the seams are made of: an opened database, an update.
    Layer { parts: &["ports.rs"], may_name: &["rusqlite", "teloxide_core"] },
    Layer { parts: &["perform.rs"], may_name: &["async", "await"] },
    Layer {
        parts: &["run.rs", "run/"],
        may_name: &["async", "await", "tokio", "teloxide_core", "crate::real", "crate::perform"],
    },
    Layer { parts: &["offline.rs"], may_name: &["rustix", "crate::real", "crate::run", "crate::perform"] },
    Layer { parts: &["lib.rs", "main.rs", "bin/"], may_name: &[] },
    Layer {
        parts: &["cli/"],
        may_name: &[
            "std::fs",
            "std::process",
            "std::net",
            "std::os",
            "std::env",
            "std::io",
            "std::thread",
            "rustix",
            "tokio",
            "async",
            "await",
            "crate::real",
            "crate::run",
            "crate::offline",
        ],
    },
    // Before `real/`: the first layer that has a file is its layer.
    Layer {
        parts: &["real/store/"],
        may_name: &["rusqlite", "std::fs", "std::io", "std::os", "rustix", "crate::real"],
    },
    Layer {
        parts: &["real/telegram/"],
        may_name: &["reqwest", "teloxide_core", "std::net", "tokio", "async", "await", "crate::real"],
    },
    // It names libraries to keep them quiet.
    Layer { parts: &["real/log.rs"], may_name: &["std::io", "reqwest", "teloxide_core", "tokio"] },
    Layer { parts: &["real/"], may_name: MACHINE },
];

/// A verdict is a function of the evidence: no clock, no disk, no chance.
const PURE: Layer = Layer { parts: &[], may_name: &[] };
const PURE_PACKAGE: &str = "daemon/metric/src/";

/// The beginnings of SQL statements.
const SQL: [&str; 6] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM", "CREATE TABLE", "PRAGMA "];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    sources.iter().flat_map(|source| packages(source).into_iter().chain(layers(source))).collect()
}

fn packages(source: &Source) -> Vec<Finding> {
    let Some((_, forbidden)) = FORBIDDEN_PACKAGES.iter().find(|(path, _)| *path == source.path) else {
        return Vec::new();
    };
    let mut section = "";
    let mut findings = Vec::new();
    for (n, line) in source.text.lines().enumerate() {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if section.contains("dependencies") && forbidden.contains(&name) {
            let text = format!("this package must not know {name}: dependencies go tests -> sim -> daemon");
            findings.push(Finding::new(&source.path, n + 1, text));
        }
    }
    findings
}

fn layers(source: &Source) -> Vec<Finding> {
    if source.path.starts_with(PURE_PACKAGE) {
        return names(source, source.path.as_str(), &PURE);
    }
    let Some(part) = source.path.strip_prefix("daemon/src/").filter(|part| part.ends_with(".rs")) else {
        return Vec::new();
    };
    if part.ends_with("/tests.rs") {
        return Vec::new();
    }
    let is_in = |of: &&str| part == *of || (of.ends_with('/') && part.starts_with(*of));
    let Some(layer) = LAYERS.iter().find(|layer| layer.parts.iter().any(is_in)) else {
        let text = "belongs to no layer: say in xtask/src/tidy/arrows.rs what it may name";
        return vec![Finding::new(&source.path, 1, text)];
    };
    names(source, part, layer)
}

/// What a file names that its layer must not.
fn names(source: &Source, part: &str, layer: &Layer) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (n, line) in source.code() {
        // How a process ends is a value.
        let line = line.replace("std::process::ExitCode", "");
        let names = NAMES.iter().filter(|name| !layer.may_name.contains(name) && has_word(&line, name));
        findings.extend(
            names.map(|name| Finding::new(&source.path, n, format!("names {name}, which this layer must not know"))),
        );
        if line.contains("use std::{") || line.contains("use crate::{") {
            findings.push(Finding::new(&source.path, n, "name what you use one by one, so that it can be found"));
        }
        if !part.starts_with("real/store/") && SQL.iter().any(|sql| line.contains(&format!("\"{sql}"))) {
            findings.push(Finding::new(&source.path, n, "SQL: only real/store speaks it"));
        }
    }
    findings
}

/// Whether a name stands there as a whole.
fn has_word(line: &str, name: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name)
        .any(|(at, _)| !line[..at].ends_with(part_of_name) && !line[at + name.len()..].starts_with(part_of_name))
}
