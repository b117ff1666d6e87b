//! What the daemon refuses to start with: a clear message, an exit code of its own, and nothing changed on disk.

use super::place::Place;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Everything below a folder: path and content. Left out are the lock's content, which names whoever took it last, and
/// SQLite's index of the WAL, which is shared memory under a file's name and is made anew by whoever looks.
fn everything(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("list").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        let name = path.display().to_string();
        if name.ends_with("-shm") {
            continue;
        }
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            all.insert(name, Vec::new());
            all.extend(everything(&path));
        } else if kind.is_file() {
            let content = if entry.file_name() == "lock" { Vec::new() } else { fs::read(&path).expect("read") };
            all.insert(name, content);
        } else {
            all.insert(name, b"special".to_vec());
        }
    }
    all
}

impl Place {
    /// Starts the daemon, which must refuse with this code; what it said.
    fn refused(&mut self, code: i32) -> String {
        let before = fs::read_to_string(self.path("daemon.log")).unwrap_or_default();
        self.launch();
        let status = self.ended();
        let log = fs::read_to_string(self.path("daemon.log")).expect("read");
        let said = log[before.len()..].to_owned();
        assert_eq!(status.code(), Some(code), "{said}");
        assert!(said.lines().any(|line| line.starts_with("mainstay: ")), "it says why: {said}");
        said
    }

    /// The same, and the state directory is as it was.
    fn refused_unchanged(&mut self, code: i32) -> String {
        let before = everything(&self.path("state"));
        let said = self.refused(code);
        let after = everything(&self.path("state"));
        let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "{said}");
        for (name, content) in &before {
            assert!(after[name] == *content, "{name} was changed: {said}");
        }
        said
    }

    /// A daemon has run here, with tasks of all sorts, and is gone: cleanly, or not.
    fn used(&mut self, cleanly: bool) {
        self.start();
        for n in 0..6 {
            let id = self.let_run("work", &format!("for 0 {}", n % 2));
            self.wait_for(id, if n % 2 == 0 { "SUCCEEDED" } else { "FAILED" });
        }
        self.line().done(&["newtask", "work", "needle in the haystack"]);
        if cleanly {
            assert_eq!(self.terminate().code(), Some(0));
        } else {
            self.kill();
        }
    }

    /// What is answered from the database.
    fn told(&self) -> Vec<serde_json::Value> {
        [&["list"][..], &["status", "2"], &["trace", "2"], &["log", "2"]].iter().map(|args| self.cli(args)).collect()
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path("state/mainstay.db")).expect("open the database")
    }
}

/// The least that a configuration needs.
const ONE_KIND: &str = "[[kind]]\nname = \"k\"\nargv = [\"true\"]\n";
const ONE_PERSON: &str = "[[operator]]\nid = 1\nname = \"a\"\nroles = [\"admin\"]\n";

#[test]
fn configurations_that_can_not_be_meant_are_refused_before_anything_is_made() {
    let telegram = "[telegram]\ntoken_file = \"token\"\n";
    for (config, code, said) in [
        ("this is not toml", 10, "mainstay.toml:1"),
        ("stat_dir = \"x\"\n", 10, "state_dir"),
        ("[[operator]]\nid = 1\nname = \"a\"\nrole = [\"admin\"]\n", 10, "roles"),
        ("running_max = 0\n", 10, "running_max"),
        (ONE_KIND, 12, "operator"),
        (&format!("operator = []\n{ONE_KIND}"), 12, "operator"),
        (&format!("{telegram}{ONE_PERSON}{ONE_KIND}"), 11, "token"),
    ] {
        let mut place = Place::bare(config);
        let text = place.refused(code);
        assert!(text.contains(said), "{config}: {text}");
        assert!(!place.path("state").exists(), "{config}");
        let check = place.run(&["check"]);
        assert_eq!(check.status.code(), Some(code), "`check` says the same");
    }
}

#[test]
fn tokens_that_are_none_are_refused_before_anything_is_made() {
    let config = format!("[telegram]\ntoken_file = \"token\"\n{ONE_PERSON}{ONE_KIND}");
    let mut place = Place::bare(&config);
    for content in [&b""[..], b"secretsecretsecretsecret", b"12:short", b"12:spaces in the secret part", b"\xff\xfe"] {
        fs::write(place.path("token"), content).expect("write");
        let text = place.refused(11);
        assert!(!text.contains("secretsecret"), "{text}");
        assert!(!place.path("state").exists());
    }
    fs::remove_file(place.path("token")).expect("remove");
    fs::create_dir(place.path("token")).expect("make");
    place.refused(11);
}

