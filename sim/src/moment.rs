//! When something happened, as the world saw it.

use crate::people::{People, job_of, reports_of};
use crate::scenario::Moment;
use crate::world::World;
use crate::world::machine::Ran;
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
    /// Which entries of the ledger are a job's, and how many were looked at for that: whole days pass until some run, and looks
    /// are many.
    ran: RefCell<(BTreeMap<usize, Vec<usize>>, usize)>,
}

impl Moments {
    /// When something happened, if it did, ms of the simulation.
    pub fn happened(&self, moment: Moment, world: &World, people: &People) -> Option<i64> {
        let asked = people.jobs.get(moment.job().checked_sub(1)?)?;
        // Nothing of a job happens before.
        asked.at?;
        match moment {
            Moment::Shown(_) => asked.acknowledged,
            Moment::Approved(_) => asked.approved.first().map(|pressed| pressed.at),
            Moment::Resumed(_) => asked.resumed.first().map(|pressed| pressed.at),
            Moment::Stopped(_) => asked.stopped.map(|pressed| pressed.at),
            Moment::Runs(job) => self.look(job, world, |ran| Some(ran.first()?.began_ms)),
            Moment::RunsAgain(job) => self.look(job, world, |ran| {
                let (first, later) = ran.split_first()?;
                later.iter().find(|ran| ran.key.task == first.key.task).map(|ran| ran.began_ms)
            }),
            Moment::Failed(job) => self.look(job, world, |ran| {
                let failed = ran.iter().find(|ran| ran.ended_ms.is_some() && ran.end != Some(End::Exited(0)));
                failed.and_then(|ran| ran.ended_ms)
            }),
            Moment::Ended(job) => self.look(job, world, |ran| ran.first()?.ended_ms),
            Moment::Reported(job) => self.reported(job, asked.tasks.first().copied(), world),
        }
    }

    /// A look at what ran of a job, in order.
    fn look(&self, job: usize, world: &World, look: impl FnOnce(&[&Ran]) -> Option<i64>) -> Option<i64> {
        let (of, seen) = &mut *self.ran.borrow_mut();
        world.machine.look(|ledger| {
            for (n, ran) in ledger.iter().enumerate().skip(*seen) {
                if let Some(job) = job_of(&ran.prompt) {
                    of.entry(job).or_default().push(n);
                }
            }
            *seen = ledger.len();
            let of_job: Vec<&Ran> = of.get(&job).into_iter().flatten().map(|n| &ledger[*n]).collect();
            look(&of_job)
        })
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
