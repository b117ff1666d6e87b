//! The service manager is told when the daemon is ready, and when it ends.

use super::place::{PATIENCE, Place, until};
use mainstay::policy;
use rustix::process::{Signal, kill_process};
use std::os::unix::net::UnixDatagram;

/// The next word other than a sign of life.
fn word(socket: &UnixDatagram) -> String {
    loop {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("a word");
        let word = String::from_utf8_lossy(&buffer[..length]).trim().to_owned();
        if word != "WATCHDOG=1" {
            return word;
        }
    }
}

#[test]
fn ready_is_said_once_everything_is_taken_over_and_stopping_before_the_end() {
    let mut place = Place::new("", "");
    let socket = UnixDatagram::bind(place.path("notify")).expect("bind");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let name = place.path("notify").display().to_string();
    place.variable("NOTIFY_SOCKET", &name);
    place.launch();
    assert_eq!(word(&socket), "READY=1");
    let running = place.let_run("work", "until go 4");
    let ended = place.let_run("work", "until go 5");
    place.wait_for_entry(running, "begin");
    place.wait_for_entry(ended, "begin");
    place.kill();
    place.release("go");
    for id in [running, ended] {
        let receipt = place.path(&format!("state/attempts/{id}-1/receipt.json"));
        super::place::until("the receipt", || receipt.exists().then_some(()));
    }
    // A shim is there for a moment after its receipt, and would be taken over.
    super::place::until("the end of the shims", || place.processes().is_empty().then_some(()));
    place.launch();
    assert_eq!(word(&socket), "READY=1");
    // What had to be taken over is on record by now.
    assert_eq!(place.events_of("ended").len(), 2);
    assert_eq!(place.task(running)["exit_code"], 4);
    assert_eq!(place.terminate().code(), Some(0));
    assert_eq!(word(&socket), "STOPPING=1");
    place.assert_sound();
}

/// As the service manager does it: the daemon hangs, says nothing any more, is killed and started again.
#[test]
fn a_daemon_that_gives_no_sign_of_life_can_be_killed_and_its_task_is_taken_over() {
    let mut place = Place::new("", "");
    let socket = UnixDatagram::bind(place.path("notify")).expect("bind");
    let name = place.path("notify").display().to_string();
    place.variable("NOTIFY_SOCKET", &name);
    let watchdog_ms = 200;
    place.variable("WATCHDOG_USEC", &(watchdog_ms * 1_000).to_string());
    place.start();
    let id = place.let_run("work", "until go 4");
    place.wait_for_entry(id, "begin");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut buffer = [0; 256];
    // With nothing else to do, it says so again and again.
    for _ in 0..20 {
        socket.recv(&mut buffer).expect("a sign of life");
    }
    kill_process(place.pid(), Signal::STOP).expect("stop");
    // What it said before it was stopped; then nothing for as long as a service manager waits.
    socket.set_read_timeout(Some(std::time::Duration::from_millis(watchdog_ms))).expect("a limit");
    until("silence", || socket.recv(&mut buffer).is_err().then_some(()));
    place.kill();
    place.start();
    until("it is adopted", || (place.events_of("adopted").len() == 1).then_some(()));
    place.release("go");
    assert_eq!(place.wait_for(id, "FAILED")["exit_code"], 4);
    assert_eq!(place.begun(id), 1);
    place.assert_sound();
}

#[test]
fn the_unit_gives_the_daemon_time_enough_between_two_signs_of_life() {
    let unit = include_str!("../../deploy/mainstay.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("WatchdogSec=")).expect("it is watched");
    let seconds: u64 = line.strip_suffix('s').and_then(|seconds| seconds.parse().ok()).expect("seconds");
    assert!(seconds >= policy::WATCHDOG_MIN.as_secs());
}
