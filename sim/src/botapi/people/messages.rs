//! Messages and presses: what people do in a chat.

use serde_json::{Value, json};

use super::{NoSuchButton, People};
use crate::botapi::books::Change;
use crate::botapi::ids::{BotId, ChatId, MessageId, Millis, PressId, UpdateId, UserId};
use crate::botapi::polling::UpdateKind;
use crate::botapi::text::Text;
use crate::botapi::world::{Author, ChatKind, Content, Message, Origin, Press, Standing};

/// Messages.
impl People<'_> {
    /// Somebody writes.
    pub fn say(&mut self, user: UserId, chat: ChatId, text: &str) -> MessageId {
        self.say_at(user, chat, text, self.now)
    }

    /// Somebody wrote earlier, and it arrives now. What is older than a day never arrives.
    pub fn say_at(&mut self, user: UserId, chat: ChatId, text: &str, date: Millis) -> MessageId {
        self.write(chat, Message::new(date, Author::User(user), Content::Text(Text::of_person(text))))
    }

    /// Somebody writes in a topic.
    pub fn say_in_topic(&mut self, user: UserId, chat: ChatId, topic: i64, text: &str) -> MessageId {
        let message = Message::new(self.now, Author::User(user), Content::Text(Text::of_person(text)));
        self.write(chat, Message { thread: Some(topic), ..message })
    }

    /// Somebody lets a bot write in their name.
    pub fn say_via_bot(&mut self, user: UserId, chat: ChatId, text: &str, bot: BotId) -> MessageId {
        let message = Message::new(self.now, Author::User(user), Content::Text(Text::of_person(text)));
        self.write(chat, Message { via_bot: Some(bot), ..message })
    }

    /// Somebody answers a message.
    pub fn reply(&mut self, user: UserId, chat: ChatId, to: MessageId, text: &str) -> MessageId {
        let message = Message::new(self.now, Author::User(user), Content::Text(Text::of_person(text)));
        self.write(chat, Message { reply_to: Some(to), ..message })
    }

    /// An administrator writes in the group's own name; in a channel, a post.
    pub fn say_as_chat(&mut self, chat: ChatId, text: &str) -> MessageId {
        self.write(chat, Message::new(self.now, Author::Chat, Content::Text(Text::of_person(text))))
    }

    /// Somebody forwards a message.
    pub fn forward(&mut self, user: UserId, to: ChatId, from: ChatId, message: MessageId) -> MessageId {
        let original = self.world.message(from, message).expect("there is such a message").clone();
        let origin = Origin { author: original.author, chat: from, message, date: original.date };
        let forwarded = Message::new(self.now, Author::User(user), original.content);
        self.write(to, Message { forwarded: Some(origin), ..forwarded })
    }

    /// Somebody changes what they wrote.
    pub fn edit(&mut self, chat: ChatId, message: MessageId, text: &str) {
        let now = self.now;
        let edited = self.world.message_mut(chat, message).expect("there is such a message");
        let before = std::mem::replace(&mut edited.content, Content::Text(Text::of_person(text)));
        edited.history.push((now, before));
        let date = edited.date;
        self.world.changes.push(Change::Edited(chat, message));
        let kind = match self.world.chat(chat).kind {
            ChatKind::Channel => UpdateKind::EditedChannelPost,
            ChatKind::Private | ChatKind::Group | ChatKind::Supergroup => UpdateKind::EditedMessage,
        };
        self.tell(chat, date, &kind, &self.world.message_json(chat, message));
    }

    /// Somebody deletes a message. Bots aren't told.
    pub fn delete(&mut self, chat: ChatId, message: MessageId) {
        self.world.message_mut(chat, message).expect("there is such a message").deleted = true;
        self.world.changes.push(Change::Deleted(chat, message));
    }

    pub(super) fn write(&mut self, chat: ChatId, message: Message) -> MessageId {
        let date = message.date;
        let id = self.world.store(chat, message);
        self.tell_of_message(chat, id, date);
        id
    }

    pub(super) fn tell_of_message(&mut self, chat: ChatId, id: MessageId, date: Millis) {
        let kind = match self.world.chat(chat).kind {
            ChatKind::Channel => UpdateKind::ChannelPost,
            ChatKind::Private | ChatKind::Group | ChatKind::Supergroup => UpdateKind::Message,
        };
        self.tell(chat, date, &kind, &self.world.message_json(chat, id));
    }

    /// An update for every bot that is a member.
    fn tell(&mut self, chat: ChatId, date: Millis, kind: &UpdateKind, body: &Value) {
        let standing = self.world.chat(chat).bots.clone();
        for (bot, standing) in standing {
            match standing {
                Standing::Member => {
                    self.update(bot, date, kind.clone(), body.clone());
                }
                Standing::Banned | Standing::Left => (),
            }
        }
    }

    pub(super) fn update(&mut self, bot: BotId, date: Millis, kind: UpdateKind, body: Value) -> Option<UpdateId> {
        self.world.bot_mut(bot).queue.push(self.now, date, kind, body)
    }
}

/// Presses.
impl People<'_> {
    /// Somebody presses a button, named by its label or its data.
    ///
    /// # Errors
    /// If the message has no such button now.
    pub fn press(
        &mut self,
        user: UserId,
        chat: ChatId,
        message: MessageId,
        button: &str,
    ) -> Result<PressId, NoSuchButton> {
        let missing = || NoSuchButton { wanted: button.to_owned() };
        let shown = self.world.message(chat, message).ok_or_else(missing)?;
        let data = shown
            .keyboard
            .buttons()
            .find(|shown| shown.label == button || shown.data.as_deref() == Some(button))
            .and_then(|shown| shown.data.clone())
            .ok_or_else(missing)?;
        Ok(self.forge_press(user, chat, message, &data))
    }

    /// Somebody's client claims that a button was pressed: any data, any message, there or not.
    pub fn forge_press(&mut self, user: UserId, chat: ChatId, message: MessageId, data: &str) -> PressId {
        let author = self.world.message(chat, message).map(|message| message.author);
        let bot = match author {
            Some(Author::Bot(bot)) => bot,
            None | Some(Author::User(_) | Author::Chat) => {
                *self.world.chat(chat).bots.keys().next().expect("there is a bot in the chat")
            }
        };
        // Real ids carry the person in their upper half.
        let low = self.world.random() >> 32;
        let id = PressId(((user.0.unsigned_abs() << 32) | low).to_string());
        self.world.presses.insert(id.clone(), Press { bot, user, issued: self.now, answer: None });
        let body = json!({
            "id": id,
            "from": self.world.user_json(user),
            "message": self.world.message_json(chat, message),
            "chat_instance": format!("-{}", chat.0.unsigned_abs()),
            "data": data,
        });
        self.update(bot, self.now, UpdateKind::CallbackQuery, body);
        id
    }
}
