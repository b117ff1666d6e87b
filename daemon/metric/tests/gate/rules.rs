//! The rules one by one: each is broken here by evidence that is good in everything else.

use crate::evidence::{Size, command, cut_off, end, proofs, run, sample, soak, step, suites, task};
use crate::{of, score};
use fastrand::Rng;
use mainstay_metric::ledger::{
    Allowed, Command, Execution, Fault, Limited, Line, Mutant, Origin, Property, Slices, Task,
};
use mainstay_metric::scorecard::{Measured, Outcome};

fn rng() -> Rng {
    Rng::with_seed(3)
}

/// Good evidence of a row, and then this run.
fn and(row: &str, size: Size, more: Vec<Line>) -> Measured {
    let mut lines = soak(row, size, 0.0, &mut rng());
    lines.extend(more);
    of(&score(&lines), row, Origin::Sim).clone()
}

const COMMANDS: Size = Size { seeds: 100, each: 20 };

#[test]
fn a_run_that_was_cut_off_is_all_failures() {
    let open = |last: Option<Line>| {
        let mut lines = vec![Line::Run(run("soak", Origin::Sim, 500))];
        lines.extend((0..20).map(|_| Line::Command(command(false))));
        lines.extend(last);
        lines
    };
    assert_eq!(and("command-success", COMMANDS, open(Some(end()))).failures, 0);
    for last in [None, Some(cut_off())] {
        assert_eq!(and("command-success", COMMANDS, open(last)).failures, 20);
    }
    // Before anything could be seen: one, where its suite is known to be about that.
    let silent = vec![Line::Run(run("soak", Origin::Sim, 500)), cut_off()];
    assert_eq!(and("command-success", COMMANDS, silent.clone()).failures, 1);
    assert_eq!(of(&score(&[suites(), silent].concat()), "steps", Origin::Sim).outcome, Outcome::Fail);
    let other = vec![Line::Run(run("crash", Origin::Sim, 500)), cut_off()];
    assert_eq!(and("command-success", COMMANDS, other).failures, 0);
}

#[test]
fn a_kept_seed_counts_in_no_ratio_and_must_hold() {
    let kept = |line: Line| {
        let mut run = run("soak", Origin::Sim, 500);
        run.kept = true;
        vec![Line::Run(run), line, end()]
    };
    let counted = and("command-success", COMMANDS, kept(Line::Command(command(true))));
    assert_eq!((counted.outcome, counted.sample), (Outcome::Pass, 2_000));
    let broken = Property { name: "flood waits are kept".into(), looked: 5, broken: Some("no".into()) };
    let counted = and("control-invariants", Size { seeds: 100, each: 10 }, kept(Line::Property(broken)));
    assert_eq!((counted.outcome, counted.failures), (Outcome::Fail, 1));
    let twice = sample("duplicate-executions", 0, 0, true).remove(0);
    assert_eq!(and("duplicate-executions", Size { seeds: 100, each: 300 }, kept(twice)).outcome, Outcome::Fail);
}

#[test]
fn a_late_wrong_or_refused_answer_is_a_failure() {
    let good = command(false);
    for bad in [
        Command { answered_ms: None, ..good.clone() },
        Command { answered_ms: Some(5_001), ..good.clone() },
        Command { wrong: Some("says 3 tasks of 2".into()), ..good.clone() },
        Command { limited: Limited::Within, ..good.clone() },
    ] {
        let card = score(&[Line::Run(run("soak", Origin::Sim, 1)), Line::Command(bad.clone()), end()]);
        assert_eq!(of(&card, "command-success", Origin::Sim).failures, 1, "{bad:?}");
    }
    let over = Command { limited: Limited::Over, wrong: Some("refused".into()), ..good };
    let card = score(&[Line::Run(run("soak", Origin::Sim, 1)), Line::Command(over), end()]);
    let measured = of(&card, "command-success", Origin::Sim);
    assert_eq!((measured.sample, measured.excluded.len()), (0, 1));
    assert_eq!(measured.outcome, Outcome::Inconclusive);
}

#[test]
fn only_a_faulty_world_shows_that_nothing_runs_twice() {
    let attempt =
        Execution { task: 1, attempt: 1, heavy: true, began_ms: 0, spawns: 1, effects: 1, allowed: Allowed::First };
    let of_run = |faults: bool, attempt: &Execution| {
        let mut run = run("soak", Origin::Sim, 1);
        run.faults = faults;
        let card = score(&[Line::Run(run), Line::Execution(attempt.clone()), end()]);
        let measured = of(&card, "duplicate-executions", Origin::Sim);
        (measured.sample, measured.failures)
    };
    assert_eq!((of_run(true, &attempt), of_run(false, &attempt)), ((1, 0), (0, 0)));
    for twice in [
        Execution { spawns: 2, ..attempt.clone() },
        Execution { effects: 2, ..attempt.clone() },
        Execution { spawns: 0, ..attempt.clone() },
        Execution { allowed: Allowed::Nothing, ..attempt.clone() },
    ] {
        assert_eq!((of_run(true, &twice).1, of_run(false, &twice)), (1, (1, 1)), "{twice:?}");
    }
}

