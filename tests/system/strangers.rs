//! Who may not, and what is not meant: nothing happens, and it is on record without flooding it.

use super::phone::{ANA, BOT, CHAT, Phone};
use super::place::until;
use mainstay_sim::botapi::{ChatId, Millis, UserId};
use serde_json::Value;

/// Nobody knows them.
const STRANGER: UserId = UserId(666);

#[test]
fn a_thousand_words_of_strangers_leave_a_few_events_and_no_answer() {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    phone.server.people(|people| {
        let chat = people.acquaintance(STRANGER, "Mallory");
        for n in 0..1_000 {
            people.say(STRANGER, chat, &format!("/newtask work for 0 {n}"));
        }
        people.foreign_group(STRANGER, "a trap", BOT);
    });
    phone.heard();
    phone.say("/whoami");
    phone.wait_for("ana");
    let passed = place.events_of("passed_over");
    assert!((1..=4).contains(&passed.len()), "{passed:?}");
    assert!(place.events().len() < 30, "{}", place.events().len());
    assert_eq!(place.events_of("received").len(), 1, "/whoami");
    assert_eq!(place.events_of("requested"), Vec::<Value>::new());
    assert!(phone.server.world().screen(ChatId(STRANGER.0)).messages.iter().all(|message| !message.is_bot));
    until("the group is left", || {
        phone.server.world().log().iter().any(|record| record.method.eq_ignore_ascii_case("leaveChat")).then_some(())
    });
    place.assert_sound();
}

#[test]
fn edited_forwarded_stale_and_anonymous_words_and_forged_presses_do_nothing_and_are_on_record() {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    phone.say("/newtask work for 0 0");
    let card = phone.wait_for_button(1, "Approve");
    let label = phone.label(card, "Approve");
    let now = phone.server.clock().now();
    phone.server.people(|people| {
        let stranger = people.acquaintance(STRANGER, "Mallory");
        let talk = people.say(ANA, CHAT, "/status 1");
        people.edit(CHAT, talk, "/approve 1");
        let bait = people.say(STRANGER, stranger, "/approve 1");
        people.forward(ANA, CHAT, stranger, bait);
        people.say_at(ANA, CHAT, "/approve 1", Millis(now.0 - 3_600_000));
        people.forge_press(ANA, CHAT, card, "approve:1");
        people.forge_press(ANA, CHAT, card, "aaaaaaaaaaaaa");
        // The true button, pressed by somebody who only knows what it sends.
        let group = people.group("a group that is not on the list");
        people.say(ANA, group, "/approve 1");
        people.say_as_chat(group, "/approve 1");
        people.press(STRANGER, CHAT, card, &label).expect("it is there");
    });
    phone.heard();
    phone.say("/whoami");
    phone.wait_for("ana");
    let whys: Vec<String> = place
        .events_of("passed_over")
        .iter()
        .map(|event| event["data"]["why"].as_str().unwrap_or_default().to_owned())
        .collect();
    for why in ["edited", "forwarded", "stale", "forged", "stranger"] {
        assert!(whys.iter().any(|found| found == why), "{why}: {whys:?}");
    }
    assert_eq!(place.events_of("approved"), Vec::<Value>::new());
    assert_eq!(place.task(1)["state"], "REQUESTED");
    // The late word can be confirmed by who said it, and then it counts.
    let late = phone.wait_for("was not done");
    phone.server.people(|people| people.press(ANA, CHAT, late.id, "Do it now")).expect("the button is there");
    until("it counts", || (place.task(1)["state"] == "APPROVED").then_some(()));
    // Every button is used once: the same press data again, under a new press.
    let data = late.buttons[0][0].data.clone().expect("it sends something");
    phone.server.people(|people| people.forge_press(ANA, CHAT, late.id, &data));
    phone.heard();
    until("it is on record", || {
        place.events_of("replayed").iter().any(|event| event["data"]["again"] == "press").then_some(())
    });
    assert_eq!((place.events_of("approved").len(), place.begun(1)), (1, 0));
    place.assert_sound();
}
