//! `cargo xtask drill`: releases that are good and releases that are not, switched to on a machine with tasks that run and people
//! who ask, and what became of it judged from outside.
//!
//! [`modes`] has the table of what can be wrong with a release, [`goods`] makes releases of the built program, [`machine`] is a
//! machine with them, [`supervisor`] what starts the daemon there, [`round`] plays one ([`killed`] and [`schemas`] what is no plain switch), [`seen`] is what was seen of it,
//! [`judge`] says what must hold of that, [`forge`] shows that it can be broken, [`lines`] writes it down.
//!
//! People, workers and half of the judge are those of [`crate::kill`]. The same rounds are the gate's suite `deploy`.

mod forge;
mod goods;
mod judge;
mod killed;
mod lines;
mod machine;
mod modes;
mod round;
mod schemas;
mod seen;
mod supervisor;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use goods::{Goods, NAMES, build as built};
pub(crate) use lines::{timeline, told};
pub(crate) use modes::{MODES, Mode};
pub(crate) use round::Wanted;
pub(crate) use seen::Seen;
pub(crate) use supervisor::By;

use crate::Verdict;
use crate::stage::Profile;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  cargo xtask drill                                      every mode, three rounds of each
  cargo xtask drill --mode killed --rounds 42            kill -9 of everybody at every step
  cargo xtask drill --mode slow-poison --seed 7 --json   the evidence of other rounds
  cargo xtask drill --list                               which modes there are

Exit codes: 0 all held, 1 something did not, 2 wrong usage, 5 the machine did not play along";

/// Plays rounds, some at the same time, as they mostly wait; in their order, as far as it came before `stop` said so.
pub(crate) fn play(
    goods: &Goods,
    wanted: &[Wanted],
    at_once: usize,
    stop: &(dyn Fn() -> bool + Sync),
    note: &(dyn Fn(&Seen) + Sync),
) -> Result<Vec<Seen>, String> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<Seen, String>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let work = || {
            while !stop()
                && let n = next.fetch_add(1, Ordering::Relaxed)
                && let Some(wanted) = wanted.get(n)
            {
                let seen = round::play(goods, *wanted);
                seen.iter().for_each(note);
                if let Ok(mut done) = done.lock() {
                    done.push((n, seen));
                }
            }
        };
        for _ in 0..at_once.max(1) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().map_err(|_| "a round panicked")?;
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, seen)| seen).collect()
}

pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let number = |name: &'static str, value: &'static str, usual: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).value_parser(value_parser!(u64)).default_value(usual).help(help)
    };
    Command::new("drill")
        .about("Deploy and roll back: releases that are good and that are not, while tasks run and people ask")
        .arg(
            Arg::new("mode")
                .long("mode")
                .value_name("NAME")
                .action(ArgAction::Append)
                .value_parser(MODES.map(|mode| mode.name))
                .hide_possible_values(true)
                .help("only this mode; again for more of them"),
        )
        .arg(number("rounds", "N", "3", "rounds of each mode"))
        .arg(number("seed", "SEED", "1", "of the first round of each mode; the next has the next"))
        .arg(number("nth", "N", "0", "of the first round: kinds of failure, steps and schemas are taken in turn"))
        .arg(number("at-once", "N", "4", "machines at the same time"))
        .arg(flag("list", "which modes there are"))
        .arg(flag("json", "the evidence, a JSON object a line, instead of a table"))
        .arg(flag("release", "with the program as it is shipped, and not as it is built while one works at it"))
        .arg(flag("stand-in", "without systemd, also where there is one and we are root"))
        .arg(flag("keep", "do not remove the folders"))
        .after_help(EXAMPLES)
}

pub(crate) fn run(matches: &ArgMatches) -> Verdict {
    if matches.get_flag("list") {
        MODES.iter().for_each(|mode| tell!("{:<18} {}", mode.name, mode.about));
        return Verdict::Good;
    }
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    let named: Vec<&String> = matches.get_many("mode").into_iter().flatten().collect();
    let modes: Vec<&'static Mode> =
        MODES.iter().filter(|mode| named.is_empty() || named.iter().any(|name| **name == mode.name)).collect();
    let profile = if matches.get_flag("release") { Profile::Release } else { Profile::Dev };
    let first = (number("seed"), number("nth"));
    match drill(&modes, number("rounds").max(1), first, profile, matches) {
        Ok(rounds) if matches.get_flag("json") => {
            let lines = modes.iter().flat_map(|mode| told(&of(&rounds, mode)));
            lines.filter_map(|line| serde_json::to_string(&line).ok()).for_each(|line| tell!("{line}"));
            verdict(&rounds)
        }
        Ok(rounds) => {
            table(&modes, &rounds);
            verdict(&rounds)
        }
        Err(error) => {
            eprintln!("drill: {error}");
            Verdict::Infrastructure
        }
    }
}

fn drill(
    modes: &[&'static Mode],
    rounds: u64,
    (seed, nth): (u64, u64),
    profile: Profile,
    matches: &ArgMatches,
) -> Result<Vec<Seen>, String> {
    let supervisor = if matches.get_flag("stand-in") { By::StandIn } else { By::of_this_machine() };
    let goods = Goods::new(built(profile)?, Path::new("."), supervisor)?;
    let began = Instant::now();
    let keep = matches.get_flag("keep");
    // One round of each mode, then the next.
    let round = |n: u64| modes.iter().map(move |mode| Wanted { mode, seed: seed.wrapping_add(n), nth: nth + n, keep });
    let wanted: Vec<Wanted> = (0..rounds).flat_map(round).collect();
    let (all, done) = (wanted.len(), AtomicUsize::new(0));
    let note = |seen: &Seen| {
        let n = done.fetch_add(1, Ordering::Relaxed) + 1;
        let back = seen.way_back_ms().map(|ms| format!(", back in {}", lines::seconds(ms))).unwrap_or_default();
        let held = if lines::wrong(seen).is_none() { "held" } else { "OFF" };
        eprintln!(
            "{n:>4} of {all} {:>4} s  {} ({}): {held}{back}",
            began.elapsed().as_secs(),
            seen.mode.name,
            seen.done
        );
    };
    let at_once = matches.get_one::<u64>("at-once").copied().unwrap_or(1);
    play(&goods, &wanted, usize::try_from(at_once).unwrap_or(1), &|| false, &note)
}

fn of(rounds: &[Seen], mode: &Mode) -> Vec<Seen> {
    rounds.iter().filter(|seen| seen.mode.name == mode.name).cloned().collect()
}

fn verdict(rounds: &[Seen]) -> Verdict {
    if rounds.iter().all(|seen| lines::wrong(seen).is_none()) { Verdict::Good } else { Verdict::Off }
}

fn table(modes: &[&'static Mode], rounds: &[Seen]) {
    tell!("{:<18} {:>6} {:>5} {:>13}", "mode", "rounds", "held", "slowest back");
    for mode in modes {
        let rounds = of(rounds, mode);
        let held = rounds.iter().filter(|seen| lines::wrong(seen).is_none()).count();
        let back = rounds.iter().filter_map(Seen::way_back_ms).max().map_or("-".to_owned(), lines::seconds);
        tell!("{:<18} {:>6} {held:>5} {back:>13}", mode.name, rounds.len());
    }
    for seen in rounds {
        if let Some(wrong) = lines::wrong(seen) {
            tell!("off: {} ({}): {wrong}\n     again: cargo xtask drill {}", seen.mode.name, seen.done, seen.again());
        }
    }
    if let Some(seen) = rounds.first() {
        tell!("the daemon was {}", seen.supervisor.words());
    }
}
