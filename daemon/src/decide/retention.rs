//! Which of the oldest events are removed from the record, and when to look again.

use super::Moment;
use crate::config::RecordConfig;
use crate::event::Outlived;
use crate::policy;
use crate::view::{OldEvent, RecordRow};

/// What is to be done about the record's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Remove the oldest events.
    Remove {
        /// Up to this one.
        through: i64,
        /// So many.
        events: i64,
        /// Why.
        why: Outlived,
    },
    /// Nothing yet: by age, not before so long from now, ms. None: something else has to happen first.
    Wait(Option<i64>),
}

/// Decides over the oldest events. They go in their order, so the first that has to stay keeps all later ones.
pub fn retention(config: &RecordConfig, record: &RecordRow, now: Moment) -> Retention {
    let now_ms = steady_wall_ms(record, now);
    let too_large = record.used_bytes > config.max_bytes;
    // A clock that is wrong at the start of the machine is put right soon after.
    let is_trusted = now.boot_ms >= policy::RECORD_CLOCK_TRUSTED_MS.min(config.keep_ms);
    let is_old =
        |event: &OldEvent, more_ms: i64| is_trusted && now_ms.saturating_sub(event.at) > config.keep_ms + more_ms;
    let may_go = |event: &&OldEvent| !event.needed && event.seq <= record.newest - policy::RECORD_KEPT_MIN;
    let old = record.oldest.iter().take_while(may_go).take_while(|event| is_old(event, 0)).count();
    let going = if too_large { record.oldest.iter().take_while(may_go).count() } else { old };
    let slack_ms = policy::RECORD_KEEP_SLACK_MS.min(config.keep_ms);
    // Each removal is an event itself: for a single one the record would not get shorter, and that for ever.
    let overdue = record.oldest.first().is_some_and(|first| is_old(first, slack_ms));
    let worth_it = going >= policy::RECORD_REMOVED_AT_ONCE as usize || (old > 1 && overdue);
    match (record.oldest.get(going.saturating_sub(1)), record.oldest.first()) {
        (Some(last), Some(first)) if going > 0 && worth_it => {
            let why = if old == going { Outlived::Age } else { Outlived::Size };
            Retention::Remove { through: last.seq, events: last.seq - first.seq + 1, why }
        }
        (_, Some(first)) if may_go(&first) && !overdue => {
            Retention::Wait(Some(first.at.saturating_sub(now_ms) + config.keep_ms + slack_ms + 1))
        }
        (_, Some(_) | None) => Retention::Wait(None),
    }
}

