//! What the server itself does to bots, such as delivering an update twice, and what else tests want to know.

use serde_json::Value;

use super::People;
use crate::botapi::ids::{BotId, ChatId, MessageId, UpdateId};
use crate::botapi::polling::UpdateKind;
use crate::botapi::request::File;
use crate::botapi::world::Content;

/// What the server does to bots.
impl People<'_> {
    /// The server delivers an update once more under its own id, although it was confirmed; whether it still has it.
    pub fn repeat_update(&mut self, bot: BotId, update: UpdateId) -> bool {
        self.world.bot_mut(bot).queue.repeat(update)
    }

    /// The same of the newest update; whether there was any.
    pub fn repeat_newest_update(&mut self, bot: BotId) -> bool {
        self.world.bot_mut(bot).queue.repeat_newest()
    }

    /// The server delivers a message once more, in an update of its own.
    pub fn repeat_message(&mut self, chat: ChatId, message: MessageId) {
        let date = self.world.message(chat, message).expect("there is such a message").date;
        self.tell_of_message(chat, message, date);
    }

    /// The server sends an update of a kind that nobody knows; none if it is too large.
    pub fn unknown_update(&mut self, bot: BotId, field: &str, value: Value) -> Option<UpdateId> {
        self.update(bot, self.now, UpdateKind::Other(field.to_owned()), value)
    }

    /// The server numbers updates anew from this id, as after a week without any; also downwards.
    pub fn rebase_updates(&mut self, bot: BotId, next: UpdateId) {
        self.world.bot_mut(bot).queue.rebase(next);
    }

    /// How many updates of a bot nobody has confirmed yet.
    #[must_use]
    pub fn pending_updates(&self, bot: BotId) -> usize {
        self.world.bot(bot).queue.pending()
    }

    /// The commands in a bot's menu, as `/name - description`, for everybody and in no special language.
    #[must_use]
    pub fn menu(&self, bot: BotId) -> Vec<String> {
        let field = |command: &Value, key: &str| command[key].as_str().unwrap_or_default().to_owned();
        let commands = self.world.bot(bot).commands.get("{\"type\":\"default\"} ").and_then(Value::as_array);
        let line = |command: &Value| format!("/{} - {}", field(command, "command"), field(command, "description"));
        commands.into_iter().flatten().map(line).collect()
    }

    /// A document that a bot sent.
    #[must_use]
    pub fn document(&self, chat: ChatId, message: MessageId) -> Option<&File> {
        match &self.world.message(chat, message)?.content {
            Content::Document { file, .. } => Some(file),
            Content::Text(_)
            | Content::BotJoined(_)
            | Content::BotLeft(_)
            | Content::MigratedTo(_)
            | Content::MigratedFrom(_) => None,
        }
    }
}
