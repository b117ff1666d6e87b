//! Whether a bundle is of the commit that it names: tree, policy, configuration and seeds are derived from it again.

use crate::gate::Gate;
use crate::gate::ended::Ended;
use crate::gate::head::{self, Head};
use crate::gate::layout;
use crate::gate::machine::Machines;
use crate::gate::plan;
use crate::gate::policy::{self, Policy};
use crate::gate::raw::digest;
use std::path::Path;

/// The policy, if everything is as the commit has it.
pub(super) fn check(gate: &Gate, bundle: &Path, head: &Head) -> Result<Policy, Ended> {
    let refused = |what: String| Err(Ended::Refused(what));
    let read = |path: &str| layout::read(bundle, path).map_err(Ended::Refused);
    if let Some(part) = head.part {
        return refused(format!("{}: part {part} of a run; merge it with the others", layout::HEAD));
    }
    let tree = gate.checkout.tree(&head.commit).map_err(|error| {
        Ended::Refused(format!("{}: its commit is not in this repository ({error}); fetch it", layout::HEAD))
    })?;
    let committed = gate.checkout.committed(&head.commit).map_err(Ended::Infrastructure)?;
    if tree != head.tree || committed != head.committed {
        return refused(format!("{}: tree and time are not those of commit {}", layout::HEAD, head.commit));
    }
    let text = read(layout::POLICY)?;
    let of_commit = policy::text_of(&gate.checkout, &head.commit).map_err(Ended::Infrastructure)?;
    if of_commit.as_deref().map(str::as_bytes) != Some(text.as_slice()) {
        return refused(format!("{}: not the policy of commit {}", layout::POLICY, head.commit));
    }
    if digest(&text) != head.policy {
        return refused(format!("{}: names another policy than {}", layout::HEAD, layout::POLICY));
    }
    let config = head::config(&gate.checkout, &head.commit).map_err(Ended::Infrastructure)?;
    if read(layout::CONFIG)? != config {
        return refused(format!("{}: not what commit {} configures", layout::CONFIG, head.commit));
    }
    if digest(&config) != head.config {
        return refused(format!("{}: names another configuration than {}", layout::HEAD, layout::CONFIG));
    }
    let known: Vec<&str> =
        gate.suites.iter().map(|suite| suite.name).filter(|n| head.suites.iter().any(|s| s == n)).collect();
    if known != head.suites.iter().map(String::as_str).collect::<Vec<_>>() {
        return refused(format!("{}: suites that are unknown, twice there, or not in their order", layout::HEAD));
    }
    // Everything from here on is computed by this program: it has to be the one that the policy is of.
    if text != policy::text(gate.suites).as_bytes() {
        return Err(Ended::Usage(format!(
            "this program judges by another policy than that of {}: check that commit out, and verify there",
            head.commit
        )));
    }
    gate.is_at(head)?;
    let policy = Policy::of(&gate.checkout, &head.commit, head.quick).map_err(Ended::Infrastructure)?;
    if read(layout::SEEDS)? != head::seeds_file(head, &plan::of(gate.suites, head, &policy)) {
        return refused(format!("{}: not the seeds that follow from commit and policy", layout::SEEDS));
    }
    let machines = Machines::read(bundle).map_err(Ended::Refused)?;
    if read(layout::ENV)? != layout::json(&machines) || machines.machines.is_empty() {
        return refused(format!("{}: not written as a gate writes it", layout::ENV));
    }
    Ok(policy)
}
