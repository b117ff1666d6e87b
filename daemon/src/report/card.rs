//! One task in a chat: its card, its final report, and the answers about it.

use super::{Text, short, span, who};
use crate::attempt::Identity;
use crate::command::Mode;
use crate::config::Config;
use crate::decide::gate::{Gate, content_hash, gates, valid_approvals};
use crate::decide::{Moment, Said};
use crate::id::{Actor, AttemptKey};
use crate::input::ReplyTo;
use crate::ports::Outgoing;
use crate::task::{Outcome, State};
use crate::view::{AttemptRow, TaskView};
use serde_json::json;

/// The label of a button.
fn label(action: &str) -> &'static str {
    match action {
        "approve" => "✅ Approve",
        "reject" => "❌ Reject",
        "resume" => "▶ Resume",
        "stop" => "⏹ Stop",
        "recover" => "↩ Recover",
        "log" => "📄 Log",
        "why" => "❓ Why",
        _ => "…",
    }
}

/// The task's card. Its text depends on the record alone, so showing it twice shows the same.
pub fn card(config: &Config, mode: Mode, task: &TaskView, buttons: &[(String, String)], now: Moment) -> Outgoing {
    let text = body(config, mode, task, now, Length::Card);
    let row: Vec<_> = buttons.iter().map(|(action, nonce)| (label(action).to_owned(), nonce.clone())).collect();
    Outgoing {
        chat: task.task.chat.unwrap_or_default(),
        thread: task.task.thread,
        reply_to: task.task.message,
        text: text.text,
        pre: text.pre,
        buttons: if row.is_empty() { Vec::new() } else { vec![row] },
        // Loud only where somebody is needed.
        silent: !matches!(task.task.state, State::Requested | State::Approved),
    }
}

/// How much of what people wrote is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    /// So much that a card stays a card.
    Card,
    /// All of it: nobody can judge what they can't read.
    Whole,
}

fn body(config: &Config, mode: Mode, task: &TaskView, now: Moment, length: Length) -> Text {
    let row = &task.task;
    let mut text = Text::default();
    let mut cut = false;
    let mut shown = |said: &str| match length {
        Length::Whole => said.to_owned(),
        Length::Card => {
            let line = short(said, usize::MAX);
            let shown = short(&line, 200);
            cut |= shown != line;
            shown
        }
    };
    text.line(&format!("#{} {} · {}", row.id, row.kind, headline(task)));
    text.foreign(&shown(&row.prompt));
    let like = row.rerun_of.map_or_else(String::new, |id| format!(", as #{id} again"));
    let again = row.recovered_by.map_or_else(String::new, |by| format!(", again by {}", who(config, by)));
    text.line(&format!("asked by {}{like}{again}", who(config, row.requester)));
    if let Some(plan) = &row.plan {
        text.foreign(&shown(plan));
    }
    if cut {
        text.line(&format!("cut short here: /status {} shows all of it", row.id));
    }
    let pressed = pressed(config, task, now);
    if !pressed.is_empty() {
        text.line(&pressed.join(" · "));
    }
    match row.state {
        State::Requested | State::Approved => text.line(&next_step(config, mode, task, now)),
        State::Running => {
            if let Some(line) = task.attempt.as_ref().and_then(|a| a.progress.as_ref()) {
                text.foreign(&progress(line));
            }
        }
        State::Failed | State::Canceled => text.foreign(&detail(task)),
        State::Queued | State::Succeeded | State::Expired => {}
    }
    text
}

/// Who decided what about the task since it was asked for (again).
fn pressed(config: &Config, task: &TaskView, now: Moment) -> Vec<String> {
    let row = &task.task;
    let mut pressed = Vec::new();
    let names = approvers(config, task, now);
    if !names.is_empty() {
        pressed.push(format!("approved by {}", names.join(", ")));
    }
    pressed.extend(row.resumed_by.map(|by| format!("resumed by {}", who(config, by))));
    pressed.extend(ended_by(config, task));
    pressed
}

