//! A task's story, from the command that asked for it to the message that reported it.

use super::{short, span, utc, who};
use crate::config::Config;
use crate::decide::Said;
use crate::event::{Fact, Recorded, What};
use crate::id::Actor;
use crate::task::State;
use crate::view::TaskView;
use serde_json::json;

/// The answer to `/trace`. `complete` says whether the chain is whole so far: asked, every state by its own step, and, when
/// the task has ended, reported wherever a chat was to be told.
pub fn trace(config: &Config, task: &TaskView, events: &[Recorded]) -> Said {
    let complete = is_complete(task, events);
    let mut lines = vec![format!(
        "#{} {} {} · trace {} · {}",
        task.task.id,
        task.task.kind,
        task.task.state,
        task.task.trace,
        if complete { "complete" } else { "not complete yet" }
    )];
    let start = events.first().map_or(0, |e| e.at);
    for event in events {
        lines.push(format!("{} +{} {}", &utc(event.at)[11..], span(event.at - start), told(config, event)));
    }
    let data = json!({
        "task_id": task.task.id,
        "trace_id": task.task.trace,
        "state": task.task.state,
        "complete": complete,
        "events": events,
    });
    Said { ok: true, text: lines.join("\n"), data, ..Said::default() }
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

#[expect(clippy::wildcard_enum_match_arm, reason = "what has no sentence of its own is told by its name")]
fn told(config: &Config, event: &Recorded) -> String {
    let by = who(config, event.actor);
    match &event.fact {
        Fact::Received { command, .. } => format!("{by} said /{command}"),
        Fact::Replayed { why, .. } if why.is_empty() => "the same came again: nothing was done".into(),
        Fact::Replayed { why, .. } => format!("{by} asked for the same again: nothing was done ({})", short(why, 120)),
        Fact::Refused { why, .. } => format!("refused: {}", short(why, 120)),
        Fact::Requested { kind, .. } => format!("asked for ({kind})"),
        Fact::Approved { step, .. } => {
            format!("approved by {by}{}", if step.is_some() { "" } else { " (more are needed)" })
        }
        Fact::Rejected { reason, .. } => format!("rejected by {by}: {}", short(reason, 80)),
        Fact::Resumed { .. } => format!("resumed by {by}"),
        Fact::Claimed { .. } => format!("attempt {} claimed", event.attempt.unwrap_or_default()),
        Fact::Identified { identity, .. } => format!("attempt started (shim pid {})", identity.pid),
        Fact::StartFailed { error, .. } => format!("could not be started: {}", short(error, 80)),
        Fact::Adopted { identity } => format!("found alive after a restart (shim pid {})", identity.pid),
        Fact::StopAsked { .. } if event.actor == Actor::System => "its time limit was not kept: it is stopped".into(),
        Fact::StopAsked { .. } => format!("{by} wants it stopped"),
        Fact::Progress { line } => super::progress(line),
        Fact::Ended { outcome, evidence, retry, .. } => format!(
            "ended: {}{}{}",
            outcome.name(),
            if evidence.is_empty() { String::new() } else { format!(" ({})", short(evidence, 100)) },
            if retry.is_some() { ", to be tried again" } else { "" }
        ),
        Fact::Queued { id, what, .. } => match what {
            What::Alert(_) => format!("alert queued (message {id})"),
            What::Report(_) => format!("report queued (message {id})"),
            What::Card { .. } => format!("card to be shown (message {id})"),
            What::Text(_) | What::Document { .. } => format!("answer queued (message {id})"),
        },
        Fact::Sending { id, .. } => format!("sending message {id}"),
        Fact::Sent { id, message, .. } => format!("message {id} delivered as {message}"),
        Fact::SendFailed { id, error, .. } => format!("message {id} not delivered: {}", short(error, 80)),
        fact => fact.kind().replace('_', " "),
    }
}
