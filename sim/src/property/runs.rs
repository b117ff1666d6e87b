//! What the machine really ran, and whether it was allowed to.

use super::Evidence;
use crate::people::job_of;
use std::collections::BTreeMap;

pub(super) fn nothing_impossible(e: &Evidence<'_>) -> Result<(), String> {
    e.wrongs.first().map_or(Ok(()), |what| Err(what.clone()))
}

pub(super) fn no_attempt_twice(e: &Evidence<'_>) -> Result<(), String> {
    let mut ran = BTreeMap::new();
    for entry in &e.ledger {
        if let Some(before) = ran.insert(entry.key, entry.began_ms) {
            return Err(format!("attempt {} was started at {before} ms and at {} ms", entry.key, entry.began_ms));
        }
    }
    Ok(())
}

pub(super) fn no_twins(e: &Evidence<'_>) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for entry in &e.ledger {
        let Some(before) = last.insert(entry.key.task, entry.clone()) else { continue };
        let Some(ended) = before.ended_ms.filter(|ended| *ended <= entry.began_ms) else {
            return Err(format!("attempt {} began while {} was alive", entry.key, before.key));
        };
        let job = job_of(&entry.prompt).and_then(|n| e.asked.get(n - 1));
        let kind = job.and_then(|asked| e.config.kinds.get(&asked.job.kind));
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

pub(super) fn gates_hold(e: &Evidence<'_>) -> Result<(), String> {
    for entry in &e.ledger {
        let Some(asked) = job_of(&entry.prompt).and_then(|n| e.asked.get(n - 1)) else {
            return Err(format!("attempt {} ran for nobody: {:?}", entry.key, entry.prompt));
        };
        let Some(kind) = e.config.kinds.get(&asked.job.kind) else { continue };
        let before = |at: &i64| *at <= entry.began_ms;
        let who = &asked.job.by;
        let mut yes: Vec<i64> = asked.approved.iter().filter(|(_, at)| before(at)).map(|(user, _)| user.0).collect();
        yes.retain(|id| kind.self_approval || e.config.operators.get(id).is_some_and(|o| o.name != *who));
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

pub(super) fn nothing_left_running(e: &Evidence<'_>) -> Result<(), String> {
    e.alive.first().map_or(Ok(()), |key| Err(format!("processes of attempt {key} are alive")))
}
