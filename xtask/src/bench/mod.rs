//! `cargo xtask bench`: builds the benches with the release profile and runs them, one figure a line.
//!
//! [`figures`] reads what a bench prints as JSON, for the gate's suite; [`change`] holds it against an earlier verdict's. What is
//! measured, and against what, is in `daemon/benches/` and `sim/benches/`.

pub(crate) mod change;
pub(crate) mod figures;

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
        .arg(flag("peers", "Also pueue, task-spooler and nq, where they are installed, against the same floors"))
        .arg(flag("sim", "Also how much faster than life the simulation is, against an empty one"))
        .arg(Arg::new("part").num_args(0..).help(
            "Only these: floors, answer, throughput, command, lives, latency, restart, history, loaded, record, peers",
        ))
        .after_help(
            "A missed target is a figure, not a failure: exit code 0. docs/BENCHMARKS.md says how to read them.",
        )
}

/// A bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bench {
    /// The daemon as a process.
    Outside,
    /// What happens inside of it.
    Inside,
    /// The simulation.
    Day,
}

impl Bench {
    /// What cargo is told of it. The simulation is measured in the profile in which it is used.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Bench::Outside => &["--package", "mainstay", "--bench", "outside"],
            Bench::Inside => &["--package", "mainstay", "--bench", "inside"],
            Bench::Day => &["--profile", "sim", "--package", "mainstay-sim", "--bench", "day"],
        }
    }

    /// Cargo, about to build it, and to run it unless it is only to be `built`. Without what cargo has told this program of
    /// itself: whatever depends on that would be built anew each time.
    pub(crate) fn process(self, built: bool) -> Process {
        let mut process = Process::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
            process.env_remove(name);
        }
        process.args(["bench", "--quiet"]).args(self.arguments());
        process.args(if built { &["--no-run"][..] } else { &["--"][..] });
        process
    }
}

/// Runs it.
pub(crate) fn run(matches: &ArgMatches) -> Verdict {
    let flags: Vec<String> =
        ["quick", "json"].into_iter().filter(|f| matches.get_flag(f)).map(|f| format!("--{f}")).collect();
    let parts: Vec<String> = matches.get_many::<String>("part").into_iter().flatten().cloned().collect();
    let wanted = [
        (Bench::Outside, true, [flags.clone(), parts].concat()),
        (Bench::Outside, matches.get_flag("peers"), [flags.clone(), vec!["peers".into()]].concat()),
        (Bench::Inside, matches.get_flag("inside"), Vec::new()),
        (Bench::Day, matches.get_flag("sim"), flags),
    ];
    let mut runs = wanted.into_iter().filter(|(_, wanted, _)| *wanted);
    let off = runs.find_map(|(bench, _, arguments)| {
        let verdict = self::bench(bench, &arguments);
        (verdict != Verdict::Good).then_some(verdict)
    });
    off.unwrap_or(Verdict::Good)
}

fn bench(bench: Bench, arguments: &[String]) -> Verdict {
    match bench.process(false).args(arguments).status() {
        Ok(status) if status.success() => Verdict::Good,
        Ok(status) => {
            eprintln!("xtask: the bench {bench:?} ended with {status}");
            Verdict::Infrastructure
        }
        Err(error) => {
            eprintln!("xtask: cargo can't be started: {error}");
            Verdict::Infrastructure
        }
    }
}
