//! Every limit of the daemon stands in its policy: a number elsewhere would be in no table and in no manual.

use super::{Finding, Source};

const POLICY: &str = "daemon/src/policy";
/// What names of limits end with, or have in them.
const ENDS: [&str; 4] = ["_MS", "_S", "_MAX", "_MIN"];
const WORDS: [&str; 6] = ["TIMEOUT", "PAUSE", "RETRY", "RETRIES", "WITHIN", "GRACE"];
const SPANS: [&str; 5] = ["from_secs(", "from_millis(", "from_micros(", "from_mins(", "from_hours("];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let daemon = |source: &&Source| {
        source.path.starts_with("daemon/src/")
            && source.path.ends_with(".rs")
            && !source.path.starts_with(POLICY)
            && !source.path.ends_with("tests.rs")
    };
    let mut findings = Vec::new();
    for source in sources.iter().filter(daemon) {
        // A module's own tests may wait as long as they like.
        let lines = source.code().take_while(|(_, line)| !line.starts_with("mod tests"));
        let limits = lines.filter(|(_, line)| is_limit(line) || is_span(line));
        findings
            .extend(limits.map(|(n, _)| Finding::new(&source.path, n, "a limit: it belongs to daemon/src/policy.rs")));
    }
    findings
}

/// `const PATIENCE_MS: i64 = 5;`, but not one that is made of others.
fn is_limit(line: &str) -> bool {
    let Some((_, rest)) = line.split_once("const ") else { return false };
    let Some((name, value)) = rest.split_once(':').and_then(|(name, rest)| Some((name, rest.split_once('=')?.1)))
    else {
        return false;
    };
    let named = ENDS.iter().any(|end| name.ends_with(end)) || WORDS.iter().any(|word| name.contains(word));
    named && value.trim_start().starts_with(|c: char| c.is_ascii_digit())
}

/// `Duration::from_secs(5)`.
fn is_span(line: &str) -> bool {
    SPANS.iter().any(|span| line.split(span).skip(1).any(|after| after.starts_with(|c: char| c.is_ascii_digit())))
}
