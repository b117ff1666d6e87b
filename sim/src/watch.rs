//! Who watches a run, and writes down what happened in it.

use crate::botapi::{Method, Outcome, Record};
use crate::disk::Counts;
use crate::fault::Fault;
use crate::lives::{Life, lives};
use crate::people::{self, People, job_of};
use crate::scenario::Span;
use crate::trace::{Entry, IN_VAIN, Lane, sort};
use crate::world::World;
use crate::world::clock::EPOCH_MS;
use crate::world::wire::Passed;
use mainstay::event::Recorded;
use mainstay::task::State;

/// What is left of a program whose end nobody wrote down.
pub(crate) const NO_RECEIPT: &str = "no receipt";

/// Notes what happens while it happens; what the world keeps by itself is asked at the end.
#[derive(Default)]
pub(crate) struct Watch {
    /// Also what is only worth its time when somebody will read it.
    whole: bool,
    entries: Vec<Entry>,
    /// Faults, with when they struck.
    struck: Vec<(i64, Fault)>,
    skews: Vec<(i64, i64)>,
    up_since: Option<i64>,
    off_since: Option<i64>,
    disk: Counts,
    ops: u64,
    wire: Passed,
    clock: u64,
}

impl Watch {
    /// Somebody who notes everything, or only what is needed for a verdict.
    pub(crate) fn new(whole: bool) -> Watch {
        Watch { whole, skews: vec![(0, 0)], ..Watch::default() }
    }

    /// Something that only the run knows.
    pub(crate) fn note(&mut self, at_ms: i64, lane: Lane, words: String) {
        self.entries.push(Entry::at(at_ms, lane, words));
    }

    /// A fault strikes.
    pub(crate) fn strike(&mut self, now: i64, fault: &Fault) {
        let mut entry = Entry::at(now, Lane::Fault, said(fault));
        entry.until_ms = lasts(fault).map(|span| now + span.ms());
        self.entries.push(entry);
        self.struck.push((now, fault.clone()));
    }

    /// A fault found nothing that it could strike.
    pub(crate) fn miss(&mut self, now: i64, fault: &Fault) {
        self.note(now, Lane::Fault, format!("{IN_VAIN}{}", said(fault)));
    }

    /// Those that have struck, with when.
    pub(crate) fn struck(&self) -> &[(i64, Fault)] {
        &self.struck
    }

    /// From when on the machine's clock was wrong by how much.
    pub(crate) fn skews(&self) -> &[(i64, i64)] {
        &self.skews
    }

    /// Looks at the world after a tick, or after anything else that may have changed it.
    pub(crate) fn look(&mut self, world: &World) {
        let now = world.now();
        if self.skews.last().is_some_and(|(_, skew)| *skew != world.clock.skew()) {
            self.skews.push((now, world.clock.skew()));
        }
        if !self.whole {
            return;
        }
        span(&mut self.entries, &mut self.up_since, world.is_up(), now, "a daemon is up");
        span(&mut self.entries, &mut self.off_since, !world.has_power(), now, "the machine is off");
        self.look_closely(world, now);
    }

    /// Disk, wire and clock, as far as they moved since the last look.
    fn look_closely(&mut self, world: &World, now: i64) {
        let (counts, ops) = (world.disk.counts(), world.disk.ops());
        if (counts, ops) != (self.disk, self.ops) {
            let mut words = format!(
                "{} writes, {} syncs, {} operations in all",
                counts.writes - self.disk.writes,
                counts.syncs - self.disk.syncs,
                ops - self.ops
            );
            let failed = counts.faults - self.disk.faults;
            if failed > 0 {
                words += &format!(", {failed} failed");
            }
            if (counts.lost, counts.kept) != (self.disk.lost, self.disk.kept) {
                let (lost, kept) = (counts.lost - self.disk.lost, counts.kept - self.disk.kept);
                words += &format!("; of what was not synced {lost} lost, {kept} kept");
            }
            words += &format!(" ({:016x})", world.disk.digest());
            self.entries.push(Entry::at(now, Lane::Disk, words));
            (self.disk, self.ops) = (counts, ops);
        }
        let wire = world.wire.passed();
        if wire != self.wire {
            let (sent, arrived) = (wire.sent - self.wire.sent, wire.arrived - self.wire.arrived);
            let words = format!("{sent} bytes sent, {arrived} arrived ({:016x})", wire.digest.value());
            self.entries.push(Entry::at(now, Lane::Wire, words));
            self.wire = wire;
        }
        let clock = world.clock.digest().value();
        if clock != self.clock {
            self.entries.push(Entry::at(now, Lane::Clock, format!("asked ({clock:016x})")));
            self.clock = clock;
        }
    }

