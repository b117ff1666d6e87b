//! What was seen of a run, from outside the daemon: who asked for what and was told what, what the workers wrote into their book,
//! what the chat showed, what is alive; and, to be compared with it, what the daemon says.

use super::chance::{Kind, Plan};
use mainstay_metric::ledger::{Command, Fault};
use std::collections::{BTreeMap, BTreeSet};

/// An attempt: task and number.
pub(crate) type Key = (i64, u32);

/// All of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// What was wished, in this order.
    pub(crate) wishes: Vec<Wish>,
    /// The workers' book.
    pub(crate) book: Vec<Entry>,
    /// Attempts whose shim was killed.
    pub(crate) struck: BTreeSet<Key>,
    /// Reports in the chat.
    pub(crate) told: Vec<Told>,
    /// What the daemon says of each of its tasks.
    pub(crate) record: BTreeMap<i64, Said>,
    /// Processes that are left: of ended tasks, or after everything has ended.
    pub(crate) left: Vec<String>,
    /// What was done to it.
    pub(crate) faults: Vec<Fault>,
    /// What people and programs asked.
    pub(crate) commands: Vec<Command>,
    /// Exit codes of daemons that were asked to end; none: killed by a signal.
    pub(crate) ended: Vec<Option<i32>>,
    /// What `verify-log` said at the end, if it was no.
    pub(crate) unsound: Option<String>,
}

/// A task that somebody wants.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// Its name, which nothing else has: `job-7`.
    pub(crate) job: String,
    pub(crate) plan: Plan,
    /// Who wanted it was told its number.
    pub(crate) task: Option<i64>,
    /// When each was said, ms, if it was answered with yes.
    pub(crate) approved: Option<i64>,
    pub(crate) resumed: Option<i64>,
    pub(crate) stopped: Option<i64>,
    /// Things that a person did for it after asking.
    pub(crate) acts: u32,
}

impl Wish {
    /// Acts that its kind asks for: let run, approve where it is heavy, and the stop that was wanted, if it came to that: what
    /// was killed before needed none.
    pub(crate) fn least_acts(&self) -> u32 {
        let stop = self.plan.kind == Kind::Stubborn && self.stopped.is_some();
        1 + u32::from(self.plan.kind.is_heavy()) + u32::from(stop)
    }
}

/// A line of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) word: Word,
    pub(crate) key: Key,
    pub(crate) pid: i32,
    /// When, ms since the run began.
    pub(crate) at_ms: i64,
    /// The job, or at an end the exit code.
    pub(crate) rest: String,
}

/// What a worker notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// It began.
    Begin,
    /// It did what it is for.
    Effect,
    /// It is about to end.
    End,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) task: i64,
    /// `SUCCEEDED`, ...
    pub(crate) state: String,
    /// It says itself that it may be a repeat.
    pub(crate) marked: bool,
}

/// What the daemon says of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) kind: String,
    pub(crate) prompt: String,
    pub(crate) state: String,
    pub(crate) outcome: Option<String>,
    pub(crate) exit_code: Option<i64>,
    pub(crate) attempt: u32,
    /// `trace` says that the chain is whole.
    pub(crate) complete: bool,
    /// Attempts in its trace that ended.
    pub(crate) ended: BTreeSet<u32>,
}

impl Said {
    pub(crate) fn is_over(&self) -> bool {
        ["SUCCEEDED", "FAILED", "CANCELED", "EXPIRED", "REJECTED"].contains(&self.state.as_str())
    }
}

impl Evidence {
    /// The wish that a task came of, by the job in its prompt.
    pub(crate) fn wish_of(&self, task: i64) -> Option<&Wish> {
        let prompt = &self.record.get(&task)?.prompt;
        self.wishes.iter().find(|wish| prompt.split(' ').next() == Some(&wish.job))
    }

    /// Attempts that really ran, with what the book has of each.
    pub(crate) fn attempts(&self) -> BTreeMap<Key, Vec<&Entry>> {
        let mut attempts: BTreeMap<Key, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.book {
            attempts.entry(entry.key).or_default().push(entry);
        }
        attempts
    }

    /// The attempts of a task that ran, by the book.
    pub(crate) fn ran(&self, task: i64) -> BTreeSet<u32> {
        self.book.iter().filter(|entry| entry.key.0 == task).map(|entry| entry.key.1).collect()
    }

    /// The exit code with which an attempt said that it ends.
    pub(crate) fn code(&self, key: Key) -> Option<i64> {
        let end = self.book.iter().find(|entry| entry.key == key && entry.word == Word::End)?;
        end.rest.parse().ok()
    }
}
