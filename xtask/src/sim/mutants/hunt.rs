//! Trying a bug: seeds until a property breaks, or the simulator's own controls.

use super::list::Mutant;
use super::plant::VARIABLE;
use super::shrink::Shrunk;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// What came of a mutant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Found {
    /// Its name.
    pub(super) mutant: String,
    /// Seeds it took; none when they were not enough, and for a control.
    pub(super) seeds: Option<u64>,
    /// The property or control that broke.
    pub(super) by: Option<String>,
    /// How.
    pub(super) how: String,
    /// Wall time, s.
    pub(super) seconds: f64,
    /// What shrinking made of it, if that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shrunk: Option<Shrunk>,
}

/// Runs seeds of the mutant's scenario, or the controls, until something breaks; and the lines that were printed until then.
pub(super) fn hunt(program: &Path, root: &Path, mutant: &Mutant, seeds: u64) -> Result<(Found, Vec<String>), String> {
    let began = std::time::Instant::now();
    let mut simulator = Command::new(program);
    if mutant.is_of_the_simulator() {
        simulator.args(["control", "--json"]);
    } else {
        simulator.args(["sweep", "--json", "--seeds", &seeds.to_string(), &mutant.scenario]);
    }
    let (first, printed) = first_broken(simulator.env(VARIABLE, &mutant.name).current_dir(root))?;
    let found = Found {
        mutant: mutant.name.clone(),
        seeds: first.as_ref().and_then(|one| one["seed"].as_u64()).map(|seed| seed + 1),
        by: first.as_ref().and_then(|one| one["broken"].as_str()).map(str::to_owned),
        how: first.as_ref().and_then(|one| one["how"].as_str()).unwrap_or_default().to_owned(),
        seconds: began.elapsed().as_secs_f64(),
        shrunk: None,
    };
    Ok((found, printed))
}

/// The first line of output that tells of something broken, and all lines up to it; what comes after is not waited for.
fn first_broken(simulator: &mut Command) -> Result<(Option<serde_json::Value>, Vec<String>), String> {
    let mut child = simulator
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", simulator.get_program().display()))?;
    let stdout = child.stdout.take().ok_or("a child without output")?;
    let (mut first, mut printed) = (None, Vec::new());
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let one: serde_json::Value = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        printed.push(line);
        if !one["broken"].is_null() {
            first = Some(one);
            break;
        }
    }
    if first.is_some() {
        // Its own child, and what it would find further nobody asks.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if first.is_none() && !status.success() {
        return Err(format!("the simulator ended with {status} and named no property"));
    }
    Ok((first, printed))
}

/// Whether the program without a bug does what the simulator does: else planting itself changes something, and nothing that
/// is found would count.
pub(super) fn compare(program: &Path, simulator: &Path, root: &Path) -> Result<(), String> {
    const SEEDS: &str = "5";
    let run = |program: &Path| {
        let output = Command::new(program)
            .args(["sweep", "--json", "--seeds", SEEDS, "scenarios/swarm.toml"])
            .env_remove(VARIABLE)
            .current_dir(root)
            .output()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        Ok::<String, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (with, without) = (run(program)?, run(simulator)?);
    if with.lines().any(|line| !line.contains("\"broken\":null")) {
        return Err(format!("something is broken without any mutant: mend that first\n{with}"));
    }
    match with.lines().zip(without.lines()).find(|(with, without)| with != without) {
        None if !with.is_empty() => Ok(()),
        None => Err("the simulator ran no seed".into()),
        Some((with, without)) => Err(format!(
            "with no mutant planted the program does something else: a `new` acts though it is not its turn\n{with}\n{without}"
        )),
    }
}
