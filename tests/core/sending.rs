//! What goes out: everything, in time, and marked where it may be a repeat.

use crate::world::*;
use mainstay::event::Fact;
use mainstay::policy;
use mainstay::task::State;

#[test]
fn a_report_is_not_lost_over_restarts_and_long_outages() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0");
    w.chats.borrow_mut().faults.extend([Fault::NotSent; 40]);
    for _ in 0..10 {
        w.advance(30_000);
        w.restart();
    }
    w.chats.borrow_mut().faults.clear();
    w.advance(120_000);
    assert_eq!(w.state(id), State::Succeeded);
    assert_eq!(w.reports(OLGA, id).len(), 1);
    assert_eq!(w.shows(OLGA, "possible repeat"), 0, "it was certainly not sent before");
    w.check_settled();
}

#[test]
fn an_outage_leaves_a_record_of_its_tries_and_not_of_all_that_waits() {
    for fault in [Fault::NotSent, Fault::Unauthorized, Fault::Ambiguous(false), Fault::Hang] {
        let mut w = World::new();
        w.quiet();
        w.chats.borrow_mut().outage = Some(fault);
        for _ in 0..100 {
            for who in [OLGA, BEA, AXEL] {
                w.say(who, "/kinds");
            }
        }
        let (before, calls) = (w.events().len(), w.chats.borrow().calls.len());
        w.advance(30 * 60_000);
        let (events, tries) = (w.events().len() - before, w.chats.borrow().calls.len() - calls);
        // Every half minute on the average once the pause is at its longest: some 70.
        assert!((20..150).contains(&tries), "{fault:?}: {tries} tries");
        // A try is two events; at both ends some were under way.
        assert!(events <= 2 * tries + 8, "{fault:?}: {events} events of {tries} tries");
        let ops = w.cli("ops");
        assert!(ops.text.contains("nothing can be sent since "), "{}", ops.text);
        assert!(w.cli("inbox").text.contains(" from now ("), "{}", w.cli("inbox").text);
        w.chats.borrow_mut().outage = None;
        w.advance(61_000 + 110_000);
        assert_eq!([OLGA, BEA, AXEL].map(|who| w.texts(who).len()), [100; 3]);
        let marked: usize = [OLGA, BEA, AXEL].iter().map(|who| w.shows(*who, "possible repeat")).sum();
        let sure = matches!(fault, Fault::NotSent | Fault::Unauthorized);
        assert!(marked <= if sure { 0 } else { tries }, "{fault:?}: {marked}");
        assert!(!w.cli("ops").text.contains("nothing can be sent"));
        w.check_settled();
    }
}

#[test]
fn a_new_daemon_does_not_wait_for_the_end_of_an_outage_that_the_last_one_saw() {
    let mut w = World::new();
    w.quiet();
    w.chats.borrow_mut().outage = Some(Fault::NotSent);
    w.say(OLGA, "/kinds");
    w.say(BEA, "/kinds");
    w.advance(20 * 60_000);
    w.kill();
    w.chats.borrow_mut().outage = None;
    w.start();
    w.advance(1_000);
    assert!(w.texts(OLGA).len() + w.texts(BEA).len() > 0, "at once, with whatever is due");
    w.advance(60_000);
    assert_eq!((w.texts(OLGA).len(), w.texts(BEA).len()), (1, 1));
    w.check_settled();
}

#[test]
fn a_message_that_can_never_be_sent_does_not_hold_up_the_others() {
    let mut w = World::new();
    w.quiet();
    w.chats.borrow_mut().never = Some("/drain".into());
    w.say(OLGA, "/help drain");
    for seconds in 1..60 {
        w.advance(seconds * 1_000);
        let before = w.texts(BEA).len();
        w.say(BEA, "/kinds");
        w.advance(3_000);
        assert_eq!(w.texts(BEA).len(), before + 1, "at {}", w.now());
        assert!(!w.cli("ops").text.contains("nothing can be sent"), "that would not be so");
    }
    w.chats.borrow_mut().never = None;
    w.advance(120_000);
    w.check_settled();
}

#[test]
fn a_report_tells_the_end_it_was_made_for_also_when_the_task_was_recovered_since() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:3@10");
    w.advance(10);
    w.cli(&format!("recover {id}"));
    assert_eq!(w.state(id), State::Requested);
    w.quiet();
    let reports = w.reports(OLGA, id);
    assert!(reports.len() == 1 && reports[0].contains("FAILED (exit code 3)"), "{reports:?}");
    w.check_settled();
}

