//! What needs no world: format, lints, rules of the house, documentation, tests, dependency policy. Each is a step that holds
//! or does not; a tool that is not there is a step that could not be tried.

use super::{Load, Suite, Unit, steps};
use crate::gate::policy::Policy;
use crate::gate::site::{Called, Site};
use crate::release::Rustc;
use mainstay_metric::ledger::{Line, Origin, Step};
use std::time::Duration;

pub(super) const SUITE: Suite = Suite {
    name: "check",
    about: "format, lints, rules of the house, documentation, tests, dependency policy",
    origin: Origin::Lab,
    load: Load::Alone,
    replays: false,
    prepare,
    units,
    run,
};

/// So long each may take, with all that has to be built for it.
const LIMIT: Duration = Duration::from_secs(2_400);
/// The list of what is linked into the programs, as the bundle has it.
const SBOM: &str = "sbom/mainstay.cdx.json";
/// Where nextest leaves its report with the profile `gate` of `.config/nextest.toml`.
const JUNIT: &str = "target/nextest/gate/junit.xml";

/// As the simulator is built: with every assertion, and quicker than a build for developers.
const TESTS: [&str; 8] =
    ["nextest", "run", "--workspace", "--locked", "--profile", "gate", "--cargo-profile", crate::sim::PROFILE];

struct Check {
    name: &'static str,
    /// Also in a look.
    quick: bool,
    arguments: &'static [&'static str],
    /// Where these fail, it can't be tried: a tool is not installed, or crates can't be had.
    needs: &'static [&'static [&'static str]],
}

const CHECKS: [Check; 7] = [
    Check { name: "format", quick: true, arguments: &["fmt", "--all", "--check"], needs: &[] },
    Check { name: "tidy", quick: true, arguments: &["xtask", "tidy"], needs: &[] },
    Check {
        name: "lints",
        quick: true,
        arguments: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        needs: &[],
    },
    Check {
        name: "documentation",
        quick: false,
        arguments: &["--config", "build.rustdocflags = ['-Dwarnings']", "doc", "--workspace", "--no-deps", "--locked"],
        needs: &[],
    },
    Check {
        name: "dependencies",
        quick: false,
        arguments: &["deny", "--offline", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"],
        needs: &[&["deny", "--version"], &["fetch", "--locked"]],
    },
    Check { name: "tests", quick: false, arguments: &TESTS, needs: &[&["nextest", "--version"]] },
    Check { name: "documented-examples", quick: false, arguments: &["test", "--workspace", "--doc"], needs: &[] },
];

/// Tests take far longer to build than to run: built before, the time of their unit is theirs. A build that fails is told by
/// the unit itself, as a step that does not hold.
fn prepare(site: &Site<'_>) -> Result<(), String> {
    if site.policy.quick {
        return Ok(());
    }
    // Now, and not after an hour.
    for check in &CHECKS {
        if let Some(why) = missing(site, check)?.filter(|_| !has_substitute(check)) {
            eprintln!(
                "gate: `{}` can't be tried, and without it there is no PASS; Ctrl-C, mend it, begin again: {why}",
                check.name
            );
        }
    }
    call(site, &[&TESTS[..], &["--no-run"]].concat())?;
    Ok(())
}

fn units(policy: &Policy) -> Vec<Unit> {
    CHECKS.iter().filter(|check| check.quick || !policy.quick).map(|check| Unit::new(check.name)).collect()
}

fn run(site: &Site<'_>, unit: &Unit) -> Result<Vec<Line>, String> {
    let check = CHECKS.iter().find(|check| check.name == unit.name).ok_or("a unit of another suite")?;
    let junit = site.root.join(JUNIT);
    if check.name == "tests" && junit.exists() {
        // Another run's.
        std::fs::remove_file(&junit).map_err(|error| format!("{JUNIT}: {error}"))?;
    }
    let mut held = vec![match missing(site, check)? {
        None => step(check, &call(site, check.arguments)?),
        Some(why) => without(site, check, why)?,
    }];
    if check.name == "dependencies" {
        held.push(sbom(site)?);
    }
    // Without nextest there is none.
    if check.name == "tests"
        && let Ok(junit) = std::fs::read(&junit)
    {
        site.attach("tests/junit.xml", &junit)?;
    }
    Ok(steps(&SUITE, check.name, held))
}

/// Adds the list of what is linked in, as a release has it.
fn sbom(site: &Site<'_>) -> Result<Step, String> {
    let name = "bill-of-materials".to_owned();
    match Rustc::of(site.root).and_then(|rustc| crate::sbom::text(site.root, &rustc.host)) {
        Ok(text) => {
            site.attach(SBOM, text.as_bytes())?;
            Ok(Step { name, held: Some(true), seen: format!("{} bytes of CycloneDX in {SBOM}", text.len()) })
        }
        Err(why) => Ok(Step { name, held: None, seen: why }),
    }
}

/// Why it can't be tried, if so.
fn missing(site: &Site<'_>, check: &Check) -> Result<Option<String>, String> {
    for need in check.needs {
        if let Some(why) = unmet(site, need)? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// Why a need is not met, if so. Policies on dependencies look at crates of all platforms, more than a build fetches.
fn unmet(site: &Site<'_>, need: &[&str]) -> Result<Option<String>, String> {
    let called = call(site, need)?;
    Ok((!called.good()).then(|| format!("cargo {} {}: {}", need.join(" "), called.ended(), called.last_words())))
}

/// Tests run without nextest as well, with no report in XML.
fn has_substitute(check: &Check) -> bool {
    check.name == "tests"
}

/// A step that can't be tried as it is meant.
fn without(site: &Site<'_>, check: &Check, why: String) -> Result<Step, String> {
    if has_substitute(check) {
        return Ok(step(
            check,
            &call(site, &["test", "--workspace", "--locked", "--lib", "--bins", "--tests", "--examples"])?,
        ));
    }
    Ok(Step { name: check.name.to_owned(), held: None, seen: why })
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
