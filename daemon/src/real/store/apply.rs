//! What each event changes in the tables. One exhaustive match; every value comes from the event.

use super::{Result, Store, StoreError};
use crate::attempt::End;
use crate::event::{Event, Fact, News, Then, What};
use crate::id::TaskId;
use crate::policy;
use crate::task::{Outcome, State, Step};
use crate::view::{Noted, Review};
use rusqlite::{Params, params};

/// Buttons that only ask change nothing however late they are pressed, so they do not expire. Both belong to the meaning of
/// events and never change.
const ASKS: [&str; 2] = ["log", "why"];
const NEVER: i64 = i64::MAX / 4;

impl Store {
    pub(super) fn change(&mut self, at: i64, event: &Event) -> Result<()> {
        let task = event.task;
        let attempt = event.attempt;
        let actor = || event.actor.to_string();
        match &event.fact {
            Fact::Booted { version, config, boot, boot_ms, wall_ms } => {
                self.move_deadlines(boot, *boot_ms, *wall_ms)?;
                self.begin_clock(boot, wall_ms - boot_ms)?;
                self.run("DELETE FROM buttons WHERE until < ?1", [boot_ms])?;
                self.run("DELETE FROM lately WHERE slot < ?1", [slot(at - policy::LATELY_KEPT_MS)])?;
                // What the last daemon thought of its polls is over with it: nobody is left to say that they recovered.
                self.run("DELETE FROM meta WHERE key = 'poll'", [])?;
                self.run(
                    "INSERT INTO epochs (epoch, boot, boot_ms, wall_ms, version, config) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![self.epoch(), boot, boot_ms, wall_ms, version, config],
                )
            }
            Fact::ModeSet { mode } => {
                self.mode = Some(*mode);
                self.run(
                    "INSERT INTO meta (key, value) VALUES ('mode', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1",
                    [mode.name()],
                )
            }
            Fact::BotKnown { bot, username } => self.run(
                "INSERT INTO cursors (bot, next, username) VALUES (?1, NULL, ?2)
                 ON CONFLICT (bot) DO UPDATE SET username = ?2",
                params![bot, username],
            ),
            Fact::Received { key, .. } => self.see(key, task),
            Fact::PassedOver { key: Some(key), .. } => self.see(key, None),
            Fact::Replayed { .. } => self.count("replayed"),
            Fact::Violation { .. } => {
                self.count("violation")?;
                self.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('violated_ms', ?1)", [at.to_string()])
            }
            Fact::Pruned { through, hash, events, .. } => self.prune(*through, hash, *events),
            Fact::PollBroke { .. } | Fact::PollRecovered { .. } | Fact::PollContested { .. } => {
                self.is_newest(at, event, "poll")
            }
            Fact::BackedUp { .. } => self.is_newest(at, event, "backed_up"),
            Fact::BackupFailed { .. } => self.is_newest(at, event, "backup_failed"),
            Fact::Released { .. } => self.is_newest(at, event, "released"),
            Fact::Restored { newest_task, .. } => {
                self.apply_restored(*newest_task)?;
                self.is_newest(at, event, "restored")
            }
            Fact::ClockStepped { by_ms } => {
                self.run("UPDATE meta SET value = value + ?1 WHERE key = 'clock_base'", [by_ms])?;
                self.is_newest(at, event, "clock_stepped")
            }
            Fact::AlertRaised { anomaly, about, words } => self.run(
                "INSERT OR REPLACE INTO alerts (anomaly, about, since_ms, words) VALUES (?1, ?2, ?3, ?4)",
                params![anomaly, about, at, words],
            ),
            Fact::AlertOver { anomaly, about, .. } => {
                self.run("DELETE FROM alerts WHERE anomaly = ?1 AND about = ?2", params![anomaly, about])
            }
            Fact::PassedOver { key: None, .. }
            | Fact::Stopping {}
            | Fact::StorageRecovered { .. }
            | Fact::DiskLow { .. }
            | Fact::DiskWell { .. }
            | Fact::Refused { .. } => Ok(()),

            Fact::Requested { kind, prompt, heavy, group, chat, thread, message, rerun_of, until } => {
                let id = needed(task)?;
                self.run(
                    "INSERT INTO tasks (id, kind, prompt, state, heavy, grp, requester, chat, thread, message, trace,
                                        created_ms, rerun_of, until)
                     VALUES (?1, ?2, ?3, 'REQUESTED', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                    params![
                        id.0,
                        kind,
                        prompt,
                        heavy,
                        group,
                        actor(),
                        chat,
                        thread,
                        message,
                        event.trace,
                        at,
                        rerun_of.map(|t| t.0),
                        until
                    ],
                )?;
                self.next_task = self.next_task.max(id.0 + 1);
                self.tally("REQUESTED", 1)
            }
            Fact::Approved { hash, note, until, step } => {
                let id = needed(task)?;
                self.run(
                    "INSERT OR REPLACE INTO approvals (task, approver, hash, note, until) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id.0, actor(), hash, note, until],
                )?;
                step.map_or(Ok(()), |step| self.step(id, step))
            }
            // For good: what was said before a change does not come back to life when the change is taken back.
            Fact::Voided { .. } => {
                let id = needed(task)?;
                self.run("UPDATE approvals SET hash = '' WHERE task = ?1", [id.0])?;
                self.run("UPDATE tasks SET review = NULL WHERE id = ?1", [id.0])
            }
            Fact::Rejected { reason, step } => {
                self.end(at, needed(task)?, *step, Outcome::Rejected, None, reason)?;
                self.run_on("UPDATE tasks SET ended_by = ?2 WHERE id = ?1", needed(task)?, &actor())
            }
            Fact::Planned { text } => self
                .run("UPDATE tasks SET plan = ?2, plan_by = ?3 WHERE id = ?1", params![needed(task)?.0, text, actor()]),
            Fact::Reviewed { hash, pass, code, .. } => {
                let review = Review { hash: hash.clone(), pass: *pass, code: code.clone(), by: event.actor };
                let review = serde_json::to_string(&review).expect("plain data");
                self.run_on("UPDATE tasks SET review = ?2 WHERE id = ?1", needed(task)?, &review)
            }
            Fact::Resumed { step, until } => {
                let id = needed(task)?;
                self.step(id, *step)?;
                self.run("UPDATE tasks SET until = ?2, resumed_by = ?3 WHERE id = ?1", params![id.0, until, actor()])
            }
            Fact::Stopped { reason, step } => {
                self.end(at, needed(task)?, *step, Outcome::Stopped, None, reason)?;
                self.run_on("UPDATE tasks SET ended_by = ?2 WHERE id = ?1", needed(task)?, &actor())
            }
            Fact::Expired { step } => {
                if step.from() != State::Queued {
                    self.count_lately(at, "expired_waiting")?;
                }
                self.end(at, needed(task)?, *step, Outcome::Expired, None, "")
            }
            Fact::Recovered { step, until } => {
                let id = needed(task)?;
                self.uncount_end(id)?;
                self.step(id, *step)?;
                self.run("DELETE FROM approvals WHERE task = ?1", [id.0])?;
                self.run(
                    "UPDATE tasks SET until = ?2, not_before = 0, attempt_base = attempt, outcome = NULL, exit_code = NULL,
                            signal = NULL, evidence = '', review = NULL, ended_ms = NULL, resumed_by = NULL, ended_by = NULL,
                            recovered_by = ?3
                     WHERE id = ?1",
                    params![id.0, until, actor()],
                )
            }

            Fact::Claimed { nonce, hash, step } => {
                let (id, attempt) = (needed(task)?, attempt.ok_or_else(|| misfit("claim without attempt"))?);
                self.step(id, *step)?;
                self.run("UPDATE tasks SET attempt = ?2 WHERE id = ?1", params![id.0, attempt])?;
                self.run(
                    "INSERT INTO attempts (task, attempt, nonce, hash, claimed_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id.0, attempt, nonce, hash, at],
                )
            }
            Fact::Identified { identity, until } => self.run(
                "UPDATE attempts SET boot = ?3, pid = ?4, start = ?5, start_due = NULL, stale_at = ?6
                 WHERE task = ?1 AND attempt = ?2",
                params![needed(task)?.0, attempt, identity.boot, identity.pid, identity.start.cast_signed(), until],
            ),
            Fact::StartFailed { until, .. } => self.run(
                "UPDATE attempts SET boot = NULL, pid = NULL, start = NULL, stale_at = NULL, start_due = ?3
                 WHERE task = ?1 AND attempt = ?2",
                params![needed(task)?.0, attempt, until],
            ),
            Fact::StartAgain { .. } => self.run(
                "UPDATE attempts SET boot = NULL, pid = NULL, start = NULL, start_due = NULL, stale_at = NULL,
                        start_tries = start_tries + 1
                 WHERE task = ?1 AND attempt = ?2",
                params![needed(task)?.0, attempt],
            ),
            // It lives: so nothing has followed from its end.
            Fact::Adopted { identity } => {
                self.count_lately(at, "adopted")?;
                self.run(
                    "UPDATE attempts SET boot = ?3, pid = ?4, start = ?5, start_due = NULL, restored = 0
                     WHERE task = ?1 AND attempt = ?2",
                    params![needed(task)?.0, attempt, identity.boot, identity.pid, identity.start.cast_signed()],
                )
            }
            Fact::StopAsked { alarm } => self.run(
                "UPDATE attempts SET stop_by = ?3, stop_alarm = ?4 WHERE task = ?1 AND attempt = ?2",
                params![needed(task)?.0, attempt, actor(), alarm],
            ),
            Fact::StopOverdue {} => self.run(
                "UPDATE attempts SET stop_overdue = 1, stop_alarm = NULL WHERE task = ?1 AND attempt = ?2",
                params![needed(task)?.0, attempt],
            ),
            Fact::Progress { line } => self.run(
                "UPDATE attempts SET progress = ?3 WHERE task = ?1 AND attempt = ?2",
                params![needed(task)?.0, attempt, line],
            ),
            Fact::Ended { end, outcome, ran_ms, evidence, retry, step, .. } => {
                let id = needed(task)?;
                self.run(
                    "UPDATE attempts SET ended_ms = ?3, ran_ms = ?4, start_due = NULL, stop_alarm = NULL
                     WHERE task = ?1 AND attempt = ?2",
                    params![id.0, attempt, at, ran_ms],
                )?;
                self.end(at, id, *step, *outcome, end.as_ref(), evidence)?;
                match retry {
                    None => Ok(()),
                    Some(retry) => {
                        self.uncount_end(id)?;
                        self.run(
                            "UPDATE tasks SET not_before = ?2, until = ?3, ended_ms = NULL, outcome = NULL WHERE id = ?1",
                            params![id.0, retry.at, retry.until],
                        )
                    }
                }
            }

            Fact::Queued { id, class, chat, what, anew } => {
                self.enqueue(at, task, *id, class.rank(), *chat, what, *anew)
            }
            Fact::Sending { id, version } => self.run(
                "UPDATE outbox SET state = 'sending', sending = ?2 WHERE id = ?1 AND state = 'pending'",
                params![id, version],
            ),
            Fact::Sent { id, message, version, next } => {
                // A card that changed while it was being shown stays pending.
                self.run(
                    "UPDATE outbox SET message = CASE WHEN ?2 = 0 THEN message ELSE ?2 END, tries = 0, due = 0, error = NULL,
                            marked = 0,
                            state = CASE WHEN version = ?3 THEN 'sent' ELSE 'pending' END
                     WHERE id = ?1",
                    params![id, message, version],
                )?;
                self.run(
                    "INSERT INTO chats (chat, next) SELECT chat, ?2 FROM outbox WHERE id = ?1
                     ON CONFLICT (chat) DO UPDATE SET next = max(next, ?2), parked = 0",
                    params![id, next],
                )
            }
            Fact::SendFailed { id, error, then, until } => self.send_failed(*id, error, *then, *until),
            Fact::SendUnknown { id } => {
                self.run("UPDATE outbox SET state = 'pending', marked = 1 WHERE id = ?1 AND state = 'sending'", [id])
            }
            Fact::ChatReturned { chat } => {
                self.run("UPDATE chats SET parked = 0, next = 0 WHERE chat = ?1", [chat])?;
                self.run("UPDATE outbox SET due = 0 WHERE chat = ?1 AND state = 'pending'", [chat])
            }
            Fact::ChatMigrated { from, to } => self.migrate_chat(*from, *to),
            Fact::ConfirmAsked { nonce, text, user, chat, message, until } => self.run(
                "INSERT OR IGNORE INTO buttons (nonce, action, hash, chat, user, text, message, until)
                 VALUES (?1, 'confirm', '', ?2, ?3, ?4, ?5, ?6)",
                params![nonce, chat, user, text, message, until],
            ),
            Fact::ButtonUsed { nonce } => self
                .run("UPDATE buttons SET used_by = ?2 WHERE nonce = ?1 AND used_by IS NULL", params![nonce, actor()]),
        }
    }

