//! When something happened, as the world saw it.

use crate::people::{People, job_of, reports_of};
use crate::scenario::Moment;
use crate::world::World;
use mainstay::attempt::End;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Looks for moments; what was seen once stays seen.
#[derive(Default)]
pub struct Moments {
    /// Reports carry no time of their own: when they were first seen, ms of the simulation.
    reported: RefCell<BTreeMap<usize, i64>>,
    /// How much had changed in the chats when they were last looked at for a job.
    looked_at: RefCell<BTreeMap<usize, u64>>,
    /// When each job's program first ran, ms of the simulation, and how much of the ledger that is from: whole days pass until
    /// some run, and looks are many.
    began: RefCell<(BTreeMap<usize, i64>, usize)>,
}

impl Moments {
    /// When something happened, if it did, ms of the simulation.
    pub fn happened(&self, moment: Moment, world: &World, people: &People) -> Option<i64> {
        let asked = people.jobs.get(moment.job().checked_sub(1)?)?;
        // Nothing of a job happens before.
        asked.at?;
        let ledger = || {
            let mut ledger = world.machine.ledger();
            ledger.retain(|ran| job_of(&ran.prompt) == Some(moment.job()));
            ledger
        };
        match moment {
            Moment::Shown(_) => asked.acknowledged,
            Moment::Approved(_) => asked.approved.first().map(|pressed| pressed.at),
            Moment::Resumed(_) => asked.resumed.first().map(|pressed| pressed.at),
            Moment::Stopped(_) => asked.stopped.map(|pressed| pressed.at),
            Moment::Runs(job) => self.began(job, world),
            Moment::RunsAgain(_) => {
                let ledger = ledger();
                let first = ledger.first()?.key.task;
                ledger.iter().filter(|ran| ran.key.task == first).nth(1).map(|ran| ran.began_ms)
            }
            Moment::Failed(_) => {
                let ledger = ledger();
                let failed = ledger.iter().find(|ran| ran.ended_ms.is_some() && ran.end != Some(End::Exited(0)));
                failed.and_then(|ran| ran.ended_ms)
            }
            Moment::Ended(_) => ledger().first().and_then(|ran| ran.ended_ms),
            Moment::Reported(job) => self.reported(job, asked.tasks.first().copied(), world),
        }
    }

    fn began(&self, job: usize, world: &World) -> Option<i64> {
        let (began, seen) = &mut *self.began.borrow_mut();
        for ran in world.machine.ledger_from(*seen) {
            *seen += 1;
            if let Some(job) = job_of(&ran.prompt) {
                began.entry(job).or_insert(ran.began_ms);
            }
        }
        began.get(&job).copied()
    }

    fn reported(&self, job: usize, task: Option<i64>, world: &World) -> Option<i64> {
        let known = self.reported.borrow().get(&job).copied();
        let changes = world.telegram.look(|t| t.changes().end());
        if known.is_some() || self.looked_at.borrow_mut().insert(job, changes) == Some(changes) {
            return known;
        }
        let is_there = !reports_of(world, task?).is_empty();
        is_there.then(|| *self.reported.borrow_mut().entry(job).or_insert(world.now()))
    }
}
