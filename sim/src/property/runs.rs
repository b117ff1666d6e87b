//! What the machine really ran, and whether it was allowed to.

use super::{Evidence, Part};
use crate::people::{Asked, Pressed, job_of};
use crate::world::machine::Ran;
use mainstay::attempt::End;
use mainstay::config::Kind;
use mainstay::event::Fact;
use mainstay::id::Actor;
use mainstay::policy;
use std::collections::{BTreeMap, BTreeSet};

/// From a person's wish to the daemon's order, when nothing is out of order: a poll is answered at once.
const HEARD_MS: i64 = 5_000;
/// The same when something was: until polling has recovered.
const HEARD_LATE_MS: i64 = 80_000;

/// The job that a program belongs to, with its kind.
fn job<'e>(e: &'e Evidence<'_>, ran: &Ran) -> Option<(&'e Asked, &'e Kind)> {
    let asked = job_of(&ran.prompt).and_then(|n| e.asked.get(n - 1))?;
    Some((asked, e.config.kinds.get(&asked.job.kind)?))
}

/// Presses that are about this task, or may be.
fn about(presses: &[Pressed], task: i64) -> impl Iterator<Item = &Pressed> {
    presses.iter().filter(move |pressed| pressed.task.is_none_or(|of| of == task))
}

pub(super) fn nothing_impossible(e: &Evidence<'_>) -> Result<(), String> {
    // Each start and each end of a program had its folder made, cleared or archived.
    e.looked.many(e.tried.len() + e.ledger.len());
    e.wrongs.first().map_or(Ok(()), |what| Err(what.clone()))
}

pub(super) fn no_attempt_twice(e: &Evidence<'_>) -> Result<(), String> {
    let mut ran = BTreeMap::new();
    for entry in &e.ledger {
        e.looked.one();
        if let Some(before) = ran.insert(entry.key, entry.began_ms) {
            return Err(format!("attempt {} was started at {before} ms and at {} ms", entry.key, entry.began_ms));
        }
    }
    Ok(())
}

pub(super) fn no_twins(e: &Evidence<'_>) -> Result<(), String> {
    let mut last: BTreeMap<_, &Ran> = BTreeMap::new();
    for entry in &e.ledger {
        let Some(before) = last.insert(entry.key.task, entry) else { continue };
        e.looked.one();
        let Some(ended) = before.ended_ms.filter(|ended| *ended <= entry.began_ms) else {
            return Err(format!("attempt {} began while {} was alive", entry.key, before.key));
        };
        let Some((asked, kind)) = job(e, entry) else { continue };
        // A shim that lived to the end of its task leaves a receipt; without, nobody knows how far it came.
        let unknown = before.end.is_none();
        let taken_back = about(&asked.recovered, entry.key.task.0).any(|p| (ended..=entry.began_ms).contains(&p.at));
        if unknown && !kind.idempotent && !taken_back {
            return Err(format!(
                "attempt {} began although nobody can know what {} did by {ended} ms",
                entry.key, before.key
            ));
        }
    }
    Ok(())
}

