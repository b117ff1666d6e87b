//! Planted bugs: each must be found, and by a property that is named for it; and a gate of a build that has it must fail. A unit
//! is a bug. Then what is seen with none planted, and the simulation's controls of itself, among them forged evidence, which
//! every property has to see.

use super::fails::{self, By};
use super::{Load, Suite, Unit, scenarios, simulator, steps};
use crate::gate::policy::Policy;
use crate::gate::site::{Build, Site};
use crate::sim::mutants::{Hunted, Planted};
use mainstay_metric::ledger::{End, Line, Mutant, Origin, Run, Step};
use mainstay_metric::scorer::FORGED;
use serde::Deserialize;
use std::time::Duration;

/// The unit of controls; no planted bug has that name.
const CONTROLS: &str = "the-simulation-itself";
/// The unit in which no bug is planted.
const NONE: &str = "nothing-planted";
/// What is played in it, and with how many seeds.
const SWARM: &str = "scenarios/swarm.toml";
const SEEDS: u64 = 5;
/// All of them take half a minute.
const HANGS: Duration = Duration::from_secs(900);

/// What the simulator prints for a control.
#[derive(Deserialize)]
struct Control {
    control: String,
    how: Option<String>,
    /// Properties that saw what was forged for them, if it held.
    of: Vec<String>,
}

pub(super) const SUITE: Suite = Suite {
    name: "mutants",
    about: "planted bugs, each found by a property that is named for it, and a gate of each fails; forged evidence, which each has to see",
    origin: Origin::Sim,
    load: Load::Computes,
    replays: true,
    prepare: |site| simulator::prepare(site).and_then(|()| Planted::build(site.root)),
    units,
    run,
};

fn units(policy: &Policy) -> Vec<Unit> {
    let one_in = usize::try_from(policy.amounts.mutants_one_in).unwrap_or(usize::MAX).max(1);
    let bugs = policy.mutants.iter().step_by(one_in).map(Unit::new);
    [CONTROLS, NONE].into_iter().map(Unit::new).chain(bugs).collect()
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    match unit.name.as_str() {
        CONTROLS => Ok(steps(&SUITE, CONTROLS, controls(site)?)),
        NONE => Ok(steps(&SUITE, NONE, nothing_planted(site)?)),
        bug => planted(site, bug),
    }
}

fn planted(site: &Site<'_>, bug: &str) -> Result<Vec<Line>, String> {
    let hunted = Planted::built(site.root)?.hunt(site.root, bug, site.policy.amounts.mutant_seeds)?;
    let fails = fails(site, bug, &hunted)?;
    let head = Run {
        suite: SUITE.name.to_owned(),
        origin: SUITE.origin,
        seed: 0,
        scenario: hunted.scenario,
        persona: None,
        faults: true,
        kept: false,
    };
    let found =
        Step { name: format!("{bug} is found by what is named for it"), held: Some(hunted.right), seen: hunted.how };
    let seeds = hunted.seeds.unwrap_or(0);
    let mutant = Mutant { name: bug.to_owned(), caught_by: hunted.by, seeds };
    let end = End { at_ms: 0, cut_off: None, digest: None };
    Ok(vec![Line::Run(head), Line::Mutant(mutant), Line::Step(found), Line::Step(fails), Line::End(end)])
}

/// The lines that a gate would have of what was found, in the run in which it was, and what becomes of them.
fn fails(site: &Site<'_>, bug: &str, hunted: &Hunted) -> Result<Step, String> {
    let Some(by) = &hunted.by else {
        return Ok(fails::step(bug, &[], By::step_of(SUITE.name)));
    };
    match hunted.seeds {
        Some(seeds) => {
            let with = Site { build: Build::Planted(bug), seeds: site.seeds.clone(), ..*site };
            // It took so many, beginning with 0.
            let lines = scenarios::lines_of(&with, &hunted.scenario, seeds - 1)?;
            Ok(fails::step(bug, &lines, By::found(by, scenarios::SUITE.name, &lines)))
        }
        // A control noticed it; what would come after it can't take it back.
        None => {
            let lines = steps(&SUITE, CONTROLS, told(&hunted.printed)?);
            Ok(fails::step(bug, &lines, By::step_of(SUITE.name)))
        }
    }
}

/// Planting itself must change nothing, and what is as the commit has it must fail no gate: else nothing that is found with a
/// bug counts.
fn nothing_planted(site: &Site<'_>) -> Result<Vec<Step>, String> {
    let lines = |build| {
        let site = Site { build, seeds: site.seeds.clone(), ..*site };
        let mut lines = Vec::new();
        for seed in 0..SEEDS {
            lines.append(&mut scenarios::lines_of(&site, SWARM, seed)?);
        }
        Ok::<Vec<Line>, String>(lines)
    };
    let (without, copy) = (lines(site.build)?, lines(Build::Copy)?);
    let differs = without.iter().zip(&copy).find(|(without, copy)| without != copy);
    let seen = match differs {
        Some((without, copy)) => format!("a `new` acts though it is not its turn: {without:?} and {copy:?}"),
        None => format!("{} and {} lines", without.len(), copy.len()),
    };
    let same = Step {
        name: "with no bug planted the copy does what the simulator does".to_owned(),
        held: Some(without == copy),
        seen,
    };
    Ok(vec![same, fails::clean("with no bug planted nothing fails", &copy)])
}

fn controls(site: &Site<'_>) -> Result<Vec<Step>, String> {
    let called = site.call(simulator::simulator(site).args(["control", "--json"]), HANGS)?;
    let text = String::from_utf8_lossy(&called.stdout);
    let steps = told(&text.lines().collect::<Vec<_>>())?;
    // One that was told of and does not hold ends with an error too.
    if steps.iter().all(|step| step.held == Some(true)) && !called.good() {
        return Err(format!("control {}: {}", called.ended(), called.last_words()));
    }
    Ok(steps)
}

/// The steps that these controls are.
fn told(lines: &[impl AsRef<str>]) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for line in lines {
        let line = line.as_ref();
        let control: Control = serde_json::from_str(line).map_err(|error| format!("control: {error}: {line}"))?;
        let held = control.how.is_none();
        let seen = control.how.unwrap_or_else(|| "noticed".to_owned());
        let forged = control.of.iter().map(|property| (format!("{FORGED}{property}"), held));
        let all = std::iter::once((control.control, held)).chain(forged);
        steps.extend(all.map(|(name, held)| Step { name, held: Some(held), seen: seen.clone() }));
    }
    Ok(steps)
}
