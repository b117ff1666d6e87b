//! The simulated machine: processes that outlive the daemon and die with the power, and the ledger of what really ran.
//!
//! [`SimRunner`] keeps the contract of [`Runner`] as the shim does: a folder per attempt that is made once, a shim that waits
//! for "go" and leaves when its daemon dies first, a receipt that is there whole or not at all. Nothing of what the daemon
//! believes is looked at here.

use super::clock::Clock;
use super::points::{Class, Points};
use super::script::Script;
use mainstay::attempt::{End, EndCause, Identity, LogDigest, Observation, Receipt};
use mainstay::id::AttemptKey;
use mainstay::ports::{LocalFuture, Noticed, Runner, Spec, StartFailed, Stream};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// What a shim needs to be ready, ms, and by how much that varies.
const START_MS: (u64, u64) = (3, 40);
/// Between the end of the last process and a receipt that is durable, ms.
const RECEIPT_MS: i64 = 2;

/// A program was started: one line in the ledger of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// For this attempt.
    pub key: AttemptKey,
    /// By this marker.
    pub nonce: String,
    /// To do this.
    pub prompt: String,
    /// When, ms of the simulation.
    pub began_ms: i64,
    /// When nothing of it was alive any more.
    pub ended_ms: Option<i64>,
    /// How its main process ended, if it came so far.
    pub end: Option<End>,
    /// How often it did what it is for, by its own book, whatever it says of that.
    pub effects: u32,
}

/// A start that the machine was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// When, ms of the simulation.
    pub at_ms: i64,
    /// Of this attempt.
    pub key: AttemptKey,
    /// It was short of something.
    pub failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shim {
    /// It waits for "go".
    Ready,
    Running,
    Gone,
}

struct Attempt {
    spec: Spec,
    identity: Identity,
    shim: Shim,
    /// Said in a file that is never synced: it speaks for its boot only.
    told_to_go: bool,
    receipt: Option<Receipt>,
    archived: bool,
    script: Script,
    /// Simulated ms at its begin.
    began_ms: i64,
    /// Its main process has ended; the receipt may not be written yet.
    over: bool,
    stop_at: Option<i64>,
    /// Processes of the task are alive; without a shim they end when they are killed.
    alive: bool,
    /// Lines of progress that were told.
    told: usize,
    /// Its place in the ledger.
    ran: Option<usize>,
}

#[derive(Default)]
struct State {
    attempts: BTreeMap<AttemptKey, Attempt>,
    /// Those that are alive, and those that died since all were last looked at: of a week's attempts nearly all are dead, and
    /// they are asked for at every tick.
    living: BTreeSet<AttemptKey>,
    ledger: Vec<Ran>,
    tried: Vec<Tried>,
    /// What no daemon may ask of a machine.
    wrongs: Vec<String>,
    pids: u32,
    fail_starts: u32,
}

impl State {
    fn living(&self) -> impl Iterator<Item = &Attempt> {
        self.living.iter().filter_map(|key| self.attempts.get(key)).filter(|attempt| attempt.alive)
    }
}

/// The machine. Clones are the same one.
#[derive(Clone)]
pub struct Machine(Rc<Inner>);

struct Inner {
    clock: Clock,
    points: Points,
    state: RefCell<State>,
    changed: Notify,
}

impl Machine {
    /// A machine on which nothing has run; its steps can be cut at these points.
    pub fn new(clock: &Clock, points: &Points) -> Machine {
        let (clock, points) = (clock.clone(), points.clone());
        Machine(Rc::new(Inner { clock, points, state: RefCell::default(), changed: Notify::new() }))
    }

    /// Everything that really ran, in order.
    pub fn ledger(&self) -> Vec<Ran> {
        self.settle();
        self.0.state.borrow().ledger.clone()
    }

    /// A look at the same, without a copy.
    pub fn look<T>(&self, look: impl FnOnce(&[Ran]) -> T) -> T {
        self.settle();
        look(&self.0.state.borrow().ledger)
    }

