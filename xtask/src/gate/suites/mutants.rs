//! Planted bugs: each must be found, and by a property that is named for it. A unit is a bug. And the simulation's controls of
//! itself, among them forged evidence, which every property has to see.

use super::simulator::program;
use super::{Suite, Unit, steps};
use crate::gate::policy::Policy;
use crate::gate::site::Site;
use crate::sim::mutants::Planted;
use mainstay_metric::ledger::{End, Line, Mutant, Origin, Run, Step};
use mainstay_metric::scorer::FORGED;
use serde::Deserialize;
use std::process::Command;
use std::time::Duration;

/// The unit of controls; no planted bug has that name.
const CONTROLS: &str = "the-simulation-itself";
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
    about: "planted bugs, each of which a property that is named for it has to find; forged evidence, which each has to see",
    origin: Origin::Sim,
    alone: false,
    replays: true,
    prepare: |site| Planted::build(site.root).map(drop),
    units,
    run,
};

fn units(policy: &Policy) -> Vec<Unit> {
    let one_in = usize::try_from(policy.amounts.mutants_one_in).unwrap_or(usize::MAX).max(1);
    std::iter::once(Unit::new(CONTROLS)).chain(policy.mutants.iter().step_by(one_in).map(Unit::new)).collect()
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    if unit.name == CONTROLS {
        return Ok(steps(&SUITE, CONTROLS, controls(site)?));
    }
    let hunted = Planted::built(site.root)?.hunt(site.root, &unit.name, site.policy.amounts.mutant_seeds)?;
    let head = Run {
        suite: SUITE.name.to_owned(),
        origin: SUITE.origin,
        seed: 0,
        scenario: hunted.scenario,
        persona: None,
        faults: true,
        kept: false,
    };
    let step = Step {
        name: format!("{} is found by what is named for it", unit.name),
        held: Some(hunted.right),
        seen: hunted.how,
    };
    let seeds = hunted.seeds.unwrap_or(0);
    let mutant = Mutant { name: unit.name.clone(), caught_by: hunted.by, seeds };
    let end = End { at_ms: 0, cut_off: None, digest: None };
    Ok(vec![Line::Run(head), Line::Mutant(mutant), Line::Step(step), Line::End(end)])
}

fn controls(site: &Site<'_>) -> Result<Vec<Step>, String> {
    let called = site.call(Command::new(program(site)).args(["control", "--json"]).current_dir(site.root), HANGS)?;
    let text = String::from_utf8_lossy(&called.stdout);
    let mut steps = Vec::new();
    for line in text.lines() {
        let control: Control = serde_json::from_str(line).map_err(|error| format!("control: {error}: {line}"))?;
        let held = control.how.is_none();
        let seen = control.how.unwrap_or_else(|| "noticed".to_owned());
        let forged = control.of.iter().map(|property| (format!("{FORGED}{property}"), held));
        let all = std::iter::once((control.control, held)).chain(forged);
        steps.extend(all.map(|(name, held)| Step { name, held: Some(held), seen: seen.clone() }));
    }
    // One that was told of and does not hold ends with an error too.
    if steps.iter().all(|step| step.held == Some(true)) && !called.good() {
        return Err(format!("control {}: {}", called.ended(), called.last_words()));
    }
    Ok(steps)
}
