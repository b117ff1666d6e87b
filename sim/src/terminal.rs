//! A chat in a terminal, for demos and scripts: lines in, messages out, in front of a [`World`].
//!
//! It is pure like the world itself: [`Terminal::line`] acts as the current person, [`Terminal::news`] tells what happened
//! since it was last asked, [`text`] and [`json`] write it down. Reading, printing and waiting is up to the program.

mod command;
mod output;

use std::collections::{BTreeMap, BTreeSet};

pub use command::{COMMANDS, Order, Reaction};
pub use output::{Button, Card, Output, json, text};

use crate::botapi::{Change, ChatId, MessageId, Seen, Toast, UserId, World};

/// The persons at the terminal, and the numbers of the buttons that they were shown.
#[derive(Clone, Debug)]
pub struct Terminal {
    people: Vec<Person>,
    groups: Vec<Group>,
    current: usize,
    /// The group that the current person writes in; none for their own chat with the bot.
    place: Option<ChatId>,
    /// Each button keeps its number as long as the terminal runs, so that a number can't come to mean something else.
    numbers: BTreeMap<(ChatId, MessageId, String), u32>,
    seen: u64,
}

/// Somebody at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id, and that of their private chat.
    pub id: UserId,
    /// What they are called, here and in chats.
    pub name: String,
}

/// A group that everybody at the terminal is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: ChatId,
    /// What it is called.
    pub title: String,
}

impl Terminal {
    /// A terminal at which the first of these persons sits.
    ///
    /// # Panics
    /// If there is nobody.
    #[must_use]
    pub fn new(people: Vec<Person>, groups: Vec<Group>) -> Self {
        assert!(!people.is_empty(), "somebody has to sit at the terminal");
        let numbers = BTreeMap::new();
        Self { people, groups, current: 0, place: None, numbers, seen: 0 }
    }

    /// What happened since this was last asked. A message that changed several times is told once, as it is now.
    pub fn news(&mut self, world: &World) -> Vec<Output> {
        let changes: Vec<Change> = world.changes().since(self.seen).cloned().collect();
        self.seen = world.changes().end();
        let mut told = BTreeSet::new();
        changes.iter().filter_map(|change| self.tell(world, change, &mut told)).collect()
    }

    fn tell(&mut self, world: &World, change: &Change, told: &mut BTreeSet<(ChatId, MessageId)>) -> Option<Output> {
        match change {
            Change::Sent(chat, id) => {
                let seen = world.seen(*chat, *id).filter(|_| told.insert((*chat, *id)))?;
                Some(Output::Message(self.card(world, *chat, seen)))
            }
            Change::Edited(chat, id) => {
                let seen = world.seen(*chat, *id).filter(|_| told.insert((*chat, *id)))?;
                Some(Output::Edited(self.card(world, *chat, seen)))
            }
            Change::Deleted(chat, id) => Some(Output::Deleted { chat: *chat, message: *id }),
            Change::Toast(press) => {
                let Toast { user, text, alert, .. } = world.toast(press)?;
                Some(Output::Toast { press: press.clone(), user: self.name_of(user), text, alert })
            }
        }
    }

    /// The current chat as it is now.
    fn screen(&mut self, world: &World) -> Output {
        let chat = self.chat();
        let messages = world.screen(chat).messages;
        Output::Screen(messages.into_iter().map(|seen| self.card(world, chat, seen)).collect())
    }

    /// A message with its buttons numbered.
    fn card(&mut self, world: &World, chat: ChatId, seen: Seen) -> Card {
        let mut rows = Vec::new();
        for row in &seen.buttons {
            let mut buttons = Vec::new();
            for button in row {
                let key = (chat, seen.id, button.data.clone().unwrap_or_else(|| button.label.clone()));
                let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX).saturating_add(1);
                let number = *self.numbers.entry(key).or_insert(next);
                buttons.push(Button { number, label: button.label.clone() });
            }
            rows.push(buttons);
        }
        let own = !seen.is_bot && seen.from == self.person().name;
        Card { chat, chat_title: world.chat_title(chat), own, rows, seen }
    }

    fn person(&self) -> &Person {
        &self.people[self.current]
    }

    /// Where the current person writes.
    fn chat(&self) -> ChatId {
        self.place.unwrap_or_else(|| self.private_chat())
    }

    fn private_chat(&self) -> ChatId {
        ChatId(self.person().id.0)
    }

    fn name_of(&self, user: UserId) -> String {
        let known = self.people.iter().find(|person| person.id == user);
        known.map_or_else(|| user.to_string(), |person| person.name.clone())
    }
}

#[cfg(test)]
mod tests;
