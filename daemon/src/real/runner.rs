//! [`Runner`] on this machine: one folder and one shim per attempt.
//!
//! This side only makes folders, starts shims, looks, and asks; everything that must go on without the daemon is in the shim.
//! Nothing here decides what an observation means for a task.

use super::cgroup::{self, Group};
use super::folder::{self, PROMPT, SHIM_LOG, SPEC};
pub use super::launcher::ShimCommand;
use super::process::{self, Marks, Pin};
use super::service::Order;
use super::watch::{self, Ending, Line, ProgressWatch};
use super::{logfile, observe};
use crate::attempt::{Identity, Observation};
use crate::hex::hex;
use crate::id::AttemptKey;
use crate::policy;
use crate::ports::{LocalFuture, Noticed, Runner, Spec, StartFailed, Stream};
use rustix::process::Signal;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;

/// Whether tasks get a cgroup of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cgroups {
    /// Where the machine allows it.
    IfPossible,
    /// Never: trees are found by walking /proc.
    Never,
}

/// The runner of this machine.
pub struct LocalRunner {
    live: PathBuf,
    archive: PathBuf,
    shim: ShimCommand,
    /// Where somebody else starts shims, if it is not we who do: a socket.
    service: Option<PathBuf>,
    boot: String,
    /// What tasks may get of it is named in their specs.
    environment: BTreeMap<OsString, OsString>,
    /// The folder that holds tasks' cgroups.
    cgroups: Option<PathBuf>,
    /// Prefix of the names of this instance's cgroups; none where tasks get none.
    instance: Option<String>,
    /// Shims started by this instance and not yet buried.
    own: RefCell<BTreeMap<AttemptKey, Own>>,
    /// Where progress is made.
    progress: ProgressWatch,
    /// What `watch` reported last.
    reported: RefCell<BTreeMap<AttemptKey, Line>>,
}

/// A shim that this instance had started.
struct Own {
    /// To bury it by: none where it is not our child.
    pidfd: Option<OwnedFd>,
    /// Says "go", or by its end "don't". None once "go" was said.
    starter: Option<UnixStream>,
}

impl LocalRunner {
    /// A runner with its live attempts in `live` and its ended ones in `archive`, which are made if need be and have to be
    /// on one file system.
    ///
    /// # Errors
    /// The folders can't be made, or /proc can't be read.
    pub fn new(live: &Path, archive: &Path, shim: ShimCommand, cgroups: Cgroups) -> io::Result<LocalRunner> {
        for folder in [live, archive] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let live = live.canonicalize()?;
        // Two daemons on one machine must not get into each other's cgroups; the folder tells them apart.
        let instance = hex(&Sha256::digest(live.as_os_str().as_encoded_bytes())[..4]);
        Ok(LocalRunner {
            archive: archive.canonicalize()?,
            live,
            shim,
            service: None,
            boot: process::boot_id()?,
            environment: std::env::vars_os().collect(),
            cgroups: (cgroups == Cgroups::IfPossible).then(cgroup::find_base).flatten(),
            instance: (cgroups == Cgroups::IfPossible).then_some(instance),
            own: RefCell::default(),
            progress: ProgressWatch::default(),
            reported: RefCell::default(),
        })
    }

    /// A runner that only reads output, of a daemon that may not be running. Makes no folder.
    ///
    /// # Errors
    /// The folders are not there, or the machine's boot id can't be read.
    pub fn to_read(live: &Path, archive: &Path) -> io::Result<LocalRunner> {
        Ok(LocalRunner {
            archive: archive.canonicalize()?,
            live: live.canonicalize()?,
            shim: ShimCommand::of(PathBuf::new()),
            service: None,
            boot: process::boot_id()?,
            environment: BTreeMap::new(),
            cgroups: None,
            instance: None,
            own: RefCell::default(),
            progress: ProgressWatch::default(),
            reported: RefCell::default(),
        })
    }

    /// The same with shims that are started by whoever listens on this socket.
    #[must_use]
    pub fn with_service(mut self, socket: Option<PathBuf>) -> Self {
        self.service = socket;
        self
    }

