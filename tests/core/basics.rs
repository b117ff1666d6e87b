//! From asking to the report.

use crate::world::*;
use mainstay::event::Fact;
use mainstay::id::{Actor, TaskId};
use mainstay::policy;
use mainstay::task::State;
use serde_json::json;

#[test]
fn a_task_asked_for_on_the_command_line_is_approved_resumed_run_and_reported() {
    let mut w = World::new();
    let asked = w.cli("newtask build exit:0@5000");
    assert!(asked.ok, "{asked:?}");
    assert_eq!(asked.data["task_id"], 1);
    assert!(!w.cli("resume 1").ok);
    w.say(AXEL, "/approve 1");
    assert_eq!(w.state(1), State::Approved);
    assert!(w.cli("resume 1").ok);
    assert_eq!(w.state(1), State::Running);
    assert_eq!(w.ran(1, 1), 1);
    w.quiet();
    assert_eq!(w.state(1), State::Succeeded);
    assert_eq!(w.reports(GROUP, 1).len(), 1);
    w.check_settled();
}

#[test]
fn a_task_asked_for_in_a_chat_is_approved_resumed_and_reported_by_buttons_of_one_card() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build exit:0@5000");
    w.quiet();
    w.press(OLGA, OLGA, 1, "Approve");
    assert_eq!(w.state(1), State::Requested, "who asks does not approve");
    // The approver reads of it in a group or by command; in their own chat there is no card.
    w.say(AXEL, "/approve 1 looks good");
    w.quiet();
    w.press(OLGA, OLGA, 1, "Resume");
    assert_eq!(w.state(1), State::Running);
    w.quiet();
    assert_eq!(w.state(1), State::Succeeded);
    assert_eq!(w.reports(OLGA, 1).len(), 1);
    assert_eq!(w.texts(OLGA).len(), 2, "one card and one report: {:?}", w.texts(OLGA));
    w.check_settled();
}

#[test]
fn an_approval_alone_starts_nothing() {
    let mut w = World::new();
    for who in [AXEL, ADA, BEA] {
        w.say(OLGA, "/newtask build exit:0@1");
        let id = w.tasks();
        w.say(who, &format!("/approve {id}"));
        w.advance(3_600_000);
        w.restart();
        assert_eq!(w.state(id), State::Approved);
        assert_eq!(w.ran(id, 1), 0);
    }
    w.check();
}

#[test]
fn a_light_task_runs_by_itself_in_mode_auto_only() {
    let mut w = World::new();
    w.say(OLGA, "/newtask note");
    assert_eq!(w.state(1), State::Approved, "approved by the policy, to be resumed by people");
    assert!(w.cli("mode auto").ok);
    w.say(OLGA, "/newtask note");
    assert_eq!(w.state(2), State::Running);
    w.say(OLGA, "/newtask build");
    assert_eq!(w.state(3), State::Requested);
    w.quiet();
    assert_eq!(w.state(2), State::Succeeded);
    assert_eq!(w.state(1), State::Approved);
    w.check();
}

#[test]
fn nothing_starts_in_mode_readonly_and_what_waited_starts_afterwards() {
    let mut w = World::new();
    let waiting = w.approved("build", "exit:0");
    assert!(w.cli("mode readonly").ok);
    assert!(!w.cli(&format!("resume {waiting}")).ok);
    assert!(w.cli("mode supervised").ok);
    w.machine.borrow_mut().hold_starts = true;
    let first = w.run_task("solo", "hang");
    let second = w.run_task("solo", "exit:0");
    assert_eq!((w.state(first), w.state(second)), (State::Running, State::Queued));
    w.machine.borrow_mut().hold_starts = false;
    w.cli("mode readonly");
    w.cli(&format!("stop {first}"));
    w.quiet();
    assert_eq!((w.state(first), w.state(second)), (State::Canceled, State::Queued));
    w.restart();
    w.quiet();
    assert_eq!(w.state(second), State::Queued);
    w.cli("mode supervised");
    w.quiet();
    assert_eq!(w.state(second), State::Succeeded);
    w.check_settled();
}

