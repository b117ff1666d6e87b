//! A machine whose processes outlive the daemon, and the ledger of what really ran on it.
//!
//! What a task does is written in its prompt: words like `exit:3@1000` (exits with 3 after a second), `signal:9@10`, `hang`,
//! `crashes:2@500` (its first two attempts exit with 75 after half a second), `stubborn:20000` (dies so late after a stop), `immortal` (can't be killed until [`Machine::release`]),
//! `progress:half@500`, `deaf` (stops its shim, which neither hears nor sees the time any more). Without any it exits with 0 after a second.

use super::clock::Shared;
use mainstay::attempt::{End, EndCause, Identity, LogDigest, Observation, Receipt};
use mainstay::id::AttemptKey;
use mainstay::ports::{LocalFuture, Noticed, Runner, Spec, StartFailed, Stream};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shim {
    Ready,
    Running,
    Gone,
}

#[derive(Debug, Clone)]
struct Script {
    end: Option<(i64, End)>,
    stubborn_ms: i64,
    immortal: bool,
    deaf: bool,
    progress: Vec<(i64, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) spec: Spec,
    pub(crate) identity: Identity,
    pub(crate) shim: Shim,
    /// In this boot; of another one, nobody knows.
    told_to_go: bool,
    pub(crate) receipt: Option<Receipt>,
    archived: bool,
    /// Processes of the task.
    pub(crate) alive: u32,
    script: Script,
    began: i64,
    stop_at: Option<i64>,
    shown: usize,
}

/// The machine.
#[derive(Default)]
pub(crate) struct Machine {
    pub(crate) folders: BTreeMap<AttemptKey, Folder>,
    /// How often each attempt's program was started: the truth that nobody can talk away.
    pub(crate) ran: BTreeMap<AttemptKey, u32>,
    /// What must never be asked of a machine.
    pub(crate) wrongs: Vec<String>,
    /// So many starts fail for now.
    pub(crate) fail_starts: u32,
    /// Starts come to "ready", but nobody is told yet.
    pub(crate) hold_starts: bool,
    pids: u32,
}

fn script(prompt: &str, attempt: u32) -> Script {
    let mut script = Script {
        end: Some((1_000, End::Exited(0))),
        stubborn_ms: 0,
        immortal: false,
        deaf: false,
        progress: Vec::new(),
    };
    for word in prompt.split_whitespace() {
        let (what, at) = word.split_once('@').unwrap_or((word, "1000"));
        let at = at.parse().unwrap_or(1_000);
        match what.split_once(':') {
            Some(("exit", code)) => script.end = Some((at, End::Exited(code.parse().expect("a code")))),
            Some(("crashes", n)) if attempt > n.parse().expect("a number") => {}
            Some(("crashes", _)) => script.end = Some((at, End::Exited(75))),
            Some(("signal", n)) => script.end = Some((at, End::Signaled(n.parse().expect("a signal")))),
            Some(("stubborn", ms)) => script.stubborn_ms = ms.parse().expect("ms"),
            Some(("progress", line)) => script.progress.push((at, line.to_owned())),
            _ if what == "hang" => script.end = None,
            _ if what == "immortal" => script.immortal = true,
            _ if what == "deaf" => (script.deaf, script.end) = (true, None),
            _ => {}
        }
    }
    script
}

impl Machine {
    /// The next time at which something happens by itself.
    pub(crate) fn next(&self) -> Option<i64> {
        self.folders.values().filter(|f| f.shim == Shim::Running).filter_map(Folder::next).min()
    }

    /// Lets happen what is due.
    pub(crate) fn advance(&mut self, boot_ms: i64, wall_ms: i64) {
        for folder in self.folders.values_mut().filter(|f| f.shim == Shim::Running) {
            folder.advance(boot_ms, wall_ms);
        }
    }

    /// The daemon is dead: shims that wait for its "go" leave.
    pub(crate) fn orphan(&mut self) {
        for folder in self.folders.values_mut().filter(|f| f.shim == Shim::Ready) {
            folder.shim = Shim::Gone;
        }
    }

    /// Every process is gone; what was synced stays.
    pub(crate) fn power_loss(&mut self) {
        for folder in self.folders.values_mut() {
            folder.shim = Shim::Gone;
            folder.alive = 0;
            folder.told_to_go = false;
        }
    }

    /// The shim is killed; the task's processes live on without it.
    pub(crate) fn kill_shim(&mut self, key: AttemptKey) {
        self.folder(key).shim = Shim::Gone;
    }

    /// An ended attempt is alive again, which must not be.
    pub(crate) fn haunt(&mut self, key: AttemptKey) {
        let folder = self.folder(key);
        (folder.receipt, folder.archived, folder.shim, folder.alive) = (None, false, Shim::Running, 1);
        folder.script = script("hang", 0);
    }

    /// What could not be killed dies.
    pub(crate) fn release(&mut self) {
        for folder in self.folders.values_mut() {
            folder.script.immortal = false;
            folder.script.stubborn_ms = 0;
        }
    }

