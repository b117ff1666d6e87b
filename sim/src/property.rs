//! What must hold, judged by what the world saw: the machine's ledger, the chats, what people asked for and pressed. What the
//! daemon has on record is checked against it, and never believed.

use crate::botapi::{ChatId, Millis};
use crate::people::{GROUP, People, STRANGER, job_of, task_of};
use crate::scenario::Via;
use crate::world::World;
use mainstay::config::Config;
use mainstay::event::{Fact, Recorded};
use mainstay::real::store::{LogFilter, Store, rebuild};
use mainstay::task::{Outcome, State};
use std::collections::BTreeMap;

/// A property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub property: &'static str,
    /// When it was seen, ms of the simulation.
    pub at_ms: i64,
    /// How.
    pub how: String,
}

/// All that a property may look at once everything has come to rest.
pub struct Settled<'a> {
    /// The world.
    pub world: &'a World,
    /// What people know.
    pub people: &'a People,
    /// The configuration.
    pub config: &'a Config,
    /// The record as it lies on the disk.
    pub store: &'a Store,
    /// All of it.
    pub events: Vec<Recorded>,
}

type Check = fn(&Settled<'_>) -> Result<(), String>;

/// What must hold at the end, in the order in which it is checked. The first that does not is the finding.
pub const PROPERTIES: [(&str, Check); 12] = [
    ("the record is whole", record_is_whole),
    ("the machine is asked nothing impossible", nothing_impossible),
    ("no attempt runs twice", no_attempt_twice),
    ("nothing runs beside its twin or after an unknown end", no_twins),
    ("nothing runs without its approvals and a resume", gates_hold),
    ("nothing acknowledged is lost", nothing_lost),
    ("every task comes to its end", everything_ends),
    ("a true exit is reported as such", ends_are_true),
    ("every end is reported, and repeats are marked", ends_are_reported),
    ("nothing is left running", nothing_left_running),
    ("strangers are told nothing", strangers_hear_nothing),
    ("nothing is asked of Telegram in a tight loop", no_tight_loop),
];

impl<'a> Settled<'a> {
    /// Everything at rest.
    ///
    /// # Errors
    /// The record can't be read, which is a finding of its own.
    pub fn new(
        world: &'a World,
        people: &'a People,
        config: &'a Config,
        store: &'a Store,
    ) -> Result<Settled<'a>, String> {
        let filter = LogFilter { last: u32::MAX, ..LogFilter::default() };
        let events = store.logs(&filter).map_err(|error| error.to_string())?;
        Ok(Settled { world, people, config, store, events })
    }

    /// The first property that does not hold.
    pub fn judge(&self) -> Option<Broken> {
        PROPERTIES.iter().find_map(|(property, check)| {
            let how = check(self).err()?;
            Some(Broken { property, at_ms: self.world.now(), how })
        })
    }

    fn state(&self, task: i64) -> Result<(State, Option<Outcome>), String> {
        let view = self.store.task(mainstay::id::TaskId(task)).map_err(|error| error.to_string())?;
        let view = view.ok_or_else(|| format!("task {task} was shown and is not on record"))?;
        Ok((view.task.state, view.task.outcome))
    }

    /// Messages of the bot that can be read in any chat of operators: chat, text.
    fn said(&self) -> Vec<(ChatId, String)> {
        let chats = self.config.operators.keys().map(|id| ChatId(*id)).chain([GROUP]);
        chats
            .flat_map(|chat| {
                let screen = self.world.telegram.look(|t| t.screen(chat));
                screen.messages.into_iter().filter(|m| m.is_bot).map(move |m| (chat, m.text))
            })
            .collect()
    }
}

fn record_is_whole(s: &Settled<'_>) -> Result<(), String> {
    if let Some(seq) = s.store.verify(1).map_err(|error| error.to_string())? {
        return Err(format!("the chain breaks at event {seq}"));
    }
    let violation = s.events.iter().find(|e| matches!(e.fact, Fact::Violation { .. }));
    if let Some(event) = violation {
        return Err(format!("a violation on record: {:?}", event.fact));
    }
    struct Elsewhere;
    impl mainstay::ports::Storage for Elsewhere {
        fn open(&self) -> Result<rusqlite::Connection, rusqlite::Error> {
            rusqlite::Connection::open_in_memory()
        }
        fn free_bytes(&self) -> Option<u64> {
            None
        }
        fn keep_room(&self) {}
    }
    let rebuilt = rebuild(s.store, &Elsewhere).map_err(|error| format!("it can't be replayed: {error}"))?;
    let except = ["cursors"];
    let (is, should) = (s.store.dump(&except), rebuilt.dump(&except));
    let (is, should) = (is.map_err(|e| e.to_string())?, should.map_err(|e| e.to_string())?);
    match is.lines().zip(should.lines()).find(|(is, should)| is != should) {
        Some((is, should)) => Err(format!("tables are not the sum of the record: {is:?} should be {should:?}")),
        None if is.len() != should.len() => Err("tables are not the sum of the record: rows are missing".into()),
        None => Ok(()),
    }
}

