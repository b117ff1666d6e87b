//! The status page's HTTP: read-only, on a loopback address, one request a connection, nothing kept.
//!
//! A request becomes questions to the loop, the same that `mainstay ops` and `mainstay board` ask on the socket, and their
//! answers become what was asked for ([`report::page`], [`report::metrics`]). Connections are futures that are polled where
//! the loop looks for its next input: they need no thread, and whoever is slow keeps nobody else waiting.
//!
//! Whoever reaches the port may read, so pages of other sites must not: they reach it by a name of theirs that they point
//! here, which is why the request has to name a loopback address itself.

use super::clock;
use super::control::LocalControl;
use crate::policy;
use crate::ports::{Answer, Control, ControlInput, LocalFuture, LocalRequest, Notice};
use crate::report;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The page's listener and connections. Must be made and used inside a tokio runtime.
pub(super) struct StatusPage {
    listener: TcpListener,
    /// Oldest first.
    connections: RefCell<Vec<LocalFuture<'static, ()>>>,
    desk: Rc<Desk>,
}

/// Where connections ask and the loop answers.
#[derive(Default)]
struct Desk {
    asked: RefCell<VecDeque<LocalRequest>>,
    unanswered: RefCell<BTreeMap<u64, oneshot::Sender<Answer>>>,
    /// The number of the newest question. It wraps, which nobody sees: there are never as many under way.
    newest: RefCell<u32>,
}

/// What can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Page,
    Metrics,
    Ops,
}

impl StatusPage {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub(super) fn listen(address: SocketAddr) -> std::io::Result<StatusPage> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        Ok(StatusPage { listener, connections: RefCell::default(), desk: Rc::default() })
    }

    /// Where it listens; the port is the real one also where any was asked for.
    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a socket that listens has an address")
    }

    /// Brings connections forward; the next question, if there is one. Who waits is woken for more.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<LocalRequest> {
        let mut connections = self.connections.borrow_mut();
        for n in 0.. {
            if n == policy::STATUS_CONNECTIONS_MAX {
                // More are waiting: let others have their turn.
                cx.waker().wake_by_ref();
                break;
            }
            match self.listener.poll_accept(cx) {
                Poll::Ready(Ok((stream, _))) => {
                    if connections.len() >= policy::STATUS_CONNECTIONS_MAX {
                        drop(connections.remove(0));
                    }
                    connections.push(Box::pin(serve(stream, self.desk.clone())));
                }
                // It has gone again, or there are no descriptors left: the next turn of the loop looks again.
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        connections.retain_mut(|connection| connection.as_mut().poll(cx).is_pending());
        match self.desk.asked.borrow_mut().pop_front() {
            Some(question) => Poll::Ready(question),
            None => Poll::Pending,
        }
    }

    /// The questions that have come.
    fn ready(&self) -> Vec<LocalRequest> {
        // Whoever is to be woken polls again before it sleeps.
        let mut cx = Context::from_waker(Waker::noop());
        let mut questions = Vec::new();
        while let Poll::Ready(question) = self.poll(&mut cx)
            && questions.len() < 2 * policy::STATUS_CONNECTIONS_MAX
        {
            questions.push(question);
        }
        questions
    }
}

impl Desk {
    /// Asks the loop. None: the daemon ends.
    async fn ask(&self, command: &str) -> Option<Answer> {
        let number = {
            let mut newest = self.newest.borrow_mut();
            *newest = newest.wrapping_add(1);
            *newest
        };
        let (sender, answer) = oneshot::channel();
        self.unanswered.borrow_mut().insert(u64::from(number), sender);
        self.asked.borrow_mut().push_back(LocalRequest {
            connection: u64::from(number),
            uid: rustix::process::geteuid().as_raw(),
            // Nobody knows who asks here, so nothing may ever be changed from here.
            from_task: true,
            key: format!("status-page-{number}"),
            argv: vec![command.to_owned()],
        });
        answer.await.ok()
    }

    fn answer(&self, number: u64, answer: Answer) {
        if let Some(sender) = self.unanswered.borrow_mut().remove(&number) {
            // Who asked may have gone.
            let _ = sender.send(answer);
        }
    }
}

