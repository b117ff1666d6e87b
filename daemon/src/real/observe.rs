//! What can be known of an attempt from its folder, its lock, and its shim's identity.
//!
//! The rule behind the table in the body: "not started" is said only where it can be proven, because it is followed by a
//! start; whatever can't be proven is `Vanished`, and is followed by a person or by a kind that may run twice.

use super::folder::{self, ReceiptState};
use super::logfile;
use super::process::{self, Pin};
use crate::attempt::{Identity, Observation};
use crate::id::AttemptKey;
use crate::ports::Stream;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Bytes of the shim's own log in the evidence.
const EVIDENCE_TAIL_BYTES: usize = 400;

/// Looks at attempt `key`, which lies in `live` or, ended, in `archive`.
pub(super) fn observe(
    key: AttemptKey,
    live: &Path,
    archive: &Path,
    recorded: Option<&Identity>,
    boot: &str,
) -> Observation {
    // A shim is looked for before its receipt, because it may write that in between. The record's comes first: the folder is
    // within the task's reach, the record is not, so this shim lives or not whatever became of its lock.
    let lives = |shim: &&Identity| Pin::shim(shim, boot).is_some();
    if let Some(shim) = recorded.filter(lives) {
        return Observation::Alive(shim.clone());
    }
    // Who else holds the lock of an attempt with a shim on record has laid hands on it.
    if recorded.is_none() && folder::is_locked(live) {
        let shim = folder::read_record(live).map(|r| r.identity);
        // As long as it has not said who it is, it has not been told to go either.
        return shim.filter(|shim| lives(&shim)).map_or(Observation::NotStarted, Observation::Alive);
    }
    match folder::read_receipt(live, key) {
        ReceiptState::There(receipt) => Observation::Ended(receipt),
        ReceiptState::Unusable(why) => Observation::Vanished(evidence(live, recorded, boot, &why)),
        ReceiptState::Missing if !live.is_dir() => without_folder(key, archive, recorded, boot),
        ReceiptState::Missing => without_receipt(live, recorded, boot),
    }
}

fn without_folder(key: AttemptKey, archive: &Path, recorded: Option<&Identity>, boot: &str) -> Observation {
    match folder::read_receipt(archive, key) {
        ReceiptState::There(receipt) => Observation::Ended(receipt),
        ReceiptState::Unusable(why) => Observation::Vanished(evidence(archive, recorded, boot, &why)),
        ReceiptState::Missing if archive.is_dir() => {
            Observation::Vanished(evidence(archive, recorded, boot, "archived without a receipt"))
        }
        ReceiptState::Missing => match recorded {
            // Its folder had not reached the disk when the machine went down, but it may have been told to go.
            Some(identity) if identity.boot != boot => {
                Observation::Vanished(format!("no folder; its shim ran in boot {}, this is {boot}", identity.boot))
            }
            Some(_) | None => Observation::Absent,
        },
    }
}

fn without_receipt(live: &Path, recorded: Option<&Identity>, boot: &str) -> Observation {
    let vanished = |why: &str| Observation::Vanished(evidence(live, recorded, boot, why));
    if folder::was_told_to_go(live) {
        return vanished("it was told to go and left no receipt");
    }
    let holder = || folder::read_record(live).map(|r| r.identity);
    match recorded {
        // "Go" is said only after the identity was committed.
        None => Observation::NotStarted,
        // The line is not synced: of another boot, its absence says nothing.
        Some(shim) if shim.boot != boot => vanished("the machine went down, and it may have been told to go"),
        // Within one boot the line comes before the task, in the file that begins with who the shim is.
        Some(shim) if holder().as_ref() == Some(shim) => Observation::NotStarted,
        Some(_) => vanished("its lock was removed or written over, so it may have been told to go"),
    }
}

/// What a person needs to judge what happened.
fn evidence(folder: &Path, recorded: Option<&Identity>, boot: &str, why: &str) -> String {
    let mut text = why.to_owned();
    let record = folder::read_record(folder);
    if let Some(shim) = record.as_ref().map(|r| &r.identity).or(recorded) {
        let fate = match process::stat(shim.pid) {
            _ if shim.boot != boot => format!("ran in boot {}, this is {boot}", shim.boot),
            Some(now) if now.start == shim.start && !now.dead => "is alive but does not hold the lock".to_owned(),
            Some(_) | None => "is gone".to_owned(),
        };
        let _ = write!(text, "; shim {} {fate}", shim.pid);
    }
    for stream in [Stream::Stdout, Stream::Stderr] {
        let name = logfile::name(stream);
        let size = fs::metadata(folder.join(name)).map_or(0, |m| m.len());
        let _ = write!(text, "; {name}: {size} bytes");
    }
    let said = logfile::last_bytes(&folder.join(folder::SHIM_LOG), EVIDENCE_TAIL_BYTES).unwrap_or_default();
    if !said.is_empty() {
        let _ = write!(text, "; its shim said: {}", String::from_utf8_lossy(&said).trim());
    }
    text
}
