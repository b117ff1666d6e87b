//! The facts of the real server, each as a test, against the pure server: time is a number here.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped is the test's failure")]

mod faults;
mod people;
mod polling;
mod sending;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "42:secret";
const BOT: BotId = BotId(42);
const ANN: UserId = UserId(7);
const BOB: UserId = UserId(8);
/// Ann's private chat.
const CHAT: ChatId = ChatId(7);

/// A world with a bot and Ann, who has opened its chat.
struct Bench {
    world: World,
    now: Millis,
}

impl Bench {
    fn new() -> Self {
        let mut world = World::new(1);
        world.limits = Limits::none();
        world.add_bot(TOKEN, "Mainstay", "mainstay_bot");
        let mut bench = Self { world, now: Millis::from_secs(1_700_000_000) };
        bench.people().acquaintance(ANN, "Ann");
        bench.people().user(BOB, "Bob");
        bench
    }

    fn people(&mut self) -> People<'_> {
        self.world.people(self.now)
    }

    fn pass(&mut self, span: Millis) {
        self.now = self.now.plus(span);
    }

    fn ask(&mut self, method: &str, body: Value) -> Verdict {
        self.ask_as(TOKEN, method, body)
    }

    fn ask_as(&mut self, token: &str, method: &str, body: Value) -> Verdict {
        let request =
            Request { token: token.to_owned(), method: method.to_owned(), body, files: BTreeMap::new(), connection: 1 };
        handle(&mut self.world, self.now, request)
    }

    fn resume(&mut self, ticket: Ticket) -> Verdict {
        resume(&mut self.world, self.now, ticket)
    }

    /// The result of a request that must succeed.
    fn call(&mut self, method: &str, body: Value) -> Value {
        let verdict = self.ask(method, body);
        result(&verdict)
    }

    /// What a request is refused with.
    fn refused(&mut self, method: &str, body: Value) -> String {
        let (status, answer) = parts(&self.ask(method, body));
        assert_eq!(answer["error_code"], status);
        format!("{status} {}", answer["description"].as_str().unwrap())
    }

    fn send(&mut self, chat: ChatId, text: &str) -> MessageId {
        let sent = self.call("sendMessage", json!({ "chat_id": chat, "text": text }));
        MessageId(sent["message_id"].as_i64().unwrap())
    }

    /// Polls without waiting; the ids of the updates.
    fn poll(&mut self, offset: i64) -> Vec<i64> {
        self.pass(Millis::from_secs(10));
        ids(&self.call("getUpdates", json!({ "offset": offset })))
    }

    /// Polls without waiting; the updates.
    fn updates(&mut self) -> Vec<Value> {
        self.pass(Millis::from_secs(10));
        self.call("getUpdates", json!({})).as_array().unwrap().clone()
    }

    /// Starts a poll that has to wait.
    fn long_poll(&mut self, offset: i64, seconds: u64) -> (Ticket, Millis) {
        let verdict = self.ask("getUpdates", json!({ "offset": offset, "timeout": seconds }));
        let Verdict::Wait { ticket, until } = verdict else {
            panic!("a poll without updates waits, this one got {verdict:?}");
        };
        (ticket, until)
    }
}

fn parts(verdict: &Verdict) -> (u16, Value) {
    let Verdict::Answer(answer) = verdict else { panic!("an answer was expected, not {verdict:?}") };
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

fn result(verdict: &Verdict) -> Value {
    let (status, answer) = parts(verdict);
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
    answer["result"].clone()
}

fn ids(updates: &Value) -> Vec<i64> {
    updates.as_array().unwrap().iter().map(|update| update["update_id"].as_i64().unwrap()).collect()
}

fn keyboard(buttons: &[(&str, &str)]) -> Value {
    let row: Vec<Value> = buttons.iter().map(|(text, data)| json!({ "text": text, "callback_data": data })).collect();
    json!({ "inline_keyboard": [row] })
}

#[test]
fn tokens_decide_between_unauthorized_and_not_found() {
    let mut bench = Bench::new();
    for (token, expected) in [("42:wrong", 401), ("43:secret", 401), ("nonsense", 404), ("42:", 404), (TOKEN, 200)] {
        assert_eq!(parts(&bench.ask_as(token, "getMe", json!({}))).0, expected, "{token}");
    }
    bench.world.replace_token(BOT, "42:new");
    assert_eq!(bench.refused("getMe", json!({})), "401 Unauthorized");
}

#[test]
fn methods_are_found_in_any_case_and_unknown_ones_are_not_found() {
    let mut bench = Bench::new();
    assert_eq!(bench.call("GETME", json!({}))["id"], 42);
    assert_eq!(bench.refused("getMeMore", json!({})), "404 Not Found");
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    let run = || {
        let mut bench = Bench::new();
        let message = bench.send(CHAT, "hello");
        bench.people().forge_press(ANN, CHAT, message, "x");
        format!("{:?} {:?}", bench.updates(), bench.world)
    };
    assert_eq!(run(), run());
}

#[test]
fn the_books_have_every_request_and_never_the_token() {
    let mut bench = Bench::new();
    bench.send(CHAT, "hello");
    bench.refused("sendMessage", json!({ "chat_id": 99, "text": "hello" }));
    let outcomes: Vec<&Outcome> = bench.world.log().iter().map(|record| &record.outcome).collect();
    let description = Some("Bad Request: chat not found".to_owned());
    let expected =
        [Outcome::Answered { status: 200, description: None }, Outcome::Answered { status: 400, description }];
    assert_eq!(outcomes, expected.iter().collect::<Vec<_>>());
    assert!(!format!("{:?}", bench.world.log()).contains("secret"));
}
