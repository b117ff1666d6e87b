//! The database on a real file, with failures on request.

use super::clock::Shared;
use mainstay::ports::Storage;
use rusqlite::{Connection, Error, ffi};
use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use tempfile::TempDir;

/// The disk with the database.
pub(crate) struct Disk {
    folder: TempDir,
    pub(crate) shared: Rc<Shared>,
    pub(crate) free: Cell<Option<u64>>,
    /// Largest size of the database in pages, from the next time it is opened.
    pub(crate) pages_max: Cell<Option<i64>>,
    /// The so manieth commit from now reports failure although it took effect; negative: none does.
    pub(crate) lie_in: Arc<AtomicI64>,
    /// After so many steps of the database's machine (in hundreds) a statement fails; negative: none does.
    pub(crate) break_in: Arc<AtomicI64>,
    pub(crate) refuse_open: Cell<bool>,
}

impl Disk {
    pub(crate) fn new(shared: Rc<Shared>) -> Disk {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        Disk {
            folder: folder.expect("a temporary folder"),
            shared,
            free: Cell::new(None),
            pages_max: Cell::new(None),
            lie_in: Arc::new(AtomicI64::new(-1)),
            break_in: Arc::new(AtomicI64::new(-1)),
            refuse_open: Cell::new(false),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mainstay.db")
    }

    /// A connection of somebody else.
    pub(crate) fn look(&self) -> Connection {
        let db = Connection::open(self.path()).expect("the database opens");
        db.execute_batch("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0").expect("settings");
        db
    }

    pub(crate) fn pages(&self) -> i64 {
        self.look().query_row("PRAGMA page_count", [], |r| r.get(0)).expect("a count")
    }
}

fn io_error() -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR), None)
}

/// Counts down; true at zero.
fn strikes(counter: &AtomicI64) -> bool {
    let left = counter.load(Relaxed);
    if left >= 0 {
        counter.store(left - 1, Relaxed);
    }
    left == 0
}

impl Storage for Disk {
    fn open(&self) -> Result<Connection, Error> {
        self.shared.tick();
        if self.refuse_open.get() {
            return Err(io_error());
        }
        let mut db = Connection::open(self.path())?;
        // As in production, but for the syncs: no test loses the power of the real machine.
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY")?;
        db.busy_timeout(std::time::Duration::ZERO)?;
        if let Some(pages) = self.pages_max.get() {
            db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        }
        let lie_in = self.lie_in.clone();
        db.wal_hook(Some(move |_: &mut _, _| if strikes(&lie_in) { Err(io_error()) } else { Ok(()) }))?;
        let break_in = self.break_in.clone();
        db.progress_handler(100, Some(move || strikes(&break_in)))?;
        Ok(db)
    }

    fn free_bytes(&self) -> Option<u64> {
        self.free.get()
    }

    /// This disk is as large as a test says, and reserves nothing.
    fn keep_room(&self) {}
}
