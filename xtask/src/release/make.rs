//! Makes a release, in order: build, gather, describe, seal, pack.

use super::record::{self, FORMAT, Record};
use super::{BINARIES, File, archive, build, deb, evidence, gather, needs, sums};
use crate::gate::checkout::Checkout;
use crate::gate::ended::Ended;
use crate::gate::raw::digest;
use crate::gate::sign::Secret;
use crate::gate::suites::SUITES;
use crate::gate::{Gate, layout};
use crate::sbom;
use std::path::{Path, PathBuf};

/// What somebody asked for, besides a release of what is checked out.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Who vouches for it.
    pub(crate) key: Option<Secret>,
    /// A report of its tests; of the gate's, if it has one and nothing is said.
    pub(crate) tests: Option<PathBuf>,
    /// The bundle of its gate.
    pub(crate) gate: Option<PathBuf>,
}

/// A release.
pub(crate) struct Made {
    /// What `release.json` says.
    pub(crate) record: Record,
    /// The files to hand out, by name: the archive, the package, the list of what is linked in.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

/// Makes it.
pub(crate) fn make(checkout: &Checkout, wanted: &Wanted) -> Result<Made, Ended> {
    let at = checkout.head().map_err(Ended::Infrastructure)?;
    // Before the build: what is wrong with what was handed in is known at once.
    let (gate, of_gate) = match &wanted.gate {
        Some(bundle) => {
            let here = Gate { checkout: checkout.clone(), suites: SUITES };
            let (gate, tests) = evidence::gate(&here, &at, bundle, wanted.key.as_ref())?;
            (Some(gate), tests)
        }
        None => (None, None),
    };
    let tests = match &wanted.tests {
        Some(path) => {
            let named = |error: String| Ended::Usage(format!("{}: {error}", path.display()));
            let report = std::fs::read(path).map_err(|error| named(error.to_string()))?;
            Some(evidence::tests(&report).map_err(named)?)
        }
        None => of_gate,
    };
    let programs = build::build(checkout, &at).map_err(Ended::Infrastructure)?;
    let target = programs.rustc.host.clone();
    let (mut tree, facts) = gather::gather(checkout, &programs).map_err(Ended::Infrastructure)?;
    let templates = gather::templates(checkout).map_err(Ended::Infrastructure)?;
    let sbom = sbom::text(&checkout.root, &target).map_err(Ended::Infrastructure)?;
    let lock = std::fs::read(checkout.root.join("Cargo.lock")).map_err(Ended::machine)?;
    if checkout.head().map_err(Ended::Infrastructure)? != at {
        return Err(Ended::Infrastructure("the tree changed while it was built; build it again".to_owned()));
    }
    let record = Record {
        format: FORMAT,
        id: record::id(&facts.version, &at.commit, at.dirty).map_err(Ended::Usage)?,
        version: facts.version,
        commit_time: checkout.committed_utc(&at.commit).map_err(Ended::Infrastructure)?,
        dirty: at.dirty,
        target,
        toolchain: programs.rustc.name,
        cargo_lock_sha256: digest(&lock),
        binaries: BINARIES.iter().map(|path| ((*path).to_owned(), digest(&tree[*path].bytes))).collect(),
        config_schema_sha256: facts.config_schema_sha256,
        default_config_hash: facts.default_config_hash,
        database: facts.database,
        tests,
        gate,
        sbom_sha256: Some(digest(sbom.as_bytes())),
        commit: at.commit,
    };
    tree.insert(record::NAME.to_owned(), File::plain(record::text(&record)));
    sums::seal(&mut tree, wanted.key.as_ref());
    let time_s = checkout.committed_s(&record.commit).map_err(Ended::Infrastructure)?;
    let files = pack(&tree, &record, &templates, time_s).map_err(Ended::Infrastructure)?;
    let sbom = (format!("mainstay-{}-{}.cdx.json", record.id, record.target), sbom.into_bytes());
    Ok(Made { record, files: files.into_iter().chain([sbom]).collect() })
}

fn pack(
    tree: &super::Tree,
    record: &Record,
    templates: &deb::Templates,
    time_s: u64,
) -> Result<[(String, Vec<u8>); 2], String> {
    let Record { id, target, .. } = record;
    let mut libc = (0, 0);
    for path in BINARIES {
        libc = libc.max(needs::libc(&tree[path].bytes).map_err(|error| format!("{path}: {error}"))?);
    }
    let package = deb::pack(tree, record, templates, libc, time_s)?;
    let architecture = deb::architecture(target)?;
    Ok([
        (format!("mainstay-{id}-{target}.tar.gz"), archive::pack(tree, &format!("mainstay-{id}/"), time_s)?),
        (format!("mainstay_{}_{architecture}.deb", deb::version(record)), package),
    ])
}

/// Writes the files of a release to a folder; their paths.
pub(crate) fn write(made: &Made, out: &Path) -> Result<Vec<PathBuf>, String> {
    let write = |(name, bytes): &(String, Vec<u8>)| {
        let path = out.join(name);
        layout::write(&path, bytes).map(|()| path)
    };
    made.files.iter().map(write).collect()
}
