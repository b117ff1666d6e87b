//! What can be typed: a line that is said, or a command that starts with a colon.

use super::Terminal;
use super::output::Output;
use crate::botapi::{ChatId, Fault, MessageId, Method, Methods, Millis, Quota, Rule, World};

/// What a line brought about.
#[derive(Clone, Debug, PartialEq)]
pub struct Reaction {
    /// What to show at once. What people see in their chats comes as news.
    pub output: Vec<Output>,
    /// What only the program can do.
    pub order: Option<Order>,
}

/// What only the program can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// End.
    Quit,
    /// Refuse connections.
    Down,
    /// Take connections again.
    Up,
}

/// The commands, as help shows them.
pub const COMMANDS: [(&str, &str); 18] = [
    ("TEXT", "say it as the current person, in the current chat"),
    (":press N", "press the button with this number"),
    (":forge DATA", "claim that the bot's last message has a button with this data, and press it"),
    (":edit TEXT", "change what you said last"),
    (":forward", "forward what you said last to the bot"),
    (":late MINUTES TEXT", "let what you said so long ago arrive only now"),
    (":repeat", "let the server deliver what you said last once more"),
    (":as NAME", "be another person"),
    (":in GROUP, :in", "write in a group, or in your own chat with the bot again"),
    (":screen", "show the chat as it is now"),
    (":block", "block the bot"),
    (":unblock", "take the block back"),
    (":fault", "list the faults"),
    (":fault NAME [METHOD|!METHOD] [xN]", "let requests go wrong: all, those of a method, all others; N times"),
    (":heal", "take all faults back"),
    (":down, :up", "refuse connections, take them again"),
    (":help", "show this"),
    (":quit", "end, as does the end of the input"),
];

impl Terminal {
    /// Does what a line says.
    pub fn line(&mut self, world: &mut World, now: Millis, line: &str) -> Reaction {
        let line = line.trim_end();
        let output = match line.strip_prefix(':') {
            None if line.is_empty() => Ok(vec![]),
            None => {
                let (person, chat) = (self.person().id, self.chat());
                world.people(now).say(person, chat, line);
                Ok(vec![])
            }
            Some(command) => {
                let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
                if let Some(order) = order(name) {
                    return Reaction { output: vec![], order: Some(order) };
                }
                self.command(world, now, name, rest.trim())
            }
        };
        Reaction { output: output.unwrap_or_else(|error| vec![Output::Error(error)]), order: None }
    }

