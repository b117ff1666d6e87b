//! What follows from a fact beside the tables: what is worth a look, and by when.

use super::Fact;
use crate::task::{Outcome, State, Step};

impl Fact {
    /// The move of the task's state that it carries, if any.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a fact that moves a task carries a step; all others do not")]
    pub fn step(&self) -> Option<Step> {
        match self {
            Fact::Approved { step, .. } => *step,
            Fact::Rejected { step, .. }
            | Fact::Resumed { step, .. }
            | Fact::Stopped { step, .. }
            | Fact::Expired { step }
            | Fact::Recovered { step, .. }
            | Fact::Claimed { step, .. }
            | Fact::Ended { step, .. } => Some(*step),
            _ => None,
        }
    }

    /// Its data alone, as JSON.
    pub fn data(&self) -> String {
        let whole = serde_json::to_string(self).expect("facts are plain data");
        let before = r#"{"kind":"","data":"#.len() + self.kind().len();
        debug_assert!(whole[..before].ends_with(r#","data":"#), "the kind's name is not what serde writes: {whole}");
        whole[before..whole.len() - 1].to_owned()
    }

    /// It queues something or frees a slot: the queue is worth a look.
    pub fn frees_or_queues(&self) -> bool {
        self.step()
            .is_some_and(|step| step.to() == State::Queued || matches!(step.from(), State::Queued | State::Running))
            || matches!(self, Fact::ModeSet { .. } | Fact::DiskWell { .. })
    }

    /// It makes a message sendable: the outbox is worth a look.
    pub fn fills_outbox(&self) -> bool {
        matches!(
            self,
            Fact::Queued { .. }
                | Fact::SendFailed { .. }
                | Fact::SendUnknown { .. }
                | Fact::ChatReturned { .. }
                | Fact::ChatMigrated { .. }
        )
    }

    /// It may be worth an alert at once: what else goes wrong is seen when the daemon next looks.
    pub fn may_alarm(&self) -> bool {
        matches!(
            self,
            Fact::ClockStepped { .. }
                | Fact::DiskLow { .. }
                | Fact::BackupFailed { .. }
                | Fact::Released { .. }
                | Fact::Restored { .. }
                | Fact::Violation { .. }
                | Fact::Expired { .. }
                | Fact::StopAsked { .. }
                | Fact::StopOverdue {}
                | Fact::Ended { outcome: Outcome::Unknown, .. }
        )
    }

    /// Boot clock, ms, at which it makes something due by itself.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a fact that makes something due carries when")]
    pub fn due(&self) -> Option<i64> {
        match self {
            Fact::Requested { until, .. } | Fact::Resumed { until, .. } | Fact::Recovered { until, .. } => Some(*until),
            Fact::StartFailed { until, .. } => Some(*until),
            Fact::Identified { until, .. } => *until,
            Fact::StopAsked { alarm } => Some(*alarm),
            Fact::Ended { retry, .. } => retry.map(|retry| retry.at),
            Fact::SendFailed { until, .. } => *until,
            Fact::Sent { next, .. } => Some(*next),
            _ => None,
        }
    }

    /// The state a task is in after it, if it says.
    pub fn state_after(&self) -> Option<State> {
        if matches!(self, Fact::Requested { .. }) { Some(State::Requested) } else { self.step().map(Step::to) }
    }
}
