//! What people were told has to be on the disk, whenever the daemon dies: looked at while the run goes on, because what is
//! lost may be done again and look well at the end.

use crate::botapi::http::Shared;
use crate::people::{Asked, chats, task_of};
use mainstay::event::Recorded;
use mainstay::id::TaskId;
use mainstay::task::State;
use std::collections::{BTreeMap, BTreeSet};

/// The name of this property, which is not in the list because it is not judged at the end.
pub const NAME: &str = "what was told is on record after every crash";

/// What that means.
pub const ABOUT: &str = "Whenever the daemon or the machine dies, the disk has every state that a card or report showed to \
                         people, and every task that was answered on the command line.";

/// Whether everything that was told is among the events that a dead daemon left.
///
/// # Errors
/// What was told and is not there.
pub fn check(telegram: &Shared, asked: &[Asked], events: &[Recorded]) -> Result<(), String> {
    let mut reached: BTreeMap<i64, BTreeSet<State>> = BTreeMap::new();
    for event in events {
        if let (Some(TaskId(task)), Some(state)) = (event.task, event.fact.state_after()) {
            reached.entry(task).or_default().insert(state);
        }
    }
    for chat in chats() {
        let screen = telegram.look(|t| t.screen(chat));
        for message in screen.messages.iter().filter(|m| m.is_bot) {
            let Some((task, state)) = told(&message.text) else { continue };
            if !reached.get(&task).is_some_and(|states| states.contains(&state)) {
                return Err(format!("task {task} was shown as {state}, and the disk does not have it"));
            }
        }
    }
    let answered = asked.iter().filter(|asked| asked.acknowledged.is_some()).flat_map(|asked| &asked.tasks);
    match answered.into_iter().find(|task| !reached.contains_key(task)) {
        Some(task) => Err(format!("task {task} was acknowledged, and the disk does not have it")),
        None => Ok(()),
    }
}

/// The task and the state that a card or a report tells of in its first line.
pub(crate) fn told(text: &str) -> Option<(i64, State)> {
    let line = text.lines().next()?;
    let words = line.split(|c: char| !c.is_ascii_alphabetic());
    let state = words.filter_map(|word| State::ALL.into_iter().find(|state| state.name() == word)).next()?;
    Some((task_of(line)?, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_and_reports_tell_of_a_state_and_answers_do_not() {
        assert_eq!(told("#7 build · RUNNING (attempt 2)\njob-1 APPROVED"), Some((7, State::Running)));
        assert_eq!(told("✅ #12 build SUCCEEDED after 2 s\njob-1"), Some((12, State::Succeeded)));
        assert_eq!(told("(possible repeat) #3 note · QUEUED"), Some((3, State::Queued)));
        assert_eq!(told("#3 flaky · QUEUED for another try (exit code 75)"), Some((3, State::Queued)));
        assert_eq!(told("#7 approved: ready"), None);
        assert_eq!(told("nothing"), None);
    }
}
