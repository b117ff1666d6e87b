//! The people at their phones, and the Bot API server that they and the daemon talk to.

use super::place::{Place, until};
use mainstay_sim::botapi::{BotId, ChatId, Limits, MessageId, Seen, Server, UserId, World};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// The bot, and its token: of a real one's shape, and nothing else looks like it.
pub(crate) const BOT: BotId = BotId(7700);
pub(crate) const SECRET: &str = "AAcanaryQ0w9E8r7T6y5U4i3O2p1_zxcvb";
/// Administrator, and whose private chat is hers.
pub(crate) const ANA: UserId = UserId(1001);
pub(crate) const CHAT: ChatId = ChatId(1001);
/// May ask, and not approve.
pub(crate) const BO: UserId = UserId(1002);

/// The world outside the machine.
pub(crate) struct Phone {
    pub(crate) server: Server,
}

/// The token as the daemon needs it.
pub(crate) fn token() -> String {
    format!("{}:{SECRET}", BOT.0)
}

impl Phone {
    /// A server with the bot and its people.
    pub(crate) fn new() -> Phone {
        let mut world = World::new(7);
        world.limits = Limits::none();
        world.add_bot(&token(), "Mainstay", "mainstay_bot");
        let server = Server::start(world).expect("a port");
        server.people(|people| {
            people.acquaintance(ANA, "Ana");
            people.acquaintance(BO, "Bo");
        });
        Phone { server }
    }

    /// A place whose daemon talks to this server; its token comes from a file.
    pub(crate) fn place(&self, top: &str, rest: &str) -> Place {
        let place = self.place_without_token(&format!("{top}\n[telegram]\ntoken_file = \"token\""), rest);
        let file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(place.path("token"));
        file.expect("make the token's file").write_all(token().as_bytes()).expect("write");
        place
    }

    /// A place whose daemon has to find its token elsewhere.
    pub(crate) fn place_without_token(&self, top: &str, rest: &str) -> Place {
        let url = self.server.url();
        let bo = "\n[[operator]]\nid = 1002\nname = \"bo\"\nroles = [\"operator\"]\n";
        Place::new(&format!("{top}\napi_url = \"{url}\"\npoll_timeout = \"1s\"\n"), &format!("{bo}{rest}"))
    }

    /// Ana writes.
    pub(crate) fn say(&self, text: &str) -> MessageId {
        self.server.people(|people| people.say(ANA, CHAT, text))
    }

    /// What the bot has written to Ana.
    pub(crate) fn messages(&self) -> Vec<Seen> {
        self.server.world().screen(CHAT).messages.into_iter().filter(|message| message.is_bot).collect()
    }

    /// The bot's messages with this in their text.
    pub(crate) fn with(&self, text: &str) -> Vec<Seen> {
        self.messages().into_iter().filter(|message| message.text.contains(text)).collect()
    }

    /// Waits for a message with this in its text.
    pub(crate) fn wait_for(&self, text: &str) -> Seen {
        until(&format!("a message with {text:?}"), || self.with(text).into_iter().next())
    }

    /// Waits for a button with this on it, under the card of a task.
    pub(crate) fn wait_for_button(&self, task: i64, label: &str) -> MessageId {
        until(&format!("a button {label:?} for task {task}"), || {
            let card = self
                .with(&format!("#{task} "))
                .into_iter()
                .find(|message| message.buttons.iter().flatten().any(|button| button.label.contains(label)));
            card.map(|card| card.id)
        })
    }

    /// Ana presses a button on the card of a task.
    pub(crate) fn press(&self, task: i64, label: &str) {
        let card = self.wait_for_button(task, label);
        let label = self.label(card, label);
        self.server.people(|people| people.press(ANA, CHAT, card, &label)).expect("the button is there");
    }

    /// The whole label of a button.
    pub(crate) fn label(&self, card: MessageId, part: &str) -> String {
        let message = self.messages().into_iter().find(|message| message.id == card).expect("it is there");
        let mut buttons = message.buttons.into_iter().flatten();
        buttons.find(|button| button.label.contains(part)).expect("it has the button").label
    }

    /// Waits until the daemon has taken everything that was said to it.
    pub(crate) fn heard(&self) {
        until("the daemon has heard all", || {
            self.server.people(|people| people.pending_updates(BOT) == 0).then_some(())
        });
    }

    /// The final reports of a task.
    pub(crate) fn reports(&self, task: i64) -> Vec<Seen> {
        let marks = ["✅ #", "🔴 #", "⚪ #"].map(|mark| format!("{mark}{task} "));
        self.messages()
            .into_iter()
            .filter(|message| {
                let text = message.text.trim_start_matches("(possible repeat) ");
                marks.iter().any(|mark| text.starts_with(mark))
            })
            .collect()
    }

    /// Waits for the final report of a task.
    pub(crate) fn wait_for_report(&self, task: i64) -> Seen {
        until(&format!("the report of task {task}"), || self.reports(task).into_iter().next())
    }
}
