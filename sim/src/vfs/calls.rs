//! What SQLite calls: pointers in, a [`Handle`] or a [`Mount`] called, a code out.

use super::handle::{Handle, Mount, code};
use crate::disk::{Disk, Failure};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

/// A file system of ours with this mount; `name` and `mount` must live as long as SQLite knows it.
pub(super) fn file_system(name: &CStr, mount: &Rc<Mount>) -> sqlite3_vfs {
    sqlite3_vfs {
        iVersion: 2,
        szOsFile: c_int::try_from(size_of::<SqliteFile>()).expect("it is small"),
        mxPathname: 512,
        pNext: ptr::null_mut(),
        zName: name.as_ptr(),
        pAppData: Rc::as_ptr(mount).cast_mut().cast(),
        xOpen: Some(x_open),
        xDelete: Some(x_delete),
        xAccess: Some(x_access),
        xFullPathname: Some(x_full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(x_randomness),
        xSleep: Some(x_sleep),
        xCurrentTime: Some(x_current_time),
        xGetLastError: Some(x_get_last_error),
        xCurrentTimeInt64: Some(x_current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

/// SQLite's file, with ours behind it.
#[repr(C)]
struct SqliteFile {
    base: sqlite3_file,
    handle: *mut Handle,
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(x_close),
    xRead: Some(x_read),
    xWrite: Some(x_write),
    xTruncate: Some(x_truncate),
    xSync: Some(x_sync),
    xFileSize: Some(x_file_size),
    xLock: Some(x_lock),
    xUnlock: Some(x_unlock),
    xCheckReservedLock: Some(x_check_reserved_lock),
    xFileControl: Some(x_file_control),
    xSectorSize: Some(x_sector_size),
    xDeviceCharacteristics: Some(x_device_characteristics),
    xShmMap: Some(x_shm_map),
    xShmLock: Some(x_shm_lock),
    xShmBarrier: Some(x_shm_barrier),
    xShmUnmap: Some(x_shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
/// `vfs` is one that [`Vfs::mount`] registered; the mount lives as long as SQLite may call.
unsafe fn mount<'a>(vfs: *mut sqlite3_vfs) -> &'a Mount {
    // SAFETY: `pAppData` is the mount, kept by the `Vfs` and by every open handle.
    unsafe { &*(*vfs).pAppData.cast::<Mount>() }
}

/// # Safety
/// `file` was opened by [`x_open`] and not closed; SQLite calls one method at a time.
unsafe fn handle<'a>(file: *mut sqlite3_file) -> &'a mut Handle {
    // SAFETY: `x_open` wrote a `SqliteFile` there, whose handle `x_close` alone frees.
    unsafe { &mut *(*file.cast::<SqliteFile>()).handle }
}

/// # Safety
/// `name` is a NUL-terminated string that outlives the call.
unsafe fn text<'a>(name: *const c_char) -> &'a str {
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(name) }.to_str().expect("we open only such names")
}

fn done(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

fn size(n: impl TryInto<usize>) -> usize {
    n.try_into().ok().expect("SQLite asks for sizes that are there")
}

unsafe extern "C" fn x_open(
    vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives room for `szOsFile` bytes, and a name or null; the mount is in an `Rc` of which one is counted
    // on for as long as the VFS is registered.
    unsafe {
        (*file).pMethods = ptr::null();
        let mount = mount(vfs);
        Rc::increment_strong_count(ptr::from_ref(mount));
        let mount = Rc::from_raw(ptr::from_ref(mount));
        match mount.open((!name.is_null()).then(|| text(name)), flags) {
            Ok(handle) => {
                let handle = Box::into_raw(Box::new(handle));
                ptr::write(file.cast(), SqliteFile { base: sqlite3_file { pMethods: &raw const METHODS }, handle });
            }
            Err(_) => return ffi::SQLITE_CANTOPEN,
        }
        if !out.is_null() {
            *out = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: the handle came from `x_open`; nobody uses it after this.
    unsafe {
        drop(Box::from_raw((*file.cast::<SqliteFile>()).handle));
        (*file).pMethods = ptr::null();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_read(file: *mut sqlite3_file, to: *mut c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives a buffer of `n` bytes.
    let (handle, buffer) = unsafe { (handle(file), std::slice::from_raw_parts_mut(to.cast::<u8>(), size(n))) };
    done(handle.read(buffer, size(at)))
}

unsafe extern "C" fn x_write(file: *mut sqlite3_file, from: *const c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives a buffer of `n` bytes.
    let (handle, data) = unsafe { (handle(file), std::slice::from_raw_parts(from.cast::<u8>(), size(n))) };
    done(handle.io(ffi::SQLITE_IOERR_WRITE, |disk, id| disk.write(id, size(at), data)))
}

unsafe extern "C" fn x_truncate(file: *mut sqlite3_file, len: i64) -> c_int {
    // SAFETY: SQLite calls with a file of ours.
    let handle = unsafe { handle(file) };
    done(handle.io(ffi::SQLITE_IOERR_TRUNCATE, |disk, id| disk.truncate(id, size(len))))
}

unsafe extern "C" fn x_sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: as above.
    let handle = unsafe { handle(file) };
    done(handle.io(ffi::SQLITE_IOERR_FSYNC, Disk::sync))
}

unsafe extern "C" fn x_file_size(file: *mut sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: as above.
    let handle = unsafe { handle(file) };
    match handle.io(ffi::SQLITE_IOERR_FSTAT, Disk::len) {
        Ok(len) => {
            // SAFETY: SQLite gives a place for the number.
            unsafe { *out = i64::try_from(len).expect("files are small") };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn x_lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { handle(file) }.lock(level)
}

unsafe extern "C" fn x_unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { handle(file) }.unlock(level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: as above; SQLite gives a place for the number.
    unsafe { *out = c_int::from(handle(file).is_reserved()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_file_control(_: *mut sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn x_sector_size(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as above.
    c_int::try_from(unsafe { handle(file) }.mount.disk.sector()).expect("sectors are small")
}

/// Only what real disks keep: bytes beside those that are written are not disturbed.
unsafe extern "C" fn x_device_characteristics(_: *mut sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn x_shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: as above; regions do not move while the index lives, and SQLite gives a place for the pointer.
    unsafe {
        match handle(file).region(size(region), size(bytes), extend != 0) {
            Ok(region) => {
                *out = region;
                ffi::SQLITE_OK
            }
            Err(code) => code,
        }
    }
}

unsafe extern "C" fn x_shm_lock(file: *mut sqlite3_file, first: c_int, n: c_int, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { handle(file) }.lock_index(size(first)..size(first + n), flags)
}

unsafe extern "C" fn x_shm_barrier(_: *mut sqlite3_file) {
    std::sync::atomic::fence(Ordering::SeqCst);
}

unsafe extern "C" fn x_shm_unmap(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { handle(file) }.leave_index();
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: a VFS of ours and a name.
    let (mount, name) = unsafe { (mount(vfs), text(name)) };
    match mount.disk.delete(name, sync != 0) {
        Ok(()) => ffi::SQLITE_OK,
        Err(Failure::NotFound) => ffi::SQLITE_IOERR_DELETE_NOENT,
        Err(failure) => code(failure, ffi::SQLITE_IOERR_DELETE),
    }
}

unsafe extern "C" fn x_access(vfs: *mut sqlite3_vfs, name: *const c_char, _: c_int, out: *mut c_int) -> c_int {
    // SAFETY: a VFS of ours, a name, and a place for the number.
    unsafe {
        match mount(vfs).disk.exists(text(name)) {
            Ok(exists) => {
                *out = c_int::from(exists);
                ffi::SQLITE_OK
            }
            Err(_) => ffi::SQLITE_IOERR_ACCESS,
        }
    }
}

/// There is one folder: every name is whole already.
unsafe extern "C" fn x_full_pathname(_: *mut sqlite3_vfs, name: *const c_char, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: a name, and `room` bytes to copy it to.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if bytes.len() > size(room) {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_randomness(vfs: *mut sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    // SAFETY: a VFS of ours, and room for `n` bytes.
    let (mount, bytes) = unsafe { (mount(vfs), std::slice::from_raw_parts_mut(out.cast::<u8>(), size(n))) };
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&mount.disk.entropy().to_le_bytes()[..chunk.len()]);
    }
    n
}

/// Nobody else can run while SQLite waits, so waiting is over at once.
unsafe extern "C" fn x_sleep(_: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

/// 1970-01-01, in milliseconds of the Julian day: `datetime('now')` says nothing of the host.
const EPOCH_JULIAN_MS: i64 = 210_866_760_000_000;

unsafe extern "C" fn x_current_time_int64(_: *mut sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: a place for the number.
    unsafe { *out = EPOCH_JULIAN_MS };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_current_time(_: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: a place for the number.
    unsafe { *out = 2_440_587.5 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn x_get_last_error(_: *mut sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}
