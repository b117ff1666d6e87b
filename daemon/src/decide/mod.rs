//! The decisions: a pure function from what was loaded and what came in to a [`Plan`].
//!
//! No clock, no randomness, no I/O: the moment and its entropy are arguments. Refusals are plans too: they are recorded
//! and answered. One file a subject: [`chat`] (updates), [`order`] (commands), [`approval`] (saying yes and no), [`gate`] (what has to hold before something
//! runs), [`alert`] (what is wrong is told), [`attempt`] (what the machine says), [`due`] (what time does), [`outflow`]
//! (sending), [`read`] (questions), [`retention`] (what is removed from the record).

pub mod alert;
pub mod approval;
pub mod attempt;
pub mod chat;
pub mod due;
pub mod gate;
pub mod order;
pub mod outflow;
pub mod read;
pub mod retention;

use crate::command::Command;
use crate::config::Config;
use crate::event::{Class, Event, Fact, What};
use crate::id::{Actor, TaskId};
use crate::input::{Input, ReplyTo};
use crate::plan::{Effect, Plan};
use crate::policy;
use crate::ports::{Answer, Outgoing};
use crate::report;
use crate::task::State;
use crate::view::{TaskView, View};

/// When a decision is made, and the chance it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, ms since 1970.
    pub wall_ms: i64,
    /// Boot clock, ms.
    pub boot_ms: i64,
    /// Fresh bits.
    pub entropy: u64,
}

impl Moment {
    /// The wall clock time of a deadline of this boot, for people.
    pub fn wall_of(&self, boot_ms: i64) -> i64 {
        self.wall_ms.saturating_add(boot_ms.saturating_sub(self.boot_ms))
    }
}

/// Decides one input.
pub fn decide(config: &Config, view: &View, input: &Input, now: Moment) -> Plan {
    let mut draft = Draft::new(config, view, now);
    match input {
        Input::Booted { version, boot } => due::booted(&mut draft, version, boot),
        Input::Returned { away_ms, reconfigured } => due::returned(&mut draft, *away_ms, *reconfigured),
        Input::Interrupted { message } => {
            draft.record(None, None, Actor::System, Fact::SendUnknown { id: *message });
        }
        Input::Update(incoming) => chat::update(&mut draft, incoming),
        Input::Me { bot, username } => {
            draft.record(None, None, Actor::System, Fact::BotKnown { bot: *bot, username: username.clone() });
        }
        Input::Local(request) => order::local(&mut draft, request),
        Input::Found { key, observation } => attempt::found(&mut draft, *key, observation),
        Input::Started { key, result } => attempt::started(&mut draft, *key, result),
        Input::Noticed { key, noticed } => attempt::noticed(&mut draft, *key, noticed),
        Input::Destroyed { key, killed, evidence } => attempt::destroyed(&mut draft, *key, *killed, evidence),
        Input::Called { message, version, result } => outflow::called(&mut draft, *message, *version, result),
        Input::LogRead { key, to, result } => order::log_read(&mut draft, *key, *to, result),
        Input::Seen(fact) => draft.record(None, None, Actor::System, fact.clone()),
        Input::Terminate => draft.record(None, None, Actor::System, Fact::Stopping {}),
    }
    draft.done()
}

/// A plan in the making, with what all subjects need.
pub struct Draft<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// What was loaded.
    pub view: &'a View,
    /// When.
    pub now: Moment,
    trace: String,
    plan: Plan,
    next_message: i64,
    draws: u64,
    /// The button that gave the command: used up by it, so it is not shown again.
    spent: Option<String>,
    /// Natural key and update of the command in hand.
    named: (String, Option<i64>),
}

impl<'a> Draft<'a> {
    /// An empty plan.
    pub fn new(config: &'a Config, view: &'a View, now: Moment) -> Self {
        Draft {
            config,
            view,
            now,
            trace: String::new(),
            plan: Plan::default(),
            next_message: view.next_message,
            draws: 0,
            spent: None,
            named: (String::new(), None),
        }
    }

    /// The plan, checked.
    pub fn done(self) -> Plan {
        self.plan.check();
        self.plan
    }

    /// The trace of what is recorded from here on, where no task gives its own.
    pub fn trace(&mut self, trace: String) {
        self.trace = trace;
    }

    /// The trace in force.
    pub fn current_trace(&self) -> String {
        self.trace.clone()
    }

    /// Puts a fact on record. A fact about a task carries the task's own trace.
    pub fn record(&mut self, task: Option<&TaskView>, attempt: Option<u32>, actor: Actor, fact: Fact) {
        let trace = task.map_or_else(|| self.trace.clone(), |t| t.task.trace.clone());
        self.plan.events.push(Event { trace, task: task.map(|t| t.task.id), attempt, actor, fact });
    }

    /// Puts a fact of this command on record that has to do with a task but belongs to the command's trace.
    pub fn record_about(&mut self, task: Option<TaskId>, actor: Actor, fact: Fact) {
        self.plan.events.push(Event { trace: self.trace.clone(), task, attempt: None, actor, fact });
    }

    /// Adds an effect.
    pub fn effect(&mut self, effect: Effect) {
        self.plan.effects.push(effect);
    }

