//! Whether a task's story is whole: wish, approvals, resume, attempts, outcome, report, on record in this order, as the
//! world saw them. The one place where the daemon's record is read: it is held against the ledgers, and what is missing on
//! either side is a gap.

use super::oracle::Life;
use super::replies::Sent;
use crate::people::REPEAT_MARK;
use crate::property::Evidence;
use crate::property::told::told;
use crate::world::World;
use crate::world::machine::Ran;
use mainstay::event::{Fact, Recorded};
use mainstay::id::TaskId;
use mainstay::task::{State, Step};
use std::collections::BTreeMap;

/// Reports of ends that arrived in some chat: of which task, which state, how many.
pub(super) type Reports = BTreeMap<(i64, State), usize>;

/// All of them, by Telegram's books.
pub(super) fn reports(world: &World) -> Reports {
    let mut reports = Reports::new();
    world.telegram.look(|t| {
        for told in t.log().iter().filter_map(Sent::of).filter_map(|sent| report(&sent)) {
            *reports.entry(told).or_default() += 1;
        }
    });
    reports
}

fn report(sent: &Sent<'_>) -> Option<(i64, State)> {
    let plain = sent.text.strip_prefix(REPEAT_MARK).unwrap_or(sent.text);
    ["✅", "🔴", "⚪"].iter().any(|mark| plain.starts_with(mark)).then(|| told(plain))?
}

/// What is missing, or does not agree.
pub(super) fn of(e: &Evidence<'_>, task: i64, life: &Life, runs: &[&Ran], sent: &Reports) -> Option<String> {
    let events: Vec<&Recorded> = e.events.iter().filter(|event| event.task == Some(TaskId(task))).collect();
    let first = |fact: fn(&Fact) -> bool| events.iter().find(|event| fact(&event.fact)).map(|event| event.seq);
    let Some(requested) = first(|fact| matches!(fact, Fact::Requested { .. })) else {
        return Some("the wish is not on record".to_owned());
    };
    let wished = events.iter().any(|event| matches!(event.fact, Fact::Received { .. }) && event.seq <= requested + 1);
    let again = matches!(&events[0].fact, Fact::Requested { rerun_of: Some(_), .. });
    if !wished && !again && !heard(e, events[0]) {
        return Some("the command that asked for it is not on record".to_owned());
    }
    if events
        .iter()
        .any(|event| event.fact.step().is_some() && event.trace != events[0].trace && event.trace.is_empty())
    {
        return Some("a move carries no trace".to_owned());
    }
    approvals(life, &events, requested).or_else(|| attempts(&events, runs)).or_else(|| told_of(e, task, &events, sent))
}

/// A command is on record beside what it asked for, also when it is about no task of its own.
fn heard(e: &Evidence<'_>, requested: &Recorded) -> bool {
    let near = e.events.iter().filter(|event| event.seq < requested.seq && event.seq + 8 >= requested.seq);
    near.into_iter().any(|event| matches!(event.fact, Fact::Received { .. }) && event.trace == requested.trace)
}

/// As many approvals as people gave that were answered as done, and a resume after the last of them before anything ran.
fn approvals(life: &Life, events: &[&Recorded], requested: i64) -> Option<String> {
    let count = |kind: &str| events.iter().filter(|event| event.fact.kind() == kind && event.seq > requested).count();
    let said = |verb: &str| life.acts.iter().filter(|act| act.verb == verb && act.done).count();
    for (verb, kind) in [("approve", "approved"), ("resume", "resumed"), ("recover", "recovered"), ("plan", "planned")]
    {
        let (on_record, answered) = (count(kind), said(verb));
        if on_record < answered {
            return Some(format!(
                "{answered} times it was answered that it is {kind}, and that is on record {on_record} times"
            ));
        }
    }
    let claimed = events.iter().find(|event| matches!(event.fact, Fact::Claimed { .. }))?;
    let resumed = events.iter().find(|event| matches!(event.fact, Fact::Resumed { .. }));
    let in_order = resumed.is_some_and(|resumed| resumed.seq < claimed.seq);
    (!in_order).then(|| "an attempt was claimed before anybody let it run".to_owned())
}

/// Each program that ran has its claim, who it was, and its end, in this order; and none is on record as run that did not.
fn attempts(events: &[&Recorded], runs: &[&Ran]) -> Option<String> {
    for ran in runs {
        let of_it = || events.iter().filter(|event| event.attempt == Some(ran.key.attempt));
        let seq = |is: &dyn Fn(&Fact) -> bool| of_it().find(|event| is(&event.fact)).map(|event| event.seq);
        let claimed = seq(&|fact| matches!(fact, Fact::Claimed { nonce, .. } if *nonce == ran.nonce));
        let named = seq(&|fact| matches!(fact, Fact::Identified { .. }));
        let ended = seq(&|fact| matches!(fact, Fact::Ended { .. }));
        let whole = match (claimed, named, ended) {
            (Some(claimed), Some(named), Some(ended)) => claimed < named && named < ended,
            (Some(claimed), Some(named), None) => claimed < named && ran.ended_ms.is_none(),
            (None, _, _) | (_, None, _) => false,
        };
        if !whole {
            return Some(format!(
                "attempt {} ran, and on record are claim {claimed:?}, name {named:?}, end {ended:?}",
                ran.key
            ));
        }
    }
    let invented = events.iter().find(|event| {
        let with_end = matches!(&event.fact, Fact::Ended { end: Some(mainstay::attempt::End::Exited(_)), .. });
        with_end && !runs.iter().any(|ran| Some(ran.key.attempt) == event.attempt)
    });
    invented.map(|event| format!("event {} tells of an end of what never ran", event.seq))
}

/// Each end on record arrived as a report that people can read.
fn told_of(e: &Evidence<'_>, task: i64, events: &[&Recorded], sent: &Reports) -> Option<String> {
    let mut ends: BTreeMap<State, usize> = BTreeMap::new();
    for to in events.iter().filter_map(|event| event.fact.step().map(Step::to)).filter(|to| to.is_terminal()) {
        *ends.entry(to).or_default() += 1;
    }
    let is_over = e.state(task).is_ok_and(|(state, _)| state.is_terminal());
    if is_over && ends.is_empty() {
        return Some("it has ended, and no move on record leads there".to_owned());
    }
    ends.into_iter().find_map(|(state, times)| {
        let arrived = sent.get(&(task, state)).copied().unwrap_or(0);
        (arrived < times)
            .then(|| format!("it came to be {state} {times} time(s), and {arrived} report(s) of that arrived"))
    })
}
