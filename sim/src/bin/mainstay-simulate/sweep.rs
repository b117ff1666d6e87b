//! Many seeds of a scenario: does everything hold in all of them?

use crate::pool::{Seeds, all};
use crate::share::{Line, run_share};
use crate::{BROKEN, LOST, Trouble};
use clap::Args;
use mainstay_sim::run::resolve;
use mainstay_sim::scenario::Scenario;
use mainstay_sim::shrink::text;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// `sweep`
#[derive(Args)]
pub(crate) struct Sweep {
    #[command(flatten)]
    seeds: Seeds,
    /// Where what each failing seed came to is written, as a scenario: it stays the same when chance is drawn otherwise one day
    #[arg(long, value_name = "DIR")]
    fail_dir: Option<PathBuf>,
    /// One JSON line a seed, from one process, seed after seed; exit code 0 also when something is broken
    #[arg(long)]
    json: bool,
    /// Every so manieth seed: what a sweep gives to its processes
    #[arg(long, default_value_t = 1, hide = true)]
    step: usize,
}

/// At most so many failing seeds are told of.
const TOLD: usize = 20;

pub(crate) fn run(sweep: &Sweep) -> Result<ExitCode, Trouble> {
    let scenario = sweep.seeds.scenario()?;
    if sweep.json {
        let seeds = (sweep.seeds.from..sweep.seeds.from.saturating_add(sweep.seeds.seeds)).step_by(sweep.step.max(1));
        return run_share(&scenario, seeds);
    }
    let began = Instant::now();
    let found = all(&sweep.seeds)?;
    let broken: Vec<&Line> = found.iter().filter(|line| line.broken.is_some()).collect();
    println!("{}", summary(&found, broken.len(), began.elapsed().as_secs_f64()));
    tell(&broken);
    let Some(first) = broken.first() else { return Ok(ExitCode::SUCCESS) };
    if let Some(dir) = &sweep.fail_dir {
        for line in &broken {
            println!("written: {}", write(dir, &scenario, line)?.display());
        }
    }
    tell_commands(&sweep.seeds, first);
    Ok(ExitCode::from(if broken.iter().all(|line| line.lost) { LOST } else { BROKEN }))
}

/// What the failing seeds came to.
pub(crate) fn tell(broken: &[&Line]) {
    for line in broken.iter().take(TOLD) {
        println!("{}", line.words());
    }
    if broken.len() > TOLD {
        println!("and {} more", broken.len() - TOLD);
    }
}

/// How one of them is looked at; last, so that it is to be seen.
pub(crate) fn tell_commands(seeds: &Seeds, first: &Line) {
    let file = seeds.file().display();
    println!("smaller: cargo xtask sim shrink {} --of {file}", first.seed);
    println!("again:   cargo xtask sim run {file} --seed {}", first.seed);
}

/// How many, how fast.
pub(crate) fn summary(found: &[Line], broken: usize, seconds: f64) -> String {
    let simulated: i64 = found.iter().map(|line| line.simulated_ms).sum();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (rate, times) = (found.len() as f64 / seconds * 60.0, simulated as f64 / 1_000.0 / seconds);
    format!(
        "{} seeds in {seconds:.0} s ({rate:.0} a minute, {times:.0} times as fast as real), {broken} broken",
        found.len()
    )
}

/// What the seed came to, as a scenario of its own.
fn write(dir: &Path, scenario: &Scenario, line: &Line) -> Result<PathBuf, Trouble> {
    let path = dir.join(format!("seed-{}.toml", line.seed));
    let property = line.broken.as_deref().unwrap_or_default();
    let how = line.how.as_deref().unwrap_or("no verdict");
    let notes =
        [format!("Broken: {property}."), format!("How: {how}"), format!("Seed {} of {:?}.", line.seed, scenario.about)];
    let text = text(&resolve(scenario, line.seed), &notes).map_err(Trouble::machine)?;
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&path, text))
        .map_err(|error| Trouble::machine(format!("{}: {error}; say another --fail-dir", path.display())))?;
    Ok(path)
}
