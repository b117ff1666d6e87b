//! What the machine says of an attempt, against what the record says: starting, adopting, ending.

use super::{Draft, gate};
use crate::attempt::{End, EndCause, Identity, LogDigest, Observation, Receipt};
use crate::event::{Class, Fact, Retry, What};
use crate::id::{Actor, AttemptKey};
use crate::plan::{self, Effect};
use crate::policy;
use crate::ports::{Noticed, Spec, StartFailed};
use crate::report;
use crate::task::{Cause, Outcome, State, Step, step};
use crate::view::{AttemptRow, TaskView};

/// The spec by which an attempt is started. None when its kind is no longer configured.
pub fn spec(draft: &Draft<'_>, task: &TaskView, attempt: &AttemptRow) -> Option<Box<Spec>> {
    let kind = draft.config.kinds.get(&task.task.kind)?;
    let positive = |ms: i64| u64::try_from(ms).unwrap_or(0);
    Some(Box::new(Spec {
        key: attempt.key,
        nonce: attempt.nonce.clone(),
        trace: task.task.trace.clone(),
        argv: kind.argv.clone(),
        cwd: kind.cwd.clone(),
        env: kind.env.clone(),
        prompt: task.task.prompt.clone(),
        timeout_ms: positive(kind.timeout_ms),
        stop_grace_ms: positive(kind.stop_grace_ms),
        max_log_bytes: kind.max_log_bytes,
        nice: kind.nice,
        memory_max: kind.memory_max,
        cpu_percent: kind.cpu_percent,
    }))
}

/// The task's attempt of this key, if it is the one that the record says is running.
fn running<'v>(draft: &Draft<'v>, key: AttemptKey) -> Option<(&'v TaskView, &'v AttemptRow)> {
    let task = draft.view.task.as_ref()?;
    let attempt = task.attempt.as_ref()?;
    (task.task.state == State::Running && attempt.key == key).then_some((task, attempt))
}

/// The table of 'what the record says' x 'what the machine says', after a restart and whenever an attempt's folder turns
/// up unexpectedly.
pub fn found(draft: &mut Draft<'_>, key: AttemptKey, observation: &Observation) {
    let Some((task, attempt)) = running(draft, key) else { return found_ended(draft, key, observation) };
    match (observation, &attempt.identity) {
        // After a back-up was restored, numbers are given again whose folders are there still.
        (Observation::Ended(receipt), None) if receipt.nonce != attempt.nonce => {
            let why = format!("a folder of attempt {key} is there already, of another task (was a back-up restored?)");
            end_unstarted(draft, task, attempt, &why);
        }
        (Observation::Ended(receipt), Some(_)) if receipt.nonce != attempt.nonce => {
            let evidence = "the folder holds the receipt of another attempt of the same number".to_owned();
            draft.effect(Effect::Destroy { key, nonce: attempt.nonce.clone(), evidence });
        }
        (Observation::Ended(receipt), _) => ended(draft, task, attempt, receipt),
        (Observation::Alive(identity), _) => adopt(draft, task, attempt, identity),
        // No identity on record: nobody ever said go. A back-up that was restored says nothing of what was said since.
        (Observation::Absent, None) | (Observation::NotStarted, _) if !attempt.restored => {
            never_started(draft, task, attempt, observation);
        }
        (Observation::Absent | Observation::NotStarted | Observation::Vanished(_), _) => {
            let evidence = plan::evidence(observation);
            draft.effect(Effect::Destroy { key, nonce: attempt.nonce.clone(), evidence });
        }
    }
}

/// A folder of an attempt that the record does not have as running.
fn found_ended(draft: &mut Draft<'_>, key: AttemptKey, observation: &Observation) {
    match observation {
        Observation::Alive(identity) => {
            let task = draft.view.task.as_ref();
            let state = task.map_or_else(|| "unknown".to_owned(), |t| t.task.state.to_string());
            let what =
                format!("attempt {key} is alive (pid {}) but its task is {state}: it is being killed", identity.pid);
            draft.record(task, Some(key.attempt), Actor::System, Fact::Violation { what });
            draft.effect(Effect::Stop { key, identity: identity.clone() });
            draft.effect(Effect::Kill { key, identity: identity.clone(), waited_ms: 0 });
            draft.effect(Effect::Watch { key, identity: identity.clone() });
        }
        Observation::NotStarted | Observation::Ended(_) | Observation::Vanished(_) => {
            draft.effect(Effect::Archive(key))
        }
        Observation::Absent => {}
    }
}

