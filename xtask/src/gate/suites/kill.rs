//! Kill: the released program on a real disk with real processes, killed, stopped and starved of room at every moment of its
//! tasks' lives, and judged by what does not come from it. [`crate::kill`] has all of it.

use super::{Load, Suite, Unit, pieces};
use crate::gate::policy::Policy;
use crate::gate::site::Site;
use crate::kill::{ROUNDS_A_RUN, ROUNDS_ON_SMALL_DISK, Wanted, run_together};
use crate::stage::{self, Profile, Programs};
use mainstay_metric::ledger::{Line, Origin};
use std::path::Path;

pub(super) const SUITE: Suite = Suite {
    name: "kill",
    about: "the released program with real processes, killed, stopped, ended and starved of disk at any moment; judged from outside",
    origin: Origin::Lab,
    load: Load::Waits,
    replays: false,
    prepare,
    units,
    run,
};

/// Runs of a unit, at the same time.
const TOGETHER: u64 = 5;
/// For so many rounds there is one run on a small disk.
const OF: u64 = 125;
/// Seeds of runs on a small disk begin here.
const SMALL_DISK: u64 = 1_000_000;

fn prepare(site: &Site<'_>) -> Result<(), String> {
    let programs = stage::build(Profile::Release)?;
    let expected = self::programs(site);
    let same = (&programs.mainstay, &programs.botapi) == (&expected.mainstay, &expected.botapi);
    if same { Ok(()) } else { Err(format!("cargo put {} somewhere else", expected.mainstay.display())) }
}

/// Where they are once they are built.
fn programs(site: &Site<'_>) -> Programs {
    let folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| site.root.join("target"), |dir| Path::new(&dir).into());
    let program = |name: &str| folder.join("release").join(name);
    Programs { mainstay: program("mainstay"), botapi: program("mainstay-botapi") }
}

fn units(policy: &Policy) -> Vec<Unit> {
    let rounds = policy.amounts.kill_rounds;
    let on_small_disk = rounds.div_ceil(OF);
    let mut units = pieces("blows", 0, rounds.div_ceil(ROUNDS_A_RUN), TOGETHER);
    units.extend(pieces("small-disk", SMALL_DISK, on_small_disk, TOGETHER));
    units
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let on_small_disk = unit.name.starts_with("small-disk");
    let rounds = if on_small_disk { ROUNDS_ON_SMALL_DISK } else { ROUNDS_A_RUN.min(site.policy.amounts.kill_rounds) };
    let seeds = site.seeds(unit);
    let wanted: Vec<Wanted> =
        seeds.into_iter().map(|seed| Wanted { seed, rounds, on_small_disk, sabotaged: false }).collect();
    let told = run_together(&programs(site), &wanted, false, &|| site.stop.is_set(), &|_| {})?;
    if site.stop.is_set() { Err("interrupted".into()) } else { Ok(told.into_iter().flatten().collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::policy::{FULL, QUICK};
    use std::collections::BTreeMap;

    #[test]
    fn a_full_gate_strikes_often_enough_for_every_class() {
        let policy = |quick| Policy {
            quick,
            amounts: if quick { QUICK } else { FULL },
            scenarios: Vec::new(),
            kept: BTreeMap::new(),
            mutants: Vec::new(),
        };
        let count = |units: &[Unit], word: &str| {
            let of = units.iter().filter(|unit| unit.name.starts_with(word));
            of.map(|unit| unit.seeds.end - unit.seeds.start).sum::<u64>()
        };
        let full = units(&policy(false));
        assert!(count(&full, "blows") >= 100, "seeds");
        // 59 of a class without a failure show 95 %.
        assert!(count(&full, "small-disk") * ROUNDS_ON_SMALL_DISK >= 59);
        assert!(count(&full, "blows") * ROUNDS_A_RUN / 7 >= 59);
        let quick = units(&policy(true));
        assert!(count(&quick, "blows") > 0 && count(&quick, "small-disk") > 0);
    }
}
