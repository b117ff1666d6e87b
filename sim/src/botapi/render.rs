//! The JSON of bots, people, chats and messages.

use serde_json::{Map, Value, json};

use super::ids::{BotId, ChatId, MessageId, UserId};
use super::text::Text;
use super::world::{Author, ChatKind, Content, Message, Origin, Standing, World};

impl World {
    pub(super) fn me_json(&self, bot: BotId) -> Value {
        let mut me = self.bot_json(bot);
        me["can_join_groups"] = json!(true);
        me["can_read_all_group_messages"] = json!(true);
        me["supports_inline_queries"] = json!(false);
        me["can_connect_to_business"] = json!(false);
        me["has_main_web_app"] = json!(false);
        me
    }

    pub(super) fn bot_json(&self, bot: BotId) -> Value {
        let bot = self.bot(bot);
        json!({ "id": bot.id, "is_bot": true, "first_name": bot.name, "username": bot.username })
    }

    pub(super) fn user_json(&self, user: UserId) -> Value {
        let user = self.user(user);
        json!({ "id": user.id, "is_bot": false, "first_name": user.name, "language_code": "en" })
    }

    pub(super) fn chat_json(&self, chat: ChatId) -> Value {
        let chat = self.chat(chat);
        match chat.kind {
            ChatKind::Private => {
                json!({ "id": chat.id, "first_name": chat.title, "type": "private" })
            }
            ChatKind::Group => json!({ "id": chat.id, "title": chat.title, "type": "group" }),
            ChatKind::Supergroup if chat.topics.is_empty() => {
                json!({ "id": chat.id, "title": chat.title, "type": "supergroup" })
            }
            ChatKind::Supergroup => {
                json!({ "id": chat.id, "title": chat.title, "type": "supergroup", "is_forum": true })
            }
            ChatKind::Channel => json!({ "id": chat.id, "title": chat.title, "type": "channel" }),
        }
    }

    /// A bot's place in a chat, as `my_chat_member` has it.
    pub(super) fn member_json(&self, bot: BotId, standing: Standing) -> Value {
        let user = self.bot_json(bot);
        match standing {
            Standing::Member => json!({ "user": user, "status": "member" }),
            Standing::Banned => json!({ "user": user, "status": "kicked", "until_date": 0 }),
            Standing::Left => json!({ "user": user, "status": "left" }),
        }
    }

    /// A message as requests and updates carry it; one that is gone has the date 0 and nothing in it.
    pub(super) fn message_json(&self, chat: ChatId, id: MessageId) -> Value {
        let Some(message) = self.message(chat, id) else {
            return json!({ "message_id": id, "date": 0, "chat": self.chat_json(chat) });
        };
        let mut json = self.bare_message_json(chat, message);
        let reply = message.reply_to.and_then(|reply| self.message(chat, reply));
        if let (Some(reply), Some(fields)) = (reply, json.as_object_mut()) {
            fields.insert("reply_to_message".to_owned(), self.bare_message_json(chat, reply));
        }
        json
    }

    fn bare_message_json(&self, chat: ChatId, message: &Message) -> Value {
        let mut fields = Map::new();
        let mut put = |key: &str, value: Value| {
            fields.insert(key.to_owned(), value);
        };
        put("message_id", json!(message.id));
        match message.author {
            Author::Bot(bot) => put("from", self.bot_json(bot)),
            Author::User(user) => put("from", self.user_json(user)),
            Author::Chat => {
                if self.chat(chat).kind != ChatKind::Channel {
                    put("from", anonymous_admin());
                }
                put("sender_chat", self.chat_json(chat));
            }
        }
        put("chat", self.chat_json(chat));
        put("date", json!(message.date.secs()));
        if let Some((at, _)) = message.history.last() {
            put("edit_date", json!(at.secs()));
        }
        if let Some(origin) = message.forwarded {
            put("forward_origin", self.origin_json(origin));
        }
        if let Some(bot) = message.via_bot {
            put("via_bot", self.bot_json(bot));
        }
        if let Some(thread) = message.thread {
            put("message_thread_id", json!(thread));
            put("is_topic_message", json!(true));
        }
        for (key, value) in self.content_json(&message.content) {
            put(key, value);
        }
        if let Some(keyboard) = message.keyboard.json() {
            put("reply_markup", keyboard);
        }
        Value::Object(fields)
    }

    fn content_json(&self, content: &Content) -> Vec<(&'static str, Value)> {
        match content {
            Content::Text(text) => text_json(text, "text", "entities"),
            Content::Document { file_id, file, caption } => {
                let document = json!({
                    "file_name": file.name, "mime_type": file.mime, "file_id": file_id,
                    "file_unique_id": format!("unique-{file_id}"), "file_size": file.bytes.len(),
                });
                let mut fields = vec![("document", document)];
                fields.extend(
                    text_json(caption, "caption", "caption_entities").into_iter().filter(|_| !caption.text.is_empty()),
                );
                fields
            }
            Content::BotJoined(bot) => vec![("new_chat_members", json!([self.bot_json(*bot)]))],
            Content::BotLeft(bot) => vec![("left_chat_member", self.bot_json(*bot))],
            Content::MigratedTo(chat) => vec![("migrate_to_chat_id", json!(chat))],
            Content::MigratedFrom(chat) => vec![("migrate_from_chat_id", json!(chat))],
        }
    }

    fn origin_json(&self, origin: Origin) -> Value {
        let date = origin.date.secs();
        match (origin.author, self.chat(origin.chat).kind) {
            (Author::User(user), _) => {
                json!({ "type": "user", "date": date, "sender_user": self.user_json(user) })
            }
            (Author::Bot(bot), _) => {
                json!({ "type": "user", "date": date, "sender_user": self.bot_json(bot) })
            }
            (Author::Chat, ChatKind::Channel) => json!({
                "type": "channel", "date": date, "chat": self.chat_json(origin.chat), "message_id": origin.message,
            }),
            (Author::Chat, ChatKind::Private | ChatKind::Group | ChatKind::Supergroup) => {
                json!({ "type": "chat", "date": date, "sender_chat": self.chat_json(origin.chat) })
            }
        }
    }
}

/// The account behind which Telegram hides anonymous administrators.
fn anonymous_admin() -> Value {
    json!({ "id": 1_087_968_824, "is_bot": true, "first_name": "Group", "username": "GroupAnonymousBot" })
}

fn text_json(text: &Text, key: &'static str, entities: &'static str) -> Vec<(&'static str, Value)> {
    let mut fields = vec![(key, json!(text.text))];
    if !text.entities.is_empty() {
        fields.push((entities, json!(text.entities)));
    }
    fields
}
