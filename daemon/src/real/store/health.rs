//! What `/ops` and alerts are judged by: the same cost however many tasks there have been. What is counted is counted when it
//! happens, in steps of the wall clock where only the last day is asked for.

use super::rows::{OUTBOX, TASK, outbox, task};
use super::{Result, Store, StoreError};
use crate::event::{Class, What};
use crate::id::TaskId;
use crate::policy;
use crate::view::{AlertRow, NOBODYS, Noted, OpsRow, OutboxRow};
use rusqlite::params;

impl Store {
    pub(super) fn ops(&self, now_wall_ms: i64) -> Result<OpsRow> {
        let count = |sql: &str| -> Result<i64> { Ok(self.one(sql, [], |r| Ok(r.get(0)?))?.unwrap_or(0)) };
        let mut ops = OpsRow {
            parked_chats: count("SELECT count(*) FROM chats WHERE parked")?,
            events: self.next_event - 1,
            oldest_queued: self.one(
                &format!("SELECT {TASK} FROM tasks WHERE state = 'QUEUED' ORDER BY id LIMIT 1"),
                [],
                task,
            )?,
            epoch: self.one(
                "SELECT epoch, version, config, wall_ms FROM epochs ORDER BY epoch DESC LIMIT 1",
                [],
                |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)),
            )?,
            ..OpsRow::default()
        };
        let until_ms = now_wall_ms + policy::RECENT_MS;
        // One pass over what is not sent. Asked for by other states, SQLite does not see that the index covers them, and reads
        // every message that was ever sent.
        let unsettled = self.many(
            "SELECT state, marked, at BETWEEN ?1 AND ?3 AND coalesce(error, '') NOT LIKE ?2 AS lately, count(*)
             FROM outbox INDEXED BY outbox_unsettled WHERE state <> 'sent' GROUP BY state, marked, lately",
            params![now_wall_ms - policy::RECENT_MS, format!("%{NOBODYS}"), until_ms],
            |r| Ok((r.get::<_, String>(0)?, r.get::<_, bool>(1)?, r.get::<_, bool>(2)?, r.get::<_, i64>(3)?)),
        )?;
        for (state, marked, lately, n) in unsettled {
            let refused = state == "refused";
            ops.refused += if refused { n } else { 0 };
            ops.refused_lately += if refused && lately { n } else { 0 };
            ops.pending += if refused { 0 } else { n };
            ops.uncertain += if marked && !refused { n } else { 0 };
        }
        // The other columns are those of the row with the maximum.
        let failing = self.one(
            "SELECT count(*), max(tries), chat, coalesce(error, '') FROM outbox INDEXED BY outbox_unsettled
             WHERE state <> 'sent' AND state <> 'refused' AND tries >= ?1
             AND chat NOT IN (SELECT chat FROM chats WHERE parked) HAVING count(*) > 0",
            [policy::SEND_FAILING_TRIES],
            |r| Ok((r.get(0)?, (r.get(2)?, r.get(1)?, r.get(3)?))),
        )?;
        if let Some((failing, worst)) = failing {
            (ops.failing, ops.worst) = (failing, Some(worst));
        }
        for (what, n) in self.tallies()? {
            match what.as_str() {
                "replayed" => ops.replays = n,
                "violation" => ops.violations = n,
                _ if n != 0 => {
                    ops.tasks.insert(what, n);
                }
                _ => {}
            }
        }
        for row in self.running()? {
            let attempt = self.attempt(row.key())?;
            ops.running.push((row, attempt));
        }
        self.lately(&mut ops, now_wall_ms)?;
        ops.violated_ms = self.meta("violated_ms")?.and_then(|v| v.parse().ok());
        ops.poll = self.newest("poll")?;
        ops.clock = self.newest("clock_stepped")?;
        ops.backups = (self.newest("backed_up")?, self.newest("backup_failed")?);
        ops.released = self.newest("released")?;
        ops.restored = self.newest("restored")?;
        ops.alerts = self.alerts()?;
        ops.unsent = self.one(
            "SELECT chat, at FROM outbox INDEXED BY outbox_unsettled
             WHERE state <> 'sent' AND state <> 'refused' AND message IS NULL
             AND chat NOT IN (SELECT chat FROM chats WHERE parked) ORDER BY id LIMIT 1",
            [],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )?;
        ops.database_bytes = count(
            "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()",
        )?;
        Ok(ops)
    }

    /// What is counted of the last day.
    fn lately(&self, ops: &mut OpsRow, now_wall_ms: i64) -> Result<()> {
        let (since_ms, until_ms) = (now_wall_ms - policy::RECENT_MS, now_wall_ms + policy::RECENT_MS);
        let counts = self.many(
            "SELECT what, sum(n) FROM lately WHERE slot > ?1 AND slot <= ?2 GROUP BY what",
            [since_ms, until_ms].map(|ms| ms.div_euclid(policy::LATELY_STEP_MS)),
            |r| Ok((r.get::<_, String>(0)?, r.get(1)?)),
        )?;
        for (what, n) in counts {
            match what.as_str() {
                "adopted" => ops.adopted = n,
                "expired_waiting" => ops.expired_waiting = n,
                _ => {
                    ops.ended.insert(what, n);
                }
            }
        }
        ops.unknown = self.many(
            "SELECT id FROM tasks INDEXED BY tasks_unknown WHERE outcome = 'unknown' AND ended_ms BETWEEN ?1 AND ?3
             ORDER BY ended_ms, id LIMIT ?2",
            params![since_ms, policy::UNKNOWN_LISTED_MAX, until_ms],
            |r| Ok(TaskId(r.get(0)?)),
        )?;
        Ok(())
    }

    /// The newest event of a sort that is remembered.
    fn newest(&self, what: &str) -> Result<Option<Noted>> {
        let Some(noted) = self.meta(what)? else { return Ok(None) };
        let noted = serde_json::from_str(&noted);
        Ok(Some(noted.map_err(|e| StoreError::Damaged(format!("read what is noted of {what}: {e}")))?))
    }

    fn alerts(&self) -> Result<Vec<AlertRow>> {
        self.many("SELECT anomaly, about, words, since_ms, told FROM alerts ORDER BY anomaly, about", [], |r| {
            Ok(AlertRow {
                anomaly: r.get(0)?,
                about: r.get(1)?,
                words: r.get(2)?,
                since_ms: r.get(3)?,
                told: r.get(4)?,
            })
        })
    }

    /// Alerts that wait to be sent.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn waiting_alerts(&self) -> Result<Vec<OutboxRow>> {
        let rows = self.many(
            &format!("SELECT {OUTBOX} FROM outbox WHERE state = 'pending' AND class = ?1 ORDER BY id"),
            [Class::Note.rank()],
            outbox,
        )?;
        Ok(rows.into_iter().filter(|row| matches!(row.what, What::Alert(_))).collect())
    }

    /// Chats that refused us.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn parked(&self) -> Result<Vec<i64>> {
        self.many("SELECT chat FROM chats WHERE parked ORDER BY chat", [], |r| Ok(r.get(0)?))
    }

    /// The wall clock less the boot clock, ms, as far as it is on record that it was set.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn clock_base(&self) -> Result<Option<i64>> {
        Ok(self.meta("clock_base")?.and_then(|base| base.parse().ok()))
    }
}
