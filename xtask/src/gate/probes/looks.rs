//! The questions that no two probes share, one function each. Every figure in them is asked for in the row of its probe.

use super::Found;
use super::shape::{self, Answer};
use crate::gate::seen::{Asked, Evidence, Failures, Looked, Stage, Strikes, Tried, Trouble};
use crate::gate::suites::fails;
use mainstay_metric::ledger::Origin;
use mainstay_metric::limits::{POLL_CLASS_LEAST, SLICES_OF_A_DAY};
use serde_json::Value;
use std::collections::BTreeSet;

/// So often a class has to strike to count as one that did.
const CLASS_LEAST: u64 = 20;
/// Of a verb.
const VERB_LEAST: u64 = 100;
const RUNS: &str = "raw/";
const BUNDLE: &str = "bundle.json";

/// No line of this kind of trouble; the first is the proof that there is one.
fn none_of(failures: &Failures, trouble: Trouble, seen: String) -> Answer {
    match failures.first(trouble) {
        None => Answer::is(true, seen, RUNS),
        Some(first) => {
            Answer::is(false, format!("{} ({}), of {}", first.why, first.run, failures.of(trouble).0), &first.place)
        }
    }
}

/// Yes where there is enough; less refutes nothing.
fn enough(enough: bool, seen: impl Into<String>, at: impl std::fmt::Display) -> Answer {
    if enough { Answer::is(true, seen, at) } else { Answer::unknown(seen, at) }
}

/// Too little was looked at for a yes.
fn or_too_few(answer: Answer, n: u64, least: u64, what: &str) -> Answer {
    if answer.found == Found::Yes && n < least {
        return Answer::unknown(format!("{n} {what} only, of {least}"), RUNS);
    }
    answer
}

pub(super) fn all_ends(evidence: &Evidence) -> Answer {
    let states = &evidence.seen.ends.states;
    let missing: Vec<&str> = ["SUCCEEDED", "FAILED", "CANCELED", "EXPIRED"]
        .into_iter()
        .filter(|state| !states.contains_key(*state))
        .collect();
    let seen = if missing.is_empty() { format!("{states:?}") } else { format!("none ended {}", missing.join(", ")) };
    enough(missing.is_empty(), seen, RUNS)
}

pub(super) fn kinds(evidence: &Evidence) -> Answer {
    let ends = &evidence.seen.ends;
    let both = ends.heavy > 0 && ends.heavy < ends.all;
    let seen = format!("{} kinds; {} of {} tasks are heavy", ends.kinds.len(), ends.heavy, ends.all);
    enough(both && ends.kinds.len() >= 3, seen, RUNS)
}

pub(super) fn acts_suffice(evidence: &Evidence) -> Answer {
    let ends = &evidence.seen.ends;
    match &ends.first_ungated {
        Some(place) => Answer::is(false, format!("{} of {} tasks ran with too few", ends.ungated, ends.all), place),
        None => or_too_few(Answer::is(true, format!("none of {} tasks", ends.all), RUNS), ends.all, 1, "tasks"),
    }
}

pub(super) fn gates_first(evidence: &Evidence) -> Answer {
    let ends = &evidence.seen.ends;
    match &ends.first_early {
        Some(place) => Answer::is(false, format!("{} of {} tasks ran too early", ends.early, ends.all), place),
        None => or_too_few(Answer::is(true, format!("none of {} tasks", ends.all), RUNS), ends.all, 1, "tasks"),
    }
}

pub(super) fn gates_used(evidence: &Evidence) -> Answer {
    let gated = evidence.seen.ends.gated;
    enough(gated >= 300, format!("{gated} tasks of kinds that want two acts or more"), RUNS)
}

pub(super) fn no_duplicate(evidence: &Evidence) -> Answer {
    let ran = evidence.seen.executions;
    let seen = format!("{} of {} attempts, {} of them heavy", ran.duplicates, ran.all, ran.heavy);
    let at = evidence.seen.failures.first(Trouble::Duplicate).map_or_else(|| RUNS.to_owned(), |f| f.place.to_string());
    or_too_few(Answer::is(ran.duplicates == 0, seen, at), ran.all, 1_000, "attempts")
}