    /// Uniformly distributed bits, fresh at each draw.
    pub fn draw(&mut self) -> u64 {
        // splitmix64 over the moment's entropy: pure, and every draw another value.
        self.draws += 1;
        let mut z = self.now.entropy.wrapping_add(self.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A name that nobody can guess: 13 characters of 5 bits.
    pub fn nonce(&mut self) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let bits = self.draw();
        (0..13).map(|i| char::from(LETTERS[(bits >> (5 * i) & 31) as usize])).collect()
    }

    fn message_id(&mut self) -> i64 {
        self.next_message += 1;
        self.next_message - 1
    }

    /// Queues a message.
    pub fn send(&mut self, task: Option<&TaskView>, class: Class, chat: i64, what: What) {
        let id = self.message_id();
        self.record(task, None, Actor::System, Fact::Queued { id, class, chat, what, anew: false });
    }

    /// Answers whoever asked: a message in the chat, a line on the socket. What is foreign in it commands neither; the data
    /// for programs stays exact.
    pub fn reply(&mut self, to: ReplyTo, said: Said) {
        let said = Said { text: report::visible(&said.text), ..said };
        match to {
            ReplyTo::Local { connection } => {
                let answer = Answer { ok: said.ok, text: said.text, data: said.data };
                self.effect(Effect::Answer { connection, answer });
            }
            ReplyTo::Chat { chat, thread, message } => {
                if said.text.is_empty() || !self.may_be_told(chat) {
                    return;
                }
                let outgoing = Outgoing {
                    chat,
                    thread,
                    reply_to: message,
                    text: said.text,
                    pre: said.pre,
                    // Who asked looks at the chat already; the others in it need not. It rings where a press is needed.
                    silent: said.buttons.is_empty(),
                    buttons: said.buttons,
                };
                self.send(None, Class::Answer, chat, outflow::message_or_document(outgoing, said.file));
            }
        }
    }

    /// Shows the task's card as it will be after this plan: edited in place, or (`anew`) as a new message.
    /// `after` is the task as this plan leaves it.
    pub fn show_card(&mut self, after: &TaskView, anew: bool) {
        if let Some(chat) = after.task.chat {
            self.queue_card(after, chat, after.task.card, anew);
        }
        // Copies are there to be decided on: they show what came of that, and do not follow a run.
        if after.task.state == State::Running {
            return;
        }
        for (chat, card) in &after.copies {
            self.queue_card(after, *chat, Some(*card), anew);
        }
        for chat in gate::askable(self.config, self.view, after, self.now) {
            self.queue_card(after, chat, None, anew);
        }
    }

    /// Somebody can be written to from now on: what waits for a yes of theirs is shown to them.
    pub fn welcome(&mut self) {
        let (config, view, now) = (self.config, self.view, self.now);
        let asks = view.waiting.iter().flat_map(|task| {
            let chats = gate::askable(config, view, task, now);
            chats.into_iter().map(move |chat| (task, chat))
        });
        for (task, chat) in asks.take(policy::CARDS_AT_ONCE_MAX as usize) {
            self.queue_card(task, chat, None, false);
        }
    }

    fn queue_card(&mut self, after: &TaskView, chat: i64, card: Option<i64>, anew: bool) {
        if !self.may_be_told(chat) {
            return;
        }
        let hash = gate::content_hash(self.config, &after.task);
        let decides = gate::decides_there(self.config, &after.task, chat);
        let actions = if decides { gate::actions(self.config, self.view.mode(), after, self.now) } else { Vec::new() };
        // Taking the buttons away is no news.
        let anew = anew && decides;
        let mut buttons = Vec::with_capacity(actions.len());
        for action in actions {
            let live = after
                .buttons
                .iter()
                .find(|b| {
                    b.action == action && b.chat == chat && b.hash == hash && self.spent.as_ref() != Some(&b.nonce)
                })
                .map(|b| b.nonce.clone());
            let nonce = live.unwrap_or_else(|| self.nonce());
            buttons.push((action.to_owned(), nonce));
        }
        let waits_for_people = matches!(after.task.state, State::Requested | State::Approved);
        let first = anew || card.is_none();
        let class = if first && waits_for_people { Class::Approval } else { Class::Edit };
        let id = card.unwrap_or_else(|| self.message_id());
        let until = self.now.boot_ms + policy::BUTTON_TTL_MS;
        let what = What::Card { buttons, hash, until };
        self.record(Some(after), None, Actor::System, Fact::Queued { id, class, chat, what, anew });
    }

    /// Whether a chat is to be told anything.
    pub fn may_be_told(&self, chat: i64) -> bool {
        self.config.may_be_told(chat, &self.view.moved)
    }

    /// The state in which this plan leaves a task.
    pub fn state_after(&self, task: TaskId) -> Option<State> {
        self.plan.state_after(task)
    }
}

/// What a command came to, before it is known where it is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// It was done, or told.
    pub ok: bool,
    /// For people.
    pub text: String,
    /// Parts of the text that are foreign, in UTF-16 units.
    pub pre: Vec<(usize, usize)>,
    /// Its name as a file, should the text be too long for a message. Empty: it has none of its own.
    pub file: String,
    /// Buttons under it.
    pub buttons: Vec<Vec<(String, String)>>,
    /// For programs.
    pub data: serde_json::Value,
}

impl Said {
    /// A plain yes.
    pub fn yes(text: impl Into<String>, data: serde_json::Value) -> Said {
        Said { ok: true, text: text.into(), data, ..Said::default() }
    }

    /// A plain no, with why and what to do.
    pub fn no(text: impl Into<String>) -> Said {
        let text = text.into();
        let data = serde_json::json!({ "error": text });
        Said { ok: false, text, data, ..Said::default() }
    }
}

/// Whether a late command may still be carried out without asking back.
pub fn welcome_when_late(command: &Command) -> bool {
    command.is_read() || command.syntax().effect == crate::command::Effect::StopsWork
}
