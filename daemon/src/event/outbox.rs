//! What waits in the outbox, in which order it goes, and what becomes of it when it can't be sent.

use crate::ports::Outgoing;
use serde::{Deserialize, Serialize};

/// How a message in the outbox came to be, and thereby what it says when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Exactly this.
    Text(Outgoing),
    /// This text as a file, for what is too long for a message.
    Document {
        /// Chat, thread, caption.
        caption: Outgoing,
        /// File name.
        name: String,
        /// Its content.
        content: String,
    },
    /// The task's card as it stands when it is sent; edited in place.
    Card {
        /// Its buttons: (action, nonce).
        buttons: Vec<(String, String)>,
        /// What will run: pressing approves this and nothing else.
        hash: String,
        /// Until when new buttons may be pressed.
        until: i64,
    },
    /// What began to be wrong and what is over, in one message, as it stands when it is sent.
    Alert(Vec<News>),
    /// The final report of a task: of the end that it had then, whatever was made of it since.
    Report(Outgoing),
}

/// A line of an alert: that something is wrong, that it is over, or both when nobody could be told before it was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// The anomaly's name.
    pub anomaly: String,
    /// Which one of its kind.
    pub about: String,
    /// What is wrong; empty when that was told before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// It is over, and lasted so long, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_ms: Option<i64>,
}

/// Order of sending: answers to people first, then what waits for people, then results, then the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// An answer to a command.
    Answer,
    /// A card that waits for a press.
    Approval,
    /// A final report.
    Report,
    /// Alerts and notes.
    Note,
    /// Changes of what is already on the screen.
    Edit,
}

impl Class {
    /// As the outbox sorts.
    pub const fn rank(self) -> i64 {
        match self {
            Class::Answer => 0,
            Class::Approval => 1,
            Class::Report => 2,
            Class::Note => 3,
            Class::Edit => 4,
        }
    }
}

/// What happens to a message that could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Certainly not sent: again, at `until`.
    Retry,
    /// Perhaps sent: again, at `until`, marked as a possible repeat.
    RetryMarked,
    /// The whole chat waits until `until` (flood wait): certainly not sent.
    Hold,
    /// The chat does not want us: its messages wait.
    Park,
    /// Refused for good: set aside for `/inbox`.
    GiveUp,
    /// The message to edit is gone: sent anew.
    Anew,
}
