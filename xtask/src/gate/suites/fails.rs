//! Whether a gate of a build with a bug fails, and by the row that it should fail by: the lines that a gate would have of the
//! run in which the bug was found, scored as a gate scores them.
//!
//! One run decides that, whatever else a gate sees: of a broken property, a step that does not hold and a run that was cut off
//! one is too many, and nothing that is good elsewhere makes up for it. Rows that are shares do not count here, for with those
//! it could.

use mainstay_metric::ledger::{End, Line, Origin, Step};
use mainstay_metric::scorecard::{Measured, Outcome, Part, Scorecard};
use mainstay_metric::scorer::{Scope, Scorer};
use mainstay_metric::table::{INVARIANTS, STEPS};

/// The row that has to be refuted, and the part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct By<'a> {
    row: &'static str,
    part: &'a str,
}

impl<'a> By<'a> {
    /// What a property finds is a failure of that property; what leaves a run without an end, one of the run's suite.
    pub(super) fn found(by: &'a str, suite: &'a str, lines: &[Line]) -> By<'a> {
        let cut_off = |line: &Line| matches!(line, Line::End(End { cut_off: Some(why), .. }) if why.starts_with(by));
        if lines.iter().any(cut_off) { By::step_of(suite) } else { By { row: INVARIANTS, part: by } }
    }

    /// A step of this suite does not hold.
    pub(super) fn step_of(suite: &'a str) -> By<'a> {
        By { row: STEPS, part: suite }
    }
}

/// The name of the step that a gate of this bug fails.
pub(crate) fn name(bug: &str) -> String {
    format!("a gate of {bug} fails")
}

/// The step that a gate which had these lines fails, and by that.
pub(super) fn step(bug: &str, lines: &[Line], by: By<'_>) -> Step {
    let card = scored(lines);
    let refuted = card.metrics.iter().any(|metric| is_refuted(metric, by));
    let held = card.verdict == Outcome::Fail && refuted;
    let should = if refuted { String::new() } else { format!("; {} should fail by {:?}", by.row, by.part) };
    Step { name: name(bug), held: Some(held), seen: format!("{}{should}", said(&card)) }
}

/// The step that these lines fail no gate.
pub(super) fn clean(name: &str, lines: &[Line]) -> Step {
    let card = scored(lines);
    Step { name: name.to_owned(), held: Some(card.verdict != Outcome::Fail), seen: said(&card) }
}

fn scored(lines: &[Line]) -> Scorecard {
    let mut scorer = Scorer::new(Scope::Gate);
    lines.iter().for_each(|line| scorer.add(line));
    scorer.finish(&[])
}

fn is_refuted(metric: &Measured, by: By<'_>) -> bool {
    let part = |part: &Part| part.name == by.part && part.outcome == Outcome::Fail;
    metric.id == by.row
        && metric.origin == Origin::Sim
        && metric.counts
        && metric.outcome == Outcome::Fail
        && metric.parts.iter().any(part)
}

/// The verdict, and why. Of what is only not looked at enough, a single run has all rows.
fn said(card: &Scorecard) -> String {
    let refuted = card.metrics.iter().filter(|metric| metric.counts && metric.outcome == Outcome::Fail);
    let why: Vec<String> = refuted.map(|metric| format!("{}: {}", metric.id, metric.why)).collect();
    if why.is_empty() { "no row fails".to_owned() } else { format!("FAIL: {}", why.join(" / ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_metric::ledger::{Property, Run};

    const PROPERTY: &str = "no attempt runs twice";

    fn run(inner: Vec<Line>, cut_off: Option<&str>) -> Vec<Line> {
        let head = Run {
            suite: "scenarios".into(),
            origin: Origin::Sim,
            seed: 3,
            scenario: "swarm".into(),
            persona: None,
            faults: true,
            kept: false,
        };
        let end = End { at_ms: 1, cut_off: cut_off.map(str::to_owned), digest: None };
        std::iter::once(Line::Run(head)).chain(inner).chain([Line::End(end)]).collect()
    }

    fn property(name: &str, broken: bool) -> Line {
        let broken = broken.then(|| "task 7 did".to_owned());
        Line::Property(Property { name: name.into(), looked: 9, broken })
    }

    fn held(lines: &[Line], by: &str) -> Option<bool> {
        step("x", lines, By::found(by, "scenarios", lines)).held
    }

    #[test]
    fn a_gate_fails_by_the_property_that_found_it_and_by_no_other() {
        let lines = run(vec![property(PROPERTY, true), property("retry budgets are kept", false)], None);
        let step = step("x", &lines, By::found(PROPERTY, "scenarios", &lines));
        assert_eq!((step.held, step.name.as_str()), (Some(true), "a gate of x fails"));
        assert!(step.seen.contains("control-invariants") && step.seen.contains("task 7 did"), "{}", step.seen);
        assert_eq!(held(&lines, "retry budgets are kept"), Some(false));
        assert_eq!(held(&run(vec![property(PROPERTY, false)], None), PROPERTY), Some(false));
        assert_eq!(held(&run(Vec::new(), None), PROPERTY), Some(false));
    }

    #[test]
    fn a_run_without_an_end_fails_by_its_suite_if_that_is_what_was_found() {
        let lines = run(Vec::new(), Some("the run itself panicked: overflow"));
        assert_eq!(held(&lines, "the run itself panicked"), Some(true));
        let another = held(&lines, PROPERTY);
        assert_eq!(another, Some(false), "it was cut off for another reason than the one that is asked for");
    }

    #[test]
    fn a_control_that_is_not_noticed_fails_by_its_step() {
        let step_of = |held| Line::Step(Step { name: "clocks jump".into(), held: Some(held), seen: String::new() });
        let lines = |held| run(vec![step_of(held)], None);
        assert_eq!(step("x", &lines(false), By::step_of("scenarios")).held, Some(true));
        assert_eq!(step("x", &lines(true), By::step_of("scenarios")).held, Some(false));
        assert_eq!(step("x", &lines(false), By::step_of("crash")).held, Some(false));
    }

    #[test]
    fn what_is_good_fails_no_gate() {
        assert_eq!(clean("x", &run(vec![property(PROPERTY, false)], None)).held, Some(true));
        assert_eq!(clean("x", &run(vec![property(PROPERTY, true)], None)).held, Some(false));
        assert_eq!(clean("x", &run(Vec::new(), Some("it panicked"))).held, Some(false));
    }
}
