//! A full disk and a read-only one. They need a file system of their own, hence a machine that lets this user mount one.

use super::place::{Place, until};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A mounted file system, gone when this goes.
struct Mounted(PathBuf);

impl Mounted {
    /// A small one of its own; none where this user can't mount.
    fn small(at: &Path, mib: u32) -> Option<Mounted> {
        fs::create_dir_all(at).expect("make");
        let options = std::ffi::CString::new(format!("size={mib}m,mode=700")).expect("no zero in it");
        match mount("mainstay-test", at, "tmpfs", MountFlags::empty(), options.as_c_str()) {
            Ok(()) => Some(Mounted(at.to_owned())),
            Err(error) => {
                eprintln!("skipped: this user can't mount a small file system: {error}");
                None
            }
        }
    }

    /// The folder itself, read-only.
    fn read_only(at: &Path) -> Option<Mounted> {
        if let Err(error) = mount_bind(at, at) {
            eprintln!("skipped: this user can't mount a folder read-only: {error}");
            return None;
        }
        let mounted = Mounted(at.to_owned());
        mount_remount(at, MountFlags::BIND | MountFlags::RDONLY, c"").expect("make it read-only");
        Some(mounted)
    }

    /// Takes all space there is; removing the file gives it back.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).expect("make");
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Also when a daemon still has files open there.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// The receipt of a task's first attempt, whether the daemon has taken it up or not.
fn receipt(place: &Place, task: i64) -> Option<serde_json::Value> {
    let folders = ["attempts", "archive"].map(|folder| place.path(&format!("state/{folder}/{task}-1/receipt.json")));
    let bytes = folders.iter().find_map(|path| fs::read(path).ok())?;
    serde_json::from_slice(&bytes).ok()
}

#[test]
fn a_disk_that_is_full_at_the_start_has_its_exit_code_and_is_no_harm_once_there_is_room() {
    let mut place = Place::new("", "");
    let Some(disk) = Mounted::small(&place.path("state"), 80) else { return };
    let filler = disk.fill();
    place.launch();
    assert_eq!(place.ended().code(), Some(15));
    let check = place.run(&["check"]);
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.code() == Some(15) && said.contains("less than 64 MiB"), "`check` says the same: {said}");
    fs::remove_file(filler).expect("make room");
    place.cli(&["check"]);
    place.start();
    let id = place.let_run("work", "for 0 0");
    place.wait_for(id, "SUCCEEDED");
    // One that was killed has left the space that it had reserved: the next takes over, for whatever runs.
    place.kill();
    let filler = disk.fill();
    place.start();
    assert_eq!(place.line().done(&["ops"])["status"], "broken");
    fs::remove_file(filler).expect("make room");
    assert_eq!(place.terminate().code(), Some(0));
    let filler = disk.fill();
    place.launch();
    assert_eq!(place.ended().code(), Some(15));
    fs::remove_file(filler).expect("make room");
    place.start();
    assert_eq!(place.task(id)["state"], "SUCCEEDED");
    place.assert_sound();
    place.terminate();
}

