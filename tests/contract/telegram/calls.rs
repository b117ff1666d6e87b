//! What calls do.

use super::{ANN, BOT, CHAT, Site, text};
use mainstay::ports::{Call, CallErrorKind, Called, Outgoing};
use mainstay_sim::botapi::{MessageId, UserId};
use serde_json::{Value, json};

pub(crate) async fn a_message_arrives_with_everything_in_it(site: &Site<'_>) {
    let (chat, topic) = site.people(|people| {
        let chat = people.supergroup("Builds");
        (chat, people.open_topic(chat))
    });
    let topic = i32::try_from(topic).expect("topics are small");
    let first = site.send(Outgoing { chat: chat.0, text: "first".into(), ..Outgoing::default() }).await;
    let row = |labels: [(&str, &str); 2]| labels.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
    let message = site.send(Outgoing {
        chat: chat.0,
        thread: Some(topic),
        reply_to: Some(first),
        text: "Task 42 waits.\nhttps://example.org".into(),
        pre: Vec::new(),
        buttons: vec![row([("Approve", "n1"), ("Reject", "n2")]), row([("Why", "n3"), ("Log", "n4")])],
        silent: true,
    });
    let seen = site.seen(chat, message.await);
    assert_eq!(seen.text, "Task 42 waits.\nhttps://example.org");
    assert_eq!(seen.labels(), [["Approve", "Reject"], ["Why", "Log"]]);
    assert_eq!(seen.buttons[0][1].data.as_deref(), Some("n2"));
    assert_eq!((seen.silent, seen.topic, seen.reply_to), (true, Some(topic.into()), Some(MessageId(first.into()))));
    assert!(!site.seen(chat, first).silent);
    assert_eq!(last_parameter(site, "link_preview_options"), json!({ "is_disabled": true }));
}

pub(crate) async fn ranges_count_utf16_units_in_messages_edits_and_captions(site: &Site<'_>) {
    // The crab is four bytes, one character, two units.
    let marked = Outgoing { pre: vec![(0, 2), (5, 3)], ..text("🦀 \n\n<b> /stop") };
    let expected = [(0, 2), (5, 3)];
    let message = site.send(marked.clone()).await;
    assert_eq!(pre_ranges(&last_parameter(site, "entities")), expected);
    let longer = Outgoing { text: format!("{}!", marked.text), ..marked.clone() };
    assert_eq!(site.call(Call::Edit { message, content: longer }).await, Ok(Called::Message(message)));
    assert_eq!(pre_ranges(&last_parameter(site, "entities")), expected);
    let document = Call::Document { content: marked, name: "log.txt".into(), bytes: b"x".to_vec() };
    assert!(matches!(site.call(document).await, Ok(Called::Message(_))));
    assert_eq!(pre_ranges(&last_parameter(site, "caption_entities")), expected);
    for seen in site.screen() {
        assert!(seen.text.starts_with("🦀 \n\n<b> /stop"), "{}", seen.text);
    }
    assert_eq!(last_parameter(site, "parse_mode"), Value::Null);
}

pub(crate) async fn the_general_topic_is_never_named(site: &Site<'_>) {
    let chat = site.people(|people| {
        let chat = people.supergroup("Builds");
        people.open_topic(chat);
        chat
    });
    let content = Outgoing { chat: chat.0, thread: Some(1), text: "x".into(), ..Outgoing::default() };
    let message = site.send(content.clone()).await;
    assert_eq!(site.seen(chat, message).topic, None);
    let document = Call::Document { content, name: "x".into(), bytes: vec![0] };
    assert!(matches!(site.call(document).await, Ok(Called::Message(_))));
}

pub(crate) async fn a_vanished_message_can_be_answered(site: &Site<'_>) {
    let asked = site.people(|people| {
        let asked = people.say(ANN, CHAT, "/status 1");
        people.delete(CHAT, asked);
        asked
    });
    let reply_to = Some(i32::try_from(asked.0).expect("message ids are small"));
    let message = site.send(Outgoing { reply_to, ..text("running") }).await;
    assert_eq!(site.seen(CHAT, message).reply_to, None);
}

pub(crate) async fn an_edit_replaces_text_and_buttons(site: &Site<'_>) {
    let buttons = vec![vec![("Approve".to_owned(), "n1".to_owned())]];
    let message = site.send(Outgoing { buttons: buttons.clone(), ..text("waits") }).await;
    let edits = [("runs", Vec::new()), ("waits again", buttons), ("done", Vec::new())];
    for (now, buttons) in edits {
        let rows = buttons.len();
        let content = Outgoing { buttons, ..text(now) };
        let edit = Call::Edit { message, content };
        assert_eq!(site.call(edit.clone()).await, Ok(Called::Message(message)));
        assert_eq!(site.refused(edit).await, CallErrorKind::NotModified);
        let seen = site.seen(CHAT, message);
        assert_eq!((seen.text.as_str(), seen.buttons.len()), (now, rows));
    }
    assert_eq!(site.screen().len(), 1);
}

