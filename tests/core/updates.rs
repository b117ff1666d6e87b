//! What comes in: once, from whom it may, and in time.

use crate::world::*;
use mainstay::event::{Again, Fact, Passed};
use mainstay::task::State;
use serde_json::json;

fn replays(w: &World) -> usize {
    w.count(|f| matches!(f, Fact::Replayed { .. }))
}

fn passed(w: &World, as_what: Passed) -> usize {
    w.count(|f| matches!(f, Fact::PassedOver { why, .. } if *why == as_what))
}

#[test]
fn an_update_delivered_again_creates_nothing_whatever_its_id_and_is_on_record() {
    for fresh_id in [false, true] {
        for restart in [false, true] {
            let mut w = World::new();
            w.say(OLGA, "/newtask build");
            if restart {
                w.restart();
            }
            w.replay(0, fresh_id);
            w.replay(0, fresh_id);
            assert_eq!((w.tasks(), replays(&w)), (1, 2));
            w.quiet();
            w.check_settled();
        }
    }
}

#[test]
fn update_ids_that_go_down_are_heard() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    w.chats.borrow_mut().next_update = 10;
    w.say(OLGA, "/newtask build");
    w.restart();
    w.say(AXEL, "/approve 2");
    assert_eq!((w.tasks(), w.state(2)), (2, State::Approved));
    assert_eq!(w.chats.borrow().pending(), 0);
    w.check();
}

#[test]
fn the_offset_is_asked_for_only_after_its_updates_are_committed() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    assert_eq!(w.chats.borrow().offsets, [None, Some(1_001)]);
    w.kill();
    w.chats.borrow_mut().offsets.clear();
    w.start();
    assert_eq!(w.chats.borrow().offsets, [Some(1_001)]);
}

#[test]
fn a_double_tap_and_a_double_resume_start_one_attempt() {
    let mut w = World::new();
    let id = w.approved("build", "exit:0@60000");
    w.quiet();
    let (message, data) = w.button(OLGA, id, "Resume");
    w.press_data(OLGA, OLGA, message, &data);
    w.press_data(OLGA, OLGA, message, &data);
    w.replay(0, true);
    w.say(OLGA, &format!("/resume {id}"));
    w.restart();
    w.replay(1, false);
    w.press_data(BEA, OLGA, message, &data);
    w.cli(&format!("resume {id}"));
    w.advance(120_000);
    assert_eq!((w.state(id), w.ran(id, 1), w.ran(id, 2)), (State::Succeeded, 1, 0));
    let again = |again: Again| w.count(|f| matches!(f, Fact::Replayed { again: a, .. } if *a == again));
    // The second tap and its two redeliveries; /resume in the chat and on the command line. Bea's press in another's chat
    // is no replay.
    assert_eq!((again(Again::Press), again(Again::Wish)), (3, 2));
    assert!(w.chats.borrow().banners.iter().any(|b| b == "Already pressed by Olga."));
    w.check_settled();
}

#[test]
fn a_local_request_sent_again_is_taken_up_once() {
    let mut w = World::new();
    let first = w.cli_again("k", "newtask build");
    w.restart();
    let again = w.cli_again("k", "newtask build");
    assert_eq!((w.tasks(), replays(&w)), (1, 1));
    assert_eq!(again.data["task_id"], first.data["task_id"]);
    let refused = w.cli_again("r", "newtask nothing");
    assert!(!refused.ok);
    w.cli("newtask build");
    assert!(w.cli_again("r", "newtask nothing").data["task_id"].is_null(), "it led to no task");
    w.check();
}

#[test]
fn strangers_do_nothing_and_leave_a_bounded_record() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    let before = w.events().len();
    for _ in 0..300 {
        w.say(STRANGER, "/approve 1");
        w.say_in(-777, OLGA, "/stop 1");
        w.say_in(GROUP, STRANGER, "/stop 1");
    }
    w.quiet();
    assert_eq!(w.state(1), State::Requested);
    assert!(w.texts(STRANGER).is_empty());
    let after = w.events().len();
    assert!(after - before <= 12, "{} events", after - before);
    assert_eq!(passed(&w, Passed::Stranger), 3);
    w.restart();
    assert_eq!(w.chats.borrow().pending(), 0, "the offset has moved over them");
    w.check();
}