pub(super) fn reasons(evidence: &Evidence) -> Answer {
    let ran = evidence.seen.executions;
    let seen = format!("{} of {} attempts have none", ran.unallowed, ran.all);
    let at = evidence.seen.failures.first(Trouble::Duplicate).map_or_else(|| RUNS.to_owned(), |f| f.place.to_string());
    or_too_few(Answer::is(ran.unallowed == 0, seen, at), ran.all, 1_000, "attempts")
}

pub(super) fn retries(evidence: &Evidence) -> Answer {
    let ran = evidence.seen.executions;
    enough(ran.retries >= 100, format!("{} retries, {} recoveries", ran.retries, ran.recovered), RUNS)
}

pub(super) fn crash_points(evidence: &Evidence) -> Answer {
    let at = "raw/crash/";
    let Some(suite) = evidence.seen.suites.get("crash") else {
        return Answer::unknown("no run of the suite crash", at);
    };
    let in_it = |looked: &&Looked| looked.broken > 0 && looked.suites.contains("crash");
    if let Some((name, looked)) = evidence.seen.properties.iter().find(|(_, looked)| in_it(looked)) {
        let place = looked.first.as_ref().map_or_else(|| at.to_owned(), ToString::to_string);
        return Answer::is(false, format!("{name}: broken in {} runs", looked.broken), place);
    }
    let answer = steps(&evidence.seen.steps_of("crash").collect::<Vec<_>>(), at);
    if answer.found != Found::Yes {
        return answer;
    }
    Answer::is(suite.cut_off == 0, format!("{} runs, {} cut off", suite.runs, suite.cut_off), at)
}

pub(super) fn poll_classes(evidence: &Evidence) -> Answer {
    let polls = evidence.seen.faults.iter().filter(|(_, strikes)| strikes.polls && strikes.struck >= POLL_CLASS_LEAST);
    let classes: Vec<&str> = polls.map(|((_, class), _)| class.as_str()).collect();
    enough(classes.len() >= 6, format!("{}: {}", classes.len(), classes.join(", ")), RUNS)
}

pub(super) fn unaided(evidence: &Evidence) -> Answer {
    let off = |strikes: &Strikes| strikes.by_hand + strikes.lost;
    let at = evidence.seen.failures.first(Trouble::Unrecovered);
    let at = at.map_or_else(|| RUNS.to_owned(), |failure| failure.place.to_string());
    match evidence.seen.faults.iter().find(|(_, strikes)| off(strikes) * 20 > strikes.struck) {
        None if evidence.seen.faults.is_empty() => Answer::unknown("no fault is told of", RUNS),
        None => Answer::is(true, format!("{} classes", evidence.seen.faults.len()), RUNS),
        Some(((_, class), strikes)) => {
            let seen = format!("{class}: {} of {}", off(strikes), strikes.struck);
            if strikes.struck < CLASS_LEAST { Answer::unknown(seen, at) } else { Answer::is(false, seen, at) }
        }
    }
}

/// One of a few may be the one of very many: a verb is judged once it was given often.
pub(super) fn verbs(evidence: &Evidence) -> Answer {
    let commands = &evidence.seen.commands;
    let bad = |asked: &Asked| asked.wrong + asked.unanswered + asked.late + asked.limited;
    let at = evidence.seen.failures.first(Trouble::Command);
    let at = at.map_or_else(|| RUNS.to_owned(), |failure| failure.place.to_string());
    match commands.iter().find(|(_, asked)| bad(asked) * 50 > asked.all) {
        None if commands.is_empty() => Answer::unknown("no command is told of", RUNS),
        None => Answer::is(true, format!("{} verbs", commands.len()), RUNS),
        Some((verb, asked)) => {
            let seen = format!("{verb}: {} of {}", bad(asked), asked.all);
            if asked.all < VERB_LEAST { Answer::unknown(seen, at) } else { Answer::is(false, seen, at) }
        }
    }
}

pub(super) fn nothing_cut_off(evidence: &Evidence) -> Answer {
    let runs = evidence.seen.runs();
    let answer = none_of(&evidence.seen.failures, Trouble::CutOff, format!("{runs} runs"));
    or_too_few(answer, runs, 1, "runs")
}

