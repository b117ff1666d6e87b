//! What people's chats show, as the Bot API server tells it: cards as they are now, reports, answers.

use super::evidence::Told;
use crate::stage::{Heard, bot_text, is_new};
use serde_json::Value;
use std::collections::BTreeMap;

/// What begins a message that may have arrived before.
const REPEAT: &str = "(possible repeat) ";
/// What begins the report of an end.
const MARKS: [&str; 3] = ["✅", "🔴", "⚪"];

/// The chats as they are now.
pub(crate) struct Chat {
    heard: Heard,
    read: usize,
    /// The newest card of each task.
    cards: BTreeMap<i64, Value>,
    /// All reports, in order.
    pub(crate) told: Vec<Told>,
    /// New messages that are neither, each with its chat.
    pub(crate) answers: Vec<(i64, String)>,
}

impl Chat {
    pub(crate) fn new(heard: Heard) -> Chat {
        Chat { heard, read: 0, cards: BTreeMap::new(), told: Vec::new(), answers: Vec::new() }
    }

    /// Reads what is new.
    pub(crate) fn look(&mut self) {
        let events = self.heard.since(self.read);
        self.read += events.len();
        for event in events {
            let Some(text) = bot_text(&event) else { continue };
            if let Some(task) = card_of(text) {
                self.cards.insert(task, event);
            } else if !is_new(&event) {
                // A message that changed and is no card tells nothing new.
            } else if let Some(told) = report(text) {
                self.told.push(told);
            } else {
                self.answers.push((event["chat"].as_i64().unwrap_or_default(), text.to_owned()));
            }
        }
    }

    /// The task whose card names this job.
    pub(crate) fn task_of(&self, job: &str) -> Option<i64> {
        let names = |card: &Value| bot_text(card).is_some_and(|text| names(text, job));
        self.cards.iter().find(|(_, card)| names(card)).map(|(task, _)| *task)
    }

    /// What stands on a task's card, first line.
    pub(crate) fn title(&self, task: i64) -> &str {
        self.cards.get(&task).and_then(bot_text).and_then(|text| text.lines().next()).unwrap_or_default()
    }

    /// The number of a button on a task's card.
    pub(crate) fn button(&self, task: i64, label: &str) -> Option<u64> {
        crate::stage::button(self.cards.get(&task)?, label)
    }

    pub(crate) fn end(self) {
        self.heard.end();
    }
}

/// Whether a text has this job in it, and not one whose name begins alike.
fn names(text: &str, job: &str) -> bool {
    text.match_indices(job).any(|(at, _)| !text[at + job.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

/// The task whose card this is: `#7 once · RUNNING`. One that was sent twice, because nobody knows of the first, says so.
fn card_of(text: &str) -> Option<i64> {
    let first = text.lines().next()?;
    let first = first.strip_prefix(REPEAT).unwrap_or(first);
    let (number, rest) = first.strip_prefix('#')?.split_once(' ')?;
    rest.contains(" · ").then_some(())?;
    number.parse().ok()
}

/// What a message reports, if it is a report: `✅ #7 once SUCCEEDED ...`.
fn report(text: &str) -> Option<Told> {
    let first = text.lines().next()?;
    let (marked, first) = first.strip_prefix(REPEAT).map_or((false, first), |rest| (true, rest));
    let mut words = first.split(' ');
    MARKS.contains(&words.next()?).then_some(())?;
    let task = words.next()?.strip_prefix('#')?.parse().ok()?;
    let is_state = |word: &&str| word.len() > 5 && word.chars().all(|c| c.is_ascii_uppercase());
    let state = words.map(|word| word.trim_end_matches([':', ','])).find(is_state)?;
    Some(Told { task, state: state.to_owned(), marked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_told_from_cards_and_answers() {
        let told = |marked| Some(Told { task: 7, state: "SUCCEEDED".into(), marked });
        assert_eq!(report("✅ #7 once SUCCEEDED after 1 s\nmore"), told(false));
        assert_eq!(report("(possible repeat) ✅ #7 once SUCCEEDED after 1 s"), told(true));
        assert_eq!(report("#7 once · SUCCEEDED"), None);
        assert_eq!(card_of("(possible repeat) #7 once · REQUESTED"), Some(7));
        assert_eq!(
            (card_of("#7 once · SUCCEEDED\nx"), card_of("✅ #7 once SUCCEEDED"), card_of("#x")),
            (Some(7), None, None)
        );
    }

    #[test]
    fn a_job_is_not_taken_for_one_that_begins_alike() {
        assert!(names("for job-7 exit", "job-7") && names("job-7", "job-7"));
        assert!(!names("job-71 for", "job-7"));
    }
}
