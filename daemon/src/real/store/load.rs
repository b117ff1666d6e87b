//! What is read for each input, and nothing more.

use super::rows::{ATTEMPT, BUTTON, OUTBOX, TASK, approval, attempt, button, outbox, task};
use super::{Result, Store, StoreError, recorded};
use crate::command::Command;
use crate::event::{Class, Recorded};
use crate::id::{AttemptKey, TaskId};
use crate::policy;
use crate::task::State;
use crate::view::{AttemptRow, BacklogRow, ButtonRow, LiveButton, Moved, OutboxRow, TaskRow, TaskView, View};
use rusqlite::{OptionalExtension, Params, params};

/// Which events `logs` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// The newest so many.
    pub last: u32,
    /// Only of this task.
    pub task: Option<TaskId>,
    /// Only of this trace.
    pub trace: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only after this event.
    pub after: Option<i64>,
    /// Only at or after this time, ms since 1970.
    pub since_ms: Option<i64>,
}

/// Alerts reach a chat in the order in which they were written, also past one that is tried again: what is said to be wrong, to be
/// over, and to be wrong again would mean something else in another order.
fn in_turn() -> String {
    format!(
        "NOT (class = {} AND EXISTS (SELECT 1 FROM outbox AS before WHERE before.state = 'pending'
              AND before.class = outbox.class AND before.chat = outbox.chat AND before.id < outbox.id))",
        Class::Note.rank()
    )
}

impl Store {
    /// The mode and the counters: the ground of every view.
    ///
    /// # Errors
    /// Storage trouble, as everywhere in this file.
    pub fn view(&self) -> Result<View> {
        Ok(View {
            mode: self.mode,
            moved: self.moved.clone(),
            next_task: self.next_task,
            next_message: self.next_message,
            ..View::default()
        })
    }

    pub(super) fn meta(&self, key: &str) -> Result<Option<String>> {
        self.one("SELECT value FROM meta WHERE key = ?1", [key], |r| Ok(r.get(0)?))
    }