#[test]
fn each_command_needs_its_role() {
    let mut w = World::new();
    w.say(VIC, "/newtask build");
    assert_eq!(w.tasks(), 0);
    w.say(AXEL, "/newtask build");
    assert_eq!(w.tasks(), 0);
    w.say(OLGA, "/newtask build");
    for (who, command) in [(VIC, "approve"), (OLGA, "approve"), (VIC, "stop"), (AXEL, "stop")] {
        w.say(who, &format!("/{command} 1"));
        assert_eq!(w.state(1), State::Requested, "{who} {command}");
    }
    w.say(AXEL, "/approve 1");
    for who in [VIC, AXEL] {
        w.say(who, "/resume 1");
        assert_eq!(w.state(1), State::Approved, "{who}");
    }
    w.say(OLGA, "/mode auto");
    w.quiet();
    assert_eq!(w.shows(OLGA, "needs the role admin"), 1);
    assert_eq!(w.shows(VIC, "needs the role"), 4, "{:?}", w.texts(VIC));
    w.check();
}

#[test]
fn who_tried_what_their_role_does_not_allow_stands_in_the_story_of_the_task() {
    let mut w = World::new();
    w.say_in(GROUP, OLGA, "/newtask build");
    w.quiet();
    w.press(VIC, GROUP, 1, "Approve");
    w.say(OLGA, "/approve 1");
    let refusals = |w: &World| {
        let of_task = w.events().into_iter().filter(|e| e.task == Some(TaskId(1)));
        of_task.filter(|e| matches!(e.fact, Fact::Refused { .. })).map(|e| e.actor).collect::<Vec<_>>()
    };
    assert_eq!(refusals(&w), [Actor::User(VIC), Actor::User(OLGA)]);
    let story = w.cli("trace 1").text;
    assert_eq!(story.matches("refused: /approve needs the role approver").count(), 2, "{story}");
    assert_eq!(w.state(1), State::Requested);
    w.press(AXEL, GROUP, 1, "Approve");
    assert_eq!(w.state(1), State::Approved, "the button is left to others");
    w.check();
}

#[test]
fn two_distinct_approvers_are_two_people_and_both_may_press_the_button() {
    let mut w = World::new();
    w.say_in(GROUP, OLGA, "/newtask deploy exit:0");
    w.quiet();
    w.press(AXEL, GROUP, 1, "Approve");
    assert_eq!(w.task(1).approvals.len(), 0, "there is no plan yet");
    w.say_in(GROUP, OLGA, "/plan 1 carefully");
    w.quiet();
    w.press(AXEL, GROUP, 1, "Approve");
    w.quiet();
    assert_eq!(w.state(1), State::Requested);
    w.press(AXEL, GROUP, 1, "Approve");
    assert_eq!(w.state(1), State::Requested, "the same person counts once");
    w.quiet();
    w.press(BEA, GROUP, 1, "Approve");
    assert_eq!(w.state(1), State::Approved);
    w.quiet();
    w.press(OLGA, GROUP, 1, "Resume");
    w.quiet();
    assert_eq!(w.state(1), State::Succeeded);
    w.check_settled();
}

#[test]
fn the_requester_does_not_approve_or_review_a_heavy_task() {
    let mut w = World::new();
    for (command, needs) in [("approve 1", "somebody else"), ("review 1 pass", "somebody else")] {
        if w.tasks() == 0 {
            w.say(BEA, "/newtask audit");
        }
        w.say(BEA, &format!("/{command}"));
        w.quiet();
        assert_eq!(w.state(1), State::Requested);
        assert!(w.shows(BEA, needs) >= 1);
    }
    let asked = w.cli("newtask build");
    assert!(!w.cli(&format!("approve {}", asked.data["task_id"])).ok);
    w.check();
}

#[test]
fn a_failed_review_holds_a_task_and_a_passed_one_lets_it_go() {
    let mut w = World::new();
    let id = w.approved("audit", "exit:0");
    assert!(!w.cli("resume 1").ok);
    w.say(AXEL, "/review 1 fail missing_tests nothing covers the rollback");
    assert!(!w.cli("resume 1").ok);
    w.say(AXEL, "/review 1 pass");
    assert!(w.cli("resume 1").ok);
    w.quiet();
    assert_eq!(w.state(id), State::Succeeded);
    w.check_settled();
}

