//! The state directory and its lock: one daemon at a time, for life.
//!
//! The lock is a `flock`, so it ends with the process however that ends. What refuses to start changes nothing on disk.

use super::process;
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The lock's name in the state directory.
pub const LOCK_NAME: &str = "lock";
/// Folders that the state directory has: attempts that live or wait to be looked at, and those put away.
pub const SUBFOLDERS: [&str; 2] = ["attempts", "archive"];

/// Held by the daemon for life.
pub struct StateLock {
    /// Locked as long as it is open; inherited by nobody.
    _file: File,
}

impl StateLock {
    /// Takes the state directory, which is made when only it is missing.
    ///
    /// # Errors
    /// [`ExitCode::AlreadyRunning`], [`ExitCode::StateDirUnusable`], [`ExitCode::DiskFull`]; then nothing was changed,
    /// unless the disk filled up on the way.
    #[expect(
        clippy::disallowed_methods,
        reason = "before the loop begins nothing is simulated, and this waits for the kernel"
    )]
    pub fn take(state_dir: &Path) -> Result<StateLock, Fatal> {
        let existing = inspect(state_dir)?;
        if existing.is_none() {
            make(state_dir)?;
        }
        let path = state_dir.join(LOCK_NAME);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file =
            rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|e| failed("open", &path, &e.into()))?;
        let mut file = File::from(file);
        let deadline = Instant::now() + policy::PREDECESSOR_END_MAX;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if is_ending(&mut file) && Instant::now() < deadline => {
                    std::thread::sleep(policy::PREDECESSOR_END_PAUSE);
                }
                Err(Errno::WOULDBLOCK) => return Err(held(state_dir, &mut file)),
                Err(error) => return Err(failed("lock", &path, &error.into())),
            }
        }
        let pid = format!("{}\n", std::process::id());
        // Written over, not emptied first: at no time does the file say nobody's pid.
        let written = file.rewind().and_then(|()| file.write_all(pid.as_bytes()));
        let written = written.and_then(|()| file.set_len(pid.len() as u64));
        written.map_err(|e| failed("write", &path, &e))?;
        if existing.is_some_and(|metadata| metadata.mode() & 0o077 != 0) {
            // Prompts and output of tasks are nobody else's.
            let private = Permissions::from_mode(0o700);
            std::fs::set_permissions(state_dir, private).map_err(|e| failed("make private", state_dir, &e))?;
        }
        for folder in SUBFOLDERS {
            let path = state_dir.join(folder);
            if !path.is_dir() {
                make(&path)?;
            }
        }
        Ok(StateLock { _file: file })
    }
}

fn make(folder: &Path) -> Result<(), Fatal> {
    DirBuilder::new().mode(0o700).create(folder).map_err(|e| failed("make", folder, &e))
}

/// Whether the state directory could be taken, without changing anything: its metadata, or none when it is still to be made.
///
/// # Errors
/// [`ExitCode::StateDirUnusable`].
pub fn inspect(state_dir: &Path) -> Result<Option<Metadata>, Fatal> {
    let unusable = |text: String| Fatal::new(ExitCode::StateDirUnusable, text);
    let shown = state_dir.display();
    let metadata = match std::fs::metadata(state_dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = state_dir.parent().unwrap_or(Path::new("/"));
            if !parent.is_dir() {
                let text = format!("the state directory {shown} can't be made: {} does not exist", parent.display());
                return Err(unusable(text));
            }
            writable(parent).map_err(|why| unusable(format!("the state directory {shown} can't be made: {why}")))?;
            return Ok(None);
        }
        Err(error) => return Err(unusable(format!("the state directory {shown} can't be looked at: {error}"))),
    };
    if !metadata.is_dir() {
        return Err(unusable(format!("the state directory {shown} is no directory")));
    }
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own {
        let text = format!(
            "the state directory {shown} belongs to {}, and this is {}: run as its owner, or give it to the daemon's user",
            user_name(metadata.uid()),
            user_name(own)
        );
        return Err(unusable(text));
    }
    writable(state_dir).map_err(|why| unusable(format!("the state directory {shown} can't be used: {why}")))?;
    Ok(Some(metadata))
}

/// Who holds the state directory, as far as that can be seen.
pub struct Holder {
    /// As it wrote into the lock's file.
    pub pid: Option<u32>,
    /// The name of that process's program; none when there is no such process.
    pub program: Option<String>,
}

