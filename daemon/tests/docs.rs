//! What is written about the daemon in `docs/` and can be told from the code is told from the code, and stays true.
//!
//! `MAINSTAY_BLESS=1 cargo test -p mainstay --test docs` writes it anew.

use mainstay::config::build;
use mainstay::policy::matrix::{markdown, matrix};
use mainstay::task::{Cause, Outcome, Refused, State, step};
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- generated from daemon/src/task.rs; MAINSTAY_BLESS=1 cargo test -p mainstay --test docs -->\n";
/// Only what has to be there, so that everything has its default.
const EXAMPLE: &str = "[telegram]\n[[operator]]\nid = 1\nname = \"ana\"\nroles = [\"admin\"]\n\
                       [[kind]]\nname = \"build\"\nargv = [\"/bin/true\"]\n";
const POLICY_INTRO: &str = "# Limits and retries\n\nGenerated from the table in `daemon/src/policy/matrix.rs`, with the \
     defaults and one kind, `build`; `mainstay policy` shows it with the numbers of a configuration. All other limits, each \
     with its reason, stand in `daemon/src/policy.rs`; their relations are checked when it is compiled.\n\nPauses between \
     tries are drawn from a window that doubles from the first to the longest pause (full jitter), and are half of the \
     first at the least: *tries a minute* is what that allows at the most, for the class as a whole. A property of the \
     simulation (`sim/src/property/tries.rs`) holds every run against these numbers.\n\nTransient errors are tried again, \
     permanent ones are put on record and told, and where the record itself can't be trusted the daemon ends.\n";
const END: &str = "<!-- end of what is generated -->\n";

#[test]
fn commands_md_is_what_the_program_says() {
    assert_eq!(mainstay::cli::docs::commands_md().lines().next(), Some("# Commands"));
    compare("COMMANDS.md", &mainstay::cli::docs::commands_md());
}

#[test]
fn lifecycle_md_has_the_tables_of_the_code() {
    let text = std::fs::read_to_string(path("LIFECYCLE.md")).expect("docs/LIFECYCLE.md");
    let (before, rest) = text.split_once(BEGIN).expect("the line where the generated part begins");
    let (_, after) = rest.split_once(END).expect("the line where it ends");
    compare("LIFECYCLE.md", &format!("{before}{BEGIN}{}{END}{after}", lifecycle_tables()));
}

#[test]
fn policy_md_has_the_matrix_of_the_code() {
    let classes = matrix(&build::parse(EXAMPLE, Path::new("/")).expect("valid").config);
    compare("POLICY.md", &format!("{POLICY_INTRO}{}", markdown(&classes)));
}

/// A limit that nobody has seen at work is a guess.
#[test]
fn each_class_of_the_matrix_is_shown_by_scenarios_or_tests_that_are_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tests = texts(&top.join("tests")) + &texts(&top.join("daemon"));
    let classes = matrix(&build::parse(EXAMPLE, Path::new("/")).expect("valid").config);
    for class in classes {
        assert!(!class.shown_by.is_empty(), "{} is shown by nothing", class.class);
        for name in class.shown_by {
            let there = top.join(format!("scenarios/{name}.toml")).exists() || tests.contains(&format!("fn {name}()"));
            assert!(there, "{}: there is no scenario and no test {name}", class.class);
        }
    }
}

fn texts(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| match path.extension().and_then(|end| end.to_str()) {
            _ if path.is_dir() => texts(&path),
            Some("rs") => std::fs::read_to_string(&path).expect("a text"),
            _ => String::new(),
        })
        .collect()
}

/// Every cause in every state.
fn lifecycle_tables() -> String {
    let mut md = String::from("\n| cause |");
    State::ALL.iter().for_each(|state| md += &format!(" {state} |"));
    md += "\n| --- |";
    md += &" --- |".repeat(State::ALL.len());
    for cause in Cause::ALL {
        md += &format!("\n| {} |", words(&serde_json::to_value(cause).expect("a name")));
        for state in State::ALL {
            md += &match step(state, cause) {
                Ok(step) => format!(" **{}** |", step.to()),
                Err(Refused::Already) => " already |".to_owned(),
                Err(Refused::Illegal) => " – |".to_owned(),
            };
        }
    }
    let ends: Vec<String> = State::ALL.iter().filter(|s| s.is_terminal()).map(ToString::to_string).collect();
    let outcomes = [
        Outcome::Success,
        Outcome::Failure,
        Outcome::Timeout,
        Outcome::NotStarted,
        Outcome::Unknown,
        Outcome::Stopped,
        Outcome::Rejected,
        Outcome::Expired,
    ];
    let outcomes: Vec<String> = outcomes.iter().map(|outcome| format!("`{}`", outcome.name())).collect();
    md + &format!("\n\nEnds: {}. Outcomes: {}.\n\n", ends.join(", "), outcomes.join(", "))
}

fn words(name: &serde_json::Value) -> String {
    name.as_str().unwrap_or_default().replace('_', " ")
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

fn compare(name: &str, expected: &str) {
    if std::env::var_os("MAINSTAY_BLESS").is_some_and(|wish| !wish.is_empty()) {
        std::fs::write(path(name), expected).expect("write");
    }
    let written = std::fs::read_to_string(path(name)).unwrap_or_default();
    assert!(
        written == expected,
        "docs/{name} is stale: MAINSTAY_BLESS=1 cargo test -p mainstay --test docs writes it anew"
    );
}
