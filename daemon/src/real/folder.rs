//! An attempt's folder: what lies in it, and what can be read from it. It is the one thing that the daemon, the shim, and
//! a later daemon share.
//!
//! | name | written by | meaning |
//! | --- | --- | --- |
//! | `spec.json`, `prompt` | daemon | what to run |
//! | `lock` | shim | locked as long as the shim lives; says who it is, before it is ready; then, before the task's first instruction, that it was told to go. Never synced, so its silence speaks for this boot only |
//! | `stdout.log`, `stderr.log`, `.1` | shim | output, if any |
//! | `progress`, `artifacts/`, `work/` | task | |
//! | `receipt.json` | shim | how it ended; there completely or not at all, durable |
//! | `shim.log` | shim | its own troubles |
//!
//! Few files, because making one costs a task that does nothing more than anything else: on ext4 milliseconds, when many
//! were deleted in the last minutes.

use crate::attempt::{Identity, Receipt};
use crate::id::AttemptKey;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(super) const SPEC: &str = "spec.json";
pub(super) const PROMPT: &str = "prompt";
pub(super) const PROGRESS: &str = "progress";
pub(super) const ARTIFACTS: &str = "artifacts";
pub(super) const WORK: &str = "work";
pub(super) const SHIM_LOG: &str = "shim.log";
const LOCK: &str = "lock";
/// The line in the lock file that comes before the task.
const GO: &str = "go";
const RECEIPT: &str = "receipt.json";
const RECEIPT_NEW: &str = "receipt.tmp";

/// Bytes reserved for the receipt before the task starts. Its only text of free length, the reason why a program could not
/// be started, is cut to a quarter of it.
const RECEIPT_BYTES: u64 = 4096;

/// What a shim leaves about itself, and says when it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShimRecord {
    /// Who it is.
    pub(super) identity: Identity,
    /// The cgroup that its task starts in, if there is one.
    pub(super) cgroup: Option<PathBuf>,
}

/// Whether a receipt can be believed.
pub(super) enum ReceiptState {
    /// There is none.
    Missing,
    /// There is a file, but it is no receipt of this attempt; why.
    Unusable(String),
    /// How it ended.
    There(Box<Receipt>),
}

/// Makes a file that must not be there yet.
pub(super) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

/// The lock, held for as long as this lives.
pub(super) struct Lock(File);

impl Lock {
    /// Takes it. Waits: an observer may be holding it for a moment.
    pub(super) fn take(folder: &Path) -> io::Result<Lock> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(folder.join(LOCK))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(Lock(file))
    }

    /// Says who holds it.
    pub(super) fn record(&mut self, record: &ShimRecord) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.0.set_len(0)?;
        self.0.write_all(&line)
    }

    /// Says that the task may have run from now on.
    pub(super) fn record_go(&mut self) -> io::Result<()> {
        self.0.write_all(format!("{GO}\n").as_bytes())
    }
}

/// Whether a shim holds the lock.
pub(super) fn is_locked(folder: &Path) -> bool {
    // Shared, so that two observers don't mistake each other for a shim.
    File::open(folder.join(LOCK))
        .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK))
}

/// The shim's record, if it came to leave one.
pub(super) fn read_record(folder: &Path) -> Option<ShimRecord> {
    let text = fs::read_to_string(folder.join(LOCK)).ok()?;
    serde_json::from_str(text.lines().next()?).ok()
}

/// Whether the task may have run, as far as this boot can tell.
pub(super) fn was_told_to_go(folder: &Path) -> bool {
    fs::read_to_string(folder.join(LOCK)).is_ok_and(|text| text.lines().skip(1).any(|line| line == GO))
}

/// The receipt in `folder`, checked against the attempt and, where it can be read, its spec.
pub(super) fn read_receipt(folder: &Path, key: AttemptKey) -> ReceiptState {
    #[derive(Deserialize)]
    struct Nonce {
        nonce: String,
    }
    let bytes = match fs::read(folder.join(RECEIPT)) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return ReceiptState::Missing;
        }
        Err(e) => return ReceiptState::Unusable(format!("receipt.json can't be read: {e}")),
    };
    let receipt: Receipt = match serde_json::from_slice(&bytes) {
        Ok(receipt) => receipt,
        Err(e) => return ReceiptState::Unusable(format!("receipt.json is no receipt ({} bytes): {e}", bytes.len())),
    };
    if receipt.key != key {
        return ReceiptState::Unusable(format!("receipt.json is of attempt {}", receipt.key));
    }
    let spec: Option<Nonce> = fs::read(folder.join(SPEC)).ok().and_then(|b| serde_json::from_slice(&b).ok());
    match spec {
        Some(spec) if spec.nonce != receipt.nonce => {
            ReceiptState::Unusable("receipt.json belongs to another start of this attempt".to_owned())
        }
        Some(_) | None => ReceiptState::There(Box::new(receipt)),
    }
}

