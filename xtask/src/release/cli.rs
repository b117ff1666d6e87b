//! The command line of `release`. What was made is told on standard output, all else on standard error.

use super::make::{self, Wanted};
use super::twice::{Compared, twice};
use super::verify::{self, Verified};
use crate::Verdict;
use crate::gate::checkout::Checkout;
use crate::gate::ended::Ended;
use crate::gate::raw::digest;
use crate::gate::sign::{self, Secret, Signed};
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  cargo xtask release                                   archive, package and SBOM, in target/dist
  cargo xtask release --gate target/gate/RUN --key KEY  as it is handed out: with what the gate said, and signed
  cargo xtask release verify target/dist/mainstay-ID-TARGET.tar.gz --key KEY.pub
  cargo xtask release twice                             whether the same commit gives the same bytes; takes minutes

A key is made by `cargo xtask gate key`. docs/RELEASES.md tells what is in a release, and how others verify it.

Exit codes: 0 made, verified, or the same twice; 1 not the same twice; 2 wrong usage; 4 a release, or a gate's bundle, that is
invalid or was tampered with; 5 the machine did not play along.";

/// The command line.
pub(crate) fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let path = value_parser!(PathBuf);
    let format = option("format", "FORMAT", "How the end is told: human or json")
        .value_parser(["human", "json"])
        .default_value("human")
        .global(true);
    Command::new("release")
        .about("Makes what is shipped: archive, Debian package, SBOM; verifies it, and whether it can be made again")
        .after_help(EXAMPLES)
        .args_conflicts_with_subcommands(true)
        .arg(option("out", "DIR", "Where it is put").value_parser(path.clone()).default_value("target/dist"))
        .arg(option("key", "KEY", "Signs it: the secret key's file, or 64 hex digits. Also $MAINSTAY_GATE_KEY"))
        .arg(
            option("gate", "BUNDLE", "The bundle of this commit's gate; verified, then named")
                .value_parser(path.clone()),
        )
        .arg(
            option("tests", "JUNIT", "A report of its tests in JUnit's form; the gate's when not given")
                .value_parser(path.clone()),
        )
        .arg(format)
        .subcommand(
            Command::new("verify")
                .about("Believes nothing of a release: paths, signature, digests, and what it says of itself")
                .arg(
                    Arg::new("release")
                        .required(true)
                        .value_parser(path)
                        .help("An archive, a package, or the folder of either"),
                )
                .arg(option("key", "KEY", "Who should have signed: the public key's file, or 64 hex digits")),
        )
        .subcommand(
            Command::new("twice")
                .about("Makes the release of this commit in two fresh folders, and compares the bytes"),
        )
}

/// Runs it.
pub(crate) fn run(matches: &ArgMatches) -> Verdict {
    let done = match matches.subcommand() {
        Some(("verify", matches)) => verified(matches),
        Some(("twice", matches)) => compared(matches),
        Some(_) | None => made(matches),
    };
    Verdict::Passed(done.unwrap_or_else(|ended| {
        eprintln!("release: {ended}");
        ended.code()
    }))
}

/// The repository from whose top this is run.
fn here() -> Result<Checkout, Ended> {
    let root = Path::new(".").canonicalize().map_err(Ended::machine)?;
    match root.join("xtask/Cargo.toml").exists() {
        true => Ok(Checkout { root }),
        false => Err(Ended::Usage(format!("{}: not the top of the repository; run it from there", root.display()))),
    }
}

fn made(matches: &ArgMatches) -> Result<u8, Ended> {
    let key = matches.get_one::<String>("key").cloned().or_else(|| std::env::var(sign::VARIABLE).ok());
    let key = key.filter(|text| !text.is_empty());
    let wanted = Wanted {
        key: key.map(|text| Secret::read(&text)).transpose().map_err(Ended::Usage)?,
        tests: matches.get_one("tests").cloned(),
        gate: matches.get_one("gate").cloned(),
    };
    let out: &PathBuf = matches.get_one("out").expect("has a default");
    let made = make::make(&here()?, &wanted)?;
    let paths = make::write(&made, out).map_err(Ended::Infrastructure)?;
    for remark in remarks(&made, &wanted) {
        eprintln!("release: {remark}");
    }
    let files: Vec<Value> = paths
        .iter()
        .zip(&made.files)
        .map(|(path, (_, bytes))| json!({ "path": path, "bytes": bytes.len(), "sha256": digest(bytes) }))
        .collect();
    if is_json(matches) {
        let signed = wanted.key.as_ref().map(Secret::public);
        let told = json!({ "release": made.record, "signed_by": signed, "files": files });
        crate::say(format_args!("{told}"));
    } else {
        crate::say(format_args!("{}", made.record.id));
        for (path, (_, bytes)) in paths.iter().zip(&made.files) {
            crate::say(format_args!("{}  {}", digest(bytes), path.display()));
        }
    }
    Ok(0)
}

