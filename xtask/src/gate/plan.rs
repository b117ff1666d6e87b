//! The units of a gate, in the order of suites: the same for the same policy, in any number of parts.

use super::head::Head;
use super::policy::Policy;
use super::suites::{Suite, Unit};

/// All units of these suites.
pub(crate) fn plan(suites: &[Suite], chosen: &[String], policy: &Policy) -> Vec<(Suite, Unit)> {
    let chosen = suites.iter().filter(|suite| chosen.iter().any(|name| name == suite.name));
    chosen.flat_map(|suite| (suite.units)(policy).into_iter().map(|unit| (*suite, unit))).collect()
}

/// Those of a bundle: all, or its part.
pub(crate) fn of(suites: &[Suite], head: &Head, policy: &Policy) -> Vec<(Suite, Unit)> {
    let all = plan(suites, &head.suites, policy);
    match head.part {
        None => all,
        Some(shard) => (0..).zip(all).filter(|(place, _)| shard.has(*place)).map(|(_, unit)| unit).collect(),
    }
}
