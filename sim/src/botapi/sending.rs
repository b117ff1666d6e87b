//! What a bot may do: send, edit, delete, answer presses, leave.

use serde_json::{Value, json};

use super::books::Change;
use super::ids::{BotId, ChatId, MessageId, Millis, PressId};
use super::keyboard::Keyboard;
use super::limits::{Traffic, admit};
use super::request::{Args, File, Refusal, Reply};
use super::text::{Text, utf16_len};
use super::world::{Author, ChatKind, Content, Message, Shown, Standing, World};

const TEXT_UNITS: usize = 4096;
const CAPTION_UNITS: usize = 1024;
const TOAST_UNITS: usize = 200;
const DOCUMENT_BYTES: usize = 50 * 1024 * 1024;

pub(super) fn send_message(world: &mut World, now: Millis, bot: BotId, args: &Args<'_>) -> Reply {
    let chat = reachable_chat(world, bot, args)?;
    let text = Text::of_request(args, ("text", "entities"), TEXT_UNITS, "message is too long")?;
    if text.text.is_empty() {
        return Err(Refusal::bad_request("message text is empty"));
    }
    send(world, now, bot, chat, Content::Text(text), args)
}

pub(super) fn send_document(world: &mut World, now: Millis, bot: BotId, args: &Args<'_>) -> Reply {
    let chat = reachable_chat(world, bot, args)?;
    let (file_id, file) = document(world, args)?;
    let keys = ("caption", "caption_entities");
    let caption = Text::of_request(args, keys, CAPTION_UNITS, "message caption is too long")?;
    world.files.insert(file_id.clone(), file.clone());
    send(world, now, bot, chat, Content::Document { file_id, file, caption }, args)
}

fn send(world: &mut World, now: Millis, bot: BotId, chat: ChatId, content: Content, args: &Args<'_>) -> Reply {
    let keyboard = Keyboard::of_request(args)?;
    let thread = thread(world, chat, args)?;
    let reply_to = reply_target(world, chat, args)?;
    admit(world, now, bot, chat, Traffic::Send)?;
    let silent = args.flag("disable_notification");
    let message = Message { keyboard, thread, reply_to, silent, ..Message::new(now, Author::Bot(bot), content) };
    let id = world.store(chat, message);
    Ok(world.message_json(chat, id))
}

pub(super) fn edit_text(world: &mut World, now: Millis, bot: BotId, args: &Args<'_>) -> Reply {
    let (chat, id) = editable(world, bot, args)?;
    let text = Text::of_request(args, ("text", "entities"), TEXT_UNITS, "MESSAGE_TOO_LONG")?;
    if text.text.is_empty() {
        return Err(Refusal::bad_request("message text is empty"));
    }
    match world.message(chat, id).map(|message| &message.content) {
        Some(Content::Text(_)) => edit(world, now, bot, (chat, id), Some(Content::Text(text)), args),
        None | Some(_) => Err(Refusal::bad_request("there is no text in the message to edit")),
    }
}

pub(super) fn edit_markup(world: &mut World, now: Millis, bot: BotId, args: &Args<'_>) -> Reply {
    let target = editable(world, bot, args)?;
    edit(world, now, bot, target, None, args)
}

/// Edits a message. Without `reply_markup` its buttons go away, also when only the text was meant.
fn edit(
    world: &mut World,
    now: Millis,
    bot: BotId,
    (chat, id): (ChatId, MessageId),
    content: Option<Content>,
    args: &Args<'_>,
) -> Reply {
    let keyboard = Keyboard::of_request(args)?;
    let message = world.message(chat, id).ok_or_else(|| Refusal::bad_request("message to edit not found"))?;
    let same_content = content.as_ref().is_none_or(|content| *content == message.content);
    if same_content && keyboard == message.keyboard {
        return Err(Refusal::bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same as a current \
             content and reply markup of the message",
        ));
    }
    admit(world, now, bot, chat, Traffic::Edit)?;
    if let Some(message) = world.message_mut(chat, id) {
        let before = message.content.clone();
        message.history.push((now, before));
        message.keyboard = keyboard;
        if let Some(content) = content {
            message.content = content;
        }
    }
    world.changes.push(Change::Edited(chat, id));
    Ok(world.message_json(chat, id))
}

pub(super) fn delete_message(world: &mut World, bot: BotId, args: &Args<'_>) -> Reply {
    let chat = reachable_chat(world, bot, args)?;
    let id = message_id(args)?;
    let kind = world.chat(chat).kind;
    let Some(message) = world.message_mut(chat, id) else {
        return Err(Refusal::bad_request("message to delete not found"));
    };
    if message.author != Author::Bot(bot) && kind != ChatKind::Private {
        return Err(Refusal::bad_request("message can't be deleted"));
    }
    message.deleted = true;
    world.changes.push(Change::Deleted(chat, id));
    Ok(json!(true))
}

