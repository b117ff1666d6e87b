//! How updates queue up and go out: `getUpdates` as the real server does it, with what is unpleasant about it.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::faults::Fault;
use super::ids::{BotId, Millis, UpdateId};
use super::request::{Args, Refusal, Reply, Ticket};
use super::ring::Ring;
use super::world::World;

/// Where a bot's first update id is drawn from.
pub const FIRST_UPDATE_IDS: std::ops::Range<i64> = 2_000_001..1_000_000_000;

/// A poll waits for at most this long, whatever it asks for.
const LONGEST_POLL: i64 = 50;
/// A poll with the offset of the one before within this span gets one update only.
const SAME_OFFSET: Millis = Millis(500);
/// A poll with the offset of the one before within this span waits for at least three seconds.
const SAME_OFFSET_WAIT: Millis = Millis(3_000);
/// Messages and changes of membership are kept for a day, counted from their own date.
const KEPT: Millis = Millis::from_secs(86_400);
/// Presses are kept for so long.
const PRESS_KEPT: Millis = Millis::from_secs(150);
/// Larger updates are dropped by the server.
const LARGEST_UPDATE: usize = 64 * 1024;
/// An answer carries no more than this.
const LARGEST_BATCH: usize = 4 * 1024 * 1024;
/// How many updates can still be repeated after they went out.
const REPEATABLE: usize = 10_000;

/// A bot's updates.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pending: VecDeque<Update>,
    /// Updates that were confirmed and go out once more, whatever the offset says.
    again: VecDeque<Update>,
    past: Ring<Update>,
    /// The id that the next update will get.
    tail: i64,
    allowed: Allowed,
    previous: Option<(i64, Millis)>,
}

#[derive(Clone, Debug)]
pub(super) struct Update {
    id: UpdateId,
    kind: UpdateKind,
    body: Value,
    expires: Millis,
}

/// A poll without updates.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) bot: BotId,
    pub(super) until: Millis,
    offset: i64,
    limit: usize,
    /// Where the request is in the books.
    pub(super) record: u64,
    /// What goes wrong with the answer, once there is one.
    pub(super) fault: Option<Fault>,
    /// Another poll has taken over.
    pub(super) terminated: bool,
}

/// What an update is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpdateKind {
    /// `message`
    Message,
    /// `edited_message`
    EditedMessage,
    /// `channel_post`
    ChannelPost,
    /// `edited_channel_post`
    EditedChannelPost,
    /// `callback_query`
    CallbackQuery,
    /// `my_chat_member`
    MyChatMember,
    /// A kind from the future.
    Other(String),
}

/// Which kinds of update are created; sticks until a poll says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    /// Everything that this server has.
    Default,
    Only(BTreeSet<String>),
}

/// The outcome of a poll: an answer, or nothing yet.
pub(super) enum Polled {
    Answer(Reply),
    Wait(Ticket, Millis),
}

impl UpdateKind {
    fn name(&self) -> &str {
        match self {
            Self::Message => "message",
            Self::EditedMessage => "edited_message",
            Self::ChannelPost => "channel_post",
            Self::EditedChannelPost => "edited_channel_post",
            Self::CallbackQuery => "callback_query",
            Self::MyChatMember => "my_chat_member",
            Self::Other(name) => name,
        }
    }

    const fn kept(&self) -> Millis {
        match self {
            Self::CallbackQuery => PRESS_KEPT,
            Self::Message
            | Self::EditedMessage
            | Self::ChannelPost
            | Self::EditedChannelPost
            | Self::MyChatMember
            | Self::Other(_) => KEPT,
        }
    }
}

impl Update {
    fn json(&self) -> Value {
        json!({ "update_id": self.id, self.kind.name(): self.body })
    }
}

impl Queue {
    pub(super) fn new(random: u64) -> Self {
        let span = (FIRST_UPDATE_IDS.end - FIRST_UPDATE_IDS.start).unsigned_abs();
        let tail = FIRST_UPDATE_IDS.start + i64::try_from(random % span).expect("the range fits");
        Self {
            pending: VecDeque::new(),
            again: VecDeque::new(),
            past: Ring::new(REPEATABLE),
            tail,
            allowed: Allowed::Default,
            previous: None,
        }
    }

    /// Creates an update about something that happened at `date`; none if the bot doesn't want the kind, if it is too old
    /// to be kept, or too large.
    pub(super) fn push(&mut self, now: Millis, date: Millis, kind: UpdateKind, body: Value) -> Option<UpdateId> {
        let wanted = match (&self.allowed, &kind) {
            (Allowed::Default, _) | (_, UpdateKind::Other(_)) => true,
            (Allowed::Only(kinds), kind) => kinds.contains(kind.name()),
        };
        let expires = date.plus(kind.kept());
        let update = Update { id: UpdateId(self.tail), kind, body, expires };
        if !wanted || expires <= now || update.json().to_string().len() > LARGEST_UPDATE {
            return None;
        }
        self.tail += 1;
        self.past.push(update.clone());
        self.pending.push_back(update);
        Some(UpdateId(self.tail - 1))
    }

