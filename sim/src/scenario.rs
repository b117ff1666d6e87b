//! Scenario files: what people ask for, what goes wrong and when, and what must come of it.
//!
//! A scenario says *when* by time or by what happened in the world ("job 1 runs"), so that it keeps its meaning when timing
//! changes. Everything a file leaves open (people's reaction times, the network's delays, which writes survive) follows from
//! the seed.

use crate::fault::Fault;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

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
    /// What is asked for, in order: the first is job 1.
    #[serde(default, rename = "job", skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
    /// What goes wrong.
    #[serde(default, rename = "fault", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Planned>,
    /// Jobs and faults by chance, besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm: Option<Swarm>,
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
    /// What the task does: words of `world/script.rs`.
    #[serde(default)]
    pub does: String,
    /// Where it is asked for.
    #[serde(default)]
    pub via: Via,
    /// Somebody stops it so long after it began to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<Span>,
    /// What must come of it, beside what must hold of every job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// How often its program must have been started in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
}

/// Where people ask.
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

/// Something that happens in the world, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The task's program runs.
    Runs(usize),
    /// Nothing of it is alive any more.
    Ended(usize),
    /// Its card can be seen.
    Shown(usize),
}

/// Jobs and faults by chance: each seed draws a subset of the faults and a rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swarm {
    /// Jobs at least and at most.
    pub jobs: (u32, u32),
    /// Faults at most.
    pub faults: u32,
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

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Where it is wrong (file, line, column), and what would be right.
    pub fn read(path: &Path) -> Result<Scenario, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Scenario::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The same of a text.
    ///
    /// # Errors
    /// Where it is wrong.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        let scenario: Scenario = toml::from_str(text).map_err(|error| error.to_string())?;
        let complain = |what: String| Err(what);
        if scenario.tick.0 == 0 {
            return complain("tick: time has to pass, say `tick = \"50ms\"`".into());
        }
        for (n, planned) in scenario.faults.iter().enumerate() {
            let job = match planned.when {
                Some(Moment::Runs(job) | Moment::Ended(job) | Moment::Shown(job)) => job,
                None if planned.at.is_some() => continue,
                None => {
                    return complain(format!("fault {}: say when: `at = \"10s\"` or `when = \"job 1 runs\"`", n + 1));
                }
            };
            if job == 0 || (scenario.swarm.is_none() && job > scenario.jobs.len()) {
                return complain(format!("fault {}: there is no job {job}; the first [[job]] is job 1", n + 1));
            }
        }
        Ok(scenario)
    }
}

/// A length of time, written like `250ms`, `30s`, `10m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

impl Span {
    /// In ms.
    pub fn ms(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX / 4)
    }
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Span, String> {
        let wrong = || format!("{text:?} is no length of time: write it like 250ms, 30s, 10m or 2h");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match &text[digits..] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Span).ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        match units.into_iter().find(|(size, _)| self.0 > 0 && self.0.is_multiple_of(*size)) {
            Some((size, name)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl FromStr for Moment {
    type Err = String;
    fn from_str(text: &str) -> Result<Moment, String> {
        let wrong = || format!("{text:?} is nothing that happens: say `job 1 runs`, `job 1 ended` or `job 1 is shown`");
        let (job, what) = text.strip_prefix("job ").and_then(|rest| rest.split_once(' ')).ok_or_else(wrong)?;
        let job = job.parse().map_err(|_| wrong())?;
        match what {
            "runs" => Ok(Moment::Runs(job)),
            "ended" => Ok(Moment::Ended(job)),
            "is shown" => Ok(Moment::Shown(job)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Runs(job) => write!(f, "job {job} runs"),
            Moment::Ended(job) => write!(f, "job {job} ended"),
            Moment::Shown(job) => write!(f, "job {job} is shown"),
        }
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text! { Span Moment }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_alike() {
        for text in ["0ms", "250ms", "30s", "10m", "2h"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "5", "s", "1d", "-1s", "1.5s", "99999999999999999999h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let whole = "about = 'x'\nlasts = '1m'\n[[job]]\nat = '1s'\nkind = 'build'\n";
        assert!(Scenario::parse(whole).is_ok());
        for (more, part) in [
            ("bogus = 1\n", "line 6"),
            ("[[fault]]\nfault = 'daemon-killed'\n", "say when"),
            ("[[fault]]\nwhen = 'job 2 runs'\nfault = 'daemon-killed'\n", "there is no job 2"),
            ("[[fault]]\nwhen = 'job one runs'\nfault = 'daemon-killed'\n", "job 1 runs"),
            ("[[fault]]\nat = '3 s'\nfault = 'daemon-killed'\n", "length of time"),
            ("[[fault]]\nat = '3s'\nfault = 'daemon-kiled'\n", "daemon-killed"),
        ] {
            let error = Scenario::parse(&format!("{whole}{more}")).expect_err(more);
            assert!(error.contains(part), "{more}: {error}");
        }
    }
}
