//! How the terminal writes things down: as cards for people, as JSON lines for scripts.

use serde_json::{Value, json as value};

use crate::botapi::{ChatId, MessageId, PressId, Seen};

/// Something to show.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A new message.
    Message(Card),
    /// A message that reads differently, or has other buttons.
    Edited(Card),
    /// A message that is gone.
    Deleted {
        /// Its chat.
        chat: ChatId,
        /// Its id.
        message: MessageId,
    },
    /// The answer to a press.
    Toast {
        /// The press.
        press: PressId,
        /// Who pressed.
        user: String,
        /// What popped up, if anything.
        text: Option<String>,
        /// Whether it has to be tapped away.
        alert: bool,
    },
    /// A chat as it is now.
    Screen(Vec<Card>),
    /// Something about the terminal itself.
    Note(String),
    /// A line that could not be done.
    Error(String),
}

/// A message, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Its chat.
    pub chat: ChatId,
    /// What the chat is called: in a private one, the person.
    pub chat_title: String,
    /// Whether the current person wrote it, and so has it on screen already.
    pub own: bool,
    /// Its buttons, numbered.
    pub rows: Vec<Vec<Button>>,
    /// The message itself.
    pub seen: Seen,
}

/// A button and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What to press it by.
    pub number: u32,
    /// What stands on it.
    pub label: String,
}

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const CYAN: &str = "\u{1b}[36m";
const RED: &str = "\u{1b}[31m";
const RESET: &str = "\u{1b}[0m";

/// For people. Empty for what they have on screen already.
#[must_use]
pub fn text(output: &Output, coloured: bool) -> String {
    let paint = |colour: &str, text: &str| {
        if coloured { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    };
    match output {
        Output::Message(card) if card.own => String::new(),
        Output::Message(card) => card_text(card, "", &paint),
        Output::Edited(card) => card_text(card, ", edited", &paint),
        Output::Deleted { message, .. } => paint(DIM, &format!("  message #{message} was deleted\n")),
        Output::Toast { text: None, .. } => String::new(),
        Output::Toast { user, text: Some(text), alert, .. } => {
            let kind = if *alert { "alert" } else { "toast" };
            paint(CYAN, &format!("  {kind} for {user}: {}\n", printable(text)))
        }
        Output::Screen(cards) => cards.iter().map(|card| card_text(card, "", &paint)).collect(),
        Output::Note(note) => note.lines().map(|line| paint(DIM, &format!("  {line}\n"))).collect(),
        Output::Error(error) => paint(RED, &format!("  {error}\n")),
    }
}

fn card_text(card: &Card, what: &str, paint: &impl Fn(&str, &str) -> String) -> String {
    let silent = if card.seen.silent { ", silent" } else { "" };
    let to = if card.seen.is_bot { format!(" to {}", card.chat_title) } else { String::new() };
    let id = paint(DIM, &format!("#{}{what}{silent}", card.seen.id));
    let mut lines = vec![format!("{} {id}", paint(BOLD, &format!("{}{to}", card.seen.from)))];
    lines.extend(card.seen.document.iter().map(|name| format!("(file: {})", printable(name))));
    lines.extend(card.seen.text.lines().map(printable));
    for row in &card.rows {
        let buttons: Vec<String> = row
            .iter()
            .map(|button| paint(CYAN, &format!("[{} {}]", button.number, printable(&button.label))))
            .collect();
        lines.push(buttons.join(" "));
    }
    let last = lines.len() - 1;
    let edge = |n: usize| match n {
        0 => "\u{250c}",
        n if n == last => "\u{2514}",
        _ => "\u{2502}",
    };
    lines.iter().enumerate().map(|(n, line)| format!("  {} {line}\n", edge(n))).collect()
}

/// What a bot sends may come from anywhere: nothing in it may steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// For scripts: one line each, with an `event` that says what it is.
#[must_use]
pub fn json(output: &Output) -> Value {
    match output {
        Output::Message(card) => card_json("message", card),
        Output::Edited(card) => card_json("edited", card),
        Output::Deleted { chat, message } => {
            value!({ "event": "deleted", "chat": chat, "message_id": message })
        }
        Output::Toast { press, user, text, alert } => {
            value!({ "event": "toast", "press": press, "user": user, "text": text, "alert": alert })
        }
        Output::Screen(cards) => {
            let messages: Vec<Value> = cards.iter().map(|card| card_json("message", card)).collect();
            value!({ "event": "screen", "messages": messages })
        }
        Output::Note(note) => value!({ "event": "note", "text": note }),
        Output::Error(error) => value!({ "event": "error", "text": error }),
    }
}

fn card_json(event: &str, card: &Card) -> Value {
    let seen = &card.seen;
    let button = |button: &Button| value!({ "n": button.number, "label": button.label });
    let rows: Vec<Vec<Value>> = card.rows.iter().map(|row| row.iter().map(button).collect()).collect();
    value!({
        "event": event, "chat": card.chat, "chat_title": card.chat_title, "message_id": seen.id, "from": seen.from,
        "is_bot": seen.is_bot, "text": seen.text, "buttons": rows, "silent": seen.silent, "edits": seen.edits,
        "document": seen.document, "reply_to": seen.reply_to,
    })
}
