//! Offsets, limits, waits, and who gets a 409.

use super::*;

/// A bench with three messages waiting, and the id of the first update.
fn three_messages() -> (Bench, i64) {
    let mut bench = Bench::new();
    for text in ["one", "two", "three"] {
        bench.people().say(ANN, CHAT, text);
    }
    let first = bench.poll(0)[0];
    (bench, first)
}

#[test]
fn the_first_update_id_is_drawn_from_the_documented_range() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        let bot = world.add_bot(TOKEN, "Mainstay", "mainstay_bot");
        let id = world.people(Millis(0)).unknown_update(bot, "x", json!(1)).unwrap();
        assert!(FIRST_UPDATE_IDS.contains(&id.0), "{id}");
    }
}

#[test]
fn only_a_higher_offset_confirms() {
    let (mut bench, first) = three_messages();
    assert_eq!(bench.poll(0), [first, first + 1, first + 2]);
    assert_eq!(bench.poll(first), [first, first + 1, first + 2]);
    assert_eq!(bench.poll(first + 2), [first + 2]);
    assert_eq!(bench.poll(0), [first + 2]);
    assert_eq!(bench.poll(first + 3), [0_i64; 0]);
}

#[test]
fn a_negative_offset_keeps_the_last_ones_and_forgets_the_rest() {
    let (mut bench, first) = three_messages();
    assert_eq!(bench.poll(-1), [first + 2]);
    assert_eq!(bench.poll(0), [first + 2]);
    assert_eq!(bench.poll(-5), [first + 2]);
}

#[test]
fn an_offset_too_far_off_is_ignored_and_answered_from_the_head() {
    let all = |first: i64| vec![first, first + 1, first + 2];
    let tail = 3;
    // Relative to the first id: (offset, what is left).
    for (offset, is_ignored) in [(tail + 11, true), (tail + 10, false), (tail - 2_000_001, true)] {
        let (mut bench, first) = three_messages();
        let expected = if is_ignored { all(first) } else { vec![] };
        assert_eq!(bench.poll(first + offset), expected, "{offset}");
    }
}

#[test]
fn ids_can_go_down_and_the_old_offset_is_then_ignored() {
    let (mut bench, first) = three_messages();
    assert_eq!(bench.poll(first + 3), [0_i64; 0]);
    bench.people().rebase_updates(BOT, UpdateId(1_500_000));
    bench.people().say(ANN, CHAT, "after a quiet week");
    assert_eq!(bench.poll(first + 3), [1_500_000]);
}

#[test]
fn the_limit_limits_and_out_of_range_ones_are_cut() {
    let (mut bench, first) = three_messages();
    for (limit, expected) in [(2, 2), (0, 1), (1000, 3)] {
        bench.pass(Millis::from_secs(10));
        let updates = bench.call("getUpdates", json!({ "limit": limit, "offset": first }));
        assert_eq!(ids(&updates).len(), expected, "{limit}");
    }
}

#[test]
fn a_poll_waits_no_longer_than_fifty_seconds() {
    let mut bench = Bench::new();
    let start = bench.now;
    let (ticket, until) = bench.long_poll(0, 300);
    assert_eq!(until.since(start), Millis::from_secs(50));
    bench.now = until;
    assert_eq!(result(&bench.resume(ticket)), json!([]));
}

#[test]
fn a_waiting_poll_is_answered_when_something_arrives() {
    let mut bench = Bench::new();
    let (ticket, _) = bench.long_poll(0, 30);
    assert!(matches!(bench.resume(ticket), Verdict::Wait { .. }));
    bench.people().say(ANN, CHAT, "/start");
    let updates = result(&bench.resume(ticket));
    assert_eq!(updates[0]["message"]["text"], "/start");
    assert_eq!(updates[0]["message"]["entities"][0]["type"], "bot_command");
}

#[test]
fn the_same_offset_again_at_once_gets_one_update_only() {
    let (mut bench, first) = three_messages();
    assert_eq!(bench.poll(first).len(), 3);
    bench.pass(Millis(499));
    assert_eq!(ids(&bench.call("getUpdates", json!({ "offset": first }))).len(), 1);
    bench.pass(Millis(500));
    assert_eq!(ids(&bench.call("getUpdates", json!({ "offset": first }))).len(), 3);
}

#[test]
fn the_same_offset_again_soon_waits_three_seconds_although_it_asked_for_none() {
    let mut bench = Bench::new();
    assert_eq!(bench.call("getUpdates", json!({})), json!([]));
    bench.pass(Millis(2_999));
    let (_, until) = bench.long_poll(0, 0);
    assert_eq!(until.since(bench.now), Millis::from_secs(3));
}

