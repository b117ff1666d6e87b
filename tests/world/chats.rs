//! Telegram as far as the daemon can tell it from the real one: updates with offsets, messages with ids, and calls that
//! fail before, after and instead of their effect.

use super::clock::Shared;
use mainstay::ports::{Call, CallError, CallErrorKind, Called, LocalFuture, Outgoing, Poll, Telegram};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;
use teloxide_core::types::Update;

/// The bot's numeric id.
pub(crate) const BOT: i64 = 42;

/// What happens to the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    NotSent,
    /// No answer; whether it took effect.
    Ambiguous(bool),
    Flood(u64),
    Refused,
    Unauthorized,
    EditGone,
    /// Never answered.
    Hang,
}

/// A message of the bot as a person sees it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// All it ever said, oldest first.
    pub(crate) texts: Vec<String>,
    pub(crate) buttons: Vec<(String, String)>,
    pub(crate) document: Option<(String, Vec<u8>)>,
    /// It came without a sound.
    pub(crate) silent: bool,
}

impl Message {
    pub(crate) fn text(&self) -> &str {
        self.texts.last().map_or("", String::as_str)
    }
}

/// The server.
#[derive(Default)]
pub(crate) struct Chats {
    pub(crate) chats: BTreeMap<i64, BTreeMap<i32, Message>>,
    next_message: i32,
    updates: VecDeque<(i32, Value)>,
    /// Every update there ever was.
    pub(crate) past: Vec<Value>,
    pub(crate) next_update: i32,
    pub(crate) poll_faults: VecDeque<CallErrorKind>,
    pub(crate) faults: VecDeque<Fault>,
    /// They meet only messages with this in them.
    pub(crate) struck: Option<String>,
    /// Every message meets this.
    pub(crate) outage: Option<Fault>,
    /// The same for edits alone.
    pub(crate) edits: Option<Fault>,
    /// Messages with this in them are never answered.
    pub(crate) never: Option<String>,
    /// The bot is not told who it is.
    pub(crate) nameless: bool,
    pub(crate) blocked: BTreeSet<i64>,
    pub(crate) no_topics: bool,
    pub(crate) migrated: BTreeMap<i64, i64>,
    pub(crate) banners: Vec<String>,
    pub(crate) left: Vec<i64>,
    /// Calls take effect, but nobody is told yet.
    pub(crate) hold: bool,
    /// Boot clock, method and chat of every call that came in.
    pub(crate) calls: Vec<(i64, &'static str, i64)>,
    pub(crate) offsets: Vec<Option<i32>>,
    presses: u32,
}

impl Chats {
    pub(crate) fn new() -> Chats {
        Chats { next_message: 1, next_update: 1_000, ..Chats::default() }
    }

    pub(crate) fn message_id(&mut self) -> i32 {
        self.next_message += 1;
        self.next_message - 1
    }

    /// Queues an update; its id is given here.
    pub(crate) fn update(&mut self, kind: &str, body: Value) {
        let id = self.next_update;
        self.next_update += 1;
        let update = json!({ "update_id": id, kind: body });
        self.past.push(update.clone());
        self.updates.push_back((id, update));
    }

    /// Delivers an old update again: as it was, or under a new id.
    pub(crate) fn again(&mut self, which: usize, fresh_id: bool) {
        let mut update = self.past[which].clone();
        if fresh_id {
            update["update_id"] = json!(self.next_update);
            self.next_update += 1;
        }
        let id = i32::try_from(update["update_id"].as_i64().unwrap_or(0)).unwrap_or(0);
        self.updates.push_front((id, update));
    }

    pub(crate) fn pending(&self) -> usize {
        self.updates.len()
    }

    pub(crate) fn press_id(&mut self) -> String {
        self.presses += 1;
        format!("press-{}", self.presses)
    }

    pub(crate) fn message_json(&self, chat: i64, id: i32, user: Option<i64>, text: &str, date: i64) -> Value {
        let mut message = json!({ "message_id": id, "date": date, "chat": chat_json(chat), "text": text });
        if let Some(user) = user {
            message["from"] = user_json(user);
        }
        message
    }

