//! `cargo xtask kill`: the real program on a real disk, struck at every moment of its tasks' lives, judged from outside.
//!
//! A run is a folder with the released program, a Bot API server and a chat; in each of its rounds somebody wants a task or two,
//! and at a moment that the seed chose a process is killed with -9, stands still or is asked to end, or the disk is full.
//! [`chance`] draws the rounds, [`play`] plays them on a [`lab`], [`wishes`] are the people, [`evidence`] is what was seen,
//! [`oracle`] says what must hold of it, [`forge`] shows of every run that each of it can be broken, [`lines`] writes it down.
//!
//! The same runs are the gate's suite `kill`; [`crate::drill`] has the same people, workers and judge on its machines. What it does not do: ask the daemon whether all is well. What a task did stands in
//! the workers' own book, what people were told in the chat, what is alive in /proc; the daemon's word is only compared with it.

pub(crate) mod chance;
mod chat;
mod disk;
pub(crate) mod evidence;
pub(crate) mod forge;
pub(crate) mod lab;
pub(crate) mod lines;
pub(crate) mod oracle;
pub(crate) mod play;
mod summary;
#[cfg(test)]
mod tests;
pub(crate) mod wishes;

use crate::Verdict;
use crate::stage::{self, Place, Profile, Programs};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use lab::{Lab, SETTING};
use mainstay_metric::ledger::{End, Line, Origin, Run, Step};
use play::Script;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  cargo xtask kill                          a hundred rounds
  cargo xtask kill --rounds 1000 --seed 7   more of them, drawn from another seed
  cargo xtask kill --disk                   on a small disk that is filled up (for root)
  cargo xtask kill --sabotage twice         with workers that start twice: it has to be noticed

Exit codes: 0 all held, 1 something did not, 2 wrong usage, 5 the machine did not play along";

/// Rounds of one run: as many as a folder is played on before the next one is made.
pub(crate) const ROUNDS_A_RUN: u64 = 20;

/// The same on a small disk: few, as each takes room for good.
pub(crate) const ROUNDS_ON_SMALL_DISK: u64 = 4;

/// A run of the suite.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Of everything that is drawn.
    pub(crate) seed: u64,
    /// How often it is struck.
    pub(crate) rounds: u64,
    /// Its state is kept on a small disk, which is filled up instead of killing anybody.
    pub(crate) on_small_disk: bool,
    /// Its workers write down every start twice.
    pub(crate) sabotaged: bool,
}

/// Plays runs at the same time, each in a folder of its own: the evidence of each in order. Runs mostly wait (a chat gets a
/// message a second), so several share a core well. Once `stop` says so there is no further round.
pub(crate) fn run_together(
    programs: &Programs,
    wanted: &[Wanted],
    keep: bool,
    stop: &(dyn Fn() -> bool + Sync),
    note: &(dyn Fn(&str) + Sync),
) -> Result<Vec<Vec<Line>>, String> {
    std::thread::scope(|scope| {
        let begin = |wanted: &Wanted| {
            let wanted = *wanted;
            scope.spawn(move || run_one(programs, wanted, keep, stop, note))
        };
        let runs: Vec<_> = wanted.iter().map(begin).collect();
        // All are waited for, whatever came of the first.
        let all: Vec<_> =
            runs.into_iter().map(|run| run.join().unwrap_or_else(|_| Err("a run panicked".into()))).collect();
        all.into_iter().collect()
    })
}

