//! What can be wrong: one table, from which `/ops`, the status page and alerts are made. Pure.
//!
//! A judge looks at the present state, and says in words what is wrong and what to do. Whether and when somebody is told of it
//! by a message is decided in [`crate::decide::alert`]; `docs/OPERATIONS.md` has a row for each name.

use crate::command::{Became, Mode};
use crate::config::Config;
use crate::decide::Moment;
use crate::event::Fact;
use crate::policy;
use crate::report::{short, span};
use crate::view::{AttemptRow, OpsRow, TaskRow, View};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something is not as it should be, and work goes on.
    Degraded,
    /// Work does not go on, or can't be trusted.
    Broken,
}

impl Severity {
    /// As `/ops` says it.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Degraded => "degraded",
            Severity::Broken => "broken",
        }
    }
}

/// Whether a message tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// No: somebody has just done it on purpose, or nothing can be sent while it lasts.
    Never,
    /// As soon as it is seen.
    AtOnce,
    /// When it does not mend by itself: after [`policy::ALERT_HOLD_MS`].
    Lasting,
}

/// Something that can be wrong.
pub struct Anomaly {
    /// Its name, for good: alerts on record and the run book go by it.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whether a message tells of it.
    pub pushed: Pushed,
    /// What to do, as a message has it after the words.
    pub todo: &'static str,
    /// What is wrong now: which one of its kind (empty where there can be only one), and in words.
    judge: fn(&Sight<'_>) -> Vec<(String, String)>,
}

/// One thing that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub anomaly: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whether a message tells of it.
    pub pushed: Pushed,
    /// Which one of its kind; empty where there can be only one.
    pub about: String,
    /// What is wrong, and where to look.
    pub words: String,
}

impl Finding {
    /// How long it has to last before it is told of, ms; none when it never is.
    pub fn hold_ms(&self) -> Option<i64> {
        match self.pushed {
            Pushed::Never => None,
            Pushed::AtOnce => Some(0),
            Pushed::Lasting => Some(policy::ALERT_HOLD_MS),
        }
    }
}

/// What is judged.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// What the daemon knows of itself.
    pub view: &'a View,
    /// What the database knows.
    pub ops: &'a OpsRow,
    /// When.
    pub now: Moment,
}