#[test]
fn a_plan_changed_after_approval_voids_it() {
    let mut w = World::new();
    w.say(OLGA, "/newtask deploy exit:0");
    w.say(OLGA, "/plan 1 carefully");
    w.quiet();
    let (card, old) = w.button(OLGA, 1, "Approve");
    w.say(AXEL, "/approve 1");
    w.say(BEA, "/approve 1");
    assert_eq!(w.state(1), State::Approved);
    w.say(OLGA, "/plan 1 quickly");
    assert!(!w.cli("resume 1").ok);
    w.press_data(AXEL, OLGA, card, &old);
    assert!(!w.cli("resume 1").ok, "a press on the old card approves nothing new");
    w.say(AXEL, "/approve 1");
    w.say(BEA, "/approve 1");
    assert!(w.cli("resume 1").ok);
    w.quiet();
    assert_eq!(w.state(1), State::Succeeded);
    w.check_settled();
}

#[test]
fn what_changed_in_the_configuration_after_approval_is_not_run() {
    let mut w = World::with(|c| c.running_max = 1);
    let first = w.run_task("build", "hang");
    let queued = w.run_task("build", "exit:0");
    let approved = w.approved("build", "exit:0");
    assert_eq!(w.state(queued), State::Queued);
    w.kill();
    w.config.kinds.get_mut("build").expect("it is there").argv.push("--release".into());
    w.start();
    assert!(!w.cli(&format!("resume {approved}")).ok);
    w.cli(&format!("stop {first}"));
    w.quiet();
    assert_eq!(w.state(queued), State::Canceled);
    assert_eq!(w.ran(queued, 1), 0);
    assert_eq!(w.reports(OLGA, queued).len(), 1);
    w.check_settled();
}

#[test]
fn a_task_that_may_not_start_does_not_hold_up_the_ones_behind_it() {
    let mut w = World::with(|c| {
        let other = mainstay::config::Kind { name: "other".into(), ..c.kinds["solo"].clone() };
        c.kinds.insert("other".into(), other);
    });
    let first = w.run_task("solo", "exit:0@5000");
    let gone = w.run_task("solo", "exit:0");
    let behind = w.run_task("other", "exit:0");
    w.kill();
    w.config.kinds.get_mut("solo").expect("it is there").timeout_ms += 1;
    w.start();
    w.quiet();
    assert_eq!(w.state(first), State::Succeeded);
    assert_eq!(w.state(gone), State::Canceled);
    assert_eq!(w.state(behind), State::Succeeded);
    w.check_settled();
}

#[test]
fn an_expired_approval_does_not_count() {
    let mut w = World::with(|c| {
        let kind = c.kinds.get_mut("deploy").expect("it is there");
        (kind.requires_plan, kind.approval_ttl_ms) = (false, 3_600_000);
    });
    w.say(OLGA, "/newtask deploy exit:0");
    w.say(AXEL, "/approve 1");
    w.advance(3_599_000);
    w.say(BEA, "/approve 1");
    assert_eq!(w.state(1), State::Approved);
    assert!(w.cli("resume 1").ok, "both hold still");
    assert_eq!(w.state(1), State::Running);
    // One that is queued when its approval runs out is not claimed.
    let mut w = World::with(|c| c.kinds.get_mut("solo").expect("it is there").approval_ttl_ms = 3_600_000);
    let first = w.run_task("solo", "hang");
    let second = w.run_task("solo", "exit:0");
    w.advance(1_700_000);
    assert_eq!((w.state(first), w.state(second)), (State::Running, State::Queued));
    w.advance(1_950_000);
    assert_eq!(w.state(first), State::Failed, "its time was up");
    assert_eq!(w.ran(second, 1), 1);
    let third = w.run_task("solo", "exit:0@3000000");
    let fourth = w.run_task("solo", "exit:0");
    w.kill();
    w.advance(4_000_000);
    w.start();
    w.quiet();
    assert_eq!((w.state(third), w.state(fourth)), (State::Failed, State::Canceled));
    assert_eq!(w.ran(fourth, 1), 0);
    w.check_settled();
}

