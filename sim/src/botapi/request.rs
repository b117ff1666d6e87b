//! What comes in and what goes out: requests, their parameters, verdicts, refusals.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ids::{ChatId, Millis};

/// A request as the mount read it: everything about HTTP is already gone.
#[derive(Clone, Debug)]
pub struct Request {
    /// What stood between `/bot` and the next slash.
    pub token: String,
    /// The method as written; matched without regard to case.
    pub method: String,
    /// The parameters as an object. Values of forms are strings; numbers and structures are recognised in both shapes.
    pub body: Value,
    /// Uploaded files by the name of their part.
    pub files: BTreeMap<String, File>,
    /// Which connection it came over, for the log.
    pub connection: u64,
}

/// An uploaded file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name that the sender gave it.
    pub name: String,
    /// Its content type.
    pub mime: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// A long poll that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// What to do with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Answer it.
    Answer(Answer),
    /// A long poll without updates: ask again with [`super::resume`] when the world has changed, and at this time at the latest.
    Wait {
        /// What to ask again with.
        ticket: Ticket,
        /// When it ends with an empty answer.
        until: Millis,
    },
    /// Keep the connection open and never answer.
    Hang,
    /// Close the connection with a reset. Whether the request took effect is in the log.
    Reset,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// How long to sit on it.
    pub delay: Millis,
}

/// A request that was understood and turned down.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) description: String,
    pub(super) parameters: Option<Value>,
}

/// A result, or why there is none.
pub(super) type Reply = Result<Value, Refusal>;

impl Refusal {
    fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), parameters: None }
    }

    pub(super) fn bad_request(what: impl AsRef<str>) -> Self {
        Self::new(400, format!("Bad Request: {}", what.as_ref()))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    pub(super) fn forbidden(what: impl AsRef<str>) -> Self {
        Self::new(403, format!("Forbidden: {}", what.as_ref()))
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub(super) fn conflict(what: impl AsRef<str>) -> Self {
        Self::new(409, format!("Conflict: {}", what.as_ref()))
    }

    pub(super) fn other_poll() -> Self {
        Self::conflict("terminated by other getUpdates request; make sure that only one bot instance is running")
    }

    pub(super) fn too_large() -> Self {
        Self::new(413, "Request Entity Too Large")
    }

    /// Flood control: not before so many seconds, which is never zero.
    pub(super) fn too_many(seconds: u64) -> Self {
        let seconds = seconds.max(1);
        Self {
            parameters: Some(json!({ "retry_after": seconds })),
            ..Self::new(429, format!("Too Many Requests: retry after {seconds}"))
        }
    }

    pub(super) fn migrated(to: ChatId) -> Self {
        Self {
            parameters: Some(json!({ "migrate_to_chat_id": to })),
            ..Self::bad_request("group chat was upgraded to a supergroup chat")
        }
    }
}

impl Answer {
    pub(super) fn json(reply: &Reply) -> Self {
        let (status, body) = match reply {
            Ok(result) => (200, json!({ "ok": true, "result": result })),
            Err(refusal) => {
                let mut body = json!({
                    "ok": false, "error_code": refusal.code, "description": refusal.description,
                });
                if let Some(parameters) = &refusal.parameters {
                    body["parameters"] = parameters.clone();
                }
                (refusal.code, body)
            }
        };
        Self { status, content_type: "application/json", body: body.to_string(), delay: Millis(0) }
    }

    /// What a gateway in front of the server says when the server does not.
    pub(super) fn html(status: u16) -> Self {
        let reason = match status {
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            _ => "Internal Server Error",
        };
        let body = format!(
            "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n\
             <hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n"
        );
        Self { status, content_type: "text/html", body, delay: Millis(0) }
    }
}

/// Reads parameters in both of their shapes: JSON values, and the strings of forms.
pub(super) struct Args<'a> {
    pub(super) body: &'a Value,
    pub(super) files: &'a BTreeMap<String, File>,
}

impl Args<'_> {
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.body.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    pub(super) fn int(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.text(key).as_deref(), Some("true" | "True" | "1"))
    }

    /// A structure: itself, or a string that holds it.
    pub(super) fn structure(&self, key: &str) -> Result<Option<Value>, Refusal> {
        match self.body.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(Refusal::bad_request(format!("can't parse {key} JSON object"))),
            },
            Some(value) => Ok(Some(value.clone())),
        }
    }
}
