//! The program that a unit starts: whether it is this one, or what a switch makes of it.

use super::super::tool;
use crate::policy;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The link that a switch of releases moves.
const CURRENT: &str = "current";

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// This very program, or another file of the same version.
    Ours,
    /// Whatever release is activated.
    Activated,
    /// A program of another version, as it says itself.
    Other(String),
}

/// What stands at `path`, which can be executed.
pub(super) fn at(path: &Path) -> Program {
    if hops(path).any(|hop| goes_through_current(&hop)) {
        return Program::Activated;
    }
    let number = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let own = std::env::current_exe().ok().and_then(|path| number(&path));
    if own.is_some() && number(path) == own {
        return Program::Ours;
    }
    let said = match tool::ask(path, &["--version"]) {
        Ok(said) => said.text.lines().next().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    if said == concat!("mainstay ", env!("CARGO_PKG_VERSION")) { Program::Ours } else { Program::Other(said) }
}

/// Whether it is what a switch will put there: the link is not there yet, and its folder is.
pub(super) fn awaits_activation(path: &Path) -> bool {
    hops(path).any(|hop| {
        let current = hop.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == CURRENT));
        current.is_some_and(|current| {
            fs::symlink_metadata(current).is_err() && current.with_file_name("releases").is_dir()
        })
    })
}

/// Whether nobody can execute it.
pub(super) fn not_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 == 0)
}

/// `.../current/bin/mainstay`.
fn goes_through_current(path: &Path) -> bool {
    path.ancestors().skip(1).any(|folder| folder.file_name().is_some_and(|name| name == CURRENT))
}

/// The path itself, and where links lead from it, one at a time.
fn hops(path: &Path) -> impl Iterator<Item = PathBuf> {
    let next = |hop: &PathBuf| Some(hop.parent()?.join(fs::read_link(hop).ok()?));
    std::iter::successors(Some(path.to_owned()), next).take(policy::CHECK_LINKS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_activated_is_told_from_what_was_put_there_by_hand() {
        let dir = tempfile::tempdir().expect("a folder");
        let at_dir = |name: &str| dir.path().join(name);
        symlink(at_dir("current/bin/mainstay"), at_dir("mainstay")).expect("link");
        assert!(!awaits_activation(&at_dir("mainstay")), "there are no releases");
        fs::create_dir_all(at_dir("releases/1/bin")).expect("make");
        assert!(awaits_activation(&at_dir("mainstay")) && awaits_activation(&at_dir("current/bin/mainstay")));
        let program = at_dir("releases/1/bin/mainstay");
        fs::write(&program, "#!/bin/sh\necho mainstay 0.0.0-other\n").expect("write");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("chmod");
        symlink(at_dir("releases/1"), at_dir("current")).expect("link");
        assert!(!awaits_activation(&at_dir("mainstay")));
        assert_eq!(at(&at_dir("mainstay")), Program::Activated);
        assert_eq!(at(&program), Program::Other("mainstay 0.0.0-other".into()));
        let own = std::env::current_exe().expect("a test knows its own path");
        assert_eq!(at(&own), Program::Ours);
    }

    #[test]
    fn links_in_a_circle_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        symlink(&a, &b).expect("link");
        symlink(&b, &a).expect("link");
        assert!(!awaits_activation(&a));
    }
}
