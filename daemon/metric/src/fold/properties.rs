//! Properties: how often each was asked, whether it ever broke, and whether it can break at all.

use super::{Cluster, Counted, Ending};
use crate::ledger::{Line, Run};
use std::collections::{BTreeMap, BTreeSet};

/// The fold.
#[derive(Default)]
pub(crate) struct Folding {
    now: BTreeMap<String, Cluster>,
    done: BTreeMap<String, Cluster>,
    counted: Counted,
}

impl Folding {
    pub(crate) fn line(&mut self, run: &Run, line: &Line) {
        let Line::Property(property) = line else { return };
        let bad = u64::from(property.broken.is_some());
        self.now.entry(property.name.clone()).or_default().add(Cluster { all: property.looked.max(bad), bad, ms: 0 });
        if let Some(how) = &property.broken {
            self.counted.name(run, &format!("{}: {how}", property.name));
        }
    }

    pub(crate) fn close(&mut self, run: &Run, ending: &Ending<'_>) {
        let counts = matches!(ending, Ending::Whole(_)) && !run.kept;
        for (name, cluster) in std::mem::take(&mut self.now) {
            let cluster = if counts { cluster } else { Cluster { all: cluster.bad, ..cluster } };
            self.done.entry(name).or_default().add(cluster);
            self.counted.seeds.entry(run.seed).or_default().add(cluster);
        }
    }

    pub(crate) fn counted(mut self, proven: &BTreeSet<String>) -> Counted {
        let unproven = self.done.keys().filter(|name| !proven.contains(*name));
        self.counted.open = unproven.map(|name| format!("{name}: not shown to be able to fail")).collect();
        for cluster in self.done.values() {
            self.counted.total.add(*cluster);
        }
        self.counted.parts = self.done;
        self.counted
    }
}