#[test]
fn a_message_that_was_once_put_off_is_edited_at_once_after_a_reboot() {
    let mut w = World::new();
    w.advance(10 * 24 * 3_600_000);
    w.chats.borrow_mut().faults.push_back(Fault::NotSent);
    w.say(OLGA, "/newtask build");
    w.quiet();
    assert!(w.card(OLGA, 1).is_some());
    w.power_loss(60_000);
    w.start();
    w.say(AXEL, "/approve 1");
    w.quiet();
    assert!(w.card(OLGA, 1).expect("a card").1.text().contains("APPROVED"));
    w.check_settled();
}

#[test]
fn a_wall_clock_that_went_backwards_over_a_reboot_does_not_silence_a_chat_for_long() {
    let mut w = World::new();
    w.advance(10 * 24 * 3_600_000);
    w.say(OLGA, "/newtask build");
    w.settle();
    w.power_loss(-11 * 24 * 3_600_000);
    w.start();
    w.advance(7 * 3_600_000);
    w.check_settled();
}

#[test]
fn what_may_have_arrived_is_sent_again_and_marked() {
    for effect in [true, false] {
        let mut w = World::new();
        let id = w.run_task("build", "exit:0@30000");
        w.quiet();
        w.advance(9_000);
        w.chats.borrow_mut().faults.push_back(Fault::Ambiguous(effect));
        w.advance(60_000);
        let reports = w.reports(OLGA, id);
        assert_eq!(reports.len(), if effect { 2 } else { 1 }, "{reports:?}");
        assert_eq!(reports.iter().filter(|r| r.starts_with("(possible repeat)")).count(), 1);
        w.check_settled();
    }
}

#[test]
fn killed_between_a_send_and_its_answer_the_repeat_is_marked() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0@30000");
    w.quiet();
    w.chats.borrow_mut().hold = true;
    w.advance(10_500);
    assert_eq!(w.reports(OLGA, id).len(), 1, "it arrived, and nobody was told");
    w.kill();
    w.chats.borrow_mut().hold = false;
    w.start();
    w.quiet();
    let reports = w.reports(OLGA, id);
    assert_eq!(reports.len(), 2);
    assert!(reports[1].starts_with("(possible repeat) "));
    w.check_settled();
}

#[test]
fn an_edit_that_may_have_arrived_leaves_no_second_message() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0@40000 progress:half@30000");
    w.quiet();
    let before = w.texts(OLGA).len();
    w.chats.borrow_mut().faults.extend([Fault::Ambiguous(true), Fault::Ambiguous(false)]);
    w.advance(18_000);
    assert_eq!(w.texts(OLGA).len(), before);
    assert!(w.card(OLGA, id).expect("a card").1.text().contains("half"));
    w.quiet();
    w.check_settled();
}

#[test]
fn a_flood_wait_is_kept_for_its_chat_and_holds_up_no_other() {
    let mut w = World::new();
    w.chats.borrow_mut().faults.push_back(Fault::Flood(120_000));
    w.say(OLGA, "/newtask build");
    w.say(BEA, "/newtask build");
    w.advance(119_000);
    assert!(w.texts(OLGA).is_empty());
    assert!(w.card(BEA, 2).is_some());
    w.restart();
    w.advance(2_000);
    assert_eq!(w.texts(OLGA).len(), 1);
    w.check_settled();
}

#[test]
fn calls_keep_their_distance_per_chat_and_over_all() {
    let mut w = World::new();
    for _ in 0..10 {
        w.say(OLGA, "/ops");
        w.say(BEA, "/ops");
        w.say_in(GROUP, OLGA, "/ops");
    }
    w.advance(60_000);
    let calls = w.chats.borrow().calls.clone();
    let sends: Vec<_> = calls.into_iter().filter(|(_, _, chat)| *chat != 0).collect();
    assert_eq!(sends.len(), 30);
    for chat in [OLGA, BEA, GROUP] {
        let gap = if chat < 0 { 3_000 } else { 1_000 };
        let mine: Vec<i64> = sends.iter().filter(|(.., c)| *c == chat).map(|(at, ..)| *at).collect();
        assert!(mine.windows(2).all(|p| p[1] - p[0] >= gap), "{chat}: {mine:?}");
    }
    assert!(sends.windows(2).all(|p| p[1].0 - p[0].0 >= 34), "{sends:?}");
}

