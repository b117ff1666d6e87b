//! Reruns: the same job under other schedules of faults has to come to the same, and to what is right.

use super::{Cluster, Counted, Ending};
use crate::ledger::{Line, Rerun, Run};
use crate::limits::SCHEDULES;
use std::collections::{BTreeMap, BTreeSet};

/// A job.
struct Job {
    /// Of the run with the lowest seed: that stands for it.
    run: Run,
    schedules: BTreeSet<u64>,
    ends: BTreeSet<(String, String)>,
    wrong: bool,
}

/// The fold.
#[derive(Default)]
pub(crate) struct Folding {
    now: Vec<Rerun>,
    jobs: BTreeMap<String, Job>,
    feeds: BTreeSet<String>,
    silent: Vec<Run>,
}

impl Folding {
    pub(crate) fn line(&mut self, _: &Run, line: &Line) {
        if let Line::Rerun(rerun) = line {
            self.now.push(rerun.clone());
        }
    }

    pub(crate) fn close(&mut self, run: &Run, ending: &Ending<'_>) {
        let now = std::mem::take(&mut self.now);
        let whole = matches!(ending, Ending::Whole(_));
        if run.kept {
            return;
        }
        if now.is_empty() {
            if !whole {
                self.silent.push(run.clone());
            }
            return;
        }
        self.feeds.insert(run.suite.clone());
        for rerun in now {
            let job = self.jobs.entry(rerun.job).or_insert_with(|| Job {
                run: run.clone(),
                schedules: BTreeSet::new(),
                ends: BTreeSet::new(),
                wrong: false,
            });
            if (run.seed, &run.scenario) < (job.run.seed, &job.run.scenario) {
                job.run = run.clone();
            }
            job.wrong |= !rerun.right;
            job.ends.insert((rerun.state, rerun.effect));
            // What was cut off is no rerun: the job lacks one.
            if whole {
                job.schedules.insert(rerun.schedule);
            }
        }
    }

    pub(crate) fn counted(self) -> Counted {
        let mut counted = Counted::default();
        for (name, job) in &self.jobs {
            let wrong = job.wrong_in();
            counted.add(job.run.seed, None, Cluster { all: 1, bad: u64::from(wrong.is_some()), ms: 0 });
            if let Some(wrong) = wrong {
                counted.name(&job.run, &format!("job {name} {wrong}"));
            }
        }
        for run in self.silent.iter().filter(|run| self.feeds.contains(&run.suite)) {
            counted.add(run.seed, None, Cluster { all: 1, bad: 1, ms: 0 });
            counted.name(run, "cut off before anything could be counted");
        }
        counted
    }
}

impl Job {
    fn wrong_in(&self) -> Option<String> {
        match (self.schedules.len(), self.ends.len(), self.wrong) {
            (n, ..) if n < SCHEDULES => Some(format!("has {n} of {SCHEDULES} reruns")),
            (_, ends, _) if ends > 1 => Some(format!("comes to {ends} different ends")),
            (_, _, true) => Some("always comes to the same, which is wrong".to_owned()),
            (_, _, false) => None,
        }
    }
}
