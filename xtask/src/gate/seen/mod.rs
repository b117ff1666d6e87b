//! What the raw lines of a bundle come to, for people and for probes: counts, times, and the lines that went wrong with the
//! place where they stand.
//!
//! It decides nothing and knows no target: verdicts on metrics are made in `mainstay-metric`, from the same lines. It reads
//! run after run and keeps sums, because a bundle has millions of lines.

mod counts;
mod evidence;
mod failure;
mod run;

pub(crate) use counts::{Asked, Ends, Executions, Looked, Probing, Reruns, Stage, Strikes, Suite};
pub(crate) use evidence::Evidence;
pub(crate) use failure::{Failure, Failures, Trouble};

use mainstay_metric::ledger::{Figure, Line, Mutant, Origin, Step};
use run::Open;
use std::collections::BTreeMap;

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// From the top of the bundle.
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A step, and where it was told.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    /// Of which suite.
    pub(crate) suite: String,
    /// In which unit or scenario of it.
    pub(crate) scenario: String,
    /// What was seen.
    pub(crate) step: Step,
    /// The line.
    pub(crate) place: Place,
}

/// A planted bug, and where it was told.
#[derive(Debug, Clone)]
pub(crate) struct Planted {
    /// What became of it.
    pub(crate) mutant: Mutant,
    /// The line.
    pub(crate) place: Place,
}

/// Sums over all lines. What a run that counts in no ratio (`kept`) did is in its suite, its properties and its failures only.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// By name.
    pub(crate) suites: BTreeMap<String, Suite>,
    /// By who saw it and class.
    pub(crate) faults: BTreeMap<(Origin, String), Strikes>,
    /// In how many runs a class of fault struck while some task was at a stage.
    pub(crate) coverage: BTreeMap<String, BTreeMap<Stage, u64>>,
    /// By name.
    pub(crate) properties: BTreeMap<String, Looked>,
    /// In the order of their names.
    pub(crate) mutants: BTreeMap<String, Planted>,
    /// In the order in which they were read.
    pub(crate) figures: Vec<Figure>,
    /// In the order in which they were read.
    pub(crate) steps: Vec<Tried>,
    /// Attempts that ran.
    pub(crate) executions: Executions,
    /// By verb.
    pub(crate) commands: BTreeMap<String, Asked>,
    /// What became of tasks.
    pub(crate) ends: Ends,
    /// By scenario: slices of a minute.
    pub(crate) probing: BTreeMap<String, Probing>,
    /// Acts, by persona.
    pub(crate) acts: BTreeMap<String, u64>,
    /// By job.
    pub(crate) reruns: BTreeMap<String, Reruns>,
    /// Digests of runs that can be played again: the same run with another digest is trouble.
    digests: BTreeMap<(String, String, Option<String>, u64), String>,
    /// Runs that were played more than once.
    pub(crate) repeated: u64,
    /// The first lines of each kind of trouble.
    pub(crate) failures: Failures,
    open: Option<Open>,
}

impl Seen {
    /// Takes the next line of a file.
    pub(crate) fn add(&mut self, file: &str, number: u64, line: &Line) {
        let place = Place { file: file.to_owned(), line: number };
        match line {
            Line::Run(run) => {
                self.close(None);
                self.begin(run, place);
            }
            Line::End(end) => self.close(Some((end, place))),
            Line::Command(_)
            | Line::Execution(_)
            | Line::Task(_)
            | Line::Fault(_)
            | Line::Property(_)
            | Line::Mutant(_)
            | Line::Slices(_)
            | Line::Act(_)
            | Line::Rerun(_)
            | Line::Figure(_)
            | Line::Step(_) => self.within(line, place),
        }
    }

    /// A file is over: a run that has no end by now was cut off.
    pub(crate) fn file_over(&mut self) {
        self.close(None);
    }

    /// Runs of all suites.
    pub(crate) fn runs(&self) -> u64 {
        self.suites.values().map(|suite| suite.runs).sum()
    }

    /// The steps of a suite.
    pub(crate) fn steps_of(&self, suite: &str) -> impl Iterator<Item = &Tried> {
        self.steps.iter().filter(move |tried| tried.suite == suite)
    }
}
