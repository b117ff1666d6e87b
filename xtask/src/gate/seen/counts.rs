//! The sums.

use super::Place;
use mainstay_metric::ledger::{Allowed, Command, Execution, Fault, Limited, Origin, Property, Rerun, Slices, Task};
use mainstay_metric::limits::SLICES_OF_A_DAY;
use std::collections::{BTreeMap, BTreeSet};

/// A suite.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suite {
    /// Runs, cut-off ones among them.
    pub(crate) runs: u64,
    /// Runs that are kept because their seed failed once.
    pub(crate) kept: u64,
    /// Runs in which nothing is made to go wrong.
    pub(crate) calm: u64,
    /// Runs without an end, or whose end says that it came too early.
    pub(crate) cut_off: u64,
    /// Runs that can't be compared with themselves: they end without a digest.
    pub(crate) without_digest: u64,
    /// How long all of them lasted by their own clocks, ms.
    pub(crate) lasted_ms: i64,
    /// Different seeds.
    pub(crate) seeds: BTreeSet<u64>,
    /// What was played, and how often.
    pub(crate) scenarios: BTreeMap<String, u64>,
    /// By whom it was played.
    pub(crate) personas: BTreeSet<String>,
    /// Who saw it.
    pub(crate) origins: BTreeSet<Origin>,
}

/// How a class of faults was got over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strikes {
    /// It keeps polls from being answered.
    pub(crate) polls: bool,
    /// How often it struck.
    pub(crate) struck: u64,
    /// How often somebody had to do something.
    pub(crate) by_hand: u64,
    /// How often nothing went through after it.
    pub(crate) lost: u64,
    /// From the strike until something went through, ms, in the order in which it was told.
    pub(crate) took_ms: Vec<i64>,
}

impl Strikes {
    pub(super) fn add(&mut self, fault: &Fault) {
        self.polls |= fault.polls;
        self.struck += 1;
        self.by_hand += u64::from(fault.by_hand);
        match fault.recovered_ms {
            Some(at) => self.took_ms.push((at - fault.struck_ms).max(0)),
            None => self.lost += 1,
        }
    }

    /// The times in order.
    pub(crate) fn sorted(&self) -> Vec<i64> {
        let mut times = self.took_ms.clone();
        times.sort_unstable();
        times
    }
}

/// Where some task was when a fault struck, as far as lines tell; or where it ended in a run in which it struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// All approvals are there, and nobody has let it run yet.
    Approved,
    /// Let run, and not begun.
    Queued,
    /// Its program has begun; it may be over.
    Begun,
    /// In a run in which a task succeeded.
    Succeeded,
    /// Failed.
    Failed,
    /// Was canceled.
    Canceled,
    /// Expired.
    Expired,
}

impl Stage {
    /// All of them, as they follow.
    pub(crate) const ALL: [Stage; 7] = [
        Stage::Approved,
        Stage::Queued,
        Stage::Begun,
        Stage::Succeeded,
        Stage::Failed,
        Stage::Canceled,
        Stage::Expired,
    ];

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::Approved => "approved",
            Stage::Queued => "queued",
            Stage::Begun => "begun",
            Stage::Succeeded => "succeeded",
            Stage::Failed => "failed",
            Stage::Canceled => "canceled",
            Stage::Expired => "expired",
        }
    }

    /// Where a task was at a moment, if that is known.
    pub(super) fn at(task: &Task, ms: i64) -> Option<Stage> {
        let by = |moment: Option<i64>| moment.is_some_and(|at| at <= ms);
        let let_run = task.resumed_ms.or(task.approved_ms);
        match () {
            () if by(task.running_ms) => Some(Stage::Begun),
            () if by(let_run) && task.resumed_ms.is_some() => Some(Stage::Queued),
            () if by(task.approved_ms) => Some(Stage::Approved),
            () => None,
        }
    }

    /// Where it ended.
    pub(super) fn end(task: &Task) -> Option<Stage> {
        Stage::ALL.into_iter().skip(3).find(|stage| stage.name().eq_ignore_ascii_case(&task.state))
    }
}

/// A property over all runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Looked {
    /// Of how many things it was asked.
    pub(crate) looked: u64,
    /// In how many runs it broke.
    pub(crate) broken: u64,
    /// In how many runs it was asked.
    pub(crate) runs: u64,
    /// In which suites.
    pub(crate) suites: BTreeSet<String>,
    /// Where it broke first.
    pub(crate) first: Option<Place>,
}

impl Looked {
    pub(super) fn add(&mut self, suite: &str, property: &Property, place: &Place) {
        self.looked += property.looked;
        self.runs += 1;
        if !self.suites.contains(suite) {
            self.suites.insert(suite.to_owned());
        }
        if property.broken.is_some() {
            self.broken += 1;
            self.first.get_or_insert_with(|| place.clone());
        }
    }
}

/// Attempts that ran.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Executions {
    /// All.
    pub(crate) all: u64,
    /// Those of heavy kinds.
    pub(crate) heavy: u64,
    /// Started or effective more than once.
    pub(crate) duplicates: u64,
    /// Allowed by nothing.
    pub(crate) unallowed: u64,
    /// Another try that the kind allows.
    pub(crate) retries: u64,
    /// Tasks that somebody took back from their end.
    pub(crate) recovered: u64,
}

