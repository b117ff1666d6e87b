//! What chance makes of a scenario.

use super::{Seeds, days};
use crate::fault::Chances;
use crate::people;
use crate::scenario::{Job, Planned, Scenario, Sectors, Soak, Span, Via};
use std::collections::BTreeMap;

/// What a scenario and a seed come to: a scenario in which nothing is left to chance but how people and the network behave.
/// Played with the same seed it is the same run, and it stays so when other chances are drawn one day.
pub fn resolve(scenario: &Scenario, seed: u64) -> Scenario {
    let mut rng = fastrand::Rng::with_seed(Seeds::of(seed).plan);
    let mut resolved = Scenario { seed: Some(seed), swarm: None, ..scenario.clone() };
    let sectors = if rng.bool() { Sectors::Small } else { Sectors::Large };
    resolved.sectors.get_or_insert(sectors);
    if let Some(swarm) = &scenario.swarm {
        let names = people::names();
        let number = rng.u32(swarm.jobs.0..=swarm.jobs.1);
        let mut jobs: Vec<_> = (0..number).map(|_| draw_job(&mut rng, &names, scenario.lasts)).collect();
        let chances = Chances::draw(&mut rng);
        for _ in 0..rng.u32(0..=swarm.faults) {
            let at = Some(Span(rng.u64(0..=scenario.lasts.0)));
            resolved.faults.push(Planned { at, when: None, fault: chances.fault(&mut rng) });
        }
        // Last, so that what a seed means else does not hang on it.
        jobs.iter_mut().for_each(|job| draw_another_kind(&mut rng, job));
        resolved.jobs.extend(jobs);
        resolved.jobs.sort_by_key(|job| job.at);
    }
    if let Some(soak) = &scenario.soak {
        resolved.jobs.extend(days::jobs(&mut rng, soak, scenario.lasts));
        resolved.faults.extend(days::faults(&mut rng, soak, scenario.lasts, resolved.jobs.len()));
        // Drawn once; who watches stays.
        resolved.soak = Some(Soak { jobs: (0, 0), probe: soak.probe, faults: BTreeMap::new() });
    }
    resolved
}

fn draw_job(rng: &mut fastrand::Rng, names: &[&str], lasts: Span) -> Job {
    let pick = |rng: &mut fastrand::Rng, from: &[&str]| from[rng.usize(..from.len())].to_owned();
    let via = [Via::Group, Via::Private, Via::Cli][rng.usize(..3)];
    let ms = rng.u64(10..=60_000);
    let does = match rng.u32(..10) {
        0..=4 => format!("exit:0@{ms}"),
        5 => format!("exit:75@{ms}"),
        6 => format!("exit:1@{ms}"),
        7 => format!("signal:9@{ms}"),
        8 => format!("exit:0@{ms} progress:half@{}", ms / 2),
        _ => format!("hang stubborn:{}", rng.u64(0..=20_000)),
    };
    Job {
        at: Span(rng.u64(0..=lasts.0 * 3 / 4)),
        // The command line is ana's.
        by: if via == Via::Cli { "ana".into() } else { pick(rng, names) },
        kind: pick(rng, &["build", "build", "backup", "flaky", "solo", "note"]),
        does,
        via,
        stop_after: (rng.u32(..10) == 0).then(|| Span(rng.u64(0..=30_000))),
        left_alone: false,
        ends: None,
        runs: None,
        attempts: None,
        reported: None,
    }
}

/// Some jobs are of kinds that want more than one approval, or have little time, or one slot.
fn draw_another_kind(rng: &mut fastrand::Rng, job: &mut Job) {
    const KINDS: [&str; 5] = ["brief", "brief", "pair", "plan", "solo"];
    if rng.u32(..10) < 3 {
        KINDS[rng.usize(..KINDS.len())].clone_into(&mut job.kind);
    }
}
