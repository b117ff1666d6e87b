//! One run.

use crate::{BROKEN, line, words};
use clap::Args;
use mainstay_sim::expect::Expected;
use mainstay_sim::run::run;
use mainstay_sim::scenario::Scenario;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

#[derive(Args)]
pub(crate) struct One {
    /// The scenario file
    scenario: PathBuf,
    /// All chance follows from it; the scenario's own, or 0, when not given
    #[arg(long)]
    seed: Option<u64>,
    /// One JSON line instead of words
    #[arg(long)]
    json: bool,
    /// What went wrong and when
    #[arg(long)]
    trace: bool,
}

pub(crate) fn run_one(one: &One) -> Result<ExitCode, String> {
    let scenario = Scenario::read(&one.scenario)?;
    let began = Instant::now();
    let verdict = run(&scenario, one.seed.or(scenario.seed).unwrap_or(0));
    if one.trace {
        for (at, what) in &verdict.timeline {
            println!("{:>9.3} s  {what}", *at as f64 / 1_000.0);
        }
    }
    if one.json {
        println!("{}", line(&verdict));
    } else {
        for Expected { what, wanted, seen, held } in &verdict.expected {
            println!("{} {what}: {wanted} expected, {seen} seen", if *held { "held  " } else { "MISSED" });
        }
        println!("{}", words(&verdict));
        let seconds = began.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let times = verdict.simulated_ms as f64 / 1_000.0 / seconds;
        println!("{:.2} s, {times:.0} times as fast as it would be; digest {:016x}", seconds, verdict.digest);
    }
    Ok(ExitCode::from(if verdict.broken.is_some() { BROKEN } else { 0 }))
}
