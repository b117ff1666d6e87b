//! What needs no world: format, lints, rules of the house, documentation, tests, dependency policy. Each is a step that holds
//! or does not; a tool that is not there is a step that could not be tried.

use super::{Suite, Unit, steps};
use crate::gate::policy::Policy;
use crate::gate::site::{Called, Site};
use mainstay_metric::ledger::{Line, Origin, Step};
use std::time::Duration;

pub(super) const SUITE: Suite = Suite {
    name: "check",
    about: "format, lints, rules of the house, documentation, tests, dependency policy",
    origin: Origin::Lab,
    alone: true,
    replays: false,
    prepare: |_| Ok(()),
    units,
    run,
};

/// So long each may take, with all that has to be built for it.
const LIMIT: Duration = Duration::from_secs(2_400);
/// Where nextest leaves its report with the profile `gate` of `.config/nextest.toml`.
const JUNIT: &str = "target/nextest/gate/junit.xml";

struct Check {
    name: &'static str,
    /// Also in a look.
    quick: bool,
    arguments: &'static [&'static str],
    /// Without the tool that answers to these arguments it can't be tried.
    tool: Option<&'static [&'static str]>,
}

const CHECKS: [Check; 7] = [
    Check { name: "format", quick: true, arguments: &["fmt", "--all", "--check"], tool: None },
    Check { name: "tidy", quick: true, arguments: &["xtask", "tidy"], tool: None },
    Check {
        name: "lints",
        quick: true,
        arguments: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        tool: None,
    },
    Check {
        name: "documentation",
        quick: false,
        arguments: &["doc", "--workspace", "--no-deps", "--locked"],
        tool: None,
    },
    Check {
        name: "dependencies",
        quick: false,
        arguments: &["deny", "--offline", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"],
        tool: Some(&["deny", "--version"]),
    },
    Check {
        name: "tests",
        quick: false,
        arguments: &["nextest", "run", "--workspace", "--locked", "--profile", "gate"],
        tool: Some(&["nextest", "--version"]),
    },
    Check { name: "documented-examples", quick: false, arguments: &["test", "--workspace", "--doc"], tool: None },
];

fn units(policy: &Policy) -> Vec<Unit> {
    CHECKS.iter().filter(|check| check.quick || !policy.quick).map(|check| Unit::new(check.name)).collect()
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let check = CHECKS.iter().find(|check| check.name == unit.name).ok_or("a unit of another suite")?;
    let step = match check.tool {
        Some(tool) if !call(site, tool)?.good() => missing(site, check)?,
        Some(_) | None => step(check, &call(site, check.arguments)?),
    };
    // Without nextest there is none.
    if check.name == "tests"
        && let Ok(junit) = std::fs::read(site.root.join(JUNIT))
    {
        site.attach("tests/junit.xml", &junit)?;
    }
    Ok(steps(&SUITE, check.name, vec![step]))
}

/// Tests run without nextest as well, with no report in XML; for others there is no substitute.
fn missing(site: &Site<'_>, check: &Check) -> Result<Step, String> {
    if check.name == "tests" {
        return Ok(step(check, &call(site, &["test", "--workspace", "--locked", "--all-targets"])?));
    }
    let seen = format!("cargo {} is not installed", check.arguments[0]);
    Ok(Step { name: check.name.to_owned(), held: None, seen })
}

fn step(check: &Check, called: &Called) -> Step {
    let seen = match called.good() {
        true => format!("cargo {} ended well", check.arguments.join(" ")),
        false => format!("cargo {} {}: {}", check.arguments.join(" "), called.ended(), called.last_words()),
    };
    Step { name: check.name.to_owned(), held: Some(called.good()), seen }
}

fn call(site: &Site<'_>, arguments: &[&str]) -> Result<Called, String> {
    let mut command = crate::cargo::cargo();
    command.args(arguments).current_dir(site.root).env("CARGO_TERM_COLOR", "never");
    if arguments[0] == "doc" {
        command.env("RUSTDOCFLAGS", "-D warnings");
    }
    site.call(&mut command, LIMIT)
}