    /// All starts that it was asked for, in order.
    pub fn tried(&self) -> Vec<Tried> {
        self.0.state.borrow().tried.clone()
    }

    /// What it was asked and must never be.
    pub fn wrongs(&self) -> Vec<String> {
        self.0.state.borrow().wrongs.clone()
    }

    /// Attempts of which something is alive.
    pub fn alive(&self) -> Vec<AttemptKey> {
        self.settle();
        self.0.state.borrow().living().map(|attempt| attempt.spec.key).collect()
    }

    // ------------------------------------------------------------------------------------------ disasters

    /// The daemon is dead: shims that wait for its "go" leave.
    pub fn orphan(&self) {
        self.settle();
        for attempt in self.0.state.borrow_mut().attempts.values_mut().filter(|a| a.shim == Shim::Ready) {
            attempt.shim = Shim::Gone;
        }
    }

    /// Every process is gone; receipts were synced and stay.
    pub fn power_loss(&self) {
        self.settle();
        let now = self.now();
        let mut state = self.0.state.borrow_mut();
        let state = &mut *state;
        for attempt in state.attempts.values_mut() {
            attempt.shim = Shim::Gone;
            attempt.told_to_go = false;
            attempt.die(now, &mut state.ledger);
        }
    }

    /// Somebody kills a running attempt's shim; its task lives on without. False when there is none.
    pub fn kill_shim(&self, key: AttemptKey) -> bool {
        self.settle();
        let mut state = self.0.state.borrow_mut();
        let Some(attempt) = state.attempts.get_mut(&key).filter(|a| a.shim == Shim::Running) else { return false };
        attempt.shim = Shim::Gone;
        self.0.changed.notify_waiters();
        true
    }

    /// So many of the next starts fail.
    pub fn fail_starts(&self, n: u32) {
        self.0.state.borrow_mut().fail_starts = n;
    }

    /// What runs can't be killed until it is released. Whether anything runs that could be killed.
    pub fn hold(&self) -> bool {
        self.settle();
        let mut held = false;
        let mut state = self.0.state.borrow_mut();
        let State { attempts, living, .. } = &mut *state;
        for key in living.iter() {
            if let Some(attempt) = attempts.get_mut(key).filter(|a| a.alive) {
                held |= !attempt.script.is_immortal();
                attempt.script.hold();
            }
        }
        held
    }

    /// Whether something runs that can't be killed.
    pub fn holds(&self) -> bool {
        self.0.state.borrow().living().any(|attempt| attempt.script.is_immortal())
    }

    /// What can't be killed dies when it is asked again.
    pub fn release(&self) {
        for attempt in self.0.state.borrow_mut().attempts.values_mut() {
            attempt.script.release();
        }
        self.0.changed.notify_waiters();
    }

    // ------------------------------------------------------------------------------------------ time

    /// The machine's time, ms of the simulation: it stands still when a cut took its power.
    fn now(&self) -> i64 {
        let now = self.0.clock.sim_ms();
        self.0.points.power_failed_ms().map_or(now, |at| at.min(now))
    }

    /// Lets happen what is due.
    fn settle(&self) {
        let now = self.now();
        let wall_ms = self.0.clock.now().wall_ms;
        let mut state = self.0.state.borrow_mut();
        let state = &mut *state;
        let mut changed = false;
        let State { attempts, living, ledger, .. } = state;
        living.retain(|key| {
            let Some(attempt) = attempts.get_mut(key).filter(|a| a.alive) else { return false };
            changed |= attempt.advance(now, wall_ms, ledger, &self.0.points);
            attempt.alive
        });
        if changed {
            self.0.changed.notify_waiters();
        }
    }

