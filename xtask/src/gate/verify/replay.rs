//! Runs some units again and compares: the one check that finds evidence which was made up. Which ones depends on the manifest
//! and on a number of the verifier's, so that nobody knows them beforehand.

use super::Doubt;
use crate::gate::Gate;
use crate::gate::ended::Ended;
use crate::gate::execute;
use crate::gate::head::Head;
use crate::gate::policy::Policy;
use crate::gate::raw::digest;
use crate::gate::site::Site;
use crate::gate::suites::{Suite, Unit};
use crate::gate::{layout, raw};
use std::collections::BTreeSet;
use std::path::Path;

/// A unit that was run again, and gave the same.
#[derive(Debug)]
pub(crate) struct Again {
    /// Suite and unit.
    pub(crate) name: String,
    /// The kinds of its lines: what of the bundle was seen to be true.
    pub(crate) kinds: BTreeSet<String>,
}

/// The units that were run again, and gave the same.
pub(super) fn replay(
    gate: &Gate,
    bundle: &Path,
    head: &Head,
    policy: &Policy,
    planned: &[(Suite, Unit)],
    doubt: &Doubt<'_>,
    manifest: &[u8],
) -> Result<Vec<Again>, Ended> {
    if doubt.replay == 0 {
        return Ok(Vec::new());
    }
    let here = gate.checkout.head().map_err(Ended::Infrastructure)?;
    if here.commit != head.commit || here.dirty || head.dirty {
        return Err(Ended::Usage(format!(
            "only a clean checkout of {} gives its evidence again: check it out, and verify there",
            head.commit
        )));
    }
    let chosen = choose(planned, &digest(manifest), &doubt.nonce, doubt.replay);
    let folder = tempfile::tempdir().map_err(Ended::machine)?;
    let mut replayed = Vec::new();
    let mut prepared: Vec<&str> = Vec::new();
    for (suite, unit) in chosen {
        let site = Site {
            root: &gate.checkout.root,
            run: folder.path(),
            policy,
            seeds: head.seeds(),
            suite,
            build: head.build(),
            stop: doubt.stop,
        };
        let name = format!("{}/{}", suite.name, unit.name);
        eprintln!("gate: again: {name}");
        let trouble = |what: String| match doubt.stop.is_set() {
            true => Ended::Interrupted(what),
            false => Ended::Infrastructure(format!("{name}: {what}")),
        };
        if !prepared.contains(&suite.name) {
            (suite.prepare)(&site).map_err(trouble)?;
            prepared.push(suite.name);
        }
        let again = execute::evidence(&site, head, unit).map_err(trouble)?;
        let kinds = compare(bundle, suite, unit, &again)?;
        replayed.push(Again { name, kinds });
    }
    Ok(replayed)
}

/// By the least digest of manifest, nonce and name.
fn choose<'a>(planned: &'a [(Suite, Unit)], manifest: &str, nonce: &str, n: usize) -> Vec<(&'a Suite, &'a Unit)> {
    let mut lots: Vec<(String, &Suite, &Unit)> = planned
        .iter()
        .filter(|(suite, _)| suite.replays)
        .map(|(suite, unit)| {
            let text = format!("mainstay-gate-replay-v1\n{manifest}\n{nonce}\n{}\n{}\n", suite.name, unit.name);
            (digest(text.as_bytes()), suite, unit)
        })
        .collect();
    lots.sort_by(|(a, _, _), (b, _, _)| a.cmp(b));
    lots.into_iter().take(n).map(|(_, suite, unit)| (suite, unit)).collect()
}

/// Line by line; what the files are like when packed does not matter. The kinds of lines that are there.
fn compare(bundle: &Path, suite: &Suite, unit: &Unit, again: &[u8]) -> Result<BTreeSet<String>, Ended> {
    let path = layout::raw(suite.name, &unit.name);
    let told = raw::unpack(&layout::read(bundle, &path).map_err(Ended::Refused)?).map_err(Ended::Refused)?;
    let again = raw::unpack(again).map_err(Ended::Infrastructure)?;
    let mut pairs = (1..).zip(told.lines().zip(again.lines()));
    if let Some((n, (told, again))) = pairs.find(|(_, (told, again))| told != again) {
        return Err(Ended::Refused(format!(
            "{path} line {n}: run again, it is another\nthere:  {told}\nagain:  {again}"
        )));
    }
    if told.lines().count() == again.lines().count() {
        let kind = |line: &str| Some(line.strip_prefix("{\"line\":\"")?.split('"').next()?.to_owned());
        Ok(again.lines().filter_map(kind).collect())
    } else {
        Err(Ended::Refused(format!("{path}: run again, it has {} lines", again.lines().count())))
    }
}
