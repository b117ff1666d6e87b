//! What there is: bots, people, chats with their messages, presses, and the books that are kept about all of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::books::{BOOK_LIMIT, Change, Record};
use super::faults::FaultPlan;
use super::ids::{BotId, ChatId, MessageId, Millis, PressId, UserId, next_random};
use super::keyboard::Keyboard;
use super::limits::{Limits, Recent};
use super::people::People;
use super::polling::{Queue, Waiting};
use super::request::{File, Ticket};
use super::ring::Ring;
use super::text::Text;

/// The whole server as plain data.
///
/// People act through [`World::people`], requests come in through [`super::handle`].
#[derive(Clone, Debug)]
pub struct World {
    /// How much a bot may send. Can be changed at any time.
    pub limits: Limits,
    /// What goes wrong on purpose. Can be changed at any time.
    pub faults: FaultPlan,
    pub(super) bots: BTreeMap<BotId, Bot>,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) chats: BTreeMap<ChatId, Chat>,
    pub(super) presses: BTreeMap<PressId, Press>,
    pub(super) files: BTreeMap<String, File>,
    pub(super) log: Ring<Record>,
    pub(super) changes: Ring<Change>,
    pub(super) polls: BTreeMap<Ticket, Waiting>,
    pub(super) tickets: u64,
    connections: u64,
    /// Private chats and basic groups number their messages together; supergroups and channels each on their own.
    shared_message_ids: i64,
    groups: i64,
    random: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Bot {
    pub(super) id: BotId,
    pub(super) token: String,
    pub(super) name: String,
    pub(super) username: String,
    pub(super) queue: Queue,
    pub(super) waiting: Option<Ticket>,
    pub(super) webhook: Option<String>,
    pub(super) commands: BTreeMap<String, Value>,
    pub(super) sent: Recent,
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: UserId,
    pub(super) name: String,
}

#[derive(Clone, Debug)]
pub(super) struct Chat {
    pub(super) id: ChatId,
    pub(super) kind: ChatKind,
    pub(super) title: String,
    pub(super) bots: BTreeMap<BotId, Standing>,
    pub(super) messages: BTreeMap<MessageId, Message>,
    pub(super) migrated_to: Option<ChatId>,
    /// Topics of a forum; none for other chats.
    pub(super) topics: BTreeSet<i64>,
    pub(super) next_message: i64,
    pub(super) sent: Recent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChatKind {
    Private,
    Group,
    Supergroup,
    Channel,
}

/// How a bot stands in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Member,
    /// Blocked by the person, or kicked out of the group.
    Banned,
    Left,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: MessageId,
    pub(super) date: Millis,
    pub(super) author: Author,
    pub(super) content: Content,
    pub(super) keyboard: Keyboard,
    pub(super) forwarded: Option<Origin>,
    pub(super) via_bot: Option<BotId>,
    pub(super) reply_to: Option<MessageId>,
    pub(super) thread: Option<i64>,
    pub(super) silent: bool,
    pub(super) deleted: bool,
    /// What it said before, with the time of each edit.
    pub(super) history: Vec<(Millis, Content)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    Bot(BotId),
    User(UserId),
    /// The chat itself: an anonymous administrator of a group, or a channel.
    Chat,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Text(Text),
    Document { file_id: String, file: File, caption: Text },
    BotJoined(BotId),
    BotLeft(BotId),
    MigratedTo(ChatId),
    MigratedFrom(ChatId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) author: Author,
    pub(super) chat: ChatId,
    pub(super) message: MessageId,
    pub(super) date: Millis,
}

#[derive(Clone, Debug)]
pub(super) struct Press {
    pub(super) bot: BotId,
    pub(super) user: UserId,
    pub(super) issued: Millis,
    pub(super) answer: Option<Shown>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) at: Millis,
    pub(super) text: Option<String>,
    pub(super) alert: bool,
}

