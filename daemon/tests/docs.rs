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
     first at the least: *tries a minute* is what that allows at the most.\n";
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

/// Who is woken by a name has to find it, and what can't happen any more has no place in the book.
#[test]
fn the_run_book_has_a_row_for_each_anomaly_and_no_other() {
    let text = std::fs::read_to_string(path("OPERATIONS.md")).expect("docs/OPERATIONS.md");
    let (_, rest) = text.split_once("### Run book").expect("the run book");
    let rows = rest.lines().take_while(|line| !line.starts_with("### "));
    let cells = rows.filter_map(|line| line.strip_prefix("| `")).map(|line| line.split('|').collect::<Vec<_>>());
    let mut names = Vec::new();
    for cells in cells {
        let name = cells[0].trim().trim_end_matches('`').to_owned();
        assert_eq!(cells.len(), 5, "{name}: what it means, what to look at, what to do");
        assert!(cells[1..4].iter().all(|cell| cell.trim().len() > 5), "{name}: {cells:?}");
        names.push(name);
    }
    assert_eq!(names, mainstay::anomaly::ANOMALIES.map(|anomaly| anomaly.name.to_owned()));
}