    /// The same with another environment to pass variables on from than this process's own.
    #[must_use]
    pub fn with_environment(mut self, environment: BTreeMap<OsString, OsString>) -> Self {
        self.environment = environment;
        self
    }

    /// Whether tasks get a cgroup of their own on this machine.
    pub fn uses_cgroups(&self) -> bool {
        self.cgroups.is_some()
    }

    fn folder(&self, key: AttemptKey) -> PathBuf {
        self.live.join(key.to_string())
    }

    fn archived(&self, key: AttemptKey) -> PathBuf {
        self.archive.join(key.to_string())
    }

    fn cgroup_name(&self, key: AttemptKey) -> Option<String> {
        self.instance.as_ref().map(|instance| format!("{instance}-{key}"))
    }

    /// The cgroup that the attempt has or would get.
    fn cgroup_path(&self, key: AttemptKey) -> Option<PathBuf> {
        self.cgroups.as_ref().and_then(|base| Some(base.join(self.cgroup_name(key)?)))
    }

    /// The cgroups of an attempt that exist: where its shim said, and where we would put it.
    fn cgroups_of(&self, key: AttemptKey) -> Vec<Group> {
        let said = folder::read_record(&self.folder(key)).and_then(|r| r.cgroup);
        let paths: BTreeSet<PathBuf> = said.into_iter().chain(self.cgroup_path(key)).collect();
        paths.into_iter().filter_map(Group::open).collect()
    }

    /// Buries shims that ended while nobody watched them.
    fn bury(&self) {
        self.own.borrow_mut().retain(|_, own| match &own.pidfd {
            Some(pidfd) => !watch::reap(pidfd.as_fd()),
            None => own.starter.is_some(),
        });
    }

