//! A small disk that can be filled up.
//!
//! It is mounted in a name space of the thread that asks for it, and of the processes that come of that thread: however this
//! program ends, nothing stays mounted.

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::thread::UnshareFlags;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Room on it, MiB: below 64 the daemon starts nothing, and each time that the disk is full it takes a few.
const ROOM_MIB: u32 = 128;

/// Mounted as long as this lives.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one at this path.
    pub(super) fn mount(at: &Path) -> Result<SmallDisk, String> {
        std::fs::create_dir_all(at).map_err(|e| format!("failed to make {}: {e}", at.display()))?;
        on_our_own().map_err(|e| format!("this user can't have a name space of mounts: {e}"))?;
        let options = std::ffi::CString::new(format!("size={ROOM_MIB}m,mode=700")).map_err(|e| e.to_string())?;
        mount("mainstay-kill", at, "tmpfs", MountFlags::empty(), options.as_c_str())
            .map_err(|e| format!("this user can't mount a small disk: {e}"))?;
        Ok(SmallDisk(at.to_owned()))
    }

    /// Takes all room there is; removing the file gives it back.
    pub(super) fn fill(&self) -> std::io::Result<PathBuf> {
        let path = self.0.join("filler");
        let mut file = File::create(&path)?;
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also while somebody still has files open there.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// Why there can be no small disk here; none: there can.
pub(super) fn why_not() -> Option<String> {
    let tried = std::thread::spawn(|| {
        let folder = tempfile::tempdir().map_err(|e| format!("failed to make a folder: {e}"))?;
        SmallDisk::mount(&folder.path().join("small")).map(drop)
    });
    tried.join().unwrap_or_else(|_| Err("trying it panicked".into())).err()
}

/// Mounts of this thread are seen by nobody else.
fn on_our_own() -> rustix::io::Result<()> {
    #[expect(deprecated, reason = "the unsafe one is for flags that part threads from their open files; this is none")]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}
