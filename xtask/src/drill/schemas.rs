//! Databases of other schemas: every earlier one is gone on with, a newer one is used as far as it says so itself, and one that
//! may not be used is left as it is, to the byte.

use super::machine::Machine;
use super::round::Round;
use crate::kill::chance::{Kind, Plan, Via};
use crate::kill::lab::Step;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

/// The exit code for a database of a newer program.
const NEWER: i32 = 16;
/// A schema that no program has yet.
const FAR: i64 = 99;

/// Where the header of SQLite's file has it.
const USER_VERSION: usize = 60;

/// Its schema, and the least ones of who reads it and who writes to it.
pub(super) type Marks = [i64; 3];

/// The marks that the program's own databases have.
pub(super) fn as_it_is(machine: &Machine<'_>) -> Step<Marks> {
    let number = |name: &str| machine.goods().database[name].as_i64().ok_or(format!("facts have no {name}"));
    Ok([number("schema")?, number("min_reader")?, number("min_writer")?])
}

/// A database that says that its last migration is still to be made; it can't be made again.
pub(super) fn one_less(machine: &Machine<'_>) -> Step<Marks> {
    let [schema, reader, writer] = as_it_is(machine)?;
    Ok([schema - 1, reader, writer])
}

/// Puts marks on the machine's database.
pub(super) fn mark(machine: &Machine<'_>, marks: &Marks) -> Step {
    let marks = marks.map(|mark| mark.to_string()).join(",");
    older(machine, &["--marks", &marks])
}

fn older(machine: &Machine<'_>, args: &[&str]) -> Step {
    let mut command = Command::new(&machine.goods().older);
    let output = command.arg(machine.path("state/mainstay.db")).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("failed to start mainstay-older: {e}"))?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said()) }
}

/// A daemon works, and is killed; its database becomes one of an earlier schema, and it goes on with that. Then it is ended, and
/// the database becomes one of a newer program.
///
/// No release is switched to: that would be on record, and programs of earlier schemas knew no such event.
pub(super) fn play(round: &mut Round, machine: &mut Machine<'_>) -> Step {
    machine.put_in_place()?;
    machine.up()?;
    let held = round.ask_for_tasks(machine)?;
    let [newest, reader, writer] = as_it_is(machine)?;
    let schema = 1 + i64::try_from(round.nth).unwrap_or(0) % newest;
    round.seen.done = format!("schema {schema}");

    machine.moment(&format!("as of schema {schema}"));
    machine.down(Signal::KILL)?;
    older(machine, &["--schema", &schema.to_string()])?;
    machine.up()?;
    round.see_spans();

    machine.moment("far newer");
    machine.down(Signal::TERM)?;
    let version = version(machine)?;
    note(round, format!("schema {schema} became {version}, and not {newest}"), version == newest);
    mark(machine, &[FAR, FAR, FAR])?;
    let before = database(machine)?;
    let code = machine.play.lab.run(&["run"])?.status.code();
    note(round, format!("a daemon went on with what it may not use, and ended with {code:?}"), code == Some(NEWER));
    note(round, "a database that may not be used was changed".into(), database(machine)? == before);

    machine.moment("newer, and open to it");
    mark(machine, &[FAR, reader, writer])?;
    machine.up()?;
    let after = machine.wish(Plan { kind: Kind::Once, via: Via::Socket, does: "for 0.010 0".into(), code: 0 });
    round.let_go(machine, &held)?;
    let ran = machine.until("a task on a newer database", |machine| {
        let task = machine.play.wishes.open[after].wish.task;
        machine.play.lab.chat.told.iter().any(|told| Some(told.task) == task)
    });
    note(round, "on a newer database that lets it, no task came to its end".into(), ran.is_ok());
    ran
}

fn note(round: &mut Round, wrong: String, held: bool) {
    round.seen.schemas.push((wrong, held));
}

/// The bytes of the database and its log.
fn database(machine: &Machine<'_>) -> Step<BTreeMap<String, Vec<u8>>> {
    let names = ["mainstay.db", "mainstay.db-wal"];
    let read = |name: &&str| Some(((*name).to_owned(), fs::read(machine.path("state").join(name)).ok()?));
    let files: BTreeMap<_, _> = names.iter().filter_map(read).collect();
    if files.is_empty() { Err("there is no database".into()) } else { Ok(files) }
}

/// The schema that stands in the header of a database that nobody has open.
fn version(machine: &Machine<'_>) -> Step<i64> {
    let files = database(machine)?;
    let field = files.get("mainstay.db").and_then(|bytes| bytes.get(USER_VERSION..USER_VERSION + 4));
    let field: [u8; 4] = field.and_then(|field| field.try_into().ok()).ok_or("the database has no header")?;
    Ok(i64::from(i32::from_be_bytes(field)))
}