#[test]
fn a_disk_that_fills_up_loses_nothing_and_does_nothing_twice() {
    let mut place = Place::new("", "");
    let Some(disk) = Mounted::small(&place.path("state"), 80) else { return };
    place.start();
    let line = place.line();
    let running = place.let_run("work", "until go 6");
    place.wait_for_entry(running, "begin");
    let filler = disk.fill();
    let long = "x".repeat(50_000);
    let refused = line.insist("wish", &["newtask", "work", &long]);
    assert!(refused["text"].as_str().is_some_and(|text| text.contains("nothing was done")), "{refused}");
    // What the database has reserved is used up after a while; then it says no to everything.
    let mut asked = 0;
    let refused = until("a refusal", || {
        asked += 1;
        let answer = line.insist(&format!("drop-{asked}"), &["stop", "999"]);
        answer["text"].as_str().is_some_and(|text| text.contains("the daemon can't")).then_some(answer)
    });
    assert!(asked > 50, "room for {asked} commits");
    assert!(refused["text"].as_str().is_some_and(|text| text.contains("nothing was done")), "{refused}");
    // What only looks is answered, and one of the answers is how it stands with the disk.
    assert_eq!(line.done(&["status", &running.to_string()])["state"], "RUNNING");
    line.done(&["log", &running.to_string()]);
    assert_eq!(line.done(&["ops"])["status"], "broken");
    // A task that ends meanwhile leaves its receipt in the space that was reserved for it.
    place.release("go");
    place.wait_for_entry(running, "end");
    until("its receipt", || place.path(&format!("state/attempts/{running}-1/receipt.json")).exists().then_some(()));
    fs::remove_file(filler).expect("make room");
    let task = until("it is known", || {
        let answer = line.once("look", &["status", &running.to_string()]).ok()?;
        (answer["data"]["state"] == "FAILED").then(|| answer["data"].clone())
    });
    assert_eq!((&task["exit_code"], &task["attempt"]), (&serde_json::json!(6), &serde_json::json!(1)));
    // The refused wish, said again, is done once.
    until("it takes wishes again", || {
        let answer = line.insist("wish", &["newtask", "work", &long]);
        (answer["ok"] == true).then_some(())
    });
    assert_eq!(place.events_of("requested").len(), 2);
    assert!(!place.events_of("storage_recovered").is_empty());
    let next = place.let_run("work", "for 0 0");
    place.wait_for(next, "SUCCEEDED");
    assert_eq!((place.begun(running), place.begun(next)), (1, 1));
    place.assert_sound();
    place.terminate();
}

#[test]
fn a_daemon_killed_on_a_full_disk_loses_nothing() {
    let mut place = Place::new("", "");
    let Some(disk) = Mounted::small(&place.path("state"), 80) else { return };
    place.start();
    let running = place.let_run("work", "until go 6");
    let waiting = place.line().done(&["newtask", "work", "for 0 0"])["task_id"].as_i64().expect("a task");
    place.wait_for_entry(running, "begin");
    let filler = disk.fill();
    place.release("go");
    until("its receipt", || receipt(&place, running));
    place.kill();
    fs::remove_file(filler).expect("make room");
    place.start();
    assert_eq!(place.wait_for(running, "FAILED")["exit_code"], 6);
    assert_eq!(place.task(waiting)["state"], "REQUESTED");
    assert_eq!(place.begun(running), 1);
    place.assert_sound();
    place.terminate();
}

#[test]
fn a_read_only_state_directory_is_refused() {
    let mut place = Place::new("", "");
    place.start();
    let id = place.let_run("work", "for 0 0");
    place.wait_for(id, "SUCCEEDED");
    assert_eq!(place.terminate().code(), Some(0));
    let Some(_mounted) = Mounted::read_only(&place.path("state")) else { return };
    place.launch();
    assert_eq!(place.ended().code(), Some(14));
    let log = fs::read_to_string(place.path("daemon.log")).expect("read");
    assert!(log.contains("read-only"), "{log}");
    // Looking is still possible.
    assert_eq!(place.cli(&["status", &id.to_string()])["state"], "SUCCEEDED");
}

#[test]
fn a_backup_leaves_the_reserve_of_a_full_disk_alone_and_its_failure_is_on_record() {
    let mut place = Place::new("", "");
    let Some(disk) = Mounted::small(&place.path("state"), 80) else { return };
    let Some(elsewhere) = Mounted::small(&place.path("elsewhere"), 1) else { return };
    place.start();
    place.line().done(&["list"]);
    let to = elsewhere.0.to_str().expect("a plain path").to_owned();
    place.cli(&["backup"]);
    place.cli(&["backup", "--to", &to]);
    let there = || fs::read_dir(place.path("state/backups")).expect("list").count();
    for (full, args) in [(&disk, &["backup", "--keep", "1"][..]), (&elsewhere, &["backup", "--to", &to])] {
        let before = place.events_of("backup_failed").len();
        let filler = full.fill();
        let output = place.run(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(15), "{said}");
        assert!(said.contains("no room for a back-up") && said.contains("make room"), "{said}");
        assert_eq!((place.events_of("backup_failed").len(), there()), (before + 1, 1));
        fs::remove_file(filler).expect("make room");
        place.cli(args);
    }
    place.assert_sound();
    place.terminate();
}

