//! Is everything well? The same facts for chat, command line and programs.

use super::{short, span};
use crate::anomaly::{Finding, Severity, Sight, stale};
use crate::config::Config;
use crate::decide::{Moment, Said};
use crate::event::Fact;
use crate::policy;
use crate::task::Outcome;
use crate::view::{Noted, OpsRow, View};
use serde_json::{Value, json};

/// The answer to `/ops`: one word, its reasons, and the numbers behind it, in at most eight lines.
pub fn ops(config: &Config, view: &View, now: Moment) -> Said {
    let empty = OpsRow::default();
    let ops = view.ops.as_ref().unwrap_or(&empty);
    let findings = Sight { config, view, ops, now }.findings();
    let status = status(&findings);
    let mut lines = vec![match reasons(&findings) {
        reasons if reasons.is_empty() => status.to_owned(),
        reasons => format!("{status}: {reasons}"),
    }];
    lines.extend(tasks(view, ops, now));
    let ended = |outcome: Outcome| ops.ended.get(outcome.name()).copied().unwrap_or(0);
    lines.push(format!(
        "last 24 h: {} succeeded, {} failed, {} timed out, {} unknown, {} adopted",
        ended(Outcome::Success),
        ended(Outcome::Failure) + ended(Outcome::NotStarted),
        ended(Outcome::Timeout),
        ended(Outcome::Unknown),
        ops.adopted
    ));
    lines.push(format!(
        "outbox: {} pending, {} uncertain, {} refused (/inbox)",
        ops.pending, ops.uncertain, ops.refused
    ));
    if config.telegram.is_some() {
        let last = view.polled_ms.map_or("none yet".to_owned(), |at| format!("{} ago", span(now.wall_ms - at)));
        let failed = view.polling.map_or(0, |polling| polling.failures);
        lines.push(format!("last poll: {last}, {failed} failed since; {} replays", ops.replays));
    }
    let free = view.free_bytes.map_or_else(|| "?".to_owned(), |b| format!("{} MiB", b >> 20));
    let backup = ops.backups.0.as_ref().map_or("none".to_owned(), |e| format!("{} ago", span(now.wall_ms - e.at)));
    lines.push(format!("disk: {free} free, database {} KiB; back-up: {backup}", ops.database_bytes >> 10));
    if let Some((epoch, version, hash, _)) = &ops.epoch {
        let hash: String = hash.chars().take(8).collect();
        lines.push(format!("daemon {version}, life {epoch}, configuration {hash}, event {}", ops.events));
    }
    Said { ok: true, text: lines.join("\n"), data: data(view, ops, &findings, now), ..Said::default() }
}

fn status(findings: &[Finding]) -> &'static str {
    let worst = |severity| findings.iter().any(|finding| finding.severity == severity);
    match (worst(Severity::Broken), worst(Severity::Degraded)) {
        (true, _) => Severity::Broken.name(),
        (false, true) => Severity::Degraded.name(),
        (false, false) => "healthy",
    }
}

/// Every sort of trouble is named; of each, some that it is about.
fn reasons(findings: &[Finding]) -> String {
    let mut words = Vec::new();
    for kind in findings.chunk_by(|a, b| a.anomaly == b.anomaly) {
        let (named, more) = kind.split_at(kind.len().min(policy::ALERT_LINES_MAX));
        words.extend(named.iter().map(|finding| finding.words.clone()));
        if !more.is_empty() {
            words.push(format!("{} more like that", more.len()));
        }
    }
    words.join("; ")
}