pub(crate) async fn a_document_arrives_with_its_bytes_and_caption(site: &Site<'_>) {
    // Neither text nor small: nothing on the way may take it for a text, or for the end of the form.
    let mut bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    bytes.extend_from_slice(b"\r\n--\r\n--boundary--\r\n");
    for (name, caption) in [("build-42.log", "the log"), ("отчёт \"1\".txt", ""), ("a;b=c.txt", "5")] {
        let buttons = vec![vec![("Why".to_owned(), "n1".to_owned())]];
        let content = Outgoing { buttons, silent: true, ..text(caption) };
        let call = Call::Document { content, name: name.into(), bytes: bytes.clone() };
        let Ok(Called::Message(message)) = site.call(call).await else { panic!("{name} was to be sent") };
        let seen = site.seen(CHAT, message);
        assert_eq!((seen.document.as_deref(), seen.text.as_str(), seen.silent), (Some(name), caption, true));
        assert_eq!(seen.labels(), [["Why"]]);
        let file = site.people(|people| people.document(CHAT, seen.id).cloned());
        assert!(file.is_some_and(|file| file.bytes == bytes), "{name}");
    }
}

pub(crate) async fn a_press_is_answered(site: &Site<'_>) {
    let buttons = vec![vec![("Approve".to_owned(), "n1".to_owned())]];
    let message = site.send(Outgoing { buttons, ..text("waits") }).await;
    for (text, alert) in [("approved", false), ("you may not", true), ("", false)] {
        let press = site.people(|people| people.press(ANN, CHAT, MessageId(message.into()), "Approve"));
        let press = press.expect("the button is there");
        let answer = Call::AnswerPress { id: press.0.clone(), text: text.into(), alert };
        assert_eq!(site.call(answer).await, Ok(Called::Done));
        let toast = site.world(|world, _| world.toast(&press)).expect("it was answered");
        assert_eq!((toast.text.unwrap_or_default().as_str(), toast.alert), (text, alert));
    }
}

pub(crate) async fn the_menu_is_set_and_a_chat_is_left(site: &Site<'_>) {
    let commands = [("start", "what this is"), ("list", "open tasks")];
    let commands = commands.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    assert_eq!(site.call(Call::SetCommands(commands)).await, Ok(Called::Done));
    assert_eq!(site.people(|people| people.menu(BOT)), ["/start - what this is", "/list - open tasks"]);

    let chat = site.people(|people| {
        let stranger = people.user(UserId(66), "Eve");
        people.foreign_group(stranger, "Spam", BOT)
    });
    assert_eq!(site.call(Call::Leave { chat: chat.0 }).await, Ok(Called::Done));
    assert_eq!(site.refused(Call::Leave { chat: chat.0 }).await, CallErrorKind::Forbidden);
}

pub(crate) async fn the_bot_knows_itself(site: &Site<'_>) {
    assert_eq!(site.telegram.bot_id(), BOT.0);
    let me = Called::Me { id: BOT.0, username: "mainstay_bot".into() };
    assert_eq!(site.call(Call::GetMe).await, Ok(me));
}

pub(crate) async fn a_call_is_carried_out_at_most_once_when_the_server_comes_back(site: &Site<'_>) {
    let mut sent = site.screen().len();
    for round in 0..5 {
        let before = sent;
        site.call(Call::GetMe).await.expect("the server is well, and a connection is open now");
        site.backstage.reachable(false);
        site.backstage.reachable(true);
        // Whether the loss of the old connection is noticed in time is up to the implementation, not what it says of it.
        let result = site.call(Call::Send(text(&format!("round {round}")))).await;
        sent = site.screen().len();
        match result {
            Ok(_) => assert_eq!(sent, before + 1),
            Err(error) if error.kind == CallErrorKind::NotSent => assert_eq!(sent, before),
            Err(error) => {
                assert_eq!(error.kind, CallErrorKind::Ambiguous);
                assert!(sent <= before + 1);
                site.call(Call::GetMe).await.expect("one failure is enough to notice");
            }
        }
    }
}

/// A parameter of the last request, in both shapes: a value, or a form's string that holds one.
fn last_parameter(site: &Site<'_>, key: &str) -> Value {
    let record = site.world(|world, _| world.log().iter().next_back().cloned()).expect("there was a request");
    match record.body.get(key) {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

fn pre_ranges(entities: &Value) -> Vec<(u64, u64)> {
    let number = |entity: &Value, key: &str| entity[key].as_u64().expect("offsets are numbers");
    let entities = entities.as_array().expect("there are entities");
    assert!(entities.iter().all(|entity| entity["type"] == "pre"), "{entities:?}");
    entities.iter().map(|entity| (number(entity, "offset"), number(entity, "length"))).collect()
}
