//! The release that this program belongs to: the archive's that it was unpacked with, or one made of what was built here.

use super::super::release::{From, id_of};
use crate::release::Id;
use crate::release::manifest::{MANIFEST, Manifest};
use std::fs;
use std::path::Path;

/// The program that is beside this one wherever it was built.
const SHIM: &str = "mainstay-shim";

/// What is to be below `releases/`.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) id: Id,
    pub(super) from: From,
}

impl Release {
    /// Of the program at `program`.
    pub(super) fn of(program: &Path) -> Result<Release, String> {
        let bin = program.parent().unwrap_or(Path::new("/"));
        let folder = bin.parent().unwrap_or(Path::new("/"));
        let about = folder.join(MANIFEST);
        if bin.file_name().is_some_and(|name| name == "bin") && about.is_file() {
            let bytes = fs::read(&about).map_err(|e| format!("can't read {}: {e}", about.display()))?;
            let again = |why: String| format!("{}: {why}; unpack the archive again", folder.display());
            return Ok(Release { id: Manifest::parse(&bytes).map_err(again)?.id, from: From::Path(folder.to_owned()) });
        }
        let programs = vec![("bin/mainstay".to_owned(), program.to_owned()), (format!("bin/{SHIM}"), bin.join(SHIM))];
        Ok(Release { id: id_of(program)?, from: From::Programs(programs) })
    }
}