/// Who holds the state directory now, if anybody does. Takes nothing, but for the instant of looking.
///
/// # Errors
/// The lock's file can't be read.
pub fn holder(state_dir: &Path) -> std::io::Result<Option<Holder>> {
    let mut file = match File::open(state_dir.join(LOCK_NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {}
        free => return free.map(|()| None).map_err(Into::into),
    }
    let pid = pid_in(&mut file).parse().ok();
    let program = pid.and_then(|pid: u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok());
    Ok(Some(Holder { pid, program: program.map(|name| name.trim().to_owned()) }))
}

fn pid_in(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.rewind();
    let _ = file.take(32).read_to_string(&mut text);
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Whether the holder is no daemon any more, and is only to let go of the lock. It may be the killed one itself: between the
/// signal and the closing of its files lies the end of its system call and of its memory, and it may be a zombie for long.
/// Or a child that it had for a shim and that has not come as far as its `exec`: until then it has all that the daemon had
/// open. A file that says nobody yet is of a daemon that took the lock this instant, and will say so or end.
fn is_ending(file: &mut File) -> bool {
    pid_in(file).parse().map_or(true, process::is_ending)
}

fn held(state_dir: &Path, file: &mut File) -> Fatal {
    let pid = pid_in(file);
    let who = if pid.is_empty() { "another daemon".to_owned() } else { format!("another daemon (pid {pid})") };
    Fatal::new(ExitCode::AlreadyRunning, format!("{who} holds the state directory {}", state_dir.display()))
}

fn writable(folder: &Path) -> Result<(), String> {
    use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags, accessat, statvfs};
    let shown = folder.display();
    if statvfs(folder).is_ok_and(|fs| fs.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return Err(format!("{shown} is on a read-only file system"));
    }
    accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).map_err(|error| {
        format!("{shown} is not writable for {}: {error}", user_name(rustix::process::geteuid().as_raw()))
    })
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Fatal {
    let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let code = if full { ExitCode::DiskFull } else { ExitCode::StateDirUnusable };
    Fatal::new(code, format!("can't {what} {}: {error}", path.display()))
}

/// `ana (uid 1000)`, or `uid 1000` when the system has no name for it.
pub fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string(PathBuf::from("/etc/passwd")).unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .expect("list")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_state_directory_is_made_private_with_its_folders_and_taken_again_later() {
        let dir = tempfile::tempdir().expect("tempdir");
        let state = dir.path().join("state");
        let lock = StateLock::take(&state).unwrap_or_else(|fatal| panic!("{fatal}"));
        assert_eq!(std::fs::metadata(&state).expect("there").mode() & 0o777, 0o700);
        assert_eq!(names(&state), ["archive", "attempts", "lock"]);
        drop(lock);
        StateLock::take(&state).unwrap_or_else(|fatal| panic!("{fatal}"));
    }

    #[test]
    fn a_second_daemon_is_told_who_holds_it_and_takes_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let _first = StateLock::take(dir.path()).unwrap_or_else(|fatal| panic!("{fatal}"));
        let Err(fatal) = StateLock::take(dir.path()) else { panic!("two daemons") };
        assert_eq!(fatal.code, ExitCode::AlreadyRunning);
        let expected = format!("another daemon (pid {}) holds the state directory", std::process::id());
        assert!(fatal.text.starts_with(&expected), "{fatal}");
    }

    #[test]
    fn what_is_left_of_a_dead_daemon_is_waited_for_also_while_nobody_has_buried_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        drop(StateLock::take(dir.path()).unwrap_or_else(|fatal| panic!("{fatal}")));
        // A zombie for a killed daemon, and a child of its that still has what it had open, the lock too.
        let mut dead = Command::new("true").spawn().expect("a process");
        let path = dir.path().join(LOCK_NAME);
        std::fs::write(&path, format!("{}\n", dead.id())).expect("write");
        let file = File::options().read(true).write(true).open(&path).expect("open");
        flock(&file, FlockOperation::NonBlockingLockExclusive).expect("nobody has it");
        let mut child = Command::new("sleep").arg("0.3").stdin(file).spawn().expect("a process");
        while !process::is_ending(dead.id()) {
            std::thread::yield_now();
        }
        StateLock::take(dir.path()).unwrap_or_else(|fatal| panic!("{fatal}"));
        child.wait().expect("bury");
        dead.wait().expect("bury");
    }

    #[test]
    fn an_open_directory_is_closed_to_others() {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("chmod");
        let _lock = StateLock::take(dir.path()).unwrap_or_else(|fatal| panic!("{fatal}"));
        assert_eq!(std::fs::metadata(dir.path()).expect("there").mode() & 0o777, 0o700);
    }

    #[test]
    fn what_can_not_be_used_is_told_and_left_as_it_is() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("file");
        std::fs::write(&file, "mine").expect("write");
        for (state, text) in [
            (dir.path().join("a/b"), "does not exist"),
            (file.clone(), "is no directory"),
            (file.join("state"), "can't be looked at"),
            (PathBuf::from("/proc/mainstay"), "can't make /proc/mainstay"),
        ] {
            let Err(fatal) = StateLock::take(&state) else { panic!("{} was usable", state.display()) };
            assert_eq!(fatal.code, ExitCode::StateDirUnusable);
            // What the system refuses only when asked (a pseudo file system) or already by its permissions.
            assert!(fatal.text.contains(text) || fatal.text.contains("can't be made"), "{fatal}");
        }
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn somebody_elses_directory_is_left_alone() {
        let dir = tempfile::tempdir().expect("tempdir");
        // Root can give its own away; everybody else finds root's.
        let given = std::os::unix::fs::chown(dir.path(), Some(65_534), None).is_ok();
        let foreign = if given { dir.path().to_owned() } else { PathBuf::from("/") };
        let before = names(&foreign);
        let Err(fatal) = StateLock::take(&foreign) else { panic!("taken") };
        assert_eq!(fatal.code, ExitCode::StateDirUnusable);
        assert!(fatal.text.contains("belongs to"), "{fatal}");
        assert_eq!(names(&foreign), before);
    }
}
