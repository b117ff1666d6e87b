//! What people do, as the bot gets to know of it.

use teloxide_core::types::{Update, UpdateKind as Kind};

use super::*;

/// The pending updates as the daemon's own types read them.
fn typed(bench: &mut Bench) -> Vec<Update> {
    bench.updates().into_iter().map(|update| serde_json::from_str(&update.to_string()).unwrap()).collect()
}

#[test]
fn everything_people_do_parses_as_the_kind_it_is() {
    let mut bench = Bench::new();
    let card =
        bench.call("sendMessage", json!({ "chat_id": 7, "text": "card", "reply_markup": keyboard(&[("Go", "g")]) }));
    let card = MessageId(card["message_id"].as_i64().unwrap());
    let group = bench.people().supergroup("Ops");
    let channel = bench.people().channel("News");
    let mut people = bench.people();
    let said = people.say(ANN, CHAT, "hello");
    people.edit(CHAT, said, "hallo");
    people.forward(ANN, CHAT, CHAT, said);
    people.say_as_chat(group, "anonymous");
    let topic = people.open_topic(group);
    people.say_in_topic(ANN, group, topic, "in a topic");
    people.say_via_bot(ANN, group, "via", BOT);
    people.say_as_chat(channel, "post");
    people.press(ANN, CHAT, card, "Go").unwrap();
    people.forge_press(BOB, CHAT, MessageId(999), "forged");
    people.block(ANN);
    people.unblock(ANN);
    people.foreign_group(BOB, "Strangers", BOT);
    people.unknown_update(BOT, "telepathy", json!({ "thought": 1 }));
    let kinds: Vec<&str> = typed(&mut bench).iter().map(|update| name(&update.kind)).collect();
    let expected = [
        "message",
        "edited",
        "forwarded",
        "anonymous",
        "message",
        "via bot",
        "post",
        "press on a message",
        "press on nothing",
        "member",
        "member",
        "member",
        "message",
        "unknown",
    ];
    assert_eq!(kinds, expected);
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is teloxide's; what we never make is the failure")]
fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Message(message) if message.forward_origin().is_some() => "forwarded",
        Kind::Message(message) if message.sender_chat.is_some() => "anonymous",
        Kind::Message(message) if message.via_bot.is_some() => "via bot",
        Kind::Message(_) => "message",
        Kind::EditedMessage(_) => "edited",
        Kind::ChannelPost(_) => "post",
        Kind::MyChatMember(_) => "member",
        Kind::CallbackQuery(press) if press.regular_message().is_some() => "press on a message",
        Kind::CallbackQuery(_) => "press on nothing",
        Kind::Error(_) => "unknown",
        other => panic!("no such update is made: {other:?}"),
    }
}

#[test]
fn a_press_carries_who_pressed_and_not_who_wrote() {
    let mut bench = Bench::new();
    let group = bench.people().group("Ops");
    let sent = bench
        .call("sendMessage", json!({ "chat_id": group, "text": "card", "reply_markup": keyboard(&[("Go", "g")]) }));
    let card = MessageId(sent["message_id"].as_i64().unwrap());
    for button in ["Go", "g"] {
        bench.people().press(BOB, group, card, button).unwrap();
    }
    let updates = bench.updates();
    let press = &updates[0]["callback_query"];
    assert_eq!(
        (&press["from"]["id"], &press["data"], &press["message"]["from"]["id"]),
        (&json!(8), &json!("g"), &json!(42))
    );
    assert_ne!(press["id"], updates[1]["callback_query"]["id"]);
    assert_eq!(bench.people().press(BOB, group, card, "Stop"), Err(NoSuchButton { wanted: "Stop".to_owned() }));
}

#[test]
fn blocked_and_kicked_bots_are_refused_and_told_and_let_in_again() {
    let mut bench = Bench::new();
    let group = bench.people().group("Ops");
    bench.people().block(ANN);
    bench.people().kick(BOB, group);
    let send = |chat: ChatId| json!({ "chat_id": chat, "text": "x" });
    assert_eq!(bench.refused("sendMessage", send(CHAT)), "403 Forbidden: bot was blocked by the user");
    assert_eq!(bench.refused("sendMessage", send(group)), "403 Forbidden: bot was kicked from the group chat");
    let statuses: Vec<Value> =
        bench.updates().iter().map(|update| update["my_chat_member"]["new_chat_member"]["status"].clone()).collect();
    assert_eq!(statuses, ["kicked", "kicked"]);
    bench.people().unblock(ANN);
    bench.people().add(BOB, group);
    bench.send(CHAT, "x");
    bench.send(group, "x");
}

#[test]
fn a_bot_that_leaves_a_foreign_group_hears_no_more_of_it() {
    let mut bench = Bench::new();
    let group = bench.people().foreign_group(BOB, "Strangers", BOT);
    assert_eq!(bench.updates()[0]["my_chat_member"]["from"]["id"], 8);
    bench.call("leaveChat", json!({ "chat_id": group }));
    let before = bench.people().pending_updates(BOT);
    bench.people().say(BOB, group, "come back");
    assert_eq!(bench.people().pending_updates(BOT), before);
    let refused = bench.refused("sendMessage", json!({ "chat_id": group, "text": "x" }));
    assert_eq!(refused, "403 Forbidden: bot is not a member of the group chat");
}

#[test]
fn a_migrated_group_says_where_it_went_and_counts_its_messages_anew() {
    let mut bench = Bench::new();
    let old = bench.people().group("Ops");
    bench.send(old, "before");
    let new = bench.people().migrate(old);
    let (status, answer) = parts(&bench.ask("sendMessage", json!({ "chat_id": old, "text": "x" })));
    assert_eq!((status, &answer["parameters"]["migrate_to_chat_id"]), (400, &json!(new)));
    assert_eq!(answer["description"], "Bad Request: group chat was upgraded to a supergroup chat");
    let updates = typed(&mut bench);
    let migrations: Vec<bool> = updates
        .iter()
        .map(|update| matches!(&update.kind, Kind::Message(message) if message.chat_migration().is_some()))
        .collect();
    assert_eq!(migrations, [true, true]);
    assert_eq!(bench.send(new, "after"), MessageId(2));
}

#[test]
fn topics_are_written_to_until_they_are_deleted_and_general_never() {
    let mut bench = Bench::new();
    let forum = bench.people().supergroup("Forum");
    bench.send(forum, "first");
    let topic = bench.people().open_topic(forum);
    let to = |thread: i64| json!({ "chat_id": forum, "text": "x", "message_thread_id": thread });
    assert_eq!(bench.call("sendMessage", to(topic))["message_thread_id"], topic);
    assert_eq!(bench.refused("sendMessage", to(1)), "400 Bad Request: message thread not found");
    bench.people().delete_topic(forum, topic);
    assert_eq!(bench.refused("sendMessage", to(topic)), "400 Bad Request: message thread not found");
}

#[test]
fn changes_tell_what_a_person_could_have_seen_happen() {
    let mut bench = Bench::new();
    let id = bench.send(CHAT, "card");
    let press = bench.people().forge_press(ANN, CHAT, id, "x");
    bench.call("editMessageText", json!({ "chat_id": 7, "message_id": id, "text": "done" }));
    bench.call("answerCallbackQuery", json!({ "callback_query_id": press }));
    bench.call("deleteMessage", json!({ "chat_id": 7, "message_id": id }));
    let changes: Vec<Change> = bench.world.changes().iter().cloned().collect();
    assert_eq!(
        changes,
        [Change::Sent(CHAT, id), Change::Edited(CHAT, id), Change::Toast(press), Change::Deleted(CHAT, id)]
    );
}
