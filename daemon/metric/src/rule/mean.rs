//! Means, by their bound when whole seeds are drawn again; with what must hold of each beside it.

use super::{Found, named, parts, short};
use crate::decimal::Unit;
use crate::fold::{Cluster, Counted};
use crate::limits::{CLASS_IN_TIME, DAY_MOST_MS};
use crate::scorecard::{Comparison, Outcome};
use crate::stats::{Part, clustered_at_most, share_at_least, share_at_most};
use crate::table::{Least, Row};
use std::collections::BTreeMap;

const MS_OF_A_MINUTE: u64 = 60_000;

/// The mean of all, and of each class the share that was over in time.
pub(super) fn recovery(row: &Row, least: Least, counted: &Counted) -> Found {
    let mut found = of_mean(row, least, counted);
    found.parts = parts(counted, |part| {
        let shown = Unit::Share.near(1.0 - share_at_most(part.bad, part.all), Comparison::AtLeast) >= CLASS_IN_TIME;
        let refuted = Unit::Share.near(1.0 - share_at_least(part.bad, part.all), Comparison::AtMost) < CLASS_IN_TIME;
        match (refuted, part.all >= least.per_part, shown) {
            (true, ..) | (false, true, false) => Outcome::Fail,
            (false, true, true) => Outcome::Pass,
            (false, false, _) => Outcome::Inconclusive,
        }
    });
    let target = Unit::Share.text(CLASS_IN_TIME);
    found.missed.extend(
        named(&found.parts, Outcome::Fail).map(|names| format!("a share of {target} in time is not shown of {names}")),
    );
    found
}

/// The mean of all days, and of each persona's, each by its bound; and no day over the most.
pub(super) fn mean(row: &Row, least: Least, counted: &Counted) -> Found {
    let mut found = of_mean(row, least, counted);
    if counted.total.bad > 0 {
        found.refuted.push(format!("a day took more than {} min", DAY_MOST_MS / 60_000));
    }
    found.parts = parts(counted, |part| match (part.bad, part.all >= least.per_part) {
        (1.., _) => Outcome::Fail,
        (0, false) => Outcome::Inconclusive,
        (0, true) => Outcome::Pass,
    });
    for part in found.parts.iter_mut().filter(|part| part.outcome == Outcome::Pass) {
        let (of, seeds) = (counted.parts[&part.name], &counted.seeds_of[&part.name]);
        let (_, bound) = bounded(row, of.mean(), seeds);
        if !row.comparison.holds(bound, row.target) {
            part.outcome = Outcome::Fail;
        }
    }
    found.missed.extend(named(&found.parts, Outcome::Fail).map(|names| format!("not so of {names}")));
    found
}

fn of_mean(row: &Row, least: Least, counted: &Counted) -> Found {
    let (estimate, bound) = bounded(row, counted.total.mean(), &counted.seeds);
    let mut missed = Vec::new();
    if !row.comparison.holds(bound, row.target) {
        let (bound, target) = (row.unit.text(bound), row.unit.text(row.target));
        missed.push(format!("the mean may be {bound}, not {} {target}", row.comparison.sign()));
    }
    Found { estimate, bound, refuted: Vec::new(), short: short(row, least, counted), missed, parts: Vec::new() }
}

/// A mean and its bound, which is never better.
fn bounded(row: &Row, mean: Part, seeds: &BTreeMap<u64, Cluster>) -> (u64, u64) {
    let seeds: Vec<Part> = seeds.values().map(|seed| seed.mean()).collect();
    let estimate = minutes(row, mean);
    (estimate, clustered_at_most(&seeds).map_or(estimate, |worst| minutes(row, worst).max(estimate)))
}

fn minutes(row: &Row, ms: Part) -> u64 {
    row.unit.of(Part { sum: ms.sum, of: ms.of * MS_OF_A_MINUTE }, Comparison::AtMost)
}
