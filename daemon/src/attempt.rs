//! One execution of a task as the machine knows it: who its shim is, how it ended, what is left of it.

use crate::id::AttemptKey;
use serde::{Deserialize, Serialize};

/// Who a shim is: unlike a bare pid, never somebody else later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The boot it lives in.
    pub boot: String,
    /// Its pid.
    pub pid: u32,
    /// Its start time in clock ticks since boot (field 22 of /proc/pid/stat).
    pub start: u64,
}

/// How the main process of an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
    /// It never was: the program could not be started, and why.
    NotStarted(String),
}

/// Why it ended, as far as the shim had a hand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// By itself.
    Itself,
    /// The shim was asked to stop it, and it had not ended before.
    Stopped,
    /// Its time was up.
    TimedOut,
}

/// What a shim says of an attempt's end: written once, durable, true for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which attempt.
    pub key: AttemptKey,
    /// The spec's nonce: a receipt of another attempt of the same name is no receipt.
    pub nonce: String,
    /// How.
    pub end: End,
    /// Why.
    pub cause: EndCause,
    /// Wall clock at the child's start, ms since 1970.
    pub started_ms: i64,
    /// Wall clock at its end.
    pub ended_ms: i64,
    /// Run time by the boot clock, ms.
    pub ran_ms: i64,
    /// User and system CPU time of the tree, ms.
    pub cpu_ms: i64,
    /// Largest resident set of one process, KiB.
    pub max_rss_kib: i64,
    /// Processes of the tree that outlived the main process and were killed.
    pub strays: u32,
    /// What was written to standard output.
    pub stdout: LogDigest,
    /// What was written to standard error.
    pub stderr: LogDigest,
}

/// A stream's total, whatever of it was kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDigest {
    /// Bytes written by the task.
    pub bytes: u64,
    /// Bytes of them that are no longer kept.
    pub dropped: u64,
    /// SHA-256 over all of them, hex.
    pub sha256: String,
    /// Those of the dropped that could not be written in the first place, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// Output that did not come as far as the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// How much.
    pub bytes: u64,
    /// What the system said first.
    pub error: String,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes of output lost: {}", self.bytes, self.error)
    }
}

/// What the machine says of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// No trace of it.
    Absent,
    /// There is a folder, but certainly nothing of the task has run.
    NotStarted,
    /// Its shim lives (holds the lock).
    Alive(Identity),
    /// It ended, and this is how.
    Ended(Box<Receipt>),
    /// It may have run; its shim is gone without a receipt. The evidence, for people.
    Vanished(String),
}
