//! `metrics`: how production does, by its own record; also while the daemon is down.
//!
//! The same table and the same rules as in the gate. What a record can't tell stays inconclusive, however good it looks.

use super::{Options, print};
use crate::exit::{ExitCode, Fatal};
use crate::measured::{Measuring, Open, Window};
use crate::offline::database;
use crate::real::clock::wall_ms;
use crate::real::config_file;
use crate::real::store::{Store, StoreError, inspect_record};
use crate::report;
use clap::ArgMatches;
use mainstay_metric::scorecard::{Measured, Outcome, Scorecard};
use mainstay_metric::scorer::{Scope, Scorer};
use serde_json::json;
use std::fmt::Write;

/// A narrow terminal.
const COLUMNS: usize = 80;
/// A hint stands below the row that it is about.
const INDENT: &str = "    ";

/// What was read.
struct Read {
    window: Window,
    /// Events within the window.
    events: u64,
    /// The record begins later than the window.
    begins_ms: Option<i64>,
    /// Tasks that have not ended.
    open: Open,
    card: Scorecard,
}

/// Prints the scorecard of the record.
pub(super) fn metrics(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let config = config_file::load(&options.config_path()?)?.config;
    let store = inspect_record(&database(&config.state_dir)?).map_err(|e| crate::run::fatal(&e))?;
    let length = matches.get_one::<i64>("window").copied().unwrap_or_default();
    let to_ms = wall_ms().saturating_add(1);
    let window = Window { from_ms: to_ms.saturating_sub(length), to_ms };
    let read = read(&store, &config, window).map_err(|e| crate::run::fatal(&e))?;
    print(&if options.json { data(&read) } else { text(&read) });
    Ok(ExitCode::Ok)
}

fn read(store: &Store, config: &crate::config::Config, window: Window) -> Result<Read, StoreError> {
    let mut measuring = Measuring::new(config, window);
    let first = store.event_from(1)?;
    let mut next = begin(store, window.from_ms)?;
    let mut events = 0;
    while let Some(event) = store.event_from(next)? {
        next = event.seq + 1;
        events += u64::from((window.from_ms..window.to_ms).contains(&event.at));
        measuring.see(&event);
    }
    let (lines, open) = measuring.lines();
    let mut scorer = Scorer::new(Scope::Production);
    lines.iter().for_each(|line| scorer.add(line));
    let begins_ms = first.map(|event| event.at).filter(|at| *at > window.from_ms);
    Ok(Read { window, events, begins_ms, open, card: scorer.finish(&[]) })
}

/// The first event of the window, by halves: the record may be long. A clock that was set back may cost some of them.
fn begin(store: &Store, from_ms: i64) -> Result<i64, StoreError> {
    let (mut low, mut high) = (1, store.events() + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match store.event_from(middle)? {
            Some(event) if event.at < from_ms => low = event.seq.max(middle) + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

fn data(read: &Read) -> String {
    let data = json!({
        "from_ms": read.window.from_ms,
        "to_ms": read.window.to_ms,
        "events": read.events,
        "record_begins_ms": read.begins_ms,
        "open_tasks": read.open.all,
        "late_tasks": read.open.late,
        "scorecard": read.card,
    });
    data.to_string()
}

fn text(read: &Read) -> String {
    let until = |ms: i64| report::utc(ms)[..16].to_owned();
    let mut text = format!(
        "{} to {} UTC by the record: {} events\n",
        until(read.window.from_ms),
        until(read.window.to_ms),
        read.events
    );
    if let Some(begins) = read.begins_ms {
        let _ = writeln!(text, "the record begins only at {}", until(begins));
    }
    if read.open.all > 0 {
        let Open { all, late } = read.open;
        let _ =
            writeln!(text, "tasks that have not ended: {all}; {late} of them should run by now, and count as failures");
    }
    let _ =
        writeln!(text, "\n{:<20} {:>9} {:>9} {:>11} {:>7}  verdict", "metric", "value", "bound", "target", "sample");
    for metric in &read.card.metrics {
        row(&mut text, metric);
    }
    text.trim_end().to_owned()
}

fn row(text: &mut String, metric: &Measured) {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let target = format!("{} {}", metric.comparison.sign(), metric.target);
    let _ = writeln!(
        text,
        "{:<20} {:>9} {:>9} {target:>11} {:>7}  {}",
        metric.id,
        value(&metric.estimate),
        value(&metric.bound),
        metric.sample,
        word(metric.outcome)
    );
    if metric.outcome != Outcome::Pass {
        wrapped(text, &report::visible(&metric.why));
    }
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "PASS",
        Outcome::Inconclusive => "INCONCLUSIVE",
        Outcome::Fail => "FAIL",
    }
}

/// Adds words in lines that fit.
fn wrapped(text: &mut String, words: &str) {
    let mut line = INDENT.to_owned();
    for word in words.split_whitespace() {
        let begun = line.len() > INDENT.len();
        if begun && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            let _ = writeln!(text, "{line}");
            line = format!("{INDENT}{word}");
        } else {
            if begun {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let _ = writeln!(text, "{line}");
}
