//! The end of a run: everything is judged, and written down.

use super::Run;
use crate::expect::{Expected, Rested};
use crate::lives::{dated, lives, state_at};
use crate::people;
use crate::property::{Broken, EXPECTED, Evidence, judge};
use crate::scenario::Scenario;
use crate::trace::Entry;
use crate::watch::Watch;
use mainstay::event::Recorded;
use mainstay::real::store::{LogFilter, Store};
use mainstay::task::State;
use std::collections::BTreeSet;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// The first property that did not hold.
    pub broken: Option<Broken>,
    /// Over all that happened: two runs with the same digest did the same.
    pub digest: u64,
    /// Jobs that were asked for.
    pub jobs: usize,
    /// Faults that struck.
    pub faults: usize,
    /// Programs that were started.
    pub ran: usize,
    /// How often what a dead daemon had left was looked at.
    pub looks: usize,
    /// Simulated ms.
    pub simulated_ms: i64,
    /// What the scenario expects, with what was seen; nothing when a property broke before the end.
    pub expected: Vec<Expected>,
    /// Which faults struck while some task was in which state.
    pub met: BTreeSet<(String, State)>,
    /// What happened: everything if somebody watched, else only what went wrong.
    pub trace: Vec<Entry>,
}

impl Run {
    /// Everything is at rest: the record is read from the disk, and judged with the world.
    pub(super) fn judge(&mut self, scenario: &Scenario) -> Option<Broken> {
        let at_ms = self.world.now();
        let broken = |how: String| Broken { property: "the record is whole", at_ms, how };
        let store = match self.store() {
            Ok(store) => store,
            Err(error) => return Some(broken(error)),
        };
        let config = people::config();
        let found = match Evidence::simulated(&self.world, &self.people, &self.outages, &config, &store) {
            Ok(evidence) => judge(&evidence),
            Err(error) => Some(broken(error)),
        };
        found.or_else(|| self.as_expected(scenario, &store))
    }

    /// What the scenario expects besides.
    fn as_expected(&mut self, scenario: &Scenario, store: &Store) -> Option<Broken> {
        let never: Vec<String> = self.never.iter().cloned().chain(self.acts.left()).collect();
        let rested = Rested {
            scenario,
            world: &self.world,
            people: &self.people,
            store,
            outages_over: self.outages_over,
            never: &never,
        };
        let broken = |how| Broken { property: EXPECTED, at_ms: self.world.now(), how };
        match rested.expected() {
            Ok(expected) => self.expected = expected,
            Err(error) => return Some(broken(error)),
        }
        let missed = self.expected.iter().find(|one| !one.held)?;
        Some(broken(format!("{}: {} expected, {} seen", missed.what, missed.wanted, missed.seen)))
    }

    pub(crate) fn store(&self) -> Result<Store, String> {
        let db = self.world.database().map_err(|error| error.to_string())?;
        Store::open_to_read(db).map_err(|error| error.to_string())
    }

    /// Every row of every table, and every event.
    fn record(&self) -> Result<(String, Vec<Recorded>), String> {
        let store = self.store()?;
        let filter = LogFilter { last: u32::MAX, ..LogFilter::default() };
        let events = store.logs(&filter).map_err(|error| error.to_string())?;
        Ok((store.dump(&[]).map_err(|error| error.to_string())?, events))
    }

    pub(super) fn verdict(self, seed: u64, broken: Option<Broken>) -> Verdict {
        let mut digest = self.world.digest();
        // A record that can't be read is what was found already; why not belongs to the digest all the same.
        let (rows, events) = self.record().unwrap_or_else(|error| (error, Vec::new()));
        digest.add_bytes(rows.as_bytes());
        let events = dated(events, self.watch.skews(), self.world.now());
        Verdict {
            seed,
            broken,
            digest: digest.value(),
            jobs: self.people.jobs.iter().filter(|asked| asked.at.is_some()).count(),
            faults: self.watch.struck().len(),
            ran: self.world.machine.ledger().len(),
            looks: self.looks,
            simulated_ms: self.world.now(),
            expected: self.expected,
            met: met(&self.watch, &events),
            trace: self.watch.finish(&self.world, &self.people, &events),
        }
    }
}

/// Which faults struck while some task was in which state.
fn met(watch: &Watch, events: &[(i64, Recorded)]) -> BTreeSet<(String, State)> {
    let lives = lives(events);
    let states = |at: i64| lives.values().filter_map(move |life| state_at(life, at));
    watch.struck().iter().flat_map(|(at, fault)| states(*at).map(|state| (fault.name().to_owned(), state))).collect()
}
