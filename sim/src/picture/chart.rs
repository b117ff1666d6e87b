//! The drawing: time from left to right, a row for each thing that has a story.

use super::{escape, is_trouble};
use crate::trace::{Entry, Lane, seconds};
use crate::watch::NO_RECEIPT;
use std::collections::BTreeSet;
use std::fmt::Write;

const WIDTH: f64 = 1_180.0;
/// Left of it stand the names of the rows.
const LEFT: f64 = 84.0;
const ROW: f64 = 24.0;
/// Of a letter, about.
const LETTER: f64 = 6.3;
/// Bars are seen from this width on.
const LEAST: f64 = 2.5;
/// Rows that bars which overlap are spread over, at most.
const SPREAD: usize = 6;

/// Draws what happened between two moments, ms; `close` when there is room for words.
pub(super) fn chart(entries: &[Entry], from: i64, to: i64, close: bool) -> String {
    let mut chart = Chart { from, to: to.max(from + 1), close, y: 18.0, out: String::new() };
    let here: Vec<&Entry> = entries.iter().filter(|entry| chart.shows(entry)).collect();
    let of = |lane: Lane| here.iter().copied().filter(move |entry| entry.lane == lane);
    // That a fault is over is the end of its bar.
    chart.spread("faults", &of(Lane::Fault).filter(|entry| entry.is_strike()).collect::<Vec<_>>());
    chart.daemon(&of(Lane::Daemon).collect::<Vec<_>>());
    let tasks: BTreeSet<i64> = of(Lane::Task).chain(of(Lane::Machine)).filter_map(|entry| entry.task).collect();
    for task in tasks {
        let mine = |lane: Lane| of(lane).filter(|entry| entry.task == Some(task)).collect::<Vec<_>>();
        chart.task(task, &mine(Lane::Task), &mine(Lane::Machine));
    }
    let people: Vec<&Entry> = of(Lane::Person).collect();
    if close {
        chart.spread("people", &people);
    } else {
        chart.ticks("people", &people);
    }
    chart.ticks("network", &of(Lane::Network).collect::<Vec<_>>());
    chart.ticks("disk", &of(Lane::Disk).collect::<Vec<_>>());
    chart.finish()
}

struct Chart {
    from: i64,
    to: i64,
    close: bool,
    y: f64,
    out: String,
}

#[expect(clippy::cast_precision_loss, reason = "places on a screen")]
impl Chart {
    fn shows(&self, entry: &Entry) -> bool {
        entry.at_ms <= self.to && entry.until_ms.unwrap_or(entry.at_ms) >= self.from
    }

    fn x(&self, ms: i64) -> f64 {
        let at = (ms.clamp(self.from, self.to) - self.from) as f64 / (self.to - self.from) as f64;
        LEFT + at * (WIDTH - LEFT - 8.0)
    }

    /// Begins a row of this height, with its name.
    fn row(&mut self, name: &str, height: f64) -> f64 {
        let y = self.y;
        let _ = write!(
            self.out,
            "<line class=\"rule\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/>\
             <text class=\"name\" x=\"4\" y=\"{}\">{}</text>",
            y + 16.0,
            escape(name)
        );
        self.y += height;
        y
    }

    fn bar(&mut self, entry: &Entry, class: &str, y: f64, height: f64) -> (f64, f64) {
        let (x, end) = (self.x(entry.at_ms), self.x(entry.until_ms.unwrap_or(entry.at_ms)));
        let width = (end - x).max(LEAST);
        let _ = write!(
            self.out,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" rx=\"2\">\
             <title>{}</title></rect>",
            escape(&entry.to_string())
        );
        (x, width)
    }

    fn words(&mut self, text: &str, class: &str, x: f64, y: f64) {
        let _ = write!(self.out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(text));
    }

    /// Bars with words behind their beginning, below one another where they would overlap.
    fn spread(&mut self, name: &str, entries: &[&Entry]) {
        let mut free = vec![f64::MIN];
        let mut placed = Vec::new();
        for entry in entries {
            let (x, end) = (self.x(entry.at_ms), self.x(entry.until_ms.unwrap_or(entry.at_ms)));
            let long = 10.0 + label(entry).chars().count() as f64 * LETTER;
            // Words that would leave the drawing stand before the bar.
            let before = x + long > WIDTH;
            let (starts, ends) = if before { (x - long, end) } else { (x, end.max(x + long)) };
            let row = free.iter().position(|until| *until <= starts).unwrap_or(free.len()).min(SPREAD - 1);
            free.resize(free.len().max(row + 1), f64::MIN);
            free[row] = free[row].max(ends + 6.0);
            placed.push((*entry, row, before));
        }
        let y = self.row(name, free.len() as f64 * 20.0 + 4.0);
        for (entry, row, before) in placed {
            let y = y + 4.0 + row as f64 * 20.0;
            let (x, width) = self.bar(entry, entry.lane.name(), y, 16.0);
            let (class, x) = match before {
                true => ("end", x - 4.0),
                false => ("in", if width > 30.0 { x + 5.0 } else { x + width + 4.0 }),
            };
            self.words(&label(entry), class, x, y + 12.0);
        }
    }

