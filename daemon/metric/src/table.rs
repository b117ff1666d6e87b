//! The table of metrics: one row each, with everything that decides about it. [`crate::policy`] renders it, so that a change
//! of a target or of a definition is a change of the policy that can be seen.
//!
//! A new metric is a row here and a fold for it. Nothing else knows the metrics by name.

use crate::decimal::Unit;
use crate::fold::{Fold, samples};
use crate::ledger::Origin;
use crate::limits;
use crate::scorecard::{Comparison, Group};

/// A metric.
#[derive(Debug)]
pub struct Row {
    /// Its name for programs.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// A line of the gate, or a KPI.
    pub group: Group,
    /// What is counted.
    pub counts: &'static str,
    /// Of what.
    pub of: &'static str,
    /// The kinds of lines that it is made of.
    pub lines: &'static [&'static str],
    /// What its evidence from a simulation decides.
    pub sim: Role,
    /// What its evidence from a machine of our own decides.
    pub lab: Role,
    /// Unit of target, estimate and bound.
    pub unit: Unit,
    /// Units of the last digit.
    pub target: u64,
    /// Which side of the target is good.
    pub comparison: Comparison,
    /// Less decides nothing.
    pub least: Least,
    /// The same where the evidence is production's record.
    pub production: Production,
    /// What its parts decide.
    pub parts: Parts,
    /// How the counts become a verdict.
    pub rule: Rule,
    /// How lines become counts.
    pub fold: Fold,
}

/// What evidence decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Without it there is no verdict but INCONCLUSIVE.
    Required,
    /// It need not be enough; a failure counts all the same.
    Watched,
    /// It decides nothing.
    Shown,
}

/// The least sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Least {
    /// So many in all.
    pub sample: u64,
    /// Of so many seeds.
    pub seeds: u64,
    /// So many parts have at least `per_part`.
    pub parts: u64,
    /// See `parts`; where parts decide, each of them needs as many.
    pub per_part: u64,
    /// In one run at least.
    pub one_run: u64,
}

const fn least(sample: u64, seeds: u64) -> Least {
    Least { sample, seeds, parts: 0, per_part: 0, one_run: 0 }
}

/// Evidence from the record alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Production {
    /// The least sample.
    pub least: Least,
    /// What the record can't tell; then it is never shown.
    pub lacks: Option<&'static str>,
}

const fn knows(least: Least) -> Production {
    Production { least, lacks: None }
}

const fn lacks(what: &'static str) -> Production {
    Production { least: least(1, 1), lacks: Some(what) }
}

/// What the parts of a row decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// They are shown.
    Shown,
    /// Each of them has to hold by itself.
    Decide,
}

/// How counts become a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A share: its bound, the worst of the exact one and those by seed, has to meet the target.
    Bound,
    /// What must never happen: once is too often. Without one the rate is below three in the sample.
    Never,
    /// All that there are have to be good; there is nothing to infer.
    All,
    /// Each property never broken, asked often enough, and able to break.
    Properties,
    /// Each class by its share of those in time; and the mean of all by its bound.
    Recovery,
    /// The mean, by its bound; and none over the most.
    Mean,
    /// Weighted probes.
    Score,
}

/// Suites, and whose evidence they make.
pub const SUITES: [(&str, Origin); 8] = [
    ("bench", Origin::Lab),
    ("check", Origin::Lab),
    ("crash", Origin::Sim),
    ("deploy", Origin::Lab),
    ("kill", Origin::Lab),
    ("mutants", Origin::Sim),
    ("scenarios", Origin::Sim),
    ("soak", Origin::Sim),
];

/// The row of steps: what no file tells (a suite that is missing, lines of no run) is told there.
pub const STEPS: &str = "steps";

const SHARE: u64 = 1_000_000;

