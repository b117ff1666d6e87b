//! A run told as lines of evidence (`mainstay_metric::ledger`): one small file a kind of line.
//!
//! What happened is told by what the world saw: the machine's ledger and the workers' own books, Telegram's books, the desk,
//! what people typed and pressed. [`oracle`] is a model of a task's life of its own: it says what a right answer is, and
//! knows nothing of the daemon's code. The daemon's record is looked at for one thing, whether it agrees ([`gap`]).
//!
//! Runs of a scenario without `[soak]` have lines of executions and properties alone: their people do odd things on purpose,
//! and nobody probes. No line is a ratio or a verdict; those are made from lines elsewhere.

mod acts;
mod command;
mod execution;
mod fault;
mod gap;
mod oracle;
mod property;
mod replies;
pub mod rerun;
mod task;
#[cfg(test)]
mod tests;

use crate::people::{self, Persona};
use crate::property::{Broken, Evidence};
use crate::run::{Run, play_and_tell, resolve};
use crate::scenario::Scenario;
use crate::world::World;
use mainstay_metric::ledger::{End, Line, Origin, Run as Head};

/// Which run is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// Of which suite.
    pub suite: String,
    /// The scenario's name.
    pub name: String,
    /// Who the people are.
    pub persona: Option<Persona>,
    /// The seed is kept because it failed once.
    pub kept: bool,
}

impl Told {
    /// The first line.
    pub fn head(&self, scenario: &Scenario, seed: u64) -> Line {
        let faults = !scenario.faults.is_empty()
            || scenario.swarm.as_ref().is_some_and(|swarm| swarm.faults > 0)
            || scenario.soak.as_ref().is_some_and(|soak| !soak.faults.is_empty());
        Line::Run(Head {
            suite: self.suite.clone(),
            origin: Origin::Sim,
            seed,
            scenario: self.name.clone(),
            persona: self.persona.map(|persona| persona.name().to_owned()),
            faults,
            kept: self.kept,
        })
    }
}

/// Plays a scenario with a seed, and tells it, from the first line to the last.
pub fn tell(scenario: &Scenario, seed: u64, told: &Told) -> Vec<Line> {
    tell_changed(scenario, seed, told, |_| {})
}

/// The same in a world that is changed before it begins: for whoever wants to see that lines tell of it.
pub fn tell_changed(scenario: &Scenario, seed: u64, told: &Told, change: impl FnOnce(&mut World)) -> Vec<Line> {
    let resolved = resolve(scenario, seed);
    let (verdict, middle) = play_and_tell(&resolved, seed, told.persona, change, middle);
    let mut lines = vec![told.head(&resolved, seed)];
    lines.extend(middle);
    let digest = Some(format!("{:016x}", verdict.digest));
    lines.push(Line::End(End { at_ms: verdict.simulated_ms, cut_off: None, digest }));
    lines
}

/// The lines of a run that has no verdict: it panicked or did not end.
pub fn cut_off(scenario: &Scenario, seed: u64, told: &Told, why: String) -> Vec<Line> {
    vec![told.head(scenario, seed), Line::End(End { at_ms: 0, cut_off: Some(why), digest: None })]
}

/// All lines between the first and the last.
fn middle(run: &Run, broken: Option<&Broken>) -> Vec<Line> {
    let config = people::config();
    // What can't be read is a property's finding already: the lines that need it are missing then.
    let store = run.store();
    let evidence = store
        .as_ref()
        .map_err(String::clone)
        .and_then(|store| Evidence::simulated(&run.world, &run.people, &run.outages, &config, store));
    let mut lines = property::lines(run, evidence.as_ref().ok(), broken);
    let Ok(evidence) = evidence else { return lines };
    lines.extend(execution::lines(&evidence));
    let Some(probe) = &run.probe else { return lines };
    let replies = replies::Replies::of(&run.world);
    let lives = oracle::Lives::of(&evidence, run.people.given(), &replies, run.watch.struck());
    lines.extend(command::lines(&evidence, run.people.given(), &lives));
    lines.extend(task::lines(&evidence, &run.world, &lives));
    lines.extend(fault::lines(run, probe, &replies));
    lines.extend(acts::lines(run, probe));
    lines
}
