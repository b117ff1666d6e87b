//! The steps that lead to the present schema, and who may use a database of another one.

use super::{Result, StoreError};
use rusqlite::Connection;

/// "Main" in ASCII, in the database's header: tells our file from any other.
pub(super) const APPLICATION_ID: i32 = 0x4d61_696e;
/// One file a step; a step is never edited once released.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/1.sql"),
    include_str!("../../../migrations/2.sql"),
    include_str!("../../../migrations/3.sql"),
    include_str!("../../../migrations/4.sql"),
    include_str!("../../../migrations/5.sql"),
];
/// The schema that this program writes: how many steps lead to it.
pub const SCHEMA: i64 = MIGRATIONS.len() as i64;
/// Written for older programs, so that a rollback can go on with a newer database: the least schema version that who reads
/// it, and who writes to it, must know. Raised with a migration, for what an older program would misread: a new kind of
/// event, a new value in an old field, a field left out that it can't do without.
pub const MIN_READER: i64 = 5;
/// The same for who writes to it.
pub const MIN_WRITER: i64 = 5;

/// A newer database says in its `meta` who may still read or write it; one that does not say so is for its equals.
pub(super) fn check_version(db: &Connection, needs: &str) -> Result<()> {
    let known = SCHEMA;
    let found: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    let least = || least(db, needs).unwrap_or(found);
    if found > known && least() > known { Err(StoreError::Newer { found, known }) } else { Ok(()) }
}

/// The least schema that a program must know, by what the database says.
pub(super) fn least(db: &Connection, needs: &str) -> Option<i64> {
    let value = db.query_row("SELECT value FROM meta WHERE key = ?1", [needs], |r| r.get::<_, String>(0));
    value.ok()?.parse().ok()
}

pub(super) fn migrate(db: &Connection) -> Result<()> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    for (step, sql) in (1_i64..).zip(MIGRATIONS).filter(|(step, _)| *step > version) {
        db.execute_batch(&format!(
            "BEGIN IMMEDIATE; {sql}
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {step};
             INSERT INTO meta (key, value) VALUES ('min_reader', '{MIN_READER}'), ('min_writer', '{MIN_WRITER}')
             ON CONFLICT (key) DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER)); COMMIT;"
        ))
        .inspect_err(|_| {
            let _ = db.execute_batch("ROLLBACK");
        })?;
    }
    Ok(())
}