#[test]
fn only_the_older_poll_that_waits_gets_the_conflict() {
    let mut bench = Bench::new();
    let (older, _) = bench.long_poll(0, 30);
    let (newer, _) = bench.long_poll(0, 30);
    let (status, answer) = parts(&bench.resume(older));
    assert_eq!(status, 409);
    let text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    assert_eq!(answer["description"], text);
    assert!(matches!(bench.resume(newer), Verdict::Wait { .. }));
}

#[test]
fn with_updates_pending_both_pollers_get_them_and_nobody_a_conflict() {
    let mut bench = Bench::new();
    let (older, _) = bench.long_poll(0, 30);
    bench.people().say(ANN, CHAT, "hello");
    let newer = bench.call("getUpdates", json!({ "offset": 1, "timeout": 30 }));
    assert_eq!(ids(&newer).len(), 1);
    assert_eq!(result(&bench.resume(older)), newer);
}

#[test]
fn an_abandoned_poll_is_in_nobodys_way() {
    let mut bench = Bench::new();
    let (gone, _) = bench.long_poll(0, 30);
    abandon(&mut bench.world, gone);
    abandon(&mut bench.world, gone);
    let (newer, _) = bench.long_poll(0, 30);
    assert!(matches!(bench.resume(newer), Verdict::Wait { .. }));
    assert_eq!(bench.world.log().iter().next().unwrap().outcome, Outcome::Abandoned);
}

#[test]
fn a_webhook_is_a_conflict_until_it_is_deleted() {
    let mut bench = Bench::new();
    bench.world.set_webhook(BOT, Some("https://example.com"));
    assert!(
        bench.refused("getUpdates", json!({})).starts_with("409 Conflict: can't use getUpdates method while webhook")
    );
    bench.call("deleteWebhook", json!({}));
    assert_eq!(bench.call("getUpdates", json!({})), json!([]));
}

#[test]
fn allowed_updates_stick_and_act_when_an_update_is_created() {
    let mut bench = Bench::new();
    let message = bench.send(CHAT, "card");
    bench.people().forge_press(ANN, CHAT, message, "before");
    bench.call("getUpdates", json!({ "offset": -1, "allowed_updates": ["message"] }));
    bench.people().forge_press(ANN, CHAT, message, "never created");
    bench.people().say(ANN, CHAT, "hello");
    let kinds: Vec<bool> = bench.updates().iter().map(|update| update.get("callback_query").is_some()).collect();
    assert_eq!(kinds, [true, false]);
    // An empty list takes the restriction back; a form writes it as a string.
    bench.call("getUpdates", json!({ "allowed_updates": "[]" }));
    bench.people().forge_press(ANN, CHAT, message, "again");
    assert_eq!(bench.updates().len(), 3);
}

#[test]
fn messages_are_kept_for_a_day_from_their_date_and_presses_for_150_seconds() {
    let mut bench = Bench::new();
    let card = bench.send(CHAT, "card");
    bench.people().say(ANN, CHAT, "now");
    let hours = |hours: u64| Millis::from_secs(hours * 3600);
    let earlier = Millis(bench.now.0 - hours(23).0);
    bench.people().say_at(ANN, CHAT, "sent 23 hours ago", earlier);
    let too_early = Millis(bench.now.0 - hours(24).0);
    bench.people().say_at(ANN, CHAT, "never arrives", too_early);
    bench.people().forge_press(ANN, CHAT, card, "x");
    assert_eq!(bench.people().pending_updates(BOT), 3);
    bench.pass(Millis::from_secs(139));
    assert_eq!(bench.poll(0).len(), 3);
    bench.pass(Millis::from_secs(1));
    assert_eq!(bench.poll(0).len(), 2);
    bench.pass(hours(1));
    assert_eq!(bench.poll(0).len(), 1);
    bench.pass(hours(23));
    assert_eq!(bench.poll(0).len(), 0);
}

#[test]
fn an_update_can_come_again_after_it_was_confirmed() {
    let (mut bench, first) = three_messages();
    assert_eq!(bench.poll(first + 3), [0_i64; 0]);
    assert!(bench.people().repeat_update(BOT, UpdateId(first + 1)));
    assert_eq!(bench.poll(first + 3), [first + 1]);
    assert_eq!(bench.poll(first + 3), [0_i64; 0]);
    assert!(!bench.people().repeat_update(BOT, UpdateId(first + 99)));
}

#[test]
fn a_message_can_come_again_in_an_update_of_its_own() {
    let mut bench = Bench::new();
    let message = bench.people().say(ANN, CHAT, "/newtask");
    bench.people().repeat_message(CHAT, message);
    let updates = bench.updates();
    assert_eq!(updates[0]["message"], updates[1]["message"]);
    assert_ne!(updates[0]["update_id"], updates[1]["update_id"]);
}

#[test]
fn an_update_that_is_too_large_is_dropped_by_the_server() {
    let mut bench = Bench::new();
    assert_eq!(bench.people().unknown_update(BOT, "x", json!("y".repeat(65_536))), None);
    assert_eq!(bench.people().pending_updates(BOT), 0);
}
