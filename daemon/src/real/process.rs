//! What /proc tells of processes, and signals that reach nobody else.
//!
//! A pid is only a number: between reading it and using it, it can come to mean somebody else. So every signal here goes
//! through a pidfd whose process was compared with (pid, start time) *after* the pidfd was opened.

use crate::attempt::Identity;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A line of /proc/pid/stat, as far as it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// Clock ticks since boot.
    pub(super) start: u64,
    /// A zombie, or gone while we looked: runs nothing any more.
    pub(super) dead: bool,
}

/// The name of this boot.
pub(super) fn boot_id() -> std::io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// What a pid means right now; none when nothing.
pub(super) fn stat(pid: u32) -> Option<Stat> {
    parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Whether a process runs below the shim of an attempt in `attempts` (absolute), however often it forked: a shim is what its
/// orphans are given to. A task can kill its shim; then its environment still tells, unless it took that off too. What can't
/// be told any more counts as such a process, unless there are no attempts.
pub(super) fn is_below_shim(mut pid: u32, attempts: &Path) -> bool {
    if fs::read_dir(attempts).is_ok_and(|mut entries| entries.next().is_none()) {
        return false;
    }
    if pid == 0 {
        return true;
    }
    while pid > 1 {
        if is_shim(pid, attempts) || is_marked(pid, attempts) {
            return true;
        }
        match stat(pid) {
            Some(stat) => pid = stat.parent,
            None => return true,
        }
    }
    false
}

fn is_shim(pid: u32, attempts: &Path) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|b| *b == 0).skip(1);
    words.next() == Some(super::shim::ARGUMENT.as_bytes())
        && words.next().is_some_and(|folder| is_in(Path::new(OsStr::from_bytes(folder)), attempts))
}

/// Whether a process was started with the variables of a task in `attempts`.
fn is_marked(pid: u32, attempts: &Path) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut artifacts =
        environment.split(|b| *b == 0).filter_map(|entry| entry.strip_prefix(b"MAINSTAY_ARTIFACTS_DIR="));
    artifacts.any(|path| Path::new(OsStr::from_bytes(path)).parent().is_some_and(|folder| is_in(folder, attempts)))
}

/// Whether a path is one of an entry of `folder`, by whatever name the folder goes.
fn is_in(path: &Path, folder: &Path) -> bool {
    let number = |path: &Path| fs::metadata(path).map(|it| (it.dev(), it.ino())).ok();
    path.parent().is_some_and(|parent| parent == folder || number(parent).is_some_and(|n| number(folder) == Some(n)))
}

/// Whether a pid is nobody's, or of a process that will run nothing of its own any more: it may still hold what it had open.
pub(super) fn is_ending(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/stat")).map_or(true, |line| parse_ending(&line).unwrap_or(false))
}

fn parse_ending(line: &[u8]) -> Option<bool> {
    const PF_EXITING: u64 = 0x4;
    const SIGKILL: u64 = 9;
    let fields = fields(line)?;
    let number = |i: usize| fields.get(i).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    // A zombie, or one of its threads is not that far yet; on its way out; about to be told; or, where the kernel shows it,
    // all that lies between: what the whole process is ending with.
    let zombie = matches!(*fields.first()?, "Z" | "X" | "x");
    let (exiting, told, by) = (number(6) & PF_EXITING != 0, number(28) & 1 << (SIGKILL - 1) != 0, number(49));
    Some(zombie || exiting || told || by == SIGKILL)
}

/// What comes after the command's name, which stands in parentheses and may contain anything, also parentheses and newlines.
fn fields(line: &[u8]) -> Option<Vec<&str>> {
    let after = line.iter().rposition(|b| *b == b')')? + 1;
    Some(std::str::from_utf8(line.get(after..)?).ok()?.split_ascii_whitespace().collect())
}