fn nothing_impossible(s: &Settled<'_>) -> Result<(), String> {
    s.world.machine.wrongs().first().map_or(Ok(()), |what| Err(what.clone()))
}

fn no_attempt_twice(s: &Settled<'_>) -> Result<(), String> {
    let mut ran = BTreeMap::new();
    for entry in s.world.machine.ledger() {
        if let Some(before) = ran.insert(entry.key, entry.began_ms) {
            return Err(format!("attempt {} was started at {before} ms and at {} ms", entry.key, entry.began_ms));
        }
    }
    Ok(())
}

fn no_twins(s: &Settled<'_>) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for entry in s.world.machine.ledger() {
        let Some(before) = last.insert(entry.key.task, entry.clone()) else { continue };
        let Some(ended) = before.ended_ms.filter(|ended| *ended <= entry.began_ms) else {
            return Err(format!("attempt {} began while {} was alive", entry.key, before.key));
        };
        let job = job_of(&entry.prompt).and_then(|n| s.people.jobs.get(n - 1));
        let kind = job.and_then(|asked| s.config.kinds.get(&asked.job.kind));
        // A shim that lived to the end of its task leaves a receipt; without, nobody knows how far it came.
        let unknown = before.end.is_none();
        if unknown && kind.is_some_and(|kind| !kind.idempotent) {
            return Err(format!(
                "attempt {} began although nobody can know what {} did by {ended} ms",
                entry.key, before.key
            ));
        }
    }
    Ok(())
}

fn gates_hold(s: &Settled<'_>) -> Result<(), String> {
    for entry in s.world.machine.ledger() {
        let Some(asked) = job_of(&entry.prompt).and_then(|n| s.people.jobs.get(n - 1)) else {
            return Err(format!("attempt {} ran for nobody: {:?}", entry.key, entry.prompt));
        };
        let Some(kind) = s.config.kinds.get(&asked.job.kind) else { continue };
        let before = |at: &i64| *at <= entry.began_ms;
        let who = &asked.job.by;
        let mut yes: Vec<i64> = asked.approved.iter().filter(|(_, at)| before(at)).map(|(user, _)| user.0).collect();
        yes.retain(|id| kind.self_approval || s.config.operators.get(id).is_some_and(|o| o.name != *who));
        yes.sort_unstable();
        yes.dedup();
        if yes.len() < kind.approvals as usize {
            return Err(format!("attempt {} ran with {} of {} approvals", entry.key, yes.len(), kind.approvals));
        }
        if !asked.resumed.iter().any(before) {
            return Err(format!("attempt {} ran and nobody had let it", entry.key));
        }
    }
    Ok(())
}

fn nothing_lost(s: &Settled<'_>) -> Result<(), String> {
    for (n, asked) in s.people.jobs.iter().enumerate() {
        for task in &asked.tasks {
            s.state(*task)?;
        }
        let late = asked.at.is_some_and(|at| at <= s.world.now());
        // Telegram keeps what nobody fetched for a day, so a message is answered in the end; a request on the command line
        // whose daemon died is asked again by its client.
        let unanswered = asked.acknowledged.is_none() && asked.job.via != Via::Cli;
        if late && unanswered {
            return Err(format!("job {} was asked for and never answered", n + 1));
        }
        if asked.tasks.len() > asked.messages.len().max(1) {
            return Err(format!(
                "job {} was asked for {} time(s) and became {:?}",
                n + 1,
                asked.messages.len(),
                asked.tasks
            ));
        }
    }
    Ok(())
}

