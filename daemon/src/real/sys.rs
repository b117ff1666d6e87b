//! The few system calls that rustix does not have, each behind a safe function: closing what was inherited, signal
//! handlers, resource use of dead children, and a fork straight into a cgroup.
//!
//! The shim is their only user, and the shim has one thread: that is what makes them sound, and why nothing else may call
//! them. Handlers rather than ignored or blocked signals, because both of those outlive an exec and handlers do not: the
//! task starts with every signal at its default and nothing blocked, whatever the daemon was started with.
#![expect(unsafe_code, reason = "system calls without a safe wrapper; each states why it is sound")]

use rustix::event::{EventfdFlags, eventfd};
use rustix::process::Pid;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// `CLONE_INTO_CGROUP`; libc's constant for it does not fit its own type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Set by the SIGTERM handler.
static ASKED: AtomicBool = AtomicBool::new(false);
/// The eventfd that handlers write to; -1 before there is one.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Closes every descriptor but 0, 1 and 2: whatever the daemon's own starter left open must not reach a task.
/// To be called first, while this process has opened nothing itself.
pub(super) fn close_inherited() -> io::Result<()> {
    // SAFETY: at the start of `main` no Rust value owns a descriptor above 2.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn on_signal(signal: libc::c_int) {
    if signal == libc::SIGTERM {
        ASKED.store(true, Ordering::Relaxed);
    }
    let one = 1u64.to_ne_bytes();
    // SAFETY: only async-signal-safe calls: atomics, errno, write on a descriptor that stays open for good. errno is
    // put back because the interrupted code may be about to read its own.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(WAKE.load(Ordering::Relaxed), one.as_ptr().cast(), one.len());
        *libc::__errno_location() = errno;
    }
}

/// Routes signals: SIGTERM is remembered for [`asked_to_stop`], SIGCHLD only wakes, what a terminal or a shell sends to
/// whole sessions has no effect; everything else gets its default. Returns the descriptor that is readable after a signal.
pub(super) fn take_signals() -> io::Result<OwnedFd> {
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    WAKE.store(wake.as_raw_fd(), Ordering::Relaxed);
    // 32 and 33 belong to glibc, which hides them.
    for signal in (1..=31).chain(34..=64) {
        let handler = match signal {
            // Not ours to change: the kernel's, and those of Rust's report of an overflown stack, if there is one.
            libc::SIGKILL | libc::SIGSTOP | libc::SIGSEGV | libc::SIGBUS => continue,
            // A daemon that is gone is an error of a write. `Command` puts it back for the task.
            libc::SIGPIPE => libc::SIG_IGN,
            libc::SIGTERM
            | libc::SIGCHLD
            | libc::SIGINT
            | libc::SIGHUP
            | libc::SIGQUIT
            | libc::SIGTSTP
            | libc::SIGUSR1
            | libc::SIGUSR2 => on_signal as extern "C" fn(libc::c_int) as libc::sighandler_t,
            _ => libc::SIG_DFL,
        };
        // SAFETY: a zeroed sigaction is a valid one with an empty mask; the handler is async-signal-safe (see there).
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler;
            action.sa_flags = libc::SA_RESTART | libc::SA_NOCLDSTOP;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: an empty set is initialised before it is used; one thread, so the process's mask is this thread's.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
    Ok(wake)
}

/// Whether SIGTERM has arrived since [`take_signals`].
pub(super) fn asked_to_stop() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// CPU milliseconds of all reaped descendants and the largest resident set of one of them in KiB.
pub(super) fn usage_of_children() -> (i64, i64) {
    // SAFETY: a zeroed rusage is a valid one; the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let ms = |t: libc::timeval| t.tv_sec * 1000 + t.tv_usec / 1000;
    (ms(usage.ru_utime) + ms(usage.ru_stime), usage.ru_maxrss)
}

/// On which side of a fork we are.
pub(super) enum Forked {
    /// The old process, with the new one's pid.
    Parent(Pid),
    /// The new process; it has to exec or [`leave`].
    Child,
}

/// Arguments of clone3, version 2 (88 bytes).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Forks into a cgroup. Moving an existing process there instead waits for a grace period of the kernel's RCU: measured
/// 12 ms for the first move after a pause, against some 0.1 ms for this.
pub(super) fn fork_into(cgroup: BorrowedFd<'_>) -> io::Result<Forked> {
    let args = CloneArgs {
        flags: CLONE_INTO_CGROUP,
        exit_signal: libc::SIGCHLD as u64,
        cgroup: cgroup.as_raw_fd() as u64,
        ..CloneArgs::default()
    };
    // SAFETY: without CLONE_VM this is fork: the child has its own copy of everything. The process has one thread, so no
    // lock can be held by one that the child lacks.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match pid {
        0 => Ok(Forked::Child),
        pid if pid > 0 => Ok(Forked::Parent(Pid::from_raw(pid as i32).expect("a pid is not zero"))),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ends a forked child without running anything of its parent's clean-up.
pub(super) fn leave(code: i32) -> ! {
    // SAFETY: always sound; it does not return.
    unsafe { libc::_exit(code) }
}
