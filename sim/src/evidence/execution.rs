//! Executions: what really ran, by the machine's ledger and the workers' own books, and what allowed it.

use crate::people::job_of;
use crate::property::Evidence;
use crate::world::machine::Ran;
use mainstay::attempt::End;
use mainstay::config::Kind;
use mainstay_metric::ledger::{Allowed, Execution, Line};
use std::collections::BTreeMap;

/// A line an attempt.
pub(super) fn lines(e: &Evidence<'_>) -> Vec<Line> {
    let mut all: BTreeMap<_, Execution> = BTreeMap::new();
    // Of each task, its attempts so far in order.
    let mut before: BTreeMap<i64, Vec<&Ran>> = BTreeMap::new();
    for ran in &e.ledger {
        let (task, attempt) = (ran.key.task.0, ran.key.attempt);
        if let Some(again) = all.get_mut(&ran.key) {
            again.spawns += 1;
            again.effects += ran.effects;
            continue;
        }
        let earlier = before.entry(task).or_default();
        let execution = Execution {
            task,
            attempt,
            heavy: kind_of(e, ran).is_none_or(|kind| kind.heavy),
            began_ms: ran.began_ms,
            spawns: 1,
            effects: ran.effects,
            allowed: allowed(e, ran, earlier),
        };
        earlier.push(ran);
        all.insert(ran.key, execution);
    }
    all.into_values().map(Line::Execution).collect()
}

fn kind_of<'e>(e: &'e Evidence<'_>, ran: &Ran) -> Option<&'e Kind> {
    let asked = e.asked.get(job_of(&ran.prompt)?.checked_sub(1)?)?;
    e.config.kinds.get(&asked.job.kind)
}

/// By what came before it, what people wished, and what its kind lets happen.
fn allowed(e: &Evidence<'_>, ran: &Ran, earlier: &[&Ran]) -> Allowed {
    let Some(last) = earlier.last() else { return Allowed::First };
    let Some(ended) = last.ended_ms.filter(|ended| *ended <= ran.began_ms) else { return Allowed::Nothing };
    let Some(kind) = kind_of(e, ran) else { return Allowed::Nothing };
    let asked = job_of(&ran.prompt).and_then(|n| e.asked.get(n - 1));
    let wishes = asked.into_iter().flat_map(|asked| &asked.recovered);
    let mut back: Vec<i64> =
        wishes.filter(|wish| wish.task.is_none_or(|of| of == ran.key.task.0)).map(|wish| wish.at).collect();
    back.sort_unstable();
    if back.iter().any(|at| (ended..=ran.began_ms).contains(at)) {
        return Allowed::Recovered;
    }
    // Tries are counted since it was last taken back from an end: a wish while something of it ran took nothing back.
    let idle = |at: i64| earlier.iter().all(|one| one.began_ms > at || one.ended_ms.is_some_and(|end| end <= at));
    let since = back.into_iter().rfind(|at| *at <= ran.began_ms && idle(*at)).unwrap_or(0);
    let tries = earlier.iter().filter(|one| one.began_ms >= since).count();
    let left = u32::try_from(tries).is_ok_and(|tries| tries < kind.max_attempts);
    if left && is_tried_again(kind, last) { Allowed::Retry } else { Allowed::Nothing }
}

/// Whether a kind is tried again after such an end, as long as it has tries.
pub(super) fn is_tried_again(kind: &Kind, ran: &Ran) -> bool {
    let codes = &kind.transient_exit_codes;
    match &ran.end {
        Some(End::Exited(0)) => false,
        Some(End::Exited(code)) => codes.is_empty() || codes.contains(code),
        Some(End::Signaled(_) | End::NotStarted(_)) => codes.is_empty() || timed_out(kind, ran),
        // Nobody knows how far it came.
        None => kind.idempotent,
    }
}

/// Whether it was ended because its time was over.
pub(super) fn timed_out(kind: &Kind, ran: &Ran) -> bool {
    let took = ran.ended_ms.map_or(0, |ended| ended - ran.began_ms);
    ran.end == Some(End::Signaled(15)) && took >= kind.timeout_ms
}
