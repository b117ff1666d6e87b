//! Steps of suites, and runs as such: that they came to their end.

use super::{Cluster, Counted, Ending};
use crate::ledger::{Line, Run};

/// The fold. A suite is a part.
#[derive(Default)]
pub(crate) struct Folding {
    done: Counted,
}

impl Folding {
    pub(crate) fn line(&mut self, run: &Run, line: &Line) {
        let Line::Step(step) = line else { return };
        match step.held {
            Some(held) => {
                self.add(run, !held);
                if !held {
                    self.done.name(run, &format!("{}: {}", step.name, step.seen));
                }
            }
            None => {
                self.done.open.insert(format!("{} {} could not be tried", run.suite, step.name));
            }
        }
    }

    pub(crate) fn close(&mut self, run: &Run, ending: &Ending<'_>) {
        let cut_off = match ending {
            Ending::Whole(_) => None,
            Ending::CutOff(why) => Some(why),
        };
        self.add(run, cut_off.is_some());
        if let Some(why) = cut_off {
            self.done.name(run, &format!("cut off: {why}"));
        }
    }

    fn add(&mut self, run: &Run, bad: bool) {
        self.done.add(run.seed, Some(&run.suite), Cluster { all: 1, bad: u64::from(bad), ms: 0 });
    }

    pub(crate) fn counted(self) -> Counted {
        self.done
    }
}
