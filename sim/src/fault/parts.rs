//! What the fields of faults may say, each with its words for docs, hints and editors.

use crate::scenario::words::{Word, word};
use serde::{Deserialize, Serialize};

/// What a power loss leaves of writes that were not synced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Left {
    /// Nothing.
    Nothing,
    /// The first ones, the last of them in part.
    Prefix,
    /// Any sectors, in any order, some in part.
    #[default]
    Any,
}

/// [`Left`].
pub const LEFT: [Word; 3] = [
    word("nothing", "nothing"),
    word("prefix", "the first ones, the last of them in part"),
    word("any", "any sectors, in any order, some in part"),
];

/// Which requests to Telegram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum To {
    /// All.
    #[default]
    All,
    /// Long polls.
    Polls,
    /// All but those.
    Sends,
}

/// [`To`].
pub const TO: [Word; 3] = [word("all", "all"), word("polls", "long polls"), word("sends", "all but long polls")];

/// Which way a line is cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Both ways.
    #[default]
    Both,
    /// What the machine sends does not arrive.
    There,
    /// What Telegram sends does not arrive.
    Back,
}

/// [`Way`].
pub const WAYS: [Word; 3] = [
    word("both", "nothing gets through"),
    word("there", "what the machine sends does not arrive"),
    word("back", "what Telegram sends does not arrive: requests take effect and are never answered"),
];

/// How a disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFailure {
    /// Writes fail.
    Writes,
    /// Syncs fail, and what they were to sync is lost.
    Syncs,
    /// There is no room.
    Full,
    /// Reads fail.
    Reads,
    /// Reads get the first half of what they ask for.
    ShortReads,
}

/// [`DiskFailure`].
pub const DISK_FAILURES: [Word; 5] = [
    word("writes", "writes fail"),
    word("syncs", "syncs fail, and what they were to sync is lost, though the next sync succeeds"),
    word("full", "nothing can be written for lack of room"),
    word("reads", "reads fail; see `small_cache`"),
    word("short-reads", "reads get the first half of what they ask for, as POSIX allows; see `small_cache`"),
];

/// The names of [`crate::botapi::Fault::NAMED`].
pub const ANSWERS: [Word; 12] = [
    word("hang", "no answer, and nothing happens"),
    word("half-open", "it takes effect, and neither its answer nor anything else arrives"),
    word("reset-before", "the connection is reset, and nothing happens"),
    word("reset-after", "it takes effect, and the connection is reset"),
    word("html500", "a gateway's page with status 500, and nothing happens"),
    word("html502", "the same with status 502"),
    word("html502-after", "it takes effect, and the answer is a gateway's page"),
    word("429", "too many requests: wait for 5 s"),
    word("401", "the token is refused"),
    word("409", "somebody else polls"),
    word("slow", "the right answer, 3 s later"),
    word("bad-json", "it takes effect, and the answer is cut off"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::botapi;

    fn names<const N: usize>(words: [Word; N]) -> Vec<String> {
        words.iter().map(|word| word.name.to_owned()).collect()
    }

    fn written(values: &[impl Serialize]) -> Vec<String> {
        let name = |value| serde_json::to_value(value).expect("a word").as_str().unwrap_or_default().to_owned();
        values.iter().map(name).collect()
    }

    #[test]
    fn every_value_has_its_word() {
        assert_eq!(names(LEFT), written(&[Left::Nothing, Left::Prefix, Left::Any]));
        assert_eq!(names(TO), written(&[To::All, To::Polls, To::Sends]));
        assert_eq!(names(WAYS), written(&[Way::Both, Way::There, Way::Back]));
        let how = [DiskFailure::Writes, DiskFailure::Syncs, DiskFailure::Full, DiskFailure::Reads];
        assert_eq!(names(DISK_FAILURES), [written(&how), written(&[DiskFailure::ShortReads])].concat());
        assert_eq!(names(ANSWERS), botapi::Fault::NAMED.map(|(name, _)| name));
    }
}