#[test]
fn waiting_tasks_expire_and_say_so() {
    let mut w = World::with(|c| c.running_max = 1);
    w.say(OLGA, "/newtask build");
    let approved = w.approved("build", "exit:0");
    w.run_task("note", "hang");
    w.config.running_max = 1;
    let day = 24 * 3_600_000;
    w.advance(day - 1_000);
    assert_eq!((w.state(1), w.state(approved)), (State::Requested, State::Approved));
    w.advance(2_000);
    assert_eq!((w.state(1), w.state(approved)), (State::Expired, State::Expired));
    w.quiet();
    assert_eq!(w.reports(OLGA, 1).len(), 1);
    assert!(!w.cli("resume 2").ok);
    w.check_settled();
}

#[test]
fn a_recovered_task_passes_all_gates_again() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:1");
    w.quiet();
    assert_eq!(w.state(id), State::Failed);
    assert!(!w.cli("resume 1").ok, "an end is left by recover alone");
    assert!(!w.cli("approve 1").ok);
    assert!(w.cli("recover 1").ok);
    assert_eq!(w.state(id), State::Requested);
    assert!(!w.cli("resume 1").ok);
    w.quiet();
    w.say(AXEL, "/approve 1");
    w.say(OLGA, "/resume 1");
    w.quiet();
    assert_eq!((w.ran(1, 1), w.ran(1, 2)), (1, 1));
    assert_eq!(w.reports(OLGA, 1).len(), 2);
    w.check_settled();
}

#[test]
fn a_success_is_never_left_but_can_be_run_anew() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0");
    w.quiet();
    for command in ["approve 1", "resume 1", "stop 1", "recover 1", "reject 1 no", "plan 1 x"] {
        w.cli(command);
        assert_eq!(w.state(id), State::Succeeded, "{command}");
    }
    let again = w.cli("rerun 1 3");
    assert_eq!(again.data["task_ids"], serde_json::json!([2, 3, 4]));
    assert_eq!(w.state(4), State::Requested);
    assert_eq!(w.task(4).task.rerun_of, Some(mainstay::id::TaskId(1)));
    w.quiet();
    w.check();
}

#[test]
fn every_end_is_reported_to_the_chat_whoever_caused_it() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    w.say(AXEL, "/reject 1 not today");
    w.say(OLGA, "/newtask build");
    w.cli("stop 2");
    let third = w.approved("build", "exit:0");
    w.cli(&format!("stop {third}"));
    w.quiet();
    for id in 1..=3 {
        assert_eq!(w.reports(OLGA, id).len(), 1, "{:?}", w.texts(OLGA));
    }
    assert_eq!(w.shows(OLGA, "not today"), 2, "card and report say why");
    w.check_settled();
}

#[test]
fn progress_is_shown_on_the_card_and_not_more_often_than_it_can_be_read() {
    let mut w = World::new();
    let lines: Vec<String> = (0..100).map(|i| format!("progress:step{i}@{}", 1_000 + i * 100)).collect();
    let id = w.run_task("build", &format!("exit:0@60000 {}", lines.join(" ")));
    w.advance(30_000);
    let (_, card) = w.card(OLGA, id).expect("a card");
    assert!(card.text().contains("step99"), "{card:?}");
    assert!(w.count(|f| matches!(f, mainstay::event::Fact::Progress { .. })) <= 5);
    w.advance(60_000);
    assert_eq!(w.state(id), State::Succeeded);
    w.check_settled();
}

#[test]
fn who_approves_can_read_all_that_they_approve() {
    let mut w = World::new();
    let prompt = format!("{} and then the dangerous part", "harmless ".repeat(60));
    w.say(OLGA, &format!("/newtask build {prompt}"));
    let plan = format!("{} and the plan's end", "step ".repeat(600));
    w.say(OLGA, &format!("/plan 1 {plan}"));
    w.quiet();
    let card = w.card(OLGA, 1).expect("a card").1;
    assert!(!card.text().contains("dangerous") && card.text().contains("/status 1 shows all of it"), "{}", card.text());
    let status = w.cli("status 1");
    assert!(status.text.contains("the dangerous part") && status.text.contains("the plan's end"), "{}", status.text);
    assert_eq!(status.data["plan"], plan);
    w.say(OLGA, "/newtask build short");
    w.quiet();
    assert!(!w.card(OLGA, 2).expect("a card").1.text().contains("cut short"));
    let long = "x".repeat(mainstay::policy::PROMPT_BYTES_MAX + 1);
    assert!(!w.cli(&format!("plan 1 {long}")).ok);
    assert_eq!(w.cli("status 1").data["plan"], plan);
    w.check();
}