/// Plays one run on this thread, which is its own: a small disk is mounted for it alone and what it starts. Nothing is left
/// behind. An error is the machine's.
fn run_one(
    programs: &Programs,
    wanted: Wanted,
    keep: bool,
    stop: &dyn Fn() -> bool,
    note: &dyn Fn(&str),
) -> Result<Vec<Line>, String> {
    if wanted.on_small_disk
        && let Some(why) = disk::why_not()
    {
        return Ok(left_out(wanted.seed, &why));
    }
    let place = Place::make(SETTING, keep).map_err(|e| format!("failed to make a folder: {e}"))?;
    if wanted.sabotaged {
        std::fs::write(place.path("sabotage-twice"), "").map_err(|e| format!("failed to sabotage: {e}"))?;
    }
    let script = Script { rounds: wanted.rounds, seed: wanted.seed, on_small_disk: wanted.on_small_disk };
    let played = Lab::set(programs, &place, wanted.on_small_disk).map(|lab| play::play(lab, script, stop, note));
    let log = place.log_tail(20);
    let cleared = place.clear(Verdict::Good);
    let (evidence, at_ms, cut_off) = played.map_err(|e| format!("{e}\n{log}"))?;
    let cut_off = cut_off.or_else(|| (cleared != Verdict::Good).then(|| "its folder could not be cleared".into()));
    let mut lines = lines::lines(&evidence, head(wanted.seed, wanted.on_small_disk), at_ms, cut_off);
    let end = lines.pop();
    lines.extend(forge::tried(&evidence).into_iter().map(Line::Step));
    lines.extend(end);
    Ok(lines)
}

fn head(seed: u64, on_small_disk: bool) -> Run {
    let scenario = if on_small_disk { "small-disk" } else { "blows" };
    Run {
        suite: "kill".into(),
        origin: Origin::Lab,
        seed,
        scenario: scenario.into(),
        persona: None,
        faults: true,
        kept: false,
    }
}

/// What is written down of a run that can't be had here.
fn left_out(seed: u64, why: &str) -> Vec<Line> {
    let step = Step { name: "a disk that fills up".into(), held: None, seen: format!("left out: {why}") };
    vec![Line::Run(head(seed, true)), Line::Step(step), Line::End(End { at_ms: 0, cut_off: None, digest: None })]
}

pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let number = |name: &'static str, value: &'static str, usual: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).value_parser(value_parser!(u64)).default_value(usual).help(help)
    };
    Command::new("kill")
        .about("Strike at the released program: kill -9, standing still, full disks; judged from outside")
        .arg(number("rounds", "N", "100", "how often it is struck"))
        .arg(number("seed", "SEED", "1", "of the first run; the next has the next"))
        .arg(flag("json", "the evidence, a JSON object a line, instead of a summary"))
        .arg(number("at-once", "N", "6", "runs at the same time"))
        .arg(flag("disk", "on a small disk that is filled up"))
        .arg(flag("keep", "do not remove the folders"))
        .arg(
            Arg::new("sabotage")
                .long("sabotage")
                .value_name("HOW")
                .value_parser(["twice"])
                .help("workers that start twice: it has to be noticed"),
        )
        .after_help(EXAMPLES)
}

pub(crate) fn run(matches: &ArgMatches) -> Verdict {
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    let (rounds, seed, json) = (number("rounds"), number("seed"), matches.get_flag("json"));
    let programs = match stage::build(Profile::Release) {
        Ok(programs) => programs,
        Err(error) => return complain(&error),
    };
    let start = Instant::now();
    let on_small_disk = matches.get_flag("disk");
    let each = if on_small_disk { ROUNDS_ON_SMALL_DISK } else { ROUNDS_A_RUN };
    let run = |n: u64| Wanted {
        seed: seed + n,
        rounds: each.min(rounds - n * each),
        on_small_disk,
        sabotaged: matches.contains_id("sabotage"),
    };
    let all: Vec<Wanted> = (0..rounds.div_ceil(each)).map(run).collect();
    let done = AtomicU64::new(0);
    let note = |class: &str| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        eprint!("\r{done:>6} of {rounds}  {class:<12} {:>4} s ", start.elapsed().as_secs());
    };
    let mut lines = Vec::new();
    for wanted in all.chunks(usize::try_from(number("at-once").max(1)).unwrap_or(1)) {
        match run_together(&programs, wanted, matches.get_flag("keep"), &|| false, &note) {
            Ok(told) => lines.extend(told.into_iter().flatten()),
            Err(error) => return complain(&error),
        }
    }
    eprintln!();
    if json {
        lines.iter().filter_map(|line| serde_json::to_string(line).ok()).for_each(|line| tell!("{line}"));
        return Verdict::Good;
    }
    summary::summary(&lines, start.elapsed().as_secs_f64())
}

fn complain(error: &str) -> Verdict {
    eprintln!("kill: {error}");
    Verdict::Infrastructure
}
