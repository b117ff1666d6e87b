//! What must not be written anywhere.

use super::{Finding, Source};

/// Put together, so that this file does not find itself.
const FORBIDDEN: [(&str, &str); 7] = [
    (concat!("#[ig", "nore"), "an ignored test is no test: mend it or remove it"),
    (
        concat!("#[al", "low("),
        "bare: use #[expect(lint, reason = \"...\")], which says why and notices when it is over",
    ),
    (concat!("#![al", "low("), "bare: use #![expect(lint, reason = \"...\")]"),
    (concat!("TO", "DO"), "what is not now is an issue, not a comment"),
    (concat!("FIX", "ME"), "what is not now is an issue, not a comment"),
    (concat!("XX", "X"), "what is not now is an issue, not a comment"),
    (concat!("<<<<", "<<<"), "a merge that was not finished"),
];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let lines = sources.iter().flat_map(|s| s.text.lines().enumerate().map(move |(n, line)| (s, n + 1, line)));
    let mut findings = Vec::new();
    for (source, n, line) in lines {
        let found = FORBIDDEN.iter().filter(|(word, _)| line.contains(word));
        findings.extend(found.map(|(_, why)| Finding::new(&source.path, n, *why)));
    }
    findings
}
