//! Back-ups: made while tasks run, whole and on record, or not there at all.

use super::place::{Place, binary, until};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

/// What a killed back-up leaves.
const UNFINISHED: &str = ".mainstay-backup.tmp";

impl Place {
    /// Starts the daemon and waits until it has a database.
    fn start_whole(&mut self) {
        self.start();
        self.line().done(&["list"]);
    }

    /// Everything in the folder of back-ups, by name.
    fn backups(&self) -> Vec<String> {
        names(&self.path("state/backups"))
    }

    /// `mainstay backup` that can't write more than 8 KiB into a file: its next write fails, or (`fatal`) kills it.
    fn backup_cut_off(&self, fatal: bool) -> Output {
        let trap = if fatal { "" } else { "trap '' XFSZ;" };
        let script = format!("{trap} ulimit -c 0; ulimit -f 16; exec \"$@\"");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, "sh"]).arg(binary()).arg("--config").arg(self.path("mainstay.toml")).arg("backup");
        command.output().expect("run the program")
    }

    /// Makes another place go on with a back-up of this one.
    fn restored(&self, backup: &str) -> Place {
        let other = Place::new("", "");
        DirBuilder::new().mode(0o700).create(other.path("state")).expect("make");
        fs::copy(backup, other.path("state/mainstay.db")).expect("put in place");
        other
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("list");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("plain names")).collect();
    names.sort();
    names
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_backup_made_while_tasks_run_is_one_that_a_daemon_goes_on_with() {
    let mut place = Place::new("", "");
    place.start_whole();
    let ended = place.let_run("work", "for 0 0");
    place.wait_for(ended, "SUCCEEDED");
    let running = place.let_run("work", "until go 0");
    place.wait_for_entry(running, "begin");
    let made = place.cli(&["backup"]);
    let file = made["file"].as_str().expect("a path").to_owned();
    assert_eq!(made["recorded"], true, "{made}");
    assert_eq!(fs::metadata(&file).expect("there").mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(place.path("state/backups")).expect("there").mode() & 0o777, 0o700);
    let told = place.events_of("backed_up");
    assert_eq!(told.len(), 1);
    for field in ["file", "bytes", "events"] {
        assert_eq!(told[0]["data"][field], made[field], "{field}: {}", told[0]);
    }
    assert_eq!(made["bytes"].as_u64(), fs::metadata(&file).ok().map(|metadata| metadata.len()));

    let mut other = place.restored(&file);
    let fingerprint = made["fingerprint"].as_str().expect("a fingerprint");
    let verified = other.cli(&["verify-log", "--known", fingerprint]);
    assert_eq!(verified["events"], made["events"]);
    assert_eq!(other.cli(&["list"]), place.cli(&["list"]));
    // As long as its shim lives, on the same machine and boot, the task would be found again.
    place.release("go");
    place.wait_for(running, "SUCCEEDED");
    place.terminate();
    other.start_whole();
    assert_eq!(other.task(ended)["state"], "SUCCEEDED");
    assert_eq!(other.wait_for(running, "FAILED")["outcome"], "unknown", "its attempt is not there");
    let next = other.let_run("work", "for 0 0");
    other.wait_for(next, "SUCCEEDED");
    other.assert_sound();
    place.assert_sound();
}

#[test]
fn a_backup_without_a_daemon_says_that_it_is_not_on_record() {
    let mut place = Place::new("", "");
    let none = place.run(&["backup"]);
    assert!(none.status.code() == Some(20) && said(&none).contains("there is no database in "), "{}", said(&none));
    for cleanly in [true, false] {
        place.start_whole();
        let id = place.let_run("work", "for 0 0");
        place.wait_for(id, "SUCCEEDED");
        if cleanly {
            assert!(place.terminate().success())
        } else {
            place.kill()
        }
        let output = place.run(&["backup", "--json"]);
        assert!(output.status.success() && said(&output).contains("not on record"), "{}", said(&output));
        let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(made["recorded"], false);
        let other = place.restored(made["file"].as_str().expect("a path"));
        assert_eq!(other.cli(&["status", &id.to_string()])["state"], "SUCCEEDED", "{cleanly}");
        assert_eq!(other.events(), place.events());
    }
    assert_eq!(place.events_of("backed_up").len(), 0);
}