#[test]
fn an_approval_that_a_change_voided_stays_void_when_the_change_is_taken_back() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    w.say(OLGA, "/plan 1 good");
    w.say(AXEL, "/approve 1");
    w.say(OLGA, "/plan 1 bad");
    w.say(OLGA, "/plan 1 good");
    let resumed = w.cli("resume 1");
    assert!(!resumed.ok && resumed.text.contains("(1 given before"), "{}", resumed.text);
    w.say(AXEL, "/approve 1");
    assert!(w.cli("resume 1").ok);
    w.say(OLGA, "/newtask audit");
    w.say(OLGA, "/plan 2 good");
    w.say(AXEL, "/review 2 pass");
    w.say(OLGA, "/plan 2 bad");
    w.say(OLGA, "/plan 2 good");
    w.say(AXEL, "/approve 2");
    assert!(!w.cli("resume 2").ok);
    w.quiet();
    w.check_settled();
}

#[test]
fn what_went_wrong_long_ago_is_on_record_and_no_longer_decides_whether_all_is_well() {
    let mut w = World::new();
    w.quiet();
    assert_eq!(w.cli("ops").data["status"], "healthy");
    // A shim of a task that had ended is a violation.
    let id = w.run_task("build", "exit:0");
    w.quiet();
    w.kill();
    w.machine.borrow_mut().haunt(key(id, 1));
    w.start();
    w.quiet();
    let ops = w.cli("ops").data;
    assert_eq!((&ops["status"], &ops["violations"]), (&json!("broken"), &json!(1)));
    w.advance(25 * 3_600_000);
    let ops = w.cli("ops").data;
    assert_eq!((&ops["status"], &ops["violations"]), (&json!("healthy"), &json!(1)), "{ops}");
}

#[test]
fn whether_a_task_should_have_ended_does_not_depend_on_the_wall_clock() {
    let mut w = World::new();
    let id = w.run_task("build", "hang immortal");
    w.shared.wall_ms.set(w.shared.wall_ms.get() + 10 * 365 * 24 * 3_600_000);
    assert_eq!(w.cli("ops").data["stale_running"], json!([]));
    w.advance(2 * 24 * 3_600_000);
    assert_eq!(w.cli("ops").data["stale_running"], json!([id]));
}

#[test]
fn approvers_who_do_not_see_the_card_get_one_of_their_own() {
    let mut w = World::new();
    // A bot can't speak first: who has never spoken to it gets nothing, and nothing is refused.
    w.say(AXEL, "/start");
    w.say(VIC, "/start");
    w.say(OLGA, "/newtask deploy exit:0");
    w.quiet();
    assert!(w.card(AXEL, 1).is_some_and(|(_, card)| card.text().contains("#1 deploy")));
    assert!(w.card(VIC, 1).is_none() && w.card(BEA, 1).is_none());
    w.say(BEA, "/plan 1 carefully");
    w.quiet();
    assert!(w.card(AXEL, 1).is_some_and(|(_, card)| card.text().contains("carefully")), "it shows what changed");
    // A button belongs to the chat that it was shown in.
    let (message, data) = w.button(AXEL, 1, "Approve");
    w.press_data(BEA, BEA, message, &data);
    assert_eq!(w.task(1).approvals.len(), 0);
    w.press(AXEL, AXEL, 1, "Approve");
    w.say(ADA, "/approve 1");
    w.quiet();
    assert_eq!(w.state(1), State::Approved);
    for chat in [OLGA, AXEL] {
        let (_, card) = w.card(chat, 1).expect("a card");
        assert!(card.text().contains("approved by Ada, Axel"), "{}", card.text());
    }
    w.press(OLGA, OLGA, 1, "Resume");
    w.quiet();
    assert_eq!((w.state(1), w.reports(AXEL, 1).len(), w.reports(OLGA, 1).len()), (State::Succeeded, 0, 1));
    assert!(w.card(AXEL, 1).is_some_and(|(_, card)| card.text().contains("SUCCEEDED")));
    // Where everybody sees the one card, and where nobody else is needed, there is one.
    w.say_in(GROUP, OLGA, "/newtask deploy");
    w.say(OLGA, "/newtask note");
    w.quiet();
    assert_eq!((w.card(AXEL, 2).is_some(), w.card(AXEL, 3).is_some()), (false, false));
    w.check_settled();
}

