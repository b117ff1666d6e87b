//! What a daemon does to its machine, step by step: a cut before a step leaves it undone, one after it leaves it unheard of.

use super::machine::SimRunner;
use super::points::{Class, Points};
use mainstay::attempt::{Identity, Observation};
use mainstay::id::AttemptKey;
use mainstay::ports::{LocalFuture, Noticed, Runner, Spec, StartFailed, Stream};

/// The machine of a daemon that can be cut. Looking at it is no step.
pub(super) struct Steps {
    machine: SimRunner,
    points: Points,
}

impl Steps {
    pub(super) fn new(machine: SimRunner, points: &Points) -> Steps {
        Steps { machine, points: points.clone() }
    }

    /// `dead` is for who does not live to see it.
    fn step<T>(&self, [before, after]: [&'static str; 2], dead: T, effect: impl FnOnce() -> T) -> T {
        if !self.points.pass(Class::Machine, before) {
            return dead;
        }
        let done = effect();
        self.points.pass(Class::Machine, after);
        done
    }

    async fn long_step<T>(&self, [before, after]: [&'static str; 2], effect: LocalFuture<'_, T>) -> T {
        self.points.pass_or_die(Class::Machine, before).await;
        let done = effect.await;
        self.points.pass_or_die(Class::Machine, after).await;
        done
    }
}

impl Runner for Steps {
    fn start(&self, spec: Spec) -> LocalFuture<'_, Result<Identity, StartFailed>> {
        Box::pin(self.long_step(["before start", "shim ready"], self.machine.start(spec)))
    }

    fn go(&self, key: AttemptKey) -> bool {
        self.step(["before go", "told to go"], false, || self.machine.go(key))
    }

    fn clear(&self, key: AttemptKey) -> Result<(), StartFailed> {
        let dead = Err(StartFailed::Transient("cut".into()));
        self.step(["before clear", "cleared"], dead, || self.machine.clear(key))
    }

    fn observe(&self, key: AttemptKey, recorded: Option<&Identity>) -> Observation {
        self.machine.observe(key, recorded)
    }

    fn watch(&self, key: AttemptKey, identity: Identity) -> LocalFuture<'_, Noticed> {
        self.machine.watch(key, identity)
    }

    fn stop(&self, key: AttemptKey, identity: &Identity) -> bool {
        self.step(["before stop", "told to stop"], false, || self.machine.stop(key, identity))
    }

    fn kill(&self, key: AttemptKey, identity: Identity, waited_ms: i64) -> LocalFuture<'_, ()> {
        Box::pin(self.long_step(["before kill", "killed"], self.machine.kill(key, identity, waited_ms)))
    }

    fn destroy(&self, key: AttemptKey, nonce: String) -> LocalFuture<'_, u32> {
        Box::pin(self.long_step(["before destroy", "destroyed"], self.machine.destroy(key, nonce)))
    }

    fn scan(&self) -> Result<Vec<AttemptKey>, String> {
        self.machine.scan()
    }

    fn archive(&self, key: AttemptKey) -> Result<(), String> {
        self.step(["before archive", "archived"], Ok(()), || self.machine.archive(key))
    }

    fn tail(&self, key: AttemptKey, stream: Stream, lines: usize, max_bytes: usize) -> Result<String, String> {
        self.machine.tail(key, stream, lines, max_bytes)
    }
}
