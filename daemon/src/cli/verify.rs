//! `verify-log`: whether the record is what was recorded. Reads the database, whether the daemon runs or not.

use super::{Options, print};
use crate::exit::{ExitCode, Fatal};
use crate::hex::hex;
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
    /// The event of that fingerprint was removed, so nothing can be said of it.
    Unknown(i64),
}

/// Proves the chain, and says where it breaks.
pub(super) fn verify_log(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let path = database(&config_file::state_dir(&options.config_path()?)?)?;
    let failed = |error: StoreError| crate::run::fatal(&error);
    let store = inspect_record(&path).map_err(failed)?;
    let found = look(&store, matches.get_one::<(i64, String)>("known")).map_err(failed)?;
    let events = store.events();
    let fingerprint = fingerprint(&store).map_err(failed)?;
    let removed = store.removed().map_err(failed)?;
    let first = store.event_from(1).ok().flatten().map_or(1, |event| event.seq);
    let (ok, text) = match &found {
        Found::Intact => match &removed {
            None => (true, format!("intact: {events} events; fingerprint {fingerprint}")),
            Some(removed) => {
                let before = report::removed(removed);
                (true, format!("intact: events {first} to {events}; fingerprint {fingerprint}\nbefore that, {before}"))
            }
        },
        Found::Unknown(seq) => {
            let before = removed.as_ref().map(report::removed).unwrap_or_default();
            (
                false,
                format!(
                    "intact: events {first} to {events}; but whether it contains event {seq} of that fingerprint can't be told: {before}\nfingerprint {fingerprint}"
                ),
            )
        }
        Found::Altered(seq, Some(_)) if *seq == 1 && first > 1 && removed.is_none() => {
            let end = first - 1;
            (
                false,
                format!("the beginning is missing: events 1 to {end} are gone, and no event tells of their removal"),
            )
        }
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
        let altered = match &found {
            Found::Intact | Found::Unknown(_) => None,
            Found::Altered(seq, _) | Found::Foreign(seq) => Some(*seq),
        };
        print(
            &json!({
                "ok": ok,
                "events": events,
                "fingerprint": fingerprint,
                "first_altered": altered,
                "removed": report::removed_data(removed.as_ref()),
                "text": text,
            })
            .to_string(),
        );
    } else {
        print(&text);
    }
    Ok(match found {
        Found::Intact => ExitCode::Ok,
        Found::Unknown(_) => ExitCode::Refused,
        Found::Altered(..) | Found::Foreign(_) => ExitCode::DatabaseDamaged,
    })
}

fn look(store: &Store, known: Option<&(i64, String)>) -> Result<Found, StoreError> {
    if let Some(seq) = store.verify(1)? {
        // What was altered may be no event any more.
        let there = store.event_from(seq).ok().flatten().map(|event| report::visible(&line(&event)));
        return Ok(Found::Altered(seq, there));
    }
    let removed = store.removed()?;
    match known {
        // Of the last one that was removed the hash is there.
        Some((seq, hash)) if removed.as_ref().is_some_and(|removed| *seq == removed.through) => {
            let same = removed.is_some_and(|removed| removed.hash.starts_with(hash));
            Ok(if same { Found::Intact } else { Found::Foreign(*seq) })
        }
        Some((seq, _)) if removed.is_some_and(|removed| *seq < removed.through) => Ok(Found::Unknown(*seq)),
        Some((seq, hash)) if !store.hash_of(*seq)?.is_some_and(|there| hex(&there).starts_with(hash)) => {
            Ok(Found::Foreign(*seq))
        }
        Some(_) | None => Ok(Found::Intact),
    }
}

/// What says which record this is, up to its last event: `1204:9f86d0...`.
pub(super) fn fingerprint(store: &Store) -> Result<String, StoreError> {
    let events = store.events();
    Ok(format!("{events}:{}", hex(&store.hash_of(events)?.unwrap_or_default())))
}
