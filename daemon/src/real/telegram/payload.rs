//! From the port's calls to the Bot API's parameters, by teloxide's payload types.
//!
//! Texts go out plain with `entities`, never with `parse_mode`: there is then nothing in a task's output that could be parsed.

use crate::policy;
use crate::ports::{Call, Called, Outgoing, Poll};
use serde::Serialize;
use serde_json::Value;
use teloxide_core::payloads::{
    AnswerCallbackQuery, EditMessageText, GetMe, GetUpdates, GetWebhookInfo, LeaveChat, SendDocument, SendMessage,
    SetMyCommands,
};
use teloxide_core::requests::Payload;
use teloxide_core::types::{
    AllowedUpdate, BotCommand, CallbackQueryId, ChatId, FileId, InlineKeyboardButton, InlineKeyboardMarkup, InputFile,
    LinkPreviewOptions, MessageEntity, MessageId, ReplyMarkup, ReplyParameters, ThreadId,
};

/// Every kind of update that [`crate::input::Incoming::read`] reads. Sent with every poll: the server remembers the last list
/// that anybody with the token sent, and somebody's curl may have switched presses off.
const ALLOWED: [AllowedUpdate; 5] = [
    AllowedUpdate::Message,
    AllowedUpdate::EditedMessage,
    AllowedUpdate::CallbackQuery,
    AllowedUpdate::MyChatMember,
    AllowedUpdate::ChannelPost,
];
/// The most that one poll may ask for.
const UPDATES_PER_POLL: u8 = 100;
/// The topic that every forum has: messages are put there by naming none, and refused if they name it.
const GENERAL: i32 = 1;
/// The part of a form that is the file.
const FILE: &str = "file";

/// A request's body.
pub enum Body {
    /// Parameters as JSON.
    Json(Vec<u8>),
    /// Parameters and a file as `multipart/form-data`.
    Form(Form),
}

