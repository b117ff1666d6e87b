//! Rows and events to words: for a phone first. Pure; at most eight lines wherever it can be.
//!
//! [`card`] and [`final_report`] are what a task looks like in a chat, [`status`] and the rest answer questions,
//! [`ops`] says whether all is well ([`page`] and [`metrics`] say the same to a browser and to a monitor), [`trace`] tells a
//! task's story ([`perfetto`] draws it).

mod alert;
mod board;
mod card;
mod list;
mod metrics;
mod ops;
mod page;
mod perfetto;
mod removed;
mod trace;
mod visible;

pub use alert::alert;
pub use board::board;
pub use card::{card, final_report, log, next_step, progress, status, why};
pub use list::{inbox, list};
pub use metrics::{METRICS_TYPE, metrics};
pub use ops::ops;
pub use page::{no_page, page, style_hash};
pub use perfetto::perfetto;
pub use removed::{beginning_removed, removed, removed_data};
pub use trace::trace;
pub use visible::visible;

use crate::config::Config;
use crate::decide::Moment;
use crate::id::Actor;
use crate::view::TaskView;
use serde_json::{Value, json};

/// A text in the making, that remembers which parts are foreign. All of it can be read, and commands nothing ([`visible`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The text so far.
    pub text: String,
    /// Foreign parts: offset and length in UTF-16 units.
    pub pre: Vec<(usize, usize)>,
}

impl Text {
    /// Adds a line of ours.
    pub fn line(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text += &visible(line);
    }

    /// Adds lines of somebody else's: shown as they are, and nothing in them can be tapped.
    pub fn foreign(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.line("");
        let offset = self.text.encode_utf16().count();
        self.text += &visible(text);
        self.pre.push((offset, text.encode_utf16().count()));
    }
}

/// A person or power, as answers call them.
pub fn who(config: &Config, actor: Actor) -> String {
    match actor {
        Actor::User(id) => config.operators.get(&id).map_or_else(|| format!("user {id}"), |o| o.name.clone()),
        Actor::Local(uid) => format!("local user {uid}"),
        Actor::Policy => "the policy".into(),
        Actor::System => "mainstay".into(),
    }
}

/// A time span in its one or two largest units.
pub fn span(ms: i64) -> String {
    let s = ms.max(0) / 1_000;
    match (s / 86_400, s / 3_600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, 0) if ms > 0 => format!("{ms} ms"),
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, 0) => format!("{m} min"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, 0, _) => format!("{h} h"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, 0, _, _) => format!("{d} d"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

/// Foreign text on one line, cut to `max` characters.
pub fn short(text: &str, max: usize) -> String {
    let mut line = visible(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if line.chars().count() > max {
        line = line.chars().take(max - 1).collect::<String>() + "…";
    }
    line
}

/// UTC, to the second, from ms since 1970.
pub fn utc(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 1_000);
    // Civil date from days since 1970 (Howard Hinnant's algorithm, proleptic Gregorian).
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// The same for file names: `20261129T120000Z`.
pub fn compact_utc(ms: i64) -> String {
    let digits: String = utc(ms).chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(8);
    format!("{day}T{time}Z")
}

/// A task for programs. These names are an interface: add to them, don't change them.
pub fn task_data(view: &TaskView, now: Moment) -> Value {
    let task = &view.task;
    let attempt = view.attempt.as_ref();
    let mut data = task_row_data(task);
    data["approvals"] = view.approvals.iter().map(|a| json!({ "by": a.approver, "note": a.note })).collect();
    data["plan"] = json!(task.plan);
    data["stopping"] = json!(attempt.is_some_and(|a| a.stop_by.is_some() && a.ended_ms.is_none()));
    data["progress"] = json!(attempt.and_then(|a| a.progress.clone()));
    data["pid"] = json!(attempt.filter(|a| a.ended_ms.is_none()).and_then(|a| a.identity.as_ref()).map(|i| i.pid));
    data["waits_until_ms"] = json!((!task.state.is_terminal()).then(|| now.wall_of(task.until)));
    data
}

/// The part of [`task_data`] that stands in the task's own row.
pub fn task_row_data(task: &crate::view::TaskRow) -> Value {
    json!({
        "task_id": task.id,
        "kind": task.kind,
        "state": task.state,
        "attempt": task.attempt,
        "outcome": task.outcome,
        "exit_code": task.exit_code,
        "signal": task.signal,
        "trace_id": task.trace,
        "prompt": task.prompt,
        "heavy": task.heavy,
        "requester": task.requester,
        "created_ms": task.created_ms,
        "ended_ms": task.ended_ms,
        "evidence": task.evidence,
        "rerun_of": task.rerun_of,
    })
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod words {
    use super::*;

    #[test]
    fn spans_and_dates_read_well() {
        for (ms, expected) in [
            (0, "0 s"),
            (250, "250 ms"),
            (59_000, "59 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h"),
            (90 * 60_000, "1 h 30 min"),
            (24 * 3_600_000, "1 d"),
            (-5, "0 s"),
        ] {
            assert_eq!(span(ms), expected);
        }
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(1_709_210_096_000), "2024-02-29 12:34:56");
        assert_eq!(utc(-1_000), "1969-12-31 23:59:59");
    }

    #[test]
    fn foreign_ranges_are_counted_in_utf16_units() {
        let mut text = Text::default();
        text.line("é𝄞");
        text.foreign("a𝄞b");
        assert_eq!(text.pre, [(4, 4)]);
    }
}
