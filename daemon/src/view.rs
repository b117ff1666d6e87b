//! Rows as plain data: what `load` reads and `decide` and `report` look at. No logic but what a row says of itself.

use crate::attempt::Identity;
use crate::command::Mode;
use crate::event::{Fact, Outlived, Recorded, What};
use crate::id::{Actor, AttemptKey, TaskId};
use crate::outage::Outage;
use crate::task::{Outcome, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns are explained in migrations/1.sql")]
pub struct TaskRow {
    pub id: TaskId,
    pub kind: String,
    pub prompt: String,
    pub state: State,
    pub heavy: bool,
    pub group: String,
    pub requester: Actor,
    pub chat: Option<i64>,
    pub thread: Option<i32>,
    pub message: Option<i32>,
    pub trace: String,
    pub created_ms: i64,
    pub ended_ms: Option<i64>,
    pub attempt: u32,
    pub attempt_base: u32,
    pub outcome: Option<Outcome>,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub evidence: String,
    pub plan: Option<String>,
    pub plan_by: Option<Actor>,
    pub review: Option<Review>,
    pub until: i64,
    pub not_before: i64,
    pub rerun_of: Option<TaskId>,
    pub card: Option<i64>,
    pub resumed_by: Option<Actor>,
    pub recovered_by: Option<Actor>,
    pub ended_by: Option<Actor>,
}

impl TaskRow {
    /// Its newest attempt's name.
    pub fn key(&self) -> AttemptKey {
        AttemptKey { task: self.id, attempt: self.attempt }
    }
}

/// The last review of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// What was reviewed.
    pub hash: String,
    /// The verdict.
    pub pass: bool,
    /// Reason code of a failed one.
    pub code: Option<String>,
    /// Who.
    pub by: Actor,
}

/// One approver's newest approval of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Who.
    pub approver: Actor,
    /// What was approved.
    pub hash: String,
    /// Their words.
    pub note: String,
    /// Boot clock, ms: holds until then.
    pub until: i64,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns are explained in migrations/1.sql")]
pub struct AttemptRow {
    pub key: AttemptKey,
    pub nonce: String,
    pub hash: String,
    pub claimed_ms: i64,
    pub identity: Option<Identity>,
    pub start_tries: u32,
    pub start_due: Option<i64>,
    pub stop_by: Option<Actor>,
    pub stop_alarm: Option<i64>,
    pub stop_overdue: bool,
    pub stale_at: Option<i64>,
    pub restored: bool,
    pub progress: Option<String>,
    pub ended_ms: Option<i64>,
    pub ran_ms: Option<i64>,
}

impl AttemptRow {
    /// Somebody wants it stopped. The system itself only wants its time limit kept.
    pub fn is_to_be_stopped(&self) -> bool {
        self.stop_by.is_some_and(|by| by != Actor::System)
    }
}

/// A task with all that decisions about it need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskView {
    /// The task.
    pub task: TaskRow,
    /// Given approvals, void ones too.
    pub approvals: Vec<ApprovalRow>,
    /// Its newest attempt.
    pub attempt: Option<AttemptRow>,
    /// Its live buttons.
    pub buttons: Vec<LiveButton>,
    /// Its cards outside its own chat: (chat, row in the outbox).
    pub copies: Vec<(i64, i64)>,
}

impl TaskView {
    /// Its newest attempt, unless that is one of before it was asked for again.
    pub fn latest_attempt(&self) -> Option<&AttemptRow> {
        self.attempt.as_ref().filter(|_| self.task.attempt > self.task.attempt_base)
    }
}

/// A task's button that was not used yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns are explained in migrations/1.sql")]
pub struct LiveButton {
    pub action: String,
    pub nonce: String,
    pub hash: String,
    pub chat: i64,
}

/// A button as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns are explained in migrations/1.sql")]
pub struct ButtonRow {
    pub nonce: String,
    pub task: Option<TaskId>,
    pub action: String,
    pub hash: String,
    pub chat: i64,
    pub user: Option<i64>,
    pub text: Option<String>,
    pub message: Option<i32>,
    pub until: i64,
    pub used_by: Option<Actor>,
}

/// How the error of a message ends that was not sent because its chat is nobody's. It is on record, and never changes.
pub const NOBODYS: &str = "(any more): nothing is said there";

