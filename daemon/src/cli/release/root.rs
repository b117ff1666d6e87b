//! The folder of releases: what is current, what is known, and that both are changed in one move that lasts.

use super::{refused, tree};
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use crate::real::clock::boot_ms;
use crate::release::Id;
use crate::release::known::Known;
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The folder of the releases in it.
const RELEASES: &str = "releases";
/// Leads to the release that runs.
const CURRENT: &str = "current";
/// Leads, as long as a command is at work on a switch, to the release whose program brings it to its end if that is cut off.
const FINISHER: &str = "finisher";
/// What is known.
const STATE: &str = "state.json";
/// One command at a time.
const LOCK: &str = "lock";
/// Keys that may vouch for releases.
const KEYS: &str = "keys";
/// Names in `releases/` that begin so are of releases that are coming or going.
const HALF: &str = ".half-";

/// Held as long as a command changes something.
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Says whose it is, to those who meet it.
    fn taken(mut file: File) -> Lock {
        let pid = format!("{}\n", std::process::id());
        // A full disk is no reason to do nothing.
        let _ = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes()));
        Lock { file }
    }
}

impl Drop for Lock {
    /// By word, and not only by closing it: a process that is being started just then has it open as well, until it has become
    /// another program.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// The folder.
pub(super) struct Root {
    path: PathBuf,
}

impl Root {
    /// At `path`, which need not be there.
    pub(super) fn new(path: &Path) -> Result<Root, Fatal> {
        let path = std::path::absolute(path).map_err(|error| Fatal::new(ExitCode::Usage, error.to_string()))?;
        Ok(Root { path })
    }

    fn failed(&self, what: &str, error: &io::Error) -> Fatal {
        let shown = self.path.display();
        if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            Fatal::new(ExitCode::DiskFull, format!("can't {what} {shown}: {error}: make room"))
        } else if error.kind() == ErrorKind::PermissionDenied {
            let text = format!("can't {what} {shown}: {error}; releases belong to root: sudo mainstay release ...");
            Fatal::new(ExitCode::NotPermitted, text)
        } else {
            refused(format!("can't {what} {shown}: {error}"))
        }
    }

    /// What stopped a switch in the middle; the next command goes on with it.
    pub(super) fn unwritten(&self, why: &str) -> Fatal {
        let text = format!(
            "the switch stands still: {why}; `mainstay release status` tells where, activate or rollback without an id goes on ({})",
            self.path.join(STATE).display()
        );
        refused(text)
    }

