//! A simulated disk: what processes see is one thing, what a power loss leaves is another.
//!
//! A write goes to the cache and waits there; a sync moves a file's waiting writes to the platter. Names are durable only
//! once their folder was synced. [`Disk::power_loss`] keeps of what waits whatever the caller says: nothing, a prefix, any
//! sectors in any order, or exactly the writes of a mask. There is one folder, and no process: who writes is [`crate::vfs`].
//!
//! A crash takes three steps, in this order: [`Disk::freeze`] (the dying process can't tidy up), drop whatever it had open,
//! then [`Disk::kill`] or [`Disk::power_loss`]. Handles of before stay dead: their [`Life`] is over.

mod loss;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Names a file for as long as the disk exists, also after its name was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(usize);

/// Which run of the machine or process a handle belongs to; each crash begins another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life(u32);

/// What is done to the disk. Reads change nothing, so they are no place to cut at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Of a file's content.
    Read,
    /// Of a file's content.
    Write,
    /// Of a file, and of the folder where a file that needs it is new.
    Sync,
    /// Also to a greater length.
    Truncate,
    /// Of a name.
    Create,
    /// Of a name.
    Delete,
}

/// What a disk may do instead of what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It fails, and nothing has happened.
    Eio,
    /// The same, for lack of room.
    Enospc,
    /// A sync fails, and what it was to sync counts as written all the same: the next sync succeeds without it.
    SyncDropsWrites,
    /// A read gets only the first half, as POSIX allows: who wants the rest asks again.
    ShortRead,
}

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The process or the machine is dead.
    Dead,
    /// The device failed.
    Eio,
    /// No room.
    Enospc,
    /// No such name.
    NotFound,
}

/// What a power loss leaves of the writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Survivors {
    /// None of them.
    Nothing,
    /// The first ones, as many as chance will; the next one torn at a sector.
    Prefix,
    /// Each sector with this probability, whatever was written before or after it; with `torn`, some of them in part.
    Sectors {
        /// 0 to 1.
        keep: f64,
        /// A surviving sector may be cut at any byte.
        torn: bool,
    },
    /// Exactly these of [`Disk::waiting`], by their place in the order of writing; names too.
    Exactly(u64),
    /// The first so many of [`Disk::waiting`], whole.
    First(usize),
}

/// Sizes of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Bytes that are written together.
    pub sector: usize,
    /// Bytes in all files together, if there is a limit.
    pub capacity: Option<u64>,
}

impl Profile {
    /// Sectors of 512 bytes, as older drives have.
    pub const SMALL_SECTORS: Profile = Profile { sector: 512, capacity: None };
    /// Sectors of 4 KiB, as newer ones have.
    pub const LARGE_SECTORS: Profile = Profile { sector: 4_096, capacity: None };
}

/// Counts since the disk was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Writes.
    pub writes: u64,
    /// Syncs that were asked for.
    pub syncs: u64,
    /// Sectors, writes and names that a power loss took.
    pub lost: u64,
    /// Those that it left although nobody had synced them.
    pub kept: u64,
    /// Faults that struck.
    pub faults: u64,
}

#[derive(Debug, Clone)]
enum Waiting {
    Write { at: usize, data: Box<[u8]> },
    Truncate(usize),
}

#[derive(Clone, Default)]
struct File {
    cache: Vec<u8>,
    platter: Vec<u8>,
    waiting: Vec<(u64, Waiting)>,
    /// Its first sync syncs the folder too, as SQLite does for its logs.
    folder_sync_due: bool,
}

#[derive(Clone)]
enum Rename {
    Create(String, FileId),
    Delete(String),
}

struct State {
    profile: Profile,
    rng: fastrand::Rng,
    files: Vec<File>,
    names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    renames: VecDeque<(u64, Rename)>,
    life: Life,
    frozen: bool,
    /// Operations that change something, since the disk was made.
    ops: u64,
    /// The operation at which everything stops.
    cut_at: Option<u64>,
    /// It says that it synced, and did not.
    lies: bool,
    fault: Option<FaultPlan>,
    watcher: Option<Watcher>,
    counts: Counts,
    digest: u64,
}

/// Says for each operation (what, on which file, the how manyth that changes something) whether it fails.
pub type FaultPlan = Box<dyn FnMut(Op, &str, u64) -> Option<Fault>>;

/// Is told of each operation that changes something, before it happens: what, what a power loss could take once it has, and
/// the digest up to it. True cuts it: it has happened, and nobody is told.
pub type Watcher = Box<dyn FnMut(Op, usize, u64) -> bool>;