    /// Makes a confirmed or pending update go out once more with the next answer, whatever the offset says.
    pub(super) fn repeat(&mut self, id: UpdateId) -> bool {
        let found = self.past.iter().rev().find(|update| update.id == id).cloned();
        let is_found = found.is_some();
        self.again.extend(found);
        is_found
    }

    /// The same of the newest one; whether there was any.
    pub(super) fn repeat_newest(&mut self) -> bool {
        let newest = self.past.iter().next_back().map(|update| update.id);
        newest.is_some_and(|id| self.repeat(id))
    }

    /// Lets the numbering go on from another id, as after a week without updates; what is pending is numbered anew.
    pub(super) fn rebase(&mut self, next: UpdateId) {
        self.tail = next.0;
        for update in &mut self.pending {
            update.id = UpdateId(self.tail);
            self.tail += 1;
        }
    }

    /// How many updates nobody has confirmed yet.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    fn purge(&mut self, now: Millis) {
        self.pending.retain(|update| now < update.expires);
    }

    /// Forgets what the offset confirms. An offset too far above the tail is ignored, and the answer starts at the head; one
    /// too far below, `< tail - 2_000_000`, is ignored too, but that can't be told from its confirming nothing.
    fn confirm(&mut self, offset: i64) {
        if offset < 0 {
            let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            let surplus = self.pending.len().saturating_sub(keep);
            self.pending.drain(..surplus);
        } else if offset > 0 && offset <= self.tail + 10 {
            self.pending.retain(|update| update.id.0 >= offset);
        }
    }

    fn batch(&mut self, limit: usize) -> Vec<Value> {
        let mut size = 0;
        let repeats = limit.min(self.again.len());
        let repeated: Vec<Value> = self.again.drain(..repeats).map(|update| update.json()).collect();
        let fresh = self.pending.iter().map(Update::json);
        let fits = |update: &Value| {
            size += update.to_string().len();
            size <= LARGEST_BATCH
        };
        repeated.into_iter().chain(fresh).take(limit).take_while(fits).collect()
    }

    fn allow(&mut self, kinds: Option<Value>) {
        let Some(Value::Array(kinds)) = kinds else {
            return;
        };
        let kinds: BTreeSet<String> = kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        self.allowed = if kinds.is_empty() { Allowed::Default } else { Allowed::Only(kinds) };
    }
}

/// Answers a poll or lets it wait.
pub(super) fn get_updates(world: &mut World, now: Millis, bot: BotId, args: &Args<'_>, record: u64) -> Polled {
    match start_poll(world, now, bot, args) {
        Err(refusal) => Polled::Answer(Err(refusal)),
        Ok((offset, limit, timeout)) => {
            let queue = &mut world.bot_mut(bot).queue;
            queue.purge(now);
            queue.confirm(offset);
            let batch = queue.batch(limit);
            if !batch.is_empty() || timeout == Millis(0) {
                return Polled::Answer(Ok(Value::Array(batch)));
            }
            let ticket = Ticket(world.tickets);
            world.tickets += 1;
            let until = now.plus(timeout);
            let waiting = Waiting { bot, until, offset, limit, record, fault: None, terminated: false };
            world.polls.insert(ticket, waiting);
            // Only here, where the new poll has to wait too, does the older one get its 409.
            if let Some(older) = world.bot_mut(bot).waiting.replace(ticket)
                && let Some(older) = world.polls.get_mut(&older)
            {
                older.terminated = true;
            }
            Polled::Wait(ticket, until)
        }
    }
}

/// Reads the parameters of a poll, with what the server makes of them: offset, limit and timeout.
fn start_poll(world: &mut World, now: Millis, bot: BotId, args: &Args<'_>) -> Result<(i64, usize, Millis), Refusal> {
    let bot = world.bot_mut(bot);
    if bot.webhook.is_some() {
        let what = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
        return Err(Refusal::conflict(what));
    }
    let offset = args.int("offset").unwrap_or(0);
    let mut limit = usize::try_from(args.int("limit").unwrap_or(100).clamp(1, 100)).unwrap_or(1);
    let seconds = args.int("timeout").unwrap_or(0).clamp(0, LONGEST_POLL);
    let mut timeout = Millis::from_secs(seconds.unsigned_abs());
    bot.queue.allow(args.structure("allowed_updates")?);
    if let Some((_, at)) = bot.queue.previous.filter(|(previous, _)| *previous == offset) {
        if now.since(at) < SAME_OFFSET_WAIT {
            timeout = timeout.max(SAME_OFFSET_WAIT);
        }
        if now.since(at) < SAME_OFFSET {
            limit = 1;
        }
    }
    bot.queue.previous = Some((offset, now));
    Ok((offset, limit, timeout))
}

/// Looks again at a poll that waits: its answer, if it has one by now.
pub(super) fn look_again(world: &mut World, now: Millis, waiting: &Waiting) -> Option<Reply> {
    if waiting.terminated {
        return Some(Err(Refusal::other_poll()));
    }
    let queue = &mut world.bot_mut(waiting.bot).queue;
    queue.purge(now);
    queue.confirm(waiting.offset);
    let batch = queue.batch(waiting.limit);
    let is_over = !batch.is_empty() || now >= waiting.until;
    is_over.then_some(Ok(Value::Array(batch)))
}
