//! A back-up is put back with the real program: nothing runs by itself afterwards, and nothing is lost on the way.

use super::place::{Place, until};
use serde_json::Value;
use std::fs;
use std::process::Output;

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

impl Place {
    /// A back-up made now: its path.
    fn back_up(&self) -> String {
        // It has made its database by then.
        self.cli(&["ops"]);
        self.cli(&["backup"])["file"].as_str().expect("a path").to_owned()
    }

    /// Files in the state directory whose names begin so.
    fn state_files(&self, begin: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path("state")).expect("list");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("plain names"));
        let mut names: Vec<String> = names.filter(|name| name.starts_with(begin)).collect();
        names.sort();
        names
    }

    fn why(&self, id: i64) -> String {
        self.line().ask(&["why", &id.to_string()])["text"].as_str().expect("a text").to_owned()
    }
}

#[test]
fn a_task_that_ran_after_the_back_up_does_not_run_again_by_itself() {
    let mut place = Place::new("running_max = 1", "");
    place.start();
    let first = place.let_run("work", "until go 0");
    place.wait_for_entry(first, "begin");
    let queued = place.let_run("work", "for 0 0");
    let backup = place.back_up();
    place.release("go");
    place.wait_for(queued, "SUCCEEDED");
    let later = place.let_run("work", "for 0 7");
    place.wait_for(later, "FAILED");

    let refused = place.run(&["restore", &backup, "--yes"]);
    assert_eq!(refused.status.code(), Some(13), "{}", said(&refused));
    assert!(said(&refused).contains("stop it first"), "{}", said(&refused));
    assert!(place.terminate().success());
    let events = place.events().len();

    // Without --yes it only says what would be.
    let told = place.run(&["restore", &backup]);
    assert_eq!(told.status.code(), Some(1), "{}", said(&told));
    assert!(
        said(&told).contains("1 task(s) waited then") && said(&told).contains("nothing was changed"),
        "{}",
        said(&told)
    );
    assert_eq!((place.events().len(), place.state_files("mainstay.before-restore").len()), (events, 0));

    let done = place.cli(&["restore", &backup, "--yes"]);
    assert_eq!(
        (done["done"].as_bool(), done["waiting"].as_i64(), done["running"].as_i64()),
        (Some(true), Some(1), Some(1))
    );
    assert_eq!(done["replaced_events"].as_u64(), u64::try_from(events).ok());
    place.start();
    assert_eq!(place.wait_for(first, "SUCCEEDED")["exit_code"], 0, "by its receipt");
    assert_eq!(place.task(queued)["state"], "CANCELED");
    assert!(place.why(queued).contains("it may have run since the back-up"), "{}", place.why(queued));
    assert_eq!(place.run(&["status", &later.to_string()]).status.code(), Some(1), "it came later");
    // Somebody says so: it runs, as another attempt than that of then.
    let id = queued.to_string();
    for command in ["recover", "approve", "resume"] {
        place.line().done(&[command, &id]);
    }
    place.wait_for(queued, "SUCCEEDED");
    assert_eq!((place.begun(first), place.begun(queued)), (1, 2));
    // Its number was given: the next task has another.
    let next = place.let_run("work", "for 0 0");
    assert!(next > later, "{next}");
    place.wait_for(next, "SUCCEEDED");
    assert_eq!(place.events_of("restored").len(), 1);
    place.cli(&["verify-log"]);
    place.assert_sound();

    // The way back: what was set aside is a database like any other, of the same beginning.
    assert!(place.terminate().success());
    let aside = done["set_aside"].as_str().expect("a path").to_owned();
    let back = place.cli(&["restore", &aside, "--yes"]);
    assert_eq!(back["events"].as_u64(), u64::try_from(events).ok());
    place.start();
    assert_eq!(place.task(later)["exit_code"], 7);
    place.assert_sound();
}

