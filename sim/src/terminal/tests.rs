//! The terminal against a world, without a program around it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::botapi::{BotId, Fault, Method, Methods, Millis, Quota, Request, Verdict, handle};

const NOW: Millis = Millis::from_secs(1_700_000_000);

const OPS: ChatId = ChatId(-1_001_000_000_000);

fn start() -> (World, Terminal) {
    let mut world = World::new(1);
    world.add_bot("42:secret", "Mainstay", "mainstay_bot");
    let people = [(7, "Ann"), (8, "Bob")].map(|(id, name)| Person { id: UserId(id), name: name.to_owned() });
    world.people(NOW).group_with_id(OPS, "Ops");
    for person in &people {
        world.people(NOW).acquaintance(person.id, &person.name);
    }
    (world, Terminal::new(people.to_vec(), vec![Group { id: OPS, title: "Ops".to_owned() }]))
}

fn request(world: &mut World, method: &str, body: Value) {
    let (token, method) = ("42:secret".to_owned(), method.to_owned());
    let verdict = handle(world, NOW, Request { token, method, body, files: BTreeMap::new(), connection: 1 });
    let Verdict::Answer(answer) = verdict else { panic!("an answer was expected, not {verdict:?}") };
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// A card with buttons of these labels; the label is also the data.
fn card(text: &str, labels: &[&str]) -> Value {
    let row: Vec<Value> = labels.iter().map(|label| json!({ "text": label, "callback_data": label })).collect();
    json!({ "chat_id": 7, "message_id": 1, "text": text, "reply_markup": { "inline_keyboard": [row] } })
}

fn type_line(world: &mut World, terminal: &mut Terminal, line: &str) -> String {
    let reaction = terminal.line(world, NOW, line);
    reaction.output.iter().map(|output| text(output, false)).collect()
}

fn news(world: &World, terminal: &mut Terminal) -> String {
    terminal.news(world).iter().map(|output| text(output, false)).collect()
}

#[test]
fn buttons_keep_their_numbers_through_edits_and_new_ones_get_new_numbers() {
    let (mut world, mut terminal) = start();
    request(&mut world, "sendMessage", card("waits", &["Approve", "Reject"]));
    assert!(news(&world, &mut terminal).contains("[1 Approve] [2 Reject]"));
    request(&mut world, "editMessageText", card("still waits", &["Plan", "Reject"]));
    assert!(news(&world, &mut terminal).contains("[3 Plan] [2 Reject]"));
    assert_eq!(type_line(&mut world, &mut terminal, ":press 1"), "  button 1 is gone\n");
    assert_eq!(type_line(&mut world, &mut terminal, ":press 2"), "");
    assert_eq!(world.people(NOW).pending_updates(BotId(42)), 1);
}

#[test]
fn nobody_presses_in_a_chat_between_somebody_else_and_the_bot() {
    let (mut world, mut terminal) = start();
    request(&mut world, "sendMessage", card("waits", &["Approve"]));
    news(&world, &mut terminal);
    assert_eq!(type_line(&mut world, &mut terminal, ":as bob"), "  you are Bob now\n");
    assert_eq!(type_line(&mut world, &mut terminal, ":press 1"), "  button 1 is in the chat of Ann\n");
}

#[test]
fn in_a_group_everybody_writes_and_presses() {
    let (mut world, mut terminal) = start();
    let mut body = card("waits", &["Approve"]);
    body["chat_id"] = json!(OPS);
    request(&mut world, "sendMessage", body);
    assert!(news(&world, &mut terminal).contains("Mainstay to Ops"));
    type_line(&mut world, &mut terminal, ":as Bob");
    assert_eq!(type_line(&mut world, &mut terminal, ":press 1"), "");
    assert_eq!(type_line(&mut world, &mut terminal, ":in ops"), "  you write in Ops now\n");
    type_line(&mut world, &mut terminal, "hello");
    type_line(&mut world, &mut terminal, ":in");
    type_line(&mut world, &mut terminal, "for you alone");
    let texts =
        |chat: ChatId| -> Vec<String> { world.screen(chat).messages.into_iter().map(|seen| seen.text).collect() };
    assert_eq!(
        (texts(OPS), texts(ChatId(8))),
        (vec!["waits".to_owned(), "hello".to_owned()], vec!["for you alone".to_owned()])
    );
}

#[test]
fn a_message_that_changed_several_times_is_told_once_as_it_is_now() {
    let (mut world, mut terminal) = start();
    request(&mut world, "sendMessage", card("one", &[]));
    request(&mut world, "editMessageText", card("two", &[]));
    assert_eq!(news(&world, &mut terminal), "  \u{250c} Mainstay to Ann #1\n  \u{2514} two\n");
    request(&mut world, "editMessageText", card("three", &[]));
    assert_eq!(news(&world, &mut terminal), "  \u{250c} Mainstay to Ann #1, edited\n  \u{2514} three\n");
    assert_eq!(news(&world, &mut terminal), "");
}

#[test]
fn what_a_bot_sends_cannot_steer_the_terminal() {
    let (mut world, mut terminal) = start();
    request(&mut world, "sendMessage", card("\u{1b}[2Jgone\u{7}", &["\u{1b}[0m"]));
    let shown = news(&world, &mut terminal);
    assert!(shown.contains("\u{fffd}[2Jgone\u{fffd}") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn json_has_what_a_script_needs() {
    let (mut world, mut terminal) = start();
    terminal.line(&mut world, NOW, "/status");
    request(&mut world, "sendMessage", card("waits", &["Approve"]));
    let lines: Vec<Value> = terminal.news(&world).iter().map(json).collect();
    assert_eq!(
        (&lines[0]["event"], &lines[0]["from"], &lines[0]["message_id"]),
        (&json!("message"), &json!("Ann"), &json!(1))
    );
    assert_eq!(lines[1]["buttons"], json!([[{ "n": 1, "label": "Approve" }]]));
    assert_eq!(
        (&lines[1]["text"], &lines[1]["chat"], &lines[1]["silent"]),
        (&json!("waits"), &json!(7), &json!(false))
    );
}

#[test]
fn faults_are_read_with_their_methods_and_counts() {
    let (mut world, mut terminal) = start();
    for line in [":fault hang", ":fault 429 sendmessage x2", ":fault html502 !getUpdates"] {
        assert!(type_line(&mut world, &mut terminal, line).contains("from now on"), "{line}");
    }
    let rules: Vec<_> = world.faults.rules().map(|(_, rule)| (rule.fault, rule.methods, rule.quota)).collect();
    assert_eq!(rules[0], (Fault::Hang, Methods::All, Quota::UntilHealed));
    assert_eq!((rules[1].1, rules[1].2), (Methods::Only(Method::SendMessage), Quota::Times(2)));
    assert_eq!(rules[2].1, Methods::AllBut(Method::GetUpdates));
    type_line(&mut world, &mut terminal, ":heal");
    assert_eq!(world.faults.rules().count(), 0);
}

#[test]
fn what_cannot_be_done_is_said() {
    let (mut world, mut terminal) = start();
    for (line, expected) in [
        (":fault flood", "there is no fault \"flood\""),
        (":fault hang getMore", "there is no method \"getMore\""),
        (":press 9", "no button has the number \"9\""),
        (":as Eve", "nobody here is called \"Eve\", only Ann, Bob"),
        (":edit x", "you have not said anything yet"),
        (":forward", "you have not said anything yet"),
        (":late x", "\"x\" is no number of minutes"),
        (":forge x", "the bot has not said anything yet"),
        (":in Dev", "no group is called \"Dev\", only: Ops"),
        (":dance", "there is no command \":dance\""),
    ] {
        assert!(type_line(&mut world, &mut terminal, line).contains(expected), "{line}");
    }
}

#[test]
fn every_command_in_the_help_is_one() {
    let (mut world, mut terminal) = start();
    let usages = COMMANDS.iter().flat_map(|(usage, _)| usage.split(", "));
    for usage in usages.filter(|usage| usage.starts_with(':')) {
        let said = type_line(&mut world, &mut terminal, usage);
        assert!(!said.contains("there is no command"), "{usage}");
    }
}
