//! What was seen of a round, beside what is seen of every run: how the switch ended, what runs, who was told, how long it took.

use super::modes::{Ends, Mode, Variant};
use super::supervisor::By;
use crate::kill::evidence::Evidence;

/// A task that ran before the switch began, and was let go when it was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) task: i64,
    /// Its worker.
    pub(crate) pid: i32,
    /// The same process lived when the switch was over.
    pub(crate) lived: bool,
}

/// A round.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) mode: &'static Mode,
    pub(crate) variant: Variant,
    pub(crate) seed: u64,
    /// Which round of its mode it was.
    pub(crate) nth: u64,
    /// What started the daemon.
    pub(crate) supervisor: By,
    /// What was done besides: who was killed, and at which step; which schema.
    pub(crate) done: String,
    /// How it may end.
    pub(crate) ends: Vec<Ends>,
    /// How the last command ended; none: it was killed.
    pub(crate) code: Option<i32>,
    /// What it said.
    pub(crate) said: String,
    /// Where `current` leads.
    pub(crate) current: Option<String>,
    /// The release whose program runs.
    pub(crate) runs: Option<String>,
    /// The messages that told of a release that failed: chat, text.
    pub(crate) alerts: Vec<(i64, String)>,
    pub(crate) spans: Vec<Span>,
    /// When tasks that ran over the switch were let go, ms.
    pub(crate) let_go: i64,
    /// What lies in the releases' folder and has no business there.
    pub(crate) left: Vec<String>,
    /// When the way back began, ms: the last look before the bad release was current, before it failed where it worked first,
    /// before `rollback`, before somebody was killed. None: there was no way back.
    pub(crate) began: Option<i64>,
    /// When it led back, ms, by the link.
    pub(crate) led_back: Option<i64>,
    /// When a question in the chat that was asked after it was answered, ms.
    pub(crate) back: Option<i64>,
    /// What else has to hold of other databases, and does or does not; none: it was not asked.
    pub(crate) schemas: Vec<(String, bool)>,
    pub(crate) moments: Vec<(String, i64)>,
    pub(crate) evidence: Evidence,
    /// How long the round took, ms.
    pub(crate) at_ms: i64,
    /// Why it did not come to its end.
    pub(crate) cut_off: Option<String>,
}

impl Seen {
    /// What is typed to have it again.
    pub(crate) fn again(&self) -> String {
        format!("--mode {} --rounds 1 --seed {} --nth {}", self.mode.name, self.seed, self.nth)
    }

    /// How long the way back took, ms; none where there was none, or it did not come to its end.
    pub(crate) fn way_back_ms(&self) -> Option<i64> {
        Some(self.back? - self.began?)
    }

    /// How it ended, if it may end so.
    pub(crate) fn end(&self) -> Option<Ends> {
        self.ends.iter().find(|end| Some(end.code) == self.code).copied()
    }
}