    /// Starts a shim in the folder, and while it comes up writes what it is to do; the folder's fate is the caller's.
    fn launch(&self, folder: &Path, spec: &Spec) -> io::Result<(Option<OwnedFd>, UnixStream)> {
        // The daemon's environment may hold secrets: only what the kind names goes on.
        let passed = spec.env.iter().filter_map(|name| Some((name, self.environment.get(OsStr::new(name))?)));
        let Some(socket) = &self.service else {
            return self.spawn(folder, spec, passed).map(|(pidfd, stream)| (Some(pidfd), stream));
        };
        let order = Order {
            folder: folder.to_owned(),
            cgroup: self.cgroup_name(spec.key).map(Into::into),
            environment: passed.map(|(name, value)| (name.into(), value.clone())).collect(),
        };
        let mut stream = order.send(socket)?;
        hand_over(folder, spec, &mut stream)?;
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream).map(|stream| (None, stream))
    }

    fn spawn<'a>(
        &self,
        folder: &Path,
        spec: &Spec,
        passed: impl Iterator<Item = (&'a String, &'a OsString)>,
    ) -> io::Result<(OwnedFd, UnixStream)> {
        let log = OpenOptions::new().append(true).create(true).mode(0o600).open(folder.join(SHIM_LOG))?;
        let (mut ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = self.shim.command();
        command.arg(folder).args(self.cgroup_path(spec.key));
        // No `pre_exec`: it would cost the fast way to spawn.
        command.env_clear().envs(passed).stdin(OwnedFd::from(theirs)).stdout(log.try_clone()?).stderr(Stdio::from(log));
        let mut shim = command.spawn()?;
        // Our copy of its end closes, so that its end shows here.
        drop(command);
        let handed_over = hand_over(folder, spec, &mut ours).and_then(|()| UnixStream::from_std(ours));
        let pid = rustix::process::Pid::from_raw(shim.id().cast_signed()).expect("a child's pid is not zero");
        // The pid is pinned until it is reaped, and only this type does that.
        let pinned = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::NONBLOCK);
        match (handed_over, pinned) {
            (Ok(ours), Ok(pidfd)) => Ok((pidfd, ours)),
            (Err(e), _) => Err(give_up(&mut shim, e)),
            (Ok(_), Err(e)) => Err(give_up(&mut shim, e.into())),
        }
    }

    async fn start_attempt(&self, spec: Spec) -> Result<Identity, StartFailed> {
        self.bury();
        let key = spec.key;
        let folder = self.folder(key);
        if self.archived(key).exists() {
            return Err(StartFailed::Exists);
        }
        DirBuilder::new().mode(0o700).create(&folder).map_err(|e| {
            if e.kind() == ErrorKind::AlreadyExists {
                StartFailed::Exists
            } else {
                StartFailed::Transient(format!("attempt folder: {e}"))
            }
        })?;
        let (pidfd, mut stream) = match self.launch(&folder, &spec) {
            Ok(launched) => launched,
            Err(e) => {
                let _ = fs::remove_dir_all(&folder);
                return Err(StartFailed::Transient(format!("shim: {e}")));
            }
        };
        // Known from here on, so that it is buried even if this future is dropped; its shim then ends by itself.
        if pidfd.is_some() {
            self.own.borrow_mut().insert(key, Own { pidfd, starter: None });
        }
        let answer = tokio::time::timeout(policy::SHIM_READY_WITHIN, read_answer(&mut stream)).await;
        match answer.unwrap_or_else(|_| Err("not ready in time".to_owned())) {
            Ok(identity) => {
                let mut own = self.own.borrow_mut();
                let pidfd = own.remove(&key).and_then(|own| own.pidfd);
                own.insert(key, Own { pidfd, starter: Some(stream) });
                Ok(identity)
            }
            Err(why) => {
                drop(stream);
                self.abandon(key).await;
                Err(StartFailed::Transient(format!("shim: {why}")))
            }
        }
    }

    /// Takes back a start that came to nothing.
    async fn abandon(&self, key: AttemptKey) {
        let own = self.own.borrow_mut().remove(&key);
        if let Some(pidfd) = own.and_then(|own| own.pidfd) {
            let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
            if let Ok(ending) = Ending::of_fd(pidfd) {
                // It has not been told to go, so there is no task to think of.
                let _ = tokio::time::timeout(policy::SHIM_READY_WITHIN, ending.wait()).await;
            }
        }
        for group in self.cgroups_of(key) {
            let _ = group.remove();
        }
        let _ = fs::remove_dir_all(self.folder(key));
    }

    async fn next_of(&self, key: AttemptKey, identity: Identity) -> Noticed {
        let folder = self.folder(key);
        while let Some(shim) = Pin::shim(&identity, &self.boot) {
            let Ok(ending) = Ending::of(shim) else {
                tokio::time::sleep(policy::WATCH_RETRY).await;
                continue;
            };
            // The watch comes before the look, so that nothing falls in between.
            let progress = self.progress.watch(&folder);
            loop {
                if let Some(text) = self.unreported(key, &folder) {
                    return Noticed::Progress(text);
                }
                let changed = async {
                    match &progress {
                        Some(progress) => {
                            progress.changed().await;
                            tokio::time::sleep(policy::PROGRESS_PAUSE).await;
                        }
                        None => std::future::pending().await,
                    }
                };
                tokio::select! { biased;
                    () = ending.wait() => break,
                    () = changed => {}
                }
            }
        }
        self.bury();
        self.reported.borrow_mut().remove(&key);
        Noticed::Ended(self.observe(key, Some(&identity)))
    }

    fn unreported(&self, key: AttemptKey, folder: &Path) -> Option<String> {
        let line = watch::last_line(folder)?;
        let mut reported = self.reported.borrow_mut();
        if reported.get(&key) == Some(&line) {
            return None;
        }
        reported.insert(key, line.clone());
        Some(line.text)
    }

    /// Of a living shim nobody gets away, however they forked: so it is left alive, to bury them and to write how it ended.
    async fn kill_all(&self, key: AttemptKey, identity: Identity, waited_ms: i64) {
        // Stopped by its task, it gets to what is left of its own way out.
        if let Some(shim) = Pin::shim(&identity, &self.boot) {
            shim.signal(Signal::CONT);
        }
        // The task can write into its spec.
        let grace_ms =
            folder::read_grace_ms(&self.folder(key)).unwrap_or(0).min(policy::STOP_GRACE_MAX_MS.unsigned_abs());
        let grace_ms = grace_ms.saturating_sub(waited_ms.unsigned_abs());
        tokio::time::sleep(Duration::from_millis(grace_ms)).await;
        let mut pause = policy::DESTROY_RESCAN;
        while let Some(shim) = Pin::shim(&identity, &self.boot) {
            let tree = process::descendants(&process::all(), &BTreeSet::from([identity.pid]));
            // Its pid did not come to mean somebody else while they were looked for.
            if Pin::shim(&identity, &self.boot).is_some() {
                for pin in tree.iter().filter_map(|s| Pin::open(s.pid, s.start)) {
                    pin.signal(Signal::KILL);
                }
                for group in self.cgroups_of(key) {
                    group.kill();
                }
            }
            shim.signal(Signal::CONT);
            match Ending::of(shim) {
                Ok(ending) => drop(tokio::time::timeout(pause, ending.wait()).await),
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(policy::DESTROY_RESCAN_CAP);
        }
    }

    async fn destroy_all(&self, key: AttemptKey, nonce: String) -> u32 {
        let session = folder::read_record(&self.folder(key)).map(|r| r.identity);
        let session = session.filter(|i| i.boot == self.boot).map(|i| i.pid);
        let prompt = self.folder(key).join(PROMPT);
        let marks = Marks { nonce: &nonce, session, prompt: &prompt };
        let mut killed = BTreeSet::new();
        let mut pause = policy::DESTROY_RESCAN;
        loop {
            let groups = self.cgroups_of(key);
            let mut found: Vec<_> = groups.iter().flat_map(Group::pids).filter_map(process::stat).collect();
            found.retain(|s| !s.dead);
            found.extend(process::marked(&marks));
            if found.is_empty() && !groups.iter().any(Group::populated) {
                groups.iter().for_each(|g| drop(g.remove()));
                return u32::try_from(killed.len()).unwrap_or(u32::MAX);
            }
            let mut endings = Vec::new();
            for process in found {
                if let Some(pin) = Pin::open(process.pid, process.start) {
                    pin.signal(Signal::KILL);
                    killed.insert((process.pid, process.start));
                    endings.extend(Ending::of(pin));
                }
            }
            for group in &groups {
                group.kill();
            }
            let all_ended = async {
                for ending in &endings {
                    ending.wait().await;
                }
            };
            // Without anybody to wait for, or with one whom even SIGKILL does not reach yet: look again later.
            if endings.is_empty() || tokio::time::timeout(policy::DESTROY_RESCAN, all_ended).await.is_err() {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(policy::DESTROY_RESCAN_CAP);
            }
        }
    }
}

