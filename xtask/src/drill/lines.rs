//! Rounds as lines of the ledger, and as the timeline that a report draws.

use super::forge;
use super::judge::judge;
use super::seen::Seen;
use crate::kill::lines::lines;
use mainstay_metric::ledger::{Fault, Line, Origin, Property, Run, Step};
use serde_json::{Value, json};

/// A round that went wrong: why.
pub(crate) fn wrong(seen: &Seen) -> Option<String> {
    let broken = judge(seen).into_iter().find_map(|Property { name, broken, .. }| Some(format!("{name}: {}", broken?)));
    let command =
        seen.evidence.commands.iter().find_map(|command| {
            Some(format!("/{} at {} ms: {}", command.verb, command.at_ms, command.wrong.as_ref()?))
        });
    let why = seen.cut_off.as_ref().map(|why| format!("cut off: {why}"));
    why.or(broken).or(command)
}

/// All lines of rounds of one mode; those of all of them stand in the last run.
pub(crate) fn told(rounds: &[Seen]) -> Vec<Line> {
    let mut all: Vec<Line> = rounds.iter().flat_map(round).collect();
    let end = all.pop();
    all.extend(steps(rounds).into_iter().chain(forge::tried(rounds)).map(Line::Step));
    all.extend(end);
    all
}

fn round(seen: &Seen) -> Vec<Line> {
    let head = Run {
        suite: "deploy".into(),
        origin: Origin::Lab,
        seed: seen.seed,
        scenario: seen.mode.name.into(),
        persona: None,
        faults: true,
        kept: false,
    };
    let mut lines = lines(&seen.evidence, head, seen.at_ms, seen.cut_off.clone());
    let end = lines.pop();
    // The judge of a drill has both among its properties.
    lines.retain(|line| !matches!(line, Line::Property(_) | Line::Step(_)));
    lines.extend(judge(seen).into_iter().map(Line::Property));
    lines.extend(fault(seen).map(Line::Fault));
    lines.extend(end);
    lines
}

/// The class of incidents that a failed release is one of.
pub(crate) fn fault_class(seen: &Seen) -> String {
    format!("release-{}", seen.mode.name)
}

/// A release that failed, from its failure to the first round trip behind it, where nobody had to do anything.
fn fault(seen: &Seen) -> Option<Fault> {
    let (began, end) = (seen.began?, seen.end()?);
    end.is_told().then(|| Fault {
        class: fault_class(seen),
        polls: true,
        struck_ms: began,
        over_ms: seen.led_back.unwrap_or(began).max(began),
        recovered_ms: seen.back,
        by_hand: false,
    })
}

/// What holds of all rounds of a mode.
fn steps(rounds: &[Seen]) -> Vec<Step> {
    let Some(mode) = rounds.first().map(|seen| seen.mode) else { return Vec::new() };
    let off: Vec<String> =
        rounds.iter().filter_map(|seen| Some(format!("{}: {} ({})", seen.done, wrong(seen)?, seen.again()))).collect();
    let slowest = rounds.iter().filter_map(Seen::way_back_ms).max();
    let back = slowest.map_or("no way back".to_owned(), |ms| format!("slowest way back {}", seconds(ms)));
    let n = rounds.len();
    let seen = match off.first() {
        None => format!("{n} rounds, {back}; {}", rounds[0].supervisor.words()),
        Some(first) => format!("{} of {n} rounds did not; first: {first}", off.len()),
    };
    let mut steps = vec![Step { name: format!("{} holds", mode.name), held: Some(off.is_empty()), seen }];
    let ways: Vec<&Seen> = rounds.iter().filter(|seen| seen.began.is_some()).collect();
    if !ways.is_empty() {
        let late = ways.iter().filter(|seen| seen.way_back_ms().is_none_or(|ms| ms >= super::judge::BACK_WITHIN_MS));
        let (late, ways) = (late.count(), ways.len());
        steps.push(Step {
            name: "back within a minute".into(),
            held: Some(late == 0),
            seen: format!("{} of {ways} ways back, {back}", ways - late),
        });
    }
    steps
}

pub(crate) fn seconds(ms: i64) -> String {
    format!("{}.{} s", ms / 1_000, ms.rem_euclid(1_000) / 100)
}

/// The timeline of the round that went wrong, else of the one with the slowest way back. Its times are from when the switch
/// began.
pub(crate) fn timeline(rounds: &[Seen]) -> Option<Value> {
    let bad = rounds.iter().find(|seen| wrong(seen).is_some());
    let seen = bad.or_else(|| rounds.iter().max_by_key(|seen| seen.way_back_ms()))?;
    let zero = seen.moments.iter().find(|(what, _)| what == "begin").or(seen.moments.first()).map_or(0, |(_, at)| *at);
    let moments = seen.moments.iter().filter(|(_, at)| *at >= zero);
    let moments: Vec<Value> = moments.map(|(what, at)| json!({ "what": what, "at_ms": at - zero })).collect();
    Some(json!({
        "name": seen.mode.name, "held": bad.is_none(), "done": seen.done, "seed": seen.seed, "nth": seen.nth, "way_back_ms": seen.way_back_ms(),
        "supervisor": seen.supervisor.words(), "moments": moments,
    }))
}
