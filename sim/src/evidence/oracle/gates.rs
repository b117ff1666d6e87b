//! What stands between a task and running, as the model has it: one of the states that a task can be in, and what each wish
//! comes to in it.

use super::{Life, noticed};
use crate::evidence::execution::{is_tried_again, timed_out};
use crate::people::Given;
use crate::property::Evidence;
use crate::world::machine::Ran;
use mainstay::attempt::End;
use mainstay::config::Kind;
use mainstay::task::State;
use std::collections::BTreeSet;

/// Between a wish and the beginning of what it lets begin, clocks are no finer than this, ms.
const FINE_MS: i64 = 1_000;
/// Times to live are looked at by a clock that runs on while the machine is off: they may be late by its outages, ms.
const LATELY_MS: i64 = 60_000;

/// What a task may be waiting for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::evidence) struct Gate {
    pub(in crate::evidence) phase: Phase,
    /// Whose yes counts.
    yes: BTreeSet<i64>,
    /// Who planned it.
    plan_by: Option<i64>,
    /// It passed its review.
    reviewed: bool,
    /// Since when it waits for what it waits for, ms.
    since: i64,
}

/// How far people have let it come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::evidence) enum Phase {
    /// For approvals.
    Requested,
    /// It was approved, be it that its approvals count no more.
    Approved,
    /// Somebody let it run, at this time.
    Let(i64),
    /// The same, and somebody wants it stopped while it runs.
    Stopping(i64),
    /// It came to an end that people gave it.
    Over(State),
}

/// Where a task is: what a wish finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::evidence) enum Where {
    Requested,
    Approved,
    /// It waits for a slot or runs: nobody but the daemon can tell when one becomes the other.
    Active,
    Over(State),
}

impl Gate {
    /// Of a task that was just asked for.
    pub(super) fn new(kind: &Kind, since: i64) -> Gate {
        let phase = if kind.approvals == 0 { Phase::Approved } else { Phase::Requested };
        Gate { phase, yes: BTreeSet::new(), plan_by: None, reviewed: false, since }
    }

    fn is_enough(&self, kind: &Kind) -> bool {
        u32::try_from(self.yes.len()).is_ok_and(|n| n >= kind.approvals)
    }

    /// Where it can be between two times.
    pub(super) fn places(
        &self,
        e: &Evidence<'_>,
        task: i64,
        life: &Life,
        struck: &[i64],
        (lo, hi): (i64, i64),
    ) -> BTreeSet<Where> {
        let waits = |place: Where, ttl: i64| {
            let over = self.since + ttl;
            let mut places = BTreeSet::new();
            if lo <= over + LATELY_MS + noticed(e, over, hi) {
                places.insert(place);
            }
            if hi >= over - FINE_MS {
                places.insert(Where::Over(State::Expired));
            }
            places
        };
        match self.phase {
            Phase::Requested => waits(Where::Requested, life.kind.approval_ttl_ms),
            Phase::Approved => waits(Where::Approved, life.kind.approval_ttl_ms),
            Phase::Over(state) => BTreeSet::from([Where::Over(state)]),
            Phase::Let(since) => self.run(e, task, life, struck, since, (lo, hi), false),
            Phase::Stopping(since) => self.run(e, task, life, struck, since, (lo, hi), true),
        }
    }

    /// The same of one that somebody let run: what the machine ran of it tells.
    #[expect(clippy::too_many_arguments, reason = "all that is known of a run")]
    fn run(
        &self,
        e: &Evidence<'_>,
        task: i64,
        life: &Life,
        struck: &[i64],
        since: i64,
        (lo, hi): (i64, i64),
        stopping: bool,
    ) -> BTreeSet<Where> {
        let then = since - FINE_MS..=hi + FINE_MS;
        let of_it = e.ledger.iter().filter(|ran| ran.key.task.0 == task && then.contains(&ran.began_ms));
        let runs: Vec<&Ran> = of_it.collect();
        let lost = |from: i64| struck.iter().any(|at| (from..=hi).contains(at));
        let Some(last) = runs.last() else {
            let mut places = BTreeSet::from([Where::Active]);
            // Its start was under way when the machine went down, or its time in the queue is over.
            places.extend(lost(since).then_some(Where::Over(State::Failed)));
            places.extend((hi >= since + life.kind.queue_ttl_ms).then_some(Where::Over(State::Expired)));
            places.extend(stopping.then_some(Where::Over(State::Canceled)));
            return places;
        };
        let Some(ended) = last.ended_ms.filter(|ended| *ended <= hi + FINE_MS) else {
            return BTreeSet::from([Where::Active]);
        };
        let left = u32::try_from(runs.len()).is_ok_and(|n| n < life.kind.max_attempts);
        let again = left && is_tried_again(&life.kind, last);
        let mut places = ends(&life.kind, last, stopping, again);
        // A try that was lost before its program began is in no ledger.
        places.extend((again && lost(ended)).then_some(Where::Over(State::Failed)));
        if (again && !stopping) || lo <= ended + noticed(e, ended, hi) {
            places.insert(Where::Active);
        }
        places
    }

