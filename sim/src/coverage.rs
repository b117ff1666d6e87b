//! Which faults struck in which states of tasks: what a sweep has really tried.

use crate::fault::KINDS;
use mainstay::task::State;
use std::collections::BTreeMap;
use std::fmt;

/// How often each fault struck while some task was in each state, in runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix(BTreeMap<(String, String), u64>);

/// Why a fault can't strike in any state in a run of the swarm; none when it can.
pub fn unreachable(fault: &str) -> Option<&'static str> {
    let kind = KINDS.iter().find(|kind| kind.name == fault)?;
    let why = "a world need not come to rest after it, so chance does not draw it, and only scenarios have it";
    kind.draw.is_none().then_some(why)
}

impl Matrix {
    /// In one more run this fault struck in this state.
    pub fn add(&mut self, fault: &str, state: &str) {
        *self.0.entry((fault.to_owned(), state.to_owned())).or_default() += 1;
    }

    fn runs(&self, fault: &str, state: State) -> u64 {
        self.0.get(&(fault.to_owned(), state.to_string())).copied().unwrap_or(0)
    }

    /// Every fault with every state.
    fn cells() -> Vec<(String, State)> {
        let names = KINDS.iter().map(|kind| kind.name.to_owned());
        names.flat_map(|fault| State::ALL.map(|state| (fault.clone(), state))).collect()
    }

    /// Those that can be reached, and of them those that were not.
    fn missed(&self) -> (usize, Vec<(String, State)>) {
        let mut cells = Matrix::cells();
        cells.retain(|(fault, _)| unreachable(fault).is_none());
        let all = cells.len();
        cells.retain(|(fault, state)| self.runs(fault, *state) == 0);
        (all, cells)
    }

    /// Of a hundred cells that can be reached, so many were.
    pub fn percent(&self) -> u32 {
        let (all, missed) = self.missed();
        u32::try_from((all - missed.len()) * 100 / all.max(1)).unwrap_or(0)
    }

    /// In JSON.
    pub fn json(&self, seeds: usize) -> String {
        let (all, missed) = self.missed();
        let cells: Vec<_> = Matrix::cells()
            .iter()
            .map(|(fault, state)| {
                let why = unreachable(fault);
                let runs = self.runs(fault, *state);
                serde_json::json!({ "fault": fault, "state": state.name(), "runs": runs, "unreachable": why })
            })
            .collect();
        let met = all - missed.len();
        serde_json::json!({ "seeds": seeds, "reachable": all, "met": met, "percent": self.percent(), "cells": cells })
            .to_string()
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<16}", "fault")?;
        State::ALL.iter().try_for_each(|state| write!(f, " {state:>9}"))?;
        writeln!(f)?;
        for fault in KINDS.iter().map(|kind| kind.name) {
            write!(f, "{fault:<16}")?;
            for state in State::ALL {
                match (self.runs(fault, state), unreachable(fault)) {
                    (0, Some(_)) => write!(f, " {:>9}", "-")?,
                    (0, None) => write!(f, " {:>9}", "MISSED")?,
                    (runs, _) => write!(f, " {runs:>9}")?,
                }
            }
            writeln!(f)?;
        }
        let (all, missed) = self.missed();
        writeln!(f, "{} of {all} reachable cells met ({} %)", all - missed.len(), self.percent())?;
        let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (fault, state) in Matrix::cells() {
            if let Some(why) = unreachable(&fault) {
                reasons.entry(why).or_default().push(format!("{fault} in {state}"));
            }
        }
        for (why, cells) in reasons {
            writeln!(f, "- {} cells can't be reached: {why}", cells.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_met_is_seen() {
        let mut matrix = Matrix::default();
        assert_eq!(matrix.percent(), 0);
        for (fault, state) in Matrix::cells() {
            matrix.add(&fault, state.name());
        }
        assert_eq!(matrix.percent(), 100);
        matrix.0.remove(&("power-loss".to_owned(), "RUNNING".to_owned()));
        assert_eq!(matrix.percent(), 99);
        assert!(matrix.to_string().contains("MISSED"), "{matrix}");
        // What chance does not draw is listed too, with its reason, and no state is left out.
        assert!(unreachable("chat-gone").is_some() && unreachable("power-loss").is_none());
        assert_eq!(matrix.missed().0, KINDS.iter().filter(|kind| kind.draw.is_some()).count() * State::ALL.len());
        assert!(matrix.json(3).contains(r#""seeds":3"#));
    }
}
