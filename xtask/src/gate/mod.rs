//! `cargo xtask gate`: runs everything that decides about a release, and writes an evidence bundle from which alone ship or
//! don't-ship follows.
//!
//! Reading order: [`suites`] is what is run, [`plan`] and [`execute`] how, [`raw`] and [`layout`] what is left of it,
//! [`finish`] makes a bundle of that, [`merge`] one of several parts, and [`verify`] believes none of it. [`seen`] is what lines
//! come to, for [`probes`] and for the [`report`]. [`cli`] is the command line.
//!
//! No verdict is made here: it is computed by `mainstay-metric` from the lines of a bundle, by the gate and by a verifier
//! alike. Nothing here knows the daemon; suites start it, or the simulator, as processes.

mod attempts;
pub(crate) mod checkout;
mod cli;
pub(crate) mod ended;
mod execute;
mod finish;
#[cfg(test)]
mod fixture;
pub(crate) mod head;
pub(crate) mod judge;
mod keep;
pub(crate) mod layout;
mod machine;
mod manifest;
mod merge;
mod plan;
mod policy;
mod probes;
mod progress;
pub(crate) mod raw;
mod report;
mod run;
mod seeds;
mod seen;
mod shape;
mod shard;
pub(crate) mod sign;
pub(crate) mod site;
pub(crate) mod suites;
#[cfg(test)]
mod tests;
pub(crate) mod verify;

use checkout::Checkout;
use ended::Ended;
use head::Head;
use suites::Suite;

pub(super) use cli::{command, run};

/// A repository, and what a gate of it runs.
pub(crate) struct Gate {
    /// The repository.
    pub(crate) checkout: Checkout,
    /// The suites: those of this project, or those of a test.
    pub(crate) suites: &'static [Suite],
}

impl Gate {
    /// What follows from evidence is computed by this program, so it has to be the one of the commit that the evidence is
    /// about: another one may draw the report otherwise, and nothing in the bundle would be wrong.
    pub(crate) fn is_at(&self, head: &Head) -> Result<(), Ended> {
        let here = self.checkout.head().map_err(Ended::Infrastructure)?.commit;
        if here == head.commit {
            return Ok(());
        }
        let commit = &head.commit;
        Err(Ended::Usage(format!(
            "it is about commit {commit}, and this checkout is at {here}: `git worktree add DIR {commit}`, and ask there"
        )))
    }
}