/// The place of a receipt, reserved before there is anything to write, so that a full disk can't swallow an outcome.
pub(super) struct ReceiptSlot {
    folder: PathBuf,
    file: File,
}

impl ReceiptSlot {
    /// Reserves it.
    pub(super) fn reserve(folder: &Path) -> io::Result<ReceiptSlot> {
        let path = folder.join(RECEIPT_NEW);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, RECEIPT_BYTES) {
            // A file system that can't reserve: what was written now can be written over later.
            Err(rustix::io::Errno::OPNOTSUPP) => file.write_all_at(&[b' '; RECEIPT_BYTES as usize], 0)?,
            other => other?,
        }
        Ok(ReceiptSlot { folder: folder.to_owned(), file })
    }

    /// Writes the receipt and makes it durable; see [`sync_entry`] for the folder's own entry. Can be called again after an
    /// error. [`io::ErrorKind::NotFound`] only where there is no place for it any more.
    pub(super) fn fill(&mut self, receipt: &Receipt) -> io::Result<()> {
        let bytes = serde_json::to_vec(receipt)?;
        self.try_fill(&bytes).or_else(|_| {
            // The folder is within the task's reach: whatever it did there must not cost the outcome.
            self.clear_the_way();
            self.try_fill(&bytes)
        })
    }

    fn try_fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        // By an earlier try of ours, or by the task: then there is nothing in it yet.
        let is_placed = self.is_at(RECEIPT);
        if !is_placed && !self.is_at(RECEIPT_NEW) {
            self.restore()?;
        }
        self.file.write_all_at(bytes, 0)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()?;
        if !is_placed {
            fs::rename(self.folder.join(RECEIPT_NEW), self.folder.join(RECEIPT)).map_err(not_gone)?;
        }
        File::open(&self.folder).map_err(not_gone)?.sync_all()
    }

    /// Whether our file is under this name.
    fn is_at(&self, name: &str) -> bool {
        let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let there = fs::symlink_metadata(self.folder.join(name)).map(number);
        there.is_ok_and(|there| self.file.metadata().map(number).is_ok_and(|own| own == there))
    }

    /// Reserves it anew, after somebody removed the file or put it elsewhere, the folder too.
    fn restore(&mut self) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            Ok(()) | Err(_) => {}
        }
        let _ = fs::remove_file(self.folder.join(RECEIPT_NEW));
        *self = ReceiptSlot::reserve(&self.folder).map_err(not_gone)?;
        sync_entry(&self.folder)
    }

    /// Makes the folder writable, and moves away what is no folder or no file and has to be one.
    fn clear_the_way(&self) {
        make_writable(&self.folder);
        let away = |path: &Path| fs::rename(path, format!("{}.obstacle", path.display()));
        if fs::symlink_metadata(&self.folder).is_ok_and(|there| !there.is_dir()) {
            let _ = away(&self.folder);
        }
        for name in [RECEIPT, RECEIPT_NEW] {
            let path = self.folder.join(name);
            if fs::symlink_metadata(&path).is_ok_and(|there| !there.is_file()) {
                let _ = away(&path);
            }
        }
    }
}

/// Something in the folder is missing; the folder's own place may be there.
fn not_gone(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound { io::Error::other(error) } else { error }
}

/// Undoes what a task may have done to its attempt's folder and to the one it is in.
pub(super) fn make_writable(folder: &Path) {
    for path in folder.parent().into_iter().chain([folder]) {
        let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
    }
}

/// Milliseconds between SIGTERM and SIGKILL that the attempt was started with, where its spec can be read.
pub(super) fn read_grace_ms(folder: &Path) -> Option<u64> {
    #[derive(Deserialize)]
    struct Grace {
        stop_grace_ms: u64,
    }
    let spec = fs::read(folder.join(SPEC)).ok()?;
    serde_json::from_slice(&spec).map(|grace: Grace| grace.stop_grace_ms).ok()
}

/// Cuts the text of a receipt to what is reserved for it.
pub(super) fn cut_reason(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(RECEIPT_BYTES as usize / 16).collect()
}

/// Makes it durable that there is such a folder. What is in it speaks for this boot only, but for the receipt.
pub(super) fn sync_entry(folder: &Path) -> io::Result<()> {
    File::open(folder.join(".."))?.sync_all()
}
