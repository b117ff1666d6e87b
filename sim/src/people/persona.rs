//! Kinds of people for days that are played for evidence. All three of the cast are of one kind; what each may do stays as
//! it is. They react to what the bot shows and to nothing else, and they sleep from eleven to seven.
//!
//! The numbers are a model, written down so that they can be doubted; what depends on them is labelled as such.

use super::cast::{EVERYBODY, Habits};

/// A kind of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Persona {
    /// They look within seconds and rarely slip.
    Attentive,
    /// They look when they come by, after minutes or most of an hour.
    Slow,
    /// They are quick, impatient and careless.
    ErrorProne,
}

/// What goes wrong under somebody's hands, of a hundred times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Slips {
    /// What a button would do is typed instead.
    pub(super) types: u32,
    /// What is typed has a slip of the finger.
    pub(super) typos: u32,
    /// What is typed names the task beside the one that is meant.
    pub(super) wrong_ids: u32,
    /// A button is pressed first that does nothing any more.
    pub(super) stale: u32,
    /// A day, somebody looks around so often by a command.
    pub(super) rounds: u32,
}

impl Persona {
    /// All, as they are called on the command line.
    pub const NAMED: [(&'static str, Persona); 3] =
        [("attentive", Persona::Attentive), ("slow", Persona::Slow), ("error-prone", Persona::ErrorProne)];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Persona::Attentive => "attentive",
            Persona::Slow => "slow",
            Persona::ErrorProne => "error-prone",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Persona> {
        Persona::NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, persona)| persona)
    }

    /// The cast, with the habits of this kind of people.
    pub(super) fn cast(self) -> [Habits; 3] {
        EVERYBODY.map(|one| match self {
            Persona::Attentive => Habits {
                reacts_ms: (2_000, 20_000),
                double_taps: 2,
                patience_ms: 180_000,
                repeats: 0,
                pushes: false,
                ..one
            },
            Persona::Slow => {
                let (reacts_ms, patience_ms) = ((60_000, 45 * 60_000), 2 * 3_600_000);
                Habits { reacts_ms, double_taps: 2, patience_ms, repeats: 0, pushes: false, ..one }
            }
            Persona::ErrorProne => Habits {
                reacts_ms: (1_000, 60_000),
                double_taps: 30,
                patience_ms: 40_000,
                repeats: 50,
                pushes: true,
                ..one
            },
        })
    }

    pub(super) fn slips(self) -> Slips {
        match self {
            Persona::Attentive => Slips { types: 10, typos: 2, wrong_ids: 1, stale: 1, rounds: 3 },
            Persona::Slow => Slips { types: 20, typos: 3, wrong_ids: 2, stale: 5, rounds: 1 },
            Persona::ErrorProne => Slips { types: 50, typos: 15, wrong_ids: 10, stale: 10, rounds: 4 },
        }
    }
}

/// Whether people are awake: the day of a run begins at midnight.
pub(super) fn awake(now: i64) -> bool {
    let hour = now.rem_euclid(24 * 3_600_000) / 3_600_000;
    (7..23).contains(&hour)
}

/// What comes of a command when two letters of it change places: with these, it is no command.
pub(super) fn typo(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() > 3 {
        letters.swap(2, 3);
    }
    letters.into_iter().collect()
}
