//! A task's life from a phone: by commands, by buttons, said twice, and with crashes in between.

use super::phone::{ANA, BO, BOT, CHAT, Phone};
use super::place::{Chance, until};
use mainstay_sim::botapi::{ChatId, UpdateId};
use std::time::Duration;

#[test]
fn asked_approved_and_resumed_by_commands_it_reports() {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    for (task, code, mark) in [(1, 0, "✅"), (2, 9, "🔴")] {
        phone.say(&format!("/newtask work for 0 {code}"));
        phone.wait_for_button(task, "Approve");
        phone.say(&format!("/approve {task}"));
        phone.wait_for_button(task, "Resume");
        phone.say(&format!("/resume {task}"));
        let report = phone.wait_for_report(task);
        assert!(report.text.starts_with(mark), "{report:?}");
        assert!(!report.silent && report.edits == 0, "{report:?}");
        assert_eq!((place.begun(task), place.task(task)["attempt"].as_i64()), (1, Some(1)));
    }
    assert_eq!((phone.reports(1).len(), phone.reports(2).len()), (1, 1));
    let trace = place.cli(&["trace", "1"]);
    assert!(trace["trace_id"].as_str().is_some_and(|id| id.starts_with("tg-1001-")), "{trace}");
    place.assert_sound();
}

#[test]
fn asked_approved_and_resumed_by_buttons_it_reports_and_a_second_tap_does_nothing() {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    phone.say("/newtask work until go 0");
    for label in ["Approve", "Resume"] {
        let card = phone.wait_for_button(1, label);
        let whole = phone.label(card, label);
        // Tapped three times before anything is answered.
        let presses = phone
            .server
            .people(|people| [(); 3].map(|()| people.press(ANA, CHAT, card, &whole).expect("the button is there")));
        for press in presses {
            until("each tap is answered", || phone.server.world().toast(&press));
        }
    }
    place.wait_for_entry(1, "begin");
    place.release("go");
    phone.wait_for_report(1);
    phone.heard();
    assert_eq!((place.begun(1), phone.reports(1).len()), (1, 1));
    let count = |kind: &str| place.events_of(kind).len();
    assert_eq!((count("approved"), count("resumed"), count("claimed")), (1, 1, 1));
    assert_eq!(phone.with("#1 ").len(), 2, "one card, and one report");
    place.assert_sound();
}

#[test]
fn updates_that_come_again_in_any_guise_create_and_start_nothing() {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    let asked = phone.say("/newtask work for 0 0");
    phone.wait_for_button(1, "Approve");
    let approved = phone.say("/approve 1");
    phone.wait_for_button(1, "Resume");
    let resumed = phone.say("/resume 1");
    phone.wait_for_report(1);
    phone.heard();
    let replayed = || place.events_of("replayed").len();
    let received: Vec<i64> = place.events_of("received").iter().filter_map(|e| e["data"]["update"].as_i64()).collect();
    assert_eq!(received.len(), 3);
    // The same updates under their own ids.
    phone.server.people(|people| {
        for update in &received {
            people.repeat_update(BOT, UpdateId(*update));
        }
    });
    until("they are on record as replays", || (replayed() >= 3).then_some(()));
    // The same messages in new updates, whose ids go down.
    phone.server.people(|people| {
        people.rebase_updates(BOT, UpdateId(5));
        for message in [asked, approved, resumed] {
            people.repeat_message(CHAT, message);
        }
    });
    until("they are on record as replays", || (replayed() >= 6).then_some(()));
    phone.heard();
    // A new wish under a low id is heard all the same; and after a crash nothing is new.
    phone.say("/newtask work for 0 0");
    phone.wait_for_button(2, "Approve");
    place.kill();
    phone.server.people(|people| {
        for message in [asked, approved, resumed] {
            people.repeat_message(CHAT, message);
        }
    });
    place.start();
    until("they are on record as replays", || (place.events_of("replayed").len() >= 9).then_some(()));
    assert_eq!(place.line().ask(&["list"])["data"].as_array().map(Vec::len), Some(2));
    assert_eq!((place.begun(1), place.begun(2), place.events_of("claimed").len()), (1, 0, 1));
    assert_eq!(phone.reports(1).len(), 1);
    place.assert_sound();
}

#[test]
fn killed_at_any_moment_every_wish_is_heard_once_and_every_report_arrives() {
    let mut chance = Chance::new("killed_at_any_moment_every_wish_is_heard");
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    let rounds = super::place::kills_wanted(30).cast_signed() / 3;
    for round in 1..=rounds {
        let pause = |chance: &mut Chance, end: u64| std::thread::sleep(Duration::from_micros(chance.below(end)));
        let code = chance.below(2);
        phone.say(&format!("/newtask work for 0.{:03} {code}", chance.below(150)));
        pause(&mut chance, 60_000);
        crash(&mut place, &mut chance);
        // Pressed or said, whatever is there first: the card may come late, as possibly a repeat.
        phone.wait_for_button(round, "Approve");
        phone.say(&format!("/approve {round}"));
        crash(&mut place, &mut chance);
        until("it is approved", || (place.task(round)["state"] == "APPROVED").then_some(()));
        phone.say(&format!("/resume {round}"));
        pause(&mut chance, 120_000);
        crash(&mut place, &mut chance);
    }
    for task in 1..=rounds {
        phone.wait_for_report(task);
        assert_eq!((place.begun(task), place.task(task)["attempt"].as_i64()), (1, Some(1)), "task {task}");
        // Whatever arrived more than once says so.
        let unmarked = phone.reports(task).iter().filter(|report| !report.text.starts_with("(possible")).count();
        assert!(unmarked <= 1, "{:?}", phone.reports(task));
    }
    assert_eq!(place.events_of("requested").len(), usize::try_from(rounds).expect("few"));
    place.assert_sound();
}

fn crash(place: &mut super::place::Place, chance: &mut Chance) {
    if chance.below(4) > 0 {
        place.kill();
        place.launch();
    }
}

#[test]
fn a_role_that_may_not_approve_does_not() {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    phone.say("/newtask work for 0 0");
    phone.wait_for_button(1, "Approve");
    phone.server.people(|people| people.say(BO, ChatId(BO.0), "/approve 1"));
    until("it is refused", || (place.events_of("refused").len() == 1).then_some(()));
    assert_eq!(place.task(1)["state"], "REQUESTED");
    assert_eq!(place.begun(1), 0);
    place.assert_sound();
}
