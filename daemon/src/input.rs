//! What the loop takes in: updates in a reduced form, local requests, and what came of effects.

use crate::attempt::{Identity, Observation};
use crate::id::AttemptKey;
use crate::ports::{CallError, Called, LocalRequest, Noticed, StartFailed};
use teloxide_core::types::{ChatKind, MaybeInaccessibleMessage, Message, MessageKind, Update, UpdateKind};

/// One input to `decide`.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A daemon takes over.
    Booted {
        /// Its version.
        version: String,
        /// The machine's boot.
        boot: String,
    },
    /// The daemon hears people again: it is back after an absence, or polls complete again.
    Returned {
        /// For how long nobody was heard, ms: by the wall clock if no daemon was at work, else by the boot clock.
        away_ms: i64,
        /// The configuration is another than the last daemon's: others may be asked, and told.
        reconfigured: bool,
    },
    /// The previous daemon died while this message was being sent.
    Interrupted {
        /// Outbox number.
        message: i64,
    },
    /// An update from Telegram.
    Update(Incoming),
    /// The bot told who it is.
    Me {
        /// Numeric id.
        bot: i64,
        /// User name.
        username: String,
    },
    /// Somebody asks on the local socket.
    Local(LocalRequest),
    /// What the machine says of an attempt: at start, and after a start that found a folder.
    Found {
        /// Which.
        key: AttemptKey,
        /// What is there.
        observation: Observation,
    },
    /// A shim was to be started.
    Started {
        /// Which attempt.
        key: AttemptKey,
        /// Ready, or why not.
        result: Result<Identity, StartFailed>,
    },
    /// Something happened to a watched attempt.
    Noticed {
        /// Which.
        key: AttemptKey,
        /// What.
        noticed: Noticed,
    },
    /// Whatever was left of a vanished attempt is gone.
    Destroyed {
        /// Which.
        key: AttemptKey,
        /// Processes killed.
        killed: u32,
        /// What was found before.
        evidence: String,
    },
    /// A call for a message in the outbox came to its end.
    Called {
        /// Outbox number.
        message: i64,
        /// The version that was being shown.
        version: u32,
        /// How it ended.
        result: Result<Called, CallError>,
    },
    /// The end of a task's output was read.
    LogRead {
        /// Which attempt.
        key: AttemptKey,
        /// For whom.
        to: ReplyTo,
        /// The text, or why there is none.
        result: Result<String, String>,
    },
    /// What the loop saw of its own ports: polling, storage, disk.
    Seen(crate::event::Fact),
    /// The daemon ends cleanly.
    Terminate,
}

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyTo {
    /// To a chat.
    Chat {
        /// The chat.
        chat: i64,
        /// The topic there.
        thread: Option<i32>,
        /// The message that asked, if it was one.
        message: Option<i32>,
    },
    /// To a connection of the local socket.
    Local {
        /// The connection.
        connection: u64,
    },
}

/// An update, reduced to what may matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The bot that received it.
    pub bot: i64,
    /// Update id: only good for the next offset.
    pub update: i64,
    /// What it is.
    pub what: IncomingKind,
}

/// What an update is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncomingKind {
    /// A message of an attributable human.
    Message {
        /// The chat.
        chat: i64,
        /// The chat is a private one.
        private: bool,
        /// The topic.
        thread: Option<i32>,
        /// Its id in the chat.
        message: i32,
        /// The sender.
        user: i64,
        /// When it was sent, s since 1970.
        date: i64,
        /// Its text; empty for anything else.
        text: String,
        /// It was first said by somebody else.
        forwarded: bool,
    },
    /// A message without an attributable human.
    Anonymous {
        /// The chat.
        chat: i64,
        /// Its id in the chat.
        message: i32,
    },
    /// An edited message.
    Edited {
        /// The chat.
        chat: i64,
        /// The sender, if there is one.
        user: Option<i64>,
        /// The edited message.
        message: i32,
        /// When it was edited, s since 1970: each edit is another one.
        date: i64,
        /// It now reads like a command.
        command: bool,
    },
    /// A pressed button.
    Press {
        /// `callback_query.id`.
        id: String,
        /// Who pressed.
        user: i64,
        /// The chat of the message with the button, as far as it is told.
        chat: Option<i64>,
        /// Topic and id of that message.
        message: Option<i32>,
        /// The button's data.
        data: String,
    },
    /// Our own membership of a chat changed.
    Membership {
        /// The chat.
        chat: i64,
        /// It is a private chat.
        private: bool,
        /// Who changed it.
        user: i64,
        /// We are now in it, and may write.
        present: bool,
    },
    /// A group has become a supergroup.
    Migrated {
        /// Old id.
        from: i64,
        /// New id.
        to: i64,
    },
    /// A kind of update that this daemon does not read.
    Unsupported,
}

