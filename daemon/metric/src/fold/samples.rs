//! What each line is to the rows that look at one line at a time: a sample or not, good or not. One function a row.

use super::share::Sample;
use crate::ledger::{Allowed, Command, Execution, Fault, Limited, Line, Origin, Run, Task};
use crate::limits::{APPROVE_TO_RUNNING_MS, RECOVER_WITHIN_MS, RECOVERY_CAP_MS, RUNNING_WITHIN_MS};
use std::collections::BTreeSet;

/// The only exclusion there is.
pub(crate) const OVER_LIMIT: &str = "asked more often than the published limit";

fn one(wrong: Option<String>, part: Option<&str>) -> Option<Sample> {
    Some(Sample { all: 1, bad: u64::from(wrong.is_some()), part: part.map(str::to_owned), wrong, ..Sample::default() })
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms.rem_euclid(1_000))
}

/// Commands that were answered rightly, and in time.
pub(crate) fn command(_: &Run, line: &Line) -> Option<Sample> {
    let Line::Command(command) = line else { return None };
    if command.limited == Limited::Over {
        return Some(Sample { excluded: Some(OVER_LIMIT), ..Sample::default() });
    }
    let wrong = command_wrong(command).map(|wrong| format!("{} at {} {wrong}", command.verb, seconds(command.at_ms)));
    one(wrong, Some(&command.verb))
}

fn command_wrong(command: &Command) -> Option<String> {
    match (&command.wrong, command.limited, command.answered_ms) {
        (Some(wrong), ..) => Some(format!("came out wrong: {wrong}")),
        (None, Limited::Within, _) => Some("was refused within the published limit".to_owned()),
        (None, Limited::No | Limited::Over, None) => Some("was never answered".to_owned()),
        (None, Limited::No | Limited::Over, Some(at)) if at - command.at_ms > command.within_ms => {
            Some(format!("was answered after {}", seconds(at - command.at_ms)))
        }
        (None, Limited::No | Limited::Over, Some(_)) => None,
    }
}

/// Attempts that ran once, and were allowed to. Only those of a faulty world say anything for us.
pub(crate) fn execution(run: &Run, line: &Line) -> Option<Sample> {
    let Line::Execution(execution) = line else { return None };
    let wrong = execution_wrong(execution)
        .map(|wrong| format!("attempt {} of task {} {wrong}", execution.attempt, execution.task));
    let sample = one(wrong, Some(if execution.heavy { "heavy" } else { "light" }))?;
    Some(if run.faults { sample } else { Sample { all: sample.bad, ..sample } })
}

fn execution_wrong(execution: &Execution) -> Option<String> {
    match execution {
        Execution { spawns, .. } if *spawns > 1 => Some(format!("was started {spawns} times")),
        Execution { effects, .. } if *effects > 1 => Some(format!("had its effect {effects} times")),
        Execution { spawns: 0, effects: 1.., .. } => Some("had an effect and was never started".to_owned()),
        Execution { allowed: Allowed::Nothing, .. } => Some("ran and nothing allowed it".to_owned()),
        Execution { allowed: Allowed::First | Allowed::Retry | Allowed::Recovered, .. } => None,
    }
}

/// Poll faults after which something fresh was handled in time, and by nobody's hand.
pub(crate) fn poll_fault(_: &Run, line: &Line) -> Option<Sample> {
    let Line::Fault(fault) = line else { return None };
    if !fault.polls {
        return None;
    }
    let wrong = match fault.recovered_ms {
        _ if fault.by_hand => Some("needed a hand".to_owned()),
        None => Some("was never got over".to_owned()),
        Some(at) if at - fault.over_ms > RECOVER_WITHIN_MS => {
            Some(format!("was got over after {}", seconds(at - fault.over_ms)))
        }
        Some(_) => None,
    };
    one(wrong.map(|wrong| named_fault(fault, &wrong)), Some(&fault.class))
}

/// Incidents that were over in time, from the blow to what first went through; and how long they took.
pub(crate) fn incident(_: &Run, line: &Line) -> Option<Sample> {
    let Line::Fault(fault) = line else { return None };
    let took = fault.recovered_ms.map(|at| (at - fault.struck_ms).max(0));
    let wrong = match took {
        None => Some("was never got over".to_owned()),
        Some(ms) if ms > RECOVER_WITHIN_MS => Some(format!("took {}", seconds(ms))),
        Some(_) => None,
    };
    let ms = took.unwrap_or(RECOVERY_CAP_MS).min(RECOVERY_CAP_MS).unsigned_abs();
    let sample = one(wrong.map(|wrong| named_fault(fault, &wrong)), Some(&fault.class))?;
    Some(Sample { ms, ..sample })
}