#[test]
fn a_second_daemon_is_refused_and_the_first_one_is_not_harmed() {
    let mut place = Place::new("", "");
    place.start();
    let id = place.let_run("work", "until go 0");
    place.wait_for_entry(id, "begin");
    for _ in 0..3 {
        let second = place.run(&["run"]);
        assert_eq!(second.status.code(), Some(13));
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(said.contains(&place.pid().as_raw_nonzero().to_string()), "it names the first: {said}");
    }
    assert_eq!(place.task(id)["state"], "RUNNING");
    place.release("go");
    place.wait_for(id, "SUCCEEDED");
    assert_eq!((place.begun(id), place.events_of("booted").len()), (1, 1));
    place.assert_sound();
}

#[test]
fn of_many_daemons_started_at_once_one_runs() {
    let mut place = Place::new("", "");
    for _ in 0..3 {
        let mut started: Vec<_> = (0..6).map(|_| place.command(&["run"]).spawn().expect("spawn")).collect();
        let mut codes = Vec::new();
        super::place::until("all but one have ended", || {
            started.retain_mut(|daemon| match daemon.try_wait().expect("look") {
                Some(status) => {
                    codes.push(status.code());
                    false
                }
                None => true,
            });
            (started.len() <= 1).then_some(())
        });
        assert_eq!(codes, [Some(13); 5]);
        assert_eq!(place.line().ask(&["list"])["ok"], true);
        let mut last = started.pop().expect("one runs");
        last.kill().expect("kill");
        last.wait().expect("wait");
    }
    place.start();
    place.line().ask(&["list"]);
    assert_eq!(place.events_of("booted").len(), 4);
    place.assert_sound();
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let newer = "UPDATE meta SET value = '99' WHERE key IN ('min_writer', 'min_reader'); PRAGMA user_version = 99";
    for closed in [true, false] {
        let mut place = Place::new("", "");
        place.used(closed);
        let state = place.path("state");
        let files = ["mainstay.db", "mainstay.db-wal"];
        let db = place.database();
        db.execute_batch("PRAGMA wal_autocheckpoint = 0").expect("as the daemon does");
        db.execute_batch(newer).expect("become newer");
        let killed: Vec<Vec<u8>> = files.iter().map(|name| fs::read(state.join(name)).expect("read")).collect();
        drop(db);
        if !closed {
            // The newer daemon was killed: what it wrote last stands in its log only.
            assert!(!killed[1].is_empty());
            for (name, content) in files.iter().zip(killed) {
                fs::write(state.join(name), content).expect("write");
            }
        }
        let said = place.refused_unchanged(16);
        assert!(said.contains("99"), "{said}");
        assert_eq!(place.run(&["check"]).status.code(), Some(16));
    }
}

#[test]
fn a_database_of_an_older_version_is_looked_at_without_a_change_and_brought_up_to_date_by_the_next_start() {
    let mut place = Place::new("", "");
    place.used(true);
    let path = place.path("state/mainstay.db");
    let now = place.told();
    let events = place.events();
    crate::core::store::as_of_schema_1(&path);
    for daemon_of_then in [false, true] {
        // As a daemon of then has it open, with a log beside it.
        let db = daemon_of_then.then(|| place.database());
        if let Some(db) = &db {
            db.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x); DROP TABLE t",
            )
            .expect("write");
        }
        let before = (fs::read(&path).expect("read"), fs::read(path.with_extension("db-wal")).ok());
        assert_eq!((place.told(), place.events()), (now.clone(), events.clone()));
        assert!(place.run(&["ops"]).status.code().is_some_and(|code| code <= 2));
        let check = place.cli(&["check"]);
        assert!(check.to_string().contains("the next start brings it up to date"), "{check}");
        assert_eq!((fs::read(&path).expect("read"), fs::read(path.with_extension("db-wal")).ok()), before);
    }
    place.start();
    assert_eq!(place.line().ask(&["list"])["data"].as_array().map(Vec::len), Some(7));
    assert!(!place.cli(&["check"]).to_string().contains("older version"));
    place.assert_sound();
}

