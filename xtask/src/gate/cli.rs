//! The command line of the gate, and what is told at the end: the verdict and the bundle's path on standard output, all else
//! on standard error.

use super::checkout::Checkout;
use super::ended::Ended;
use super::head::Wanted;
use super::judge::{self, Derived};
use super::report::{self, Tell};
use super::run::How;
use super::shard::Shard;
use super::sign::{self, Secret, Signed};
use super::site::Stop;
use super::suites::SUITES;
use super::verify::{Doubt, Verified};
use super::{Gate, keep, merge, raw, run as runs, verify};
use crate::Verdict;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  cargo xtask gate --quick                     a look: minutes, and never PASS
  cargo xtask gate                             everything
  cargo xtask gate --suite soak,crash          some suites; the others are missing, so never PASS
  cargo xtask gate --quick --planted sync-normal
                                               with a bug planted in what simulations play: FAIL, or the gate is blind
  cargo xtask gate --shard 2/7                 a part; Slurm arrays and Kubernetes indexed jobs need no --shard
  cargo xtask gate merge PART...               one bundle of all parts
  cargo xtask gate --resume target/gate/RUN    goes on with what was interrupted
  cargo xtask gate verify BUNDLE --key KEY.pub --replay 5

Exit codes: 0 PASS (or a part, or a bundle that was verified and passed), 1 FAIL, 2 usage, 3 INCONCLUSIVE, 4 a bundle that is
invalid or was tampered with, 5 the machine did not play along, 130 interrupted.";

/// The command line.
pub(crate) fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let path = |name: &'static str, help: &'static str| {
        Arg::new(name).value_parser(value_parser!(PathBuf)).required(true).help(help)
    };
    let key =
        option("key", "KEY", "Signs the bundle: the secret key's file, or 64 hex digits. Also $MAINSTAY_GATE_KEY");
    let out = option("out", "DIR", "Where bundles are made")
        .value_parser(value_parser!(PathBuf))
        .default_value("target/gate");
    let format = option("format", "FORMAT", "How the end is told: human, json or github")
        .value_parser(["human", "json", "github"])
        .default_value("human")
        .global(true);
    Command::new("gate")
        .about("Ship or not: runs all suites and writes an evidence bundle; merges, verifies and keeps bundles")
        .after_help(EXAMPLES)
        .args_conflicts_with_subcommands(true)
        .arg(Arg::new("quick").long("quick").action(ArgAction::SetTrue).help("A look: the same code, fewer seeds"))
        .arg(option("suite", "NAME", "Only these suites").value_delimiter(',').action(ArgAction::Append))
        .arg(option("shard", "M/N", "Only the Mth of N parts; from 1").value_parser(|text: &str| text.parse::<Shard>()))
        .arg(option("resume", "RUN", "Goes on with an interrupted run").value_parser(value_parser!(PathBuf)))
        .arg(option("jobs", "N", "Units at once; as many as there are cores when not given").value_parser(value_parser!(usize)))
        .arg(option("seeds-from", "N", "Seeds N, N+1, ...; the verdict can't be PASS then").value_parser(value_parser!(u64)))
        .arg(option("planted", "BUG", "Simulations play with this bug of sim/mutants.toml planted: the verdict has to be FAIL, and can't be PASS"))
        .args([key.clone(), out.clone(), format])
        .subcommand(
            Command::new("merge")
                .about("One bundle of all parts of a run")
                .arg(path("part", "Bundles of parts").num_args(1..))
                .args([key, out]),
        )
        .subcommand(
            Command::new("verify")
                .about("Believes nothing of a bundle: paths, signature, digests, chains, seeds, verdict, and runs units again")
                .arg(path("bundle", "The bundle"))
                .arg(option("key", "KEY", "Who should have signed: the public key's file, or 64 hex digits"))
                .arg(option("replay", "N", "Runs N units again").value_parser(value_parser!(usize)).default_value("0"))
                .arg(option("nonce", "TEXT", "What the choice of these depends on; chance when not given")),
        )
        .subcommand(
            Command::new("show")
                .about("The scorecard of a bundle, in the terminal; the page is report/index.html in it")
                .arg(path("bundle", "The bundle"))
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("As it stands in derived/metrics.json")),
        )
        .subcommand(
            Command::new("keep").about("Copies what git keeps of a bundle to audits/").arg(path("bundle", "The bundle")),
        )
        .subcommand(
            Command::new("key").about("Makes a key to sign with, outside the tree").arg(path("path", "The secret key's file")),
        )
}

