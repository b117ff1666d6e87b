//! From lines to counts. A fold sees the lines of one run after the other and keeps sums, not lines: a bundle has millions.
//!
//! One rule for all of them, whatever they count. Of a run that was cut off, nothing counts for us and everything against
//! us: its samples are failures, and where it has none, it is one. A kept seed counts in no ratio; what must never happen
//! must not happen in it either. The order of runs makes no difference.

mod counted;
mod mutants;
mod operator;
mod properties;
mod reruns;
pub(crate) mod samples;
pub(crate) mod share;
mod steps;

pub(crate) use counted::{Cluster, Counted};

use crate::ledger::{End, Line, Run};
use share::Sample;
use std::collections::BTreeSet;

/// How a row of the table is counted.
#[derive(Debug, Clone, Copy)]
pub enum Fold {
    /// Line by line.
    Share(fn(&Run, &Line) -> Option<Sample>),
    /// By property.
    Properties,
    /// By planted bug.
    Mutants,
    /// By suite: steps, and whether runs came to their end.
    Steps,
    /// By job, over its reruns.
    Reruns,
    /// By person and day.
    Operator,
    /// By nothing that is a line: it is made of the probes of the audit.
    Probes,
}

/// How a run ended.
pub(crate) enum Ending<'a> {
    /// As it should.
    Whole(&'a End),
    /// Not so, and why.
    CutOff(&'a str),
}

/// A fold at work.
pub(crate) enum Folding {
    Share(share::Folding),
    Properties(properties::Folding),
    Mutants(mutants::Folding),
    Steps(steps::Folding),
    Reruns(reruns::Folding),
    Operator(operator::Folding),
    Probes,
}

impl Folding {
    /// `strict`: one failure is one too many, wherever it was.
    pub(crate) fn new(fold: Fold, strict: bool) -> Self {
        match fold {
            Fold::Share(sample) => Self::Share(share::Folding::new(sample, strict)),
            Fold::Properties => Self::Properties(properties::Folding::default()),
            Fold::Mutants => Self::Mutants(mutants::Folding::default()),
            Fold::Steps => Self::Steps(steps::Folding::default()),
            Fold::Reruns => Self::Reruns(reruns::Folding::default()),
            Fold::Operator => Self::Operator(operator::Folding::default()),
            Fold::Probes => Self::Probes,
        }
    }

    pub(crate) fn line(&mut self, run: &Run, line: &Line) {
        match self {
            Self::Share(fold) => fold.line(run, line),
            Self::Properties(fold) => fold.line(run, line),
            Self::Mutants(fold) => fold.line(run, line),
            Self::Steps(fold) => fold.line(run, line),
            Self::Reruns(fold) => fold.line(run, line),
            Self::Operator(fold) => fold.line(line),
            Self::Probes => {}
        }
    }

    pub(crate) fn close(&mut self, run: &Run, ending: &Ending<'_>) {
        match self {
            Self::Share(fold) => fold.close(run, ending),
            Self::Properties(fold) => fold.close(run, ending),
            Self::Steps(fold) => fold.close(run, ending),
            Self::Reruns(fold) => fold.close(run, ending),
            Self::Operator(fold) => fold.close(run, ending),
            Self::Mutants(_) | Self::Probes => {}
        }
    }

    /// `proven`: properties of which it was shown that they can fail.
    pub(crate) fn counted(self, proven: &BTreeSet<String>) -> Counted {
        match self {
            Self::Share(fold) => fold.counted(),
            Self::Properties(fold) => fold.counted(proven),
            Self::Mutants(fold) => fold.counted(),
            Self::Steps(fold) => fold.counted(),
            Self::Reruns(fold) => fold.counted(),
            Self::Operator(fold) => fold.counted(),
            Self::Probes => Counted::default(),
        }
    }
}
