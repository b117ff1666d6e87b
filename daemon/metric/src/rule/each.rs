//! Where each single one counts: what must never happen, what has to be good to the last, and properties.

use super::{Found, parts, short};
use crate::fold::{Cluster, Counted};
use crate::scorecard::{Comparison, Outcome};
use crate::stats::{Part, share_at_most};
use crate::table::{Least, Row};

/// Of none in `all` the rate is below three in `all`.
const RULE_OF_THREE: u64 = 3;

pub(super) fn never(row: &Row, least: Least, counted: &Counted) -> Found {
    let short = short(row, least, counted);
    let parts = parts(counted, verdict);
    found(row, counted.total, counted.total.all, short, parts)
}

/// The estimate is of all; the bound is of the one that was asked least often.
pub(super) fn properties(row: &Row, least: Least, counted: &Counted) -> Found {
    let fewest = counted.parts.values().map(|part| part.all).min().unwrap_or(0);
    let short = short(row, least, counted);
    let parts = parts(counted, |part| match verdict(part) {
        Outcome::Pass if part.all < least.per_part => Outcome::Inconclusive,
        outcome @ (Outcome::Pass | Outcome::Inconclusive | Outcome::Fail) => outcome,
    });
    found(row, counted.total, fewest, short, parts)
}

fn found(row: &Row, total: Cluster, fewest: u64, short: Vec<String>, parts: Vec<crate::scorecard::Part>) -> Found {
    let bound = match total.bad {
        0 => row.unit.of(Part { sum: RULE_OF_THREE.min(fewest), of: fewest }, Comparison::AtMost),
        bad => row.unit.near(share_at_most(bad, total.all), Comparison::AtMost),
    };
    let missed = match row.comparison.holds(bound, row.target) {
        true => Vec::new(),
        false => vec![format!("a rate of {} is not ruled out", row.unit.text(bound))],
    };
    Found {
        estimate: row.unit.of(total.failures(), Comparison::AtMost),
        bound,
        refuted: once_is_too_often(total),
        short,
        missed,
        parts,
    }
}

pub(super) fn all(row: &Row, least: Least, counted: &Counted) -> Found {
    let total = counted.total;
    let good = row.unit.of(Part { sum: total.all - total.bad, of: total.all }, Comparison::AtLeast);
    Found {
        estimate: good,
        // All were looked at: there is nothing that one could be wrong about.
        bound: good,
        refuted: once_is_too_often(total),
        short: short(row, least, counted),
        missed: Vec::new(),
        parts: parts(counted, verdict),
    }
}

fn once_is_too_often(total: Cluster) -> Vec<String> {
    if total.bad > 0 { vec!["one is too many".to_owned()] } else { Vec::new() }
}

const fn verdict(part: Cluster) -> Outcome {
    match (part.bad, part.all) {
        (1.., _) => Outcome::Fail,
        (0, 0) => Outcome::Inconclusive,
        (0, 1..) => Outcome::Pass,
    }
}