    fn observe(&self, key: AttemptKey, recorded: Option<&Identity>) -> Observation {
        self.settle();
        let boot = self.0.clock.boot_id();
        let state = self.0.state.borrow();
        let Some(attempt) = state.attempts.get(&key) else { return Observation::Absent };
        match (&attempt.receipt, attempt.shim) {
            (Some(receipt), _) => Observation::Ended(Box::new(receipt.clone())),
            (None, Shim::Ready | Shim::Running) => Observation::Alive(attempt.identity.clone()),
            (None, Shim::Gone) if attempt.told_to_go => Observation::Vanished("it left no receipt".into()),
            (None, Shim::Gone) if recorded.is_some_and(|r| *r.boot != *boot) => {
                Observation::Vanished("the machine went down".into())
            }
            (None, Shim::Gone) => Observation::NotStarted,
        }
    }

    fn begin(&self, spec: Spec) -> Result<Identity, StartFailed> {
        let mut state = self.0.state.borrow_mut();
        if state.attempts.contains_key(&spec.key) {
            return Err(StartFailed::Exists);
        }
        let failed = state.fail_starts > 0;
        state.tried.push(Tried { at_ms: self.0.clock.sim_ms(), key: spec.key, failed });
        if failed {
            state.fail_starts -= 1;
            return Err(StartFailed::Transient("no more processes".into()));
        }
        state.pids += 1;
        let start = self.0.clock.now().boot_ms.unsigned_abs();
        let identity = Identity { boot: self.0.clock.boot_id().to_string(), pid: 1_000 + state.pids, start };
        let attempt = Attempt {
            identity: identity.clone(),
            shim: Shim::Ready,
            told_to_go: false,
            receipt: None,
            archived: false,
            script: Script::read(&spec.prompt, spec.key.attempt),
            began_ms: 0,
            over: false,
            stop_at: None,
            alive: false,
            told: 0,
            ran: None,
            spec,
        };
        state.attempts.insert(attempt.spec.key, attempt);
        Ok(identity)
    }

    /// When something happens to an attempt by itself, ms of the simulation.
    fn next_of(&self, key: AttemptKey) -> Option<i64> {
        self.0.state.borrow().attempts.get(&key).and_then(Attempt::next)
    }

    /// Waits until something happens to an attempt, or may have.
    async fn wait(&self, key: AttemptKey) {
        let changed = self.0.changed.notified();
        let due = self.next_of(key).map(|at| at.saturating_sub(self.0.clock.sim_ms()).max(1));
        match due {
            Some(ms) => {
                tokio::select! { biased;
                    () = changed => {}
                    () = tokio::time::sleep(Duration::from_millis(ms.unsigned_abs())) => {}
                }
            }
            None => changed.await,
        }
    }

    fn wrong(&self, what: String) -> String {
        self.0.state.borrow_mut().wrongs.push(what.clone());
        what
    }
}

impl Attempt {
    /// When its main process ends, and why.
    fn end(&self) -> Option<(i64, End, EndCause)> {
        let by_itself = self.script.end.clone().map(|(after, end)| (self.began_ms + after, end, EndCause::Itself));
        let dies = |at: i64| (!self.script.is_immortal()).then_some(at + self.script.stubborn_ms());
        let stopped = self.stop_at.and_then(dies).map(|at| (at, End::Signaled(15), EndCause::Stopped));
        let limit = self.began_ms.saturating_add(i64::try_from(self.spec.timeout_ms).unwrap_or(i64::MAX / 4));
        let timed_out = dies(limit).map(|at| (at, End::Signaled(15), EndCause::TimedOut));
        [by_itself, stopped, timed_out].into_iter().flatten().min_by_key(|(at, _, _)| *at)
    }

    fn next(&self) -> Option<i64> {
        if !self.alive {
            return None;
        }
        let end = self.end().map(|(at, _, _)| if self.over { at + RECEIPT_MS } else { at });
        let progress = self.script.progress.get(self.told).map(|(at, _)| self.began_ms + at);
        [end, progress].into_iter().flatten().min()
    }

