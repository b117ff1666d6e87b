//! The controls of the simulation itself.

use crate::BROKEN;
use clap::Args;
use mainstay_sim::control;
use mainstay_sim::scenario::Scenario;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

#[derive(Args)]
pub(crate) struct Controls {
    /// The scenario with all faults
    #[arg(default_value = "scenarios/swarm.toml")]
    scenario: PathBuf,
    /// One JSON line a control
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(controls: &Controls) -> Result<ExitCode, String> {
    let scenario = Scenario::read(&controls.scenario)?;
    let mut wrong = 0;
    let mut tell = |(control, how): control::Outcome| {
        wrong += u32::from(how.is_some());
        if controls.json {
            let broken = how.as_ref().map(|_| control);
            let of: Vec<&str> = if control == control::FORGED { control::forgeable().collect() } else { Vec::new() };
            println!("{}", serde_json::json!({ "control": control, "broken": broken, "how": how, "of": of }));
        } else {
            match how {
                None => println!("ok      {control}"),
                Some(how) => println!("BLIND   {control}: {how}"),
            }
        }
    };
    tell((control::SAME, same(controls)?));
    control::all(&scenario, &mut tell);
    Ok(ExitCode::from(if wrong > 0 { BROKEN } else { 0 }))
}

/// Whether two processes make the same of the same seed.
fn same(controls: &Controls) -> Result<Option<String>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let run = || {
        let output = Command::new(&program)
            .args(["sweep", "--json", "--seeds", "3"])
            .arg(&controls.scenario)
            .output()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        Ok::<String, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (first, second) = (run()?, run()?);
    let differs = first.lines().zip(second.lines()).find(|(first, second)| first != second);
    Ok(match differs {
        Some((first, second)) => Some(format!("{first}\n{second}")),
        None => first.is_empty().then(|| "no seed was run".to_owned()),
    })
}
