//! The service manager is told when the daemon is ready, and when it ends.

use super::place::{PATIENCE, Place};
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
