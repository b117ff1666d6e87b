//! Each seed twice, in two processes. What differs is named.

use crate::pool::{Seeds, all, program};
use crate::{LOST, Trouble, UNSTEADY};
use clap::Args;
use mainstay_sim::trace::{Entry, difference, moments};
use std::path::Path;
use std::process::{Command, ExitCode};

/// `meta`
#[derive(Args)]
pub(crate) struct Meta {
    #[command(flatten)]
    seeds: Seeds,
}

/// What was before the difference, in entries.
const BEFORE: usize = 8;
/// A leak does not show in every pair of runs: so often it is looked for.
const PAIRS: usize = 10;

pub(crate) fn run(meta: &Meta) -> Result<ExitCode, Trouble> {
    let (first, second) = (all(&meta.seeds)?, all(&meta.seeds)?);
    if let Some(lost) = first.iter().chain(&second).find(|line| line.lost) {
        println!("{}", lost.words());
        return Ok(ExitCode::from(LOST));
    }
    let differing: Vec<u64> = first.iter().zip(&second).filter(|(a, b)| a != b).map(|(a, _)| a.seed).collect();
    let Some(seed) = differing.first() else {
        println!("{} seeds did the same twice", first.len());
        return Ok(ExitCode::SUCCESS);
    };
    println!("{} of {} seeds did not do the same twice; the first: seed {seed}", differing.len(), first.len());
    for _ in 0..PAIRS {
        let (one, two) = (trace(meta.seeds.file(), *seed)?, trace(meta.seeds.file(), *seed)?);
        if let Some(parted) = difference(&one, &two, BEFORE) {
            println!("the first entry that differs (1 and 2), after those before it:\n{parted}");
            return Ok(ExitCode::from(UNSTEADY));
        }
    }
    println!("{PAIRS} more pairs of runs did not differ: it is rare, or nothing that a trace has");
    Ok(ExitCode::from(UNSTEADY))
}

/// The whole trace of a seed, from a process of its own.
fn trace(file: &Path, seed: u64) -> Result<Vec<Entry>, Trouble> {
    let output = Command::new(program()?)
        .args(["run", "--trace", "--json", "--seed", &seed.to_string()])
        .arg(file)
        .output()
        .map_err(Trouble::machine)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // The last line is the verdict.
    let lines = text.lines().count().saturating_sub(1);
    let entries = text.lines().take(lines).map(serde_json::from_str).collect::<Result<Vec<Entry>, _>>();
    entries
        .map(|entries| moments(&entries))
        .map_err(|error| Trouble::machine(format!("the trace of seed {seed} can't be read: {error}")))
}