pub(super) fn gates_hold(e: &Evidence<'_>) -> Result<(), String> {
    // Who was refused a plan has changed nothing.
    let planned: BTreeSet<(i64, Actor)> = e
        .events
        .iter()
        .filter(|r| matches!(r.fact, Fact::Planned { .. }))
        .filter_map(|r| r.task.map(|t| (t.0, r.actor)))
        .collect();
    for entry in &e.ledger {
        let Some(asked) = job_of(&entry.prompt).and_then(|n| e.asked.get(n - 1)) else {
            return Err(format!("attempt {} ran for nobody: {:?}", entry.key, entry.prompt));
        };
        let Some(kind) = e.config.kinds.get(&asked.job.kind) else { continue };
        e.looked.one();
        let task = entry.key.task.0;
        // What was said before a plan was taken up, or before the task was taken back from its end, was about something else.
        let taken_up = |p: &&Pressed| planned.contains(&(task, Actor::User(p.by.0)));
        let plans = about(&asked.planned, task).filter(taken_up).filter(|p| p.at <= entry.began_ms);
        let ends = taken_back(e, asked, entry);
        let since = plans.map(|p| p.at).chain(ends).max().unwrap_or(0);
        let before = |p: &&Pressed| (since..=entry.began_ms).contains(&p.at);
        let who = &asked.job.by;
        let mut yes: Vec<(i64, i64)> = about(&asked.approved, task).filter(before).map(|p| (p.by.0, p.at)).collect();
        yes.retain(|(id, _)| kind.self_approval || e.config.operators.get(id).is_some_and(|o| o.name != *who));
        yes.sort_unstable();
        yes.dedup_by_key(|(id, _)| *id);
        if yes.len() < kind.approvals as usize {
            return Err(format!("attempt {} ran with {} of {} approvals", entry.key, yes.len(), kind.approvals));
        }
        let mut times: Vec<i64> = yes.iter().map(|(_, at)| *at).collect();
        times.sort_unstable();
        let approved_at = kind.approvals.checked_sub(1).map_or(since, |last| times[last as usize]);
        if !about(&asked.resumed, task).any(|p| (approved_at..=entry.began_ms).contains(&p.at)) {
            return Err(format!("attempt {} ran and nobody had let it since it was approved", entry.key));
        }
    }
    Ok(())
}

/// When a task was last taken back from an end before this attempt, if it was: by the world, after an earlier attempt's end.
fn taken_back(e: &Evidence<'_>, asked: &Asked, entry: &Ran) -> Option<i64> {
    let task = entry.key.task.0;
    let before = e.ledger.iter().filter(|ran| ran.key.task == entry.key.task && ran.key.attempt < entry.key.attempt);
    let ended = before.filter_map(|ran| ran.ended_ms).max()?;
    // A press that was refused because it came too early took nothing back.
    about(&asked.recovered, task).map(|p| p.at).filter(|at| (ended..=entry.began_ms).contains(at)).min()
}

pub(super) fn budgets_kept(e: &Evidence<'_>) -> Result<(), String> {
    // Of each task, the last attempt and how many there were since the task was asked for or taken back from its end.
    let mut lives: BTreeMap<i64, (&Ran, u32)> = BTreeMap::new();
    for entry in &e.ledger {
        let Some((asked, kind)) = job(e, entry) else { continue };
        e.looked.one();
        let task = entry.key.task.0;
        let last = lives.get(&task).copied().filter(|_| taken_back(e, asked, entry).is_none());
        let n = last.map_or(1, |(_, n)| n + 1);
        lives.insert(task, (entry, n));
        if n > kind.max_attempts {
            return Err(format!("task {task} was run {n} times, and {} allows {}", kind.name, kind.max_attempts));
        }
        let Some((before, ended)) = last.and_then(|(before, _)| Some((before, before.ended_ms?))) else { continue };
        let codes = &kind.transient_exit_codes;
        let for_good = match &before.end {
            Some(End::Exited(code)) => *code == 0 || (!codes.is_empty() && !codes.contains(code)),
            Some(End::Signaled(_) | End::NotStarted(_)) | None => false,
        };
        if for_good {
            return Err(format!("attempt {} began after {:?}, which is no reason to try again", entry.key, before.end));
        }
        // Never under half of the first pause.
        if entry.began_ms - ended < kind.backoff_ms / 2 {
            return Err(format!("attempt {} began {} ms after the last one", entry.key, entry.began_ms - ended));
        }
    }
    Ok(())
}

