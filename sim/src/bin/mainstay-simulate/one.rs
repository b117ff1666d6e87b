//! One run, and one told again.

use crate::share::{Line, message};
use crate::{BROKEN, LOST, SWARM, Trouble};
use clap::Args;
use mainstay_sim::expect::Expected;
use mainstay_sim::picture::page;
use mainstay_sim::property::PANICS;
use mainstay_sim::run::{Verdict, play, resolve, watch};
use mainstay_sim::scenario::Scenario;
use mainstay_sim::trace::Lane;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// `run`
#[derive(Args)]
pub(crate) struct One {
    /// The scenario file
    scenario: PathBuf,
    /// All chance follows from it; the scenario's own, or 0, when not given
    #[arg(long)]
    seed: Option<u64>,
    /// JSON instead of words: one line, and with --trace one for each entry before it
    #[arg(long)]
    json: bool,
    /// Everything that happened
    #[arg(long)]
    trace: bool,
    /// A picture of the run: one page, for any browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// `replay`
#[derive(Args)]
pub(crate) struct Replay {
    /// A seed of the swarm, or a scenario file with its seed in it
    what: String,
    /// The scenario that the seed is of
    #[arg(long, value_name = "FILE", default_value = SWARM)]
    of: PathBuf,
    /// JSON instead of words: one line for each entry, and the verdict
    #[arg(long)]
    json: bool,
    /// A picture of the run: one page, for any browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) fn run_one(one: &One) -> Result<ExitCode, Trouble> {
    let which = Which::file(&one.scenario, one.seed)?;
    let began = Instant::now();
    let resolved = resolve(&which.scenario, which.seed);
    let whole = one.trace || one.html.is_some();
    let verdict = played(if whole { watch } else { play }, &resolved, which.seed)?;
    if one.trace {
        tell(&verdict, one.json, &Lane::ALL);
    }
    say(&verdict, one.json, began);
    draw(&which, &resolved, &verdict, one.html.as_deref())?;
    Ok(code(&verdict))
}

pub(crate) fn replay(replay: &Replay) -> Result<ExitCode, Trouble> {
    let which = Which::of(&replay.what, &replay.of)?;
    let began = Instant::now();
    let resolved = resolve(&which.scenario, which.seed);
    let verdict = played(watch, &resolved, which.seed)?;
    // What a person follows; the rest is for machines, and `run --trace` has it.
    let story = [Lane::Fault, Lane::Daemon, Lane::Person, Lane::Task, Lane::Machine, Lane::Network];
    tell(&verdict, replay.json, &story);
    say(&verdict, replay.json, began);
    draw(&which, &resolved, &verdict, replay.html.as_deref())?;
    Ok(code(&verdict))
}

/// Plays a run in a thread of its own, as a sweep does.
fn played(how: fn(&Scenario, u64) -> Verdict, resolved: &Scenario, seed: u64) -> Result<Verdict, Trouble> {
    let resolved = resolved.clone();
    let played = std::thread::spawn(move || how(&resolved, seed)).join();
    played.map_err(|panic| Trouble(LOST, format!("seed {seed}: {PANICS}: {}", message(&*panic))))
}

/// A scenario and a seed.
pub(crate) struct Which {
    /// Of this file.
    pub(crate) file: PathBuf,
    /// What stands in it.
    pub(crate) scenario: Scenario,
    /// The seed.
    pub(crate) seed: u64,
}

impl Which {
    /// A file with this seed, or its own.
    pub(crate) fn file(file: &Path, seed: Option<u64>) -> Result<Which, Trouble> {
        let scenario = Scenario::read(file).map_err(Trouble::usage)?;
        let seed = seed.or(scenario.seed).unwrap_or(0);
        Ok(Which { file: file.to_owned(), scenario, seed })
    }

    /// A seed of a scenario, or a scenario file.
    pub(crate) fn of(what: &str, of: &Path) -> Result<Which, Trouble> {
        match what.parse() {
            Ok(seed) => Which::file(of, Some(seed)),
            Err(_) => Which::file(Path::new(what), None),
        }
    }

    /// What runs it again.
    pub(crate) fn again(&self) -> String {
        format!("cargo xtask sim run {} --seed {}", self.file.display(), self.seed)
    }
}

fn tell(verdict: &Verdict, json: bool, lanes: &[Lane]) {
    for entry in verdict.trace.iter().filter(|entry| lanes.contains(&entry.lane)) {
        if json {
            println!("{}", serde_json::to_string(entry).expect("words and numbers"));
        } else {
            println!("{entry}");
        }
    }
}

fn say(verdict: &Verdict, json: bool, began: Instant) {
    let line = Line::of(verdict);
    if json {
        println!("{}", line.json());
        return;
    }
    for Expected { what, wanted, seen, held } in &verdict.expected {
        println!("{} {what}: {wanted} expected, {seen} seen", if *held { "held  " } else { "MISSED" });
    }
    println!("{}", line.words());
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let times = verdict.simulated_ms as f64 / 1_000.0 / seconds;
    println!("{seconds:.2} s, {times:.0} times as fast as it would be; digest {}", line.digest);
}

fn draw(which: &Which, resolved: &Scenario, verdict: &Verdict, to: Option<&Path>) -> Result<(), Trouble> {
    let Some(path) = to else { return Ok(()) };
    std::fs::write(path, page(resolved, verdict, &which.again()))
        .map_err(|error| Trouble::machine(format!("{}: {error}", path.display())))?;
    eprintln!("drawn: {}", path.display());
    Ok(())
}

fn code(verdict: &Verdict) -> ExitCode {
    ExitCode::from(if verdict.broken.is_some() { BROKEN } else { 0 })
}
