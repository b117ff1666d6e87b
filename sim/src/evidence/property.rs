//! Properties: of how many things each was asked, and how it broke. Those that need more than evidence at rest are told with
//! how often they were looked at.

use crate::property::{BESIDE, Broken, EXPECTED, Evidence, GIVES_UP, PANICS, SPINS, judge_all, told};
use crate::run::Run;
use mainstay_metric::ledger::{Line, Property};

/// A line for each that was looked at in this run, or could have been.
pub(super) fn lines(run: &Run, evidence: Option<&Evidence<'_>>, broken: Option<&Broken>) -> Vec<Line> {
    let how = |name: &str| broken.filter(|broken| broken.property == name).map(|broken| broken.how.clone());
    let at_deaths = |name: &str| run.looked.get(name).copied().unwrap_or(0);
    let mut all: Vec<Property> = evidence
        .map(judge_all)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, looked, found)| Property {
            name: name.to_owned(),
            looked: looked + at_deaths(name),
            // In the middle of a life much does not hold yet: then only what was found counts.
            broken: how(name).or(found.filter(|_| broken.is_none())),
        })
        .collect();
    for (name, _) in BESIDE {
        let looked = match name {
            told::NAME => at_deaths(name),
            SPINS => run.ticks,
            GIVES_UP => run.ends,
            EXPECTED => run.expected.len() as u64,
            // It was played to this line.
            PANICS => 1,
            _ => 0,
        };
        if looked > 0 || how(name).is_some() {
            all.push(Property { name: name.to_owned(), looked, broken: how(name) });
        }
    }
    // What is found before anything could be read.
    if let Some(broken) = broken.filter(|broken| all.iter().all(|one| one.name != broken.property)) {
        let (name, how) = (broken.property.to_owned(), broken.how.clone());
        all.push(Property { name, looked: 1, broken: Some(how) });
    }
    all.into_iter().map(Line::Property).collect()
}
