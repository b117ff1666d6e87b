//! The Bot API adapter over real sockets: the contract, odd answers that the Bot API server never gives, and the token.

use crate::contract::telegram::{ANN, Backstage, CHAT, IMPATIENT, PATIENT, Site, TOKEN, kind, long_poll, text, world};
use mainstay::ports::{Call, CallError, CallErrorKind, Called, LocalFuture, Telegram};
use mainstay::real::telegram::BotTelegram;
use mainstay_sim::botapi::http::Clock;
use mainstay_sim::botapi::{Fault, Methods, Millis, Server, World};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

telegram_contract!(on_loopback);

impl Backstage for Server {
    fn change(&self, act: &mut dyn FnMut(&mut World, Millis)) {
        let now = self.clock().now();
        self.shared().change(|world| act(world, now));
    }

    fn reachable(&self, yes: bool) {
        let done = if yes { self.up() } else { self.down() };
        done.expect("the server's thread is there, and its port is still free");
    }
}

/// Runs a case on a loopback server.
fn on_loopback(case: impl for<'a> FnOnce(Site<'a>) -> LocalFuture<'a, ()>) {
    let server = start();
    let telegram = connect(&server.url());
    run(case(Site { telegram: &telegram, backstage: &server }));
}

/// Runs a future on a thread's own runtime, as the daemon does. No case takes long; one that hangs should say so.
fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is a runtime");
    let guarded = async { tokio::time::timeout(Duration::from_secs(60), future).await };
    runtime.block_on(guarded).expect("it hangs");
}

fn start() -> Server {
    Server::start(world(Clock::system().now())).expect("there is a port")
}

fn connect(url: &str) -> BotTelegram {
    BotTelegram::new(url, TOKEN).unwrap_or_else(|error| panic!("{error}"))
}

/// A server that gives the next connection this answer, whatever is asked, and then closes it.
async fn answer_once(listener: &TcpListener, answer: &[u8]) {
    let (mut stream, _) = listener.accept().await.expect("somebody connects");
    let mut request = [0; 4_096];
    let _ = stream.read(&mut request).await;
    // The client may have heard enough.
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    (listener, url)
}

/// What comes of a call that gets this answer.
async fn answered(answer: &[u8]) -> Result<Called, CallError> {
    let (listener, url) = listener().await;
    let telegram = connect(&url);
    let (result, ()) = tokio::join!(telegram.call(Call::Send(text("x")), PATIENT), answer_once(&listener, answer));
    result
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

#[test]
fn odd_answers_have_their_class() {
    run(async {
        let too_large = format!("{{\"ok\":true,\"result\":{{\"message_id\":7}}{}}}", " ".repeat(2 * 1024 * 1024));
        let cases: [(Vec<u8>, CallErrorKind); 8] = [
            (http("200 OK", "", &too_large), CallErrorKind::Ambiguous),
            (http("413 Request Entity Too Large", "", "<html></html>"), CallErrorKind::Refused),
            (
                http("404 Not Found", "", "{\"ok\":false,\"error_code\":404,\"description\":\"Not Found\"}"),
                CallErrorKind::Unauthorized,
            ),
            (http("403 Forbidden", "", "a proxy has opinions"), CallErrorKind::Ambiguous),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"ok\":true,".to_vec(), CallErrorKind::Ambiguous),
            (b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), CallErrorKind::Ambiguous),
            (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), CallErrorKind::Ambiguous),
            (Vec::new(), CallErrorKind::Ambiguous),
        ];
        for (answer, expected) in cases {
            let shown = String::from_utf8_lossy(&answer[..answer.len().min(100)]).into_owned();
            assert_eq!(kind(answered(&answer).await), expected, "{shown}");
        }
    });
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    run(async {
        let (listener, url) = listener().await;
        let telegram = connect(&url);
        let endless = async {
            let (mut stream, _) = listener.accept().await.expect("somebody connects");
            let _ = stream.read(&mut [0; 4_096]).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("somebody listens");
            let mut written: usize = 0;
            while stream.write_all(&[b' '; 65_536]).await.is_ok() {
                written += 65_536;
            }
            written
        };
        let poll = telegram.poll(long_poll(1, Duration::ZERO, PATIENT));
        let (result, written) = tokio::join!(poll, endless);
        let error = result.expect_err("nobody can read that");
        assert!(error.text.contains("more than") && error.kind == CallErrorKind::Ambiguous, "{error}");
        assert!(written < 64 * 1024 * 1024, "{written} bytes were taken");
    });
}