/// What whoever hands it out should know.
fn remarks(made: &make::Made, wanted: &Wanted) -> Vec<String> {
    let record = &made.record;
    let mut remarks = Vec::new();
    if record.dirty {
        remarks
            .push(format!("DIRTY: files differ from commit {}, so nobody else can make {}", record.commit, record.id));
    }
    if wanted.key.is_none() {
        remarks.push("not signed: give --key for a release that others are to trust".to_owned());
    }
    match &record.gate {
        None => remarks.push("no gate: give --gate for one that says whether it should be shipped".to_owned()),
        Some(gate) if gate.verdict != "PASS" => {
            remarks.push(format!("the gate said {}, and the release says so", gate.verdict));
        }
        Some(_) => {}
    }
    match &record.tests {
        None => remarks.push("no report of tests: give --tests, or a gate whose bundle has one".to_owned()),
        Some(tests) if tests.failed > 0 => {
            remarks.push(format!("{} tests failed, and the release says so", tests.failed));
        }
        Some(_) => {}
    }
    remarks
}

fn verified(matches: &ArgMatches) -> Result<u8, Ended> {
    let path: &PathBuf = matches.get_one("release").expect("required");
    if !path.exists() {
        return Err(Ended::Usage(format!("{}: is not there", path.display())));
    }
    let key: Option<&String> = matches.get_one("key");
    let trusted = key.map(|text| sign::trusted(text)).transpose().map_err(Ended::Usage)?;
    let Verified { record, signed, files } = verify::verify(path, trusted.as_deref()).map_err(Ended::Refused)?;
    if is_json(matches) {
        let signed = match &signed {
            Signed::Vouched(key) => json!({ "by": key, "trusted": true }),
            Signed::By(key) => json!({ "by": key, "trusted": false }),
            Signed::No => Value::Null,
        };
        crate::say(format_args!("{}", json!({ "release": record, "signed": signed, "files": files })));
        return Ok(0);
    }
    match &signed {
        Signed::Vouched(key) => crate::say(format_args!("signed by {key}, the key that was given")),
        Signed::By(key) => {
            crate::say(format_args!("signed by {key}; nobody vouches for that key here: give --key"));
        }
        Signed::No => crate::say("not signed: whoever had it may have changed it, and the digests with it"),
    }
    let dirty = if record.dirty { ", with changes that were not committed" } else { "" };
    crate::say(format_args!("commit {}{dirty}, of {}", record.commit, record.commit_time));
    crate::say(format_args!("verified: {} for {}: {files} files", record.id, record.target));
    Ok(0)
}

fn compared(matches: &ArgMatches) -> Result<u8, Ended> {
    let here = here()?;
    if here.head().map_err(Ended::Infrastructure)?.dirty {
        eprintln!("release: files differ from the commit; what is compared is the commit");
    }
    let Compared { id, same, differs } = twice(&here)?;
    if is_json(matches) {
        let same: Vec<Value> = same.iter().map(|(name, sum)| json!({ "name": name, "sha256": sum })).collect();
        crate::say(format_args!("{}", json!({ "id": id, "same": same, "differs": differs })));
    } else {
        for (name, sum) in &same {
            crate::say(format_args!("the same twice: {sum}  {name}"));
        }
        if let Some(differs) = &differs {
            crate::say(format_args!("not the same twice: {differs}"));
        }
    }
    Ok(u8::from(differs.is_some()))
}

fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("format").is_some_and(|format| format == "json")
}
