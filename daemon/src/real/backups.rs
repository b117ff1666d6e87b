//! The folder of back-ups: their names, the file that one is written to, and which of the old ones have to go.
//!
//! A back-up is written under a name that is no back-up's, and gets its own only when it is whole and durable. Whoever is
//! killed on the way leaves that file, for the next one to remove. Its lock keeps two from writing at the same time.

use super::store::free_bytes;
use crate::report;
use rustix::fs::{Advice, FlockOperation, fadvise, flock};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The folder in the state directory, where no other is named.
pub const BACKUPS_NAME: &str = "backups";
/// The one that is being written.
const UNFINISHED_NAME: &str = ".mainstay-backup.tmp";
/// What SQLite keeps beside a file that it writes.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Makes a folder for back-ups, for its owner alone.
///
/// # Errors
/// It can't be made.
pub fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => give_to_owner_of_parent(folder, &File::open(folder)?),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Root makes nothing that the daemon's user can't write to later, nor read.
fn give_to_owner_of_parent(path: &Path, made: &File) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let parent = fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
    // A file system without owners has nothing to give.
    let _ = std::os::unix::fs::fchown(made, Some(parent.uid()), Some(parent.gid()));
    Ok(())
}

/// Bytes free for a back-up in `folder`, and whether the state directory lives on the same disk.
pub fn room(folder: &Path, state_dir: &Path) -> (Option<u64>, bool) {
    let disk = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    (free_bytes(folder), disk(folder) == disk(state_dir))
}

/// A back-up that is being written. Removed when it is dropped before it is finished.
pub struct Unfinished {
    path: PathBuf,
    /// Locked as long as it is open.
    file: File,
    finished: bool,
}

impl Unfinished {
    /// An empty file, in place of what a killed one may have left; none while another is being written.
    ///
    /// # Errors
    /// The folder can't be used.
    pub fn begin(folder: &Path) -> io::Result<Option<Unfinished>> {
        let path = folder.join(UNFINISHED_NAME);
        loop {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
            let file = options.open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => return Ok(None),
                locked => locked?,
            }
            // Who had it until now may have removed it, or have made a back-up of it.
            let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
            if fs::symlink_metadata(&path).map(number).ok() != Some(number(file.metadata()?)) {
                continue;
            }
            let unfinished = Unfinished { path, file, finished: false };
            unfinished.remove_companions();
            unfinished.file.set_len(0)?;
            give_to_owner_of_parent(&unfinished.path, &unfinished.file)?;
            return Ok(Some(unfinished));
        }
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes what was written durable, so that reading it back tells what the disk has, not what memory has.
    ///
    /// # Errors
    /// The disk did not take it.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        // Where that is not possible, it is read from memory.
        let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
        Ok(())
    }

    /// Gives it its name, durably: its path and size.
    ///
    /// # Errors
    /// The disk did not take it.
    pub fn finish(mut self, wall_ms: i64, events: i64) -> io::Result<(PathBuf, u64)> {
        let path = self.path.with_file_name(name(wall_ms, events));
        fs::rename(&self.path, &path)?;
        self.finished = true;
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
        Ok((path, self.file.metadata()?.len()))
    }

    fn remove_companions(&self) {
        for end in COMPANIONS {
            let _ = fs::remove_file(self.path.with_file_name(format!("{UNFINISHED_NAME}{end}")));
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.path);
            self.remove_companions();
        }
    }
}

/// Removes the oldest back-ups but the newest `keep`, of which `made` is one, and nothing else: their names, and what could
/// not be removed.
///
/// # Errors
/// The folder can't be read.
pub fn rotate(made: &Path, keep: usize) -> io::Result<(Vec<String>, Vec<String>)> {
    let folder = made.parent().unwrap_or(Path::new("/"));
    let made = made.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.extend(entry.file_name().into_string());
        }
    }
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    for name in outdated(names, made, keep) {
        match fs::remove_file(folder.join(&name)) {
            Ok(()) => removed.push(name),
            Err(error) => kept.push(format!("{name}: {error}")),
        }
    }
    Ok((removed, kept))
}

