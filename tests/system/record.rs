//! The record, from outside: nobody alters it unseen.

use super::place::{Place, until};
use serde_json::Value;

fn verified(place: &Place, more: &[&str]) -> (Option<i32>, Value) {
    let output = place.run(&[&["verify-log", "--json"], more].concat());
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn an_altered_missing_or_cut_off_event_is_named_by_verify_log() {
    let mut place = Place::new("", "");
    place.start();
    for _ in 0..3 {
        place.line().done(&["newtask", "work", "exit 0"]);
    }
    // Also while the daemon runs.
    let (code, said) = verified(&place, &[]);
    assert_eq!((code, &said["ok"]), (Some(0), &Value::Bool(true)), "{said}");
    let known = said["fingerprint"].as_str().expect("a fingerprint").to_owned();
    place.terminate();
    let (code, later) = verified(&place, &["--known", &known]);
    assert_eq!(code, Some(0), "the record only grew: {later}");

    let path = place.path("state/mainstay.db");
    let whole = std::fs::read(&path).expect("read");
    let last = later["events"].as_i64().expect("a number");
    for (sql, known, expected) in [
        ("UPDATE events SET actor = 'tg:99' WHERE seq = 4".to_owned(), None, "event 4 is not what was recorded"),
        ("DELETE FROM events WHERE seq = 5".to_owned(), None, "event 5 is not what was recorded"),
        // What is left is a whole chain: only who knows more sees it.
        (format!("DELETE FROM events WHERE seq > {}", last - 3), Some(&*known), "cut off or replaced"),
    ] {
        let db = rusqlite::Connection::open(&path).expect("open the database");
        db.execute_batch("DROP TRIGGER events_are_not_changed; DROP TRIGGER events_are_not_removed").expect("triggers");
        assert!(db.execute(&sql, []).expect("altered") > 0, "{sql}");
        drop(db);
        let (code, said) = match known {
            None => verified(&place, &[]),
            Some(known) => verified(&place, &["--known", known]),
        };
        assert_eq!(code, Some(17), "{sql}: {said}");
        assert!(said["text"].as_str().is_some_and(|text| text.contains(expected)), "{sql}: {said}");
        std::fs::write(&path, &whole).expect("as it was");
    }
    assert_eq!(verified(&place, &["--known", &known]).0, Some(0));
    assert_eq!(place.run(&["verify-log", "--known", "rubbish"]).status.code(), Some(2));
}

/// Leaves two events that belong to no task, so many times.
fn fill(place: &Place, times: usize) {
    for _ in 0..times {
        place.line().ask(&["stop", "999"]);
    }
}

#[test]
fn a_record_that_got_shorter_is_still_proven_and_says_what_is_gone() {
    let mut place = Place::new("", "[record]\nkeep = \"1s\"\n");
    place.start();
    place.line().done(&["newtask", "work", "for 0 0"]);
    place.line().done(&["reject", "1", "never mind"]);
    let (_, said) = verified(&place, &[]);
    let known = said["fingerprint"].as_str().expect("a fingerprint").to_owned();
    fill(&place, 400);
    // A start looks at once.
    place.kill();
    place.start();
    until("the oldest are gone", || (!verified(&place, &[]).1["removed"].is_null()).then_some(()));
    // Whenever it is killed, what is left is whole.
    for _ in 0..5 {
        fill(&place, 150);
        place.kill();
        let (code, said) = verified(&place, &[]);
        assert_eq!(code, Some(0), "{said}");
        place.start();
    }
    until("the task's events are gone", || {
        let trace = place.line().ask(&["trace", "1"]).to_string();
        trace.contains("all of this was removed from the record: events up to ").then_some(())
    });
    let logs = place.run(&["logs", "--task", "1"]);
    assert!(String::from_utf8_lossy(&logs.stdout).contains("all of this was removed"), "{logs:?}");
    let (code, said) = verified(&place, &["--known", &known]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said["text"].as_str().is_some_and(|text| text.contains("can't be told")), "{said}");
    // One that is told now is good for as long as its event is there.
    let known = said["fingerprint"].as_str().expect("a fingerprint").to_owned();
    assert_eq!(verified(&place, &["--known", &known]).0, Some(0));
    place.terminate();
    let db = rusqlite::Connection::open(place.path("state/mainstay.db")).expect("open the database");
    let forged = db.execute("DELETE FROM events", []).expect_err("it is append-only");
    assert!(forged.to_string().contains("append-only"), "{forged}");
    // Who cuts the beginning off has nothing that says so.
    db.execute_batch("DROP TRIGGER events_are_not_removed; DELETE FROM meta WHERE key LIKE 'pruned%'").expect("cut");
    drop(db);
    let (code, said) = verified(&place, &[]);
    assert_eq!(code, Some(17), "{said}");
    assert!(said["text"].as_str().is_some_and(|text| text.contains("the beginning is missing")), "{said}");
}

#[test]
fn where_there_is_no_database_all_that_read_it_say_the_same() {
    let place = Place::new("", "");
    let said = |args: &[&str]| {
        let output = place.run(args);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = said(&["verify-log"]);
    assert_eq!(code, Some(20), "{text}");
    assert!(text.contains("there is no database in "), "{text}");
    assert_eq!(said(&["logs"]), (code, text));
}

#[test]
fn a_story_can_be_drawn_whether_the_daemon_runs_or_not_and_no_file_is_overwritten() {
    let mut place = Place::new("", "");
    place.start();
    place.line().let_run("work", "for 0 3");
    place.wait_for(1, "FAILED");
    let draw = |place: &Place, file: &str| {
        let output = place.run(&["trace", "1", "--perfetto", file]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let spans = |text: &str| -> Vec<String> {
        let trace: Value = serde_json::from_str(text).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("a list").iter();
        events.filter(|event| event["ph"] == "X").map(|event| event["name"].to_string()).collect()
    };
    assert_eq!(draw(&place, "running.json").0, Some(0));
    place.terminate();
    assert_eq!(draw(&place, "down.json").0, Some(0));
    let read = |name: &str| std::fs::read_to_string(place.path(name)).expect("it was written");
    let drawn = spans(&read("running.json"));
    for name in ["REQUESTED", "APPROVED", "QUEUED", "RUNNING", "attempt 1"] {
        assert!(drawn.contains(&format!("{name:?}")), "{name}: {drawn:?}");
    }
    assert_eq!(drawn, spans(&read("down.json")));
    let (code, said) = draw(&place, "-");
    assert_eq!((code, spans(&said)), (Some(0), drawn));
    // Files that are there stay, also those of the daemon, and nothing half-written is left.
    std::fs::write(place.path("mine"), "mine").expect("write");
    for file in ["mine", "state/mainstay.db", "no/such/folder"] {
        assert_eq!(draw(&place, file).0, Some(1), "{file}");
    }
    assert_eq!(read("mine"), "mine");
    let names = std::fs::read_dir(place.path(".")).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().contains("mine.")), "a half-written file");
    assert_eq!(place.cli(&["trace", "1"])["complete"], true);
    assert_eq!(place.run(&["trace", "9", "--perfetto", "none.json"]).status.code(), Some(1));
    assert!(!place.path("none.json").exists());
}

#[test]
fn metrics_reads_the_record_whether_the_daemon_runs_or_not_and_fits_a_narrow_terminal() {
    let mut place = Place::new("", "");
    place.start();
    place.line().let_run("work", "for 0 0");
    place.line().done(&["newtask", "work", "for 0 0"]);
    place.line().done(&["reject", "2", "never mind"]);
    until("the first task ended", || (place.line().done(&["status", "1"])["state"] == "SUCCEEDED").then_some(()));
    let told = |place: &Place, args: &[&str]| {
        let output = place.run(&[&["metrics"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let samples = |place: &Place, args: &[&str]| -> Vec<u64> {
        let data: Value = serde_json::from_str(&told(place, &[&["--json"], args].concat())).expect("JSON");
        let metrics = data["scorecard"]["metrics"].as_array().expect("a list");
        let sample = |id: &str| metrics.iter().find(|metric| metric["id"] == id).expect("a row")["sample"].as_u64();
        ["command-success", "human-intervention", "heavy-success", "uptime"]
            .map(|id| sample(id).expect("a number"))
            .to_vec()
    };
    let running = samples(&place, &[]);
    assert_eq!(running[1..], [2, 1, 0], "two tasks ended, one of them could succeed, and nobody probed");
    assert!(running[0] >= 5, "{running:?}");
    place.terminate();
    assert_eq!(samples(&place, &[]), running);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(samples(&place, &["--window", "1ms"]), [0, 0, 0, 0]);
    let text = told(&place, &["--window", "30d"]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("the record begins only at ") && words.contains("a probe outside it has to"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(place.run(&["metrics", "--window", "soon"]).status.code(), Some(2));
}
