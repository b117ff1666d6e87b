//! What happened in a run, entry by entry: to be read, drawn, and compared with another run of the same seed.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// What went wrong, and that it is over.
    Fault,
    /// A daemon starts, ends or is killed; the machine's power.
    Daemon,
    /// What people ask for and press.
    Person,
    /// States of tasks, by the daemon's record.
    Task,
    /// Programs of the machine.
    Machine,
    /// Requests to Telegram, with what came of them.
    Network,
    /// Events of the daemon's record.
    Record,
    /// Writes and syncs.
    Disk,
    /// Bytes on the wire.
    Wire,
    /// Time and chance that daemons asked for.
    Clock,
}

impl Lane {
    /// All, in the order in which they are drawn.
    pub const ALL: [Lane; 10] = [
        Lane::Fault,
        Lane::Daemon,
        Lane::Person,
        Lane::Task,
        Lane::Machine,
        Lane::Network,
        Lane::Record,
        Lane::Disk,
        Lane::Wire,
        Lane::Clock,
    ];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Lane::Fault => "fault",
            Lane::Daemon => "daemon",
            Lane::Person => "person",
            Lane::Task => "task",
            Lane::Machine => "machine",
            Lane::Network => "network",
            Lane::Record => "record",
            Lane::Disk => "disk",
            Lane::Wire => "wire",
            Lane::Clock => "clock",
        }
    }
}

/// How the words of an entry begin that says that a fault is over.
pub(crate) const OVER: &str = "over: ";
/// How the words of an entry begin that says that a fault found nothing that it could strike.
pub(crate) const IN_VAIN: &str = "in vain: ";

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it began, ms of the simulation.
    pub at_ms: i64,
    /// When it was over, for what lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// What it is about.
    pub lane: Lane,
    /// The task that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<i64>,
    /// What.
    pub words: String,
}

impl Entry {
    /// Something that happens at once.
    pub fn at(at_ms: i64, lane: Lane, words: impl Into<String>) -> Entry {
        Entry { at_ms, until_ms: None, lane, task: None, words: words.into() }
    }

    /// A fault strikes here, and is not over or in vain.
    pub(crate) fn is_strike(&self) -> bool {
        self.lane == Lane::Fault && ![OVER, IN_VAIN].iter().any(|begin| self.words.starts_with(begin))
    }

    /// The same, lasting.
    pub fn until(self, until_ms: i64) -> Entry {
        Entry { until_ms: Some(until_ms), ..self }
    }

    /// The same, about a task.
    pub fn of(self, task: i64) -> Entry {
        Entry { task: Some(task), ..self }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10} s  {:<7}  ", seconds(self.at_ms), self.lane.name())?;
        if let Some(task) = self.task {
            write!(f, "#{task} ")?;
        }
        f.write_str(&self.words)?;
        match self.until_ms {
            Some(until) => write!(f, " (until {} s)", seconds(until)),
            None => Ok(()),
        }
    }
}

/// Milliseconds as seconds with three places.
pub fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03}", ms / 1_000, ms % 1_000)
}

/// By time; what happened in the same moment by lane, else as it was noted.
pub fn sort(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| (entry.at_ms, entry.lane));
}

/// The same as single moments: what lasts becomes its begin and its end, so that no entry tells of what comes later.
pub fn moments(entries: &[Entry]) -> Vec<Entry> {
    let mut moments = Vec::new();
    for entry in entries {
        moments.push(Entry { until_ms: None, ..entry.clone() });
        let end = entry.until_ms.map(|at_ms| (at_ms, format!("the end of: {}", entry.words)));
        moments.extend(end.map(|(at_ms, words)| Entry { at_ms, until_ms: None, words, ..entry.clone() }));
    }
    sort(&mut moments);
    moments
}

/// Where two traces of one seed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The last entries that are the same.
    pub before: &'a [Entry],
    /// The first trace's next one; none when it ends here.
    pub first: Option<&'a Entry>,
    /// The second's.
    pub second: Option<&'a Entry>,
}

/// The first difference, with so many entries before it as are wanted at most.
pub fn difference<'a>(first: &'a [Entry], second: &'a [Entry], before: usize) -> Option<Difference<'a>> {
    let same = first.iter().zip(second).take_while(|(a, b)| a == b).count();
    let (a, b) = (first.get(same), second.get(same));
    let before = &first[same.saturating_sub(before)..same];
    (a.is_some() || b.is_some()).then_some(Difference { before, first: a, second: b })
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in self.before {
            writeln!(f, "    {entry}")?;
        }
        let words = |entry: Option<&Entry>| entry.map_or_else(|| "(nothing more)".to_owned(), Entry::to_string);
        writeln!(f, "  1 {}", words(self.first))?;
        write!(f, "  2 {}", words(self.second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(words: &[&str]) -> Vec<Entry> {
        (0..).zip(words).map(|(n, words)| Entry::at(n * 1_000, Lane::Disk, *words)).collect()
    }

    #[test]
    fn the_first_difference_is_named_with_what_was_before_it() {
        let (one, two) = (entries(&["a", "b", "c", "d", "e"]), entries(&["a", "b", "c", "x", "e"]));
        assert_eq!(difference(&one, &one, 2), None);
        let parted = difference(&one, &two, 2).expect("they differ");
        assert_eq!(parted.before, &one[1..3]);
        assert_eq!((parted.first, parted.second), (Some(&one[3]), Some(&two[3])));
        let said = parted.to_string();
        assert!(said.contains("1      3.000 s  disk     d\n") && said.ends_with("3.000 s  disk     x"), "{said}");
        // One that only ends sooner differs too.
        let shorter = difference(&one[..4], &one, 1).expect("they differ");
        assert_eq!((shorter.first, shorter.second), (None, Some(&one[4])));
    }

    #[test]
    fn a_difference_in_an_end_is_where_the_end_is() {
        let run = |end: i64| moments(&[Entry::at(1, Lane::Machine, "runs").until(end), Entry::at(2, Lane::Disk, "b")]);
        let (one, two) = (run(50), run(60));
        let parted = difference(&one, &two, 1).expect("they differ");
        assert_eq!(parted.before, [Entry::at(2, Lane::Disk, "b")]);
        assert_eq!(parted.first, Some(&Entry::at(50, Lane::Machine, "the end of: runs")));
    }

    #[test]
    fn an_entry_is_a_line() {
        let entry = Entry::at(61_250, Lane::Machine, "attempt 1 runs").of(7).until(62_000);
        assert_eq!(entry.to_string(), "    61.250 s  machine  #7 attempt 1 runs (until 62.000 s)");
        assert_eq!(seconds(-50), "-0.050");
    }
}
