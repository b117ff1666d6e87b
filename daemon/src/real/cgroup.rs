//! One cgroup (v2) per attempt, where the machine allows it: kills a whole tree at once, also what forks faster than we can
//! look, and enforces memory and CPU limits. Where it is missing everything works without, by walking /proc.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The cgroup of one attempt.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
}

/// A folder in which we may make cgroups, made if need be: next to the daemon's own cgroup when that is delegated to us,
/// else below the top of the hierarchy.
pub(super) fn find_base() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|l| l.strip_prefix("0::"))?;
    mounts.lines().filter_map(cgroup2_mount).find_map(|mount| {
        let candidates = [own_base(&mount, own), Some(mount.join("mainstay"))];
        candidates.into_iter().flatten().find(|base| prepare(base))
    })
}

/// The mount point of a mountinfo line, if it is a cgroup v2 mount.
fn cgroup2_mount(line: &str) -> Option<PathBuf> {
    let (mount, fs) = line.split_once(" - ")?;
    fs.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4).map(PathBuf::from))?
}

/// Below the service's cgroup. A daemon that systemd put into a subgroup of its service (`DelegateSubgroup=`) gets a
/// sibling of that, because a cgroup with processes of its own can't hand controllers down.
fn own_base(mount: &Path, own: &str) -> Option<PathBuf> {
    let own = Path::new(own.trim_start_matches('/'));
    let service = own.parent().filter(|p| p.extension().is_some_and(|e| e == "service")).unwrap_or(own);
    (service.components().next().is_some()).then(|| mount.join(service).join("tasks"))
}

/// Makes the folder; true when processes can be put below it.
fn prepare(base: &Path) -> bool {
    if fs::create_dir(base).is_err() && !base.is_dir() {
        return false;
    }
    if fs::OpenOptions::new().write(true).open(base.join("cgroup.procs")).is_err() {
        return false;
    }
    // Controllers are wanted, not needed: without them the limits of a kind are not enforced.
    for folder in [base.parent(), Some(base)].into_iter().flatten() {
        for controller in ["+memory", "+cpu"] {
            let _ = fs::write(folder.join("cgroup.subtree_control"), controller);
        }
    }
    true
}

impl Group {
    /// Makes a cgroup with these limits, as far as its controllers are there. An empty leftover of the same name is used.
    pub(super) fn create(path: PathBuf, memory_max: Option<u64>, cpu_percent: Option<u32>) -> io::Result<Group> {
        match fs::create_dir(&path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            Ok(()) | Err(_) => {}
        }
        if let Some(bytes) = memory_max {
            let _ = fs::write(path.join("memory.max"), bytes.to_string());
            let _ = fs::write(path.join("memory.oom.group"), "1");
        }
        if let Some(percent) = cpu_percent {
            // Microseconds of CPU time per period of 100 ms.
            let _ = fs::write(path.join("cpu.max"), format!("{} 100000", u64::from(percent) * 1000));
        }
        Ok(Group { path })
    }

    /// One that exists.
    pub(super) fn open(path: PathBuf) -> Option<Group> {
        path.is_dir().then_some(Group { path })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// To fork into.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(fs::File::open(&self.path)?.into())
    }

    /// Sends SIGKILL to everything in it, forks in flight included. False on kernels before 5.14.
    pub(super) fn kill(&self) -> bool {
        fs::write(self.path.join("cgroup.kill"), "1").is_ok()
    }

    /// The pids in it and below.
    pub(super) fn pids(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            let list = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            pids.extend(list.lines().filter_map(|p| p.parse::<u32>().ok()));
            folders.extend(subfolders(&folder));
        }
        pids
    }

    /// Whether anything in it or below is alive.
    pub(super) fn populated(&self) -> bool {
        fs::read_to_string(self.path.join("cgroup.events")).is_ok_and(|e| e.lines().any(|l| l == "populated 1"))
    }

    /// Removes it with everything below; fails while anything in it is alive.
    pub(super) fn remove(&self) -> io::Result<()> {
        remove(&self.path)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // A task may have made cgroups of its own in it.
        Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
            let below = subfolders(path);
            if below.is_empty() {
                return Err(e);
            }
            below.iter().try_for_each(|b| remove(b))?;
            fs::remove_dir(path)
        }
        other => other,
    }
}

fn subfolders(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_version_2_mounts_count() {
        let v2 = "38 31 0:35 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        let v1 = "37 31 0:34 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd";
        assert_eq!(cgroup2_mount(v2), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(cgroup2_mount(v1), None);
    }

    #[test]
    fn tasks_live_in_the_service_but_not_in_the_cgroup_of_the_daemon() {
        let base = |own| own_base(Path::new("/c"), own);
        assert_eq!(base("/"), None);
        assert_eq!(base("/system.slice/mainstay.service"), Some("/c/system.slice/mainstay.service/tasks".into()));
        assert_eq!(
            base("/system.slice/mainstay.service/daemon"),
            Some("/c/system.slice/mainstay.service/tasks".into())
        );
    }
}
