//! Looks whether a step is done, and does it: on this machine, or below another root, where there is no service manager to be
//! told and no user to be made.

use super::super::release::{install, is_staged};
use super::release::Release;
use super::steps::{Existing, Owner, ROOT, SERVICE_USER, Step, UNITS};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Added to the name of what is set aside.
const ASIDE: &str = ".before-install";

/// Whether there is something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// It is as it should be; a remark, if one is due.
    Done(Option<String>),
    /// It is to be done.
    ToDo,
    /// It is nothing for here; why.
    LeftOut(String),
}

/// Where it is installed.
pub(super) struct Target<'a> {
    /// `/`, or the root of another system.
    root: &'a Path,
    /// It is this machine.
    here: bool,
    program: PathBuf,
}

impl<'a> Target<'a> {
    /// This machine, or below `root_fs`; `program` is what is installed.
    pub(super) fn new(root_fs: Option<&'a Path>, program: PathBuf) -> Target<'a> {
        Target { root: root_fs.unwrap_or(Path::new("/")), here: root_fs.is_none(), program }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Whether a step has to be done. Changes nothing.
    pub(super) fn look(&self, step: &Step) -> Result<Look, String> {
        let done = |is: bool| if is { Look::Done(None) } else { Look::ToDo };
        Ok(match step {
            Step::User if !self.here => Look::LeftOut("users are made on the machine itself".into()),
            Step::NoUser if !self.here => Look::LeftOut("users are removed on the machine itself".into()),
            Step::User => done(self.service_user().is_some()),
            Step::NoUser => done(self.service_user().is_none()),
            Step::Folder { path, .. } => {
                let path = self.path(path);
                if path.exists() && !path.is_dir() {
                    return Err(format!("{} is no folder: move it away", path.display()));
                }
                done(path.is_dir())
            }
            Step::File { path, content, existing, .. } => match fs::read(self.path(path)) {
                Ok(there) if there == content.as_bytes() => Look::Done(None),
                Ok(_) if *existing == Existing::Stays => Look::Done(Some("it stays as it is".into())),
                Ok(_) => Look::ToDo,
                Err(error) if error.kind() == ErrorKind::NotFound => Look::ToDo,
                Err(error) => return Err(format!("can't read {}: {error}", self.path(path).display())),
            },
            Step::Link { path, to } => done(fs::read_link(self.path(path)).is_ok_and(|there| there == Path::new(to))),
            Step::Release => {
                let release = Release::of(&self.program)?;
                let current = fs::read_link(self.path(ROOT).join("current")).ok();
                let is_there = is_staged(&self.path(ROOT), &release.id);
                match current {
                    Some(current) if is_there && current != target_of(&release) => {
                        let text = format!(
                            "{} runs on; `mainstay release activate {}` changes that",
                            current.display(),
                            release.id
                        );
                        Look::Done(Some(text))
                    }
                    current => done(is_there && current.is_some()),
                }
            }
            Step::Systemctl { args } => match self.why_not_systemctl(args) {
                Some(why) => Look::LeftOut(why),
                None => Look::ToDo,
            },
            Step::Gone { path } => done(fs::symlink_metadata(self.path(path)).is_err()),
            Step::GoneBut { path, kept } => {
                let path = self.path(path);
                let is_kept = path.join(kept).is_dir();
                let others = others(&path, kept).map_err(|error| format!("{}: {error}", path.display()))?;
                done(others.is_empty() && (is_kept || fs::symlink_metadata(&path).is_err()))
            }
        })
    }

    /// Does it, and says what else there is to know.
    pub(super) fn perform(&self, step: &Step) -> Result<Option<String>, String> {
        let failed = |path: &Path, error: &io::Error| format!("{}: {error}", path.display());
        match step {
            Step::User => run(Command::new("useradd")
                .args(["--system", "--user-group", "--home-dir", "/var/lib/mainstay"])
                .args(["--no-create-home", "--shell", "/usr/sbin/nologin", SERVICE_USER])),
            Step::NoUser => run(Command::new("userdel").arg(SERVICE_USER)),
            Step::Folder { path, mode, owner } => {
                let path = self.path(path);
                make(&path, *mode).map_err(|e| failed(&path, &e))?;
                self.give(&path, *owner).map_err(|e| failed(&path, &e))?;
                Ok(None)
            }
            Step::File { path, mode, content, .. } => {
                let path = self.path(path);
                let aside = set_aside(&path)?;
                write(&path, *mode, content).map_err(|e| failed(&path, &e))?;
                Ok(aside.map(|aside| format!("what was there is {} now", aside.display())))
            }
            Step::Link { path, to } => {
                let path = self.path(path);
                let aside = set_aside(&path)?;
                symlink(to, &path).map_err(|e| failed(&path, &e))?;
                Ok(aside.map(|aside| format!("what was there is {} now", aside.display())))
            }
            Step::Release => self.put_release(),
            Step::Systemctl { args } => run(Command::new("systemctl").args(*args)),
            Step::Gone { path } => {
                let path = self.path(path);
                remove(&path).map_err(|e| failed(&path, &e))?;
                Ok(None)
            }
            Step::GoneBut { path, kept } => {
                let path = self.path(path);
                for other in others(&path, kept).map_err(|e| failed(&path, &e))? {
                    remove(&other).map_err(|e| failed(&other, &e))?;
                }
                if !path.join(kept).is_dir() {
                    remove(&path).map_err(|e| failed(&path, &e))?;
                }
                Ok(None)
            }
        }
    }

    fn put_release(&self) -> Result<Option<String>, String> {
        let release = Release::of(&self.program)?;
        let id = install(&self.path(ROOT), &release.from).map_err(|fatal| fatal.to_string())?;
        Ok(Some(format!("release {id}")))
    }

    /// Uid and gid of the daemon's user in the system's own table.
    fn service_user(&self) -> Option<(u32, u32)> {
        let passwd = fs::read_to_string(self.path("/etc/passwd")).ok()?;
        let line = passwd.lines().find_map(|line| line.strip_prefix(SERVICE_USER)?.strip_prefix(':'))?;
        let mut numbers = line.split(':').skip(1);
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    fn give(&self, path: &Path, owner: Owner) -> io::Result<()> {
        match (owner, self.service_user()) {
            (Owner::Service, Some((uid, gid))) if self.here => chown(path, Some(uid), Some(gid)),
            (Owner::Service | Owner::Root, _) => Ok(()),
        }
    }

    fn why_not_systemctl(&self, args: &[&str]) -> Option<String> {
        if !self.here {
            return Some("there is no service manager below another root".into());
        }
        // Units can be enabled where none runs, as in a container that is being made.
        let runs = Path::new("/run/systemd/system").is_dir();
        let verb = args.first().copied().unwrap_or_default();
        let is_installed = |unit: &&str| self.path(UNITS).join(unit).exists();
        if matches!(verb, "stop" | "disable") && !args.get(1).is_some_and(is_installed) {
            return Some("there is no such unit".into());
        }
        let is_there = ["/usr/bin/systemctl", "/bin/systemctl"].iter().any(|path| Path::new(path).exists());
        if !is_there {
            return Some("there is no systemctl: start `mainstay run` in your own way".into());
        }
        (matches!(verb, "start" | "stop" | "daemon-reload") && !runs).then(|| "systemd does not run here".into())
    }
}

/// What `current` says where that release runs.
fn target_of(release: &Release) -> PathBuf {
    Path::new("releases").join(release.id.as_str())
}

/// Moves away what has the name of something of ours.
fn set_aside(path: &Path) -> Result<Option<PathBuf>, String> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(None) };
    if there.is_dir() {
        return Err(format!("{} is a folder: move it away", path.display()));
    }
    let aside = fresh_name(path);
    fs::rename(path, &aside).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(Some(aside))
}

/// A name that nothing has: what was set aside earlier may be wanted yet.
fn fresh_name(path: &Path) -> PathBuf {
    let with = |end: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let first = with(ASIDE.to_owned());
    let numbered = (2..).map(|n| with(format!("{ASIDE}-{n}")));
    let is_free = |name: &PathBuf| fs::symlink_metadata(name).is_err();
    std::iter::once(first.clone()).chain(numbered).find(is_free).unwrap_or(first)
}

/// Makes a folder with this mode, whatever may be taken from those that root makes (umask).
pub(super) fn make(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// There completely or not at all: a cut-off unit or configuration would be worse than none.
fn write(path: &Path, mode: u32, content: &str) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let parent = path.parent().unwrap_or(Path::new("/"));
    if !parent.is_dir() {
        make(parent, 0o755)?;
    }
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(parent)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// What is in a folder besides a folder of this name; nothing where there is none.
fn others(folder: &Path, kept: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.retain(|path| *path != folder.join(kept) || !path.is_dir());
    Ok(paths)
}

/// Runs a program of the system; what it has to say is passed on when it fails.
fn run(command: &mut Command) -> Result<Option<String>, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("can't run {name}: {e}"))?;
    if output.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{name} failed ({}): {said}", output.status))
}