/// A message of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns are explained in migrations/1.sql")]
pub struct OutboxRow {
    pub id: i64,
    pub class: i64,
    pub chat: i64,
    pub task: Option<TaskId>,
    pub what: What,
    pub state: String,
    pub version: u32,
    pub sending: u32,
    pub tries: u32,
    pub due: i64,
    pub marked: bool,
    pub message: Option<i32>,
    pub error: Option<String>,
    pub at: i64,
}

/// What is still to be sent to a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacklogRow {
    /// Where to.
    pub chat: i64,
    /// How many messages.
    pub messages: i64,
    /// Boot clock, ms: none of them is sent before this.
    pub until: i64,
    /// The chat refused us.
    pub parked: bool,
    /// Why one of them could not be sent, if one was tried.
    pub error: Option<String>,
}

/// Something that is wrong and that people are to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    /// Its name.
    pub anomaly: String,
    /// Which one of its kind.
    pub about: String,
    /// As it was told.
    pub words: String,
    /// Wall clock at which it was put on record, ms.
    pub since_ms: i64,
    /// A message that says so was written.
    pub told: bool,
}

/// What the daemon's own long polling is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polling {
    /// Since a poll was last completed, or since the daemon began, ms of the boot clock.
    pub silent_ms: i64,
    /// Failed polls since then.
    pub failures: u32,
    /// How often Telegram has refused the token, without another answer in between.
    pub refusals: u32,
}

/// An event that is remembered as the newest of its sort, also when it was removed from the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// Its number.
    pub seq: i64,
    /// Wall clock, ms.
    pub at: i64,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// The answer to "is everything well?", as far as the database knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpsRow {
    /// Tasks by state; states without tasks are left out.
    pub tasks: BTreeMap<String, i64>,
    /// Running ones, oldest first, at most 50.
    pub running: Vec<(TaskRow, Option<AttemptRow>)>,
    /// The task that has waited longest in the queue.
    pub oldest_queued: Option<TaskRow>,
    /// Messages not sent yet.
    pub pending: i64,
    /// Of these, ones that may have arrived.
    pub uncertain: i64,
    /// Of these, ones that failed more than once, in chats that want us.
    pub failing: i64,
    /// Of these, the one that failed most often: its chat, how often, and what was said.
    pub worst: Option<(i64, u32, String)>,
    /// Messages set aside: `/inbox`.
    pub refused: i64,
    /// Of these, ones of the last 24 h, without those for chats that are nobody's (any more): that is as it was configured.
    pub refused_lately: i64,
    /// Chats that refuse us.
    pub parked_chats: i64,
    /// The first message that waits to be shown for the first time, in a chat that wants us: the chat, and the wall clock, ms, at
    /// which it was written.
    pub unsent: Option<(i64, i64)>,
    /// Ended in the last 24 h, by outcome.
    pub ended: BTreeMap<String, i64>,
    /// Tasks with an unknown outcome of the last 24 h, oldest first.
    pub unknown: Vec<TaskId>,
    /// Tasks whose time was over in the last 24 h while they waited for people.
    pub expired_waiting: i64,
    /// Attempts that a new daemon found alive in the last 24 h.
    pub adopted: i64,
    /// The newest event of long polling, if any: broke, recovered or contested.
    pub poll: Option<Noted>,
    /// When the wall clock was last set.
    pub clock: Option<Noted>,
    /// The newest back-up that was made, and the newest that failed.
    pub backups: (Option<Noted>, Option<Noted>),
    /// The newest switch to another release, or back.
    pub released: Option<Noted>,
    /// When a back-up was last put back.
    pub restored: Option<Noted>,
    /// What was told of and is not over, as far as it is known to be.
    pub alerts: Vec<AlertRow>,
    /// Bytes that the database holds; its file may be larger.
    pub database_bytes: i64,
    /// Events recorded.
    pub events: i64,
    /// The newest epoch: number, version, config hash, wall clock of its start.
    pub epoch: Option<(i64, String, String, i64)>,
    /// Violations on record.
    pub violations: i64,
    /// Wall clock of the newest of them, ms.
    pub violated_ms: Option<i64>,
    /// Replays suppressed.
    pub replays: i64,
}

/// The record's beginning and the database's size: what decides whether events are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// The oldest events, as many as may be removed at once.
    pub oldest: Vec<OldEvent>,
    /// The number of the newest event.
    pub newest: i64,
    /// Bytes of the database that hold something.
    pub used_bytes: u64,
    /// Boot clock and wall clock, ms, when a daemon first took over in this boot.
    pub boot: Option<(i64, i64)>,
}

