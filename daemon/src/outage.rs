//! The way to Telegram, as the calls of messages tell: while nothing gets through, all messages wait together. Pure.
//!
//! A refused connection says nothing about the message that met it. Were each message to find out by itself, an outage would
//! leave two events for every try of every message that waits. So one message tries for all, ever less often.

use crate::policy;
use crate::ports::{CallError, CallErrorKind, Called};

/// What is known of it in this daemon's life: a new daemon begins by trying.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outage {
    /// Boot clock, ms: nothing is sent before.
    pub until: i64,
    /// Wall clock of the first call that failed since one got through, ms, and what was said at the last; none while messages
    /// get through.
    since: Option<(i64, String)>,
    /// Failed tries in a row.
    tries: u32,
    /// The only message that failed since then, each time without a clear answer: it may be the message and not the way.
    suspect: Option<i64>,
}

impl Outage {
    /// A call for a message came to its end.
    pub fn called(
        &mut self,
        message: i64,
        result: &Result<Called, CallError>,
        (boot_ms, wall_ms): (i64, i64),
        entropy: u64,
    ) {
        let error = match result {
            Err(error) if says_nothing_of_the_message(&error.kind) => error,
            // Whatever Telegram answers, it was reached.
            Ok(_) | Err(_) => return *self = Outage::default(),
        };
        let first = self.since.is_none();
        let alone = error.kind == CallErrorKind::Ambiguous && (first || self.suspect == Some(message));
        let since = self.since.as_ref().map_or(wall_ms, |(since, _)| *since);
        self.since = Some((since, error.text.chars().take(200).collect()));
        self.suspect = alone.then_some(message);
        // Twice no clear answer to the same message, and to no other: that says more about it than about the way. It waits
        // alone.
        if alone && !first {
            return (self.until, self.tries) = (0, 0);
        }
        let (base, cap) = (policy::SEND_RETRY_BASE_MS, policy::SEND_RETRY_CAP_MS);
        // Calls that were under way together fail together: that is one try.
        if boot_ms >= self.until {
            self.until = boot_ms + policy::backoff_ms(base, cap, self.tries, entropy);
            self.tries += 1;
        }
    }

    /// How many calls may be under way: in an outage, one tries for all.
    pub fn calls_at_once(&self) -> usize {
        if self.seen().is_some() { 1 } else { policy::SENDS_AT_ONCE }
    }

    /// Since when, by the wall clock, there is an outage, and how it shows: nothing got through since, and not for one message
    /// alone. One failed try is none yet. A message that fails alone is told of by its row.
    pub fn seen(&self) -> Option<(i64, &str)> {
        self.since.as_ref().filter(|_| self.tries > 1).map(|(since, error)| (*since, error.as_str()))
    }
}

fn says_nothing_of_the_message(kind: &CallErrorKind) -> bool {
    match kind {
        CallErrorKind::NotSent | CallErrorKind::Ambiguous | CallErrorKind::Unauthorized | CallErrorKind::Conflict => {
            true
        }
        CallErrorKind::Flood(_)
        | CallErrorKind::Migrated(_)
        | CallErrorKind::Forbidden
        | CallErrorKind::NotModified
        | CallErrorKind::EditTargetGone
        | CallErrorKind::ThreadGone
        | CallErrorKind::PressTooOld
        | CallErrorKind::TooLong
        | CallErrorKind::Refused => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn failed(outage: &mut Outage, message: i64, kind: CallErrorKind, boot_ms: i64) {
        let error = CallError { kind, text: "x".into() };
        outage.called(message, &Err(error), (boot_ms, 1_000_000 + boot_ms), 0);
    }

    #[test]
    fn calls_that_were_under_way_together_are_one_try() {
        let mut outage = Outage::default();
        for message in 0..4 {
            failed(&mut outage, message, CallErrorKind::NotSent, 0);
        }
        assert_eq!((outage.tries, outage.calls_at_once()), (1, policy::SENDS_AT_ONCE));
        let next = outage.until;
        assert!((1..=policy::SEND_RETRY_BASE_MS).contains(&next), "{next}");
        failed(&mut outage, 5, CallErrorKind::Ambiguous, next);
        assert_eq!((outage.tries, outage.calls_at_once()), (2, 1));
        assert_eq!(outage.since, Some((1_000_000, "x".into())));
    }

    #[test]
    fn a_message_that_fails_alone_holds_up_no_other_and_is_no_outage() {
        let mut outage = Outage::default();
        for boot_ms in [0, 2_000, 9_000, 30_000] {
            failed(&mut outage, 1, CallErrorKind::Ambiguous, boot_ms);
            assert!(outage.seen().is_none() && outage.until <= 1_000, "{outage:?}");
        }
        assert_eq!(outage.calls_at_once(), policy::SENDS_AT_ONCE);
        // Where others fail too, it was the way: since the first of them.
        failed(&mut outage, 2, CallErrorKind::Ambiguous, 40_000);
        failed(&mut outage, 1, CallErrorKind::Ambiguous, 50_000);
        assert_eq!(outage.seen(), Some((1_000_000, "x")));
    }

    #[test]
    fn an_outage_is_over_with_the_first_call_that_gets_through_and_not_before() {
        for kind in [CallErrorKind::Ambiguous, CallErrorKind::NotSent] {
            let mut outage = Outage::default();
            let mut boot_ms = 0;
            for message in [1, 2] {
                failed(&mut outage, message, kind.clone(), boot_ms);
                boot_ms = outage.until;
            }
            // Whichever the next are, also the same again.
            for message in [2, 2, 1, 2, 2, 2] {
                failed(&mut outage, message, CallErrorKind::Ambiguous, boot_ms);
                assert_eq!(outage.seen().map(|(since, _)| since), Some(1_000_000));
                assert!(outage.until > boot_ms);
                boot_ms = outage.until;
            }
            outage.called(1, &Ok(Called::Done), (boot_ms, boot_ms), 0);
            assert_eq!(outage, Outage::default());
        }
    }

    #[test]
    fn one_message_is_enough_where_the_way_is_certainly_to_blame() {
        let mut outage = Outage::default();
        for kind in [CallErrorKind::NotSent, CallErrorKind::Ambiguous, CallErrorKind::Ambiguous] {
            let boot_ms = outage.until;
            failed(&mut outage, 1, kind, boot_ms);
        }
        assert_eq!(outage.seen(), Some((1_000_000, "x")));
    }

    #[test]
    fn any_word_of_telegram_ends_it() {
        for kind in [CallErrorKind::Flood(Duration::ZERO), CallErrorKind::Forbidden, CallErrorKind::Refused] {
            let mut outage = Outage::default();
            failed(&mut outage, 1, CallErrorKind::Unauthorized, 0);
            failed(&mut outage, 2, kind, 5);
            assert_eq!(outage, Outage::default());
        }
    }
}
