//! Shares, by their bound: the exact one and those by seed, whichever is worst.

use super::{Found, named, parts, short};
use crate::fold::{Cluster, Counted};
use crate::scorecard::{Comparison, Outcome};
use crate::stats::{Part, clustered_at_most, effective, share_at_least, share_at_most};
use crate::table::{Least, Parts, Row};

pub(super) fn bound(row: &Row, least: Least, counted: &Counted) -> Found {
    let total = counted.total;
    let failures: Vec<Part> = counted.seeds.values().map(|seed| seed.failures()).collect();
    let exact = exact_bound(row, total.failures());
    let drawn = clustered_at_most(&failures).map(|worst| row.unit.of(looked_at(row, worst), row.comparison));
    let by_seed = drawn.map(|drawn| row.comparison.worse(drawn, exact_bound(row, effective(&failures))));
    let bound = by_seed.map_or(exact, |by_seed| row.comparison.worse(exact, by_seed));
    let mut refuted = Vec::new();
    if is_refuted(row, total) {
        refuted.push(format!("whatever else comes, it is on the wrong side of {}", row.unit.text(row.target)));
    }
    let mut missed = Vec::new();
    if !row.comparison.holds(bound, row.target) {
        let how = if bound == exact { "" } else { ", by seed" };
        let (bound, target) = (row.unit.text(bound), row.unit.text(row.target));
        missed.push(format!("not shown: it may be {bound}{how}, not {} {target}", row.comparison.sign()));
    }
    let parts = parts(counted, |part| verdict(row, part, least.per_part));
    if row.parts == Parts::Decide {
        missed.extend(named(&parts, Outcome::Fail).map(|names| format!("not shown of {names}")));
    }
    Found {
        estimate: row.unit.of(looked_at(row, total.failures()), row.comparison),
        bound,
        refuted,
        short: short(row, least, counted),
        missed,
        parts,
    }
}

/// The verdict on a part, by itself.
fn verdict(row: &Row, part: Cluster, least: u64) -> Outcome {
    let held = row.comparison.holds(exact_bound(row, part.failures()), row.target);
    // Where parts only are shown, there is no sample at which one has to have been decided.
    let enough = row.parts == Parts::Decide && part.all >= least;
    match (is_refuted(row, part), held && part.all >= least, enough) {
        (true, ..) => Outcome::Fail,
        (false, true, _) => Outcome::Pass,
        (false, false, true) => Outcome::Fail,
        (false, false, false) => Outcome::Inconclusive,
    }
}

/// What the row is about, of a share of failures: the failures, or the others.
const fn looked_at(row: &Row, failures: Part) -> Part {
    match row.comparison {
        Comparison::AtMost => failures,
        Comparison::AtLeast => Part { sum: failures.of - failures.sum, of: failures.of },
    }
}

fn exact_bound(row: &Row, failures: Part) -> u64 {
    let worst = share_at_most(failures.sum, failures.of);
    match row.comparison {
        Comparison::AtMost => row.unit.near(worst, Comparison::AtMost),
        Comparison::AtLeast => row.unit.near(1.0 - worst, Comparison::AtLeast),
    }
}

/// Even at its best the share is on the wrong side.
fn is_refuted(row: &Row, cluster: Cluster) -> bool {
    let best = share_at_least(cluster.bad, cluster.all);
    match row.comparison {
        Comparison::AtMost => row.unit.near(best, Comparison::AtLeast) > row.target,
        Comparison::AtLeast => row.unit.near(1.0 - best, Comparison::AtMost) < row.target,
    }
}
