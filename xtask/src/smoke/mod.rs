//! `cargo xtask smoke`: the list that is gone through with the real Telegram after a deploy, played against the Bot API server
//! with the real daemon. [`steps`] is that list, as data: [docs/TELEGRAM_SMOKETEST.md] is made of it too.
//!
//! [docs/TELEGRAM_SMOKETEST.md]: ../../../docs/TELEGRAM_SMOKETEST.md

mod play;
mod steps;

use crate::Verdict;
use crate::stage::{self, Place, Stage};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::time::{Duration, Instant};
use steps::{By, LISTS, SETTING, Sabotage, Step};

const EXAMPLES: &str = "\
Examples:
  cargo xtask smoke                 play the list, a line a step
  cargo xtask smoke --verbose       with the chat, as it goes
  cargo xtask smoke --keep          leave configuration, logs and database to look at
  cargo xtask smoke --sabotage 5    break what step 5 looks at: it has to say NOT seen

Exit codes: 0 all was seen, 1 something was not, 2 wrong usage, 5 the machine did not play along";

pub(crate) fn command() -> Command {
    Command::new("smoke")
        .about("Play the list of docs/TELEGRAM_SMOKETEST.md: the real daemon against a Bot API server on loopback")
        .arg(
            Arg::new("keep")
                .long("keep")
                .action(ArgAction::SetTrue)
                .help("do not remove the folder with configuration, logs and database"),
        )
        .arg(
            Arg::new("verbose")
                .long("verbose")
                .short('v')
                .action(ArgAction::SetTrue)
                .help("print what is said in the chat"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(1..=600))
                .default_value("30")
                .help("wait so long for any single thing"),
        )
        .arg(
            Arg::new("sabotage")
                .long("sabotage")
                .value_name("STEP")
                .value_parser(value_parser!(usize))
                .help("break what this step looks at, and end after it: it has to say NOT seen"),
        )
        .after_help(EXAMPLES)
}

pub(crate) fn run(matches: &ArgMatches) -> Verdict {
    let (keep, told) = (matches.get_flag("keep"), matches.get_flag("verbose"));
    let limit = Duration::from_secs(matches.get_one("limit").copied().unwrap_or_default());
    let sabotage = match matches.get_one::<usize>("sabotage").map(|number| sabotage(*number)).transpose() {
        Ok(sabotage) => sabotage,
        Err(error) => command().error(ErrorKind::ValueValidation, error).exit(),
    };
    let start = Instant::now();
    let place = stage::build(stage::Profile::Dev).and_then(|programs| {
        let place = Place::make(SETTING, keep).map_err(|e| format!("failed to make a folder: {e}"))?;
        Ok((programs, place))
    });
    let (programs, mut place) = match place {
        Ok(place) => place,
        Err(error) => return complain(&error),
    };
    if let Some((_, Sabotage::Config(old, new))) = sabotage {
        assert!(place.reconfigure(old, new), "a sabotage names what is in the configuration");
    }
    let verdict = match Stage::set(&programs, &place, limit, told) {
        Ok(mut stage) => {
            let verdict = play(&mut stage, sabotage);
            stage.clear();
            verdict
        }
        Err(error) => {
            eprintln!("smoke: {error}\n{}", place.log_tail(20));
            Verdict::Infrastructure
        }
    };
    if verdict == Verdict::Off && sabotage.is_none() {
        tell!("\nThe end of the daemon's log:\n{}\n(--keep keeps the folder with all of it)", place.log_tail(20));
    }
    tell!("{} s", start.elapsed().as_secs());
    place.clear(verdict)
}

fn sabotage(number: usize) -> Result<(usize, Sabotage), String> {
    let by = steps::numbered().find(|(n, _)| *n == number).map(|(_, step)| step.by);
    match by {
        Some(By::Machine(_, sabotage)) => Ok((number, sabotage)),
        Some(By::Hand(_)) => Err(format!("step {number} is played by hand")),
        None => Err(format!("there is no step {number}: the last one is {}", steps::numbered().count())),
    }
}

/// Plays all steps, or, sabotaged, those up to that one; a line each.
fn play(stage: &mut Stage<'_>, sabotage: Option<(usize, Sabotage)>) -> Verdict {
    let (mut seen, mut missed, mut by_hand) = (0, 0, 0);
    let last = sabotage.map_or(usize::MAX, |(number, _)| number);
    let mut number = 0;
    for list in LISTS {
        tell!("{}", list.title);
        for step in list.steps {
            number += 1;
            if number > last {
                break;
            }
            let act = sabotage.filter(|(at, _)| *at == number).map(|(_, sabotage)| sabotage);
            match play_one(stage, number, step, act) {
                None => by_hand += 1,
                Some(true) => seen += 1,
                Some(false) => missed += 1,
            }
        }
    }
    tell!("\n{seen} seen, {missed} NOT seen, {by_hand} left to do by hand");
    if missed == 0 { Verdict::Good } else { Verdict::Off }
}

/// Whether what a step promises was seen; none for one that no machine can play.
fn play_one(stage: &mut Stage<'_>, number: usize, step: &Step, sabotage: Option<Sabotage>) -> Option<bool> {
    let what = plain(step.what);
    let play = match step.by {
        By::Machine(play, _) => play,
        By::Hand(why) => {
            tell!("{number:>3} by hand   {what} ({why})");
            return None;
        }
    };
    stage.tell(&format!("{number:>3} {what}"));
    let played = match sabotage {
        Some(Sabotage::Act(act)) => act(stage),
        Some(Sabotage::Config(..)) | None => Ok(()),
    };
    match played.and_then(|()| play(stage)) {
        Ok(()) => tell!("{number:>3} seen      {what}"),
        Err(off) => {
            tell!("{number:>3} NOT seen  {what}\n      should be seen: {}\n      {off}", plain(step.see));
            return Some(false);
        }
    }
    Some(true)
}

/// Without the signs of Markdown.
fn plain(text: &str) -> String {
    text.replace('`', "").replace("\\|", "|")
}

fn complain(error: &str) -> Verdict {
    eprintln!("smoke: {error}");
    Verdict::Infrastructure
}
