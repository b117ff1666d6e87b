//! Which program is started as a shim: the small one that is installed beside this one, else this one.

use super::shim::{ARGUMENT, VERSION, VERSION_ARGUMENT};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The small program's name, beside this one's.
const SMALL: &str = "mainstay-shim";
/// This program, also after it was replaced on disk.
const ITSELF: &str = "/proc/self/exe";

/// The command that runs a shim; the attempt's folder and cgroup are appended.
#[derive(Debug)]
pub struct ShimCommand {
    program: PathBuf,
    /// Keeps the file there is now, so that a shim is of its daemon's version after an upgrade replaced it on disk.
    _held: Option<File>,
}

impl ShimCommand {
    /// `program shim ...`
    pub fn of(program: impl Into<PathBuf>) -> Self {
        ShimCommand { program: program.into(), _held: None }
    }

    /// The small program if it is there and of this version, else this program. One that is there and is not taken is
    /// warned of: somebody installed half of a release. A daemon asks once, when it starts.
    pub fn installed() -> Self {
        let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join(SMALL)));
        match beside.map(|path| (hold(&path), path)) {
            Some((Ok(held), _)) => return held,
            Some((Err(NotTaken::Missing), path)) => {
                tracing::debug!(path = %path.display(), "there is no small shim: mainstay is its own");
            }
            Some((Err(NotTaken::Unfit(why)), path)) => {
                tracing::warn!(
                    path = %path.display(),
                    why,
                    "mainstay is its own shim: install both programs of one release"
                );
            }
            None => {}
        }
        ShimCommand::of(ITSELF)
    }

    /// Ready for the attempt's folder.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0(SMALL).arg(ARGUMENT);
        command
    }
}

/// Why the small program is not taken.
#[derive(Debug, PartialEq, Eq)]
enum NotTaken {
    /// It is not installed.
    Missing,
    /// It is there, and can't be opened or run, or is of another version.
    Unfit(String),
}

/// Opens the file and asks it for its version: that of the very file that will be started.
fn hold(path: &Path) -> Result<ShimCommand, NotTaken> {
    let held = match rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(held) => held,
        Err(Errno::NOENT) => return Err(NotTaken::Missing),
        Err(error) => return Err(NotTaken::Unfit(error.to_string())),
    };
    let held = File::from(held);
    let program = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    let asked =
        Command::new(&program).arg(VERSION_ARGUMENT).env_clear().stdin(Stdio::null()).stderr(Stdio::null()).output();
    let said = asked.map_err(|error| NotTaken::Unfit(error.to_string()))?.stdout;
    if said == VERSION.as_bytes() {
        Ok(ShimCommand { program, _held: Some(held) })
    } else {
        Err(NotTaken::Unfit(format!("it says {:?} where this is {VERSION:?}", String::from_utf8_lossy(&said))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By another process: what one of this process's other threads starts meanwhile would have the copy open for writing for a
    /// moment, and so long it can't be run.
    fn copy(program: &str, to: &Path) {
        assert!(Command::new("cp").arg(program).arg(to).status().expect("run cp").success());
    }

    #[test]
    fn a_program_that_says_another_version_or_nothing_is_not_taken() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join(SMALL);
        assert_eq!(hold(&path).err(), Some(NotTaken::Missing));
        for (program, says) in [("/bin/echo", VERSION_ARGUMENT), ("/bin/true", "")] {
            copy(program, &path);
            let Err(NotTaken::Unfit(error)) = hold(&path) else { panic!("{program} is taken") };
            assert!(error.contains(VERSION) && error.contains(says), "{error}");
        }
    }

    #[test]
    fn what_is_held_outlives_its_name() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join(SMALL);
        copy("/bin/echo", &path);
        let held = File::from(rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("open"));
        let program = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        std::fs::remove_file(&path).expect("remove");
        let shim = ShimCommand { program, _held: Some(held) };
        let said = shim.command().arg("folder").output().expect("it starts").stdout;
        assert_eq!(String::from_utf8_lossy(&said), format!("{ARGUMENT} folder\n"));
    }
}
