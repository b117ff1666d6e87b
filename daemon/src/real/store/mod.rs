//! The store: the only SQL. It loads rows, applies events, and keeps the chain. No rule lives here.
//!
//! One turn of the loop is one transaction: [`Store::begin`], any number of loads and applies, [`Store::commit`]. A turn that
//! applies nothing writes nothing. Every write checks that this daemon's epoch is still the newest, so one that lost its
//! lock can't write. After a failed write the connection is useless: drop the store, open again, believe what is there.

mod apply;
mod copy;
mod file;
mod health;
mod load;
mod rebuild;
mod rehearse;
mod restore;
mod retention;
mod rows;
mod schema;

pub use copy::{Progress, Source, read_back};
pub use file::{FileStorage, examine, free_bytes, inspect, inspect_record, newest_life, prepare, versions};
pub use load::LogFilter;
pub use rebuild::{rebuild, replay};
pub use rehearse::{Rehearsal, Rejected, Replayed, copy_closed, rehearse, room_to_rehearse};
pub use restore::{Kinship, Replaced};
use schema::{APPLICATION_ID, MIGRATIONS, check_version, least, migrate};
pub use schema::{MIN_READER, MIN_WRITER, SCHEMA};

use crate::command::Mode;
use crate::event::{Event, Fact, Recorded};
use crate::hex::unhex;
use crate::id::TaskId;
use crate::policy::{self, ErrorClass};
use crate::ports::Storage;
use crate::view::Moved;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

/// Classes of storage trouble, by what must happen next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is lost yet: drop the store, wait, open again.
    #[error("use the database: {0}")]
    Transient(String),
    /// The disk is full: the same, with another word for the operator.
    #[error("write to the database: the disk is full")]
    Full,
    /// The file is damaged: stop, touch nothing.
    #[error("read the database: {0}")]
    Damaged(String),
    /// Written by a newer daemon that older ones must not write after.
    #[error("open a database of schema {found}: this daemon knows {known}")]
    Newer {
        /// In the file.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A newer daemon took over.
    #[error("write: another daemon took over (epoch {found}, ours is {ours})")]
    Fenced {
        /// In the file.
        found: i64,
        /// Ours.
        ours: i64,
    },
    /// The event does not fit what is there (a state it says to leave is not the task's): our bug, nothing was done.
    #[error("apply {0}")]
    Misfit(String),
}

impl StoreError {
    /// Whether the database is worth another try.
    pub fn class(&self) -> ErrorClass {
        match self {
            StoreError::Transient(_) | StoreError::Full => ErrorClass::Transient,
            StoreError::Misfit(_) => ErrorClass::Permanent,
            StoreError::Damaged(_) | StoreError::Newer { .. } | StoreError::Fenced { .. } => ErrorClass::Corrupt,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{ErrorCode, ffi};
        // The index of the WAL could not be made as long as it has to be.
        if error.sqlite_error().is_some_and(|e| e.extended_code == ffi::SQLITE_IOERR_SHMSIZE) {
            return StoreError::Full;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(error.to_string()),
            Some(ErrorCode::ConstraintViolation) => StoreError::Misfit(error.to_string()),
            Some(_) => StoreError::Transient(error.to_string()),
            None => StoreError::Damaged(error.to_string()),
        }
    }
}

/// Why the log still holds what it held when the database was opened.
#[derive(Debug, thiserror::Error)]
pub enum LogKept {
    /// Somebody is in the middle of reading it.
    #[error("somebody reads it (a shell, a back-up), and until that ends its log can't be emptied")]
    Read,
    /// The disk did not take it.
    #[error("its log can't be emptied: {0}")]
    Failed(StoreError),
}

/// Result of storage.
pub type Result<T> = std::result::Result<T, StoreError>;

/// An open database that this daemon owns (or only reads, before it has an epoch).
pub struct Store {
    db: Connection,
    epoch: i64,
    /// Hash of the last event.
    tip: [u8; 32],
    next_event: i64,
    next_task: i64,
    next_message: i64,
    /// See [`Store::log_kept`].
    log_kept: Option<LogKept>,
    /// The mode that was set, if any: every view needs it.
    mode: Option<Mode>,
    /// Groups that became supergroups: few, and every view needs them too.
    moved: Moved,
    /// In the turn under way: whether it has written, and what the counters were before.
    turn: Option<Turn>,
}

struct Turn {
    wrote: bool,
    before: Counters,
}

/// What a rollback takes back in memory.
type Counters = ([u8; 32], i64, i64, i64, i64, Option<Mode>, Moved);

impl Store {
    /// Opens the database, brings its schema up to date, checks the end of the chain, and moves what the log holds into the
    /// tables' file ([`Store::log_kept`]). The store can't write until an epoch was taken by applying [`Fact::Booted`].
    ///
    /// # Errors
    /// Damaged, newer, full, or transient trouble.
    pub fn open(storage: &dyn Storage) -> Result<Store> {
        let db = storage.open()?;
        db.set_prepared_statement_cache_capacity(128);
        check_header(&db)?;
        // Who writes has to read, too.
        check_version(&db, "min_reader")?;
        check_version(&db, "min_writer")?;
        migrate(&db)?;
        let mut store = Store::empty(db);
        store.read_counters()?;
        store.check_tail()?;
        store.log_kept = empty_log(&store.db).err();
        Ok(store)
    }

