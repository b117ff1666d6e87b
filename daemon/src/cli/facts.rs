//! `facts`: what a release has to say of the program in it, told by the program itself. Hidden: `cargo xtask release` asks, and a
//! switch, which wants to know whether the release of the way back could read the configuration.

use super::print;
use crate::config::build::parse;
use crate::config::keys::KEYS;
use crate::exit::{ExitCode, Fatal};
use crate::hex::hex;
use crate::real::{config_file, store};
use clap::ArgMatches;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Where a default configuration is installed: its relative paths start there, and count in its hash.
const INSTALLED_IN: &str = "/etc/mainstay";

pub(super) fn facts(matches: &ArgMatches) -> Result<ExitCode, Fatal> {
    let path: &PathBuf = matches.get_one("default-config").expect("clap asks for it");
    let invalid = |text: String| Fatal::new(ExitCode::ConfigInvalid, text);
    let text = std::fs::read_to_string(path)
        .map_err(|e| invalid(format!("can't read the configuration {}: {e}", path.display())))?;
    let valid =
        parse(&text, Path::new(INSTALLED_IN)).map_err(|problems| invalid(config_file::listed(path, &problems)))?;
    let facts = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "database": {
            "schema": store::SCHEMA,
            "min_reader": store::MIN_READER,
            "min_writer": store::MIN_WRITER,
        },
        "config_schema_sha256": hex(&Sha256::digest(config_schema())),
        "default_config_hash": valid.config.hash,
    });
    print(&facts.to_string());
    Ok(ExitCode::Ok)
}

/// What a configuration file may say: a key a line, with what it takes and what is meant without it. What only people read is
/// no part of it.
fn config_schema() -> String {
    let row = |key: &crate::config::keys::Key| {
        let default = key.default.unwrap_or("required");
        format!("{}\t{}\t{}\t{default}\n", key.section.header(), key.name, key.takes.describe())
    };
    KEYS.iter().map(row).collect()
}
