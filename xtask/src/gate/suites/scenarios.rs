//! Scenarios: each file with a few seeds, each kept regression, and the swarm, which leaves everything to chance, until
//! enough tasks were dispatched under faults.

use super::simulator::{self, Play};
use super::{Load, Suite, Unit, pieces};
use crate::gate::policy::{Policy, REGRESSIONS};
use crate::gate::shape::Shape;
use crate::gate::site::Site;
use mainstay_metric::ledger::{Line, Origin};

pub(super) const SUITE: Suite = Suite {
    name: "scenarios",
    about: "every scenario with a few seeds, kept regressions, and the swarm until enough was dispatched under faults",
    origin: Origin::Sim,
    load: Load::Computes,
    replays: true,
    prepare: simulator::prepare,
    units,
    run,
};

const SWARM: &str = "scenarios/swarm.toml";
/// Seeds of the swarm in one unit: some seconds.
const PIECE: u64 = 40;
/// A month takes a minute and a half: one seed of it, and none in a look.
const LONG: [&str; 1] = ["scenarios/thirty-quiet-days.toml"];
/// The indices of the swarm's seeds begin here, well after those of the files.
const SWARM_FROM: u64 = 1_000_000;

fn units(policy: &Policy) -> Vec<Unit> {
    let each = policy.amounts.seeds_per_scenario;
    let file = |(n, path): (u64, &String)| {
        let seeds = if LONG.contains(&path.as_str()) { 1 } else { each };
        match policy.kept.get(path) {
            Some(seed) => {
                Unit { kept: true, own: vec![*seed], ..Unit::new(format!("regression-{}", simulator::stem(path))) }
            }
            None => Unit::seeded(simulator::stem(path), n * each..n * each + seeds),
        }
    };
    let stories = policy.scenarios.iter().filter(|path| is_story(path));
    let files = (0..).zip(stories.filter(|path| !policy.quick || !LONG.contains(&path.as_str())));
    let swarm = policy.scenarios.iter().any(|path| path == SWARM);
    let swarm = if swarm { pieces("swarm", SWARM_FROM, policy.amounts.swarm_seeds, PIECE) } else { Vec::new() };
    files.map(file).chain(swarm).collect()
}

/// Directly in the folder, or a regression; other folders are for other suites, and the swarm has units of its own.
fn is_story(path: &str) -> bool {
    let name = path.strip_prefix(REGRESSIONS).or_else(|| path.strip_prefix("scenarios/"));
    path != SWARM && name.is_some_and(|name| !name.contains('/'))
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let scenario = if unit.seeds.start >= SWARM_FROM {
        SWARM
    } else {
        let (name, kept) = match unit.name.strip_prefix("regression-") {
            Some(name) if unit.kept => (name, true),
            Some(_) | None => (unit.name.as_str(), false),
        };
        let mut files = site.policy.scenarios.iter().filter(|path| is_story(path));
        files
            .find(|path| simulator::stem(path) == name && path.starts_with(REGRESSIONS) == kept)
            .ok_or_else(|| format!("no scenario {name}"))?
    };
    simulator::evidence(site, unit, &Play { command: "evidence", scenario, persona: None })
}

/// The lines that this suite would have of one seed of a file, with their shape looked at as a gate does.
pub(super) fn lines_of(site: &Site<'_>, scenario: &str, seed: u64) -> Result<Vec<Line>, String> {
    let site = Site { suite: &SUITE, seeds: site.seeds.clone(), ..*site };
    let unit =
        Unit { own: vec![seed], kept: scenario.starts_with(REGRESSIONS), ..Unit::new(simulator::stem(scenario)) };
    let lines = simulator::evidence(&site, &unit, &Play { command: "evidence", scenario, persona: None })?;
    Shape::whole(&SUITE, &unit, &site.seeds(&unit), &lines)
        .map_err(|error| format!("{scenario} seed {seed}: {error}"))?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::policy::{FULL, QUICK};
    use std::collections::BTreeMap;

    #[test]
    fn each_story_has_a_unit_with_seeds_of_its_own_and_regressions_are_kept() {
        let scenarios = ["a", "regressions/a", "soak/day", "swarm", "thirty-quiet-days"];
        let scenarios: Vec<String> = scenarios.iter().map(|name| format!("scenarios/{name}.toml")).collect();
        for (quick, amounts) in [(false, FULL), (true, QUICK)] {
            let kept = BTreeMap::from([("scenarios/regressions/a.toml".to_owned(), 816)]);
            let all = units(&Policy { quick, amounts, scenarios: scenarios.clone(), kept, mutants: Vec::new() });
            let of = |name: &str| all.iter().find(|unit| unit.name == name);
            assert!(
                of("a").is_some_and(|unit| !unit.kept)
                    && of("regression-a").is_some_and(|unit| unit.kept && unit.own == [816])
            );
            assert_eq!(of("thirty-quiet-days").map(|unit| unit.seeds.end - unit.seeds.start), (!quick).then_some(1));
            assert!(of("day").is_none());
            let swarm: u64 =
                all.iter().filter(|u| u.name.starts_with("swarm")).map(|u| u.seeds.end - u.seeds.start).sum();
            assert_eq!(swarm, amounts.swarm_seeds);
            let counted: Vec<&Unit> = all.iter().filter(|unit| !unit.kept).collect();
            for pair in counted.windows(2) {
                assert!(pair[0].seeds.end <= pair[1].seeds.start, "{pair:?}");
            }
        }
    }
}
