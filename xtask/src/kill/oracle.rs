//! What must hold of a run, and what became of each task by everything but the daemon's word. Pure functions over the evidence.

use super::chance::Kind;
use super::evidence::{Evidence, Key, Said, Wish, Word};
use mainstay_metric::ledger::{Allowed, Property};
use std::collections::BTreeMap;

/// As `transient_exit_codes` of `world.toml`.
const TRANSIENT: i64 = 75;

/// How an attempt may have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By itself.
    Code(i64),
    /// Nobody can know: its shim was killed.
    Unknown,
    /// Somebody stopped it.
    Stopped,
}

/// What is asked of every run.
pub(super) const PROPERTIES: [Check; 7] = [ONCE, REASON, REPORTED, TOLD_ONCE, KEPT, AGREES, NOTHING_LEFT];

/// A property: its name, how often it could have been broken here, and how it was.
#[derive(Clone, Copy)]
pub(super) struct Check {
    pub(super) name: &'static str,
    check: fn(&Evidence) -> (usize, Option<String>),
}

/// All of them over this evidence.
pub(super) fn judge(evidence: &Evidence) -> Vec<Property> {
    let one = |Check { name, check }: &Check| {
        let (looked, broken) = check(evidence);
        Property { name: (*name).to_owned(), looked: looked as u64, broken }
    };
    PROPERTIES.iter().map(one).collect()
}

const ONCE: Check = Check {
    name: "no attempt twice",
    check: |evidence| {
        let attempts = evidence.attempts();
        let times = |key: &Key, word: Word| attempts[key].iter().filter(|entry| entry.word == word).count();
        let twice = attempts.keys().find_map(|key| {
            let (spawns, effects) = (times(key, Word::Begin), times(key, Word::Effect));
            (spawns > 1 || effects > 1)
                .then(|| format!("attempt {} of #{} began {spawns} times and had {effects} effects", key.1, key.0))
        });
        (attempts.len(), twice)
    },
};

const REASON: Check = Check {
    name: "nothing runs again without a reason",
    check: |evidence| {
        let attempts = evidence.attempts();
        let wrong = attempts.keys().find(|key| allowed(evidence, **key) == Allowed::Nothing);
        (attempts.len(), wrong.map(|(task, n)| format!("nothing allows attempt {n} of #{task}")))
    },
};

const REPORTED: Check = Check {
    name: "every end is reported",
    check: |evidence| {
        let over: Vec<(&i64, &Said)> = evidence.record.iter().filter(|(_, said)| said.is_over()).collect();
        let unreported = over.iter().find_map(|(task, said)| {
            let told: Vec<&str> = evidence.told.iter().filter(|t| t.task == **task).map(|t| t.state.as_str()).collect();
            match told.iter().find(|state| **state != said.state) {
                Some(other) => Some(format!("#{task} is {} and was reported {other}", said.state)),
                None if told.is_empty() => Some(format!("nobody was told that #{task} is {}", said.state)),
                None => None,
            }
        });
        (over.len(), unreported)
    },
};

const TOLD_ONCE: Check = Check {
    name: "an end is told once, or says that it may be a repeat",
    check: |evidence| {
        let mut unmarked: BTreeMap<i64, u32> = BTreeMap::new();
        for told in evidence.told.iter().filter(|told| !told.marked) {
            *unmarked.entry(told.task).or_default() += 1;
        }
        let twice = unmarked.iter().find(|(_, times)| **times > 1);
        (unmarked.len(), twice.map(|(task, times)| format!("the end of #{task} was told {times} times as if new")))
    },
};

const KEPT: Check = Check {
    name: "nothing acknowledged is lost, and nothing is done twice",
    check: |evidence| {
        let lost = evidence.wishes.iter().find_map(|wish| lost(evidence, wish));
        let acknowledged = |wish: &Wish| {
            [wish.task, wish.approved, wish.resumed, wish.stopped].iter().filter(|what| what.is_some()).count()
        };
        let stray = || {
            let stray = evidence.record.keys().find(|task| evidence.wish_of(**task).is_none())?;
            Some(format!("#{stray} came of no wish"))
        };
        (evidence.wishes.iter().map(acknowledged).sum(), lost.or_else(stray))
    },
};

fn lost(evidence: &Evidence, wish: &Wish) -> Option<String> {
    let job = &wish.job;
    let made: Vec<i64> = evidence
        .record
        .keys()
        .filter(|task| evidence.wish_of(**task).is_some_and(|w| w.job == *job))
        .copied()
        .collect();
    if made.len() > 1 {
        return Some(format!("{job} was asked for once and became {made:?}"));
    }
    let task = wish.task?;
    let Some(said) = evidence.record.get(&task) else { return Some(format!("{job} was told #{task}, which is gone")) };
    let prompt = format!("{job} {}", wish.plan.does);
    if (said.kind.as_str(), said.prompt.as_str()) != (wish.plan.kind.name(), prompt.as_str()) {
        return Some(format!("{job} was told #{task}, which is {} {:?}", said.kind, said.prompt));
    }
    let state = said.state.as_str();
    let unheard = (wish.approved.is_some() && state == "REQUESTED")
        || (wish.resumed.is_some() && ["REQUESTED", "APPROVED"].contains(&state))
        || (wish.stopped.is_some() && state != "CANCELED" && evidence.struck.iter().all(|key| key.0 != task));
    unheard.then(|| format!("#{task} is {state}, whatever was answered before"))
}