fn adopt(draft: &mut Draft<'_>, task: &TaskView, attempt: &AttemptRow, identity: &Identity) {
    let key = attempt.key;
    if attempt.identity.is_some() {
        draft.record(Some(task), Some(key.attempt), Actor::System, Fact::Adopted { identity: identity.clone() });
    }
    // Without an identity on record the shim waits for a "go" that will not come, and leaves: the watch tells when.
    if attempt.stop_overdue {
        let waited_ms = stop_grace_ms(draft, task);
        draft.effect(Effect::Kill { key, identity: identity.clone(), waited_ms });
    } else if attempt.stop_by.is_some() {
        draft.effect(Effect::Stop { key, identity: identity.clone() });
    }
    draft.effect(Effect::Watch { key, identity: identity.clone() });
}

/// Boot clock, ms: when nothing of the task may be alive any more, if it is asked to stop now.
pub fn stop_alarm(draft: &Draft<'_>, task: &TaskView) -> i64 {
    draft.now.boot_ms.saturating_add(stop_grace_ms(draft, task)).saturating_add(policy::KILL_ALARM_MS)
}

/// Between SIGTERM and SIGKILL by the present configuration; what runs may have been started with another.
pub fn stop_grace_ms(draft: &Draft<'_>, task: &TaskView) -> i64 {
    draft.config.kinds.get(&task.task.kind).map_or(policy::STOP_GRACE_MS, |k| k.stop_grace_ms)
}

fn never_started(draft: &mut Draft<'_>, task: &TaskView, attempt: &AttemptRow, observation: &Observation) {
    if attempt.stop_by.is_some() {
        return stopped_before_start(draft, task, attempt);
    }
    // A start that was put off keeps waiting for its time.
    if attempt.start_due.is_some_and(|due| due > draft.now.boot_ms) && *observation == Observation::Absent {
        return;
    }
    let found = plan::evidence(observation);
    if attempt.start_tries > 0 {
        // Not at once: what kept it from running the last time may take a while to go away.
        let until = draft.now.boot_ms + policy::START_RETRY_MS;
        let fact = Fact::StartFailed { error: found, until };
        return draft.record(Some(task), Some(attempt.key.attempt), Actor::System, fact);
    }
    begin_again(draft, task, attempt, found);
}

/// A start whose time has come again (see [`Fact::StartFailed`]).
pub fn start_again(draft: &mut Draft<'_>, task: &TaskView, attempt: &AttemptRow) {
    if attempt.stop_by.is_some() {
        return stopped_before_start(draft, task, attempt);
    }
    begin_again(draft, task, attempt, plan::evidence(&Observation::NotStarted));
}

fn begin_again(draft: &mut Draft<'_>, task: &TaskView, attempt: &AttemptRow, found: String) {
    let Some(spec) = spec(draft, task, attempt) else {
        return end_unstarted(draft, task, attempt, "its kind is no longer configured");
    };
    if attempt.start_tries >= policy::START_TRIES_MAX {
        let why = format!("it was started {} times and never ran; the last time {found}", attempt.start_tries + 1);
        return end_unstarted(draft, task, attempt, &why);
    }
    draft.record(Some(task), Some(attempt.key.attempt), Actor::System, Fact::StartAgain { found });
    draft.effect(Effect::ClearAndStart(spec));
}

