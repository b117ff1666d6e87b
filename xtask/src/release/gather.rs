//! Lays out the tree of a release: the programs, what they write themselves (manual, completions), and what git tracks of
//! units, configuration and documents. What nobody committed or staged does not get in.

use super::build::Programs;
use super::deb::Templates;
use super::record::Database;
use super::{BINARIES, CONFIG, File, Tree};
use crate::gate::checkout::Checkout;
use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// The default configuration, in the repository.
const DEFAULT_CONFIG: &str = "deploy/mainstay.toml";
/// Documents beside those in `docs/`.
const DOCUMENTS: [&str; 3] = ["README.md", "CHANGELOG.md", "LICENSE"];
/// What the program writes about itself: a file of the tree, and the command that prints it.
const WRITTEN: [(&str, &[&str]); 4] = [
    ("share/man/man1/mainstay.1", &["man"]),
    ("share/completions/mainstay.bash", &["completions", "bash"]),
    ("share/completions/_mainstay", &["completions", "zsh"]),
    ("share/completions/mainstay.fish", &["completions", "fish"]),
];

/// What the program says of itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Facts {
    pub(crate) version: String,
    pub(crate) database: Database,
    pub(crate) config_schema_sha256: String,
    pub(crate) default_config_hash: String,
}

/// The files of a release, without those about it.
pub(crate) fn gather(checkout: &Checkout, programs: &Programs) -> Result<(Tree, Facts), String> {
    let mut tree = Tree::new();
    for (path, from) in BINARIES.iter().zip([&programs.mainstay, &programs.shim]) {
        let bytes = std::fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
        tree.insert((*path).to_owned(), File::program(bytes));
    }
    let config = checkout.root.join(DEFAULT_CONFIG);
    let facts = ask(&programs.mainstay, &["facts".as_ref(), config.as_os_str()])?;
    let facts = serde_json::from_slice(&facts).map_err(|error| format!("mainstay facts: {error}"))?;
    for (path, command) in WRITTEN {
        let command: Vec<_> = command.iter().map(AsRef::as_ref).collect();
        tree.insert(path.to_owned(), File::plain(ask(&programs.mainstay, &command)?));
    }
    for (from, path) in tracked(checkout)? {
        tree.insert(path, File::plain(read(&checkout.root, &from)?));
    }
    Ok((tree, facts))
}

/// What the package needs of the repository besides.
pub(crate) fn templates(checkout: &Checkout) -> Result<Templates, String> {
    let read = |path: &str| {
        if checkout.tracked(path)?.is_empty() {
            return Err(format!("{path}: git does not track it"));
        }
        String::from_utf8(read(&checkout.root, path)?).map_err(|error| format!("{path}: {error}"))
    };
    Ok(Templates {
        control: read("deploy/deb/control")?,
        postinst: read("deploy/deb/postinst")?,
        licence: read("LICENSE")?,
    })
}

/// What is taken over as it is: its path in the repository, and in the tree.
fn tracked(checkout: &Checkout) -> Result<Vec<(String, String)>, String> {
    let mut taken = Vec::new();
    for under in ["deploy", "docs", "README.md", "CHANGELOG.md", "LICENSE"] {
        taken.extend(checkout.tracked(under)?.into_iter().filter_map(|from| place(&from).map(|path| (from, path))));
    }
    match taken.iter().any(|(from, _)| from == DEFAULT_CONFIG) {
        true => Ok(taken),
        false => Err(format!("{DEFAULT_CONFIG}: git does not track it, and no release goes without")),
    }
}

/// Whether a file is one that systemd reads.
pub(super) fn is_unit(name: &str) -> bool {
    [".service", ".socket", ".timer", ".path", ".conf"].iter().any(|end| name.ends_with(end))
}

/// Where a file of the repository stands in the tree; none: it is not for those who run it.
fn place(from: &str) -> Option<String> {
    let (folder, name) = from.rsplit_once('/').unwrap_or(("", from));
    match folder {
        "deploy" if from == DEFAULT_CONFIG => Some(CONFIG.to_owned()),
        "deploy" if is_unit(name) => Some(format!("systemd/{name}")),
        "docs" if name.ends_with(".md") => Some(format!("share/doc/{name}")),
        "" if DOCUMENTS.contains(&name) => Some(format!("share/doc/{name}")),
        _ => None,
    }
}

/// A file of the repository. A link would bring in what git does not track.
fn read(root: &Path, path: &str) -> Result<Vec<u8>, String> {
    let whole = root.join(path);
    let failed = |error: std::io::Error| format!("{path}: {error}");
    if !std::fs::symlink_metadata(&whole).map_err(failed)?.is_file() {
        return Err(format!("{path}: no plain file"));
    }
    std::fs::read(whole).map_err(failed)
}

/// What the program prints. It gets nothing of the environment: what it says must not depend on who asks.
fn ask(program: &Path, arguments: &[&std::ffi::OsStr]) -> Result<Vec<u8>, String> {
    let shown = || format!("{} {}", program.display(), arguments.join(" ".as_ref()).display());
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", shown()))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{}: {}", shown(), String::from_utf8_lossy(&output.stderr).trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn what_is_taken_over_has_its_place() {
        for (from, path) in [
            ("deploy/mainstay.toml", Some("etc/mainstay.toml")),
            ("deploy/mainstay.service", Some("systemd/mainstay.service")),
            ("deploy/mainstay-backup.timer", Some("systemd/mainstay-backup.timer")),
            ("deploy/mainstay-release.path", Some("systemd/mainstay-release.path")),
            ("deploy/mainstay-closed.conf", Some("systemd/mainstay-closed.conf")),
            ("deploy/deb/control", None),
            ("docs/OPERATIONS.md", Some("share/doc/OPERATIONS.md")),
            ("docs/adr/0001.md", None),
            ("LICENSE", Some("share/doc/LICENSE")),
            ("Cargo.toml", None),
        ] {
            assert_eq!(place(from).as_deref(), path, "{from}");
        }
    }
}