#[test]
fn changes_of_a_card_are_shown_together() {
    let mut w = World::new();
    w.say(OLGA, "/newtask deploy");
    w.quiet();
    let edits = |w: &World| w.chats.borrow().calls.iter().filter(|(_, method, _)| *method == "editMessageText").count();
    let before = edits(&w);
    w.chats.borrow_mut().hold = true;
    for i in 0..50 {
        w.say(BEA, &format!("/plan 1 version{i}"));
        w.advance(50);
    }
    w.chats.borrow_mut().hold = false;
    w.advance(10_000);
    assert_eq!(edits(&w) - before, 2, "the one under way, and the newest");
    assert!(w.card(OLGA, 1).expect("a card").1.text().contains("version49"));
    w.advance(120_000);
    w.check_settled();
}

#[test]
fn a_card_that_is_gone_is_shown_anew() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0@30000");
    w.quiet();
    w.chats.borrow_mut().chats.get_mut(&OLGA).expect("a chat").clear();
    w.advance(60_000);
    assert!(w.card(OLGA, id).expect("a card").1.text().contains("SUCCEEDED"));
    assert_eq!(w.reports(OLGA, id).len(), 1);
    w.check_settled();
}

#[test]
fn recovered_while_its_last_edit_is_under_way_a_task_gets_a_new_card() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:1@10000");
    w.advance(9_000);
    let (first, _) = w.card(OLGA, id).expect("a card");
    w.chats.borrow_mut().hold = true;
    w.advance(3_000);
    w.chats.borrow_mut().hold = false;
    w.advance(1_100);
    w.chats.borrow_mut().hold = true;
    w.advance(5_000);
    w.cli(&format!("recover {id}"));
    w.chats.borrow_mut().hold = false;
    w.quiet();
    let (second, card) = w.card(OLGA, id).expect("a card");
    assert!(second > first);
    assert!(card.text().contains("REQUESTED"), "{card:?}");
    assert_eq!(w.count(|f| matches!(f, Fact::SendFailed { .. })), 0);
    w.check_settled();
}

#[test]
fn a_chat_that_does_not_want_us_is_parked_and_served_when_it_returns() {
    let mut w = World::new();
    w.chats.borrow_mut().blocked.insert(OLGA);
    let id = w.run_task("build", "exit:0");
    w.advance(3_600_000);
    assert!(w.texts(OLGA).is_empty());
    let tried = w.chats.borrow().calls.iter().filter(|(.., chat)| *chat == OLGA).count();
    assert_eq!(tried, 1);
    let inbox = w.cli("inbox");
    assert!(inbox.text.contains("waits to be sent"));
    let waits = format!("3 messages wait for chat {OLGA}: it does not want us (");
    assert!(inbox.text.starts_with(&waits) && inbox.text.contains("; tried again in 5 h"), "{inbox:?}");
    // Only the first was tried: for a program the others are on the list all the same.
    assert_eq!(inbox.data.as_array().map(Vec::len), Some(3), "{inbox:?}");
    w.chats.borrow_mut().blocked.clear();
    w.membership(OLGA, OLGA, "member");
    w.quiet();
    assert_eq!(w.reports(OLGA, id).len(), 1);
    w.check_settled();
}

#[test]
fn a_chat_that_is_silent_about_wanting_us_again_is_tried_after_its_time() {
    let mut w = World::new();
    w.chats.borrow_mut().blocked.insert(OLGA);
    let id = w.run_task("build", "exit:0");
    let tried = |w: &World| w.chats.borrow().calls.iter().filter(|(.., chat)| *chat == OLGA).count();
    for times in 1..=3 {
        w.advance(policy::PARKED_RETRY_MS);
        assert!((times..=times + 1).contains(&tried(&w)), "{} tries in {times} times 6 h", tried(&w));
    }
    w.chats.borrow_mut().blocked.clear();
    w.advance(policy::PARKED_RETRY_MS + 20_000);
    assert_eq!(w.reports(OLGA, id).len(), 1);
    w.check_settled();
}

