//! Is everything well? The same facts for chat, command line and programs.

use super::span;
use crate::command::Mode;
use crate::config::Config;
use crate::decide::{Moment, Said};
use crate::event::Fact;
use crate::policy;
use crate::task::Outcome;
use crate::view::{AttemptRow, OpsRow, TaskRow, View};
use serde_json::json;

/// The answer to `/ops`: one word, its reasons, and the numbers behind it, in at most eight lines.
pub fn ops(config: &Config, view: &View, now: Moment) -> Said {
    let empty = OpsRow::default();
    let ops = view.ops.as_ref().unwrap_or(&empty);
    let stale: Vec<&TaskRow> = ops.running.iter().filter(|(_, a)| is_stale(a.as_ref(), now)).map(|(t, _)| t).collect();
    let (status, reasons) = judge(view, ops, &stale, now);
    let count = |state: &str| ops.tasks.get(state).copied().unwrap_or(0);
    let ended = |outcome: Outcome| ops.ended.get(outcome.name()).copied().unwrap_or(0);

    let mut lines =
        vec![if reasons.is_empty() { status.to_owned() } else { format!("{status}: {}", reasons.join("; ")) }];
    lines.push(format!(
        "mode {} · {} running · {} queued · {} to approve · {} to resume",
        view.mode().name(),
        count("RUNNING"),
        count("QUEUED"),
        count("REQUESTED"),
        count("APPROVED")
    ));
    lines.push(format!(
        "last 24 h: {} succeeded, {} failed, {} timed out, {} unknown",
        ended(Outcome::Success),
        ended(Outcome::Failure) + ended(Outcome::NotStarted),
        ended(Outcome::Timeout),
        ended(Outcome::Unknown)
    ));
    lines.push(format!(
        "outbox: {} pending, {} uncertain, {} refused (/inbox)",
        ops.pending, ops.uncertain, ops.refused
    ));
    if config.telegram.is_some() {
        let last = view.polled_ms.map_or("none yet".to_owned(), |at| format!("{} ago", span(now.wall_ms - at)));
        lines.push(format!("last poll: {last}"));
    }
    if let Some((epoch, version, ..)) = &ops.epoch {
        let free = view.free_bytes.map_or_else(|| "?".to_owned(), |b| format!("{} MiB", b >> 20));
        lines.push(format!(
            "daemon {version}, life {epoch}, {} events, {} replays, {free} free",
            ops.events, ops.replays
        ));
    }
    let running: Vec<_> = ops
        .running
        .iter()
        .map(|(t, a)| {
            let age = a.as_ref().map(|a| now.wall_ms - a.claimed_ms);
            json!({ "task_id": t.id, "kind": t.kind, "attempt": t.attempt, "age_ms": age })
        })
        .collect();
    let data = json!({
        "status": status,
        "reasons": reasons,
        "mode": view.mode(),
        "draining": view.draining,
        "tasks": ops.tasks,
        "running": running,
        "stale_running": stale.iter().map(|t| t.id).collect::<Vec<_>>(),
        "oldest_queued": ops.oldest_queued.as_ref().map(|t| t.id),
        "outbox": { "pending": ops.pending, "uncertain": ops.uncertain, "refused": ops.refused },
        "ended_24h": ops.ended,
        "poll": { "last_ms": view.polled_ms, "last_event": ops.poll.as_ref().map(|e| e.fact.kind()) },
        "replays": ops.replays,
        "violations": ops.violations,
        "events": ops.events,
        "disk_free_bytes": view.free_bytes,
        "epoch": ops.epoch.as_ref().map(|e| e.0),
        "version": ops.epoch.as_ref().map(|e| e.1.clone()),
        "config_hash": ops.epoch.as_ref().map(|e| e.2.clone()),
    });
    Said { ok: true, text: lines.join("\n"), data, ..Said::default() }
}

/// A running task that should long have ended: its own limit, the whole stop ladder and the alarm have passed.
fn is_stale(attempt: Option<&AttemptRow>, now: Moment) -> bool {
    attempt.is_none_or(|a| a.stop_overdue || a.stale_at.is_some_and(|at| at < now.boot_ms))
}

fn judge(view: &View, ops: &OpsRow, stale: &[&TaskRow], now: Moment) -> (&'static str, Vec<String>) {
    let mut broken = Vec::new();
    let mut degraded = Vec::new();
    if view.offline {
        broken.push("the daemon is not running: nothing is read, started or reported".to_owned());
    }
    if let Some(why) = &view.refuses {
        broken.push(format!("the daemon can't {why}: nothing new starts, and changes are refused"));
    }
    // Old ones stay on record and in the numbers; the one word is about now.
    if let Some(ago) = ops.violated_ms.map(|at| now.wall_ms - at).filter(|ago| *ago < policy::RECENT_MS) {
        let n = ops.violations;
        broken.push(format!("{n} violation(s) on record, the last {} ago (logs --kind violation)", span(ago)));
    }
    if view.free_bytes.is_some_and(|free| free < policy::DISK_RESERVE_BYTES) {
        broken.push("disk almost full: nothing new starts".to_owned());
    }
    if view.draining {
        degraded.push("draining: nothing new starts (/undrain)".to_owned());
    }
    if let Some(error) = &view.shortage {
        degraded.push(format!("nothing can be started ({})", super::short(error, 80)));
    }
    for task in stale {
        degraded.push(format!("#{} should have ended long ago (/why {})", task.id, task.id));
    }
    match ops.poll.as_ref().map(|e| (&e.fact, e.at)) {
        Some((Fact::PollBroke { error }, at)) => {
            degraded.push(format!("telegram can't be read since {} ({error})", span(now.wall_ms - at)));
        }
        Some((Fact::PollContested { .. }, _)) => degraded.push("somebody else polls with our token".to_owned()),
        _ => {}
    }
    if let Some((since, error)) = view.outage.seen() {
        degraded.push(format!("nothing can be sent since {} ({error})", span(now.wall_ms - since)));
    } else if let Some((chat, tries, error)) = &ops.worst {
        let error = super::short(error, 80);
        degraded.push(match ops.failing {
            1 => format!("a message to {chat} could not be sent in {tries} tries ({error}; /inbox)"),
            n => format!("{n} messages could not be sent in {tries} tries, as to {chat} ({error}; /inbox)"),
        });
    }
    if ops.uncertain > 0 {
        degraded.push(format!("{} message(s) may not have arrived", ops.uncertain));
    }
    if ops.refused_lately > 0 {
        degraded.push(format!("{} message(s) were refused in 24 h", ops.refused_lately));
    }
    if ops.parked_chats > 0 {
        degraded.push(format!("{} chat(s) do not want us", ops.parked_chats));
    }
    if view.mode() == Mode::Readonly {
        degraded.push("mode readonly: nothing starts".to_owned());
    }
    let unknown = ops.ended.get(Outcome::Unknown.name()).copied().unwrap_or(0);
    if unknown > 0 {
        degraded.push(format!("{unknown} task(s) with unknown outcome in 24 h (/list 10 failed)"));
    }
    let status = match (broken.is_empty(), degraded.is_empty()) {
        (false, _) => "broken",
        (true, false) => "degraded",
        (true, true) => "healthy",
    };
    broken.extend(degraded);
    (status, broken)
}