    /// Whether a wish is done.
    pub(super) fn lets(&self, verb: &str, by: i64, life: &Life, place: Where) -> bool {
        let kind = &life.kind;
        let involved = by == life.requester || self.plan_by == Some(by);
        let may = kind.self_approval || !involved;
        let waits = matches!(place, Where::Requested | Where::Approved);
        match verb {
            "approve" => {
                let missing = place == Where::Requested || (place == Where::Approved && !self.is_enough(kind));
                let planned = !kind.requires_plan || self.plan_by.is_some();
                missing && planned && may && !self.yes.contains(&by)
            }
            "resume" => place == Where::Approved && self.is_enough(kind) && (!kind.requires_review || self.reviewed),
            "reject" => place == Where::Requested,
            "plan" => waits,
            "review" => waits && may,
            "recover" => matches!(place, Where::Over(State::Failed | State::Canceled | State::Expired)),
            "stop" => {
                let asked = matches!(self.phase, Phase::Stopping(_));
                match place {
                    Where::Requested | Where::Approved => true,
                    Where::Active => !asked,
                    Where::Over(_) => false,
                }
            }
            _ => false,
        }
    }

    /// What is left when a wish was done.
    pub(super) fn after(&self, verb: &str, given: &Given, life: &Life, place: Where, at: i64) -> Gate {
        let mut after = self.moved_to(place);
        match verb {
            "approve" => {
                after.yes.insert(given.by.0);
                after.since = at;
                if after.phase == Phase::Requested && after.is_enough(&life.kind) {
                    after.phase = Phase::Approved;
                }
            }
            "resume" => after.phase = Phase::Let(given.at),
            "reject" => after.phase = Phase::Over(State::Canceled),
            "plan" => (after.plan_by, after.reviewed, after.yes) = (Some(given.by.0), false, BTreeSet::new()),
            "review" => after.reviewed = !given.fails,
            "recover" => {
                (after.phase, after.reviewed, after.yes) = (Phase::Requested, false, BTreeSet::new());
                after.since = at;
            }
            "stop" => {
                after.phase = match self.phase {
                    Phase::Let(since) | Phase::Stopping(since) => Phase::Stopping(since),
                    Phase::Requested | Phase::Approved | Phase::Over(_) => Phase::Over(State::Canceled),
                };
            }
            _ => {}
        }
        after
    }

    /// The same once it is known where it is: an end is an end.
    pub(super) fn moved_to(&self, place: Where) -> Gate {
        let phase = match (place, self.phase) {
            (Where::Over(state), _) => Phase::Over(state),
            (Where::Requested | Where::Approved | Where::Active, phase) => phase,
        };
        Gate { phase, ..self.clone() }
    }

    /// Something was done that could not be: the model follows the world.
    pub(super) fn forced(&self, verb: &str, given: &Given, life: &Life, at: i64) -> Gate {
        self.after(verb, given, life, Where::Active, at)
    }
}

/// The ends that an attempt's end can be for its task.
fn ends(kind: &Kind, last: &Ran, stopping: bool, again: bool) -> BTreeSet<Where> {
    let stopped = last.end == Some(End::Signaled(15)) && !timed_out(kind, last);
    let over = match (&last.end, stopping) {
        (Some(End::Exited(0)), _) => vec![State::Succeeded],
        (_, true) if stopped || last.end.is_none() => vec![State::Canceled],
        // The wish and the end met.
        (_, true) => vec![State::Canceled, State::Failed],
        (_, false) if again => vec![],
        (_, false) => vec![State::Failed],
    };
    over.into_iter().map(Where::Over).collect()
}
