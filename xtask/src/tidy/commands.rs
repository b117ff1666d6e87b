//! Commands that documents and workflows name exist, with the options that they are given: the same table that takes them on
//! the command line is asked. And workflows keep to the rules on what they may do.
//!
//! What is passed on to another program (`sim`, `scenario`) is checked up to there.

use super::{Finding, Source};
use clap::error::ErrorKind;

const CALL: &str = "cargo xtask ";
/// A hash of git.
const HASH: usize = 40;

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let workflow = source.path.starts_with(".github/workflows/");
        if source.path.ends_with(".md") || workflow {
            findings.extend(calls(source));
        }
        if workflow {
            findings.extend(rules(source));
        }
    }
    findings
}

fn calls(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (n, line) in source.text.lines().enumerate() {
        for (at, _) in line.match_indices(CALL) {
            let words = words(&line[at + CALL.len()..]);
            // An example in general terms.
            if words.first().is_none_or(|word| word.contains(['<', '.'])) {
                continue;
            }
            if let Some(error) = wrong(&words) {
                let text = format!("no such command: cargo xtask {}: {error}", words.join(" "));
                findings.push(Finding::new(&source.path, n + 1, text));
            }
        }
    }
    findings
}

/// The words of a call up to where its line goes on with something else.
fn words(rest: &str) -> Vec<String> {
    // In a list of commands, two spaces stand before what one does.
    let end = ["`", "  ", " |", " &&", " ||", ";", " > ", " #", ")", ",", "\\|"];
    let end = end.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    let mut words = Vec::new();
    let mut inside = String::new();
    for word in rest[..end].split_whitespace() {
        // What a workflow puts in is one word, whatever it says: `${{ matrix.part }}/6`.
        if !inside.is_empty() || word.contains("${{") {
            inside.push_str(word);
            if let Some((before, _)) = inside.clone().split_once("${{")
                && let Some((_, after)) = inside.split_once("}}")
            {
                words.push(format!("{before}1{after}"));
                inside.clear();
            }
            continue;
        }
        words.push(word.trim_matches(['"', '\'', '.', ':']).to_owned());
    }
    words
}

fn wrong(words: &[String]) -> Option<String> {
    let given = std::iter::once("xtask").chain(words.iter().map(String::as_str));
    let error = crate::commands().try_get_matches_from(given).err()?;
    // Words stand for words that are written there, and a general example may leave some out.
    let in_general = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::InvalidValue
            | ErrorKind::ValueValidation
    );
    (!in_general).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

fn rules(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.text.contains("\npermissions:\n  contents: read\n") {
        let text = "no permissions: they are what the repository gives by default, which is more than reading";
        findings.push(Finding::new(&source.path, 1, text));
    }
    for (n, line) in source.text.lines().enumerate() {
        let Some((_, uses)) = line.split_once("uses: ") else { continue };
        let (action, version) = uses.split_once('@').unwrap_or((uses, ""));
        let version = version.split(' ').next().unwrap_or_default();
        let hash = version.len() == HASH && version.bytes().all(|b| b.is_ascii_hexdigit());
        if !hash && !action.starts_with("actions/") {
            findings.push(Finding::new(&source.path, n + 1, "by hash: a tag can be moved to something else"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_call_ends_where_its_line_goes_on_with_something_else() {
        for (rest, expected) in [
            ("demo                    talk to it", &["demo"][..]),
            ("gate --quick || code=$?", &["gate", "--quick"]),
            ("gate --shard ${{ matrix.part }}/6 --out x", &["gate", "--shard", "1/6", "--out", "x"]),
            ("gate verify BUNDLE --key K`, then", &["gate", "verify", "BUNDLE", "--key", "K"]),
        ] {
            assert_eq!(words(rest), expected, "{rest}");
        }
    }
}
