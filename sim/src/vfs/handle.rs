//! An open file: locks, the shared index of the WAL, and what is done with its content. Nothing here is unsafe.

use crate::disk::{Disk, Failure, FileId, Life};
use rusqlite::ffi;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::rc::Rc;

/// A disk as SQLite sees it.
pub(super) struct Mount {
    pub(super) disk: Disk,
    /// The life in which `locks` were taken.
    life: Cell<Life>,
    locks: RefCell<BTreeMap<FileId, Locks>>,
    open: Cell<u64>,
    handles: Cell<u64>,
}

/// Locks of one file, by handle.
#[derive(Default)]
struct Locks {
    shared: BTreeSet<u64>,
    reserved: Option<u64>,
    pending: Option<u64>,
    exclusive: Option<u64>,
    index: Option<Rc<RefCell<Index>>>,
}

/// The WAL's shared index.
#[derive(Default)]
struct Index {
    regions: Vec<Box<[u64]>>,
    shared: [u32; 8],
    exclusive: [bool; 8],
    users: u32,
}

/// An open file.
pub(super) struct Handle {
    pub(super) mount: Rc<Mount>,
    file: FileId,
    life: Life,
    id: u64,
    delete_on_close: Option<String>,
    index: Option<Rc<RefCell<Index>>>,
    /// Slots of the index that this handle holds, as bits.
    shared: u8,
    exclusive: u8,
}

/// SQLite's word for a failure; `otherwise` for the device's own.
pub(super) fn code(failure: Failure, otherwise: c_int) -> c_int {
    match failure {
        Failure::Enospc => ffi::SQLITE_FULL,
        Failure::NotFound => ffi::SQLITE_CANTOPEN,
        Failure::Eio | Failure::Dead => otherwise,
    }
}

impl Mount {
    pub(super) fn new(disk: &Disk) -> Mount {
        Mount {
            disk: disk.clone(),
            life: Cell::new(disk.life()),
            locks: RefCell::default(),
            open: Cell::new(0),
            handles: Cell::new(0),
        }
    }

    /// No file is open.
    pub(super) fn is_quiet(&self) -> bool {
        self.open.get() == 0
    }

    /// What a file is locked by, in this life.
    fn with_locks<T>(&self, file: FileId, what: impl FnOnce(&mut Locks) -> T) -> T {
        let mut locks = self.locks.borrow_mut();
        if self.life.replace(self.disk.life()) != self.disk.life() {
            locks.clear();
        }
        what(locks.entry(file).or_default())
    }

    pub(super) fn open(self: &Rc<Mount>, name: Option<&str>, flags: c_int) -> Result<Handle, Failure> {
        let is_log =
            flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL) != 0;
        let file = match name {
            Some(name) => self.disk.open(name, flags & ffi::SQLITE_OPEN_CREATE != 0, is_log)?,
            None => self.disk.anonymous(),
        };
        self.open.set(self.open.get() + 1);
        self.handles.set(self.handles.get() + 1);
        let delete = flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
        Ok(Handle {
            mount: self.clone(),
            file,
            life: self.disk.life(),
            id: self.handles.get(),
            delete_on_close: name.filter(|_| delete).map(str::to_owned),
            index: None,
            shared: 0,
            exclusive: 0,
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.leave_index();
        self.unlock(ffi::SQLITE_LOCK_NONE);
        self.mount.open.set(self.mount.open.get() - 1);
        if let (Some(name), true) = (&self.delete_on_close, self.lives()) {
            // A temporary file that stays behind is nobody's loss.
            let _ = self.mount.disk.delete(name, false);
        }
    }
}

impl Handle {
    /// The process that opened it is alive.
    fn lives(&self) -> bool {
        self.life == self.mount.disk.life() && !self.mount.disk.is_frozen()
    }

    pub(super) fn io<T>(
        &self,
        otherwise: c_int,
        what: impl FnOnce(&Disk, FileId) -> Result<T, Failure>,
    ) -> Result<T, c_int> {
        if !self.lives() {
            return Err(otherwise);
        }
        what(&self.mount.disk, self.file).map_err(|failure| code(failure, otherwise))
    }

    /// Fills the buffer; beyond the end of the file with zeros, which SQLite has to be told. As on a real system, a read
    /// that got only a part is not the end: it is asked again.
    pub(super) fn read(&self, buffer: &mut [u8], at: usize) -> Result<(), c_int> {
        let mut got = 0;
        while got < buffer.len() {
            match self.io(ffi::SQLITE_IOERR_READ, |disk, id| disk.read(id, at + got, &mut buffer[got..]))? {
                0 => {
                    buffer[got..].fill(0);
                    return Err(ffi::SQLITE_IOERR_SHORT_READ);
                }
                n => got += n,
            }
        }
        Ok(())
    }