#[test]
fn a_property_that_was_asked_too_little_or_never_failed_anywhere_shows_nothing() {
    let size = Size { seeds: 100, each: 10 };
    let whole = soak("control-invariants", size, 0.0, &mut rng());
    let outcome = |lines: &[Line]| of(&score(lines), "control-invariants", Origin::Sim).clone();
    assert_eq!(outcome(&whole).outcome, Outcome::Pass);
    let without_proof = &whole[..whole.len() - proofs().len()];
    let measured = outcome(without_proof);
    assert_eq!(measured.outcome, Outcome::Inconclusive);
    assert!(measured.why.contains("not shown to be able to fail"), "{}", measured.why);
    let name = mainstay_metric::properties::PROPERTIES[5];
    let is_it = |line: &Line| matches!(line, Line::Property(property) if property.name == name);
    let never: Vec<Line> = whole.iter().filter(|line| !is_it(line)).cloned().collect();
    assert!(outcome(&never).why.contains("never asked"), "{}", outcome(&never).why);
    let mut once = false;
    let fewer: Vec<Line> =
        whole.iter().filter(|line| !is_it(line) || std::mem::replace(&mut once, true)).cloned().collect();
    let measured = outcome(&fewer);
    assert_eq!(measured.outcome, Outcome::Inconclusive);
    assert!(measured.why.contains("999 of 1000"), "{}", measured.why);
}

#[test]
fn one_class_of_incidents_does_not_hide_behind_the_others() {
    let slow = |n: u64| {
        let fault = Fault {
            class: "disk-full".into(),
            polls: true,
            struck_ms: 0,
            over_ms: 0,
            recovered_ms: Some(if n < 10 { 700_000 } else { 60_000 }),
            by_hand: false,
        };
        Line::Fault(fault)
    };
    let mut more = vec![Line::Run(run("soak", Origin::Sim, 500))];
    more.extend((0..60).map(slow));
    more.push(end());
    let measured = and("recovery-time", Size { seeds: 100, each: 60 }, more);
    assert_eq!(measured.outcome, Outcome::Fail, "{}", measured.why);
    assert!(measured.why.contains("not shown of disk-full"), "{}", measured.why);
}

#[test]
fn a_hand_is_no_recovery_of_polling() {
    let fault =
        Fault { class: "hang".into(), polls: true, struck_ms: 0, over_ms: 0, recovered_ms: Some(1), by_hand: true };
    let card = score(&[Line::Run(run("soak", Origin::Sim, 1)), Line::Fault(fault), end()]);
    assert_eq!(of(&card, "poll-recovery", Origin::Sim).failures, 1);
    assert_eq!(of(&card, "recovery-time", Origin::Sim).failures, 0);
}

#[test]
fn the_worst_persona_decides() {
    let mut lines = Vec::new();
    for (persona, rate) in [("attentive", 0.0), ("hasty", 0.25)] {
        let mut more = soak("human-intervention", Size { seeds: 100, each: 5 }, rate, &mut rng());
        for line in &mut more {
            if let Line::Run(run) = line {
                run.persona = Some(persona.into());
            }
        }
        lines.extend(more);
    }
    let card = score(&lines);
    let measured = of(&card, "human-intervention", Origin::Sim);
    let outcomes: Vec<(&str, Outcome)> = measured.parts.iter().map(|part| (part.name.as_str(), part.outcome)).collect();
    assert_eq!(outcomes, [("attentive", Outcome::Pass), ("hasty", Outcome::Fail)]);
    assert_eq!(measured.outcome, Outcome::Fail, "{}", measured.why);
}

#[test]
fn a_task_that_never_ran_is_late_and_one_that_was_withdrawn_in_time_is_not() {
    let of_task = |task: Task| {
        let card = score(&[Line::Run(run("soak", Origin::Sim, 1)), Line::Task(task), end()]);
        let measured = of(&card, "approve-to-resume", Origin::Sim);
        (measured.sample, measured.failures)
    };
    let never = Task { running_ms: None, ..task() };
    assert_eq!(of_task(task()), (1, 0));
    // People's part is a model: an hour between approval and resume is theirs.
    assert_eq!(of_task(Task { resumed_ms: Some(3_600_000), running_ms: Some(3_601_000), ..task() }), (1, 0));
    assert_eq!(of_task(Task { running_ms: Some(7_001), ..task() }), (1, 1));
    assert_eq!(of_task(Task { state: "EXPIRED".into(), ..never.clone() }), (1, 1));
    let withdrawn = Task { state: "CANCELED".into(), withdrawn_ms: Some(7_000), ..never.clone() };
    assert_eq!(of_task(withdrawn.clone()), (0, 0));
    assert_eq!(
        of_task(Task { withdrawn_ms: Some(7_001), ..withdrawn }),
        (1, 1),
        "because it was late, for all we know"
    );
    assert_eq!(of_task(Task { admitted: false, resumed_ms: None, ..never }), (0, 0));
    // The whole, with people as modelled, stands beside it and decides nothing.
    let slow = Task { resumed_ms: Some(3_600_000), running_ms: Some(3_601_000), ..task() };
    let card = score(&[Line::Run(run("soak", Origin::Sim, 1)), Line::Task(slow), Line::Task(task()), end()]);
    let [part] = &of(&card, "approve-to-resume", Origin::Sim).parts[..] else { panic!("one part") };
    assert_eq!((part.sample, part.failures), (2, 1));
}

