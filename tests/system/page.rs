//! The status page: what a browser and a monitor get, and what nobody gets.

use super::phone::Phone;
use super::place::{PATIENCE, Place, until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

const ANY_PORT: &str = "\n[status]\nlisten = \"127.0.0.1:0\"\n";

/// Where the page of a running daemon is, by its log.
fn address(place: &Place) -> SocketAddr {
    until("the page is up", || {
        let log = std::fs::read_to_string(place.path("daemon.log")).ok()?;
        let line = log.lines().rev().find(|line| line.contains("the status page is up"))?;
        line.split_once("http://")?.1.split_once('/')?.0.parse().ok()
    })
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    stream
}

/// Head and body of the answer to what is written, read to the end of the connection.
fn raw(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = connect(address);
    // Who is cut off early may not get all of it out.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

fn get(address: SocketAddr, path: &str) -> (String, String) {
    raw(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

#[test]
fn the_page_the_metrics_and_the_json_show_what_the_command_line_shows() {
    let phone = Phone::new();
    let mut place = phone.place("", ANY_PORT);
    place.start();
    let page = address(&place);
    let line = place.line();
    line.done(&["newtask", "work", "for 0 0 <script>alert(1)</script> & \"'"]);
    line.let_run("work", "until go 0");
    place.wait_for_entry(2, "begin");

    let (head, body) = get(page, "/");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
    ] {
        assert!(head.to_lowercase().contains(header), "{header}: {head}");
    }
    assert!(!head.to_lowercase().contains("set-cookie"), "{head}");
    assert!(
        !body.contains("<script") && body.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;&#39;"),
        "{body}"
    );
    assert!(body.contains("#2 work") && body.contains("until go 0"), "{body}");

    let (head, body) = get(page, "/ops.json");
    assert!(head.contains("content-type: application/json"), "{head}");
    let told: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let ops = line.ask(&["ops"])["data"].clone();
    for field in ["status", "reasons", "mode", "tasks", "version", "epoch", "config_hash", "ended_24h"] {
        assert_eq!(told[field], ops[field], "{field}");
    }

    let (head, body) = get(page, "/metrics");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    assert!(body.contains("mainstay_tasks{state=\"RUNNING\"} 1\n") && body.ends_with("# EOF\n"), "{body}");

    let (head, body) = raw(page, &format!("HEAD / HTTP/1.1\r\nHost: {page}\r\n\r\n"));
    assert!(head.starts_with("HTTP/1.1 200 OK") && body.is_empty(), "{head}");
    place.release("go");
    place.wait_for(2, "SUCCEEDED");
    // Looking is not on record.
    assert!(place.events().iter().all(|event| !event.to_string().contains("status-page")));
    place.assert_sound();
}

#[test]
fn nothing_else_is_to_be_had_and_nothing_from_elsewhere() {
    let mut place = Place::new("", ANY_PORT);
    place.start();
    let page = address(&place);
    let long = format!("GET / HTTP/1.1\r\nHost: {page}\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: {page}\r\n{}\r\n", "x: y\r\n".repeat(1_000));
    for (request, status) in [
        (format!("GET /../mainstay.db HTTP/1.1\r\nHost: {page}\r\n\r\n"), "404"),
        (format!("GET /favicon.ico HTTP/1.1\r\nHost: {page}\r\n\r\n"), "404"),
        (format!("POST / HTTP/1.1\r\nHost: {page}\r\nContent-Length: 4\r\n\r\nstop"), "405"),
        (format!("DELETE /ops.json HTTP/1.1\r\nHost: {page}\r\n\r\n"), "405"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), "403"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "403"),
        (format!("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example:{}\r\n\r\n", page.port()), "403"),
        (long, "431"),
        (many, "431"),
        ("\0\0\0\0\r\n\r\n".to_owned(), "400"),
        ("{\"v\":1,\"key\":\"k\",\"argv\":[\"drain\"]}\r\n\r\n".to_owned(), "400"),
    ] {
        let (head, body) = raw(page, &request);
        let shown: String = request.chars().take(60).collect();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{shown:?}: {head}");
        assert!(!body.contains("mainstay_") && !body.contains("REQUESTED"), "{shown:?}: {body}");
    }
    let (head, _) = get(page, "/");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    place.assert_sound();
}

#[test]
fn slow_and_silent_clients_keep_nobody_waiting() {
    let mut place = Place::new("", ANY_PORT);
    place.start();
    let page = address(&place);
    // More than there is room for: some say nothing, some half of it, some do not read what they get.
    let mut clients = Vec::new();
    for n in 0..60 {
        let mut client = connect(page);
        let said = ["", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"][n % 3];
        client.write_all(said.as_bytes()).expect("write");
        clients.push(client);
        if n % 20 == 0 {
            assert_eq!(place.line().ask(&["mode"])["ok"], true);
            assert!(get(page, "/").0.starts_with("HTTP/1.1 200"), "client {n}");
        }
    }
    assert_eq!(place.line().done(&["newtask", "work", "for 0 0"])["task_id"], 1);
    assert!(get(page, "/metrics").1.ends_with("# EOF\n"));
    // The oldest had to give way.
    let mut rest = Vec::new();
    assert!(matches!(clients[0].read_to_end(&mut rest), Ok(0) | Err(_)));
    place.terminate();
    place.assert_sound();
}

#[test]
fn without_its_port_the_daemon_does_all_else_and_check_tells() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("an address");
    let mut place = Place::new("", &format!("\n[status]\nlisten = \"{taken}\"\n"));
    let warnings = |place: &Place| place.cli(&["check"])["warnings"].to_string();
    assert!(warnings(&place).contains("can't be had"), "{}", warnings(&place));
    place.start();
    assert_eq!(place.line().ask(&["ops"])["ok"], true);
    let log = std::fs::read_to_string(place.path("daemon.log")).expect("a log");
    assert!(log.contains("there is no status page") && log.contains(&taken.to_string()), "{log}");
    drop(other);
    assert!(warnings(&place).contains("no status page before its next start"), "{}", warnings(&place));
    place.terminate();
    assert!(place.cli(&["check"])["good"].to_string().contains("the status page can listen"));
    place.start();
    until("the page is up", || TcpStream::connect(taken).ok());
    assert!(place.cli(&["check"])["good"].to_string().contains(&format!("the status page is at http://{taken}/")));
    place.assert_sound();
}
