//! Planted bugs: each has to be found.

use super::{Cluster, Counted};
use crate::ledger::{Line, Run};
use std::collections::BTreeMap;

/// The fold: by the bug's name, whether something found it. One that was tried twice has to be found twice.
#[derive(Default)]
pub(crate) struct Folding {
    found: BTreeMap<String, bool>,
    done: Counted,
}

impl Folding {
    pub(crate) fn line(&mut self, run: &Run, line: &Line) {
        let Line::Mutant(mutant) = line else { return };
        let found = self.found.entry(mutant.name.clone()).or_insert(true);
        *found &= mutant.caught_by.is_some();
        if mutant.caught_by.is_none() {
            self.done.name(run, &format!("{} is not found", mutant.name));
        }
    }

    pub(crate) fn counted(mut self) -> Counted {
        for found in self.found.values() {
            self.done.add(0, None, Cluster { all: 1, bad: u64::from(!found), ms: 0 });
        }
        self.done
    }
}
