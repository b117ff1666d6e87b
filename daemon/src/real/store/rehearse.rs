//! What the next start would make of a database, tried on a copy of it.

use super::copy::{Progress, watched};
use super::file::FileStorage;
use super::{LogFilter, MIN_WRITER, SCHEMA, Store, StoreError, check_header, check_version, migrate, prepare};
use crate::event::Recorded;
use crate::policy;
use crate::task::State;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What the start would find, and leave.
#[derive(Debug)]
pub struct Rehearsal {
    /// Version of the schema before it.
    pub found: i64,
    /// And after it.
    pub then: i64,
    /// Who writes after it has to know this version.
    pub min_writer: i64,
    /// Events on record.
    pub events: i64,
    /// Wall clock of the newest, ms; none on an empty record.
    pub newest_ms: Option<i64>,
    /// What was replayed.
    pub replayed: Replayed,
}

/// How far it was seen that the tables follow from the record.
#[derive(Debug, PartialEq, Eq)]
pub enum Replayed {
    /// Every table was rebuilt from the whole record, and is the same.
    All,
    /// The newest so many events: each can be read, and the tasks are in the states that they say.
    Newest(i64),
}

/// Why the start would fail.
#[derive(Debug)]
pub enum Rejected {
    /// The database can't be opened, read or verified.
    Unusable(StoreError),
    /// It is whole, and could not be brought up to date.
    Migration(StoreError),
    /// The tables are not what follows from the record; where.
    Replay(String),
}

impl From<StoreError> for Rejected {
    fn from(error: StoreError) -> Rejected {
        Rejected::Unusable(error)
    }
}

/// Bytes that a copy has and what is tried on it may need: the copy, a migration that writes all of it anew into the log, and
/// the tables rebuilt from the record.
pub fn room_to_rehearse(path: &Path) -> u64 {
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    (bytes(path) + bytes(&path.with_extension("db-wal"))).saturating_mul(3)
}

/// Copies a database that nobody has open, with its log, as the next start would find it. Only files are read: SQLite would leave
/// some of its own beside it. False when somebody wrote to it meanwhile: then the copy is worth nothing.
///
/// # Errors
/// It can't be read, or the copy not be written.
pub fn copy_closed(path: &Path, to: &Path) -> io::Result<bool> {
    let wal = (path.with_extension("db-wal"), to.with_extension("db-wal"));
    let before = (stamp(path)?, stamp(&wal.0)?);
    fs::copy(path, to)?;
    match fs::copy(&wal.0, &wal.1) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    Ok(before == (stamp(path)?, stamp(&wal.0)?))
}

/// What changes when somebody writes to a file; none when it is not there.
fn stamp(path: &Path) -> io::Result<Option<(u64, i64, i64)>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some((metadata.len(), metadata.mtime(), metadata.mtime_nsec()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Does to the copy what a start does to a database, and more: all of it is verified, and what the events say is compared
/// with the tables. `spare` is a path beside it where nothing is.
///
/// # Errors
/// Why the start would fail, or would go on with something that is not right.
pub fn rehearse(copy: &Path, spare: &Path, progress: Progress) -> std::result::Result<Rehearsal, Rejected> {
    let found = bring_up_to_date(copy)?;
    let mut store = Store::open(&FileStorage::new(copy.to_owned()))?;
    watched(&mut store, progress, Store::verify_all)?;
    let newest_ms = store.event_from(store.events())?.map(|event| event.at);
    // A newer program's tables may have more in them than ours would get, and what a migration adds for an older one may be
    // empty in rows that were there.
    let whole = found == SCHEMA && store.events() <= policy::CHECK_REPLAYED_MAX && store.removed()?.is_none();
    let replayed = if whole { replay_all(&store, spare)? } else { replay_newest(&store)? };
    let then = store.db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(StoreError::from)?;
    let min_writer = store.meta("min_writer")?.and_then(|value| value.parse().ok()).unwrap_or(MIN_WRITER);
    Ok(Rehearsal { found, then, min_writer, events: store.events(), newest_ms, replayed })
}

/// The version that it had.
fn bring_up_to_date(copy: &Path) -> std::result::Result<i64, Rejected> {
    let db = Connection::open(copy).map_err(StoreError::from)?;
    prepare(&db).map_err(StoreError::from)?;
    check_header(&db)?;
    check_version(&db, "min_reader")?;
    check_version(&db, "min_writer")?;
    let found = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(StoreError::from)?;
    match migrate(&db) {
        Ok(()) => Ok(found),
        Err(error @ (StoreError::Damaged(_) | StoreError::Full)) => Err(Rejected::Unusable(error)),
        Err(error) => Err(Rejected::Migration(error)),
    }
}

fn replay_all(store: &Store, spare: &Path) -> std::result::Result<Replayed, Rejected> {
    let rebuilt = match super::rebuild(store, &FileStorage::new(spare.to_owned())) {
        Ok(rebuilt) => rebuilt,
        Err(StoreError::Misfit(why)) => return Err(Rejected::Replay(format!("an event does not fit: {why}"))),
        Err(error) => return Err(error.into()),
    };
    // Updates of strangers move the offset without an event each, and attempts that a program of schema 1 saw lack what it did
    // not know yet.
    let except = ["cursors", "attempts"];
    let (is, follows) = (store.dump(&except)?, rebuilt.dump(&except)?);
    match is.lines().zip(follows.lines()).find(|(is, follows)| is != follows) {
        None if is.len() == follows.len() => Ok(Replayed::All),
        None => Err(Rejected::Replay("rows are missing, or too many".into())),
        // No more of it: there may be what people wrote.
        Some((is, _)) => {
            let mut words = is.split([' ', '(', ')']);
            let (table, key) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
            Err(Rejected::Replay(format!("the first difference is in the table {table} at {key}")))
        }
    }
}

/// For a record that is too long to be replayed, or whose beginning is gone.
fn replay_newest(store: &Store) -> std::result::Result<Replayed, Rejected> {
    let last = u32::try_from(policy::CHECK_REPLAYED_MAX).unwrap_or(u32::MAX);
    let events = store.logs(&LogFilter { last, ..LogFilter::default() })?;
    for (task, state) in last_states(&events) {
        let is = store.task(task)?.map(|task| task.task.state);
        if is != Some(state) {
            let is = is.map_or("missing".to_owned(), |is| format!("{is:?}"));
            return Err(Rejected::Replay(format!("by the record task {task} is {state:?}, in the table it is {is}")));
        }
    }
    Ok(Replayed::Newest(i64::try_from(events.len()).unwrap_or(i64::MAX)))
}

/// The state that each task was in last.
fn last_states(events: &[Recorded]) -> BTreeMap<crate::id::TaskId, State> {
    events.iter().filter_map(|event| Some((event.task?, event.fact.state_after()?))).collect()
}
