//! What comes of the evidence: one entry a row of the table of metrics, and a verdict over all.
//!
//! Written as canonical JSON: fields in this order, numbers that are not whole as decimal strings, so that whoever computes it
//! again gets the same bytes.

use crate::ledger::Origin;
use serde::{Deserialize, Serialize};

/// A verdict: on a metric, or over all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// Shown.
    Pass,
    /// Neither shown nor refuted: too little was looked at.
    Inconclusive,
    /// Refuted.
    Fail,
}

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scorecard {
    /// The worst of all rows that count here.
    pub verdict: Outcome,
    /// Why, in one line.
    pub why: String,
    /// One entry a row and origin.
    pub metrics: Vec<Measured>,
}

/// A metric, measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Its name: `command-success`, ...
    pub id: String,
    /// For people.
    pub title: String,
    /// A line of the gate, or a KPI.
    pub group: Group,
    /// Whose evidence; never pooled.
    pub origin: Origin,
    /// Does it decide here? What can only be measured in production does not in a lab.
    pub counts: bool,
    /// What is compared with the target: `>=` or `<=`.
    pub comparison: Comparison,
    /// Target, estimate and bound: decimal strings, in `unit`.
    pub target: String,
    /// Unit of the three: `share`, `s`, `min`, `1`.
    pub unit: String,
    /// The plain value; none: nothing was seen.
    pub estimate: Option<String>,
    /// The bound that is compared with the target; none: nothing was seen.
    pub bound: Option<String>,
    /// How many were looked at, and how many of them failed.
    pub sample: u64,
    /// Of `sample`.
    pub failures: u64,
    /// Less than this decides nothing.
    pub least: u64,
    /// Excluded, by reason of the closed list.
    pub excluded: Vec<(String, u64)>,
    /// Seeds that the sample is of.
    pub seeds: u64,
    /// The verdict.
    pub outcome: Outcome,
    /// Why, in one line, with the first failures named.
    pub why: String,
    /// Parts of it, where it has parts (a class of incidents, a property): name, sample, failures, verdict.
    pub parts: Vec<Part>,
}

/// A part of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// How many were looked at.
    pub sample: u64,
    /// How many of them failed.
    pub failures: u64,
    /// The verdict on it.
    pub outcome: Outcome,
}

/// What a probe of the audit found: yes or no, never a mark that somebody gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Its name.
    pub id: String,
    /// Its weight among all.
    pub weight: u32,
    /// If it does not hold, nothing else makes the score good.
    pub critical: bool,
    /// Held, not, or unknown (which counts as not).
    pub outcome: Outcome,
}

/// A line of the gate, or a KPI of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// A line of the gate.
    Gate,
    /// A KPI.
    Kpi,
}

/// Which side of the target is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// At least the target.
    #[serde(rename = ">=")]
    AtLeast,
    /// At most the target.
    #[serde(rename = "<=")]
    AtMost,
}
