//! Runs units, several at once where they may, and writes the evidence of each when it is whole. What is written stays: an
//! interrupted gate goes on with what is missing.

use super::ended::Ended;
use super::head::Head;
use super::layout;
use super::policy::Policy;
use super::progress::{Happened, Progress};
use super::raw;
use super::shape::Shape;
use super::site::{Site, Stop};
use super::suites::{Suite, Unit};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often the display is looked after.
const TICK: Duration = Duration::from_millis(250);

/// Units that are left, the next one last; and why there will be no more.
type Queue<'a> = (Vec<&'a (Suite, Unit)>, Option<String>);

/// What units run with.
pub(crate) struct Execution<'a> {
    /// The checkout.
    pub(crate) root: &'a Path,
    /// The run's folder.
    pub(crate) run: &'a Path,
    /// What is tried.
    pub(crate) head: &'a Head,
    /// The policy.
    pub(crate) policy: &'a Policy,
    /// Somebody wants it to end.
    pub(crate) stop: &'a Stop,
    /// Units at once.
    pub(crate) jobs: usize,
}

/// Runs all that have no evidence yet.
pub(crate) fn execute(on: &Execution<'_>, planned: &[(Suite, Unit)]) -> Result<(), Ended> {
    let open = |(suite, unit): &&(Suite, Unit)| !on.run.join(layout::raw(suite.name, &unit.name)).is_file();
    let left: Vec<&(Suite, Unit)> = planned.iter().filter(open).collect();
    let mut progress = Progress::new(planned.len() - left.len(), planned.len());
    let mut prepared: Vec<&str> = Vec::new();
    for (suite, _) in &left {
        if !prepared.contains(&suite.name) {
            progress.say(&format!("preparing {}", suite.name));
            (suite.prepare)(&on.site(suite)).map_err(|error| on.ended(&format!("{}: {error}", suite.name)))?;
            prepared.push(suite.name);
        }
    }
    // Those that share the machine run together, and those that want it for themselves one after the other.
    for group in left.chunk_by(|(a, _), (b, _)| a.alone == b.alone) {
        let jobs = if group[0].0.alone { 1 } else { on.jobs };
        on.together(group, jobs, &mut progress)?;
    }
    progress.clear();
    Ok(())
}

impl<'a> Execution<'a> {
    fn site<'b>(&'b self, suite: &'b Suite) -> Site<'b> {
        let Execution { root, run, policy, stop, head, jobs: _ } = self;
        Site { root, run, policy, stop, suite, seeds: head.seeds(), build: head.build() }
    }

    /// Why there is no evidence: somebody wanted it to end, or the machine.
    fn ended(&self, what: &str) -> Ended {
        if self.stop.is_set() { Ended::Interrupted(what.to_owned()) } else { Ended::machine(what) }
    }

    fn together(&self, group: &[&(Suite, Unit)], jobs: usize, progress: &mut Progress) -> Result<(), Ended> {
        let queue: Mutex<Queue<'_>> = Mutex::new((group.iter().rev().copied().collect(), None));
        let (send, receive) = channel();
        std::thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                let (send, queue) = (send.clone(), &queue);
                scope.spawn(move || self.work(queue, &send));
            }
            drop(send);
            loop {
                match receive.recv_timeout(TICK) {
                    Ok(what) => progress.happened(what),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                progress.tick();
            }
        });
        let (_, failed) = queue.into_inner().map_err(|_| Ended::machine("a unit panicked"))?;
        match failed {
            Some(what) => Err(self.ended(&what)),
            None if self.stop.is_set() => Err(self.ended("no unit was running")),
            None => Ok(()),
        }
    }

    /// Takes one unit after the other, until none is left or one fails.
    fn work(&self, queue: &Mutex<Queue<'_>>, send: &Sender<Happened>) {
        loop {
            let next = {
                let Ok(mut queue) = queue.lock() else { return };
                if queue.1.is_some() || self.stop.is_set() { None } else { queue.0.pop() }
            };
            let Some((suite, unit)) = next else { return };
            let name = format!("{}/{}", suite.name, unit.name);
            // Nobody listens any more only when this is over.
            let _ = send.send(Happened::Begun(name.clone()));
            if let Err(error) = self.one(suite, unit) {
                if let Ok(mut queue) = queue.lock() {
                    queue.1.get_or_insert(format!("{name}: {error}"));
                }
                return;
            }
            let _ = send.send(Happened::Done(name));
        }
    }

    fn one(&self, suite: &Suite, unit: &Unit) -> Result<(), String> {
        let bytes = evidence(&self.site(suite), self.head, unit)?;
        layout::write(&self.run.join(layout::raw(suite.name, &unit.name)), &bytes)
    }
}

/// A unit's evidence, as its file has it.
pub(crate) fn evidence(site: &Site<'_>, head: &Head, unit: &Unit) -> Result<Vec<u8>, String> {
    let lines = (site.suite.run)(site, unit)?;
    Shape::whole(site.suite, unit, &site.seeds(unit), &lines)?;
    raw::pack(&head.genesis(site.suite, unit), &lines)
}
