//! The words that a scenario is written in, each with what it means.

use super::size::as_text;
use mainstay::task::State;
use std::fmt;
use std::str::FromStr;

/// A word with what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// A word with what it means.
pub const fn word(name: &'static str, about: &'static str) -> Word {
    Word { name, about }
}

/// What a task does, in the notation of its prompt. Times are in ms and have no unit.
pub const DOES: [Word; 9] = [
    word(
        "fails:N@MS",
        "exits with 75 after so many ms in each of its first N attempts, and does the rest in those after",
    ),
    word("exit:CODE@MS", "exits with this code after so many ms; without any such word, with 0 after a second"),
    word("signal:N@MS", "is ended by this signal after so many ms"),
    word("hang", "never ends by itself"),
    word("stubborn:MS", "dies only so many ms after it was asked to"),
    word("immortal", "can't be killed until faults are over"),
    word("progress:TEXT@MS", "tells of its progress, in one word, after so many ms"),
    word("lies", "does nothing of what it is for, whatever it exits with"),
    word("did", "does what it is for also where it then exits with another code than 0"),
];

/// Where people talk to the daemon.
pub const VIA: [Word; 3] = [
    word("group", "in the operators' group"),
    word("private", "in their private chat with the bot"),
    word("cli", "on the machine's command line, which is ana's"),
];

/// How something is written.
pub const HOW: [Word; 3] = [
    word("plain", "as a message of its own"),
    word("edited", "as a change of their newest message there"),
    word("forwarded", "as a stranger's words that they pass on"),
];

/// What a disk writes together.
pub const SECTORS: [Word; 2] =
    [word("small", "512 bytes, as older drives do"), word("large", "4 KiB, as newer ones do")];

/// What stands on buttons.
pub const BUTTONS: [Word; 8] = [
    word("Approve", "under a task that waits for approvals"),
    word("Reject", "under a task that waits for approvals"),
    word("Resume", "under an approved task"),
    word("Stop", "under a task that has not ended"),
    word("Recover", "under a failed, canceled or expired task"),
    word("Log", "under a task that has run"),
    word("Why", "under a task that waits"),
    word("Do it now", "under a command that was read late, asking back"),
];

/// Something that happens in the world, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Its card, or an answer, can be seen: the task is REQUESTED.
    Shown(usize),
    /// Somebody has approved it.
    Approved(usize),
    /// Somebody has let it run.
    Resumed(usize),
    /// The task's program runs.
    Runs(usize),
    /// Somebody wants it stopped.
    Stopped(usize),
    /// An attempt of it came to an end other than success.
    Failed(usize),
    /// A second attempt of it runs.
    RunsAgain(usize),
    /// Nothing of its first attempt is alive any more.
    Ended(usize),
    /// A report of its end can be read.
    Reported(usize),
}

impl Moment {
    /// What happens to a job, as it is written after its number, and what it means.
    pub const WHAT: [Word; 9] = [
        word("is shown", "its card, or an answer, can be seen (REQUESTED)"),
        word("is approved", "somebody has approved it (APPROVED, once the daemon reads that)"),
        word("is resumed", "somebody has let it run (QUEUED, once the daemon reads that)"),
        word("runs", "its program runs (RUNNING)"),
        word("is stopped", "somebody has asked to stop it"),
        word("failed", "an attempt of it came to an end other than success (FAILED, or waiting for its next try)"),
        word("runs again", "a second attempt of it runs"),
        word("ended", "nothing of its first attempt is alive any more"),
        word("is reported", "a report of its end can be read in a chat"),
    ];

    const MAKE: [fn(usize) -> Moment; 9] = [
        Moment::Shown,
        Moment::Approved,
        Moment::Resumed,
        Moment::Runs,
        Moment::Stopped,
        Moment::Failed,
        Moment::RunsAgain,
        Moment::Ended,
        Moment::Reported,
    ];

    /// The number of the job; the first is 1.
    pub fn job(self) -> usize {
        match self {
            Moment::Shown(job)
            | Moment::Approved(job)
            | Moment::Resumed(job)
            | Moment::Runs(job)
            | Moment::Stopped(job)
            | Moment::Failed(job)
            | Moment::RunsAgain(job)
            | Moment::Ended(job)
            | Moment::Reported(job) => job,
        }
    }

    /// The same of another job.
    #[must_use]
    pub fn of(self, job: usize) -> Moment {
        Self::MAKE.into_iter().map(|make| make(job)).find(|moment| moment.what() == self.what()).unwrap_or(self)
    }

    fn what(self) -> &'static str {
        let place = Self::MAKE.iter().position(|make| make(self.job()) == self);
        place.map_or("", |place| Self::WHAT[place].name)
    }
}

impl FromStr for Moment {
    type Err = String;
    fn from_str(text: &str) -> Result<Moment, String> {
        let wrong = || format!("{text:?} is nothing that happens");
        let (job, what) = text.strip_prefix("job ").and_then(|rest| rest.split_once(' ')).ok_or_else(wrong)?;
        let job = job.parse().map_err(|_| wrong())?;
        let place = Self::WHAT.iter().position(|word| word.name == what).ok_or_else(wrong)?;
        Ok(Self::MAKE[place](job))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {} {}", self.job(), self.what())
    }
}

as_text! { Moment }

/// The word that was probably meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&wrong, &word.to_lowercase());
    known
        .into_iter()
        .map(|word| (distance(word), word))
        .filter(|(distance, word)| *distance <= 1 + word.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Whether a task may be there when everything is at rest: at its end, or because it waits for people who left it alone.
pub(super) fn may_stay(state: State) -> bool {
    match state {
        State::Queued | State::Running => false,
        State::Requested | State::Approved | State::Succeeded | State::Failed | State::Canceled | State::Expired => {
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::script::Script;

    #[test]
    fn every_moment_is_read_and_written_alike() {
        for word in Moment::WHAT {
            let text = format!("job 3 {}", word.name);
            let moment: Moment = text.parse().expect("a moment");
            assert_eq!((moment.to_string(), moment.job()), (text, 3));
            assert_eq!(moment.of(7).to_string(), format!("job 7 {}", word.name));
        }
    }

    #[test]
    fn every_word_of_what_a_task_does_is_understood_by_the_machine() {
        let usual = Script::read("", 1);
        for word in DOES {
            let example = word.name.replace("CODE", "3").replace("MS", "77").replace('N', "9").replace("TEXT", "half");
            assert_ne!(Script::read(&example, 1), usual, "{example}");
        }
    }

    #[test]
    fn what_was_meant_is_found_and_nonsense_is_not() {
        assert_eq!(nearest("daemon-kiled", ["line-cut", "daemon-killed"]), Some("daemon-killed"));
        assert_eq!(nearest("Aprove", ["Approve", "Reject"]), Some("Approve"));
        assert_eq!(nearest("xyzzy", ["Approve", "Reject"]), None);
    }
}
