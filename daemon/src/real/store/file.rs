//! The database as a file: how it is opened in production.

use super::{Store, StoreError};
use crate::policy;
use crate::ports::Storage;
use crate::release::manifest::Database;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, FallocateFlags};
use std::cell::Cell;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `mainstay.db` in the state directory.
pub struct FileStorage {
    path: PathBuf,
    /// The log's space is reserved up to here, in bytes from its begin.
    reserved: Cell<u64>,
}

impl FileStorage {
    /// The database at `path`; nothing is touched yet.
    pub fn new(path: PathBuf) -> Self {
        FileStorage { path, reserved: Cell::new(0) }
    }

    /// Makes a new file that nobody else may read: what people asked for is theirs, even where the folder is opened up. One
    /// that exists is never opened but by SQLite: to close it would drop every lock that this process has on it, and then
    /// whoever else closes the database takes its log for left behind, and removes it.
    fn make_private(&self) {
        let _ = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&self.path);
    }
}

impl Storage for FileStorage {
    fn open(&self) -> Result<Connection, rusqlite::Error> {
        self.make_private();
        if let Err(error) = rustix::fs::access(&self.path, Access::WRITE_OK) {
            tracing::warn!(%error, path = %self.path.display(), "the database can't be opened for writing");
        }
        let db = Connection::open(&self.path)?;
        prepare(&db)?;
        Ok(db)
    }

    fn free_bytes(&self) -> Option<u64> {
        free_bytes(self.path.parent()?)
    }

    /// Blocks behind the end of the WAL: a file of our own as ballast would have to be given up to be used, and a task that
    /// goes on writing would be there first. A WAL is never cut while we have it open, so what it got it keeps.
    fn keep_room(&self) {
        let wal = self.path.with_extension("db-wal");
        let Ok(length) = std::fs::metadata(&wal).map(|metadata| metadata.len()) else { return };
        // Not for every page written.
        if length + policy::DATABASE_ROOM_BYTES / 2 < self.reserved.get() {
            return;
        }
        let wanted = length + policy::DATABASE_ROOM_BYTES;
        // To close it again is harmless: SQLite has no locks on this file that would be lost.
        let kept = std::fs::OpenOptions::new().write(true).open(&wal).and_then(|file| {
            rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, wanted).map_err(std::io::Error::from)
        });
        match kept {
            Ok(()) => self.reserved.set(wanted),
            Err(error) => tracing::debug!(%error, "no space can be reserved for the database"),
        }
    }
}

/// Bytes that this user may still use on the disk of `folder`.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

/// Settings of a writing connection, the same on every disk.
///
/// # Errors
/// The database can't be read or written.
pub fn prepare(db: &Connection) -> Result<(), rusqlite::Error> {
    // Readers of other processes may hold a lock for an instant while we open; there is no second writer to wait for.
    db.busy_timeout(Duration::from_millis(policy::DATABASE_OPEN_WAIT_MS))?;
    // A statement is planned once. Else one that asks for a state is planned anew each time that the state is bound, as one of
    // the indexes on some states might do: that takes longer than most of them run.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // FULL: a commit is on the disk when it returns. The WAL is emptied between turns, never inside one, and then
    // written over from its start rather than truncated. The page size takes effect in a new database alone.
    db.execute_batch(&format!(
        "PRAGMA page_size = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{};",
        policy::DATABASE_PAGE_BYTES,
        policy::DATABASE_CACHE_KIB
    ))?;
    db.busy_timeout(Duration::from_millis(policy::DATABASE_WAIT_MS))
}

/// Whether a daemon may go on with the database at `path`; false when none was ever begun there. Changes nothing: what is
/// damaged or newer keeps even the log of its last writer, which closing a connection that can write would work in.
///
/// # Errors
/// As [`Store::open`].
pub fn examine(path: &Path) -> super::Result<bool> {
    let empty = |path: &Path| std::fs::metadata(path).map_or(true, |metadata| metadata.len() == 0);
    if empty(path) {
        // What was not yet moved out of the log would be lost with it.
        let begun = !empty(&path.with_extension("db-wal"));
        let why = "it is missing or empty, and its log (-wal) is there";
        return if begun { Err(StoreError::Damaged(why.into())) } else { Ok(false) };
    }
    let db = look(path)?;
    super::check_header(&db)?;
    super::check_version(&db, "min_writer")?;
    if db.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0))? == 0 {
        return Ok(false);
    }
    Store::open_to_read(db)?.check_tail()?;
    Ok(true)
}

