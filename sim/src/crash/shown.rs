//! What people had read of a task when everything went dark. The record has to know of it from before, not from a second
//! telling.

use crate::people::chats;
use crate::property::told::told;
use crate::world::World;
use mainstay::event::{Fact, Recorded};
use mainstay::task::State;
use std::collections::BTreeSet;

/// States of tasks that could be read in a chat at a time.
pub(super) struct Shown {
    wall_ms: i64,
    states: BTreeSet<(i64, State)>,
}

impl Shown {
    /// What can be read now.
    pub(super) fn now(world: &World) -> Shown {
        let states = chats().into_iter().flat_map(|chat| {
            let screen = world.telegram.look(|t| t.screen(chat));
            screen.messages.into_iter().filter(|m| m.is_bot).filter_map(|m| told(&m.text))
        });
        Shown { wall_ms: world.clock.true_wall_ms(), states: states.collect() }
    }

    /// What was shown and is not on record from before that.
    pub(super) fn is_on(&self, record: &[Recorded]) -> Result<(), String> {
        let from_before = |task: i64, state: State| {
            record.iter().filter(|e| e.at <= self.wall_ms && e.task.is_some_and(|t| t.0 == task)).any(|e| {
                let asked = state == State::Requested && matches!(e.fact, Fact::Requested { .. });
                asked || e.fact.step().is_some_and(|step| step.to() == state)
            })
        };
        match self.states.iter().find(|(task, state)| !from_before(*task, *state)) {
            Some((task, state)) => {
                Err(format!("task {task} had been shown as {state}, and the record did not know of it any more"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay::id::{Actor, TaskId};

    #[test]
    fn what_the_record_learned_only_afterwards_was_lost() {
        let requested = |at: i64| Recorded {
            seq: 1,
            at,
            boot: "b".into(),
            epoch: 1,
            trace: String::new(),
            task: Some(TaskId(7)),
            attempt: None,
            actor: Actor::System,
            fact: Fact::Requested {
                kind: "build".into(),
                prompt: String::new(),
                heavy: true,
                group: "build".into(),
                chat: None,
                thread: None,
                message: None,
                rerun_of: None,
                until: 0,
            },
        };
        let shown = Shown { wall_ms: 100, states: BTreeSet::from([(7, State::Requested)]) };
        assert_eq!(shown.is_on(&[requested(100)]), Ok(()));
        assert!(shown.is_on(&[requested(101)]).is_err());
        assert!(shown.is_on(&[]).is_err());
    }
}
