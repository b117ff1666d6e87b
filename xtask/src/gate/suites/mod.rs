//! What a gate runs. A suite is a row of [`SUITES`]: its name, the units it is made of, and how one of them is run.
//!
//! A unit is what is resumed, sharded and replayed: a few seconds to a minute of work with a name that stays. It gives lines
//! of evidence, one run or several, each from [`Line::Run`] to [`Line::End`]. What goes wrong in the product is a line; an
//! `Err` says that the machine did not play along (exit code 5), and leaves no evidence.
//!
//! A suite decides nothing: whether something holds is computed from its lines, later, by `mainstay-metric`.

mod bench;
mod check;
mod crash;
mod deploy;
pub(crate) mod fails;
mod kill;
mod mutants;
mod scenarios;
mod simulator;
mod soak;

use super::policy::Policy;
use super::site::Site;
use mainstay_metric::ledger::{End, Line, Origin, Run, Step};
use std::ops::Range;

/// A suite.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    /// Its name, as in `--suite` and in the folder of its evidence.
    pub(crate) name: &'static str,
    /// What it does, for people and for the policy file.
    pub(crate) about: &'static str,
    /// Who sees what happens: stamped here, and each run has to say the same.
    pub(crate) origin: Origin,
    /// What its units do to the machine, and so what may run beside them.
    pub(crate) load: Load,
    /// The same commit and seeds give the same lines, byte for byte: a verifier may run units again and compare.
    pub(crate) replays: bool,
    /// Builds what its units need, once before the first.
    pub(crate) prepare: fn(&Site<'_>) -> Result<(), String>,
    /// Its units, in a fixed order: the same policy gives the same.
    pub(crate) units: fn(&Policy) -> Vec<Unit>,
    /// Runs one of them. Seeds come from [`Site::seeds`], processes are started by [`Site::call`] so that an interruption ends
    /// them, further files go to [`Site::attach`].
    pub(crate) run: fn(&Site<'_>, &Unit) -> Result<Vec<Line>, String>,
}

/// What a unit does to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// It keeps one core busy and touches nothing else: as many at once as there are cores.
    Computes,
    /// It waits for real processes, time and the disk most of the time: one at once, beside those that compute, which let its
    /// processes go first.
    Waits,
    /// It has the machine for itself: it measures, or it uses all of the machine anyway.
    Alone,
}

impl Load {
    /// The word for it in the policy.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Load::Computes => "computes",
            Load::Waits => "waits",
            Load::Alone => "alone",
        }
    }
}

/// A piece of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Its name: lower case, digits, `-` and `.`.
    pub(crate) name: String,
    /// Which of the suite's seeds are its own, by index: its runs have these, in this order, and no others. Empty: its runs
    /// have the seed 0.
    pub(crate) seeds: Range<u64>,
    /// Seeds that stand in the commit, instead: a kept regression is played with the one with which it failed.
    pub(crate) own: Vec<u64>,
    /// Its runs are kept regressions: they have to hold, and count in no ratio.
    pub(crate) kept: bool,
}

impl Unit {
    /// A unit without seeds.
    pub(crate) fn new(name: impl Into<String>) -> Unit {
        Unit { name: name.into(), seeds: 0..0, own: Vec::new(), kept: false }
    }

    /// A unit with these seeds of its suite.
    pub(crate) fn seeded(name: impl Into<String>, seeds: Range<u64>) -> Unit {
        Unit { name: name.into(), seeds, own: Vec::new(), kept: false }
    }
}

/// Cuts `all` seeds into units of `each`, named `NAME-0001` and so on.
pub(crate) fn pieces(name: &str, from: u64, all: u64, each: u64) -> Vec<Unit> {
    let pieces = all.div_ceil(each.max(1));
    let piece = |n: u64| {
        let begin = from + n * each;
        Unit::seeded(format!("{name}-{:04}", n + 1), begin..(begin + each).min(from + all))
    };
    (0..pieces).map(piece).collect()
}

/// All suites, in the order in which they run.
pub(crate) const SUITES: &[Suite] = &[
    check::SUITE,
    scenarios::SUITE,
    soak::SUITE,
    crash::SUITE,
    kill::SUITE,
    deploy::SUITE,
    mutants::SUITE,
    bench::SUITE,
];

/// A run that is made of steps: what suites without a world give.
fn steps(suite: &Suite, scenario: &str, steps: Vec<Step>) -> Vec<Line> {
    let head = Run {
        suite: suite.name.to_owned(),
        origin: suite.origin,
        seed: 0,
        scenario: scenario.to_owned(),
        persona: None,
        faults: false,
        kept: false,
    };
    let end = End { at_ms: 0, cut_off: None, digest: None };
    std::iter::once(Line::Run(head)).chain(steps.into_iter().map(Line::Step)).chain([Line::End(end)]).collect()
}
