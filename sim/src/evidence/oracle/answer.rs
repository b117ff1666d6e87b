//! What an answer says, and whether that is a right one to a question.

use super::Life;
use super::gates::Where;
use crate::people::{REPEAT_MARK, task_of};
use crate::property::Evidence;
use crate::property::told::{done_to, told};
use mainstay::task::State;

/// What came of a wish, by its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// It was done.
    Done,
    /// It was not, and need not or must not be.
    No,
    /// It was not, for now: there is no room.
    NotNow,
    /// The button is none any more.
    Gone,
}

/// What events a wish that was done leads to, by the words of its answer.
const DONE: [(&str, &[&str]); 7] = [
    ("approve", &["approved"]),
    ("reject", &["rejected"]),
    ("resume", &["resumed"]),
    ("stop", &["stopped", "stop_asked"]),
    ("recover", &["recovered"]),
    ("plan", &["planned"]),
    ("review", &["reviewed"]),
];
/// How a press is answered whose button does nothing, whatever the task would say to the wish.
const GONE: [&str; 5] = ["Already pressed by", "no longer valid", "has expired", "has changed", "somebody else's"];

pub(super) fn said(verb: &str, text: &str) -> Said {
    let wanted = DONE.iter().find(|(of, _)| *of == verb).map_or(&[][..], |(_, events)| events);
    match done_to(text) {
        Some((_, event)) if wanted.contains(&event) => Said::Done,
        Some(_) | None if text.starts_with("the disk is full") => Said::NotNow,
        Some(_) | None if GONE.iter().any(|words| text.contains(words)) => Said::Gone,
        Some(_) | None => Said::No,
    }
}

/// The number of a task that was made: its card, or what the command line says.
pub(super) fn new_task(text: &str) -> Option<i64> {
    let plain = text.strip_prefix(REPEAT_MARK).unwrap_or(text);
    if let Some(rest) = plain.strip_prefix("task ") {
        return rest.split(' ').next()?.parse().ok();
    }
    told(plain).filter(|_| plain.starts_with('#')).map(|(task, _)| task)
}

/// Commands that only look.
pub(super) fn reads(verb: &str) -> bool {
    ["status", "why", "log", "trace"].contains(&verb)
}

pub(super) fn no_such_task(task: i64, text: &str) -> Option<String> {
    let right = text.contains(&format!("there is no task {task}")) || text.contains("no longer valid");
    (!right).then(|| format!("there is no task {task}, and that was not said: {text:?}"))
}

/// Of a question about a task: whether the answer is about it, and shows where it can be.
pub(super) fn read_of_task(
    e: &Evidence<'_>,
    verb: &str,
    task: i64,
    life: &Life,
    struck: &[i64],
    at: (i64, i64),
    text: &str,
) -> Option<String> {
    if task_of(text) != Some(task) {
        return Some(format!("/{verb} {task} was answered by what is about something else: {text:?}"));
    }
    if verb != "status" {
        return None;
    }
    let places = life.places(e, task, struck, at);
    let shown = told(text.strip_prefix(REPEAT_MARK).unwrap_or(text)).map(|(_, state)| state);
    let fits = |place: &Where| match (place, shown) {
        (Where::Requested, state) => state == Some(State::Requested),
        (Where::Approved, state) => state == Some(State::Approved),
        (Where::Active, state) => matches!(state, Some(State::Queued | State::Running)),
        (Where::Over(over), state) => state == Some(*over),
    };
    (!places.iter().any(fits)).then(|| format!("/status {task} shows {shown:?}, and it can be {places:?}"))
}

/// Of a question about nothing in particular. The newest task that must be known stands in every list.
pub(super) fn read(verb: &str, newest: Option<i64>, text: &str) -> Option<String> {
    let right = match verb {
        "list" => newest.is_none_or(|task| text.split_whitespace().any(|word| word == format!("#{task}"))),
        "ops" => text.contains(" running · ") && text.contains("last poll"),
        _ => !text.is_empty(),
    };
    (!right).then(|| format!("/{verb} was answered {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_by_what_they_say_of_the_wish() {
        assert_eq!(said("approve", "#7 approved: ready: /resume 7 lets it run"), Said::Done);
        assert_eq!(said("resume", "#7 approved: ready"), Said::No);
        assert_eq!(said("stop", "#7 is being stopped: canceled when nothing of it is alive"), Said::Done);
        assert_eq!(said("stop", "#7 is being stopped already"), Said::No);
        assert_eq!(said("approve", "Already pressed by ben."), Said::Gone);
        assert_eq!(said("recover", "the disk is full (1 MiB left); nothing was done"), Said::NotNow);
        assert_eq!(new_task("#12 build · REQUESTED\njob-3"), Some(12));
        assert_eq!(new_task("task 5 (note) is APPROVED: ready"), Some(5));
        assert_eq!(new_task("there is no kind \"buid\""), None);
        assert!(no_such_task(9, "there is no task 9: the newest is 3 (/list)").is_none());
        assert!(no_such_task(9, "#9 approved: ready").is_some());
        assert!(read("list", Some(7), "#6 build · RUNNING").is_some() && read("list", Some(6), "#6 build").is_none());
        assert!(read("ops", None, "").is_some());
    }
}
