//! What a gate wants, and how much of it: all that decides a verdict besides the evidence.
//!
//! It stands in files of the commit: metrics (by `mainstay-metric`), suites (here) and probes, and a bundle has all of them as one `policy.toml`. Amounts for `--quick` stand beside those of a full run in the same file, so that both
//! are judged by the same words and hash.

use super::checkout::Checkout;
use super::probes;
use super::suites::Suite;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a file says, for these suites.
pub(crate) type Text = fn(&[Suite]) -> String;

/// The files of a commit that make up its policy, in this order, and what this program says that is in them.
pub(crate) const FILES: &[(&str, Text)] = &[
    ("audits/policy-v1.2.toml", |_| mainstay_metric::policy::policy_text()),
    ("audits/suites-v1.2.toml", suites_text),
    ("audits/probes-v1.2.toml", |_| probes::policy_text()),
];

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Amounts {
    /// Seeds of each scenario file.
    pub(crate) seeds_per_scenario: u64,
    /// Seeds of the swarm. A seed dispatches some 9 tasks, and 30,000 dispatches under faults are wanted.
    pub(crate) swarm_seeds: u64,
    /// Simulated days of each persona.
    pub(crate) soak_days: u64,
    /// Simulated weeks of each persona.
    pub(crate) soak_weeks: u64,
    /// Jobs that are run five times, each time under another schedule of faults.
    pub(crate) rerun_jobs: u64,
    /// Points of the life cycle that are cut; 0: every one.
    pub(crate) crash_points: u64,
    /// Seeds after which a planted bug counts as missed.
    pub(crate) mutant_seeds: u64,
    /// Every so manieth planted bug is tried.
    pub(crate) mutants_one_in: u64,
    /// Rounds of killing the real program.
    pub(crate) kill_rounds: u64,
    /// Rounds of each mode of the deploy drills.
    pub(crate) drill_rounds: u64,
    /// Minutes that measuring may take.
    pub(crate) bench_minutes: u64,
}

/// A whole gate: at most 60 minutes on two cores.
pub(crate) const FULL: Amounts = Amounts {
    seeds_per_scenario: 3,
    swarm_seeds: 3_400,
    soak_days: 45,
    soak_weeks: 4,
    rerun_jobs: 120,
    crash_points: 0,
    mutant_seeds: 200,
    mutants_one_in: 1,
    kill_rounds: 2_000,
    drill_rounds: 20,
    bench_minutes: 8,
};

/// A look: at most 5 minutes. It can't pass.
pub(crate) const QUICK: Amounts = Amounts {
    seeds_per_scenario: 1,
    swarm_seeds: 60,
    soak_days: 2,
    soak_weeks: 0,
    rerun_jobs: 6,
    crash_points: 60,
    mutant_seeds: 200,
    mutants_one_in: 20,
    kill_rounds: 24,
    drill_rounds: 1,
    bench_minutes: 1,
};

/// What units follow from: the amounts, and what the commit has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// A look, not a gate.
    pub(crate) quick: bool,
    /// How much.
    pub(crate) amounts: Amounts,
    /// Scenario files of the commit, sorted.
    pub(crate) scenarios: Vec<String>,
    /// Those of them that are kept because they failed once, with the seeds that they name.
    pub(crate) kept: BTreeMap<String, u64>,
    /// Names of the commit's planted bugs, in the order of their list.
    pub(crate) mutants: Vec<String>,
}

/// Where scenarios are that are kept because they failed once.
pub(crate) const REGRESSIONS: &str = "scenarios/regressions/";
/// The seed of a scenario that names none, as the simulator has it.
const SEED: u64 = 0;

#[derive(Deserialize)]
struct Seeded {
    seed: Option<u64>,
}

/// The list of planted bugs.
pub(crate) const MUTANTS: &str = "sim/mutants.toml";

#[derive(Deserialize)]
struct Mutants {
    mutant: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Policy {
    /// The policy for a commit: what is listed is what the commit has, whatever lies around beside it.
    pub(crate) fn of(checkout: &Checkout, commit: &str, quick: bool) -> Result<Policy, String> {
        let mut scenarios = checkout.files(commit, "scenarios")?;
        scenarios.retain(|path| path.ends_with(".toml"));
        let mut kept = BTreeMap::new();
        for path in scenarios.iter().filter(|path| path.starts_with(REGRESSIONS)) {
            let text = checkout.file(commit, path)?.unwrap_or_default();
            let file: Seeded = toml::from_str(&text).map_err(|error| format!("{path} of {commit}: {error}"))?;
            kept.insert(path.clone(), file.seed.unwrap_or(SEED));
        }
        let mutants = match checkout.file(commit, MUTANTS)? {
            None => Vec::new(),
            Some(text) => {
                let list: Mutants = toml::from_str(&text).map_err(|error| format!("{MUTANTS} of {commit}: {error}"))?;
                list.mutant.into_iter().map(|mutant| mutant.name).collect()
            }
        };
        Ok(Policy { quick, amounts: if quick { QUICK } else { FULL }, scenarios, kept, mutants })
    }
}

/// The whole text, as this program has it.
pub(crate) fn text(suites: &[Suite]) -> String {
    FILES.iter().map(|(_, text)| text(suites)).collect()
}

/// The whole text, as a commit has it. None: it has none, or not all of it.
pub(crate) fn text_of(checkout: &Checkout, commit: &str) -> Result<Option<String>, String> {
    let mut whole = String::new();
    for (path, _) in FILES {
        let Some(text) = checkout.file(commit, path)? else { return Ok(None) };
        whole.push_str(&text);
    }
    Ok(Some(whole))
}

/// The suites' part.
fn suites_text(suites: &[Suite]) -> String {
    let mut text = String::from(
        "# What a gate runs, and how much. Written by the program:\n# `MAINSTAY_BLESS=1 cargo test -p xtask gate::policy`.\n",
    );
    for (name, amounts) in [("full", &FULL), ("quick", &QUICK)] {
        let amounts = toml::to_string(amounts).expect("numbers");
        let _ = write!(text, "\n[amounts.{name}]\n{amounts}");
    }
    for suite in suites {
        let origin = serde_json::to_string(&suite.origin).expect("a word");
        let _ = write!(
            text,
            "\n[suite.{}]\nabout = {:?}\norigin = {origin}\nload = {:?}\nreplays = {}\n",
            suite.name,
            suite.about,
            suite.load.name(),
            suite.replays
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::suites::SUITES;
    use super::*;
    use std::path::Path;

    #[test]
    fn the_files_say_what_the_program_does() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (path, text) in FILES {
            let (path, text) = (root.join(path), text(SUITES));
            if std::env::var_os("MAINSTAY_BLESS").is_some() {
                std::fs::write(&path, &text).expect("written");
            }
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(there, text, "{}: run with MAINSTAY_BLESS=1", path.display());
        }
        let _: toml::Table = toml::from_str(&super::text(SUITES)).expect("TOML");
    }
}
