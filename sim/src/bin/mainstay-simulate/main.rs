//! Runs simulations: one, many, or the same twice. `cargo xtask sim` builds it in the release profile and calls it.

mod control;
mod crash;
mod many;
mod one;
mod scenario;

use clap::{Parser, Subcommand};
use crash::Crashes;
use mainstay_sim::expect::Expected;
use mainstay_sim::run::Verdict;
use many::Many;
use one::One;
use std::process::ExitCode;

/// A property did not hold.
const BROKEN: u8 = 1;
/// The scenario can't be read, or the command line.
const USAGE: u8 = 2;
/// The same seed did not do the same.
const UNSTEADY: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  mainstay-simulate run scenarios/restart-during-running.toml --seed 7
  mainstay-simulate sweep scenarios/swarm.toml --seeds 1000 --jobs 2
  mainstay-simulate meta scenarios/swarm.toml --seeds 20
  mainstay-simulate scenario check scenarios/swarm.toml
  mainstay-simulate crash --quick

Exit codes: 0 all held, 1 a property did not hold, 2 usage, 3 the same seed did not do the same twice.";

#[derive(Parser)]
#[command(version, about = "Runs the daemon in a simulated world", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// One run of a scenario
    Run(One),
    /// Many seeds of a scenario; failing ones are named at the end
    Sweep(Many),
    /// Each seed twice, in two processes: they must do the same
    Meta(Many),
    /// Writes and checks scenarios, and their docs
    Scenario(scenario::Scenarios),
    /// The simulation tried on itself: that it would notice
    Control(control::Controls),
    /// One life, cut off at each of its points
    Crash(Crashes),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Task::Run(one) => one::run_one(&one),
        Task::Sweep(many) if many.json => many::run_many(&many),
        Task::Sweep(many) => many::sweep(&many),
        Task::Meta(many) => many::meta(&many),
        Task::Scenario(scenarios) => scenario::run(&scenarios),
        Task::Control(controls) => control::run(&controls),
        Task::Crash(crashes) => crash::crash(&crashes),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(USAGE)
    })
}

fn line(verdict: &Verdict) -> String {
    serde_json::json!({
        "seed": verdict.seed,
        "broken": verdict.broken.as_ref().map(|b| b.property),
        "how": verdict.broken.as_ref().map(|b| &b.how),
        "at_ms": verdict.broken.as_ref().map(|b| b.at_ms),
        "digest": format!("{:016x}", verdict.digest),
        "jobs": verdict.jobs,
        "faults": verdict.faults,
        "ran": verdict.ran,
        "simulated_ms": verdict.simulated_ms,
        "expected": verdict.expected.iter().map(expected).collect::<Vec<_>>(),
    })
    .to_string()
}

fn expected(one: &Expected) -> serde_json::Value {
    serde_json::json!({ "what": one.what, "wanted": one.wanted, "seen": one.seen, "held": one.held })
}

fn words(verdict: &Verdict) -> String {
    let Verdict { seed, jobs, faults, ran, .. } = verdict;
    let what = format!("seed {seed}: {jobs} jobs, {faults} faults, {ran} programs started");
    match &verdict.broken {
        None => format!("{what}: everything held"),
        Some(broken) => format!("{what}\nBROKEN: {}: {}", broken.property, broken.how),
    }
}