/// The metrics: first the gate, then the KPIs.
pub const ROWS: [Row; 15] = [
    Row {
        id: STEPS,
        title: "Every step holds",
        group: Group::Gate,
        counts: "steps that hold, and runs that came to their end",
        of: "steps and runs of all suites; a suite without any is missing",
        lines: &["step", "end"],
        sim: Role::Required,
        lab: Role::Required,
        unit: Unit::Share,
        target: SHARE,
        comparison: Comparison::AtLeast,
        least: least(1, 1),
        production: lacks("suites run before something is in production"),
        parts: Parts::Shown,
        rule: Rule::All,
        fold: Fold::Steps,
    },
    Row {
        id: "mutants",
        title: "Every planted bug is found",
        group: Group::Gate,
        counts: "planted bugs that a property or a control finds",
        of: "planted bugs",
        lines: &["mutant"],
        sim: Role::Required,
        lab: Role::Shown,
        unit: Unit::Share,
        target: SHARE,
        comparison: Comparison::AtLeast,
        least: least(90, 1),
        production: lacks("nobody plants bugs in production"),
        parts: Parts::Shown,
        rule: Rule::All,
        fold: Fold::Mutants,
    },
    Row {
        id: "command-success",
        title: "Command success",
        group: Group::Gate,
        counts: "commands answered rightly (answer and state, by the oracle) and in time",
        of: "authorised, well-formed commands; one refused for asking too often counts as failed, unless the published limit was exceeded",
        lines: &["command"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: 990_000,
        comparison: Comparison::AtLeast,
        least: least(2_000, 100),
        production: lacks("whether an answer was right, nobody outside the daemon saw"),
        parts: Parts::Shown,
        rule: Rule::Bound,
        fold: Fold::Share(samples::command),
    },
    Row {
        id: "duplicate-executions",
        title: "No duplicate executions",
        group: Group::Gate,
        counts: "attempts with more than one start or effect in the worker's book, or that nothing recorded allowed to run",
        of: "attempts that ran while things went wrong",
        lines: &["execution"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: 100,
        comparison: Comparison::AtMost,
        least: least(30_000, 100),
        production: lacks("how often a program was started, only the worker's own book tells"),
        parts: Parts::Shown,
        rule: Rule::Never,
        fold: Fold::Share(samples::execution),
    },
    Row {
        id: "control-invariants",
        title: "Control invariants hold",
        group: Group::Gate,
        counts: "times that a property was broken",
        of: "times that one was asked of something that could break it; each often enough, and shown to be able to fail",
        lines: &["property", "mutant", "step"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: 3_000,
        comparison: Comparison::AtMost,
        least: Least { sample: limits::LOOKED_LEAST, seeds: 100, parts: 1, per_part: limits::LOOKED_LEAST, one_run: 0 },
        production: lacks("properties are judged by what is outside the daemon"),
        parts: Parts::Decide,
        rule: Rule::Properties,
        fold: Fold::Properties,
    },
    Row {
        id: "poll-recovery",
        title: "Poll recovery",
        group: Group::Gate,
        counts: "poll faults after whose end a fresh update was handled within 10 min, by nobody's hand",
        of: "poll faults",
        lines: &["fault"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: 950_000,
        comparison: Comparison::AtLeast,
        least: Least {
            sample: 300,
            seeds: 100,
            parts: limits::POLL_CLASSES,
            per_part: limits::POLL_CLASS_LEAST,
            one_run: 0,
        },
        production: knows(least(59, 1)),
        parts: Parts::Shown,
        rule: Rule::Bound,
        fold: Fold::Share(samples::poll_fault),
    },
    Row {
        id: "recovery-time",
        title: "Mean time to recovery",
        group: Group::Gate,
        counts: "minutes from a fault to the first good round trip; 95 % of each class within 10 min; what never recovered counts with 60 min",
        of: "incidents",
        lines: &["fault"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Minutes,
        target: 10_000,
        comparison: Comparison::AtMost,
        least: Least { sample: 59, seeds: 20, parts: 1, per_part: 59, one_run: 0 },
        production: knows(Least { sample: 59, seeds: 1, parts: 1, per_part: 59, one_run: 0 }),
        parts: Parts::Decide,
        rule: Rule::Recovery,
        fold: Fold::Share(samples::incident),
    },
    Row {
        id: "traceability",
        title: "Traceability",
        group: Group::Gate,
        counts: "tasks whose chain of command, approval, attempt, outcome and report is whole and agrees with the ledgers",
        of: "tasks, all of them",
        lines: &["task"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: SHARE,
        comparison: Comparison::AtLeast,
        least: least(300, 100),
        production: lacks("the ledgers that the record has to agree with are not there"),
        parts: Parts::Shown,
        rule: Rule::All,
        fold: Fold::Share(samples::trace),
    },
    Row {
        id: "heavy-success",
        title: "Heavy task success",
        group: Group::Kpi,
        counts: "heavy tasks that succeeded, with the outcome that the oracle expects",
        of: "heavy tasks that were admitted and could succeed",
        lines: &["task"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: 960_000,
        comparison: Comparison::AtLeast,
        least: least(300, 100),
        production: knows(least(74, 1)),
        parts: Parts::Shown,
        rule: Rule::Bound,
        fold: Fold::Share(samples::heavy),
    },
    Row {
        id: "human-intervention",
        title: "Human intervention",
        group: Group::Kpi,
        counts: "tasks that took a human act beyond the least that their policy wants",
        of: "tasks; with every persona by itself",
        lines: &["task"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: 150_000,
        comparison: Comparison::AtMost,
        least: Least { sample: 200, seeds: 20, parts: 0, per_part: 59, one_run: 0 },
        production: knows(least(200, 1)),
        parts: Parts::Decide,
        rule: Rule::Bound,
        fold: Fold::Share(samples::intervention),
    },
    Row {
        id: "approve-to-resume",
        title: "Approve to running, p95",
        group: Group::Kpi,
        counts: "tasks that ran within 5 s of the last that people had to do (production: within 90 s of the approval)",
        of: "approved tasks that were not withdrawn; 95 % of them is the 95th percentile, with its bound 16 of 500 may be over",
        lines: &["task"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: 950_000,
        comparison: Comparison::AtLeast,
        least: least(500, 100),
        production: knows(least(59, 1)),
        parts: Parts::Shown,
        rule: Rule::Bound,
        fold: Fold::Share(samples::approve_to_running),
    },
    Row {
        id: "outcome-consistency",
        title: "Outcome consistency, 5 reruns",
        group: Group::Kpi,
        counts: "jobs whose five reruns agree in state and effect, and are right",
        of: "jobs that were played under five schedules of faults; one with fewer counts as failed",
        lines: &["rerun"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: 900_000,
        comparison: Comparison::AtLeast,
        least: least(100, 20),
        production: lacks("nothing is run five times in production"),
        parts: Parts::Shown,
        rule: Rule::Bound,
        fold: Fold::Reruns,
    },
    Row {
        id: "uptime",
        title: "Uptime",
        group: Group::Kpi,
        counts: "slices of 60 s in which a probe outside the daemon was answered rightly and in time",
        of: "slices; one without a probe is bad",
        lines: &["slices"],
        sim: Role::Required,
        lab: Role::Watched,
        unit: Unit::Share,
        target: 997_000,
        comparison: Comparison::AtLeast,
        least: Least {
            sample: 200 * limits::SLICES_OF_A_DAY,
            seeds: 100,
            parts: 0,
            per_part: 0,
            one_run: 7 * limits::SLICES_OF_A_DAY,
        },
        production: Production {
            least: least(7 * limits::SLICES_OF_A_DAY, 7),
            lacks: Some("a daemon does not see its own absence: a probe outside it has to"),
        },
        parts: Parts::Shown,
        rule: Rule::Bound,
        fold: Fold::Share(samples::slices),
    },
    Row {
        id: "operator-time",
        title: "Operator time a day",
        group: Group::Kpi,
        counts: "minutes of sessions and of reading, by the keystroke-level model; no day over 120",
        of: "days of a person with anything in them; with every persona by itself",
        lines: &["act"],
        sim: Role::Required,
        lab: Role::Shown,
        unit: Unit::Minutes,
        target: 60_000,
        comparison: Comparison::AtMost,
        least: Least { sample: 200, seeds: 20, parts: 0, per_part: 20, one_run: 0 },
        production: knows(least(14, 14)),
        parts: Parts::Decide,
        rule: Rule::Mean,
        fold: Fold::Operator,
    },
    Row {
        id: "audit-score",
        title: "Audit score",
        group: Group::Kpi,
        counts: "weight of the probes that hold, of a hundred; unknown is 0, and a critical one that fails leaves at most 74",
        of: "weight of all probes",
        lines: &[],
        sim: Role::Shown,
        lab: Role::Required,
        unit: Unit::Points,
        target: 9_500,
        comparison: Comparison::AtLeast,
        least: least(1, 0),
        production: lacks("it is made of what a gate leaves"),
        parts: Parts::Shown,
        rule: Rule::Score,
        fold: Fold::Probes,
    },
];

impl Row {
    /// What evidence of this origin decides in a gate.
    pub const fn role(&self, origin: Origin) -> Role {
        match origin {
            Origin::Sim => self.sim,
            Origin::Lab => self.lab,
            Origin::Production => Role::Shown,
        }
    }

    /// The least sample of this origin.
    pub const fn least(&self, origin: Origin) -> Least {
        match origin {
            Origin::Sim | Origin::Lab => self.least,
            Origin::Production => self.production.least,
        }
    }

    /// What evidence of this origin can't tell, in words.
    pub fn lacks(&self, origin: Origin) -> Option<String> {
        match origin {
            Origin::Sim | Origin::Lab => None,
            Origin::Production => self.production.lacks.map(|lacks| format!("not from the record: {lacks}")),
        }
    }

    /// Once is too often, wherever it was: kept seeds and cut-off runs too.
    pub const fn is_strict(&self) -> bool {
        match self.rule {
            Rule::Never | Rule::All | Rule::Properties => true,
            Rule::Bound | Rule::Recovery | Rule::Mean | Rule::Score => false,
        }
    }
}
