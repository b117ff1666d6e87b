//! Deploy drills: releases that are good and that are not, the way back from each, and databases of other schemas.
//! [`crate::drill`] has all of it.

use super::{Load, Suite, Unit, pieces};
use crate::drill::{self, By, Goods, MODES, Mode, NAMES, Wanted};
use crate::gate::layout;
use crate::gate::policy::Policy;
use crate::gate::site::Site;
use crate::stage::Profile;
use mainstay_metric::ledger::{Line, Origin};
use std::path::{Path, PathBuf};

pub(super) const SUITE: Suite = Suite {
    name: "deploy",
    about: "releases that are good and that are not, switched to and left again while tasks run and people ask; judged from outside",
    origin: Origin::Lab,
    load: Load::Waits,
    replays: false,
    prepare,
    units,
    run,
};

/// Rounds of a unit.
const ROUNDS: u64 = 10;
/// Machines at the same time: they mostly wait, but each start of one writes a release to the disk, and a disk that many write
/// to at once stands still for tens of seconds.
const TOGETHER: usize = 4;
/// The seeds of a mode begin so far behind those of the one before.
const APART: u64 = 1_000_000;

fn prepare(site: &Site<'_>) -> Result<(), String> {
    let built = drill::built(Profile::Release)?;
    let expected = programs(site);
    if built == expected { Ok(()) } else { Err(format!("cargo put {} somewhere else", expected[0].display())) }
}

/// Where they are once they are built.
fn programs(site: &Site<'_>) -> [PathBuf; 4] {
    let folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| site.root.join("target"), |dir| Path::new(&dir).into());
    NAMES.map(|name| folder.join("release").join(name))
}

fn units(policy: &Policy) -> Vec<Unit> {
    let rounds = |mode: &Mode| match policy.quick {
        true => policy.amounts.drill_rounds,
        false => policy.amounts.drill_rounds.max(mode.cases()),
    };
    let of = |(n, mode): (u64, &Mode)| pieces(mode.name, n * APART, rounds(mode), ROUNDS);
    (0..).zip(&MODES).flat_map(of).collect()
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let (name, piece) = unit.name.rsplit_once('-').ok_or("a unit of another suite")?;
    let mode = MODES.iter().find(|mode| mode.name == name).ok_or("a unit of another suite")?;
    let nth = unit.seeds.clone().map(|index| index % APART);
    let wanted: Vec<Wanted> =
        site.seeds(unit).into_iter().zip(nth).map(|(seed, nth)| Wanted { mode, seed, nth, keep: false }).collect();
    let goods = Goods::new(programs(site), site.root, By::of_this_machine())?;
    let rounds = drill::play(&goods, &wanted, TOGETHER, &|| site.stop.is_set(), &|_| {})?;
    if site.stop.is_set() {
        return Err("interrupted".into());
    }
    if let Some(timeline) = drill::timeline(&rounds) {
        let path = if piece == "0001" { name.to_owned() } else { unit.name.clone() };
        site.attach(&format!("drills/{path}.json"), &layout::json(&timeline))?;
    }
    Ok(drill::told(&rounds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::policy::{FULL, QUICK};
    use crate::gate::shape::Shape;
    use std::collections::BTreeMap;

    #[test]
    fn what_a_unit_gives_is_what_a_bundle_wants() {
        let rounds = [7, 8].map(|seed| drill::Seen { seed, ..drill::tests::good() });
        let unit = Unit::seeded("crash-at-start-0001", 0..2);
        assert_eq!(Shape::whole(&SUITE, &unit, &[7, 8], &drill::told(&rounds)), Ok(()));
        assert!(layout::is_attachment("drills/crash-at-start.json"));
    }

    #[test]
    fn a_full_gate_has_twenty_rounds_of_every_mode_and_a_look_has_one() {
        let count = |amounts, mode: &Mode| {
            let policy = Policy {
                quick: amounts == QUICK,
                amounts,
                scenarios: Vec::new(),
                kept: BTreeMap::new(),
                mutants: Vec::new(),
            };
            let of = units(&policy).into_iter().filter(|unit| unit.name[..unit.name.len() - 5] == *mode.name);
            of.map(|unit| unit.seeds.end - unit.seeds.start).sum::<u64>()
        };
        for mode in &MODES {
            assert!(count(FULL, mode) >= 20.max(mode.cases()) && count(QUICK, mode) >= 1, "{}", mode.name);
        }
    }
}
