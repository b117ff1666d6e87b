//! Scenario files: what people ask for, what goes wrong and when, and what must come of it.
//!
//! A scenario says *when* by time or by what happened in the world ("job 1 runs"), so that it keeps its meaning when timing
//! changes. Everything a file leaves open (people's reaction times, the network's delays, which writes survive) follows from
//! the seed.
//!
//! What a file may contain stands in [`grammar`], once: the reader with its hints ([`check`]), the JSON Schema ([`schema`]) and
//! `docs/SCENARIOS.md` ([`docs`]) follow from it. The types here are what the reader makes of a file.

pub mod check;
pub mod docs;
mod errors;
pub mod grammar;
pub mod schema;
mod size;
pub mod story;
pub mod template;
#[cfg(test)]
mod tests;
pub mod words;

pub use errors::Wrong;
pub use size::{Amount, Span};
pub use words::Moment;

use crate::fault::Fault;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A scenario file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in a sentence.
    pub about: String,
    /// How long people ask and things go wrong.
    pub lasts: Span,
    /// Then nothing goes wrong any more, and by so long after everything must have come to rest.
    #[serde(default = "settles")]
    pub settles: Span,
    /// How finely the network's time passes; finer is slower.
    #[serde(default = "tick")]
    pub tick: Span,
    /// The seed it is run with when none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The disk; by chance when none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sectors: Option<Sectors>,
    /// The database holds next to nothing in memory: failing reads strike.
    #[serde(default, skip_serializing_if = "is_false")]
    pub small_cache: bool,
    /// How long the record is kept; as long as the run lasts when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Span>,
    /// What must come of it, besides what must hold of every run.
    #[serde(default, skip_serializing_if = "Expect::is_empty")]
    pub expect: Expect,
    /// What is asked for, in order: the first is job 1.
    #[serde(default, rename = "job", skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
    /// What people write, besides asking for jobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<Says>,
    /// What people press, besides what they press by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presses: Vec<Presses>,
    /// What goes wrong.
    #[serde(default, rename = "fault", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Planned>,
    /// Jobs and faults by chance, besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm: Option<Swarm>,
    /// Days as people live them, by chance, besides; watched from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
}

/// What a disk writes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sectors {
    /// 512 bytes, as older drives do.
    Small,
    /// 4 KiB, as newer ones do.
    Large,
}

/// Something that a person asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// When.
    pub at: Span,
    /// Which person; `ana` when none is said.
    #[serde(default = "ana")]
    pub by: String,
    /// Of which kind.
    pub kind: String,
    /// What the task does: words of [`words::DOES`].
    #[serde(default)]
    pub does: String,
    /// Where it is asked for.
    #[serde(default)]
    pub via: Via,
    /// Somebody stops it so long after it began to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<Span>,
    /// People press nothing for it by themselves.
    #[serde(default, skip_serializing_if = "is_false")]
    pub left_alone: bool,
    /// What must come of it, beside what must hold of every job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// How often its program must have been started in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
    /// How often the program of its first task must have been started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Amount>,
    /// How many reports of an end of its first task can be read, repeats included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Amount>,
}

/// Where people talk to the daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// In the group.
    #[default]
    Group,
    /// In their private chat with the bot.
    Private,
    /// On the command line.
    Cli,
}

/// How something is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// As a message of its own.
    #[default]
    Plain,
    /// As a change of their newest message there.
    Edited,
    /// As a stranger's words that they pass on.
    Forwarded,
}

/// Something that a person writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    /// So long after the beginning, or after what `when` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// What has to happen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Moment>,
    /// Who.
    #[serde(default = "ana")]
    pub by: String,
    /// Where.
    #[serde(default)]
    pub via: Via,
    /// What; `{job 1}` stands for the number of the task.
    pub text: String,
    /// How.
    #[serde(default)]
    pub how: How,
    /// It arrives so long after it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Span>,
}

/// A button that a person presses, as soon as it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presses {
    /// Not before so long after the beginning, or after what `when` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// What has to happen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Moment>,
    /// Who.
    #[serde(default = "ana")]
    pub by: String,
    /// Where they look for it.
    #[serde(default)]
    pub via: Via,
    /// On a message about which job.
    pub job: usize,
    /// What stands on it.
    pub button: String,
    /// How often, without waiting for what comes of it.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
}

/// A fault and when it strikes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// So long after the beginning, or after what `when` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// What has to happen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Moment>,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What must come of a scenario. Where the world can tell, the world is asked; the daemon's record only for what is nowhere
/// else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Tasks on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Amount>,
    /// Programs that were started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programs: Option<Amount>,
    /// Messages that say of themselves that they may be a repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Amount>,
    /// Messages to strangers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_strangers: Option<Amount>,
    /// Polls that a fault of Telegram struck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polls_struck: Option<Amount>,
    /// Other requests that a fault of Telegram struck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends_struck: Option<Amount>,
    /// The most polls in one minute, counted over those that a fault of Telegram struck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polls_a_minute: Option<Amount>,
    /// Within how long after the last struck poll, or the last cut of the line, a poll was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polls_back_within: Option<Span>,
    /// Operations of the disk that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_failures: Option<Amount>,
    /// Writes that a power loss took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_lost: Option<Amount>,
    /// Texts that can be read in some chat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// Texts that can be read in no chat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_said: Vec<String>,
    /// Texts of which each stands in an answer to `/ops` of at most ten lines, in a chat or on the command line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ops_said: Vec<String>,
    /// Anomalies, and how often people were told that there is one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alerts: BTreeMap<String, Amount>,
    /// Anomalies, and how often people were told that one is over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alerts_over: BTreeMap<String, Amount>,
    /// Alerts of any sort that people were told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts_in_all: Option<Amount>,
    /// Events of these kinds on record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub on_record: BTreeMap<String, Amount>,
}

impl Expect {
    /// Nothing is expected.
    pub fn is_empty(&self) -> bool {
        *self == Expect::default()
    }
}

/// Jobs and faults by chance: each seed draws a subset of the faults and a rate for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swarm {
    /// Jobs at least and at most.
    pub jobs: (u32, u32),
    /// Faults at most.
    pub faults: u32,
}

/// Days by chance: work in working hours, nights, and what goes wrong at a rate that the file says. The rest of it (who the
/// people are) is a persona, chosen when it is played: [`crate::people::Persona`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Soak {
    /// Jobs a day, at least and at most.
    pub jobs: (u32, u32),
    /// A probe at the machine's command line asks for a sign of life this often.
    #[serde(default = "minute")]
    pub probe: Span,
    /// Faults by name, with how many of each a hundred days see.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, u32>,
}

fn minute() -> Span {
    Span(60_000)
}

fn settles() -> Span {
    Span(10 * 60_000)
}

fn tick() -> Span {
    Span(50)
}

fn ana() -> String {
    "ana".to_owned()
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_once(times: &u32) -> bool {
    *times == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// All that is wrong with it: file, line, column, and what would be right.
    pub fn read(path: &Path) -> Result<Scenario, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        check::check(&text).map_err(|wrongs| errors::listed(&path.display().to_string(), &text, &wrongs))
    }

    /// The same of a text.
    ///
    /// # Errors
    /// All that is wrong with it: line, column, and what would be right.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        check::check(text).map_err(|wrongs| errors::listed("scenario", text, &wrongs))
    }
}
