//! Asks cargo which packages there are, and which need which.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name and version.
pub(super) type Id = (String, String);

/// A package, as far as the list tells of it.
pub(super) struct Package {
    /// An SPDX expression.
    pub(super) licence: Option<String>,
    /// SHA-256 of what the registry has; none: it is of this workspace.
    pub(super) checksum: Option<String>,
    /// Where its source is.
    pub(super) folder: PathBuf,
}

/// Which package needs which. Every package that is needed has an entry of its own.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) needs: BTreeMap<Id, BTreeSet<Id>>,
}

/// Every package of the workspace's resolution for a target.
pub(super) fn packages(root: &Path, target: &str) -> Result<BTreeMap<Id, Package>, String> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Described>,
    }
    #[derive(Deserialize)]
    struct Described {
        name: String,
        version: String,
        license: Option<String>,
        manifest_path: PathBuf,
    }
    let arguments = ["metadata", "--locked", "--format-version", "1", "--filter-platform", target];
    let said = ask(crate::cargo::cargo(), root, &arguments)?;
    let metadata: Metadata = serde_json::from_str(&said).map_err(|error| format!("cargo metadata: {error}"))?;
    let checksums = checksums(root)?;
    let package = |described: Described| {
        let id = (described.name, described.version);
        let package = Package {
            // The way in which licences were written before there were expressions.
            licence: described.license.map(|licence| licence.replace('/', " OR ")),
            checksum: checksums.get(&id).cloned().flatten(),
            folder: described.manifest_path.parent().unwrap_or(Path::new("")).to_owned(),
        };
        (id, package)
    };
    Ok(metadata.packages.into_iter().map(package).collect())
}

fn checksums(root: &Path) -> Result<BTreeMap<Id, Option<String>>, String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
        checksum: Option<String>,
    }
    let text = std::fs::read_to_string(root.join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    let lock: Lock = toml::from_str(&text).map_err(|error| format!("Cargo.lock: {error}"))?;
    Ok(lock.package.into_iter().map(|locked| ((locked.name, locked.version), locked.checksum)).collect())
}

/// What the programs need, by edges of these kinds.
pub(super) fn graph(root: &Path, target: &str, edges: &[&str]) -> Result<Graph, String> {
    let edges = edges.join(",");
    let arguments = ["tree", "--locked", "--package", super::ROOT, "--target", target, "--edges", &edges];
    let form = ["--prefix", "depth", "--format", "{p}", "--charset", "ascii"];
    parse(&ask(crate::cargo::cargo(), root, &[&arguments[..], &form].concat())?)
}

/// Reads lines like `2cc v1.2.3 (proc-macro) (*)`, where what stands deeper is needed by what stands above it. What a
/// package needs is told once.
pub(super) fn parse(tree: &str) -> Result<Graph, String> {
    let mut graph = Graph::default();
    let mut above: Vec<Id> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let wrong = || format!("cargo tree: not `DEPTHNAME vVERSION`: {line:?}");
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let depth: usize = line[..digits].parse().map_err(|_| wrong())?;
        let mut words = line[digits..].split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next().and_then(|word| word.strip_prefix('v'))) else {
            return Err(wrong());
        };
        let id = (name.to_owned(), version.to_owned());
        if depth > above.len() {
            return Err(wrong());
        }
        above.truncate(depth);
        if let Some(needs) = above.last() {
            graph.needs.entry(needs.clone()).or_default().insert(id.clone());
        }
        graph.needs.entry(id.clone()).or_default();
        above.push(id);
    }
    Ok(graph)
}

/// What a program says.
pub(super) fn ask(mut program: Command, root: &Path, arguments: &[&str]) -> Result<String, String> {
    let name = Path::new(program.get_program()).display().to_string();
    let shown = || format!("{name} {}", arguments.join(" "));
    let output = program.args(arguments).current_dir(root).output();
    let output = output.map_err(|error| format!("{}: {error}", shown()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", shown(), String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{}: {error}", shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_deeper_is_needed_by_what_stands_above_it() {
        let graph =
            parse("0a v1.0.0 (/x)\n1b v2.0.0\n2c v3.0.0 (proc-macro)\n1c v3.0.0 (proc-macro) (*)\n").expect("a tree");
        let id = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let [a, b, c] = [id("a", "1.0.0"), id("b", "2.0.0"), id("c", "3.0.0")];
        let expected =
            [(a, BTreeSet::from([b.clone(), c.clone()])), (b, BTreeSet::from([c.clone()])), (c, BTreeSet::new())];
        assert_eq!(graph.needs, BTreeMap::from(expected));
    }

    #[test]
    fn other_lines_are_errors() {
        for line in ["a v1.0.0", "0a", "0a 1.0.0", "1a v1.0.0"] {
            assert!(parse(line).is_err_and(|error| error.contains(line)), "{line}");
        }
    }
}