impl Incoming {
    /// The key by which this is recognised for ever, however often and under whatever update id it comes.
    pub fn key(&self) -> Option<String> {
        match &self.what {
            IncomingKind::Message { chat, message, .. } | IncomingKind::Anonymous { chat, message } => {
                Some(format!("m:{}:{chat}:{message}", self.bot))
            }
            IncomingKind::Press { id, .. } => Some(format!("q:{id}")),
            IncomingKind::Edited { chat, message, date, .. } => Some(format!("e:{}:{chat}:{message}:{date}", self.bot)),
            // These may truly come again.
            IncomingKind::Membership { .. } | IncomingKind::Migrated { .. } | IncomingKind::Unsupported => None,
        }
    }

    /// The chat it belongs to (0 when it tells none) and who caused it.
    pub fn place(&self) -> (i64, Option<i64>) {
        match &self.what {
            IncomingKind::Message { chat, user, .. } | IncomingKind::Membership { chat, user, .. } => {
                (*chat, Some(*user))
            }
            IncomingKind::Anonymous { chat, .. } => (*chat, None),
            IncomingKind::Edited { chat, user, .. } => (*chat, *user),
            IncomingKind::Press { chat, user, .. } => (chat.unwrap_or(0), Some(*user)),
            IncomingKind::Migrated { from, .. } => (*from, None),
            IncomingKind::Unsupported => (0, None),
        }
    }

    /// Reads an update. Never fails: what isn't understood is unsupported.
    pub fn read(bot: i64, update: &Update) -> Incoming {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "Telegram adds kinds of updates; unknown ones are normal traffic"
        )]
        let what = match &update.kind {
            UpdateKind::Message(message) => read_message(message),
            UpdateKind::EditedMessage(message) => IncomingKind::Edited {
                chat: message.chat.id.0,
                user: message.from.as_ref().map(|u| u.id.0.cast_signed()),
                message: message.id.0,
                date: message.edit_date().map_or(0, |date| date.timestamp()),
                command: message.text().is_some_and(|text| text.starts_with('/')),
            },
            UpdateKind::ChannelPost(message) => {
                IncomingKind::Anonymous { chat: message.chat.id.0, message: message.id.0 }
            }
            UpdateKind::CallbackQuery(press) => IncomingKind::Press {
                id: press.id.0.clone(),
                user: press.from.id.0.cast_signed(),
                chat: press.message.as_ref().map(|m| m.chat().id.0),
                message: press.message.as_ref().map(MaybeInaccessibleMessage::id).map(|id| id.0),
                data: press.data.clone().unwrap_or_default(),
            },
            UpdateKind::MyChatMember(change) => IncomingKind::Membership {
                chat: change.chat.id.0,
                private: matches!(change.chat.kind, ChatKind::Private(_)),
                user: change.from.id.0.cast_signed(),
                present: change.new_chat_member.is_present(),
            },
            _ => IncomingKind::Unsupported,
        };
        Incoming { bot, update: i64::from(update.id.0), what }
    }
}

fn read_message(message: &Message) -> IncomingKind {
    let chat = message.chat.id.0;
    if let Some(to) = message.migrate_to_chat_id() {
        return IncomingKind::Migrated { from: chat, to: to.0 };
    }
    let MessageKind::Common(common) = &message.kind else { return IncomingKind::Unsupported };
    // A group's anonymous admin and a linked channel speak with `sender_chat`; an inline bot speaks through a user.
    let human =
        message.from.as_ref().filter(|u| !u.is_bot && message.sender_chat.is_none() && message.via_bot.is_none());
    let Some(user) = human else { return IncomingKind::Anonymous { chat, message: message.id.0 } };
    IncomingKind::Message {
        chat,
        private: matches!(message.chat.kind, ChatKind::Private(_)),
        thread: message.thread_id.filter(|_| message.is_topic_message).map(|t| t.0.0),
        message: message.id.0,
        user: user.id.0.cast_signed(),
        date: message.date.timestamp(),
        text: message.text().unwrap_or_default().to_owned(),
        forwarded: common.forward_origin.is_some(),
    }
}
