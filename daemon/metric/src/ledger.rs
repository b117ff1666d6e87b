//! Evidence, one JSON object a line. A run (a seed of a suite, a round on a real machine, a window of production) is a list
//! of lines: [`Line::Run`] first, [`Line::End`] last; a run without its end was cut off and counts as failed.
//!
//! Times are milliseconds since the run began. Nothing here is a ratio or a verdict on a metric: those are computed from it.

use serde::{Deserialize, Serialize};

/// Where evidence comes from. Stamped by whoever made it, never guessed, and never pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A simulated world.
    Sim,
    /// The real program on a real machine, with a Bot API server of our own.
    Lab,
    /// What people use.
    Production,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// What follows is of this run.
    Run(Run),
    /// An authorised, well-formed command that somebody gave.
    Command(Command),
    /// An attempt that really ran, from the ledger of the machine or of the worker.
    Execution(Execution),
    /// What became of a task.
    Task(Task),
    /// Something that went wrong, on purpose or by itself.
    Fault(Fault),
    /// How a property fared in this run.
    Property(Property),
    /// A planted bug, and what found it.
    Mutant(Mutant),
    /// The 60 s slices of a probe from outside.
    Slices(Slices),
    /// Something a person did or was sent.
    Act(Act),
    /// What the same job came to under another schedule of faults.
    Rerun(Rerun),
    /// A figure of a benchmark.
    Figure(Figure),
    /// A step of a suite that either holds or does not: a lint, a test run, a drill.
    Step(Step),
    /// The run is over.
    End(End),
}

/// The head of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which suite made it: `scenarios`, `soak`, ...
    pub suite: String,
    /// Who saw it.
    pub origin: Origin,
    /// The seed; runs of one seed stand or fall together.
    pub seed: u64,
    /// The scenario, or what else was played, by name.
    pub scenario: String,
    /// The persona of the people in it, where one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// Things go wrong in it.
    pub faults: bool,
    /// A seed that was kept because it failed once: it must hold, and counts in no ratio.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// A command and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// When it was given.
    pub at_ms: i64,
    /// Who gave it.
    pub by: String,
    /// Which: `newtask`, `approve`, `ops`, ...; a press counts as the command that its button stands for.
    pub verb: String,
    /// When the right answer was there; none: never.
    pub answered_ms: Option<i64>,
    /// So long the answer may take, ms: the published limit, and the time that what people need for it was out of order.
    pub within_ms: i64,
    /// Why reply or state are not what the oracle expects; none: they are.
    pub wrong: Option<String>,
    /// It was refused because of a limit on how often one may ask.
    pub limited: Limited,
}

/// Refused for asking too often?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limited {
    /// No.
    No,
    /// Although the published limit was kept: a failure.
    Within,
    /// The published limit was exceeded: rightly so, and excluded.
    Over,
}

/// An attempt that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// The task's number.
    pub task: i64,
    /// The attempt's number.
    pub attempt: u32,
    /// Its kind is heavy.
    pub heavy: bool,
    /// When its program began.
    pub began_ms: i64,
    /// How often its program was started, by the ledger: more than once is a duplicate.
    pub spawns: u32,
    /// How often it had its effect, by the worker's own book.
    pub effects: u32,
    /// Why it was allowed to run.
    pub allowed: Allowed,
}

/// Why an attempt was allowed to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowed {
    /// It is the first.
    First,
    /// The one before failed in a way that its kind lets be tried again, and its tries were not used up.
    Retry,
    /// Somebody took the task back from its end.
    Recovered,
    /// Nothing allows it: a duplicate.
    Nothing,
}

/// A task at the end of its run. Production tells of one that has not ended only where it is late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its number.
    pub task: i64,
    /// Its kind.
    pub kind: String,
    /// The kind is heavy.
    pub heavy: bool,
    /// It got through its gates to the queue.
    pub admitted: bool,
    /// By what its worker does and what people wanted, it could have succeeded.
    pub could_succeed: bool,
    /// Where it stands: `SUCCEEDED`, ...
    pub state: String,
    /// Its outcome, where it has one: `success`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why state and outcome are not what the oracle expects; none: they are.
    pub wrong: Option<String>,
    /// What is missing in command -> approval -> attempt -> outcome -> report, or does not agree with the ledgers; none: whole.
    pub gap: Option<String>,
    /// Human acts that reached it.
    pub acts: u32,
    /// So many its policy wants at least: approvals, resume, a plan, a review.
    pub least_acts: u32,
    /// The last approval it wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_ms: Option<i64>,
    /// When somebody let it run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_ms: Option<i64>,
    /// When its first program began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_ms: Option<i64>,
    /// When somebody took it off its way, where its program had not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_ms: Option<i64>,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its class: `daemon-killed`, `telegram`, `line-cut`, ...
    pub class: String,
    /// It keeps polls from being answered.
    pub polls: bool,
    /// When it struck.
    pub struck_ms: i64,
    /// When its cause was gone.
    pub over_ms: i64,
    /// When after that something fresh first went through: an update that was handled, for one; none: never.
    pub recovered_ms: Option<i64>,
    /// Somebody had to do something for it.
    pub by_hand: bool,
}

/// A property in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// How many things it was asked of that could have broken it.
    pub looked: u64,
    /// How it broke; none: it held.
    pub broken: Option<String>,
}

/// A planted bug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutant {
    /// Its name.
    pub name: String,
    /// The property that found it; none: nothing did.
    pub caught_by: Option<String>,
    /// Seeds that it took.
    pub seeds: u64,
}

/// Slices of a minute, as a probe outside the daemon saw them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slices {
    /// How many there are.
    pub all: u32,
    /// The numbers of those in which the probe got no right answer in time, or did not ask.
    pub bad: Vec<u32>,
}

/// What a person did, or was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When.
    pub at_ms: i64,
    /// Who.
    pub by: String,
    /// What.
    pub did: Did,
}

/// What a person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// Typed so many characters, and sent them.
    Typed(u32),
    /// Pressed a button.
    Pressed,
    /// Was sent so many characters to read.
    Read(u32),
}

/// One of the reruns of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rerun {
    /// Which job: the same in all its reruns.
    pub job: String,
    /// Under which schedule of faults.
    pub schedule: u64,
    /// Where it ended.
    pub state: String,
    /// Digest of what it did.
    pub effect: String,
    /// As the oracle expects it.
    pub right: bool,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// Unit of `ours` and `floor`.
    pub unit: String,
    /// Ours.
    pub ours: f64,
    /// The baseline of the same run, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// `ours / floor` (median of the rounds), with the lowest and the highest of a round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<[f64; 3]>,
    /// What was wanted, in words, where a target names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// Whether that was met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Whether it holds; none: it could not be tried here.
    pub held: Option<bool>,
    /// What was seen, in a line.
    pub seen: String,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How long it lasted.
    pub at_ms: i64,
    /// Why it did not come to its end as it should: a panic, a time limit; none: it did.
    pub cut_off: Option<String>,
    /// Over everything that happened: the same seed gives the same. None where nothing can be played again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}
