//! Flood control: how much a bot may send, and for how long it is refused after too much.
//!
//! The true limits are unpublished and adapt; the starting values are what people measured. A call that comes while its chat
//! is refused makes the wait longer: that is how bots that answer a refused edit with a new send end up with hours.

use std::collections::VecDeque;

use super::ids::{BotId, ChatId, Millis};
use super::request::Refusal;
use super::world::{ChatKind, World};

/// At most so many within a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// So many.
    pub at_most: usize,
    /// Within this span.
    pub within: Millis,
}

/// How much a bot may send. `None` means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// New messages in one chat; edits don't count.
    pub chat: Option<Window>,
    /// New messages and edits in one group.
    pub group: Option<Window>,
    /// New messages of one bot in all its chats.
    pub bot: Option<Window>,
    /// What a call adds to the wait of a chat that is being refused.
    pub penalty: Millis,
    /// How long after a press it can be answered.
    pub press_answer: Millis,
}

/// When the latest calls went through, and until when all are refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    sends: VecDeque<Millis>,
    both: VecDeque<Millis>,
    refused_until: Millis,
}

/// What a call adds to its chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    Send,
    Edit,
}

impl Limits {
    /// What people measured: one a second in a chat with bursts of five, 20 a minute in a group, 30 a second over all.
    #[must_use]
    pub const fn telegram() -> Self {
        Self {
            chat: Some(Window { at_most: 5, within: Millis::from_secs(5) }),
            group: Some(Window { at_most: 20, within: Millis::from_secs(60) }),
            bot: Some(Window { at_most: 30, within: Millis::from_secs(1) }),
            penalty: Millis::from_secs(1),
            press_answer: Millis::from_secs(150),
        }
    }

    /// No flood control, for tests of other things.
    #[must_use]
    pub const fn none() -> Self {
        Self { chat: None, group: None, bot: None, ..Self::telegram() }
    }
}

impl Window {
    /// How long until one more fits. Forgets what is too old to matter.
    fn wait(self, now: Millis, times: &mut VecDeque<Millis>) -> Millis {
        while times.front().is_some_and(|at| now.since(*at) >= self.within) {
            times.pop_front();
        }
        match times.len().checked_sub(self.at_most) {
            None => Millis(0),
            Some(surplus) => times.get(surplus).map_or(self.within, |at| at.plus(self.within).since(now)),
        }
    }
}

fn wait_for(window: Option<Window>, now: Millis, times: &mut VecDeque<Millis>) -> Millis {
    window.map_or(Millis(0), |window| window.wait(now, times))
}

/// Lets a call through and counts it, or refuses it and says for how long.
pub(super) fn admit(world: &mut World, now: Millis, bot: BotId, chat: ChatId, traffic: Traffic) -> Result<(), Refusal> {
    let limits = world.limits;
    let over_all = match traffic {
        Traffic::Send => wait_for(limits.bot, now, &mut world.bot_mut(bot).sent.sends),
        Traffic::Edit => Millis(0),
    };
    let chat = world.chat_mut(chat);
    let is_group = match chat.kind {
        ChatKind::Private => false,
        ChatKind::Group | ChatKind::Supergroup | ChatKind::Channel => true,
    };
    if now < chat.sent.refused_until {
        chat.sent.refused_until = chat.sent.refused_until.plus(limits.penalty);
        return Err(refusal(chat.sent.refused_until.since(now)));
    }
    let in_chat = match traffic {
        Traffic::Send => wait_for(limits.chat, now, &mut chat.sent.sends),
        Traffic::Edit => Millis(0),
    };
    let in_group = if is_group { wait_for(limits.group, now, &mut chat.sent.both) } else { Millis(0) };
    let wait = over_all.max(in_chat).max(in_group);
    if wait > Millis(0) {
        chat.sent.refused_until = now.plus(wait);
        return Err(refusal(wait));
    }
    // Only what has a limit is counted: a count without one would only ever grow.
    if is_group && limits.group.is_some() {
        chat.sent.both.push_back(now);
    }
    if traffic == Traffic::Send && limits.chat.is_some() {
        chat.sent.sends.push_back(now);
    }
    if traffic == Traffic::Send && limits.bot.is_some() {
        world.bot_mut(bot).sent.sends.push_back(now);
    }
    Ok(())
}

/// Whole seconds, rounded up: who waits them is let through.
fn refusal(wait: Millis) -> Refusal {
    Refusal::too_many(wait.0.div_ceil(1000))
}
