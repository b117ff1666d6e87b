//! All that a property may look at: plain data about a run, whether it was simulated or of real processes.

use super::outage::Outages;
use crate::botapi::{ChatId, http::Shared};
use crate::people::{Asked, GROUP, People};
use crate::world::World;
use crate::world::clock::EPOCH_MS;
use crate::world::machine::{Ran, Tried};
use mainstay::config::Config;
use mainstay::event::Recorded;
use mainstay::id::{AttemptKey, TaskId};
use mainstay::ports::Answer;
use mainstay::real::store::{LogFilter, Store};
use mainstay::task::{Outcome, State};
use std::cell::Cell;

/// A run that has come to rest, or as it stands when a daemon has died. Times are ms since it began, unless they are the record's or Telegram's own.
pub struct Evidence<'a> {
    /// When it was looked at.
    pub now_ms: i64,
    /// The wall clock of the world outside when the run began, ms since 1970: Telegram's books are kept by it.
    pub epoch_ms: i64,
    /// Every program that was really started, in order.
    pub ledger: Vec<Ran>,
    /// Attempts of which something is still alive.
    pub alive: Vec<AttemptKey>,
    /// What the machine was asked and must never be.
    pub wrongs: Vec<String>,
    /// Starts that the machine was asked for, in order; none where it keeps no books.
    pub tried: Vec<Tried>,
    /// When a daemon opened the database, or tried to; none where the disk keeps no books.
    pub opened: Vec<i64>,
    /// The Bot API server with its books, and the screens of people.
    pub telegram: &'a Shared,
    /// What was answered on the command line.
    pub answers: Vec<Answer>,
    /// What people asked for and pressed, in order: the first is job 1.
    pub asked: &'a [Asked],
    /// When something was out of order that the daemon can do nothing about.
    pub outages: &'a Outages,
    /// The configuration.
    pub config: &'a Config,
    /// The record as it lies on the disk.
    pub store: &'a Store,
    /// All events of it, also those that were removed from its beginning.
    pub events: Vec<Recorded>,
    /// What checks have looked at so far.
    pub looked: Looked,
}

/// How many things checks have looked at that could have broken what they check: a check that finds nothing to look at shows
/// nothing.
#[derive(Debug, Default)]
pub struct Looked(Cell<u64>);

impl Looked {
    /// At one more.
    pub(super) fn one(&self) {
        self.many(1);
    }

    /// At so many more.
    pub(super) fn many(&self, n: usize) {
        self.0.set(self.0.get() + n as u64);
    }

    /// How many it were since this was asked last.
    pub(crate) fn take(&self) -> u64 {
        self.0.take()
    }
}

impl<'a> Evidence<'a> {
    /// Of a simulated world.
    ///
    /// # Errors
    /// The record can't be read, which is a finding of its own.
    pub fn simulated(
        world: &'a World,
        people: &'a People,
        outages: &'a Outages,
        config: &'a Config,
        store: &'a Store,
    ) -> Result<Evidence<'a>, String> {
        Ok(Evidence {
            now_ms: world.now(),
            epoch_ms: EPOCH_MS,
            ledger: world.machine.ledger(),
            alive: world.machine.alive(),
            wrongs: world.machine.wrongs(),
            tried: world.machine.tried(),
            opened: world.opened(),
            telegram: &world.telegram,
            answers: world.desk.answers(),
            asked: &people.jobs,
            outages,
            config,
            store,
            events: world.chronicle.with(all_events(store)?),
            looked: Looked::default(),
        })
    }

    /// Where the record says that a task stands.
    pub(crate) fn state(&self, task: i64) -> Result<(State, Option<Outcome>), String> {
        let view = self.store.task(TaskId(task)).map_err(|error| error.to_string())?;
        let view = view.ok_or_else(|| format!("task {task} was shown and is not on record"))?;
        Ok((view.task.state, view.task.outcome))
    }

    /// Messages of the bot that can be read in any chat of operators: chat, text.
    pub(super) fn said(&self) -> Vec<(ChatId, String)> {
        let chats = self.config.operators.keys().map(|id| ChatId(*id)).chain([GROUP]);
        chats
            .flat_map(|chat| {
                let screen = self.telegram.look(|t| t.screen(chat));
                screen.messages.into_iter().filter(|m| m.is_bot).map(move |m| (chat, m.text))
            })
            .collect()
    }
}

/// The whole record.
///
/// # Errors
/// It can't be read.
pub fn all_events(store: &Store) -> Result<Vec<Recorded>, String> {
    let filter = LogFilter { last: u32::MAX, ..LogFilter::default() };
    store.logs(&filter).map_err(|error| error.to_string())
}
