//! The files of a release: read and held against what it says of itself, and written so that nothing of them leads elsewhere.

use super::root::sync;
use crate::hex::hex;
use crate::policy;
use crate::release::manifest::{MANIFEST, Manifest};
use crate::release::tree::{SIGNATURE, SUMS, Sums, check_path};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// A release whose files are all there, and as it says.
pub(super) struct Whole {
    /// What it says of itself.
    pub(super) manifest: Manifest,
    /// `SHA256SUMS`, as it is signed.
    pub(super) sums: Vec<u8>,
    /// Its signature, if there is one.
    pub(super) signature: Option<Vec<u8>>,
}

/// Reads all of a release.
pub(super) fn read(folder: &Path) -> Result<Whole, String> {
    let found = digests(folder)?;
    let file = |name: &str| fs::read(folder.join(name)).map_err(|error| format!("{name} can't be read: {error}"));
    let sums = file(SUMS)?;
    let listed = Sums::parse(std::str::from_utf8(&sums).map_err(|_| format!("{SUMS} is no text"))?)?;
    listed.compare(&found)?;
    let manifest = Manifest::parse(&file(MANIFEST)?)?;
    listed.agrees(&manifest)?;
    let signature = if found.contains_key(SIGNATURE) { Some(file(SIGNATURE)?) } else { None };
    Ok(Whole { manifest, sums, signature })
}

/// The digests of all files below a folder, by their paths.
fn digests(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    walk(folder, &mut |path, mut file, _| {
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; BUFFER_BYTES]);
        loop {
            match file.read(&mut buffer).map_err(|error| format!("{path} can't be read: {error}"))? {
                0 => break,
                n => hasher.update(&buffer[..n]),
            }
        }
        found.insert(path.to_owned(), hex(&hasher.finalize()));
        Ok(())
    })?;
    Ok(found)
}

/// What is done with a file: its path, its content, and whether it is a program.
type Visit<'a> = dyn FnMut(&str, File, bool) -> Result<(), String> + 'a;

/// Goes through all files below a folder. Anything else but folders has no place in a release.
fn walk(folder: &Path, visit: &mut Visit<'_>) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mut folders = vec![(folder.to_owned(), String::new())];
    let mut files = 0;
    while let Some((folder, prefix)) = folders.pop() {
        let failed = |error: io::Error| format!("{} can't be read: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| format!("{prefix}{} is no UTF-8 text", name.display()))?;
            let path = format!("{prefix}{name}");
            let metadata = entry.metadata().map_err(failed)?;
            if metadata.is_dir() {
                folders.push((entry.path(), format!("{path}/")));
            } else if metadata.is_file() {
                files += 1;
                if files > policy::RELEASE_FILES_MAX {
                    return Err(format!("it has more than {} files", policy::RELEASE_FILES_MAX));
                }
                let file = File::open(entry.path()).map_err(|error| format!("{path} can't be read: {error}"))?;
                visit(&path, file, metadata.permissions().mode() & 0o111 != 0)?;
            } else {
                return Err(format!("{path} is neither file nor folder: a link or device has no place in a release"));
            }
        }
    }
    Ok(())
}

/// A folder that a release is written to.
pub(super) struct Writer<'a> {
    folder: &'a Path,
    bytes_left: u64,
    files_left: usize,
}

impl Writer<'_> {
    /// An empty one.
    pub(super) fn new(folder: &Path) -> Writer<'_> {
        Writer { folder, bytes_left: policy::RELEASE_BYTES_MAX, files_left: policy::RELEASE_FILES_MAX }
    }

    /// A copy of a release that is unpacked.
    pub(super) fn copy(&mut self, from: &Path) -> Result<(), String> {
        walk(from, &mut |path, mut file, is_program| self.file(path, is_program, &mut file))
    }

    /// Writes a file, for nobody to change.
    pub(super) fn file(&mut self, path: &str, is_program: bool, content: &mut dyn Read) -> Result<(), String> {
        check_path(path)?;
        self.files_left = self
            .files_left
            .checked_sub(1)
            .ok_or_else(|| format!("it has more than {} files", policy::RELEASE_FILES_MAX))?;
        let whole = self.folder.join(path);
        let failed = |error: io::Error| format!("{path} can't be written: {error}");
        if let Some(parent) = whole.parent() {
            DirBuilder::new().mode(0o755).recursive(true).create(parent).map_err(failed)?;
        }
        let mode = if is_program { 0o555 } else { 0o444 };
        // A path that comes twice would be two answers to what it is.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&whole).map_err(failed)?;
        let written = io::copy(&mut content.take(self.bytes_left + 1), &mut file).map_err(failed)?;
        self.bytes_left = self
            .bytes_left
            .checked_sub(written)
            .ok_or_else(|| format!("it has more than {} MiB", policy::RELEASE_BYTES_MAX >> 20))?;
        file.flush().and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Makes the entries of all folders durable.
    pub(super) fn finish(self) -> io::Result<()> {
        let mut folders: Vec<PathBuf> = vec![self.folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                }
            }
            sync(&folder)?;
        }
        Ok(())
    }
}
