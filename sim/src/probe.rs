//! A probe from outside, in runs that are soaked: it knows nothing but what it asks and what comes back.
//!
//! Once a minute it asks for a sign of life at the machine's command line, as a monitor would. When something goes wrong it
//! also says `/ops` in ana's private chat, once a minute from when that is over until one of its words was answered: so every
//! fault has something fresh after it, also at night. Its words are nobody's: they count as no person's act or command.
//! Outages of Telegram are not seen in its slices; how long they last is what faults are told with.

use crate::botapi::{ChatId, MessageId};
use crate::fault::Fault;
use crate::people::{ANA, UID};
use crate::scenario::Span;
use crate::world::World;

/// A sign of life that takes longer is none, ms.
pub const ANSWERED_WITHIN_MS: i64 = 10_000;
/// Between two of its words in a chat, ms.
const PAUSE_MS: i64 = 60_000;
/// How often it looks for an answer, ms.
const LOOK_MS: i64 = 2_000;
/// It looks at so many messages of the chat.
const LOOKS_AT: usize = 30;

/// A probe, with what it saw.
pub struct Probe {
    every_ms: i64,
    /// The connection on which each slice was asked for, if anybody was there to be asked.
    asked: Vec<Option<u64>>,
    /// Words in the chat: when they were said.
    pub said: Vec<(i64, MessageId)>,
    /// Faults of which nothing fresh has come through yet: when each is over.
    open: Vec<i64>,
    looked: i64,
}

impl Probe {
    /// One that asks so often.
    pub fn new(every: Span) -> Probe {
        Probe { every_ms: every.ms().max(1), asked: Vec::new(), said: Vec::new(), open: Vec::new(), looked: 0 }
    }

    /// The chat in which it speaks.
    pub fn chat() -> ChatId {
        ChatId(ANA.0)
    }

    /// Something goes wrong, until then.
    pub fn struck(&mut self, until: i64) {
        self.open.push(until);
    }

    /// Nothing is left that it would have to see come back.
    pub fn is_satisfied(&self) -> bool {
        self.open.is_empty()
    }

    /// Asks and says what is due; for slices only as long as there are any.
    pub fn act(&mut self, world: &mut World, slices: bool) {
        let now = world.now();
        if slices && now / self.every_ms >= i64::try_from(self.asked.len()).unwrap_or(i64::MAX) {
            // Nobody listens on the socket of a daemon that is not there.
            let key = format!("probe-{}", self.asked.len());
            self.asked.push(world.is_up().then(|| world.desk.ask(UID, &key, &["ops"])));
        }
        let Some(first) = self.open.iter().min().copied().filter(|over| *over <= now) else { return };
        self.listen(world, now);
        let last = self.said.last().map_or(0, |(at, _)| *at);
        if !self.open.is_empty() && (last < first || now - last >= PAUSE_MS) {
            let wall = world.wall();
            let message = world.telegram.change(|t| t.people(wall).say(ANA, Probe::chat(), "/ops"));
            self.said.push((now, message));
        }
    }

    /// What was said after a fault was over, and is answered, shows that it is.
    fn listen(&mut self, world: &World, now: i64) {
        if now - self.looked < LOOK_MS {
            return;
        }
        self.looked = now;
        let screen = world.telegram.look(|t| t.recent(Probe::chat(), LOOKS_AT));
        let answered = |message: MessageId| screen.messages.iter().any(|m| m.is_bot && m.reply_to == Some(message));
        if let Some((at, _)) = self.said.iter().rev().find(|(_, message)| answered(*message)) {
            self.open.retain(|over| over > at);
        }
    }

    /// How many slices there were, and the numbers of those without a sign of life in time.
    pub fn slices(&self, world: &World) -> (usize, Vec<usize>) {
        let good = |(n, asked): (usize, &Option<u64>)| {
            let began = i64::try_from(n).unwrap_or(0) * self.every_ms;
            let answer = asked.and_then(|connection| world.desk.answered(connection));
            let in_time = answer.is_some_and(|(at, answer)| answer.ok && at - began <= ANSWERED_WITHIN_MS);
            (!in_time).then_some(n)
        };
        (self.asked.len(), self.asked.iter().enumerate().filter_map(good).collect())
    }
}

/// When what a fault does by itself is over, if it strikes now: what follows from it is not counted.
pub fn over_ms(fault: &Fault, now: i64) -> i64 {
    let lasts = match fault {
        Fault::DaemonKilled { down } | Fault::DaemonStopped { down } => *down,
        Fault::PowerLoss { off, .. } => *off,
        Fault::LineCut { lasts, .. }
        | Fault::LineSlow { lasts, .. }
        | Fault::Telegram { lasts, .. }
        | Fault::OtherPoller { lasts }
        | Fault::ChatGone { lasts }
        | Fault::ProcessStuck { lasts }
        | Fault::DiskFails { lasts, .. }
        | Fault::DiskFull { lasts, .. }
        | Fault::ClockDrifts { lasts, .. } => *lasts,
        Fault::UpdateRepeated { .. }
        | Fault::UpdatesRenumbered {}
        | Fault::UpdateUnknown {}
        | Fault::ShimKilled { .. }
        | Fault::StartsFail { .. }
        | Fault::ClockSet { .. } => Span(0),
    };
    now + lasts.ms()
}
