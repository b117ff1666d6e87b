//! Soak: simulated days and weeks with seeded operators, a probe from outside, and jobs that are run five times under other
//! schedules of faults. Human time in it is a model's.

use super::simulator::{self, Play};
use super::{Load, Suite, Unit, pieces};
use crate::gate::policy::Policy;
use crate::gate::site::Site;
use mainstay_metric::ledger::{Line, Origin};

pub(super) const SUITE: Suite = Suite {
    name: "soak",
    about: "simulated days and weeks with operators of three kinds and a probe from outside; jobs run five times over",
    origin: Origin::Sim,
    load: Load::Computes,
    replays: true,
    prepare: simulator::prepare,
    units,
    run,
};

const PERSONAS: [&str; 3] = ["attentive", "slow", "error-prone"];
/// What is played: first word of a unit's name, command, scenario.
const PLAYS: [(&str, &str, &str); 3] = [
    ("day", "evidence", "scenarios/soak/soak-day.toml"),
    ("week", "evidence", "scenarios/soak/soak-week.toml"),
    ("rerun", "reruns", "scenarios/soak/reruns.toml"),
];
/// Days in one unit, weeks, and jobs of reruns.
const PIECES: [u64; 3] = [5, 1, 10];
/// Seeds of one persona's days begin so far from those of the next, and days from weeks.
const APART: u64 = 1_000_000;

fn units(policy: &Policy) -> Vec<Unit> {
    let amounts = policy.amounts;
    let mut units = Vec::new();
    for (n, persona) in (0..).zip(PERSONAS) {
        units.extend(pieces(&format!("day-{persona}"), n * APART, amounts.soak_days, PIECES[0]));
        units.extend(pieces(&format!("week-{persona}"), (n + 3) * APART, amounts.soak_weeks, PIECES[1]));
    }
    units.extend(pieces("rerun", 6 * APART, amounts.rerun_jobs, PIECES[2]));
    units
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let (_, command, scenario) =
        PLAYS.iter().find(|(word, _, _)| unit.name.starts_with(word)).ok_or("a unit of another suite")?;
    let persona = PERSONAS.into_iter().find(|persona| unit.name.contains(&format!("-{persona}-")));
    simulator::evidence(site, unit, &Play { command, scenario, persona })
}