const fn broken(
    name: &'static str,
    pushed: Pushed,
    todo: &'static str,
    judge: fn(&Sight<'_>) -> Vec<(String, String)>,
) -> Anomaly {
    Anomaly { name, severity: Severity::Broken, pushed, todo, judge }
}

const fn degraded(
    name: &'static str,
    pushed: Pushed,
    todo: &'static str,
    judge: fn(&Sight<'_>) -> Vec<(String, String)>,
) -> Anomaly {
    Anomaly { name, severity: Severity::Degraded, pushed, todo, judge }
}

/// All of them, the worst first: in this order they are told.
pub const ANOMALIES: [Anomaly; 23] = [
    broken("daemon_offline", Pushed::Never, "start it", daemon_offline),
    broken("storage_refuses", Pushed::Never, "make room or repair the disk; it goes on by itself", storage_refuses),
    broken("violation", Pushed::AtOnce, "see what happened, and report it", violation),
    broken("release_stuck", Pushed::AtOnce, "see `mainstay release status`, and ROLLBACK.md", release_stuck),
    broken("disk_low", Pushed::AtOnce, "make room, or /stop what fills it; it goes on by itself", disk_low),
    degraded("draining", Pushed::Never, "/undrain, or the next start", draining),
    degraded("starts_fail", Pushed::Lasting, "see what the machine is short of; it tries on by itself", starts_fail),
    degraded("stale_running", Pushed::AtOnce, "it is being stopped; /why names what holds it", stale_running),
    degraded("poll_broken", Pushed::Lasting, "see network, proxy and Telegram; it tries on by itself", poll_broken),
    degraded("second_poller", Pushed::Lasting, "stop the other program, or get a new token", second_poller),
    degraded("outbox_stuck", Pushed::Lasting, "see network, proxy and Telegram; it tries on by itself", outbox_stuck),
    degraded("outbox_uncertain", Pushed::Lasting, "/inbox has them; they are sent again, marked", outbox_uncertain),
    degraded("outbox_refused", Pushed::AtOnce, "/inbox has them, with the reason", outbox_refused),
    degraded("chats_parked", Pushed::Lasting, "/inbox names them: unblock the bot, or add it again", chats_parked),
    degraded("readonly", Pushed::Never, "/mode supervised", readonly),
    degraded("unknown_outcome", Pushed::AtOnce, "look what it did, then /recover it or leave it", unknown_outcome),
    degraded("expired_approvals", Pushed::AtOnce, "/rerun what is still wanted", expired_approvals),
    degraded(
        "clock_stepped",
        Pushed::AtOnce,
        "see the machine's time service; no limit goes by that clock",
        clock_stepped,
    ),
    degraded("database_large", Pushed::Lasting, "raise record.max_size, or see what fills it", database_large),
    degraded("release_failed", Pushed::AtOnce, "see `mainstay release status`, and why it failed", release_failed),
    degraded("restored", Pushed::AtOnce, "/recover what is still wanted, once you know that it has not run", restored),
    degraded("backup_failed", Pushed::AtOnce, "see room and rights where back-ups go", backup_failed),
    degraded("backup_overdue", Pushed::AtOnce, "see why none was made", backup_overdue),
];

impl Sight<'_> {
    /// All that is wrong now, the worst first.
    pub fn findings(&self) -> Vec<Finding> {
        let of = |a: &Anomaly| {
            let (anomaly, severity, pushed) = (a.name, a.severity, a.pushed);
            let found = (a.judge)(self).into_iter();
            found.map(|(about, words)| Finding { anomaly, severity, pushed, about, words }).collect::<Vec<_>>()
        };
        ANOMALIES.iter().flat_map(of).collect()
    }

    fn since(&self, wall_ms: i64) -> String {
        span(self.now.wall_ms - wall_ms)
    }

    /// What lies in the future was recorded before the clock was set back. Far in the future, nobody knows when that was.
    fn is_recent(&self, wall_ms: i64) -> bool {
        (self.now.wall_ms - wall_ms).abs() < policy::RECENT_MS
    }
}

/// A running task that should long have ended: its own limit, the whole stop ladder and the alarm have passed.
pub fn is_stale(attempt: Option<&AttemptRow>, now: Moment) -> bool {
    attempt.is_none_or(|a| a.stop_overdue || a.stale_at.is_some_and(|at| at < now.boot_ms))
}

/// The running tasks of which that is so.
pub fn stale(ops: &OpsRow, now: Moment) -> impl Iterator<Item = &TaskRow> {
    ops.running.iter().filter(move |(_, attempt)| is_stale(attempt.as_ref(), now)).map(|(task, _)| task)
}

/// The one of its kind.
fn one(words: impl Into<String>) -> Vec<(String, String)> {
    vec![(String::new(), words.into())]
}

fn when(holds: bool, words: impl FnOnce() -> String) -> Vec<(String, String)> {
    if holds { one(words()) } else { Vec::new() }
}

fn daemon_offline(s: &Sight<'_>) -> Vec<(String, String)> {
    when(s.view.offline, || "the daemon is not running: nothing is read, started or reported".to_owned())
}

fn storage_refuses(s: &Sight<'_>) -> Vec<(String, String)> {
    let why = s.view.refuses.as_ref();
    why.map_or_else(Vec::new, |why| one(format!("the daemon can't {why}: nothing new starts, and changes are refused")))
}

/// Old ones stay on record and in the numbers; the one word is about now.
fn violation(s: &Sight<'_>) -> Vec<(String, String)> {
    let recent = s.ops.violated_ms.filter(|at| s.is_recent(*at));
    recent.map_or_else(Vec::new, |at| {
        let n = s.ops.violations;
        one(format!("{n} violation(s) on record, the last {} ago (logs --kind violation)", s.since(at)))
    })
}

fn disk_low(s: &Sight<'_>) -> Vec<(String, String)> {
    let low = s.view.free_bytes.is_some_and(|free| free < policy::DISK_RESERVE_BYTES);
    when(low, || "disk almost full: nothing new starts".to_owned())
}

fn draining(s: &Sight<'_>) -> Vec<(String, String)> {
    when(s.view.draining, || "draining: nothing new starts (/undrain)".to_owned())
}

fn starts_fail(s: &Sight<'_>) -> Vec<(String, String)> {
    let shortage = s.view.shortage.as_ref();
    shortage.map_or_else(Vec::new, |error| one(format!("nothing can be started ({})", short(error, 80))))
}

fn stale_running(s: &Sight<'_>) -> Vec<(String, String)> {
    stale(s.ops, s.now)
        .map(|task| (task.id.to_string(), format!("#{} should have ended long ago (/why {})", task.id, task.id)))
        .collect()
}

/// By what polls came to, and by their silence: a connection that is only half there tells nothing.
fn poll_broken(s: &Sight<'_>) -> Vec<(String, String)> {
    if let Some((Fact::PollBroke { error }, at)) = s.ops.poll.as_ref().map(|e| (&e.fact, e.at)) {
        return one(format!("telegram can't be read since {} ({error})", s.since(at)));
    }
    let longest_ms = s.config.telegram.as_ref().map(|t| t.poll_timeout_ms + policy::POLL_SLACK_MS);
    let silent_ms = s.view.polling.map(|polling| polling.silent_ms);
    match silent_ms.zip(longest_ms) {
        Some((silent_ms, longest_ms)) if silent_ms > longest_ms => {
            one(format!("telegram can't be read since {} (no poll came to its end)", span(silent_ms)))
        }
        Some(_) | None => Vec::new(),
    }
}

fn second_poller(s: &Sight<'_>) -> Vec<(String, String)> {
    let contested = s.ops.poll.as_ref().is_some_and(|e| matches!(e.fact, Fact::PollContested { .. }));
    when(contested, || "somebody else polls with our token".to_owned())
}

fn outbox_stuck(s: &Sight<'_>) -> Vec<(String, String)> {
    if let Some((since, error)) = s.view.outage.seen() {
        return one(format!("nothing can be sent since {} ({error})", s.since(since)));
    }
    if let Some((chat, tries, error)) = &s.ops.worst {
        let error = short(error, 80);
        return one(match s.ops.failing {
            1 => format!("a message to {chat} could not be sent in {tries} tries ({error}; /inbox)"),
            n => format!("{n} messages could not be sent in {tries} tries, as to {chat} ({error}; /inbox)"),
        });
    }
    match s.ops.unsent {
        Some((chat, at)) if s.config.telegram.is_some() && s.now.wall_ms - at >= policy::MESSAGE_STUCK_MS => {
            one(format!("a message to {chat} waits since {} (/inbox)", s.since(at)))
        }
        Some(_) | None => Vec::new(),
    }
}

fn outbox_uncertain(s: &Sight<'_>) -> Vec<(String, String)> {
    when(s.ops.uncertain > 0, || format!("{} message(s) may not have arrived", s.ops.uncertain))
}

fn outbox_refused(s: &Sight<'_>) -> Vec<(String, String)> {
    when(s.ops.refused_lately > 0, || format!("{} message(s) were refused in 24 h", s.ops.refused_lately))
}

fn chats_parked(s: &Sight<'_>) -> Vec<(String, String)> {
    when(s.ops.parked_chats > 0, || format!("{} chat(s) do not want us", s.ops.parked_chats))
}

fn readonly(s: &Sight<'_>) -> Vec<(String, String)> {
    when(s.view.mode() == Mode::Readonly, || "mode readonly: nothing starts (/mode)".to_owned())
}

fn unknown_outcome(s: &Sight<'_>) -> Vec<(String, String)> {
    s.ops.unknown.iter().map(|id| (id.to_string(), format!("#{id} has an unknown outcome (/trace {id})"))).collect()
}

fn expired_approvals(s: &Sight<'_>) -> Vec<(String, String)> {
    let n = s.ops.expired_waiting;
    when(n > 0, || format!("{n} task(s) expired unapproved or not resumed in 24 h (/list 10 expired)"))
}

fn clock_stepped(s: &Sight<'_>) -> Vec<(String, String)> {
    match s.ops.clock.as_ref().map(|e| (&e.fact, e.at)) {
        Some((Fact::ClockStepped { by_ms }, at)) if s.is_recent(at) => {
            let way = if *by_ms < 0 { "back" } else { "ahead" };
            one(format!("the clock was set {} {way}, {} ago", span(by_ms.abs()), s.since(at)))
        }
        Some(_) | None => Vec::new(),
    }
}

/// By more than the removal of old events needs to catch up: what is left may not be removed.
fn database_large(s: &Sight<'_>) -> Vec<(String, String)> {
    let (holds, max) = (s.ops.database_bytes.unsigned_abs(), s.config.record.max_bytes);
    when(holds > max + max / 8, || {
        format!("the database takes {} MiB, and record.max_size is {} MiB", holds >> 20, max >> 20)
    })
}

/// The newest switch of releases, if it came to this.
fn released<'a>(s: &Sight<'a>, to: Became) -> Option<(&'a str, &'a str, &'a str, i64)> {
    let released = s.ops.released.as_ref()?;
    let Fact::Released { release, became, from, why } = &released.fact else { return None };
    (*became == to).then(|| (release.as_str(), from.as_deref().unwrap_or("another"), why.as_str(), released.at))
}

