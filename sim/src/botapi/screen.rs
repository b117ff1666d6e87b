//! What people see.

use super::ids::{ChatId, MessageId, Millis, PressId, UserId};
use super::world::{Author, Content, Message, Press, World};

/// What a person sees of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The messages that are there, in their order.
    pub messages: Vec<Seen>,
}

/// A message as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: MessageId,
    /// Who wrote it: the name of a person, bot or chat.
    pub from: String,
    /// Whether a bot wrote it.
    pub is_bot: bool,
    /// What it says now; the caption of a document.
    pub text: String,
    /// Its buttons, row by row.
    pub buttons: Vec<Vec<SeenButton>>,
    /// Whether it came without a sound.
    pub silent: bool,
    /// How often it was edited.
    pub edits: usize,
    /// The name of the document in it.
    pub document: Option<String>,
    /// What it is an answer to.
    pub reply_to: Option<MessageId>,
    /// The topic it stands in.
    pub topic: Option<i64>,
}

/// A button as a person sees it, and what it would send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenButton {
    /// What stands on it.
    pub label: String,
    /// What a press sends; none for links.
    pub data: Option<String>,
}

/// An answer to a press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// The press.
    pub press: PressId,
    /// Who pressed.
    pub user: UserId,
    /// When it was answered.
    pub at: Millis,
    /// What popped up, if anything.
    pub text: Option<String>,
    /// Whether it has to be tapped away.
    pub alert: bool,
}

impl Screen {
    /// The message with this id, if it is there.
    #[must_use]
    pub fn message(&self, id: MessageId) -> Option<&Seen> {
        self.messages.iter().find(|message| message.id == id)
    }

    /// The latest message of a bot.
    #[must_use]
    pub fn last_of_bot(&self) -> Option<&Seen> {
        self.messages.iter().rev().find(|message| message.is_bot)
    }
}

impl Seen {
    /// The labels of its buttons, row by row.
    #[must_use]
    pub fn labels(&self) -> Vec<Vec<&str>> {
        self.buttons.iter().map(|row| row.iter().map(|button| button.label.as_str()).collect()).collect()
    }
}

impl World {
    /// What a person sees of a chat now; nothing of one that doesn't exist.
    #[must_use]
    pub fn screen(&self, chat: ChatId) -> Screen {
        let messages = self.chats.get(&chat).into_iter().flat_map(|known| known.messages.values());
        Screen {
            messages: messages.filter(|message| !message.deleted).map(|message| self.see(chat, message)).collect(),
        }
    }

    /// The same of its newest messages alone: what somebody looks at who has been there before.
    #[must_use]
    pub fn recent(&self, chat: ChatId, newest: usize) -> Screen {
        let messages = self.chats.get(&chat).into_iter().flat_map(|known| known.messages.values().rev());
        let mut recent: Vec<Seen> =
            messages.filter(|message| !message.deleted).take(newest).map(|message| self.see(chat, message)).collect();
        recent.reverse();
        Screen { messages: recent }
    }

    /// What a chat is called: in a private one, the person. Empty for one that doesn't exist.
    #[must_use]
    pub fn chat_title(&self, chat: ChatId) -> String {
        self.chats.get(&chat).map(|chat| chat.title.clone()).unwrap_or_default()
    }

    /// A message as a person sees it now, if it is there.
    #[must_use]
    pub fn seen(&self, chat: ChatId, message: MessageId) -> Option<Seen> {
        self.message(chat, message).map(|message| self.see(chat, message))
    }

    /// What a message said before each of its edits, oldest first, with the time of the edit. Also for deleted ones.
    #[must_use]
    pub fn earlier_texts(&self, chat: ChatId, message: MessageId) -> Vec<(Millis, String)> {
        let message = self.chats.get(&chat).and_then(|chat| chat.messages.get(&message));
        let history = message.into_iter().flat_map(|message| &message.history);
        history.map(|(at, content)| (*at, self.text_of(content))).collect()
    }

    /// The answers to presses so far, in the order of the answers.
    #[must_use]
    pub fn toasts(&self) -> Vec<Toast> {
        let mut toasts: Vec<Toast> = self.presses.iter().filter_map(|(id, press)| toast_of(id, press)).collect();
        toasts.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.press.cmp(&b.press)));
        toasts
    }

    /// The answer to a press, if there is one.
    #[must_use]
    pub fn toast(&self, press: &PressId) -> Option<Toast> {
        toast_of(press, self.presses.get(press)?)
    }

    fn see(&self, chat: ChatId, message: &Message) -> Seen {
        let (from, is_bot) = match message.author {
            Author::Bot(bot) => (self.bot(bot).name.clone(), true),
            Author::User(user) => (self.user(user).name.clone(), false),
            Author::Chat => (self.chat(chat).title.clone(), false),
        };
        let document = match &message.content {
            Content::Document { file, .. } => Some(file.name.clone()),
            Content::Text(_)
            | Content::BotJoined(_)
            | Content::BotLeft(_)
            | Content::MigratedTo(_)
            | Content::MigratedFrom(_) => None,
        };
        let button =
            |button: &super::keyboard::Button| SeenButton { label: button.label.clone(), data: button.data.clone() };
        Seen {
            id: message.id,
            from,
            is_bot,
            text: self.text_of(&message.content),
            buttons: message.keyboard.rows.iter().map(|row| row.iter().map(button).collect()).collect(),
            silent: message.silent,
            edits: message.history.len(),
            document,
            reply_to: message.reply_to,
            topic: message.thread,
        }
    }

    fn text_of(&self, content: &Content) -> String {
        match content {
            Content::Text(text) => text.text.clone(),
            Content::Document { caption, .. } => caption.text.clone(),
            Content::BotJoined(bot) => format!("{} joined the group", self.bot(*bot).name),
            Content::BotLeft(bot) => format!("{} left the group", self.bot(*bot).name),
            Content::MigratedTo(_) | Content::MigratedFrom(_) => "the group became a supergroup".to_owned(),
        }
    }
}

fn toast_of(id: &PressId, press: &Press) -> Option<Toast> {
    let shown = press.answer.clone()?;
    Some(Toast { press: id.clone(), user: press.user, at: shown.at, text: shown.text, alert: shown.alert })
}
