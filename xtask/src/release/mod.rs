//! `cargo xtask release`: what is shipped, made so that the same commit gives the same bytes, and checked by whoever doubts it.
//!
//! Reading order: [`build`] makes the programs, [`gather`] lays out the tree around them, [`record`] is what `release.json`
//! says of it, [`sums`] its digests and who vouches for them, [`archive`] and [`deb`] how it is packed, [`make`] all of that in
//! order. [`verify`] believes none of it, [`twice`] makes it in two places and compares. [`cli`] is the command line.
//!
//! Nothing here decides whether a release may be made, and no clock is asked: the only time in it is that of the commit.

mod archive;
mod build;
mod cli;
mod deb;
mod evidence;
mod gather;
mod make;
mod needs;
mod record;
mod sums;
#[cfg(test)]
mod tests;
mod twice;
mod verify;

use std::collections::BTreeMap;

pub(crate) use build::Rustc;
pub(super) use cli::{command, run};
pub(super) use record::canonical;

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    bytes: Vec<u8>,
    /// It is a program.
    runs: bool,
}

impl File {
    /// A program.
    fn program(bytes: Vec<u8>) -> File {
        File { bytes, runs: true }
    }

    /// Anything else.
    fn plain(bytes: impl Into<Vec<u8>>) -> File {
        File { bytes: bytes.into(), runs: false }
    }

    /// Its permissions.
    fn mode(&self) -> u32 {
        if self.runs { 0o755 } else { 0o644 }
    }
}

/// The files of a release, by their path in its folder with `/`; so sorted.
pub(crate) type Tree = BTreeMap<String, File>;

/// The programs.
const BINARIES: [&str; 2] = ["bin/mainstay", "bin/mainstay-shim"];
/// The default configuration.
const CONFIG: &str = "etc/mainstay.toml";