pub(super) fn no_gaps(evidence: &Evidence) -> Answer {
    let tasks = evidence.seen.ends.all;
    let answer = none_of(&evidence.seen.failures, Trouble::Gap, format!("{tasks} tasks"));
    or_too_few(answer, tasks, 1_000, "tasks")
}

pub(super) fn days(evidence: &Evidence) -> Answer {
    let minutes: u64 = evidence.seen.probing.values().map(|probing| probing.all).sum();
    let days = minutes / SLICES_OF_A_DAY;
    enough(days >= 200, format!("{days} days"), "raw/soak/")
}

pub(super) fn weeks(evidence: &Evidence) -> Answer {
    let weeks: u64 = evidence.seen.probing.values().map(|probing| probing.weeks).sum();
    enough(weeks >= 10, format!("{weeks} weeks"), "raw/soak/")
}

pub(super) fn personas(evidence: &Evidence) -> Answer {
    let busy = evidence.seen.acts.values().filter(|acts| **acts >= 300).count();
    enough(busy >= 3, format!("{:?}", evidence.seen.acts), "raw/soak/")
}

pub(super) fn no_dead_run(evidence: &Evidence) -> Answer {
    let probing = &evidence.seen.probing;
    match probing.iter().find(|(_, probing)| probing.worst * 2 * probing.runs > probing.all) {
        None if probing.is_empty() => Answer::unknown("nothing was probed", "raw/soak/"),
        None => Answer::is(true, format!("{} scenarios", probing.len()), "raw/soak/"),
        Some((scenario, probing)) => {
            let each = probing.all / probing.runs.max(1);
            Answer::is(false, format!("{scenario}: {} of {each} minutes of a run", probing.worst), "raw/soak/")
        }
    }
}

pub(super) fn mutants(evidence: &Evidence) -> Answer {
    let planted = evidence.seen.mutants.len();
    let answer = none_of(&evidence.seen.failures, Trouble::Missed, format!("{planted} of {planted}"));
    if planted == 0 { Answer::unknown("no bug was planted", "raw/mutants/") } else { answer }
}

pub(super) fn mutants_enough(evidence: &Evidence) -> Answer {
    let planted = evidence.seen.mutants.len();
    enough(!shape::few(evidence), planted.to_string(), "raw/mutants/")
}

pub(super) fn gates_fail(evidence: &Evidence) -> Answer {
    let held = evidence.seen.steps_of("mutants").filter(|tried| tried.step.held == Some(true));
    let shown: BTreeSet<&str> = held.map(|tried| tried.step.name.as_str()).collect();
    let planted = &evidence.seen.mutants;
    match planted.iter().find(|(bug, _)| !shown.contains(fails::name(bug).as_str())) {
        Some((bug, planted)) => Answer::is(false, format!("of {bug} it is not shown"), &planted.place),
        None if planted.is_empty() => Answer::unknown("no bug was planted", "raw/mutants/"),
        None => Answer::is(true, format!("{} of {}", planted.len(), planted.len()), "raw/mutants/"),
    }
}

pub(super) fn classes(evidence: &Evidence) -> Answer {
    let simulated = evidence.seen.faults.iter().filter(|((origin, _), _)| *origin == Origin::Sim);
    let often = simulated.filter(|(_, strikes)| strikes.struck >= CLASS_LEAST).count();
    enough(often >= 12, often.to_string(), RUNS)
}

/// Of the stages in which tasks are for long enough to be met: in the queue most are for a moment.
pub(super) fn coverage(evidence: &Evidence) -> Answer {
    let stages = [Stage::Approved, Stage::Begun];
    let coverage = &evidence.seen.coverage;
    let missing: Vec<String> = coverage
        .iter()
        .flat_map(|(class, of)| {
            stages.iter().filter(|stage| !of.contains_key(stage)).map(move |stage| format!("{class}/{}", stage.name()))
        })
        .collect();
    let all = coverage.len() * stages.len();
    if all == 0 {
        return Answer::unknown("no fault is told of", RUNS);
    }
    let seen = format!("{} of {all}; missing: {}", all - missing.len(), missing.join(", "));
    enough(missing.len() * 10 <= all, seen, RUNS)
}

pub(super) fn scenarios(evidence: &Evidence) -> Answer {
    let played = evidence.seen.suites.get("scenarios").map_or(0, |suite| suite.scenarios.len());
    enough(played >= 80, played.to_string(), "raw/scenarios/")
}