    pub(crate) fn folder(&mut self, key: AttemptKey) -> &mut Folder {
        self.folders.get_mut(&key).expect("there is such a folder")
    }

    fn observe(&self, key: AttemptKey, recorded: Option<&Identity>, boot: &str) -> Observation {
        let Some(folder) = self.folders.get(&key) else { return Observation::Absent };
        match (&folder.receipt, folder.shim) {
            (Some(receipt), _) => Observation::Ended(Box::new(receipt.clone())),
            (None, Shim::Ready | Shim::Running) => Observation::Alive(folder.identity.clone()),
            (None, Shim::Gone) if folder.told_to_go => Observation::Vanished("it left no receipt".into()),
            (None, Shim::Gone) if recorded.is_some_and(|r| r.boot != boot) => {
                Observation::Vanished("the machine went down".into())
            }
            (None, Shim::Gone) => Observation::NotStarted,
        }
    }
}

impl Folder {
    fn stop_due(&self) -> Option<i64> {
        self.stop_at.filter(|_| !self.script.immortal && !self.script.deaf).map(|at| at + self.script.stubborn_ms)
    }

    fn time_up(&self) -> Option<i64> {
        let limit = self.began + self.spec.timeout_ms.cast_signed();
        (!self.script.immortal && !self.script.deaf).then_some(limit + self.script.stubborn_ms)
    }

    fn exit_at(&self) -> Option<i64> {
        self.script.end.as_ref().map(|(after, _)| self.began + after)
    }

    fn next(&self) -> Option<i64> {
        let progress = self.script.progress.get(self.shown).map(|(at, _)| self.began + at);
        [self.exit_at(), self.stop_due(), self.time_up(), progress].into_iter().flatten().min()
    }

    fn advance(&mut self, now: i64, wall_ms: i64) {
        let far = i64::MAX;
        let (exit, stop, time) =
            (self.exit_at().unwrap_or(far), self.stop_due().unwrap_or(far), self.time_up().unwrap_or(far));
        let at = exit.min(stop).min(time);
        if at > now {
            return;
        }
        let (end, cause) = if at == exit {
            (self.script.end.clone().map_or(End::Exited(0), |(_, end)| end), EndCause::Itself)
        } else if at == stop {
            (End::Signaled(15), EndCause::Stopped)
        } else {
            (End::Signaled(9), EndCause::TimedOut)
        };
        self.receipt = Some(Receipt {
            key: self.spec.key,
            nonce: self.spec.nonce.clone(),
            end,
            cause,
            started_ms: wall_ms - (at - self.began),
            ended_ms: wall_ms,
            ran_ms: at - self.began,
            cpu_ms: 1,
            max_rss_kib: 1,
            strays: 0,
            stdout: LogDigest::default(),
            stderr: LogDigest::default(),
        });
        self.shim = Shim::Gone;
        self.alive = 0;
    }

    /// The newest line not shown yet.
    fn fresh(&mut self, now: i64) -> Option<String> {
        let reached = self.script.progress.iter().filter(|(at, _)| self.began + at <= now).count();
        if self.shim != Shim::Running || reached <= self.shown {
            return None;
        }
        self.shown = reached;
        Some(self.script.progress[reached - 1].1.clone())
    }
}

/// The machine as one daemon sees it.
pub(crate) struct FakeRunner {
    pub(crate) shared: Rc<Shared>,
    pub(crate) machine: Rc<RefCell<Machine>>,
    pub(crate) boot: String,
}

impl FakeRunner {
    fn begin(&self, spec: Spec) -> Result<Identity, StartFailed> {
        let mut machine = self.machine.borrow_mut();
        if machine.folders.contains_key(&spec.key) {
            return Err(StartFailed::Exists);
        }
        if machine.fail_starts > 0 {
            machine.fail_starts -= 1;
            return Err(StartFailed::Transient("no more processes".into()));
        }
        machine.pids += 1;
        let start = self.shared.boot_ms.get().cast_unsigned();
        let identity = Identity { boot: self.boot.clone(), pid: 1_000 + machine.pids, start };
        let folder = Folder {
            identity: identity.clone(),
            shim: Shim::Ready,
            told_to_go: false,
            receipt: None,
            archived: false,
            alive: 0,
            script: script(&spec.prompt, spec.key.attempt),
            began: 0,
            stop_at: None,
            shown: 0,
            spec,
        };
        machine.folders.insert(folder.spec.key, folder);
        Ok(identity)
    }
}