    /// True when it has ended by now, and its receipt is written.
    fn advance(&mut self, now: i64, wall_ms: i64, ledger: &mut [Ran], points: &Points) -> bool {
        let Some((at, end, cause)) = self.end().filter(|(at, _, _)| *at <= now) else { return false };
        if !std::mem::replace(&mut self.over, true) {
            points.pass(Class::Machine, "program ended");
            if let Some(ran) = self.ran.filter(|_| cause == EndCause::Itself && self.script.has_effect(&end)) {
                ledger[ran].effects += 1;
            }
        }
        if at + RECEIPT_MS > now || points.power_failed_ms().is_some() {
            return false;
        }
        if self.shim == Shim::Gone {
            // Without a shim a task ends all the same, and nobody writes down how.
            self.die(at, ledger);
            return true;
        }
        self.receipt = Some(Receipt {
            key: self.spec.key,
            nonce: self.spec.nonce.clone(),
            end: end.clone(),
            cause,
            started_ms: wall_ms - (now - self.began_ms),
            ended_ms: wall_ms - (now - at),
            ran_ms: at - self.began_ms,
            cpu_ms: 1,
            max_rss_kib: 1,
            strays: 0,
            stdout: LogDigest::default(),
            stderr: LogDigest::default(),
        });
        self.shim = Shim::Gone;
        if let Some(ran) = self.ran {
            ledger[ran].end = Some(end);
        }
        self.die(at, ledger);
        points.pass(Class::Machine, "receipt written");
        true
    }

    fn die(&mut self, at: i64, ledger: &mut [Ran]) {
        self.alive = false;
        if let Some(ran) = self.ran {
            ledger[ran].ended_ms.get_or_insert(at);
        }
    }

    /// The newest line not told yet.
    fn fresh(&mut self, now: i64) -> Option<String> {
        let reached = self.script.progress.iter().take_while(|(at, _)| self.began_ms + at <= now).count();
        if self.shim != Shim::Running || reached <= self.told {
            return None;
        }
        self.told = reached;
        Some(self.script.progress[reached - 1].1.clone())
    }
}

/// The machine as one daemon sees it.
pub struct SimRunner(Machine);

impl SimRunner {
    /// For a daemon that starts now.
    pub fn new(machine: &Machine) -> SimRunner {
        SimRunner(machine.clone())
    }
}