fn named_fault(fault: &Fault, wrong: &str) -> String {
    format!("{} at {} {wrong}", fault.class, seconds(fault.struck_ms))
}

/// Tasks whose story is whole.
pub(crate) fn trace(run: &Run, line: &Line) -> Option<Sample> {
    let Line::Task(task) = line else { return None };
    if goes_on(run, task) {
        return None;
    }
    one(task.gap.as_ref().map(|gap| format!("task {}: {gap}", task.task)), None)
}

/// Heavy tasks that could succeed, and did.
pub(crate) fn heavy(run: &Run, line: &Line) -> Option<Sample> {
    let Line::Task(task) = line else { return None };
    if goes_on(run, task) || !(task.heavy && task.admitted && task.could_succeed) {
        return None;
    }
    let wrong = match &task.wrong {
        Some(wrong) => Some(format!("task {}: {wrong}", task.task)),
        None if task.state != SUCCEEDED => Some(format!("task {} is {}", task.task, task.state)),
        None => None,
    };
    one(wrong, Some(&task.kind))
}

/// As the daemon names these states.
const SUCCEEDED: &str = "SUCCEEDED";
const CANCELED: &str = "CANCELED";
const ENDS: [&str; 4] = [SUCCEEDED, "FAILED", CANCELED, "EXPIRED"];

/// Production does not stop for being measured: what has not ended there has no whole story yet. A run of ours has ended.
fn goes_on(run: &Run, task: &Task) -> bool {
    run.origin == Origin::Production && !ENDS.contains(&task.state.as_str())
}

/// Tasks that took no more of people than their policy wants.
pub(crate) fn intervention(run: &Run, line: &Line) -> Option<Sample> {
    let Line::Task(task) = line else { return None };
    if goes_on(run, task) {
        return None;
    }
    let wrong = (task.acts > task.least_acts)
        .then(|| format!("task {} took {} acts, where {} are wanted", task.task, task.acts, task.least_acts));
    one(wrong, run.persona.as_deref())
}

/// Approved tasks that soon ran. In a model of people, and on a machine of our own, only the system's part is looked at:
/// from the last that people had to do. In production it is all of it, from the approval on.
pub(crate) fn approve_to_running(run: &Run, line: &Line) -> Option<Sample> {
    let Line::Task(task) = line else { return None };
    let approved = task.approved_ms?;
    let (from, within) = match run.origin {
        Origin::Sim | Origin::Lab => (last_by_people(task, approved)?, RUNNING_WITHIN_MS),
        Origin::Production => (approved, APPROVE_TO_RUNNING_MS),
    };
    let wrong = match task.running_ms {
        // Withdrawn while it was not late yet: nobody waits for it, and what would have come of it nobody knows.
        None if task.state == CANCELED => match task.withdrawn_ms.map(|at| at - from) {
            Some(waited) if waited > within => {
                Some(format!("task {} was withdrawn after {}, and had not run", task.task, seconds(waited)))
            }
            Some(_) | None => return None,
        },
        None => Some(format!("task {} never ran, and is {}", task.task, task.state)),
        Some(at) if at - from > within => Some(format!("task {} ran after {}", task.task, seconds(at - from))),
        Some(_) => None,
    };
    let beside = task.running_ms.and_then(|running| beside(run.origin, task, approved, running));
    Some(Sample { beside, ..one(wrong, None)? })
}

/// The other part: of a model the whole, of production the system's.
fn beside(origin: Origin, task: &Task, approved: i64, running: i64) -> Option<(&'static str, bool)> {
    match origin {
        Origin::Sim => {
            Some(("from the approval, with people as modelled", running - approved <= APPROVE_TO_RUNNING_MS))
        }
        Origin::Lab => None,
        Origin::Production => {
            let from = last_by_people(task, approved)?;
            Some(("from the last that people had to do, within 5 s", running - from <= RUNNING_WITHIN_MS))
        }
    }
}

/// When people had done all that the task wanted of them; none: they never had.
fn last_by_people(task: &Task, approved: i64) -> Option<i64> {
    match (task.resumed_ms, task.admitted || task.running_ms.is_some()) {
        (Some(resumed), _) => Some(resumed.max(approved)),
        // The policy let it run.
        (None, true) => Some(approved),
        (None, false) => None,
    }
}

/// Slices of a probe outside.
pub(crate) fn slices(_: &Run, line: &Line) -> Option<Sample> {
    let Line::Slices(slices) = line else { return None };
    let bad: BTreeSet<u32> = slices.bad.iter().copied().collect();
    let n = u64::try_from(bad.len()).unwrap_or(u64::MAX).min(u64::from(slices.all));
    let wrong = bad.first().map(|first| format!("{n} bad slices, the first in minute {first}"));
    Some(Sample { all: slices.all.into(), bad: n, wrong, ..Sample::default() })
}
