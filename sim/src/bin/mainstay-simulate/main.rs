//! Runs simulations: one, many, or the same twice; shrinks and draws what fails. `cargo xtask sim` builds it in a profile of
//! its own and calls it.

mod control;
mod coverage;
mod crash;
mod evidence;
mod meta;
mod one;
mod pool;
mod scenario;
mod share;
mod shrink;
mod sweep;

use clap::{Parser, Subcommand};
use coverage::Coverage;
use crash::Crashes;
use meta::Meta;
use one::{One, Replay};
use shrink::Shrink;
use std::process::ExitCode;
use sweep::Sweep;

/// A property did not hold.
const BROKEN: u8 = 1;
/// The scenario can't be read, or the command line.
const USAGE: u8 = 2;
/// The same seed did not do the same.
const UNSTEADY: u8 = 3;
/// A run panicked, did not end, or its process died.
const LOST: u8 = 4;
/// The machine did not play along: a process could not be started, a file not be written.
const MACHINE: u8 = 5;
/// Too few of what can be met was met.
const UNCOVERED: u8 = 6;

/// The scenario of which a bare seed speaks.
const SWARM: &str = "scenarios/swarm.toml";

const EXAMPLES: &str = "\
Examples:
  mainstay-simulate run scenarios/restart-during-running.toml --seed 7
  mainstay-simulate sweep --swarm --seeds 1000 --fail-dir target/failures
  mainstay-simulate replay 4711 --html failure.html
  mainstay-simulate shrink 4711 --out scenarios/regressions/lost-report.toml
  mainstay-simulate meta --swarm --seeds 20
  mainstay-simulate coverage --seeds 2000
  mainstay-simulate crash --quick
  mainstay-simulate evidence scenarios/soak/soak-day.toml --suite soak --seeds 1,2,3 --persona attentive
  mainstay-simulate reruns scenarios/soak/reruns.toml --suite soak --seeds 1,2,3
  mainstay-simulate scenario check scenarios/swarm.toml

Exit codes:
  0  all held
  1  a property did not hold
  2  usage: the command line, or the scenario can't be read
  3  the same seed did not do the same twice
  4  a run panicked, did not end, or its process died
  5  the machine did not play along: a process could not be started, a file not be written
  6  too few combinations of fault and state were met";

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
    Sweep(Sweep),
    /// A run again, told: a seed of the swarm, or a scenario with the seed in it
    Replay(Replay),
    /// The smallest scenario that still fails as a seed or a scenario does
    Shrink(Shrink),
    /// Each seed twice, in two processes: they must do the same
    Meta(Meta),
    /// Which faults struck in which states of tasks, over many seeds
    Coverage(Coverage),
    /// One life, cut off at each of its points
    Crash(Crashes),
    /// The simulation tried on itself: that it would notice
    Control(control::Controls),
    /// Seeds of a scenario, told as lines of evidence
    Evidence(evidence::Evidence),
    /// The same job again and again under other faults, told as lines of evidence: a job a seed
    Reruns(evidence::Evidence),
    /// Writes and checks scenarios, and their docs
    Scenario(scenario::Scenarios),
}

/// Why there is no verdict: words, and the exit code.
struct Trouble(u8, String);

impl Trouble {
    fn usage(text: String) -> Trouble {
        Trouble(USAGE, text)
    }

    fn machine(text: impl std::fmt::Display) -> Trouble {
        Trouble(MACHINE, text.to_string())
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Task::Run(one) => one::run_one(&one),
        Task::Sweep(sweep) => sweep::run(&sweep),
        Task::Replay(replay) => one::replay(&replay),
        Task::Shrink(shrink) => shrink::run(&shrink),
        Task::Meta(meta) => meta::run(&meta),
        Task::Coverage(coverage) => coverage::run(&coverage),
        Task::Crash(crashes) => crash::crash(&crashes).map_err(Trouble::usage),
        Task::Control(controls) => control::run(&controls).map_err(Trouble::usage),
        Task::Evidence(args) => evidence::evidence(&args),
        Task::Reruns(args) => evidence::reruns(&args),
        Task::Scenario(scenarios) => scenario::run(&scenarios).map_err(Trouble::usage),
    };
    done.unwrap_or_else(|Trouble(code, text)| {
        eprintln!("{text}");
        ExitCode::from(code)
    })
}
