//! From the server's answers to results: what an answer says, and which class a refusal belongs to. Pure.
//!
//! A refusal's class is the consequence it has (see [`CallErrorKind`]). It is read off `parameters`, then the error code, and
//! only for code 400 off the beginning of the description, in any case of letters: those sentences drift.

use crate::policy;
use crate::ports::{CallError, CallErrorKind, Called};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use std::time::Duration;
use teloxide_core::types::{Update, UpdateKind};

/// Refusals with code 400 by the beginning of what follows "Bad Request: ", in lower case. The first that matches counts.
/// What is not here is [`CallErrorKind::Refused`].
const BAD_REQUESTS: [(&str, CallErrorKind); 21] = [
    ("message is not modified", CallErrorKind::NotModified),
    ("message to edit not found", CallErrorKind::EditTargetGone),
    ("message can't be edited", CallErrorKind::EditTargetGone),
    ("message_id_invalid", CallErrorKind::EditTargetGone),
    // The message was a document, or is now something that Telegram put in its place.
    ("there is no text in the message to edit", CallErrorKind::EditTargetGone),
    ("message thread not found", CallErrorKind::ThreadGone),
    ("topic_deleted", CallErrorKind::ThreadGone),
    ("topic_closed", CallErrorKind::ThreadGone),
    ("query is too old", CallErrorKind::PressTooOld),
    ("query_id_invalid", CallErrorKind::PressTooOld),
    ("message is too long", CallErrorKind::TooLong),
    ("message_too_long", CallErrorKind::TooLong),
    ("text is too long", CallErrorKind::TooLong),
    // The chat is not there for us (yet), or we may not write there: as with 403, `my_chat_member` tells when that changes.
    ("chat not found", CallErrorKind::Forbidden),
    ("peer_id_invalid", CallErrorKind::Forbidden),
    ("chat_write_forbidden", CallErrorKind::Forbidden),
    ("have no rights to send", CallErrorKind::Forbidden),
    ("not enough rights to send", CallErrorKind::Forbidden),
    ("need administrator rights in the channel chat", CallErrorKind::Forbidden),
    ("chat_restricted", CallErrorKind::Forbidden),
    ("user_is_blocked", CallErrorKind::Forbidden),
];

/// An answer of the Bot API. Everything but `ok` may be missing or of a shape that nobody has seen yet.
#[derive(Deserialize)]
struct Answer<R> {
    ok: bool,
    result: Option<R>,
    error_code: Option<i64>,
    description: Option<String>,
    parameters: Option<Value>,
}

/// Who we are.
pub(super) fn me(status: u16, body: &[u8]) -> Result<Called, CallError> {
    #[derive(Deserialize)]
    struct Me {
        id: i64,
        username: String,
    }
    read(status, body).map(|Me { id, username }| Called::Me { id, username })
}

/// A new message's id. No more is read: a message that some type can't hold was sent all the same.
pub(super) fn message(status: u16, body: &[u8]) -> Result<Called, CallError> {
    #[derive(Deserialize)]
    struct Sent {
        message_id: i32,
    }
    read(status, body).map(|Sent { message_id }| Called::Message(message_id))
}

/// Whether a webhook is set. Its address is not kept: it may hold a secret.
pub(super) fn has_webhook(status: u16, body: &[u8]) -> Result<bool, CallError> {
    #[derive(Deserialize)]
    struct Info {
        url: String,
    }
    read(status, body).map(|Info { url }| !url.is_empty())
}

/// Success, whatever the result is.
pub(super) fn anything(status: u16, body: &[u8]) -> Result<(), CallError> {
    read(status, body).map(|IgnoredAny| ())
}

/// The updates of a poll. One of an unknown kind or shape is [`UpdateKind::Error`] with what it was.
///
/// Each is read alone, and from text: teloxide reads an update of a new shape only if it borrows its keys. One without a usable
/// id can't be acknowledged by itself and is passed over; a batch of nothing else is an error, so that the caller pauses.
pub(super) fn updates(status: u16, body: &[u8]) -> Result<Vec<Update>, CallError> {
    let raw: Vec<Value> = read(status, body)?;
    let (count, mut updates) = (raw.len(), Vec::with_capacity(raw.len()));
    for value in raw {
        match serde_json::from_str::<Update>(&value.to_string()) {
            Ok(Update { id, kind: UpdateKind::Error(_) }) => {
                updates.push(Update { id, kind: UpdateKind::Error(value) })
            }
            Ok(update) => updates.push(update),
            Err(error) => tracing::warn!(%error, "an update without an id was passed over"),
        }
    }
    if updates.is_empty() && count > 0 {
        return Err(CallError { kind: CallErrorKind::Ambiguous, text: "no update of the answer has an id".into() });
    }
    Ok(updates)
}

