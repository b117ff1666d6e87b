//! Everything that can go on record: one enum, the same fact as log line, database row, trace line and test input.
//!
//! The record is the truth and the tables are its sum: the store changes a table only by applying an event, so replaying
//! the record into an empty database gives the same tables. What a fact needs in order to be applied is therefore in it.
//! Deadlines are milliseconds of the boot clock of the boot named by the last [`Fact::Booted`] before them.

mod follows;
mod kinds;
mod outbox;
mod reasons;

pub use outbox::{Class, News, Then, What};
pub use reasons::{Again, Outlived, Passed};

use crate::attempt::{End, EndCause, Identity, LogDigest};
use crate::command::{Became, Mode};
use crate::id::{Actor, TaskId};
use crate::task::{Outcome, Step};
use serde::{Deserialize, Serialize};

/// Version of the meaning of events, and of the database that holds them. Raised when an older reader would misread a new
/// event.
pub const SCHEMA: u32 = 5;

/// One fact with what it belongs to. Becomes a row when it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Carried from the command to the last report; empty for what belongs to no command.
    pub trace: String,
    /// The task it is about.
    pub task: Option<TaskId>,
    /// The attempt it is about.
    pub attempt: Option<u32>,
    /// Who caused it.
    pub actor: Actor,
    /// What happened.
    pub fact: Fact,
}

/// An event for programs: with the version of its meaning.
#[derive(Debug, Serialize)]
pub struct Versioned<'a> {
    /// [`SCHEMA`].
    pub v: u32,
    /// The event.
    #[serde(flatten)]
    pub event: &'a Recorded,
}

/// An event on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Position in the record, from 1, without gaps.
    pub seq: i64,
    /// Wall clock, ms since 1970, for display.
    pub at: i64,
    /// The boot it happened in.
    pub boot: String,
    /// The daemon's life it happened in.
    pub epoch: i64,
    /// Trace id.
    pub trace: String,
    /// Task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Who.
    pub actor: Actor,
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
}

/// When the next attempt may begin, and until when it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Not before this.
    pub at: i64,
    /// The task's new time to live.
    pub until: i64,
}