impl Executions {
    pub(super) fn add(&mut self, execution: &Execution) {
        self.all += 1;
        self.heavy += u64::from(execution.heavy);
        self.duplicates += u64::from(is_duplicate(execution));
        match execution.allowed {
            Allowed::First => {}
            Allowed::Retry => self.retries += 1,
            Allowed::Recovered => self.recovered += 1,
            Allowed::Nothing => self.unallowed += 1,
        }
    }
}

pub(super) fn is_duplicate(execution: &Execution) -> bool {
    execution.spawns > 1 || execution.effects > 1
}

/// Commands of a verb.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// All but those over the limit.
    pub(crate) all: u64,
    /// Answered wrongly, or the state did not follow.
    pub(crate) wrong: u64,
    /// Never answered.
    pub(crate) unanswered: u64,
    /// Answered, and too late.
    pub(crate) late: u64,
    /// Refused although the published limit was kept.
    pub(crate) limited: u64,
    /// Rightly refused for asking too often: excluded.
    pub(crate) over: u64,
}

impl Asked {
    pub(super) fn add(&mut self, command: &Command) {
        match command.limited {
            Limited::Over => {
                self.over += 1;
                return;
            }
            Limited::Within => self.limited += 1,
            Limited::No => {}
        }
        self.all += 1;
        self.wrong += u64::from(command.wrong.is_some());
        match command.answered_ms {
            None => self.unanswered += 1,
            Some(at) => self.late += u64::from(at - command.at_ms > command.within_ms),
        }
    }
}

/// Not answered rightly and in time.
pub(super) fn is_bad(command: &Command) -> bool {
    let late = command.answered_ms.is_none_or(|at| at - command.at_ms > command.within_ms);
    match command.limited {
        Limited::Over => false,
        Limited::Within => true,
        Limited::No => late || command.wrong.is_some(),
    }
}

/// What became of tasks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ends {
    /// All tasks.
    pub(crate) all: u64,
    /// By state.
    pub(crate) states: BTreeMap<String, u64>,
    /// By outcome.
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// By kind.
    pub(crate) kinds: BTreeMap<String, u64>,
    /// Heavy ones.
    pub(crate) heavy: u64,
    /// Not as the oracle expects.
    pub(crate) wrong: u64,
    /// With a gap in their story.
    pub(crate) gaps: u64,
    /// That ran with fewer human acts than their policy wants.
    pub(crate) ungated: u64,
    /// That ran before their last approval or their resume.
    pub(crate) early: u64,
    /// That ran, and whose policy wants two acts or more.
    pub(crate) gated: u64,
    /// The first that ran with too little.
    pub(crate) first_ungated: Option<Place>,
    /// The first that ran too early.
    pub(crate) first_early: Option<Place>,
}

impl Ends {
    pub(super) fn add(&mut self, task: &Task, place: &Place) {
        self.all += 1;
        *self.states.entry(task.state.clone()).or_default() += 1;
        *self.kinds.entry(task.kind.clone()).or_default() += 1;
        if let Some(outcome) = &task.outcome {
            *self.outcomes.entry(outcome.clone()).or_default() += 1;
        }
        self.heavy += u64::from(task.heavy);
        self.wrong += u64::from(task.wrong.is_some());
        self.gaps += u64::from(task.gap.is_some());
        let Some(began) = task.running_ms else { return };
        self.gated += u64::from(task.least_acts >= 2);
        if task.acts < task.least_acts {
            self.ungated += 1;
            self.first_ungated.get_or_insert_with(|| place.clone());
        }
        if task.approved_ms.max(task.resumed_ms).is_some_and(|gate| gate > began) {
            self.early += 1;
            self.first_early.get_or_insert_with(|| place.clone());
        }
    }
}

/// Slices of a minute.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Probing {
    /// Runs that were probed.
    pub(crate) runs: u64,
    /// Those of them that lasted a week or longer.
    pub(crate) weeks: u64,
    /// All slices.
    pub(crate) all: u64,
    /// Those without a right answer in time.
    pub(crate) bad: u64,
    /// The most of a run.
    pub(crate) worst: u64,
}

impl Probing {
    pub(super) fn add(&mut self, slices: &Slices) {
        let bad = u64::try_from(slices.bad.len()).unwrap_or(u64::MAX);
        self.runs += 1;
        self.weeks += u64::from(u64::from(slices.all) >= 7 * SLICES_OF_A_DAY);
        self.all += u64::from(slices.all);
        self.bad += bad;
        self.worst = self.worst.max(bad);
    }
}

/// The reruns of a job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reruns {
    /// Under which schedules.
    pub(crate) schedules: BTreeSet<u64>,
    /// What they came to: state and effect.
    pub(crate) came_to: BTreeSet<(String, String)>,
    /// Those that the oracle did not expect.
    pub(crate) wrong: u64,
}

impl Reruns {
    pub(super) fn add(&mut self, rerun: &Rerun) {
        self.schedules.insert(rerun.schedule);
        self.came_to.insert((rerun.state.clone(), rerun.effect.clone()));
        self.wrong += u64::from(!rerun.right);
    }

    /// They agree, and are right.
    pub(crate) fn agree(&self) -> bool {
        self.came_to.len() == 1 && self.wrong == 0
    }
}
