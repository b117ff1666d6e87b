//! The database, by a copy of it that this program opens as its next start would. The database itself is only read.

use super::super::progress;
use super::super::serve::examine_database;
use super::code::Code;
use super::findings::Findings;
use super::{Asked, scratch};
use crate::config::Config;
use crate::exit::Fatal;
use crate::real::DATABASE_NAME;
use crate::real::store::{Rehearsal, Rejected, Replayed, Source, StoreError, copy_closed, rehearse, room_to_rehearse};
use std::io::ErrorKind;
use std::path::Path;

/// When the newest event was, wall clock in ms, if there is a record that can be read. `is_held`: a daemon may be writing.
pub(super) fn look(config: &Config, is_held: bool, asked: &Asked<'_>, findings: &mut Findings) -> Option<i64> {
    let database = config.state_dir.join(DATABASE_NAME);
    if std::fs::metadata(&database).map_or(true, |metadata| metadata.len() == 0) {
        match examine_database(&config.state_dir) {
            Ok(()) => findings.add(Code::Database, format!("{} will be begun at the first start", database.display())),
            Err(fatal) => findings.refused(Code::DatabaseDamaged, &fatal),
        }
        return None;
    }
    let folder = match scratch::make(asked.scratch, room_to_rehearse(&database)) {
        Ok(folder) => folder,
        Err((code, text)) => {
            findings.add(code, text);
            return None;
        }
    };
    let copy = folder.path().join(DATABASE_NAME);
    let rehearsal = copy_to(&database, is_held, &copy).and_then(|()| {
        let progress =
            progress::line(asked.shows_progress, || "trying the next start on a copy of the database".to_owned());
        rehearse(&copy, &folder.path().join("rebuilt.db"), progress)
    });
    match rehearsal {
        Ok(rehearsal) => {
            tell(&database, &rehearsal, findings);
            rehearsal.newest_ms
        }
        Err(rejected) => {
            let (code, text) = why(&database, folder.path(), &rejected);
            findings.add(code, text);
            None
        }
    }
}

fn copy_to(database: &Path, is_held: bool, copy: &Path) -> Result<(), Rejected> {
    if !is_held && copy_closed(database, copy).map_err(|error| not_copied(&error))? {
        return Ok(());
    }
    // Somebody has it open, perhaps only just now: what the files hold is then for SQLite to say.
    for left in [copy.to_owned(), copy.with_extension("db-wal")] {
        let _ = std::fs::remove_file(left);
    }
    Ok(Source::open(database)?.copy_pages_to(copy)?)
}

fn not_copied(error: &std::io::Error) -> StoreError {
    let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    if full { StoreError::Full } else { StoreError::Transient(error.to_string()) }
}

fn tell(database: &Path, rehearsal: &Rehearsal, findings: &mut Findings) {
    let Rehearsal { found, then, min_writer, events, replayed, .. } = rehearsal;
    let followed = match replayed {
        Replayed::All => "its tables follow from its record".to_owned(),
        Replayed::Newest(events) => format!("its tasks are as its newest {events} events say"),
    };
    let shown = database.display();
    let version = if found < then {
        format!("schema {found}, of an older version; the next start brings it up to date, to schema {then}")
    } else {
        format!("schema {found}")
    };
    findings.add(Code::Database, format!("{shown}: up to event {events}, {version}; whole, and {followed}"));
    if found < then && min_writer > found {
        let text = format!(
            "{shown}: after the next start, programs that know no more than schema {found} can't write to it, and there is no way back to them: what is wrong with this one has to be mended forward"
        );
        findings.add(Code::DatabaseOneWay, text);
    }
}

fn why(database: &Path, scratch: &Path, rejected: &Rejected) -> (Code, String) {
    let shown = database.display();
    match rejected {
        Rejected::Unusable(StoreError::Full) => {
            let folder = scratch.parent().unwrap_or(scratch).display();
            (
                Code::ScratchFull,
                format!("{folder} filled up with the copy of the database: name another folder (--scratch)"),
            )
        }
        Rejected::Unusable(error) => {
            let Fatal { text, .. } = crate::run::fatal(error);
            (code_of(error), format!("{shown}: {text}"))
        }
        Rejected::Migration(error) => {
            let text = format!(
                "{shown}: failed to bring a copy of it up to date: failed to {error}; this program would not start, so stay with the one before, and please report it"
            );
            (Code::DatabaseMigration, text)
        }
        Rejected::Replay(why) => {
            let text = format!(
                "{shown}: its tables are not what follows from its record ({why}): somebody else wrote to it, or a program has a bug; keep a copy of the state directory, and restore a back-up"
            );
            (Code::DatabaseReplay, text)
        }
    }
}

fn code_of(error: &StoreError) -> Code {
    match error {
        StoreError::Full => Code::ScratchFull,
        StoreError::Newer { .. } => Code::DatabaseNewer,
        StoreError::Damaged(_) => Code::DatabaseDamaged,
        StoreError::Transient(_) | StoreError::Fenced { .. } | StoreError::Misfit(_) => Code::DatabaseUnusable,
    }
}