impl Runner for SimRunner {
    fn start(&self, spec: Spec) -> LocalFuture<'_, Result<Identity, StartFailed>> {
        Box::pin(async move {
            // The folder is made at once, and the shim comes up after a while.
            let begun = self.0.begin(spec);
            self.0.0.points.pass_or_die(Class::Machine, "folder made").await;
            let (least, spread) = START_MS;
            tokio::time::sleep(Duration::from_millis(least + self.0.0.clock.draw() % spread)).await;
            begun
        })
    }

    fn go(&self, key: AttemptKey) -> bool {
        let now = self.0.0.clock.sim_ms();
        let mut state = self.0.0.state.borrow_mut();
        let state = &mut *state;
        let Some(attempt) = state.attempts.get_mut(&key).filter(|a| a.shim == Shim::Ready) else { return false };
        (attempt.shim, attempt.told_to_go, attempt.alive, attempt.began_ms) = (Shim::Running, true, true, now);
        state.living.insert(key);
        attempt.ran = Some(state.ledger.len());
        state.ledger.push(Ran {
            key,
            nonce: attempt.spec.nonce.clone(),
            prompt: attempt.spec.prompt.clone(),
            began_ms: now,
            ended_ms: None,
            end: None,
            effects: 0,
        });
        true
    }

    fn clear(&self, key: AttemptKey) -> Result<(), StartFailed> {
        let may_have_run = {
            let mut state = self.0.0.state.borrow_mut();
            match state.attempts.get(&key) {
                Some(a) if a.shim == Shim::Ready => return Err(StartFailed::Transient("its shim is alive".into())),
                Some(a) => {
                    let ran = a.told_to_go || a.receipt.is_some() || a.ran.is_some();
                    if !ran {
                        state.attempts.remove(&key);
                    }
                    ran
                }
                None => false,
            }
        };
        if may_have_run {
            self.0.wrong(format!("clear of {key}, which may have run"));
            return Err(StartFailed::Exists);
        }
        Ok(())
    }

    fn observe(&self, key: AttemptKey, recorded: Option<&Identity>) -> Observation {
        self.0.observe(key, recorded)
    }

    fn watch(&self, key: AttemptKey, identity: Identity) -> LocalFuture<'_, Noticed> {
        Box::pin(async move {
            loop {
                self.0.settle();
                let now = self.0.0.clock.sim_ms();
                let lives = {
                    let mut state = self.0.0.state.borrow_mut();
                    let attempt = state.attempts.get_mut(&key).filter(|a| a.shim != Shim::Gone);
                    attempt.map(|a| a.fresh(now))
                };
                match lives {
                    Some(Some(line)) => return Noticed::Progress(line),
                    Some(None) => self.0.wait(key).await,
                    None => return Noticed::Ended(self.0.observe(key, Some(&identity))),
                }
            }
        })
    }

    fn stop(&self, key: AttemptKey, identity: &Identity) -> bool {
        let now = self.0.0.clock.sim_ms();
        let mut state = self.0.0.state.borrow_mut();
        let attempt = state.attempts.get_mut(&key).filter(|a| a.shim != Shim::Gone && a.identity == *identity);
        let Some(attempt) = attempt else { return false };
        if attempt.shim == Shim::Ready {
            attempt.shim = Shim::Gone;
        }
        attempt.stop_at.get_or_insert(now);
        self.0.0.changed.notify_waiters();
        true
    }

    fn kill(&self, key: AttemptKey, identity: Identity, waited_ms: i64) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            let grace_ms = self.0.0.state.borrow().attempts.get(&key).map_or(0, |a| a.spec.stop_grace_ms);
            let left = grace_ms.saturating_sub(waited_ms.unsigned_abs());
            tokio::time::sleep(Duration::from_millis(left)).await;
            loop {
                self.0.settle();
                let lives = {
                    let mut state = self.0.0.state.borrow_mut();
                    match state.attempts.get_mut(&key).filter(|a| a.shim != Shim::Gone && a.identity == identity) {
                        // Killed for its shim, which buries it and writes the receipt.
                        Some(a) if !a.script.is_immortal() => {
                            a.script.release();
                            true
                        }
                        Some(_) => true,
                        None => false,
                    }
                };
                if !lives {
                    return;
                }
                self.0.wait(key).await;
            }
        })
    }

    fn destroy(&self, key: AttemptKey, nonce: String) -> LocalFuture<'_, u32> {
        Box::pin(async move {
            loop {
                self.0.settle();
                {
                    let now = self.0.0.clock.sim_ms();
                    let mut state = self.0.0.state.borrow_mut();
                    let state = &mut *state;
                    match state.attempts.get_mut(&key).filter(|a| a.spec.nonce == nonce && a.alive) {
                        Some(a) if a.script.is_immortal() => {}
                        Some(a) => {
                            a.die(now, &mut state.ledger);
                            return 1;
                        }
                        None => return 0,
                    }
                }
                self.0.wait(key).await;
            }
        })
    }

    fn scan(&self) -> Result<Vec<AttemptKey>, String> {
        Ok(self.0.0.state.borrow().attempts.iter().filter(|(_, a)| !a.archived).map(|(key, _)| *key).collect())
    }

    fn archive(&self, key: AttemptKey) -> Result<(), String> {
        self.0.settle();
        let alive = {
            let mut state = self.0.0.state.borrow_mut();
            let Some(attempt) = state.attempts.get_mut(&key) else { return Ok(()) };
            attempt.archived = attempt.shim == Shim::Gone && !attempt.alive;
            !attempt.archived
        };
        if alive { Err(self.0.wrong(format!("archive of {key}, which is alive"))) } else { Ok(()) }
    }

    fn tail(&self, key: AttemptKey, stream: Stream, _: usize, _: usize) -> Result<String, String> {
        let state = self.0.0.state.borrow();
        let ran = state.attempts.get(&key).is_some_and(|a| a.ran.is_some());
        Ok(if ran && stream == Stream::Stdout { format!("output of {key}\n") } else { String::new() })
    }
}
