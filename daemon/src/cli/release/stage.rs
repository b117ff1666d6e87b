//! `release stage`: unpacks a release beside its place, verifies all of it, and gives it its place in one move. `install` puts
//! the first one in place by the same steps.

use super::super::{Options, print};
use super::root::Root;
use super::tree::{Whole, Writer};
use super::{local, refused, signature, tree};
use crate::exit::{ExitCode, Fatal};
use crate::real::clock::wall_ms;
use crate::release::Id;
use crate::release::known::{Known, Release};
use clap::ArgMatches;
use flate2::read::GzDecoder;
use rustix::fs::Mode;
use rustix::process::umask;
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The folder of an archive has this before the release's id.
const FOLDER_PREFIX: &str = "mainstay-";

/// Where a release comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum From {
    /// An archive, or the folder that one was unpacked to.
    Path(PathBuf),
    /// Programs that were built here: each by its path in the release, and where it lies.
    Programs(Vec<(String, PathBuf)>),
}

/// What became of it.
struct Staged {
    id: Id,
    was_there: bool,
    signed_by: Option<String>,
    /// Nobody here said whose word counts.
    no_key_is_trusted: bool,
    removed: Vec<Id>,
    /// What could not be removed.
    left: Vec<String>,
}

/// Puts a release in place.
pub(super) fn stage(matches: &ArgMatches, root: &Root, options: &Options) -> Result<ExitCode, Fatal> {
    // The daemon's user runs what root puts in place, whatever root's shell takes from what it makes.
    umask(Mode::WGRP | Mode::WOTH);
    let from = From::Path(matches.get_one::<PathBuf>("from").expect("clap asks for it").clone());
    let trusted = trusted(matches.get_one("key"), root)?;
    let _lock = root.lock()?;
    let mut known = root.known()?;
    let staged = put(root, &from, &trusted, &mut known)?;
    keep(root, &known, &staged.id)?;
    told(&staged, root, options);
    Ok(ExitCode::Ok)
}

/// Puts a release in place, and has it run from the next start on if none does so far. For `install`, whose files all can read.
pub(in super::super) fn install(root: &Path, from: &From) -> Result<Id, Fatal> {
    let root = Root::new(root)?;
    let trusted = trusted(None, &root)?;
    let _lock = root.lock()?;
    let mut known = root.known()?;
    let Staged { id, .. } = put(&root, from, &trusted, &mut known)?;
    // A release that runs is changed by whoever watches what comes of it.
    if root.current().map_err(refused)?.is_none() {
        root.flip(&id).map_err(|error| refused(format!("{id} is in place, and can't be made current: {error}")))?;
        known.installed(&id, wall_ms());
    }
    keep(&root, &known, &id)?;
    Ok(id)
}

/// Whether a release is in place. For `install`.
pub(in super::super) fn is_staged(root: &Path, id: &Id) -> bool {
    let there = |root: Root| root.folder(id).is_dir() && root.known().is_ok_and(|known| known.release(id).is_ok());
    Root::new(root).is_ok_and(there)
}

fn keep(root: &Root, known: &Known, id: &Id) -> Result<(), Fatal> {
    root.keep(known).map_err(|why| refused(format!("{id} is in place, but that can't be written down: {why}")))
}

fn put(root: &Root, from: &From, trusted: &[String], known: &mut Known) -> Result<Staged, Fatal> {
    let half = root.half()?;
    let staged = put_by(&half, root, from, trusted, known);
    // Where it got no place: it was here already, or it is refused. Else there is nothing of that name any more.
    let _ = fs::remove_dir_all(&half);
    staged
}

fn put_by(half: &Path, root: &Root, from: &From, trusted: &[String], known: &mut Known) -> Result<Staged, Fatal> {
    let wrong = |why: String| match from {
        From::Path(path) => refused(format!("{} is not staged: {why}", path.display())),
        From::Programs(_) => refused(format!("what was built here is not staged: {why}")),
    };
    let whole = fill(half, from).map_err(wrong)?;
    let signed_by = signature::check(&whole.sums, whole.signature.as_deref(), trusted).map_err(wrong)?;
    let id = whole.manifest.id.clone();
    let (place, database) = (root.folder(&id), whole.manifest.database);
    let was_there = place.exists();
    if was_there {
        is_the_same(&whole, &place, &id).map_err(wrong)?;
    } else {
        root.place(half, &id)?;
    }
    if known.release(&id).is_err() {
        let (preflight, activated_ms, blessed, bad) = (None, None, None, None);
        let (id, signed_by, staged_ms) = (id.clone(), signed_by.clone(), wall_ms());
        known.staged(Release { id, staged_ms, signed_by, database, preflight, activated_ms, blessed, bad });
    }
    let (removed, left) = root.remove_superfluous(known);
    Ok(Staged { id, was_there, signed_by, no_key_is_trusted: trusted.is_empty(), removed, left })
}

