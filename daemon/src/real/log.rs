//! Log lines: JSON, or readable ones when a person looks on; never with a secret in them.
//!
//! Lines below warnings are collected and written when the process goes to sleep, many with one call: under load the record
//! of every command would else cost as much as its answer. A warning takes everything before it along at once.

use crate::exit::{ExitCode, Fatal};
use crate::policy;
use crate::redact::Secrets;
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing::{Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// The level, and levels of single targets, when `--log` does not say: `info,mainstay::real=debug`.
pub const LOG_VARIABLE: &str = "MAINSTAY_LOG";

/// Libraries that tell too much, at best; at worst addresses with the token in them.
const QUIET: [&str; 8] = ["teloxide", "teloxide_core", "reqwest", "hyper", "hyper_util", "rustls", "h2", "tokio"];

/// What must not be written.
static SECRETS: OnceLock<Secrets> = OnceLock::new();

/// Lines not written yet.
static HELD: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// From now on, lines come without these. The first call counts.
pub fn redact(secrets: Secrets) {
    let _ = SECRETS.set(secrets);
}

/// A text without what must not be written, as far as that is known by now.
pub fn clean(text: &str) -> Cow<'_, str> {
    SECRETS.get().map_or(Cow::Borrowed(text), |secrets| secrets.clean(text))
}

/// Starts logging to standard output, for the process; panics become lines too.
///
/// # Errors
/// [`ExitCode::Usage`]: `directives` can't be understood.
pub fn start(directives: Option<&str>, color: bool) -> Result<(), Fatal> {
    let filter = filter(directives.unwrap_or("info")).map_err(|e| {
        let text = format!(
            "can't understand the log level {:?}: {e} (like info, or info,mainstay=debug)",
            directives.unwrap_or_default()
        );
        Fatal::new(ExitCode::Usage, text)
    })?;
    let person = std::io::stdout().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(RedactedStdout { at_once: person });
    let lines = if person {
        lines.compact().with_ansi(color).boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    // A second start in one process (tests) keeps the first.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines.with_filter(filter)));
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no text");
        tracing::error!(target: "mainstay::panic", at, "panicked: {text}");
    }));
    Ok(())
}

fn filter(directives: &str) -> Result<Targets, String> {
    // A single word would be taken for the name of a target.
    if !directives.contains(['=', ',']) {
        directives.parse::<tracing::level_filters::LevelFilter>().map_err(|e| format!("{e}"))?;
    }
    let asked: Targets = directives.parse().map_err(|e| format!("{e}"))?;
    let named = |quiet: &str| directives.split(',').any(|d| d.split('=').next() == Some(quiet));
    let loud = QUIET.iter().filter(|target| !named(target));
    let quiet = loud.map(|target| (*target, tracing::level_filters::LevelFilter::WARN));
    Ok(asked.with_targets(quiet))
}

/// Writes what was collected. To be called before the process sleeps, and before it ends.
pub fn flush() {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    if !held.is_empty() {
        // Nobody reads any more: there is nothing that could be done about it, and nowhere to say so.
        let _ = std::io::stdout().lock().write_all(&held).and_then(|()| std::io::stdout().flush());
        held.clear();
    }
}

#[derive(Clone, Copy)]
struct RedactedStdout {
    at_once: bool,
}

impl<'a> MakeWriter<'a> for RedactedStdout {
    type Writer = RedactedStdout;
    fn make_writer(&'a self) -> RedactedStdout {
        *self
    }
    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> RedactedStdout {
        RedactedStdout { at_once: self.at_once || *meta.level() <= Level::WARN }
    }
}

impl Write for RedactedStdout {
    /// A line comes as one piece, so a secret is never cut in two.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let full = {
            let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
            held.extend_from_slice(clean(&String::from_utf8_lossy(line)).as_bytes());
            held.len() >= policy::LOG_HELD_BYTES_MAX
        };
        if self.at_once || full {
            flush();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chatty_libraries_stay_at_warn_unless_they_are_named() {
        use tracing::Level;
        let usual = filter("debug").expect("valid");
        assert!(usual.would_enable("mainstay::run", &Level::DEBUG));
        assert!(!usual.would_enable("hyper::client", &Level::INFO));
        assert!(usual.would_enable("reqwest", &Level::WARN));
        assert!(filter("info,hyper=trace").expect("valid").would_enable("hyper", &Level::TRACE));
        assert!(filter("mainstay=loud").is_err());
        assert!(filter("loud").is_err());
    }
}