/// A disk; clones are the same one.
#[derive(Clone)]
pub struct Disk(Rc<RefCell<State>>);

type Result<T> = std::result::Result<T, Failure>;

impl Disk {
    /// An empty disk. Whatever chance decides follows from the seed.
    pub fn new(seed: u64, profile: Profile) -> Disk {
        Disk(Rc::new(RefCell::new(State {
            profile,
            rng: fastrand::Rng::with_seed(seed),
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            renames: VecDeque::new(),
            life: Life(0),
            frozen: false,
            ops: 0,
            cut_at: None,
            lies: false,
            fault: None,
            watcher: None,
            counts: Counts::default(),
            digest: 0xcbf2_9ce4_8422_2325,
        })))
    }

    // ------------------------------------------------------------------------------------------ crashes and faults

    /// From now on everything fails: whoever has files open is dead.
    pub fn freeze(&self) {
        self.0.borrow_mut().frozen = true;
    }

    /// The process died: what it wrote is in the cache, and will be written. Another one may come.
    pub fn kill(&self) {
        self.0.borrow_mut().next_life();
    }

    /// The machine lost power and comes back: the cache is gone, and of what waited in it `survivors` are on the platter.
    pub fn power_loss(&self, survivors: Survivors) {
        let mut state = self.0.borrow_mut();
        state.lose(survivors);
        state.next_life();
    }

    /// Everything stops at the operation of this number (see [`Disk::ops`]): it happens, in part or not, and nobody is told.
    pub fn cut_at(&self, op: Option<u64>) {
        self.0.borrow_mut().cut_at = op;
    }

    /// It was cut, or frozen, and nothing has come after.
    pub fn is_frozen(&self) -> bool {
        self.0.borrow().frozen
    }

    /// Faults from now on.
    pub fn set_faults(&self, plan: Option<FaultPlan>) {
        self.0.borrow_mut().fault = plan;
    }

    /// Whether any fault is planned.
    pub fn has_faults(&self) -> bool {
        self.0.borrow().fault.is_some()
    }

    /// Who watches from now on.
    pub fn set_watcher(&self, watcher: Option<Watcher>) {
        self.0.borrow_mut().watcher = watcher;
    }

    /// Whether it only says that it synced.
    pub fn set_lies(&self, lies: bool) {
        self.0.borrow_mut().lies = lies;
    }

