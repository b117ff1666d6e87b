//! The local socket: garbage, crowds, and clients that die.

use super::place::{Place, until};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};

#[test]
fn garbage_is_answered_or_cut_off_and_harms_nobody() {
    let mut place = Place::new("", "");
    place.start();
    let line = place.line();
    let deep = format!("{}\n", "[".repeat(100_000));
    let long = format!("{{\"v\":1,\"key\":\"k\",\"argv\":[\"newtask\",\"work\",\"{}\"]}}\n", "x".repeat(600_000));
    for garbage in [
        &b"\n"[..],
        b"hello\n",
        b"{}\n",
        b"null\n",
        b"\0\0\0\0\n",
        b"\xff\xfe\n",
        b"{\"v\":99,\"key\":\"k\",\"argv\":[\"list\"]}\n",
        b"{\"v\":1,\"key\":\"\",\"argv\":[\"list\"]}\n",
        b"{\"v\":1,\"key\":\"k\",\"argv\":[]}\n",
        b"{\"v\":1,\"key\":\"k\",\"argv\":[1]}\n",
        b"{\"v\":1,\"key\":\"k\",\"argv\":[\"rm\",\"-rf\"]}\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        deep.as_bytes(),
        long.as_bytes(),
    ] {
        let mut stream = line.connect().expect("connect");
        stream.set_read_timeout(Some(super::place::PATIENCE)).expect("a limit");
        // It may hang up in the middle of what is too long.
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let read = BufReader::new(stream).read_line(&mut answer);
        let shown = String::from_utf8_lossy(&garbage[..garbage.len().min(60)]).into_owned();
        if read.is_ok() && !answer.is_empty() {
            let answer: serde_json::Value = serde_json::from_str(&answer).expect("an answer is JSON");
            assert_eq!(answer["ok"], false, "{shown}: {answer}");
        }
        assert_eq!(line.ask(&["list"])["data"], json!([]), "{shown}");
    }
    // Half a request, and a client that never reads.
    let mut half = line.connect().expect("connect");
    half.write_all(b"{\"v\":1,\"key\":\"half\",\"argv\":[\"newtask\",\"wo").expect("write");
    drop(half);
    assert_eq!(line.ask(&["list"])["data"], json!([]));
    place.assert_sound();
}

#[test]
fn two_hundred_clients_at_once_each_get_their_own_answer() {
    let mut place = Place::new("", "");
    place.start();
    let clients: Vec<_> = (0..200)
        .map(|n| {
            let line = place.line();
            std::thread::spawn(move || {
                let answer = line.insist(&format!("crowd-{n}"), &["newtask", "work", &format!("for 0 0 {n}")]);
                let id = answer["data"]["task_id"].as_i64().unwrap_or_else(|| panic!("{answer}"));
                (n, id)
            })
        })
        .collect();
    let mut ids: Vec<i64> = Vec::new();
    for client in clients {
        let (n, id) = client.join().expect("a client");
        assert!(place.task(id)["prompt"].as_str().is_some_and(|prompt| prompt.ends_with(&format!(" {n}"))));
        ids.push(id);
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=200).collect::<Vec<i64>>());
    place.assert_sound();
}

#[test]
fn a_client_that_dies_before_its_answer_asks_again_with_its_key_and_nothing_is_done_twice() {
    let mut place = Place::new("", "");
    place.start();
    let line = place.line();
    for n in 0..20 {
        let mut stream = line.connect().expect("connect");
        let request = json!({ "v": 1, "key": format!("dead-{n}"), "argv": ["newtask", "work", "for 0 0"] });
        writeln!(stream, "{request}").expect("write");
        drop(stream);
    }
    // By the program itself, as scripts do it: the same number whether or not the first request had been taken up.
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..20 {
        let answer = place.cli(&["newtask", "work", "for 0 0", "--key", &format!("dead-{n}")]);
        seen.insert(answer["task_id"].as_i64().expect("a task"));
    }
    assert_eq!(seen.len(), 20);
    until("all are there", || (place.cli(&["list", "100"]).as_array().map(Vec::len) == Some(20)).then_some(()));
    assert_eq!(place.events_of("requested").len(), 20);
    place.assert_sound();
}
