//! The way to Telegram: HTTP/1 over the simulated network, with the same honesty about what may have arrived as the real one.

use super::points::{Class, Points};
use super::wire::{End, Watched, Wire};
use crate::botapi::http::{Clock as ServerClock, Ended, Shared, serve_connection};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mainstay::policy;
use mainstay::ports::{CallError, CallErrorKind, LocalFuture};
use mainstay::real::telegram::{Body, Form, Http, Post};
use std::time::Duration;
use tokio::time::timeout;
use turmoil::net::{TcpListener, TcpStream};

/// The host with the Bot API server.
pub const TELEGRAM: &str = "telegram";
const PORT: u16 = 8081;
/// A server forgets a connection of which it hears nothing: the other end of one that a fault left half open will use its port
/// again, after some days. No request takes minutes.
const FORGOTTEN: Duration = Duration::from_secs(3_600);
/// Between the parts of a document's form. A fixed one: the files of a simulation do not contain it.
const BOUNDARY: &str = "----simulated-form-boundary";

/// Serves the Bot API on its host for as long as that runs.
///
/// # Errors
/// The host has no such port, which no simulation brings about.
pub async fn serve(shared: Shared, clock: ServerClock, wire: Wire) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (shared, clock, stream) = (shared.clone(), clock.clone(), wire.watch(End::Telegram, stream));
        // The host's own runtime: its tasks end with the host.
        tokio::task::spawn_local(async move {
            match timeout(FORGOTTEN, serve_connection(stream, &shared, &clock)).await {
                // Dropping it is how this network resets.
                Ok(Ended::Reset(stream)) => drop(stream),
                Ok(Ended::Closed) | Err(_) => {}
            }
        });
    }
}

/// Connections from the daemon's host, one a request.
pub struct SimHttp {
    wire: Wire,
    points: Points,
}

impl SimHttp {
    /// Over this wire, for a daemon that can be cut at these points.
    pub fn new(wire: &Wire, points: &Points) -> SimHttp {
        SimHttp { wire: wire.clone(), points: points.clone() }
    }
}

impl Http for SimHttp {
    fn post(&self, post: Post) -> LocalFuture<'_, Result<(u16, Vec<u8>), CallError>> {
        Box::pin(async move {
            let [_, method] = &post.path;
            let (before, after) = (format!("before {method}"), format!("{method} answered"));
            self.points.pass_or_die(Class::Api, before).await;
            let came = request(&self.wire, post).await;
            if came.is_ok() {
                self.points.pass_or_die(Class::Api, after).await;
            }
            came
        })
    }
}

async fn request(wire: &Wire, post: Post) -> Result<(u16, Vec<u8>), CallError> {
    let connecting = Duration::from_millis(policy::CONNECT_GIVE_UP_MS.unsigned_abs());
    let not_sent = |text: String| CallError { kind: CallErrorKind::NotSent, text };
    let stream = match timeout(connecting, TcpStream::connect((TELEGRAM, PORT))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            // The simulated network refuses at once what a real one would leave unanswered.
            tokio::time::sleep(connecting / 2).await;
            return Err(not_sent(format!("connect: {error}")));
        }
        Err(_) => return Err(not_sent("connect: no answer in time".into())),
    };
    let ambiguous = |text: String| CallError { kind: CallErrorKind::Ambiguous, text };
    match timeout(post.give_up, exchange(wire.watch(End::Machine, stream), post)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(text)) => Err(ambiguous(text)),
        Err(_) => Err(ambiguous("no answer in time".into())),
    }
}

async fn exchange(stream: Watched<TcpStream>, post: Post) -> Result<(u16, Vec<u8>), String> {
    let answer_max = post.answer_max;
    let request = form(post);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let answer = async {
        let response: Response<hyper::body::Incoming> =
            sender.send_request(request).await.map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), answer_max).collect().await.map_err(|e| e.to_string())?;
        Ok((status, body.to_bytes().to_vec()))
    };
    // The connection moves the bytes, and it ends before the answer only with a reason.
    tokio::pin!(connection, answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error.to_string()),
        },
    }
}

fn form(post: Post) -> Request<Full<Bytes>> {
    let [bot, method] = &post.path;
    let request = Request::post(format!("/{bot}/{method}")).header(HOST, TELEGRAM);
    let (content_type, body) = match post.body {
        Body::Json(json) => ("application/json".to_owned(), Bytes::from(json)),
        Body::Form(form) => (format!("multipart/form-data; boundary={BOUNDARY}"), multipart(&form)),
    };
    request.header(CONTENT_TYPE, content_type).body(Full::new(body)).expect("paths and types are plain words")
}

fn multipart(form: &Form) -> Bytes {
    let mut bytes = Vec::new();
    for (name, value) in &form.fields {
        let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        bytes.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n\r\n",
        form.part, form.name
    );
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(&form.bytes);
    bytes.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    bytes.into()
}