    /// Room for this many bytes from now on.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.borrow_mut().profile.capacity = bytes;
    }

    // ------------------------------------------------------------------------------------------ looking at it

    /// Another disk that is as this one is now, with nobody who watches and nothing planned: to see what would become of it.
    pub fn copy(&self) -> Disk {
        let state = self.0.borrow();
        Disk(Rc::new(RefCell::new(State {
            rng: state.rng.clone(),
            files: state.files.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            renames: state.renames.clone(),
            cut_at: None,
            fault: None,
            watcher: None,
            ..*state
        })))
    }

    /// Operations so far that change something: a cut at `ops() + 1` strikes the next one.
    pub fn ops(&self) -> u64 {
        self.0.borrow().ops
    }

    /// Writes, truncations and names that a power loss could take, now.
    pub fn waiting(&self) -> usize {
        self.0.borrow().waiting()
    }

    /// Counts so far.
    pub fn counts(&self) -> Counts {
        self.0.borrow().counts
    }

    /// Over everything that was done to it: two runs with the same digest did the same.
    pub fn digest(&self) -> u64 {
        self.0.borrow().digest
    }

    /// Which life it is.
    pub fn life(&self) -> Life {
        self.0.borrow().life
    }

    /// Bytes in all files together.
    pub fn used(&self) -> u64 {
        self.0.borrow().used()
    }

    /// Bytes that may still be written, where there is a limit.
    pub fn free(&self) -> Option<u64> {
        let state = self.0.borrow();
        state.profile.capacity.map(|capacity| capacity.saturating_sub(state.used()))
    }

    /// Bytes that are written together.
    pub fn sector(&self) -> usize {
        self.0.borrow().profile.sector
    }

    /// Bits by chance.
    pub fn entropy(&self) -> u64 {
        self.0.borrow_mut().rng.u64(..)
    }

    // ------------------------------------------------------------------------------------------ files

    /// The file of this name, made if `create`. With `log` its first sync makes its name durable too.
    ///
    /// # Errors
    /// [`Failure::NotFound`], or what the device says.
    pub fn open(&self, name: &str, create: bool, log: bool) -> Result<FileId> {
        let mut state = self.0.borrow_mut();
        if state.frozen {
            return Err(Failure::Dead);
        }
        if let Some(id) = state.names.get(name) {
            return Ok(*id);
        }
        if !create {
            return Err(Failure::NotFound);
        }
        let id = FileId(state.files.len());
        let cut = state.begin(Op::Create, name, id, 0, &[])?.cut;
        let number = state.ops;
        state.files.push(File { folder_sync_due: log, ..File::default() });
        state.names.insert(name.to_owned(), id);
        state.renames.push_back((number, Rename::Create(name.to_owned(), id)));
        if cut { Err(Failure::Dead) } else { Ok(id) }
    }

    /// A file without a name, which no crash survives.
    pub fn anonymous(&self) -> FileId {
        let mut state = self.0.borrow_mut();
        state.files.push(File::default());
        FileId(state.files.len() - 1)
    }

    /// Removes a name, and makes that durable if `sync`.
    ///
    /// # Errors
    /// [`Failure::NotFound`], or what the device says.
    pub fn delete(&self, name: &str, sync: bool) -> Result<()> {
        let mut state = self.0.borrow_mut();
        let Some(id) = state.names.get(name).copied() else {
            return Err(if state.frozen { Failure::Dead } else { Failure::NotFound });
        };
        let cut = state.begin(Op::Delete, name, id, 0, &[])?.cut;
        let number = state.ops;
        state.names.remove(name);
        state.renames.push_back((number, Rename::Delete(name.to_owned())));
        if cut {
            return Err(Failure::Dead);
        }
        if sync && !state.lies {
            state.sync_folder();
        }
        Ok(())
    }

    /// Whether there is a file of this name with anything in it.
    ///
    /// # Errors
    /// [`Failure::Dead`].
    pub fn exists(&self, name: &str) -> Result<bool> {
        let state = self.0.borrow();
        if state.frozen {
            return Err(Failure::Dead);
        }
        Ok(state.names.get(name).is_some_and(|id| !state.files[id.0].cache.is_empty()))
    }

    /// Bytes in the file.
    ///
    /// # Errors
    /// [`Failure::Dead`].
    pub fn len(&self, id: FileId) -> Result<usize> {
        let state = self.0.borrow();
        if state.frozen { Err(Failure::Dead) } else { Ok(state.files[id.0].cache.len()) }
    }

    /// Reads, and returns how many bytes were there.
    ///
    /// # Errors
    /// What the device says.
    pub fn read(&self, id: FileId, at: usize, buffer: &mut [u8]) -> Result<usize> {
        let mut state = self.0.borrow_mut();
        let short = state.begin(Op::Read, "", id, at, &[])?.short;
        let cache = &state.files[id.0].cache;
        let there = cache.len().saturating_sub(at).min(buffer.len());
        let n = if short { there.div_ceil(2) } else { there };
        buffer[..n].copy_from_slice(&cache[at.min(cache.len())..][..n]);
        Ok(n)
    }

    /// Writes into the cache.
    ///
    /// # Errors
    /// What the device says; then nothing was written.
    pub fn write(&self, id: FileId, at: usize, data: &[u8]) -> Result<()> {
        let mut state = self.0.borrow_mut();
        let end = at + data.len();
        let growth = end.saturating_sub(state.files[id.0].cache.len()) as u64;
        let full = state.profile.capacity.is_some_and(|capacity| growth > 0 && state.used() + growth > capacity);
        if full && !state.frozen {
            return Err(Failure::Enospc);
        }
        let cut = state.begin(Op::Write, "", id, at, data)?.cut;
        state.counts.writes += 1;
        let number = state.ops;
        let file = &mut state.files[id.0];
        put(&mut file.cache, at, data);
        file.waiting.push((number, Waiting::Write { at, data: data.into() }));
        if cut { Err(Failure::Dead) } else { Ok(()) }
    }

    /// Sets the file's length.
    ///
    /// # Errors
    /// What the device says.
    pub fn truncate(&self, id: FileId, len: usize) -> Result<()> {
        let mut state = self.0.borrow_mut();
        let cut = state.begin(Op::Truncate, "", id, len, &[])?.cut;
        let number = state.ops;
        let file = &mut state.files[id.0];
        file.cache.resize(len, 0);
        file.waiting.push((number, Waiting::Truncate(len)));
        if cut { Err(Failure::Dead) } else { Ok(()) }
    }

    /// Moves what waits of a file to the platter.
    ///
    /// # Errors
    /// What the device says; whether anything was moved is then unknown to the caller.
    pub fn sync(&self, id: FileId) -> Result<()> {
        let mut state = self.0.borrow_mut();
        let begun = state.begin(Op::Sync, "", id, 0, &[])?;
        state.counts.syncs += 1;
        // Cut before or after it took effect: both happen. Who watches it means after.
        if begun.cut && !begun.watched && state.rng.bool() {
            return Err(Failure::Dead);
        }
        if !state.lies {
            let file = &mut state.files[id.0];
            for (_, waiting) in std::mem::take(&mut file.waiting) {
                apply(&mut file.platter, &waiting);
            }
            if std::mem::take(&mut file.folder_sync_due) {
                state.sync_folder();
            }
        }
        if begun.cut { Err(Failure::Dead) } else { Ok(()) }
    }
}