    /// Why the log was not emptied when the database was opened. If a sync failed before, it may have gaps that only a power
    /// loss would show: behind one nothing may be acknowledged.
    pub fn log_kept(&self) -> Option<&LogKept> {
        self.log_kept.as_ref()
    }

    /// Opens for reading, as any process of the operator may while a daemon runs, or none.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_to_read(db: Connection) -> Result<Store> {
        check_header(&db)?;
        check_version(&db, "min_reader")?;
        let mut store = Store::empty(db);
        store.read_counters()?;
        Ok(store)
    }

    /// Whether the tables are as this version knows them (or a newer one); an older database is brought up to date when a
    /// daemon opens it.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn is_current(&self) -> Result<bool> {
        let version: i64 = self.db.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        Ok(!usize::try_from(version).is_ok_and(|version| version < MIGRATIONS.len()))
    }

    fn empty(db: Connection) -> Store {
        Store {
            db,
            epoch: 0,
            tip: [0; 32],
            next_event: 1,
            next_task: 1,
            next_message: 1,
            log_kept: None,
            mode: None,
            moved: Moved::new(),
            turn: None,
        }
    }

    fn read_counters(&mut self) -> Result<()> {
        let tail: Option<(i64, Vec<u8>)> = self
            .db
            .prepare_cached("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")?
            .query_row([], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?;
        if let Some((seq, hash)) = tail {
            self.next_event = seq + 1;
            self.tip = hash.try_into().map_err(|_| StoreError::Damaged("an event's hash has a wrong length".into()))?;
        }
        let max = |sql: &str| self.db.prepare_cached(sql)?.query_row([], |r| r.get::<_, i64>(0));
        self.next_task = 1 + max("SELECT coalesce(max(id), 0) FROM tasks")?;
        if let Some(newest) = self.meta("newest_task")?.and_then(|newest| newest.parse::<i64>().ok()) {
            self.next_task = self.next_task.max(newest + 1);
        }
        self.next_message = 1 + max("SELECT coalesce(max(id), 0) FROM outbox")?;
        self.mode = self.meta("mode")?.and_then(|m| Mode::named(&m));
        self.moved = self.moved()?;
        Ok(())
    }

    fn check_tail(&self) -> Result<()> {
        let from = (self.next_event - policy::CHAIN_CHECKED_AT_OPEN).max(1);
        match self.verify(from)? {
            None => Ok(()),
            Some(seq) => Err(StoreError::Damaged(format!("event {seq} is not what was recorded (hash chain broken)"))),
        }
    }

    /// Starts a turn.
    ///
    /// # Errors
    /// Transient trouble.
    pub fn begin(&mut self) -> Result<()> {
        debug_assert!(self.turn.is_none(), "turns do not nest");
        self.db.prepare_cached("BEGIN")?.execute([])?;
        self.turn = Some(Turn { wrote: false, before: self.counters() });
        Ok(())
    }

    /// Ends a turn; when this returns `Ok`, what was applied is there even after power loss.
    ///
    /// # Errors
    /// Any: whether the turn is in the database is then known only by opening it again.
    pub fn commit(&mut self) -> Result<()> {
        let turn = self.turn.take();
        let done = self.db.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if let (Err(_), Some(turn)) = (&done, turn) {
            self.restore(turn.before);
        }
        done?;
        Ok(())
    }

    /// Forgets a turn.
    pub fn rollback(&mut self) {
        // If this fails, so does whatever comes next on this connection, and it is opened again.
        let _ = self.db.execute_batch("ROLLBACK");
        if let Some(turn) = self.turn.take() {
            self.restore(turn.before);
        }
    }

    fn counters(&self) -> Counters {
        (self.tip, self.next_event, self.next_task, self.next_message, self.epoch, self.mode, self.moved.clone())
    }

    fn restore(&mut self, before: Counters) {
        (self.tip, self.next_event, self.next_task, self.next_message, self.epoch, self.mode, self.moved) = before;
    }

    /// Marks a point in the turn to which one input's events can be taken back.
    ///
    /// # Errors
    /// Transient trouble.
    pub fn savepoint(&mut self) -> Result<Savepoint> {
        self.db.prepare_cached("SAVEPOINT input")?.execute([])?;
        Ok(Savepoint { before: self.counters() })
    }

    /// Keeps what came since the savepoint.
    ///
    /// # Errors
    /// Transient trouble.
    pub fn keep(&mut self, _: Savepoint) -> Result<()> {
        self.db.prepare_cached("RELEASE input")?.execute([])?;
        Ok(())
    }

    /// Takes back what came since the savepoint.
    ///
    /// # Errors
    /// Transient trouble.
    pub fn take_back(&mut self, savepoint: Savepoint) -> Result<()> {
        self.db.execute_batch("ROLLBACK TO input; RELEASE input")?;
        self.restore(savepoint.before);
        Ok(())
    }

    /// Puts an event on record and changes the tables by it.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another daemon took over, [`StoreError::Misfit`] when it does not fit the tables.
    pub fn apply(&mut self, at: i64, event: &Event) -> Result<i64> {
        if let Fact::Booted { .. } = &event.fact {
            self.epoch = 1 + self.newest_epoch()?;
        } else if let Fact::Restored { epoch, .. } = &event.fact {
            self.epoch = *epoch;
        } else if !self.turn.as_ref().is_some_and(|t| t.wrote) {
            let found = self.newest_epoch()?;
            if found != self.epoch {
                return Err(StoreError::Fenced { found, ours: self.epoch });
            }
        }
        if let Some(turn) = &mut self.turn {
            turn.wrote = true;
        }
        let seq = self.record(at, event)?;
        self.change(at, event)?;
        Ok(seq)
    }

    fn newest_epoch(&self) -> Result<i64> {
        Ok(self.db.prepare_cached("SELECT coalesce(max(epoch), 0) FROM epochs")?.query_row([], |r| r.get(0))?)
    }

    fn record(&mut self, at: i64, event: &Event) -> Result<i64> {
        let data = event.fact.data();
        let (seq, epoch) = (self.next_event, self.epoch);
        let actor = event.actor.to_string();
        let row = ChainRow {
            seq,
            at,
            epoch,
            trace: &event.trace,
            task: event.task.map(|t| t.0),
            attempt: event.attempt,
            actor: &actor,
            kind: event.fact.kind(),
            data: &data,
        };
        let hash = row.hash(&self.tip);
        // OR FAIL, and a place that SQLite gives: for the reason in migrations/3.sql.
        self.db
            .prepare_cached(
                "INSERT OR FAIL INTO events (at, epoch, trace, task, attempt, actor, kind, data, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![at, epoch, row.trace, row.task, row.attempt, row.actor, row.kind, row.data, hash])?;
        let given = self.db.last_insert_rowid();
        if given != seq {
            return Err(StoreError::Misfit(format!("event {seq}: it became event {given}")));
        }
        self.tip = hash;
        self.next_event += 1;
        Ok(seq)
    }

    /// Goes on under an epoch that was taken before the database was opened again.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another daemon took over meanwhile.
    pub fn keep_epoch(&mut self, ours: i64) -> Result<()> {
        let found = self.newest_epoch()?;
        if found != ours {
            return Err(StoreError::Fenced { found, ours });
        }
        self.epoch = ours;
        Ok(())
    }

    /// Hash of the last event: two records with the same tip are the same record.
    pub fn tip(&self) -> [u8; 32] {
        self.tip
    }

    /// Events on record.
    pub fn events(&self) -> i64 {
        self.next_event - 1
    }

    /// The task that was asked for last; 0 when none was.
    pub fn newest_task(&self) -> TaskId {
        TaskId(self.next_task - 1)
    }

    /// This daemon's epoch; 0 before it took one.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Moves the poll cursor of a bot.
    ///
    /// # Errors
    /// As [`Store::apply`].
    pub fn set_cursor(&mut self, bot: i64, next: i64) -> Result<()> {
        if !self.turn.as_ref().is_some_and(|t| t.wrote) {
            let found = self.newest_epoch()?;
            if found != self.epoch {
                return Err(StoreError::Fenced { found, ours: self.epoch });
            }
        }
        self.db
            .prepare_cached(
                "INSERT INTO cursors (bot, next, username) VALUES (?1, ?2, '')
                 ON CONFLICT (bot) DO UPDATE SET next = ?2 WHERE next IS NOT ?2",
            )?
            .execute(params![bot, next])?;
        Ok(())
    }

    /// Moves what the WAL holds into the database, as far as nobody is in the way. Never on the path of an answer.
    ///
    /// # Errors
    /// Transient trouble.
    pub fn checkpoint(&mut self) -> Result<()> {
        self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// The hash that stands with an event; with what comes before it, it follows from every event up to that one.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn hash_of(&self, seq: i64) -> Result<Option<Vec<u8>>> {
        let mut statement = self.db.prepare_cached("SELECT hash FROM events WHERE seq = ?1")?;
        Ok(statement.query_row([seq], |r| r.get(0)).optional()?)
    }

    /// Checks the chain from event `from` on, or from where it begins since events were removed; the first event that is not
    /// what was recorded, if any. A beginning that is missing without an event that says so is such a one.
    ///
    /// # Errors
    /// Transient trouble.
    pub fn verify(&self, from: i64) -> Result<Option<i64>> {
        let mut statement = self.db.prepare_cached("SELECT hash FROM events WHERE seq = ?1")?;
        let before = statement.query_row([from - 1], |r| r.get::<_, [u8; 32]>(0)).optional()?;
        // The event that tells of the removal comes later in the chain, so what it says is proven with the rest.
        let removed = if before.is_none() { self.removed()? } else { None };
        let (from, mut tip) = match removed {
            Some(removed) if from <= removed.through + 1 => {
                let Some(hash) = unhex(&removed.hash) else { return Ok(Some(removed.through + 1)) };
                (removed.through + 1, hash)
            }
            Some(_) | None => (from, before.unwrap_or([0; 32])),
        };
        let mut statement = self.db.prepare_cached(
            "SELECT seq, at, epoch, trace, task, attempt, actor, kind, data, hash FROM events WHERE seq >= ?1 ORDER BY seq",
        )?;
        let mut rows = statement.query([from])?;
        let mut expected = from;
        while let Some(r) = rows.next()? {
            let row = ChainRow {
                seq: r.get(0)?,
                at: r.get(1)?,
                epoch: r.get(2)?,
                trace: text(r, 3)?,
                task: r.get(4)?,
                attempt: r.get(5)?,
                actor: text(r, 6)?,
                kind: text(r, 7)?,
                data: text(r, 8)?,
            };
            tip = row.hash(&tip);
            if row.seq != expected || r.get_ref(9)?.as_blob().ok() != Some(&tip) {
                return Ok(Some(expected));
            }
            expected += 1;
        }
        Ok(None)
    }
}

fn text<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Result<&'a str> {
    row.get_ref(column)?.as_str().map_err(|e| StoreError::Damaged(e.to_string()))
}

