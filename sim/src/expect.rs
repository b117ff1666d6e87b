//! What a scenario expects, beside what must hold of every run, and what was seen.

use crate::botapi::{ChatId, Outcome, Record};
use crate::people::{People, REPEAT_MARK, STRANGER, job_of, reports_of, said};
use crate::property::alerts::alerts;
use crate::scenario::{Amount, Scenario, Span};
use crate::world::clock::EPOCH_MS;
use crate::world::{World, is_poll};
use mainstay::event::{Fact, Recorded};
use mainstay::id::TaskId;
use mainstay::real::store::{LogFilter, Store};
use serde::{Deserialize, Serialize};

/// An expectation, with what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Of what.
    pub what: String,
    /// What should be.
    pub wanted: String,
    /// What is.
    pub seen: String,
    /// Whether that is as it should be.
    pub held: bool,
}

/// A run that has come to rest.
pub struct Rested<'a> {
    /// As it was played.
    pub scenario: &'a Scenario,
    /// The world.
    pub world: &'a World,
    /// What people know.
    pub people: &'a People,
    /// The record.
    pub store: &'a Store,
    /// When the last fault of Telegram or the line was over, ms of the simulation.
    pub outages_over: Option<i64>,
    /// What the scenario tells of and never came about.
    pub never: &'a [String],
}

