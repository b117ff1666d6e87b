//! Making small what a planted bug broke: the file that is left has to fail with the bug, and to hold without it.

use super::hunt::Found;
use super::list::{Mutant, SWARM};
use super::plant::VARIABLE;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// So many faults may be left in the middle of all files.
const MOST_FAULTS: u64 = 4;
/// So long shrinking may take in the middle of all, s.
const MOST_SECONDS: f64 = 60.0;
/// Where the files are left, a folder for each bug.
const FOLDER: &str = "target/mutants/shrunk";

/// What came of shrinking what a bug broke.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Shrunk {
    /// What the seed came to.
    pub(super) before: Size,
    /// Wall time that shrinking took, s.
    pub(super) seconds: f64,
    /// What was left, or why nothing was.
    pub(super) left: Result<Small, String>,
}

/// What is in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Size {
    /// Its entries of what goes wrong.
    pub(super) faults: u64,
    /// Its entries of what is asked for.
    pub(super) jobs: u64,
}

/// The file that was left.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Small {
    pub(super) size: Size,
    /// What it breaks with the bug in the program.
    pub(super) with_bug: Option<String>,
    /// What it breaks in the program as it is.
    pub(super) without_bug: Option<String>,
}

impl Shrunk {
    /// The faults that are left; none where no file is.
    pub(super) fn faults(&self) -> Option<u64> {
        self.left.as_ref().ok().map(|small| small.size.faults)
    }

    /// Whether the file breaks the property that the seed broke.
    pub(super) fn fails_with_bug(&self, found: &Found) -> bool {
        self.left.as_ref().is_ok_and(|small| small.with_bug.is_some() && small.with_bug == found.by)
    }

    /// Whether the file breaks nothing in the program as it is.
    pub(super) fn holds_without_bug(&self) -> bool {
        self.left.as_ref().is_ok_and(|small| small.without_bug.is_none())
    }
}

/// The seed of the swarm that found a bug of the product. There is none for what a scenario file found: somebody has made
/// that small already, and its figures would only flatter.
pub(super) fn seed(mutant: &Mutant, found: &Found) -> Option<u64> {
    let of_the_swarm = !mutant.is_of_the_simulator() && mutant.scenario == SWARM && found.by.is_some();
    found.seeds.filter(|_| of_the_swarm)?.checked_sub(1)
}

/// The programs that shrink.
pub(super) struct Shrinker<'a> {
    pub(super) root: &'a Path,
    /// With all bugs in it.
    pub(super) program: &'a Path,
    /// With none.
    pub(super) simulator: &'a Path,
}

impl Shrinker<'_> {
    /// Shrinks what a seed came to, and tries the file that is left.
    pub(super) fn shrink(&self, mutant: &Mutant, seed: u64) -> Result<Shrunk, String> {
        let folder = self.root.join(FOLDER).join(&mutant.name);
        let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
        // A file of an earlier run must not be taken for one of this.
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let (seed, to) = (seed.to_string(), folder.display().to_string());
        let sweep = ["sweep", &mutant.scenario, "--from", &seed, "--seeds", "1", "--fail-dir", &to];
        let swept = self.run(self.program, Some(mutant), &sweep)?;
        let before = size(&folder.join(format!("seed-{seed}.toml")))
            .map_err(|error| format!("{error}; the sweep ended with {}: {}", swept.status, last_line(&swept.stderr)))?;
        let small = folder.join("small.toml");
        let began = Instant::now();
        let shrunk =
            self.run(self.program, Some(mutant), &["shrink", &seed, "--of", &mutant.scenario, "--out", &path(&small)])?;
        let seconds = began.elapsed().as_secs_f64();
        if !small.is_file() {
            let why = if shrunk.stderr.is_empty() { &shrunk.stdout } else { &shrunk.stderr };
            let left = Err(format!("{}: {}", shrunk.status, last_line(why)));
            return Ok(Shrunk { before, seconds, left });
        }
        let with_bug = self.broken(self.program, Some(mutant), &small)?;
        let without_bug = self.broken(self.simulator, None, &small)?;
        Ok(Shrunk { before, seconds, left: Ok(Small { size: size(&small)?, with_bug, without_bug }) })
    }

    /// What a file breaks. A run without a verdict holds nothing, so that counts as broken too.
    fn broken(&self, program: &Path, planted: Option<&Mutant>, file: &Path) -> Result<Option<String>, String> {
        let run = self.run(program, planted, &["run", "--json", &path(file)])?;
        let text = String::from_utf8_lossy(&run.stdout);
        let verdict = text.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let Some(broken) = verdict.as_ref().and_then(|verdict| verdict.get("broken")) else {
            return Ok(Some(format!("no verdict: {}: {}", run.status, last_line(&run.stderr))));
        };
        Ok(broken.as_str().map(str::to_owned))
    }

    fn run(&self, program: &Path, planted: Option<&Mutant>, arguments: &[&str]) -> Result<Output, String> {
        let mut process = Command::new(program);
        process.args(arguments).current_dir(self.root).env_remove(VARIABLE);
        if let Some(mutant) = planted {
            process.env(VARIABLE, &mutant.name);
        }
        process.output().map_err(|error| format!("{}: {error}", program.display()))
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn last_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output).lines().last().unwrap_or_default().to_owned()
}

/// What is in a scenario file, counted there and not taken from who wrote it.
fn size(file: &PathBuf) -> Result<Size, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let entries = |name: &str| table.get(name).and_then(toml::Value::as_array).map_or(0, |list| list.len() as u64);
    Ok(Size { faults: entries("fault"), jobs: entries("job") })
}

