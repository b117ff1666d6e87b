//! `evidence` and `reruns`: seeds of a scenario told as lines of JSON, run after run, each from its head to its end.
//!
//! Whether anything is broken is a line, not an exit code: 0 says that all lines are out. A run that panics or does not end
//! is two lines, the second with why; where it does not end, the seeds after it are not played, since nothing may run beside
//! it: each of them is told as cut off too.

use crate::Trouble;
use crate::share::message;
use clap::Args;
use mainstay_metric::ledger::Line;
use mainstay_sim::evidence::{Told, cut_off, rerun, tell};
use mainstay_sim::people::Persona;
use mainstay_sim::property::{ENDLESS, PANICS};
use mainstay_sim::scenario::Scenario;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// A run of some minutes is given so long, and a simulated day as much again. It takes some seconds; the machine may have much
/// else to do, and this is not what its speed is measured by.
const ENDLESS_AFTER: Duration = Duration::from_secs(600);
/// A day, ms.
const DAY_MS: u64 = 24 * 3_600_000;

/// `evidence`, `reruns`
#[derive(Args)]
pub(crate) struct Evidence {
    /// The scenario file
    scenario: PathBuf,
    /// The suite that it is told for
    #[arg(long)]
    suite: String,
    /// The seeds, in this order
    #[arg(long, value_delimiter = ',', required = true)]
    seeds: Vec<u64>,
    /// Who the people are: attentive, slow or error-prone
    #[arg(long, value_parser = persona)]
    persona: Option<Persona>,
    /// These seeds are kept because they failed once: they count in no ratio
    #[arg(long)]
    kept: bool,
}

fn persona(name: &str) -> Result<Persona, String> {
    let known: Vec<&str> = Persona::NAMED.iter().map(|(name, _)| *name).collect();
    Persona::named(name).ok_or_else(|| format!("there are {}", known.join(", ")))
}

/// How a seed is told.
type Tell = fn(&Scenario, u64, &Told) -> Vec<Line>;

pub(crate) fn evidence(args: &Evidence) -> Result<ExitCode, Trouble> {
    run(args, tell)
}

pub(crate) fn reruns(args: &Evidence) -> Result<ExitCode, Trouble> {
    run(args, rerun::tell)
}

fn run(args: &Evidence, how: Tell) -> Result<ExitCode, Trouble> {
    let scenario = Scenario::read(&args.scenario).map_err(Trouble::usage)?;
    let name = args.scenario.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let told = Told { suite: args.suite.clone(), name, persona: args.persona, kept: args.kept };
    let mut lost = false;
    for seed in &args.seeds {
        let lines = if lost {
            cut_off(&scenario, *seed, &told, "an earlier run of the process did not end".to_owned())
        } else {
            let (lines, ended) = guarded(&scenario, *seed, &told, how);
            lost = !ended;
            lines
        };
        print(&lines)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(lines: &[Line]) -> Result<(), Trouble> {
    let mut text = String::new();
    for line in lines {
        text += &serde_json::to_string(line).map_err(Trouble::machine)?;
        text.push('\n');
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Trouble::machine)
}

/// One run in a fresh thread, so that nothing kept by a thread reaches the next; and whether it ended.
fn guarded(scenario: &Scenario, seed: u64, told: &Told, how: Tell) -> (Vec<Line>, bool) {
    let (send, receive) = channel();
    let (played, as_told) = (scenario.clone(), told.clone());
    let thread = std::thread::spawn(move || {
        // Nobody listens any more when it has taken too long.
        let _ = send.send(how(&played, seed, &as_told));
    });
    let days = u32::try_from(scenario.lasts.0 / DAY_MS).unwrap_or(u32::MAX);
    match receive.recv_timeout(ENDLESS_AFTER.saturating_mul(1 + days)) {
        Ok(lines) => (lines, true),
        Err(RecvTimeoutError::Timeout) => (cut_off(scenario, seed, told, ENDLESS.to_owned()), false),
        Err(RecvTimeoutError::Disconnected) => {
            let why = thread.join().err().map_or_else(String::new, |panic| message(&*panic));
            (cut_off(scenario, seed, told, format!("{PANICS}: {why}")), true)
        }
    }
}