fn release_stuck(s: &Sight<'_>) -> Vec<(String, String)> {
    released(s, Became::Stuck).map_or_else(Vec::new, |(release, _, why, at)| {
        one(format!("release {release} failed {} ago, and nothing was gone back to ({})", s.since(at), short(why, 60)))
    })
}

/// By the release that failed: the next one may do so minutes later, and is something new.
fn release_failed(s: &Sight<'_>) -> Vec<(String, String)> {
    let recent = released(s, Became::WentBack).filter(|(.., at)| s.is_recent(*at));
    recent.map_or_else(Vec::new, |(release, from, why, _)| {
        vec![(from.to_owned(), format!("release {from} failed ({}): {release} runs again", short(why, 60)))]
    })
}

/// For a day: whoever asked for something meanwhile may not have been there.
fn restored(s: &Sight<'_>) -> Vec<(String, String)> {
    match s.ops.restored.as_ref().map(|e| (&e.fact, e.at)) {
        Some((Fact::Restored { through, .. }, at)) if s.is_recent(at) => {
            let ago = s.since(at);
            one(format!("a back-up was restored {ago} ago: what came after event {through} is not known any more"))
        }
        Some(_) | None => Vec::new(),
    }
}

/// The newest try failed.
fn backup_failed(s: &Sight<'_>) -> Vec<(String, String)> {
    let (made, failed) = &s.ops.backups;
    match failed.as_ref().map(|e| (&e.fact, e.at, e.seq)) {
        Some((Fact::BackupFailed { error }, at, seq)) if made.as_ref().is_none_or(|made| made.seq < seq) => {
            one(format!("the last back-up failed {} ago ({})", s.since(at), short(error, 80)))
        }
        Some(_) | None => Vec::new(),
    }
}

/// Where there was never one, none is expected.
fn backup_overdue(s: &Sight<'_>) -> Vec<(String, String)> {
    match &s.ops.backups.0 {
        Some(made) if (s.now.wall_ms - made.at).abs() > policy::BACKUP_OVERDUE_MS => {
            one(format!("the last back-up is {} old", s.since(made.at)))
        }
        Some(_) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
