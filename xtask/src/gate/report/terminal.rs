//! `gate show BUNDLE`: the scorecard in 80 columns. Colours only on a terminal, and never alone.

use super::draw::outcome;
use super::model::Report;
use super::summary::sign;
use super::{number, rows};
use crate::gate::probes::Found;
use crate::gate::seen::{Evidence, Trouble};
use mainstay_metric::scorecard::{Group, Measured, Outcome};
use std::fmt::Write;
use std::path::Path;

/// Wider than this is not written, but for paths.
const COLUMNS: usize = 80;

/// How a scorecard is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    /// For people, on a terminal or not.
    People {
        /// With colours.
        colours: bool,
    },
    /// As it stands in `derived/metrics.json`.
    Json,
}

/// What a bundle came to.
///
/// # Errors
/// A file that can't be read, or no scorecard.
pub(crate) fn show(folder: &Path, tell: Tell) -> Result<String, String> {
    let report = Report::new(Evidence::read(folder)?)?;
    Ok(match tell {
        Tell::Json => report.evidence.files.get("derived/metrics.json").cloned().unwrap_or_default(),
        Tell::People { colours } => people(&report, colours),
    })
}

pub(super) fn people(report: &Report, colours: bool) -> String {
    let mut text = String::new();
    let (_, _, word) = outcome(report.verdict);
    let verdict = painted(&format!("{} {word}", sign(report.verdict)), report.verdict, colours);
    let _ = writeln!(text, "{verdict}  commit {}, attempt {}", clean(&report.commit()), clean(&report.fact("attempt")));
    text += &folded(&report.why, "  ");
    for words in &report.caps {
        text += &folded(words, "  can't be PASS: ");
    }
    for (group, title) in [(Group::Gate, "Gate"), (Group::Kpi, "KPIs")] {
        let _ = writeln!(text, "\n{title:<40} {:>10} {:>10} {:>16}", "wanted", "bound", "off/looked at");
        for metric in report.group(group) {
            text += &row(report, metric, colours);
        }
    }
    let yes = report.probed.iter().filter(|probe| probe.outcome == Found::Yes).count();
    let _ = writeln!(text, "\nAudit {}: {yes} of {} probes answered yes", report.score(), report.probed.len());
    for probe in report.probed.iter().filter(|probe| probe.outcome != Found::Yes).take(8) {
        let critical = if probe.critical { ", critical" } else { "" };
        text += &folded(&format!("{}{critical}: {}", probe.id, probe.seen), "  - ");
    }
    troubles(report, &mut text);
    text
}

fn row(report: &Report, metric: &Measured, colours: bool) -> String {
    let bound = metric.bound.as_ref().map_or_else(|| "none".to_owned(), |text| number::value(text, &metric.unit));
    let looked = format!("{}/{}", number::count(metric.failures), number::count(metric.sample));
    let shown = if metric.counts { "" } else { "shown: " };
    let title: String = clean(&format!("{shown}{}", report.title(metric))).chars().take(38).collect();
    let sign = painted(sign(metric.outcome), metric.outcome, colours);
    let mut text = format!("{sign} {title:<38} {:>10} {bound:>10} {looked:>16}\n", rows::wanted(metric));
    if metric.outcome != Outcome::Pass {
        text += &folded(&metric.why, "    ");
    }
    text
}

fn troubles(report: &Report, text: &mut String) {
    for trouble in Trouble::ALL {
        let (n, first) = report.evidence.seen.failures.of(trouble);
        if let Some(failure) = first.first() {
            let _ = writeln!(text, "\n{}: {}", trouble.title(), number::count(n));
            *text += &folded(&failure.why, "  ");
            *text += &folded(&failure.run, "  ");
            let _ = writeln!(text, "  {}", clean(&failure.place.to_string()));
        }
    }
}

fn painted(text: &str, outcome: Outcome, colours: bool) -> String {
    let code = match outcome {
        Outcome::Pass => 32,
        Outcome::Fail => 31,
        Outcome::Inconclusive => 33,
    };
    if colours { format!("\u{1b}[1;{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Without what could move a terminal's cursor.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// In lines that fit, the first with `lead`, the others as far in.
fn folded(text: &str, lead: &str) -> String {
    let room = COLUMNS - lead.chars().count();
    let mut lines: Vec<String> = vec![String::new()];
    for word in clean(text).split_whitespace() {
        let line = lines.last_mut().expect("there is always one");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let blank = " ".repeat(lead.chars().count());
    let lead_of = |n: usize| if n == 0 { lead } else { blank.as_str() };
    lines.iter().enumerate().map(|(n, line)| format!("{}{line}\n", lead_of(n))).collect()
}