fn tasks(view: &View, ops: &OpsRow, now: Moment) -> Vec<String> {
    let count = |state: &str| ops.tasks.get(state).copied().unwrap_or(0);
    let mut lines = vec![format!(
        "mode {} · {} running · {} queued · {} to approve · {} to resume",
        view.mode().name(),
        count("RUNNING"),
        count("QUEUED"),
        count("REQUESTED"),
        count("APPROVED")
    )];
    let (named, more) = ops.running.split_at(ops.running.len().min(policy::RUNNING_NAMED_MAX));
    let mut ages: Vec<String> = named
        .iter()
        .filter_map(|(task, attempt)| attempt.as_ref().map(|a| (task.id, a.claimed_ms)))
        .map(|(id, since)| format!("#{id} runs for {}", span(now.wall_ms - since)))
        .collect();
    if !more.is_empty() {
        ages.push(format!("{} more run", more.len()));
    }
    if let Some(task) = &ops.oldest_queued {
        ages.push(format!("#{} is the oldest in the queue, from {} ago", task.id, span(now.wall_ms - task.created_ms)));
    }
    if !ages.is_empty() {
        lines.push(ages.join(", "));
    }
    lines
}

/// These names are an interface: add to them, don't change them.
fn data(view: &View, ops: &OpsRow, findings: &[Finding], now: Moment) -> Value {
    let running: Vec<_> = ops
        .running
        .iter()
        .map(|(t, a)| {
            let age = a.as_ref().map(|a| now.wall_ms - a.claimed_ms);
            json!({ "task_id": t.id, "kind": t.kind, "attempt": t.attempt, "age_ms": age })
        })
        .collect();
    let anomalies: Vec<_> = findings
        .iter()
        .map(|f| json!({ "name": f.anomaly, "severity": f.severity.name(), "about": f.about, "words": f.words }))
        .collect();
    let alerts: Vec<_> =
        ops.alerts.iter().map(|a| json!({ "name": a.anomaly, "about": a.about, "since_ms": a.since_ms })).collect();
    json!({
        "status": status(findings),
        "reasons": findings.iter().map(|finding| &finding.words).collect::<Vec<_>>(),
        "anomalies": anomalies,
        "alerts": alerts,
        "mode": view.mode(),
        "draining": view.draining,
        "tasks": ops.tasks,
        "running": running,
        "stale_running": stale(ops, now).map(|t| t.id).collect::<Vec<_>>(),
        "oldest_queued": ops.oldest_queued.as_ref().map(|t| t.id),
        "oldest_queued_ms": ops.oldest_queued.as_ref().map(|t| now.wall_ms - t.created_ms),
        "outbox": { "pending": ops.pending, "uncertain": ops.uncertain, "refused": ops.refused },
        "ended_24h": ops.ended,
        "adopted_24h": ops.adopted,
        "expired_waiting_24h": ops.expired_waiting,
        "poll": {
            "last_ms": view.polled_ms,
            "last_event": ops.poll.as_ref().map(|e| e.fact.kind()),
            "silent_ms": view.polling.map(|polling| polling.silent_ms),
            "failures": view.polling.map(|polling| polling.failures),
            "token_refusals": view.polling.map(|polling| polling.refusals),
        },
        "replays": ops.replays,
        "violations": ops.violations,
        "events": ops.events,
        "disk_free_bytes": view.free_bytes,
        "database_bytes": ops.database_bytes,
        "backup": backup(&ops.backups),
        "epoch": ops.epoch.as_ref().map(|e| e.0),
        "version": ops.epoch.as_ref().map(|e| e.1.clone()),
        "config_hash": ops.epoch.as_ref().map(|e| e.2.clone()),
    })
}

fn backup((made, failed): &(Option<Noted>, Option<Noted>)) -> Value {
    let mut data = json!({ "made_ms": null, "file": null, "bytes": null, "failed_ms": null, "error": null });
    if let Some((Fact::BackedUp { file, bytes, .. }, at)) = made.as_ref().map(|e| (&e.fact, e.at)) {
        (data["made_ms"], data["file"], data["bytes"]) = (json!(at), json!(file), json!(bytes));
    }
    if let Some((Fact::BackupFailed { error }, at)) = failed.as_ref().map(|e| (&e.fact, e.at)) {
        (data["failed_ms"], data["error"]) = (json!(at), json!(short(error, policy::ERROR_CHARS_MAX)));
    }
    data
}
