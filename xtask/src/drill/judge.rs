//! What must hold of a round: what holds of every run ([`crate::kill`]), and what a switch must keep. Pure functions over what
//! was seen.

use super::machine::{A, B};
use super::modes::{Flow, Runs};
use super::seen::Seen;
use crate::kill::evidence::Word;
use crate::kill::oracle;
use mainstay_metric::ledger::Property;

/// The way back takes less than this, ms.
pub(crate) const BACK_WITHIN_MS: i64 = 60_000;
/// The chat that alerts go to: `report_chat` of the configuration.
pub(super) const IN_CHARGE: i64 = 1_001;

/// A property: its name, how often it could have been broken here, and how it was.
#[derive(Clone, Copy)]
pub(super) struct Check {
    pub(super) name: &'static str,
    check: fn(&Seen) -> (u64, Option<String>),
}

/// What is asked of a switch.
pub(super) const PROPERTIES: [Check; 9] = [ENDS, RUNS, TOLD, SPANS, CLEAN, IN_TIME, SCHEMAS, WHOLE, ENDED];

/// All of them, after those of every run.
pub(crate) fn judge(seen: &Seen) -> Vec<Property> {
    let own = PROPERTIES.iter().map(|Check { name, check }| {
        let (looked, broken) = check(seen);
        Property { name: (*name).to_owned(), looked, broken }
    });
    oracle::judge(&seen.evidence).into_iter().chain(own).collect()
}

fn is_switch(seen: &Seen) -> bool {
    seen.variant.flow != Flow::Schemas
}

const ENDS: Check = Check {
    name: "a switch of releases ends as it has to",
    check: |seen| {
        let wrong = || {
            let codes: Vec<i32> = seen.ends.iter().map(|end| end.code).collect();
            format!("it ended with {:?} and not with one of {codes:?}: {}", seen.code, seen.said)
        };
        (u64::from(is_switch(seen)), (is_switch(seen) && seen.end().is_none()).then(wrong))
    },
};

const RUNS: Check = Check {
    name: "after a switch the right release runs",
    check: |seen| {
        let Some(end) = seen.end().filter(|_| is_switch(seen)) else { return (0, None) };
        let right = Some(match end.runs {
            Runs::Old => A,
            Runs::New => B,
        });
        let (current, runs) = (seen.current.as_deref(), seen.runs.as_deref());
        let wrong = || format!("current is {current:?}, and {runs:?} runs, where {right:?} should");
        (1, ((current, runs) != (right, right)).then(wrong))
    },
};

const TOLD: Check = Check {
    name: "a release that was left by itself is told of, once",
    check: |seen| {
        let is_told = seen.end().is_some_and(super::modes::Ends::is_told);
        let chats: Vec<i64> = seen.alerts.iter().map(|(chat, _)| *chat).collect();
        let expected: &[i64] = if is_told { &[IN_CHARGE] } else { &[] };
        let wrong = || format!("it was told of in {chats:?}, and should have been in {expected:?}: {:?}", seen.alerts);
        (u64::from(is_switch(seen)), (chats != expected).then(wrong))
    },
};

const SPANS: Check = Check {
    name: "a switch of releases touches no running task",
    check: |seen| {
        let touched = seen.spans.iter().find_map(|span| {
            let of = |word: Word| {
                seen.evidence.book.iter().filter(move |entry| entry.key.0 == span.task && entry.word == word)
            };
            let began: Vec<i32> = of(Word::Begin).map(|entry| entry.pid).collect();
            let early = of(Word::End).any(|entry| entry.at_ms < seen.let_go);
            let wrong = |what: &str| Some(format!("#{} (process {}) {what}", span.task, span.pid));
            match began.as_slice() {
                _ if !span.lived => wrong("was gone when the switch was over"),
                [pid] if *pid != span.pid => wrong("is not the process that its book names"),
                [_] if early => wrong("ended before it was let go"),
                [_] => None,
                _ => wrong(&format!("began {} times by its book", began.len())),
            }
        });
        (seen.spans.len() as u64, touched)
    },
};

const CLEAN: Check = Check {
    name: "a switch of releases leaves nothing behind",
    check: |seen| (u64::from(is_switch(seen)), (!seen.left.is_empty()).then(|| seen.left.join(", "))),
};

const IN_TIME: Check = Check {
    name: "the way back takes less than a minute",
    check: |seen| {
        let Some(began) = seen.began else { return (0, None) };
        let broken = match seen.back.map(|back| back - began) {
            None => Some("nobody was answered after it".to_owned()),
            Some(ms) if ms >= BACK_WITHIN_MS => Some(format!("it took {ms} ms")),
            Some(_) => None,
        };
        (1, broken)
    },
};

const SCHEMAS: Check = Check {
    name: "a database of another schema is gone on with, or left as it is",
    check: |seen| {
        let broken = seen.schemas.iter().find(|(_, held)| !held).map(|(what, _)| what.clone());
        (seen.schemas.len() as u64, broken)
    },
};

const WHOLE: Check =
    Check { name: "the record is whole after a drill", check: |seen| (1, seen.evidence.unsound.clone()) };

const ENDED: Check = Check {
    name: "asked to end after a drill, the daemon ends with 0",
    check: |seen| {
        let ended = &seen.evidence.ended;
        let badly = ended.iter().find(|code| **code != Some(0));
        (ended.len() as u64, badly.map(|code| format!("it ended with {code:?}")))
    },
};
