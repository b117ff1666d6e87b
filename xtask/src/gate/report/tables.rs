//! What is told in tables: properties, kill rounds, simulated days, suites, exclusions, and how to check all of it.

use super::draw::mark;
use super::model::Report;
use super::number;
use super::page::section;
use crate::gate::probes::Found;
use crate::gate::seen::{Looked, Strikes};
use mainstay_metric::ledger::Origin;
use mainstay_metric::limits::SLICES_OF_A_DAY;
use maud::{Markup, html};
use std::collections::BTreeSet;

pub(super) fn properties(report: &Report) -> Markup {
    let seen = &report.evidence.seen;
    let finders: BTreeSet<&str> =
        seen.mutants.values().filter_map(|planted| planted.mutant.caught_by.as_deref()).collect();
    let mut rows: Vec<(&String, &Looked)> = seen.properties.iter().collect();
    rows.sort_by_key(|(_, looked)| (looked.broken == 0, looked.looked));
    let body = html! {
        details open {
            summary { (number::count(seen.properties.len() as u64)) " properties, the least looked at first" }
            div.wide { table {
                thead { tr { th {} th { "property" } th.n { "asked of" } th.n { "runs" } th.n { "broken" } th { "found a planted bug" } th { "in" } } }
                tbody {
                    @for (name, looked) in rows {
                        tr {
                            td { (mark(if looked.broken > 0 { Found::No } else { Found::Yes })) }
                            td { (name) }
                            td.n { (number::count(looked.looked)) }
                            td.n { (number::count(looked.runs)) }
                            td.n { (number::count(looked.broken)) }
                            td { @if finders.contains(name.as_str()) { "yes" } @else { "no" } }
                            td.soft { (words(&looked.suites)) }
                        }
                    }
                }
            } }
        }
    };
    section(
        "properties",
        "Properties",
        "What must hold in every run, and of how many things each was asked that could have broken it. One that never met \
         such a thing, or that never found a planted bug, shows little.",
        (!seen.properties.is_empty()).then_some(body),
    )
}

fn words<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

pub(super) fn kills(report: &Report) -> Markup {
    let seen = &report.evidence.seen;
    let real: Vec<(&String, &Strikes)> = seen
        .faults
        .iter()
        .filter(|((origin, _), _)| *origin == Origin::Lab)
        .map(|((_, class), s)| (class, s))
        .collect();
    let body = html! {
        div.wide { table {
            thead { tr { th { "what" } th.n { "times" } th.n { "half in" } th.n { "longest" } th.n { "by hand" } th.n { "never" } } }
            tbody {
                @for (class, strikes) in &real {
                    @let times = strikes.sorted();
                    tr {
                        td { (class) }
                        td.n { (number::count(strikes.struck)) }
                        td.n { (times.get(times.len() / 2).map_or_else(|| "never".to_owned(), |ms| number::span(*ms))) }
                        td.n { (times.last().map_or_else(|| "never".to_owned(), |ms| number::span(*ms))) }
                        td.n { (number::count(strikes.by_hand)) }
                        td.n { (number::count(strikes.lost)) }
                    }
                }
            }
        } }
    };
    section(
        "kills",
        "The real program, killed",
        "On a real disk with real processes: killed or frozen at moments all over the life of tasks, and judged by the \
         workers' own books and the chat.",
        (!real.is_empty()).then_some(body),
    )
}

