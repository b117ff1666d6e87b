//! A task's story, from the command that asked for it to the message that reported it: when each step was and how long after
//! the one before, how each attempt ended, each try to report it, and in the last line why it is in the state it is in.
//!
//! What repeats itself is told once: of progress the newest line, of a card that it was shown. `logs --task` has all of it.

use super::{short, span, utc, who};
use crate::config::Config;
use crate::decide::{Moment, Said};
use crate::event::{Fact, Recorded, Then, What};
use crate::id::Actor;
use crate::policy;
use crate::task::{Outcome, State};
use crate::view::{TaskView, View};
use serde_json::json;
use std::collections::BTreeMap;

/// The answer to `/trace`, from the task's events and unsent messages in `view`. `why` says of a task that has not ended what
/// it waits for. `complete` in the data says whether the chain is whole so far: asked, every state by its own step, and, when
/// the task has ended, reported wherever a chat was to be told.
pub fn trace(config: &Config, view: &View, task: &TaskView, why: &str, now: Moment) -> Said {
    let events = &view.events;
    let complete = is_complete(task, events);
    let begins = events.iter().any(|event| matches!(event.fact, Fact::Requested { .. }));
    let mut lines = vec![format!(
        "#{} {} {} · trace {} · {}",
        task.task.id,
        task.task.kind,
        task.task.state,
        task.task.trace,
        match (complete, begins) {
            (true, _) => "complete",
            (false, true) => "not complete yet",
            (false, false) => "not complete any more",
        }
    )];
    let mut story = Story::new(config, view, now);
    events.iter().enumerate().for_each(|(n, event)| story.tell(n, event));
    lines.append(&mut story.lines);
    let because = if task.task.state.is_terminal() { story.because(task) } else { why.to_owned() };
    lines.push(because.clone());
    let data = json!({
        "task_id": task.task.id,
        "trace_id": task.task.trace,
        "state": task.task.state,
        "because": because,
        "complete": complete,
        "events": events,
    });
    let file = format!("task-{}-trace.txt", task.task.id);
    Said { ok: true, text: lines.join("\n"), file, data, ..Said::default() }
}

fn is_complete(task: &TaskView, events: &[Recorded]) -> bool {
    let mut state: Option<State> = None;
    let mut reports: Vec<i64> = Vec::new();
    let mut sent: Vec<i64> = Vec::new();
    for event in events {
        if let Fact::Requested { .. } = event.fact {
            state = Some(State::Requested);
        } else if let Fact::Queued { id, what: What::Report(_), .. } = event.fact {
            reports.push(id);
        } else if let Fact::Sent { id, .. } = event.fact {
            sent.push(id);
        } else if let Some(step) = event.fact.step() {
            if state != Some(step.from()) {
                return false;
            }
            state = Some(step.to());
        }
    }
    state == Some(task.task.state) && task.task.state.is_terminal() && reports.iter().all(|id| sent.contains(id))
}

/// A message on its way, as far as the story has come.
struct Letter {
    name: &'static str,
    chat: i64,
    queued_at: i64,
    /// Tries that failed, or of which nobody knows.
    failed: u32,
    /// A call was begun and its end is not on record yet.
    under_way: bool,
    /// When it arrived, and as which message.
    arrived: Option<(i64, i32)>,
    /// What was said when it was refused for good.
    given_up: Option<String>,
}

struct Story<'a> {
    config: &'a Config,
    view: &'a View,
    now: Moment,
    lines: Vec<String>,
    /// Wall clock of the last line, ms.
    last: Option<i64>,
    letters: BTreeMap<i64, Letter>,
    /// Of each failed call and each ended attempt, by its place among the events: when the next one began, wall clock in ms.
    next: BTreeMap<usize, i64>,
    /// Attempts that failed and were tried again, with how they ended.
    retried: Vec<(u32, String)>,
    /// Who wanted the running attempt stopped.
    stopped_by: Option<Actor>,
    /// The step that led to the present state.
    newest_step: Option<&'a Recorded>,
}

