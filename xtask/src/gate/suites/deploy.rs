//! Deploy drills. They are not built yet: this says so, and keeps the verdict from being PASS.

use super::{Suite, Unit, steps};
use crate::gate::site::Site;
use mainstay_metric::ledger::{Line, Origin, Step};

pub(super) const SUITE: Suite = Suite {
    name: "deploy",
    about: "drills of deploy and rollback",
    origin: Origin::Lab,
    alone: true,
    replays: false,
    prepare: |_| Ok(()),
    units: |_| vec![Unit::new("drills")],
    run,
};

fn run(_: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let step = Step { name: "deploy and roll back".into(), held: None, seen: "the drills are not built yet".into() };
    Ok(steps(&SUITE, &unit.name, vec![step]))
}
