//! What went wrong by itself, and when it was over by the record.

use super::Days;
use crate::event::{Fact, Recorded};
use mainstay_metric::ledger::{Fault, Line};
use std::collections::BTreeMap;

/// What is going on, and what was.
#[derive(Default)]
pub(super) struct Trouble {
    /// By class: since when.
    open: BTreeMap<&'static str, i64>,
    /// Class, beginning, end.
    over: Vec<(&'static str, i64, Option<i64>)>,
    /// The last event, and whether a daemon had ended by then as it should. None before the first.
    last: Option<(i64, bool)>,
}

const POLL: &str = "poll";
const DISK: &str = "disk-low";

impl Trouble {
    pub(super) fn see(&mut self, event: &Recorded) {
        self.fact(event.at, &event.fact);
        self.last = Some((event.at, matches!(event.fact, Fact::Stopping {})));
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most of what is on record is no trouble")]
    fn fact(&mut self, at: i64, fact: &Fact) {
        match fact {
            Fact::PollBroke { .. } => self.began(POLL, at),
            // Its beginning may be older than what is looked at.
            Fact::PollRecovered { after_ms, .. } => self.ended(POLL, at, Some(at - after_ms)),
            Fact::DiskLow { .. } => self.began(DISK, at),
            Fact::DiskWell { .. } => self.ended(DISK, at, None),
            Fact::StorageRecovered { after_ms, .. } => self.over.push(("storage", at - after_ms, Some(at))),
            // The last sign of life is when it died at the latest; that it took over is the first one again.
            Fact::Booted { .. } => {
                if let Some((since, false)) = self.last {
                    self.over.push(("daemon-died", since, Some(at)));
                }
            }
            _ => {}
        }
    }

    fn began(&mut self, class: &'static str, at: i64) {
        self.open.entry(class).or_insert(at);
    }

    fn ended(&mut self, class: &'static str, at: i64, since: Option<i64>) {
        if let Some(began) = self.open.remove(class).or(since) {
            self.over.push((class, began, Some(at)));
        }
    }

    pub(super) fn tell(mut self, days: &mut Days) {
        self.over.extend(self.open.into_iter().map(|(class, since)| (class, since, None)));
        for (class, since, until) in self.over {
            // It began before the window: then it belongs to its first day.
            let day_of = since.max(days.window.from_ms);
            days.add(day_of, |clock| {
                Line::Fault(Fault {
                    class: class.to_owned(),
                    polls: class == POLL,
                    struck_ms: clock(since),
                    // When its cause was gone, the record does not know.
                    over_ms: clock(since),
                    recovered_ms: until.map(clock),
                    by_hand: false,
                })
            });
        }
    }
}
