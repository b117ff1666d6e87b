//! A line on the terminal that says how far something is, once it takes long, and is gone with the work.

use super::Options;
use crate::policy;
use crate::real::clock::boot_ms;
use crate::real::store::Progress;
use std::io::{IsTerminal, Write};

/// Whether somebody would see it.
pub(super) fn shows(options: &Options) -> bool {
    !options.quiet && std::io::stderr().is_terminal()
}

/// Says `text` now and then, where it `shows`.
pub(super) fn line(shows: bool, text: impl Fn() -> String + Send + 'static) -> Progress {
    let mut line = Line { last_ms: boot_ms(), said: false };
    Box::new(move || {
        if shows {
            line.say(&text);
        }
    })
}

struct Line {
    last_ms: i64,
    said: bool,
}

impl Line {
    fn say(&mut self, text: impl Fn() -> String) {
        let now = boot_ms();
        if now - self.last_ms >= policy::BACKUP_PROGRESS_PAUSE_MS {
            self.last_ms = now;
            self.said = true;
            rewrite_line(&text());
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.said {
            rewrite_line("");
        }
    }
}

fn rewrite_line(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
}

/// Bytes, for people.
pub(super) fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20)
}