/// The back-ups among `names` that have to go, the oldest first. `made` is the newest by what we know, whatever the clock said
/// when the others were made: a name of a later time was given by a clock that was ahead, and goes first, or all that are made
/// from now on would go before it.
fn outdated(names: Vec<String>, made: &str, keep: usize) -> Vec<String> {
    let now = moment(made);
    let mut ours: Vec<String> = names.into_iter().filter(|name| name != made && moment(name).is_some()).collect();
    ours.sort_by(|a, b| (moment(a) <= now, moment(a)).cmp(&(moment(b) <= now, moment(b))));
    let kept_before = keep.saturating_sub(1);
    ours.truncate(ours.len().saturating_sub(kept_before));
    ours
}

/// `mainstay-20261129T120000Z-1204.db`: when (UTC), and the number of the last event in it.
fn name(wall_ms: i64, events: i64) -> String {
    format!("mainstay-{}-{events}.db", report::compact_utc(wall_ms))
}

/// Of a back-up's name: when, as text that sorts, and up to which event. None of any other name.
fn moment(name: &str) -> Option<(&str, u64)> {
    let (when, events) = name.strip_prefix("mainstay-")?.strip_suffix(".db")?.split_once("Z-")?;
    let (day, time) = when.split_once('T')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = day.len() == 8 && time.len() == 6 && digits(day) && digits(time) && digits(events);
    whole.then_some((when, events.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_when_and_how_far() {
        let name = name(1_796_000_000_000, 1_204);
        assert_eq!((&*name, moment(&name)), ("mainstay-20261130T005320Z-1204.db", Some(("20261130T005320", 1_204))));
    }

    #[test]
    fn the_oldest_go_and_nothing_that_is_not_ours() {
        let day = |n: u32| format!("mainstay-202611{n:02}T010203Z-{n}.db");
        let foreign = [
            "mainstay.db",
            "mainstay-20261101T010203Z-1.db.gz",
            "mainstay-20261101T010203Z-1.db-wal",
            "mainstay-20261101T010203Z-.db",
            "mainstay-20261101T010203Z-+1.db",
            "mainstay-2026110T010203Z-1.db",
            "mainstay-20261101T0102033-1.db",
            "Mainstay-20261101T010203Z-1.db",
            "mainstay-before-upgrade.db",
            "notes.txt",
        ];
        let names = || foreign.iter().map(|name| (*name).to_owned()).chain((1..=5).map(day)).rev().collect::<Vec<_>>();
        for (keep, expected) in [(1, vec![1, 2, 3, 4]), (2, vec![1, 2, 3]), (5, vec![]), (14, vec![])] {
            let expected: Vec<String> = expected.into_iter().map(day).collect();
            assert_eq!(outdated(names(), &day(5), keep), expected, "{keep}");
        }
    }

    #[test]
    fn a_clock_that_was_wrong_once_costs_no_new_back_up() {
        let day = |year: u32, n: u32| format!("mainstay-{year}01{n:02}T000000Z-{n}.db");
        // It was ahead for three days, then it was right again.
        let mut there: Vec<String> = (1..=3).map(|n| day(2038, n)).collect();
        for n in 4..=9 {
            there.push(day(2026, n));
            let gone = outdated(there.clone(), &day(2026, n), 3);
            there.retain(|name| !gone.contains(name));
        }
        assert_eq!(there, [7, 8, 9].map(|n| day(2026, n)));
        // It is behind: the new one stays, and makes room for the next as well.
        there.push(day(1970, 1));
        let gone = outdated(there.clone(), &day(1970, 1), 3);
        assert_eq!(gone, [day(2026, 7)]);
    }

    #[test]
    fn what_a_killed_one_left_is_written_over_and_two_at_once_are_not_possible() {
        let dir = tempfile::tempdir().expect("a folder");
        for end in ["", "-journal"] {
            fs::write(dir.path().join(format!("{UNFINISHED_NAME}{end}")), "half of it").expect("write");
        }
        let first = Unfinished::begin(dir.path()).expect("usable").expect("nobody holds it");
        assert_eq!(fs::metadata(first.path()).expect("there").len(), 0);
        assert!(Unfinished::begin(dir.path()).expect("usable").is_none());
        let there = || fs::read_dir(dir.path()).expect("list").count();
        assert_eq!(there(), 1);
        drop(first);
        assert_eq!(there(), 0);
        let second = Unfinished::begin(dir.path()).expect("usable").expect("nobody holds it");
        let (path, bytes) = second.finish(0, 1).expect("renamed");
        assert_eq!((path.exists(), bytes, there()), (true, 0, 1));
        assert!(Unfinished::begin(dir.path()).expect("usable").is_some(), "the finished one is no longer in the way");
    }
}
