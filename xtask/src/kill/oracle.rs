//! What must hold of a run, and what became of each task by everything but the daemon's word. Pure functions over the evidence.

use super::chance::Kind;
use super::evidence::{Evidence, Key, Said, Told, Wish, Word};
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

/// What is asked of every run. Where a simulation asks the same, by the same name.
pub(crate) const PROPERTIES: [Check; 8] = [ONCE, REASON, REPORTED, KEPT, ONE_EFFECT, TRUE_EXIT, TRACED, NOTHING_LEFT];

/// A property: its name, how often it could have been broken here, and how it was.
#[derive(Clone, Copy)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    check: fn(&Evidence) -> (usize, Option<String>),
}

/// All of them over this evidence.
pub(crate) fn judge(evidence: &Evidence) -> Vec<Property> {
    let one = |Check { name, check }: &Check| {
        let (looked, broken) = check(evidence);
        Property { name: (*name).to_owned(), looked: looked as u64, broken }
    };
    PROPERTIES.iter().map(one).collect()
}

const ONCE: Check = Check {
    name: "no attempt runs twice",
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
    name: "every end is reported, and repeats are marked",
    check: |evidence| {
        let over: Vec<(&i64, &Said)> = evidence.record.iter().filter(|(_, said)| said.is_over()).collect();
        let broken = over.iter().find_map(|(task, said)| {
            let told: Vec<&Told> = evidence.told.iter().filter(|told| told.task == **task).collect();
            let as_new = told.iter().filter(|told| !told.marked).count();
            match told.iter().find(|told| told.state != said.state) {
                Some(other) => Some(format!("#{task} is {} and was reported {}", said.state, other.state)),
                None if told.is_empty() => Some(format!("nobody was told that #{task} is {}", said.state)),
                None => (as_new > 1).then(|| format!("the end of #{task} was told {as_new} times as if new")),
            }
        });
        (over.len(), broken)
    },
};

const KEPT: Check = Check {
    name: "nothing acknowledged is lost",
    check: |evidence| {
        let acknowledged = |wish: &Wish| {
            [wish.task, wish.approved, wish.resumed, wish.stopped].iter().filter(|what| what.is_some()).count()
        };
        let lost = evidence.wishes.iter().find_map(|wish| lost(evidence, wish));
        (evidence.wishes.iter().map(acknowledged).sum(), lost)
    },
};

fn lost(evidence: &Evidence, wish: &Wish) -> Option<String> {
    let (job, task) = (&wish.job, wish.task?);
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

const ONE_EFFECT: Check = Check {
    name: "one wish has one effect",
    check: |evidence| {
        let mut made: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        let mut stray = None;
        for task in evidence.record.keys() {
            match evidence.wish_of(*task) {
                Some(wish) => made.entry(&wish.job).or_default().push(*task),
                None => stray = stray.or_else(|| Some(format!("#{task} came of no wish"))),
            }
        }
        let twice = made.iter().find(|(_, tasks)| tasks.len() > 1);
        (made.len(), twice.map(|(job, tasks)| format!("{job} was asked for once and became {tasks:?}")).or(stray))
    },
};

const TRUE_EXIT: Check = Check {
    name: "a true exit is reported as such",
    check: |evidence| (evidence.record.len(), first(evidence, wrong)),
};

const TRACED: Check = Check {
    name: "the trace of an ended task is complete",
    check: |evidence| (evidence.record.len(), first(evidence, gap)),
};

/// The first task of which something is to be said.
fn first(evidence: &Evidence, what: fn(&Evidence, i64, &Said) -> Option<String>) -> Option<String> {
    evidence.record.iter().find_map(|(task, said)| Some(format!("#{task}: {}", what(evidence, *task, said)?)))
}

const NOTHING_LEFT: Check = Check {
    name: "nothing is left running",
    check: |evidence| {
        let left = (!evidence.left.is_empty()).then(|| evidence.left.join(", "));
        // Not looked at while a task has not ended.
        let all_over = evidence.record.values().all(Said::is_over);
        (if all_over { evidence.attempts().len() } else { 0 }, left)
    },
};

/// Why an attempt was allowed to run.
pub(crate) fn allowed(evidence: &Evidence, key: Key) -> Allowed {
    let (task, n) = key;
    if n <= 1 {
        return Allowed::First;
    }
    let before = (task, n - 1);
    let Some(wish) = evidence.wish_of(task) else { return Allowed::Nothing };
    let kind = wish.plan.kind;
    let may_pass = match kind {
        Kind::Again => evidence.struck.contains(&before) || evidence.code(before).is_some_and(|code| code != 0),
        Kind::Flaky => evidence.code(before) == Some(TRANSIENT),
        Kind::Once | Kind::Light | Kind::Stubborn => false,
    };
    // Else there is a gap in the attempts.
    let ran_before = evidence.ran(task).contains(&before.1) || evidence.struck.contains(&before);
    if may_pass && ran_before && n <= kind.attempts_max() { Allowed::Retry } else { Allowed::Nothing }
}

/// Why state and outcome of a task are not what machine, chat and wish make of it.
pub(crate) fn wrong(evidence: &Evidence, task: i64, said: &Said) -> Option<String> {
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
    let is_tried_again = |code: i64| match kind {
        Kind::Again => code != 0,
        Kind::Flaky => code == TRANSIENT,
        Kind::Once | Kind::Light | Kind::Stubborn => false,
    };
    let code = evidence.code(key).filter(|code| is_last || !is_tried_again(*code));
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
pub(crate) fn gap(evidence: &Evidence, task: i64, said: &Said) -> Option<String> {
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