fn read<R: DeserializeOwned>(status: u16, body: &[u8]) -> Result<R, CallError> {
    match serde_json::from_slice(body) {
        Ok(Answer { ok: true, result: Some(result), .. }) => Ok(result),
        Ok(Answer { ok: true, result: None, .. }) => Err(unreadable(status, "without a result")),
        Ok(Answer { ok: false, error_code, description, parameters, .. }) => {
            let code = error_code.unwrap_or_else(|| status.into());
            let text = description.unwrap_or_else(|| format!("error {code}"));
            Err(CallError { kind: classify(code, &text, parameters.as_ref()), text })
        }
        Err(error) => Err(unreadable(status, &format!("that can't be read: {error}"))),
    }
}

/// Something stands between us and the server, or broke it off: it may have acted before.
fn unreadable(status: u16, what: &str) -> CallError {
    // A gateway that finds a request too large has not passed it on.
    let kind = if status == 413 { CallErrorKind::Refused } else { CallErrorKind::Ambiguous };
    CallError { kind, text: format!("HTTP status {status} with an answer {what}") }
}

fn classify(code: i64, description: &str, parameters: Option<&Value>) -> CallErrorKind {
    let parameter = |key: &str| parameters.and_then(|parameters| parameters.get(key));
    if let Some(to) = parameter("migrate_to_chat_id").and_then(Value::as_i64) {
        return CallErrorKind::Migrated(to);
    }
    match code {
        429 => {
            let wait = parameter("retry_after").and_then(Value::as_u64).or_else(|| wait_in(description));
            // A year at most: sums with it must not overflow.
            let wait = wait.map(|seconds| Duration::from_secs(seconds.min(365 * 86_400)));
            CallErrorKind::Flood(wait.unwrap_or(Duration::from_millis(policy::FLOOD_WAIT_MS.unsigned_abs())))
        }
        // The server knows this bot, but not the method: an older server of one's own.
        404 if description.contains("method not found") => CallErrorKind::Refused,
        401 | 404 => CallErrorKind::Unauthorized,
        403 => CallErrorKind::Forbidden,
        409 => CallErrorKind::Conflict,
        400 => bad_request(description),
        500.. => CallErrorKind::Ambiguous,
        _ => CallErrorKind::Refused,
    }
}

fn bad_request(description: &str) -> CallErrorKind {
    let description = description.to_lowercase();
    let what = description.strip_prefix("bad request: ").unwrap_or(&description);
    let known = BAD_REQUESTS.into_iter().find(|(beginning, _)| what.starts_with(beginning));
    known.map_or(CallErrorKind::Refused, |(_, kind)| kind)
}