/// Runs it.
pub(crate) fn run(matches: &ArgMatches) -> Verdict {
    let done = match matches.subcommand() {
        Some(("merge", matches)) => merged(matches),
        Some(("verify", matches)) => verified(matches),
        Some(("show", matches)) => shown(matches),
        Some(("keep", matches)) => kept(matches),
        Some(("key", matches)) => key(matches),
        Some(_) | None => gate(matches),
    };
    Verdict::Passed(done.unwrap_or_else(|ended| {
        eprintln!("gate: {ended}");
        ended.code()
    }))
}

/// The repository from whose top this is run.
fn here() -> Result<Gate, Ended> {
    let root = Path::new(".").canonicalize().map_err(Ended::machine)?;
    Ok(Gate { checkout: Checkout { root }, suites: SUITES })
}

fn gate(matches: &ArgMatches) -> Result<u8, Ended> {
    let gate = here()?;
    let stop = Stop::on_signals().map_err(Ended::Infrastructure)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let how = How {
        out: out(matches),
        jobs: matches.get_one::<usize>("jobs").copied().unwrap_or(cores).max(1),
        key: secret(matches)?,
        stop: &stop,
    };
    let ran = match matches.get_one::<PathBuf>("resume") {
        Some(run) => runs::resume(&gate, run, &how)?,
        None => runs::begin(&gate, wanted(matches)?, &how)?,
    };
    Ok(tell(matches, &ran.bundle, ran.derived.as_ref()))
}

fn wanted(matches: &ArgMatches) -> Result<Wanted, Ended> {
    let named: Vec<&String> = matches.get_many("suite").into_iter().flatten().collect();
    if let Some(unknown) = named.iter().find(|name| SUITES.iter().all(|suite| suite.name != **name)) {
        let known: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
        return Err(Ended::Usage(format!("there is no suite {unknown:?}; there are {}", known.join(", "))));
    }
    let names = SUITES.iter().map(|suite| suite.name.to_owned());
    let part = match matches.get_one::<Shard>("shard") {
        Some(shard) => Some(*shard),
        None => Shard::of_environment(&|name| std::env::var(name).ok()).map_err(Ended::Usage)?,
    };
    Ok(Wanted {
        quick: matches.get_flag("quick"),
        suites: names.filter(|name| named.is_empty() || named.contains(&name)).collect(),
        seeds_from: matches.get_one::<u64>("seeds-from").copied(),
        planted: matches.get_one::<String>("planted").cloned(),
        part,
    })
}

fn merged(matches: &ArgMatches) -> Result<u8, Ended> {
    let parts: Vec<PathBuf> = matches.get_many("part").into_iter().flatten().cloned().collect();
    let (bundle, derived) = merge::merge(&here()?, &parts, &out(matches), secret(matches)?.as_ref())?;
    Ok(tell(matches, &bundle, Some(&derived)))
}

fn verified(matches: &ArgMatches) -> Result<u8, Ended> {
    let bundle: &PathBuf = matches.get_one("bundle").expect("required");
    let stop = Stop::on_signals().map_err(Ended::Infrastructure)?;
    let mut chance = [0_u8; 16];
    rustix::rand::getrandom(&mut chance, rustix::rand::GetRandomFlags::empty()).map_err(Ended::machine)?;
    let key: Option<&String> = matches.get_one("key");
    let doubt = Doubt {
        key: key.map(|text| sign::trusted(text)).transpose().map_err(Ended::Usage)?,
        replay: *matches.get_one("replay").expect("has a default"),
        nonce: matches.get_one("nonce").cloned().unwrap_or_else(|| raw::hex(&chance)),
        stop: &stop,
    };
    let found = verify::verify(&here()?, bundle, &doubt)?;
    let (word, code) = judge::said(found.verdict);
    if format(matches) == "json" {
        crate::say(format_args!("{}", in_json(&found, &doubt)));
    } else {
        in_words(&found, &doubt);
        let Verified { commit, attempt, why, .. } = &found;
        crate::say(format_args!("verified: {word}: {why}\nof commit {commit}, attempt {attempt}"));
    }
    Ok(code)
}

