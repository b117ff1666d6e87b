//! Releases on this machine: what they are made of, what is known of them, and how the machine goes from one to another and
//! back. Pure: [`crate::cli`] reads and writes the files, and does what a step says.
//!
//! Reading order: [`switch`] has the steps, [`drive`] goes through them, [`known`] is what is remembered: which release may be
//! switched to, and where the way back leads. [`watch`] judges when a new one has proven itself; [`manifest`] and [`tree`] say
//! what a release is.
//! What you will not find: a release that is good because its start returned 0, a second try by itself, and a back-up that is
//! put back over what happened since.

pub mod drive;
pub mod known;
pub mod manifest;
pub mod switch;
pub mod tree;
pub mod watch;

use crate::policy;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of this program. A daemon that runs from a release's folder calls itself by that release's id instead.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Names a release: `<version>-<commit>`, and `-dirty` where the tree had changes. Also the name of its folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// Reads `text` as an id: it names a folder, so it must not lead anywhere else, nor look like a flag or a hidden file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Id, String> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins || text.len() > policy::RELEASE_ID_BYTES_MAX || !text.chars().all(legal) {
            let shown: String = text.chars().take(policy::RELEASE_ID_BYTES_MAX).collect();
            return Err(format!(
                "{shown:?} is no release's id: that is letters, digits, dots and hyphens, at most {}",
                policy::RELEASE_ID_BYTES_MAX
            ));
        }
        Ok(Id(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Id {
    type Error = String;
    fn try_from(text: String) -> Result<Id, String> {
        Id::new(&text)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_be_nothing_but_the_name_of_a_folder() {
        for good in ["0.1.0-1f5504b0abcd", "0.1.0-1f5504b0abcd-dirty", "a", &"x".repeat(policy::RELEASE_ID_BYTES_MAX)] {
            assert_eq!(Id::new(good).map(|id| id.to_string()), Ok(good.to_owned()));
        }
        let long = "x".repeat(policy::RELEASE_ID_BYTES_MAX + 1);
        for bad in ["", ".", "..", "../x", "a/b", "-x", ".staging", "a b", "ä", "a\n", "a\0", &long] {
            assert!(Id::new(bad).is_err(), "{bad:?}");
        }
    }
}
