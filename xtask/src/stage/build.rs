//! Builds the programs, and finds out where cargo put them.

use std::path::PathBuf;

/// What is started.
pub(crate) struct Programs {
    /// The daemon and its command line.
    pub(crate) mainstay: PathBuf,
    /// The Bot API server with a chat in front of it.
    pub(crate) botapi: PathBuf,
}

/// How it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quickly.
    Dev,
    /// As it is shipped.
    Release,
}

/// Builds.
pub(crate) fn build(profile: Profile) -> Result<Programs, String> {
    let mut build = crate::cargo::cargo();
    build
        // With the shim that is installed beside it: an old one there would be taken for its own.
        .args(["build", "--package", "mainstay", "--bin", "mainstay", "--bin", "mainstay-shim"])
        .args(["--package", "mainstay-sim", "--bin", "mainstay-botapi"])
        .args((profile == Profile::Release).then_some("--release"));
    let [mainstay, botapi] = crate::cargo::programs(&mut build, ["mainstay", "mainstay-botapi"])?;
    Ok(Programs { mainstay, botapi })
}
