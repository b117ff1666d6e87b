//! Planted bugs: each must be found, and by a property that is named for it. A unit is a bug.

use super::{Suite, Unit};
use crate::gate::policy::Policy;
use crate::gate::site::Site;
use crate::sim::mutants::Planted;
use mainstay_metric::ledger::{End, Line, Mutant, Origin, Run, Step};

pub(super) const SUITE: Suite = Suite {
    name: "mutants",
    about: "planted bugs, each of which a property that is named for it has to find",
    origin: Origin::Sim,
    alone: false,
    replays: true,
    prepare: |site| Planted::build(site.root).map(drop),
    units,
    run,
};

fn units(policy: &Policy) -> Vec<Unit> {
    let one_in = usize::try_from(policy.amounts.mutants_one_in).unwrap_or(usize::MAX).max(1);
    policy.mutants.iter().step_by(one_in).map(Unit::new).collect()
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
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
