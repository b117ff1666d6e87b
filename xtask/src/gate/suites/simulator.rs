//! The simulator, called for evidence: `mainstay-simulate evidence SCENARIO --suite NAME --seeds S1,S2,...` prints lines, run
//! after run. A broken property is a line; what has no end is closed here, as cut off.

use super::Unit;
use crate::gate::site::{Build, Called, Site};
use crate::sim::mutants::Planted;
use mainstay_metric::ledger::{End, Line, Run};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A unit takes up to a minute; one that takes so long hangs.
const HANGS: Duration = Duration::from_secs(900);
/// The simulator's exit code for what it can't read.
const USAGE: i32 = 2;

/// What is played.
pub(super) struct Play<'a> {
    /// `evidence` or `reruns`.
    pub(super) command: &'a str,
    /// The scenario's file.
    pub(super) scenario: &'a str,
    /// Whose habits.
    pub(super) persona: Option<&'a str>,
}

/// Builds the simulator.
pub(super) fn prepare(site: &Site<'_>) -> Result<(), String> {
    match site.build {
        Build::Commit => crate::sim::build(site.root)
            .map(drop)
            .map_err(|()| "the simulator does not build: cargo says why above".to_owned()),
        Build::Copy | Build::Planted(_) => Planted::build(site.root),
    }
}

/// It, to be called in the checkout once it is built.
pub(super) fn simulator(site: &Site<'_>) -> Command {
    let mut command = match site.build {
        Build::Commit => Command::new(site.root.join("target").join(crate::sim::PROFILE).join(crate::sim::SIMULATOR)),
        Build::Copy => Planted::command(site.root, None),
        Build::Planted(bug) => Planted::command(site.root, Some(bug)),
    };
    command.current_dir(site.root);
    command
}

/// The lines of the unit's seeds.
pub(super) fn evidence(site: &Site<'_>, unit: &Unit, play: &Play<'_>) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    let mut left = site.seeds(unit);
    while let Some(first) = left.first().copied() {
        let mut command = simulator(site);
        let seeds: Vec<String> = left.iter().map(u64::to_string).collect();
        command.args([play.command, play.scenario, "--suite", site.suite.name, "--seeds", &seeds.join(",")]);
        if let Some(persona) = play.persona {
            command.args(["--persona", persona]);
        }
        let called = site.call(&mut command, HANGS)?;
        let mut told = parse(&called, play)?;
        let head = Run {
            suite: site.suite.name.to_owned(),
            origin: site.suite.origin,
            seed: first,
            scenario: stem(play.scenario).to_owned(),
            persona: play.persona.map(str::to_owned),
            faults: true,
            kept: unit.kept,
        };
        close(&mut told, &left, called.good(), head, &called);
        let seen = seeds_of(&told);
        left.retain(|seed| !seen.contains(seed));
        lines.append(&mut told);
    }
    if unit.kept {
        for line in &mut lines {
            if let Line::Run(run) = line {
                run.kept = true;
            }
        }
    }
    Ok(lines)
}

fn parse(called: &Called, play: &Play<'_>) -> Result<Vec<Line>, String> {
    if called.status.is_some_and(|status| status.code() == Some(USAGE)) {
        return Err(format!("{} {}: {}", play.command, play.scenario, called.last_words()));
    }
    let text = String::from_utf8_lossy(&called.stdout);
    // A process that was killed may have left half of a line.
    let whole = if called.good() { &*text } else { text.rsplit_once('\n').map_or("", |(whole, _)| whole) };
    let line = |text: &str| serde_json::from_str(text).map_err(|error| format!("{}: {error}: {text}", play.scenario));
    whole.lines().map(line).collect()
}

