//! The Bot API over HTTPS: carries out one [`Call`] or one [`Poll`] and says honestly what may have come of it.
//!
//! Payloads and updates are teloxide's types, the requests are made here, over reqwest, and not by `teloxide_core::Bot`. That
//! client sleeps 10 s inside on any 5xx, drops the HTTP status and the error code, needs a whole `Message` to believe that one
//! was sent, and prints the token with `Debug`. What it would save is this file's `post`.
//!
//! Two rules shape it. An error is [`CallErrorKind::NotSent`] only if no byte of the request can have left; whatever else is
//! not an answer of the Bot API is [`CallErrorKind::Ambiguous`]. And the token leaves in the request's path, nowhere else:
//! there is no `Debug` here, errors lose their address, texts are searched for it, and redirections (which would carry it on
//! as `Referer`) are not followed.
//!
//! It deliberately does not retry, wait, remember or log: `run` does.

mod answer;
mod payload;

use crate::policy;
use crate::ports::{Call, CallError, CallErrorKind, Called, LocalFuture, Poll, Telegram};
use payload::{Body, Expected};
use reqwest::{Client, Response, Url};
use std::net::IpAddr;
use std::time::Duration;
use teloxide_core::types::Update;

/// The Bot API for one bot. Deliberately without `Debug`: it holds the token.
pub struct BotTelegram {
    bot_id: i64,
    token: String,
    /// `<api_url>/bot<token>`; a method's name is added for each request.
    base: Url,
    /// Polls have connections of their own: one that died half-open must never be handed to a call.
    polls: Client,
    calls: Client,
}

impl BotTelegram {
    /// For the bot whose token this is, at this server; `http://` is allowed for servers of one's own.
    ///
    /// # Errors
    /// Address or token can't be right, or there is no TLS. The text never contains the token.
    pub fn new(api_url: &str, token: &str) -> Result<Self, String> {
        let bot_id =
            bot_id_of(token).ok_or("read the token: it must be a number, a colon, and letters, digits, _ or -")?;
        let mut base = Url::parse(api_url).map_err(|error| format!("read the address of the Bot API: {error}"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err("read the address of the Bot API: it must begin with https:// or http://".into());
        }
        let direct = is_loopback(&base);
        base.path_segments_mut()
            .map_err(|()| "read the address of the Bot API: it can't be a base")?
            .pop_if_empty()
            .push(&format!("bot{token}"));
        let client = || client(direct).map_err(|error| format!("make a client for HTTP: {}", chain(&error)));
        Ok(Self { bot_id, token: token.to_owned(), base, polls: client()?, calls: client()? })
    }

    async fn get_updates(&self, poll: Poll) -> Result<Vec<Update>, CallError> {
        let (method, body) = payload::poll(&poll);
        let request = self.post(&self.polls, method, body, poll.give_up, policy::POLL_ANSWER_BYTES_MAX);
        let (status, answer) = request.await?;
        answer::updates(status, &answer)
    }

    async fn carry_out(&self, call: Call, give_up: Duration) -> Result<Called, CallError> {
        let (method, body, expected) = payload::of(call);
        let request = self.post(&self.calls, method, body, give_up, policy::CALL_ANSWER_BYTES_MAX);
        let (status, answer) = request.await?;
        match expected {
            Expected::Me => answer::me(status, &answer),
            Expected::Message => answer::message(status, &answer),
            Expected::Anything(called) => answer::anything(status, &answer).map(|()| called),
        }
    }

    /// One request and its answer: the HTTP status and the body.
    async fn post(
        &self,
        client: &Client,
        method: &str,
        body: Body,
        give_up: Duration,
        answer_max: usize,
    ) -> Result<(u16, Vec<u8>), CallError> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(method);
        }
        let request = client.post(url).timeout(give_up);
        let request = match body {
            Body::Json(json) => request.header(reqwest::header::CONTENT_TYPE, "application/json").body(json),
            Body::Form(form) => request.multipart(form),
        };
        // Lets idle connections notice that the server closed them, which this thread may have been too busy to see: a call that
        // takes such a one would be ambiguous for nothing.
        tokio::task::yield_now().await;
        let response = request.send().await.map_err(transport)?;
        let status = response.status().as_u16();
        Ok((status, read(response, answer_max).await?))
    }

    /// The last gate for every text that leaves this file.
    fn redacted(&self, error: CallError) -> CallError {
        // The secret half alone is enough to look for: it is in every form in which the token could be written.
        let secret = self.token.split_once(':').map_or(self.token.as_str(), |(_, secret)| secret);
        let text = error.text.replace(secret, "[token]").chars().take(policy::ERROR_CHARS_MAX).collect();
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

/// Reads a body to its end, but no further than `max` bytes.
async fn read(mut response: Response, max: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    // Once there is a status the request has arrived: nothing that goes wrong from here on is "not sent".
    while let Some(chunk) = response.chunk().await.map_err(|error| ambiguous(&error))? {
        if body.len() + chunk.len() > max {
            let text = format!("the answer has more than {max} bytes");
            return Err(CallError { kind: CallErrorKind::Ambiguous, text });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What is known of a request that got no answer. Connecting covers DNS, TCP and TLS: no byte of the request was written.
fn transport(error: reqwest::Error) -> CallError {
    if error.is_connect() || error.is_builder() {
        CallError { kind: CallErrorKind::NotSent, text: chain(&error.without_url()) }
    } else {
        ambiguous(&error.without_url())
    }
}

fn ambiguous(error: &reqwest::Error) -> CallError {
    let text = if error.is_timeout() { "no answer in time".into() } else { chain(error) };
    CallError { kind: CallErrorKind::Ambiguous, text }
}

/// An error with its causes, the outermost first: reqwest's own text does not say why.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn client(direct: bool) -> Result<Client, reqwest::Error> {
    let millis = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    let builder = Client::builder()
        .connect_timeout(millis(policy::CONNECT_GIVE_UP_MS))
        .pool_idle_timeout(millis(policy::CONNECTION_IDLE_MS))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never());
    // A proxy from the environment is for the way out of the machine.
    if direct { builder.no_proxy() } else { builder }.build()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
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

    #[test]
    fn the_method_is_added_to_whatever_path_the_server_has() {
        for (url, base) in [
            ("https://api.telegram.org", "https://api.telegram.org/bot42:a"),
            ("https://x.example/telegram/", "https://x.example/telegram/bot42:a"),
        ] {
            assert_eq!(BotTelegram::new(url, "42:a").map(|telegram| telegram.base.to_string()), Ok(base.to_owned()));
        }
    }

    #[test]
    fn the_proxies_of_the_environment_are_not_for_this_machine() {
        let local = ["http://localhost:1/", "http://127.0.0.1:1/", "http://127.9.9.9/", "http://[::1]:1/"];
        let far =
            ["https://api.telegram.org/", "http://10.0.0.1/", "http://localhost.example/", "http://[2001:db8::1]/"];
        for (urls, expected) in [(local, true), (far, false)] {
            for url in urls {
                assert_eq!(Url::parse(url).map(|url| is_loopback(&url)), Ok(expected), "{url}");
            }
        }
    }
}
