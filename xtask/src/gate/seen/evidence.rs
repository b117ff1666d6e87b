//! The files of a bundle, read once: the small ones as they are, the raw ones as what they come to.
//!
//! It only reads, and believes nothing about hashes, chains or signatures: `gate verify` looks at those.

use super::{Place, Seen};
use crate::gate::{layout, raw};
use mainstay_metric::ledger::Line;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What is made from the rest: nothing that is computed may look at it.
const MADE: [&str; 4] = ["raw/", "derived/", "report/", "MANIFEST"];
/// Larger files that are not raw are not read: nothing here needs them.
const SMALL_BYTES: u64 = 8 << 20;
/// So many places with a secret are told.
const SECRETS_TOLD: usize = 20;

/// What a bundle holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// Everything that is not raw and is a text, by path.
    pub(crate) files: BTreeMap<String, String>,
    /// What the raw lines come to.
    pub(crate) seen: Seen,
    /// Lines that hold what looks like a secret.
    pub(crate) secrets: Vec<Place>,
    /// Raw lines that can't be read.
    pub(crate) unreadable: Vec<(Place, String)>,
    /// Raw lines.
    pub(crate) lines: u64,
}

impl Evidence {
    /// Reads a bundle, raw lines and all, chains unchecked.
    ///
    /// # Errors
    /// A file or folder that can't be read, by name.
    pub(crate) fn read(bundle: &Path) -> Result<Evidence, String> {
        let mut evidence = Evidence::default();
        for path in layout::files(bundle)? {
            if path.ends_with(layout::RAW_END) {
                evidence.packed(bundle, &path);
            } else {
                evidence.beside_raw(bundle, &path)?;
            }
        }
        Ok(evidence)
    }

    /// Reads what lies beside the raw lines and is not made from them.
    ///
    /// # Errors
    /// A file or folder that can't be read, by name.
    pub(crate) fn beside(bundle: &Path) -> Result<Evidence, String> {
        let mut evidence = Evidence::default();
        let made = |path: &&String| MADE.iter().all(|made| !path.starts_with(made));
        for path in layout::files(bundle)?.iter().filter(made) {
            evidence.beside_raw(bundle, path)?;
        }
        Ok(evidence)
    }

    fn beside_raw(&mut self, bundle: &Path, path: &str) -> Result<(), String> {
        let whole = bundle.join(path);
        let failed = |error: std::io::Error| format!("{path}: {error}");
        if !path.starts_with(MADE[0]) && whole.metadata().map_err(failed)?.len() <= SMALL_BYTES {
            // What is no text is no file that anything here knows.
            if let Ok(text) = String::from_utf8(std::fs::read(&whole).map_err(failed)?) {
                self.small(path, text);
            }
        }
        Ok(())
    }

    /// A file of raw lines as suites leave it. One that is broken somewhere is read up to there, and said to be.
    fn packed(&mut self, bundle: &Path, path: &str) {
        let mut last = 0;
        let read = raw::each(&bundle.join(path), None, &mut |at| {
            last = at.number;
            self.line(path, at.number, at.text, &at.line);
            Ok(())
        });
        if let Err(error) = read {
            self.unreadable.push((Place { file: path.to_owned(), line: last + 1 }, error));
        }
        self.file_over();
    }

    /// Takes a file that is not raw.
    pub(crate) fn small(&mut self, path: &str, text: String) {
        for (n, line) in text.lines().enumerate() {
            self.look_for_secrets(path, number(n), line);
        }
        self.files.insert(path.to_owned(), text);
    }

    /// Takes a raw line that somebody else has read.
    pub(crate) fn line(&mut self, path: &str, number: u64, text: &str, line: &Line) {
        self.lines += 1;
        self.look_for_secrets(path, number, text);
        self.seen.add(path, number, line);
    }

    /// A file of raw lines is over.
    pub(crate) fn file_over(&mut self) {
        self.seen.file_over();
    }

    fn look_for_secrets(&mut self, path: &str, line: u64, text: &str) {
        if self.secrets.len() < SECRETS_TOLD && secret(text) {
            self.secrets.push(Place { file: path.to_owned(), line });
        }
    }

    /// A file as JSON; none: it is not there, or is something else.
    pub(crate) fn json(&self, path: &str) -> Option<Value> {
        serde_json::from_str(self.files.get(path)?).ok()
    }

    /// A text at a place of a JSON file, with numbers and booleans as they are written.
    pub(crate) fn at(&self, path: &str, pointer: &str) -> Option<String> {
        match self.json(path)?.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Bool(_) | Value::Number(_)) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX).saturating_add(1)
}

/// What a key or token looks like. Not more: a digest is none, and a word like "token" is none either.
fn secret(text: &str) -> bool {
    const WORDS: [&str; 6] = ["PRIVATE KEY-----", "ghp_", "github_pat_", "AKIA", "xoxb-", "AGE-SECRET-KEY-"];
    WORDS.iter().any(|word| text.contains(word)) || has_bot_token(text)
}

/// A number of eight to ten digits, a colon, and 35 letters, digits, `-` or `_`.
fn has_bot_token(text: &str) -> bool {
    let letter = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    text.match_indices(':').any(|(at, _)| {
        let digits = text.as_bytes()[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let letters = text.as_bytes()[at + 1..].iter().take_while(|b| letter(b)).count();
        (8..=10).contains(&digits) && letters == 35
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_looks() {
        let token = format!("/bot123456789:{}/sendMessage", "A".repeat(35));
        for text in [token.as_str(), "-----BEGIN OPENSSH PRIVATE KEY-----", "ghp_0123"] {
            assert!(secret(text), "{text}");
        }
        let hash = format!("12345678:{}", "a".repeat(64));
        for text in [hash.as_str(), "the token is never printed", "12:30:00", "9:AAA"] {
            assert!(!secret(text), "{text}");
        }
    }
}