fn everything_ends(s: &Settled<'_>) -> Result<(), String> {
    for (n, asked) in s.people.jobs.iter().enumerate() {
        for task in &asked.tasks {
            let (state, _) = s.state(*task)?;
            let waits_for_people = match state {
                State::Requested | State::Approved => true,
                State::Queued | State::Running => false,
                State::Succeeded | State::Failed | State::Canceled | State::Expired => continue,
            };
            let first = asked.tasks.first() == Some(task);
            // Twins of an impatient request are nobody's any more: they wait for people, and that is right.
            if waits_for_people && !first {
                continue;
            }
            let why = if waits_for_people { "although everybody has pressed what was offered" } else { "for ever" };
            return Err(format!("task {task} (job {}) is {state} {why}", n + 1));
        }
        if let (Some(ends), Some(task)) = (&asked.job.ends, asked.tasks.first()) {
            let (state, outcome) = s.state(*task)?;
            let is = outcome.map_or_else(|| state.to_string(), |outcome| format!("{state} {}", outcome.name()));
            if is != *ends && state.to_string() != *ends {
                return Err(format!("job {} is {is} and should be {ends}", n + 1));
            }
        }
        let ran = s.world.machine.ledger().iter().filter(|ran| job_of(&ran.prompt) == Some(n + 1)).count();
        // Each message of somebody impatient is a request of its own.
        let requests = asked.tasks.len().max(1);
        if let Some(runs) = asked.job.runs.filter(|runs| !(*runs..=runs * requests).contains(&ran)) {
            return Err(format!("job {} ran {ran} time(s) and should have {runs}", n + 1));
        }
    }
    Ok(())
}

fn ends_are_true(s: &Settled<'_>) -> Result<(), String> {
    let ledger = s.world.machine.ledger();
    let mut last = BTreeMap::new();
    for entry in &ledger {
        last.insert(entry.key.task.0, entry);
    }
    for (task, entry) in last {
        let (state, outcome) = s.state(task)?;
        let says_success = state == State::Succeeded;
        let was_success = entry.end == Some(mainstay::attempt::End::Exited(0));
        if says_success != was_success {
            return Err(format!("task {task} is {state} and its last attempt came to {:?}", entry.end));
        }
        if entry.end.is_some() && outcome == Some(Outcome::Unknown) {
            return Err(format!("task {task} is unknown, and there is a receipt: {:?}", entry.end));
        }
    }
    Ok(())
}

fn ends_are_reported(s: &Settled<'_>) -> Result<(), String> {
    let said = s.said();
    for asked in &s.people.jobs {
        for task in &asked.tasks {
            let (state, _) = s.state(*task)?;
            if !state.is_terminal() {
                continue;
            }
            let marks = ["✅", "🔴", "⚪"];
            let is_report = |text: &str| {
                let plain = text.strip_prefix(MARK).unwrap_or(text);
                marks.iter().any(|mark| plain.starts_with(mark)) && task_of(plain) == Some(*task)
            };
            let reports: Vec<&str> =
                said.iter().map(|(_, text)| text.as_str()).filter(|text| is_report(text)).collect();
            let unmarked = reports.iter().filter(|text| !text.starts_with(MARK)).count();
            if reports.is_empty() {
                return Err(format!("task {task} is {state} and nobody was told"));
            }
            // Taken back from its end, it comes to another.
            let recovered =
                |e: &&Recorded| e.task.map(|id| id.0) == Some(*task) && matches!(e.fact, Fact::Recovered { .. });
            if unmarked > 1 + s.events.iter().filter(recovered).count() {
                return Err(format!(
                    "task {task} was reported {unmarked} times, and not said to be a repeat: {reports:?}"
                ));
            }
        }
    }
    Ok(())
}

/// What stands before a message that may have arrived before.
const MARK: &str = "(possible repeat) ";

fn nothing_left_running(s: &Settled<'_>) -> Result<(), String> {
    let alive = s.world.machine.alive();
    alive.first().map_or(Ok(()), |key| Err(format!("processes of attempt {key} are alive")))
}

fn strangers_hear_nothing(s: &Settled<'_>) -> Result<(), String> {
    let screen = s.world.telegram.look(|t| t.screen(ChatId(STRANGER.0)));
    screen.messages.iter().find(|m| m.is_bot).map_or(Ok(()), |m| Err(format!("a stranger was told {:?}", m.text)))
}

/// Polls that ask without a pause, as the books of Telegram have them.
fn no_tight_loop(s: &Settled<'_>) -> Result<(), String> {
    /// More requests in ten seconds than any burst of cards needs.
    const MOST: usize = 200;
    let mut windows: BTreeMap<u64, usize> = BTreeMap::new();
    s.world.telegram.look(|t| {
        for record in t.log().iter() {
            let Millis(at) = record.at;
            *windows.entry(at / 10_000).or_default() += 1;
        }
    });
    match windows.into_iter().find(|(_, n)| *n > MOST) {
        Some((window, n)) => Err(format!("{n} requests in the ten seconds from {window}0 s")),
        None => Ok(()),
    }
}
