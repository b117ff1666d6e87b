//! `MANIFEST`: digest, size and path of every file of a bundle but itself and its signature, sorted by path.

use super::layout;
use super::raw::digest;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Component, Path};

/// What it says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    sha256: String,
    bytes: u64,
}

/// The manifest of the files that are there.
pub(crate) fn make(bundle: &Path) -> Result<String, String> {
    let mut text = String::new();
    for path in layout::files(bundle)? {
        if path == layout::MANIFEST || path == layout::SIGNATURE {
            continue;
        }
        let bytes = layout::read(bundle, &path)?;
        let _ = writeln!(text, "{}  {}  {path}", digest(&bytes), bytes.len());
    }
    Ok(text)
}

/// Reads one. Errors name the line.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Entry>, String> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(format!("{}: its last line is cut off", layout::MANIFEST));
    }
    let mut entries = BTreeMap::new();
    let mut folded = BTreeSet::new();
    let mut last = String::new();
    for (n, line) in (1..).zip(text.lines()) {
        let wrong = |what: String| format!("{} line {n}: {what}", layout::MANIFEST);
        let mut parts = line.splitn(3, "  ");
        let (Some(sha256), Some(bytes), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("not `digest  size  path`".into()));
        };
        let hex = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let size = bytes.parse::<u64>().ok().filter(|size| size.to_string() == bytes);
        let (true, Some(bytes)) = (hex, size) else { return Err(wrong("no digest, or no size".into())) };
        is_plain(path).map_err(wrong)?;
        if *path <= *last {
            return Err(wrong(format!("{path} is not in its place: paths are sorted, and each is there once")));
        }
        if !folded.insert(path.to_lowercase()) {
            return Err(wrong(format!("{path} differs from another path by case alone")));
        }
        last = path.to_owned();
        entries.insert(path.to_owned(), Entry { sha256: sha256.to_owned(), bytes });
    }
    Ok(entries)
}

/// A path that means the same file everywhere: relative, no `.` or `..`, nothing but plain characters.
fn is_plain(path: &str) -> Result<(), String> {
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._".contains(&b));
    let normal = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let whole: Vec<_> = Path::new(path).components().map(|part| part.as_os_str().to_string_lossy()).collect();
    if plain && normal && whole.join("/") == path { Ok(()) } else { Err(format!("{path:?} is no plain path")) }
}

/// Holds a bundle's files against it: none missing, none besides, each of the size and digest that it says.
pub(crate) fn check(bundle: &Path, entries: &BTreeMap<String, Entry>) -> Result<(), String> {
    let mut there: BTreeSet<String> = layout::files(bundle)?.into_iter().collect();
    there.remove(layout::MANIFEST);
    there.remove(layout::SIGNATURE);
    if let Some(path) = there.iter().find(|path| !entries.contains_key(*path)) {
        return Err(format!("{path}: is there, and the manifest does not know it"));
    }
    for (path, entry) in entries {
        if !there.contains(path) {
            return Err(format!("{path}: the manifest has it, and it is not there"));
        }
        let bytes = layout::read(bundle, path)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) != entry.bytes {
            return Err(format!("{path}: {} bytes, and the manifest says {}", bytes.len(), entry.bytes));
        }
        if digest(&bytes) != entry.sha256 {
            return Err(format!("{path}: its digest is not the manifest's"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_mean_one_file_is_refused() {
        let hash = "0".repeat(64);
        let line = |path: &str| format!("{hash}  1  {path}\n");
        assert_eq!(parse(&(line("a") + &line("b/c.json"))).map(|entries| entries.len()), Ok(2));
        for (text, part) in [
            (line("../a"), "no plain path"),
            (line("/a"), "no plain path"),
            (line("a//b"), "no plain path"),
            (line("a/./b"), "no plain path"),
            (line("a b"), "no plain path"),
            (line("b") + &line("a"), "not in its place"),
            (line("a") + &line("a"), "not in its place"),
            (line("A") + &line("a"), "by case alone"),
            ("x  1  a\n".to_owned(), "no digest"),
            (format!("{hash}  01  a\n"), "no size"),
            (format!("{hash} 1 a\n"), "not `digest"),
            (format!("{hash}  1  a"), "cut off"),
        ] {
            assert!(parse(&text).is_err_and(|error| error.contains(part)), "{text:?}");
        }
    }
}
