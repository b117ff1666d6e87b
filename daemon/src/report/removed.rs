//! What is told of events that were removed from the record.

use super::utc;
use crate::event::{Fact, Outlived, Recorded};
use crate::view::Removed;
use serde_json::{Value, json};

/// Up to where, when, and why.
pub fn removed(removed: &Removed) -> String {
    let why = match removed.why {
        Outlived::Age => "older than record.keep",
        Outlived::Size => "the database was larger than record.max_size",
    };
    format!("events up to {} were removed, last on {} ({why})", removed.through, &utc(removed.at)[..10])
}

/// A line about a task whose events do not go back to its beginning any more.
pub fn beginning_removed(events: &[Recorded], of: Option<&Removed>) -> Option<String> {
    let begins = events.iter().any(|event| matches!(event.fact, Fact::Requested { .. }));
    let what = if events.is_empty() { "all of this was removed" } else { "the beginning of this was removed" };
    of.filter(|_| !begins).map(|of| format!("{what} from the record: {}", removed(of)))
}

/// The same for programs.
pub fn removed_data(of: Option<&Removed>) -> Value {
    of.map_or(Value::Null, |of| json!({ "through": of.through, "at": of.at, "why": of.why }))
}