    /// Everything that happened, in order. `events` are the record's, with when they were recorded.
    pub(crate) fn finish(mut self, world: &World, people: &People, events: &[(i64, Recorded)]) -> Vec<Entry> {
        if self.whole {
            let now = world.now();
            span(&mut self.entries, &mut self.up_since, false, now, "a daemon is up");
            span(&mut self.entries, &mut self.off_since, false, now, "the machine is off");
            self.entries.extend(of_people(people));
            self.entries.extend(of_tasks(events, now));
            self.entries.extend(of_machine(world));
            world.telegram.look(|t| self.entries.extend(t.log().iter().map(of_request)));
            self.entries.extend(events.iter().map(|(at, event)| of_event(*at, event)));
        }
        sort(&mut self.entries);
        self.entries
    }
}

/// Opens or closes what lasts.
fn span(entries: &mut Vec<Entry>, since: &mut Option<i64>, is: bool, now: i64, words: &str) {
    match *since {
        None if is => *since = Some(now),
        Some(began) if !is => {
            entries.push(Entry::at(began, Lane::Daemon, words).until(now));
            *since = None;
        }
        None | Some(_) => {}
    }
}

/// A fault as scenario files have it, in a line.
pub(crate) fn said(fault: &Fault) -> String {
    let value = serde_json::to_value(fault).unwrap_or_default();
    let Some(fields) = value.as_object() else { return value.to_string() };
    let words = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if name == "fault" { value } else { format!("{name} {value}") }
    });
    words.collect::<Vec<_>>().join(", ")
}

/// For how long it is there.
fn lasts(fault: &Fault) -> Option<Span> {
    let value = serde_json::to_value(fault).ok()?;
    ["lasts", "down", "off"].iter().find_map(|name| value[name].as_str()?.parse().ok())
}

/// What somebody is called.
fn person(id: i64) -> String {
    people::config().operators.get(&id).map_or_else(|| format!("user {id}"), |operator| operator.name.clone())
}

fn of_people(people: &People) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (n, asked) in people.jobs.iter().enumerate() {
        let (job, n) = (&asked.job, n + 1);
        let task = asked.tasks.first().copied();
        let mut add = |at: i64, words: String| {
            entries.push(Entry { task, ..Entry::at(at, Lane::Person, words) });
        };
        if let Some(at) = asked.at {
            add(at, format!("{} asks for job {n}: {} ({})", job.by, job.kind, job.does));
            if asked.messages.len() > 1 {
                add(at + 10_000, format!("{} asks for job {n} again", job.by));
            }
        }
        if let Some(at) = asked.acknowledged {
            add(at, format!("job {n} is acknowledged"));
        }
        let presses = [
            (&asked.approved, "approves"),
            (&asked.rejected, "rejects"),
            (&asked.planned, "plans"),
            (&asked.resumed, "resumes"),
            (&asked.recovered, "takes back"),
        ];
        for (pressed, does) in presses.into_iter().flat_map(|(all, does)| all.iter().map(move |p| (p, does))) {
            add(pressed.at, format!("{} {does} job {n}", person(pressed.by.0)));
        }
        if let Some(pressed) = asked.stopped {
            add(pressed.at, format!("{} wants job {n} stopped", person(pressed.by.0)));
        }
    }
    entries
}