/// Where one input's events began.
#[must_use]
pub struct Savepoint {
    before: Counters,
}

/// What the chain covers of an event.
struct ChainRow<'a> {
    seq: i64,
    at: i64,
    epoch: i64,
    trace: &'a str,
    task: Option<i64>,
    attempt: Option<u32>,
    actor: &'a str,
    kind: &'a str,
    data: &'a str,
}

impl ChainRow<'_> {
    /// Every field is preceded by its length or has a fixed one, so no two rows share their bytes.
    fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(previous);
        for number in [self.seq, self.at, self.epoch, self.task.unwrap_or(-1), self.attempt.map_or(-1, i64::from)] {
            hasher.update(number.to_be_bytes());
        }
        for text in [self.trace, self.actor, self.kind, self.data] {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        hasher.finalize().into()
    }
}

fn fact_from(kind: &str, data: &str) -> Result<Fact> {
    let whole = format!(r#"{{"kind":"{kind}","data":{data}}}"#);
    serde_json::from_str(&whole).map_err(|e| StoreError::Damaged(format!("read event {kind}: {e}")))
}

fn check_header(db: &Connection) -> Result<()> {
    let application: i32 = db.query_row("PRAGMA application_id", [], |r| r.get(0))?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    if application != APPLICATION_ID && (application != 0 || version != 0) {
        return Err(StoreError::Damaged("this is not a mainstay database".into()));
    }
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0))?;
    if application == 0 && tables > 0 {
        return Err(StoreError::Damaged("this is somebody else's database".into()));
    }
    Ok(())
}