#[test]
fn slices_count_once_and_a_week_has_to_be_among_them() {
    let slices = |seed: u64, all: u32, bad: Vec<u32>| {
        [Line::Run(run("soak", Origin::Sim, seed)), Line::Slices(Slices { all, bad }), end()]
    };
    let lines: Vec<Line> = (0..100).flat_map(|seed| slices(seed, 2_880, vec![1, 1, 1])).collect();
    let card = score(&lines);
    let measured = of(&card, "uptime", Origin::Sim);
    assert_eq!((measured.sample, measured.failures), (288_000, 100));
    assert_eq!(measured.outcome, Outcome::Inconclusive);
    let week = [lines, slices(100, 10_080, Vec::new()).to_vec()].concat();
    assert_eq!(of(&score(&week), "uptime", Origin::Sim).outcome, Outcome::Pass);
}

#[test]
fn a_job_needs_its_five_reruns_and_has_to_be_right() {
    let size = Size { seeds: 100, each: 1 };
    let four = sample("outcome-consistency", 500, 0, false).into_iter().take(4);
    let more = [Line::Run(run("soak", Origin::Sim, 500))].into_iter().chain(four).chain([end()]).collect();
    let measured = and("outcome-consistency", size, more);
    assert_eq!(measured.failures, 1);
    assert!(measured.why.contains("4 of 5 reruns"), "{}", measured.why);
    let mut wrong = sample("outcome-consistency", 500, 0, false);
    for line in &mut wrong {
        if let Line::Rerun(rerun) = line {
            rerun.right = false;
        }
    }
    let more = [Line::Run(run("soak", Origin::Sim, 500))].into_iter().chain(wrong).chain([end()]).collect();
    assert_eq!(and("outcome-consistency", size, more).failures, 1);
}

#[test]
fn what_could_not_be_tried_is_not_held() {
    let untried = Line::Step(mainstay_metric::ledger::Step { name: "boot".into(), held: None, seen: String::new() });
    let of_step = |line: Line| {
        let more = vec![Line::Run(run("kill", Origin::Lab, 500)), line, end()];
        of(&score(&[suites(), more].concat()), "steps", Origin::Lab).outcome
    };
    assert_eq!(
        (of_step(step(true)), of_step(untried), of_step(step(false))),
        (Outcome::Pass, Outcome::Inconclusive, Outcome::Fail)
    );
}

#[test]
fn a_missing_suite_or_a_torn_file_is_told() {
    let without: Vec<Line> = suites()[..suites().len() - 3].to_vec();
    let card = score(&without);
    assert!(of(&card, "steps", Origin::Sim).why.contains("nothing of suite soak"));
    let torn = [vec![step(true)], suites()].concat();
    assert_eq!(of(&score(&torn), "steps", Origin::Lab).outcome, Outcome::Fail);
    let torn = [suites(), vec![end()]].concat();
    assert_eq!(of(&score(&torn), "steps", Origin::Lab).outcome, Outcome::Fail);
}

#[test]
fn a_bug_that_is_found_once_and_missed_once_is_missed() {
    let mutant = |caught_by: Option<&str>| {
        Line::Mutant(Mutant { name: "bug-0-1".into(), caught_by: caught_by.map(str::to_owned), seeds: 9 })
    };
    let more = |line| vec![Line::Run(run("mutants", Origin::Sim, 500)), line, end()];
    let size = Size { seeds: 1, each: 98 };
    assert_eq!(and("mutants", size, more(mutant(Some("a property")))).outcome, Outcome::Pass);
    assert_eq!(and("mutants", size, more(mutant(None))).outcome, Outcome::Fail);
}

#[test]
fn origins_are_never_put_together() {
    let mut lines = soak("command-success", COMMANDS, 0.0, &mut rng());
    lines.extend([Line::Run(run("kill", Origin::Lab, 1)), Line::Command(command(false)), end()]);
    lines.extend([Line::Run(run("window", Origin::Production, 1)), Line::Command(command(true)), end()]);
    let card = score(&lines);
    let told: Vec<(Origin, u64, bool)> = card
        .metrics
        .iter()
        .filter(|metric| metric.id == "command-success")
        .map(|metric| (metric.origin, metric.sample, metric.counts))
        .collect();
    assert_eq!(told, [(Origin::Sim, 2_000, true), (Origin::Lab, 1, false), (Origin::Production, 1, false)]);
    // What is watched counts as soon as it fails.
    lines.extend([Line::Run(run("kill", Origin::Lab, 2))]);
    lines.extend(sample("duplicate-executions", 0, 0, true));
    lines.push(end());
    let card = score(&lines);
    assert!(of(&card, "duplicate-executions", Origin::Lab).counts);
}
