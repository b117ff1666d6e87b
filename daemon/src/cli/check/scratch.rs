//! A private folder for what is tried on copies: the only place that a check writes to. It is removed however the check ends;
//! what a killed one left, the next one removes.

use super::code::Code;
use crate::policy;
use crate::real::clock::wall_ms;
use crate::real::store::free_bytes;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tempfile::TempDir;

const PREFIX: &str = "mainstay-check-";

/// Makes it, where there is room for so many bytes: in the folder that was named, or where large temporary files go.
///
/// # Errors
/// It can't be made, or there is no room.
pub(super) fn make(named: Option<&Path>, needed: u64) -> Result<TempDir, (Code, String)> {
    let folder = named.map_or_else(usual, Path::to_owned);
    remove_left_behind(&folder);
    let shown = folder.display();
    if let Some(free) = free_bytes(&folder).filter(|free| *free < needed) {
        let text = format!(
            "{shown} has no room for a copy of the database: {} MiB are free, {} are needed to try the next start on it; make room, or name another folder (--scratch)",
            free >> 20,
            (needed >> 20) + 1
        );
        return Err((Code::ScratchFull, text));
    }
    let private = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(&folder).map_err(|error| {
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let text =
            format!("can't make a folder in {shown} for a copy of the database: {error}; name another one (--scratch)");
        (if full { Code::ScratchFull } else { Code::ScratchUnusable }, text)
    })
}

/// `/var/tmp` rather than `/tmp`, which may be in memory: the database may be large.
fn usual() -> PathBuf {
    let named = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from("/var/tmp"))
}

/// Removes what an earlier check of this user could not.
fn remove_left_behind(folder: &Path) {
    let own = rustix::process::geteuid().as_raw();
    let is_left_behind = |entry: &fs::DirEntry| {
        let Ok(metadata) = entry.metadata() else { return false };
        let made = metadata.modified().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
        let made_ms = made.and_then(|made| i64::try_from(made.as_millis()).ok());
        let old = made_ms.is_some_and(|made| made + policy::CHECK_LEFT_BEHIND_MS < wall_ms());
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        named && old && metadata.is_dir() && metadata.uid() == own
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(is_left_behind) {
        // It is tried again by the next one.
        let _ = fs::remove_dir_all(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};
    use std::time::Duration;

    #[test]
    fn what_a_killed_check_left_is_removed_once_it_is_old() {
        let place = tempfile::tempdir().expect("a folder");
        let age = |name: &str, seconds: u64| {
            let path = place.path().join(name);
            fs::create_dir(&path).expect("make");
            fs::write(path.join("copy.db"), "x").expect("write");
            let then = UNIX_EPOCH + Duration::from_millis(wall_ms().unsigned_abs()) - Duration::from_secs(seconds);
            File::open(&path).and_then(|f| f.set_times(FileTimes::new().set_modified(then))).expect("its time");
        };
        age("mainstay-check-old", 3_700);
        age("mainstay-check-new", 60);
        age("somebody-elses", 3_700);
        let made = make(Some(place.path()), 1).expect("made");
        let mut names: Vec<_> =
            fs::read_dir(place.path()).expect("list").map(|e| e.expect("one").file_name()).collect();
        names.sort();
        let made_name = made.path().file_name().expect("a name").to_owned();
        let mut expected = vec!["mainstay-check-new".into(), made_name, "somebody-elses".into()];
        expected.sort();
        assert_eq!(names, expected);
        assert_eq!(fs::metadata(made.path()).expect("there").mode() & 0o777, 0o700);
        let path = made.path().to_owned();
        drop(made);
        assert!(!path.exists());
    }

    #[test]
    fn without_room_or_without_the_folder_it_says_so() {
        let place = tempfile::tempdir().expect("a folder");
        let (code, text) = make(Some(place.path()), u64::MAX).expect_err("no disk is that large");
        assert!(code == Code::ScratchFull && text.contains("--scratch"), "{text}");
        let (code, text) = make(Some(&place.path().join("none")), 1).expect_err("it is not there");
        assert!(code == Code::ScratchUnusable && text.contains("--scratch"), "{text}");
    }
}
