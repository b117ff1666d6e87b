//! The program with all bugs in it, for those who try one at a time: the gate.

use super::list::{self, Mutant};
use super::{hunt, plant, table};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program, and the list of its bugs.
pub(crate) struct Planted {
    program: PathBuf,
    mutants: Vec<Mutant>,
}

/// What came of a bug.
pub(crate) struct Hunted {
    /// The scenario whose seeds were tried.
    pub(crate) scenario: String,
    /// The property or control that found it.
    pub(crate) by: Option<String>,
    /// It was found, and by one that is named for it.
    pub(crate) right: bool,
    /// Seeds that it took; none for a control, and when it was missed.
    pub(crate) seeds: Option<u64>,
    /// How it showed.
    pub(crate) how: String,
    /// What the simulator printed, up to that.
    pub(crate) printed: Vec<String>,
}

impl Planted {
    /// Builds it.
    pub(crate) fn build(root: &Path) -> Result<(), String> {
        plant::build(root, &list::list(root)?).map(drop)
    }

    /// As it was built before.
    pub(crate) fn built(root: &Path) -> Result<Planted, String> {
        Ok(Planted { program: plant::program(root), mutants: list::list(root)? })
    }

    /// The program with this bug, or with none.
    pub(crate) fn command(root: &Path, bug: Option<&str>) -> Command {
        let mut command = Command::new(plant::program(root));
        match bug {
            Some(bug) => command.env(plant::VARIABLE, bug),
            None => command.env_remove(plant::VARIABLE),
        };
        command
    }

    /// Looks for one of the bugs.
    pub(crate) fn hunt(&self, root: &Path, name: &str, seeds: u64) -> Result<Hunted, String> {
        let mutant = self.mutants.iter().find(|mutant| mutant.name == name);
        let mutant = mutant.ok_or_else(|| format!("there is no mutant {name:?} in {}", list::LIST))?;
        let (found, printed) = hunt::hunt(&self.program, root, mutant, seeds)?;
        Ok(Hunted {
            scenario: mutant.scenario.clone(),
            right: table::is_right(mutant, &found),
            by: found.by,
            seeds: found.seeds,
            how: found.how,
            printed,
        })
    }
}
