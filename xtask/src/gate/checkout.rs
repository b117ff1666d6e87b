//! The repository, asked by way of `git`: which commit this is, and what a commit has. Nothing is changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// A checkout.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    /// Its top.
    pub(crate) root: PathBuf,
}

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The commit.
    pub(crate) commit: String,
    /// Its tree.
    pub(crate) tree: String,
    /// Files differ from it, or are there besides.
    pub(crate) dirty: bool,
}

impl Checkout {
    /// What is checked out now.
    pub(crate) fn head(&self) -> Result<Head, String> {
        let commit = self.ask(&["rev-parse", "--verify", "HEAD"])?.trim().to_owned();
        let tree = self.tree(&commit)?;
        let dirty = !self.ask(&["status", "--porcelain"])?.is_empty();
        Ok(Head { commit, tree, dirty })
    }

    /// The tree of a commit; an error when there is no such commit.
    pub(crate) fn tree(&self, commit: &str) -> Result<String, String> {
        is_commit(commit)?;
        Ok(self.ask(&["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?.trim().to_owned())
    }

    /// The files of a commit below a folder, sorted.
    pub(crate) fn files(&self, commit: &str, under: &str) -> Result<Vec<String>, String> {
        is_commit(commit)?;
        let listed = self.ask(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--", under])?;
        let mut files: Vec<String> = listed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        files.sort();
        Ok(files)
    }

    /// The files that git tracks here and now below a path, sorted.
    pub(crate) fn tracked(&self, under: &str) -> Result<Vec<String>, String> {
        let listed = self.ask(&["ls-files", "-z", "--", under])?;
        let mut files: Vec<String> = listed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        files.sort();
        Ok(files)
    }

    /// A file of a commit; none: the commit has no such file.
    pub(crate) fn file(&self, commit: &str, path: &str) -> Result<Option<String>, String> {
        if self.files(commit, path)?.iter().all(|file| file != path) {
            return Ok(None);
        }
        self.ask(&["cat-file", "blob", &format!("{commit}:{path}")]).map(Some)
    }

    /// Git's id of each file of a commit below a path.
    pub(crate) fn blobs(&self, commit: &str, under: &str) -> Result<BTreeMap<String, String>, String> {
        is_commit(commit)?;
        let listed = self.ask(&["ls-tree", "-r", "-z", "--full-tree", commit, "--", under])?;
        // MODE TYPE ID<tab>PATH
        let blob = |entry: &str| {
            let (about, path) = entry.split_once('\t')?;
            Some((path.to_owned(), about.rsplit(' ').next()?.to_owned()))
        };
        Ok(listed.split('\0').filter_map(blob).collect())
    }

    /// When a commit was made, in ISO 8601.
    pub(crate) fn committed(&self, commit: &str) -> Result<String, String> {
        is_commit(commit)?;
        Ok(self.ask(&["show", "--no-patch", "--format=%cI", commit])?.trim().to_owned())
    }

    /// The same in seconds since 1970.
    pub(crate) fn committed_s(&self, commit: &str) -> Result<u64, String> {
        is_commit(commit)?;
        let text = self.ask(&["show", "--no-patch", "--format=%ct", commit])?;
        text.trim().parse().map_err(|error| format!("commit {commit}: its time {}: {error}", text.trim()))
    }

    /// The same as RFC 3339 in UTC.
    pub(crate) fn committed_utc(&self, commit: &str) -> Result<String, String> {
        is_commit(commit)?;
        // `local` is what TZ says, which is UTC: see `ask`.
        let format = ["show", "--no-patch", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%cd", commit];
        Ok(self.ask(&format)?.trim().to_owned())
    }

    /// Where what belongs to the repository and not to a commit is kept: the same for all its worktrees.
    pub(crate) fn common(&self) -> Result<PathBuf, String> {
        Ok(self.root.join(self.ask(&["rev-parse", "--git-common-dir"])?.trim()))
    }

    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let shown = || format!("git {}", arguments.join(" "));
        let output = Command::new("git")
            .args(arguments)
            .current_dir(&self.root)
            .env("TZ", "UTC")
            .output()
            .map_err(|error| format!("{}: {error}", shown()))?;
        if !output.status.success() {
            return Err(format!("{}: {}", shown(), String::from_utf8_lossy(&output.stderr).trim()));
        }
        String::from_utf8(output.stdout).map_err(|error| format!("{}: {error}", shown()))
    }
}

/// A whole commit id and nothing else: what a bundle says goes to git as an argument.
fn is_commit(text: &str) -> Result<(), String> {
    let hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if hex && matches!(text.len(), 40 | 64) { Ok(()) } else { Err(format!("{text:?} is no commit id")) }
}
