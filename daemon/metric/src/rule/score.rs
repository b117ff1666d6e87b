//! The audit score: the weight of the probes that hold, of a hundred. Unknown counts as nothing.

use super::Judged;
use crate::ledger::Origin;
use crate::limits::{CRITICAL_CAP, NAMED};
use crate::scorecard::{Comparison, Outcome, Probed};
use crate::stats::Part;
use crate::table::Row;

/// The score if `holds` says which ones hold, in units of the row's last digit.
fn points(row: &Row, probes: &[Probed], holds: impl Fn(&Probed) -> bool) -> u64 {
    let weight = |of: &dyn Fn(&Probed) -> bool| {
        probes.iter().filter(|probe| of(probe)).map(|probe| u64::from(probe.weight)).sum::<u64>()
    };
    let score = row.unit.of(Part { sum: 100 * weight(&holds), of: weight(&|_| true) }, Comparison::AtLeast);
    let cap = row.unit.of(Part { sum: CRITICAL_CAP, of: 1 }, Comparison::AtLeast);
    if probes.iter().any(|probe| probe.critical && !holds(probe)) { score.min(cap) } else { score }
}

pub(super) fn judge(row: &Row, origin: Origin, probes: &[Probed]) -> Judged {
    let of = |outcome| probes.iter().filter(move |probe: &&Probed| probe.outcome == outcome);
    let names = |outcome| of(outcome).map(|probe| probe.id.as_str()).take(NAMED).collect::<Vec<_>>().join(", ");
    let score = points(row, probes, |probe| probe.outcome == Outcome::Pass);
    // What it would be if all that is unknown held.
    let at_best = points(row, probes, |probe| probe.outcome != Outcome::Fail);
    let holds = |score| row.comparison.holds(score, row.target);
    let (outcome, why) = match (probes.is_empty(), holds(score), holds(at_best)) {
        (true, ..) => (Outcome::Inconclusive, row.lacks(origin).unwrap_or_else(|| "no probe was made".to_owned())),
        (false, true, _) => (Outcome::Pass, format!("{} probes", probes.len())),
        (false, false, true) => (
            Outcome::Inconclusive,
            format!("{} unknown: {}", of(Outcome::Inconclusive).count(), names(Outcome::Inconclusive)),
        ),
        (false, false, false) => {
            (Outcome::Fail, format!("{} do not hold: {}", of(Outcome::Fail).count(), names(Outcome::Fail)))
        }
    };
    let seen = (!probes.is_empty()).then_some(score);
    let probe_count = super::count(probes.len());
    Judged {
        estimate: seen,
        bound: seen,
        outcome,
        why,
        parts: Vec::new(),
        sample: probe_count,
        failures: probe_count - super::count(of(Outcome::Pass).count()),
    }
}