/// Who ended the task, or wanted it to end. The system only wants limits kept: what it ended says why itself.
fn ended_by(config: &Config, task: &TaskView) -> Option<String> {
    let row = &task.task;
    let stop = task.latest_attempt().filter(|a| a.is_to_be_stopped()).and_then(|a| a.stop_by);
    let (did, by) = match (row.ended_by.filter(|by| *by != Actor::System), stop, row.state) {
        (Some(by), _, _) if row.outcome == Some(Outcome::Rejected) => ("rejected", by),
        (Some(by), _, _) | (None, Some(by), State::Canceled) => ("stopped", by),
        (None, Some(by), State::Running | State::Succeeded | State::Failed) => ("stop asked", by),
        (None, Some(_), State::Requested | State::Approved | State::Queued | State::Expired) | (None, None, _) => {
            return None;
        }
    };
    Some(format!("{did} by {}", who(config, by)))
}

/// Whose approvals count: while the task waits, those of what would run now; afterwards, those that let it run.
fn approvers(config: &Config, task: &TaskView, now: Moment) -> Vec<String> {
    let kind = config.kinds.get(&task.task.kind);
    match (kind, task.task.state) {
        (Some(kind), State::Requested | State::Approved | State::Queued) => {
            let hash = content_hash(config, &task.task);
            valid_approvals(config, kind, task, &hash, now).iter().map(|a| who(config, a.approver)).collect()
        }
        (_, _) => {
            // What needs nobody's approval is let through by the policy: that is no news.
            let given = task.approvals.iter().filter(|a| !a.hash.is_empty() && a.approver != Actor::Policy);
            given.map(|a| who(config, a.approver)).collect()
        }
    }
}

/// A line of progress for people: `{"step": "linking", "percent": 40}` reads "linking (40 %)", anything else as it is.
pub fn progress(line: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let step = json["step"].as_str().map_or_else(|| line.to_owned(), str::to_owned);
    match json["percent"].as_f64() {
        Some(percent) if json["step"].is_string() => format!("{} ({percent:.0} %)", short(&step, 180)),
        Some(_) | None => short(&step, 200),
    }
}

fn headline(task: &TaskView) -> String {
    let row = &task.task;
    let attempt = task.attempt.as_ref();
    match row.state {
        State::Running if attempt.is_some_and(|a| a.stop_overdue) => {
            "RUNNING, could not be stopped: something is still alive".into()
        }
        State::Running if attempt.is_some_and(AttemptRow::is_to_be_stopped) => "RUNNING, stopping".into(),
        State::Running if attempt.is_some_and(|a| a.stop_by.is_some()) => {
            "RUNNING, past its time limit: stopping".into()
        }
        State::Running if attempt.is_some_and(|a| a.identity.is_none()) => "RUNNING, starting".into(),
        State::Running if row.attempt > 1 => format!("RUNNING (attempt {})", row.attempt),
        State::Queued if row.attempt > row.attempt_base => format!("QUEUED for another try ({})", row.evidence),
        State::Failed => format!("FAILED ({})", how(task)),
        State::Requested
        | State::Succeeded
        | State::Approved
        | State::Queued
        | State::Running
        | State::Canceled
        | State::Expired => row.state.to_string(),
    }
}

/// What is known of an end beyond its headline.
fn detail(task: &TaskView) -> String {
    if task.task.evidence == how(task) { String::new() } else { short(&task.task.evidence, 300) }
}

fn how(task: &TaskView) -> String {
    let row = &task.task;
    match (row.outcome, row.exit_code, row.signal) {
        (Some(Outcome::Unknown), _, _) => "outcome unknown".into(),
        (Some(Outcome::Timeout), _, _) => "timed out".into(),
        (Some(Outcome::NotStarted), _, _) => "could not be started".into(),
        (_, Some(code), _) => format!("exit code {code}"),
        (_, _, Some(signal)) => format!("signal {signal}"),
        (outcome, None, None) => outcome.map_or("no outcome", Outcome::name).into(),
    }
}

