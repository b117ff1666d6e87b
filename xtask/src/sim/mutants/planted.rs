//! The program with all bugs in it, for those who try one at a time: the gate.

use super::super::build;
use super::list::{self, Mutant};
use super::{hunt, plant, table};
use std::path::{Path, PathBuf};

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
}

impl Planted {
    /// Builds it, and compares it with the simulator: without a bug it must do the same.
    pub(crate) fn build(root: &Path) -> Result<Planted, String> {
        let mutants = list::list(root)?;
        let simulator = build(root).map_err(|()| "the simulator does not build: cargo says why above")?;
        let (program, _) = plant::build(root, &mutants)?;
        hunt::compare(&program, &simulator, root)?;
        Ok(Planted { program, mutants })
    }

    /// As it was built before.
    pub(crate) fn built(root: &Path) -> Result<Planted, String> {
        Ok(Planted { program: plant::program(root), mutants: list::list(root)? })
    }

    /// Looks for one of the bugs.
    pub(crate) fn hunt(&self, root: &Path, name: &str, seeds: u64) -> Result<Hunted, String> {
        let mutant = self.mutants.iter().find(|mutant| mutant.name == name);
        let mutant = mutant.ok_or_else(|| format!("there is no mutant {name:?} in {}", list::LIST))?;
        let found = hunt::hunt(&self.program, root, mutant, seeds)?;
        Ok(Hunted {
            scenario: mutant.scenario.clone(),
            right: table::is_right(mutant, &found),
            by: found.by,
            seeds: found.seeds,
            how: found.how,
        })
    }
}