/// What is to become of an operation that may happen.
struct Begun {
    cut: bool,
    /// It was cut by who watches.
    watched: bool,
    short: bool,
}

impl State {
    fn used(&self) -> u64 {
        self.names.values().map(|id| self.files[id.0].cache.len() as u64).sum()
    }

    fn begin(&mut self, op: Op, name: &str, id: FileId, at: usize, data: &[u8]) -> Result<Begun> {
        if self.frozen {
            return Err(Failure::Dead);
        }
        if op != Op::Read {
            self.ops += 1;
        }
        self.mix(op, id, at, data);
        let name = if name.is_empty() { self.name_of(id) } else { name.to_owned() };
        let ops = self.ops;
        let fault = self.fault.as_mut().and_then(|plan| plan(op, &name, ops));
        self.counts.faults += u64::from(fault.is_some());
        match fault {
            Some(Fault::Eio) => return Err(Failure::Eio),
            Some(Fault::Enospc) => return Err(Failure::Enospc),
            Some(Fault::SyncDropsWrites) if op == Op::Sync => {
                self.files[id.0].waiting.clear();
                return Err(Failure::Eio);
            }
            Some(Fault::ShortRead) if op == Op::Read => return Ok(Begun { cut: false, watched: false, short: true }),
            Some(Fault::SyncDropsWrites | Fault::ShortRead) | None => {}
        }
        let watched = op != Op::Read && self.watch(op, id);
        let cut = watched || (op != Op::Read && self.cut_at == Some(self.ops));
        self.frozen |= cut;
        Ok(Begun { cut, watched, short: false })
    }

    /// Whether who watches cuts this operation.
    fn watch(&mut self, op: Op, id: FileId) -> bool {
        let then_waiting = match op {
            Op::Read => self.waiting(),
            Op::Write | Op::Truncate | Op::Create | Op::Delete => self.waiting() + 1,
            Op::Sync if self.lies => self.waiting(),
            Op::Sync => {
                let file = &self.files[id.0];
                self.waiting() - file.waiting.len() - if file.folder_sync_due { self.renames.len() } else { 0 }
            }
        };
        let digest = self.digest;
        self.watcher.as_mut().is_some_and(|watcher| watcher(op, then_waiting, digest))
    }

    fn waiting(&self) -> usize {
        self.files.iter().map(|file| file.waiting.len()).sum::<usize>() + self.renames.len()
    }

    fn name_of(&self, id: FileId) -> String {
        let named = self.names.iter().find(|(_, other)| **other == id);
        named.map_or_else(String::new, |(name, _)| name.clone())
    }

    fn sync_folder(&mut self) {
        self.renames.clear();
        self.durable_names = self.names.clone();
    }

    fn next_life(&mut self) {
        self.life.0 += 1;
        self.frozen = false;
        self.cut_at = None;
    }

    /// Order matters, and so does every byte.
    fn mix(&mut self, op: Op, id: FileId, at: usize, data: &[u8]) {
        let mut digest = self.digest;
        let mut add = |word: u64| digest = (digest ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        for word in [op as u64, id.0 as u64, at as u64, data.len() as u64] {
            add(word);
        }
        for chunk in data.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            add(u64::from_le_bytes(word));
        }
        self.digest = digest;
    }
}

fn apply(content: &mut Vec<u8>, waiting: &Waiting) {
    match waiting {
        Waiting::Write { at, data } => put(content, *at, data),
        Waiting::Truncate(len) => content.resize(*len, 0),
    }
}

fn put(content: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at + data.len();
    if data.is_empty() {
        return;
    }
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(data);
}

#[cfg(test)]
mod tests;