#[test]
fn a_menu_that_can_not_be_set_is_tried_once_a_minute() {
    let mut w = World::new();
    w.chats.borrow_mut().nameless = true;
    w.restart();
    let from = w.now();
    for _ in 0..100 {
        w.say(OLGA, "/list");
        w.advance(1_800);
    }
    let is_name = |(at, method, _): &&(i64, &str, i64)| *at >= from && *method == "getMe";
    let asked = |w: &World| w.chats.borrow().calls.iter().filter(is_name).count();
    assert!((2..=4).contains(&asked(&w)), "{} times in three minutes", asked(&w));
    w.chats.borrow_mut().nameless = false;
    w.advance(policy::INTRODUCE_RETRY_MS + 60_000);
    let by_then = asked(&w);
    w.advance(600_000);
    assert_eq!(asked(&w), by_then, "once it is known it is not asked for");
}

#[test]
fn a_group_that_became_a_supergroup_keeps_its_tasks_and_its_rights() {
    let mut w = World::new();
    let new = -1_001_000_000_500;
    w.say_in(GROUP, OLGA, "/newtask build exit:0");
    w.quiet();
    w.chats.borrow_mut().migrated.insert(GROUP, new);
    w.say_in(new, AXEL, "/ops");
    w.say(AXEL, "/approve 1");
    w.quiet();
    assert!(w.card(new, 1).is_some(), "the card moved");
    w.press(OLGA, new, 1, "Resume");
    w.quiet();
    assert_eq!(w.state(1), State::Succeeded);
    assert_eq!(w.reports(new, 1).len(), 1);
    w.membership(new, OLGA, "member");
    assert!(w.chats.borrow().left.is_empty());
    w.cli("newtask build");
    w.quiet();
    assert!(w.card(new, 2).is_some());
    w.check_settled();
}

#[test]
fn nobody_is_told_that_all_was_delivered_while_something_waits() {
    let mut w = World::new();
    assert_eq!(w.cli("inbox").text, "everything was delivered");
    w.chats.borrow_mut().faults.push_back(Fault::Flood(600_000));
    w.say(OLGA, "/kinds");
    w.say(OLGA, "/newtask build");
    w.advance(60_000);
    let inbox = w.cli("inbox");
    let waits = format!("2 messages wait for chat {OLGA}: not before 9 min");
    assert!(inbox.text.starts_with(&waits) && !inbox.text.contains("was delivered"), "{inbox:?}");
    w.advance(700_000);
    let inbox = w.cli("inbox");
    assert_eq!((inbox.text.as_str(), inbox.data), ("everything was delivered", serde_json::json!([])));
    w.check_settled();
}

#[test]
fn what_is_refused_for_good_is_set_aside_and_can_be_listed() {
    let mut w = World::new();
    w.chats.borrow_mut().faults.push_back(Fault::Refused);
    w.say(OLGA, "/ops");
    w.say(OLGA, "/kinds");
    w.quiet();
    assert_eq!(w.texts(OLGA).len(), 1);
    assert!(w.cli("inbox").text.contains("refused"));
    assert_eq!(w.cli("ops").data["status"], "degraded");
    w.check_settled();
}

#[test]
fn a_topic_that_is_gone_is_no_reason_not_to_report() {
    let mut w = World::new();
    let topic = serde_json::json!({ "message_thread_id": 9, "is_topic_message": true });
    w.write(GROUP, OLGA, "/newtask build", 0, topic);
    w.chats.borrow_mut().no_topics = true;
    w.quiet();
    w.cli("stop 1");
    w.quiet();
    assert_eq!(w.reports(GROUP, 1).len(), 1);
    w.check_settled();
}

#[test]
fn a_call_that_is_never_answered_does_not_hold_up_the_rest() {
    let mut w = World::new();
    w.chats.borrow_mut().faults.push_back(Fault::Hang);
    w.say(OLGA, "/ops");
    w.say(BEA, "/ops");
    w.advance(5_000);
    assert_eq!(w.texts(BEA).len(), 1);
    w.advance(60_000);
    assert_eq!(w.texts(OLGA).len(), 1);
    assert!(w.texts(OLGA)[0].starts_with("(possible repeat)"));
    w.check_settled();
}