    pub(super) fn lock(&self, level: c_int) -> c_int {
        if !self.lives() {
            return ffi::SQLITE_IOERR_LOCK;
        }
        let others = |holder: Option<u64>| holder.is_some_and(|id| id != self.id);
        self.mount.with_locks(self.file, |locks| {
            let taken = others(locks.exclusive) || others(locks.pending);
            if level == ffi::SQLITE_LOCK_SHARED {
                if taken {
                    return ffi::SQLITE_BUSY;
                }
                locks.shared.insert(self.id);
                return ffi::SQLITE_OK;
            }
            if taken || others(locks.reserved) {
                return ffi::SQLITE_BUSY;
            }
            if level == ffi::SQLITE_LOCK_RESERVED {
                locks.reserved = Some(self.id);
                return ffi::SQLITE_OK;
            }
            locks.pending = Some(self.id);
            if level == ffi::SQLITE_LOCK_EXCLUSIVE {
                if locks.shared.iter().any(|id| *id != self.id) {
                    return ffi::SQLITE_BUSY;
                }
                locks.exclusive = Some(self.id);
            }
            ffi::SQLITE_OK
        })
    }

    pub(super) fn unlock(&self, level: c_int) {
        if self.life != self.mount.disk.life() {
            return;
        }
        self.mount.with_locks(self.file, |locks| {
            for holder in [&mut locks.reserved, &mut locks.pending, &mut locks.exclusive] {
                if *holder == Some(self.id) {
                    *holder = None;
                }
            }
            if level == ffi::SQLITE_LOCK_NONE {
                locks.shared.remove(&self.id);
            }
        });
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.mount.with_locks(self.file, |l| l.reserved.or(l.pending).or(l.exclusive).is_some())
    }

    /// A region of the index, made if `extend`; null when it is not there.
    pub(super) fn region(&mut self, number: usize, bytes: usize, extend: bool) -> Result<*mut c_void, c_int> {
        if !self.lives() {
            return Err(ffi::SQLITE_IOERR_SHMMAP);
        }
        let index = self.index.get_or_insert_with(|| {
            let index = self.mount.with_locks(self.file, |locks| locks.index.get_or_insert_default().clone());
            index.borrow_mut().users += 1;
            index
        });
        let mut index = index.borrow_mut();
        while index.regions.len() <= number {
            if !extend {
                return Ok(ptr::null_mut());
            }
            index.regions.push(vec![0; bytes / 8].into_boxed_slice());
        }
        Ok(index.regions[number].as_mut_ptr().cast())
    }

    pub(super) fn lock_index(&mut self, slots: std::ops::Range<usize>, flags: c_int) -> c_int {
        let unlock = flags & ffi::SQLITE_SHM_UNLOCK != 0;
        let Some(index) = self.index.clone().filter(|_| self.lives()) else {
            return if unlock { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHMLOCK };
        };
        let mut index = index.borrow_mut();
        if unlock {
            slots.for_each(|slot| self.release(&mut index, slot));
            return ffi::SQLITE_OK;
        }
        let share = flags & ffi::SQLITE_SHM_SHARED != 0;
        let taken = |slot: usize| {
            let bit = 1 << slot;
            let by_writer = index.exclusive[slot] && self.exclusive & bit == 0;
            let by_reader = index.shared[slot] > u32::from(self.shared & bit != 0);
            by_writer || (!share && by_reader)
        };
        if slots.clone().any(taken) {
            return ffi::SQLITE_BUSY;
        }
        for slot in slots {
            let bit = 1 << slot;
            if share && self.shared & bit == 0 {
                self.shared |= bit;
                index.shared[slot] += 1;
            } else if !share {
                self.exclusive |= bit;
                index.exclusive[slot] = true;
            }
        }
        ffi::SQLITE_OK
    }

    fn release(&mut self, index: &mut Index, slot: usize) {
        let bit = 1 << slot;
        if self.shared & bit != 0 {
            index.shared[slot] -= 1;
        }
        if self.exclusive & bit != 0 {
            index.exclusive[slot] = false;
        }
        self.shared &= !bit;
        self.exclusive &= !bit;
    }

    pub(super) fn leave_index(&mut self) {
        let Some(index) = self.index.take() else { return };
        (0..8).for_each(|slot| self.release(&mut index.borrow_mut(), slot));
        index.borrow_mut().users -= 1;
        if index.borrow().users == 0 && self.life == self.mount.disk.life() {
            self.mount.with_locks(self.file, |locks| locks.index = None);
        }
    }
}
