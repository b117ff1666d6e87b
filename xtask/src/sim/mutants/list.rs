//! The list of bugs, as people write it.

use serde::Deserialize;
use std::path::Path;

/// Where they are listed.
pub(super) const LIST: &str = "sim/mutants.toml";
/// The scenario that has to find a bug for which none is said.
pub(super) const SWARM: &str = "scenarios/swarm.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

/// A bug, as a replacement of a text that occurs once.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mutant {
    /// Its name: a few words with hyphens.
    pub(super) name: String,
    /// What it breaks, in a sentence.
    pub(super) about: String,
    /// In which file.
    pub(super) file: String,
    /// What stands there, once.
    pub(super) old: String,
    /// What stands there with the bug; `PLANTED` in it is true when this bug is the one that is tried.
    pub(super) new: String,
    /// The same elsewhere, when one replacement is not enough.
    #[serde(default)]
    pub(super) also: Vec<Edit>,
    /// The properties (or controls, for a bug of the simulator) that may find it first: any of them.
    pub(super) caught_by: Vec<String>,
    /// The scenario that is to find it; the swarm when none is said.
    #[serde(default = "swarm")]
    pub(super) scenario: String,
}

/// One more replacement of a mutant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    pub(super) file: String,
    pub(super) old: String,
    pub(super) new: String,
}

fn swarm() -> String {
    SWARM.to_owned()
}

impl Mutant {
    /// Whether it is a bug of the harness, not of the product.
    pub(super) fn is_of_the_simulator(&self) -> bool {
        self.file.starts_with("sim/")
    }

    /// All its replacements.
    pub(super) fn edits(&self) -> Vec<Edit> {
        let first = Edit { file: self.file.clone(), old: self.old.clone(), new: self.new.clone() };
        std::iter::once(first).chain(self.also.iter().cloned()).collect()
    }
}

/// Reads the list.
pub(super) fn list(root: &Path) -> Result<Vec<Mutant>, String> {
    let path = root.join(LIST);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let list: List = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(list.mutant)
}
