//! What a probe is, and how the kinds of question that many of them share are answered.

use super::{Found, Probed};
use crate::gate::seen::Evidence;
use mainstay_metric::ledger::Origin;
use mainstay_metric::limits::{LOOKED_LEAST, MUTANTS_LEAST};

/// A question.
pub(crate) struct Probe {
    /// Its name, for good.
    pub(crate) id: &'static str,
    /// What it counts for.
    pub(crate) weight: u32,
    /// Without a yes the score is capped.
    pub(crate) critical: bool,
    /// What it belongs to.
    pub(crate) theme: Theme,
    /// The question; yes is good.
    pub(crate) asks: &'static str,
    /// How it is answered.
    pub(crate) look: Look,
}

/// What a probe belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Theme {
    /// The life cycle.
    States,
    /// Who may let what run.
    Approvals,
    /// Once is once.
    Idempotency,
    /// Queue, crashes, and what is there after them.
    Recovery,
    /// Limits of time.
    Timeouts,
    /// Record and trace.
    Trace,
    /// Alerts, probing from outside, people.
    Operations,
    /// Things made to go wrong.
    Chaos,
    /// Deploying and taking back.
    Deploy,
    /// The evidence itself.
    Evidence,
}

impl Theme {
    /// All of them.
    pub(crate) const ALL: [Theme; 10] = [
        Theme::States,
        Theme::Approvals,
        Theme::Idempotency,
        Theme::Recovery,
        Theme::Timeouts,
        Theme::Trace,
        Theme::Operations,
        Theme::Chaos,
        Theme::Deploy,
        Theme::Evidence,
    ];

    /// For people and files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Theme::States => "state machine",
            Theme::Approvals => "approvals",
            Theme::Idempotency => "idempotency",
            Theme::Recovery => "queue and recovery",
            Theme::Timeouts => "timeouts",
            Theme::Trace => "record and trace",
            Theme::Operations => "operations and alerts",
            Theme::Chaos => "chaos",
            Theme::Deploy => "deploy",
            Theme::Evidence => "evidence",
        }
    }
}

/// How a probe is answered.
pub(crate) enum Look {
    /// A property was asked of enough and never broke, in no suite.
    Holds(&'static str),
    /// A planted bug was found by this property: it can fail.
    Finds(&'static str),
    /// A step of a suite holds, wherever it was tried.
    Step(&'static str, &'static str),
    /// A class of faults struck so often.
    Struck(Origin, &'static str, u64),
    /// Something else.
    By(fn(&Evidence) -> Answer),
}

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The answer.
    pub(crate) found: Found,
    /// What was seen.
    pub(crate) seen: String,
    /// Where.
    pub(crate) at: String,
}

impl Answer {
    /// Yes or no.
    pub(crate) fn is(yes: bool, seen: impl Into<String>, at: impl std::fmt::Display) -> Answer {
        let found = if yes { Found::Yes } else { Found::No };
        Answer { found, seen: seen.into(), at: at.to_string() }
    }

    /// It can't be told.
    pub(crate) fn unknown(seen: impl Into<String>, at: impl std::fmt::Display) -> Answer {
        Answer { found: Found::Unknown, seen: seen.into(), at: at.to_string() }
    }
}

impl Probe {
    /// Answers it.
    pub(super) fn ask(&self, evidence: &Evidence) -> Probed {
        let Answer { found, seen, at } = match self.look {
            Look::Holds(property) => holds(evidence, property),
            Look::Finds(property) => finds(evidence, property),
            Look::Step(suite, name) => step(evidence, suite, name),
            Look::Struck(origin, class, least) => struck(evidence, origin, class, least),
            Look::By(look) => look(evidence),
        };
        Probed {
            id: self.id.to_owned(),
            weight: self.weight,
            critical: self.critical,
            theme: self.theme.name().to_owned(),
            asks: self.asks.to_owned(),
            outcome: found,
            seen,
            at,
        }
    }
}

fn holds(evidence: &Evidence, property: &str) -> Answer {
    let Some(looked) = evidence.seen.properties.get(property) else {
        return Answer::unknown(format!("nobody asked whether {property}"), "raw/");
    };
    let at = looked.first.as_ref().map_or_else(|| "raw/".to_owned(), ToString::to_string);
    let (n, broken, runs) = (looked.looked, looked.broken, looked.runs);
    match () {
        () if broken > 0 => Answer::is(false, format!("broken in {broken} of {runs} runs"), at),
        () if n < LOOKED_LEAST => Answer::unknown(format!("asked of {n} things only, of {LOOKED_LEAST}"), at),
        () => Answer::is(true, format!("asked of {n} things in {runs} runs, and never broken"), at),
    }
}

/// Fewer bugs were planted than decide anything.
pub(super) fn few(evidence: &Evidence) -> bool {
    u64::try_from(evidence.seen.mutants.len()).is_ok_and(|planted| planted < MUTANTS_LEAST)
}

fn finds(evidence: &Evidence, property: &str) -> Answer {
    let of = |planted: &&crate::gate::seen::Planted| planted.mutant.caught_by.as_deref() == Some(property);
    match evidence.seen.mutants.values().find(of) {
        Some(planted) => Answer::is(true, format!("it found {}", planted.mutant.name), &planted.place),
        // Another one may be the one that it finds.
        None if few(evidence) => Answer::unknown(
            format!("of {} planted bugs none was found by it", evidence.seen.mutants.len()),
            "raw/mutants/",
        ),
        None => Answer::is(false, "no planted bug was found by it", "raw/mutants/"),
    }
}

fn step(evidence: &Evidence, suite: &str, name: &str) -> Answer {
    let of: Vec<_> = evidence.seen.steps_of(suite).filter(|tried| tried.step.name == name).collect();
    let at = || format!("raw/{suite}/");
    if let Some(tried) = of.iter().find(|tried| tried.step.held == Some(false)) {
        return Answer::is(false, tried.step.seen.clone(), &tried.place);
    }
    match of.iter().find(|tried| tried.step.held.is_none()) {
        Some(tried) => Answer::unknown(format!("not tried: {}", tried.step.seen), &tried.place),
        None => match of.first() {
            Some(tried) => Answer::is(true, tried.step.seen.clone(), &tried.place),
            None => Answer::unknown(format!("{suite} tells of no step {name}"), at()),
        },
    }
}

fn struck(evidence: &Evidence, origin: Origin, class: &str, least: u64) -> Answer {
    match evidence.seen.faults.get(&(origin, class.to_owned())) {
        Some(strikes) if strikes.struck >= least => Answer::is(true, format!("{} times", strikes.struck), "raw/"),
        Some(strikes) => Answer::unknown(format!("{} of at least {least}", strikes.struck), "raw/"),
        None => Answer::unknown(format!("no fault of the class {class} is told of"), "raw/"),
    }
}
