//! What people were told has to be on the disk, whenever the daemon dies: looked at while the run goes on, because what is
//! lost may be done again and look well at the end.

use super::Evidence;
use crate::people::{REPEAT_MARK, chats, task_of};
use mainstay::id::TaskId;
use mainstay::task::State;
use std::collections::{BTreeMap, BTreeSet};

/// The name of this property, which is not in the list because it is not judged at the end.
pub const NAME: &str = "what was told is on record after every crash";

/// What that means.
pub const ABOUT: &str = "Whenever the daemon or the machine dies, the disk has every state that a card or report showed to \
                         people, every wish that was answered as done, in a chat, above a chat or on the command line, and \
                         every task that was answered there.";

/// Whether everything that was told is among the events that a dead daemon left.
///
/// # Errors
/// What was told and is not there.
pub fn check(e: &Evidence<'_>) -> Result<(), String> {
    let mut reached: BTreeMap<i64, BTreeSet<State>> = BTreeMap::new();
    let mut done: BTreeMap<(i64, &str), usize> = BTreeMap::new();
    for event in &e.events {
        let Some(TaskId(task)) = event.task else { continue };
        if let Some(state) = event.fact.state_after() {
            reached.entry(task).or_default().insert(state);
        }
        *done.entry((task, event.fact.kind())).or_default() += 1;
    }
    let is_reached = |task: i64, state: State| reached.get(&task).is_some_and(|states| states.contains(&state));
    // Each press and each request on the command line is answered once. What is said in a chat may arrive twice.
    let mut answered: BTreeMap<(i64, &str), usize> = BTreeMap::new();
    for toast in e.telegram.look(crate::botapi::World::toasts) {
        if let Some(wish) = toast.text.as_deref().and_then(done_to) {
            *answered.entry(wish).or_default() += 1;
        }
    }
    for answer in e.answers.iter().filter(|answer| answer.ok) {
        if let Some(wish) = done_to(&answer.text) {
            *answered.entry(wish).or_default() += 1;
        }
        let state = answer.data["state"].as_str().and_then(|name| name.parse::<State>().ok());
        if let Some((task, state)) = answer.data["task_id"].as_i64().zip(state)
            && !is_reached(task, state)
        {
            return Err(format!("task {task} was answered to be {state}, and the disk does not have it"));
        }
    }
    for chat in chats() {
        let screen = e.telegram.look(|t| t.screen(chat));
        for message in screen.messages.iter().filter(|m| m.is_bot) {
            if let Some(wish) = done_to(&message.text) {
                answered.entry(wish).or_insert(1);
            }
            let Some((task, state)) = told(&message.text) else { continue };
            e.looked.one();
            if !is_reached(task, state) {
                return Err(format!("task {task} was shown as {state}, and the disk does not have it"));
            }
        }
    }
    for ((task, fact), times) in answered {
        e.looked.one();
        let on_disk = done.get(&(task, fact)).copied().unwrap_or(0);
        if on_disk < times {
            return Err(format!(
                "of task {task} it was answered {times} time(s) that it is {fact}, and the disk has {on_disk}"
            ));
        }
    }
    let answered = e.asked.iter().filter(|asked| asked.acknowledged.is_some()).flat_map(|asked| &asked.tasks);
    match answered.into_iter().find(|task| !reached.contains_key(task)) {
        Some(task) => Err(format!("task {task} was acknowledged, and the disk does not have it")),
        None => Ok(()),
    }
}

/// The task of which an answer says that a wish for it was taken up, and the event that has to be on record for that.
pub(crate) fn done_to(text: &str) -> Option<(i64, &'static str)> {
    const SAID: [(&str, &str); 8] = [
        (" approved: ", "approved"),
        (" rejected: ", "rejected"),
        (" resumed: ", "resumed"),
        (" canceled: ", "stopped"),
        (" is being stopped: ", "stop_asked"),
        (" is asked for again: ", "recovered"),
        (" has a plan: ", "planned"),
        (" review ", "reviewed"),
    ];
    let plain = text.strip_prefix(REPEAT_MARK).unwrap_or(text).strip_prefix('#')?;
    let (task, words) = plain.split_at(plain.find(|c: char| !c.is_ascii_digit())?);
    let (_, fact) = SAID.into_iter().find(|(said, _)| words.starts_with(said))?;
    Some((task.parse().ok()?, fact))
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

    #[test]
    fn answers_tell_of_what_was_done_and_refusals_do_not() {
        assert_eq!(done_to("#7 approved: ready"), Some((7, "approved")));
        assert_eq!(done_to("(possible repeat) #12 canceled: it had not started"), Some((12, "stopped")));
        assert_eq!(done_to("#7 is being stopped already"), None);
        assert_eq!(done_to("you approved #7 already; it needs 2 in all"), None);
        assert_eq!(done_to("#7 build · APPROVED"), None);
    }
}