pub(super) fn calm(evidence: &Evidence) -> Answer {
    let calm: u64 = evidence.seen.suites.values().map(|suite| suite.calm).sum();
    enough(calm > 0 && calm < evidence.seen.runs(), format!("{calm} of {} runs", evidence.seen.runs()), RUNS)
}

pub(super) fn kill_rounds(evidence: &Evidence) -> Answer {
    properties_of(evidence, "kill")
}

pub(super) fn drill_rounds(evidence: &Evidence) -> Answer {
    properties_of(evidence, "deploy")
}

/// Whether no property ever broke that a suite on a real machine asked for.
fn properties_of(evidence: &Evidence, suite: &str) -> Answer {
    let at = || format!("raw/{suite}/");
    let looked: Vec<_> = evidence.seen.properties.values().filter(|looked| looked.suites.contains(suite)).collect();
    match looked.iter().find(|looked| looked.broken > 0) {
        None if looked.is_empty() => Answer::unknown("no round on a real machine is told of", at()),
        None => Answer::is(true, format!("{} properties", looked.len()), at()),
        Some(broken) => {
            let at = broken.first.as_ref().map_or_else(at, ToString::to_string);
            Answer::is(false, format!("{} times", broken.broken), at)
        }
    }
}

pub(super) fn drills(evidence: &Evidence) -> Answer {
    steps(&evidence.seen.steps_of("deploy").collect::<Vec<_>>(), "raw/deploy/")
}

/// Whether all of these steps hold; one that could not be tried shows nothing.
fn steps(steps: &[&Tried], at: &str) -> Answer {
    let told = |tried: &Tried| format!("{}: {}", tried.step.name, tried.step.seen);
    if let Some(off) = steps.iter().find(|tried| tried.step.held == Some(false)) {
        return Answer::is(false, told(off), &off.place);
    }
    match steps.iter().find(|tried| tried.step.held.is_none()) {
        Some(open) => Answer::unknown(told(open), &open.place),
        None if steps.is_empty() => Answer::unknown("no step is told of", at),
        None => Answer::is(true, format!("{} steps", steps.len()), at),
    }
}

pub(super) fn timelines(evidence: &Evidence) -> Answer {
    let drills: BTreeSet<&str> = evidence.seen.steps_of("deploy").map(|tried| tried.scenario.as_str()).collect();
    if drills.is_empty() {
        return Answer::unknown("none", "drills/");
    }
    let without = drills.iter().find(|name| !evidence.files.contains_key(&format!("drills/{name}.json")));
    let seen = without.map_or(format!("{} drills", drills.len()), |name| format!("there is none of {name}"));
    enough(without.is_none(), seen, "drills/")
}

pub(super) fn commit_clean(evidence: &Evidence) -> Answer {
    let at = "bundle.json#/dirty";
    match (evidence.at(BUNDLE, "/commit"), evidence.at(BUNDLE, "/dirty").as_deref()) {
        (Some(commit), Some("false")) => Answer::is(commit.len() == 40, commit, at),
        (Some(commit), Some("true")) => Answer::is(false, format!("{commit} and what was not committed"), at),
        (_, _) => Answer::unknown("it does not say so", at),
    }
}

pub(super) fn policy(evidence: &Evidence) -> Answer {
    let at = "policy.toml";
    match evidence.files.get(at) {
        None => Answer::unknown("it is not there", at),
        Some(text) => Answer::is(text.contains(super::policy_text().as_str()), "compared word by word", at),
    }
}

pub(super) fn seeds(evidence: &Evidence) -> Answer {
    let at = "seeds.json#/chosen";
    match evidence.json("seeds.json").as_ref().and_then(|seeds| seeds.get("chosen")) {
        Some(Value::Null) => Answer::is(true, "none was chosen", at),
        Some(from) => Answer::is(false, format!("somebody chose them, from {from} on"), at),
        None => Answer::unknown("it does not say where they are from", at),
    }
}

pub(super) fn seeds_many(evidence: &Evidence) -> Answer {
    let seeds: BTreeSet<u64> = evidence.seen.suites.values().flat_map(|suite| suite.seeds.iter().copied()).collect();
    enough(seeds.len() >= 100, seeds.len().to_string(), RUNS)
}