    pub(super) fn run(&self, sql: &str, params: impl Params) -> Result<()> {
        self.db.prepare_cached(sql)?.execute(params)?;
        Ok(())
    }

    fn run_on(&self, sql: &str, id: TaskId, text: &str) -> Result<()> {
        self.run(sql, params![id.0, text])
    }

    fn see(&self, key: &str, task: Option<TaskId>) -> Result<()> {
        self.run("INSERT INTO seen (key, task) VALUES (?1, ?2)", params![key, task.map(|t| t.0)])
    }

    fn count(&self, what: &str) -> Result<()> {
        self.tally(what, 1)
    }

    fn tally(&self, state: &str, by: i64) -> Result<()> {
        self.run(
            "INSERT INTO tallies (state, n) VALUES (?1, ?2) ON CONFLICT (state) DO UPDATE SET n = n + ?2",
            params![state, by],
        )
    }

    /// Remembers the event in hand as the newest of its sort.
    fn is_newest(&self, at: i64, event: &Event, what: &str) -> Result<()> {
        let noted = Noted { seq: self.next_event - 1, at, fact: event.fact.clone() };
        let noted = serde_json::to_string(&noted).expect("plain data");
        self.run(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
            [what, &noted],
        )
    }

    /// One more of it in the last day, whatever becomes of it.
    fn count_lately(&self, at: i64, what: &str) -> Result<()> {
        self.run(
            "INSERT INTO lately (slot, what, n) VALUES (?1, ?2, 1) ON CONFLICT (slot, what) DO UPDATE SET n = n + 1",
            params![slot(at), what],
        )
    }

