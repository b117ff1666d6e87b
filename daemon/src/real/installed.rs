//! What this program is: a release that was installed, or just a program.

use crate::release::manifest::{MANIFEST, Manifest};
use crate::release::{Id, VERSION};

/// The release whose folder this program lies in (as `bin/mainstay`), if it lies in one. The path is the kernel's, in which links
/// are followed: `current` may lead elsewhere by now.
pub(crate) fn release() -> Option<Id> {
    let program = std::env::current_exe().ok()?;
    let manifest = std::fs::read(program.parent()?.parent()?.join(MANIFEST)).ok()?;
    Some(Manifest::parse(&manifest).ok()?.id)
}

/// The release's id, else the program's version.
pub(crate) fn version() -> String {
    release().map_or_else(|| VERSION.to_owned(), |id| id.to_string())
}