    fn confirm(&mut self, offset: Option<i32>) {
        self.offsets.push(offset);
        // An offset beyond everything there is is not believed.
        let Some(offset) = offset.filter(|o| *o <= self.next_update) else { return };
        self.updates.retain(|(id, _)| *id >= offset);
    }

    fn perform(&mut self, call: &Call) -> Result<Called, CallError> {
        match call {
            Call::GetMe if self.nameless => Err(error(CallErrorKind::Ambiguous, "connection reset")),
            Call::GetMe => Ok(Called::Me { id: BOT, username: "our_bot".into() }),
            Call::Send(content) => self.send(content, None),
            Call::Document { content, name, bytes } => self.send(content, Some((name.clone(), bytes.clone()))),
            Call::Edit { message, content } => self.edit(*message, content),
            Call::AnswerPress { text, .. } => {
                self.banners.push(text.clone());
                Ok(Called::Done)
            }
            Call::SetCommands(_) => Ok(Called::Done),
            Call::Leave { chat } => {
                self.left.push(*chat);
                Ok(Called::Done)
            }
        }
    }

    fn may(&self, content: &Outgoing) -> Result<(), CallError> {
        if let Some(to) = self.migrated.get(&content.chat) {
            return Err(error(CallErrorKind::Migrated(*to), "group chat was upgraded to a supergroup chat"));
        }
        if self.blocked.contains(&content.chat) {
            return Err(error(CallErrorKind::Forbidden, "bot was blocked by the user"));
        }
        if self.no_topics && content.thread.is_some() {
            return Err(error(CallErrorKind::ThreadGone, "Bad Request: message thread not found"));
        }
        let units = content.text.encode_utf16().count();
        if units == 0 || units > 4_096 {
            return Err(error(CallErrorKind::TooLong, "message is empty or too long"));
        }
        Ok(())
    }

    fn send(&mut self, content: &Outgoing, document: Option<(String, Vec<u8>)>) -> Result<Called, CallError> {
        self.may(content)?;
        let id = self.message_id();
        let message = Message {
            texts: vec![content.text.clone()],
            buttons: content.buttons.iter().flatten().cloned().collect(),
            document,
            silent: content.silent,
        };
        self.chats.entry(content.chat).or_default().insert(id, message);
        Ok(Called::Message(id))
    }

    fn edit(&mut self, id: i32, content: &Outgoing) -> Result<Called, CallError> {
        self.may(content)?;
        let Some(message) = self.chats.entry(content.chat).or_default().get_mut(&id) else {
            return Err(error(CallErrorKind::EditTargetGone, "message to edit not found"));
        };
        let buttons: Vec<_> = content.buttons.iter().flatten().cloned().collect();
        if message.text() == content.text && message.buttons == buttons {
            return Err(error(CallErrorKind::NotModified, "message is not modified"));
        }
        message.texts.push(content.text.clone());
        message.buttons = buttons;
        Ok(Called::Done)
    }

