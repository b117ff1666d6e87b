//! A metric: its verdict, where it stands on its scale, how much was looked at, and its parts.

use super::draw::{enough, mark, outcome, scale};
use super::model::{Report, checked, origin};
use super::number;
use mainstay_metric::ledger::Origin;
use mainstay_metric::scorecard::{Comparison, Measured, Outcome, Part};
use maud::{Markup, html};

/// Where the row is on the page.
pub(super) fn anchor(metric: &Measured) -> String {
    let of = match metric.origin {
        Origin::Sim => "sim",
        Origin::Lab => "lab",
        Origin::Production => "production",
    };
    format!("{}-{of}", metric.id)
}

pub(super) fn row(report: &Report, metric: &Measured) -> Markup {
    let (found, class, word) = outcome(metric.outcome);
    let (how, about) = checked(metric.origin);
    let class = if metric.counts { class } else { "shown" };
    html! {
        article.metric.(class) id=(anchor(metric)) {
            div.says {
                h3 { (mark(found)) span { (metric.title) } }
                p.word {
                    b { (word) }
                    @if !metric.counts { " (only shown, decides nothing here)" }
                    ": " (metric.why)
                }
                @if let Some((counts, of)) = report.counts(&metric.id) {
                    p.soft { "Counted: " (counts) ". Of: " (of) "." }
                }
                p.soft {
                    code { (metric.id) } " " (origin(metric.origin)) ", "
                    span title=(about) { (how) }
                }
                (excluded(metric))
                (behind(report, metric))
            }
            div.shows {
                @match scale(metric) {
                    Some(drawing) => { (drawing) }
                    None => { p.none { "Nothing was seen. Target " (wanted(metric)) "." } }
                }
                (figures(metric))
            }
            (parts(metric))
        }
    }
}

/// The target with its comparison.
pub(super) fn wanted(metric: &Measured) -> String {
    let sign = match metric.comparison {
        Comparison::AtLeast => "\u{2265}",
        Comparison::AtMost => "\u{2264}",
    };
    format!("{sign} {}", number::value(&metric.target, &metric.unit))
}

fn figures(metric: &Measured) -> Markup {
    let or_none = |text: &Option<String>| {
        text.as_ref().map_or_else(|| "none".to_owned(), |text| number::value(text, &metric.unit))
    };
    html! {
        dl.figures {
            div { dt { "Wanted" } dd { (wanted(metric)) } }
            div { dt { "Estimate" } dd { (or_none(&metric.estimate)) } }
            div { dt { "Bound" } dd { (or_none(&metric.bound)) } }
            div { dt { "Off" } dd { (number::count(metric.failures)) } }
        }
        (enough(metric.sample, metric.least))
        p.soft {
            (number::count(metric.sample)) " looked at, of at least " (number::count(metric.least))
            @if metric.seeds > 0 { "; " (number::of(metric.seeds, "seed")) }
        }
    }
}

/// Worst first; in the order of the table where they are alike.
fn parts(metric: &Measured) -> Markup {
    if metric.parts.is_empty() {
        return html! {};
    }
    let rank = |part: &&Part| match part.outcome {
        Outcome::Fail => 0,
        Outcome::Inconclusive => 1,
        Outcome::Pass => 2,
    };
    let mut parts: Vec<&Part> = metric.parts.iter().collect();
    parts.sort_by_key(rank);
    let off = parts.iter().filter(|part| part.outcome != Outcome::Pass).count();
    html! {
        details {
            summary {
                (parts.len()) " parts"
                @if off > 0 { ", " (off) " of them not shown to hold" }
            }
            table {
                thead { tr { th {} th { "part" } th.n { "looked at" } th.n { "off" } } }
                tbody {
                    @for part in parts {
                        @let (found, class, _) = outcome(part.outcome);
                        tr.(class) {
                            td { (mark(found)) } td { (part.name) }
                            td.n { (number::count(part.sample)) } td.n { (number::count(part.failures)) }
                        }
                    }
                }
            }
        }
    }
}

fn excluded(metric: &Measured) -> Markup {
    html! {
        @for (reason, n) in &metric.excluded {
            @if *n > 0 { p.soft { "Left out: " (number::count(*n)) ", " (reason) "." } }
        }
    }
}

/// Where the lines are that speak against it.
fn behind(report: &Report, metric: &Measured) -> Markup {
    let troubles = super::failures::of_metric(&metric.id);
    let there: Vec<_> = troubles.iter().filter(|trouble| report.evidence.seen.failures.of(**trouble).0 > 0).collect();
    html! {
        @if metric.failures > 0 {
            @for trouble in there {
                p.soft { a href={ "#" (super::failures::anchor(*trouble)) } { "The lines behind it: " (trouble.title()) } }
            }
        }
    }
}