fn parse(pid: u32, line: &[u8]) -> Option<Stat> {
    let fields = fields(line)?;
    let number = |i: usize| fields.get(i)?.parse::<u64>().ok();
    // A main thread that has ended while others go on shows as Z with more than one thread: that process lives.
    let over = matches!(*fields.first()?, "Z" | "X" | "x") && number(17)? <= 1;
    Some(Stat {
        pid,
        parent: u32::try_from(number(1)?).ok()?,
        group: u32::try_from(number(2)?).ok()?,
        session: u32::try_from(number(3)?).ok()?,
        start: number(19)?,
        dead: over,
    })
}

/// Who this process is.
pub(super) fn own_identity() -> std::io::Result<Identity> {
    let pid = std::process::id();
    let own = stat(pid).ok_or_else(|| std::io::Error::other("read own /proc/self/stat"))?;
    Ok(Identity { boot: boot_id()?, pid, start: own.start })
}

/// Every process of the machine that is visible to us.
pub(super) fn all() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).filter_map(stat).collect()
}

/// The living ones of `all` that descend from one of `roots`, which are not part of the answer.
pub(super) fn descendants(all: &[Stat], roots: &BTreeSet<u32>) -> Vec<Stat> {
    let parents: BTreeMap<u32, u32> = all.iter().map(|s| (s.pid, s.parent)).collect();
    let descends = |pid: u32| {
        let mut at = pid;
        // The table was not read in one moment, so it could contain a circle: no chain is longer than the table.
        for _ in 0..parents.len() {
            match parents.get(&at) {
                Some(parent) if roots.contains(parent) => return true,
                Some(parent) => at = *parent,
                None => return false,
            }
        }
        false
    };
    all.iter().filter(|s| !s.dead && !roots.contains(&s.pid) && descends(s.pid)).copied().collect()
}

/// This thread's direct children, zombies included. Cheap enough to win a race against a chain of short-lived forks.
pub(super) fn children() -> Vec<u32> {
    match fs::read_to_string("/proc/thread-self/children") {
        Ok(list) => list.split_ascii_whitespace().filter_map(|p| p.parse().ok()).collect(),
        // A kernel without that file: the long way.
        Err(_) => {
            let me = std::process::id();
            all().iter().filter(|s| s.parent == me).map(|s| s.pid).collect()
        }
    }
}

/// How processes of an attempt are recognised when their shim is gone.
pub(super) struct Marks<'a> {
    /// `MAINSTAY_NONCE` of their environment.
    pub(super) nonce: &'a str,
    /// The dead shim's pid: the session of whoever did not leave it.
    pub(super) session: Option<u32>,
    /// What stands on their standard input.
    pub(super) prompt: &'a Path,
}

/// The living processes with an attempt's marks, and their descendants.
pub(super) fn marked(marks: &Marks<'_>) -> Vec<Stat> {
    let me = std::process::id();
    let all = all();
    let marker = format!("MAINSTAY_NONCE={}", marks.nonce).into_bytes();
    let has_marker = |pid: u32| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|e| e.split(|b| *b == 0).any(|entry| entry == marker))
    };
    // A session number alone could have come to mean somebody else's session; with our prompt on its stdin it is ours.
    let is_in_session = |s: &Stat| {
        Some(s.session) == marks.session
            && fs::read_link(format!("/proc/{}/fd/0", s.pid)).is_ok_and(|target| target == marks.prompt)
    };
    let roots: Vec<Stat> =
        all.iter().filter(|s| s.pid != me && !s.dead && (is_in_session(s) || has_marker(s.pid))).copied().collect();
    if roots.is_empty() {
        return roots;
    }
    let pids = roots.iter().map(|s| s.pid).collect();
    let mut found = descendants(&all, &pids);
    found.retain(|s| s.pid != me);
    found.extend(roots);
    found
}

/// A process that is held on to: whatever happens to its pid, a signal reaches this one or nobody.
#[derive(Debug)]
pub(super) struct Pin(OwnedFd);

impl Pin {
    /// Holds the process with this pid and start time, if it lives.
    pub(super) fn open(pid: u32, start: u64) -> Option<Pin> {
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let fd = pidfd_open(raw, PidfdFlags::NONBLOCK).ok()?;
        let now = stat(pid)?;
        (now.start == start && !now.dead).then_some(Pin(fd))
    }