impl Runner for FakeRunner {
    fn start(&self, spec: Spec) -> LocalFuture<'_, Result<Identity, StartFailed>> {
        let mut spec = Some(spec);
        let mut result = None;
        let machine = self.machine.clone();
        let me = FakeRunner { shared: self.shared.clone(), machine: machine.clone(), boot: self.boot.clone() };
        self.shared.wait(move || {
            if let Some(spec) = spec.take() {
                me.shared.tick();
                result = Some(me.begin(spec));
                me.shared.act();
                me.shared.tick();
            }
            if machine.borrow().hold_starts { None } else { result.take() }
        })
    }

    fn go(&self, key: AttemptKey) -> bool {
        self.shared.tick();
        self.shared.act();
        let went = {
            let mut machine = self.machine.borrow_mut();
            match machine.folders.get_mut(&key) {
                Some(folder) if folder.shim == Shim::Ready => {
                    folder.shim = Shim::Running;
                    folder.told_to_go = true;
                    folder.alive = 1;
                    folder.began = self.shared.boot_ms.get();
                    *machine.ran.entry(key).or_default() += 1;
                    true
                }
                Some(_) | None => false,
            }
        };
        self.shared.tick();
        went
    }

    fn clear(&self, key: AttemptKey) -> Result<(), StartFailed> {
        self.shared.tick();
        let mut machine = self.machine.borrow_mut();
        if let Some(folder) = machine.folders.get(&key) {
            if folder.shim != Shim::Gone || folder.told_to_go || folder.receipt.is_some() {
                machine.wrongs.push(format!("clear of {key}, which may have run"));
                return Err(StartFailed::Exists);
            }
            machine.folders.remove(&key);
        }
        Ok(())
    }

    fn observe(&self, key: AttemptKey, recorded: Option<&Identity>) -> Observation {
        self.shared.tick();
        self.machine.borrow().observe(key, recorded, &self.boot)
    }

    fn watch(&self, key: AttemptKey, identity: Identity) -> LocalFuture<'_, Noticed> {
        let (shared, machine, boot) = (self.shared.clone(), self.machine.clone(), self.boot.clone());
        self.shared.wait(move || {
            let mut machine = machine.borrow_mut();
            match machine.folders.get_mut(&key) {
                Some(folder) if folder.shim != Shim::Gone => folder.fresh(shared.boot_ms.get()).map(Noticed::Progress),
                Some(_) | None => Some(Noticed::Ended(machine.observe(key, Some(&identity), &boot))),
            }
        })
    }

    fn stop(&self, key: AttemptKey, identity: &Identity) -> bool {
        self.shared.tick();
        self.shared.act();
        let mut machine = self.machine.borrow_mut();
        let now = self.shared.boot_ms.get();
        match machine.folders.get_mut(&key) {
            Some(folder) if folder.shim != Shim::Gone && folder.identity == *identity => {
                if folder.shim == Shim::Ready {
                    folder.shim = Shim::Gone;
                }
                folder.stop_at = folder.stop_at.or(Some(now));
                machine.advance(now, self.shared.wall_ms.get());
                true
            }
            Some(_) | None => false,
        }
    }

    fn kill(&self, key: AttemptKey, identity: Identity, waited_ms: i64) -> LocalFuture<'_, ()> {
        self.shared.tick();
        let (shared, machine) = (self.shared.clone(), self.machine.clone());
        let grace_ms = self.machine.borrow().folders.get(&key).map_or(0, |folder| folder.spec.stop_grace_ms);
        let due = self.shared.boot_ms.get() + grace_ms.saturating_sub(waited_ms.unsigned_abs()).cast_signed();
        self.shared.wait(move || {
            let mut machine = machine.borrow_mut();
            let Some(folder) = machine.folders.get_mut(&key).filter(|f| f.identity == identity) else {
                return Some(());
            };
            if folder.shim == Shim::Running && !folder.script.immortal && shared.boot_ms.get() >= due {
                // Its task was killed for it: what is left to do is to write the receipt.
                (folder.script.stubborn_ms, folder.script.deaf) = (0, false);
                folder.advance(shared.boot_ms.get(), shared.wall_ms.get());
            }
            (folder.shim == Shim::Gone).then_some(())
        })
    }

    fn destroy(&self, key: AttemptKey, nonce: String) -> LocalFuture<'_, u32> {
        let machine = self.machine.clone();
        self.shared.wait(move || {
            let mut machine = machine.borrow_mut();
            match machine.folders.get_mut(&key) {
                Some(folder) if folder.spec.nonce == nonce => {
                    if folder.script.immortal && folder.alive > 0 {
                        return None;
                    }
                    Some(std::mem::take(&mut folder.alive))
                }
                Some(_) | None => Some(0),
            }
        })
    }

    fn scan(&self) -> Result<Vec<AttemptKey>, String> {
        self.shared.tick();
        Ok(self.machine.borrow().folders.iter().filter(|(_, f)| !f.archived).map(|(key, _)| *key).collect())
    }

    fn archive(&self, key: AttemptKey) -> Result<(), String> {
        self.shared.tick();
        let mut machine = self.machine.borrow_mut();
        let Some(folder) = machine.folders.get_mut(&key) else { return Ok(()) };
        if folder.shim != Shim::Gone || folder.alive > 0 {
            machine.wrongs.push(format!("archive of {key}, which is alive"));
            return Err("it is alive".into());
        }
        folder.archived = true;
        Ok(())
    }

    fn tail(&self, key: AttemptKey, stream: Stream, _: usize, _: usize) -> Result<String, String> {
        self.shared.tick();
        let machine = self.machine.borrow();
        let ran = machine.ran.contains_key(&key);
        Ok(if ran && stream == Stream::Stdout { format!("output of {key}\n") } else { String::new() })
    }
}
