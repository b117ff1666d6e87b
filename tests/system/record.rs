//! The record, from outside: nobody alters it unseen.

use super::place::Place;
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
