//! What is done to a bundle by who tampers with it.

use super::small::SUITES;
use crate::gate::head::Head;
use crate::gate::policy::{FULL, Policy};
use crate::gate::{judge, layout, plan, raw};
use mainstay_metric::ledger::Line;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn put(bundle: &Path, path: &str, bytes: &[u8]) {
    layout::write(&bundle.join(path), bytes).expect("written");
}

pub(super) fn bytes(bundle: &Path, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = layout::read(bundle, path).expect("there");
    change(&mut bytes);
    put(bundle, path, &bytes);
}

/// Changes a text; if it is packed, without its chain following.
pub(super) fn text(bundle: &Path, path: &str, change: impl FnOnce(String) -> String) {
    let old = layout::read(bundle, path).expect("there");
    let packed = path.ends_with(layout::RAW_END);
    let before = if packed { raw::unpack(&old).expect("packed") } else { String::from_utf8(old).expect("text") };
    let after = change(before.clone());
    assert_ne!(before, after, "{path} is changed");
    let after = after.into_bytes();
    put(bundle, path, &if packed { zstd::encode_all(&after[..], 3).expect("packed") } else { after });
}

pub(super) fn lines(bundle: &Path, path: &str, change: impl FnOnce(&mut Vec<String>)) {
    text(bundle, path, |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        lines.iter().map(|line| format!("{line}\n")).collect()
    });
}

/// Changes the lines of a unit and writes its chain anew, as who has the program can.
pub(super) fn chained(bundle: &Path, path: &str, change: impl FnOnce(&mut Vec<Line>)) {
    let head = Head::read(bundle).expect("a head");
    let mut lines = Vec::new();
    raw::each(&bundle.join(path), None, &mut |at| {
        lines.push(at.line);
        Ok(())
    })
    .expect("readable");
    change(&mut lines);
    let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(layout::RAW_END)).expect("a unit");
    let suite = SUITES.iter().find(|suite| path.starts_with(&format!("raw/{}/", suite.name))).expect("a suite");
    let genesis = head.genesis(suite, &crate::gate::suites::Unit::new(name));
    put(bundle, path, &raw::pack(&genesis, &lines).expect("packed"));
}

/// Better figures than there were.
pub(super) fn invented(lines: &mut Vec<Line>) {
    for line in lines {
        if let Line::Property(property) = line {
            property.looked += 1;
        }
    }
}

/// Writes anew what is derived, as who has the program can.
pub(super) fn derived(bundle: &Path) {
    let head = Head::read(bundle).expect("a head");
    let policy =
        Policy { quick: false, amounts: FULL, scenarios: Vec::new(), kept: BTreeMap::new(), mutants: Vec::new() };
    let planned = plan::of(SUITES, &head, &policy);
    for (path, bytes) in judge::derive(bundle, &head, SUITES, &planned).expect("derived").files {
        put(bundle, &path, &bytes);
    }
}

pub(super) fn run(lines: &mut [Line], change: impl FnOnce(&mut mainstay_metric::ledger::Run)) {
    if let Some(Line::Run(run)) = lines.first_mut() {
        change(run);
    }
}

pub(super) fn head(bundle: &Path, change: impl FnOnce(&mut Head)) {
    let mut head = Head::read(bundle).expect("a head");
    change(&mut head);
    put(bundle, layout::HEAD, &layout::json(&head));
}

pub(super) fn twice(bundle: &Path, from: &str, to: &str) {
    put(bundle, to, &layout::read(bundle, from).expect("there"));
}

pub(super) fn link(bundle: &Path, path: &str) {
    let elsewhere = bundle.with_extension("elsewhere");
    std::fs::rename(bundle.join(path), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, bundle.join(path)).expect("linked");
}