/// Writes what the shim is to do, and tells it that it is there.
fn hand_over(folder: &Path, spec: &Spec, shim: &mut StdUnixStream) -> io::Result<()> {
    folder::create(&folder.join(SPEC), &serde_json::to_vec(spec)?)?;
    folder::create(&folder.join(PROMPT), spec.prompt.as_bytes())?;
    shim.write_all(&[super::shim::SPEC_IS_THERE])
}

/// Ends a shim that was given nothing to do.
fn give_up(shim: &mut Child, error: io::Error) -> io::Error {
    let _ = shim.kill();
    let _ = shim.wait();
    error
}

/// The shim's one line: who it is, or what it lacks.
async fn read_answer(stream: &mut UnixStream) -> Result<Identity, String> {
    let mut line = String::new();
    let read = BufReader::new(stream.take(policy::SHIM_ANSWER_BYTES_MAX)).read_line(&mut line).await;
    if let Err(e) = read {
        return Err(e.to_string());
    }
    match serde_json::from_str::<folder::ShimRecord>(&line) {
        Ok(record) => Ok(record.identity),
        Err(_) if line.is_empty() => Err("ended before it was ready (see its executable)".to_owned()),
        Err(_) => Err(line.trim().trim_start_matches("failed ").to_owned()),
    }
}

