//! What was seen of a run, from outside the daemon: who asked for what and was told what, what the workers wrote into their book,
//! what the chat showed, what is alive; and, to be compared with it, what the daemon says.

use super::chance::{Kind, Plan};
use mainstay_metric::ledger::{Command, Fault};
use std::collections::{BTreeMap, BTreeSet};

/// An attempt: task and number.
pub(super) type Key = (i64, u32);

/// All of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// What was wished, in this order.
    pub(super) wishes: Vec<Wish>,
    /// The workers' book.
    pub(super) book: Vec<Entry>,
    /// Attempts whose shim was killed.
    pub(super) struck: BTreeSet<Key>,
    /// Reports in the chat.
    pub(super) told: Vec<Told>,
    /// What the daemon says of each of its tasks.
    pub(super) record: BTreeMap<i64, Said>,
    /// Processes that are left: of ended tasks, or after everything has ended.
    pub(super) left: Vec<String>,
    /// What was done to it.
    pub(super) faults: Vec<Fault>,
    /// What people and programs asked.
    pub(super) commands: Vec<Command>,
    /// Exit codes of daemons that were asked to end; none: killed by a signal.
    pub(super) ended: Vec<Option<i32>>,
    /// What `verify-log` said at the end, if it was no.
    pub(super) unsound: Option<String>,
}

/// A task that somebody wants.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// Its name, which nothing else has: `job-7`.
    pub(super) job: String,
    pub(super) plan: Plan,
    /// Who wanted it was told its number.
    pub(super) task: Option<i64>,
    /// When each was said, ms, if it was answered with yes.
    pub(super) approved: Option<i64>,
    pub(super) resumed: Option<i64>,
    pub(super) stopped: Option<i64>,
    /// Things that a person did for it after asking.
    pub(super) acts: u32,
}

impl Wish {
    /// Acts that its kind asks for: let run, approve where it is heavy, and the stop that was wanted, if it came to that: what
    /// was killed before needed none.
    pub(super) fn least_acts(&self) -> u32 {
        let stop = self.plan.kind == Kind::Stubborn && self.stopped.is_some();
        1 + u32::from(self.plan.kind.is_heavy()) + u32::from(stop)
    }
}

/// A line of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) word: Word,
    pub(super) key: Key,
    pub(super) pid: i32,
    /// When, ms since the run began.
    pub(super) at_ms: i64,
    /// The job, or at an end the exit code.
    pub(super) rest: String,
}

/// What a worker notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It began.
    Begin,
    /// It did what it is for.
    Effect,
    /// It is about to end.
    End,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) task: i64,
    /// `SUCCEEDED`, ...
    pub(super) state: String,
    /// It says itself that it may be a repeat.
    pub(super) marked: bool,
}

/// What the daemon says of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) kind: String,
    pub(super) prompt: String,
    pub(super) state: String,
    pub(super) outcome: Option<String>,
    pub(super) exit_code: Option<i64>,
    pub(super) attempt: u32,
    /// `trace` says that the chain is whole.
    pub(super) complete: bool,
    /// Attempts in its trace that ended.
    pub(super) ended: BTreeSet<u32>,
}

impl Said {
    pub(super) fn is_over(&self) -> bool {
        ["SUCCEEDED", "FAILED", "CANCELED", "EXPIRED", "REJECTED"].contains(&self.state.as_str())
    }
}

impl Evidence {
    /// The wish that a task came of, by the job in its prompt.
    pub(super) fn wish_of(&self, task: i64) -> Option<&Wish> {
        let prompt = &self.record.get(&task)?.prompt;
        self.wishes.iter().find(|wish| prompt.split(' ').next() == Some(&wish.job))
    }

    /// Attempts that really ran, with what the book has of each.
    pub(super) fn attempts(&self) -> BTreeMap<Key, Vec<&Entry>> {
        let mut attempts: BTreeMap<Key, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.book {
            attempts.entry(entry.key).or_default().push(entry);
        }
        attempts
    }

    /// The attempts of a task that ran, by the book.
    pub(super) fn ran(&self, task: i64) -> BTreeSet<u32> {
        self.book.iter().filter(|entry| entry.key.0 == task).map(|entry| entry.key.1).collect()
    }

    /// The exit code with which an attempt said that it ends.
    pub(super) fn code(&self, key: Key) -> Option<i64> {
        let end = self.book.iter().find(|entry| entry.key == key && entry.word == Word::End)?;
        end.rest.parse().ok()
    }
}