/// One of the oldest events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldEvent {
    /// Its number.
    pub seq: i64,
    /// Wall clock, ms.
    pub at: i64,
    /// It belongs to a task that has not ended, or tells what still is.
    pub needed: bool,
}

/// The newest word on what was removed from the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// All events up to this one.
    pub through: i64,
    /// The hash of that one, hex.
    pub hash: String,
    /// Wall clock of the newest removal, ms.
    pub at: i64,
    /// Why.
    pub why: Outlived,
}

/// Groups that became supergroups: the id that each has now, with the one it had before.
pub type Moved = BTreeMap<i64, i64>;

/// A back-up was put in the place of the database, and no daemon has taken that up yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The back-up's path.
    pub file: String,
    /// The last event in it.
    pub through: i64,
    /// Events of the record that it replaced, if that could be read.
    pub replaced: Option<i64>,
    /// Later than all epochs of both.
    pub epoch: i64,
    /// The newest task of both.
    pub newest_task: i64,
}

/// What an input needs to be decided. Only what was loaded for it is there.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The mode in force.
    pub mode: Option<Mode>,
    /// The natural key was seen before; with the task it led to.
    pub seen: Option<Option<TaskId>>,
    /// The task it is about.
    pub task: Option<TaskView>,
    /// The button it is about.
    pub button: Option<ButtonRow>,
    /// The outbox row it is about.
    pub outbox: Option<OutboxRow>,
    /// Private chats in which we are welcome.
    pub reachable: Vec<i64>,
    /// Tasks that are not at an end.
    pub open_tasks: i64,
    /// Tasks by state, when the board was asked for; states without tasks are left out.
    pub by_state: BTreeMap<String, i64>,
    /// Tasks asked for.
    pub tasks: Vec<TaskRow>,
    /// Tasks that wait for a press (loaded when a daemon is back, for somebody who can be written to again, and for the board);
    /// with `restore`: tasks that wait for anything.
    pub waiting: Vec<TaskView>,
    /// When a daemon takes over: the database is a back-up that was put back.
    pub restore: Option<Restore>,
    /// Events asked for, oldest first.
    pub events: Vec<Recorded>,
    /// With events asked for: what was removed from the record.
    pub removed: Option<Removed>,
    /// Messages asked for.
    pub messages: Vec<OutboxRow>,
    /// What waits to be sent, by chat, when messages were asked for.
    pub backlog: Vec<BacklogRow>,
    /// Health asked for.
    pub ops: Option<OpsRow>,
    /// For updates of strangers: how many went unrecorded before this one, when this one is to be recorded.
    pub stranger: Option<u32>,
    /// Groups that became supergroups.
    pub moved: Moved,
    /// For updates of strangers: a listed group may have become a supergroup without our knowing.
    pub group_may_have_moved: bool,
    /// Chats that refused us, when somebody is to be told what is wrong.
    pub parked: Vec<i64>,
    /// Where the configured `report_chat` is now, when that group got a new id.
    pub report_chat_now: Option<i64>,
    /// The bot's user name, once it is known.
    pub username: Option<String>,
    /// Wall clock of the last completed long poll of this daemon, ms.
    pub polled_ms: Option<i64>,
    /// How long polling goes in this daemon's life.
    pub polling: Option<Polling>,
    /// Alerts that wait to be sent, when the daemon looks whether all is well.
    pub alerting: Vec<OutboxRow>,
    /// What is known of the way to Telegram.
    pub outage: Outage,
    /// The machine's boot, when a story is asked for: the clock of its deadlines.
    pub boot: String,
    /// No daemon runs: the database alone answers.
    pub offline: bool,
    /// Why the database takes no writes, while it does not.
    pub refuses: Option<String>,
    /// Bytes free for the database, if that is known.
    pub free_bytes: Option<u64>,
    /// Nothing new is to start for the rest of this daemon's life, or until that is lifted.
    pub draining: bool,
    /// Why no attempt can be started, while that is so.
    pub shortage: Option<String>,
    /// As many tasks are running as may be.
    pub running_full: bool,
    /// The number of the next task.
    pub next_task: i64,
    /// The number of the next message.
    pub next_message: i64,
}

impl View {
    /// The mode in force; supervised when nothing was loaded.
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Supervised)
    }
}
