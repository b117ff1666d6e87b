//! Archives: tar in gzip, of which there is one for each tree. Entries are sorted, belong to root, and have the commit's time;
//! the compressed stream has no name and no time.

use super::{File, Tree};
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Component, Path};
use tar::{Archive, Builder, EntryType, Header};

/// No release unpacks to more. One that does is not read to its end.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// "Unknown", where gzip says what system it ran on.
const NO_SYSTEM: u8 = 255;

/// Packs a tree, every path below `top` (empty, or with a `/` at its end). Folders are entries of their own, so that their permissions do
/// not depend on who unpacks it.
pub(crate) fn pack(tree: &Tree, top: &str, time_s: u64) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("pack {top}: {error}");
    let gzip = GzBuilder::new().operating_system(NO_SYSTEM).write(Vec::new(), Compression::best());
    let mut builder = Builder::new(gzip);
    let mut folders = BTreeSet::new();
    for (path, file) in tree {
        let path = format!("{top}{path}");
        for (end, _) in path.match_indices('/') {
            let folder = &path[..=end];
            if folders.insert(folder.to_owned()) {
                let mut header = header(EntryType::Directory, 0o755, 0, time_s);
                builder.append_data(&mut header, folder, std::io::empty()).map_err(failed)?;
            }
        }
        let bytes = file.bytes.as_slice();
        let mut header = header(EntryType::Regular, file.mode(), bytes.len() as u64, time_s);
        builder.append_data(&mut header, &path, bytes).map_err(failed)?;
    }
    builder.into_inner().and_then(flate2::write::GzEncoder::finish).map_err(failed)
}

fn header(kind: EntryType, mode: u32, size: u64, time_s: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(time_s);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Unpacks into memory. Whatever is neither a plain file nor a folder,
/// or whose path leads elsewhere, is an error.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Tree, String> {
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut unpacked);
    read.map_err(|error| format!("no archive, or cut off: {error}"))?;
    if unpacked.len() as u64 > UNPACKED_BYTES_MAX {
        return Err(format!("unpacks to more than {UNPACKED_BYTES_MAX} bytes, which no release does"));
    }
    let mut archive = Archive::new(unpacked.as_slice());
    let mut tree = Tree::new();
    for entry in archive.entries().map_err(|error| format!("no archive: {error}"))? {
        let mut entry = entry.map_err(|error| format!("no archive: {error}"))?;
        let path = String::from_utf8(entry.path_bytes().into_owned()).map_err(|error| format!("a path: {error}"))?;
        let header = entry.header();
        let (uid, gid) = (header.uid().ok(), header.gid().ok());
        if (uid, gid) != (Some(0), Some(0)) {
            return Err(format!("{path}: belongs to user {uid:?} and group {gid:?}, not to root"));
        }
        let mode = header.mode().map_err(|error| format!("{path}: {error}"))?;
        let kind = header.entry_type();
        if !kind.is_dir() && !kind.is_file() {
            return Err(format!("{path}: neither a file nor a folder, but {kind:?}"));
        }
        if !is_plain(if kind.is_dir() { path.trim_end_matches('/') } else { &path }) {
            return Err(format!("{path:?}: no plain path; it might lead elsewhere"));
        }
        if kind.is_dir() {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| format!("{path}: {error}"))?;
        let file = File { bytes, runs: mode & 0o111 != 0 };
        if mode != file.mode() {
            return Err(format!("{path}: mode {mode:o}, where a release has {:o}", file.mode()));
        }
        if tree.insert(path.clone(), file).is_some() {
            return Err(format!("{path}: there twice"));
        }
    }
    Ok(tree)
}

/// Relative, without `.` or `..`, and the same file wherever it is unpacked.
fn is_plain(path: &str) -> bool {
    let normal = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let whole: Vec<_> = Path::new(path).components().map(|part| part.as_os_str().to_string_lossy()).collect();
    !path.is_empty() && normal && whole.join("/") == path && !path.contains(char::is_control)
}
