//! Believes nothing that a bundle says of itself. In this order, each step naming the place where it fails:
//!
//! 1. paths: no links, nothing missing, nothing besides, no name that means two files;
//! 2. the signature, by a key from outside;
//! 3. sizes and digests;
//! 4. commit, policy, configuration and seeds, derived again from the commit;
//! 5. the evidence: each planned unit is there, its chain whole, its runs of the right seeds;
//! 6. metrics, probes, verdict and report, computed again from the evidence alone, byte for byte;
//! 7. with `--replay N`, N units run again, chosen by manifest and a number that whoever made the bundle did not know.
//!
//! A signature shows who vouches and that nothing changed since; that the evidence was not made up, only step 7 shows.

mod origin;
mod replay;

pub(crate) use replay::Again;

use super::Gate;
use super::ended::Ended;
use super::head::Head;
use super::judge;
use super::sign::{self, Signed};
use super::site::Stop;
use super::suites::{Suite, Unit};
use super::{layout, manifest, plan};
use mainstay_metric::ledger::Origin;
use mainstay_metric::scorecard::{Measured, Outcome};
use mainstay_metric::table::ROWS;
use std::collections::BTreeSet;
use std::path::Path;

/// What a verifier wants.
pub(crate) struct Doubt<'a> {
    /// The public key of who should have signed.
    pub(crate) key: Option<String>,
    /// So many units are run again.
    pub(crate) replay: usize,
    /// What the choice of them depends on, beside the manifest.
    pub(crate) nonce: String,
    /// Ends it.
    pub(crate) stop: &'a Stop,
}

/// What was found of a bundle that was not refused.
#[derive(Debug)]
pub(crate) struct Verified {
    /// What it is about.
    pub(crate) commit: String,
    /// Which try at it this was, from 1.
    pub(crate) attempt: u32,
    /// Its verdict.
    pub(crate) verdict: Outcome,
    /// Why.
    pub(crate) why: String,
    /// Who vouches.
    pub(crate) signed: Signed,
    /// Units that were run again and gave the same.
    pub(crate) replayed: Vec<Again>,
    /// Units that there are.
    pub(crate) units: usize,
    /// How far each metric was checked.
    pub(crate) assurance: Vec<(String, Origin, Assurance)>,
}

/// How far a number was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Assurance {
    /// Computed again from the evidence, some of which was made again.
    Replayed,
    /// Computed again from the evidence, which could be made again.
    Recomputed,
    /// Computed again from evidence that can't be made again: who signed vouches for it.
    Attested,
}

impl Assurance {
    /// In a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Assurance::Replayed => "replayed",
            Assurance::Recomputed => "recomputed",
            Assurance::Attested => "attested",
        }
    }
}

/// Verifies a bundle.
pub(crate) fn verify(gate: &Gate, bundle: &Path, doubt: &Doubt<'_>) -> Result<Verified, Ended> {
    let manifest = layout::read(bundle, layout::MANIFEST).map_err(Ended::Refused)?;
    let text = std::str::from_utf8(&manifest).map_err(Ended::refused)?;
    let entries = manifest::parse(text).map_err(Ended::Refused)?;
    let files = layout::files(bundle).map_err(Ended::Refused)?;
    let signature = match files.iter().any(|path| path == layout::SIGNATURE) {
        true => Some(
            String::from_utf8(layout::read(bundle, layout::SIGNATURE).map_err(Ended::Refused)?)
                .map_err(Ended::refused)?,
        ),
        false => None,
    };
    let signed = sign::check(&manifest, signature.as_deref(), doubt.key.as_deref()).map_err(Ended::Refused)?;
    manifest::check(bundle, &entries).map_err(Ended::Refused)?;
    let head = Head::read(bundle).map_err(Ended::Refused)?;
    let policy = origin::check(gate, bundle, &head)?;
    let planned = plan::of(gate.suites, &head, &policy);
    places(&files, &planned).map_err(Ended::Refused)?;
    let derived = derived(gate, bundle, &head, &planned)?;
    let replayed = replay::replay(gate, bundle, &head, &policy, &planned, doubt, &manifest)?;
    let assurance = derived
        .card
        .metrics
        .iter()
        .map(|metric| (metric.id.clone(), metric.origin, assurance(metric, &replayed)))
        .collect();
    Ok(Verified {
        commit: head.commit.clone(),
        attempt: head.attempt,
        verdict: derived.verdict.verdict,
        why: derived.verdict.why,
        signed,
        replayed,
        units: planned.len(),
        assurance,
    })
}

/// Simulated worlds can be made again; what a real machine or people did can't. A metric whose lines were in none of the units
/// that were run again was only recomputed.
fn assurance(metric: &Measured, replayed: &[Again]) -> Assurance {
    let lines = ROWS.iter().find(|row| row.id == metric.id).map_or(&[][..], |row| row.lines);
    let again = replayed.iter().any(|unit| lines.iter().any(|kind| unit.kinds.contains(*kind)));
    match (metric.origin, again) {
        (Origin::Sim, true) => Assurance::Replayed,
        (Origin::Sim, false) => Assurance::Recomputed,
        (Origin::Lab | Origin::Production, _) => Assurance::Attested,
    }
}

/// Every file has a place in a bundle, and every planned unit has its file.
fn places(files: &[String], planned: &[(Suite, Unit)]) -> Result<(), String> {
    let fixed = [
        layout::HEAD,
        layout::POLICY,
        layout::ENV,
        layout::CONFIG,
        layout::SEEDS,
        layout::METRICS,
        layout::PROBES,
        layout::VERDICT,
        layout::MANIFEST,
        layout::SIGNATURE,
    ];
    let units: BTreeSet<String> = planned.iter().map(|(suite, unit)| layout::raw(suite.name, &unit.name)).collect();
    let report = format!("{}/", layout::REPORT);
    for path in files {
        let placed = fixed.contains(&path.as_str())
            || units.contains(path)
            || layout::is_attachment(path)
            // Compared name by name later.
            || path.starts_with(&report);
        if !placed {
            return Err(format!("{path}: has no place in a bundle of this plan"));
        }
    }
    match units.iter().find(|unit| !files.contains(unit)) {
        Some(unit) => Err(format!("{unit}: a unit of the plan, and it is not there")),
        None => Ok(()),
    }
}

/// Computes everything again, and compares.
fn derived(gate: &Gate, bundle: &Path, head: &Head, planned: &[(Suite, Unit)]) -> Result<judge::Derived, Ended> {
    let derived = judge::derive(bundle, head, gate.suites, planned).map_err(Ended::Refused)?;
    for (path, bytes) in &derived.files {
        let there = layout::read(bundle, path).map_err(Ended::Refused)?;
        if there != *bytes {
            let line =
                1 + there.iter().zip(bytes).take_while(|(a, b)| a == b).filter(|(byte, _)| **byte == b'\n').count();
            return Err(Ended::Refused(format!("{path} line {line}: not what comes of the evidence")));
        }
    }
    let made = |path: &String| path.starts_with("derived/") || path.starts_with(&format!("{}/", layout::REPORT));
    let besides = layout::files(bundle)
        .map_err(Ended::Refused)?
        .into_iter()
        .find(|path| made(path) && !derived.files.contains_key(path));
    match besides {
        Some(path) => Err(Ended::Refused(format!("{path}: nothing of the kind comes of the evidence"))),
        None => Ok(derived),
    }
}
