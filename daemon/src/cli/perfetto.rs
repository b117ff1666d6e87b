//! `trace --perfetto`: a task's events to a file for a trace viewer.

use super::{Options, print};
use crate::event::Recorded;
use crate::exit::{ExitCode, Fatal};
use crate::ports::Answer;
use crate::real::clock::wall_ms;
use crate::report;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::File;
use std::io::{Error, Write};
use std::path::Path;

/// Writes what `trace` answered to `file`, whole or not at all; `-` is standard output. A file that is there stays.
///
/// # Errors
/// The file is there, or can't be written.
pub(super) fn write(answer: &Answer, file: &Path, options: &Options) -> Result<ExitCode, Fatal> {
    let events: Vec<Recorded> = serde_json::from_value(answer.data["events"].clone())
        .map_err(|error| Fatal::new(ExitCode::Internal, format!("can't read the events of the daemon: {error}")))?;
    if events.is_empty() {
        return Err(Fatal::new(ExitCode::Refused, format!("there is nothing to draw: {}", answer.text)));
    }
    if !answer.data["removed"].is_null() {
        options.remark("the beginning of this was removed from the record, and is not drawn");
    }
    let task = answer.data["task_id"].as_i64().unwrap_or_default();
    let trace = report::perfetto(task, &events, wall_ms()).to_string();
    if file == Path::new("-") {
        print(&trace);
        return Ok(ExitCode::Ok);
    }
    write_new(file, &trace).map_err(|error| {
        Fatal::new(ExitCode::Refused, format!("can't write {}: {error}; no file was changed", file.display()))
    })?;
    options.remark(&format!("{} events are in {}: open it at https://ui.perfetto.dev", events.len(), file.display()));
    Ok(ExitCode::Ok)
}

/// Under another name first, so that nobody finds half of it.
fn write_new(file: &Path, text: &str) -> std::io::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = Path::new(&unfinished);
    let written = File::create_new(unfinished)?
        .write_all(text.as_bytes())
        .and_then(|()| renameat_with(CWD, unfinished, CWD, file, RenameFlags::NOREPLACE).map_err(Error::from));
    if written.is_err() {
        let _ = std::fs::remove_file(unfinished);
    }
    written
}
