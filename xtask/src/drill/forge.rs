//! Rounds that are forged, to see that each property of a switch can be broken: every unit tries all of it on what it saw.

use super::judge::{BACK_WITHIN_MS, IN_CHARGE, judge};
use super::machine::{A, B};
use super::seen::Seen;
use crate::kill::evidence::{Entry, Word};
use mainstay_metric::ledger::Step;

/// A forgery: its name, the property that has to notice, and how it is done. None: this round has nothing to forge it with.
pub(super) struct Forgery {
    pub(super) name: &'static str,
    pub(super) breaks: &'static str,
    pub(super) forge: fn(&mut Seen) -> Option<()>,
}

const RUNS: &str = "after a switch the right release runs";
const TOLD: &str = "a release that was left by itself is told of, once";
const SPANS: &str = "a switch of releases touches no running task";
const IN_TIME: &str = "the way back takes less than a minute";

pub(super) const FORGERIES: [Forgery; 15] = [
    Forgery {
        name: "another exit code",
        breaks: "a switch of releases ends as it has to",
        forge: |seen| is_switch(seen).then(|| seen.code = Some(24)),
    },
    Forgery {
        name: "a command that nobody saw the end of",
        breaks: "a switch of releases ends as it has to",
        forge: |seen| is_switch(seen).then(|| seen.code = None),
    },
    Forgery {
        name: "a link to the wrong release",
        breaks: RUNS,
        forge: |seen| is_switch(seen).then(|| seen.current = other(seen.current.as_deref())),
    },
    Forgery {
        name: "the wrong release behind the right link",
        breaks: RUNS,
        forge: |seen| is_switch(seen).then(|| seen.runs = other(seen.runs.as_deref())),
    },
    Forgery { name: "no release at all", breaks: RUNS, forge: |seen| is_switch(seen).then(|| seen.runs = None) },
    Forgery {
        name: "a silent way back",
        breaks: TOLD,
        forge: |seen| {
            seen.alerts.pop()?;
            Some(())
        },
    },
    Forgery {
        name: "one alert too many",
        breaks: TOLD,
        forge: |seen| is_switch(seen).then(|| seen.alerts.push((IN_CHARGE, format!("release {B} failed (twice)")))),
    },
    Forgery {
        name: "a task that the switch ended",
        breaks: SPANS,
        forge: |seen| {
            seen.spans.first_mut()?.lived = false;
            Some(())
        },
    },
    Forgery {
        name: "a task that was started anew",
        breaks: SPANS,
        forge: |seen| {
            let task = seen.spans.first()?.task;
            let entry = seen.evidence.book.iter().find(|e| e.key.0 == task && e.word == Word::Begin)?;
            let again = Entry { pid: entry.pid + 1, ..entry.clone() };
            seen.evidence.book.push(again);
            Some(())
        },
    },
    Forgery {
        name: "a task that ended in the middle of it",
        breaks: SPANS,
        forge: |seen| {
            let task = seen.spans.first()?.task;
            let entry = seen.evidence.book.iter_mut().find(|e| e.key.0 == task && e.word == Word::End)?;
            entry.at_ms = seen.let_go - 1_000;
            Some(())
        },
    },
    Forgery {
        name: "a half release that stayed",
        breaks: "a switch of releases leaves nothing behind",
        forge: |seen| is_switch(seen).then(|| seen.left.push("opt/releases/.half-new".into())),
    },
    Forgery {
        name: "a way back that took a minute",
        breaks: IN_TIME,
        forge: |seen| {
            seen.back = Some(seen.began? + BACK_WITHIN_MS);
            Some(())
        },
    },
    Forgery {
        name: "a database that was written to",
        breaks: "a database of another schema is gone on with, or left as it is",
        forge: |seen| {
            seen.schemas.last_mut()?.1 = false;
            Some(())
        },
    },
    Forgery {
        name: "a record with a gap",
        breaks: "the record is whole after a drill",
        forge: |seen| {
            seen.evidence.unsound = Some("event 7 does not follow from event 6".into());
            Some(())
        },
    },
    Forgery {
        name: "a daemon that ended badly",
        breaks: "asked to end after a drill, the daemon ends with 0",
        forge: |seen| {
            *seen.evidence.ended.last_mut()? = Some(70);
            Some(())
        },
    },
];

fn is_switch(seen: &Seen) -> bool {
    seen.variant.flow != super::modes::Flow::Schemas
}

fn other(id: Option<&str>) -> Option<String> {
    Some(if id == Some(A) { B } else { A }.to_owned())
}

/// Tries all forgeries on these rounds, each on the first that it can be tried on: whether it was noticed. The steps' names are
/// what shows a scorer that the properties can fail.
pub(super) fn tried(rounds: &[Seen]) -> Vec<Step> {
    let one = |forgery: &Forgery| {
        let forged = rounds.iter().find_map(|seen| {
            let mut forged = seen.clone();
            (forgery.forge)(&mut forged).map(|()| forged)
        })?;
        let noticed = judge(&forged).iter().any(|p| p.name == forgery.breaks && p.broken.is_some());
        let seen = format!("{}: {}", forgery.name, if noticed { "noticed" } else { "not noticed" });
        Some(Step { name: format!("forged {}", forgery.breaks), held: Some(noticed), seen })
    };
    let of_runs = rounds.iter().take(1).flat_map(|seen| crate::kill::forge::tried(&seen.evidence));
    of_runs.chain(FORGERIES.iter().filter_map(one)).collect()
}