/// As many at once as there are slots, by what was really alive.
pub(super) fn slots_kept(e: &Evidence<'_>) -> Result<(), String> {
    for (place, entry) in e.ledger.iter().enumerate() {
        e.looked.one();
        let alive = e.ledger[..=place].iter().filter(|ran| ran.ended_ms.is_none_or(|at| at > entry.began_ms));
        let group = job(e, entry).map(|(_, kind)| (&kind.group, kind.concurrency));
        let (mut all, mut of_group) = (0, 0);
        for ran in alive {
            all += 1;
            of_group += u32::from(job(e, ran).map(|(_, kind)| &kind.group) == group.map(|(group, _)| group));
        }
        if all > e.config.running_max {
            return Err(format!("attempt {} began as number {all} of {} at once", entry.key, e.config.running_max));
        }
        if let Some((group, most)) = group.filter(|(_, most)| of_group > *most) {
            return Err(format!("attempt {} began as number {of_group} of {most} at once in {group}", entry.key));
        }
    }
    Ok(())
}

/// Nobody may stop a program but who wants it stopped, and its time limit.
pub(super) fn nothing_killed_unasked(e: &Evidence<'_>) -> Result<(), String> {
    for entry in &e.ledger {
        let (Some((asked, kind)), Some(ended)) = (job(e, entry), entry.ended_ms) else { continue };
        e.looked.one();
        let stopped = entry.end == Some(End::Signaled(15));
        let wanted = asked.stopped.iter().any(|p| p.task == Some(entry.key.task.0) && p.at <= ended);
        if stopped && !wanted && ended - entry.began_ms < kind.timeout_ms {
            return Err(format!(
                "attempt {} was stopped after {} ms and nobody wanted it",
                entry.key,
                ended - entry.began_ms
            ));
        }
    }
    Ok(())
}

/// Nothing of the task is alive once its wish must have been heard and the ladder is over, and nothing begins once it must
/// have been heard: whether the task ran already or waited for that.
pub(super) fn stop_works(e: &Evidence<'_>) -> Result<(), String> {
    for (asked, wish) in e.asked.iter().filter_map(|asked| Some((asked, asked.stopped?))) {
        let (Some(kind), Some(task)) = (e.config.kinds.get(&asked.job.kind), wish.task) else { continue };
        e.looked.one();
        let ladder = kind.stop_grace_ms + policy::KILL_ALARM_MS;
        let mut stopped = false;
        for ran in e.ledger.iter().filter(|ran| ran.key.task.0 == task && ran.ended_ms.is_none_or(|at| at > wish.at)) {
            if about(&asked.recovered, task).any(|p| (wish.at..=ran.began_ms).contains(&p.at)) {
                break;
            }
            if stopped {
                return Err(format!("attempt {} began after somebody had stopped its task", ran.key));
            }
            let began_after = ran.began_ms - wish.at;
            let most = at_most(e, wish.at, ran.began_ms, 0);
            if began_after > most {
                return Err(format!(
                    "attempt {} began {began_after} ms after somebody wanted its task stopped, which is heard within {most}",
                    ran.key
                ));
            }
            let ended = ran.ended_ms.unwrap_or(e.now_ms);
            let most = at_most(e, wish.at, ended, ladder);
            if ended - wish.at > most {
                return Err(format!(
                    "attempt {} was alive {} ms after somebody wanted it stopped; with what was out of order it may take {most}",
                    ran.key,
                    ended - wish.at
                ));
            }
            // Not by its time limit, before the wish was heard.
            stopped = ran.end == Some(End::Signaled(15)) && ended - ran.began_ms < kind.timeout_ms;
        }
    }
    Ok(())
}

/// How long after a wish something may still happen that takes so long once the wish is heard, ms: more if anything was out of
/// order until then. What is out of order only later is no excuse.
fn at_most(e: &Evidence<'_>, wish: i64, happened: i64, takes: i64) -> i64 {
    let (since, in_time) = (wish - HEARD_LATE_MS, wish + HEARD_MS + takes);
    if e.outages.between(&Part::ALL, since, happened.min(in_time)) == 0 {
        return HEARD_MS + takes;
    }
    HEARD_LATE_MS + e.outages.between(&Part::ALL, since, happened) + takes
}

pub(super) fn nothing_left_running(e: &Evidence<'_>) -> Result<(), String> {
    e.looked.many(e.ledger.len());
    e.alive.first().map_or(Ok(()), |key| Err(format!("processes of attempt {key} are alive")))
}