    fn strike(&mut self, fault: Fault, call: &Call) -> Option<Result<Called, CallError>> {
        Some(Err(match fault {
            Fault::NotSent => error(CallErrorKind::NotSent, "connection refused"),
            Fault::Ambiguous(effect) => {
                if effect {
                    let _ = self.perform(call);
                }
                error(CallErrorKind::Ambiguous, "connection reset")
            }
            Fault::Flood(ms) => error(CallErrorKind::Flood(Duration::from_millis(ms)), "Too Many Requests"),
            Fault::Refused => error(CallErrorKind::Refused, "Bad Request"),
            Fault::Unauthorized => error(CallErrorKind::Unauthorized, "Unauthorized"),
            Fault::EditGone if matches!(call, Call::Edit { .. }) => {
                error(CallErrorKind::EditTargetGone, "message to edit not found")
            }
            Fault::EditGone => return Some(self.perform(call)),
            Fault::Hang => return None,
        }))
    }
}

fn error(kind: CallErrorKind, text: &str) -> CallError {
    CallError { kind, text: text.to_owned() }
}

pub(crate) fn user_json(user: i64) -> Value {
    json!({ "id": user, "is_bot": false, "first_name": format!("user {user}") })
}

pub(crate) fn chat_json(chat: i64) -> Value {
    if chat > 0 {
        json!({ "id": chat, "type": "private", "first_name": format!("user {chat}") })
    } else if chat < -1_000_000_000_000 {
        json!({ "id": chat, "type": "supergroup", "title": "group" })
    } else {
        json!({ "id": chat, "type": "group", "title": "group" })
    }
}

fn chat_of(call: &Call) -> i64 {
    match call {
        Call::Send(content) | Call::Edit { content, .. } | Call::Document { content, .. } => content.chat,
        Call::Leave { chat } => *chat,
        Call::GetMe | Call::AnswerPress { .. } | Call::SetCommands(_) => 0,
    }
}

fn text_of(call: &Call) -> &str {
    match call {
        Call::Send(content) | Call::Edit { content, .. } | Call::Document { content, .. } => &content.text,
        Call::Leave { .. } | Call::GetMe | Call::AnswerPress { .. } | Call::SetCommands(_) => "",
    }
}

/// The server as one daemon sees it.
pub(crate) struct FakeTelegram {
    pub(crate) shared: Rc<Shared>,
    pub(crate) chats: Rc<RefCell<Chats>>,
}

impl Telegram for FakeTelegram {
    fn bot_id(&self) -> i64 {
        BOT
    }

    fn poll(&self, poll: Poll) -> LocalFuture<'_, Result<Vec<Update>, CallError>> {
        let (shared, chats) = (self.shared.clone(), self.chats.clone());
        let until = shared.boot_ms.get() + i64::try_from(poll.timeout.as_millis()).unwrap_or(0);
        let mut fresh = true;
        self.shared.wait(move || {
            let mut chats = chats.borrow_mut();
            if std::mem::take(&mut fresh) {
                shared.tick();
                shared.act();
                if let Some(kind) = chats.poll_faults.pop_front() {
                    return Some(Err(error(kind, "the poll failed")));
                }
                chats.confirm(poll.offset);
            }
            if chats.updates.is_empty() {
                return shared.reached(until).then(|| Ok(Vec::new()));
            }
            // From text, as in production: from a `Value` teloxide reads every update as unknown.
            let read = |(_, update): &(i32, Value)| serde_json::from_str(&update.to_string()).expect("an update");
            Some(Ok(chats.updates.iter().take(100).map(read).collect()))
        })
    }

    fn call(&self, call: Call, give_up: Duration) -> LocalFuture<'_, Result<Called, CallError>> {
        let (shared, chats) = (self.shared.clone(), self.chats.clone());
        let until = shared.boot_ms.get() + i64::try_from(give_up.as_millis()).unwrap_or(0);
        let mut call = Some(call);
        let mut result = None;
        self.shared.wait(move || {
            if let Some(call) = call.take() {
                shared.tick();
                shared.act();
                let mut chats = chats.borrow_mut();
                chats.calls.push((shared.boot_ms.get(), call.method(), chat_of(&call)));
                let of_message = matches!(call, Call::Send(_) | Call::Edit { .. } | Call::Document { .. });
                let edits = chats.edits.filter(|_| matches!(call, Call::Edit { .. }));
                let outage = chats.outage.or(edits);
                let is_struck = chats.struck.as_ref().is_none_or(|part| text_of(&call).contains(part));
                let fault = if of_message && is_struck { chats.faults.pop_front() } else { None };
                let mut fault = fault.or(outage.filter(|_| of_message));
                if chats.never.as_ref().is_some_and(|part| text_of(&call).contains(part)) {
                    fault = Some(Fault::Hang);
                }
                result = match fault {
                    Some(fault) => chats.strike(fault, &call),
                    None => Some(chats.perform(&call)),
                };
                drop(chats);
                shared.tick();
            }
            if chats.borrow().hold {
                return None;
            }
            result
                .take()
                .or_else(|| shared.reached(until).then(|| Err(error(CallErrorKind::Ambiguous, "no answer in time"))))
        })
    }
}
