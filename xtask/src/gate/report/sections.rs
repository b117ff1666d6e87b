//! What is drawn: recovery, coverage, planted bugs, benchmarks, drills, probes.

use super::draw::{Axis, Curve, curve, mark, ratio, timeline};
use super::model::Report;
use super::number;
use super::page::section;
use crate::gate::probes::{Found, Probed, Theme};
use crate::gate::seen::{Planted, Stage, Strikes};
use mainstay_metric::ledger::{Figure, Origin};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn recovery(report: &Report) -> Markup {
    let faults = &report.evidence.seen.faults;
    let of = |origin: Origin| faults.iter().filter(move |((seen_by, _), _)| *seen_by == origin);
    let groups = [Origin::Sim, Origin::Lab, Origin::Production];
    let body = html! {
        @for origin in groups {
            @if of(origin).next().is_some() {
                h3 { "In the " (super::model::origin(origin)) }
                div.grid {
                    @for ((_, class), strikes) in of(origin) { (recovered(class, strikes)) }
                }
            }
        }
    };
    section(
        "recovery",
        "How long until it went on",
        "For each class of faults: the share that was got over within a time, from the strike to the first thing that went \
         through. Green is in time (10 min); what never got through stays missing at the top, marked with a cross.",
        (!faults.is_empty()).then_some(body),
    )
}

/// The time within which a share of all strikes was got over; none: they were not.
fn within(times: &[i64], struck: u64, percent: u64) -> String {
    let place = (struck * percent).div_ceil(100).saturating_sub(1);
    let time = usize::try_from(place).ok().and_then(|place| times.get(place));
    time.map_or_else(|| "never".to_owned(), |ms| format!("in {}", number::span(*ms)))
}

fn recovered(class: &str, strikes: &Strikes) -> Markup {
    let times = strikes.sorted();
    let class_of = if strikes.lost > 0 { "off" } else { "" };
    html! {
        figure.(class_of) {
            figcaption {
                b { (class) }
                @if strikes.polls { " " span.tag { "polls" } }
            }
            (curve(&Curve { name: class, times: &times, lost: strikes.lost }))
            p.soft {
                (number::count(strikes.struck)) " times; half " (within(&times, strikes.struck, 50))
                ", 95 % " (within(&times, strikes.struck, 95))
                @if strikes.lost > 0 { "; " b { (number::count(strikes.lost)) " never" } }
                @if strikes.by_hand > 0 { "; " b { (number::count(strikes.by_hand)) " by hand" } }
            }
        }
    }
}

pub(super) fn coverage(report: &Report) -> Markup {
    let coverage = &report.evidence.seen.coverage;
    let most = coverage.values().flat_map(BTreeMap::values).copied().max().unwrap_or(1);
    let body = html! {
        div.wide {
            table.heat {
                thead {
                    tr { th { "fault" } th colspan="3" { "struck while a task was" } th colspan="4" { "in a run in which a task ended" } }
                    tr { th {} @for stage in Stage::ALL { th.n { (stage.name()) } } }
                }
                tbody {
                    @for (class, cells) in coverage {
                        tr {
                            th { (class) }
                            @for stage in Stage::ALL { (cell(cells.get(&stage).copied().unwrap_or(0), most)) }
                        }
                    }
                }
            }
        }
    };
    section(
        "coverage",
        "Which faults met which tasks",
        "In how many simulated runs. A dotted cell never happened: what is not met is not shown.",
        (!coverage.is_empty()).then_some(body),
    )
}

fn cell(n: u64, most: u64) -> Markup {
    // By magnitude: a cell with ten of ten thousand has to be told from one with none.
    let heat = match n {
        0 => 0,
        n => 1 + 4 * n.ilog2().min(most.ilog2()) / most.ilog2().max(1),
    };
    html! { td.n.{ "heat" (heat) } { @if n == 0 { "\u{b7}" } @else { (number::count(n)) } } }
}

