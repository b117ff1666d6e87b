//! `cargo xtask demo`: the real daemon, a Bot API server on loopback, and a chat with it in this terminal. No token, no
//! set-up, and nothing left behind.
//!
//! [`place`] is the folder it happens in, [`world`] the processes, [`chat`] a person at the terminal, [`script`] the same
//! played without one. What it does not have: knowledge of the daemon beyond its command line, files and chat.

/// Prints a line. Whoever looked on may have gone (`| head`): that changes nothing of what is played.
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod build;
mod chat;
mod heard;
mod place;
mod script;
mod sweep;
mod world;

use crate::Verdict;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use place::Place;
use std::io::IsTerminal;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  cargo xtask demo               talk to the daemon; played by itself where there is no terminal
  cargo xtask demo --script      play it, and exit with 1 if anything is off
  cargo xtask demo --keep        leave configuration, logs and database to look at

Exit codes: 0 all as it should be, 1 something is off, 2 wrong usage, 5 the machine did not play along";

pub(crate) fn command() -> Command {
    Command::new("demo")
        .about("Ask, approve, resume, kill the daemon with -9, and watch the task finish all the same")
        .arg(
            Arg::new("script")
                .long("script")
                .action(ArgAction::SetTrue)
                .help("play it without a person, checking every step"),
        )
        .arg(
            Arg::new("keep")
                .long("keep")
                .action(ArgAction::SetTrue)
                .help("do not remove the folder with configuration, logs and database"),
        )
        .arg(
            Arg::new("janitor")
                .long("janitor")
                .hide(true)
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("wait for the end of standard input, then clear this folder and its processes"),
        )
        .after_help(EXAMPLES)
}

pub(crate) fn run(matches: &ArgMatches) -> Verdict {
    let keep = matches.get_flag("keep");
    if let Some(dir) = matches.get_one::<PathBuf>("janitor") {
        sweep::wait_and_clear(dir, keep);
        return Verdict::Good;
    }
    let programs = match build::build() {
        Ok(programs) => programs,
        Err(error) => return infrastructure(&error),
    };
    let place = match Place::make(keep) {
        Ok(place) => place,
        Err(error) => return infrastructure(&format!("failed to make a folder for the demo: {error}")),
    };
    let verdict = if matches.get_flag("script") || !std::io::stdin().is_terminal() {
        script::play(&programs, &place)
    } else {
        chat::talk(&programs, &place)
    };
    place.clear(verdict)
}

fn infrastructure(error: &str) -> Verdict {
    eprintln!("demo: {error}");
    Verdict::Infrastructure
}