/// A shim was to be started.
pub fn started(draft: &mut Draft<'_>, key: AttemptKey, result: &Result<Identity, StartFailed>) {
    let Some((task, attempt)) = running(draft, key) else { return };
    match result {
        // Stopped between claim and go: the ready shim is told to leave.
        Ok(identity) if attempt.stop_by.is_some() => {
            draft.effect(Effect::Stop { key, identity: identity.clone() });
            draft.effect(Effect::Watch { key, identity: identity.clone() });
        }
        Ok(identity) => {
            let kind = draft.config.kinds.get(&task.task.kind);
            let limits =
                kind.map(|k| k.timeout_ms.saturating_add(k.stop_grace_ms).saturating_add(policy::KILL_ALARM_MS));
            let until = limits.map(|limits| draft.now.boot_ms.saturating_add(limits));
            let fact = Fact::Identified { identity: identity.clone(), until };
            draft.record(Some(task), Some(key.attempt), Actor::System, fact);
            draft.effect(Effect::Go { key, identity: identity.clone() });
            draft.show_card(task, false);
        }
        Err(StartFailed::Exists) => draft.effect(Effect::Observe { key, identity: attempt.identity.clone() }),
        Err(StartFailed::Transient(_)) if attempt.stop_by.is_some() => stopped_before_start(draft, task, attempt),
        Err(StartFailed::Transient(error)) if attempt.start_tries + 1 >= policy::START_TRIES_MAX => {
            end_unstarted(draft, task, attempt, error);
        }
        Err(StartFailed::Transient(error)) => {
            let until = draft.now.boot_ms + policy::START_RETRY_MS;
            let fact = Fact::StartFailed { error: error.clone(), until };
            draft.record(Some(task), Some(key.attempt), Actor::System, fact);
        }
    }
}

/// Something happened to a watched attempt.
pub fn noticed(draft: &mut Draft<'_>, key: AttemptKey, noticed: &Noticed) {
    match noticed {
        Noticed::Ended(observation) => found(draft, key, observation),
        Noticed::Progress(line) => {
            let Some((task, attempt)) = running(draft, key) else { return };
            // Only now: what was cut before secrets were taken out could hold half of one.
            let line = &line[..line.floor_char_boundary(policy::PROGRESS_BYTES_MAX)];
            if attempt.progress.as_deref() != Some(line) {
                draft.record(Some(task), Some(key.attempt), Actor::System, Fact::Progress { line: line.to_owned() });
                draft.show_card(task, false);
            }
        }
    }
}

/// The shim is gone without a receipt, and now nothing of the attempt is alive: nobody can know how far it came.
pub fn destroyed(draft: &mut Draft<'_>, key: AttemptKey, killed: u32, evidence: &str) {
    let Some((task, attempt)) = running(draft, key) else { return draft.effect(Effect::Archive(key)) };
    let evidence = match killed {
        0 => evidence.to_owned(),
        n => format!("{evidence}; {n} of its processes were still alive and were killed"),
    };
    let idempotent = draft.config.kinds.get(&task.task.kind).is_some_and(|k| k.idempotent);
    let (cause, outcome) = if attempt.is_to_be_stopped() {
        // It was to be stopped and nothing of it is alive: that much is known.
        (Cause::Stopped, Outcome::Stopped)
    } else if idempotent && has_budget(draft, task) {
        (Cause::UnknownWillRetry, Outcome::Unknown)
    } else {
        (Cause::UnknownForGood, Outcome::Unknown)
    };
    close(draft, task, attempt, cause, Closing { outcome, receipt: None, evidence, stop_lost: false });
}

fn has_budget(draft: &Draft<'_>, task: &TaskView) -> bool {
    // After a restored back-up nobody knows how much of it was used.
    if task.attempt.as_ref().is_some_and(|attempt| attempt.restored) {
        return false;
    }
    let used = task.task.attempt.saturating_sub(task.task.attempt_base);
    draft.config.kinds.get(&task.task.kind).is_some_and(|k| used < k.max_attempts)
}

