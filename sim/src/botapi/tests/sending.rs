//! What is accepted, what is refused and with which words, and how much is too much.

use super::*;

#[test]
fn what_was_sent_is_what_people_see() {
    let mut bench = Bench::new();
    let question = bench.people().say(ANN, CHAT, "/status 4");
    let sent = bench.call(
        "SendMessage",
        json!({
            "chat_id": CHAT, "text": "Task 4 waits  ", "entities": [{ "type": "bold", "offset": 0, "length": 6 }],
            "reply_markup": keyboard(&[("Approve", "a4"), ("Reject", "r4")]),
            "reply_parameters": { "message_id": question }, "disable_notification": true,
        }),
    );
    assert_eq!(sent["reply_to_message"]["text"], "/status 4");
    let screen = bench.world.screen(CHAT);
    let seen = screen.last_of_bot().unwrap();
    assert_eq!((seen.text.as_str(), seen.silent, seen.reply_to), ("Task 4 waits", true, Some(question)));
    assert_eq!(seen.labels(), [["Approve", "Reject"]]);
    assert_eq!(seen.buttons[0][1].data.as_deref(), Some("r4"));
}

#[test]
fn requests_that_cannot_be_fulfilled_are_refused_in_the_servers_words() {
    let mut bench = Bench::new();
    let theirs = bench.people().say(ANN, CHAT, "hello");
    let own = bench.send(CHAT, "own");
    let long = "\u{1f600}".repeat(2049);
    let entity = |kind: &str, offset: i64, length: i64| json!([{ "type": kind, "offset": offset, "length": length }]);
    let data = |data: &str| json!({ "inline_keyboard": [[{ "text": "x", "callback_data": data }]] });
    let cases = [
        ("sendMessage", json!({ "chat_id": 99, "text": "x" }), "400 Bad Request: chat not found"),
        ("sendMessage", json!({ "text": "x" }), "400 Bad Request: chat not found"),
        (
            "sendMessage",
            json!({ "chat_id": 8, "text": "x" }),
            "403 Forbidden: bot can't initiate conversation with a user",
        ),
        ("sendMessage", json!({ "chat_id": 7, "text": " \n" }), "400 Bad Request: message text is empty"),
        ("sendMessage", json!({ "chat_id": 7, "text": long }), "400 Bad Request: message is too long"),
        (
            "sendMessage",
            json!({ "chat_id": 7, "text": "abc", "entities": entity("bold", 1, 3) }),
            "400 Bad Request: entity beginning at UTF-16 offset 1 ends after the end of the text at UTF-16 offset 3",
        ),
        (
            "sendMessage",
            json!({ "chat_id": 7, "text": "\u{1f600}", "entities": entity("bold", 1, 1) }),
            "400 Bad Request: entity begins in a middle of a UTF-16 symbol at byte offset 1",
        ),
        (
            "sendMessage",
            json!({ "chat_id": 7, "text": "abc", "entities": entity("fat", 0, 1) }),
            "400 Bad Request: can't parse entities: unsupported entity type \"fat\"",
        ),
        (
            "sendMessage",
            json!({ "chat_id": 7, "text": "abc", "entities": entity("bold", -1, 1) }),
            "400 Bad Request: can't parse entities: receive an entity with incorrect offset or length",
        ),
        (
            "sendMessage",
            json!({ "chat_id": 7, "text": "x", "reply_markup": data("") }),
            "400 Bad Request: BUTTON_DATA_INVALID",
        ),
        (
            "sendMessage",
            json!({ "chat_id": 7, "text": "x", "reply_markup": data(&"d".repeat(65)) }),
            "400 Bad Request: BUTTON_DATA_INVALID",
        ),
        (
            "sendMessage",
            json!({ "chat_id": 7, "text": "x", "reply_parameters": { "message_id": 999 } }),
            "400 Bad Request: message to be replied not found",
        ),
        (
            "sendMessage",
            json!({ "chat_id": 7, "text": "x", "message_thread_id": 5 }),
            "400 Bad Request: message thread not found",
        ),
        (
            "editMessageText",
            json!({ "chat_id": 7, "message_id": 999, "text": "x" }),
            "400 Bad Request: message to edit not found",
        ),
        (
            "editMessageText",
            json!({ "chat_id": 7, "message_id": theirs, "text": "x" }),
            "400 Bad Request: message can't be edited",
        ),
        (
            "editMessageText",
            json!({ "chat_id": 7, "message_id": own, "text": "own" }),
            "400 Bad Request: message is not modified: specified new message content and reply markup are exactly the same \
             as a current content and reply markup of the message",
        ),
        ("deleteMessage", json!({ "chat_id": 7, "message_id": 999 }), "400 Bad Request: message to delete not found"),
        (
            "sendDocument",
            json!({ "chat_id": 7, "document": "nope" }),
            "400 Bad Request: wrong file identifier/HTTP URL specified",
        ),
        (
            "setMyCommands",
            json!({ "commands": [{ "command": "New Task", "description": "x" }] }),
            "400 Bad Request: BOT_COMMAND_INVALID",
        ),
        ("leaveChat", json!({ "chat_id": 7 }), "400 Bad Request: chat member status can't be changed in private chats"),
    ];
    for (method, body, expected) in cases {
        assert_eq!(bench.refused(method, body.clone()), expected, "{method} {body}");
    }
}

