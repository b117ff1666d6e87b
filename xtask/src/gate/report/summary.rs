//! The report in at most a hundred lines of Markdown, for the step summary of a workflow.

use super::draw::outcome;
use super::model::{Report, origin};
use super::{number, rows};
use crate::gate::probes::Found;
use crate::gate::seen::Trouble;
use mainstay_metric::scorecard::{Group, Measured, Outcome};
use std::fmt::Write;

/// Lines at most.
pub(super) const LINES: usize = 100;
/// So many failures and probes are named.
const NAMED: usize = 12;

pub(super) fn summary(report: &Report) -> String {
    let mut text = String::new();
    let (_, _, word) = outcome(report.verdict);
    let _ = writeln!(text, "## {} {word}: {}\n", sign(report.verdict), report.commit());
    let _ = writeln!(text, "{}\n", plain(&report.why));
    if !report.caps.is_empty() {
        let _ = writeln!(text, "Can't be PASS: {}.\n", plain(&report.caps.join("; ")));
    }
    let seen = &report.evidence.seen;
    let (runs, lines) = (number::count(seen.runs()), number::count(report.evidence.lines));
    let _ = writeln!(text, "{runs} runs, {lines} raw lines, attempt {}.\n", plain(&report.fact("attempt")));
    text += "| | metric | wanted | bound | estimate | off / looked at | least |\n|---|---|---|---|---|---|---|\n";
    for group in [Group::Gate, Group::Kpi] {
        for metric in report.group(group) {
            text += &row(report, metric);
        }
    }
    let off: Vec<_> = report.probed.iter().filter(|probe| probe.outcome != Found::Yes).collect();
    let (score, all) = (report.score(), report.probed.len());
    let _ = writeln!(text, "\nAudit score {score}; {} of {all} probes not answered yes.", off.len());
    for probe in off.iter().take(NAMED) {
        let critical = if probe.critical { " (critical)" } else { "" };
        let _ = writeln!(text, "- `{}`{critical}: {}", probe.id, plain(&probe.seen));
    }
    failures(report, &mut text);
    cut(&text)
}

fn row(report: &Report, metric: &Measured) -> String {
    let or_none = |text: &Option<String>| {
        text.as_ref().map_or_else(|| "none".to_owned(), |text| number::value(text, &metric.unit))
    };
    let shown = if metric.counts { String::new() } else { format!(" ({}, only shown)", origin(metric.origin)) };
    format!(
        "| {} {} | {}{shown} | {} | {} | {} | {} / {} | {} |\n",
        sign(metric.outcome),
        outcome(metric.outcome).2,
        plain(&report.title(metric)),
        rows::wanted(metric),
        or_none(&metric.bound),
        or_none(&metric.estimate),
        number::count(metric.failures),
        number::count(metric.sample),
        number::count(metric.least),
    )
}

fn failures(report: &Report, text: &mut String) {
    let failures = &report.evidence.seen.failures;
    if failures.is_empty() {
        return;
    }
    *text += "\n### What went wrong\n\n";
    for trouble in Trouble::ALL {
        let (n, first) = failures.of(trouble);
        if let Some(failure) = first.first() {
            let (title, why, run) = (trouble.title(), plain(&failure.why), plain(&failure.run));
            let _ = writeln!(text, "- {title}: {}. First: {why} ({run}), `{}`", number::count(n), failure.place);
        }
    }
}

/// A verdict as a sign that needs no colour.
pub(super) fn sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "\u{2714}",
        Outcome::Fail => "\u{2716}",
        Outcome::Inconclusive => "?",
    }
}

/// Words that can't become markup: of others, a table cell must not be left.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars().take(240) {
        match c {
            '<' => plain += "&lt;",
            '>' => plain += "&gt;",
            '&' => plain += "&amp;",
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '!' | '#' | '~' | '@' => {
                plain.push('\\');
                plain.push(c);
            }
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

fn cut(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= LINES {
        return lines.join("\n") + "\n";
    }
    lines[..LINES - 1].join("\n") + "\nMore is in report/index.html.\n"
}
