//! All that is done at one point: a kill; a power loss with whatever may survive it; and another crash during recovery.

use super::life::{Control, Lived, live, live_and_look};
use super::plan::{again, lefts, seed_of};
use super::{Crash, Left};
use crate::world::points::{Class, Passed, Point};
use std::collections::BTreeMap;

/// How often something was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lives that were cut by a kill.
    pub kills: u64,
    /// Lives that were cut by a power loss: one for each content that it could leave.
    pub power_losses: u64,
    /// Sets of surviving writes of which SQLite's reading was looked at.
    pub survivors: u64,
    /// Lives on behalf of others that read the same, lived to see that they are the same.
    pub twins: u64,
    /// Lives that were cut twice.
    pub second: u64,
}

/// Something that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The crashes that it takes.
    pub crashes: Vec<Crash>,
    /// The property; none when a life did not do the same twice.
    pub property: Option<String>,
    /// How it does not hold.
    pub how: String,
}

/// What cutting at one point came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was done.
    pub counts: Counts,
    /// What did not hold.
    pub findings: Vec<Finding>,
}

/// How thoroughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Second crashes during the recovery from a kill, and as many during that from a power loss.
    pub again: u64,
    /// What is wrong on purpose.
    pub control: Option<Control>,
}

/// Cuts the undisturbed life, of which these are the points, at one of them in every way.
pub fn cut_at(undisturbed: &[Passed], place: usize, depth: Depth) -> Report {
    let mut cutter = Cutter { until: &undisturbed[..=place], depth, report: Report::default() };
    let here = &undisturbed[place];
    let kill = Crash { at: here.point, left: None };
    cutter.report.counts.kills += 1;
    if let Some(lived) = cutter.live(&[kill], &[]) {
        cutter.cut_again(kill, &lived);
    }
    cutter.lose_power(here);
    cutter.report
}

struct Cutter<'a> {
    /// The points up to the first crash.
    until: &'a [Passed],
    depth: Depth,
    report: Report,
}

impl Cutter<'_> {
    /// What was made wrong has been found at this point.
    fn is_enough(&self) -> bool {
        self.depth.control.is_some() && !self.report.findings.is_empty()
    }

    /// Lives once. What it finds is reported; nothing when there is nothing to compare with.
    fn live(&mut self, crashes: &[Crash], lefts: &[Left]) -> Option<Lived> {
        let (owned, looked, control) = (crashes.to_vec(), lefts.to_vec(), self.depth.control);
        // A fresh thread, so that nothing kept by a thread reaches the next life.
        let lived = std::thread::spawn(move || live_and_look(&owned, &looked, control)).join();
        let mut find = |property: Option<&str>, how: String| {
            let property = property.map(str::to_owned);
            self.report.findings.push(Finding { crashes: crashes.to_vec(), property, how });
        };
        let Ok(lived) = lived else {
            find(Some("a life can be lived"), "it panicked; see above".into());
            return None;
        };
        if let Some(broken) = &lived.broken {
            find(Some(broken.property), broken.how.clone());
        }
        if let Some(how) = differs(self.until, &lived.passed[0]) {
            find(None, how);
            return None;
        }
        Some(lived)
    }

    fn lose_power(&mut self, here: &Passed) {
        let seed = seed_of(here.point);
        let lefts = lefts(here.waiting, seed);
        let crash = |left: Left| Crash { at: here.point, left: Some(left) };
        self.report.counts.survivors += lefts.len() as u64;
        self.report.counts.power_losses += 1;
        let Some(first) = self.live(&[crash(lefts[0])], &lefts) else { return };
        // One for each content is lived; the others are the same to whoever reads them.
        let mut groups: BTreeMap<&Result<u64, String>, Vec<Left>> = BTreeMap::new();
        for (left, content) in lefts.iter().zip(&first.contents) {
            groups.entry(content).or_default().push(*left);
        }
        let mut rng = fastrand::Rng::with_seed(seed);
        let second_of = rng.usize(..groups.len().max(1));
        for (n, group) in groups.values().enumerate() {
            if self.is_enough() {
                return;
            }
            let lived = if group[0] == lefts[0] {
                Some(first.clone())
            } else {
                self.report.counts.power_losses += 1;
                self.live(&[crash(group[0])], &[])
            };
            let Some(lived) = lived else { continue };
            if group.len() > 1 {
                self.live_twin(crash(group[rng.usize(1..group.len())]), &lived);
            }
            if n == second_of {
                self.cut_again(crash(group[0]), &lived);
            }
        }
    }

    /// Lives on behalf of a group, to see that the world sees the same of all its lives.
    fn live_twin(&mut self, twin: Crash, first: &Lived) {
        if self.is_enough() {
            return;
        }
        self.report.counts.twins += 1;
        let Some(lived) = self.live(&[twin], &[]) else { return };
        let (a, b) = (seen(&first.passed[1]), seen(&lived.passed[1]));
        if a != b {
            let place = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            let how = format!("the disk reads the same, and {:?} became {:?}", a.get(place), b.get(place));
            self.report.findings.push(Finding { crashes: vec![twin], property: None, how });
        }
    }

    fn cut_again(&mut self, first: Crash, lived: &Lived) {
        let recovery = lived.recovery();
        for nth in 0..self.depth.again {
            if self.is_enough() {
                return;
            }
            let Some(second) = again(first, recovery, nth) else { continue };
            self.report.counts.second += 1;
            let Some(lived_again) = self.live(&[first, second], &[]) else { continue };
            let place = recovery.iter().position(|p| p.point == second.at).expect("it was chosen among them");
            if let Some(how) = differs(&recovery[..=place], &lived_again.passed[1]) {
                self.report.findings.push(Finding { crashes: vec![first, second], property: None, how });
            }
        }
    }
}

/// What the world sees of these points: not the disk's, where leftovers that nobody reads are written over.
fn seen(passed: &[Passed]) -> Vec<(Point, &str, i64)> {
    let outside = passed.iter().filter(|p| p.point.class != Class::Disk);
    outside.map(|p| (p.point, p.what.as_ref(), p.at_ms)).collect()
}

/// Where a life up to its crash was another than it should have been.
fn differs(should: &[Passed], is: &[Passed]) -> Option<String> {
    let place = should.iter().zip(is).position(|(should, is)| should != is);
    match place {
        Some(place) => Some(format!("point {place} should be {:?} and is {:?}", should[place], is[place])),
        None if should.len() != is.len() => {
            Some(format!("it should have been cut at point {} and was at {}", should.len(), is.len()))
        }
        None => None,
    }
}

/// The points of the undisturbed life, which must hold by itself.
///
/// # Errors
/// It does not hold.
pub fn undisturbed(control: Option<Control>) -> Result<Vec<Passed>, String> {
    let lived = std::thread::spawn(move || live(&[], control)).join();
    let lived = lived.map_err(|_| "the undisturbed life panicked".to_owned())?;
    match lived.broken {
        Some(broken) => Err(format!("the undisturbed life does not hold: {}: {}", broken.property, broken.how)),
        None => Ok(lived.passed.into_iter().next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