/// What is needed next, and from whom.
pub fn next_step(config: &Config, mode: Mode, task: &TaskView, now: Moment) -> String {
    let id = task.task.id;
    let gates = gates(config, mode, task, now);
    match (task.task.state, gates.first()) {
        (State::Requested | State::Approved, Some(gate)) => format!("waits for {}", gate.text(&task.task)),
        (State::Requested, None) => format!("waits for approval: /approve {id}"),
        (State::Approved, None) => format!("ready: /resume {id} lets it run"),
        (State::Queued, _) => "runs when there is a slot".into(),
        (State::Running, _) => format!("running: /stop {id} stops it"),
        (State::Succeeded, _) => "done".into(),
        (State::Failed | State::Canceled | State::Expired, _) => format!("/recover {id} asks for it again"),
    }
}

/// The final report: a message of its own, aloud.
pub fn final_report(config: &Config, task: &TaskView) -> Outgoing {
    let row = &task.task;
    let mut text = Text::default();
    let mark = match row.state {
        State::Succeeded => "✅",
        State::Failed => "🔴",
        State::Canceled | State::Expired => "⚪",
        State::Requested | State::Approved | State::Queued | State::Running => "…",
    };
    let ran =
        task.latest_attempt().and_then(|a| a.ran_ms).map_or_else(String::new, |ms| format!(" after {}", span(ms)));
    text.line(&format!("{mark} #{} {} {}{ran}", row.id, row.kind, headline(task)));
    match ended_by(config, task) {
        Some(ended) if row.state == State::Canceled => text.line(&ended),
        Some(asked) => text.line(&format!("{asked}, but it had already finished")),
        None => {}
    }
    text.foreign(&short(&row.prompt, 100));
    text.foreign(&detail(task));
    if row.outcome == Some(Outcome::Unknown) {
        text.line(&format!(
            "It may have done all, some or nothing. Look, then /recover {} if it is to run again.",
            row.id
        ));
    } else if row.state != State::Succeeded {
        text.line(&format!("/why {0} · /log {0} · /recover {0}", row.id));
    }
    Outgoing {
        chat: row.chat.unwrap_or_default(),
        thread: row.thread,
        reply_to: row.message,
        text: text.text,
        pre: text.pre,
        buttons: Vec::new(),
        silent: false,
    }
}

/// The answer to `/status`: what was asked for, in full.
pub fn status(config: &Config, mode: Mode, task: &TaskView, now: Moment) -> Text {
    let mut text = body(config, mode, task, now, Length::Whole);
    let row = &task.task;
    let age = now.wall_ms - row.created_ms;
    text.line(&format!("asked {} ago, attempt {}, trace {}", span(age), row.attempt, row.trace));
    text
}