pub(super) fn answer_press(world: &mut World, now: Millis, bot: BotId, args: &Args<'_>) -> Reply {
    let id = PressId(args.text("callback_query_id").unwrap_or_default());
    let text = args.text("text").filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| utf16_len(text) > TOAST_UNITS) {
        return Err(Refusal::bad_request("MESSAGE_TOO_LONG"));
    }
    let window = world.limits.press_answer;
    let press = world.presses.get_mut(&id).filter(|press| press.bot == bot && now.since(press.issued) < window);
    let Some(press) = press else {
        return Err(Refusal::bad_request("query is too old and response timeout expired or query ID is invalid"));
    };
    // A second answer is accepted and shows nothing.
    if press.answer.is_none() {
        press.answer = Some(Shown { at: now, text, alert: args.flag("show_alert") });
        world.changes.push(Change::Toast(id));
    }
    Ok(json!(true))
}

pub(super) fn leave_chat(world: &mut World, now: Millis, bot: BotId, args: &Args<'_>) -> Reply {
    let chat = reachable_chat(world, bot, args)?;
    if world.chat(chat).kind == ChatKind::Private {
        return Err(Refusal::bad_request("chat member status can't be changed in private chats"));
    }
    world.people(now).bot_stands(bot, chat, None, Standing::Left);
    Ok(json!(true))
}

/// The chat that a request is for, if the bot can write there.
fn reachable_chat(world: &World, bot: BotId, args: &Args<'_>) -> Result<ChatId, Refusal> {
    let id = ChatId(args.int("chat_id").ok_or_else(|| Refusal::bad_request("chat not found"))?);
    let Some(chat) = world.chats.get(&id) else {
        let known = world.users.keys().any(|user| user.0 == id.0);
        return Err(if known {
            Refusal::forbidden("bot can't initiate conversation with a user")
        } else {
            Refusal::bad_request("chat not found")
        });
    };
    if let Some(to) = chat.migrated_to {
        return Err(Refusal::migrated(to));
    }
    let place = match chat.kind {
        ChatKind::Private => "user",
        ChatKind::Group => "group chat",
        ChatKind::Supergroup => "supergroup chat",
        ChatKind::Channel => "channel chat",
    };
    match (chat.bots.get(&bot), chat.kind) {
        (Some(Standing::Member), _) => Ok(id),
        (None, _) => Err(Refusal::bad_request("chat not found")),
        (Some(Standing::Banned | Standing::Left), ChatKind::Private) => {
            Err(Refusal::forbidden("bot was blocked by the user"))
        }
        (Some(Standing::Banned), _) => Err(Refusal::forbidden(format!("bot was kicked from the {place}"))),
        (Some(Standing::Left), _) => Err(Refusal::forbidden(format!("bot is not a member of the {place}"))),
    }
}

fn message_id(args: &Args<'_>) -> Result<MessageId, Refusal> {
    let id = args.int("message_id").filter(|id| *id > 0);
    id.map(MessageId).ok_or_else(|| Refusal::bad_request("message identifier is not specified"))
}

/// The message that an edit is for, if it is the bot's own.
fn editable(world: &World, bot: BotId, args: &Args<'_>) -> Result<(ChatId, MessageId), Refusal> {
    let chat = reachable_chat(world, bot, args)?;
    let id = message_id(args)?;
    match world.message(chat, id) {
        None => Err(Refusal::bad_request("message to edit not found")),
        Some(message) if message.author != Author::Bot(bot) => Err(Refusal::bad_request("message can't be edited")),
        Some(_) => Ok((chat, id)),
    }
}

fn thread(world: &World, chat: ChatId, args: &Args<'_>) -> Result<Option<i64>, Refusal> {
    match args.int("message_thread_id") {
        None | Some(0) => Ok(None),
        // Topic 1, "General", is refused like one that does not exist.
        Some(thread) if thread != 1 && world.chat(chat).topics.contains(&thread) => Ok(Some(thread)),
        Some(_) => Err(Refusal::bad_request("message thread not found")),
    }
}

fn reply_target(world: &World, chat: ChatId, args: &Args<'_>) -> Result<Option<MessageId>, Refusal> {
    let Some(parameters) = args.structure("reply_parameters")? else {
        return Ok(None);
    };
    let id = parameters.get("message_id").and_then(Value::as_i64).map(MessageId);
    let found = id.filter(|id| world.message(chat, *id).is_some());
    let lenient = parameters.get("allow_sending_without_reply").and_then(Value::as_bool) == Some(true);
    if found.is_none() && !lenient {
        return Err(Refusal::bad_request("message to be replied not found"));
    }
    Ok(found)
}

/// The document of a request: an upload, under its own name or attached, or one that is here already.
fn document(world: &mut World, args: &Args<'_>) -> Result<(String, File), Refusal> {
    let reference = args.text("document").unwrap_or_default();
    if let Some(file) = world.files.get(&reference) {
        return Ok((reference, file.clone()));
    }
    let part = reference.strip_prefix("attach://").unwrap_or("document");
    let Some(file) = args.files.get(part).cloned() else {
        return Err(Refusal::bad_request("wrong file identifier/HTTP URL specified"));
    };
    match file.bytes.len() {
        0 => Err(Refusal::bad_request("file must be non-empty")),
        1..=DOCUMENT_BYTES => Ok((format!("document-{:016x}", world.random()), file)),
        _ => Err(Refusal::too_large()),
    }
}
