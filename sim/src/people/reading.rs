//! What people make of texts: which job and which task they are about, and what can be read in the chats.

use super::cast::chats;
use crate::property::told::told;
use crate::world::World;

/// The number of the job that a prompt belongs to: its first word is `job-N`.
pub fn job_of(prompt: &str) -> Option<usize> {
    prompt.split_whitespace().next()?.strip_prefix("job-")?.parse().ok()
}

/// What stands before a message that may have arrived before.
pub const REPEAT_MARK: &str = "(possible repeat) ";

/// What the bot says in the chats of operators, as it can be read now.
pub fn said(world: &World) -> Vec<String> {
    let screens = chats().into_iter().map(|chat| world.telegram.look(|t| t.screen(chat)));
    screens.flat_map(|screen| screen.messages).filter(|seen| seen.is_bot).map(|seen| seen.text).collect()
}

/// Reports of a task's end that can be read, repeats included.
pub fn reports_of(world: &World, task: i64) -> Vec<String> {
    let is_report = |text: &String| {
        let plain = text.strip_prefix(REPEAT_MARK).unwrap_or(text);
        ["✅", "🔴", "⚪"].iter().any(|mark| plain.starts_with(mark)) && task_of(plain) == Some(task)
    };
    said(world).into_iter().filter(is_report).collect()
}

/// The task whose card this is: answers tell of no state, and reports begin with a mark.
pub(super) fn task_of_card(text: &str) -> Option<i64> {
    let card = text.strip_prefix(REPEAT_MARK).unwrap_or(text);
    told(card).filter(|_| is_card(card)).map(|(task, _)| task)
}

/// Whether this is a task's card, and not what `/status` or `/list` answers: the one ends with when it was asked for, the
/// other has states before the first point of a line.
pub(crate) fn is_card(text: &str) -> bool {
    let first = text.lines().next().and_then(|line| line.split_once(" · "));
    let is_answer =
        text.lines().next_back().is_some_and(|line| line.starts_with("asked ") && line.contains(", trace "));
    first.is_some_and(|(head, _)| head.starts_with('#') && head.split(' ').count() == 2) && !is_answer
}

/// The number of the task that a message of the bot is about: `#7`.
pub fn task_of(text: &str) -> Option<i64> {
    let after = &text[text.find('#')? + 1..];
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok()
}
