//! What is written about the daemon in `docs/` and can be told from the code is told from the code, and stays true.
//!
//! `MAINSTAY_BLESS=1 cargo test -p mainstay --test docs` writes it anew.

use mainstay::config::build;
use mainstay::event::SCHEMA;
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

#[test]
fn events_md_tells_of_every_event_what_its_declaration_says() {
    let md = events_md(&texts(&path("../daemon/src")));
    for kind in mainstay::event::Fact::KINDS {
        assert!(md.contains(&format!("\n### `{kind}`\n")), "{kind} is missing");
    }
    compare("EVENTS.md", &md);
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

const EVENTS_INTRO: &str = "# Events\n\nGenerated from `daemon/src/event.rs`. Everything that happens is an event: a row of `events` in the database, a line \
     of the log (`\"target\":\"mainstay::record\"`), a line of `mainstay logs --json`, a line of `mainstay trace`. An event is never changed. \
     A kind may get further fields that can be missing, without a new version; whatever an older reader would misread gets one.\n";

/// What an event of each kind says, by the comments of the code.
fn events_md(source: &str) -> String {
    let mut md = format!("{EVENTS_INTRO}\nVersion (`v` of each JSON line): {SCHEMA}.\n\n## Every event\n\n");
    let between = |begin: &str| {
        let (_, rest) = source.split_once(begin).expect(begin);
        rest.split_once("\n}\n").expect("its end").0.to_owned()
    };
    let members = |indent: usize, text: &str| Member::all(indent, text, source);
    for field in members(4, &between("pub struct Recorded {")) {
        if field.name == "fact" {
            md += "- `kind` (text), `data` (an object): what happened, as below. A line of the log has `event` for `kind`, and `data` as a text.\n";
        } else {
            md += &field.line();
        }
    }
    md += "\n## Kinds\n";
    for kind in members(4, &between("pub enum Fact {")) {
        md += &format!("\n### `{}`\n\n{}\n", kind.name, kind.about);
        let fields = members(8, &kind.body);
        if !fields.is_empty() {
            md += "\n";
            fields.iter().for_each(|field| md += &field.line());
        }
    }
    md
}

/// A field or variant of a declaration, as rustfmt writes it.
struct Member {
    name: String,
    about: String,
    takes: String,
    body: String,
}

impl Member {
    fn all(indent: usize, text: &str, source: &str) -> Vec<Member> {
        let mut all: Vec<Member> = Vec::new();
        let (mut about, mut renamed, mut optional) = (Vec::new(), None, false);
        for line in text.lines() {
            let ours = line.len() > indent && line[..indent].trim().is_empty() && !line[indent..].starts_with(' ');
            let word = line.trim();
            if !ours {
                if let Some(member) = all.last_mut().filter(|_| about.is_empty()) {
                    member.body += line;
                    member.body.push('\n');
                }
            } else if let Some(comment) = word.strip_prefix("/// ") {
                about.push(comment.to_owned());
            } else if word.starts_with("#[") {
                let rename = word.split_once("rename = \"").and_then(|(_, rest)| rest.split('"').next());
                renamed = rename.map(str::to_owned).or(renamed);
                optional |= word.contains("default");
            } else if word.starts_with(|c: char| c.is_alphabetic()) {
                let word = word.strip_prefix("pub ").unwrap_or(word);
                let (name, takes) = word.split_once(':').unwrap_or((word.split(' ').next().unwrap_or_default(), ""));
                let name = renamed.take().unwrap_or_else(|| snake(name));
                let takes = json_of(takes.trim().trim_end_matches(','), source);
                let takes = if optional { format!("{takes}, or missing") } else { takes };
                optional = false;
                all.push(Member { name, about: told(&about.join(" ")), takes, body: String::new() });
                about.clear();
            }
        }
        all
    }

    fn line(&self) -> String {
        format!("- `{}` ({}): {}\n", self.name, self.takes, self.about)
    }
}

/// A comment without its links to code.
fn told(comment: &str) -> String {
    comment.replace("[`", "`").replace("`]", "`")
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// What stands in the JSON.
fn json_of(rust: &str, source: &str) -> String {
    let inner = |outer: &str| rust.strip_prefix(outer).and_then(|rest| rest.strip_suffix('>'));
    match rust {
        "String" => "text".to_owned(),
        "bool" => "true or false".to_owned(),
        "i32" | "u32" | "i64" | "u64" | "TaskId" => "number".to_owned(),
        "Actor" => "text, like `tg:1001`".to_owned(),
        _ => match (inner("Option<"), inner("Vec<")) {
            (Some(one), _) => json_of(one, source),
            (_, Some(item)) => format!("list of {}", json_of(item, source)),
            (None, None) => words_of(rust, source).unwrap_or_else(|| format!("object: `{rust}`")),
        },
    }
}

/// The words of an enum that has nothing else.
fn words_of(name: &str, source: &str) -> Option<String> {
    let (before, rest) = source.split_once(&format!("pub enum {name} {{\n"))?;
    let of_serde = before.rsplit("\n\n").next()?;
    let body = rest.split_once("\n}\n")?.0;
    let words: Vec<&str> = body.lines().map(str::trim).filter(|line| line.starts_with(char::is_uppercase)).collect();
    let plain = words.iter().all(|word| word.trim_end_matches(',').chars().all(char::is_alphanumeric));
    let snaky = of_serde.contains("rename_all = \"snake_case\"") || of_serde.contains("rename_all = \"lowercase\"");
    let words = words.iter().map(|word| format!("`{}`", snake(word.trim_end_matches(','))));
    (plain && snaky).then(|| words.collect::<Vec<_>>().join(", "))
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
    let outcomes: Vec<String> = Outcome::ALL.iter().map(|outcome| format!("`{}`", outcome.name())).collect();
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
