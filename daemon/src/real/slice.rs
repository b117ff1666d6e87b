//! Short turns on the processor for the daemon: it needs little time, but soon.
//!
//! The scheduler (EEVDF, Linux 6.12 and later) runs first who asks for less at once. Without asking, a daemon that wakes up
//! while tasks keep every core busy waits for the end of somebody's turn, which is milliseconds, at each of the several
//! times that it sleeps for one answer. No privilege is needed, and nobody gets less time in all by it.
#![expect(unsafe_code, reason = "system calls without a safe wrapper; each states why it is sound")]

use std::io;

/// The least that the kernel takes. An answer's work is of this size.
const SLICE_NS: u64 = 100_000;
/// `SCHED_FLAG_RESET_ON_FORK`: shims and tasks are to have turns of the usual length.
const RESET_ON_FORK: u64 = 1;
/// `SCHED_NORMAL`.
const NORMAL: u32 = 0;

/// `struct sched_attr`, version 0 (48 bytes).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// For the normal policy: the length of a turn.
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Asks for short turns. Older kernels take the call and change nothing; another policy is somebody's decision and stays.
///
/// # Errors
/// The kernel refuses.
pub fn ask_for_short_ones() -> io::Result<()> {
    let mut attributes = Attributes::default();
    let size = size_of::<Attributes>() as u32;
    // SAFETY: the kernel writes at most `size` bytes of plain numbers to a structure of that size, of this thread.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if got != 0 {
        return Err(io::Error::last_os_error());
    }
    if attributes.policy != NORMAL {
        return Ok(());
    }
    attributes.size = size;
    attributes.flags = RESET_ON_FORK;
    attributes.runtime = SLICE_NS;
    // SAFETY: the kernel reads `size` bytes of a structure of that size.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