/// What others can write to is no place for root: a link there would have it write elsewhere.
#[test]
fn root_makes_a_backup_with_no_more_than_the_rights_of_whose_state_it_is() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: this needs root");
        return;
    }
    let (owner, other) = (65_533, 65_532);
    let mut place = Place::new("", "");
    place.start_whole();
    place.terminate();
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).expect("chmod");
    give(&place.path("state"), owner);
    let made = place.cli(&["backup"]);
    let file = fs::metadata(made["file"].as_str().expect("a path")).expect("there");
    assert_eq!((file.uid(), file.mode() & 0o777), (owner, 0o600));
    let folder = fs::metadata(place.path("state/backups")).expect("there");
    assert_eq!((folder.uid(), folder.mode() & 0o777), (owner, 0o700));
    for (name, whose, code) in [("somebodys", other, Some(1)), ("theirs", owner, Some(0)), ("roots", 0, Some(0))] {
        let folder = place.path(name);
        DirBuilder::new().mode(0o700).create(&folder).expect("make");
        give(&folder, whose);
        let output = place.run(&["backup", "--to", folder.to_str().expect("a plain path")]);
        assert_eq!(output.status.code(), code, "{name}: {}", said(&output));
        let made = names(&folder);
        assert_eq!(made.len(), usize::from(code == Some(0)), "{name}");
        assert!(
            made.iter().all(|file| fs::metadata(folder.join(file)).is_ok_and(|file| file.uid() == whose)),
            "{name}"
        );
    }
}

fn give(path: &Path, to: u32) {
    chown(path, Some(to), Some(to)).expect("chown");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("list") {
            give(&entry.expect("an entry").path(), to);
        }
    }
}

#[test]
fn the_oldest_backups_make_room_and_foreign_files_stay() {
    let mut place = Place::new("", "");
    place.start_whole();
    let folder = place.path("elsewhere");
    let to = folder.to_str().expect("a plain path");
    let missing = place.run(&["backup", "--to", to]);
    assert!(missing.status.code() == Some(1) && !folder.exists(), "a folder may be a disk that is not mounted");
    assert_eq!(place.events_of("backup_failed").len(), 1);

    let foreign = ["mainstay-20200101T000000Z-1.db.gz", "mainstay-before-upgrade.db", "mainstay.db", "notes"];
    let old = ["mainstay-20200101T000000Z-1.db", "mainstay-20210101T000000Z-7.db", "mainstay-20220101T000000Z-9.db"];
    fs::create_dir(&folder).expect("make");
    for name in foreign.iter().chain(&old) {
        fs::write(folder.join(name), "as it was").expect("write");
    }
    // What only has the name of a back-up.
    fs::create_dir(folder.join("mainstay-20190101T000000Z-1.db")).expect("make");
    std::os::unix::fs::symlink("notes", folder.join("mainstay-20180101T000000Z-1.db")).expect("link");
    let made = place.cli(&["backup", "--to", to, "--keep", "2"]);
    assert_eq!(made["removed"], serde_json::json!(old[..2]));
    let made = made["file"].as_str().and_then(|file| file.strip_prefix(&format!("{to}/"))).expect("it is there");
    let mut expected = vec!["mainstay-20180101T000000Z-1.db", "mainstay-20190101T000000Z-1.db", old[2], made];
    expected.extend(foreign);
    expected.sort_unstable();
    assert_eq!(names(&folder), expected);
    for name in foreign {
        assert_eq!(fs::read_to_string(folder.join(name)).expect("there"), "as it was");
    }
    assert_eq!(place.run(&["backup", "--keep", "0"]).status.code(), Some(2));
    place.assert_sound();
}

#[test]
fn a_backup_killed_in_the_middle_leaves_none_and_the_next_one_tidies_up() {
    let mut place = Place::new("", "");
    place.start_whole();
    let before = place.cli(&["backup"]);
    let killed = place.backup_cut_off(true);
    assert_eq!(killed.status.code(), None::<i32>, "killed, by the signal of the limit: {:?}", killed.status);
    let left = place.path("state/backups").join(UNFINISHED);
    assert!(fs::metadata(&left).is_ok_and(|left| left.len() > 0), "in the middle: {:?}", place.backups());
    assert_eq!(place.backups().iter().filter(|name| name.ends_with(".db")).count(), 1);
    let after = place.cli(&["backup"]);
    assert!(place.backups().len() == 2 && !left.exists(), "{:?}", place.backups());
    // Killed later, while it was being read back.
    fs::copy(before["file"].as_str().expect("a path"), &left).expect("leave it");
    let last = place.cli(&["backup"]);
    assert!(place.backups().len() == 3 && !left.exists(), "{:?}", place.backups());
    for made in [before, after, last] {
        let other = place.restored(made["file"].as_str().expect("a path"));
        other.cli(&["verify-log"]);
    }
    assert_eq!((place.events_of("backed_up").len(), place.events_of("backup_failed").len()), (3, 0));
}

