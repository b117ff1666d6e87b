//! The page: what the verdict is, in one glance; then every row; then what lies behind.

use super::draw::{mark, outcome, symbols};
use super::model::Report;
use super::{failures, number, rows, sections, tables};
use mainstay_metric::scorecard::{Group, Outcome};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

pub(super) fn page(report: &Report) -> String {
    let (_, _, word) = outcome(report.verdict);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (word) " " (report.commit()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (symbols())
                main {
                    (head(report))
                    (glance(report))
                    (group(report, Group::Gate, "gate", "Gate", "Each has to be shown: the bound, not the estimate, has to be on the good side of the target."))
                    (group(report, Group::Kpi, "kpi", "KPIs", "By the same rules."))
                    (failures::section(report))
                    (sections::recovery(report))
                    (sections::coverage(report))
                    (sections::bugs(report))
                    (tables::properties(report))
                    (sections::benches(report))
                    (tables::kills(report))
                    (tables::days(report))
                    (sections::drills(report))
                    (sections::probes(report))
                    (tables::suites(report))
                    (tables::exclusions(report))
                    (tables::checking(report))
                }
            }
        }
    };
    page.into_string() + "\n"
}

fn head(report: &Report) -> Markup {
    let (found, class, word) = outcome(report.verdict);
    let means = match report.verdict {
        Outcome::Pass => "Everything that has to be shown is shown.",
        Outcome::Inconclusive => "Nothing is refuted, and not everything is shown.",
        Outcome::Fail => "Something that has to hold does not.",
    };
    let seen = &report.evidence.seen;
    let facts = [
        ("Commit", report.commit()),
        ("Committed", report.fact("committed")),
        ("Attempt", report.fact("attempt")),
        ("Runs", number::count(seen.runs())),
        ("Raw lines", number::count(report.evidence.lines)),
    ];
    html! {
        header.(class) {
            div.verdict { (mark(found)) h1 { (word) } }
            p.means { (means) }
            p.why { (report.why) }
            dl {
                @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
            }
            @if !report.caps.is_empty() {
                ul.notes { @for words in &report.caps { li { (words) } } }
            }
        }
    }
}

/// All rows that decide, a tile each.
fn glance(report: &Report) -> Markup {
    let of = |outcome: Outcome| report.count(outcome);
    html! {
        section #glance {
            h2 { "At a glance" }
            p {
                (of(Outcome::Pass)) " shown, " (of(Outcome::Inconclusive)) " with too little to go by, "
                (of(Outcome::Fail)) " refuted."
            }
            ul.tiles {
                @for metric in report.counting() {
                    @let (found, class, word) = outcome(metric.outcome);
                    li.(class) {
                        a href={ "#" (rows::anchor(metric)) } {
                            (mark(found))
                            span.name { (report.title(metric)) }
                            span.value {
                                @match &metric.bound {
                                    Some(bound) => { (number::value(bound, &metric.unit)) }
                                    None => { "nothing seen" }
                                }
                            }
                            span.word { (word.to_lowercase()) }
                        }
                    }
                }
            }
        }
    }
}

fn group(report: &Report, group: Group, id: &str, title: &str, words: &str) -> Markup {
    html! {
        section #(id) {
            h2 { (title) }
            p { (words) }
            @for metric in report.group(group) { (rows::row(report, metric)) }
        }
    }
}

/// A section with its heading; nothing where there is nothing to show.
pub(super) fn section(id: &str, title: &str, words: &str, body: Option<Markup>) -> Markup {
    html! {
        section #(id) {
            h2 { (title) }
            p { (words) }
            @match body {
                Some(body) => { (body) }
                None => { p.none { "The bundle has nothing of this." } }
            }
        }
    }
}
