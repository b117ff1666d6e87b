//! Runs units, several at once where they may, and writes the evidence of each when it is whole. What is written stays: an
//! interrupted gate goes on with what is missing.

use super::checkout::Checkout;
use super::ended::Ended;
use super::head::Head;
use super::layout;
use super::policy::Policy;
use super::progress::{Happened, Progress};
use super::raw;
use super::shape::Shape;
use super::site::{Site, Stop};
use super::suites::{Load, Suite, Unit};
use rustix::process::setpriority_process;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use std::vec::IntoIter;

/// How often the display is looked after.
const TICK: Duration = Duration::from_millis(250);

/// How nice those are that compute: what is waited for in real time goes first.
const POLITE: i32 = 10;

/// How many units at once, how nice, and which.
type Lane<'a> = (usize, i32, Vec<&'a (Suite, Unit)>);

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
    let alone = |(suite, _): &&(Suite, Unit)| suite.load == Load::Alone;
    for group in left.chunk_by(|a, b| alone(a) == alone(b)) {
        let of = |load| group.iter().copied().filter(move |(suite, _)| suite.load == load).collect();
        let lanes = [(on.jobs, POLITE, of(Load::Computes)), (1, 0, of(Load::Waits)), (1, 0, of(Load::Alone))];
        on.together(lanes, &mut progress)?;
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

    /// Runs units in lanes beside each other, until none is left or one fails.
    fn together(&self, lanes: [Lane<'_>; 3], progress: &mut Progress) -> Result<(), Ended> {
        let failed: Mutex<Option<String>> = Mutex::new(None);
        let lanes = lanes.map(|(jobs, niceness, units)| (jobs, niceness, Mutex::new(units.into_iter())));
        let (send, receive) = channel();
        std::thread::scope(|scope| {
            for (jobs, niceness, units) in &lanes {
                for _ in 0..*jobs {
                    let (send, failed) = (send.clone(), &failed);
                    scope.spawn(move || {
                        if *niceness > 0 {
                            // Linux: of this thread, and of the processes that it starts.
                            let _ = setpriority_process(None, *niceness);
                        }
                        self.work(units, failed, &send);
                    });
                }
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
        match failed.into_inner().map_err(|_| Ended::machine("a unit panicked"))? {
            Some(what) => Err(self.ended(&what)),
            None if self.stop.is_set() => Err(self.ended("no unit was running")),
            None => Ok(()),
        }
    }

    /// Takes one unit after the other, until none is left or one fails, here or in another lane.
    fn work(&self, units: &Mutex<IntoIter<&(Suite, Unit)>>, failed: &Mutex<Option<String>>, send: &Sender<Happened>) {
        loop {
            let over = self.stop.is_set() || failed.lock().map_or(true, |failed| failed.is_some());
            let next = if over { None } else { units.lock().ok().and_then(|mut units| units.next()) };
            let Some((suite, unit)) = next else { return };
            let name = format!("{}/{}", suite.name, unit.name);
            // Nobody listens any more only when this is over.
            let _ = send.send(Happened::Begun(name.clone()));
            if let Err(error) = self.one(suite, unit) {
                if let Ok(mut failed) = failed.lock() {
                    failed.get_or_insert(format!("{name}: {error}"));
                }
                return;
            }
            let _ = send.send(Happened::Done(name));
        }
    }

    fn one(&self, suite: &Suite, unit: &Unit) -> Result<(), String> {
        let bytes = evidence(&self.site(suite), self.head, unit)?;
        let here = Checkout { root: self.root.to_owned() }.head()?;
        if here.commit != self.head.commit || here.dirty != self.head.dirty {
            return Err("the tree is not what it was when this began, so this shows nothing of it: put it back".into());
        }
        layout::write(&self.run.join(layout::raw(suite.name, &unit.name)), &bytes)
    }
}

/// A unit's evidence, as its file has it.
pub(crate) fn evidence(site: &Site<'_>, head: &Head, unit: &Unit) -> Result<Vec<u8>, String> {
    let lines = (site.suite.run)(site, unit)?;
    Shape::whole(site.suite, unit, &site.seeds(unit), &lines)?;
    raw::pack(&head.genesis(site.suite, unit), &lines)
}