#[test]
fn an_answer_that_is_too_long_for_a_message_is_a_document() {
    let mut w = World::new();
    for _ in 0..90 {
        w.cli(&format!("newtask build {}", "x".repeat(60)));
    }
    w.say(OLGA, "/list 90");
    w.advance(600_000);
    let chats = w.chats.borrow();
    assert!(chats.chats[&OLGA].values().any(|m| m.document.is_some()));
}

#[test]
fn foreign_text_commands_neither_a_chat_nor_a_terminal_and_data_stays_exact() {
    // Clear the screen, ring, set the title, a C1 command, the direction of writing turned.
    const EVIL: &str = "a\u{1b}[2Jb\u{7}\u{1b}]0;x\u{9b}31m\u{202e}c\u{2066}\u{0}";
    let mut w = World::new();
    w.say(OLGA, &format!("/newtask deploy exit:3@9000 progress:{EVIL}@10 {EVIL}"));
    w.say(OLGA, &format!("/plan 1 {EVIL}"));
    w.say(ADA, &format!("/approve 1 {EVIL}"));
    w.say(AXEL, "/approve 1");
    w.say(OLGA, "/resume 1");
    w.advance(6_000);
    assert!(w.shows(OLGA, "RUNNING") > 0 && w.shows(OLGA, "␛[2J") > 0, "{:?}", w.texts(OLGA));
    w.say(OLGA, &format!("/newtask build {EVIL}"));
    w.say(AXEL, &format!("/reject 2 {EVIL}"));
    w.say(OLGA, &format!("/help {EVIL}"));
    w.say(OLGA, &format!("/newtask {EVIL} {EVIL}"));
    w.write(OLGA, OLGA, &format!("/newtask build {EVIL}"), 3_600_000, serde_json::json!({}));
    for question in ["status 1", "status 2", "why 1", "why 2", "trace 1", "trace 2", "list", "board", "inbox"] {
        w.say(OLGA, &format!("/{question}"));
    }
    w.quiet();
    let commands = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{2066}';
    let texts: Vec<String> = [OLGA, AXEL, ADA].iter().flat_map(|chat| w.texts(*chat)).collect();
    assert!(texts.iter().filter(|text| text.contains('␛')).count() > 10, "{texts:?}");
    for text in &texts {
        assert!(!text.contains(commands), "{text:?}");
    }
    let answer = w.cli("status 2");
    assert!(answer.text.contains("␛[2J") && !answer.text.contains(commands), "{answer:?}");
    assert_eq!((&answer.data["prompt"], &answer.data["evidence"]), (&EVIL.into(), &EVIL.into()));
    w.check_settled();
}

#[test]
fn ops_tells_of_what_can_not_be_sent_for_as_long_as_that_is_so() {
    // One message waits, and nobody can know whether it or the way is to blame; one card can't be edited while all else is
    // sent; two can't.
    for (everything, cards) in [(true, 0), (false, 1), (false, 2)] {
        let mut w = World::new();
        for card in 0..cards {
            w.say([OLGA, BEA][card], "/newtask build");
        }
        w.quiet();
        let fault = Some(Fault::Ambiguous(false));
        (w.chats.borrow_mut().outage, w.chats.borrow_mut().edits) = (fault.filter(|_| everything), fault);
        if everything {
            w.say(OLGA, "/kinds");
        }
        for card in 1..=cards {
            w.say(AXEL, &format!("/approve {card}"));
        }
        w.advance(5_000);
        for round in 0..100 {
            w.advance(7_000);
            let ops = w.cli("ops");
            assert_eq!(ops.data["status"], "degraded", "at {}: {ops:?}", w.now());
            assert!(ops.text.contains("connection reset"), "{ops:?}");
            let before = w.texts(VIC).len();
            if round % 10 == 9 && !everything {
                w.say(VIC, "/kinds");
                w.advance(61_000);
                assert_eq!(w.texts(VIC).len(), before + 1);
            }
        }
        // A new daemon knows as well.
        w.restart();
        let ops = w.cli("ops");
        assert!(ops.text.contains("could not be sent in ") && ops.text.contains("; /inbox)"), "{ops:?}");
        (w.chats.borrow_mut().outage, w.chats.borrow_mut().edits) = (None, None);
        w.advance(120_000);
        assert_eq!(w.cli("ops").text.lines().next(), Some("healthy"));
        w.check_settled();
    }
}
