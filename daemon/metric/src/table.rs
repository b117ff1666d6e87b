//! The table of metrics: one row each, with everything that decides about it. [`crate::policy`] renders it, so that a change
//! of a target or of a definition is a change of the policy that can be seen.
//!
//! A new metric is a row in [`rows`] and a fold for it. Nothing else knows the metrics by name.

mod rows;

pub use rows::ROWS;

use crate::decimal::Unit;
use crate::fold::Fold;
use crate::ledger::Origin;
use crate::scorecard::{Comparison, Group};

/// A metric.
#[derive(Debug)]
pub struct Row {
    /// Its name for programs.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// A line of the gate, or a KPI.
    pub group: Group,
    /// What is counted.
    pub counts: &'static str,
    /// Of what.
    pub of: &'static str,
    /// The kinds of lines that it is made of.
    pub lines: &'static [&'static str],
    /// What its evidence from a simulation decides.
    pub sim: Role,
    /// What its evidence from a machine of our own decides.
    pub lab: Role,
    /// Unit of target, estimate and bound.
    pub unit: Unit,
    /// Units of the last digit.
    pub target: u64,
    /// Which side of the target is good.
    pub comparison: Comparison,
    /// Less decides nothing.
    pub least: Least,
    /// The same where the evidence is production's record.
    pub production: Production,
    /// What its parts decide.
    pub parts: Parts,
    /// How the counts become a verdict.
    pub rule: Rule,
    /// How lines become counts.
    pub fold: Fold,
}

/// What evidence decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Without it there is no verdict but INCONCLUSIVE.
    Required,
    /// It need not be enough; a failure counts all the same.
    Watched,
    /// It decides nothing.
    Shown,
}

/// The least sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Least {
    /// So many in all.
    pub sample: u64,
    /// Of so many seeds.
    pub seeds: u64,
    /// So many parts have at least `per_part`.
    pub parts: u64,
    /// See `parts`; where parts decide, each of them needs as many.
    pub per_part: u64,
    /// In one run at least.
    pub one_run: u64,
}

const fn least(sample: u64, seeds: u64) -> Least {
    Least { sample, seeds, parts: 0, per_part: 0, one_run: 0 }
}

/// Evidence from the record alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Production {
    /// The least sample.
    pub least: Least,
    /// What the record can't tell; then it is never shown.
    pub lacks: Option<&'static str>,
}

const fn knows(least: Least) -> Production {
    Production { least, lacks: None }
}

const fn lacks(what: &'static str) -> Production {
    Production { least: least(1, 1), lacks: Some(what) }
}

/// What the parts of a row decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// They are shown.
    Shown,
    /// Each of them has to hold by itself.
    Decide,
}

/// How counts become a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A share: its bound, the worst of the exact one and those by seed, has to meet the target.
    Bound,
    /// What must never happen: once is too often. Without one the rate is below three in the sample.
    Never,
    /// All that there are have to be good; there is nothing to infer.
    All,
    /// Each property never broken, asked often enough, and able to break.
    Properties,
    /// Each class by its share of those in time; and the mean of all by its bound.
    Recovery,
    /// The mean, by its bound; and none over the most.
    Mean,
    /// Weighted probes.
    Score,
}

/// Suites, and whose evidence they make.
pub const SUITES: [(&str, Origin); 8] = [
    ("bench", Origin::Lab),
    ("check", Origin::Lab),
    ("crash", Origin::Sim),
    ("deploy", Origin::Lab),
    ("kill", Origin::Lab),
    ("mutants", Origin::Sim),
    ("scenarios", Origin::Sim),
    ("soak", Origin::Sim),
];

/// The row of steps: what no file tells (a suite that is missing, lines of no run) is told there.
pub const STEPS: &str = "steps";
/// The row of properties, each of which is a part of it.
pub const INVARIANTS: &str = "control-invariants";

impl Row {
    /// What evidence of this origin decides in a gate.
    pub const fn role(&self, origin: Origin) -> Role {
        match origin {
            Origin::Sim => self.sim,
            Origin::Lab => self.lab,
            Origin::Production => Role::Shown,
        }
    }

    /// The least sample of this origin.
    pub const fn least(&self, origin: Origin) -> Least {
        match origin {
            Origin::Sim | Origin::Lab => self.least,
            Origin::Production => self.production.least,
        }
    }

    /// What evidence of this origin can't tell, in words.
    pub fn lacks(&self, origin: Origin) -> Option<String> {
        match origin {
            Origin::Sim | Origin::Lab => None,
            Origin::Production => self.production.lacks.map(|lacks| format!("not from the record: {lacks}")),
        }
    }

    /// Once is too often, wherever it was: kept seeds and cut-off runs too.
    pub const fn is_strict(&self) -> bool {
        match self.rule {
            Rule::Never | Rule::All | Rule::Properties => true,
            Rule::Bound | Rule::Recovery | Rule::Mean | Rule::Score => false,
        }
    }
}
