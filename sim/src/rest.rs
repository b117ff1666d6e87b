//! Whether a world has come to rest, so that no time need pass in it any more.

use crate::botapi::{Outcome, Record};
use crate::people::People;
use crate::world::{World, is_poll};

/// So long nothing may happen, ms: longer than a poll takes, and than anything that the daemon tries again quickly.
const QUIET_MS: i64 = 60_000;
/// How often it is looked at, ms.
const LOOK_MS: i64 = 1_000;

/// What was seen at the last look, and since when nothing has changed.
#[derive(Default)]
pub(crate) struct Rest {
    seen: Option<Pulse>,
    since: i64,
    looked: i64,
    /// Requests to Telegram until nothing happened any more.
    requests: u64,
    /// It was said already that it has come.
    said: bool,
}

/// Everything that moves when anything does.
#[derive(PartialEq, Eq)]
struct Pulse {
    /// On the disk.
    ops: u64,
    /// Requests to Telegram that are no polls.
    requests: usize,
    /// In the chats.
    changes: u64,
    /// Programs that were started.
    ran: usize,
}

impl Rest {
    /// True once, when for a minute nothing but polls happened, polls work, nothing runs, and nobody is about to do anything.
    /// When something happens all the same, true once more a minute after that.
    pub(crate) fn has_come(&mut self, world: &World, people: &People) -> bool {
        let now = world.now();
        if now - self.looked < LOOK_MS {
            return false;
        }
        self.looked = now;
        let pulse = Pulse::of(world);
        let awake = !world.is_up() || !people.are_idle() || !world.machine.alive().is_empty();
        if awake || self.seen.as_ref() != Some(&pulse) {
            self.seen = Some(pulse);
            (self.since, self.said) = (now, false);
            self.requests = world.telegram.look(|t| t.log().end());
            return false;
        }
        let come = !self.said && now - self.since >= QUIET_MS && self.polls_work(world);
        self.said |= come;
        come
    }

    /// Whether a poll was answered in the quiet time: a daemon that hears nothing is quiet too.
    fn polls_work(&self, world: &World) -> bool {
        let works = |r: &Record| is_poll(r) && matches!(r.outcome, Outcome::Answered { status: 200, .. });
        world.telegram.look(|t| t.log().since(self.requests).any(works))
    }
}

impl Pulse {
    fn of(world: &World) -> Pulse {
        let (requests, changes) =
            world.telegram.look(|t| (t.log().iter().filter(|record| !is_poll(record)).count(), t.changes().end()));
        Pulse { ops: world.disk.ops(), requests, changes, ran: world.machine.look(<[_]>::len) }
    }
}