/// Prints what stands in a bundle, and believes it: [`verified`] does not. So the exit code says only that it can be read.
fn shown(matches: &ArgMatches) -> Result<u8, Ended> {
    let bundle: &PathBuf = matches.get_one("bundle").expect("required");
    let people = Tell::People { colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() };
    let tell = if matches.get_flag("json") || format(matches) == "json" { Tell::Json } else { people };
    crate::say(report::show(bundle, tell).map_err(Ended::refused)?.trim_end());
    Ok(0)
}

fn in_json(found: &Verified, doubt: &Doubt<'_>) -> serde_json::Value {
    let metrics: Vec<serde_json::Value> = found
        .assurance
        .iter()
        .map(|(id, origin, assurance)| serde_json::json!({ "id": id, "origin": origin, "assurance": assurance }))
        .collect();
    let signed = match &found.signed {
        Signed::Vouched(key) => serde_json::json!({ "by": key, "trusted": true }),
        Signed::By(key) => serde_json::json!({ "by": key, "trusted": false }),
        Signed::No => serde_json::Value::Null,
    };
    serde_json::json!({
        "commit": found.commit, "attempt": found.attempt, "verdict": found.verdict, "why": found.why, "signed": signed,
        "replayed": found.replayed.iter().map(|unit| &unit.name).collect::<Vec<_>>(), "units": found.units,
        "nonce": doubt.nonce, "metrics": metrics,
    })
}

fn in_words(found: &Verified, doubt: &Doubt<'_>) {
    match &found.signed {
        Signed::Vouched(key) => crate::say(format_args!("signed by {key}, the key that was given")),
        Signed::By(key) => crate::say(format_args!("signed by {key}; nobody vouches for that key here: give --key")),
        Signed::No => {
            crate::say("not signed: whoever had these files may have changed them and all that follows from them")
        }
    }
    for unit in &found.replayed {
        crate::say(format_args!("run again, and the same: {}", unit.name));
    }
    if !found.replayed.is_empty() {
        let (n, of) = (found.replayed.len(), found.units);
        crate::say(format_args!("{n} of {of} units, chosen by the manifest and --nonce {}", doubt.nonce));
    }
    for (id, origin, assurance) in &found.assurance {
        crate::say(format_args!("{:<28} {:<12} {}", id, format!("{origin:?}").to_lowercase(), assurance.word()));
    }
}

fn kept(matches: &ArgMatches) -> Result<u8, Ended> {
    let bundle: &PathBuf = matches.get_one("bundle").expect("required");
    let to = keep::keep(bundle, &here()?.checkout.root.join("audits"))?;
    crate::say(format_args!("{}", to.display()));
    Ok(0)
}

fn key(matches: &ArgMatches) -> Result<u8, Ended> {
    let path: &PathBuf = matches.get_one("path").expect("required");
    let (file, public) = sign::make(path, &here()?.checkout.root).map_err(Ended::Usage)?;
    crate::say(format_args!("{public}\n{}", file.display()));
    Ok(0)
}

fn out(matches: &ArgMatches) -> PathBuf {
    matches.get_one::<PathBuf>("out").expect("has a default").clone()
}

fn secret(matches: &ArgMatches) -> Result<Option<Secret>, Ended> {
    let given = matches.get_one::<String>("key").cloned().or_else(|| std::env::var(sign::VARIABLE).ok());
    given.filter(|text| !text.is_empty()).map(|text| Secret::read(&text)).transpose().map_err(Ended::Usage)
}

fn format(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("format").map_or("human", String::as_str)
}

/// Tells what came of it: the exit code. A part has no verdict.
fn tell(matches: &ArgMatches, bundle: &Path, derived: Option<&Derived>) -> u8 {
    let (word, code) = derived.map_or(("PART", 0), |derived| judge::said(derived.verdict.verdict));
    let why = derived.map_or("a part without a verdict: merge it with the others", |derived| &derived.verdict.why);
    match format(matches) {
        "json" => {
            let caps = derived.map(|derived| &derived.verdict.caps);
            let told = serde_json::json!({ "verdict": word, "why": why, "caps": caps, "bundle": bundle });
            crate::say(format_args!("{told}"));
        }
        "github" => {
            let kind = match code {
                0 => "notice",
                1 => "error",
                _ => "warning",
            };
            crate::say(format_args!("::{kind} title=gate {word}::{why}\n{}", bundle.display()));
        }
        _ => crate::say(format_args!("{word}: {why}\n{}", bundle.display())),
    }
    code
}
