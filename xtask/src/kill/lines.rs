//! A run's evidence as lines of the ledger.

use super::evidence::{Evidence, Said, Word};
use super::oracle::{allowed, gap, judge, wrong};
use mainstay_metric::ledger::{End, Execution, Line, Run, Step, Task};

/// All lines, from `head` to `end`.
pub(crate) fn lines(evidence: &Evidence, head: Run, at_ms: i64, cut_off: Option<String>) -> Vec<Line> {
    let mut lines = vec![Line::Run(head)];
    lines.extend(evidence.commands.iter().cloned().map(Line::Command));
    lines.extend(executions(evidence).into_iter().map(Line::Execution));
    lines.extend(evidence.record.iter().map(|(task, said)| Line::Task(self::task(evidence, *task, said))));
    lines.extend(evidence.faults.iter().cloned().map(Line::Fault));
    lines.extend(judge(evidence).into_iter().map(Line::Property));
    lines.extend(steps(evidence).into_iter().map(Line::Step));
    // Real time: nobody can play it again to the same bytes.
    lines.push(Line::End(End { at_ms, cut_off, digest: None }));
    lines
}

fn executions(evidence: &Evidence) -> Vec<Execution> {
    let attempts = evidence.attempts().into_iter();
    attempts
        .map(|(key, entries)| {
            let times =
                |word: Word| u32::try_from(entries.iter().filter(|e| e.word == word).count()).unwrap_or(u32::MAX);
            Execution {
                task: key.0,
                attempt: key.1,
                heavy: evidence.wish_of(key.0).is_none_or(|wish| wish.plan.kind.is_heavy()),
                began_ms: entries.first().map_or(0, |entry| entry.at_ms),
                spawns: times(Word::Begin),
                effects: times(Word::Effect),
                allowed: allowed(evidence, key),
            }
        })
        .collect()
}

fn task(evidence: &Evidence, task: i64, said: &Said) -> Task {
    let wish = evidence.wish_of(task);
    let was_struck = evidence.struck.iter().any(|key| key.0 == task);
    let succeeds =
        |wish: &super::evidence::Wish| wish.plan.code == 0 && wish.plan.kind != super::chance::Kind::Stubborn;
    let began = evidence.book.iter().filter(|entry| entry.key.0 == task && entry.word == Word::Begin);
    Task {
        task,
        kind: said.kind.clone(),
        heavy: wish.is_none_or(|wish| wish.plan.kind.is_heavy()),
        admitted: wish.is_some_and(|wish| wish.resumed.is_some()),
        // What lost its shim has an unknown outcome, and that is the right one.
        could_succeed: wish.is_some_and(succeeds) && !was_struck,
        state: said.state.clone(),
        outcome: said.outcome.clone(),
        wrong: wrong(evidence, task, said),
        gap: gap(evidence, task, said),
        acts: wish.map_or(0, |wish| wish.acts),
        least_acts: wish.map_or(0, super::evidence::Wish::least_acts),
        approved_ms: wish.and_then(|wish| wish.approved),
        resumed_ms: wish.and_then(|wish| wish.resumed),
        running_ms: began.map(|entry| entry.at_ms).min(),
        // The people of these runs withdraw nothing because it is late.
        withdrawn_ms: None,
    }
}

/// What has no room among the properties because it is asked once a run.
fn steps(evidence: &Evidence) -> Vec<Step> {
    let badly: Vec<String> =
        evidence.ended.iter().filter(|code| **code != Some(0)).map(|code| format!("{code:?}")).collect();
    let times = evidence.ended.len();
    vec![
        Step {
            name: "asked to end, the daemon ends with 0".into(),
            held: (times > 0).then_some(badly.is_empty()),
            seen: format!("{times} times, badly {}: {}", badly.len(), badly.join(", ")),
        },
        Step {
            name: "the record is whole after the blows".into(),
            held: (times > 0).then_some(evidence.unsound.is_none()),
            seen: evidence.unsound.clone().unwrap_or_else(|| "verify-log says yes".into()),
        },
    ]
}
