//! Where the answer to a command can be found: by Telegram's books and the desk, with when it was there.

use crate::botapi::{ChatId, MessageId, Method, Outcome, Record};
use crate::people::{Given, How};
use crate::world::World;
use crate::world::clock::EPOCH_MS;
use crate::world::desk::Desk;
use serde_json::Value;
use std::collections::BTreeMap;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// When it was there, ms of the run.
    pub(super) at: i64,
    /// What it says.
    pub(super) text: String,
}

/// All answers of a run.
pub(super) struct Replies {
    /// Messages that answer a message.
    messages: BTreeMap<(ChatId, i64), Vec<Reply>>,
    /// Answers to presses, by the press.
    toasts: BTreeMap<String, Reply>,
    desk: Desk,
}

impl Replies {
    pub(super) fn of(world: &World) -> Replies {
        let mut messages: BTreeMap<(ChatId, i64), Vec<Reply>> = BTreeMap::new();
        world.telegram.look(|t| {
            for record in t.log().iter() {
                if let Some(Sent { at, chat, to: Some(to), text, .. }) = Sent::of(record) {
                    messages.entry((chat, to)).or_default().push(Reply { at, text: text.to_owned() });
                }
            }
        });
        let toasts = world.telegram.look(crate::botapi::World::toasts);
        let toasts = toasts.into_iter().map(|toast| {
            let reply = Reply { at: ms(toast.at.0), text: toast.text.unwrap_or_default() };
            (toast.press.0, reply)
        });
        Replies { messages, toasts: toasts.collect(), desk: world.desk.clone() }
    }

    /// What was answered first to something that was given.
    pub(super) fn to(&self, given: &Given) -> Option<Reply> {
        match &given.how {
            How::Said { chat, message, .. } => self.to_message(*chat, *message),
            How::Pressed { press, .. } => self.toasts.get(&press.0).cloned(),
            How::Asked { connections, .. } => connections.iter().find_map(|connection| {
                let (at, answer) = self.desk.answered(*connection)?;
                Some(Reply { at, text: answer.text })
            }),
        }
    }

    /// What was answered first to a message.
    pub(super) fn to_message(&self, chat: ChatId, message: MessageId) -> Option<Reply> {
        self.messages.get(&(chat, i64::from(message.0)))?.first().cloned()
    }
}

/// A message of the bot's that arrived, be it that the answer to its call did not.
pub(super) struct Sent<'a> {
    /// When, ms of the run.
    pub(super) at: i64,
    pub(super) chat: ChatId,
    /// The message that it answers.
    pub(super) to: Option<i64>,
    pub(super) text: &'a str,
    /// It makes a sound.
    pub(super) rings: bool,
}

impl Sent<'_> {
    pub(super) fn of(record: &Record) -> Option<Sent<'_>> {
        let arrived = match &record.outcome {
            Outcome::Answered { status, .. } => *status == 200,
            Outcome::Struck { took_effect, .. } => *took_effect == Some(200),
            Outcome::Waiting | Outcome::Abandoned => false,
        };
        let text = record.body["text"].as_str().or(record.body["caption"].as_str());
        let text = text.filter(|_| arrived && sends(record))?;
        // In a form everything is a text.
        let whole = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let reply = match &record.body["reply_parameters"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
            other => other.clone(),
        };
        let silent = &record.body["disable_notification"];
        Some(Sent {
            at: ms(record.at.0),
            chat: ChatId(whole(&record.body["chat_id"])?),
            to: whole(&reply["message_id"]),
            text,
            rings: silent != true && silent != "true",
        })
    }
}

fn sends(record: &Record) -> bool {
    matches!(Method::parse(&record.method), Some(Method::SendMessage | Method::SendDocument))
}

/// Telegram's time as ms of the run.
fn ms(wall: u64) -> i64 {
    i64::try_from(wall).unwrap_or(i64::MAX) - EPOCH_MS
}
