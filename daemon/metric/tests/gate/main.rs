//! The scorer as a whole: what must not pass does not, what is good does, and nothing passes for want of evidence.

mod evidence;
mod fixtures;
mod power;
mod rules;

use mainstay_metric::ledger::{Line, Origin};
use mainstay_metric::scorecard::{Measured, Probed, Scorecard};
use mainstay_metric::scorer::{Scope, Scorer};

fn score(lines: &[Line]) -> Scorecard {
    score_with(lines, &[])
}

fn score_with(lines: &[Line], probes: &[Probed]) -> Scorecard {
    let mut scorer = Scorer::new(Scope::Gate);
    lines.iter().for_each(|line| scorer.add(line));
    scorer.finish(probes)
}

/// What was measured of a row by the evidence of this origin.
fn of<'a>(card: &'a Scorecard, id: &str, origin: Origin) -> &'a Measured {
    card.metrics.iter().find(|metric| metric.id == id && metric.origin == origin).expect("it was measured")
}