#[test]
fn the_longest_text_counts_utf16_units() {
    let mut bench = Bench::new();
    bench.send(CHAT, &"\u{1f600}".repeat(2048));
    bench.send(CHAT, &"\u{20ac}".repeat(4096));
}

#[test]
fn a_reply_to_a_message_that_is_gone_can_be_sent_without_it() {
    let mut bench = Bench::new();
    let lenient = json!({ "message_id": 999, "allow_sending_without_reply": true });
    let sent = bench.call("sendMessage", json!({ "chat_id": 7, "text": "x", "reply_parameters": lenient }));
    assert_eq!(sent.get("reply_to_message"), None);
}

#[test]
fn an_edit_without_markup_takes_the_buttons_away() {
    let mut bench = Bench::new();
    let markup = keyboard(&[("Stop", "s")]);
    bench.call("sendMessage", json!({ "chat_id": 7, "text": "runs", "reply_markup": markup }));
    let id = bench.world.screen(CHAT).messages[0].id;
    let edited = bench.call("editMessageText", json!({ "chat_id": 7, "message_id": id, "text": "done" }));
    assert!(edited["edit_date"].is_number() && edited.get("reply_markup").is_none());
    bench.call("editMessageReplyMarkup", json!({ "chat_id": 7, "message_id": id, "reply_markup": markup }));
    let seen = bench.world.seen(CHAT, id).unwrap();
    assert_eq!((seen.text.as_str(), seen.edits, seen.labels()), ("done", 2, vec![vec!["Stop"]]));
    assert_eq!(bench.world.earlier_texts(CHAT, id)[0], (bench.now, "runs".to_owned()));
}

#[test]
fn deleted_messages_are_gone_and_others_messages_in_groups_are_not_ours_to_delete() {
    let mut bench = Bench::new();
    let id = bench.send(CHAT, "x");
    assert_eq!(bench.call("deleteMessage", json!({ "chat_id": 7, "message_id": id })), json!(true));
    assert_eq!(bench.world.screen(CHAT).messages, []);
    assert!(
        bench
            .refused("editMessageText", json!({ "chat_id": 7, "message_id": id, "text": "y" }))
            .contains("to edit not found")
    );
    let group = bench.people().group("Ops");
    let theirs = bench.people().say(ANN, group, "hello");
    let refused = bench.refused("deleteMessage", json!({ "chat_id": group, "message_id": theirs }));
    assert_eq!(refused, "400 Bad Request: message can't be deleted");
}

