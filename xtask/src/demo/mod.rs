//! `cargo xtask demo`: the real daemon, a Bot API server on loopback, and a chat with it in this terminal. No token, no
//! set-up, and nothing left behind.
//!
//! [`chat`] is a person at the terminal, [`script`] the same played without one, both on a [`stage`].

mod chat;
mod script;

use crate::Verdict;
use crate::stage::{self, Place, Setting};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Who and what is there.
const SETTING: Setting = Setting {
    name: "demo",
    config: include_str!("mainstay.toml"),
    people: &["1001:ana", "1002:ben"],
    unlimited: false,
    programs: &[
        ("hello.sh", "echo \"hello, $(cat)\"\n"),
        (
            "build.sh",
            "for step in 1 2 3 4 5 6 7 8 9 10; do\n  \
           echo \"step $step of 10: $(cat \"$MAINSTAY_PROMPT_FILE\")\" | tee -a \"$MAINSTAY_PROGRESS_FILE\"\n  \
           sleep 1\ndone\necho built > \"$MAINSTAY_ARTIFACTS_DIR/result\"\n",
        ),
        ("deploy.sh", "echo \"deploying $(cat)\"; sleep 3; echo deployed\n"),
        (
            "flaky.sh",
            "if [ \"$MAINSTAY_ATTEMPT\" = 1 ]; then echo 'the network is down' >&2; exit 75; fi\necho 'fine this time'\n",
        ),
        (
            "stubborn.sh",
            "trap '' TERM\n# And a helper that runs away from its parent, its group and its session.\n\
         (setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" &)\n\
         while :; do sleep 1; done\n",
        ),
    ],
};

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
        stage::wait_and_clear(dir, keep);
        return Verdict::Good;
    }
    let programs = match stage::build(stage::Profile::Dev) {
        Ok(programs) => programs,
        Err(error) => return infrastructure(&error),
    };
    let place = match Place::make(SETTING, keep) {
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
