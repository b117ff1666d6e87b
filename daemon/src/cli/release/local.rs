//! A release of programs that were built here and come without an archive: they get the same list of digests and the same
//! description, so that it can be verified, switched from and gone back to as any other.

use super::tree::Writer;
use crate::hex::hex;
use crate::real::store;
use crate::release::Id;
use crate::release::manifest::MANIFEST;
use crate::release::tree::SUMS;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How much of the digest is in the name.
const ID_DIGITS: usize = 12;

/// What a program that was built here is called as a release: each build is one of its own.
pub(in super::super) fn id_of(program: &Path) -> Result<Id, String> {
    let digest = hex(&Sha256::digest(read(program)?));
    Id::new(&format!("{}-local-{}", env!("CARGO_PKG_VERSION"), &digest[..ID_DIGITS]))
}

/// Writes its files. The first program is the one that it is named for.
pub(super) fn write(programs: &[(String, PathBuf)], writer: &mut Writer<'_>) -> Result<(), String> {
    let (_, named_for) = programs.first().ok_or("no program is named")?;
    let id = id_of(named_for)?;
    let mut digests = BTreeMap::new();
    for (path, program) in programs {
        let bytes = read(program)?;
        digests.insert(path.clone(), hex(&Sha256::digest(&bytes)));
        writer.file(path, true, &mut bytes.as_slice())?;
    }
    let about = json!({
        "format": 1,
        "id": id,
        "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        "binaries": digests,
        "database": {
            "schema": store::SCHEMA,
            "min_reader": store::MIN_READER,
            "min_writer": store::MIN_WRITER,
        },
    });
    let about = format!("{about:#}\n");
    digests.insert(MANIFEST.to_owned(), hex(&Sha256::digest(&about)));
    let sums: String = digests.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect();
    writer.file(MANIFEST, false, &mut about.as_bytes())?;
    writer.file(SUMS, false, &mut sums.as_bytes())
}

fn read(program: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(program).map_err(|error| format!("can't read {}: {error}", program.display()))
}