/// What happened. Variants are grouped: the daemon, updates, tasks, attempts, messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case")]
pub enum Fact {
    /// A daemon took over. Deadlines of an earlier boot are moved to this boot's clock.
    Booted {
        /// The daemon's version.
        version: String,
        /// Hash of the configuration it runs with.
        config: String,
        /// The machine's boot.
        boot: String,
        /// Boot clock now.
        boot_ms: i64,
        /// Wall clock now.
        wall_ms: i64,
    },
    /// The daemon ends cleanly; tasks go on.
    Stopping {},
    /// The autonomy mode was set.
    ModeSet {
        /// To this.
        mode: Mode,
    },
    /// The token belongs to this bot; offsets are kept per bot.
    BotKnown {
        /// Numeric id.
        bot: i64,
        /// User name.
        username: String,
    },
    /// Long polling began to fail.
    PollBroke {
        /// How.
        error: String,
    },
    /// A long poll completed again.
    PollRecovered {
        /// Since it broke, ms.
        after_ms: i64,
        /// Failed polls in between.
        failures: u32,
    },
    /// Somebody else polls with our token, again and again (409).
    PollContested {
        /// How often in a row.
        times: u32,
    },
    /// The database refused writes and takes them again.
    StorageRecovered {
        /// What it had said.
        error: String,
        /// For how long, ms.
        after_ms: i64,
    },
    /// Nothing new is dispatched while the disk is this full.
    DiskLow {
        /// Bytes free.
        free: u64,
    },
    /// There is room again.
    DiskWell {
        /// Bytes free.
        free: u64,
    },
    /// The wall clock was set: it moved against the boot clock.
    ClockStepped {
        /// By so much, ms; negative when it went back.
        by_ms: i64,
    },
    /// Something is wrong, and has been for as long as it takes to be told of: whoever is in charge is told.
    AlertRaised {
        /// Its name ([`crate::anomaly::ANOMALIES`]).
        anomaly: String,
        /// Which one of its kind: a task's number; empty where there can be only one.
        about: String,
        /// As it was told.
        words: String,
    },
    /// It is over, and that is told too.
    AlertOver {
        /// Its name.
        anomaly: String,
        /// Which one of its kind.
        about: String,
        /// Since it was raised, ms of the wall clock.
        lasted_ms: i64,
    },
    /// A back-up of the database was made, read back and found whole.
    BackedUp {
        /// Its path.
        file: String,
        /// Its size.
        bytes: u64,
        /// Events in it: it has the record up to this one.
        events: i64,
    },
    /// A back-up could not be made; those before it are as they were.
    BackupFailed {
        /// Why.
        error: String,
    },
    /// The program was switched to another release, or back; told by whoever switches.
    Released {
        /// The release that runs now, or was to.
        release: String,
        /// What became of it.
        became: Became,
        /// The one before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Why, where it did not just go forward.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// The database was replaced by a back-up, and the record goes on from the last event in that. What waited or ran then may
    /// have run since: what waited is canceled by the events that follow, and what ran is not tried again by itself.
    Restored {
        /// The back-up's path.
        file: String,
        /// The last event in it.
        through: i64,
        /// Events of the record that it replaced, if that could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaced: Option<i64>,
        /// Counts as a daemon's life of this number, which is later than all lives of both.
        epoch: i64,
        /// Numbers of tasks up to this one were given, in one of both: they are not given again.
        newest_task: i64,
    },
    /// Something that must not happen, happened. Counted; never normal.
    Violation {
        /// What.
        what: String,
    },
    /// The oldest events were removed from the record. The chain of what is left begins at `hash`.
    Pruned {
        /// All up to this one are gone.
        through: i64,
        /// Its hash, hex.
        hash: String,
        /// How many were removed this time.
        events: i64,
        /// Why.
        why: Outlived,
    },

    /// An update or local request was taken up. `key` is its natural key: it is never taken up again.
    Received {
        /// Natural key.
        key: String,
        /// The update's id, for updates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        update: Option<i64>,
        /// The chat, for updates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chat: Option<i64>,
        /// The command's name, or what the button meant.
        command: String,
    },
    /// The same again: nothing was done.
    Replayed {
        /// What makes it the same.
        #[serde(default, skip_serializing_if = "Again::is_delivery")]
        again: Again,
        /// Natural key of what came.
        key: String,
        /// The update's id this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        update: Option<i64>,
        /// As it was answered, if it was.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// Passed over; nothing was done.
    PassedOver {
        /// Why.
        why: Passed,
        /// Natural key, if it has one: it is never looked at again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The update's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        update: Option<i64>,
        /// The chat.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chat: Option<i64>,
        /// Whom it came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<i64>,
        /// How many before this one went without an event of their own.
        #[serde(default, skip_serializing_if = "is_zero")]
        unrecorded: u32,
    },
    /// A command was understood and not carried out.
    Refused {
        /// Its name.
        command: String,
        /// Why, as it was answered.
        why: String,
        /// Of no meaning any more, and false: a wish that is fulfilled already is [`Fact::Replayed`]. Programs of schema 1
        /// can't read the event without it.
        #[serde(default)]
        already: bool,
    },

    /// Somebody asked for a task.
    Requested {
        /// Its kind.
        #[serde(rename = "of")]
        kind: String,
        /// What to do.
        prompt: String,
        /// Heavy when it was asked for.
        heavy: bool,
        /// Concurrency group.
        group: String,
        /// Where it reports to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chat: Option<i64>,
        /// The topic there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<i32>,
        /// The message that asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<i32>,
        /// The task it repeats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rerun_of: Option<TaskId>,
        /// Until when it may wait for approval and resume.
        until: i64,
    },
    /// Somebody (or the policy) approved what `hash` names.
    Approved {
        /// Of kind, argv, prompt, plan: what will run.
        hash: String,
        /// Their words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
        /// Until when the approval holds.
        until: i64,
        /// The move, when it was the last one needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<Step>,
    },
    /// What would run is no longer what was approved: approvals and reviews no longer count.
    Voided {
        /// What changed.
        why: String,
    },
    /// Refused by an approver.
    Rejected {
        /// Why.
        reason: String,
        /// The move.
        step: Step,
    },
    /// A plan was attached; earlier approvals and reviews no longer count.
    Planned {
        /// The plan.
        text: String,
    },
    /// A review of what `hash` names.
    Reviewed {
        /// What was reviewed.
        hash: String,
        /// The verdict.
        pass: bool,
        /// Reason code of a failed one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Their words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        notes: String,
    },
    /// Let run: it waits for a slot.
    Resumed {
        /// The move.
        step: Step,
        /// Until when it may wait.
        until: i64,
    },
    /// Stopped or withdrawn before it ran.
    Stopped {
        /// Why, if not by an operator's wish.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// The move.
        step: Step,
    },
    /// Its time to live ran out.
    Expired {
        /// The move.
        step: Step,
    },
    /// Taken back from an end: all gates again.
    Recovered {
        /// The move.
        step: Step,
        /// Until when it may wait.
        until: i64,
    },

    /// The dispatcher claimed a slot for this attempt. Nothing has been started.
    Claimed {
        /// Names this attempt to the machine.
        nonce: String,
        /// What will run.
        hash: String,
        /// The move.
        step: Step,
    },
    /// The attempt's shim is ready and known; it is told to go next.
    Identified {
        /// Who it is.
        identity: Identity,
        /// When it must have ended: its time limit, the stop ladder and some grace. None when its kind is no longer configured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
    },
    /// The shim could not be started; nothing has run. Tried again at `until`.
    StartFailed {
        /// Why.
        error: String,
        /// When.
        until: i64,
    },
    /// What was left of a never started attempt was cleared; it is started under the same number.
    StartAgain {
        /// What was found.
        found: String,
    },
    /// A new daemon found the attempt alive and watches it.
    Adopted {
        /// Who it is.
        identity: Identity,
    },
    /// Somebody wants the running attempt stopped (the system: its shim did not keep the time limit); the ladder began.
    StopAsked {
        /// By then it must be gone.
        alarm: i64,
    },
    /// The stop ladder is over and something is still alive: it is being killed. The slot stays taken.
    StopOverdue {},
    /// The newest line of the task's own progress.
    Progress {
        /// The line.
        line: String,
    },
    /// The attempt ended, with what the task came to by it.
    Ended {
        /// How the main process ended, when a receipt says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<End>,
        /// Whether the shim had a hand in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<EndCause>,
        /// What it came to.
        outcome: Outcome,
        /// Run time, ms.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ran_ms: Option<i64>,
        /// Processes that had outlived the main one.
        #[serde(default, skip_serializing_if = "is_zero")]
        strays: u32,
        /// Output, stdout and stderr.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        logs: Vec<LogDigest>,
        /// For people, when the outcome is not plain.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        evidence: String,
        /// A stop was asked for, but it had already ended.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stop_lost: bool,
        /// It is tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry: Option<Retry>,
        /// The move.
        step: Step,
    },

    /// A message waits to be sent; for a card: it has to be shown as it now is.
    Queued {
        /// Its number in the outbox; the same for every change of one card.
        id: i64,
        /// Order of sending.
        class: Class,
        /// Where to.
        chat: i64,
        /// What.
        what: What,
        /// Not an edit of the card that is there, but a new one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
    },
    /// The request is about to be written: from here on it may arrive.
    Sending {
        /// Outbox number.
        id: i64,
        /// Which change of it (cards).
        #[serde(default, skip_serializing_if = "is_zero")]
        version: u32,
    },
    /// Telegram has it.
    Sent {
        /// Outbox number.
        id: i64,
        /// The message's id in the chat; 0 when it is what it was.
        message: i32,
        /// Which change of it is now shown (cards).
        #[serde(default, skip_serializing_if = "is_zero")]
        version: u32,
        /// The chat's next message not before this.
        next: i64,
    },
    /// It could not be sent, or nobody can know.
    SendFailed {
        /// Outbox number.
        id: i64,
        /// What Telegram or the network said.
        error: String,
        /// What follows.
        then: Then,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
    },
    /// A daemon died between writing a request and its answer: it may have arrived.
    SendUnknown {
        /// Outbox number.
        id: i64,
    },
    /// Messages of this chat flow again.
    ChatReturned {
        /// The chat.
        chat: i64,
    },
    /// A group became a supergroup: its id is rewritten everywhere.
    ChatMigrated {
        /// Old id.
        from: i64,
        /// New id.
        to: i64,
    },
    /// A button that confirms a late command was issued.
    ConfirmAsked {
        /// The button.
        nonce: String,
        /// The command as it was said.
        text: String,
        /// The only one who may press it.
        user: i64,
        /// Where.
        chat: i64,
        /// The message that said it.
        message: i32,
        /// Until when.
        until: i64,
    },
    /// A button was used.
    ButtonUsed {
        /// The button.
        nonce: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}
