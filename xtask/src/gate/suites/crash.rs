//! One life of a task, cut off at each of its writes, syncs, steps and calls: by a kill, and by a power loss with every set of
//! writes that may survive it. Two controls, a disk that lies and commits that are not synced, must be found.

use super::simulator;
use super::{Load, Suite, Unit};
use crate::gate::policy::Policy;
use crate::gate::site::Site;
use mainstay_metric::ledger::{End, Line, Origin, Property, Run, Step};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const SUITE: Suite = Suite {
    name: "crash",
    about: "one life of a task, cut off at each of its points: killed, and without power with every set of surviving writes",
    origin: Origin::Sim,
    load: Load::Computes,
    replays: true,
    prepare: simulator::prepare,
    units,
    run,
};

/// What must hold of every cut. That it can fail is shown by the controls.
const HOLDS: &str = "every-cut-holds";
const CONTROLS: [&str; 2] = ["lying-disk", "lazy-commits"];
/// Shares of a full run, each of some seconds; and of a look.
const SHARES: u64 = 60;
const SHARES_QUICK: u64 = 2;
const HANGS: Duration = Duration::from_secs(900);

/// What the simulator prints for a point.
#[derive(Deserialize)]
struct Point {
    kills: u64,
    power_losses: u64,
    twins: u64,
    second: u64,
    found: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    crashes: Vec<String>,
    /// None: the same cut did not do the same twice.
    broken: Option<String>,
    how: String,
}

fn units(policy: &Policy) -> Vec<Unit> {
    let shares = if policy.amounts.crash_points == 0 { SHARES } else { SHARES_QUICK };
    let shares = (1..=shares).map(|share| Unit::new(format!("share-{share:02}-of-{shares:02}")));
    CONTROLS.iter().map(|control| Unit::new(format!("control-{control}"))).chain(shares).collect()
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let head = Run {
        suite: SUITE.name.to_owned(),
        origin: SUITE.origin,
        seed: 0,
        scenario: unit.name.clone(),
        persona: None,
        faults: true,
        kept: false,
    };
    let (lines, cut_off) = match unit.name.strip_prefix("control-") {
        Some(control) => (vec![found(site, control)?], None),
        None => share(site, unit)?,
    };
    let end = End { at_ms: 0, cut_off, digest: None };
    Ok(std::iter::once(Line::Run(head)).chain(lines).chain([Line::End(end)]).collect())
}

/// Whether what is made wrong is found: the proof that [`HOLDS`] can fail.
fn found(site: &Site<'_>, control: &str) -> Result<Line, String> {
    let mut command = simulator::simulator(site);
    let called = site.call(command.args(["crash", "--jobs", "1", "--control", control]), HANGS)?;
    let seen = match called.good() {
        true => format!("{control}: found"),
        false => format!("{control}: not found, or not alike twice ({})", called.ended()),
    };
    Ok(Line::Step(Step { name: format!("forged {HOLDS}"), held: Some(called.good()), seen }))
}

/// The cuts of a share; and why it did not come to its end.
fn share(site: &Site<'_>, unit: &Unit) -> Result<(Vec<Line>, Option<String>), String> {
    let (number, of) = unit
        .name
        .strip_prefix("share-")
        .and_then(|rest| rest.split_once("-of-"))
        .and_then(|(number, of)| Some((number.parse::<u64>().ok()?, of.parse::<u64>().ok()?)))
        .ok_or("a unit of another suite")?;
    let mut command = simulator::simulator(site);
    command.args(["crash", "--lines", "--shard", &format!("{number}/{of}")]);
    if site.policy.amounts.crash_points > 0 {
        command.args(["--sample", &site.policy.amounts.crash_points.to_string()]);
    }
    let called = site.call(&mut command, HANGS)?;
    let text = String::from_utf8_lossy(&called.stdout);
    let points: Vec<Point> = text.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
    let whole = called.good() && points.len() == text.lines().count();
    let cut_off = (!whole).then(|| format!("the simulator {}: {}", called.ended(), called.last_words()));
    Ok((told(&points), cut_off))
}

/// A line for all cuts, one for each property that broke, and whether all cuts did the same twice.
fn told(points: &[Point]) -> Vec<Line> {
    let lives = points.iter().map(|point| point.kills + point.power_losses + point.twins + point.second).sum();
    let mut broken: BTreeMap<&str, String> = BTreeMap::new();
    let mut unsteady = None;
    for found in points.iter().flat_map(|point| &point.found) {
        let how = format!("{}: {}", found.crashes.join(" then "), found.how);
        match &found.broken {
            Some(property) => drop(broken.entry(property).or_insert(how)),
            None => drop(unsteady.get_or_insert(how)),
        }
    }
    let first = broken.iter().next().map(|(property, how)| format!("{property}: {how}"));
    let held = Property { name: HOLDS.to_owned(), looked: lives, broken: first };
    let mut lines = vec![Line::Property(held)];
    lines.extend(
        broken
            .into_iter()
            .map(|(name, how)| Line::Property(Property { name: name.to_owned(), looked: 1, broken: Some(how) })),
    );
    let twins: u64 = points.iter().map(|point| point.twins).sum();
    lines.push(Line::Step(Step {
        name: "the same cut does the same".to_owned(),
        held: Some(unsteady.is_none()),
        seen: unsteady.unwrap_or_else(|| format!("{twins} cuts were lived twice")),
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(found: Vec<Found>) -> Point {
        Point { kills: 2, power_losses: 3, twins: 1, second: 1, found }
    }

    #[test]
    fn what_broke_and_what_was_unsteady_is_told_with_its_place() {
        let found = |broken: Option<&str>, how: &str| Found {
            crashes: vec!["disk:3".into(), "api:1".into()],
            broken: broken.map(str::to_owned),
            how: how.into(),
        };
        let lines = told(&[point(vec![found(Some("p"), "x")]), point(vec![found(None, "y"), found(Some("p"), "z")])]);
        let [Line::Property(held), Line::Property(p), Line::Step(same)] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((held.looked, held.broken.as_deref()), (14, Some("p: disk:3 then api:1: x")));
        assert_eq!((p.name.as_str(), p.broken.as_deref()), ("p", Some("disk:3 then api:1: x")));
        assert_eq!((same.held, same.seen.as_str()), (Some(false), "disk:3 then api:1: y"));
    }

    #[test]
    fn when_all_held_nothing_is_broken() {
        let lines = told(&[point(vec![])]);
        let [Line::Property(held), Line::Step(same)] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((held.looked, &held.broken, same.held), (7, &None, Some(true)));
    }
}