const AGREES: Check = Check {
    name: "the record says what happened",
    check: |evidence| {
        let wrong = evidence.record.iter().find_map(|(task, said)| {
            let why = wrong(evidence, *task, said).or_else(|| gap(evidence, *task, said))?;
            Some(format!("#{task}: {why}"))
        });
        (evidence.record.len(), wrong)
    },
};

const NOTHING_LEFT: Check = Check {
    name: "nothing left running",
    check: |evidence| {
        let left = (!evidence.left.is_empty()).then(|| evidence.left.join(", "));
        // Not looked at while a task has not ended.
        let all_over = evidence.record.values().all(Said::is_over);
        (if all_over { evidence.attempts().len() } else { 0 }, left)
    },
};

/// Why an attempt was allowed to run.
pub(super) fn allowed(evidence: &Evidence, key: Key) -> Allowed {
    let (task, n) = key;
    if n <= 1 {
        return Allowed::First;
    }
    let before = (task, n - 1);
    let Some(wish) = evidence.wish_of(task) else { return Allowed::Nothing };
    let kind = wish.plan.kind;
    let may_pass = match kind {
        Kind::Again => evidence.struck.contains(&before),
        Kind::Flaky => evidence.code(before) == Some(TRANSIENT),
        Kind::Once | Kind::Light | Kind::Stubborn => false,
    };
    // Else there is a gap in the attempts.
    let ran_before = evidence.ran(task).contains(&before.1) || evidence.struck.contains(&before);
    if may_pass && ran_before && n <= kind.attempts_max() { Allowed::Retry } else { Allowed::Nothing }
}

/// Why state and outcome of a task are not what machine, chat and wish make of it.
pub(super) fn wrong(evidence: &Evidence, task: i64, said: &Said) -> Option<String> {
    let Some(wish) = evidence.wish_of(task) else { return Some("it came of no wish".into()) };
    if wish.resumed.is_none() {
        // Who could not let it run was answered wrongly, which counts elsewhere; that it did not run is right.
        let ran = evidence.ran(task);
        return (!ran.is_empty()).then(|| format!("nobody let it run, and attempts {ran:?} did"));
    }
    let key = (task, said.attempt);
    let ways = ways(evidence, wish, key);
    let fits = ways.iter().any(|way| match way {
        Way::Code(0) => said.state == "SUCCEEDED",
        Way::Code(code) => said.state == "FAILED" && said.exit_code == Some(*code),
        Way::Unknown => said.state == "FAILED" && said.outcome.as_deref() == Some("unknown"),
        Way::Stopped => said.state == "CANCELED",
    });
    let is =
        || format!("{} ({:?}, exit code {:?}), attempt {}", said.state, said.outcome, said.exit_code, said.attempt);
    (!fits).then(|| format!("it is {}; it may be {ways:?}", is()))
}

/// How a task may have ended with this attempt, by the worker's book and what was done to it.
fn ways(evidence: &Evidence, wish: &Wish, key: Key) -> Vec<Way> {
    let kind = wish.plan.kind;
    let is_last = key.1 >= kind.attempts_max();
    let code = evidence.code(key).filter(|code| is_last || kind != Kind::Flaky || *code != TRANSIENT);
    let mut ways: Vec<Way> = code.map(Way::Code).into_iter().collect();
    if evidence.struck.contains(&key) && (is_last || kind != Kind::Again) {
        ways.push(Way::Unknown);
    }
    if wish.stopped.is_some() {
        ways.push(Way::Stopped);
    }
    ways
}

/// What is missing between a wish and its report, or does not agree with the book.
pub(super) fn gap(evidence: &Evidence, task: i64, said: &Said) -> Option<String> {
    if !said.is_over() {
        return Some(format!("it is still {}", said.state));
    }
    if !said.complete {
        return Some("its trace is not complete".into());
    }
    if !evidence.told.iter().any(|told| told.task == task) {
        return Some("no report is in the chat".into());
    }
    let ran = evidence.ran(task);
    if let Some(n) = ran.iter().find(|n| !said.ended.contains(n)) {
        return Some(format!("attempt {n} ran by its book, and its end is not in the trace"));
    }
    // An attempt whose shim was killed may have come to nothing before its worker could write.
    let unseen = said.ended.iter().find(|n| !ran.contains(n) && !evidence.struck.contains(&(task, **n)));
    unseen.map(|n| format!("attempt {n} ended by the trace, and no book has it"))
}
