//! Who counts as whom: a second pair of eyes is somebody else's, wherever they look from.

use crate::world::*;
use mainstay::command::Role;
use mainstay::config::Operator;
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

#[test]
fn a_user_who_could_be_anybody_can_hold_a_task_back() {
    let mut w = world();
    w.say(OLGA, "/newtask audit");
    assert!(w.cli("review 1 fail other not like this").ok);
    assert_eq!(w.task(1).task.review.map(|r| r.pass), Some(false));
    assert!(w.cli("newtask audit").ok);
    assert!(!w.cli("review 2 fail other mine").ok, "who asked for it reviews nothing");
}

#[test]
fn who_asked_or_planned_before_their_uid_was_configured_is_the_same_person() {
    let mut w = World::new();
    w.uid = OWN_UID;
    assert!(w.cli("newtask build").ok);
    w.say(OLGA, "/newtask build");
    assert!(w.cli("plan 2 my way").ok);
    w.config.operators.get_mut(&BEA).expect("she is there").uid = Some(OWN_UID);
    w.restart();
    for id in [1, 2] {
        w.say(BEA, &format!("/approve {id}"));
        assert_eq!(w.state(id), State::Requested);
        w.say(AXEL, &format!("/approve {id}"));
        assert_eq!(w.state(id), State::Approved);
    }
}

#[test]
fn a_yes_of_before_does_not_count_once_the_kind_wants_somebody_elses() {
    let own = |w: &mut World, yes| {
        for kind in ["build", "audit"] {
            w.config.kinds.get_mut(kind).expect("it is there").self_approval = yes;
        }
        w.restart();
    };
    let mut w = world();
    own(&mut w, true);
    w.say(OLGA, "/newtask build");
    w.say(OLGA, "/newtask audit");
    assert!(w.cli("approve 1").ok && w.cli("review 2 pass").ok);
    w.say(AXEL, "/approve 2");
    own(&mut w, false);
    for id in [1, 2] {
        assert!(!w.cli(&format!("resume {id}")).ok);
        assert_eq!(w.state(id), State::Approved);
    }
    w.say(AXEL, "/approve 1");
    w.say(AXEL, "/review 2 pass");
    assert!(w.cli("resume 1").ok && w.cli("resume 2").ok);
}

#[test]
fn who_is_no_operator_any_more_gets_neither_cards_nor_reports() {
    let mut w = World::new();
    w.say(AXEL, "/start");
    w.say(OLGA, "/newtask build exit:0@1000 progress:half@500");
    w.quiet();
    assert!(w.card(AXEL, 1).is_some() && w.card(OLGA, 1).is_some());
    let (olga, axel) = (w.texts(OLGA), w.texts(AXEL));
    for gone in [OLGA, AXEL] {
        w.config.operators.remove(&gone);
    }
    w.restart();
    let calls = w.chats.borrow().calls.len();
    w.say(BEA, "/approve 1");
    w.say(BEA, "/resume 1");
    w.quiet();
    // Long enough away for the cards that wait to be shown anew, too.
    w.say(BEA, "/newtask build");
    w.kill();
    w.advance(3_600_000);
    w.start();
    w.quiet();
    assert_eq!(w.state(1), State::Succeeded);
    assert_eq!((w.texts(OLGA), w.texts(AXEL)), (olga, axel));
    assert!(w.chats.borrow().calls[calls..].iter().all(|(.., chat)| *chat != OLGA && *chat != AXEL));
    // The report has come to its end on record, once; their cards just stay what they were.
    assert_eq!(w.count(|f| matches!(f, Fact::SendFailed { .. })), 1);
    let inbox = w.cli("inbox").text;
    assert!(inbox.contains("final report of #1") && inbox.contains("no operator's"), "{inbox}");
    let ops = w.cli("ops");
    assert_eq!((&ops.data["status"], &ops.data["outbox"]["refused"]), (&"healthy".into(), &1.into()), "{ops:?}");
    w.check_settled();
}

