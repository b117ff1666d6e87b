//! The life cycle of a task, whole: states, causes, and the one function that says which cause leads where.
//!
//! ```text
//!             asked                all approvals          resume, gates ok         claimed
//!   (nothing) -----> REQUESTED ------------------> APPROVED -----------> QUEUED -----------> RUNNING
//!                      |   ^                          |                 |    ^                  |
//!    rejected, stopped |   | recovered                | stopped         |    | retry            |
//!                      v   |                          v                 |    +------------------+
//!                    CANCELED <---------------------------- stopped ----+                       |
//!                    EXPIRED  <----- time to live ran out (from the three waiting states)       |
//!                    SUCCEEDED, FAILED, CANCELED <----------------------------------------------+
//! ```
//!
//! No other file can write a state: a [`Step`] can only be made here, and the store takes states from steps alone.
//! What a state deliberately does not say: whether a stop was asked for, which gate a task waits for, how sure we are of an
//! outcome. Those are facts beside it (`stop_asked`, gates, [`Outcome`]).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Asked for; approvals are missing.
    Requested,
    /// Approved; somebody has to resume it, and its other gates have to hold.
    Approved,
    /// Waiting for a slot or for its next try.
    Queued,
    /// An attempt was claimed and has not been seen to end.
    Running,
    /// Its last attempt exited with 0. Never left.
    Succeeded,
    /// It failed for good, or its outcome can't be known.
    Failed,
    /// Stopped or rejected, and nothing of it is alive.
    Canceled,
    /// Its time to live ran out before it ran.
    Expired,
}

impl State {
    /// All, in the order of a life.
    pub const ALL: [State; 8] = [
        State::Requested,
        State::Approved,
        State::Queued,
        State::Running,
        State::Succeeded,
        State::Failed,
        State::Canceled,
        State::Expired,
    ];

    /// As in the database, in answers and in docs.
    pub const fn name(self) -> &'static str {
        match self {
            State::Requested => "REQUESTED",
            State::Approved => "APPROVED",
            State::Queued => "QUEUED",
            State::Running => "RUNNING",
            State::Succeeded => "SUCCEEDED",
            State::Failed => "FAILED",
            State::Canceled => "CANCELED",
            State::Expired => "EXPIRED",
        }
    }

    /// Nothing more happens to it by itself.
    pub const fn is_terminal(self) -> bool {
        match self {
            State::Requested | State::Approved | State::Queued | State::Running => false,
            State::Succeeded | State::Failed | State::Canceled | State::Expired => true,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for State {
    type Err = String;
    /// In any case: people type `running`.
    fn from_str(s: &str) -> Result<Self, String> {
        State::ALL
            .into_iter()
            .find(|state| state.name().eq_ignore_ascii_case(s))
            .ok_or_else(|| format!("read state {s:?}"))
    }
}

/// Why a task moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The last required approval was given.
    Approved,
    /// An approver said no.
    Rejected,
    /// An operator resumed it and every gate was satisfied.
    Resumed,
    /// Stopped before it ran; for a running task: stopped, and its whole process tree is gone.
    Stopped,
    /// Its time to live ran out.
    Expired,
    /// The dispatcher claimed a slot for its next attempt.
    Claimed,
    /// The attempt exited with 0.
    ExitedZero,
    /// Failed for good, timed out for good, or retries are spent.
    FailedForGood,
    /// A transient failure, and budget is left.
    WillRetry,
    /// Outcome unknown, but the kind is declared idempotent and budget is left.
    UnknownWillRetry,
    /// Outcome unknown, and running it again might do it twice.
    UnknownForGood,
    /// An operator took it back from an end, explicitly.
    Recovered,
}

impl Cause {
    /// All of them, for tables.
    pub const ALL: [Cause; 12] = [
        Cause::Approved,
        Cause::Rejected,
        Cause::Resumed,
        Cause::Stopped,
        Cause::Expired,
        Cause::Claimed,
        Cause::ExitedZero,
        Cause::FailedForGood,
        Cause::WillRetry,
        Cause::UnknownWillRetry,
        Cause::UnknownForGood,
        Cause::Recovered,
    ];
}

/// A legal move. Only [`step`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    from: State,
    cause: Cause,
    to: State,
}

impl Step {
    /// The state it leaves. The store checks that the task is still there.
    pub const fn from(self) -> State {
        self.from
    }
    /// Why.
    pub const fn cause(self) -> Cause {
        self.cause
    }
    /// The state it reaches.
    pub const fn to(self) -> State {
        self.to
    }
}

/// On record a step is `["QUEUED","claimed"]`; reading it back goes through [`step`], so an illegal one can't be read either.
impl Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.from, self.cause).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (from, cause) = Deserialize::deserialize(d)?;
        step(from, cause)
            .map_err(|refused| serde::de::Error::custom(format!("follow step {from} {cause:?}: {refused:?}")))
    }
}

/// Why a cause leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// It is so already: a friendly answer, and no change.
    Already,
    /// It must not happen: rejected, recorded, answered with why.
    Illegal,
}