/// States with when they began and ended. What is ended for good is no bar.
fn of_tasks(events: &[(i64, Recorded)], now: i64) -> Vec<Entry> {
    let bars = |life: &Life| -> Vec<(i64, State, i64)> {
        let ends = life.iter().skip(1).map(|(at, _)| *at).chain([now]);
        life.iter().zip(ends).map(|((at, state), end)| (*at, *state, end)).collect()
    };
    let mut entries = Vec::new();
    for (task, life) in lives(events) {
        for (at, state, end) in bars(&life) {
            let entry = Entry::at(at, Lane::Task, state.name()).of(task);
            entries.push(if state.is_terminal() { entry } else { entry.until(end) });
        }
    }
    entries
}

/// What ran, and what was left of it.
fn of_machine(world: &World) -> Vec<Entry> {
    let now = world.now();
    let mut entries = Vec::new();
    for ran in world.machine.ledger() {
        let (key, task) = (ran.key, ran.key.task.0);
        let job = job_of(&ran.prompt).map_or_else(String::new, |n| format!(" (job {n})"));
        let runs = Entry::at(ran.began_ms, Lane::Machine, format!("attempt {key} runs{job}")).of(task);
        entries.push(runs.until(ran.ended_ms.unwrap_or(now)));
        let left = match (&ran.end, ran.ended_ms) {
            (Some(end), Some(at)) => Some((at, format!("attempt {key} left a receipt: {end:?}"))),
            (None, Some(at)) => Some((at, format!("attempt {key} left {NO_RECEIPT}"))),
            (_, None) => None,
        };
        entries.extend(left.map(|(at, words)| Entry::at(at, Lane::Machine, words).of(task)));
    }
    entries
}

fn of_request(record: &Record) -> Entry {
    let at = i64::try_from(record.at.0).unwrap_or(i64::MAX) - EPOCH_MS;
    let method = Method::parse(&record.method).map_or_else(|| record.method.clone(), |method| method.name().to_owned());
    let fate = match &record.outcome {
        Outcome::Waiting => "still waits".to_owned(),
        Outcome::Abandoned => "its client went away".to_owned(),
        Outcome::Answered { status, description: None } => status.to_string(),
        Outcome::Answered { status, description: Some(why) } => format!("{status} {why}"),
        Outcome::Struck { fault, took_effect: Some(_) } => format!("fault {fault}, after it took effect"),
        Outcome::Struck { fault, took_effect: None } => format!("fault {fault}, without effect"),
    };
    let text = record.body["text"].as_str().map_or_else(String::new, |text| format!(" {:?}", short(text)));
    Entry::at(at, Lane::Network, format!("{method}: {fate}{text}"))
}

fn of_event(at: i64, event: &Recorded) -> Entry {
    let attempt = event.attempt.map_or_else(String::new, |n| format!(" attempt {n}"));
    let data = event.fact.data();
    let words = format!("{} {}{attempt} by {} {}", event.seq, event.fact.kind(), event.actor, short(&data));
    Entry { task: event.task.map(|task| task.0), ..Entry::at(at, Lane::Record, words) }
}

/// The beginning of a long text, on one line.
fn short(text: &str) -> String {
    const MOST: usize = 160;
    let line = text.replace('\n', " ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_said_as_a_scenario_has_it() {
        let fault = Fault::DaemonKilled { down: Span(2_000) };
        assert_eq!(said(&fault), "daemon-killed, down 2s");
        assert_eq!((fault.name(), lasts(&fault)), ("daemon-killed", Some(Span(2_000))));
        assert_eq!(lasts(&Fault::ClockSet { by_seconds: 3 }), None);
    }

    #[test]
    fn long_texts_are_cut_at_a_letter() {
        assert_eq!(short("a\nb"), "a b");
        assert_eq!(short(&"é".repeat(200)).chars().count(), 161);
    }
}
