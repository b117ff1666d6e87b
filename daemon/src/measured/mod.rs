//! What the record tells of how production does: events in, lines of evidence out, for `mainstay metrics`.
//!
//! It is the daemon's own word, and no more than that. What only somebody outside could have seen (whether an answer was
//! right, how often a program was started, whether anything answered at all) is not made up here; the table of metrics says
//! of each row what the record lacks. Where it leaves a choice, the worse reading is taken: a poll fault begins with the
//! first failure, because when its cause was gone nobody knows; a task that failed by its own fault failed.
//!
//! A day of the window is a run, counted back from its end. A task belongs to the day in which it was asked for, and one
//! that has not ended is counted only where it is late: approved for longer than it may take to run, and not running.

mod people;
mod tasks;
mod trouble;

use crate::config::Config;
use crate::event::{Fact, Recorded};
use mainstay_metric::ledger::{End, Line, Origin, Property, Run};
use mainstay_metric::limits::DAY_MS;
use people::People;
use std::collections::BTreeMap;
pub use tasks::Open;
use tasks::Tasks;
use trouble::Trouble;

/// What a violation on record breaks.
const NO_VIOLATION: &str = "no violation is on record";

/// From when to when, ms since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The beginning is part of it.
    pub from_ms: i64,
    /// The end is not.
    pub to_ms: i64,
}

/// Takes the events of the record, oldest first.
pub struct Measuring<'a> {
    window: Window,
    tasks: Tasks<'a>,
    people: People,
    trouble: Trouble,
    /// Events of each day, and the first violation among them.
    days: BTreeMap<i64, (u64, Option<String>)>,
}

/// Lines by the day that they belong to.
struct Days {
    window: Window,
    lines: BTreeMap<i64, Vec<Line>>,
}

impl Window {
    fn has(self, at_ms: i64) -> bool {
        (self.from_ms..self.to_ms).contains(&at_ms)
    }

    /// Which day, counted back from the end: 0 is the last one.
    fn day(self, at_ms: i64) -> i64 {
        (self.to_ms - 1 - at_ms).div_euclid(DAY_MS)
    }

    /// When that day begins.
    fn begins(self, day: i64) -> i64 {
        self.to_ms - (day + 1) * DAY_MS
    }
}

impl Days {
    /// Adds what happened `at` to its day. The line is made of a clock that counts from the day's beginning.
    fn add(&mut self, at_ms: i64, line: impl FnOnce(&dyn Fn(i64) -> i64) -> Line) {
        let day = self.window.day(at_ms);
        let begins = self.window.begins(day);
        self.lines.entry(day).or_default().push(line(&|at| at - begins));
    }
}

impl<'a> Measuring<'a> {
    /// Nothing seen yet.
    pub fn new(config: &'a Config, window: Window) -> Self {
        Self {
            window,
            tasks: Tasks::new(config),
            people: People::default(),
            trouble: Trouble::default(),
            days: BTreeMap::new(),
        }
    }

    /// Takes the next event. Those before the window and after it are left out.
    pub fn see(&mut self, event: &Recorded) {
        if !self.window.has(event.at) {
            return;
        }
        let (events, violation) = self.days.entry(self.window.day(event.at)).or_default();
        *events += 1;
        if let Fact::Violation { what } = &event.fact {
            violation.get_or_insert_with(|| what.clone());
        }
        self.tasks.see(event);
        self.people.see(event);
        self.trouble.see(event);
    }

    /// All that was seen, day after day; and how many tasks have not ended.
    pub fn lines(self) -> (Vec<Line>, Open) {
        let mut days = Days { window: self.window, lines: BTreeMap::new() };
        for (day, (events, violation)) in self.days {
            let property = Property { name: NO_VIOLATION.into(), looked: events, broken: violation };
            days.lines.entry(day).or_default().push(Line::Property(property));
        }
        let open = self.tasks.tell(&mut days);
        self.people.tell(&mut days);
        self.trouble.tell(&mut days);
        let mut lines = Vec::new();
        for (day, told) in days.lines.into_iter().rev() {
            let from = self.window.begins(day).max(self.window.from_ms);
            lines.push(Line::Run(run(day, from)));
            lines.extend(told);
            let at_ms = self.window.begins(day) + DAY_MS - from;
            lines.push(Line::End(End { at_ms, cut_off: None, digest: None }));
        }
        (lines, open)
    }
}

fn run(day: i64, from_ms: i64) -> Run {
    Run {
        suite: "record".into(),
        origin: Origin::Production,
        seed: day.unsigned_abs(),
        scenario: crate::report::utc(from_ms)[..10].to_owned(),
        persona: None,
        // The world is as it is.
        faults: true,
        kept: false,
    }
}