/// What all files together say of shrinking.
pub(super) struct Proof {
    /// How many were tried.
    pub(super) tried: usize,
    /// How many left a file that fails with its bug and holds without it.
    pub(super) right: usize,
    /// Faults before, in the middle; none when nothing was tried.
    pub(super) before: Option<u64>,
    /// Faults left, in the middle; none when no file is.
    pub(super) faults: Option<u64>,
    /// Seconds, in the middle.
    pub(super) seconds: Option<f64>,
    /// What is not as it has to be, in words.
    pub(super) wrong: Vec<String>,
}

/// Looks at all that were shrunk.
pub(super) fn proof(all: &[(&Found, &Shrunk)]) -> Proof {
    let faults = median(all.iter().filter_map(|(_, shrunk)| shrunk.faults()).collect(), u64::cmp);
    let seconds = median(all.iter().map(|(_, shrunk)| shrunk.seconds).collect(), f64::total_cmp);
    let before = median(all.iter().map(|(_, shrunk)| shrunk.before.faults).collect(), u64::cmp);
    let mut wrong: Vec<String> = all.iter().filter_map(|(found, shrunk)| wrong_with(found, shrunk)).collect();
    let right = all.len() - wrong.len();
    wrong.extend(
        faults
            .filter(|faults| *faults > MOST_FAULTS)
            .map(|n| format!("a median of {n} faults is left; at most {MOST_FAULTS} may be")),
    );
    wrong.extend(
        seconds
            .filter(|seconds| *seconds > MOST_SECONDS)
            .map(|s| format!("it took a median of {s:.0} s; at most {MOST_SECONDS:.0} s may be")),
    );
    Proof { tried: all.len(), right, before, faults, seconds, wrong }
}

fn wrong_with(found: &Found, shrunk: &Shrunk) -> Option<String> {
    let name = &found.mutant;
    match &shrunk.left {
        Err(error) => Some(format!("{name}: shrinking left no file: {error}")),
        Ok(small) if !shrunk.fails_with_bug(found) => Some(format!(
            "{name}: the file breaks {:?} with the bug, and has to break {:?}",
            small.with_bug.as_deref().unwrap_or("nothing"),
            found.by.as_deref().unwrap_or("nothing"),
        )),
        Ok(small) => {
            small.without_bug.as_ref().map(|broken| format!("{name}: the file breaks {broken:?} without the bug"))
        }
    }
}

/// The one in the middle; of two in the middle the greater, so that it is not told too good.
pub(super) fn median<T: Copy>(mut all: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Option<T> {
    all.sort_by(order);
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(by: Option<&str>) -> Found {
        Found {
            mutant: "a-bug".into(),
            seeds: Some(3),
            by: by.map(str::to_owned),
            how: String::new(),
            seconds: 1.0,
            shrunk: None,
        }
    }

    fn shrunk(faults: u64, with_bug: Option<&str>, without_bug: Option<&str>) -> Shrunk {
        let small = Small {
            size: Size { faults, jobs: 1 },
            with_bug: with_bug.map(str::to_owned),
            without_bug: without_bug.map(str::to_owned),
        };
        Shrunk { before: Size { faults: 9, jobs: 5 }, seconds: 10.0, left: Ok(small) }
    }

    fn wrong(all: &[Shrunk]) -> Vec<String> {
        let found = found(Some("p"));
        proof(&all.iter().map(|shrunk| (&found, shrunk)).collect::<Vec<_>>()).wrong
    }

    #[test]
    fn of_two_in_the_middle_the_greater_is_the_median() {
        assert_eq!(median(vec![5, 0, 1], u64::cmp), Some(1));
        assert_eq!(median(vec![5, 0, 1, 4], u64::cmp), Some(4));
        assert_eq!(median(Vec::new(), u64::cmp), None);
    }

    #[test]
    fn files_that_fail_with_their_bug_and_hold_without_it_are_as_they_have_to_be() {
        let (bad, good) = (shrunk(9, Some("p"), None), shrunk(4, Some("p"), None));
        assert!(wrong(&[good.clone(), bad.clone(), good.clone()]).is_empty());
        assert!(wrong(&[good, bad.clone(), bad])[0].contains("a median of 9 faults"));
    }

    #[test]
    fn one_file_that_does_not_fail_or_does_not_hold_is_enough() {
        let good = shrunk(0, Some("p"), None);
        for (bad, part) in [
            (shrunk(0, None, None), "breaks \"nothing\" with the bug"),
            (shrunk(0, Some("q"), None), "breaks \"q\" with the bug, and has to break \"p\""),
            (shrunk(0, Some("p"), Some("p")), "breaks \"p\" without the bug"),
            (Shrunk { left: Err("exit status: 4".into()), ..good.clone() }, "left no file: exit status: 4"),
        ] {
            let wrong = wrong(&[good.clone(), bad, good.clone()]);
            assert!(wrong.len() == 1 && wrong[0].contains(part), "{wrong:?}");
        }
    }

    #[test]
    fn only_the_median_of_the_seconds_counts() {
        let good = shrunk(0, Some("p"), None);
        let slow = Shrunk { seconds: 61.0, ..good.clone() };
        assert!(wrong(&[good.clone(), slow.clone(), good.clone()]).is_empty());
        assert!(wrong(&[slow.clone(), good, slow])[0].contains("a median of 61 s"));
    }

    #[test]
    fn nothing_tried_is_no_median() {
        let nothing = proof(&[]);
        assert!(nothing.tried == 0 && nothing.faults.is_none() && nothing.seconds.is_none());
    }

    #[test]
    fn what_no_property_found_was_not_broken() {
        let nothing = found(None);
        assert!(!shrunk(0, None, None).fails_with_bug(&nothing));
    }
}
