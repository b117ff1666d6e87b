//! A database that is put back: what it has to know of the one it replaces, and whether the two are one record.
//!
//! The copy is marked before it is put in place; the daemon that starts next finds the mark, puts [`Fact::Restored`] on
//! record in its first transaction, and by that removes the mark. So however often either is killed, it happens once.
//!
//! [`Fact::Restored`]: crate::event::Fact::Restored

use super::{Result, Store, StoreError};
use crate::hex::unhex;
use crate::id::{AttemptKey, TaskId};
use crate::task::State;
use crate::view::Restore;
use std::collections::BTreeSet;

/// Key of the mark in `meta`. A program of a schema before 5 does not know of it and would start what is to be held; it refuses
/// the whole database.
const MARK: &str = "restore";

/// What is read of the database that is replaced, as far as it can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Events on record.
    pub events: i64,
    /// The newest epoch.
    pub epoch: i64,
    /// The number of the newest task.
    pub newest_task: i64,
    /// The next offset of each bot: updates before it were handled.
    pub cursors: Vec<(i64, i64)>,
}

/// How two databases belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// The earlier one's last event is in the later one.
    Same,
    /// They began as one record and went on differently, as after an earlier restore.
    Parted,
    /// Two records.
    Foreign,
    /// No event is left in both by which it could be told.
    Untold,
}

impl Store {
    /// What a database that replaces this one has to know.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn replaced(&self) -> Result<Replaced> {
        Ok(Replaced {
            events: self.events(),
            epoch: self.newest_epoch()?,
            newest_task: self.newest_task().0,
            cursors: self.many("SELECT bot, next FROM cursors WHERE next IS NOT NULL ORDER BY bot", [], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })?,
        })
    }

    /// Whether this record and another are one.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn kinship(&self, other: &Store) -> Result<Kinship> {
        let first = self.beginning()?.max(other.beginning()?);
        let last = self.events().min(other.events());
        if first > last {
            return Ok(Kinship::Untold);
        }
        let same = |seq: i64| -> Result<bool> {
            let (ours, theirs) = (self.hash_at(seq)?, other.hash_at(seq)?);
            Ok(ours.is_some() && ours == theirs)
        };
        Ok(match (same(first)?, same(last)?) {
            (true, true) => Kinship::Same,
            (true, false) => Kinship::Parted,
            (false, _) => Kinship::Foreign,
        })
    }

    /// The first event whose hash is known: that of the last one removed is.
    fn beginning(&self) -> Result<i64> {
        Ok(self.removed()?.map_or(1, |removed| removed.through))
    }

    fn hash_at(&self, seq: i64) -> Result<Option<Vec<u8>>> {
        let removed = self.removed()?.filter(|removed| removed.through == seq);
        match removed {
            Some(removed) => Ok(unhex(&removed.hash).map(|hash| hash.to_vec())),
            None => self.hash_of(seq),
        }
    }

    /// Marks a database that is about to be put back. Updates that the replaced one had handled are not asked for again.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn mark_restored(&mut self, file: &str, replaced: Option<&Replaced>) -> Result<()> {
        let restore = Restore {
            file: file.to_owned(),
            through: self.events(),
            replaced: replaced.map(|replaced| replaced.events),
            epoch: 1 + self.newest_epoch()?.max(replaced.map_or(0, |replaced| replaced.epoch)),
            newest_task: self.newest_task().0.max(replaced.map_or(0, |replaced| replaced.newest_task)),
        };
        let mark = serde_json::to_string(&restore).expect("plain data");
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        self.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [MARK, &mark])?;
        for (bot, next) in replaced.iter().flat_map(|replaced| &replaced.cursors) {
            self.run(
                "INSERT INTO cursors (bot, next, username) VALUES (?1, ?2, '')
                 ON CONFLICT (bot) DO UPDATE SET next = ?2",
                [bot, next],
            )?;
        }
        self.db.execute_batch("COMMIT")?;
        Ok(())
    }

    /// The mark of a database that was put back, until a daemon has taken it up.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn restore_mark(&self) -> Result<Option<Restore>> {
        let Some(mark) = self.meta(MARK)? else { return Ok(None) };
        let restore = serde_json::from_str(&mark);
        restore.map(Some).map_err(|e| StoreError::Damaged(format!("read the mark of a restore: {e}")))
    }

    /// What [`Fact::Restored`] does to the tables.
    ///
    /// [`Fact::Restored`]: crate::event::Fact::Restored
    pub(super) fn apply_restored(&mut self, newest_task: i64) -> Result<()> {
        // No daemon, but a life in the numbering: its clock is that of the last one, which the next start goes on from.
        self.run(
            "INSERT INTO epochs (epoch, boot, boot_ms, wall_ms, version, config)
             SELECT ?1, boot, boot_ms, wall_ms, version, config FROM epochs ORDER BY epoch DESC LIMIT 1",
            [self.epoch()],
        )?;
        self.next_task = self.next_task.max(newest_task + 1);
        let newest = newest_task.to_string();
        self.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('newest_task', ?1)", [newest])?;
        self.run(
            "UPDATE attempts SET restored = 1, start_due = NULL
             WHERE task IN (SELECT id FROM tasks WHERE state = 'RUNNING') AND ended_ms IS NULL",
            [],
        )?;
        // Whatever waited to be sent may have been sent since.
        self.run(
            "UPDATE outbox INDEXED BY outbox_unsettled SET marked = 1
             WHERE state <> 'sent' AND state IN ('pending', 'sending')",
            [],
        )?;
        self.run("DELETE FROM meta WHERE key = ?1", [MARK])
    }

    /// All attempts that were ever claimed.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn attempts(&self) -> Result<BTreeSet<AttemptKey>> {
        let keys = self.many("SELECT task, attempt FROM attempts", [], |r| {
            Ok(AttemptKey { task: TaskId(r.get(0)?), attempt: r.get(1)? })
        })?;
        Ok(keys.into_iter().collect())
    }

    /// Tasks that run, as far as the record knows.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn count_running(&self) -> Result<i64> {
        let sql = "SELECT count(*) FROM tasks WHERE state = 'RUNNING'";
        Ok(self.one(sql, [], |r| Ok(r.get(0)?))?.unwrap_or(0))
    }

    /// Tasks that wait, for people or for a slot.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn waiting(&self) -> Result<Vec<TaskId>> {
        let [a, b, c] = [State::Requested, State::Approved, State::Queued].map(State::name);
        self.many("SELECT id FROM tasks WHERE state IN (?1, ?2, ?3) ORDER BY id", [a, b, c], |r| Ok(TaskId(r.get(0)?)))
    }
}
