//! What is written about the daemon in `docs/` and can be told from the code is told from the code, and stays true.
//!
//! `MAINSTAY_BLESS=1 cargo test -p mainstay --test docs` writes it anew.

use mainstay::task::{Cause, Outcome, Refused, State, step};
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- generated from daemon/src/task.rs; MAINSTAY_BLESS=1 cargo test -p mainstay --test docs -->\n";
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