/// The wall clock, but not when it was set ahead while the machine was up: what that makes old would be gone for good. It
/// goes on from what it was at the first start in this boot by the boot clock, which nobody sets.
fn steady_wall_ms(record: &RecordRow, now: Moment) -> i64 {
    let steady = record.boot.map(|(boot_ms, wall_ms)| wall_ms.saturating_add(now.boot_ms - boot_ms));
    steady.map_or(now.wall_ms, |steady| steady.min(now.wall_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;
    const BATCH: i64 = policy::RECORD_REMOVED_AT_ONCE as i64;

    /// As many events as one look sees, a minute apart, the first of them 500 days ago; 1,000 more behind them.
    fn record() -> RecordRow {
        let oldest = (1..=BATCH).map(|seq| OldEvent { seq, at: seq * 60_000, needed: false }).collect();
        RecordRow { oldest, newest: BATCH + 1_000, used_bytes: 0, boot: Some((0, 0)) }
    }

    fn at(wall_ms: i64) -> Moment {
        Moment { wall_ms, boot_ms: wall_ms, entropy: 0 }
    }

    fn decided(record: &RecordRow, wall_ms: i64) -> Retention {
        retention(&RecordConfig::default(), record, at(wall_ms))
    }

    #[test]
    fn what_is_older_than_keep_goes_and_nothing_else() {
        let all = Retention::Remove { through: BATCH, events: BATCH, why: Outlived::Age };
        assert_eq!(decided(&record(), 500 * DAY), all);
        // Half of them are old: not worth an event yet, but when the first has been for a day.
        let half = (BATCH / 2) * 60_000;
        let Retention::Wait(Some(ms)) = decided(&record(), 400 * DAY + half) else { panic!("single ones wait") };
        let then = 400 * DAY + half + ms;
        assert_eq!(decided(&record(), then), all);
        assert_eq!(decided(&record(), then - 1), all, "by then all of them are old");
        let mut few = record();
        few.oldest.truncate(3);
        let Retention::Wait(Some(ms)) = decided(&few, 400 * DAY + half) else { panic!("three wait") };
        assert_eq!(
            decided(&few, 400 * DAY + half + ms),
            Retention::Remove { through: 3, events: 3, why: Outlived::Age }
        );
        assert!(matches!(decided(&few, 400 * DAY + half + ms - 1), Retention::Wait(Some(1))));
    }

    #[test]
    fn an_event_that_is_needed_keeps_all_later_ones() {
        let mut record = record();
        record.oldest[9].needed = true;
        let nine = Retention::Remove { through: 9, events: 9, why: Outlived::Age };
        assert_eq!(decided(&record, 500 * DAY), nine);
        record.oldest.drain(..9);
        assert_eq!(decided(&record, 500 * DAY), Retention::Wait(None));
        record.used_bytes = u64::MAX;
        assert_eq!(decided(&record, 500 * DAY), Retention::Wait(None), "whatever it takes");
    }

    #[test]
    fn the_newest_events_stay() {
        let mut record = record();
        record.newest = BATCH;
        let left = BATCH - policy::RECORD_KEPT_MIN;
        assert_eq!(decided(&record, 500 * DAY), Retention::Remove { through: left, events: left, why: Outlived::Age });
        record.oldest.drain(..usize::try_from(left).expect("small"));
        assert_eq!(decided(&record, 500 * DAY), Retention::Wait(None));
        // The event that tells of it makes room for one: that one would be followed by another.
        record.newest += 1;
        assert_eq!(decided(&record, 500 * DAY), Retention::Wait(None));
    }

    #[test]
    fn what_makes_the_database_too_large_goes_a_batch_at_a_time() {
        let mut record = record();
        record.used_bytes = policy::RECORD_BYTES_MAX;
        assert!(matches!(decided(&record, DAY), Retention::Wait(Some(_))));
        record.used_bytes += 1;
        let all = Retention::Remove { through: BATCH, events: BATCH, why: Outlived::Size };
        assert_eq!(decided(&record, DAY), all);
        record.oldest[200].needed = true;
        assert!(matches!(decided(&record, DAY), Retention::Wait(Some(_))), "less is not worth it");
    }

    #[test]
    fn a_boot_with_a_wrong_clock_removes_nothing_before_it_may_have_been_put_right() {
        let at = |boot_ms| Moment { wall_ms: 500 * DAY, boot_ms, entropy: 0 };
        let mut record = record();
        record.boot = Some((0, 500 * DAY));
        let config = RecordConfig::default();
        let early = retention(&config, &record, at(policy::RECORD_CLOCK_TRUSTED_MS - 1));
        assert!(matches!(early, Retention::Wait(_)), "{early:?}");
        assert!(matches!(retention(&config, &record, at(policy::RECORD_CLOCK_TRUSTED_MS)), Retention::Remove { .. }));
    }

    #[test]
    fn a_clock_that_is_set_ahead_makes_nothing_old() {
        let set_ahead = Moment { wall_ms: 9_000 * DAY, boot_ms: DAY, entropy: 0 };
        assert!(matches!(retention(&RecordConfig::default(), &record(), set_ahead), Retention::Wait(Some(_))));
        // One that was put right, too.
        let mut wrong = record();
        wrong.boot = Some((0, 9_000 * DAY));
        assert!(matches!(retention(&RecordConfig::default(), &wrong, at(DAY)), Retention::Wait(Some(_))));
    }
}
