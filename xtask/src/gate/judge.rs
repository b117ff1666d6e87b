//! What comes of the evidence: a pure function of what lies in a bundle. The gate writes it, and a verifier computes it again
//! and compares bytes.

use super::head::Head;
use super::layout;
use super::probes::{self, Found};
use super::raw;
use super::report;
use super::seen::Evidence;
use super::shape::Shape;
use super::suites::{Suite, Unit};
use mainstay_metric::scorecard::{Outcome, Probed, Scorecard};
use mainstay_metric::scorer::{Scope, Scorer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// `derived/verdict.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// The verdict.
    pub(crate) verdict: Outcome,
    /// Why, in a line.
    pub(crate) why: String,
    /// The commit that it is on.
    pub(crate) commit: String,
    /// How often it was tried.
    pub(crate) attempt: u32,
    /// What keeps it from being PASS, whatever the evidence says.
    pub(crate) caps: Vec<String>,
}

/// All that is derived.
pub(crate) struct Derived {
    /// The metrics.
    pub(crate) card: Scorecard,
    /// What comes of them.
    pub(crate) verdict: Verdict,
    /// The files, by path: what is derived, and the report.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// Computes everything from the lines of these units, which are read here, chains and all; errors name file and line.
pub(crate) fn derive(
    bundle: &Path,
    head: &Head,
    suites: &[Suite],
    planned: &[(Suite, Unit)],
) -> Result<Derived, String> {
    let mut scorer = Scorer::new(Scope::Gate);
    // Beside the lines, what is not made from them.
    let mut evidence = Evidence::beside(bundle)?;
    for (suite, unit) in planned {
        let path = layout::raw(suite.name, &unit.name);
        read(bundle, head, suite, unit, &mut |at| {
            scorer.add(&at.line);
            evidence.line(&path, at.number, at.text, &at.line);
        })?;
        evidence.file_over();
    }
    let probed = probes::ask(&evidence);
    let card = scorer.finish(&probed.iter().map(counted).collect::<Vec<_>>());
    let verdict = verdict(head, suites, &card);
    let mut files = BTreeMap::from([
        (layout::METRICS.to_owned(), layout::json(&card)),
        (layout::PROBES.to_owned(), layout::json(&probed)),
        (layout::VERDICT.to_owned(), layout::json(&verdict)),
    ]);
    for (path, bytes) in &files {
        evidence.small(path, String::from_utf8_lossy(bytes).into_owned());
    }
    let report::Rendered { page, summary } = report::of(evidence)?;
    files.insert(format!("{}/index.html", layout::REPORT), page.into_bytes());
    files.insert(format!("{}/summary.md", layout::REPORT), summary.into_bytes());
    Ok(Derived { card, verdict, files })
}

/// A probe's answer, as metrics count it.
fn counted(probed: &probes::Probed) -> Probed {
    Probed {
        id: probed.id.clone(),
        weight: probed.weight,
        critical: probed.critical,
        outcome: match probed.outcome {
            Found::Yes => Outcome::Pass,
            Found::No => Outcome::Fail,
            Found::Unknown => Outcome::Inconclusive,
        },
    }
}

/// Every line of a unit, with its chain and its shape checked.
pub(crate) fn read(
    bundle: &Path,
    head: &Head,
    suite: &Suite,
    unit: &Unit,
    see: &mut dyn FnMut(&raw::At<'_>),
) -> Result<(), String> {
    let path = layout::raw(suite.name, &unit.name);
    let seeds = head.seeds().of(suite.name, unit);
    let mut shape = Shape::new(suite, unit, &seeds);
    let genesis = head.genesis(suite, unit);
    let read = raw::each(&bundle.join(&path), Some(&genesis), &mut |at| {
        shape.see(&at.line)?;
        see(&at);
        Ok(())
    });
    read.and_then(|()| shape.finish()).map_err(|error| format!("{path}: {error}"))
}

fn verdict(head: &Head, suites: &[Suite], card: &Scorecard) -> Verdict {
    let caps = caps(head, suites);
    let (verdict, why) = match (card.verdict, caps.first()) {
        (Outcome::Pass, Some(cap)) => (Outcome::Inconclusive, cap.clone()),
        (verdict, _) => (verdict, card.why.clone()),
    };
    Verdict { verdict, why, commit: head.commit.clone(), attempt: head.attempt, caps }
}

/// What keeps a verdict from being PASS.
fn caps(head: &Head, suites: &[Suite]) -> Vec<String> {
    let mut caps = Vec::new();
    if head.quick {
        caps.push("a look (--quick) can't pass".to_owned());
    }
    if head.dirty {
        caps.push("files differed from the commit".to_owned());
    }
    if let Some(from) = head.seeds_from {
        caps.push(format!("seeds were chosen (--seeds-from {from})"));
    }
    if let Some(bug) = &head.planted {
        caps.push(format!("a bug was planted (--planted {bug})"));
    }
    let missing: Vec<&str> =
        suites.iter().map(|suite| suite.name).filter(|name| head.suites.iter().all(|chosen| chosen != name)).collect();
    if !missing.is_empty() {
        caps.push(format!("not run: {}", missing.join(", ")));
    }
    caps
}

/// `PASS`, `FAIL` or `INCONCLUSIVE`, and the exit code.
pub(crate) fn said(outcome: Outcome) -> (&'static str, u8) {
    match outcome {
        Outcome::Pass => ("PASS", 0),
        Outcome::Fail => ("FAIL", 1),
        Outcome::Inconclusive => ("INCONCLUSIVE", 3),
    }
}
