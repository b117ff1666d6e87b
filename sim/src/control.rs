//! The simulation tried on itself: a harness that went blind finds nothing, and says that everything holds.
//!
//! Each control is something that has to be noticed or has to have happened. Bugs of the simulator that are planted on purpose
//! (`sim/mutants.toml`) have to be noticed by one of these.

mod effects;
mod forge;

pub use effects::{Effects, WANTED};
pub use forge::unseen;

use crate::people;
use crate::property::{PROPERTIES, told};
use crate::run::{Verdict, play_and_look, resolve};
use crate::scenario::Scenario;
use crate::world::World;
use std::collections::BTreeSet;

/// What a control is called that runs the product as it is.
pub const HOLDS: &str = "the product as it is holds";
/// Different seeds.
pub const DIFFER: &str = "different seeds do different things";
/// The same seed.
pub const SAME: &str = "the same seed does the same again";
/// A disk that lies.
pub const LYING: &str = "a disk that only says that it synced is found out";
/// A database that does not sync.
pub const UNSYNCED: &str = "a database that does not sync its commits is found out";
/// Dead daemons.
pub const LOOKED: &str = "what a crash left is looked at";
/// Forged evidence.
pub const FORGED: &str = "every property sees what is forged for it";

/// The properties of which [`FORGED`] tells.
pub fn forgeable() -> impl Iterator<Item = &'static str> {
    PROPERTIES.iter().map(|property| property.name).chain([told::NAME])
}

/// What a control came to: its name, and what is wrong with the simulation, if anything.
pub type Outcome = (&'static str, Option<String>);

/// Seeds in which everything that is wanted has to happen at least once.
const SEEDS: u64 = 40;
/// Seeds in which a broken world has to be found out.
const FOUND_OUT_WITHIN: u64 = 25;

/// Runs all controls with a scenario of many faults, and tells each as soon as it is known. Controls that name no seed have
/// the one of their place.
pub fn all(swarm: &Scenario, tell: &mut dyn FnMut(Outcome)) {
    let mut effects = Effects::default();
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut unreadable = None;
    for seed in 0..SEEDS {
        let counted = in_a_thread(|| {
            let mut effects = effects.clone();
            let (verdict, counted) =
                play_and_look(&resolve(swarm, seed), seed, |_| {}, |w, p, o| effects.count(w, p, o));
            (verdict, counted.map(|()| effects))
        });
        match counted.1 {
            Ok(counted) => effects = counted,
            Err(error) => unreadable = Some(error),
        }
        verdicts.push(counted.0);
    }
    let broken = verdicts.iter().find_map(|v| Some(format!("seed {}: {:?}", v.seed, v.broken.as_ref()?)));
    tell((HOLDS, broken.or(unreadable)));
    let digests: BTreeSet<u64> = verdicts.iter().map(|verdict| verdict.digest).collect();
    let alike = (digests.len() as u64) < SEEDS;
    tell((DIFFER, alike.then(|| format!("{SEEDS} seeds came to {} different runs", digests.len()))));
    for (what, else_it_is) in WANTED {
        let never = effects.of(what) == 0;
        tell((what, never.then(|| format!("it never happened in {SEEDS} seeds: {else_it_is}"))));
    }
    let looks: usize = verdicts.iter().map(|verdict| verdict.looks).sum();
    tell((LOOKED, (looks == 0).then(|| format!("in {SEEDS} seeds nobody looked"))));
    tell((FORGED, forged(swarm)));
    tell((LYING, found_out(swarm, |world| world.disk.set_lies(true))));
    tell((UNSYNCED, found_out(swarm, |world| world.sync_commits(false))));
}

/// One thread a run, so that nothing kept by a thread reaches the next.
fn in_a_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether a world that loses what it acknowledged is found out.
fn found_out(swarm: &Scenario, weaken: fn(&mut World)) -> Option<String> {
    let found = (0..FOUND_OUT_WITHIN).any(|seed| {
        in_a_thread(|| play_and_look(&resolve(swarm, seed), seed, weaken, |_, _, _| {}).0.broken.is_some())
    });
    (!found).then(|| format!("{FOUND_OUT_WITHIN} seeds held, and what they acknowledged was not on the disk"))
}

fn forged(swarm: &Scenario) -> Option<String> {
    let seed = 1;
    let unseen = in_a_thread(|| {
        play_and_look(&resolve(swarm, seed), seed, |_| {}, |world, people, _| unseen(world, people, &people::config()))
            .1
    });
    match unseen {
        Ok(unseen) if unseen.is_empty() => None,
        Ok(unseen) => Some(format!("these hold whatever the evidence: {unseen:?}")),
        Err(error) => Some(error),
    }
}

#[cfg(test)]
mod tests;
