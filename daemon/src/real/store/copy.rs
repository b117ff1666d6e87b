//! A copy of the database in a file of its own: how it is written beside a daemon that may be running, and how it is read back.

use super::file::{copy_pages, open_to_read};
use super::{Result, Store, StoreError};
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;

/// Called again and again while a copy is written or read back: somebody may be waiting for it.
pub type Progress = Box<dyn FnMut() + Send>;

/// Steps of SQLite between two calls of it: some milliseconds.
const STEPS_BETWEEN: i32 = 100_000;

/// A database to be copied. It is read through a connection of its own, and never written to.
pub struct Source(Store);

impl Source {
    /// Opens it.
    ///
    /// # Errors
    /// As [`Store::open`]; damaged when nothing was ever recorded there.
    pub fn open(path: &Path) -> Result<Source> {
        // Not `immutable`, also where nobody has it open now: a daemon may start while it is being copied.
        let store = Store::open_to_read(open_to_read(path, "mode=ro")?)?;
        if store.events() == 0 {
            return Err(StoreError::Damaged("nothing is on record in it".into()));
        }
        Ok(Source(store))
    }

    /// The record in it.
    pub fn record(&self) -> &Store {
        &self.0
    }

    /// Bytes of a copy, as far as it can be told before.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn bytes(&self) -> Result<u64> {
        let used = "SELECT (page_count - freelist_count) * page_size
                    FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let bytes: i64 = self.0.db.query_row(used, [], |r| r.get(0))?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Writes what is committed now into `file`, which is empty. Nothing there is durable yet.
    ///
    /// # Errors
    /// Storage trouble, of either of the two; full is the copy's disk alone.
    pub fn copy_to(&mut self, file: &str, progress: Progress) -> Result<()> {
        watched(&mut self.0, progress, |store| {
            store.db.execute("VACUUM INTO ?1", [file])?;
            Ok(())
        })
    }

    /// Copies it page by page, as it stands there: what is damaged stays so, and can be found in the copy. `file` is not there
    /// yet, and nothing in it is durable.
    ///
    /// # Errors
    /// Storage trouble, of either of the two; full is the copy's disk alone.
    pub fn copy_pages_to(&self, file: &Path) -> Result<()> {
        let mut copy = Connection::open(file)?;
        copy_pages(&self.0.db, &mut copy)
    }

    /// Whether the database itself is whole, to know whose fault a bad copy is.
    ///
    /// # Errors
    /// Damaged, or storage trouble.
    pub fn verify(&mut self, progress: Progress) -> Result<()> {
        watched(&mut self.0, progress, |store| store.verify_all())
    }

    /// Whether the copy goes on from what was on record here when it was opened.
    ///
    /// # Errors
    /// Damaged when it does not.
    pub fn is_in(&self, copy: &Store) -> Result<()> {
        let (events, tip) = (self.0.events(), self.0.tip());
        if copy.hash_of(events)?.as_deref() == Some(&tip) {
            return Ok(());
        }
        Err(StoreError::Damaged(format!("its record is another one at event {events}")))
    }
}

/// Opens a copy and verifies all of it: its structure, its version, and the chain from the first event to the last.
///
/// # Errors
/// Damaged when it is not whole, or storage trouble.
pub fn read_back(file: &Path, progress: Progress) -> Result<Store> {
    let mut store = Store::open_to_read(open_to_read(file, "mode=ro")?)?;
    watched(&mut store, progress, |store| store.verify_all())?;
    Ok(store)
}

impl Store {
    pub(super) fn verify_all(&self) -> Result<()> {
        let said: Option<String> = self.db.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0)).optional()?;
        let said = said.unwrap_or_default();
        if said != "ok" {
            return Err(StoreError::Damaged(said));
        }
        match self.verify(1)? {
            None => Ok(()),
            Some(seq) => Err(StoreError::Damaged(format!("event {seq} is not what was recorded (hash chain broken)"))),
        }
    }
}

pub(super) fn watched<T>(
    store: &mut Store,
    mut progress: Progress,
    work: impl FnOnce(&Store) -> Result<T>,
) -> Result<T> {
    let handler = move || {
        progress();
        false
    };
    store.db.progress_handler(STEPS_BETWEEN, Some(handler))?;
    let done = work(store);
    store.db.progress_handler(0, None::<fn() -> bool>)?;
    done
}