#[test]
fn what_waited_for_somebody_who_was_taken_off_is_not_sent() {
    let mut w = World::new();
    w.say(AXEL, "/start");
    w.quiet();
    w.chats.borrow_mut().faults.extend([Fault::Flood(60_000), Fault::Flood(60_000)]);
    w.say(OLGA, "/kinds");
    w.say(AXEL, "/kinds");
    for _ in 0..20 {
        w.say(OLGA, "/newtask build");
    }
    w.quiet();
    let axel = w.texts(AXEL).len();
    for gone in [OLGA, AXEL] {
        w.config.operators.remove(&gone);
    }
    w.restart();
    let before = w.events().len();
    w.advance(3_600_000);
    assert_eq!((w.texts(OLGA).len(), w.texts(AXEL).len()), (0, axel));
    let refused = w.count(|f| matches!(f, Fact::SendFailed { error, .. } if error.contains("no operator's")));
    assert_eq!((refused, w.events().len() - before), (42, 42), "each has its end on record, and no more than that");
    assert_eq!(w.cli("ops").data["outbox"]["pending"], 0);
    // Whoever comes back is shown what becomes of their tasks again.
    w.config = config();
    w.restart();
    w.say(AXEL, "/approve 1");
    w.quiet();
    assert!(w.card(OLGA, 1).is_some_and(|(_, card)| card.text().contains("APPROVED")));
    w.quiet();
    w.check_settled();
}

#[test]
fn who_approves_no_more_sees_the_buttons_go_and_then_no_more_of_it() {
    let mut w = World::new();
    w.say(AXEL, "/start");
    w.say(OLGA, "/newtask deploy exit:0");
    w.quiet();
    let (message, _) = w.card(AXEL, 1).expect("a card");
    let role = |w: &mut World, role| {
        w.config.operators.get_mut(&AXEL).expect("he is there").roles = vec![role];
        w.restart();
    };
    // One change waits to be shown while the role is taken away.
    w.chats.borrow_mut().faults.extend([Fault::Flood(30_000), Fault::Flood(30_000)]);
    w.say(OLGA, "/plan 1 first");
    w.advance(10_000);
    role(&mut w, Role::Viewer);
    w.advance(60_000);
    let shown = |w: &World| w.chats.borrow().chats[&AXEL][&message].clone();
    assert!(shown(&w).text().contains("first") && shown(&w).buttons.is_empty(), "{:?}", shown(&w));
    let before = w.chats.borrow().calls.len();
    w.say(OLGA, "/plan 1 second");
    w.quiet();
    w.say(OLGA, "/plan 1 third");
    w.quiet();
    assert!(shown(&w).buttons.is_empty() && w.card(AXEL, 1).is_none(), "{:?}", shown(&w));
    let of_his = w.chats.borrow().calls[before..].iter().filter(|(.., chat)| *chat == AXEL).count();
    assert_eq!(of_his, 0, "that was the last edit");
    role(&mut w, Role::Approver);
    w.quiet();
    assert!(w.card(AXEL, 1).is_some_and(|(new, _)| new > message), "asked again, he is shown a new card");
    w.press(AXEL, AXEL, 1, "Approve");
    assert_eq!(w.task(1).approvals.len(), 1);
    w.quiet();
    w.check_settled();
}

/// Changes somebody's roles, or takes them off; the daemon starts again with that.
fn now_has(w: &mut World, who: i64, roles: &[Role]) {
    if roles.is_empty() {
        w.config.operators.remove(&who);
    } else {
        let known = config().operators[&who].clone();
        w.config.operators.insert(who, Operator { roles: roles.to_vec(), ..known });
    }
    w.restart();
}

#[test]
fn a_yes_counts_for_as_long_as_who_gave_it_may_give_it() {
    for roles in [&[][..], &[Role::Viewer], &[Role::Operator]] {
        let mut w = World::new();
        let approved = w.approved("build", "exit:0");
        let reviewed = w.approved("audit", "exit:0");
        w.say(AXEL, &format!("/review {reviewed} pass"));
        now_has(&mut w, AXEL, roles);
        for id in [approved, reviewed] {
            let refused = w.cli(&format!("resume {id}"));
            assert!(!refused.ok && refused.text.contains("it waits for"), "{refused:?}");
            let (card, why) = (w.cli(&format!("status {id}")).text, w.cli(&format!("why {id}")).text);
            assert!(!card.contains("approved by") && card.contains("waits for"), "{card}");
            assert!(why.contains("1 approval by somebody else (1 given"), "{why}");
        }
        assert!(w.cli(&format!("why {reviewed}")).text.contains("a passed review"));
        // Somebody else's takes its place.
        w.say(ADA, &format!("/approve {approved}"));
        assert!(w.cli(&format!("status {approved}")).text.contains("approved by Ada"));
        assert!(w.cli(&format!("resume {approved}")).ok);
        // Who may again, has said so.
        now_has(&mut w, AXEL, &[Role::Admin]);
        assert!(w.cli(&format!("resume {reviewed}")).ok);
        w.quiet();
        w.check_settled();
    }
}

