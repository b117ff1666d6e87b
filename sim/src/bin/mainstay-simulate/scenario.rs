//! Writing scenarios: a first one, what is wrong with one, what it means; and the docs of all that can be said.

use crate::{BROKEN, USAGE};
use clap::{Args, Subcommand};
use mainstay_sim::scenario::{Scenario, docs, schema, story, template};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where scenarios are, seen from the top of the repository.
const FOLDER: &str = "scenarios";

const EXAMPLES: &str = "\
Examples:
  cargo xtask scenario new disk-full-at-midnight
  cargo xtask scenario check scenarios/disk-full-at-midnight.toml
  cargo xtask scenario check
  cargo xtask scenario docs

Exit codes: 0 all is well, 1 a scenario is wrong, 2 usage, or a file can't be read or written.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Scenarios {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes a scenario to begin with, with comments
    New {
        /// Its name: what it is about, in a few words with dashes between them
        name: String,
    },
    /// Says what is wrong with scenarios; of a single one that is right, what it means
    Check {
        /// The files; all scenarios when none is given
        files: Vec<PathBuf>,
    },
    /// Writes docs/SCENARIOS.md: everything that a scenario may say
    Docs {
        /// To standard output instead
        #[arg(long)]
        stdout: bool,
    },
    /// Writes scenarios/scenario.schema.json, from which editors complete and check
    Schema {
        /// To standard output instead
        #[arg(long)]
        stdout: bool,
    },
}

pub(crate) fn run(scenarios: &Scenarios) -> Result<ExitCode, String> {
    match &scenarios.task {
        Task::New { name } => new(name),
        Task::Check { files } if files.is_empty() => check(&all(Path::new(FOLDER))?),
        Task::Check { files } => check(files),
        Task::Docs { stdout } => write(docs::PATH, &docs::text(), *stdout),
        Task::Schema { stdout } => write(schema::PATH, &schema::text(), *stdout),
    }
}

fn new(name: &str) -> Result<ExitCode, String> {
    let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !name.split('-').all(is_word) {
        return Err(format!("{name:?} is no name: small letters and digits, with dashes between words"));
    }
    let path = Path::new(FOLDER).join(format!("{name}.toml"));
    let file = std::fs::File::create_new(&path);
    let written = file.and_then(|mut file| file.write_all(template::text().as_bytes()));
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    println!("wrote {0}; what it means: cargo xtask scenario check {0}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Every scenario below a folder, by name.
fn all(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(all(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn check(files: &[PathBuf]) -> Result<ExitCode, String> {
    let (mut wrong, mut unread) = (0, 0);
    for file in files {
        if let Err(error) = std::fs::read_to_string(file) {
            eprintln!("{}: {error}\n", file.display());
            unread += 1;
            continue;
        }
        match Scenario::read(file) {
            Ok(scenario) if files.len() == 1 => println!("{}", story::tell(&scenario)),
            Ok(_) => println!("{}: right", file.display()),
            Err(what) => {
                eprintln!("{what}\n");
                wrong += 1;
            }
        }
    }
    if wrong > 0 {
        eprintln!("{wrong} of {} are wrong; what may be said is in docs/SCENARIOS.md", files.len());
    }
    Ok(ExitCode::from(match (unread, wrong) {
        (0, 0) => 0,
        (0, _) => BROKEN,
        (_, _) => USAGE,
    }))
}

fn write(path: &str, text: &str, to_stdout: bool) -> Result<ExitCode, String> {
    if to_stdout {
        print!("{text}");
    } else {
        std::fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
        println!("wrote {path}");
    }
    Ok(ExitCode::SUCCESS)
}
