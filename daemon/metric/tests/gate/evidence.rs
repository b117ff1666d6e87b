//! Evidence as a simulated gate would leave it, of a system that fails at a given rate.

use fastrand::Rng;
use mainstay_metric::ledger::{
    Act, Allowed, Command, Did, End, Execution, Fault, Limited, Line, Mutant, Origin, Property, Rerun, Run, Slices,
    Step, Task,
};
use mainstay_metric::limits::{DAY_MS, READ_PER_MINUTE};
use mainstay_metric::properties::PROPERTIES;
use mainstay_metric::table::SUITES;

/// So many seeds with so many samples each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) seeds: u64,
    pub(crate) each: u64,
}

pub(crate) fn run(suite: &str, origin: Origin, seed: u64) -> Run {
    Run { suite: suite.into(), origin, seed, scenario: "a-day".into(), persona: None, faults: true, kept: false }
}

pub(crate) fn end() -> Line {
    Line::End(End { at_ms: DAY_MS, cut_off: None, digest: None })
}

pub(crate) fn cut_off() -> Line {
    Line::End(End { at_ms: DAY_MS, cut_off: Some("it panicked".into()), digest: None })
}

/// Runs of the soak, whose samples of a row are bad at this rate; of operator time, it is the mean of a day's minutes.
pub(crate) fn soak(row: &str, size: Size, rate: f64, rng: &mut Rng) -> Vec<Line> {
    let mut lines = Vec::new();
    for seed in 0..size.seeds {
        lines.push(Line::Run(run("soak", Origin::Sim, seed)));
        lines.extend(samples(row, seed, size.each, rate, rng));
        lines.push(end());
    }
    if row == "control-invariants" {
        lines.extend(proofs());
    }
    lines
}

/// Every property is shown to be able to fail.
pub(crate) fn proofs() -> Vec<Line> {
    let mut lines = vec![Line::Run(run("mutants", Origin::Sim, 0))];
    lines.extend(PROPERTIES.iter().enumerate().map(|(n, name)| match n {
        // One by a bug, the others by forged evidence.
        0 => Line::Mutant(Mutant { name: "m".into(), caught_by: Some((*name).into()), seeds: 1 }),
        1.. => Line::Step(Step { name: format!("forged {name}"), held: Some(true), seen: String::new() }),
    }));
    lines.push(end());
    lines
}

/// A run with a step for each suite.
pub(crate) fn suites() -> Vec<Line> {
    let suite = |(suite, origin): &(&str, Origin)| [Line::Run(run(suite, *origin, 1)), step(true), end()];
    SUITES.iter().flat_map(suite).collect()
}

pub(crate) fn step(held: bool) -> Line {
    Line::Step(Step { name: "lints".into(), held: Some(held), seen: "seen".into() })
}

fn samples(row: &str, seed: u64, each: u64, rate: f64, rng: &mut Rng) -> Vec<Line> {
    let minute = |n: u64| u32::try_from(n).expect("few");
    match row {
        "uptime" => {
            let bad = (0..each).filter(|_| rng.f64() < rate).map(minute).collect();
            vec![Line::Slices(Slices { all: minute(each), bad })]
        }
        // A day around the mean, as far as half of it to either side.
        "operator-time" => vec![read((rate * (0.5 + rng.f64())).max(0.0))],
        _ => (0..each).flat_map(|n| sample(row, seed, n, rng.f64() < rate)).collect(),
    }
}

/// A person reads for so many minutes.
pub(crate) fn read(minutes: f64) -> Line {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a test's number"
    )]
    let characters = (minutes * READ_PER_MINUTE as f64) as u32;
    Line::Act(Act { at_ms: 5, by: "ana".into(), did: Did::Read(characters) })
}

pub(crate) fn sample(row: &str, seed: u64, n: u64, bad: bool) -> Vec<Line> {
    let class = format!("class-{}", (seed + n) % 6);
    let fault = Fault {
        class,
        polls: true,
        struck_ms: 0,
        over_ms: 1_000,
        recovered_ms: (!bad).then_some(30_000),
        by_hand: false,
    };
    let line = match row {
        "command-success" => Line::Command(command(bad)),
        "duplicate-executions" => Line::Execution(Execution {
            task: 1,
            attempt: 1,
            heavy: true,
            began_ms: 0,
            spawns: if bad { 2 } else { 1 },
            effects: 1,
            allowed: Allowed::First,
        }),
        "control-invariants" => {
            let property = |name: &&str| Property { name: (*name).into(), looked: 1, broken: bad.then(|| "so".into()) };
            return PROPERTIES.iter().map(property).map(Line::Property).collect();
        }
        "poll-recovery" | "recovery-time" => Line::Fault(fault),
        "traceability" => Line::Task(Task { gap: bad.then(|| "no report".into()), ..task() }),
        "heavy-success" => Line::Task(Task { state: if bad { "FAILED" } else { "SUCCEEDED" }.into(), ..task() }),
        "human-intervention" => Line::Task(Task { acts: if bad { 3 } else { 2 }, ..task() }),
        "approve-to-resume" => Line::Task(Task { running_ms: Some(if bad { 9_000 } else { 2_900 }), ..task() }),
        "outcome-consistency" => return reruns(seed, n, bad),
        "mutants" => {
            let caught_by = (!bad).then(|| PROPERTIES[0].to_owned());
            Line::Mutant(Mutant { name: format!("bug-{seed}-{n}"), caught_by, seeds: 1 })
        }
        "steps" => step(!bad),
        row => unreachable!("no samples for {row}"),
    };
    vec![line]
}

pub(crate) fn command(bad: bool) -> Command {
    Command {
        at_ms: 0,
        by: "ana".into(),
        verb: "newtask".into(),
        answered_ms: (!bad).then_some(900),
        within_ms: 5_000,
        wrong: None,
        limited: Limited::No,
    }
}

/// A heavy task that was approved, resumed, and succeeded.
pub(crate) fn task() -> Task {
    Task {
        task: 1,
        kind: "build".into(),
        heavy: true,
        admitted: true,
        could_succeed: true,
        state: "SUCCEEDED".into(),
        outcome: Some("success".into()),
        wrong: None,
        gap: None,
        acts: 2,
        least_acts: 2,
        approved_ms: Some(1_000),
        resumed_ms: Some(2_000),
        running_ms: Some(2_500),
        withdrawn_ms: None,
    }
}

fn reruns(seed: u64, n: u64, bad: bool) -> Vec<Line> {
    let rerun = |schedule: u64| Rerun {
        job: format!("job-{seed}-{n}"),
        schedule,
        state: "SUCCEEDED".into(),
        effect: if bad && schedule == 3 { "other" } else { "same" }.into(),
        right: true,
    };
    (0..5).map(rerun).map(Line::Rerun).collect()
}
