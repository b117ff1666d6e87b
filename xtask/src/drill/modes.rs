//! The modes: what is wrong with a release, and what has to come of it. One table; the command line, the gate, the docs and the
//! judge go by it.

use super::killed;
use Bad::{Config, Migration, Nothing, Poison, Run};
use Flow::{Activate, KilledBack, KilledForward, RollBack, Schemas};
use Runs::{New, Old};

/// How the way to a release is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It is not.
    Nothing,
    /// Where its program is called like this (a shell's pattern), it does this before anything else.
    Run(&'static str, &'static str),
    /// It works until it gets this signal: after so many answers in the chat.
    Poison(&'static str, u32),
    /// The configuration has this at its beginning while it is switched to.
    Config(&'static str),
    /// The database can't be brought up to date: it says that it is older than it is.
    Migration,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// `activate`.
    Activate,
    /// `activate`, then `rollback`.
    RollBack,
    /// `activate`, somebody is killed on its way; then again, or undone.
    KilledForward,
    /// The same with `rollback`, after an `activate` that went well.
    KilledBack,
    /// No switch: databases of other schemas.
    Schemas,
}

/// Which release runs at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// The one of before.
    Old,
    /// The one that was switched to.
    New,
}

/// How a switch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Exit code of the last command.
    pub(crate) code: i32,
    /// What runs then.
    pub(crate) runs: Runs,
}

impl Ends {
    /// Whoever is in charge has to be told: it went back by itself.
    pub(crate) fn is_told(self) -> bool {
        self.code == WENT_BACK
    }
}

/// One way to be bad.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    /// In a few words.
    pub(crate) name: &'static str,
    pub(crate) bad: Bad,
    pub(crate) flow: Flow,
    /// How it has to end; where somebody is killed, that depends on whom and when.
    pub(crate) ends: &'static [Ends],
}

/// A mode.
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Rounds take them in turn.
    pub(crate) variants: &'static [Variant],
}

impl Mode {
    /// So many rounds, taken in turn, show each of its cases.
    pub(crate) fn cases(&self) -> u64 {
        let each =
            if self.variants.iter().any(|variant| variant.flow == Flow::KilledForward) { killed::CASES } else { 1 };
        self.variants.len() as u64 * each
    }
}

/// The exit code of a switch that failed and was undone.
pub(crate) const WENT_BACK: i32 = 23;

const BLESSED: &[Ends] = &[Ends { code: 0, runs: New }];
const REFUSED: &[Ends] = &[Ends { code: 1, runs: Old }];
const LEFT: &[Ends] = &[Ends { code: WENT_BACK, runs: Old }];
const BACK: &[Ends] = &[Ends { code: 0, runs: Old }];
const fn left(name: &'static str, bad: Bad) -> Variant {
    Variant { name, bad, flow: Activate, ends: LEFT }
}

const fn refused(name: &'static str, bad: Bad) -> Variant {
    Variant { name, bad, flow: Activate, ends: REFUSED }
}

/// The daemon's start.
const START: &str = "*' run'*";
/// That, and its look at the machine before.
const BOTH: &str = "*' run'*|*check*";

/// All of them.
#[rustfmt::skip] // a row is a line
pub(crate) const MODES: [Mode; 12] = [
    Mode { name: "good", about: "a release that works: it is blessed", variants: &[
        Variant { name: "good", bad: Nothing, flow: Activate, ends: BLESSED },
    ] },
    Mode { name: "crash-at-start", about: "a release that ends as soon as it starts", variants: &[
        left("exit 1", Run(START, "exit 1")),
        left("killed", Run(START, "kill -KILL $$")),
        left("after 0.3 s", Run(START, "sleep 0.3; exit 70")),
    ] },
    Mode { name: "never-ready", about: "a release that starts, and never answers", variants: &[
        left("silent", Run(START, "exec sleep 1000")),
        left("frozen", Run(START, "kill -STOP $$")),
    ] },
    Mode { name: "hang-after-ready", about: "a release that hangs as soon as it was ready", variants: &[
        left("frozen", Poison("STOP", 0)),
    ] },
    Mode { name: "bad-config", about: "a configuration that the release can't take: nothing is changed", variants: &[
        refused("a word that is none", Config("autonomy_of_robots = true")),
        refused("a value that is none", Config("running_max = \"many\"")),
    ] },
    Mode { name: "failed-migration", about: "a database that the release can't bring up to date", variants: &[
        refused("seen before", Migration),
        left("seen at its start", Run(START, "echo 'mainstay: the database is damaged' >&2; exit 17")),
    ] },
    Mode { name: "full-disk", about: "a release that finds no room to write", variants: &[
        left("not a byte", Run(START, "trap '' XFSZ; ulimit -f 0; exec \"$here/mainstay-real\" \"$@\"")),
        left("a few KiB", Run(START, "trap '' XFSZ; ulimit -f 64; exec \"$here/mainstay-real\" \"$@\"")),
    ] },
    Mode { name: "wrong-credentials", about: "a release that is given no token, or another one", variants: &[
        left("another bot's token at its start", Run(START, "export MAINSTAY_TELEGRAM_TOKEN=4201:another-token-that-opens-nothing; exec \"$here/mainstay-real\" \"$@\"")),
        left("no token at its start", Run(START, "export MAINSTAY_TELEGRAM_TOKEN=none; exec \"$here/mainstay-real\" \"$@\"")),
        refused("no token", Run(BOTH, "export MAINSTAY_TELEGRAM_TOKEN=none; exec \"$here/mainstay-real\" \"$@\"")),
        refused("another bot's token", Run(BOTH, "export MAINSTAY_TELEGRAM_TOKEN=4201:another-token-that-opens-nothing; exec \"$here/mainstay-real\" \"$@\"")),
    ] },
    Mode { name: "slow-poison", about: "a release that works, and fails while it is watched", variants: &[
        left("dies", Poison("KILL", 2)),
        left("hangs", Poison("STOP", 3)),
    ] },
    Mode { name: "rollback", about: "a release that works, and is gone back from by hand", variants: &[
        Variant { name: "by hand", bad: Nothing, flow: RollBack, ends: BACK },
    ] },
    Mode { name: "killed", about: "kill -9 of the command, of the daemon or of both at each step, there and back; then again, undone, or ended as at a start of the machine", variants: &[
        Variant { name: "there", bad: Nothing, flow: KilledForward, ends: BLESSED },
        Variant { name: "back", bad: Nothing, flow: KilledBack, ends: BACK },
    ] },
    Mode { name: "old-schemas", about: "databases of every earlier schema, and of newer ones", variants: &[
        Variant { name: "all", bad: Nothing, flow: Schemas, ends: BLESSED },
    ] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_units_and_at_least_eight_modes_are_bad_releases() {
        let word = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(MODES.iter().all(|mode| word(mode.name) && !mode.variants.is_empty()));
        let bad = |mode: &&Mode| mode.variants.iter().any(|variant| variant.bad != Nothing);
        assert!(MODES.iter().filter(bad).count() >= 8);
    }
}