/// The life cycle. Pure and total; every pair is in a reviewed snapshot.
///
/// # Errors
/// [`Refused`] says whether the wish is already fulfilled or illegal.
pub fn step(from: State, cause: Cause) -> Result<Step, Refused> {
    use Refused::{Already, Illegal};
    use State::{Approved, Canceled, Expired, Failed, Queued, Requested, Running, Succeeded};
    let to = match (cause, from) {
        (Cause::Approved, Requested) => Approved,
        (Cause::Approved, Approved | Queued | Running | Succeeded) => return Err(Already),
        (Cause::Approved, Failed | Canceled | Expired) => return Err(Illegal),

        (Cause::Rejected, Requested) => Canceled,
        (Cause::Rejected, Canceled) => return Err(Already),
        (Cause::Rejected, Approved | Queued | Running | Succeeded | Failed | Expired) => {
            return Err(Illegal);
        }

        (Cause::Resumed, Approved) => Queued,
        (Cause::Resumed, Queued | Running | Succeeded) => return Err(Already),
        (Cause::Resumed, Requested | Failed | Canceled | Expired) => return Err(Illegal),

        (Cause::Stopped, Requested | Approved | Queued | Running) => Canceled,
        (Cause::Stopped, Canceled | Succeeded | Failed | Expired) => return Err(Already),

        (Cause::Expired, Requested | Approved | Queued) => Expired,
        (Cause::Expired, Expired) => return Err(Already),
        (Cause::Expired, Running | Succeeded | Failed | Canceled) => return Err(Illegal),

        (Cause::Claimed, Queued) => Running,
        (Cause::Claimed, Running) => return Err(Already),
        (Cause::Claimed, Requested | Approved | Succeeded | Failed | Canceled | Expired) => {
            return Err(Illegal);
        }

        (Cause::ExitedZero, Running) => Succeeded,
        (Cause::ExitedZero, Succeeded) => return Err(Already),
        (Cause::ExitedZero, Requested | Approved | Queued | Failed | Canceled | Expired) => {
            return Err(Illegal);
        }

        (Cause::FailedForGood | Cause::UnknownForGood, Running) => Failed,
        (Cause::FailedForGood | Cause::UnknownForGood, Failed) => return Err(Already),
        (
            Cause::FailedForGood | Cause::UnknownForGood,
            Requested | Approved | Queued | Succeeded | Canceled | Expired,
        ) => return Err(Illegal),

        (Cause::WillRetry | Cause::UnknownWillRetry, Running) => Queued,
        (Cause::WillRetry | Cause::UnknownWillRetry, Queued) => return Err(Already),
        (
            Cause::WillRetry | Cause::UnknownWillRetry,
            Requested | Approved | Succeeded | Failed | Canceled | Expired,
        ) => return Err(Illegal),

        (Cause::Recovered, Failed | Canceled | Expired) => Requested,
        (Cause::Recovered, Requested) => return Err(Already),
        (Cause::Recovered, Approved | Queued | Running | Succeeded) => return Err(Illegal),
    };
    Ok(Step { from, cause, to })
}

/// What came of a task that ended, and how sure that is. Set together with a terminal state, cleared by `/recover`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Exit code 0, by receipt.
    Success,
    /// Another exit code or a signal, by receipt.
    Failure,
    /// Its time limit ended it.
    Timeout,
    /// The program could not be started.
    NotStarted,
    /// Nobody can know: it may have run to its end, in part, or not at all.
    Unknown,
    /// Stopped by an operator.
    Stopped,
    /// Rejected by an approver.
    Rejected,
    /// Its time to live ran out.
    Expired,
}

impl Outcome {
    /// All.
    pub const ALL: [Outcome; 8] = [
        Outcome::Success,
        Outcome::Failure,
        Outcome::Timeout,
        Outcome::NotStarted,
        Outcome::Unknown,
        Outcome::Stopped,
        Outcome::Rejected,
        Outcome::Expired,
    ];

    /// As in the database and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Timeout => "timeout",
            Outcome::NotStarted => "not_started",
            Outcome::Unknown => "unknown",
            Outcome::Stopped => "stopped",
            Outcome::Rejected => "rejected",
            Outcome::Expired => "expired",
        }
    }
}

impl FromStr for Outcome {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        serde_json::from_value(serde_json::Value::from(s)).map_err(|_| format!("read outcome {s:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_state_and_cause_is_decided_as_reviewed() {
        let mut table = String::new();
        for cause in Cause::ALL {
            for state in State::ALL {
                let result = match step(state, cause) {
                    Ok(step) => format!("-> {}", step.to()),
                    Err(Refused::Already) => "already".into(),
                    Err(Refused::Illegal) => "illegal".into(),
                };
                table += &format!("{:<18}{state:<11}{result}\n", format!("{cause:?}"));
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_terminal_state_is_left_by_recover_only_and_success_never() {
        for state in State::ALL.into_iter().filter(|s| s.is_terminal()) {
            for cause in Cause::ALL {
                if let Ok(step) = step(state, cause) {
                    assert_eq!(cause, Cause::Recovered, "{state} left by {cause:?}");
                    assert_eq!(step.to(), State::Requested);
                    assert_ne!(state, State::Succeeded);
                }
            }
        }
    }

    #[test]
    fn only_a_claim_leads_to_running() {
        for state in State::ALL {
            for cause in Cause::ALL {
                if step(state, cause).is_ok_and(|s| s.to() == State::Running) {
                    assert_eq!((state, cause), (State::Queued, Cause::Claimed));
                }
            }
        }
    }

    #[test]
    fn an_illegal_step_cannot_be_read_from_the_record() {
        assert!(serde_json::from_str::<Step>(r#"["REQUESTED","claimed"]"#).is_err());
        let step = serde_json::from_str::<Step>(r#"["QUEUED","claimed"]"#).expect("legal");
        assert_eq!(step.to(), State::Running);
    }
}