/// The answer to `/why`: for a task that isn't finished, what it waits for and until when; else how it ended.
pub fn why(config: &Config, mode: Mode, task: &TaskView, now: Moment, full: bool) -> String {
    let row = &task.task;
    let left = span(row.until - now.boot_ms);
    let attempt = task.attempt.as_ref();
    let waits = |gates: &[Gate]| gates.iter().map(|g| format!("\n- {}", g.text(row))).collect::<String>();
    let gates = gates(config, mode, task, now);
    let id = row.id;
    match row.state {
        State::Requested if gates.is_empty() => {
            format!("#{id} is REQUESTED. It expires in {left}. It {}", next_step(config, mode, task, now))
        }
        State::Requested => format!("#{id} is REQUESTED. It expires in {left}. It waits for:{}", waits(&gates)),
        State::Approved if gates.is_empty() => {
            format!("#{id} is APPROVED and waits for /resume {id}. It expires in {left}.")
        }
        State::Approved => {
            format!("#{id} is APPROVED. It expires in {left}. Before /resume it waits for:{}", waits(&gates))
        }
        State::Queued if row.not_before > now.boot_ms => format!(
            "#{id} is QUEUED for another try in {} (last: {}). It expires in {left}.",
            span(row.not_before - now.boot_ms),
            short(&row.evidence, 200)
        ),
        State::Queued if !gates.is_empty() => {
            format!("#{id} is QUEUED. It expires in {left}. It waits for:{}", waits(&gates))
        }
        State::Queued => {
            let kind = config.kinds.get(&row.kind);
            let group = kind.map_or_else(String::new, |k| format!("group {} runs {} at once", k.group, k.concurrency));
            let what = if full { "every slot is taken".to_owned() } else { format!("a slot ({group})") };
            format!("#{id} is QUEUED and waits for {what}. It expires in {left}.")
        }
        State::Running => running(attempt, row, now, id.0),
        State::Succeeded => format!("#{id} SUCCEEDED."),
        State::Failed | State::Canceled | State::Expired => {
            let detail = match detail(task) {
                detail if detail.is_empty() => detail,
                detail => format!(": {detail}"),
            };
            format!("#{id} is {} ({}){detail}. /recover {id} asks for it again.", row.state, how(task))
        }
    }
}

fn running(attempt: Option<&AttemptRow>, row: &crate::view::TaskRow, now: Moment, id: i64) -> String {
    let Some(attempt) = attempt else {
        return format!("#{id} is RUNNING without an attempt on record: that must not be.");
    };
    let since = span(now.wall_ms - attempt.claimed_ms);
    match (&attempt.stop_by, &attempt.identity, attempt.start_due) {
        (Some(Actor::System), Some(shim), _) if !attempt.stop_overdue => format!(
            "#{id} is past its time limit, and its shim (pid {}) has not written how it ended. It is being stopped.",
            shim.pid
        ),
        (Some(_), Some(Identity { pid: shim, .. }), _) if attempt.stop_overdue => format!(
            "#{id} was to be stopped, and did not end in time. What is alive of it is being killed, and its slot stays taken \
             until its shim (pid {shim}) has written how it ended. `pstree -p {shim}` shows what is left, \
             attempts/{}/shim.log what the shim lacks. `kill -9 {shim}` gives up knowing the outcome.",
            attempt.key
        ),
        (Some(_), _, _) => format!("#{id} is being stopped: it is CANCELED when nothing of it is alive."),
        (None, None, Some(due)) => format!(
            "#{id} could not be started ({} tries); the next try is in {}.",
            attempt.start_tries + 1,
            span(due - now.boot_ms)
        ),
        (None, None, None) => format!("#{id} is being started (attempt {}).", row.attempt),
        (None, Some(identity), _) => {
            format!("#{id} has been running for {since} (attempt {}, shim pid {}).", row.attempt, identity.pid)
        }
    }
}

/// The answer to `/log`.
pub fn log(key: AttemptKey, result: &Result<String, String>, to: ReplyTo) -> Said {
    match result {
        Err(error) => Said::no(format!("the output of {key} can't be read: {error}")),
        Ok(output) if output.is_empty() => {
            // Not "has written nothing": of what runs now, output may be lost that its shim had no room to tell of.
            Said::yes(format!("no output of #{} is on disk", key.task), json!({ "log": "" }))
        }
        Ok(output) => {
            let mut text = Text::default();
            match to {
                ReplyTo::Chat { .. } => {
                    text.line(&format!("output of #{} (attempt {})", key.task, key.attempt));
                    text.foreign(output);
                }
                ReplyTo::Local { .. } => text.line(output),
            }
            let file = format!("task-{}-attempt-{}.txt", key.task, key.attempt);
            Said { ok: true, text: text.text, pre: text.pre, file, data: json!({ "log": output }), ..Said::default() }
        }
    }
}
