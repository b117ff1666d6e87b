//! The books: every request with what came of it, and every change that a person could have seen.

use serde_json::Value;

use super::ids::{BotId, ChatId, MessageId, Millis, PressId};
use super::request::Request;

/// How many requests and changes the books keep: more than a day of a busy test.
pub(super) const BOOK_LIMIT: usize = 100_000;

/// A request and what came of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it came.
    pub at: Millis,
    /// Over which connection.
    pub connection: u64,
    /// Whose token it had, if the token was right. The token itself is nowhere in the books.
    pub bot: Option<BotId>,
    /// The method as it was written.
    pub method: String,
    /// The parameters.
    pub body: Value,
    /// What came of it, so far.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is a poll that still waits.
    Waiting,
    /// It is a poll whose client went away.
    Abandoned,
    /// It was answered as it should be.
    Answered {
        /// The HTTP status.
        status: u16,
        /// What a refusal said.
        description: Option<String>,
    },
    /// A fault struck it.
    Struck {
        /// The fault's name.
        fault: &'static str,
        /// The status that it would have been answered with; none if it never took effect.
        took_effect: Option<u16>,
    },
}

/// Something that a person could have seen happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new message.
    Sent(ChatId, MessageId),
    /// A message reads differently, or has other buttons.
    Edited(ChatId, MessageId),
    /// A message is gone.
    Deleted(ChatId, MessageId),
    /// A press was answered.
    Toast(PressId),
}

impl Record {
    pub(super) fn new(now: Millis, request: &Request) -> Self {
        Self {
            at: now,
            connection: request.connection,
            bot: None,
            method: request.method.clone(),
            body: request.body.clone(),
            outcome: Outcome::Waiting,
        }
    }
}
