//! The shim: the small process between the daemon and a task, which outlives the one and buries the other.
//!
//! It is a program beside the daemon's, or the daemon's own, called as `mainstay-shim shim <folder> [<cgroup>]`. It holds the attempt's lock for its whole life, says
//! who it is, waits for "go", starts the task, and leaves a receipt once nothing of the task is alive. Should the daemon go
//! away before "go", nothing is started; after "go", nobody is needed any more: timeout and stop ladder are here.
//!
//! One thread, no runtime: a task's whole life pays for this process's start.

use super::cgroup::Group;
use super::complain::complain;
use super::folder::{self, Lock, ReceiptSlot, ShimRecord};
use super::logfile::LogFile;
use super::service::{self, ARGUMENT_FROM_SOCKET};
use super::supervise::{self, Outcome};
use super::{process, spawn, sys};
use crate::attempt::{End, EndCause, LogDigest, Receipt};
use crate::policy;
use crate::ports::{Spec, Stream};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Timespec;
use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What `ps` calls it.
const NAME: &std::ffi::CStr = c"mainstay-shim";

/// First argument that makes this binary a shim.
pub const ARGUMENT: &str = "shim";

/// What the daemon says once the spec is written.
pub(super) const SPEC_IS_THERE: u8 = b's';

/// Argument of the separate program that makes it say its [`VERSION`].
pub(super) const VERSION_ARGUMENT: &str = "version";

/// What daemon and shim have to agree on: the attempt's folder and what is said between them. The release, and a number that is
/// raised whenever any of that changes within one.
pub(super) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " 1");

/// Runs as a shim if this process was started as one. To be called before anything else.
pub fn dispatch() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != ARGUMENT {
        return None;
    }
    Some(main(&PathBuf::from(arguments.next()?), arguments.next()).into())
}

/// All of the separate program: a shim, or what it says to people and to the daemon that looks for one. Its exit code.
pub fn program() -> u8 {
    let mut arguments = std::env::args_os().skip(1);
    let (first, folder) = (arguments.next(), arguments.next());
    match (first.as_ref().and_then(|word| word.to_str()), folder) {
        (Some(ARGUMENT), Some(folder)) => {
            let group = arguments.next();
            // Unwinding must not get beyond here: whoever called us is no Rust.
            std::panic::catch_unwind(|| main(&PathBuf::from(folder), group)).unwrap_or(PANICKED)
        }
        (Some(ARGUMENT_FROM_SOCKET), None) => refuse(&service::become_the_shim()),
        (Some(VERSION_ARGUMENT), None) => {
            // Unheard is as good as wrong to whoever asks.
            let _ = rustix::io::write(io::stdout(), VERSION.as_bytes());
            OK
        }
        _ => {
            complain("mainstay-shim stands between the daemon and a task; the daemon starts it: see `mainstay --help`");
            USAGE
        }
    }
}

/// The exit code of a shim that did what it could.
const OK: u8 = 0;
/// The exit code of a shim that could not begin; why was told to the daemon, or stands in the shim's log.
const FAILED: u8 = 1;
/// The exit code of wrong arguments.
const USAGE: u8 = 2;
/// The exit code of a panic, as the standard library has it.
const PANICKED: u8 = 101;

/// The shim of the attempt in `folder` (absolute), whose task starts in `cgroup` if possible. Its exit code.
fn main(folder: &Path, cgroup: Option<OsString>) -> u8 {
    let mut ready = match Ready::prepare(folder, cgroup.map(PathBuf::from)) {
        Ok(ready) => ready,
        Err(e) => return refuse(&e),
    };
    let room = ready.make_room();
    if !ready.wait_for_go() {
        ready.remove_group();
        return OK;
    }
    // From here on it may have run: within this boot, no such line and no shim mean that it certainly has not.
    if let Err(e) = ready.lock.record_go() {
        complain(format_args!("not recorded that it may go, so nothing was started: {e}"));
        ready.remove_group();
        return FAILED;
    }
    ready.run(room);
    OK
}

/// Tells the daemon why there will be no "ready".
fn refuse(error: &io::Error) -> u8 {
    let _ = rustix::io::write(io::stdin(), format!("failed {error}\n").as_bytes());
    FAILED
}

/// Everything that can fail for want of something is done; only the task is missing.
struct Ready {
    folder: PathBuf,
    spec: Spec,
    wake: OwnedFd,
    group: Option<Group>,
    stdout: LogFile,
    stderr: LogFile,
    slot: ReceiptSlot,
    lock: Lock,
}

