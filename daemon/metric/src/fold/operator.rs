//! Time that people spend, by the keystroke-level model: what they did, and what they were sent to read.
//!
//! Acts of a person with less than five minutes between them are a session: the hand goes to the phone once. It takes what
//! the model says of its acts. In production it takes no less than it lasted, because who answers every minute does nothing
//! else meanwhile; how long people of a simulation wait between acts is made up, and would be measured instead of the system.
//! Reading is added, whenever it came.
//!
//! Days are whole ones from the beginning of a run, and of a person only those with anything in them: idle ones would make
//! the mean look good. What follows the last whole day belongs to it. A run shorter than a day says nothing about days.

use super::{Cluster, Counted, Ending};
use crate::ledger::{Act, Did, Line, Origin, Run};
use crate::limits::{DAY_MOST_MS, DAY_MS, HAND_MS, KEY_MS, MIND_MS, READ_PER_MINUTE, SESSION_GAP_MS};
use std::collections::BTreeMap;

/// The fold.
#[derive(Default)]
pub(crate) struct Folding {
    now: BTreeMap<String, Vec<Act>>,
    done: Counted,
}

impl Folding {
    pub(crate) fn line(&mut self, line: &Line) {
        if let Line::Act(act) = line {
            self.now.entry(act.by.clone()).or_default().push(act.clone());
        }
    }

    pub(crate) fn close(&mut self, run: &Run, ending: &Ending<'_>) {
        let now = std::mem::take(&mut self.now);
        if run.kept {
            return;
        }
        let days = match ending {
            Ending::Whole(end) => end.at_ms / DAY_MS,
            // As long as we know of it, and all of it as bad as a day may be.
            Ending::CutOff(_) => now.values().flatten().map(|act| act.at_ms / DAY_MS + 1).max().unwrap_or(0),
        };
        for (by, mut acts) in now {
            if days < 1 {
                continue;
            }
            acts.sort_by_key(|act| act.at_ms);
            for day in 0..days {
                let from = acts.partition_point(|act| act.at_ms < day * DAY_MS);
                let to = if day + 1 == days {
                    acts.len()
                } else {
                    acts.partition_point(|act| act.at_ms < (day + 1) * DAY_MS)
                };
                let ms = match ending {
                    Ending::Whole(_) if from == to => continue,
                    Ending::Whole(_) => spent_ms(run.origin, &acts[from..to]),
                    Ending::CutOff(_) => DAY_MOST_MS.unsigned_abs() + 1,
                };
                self.day(run, &by, day, ms);
            }
        }
    }

    fn day(&mut self, run: &Run, by: &str, day: i64, ms: u64) {
        let bad = ms > DAY_MOST_MS.unsigned_abs();
        self.done.add(run.seed, run.persona.as_deref(), Cluster { all: 1, bad: u64::from(bad), ms });
        if bad {
            self.done.name(run, &format!("day {} of {by} took {} min", day + 1, ms / 60_000));
        }
    }

    pub(crate) fn counted(self) -> Counted {
        self.done
    }
}

/// What these acts of one person took, in the order in which they happened.
fn spent_ms(origin: Origin, acts: &[Act]) -> u64 {
    let mut read = 0;
    // The session that is open: from, to, and what the model says.
    let mut session: Option<(i64, i64, u64)> = None;
    let mut spent = 0;
    for act in acts {
        let took = match act.did {
            Did::Typed(characters) => MIND_MS + (u64::from(characters) + 1) * KEY_MS,
            Did::Pressed => MIND_MS + KEY_MS,
            Did::Read(characters) => {
                read += (u64::from(characters) * 60_000).div_ceil(READ_PER_MINUTE);
                continue;
            }
        };
        session = match session {
            Some((from, to, model)) if act.at_ms - to < SESSION_GAP_MS => Some((from, act.at_ms, model + took)),
            over => {
                spent += over.map_or(0, |session| length_ms(origin, session));
                // The hand goes to the phone.
                Some((act.at_ms, act.at_ms, HAND_MS + took))
            }
        };
    }
    spent + session.map_or(0, |session| length_ms(origin, session)) + read
}

fn length_ms(origin: Origin, (from, to, model): (i64, i64, u64)) -> u64 {
    match origin {
        Origin::Sim | Origin::Lab => model,
        Origin::Production => model.max((to - from).unsigned_abs() + HAND_MS + MIND_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(at_ms: i64, did: Did) -> Act {
        Act { at_ms, by: "ana".into(), did }
    }

    #[test]
    fn a_session_takes_what_the_model_says_and_in_production_no_less_than_it_lasted() {
        let spent_ms = |acts: &[Act]| spent_ms(Origin::Production, acts);
        assert_eq!(spent_ms(&[]), 0);
        assert_eq!(spent_ms(&[act(0, Did::Pressed)]), 400 + 1_350 + 280);
        assert_eq!(spent_ms(&[act(0, Did::Typed(9))]), 400 + 1_350 + 10 * 280);
        // Two presses four minutes apart: a session of four minutes; six minutes apart: two short ones.
        let minutes = |n: i64| n * 60_000;
        assert_eq!(spent_ms(&[act(0, Did::Pressed), act(minutes(4), Did::Pressed)]), 240_000 + 1_750);
        assert_eq!(spent_ms(&[act(0, Did::Pressed), act(minutes(6), Did::Pressed)]), 2 * 2_030);
        let modelled = super::spent_ms(Origin::Sim, &[act(0, Did::Pressed), act(minutes(4), Did::Pressed)]);
        assert_eq!(modelled, 400 + 2 * (1_350 + 280));
        // Reading is added and makes no session.
        assert_eq!(spent_ms(&[act(0, Did::Read(1_190))]), 60_000);
    }
}