/// A receipt: the truth about an attempt, however late it is read.
fn ended(draft: &mut Draft<'_>, task: &TaskView, attempt: &AttemptRow, receipt: &Receipt) {
    let stop_asked = attempt.is_to_be_stopped();
    let by_itself = receipt.cause == EndCause::Itself;
    let closing = |outcome, evidence: String| Closing {
        outcome,
        receipt: Some(receipt.clone()),
        evidence,
        stop_lost: stop_asked && by_itself,
    };
    let (cause, closing) = match (&receipt.end, receipt.cause) {
        (End::NotStarted(why), _) => (Cause::FailedForGood, closing(Outcome::NotStarted, why.clone())),
        (_, EndCause::Stopped | EndCause::TimedOut) if stop_asked => {
            (Cause::Stopped, closing(Outcome::Stopped, String::new()))
        }
        (End::Exited(0), EndCause::Itself) => (Cause::ExitedZero, closing(Outcome::Success, String::new())),
        (end, EndCause::Itself) => {
            let again = !stop_asked && is_transient(draft, task, end) && has_budget(draft, task);
            let cause = if again { Cause::WillRetry } else { Cause::FailedForGood };
            (cause, closing(Outcome::Failure, describe(end)))
        }
        (_, EndCause::TimedOut) => {
            let again = has_budget(draft, task);
            let cause = if again { Cause::WillRetry } else { Cause::FailedForGood };
            (cause, closing(Outcome::Timeout, "its time was up".into()))
        }
        (_, EndCause::Stopped) => {
            let again = has_budget(draft, task);
            let cause = if again { Cause::WillRetry } else { Cause::FailedForGood };
            (
                cause,
                closing(Outcome::Failure, "it was stopped from outside mainstay (a shutdown of the machine?)".into()),
            )
        }
    };
    close(draft, task, attempt, cause, closing);
}

fn is_transient(draft: &Draft<'_>, task: &TaskView, end: &End) -> bool {
    let Some(kind) = draft.config.kinds.get(&task.task.kind) else { return false };
    match end {
        _ if kind.transient_exit_codes.is_empty() => true,
        End::Exited(code) => kind.transient_exit_codes.contains(code),
        End::Signaled(_) | End::NotStarted(_) => false,
    }
}

fn describe(end: &End) -> String {
    match end {
        End::Exited(code) => format!("exit code {code}"),
        End::Signaled(signal) => format!("killed by signal {signal}"),
        End::NotStarted(why) => why.clone(),
    }
}

struct Closing {
    outcome: Outcome,
    receipt: Option<Receipt>,
    evidence: String,
    stop_lost: bool,
}

/// Puts an attempt's end on record, with what the task comes to by it, and tells whoever asked for it.
fn close(draft: &mut Draft<'_>, task: &TaskView, attempt: &AttemptRow, cause: Cause, mut closing: Closing) {
    if attempt.restored && matches!(cause, Cause::FailedForGood | Cause::UnknownForGood) {
        closing.evidence += "; a back-up was restored: it may have run again since";
    }
    let Ok(moved) = step(task.task.state, cause) else {
        let what =
            format!("attempt {} ended but {} can't follow {}", attempt.key, task.task.state, closing.outcome.name());
        return draft.record(Some(task), Some(attempt.key.attempt), Actor::System, Fact::Violation { what });
    };
    let retry = (moved.to() == State::Queued).then(|| {
        let kind = draft.config.kinds.get(&task.task.kind);
        let (base, ttl) =
            kind.map_or((policy::TASK_RETRY_BASE_MS, policy::QUEUE_TTL_MS), |k| (k.backoff_ms, k.queue_ttl_ms));
        let tries = task.task.attempt.saturating_sub(task.task.attempt_base).saturating_sub(1);
        let pause = policy::backoff_ms(base, policy::TASK_RETRY_CAP_MS.max(base), tries, draft.draw());
        let at = draft.now.boot_ms + pause;
        Retry { at, until: at + ttl }
    });
    let logs = |r: &Receipt| -> Vec<LogDigest> {
        // Nothing written is the common case and needs no digest.
        if r.stdout.bytes + r.stderr.bytes == 0 { Vec::new() } else { vec![r.stdout.clone(), r.stderr.clone()] }
    };
    let receipt = closing.receipt.as_ref();
    let fact = Fact::Ended {
        end: receipt.map(|r| r.end.clone()),
        cause: receipt.map(|r| r.cause),
        outcome: closing.outcome,
        ran_ms: receipt.map(|r| r.ran_ms),
        strays: receipt.map_or(0, |r| r.strays),
        logs: receipt.map(logs).unwrap_or_default(),
        evidence: closing.evidence.clone(),
        stop_lost: closing.stop_lost,
        retry,
        step: moved,
    };
    draft.record(Some(task), Some(attempt.key.attempt), Actor::System, fact);
    draft.effect(Effect::Archive(attempt.key));
    let mut after = task.clone();
    (after.task.exit_code, after.task.signal) = match receipt.map(|r| &r.end) {
        Some(End::Exited(code)) => (Some(*code), None),
        Some(End::Signaled(signal)) => (None, Some(*signal)),
        Some(End::NotStarted(_)) | None => (None, None),
    };
    if let Some(attempt) = &mut after.attempt {
        attempt.ran_ms = receipt.map(|r| r.ran_ms);
    }
    finish(draft, &after, moved, closing.outcome, &closing.evidence, None);
}