/// Text fields, and one file.
pub struct Form {
    /// Name and text.
    pub fields: Vec<(String, String)>,
    /// The name of the part that is the file.
    pub part: &'static str,
    /// The file's name.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What an answer is read for.
pub(super) enum Expected {
    /// Who we are.
    Me,
    /// The new message's id.
    Message,
    /// Success alone, which means this. What else the answer says can't make it a failure.
    Anything(Called),
}

/// A long poll: method and body.
pub(super) fn poll(poll: &Poll) -> (&'static str, Body) {
    let longest = policy::POLL_TIMEOUT_MAX_MS.unsigned_abs() / 1_000;
    let timeout = u32::try_from(poll.timeout.as_secs().min(longest)).unwrap_or(0);
    json(&GetUpdates {
        offset: poll.offset,
        limit: Some(UPDATES_PER_POLL),
        timeout: Some(timeout),
        allowed_updates: Some(ALLOWED.to_vec()),
    })
}

/// Whether there is a webhook.
pub(super) fn webhook() -> (&'static str, Body) {
    json(&GetWebhookInfo::new())
}

/// A call: method, body, and what its answer is read for.
pub(super) fn of(call: Call) -> (&'static str, Body, Expected) {
    let ((method, body), expected) = match call {
        Call::GetMe => (json(&GetMe::new()), Expected::Me),
        Call::Send(content) => (json(&send(content)), Expected::Message),
        Call::Edit { message, content } => {
            (json(&edit(message, content)), Expected::Anything(Called::Message(message)))
        }
        Call::Document { content, name, bytes } => (document(content, name, bytes), Expected::Message),
        Call::AnswerPress { id, text, alert } => (json(&answer(id, text, alert)), Expected::Anything(Called::Done)),
        Call::SetCommands(commands) => {
            let commands = commands.into_iter().map(|(name, text)| BotCommand::new(name, text));
            (json(&SetMyCommands::new(commands)), Expected::Anything(Called::Done))
        }
        Call::Leave { chat } => (json(&LeaveChat::new(ChatId(chat))), Expected::Anything(Called::Done)),
    };
    (method, body, expected)
}

fn send(content: Outgoing) -> SendMessage {
    SendMessage {
        message_thread_id: thread(&content),
        entities: entities(&content),
        link_preview_options: Some(no_preview()),
        disable_notification: content.silent.then_some(true),
        reply_parameters: reply(&content),
        reply_markup: keyboard(&content).map(ReplyMarkup::InlineKeyboard),
        ..SendMessage::new(ChatId(content.chat), content.text)
    }
}

/// Without buttons there is no `reply_markup`, which takes away those that are there.
fn edit(message: i32, content: Outgoing) -> EditMessageText {
    EditMessageText {
        entities: entities(&content),
        link_preview_options: Some(no_preview()),
        reply_markup: keyboard(&content),
        ..EditMessageText::new(ChatId(content.chat), MessageId(message), content.text)
    }
}

fn answer(id: String, text: String, alert: bool) -> AnswerCallbackQuery {
    AnswerCallbackQuery {
        text: (!text.is_empty()).then_some(text),
        show_alert: alert.then_some(true),
        ..AnswerCallbackQuery::new(CallbackQueryId(id))
    }
}

/// Teloxide's own serializer for forms is private. This one needs no more than JSON: a file "id" is sent as it stands, and
/// `attach://` refers to a part of the form.
fn document(content: Outgoing, name: String, bytes: Vec<u8>) -> (&'static str, Body) {
    let file = InputFile::file_id(FileId(format!("attach://{FILE}")));
    let payload = SendDocument {
        message_thread_id: thread(&content),
        caption_entities: entities(&content),
        disable_notification: content.silent.then_some(true),
        reply_parameters: reply(&content),
        reply_markup: keyboard(&content).map(ReplyMarkup::InlineKeyboard),
        caption: (!content.text.is_empty()).then_some(content.text),
        ..SendDocument::new(ChatId(content.chat), file)
    };
    let fields = serde_json::to_value(&payload).expect("payloads are objects with text keys");
    let text = |value: &Value| value.as_str().map_or_else(|| Value::to_string(value), str::to_owned);
    let fields = fields.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect();
    (SendDocument::NAME, Body::Form(Form { fields, part: FILE, name, bytes }))
}

fn json<P: Payload + Serialize>(payload: &P) -> (&'static str, Body) {
    (P::NAME, Body::Json(serde_json::to_vec(payload).expect("payloads are objects with text keys")))
}

fn thread(content: &Outgoing) -> Option<ThreadId> {
    content.thread.filter(|thread| *thread != GENERAL).map(|thread| ThreadId(MessageId(thread)))
}

fn reply(content: &Outgoing) -> Option<ReplyParameters> {
    content.reply_to.map(|message| ReplyParameters::new(MessageId(message)).allow_sending_without_reply())
}

fn entities(content: &Outgoing) -> Option<Vec<MessageEntity>> {
    let pre = |&(offset, length): &(usize, usize)| MessageEntity::pre(None, offset, length);
    (!content.pre.is_empty()).then(|| content.pre.iter().map(pre).collect())
}

fn keyboard(content: &Outgoing) -> Option<InlineKeyboardMarkup> {
    let button = |(label, data): &(String, String)| InlineKeyboardButton::callback(label, data);
    let rows = content.buttons.iter().map(|row| row.iter().map(button));
    (!content.buttons.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sent(call: Call) -> (&'static str, Value) {
        let (method, body, _) = of(call);
        match body {
            Body::Json(json) => (method, serde_json::from_slice(&json).expect("it was just written")),
            Body::Form(_) => panic!("{method} is not JSON"),
        }
    }

    fn content() -> Outgoing {
        Outgoing {
            chat: -100,
            thread: Some(7),
            reply_to: Some(3),
            text: "🦀 x".into(),
            pre: vec![(3, 1)],
            buttons: vec![vec![("Approve".into(), "n1".into())]],
            silent: true,
        }
    }

    #[test]
    fn a_message_with_everything() {
        let expected = json!({
            "chat_id": -100, "text": "🦀 x", "message_thread_id": 7, "disable_notification": true,
            "entities": [{ "type": "pre", "offset": 3, "length": 1 }],
            "link_preview_options": { "is_disabled": true },
            "reply_parameters": { "message_id": 3, "allow_sending_without_reply": true },
            "reply_markup": { "inline_keyboard": [[{ "text": "Approve", "callback_data": "n1" }]] },
        });
        let (method, mut body) = sent(Call::Send(content()));
        // Teloxide writes the language of a `pre` also when there is none.
        if let Some(entity) = body.pointer_mut("/entities/0").and_then(Value::as_object_mut) {
            entity.retain(|_, value| !value.is_null());
        }
        assert_eq!((method, body), ("SendMessage", expected));
    }

    #[test]
    fn a_message_with_nothing_says_nothing_more_than_it_must() {
        let bare = Outgoing { chat: 5, text: "x".into(), ..Outgoing::default() };
        let expected = json!({ "chat_id": 5, "text": "x", "link_preview_options": { "is_disabled": true } });
        assert_eq!(sent(Call::Send(bare.clone())), ("SendMessage", expected.clone()));
        let (_, general) = sent(Call::Send(Outgoing { thread: Some(GENERAL), ..bare.clone() }));
        assert_eq!(general, expected);
        let (method, edited) = sent(Call::Edit { message: 9, content: bare });
        assert_eq!((method, &edited["message_id"]), ("EditMessageText", &json!(9)));
        assert_eq!(edited.get("reply_markup"), None);
    }

    #[test]
    fn a_poll_says_every_time_which_updates_it_wants_and_never_asks_for_longer_than_the_server_waits() {
        let seconds = std::time::Duration::from_secs;
        let (method, body) = poll(&Poll { offset: Some(8), timeout: seconds(90), give_up: seconds(99) });
        let Body::Json(body) = body else { panic!("polls are JSON") };
        let expected = json!({
            "offset": 8, "limit": 100, "timeout": 50,
            "allowed_updates": ["message", "edited_message", "callback_query", "my_chat_member", "channel_post"],
        });
        let body: Value = serde_json::from_slice(&body).expect("it was just written");
        assert_eq!((method, body), ("GetUpdates", expected));
    }
}
