//! Planted bugs: each is one replacement in one file, in a copy of the checkout. A simulation that does not find them would
//! not find others either.

use super::build;
use crate::Verdict;
use clap::ArgMatches;
use serde::Deserialize;
use std::path::Path;
use std::process::Command as Process;
use std::time::Instant;

/// Where they are listed.
const LIST: &str = "sim/mutants.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

/// A bug, as a replacement of a text that occurs once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    /// What it breaks, in a sentence.
    about: String,
    file: String,
    old: String,
    new: String,
    /// The scenario that is to find it; the swarm when none is said.
    #[serde(default = "swarm")]
    scenario: String,
}

fn swarm() -> String {
    "scenarios/swarm.toml".to_owned()
}

impl Mutant {
    /// The file with the bug in it.
    fn planted(&self, root: &Path) -> Result<String, String> {
        let path = root.join(&self.file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        match text.matches(&self.old).count() {
            1 => Ok(text.replacen(&self.old, &self.new, 1)),
            n => {
                Err(format!("mutant {}: its text occurs {n} times in {}, and has to occur once", self.name, self.file))
            }
        }
    }
}

fn list(root: &Path) -> Result<Vec<Mutant>, String> {
    let path = root.join(LIST);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let list: List = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(list.mutant)
}

pub(super) fn run(root: &Path, matches: &ArgMatches) -> Verdict {
    let seeds = *matches.get_one::<u64>("seeds").expect("has a default");
    let only: Vec<&String> = matches.get_many("only").into_iter().flatten().collect();
    match try_all(root, seeds, &only) {
        Ok(true) => Verdict::Good,
        Ok(false) => Verdict::Off,
        Err(error) => {
            eprintln!("{error}");
            Verdict::Infrastructure
        }
    }
}

/// Whether all were found.
fn try_all(root: &Path, seeds: u64, only: &[&String]) -> Result<bool, String> {
    let mutants = list(root)?;
    if let Some(unknown) = only.iter().find(|name| mutants.iter().all(|m| m.name != ***name)) {
        return Err(format!("there is no mutant {unknown:?} in {LIST}"));
    }
    let tree = root.join("target/mutants/tree");
    let target = root.join("target/mutants");
    copy(root, &tree)?;
    let (mut took, mut missed) = (Vec::new(), 0);
    for mutant in mutants.iter().filter(|m| only.is_empty() || only.contains(&&m.name)) {
        let began = Instant::now();
        let original = std::fs::read_to_string(tree.join(&mutant.file)).map_err(|error| error.to_string())?;
        std::fs::write(tree.join(&mutant.file), mutant.planted(root)?).map_err(|error| error.to_string())?;
        let found = build(&tree, Some(&target)).map_err(|()| format!("mutant {} does not build", mutant.name));
        let found = found.and_then(|simulator| find(&simulator, &tree, mutant, seeds));
        std::fs::write(tree.join(&mutant.file), original).map_err(|error| error.to_string())?;
        let seconds = began.elapsed().as_secs();
        match found? {
            Some((after, property)) => {
                println!("{:<28} found by seed {after:>3}: {property}  ({seconds} s)", mutant.name);
                took.push(after);
            }
            None => {
                println!("{:<28} MISSED in {seeds} seeds: {}  ({seconds} s)", mutant.name, mutant.about);
                missed += 1;
            }
        }
    }
    took.sort_unstable();
    let median = took.get(took.len() / 2).map_or_else(|| "none".to_owned(), u64::to_string);
    println!("{} found, {missed} missed; median seeds to find: {median}", took.len());
    Ok(missed == 0)
}

/// How many seeds it took to find it, and by what property; none when they were not enough.
fn find(simulator: &Path, tree: &Path, mutant: &Mutant, seeds: u64) -> Result<Option<(u64, String)>, String> {
    // In pieces: most are found by the first few seeds.
    const PIECE: u64 = 10;
    for from in (0..seeds).step_by(PIECE as usize) {
        let many = PIECE.min(seeds - from).to_string();
        let output = Process::new(simulator)
            .args(["sweep", "--json", "--from", &from.to_string(), "--seeds", &many, &mutant.scenario])
            .current_dir(tree)
            .output()
            .map_err(|error| format!("{}: {error}", simulator.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in text.lines() {
            let one: serde_json::Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            if let (Some(property), Some(seed)) = (one["broken"].as_str(), one["seed"].as_u64()) {
                return Ok(Some((seed + 1, property.to_owned())));
            }
        }
        if !output.status.success() {
            return Err(format!("the simulator ended with {}", output.status));
        }
    }
    Ok(None)
}

/// A copy of what git tracks, as it is now. Files that are as they were keep their time, so that little is built again.
fn copy(root: &Path, tree: &Path) -> Result<(), String> {
    let listed = Process::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    let listed = listed.map_err(|error| format!("git ls-files: {error}"))?;
    for name in String::from_utf8_lossy(&listed.stdout).split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), tree.join(name));
        let Ok(new) = std::fs::read(&from) else { continue };
        if std::fs::read(&to).is_ok_and(|old| old == new) {
            continue;
        }
        let parent = to.parent().unwrap_or(tree);
        std::fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        std::fs::write(&to, new).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_can_be_planted() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mutants = list(&root).expect("the list");
        for mutant in &mutants {
            let planted = mutant.planted(&root).unwrap_or_else(|error| panic!("{error}"));
            assert!(!planted.is_empty() && mutant.old != mutant.new && !mutant.about.is_empty(), "{}", mutant.name);
            assert!(root.join(&mutant.scenario).is_file(), "{}", mutant.name);
        }
        let names: std::collections::BTreeSet<&str> = mutants.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names.len(), mutants.len(), "names are unique");
    }
}