    /// Whether a natural key was taken up, and the task it led to.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn seen(&self, key: &str) -> Result<Option<Option<TaskId>>> {
        self.one("SELECT task FROM seen WHERE key = ?1", [key], |r| Ok(r.get::<_, Option<i64>>(0)?.map(TaskId)))
    }

    /// A task with its approvals, newest attempt, buttons and copies.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn task(&self, id: TaskId) -> Result<Option<TaskView>> {
        let Some(row) = self.one(&format!("SELECT {TASK} FROM tasks WHERE id = ?1"), [id.0], task)? else {
            return Ok(None);
        };
        Ok(Some(TaskView {
            approvals: self.many(
                "SELECT approver, hash, note, until FROM approvals WHERE task = ?1",
                [id.0],
                approval,
            )?,
            attempt: if row.attempt == 0 { None } else { self.attempt(row.key())? },
            buttons: self.many(
                "SELECT action, nonce, hash, chat FROM buttons WHERE task = ?1 AND used_by IS NULL ORDER BY nonce",
                [id.0],
                |r| Ok(LiveButton { action: r.get(0)?, nonce: r.get(1)?, hash: r.get(2)?, chat: r.get(3)? }),
            )?,
            copies: self.many("SELECT chat, card FROM copies WHERE task = ?1 ORDER BY chat", [id.0], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })?,
            task: row,
        }))
    }

    pub(super) fn attempt(&self, key: AttemptKey) -> Result<Option<AttemptRow>> {
        self.one(
            &format!("SELECT {ATTEMPT} FROM attempts WHERE task = ?1 AND attempt = ?2"),
            params![key.task.0, key.attempt],
            attempt,
        )
    }

    /// A button.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn button(&self, nonce: &str) -> Result<Option<ButtonRow>> {
        self.one(&format!("SELECT {BUTTON} FROM buttons WHERE nonce = ?1"), [nonce], button)
    }

    /// A message of ours.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn message(&self, id: i64) -> Result<Option<OutboxRow>> {
        self.one(&format!("SELECT {OUTBOX} FROM outbox WHERE id = ?1"), [id], outbox)
    }

    /// Tasks that are not at an end.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn open_tasks(&self) -> Result<i64> {
        let open = [State::Requested, State::Approved, State::Queued, State::Running];
        // The whole table, which is one row a state: for an IN, SQLite would build a table each time.
        let tallies = self.tallies()?;
        Ok(tallies.iter().filter(|(state, _)| open.iter().any(|o| o.name() == state)).map(|(_, n)| n).sum())
    }

    pub(super) fn tallies(&self) -> Result<Vec<(String, i64)>> {
        self.many("SELECT state, n FROM tallies ORDER BY state", [], |r| Ok((r.get(0)?, r.get(1)?)))
    }

    /// Fills a view with what a command needs.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn load_command(&self, view: &mut View, command: &Command, now_wall_ms: i64) -> Result<()> {
        if let Some(id) = command.task() {
            view.task = self.task(id)?;
        }
        match command {
            Command::NewTask { .. } | Command::Rerun { .. } => {
                view.open_tasks = self.open_tasks()?;
                view.reachable = self.reachable()?;
            }
            Command::Recover { .. } | Command::Plan { .. } => view.reachable = self.reachable()?,
            Command::List { limit, state } => view.tasks = self.list(*limit, *state)?,
            Command::Trace { of } => {
                let id = match of.parse::<TaskId>() {
                    Ok(id) => Some(id),
                    Err(_) => self.task_of(of)?,
                };
                if let Some(id) = id {
                    view.task = self.task(id)?;
                    view.events = self.events_of(id)?;
                    view.removed = self.removed()?;
                    view.messages = self.many(
                        &format!("SELECT {OUTBOX} FROM outbox INDEXED BY outbox_unsettled WHERE state <> 'sent' AND task = ?1 ORDER BY id"),
                        [id.0],
                        outbox,
                    )?;
                }
            }
            Command::Board => {
                for state in [State::Requested, State::Approved, State::Queued, State::Running] {
                    view.tasks.extend(self.list(policy::LISTED_MAX, Some(state))?);
                }
                // Whom those wait for that wait for people takes more than their rows.
                for row in view.tasks.iter().filter(|t| matches!(t.state, State::Requested | State::Approved)) {
                    view.waiting.extend(self.task(row.id)?);
                }
                view.by_state = self.tallies()?.into_iter().filter(|(_, n)| *n != 0).collect();
            }
            Command::Ops => view.ops = Some(self.ops(now_wall_ms)?),
            Command::Inbox => {
                view.backlog = self.backlog()?;
                // What had trouble first: the rest only waits its turn.
                view.messages = self.many(
                    &format!(
                        "SELECT {OUTBOX} FROM outbox WHERE state <> 'sent'
                         ORDER BY state = 'refused' OR marked OR tries > 0 DESC, id LIMIT ?1"
                    ),
                    [policy::LISTED_MAX],
                    outbox,
                )?;
            }
            Command::Start
            | Command::Help { .. }
            | Command::Whoami
            | Command::Kinds
            | Command::Status { .. }
            | Command::Why { .. }
            | Command::Approve { .. }
            | Command::Reject { .. }
            | Command::Review { .. }
            | Command::Resume { .. }
            | Command::Stop { .. }
            | Command::Log { .. }
            | Command::Mode { .. }
            | Command::Drain
            | Command::Undrain
            | Command::Backup { .. }
            | Command::Release { .. } => {}
        }
        Ok(())
    }

    /// Private chats in which we have spoken and are welcome: a bot can't speak to people first.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn reachable(&self) -> Result<Vec<i64>> {
        self.many("SELECT chat FROM chats WHERE chat > 0 AND NOT parked ORDER BY chat", [], |r| Ok(r.get(0)?))
    }

    /// Whether a private chat is one of [`Store::reachable`].
    ///
    /// # Errors
    /// Storage trouble.
    pub fn reaches(&self, chat: i64) -> Result<bool> {
        let found = self.one("SELECT 1 FROM chats WHERE chat = ?1 AND NOT parked", [chat], |_| Ok(()))?;
        Ok(found.is_some())
    }

    fn list(&self, limit: u32, state: Option<State>) -> Result<Vec<TaskRow>> {
        match state {
            None => self.many(&format!("SELECT {TASK} FROM tasks ORDER BY id DESC LIMIT ?1"), [limit], task),
            Some(state) => self.many(
                &format!("SELECT {TASK} FROM tasks WHERE state = ?2 ORDER BY id DESC LIMIT ?1"),
                params![limit, state.name()],
                task,
            ),
        }
    }

    fn backlog(&self) -> Result<Vec<BacklogRow>> {
        self.many(
            "SELECT outbox.chat, count(*), min(max(due, coalesce(next, 0))), coalesce(parked, 0), max(error)
             FROM outbox LEFT JOIN chats USING (chat) WHERE state <> 'sent' AND state <> 'refused'
             GROUP BY outbox.chat ORDER BY outbox.chat",
            [],
            |r| {
                let (chat, messages, until, parked, error) = (r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?);
                Ok(BacklogRow { chat, messages, until, parked, error })
            },
        )
    }

    /// Running tasks, oldest first.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn running(&self) -> Result<Vec<TaskRow>> {
        self.many(&format!("SELECT {TASK} FROM tasks WHERE state = 'RUNNING' ORDER BY id"), [], task)
    }

    /// The events of a task, oldest first.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn events_of(&self, id: TaskId) -> Result<Vec<Recorded>> {
        self.many(&format!("{EVENTS} WHERE task = ?1 ORDER BY seq"), [id.0], recorded)
    }

    /// Events of the record, oldest first.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn logs(&self, filter: &LogFilter) -> Result<Vec<Recorded>> {
        let index = if filter.task.is_some() { "INDEXED BY events_by_task" } else { "" };
        let task = if filter.task.is_some() { "task = ?2" } else { "?2 IS NULL" };
        let mut events = self.many(
            &format!(
                "{EVENTS} {index} WHERE {task} AND (?3 IS NULL OR trace = ?3) AND (?4 IS NULL OR kind = ?4)
                 AND seq > ?5 AND at >= ?6 ORDER BY seq DESC LIMIT ?1"
            ),
            params![
                filter.last,
                filter.task.map(|t| t.0),
                filter.trace,
                filter.kind,
                filter.after.unwrap_or(0),
                filter.since_ms.unwrap_or(i64::MIN)
            ],
            recorded,
        )?;
        events.reverse();
        Ok(events)
    }

    /// The first event that stands at `seq` or after it.
    ///
    /// # Errors
    /// Storage trouble, or what stands there is no event.
    pub fn event_from(&self, seq: i64) -> Result<Option<Recorded>> {
        self.one(&format!("{EVENTS} WHERE seq >= ?1 ORDER BY seq LIMIT 1"), [seq], recorded)
    }

    // ------------------------------------------------------------------------------------------ what is due

    /// Running tasks per group, and in all.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn running_by_group(&self) -> Result<Vec<(String, u32)>> {
        self.many("SELECT grp, count(*) FROM tasks WHERE state = 'RUNNING' GROUP BY grp", [], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
    }

    /// Groups of queued tasks, whether they are configured or not.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn queued_groups(&self) -> Result<Vec<String>> {
        // From one group to the next by the index: the queue may be long.
        self.many(
            "WITH RECURSIVE g(grp) AS (
               SELECT min(grp) FROM tasks INDEXED BY tasks_queued WHERE state = 'QUEUED'
               UNION ALL
               SELECT (SELECT min(grp) FROM tasks INDEXED BY tasks_queued WHERE state = 'QUEUED' AND grp > g.grp)
               FROM g WHERE g.grp IS NOT NULL)
             SELECT grp FROM g WHERE grp IS NOT NULL",
            [],
            |r| Ok(r.get(0)?),
        )
    }

    /// The next tasks of a group that may be claimed.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn claimable(&self, group: &str, boot_ms: i64, limit: u32) -> Result<Vec<TaskId>> {
        self.many(
            "SELECT id FROM tasks INDEXED BY tasks_queued
             WHERE state = 'QUEUED' AND grp = ?1 AND not_before <= ?2 ORDER BY id LIMIT ?3",
            params![group, boot_ms, limit],
            |r| Ok(TaskId(r.get(0)?)),
        )
    }

    /// Waiting tasks whose time to live ran out.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn expired(&self, boot_ms: i64, limit: u32) -> Result<Vec<TaskId>> {
        self.many(
            "SELECT id FROM tasks INDEXED BY tasks_waiting
             WHERE state IN ('REQUESTED', 'APPROVED', 'QUEUED') AND until <= ?1 ORDER BY until LIMIT ?2",
            params![boot_ms, limit],
            |r| Ok(TaskId(r.get(0)?)),
        )
    }

    /// Running tasks whose start is to be tried again, or whose end is overdue, the longest due first; with whether it is a
    /// start (of a task that nobody wants stopped).
    ///
    /// # Errors
    /// Storage trouble.
    pub fn overdue(&self, boot_ms: i64) -> Result<Vec<(TaskId, bool)>> {
        self.many(
            "SELECT t.id, a.start_due IS NOT NULL AND a.stop_by IS NULL,
                    coalesce(a.start_due, a.stop_alarm, iif(a.stop_by IS NULL, a.stale_at, NULL)) AS due
             FROM tasks t JOIN attempts a ON a.task = t.id AND a.attempt = t.attempt
             WHERE t.state = 'RUNNING' AND due <= ?1 ORDER BY due, t.id",
            [boot_ms],
            |r| Ok((TaskId(r.get(0)?), r.get(1)?)),
        )
    }

    /// The user name of a bot, once it was asked.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn username(&self, bot: i64) -> Result<Option<String>> {
        self.one("SELECT username FROM cursors WHERE bot = ?1 AND username <> ''", [bot], |r| Ok(r.get(0)?))
    }

    /// The most urgent message that may be sent now, not to the chats in `busy`.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn sendable(&self, boot_ms: i64, busy: &[i64]) -> Result<Option<OutboxRow>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT {OUTBOX} FROM outbox WHERE state = 'pending' AND due <= ?1 AND {}
             AND NOT EXISTS (SELECT 1 FROM chats WHERE chats.chat = outbox.chat AND chats.next > ?1)
             ORDER BY class, id",
            in_turn()
        ))?;
        let mut rows = statement.query([boot_ms])?;
        while let Some(row) = rows.next()? {
            if !busy.contains(&row.get(2)?) {
                return outbox(row).map(Some);
            }
        }
        Ok(None)
    }

    /// Messages whose request was being written when the last daemon died.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn interrupted_sends(&self) -> Result<Vec<OutboxRow>> {
        self.many(&format!("SELECT {OUTBOX} FROM outbox WHERE state = 'sending' ORDER BY id"), [], outbox)
    }

    /// The committed next offset of a bot; none before its first update.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn cursor(&self, bot: i64) -> Result<Option<i64>> {
        Ok(self.one("SELECT next FROM cursors WHERE bot = ?1", [bot], |r| Ok(r.get(0)?))?.flatten())
    }

    /// The hash of the last daemon's configuration.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn last_config(&self) -> Result<Option<String>> {
        self.one("SELECT config FROM epochs ORDER BY epoch DESC LIMIT 1", [], |r| Ok(r.get(0)?))
    }

    /// The newest wall clock on record, ms: when a daemon was last seen to work.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn last_at(&self) -> Result<Option<i64>> {
        self.one("SELECT at FROM events ORDER BY seq DESC LIMIT 1", [], |r| Ok(r.get(0)?))
    }

    /// When, by the boot clock, a task becomes due by itself: an expiry, a retry, a put-off start (no start before
    /// `starts_from`), an overdue end.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn next_task_due(&self, boot_ms: i64, starts_from: i64) -> Result<Option<i64>> {
        // A retry whose time has come waits for a slot, not for time.
        Ok(self
            .one(
                "SELECT min(t) FROM (
                   SELECT min(until) AS t FROM tasks INDEXED BY tasks_waiting WHERE state IN ('REQUESTED', 'APPROVED', 'QUEUED')
                   UNION ALL SELECT min(not_before) FROM tasks WHERE state = 'QUEUED' AND not_before > ?1
                   UNION ALL SELECT min(coalesce(iif(a.stop_by IS NULL, max(a.start_due, ?2), a.start_due), a.stop_alarm,
                                                 iif(a.stop_by IS NULL, a.stale_at, NULL)))
                     FROM tasks t
                     JOIN attempts a ON a.task = t.id AND a.attempt = t.attempt WHERE t.state = 'RUNNING')",
                [boot_ms, starts_from],
                |r| Ok(r.get::<_, Option<i64>>(0)?),
            )?
            .flatten())
    }

    /// When, by the boot clock, the next message may be sent to a chat that is not in `busy`.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn next_message_due(&self, busy: &[i64]) -> Result<Option<i64>> {
        let chats = self.many(
            &format!(
                "SELECT outbox.chat, min(max(due, coalesce(next, 0))) FROM outbox LEFT JOIN chats USING (chat)
                 WHERE state = 'pending' AND {} GROUP BY outbox.chat",
                in_turn()
            ),
            [],
            |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)),
        )?;
        Ok(chats.into_iter().filter(|(chat, _)| !busy.contains(chat)).map(|(_, due)| due).min())
    }

    /// Tasks that wait for people: first those whose cards can be pressed, of these the newest.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn waiting_with_cards(&self) -> Result<Vec<TaskId>> {
        self.many(
            "SELECT id FROM tasks WHERE state IN ('REQUESTED', 'APPROVED')
             ORDER BY chat IS NOT NULL OR EXISTS (SELECT 1 FROM copies WHERE copies.task = tasks.id) DESC, id DESC LIMIT ?1",
            [policy::CARDS_AT_ONCE_MAX],
            |r| Ok(TaskId(r.get(0)?)),
        )
    }

    /// Tasks that wait for people, first those that nobody has approved, of these the newest. More than can be shown at once:
    /// whom each of them waits for is not decided here.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn waiting_for_approval(&self) -> Result<Vec<TaskId>> {
        self.many(
            "SELECT id FROM tasks WHERE state IN ('REQUESTED', 'APPROVED') ORDER BY state = 'REQUESTED' DESC, id DESC LIMIT ?1",
            [10 * policy::CARDS_AT_ONCE_MAX],
            |r| Ok(TaskId(r.get(0)?)),
        )
    }

    /// Groups that became supergroups.
    pub(super) fn moved(&self) -> Result<Moved> {
        let named = self.many(
            "SELECT substr(key, 13), value FROM meta WHERE key > 'chat_before:' AND key < 'chat_before;'",
            [],
            |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)),
        )?;
        Ok(named.iter().filter_map(|(now, before)| Some((now.parse().ok()?, before.parse().ok()?))).collect())
    }

    /// The id that a chat got when it became a supergroup, if it did.
    ///
    /// # Errors
    /// Storage trouble.
    pub fn chat_now(&self, before: i64) -> Result<Option<i64>> {
        Ok(self.meta(&format!("chat_now:{before}"))?.and_then(|id| id.parse().ok()))
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&rusqlite::Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(read).transpose()
    }

    pub(super) fn many<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&rusqlite::Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    /// SQLite's own check of the file.
    ///
    /// # Errors
    /// Damage.
    pub fn integrity(&self) -> Result<()> {
        let said: String = self.db.query_row("PRAGMA quick_check", [], |r| r.get(0)).optional()?.unwrap_or_default();
        if said == "ok" { Ok(()) } else { Err(StoreError::Damaged(said)) }
    }
}

pub(super) const EVENTS: &str = "SELECT seq, at, epoch, trace, task, attempt, actor, kind, data, \
     (SELECT boot FROM epochs WHERE epochs.epoch = events.epoch) FROM events";