    fn command(&mut self, world: &mut World, now: Millis, name: &str, rest: &str) -> Result<Vec<Output>, String> {
        let (person, chat) = (self.person().id, self.chat());
        match name {
            "press" => self.press(world, now, rest).map(|()| vec![]),
            "forge" => {
                let last = world.screen(chat).last_of_bot().map(|seen| seen.id);
                let last = last.ok_or("the bot has not said anything yet")?;
                world.people(now).forge_press(person, chat, last, rest);
                Ok(vec![])
            }
            "edit" => {
                let last = self.last_own(world)?;
                world.people(now).edit(chat, last, rest);
                Ok(vec![])
            }
            "forward" => {
                let last = self.last_own(world)?;
                world.people(now).forward(person, chat, chat, last);
                Ok(vec![])
            }
            "late" => {
                let (minutes, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let minutes: u64 = minutes.parse().map_err(|_| format!("\"{minutes}\" is no number of minutes"))?;
                let date = Millis(now.0.saturating_sub(Millis::from_secs(60 * minutes).0));
                world.people(now).say_at(person, chat, text, date);
                Ok(vec![])
            }
            "repeat" => {
                let last = self.last_own(world)?;
                world.people(now).repeat_message(chat, last);
                Ok(vec![])
            }
            "as" => self.become_person(rest).map(|note| vec![note]),
            "in" => self.go_to(rest).map(|note| vec![note]),
            "screen" => Ok(vec![self.screen(world)]),
            "block" => {
                world.people(now).block(person);
                Ok(vec![Output::Note("the bot is blocked".to_owned())])
            }
            "unblock" => {
                world.people(now).unblock(person);
                Ok(vec![Output::Note("the bot is not blocked any more".to_owned())])
            }
            "fault" => fault(world, rest).map(|note| vec![note]),
            "heal" => {
                world.faults.heal();
                Ok(vec![Output::Note("no faults any more".to_owned())])
            }
            "help" => {
                let lines: Vec<String> = COMMANDS.iter().map(|(usage, what)| format!("{usage:<36} {what}")).collect();
                Ok(vec![Output::Note(lines.join("\n"))])
            }
            other => Err(format!("there is no command \":{other}\"; \":help\" lists them")),
        }
    }

    fn press(&self, world: &mut World, now: Millis, number: &str) -> Result<(), String> {
        let shown = number.parse().ok().and_then(|number: u32| self.numbers.iter().find(|(_, n)| **n == number));
        let ((chat, message, button), _) = shown.ok_or_else(|| format!("no button has the number \"{number}\""))?;
        // Nobody can press in a chat between somebody else and the bot.
        if chat.0 > 0 && *chat != self.private_chat() {
            return Err(format!("button {number} is in the chat of {}", world.chat_title(*chat)));
        }
        let pressed = world.people(now).press(self.person().id, *chat, *message, button);
        pressed.map(|_| ()).map_err(|_| format!("button {number} is gone"))
    }

    fn become_person(&mut self, name: &str) -> Result<Output, String> {
        let names: Vec<&str> = self.people.iter().map(|person| person.name.as_str()).collect();
        let found = self.people.iter().position(|person| person.name.eq_ignore_ascii_case(name));
        self.current = found.ok_or_else(|| format!("nobody here is called \"{name}\", only {}", names.join(", ")))?;
        Ok(Output::Note(format!("you are {} now", self.person().name)))
    }

    fn go_to(&mut self, title: &str) -> Result<Output, String> {
        if title.is_empty() {
            self.place = None;
            return Ok(Output::Note("you write to the bot alone now".to_owned()));
        }
        let titles: Vec<&str> = self.groups.iter().map(|group| group.title.as_str()).collect();
        let found = self.groups.iter().find(|group| group.title.eq_ignore_ascii_case(title));
        let group = found.ok_or_else(|| format!("no group is called \"{title}\", only: {}", titles.join(", ")))?;
        self.place = Some(group.id);
        Ok(Output::Note(format!("you write in {} now", group.title)))
    }

    fn last_own(&self, world: &World) -> Result<MessageId, String> {
        let chat: ChatId = self.chat();
        let messages = world.screen(chat).messages;
        let last =
            messages.iter().rev().find(|seen| !seen.is_bot && seen.from == self.person().name).map(|seen| seen.id);
        last.ok_or_else(|| "you have not said anything yet".to_owned())
    }
}

fn order(name: &str) -> Option<Order> {
    match name {
        "quit" => Some(Order::Quit),
        "down" => Some(Order::Down),
        "up" => Some(Order::Up),
        _ => None,
    }
}

/// Puts a fault into force: `NAME [METHOD|!METHOD] [xN]`.
fn fault(world: &mut World, rest: &str) -> Result<Output, String> {
    let names: Vec<&str> = Fault::NAMED.iter().map(|(name, _)| *name).collect();
    let mut words = rest.split_whitespace();
    let Some(name) = words.next() else {
        return Ok(Output::Note(format!("faults: {}", names.join(", "))));
    };
    let fault = Fault::named(name);
    let fault = fault.ok_or_else(|| format!("there is no fault \"{name}\", only {}", names.join(", ")))?;
    let mut rule = Rule { methods: Methods::All, quota: Quota::UntilHealed, fault };
    for word in words {
        match word.strip_prefix('x').map(str::parse) {
            Some(Ok(times)) => rule.quota = Quota::Times(times),
            Some(Err(_)) | None => rule.methods = methods(word)?,
        }
    }
    world.faults.add(rule);
    Ok(Output::Note(format!("from now on: {rest}")))
}

fn methods(word: &str) -> Result<Methods, String> {
    let unknown = || format!("there is no method \"{word}\"");
    match word.strip_prefix('!') {
        Some(spared) => Method::parse(spared).map(Methods::AllBut).ok_or_else(unknown),
        None => Method::parse(word).map(Methods::Only).ok_or_else(unknown),
    }
}