    fn daemon(&mut self, entries: &[&Entry]) {
        let y = self.row("daemon", ROW);
        for entry in entries {
            let class = match (entry.until_ms, is_trouble(entry)) {
                (Some(_), false) => "up",
                (Some(_), true) => "off",
                (None, _) => "ended",
            };
            let (x, width) = self.bar(entry, class, y + 4.0, 16.0);
            let word = if class == "up" { "up" } else { "off" };
            if width > 30.0 {
                self.words(word, "in", x + 5.0, y + 16.0);
            }
        }
    }

    /// States by the record, and below them what ran.
    fn task(&mut self, task: i64, states: &[&Entry], ran: &[&Entry]) {
        let y = self.row(&format!("task {task}"), ROW + 6.0);
        for entry in states {
            let state = entry.words.to_lowercase();
            let (x, width) = self.bar(entry, &format!("state {state}"), y + 4.0, 14.0);
            let fits = width > state.len() as f64 * LETTER + 8.0;
            if fits {
                self.words(&state, "in", x + 5.0, y + 15.0);
            } else if entry.until_ms.is_none() {
                let near_end = x + (state.len() as f64) * LETTER + 12.0 > WIDTH;
                let (class, x) = if near_end { ("end", x - 4.0) } else { ("in", x + width + 4.0) };
                self.words(&state, class, x, y + 15.0);
            }
        }
        let attempt = |entry: &Entry| entry.words.split(' ').nth(1).map(str::to_owned);
        for entry in ran.iter().filter(|entry| entry.until_ms.is_some()) {
            let lost = |left: &&&Entry| left.words.ends_with(NO_RECEIPT) && attempt(left) == attempt(entry);
            let class = if ran.iter().find(lost).is_some() { "machine lost" } else { "machine" };
            self.bar(entry, class, y + 20.0, 5.0);
        }
    }

    /// Many small things: a line for each, what went wrong in red and higher.
    fn ticks(&mut self, name: &str, entries: &[&Entry]) {
        let y = self.row(name, ROW);
        for entry in entries {
            let (class, top, height) = if is_trouble(entry) {
                ("tick trouble", 3.0, 18.0)
            } else if entry.words.starts_with("getUpdates") {
                ("tick poll", 14.0, 6.0)
            } else {
                ("tick", 8.0, 12.0)
            };
            self.bar(entry, class, y + top, height);
        }
    }

    /// With the axis.
    fn finish(mut self) -> String {
        let height = self.y + 6.0;
        let mut axis = String::new();
        let step = step(self.to - self.from);
        let mut at = (self.from + step - 1) / step * step;
        while at <= self.to {
            let x = self.x(at);
            let anchor = if x > WIDTH - 40.0 { "end" } else { "in" };
            let label = if step >= 60_000 { format!("{} min", at / 60_000) } else { format!("{} s", whole(at)) };
            let _ = write!(
                axis,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"14\" y2=\"{height}\"/>\
                 <text class=\"axis {anchor}\" x=\"{x:.1}\" y=\"10\">{label}</text>"
            );
            at += step;
        }
        self.out.insert_str(0, &axis);
        let kind = if self.close { "close" } else { "far" };
        format!(
            "<svg class=\"{kind}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"timeline\">{}</svg>",
            self.out
        )
    }
}

/// The words behind a bar.
fn label(entry: &Entry) -> String {
    match entry.task {
        Some(task) if entry.lane == Lane::Person => format!("{} (#{task})", entry.words),
        Some(_) | None => entry.words.clone(),
    }
}

fn whole(ms: i64) -> String {
    seconds(ms).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Between two lines of the axis, ms: about ten of them.
fn step(span: i64) -> i64 {
    let steps = [100, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 3_600_000];
    steps.into_iter().find(|step| span / step <= 12).unwrap_or(6 * 3_600_000)
}
