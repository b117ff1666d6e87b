//! Names of things: small newtypes, so that a task is never mistaken for a chat.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A task's number: small, counted up from 1, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub i64);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TaskId {
    type Err = std::num::ParseIntError;
    /// Accepts `42` and `#42`.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.strip_prefix('#').unwrap_or(s).parse().map(TaskId)
    }
}

/// One execution of a task; names it for ever, in the database, in folder names and to the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptKey {
    /// The task.
    pub task: TaskId,
    /// Counted from 1 within the task.
    pub attempt: u32,
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.task, self.attempt)
    }
}

impl FromStr for AttemptKey {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        let (task, attempt) = s.split_once('-').ok_or(())?;
        let key = AttemptKey { task: TaskId(task.parse().map_err(|_| ())?), attempt: attempt.parse().map_err(|_| ())? };
        // Only the canonical spelling is a name: `007-1` is somebody else's folder.
        if key.to_string() == s { Ok(key) } else { Err(()) }
    }
}

/// Who caused something. Written in events and approvals, compared for four-eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A Telegram user, by the numeric id.
    User(i64),
    /// A user of this machine, by uid, over the local socket.
    Local(u32),
    /// The autonomy policy: what nobody had to ask for.
    Policy,
    /// The daemon itself: limits, recovery.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::User(id) => write!(f, "tg:{id}"),
            Actor::Local(uid) => write!(f, "uid:{uid}"),
            Actor::Policy => f.write_str("policy"),
            Actor::System => f.write_str("mainstay"),
        }
    }
}

impl FromStr for Actor {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let bad = || format!("read actor {s:?}");
        match s.split_once(':') {
            Some(("tg", id)) => id.parse().map(Actor::User).map_err(|_| bad()),
            Some(("uid", id)) => id.parse().map(Actor::Local).map_err(|_| bad()),
            Some(_) => Err(bad()),
            None if s == "policy" => Ok(Actor::Policy),
            None if s == "mainstay" => Ok(Actor::System),
            None => Err(bad()),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