#[test]
fn what_waits_for_a_slot_with_a_yes_that_counts_no_more_does_not_run() {
    let mut w = World::new();
    let first = w.run_task("solo", "exit:0@60000");
    let second = w.run_task("solo", "exit:0");
    now_has(&mut w, AXEL, &[]);
    let (card, why) = (w.cli(&format!("status {second}")).text, w.cli(&format!("why {second}")).text);
    assert!(card.contains("QUEUED") && !card.contains("approved by"), "{card}");
    assert!(why.contains("1 approval by somebody else (1 given"), "{why}");
    w.advance(120_000);
    assert_eq!((w.state(first), w.state(second)), (State::Succeeded, State::Canceled), "what runs goes on");
    assert_eq!(w.ran(second, 1), 0);
    w.check_settled();
}

#[test]
fn a_yes_of_a_user_of_the_machine_is_that_of_the_operator_they_are() {
    let build = |approvals| {
        let mut w = World::with(|c| {
            let kind = c.kinds.get_mut("build").expect("it is there");
            (kind.self_approval, kind.approvals) = (true, approvals);
        });
        w.uid = OWN_UID;
        w.say(OLGA, "/newtask build");
        assert!(w.cli("approve 1").ok);
        w
    };
    let is = |w: &mut World, who: i64| {
        w.config.operators.get_mut(&who).expect("they are there").uid = Some(OWN_UID);
        w.restart();
        w.uid = 0;
    };
    let mut w = build(1);
    is(&mut w, VIC);
    assert!(!w.cli("resume 1").ok, "a viewer's yes is none");
    let mut w = build(2);
    w.say(BEA, "/approve 1");
    assert_eq!(w.state(1), State::Approved, "as far as anybody can tell, these are two");
    is(&mut w, BEA);
    let card = w.cli("status 1").text;
    assert!(card.contains("approved by Bea\n") && !w.cli("resume 1").ok, "one person, one yes: {card}");
    w.say(AXEL, "/approve 1");
    assert!(w.cli("resume 1").ok);
}

/// Takes the group off the configuration; the daemon starts again without it.
fn unlist(w: &mut World) {
    let telegram = w.config.telegram.as_mut().expect("there is a bot");
    (telegram.chats, telegram.report_chat) = (Vec::new(), None);
    w.restart();
}

#[test]
fn a_group_that_is_listed_no_more_gets_neither_cards_nor_reports() {
    const SUPERGROUP: i64 = -1_001_000_000_500;
    for group in [GROUP, SUPERGROUP] {
        let mut w = World::new();
        w.say_in(GROUP, OLGA, "/newtask build exit:0");
        w.quiet();
        if group == SUPERGROUP {
            w.chats.borrow_mut().migrated.insert(GROUP, SUPERGROUP);
            w.say(BEA, "/plan 1 as ever");
            w.quiet();
        }
        // Under its new id it is known to every daemon from then on.
        w.restart();
        w.say(AXEL, "/approve 1");
        w.quiet();
        assert!(w.card(group, 1).is_some_and(|(_, card)| card.text().contains("APPROVED")), "{group}");
        unlist(&mut w);
        let (texts, calls) = (w.texts(group), w.chats.borrow().calls.len());
        w.say(BEA, "/resume 1");
        w.quiet();
        assert_eq!((w.state(1), w.texts(group)), (State::Succeeded, texts));
        assert!(w.chats.borrow().calls[calls..].iter().all(|(.., chat)| *chat >= 0), "{group}");
        let inbox = w.cli("inbox").text;
        assert!(inbox.contains("final report of #1") && inbox.contains("not listed"), "{inbox}");
        w.check_settled();
    }
}