#[test]
fn what_we_do_not_read_leaves_a_bounded_record_whoever_sends_it() {
    let mut w = World::new();
    for _ in 0..20 {
        let mut dice = w.chats.borrow().message_json(STRANGER, 5, Some(STRANGER), "", 1);
        dice["dice"] = json!({ "emoji": "🎲", "value": 3 });
        dice.as_object_mut().expect("a message").remove("text");
        w.update("message", dice);
        w.update("a_kind_of_tomorrow", json!({ "a": 1 }));
    }
    assert_eq!(passed(&w, Passed::Unsupported), 1);
    assert_eq!(w.chats.borrow().pending(), 0, "each is acknowledged all the same");
    w.advance(3_600_000);
    w.update("a_kind_of_tomorrow", json!({ "a": 1 }));
    assert_eq!(w.count(|f| matches!(f, Fact::PassedOver { unrecorded: 39, .. })), 1);
    w.check();
}

#[test]
fn edited_forwarded_and_anonymous_commands_do_nothing() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    let origin =
        json!({ "type": "user", "sender_user": { "id": AXEL, "is_bot": false, "first_name": "x" }, "date": 1 });
    w.write(AXEL, AXEL, "/approve 1", 0, json!({ "forward_origin": origin }));
    w.write(GROUP, AXEL, "/approve 1", 0, json!({ "via_bot": { "id": 7, "is_bot": true, "first_name": "inline" } }));
    w.write(GROUP, AXEL, "/approve 1", 0, json!({ "sender_chat": { "id": GROUP, "type": "group", "title": "group" } }));
    let edited = w.chats.borrow().message_json(AXEL, 1, Some(AXEL), "/approve 1", 1);
    w.update("edited_message", edited);
    let post = w.chats.borrow().message_json(GROUP, 900, None, "/approve 1", 1);
    w.update("channel_post", post);
    w.update("something_new", json!({ "x": 1 }));
    w.quiet();
    assert_eq!(w.state(1), State::Requested);
    assert_eq!((passed(&w, Passed::Forwarded), passed(&w, Passed::Edited), passed(&w, Passed::Unsupported)), (1, 1, 1));
    w.check_settled();
}

#[test]
fn forged_foreign_and_expired_presses_do_nothing() {
    let mut w = World::new();
    w.say(BEA, "/newtask build");
    w.quiet();
    let (message, data) = w.button(BEA, 1, "Approve");
    w.press_data(AXEL, AXEL, message, "approve:1");
    w.press_data(AXEL, AXEL, message, "");
    w.press_data(AXEL, AXEL, message, &data);
    w.press_data(STRANGER, BEA, message, &data);
    w.press_data(STRANGER, STRANGER, message, &data);
    w.press_data(AXEL, GROUP, message, &data);
    assert_eq!((w.state(1), w.task(1).approvals.len()), (State::Requested, 0));
    assert_eq!(passed(&w, Passed::Forged), 4);
    // Its life is longer than the task's: it expires with the task, and then alone.
    let mut w = World::with(|c| c.kinds.get_mut("build").expect("it is there").approval_ttl_ms = 30 * 24 * 3_600_000);
    w.say_in(GROUP, BEA, "/newtask build");
    w.quiet();
    let (message, data) = w.button(GROUP, 1, "Approve");
    w.advance(8 * 24 * 3_600_000);
    w.press_data(AXEL, GROUP, message, &data);
    assert_eq!((w.state(1), passed(&w, Passed::Expired)), (State::Requested, 1));
    w.check();
}

#[test]
fn a_late_command_needs_a_confirming_press_of_its_author() {
    let mut w = World::new();
    w.say(OLGA, "/ops");
    let hour = 3_600_000;
    for (text, who) in [("/newtask build x", OLGA), ("/newtask@our_bot build x", BEA)] {
        w.write(GROUP, who, text, hour, json!({}));
        let before = w.tasks();
        w.quiet();
        let (message, data) = {
            let chats = w.chats.borrow();
            let (id, ask) =
                chats.chats[&GROUP].iter().rev().find(|(_, m)| m.text().contains("was not done")).expect("a question");
            (*id, ask.buttons[0].1.clone())
        };
        assert_eq!(w.tasks(), before);
        w.press_data(AXEL, GROUP, message, &data);
        assert_eq!(w.tasks(), before, "it is somebody else's");
        w.press_data(who, GROUP, message, &data);
        assert_eq!(w.tasks(), before + 1);
        w.press_data(who, GROUP, message, &data);
        assert_eq!(w.tasks(), before + 1);
        w.quiet();
    }
    w.write(AXEL, AXEL, "/approve 1", hour, json!({}));
    w.quiet();
    assert_eq!(w.state(1), State::Requested);
    let (message, data) = {
        let chats = w.chats.borrow();
        let (id, ask) = chats.chats[&AXEL].iter().next_back().expect("a question");
        (*id, ask.buttons[0].1.clone())
    };
    w.press_data(AXEL, AXEL, message, &data);
    assert_eq!(w.state(1), State::Approved);
    w.write(OLGA, OLGA, "/stop 1", 20 * hour, json!({}));
    assert_eq!(w.state(1), State::Canceled, "stopping is welcome however late");
    w.quiet();
    w.check_settled();
}