/// Closes what was left open: the run in which the process died, or, if it died before its first line or told of nothing,
/// the run that it should have begun with.
fn close(told: &mut Vec<Line>, left: &[u64], good: bool, head: Run, called: &Called) {
    let open = told.iter().rev().find_map(|line| match line {
        Line::End(_) => Some(false),
        Line::Run(_) => Some(true),
        Line::Command(_)
        | Line::Execution(_)
        | Line::Task(_)
        | Line::Fault(_)
        | Line::Property(_)
        | Line::Mutant(_)
        | Line::Slices(_)
        | Line::Act(_)
        | Line::Rerun(_)
        | Line::Figure(_)
        | Line::Step(_) => None,
    });
    let why = match good {
        true => "the simulator told nothing of it".to_owned(),
        false => format!("the simulator {}: {}", called.ended(), called.last_words()),
    };
    let end = Line::End(End { at_ms: 0, cut_off: Some(why), digest: None });
    match open {
        Some(true) => told.push(end),
        Some(false) if seeds_of(told).iter().any(|seed| left.contains(seed)) => {}
        Some(false) | None => told.extend([Line::Run(head), end]),
    }
}

fn seeds_of(lines: &[Line]) -> Vec<u64> {
    let mut seeds = Vec::new();
    for line in lines {
        if let Line::Run(run) = line {
            seeds.push(run.seed);
        }
    }
    seeds
}

/// A scenario's name.
pub(super) fn stem(path: &str) -> &str {
    Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::super::scenarios;
    use super::*;
    use crate::gate::policy::{Policy, QUICK};
    use crate::gate::seeds::Seeds;
    use crate::gate::shape::Shape;
    use crate::gate::site::Stop;
    use std::collections::BTreeMap;
    use std::io::Write;

    /// Tells of the first of the seeds; what comes then is the test's.
    const BEGINS: &str = r#"#!/bin/sh
first=${6%%,*}
echo '{"line":"run","suite":"scenarios","origin":"sim","seed":'$first',"scenario":"a","faults":true}'
end='{"line":"end","at_ms":1,"cut_off":null}'
"#;

    /// The lines of seeds 1, 2 and 3 by a simulator of our own.
    fn told(script: &str, kept: bool) -> Result<Vec<Line>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let policy =
            Policy { quick: true, amounts: QUICK, scenarios: Vec::new(), kept: BTreeMap::new(), mutants: Vec::new() };
        let seeds = Seeds { commit: String::new(), policy: String::new(), from: Some(1) };
        let suite = &scenarios::SUITE;
        let stop = Stop::default();
        let here = folder.path();
        let site = Site { root: here, run: here, policy: &policy, seeds, suite, build: Build::Commit, stop: &stop };
        let command = simulator(&site);
        let program = Path::new(command.get_program());
        std::fs::create_dir_all(program.parent().expect("has one")).expect("made");
        // Written by another process: a file that one of this process's threads has open for writing while another thread
        // starts a program can't be executed for a moment.
        let mut writer = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
            .arg(program)
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("sh");
        let script = format!("{BEGINS}{script}\n");
        writer.stdin.take().expect("piped").write_all(script.as_bytes()).expect("written");
        assert!(writer.wait().expect("waited").success());
        let unit = Unit { kept, ..Unit::seeded("x", 0..3) };
        let play = Play { command: "evidence", scenario: "scenarios/a.toml", persona: None };
        let lines = evidence(&site, &unit, &play)?;
        Shape::whole(suite, &unit, &site.seeds(&unit), &lines)?;
        Ok(lines)
    }

    fn cut_off(lines: &[Line]) -> Vec<Option<&str>> {
        let mut ends = Vec::new();
        for line in lines {
            if let Line::End(end) = line {
                ends.push(end.cut_off.as_deref());
            }
        }
        ends
    }

    #[test]
    fn seeds_after_those_that_were_told_are_asked_for_again() {
        let lines = told("echo $end", true).expect("told");
        assert_eq!(cut_off(&lines), [None, None, None]);
        assert!(lines.iter().all(|line| !matches!(line, Line::Run(run) if !run.kept)), "stamped as kept");
    }

    #[test]
    fn a_simulator_that_dies_leaves_a_run_that_was_cut_off_and_the_others() {
        let lines = told("[ $first = 2 ] && kill -9 $$; echo $end", false).expect("told");
        let ends = cut_off(&lines);
        assert!(
            ends[0].is_none() && ends[1].is_some_and(|why| why.contains("signal: 9")) && ends[2].is_none(),
            "{ends:?}"
        );
    }

    #[test]
    fn what_the_simulator_can_not_read_is_no_evidence() {
        let Err(error) = told("echo such an option there is not >&2; exit 2", false) else { panic!("refused") };
        assert!(error.contains("such an option"), "{error}");
    }
}
