//! How often the disk is waited for: in one task's life, in many at once, and when there is nothing to do. Counted by
//! `strace` from outside; where there is none, or it may not, the test says so and checks nothing.

use super::phone::{BOT, Phone};
use super::place::{PATIENCE, Place, until};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// Ends at once, so that nothing but the task's life is counted.
const NOTHING: &str = "\n[[kind]]\nname = \"nothing\"\nheavy = false\nargv = [\"/bin/true\"]\n";

/// Looks on at a daemon and all that it starts.
struct Onlooker {
    strace: Child,
    /// Not in the place: whoever names that is counted among its processes.
    file: tempfile::NamedTempFile,
}

impl Onlooker {
    fn of(place: &Place) -> Option<Onlooker> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let pid = place.pid().as_raw_nonzero().to_string();
        let spawned = Command::new("strace")
            .args(["-f", "-y", "-e", "trace=fsync,fdatasync,sync_file_range,sync,syncfs", "-p", &pid, "-o"])
            .arg(file.path())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut strace = match spawned {
            Ok(strace) => strace,
            Err(error) => {
                eprintln!("skipped: there is no strace: {error}");
                return None;
            }
        };
        let mut line = String::new();
        let mut said = BufReader::new(strace.stderr.take().expect("piped"));
        let _ = said.read_line(&mut line);
        if !line.contains("attached") {
            eprintln!("skipped: strace may not look on: {line}");
            let _ = strace.kill();
            let _ = strace.wait();
            return None;
        }
        // It says more, of each child; nobody needs to read it, and nothing may block on it.
        std::thread::spawn(move || drop(std::io::copy(&mut said, &mut std::io::sink())));
        Some(Onlooker { strace, file })
    }

    /// Syncs so far: of the database, and of everything else.
    fn count(&self) -> (usize, usize) {
        let text = fs::read_to_string(self.file.path()).unwrap_or_default();
        let mut syncs: BTreeMap<bool, usize> = BTreeMap::new();
        for line in text.lines().filter(|line| line.contains("sync") && !line.contains("resumed>")) {
            *syncs.entry(line.contains("mainstay.db")).or_default() += 1;
        }
        (syncs.get(&true).copied().unwrap_or(0), syncs.get(&false).copied().unwrap_or(0))
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        // It lets go of everybody when it ends.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// Waits until nothing of the tasks is left: then every sync of theirs is counted.
fn settled(place: &Place, succeeded: usize) {
    until("all have succeeded", || {
        let all = place.line().ask(&["list", "1000", "succeeded"])["data"].as_array()?.len();
        (all == succeeded && place.processes().is_empty()).then_some(())
    });
}

#[test]
fn a_tasks_life_waits_for_the_disk_a_known_number_of_times_and_many_share() {
    let mut place = Place::new("autonomy = \"auto\"", NOTHING);
    place.start();
    place.line().done(&["newtask", "nothing"]);
    settled(&place, 1);
    let Some(onlooker) = Onlooker::of(&place) else { return };

    // One alone: asked for and claimed in one commit, identified, ended. Its shim: receipt, its folder, the attempts.
    let before = onlooker.count();
    place.line().done(&["newtask", "nothing"]);
    settled(&place, 2);
    let after = onlooker.count();
    let (database, rest) = (after.0 - before.0, after.1 - before.1);
    println!("one alone: {database} syncs of the database, {rest} of its receipt");
    assert!(database <= 3, "{database} syncs of the database in one task's life");
    assert!(rest <= 3, "{rest} syncs beside the database in one task's life");

    // By all gates: ask, approve, resume each have their own, because each is answered.
    let before = onlooker.count();
    let id = place.let_run("work", "for 0 0");
    place.wait_for(id, "SUCCEEDED");
    settled(&place, 3);
    let after = onlooker.count();
    let (database, rest) = (after.0 - before.0, after.1 - before.1);
    println!("by all gates: {database} syncs of the database, {rest} of its receipt");
    assert!(database <= 5 && rest <= 3, "{database} and {rest} syncs in one heavy task's life");

    // Many at once.
    let before = onlooker.count();
    let mut stream = place.line().connect().expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let requests: String = (0..32)
        .map(|n| format!("{}\n", json!({ "v": 1, "key": format!("many-{n}"), "argv": ["newtask", "nothing"] })))
        .collect();
    stream.write_all(requests.as_bytes()).expect("write");
    let answers =
        BufReader::new(stream).lines().take(32).filter(|line| line.as_ref().is_ok_and(|l| l.contains("task_id")));
    assert_eq!(answers.count(), 32);
    settled(&place, 35);
    let after = onlooker.count();
    let (database, rest) = (after.0 - before.0, after.1 - before.1);
    println!("32 at once: {database} syncs of the database, {rest} of their receipts");
    assert!(database <= 32, "{database} syncs of the database for 32 tasks at once");
    assert!(rest <= 96, "{rest} syncs of receipts for 32 tasks at once");
    drop(onlooker);
    place.assert_sound();
}

#[test]
fn with_nothing_to_do_the_disk_is_left_alone() {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    phone.say("/whoami");
    phone.wait_for("ana");
    let polls = || {
        let world = phone.server.world();
        world
            .log()
            .iter()
            .filter(|record| record.bot == Some(BOT) && record.method.eq_ignore_ascii_case("getUpdates"))
            .count()
    };
    let answered = polls();
    until("all is sent and put down", || (polls() > answered + 1).then_some(()));
    let Some(onlooker) = Onlooker::of(&place) else { return };
    let begun = polls();
    until("some long polls have come back empty", || (polls() >= begun + 3).then_some(()));
    assert_eq!(onlooker.count(), (0, 0));
    drop(onlooker);
    place.assert_sound();
}
