//! Which faults struck in which states of tasks, over many seeds.

use crate::pool::{Seeds, all};
use crate::share::Line;
use crate::sweep::{summary, tell, tell_commands};
use crate::{BROKEN, LOST, Trouble, UNCOVERED};
use clap::Args;
use mainstay_sim::coverage::Matrix;
use std::process::ExitCode;
use std::time::Instant;

/// `coverage`
#[derive(Args)]
pub(crate) struct Coverage {
    #[command(flatten)]
    seeds: Seeds,
    /// Of a hundred cells that can be reached, so many have to be
    #[arg(long, default_value_t = 95, value_parser = clap::value_parser!(u32).range(0..=100))]
    least: u32,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(coverage: &Coverage) -> Result<ExitCode, Trouble> {
    let began = Instant::now();
    let found = all(&coverage.seeds)?;
    let mut matrix = Matrix::default();
    for line in &found {
        for (fault, state) in &line.met {
            matrix.add(fault, state);
        }
    }
    let broken: Vec<&Line> = found.iter().filter(|line| line.broken.is_some()).collect();
    if coverage.json {
        println!("{}", matrix.json(found.len()));
    } else {
        println!("{}", summary(&found, broken.len(), began.elapsed().as_secs_f64()));
        println!("{matrix}");
        tell(&broken);
        broken.first().iter().for_each(|first| tell_commands(&coverage.seeds, first));
    }
    Ok(ExitCode::from(match broken.first() {
        Some(_) if broken.iter().all(|line| line.lost) => LOST,
        Some(_) => BROKEN,
        None if matrix.percent() < coverage.least => UNCOVERED,
        None => 0,
    }))
}
