//! `cargo xtask tidy`: the rules of the house that no compiler knows. Also a test of this package, so no one has to remember
//! it.
//!
//! [`arrows`] checks which part may know which, [`words`] what must not be written, [`files`] sizes, dead files and links,
//! [`limits`] where the daemon's limits stand, [`commands`] whether the commands that documents and workflows name exist.
//! It reads text and parses no Rust: a rule that needs more is no rule for here.

mod arrows;
mod commands;
mod files;
mod limits;
mod words;

use crate::Verdict;
use clap::{ArgMatches, Command};
use std::path::{Path, PathBuf};

/// A file as the checks see it.
struct Source {
    /// From the top of the repository, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Its lines with their numbers, without comments; the tests at the end of a module are left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(n, line)| (n + 1, line));
        let mut tests = false;
        lines
            .take_while(move |(_, line)| {
                let before = tests;
                tests = line.starts_with("#[cfg(test)]");
                !(before && line.starts_with("mod "))
            })
            .map(|(n, line)| (n, without_comment(line)))
    }
}

/// `//` inside a text that holds an address is no comment.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| *at == 0 || line[..*at].ends_with(' '));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// Something that is not as it should be.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, text: text.into() }
    }
}

pub(crate) fn command() -> Command {
    Command::new("tidy")
        .about("Who may know whom, what must not be written, how long files are, whether links lead somewhere")
        .after_help("Example: cargo xtask tidy\n\nExit codes: 0 tidy, 1 not, 2 wrong usage, 5 the files can't be read")
}

pub(crate) fn run(_: &ArgMatches) -> Verdict {
    let sources = match read(&top()) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("tidy: failed to read the repository: {error}");
            return Verdict::Infrastructure;
        }
    };
    let findings = check(&sources);
    for Finding { path, line, text } in &findings {
        crate::say(format_args!("{path}:{line}: {text}"));
    }
    crate::say(format_args!("{}", files::report(&sources)));
    crate::say(format_args!("{} files, {} findings", sources.len(), findings.len()));
    if findings.is_empty() { Verdict::Good } else { Verdict::Off }
}

fn check(sources: &[Source]) -> Vec<Finding> {
    let checks = [arrows::check, words::check, files::check, limits::check, commands::check];
    let mut findings: Vec<Finding> = checks.iter().flat_map(|check| check(sources)).collect();
    findings.sort();
    findings
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ is in the repository").to_owned()
}

