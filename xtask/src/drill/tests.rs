//! Each property of a switch holds of a good round, and each forgery breaks the one that it is meant for; and a few seconds of
//! real drills, one of which has to be noticed.

use super::forge::{FORGERIES, tried};
use super::judge::{BACK_WITHIN_MS, IN_CHARGE, PROPERTIES, judge};
use super::lines::{fault_class, timeline, told, wrong};
use super::machine::{A, B};
use super::modes::{Bad, Ends, Flow, MODES, Mode, Runs, Variant};
use super::seen::{Seen, Span};
use super::{By, Goods, Wanted, built, play};
use crate::kill::chance::{Kind, Plan, Via};
use crate::kill::evidence::{Evidence, Said, Told, Wish};
use crate::kill::lab::entry;
use crate::stage::Profile;
use mainstay_metric::ledger::{Line, Property};
use std::path::Path;

/// A round of a release that failed and was left, with a task that ran over it; all is right.
pub(crate) fn good() -> Seen {
    let mode = MODES.iter().find(|mode| mode.name == "crash-at-start").expect("a mode");
    let book = ["begin 1 1 100 5.00 job-1", "effect 1 1 100 5.01 job-1", "end 1 1 100 9.50 0"];
    let plan = Plan { kind: Kind::Once, via: Via::Socket, does: "until go 0".into(), code: 0 };
    let wish =
        Wish { job: "job-1".into(), plan, task: Some(1), approved: Some(1), resumed: Some(2), stopped: None, acts: 2 };
    let said = Said {
        kind: "once".into(),
        prompt: "job-1 until go 0".into(),
        state: "SUCCEEDED".into(),
        outcome: Some("success".into()),
        exit_code: Some(0),
        attempt: 1,
        complete: true,
        ended: [1].into(),
    };
    let evidence = Evidence {
        wishes: vec![wish],
        book: book.iter().map(|line| entry(line, 4.0).expect("a line of the book")).collect(),
        told: vec![Told { task: 1, state: "SUCCEEDED".into(), marked: false }],
        record: [(1, said)].into(),
        ended: vec![Some(0)],
        ..Evidence::default()
    };
    let variant = mode.variants[0];
    Seen {
        mode,
        variant,
        seed: 7,
        nth: 0,
        supervisor: By::StandIn,
        done: variant.name.into(),
        ends: variant.ends.to_vec(),
        code: Some(23),
        said: "it ended 3 times before it answered".into(),
        current: Some(A.into()),
        runs: Some(A.into()),
        alerts: vec![(IN_CHARGE, format!("release {B} failed (it ended): {A} runs again"))],
        spans: vec![Span { task: 1, pid: 100, lived: true }],
        let_go: 5_000,
        left: Vec::new(),
        began: Some(2_000),
        led_back: Some(2_900),
        back: Some(3_400),
        schemas: vec![("a database that may not be used was changed".into(), true)],
        moments: vec![("begin".into(), 1_900), ("current is the new".into(), 2_000), ("round trip".into(), 3_400)],
        evidence,
        at_ms: 9_000,
        cut_off: None,
    }
}

/// Of a database, not of a release.
fn of_schemas() -> Seen {
    let mode = MODES.iter().find(|mode| mode.name == "old-schemas").expect("a mode");
    let (began, led_back, back, code) = (None, None, None, None);
    Seen { mode, variant: mode.variants[0], alerts: Vec::new(), began, led_back, back, code, ..good() }
}

fn broken(seen: &Seen) -> Vec<String> {
    judge(seen).into_iter().filter(|property| property.broken.is_some()).map(|property| property.name).collect()
}

#[test]
fn a_good_round_breaks_nothing_and_every_property_is_looked_at() {
    for Property { name, looked, broken } in judge(&good()) {
        assert_eq!(broken, None, "{name}");
        assert!(looked > 0, "{name} was asked of nothing");
    }
    assert_eq!((broken(&of_schemas()), wrong(&good())), (Vec::new(), None));
}