/// Moves all that the WAL holds into the database, so that the next commit begins it anew.
///
/// After a sync that failed, this process's or a dead one's, the system shows what was written and may have forgotten to
/// write it: later syncs succeed without it. Commits behind such a gap would be lost with the power, however well they
/// themselves were synced. Moved, all of it is written and synced once more.
fn empty_log(db: &Connection) -> std::result::Result<(), LogKept> {
    match db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |r| r.get::<_, i64>(0)) {
        Ok(0) => Ok(()),
        Ok(_) => Err(LogKept::Read),
        Err(error) => Err(LogKept::Failed(error.into())),
    }
}

/// A recorded event from its row.
fn recorded(r: &rusqlite::Row<'_>) -> Result<Recorded> {
    let (kind, data): (String, String) = (r.get(7)?, r.get(8)?);
    Ok(Recorded {
        seq: r.get(0)?,
        at: r.get(1)?,
        boot: r.get::<_, Option<String>>(9)?.unwrap_or_default(),
        epoch: r.get(2)?,
        trace: r.get(3)?,
        task: r.get::<_, Option<i64>>(4)?.map(crate::id::TaskId),
        attempt: r.get(5)?,
        actor: r.get::<_, String>(6)?.parse().map_err(StoreError::Damaged)?,
        fact: fact_from(&kind, &data)?,
    })
}
