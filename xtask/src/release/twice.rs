//! Makes the release of a commit in two fresh folders with names of different lengths, and compares the bytes.

use super::make::{self, Wanted};
use super::{Tree, archive, deb, record, sums};
use crate::gate::checkout::Checkout;
use crate::gate::ended::Ended;
use crate::gate::raw::digest;
use std::path::Path;
use std::process::Command;

/// Of different lengths, so that what depends on the length of a path is seen too.
const FOLDERS: [&str; 2] = ["one", "another-one-with-a-longer-name"];

/// What came of it.
pub(crate) struct Compared {
    pub(crate) id: String,
    /// Files that are the same, with their digests.
    pub(crate) same: Vec<(String, String)>,
    /// The first difference.
    pub(crate) differs: Option<String>,
}

/// Makes and compares what is committed; changes that are not have no part in it.
pub(crate) fn twice(checkout: &Checkout) -> Result<Compared, Ended> {
    let commit = checkout.head().map_err(Ended::Infrastructure)?.commit;
    let place = tempfile::tempdir().map_err(Ended::machine)?;
    let place = place.path().canonicalize().map_err(Ended::machine)?;
    let mut made = Vec::new();
    for name in FOLDERS {
        let root = place.join(name);
        clone(checkout, &commit, &root).map_err(Ended::Infrastructure)?;
        eprintln!("release: builds in {}", root.display());
        made.push(make::make(&Checkout { root: root.clone() }, &Wanted::default())?);
        // A target folder of a release is large.
        std::fs::remove_dir_all(&root).map_err(Ended::machine)?;
    }
    let [one, other] = &made[..] else { unreachable!("two were made") };
    let mut compared = Compared { id: one.record.id.clone(), same: Vec::new(), differs: None };
    for ((name, bytes), (other_name, other_bytes)) in one.files.iter().zip(&other.files) {
        if (name, bytes) == (other_name, other_bytes) {
            compared.same.push((name.clone(), digest(bytes)));
        } else if compared.differs.is_none() {
            let inside = unpacked(bytes).ok().zip(unpacked(other_bytes).ok());
            let inside = inside.and_then(|(one, other)| difference(&one, &other));
            let file = if name == other_name { name.clone() } else { format!("{name} and {other_name}") };
            compared.differs = Some(inside.map_or(file.clone(), |inside| format!("{file}: {inside}")));
        }
    }
    Ok(compared)
}

fn clone(from: &Checkout, commit: &str, to: &Path) -> Result<(), String> {
    let git = |arguments: &[&std::ffi::OsStr]| {
        let shown = arguments.join(" ".as_ref());
        let output = Command::new("git").args(arguments).output();
        let output = output.map_err(|error| format!("git {}: {error}", shown.display()))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("git {}: {}", shown.display(), String::from_utf8_lossy(&output.stderr).trim())),
        }
    };
    let (from, to) = (from.root.as_os_str(), to.as_os_str());
    git(&["clone".as_ref(), "--quiet".as_ref(), "--no-checkout".as_ref(), from, to])?;
    git(&["-C".as_ref(), to, "checkout".as_ref(), "--quiet".as_ref(), "--detach".as_ref(), commit.as_ref()])
}

fn unpacked(bytes: &[u8]) -> Result<Tree, String> {
    deb::unpack(bytes).map(|(tree, _)| tree).or_else(|_| archive::unpack(bytes))
}

/// The first file that two trees differ by, and where.
pub(crate) fn difference(one: &Tree, other: &Tree) -> Option<String> {
    // What is said of the files differs with each of them, and tells less.
    let about = |path: &&String| path.contains(sums::NAME) || path.ends_with(record::NAME);
    let mut paths: Vec<&String> = one.keys().chain(other.keys()).collect();
    paths.sort_by_key(|path| (about(path), *path));
    paths.dedup();
    paths.into_iter().find_map(|path| match (one.get(path), other.get(path)) {
        (Some(a), Some(b)) if a == b => None,
        (Some(a), Some(b)) => {
            let same = a.bytes.iter().zip(&b.bytes).take_while(|(a, b)| a == b).count();
            let (a, b) = (a.bytes.len(), b.bytes.len());
            Some(format!("{path} differs from byte {same} on; it has {a} and {b} bytes"))
        }
        (Some(_), None) | (None, Some(_)) => Some(format!("{path} is only in one of them")),
        (None, None) => None,
    })
}
