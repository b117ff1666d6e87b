//! What people had read of a task when everything went dark. The record has to know of it from before, not from a second
//! telling.

use crate::botapi::ChatId;
use crate::people::{self, GROUP, task_of};
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
        let config = people::config();
        let chats = config.operators.keys().map(|id| ChatId(*id)).chain([GROUP]);
        let states = chats.flat_map(|chat| {
            let screen = world.telegram.look(|t| t.screen(chat));
            screen.messages.into_iter().filter(|m| m.is_bot).filter_map(|m| state_in(&m.text))
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

/// The task and its state in the first line of a card or report.
fn state_in(text: &str) -> Option<(i64, State)> {
    let line = text.lines().next()?;
    let task = task_of(line)?;
    let words = |c: char| !c.is_ascii_uppercase();
    let state = line.split(words).find_map(|word| State::ALL.into_iter().find(|state| state.to_string() == word))?;
    Some((task, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay::id::{Actor, TaskId};

    #[test]
    fn the_first_line_says_which_task_and_how_it_stands() {
        assert_eq!(state_in("#7 build · REQUESTED\njob-1 FAILED"), Some((7, State::Requested)));
        assert_eq!(state_in("🔴 #12 build · FAILED (exit code 3)"), Some((12, State::Failed)));
        assert_eq!(state_in("#3 flaky · QUEUED for another try (exit code 75)"), Some((3, State::Queued)));
        assert_eq!(state_in("Nothing waits."), None);
    }

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
