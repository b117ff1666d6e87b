//! Believes nothing that a release says of itself: paths, digests, signature, and that `release.json` is about these files.
//!
//! That the programs come from the commit that is named, none of this shows: building them again does ([`super::twice`]).

use super::record::{self, Record};
use super::{BINARIES, CONFIG, File, Tree, archive, deb, sums};
use crate::gate::layout;
use crate::gate::raw::digest;
use crate::gate::sign::Signed;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What has to be there beside the programs.
const REQUIRED: [&str; 4] = [record::NAME, sums::NAME, CONFIG, "share/doc/LICENSE"];
const MAGIC_AR: &[u8] = b"!<arch>\n";
const MAGIC_GZIP: &[u8] = &[0x1f, 0x8b];

/// What was found of a release that was not refused.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) record: Record,
    /// Who vouches.
    pub(crate) signed: Signed,
    /// Files that there are.
    pub(crate) files: usize,
}

/// Verifies an archive, a package, or the folder of either.
pub(crate) fn verify(path: &Path, trusted: Option<&str>) -> Result<Verified, String> {
    let named = |error: String| format!("{}: {error}", path.display());
    if path.is_dir() {
        return check(&folder(path).map_err(named)?, trusted);
    }
    let bytes = std::fs::read(path).map_err(|error| named(error.to_string()))?;
    packed(&bytes, trusted)
}

/// The same of the bytes of an archive or a package.
pub(crate) fn packed(bytes: &[u8], trusted: Option<&str>) -> Result<Verified, String> {
    if bytes.starts_with(MAGIC_AR) {
        let (tree, control) = deb::unpack(bytes)?;
        let verified = check(&tree, trusted)?;
        deb::check(&control, &verified.record)?;
        Ok(verified)
    } else if bytes.starts_with(MAGIC_GZIP) {
        let (top, tree) = below_one_folder(archive::unpack(bytes)?)?;
        let verified = check(&tree, trusted)?;
        match top == format!("mainstay-{}", verified.record.id) {
            true => Ok(verified),
            false => Err(format!("{top}: the folder of an archive is named mainstay-{}", verified.record.id)),
        }
    } else {
        Err("neither an archive (.tar.gz) nor a package (.deb)".to_owned())
    }
}

fn below_one_folder(unpacked: Tree) -> Result<(String, Tree), String> {
    let mut top = String::new();
    let mut tree = Tree::new();
    for (path, file) in unpacked {
        let Some((folder, path)) = path.split_once('/') else {
            return Err(format!("{path}: beside the folder of the release"));
        };
        if !top.is_empty() && top != folder {
            return Err(format!("{folder}: a second folder beside {top}"));
        }
        top = folder.to_owned();
        tree.insert(path.to_owned(), file);
    }
    Ok((top, tree))
}

/// What stands on a disk may be read-only there, so only whether it can be run counts.
pub(super) fn folder(folder: &Path) -> Result<Tree, String> {
    let read = |path: String| {
        let metadata = std::fs::metadata(folder.join(&path)).map_err(|error| format!("{path}: {error}"))?;
        let runs = metadata.permissions().mode() & 0o111 != 0;
        Ok((path.clone(), File { bytes: layout::read(folder, &path)?, runs }))
    };
    layout::files(folder)?.into_iter().map(read).collect()
}

/// Verifies a tree. Errors begin with the file that is wrong.
pub(crate) fn check(tree: &Tree, trusted: Option<&str>) -> Result<Verified, String> {
    for (path, file) in tree {
        let program = BINARIES.contains(&path.as_str());
        if !is_placed(path) {
            return Err(format!("{path}: has no place in a release"));
        }
        if file.runs != program {
            return Err(format!("{path}: {}", if program { "can't be run" } else { "can be run, and is no program" }));
        }
    }
    if let Some(missing) = BINARIES.iter().chain(&REQUIRED).find(|path| !tree.contains_key(**path)) {
        return Err(format!("{missing}: missing"));
    }
    // Before anything that it vouches for is looked at.
    let signed = sums::signed(tree, trusted)?;
    sums::check(tree)?;
    let record = record::read(&tree[record::NAME].bytes)?;
    agrees(&record, tree)?;
    Ok(Verified { record, signed, files: tree.len() })
}

fn is_placed(path: &str) -> bool {
    let name = |folder: &str| path.strip_prefix(folder).filter(|name| !name.contains('/'));
    let document = |name: &str| name.ends_with(".md") || name == "LICENSE";
    BINARIES.contains(&path)
        || REQUIRED.contains(&path)
        || path == sums::SIGNATURE
        || path == "share/man/man1/mainstay.1"
        || name("systemd/").is_some_and(super::gather::is_unit)
        || name("share/doc/").is_some_and(document)
        || name("share/completions/").is_some()
}

fn agrees(record: &Record, tree: &Tree) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{}: {what}", record::NAME));
    let Record { id, version, commit, dirty, binaries, .. } = record;
    let hex = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !hex {
        return wrong(format!("{commit:?} is no commit id"));
    }
    let expected = record::id(version, commit, *dirty)?;
    if *id != expected {
        return wrong(format!("id {id:?}, and version and commit make it {expected:?}"));
    }
    for path in BINARIES {
        if binaries.get(path) != Some(&digest(&tree[path].bytes)) {
            return wrong(format!("another digest for {path} than the file's"));
        }
    }
    match binaries.keys().find(|path| !BINARIES.contains(&path.as_str())) {
        Some(path) => wrong(format!("{path} is no program of a release")),
        None => Ok(()),
    }
}
