//! Probes: some sixty questions about the files of a bundle, each answered yes, no, or "can't be told from what is here". They
//! are what the audit score is made of, in `mainstay-metric`.
//!
//! Nobody types an answer, and nobody can leave a question out: all stand in [`PROBES`], and what can't be told counts as no. Each has a spoiled bundle in `tests` on which it turns; one that
//! can't turn asks nothing. They look at raw lines and at what the gate wrote about the run, never at `derived/`, which is
//! made from them.

mod looks;
mod shape;
mod table;

use super::seen::Evidence;
use serde::{Deserialize, Serialize};
#[cfg(test)]
pub(crate) use shape::Look;
pub(crate) use shape::{Probe, Theme};
pub(crate) use table::PROBES;

/// A probe and its answer, as it stands in `derived/probes.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probed {
    /// Its name.
    pub(crate) id: String,
    /// What it counts for.
    pub(crate) weight: u32,
    /// It caps the score.
    pub(crate) critical: bool,
    /// What it belongs to.
    pub(crate) theme: String,
    /// The question.
    pub(crate) asks: String,
    /// The answer.
    pub(crate) outcome: Found,
    /// What was seen, in a line.
    pub(crate) seen: String,
    /// Where: a file of the bundle, with a line or a pointer.
    pub(crate) at: String,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Found {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// It can't be told from these files; counts as no.
    Unknown,
}

/// Asks everything.
pub(crate) fn ask(evidence: &Evidence) -> Vec<Probed> {
    PROBES.iter().map(|probe| probe.ask(evidence)).collect()
}

/// What of the policy is about probes, as TOML: which there are, what they count for, what caps.
pub(crate) fn policy_text() -> String {
    let mut text = String::from(
        "# Probes of the audit score, and what they count for. What can't be told counts as no. Written by the program:\n\
         # `MAINSTAY_BLESS=1 cargo test -p xtask gate::policy`.\n",
    );
    for Probe { id, weight, critical, theme, asks, look: _ } in PROBES {
        let theme = theme.name();
        text += &format!(
            "\n[[probe]]\nid = {id:?}\nweight = {weight}\ncritical = {critical}\ntheme = {theme:?}\nasks = {asks:?}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests;
