//! Seeds nobody chooses: each follows from the commit, the suite, the policy and its index. A new commit has new ones.
//!
//! Not covered: whoever makes commits until one has seeds that suit. The ledger of attempts shows only those that were tried.

use super::suites::Unit;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// So that no other hash of the project is a seed by accident.
const DOMAIN: &str = "mainstay-gate-seed-v1";

/// Where seeds come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seeds {
    /// The commit.
    pub(crate) commit: String,
    /// SHA-256 of the policy file.
    pub(crate) policy: String,
    /// Instead, the first of consecutive seeds that somebody chose: the verdict can't be PASS then.
    pub(crate) from: Option<u64>,
}

impl Seeds {
    /// A seed of a suite. One bit less than a `u64` has, so that a TOML file can say it.
    pub(crate) fn seed(&self, suite: &str, index: u64) -> u64 {
        if let Some(from) = self.from {
            return from.saturating_add(index);
        }
        let text = format!("{DOMAIN}\n{}\n{suite}\n{}\n{index}\n", self.commit, self.policy);
        let hash = Sha256::digest(text.as_bytes());
        let first = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        first >> 1
    }

    /// Those of a unit, in their order.
    pub(crate) fn of(&self, suite: &str, unit: &Unit) -> Vec<u64> {
        if unit.own.is_empty() { self.seeds(suite, unit.seeds.clone()) } else { unit.own.clone() }
    }

    /// Several.
    fn seeds(&self, suite: &str, indices: Range<u64>) -> Vec<u64> {
        indices.map(|index| self.seed(suite, index)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn seeds(commit: &str, policy: &str) -> Seeds {
        Seeds { commit: commit.into(), policy: policy.into(), from: None }
    }

    #[test]
    fn everything_that_a_seed_follows_from_changes_it() {
        let all = [
            seeds("a", "p").seed("soak", 0),
            seeds("b", "p").seed("soak", 0),
            seeds("a", "q").seed("soak", 0),
            seeds("a", "p").seed("crash", 0),
            seeds("a", "p").seed("soak", 1),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all[0], seeds("a", "p").seed("soak", 0));
        assert!(all.iter().all(|seed| i64::try_from(*seed).is_ok()));
    }

    #[test]
    fn chosen_seeds_follow_each_other() {
        assert_eq!(Seeds { from: Some(7), ..seeds("a", "p") }.seeds("soak", 1..3), [8, 9]);
    }
}
