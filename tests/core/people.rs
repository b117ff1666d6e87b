//! Who counts as whom: a second pair of eyes is somebody else's, wherever they look from.

use crate::world::*;
use mainstay::event::Fact;
use mainstay::task::State;

const OWN_UID: u32 = 1_000;

/// Axel, an approver, has a user on this machine; root is nobody's.
fn world() -> World {
    World::with(|c| c.operators.get_mut(&AXEL).expect("he is there").uid = Some(OWN_UID))
}

#[test]
fn an_operator_is_the_same_person_in_the_chat_and_on_the_machine() {
    let mut w = world();
    w.uid = OWN_UID;
    assert!(w.cli("whoami").text.starts_with("Axel"));
    assert!(!w.cli("newtask build").ok, "an approver asks for nothing, here as there");
    w.say(BEA, "/newtask build");
    assert!(w.cli("approve 1").ok);
    assert_eq!(w.state(1), State::Approved);
    w.say(AXEL, "/approve 1");
    assert_eq!(w.task(1).approvals.len(), 1, "he has said so already");
}

#[test]
fn what_one_asked_for_on_the_machine_one_does_not_approve_in_the_chat() {
    let mut w = World::with(|c| c.operators.get_mut(&BEA).expect("she is there").uid = Some(OWN_UID));
    w.uid = OWN_UID;
    assert!(w.cli("newtask build").ok);
    w.say(BEA, "/approve 1");
    assert_eq!(w.state(1), State::Requested);
    w.say(AXEL, "/approve 1");
    assert_eq!(w.state(1), State::Approved);
}

#[test]
fn a_user_of_the_machine_who_could_be_anybody_is_no_second_pair_of_eyes() {
    let mut w = world();
    w.say(OLGA, "/newtask build");
    w.say(OLGA, "/newtask audit");
    for refused in ["approve 1", "review 2 pass"] {
        let answer = w.cli(refused);
        assert!(!answer.ok && answer.text.contains("`uid = 0`"), "{answer:?}");
    }
    assert_eq!((w.state(1), w.task(2).task.review), (State::Requested, None));
    // Where one pair of eyes is enough, anybody's are.
    let mut w = World::with(|c| c.kinds.get_mut("build").expect("it is there").self_approval = true);
    w.say(OLGA, "/newtask build");
    assert!(w.cli("approve 1").ok);
    assert_eq!(w.state(1), State::Approved);
}

#[test]
fn who_wrote_the_plan_neither_approves_nor_reviews_it() {
    let mut w = World::with(|c| c.kinds.get_mut("deploy").expect("it is there").approvals = 1);
    w.say(OLGA, "/newtask deploy");
    w.say(OLGA, "/plan 1 carefully");
    w.say(BEA, "/plan 1 my way");
    w.say(BEA, "/approve 1");
    w.say(BEA, "/review 1 pass");
    assert_eq!((w.state(1), w.task(1).task.review.clone()), (State::Requested, None));
    w.say(AXEL, "/approve 1");
    assert_eq!(w.state(1), State::Approved);
    w.restart();
    w.check();
}

#[test]
fn what_runs_in_a_task_may_ask_and_changes_nothing() {
    let mut w = World::with(|c| c.kinds.get_mut("build").expect("it is there").self_approval = true);
    w.say(OLGA, "/newtask build");
    w.from_task = true;
    assert!(w.cli("status 1").ok && w.cli("ops").ok);
    for refused in ["approve 1", "newtask note", "stop 1", "mode auto"] {
        let answer = w.cli(refused);
        assert!(!answer.ok && answer.text.contains("from inside a task"), "{refused}: {answer:?}");
    }
    assert_eq!((w.tasks(), w.state(1)), (1, State::Requested));
    assert_eq!(w.count(|f| matches!(f, Fact::Refused { why, .. } if why.contains("from inside a task"))), 4);
    w.from_task = false;
    assert!(w.cli("approve 1").ok);
    w.check();
}