impl Ready {
    fn prepare(folder: &Path, cgroup: Option<PathBuf>) -> io::Result<Ready> {
        sys::close_inherited()?;
        // Started from a descriptor, the kernel would call it by that one's number in `ps` and `top`.
        let _ = rustix::thread::set_name(NAME);
        let wake = sys::take_signals()?;
        // Fails if we lead a group already, which means that somebody started us by hand: fine too.
        let _ = rustix::process::setsid();
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;

        let mut lock = Lock::take(folder)?;
        wait_for_spec()?;
        // The folder might have been cleared and made anew while we were slow; then our starter is gone.
        if starter_is_gone() {
            return Err(io::Error::other("the daemon that started this shim is gone"));
        }
        let spec: Spec = serde_json::from_slice(&fs::read(folder.join(folder::SPEC))?)?;
        rustix::process::setpriority_process(None, spec.nice)?;
        // Where the kernel shares the processor out between sessions first, niceness counts only within one: a busy task
        // would get as much as the daemon. Then the session has a niceness of its own; where not, there is no such file.
        let _ = fs::write("/proc/self/autogroup", spec.nice.to_string());
        let group = cgroup.and_then(|path| Group::create(path, spec.memory_max, spec.cpu_percent).ok());
        let record =
            ShimRecord { identity: process::own_identity()?, cgroup: group.as_ref().map(|g| g.path().to_owned()) };
        lock.record(&record)?;
        folder::create(&folder.join(folder::PROGRESS), b"")?;
        let ready = Ready {
            stdout: LogFile::new(folder, Stream::Stdout, spec.max_log_bytes),
            stderr: LogFile::new(folder, Stream::Stderr, spec.max_log_bytes),
            slot: ReceiptSlot::reserve(folder)?,
            folder: folder.to_owned(),
            lock,
            spec,
            wake,
            group,
        };
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        rustix::io::write(io::stdin(), &line)?;
        Ok(ready)
    }

    /// What only the task needs. Made while the daemon commits who we are, and so not on anybody's way.
    fn make_room(&self) -> Result<(), String> {
        let make = |name: &str| {
            let path = self.folder.join(name);
            fs::create_dir(&path).map_err(|e| format!("{} can't be made: {e}", path.display()))
        };
        make(folder::ARTIFACTS)?;
        if self.spec.cwd.is_none() { make(folder::WORK) } else { Ok(()) }
    }

    /// True on "go"; false when the daemon is gone or has asked to stop: nothing is to be started then.
    fn wait_for_go(&self) -> bool {
        let stdin = io::stdin();
        loop {
            let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&self.wake, PollFlags::IN)];
            let _ = poll(&mut fds, None);
            if sys::asked_to_stop() {
                return false;
            }
            if !fds[0].revents().is_empty() {
                let mut byte = [0u8; 1];
                match rustix::io::read(&stdin, &mut byte) {
                    Ok(n) => return n == 1,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(_) => return false,
                }
            }
        }
    }

    fn remove_group(&self) {
        if let Some(group) = &self.group {
            let _ = group.remove();
        }
    }

    /// The task's life, up to the receipt.
    fn run(self, room: Result<(), String>) {
        let started_ms = now_ms(ClockId::Realtime);
        let started_boot_ms = now_ms(ClockId::Boottime);
        let cwd = self.spec.cwd.clone().unwrap_or_else(|| self.folder.join(folder::WORK));
        let started = room.and_then(|()| spawn::start(&self.spec, &self.folder, &cwd, self.group.as_ref()));
        // Beside the task, not before it. A task whose output fills its pipe meanwhile waits that long.
        let entry = folder::sync_entry(&self.folder);
        let outcome = match started {
            Ok(started) => {
                let group = self.group.as_ref();
                let logs = [(started.stdout, self.stdout), (started.stderr, self.stderr)];
                supervise::run(&self.spec, started.pid, started_boot_ms, self.wake, group, logs)
            }
            Err(why) => Outcome {
                end: End::NotStarted(folder::cut_reason(&why)),
                cause: EndCause::Itself,
                ended_ms: started_ms,
                ended_boot_ms: started_boot_ms,
                strays: 0,
                logs: [self.stdout.digest(), self.stderr.digest()],
            },
        };
        if let Some(group) = &self.group {
            let _ = group.remove();
        }
        let (cpu_ms, max_rss_kib) = sys::usage_of_children();
        let [stdout, stderr]: [LogDigest; 2] = outcome.logs;
        let receipt = Receipt {
            key: self.spec.key,
            nonce: self.spec.nonce,
            end: outcome.end,
            cause: outcome.cause,
            started_ms,
            ended_ms: outcome.ended_ms,
            ran_ms: outcome.ended_boot_ms - started_boot_ms,
            cpu_ms,
            max_rss_kib,
            strays: outcome.strays,
            stdout,
            stderr,
        };
        let mut slot = self.slot;
        until_done(|| slot.fill(&receipt));
        if entry.is_err() {
            until_done(|| folder::sync_entry(&self.folder));
        }
    }
}

/// Does not give up while somebody may read it: the outcome exists only here. When even the place of the attempts' folders
/// is gone, nobody will.
fn until_done(mut write: impl FnMut() -> io::Result<()>) {
    let mut pause_s = 1;
    while let Err(e) = write() {
        if e.kind() == io::ErrorKind::NotFound {
            complain("receipt not written: its folder is gone, with the one it was in");
            return;
        }
        complain(format_args!("receipt not written, trying again: {e}"));
        let _ = poll(&mut [], Some(&Timespec { tv_sec: pause_s, tv_nsec: 0 }));
        pause_s = (pause_s * 2).min(policy::RECEIPT_RETRY_CAP_S);
    }
}

/// The spec is written while this process comes up.
fn wait_for_spec() -> io::Result<()> {
    let mut byte = [0u8; 1];
    while let Err(e) = rustix::io::read(io::stdin(), &mut byte) {
        if e != rustix::io::Errno::INTR {
            return Err(e.into());
        }
    }
    if byte[0] == SPEC_IS_THERE { Ok(()) } else { Err(io::Error::other("the daemon gave this shim nothing to do")) }
}

fn starter_is_gone() -> bool {
    let stdin = io::stdin();
    let mut fds = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::empty())];
    let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

/// Milliseconds of a clock.
pub(super) fn now_ms(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec * 1000 + now.tv_nsec / 1_000_000
}
