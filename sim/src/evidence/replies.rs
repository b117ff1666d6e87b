//! Where the answer to a command can be found: by Telegram's books and the desk, with when it was there.

use crate::botapi::{ChatId, MessageId, Method, Outcome, Record};
use crate::people::{Given, How, REPEAT_MARK, is_card, name_of, task_of};
use crate::world::World;
use crate::world::clock::EPOCH_MS;
use crate::world::desk::Desk;
use mainstay::policy;
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
    /// Cards of tasks as they were shown in a chat, in order.
    cards: BTreeMap<(ChatId, i64), Vec<Reply>>,
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
        let mut cards: BTreeMap<(ChatId, i64), Vec<Reply>> = BTreeMap::new();
        world.telegram.look(|t| {
            for Sent { at, chat, text, .. } in t.log().iter().filter_map(Sent::shown) {
                let plain = text.strip_prefix(REPEAT_MARK).unwrap_or(text);
                if let Some(task) = task_of(plain).filter(|_| is_card(plain)) {
                    cards.entry((chat, task)).or_default().push(Reply { at, text: plain.to_owned() });
                }
            }
        });
        let toasts = world.telegram.look(crate::botapi::World::toasts);
        let toasts = toasts.into_iter().map(|toast| {
            let reply = Reply { at: ms(toast.at.0), text: toast.text.unwrap_or_default() };
            (toast.press.0, reply)
        });
        Replies { messages, cards, toasts: toasts.collect(), desk: world.desk.clone() }
    }

    /// What was answered first to something that was given.
    pub(super) fn to(&self, given: &Given) -> Option<Reply> {
        match &given.how {
            How::Said { chat, message, .. } => self.to_message(*chat, *message),
            How::Pressed { press, chat, .. } => self.toasts.get(&press.0).cloned().or_else(|| self.shown(given, *chat)),
            How::Asked { connections, .. } => connections.iter().find_map(|connection| {
                let (at, answer) = self.desk.answered(*connection)?;
                Some(Reply { at, text: answer.text })
            }),
        }
    }

    /// A banner lives for seconds and may be lost on the way; what was done shows on the card. The first card after a press that
    /// names who did it is an answer too, in the words of a banner.
    fn shown(&self, given: &Given, chat: ChatId) -> Option<Reply> {
        let (task, name) = (given.task?, name_of(given.by)?);
        let (on_card, in_words) = match given.verb? {
            "approve" => ("approved by ", "approved"),
            "resume" => ("resumed by ", "resumed"),
            "reject" => ("rejected by ", "rejected"),
            "stop" => ("stopped by ", "canceled"),
            "recover" => ("again by ", "is asked for again"),
            _ => return None,
        };
        let names = |text: &str| {
            let after = text.split_once(on_card).map(|(_, after)| after.lines().next().unwrap_or_default());
            after.is_some_and(|after| {
                after.split(" · ").next().is_some_and(|who| who.split(", ").any(|one| one == name))
            })
        };
        let cards = self.cards.get(&(chat, task))?;
        let before = cards.iter().rfind(|card| card.at <= given.at).is_some_and(|card| names(&card.text));
        // A press of which the bot does not hear in its life on the server is lost: what shows later is another one's doing.
        let until = given.at + policy::PRESS_LIFE_MS + policy::CALL_GIVE_UP_MS;
        let in_time = |card: &&Reply| (given.at + 1..=until).contains(&card.at) && names(&card.text);
        let card = cards.iter().find(in_time).filter(|_| !before)?;
        Some(Reply { at: card.at, text: format!("#{task} {in_words}: by its card") })
    }

    /// What was answered first to a message.
    pub(super) fn to_message(&self, chat: ChatId, message: MessageId) -> Option<Reply> {
        self.messages.get(&(chat, message.0))?.first().cloned()
    }
}

#[cfg(test)]
impl Replies {
    /// Of a world in which nobody answers anything.
    pub(super) fn nothing(world: &World) -> Replies {
        let points = &world.points;
        Replies { messages: BTreeMap::new(), cards: BTreeMap::new(), toasts: BTreeMap::new(), desk: Desk::new(points) }
    }

    /// Changes every answer in a chat.
    pub(super) fn forge(&mut self, change: impl Fn(&mut Reply)) {
        self.messages.values_mut().flatten().chain(self.toasts.values_mut()).for_each(change);
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
    /// A new message.
    pub(super) fn of(record: &Record) -> Option<Sent<'_>> {
        Sent::shown(record).filter(|_| sends(record))
    }

    /// A new message, or a change of one.
    fn shown(record: &Record) -> Option<Sent<'_>> {
        let arrived = match &record.outcome {
            Outcome::Answered { status, .. } => *status == 200,
            Outcome::Struck { took_effect, .. } => *took_effect == Some(200),
            Outcome::Waiting | Outcome::Abandoned => false,
        };
        let text = record.body["text"].as_str().or(record.body["caption"].as_str());
        let text = text.filter(|_| arrived && (sends(record) || edits(record)))?;
        // In a form everything is a text.
        let whole = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let reply = &record.body["reply_parameters"];
        let written: Option<Value> = reply.as_str().and_then(|text| serde_json::from_str(text).ok());
        let reply = written.as_ref().unwrap_or(reply);
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

fn edits(record: &Record) -> bool {
    Method::parse(&record.method) == Some(Method::EditMessageText)
}

/// Telegram's time as ms of the run.
fn ms(wall: u64) -> i64 {
    i64::try_from(wall).unwrap_or(i64::MAX) - EPOCH_MS
}