/// Opens an existing database to look at it, changing nothing on disk where that is possible. One of an older version is
/// looked at in a copy that was brought up to date: only a daemon may do that to the file itself.
///
/// # Errors
/// As [`Store::open`]; transient when it does not exist.
pub fn inspect(path: &Path) -> super::Result<Store> {
    let store = inspect_record(path)?;
    if store.is_current()? {
        return Ok(store);
    }
    let copy = copy_of(&store.db)?;
    super::migrate(&copy)?;
    Store::open_to_read(copy)
}

/// The whole database in a temporary one.
fn copy_of(db: &Connection) -> super::Result<Connection> {
    // No name: SQLite keeps it in memory or in a file for temporary ones, and removes that with the connection.
    let mut copy = Connection::open("")?;
    copy_pages(db, &mut copy)?;
    Ok(copy)
}

/// All pages at once, so that nobody changes them meanwhile.
pub(super) fn copy_pages(db: &Connection, copy: &mut Connection) -> super::Result<()> {
    let pages_at_once = -1;
    let step = Backup::new(db, copy)?.step(pages_at_once)?;
    if step == StepResult::Done {
        return Ok(());
    }
    // What got into the copy by then is nothing, or not all.
    Err(StoreError::Transient(format!("it could not be copied to be looked at ({step:?})")))
}

/// As [`inspect`], for who reads events and nothing else: these are the same in every version, and nothing is copied.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_record(path: &Path) -> super::Result<Store> {
    Store::open_to_read(look(path)?)
}

/// The versions of the database at `path`, which say what programs can go on with it.
///
/// # Errors
/// As [`inspect`].
pub fn versions(path: &Path) -> super::Result<Database> {
    let db = look(path)?;
    super::check_header(&db)?;
    let schema = db.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    let (min_reader, min_writer) =
        (super::least(&db, "min_reader").unwrap_or(schema), super::least(&db, "min_writer").unwrap_or(schema));
    Ok(Database { schema, min_reader, min_writer })
}

/// The newest life of a daemon on record at `path`.
///
/// # Errors
/// As [`inspect`].
pub fn newest_life(path: &Path) -> super::Result<i64> {
    Ok(look(path)?.query_row("SELECT coalesce(max(epoch), 0) FROM epochs", [], |r| r.get(0))?)
}

fn look(path: &Path) -> super::Result<Connection> {
    let empty = |extension: &str| std::fs::metadata(path.with_extension(extension)).map_or(true, |m| m.len() == 0);
    // Without a WAL nobody has it open and there is nothing to recover: `immutable` then leaves no -shm file behind.
    let quiet = empty("db-wal") && empty("db-shm");
    open_to_read(path, if quiet { "immutable=1" } else { "mode=ro" })
}

pub(super) fn open_to_read(path: &Path, how: &str) -> super::Result<Connection> {
    let name = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{name}?{how}");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(uri, flags).map_err(StoreError::from)?;
    db.busy_timeout(Duration::from_millis(policy::DATABASE_OPEN_WAIT_MS))?;
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_has_locked_is_not_copied_by_half() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mainstay.db");
        let (ours, theirs) = (Connection::open(&path).expect("open"), Connection::open(&path).expect("open"));
        theirs.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1); BEGIN EXCLUSIVE").expect("locked");
        ours.busy_timeout(Duration::ZERO).expect("no waiting");
        let Err(StoreError::Transient(why)) = copy_of(&ours) else { panic!("copied while it was locked") };
        assert!(why.contains("could not be copied"), "{why}");
        theirs.execute_batch("COMMIT").expect("let go");
        let rows = copy_of(&ours).expect("a copy").query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0));
        assert_eq!(rows, Ok(1));
    }
}