impl Runner for LocalRunner {
    fn start(&self, spec: Spec) -> LocalFuture<'_, Result<Identity, StartFailed>> {
        Box::pin(self.start_attempt(spec))
    }

    fn go(&self, key: AttemptKey) -> bool {
        let starter = self.own.borrow_mut().get_mut(&key).and_then(|own| own.starter.take());
        starter.is_some_and(|stream| stream.try_write(b"g").is_ok_and(|n| n == 1))
    }

    fn clear(&self, key: AttemptKey) -> Result<(), StartFailed> {
        let folder = self.folder(key);
        let not_yet = |why: &str| StartFailed::Transient(format!("what its first start left can't be removed: {why}"));
        self.bury();
        if folder::is_locked(&folder) {
            return Err(not_yet("its shim is alive"));
        }
        if folder::was_told_to_go(&folder) {
            return Err(StartFailed::Exists);
        }
        for group in self.cgroups_of(key) {
            group.remove().map_err(|e| not_yet(&format!("cgroup: {e}")))?;
        }
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(not_yet(&e.to_string())),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn observe(&self, key: AttemptKey, recorded: Option<&Identity>) -> Observation {
        observe::observe(key, &self.folder(key), &self.archived(key), recorded, &self.boot)
    }

    fn watch(&self, key: AttemptKey, identity: Identity) -> LocalFuture<'_, Noticed> {
        Box::pin(self.next_of(key, identity))
    }

    fn stop(&self, _key: AttemptKey, identity: &Identity) -> bool {
        let Some(shim) = Pin::shim(identity, &self.boot) else { return false };
        let asked = shim.signal(Signal::TERM);
        // Its task can have stopped it, and what is stopped can't react.
        shim.signal(Signal::CONT);
        asked
    }

    fn kill(&self, key: AttemptKey, identity: Identity, waited_ms: i64) -> LocalFuture<'_, ()> {
        Box::pin(self.kill_all(key, identity, waited_ms))
    }

    fn destroy(&self, key: AttemptKey, nonce: String) -> LocalFuture<'_, u32> {
        Box::pin(self.destroy_all(key, nonce))
    }

    fn scan(&self) -> Result<Vec<AttemptKey>, String> {
        let entries = fs::read_dir(&self.live).map_err(|e| format!("list attempts: {e}"))?;
        let mut keys = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| format!("list attempts: {e}"))?.file_name();
            keys.extend(name.to_str().and_then(|n| n.parse::<AttemptKey>().ok()));
        }
        keys.sort();
        Ok(keys)
    }

    fn archive(&self, key: AttemptKey) -> Result<(), String> {
        self.bury();
        let (from, to) = (self.folder(key), self.archived(key));
        let mut moved = fs::rename(&from, &to);
        if moved.as_ref().is_err_and(|e| e.kind() == ErrorKind::PermissionDenied) {
            // Its task's doing.
            folder::make_writable(&from);
            moved = fs::rename(&from, &to);
        }
        // File systems differ in how they say that it is there.
        let is_there = |e: &io::Error| matches!(e.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists);
        if moved.as_ref().is_err_and(is_there) {
            // A shim whose folder was gone made another for its receipt, after what was left had been archived. The name is
            // one that its task can't have taken.
            moved = fs::rename(&from, format!("{}.late", to.display()));
        }
        match moved {
            Err(e) if e.kind() == ErrorKind::NotFound && to.is_dir() => Ok(()),
            other => other.map_err(|e| format!("archive attempt {key}: {e}")),
        }
    }

    fn tail(&self, key: AttemptKey, stream: Stream, lines: usize, max_bytes: usize) -> Result<String, String> {
        let live = self.folder(key);
        let folder = if live.is_dir() { live } else { self.archived(key) };
        logfile::tail(&folder, key, stream, lines, max_bytes).map_err(|e| format!("read log of attempt {key}: {e}"))
    }
}
