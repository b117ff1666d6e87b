//! What a fold came to: whole numbers only, so that adding up in another order gives the same.

use crate::ledger::Run;
use crate::limits::NAMED;
use crate::stats::Part;
use std::collections::{BTreeMap, BTreeSet};

/// Longer words of a failure are cut.
const WORDS_MOST: usize = 100;

/// Things counted together: of a seed, or of a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cluster {
    pub(crate) all: u64,
    pub(crate) bad: u64,
    /// Milliseconds of all of them, where a row has a mean.
    pub(crate) ms: u64,
}

impl Cluster {
    pub(crate) fn add(&mut self, other: Cluster) {
        self.all += other.all;
        self.bad += other.bad;
        self.ms += other.ms;
    }

    /// Failures of all.
    pub(crate) const fn failures(self) -> Part {
        Part { sum: self.bad, of: self.all }
    }

    /// The mean.
    pub(crate) const fn mean(self) -> Part {
        Part { sum: self.ms, of: self.all }
    }
}

/// What was counted of a row and an origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) total: Cluster,
    pub(crate) seeds: BTreeMap<u64, Cluster>,
    pub(crate) parts: BTreeMap<String, Cluster>,
    /// Seeds of each part.
    pub(crate) seeds_of: BTreeMap<String, BTreeMap<u64, Cluster>>,
    pub(crate) excluded: BTreeMap<String, u64>,
    /// The most that one run has that came to its end.
    pub(crate) longest_run: u64,
    /// The first failures, by name.
    pub(crate) named: BTreeSet<String>,
    /// What could not be tried, was not seen at all, or was not shown to be able to fail.
    pub(crate) open: BTreeSet<String>,
}

impl Counted {
    /// Counts a cluster to its seed and, where it has one, its part.
    pub(crate) fn add(&mut self, seed: u64, part: Option<&str>, cluster: Cluster) {
        self.total.add(cluster);
        self.seeds.entry(seed).or_default().add(cluster);
        if let Some(part) = part {
            self.parts.entry(part.to_owned()).or_default().add(cluster);
            self.seeds_of.entry(part.to_owned()).or_default().entry(seed).or_default().add(cluster);
        }
    }

    pub(crate) fn name(&mut self, run: &Run, words: &str) {
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut = words.char_indices().nth(WORDS_MOST).map_or(words.len(), |(at, _)| at);
        self.named.insert(format!("{} {} seed {}: {}", run.suite, run.scenario, run.seed, &words[..cut]));
        if self.named.len() > NAMED {
            self.named.pop_last();
        }
    }

    /// Lines that are of no run: somebody cut a file.
    pub(crate) fn stray(&mut self, lines: u64) {
        self.total.add(Cluster { all: lines, bad: lines, ms: 0 });
        self.named.insert(format!("{lines} lines of no run"));
    }

    /// Was there any evidence?
    pub(crate) fn is_empty(&self) -> bool {
        self.total.all == 0
            && self.open.is_empty()
            && self.parts.is_empty()
            && self.excluded.is_empty()
            && self.named.is_empty()
    }
}
