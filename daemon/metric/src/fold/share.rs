//! Rows that look at one line after the other: it is a sample or not, and it is good or not.

use super::{Cluster, Counted, Ending};
use crate::ledger::{Line, Run};
use std::collections::{BTreeMap, BTreeSet};

/// What a line is to a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// How many were looked at.
    pub all: u64,
    /// How many of them are not as they should be.
    pub bad: u64,
    /// How long they took, where there is a mean, ms.
    pub ms: u64,
    /// Which part of the row it belongs to.
    pub part: Option<String>,
    /// Shown beside it under this name, good or bad, and counted in no total.
    pub beside: Option<(&'static str, bool)>,
    /// Not counted, for this reason of the closed list.
    pub excluded: Option<&'static str>,
    /// What is wrong, for people.
    pub wrong: Option<String>,
}

/// The fold.
pub(crate) struct Folding {
    sample: fn(&Run, &Line) -> Option<Sample>,
    strict: bool,
    /// Of the run that is being read.
    now: BTreeMap<Option<String>, Cluster>,
    beside: BTreeMap<&'static str, Cluster>,
    done: Counted,
    /// Suites that have samples at all, and runs of a suite that were cut off before their first.
    feeds: BTreeSet<String>,
    silent: Vec<Run>,
}

impl Folding {
    pub(crate) fn new(sample: fn(&Run, &Line) -> Option<Sample>, strict: bool) -> Self {
        Self {
            sample,
            strict,
            now: BTreeMap::new(),
            beside: BTreeMap::new(),
            done: Counted::default(),
            feeds: BTreeSet::new(),
            silent: Vec::new(),
        }
    }

    pub(crate) fn line(&mut self, run: &Run, line: &Line) {
        let Some(sample) = (self.sample)(run, line) else { return };
        if let Some(reason) = sample.excluded {
            if !run.kept {
                *self.done.excluded.entry(reason.to_owned()).or_default() += 1;
            }
            return;
        }
        let cluster = Cluster { all: sample.all, bad: sample.bad, ms: sample.ms };
        if let Some((name, good)) = sample.beside {
            self.beside.entry(name).or_default().add(Cluster { all: 1, bad: u64::from(!good), ms: 0 });
        }
        self.now.entry(sample.part).or_default().add(cluster);
        if let Some(wrong) = sample.wrong
            && (self.strict || !run.kept)
        {
            self.done.name(run, &wrong);
        }
    }

    pub(crate) fn close(&mut self, run: &Run, ending: &Ending<'_>) {
        let now = std::mem::take(&mut self.now);
        let beside = std::mem::take(&mut self.beside);
        let whole = matches!(ending, Ending::Whole(_));
        if whole && !run.kept {
            for (name, cluster) in beside {
                self.done.parts.entry(name.to_owned()).or_default().add(cluster);
            }
            self.done.longest_run = self.done.longest_run.max(now.values().map(|cluster| cluster.all).sum());
        }
        if now.is_empty() && !whole && !run.kept && !self.strict {
            self.silent.push(run.clone());
        }
        if !now.is_empty() && !whole && !run.kept && !self.strict {
            self.done.name(run, "cut off: all that it has counts as failed");
        }
        for (part, cluster) in now {
            self.feeds.insert(run.suite.clone());
            let cluster = match (whole && !run.kept, self.strict) {
                (true, _) => cluster,
                (false, true) => Cluster { all: cluster.bad, ..cluster },
                (false, false) if run.kept => continue,
                (false, false) => Cluster { bad: cluster.all, ..cluster },
            };
            if cluster != Cluster::default() {
                self.done.add(run.seed, part.as_deref(), cluster);
            }
        }
    }

    pub(crate) fn counted(mut self) -> Counted {
        for run in self.silent.iter().filter(|run| self.feeds.contains(&run.suite)) {
            self.done.add(run.seed, None, Cluster { all: 1, bad: 1, ms: 0 });
            self.done.name(run, "cut off before anything could be counted");
        }
        self.done
    }
}