pub(super) fn days(report: &Report) -> Markup {
    let seen = &report.evidence.seen;
    let body = html! {
        div.wide { table {
            thead { tr { th { "played" } th.n { "runs" } th.n { "days" } th.n { "minutes without an answer" } th.n { "worst run" } } }
            tbody {
                @for (scenario, probing) in &seen.probing {
                    tr {
                        td { (scenario) }
                        td.n { (number::count(probing.runs)) }
                        td.n { (number::count(probing.all / SLICES_OF_A_DAY)) }
                        td.n { (number::count(probing.bad)) }
                        td.n { (number::count(probing.worst)) " min" }
                    }
                }
            }
        } }
        @if !seen.reruns.is_empty() {
            @let alike = seen.reruns.values().filter(|job| job.agree()).count();
            p { (alike) " of " (seen.reruns.len()) " jobs came to the same, and to what is right, under all their schedules of faults." }
        }
        @if !seen.acts.is_empty() {
            p { "Acts of people (a model, and always called so): "
                @for (n, (persona, acts)) in seen.acts.iter().enumerate() {
                    @if n > 0 { ", " } (persona) " " (number::count(*acts))
                } "."
            }
        }
    };
    section(
        "days",
        "Simulated days",
        "With people who sleep, mistype and lose patience; probed once a minute from outside.",
        (!seen.probing.is_empty()).then_some(body),
    )
}

pub(super) fn suites(report: &Report) -> Markup {
    let seen = &report.evidence.seen;
    let body = html! {
        div.wide { table {
            thead { tr { th { "suite" } th.n { "runs" } th.n { "seeds" } th.n { "kept" } th.n { "calm" } th.n { "cut off" } th.n { "lasted" } th { "seen by" } } }
            tbody {
                @for (name, suite) in &seen.suites {
                    tr {
                        td { (name) }
                        td.n { (number::count(suite.runs)) }
                        td.n { (number::count(suite.seeds.len() as u64)) }
                        td.n { (number::count(suite.kept)) }
                        td.n { (number::count(suite.calm)) }
                        td.n { (number::count(suite.cut_off)) }
                        td.n { (number::span(suite.lasted_ms)) }
                        td { @for (n, by) in suite.origins.iter().enumerate() { @if n > 0 { ", " } (super::model::origin(*by)) } }
                    }
                }
            }
        } }
    };
    section(
        "suites",
        "Suites and seeds",
        "How much was played. Kept seeds failed once: they must hold, and count in no ratio. Calm runs have no faults. Times \
         are of the clock inside a run.",
        (!seen.suites.is_empty()).then_some(body),
    )
}

pub(super) fn exclusions(report: &Report) -> Markup {
    let rows: Vec<_> = report
        .card
        .metrics
        .iter()
        .flat_map(|metric| metric.excluded.iter().map(move |(reason, n)| (metric, reason, *n)))
        .collect();
    let body = html! {
        div.wide { table {
            thead { tr { th { "metric" } th { "reason" } th.n { "left out" } th.n { "looked at" } } }
            tbody {
                @for (metric, reason, n) in &rows {
                    tr {
                        td { (metric.id) } td { (reason) } td.n { (number::count(*n)) } td.n { (number::count(metric.sample)) }
                    }
                }
            }
        } }
    };
    let words =
        "By the closed list of the policy; nothing else is ever left out. Timeouts and cut-off runs are failures.";
    section("exclusions", "Left out", words, (!rows.is_empty()).then_some(body))
}

pub(super) fn checking(report: &Report) -> Markup {
    let environment = report.evidence.json("env.json");
    let body = html! {
        p { "Computed again from the raw lines, compared byte by byte, and three units played again:" }
        pre { "cargo xtask gate verify BUNDLE --key KEY --replay 3" }
        table { tbody {
            tr { td { b { "replayable" } } td { "The runs behind it can be played again from their seeds and have to come to the same digest." } }
            tr { td { b { "attested" } } td { "Computed again from the raw lines; that those are true, only the machine that made them and its signature say." } }
        } }
        @if let Some(serde_json::Value::Object(fields)) = environment {
            details {
                summary { "Made with" }
                table { tbody {
                    @for (name, value) in fields {
                        tr { td { (name) } td { (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) } }
                    }
                } }
            }
        }
        p.soft { "What this does not show is in docs/GATE.md." }
    };
    section("checking", "How to check this", "A report is a drawing. What counts are the files beside it.", Some(body))
}
