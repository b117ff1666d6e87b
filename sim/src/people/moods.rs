//! What people do with a job beyond its usual way: take it back, refuse it, plan it anew; and a stranger who meddles.

use super::{EVERYBODY, GROUP, STRANGER};
use crate::botapi::{ChatId, Seen, UserId};
use crate::scenario::Job;
use crate::world::World;
use mainstay::task::State;

/// A press of a button, or the same as a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressed {
    /// About which task, as far as that could be seen.
    pub task: Option<i64>,
    /// By whom.
    pub by: UserId,
    /// When, ms of the run.
    pub at: i64,
}

/// What will be done with a job, drawn once. A job of which a scenario says what comes of it goes its usual way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moods {
    /// Its person takes it back from a bad end, once.
    pub(super) recovers: bool,
    /// An approver refuses it.
    pub(super) rejects: bool,
    /// Somebody plans it anew after it was approved, once.
    pub(super) plans: bool,
    /// Its person stops it once its card says this.
    pub(super) withdraws: Option<State>,
    /// A stranger meddles.
    pub(super) meddles: bool,
}

impl Moods {
    pub(super) fn draw(rng: &mut fastrand::Rng, job: &Job) -> Moods {
        let mut of_a_hundred = |n: u32| rng.u32(..100) < n;
        let drawn = Moods {
            recovers: of_a_hundred(40),
            rejects: of_a_hundred(5),
            plans: of_a_hundred(12),
            meddles: of_a_hundred(15),
            withdraws: match rng.u32(..100) {
                0..8 => Some(State::Queued),
                8..12 => Some(State::Approved),
                _ => None,
            },
        };
        // Who takes minutes for each press would not come to an end with a second life.
        let slow = EVERYBODY.iter().any(|h| h.name == job.by && h.reacts_ms.1 > 60_000);
        let drawn = Moods { recovers: drawn.recovers && !slow, ..drawn };
        if job.ends.is_some() || job.runs.is_some() {
            Moods { meddles: drawn.meddles, ..Moods::default() }
        } else {
            drawn
        }
    }

    /// Who refuses it: somebody else than its person.
    pub(super) fn refuser(requester: UserId) -> UserId {
        let last = &EVERYBODY[EVERYBODY.len() - 1];
        if last.user == requester { EVERYBODY[0].user } else { last.user }
    }
}

/// The prompt of what a stranger asks for: nobody's job.
pub const MEDDLING: &str = "meddling";

/// A stranger sees a card in the group, and tries all that others may.
pub(super) fn meddle(world: &mut World, seen: &Seen, task: i64) {
    let wall = world.wall();
    world.telegram.change(|t| {
        let mut people = t.people(wall);
        for text in [format!("/approve {task}"), format!("/resume {task}"), format!("/stop {task}")] {
            people.say(STRANGER, GROUP, &text);
        }
        people.say(STRANGER, ChatId(STRANGER.0), &format!("/newtask note {MEDDLING}"));
        for button in seen.buttons.iter().flatten().filter_map(|button| button.data.as_ref()) {
            people.forge_press(STRANGER, GROUP, seen.id, button);
        }
    });
}