pub(super) fn bugs(report: &Report) -> Markup {
    let mutants = &report.evidence.seen.mutants;
    let mut by: BTreeMap<&str, Vec<&Planted>> = BTreeMap::new();
    for planted in mutants.values() {
        by.entry(planted.mutant.caught_by.as_deref().unwrap_or("nothing")).or_default().push(planted);
    }
    let missed = by.get("nothing").map_or(0, Vec::len);
    let mut rows: Vec<_> = by.into_iter().collect();
    rows.sort_by_key(|(name, _)| *name != "nothing");
    let words = format!(
        "Bugs that were planted to see whether anything finds them: {} of {} found. A square is a bug; point at it for its \
         name and the seeds it took.",
        mutants.len() - missed,
        mutants.len()
    );
    let body = html! {
        div.bugs {
            @for (name, planted) in &rows {
                div.found-by {
                    span.name { @if *name == "nothing" { b { "found by nothing" } } @else { (name) } }
                    span.squares { @for planted in planted { (square(planted)) } }
                }
            }
        }
        details {
            summary { "All of them, with the seeds that they took" }
            table {
                thead { tr { th {} th { "bug" } th { "found by" } th.n { "seeds" } th { "line" } } }
                tbody { @for planted in mutants.values() { (bug(planted)) } }
            }
        }
    };
    section("bugs", "Planted bugs", &words, (!mutants.is_empty()).then_some(body))
}

fn found(planted: &Planted) -> Found {
    if planted.mutant.caught_by.is_some() { Found::Yes } else { Found::No }
}

fn square(planted: &Planted) -> Markup {
    let seeds = number::of(planted.mutant.seeds, "seed");
    html! { span.square title={ (planted.mutant.name) ": " (seeds) } { (mark(found(planted))) } }
}

fn bug(planted: &Planted) -> Markup {
    let mutant = &planted.mutant;
    html! {
        tr {
            td { (mark(found(planted))) }
            td { code { (mutant.name) } }
            td { (mutant.caught_by.as_deref().unwrap_or("nothing")) }
            td.n { (number::count(mutant.seeds)) }
            td.soft { (planted.place) }
        }
    }
}

pub(super) fn benches(report: &Report) -> Markup {
    let figures = &report.evidence.seen.figures;
    let axis = Axis::over(figures.iter().filter_map(|figure| figure.ratio.as_ref()));
    let steps: Vec<_> = report.evidence.seen.steps_of("bench").collect();
    let body = html! {
        div.benches { @for figure in figures { (bench(figure, axis)) } }
        @if !steps.is_empty() {
            h3 { "Counted, and therefore decisive" }
            ul.steps {
                @for tried in steps {
                    @let found = tried.step.held.map_or(Found::Unknown, |held| if held { Found::Yes } else { Found::No });
                    li { (mark(found)) " " (tried.step.name) ": " (tried.step.seen) }
                }
            }
        }
    };
    section(
        "benches",
        "Benchmarks",
        "Ours against the least that any design must pay, measured in the same run, round by round. The line is the floor \
         (1.0), the dot the median, the bar the rounds. A target of time that is missed is a figure, not a failed gate.",
        (!figures.is_empty()).then_some(body),
    )
}

fn bench(figure: &Figure, axis: Axis) -> Markup {
    let found = match figure.met {
        Some(true) => Found::Yes,
        Some(false) => Found::No,
        None => Found::Unknown,
    };
    html! {
        div.bench {
            span.name { @if figure.wanted.is_some() { (mark(found)) " " } (figure.what) }
            span.drawing { @if let Some(rounds) = figure.ratio { (ratio(rounds, figure.met, axis)) } }
            span.value {
                @if let Some([middle, ..]) = figure.ratio { b { (number::measured(middle)) " x" } " " }
                (number::measured(figure.ours))
                @if let Some(floor) = figure.floor { " : " (number::measured(floor)) }
                @if figure.unit != "1" { " " (figure.unit) }
                @if let Some(wanted) = &figure.wanted { ", wanted " (wanted) }
            }
        }
    }
}

