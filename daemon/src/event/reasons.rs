//! Why something was passed over, taken for a repeat, or removed: words of the record.

use serde::{Deserialize, Serialize};

/// Why an update was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passed {
    /// Not on the allow-list, or in a chat that isn't.
    Stranger,
    /// An edited message: edits are never executed.
    Edited,
    /// A forwarded message is somebody else's word.
    Forwarded,
    /// No attributable human: channel post, anonymous admin, `via_bot`.
    Anonymous,
    /// Too old, and not confirmed yet.
    Stale,
    /// A kind of update this daemon does not read.
    Unsupported,
    /// No command.
    Talk,
    /// A press with data that we never issued.
    Forged,
    /// A press on a button whose time is over.
    Expired,
    /// Deciding it failed: our bug. Nothing was done.
    Failed,
}

/// What makes something the same as what was before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// It was delivered before: the same message, press or request, by its natural key.
    #[default]
    Delivery,
    /// Its button was used before: a double tap.
    Press,
    /// It asks for what is so already: a second `/resume`.
    Wish,
}

impl Again {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn is_delivery(&self) -> bool {
        *self == Again::Delivery
    }
}

/// Why events were removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outlived {
    /// They were older than `record.keep`.
    Age,
    /// The database was larger than `record.max_size`.
    Size,
}