#[test]
fn a_backup_whose_writing_fails_is_none_and_on_record() {
    let mut place = Place::new("", "");
    place.start_whole();
    place.cli(&["backup"]);
    let there = place.backups();
    let failed = place.backup_cut_off(false);
    assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
    assert_eq!(place.backups(), there);
    let told = place.events_of("backup_failed");
    let why = told.first().and_then(|event| event["data"]["error"].as_str()).expect("it is on record");
    assert!(said(&failed).contains(why), "{why}: {}", said(&failed));
    place.assert_sound();
}

#[test]
fn a_damaged_database_is_not_backed_up_and_the_backups_before_stay() {
    let mut place = Place::new("", "");
    place.start_whole();
    for _ in 0..20 {
        place.line().done(&["newtask", "work", &"x".repeat(3_000)]);
    }
    place.cli(&["backup"]);
    place.terminate();
    let there = place.backups();
    let path = place.path("state/mainstay.db");
    let whole = fs::read(&path).expect("read");
    let refused = |what: &str| {
        let output = place.run(&["backup", "--keep", "1"]);
        assert_eq!(output.status.code(), Some(17), "{what}: {}", said(&output));
        assert!(said(&output).contains("damaged"), "{what}: {}", said(&output));
        assert_eq!(place.backups(), there, "{what}");
        fs::write(&path, &whole).expect("as it was");
    };
    let db = rusqlite::Connection::open(&path).expect("open");
    db.execute_batch("DROP TRIGGER events_are_not_changed; UPDATE events SET actor = 'tg:99' WHERE seq = 4")
        .expect("sql");
    drop(db);
    refused("an altered event");
    let mut bytes = whole.clone();
    let pages = 20 * 4_096..bytes.len();
    bytes[pages].fill(0x5a);
    fs::write(&path, bytes).expect("write");
    refused("overwritten pages");
    fs::write(&path, &whole[..whole.len() / 2]).expect("write");
    refused("cut in half");
    fs::write(&path, "dear diary, today I was not a database. ".repeat(100)).expect("write");
    refused("something else");
    assert!(place.run(&["backup", "--keep", "1"]).status.success());
    assert_eq!(place.backups().len(), 1);
}

#[test]
fn a_second_backup_at_the_same_time_says_so_and_is_no_failure_on_record() {
    let mut place = Place::new("", "");
    place.start_whole();
    place.cli(&["backup"]);
    let first = File::create(place.path("state/backups").join(UNFINISHED)).expect("make");
    flock(&first, FlockOperation::LockExclusive).expect("lock");
    let second = place.run(&["backup"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains("another back-up is being written"), "{}", said(&second));
    drop(first);
    place.cli(&["backup"]);
    assert_eq!((place.events_of("backed_up").len(), place.events_of("backup_failed").len()), (2, 0));
}

#[test]
fn a_task_makes_no_backup_count() {
    let kind = format!(
        r#"
[[kind]]
name = "sly"
heavy = false
argv = ["/bin/sh", "-c", '''{program} --config {{dir}}/mainstay.toml backup > {{dir}}/said 2>&1; echo $? > {{dir}}/code''']
"#,
        program = binary().display()
    );
    let mut place = Place::new("autonomy = \"auto\"", &kind);
    place.start_whole();
    let id = place.line().done(&["newtask", "sly", "x"])["task_id"].as_i64().expect("a task");
    place.wait_for(id, "SUCCEEDED");
    let text = until("it has tried", || fs::read_to_string(place.path("said")).ok());
    assert!(text.contains("not on record") && text.contains("from inside a task"), "{text}");
    assert_eq!(fs::read_to_string(place.path("code")).expect("it ended").trim(), "1");
    assert_eq!((place.backups().len(), place.events_of("backed_up").len()), (1, 0));
    place.assert_sound();
}