/// One connection, from its first byte to the last of the answer.
async fn serve(stream: TcpStream, desk: Rc<Desk>) {
    let service = service_fn(|request: Request<Incoming>| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(guarded(respond(&desk, &request).await)) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(policy::STATUS_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // Whether it broke or took too long: there is nobody left to be told.
    let _ = tokio::time::timeout(policy::STATUS_CONNECTION_WITHIN, connection).await;
}

async fn respond(desk: &Desk, request: &Request<Incoming>) -> Response<String> {
    let resource = match admit(request.method(), request.uri().path(), request.headers()) {
        Ok(resource) => resource,
        Err((status, text)) => return plain(status, text),
    };
    let Some(ops) = desk.ask("ops").await else { return plain(StatusCode::SERVICE_UNAVAILABLE, "the daemon ends") };
    let status = if ops.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match resource {
        Resource::Ops => response(status, "application/json", format!("{}\n", ops.data)),
        Resource::Metrics if !ops.ok => plain(status, &ops.text),
        Resource::Metrics => response(status, report::METRICS_TYPE, report::metrics(&ops.data)),
        Resource::Page if !ops.ok => response(status, "text/html; charset=utf-8", report::no_page(&ops.text)),
        Resource::Page => {
            let board = desk.ask("board").await.map_or(serde_json::Value::Null, |board| board.data);
            response(status, "text/html; charset=utf-8", report::page(&ops.data, &board, clock::wall_ms()))
        }
    }
}

/// What is asked for, or why it is not to be had.
fn admit(method: &Method, path: &str, headers: &HeaderMap) -> Result<Resource, (StatusCode, &'static str)> {
    let mut hosts = headers.get_all(header::HOST).iter();
    if !matches!((hosts.next(), hosts.next()), (Some(host), None) if names_loopback(host)) {
        let text = "this page is asked for by a loopback name or address, like http://127.0.0.1:8787/ or http://localhost:8787/";
        return Err((StatusCode::FORBIDDEN, text));
    }
    let resource = match path {
        "/" => Resource::Page,
        "/metrics" => Resource::Metrics,
        "/ops.json" => Resource::Ops,
        _ => return Err((StatusCode::NOT_FOUND, "there are /, /metrics and /ops.json")),
    };
    if *method != Method::GET && *method != Method::HEAD {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "this page can only be read"));
    }
    Ok(resource)
}

/// `localhost:8787`, `127.0.0.1`, `[::1]:8787`: any port, as a tunnel's end has its own.
fn names_loopback(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn plain(status: StatusCode, text: &str) -> Response<String> {
    response(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// What a browser may do with an answer: show it, with our own style, and nothing else.
fn guarded(mut response: Response<String>) -> Response<String> {
    let policy = format!(
        "default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        report::style_hash()
    );
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.parse().expect("a hash in base 64 is no control character"));
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The local socket and the page together, as the loop's one [`Control`].
pub(super) struct WithPage {
    local: LocalControl,
    page: StatusPage,
}

impl WithPage {
    pub(super) fn new(local: LocalControl, page: StatusPage) -> WithPage {
        WithPage { local, page }
    }
}

impl Control for WithPage {
    fn next(&self) -> LocalFuture<'_, ControlInput> {
        let mut local = self.local.next();
        Box::pin(std::future::poll_fn(move |cx| {
            // The socket first, for its signals; when it has something, `ready` looks at the page.
            match local.as_mut().poll(cx) {
                Poll::Ready(input) => Poll::Ready(input),
                Poll::Pending => self.page.poll(cx).map(ControlInput::Request),
            }
        }))
    }

    fn ready(&self) -> Vec<ControlInput> {
        let mut inputs = self.local.ready();
        inputs.extend(self.page.ready().into_iter().map(ControlInput::Request));
        inputs
    }

    fn answer(&self, connection: u64, answer: Answer) {
        // The socket's connections begin where 32 bits end: it numbers clients from 1, and requests below that.
        match u32::try_from(connection) {
            Ok(_) => self.page.desk.answer(connection, answer),
            Err(_) => self.local.answer(connection, answer),
        }
    }

    fn notify(&self, notice: Notice) {
        self.local.notify(notice);
    }

    fn watchdog(&self) -> Option<Duration> {
        self.local.watchdog()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &Method, path: &str, hosts: &[&str]) -> Result<Resource, u16> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().expect("a header"));
        }
        admit(method, path, &headers).map_err(|(status, _)| status.as_u16())
    }

    #[test]
    fn only_what_there_is_can_be_had_and_only_be_read() {
        let host = ["localhost"];
        for (method, path, expected) in [
            (Method::GET, "/", Ok(Resource::Page)),
            (Method::HEAD, "/", Ok(Resource::Page)),
            (Method::GET, "/metrics", Ok(Resource::Metrics)),
            (Method::GET, "/ops.json", Ok(Resource::Ops)),
            (Method::GET, "/ops.json/", Err(404)),
            (Method::GET, "/../ops.json", Err(404)),
            (Method::POST, "/favicon.ico", Err(404)),
            (Method::POST, "/", Err(405)),
            (Method::DELETE, "/metrics", Err(405)),
            (Method::OPTIONS, "/ops.json", Err(405)),
        ] {
            assert_eq!(asked(&method, path, &host), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_page_of_another_site_that_points_its_name_here_gets_nothing() {
        for host in ["localhost", "LocalHost:9000", "127.0.0.1", "127.0.0.1:8787", "127.9.9.9:1", "[::1]", "[::1]:8787"]
        {
            assert_eq!(asked(&Method::GET, "/", &[host]), Ok(Resource::Page), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evil.example:8787",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "10.0.0.1:8787",
            "0.0.0.0",
            "[::]:8787",
            "localhost:evil",
            "",
            ":",
        ] {
            assert_eq!(asked(&Method::GET, "/", &[host]), Err(403), "{host}");
        }
        assert_eq!(asked(&Method::GET, "/", &[]), Err(403));
        assert_eq!(asked(&Method::GET, "/", &["localhost", "evil.example"]), Err(403));
    }
}