/// A redirection would carry the token away: in the new address's path, or as `Referer`.
#[test]
fn redirections_are_not_followed() {
    run(async {
        for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
            let (elsewhere, url) = listener().await;
            let answer = http(status, &format!("Location: {url}/login\r\n"), "");
            assert_eq!(kind(answered(&answer).await), CallErrorKind::Ambiguous, "{status}");
            let followed = tokio::time::timeout(Duration::ZERO, elsewhere.accept()).await;
            assert!(followed.is_err(), "{status} was followed");
        }
    });
}

#[test]
fn without_tls_or_a_name_nothing_was_sent() {
    run(async {
        let (listener, url) = listener().await;
        let telegram = connect(&url.replace("http:", "https:"));
        let no_tls = http("400 Bad Request", "", "plain HTTP here");
        let (result, ()) = tokio::join!(telegram.call(Call::GetMe, PATIENT), answer_once(&listener, &no_tls));
        assert_eq!(kind(result), CallErrorKind::NotSent);

        // A label of more than 63 letters is no name: this fails without asking anybody.
        let nowhere = connect(&format!("https://{}.example", "x".repeat(64)));
        assert_eq!(kind(nowhere.call(Call::GetMe, PATIENT).await), CallErrorKind::NotSent);
    });
}

// ---------------------------------------------------------------------------------------------------- the token

/// Everything that is logged in this process, at any level, by anybody.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[test]
fn no_error_and_no_log_line_has_the_token() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    run(async {
        let mut errors = every_failure().await;
        let echo = format!("Bad Request: no bot{TOKEN}, no {}", TOKEN.replace(':', "%3A"));
        let echo = format!("{{\"ok\":false,\"error_code\":400,\"description\":\"{echo}\"}}");
        errors.extend(answered(&http("400 Bad Request", "", &echo)).await.err());
        errors.extend(answered(&http("302 Found", "Location: http://127.0.0.1:1/x\r\n", "")).await.err());
        errors.extend(answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{").await.err());
        errors.extend(connect("https://127.0.0.1:1").call(Call::GetMe, PATIENT).await.err());
        assert!(errors.len() > 25, "{errors:?}");
        for error in errors {
            tracing::error!(%error, ?error, text = error.text, "a call failed");
        }
    });
    let log = log.text();
    let (_, secret) = TOKEN.split_once(':').expect("tokens have a colon");
    let leak = log.lines().find(|line| line.contains(secret));
    assert_eq!(leak, None);
    // Those who could tell do speak here.
    for voice in ["hyper_util::client", "reqwest::connect", "a call failed", "[redacted]"] {
        assert!(log.contains(voice), "nothing of {voice} in the log");
    }
}

/// The error of a call and of a poll under each fault, and without a server.
async fn every_failure() -> Vec<CallError> {
    let server = start();
    let telegram = connect(&server.url());
    let mut errors = Vec::new();
    for (n, (_, fault)) in (1..).zip(Fault::NAMED) {
        server.world().faults.always(Methods::All, fault);
        server.people(|people| people.say(ANN, CHAT, "x"));
        errors.extend(telegram.call(Call::Send(text("x")), IMPATIENT).await.err());
        errors.extend(telegram.poll(long_poll(n, Duration::ZERO, IMPATIENT)).await.err());
        server.world().faults.heal();
    }
    server.down().expect("the server's thread is there");
    errors.extend(telegram.call(Call::GetMe, PATIENT).await.err());
    errors.extend(telegram.poll(long_poll(100, Duration::ZERO, PATIENT)).await.err());
    errors
}

/// Does not compile if `BotTelegram` gets a `Debug`, which would print the token: then it is not clear which `check` is meant.
#[test]
fn the_adapter_cannot_be_printed() {
    trait Printable<A> {
        fn check() {}
    }
    struct IfItIs;
    impl<T: ?Sized> Printable<()> for T {}
    impl<T: ?Sized + std::fmt::Debug> Printable<IfItIs> for T {}
    <BotTelegram as Printable<_>>::check();
}