impl World {
    /// A world without anybody in it. The seed decides the first update ids and the ids of presses.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            limits: Limits::telegram(),
            faults: FaultPlan::default(),
            bots: BTreeMap::new(),
            users: BTreeMap::new(),
            chats: BTreeMap::new(),
            presses: BTreeMap::new(),
            files: BTreeMap::new(),
            log: Ring::new(BOOK_LIMIT),
            changes: Ring::new(BOOK_LIMIT),
            polls: BTreeMap::new(),
            tickets: 0,
            connections: 0,
            shared_message_ids: 0,
            groups: 0,
            random: seed,
        }
    }

    /// Adds a bot. Its id is the number in front of the colon of its token.
    ///
    /// # Panics
    /// If the token does not look like one, or the bot is there already.
    pub fn add_bot(&mut self, token: &str, name: &str, username: &str) -> BotId {
        let id = BotId::of_token(token).expect("a token is a number, a colon, and letters, digits, `-` or `_`");
        let queue = Queue::new(self.random());
        let bot = Bot {
            id,
            token: token.to_owned(),
            name: name.to_owned(),
            username: username.to_owned(),
            queue,
            waiting: None,
            webhook: None,
            commands: BTreeMap::new(),
            sent: Recent::default(),
        };
        assert!(self.bots.insert(id, bot).is_none(), "each bot is added once");
        id
    }

    /// Revokes a bot's token and gives it another one.
    ///
    /// # Panics
    /// If there is no such bot.
    pub fn replace_token(&mut self, bot: BotId, token: &str) {
        self.bot_mut(bot).token = token.to_owned();
    }

    /// Sets or removes a webhook, as somebody else with the token might have done.
    ///
    /// # Panics
    /// If there is no such bot.
    pub fn set_webhook(&mut self, bot: BotId, url: Option<&str>) {
        self.bot_mut(bot).webhook = url.map(str::to_owned);
    }

    /// The people, at this moment: what persons and tests do goes through here.
    pub fn people(&mut self, now: Millis) -> People<'_> {
        People { world: self, now }
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn log(&self) -> &Ring<Record> {
        &self.log
    }

    /// Everything that a person could have seen happen, oldest first.
    #[must_use]
    pub fn changes(&self) -> &Ring<Change> {
        &self.changes
    }

    /// A number for a new connection.
    pub fn connect(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    pub(super) fn random(&mut self) -> u64 {
        next_random(&mut self.random)
    }

    pub(super) fn bot_mut(&mut self, bot: BotId) -> &mut Bot {
        self.bots.get_mut(&bot).expect("bots are never removed")
    }

    pub(super) fn bot(&self, bot: BotId) -> &Bot {
        self.bots.get(&bot).expect("bots are never removed")
    }

    pub(super) fn chat(&self, chat: ChatId) -> &Chat {
        self.chats.get(&chat).expect("chats are never removed")
    }

    pub(super) fn chat_mut(&mut self, chat: ChatId) -> &mut Chat {
        self.chats.get_mut(&chat).expect("chats are never removed")
    }

    pub(super) fn user(&self, user: UserId) -> &User {
        self.users.get(&user).expect("users are never removed")
    }

    pub(super) fn message(&self, chat: ChatId, id: MessageId) -> Option<&Message> {
        self.chats.get(&chat)?.messages.get(&id).filter(|message| !message.deleted)
    }

    pub(super) fn message_mut(&mut self, chat: ChatId, id: MessageId) -> Option<&mut Message> {
        self.chats.get_mut(&chat)?.messages.get_mut(&id).filter(|message| !message.deleted)
    }

    /// The id for the next group, supergroup or channel. Real ones differ in their ranges in the same way.
    pub(super) fn new_chat_id(&mut self, kind: ChatKind) -> ChatId {
        self.groups += 1;
        match kind {
            ChatKind::Private => unreachable!("a private chat has its person's id"),
            ChatKind::Group => ChatId(-4_000_000 - self.groups),
            ChatKind::Supergroup | ChatKind::Channel => ChatId(-1_001_000_000_000 - self.groups),
        }
    }

    /// Stores a message under the next id of its chat.
    pub(super) fn store(&mut self, chat: ChatId, message: Message) -> MessageId {
        let id = MessageId(match self.chat(chat).kind {
            ChatKind::Private | ChatKind::Group => {
                self.shared_message_ids += 1;
                self.shared_message_ids
            }
            ChatKind::Supergroup | ChatKind::Channel => {
                self.chat_mut(chat).next_message += 1;
                self.chat(chat).next_message
            }
        });
        self.chat_mut(chat).messages.insert(id, Message { id, ..message });
        self.changes.push(Change::Sent(chat, id));
        id
    }
}

impl Chat {
    pub(super) fn new(id: ChatId, kind: ChatKind, title: &str) -> Self {
        Self {
            id,
            kind,
            title: title.to_owned(),
            bots: BTreeMap::new(),
            messages: BTreeMap::new(),
            migrated_to: None,
            topics: BTreeSet::new(),
            next_message: 0,
            sent: Recent::default(),
        }
    }
}

impl Message {
    /// A plain message; its id is given when it is stored.
    pub(super) fn new(date: Millis, author: Author, content: Content) -> Self {
        Self {
            id: MessageId(0),
            date,
            author,
            content,
            keyboard: Keyboard::default(),
            forwarded: None,
            via_bot: None,
            reply_to: None,
            thread: None,
            silent: false,
            deleted: false,
            history: Vec::new(),
        }
    }
}
