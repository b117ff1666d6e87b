//! Long polling: how its health changes with each result, and when the next poll may begin. Pure.

use crate::event::Fact;
use crate::policy;
use crate::ports::{CallError, CallErrorKind};
use crate::view::Polling;

/// What is known of long polling in this daemon's life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PollHealth {
    /// Failed polls in a row.
    pub failures: u32,
    /// Boot clock at the first of them, ms.
    pub broke_at: Option<i64>,
    /// 409 answers in a row.
    pub conflicts: u32,
    /// Refusals of the token in a row.
    pub refusals: u32,
    /// Wall clock of the last completed poll, ms. The watchdog counts these alone: other calls that succeed prove nothing.
    pub completed_ms: Option<i64>,
    /// Boot clock of the same, or of when this daemon began, ms.
    pub heard_at: i64,
}

impl PollHealth {
    /// Of a daemon that begins.
    pub fn new(boot_ms: i64) -> PollHealth {
        PollHealth { heard_at: boot_ms, ..PollHealth::default() }
    }

    /// As those see it who judge it.
    pub fn seen(&self, boot_ms: i64) -> Polling {
        Polling { silent_ms: boot_ms - self.heard_at, failures: self.failures, refusals: self.refusals }
    }

    /// A poll completed.
    pub fn completed(&mut self, boot_ms: i64, wall_ms: i64) -> Option<Fact> {
        let news =
            self.broke_at.map(|broke_at| Fact::PollRecovered { after_ms: boot_ms - broke_at, failures: self.failures });
        *self = PollHealth { completed_ms: Some(wall_ms), ..PollHealth::new(boot_ms) };
        news
    }

    /// A poll failed: what to put on record, and the pause before the next one, ms.
    pub fn failed(&mut self, error: &CallError, boot_ms: i64, entropy: u64) -> (Option<Fact>, i64) {
        self.failures += 1;
        let conflict = error.kind == CallErrorKind::Conflict;
        self.conflicts = if conflict { self.conflicts + 1 } else { 0 };
        self.refusals = if error.kind == CallErrorKind::Unauthorized { self.refusals + 1 } else { 0 };
        let pause = match &error.kind {
            CallErrorKind::Flood(wait) => {
                i64::try_from(wait.as_millis()).unwrap_or(policy::POLL_RETRY_CAP_MS).max(policy::POLL_RETRY_BASE_MS / 2)
            }
            CallErrorKind::NotSent
            | CallErrorKind::Ambiguous
            | CallErrorKind::Migrated(_)
            | CallErrorKind::Forbidden
            | CallErrorKind::Unauthorized
            | CallErrorKind::Conflict
            | CallErrorKind::NotModified
            | CallErrorKind::EditTargetGone
            | CallErrorKind::ThreadGone
            | CallErrorKind::PressTooOld
            | CallErrorKind::TooLong
            | CallErrorKind::Refused => {
                policy::backoff_ms(policy::POLL_RETRY_BASE_MS, policy::POLL_RETRY_CAP_MS, self.failures - 1, entropy)
            }
        };
        // The first 409 after a restart is our own old poll, which the server has not given up yet.
        if conflict && self.conflicts == policy::POLL_CONFLICTS_BEFORE_ALARM {
            return (Some(Fact::PollContested { times: self.conflicts }), pause);
        }
        let first = self.broke_at.is_none() && !(conflict && self.conflicts == 1);
        if first {
            self.broke_at = Some(boot_ms);
            return (Some(Fact::PollBroke { error: error.text.chars().take(200).collect() }), pause);
        }
        (None, pause)
    }
}

/// Strangers that were passed over lately: so that a flood of them does not flood the record. Bounded.
#[derive(Debug, Clone, Default)]
pub struct Strangers {
    /// Chat -> (boot clock of its last event, passed over since without one).
    seen: std::collections::BTreeMap<i64, (i64, u32)>,
}

impl Strangers {
    /// Another update of a stranger in `chat`: how many went unrecorded, if this one is to be recorded.
    pub fn knock(&mut self, chat: i64, boot_ms: i64) -> Option<u32> {
        // Beyond the bound, all further chats share one place.
        let place =
            if self.seen.len() < policy::STRANGERS_TRACKED_MAX || self.seen.contains_key(&chat) { chat } else { 0 };
        match self.seen.get_mut(&place) {
            Some((at, unrecorded)) if boot_ms - *at < policy::STRANGER_RECORD_GAP_MS => {
                *unrecorded += 1;
                None
            }
            Some((at, unrecorded)) => {
                *at = boot_ms;
                Some(std::mem::take(unrecorded))
            }
            None => {
                self.seen.insert(place, (boot_ms, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: CallErrorKind) -> CallError {
        CallError { kind, text: "x".into() }
    }

    #[test]
    fn a_break_and_its_end_are_one_event_each() {
        let mut health = PollHealth::default();
        let (news, pause) = health.failed(&error(CallErrorKind::NotSent), 1_000, 7);
        assert!(matches!(news, Some(Fact::PollBroke { .. })));
        assert!(pause >= policy::POLL_RETRY_BASE_MS / 2);
        assert_eq!(health.failed(&error(CallErrorKind::NotSent), 5_000, 7).0, None);
        assert_eq!(health.completed(9_000, 1), Some(Fact::PollRecovered { after_ms: 8_000, failures: 2 }));
        assert_eq!(health.completed(9_500, 2), None);
    }

    #[test]
    fn the_first_conflict_is_no_alarm_and_the_third_is() {
        let mut health = PollHealth::default();
        assert_eq!(health.failed(&error(CallErrorKind::Conflict), 0, 1).0, None);
        assert!(matches!(health.failed(&error(CallErrorKind::Conflict), 0, 1).0, Some(Fact::PollBroke { .. })));
        assert_eq!(health.failed(&error(CallErrorKind::Conflict), 0, 1).0, Some(Fact::PollContested { times: 3 }));
        assert_eq!(health.failed(&error(CallErrorKind::Conflict), 0, 1).0, None);
    }

    #[test]
    fn a_flood_of_strangers_leaves_one_event_an_hour() {
        let mut strangers = Strangers::default();
        assert_eq!(strangers.knock(7, 0), Some(0));
        for at in 1..1_000 {
            assert_eq!(strangers.knock(7, at), None);
        }
        assert_eq!(strangers.knock(7, policy::STRANGER_RECORD_GAP_MS), Some(999));
        let recorded = (0..10_000).filter(|chat| strangers.knock(100 + chat, 5).is_some()).count();
        assert!(recorded <= policy::STRANGERS_TRACKED_MAX + 1, "{recorded}");
    }
}
