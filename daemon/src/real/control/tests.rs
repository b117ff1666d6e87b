//! Clients of every sort against a toy loop that answers each request with its own words.

use super::*;
use crate::ports::ControlInput;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::pin::pin;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Runs `clients` against a daemon that does nothing but answer, as the main loop would: one `next`, then `ready`.
fn play<C: Future<Output = ()>>(clients: impl FnOnce(PathBuf) -> C) {
    play_with(echo, clients);
}

fn play_with<C: Future<Output = ()>>(reply: impl Fn(&LocalRequest) -> Answer, clients: impl FnOnce(PathBuf) -> C) {
    let dir = tempfile::tempdir().expect("tempdir");
    runtime().block_on(async {
        let control = listen(dir.path());
        let mut clients = pin!(clients(dir.path().join(SOCKET_NAME)));
        loop {
            // A fresh `next` each turn, dropped when a client moves instead: nothing may be lost by that.
            tokio::select! {
                biased;
                () = &mut clients => break,
                input = control.next() => {
                    for input in std::iter::once(input).chain(control.ready()) {
                        if let ControlInput::Request(request) = input {
                            control.answer(request.connection, reply(&request));
                        }
                    }
                }
            }
            let state = control.state.borrow();
            let held: usize = state.connections.values().map(Connection::held).sum();
            assert_eq!(held, state.held, "the books are right");
            assert!(held <= policy::LOCAL_BUFFERED_BYTES_MAX);
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

fn listen(dir: &Path) -> LocalControl {
    LocalControl::listen_for(dir, ServiceManager::new(None, None)).expect("listen")
}

fn echo(request: &LocalRequest) -> Answer {
    Answer { ok: true, text: request.argv.join(" "), data: json!({ "key": request.key }) }
}

struct Client(BufReader<UnixStream>);

impl Client {
    async fn connect(path: &Path) -> Client {
        Client(BufReader::new(UnixStream::connect(path).await.expect("connect")))
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("write");
    }

    async fn read(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("read");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
    }

    async fn ask(&mut self, key: &str, argv: &[&str]) -> Value {
        self.write(request(key, argv).as_bytes()).await;
        self.read().await
    }
}

fn request(key: &str, argv: &[&str]) -> String {
    format!("{}\n", json!({ "v": 1, "key": key, "argv": argv }))
}

fn error_of(answer: &Value) -> &str {
    assert_eq!(answer["ok"], false, "{answer}");
    answer["data"]["error"].as_str().unwrap_or_default()
}

#[test]
fn many_clients_at_once_each_get_their_own_answers() {
    play(|path| async move {
        let client = |n: usize| {
            let path = path.clone();
            async move {
                let mut client = Client::connect(&path).await;
                for i in 0..50 {
                    let key = format!("{n}-{i}");
                    let answer = client.ask(&key, &["status", &key]).await;
                    assert_eq!(answer["text"], format!("status {key}"));
                    assert_eq!(answer["data"]["key"], key);
                }
            }
        };
        join_all((0..64).map(client)).await;
    });
}

#[test]
fn requests_sent_without_waiting_are_answered_in_their_order() {
    play(|path| async move {
        let stream = UnixStream::connect(&path).await.expect("connect");
        let (read, mut write) = stream.into_split();
        let count = policy::LOCAL_IN_FLIGHT_MAX * 20;
        let sends = async {
            let all: String = (0..count).map(|i| request(&i.to_string(), &["status"])).collect();
            // In pieces that end anywhere.
            for piece in all.as_bytes().chunks(1_000) {
                write.write_all(piece).await.expect("write");
            }
        };
        let reads = async {
            let mut lines = BufReader::new(read).lines();
            for i in 0..count {
                let line = lines.next_line().await.expect("read").expect("line");
                let answer: Value = serde_json::from_str(&line).expect("json");
                assert_eq!(answer["data"]["key"], i.to_string());
            }
        };
        tokio::join!(sends, reads);
    });
}

#[test]
fn garbage_is_answered_and_the_connection_goes_on() {
    play(|path| async move {
        let mut client = Client::connect(&path).await;
        for (line, error) in [
            (&b"hello\n"[..], "bad_request"),
            (b"\xff\xfe\x00\n", "bad_request"),
            (b"{\"v\":1,\"key\":\"a\"}\n", "bad_request"),
            (b"{\"v\":1,\"key\":\"\",\"argv\":[\"ops\"]}\n", "bad_request"),
            (b"{\"v\":1,\"key\":\"a\",\"argv\":\"ops\"}\n", "bad_request"),
            (b"[[[[[[[[\n", "bad_request"),
            (b"{\"v\":2,\"key\":\"a\",\"argv\":[\"ops\"],\"more\":1}\n", "bad_version"),
        ] {
            client.write(line).await;
            assert_eq!(error_of(&client.read().await), error, "{}", line.escape_ascii());
        }
        client.write(b"\n \r\n").await;
        assert_eq!(client.ask("k", &["ops"]).await["text"], "ops");
    });
}

#[test]
fn a_line_that_is_too_long_is_refused_while_it_arrives_and_the_next_one_is_served() {
    play(|path| async move {
        let mut client = Client::connect(&path).await;
        let chunk = [b'x'; 4096];
        for _ in 0..=policy::LOCAL_REQUEST_BYTES_MAX / chunk.len() + 16 {
            client.write(&chunk).await;
        }
        assert_eq!(error_of(&client.read().await), "too_long");
        for _ in 0..64 {
            client.write(&chunk).await;
        }
        client.write(b"\n").await;
        assert_eq!(client.ask("k", &["ops"]).await["text"], "ops");
    });
}

#[test]
fn the_longest_prompt_fits_into_a_request() {
    play(|path| async move {
        let mut client = Client::connect(&path).await;
        // Every byte of it becomes six.
        let prompt = "\u{1}".repeat(policy::PROMPT_BYTES_MAX);
        let answer = client.ask("k", &["newtask", "build", &prompt]).await;
        assert_eq!(answer["text"].as_str().map(str::len), Some(prompt.len() + "newtask build ".len()));
    });
}

#[test]
fn slow_and_silent_clients_keep_nobody_waiting_and_get_their_answer_in_the_end() {
    play(|path| async move {
        let _silent = Client::connect(&path).await;
        let mut slow = Client::connect(&path).await;
        let mut quick = Client::connect(&path).await;
        for (i, byte) in request("slow", &["whoami"]).bytes().enumerate() {
            slow.write(&[byte]).await;
            let key = i.to_string();
            assert_eq!(quick.ask(&key, &["ops"]).await["data"]["key"], key);
        }
        assert_eq!(slow.read().await["text"], "whoami");
    });
}

#[test]
fn a_half_closed_client_is_answered_also_without_a_final_line_end() {
    play(|path| async move {
        let mut client = Client::connect(&path).await;
        client.write(request("a", &["one"]).as_bytes()).await;
        client.write(request("b", &["two"]).trim_end().as_bytes()).await;
        client.0.shutdown().await.expect("shutdown");
        let mut all = String::new();
        client.0.read_to_string(&mut all).await.expect("read to the end");
        let texts: Vec<Value> = all.lines().map(|l| serde_json::from_str(l).expect("json")).collect();
        assert_eq!(texts.iter().map(|t| &t["text"]).collect::<Vec<_>>(), ["one", "two"]);

        let mut cut = Client::connect(&path).await;
        cut.write(&request("a", &["one"]).as_bytes()[..20]).await;
        cut.0.shutdown().await.expect("shutdown");
        assert_eq!(error_of(&cut.read().await), "bad_request");
    });
}

#[test]
fn a_client_that_does_not_read_is_not_read_from_and_others_are_served() {
    let long = |request: &LocalRequest| Answer { text: "x".repeat(100_000), ..echo(request) };
    play_with(long, |path| async move {
        let deaf = UnixStream::connect(&path).await.expect("connect");
        let lines = request("k", &["ops"]).repeat(1_000);
        let mut sent = 0;
        let mut other = Client::connect(&path).await;
        // Until nothing moves any more: then it is the daemon that does not read.
        let mut refused = 0;
        while refused < 20 {
            match deaf.try_write(&lines.as_bytes()[sent % lines.len()..]) {
                Ok(n) => {
                    sent += n;
                    refused = 0;
                }
                Err(_) => refused += 1,
            }
            assert_eq!(other.ask("o", &["ops"]).await["ok"], true);
        }
        drop(deaf);
        assert_eq!(other.ask("o", &["ops"]).await["ok"], true);
    });
}

#[test]
fn half_sent_requests_of_many_clients_are_held_up_to_a_limit_and_others_are_served() {
    play(|path| async move {
        let part = vec![b'x'; policy::LOCAL_REQUEST_BYTES_MAX - 1_000];
        let count = policy::LOCAL_BUFFERED_BYTES_MAX / part.len() + 3;
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut client = Client::connect(&path).await;
            // The last ones are hung up on while they write.
            let _ = client.0.write_all(&part).await;
            clients.push(client);
        }
        let mut other = Client::connect(&path).await;
        assert_eq!(other.ask("o", &["ops"]).await["ok"], true);
        assert_eq!(error_of(&clients.last_mut().expect("some").read().await), "busy");
    });
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let dir = tempfile::tempdir().expect("tempdir");
    runtime().block_on(async {
        let control = listen(dir.path());
        for _ in 0..3 {
            let mut client = Client::connect(&dir.path().join(SOCKET_NAME)).await;
            client.write(request("k", &["ops"]).as_bytes()).await;
            let ControlInput::Request(request) = control.next().await else { panic!("a request") };
            drop(client);
            control.answer(request.connection, echo(&request));
            control.answer(request.connection, echo(&request));
        }
        // A last one that is served: by then the kernel has told of those before.
        let mut client = Client::connect(&dir.path().join(SOCKET_NAME)).await;
        client.write(request("k", &["ops"]).as_bytes()).await;
        control.next().await;
        assert_eq!(control.state.borrow().connections.len(), 1);
    });
}

#[test]
fn answers_given_out_of_order_arrive_in_order_and_strange_addresses_are_ignored() {
    let dir = tempfile::tempdir().expect("tempdir");
    runtime().block_on(async {
        let control = listen(dir.path());
        let mut client = Client::connect(&dir.path().join(SOCKET_NAME)).await;
        client.write([request("a", &["a"]), request("b", &["b"]), request("c", &["c"])].concat().as_bytes()).await;
        let mut requests = vec![control.next().await];
        requests.extend(control.ready());
        assert_eq!(requests.len(), 3, "one look takes all that has arrived");
        for input in requests.iter().rev() {
            let ControlInput::Request(request) = input else { panic!("a request") };
            control.answer(request.connection, echo(request));
            control.answer(request.connection + 100, echo(request));
            control.answer(request.connection + (9 << 32), echo(request));
            control.answer(request.connection, Answer { text: "twice".into(), ..echo(request) });
        }
        for key in ["a", "b", "c"] {
            assert_eq!(client.read().await["text"], key);
        }
    });
}

#[test]
fn one_client_too_many_is_told_so_while_none_is_idle_and_gets_in_when_another_leaves() {
    play(|path| async move {
        let mut clients = Vec::new();
        for _ in 0..policy::LOCAL_CONNECTIONS_MAX {
            let mut client = Client::connect(&path).await;
            client.write(b"{\"half\":").await;
            clients.push(client);
        }
        let mut late = Client::connect(&path).await;
        assert_eq!(error_of(&late.read().await), "busy");
        clients.pop();
        // The one that left is noticed at the latest with the next request of somebody else.
        clients[0].write(b" 1}\n").await;
        assert_eq!(error_of(&clients[0].read().await), "bad_request");
        clients[0].write(b"{\"half\":").await;
        let mut late = Client::connect(&path).await;
        assert_eq!(late.ask("y", &["ops"]).await["ok"], true);
    });
}

#[test]
fn clients_that_stay_half_way_keep_nobody_out() {
    let dir = tempfile::tempdir().expect("tempdir");
    runtime().block_on(async {
        let control = listen(dir.path());
        let path = dir.path().join(SOCKET_NAME);
        let halfway_ms = &|ms| control.state.borrow_mut().halfway_ms = ms;
        let daemon = async {
            loop {
                let ControlInput::Request(request) = control.next().await else { continue };
                control.answer(request.connection, echo(&request));
            }
        };
        let clients = async {
            let mut slow = Vec::new();
            for n in 0..policy::LOCAL_CONNECTIONS_MAX {
                let mut client = Client::connect(&path).await;
                client.write(if n % 2 == 0 { b"{" } else { b"\n \n{\"v\":1" }).await;
                slow.push(client);
            }
            let mut early = Client::connect(&path).await;
            assert_eq!(error_of(&early.read().await), "busy", "they have their time");
            // As if it were over.
            halfway_ms(0);
            for n in 0..3 {
                let mut late = Client::connect(&path).await;
                assert_eq!(late.ask(&n.to_string(), &["ops"]).await["ok"], true);
                slow.push(late);
            }
            let mut byte = [0; 1];
            assert_eq!(slow[0].0.read(&mut byte).await.expect("an end"), 0, "the slowest went");
            let held: usize = control.state.borrow().connections.values().map(Connection::held).sum();
            assert_eq!(held, control.state.borrow().held, "the books are right");
        };
        tokio::select! { biased; () = clients => {}, () = daemon => {} }
    });
}

#[test]
fn clients_that_only_hold_on_keep_nobody_out() {
    play(|path| async move {
        let mut held = Vec::new();
        // One that has asked for something, one that has half a request; then so many that only hold on.
        let mut asked = Client::connect(&path).await;
        assert_eq!(asked.ask("a", &["ops"]).await["ok"], true);
        let mut half = Client::connect(&path).await;
        let line = request("h", &["ops"]);
        half.write(&line.as_bytes()[..9]).await;
        for i in 0..policy::LOCAL_CONNECTIONS_MAX * 2 {
            held.push(Client::connect(&path).await);
            if i % 50 == 0 {
                // Somebody who comes, asks and goes is served however many there are, and so is who stays in touch.
                let mut other = Client::connect(&path).await;
                assert_eq!(other.ask(&format!("o{i}"), &["ops"]).await["ok"], true);
                assert_eq!(asked.ask(&format!("a{i}"), &["ops"]).await["ok"], true);
            }
        }
        half.write(&line.as_bytes()[9..]).await;
        assert_eq!(half.read().await["ok"], true, "who was half-way is never the one to go");
        let mut byte = [0; 1];
        assert_eq!(held[0].0.read(&mut byte).await.expect("an end"), 0, "who has been idle longest went");
        assert_eq!(held.last_mut().expect("some").ask("l", &["ops"]).await["ok"], true);
    });
}

#[test]
fn the_socket_is_private_replaces_a_stale_one_and_goes_with_the_daemon() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join(SOCKET_NAME);
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a stale socket"));
    runtime().block_on(async {
        let control = listen(dir.path());
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).await.expect("it is ours");
        drop(control);
        assert!(!path.exists());
    });
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_told_with_its_length() {
    let long = Path::new("/").join("d".repeat(100)).join(SOCKET_NAME);
    let fatal = check_path(&long).expect_err("too long");
    assert_eq!(fatal.code, ExitCode::ConfigInvalid);
    assert!(fatal.text.starts_with("the socket's path has 115 bytes, and the system allows 107"), "{}", fatal.text);
    // Clients' libraries agree on both sides of the limit.
    for (length, fits) in
        [(policy::LOCAL_SOCKET_PATH_BYTES_MAX, true), (policy::LOCAL_SOCKET_PATH_BYTES_MAX + 1, false)]
    {
        let path = format!("/{}", "d".repeat(length - 1));
        assert_eq!(std::os::unix::net::SocketAddr::from_pathname(&path).is_ok(), fits, "{length}");
        assert_eq!(check_path(Path::new(&path)).is_ok(), fits, "{length}");
    }
}

#[test]
fn a_signal_to_end_comes_before_requests() {
    let dir = tempfile::tempdir().expect("tempdir");
    runtime().block_on(async {
        let control = listen(dir.path());
        let mut client = Client::connect(&dir.path().join(SOCKET_NAME)).await;
        client.write(request("k", &["ops"]).as_bytes()).await;
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).expect("kill");
        tokio::task::yield_now().await;
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.push(control.next().await);
        }
        assert!(seen.contains(&ControlInput::Terminate), "{seen:?}");
        assert!(seen.iter().any(|input| matches!(input, ControlInput::Request(_))), "{seen:?}");
    });
}
