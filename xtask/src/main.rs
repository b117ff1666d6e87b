//! Project tasks, as `cargo xtask <task>`. It starts processes and reads files, and links of the project's crates only the one
//! that judges evidence, so that it is built in seconds.

/// Prints a line. Whoever looked on may have gone (`| head`): that changes nothing of what is played.
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod bench;
mod cargo;
mod demo;
mod drill;
mod gate;
mod kill;
mod release;
mod sbom;
mod sim;
mod smoke;
mod stage;
mod tidy;

use clap::Command;
use std::io::Write;
use std::process::ExitCode;

/// How a task ends, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// As it should be.
    Good,
    /// Something is off.
    Off,
    /// The machine did not play along: a build failed, a program could not be started.
    Infrastructure,
    /// Nothing is off, and too little was looked at to say that all is good.
    TooLittle,
    /// What the program said to which everything was passed on.
    Passed(u8),
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> ExitCode {
        ExitCode::from(match verdict {
            Verdict::Good => 0,
            Verdict::Off => 1,
            // 2 is clap's, for wrong usage.
            Verdict::Infrastructure => 5,
            Verdict::TooLittle => 6,
            Verdict::Passed(code) => code,
        })
    }
}

/// Prints a line to standard output; a reader that has gone (`| head`) is no error.
fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// All tasks.
fn commands() -> Command {
    Command::new("cargo xtask")
        .about("Tasks of this project")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            bench::command(),
            demo::command(),
            drill::command(),
            gate::command(),
            kill::command(),
            release::command(),
            sim::command(),
            sim::scenario(),
            smoke::command(),
            tidy::command(),
        ])
        .after_help(
            "Exit codes: 0 good, 1 something is off, 2 wrong usage, 5 the machine did not play along, 6 too little was \
             looked at",
        )
}

fn main() -> ExitCode {
    let matches = commands().get_matches();
    match matches.subcommand() {
        Some(("bench", matches)) => bench::run(matches).into(),
        Some(("demo", matches)) => demo::run(matches).into(),
        Some(("drill", matches)) => drill::run(matches).into(),
        Some(("gate", matches)) => gate::run(matches).into(),
        Some(("kill", matches)) => kill::run(matches).into(),
        Some(("release", matches)) => release::run(matches).into(),
        Some(("scenario", matches)) => sim::run_scenario(matches).into(),
        Some(("sim", matches)) => sim::run(matches).into(),
        Some(("smoke", matches)) => smoke::run(matches).into(),
        Some(("tidy", matches)) => tidy::run(matches).into(),
        Some(_) | None => unreachable!("clap asks for one of these"),
    }
}
