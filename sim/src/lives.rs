//! When tasks were in which state, by the daemon's record, in the time of the simulation.

use crate::world::clock::EPOCH_MS;
use mainstay::event::{Fact, Recorded};
use mainstay::task::State;
use std::collections::BTreeMap;

/// From when on the machine's wall clock was wrong by how much: ms of the simulation, ms. By time, from the beginning.
pub(crate) type Skews = [(i64, i64)];

/// Each event with when it was recorded, ms of the simulation: events carry the machine's wall clock, which may be wrong. None
/// is later than the end of the run.
pub(crate) fn dated(events: Vec<Recorded>, skews: &Skews, end: i64) -> Vec<(i64, Recorded)> {
    let mut last = 0;
    events
        .into_iter()
        .map(|event| {
            last = when(event.at - EPOCH_MS, skews, last, end);
            (last, event)
        })
        .collect()
}

/// The first moment, not before `last` and not after the end of the run, at which the wall clock showed this.
fn when(wall: i64, skews: &Skews, last: i64, end: i64) -> i64 {
    let ends = skews.iter().skip(1).map(|(since, _)| *since).chain([end]);
    let showed = skews.iter().zip(ends).find_map(|((since, skew), end)| {
        let at = wall - skew;
        (at >= last && *since <= at && at <= end).then_some(at)
    });
    showed.unwrap_or(last)
}

/// A task's state from a moment on, ms of the simulation, until its next one.
pub(crate) type Life = Vec<(i64, State)>;

/// The lives of all tasks, by number.
pub(crate) fn lives(events: &[(i64, Recorded)]) -> BTreeMap<i64, Life> {
    let mut lives: BTreeMap<i64, Life> = BTreeMap::new();
    for (at, event) in events {
        let Some(task) = event.task else { continue };
        let state = match (&event.fact, event.fact.step()) {
            (_, Some(step)) => step.to(),
            (Fact::Requested { .. }, None) => State::Requested,
            (_, None) => continue,
        };
        lives.entry(task.0).or_default().push((*at, state));
    }
    lives
}

/// The state at a moment; none before there was a task.
pub(crate) fn state_at(life: &Life, at: i64) -> Option<State> {
    life.iter().take_while(|(since, _)| *since <= at).last().map(|(_, state)| *state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_wall_clock_is_seen_through() {
        let skews = [(0, 0), (10_000, -8_000), (20_000, 0)];
        let when = |wall, last| when(wall, &skews, last, 60_000);
        assert_eq!(when(5_000, 0), 5_000);
        // Shown twice: at 5 s and, set back, at 13 s.
        assert_eq!(when(5_000, 9_000), 13_000);
        assert_eq!(when(25_000, 13_000), 25_000);
        // What it never showed was recorded no earlier than the event before, and nothing after the end.
        assert_eq!(when(-1, 70), 70);
        assert_eq!(when(60_000, 70), 60_000);
        assert_eq!(when(60_001, 70), 70);
    }

    #[test]
    fn a_life_is_asked_by_time() {
        let life = vec![(10, State::Requested), (20, State::Approved), (20, State::Queued)];
        assert_eq!(state_at(&life, 9), None);
        assert_eq!(state_at(&life, 10), Some(State::Requested));
        assert_eq!(state_at(&life, 20), Some(State::Queued));
    }
}