#[test]
fn what_is_no_back_up_or_of_another_record_is_refused_and_nothing_is_changed() {
    let mut place = Place::new("", "");
    place.start();
    let backup = place.back_up();
    assert!(place.terminate().success());
    let mut other = Place::new("", "");
    other.start();
    let foreign = other.back_up();
    assert!(other.terminate().success());
    let whole = fs::read(&backup).expect("read");
    let cut = place.path("cut.db");
    fs::write(&cut, &whole[..whole.len() / 2]).expect("write");
    let newer = place.path("newer.db");
    fs::write(&newer, &whole).expect("write");
    let sql = "UPDATE meta SET value = '99' WHERE key IN ('min_writer', 'min_reader'); PRAGMA user_version = 99";
    rusqlite::Connection::open(&newer).and_then(|db| db.execute_batch(sql)).expect("newer");
    let altered = place.path("altered.db");
    fs::write(&altered, &whole).expect("write");
    let sql = "DROP TRIGGER events_are_not_changed; UPDATE events SET at = at + 1 WHERE seq = 1";
    rusqlite::Connection::open(&altered).and_then(|db| db.execute_batch(sql)).expect("altered");
    let text = place.path("worker");
    let shown = |path: &std::path::Path| path.display().to_string();
    let before = fs::read(place.path("state/mainstay.db")).expect("read");
    for (file, code, words) in [
        ("/nowhere/x.db".to_owned(), 1, "there is no back-up"),
        (shown(&text), 17, "take another back-up"),
        (shown(&cut), 17, "take another back-up"),
        (shown(&newer), 16, "newer version"),
        (foreign.clone(), 1, "of another record"),
        (shown(&altered), 17, "take another back-up"),
    ] {
        let refused = place.run(&["restore", &file, "--yes"]);
        assert_eq!(refused.status.code(), Some(code), "{file}: {}", said(&refused));
        assert!(said(&refused).contains(words), "{file}: {}", said(&refused));
        assert_eq!(fs::read(place.path("state/mainstay.db")).expect("read"), before, "{file}");
        assert_eq!(place.state_files("mainstay.before-restore"), Vec::<String>::new(), "{file}");
    }
    let done = place.cli(&["restore", &foreign, "--another-record", "--yes"]);
    assert_eq!(done["replaced_events"], Value::Null);
    place.start();
    until("it is taken up", || (place.events_of("restored").len() == 1).then_some(()));
}

#[test]
fn a_damaged_or_missing_database_is_replaced_and_the_damaged_one_kept() {
    let mut place = Place::new("", "");
    place.start();
    let id = place.let_run("work", "for 0 0");
    place.wait_for(id, "SUCCEEDED");
    let backup = place.back_up();
    assert!(place.terminate().success());
    let path = place.path("state/mainstay.db");
    fs::write(&path, "dear diary, today I was not a database. ".repeat(100)).expect("damaged");
    let done = place.cli(&["restore", &backup, "--yes"]);
    assert!(done["remark"].as_str().expect("a remark").contains("can't be read"), "{done}");
    assert!(fs::read_to_string(done["set_aside"].as_str().expect("a path")).expect("kept").starts_with("dear diary"));
    place.start();
    assert_eq!(place.task(id)["state"], "SUCCEEDED");
    assert!(place.terminate().success());
    fs::remove_file(&path).expect("lost");
    let done = place.cli(&["restore", &backup, "--yes"]);
    assert_eq!(done["remark"], Value::Null);
    place.start();
    assert_eq!(place.task(id)["state"], "SUCCEEDED");
    place.assert_sound();
}

#[test]
fn a_restore_that_was_cut_off_keeps_daemons_away_until_it_is_given_again() {
    let mut place = Place::new("", "");
    place.start();
    let id = place.let_run("work", "for 0 0");
    place.wait_for(id, "SUCCEEDED");
    let backup = place.back_up();
    let lost = place.let_run("work", "for 0 0");
    place.wait_for(lost, "SUCCEEDED");
    // With a log beside it, which must not be parted from it.
    place.kill();
    let state = place.path("state");
    let aside = "mainstay.before-restore-20200101T000000Z.db";
    fs::write(state.join("restore-under-way"), aside).expect("as it is written");
    fs::rename(state.join("mainstay.db"), state.join(aside)).expect("the first move");
    place.launch();
    assert_eq!(place.ended().code(), Some(17));
    let log = fs::read_to_string(place.path("daemon.log")).expect("a log");
    assert!(log.contains("a restore of") && log.contains("was cut off"), "{log}");
    let done = place.cli(&["restore", &backup, "--yes"]);
    assert!(done["set_aside"].as_str().expect("a path").ends_with(aside), "{done}");
    assert!(state.join(format!("{aside}-wal")).exists(), "its log is beside it");
    assert!(!state.join("restore-under-way").exists());
    place.start();
    let next = place.let_run("work", "for 0 0");
    assert!(next > lost, "what the old one knew was carried over all the same");
    place.wait_for(next, "SUCCEEDED");
    place.assert_sound();
}