#[test]
fn a_copy_is_shown_anew_when_the_task_is_asked_for_again() {
    let mut w = World::new();
    w.say(AXEL, "/start");
    w.say(OLGA, "/newtask build exit:1");
    w.quiet();
    let (first, _) = w.card(AXEL, 1).expect("a card");
    w.press(AXEL, AXEL, 1, "Reject");
    w.quiet();
    assert_eq!(w.state(1), State::Canceled);
    w.press(OLGA, OLGA, 1, "Recover");
    w.quiet();
    assert!(w.card(AXEL, 1).expect("a card").0 > first);
    w.press(AXEL, AXEL, 1, "Approve");
    assert_eq!(w.state(1), State::Approved);
    w.restart();
    w.quiet();
    w.check_settled();
}

#[test]
fn a_draining_daemon_starts_nothing_new_until_that_is_lifted_or_it_starts_anew() {
    for lift in ["undrain", "restart"] {
        let mut w = World::new();
        let running = w.run_task("build", "exit:0@5000");
        let again = w.run_task("flaky", "exit:75@5000");
        w.say(OLGA, "/drain");
        assert!(w.cli("ops").data["draining"] == false, "only an admin may");
        w.say(ADA, "/drain");
        assert!(w.cli("drain").ok, "again is no failure");
        let waiting = w.approved("build", "exit:0");
        assert!(w.cli(&format!("resume {waiting}")).ok);
        w.quiet();
        assert_eq!(
            (w.state(running), w.state(waiting), w.state(again)),
            (State::Succeeded, State::Queued, State::Queued)
        );
        let ops = w.cli("ops");
        assert_eq!((&ops.data["status"], &ops.data["draining"]), (&json!("degraded"), &json!(true)), "{ops:?}");
        assert!(ops.text.contains("draining: nothing new starts"), "{ops:?}");
        assert!(w.cli(&format!("why {waiting}")).text.contains("draining"));
        if lift == "undrain" {
            assert!(w.cli("undrain").ok);
        } else {
            w.restart();
        }
        w.quiet();
        assert_eq!((w.state(waiting), w.cli("ops").data["draining"].clone()), (State::Succeeded, json!(false)));
        let of = |name: &str| w.count(|f| matches!(f, Fact::Received { command, .. } if command == name));
        assert_eq!((of("drain"), of("undrain")), (3, usize::from(lift == "undrain")), "who and when is on record");
        w.check();
    }
}

#[test]
fn what_is_resumed_in_the_turn_that_is_told_to_drain_waits() {
    for lines in [["resume 1", "drain"], ["drain", "resume 1"]] {
        let mut w = World::new();
        w.approved("build", "exit:0");
        let asked: Vec<u64> = lines.iter().map(|line| w.request(line, line)).collect();
        w.settle();
        assert!(asked.iter().all(|connection| w.answer(*connection).is_some_and(|answer| answer.ok)));
        w.quiet();
        assert_eq!((w.state(1), w.ran(1, 1)), (State::Queued, 0), "{lines:?}");
        assert!(w.cli("undrain").ok);
        w.quiet();
        assert_eq!(w.state(1), State::Succeeded);
        w.check_settled();
    }
}

#[test]
fn a_button_that_is_older_than_a_week_does_nothing() {
    let mut w = World::with(|c| {
        c.kinds.values_mut().for_each(|kind| kind.approval_ttl_ms = 3 * policy::BUTTON_TTL_MS);
    });
    w.say(BEA, "/newtask build exit:0");
    w.quiet();
    w.say(AXEL, "/approve 1");
    w.quiet();
    let (message, resume) = w.button(BEA, 1, "Resume");
    w.advance(policy::BUTTON_TTL_MS + 1);
    w.press_data(BEA, BEA, message, &resume);
    assert_eq!((w.state(1), w.ran(1, 1)), (State::Approved, 0));
    assert!(w.chats.borrow().banners.iter().any(|banner| banner.contains("expired")), "{:?}", w.chats.borrow().banners);
    w.say(BEA, "/resume 1");
    w.quiet();
    assert_eq!(w.ran(1, 1), 1);
    w.check_settled();
}
