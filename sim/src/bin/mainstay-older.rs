//! Makes of a database, that no daemon has open, what a program of another schema would have left. For drills.
//!
//! `--schema N`: an older one. The steps up to N are applied to an empty file, then each table gets the columns that it had
//! then. The record is taken over as it is, as its rows are the same in every schema. What an older program would not have
//! written into it is not looked for: whoever makes the database has to see to that.
//! `--marks V,R,W`: a newer one. Its schema says V, and the least schemas of who may read it and write to it say R and W.

use clap::{ArgGroup, Parser};
use rusqlite::{Connection, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The daemon's steps, from the first.
const STEPS: [&str; 5] = [
    include_str!("../../../daemon/migrations/1.sql"),
    include_str!("../../../daemon/migrations/2.sql"),
    include_str!("../../../daemon/migrations/3.sql"),
    include_str!("../../../daemon/migrations/4.sql"),
    include_str!("../../../daemon/migrations/5.sql"),
];
/// "Main" in ASCII, in the header of every database of the daemon.
const APPLICATION_ID: i32 = 0x4d61_696e;
/// Rows of `meta` that no program before the schema 4 had.
const SINCE_4: &str = "'pruned_through', 'clock_base'";

#[derive(Parser)]
#[command(
    about = "Makes of a database what a program of another schema would have left",
    after_help = "Example: mainstay-older state/mainstay.db --schema 3"
)]
#[command(group(ArgGroup::new("what").required(true)))]
struct Cli {
    /// The database's file
    database: PathBuf,
    /// As a program of this schema would have left it
    #[arg(long, group = "what", value_parser = clap::value_parser!(i64).range(1..=STEPS.len() as i64))]
    schema: Option<i64>,
    /// Its schema, and the least ones of who reads it and who writes to it
    #[arg(long, group = "what", value_name = "V,R,W", value_delimiter = ',')]
    marks: Vec<i64>,
}

fn main() -> ExitCode {
    let Cli { database, schema, marks } = Cli::parse();
    let made = match (schema, marks.as_slice()) {
        (Some(schema), _) => as_of(&database, schema),
        (None, [version, reader, writer]) => marked(&database, *version, *reader, *writer),
        (None, _) => Err("marks are three numbers".to_owned()),
    };
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mainstay-older: {}: {error}", database.display());
            ExitCode::FAILURE
        }
    }
}

/// Puts a database of an older schema in its place.
fn as_of(path: &Path, schema: i64) -> std::result::Result<(), String> {
    let older = path.with_extension("older");
    convert(path, &older, schema).map_err(|error| error.to_string())?;
    for end in ["db-wal", "db-shm"] {
        // There is none where the last one to close it has cleared up.
        let _ = std::fs::remove_file(path.with_extension(end));
    }
    std::fs::rename(older, path).map_err(|error| error.to_string())
}

fn convert(newer: &Path, older: &Path, schema: i64) -> Result<()> {
    let db = Connection::open(older)?;
    for step in (1..=schema).zip(STEPS).map(|(_, sql)| sql) {
        db.execute_batch(step)?;
    }
    db.execute("ATTACH ?1 AS newer", [newer.to_string_lossy()])?;
    for table in names(&db, "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")? {
        let columns = format!("SELECT format('\"%w\"', name) FROM pragma_table_info('{table}', 'main')");
        let columns = names(&db, &columns)?.join(", ");
        // The record takes nothing back, and there is nothing in it yet.
        if table != "events" {
            db.execute_batch(&format!("DELETE FROM main.{table}"))?;
        }
        db.execute_batch(&format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"))?;
    }
    if schema < 4 {
        db.execute_batch(&format!("DELETE FROM main.meta WHERE key IN ({SINCE_4})"))?;
    }
    db.execute_batch("DETACH newer")?;
    mark(&db, schema, schema, schema)?;
    db.close().map_err(|(_, error)| error)
}

fn marked(path: &Path, version: i64, reader: i64, writer: i64) -> std::result::Result<(), String> {
    let mark = || -> Result<()> {
        let db = Connection::open(path)?;
        mark(&db, version, reader, writer)?;
        db.close().map_err(|(_, error)| error)
    };
    mark().map_err(|error| error.to_string())
}

fn mark(db: &Connection, version: i64, reader: i64, writer: i64) -> Result<()> {
    db.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};
         INSERT INTO meta (key, value) VALUES ('min_reader', '{reader}'), ('min_writer', '{writer}')
         ON CONFLICT (key) DO UPDATE SET value = excluded.value;"
    ))
}

fn names(db: &Connection, sql: &str) -> Result<Vec<String>> {
    let mut statement = db.prepare(sql)?;
    statement.query_map([], |row| row.get(0))?.collect()
}