#[test]
fn a_damaged_database_is_left_alone() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 6] = [
        ("cut in half", |bytes| bytes.truncate(bytes.len() / 2)),
        ("cut in a page", |bytes| bytes.truncate(5_000)),
        ("garbage in its header", |bytes| bytes[..64].fill(0xa5)),
        ("empty", Vec::clear),
        ("something else", |bytes| *bytes = b"this is a letter to my grandmother\n".repeat(500)),
        ("a changed event", |bytes| {
            let needle = b"needle in the haystack";
            let places: Vec<usize> =
                (0..bytes.len() - needle.len()).filter(|at| bytes[*at..].starts_with(needle)).collect();
            assert!(!places.is_empty(), "the prompt is on record");
            places.iter().for_each(|at| bytes[*at] = b'N');
        }),
    ];
    let mut place = Place::new("", "");
    place.used(true);
    let path = place.path("state/mainstay.db");
    let whole = fs::read(&path).expect("read");
    for (name, damage) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&path, &bytes).expect("write");
        eprintln!("{name}");
        place.refused_unchanged(17);
        assert_eq!(place.run(&["check"]).status.code(), Some(17), "{name}");
    }
    // Put back, all is well again.
    fs::write(&path, &whole).expect("write");
    place.start();
    assert_eq!(place.line().ask(&["list"])["data"].as_array().map(Vec::len), Some(7));
    place.assert_sound();
}

#[test]
fn a_database_that_is_gone_while_its_attempts_are_there_is_not_begun_anew() {
    for closed in [true, false] {
        let mut place = Place::new("", "");
        place.used(closed);
        fs::remove_file(place.path("state/mainstay.db")).expect("remove");
        let said = place.refused_unchanged(17);
        assert!(said.contains(if closed { "attempts" } else { "log" }), "{said}");
        // Whoever wants to begin anew says so by clearing the rest away.
        fs::remove_dir_all(place.path("state")).expect("remove");
        place.start();
        assert_eq!(place.line().ask(&["list"])["data"], serde_json::json!([]));
    }
}

#[test]
fn a_daemon_whose_lock_was_taken_away_ends_without_harm_to_the_one_that_took_over() {
    let mut first = Place::new("", "");
    first.start();
    let id = first.let_run("work", "until go 0");
    first.wait_for_entry(id, "begin");
    fs::remove_file(first.path("state/lock")).expect("remove");
    let mut second = first.command(&["run"]).spawn().expect("spawn");
    super::place::until("the second took over", || {
        (first.events_of("booted").len() == 2 && !first.events_of("adopted").is_empty()).then_some(())
    });
    // Both see the end; the first may not write it.
    first.release("go");
    assert_eq!(first.ended().code(), Some(18));
    let task = first.wait_for(id, "SUCCEEDED");
    assert_eq!((task["attempt"].as_i64(), first.begun(id), first.events_of("ended").len()), (Some(1), 1, 1));
    second.kill().expect("kill");
    second.wait().expect("wait");
    first.assert_sound();
}

#[test]
fn after_a_restored_backup_a_task_never_takes_anothers_receipt_for_its_own() {
    let mut place = Place::new("", "");
    place.used(true);
    let backup = fs::read(place.path("state/mainstay.db")).expect("read");
    place.start();
    let lost = place.let_run("work", "for 0 0");
    place.wait_for(lost, "SUCCEEDED");
    place.terminate();
    fs::write(place.path("state/mainstay.db"), backup).expect("write");
    place.start();
    // The same number, and another task: it runs, or it is said not to have run.
    let id = place.let_run("work", "for 0 3");
    assert_eq!(id, lost);
    let task = super::place::until("its end", || {
        Some(place.task(id)).filter(|task| matches!(task["state"].as_str(), Some("SUCCEEDED" | "FAILED")))
    });
    let ran = place.begun(id) == 2;
    assert_eq!((&task["state"], ran), (&serde_json::json!("FAILED"), task["exit_code"] == 3), "{task}");
    place.line().done(&["recover", &id.to_string()]);
    place.line().done(&["approve", &id.to_string()]);
    place.line().done(&["resume", &id.to_string()]);
    super::place::until("it has run", || (place.task(id)["exit_code"] == 3).then_some(()));
    assert_eq!(place.begun(id), 2);
}
