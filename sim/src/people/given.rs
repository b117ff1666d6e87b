//! Every command that somebody gave, with how: what a judge needs to find its answer.

use crate::botapi::{ChatId, MessageId, PressId, UserId};
use mainstay::command::{Command, Parsed, parse_text};

/// Something that a person typed or pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// When, ms of the run.
    pub at: i64,
    /// By whom.
    pub by: UserId,
    /// Which command it is; none for what is none, such as a slip of the finger.
    pub verb: Option<&'static str>,
    /// The task that it names, where it names one.
    pub task: Option<i64>,
    /// The job that it asks for: the first is 0.
    pub job: Option<usize>,
    /// A review that does not pass.
    pub fails: bool,
    /// How.
    pub how: How,
}

/// How something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Typed, in a chat.
    Said {
        /// Where.
        chat: ChatId,
        /// As which message.
        message: MessageId,
        /// So many characters.
        chars: u32,
    },
    /// A button.
    Pressed {
        /// The press.
        press: PressId,
        /// Where.
        chat: ChatId,
        /// What the button sends: two presses with the same are of one button.
        data: String,
    },
    /// Typed, on the command line; again under another connection while nobody answered.
    Asked {
        /// As the desk numbered them.
        connections: Vec<u64>,
        /// So many characters.
        chars: u32,
    },
}

/// What somebody typed, as the daemon's own reader of commands takes it: its grammar is not what is judged here.
pub(crate) fn said(at: i64, by: UserId, chat: ChatId, message: MessageId, text: &str) -> Given {
    let (verb, task, fails) = match parse_text(text, None) {
        Parsed::Command(command) => {
            let fails = matches!(&command, Command::Review { pass: false, .. });
            (Some(command.name()), command.task().map(|task| task.0), fails)
        }
        Parsed::Bad(_) | Parsed::NotForUs => (None, None, false),
    };
    Given { at, by, verb, task, job: None, fails, how: How::Said { chat, message, chars: chars(text) } }
}

/// A button with this label was pressed.
pub(crate) fn pressed(
    at: i64,
    by: UserId,
    press: PressId,
    (chat, data): (ChatId, &str),
    label: &str,
    task: Option<i64>,
) -> Given {
    let how = How::Pressed { press, chat, data: data.to_owned() };
    Given { at, by, verb: verb_of(label), task, job: None, fails: false, how }
}

/// Which command a button stands for; none for those of which that does not show.
pub(crate) fn verb_of(label: &str) -> Option<&'static str> {
    let word = label.split(' ').next_back()?;
    ["Approve", "Reject", "Resume", "Stop", "Recover", "Log", "Why"]
        .iter()
        .zip(["approve", "reject", "resume", "stop", "recover", "log", "why"])
        .find_map(|(known, verb)| (*known == word).then_some(verb))
}

/// So many characters, as people count them.
pub(crate) fn chars(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}
