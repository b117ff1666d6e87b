//! Reruns: the same job with the same worker, five times, each under faults of its own. Consistent is what ends in the same
//! state with the same effect.
//!
//! Whatever nobody could know the end of would rightly differ: where a program that must not be repeated runs, nothing
//! strikes the machine itself (`power-loss`, `shim-killed`), only the daemon, the line and Telegram. Kinds that may be
//! repeated get all of it. What people do beside the usual way is left out: they would want something else each time.

use super::Told;
use crate::people;
use crate::run::days::worker;
use crate::run::{play_and_tell, resolve};
use crate::scenario::{Job, Scenario, Span, Via};
use crate::world::machine::Ran;
use crate::world::script::Script;
use mainstay::attempt::End;
use mainstay::config::Kind;
use mainstay::task::State;
use mainstay_metric::ledger::{End as Last, Line, Rerun};

/// Schedules of faults for each job.
pub const SCHEDULES: u64 = 5;
/// Kinds whose reruns are looked at, each with whether it may be repeated whatever it did.
const KINDS: [&str; 6] = ["build", "backup", "backup", "flaky", "flaky", "pair"];
/// What strikes a machine so that nobody knows the end of what ran.
const STRIKES: [&str; 2] = ["power-loss", "shim-killed"];

/// Plays one job under all schedules of its seed.
pub fn tell(scenario: &Scenario, seed: u64, told: &Told) -> Vec<Line> {
    let (job, kind) = job_of(seed);
    let mut lines = vec![told.head(scenario, seed)];
    let mut digest = crate::digest::Digest::default();
    let mut at_ms = 0;
    for schedule in 0..SCHEDULES {
        let (resolved, chance) = schedule_of(scenario, &job, &kind, seed, schedule);
        let (verdict, rerun) = play_and_tell(
            &resolved,
            chance,
            told.persona,
            |_| {},
            |run, broken| {
                let task = run.people.jobs[0].tasks.first().copied();
                let state = run.store().ok().and_then(|store| {
                    let view = store.task(mainstay::id::TaskId(task?)).ok()??;
                    Some(view.task.state)
                });
                let ledger = run.world.machine.ledger();
                let of_it: Vec<&Ran> = ledger.iter().filter(|ran| Some(ran.key.task.0) == task).collect();
                let effect = effect(&kind, &of_it);
                let right = broken.is_none() && state == Some(expected(&kind, &job)) && effect == wanted(&kind, &job);
                let state = state.map_or_else(|| "NOWHERE".to_owned(), |state| state.to_string());
                Rerun { job: format!("{seed}"), schedule, state, effect, right }
            },
        );
        digest.add(verdict.digest);
        at_ms += verdict.simulated_ms;
        lines.push(Line::Rerun(rerun));
    }
    lines.push(Line::End(Last { at_ms, cut_off: None, digest: Some(format!("{:016x}", digest.value())) }));
    lines
}

/// The job of a seed: the same under every schedule.
fn job_of(seed: u64) -> (Job, Kind) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed_0f0b);
    let name = KINDS[rng.usize(..KINDS.len())];
    let kind = people::config().kinds.remove(name).unwrap_or_else(|| Kind::new(name, true, vec![name.to_owned()]));
    let job = Job {
        at: Span(5_000),
        by: ["ana", "ben", "cleo"][rng.usize(..3)].to_owned(),
        kind: name.to_owned(),
        does: worker(&mut rng, name),
        via: Via::Group,
        stop_after: None,
        left_alone: false,
        ends: None,
        runs: None,
        attempts: None,
        reported: None,
    };
    let job = Job { ends: Some(expected(&kind, &job).to_string()), ..job };
    (job, kind)
}

/// The scenario of one schedule, and the seed of all other chance in it.
fn schedule_of(scenario: &Scenario, job: &Job, kind: &Kind, seed: u64, schedule: u64) -> (Scenario, u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let chance = (0..=schedule).map(|_| rng.u64(..)).last().unwrap_or(seed);
    let mut resolved = resolve(scenario, chance);
    resolved.jobs = vec![job.clone()];
    let may_strike = kind.idempotent;
    resolved.faults.retain(|planned| may_strike || !STRIKES.contains(&planned.fault.name()));
    (resolved, chance)
}

/// How a worker's tries end, as many as its kind gives it, each with whether it then has done what it is for. None: by its
/// time limit.
fn ends(kind: &Kind, does: &str) -> Vec<(Option<End>, bool)> {
    let mut ends = Vec::new();
    for attempt in 1..=kind.max_attempts {
        let script = Script::read(does, attempt);
        let end = script.end.clone().filter(|(after, _)| *after < kind.timeout_ms).map(|(_, end)| end);
        let codes = &kind.transient_exit_codes;
        let again = match &end {
            Some(End::Exited(0)) => false,
            Some(End::Exited(code)) => codes.is_empty() || codes.contains(code),
            Some(End::Signaled(_) | End::NotStarted(_)) => codes.is_empty(),
            None => true,
        };
        let did = end.as_ref().is_some_and(|end| script.has_effect(end));
        ends.push((end, did));
        if !again {
            break;
        }
    }
    ends
}

fn expected(kind: &Kind, job: &Job) -> State {
    let last = ends(kind, &job.does).pop().and_then(|(end, _)| end);
    if last == Some(End::Exited(0)) { State::Succeeded } else { State::Failed }
}

/// The effect that the job should have had, as [`effect`] writes it.
fn wanted(kind: &Kind, job: &Job) -> String {
    // A worker that does its work and then fails does it again with each try.
    written(kind, ends(kind, &job.does).iter().filter(|(_, did)| *did).count())
}

/// What was done, by the workers' own books.
fn effect(kind: &Kind, runs: &[&Ran]) -> String {
    written(kind, runs.iter().map(|ran| ran.effects as usize).sum())
}

/// Where repeating does no harm, twice is once.
fn written(kind: &Kind, times: usize) -> String {
    let times = if kind.idempotent { times.min(1) } else { times };
    format!("{}:{times}", kind.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_of_workers_follows_from_their_kind() {
        let kinds = people::config().kinds;
        let of = |kind: &str, does: &str| {
            let job = Job { does: does.to_owned(), ..job_of(1).0 };
            (expected(&kinds[kind], &job), wanted(&kinds[kind], &job))
        };
        assert_eq!(of("build", "exit:0@5"), (State::Succeeded, "build:1".into()));
        assert_eq!(of("build", "lies exit:0@5"), (State::Succeeded, "build:0".into()));
        assert_eq!(of("build", "did exit:1@5"), (State::Failed, "build:1".into()));
        assert_eq!(of("flaky", "fails:2@5 exit:0@5"), (State::Succeeded, "flaky:1".into()));
        assert_eq!(of("flaky", "did exit:1@5"), (State::Failed, "flaky:1".into()));
        assert_eq!(of("flaky", "did exit:75@5"), (State::Failed, "flaky:3".into()));
        assert_eq!(of("backup", "did exit:1@5"), (State::Failed, "backup:1".into()));
        assert_eq!(of("backup", "hang"), (State::Failed, "backup:0".into()));
    }
}