#[test]
fn who_is_configured_again_is_shown_what_waits_for_them_at_once() {
    let mut w = World::new();
    w.say(AXEL, "/start");
    w.quiet();
    w.chats.borrow_mut().faults.extend([Fault::Flood(60_000), Fault::Flood(60_000)]);
    w.say(OLGA, "/newtask build");
    w.say(AXEL, "/kinds");
    w.quiet();
    for gone in [OLGA, AXEL] {
        w.config.operators.remove(&gone);
    }
    w.restart();
    w.advance(120_000);
    assert!(w.card(OLGA, 1).is_none() && w.card(AXEL, 1).is_none());
    w.config = config();
    w.restart();
    w.quiet();
    assert!(w.card(OLGA, 1).is_some() && w.card(AXEL, 1).is_some());
    w.press(AXEL, AXEL, 1, "Approve");
    assert_eq!(w.state(1), State::Approved);
    let events = w.events().len();
    w.restart();
    w.quiet();
    assert!(w.events()[events..].iter().all(|e| !matches!(e.fact, Fact::Queued { .. })), "as configured as before");
    w.check_settled();
}

#[test]
fn an_approved_task_whose_yes_counts_no_more_is_asked_about_again() {
    // Where it was asked for on the command line, nobody but an approver has a card.
    for (by_hand, planned) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut w = World::with(|c| c.telegram.as_mut().expect("there is a bot").report_chat = None);
        w.say(AXEL, "/start");
        w.quiet();
        if by_hand {
            w.cli("newtask build exit:0");
        } else {
            w.say(OLGA, "/newtask build exit:0");
        }
        w.quiet();
        w.press(AXEL, AXEL, 1, "Approve");
        w.say(ADA, "/start");
        w.quiet();
        assert!(w.state(1) == State::Approved && w.card(ADA, 1).is_none(), "it waits for no approver");
        if planned {
            w.say(OLGA, "/plan 1 otherwise");
        } else {
            now_has(&mut w, AXEL, &[]);
        }
        w.quiet();
        w.press(ADA, ADA, 1, "Approve");
        assert!(w.cli("status 1").text.contains("approved by Ada"));
        assert!(w.cli("resume 1").ok);
        w.quiet();
        assert_eq!(w.state(1), State::Succeeded);
        w.check_settled();
    }
}

#[test]
fn who_says_hello_later_is_shown_what_waits_for_them() {
    let mut w = World::with(|c| c.telegram.as_mut().expect("there is a bot").report_chat = None);
    w.cli("newtask build exit:0");
    w.say(OLGA, "/newtask build exit:0");
    w.say(OLGA, "/newtask note exit:0");
    w.quiet();
    w.say(VIC, "/start");
    w.say(AXEL, "/start");
    w.quiet();
    for (person, sees) in [(VIC, false), (AXEL, true)] {
        assert_eq!([1, 2].map(|task| w.card(person, task).is_some()), [sees; 2], "{person}");
    }
    w.press(AXEL, AXEL, 1, "Approve");
    assert_eq!(w.state(1), State::Approved);
    // Once: what is said to them later is no news.
    let shown = w.texts(AXEL).len();
    w.say(AXEL, "/kinds");
    w.quiet();
    assert_eq!(w.texts(AXEL).len(), shown + 1);
    w.check_settled();
}

#[test]
fn a_first_answer_that_had_to_wait_does_not_keep_what_waits_from_being_shown() {
    let mut w = World::with(|c| c.telegram.as_mut().expect("there is a bot").report_chat = None);
    w.cli("newtask build exit:0");
    // Of these nobody else is asked.
    for _ in 0..30 {
        w.cli("newtask note exit:0");
    }
    w.chats.borrow_mut().faults.push_back(Fault::Flood(5_000));
    w.say(AXEL, "/start");
    w.quiet();
    assert!(w.card(AXEL, 1).is_some());
    w.check_settled();
}

#[test]
fn what_can_be_pressed_comes_before_what_nobody_sees() {
    let mut w = World::with(|c| c.telegram.as_mut().expect("there is a bot").report_chat = None);
    w.say(OLGA, "/newtask build exit:0");
    w.quiet();
    for _ in 0..30 {
        w.cli("newtask build exit:0");
    }
    let (first, _) = w.card(OLGA, 1).expect("a card");
    w.kill();
    w.advance(3_600_000);
    w.start();
    w.quiet();
    assert!(w.card(OLGA, 1).expect("a card").0 > first, "it is shown anew");
    w.check_settled();
}
