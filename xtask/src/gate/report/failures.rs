//! From a figure down to the raw line behind it.

use super::model::Report;
use super::number;
use crate::gate::seen::{Failure, Trouble};
use maud::{Markup, html};

/// Kinds of trouble that speak against a metric.
pub(super) fn of_metric(id: &str) -> &'static [Trouble] {
    match id {
        "command-success" => &[Trouble::Command],
        "duplicate-executions" => &[Trouble::Duplicate],
        "control-invariants" => &[Trouble::Broken],
        "poll-recovery" | "recovery-time" => &[Trouble::Unrecovered],
        "traceability" => &[Trouble::Gap],
        "heavy-success" => &[Trouble::Task],
        "outcome-consistency" => &[Trouble::Rerun],
        "mutants" => &[Trouble::Missed],
        "steps" => &[Trouble::Step],
        // The others are made of many lines, none of which is wrong by itself.
        _ => &[],
    }
}

pub(super) fn anchor(trouble: Trouble) -> String {
    format!("{trouble:?}").to_lowercase()
}

pub(super) fn section(report: &Report) -> Markup {
    let failures = &report.evidence.seen.failures;
    let any = !failures.is_empty() || !report.evidence.unreadable.is_empty();
    let words =
        "Raw lines that speak against something, with the place where they stand. The first of each kind word by word.";
    let body = html! {
        @for trouble in Trouble::ALL {
            @let (n, first) = failures.of(trouble);
            @if n > 0 { (kind(trouble, n, first)) }
        }
        @if !report.evidence.unreadable.is_empty() {
            details open {
                summary { "Lines that can't be read (" (report.evidence.unreadable.len()) ")" }
                @for (place, error) in report.evidence.unreadable.iter().take(12) {
                    p { code { (place) } ": " (error) }
                }
            }
        }
    };
    html! {
        section #failures {
            h2 { "What went wrong" }
            @if any { p { (words) } (body) } @else { p { "No raw line speaks against anything." } }
        }
    }
}

fn kind(trouble: Trouble, n: u64, first: &[Failure]) -> Markup {
    html! {
        details.trouble id=(anchor(trouble)) open[n <= 3] {
            summary { (trouble.title()) " (" (number::count(n)) ")" }
            @for failure in first {
                div.failure {
                    p { b { (failure.why) } }
                    p.soft { (failure.run) ", " code { (failure.place) } }
                    pre { (failure.line) }
                }
            }
            @if let Some(left) = n.checked_sub(first.len() as u64) {
                @if left > 0 { p.soft { "And " (number::count(left)) " more." } }
            }
        }
    }
}
