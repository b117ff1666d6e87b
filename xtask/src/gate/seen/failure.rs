//! Lines that went wrong, so that people get from a figure to the line behind it.

use super::Place;
use mainstay_metric::ledger::Line;
use std::collections::BTreeMap;

/// So many of each kind are kept word by word; the others are counted.
const KEPT: usize = 12;
/// A line that is longer is cut: it can be read in full where it stands.
const LETTERS: usize = 600;

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// A property that did not hold.
    Broken,
    /// A program that was started, or had its effect, more than once or without a reason.
    Duplicate,
    /// A planted bug that nothing found.
    Missed,
    /// A run that did not come to its end.
    CutOff,
    /// The same run came to something else.
    Differs,
    /// A step that does not hold.
    Step,
    /// A command that was not answered rightly and in time.
    Command,
    /// A fault after which nothing went through by itself.
    Unrecovered,
    /// A task whose state is not what the oracle expects.
    Task,
    /// A task whose story has a gap.
    Gap,
    /// A rerun that came to something else than the oracle expects.
    Rerun,
    /// A counted figure that misses what was wanted.
    Figure,
}

impl Trouble {
    /// All of them, worst first.
    pub(crate) const ALL: [Trouble; 12] = [
        Trouble::Broken,
        Trouble::Duplicate,
        Trouble::Missed,
        Trouble::CutOff,
        Trouble::Differs,
        Trouble::Step,
        Trouble::Command,
        Trouble::Unrecovered,
        Trouble::Task,
        Trouble::Gap,
        Trouble::Rerun,
        Trouble::Figure,
    ];

    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Trouble::Broken => "Properties that broke",
            Trouble::Duplicate => "Executions that should not be",
            Trouble::Missed => "Planted bugs that nothing found",
            Trouble::CutOff => "Runs that were cut off",
            Trouble::Differs => "Runs that came to something else when played again",
            Trouble::Step => "Steps that do not hold",
            Trouble::Command => "Commands not answered rightly and in time",
            Trouble::Unrecovered => "Faults that were not got over unaided",
            Trouble::Task => "Tasks that ended otherwise than the oracle expects",
            Trouble::Gap => "Tasks whose story has a gap",
            Trouble::Rerun => "Reruns that came to something else",
            Trouble::Figure => "Figures that miss their target",
        }
    }
}

/// A line that went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Where it stands.
    pub(crate) place: Place,
    /// Of which run: suite, scenario and seed.
    pub(crate) run: String,
    /// What is wrong with it.
    pub(crate) why: String,
    /// The line itself.
    pub(crate) line: String,
}

/// All of them: how many, and the first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failures {
    of: BTreeMap<Trouble, (u64, Vec<Failure>)>,
}

impl Failures {
    pub(super) fn add(&mut self, trouble: Trouble, place: &Place, run: &str, why: &str, line: &Line) {
        let (count, first) = self.of.entry(trouble).or_default();
        *count += 1;
        if first.len() < KEPT {
            let text = serde_json::to_string(line).unwrap_or_else(|error| format!("can't be written: {error}"));
            let (why, line) = (cut(why), cut(&text));
            first.push(Failure { place: place.clone(), run: run.to_owned(), why, line });
        }
    }

    /// How many there are, and the first of them.
    pub(crate) fn of(&self, trouble: Trouble) -> (u64, &[Failure]) {
        self.of.get(&trouble).map_or((0, &[]), |(count, first)| (*count, first))
    }

    /// The first one.
    pub(crate) fn first(&self, trouble: Trouble) -> Option<&Failure> {
        self.of(trouble).1.first()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LETTERS) {
        Some((at, _)) => format!("{} ...", &text[..at]),
        None => text.to_owned(),
    }
}
