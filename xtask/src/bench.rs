//! `cargo xtask bench`: builds the benches with the release profile and runs them, one figure a line.

use crate::Verdict;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::process::Command as Process;

/// The command line.
pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("bench")
        .about("Measures the daemon against floors of the same run")
        .arg(flag("quick", "Fewer rounds and a smaller history: minutes instead of a quarter of an hour"))
        .arg(flag("json", "One JSON object a figure instead of a table"))
        .arg(flag("inside", "Also what happens inside the process (criterion)"))
        .arg(
            Arg::new("part").num_args(0..).help(
                "Only these: floors, answer, throughput, command, lives, latency, restart, history, loaded, record",
            ),
        )
        .after_help(
            "A missed target is a figure, not a failure: exit code 0. docs/BENCHMARKS.md says how to read them.",
        )
}

/// Runs it.
pub(crate) fn run(matches: &ArgMatches) -> Verdict {
    let flags = ["quick", "json"].into_iter().filter(|f| matches.get_flag(f)).map(|f| format!("--{f}"));
    let parts = matches.get_many::<String>("part").into_iter().flatten().cloned();
    let mut verdict = bench("outside", flags.chain(parts));
    if verdict == Verdict::Good && matches.get_flag("inside") {
        verdict = bench("inside", std::iter::empty());
    }
    verdict
}

fn bench(name: &str, arguments: impl Iterator<Item = String>) -> Verdict {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut process = Process::new(cargo);
    process.args(["bench", "--quiet", "--package", "mainstay", "--bench", name, "--"]).args(arguments);
    match process.status() {
        Ok(status) if status.success() => Verdict::Good,
        Ok(status) => {
            eprintln!("xtask: the bench {name} ended with {status}");
            Verdict::Infrastructure
        }
        Err(error) => {
            eprintln!("xtask: cargo can't be started: {error}");
            Verdict::Infrastructure
        }
    }
}