#[test]
fn every_forgery_is_noticed_by_the_property_that_it_is_meant_for_and_every_property_has_one() {
    for forgery in FORGERIES {
        let mut forged = good();
        (forgery.forge)(&mut forged).expect("there is something to forge it with");
        assert!(broken(&forged).contains(&forgery.breaks.to_owned()), "{}", forgery.name);
        assert!(wrong(&forged).is_some(), "{}", forgery.name);
    }
    for property in PROPERTIES {
        assert!(FORGERIES.iter().any(|forgery| forgery.breaks == property.name), "{}", property.name);
    }
    let steps = tried(&[of_schemas(), good()]);
    assert!(steps.len() > FORGERIES.len() && steps.iter().all(|step| step.held == Some(true)));
}

/// What holds of every run is asked of a drill too.
#[test]
fn a_task_that_is_lost_ran_twice_or_was_not_reported_is_noticed() {
    let after = |change: fn(&mut Evidence)| {
        let mut seen = good();
        change(&mut seen.evidence);
        broken(&seen)
    };
    assert!(after(|e| drop(e.record.remove(&1))).contains(&"nothing acknowledged is lost".to_owned()));
    assert!(after(|e| e.told.clear()).contains(&"every end is reported, and repeats are marked".to_owned()));
    assert!(after(|e| e.book.push(e.book[1].clone())).contains(&"no attempt runs twice".to_owned()));
    let mut seen = good();
    seen.cut_off = Some("a round trip in the chat did not come".into());
    assert!(wrong(&seen).is_some_and(|why| why.starts_with("cut off")));
}

#[test]
fn rounds_are_told_each_as_a_run_with_what_holds_of_all_of_them_in_the_last() {
    let mut late = good();
    late.back = late.began.map(|began| began + BACK_WITHIN_MS);
    let held = |rounds: &[Seen]| {
        let lines = told(rounds);
        assert!(matches!((lines.first(), lines.last()), (Some(Line::Run(_)), Some(Line::End(_)))));
        let faults =
            lines.iter().filter(|line| matches!(line, Line::Fault(fault) if fault.class == fault_class(&good())));
        assert_eq!(faults.count(), rounds.len());
        let own = lines.iter().filter_map(|line| if let Line::Step(step) = line { Some(step) } else { None });
        let own = own.filter(|step| !step.name.starts_with("forged"));
        own.map(|step| (step.name.clone(), step.held, step.seen.clone())).collect::<Vec<_>>()
    };
    let of_two = held(&[good(), good()]);
    let seen = "2 rounds, slowest way back 1.4 s; started by a stand-in for systemd";
    assert_eq!(of_two[0], ("crash-at-start holds".into(), Some(true), seen.into()));
    let back = "2 of 2 ways back, slowest way back 1.4 s";
    assert_eq!(of_two[1], ("back within a minute".into(), Some(true), back.into()));
    let of_late = held(&[good(), late.clone()]);
    assert_eq!((of_late[0].1, of_late[1].1), (Some(false), Some(false)), "{of_late:?}");
    let drawn = timeline(&[good(), late]).expect("a timeline");
    assert_eq!((&drawn["held"], &drawn["moments"][1]["at_ms"]), (&false.into(), &100.into()));
}

/// A good release, of which somebody says that it has to be left.
const MISTAKEN: Mode = Mode {
    name: "mistaken",
    about: "a release that works, and is expected to fail",
    variants: &[Variant {
        name: "good",
        bad: Bad::Nothing,
        flow: Flow::Activate,
        ends: &[Ends { code: 23, runs: Runs::Old }],
    }],
};

#[test]
fn a_real_drill_holds_and_one_that_ends_otherwise_is_noticed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let goods = built(Profile::Dev).and_then(|built| Goods::new(built, &root, By::StandIn)).expect("programs");
    let crash = MODES.iter().find(|mode| mode.name == "crash-at-start").expect("a mode");
    let wanted = [crash, &MISTAKEN].map(|mode| Wanted { mode, seed: 1, nth: 0, keep: false });
    let rounds = play(&goods, &wanted, 2, &|| false, &|_| {}).expect("the machine plays along");
    let [crashed, mistaken] = rounds.as_slice() else { panic!("two rounds") };
    assert_eq!(wrong(crashed), None);
    assert!(crashed.way_back_ms().is_some() && crashed.spans.len() == 2 && crashed.alerts.len() == 1);
    let why = wrong(mistaken).expect("it is noticed");
    assert!(why.starts_with("a switch of releases ends as it has to: it ended with Some(0)"), "{why}");
}
