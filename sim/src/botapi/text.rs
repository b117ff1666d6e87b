//! Texts with their entities, checked as the real server checks them. All offsets count UTF-16 units.

use serde_json::Value;

use super::request::{Args, Refusal};

/// A text and what is marked in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) entities: Vec<Value>,
}

/// The kinds of entity that a bot may send.
const ENTITIES: [&str; 18] = [
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "expandable_blockquote",
    "code",
    "pre",
    "text_link",
    "text_mention",
];

impl Text {
    /// A text as people write it: a command in front is recognised, as the server does it.
    pub(super) fn of_person(text: &str) -> Self {
        let command = text.split(char::is_whitespace).next().filter(|word| word.starts_with('/') && word.len() > 1);
        let entities = command
            .map(|word| serde_json::json!({ "type": "bot_command", "offset": 0, "length": utf16_len(word) }))
            .into_iter()
            .collect();
        Self { text: text.to_owned(), entities }
    }

    /// Reads a text and its entities from a request: without white space around it, at most `limit` units.
    pub(super) fn of_request(
        args: &Args<'_>,
        keys: (&str, &str),
        limit: usize,
        too_long: &str,
    ) -> Result<Self, Refusal> {
        if args.text("parse_mode").is_some_and(|mode| !mode.is_empty()) {
            return Err(Refusal::bad_request("can't parse entities: this server knows no parse_mode"));
        }
        let written = args.text(keys.0).unwrap_or_default();
        let entities = match args.structure(keys.1)? {
            None => Vec::new(),
            Some(Value::Array(entities)) => entities,
            Some(_) => {
                return Err(Refusal::bad_request("can't parse entities: expected an Array of MessageEntity"));
            }
        };
        for entity in &entities {
            check_entity(entity, &written)?;
        }
        // In front, white space is only cut off where that moves no entity.
        let text = if entities.is_empty() { written.trim() } else { written.trim_end() };
        if utf16_len(text) > limit {
            return Err(Refusal::bad_request(too_long));
        }
        Ok(Self { text: text.to_owned(), entities })
    }
}

fn check_entity(entity: &Value, text: &str) -> Result<(), Refusal> {
    let kind = entity.get("type").and_then(Value::as_str).unwrap_or_default();
    if !ENTITIES.contains(&kind) {
        return Err(Refusal::bad_request(format!("can't parse entities: unsupported entity type \"{kind}\"")));
    }
    if kind == "text_link" && entity.get("url").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(Refusal::bad_request("can't parse entities: text_link without url"));
    }
    let number = |key: &str| entity.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let (Some(offset), Some(length)) = (number("offset"), number("length")) else {
        return Err(Refusal::bad_request("can't parse entities: receive an entity with incorrect offset or length"));
    };
    let end = utf16_len(text);
    if offset.saturating_add(length) > end {
        return Err(Refusal::bad_request(format!(
            "entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {end}"
        )));
    }
    match [offset, offset + length].into_iter().find(|at| !is_boundary(text, *at)) {
        Some(at) => {
            Err(Refusal::bad_request(format!("entity begins in a middle of a UTF-16 symbol at byte offset {at}")))
        }
        None => Ok(()),
    }
}

/// The length that Telegram counts.
pub(super) fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Whether a UTF-16 offset lies between two characters.
fn is_boundary(text: &str, offset: usize) -> bool {
    let mut at = 0;
    for character in text.chars() {
        if at >= offset {
            break;
        }
        at += character.len_utf16();
    }
    at == offset
}
