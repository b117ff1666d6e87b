//! Goes on as another user. Root has no business in a folder that others can write to: whoever can put a link there decides
//! where root writes.

use crate::exit::{ExitCode, Fatal};
use crate::real::lock::user_name;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// This very program, whether or not that user can follow the path to it.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Has root run the same command as the user whose folder it is, in no other group than that folder's, unless what is written to
/// is root's alone. Returns where nothing has to change.
///
/// # Errors
/// It is not possible.
pub(super) fn of(folder: &Path, writes_to: Option<&Path>) -> Result<(), Fatal> {
    // What is wrong with a folder that is not there says who needs it.
    let Ok(owner) = fs::metadata(folder) else { return Ok(()) };
    let is_root = rustix::process::geteuid().is_root();
    if !is_root || owner.uid() == 0 || writes_to.is_some_and(is_roots_alone) {
        return Ok(());
    }
    let mut again = Command::new(OWN_PROGRAM);
    let mut said = std::env::args_os();
    again.arg0(said.next().unwrap_or_else(|| OWN_PROGRAM.into())).args(said).uid(owner.uid()).gid(owner.gid());
    let error = again.exec();
    let name = user_name(owner.uid());
    let text = format!("can't go on as {name}, whose {} is: {error}; give the command as {name}", folder.display());
    Err(Fatal::new(ExitCode::Refused, text))
}

/// Whether nobody but root can change what is in this folder, or what its path leads to.
fn is_roots_alone(folder: &Path) -> bool {
    let Ok(whole) = fs::canonicalize(folder) else { return false };
    whole.ancestors().all(|at| {
        let Ok(metadata) = fs::metadata(at) else { return false };
        // On the way, as in /tmp: others can add to it, and move nothing away.
        let is_sticky = at != whole && metadata.mode() & 0o1000 != 0;
        metadata.uid() == 0 && (metadata.mode() & 0o022 == 0 || is_sticky)
    })
}
