//! The Bot API: carries out one [`Call`] or one [`Poll`] and says honestly what may have come of it.
//!
//! Payloads and updates are teloxide's types; requests are made here, and not by `teloxide_core::Bot`. That client sleeps 10 s
//! inside on any 5xx, drops the HTTP status and the error code, needs a whole `Message` to believe that one was sent, and
//! prints the token with `Debug`. How a request gets to the server is [`Http`]'s business: in production [`https`], with
//! reqwest; in a simulation, a connection of its network.
//!
//! Two rules shape it. An error is [`CallErrorKind::NotSent`] only if no byte of the request can have left; whatever else is
//! not an answer of the Bot API is [`CallErrorKind::Ambiguous`]. And the token leaves in the request's path, nowhere else:
//! there is no `Debug` here, and texts are searched for it.
//!
//! It deliberately does not retry, wait, remember or log: `run` does.
//!
//! [`CallErrorKind::NotSent`]: crate::ports::CallErrorKind::NotSent
//! [`CallErrorKind::Ambiguous`]: crate::ports::CallErrorKind::Ambiguous

mod answer;
mod https;
mod payload;

pub use payload::{Body, Form};

use crate::policy;
use crate::ports::{Call, CallError, Called, LocalFuture, Poll, Telegram};
use crate::redact::REDACTED;
use payload::Expected;
use std::time::Duration;
use teloxide_core::types::Update;

/// The way to the server.
pub trait Http {
    /// Posts a request, and returns the status and body of its answer.
    ///
    /// # Errors
    /// [`CallErrorKind::NotSent`](crate::ports::CallErrorKind::NotSent) if no byte of it can have left, else
    /// [`CallErrorKind::Ambiguous`](crate::ports::CallErrorKind::Ambiguous).
    fn post(&self, post: Post) -> LocalFuture<'_, Result<(u16, Vec<u8>), CallError>>;
}

/// A request to the Bot API. Deliberately without `Debug`: the path holds the token.
pub struct Post {
    /// Polls have connections of their own: one that died half-open must never be handed to a call.
    pub is_poll: bool,
    /// `bot<token>`, and the method.
    pub path: [String; 2],
    /// Parameters.
    pub body: Body,
    /// When to give up on an answer.
    pub give_up: Duration,
    /// Longest answer that is read, in bytes.
    pub answer_max: usize,
}

/// The Bot API for one bot. Deliberately without `Debug`: it holds the token.
pub struct BotTelegram {
    bot_id: i64,
    token: String,
    http: Box<dyn Http>,
}

impl BotTelegram {
    /// For the bot whose token this is, at this server; `http://` is allowed for servers of one's own.
    ///
    /// # Errors
    /// Address or token can't be right, or there is no TLS. The text never contains the token.
    pub fn new(api_url: &str, token: &str) -> Result<Self, String> {
        let http = Box::new(https::Https::new(api_url)?);
        Self::over(http, token)
    }

    /// The same over another way to the server.
    ///
    /// # Errors
    /// The token can't be right. The text never contains it.
    pub fn over(http: Box<dyn Http>, token: &str) -> Result<Self, String> {
        let bot_id =
            bot_id_of(token).ok_or("read the token: it must be a number, a colon, and letters, digits, _ or -")?;
        Ok(Self { bot_id, token: token.to_owned(), http })
    }

    /// Whether the bot's updates are given to a webhook, and polls refused. No part of the port: the daemon learns it from
    /// its polls.
    ///
    /// # Errors
    /// As every call.
    pub async fn has_webhook(&self, give_up: Duration) -> Result<bool, CallError> {
        let (method, body) = payload::webhook();
        let answer = self.post(false, method, body, give_up, policy::CALL_ANSWER_BYTES_MAX).await;
        answer.and_then(|(status, answer)| answer::has_webhook(status, &answer)).map_err(|error| self.redacted(error))
    }

