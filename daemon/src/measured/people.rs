//! What people said and pressed, what they were sent, and whether commands were answered.

use super::Days;
use crate::event::{Fact, Recorded, What};
use crate::id::{Actor, TaskId};
use mainstay_metric::ledger::{Act, Command, Did, Limited, Line};
use mainstay_metric::limits::{ANSWER_WITHIN_MS, CARD_CHARACTERS};
use std::collections::BTreeMap;

/// A task's number, and the spaces and the slash of a command.
const AROUND_A_COMMAND: usize = 6;

/// A command that was taken up.
struct Heard {
    at: i64,
    by: Actor,
    verb: String,
    /// Characters of what was said beside the command's name.
    words: usize,
    pressed: bool,
    answered: Option<i64>,
    wrong: Option<String>,
}

/// A message on its way: how long it is, and which command it answers.
struct Way {
    chat: i64,
    characters: u32,
    answers: Vec<usize>,
}

/// A command of a chat whose answer is not on its way yet.
struct Waiting {
    heard: usize,
    trace: String,
    task: Option<TaskId>,
}

/// All of it.
#[derive(Default)]
pub(super) struct People {
    heard: Vec<Heard>,
    waiting: Vec<Waiting>,
    ways: BTreeMap<i64, Way>,
    /// When, in which chat, how many characters.
    read: Vec<(i64, i64, u32)>,
}

impl People {
    #[expect(clippy::wildcard_enum_match_arm, reason = "most of what is on record is not said by anybody")]
    pub(super) fn see(&mut self, event: &Recorded) {
        match &event.fact {
            Fact::Received { key, chat, command, .. } => self.received(event, key, chat.is_some(), command),
            Fact::PassedOver { why: crate::event::Passed::Failed, .. } => {
                self.received(event, "", true, "?");
                if let Some(heard) = self.heard.last_mut() {
                    heard.wrong = Some("deciding it failed".into());
                }
            }
            Fact::Requested { prompt, .. } => self.said(event.actor, prompt),
            Fact::Planned { text } => self.said(event.actor, text),
            Fact::Rejected { reason, .. } => self.said(event.actor, reason),
            Fact::Approved { note, .. } => self.said(event.actor, note),
            Fact::Reviewed { notes, .. } => self.said(event.actor, notes),
            Fact::Queued { id, chat, what, .. } => self.queued(event, *id, *chat, characters(what)),
            Fact::Sent { id, .. } => self.sent(event.at, *id),
            _ => {}
        }
    }

    fn received(&mut self, event: &Recorded, key: &str, in_chat: bool, command: &str) {
        let pressed = key.starts_with("q:");
        // Who asks on the machine, or presses, is answered on the spot, of which nothing is on record.
        let on_the_spot = pressed || !in_chat;
        if !on_the_spot {
            let (trace, task) = (event.trace.clone(), event.task);
            self.waiting.push(Waiting { heard: self.heard.len(), trace, task });
        }
        self.heard.push(Heard {
            at: event.at,
            by: event.actor,
            verb: command.to_owned(),
            words: 0,
            pressed,
            answered: on_the_spot.then_some(event.at),
            wrong: None,
        });
    }

    /// The newest command came with words. What follows from a command is on record right after it.
    fn said(&mut self, by: Actor, words: &str) {
        if let Some(heard) = self.heard.last_mut().filter(|heard| heard.by == by && !heard.pressed) {
            heard.words += words.chars().count();
        }
    }

    /// The first thing that is sent of a command's trace, or of its task, is its answer: what was done shows on the card.
    fn queued(&mut self, event: &Recorded, id: i64, chat: i64, characters: u32) {
        let is_it =
            |waiting: &Waiting| waiting.trace == event.trace || (waiting.task.is_some() && waiting.task == event.task);
        let found = self.waiting.iter().position(is_it).map(|at| self.waiting.remove(at).heard);
        // The same card again, before it was sent: one message answers both.
        let way = self.ways.entry(id).or_insert(Way { chat, characters, answers: Vec::new() });
        way.characters = characters;
        way.answers.extend(found);
    }

    fn sent(&mut self, at: i64, id: i64) {
        let Some(way) = self.ways.get_mut(&id) else { return };
        self.read.push((at, way.chat, way.characters));
        for answered in std::mem::take(&mut way.answers) {
            self.heard[answered].answered.get_or_insert(at);
        }
    }

    pub(super) fn tell(self, days: &mut Days) {
        for heard in self.heard {
            let (by, verb) = (heard.by.to_string(), heard.verb);
            let did = match heard.pressed {
                true => Did::Pressed,
                false => Did::Typed(count(verb.len() + AROUND_A_COMMAND + heard.words)),
            };
            days.add(heard.at, |clock| Line::Act(Act { at_ms: clock(heard.at), by: by.clone(), did }));
            days.add(heard.at, |clock| {
                Line::Command(Command {
                    at_ms: clock(heard.at),
                    by,
                    verb,
                    answered_ms: heard.answered.map(clock),
                    within_ms: ANSWER_WITHIN_MS,
                    wrong: heard.wrong,
                    limited: Limited::No,
                })
            });
        }
        for (at, chat, characters) in self.read {
            // A private chat has its user's number; a group reads as one.
            let by = Actor::User(chat).to_string();
            days.add(at, |clock| Line::Act(Act { at_ms: clock(at), by, did: Did::Read(characters) }));
        }
    }
}

/// How much there is to read.
fn characters(what: &What) -> u32 {
    match what {
        What::Text(message) | What::Report(message) => count(message.text.chars().count()),
        What::Document { caption, .. } => count(caption.text.chars().count()),
        What::Alert(news) => count(news.iter().map(|news| news.words.chars().count()).sum()),
        What::Card { .. } => CARD_CHARACTERS,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