#[test]
fn a_group_that_a_stranger_put_us_in_is_left() {
    let mut w = World::new();
    w.membership(-777, STRANGER, "member");
    w.membership(GROUP, OLGA, "member");
    w.quiet();
    assert_eq!(w.chats.borrow().left, [-777]);
    w.check();
}

#[test]
fn a_migration_told_by_a_group_that_is_not_ours_changes_nothing() {
    let mut w = World::new();
    let mut told = w.chats.borrow().message_json(-777, 5, Some(STRANGER), "", 1);
    told["migrate_to_chat_id"] = json!(GROUP);
    told.as_object_mut().expect("a message").remove("text");
    w.update("message", told);
    assert_eq!(w.count(|f| matches!(f, Fact::ChatMigrated { .. })), 0);
    w.say_in(GROUP, OLGA, "/newtask build");
    assert_eq!(w.tasks(), 1);
    w.check();
}

#[test]
fn a_poll_that_fails_is_retried_and_its_end_is_one_event() {
    use mainstay::ports::CallErrorKind;
    let mut w = World::new();
    w.chats.borrow_mut().poll_faults.extend(vec![CallErrorKind::Ambiguous; 20]);
    w.advance(31_000);
    let polls = w.chats.borrow().offsets.len();
    w.advance(20 * 60_000);
    assert!(w.chats.borrow().offsets.len() > polls);
    assert_eq!(w.count(|f| matches!(f, Fact::PollBroke { .. })), 1);
    assert_eq!(w.count(|f| matches!(f, Fact::PollRecovered { .. })), 1);
    w.say(OLGA, "/newtask build");
    assert_eq!(w.tasks(), 1);
}

#[test]
fn polling_that_a_daemon_left_broken_is_not_held_against_the_next_one() {
    use mainstay::ports::CallErrorKind;
    let mut w = World::new();
    w.chats.borrow_mut().poll_faults.extend(vec![CallErrorKind::Ambiguous; 3]);
    w.advance(31_000);
    assert_eq!(w.cli("ops").data["status"], "degraded");
    w.chats.borrow_mut().poll_faults.clear();
    w.restart();
    w.advance(60_000);
    assert_eq!(w.cli("ops").data["reasons"], json!([]));
    w.check_rebuild();
}

#[test]
fn who_writes_no_command_changes_nothing() {
    let mut w = World::new();
    for text in ["hello", "/", "/newtask", "/aprove 1", "/newtask@other_bot build", "approve 1", "/approve 1 2 3"] {
        w.say(OLGA, text);
        w.say_in(GROUP, OLGA, text);
    }
    w.quiet();
    assert_eq!(w.tasks(), 0);
    w.check();
}

#[test]
fn a_strangers_group_that_we_could_not_leave_is_left_at_its_next_word() {
    let mut w = World::new();
    w.say_in(-777, STRANGER, "/start");
    w.quiet();
    assert_eq!(w.chats.borrow().left, [-777]);
    w.say_in(-777, STRANGER, "/start");
    w.say_in(GROUP, STRANGER, "/start");
    w.quiet();
    assert_eq!(w.chats.borrow().left, [-777], "once an hour is enough, and our own groups are kept");
    w.check();
}

#[test]
fn a_group_of_ours_whose_new_id_we_were_not_told_is_not_left() {
    let (ours, theirs) = (-1_001_000_000_500, -1_001_000_000_777);
    let mut w = World::new();
    w.say_in(GROUP, OLGA, "/newtask build");
    w.quiet();
    // It becomes a supergroup, and the update that says so is lost.
    w.say_in(ours, STRANGER, "hello");
    w.membership(ours, STRANGER, "member");
    w.advance(3_600_000);
    w.membership(ours, OLGA, "member");
    w.say_in(ours, OLGA, "/newtask build");
    w.say_in(theirs, STRANGER, "/start");
    w.quiet();
    assert_eq!(w.chats.borrow().left, [0; 0]);
    assert!(w.texts(ours).is_empty() && w.texts(theirs).is_empty() && w.tasks() == 1, "and it is silent in both");
    // A message of ours finds the new id: now it is known which supergroup is whose.
    w.chats.borrow_mut().migrated.insert(GROUP, ours);
    w.say(AXEL, "/approve 1");
    w.quiet();
    w.say_in(ours, OLGA, "/newtask build");
    w.say_in(ours, STRANGER, "hello");
    w.advance(3_600_000);
    w.say_in(theirs, STRANGER, "/start");
    w.membership(theirs, OLGA, "member");
    w.quiet();
    assert_eq!((w.tasks(), w.chats.borrow().left.clone()), (2, vec![theirs; 2]));
    w.check_settled();
}