    /// Keeps other commands out, and makes the folder if it is not there.
    pub(super) fn lock(&self) -> Result<Lock, Fatal> {
        let file = self.lock_file()?;
        let until = boot_ms() + policy::RELEASE_LOCK_WITHIN_MS;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock::taken(file)),
                // What a command that was killed was just starting has the lock until it has become another program.
                Err(Errno::WOULDBLOCK) if boot_ms() < until => {
                    std::thread::sleep(policy::DEPLOY_LOOK_PAUSE / 10);
                }
                Err(Errno::WOULDBLOCK) => {
                    let pid = fs::read_to_string(self.path.join(LOCK)).unwrap_or_default();
                    return Err(refused(format!(
                        "another release command is at work in {}, process {pid}: see what it does (mainstay release status), and wait for its end; `kill -INT {pid}` is Ctrl-C to it, and twice has it go back from a release that it watches",
                        self.path.display(),
                        pid = pid.trim()
                    )));
                }
                Err(error) => return Err(self.failed("lock", &error.into())),
            }
        }
    }

    /// The same, after the end of a command that is at work, however long that takes; says before that it waits.
    pub(super) fn lock_when_free(&self, waits: impl FnOnce()) -> Result<Lock, Fatal> {
        let file = self.lock_file()?;
        let locked = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                waits();
                retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
            }
            other => other,
        };
        locked.map_err(|error| self.failed("lock", &error.into()))?;
        Ok(Lock::taken(file))
    }

    fn lock_file(&self) -> Result<File, Fatal> {
        let made = DirBuilder::new().mode(0o755).recursive(true).create(self.path.join(RELEASES));
        made.map_err(|error| self.failed("make", &error))?;
        let path = self.path.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        file.map_err(|error| self.failed("lock", &error))
    }

    /// What is known; nothing where nothing was ever written.
    pub(super) fn known(&self) -> Result<Known, Fatal> {
        let path = self.path.join(STATE);
        match fs::read(&path) {
            Ok(bytes) => Known::parse(&bytes).map_err(|why| {
                refused(format!("{} can't be understood: {why}; docs/ROLLBACK.md tells what to do", path.display()))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Known::default()),
            Err(error) => Err(self.failed("read what is known in", &error)),
        }
    }

    /// Writes what is known, so that it is there after a loss of power, all of it or what was there before.
    pub(super) fn keep(&self, known: &Known) -> Result<(), String> {
        let (path, new) = (self.path.join(STATE), self.path.join(format!(".{STATE}")));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&new)?;
            // Everybody may ask how it stands, whatever root's shell takes from what it makes.
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.write_all(known.text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            sync(&self.path)
        };
        write().map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Where a release lies, or would.
    pub(super) fn folder(&self, id: &Id) -> PathBuf {
        self.path.join(RELEASES).join(id.as_str())
    }

    /// The release that `current` leads to, if there is one.
    pub(super) fn current(&self) -> Result<Option<Id>, String> {
        let link = self.path.join(CURRENT);
        let leads = match fs::read_link(&link) {
            Ok(leads) => leads,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{} is no link to a release: {error}", link.display())),
        };
        let id = leads.strip_prefix(RELEASES).ok().and_then(Path::to_str).and_then(|name| Id::new(name).ok());
        let wrong = || format!("{} leads to {}, which is no release of {RELEASES}/", link.display(), leads.display());
        id.map(Some).ok_or_else(wrong)
    }

    /// Has `current` lead to a release.
    pub(super) fn flip(&self, to: &Id) -> io::Result<()> {
        self.lead(CURRENT, to)
    }

    /// The release that this program is of, if it is one of those here.
    pub(super) fn own(&self) -> Option<Id> {
        let program = std::env::current_exe().ok()?;
        let folder = program.parent()?.parent()?;
        let releases = self.path.join(RELEASES).canonicalize().ok()?;
        if folder.parent()? == releases { Id::new(folder.file_name()?.to_str()?).ok() } else { None }
    }

    /// As long as this is so, `mainstay-release.service` waits for the end of the command at work, and brings the switch to its
    /// end if that was cut off; after a start of the machine at once.
    pub(super) fn name_finisher(&self, id: &Id) -> io::Result<()> {
        self.lead(FINISHER, id)
    }

    /// Where that is written down.
    pub(super) fn finisher_shown(&self) -> String {
        self.path.join(FINISHER).display().to_string()
    }

    /// Whether a command was cut off, or is at work.
    pub(super) fn has_finisher(&self) -> bool {
        fs::symlink_metadata(self.path.join(FINISHER)).is_ok()
    }

    /// The command at work ends in order.
    pub(super) fn unname_finisher(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(FINISHER)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync(&self.path),
        }
    }

    /// Has a link lead to a release, in one move: nobody ever finds it leading nowhere.
    fn lead(&self, name: &str, to: &Id) -> io::Result<()> {
        let (link, new) = (self.path.join(name), self.path.join(format!(".{name}")));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        symlink(Path::new(RELEASES).join(to.as_str()), &new)?;
        fs::rename(&new, &link)?;
        sync(&self.path)
    }

    /// Where the keys are that may vouch for releases.
    pub(super) fn keys_folder(&self) -> PathBuf {
        self.path.join(KEYS)
    }

    /// The keys of which one has to vouch for each release: their files.
    pub(super) fn keys(&self) -> Result<Vec<PathBuf>, Fatal> {
        let entries = match fs::read_dir(self.keys_folder()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("read the keys of", &error)),
        };
        let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.map_err(|error| self.failed("read the keys of", &error))?;
        paths.retain(|path| path.extension().is_some_and(|end| end == "pub"));
        paths.sort();
        Ok(paths)
    }

    /// An empty folder for a release that comes, after what was left of others is gone.
    pub(super) fn half(&self) -> Result<PathBuf, Fatal> {
        let folder = self.path.join(RELEASES);
        let clear = || -> io::Result<PathBuf> {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(HALF) {
                    fs::remove_dir_all(entry.path())?;
                }
            }
            let half = folder.join(format!("{HALF}new"));
            DirBuilder::new().mode(0o755).create(&half)?;
            Ok(half)
        };
        clear().map_err(|error| self.failed("make room for a release in", &error))
    }

    /// Gives a release that came its place.
    pub(super) fn place(&self, half: &Path, id: &Id) -> Result<(), Fatal> {
        let placed = fs::rename(half, self.folder(id)).and_then(|()| sync(&self.path.join(RELEASES)));
        placed.map_err(|error| self.failed("put a release in place in", &error))
    }

    /// Removes what is neither new nor needed: what it was, and what could not be removed, which takes nothing from what was
    /// done before.
    pub(super) fn remove_superfluous(&self, known: &mut Known) -> (Vec<Id>, Vec<String>) {
        let current = match self.current() {
            Ok(current) => current,
            Err(why) => return (Vec::new(), vec![format!("no old release is removed: {why}")]),
        };
        let (mut gone, mut left) = (Vec::new(), Vec::new());
        for id in known.superfluous(current.as_ref(), policy::RELEASES_KEPT) {
            match self.remove(&id) {
                Ok(()) => {
                    known.removed(&id);
                    gone.push(id);
                }
                Err(error) => left.push(format!("the old release {id} could not be removed: {error}")),
            }
        }
        (gone, left)
    }

    fn remove(&self, id: &Id) -> io::Result<()> {
        // Out of the way in one move: what is half removed is never taken for a release.
        let half = self.path.join(RELEASES).join(format!("{HALF}{id}"));
        match fs::rename(self.folder(id), &half) {
            Ok(()) => sync(&self.path.join(RELEASES)).and_then(|()| fs::remove_dir_all(&half)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a staged release is what it was.
    pub(super) fn verify(&self, id: &Id) -> Result<(), String> {
        tree::read(&self.folder(id)).map(drop)
    }
}

/// Makes what a folder's entries lead to durable.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::known::Release;
    use crate::release::manifest::Database;

    fn id(text: &str) -> Id {
        Id::new(text).expect("an id")
    }

    fn root() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().expect("a folder");
        let root = Root::new(&dir.path().join("opt")).unwrap_or_else(|fatal| panic!("{fatal}"));
        (dir, root)
    }

    #[test]
    fn what_is_current_changes_in_one_move_and_a_foreign_link_is_no_release() {
        let (_dir, root) = root();
        assert_eq!(root.current(), Ok(None));
        let _lock = root.lock().unwrap_or_else(|fatal| panic!("{fatal}"));
        assert_eq!(root.current(), Ok(None));
        for name in ["a", "b", "b"] {
            // What a killed one may have left.
            let _ = symlink("nowhere", root.path.join(".current"));
            root.flip(&id(name)).expect("flipped");
            assert_eq!(root.current(), Ok(Some(id(name))));
        }
        for foreign in ["/opt/other", "releases/../x", "releases", "releases/a/b"] {
            fs::remove_file(root.path.join(CURRENT)).expect("removed");
            symlink(foreign, root.path.join(CURRENT)).expect("a link");
            assert!(root.current().is_err_and(|why| why.contains("is no release")), "{foreign}");
        }
    }

    #[test]
    fn one_command_at_a_time() {
        let (_dir, root) = root();
        let lock = root.lock().unwrap_or_else(|fatal| panic!("{fatal}"));
        let process = format!("process {}:", std::process::id());
        assert!(root.lock().is_err_and(|fatal| fatal.text.contains(&process)));
        drop(lock);
        assert!(root.lock().is_ok());
    }

    #[test]
    fn what_is_known_is_there_again_and_what_can_not_be_understood_is_not_written_over() {
        let (_dir, root) = root();
        let _lock = root.lock().unwrap_or_else(|fatal| panic!("{fatal}"));
        let read = || root.known().map_err(|fatal| fatal.text);
        assert_eq!(read(), Ok(Known::default()));
        let mut known = Known::default();
        known.untold = true;
        root.keep(&known).expect("written");
        assert_eq!(read(), Ok(known));
        fs::write(root.path.join(STATE), "{").expect("write");
        assert!(read().is_err_and(|text| text.contains("can't be understood")));
    }

    #[test]
    fn an_old_release_that_can_not_be_removed_is_told_of_and_known_for_the_next_time() {
        let (_dir, root) = root();
        let _lock = root.lock().unwrap_or_else(|fatal| panic!("{fatal}"));
        let mut known = Known::default();
        let (database, staged_ms) = (Database { schema: 5, min_reader: 5, min_writer: 5 }, 0);
        for n in 0..policy::RELEASES_KEPT + 2 {
            let (id, signed_by) = (id(&format!("r{n}")), None);
            let (preflight, activated_ms, blessed, bad) = (None, None, None, None);
            fs::create_dir(root.folder(&id)).expect("made");
            known.staged(Release { id, staged_ms, signed_by, database, preflight, activated_ms, blessed, bad });
        }
        // What its folder would be moved to is a file.
        let way = root.path.join(RELEASES).join(".half-r0");
        fs::write(&way, "").expect("write");
        let (gone, left) = root.remove_superfluous(&mut known);
        assert!(left.len() == 1 && left[0].contains("r0 could not be removed"), "{left:?}");
        assert_eq!((gone, known.release(&id("r0")).is_ok()), (vec![id("r1")], true));
        fs::remove_file(&way).expect("removed");
        assert_eq!(root.remove_superfluous(&mut known), (vec![id("r0")], Vec::new()));
    }

    #[test]
    fn what_was_left_half_way_is_gone_with_the_next_one() {
        let (_dir, root) = root();
        let _lock = root.lock().unwrap_or_else(|fatal| panic!("{fatal}"));
        for name in [".half-new", ".half-0.1.0-a"] {
            let folder = root.path.join(RELEASES).join(name);
            fs::create_dir_all(folder.join("bin")).expect("made");
            fs::write(folder.join("bin/x"), "x").expect("write");
        }
        let half = root.half().unwrap_or_else(|fatal| panic!("{fatal}"));
        assert_eq!(fs::read_dir(&half).expect("there").count(), 0);
        assert_eq!(fs::read_dir(root.path.join(RELEASES)).expect("there").count(), 1);
        root.place(&half, &id("a")).unwrap_or_else(|fatal| panic!("{fatal}"));
        assert!(root.folder(&id("a")).is_dir());
    }
}
