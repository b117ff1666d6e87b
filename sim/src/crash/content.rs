//! What SQLite would find on a disk after a power loss, page for page.
//!
//! Of hundreds of subsets of surviving writes most come to the same: the last commit is there, or it is not. Subsets with the
//! same content are told apart by nothing that a daemon can read, so one of them is lived on behalf of all.

use super::Left;
use crate::disk::{Disk, Profile};
use crate::vfs::Vfs;
use crate::world::DATABASE;
use rusqlite::backup::Backup;

/// A digest of the database as it would be read, or why it can't be.
pub type Content = Result<u64, String>;

/// What each of these would leave. The disk is not changed.
pub(super) fn contents(disk: &Disk, lefts: &[Left]) -> Vec<Content> {
    lefts.iter().map(|left| content(disk, *left).map_err(|error| error.to_string())).collect()
}

fn content(disk: &Disk, left: Left) -> rusqlite::Result<u64> {
    let lost = disk.copy();
    lost.power_loss(left.survivors());
    let place = Vfs::mount(&lost);
    let source = place.open(DATABASE)?;
    // A copy of all pages onto an empty disk: what was done to that says what is in them.
    let empty = Disk::new(0, Profile::LARGE_SECTORS);
    let other_place = Vfs::mount(&empty);
    let mut copy = other_place.open(DATABASE)?;
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    Backup::new(&source, &mut copy)?.step(-1)?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(empty.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_there_with_its_last_write_and_not_without() {
        let _alone = crate::vfs::alone();
        let disk = Disk::new(1, Profile::SMALL_SECTORS);
        let place = Vfs::mount(&disk);
        let db = place.open(DATABASE).expect("a database");
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n)").expect("a table");
        let before = content(&disk, Left::Nothing).expect("readable");
        // Not synced: all of the commit waits.
        db.execute_batch("PRAGMA synchronous = NORMAL; INSERT INTO t VALUES (1)").expect("a row");
        let waiting = disk.waiting();
        assert!((2..=8).contains(&waiting), "{waiting}");
        let masks: Vec<Left> = (0..1 << waiting).map(Left::These).collect();
        let after = content(&disk, Left::All).expect("readable");
        assert_ne!(before, after);
        let found = contents(&disk, &masks);
        assert_eq!(found.last(), Some(&Ok(after)));
        assert_eq!(found.iter().filter(|content| **content == Ok(before)).count(), masks.len() - 1);
        assert_eq!(disk.waiting(), waiting, "the disk itself lost nothing");
    }
}
