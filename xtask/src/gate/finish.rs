//! Makes a bundle of a run's folder: what was tried, what is derived, the report, the manifest, the signature.

use super::Gate;
use super::ended::Ended;
use super::head::{Head, config, seeds_file};
use super::judge::{self, Derived};
use super::layout;
use super::machine::Machines;
use super::manifest;
use super::plan;
use super::policy::{self, Policy};
use super::sign::Secret;
use super::suites::Suite;
use std::path::Path;

/// Writes what is known before anything ran.
pub(crate) fn begin(gate: &Gate, run: &Path, head: &Head, policy: &Policy) -> Result<(), Ended> {
    let put = |path: &str, bytes: &[u8]| layout::write(&run.join(path), bytes).map_err(Ended::Infrastructure);
    let whole = Head { part: None, ..head.clone() };
    let planned = plan::of(gate.suites, &whole, policy);
    put(layout::POLICY, policy::text(gate.suites).as_bytes())?;
    put(layout::CONFIG, &config(&gate.checkout, &head.commit).map_err(Ended::Infrastructure)?)?;
    put(layout::SEEDS, &seeds_file(head, &planned))?;
    put(layout::ENV, &layout::json(&Machines::here().map_err(Ended::Infrastructure)?))?;
    put(layout::HEAD, &layout::json(head))
}

/// Notes a machine on which a run goes on.
pub(crate) fn also_here(run: &Path) -> Result<(), Ended> {
    let mut machines = Machines::read(run).map_err(Ended::Infrastructure)?;
    machines.machines.append(&mut Machines::here().map_err(Ended::Infrastructure)?.machines);
    layout::write(&run.join(layout::ENV), &layout::json(&machines)).map_err(Ended::Infrastructure)
}

/// Finishes a run all of whose units have their evidence. A part gets no verdict.
pub(crate) fn finish(
    suites: &[Suite],
    run: &Path,
    head: &Head,
    policy: &Policy,
    key: Option<&Secret>,
) -> Result<Option<Derived>, Ended> {
    let planned = plan::of(suites, head, policy);
    let derived = match head.part {
        Some(_) => None,
        None => Some(judge::derive(run, head, suites, &planned).map_err(Ended::Infrastructure)?),
    };
    let put = |path: &str, bytes: &[u8]| layout::write(&run.join(path), bytes).map_err(Ended::Infrastructure);
    if let Some(derived) = &derived {
        for (path, bytes) in &derived.files {
            put(path, bytes)?;
        }
    }
    seal(run, key)?;
    Ok(derived)
}

/// Writes the manifest, and the signature if there is a key.
pub(crate) fn seal(bundle: &Path, key: Option<&Secret>) -> Result<(), Ended> {
    let manifest = manifest::make(bundle).map_err(Ended::Infrastructure)?;
    let put = |path: &str, bytes: &[u8]| layout::write(&bundle.join(path), bytes).map_err(Ended::Infrastructure);
    if let Some(key) = key {
        put(layout::SIGNATURE, key.sign(manifest.as_bytes()).as_bytes())?;
    }
    put(layout::MANIFEST, manifest.as_bytes())
}
