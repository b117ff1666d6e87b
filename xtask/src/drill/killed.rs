//! kill -9 of the command, of the daemon or of both, at each step of a switch in turn; then the command is given again, or what
//! it did is undone, or ended as a start of the machine would end it.

use super::machine::{A, B, Machine};
use super::modes::{Ends, Runs, WENT_BACK};
use super::round::{Round, SOAK};
use crate::kill::lab::{PATIENCE, Step};
use std::process::Child;
use std::time::Instant;

/// Steps as they are written down, there and back.
const THERE: [&str; 7] = ["verify", "preflight", "back_up", "drain", "flip", "restart", "soak"];
const BACK: [&str; 6] = ["verify", "preflight", "drain", "flip", "restart", "soak"];
/// Pairs of a step and a victim on the longer of both ways.
pub(super) const CASES: u64 = (THERE.len() * Victim::ALL.len()) as u64;
/// From here on the daemon that is killed may be the one that is watched.
const WATCHED: &str = "restart";

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Command,
    Daemon,
    Both,
}

impl Victim {
    const ALL: [Victim; 3] = [Victim::Command, Victim::Daemon, Victim::Both];

    fn name(self) -> &'static str {
        match self {
            Victim::Command => "the command",
            Victim::Daemon => "the daemon",
            Victim::Both => "both",
        }
    }
}

/// The step and the victim of a round: all pairs in turn.
fn case(nth: u64, steps: &[&'static str]) -> (&'static str, Victim) {
    let n = usize::try_from(nth).unwrap_or(0);
    (steps[n % steps.len()], Victim::ALL[(n + n / steps.len()) % Victim::ALL.len()])
}

/// On the way to the new release.
pub(super) fn forward(round: &mut Round, machine: &mut Machine<'_>) -> Step<Option<i32>> {
    let (step, victim) = case(round.nth / 2, &THERE);
    let child = machine.begin(&["activate", B, "--soak", SOAK])?;
    let (child, at) = strike(round, machine, child, step, &THERE, victim)?;
    let ends = |code, runs| vec![Ends { code, runs }];
    if victim == Victim::Daemon {
        let mut may = ends(0, Runs::New);
        if is_watched(&at, &THERE) {
            may.extend(ends(WENT_BACK, Runs::Old));
        }
        round.seen.ends = may;
        return machine.wait_for(child);
    }
    let (then, told, runs) = match round.chance.below(3) {
        0 => ("rollback", "undone", Runs::Old),
        1 => ("activate", "given again", Runs::New),
        _ => ("finish", "finished by itself", by_itself(machine)?),
    };
    round.seen.ends = ends(0, runs);
    round.seen.done += &format!(", {told}");
    let again = machine.begin(&[then])?;
    machine.wait_for(again)
}

/// What has to run after `finish`, which is what a start of the machine does: what had changed nothing is given up. That start
/// looks for who is to do it, and that has to be the release that was there before.
fn by_itself(machine: &Machine<'_>) -> Step<Runs> {
    let finisher = machine.finisher();
    if finisher.as_deref() != Some(A) {
        return Err(format!("a switch is under way, and {finisher:?} is to bring it to its end"));
    }
    let at = machine.step().ok_or("a switch was cut off, and none is under way")?;
    Ok(if THERE.iter().position(|step| *step == at) < THERE.iter().position(|step| *step == "flip") {
        Runs::Old
    } else {
        Runs::New
    })
}

/// On the way back from it.
pub(super) fn back(round: &mut Round, machine: &mut Machine<'_>) -> Step<Option<i32>> {
    let (step, victim) = case(round.nth / 2, &BACK);
    let child = machine.begin(&["activate", B, "--soak", "0s"])?;
    let code = machine.wait_for(child)?;
    if code != Some(0) {
        return Err(format!("a good release was not blessed ({code:?}): {}", machine.said()));
    }
    machine.round_trip()?;
    let child = machine.begin(&["rollback"])?;
    let (child, _) = strike(round, machine, child, step, &BACK, victim)?;
    if victim == Victim::Daemon {
        return machine.wait_for(child);
    }
    // As a person goes on with it, or as a start of the machine does: a way back is never given up.
    let (then, told) = match round.chance.below(3) {
        0 => ("finish", "finished by itself"),
        _ => ("rollback", "given again"),
    };
    round.seen.done += &format!(", {told}");
    let again = machine.begin(&[then])?;
    machine.wait_for(again)
}

/// Kills at this step, or at the first later one that is seen; at which it was.
fn strike(
    round: &mut Round,
    machine: &mut Machine<'_>,
    mut child: Child,
    step: &str,
    steps: &[&str],
    victim: Victim,
) -> Step<(Child, String)> {
    let place = |step: &str| steps.iter().position(|other| *other == step);
    let began = Instant::now();
    // The one that runs before anything was started anew.
    let before = machine.daemon();
    // Without a pause: some steps take no longer than a write.
    let at = loop {
        match machine.step() {
            Some(at) if place(&at) >= place(step) => break at,
            Some(_) | None if began.elapsed() > PATIENCE => return Err(format!("the step {step} did not come")),
            Some(_) | None => {}
        }
    };
    if victim != Victim::Daemon {
        let _ = child.kill();
        let _ = child.wait();
    }
    if victim != Victim::Command {
        Machine::kill(if is_watched(&at, steps) { machine.daemon() } else { before });
    }
    let now = machine.now();
    round.seen.began = Some(now);
    machine.outage_from(now);
    machine.moment(&format!("kill at {at}"));
    round.seen.done += &format!(", {} killed at {at}", victim.name());
    // Somebody has to notice first.
    let pause = now + i64::try_from(round.chance.below(300)).unwrap_or(0);
    machine.until("a moment", |machine| machine.now() > pause)?;
    Ok((child, at))
}

fn is_watched(at: &str, steps: &[&str]) -> bool {
    let place = |step: &str| steps.iter().position(|other| *other == step);
    place(at) >= place(WATCHED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_pair_of_step_and_victim_has_its_turn() {
        for steps in [THERE.as_slice(), &BACK] {
            let all = (0..steps.len() as u64 * 3).map(|nth| {
                let (step, victim) = case(nth, steps);
                format!("{step} {victim:?}")
            });
            assert_eq!(all.collect::<BTreeSet<_>>().len(), steps.len() * 3);
        }
    }
}