/// The keys of which one has to vouch for it.
fn trusted(named: Option<&String>, root: &Root) -> Result<Vec<String>, Fatal> {
    let keys = match named {
        Some(text) => signature::key(text).map(|key| vec![key]),
        None => root.keys()?.iter().map(|path| signature::key_of(path)).collect(),
    };
    keys.map_err(|why| Fatal::new(ExitCode::Usage, why))
}

/// Writes it to an empty folder, durably, and reads all of it back.
fn fill(half: &Path, from: &From) -> Result<Whole, String> {
    let mut writer = Writer::new(half);
    let folder = match from {
        From::Programs(programs) => {
            local::write(programs, &mut writer)?;
            None
        }
        From::Path(folder) if folder.is_dir() => {
            writer.copy(folder)?;
            None
        }
        From::Path(archive) => Some(unpack(archive, &mut writer)?),
    };
    writer.finish().map_err(|error| error.to_string())?;
    let whole = tree::read(half)?;
    let Whole { manifest, .. } = &whole;
    let expected = format!("{FOLDER_PREFIX}{}", manifest.id);
    match folder {
        Some(folder) if folder != expected => {
            return Err(format!("its folder is {folder}, and that of {} is {expected}", manifest.id));
        }
        Some(_) | None => {}
    }
    if !manifest.target.starts_with(std::env::consts::ARCH) {
        return Err(format!("it is built for {}, and this machine is {}", manifest.target, std::env::consts::ARCH));
    }
    Ok(whole)
}

/// Unpacks an archive; gives the one folder that all of it lies in.
fn unpack(archive: &Path, writer: &mut Writer<'_>) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("it can't be read as an archive (.tar.gz): {error}");
    let file = File::open(archive).map_err(|error| format!("it can't be read: {error}"))?;
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    let mut folder: Option<String> = None;
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let path = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| "a path in it is no UTF-8 text")?;
        let kind = entry.header().entry_type();
        let plain = if kind.is_dir() { path.trim_end_matches('/') } else { &path };
        let (top, rest) = plain.split_once('/').unwrap_or((plain, ""));
        if folder.get_or_insert_with(|| top.to_owned()) != top {
            return Err(format!("{path:?} lies beside the release's folder"));
        }
        if kind.is_file() {
            let is_program = entry.header().mode().map_err(failed)? & 0o111 != 0;
            writer.file(rest, is_program, &mut entry)?;
        } else if !kind.is_dir() {
            return Err(format!("{path:?} is neither file nor folder: a link or device has no place in a release"));
        }
    }
    folder.ok_or_else(|| "there is nothing in it".to_owned())
}

/// What has its place already is the very same.
fn is_the_same(whole: &Whole, place: &Path, id: &Id) -> Result<(), String> {
    let there = tree::read(place).map_err(|why| format!("{id} is here, and damaged: {why}"))?;
    if there.sums == whole.sums {
        return Ok(());
    }
    Err(format!("another release {id} is here, with other files: one id has to mean one release"))
}

/// Why it may be another's than whose it says that it is.
fn doubt(signed_by: Option<&str>, no_key_is_trusted: bool, keys: &Path) -> Option<String> {
    match signed_by {
        None => Some("nobody vouches for it: it is not signed".to_owned()),
        Some(key) if no_key_is_trusted => Some(format!(
            "it is signed by {key}, and nobody here said whose word counts: put the key of who makes your releases, which you have from elsewhere, into {}",
            keys.join("NAME.pub").display()
        )),
        Some(_) => None,
    }
}

fn told(staged: &Staged, root: &Root, options: &Options) {
    let Staged { id, was_there, signed_by, no_key_is_trusted, removed, left } = staged;
    let doubt = doubt(signed_by.as_deref(), *no_key_is_trusted, &root.keys_folder());
    for words in doubt.iter().chain(left) {
        options.remark(words);
    }
    if options.json {
        print(&json!({ "id": id, "was_there": was_there, "signed_by": signed_by, "removed": removed }).to_string());
        return;
    }
    let was = if *was_there { " was here already, the very same" } else { " is staged" };
    print(&format!("{id}{was}; next: mainstay release activate {id}"));
    for id in removed {
        print(&format!("removed: {id}"));
    }
}

#[cfg(test)]
mod tests;
