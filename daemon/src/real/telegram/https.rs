//! The way to the server in production: HTTPS by reqwest. Errors lose their address, and redirections (which would carry the
//! token on as `Referer`) are not followed.

use super::{Body, Http, Post};
use crate::policy;
use crate::ports::{CallError, CallErrorKind, LocalFuture};
use reqwest::{Client, Response, Url, multipart};
use std::net::IpAddr;
use std::time::Duration;

/// Connections to one server.
pub(super) struct Https {
    base: Url,
    polls: Client,
    calls: Client,
}

impl Https {
    pub(super) fn new(api_url: &str) -> Result<Self, String> {
        let mut base = Url::parse(api_url).map_err(|error| format!("read the address of the Bot API: {error}"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err("read the address of the Bot API: it must begin with https:// or http://".into());
        }
        let direct = is_loopback(&base);
        base.path_segments_mut().map_err(|()| "read the address of the Bot API: it can't be a base")?.pop_if_empty();
        let client = || client(direct).map_err(|error| format!("make a client for HTTP: {}", chain(&error)));
        Ok(Self { base, polls: client()?, calls: client()? })
    }

    fn url(&self, path: &[String; 2]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url
    }

    async fn send(&self, post: Post) -> Result<(u16, Vec<u8>), CallError> {
        let client = if post.is_poll { &self.polls } else { &self.calls };
        let request = client.post(self.url(&post.path)).timeout(post.give_up);
        let request = match post.body {
            Body::Json(json) => request.header(reqwest::header::CONTENT_TYPE, "application/json").body(json),
            Body::Form(form) => request.multipart(multipart(form)),
        };
        // Lets idle connections notice that the server closed them, which this thread may have been too busy to see: a call that
        // takes such a one would be ambiguous for nothing.
        tokio::task::yield_now().await;
        let response = request.send().await.map_err(transport)?;
        let status = response.status().as_u16();
        Ok((status, read(response, post.answer_max).await?))
    }
}

impl Http for Https {
    fn post(&self, post: Post) -> LocalFuture<'_, Result<(u16, Vec<u8>), CallError>> {
        Box::pin(self.send(post))
    }
}

fn multipart(form: super::Form) -> multipart::Form {
    let file = multipart::Part::bytes(form.bytes).file_name(form.name);
    let fields = form.fields.into_iter().fold(multipart::Form::new(), |fields, (key, text)| fields.text(key, text));
    fields.part(form.part, file)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_is_added_to_whatever_path_the_server_has() {
        for (url, base) in [
            ("https://api.telegram.org", "https://api.telegram.org/bot42:a"),
            ("https://x.example/telegram/", "https://x.example/telegram/bot42:a"),
        ] {
            let path = ["bot42:a".to_owned(), "GetMe".to_owned()];
            assert_eq!(Https::new(url).map(|https| https.url(&path).to_string()), Ok(format!("{base}/GetMe")));
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
