//! Goes through the steps of a switch, each written down before it is done, until it is over.
//!
//! What does the steps is given: the machine, or a world of a test that kills at every point.

use super::known::Known;
use super::manifest::Database;
use super::switch::{Switch, Way};

/// Why a step is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It failed: the switch ends, or leads back.
    Step(String),
    /// Nothing more can be done now: the switch stays where it is, for the next command to go on with.
    Halt(String),
}

/// Does what steps say.
pub trait Hands {
    /// Writes down what is known, durably.
    ///
    /// # Errors
    /// The disk did not take it.
    fn keep(&mut self, known: &Known) -> Result<(), String>;

    /// Does the step of the switch under way; may note in it what it saw.
    ///
    /// # Errors
    /// It is not done.
    fn perform(&mut self, known: &mut Known) -> Result<(), Failure>;

    /// Lets the daemon start tasks again, if it can be asked.
    fn lift_drain(&mut self);

    /// The database as it is now; none where there is none, or none that can be read.
    fn database(&mut self) -> Option<Database>;

    /// Wall clock, ms since 1970.
    fn now_ms(&self) -> i64;

    /// Whether somebody wants it to end.
    fn interrupted(&self) -> bool;

    /// Tells people.
    fn say(&mut self, words: &str);
}

/// Goes on with the switch under way until there is none.
///
/// What can't be written down is done all the same once another release may run: it would go on unwatched, and on a disk that is
/// full the way back is needed most. The next command then finds the switch where the disk has it, and goes on from there.
///
/// # Errors
/// Why it stands still. What is known says where.
pub fn drive(known: &mut Known, hands: &mut impl Hands) -> Result<(), String> {
    attended(known, true);
    go_on(known, hands)
}

fn attended(known: &mut Known, yes: bool) {
    if let Some(switch) = &mut known.switch {
        switch.unattended = !yes;
    }
}

fn go_on(known: &mut Known, hands: &mut impl Hands) -> Result<(), String> {
    let mut may_have_flipped = known.switch.as_ref().is_some_and(|switch| switch.step.may_have_flipped());
    while let Some(switch) = &known.switch {
        let (way, step) = (switch.way, switch.step);
        let (at, of) = switch.place();
        hands.say(&format!("{at}/{of} {} {}", step.name(), switch.to));
        if let Err(error) = hands.keep(known) {
            let words = unwritten(&error);
            if way == Way::Forward && !may_have_flipped {
                return stand_still(known, hands, words);
            }
            hands.say(&words);
        }
        may_have_flipped |= step.may_have_flipped();
        match hands.perform(known) {
            Ok(()) if hands.interrupted() && known.switch.as_ref().is_some_and(Switch::can_be_given_up) => {
                return give_up(known, hands, "it was interrupted").map(drop);
            }
            Ok(()) => known.done(hands.now_ms()),
            Err(Failure::Halt(why)) => return stand_still(known, hands, why),
            Err(Failure::Step(why)) => {
                hands.say(&format!("{} failed: {why}", step.name()));
                let drained = known.switch.as_ref().is_some_and(|switch| switch.drained);
                let database = hands.database();
                known.failed(&why, hands.now_ms(), database);
                // It may have ended with the daemon that was asked to drain: a restart can fail without having done anything.
                if drained && known.switch.is_none() {
                    hands.lift_drain();
                }
            }
        }
    }
    if let Err(error) = hands.keep(known) {
        hands.say(&unwritten(&error));
    }
    Ok(())
}

fn unwritten(error: &str) -> String {
    format!("what is done can't be written down: {error}")
}

/// Leaves a switch that has flipped nothing where it is; tasks start again meanwhile.
fn stand_still(known: &Known, hands: &mut impl Hands, why: String) -> Result<(), String> {
    if known.switch.as_ref().is_some_and(|switch| switch.drained) {
        hands.lift_drain();
    }
    Err(why)
}

/// Gives up the switch under way as long as it has changed nothing; false when it has.
///
/// # Errors
/// It can't be written down.
pub fn give_up(known: &mut Known, hands: &mut impl Hands, why: &str) -> Result<bool, String> {
    let Some(switch) = known.switch.as_ref().filter(|switch| switch.can_be_given_up()) else { return Ok(false) };
    if switch.drained {
        hands.lift_drain();
    }
    known.give_up(hands.now_ms(), why);
    hands.keep(known)?;
    Ok(true)
}

/// Ends a switch whose command was cut off, with nobody there to ask: one that has changed nothing is given up, for what was
/// wanted then is not known to be wanted still; any other goes on to its end, for what may run has to be watched.
///
/// # Errors
/// Why it stands still. What is known says where.
pub fn finish(known: &mut Known, hands: &mut impl Hands) -> Result<(), String> {
    attended(known, false);
    match give_up(known, hands, "its command was cut off")? {
        true => Ok(()),
        false => go_on(known, hands),
    }
}

#[cfg(test)]
mod tests;
