//! What cutting came to: a line a point between processes, a table for people, a document for programs.

use mainstay_sim::crash::plan::Shard;
use mainstay_sim::crash::point::{Counts, Finding, Report};
use mainstay_sim::world::points::{Class, Passed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What was done at one point, as it is passed between processes.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    /// Its place among all points.
    place: usize,
    class: String,
    kills: u64,
    power_losses: u64,
    survivors: u64,
    twins: u64,
    second: u64,
    pub(super) found: Vec<Found>,
}

/// A finding in words.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) crashes: Vec<String>,
    /// The property; none when a life did not do the same twice.
    pub(super) broken: Option<String>,
    pub(super) how: String,
}

impl Found {
    fn of(finding: &Finding) -> Found {
        let crashes = finding.crashes.iter().map(ToString::to_string).collect();
        Found { crashes, broken: finding.property.clone(), how: finding.how.clone() }
    }

    /// What to say to see it again.
    pub(super) fn command(&self, control: &str) -> String {
        let words: Vec<String> =
            ["--at", "--then"].iter().zip(&self.crashes).map(|(word, crash)| format!("{word} {crash}")).collect();
        format!("cargo xtask sim crash {}{control}", words.join(" "))
    }
}

impl Line {
    pub(super) fn new(place: usize, passed: &Passed, report: &Report) -> Line {
        let Counts { kills, power_losses, survivors, twins, second } = report.counts;
        let class = class(passed).to_owned();
        let found = report.findings.iter().map(Found::of).collect();
        Line { place, class, kills, power_losses, survivors, twins, second, found }
    }

    pub(super) fn lives(&self) -> u64 {
        self.kills + self.power_losses + self.twins + self.second
    }
}

/// What is counted together in the table.
fn class(passed: &Passed) -> &'static str {
    match passed.point.class {
        Class::Disk if passed.what == "sync" => "disk: syncs",
        Class::Disk => "disk: writes and names",
        Class::Machine => "machine: steps",
        Class::Api => "Telegram: calls",
        Class::Desk => "command line: answers",
    }
}

/// All together.
#[derive(Default, Serialize)]
pub(super) struct Summary {
    points: usize,
    lives: u64,
    /// Sets of surviving writes that were looked at.
    survivors: u64,
    pub(super) seconds: f64,
    classes: BTreeMap<String, Sums>,
    found: Vec<Found>,
}

#[derive(Default, Serialize)]
struct Sums {
    points: u64,
    kills: u64,
    power_losses: u64,
    survivors: u64,
    twins: u64,
    second: u64,
    found: usize,
}

impl Summary {
    pub(super) fn new(mut lines: Vec<Line>, seconds: f64) -> Summary {
        lines.sort_by_key(|line| line.place);
        let mut summary = Summary { points: lines.len(), seconds, ..Summary::default() };
        for line in lines {
            let sums = summary.classes.entry(line.class.clone()).or_default();
            sums.points += 1;
            sums.kills += line.kills;
            sums.power_losses += line.power_losses;
            sums.survivors += line.survivors;
            sums.twins += line.twins;
            sums.second += line.second;
            sums.found += line.found.len();
            summary.lives += line.lives();
            summary.survivors += line.survivors;
            summary.found.extend(line.found);
        }
        summary
    }

    pub(super) fn broken(&self) -> bool {
        self.found.iter().any(|found| found.broken.is_some())
    }

    pub(super) fn unsteady(&self) -> bool {
        self.found.iter().any(|found| found.broken.is_none())
    }

    /// For people, with the command that repeats the first finding last.
    pub(super) fn words(&self, shard: Shard, control: &str) -> String {
        let mut text = format!(
            "{:<24}{:>8}{:>8}{:>14}{:>12}{:>8}{:>10}{:>8}\n",
            "", "points", "kills", "power losses", "survivors", "twins", "second", "found"
        );
        for (class, s) in &self.classes {
            let _ = writeln!(
                text,
                "{class:<24}{:>8}{:>8}{:>14}{:>12}{:>8}{:>10}{:>8}",
                s.points, s.kills, s.power_losses, s.survivors, s.twins, s.second, s.found
            );
        }
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let (points, lives) = (self.points as f64 / self.seconds, self.lives as f64 / self.seconds);
        let share =
            if shard == Shard::WHOLE { String::new() } else { format!(", share {}/{}", shard.number + 1, shard.of) };
        let _ = writeln!(
            text,
            "{} points, {} lives and {} sets of surviving writes in {:.0} s ({points:.1} points and {lives:.0} lives a second){share}",
            self.points, self.lives, self.survivors, self.seconds
        );
        for found in self.found.iter().take(10) {
            let what = found.broken.as_deref().unwrap_or("the same cut did not do the same");
            let _ = writeln!(text, "{}: {what}: {}", found.crashes.join(" then "), found.how);
        }
        if self.found.len() > 10 {
            let _ = writeln!(text, "and {} more", self.found.len() - 10);
        }
        match self.found.first() {
            Some(first) => {
                let _ = writeln!(text, "again: {}", first.command(control));
            }
            None if control.is_empty() => text.push_str("everything held\n"),
            None => text.push_str("NOT FOUND: nothing noticed what was made wrong\n"),
        }
        text
    }
}
