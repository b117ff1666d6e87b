//! The release that this program belongs to, as a folder: the archive's, or one made up for a program that was built here.

use super::perform::make;
use crate::hex::hex;
use crate::release::Id;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Programs in a release's `bin`.
const PROGRAMS: [&str; 2] = ["mainstay", "mainstay-shim"];

/// What is to be below `releases/`.
#[derive(Debug)]
pub(super) struct Release {
    /// Its folder's name.
    pub(super) id: String,
    /// Files, by their paths in it.
    files: BTreeMap<PathBuf, PathBuf>,
}

impl Release {
    /// Of the program at `program`: the archive that it was unpacked with, else the programs beside it.
    pub(super) fn of(program: &Path) -> Result<Release, String> {
        let bin = program.parent().unwrap_or(Path::new("/"));
        let folder = bin.parent().unwrap_or(Path::new("/"));
        let about = folder.join("release.json");
        if bin.file_name().is_some_and(|name| name == "bin") && about.is_file() {
            let text = fs::read_to_string(&about).map_err(|e| format!("can't read {}: {e}", about.display()))?;
            let id = id_in(&text)
                .ok_or_else(|| format!("{} names no release: unpack the archive again", about.display()))?;
            let mut files = BTreeMap::new();
            list(folder, Path::new(""), &mut files).map_err(|e| format!("can't read {}: {e}", folder.display()))?;
            return Ok(Release { id, files });
        }
        let bytes = fs::read(program).map_err(|e| format!("can't read {}: {e}", program.display()))?;
        let id = format!("{}-local-{}", env!("CARGO_PKG_VERSION"), &hex(&Sha256::digest(bytes))[..12]);
        let mut files = BTreeMap::from([(Path::new("bin").join(PROGRAMS[0]), program.to_owned())]);
        let shim = bin.join(PROGRAMS[1]);
        if shim.is_file() {
            files.insert(Path::new("bin").join(PROGRAMS[1]), shim);
        }
        Ok(Release { id, files })
    }

    /// Copies it to `releases/ID`: there completely or not at all, and not to be written to.
    pub(super) fn copy_below(&self, releases: &Path) -> io::Result<()> {
        let unfinished = releases.join(format!(".unfinished-{}", std::process::id()));
        let copied = self.copy_to(&unfinished).and_then(|()| fs::rename(&unfinished, releases.join(&self.id)));
        if copied.is_err() {
            let _ = fs::remove_dir_all(&unfinished);
        }
        copied.and_then(|()| File::open(releases)?.sync_all())
    }

    fn copy_to(&self, folder: &Path) -> io::Result<()> {
        for (name, from) in &self.files {
            let to = folder.join(name);
            let within = to.parent().unwrap_or(folder);
            for ancestor in name.ancestors().skip(1) {
                make(&folder.join(ancestor), 0o755)?;
            }
            fs::copy(from, &to)?;
            let mode = if name.starts_with("bin") { 0o555 } else { 0o444 };
            let file = File::open(&to)?;
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()?;
            File::open(within)?.sync_all()?;
        }
        File::open(folder)?.sync_all()
    }
}

/// `id` of a release.json, if it can be a folder's name.
fn id_in(text: &str) -> Option<String> {
    let about: serde_json::Value = serde_json::from_str(text).ok()?;
    Id::new(about["id"].as_str()?).ok().map(String::from)
}

/// All plain files below `folder`; links, which an archive has none of, are left out.
fn list(folder: &Path, within: &Path, files: &mut BTreeMap<PathBuf, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(within))? {
        let entry = entry?;
        let name = within.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(folder, &name, files)?;
        } else if kind.is_file() {
            files.insert(name, entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_leads_out_of_the_folder_is_none() {
        let of = |id: &str| id_in(&serde_json::json!({ "id": id }).to_string());
        assert_eq!(of("1.2.0-0123456789ab"), Some("1.2.0-0123456789ab".to_owned()));
        for bad in ["", "..", "../x", "a/b", ".hidden", "-rf", "a b", &"x".repeat(81)] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!((id_in("{}"), id_in("no JSON")), (None, None));
    }
}