    /// Holds a shim, if it lives in this boot.
    pub(super) fn shim(identity: &Identity, boot: &str) -> Option<Pin> {
        if identity.boot == boot { Pin::open(identity.pid, identity.start) } else { None }
    }

    /// False when it is gone.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        pidfd_send_signal(&self.0, signal).is_ok()
    }

    /// The descriptor, readable once the process has ended.
    pub(super) fn into_fd(self) -> OwnedFd {
        self.0
    }
}

impl AsFd for Pin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_move_the_fields() {
        let line = b"7 (a) Z 1 (b\n) S 3 7 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let stat = parse(7, line).expect("parses");
        assert_eq!(stat, Stat { pid: 7, parent: 3, group: 7, session: 5, start: 4242, dead: false });
    }

    #[test]
    fn a_zombie_is_dead_unless_threads_are_left() {
        let line = |threads: u32| format!("7 (a) Z 3 7 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 4242 0 0");
        assert!(parse(7, line(1).as_bytes()).expect("parses").dead);
        assert!(!parse(7, line(2).as_bytes()).expect("parses").dead);
    }

    #[test]
    fn every_sign_of_a_process_that_is_ending_is_seen() {
        let line = |state: &str, flags: u32, pending: u32, code: u32| {
            let between = "0 ".repeat(21);
            format!("7 (a) {state} 3 7 5 0 -1 {flags} {between}{pending} {}{code}", "0 ".repeat(20))
        };
        for (state, flags, pending, code, ending) in [
            ("S", 0x40_0100, 0, 0, false),
            ("D", 0x40_0100, 1 << 14, 0, false),
            // Stopped by hand: it goes on one day.
            ("T", 0x40_0100, 0, 19, false),
            ("Z", 0x40_0100, 0, 0, true),
            ("R", 0x40_0104, 0, 0, true),
            ("D", 0x40_0100, 1 << 8, 0, true),
            ("R", 0x40_0100, 0, 9, true),
        ] {
            let line = line(state, flags, pending, code);
            assert_eq!(parse_ending(line.as_bytes()), Some(ending), "{line}");
        }
        assert!(!is_ending(std::process::id()));
    }

    #[test]
    fn descendants_are_found_through_the_dead_and_in_spite_of_circles() {
        let stat = |pid, parent, dead| Stat { pid, parent, group: 0, session: 0, start: 0, dead };
        let all = [stat(2, 1, false), stat(3, 2, true), stat(4, 3, false), stat(5, 6, false), stat(6, 5, false)];
        let found: Vec<u32> = descendants(&all, &BTreeSet::from([2])).iter().map(|s| s.pid).collect();
        assert_eq!(found, [4]);
    }

    #[test]
    fn a_task_without_its_shim_is_known_by_its_environment() {
        let place = tempfile::tempdir().expect("a folder");
        let (ours, others) = (place.path().join("ours"), place.path().join("others"));
        for attempts in [&ours, &others] {
            fs::create_dir_all(attempts.join("1-1")).expect("an attempt");
        }
        let mut task = std::process::Command::new("sleep")
            .arg("60")
            .env("MAINSTAY_ARTIFACTS_DIR", ours.join("1-1/artifacts"))
            .spawn()
            .expect("sleep");
        // The kernel shows the environment of a new program a moment after it lets its starter go on.
        let environment = format!("/proc/{}/environ", task.id());
        while fs::read(&environment).expect("it runs").is_empty() {
            std::thread::yield_now();
        }
        let found = [&ours, &others].map(|attempts| is_below_shim(task.id(), attempts));
        task.kill().expect("it is ours");
        task.wait().expect("it is ours");
        assert_eq!((found, is_below_shim(std::process::id(), &ours)), ([true, false], false));
    }

    #[test]
    fn a_pin_refuses_another_start_time() {
        let me = own_identity().expect("own identity");
        assert!(Pin::open(me.pid, me.start).is_some());
        assert!(Pin::open(me.pid, me.start + 1).is_none());
        assert!(Pin::shim(&me, "another boot").is_none());
    }
}