/// The card shows the end; a final end is also reported aloud.
pub fn finish(
    draft: &mut Draft<'_>,
    task: &TaskView,
    moved: Step,
    outcome: Outcome,
    evidence: &str,
    by: Option<Actor>,
) -> TaskView {
    let mut after = task.clone();
    after.task.ended_by = by;
    after.task.state = moved.to();
    evidence.clone_into(&mut after.task.evidence);
    after.task.outcome = Some(outcome);
    draft.show_card(&after, false);
    if moved.to().is_terminal()
        && let Some(chat) = after.task.chat
    {
        draft.send(Some(&after), Class::Report, chat, What::Report(report::final_report(draft.config, &after)));
    }
    after
}

fn stopped_before_start(draft: &mut Draft<'_>, task: &TaskView, attempt: &AttemptRow) {
    let closing = Closing {
        outcome: Outcome::Stopped,
        receipt: None,
        evidence: "stopped before it started".into(),
        stop_lost: false,
    };
    close(draft, task, attempt, Cause::Stopped, closing);
}

fn end_unstarted(draft: &mut Draft<'_>, task: &TaskView, attempt: &AttemptRow, why: &str) {
    let closing = Closing {
        outcome: Outcome::NotStarted,
        receipt: None,
        evidence: format!("could not be started: {why}"),
        stop_lost: false,
    };
    close(draft, task, attempt, Cause::FailedForGood, closing);
}

/// Claims the next attempt of a queued task, if everything still holds that was approved.
pub fn claim(draft: &mut Draft<'_>, task: &TaskView) -> bool {
    let gates = gate::gates(draft.config, draft.view.mode(), task, draft.now);
    if gates.contains(&gate::Gate::Readonly) {
        return false;
    }
    if let Some(gate) = gates.first() {
        // Approved A, never run B: what would run is not what was approved any more, so it does not run.
        let Ok(moved) = step(task.task.state, Cause::Stopped) else { return false };
        let id = task.task.id;
        let reason = format!(
            "not started: what it was resumed with does not hold any more ({}); /recover {id} asks for it again",
            gate.text(&task.task)
        );
        draft.record(Some(task), None, Actor::System, Fact::Stopped { reason: reason.clone(), step: moved });
        finish(draft, task, moved, Outcome::Stopped, &reason, Some(Actor::System));
        return false;
    }
    let Ok(moved) = step(task.task.state, Cause::Claimed) else { return false };
    let key = AttemptKey { task: task.task.id, attempt: task.task.attempt + 1 };
    let attempt = AttemptRow {
        key,
        nonce: draft.nonce(),
        hash: gate::content_hash(draft.config, &task.task),
        claimed_ms: draft.now.wall_ms,
        identity: None,
        start_tries: 0,
        start_due: None,
        stop_by: None,
        stop_alarm: None,
        stop_overdue: false,
        stale_at: None,
        restored: false,
        progress: None,
        ended_ms: None,
        ran_ms: None,
    };
    let Some(spec) = spec(draft, task, &attempt) else { return false };
    let (nonce, hash) = (attempt.nonce.clone(), attempt.hash.clone());
    let fact = Fact::Claimed { nonce, hash, step: moved };
    draft.record(Some(task), Some(key.attempt), Actor::System, fact);
    draft.effect(Effect::Start(spec));
    true
}