pub(super) fn drills(report: &Report) -> Markup {
    // What was forged shows that the judge sees, and nothing of the drills.
    let steps = report.evidence.seen.steps_of("deploy").filter(|tried| !tried.step.name.starts_with("forged "));
    let steps: Vec<_> = steps.collect();
    let names: BTreeSet<&str> = steps.iter().map(|tried| tried.scenario.as_str()).collect();
    let body = html! {
        div.grid {
            @for name in &names {
                figure {
                    figcaption { b { (name) } }
                    @if let Some(moments) = moments(report, name) { (timeline(&moments)) }
                    ul.steps {
                        @for tried in steps.iter().filter(|tried| tried.scenario == **name) {
                            @let found = tried.step.held.map_or(Found::Unknown, |held| if held { Found::Yes } else { Found::No });
                            li { (mark(found)) " " (tried.step.name) ": " (tried.step.seen) }
                        }
                    }
                }
            }
        }
    };
    section(
        "drills",
        "Deploy drills",
        "Releases that are good and releases that are not, and how each was taken back.",
        (!steps.is_empty()).then_some(body),
    )
}

/// `drills/NAME.json`, and `drills/NAME-0002.json` of a further unit: `{"held": true, "moments": [{"what": "flip", "at_ms": 180},
/// ...]}`. One that went wrong goes first.
fn moments(report: &Report, name: &str) -> Option<Vec<(String, i64)>> {
    let of_mode = |path: &&String| {
        let stem = path.strip_prefix("drills/").and_then(|file| file.strip_suffix(".json"));
        stem.and_then(|stem| stem.strip_prefix(name)).is_some_and(|piece| piece.is_empty() || piece.starts_with("-0"))
    };
    let mut drills = report.evidence.files.keys().filter(of_mode).filter_map(|path| report.evidence.json(path));
    let first = drills.next()?;
    let drill = drills.chain([first.clone()]).find(|drill| drill["held"] == false).unwrap_or(first);
    let moments = drill.get("moments")?.as_array()?;
    moments.iter().map(|m| Some((m.get("what")?.as_str()?.to_owned(), m.get("at_ms")?.as_i64()?))).collect()
}

pub(super) fn probes(report: &Report) -> Markup {
    let probed = &report.probed;
    let words = format!(
        "Score {} of 100, by weight. What can't be told from the bundle counts as no; a critical probe (ringed) that \
         is not answered yes caps the score.",
        report.score()
    );
    let of = |theme: Theme| probed.iter().filter(move |probe| probe.theme == theme.name());
    let body = html! {
        div.bugs {
            @for theme in Theme::ALL {
                div.found-by {
                    span.name { (theme.name()) }
                    span.squares {
                        @for probe in of(theme) {
                            span.square.critical[probe.critical] title={ (probe.asks) " " (probe.seen) } { (mark(probe.outcome)) }
                        }
                    }
                }
            }
        }
        @let off: Vec<&Probed> = probed.iter().filter(|probe| probe.outcome != Found::Yes).collect();
        @if !off.is_empty() { details open { summary { "Not answered yes (" (off.len()) ")" } (questions(off.into_iter())) } }
        details { summary { "All questions, and where the answers are from" } (questions(probed.iter())) }
    };
    section("probes", "Audit", &words, (!probed.is_empty()).then_some(body))
}

fn questions<'a>(probed: impl Iterator<Item = &'a Probed>) -> Markup {
    html! {
        table {
            thead { tr { th {} th { "question" } th { "seen" } th { "where" } th.n { "weight" } } }
            tbody {
                @for probe in probed {
                    tr {
                        td { (mark(probe.outcome)) }
                        td { (probe.asks) @if probe.critical { " " span.tag { "critical" } } br; code { (probe.id) } }
                        td { (probe.seen) }
                        td.soft { (probe.at) }
                        td.n { (probe.weight) }
                    }
                }
            }
        }
    }
}
