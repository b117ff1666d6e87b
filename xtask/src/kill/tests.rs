//! Each property holds of a good run, and each forgery breaks the one that it is meant for.

use super::chance::{self, Blow, Chance, Kind, Plan, Via};
use super::evidence::{Evidence, Said, Told, Wish};
use super::forge::{FORGERIES, tried};
use super::lab::entry;
use super::lines::lines;
use super::oracle::{PROPERTIES, judge};
use mainstay_metric::ledger::Line;
use std::collections::BTreeSet;

/// What somebody wanted, what the book says of it, and what became of it by the daemon.
struct Case {
    kind: Kind,
    code: i64,
    book: &'static [&'static str],
    state: &'static str,
    outcome: &'static str,
    exit_code: Option<i64>,
    attempt: u32,
}

/// A run with every kind of task, in which all is right.
fn good() -> Evidence {
    let cases = [
        Case {
            kind: Kind::Once,
            code: 0,
            book: &["begin 1 1 100 5.00 job-1", "effect 1 1 100 5.01 job-1", "end 1 1 100 5.20 0"],
            state: "SUCCEEDED",
            outcome: "success",
            exit_code: Some(0),
            attempt: 1,
        },
        Case {
            kind: Kind::Once,
            code: 2,
            book: &["begin 2 1 101 5.00 job-2", "effect 2 1 101 5.01 job-2", "end 2 1 101 5.20 2"],
            state: "FAILED",
            outcome: "failure",
            exit_code: Some(2),
            attempt: 1,
        },
        // Its shim was killed, and it ran again.
        Case {
            kind: Kind::Again,
            code: 0,
            book: &[
                "begin 3 1 102 5.00 job-3",
                "effect 3 1 102 5.00 job-3",
                "begin 3 2 103 5.50 job-3",
                "effect 3 2 103 5.50 job-3",
                "end 3 2 103 5.60 0",
            ],
            state: "SUCCEEDED",
            outcome: "success",
            exit_code: Some(0),
            attempt: 2,
        },
        // Its shim was killed too.
        Case {
            kind: Kind::Once,
            code: 0,
            book: &["begin 4 1 104 5.00 job-4"],
            state: "FAILED",
            outcome: "unknown",
            exit_code: None,
            attempt: 1,
        },
    ];
    let mut evidence = Evidence::default();
    for (case, task) in cases.into_iter().zip(1..) {
        let (job, does) = (format!("job-{task}"), format!("for 0.200 {}", case.code));
        evidence.told.push(Told { task, state: case.state.into(), marked: false });
        evidence.book.extend(case.book.iter().map(|line| entry(line, 4.0).expect("a line of the book")));
        let said = Said {
            kind: case.kind.name().into(),
            prompt: format!("{job} {does}"),
            state: case.state.into(),
            outcome: Some(case.outcome.into()),
            exit_code: case.exit_code,
            attempt: case.attempt,
            complete: true,
            ended: (1..=case.attempt).collect(),
        };
        evidence.record.insert(task, said);
        let plan = Plan { kind: case.kind, via: Via::Socket, does, code: case.code };
        let (approved, resumed) = (Some(10), Some(20));
        evidence.wishes.push(Wish { job, plan, task: Some(task), approved, resumed, stopped: None, acts: 2 });
    }
    evidence.struck = BTreeSet::from([(3, 1), (4, 1)]);
    evidence.ended = vec![Some(0)];
    evidence
}

#[test]
fn a_good_run_breaks_nothing_and_every_property_is_looked_at() {
    for property in judge(&good()) {
        assert_eq!(property.broken, None, "{}", property.name);
        assert!(property.looked > 0, "{} was asked of nothing", property.name);
    }
}

#[test]
fn every_forgery_is_noticed_by_the_property_that_it_is_meant_for() {
    for forgery in FORGERIES {
        let mut forged = good();
        (forgery.forge)(&mut forged).expect("there is something to forge it with");
        let broken = judge(&forged).into_iter().find(|property| property.name == forgery.breaks);
        assert!(broken.is_some_and(|property| property.broken.is_some()), "{}", forgery.name);
    }
    assert_eq!(tried(&good()).len(), FORGERIES.len());
}

#[test]
fn every_property_has_a_forgery() {
    for property in PROPERTIES {
        assert!(FORGERIES.iter().any(|forgery| forgery.breaks == property.name), "{}", property.name);
    }
}

#[test]
fn what_a_kind_does_not_allow_is_wrong() {
    let broken = |change: &dyn Fn(&mut Evidence)| {
        let mut evidence = good();
        change(&mut evidence);
        judge(&evidence).into_iter().filter(|p| p.broken.is_some()).map(|p| p.name).collect::<Vec<_>>()
    };
    let exit = "a true exit is reported as such".to_owned();
    // Nobody killed its shim, so its outcome is known.
    assert_eq!(broken(&|e| e.struck.retain(|key| *key != (4, 1))), std::slice::from_ref(&exit));
    // It may run again, and was given up at the first unknown outcome.
    let given_up = broken(&|e| {
        e.book.retain(|entry| entry.key != (3, 2));
        let said = e.record.get_mut(&3).expect("a task");
        (said.state, said.attempt) = ("FAILED".into(), 1);
        (said.outcome, said.exit_code) = (Some("unknown".into()), None);
        e.told[2].state = "FAILED".into();
    });
    assert_eq!(given_up, [exit, "the trace of an ended task is complete".into()]);
    // A repeat that says so is none.
    assert!(broken(&|e| e.told.push(Told { marked: true, ..e.told[0].clone() })).is_empty());
}

#[test]
fn a_run_is_told_from_its_head_to_its_end_with_every_task() {
    let lines = lines(&good(), super::head(7, false), 1_000, None);
    assert!(matches!((lines.first(), lines.last()), (Some(Line::Run(_)), Some(Line::End(_)))));
    let tasks: Vec<_> = lines.iter().filter_map(|l| if let Line::Task(task) = l { Some(task) } else { None }).collect();
    assert!(tasks.iter().all(|task| task.wrong.is_none() && task.gap.is_none()), "{tasks:?}");
    // What lost its shim could not have succeeded for sure.
    assert_eq!(tasks.iter().map(|task| task.could_succeed).collect::<Vec<_>>(), [true, false, false, false]);
    let spawns = lines.iter().filter_map(|l| if let Line::Execution(run) = l { Some(run.spawns) } else { None });
    assert_eq!(spawns.collect::<Vec<_>>(), [1; 5]);
}

#[test]
fn the_same_seed_draws_the_same_rounds_and_many_seeds_every_blow() {
    let draw = |seed, disk| {
        let mut chance = Chance::new(seed);
        (0..200).map(|_| chance::round(&mut chance, disk)).collect::<Vec<_>>()
    };
    assert_eq!(format!("{:?}", draw(1, false)), format!("{:?}", draw(1, false)));
    let drawn: BTreeSet<Blow> =
        [false, true].into_iter().flat_map(|disk| draw(1, disk)).map(|round| round.blow).collect();
    assert_eq!(drawn, Blow::ALL.into_iter().collect());
}
