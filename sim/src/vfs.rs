//! SQLite on a [`Disk`]: the one unsafe island of the simulation.
//!
//! SQLite calls the functions in [`calls`] with pointers; each of them does nothing but turn these into a file of
//! [`handle`], where all is safe, and call it. Locks and the WAL's shared index live in memory,
//! as they do on a machine: they end with the life of the disk in which they were made. Time stands still for SQLite, it never
//! really sleeps, and its random numbers come from the disk's seed ([`seed_sqlite`]).
//!
//! Everything happens on one thread: a connection must not be handed to another one.

#![expect(unsafe_code, reason = "SQLite's interface to the file system is C")]

mod calls;
mod handle;

use crate::disk::Disk;
use handle::Mount;
use rusqlite::ffi::{self, sqlite3_vfs};
use rusqlite::{Connection, OpenFlags};
use std::ffi::{CString, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A disk on which SQLite can open databases. Unmounting it while one is open leaks what that still points at.
pub struct Vfs {
    name: CString,
    raw: *mut sqlite3_vfs,
    mount: Rc<Mount>,
}

impl Vfs {
    /// Makes the disk known to SQLite under a name of its own.
    pub fn mount(disk: &Disk) -> Vfs {
        static MOUNTS: AtomicU32 = AtomicU32::new(0);
        let name = CString::new(format!("simulated-{}", MOUNTS.fetch_add(1, Ordering::Relaxed))).expect("no NUL in it");
        let mount = Rc::new(Mount::new(disk));
        let raw = Box::into_raw(Box::new(calls::file_system(&name, &mount)));
        // SAFETY: `raw` and what it points at live until `drop` has unregistered it, or for ever.
        let done = unsafe { ffi::sqlite3_initialize().max(ffi::sqlite3_vfs_register(raw, 0)) };
        assert_eq!(done, ffi::SQLITE_OK, "SQLite takes the file system");
        Vfs { name, raw, mount }
    }

    /// A connection on the database of this name, made if it does not exist.
    ///
    /// # Errors
    /// What SQLite makes of what the disk says.
    pub fn open(&self, path: &str) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags_and_vfs(path, flags, self.name.as_c_str())
    }
}

impl Drop for Vfs {
    fn drop(&mut self) {
        // SAFETY: it was registered by `mount` and not since unregistered.
        unsafe { ffi::sqlite3_vfs_unregister(self.raw) };
        if self.mount.is_quiet() {
            // SAFETY: it came from `Box::into_raw`, and no file of it is open: no connection points at it.
            drop(unsafe { Box::from_raw(self.raw) });
        } else {
            std::mem::forget(self.mount.clone());
            std::mem::forget(std::mem::take(&mut self.name));
        }
    }
}

/// Seeds SQLite's random numbers, which belong to the process: salts of the WAL, `random()`. Once before each run.
pub fn seed_sqlite(seed: u32) {
    // SAFETY: the test control takes a number and a null pointer; 0 would mean "from the system".
    unsafe {
        ffi::sqlite3_initialize();
        ffi::sqlite3_test_control(
            ffi::SQLITE_TESTCTRL_PRNG_SEED,
            c_int::from_ne_bytes((seed | 1).to_ne_bytes()),
            ptr::null_mut::<c_void>(),
        );
    }
}

/// SQLite's random numbers belong to the process: where tests are threads of one, they take turns.
#[cfg(test)]
pub(crate) fn alone() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
