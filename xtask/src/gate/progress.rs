//! What is told while a gate runs, on standard error: a line that moves on a terminal, a line every 30 seconds elsewhere.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often something is told where nobody looks on.
const SPACED: Duration = Duration::from_secs(30);
/// How often the line on a terminal moves.
const MOVES: Duration = Duration::from_millis(500);

/// What happened to a unit.
#[derive(Debug, Clone)]
pub(crate) enum Happened {
    /// It began.
    Begun(String),
    /// Its evidence is written.
    Done(String),
}

/// The state of the display.
pub(crate) struct Progress {
    terminal: bool,
    began: Instant,
    told: Instant,
    done: usize,
    all: usize,
    running: BTreeSet<String>,
}

impl Progress {
    /// Of so many units, of which some are done already.
    pub(crate) fn new(done: usize, all: usize) -> Progress {
        let now = Instant::now();
        let terminal = std::io::stderr().is_terminal();
        Progress { terminal, began: now, told: now, done, all, running: BTreeSet::new() }
    }

    /// A word between the lines.
    pub(crate) fn say(&self, text: &str) {
        let begin = if self.terminal { "\r\x1b[K" } else { "" };
        eprintln!("{begin}gate: {text}");
    }

    /// Something happened.
    pub(crate) fn happened(&mut self, what: Happened) {
        match what {
            Happened::Begun(unit) => drop(self.running.insert(unit)),
            Happened::Done(unit) => {
                self.running.remove(&unit);
                self.done += 1;
            }
        }
    }

    /// Time went by.
    pub(crate) fn tick(&mut self) {
        let pause = if self.terminal { MOVES } else { SPACED };
        if self.told.elapsed() < pause {
            return;
        }
        self.told = Instant::now();
        let seconds = self.began.elapsed().as_secs();
        let running: Vec<&str> = self.running.iter().map(String::as_str).collect();
        let text = format!(
            "{} of {} units after {}:{:02}; {}",
            self.done,
            self.all,
            seconds / 60,
            seconds % 60,
            running.join(", ")
        );
        if self.terminal {
            let short: String = text.chars().take(100).collect();
            eprint!("\r\x1b[Kgate: {short}");
        } else {
            self.say(&text);
        }
    }

    /// The line that moves makes room.
    pub(crate) fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
