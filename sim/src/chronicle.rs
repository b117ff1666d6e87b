//! The record as it was before its beginning was removed: judged is all that ever happened.

use crate::property::all_events;
use mainstay::event::Recorded;
use mainstay::real::store::Store;
use std::collections::BTreeMap;

/// Events that were seen on the disk, by their numbers.
#[derive(Default)]
pub struct Chronicle {
    /// How often it is looked, ms: before anything that is new then can be old enough to be removed. None: nothing is removed.
    every_ms: Option<i64>,
    next_ms: i64,
    seen: BTreeMap<i64, Recorded>,
}

impl Chronicle {
    /// One that looks so often.
    pub fn every(ms: i64) -> Chronicle {
        Chronicle { every_ms: Some(ms), ..Chronicle::default() }
    }

    /// Whether it is time to look.
    pub fn is_due(&self, now_ms: i64) -> bool {
        self.every_ms.is_some() && now_ms >= self.next_ms
    }

    /// Takes down what is on the disk.
    ///
    /// # Errors
    /// The record can't be read.
    pub fn note(&mut self, now_ms: i64, store: &Store) -> Result<(), String> {
        let events = all_events(store)?;
        self.seen.extend(events.into_iter().map(|event| (event.seq, event)));
        self.next_ms = now_ms + self.every_ms.unwrap_or(0);
        Ok(())
    }

    /// What is there now, with what was there before it. Of what is there now, the disk is right: a power loss may have
    /// taken what was seen, and other events have its numbers since.
    pub fn with(&self, there: Vec<Recorded>) -> Vec<Recorded> {
        let first = there.first().map_or(0, |event| event.seq);
        self.seen.range(..first).map(|(_, event)| event.clone()).chain(there).collect()
    }
}
