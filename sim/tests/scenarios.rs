//! Every scenario is a test, by the name of its file: who writes one has written a test.
//!
//! This is a test program of its own kind, because tests are found when it runs. It understands what `cargo test` and
//! nextest ask of one. Scenarios are played one after the other, each on a fresh thread: SQLite's random numbers belong to
//! the process. (nextest gives each a process, and plays them side by side.)

use mainstay_sim::run::run;
use mainstay_sim::scenario::Scenario;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &String| {
        let matches = |one: &&&String| if has("--exact") { **one == name } else { name.contains(one.as_str()) };
        wanted.is_empty() || wanted.iter().any(|one| matches(&one))
    };
    // Nothing is ever ignored.
    let mut names = if has("--ignored") { Vec::new() } else { found(&folder, &folder) };
    names.retain(|(name, _)| has("--list") || is_wanted(name));
    if has("--list") {
        names.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for (name, path) in names {
        match std::thread::spawn(move || play(&path)).join() {
            Ok(Ok(())) => println!("scenario {name} ... ok"),
            Ok(Err(how)) => {
                println!("scenario {name} ... FAILED\n{how}\nagain: cargo xtask sim run scenarios/{name}.toml --trace");
                failed += 1;
            }
            Err(_) => {
                println!("scenario {name} ... PANICKED");
                failed += 1;
            }
        }
    }
    ExitCode::from(u8::from(failed > 0))
}

/// Scenarios below a folder: name and path, sorted.
fn found(folder: &Path, top: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the scenarios' folder").flatten() {
        let path = entry.path();
        // Those take minutes, and are played for evidence: `mainstay-simulate evidence` has a short test of its own.
        if path.is_dir() && path.file_name().is_some_and(|name| name == "soak") {
            continue;
        }
        if path.is_dir() {
            found.extend(self::found(&path, top));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.strip_prefix(top).expect("it was found there").with_extension("");
            found.push((name.to_string_lossy().into_owned(), path));
        }
    }
    found.sort();
    found
}

fn play(path: &Path) -> Result<(), String> {
    let scenario = Scenario::read(path)?;
    let verdict = run(&scenario, scenario.seed.unwrap_or(0));
    match verdict.broken {
        None => Ok(()),
        Some(broken) => Err(format!("{}: {}", broken.property, broken.how)),
    }
}