impl Rested<'_> {
    /// All expectations, in the order of the file.
    ///
    /// # Errors
    /// The record can't be read.
    pub fn expected(&self) -> Result<Vec<Expected>, String> {
        let filter = LogFilter { last: u32::MAX, ..LogFilter::default() };
        let events = self.store.logs(&filter).map_err(|error| error.to_string())?;
        let mut all = Vec::new();
        self.jobs(&mut all)?;
        self.counts(&events, &mut all);
        self.texts(&mut all);
        self.answers(&mut all);
        if !self.never.is_empty() {
            let what = "all that the file tells of".to_owned();
            all.push(Expected { what, wanted: "came about".into(), seen: self.never.join("; "), held: false });
        }
        Ok(all)
    }

    fn jobs(&self, all: &mut Vec<Expected>) -> Result<(), String> {
        let ledger = self.world.machine.ledger();
        for (n, asked) in self.people.jobs.iter().enumerate() {
            let task = asked.tasks.first().copied();
            let what = |of: &str| format!("job {}: {of}", n + 1);
            if let Some(wanted) = &asked.job.ends {
                let seen = self.end(task)?;
                let held = seen == *wanted || seen.split(' ').next() == Some(wanted);
                all.push(Expected { what: what("ends"), wanted: wanted.clone(), seen, held });
            }
            if let Some(wanted) = asked.job.runs {
                let runs = ledger.iter().filter(|ran| job_of(&ran.prompt) == Some(n + 1)).count();
                // Each message of somebody impatient is a request of its own.
                let held = (wanted..=wanted * asked.tasks.len().max(1)).contains(&runs);
                all.push(Expected { what: what("runs"), wanted: wanted.to_string(), seen: runs.to_string(), held });
            }
            let attempts = ledger.iter().filter(|ran| Some(ran.key.task.0) == task).count();
            counted(all, &what("attempts"), asked.job.attempts, attempts);
            let reports = task.map_or(0, |task| reports_of(self.world, task).len());
            counted(all, &what("reported"), asked.job.reported, reports);
        }
        Ok(())
    }

    fn end(&self, task: Option<i64>) -> Result<String, String> {
        let Some(task) = task else { return Ok("nothing".into()) };
        let view = self.store.task(TaskId(task)).map_err(|error| error.to_string())?;
        Ok(view.map_or_else(
            || "lost".into(),
            |view| match view.task.outcome {
                Some(outcome) => format!("{} {}", view.task.state, outcome.name()),
                None => view.task.state.to_string(),
            },
        ))
    }

    fn counts(&self, events: &[Recorded], all: &mut Vec<Expected>) {
        let expect = &self.scenario.expect;
        let tasks = events.iter().filter(|event| matches!(event.fact, Fact::Requested { .. })).count();
        counted(all, "tasks", expect.tasks, tasks);
        counted(all, "programs", expect.programs, self.world.machine.ledger().len());
        let repeats = said(self.world).iter().filter(|text| text.starts_with(REPEAT_MARK)).count();
        counted(all, "repeats", expect.repeats, repeats);
        let foreign = self.world.telegram.look(|t| t.screen(ChatId(STRANGER.0)));
        counted(all, "to strangers", expect.to_strangers, foreign.messages.iter().filter(|m| m.is_bot).count());
        let struck = self.struck();
        let (polls, sends): (Vec<_>, Vec<_>) = struck.into_iter().partition(is_poll);
        counted(all, "polls struck", expect.polls_struck, polls.len());
        counted(all, "sends struck", expect.sends_struck, sends.len());
        counted(all, "polls a minute", expect.polls_a_minute, most_a_minute(&polls));
        if let Some(wanted) = expect.polls_back_within {
            all.push(self.polls_back(wanted));
        }
        let disk = self.world.disk.counts();
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        counted(all, "disk failures", expect.disk_failures, number(disk.faults));
        counted(all, "writes lost", expect.writes_lost, number(disk.lost));
        let (begun, over): (Vec<_>, Vec<_>) = alerts(self.world).into_iter().partition(|alert| !alert.is_over);
        counted(all, "alerts", expect.alerts_in_all, begun.len());
        for (told, wanted, what) in [(&begun, &expect.alerts, "alerts"), (&over, &expect.alerts_over, "alerts over")] {
            for (name, wanted) in wanted {
                let found = told.iter().filter(|alert| alert.anomaly == *name).count();
                counted(all, &format!("{what}: {name}"), Some(*wanted), found);
            }
        }
        for (kind, wanted) in &expect.on_record {
            let found = events.iter().filter(|event| event.fact.kind() == kind).count();
            counted(all, &format!("on record: {kind}"), Some(*wanted), found);
        }
    }

    fn texts(&self, all: &mut Vec<Expected>) {
        let expect = &self.scenario.expect;
        let said = said(self.world);
        for (texts, wanted) in [(&expect.said, true), (&expect.never_said, false)] {
            for text in texts {
                let found = said.iter().filter(|all| all.contains(text)).count();
                let (what, wanted_words) = (format!("{text:?}"), if wanted { "said" } else { "never said" });
                let seen = format!("{found} message(s)");
                all.push(Expected { what, wanted: wanted_words.into(), seen, held: (found > 0) == wanted });
            }
        }
    }

    /// Who asks is answered in so many lines that one look is enough.
    fn answers(&self, all: &mut Vec<Expected>) {
        /// Lines of such an answer.
        const LINES_MAX: usize = 10;
        let answers = self.world.desk.answers().into_iter().map(|answer| answer.text);
        let is_about_all = |text: &String| {
            let word = text.split([':', '\n']).next().unwrap_or_default();
            ["healthy", "degraded", "broken"].contains(&word.strip_prefix(REPEAT_MARK).unwrap_or(word))
        };
        let answers: Vec<String> = said(self.world).into_iter().chain(answers).filter(is_about_all).collect();
        for text in &self.scenario.expect.ops_said {
            let lines =
                answers.iter().filter(|answer| answer.contains(text)).map(|answer| answer.lines().count()).min();
            let seen = match lines {
                Some(lines) => format!("in {lines} lines"),
                None => format!("not in {} answer(s): {}", answers.len(), answers.join(" / ")),
            };
            let held = lines.is_some_and(|lines| lines <= LINES_MAX);
            all.push(Expected { what: format!("/ops: {text:?}"), wanted: "said".into(), seen, held });
        }
    }

    fn struck(&self) -> Vec<Record> {
        let is_struck = |record: &&Record| matches!(record.outcome, Outcome::Struck { .. });
        self.world.telegram.look(|t| t.log().iter().filter(is_struck).cloned().collect())
    }

    /// How long after the last outage a poll came that was not struck.
    fn polls_back(&self, wanted: Span) -> Expected {
        let over = self.outages_over.unwrap_or(0);
        let back = self.world.telegram.look(|t| {
            let is_well = |record: &&Record| match &record.outcome {
                Outcome::Answered { status, .. } => *status == 200,
                Outcome::Waiting => true,
                Outcome::Abandoned | Outcome::Struck { .. } => false,
            };
            let mut polls = t.log().iter().filter(|record| is_poll(record)).filter(is_well);
            polls.find_map(|record| at(record).checked_sub(over).filter(|after| *after >= 0))
        });
        Expected {
            what: "polls back within".into(),
            wanted: wanted.to_string(),
            seen: back.map_or_else(|| "never".into(), |ms| Span(ms.unsigned_abs()).to_string()),
            held: back.is_some_and(|ms| ms <= wanted.ms()),
        }
    }
}

fn counted(all: &mut Vec<Expected>, what: &str, wanted: Option<Amount>, seen: usize) {
    let Some(wanted) = wanted else { return };
    let held = wanted.holds(seen as u64);
    all.push(Expected { what: what.to_owned(), wanted: wanted.to_string(), seen: seen.to_string(), held });
}

/// When it came, ms of the simulation.
fn at(record: &Record) -> i64 {
    i64::try_from(record.at.0).unwrap_or(i64::MAX) - EPOCH_MS
}

/// The most of them in any minute.
fn most_a_minute(polls: &[Record]) -> usize {
    let times: Vec<i64> = polls.iter().map(at).collect();
    let from = |n: usize| times[n..].iter().take_while(|time| **time < times[n] + 60_000).count();
    (0..times.len()).map(from).max().unwrap_or(0)
}
