//! Whether what goes wrong in a simulation really has an effect: counted over runs, because a fault that strikes nothing
//! proves nothing.

use crate::botapi::Outcome;
use crate::people::People;
use crate::property::{Outages, Part, all_events};
use crate::world::World;
use crate::world::clock::EPOCH_MS;
use mainstay::event::{Again, Fact, Then};
use mainstay::real::store::Store;
use std::collections::BTreeMap;

/// What must have happened at least once in some tens of swarm runs, each with why it is counted.
pub const WANTED: [(&str, &str); 19] = [
    ("power losses take what was not synced", "a disk that never drops anything"),
    ("power losses leave something that was not synced", "a disk that drops all"),
    ("daemons are killed and followed", "kills that kill nobody"),
    ("machines boot again", "a power that is never lost"),
    ("lines are cut, and nothing gets through", "a network that never cuts"),
    ("requests are struck", "a Telegram that always answers"),
    ("disks fail, and the daemon notices", "a disk that never fails"),
    ("clocks jump", "a clock that is never set"),
    ("shims are killed, and nobody knows the end", "a shim that nothing kills"),
    ("starts fail", "a machine that never refuses"),
    ("updates come again", "a Telegram that never repeats itself"),
    ("people press twice", "people who never press twice"),
    ("people ask again", "people who never lose patience"),
    ("people stop what runs", "people who never stop anything"),
    ("people take back, refuse and plan anew", "people who only say yes"),
    ("strangers meddle", "strangers who keep quiet"),
    ("programs run", "a machine that runs nothing, or a ledger that forgets"),
    ("messages may have arrived, and say so", "answers that never get lost"),
    ("daemons die while they send", "deaths that strike only who is idle"),
];

/// How often what is wanted happened.
#[derive(Debug, Clone, Default)]
pub struct Effects(BTreeMap<&'static str, u64>);

impl Effects {
    /// Counts what happened in a run that is over.
    ///
    /// # Errors
    /// Its record can't be read.
    pub fn count(&mut self, world: &World, people: &People, outages: &Outages) -> Result<(), String> {
        let (_copy, db) = world.left_on_disk().map_err(|error| error.to_string())?;
        let store = Store::open_to_read(db).map_err(|error| error.to_string())?;
        let events = all_events(&store)?;
        let has = |fact: &dyn Fn(&Fact) -> bool| events.iter().filter(|event| fact(&event.fact)).count();
        let counts = world.disk.counts();
        self.add(0, counts.lost);
        self.add(1, counts.kept);
        // Another life in the same boot, and the last one had not been told to end.
        let killed = events.windows(2).filter(|pair| {
            let follows = pair[0].epoch != pair[1].epoch && pair[0].boot == pair[1].boot;
            follows && !matches!(pair[0].fact, Fact::Stopping {})
        });
        self.add(2, many(killed.count()));
        let boots: std::collections::BTreeSet<&str> = events.iter().map(|event| event.boot.as_str()).collect();
        self.add(3, many(boots.len().saturating_sub(1)));
        self.add(4, u64::from(cut_and_silent(world, outages)));
        self.add(
            5,
            many(
                world
                    .telegram
                    .look(|t| t.log().iter().filter(|record| matches!(record.outcome, Outcome::Struck { .. })).count()),
            ),
        );
        // A disk that is only full fails too, but nothing struck it.
        let recovered = many(has(&|fact| matches!(fact, Fact::StorageRecovered { .. })));
        self.add(6, if counts.faults > 0 { recovered } else { 0 });
        let jumps = events.windows(2).filter(|pair| pair[0].at - pair[1].at > 60_000).count();
        self.add(7, many(jumps));
        let unknown = |fact: &Fact| matches!(fact, Fact::Ended { end: None, .. });
        let power = boots.len() > 1;
        self.add(8, if power { 0 } else { many(has(&unknown)) });
        self.add(9, many(has(&|fact| matches!(fact, Fact::StartFailed { .. }))));
        self.add(10, many(has(&|fact| matches!(fact, Fact::Replayed { again: Again::Delivery, .. }))));
        self.add(11, people.double_taps);
        self.add(12, many(people.jobs.iter().filter(|asked| asked.messages.len() > 1).count()));
        self.add(13, many(people.jobs.iter().filter(|asked| asked.stopped.is_some()).count()));
        let changed = |asked: &&crate::people::Asked| {
            !(asked.recovered.is_empty() && asked.rejected.is_empty() && asked.planned.is_empty())
        };
        self.add(14, many(people.jobs.iter().filter(changed).count()));
        self.add(15, many(people.jobs.iter().filter(|asked| asked.meddled).count()));
        self.add(16, many(world.machine.ledger().len()));
        self.add(17, many(has(&|fact| matches!(fact, Fact::SendFailed { then: Then::RetryMarked, .. }))));
        self.add(18, many(has(&|fact| matches!(fact, Fact::SendUnknown { .. }))));
        Ok(())
    }

    fn add(&mut self, which: usize, n: u64) {
        *self.0.entry(WANTED[which].0).or_default() += n;
    }

    /// How often something of [`WANTED`] happened.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

/// The line was out for longer than any poll waits, and in that time nothing arrived at Telegram.
fn cut_and_silent(world: &World, outages: &Outages) -> bool {
    const SETTLED_MS: i64 = 1_000;
    outages.spans(Part::Line).any(|(from, until)| {
        let long = until.saturating_sub(from) > 20_000;
        let arrived = world.telegram.look(|t| {
            let times = t.log().iter().map(|record| i64::try_from(record.at.0).unwrap_or(i64::MAX) - EPOCH_MS);
            times.filter(|at| (from + SETTLED_MS..until).contains(at)).count()
        });
        long && arrived == 0
    })
}

fn many(n: usize) -> u64 {
    n as u64
}
