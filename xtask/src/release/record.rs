//! `release.json`: what a release is made of. Every value follows from the commit, the toolchain and what was handed in; none
//! from the time or the machine of the build.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Its name in the tree.
pub(crate) const NAME: &str = "release.json";
/// The form of it. Fields may come without a new one: readers pass over what they don't know.
pub(crate) const FORMAT: u32 = 1;
/// More than any id has.
const ID_CHARS_MAX: usize = 80;
/// How much of a commit's id is in a release's.
const COMMIT_CHARS: usize = 12;

/// What it says. Digests are SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// [`FORMAT`]
    pub(crate) format: u32,
    /// The release's name: [`id`].
    pub(crate) id: String,
    /// The version of the workspace.
    pub(crate) version: String,
    /// The whole id of the commit.
    pub(crate) commit: String,
    /// Files differed from the commit.
    pub(crate) dirty: bool,
    /// When it was committed: RFC 3339, UTC.
    pub(crate) commit_time: String,
    /// What machines it is for.
    pub(crate) target: String,
    /// The compiler, as `rustc -V` names itself.
    pub(crate) toolchain: String,
    /// Of `Cargo.lock`.
    pub(crate) cargo_lock_sha256: String,
    /// Of each program, by its path in the tree.
    pub(crate) binaries: BTreeMap<String, String>,
    /// Of what a configuration may say.
    pub(crate) config_schema_sha256: String,
    /// What `mainstay check` calls the hash of the configuration in the tree.
    pub(crate) default_config_hash: String,
    /// The database it writes.
    pub(crate) database: Database,
    /// What the tests came to, if a report was handed in.
    pub(crate) tests: Option<Tests>,
    /// What the gate said, if its bundle was handed in.
    pub(crate) gate: Option<Gate>,
    /// Of the list of what is linked in, which lies beside the archive.
    pub(crate) sbom_sha256: Option<String>,
}

/// Versions of the database's schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Database {
    /// What this release writes.
    pub(crate) schema: i64,
    /// The least that a release must know to read what this one wrote.
    pub(crate) min_reader: i64,
    /// The least that it must know to go on writing.
    pub(crate) min_writer: i64,
}

/// Tests, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tests {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Of the report they were counted in.
    pub(crate) report_sha256: String,
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gate {
    /// Of the bundle's `MANIFEST`, which has the digests of all the rest.
    pub(crate) bundle_sha256: String,
    /// PASS, FAIL or INCONCLUSIVE.
    pub(crate) verdict: String,
}

/// The name of a release.
///
/// # Errors
/// The version has characters that a name must not have.
pub(crate) fn id(version: &str, commit: &str, dirty: bool) -> Result<String, String> {
    let commit = commit.get(..COMMIT_CHARS).ok_or_else(|| format!("{commit:?} is no commit id"))?;
    let id = format!("{version}-{commit}{}", if dirty { "-dirty" } else { "" });
    if is_id(&id) { Ok(id) } else { Err(format!("{id:?}: no name for a release: letters, digits, `.` and `-` alone")) }
}

/// Whether a text can be the name of a release, which is the name of a folder too.
pub(crate) fn is_id(text: &str) -> bool {
    let known = text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    known && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= ID_CHARS_MAX
}

/// As it is written.
pub(crate) fn text(record: &Record) -> String {
    canonical(serde_json::to_value(record).expect("words and numbers"))
}

/// Reads it.
pub(crate) fn read(bytes: &[u8]) -> Result<Record, String> {
    let wrong = |error: serde_json::Error| format!("{NAME}: {error}");
    let value: Value = serde_json::from_slice(bytes).map_err(wrong)?;
    if value["format"].as_u64() != Some(u64::from(FORMAT)) {
        return Err(format!("{NAME}: format {}, and this program knows {FORMAT}", value["format"]));
    }
    if canonical(value.clone()).as_bytes() != bytes {
        return Err(format!("{NAME}: not as releases write it: keys sorted, two spaces, a newline at the end"));
    }
    serde_json::from_value(value).map_err(wrong)
}

/// JSON of which there is one way to write it: keys sorted, two spaces, a newline at the end.
pub(crate) fn canonical(value: Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value)).expect("it was read, or made of words and numbers");
    text.push('\n');
    text
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().collect();
            Value::Object(fields.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