/// "Too Many Requests: retry after 41".
fn wait_in(text: &str) -> Option<u64> {
    text.rsplit_once("retry after ")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind_of(status: u16, body: &Value) -> CallErrorKind {
        anything(status, body.to_string().as_bytes()).expect_err("it is a refusal").kind
    }

    fn refusal(code: u16, description: &str) -> CallErrorKind {
        kind_of(code, &json!({ "ok": false, "error_code": code, "description": description }))
    }

    #[test]
    fn refusals_are_classified_by_what_must_happen_next() {
        use CallErrorKind::*;
        let cases = [
            (
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are",
                NotModified,
            ),
            (400, "Bad Request: message to edit not found", EditTargetGone),
            (400, "Bad Request: message can't be edited", EditTargetGone),
            (400, "Bad Request: MESSAGE_ID_INVALID", EditTargetGone),
            (400, "Bad Request: there is no text in the message to edit", EditTargetGone),
            (400, "Bad Request: message thread not found", ThreadGone),
            (400, "Bad Request: TOPIC_DELETED", ThreadGone),
            (400, "Bad Request: TOPIC_CLOSED", ThreadGone),
            (400, "Bad Request: query is too old and response timeout expired or query ID is invalid", PressTooOld),
            (400, "Bad Request: query is too old and response timeout expired or query id is invalid", PressTooOld),
            (400, "Bad Request: QUERY_ID_INVALID", PressTooOld),
            (400, "Bad Request: message is too long", TooLong),
            (400, "Bad Request: MESSAGE_TOO_LONG", TooLong),
            (400, "Bad Request: chat not found", Forbidden),
            (400, "Bad Request: not enough rights to send text messages to the chat", Forbidden),
            (400, "Bad Request: have no rights to send a message", Forbidden),
            // A document's caption is ours to shorten: sending it as a document would come back here for ever.
            (400, "Bad Request: message caption is too long", Refused),
            (400, "Bad Request: message text is empty", Refused),
            (400, "Bad Request: can't parse entities: unsupported start tag", Refused),
            (400, "Bad Request: message to be replied not found", Refused),
            (400, "Bad Request: BUTTON_DATA_INVALID", Refused),
            (400, "Bad Request: group chat was upgraded to a supergroup chat", Refused),
            (400, "Logged out", Refused),
            (401, "Unauthorized", Unauthorized),
            (403, "Forbidden: bot was blocked by the user", Forbidden),
            (403, "Forbidden: bot was kicked from the supergroup chat", Forbidden),
            (403, "Forbidden: bot is not a member of the channel chat", Forbidden),
            (403, "Forbidden: user is deactivated", Forbidden),
            (403, "Forbidden: bot can't initiate conversation with a user", Forbidden),
            (404, "Not Found", Unauthorized),
            (404, "Not Found: method not found", Refused),
            (409, "Conflict: terminated by other getUpdates request; make sure that only one bot", Conflict),
            (409, "Conflict: can't use getUpdates method while webhook is active", Conflict),
            (413, "Request Entity Too Large", Refused),
            (500, "Internal Server Error: sent message was lost", Ambiguous),
            (502, "Bad Gateway", Ambiguous),
        ];
        for (code, description, expected) in cases {
            assert_eq!(refusal(code, description), expected, "{code} {description}");
        }
    }

    #[test]
    fn every_beginning_in_the_table_is_reachable() {
        for (beginning, kind) in BAD_REQUESTS {
            assert_eq!(bad_request(&format!("Bad Request: {}", beginning.to_uppercase())), kind, "{beginning}");
        }
    }

    #[test]
    fn a_flood_wait_is_taken_from_wherever_it_is_said() {
        let wait = |body: Value| kind_of(429, &body);
        let flood = |seconds| CallErrorKind::Flood(Duration::from_secs(seconds));
        let text = "Too Many Requests: retry after 41";
        assert_eq!(
            wait(json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 18_053 } })),
            flood(18_053)
        );
        assert_eq!(wait(json!({ "ok": false, "description": text })), flood(41));
        assert_eq!(wait(json!({ "ok": false, "description": text, "parameters": { "retry_after": -1 } })), flood(41));
        assert_eq!(wait(json!({ "ok": false })), flood(5));
        let absurd = json!({ "ok": false, "parameters": { "retry_after": u64::MAX } });
        assert_eq!(wait(absurd), flood(365 * 86_400));
    }

    #[test]
    fn a_migrated_group_is_told_by_its_parameter() {
        let body = json!({ "ok": false, "error_code": 400, "description": "Bad Request: whatever",
            "parameters": { "migrate_to_chat_id": -1_001_000_000_007_i64, "new": [] } });
        assert_eq!(kind_of(400, &body), CallErrorKind::Migrated(-1_001_000_000_007));
    }

    #[test]
    fn what_is_no_answer_is_ambiguous_whatever_its_status() {
        let html = "<html><head><title>502 Bad Gateway</title></head></html>";
        for (status, body, expected) in [
            (502, html, CallErrorKind::Ambiguous),
            (401, html, CallErrorKind::Ambiguous),
            (302, "", CallErrorKind::Ambiguous),
            (200, "", CallErrorKind::Ambiguous),
            (200, "[]", CallErrorKind::Ambiguous),
            (200, "{\"ok\":tr", CallErrorKind::Ambiguous),
            (200, "{\"ok\":true}", CallErrorKind::Ambiguous),
            (200, "{\"ok\":true,\"result\":{\"message_id\":\"x\"}}", CallErrorKind::Ambiguous),
            (413, html, CallErrorKind::Refused),
        ] {
            let error = message(status, body.as_bytes()).expect_err("it is no answer");
            assert_eq!(error.kind, expected, "{status} {body}");
            assert!(!error.text.contains("<html>"), "{}", error.text);
        }
    }

    #[test]
    fn results_are_read_for_what_is_needed_and_no_more() {
        let message_of_tomorrow =
            json!({ "ok": true, "result": { "message_id": 7, "date": "not a number", "chat": [] } });
        assert_eq!(message(200, message_of_tomorrow.to_string().as_bytes()), Ok(Called::Message(7)));
        for result in [json!(true), json!({ "message_id": 7 }), json!([])] {
            assert_eq!(anything(200, json!({ "ok": true, "result": result }).to_string().as_bytes()), Ok(()));
        }
        let me_today = json!({ "ok": true, "result": { "id": 42, "is_bot": true, "username": "mainstay_bot" } });
        let expected = Called::Me { id: 42, username: "mainstay_bot".into() };
        assert_eq!(me(200, me_today.to_string().as_bytes()), Ok(expected));
    }

    #[test]
    fn one_unreadable_update_does_not_take_the_others_along() {
        let odd = json!({ "update_id": 3, "message": { "some fields": "are missing" } });
        let body = json!({ "ok": true, "result": [
            { "update_id": 1, "next_years_kind": { "a": 1 } },
            { "no id": true },
            { "update_id": 2 },
            odd,
            { "update_id": -4 },
        ]});
        let updates = updates(200, body.to_string().as_bytes()).expect("it is an answer");
        assert_eq!(updates.iter().map(|update| update.id.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(updates[2].kind, UpdateKind::Error(odd));
    }

    #[test]
    fn a_batch_without_any_id_is_an_error_and_not_an_empty_batch() {
        let body = json!({ "ok": true, "result": [{ "no id": true }] });
        let error = updates(200, body.to_string().as_bytes()).expect_err("nothing of it could be acknowledged");
        assert_eq!(error.kind, CallErrorKind::Ambiguous);
    }
}
