//! Ctrl-C, and terminals that hang up, while a switch is under way.
//!
//! Handlers, not ignoring: what is started from here does not inherit them. SIGTERM ends the command as it always does, as when
//! the machine goes down: who goes on after it (`mainstay-release.service`) finds the switch where the disk has it.

use super::hand::say;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Signals belong to the process, and so does this.
static PRESSED: AtomicU32 = AtomicU32::new(0);

/// How often Ctrl-C was pressed since [`listen`].
pub(super) fn pressed() -> u32 {
    PRESSED.load(Ordering::Relaxed)
}

/// From now on Ctrl-C is counted, and a terminal may hang up: who watches from afar may lose the connection, and the release is
/// watched to the end all the same. A thread, because steps block.
pub(super) fn listen(quiet: bool) {
    let fails = move |error: &io::Error| {
        say(quiet, &format!("Ctrl-C, or a terminal that hangs up, will end this in the middle: {error}"));
    };
    let heed = move || {
        if let Err(error) = heed(quiet) {
            fails(&error);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("interrupt".to_owned()).spawn(heed) {
        fails(&error);
    }
}

fn heed(quiet: bool) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    let (mut hangup, mut interrupt) = (signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?);
    loop {
        let is_pressed = runtime.block_on(async {
            tokio::select! {
                _ = hangup.recv() => false,
                _ = interrupt.recv() => true,
            }
        });
        if is_pressed {
            say(quiet, told(PRESSED.fetch_add(1, Ordering::Relaxed)));
        }
    }
}

/// What a press does, after so many others.
fn told(before: u32) -> &'static str {
    match before {
        0 => {
            "interrupted: a switch that has changed nothing yet ends after this step; a release that may run already is watched to its end (Ctrl-C again goes back from it, if there is somewhere to go back to)"
        }
        _ => {
            "interrupted again: a release that has to prove itself is left for the one before, if there is one; a way back goes on"
        }
    }
}