#[test]
fn a_press_can_be_answered_for_a_while_and_shows_the_first_answer() {
    let mut bench = Bench::new();
    let id = bench.send(CHAT, "card");
    let press = bench.people().forge_press(ANN, CHAT, id, "x");
    bench.pass(Millis::from_secs(149));
    bench.call("answerCallbackQuery", json!({ "callback_query_id": press, "text": "Approved" }));
    bench.call("answerCallbackQuery", json!({ "callback_query_id": press, "text": "again" }));
    let toast = bench.world.toast(&press).unwrap();
    assert_eq!((toast.text.as_deref(), toast.user, toast.alert), (Some("Approved"), ANN, false));
    assert_eq!(bench.world.toasts(), [toast]);
    bench.pass(Millis::from_secs(1));
    let late = "400 Bad Request: query is too old and response timeout expired or query ID is invalid";
    assert_eq!(bench.refused("answerCallbackQuery", json!({ "callback_query_id": press })), late);
    assert_eq!(bench.refused("answerCallbackQuery", json!({ "callback_query_id": "1" })), late);
}

#[test]
fn commands_are_kept_by_scope() {
    let mut bench = Bench::new();
    let commands = json!([{ "command": "start", "description": "says hello" }]);
    bench.call("setMyCommands", json!({ "commands": commands }));
    assert_eq!(bench.call("getMyCommands", json!({})), commands);
    assert_eq!(bench.call("getMyCommands", json!({ "scope": { "type": "all_private_chats" } })), json!([]));
    assert_eq!(bench.people().menu(BOT), ["/start - says hello"]);
}

/// A bench with the measured limits in which `count` messages are sent to a chat at once.
fn burst(bench: &mut Bench, chat: ChatId, count: usize) -> Vec<u16> {
    bench.world.limits = Limits::telegram();
    (0..count).map(|n| parts(&bench.ask("sendMessage", json!({ "chat_id": chat, "text": n.to_string() }))).0).collect()
}

#[test]
fn a_burst_passes_and_more_is_refused_for_the_time_it_says() {
    let mut bench = Bench::new();
    assert_eq!(burst(&mut bench, CHAT, 5), [200; 5]);
    let (status, answer) = parts(&bench.ask("sendMessage", json!({ "chat_id": 7, "text": "x" })));
    assert_eq!((status, &answer["parameters"]["retry_after"]), (429, &json!(5)));
    assert_eq!(answer["description"], "Too Many Requests: retry after 5");
    bench.pass(Millis::from_secs(5));
    bench.send(CHAT, "after the wait");
}

#[test]
fn calls_during_the_wait_make_it_longer() {
    let mut bench = Bench::new();
    let statuses = burst(&mut bench, CHAT, 8);
    assert_eq!(statuses[5..], [429; 3]);
    let (_, answer) = parts(&bench.ask("sendMessage", json!({ "chat_id": 7, "text": "x" })));
    assert_eq!(answer["parameters"]["retry_after"], 8);
}

#[test]
fn edits_are_free_in_private_chats_and_count_in_groups() {
    let mut bench = Bench::new();
    let group = bench.people().group("Ops");
    for (chat, expected) in [(CHAT, 200), (group, 429)] {
        bench.world.limits = Limits::telegram();
        let id = bench.send(chat, "card");
        let mut last = 0;
        for n in 0..20 {
            bench.pass(Millis(100));
            last = parts(
                &bench.ask("editMessageText", json!({ "chat_id": chat, "message_id": id, "text": n.to_string() })),
            )
            .0;
        }
        assert_eq!(last, expected, "{chat}");
    }
    // The wait that edits earned blocks the final report too.
    assert!(bench.refused("sendMessage", json!({ "chat_id": group, "text": "report" })).starts_with("429"));
}

#[test]
fn a_group_takes_twenty_a_minute_however_they_are_spaced() {
    let mut bench = Bench::new();
    let group = bench.people().group("Ops");
    bench.world.limits = Limits::telegram();
    for n in 0..20 {
        bench.pass(Millis::from_secs(2));
        bench.send(group, &n.to_string());
    }
    assert!(bench.refused("sendMessage", json!({ "chat_id": group, "text": "x" })).starts_with("429"));
}
