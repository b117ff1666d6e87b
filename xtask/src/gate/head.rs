//! `bundle.json`: what was tried, and how. No time and no machine is in it, so that parts of a run, made anywhere, have the
//! same, and a merged bundle is the one that a single machine would have made.

use super::checkout::{Checkout, Head as At};
use super::layout;
use super::raw::digest;
use super::seeds::Seeds;
use super::shard::Shard;
use super::site::Build;
use super::suites::{Suite, Unit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The form of bundles.
pub(crate) const SCHEMA: u32 = 1;

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// [`SCHEMA`]
    pub(crate) schema: u32,
    /// The commit, and its tree.
    pub(crate) commit: String,
    /// Its tree.
    pub(crate) tree: String,
    /// When it was committed: ISO 8601.
    pub(crate) committed: String,
    /// Files differed from the commit.
    pub(crate) dirty: bool,
    /// SHA-256 of `policy.toml`.
    pub(crate) policy: String,
    /// SHA-256 of `config.json`.
    pub(crate) config: String,
    /// The compiler.
    pub(crate) toolchain: String,
    /// A look, not a gate.
    pub(crate) quick: bool,
    /// The suites that were run.
    pub(crate) suites: Vec<String>,
    /// Seeds that somebody chose begin here.
    pub(crate) seeds_from: Option<u64>,
    /// The bug of `sim/mutants.toml` that was planted in what simulations play.
    pub(crate) planted: Option<String>,
    /// How often this commit was tried, this time included, as far as the repository's ledger knows.
    pub(crate) attempt: u32,
    /// This is a part of a run: `2/7`.
    pub(crate) part: Option<Shard>,
}

impl Head {
    /// What is to be tried here and now; the attempt is counted by whoever begins one.
    pub(crate) fn here(checkout: &Checkout, policy: &[u8], what: Wanted) -> Result<Head, String> {
        let At { commit, tree, dirty } = checkout.head()?;
        let config = config(checkout, &commit)?;
        Ok(Head {
            schema: SCHEMA,
            committed: checkout.committed(&commit)?,
            commit,
            tree,
            dirty,
            policy: digest(policy),
            config: digest(&config),
            toolchain: super::machine::toolchain()?,
            quick: what.quick,
            suites: what.suites,
            seeds_from: what.seeds_from,
            planted: what.planted,
            attempt: 0,
            part: what.part,
        })
    }

    /// As a bundle has it.
    pub(crate) fn read(bundle: &Path) -> Result<Head, String> {
        let bytes = layout::read(bundle, layout::HEAD)?;
        let head: Head = serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", layout::HEAD))?;
        if head.schema != SCHEMA {
            return Err(format!("{}: schema {}, and this program knows {SCHEMA}", layout::HEAD, head.schema));
        }
        if layout::json(&head) != bytes {
            return Err(format!("{}: not written as a gate writes it", layout::HEAD));
        }
        Ok(head)
    }

    /// What differs from another, by name, but for the attempt and the part.
    pub(crate) fn differs(&self, other: &Head) -> Option<&'static str> {
        let same = [
            ("commit", self.commit == other.commit && self.tree == other.tree && self.committed == other.committed),
            ("dirty", self.dirty == other.dirty),
            ("policy", self.policy == other.policy),
            ("config", self.config == other.config),
            ("toolchain", self.toolchain == other.toolchain),
            ("quick", self.quick == other.quick),
            ("suites", self.suites == other.suites),
            ("seeds_from", self.seeds_from == other.seeds_from),
            ("planted", self.planted == other.planted),
        ];
        same.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
    }

    /// Where its seeds come from.
    pub(crate) fn seeds(&self) -> Seeds {
        Seeds { commit: self.commit.clone(), policy: self.policy.clone(), from: self.seeds_from }
    }

    /// What its simulations play.
    pub(crate) fn build(&self) -> Build<'_> {
        self.planted.as_deref().map_or(Build::Commit, Build::Planted)
    }

    /// What the chain of a unit's evidence begins with.
    pub(crate) fn genesis(&self, suite: &Suite, unit: &Unit) -> String {
        let Head { commit, dirty, policy, config, toolchain, quick, seeds_from, planted, .. } = self;
        let text = format!(
            "mainstay-gate-raw-v1\n{commit}\n{dirty}\n{policy}\n{config}\n{toolchain}\n{quick}\n{seeds_from:?}\n\
             {planted:?}\n{}\n{}\n",
            suite.name, unit.name
        );
        digest(text.as_bytes())
    }
}

/// What somebody asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// A look.
    pub(crate) quick: bool,
    /// Suites, in their order.
    pub(crate) suites: Vec<String>,
    /// Chosen seeds.
    pub(crate) seeds_from: Option<u64>,
    /// A planted bug.
    pub(crate) planted: Option<String>,
    /// Only a part.
    pub(crate) part: Option<Shard>,
}

/// What of a commit configures what is tried.
const CONFIGURES: [&str; 4] = ["Cargo.lock", "deploy", "scenarios", "sim/mutants.toml"];

/// `config.json`: git's id of each file that configures what is tried. No secret is in them: simulated worlds and test rigs
/// have made-up tokens.
pub(crate) fn config(checkout: &Checkout, commit: &str) -> Result<Vec<u8>, String> {
    let mut files = BTreeMap::new();
    for under in CONFIGURES {
        files.extend(checkout.blobs(commit, under)?);
    }
    Ok(layout::json(&BTreeMap::from([("files", files)])))
}

/// `seeds.json`: every seed, with what it follows from.
pub(crate) fn seeds_file(head: &Head, planned: &[(Suite, Unit)]) -> Vec<u8> {
    #[derive(Serialize)]
    struct File<'a> {
        from: &'static str,
        commit: &'a str,
        policy: &'a str,
        chosen: Option<u64>,
        suites: BTreeMap<&'a str, BTreeMap<&'a str, Vec<u64>>>,
    }
    let seeds = head.seeds();
    let mut suites: BTreeMap<&str, BTreeMap<&str, Vec<u64>>> = BTreeMap::new();
    for (suite, unit) in planned.iter().filter(|(_, unit)| !unit.seeds.is_empty() || !unit.own.is_empty()) {
        let own = seeds.of(suite.name, unit);
        suites.entry(suite.name).or_default().insert(&unit.name, own);
    }
    layout::json(&File {
        from: "SHA-256(domain, commit, suite, policy, index), the first 8 bytes, halved",
        commit: &head.commit,
        policy: &head.policy,
        chosen: head.seeds_from,
        suites,
    })
}