/// Every text that the rules are about, in the order of paths.
fn read(top: &Path) -> std::io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() && name != "target" && name != ".git" {
                folders.push(path);
            } else if [".rs", ".md", ".toml", ".yml"].iter().any(|end| name.ends_with(end)) {
                let short = path.strip_prefix(top).unwrap_or(&path).to_string_lossy().into_owned();
                sources.push(Source { text: std::fs::read_to_string(&path)?, path: short });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let findings = check(&read(&top()).expect("readable"));
        let lines: Vec<String> = findings.iter().map(|f| format!("{}:{}: {}\n", f.path, f.line, f.text)).collect();
        assert!(findings.is_empty(), "\n{}", lines.concat());
    }

    /// Each rule catches the one who breaks it: a check that finds nothing in a broken file checks nothing.
    #[test]
    fn every_rule_finds_its_breach() {
        let decide = "daemon/src/decide/gate.rs";
        for (path, text, expected) in [
            (decide, "use std::fs;\n", "names std::fs"),
            (decide, "fn f() {\n    let _ = std::time::Instant::now();\n}\n", "names Instant"),
            (decide, "use rusqlite::Connection;\n", "names rusqlite"),
            (decide, "use crate::real::store::Store;\n", "names crate::real"),
            (decide, "async fn f() {}\n", "names async"),
            (decide, "use std::{fs, net};\n", "one by one"),
            ("daemon/src/report/list.rs", "use tokio::sync::Notify;\n", "names tokio"),
            ("daemon/src/run.rs", "use std::net::TcpStream;\n", "names std::net"),
            ("daemon/src/cli/ask.rs", "use rusqlite::Connection;\n", "names rusqlite"),
            ("daemon/src/real/runner.rs", "const Q: &str = \"SELECT 1\";\n", "SQL"),
            ("daemon/src/cleverness.rs", "", "belongs to no layer"),
            ("daemon/metric/src/stats.rs", "fn f() { Instant::now(); }\n", "names Instant"),
            ("daemon/metric/Cargo.toml", "[dependencies]\nmainstay.workspace = true\n", "must not know mainstay"),
            ("daemon/Cargo.toml", "[dependencies]\nmainstay-sim.workspace = true\n", "must not know mainstay-sim"),
            ("xtask/Cargo.toml", "[dev-dependencies]\nmainstay.workspace = true\n", "must not know mainstay"),
            ("sim/Cargo.toml", "[dependencies]\nmainstay-tests = { path = \"x\" }\n", "must not know mainstay-tests"),
            ("sim/src/a.rs", concat!("#[ig", "nore]\nfn t() {}\n"), "ignored test"),
            ("sim/src/a.rs", concat!("#[al", "low(dead_code)]\nfn t() {}\n"), "bare"),
            ("tests/a.rs", concat!("// TO", "DO: later\n"), "not now"),
            ("sim/src/a.rs", &"//\n".repeat(files::LINES_MAX + 1), "lines"),
            ("sim/src/nobody.rs", "", "no module declares it"),
            ("docs/A.md", "see [there](gone.md)\n", "leads nowhere"),
            ("daemon/src/real/shim.rs", "const QUIET_MS: i64 = 100;\n", "a limit"),
            (
                "daemon/src/real/shim.rs",
                "pub(super) const RETRY: Duration = policy::of(Duration::from_secs(1));\n",
                "a limit",
            ),
            (decide, "fn f() {\n    later(Duration::from_millis(250));\n}\n", "a limit"),
            ("docs/A.md", "`cargo xtask gate --fast`\n", "no such command"),
            (".github/workflows/a.yml", "      - run: cargo xtask smok --script\n", "no such command"),
            (".github/workflows/a.yml", "      - uses: somebody/something@v3\n", "by hash"),
            (".github/workflows/a.yml", "jobs:\n", "permissions"),
        ] {
            let found = check(&[Source { path: path.into(), text: text.into() }]);
            assert!(found.iter().any(|f| f.text.contains(expected)), "{path} {text:?}: {found:?}");
        }
    }

    #[test]
    fn what_may_be_is_left_alone() {
        for (path, text) in [
            ("daemon/src/decide/gate.rs", "// std::fs is for others\nuse std::time::Duration;\n"),
            ("daemon/src/decide/gate.rs", "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n"),
            ("daemon/src/exit.rs", "impl From<X> for std::process::ExitCode {}\n"),
            ("daemon/src/real/store/rows.rs", "const Q: &str = \"SELECT 1\";\n"),
            ("daemon/src/report/list.rs", "const A: &str = \"https://api.telegram.org\";\n"),
            ("daemon/src/policy.rs", "pub const QUIET_MS: i64 = 100;\n"),
            (
                "daemon/src/real/shim.rs",
                "const CHUNK_BYTES: usize = 65_536;\nconst LINGER_MS: i64 = policy::LINGER_MS;\n",
            ),
            ("daemon/src/real/shim.rs", "#[cfg(test)]\nmod tests {\n    const SOON_MS: i64 = 5;\n}\n"),
        ] {
            let found = check(&[Source { path: path.into(), text: text.into() }]);
            let found: Vec<_> = found.iter().filter(|f| !f.text.contains("no module declares it")).collect();
            assert!(found.is_empty(), "{path} {text:?}: {found:?}");
        }
    }
}
