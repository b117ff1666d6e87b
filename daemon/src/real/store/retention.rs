//! The record's beginning: what stands there, what was removed from it, and the removal.

use super::{Result, Store, StoreError};
use crate::event::Fact;
use crate::hex::hex;
use crate::id::TaskId;
use crate::policy;
use crate::view::{OldEvent, RecordRow, Removed};
use rusqlite::params;

impl Store {
    /// The oldest events, and how large the database is.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn record_row(&self) -> Result<RecordRow> {
        let pragma = |name: &str| -> Result<u64> {
            let number: i64 = self.db.prepare_cached(&format!("PRAGMA {name}"))?.query_row([], |r| r.get(0))?;
            Ok(number.unsigned_abs())
        };
        let oldest = self.many(
            "SELECT seq, at,
                    EXISTS (SELECT 1 FROM tasks WHERE tasks.id = events.task
                            AND state IN ('REQUESTED', 'APPROVED', 'QUEUED', 'RUNNING'))
             FROM events ORDER BY seq LIMIT ?1",
            [policy::RECORD_REMOVED_AT_ONCE],
            |r| Ok(OldEvent { seq: r.get(0)?, at: r.get(1)?, needed: r.get::<_, Option<bool>>(2)?.unwrap_or(false) }),
        )?;
        Ok(RecordRow {
            oldest,
            newest: self.next_event - 1,
            used_bytes: (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?,
            boot: self.first_start()?,
        })
    }

    /// Boot clock and wall clock, ms, when a daemon took over for the first time in the newest boot.
    fn first_start(&self) -> Result<Option<(i64, i64)>> {
        self.one(
            "SELECT boot_ms, wall_ms FROM epochs WHERE boot = (SELECT boot FROM epochs ORDER BY epoch DESC LIMIT 1)
             ORDER BY epoch LIMIT 1",
            [],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
    }

    /// What was removed from the beginning of the record, if anything was, as the record itself says.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn removed(&self) -> Result<Option<Removed>> {
        let Some(by) = self.meta("pruned_by")?.and_then(|seq| seq.parse::<i64>().ok()) else { return Ok(None) };
        // Whether it is what was recorded is for `verify` to find out.
        let event = self.event_from(by).ok().flatten().filter(|event| event.seq == by);
        let Some(event) = event else { return Ok(None) };
        let Fact::Pruned { through, hash, why, .. } = event.fact else { return Ok(None) };
        Ok(Some(Removed { through, hash, at: event.at, why }))
    }

    /// The task that a trace is about.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn task_of(&self, trace: &str) -> Result<Option<TaskId>> {
        self.one("SELECT id FROM tasks WHERE trace = ?1", [trace], |r| Ok(TaskId(r.get(0)?)))
    }

    /// Removes the oldest events, as an event on record says. What it says has to be what is there.
    pub(super) fn prune(&self, through: i64, hash: &str, events: i64) -> Result<()> {
        let there = self.hash_of(through)?.map(|there| hex(&there));
        if there.as_deref() != Some(hash) {
            return Err(StoreError::Misfit(format!("a removal of events up to {through}: its hash is another one")));
        }
        self.run(
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('pruned_through', ?1), ('pruned_by', ?2)",
            params![through.to_string(), (self.next_event - 1).to_string()],
        )?;
        let removed = self.db.prepare_cached("DELETE FROM events WHERE seq <= ?1")?.execute([through])?;
        if i64::try_from(removed) != Ok(events) {
            return Err(StoreError::Misfit(format!("a removal of {events} events: there were {removed}")));
        }
        Ok(())
    }
}
