//! When something was out of order that the daemon can do nothing about: what it owes is counted without that time.

use std::collections::BTreeMap;

/// What can be out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// No daemon runs, whatever the reason.
    Daemon,
    /// Not everything gets through between machine and Telegram.
    Line,
    /// It takes long to get through.
    Speed,
    /// Telegram answers wrongly or not at all.
    Telegram,
    /// Writes or syncs of the disk fail.
    Disk,
    /// Processes can't be killed.
    Processes,
    /// Another program polls with the bot's token: ours waits after each refusal.
    Rival,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 7] =
        [Part::Daemon, Part::Line, Part::Speed, Part::Telegram, Part::Disk, Part::Processes, Part::Rival];
}

/// When what was out of order: from, until (ms of the run); the last may go on.
#[derive(Debug, Clone, Default)]
pub struct Outages {
    over: Vec<(Part, i64, i64)>,
    now: BTreeMap<Part, i64>,
}

impl Outages {
    /// At this time, a part is out of order or is not.
    pub fn note(&mut self, part: Part, at_ms: i64, is_out: bool) {
        if is_out {
            self.now.entry(part).or_insert(at_ms);
        } else if let Some(since) = self.now.remove(&part) {
            self.over.push((part, since, at_ms));
        }
    }

    /// How long between two times any of these parts was out of order, ms. What overlaps counts once.
    pub fn between(&self, parts: &[Part], from: i64, until: i64) -> i64 {
        let running = self.now.iter().map(|(part, since)| (*part, *since, i64::MAX));
        let all = self.over.iter().copied().chain(running).filter(|(part, ..)| parts.contains(part));
        let mut spans: Vec<(i64, i64)> =
            all.map(|(_, a, b)| (a.max(from), b.min(until))).filter(|(a, b)| a < b).collect();
        spans.sort_unstable();
        let mut reached = from;
        let mut sum = 0;
        for (a, b) in spans {
            sum += (b - a.max(reached)).max(0);
            reached = reached.max(b);
        }
        sum
    }

    /// Whether any of these parts was out of order between two times, be it for no time at all: a daemon that dies when all faults
    /// end is followed by the next at once.
    pub fn any(&self, parts: &[Part], from: i64, until: i64) -> bool {
        let running = self.now.iter().map(|(part, since)| (*part, *since, i64::MAX));
        let mut all = self.over.iter().copied().chain(running);
        all.any(|(part, a, b)| parts.contains(&part) && a <= until && b >= from)
    }

    /// Each time that a part was out of order and is in order again: from, until.
    pub fn spans(&self, part: Part) -> impl Iterator<Item = (i64, i64)> {
        self.over.iter().filter(move |(of, ..)| *of == part).map(|(_, from, until)| (*from, *until))
    }

    /// The last time by which any of these parts was out of order; none if they never were.
    pub fn last_end(&self, parts: &[Part]) -> Option<i64> {
        let over = self.over.iter().filter(|(part, ..)| parts.contains(part)).map(|(_, _, until)| *until);
        let running = self.now.keys().filter(|part| parts.contains(part)).map(|_| i64::MAX);
        over.chain(running).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_counts_once_and_what_goes_on_counts_until_the_end() {
        let mut outages = Outages::default();
        for (part, at, out) in [
            (Part::Daemon, 10, true),
            (Part::Daemon, 15, true),
            (Part::Line, 15, true),
            (Part::Daemon, 20, false),
            (Part::Line, 30, false),
            (Part::Disk, 90, true),
        ] {
            outages.note(part, at, out);
        }
        assert_eq!(outages.between(&[Part::Daemon], 0, 100), 10);
        assert_eq!(outages.between(&[Part::Daemon, Part::Line], 0, 100), 20);
        assert_eq!(outages.between(&Part::ALL, 18, 100), 22);
        assert_eq!(outages.between(&[Part::Telegram], 0, 100), 0);
        assert_eq!(outages.last_end(&[Part::Line, Part::Daemon]), Some(30));
        outages.note(Part::Telegram, 50, true);
        outages.note(Part::Telegram, 50, false);
        assert!(outages.any(&[Part::Telegram], 40, 60) && !outages.any(&[Part::Telegram], 51, 60));
        assert_eq!(outages.between(&[Part::Telegram], 40, 60), 0);
        assert_eq!(outages.last_end(&[Part::Disk]), Some(i64::MAX));
        assert_eq!(outages.last_end(&[Part::Processes]), None);
    }
}
