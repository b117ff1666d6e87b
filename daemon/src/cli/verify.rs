//! `verify-log`: whether the record is what was recorded. Reads the database, whether the daemon runs or not.

use super::{Options, print};
use crate::exit::{ExitCode, Fatal};
use crate::offline::{database, line};
use crate::real::config_file;
use crate::real::store::{Store, StoreError, inspect_record};
use crate::report;
use clap::ArgMatches;
use serde_json::json;

/// What was found.
enum Found {
    Intact,
    /// The first event that is not what was recorded; what stands in its place, if anything does.
    Altered(i64, Option<String>),
    /// A fingerprint that was told before is not one of this record.
    Foreign(i64),
}

/// Proves the chain, and says where it breaks.
pub(super) fn verify_log(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let path = database(&config_file::state_dir(&options.config_path()?)?)?;
    let failed = |error: StoreError| crate::run::fatal(&error);
    let store = inspect_record(&path).map_err(failed)?;
    let found = look(&store, matches.get_one::<(i64, String)>("known")).map_err(failed)?;
    let events = store.events();
    let tip = store.hash_of(events).map_err(failed)?.unwrap_or_default();
    let fingerprint = format!("{events}:{}", hex(&tip));
    let (ok, text) = match &found {
        Found::Intact => (true, format!("intact: {events} events; fingerprint {fingerprint}")),
        Found::Altered(seq, Some(there)) => (
            false,
            format!(
                "event {seq} is not what was recorded; what stands there, or after it: {there}\nbefore it, the record is intact"
            ),
        ),
        Found::Altered(seq, None) => (false, format!("event {seq} is missing; before it, the record is intact")),
        Found::Foreign(seq) => (
            false,
            format!(
                "the record has another event {seq} than when that fingerprint was told, or none: it was cut off or replaced"
            ),
        ),
    };
    if options.json {
        let first = match found {
            Found::Intact => None,
            Found::Altered(seq, _) | Found::Foreign(seq) => Some(seq),
        };
        print(
            &json!({ "ok": ok, "events": events, "fingerprint": fingerprint, "first_altered": first, "text": text })
                .to_string(),
        );
    } else {
        print(&text);
    }
    Ok(if ok { ExitCode::Ok } else { ExitCode::DatabaseDamaged })
}

fn look(store: &Store, known: Option<&(i64, String)>) -> Result<Found, StoreError> {
    if let Some(seq) = store.verify(1)? {
        // What was altered may be no event any more.
        let there = store.event_from(seq).ok().flatten().map(|event| report::visible(&line(&event)));
        return Ok(Found::Altered(seq, there));
    }
    match known {
        Some((seq, hash)) if !store.hash_of(*seq)?.is_some_and(|there| hex(&there).starts_with(hash)) => {
            Ok(Found::Foreign(*seq))
        }
        Some(_) | None => Ok(Found::Intact),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
