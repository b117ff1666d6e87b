//! Files: how long they are, whether somebody declares them, whether links between documents lead somewhere.

use super::{Finding, Source};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Longer files are told of: a file that doesn't fit the head is hard to change.
const LINES_NOTED: usize = 400;
/// Longer ones are not allowed.
pub(super) const LINES_MAX: usize = 600;

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = sources.iter().filter_map(too_long).collect();
    let paths: BTreeSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    findings.extend(
        sources
            .iter()
            .filter(|s| is_dead(s, sources))
            .map(|s| Finding::new(&s.path, 1, "no module declares it, so it is never compiled")),
    );
    findings.extend(sources.iter().filter(|s| s.path.ends_with(".md")).flat_map(|s| links(s, &paths)));
    findings
}

/// The files that are longer than is good.
pub(super) fn report(sources: &[Source]) -> String {
    let mut long: Vec<(usize, &str)> =
        rust(sources).map(|s| (s.text.lines().count(), s.path.as_str())).filter(|(n, _)| *n > LINES_NOTED).collect();
    long.sort_unstable_by(|a, b| b.cmp(a));
    let lines: Vec<String> = long.iter().map(|(n, path)| format!("  {n:>4} {path}")).collect();
    format!("files over {LINES_NOTED} lines:\n{}", lines.join("\n"))
}

fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.path.ends_with(".rs"))
}

fn too_long(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    let is_long = source.path.ends_with(".rs") && lines > LINES_MAX;
    is_long
        .then(|| Finding::new(&source.path, lines, format!("{lines} lines; at most {LINES_MAX}: divide it by subject")))
}

/// A Rust file below a `src/` that is neither a root nor declared by the module above it.
fn is_dead(source: &Source, sources: &[Source]) -> bool {
    let path = Path::new(&source.path);
    let (Some(stem), Some(folder)) = (path.file_stem().and_then(|s| s.to_str()), path.parent()) else { return false };
    let is_rust = path.extension().is_some_and(|end| end == "rs");
    let is_root = matches!(stem, "main" | "lib") || folder.ends_with("bin");
    if !is_rust || is_root || !folder.components().any(|c| c == Component::Normal("src".as_ref())) {
        return false;
    }
    let (name, folder) = match stem {
        "mod" => (folder.file_name().and_then(|f| f.to_str()).unwrap_or_default(), folder.parent().unwrap_or(folder)),
        stem => (stem, folder),
    };
    let parents = [folder.join("mod.rs"), folder.join("lib.rs"), folder.join("main.rs"), folder.with_extension("rs")];
    let declares = |line: &str| line.trim().ends_with(&format!("mod {name};"));
    let mut above = sources.iter().filter(|s| parents.iter().any(|parent| parent == Path::new(&s.path)));
    !above.any(|s| s.text.lines().any(declares))
}

/// Relative links of a document that lead to a file that is not there.
fn links(source: &Source, paths: &BTreeSet<&str>) -> Vec<Finding> {
    let folder = Path::new(&source.path).parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    for (n, line) in source.text.lines().enumerate() {
        for target in line.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next()) {
            let is_ours = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
            // Only what was read can be looked up here; the rest has to be on the disk.
            let whole = normal(&folder.join(target));
            let there = paths.contains(whole.to_string_lossy().as_ref()) || super::top().join(&whole).exists();
            if is_ours && !there {
                findings.push(Finding::new(&source.path, n + 1, format!("the link to {target} leads nowhere")));
            }
        }
    }
    findings
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => normal.push(part),
        }
    }
    normal
}
