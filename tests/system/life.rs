//! A task's life by command line, and what is said twice.

use super::place::{Place, until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;

#[test]
fn asked_approved_and_resumed_it_runs_once_and_says_how_it_ended() {
    let mut place = Place::new("", "");
    place.start();
    for (code, state) in [(0, "SUCCEEDED"), (7, "FAILED")] {
        let asked = place.cli(&["newtask", "work", "for", "0", &code.to_string()]);
        let id = asked["task_id"].as_i64().expect("a number");
        assert_eq!(asked["state"], "REQUESTED");
        let id = id.to_string();
        place.cli(&["approve", &id]);
        assert_eq!(place.cli(&["status", &id])["state"], "APPROVED");
        place.cli(&["resume", &id]);
        let task = until("its end", || Some(place.cli(&["status", &id])).filter(|task| task["state"] == state));
        assert_eq!((&task["exit_code"], &task["attempt"]), (&json!(code), &json!(1)));
        let trace = place.cli(&["trace", &id]);
        assert_eq!((&trace["complete"], &trace["trace_id"]), (&json!(true), &task["trace_id"]), "{trace}");
        assert_eq!(place.begun(id.parse().expect("a number")), 1);
    }
    assert_eq!(place.cli(&["list"]).as_array().map(Vec::len), Some(2));
    // The same by one command that waits; and without a daemon the answers come from the database.
    let light = place.cli(&["newtask", "light", "for", "0", "0"])["task_id"].clone();
    assert_eq!(light, 3);
    let before = place.cli(&["list"]);
    assert_eq!(place.terminate().code(), Some(0));
    assert_eq!(place.cli(&["list"]), before);
    assert_eq!(place.run(&["approve", "3"]).status.code(), Some(20));
    place.assert_sound();
}

#[test]
fn approving_alone_never_starts_anything() {
    let mut place = Place::new("", "");
    place.start();
    let line = place.line();
    let id = line.done(&["newtask", "work", "for 0 0"])["task_id"].to_string();
    for _ in 0..3 {
        line.ask(&["approve", &id]);
    }
    // A restart finds nothing to start either; and what ran after it, ran without this one.
    place.kill();
    place.start();
    line.ask(&["approve", &id]);
    let other = place.let_run("work", "for 0 0");
    place.wait_for(other, "SUCCEEDED");
    assert_eq!(place.task(id.parse().expect("a number"))["state"], "APPROVED");
    assert!(place.ledger().iter().all(|entry| entry.task == other), "{:?}", place.ledger());
    assert_eq!(place.events_of("claimed").len(), 1);
    place.assert_sound();
}

#[test]
fn what_is_said_twice_is_done_once_and_is_on_record_as_a_replay() {
    let mut place = Place::new("", "");
    place.start();
    let line = place.line();
    let first = line.insist("ask", &["newtask", "work", "for 0 0"]);
    let id = first["data"]["task_id"].to_string();
    line.insist("approve", &["approve", &id]);
    line.insist("resume", &["resume", &id]);
    for restarted in [false, true] {
        if restarted {
            place.kill();
            place.start();
        }
        for (key, argv) in
            [("ask", &["newtask", "work", "for 0 0"][..]), ("approve", &["approve", &id]), ("resume", &["resume", &id])]
        {
            let again = line.insist(key, argv);
            assert_eq!((&again["ok"], &again["data"]["replayed"]), (&json!(true), &json!(true)), "{again}");
            assert_eq!(again["data"]["task_id"].to_string(), id);
        }
    }
    // Said anew it is another wish, and one that can't be fulfilled a second time.
    place.wait_for(1, "SUCCEEDED");
    line.ask(&["resume", &id]);
    assert_eq!(line.ask(&["list"])["data"].as_array().map(Vec::len), Some(1));
    assert_eq!((place.begun(1), place.events_of("claimed").len()), (1, 1));
    let replayed = place.events_of("replayed");
    assert_eq!(replayed.len(), 7);
    assert_eq!(replayed[6]["data"]["again"], "wish", "{}", replayed[6]);
    place.assert_sound();
}

#[test]
fn the_daemons_end_leaves_tasks_alone_and_the_next_one_takes_them_over() {
    let mut place = Place::new("", "");
    place.start();
    let running = place.let_run("work", "until go 3");
    let worker = place.wait_for_entry(running, "begin");
    let queued = place.line().done(&["newtask", "work", "for 0 0"])["task_id"].as_i64().expect("a number");
    assert_eq!(place.terminate().code(), Some(0));
    assert!(super::place::lives(worker));
    place.start();
    until("it is adopted", || Some(place.events_of("adopted")).filter(|events| events.len() == 1));
    assert!(super::place::lives(worker));
    assert_eq!(place.task(running)["attempt"], 1);
    place.release("go");
    assert_eq!(place.wait_for(running, "FAILED")["exit_code"], 3);
    assert_eq!(place.task(queued)["state"], "REQUESTED");
    assert_eq!(place.begun(running), 1);
    place.assert_sound();
}

#[test]
fn a_daemon_that_is_frozen_for_a_while_loses_nothing() {
    use rustix::process::{Signal, kill_process};
    let mut place = Place::new("", "");
    place.start();
    let line = place.line();
    let id = place.let_run("work", "until go 5");
    place.wait_for_entry(id, "begin");
    kill_process(place.pid(), Signal::STOP).expect("stop");
    // Meanwhile the task ends, and somebody asks for another.
    let asker = std::thread::spawn({
        let line = line.clone();
        move || line.insist("frozen", &["newtask", "work", "for 0 0"])
    });
    place.release("go");
    place.wait_for_entry(id, "end");
    until("its receipt", || place.path(&format!("state/attempts/{id}-1/receipt.json")).exists().then_some(()));
    kill_process(place.pid(), Signal::CONT).expect("continue");
    assert_eq!(place.wait_for(id, "FAILED")["exit_code"], 5);
    assert_eq!(asker.join().expect("the asker")["ok"], true);
    assert_eq!(line.ask(&["list"])["data"].as_array().map(Vec::len), Some(2));
    place.assert_sound();
}

/// Whoever else closes the database (a back-up, a shell) takes its log for left behind and removes it, with all that is
/// acknowledged later, unless the daemon holds a lock on the file; closing any descriptor of it would drop that.
#[test]
fn the_database_is_locked_for_as_long_as_it_is_in_use() {
    let mut place = Place::new("", "");
    place.start();
    place.terminate();
    // The file was there before this one.
    place.start();
    place.cli(&["newtask", "work", "for 0 0"]);
    let (locks, pid) = (fs::read_to_string("/proc/locks").expect("locks"), place.pid().as_raw_nonzero().to_string());
    let inode = fs::metadata(place.path("state/mainstay.db")).expect("it is there").ino().to_string();
    let is_it = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(1) == Some(&"POSIX")
            && words.get(4) == Some(&&*pid)
            && words.get(5).is_some_and(|file| file.ends_with(&format!(":{inode}")))
    };
    assert!(locks.lines().any(is_it), "no lock of {pid} on {inode}:\n{locks}");
}
