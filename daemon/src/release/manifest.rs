//! `release.json`: what a release says of itself. Only what is needed to install it is read; the rest is for people.

use super::Id;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Its name in a release's folder.
pub const MANIFEST: &str = "release.json";
/// The version of the file's meaning that this program knows.
const FORMAT: u32 = 1;

/// What a release says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// Version of this file's meaning.
    pub format: u32,
    /// Its name.
    pub id: Id,
    /// The machine it is built for, as `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// SHA-256 (hex) of each program, by its path.
    pub binaries: BTreeMap<String, String>,
    /// The database it makes and can go on with.
    pub database: Database,
}

impl Manifest {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let wrong = |error: serde_json::Error| format!("{MANIFEST} can't be understood: {error}");
        // First, as another format may have other fields.
        let Format { format } = serde_json::from_slice(bytes).map_err(wrong)?;
        if format != FORMAT {
            return Err(format!("{MANIFEST} has format {format}, and this program knows {FORMAT}: use a newer one"));
        }
        serde_json::from_slice(bytes).map_err(wrong)
    }
}

/// Versions of a database: of the one that is there, or of what a release makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its schema.
    pub schema: i64,
    /// The least schema that a program must know to read it.
    pub min_reader: i64,
    /// The same for writing.
    pub min_writer: i64,
}

impl Database {
    /// Whether a release with `self` can go on with the database that is `there`. Who writes has to read, too.
    pub fn opens(self, there: Database) -> bool {
        there.schema <= self.schema || there.min_reader.max(there.min_writer) <= self.schema
    }

    /// What becomes of the database that is `there` when a release with `self` has started on it.
    pub fn makes_of(self, there: Database) -> Database {
        if self.schema > there.schema { self } else { there }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"format":1,"id":"0.1.0-a","target":"t","binaries":{},"commit":"c","later":[1],
        "database":{"schema":4,"min_reader":4,"min_writer":4,"later":1}}"#;

    #[test]
    fn what_is_not_known_is_passed_over_and_another_format_is_said_to_be_one() {
        let manifest = Manifest::parse(TEXT.as_bytes()).expect("understood");
        assert_eq!((manifest.id.as_str(), manifest.database.schema), ("0.1.0-a", 4));
        for (old, new, said) in [
            ("\"format\":1", "\"format\":2", "has format 2"),
            ("\"format\":1,", "", "missing field `format`"),
            ("0.1.0-a", "../a", "is no release's id"),
            ("\"schema\":4,", "", "missing field `schema`"),
        ] {
            let error = Manifest::parse(TEXT.replacen(old, new, 1).as_bytes()).expect_err("not understood");
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_release_goes_on_with_a_newer_database_only_where_that_allows_it() {
        let of = |schema, least| Database { schema, min_reader: least, min_writer: least };
        for (release, there, opens) in [
            (of(4, 4), of(4, 4), true),
            (of(5, 5), of(4, 4), true),
            (of(4, 4), of(5, 5), false),
            (of(4, 4), of(5, 4), true),
            (of(4, 4), Database { schema: 5, min_reader: 5, min_writer: 4 }, false),
            (of(4, 4), Database { schema: 5, min_reader: 4, min_writer: 5 }, false),
        ] {
            assert_eq!(release.opens(there), opens, "{release:?} {there:?}");
        }
        assert_eq!(of(5, 5).makes_of(of(4, 4)), of(5, 5));
        assert_eq!(of(4, 4).makes_of(of(5, 4)), of(5, 4));
    }
}
