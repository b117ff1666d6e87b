//! Many seeds of a scenario, by several processes.

use crate::{BROKEN, UNSTEADY, line};
use clap::Args;
use mainstay_sim::run::run;
use mainstay_sim::scenario::Scenario;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

#[derive(Args)]
pub(crate) struct Many {
    /// The scenario file
    pub(crate) scenario: PathBuf,
    /// How many seeds
    #[arg(long, default_value_t = 100)]
    pub(crate) seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    pub(crate) from: u64,
    /// Processes at once; as many as there are cores when not given
    #[arg(long)]
    pub(crate) jobs: Option<u64>,
    /// Every so manieth seed: what a sweep gives to its processes
    #[arg(long, default_value_t = 1, hide = true)]
    pub(crate) step: u64,
    /// One JSON line a seed
    #[arg(long)]
    pub(crate) json: bool,
}

/// The share of one process of a sweep: a JSON line for each seed.
pub(crate) fn run_many(many: &Many) -> Result<ExitCode, String> {
    let scenario = Scenario::read(&many.scenario)?;
    let mut out = std::io::stdout().lock();
    for seed in (many.from..many.from + many.seeds).step_by(usize::try_from(many.step).unwrap_or(1)) {
        // A fresh thread, so that nothing kept by a thread reaches the next run.
        let scenario = scenario.clone();
        let verdict = std::thread::spawn(move || run(&scenario, seed)).join();
        let text = match verdict {
            Ok(verdict) => line(&verdict),
            Err(_) => serde_json::json!({ "seed": seed, "broken": "the run itself panicked" }).to_string(),
        };
        writeln!(out, "{text}").map_err(|error| error.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn sweep(many: &Many) -> Result<ExitCode, String> {
    let began = Instant::now();
    let found = all(many)?;
    let broken: Vec<_> = found.iter().filter(|one| !one["broken"].is_null()).collect();
    let simulated: i64 = found.iter().filter_map(|one| one["simulated_ms"].as_i64()).sum();
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (rate, times) = (found.len() as f64 / seconds * 60.0, simulated as f64 / 1_000.0 / seconds);
    println!(
        "{} seeds in {seconds:.0} s ({rate:.0} a minute, {times:.0} times as fast as real), {} broken",
        found.len(),
        broken.len()
    );
    for one in broken.iter().take(20) {
        println!("seed {}: {}: {}", one["seed"], one["broken"], one["how"]);
    }
    let Some(first) = broken.first() else { return Ok(ExitCode::SUCCESS) };
    println!("again: cargo xtask sim run {} --seed {}", many.scenario.display(), first["seed"]);
    Ok(ExitCode::from(BROKEN))
}

pub(crate) fn meta(many: &Many) -> Result<ExitCode, String> {
    let (first, second) = (all(many)?, all(many)?);
    let differs = first.iter().zip(&second).find(|(a, b)| a != b);
    match differs {
        Some((a, b)) => {
            println!("seed {} did not do the same twice:\n{a}\n{b}", a["seed"]);
            Ok(ExitCode::from(UNSTEADY))
        }
        None => {
            println!("{} seeds did the same twice", first.len());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// All seeds, by as many processes as wanted: chance of SQLite belongs to a process. In the order of the seeds.
fn all(many: &Many) -> Result<Vec<serde_json::Value>, String> {
    Scenario::read(&many.scenario)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let jobs = many.jobs.unwrap_or(cores).clamp(1, many.seeds.max(1));
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut children = Vec::new();
    for job in 0..jobs {
        let child = Command::new(&program)
            .args(["sweep", "--json", "--step", &jobs.to_string(), "--from", &(many.from + job).to_string()])
            .args(["--seeds", &(many.seeds - job).to_string()])
            .arg(&many.scenario)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        children.push(child);
    }
    let progress = std::io::stderr().is_terminal();
    let mut found = Vec::new();
    let (send, receive) = std::sync::mpsc::channel();
    for child in &mut children {
        let (stdout, send) = (child.stdout.take().ok_or("a child without output")?, send.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
    }
    drop(send);
    let (began, mut broken) = (Instant::now(), 0);
    for line in receive {
        let one: serde_json::Value = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        broken += u32::from(!one["broken"].is_null());
        found.push(one);
        if progress {
            let left = began.elapsed().as_secs_f64() / found.len() as f64 * (many.seeds as f64 - found.len() as f64);
            eprint!("\r{} of {} seeds, {broken} broken, {left:.0} s left  ", found.len(), many.seeds);
        }
    }
    if progress {
        eprintln!();
    }
    for mut child in children {
        let status = child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("a process of the sweep ended with {status}"));
        }
    }
    found.sort_by_key(|one| one["seed"].as_u64());
    Ok(found)
}
