//! What people do, and what tests make happen: write, edit, forward, press, add and block the bot, and the odd things that
//! the server itself does, such as delivering an update twice.

mod messages;
mod quirks;

use std::fmt;

use serde_json::json;

use super::ids::{BotId, ChatId, Millis, UserId};
use super::polling::UpdateKind;
use super::world::{Author, Chat, ChatKind, Content, Message, Standing, User, World};

/// The people of a world at one moment.
///
/// Methods panic when they are told of a bot, person, chat or message that isn't there: that is a mistake in the test.
#[derive(Debug)]
pub struct People<'a> {
    pub(super) world: &'a mut World,
    pub(super) now: Millis,
}

/// The message has no such button (any more), or is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchButton {
    /// The label or data that was looked for.
    pub wanted: String,
}

impl fmt::Display for NoSuchButton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the message has no button \"{}\"", self.wanted)
    }
}

impl std::error::Error for NoSuchButton {}

/// Persons and chats.
impl People<'_> {
    /// A person whom no bot may write to yet.
    pub fn user(&mut self, id: UserId, name: &str) -> UserId {
        self.world.users.insert(id, User { id, name: name.to_owned() });
        id
    }

    /// A person's private chat with the bots, opened if it isn't: from now on they may write there.
    pub fn private_chat(&mut self, user: UserId) -> ChatId {
        let id = ChatId(user.0);
        let name = self.world.user(user).name.clone();
        let bots: Vec<BotId> = self.world.bots.keys().copied().collect();
        let chat = self.world.chats.entry(id).or_insert_with(|| Chat::new(id, ChatKind::Private, &name));
        for bot in bots {
            chat.bots.entry(bot).or_insert(Standing::Member);
        }
        id
    }

    /// A person with an open private chat.
    pub fn acquaintance(&mut self, id: UserId, name: &str) -> ChatId {
        let user = self.user(id, name);
        self.private_chat(user)
    }

    /// A basic group in which all bots are members already.
    pub fn group(&mut self, title: &str) -> ChatId {
        self.public_chat(ChatKind::Group, title)
    }

    /// A supergroup in which all bots are members already. Its messages are numbered on their own.
    pub fn supergroup(&mut self, title: &str) -> ChatId {
        self.public_chat(ChatKind::Supergroup, title)
    }

    /// A supergroup with an id of one's own choice, for ids that a client can't make sense of.
    pub fn group_with_id(&mut self, id: ChatId, title: &str) -> ChatId {
        let mut chat = Chat::new(id, ChatKind::Supergroup, title);
        chat.bots = self.world.bots.keys().map(|bot| (*bot, Standing::Member)).collect();
        self.world.chats.insert(id, chat);
        id
    }

    /// A channel in which all bots are members already.
    pub fn channel(&mut self, title: &str) -> ChatId {
        self.public_chat(ChatKind::Channel, title)
    }

    /// A stranger makes a group and adds a bot to it.
    pub fn foreign_group(&mut self, stranger: UserId, title: &str, bot: BotId) -> ChatId {
        let id = self.world.new_chat_id(ChatKind::Group);
        self.world.chats.insert(id, Chat::new(id, ChatKind::Group, title));
        self.bot_stands(bot, id, Some(stranger), Standing::Member);
        id
    }

    fn public_chat(&mut self, kind: ChatKind, title: &str) -> ChatId {
        let id = self.world.new_chat_id(kind);
        let mut chat = Chat::new(id, kind, title);
        chat.bots = self.world.bots.keys().map(|bot| (*bot, Standing::Member)).collect();
        self.world.chats.insert(id, chat);
        id
    }

    /// Somebody opens a topic; the supergroup is a forum from then on.
    pub fn open_topic(&mut self, chat: ChatId) -> i64 {
        let chat = self.world.chat_mut(chat);
        // Topics are numbered by the message that opens them, and 1 is "General" in every forum.
        chat.next_message = chat.next_message.max(1) + 1;
        chat.topics.insert(chat.next_message);
        chat.next_message
    }

    /// Somebody deletes a topic.
    pub fn delete_topic(&mut self, chat: ChatId, topic: i64) {
        self.world.chat_mut(chat).topics.remove(&topic);
    }

    /// Somebody turns a basic group into a supergroup: another id, and message ids start over.
    pub fn migrate(&mut self, chat: ChatId) -> ChatId {
        let title = self.world.chat(chat).title.clone();
        let new = self.public_chat(ChatKind::Supergroup, &title);
        self.world.chat_mut(new).bots = self.world.chat(chat).bots.clone();
        self.write(chat, Message::new(self.now, Author::Chat, Content::MigratedTo(new)));
        self.world.chat_mut(chat).migrated_to = Some(new);
        self.write(new, Message::new(self.now, Author::Chat, Content::MigratedFrom(chat)));
        new
    }

    /// Somebody blocks all bots in their private chat.
    pub fn block(&mut self, user: UserId) {
        self.all_bots_stand(ChatId(user.0), user, Standing::Banned);
    }

    /// Somebody takes a block back.
    pub fn unblock(&mut self, user: UserId) {
        self.all_bots_stand(ChatId(user.0), user, Standing::Member);
    }

    /// Somebody kicks all bots out of a group.
    pub fn kick(&mut self, user: UserId, chat: ChatId) {
        self.all_bots_stand(chat, user, Standing::Banned);
    }

    /// Somebody adds all bots that are or were there to a group again.
    pub fn add(&mut self, user: UserId, chat: ChatId) {
        self.all_bots_stand(chat, user, Standing::Member);
    }

    fn all_bots_stand(&mut self, chat: ChatId, by: UserId, standing: Standing) {
        let bots: Vec<BotId> = self.world.chat(chat).bots.keys().copied().collect();
        for bot in bots {
            self.bot_stands(bot, chat, Some(by), standing);
        }
    }

    /// Changes how a bot stands in a chat, and tells it. Without a person it is the bot's own doing.
    pub(super) fn bot_stands(&mut self, bot: BotId, chat: ChatId, by: Option<UserId>, standing: Standing) {
        let old = self.world.chat_mut(chat).bots.insert(bot, standing).unwrap_or(Standing::Left);
        let body = json!({
            "chat": self.world.chat_json(chat),
            "from": by.map_or_else(|| self.world.bot_json(bot), |user| self.world.user_json(user)),
            "date": self.now.secs(),
            "old_chat_member": self.world.member_json(bot, old),
            "new_chat_member": self.world.member_json(bot, standing),
        });
        self.update(bot, self.now, UpdateKind::MyChatMember, body);
        if self.world.chat(chat).kind == ChatKind::Private {
            return;
        }
        let content = match standing {
            Standing::Member => Content::BotJoined(bot),
            Standing::Banned | Standing::Left => Content::BotLeft(bot),
        };
        self.write(chat, Message::new(self.now, by.map_or(Author::Bot(bot), Author::User), content));
    }
}