impl<'a> Story<'a> {
    fn new(config: &'a Config, view: &'a View, now: Moment) -> Story<'a> {
        let mut next = BTreeMap::new();
        let (mut calls, mut claim) = (BTreeMap::new(), None);
        for (n, event) in view.events.iter().enumerate().rev() {
            if let Fact::Sending { id, .. } = event.fact {
                calls.insert(id, event.at);
            } else if let Fact::SendFailed { id, .. } = event.fact {
                next.extend(calls.get(&id).map(|at| (n, *at)));
            } else if let Fact::Claimed { .. } = event.fact {
                claim = Some(event.at);
            } else if let Fact::Ended { .. } = event.fact {
                next.extend(claim.map(|at| (n, at)));
            }
        }
        Story {
            config,
            view,
            now,
            lines: Vec::new(),
            last: None,
            letters: BTreeMap::new(),
            next,
            retried: Vec::new(),
            stopped_by: None,
            newest_step: None,
        }
    }

    fn tell(&mut self, n: usize, event: &'a Recorded) {
        if event.fact.state_after().is_some() {
            self.newest_step = Some(event);
        }
        let words = self.words(n, event);
        for words in words {
            let day = |at: i64| utc(at)[..10].to_owned();
            if self.last.is_none_or(|last| day(last) != day(event.at)) {
                self.lines.push(format!("{}, UTC", day(event.at)));
            }
            let gap = event.at - self.last.unwrap_or(event.at);
            let gap = if gap > 0 { format!(" +{}", span(gap)) } else { String::new() };
            self.lines.push(format!("{}{gap} {words}", &utc(event.at)[11..]));
            self.last = Some(event.at);
        }
    }

    /// What an event adds to the story.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what has no sentence of its own is told by its name")]
    fn words(&mut self, n: usize, event: &Recorded) -> Vec<String> {
        let by = who(self.config, event.actor);
        let attempt = event.attempt.unwrap_or_default();
        let words = match &event.fact {
            Fact::Received { command, .. } => format!("{by} said /{command}"),
            Fact::Replayed { why, .. } if why.is_empty() => "the same came again: nothing was done".into(),
            Fact::Replayed { why, .. } => {
                format!("{by} asked for the same again: nothing was done ({})", short(why, 120))
            }
            Fact::Refused { why, .. } => format!("refused: {}", short(why, 120)),
            Fact::Requested { kind, prompt, .. } if prompt.is_empty() => format!("asked for ({kind})"),
            Fact::Requested { kind, prompt, .. } => format!("asked for ({kind}: {})", short(prompt, 80)),
            Fact::Approved { step, .. } => {
                format!("approved by {by}{}", if step.is_some() { "" } else { " (more are needed)" })
            }
            Fact::Voided { why } => format!("approvals and reviews no longer count: {}", short(why, 80)),
            Fact::Planned { .. } => format!("{by} attached a plan"),
            Fact::Reviewed { pass, code, .. } => {
                let code = code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
                format!("{} by {by}{code}", if *pass { "review passed" } else { "review failed" })
            }
            Fact::Rejected { reason, .. } => format!("rejected by {by}: {}", short(reason, 80)),
            Fact::Resumed { .. } => format!("resumed by {by}: it waits for a slot"),
            Fact::Stopped { reason, .. } if reason.is_empty() => format!("stopped by {by} before it ran"),
            Fact::Stopped { reason, .. } => format!("stopped before it ran: {}", short(reason, 80)),
            Fact::Expired { .. } => "its time to wait ran out".into(),
            Fact::Recovered { .. } => format!("asked for again by {by}: all gates count anew"),
            Fact::Claimed { .. } => {
                self.stopped_by = None;
                format!("attempt {attempt} has a slot")
            }
            Fact::Identified { identity, .. } => format!("attempt {attempt} started (shim pid {})", identity.pid),
            Fact::StartFailed { error, until } => {
                let again = self.again(n, event, *until);
                format!("attempt {attempt} could not be started: {}{again}", short(error, 80))
            }
            Fact::StartAgain { .. } => format!("attempt {attempt} had not begun to run: it is started again"),
            Fact::Adopted { identity } => {
                format!("attempt {attempt} found alive by a new daemon (shim pid {})", identity.pid)
            }
            Fact::StopAsked { .. } => {
                self.stopped_by = Some(event.actor);
                match event.actor {
                    Actor::System => "its time limit was not kept: it is stopped".into(),
                    Actor::User(_) | Actor::Local(_) | Actor::Policy => format!("{by} wants it stopped"),
                }
            }
            Fact::StopOverdue {} => "it did not end in time: what is alive of it is killed".into(),
            Fact::Progress { line } => return self.progress(n, line),
            Fact::Ended { outcome, evidence, ran_ms, retry, .. } => {
                let how = how(*outcome, evidence);
                let ran = ran_ms.map_or_else(String::new, |ms| format!(" after {}", span(ms)));
                let again = retry.map_or_else(String::new, |retry| self.again(n, event, retry.at));
                if retry.is_some() {
                    self.retried.push((attempt, how.clone()));
                }
                format!("attempt {attempt} {how}{ran}{again}")
            }
            fact => match self.letter(n, event, fact) {
                Some(words) => return words,
                None => fact.kind().replace('_', " "),
            },
        };
        vec![words]
    }

    /// Only the last of several lines with nothing between them.
    fn progress(&self, n: usize, line: &str) -> Vec<String> {
        let is_quiet = |event: &&Recorded| {
            matches!(
                &event.fact,
                Fact::Queued { what: What::Card { .. }, .. } | Fact::Sending { .. } | Fact::Sent { .. }
            )
        };
        let next = self.view.events[n + 1..].iter().find(|event| !is_quiet(event));
        match next {
            Some(Recorded { fact: Fact::Progress { .. }, .. }) => Vec::new(),
            Some(_) | None => vec![super::progress(line)],
        }
    }

    /// When it is tried again: as it was planned, and as it was where that is not known or was much later.
    fn again(&self, n: usize, event: &Recorded, until: i64) -> String {
        // Deadlines are of the clock of their boot. Both clocks are read one after the other, and the wall clock is nudged
        // all the time: what a few ms differ is nothing.
        let planned = (self.view.boot == event.boot).then(|| self.now.wall_of(until) - event.at);
        let was = self.next.get(&n).map(|at| at - event.at);
        let when = |pause: i64| format!("{} (at {})", span((pause + 5) / 10 * 10), &utc(event.at + pause)[11..]);
        match (planned, was) {
            (Some(planned), Some(was)) if was - planned > policy::TRACE_LATE_MS => {
                format!("; again in {}, which became {}", when(planned), when(was))
            }
            (Some(planned), _) => format!("; again in {}", when(planned)),
            (None, Some(was)) => format!("; again after {}", when(was)),
            (None, None) => "; to be tried again".into(),
        }
    }

    /// What happens to a message. None: it is no fact about one.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the facts about messages, of all facts")]
    fn letter(&mut self, n: usize, event: &Recorded, fact: &Fact) -> Option<Vec<String>> {
        if let Fact::Queued { id, chat, what, .. } = fact {
            return Some(self.queued(event, *id, *chat, what));
        }
        let id = match fact {
            Fact::Sending { id, .. }
            | Fact::Sent { id, .. }
            | Fact::SendFailed { id, .. }
            | Fact::SendUnknown { id } => *id,
            _ => return None,
        };
        let again = match fact {
            Fact::SendFailed { until: Some(until), .. } => self.again(n, event, *until),
            _ => String::new(),
        };
        let letter = self.letters.entry(id).or_insert_with(|| Letter::new("message", 0, event.at));
        let name = letter.name;
        Some(match fact {
            Fact::Sending { .. } => {
                // Nothing is sent twice at once: the daemon that began it did not live to see the end.
                let lost = std::mem::replace(&mut letter.under_way, true);
                letter.failed += u32::from(lost);
                let words =
                    format!("{name} {id}: whether try {} arrived was lost with the daemon; sent again", letter.failed);
                if lost { vec![words] } else { Vec::new() }
            }
            Fact::SendUnknown { .. } => {
                letter.under_way = false;
                letter.failed += 1;
                vec![format!("{name} {id}: whether try {} arrived was lost with the daemon", letter.failed)]
            }
            Fact::Sent { message, .. } => {
                letter.under_way = false;
                let is_news = letter.arrived.is_none() || letter.failed > 0;
                let tries = if letter.failed > 0 { format!(" at try {}", letter.failed + 1) } else { String::new() };
                letter.arrived = Some((event.at, *message));
                let words = format!("{name} {id} arrived as message {message} in chat {}{tries}", letter.chat);
                if letter.name != "report" {
                    letter.failed = 0;
                }
                if is_news { vec![words] } else { Vec::new() }
            }
            Fact::SendFailed { error, then, .. } => {
                letter.under_way = false;
                letter.failed += 1;
                if *then == Then::GiveUp {
                    letter.given_up = Some(error.clone());
                }
                let (tries, why) = (letter.failed, then_words(*then));
                vec![format!("{name} {id} not delivered at try {tries}: {} ({why}){again}", short(error, 80))]
            }
            _ => Vec::new(),
        })
    }

    fn queued(&mut self, event: &Recorded, id: i64, chat: i64, what: &What) -> Vec<String> {
        let name = match what {
            What::Alert(_) => "alert",
            What::Report(_) => "report",
            What::Card { .. } => "card",
            What::Text(_) | What::Document { .. } => "answer",
        };
        self.letters.entry(id).or_insert_with(|| Letter::new(name, chat, event.at));
        if name == "card" { Vec::new() } else { vec![format!("{name} {id} written, for chat {chat}")] }
    }

    // ------------------------------------------------------------------------------------------ the last line

    /// Why a task that has ended is in its state, and what became of its report.
    fn because(&self, task: &TaskView) -> String {
        let row = &task.task;
        let mut parts = vec![format!("#{} is {} because {}", row.id, row.state, self.cause(task))];
        let earlier: Vec<&(u32, String)> =
            self.retried.iter().filter(|(n, _)| *n > row.attempt_base && *n < row.attempt).collect();
        parts.extend(earlier.chunk_by(|a, b| a.1 == b.1).map(|alike| {
            let numbers: Vec<String> = alike.iter().map(|(n, _)| n.to_string()).collect();
            let (s, numbers) = (if alike.len() > 1 { "s" } else { "" }, numbers.join(" and "));
            format!("attempt{s} {numbers} before it {}", alike[0].1)
        }));
        parts.extend(self.reports());
        parts.join("; ")
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a terminal state is reached by these facts alone")]
    fn cause(&self, task: &TaskView) -> String {
        let row = &task.task;
        let Some(event) = self.newest_step else { return "of what is no longer on record".into() };
        let by = who(self.config, event.actor);
        match &event.fact {
            Fact::Ended { outcome: Outcome::Stopped, .. } => {
                let by = self.stopped_by.map_or_else(|| "somebody".into(), |by| who(self.config, by));
                format!("{by} wanted attempt {} stopped", row.attempt)
            }
            Fact::Ended { outcome, evidence, .. } => {
                let allowed = self.config.kinds.get(&row.kind).map_or(1, |kind| kind.max_attempts);
                let last = *outcome != Outcome::Success && allowed > 1 && row.attempt >= row.attempt_base + allowed;
                let last = if last { format!(", the last of {allowed},") } else { String::new() };
                format!("attempt {}{last} {}", row.attempt, how(*outcome, evidence))
            }
            Fact::Rejected { reason, .. } => format!("{by} rejected it ({})", short(reason, 80)),
            Fact::Stopped { reason, .. } if reason.is_empty() => format!("{by} stopped it before it ran"),
            Fact::Stopped { reason, .. } => format!("it was stopped before it ran ({})", short(reason, 80)),
            Fact::Expired { step } => format!("its time ran out while it was {}", step.from()),
            fact => format!("of {}", fact.kind().replace('_', " ")),
        }
    }

    /// What became of the reports of the newest end.
    fn reports(&self) -> Vec<String> {
        let since = self.newest_step.map_or(i64::MIN, |event| event.at);
        let of_now = self.letters.iter().filter(|(_, letter)| letter.name == "report" && letter.queued_at >= since);
        of_now.map(|(id, letter)| self.report(*id, letter)).collect()
    }

    fn report(&self, id: i64, letter: &Letter) -> String {
        if let Some((at, message)) = letter.arrived {
            let late = at - letter.queued_at;
            let tries = if letter.failed > 0 {
                format!(" at try {}, {} after it was written", letter.failed + 1, span(late))
            } else {
                String::new()
            };
            return format!("its report arrived as message {message} in chat {}{tries}", letter.chat);
        }
        if let Some(error) = &letter.given_up {
            return format!("its report was refused for good ({}): /inbox", short(error, 80));
        }
        let failed =
            if letter.failed > 0 { format!(" after {} tries that failed", letter.failed) } else { String::new() };
        let due = self.view.messages.iter().find(|row| row.id == id).map(|row| row.due.max(self.view.outage.until));
        match due.filter(|due| *due > self.now.boot_ms && !letter.under_way) {
            Some(due) => {
                format!("its report has not arrived{failed}; the next try is in {}", span(due - self.now.boot_ms))
            }
            None => format!("its report has not arrived{failed}; it is next to be sent"),
        }
    }
}

impl Letter {
    fn new(name: &'static str, chat: i64, queued_at: i64) -> Letter {
        Letter { name, chat, queued_at, failed: 0, under_way: false, arrived: None, given_up: None }
    }
}

/// `attempt 2 ...`
fn how(outcome: Outcome, evidence: &str) -> String {
    let what = match outcome {
        Outcome::Success => "succeeded",
        Outcome::Failure => "failed",
        Outcome::Timeout => "reached its time limit",
        Outcome::NotStarted => "could not be started",
        Outcome::Unknown => "ended, and nobody knows how",
        Outcome::Stopped => "was stopped",
        Outcome::Rejected => "was rejected",
        Outcome::Expired => "expired",
    };
    if evidence.is_empty() { what.to_owned() } else { format!("{what} ({})", short(evidence, 100)) }
}

fn then_words(then: Then) -> &'static str {
    match then {
        Then::Retry => "certainly not sent",
        Then::RetryMarked => "it may have arrived, so it is marked from now on",
        Then::Hold => "the chat has to wait",
        Then::Park => "the chat does not want us",
        Then::GiveUp => "refused for good: /inbox",
        Then::Anew => "the message to edit is gone, so it is sent anew",
    }
}