    /// A task that was at its end is not any more: that end does not count.
    fn uncount_end(&self, id: TaskId) -> Result<()> {
        let end = self
            .db
            .prepare_cached("SELECT ended_ms, outcome FROM tasks WHERE id = ?1")?
            .query_row([id.0], |r| Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, Option<String>>(1)?)))?;
        let (Some(ended_ms), Some(outcome)) = end else { return Ok(()) };
        let at = params![slot(ended_ms), outcome];
        self.run("UPDATE lately SET n = n - 1 WHERE slot = ?1 AND what = ?2", at)?;
        self.run("DELETE FROM lately WHERE slot = ?1 AND what = ?2 AND n <= 0", at)
    }

    /// Where the wall clock stands against the boot clock, once for each boot of the machine: what is set later is an event.
    fn begin_clock(&self, boot: &str, base_ms: i64) -> Result<()> {
        let same = "SELECT 1 FROM epochs WHERE epoch = (SELECT max(epoch) FROM epochs) AND boot = ?1";
        let same = self.db.prepare_cached(same)?.exists([boot])?;
        let kept = if same { "IGNORE" } else { "REPLACE" };
        self.run(&format!("INSERT OR {kept} INTO meta (key, value) VALUES ('clock_base', ?1)"), [base_ms.to_string()])
    }

    /// The only place where a task's state changes, and only by a step that the life cycle made.
    fn step(&self, id: TaskId, step: Step) -> Result<()> {
        let changed = self
            .db
            .prepare_cached("UPDATE tasks SET state = ?3 WHERE id = ?1 AND state = ?2")?
            .execute(params![id.0, step.from().name(), step.to().name()])?;
        if changed != 1 {
            return Err(misfit(&format!("step {} -> {} to task {id}", step.from(), step.to())));
        }
        self.tally(step.from().name(), -1)?;
        self.tally(step.to().name(), 1)
    }

    fn end(&self, at: i64, id: TaskId, step: Step, outcome: Outcome, end: Option<&End>, evidence: &str) -> Result<()> {
        self.step(id, step)?;
        if step.to().is_terminal() {
            // What can no longer be pressed with effect; used ones stay, so that a second tap is told what it was.
            self.run(
                "DELETE FROM buttons WHERE task = ?1 AND used_by IS NULL AND action NOT IN ('log', 'why')",
                [id.0],
            )?;
        }
        let (code, signal) = match end {
            Some(End::Exited(code)) => (Some(*code), None),
            Some(End::Signaled(signal)) => (None, Some(*signal)),
            Some(End::NotStarted(_)) | None => (None, None),
        };
        self.run(
            "UPDATE tasks SET ended_ms = ?2, outcome = ?3, exit_code = ?4, signal = ?5, evidence = ?6 WHERE id = ?1",
            params![id.0, at, outcome.name(), code, signal, evidence],
        )?;
        self.count_lately(at, outcome.name())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one event")]
    fn enqueue(
        &mut self,
        at: i64,
        task: Option<TaskId>,
        id: i64,
        class: i64,
        chat: i64,
        what: &What,
        anew: bool,
    ) -> Result<()> {
        self.next_message = self.next_message.max(id + 1);
        let said = serde_json::to_string(what).expect("plain data");
        self.run(
            "INSERT INTO outbox (id, class, chat, task, what, state, version, at)
             VALUES (?1, ?2, ?3, ?4, ?5, 'pending', 1, ?6)
             ON CONFLICT (id) DO UPDATE SET class = ?2, chat = ?3, what = ?5, version = version + 1,
                    message = CASE WHEN ?7 THEN NULL ELSE message END,
                    state = CASE WHEN state = 'sending' THEN state ELSE 'pending' END",
            params![id, class, chat, task.map(|t| t.0), said, at, anew],
        )?;
        let (buttons, hash, until) = match what {
            What::Card { buttons, hash, until } => (buttons, hash, until),
            What::Alert(news) => return self.is_told(news),
            What::Text(_) | What::Document { .. } | What::Report(_) => return Ok(()),
        };
        let task = needed(task)?;
        self.run(
            "UPDATE tasks SET card = ?2 WHERE id = ?1 AND chat = ?3 AND card IS NOT ?2",
            params![task.0, id, chat],
        )?;
        self.run(
            "INSERT OR IGNORE INTO copies (task, chat, card) SELECT id, ?3, ?2 FROM tasks WHERE id = ?1 AND chat IS NOT ?3",
            params![task.0, id, chat],
        )?;
        if buttons.is_empty() {
            // A copy without buttons is the last of it: its person decides no more.
            self.run("DELETE FROM copies WHERE task = ?1 AND card = ?2", params![task.0, id])?;
        }
        for (action, nonce) in buttons {
            let until = if ASKS.contains(&action.as_str()) { &NEVER } else { until };
            self.run(
                "INSERT INTO buttons (nonce, task, action, hash, chat, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (nonce) DO UPDATE SET until = max(until, ?6) WHERE used_by IS NULL",
                params![nonce, task.0, action, hash, chat, until],
            )?;
        }
        Ok(())
    }

    fn is_told(&self, news: &[News]) -> Result<()> {
        // What is beyond these is counted and not named: it has still to be told. A line that says "over" is about one before it.
        for one in news.iter().take(policy::ALERT_LINES_MAX).filter(|one| one.over_ms.is_none()) {
            let of = params![one.anomaly, one.about];
            self.run("UPDATE alerts SET told = 1 WHERE anomaly = ?1 AND about = ?2", of)?;
        }
        Ok(())
    }

    fn send_failed(&self, id: i64, error: &str, then: Then, until: Option<i64>) -> Result<()> {
        match then {
            Then::Retry | Then::RetryMarked => self.run(
                "UPDATE outbox SET state = 'pending', tries = tries + 1, due = ?3, error = ?2, marked = max(marked, ?4)
                 WHERE id = ?1",
                params![id, error, until.unwrap_or(0), then == Then::RetryMarked],
            ),
            Then::Hold | Then::Park => {
                self.run("UPDATE outbox SET state = 'pending', tries = tries + 1, error = ?2 WHERE id = ?1", params![id, error])?;
                self.run(
                    "INSERT INTO chats (chat, next, parked) SELECT chat, ?2, ?3 FROM outbox WHERE id = ?1
                     ON CONFLICT (chat) DO UPDATE SET next = max(next, ?2), parked = ?3",
                    params![id, until.unwrap_or(0), then == Then::Park],
                )
            }
            Then::GiveUp => self.run(
                // A card that changed while it was being shown is another message: it may be taken.
                "UPDATE outbox SET state = CASE WHEN state = 'sending' AND version > sending THEN 'pending' ELSE 'refused' END,
                        tries = tries + 1, due = 0, error = ?2
                 WHERE id = ?1",
                params![id, error],
            ),
            Then::Anew => self.run(
                "UPDATE outbox SET state = 'pending', tries = tries + 1, error = ?2, message = NULL, due = ?3 WHERE id = ?1",
                params![id, error, until.unwrap_or(0)],
            ),
        }
    }

    /// Message ids start again in the new chat, so cards are shown anew there.
    fn migrate_chat(&mut self, from: i64, to: i64) -> Result<()> {
        self.moved.insert(to, from);
        for sql in [
            "UPDATE tasks SET chat = ?2, message = NULL WHERE chat = ?1",
            "UPDATE outbox SET chat = ?2, message = NULL WHERE chat = ?1",
            "UPDATE buttons SET chat = ?2 WHERE chat = ?1",
        ] {
            self.run(sql, [from, to])?;
        }
        self.run(
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('chat_now:' || ?1, ?2), ('chat_before:' || ?2, ?1)",
            params![from.to_string(), to.to_string()],
        )
    }

    /// After a reboot the boot clock starts again: what remained of each deadline when the last daemon started, less the
    /// time since then by the wall clock, is what remains now. A wall clock that went backwards counts as no time while nobody
    /// was there.
    fn move_deadlines(&self, boot: &str, boot_ms: i64, wall_ms: i64) -> Result<()> {
        let last = self
            .db
            .prepare_cached("SELECT boot, boot_ms, wall_ms FROM epochs ORDER BY epoch DESC LIMIT 1")?
            .query_row([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?)));
        let (last_boot, last_boot_ms, last_wall_ms) = match last {
            Ok(last) => last,
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if last_boot == boot {
            return Ok(());
        }
        // The last daemon was at work until its last event at the least, whatever was done to the wall clock since.
        let last_seen_ms: i64 = self
            .db
            .prepare_cached(
                "SELECT coalesce(max(at), 0) FROM (SELECT at FROM events WHERE seq < ?1 ORDER BY seq DESC LIMIT 1)",
            )?
            .query_row([self.next_event - 1], |r| r.get(0))?;
        let by = boot_ms - last_boot_ms - (wall_ms.max(last_seen_ms) - last_wall_ms).max(0);
        for sql in [
            "UPDATE tasks SET until = until + ?1, not_before = not_before + ?1
             WHERE state IN ('REQUESTED', 'APPROVED', 'QUEUED', 'RUNNING')",
            "UPDATE approvals SET until = until + ?1
             WHERE task IN (SELECT id FROM tasks WHERE state IN ('REQUESTED', 'APPROVED', 'QUEUED', 'RUNNING'))",
        ] {
            self.run(sql, [by])?;
        }
        // By index, and only what can expire: most buttons of the past are on ended tasks and only ask.
        self.run("UPDATE buttons SET until = until + ?1 WHERE until < ?2", [by, NEVER])?;
        // Pauses are short. Where the wall clock went backwards, nobody knows how much of one is left, and the whole time
        // that the last boot was up would be added to it: a chat must not be silent for weeks. These numbers belong to the
        // meaning of the event and never change.
        let (short, long) = (boot_ms + 60_000, boot_ms + 6 * 3_600_000);
        // Only a running task has an attempt that has not ended: the others are not looked at. What ran in another boot is over,
        // and not late.
        self.run(
            "UPDATE attempts SET stale_at = NULL, start_due = min(start_due + ?1, ?2),
                    stop_alarm = min(stop_alarm + ?1, ?2)
             WHERE task IN (SELECT id FROM tasks WHERE state = 'RUNNING') AND ended_ms IS NULL",
            [by, short],
        )?;
        // By the index, which SQLite does not see by itself: else every message that was ever sent is read.
        self.run(
            "UPDATE outbox INDEXED BY outbox_unsettled SET due = min(due + ?1, ?2)
             WHERE state <> 'sent' AND state IN ('pending', 'sending')",
            [by, short],
        )?;
        // A chat that does not want us is left alone for hours; whoever else has to wait is told so again when asked too early.
        self.run("UPDATE chats SET next = min(next + ?1, CASE WHEN parked THEN ?3 ELSE ?2 END)", [by, short, long])
    }
}

/// See [`policy::LATELY_STEP_MS`].
fn slot(at: i64) -> i64 {
    at.div_euclid(policy::LATELY_STEP_MS)
}

fn needed(task: Option<TaskId>) -> Result<TaskId> {
    task.ok_or_else(|| misfit("an event about a task without its number"))
}

fn misfit(what: &str) -> StoreError {
    StoreError::Misfit(what.to_owned())
}