    async fn get_updates(&self, poll: Poll) -> Result<Vec<Update>, CallError> {
        let (method, body) = payload::poll(&poll);
        let (status, answer) = self.post(true, method, body, poll.give_up, policy::POLL_ANSWER_BYTES_MAX).await?;
        answer::updates(status, &answer)
    }

    async fn carry_out(&self, call: Call, give_up: Duration) -> Result<Called, CallError> {
        let (method, body, expected) = payload::of(call);
        let (status, answer) = self.post(false, method, body, give_up, policy::CALL_ANSWER_BYTES_MAX).await?;
        match expected {
            Expected::Me => answer::me(status, &answer),
            Expected::Message => answer::message(status, &answer),
            Expected::Anything(called) => answer::anything(status, &answer).map(|()| called),
        }
    }

    /// One request and its answer: the HTTP status and the body.
    async fn post(
        &self,
        is_poll: bool,
        method: &str,
        body: Body,
        give_up: Duration,
        answer_max: usize,
    ) -> Result<(u16, Vec<u8>), CallError> {
        let path = [format!("bot{}", self.token), method.to_owned()];
        self.http.post(Post { is_poll, path, body, give_up, answer_max }).await
    }

    /// The last gate for every text that leaves this file.
    fn redacted(&self, error: CallError) -> CallError {
        // The secret half alone is enough to look for: it is in every form in which the token could be written.
        let secret = self.token.split_once(':').map_or(self.token.as_str(), |(_, secret)| secret);
        let text = error.text.replace(secret, REDACTED).chars().take(policy::ERROR_CHARS_MAX).collect();
        CallError { text, ..error }
    }
}

impl Telegram for BotTelegram {
    fn bot_id(&self) -> i64 {
        self.bot_id
    }

    fn poll(&self, poll: Poll) -> LocalFuture<'_, Result<Vec<Update>, CallError>> {
        Box::pin(async move { self.get_updates(poll).await.map_err(|error| self.redacted(error)) })
    }

    fn call(&self, call: Call, give_up: Duration) -> LocalFuture<'_, Result<Called, CallError>> {
        Box::pin(async move { self.carry_out(call, give_up).await.map_err(|error| self.redacted(error)) })
    }
}

/// The number in front of the colon, if this looks like a token at all.
fn bot_id_of(token: &str) -> Option<i64> {
    let (id, secret) = token.split_once(':')?;
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let plausible = id.bytes().all(|b| b.is_ascii_digit()) && !secret.is_empty() && secret.bytes().all(letters);
    id.parse().ok().filter(|_| plausible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_tokens_that_cannot_be_right_are_refused_without_repeating_the_token() {
        let cases = [
            ("https://api.telegram.org", "42:aaa-canary_1", None),
            ("http://127.0.0.1:8081/", "42:aaa-canary_1", None),
            ("https://proxy.example/telegram", "42:aaa-canary_1", None),
            ("ftp://api.telegram.org", "42:aaa-canary_1", Some("must begin with https://")),
            ("api.telegram.org", "42:aaa-canary_1", Some("address of the Bot API")),
            ("https://api.telegram.org", "42 aaa-canary_1", Some("token")),
            ("https://api.telegram.org", "42:aaa-canary_1\n", Some("token")),
            ("https://api.telegram.org", ":aaa-canary_1", Some("token")),
            ("https://api.telegram.org", "42:", Some("token")),
        ];
        for (url, token, complaint) in cases {
            match (BotTelegram::new(url, token), complaint) {
                (Ok(telegram), None) => assert_eq!(telegram.bot_id(), 42),
                (Err(text), Some(complaint)) => {
                    assert!(text.contains(complaint) && !text.contains("canary"), "{url} {token:?}: {text}");
                }
                (Ok(_), Some(_)) => panic!("{url} {token:?} was taken"),
                (Err(text), None) => panic!("{url} {token:?}: {text}"),
            }
        }
    }
}