/// Of runs that happen to be played twice, and of the cuts of a life, of which some always are.
pub(super) fn same_again(evidence: &Evidence) -> Answer {
    let of_cuts = |tried: &&Tried| tried.step.name == "the same cut does the same";
    let twice: Vec<_> = evidence.seen.steps_of("crash").filter(of_cuts).collect();
    let answer = steps(&twice, "raw/crash/");
    if answer.found != Found::Yes && !twice.is_empty() {
        return answer;
    }
    let n = evidence.seen.repeated + u64::try_from(twice.len()).unwrap_or(0);
    let seen = format!("{} runs; shares of cuts: {}", evidence.seen.repeated, twice.len());
    or_too_few(none_of(&evidence.seen.failures, Trouble::Differs, seen), n, 1, "things were played twice")
}

pub(super) fn digests(evidence: &Evidence) -> Answer {
    let simulated = evidence.seen.suites.iter().filter(|(name, _)| ["scenarios", "soak"].contains(&name.as_str()));
    let simulated: Vec<_> = simulated.collect();
    match simulated.iter().find(|(_, suite)| suite.without_digest > 0) {
        None if simulated.is_empty() => Answer::unknown("nothing was simulated", RUNS),
        None => Answer::is(true, format!("{} suites", simulated.len()), RUNS),
        Some((name, suite)) => {
            let seen = format!("{} of {} runs have none", suite.without_digest, suite.runs);
            Answer::is(false, seen, format!("raw/{name}/"))
        }
    }
}

pub(super) fn no_secret(evidence: &Evidence) -> Answer {
    match evidence.secrets.first() {
        Some(place) => Answer::is(false, "something that looks like one", place),
        None => Answer::is(true, format!("{} files and {} raw lines", evidence.files.len(), evidence.lines), "."),
    }
}

pub(super) fn origins(evidence: &Evidence) -> Answer {
    let mixed = |origins: &BTreeSet<Origin>| origins.len() > 1 || origins.contains(&Origin::Production);
    match evidence.seen.suites.iter().find(|(_, suite)| mixed(&suite.origins)) {
        None if evidence.seen.suites.is_empty() => Answer::unknown("no run", RUNS),
        None => Answer::is(true, format!("{} suites", evidence.seen.suites.len()), RUNS),
        Some((name, suite)) => Answer::is(false, format!("{:?}", suite.origins), format!("raw/{name}/")),
    }
}

pub(super) fn kept(evidence: &Evidence) -> Answer {
    let kept: u64 = evidence.seen.suites.values().map(|suite| suite.kept).sum();
    enough(kept > 0, format!("{kept} runs"), RUNS)
}

pub(super) fn reruns(evidence: &Evidence) -> Answer {
    let reruns = &evidence.seen.reruns;
    let whole = reruns.values().filter(|job| job.schedules.len() >= 5).count();
    enough(whole >= 100, format!("{whole} of {} jobs", reruns.len()), RUNS)
}

pub(super) fn environment(evidence: &Evidence) -> Answer {
    let at = "env.json#/machines";
    let env = evidence.json("env.json").unwrap_or_default();
    let machines: Vec<&Value> = env.pointer("/machines").and_then(Value::as_array).into_iter().flatten().collect();
    let says =
        |machine: &&&Value, key: &str| machine.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let silent = |machine: &&&Value| ["toolchain", "kernel", "processor"].iter().any(|key| !says(machine, key));
    match machines.iter().find(silent) {
        None if machines.is_empty() => Answer::unknown("no machine is named", at),
        None => Answer::is(true, format!("{} machines", machines.len()), at),
        Some(machine) => Answer::is(false, format!("one says only {machine}"), at),
    }
}

pub(super) fn benches(evidence: &Evidence) -> Answer {
    let beside = evidence.seen.figures.iter().filter(|figure| figure.floor.is_some()).count();
    enough(beside >= 10, format!("{beside} of {} figures", evidence.seen.figures.len()), "raw/bench/")
}

pub(super) fn benches_counted(evidence: &Evidence) -> Answer {
    steps(&evidence.seen.steps_of("bench").collect::<Vec<_>>(), "raw/bench/")
}