/// Says that it began, and, once it may, so much; and ends.
const LOUD: &str = r#"
[[kind]]
name = "loud"
argv = ["/bin/sh", "-c", "touch {dir}/begun; until [ -e {dir}/go ]; do sleep 0.02; done; head -c 300000 /dev/zero | tr '\\0' x; exit 3"]
self_approval = true
"#;

#[test]
fn output_that_a_full_disk_swallowed_is_told_of() {
    let mut place = Place::new("", LOUD);
    let Some(disk) = Mounted::small(&place.path("state"), 80) else { return };
    place.start();
    let id = place.let_run("loud", "");
    // RUNNING is committed before its shim is up, and a shim needs room.
    until("its program has begun", || place.path("begun").exists().then_some(()));
    let filler = disk.fill();
    place.release("go");
    let receipt = until("its receipt", || receipt(&place, id));
    fs::remove_file(filler).expect("make room");
    let lost = receipt["stdout"]["lost"]["bytes"].as_u64().expect("a loss");
    assert!(lost > 200_000 && receipt["stdout"]["bytes"] == 300_000, "{receipt}");
    place.wait_for(id, "FAILED");
    let log = place.cli(&["log", &id.to_string()])["log"].as_str().expect("text").to_owned();
    assert!(
        log.ends_with(&format!("[mainstay: {lost} bytes of output lost: No space left on device (os error 28)]\n"))
    );
    place.assert_sound();
    place.terminate();
}

/// Fills the disk once it may, and whatever becomes free there again.
const HOG: &str = r#"
[[kind]]
name = "hog"
argv = ["/bin/sh", "-c", "until [ -e {dir}/go ]; do sleep 0.02; done; while :; do cat /dev/zero; sleep 0.02; done >> {dir}/state/hog"]
self_approval = true
"#;

#[test]
fn a_task_that_fills_the_disk_can_be_stopped() {
    let mut place = Place::new("", HOG);
    let Some(disk) = Mounted::small(&place.path("state"), 100) else { return };
    place.start();
    let before = place.let_run("work", "for 0 0");
    place.wait_for(before, "SUCCEEDED");
    let id = place.let_run("hog", "");
    place.wait_for(id, "RUNNING");
    place.release("go");
    let free = || rustix::fs::statvfs(&disk.0).expect("look").f_bavail;
    until("the disk is full", || (free() == 0).then_some(()));
    let line = place.line();
    let refused = line.ask(&["newtask", "work", "for 0 0"]);
    assert!(refused["text"].as_str().is_some_and(|text| text.contains("the disk is full (0 MiB left)")), "{refused}");
    line.done(&["stop", &id.to_string()]);
    place.wait_for(id, "CANCELED");
    assert_eq!(free(), 0, "it was full all the time");
    assert_eq!(place.processes(), Vec::<i32>::new());
    fs::remove_file(disk.0.join("hog")).expect("make room");
    let next = place.let_run("work", "for 0 0");
    place.wait_for(next, "SUCCEEDED");
    place.assert_sound();
    place.terminate();
}

/// The place of the attempts' folders is no folder for a while: whatever is in the way, the exit code is not lost to it.
#[test]
fn a_receipt_that_can_not_be_written_is_tried_until_it_can() {
    let mut place = Place::new("", "");
    place.start();
    let id = place.let_run("work", "until go 6");
    place.wait_for_entry(id, "begin");
    let (attempts, aside) = (place.path("state/attempts"), place.path("state/aside"));
    fs::rename(&attempts, &aside).expect("moved away");
    fs::write(&attempts, "in the way").expect("a file");
    place.release("go");
    let tries = || {
        let log = fs::read_to_string(aside.join(format!("{id}-1/shim.log"))).unwrap_or_default();
        log.matches("receipt not written, trying again").count()
    };
    until("it was tried again", || (tries() >= 2).then_some(()));
    assert_eq!(place.task(id)["state"], "RUNNING");
    fs::remove_file(&attempts).expect("out of the way");
    fs::rename(&aside, &attempts).expect("as it was");
    assert_eq!(place.wait_for(id, "FAILED")["exit_code"], 6);
    assert_eq!(place.begun(id), 1);
    place.assert_sound();
}
