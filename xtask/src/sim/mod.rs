//! `cargo xtask sim` and `cargo xtask scenario`: builds the simulator and passes everything on to it, but for `mutants`, which has to build others.

pub(crate) mod mutants;

use crate::Verdict;
use clap::{Arg, ArgMatches, Command};
use std::path::{Path, PathBuf};
use std::process::Command as Process;

/// The simulator's name among the binaries.
pub(crate) const SIMULATOR: &str = "mainstay-simulate";
/// The build profile of simulations.
pub(crate) const PROFILE: &str = "sim";

pub(super) fn command() -> Command {
    Command::new("sim")
        .about(
            "Runs the daemon in a simulated world: run, sweep, replay, shrink, meta, coverage, crash, control; and mutants",
        )
        .after_help(
            "Examples:\n  cargo xtask sim run scenarios/restart-during-running.toml --seed 7\n  \
             cargo xtask sim sweep --swarm --seeds 1000\n  \
             cargo xtask sim replay 4711 --html target/4711.html\n  \
             cargo xtask sim shrink 4711 --out scenarios/regressions/NAME.toml\n  \
             cargo xtask sim mutants --seeds 200 --only sync-normal\n  \
             cargo xtask sim --help-of sweep\n\n\
             Exit codes: 0 all held, 1 a property did not hold, 2 usage, 3 the same seed did not do the same twice, \
             4 a run panicked or did not end, 5 the machine did not play along, 6 too little was covered",
        )
        .arg(
            Arg::new("help-of")
                .long("help-of")
                .value_name("COMMAND")
                .help("The help of one of the simulator's commands"),
        )
        .subcommand(mutants::command())
        .allow_external_subcommands(true)
        .arg_required_else_help(true)
}

pub(super) fn run(matches: &ArgMatches) -> Verdict {
    let root = Path::new(".");
    match matches.subcommand() {
        Some(("mutants", matches)) => mutants::run(root, matches),
        Some((name, rest)) => {
            let rest = rest.get_many::<std::ffi::OsString>("").into_iter().flatten();
            simulate(root, std::iter::once(name.into()).chain(rest.cloned()))
        }
        None => match matches.get_one::<String>("help-of") {
            Some(name) => simulate(root, [name.into(), "--help".into()].into_iter()),
            None => simulate(root, ["--help".into()].into_iter()),
        },
    }
}

pub(super) fn scenario() -> Command {
    Command::new("scenario")
        .about("Writes and checks scenarios: new NAME, check [FILES], docs, schema")
        .after_help(
            "Examples:\n  cargo xtask scenario new disk-full-at-midnight\n  \
             cargo xtask scenario check scenarios/disk-full-at-midnight.toml\n  cargo xtask scenario check",
        )
        .allow_external_subcommands(true)
        .arg_required_else_help(true)
}

pub(super) fn run_scenario(matches: &ArgMatches) -> Verdict {
    let (name, rest) = matches.subcommand().expect("clap shows its help where there is none");
    let rest = rest.get_many::<std::ffi::OsString>("").into_iter().flatten();
    simulate(Path::new("."), ["scenario".into(), name.into()].into_iter().chain(rest.cloned()))
}

/// Builds the simulator in a checkout and runs it there.
fn simulate(root: &Path, arguments: impl Iterator<Item = std::ffi::OsString>) -> Verdict {
    let Ok(simulator) = build(root) else { return Verdict::Infrastructure };
    match Process::new(&simulator).args(arguments).current_dir(root).status() {
        Ok(status) => match status.code().map(u8::try_from) {
            Some(Ok(code)) => Verdict::Passed(code),
            Some(Err(_)) | None => {
                eprintln!("{}: {status}", simulator.display());
                Verdict::Infrastructure
            }
        },
        Err(error) => {
            eprintln!("{}: {error}", simulator.display());
            Verdict::Infrastructure
        }
    }
}

/// The simulator of a checkout, built. What is wrong with it cargo has said.
pub(crate) fn build(root: &Path) -> Result<PathBuf, ()> {
    let mut cargo = crate::cargo::cargo();
    cargo.args(["build", "--quiet", "--profile", PROFILE, "--package", "mainstay-sim", "--bin", SIMULATOR]);
    cargo.current_dir(root).env_remove("CARGO_TARGET_DIR");
    let built = cargo.status().is_ok_and(|status| status.success());
    let binary = root.join("target").join(PROFILE).join(SIMULATOR);
    if built { binary.canonicalize().map_err(drop) } else { Err(()) }
}
