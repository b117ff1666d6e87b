//! Answers from the database alone: for questions while no daemon runs, and for `logs` always.

use crate::command::parse_argv;
use crate::config::Config;
use crate::decide::order::{Asker, carry_out};
use crate::decide::{Draft, Moment};
use crate::event::{Recorded, SCHEMA, Versioned};
use crate::exit::{ExitCode, Fatal};
use crate::id::Actor;
use crate::input::ReplyTo;
use crate::plan::Effect;
use crate::ports::{Answer, Storage};
use crate::real::store::{FileStorage, LogFilter, Store, StoreError, inspect, inspect_record};
use crate::real::{ARCHIVE_NAME, ATTEMPTS_NAME, DATABASE_NAME, clock, runner, secrets};
use crate::report;
use std::path::{Path, PathBuf};

/// Where the database is.
///
/// # Errors
/// There is none.
pub(crate) fn database(state_dir: &Path) -> Result<PathBuf, Fatal> {
    let path = state_dir.join(DATABASE_NAME);
    if path.exists() {
        return Ok(path);
    }
    let text = format!("there is no database in {} yet: start the daemon with `mainstay run`", state_dir.display());
    Err(Fatal::new(ExitCode::DaemonNotRunning, text))
}

/// Answers a command that only looks; also `logs`, whose `argv` is `logs --last N`, then any of `--task ID`, `--trace ID`,
/// `--kind KIND`, `--since-ms MS` (wall clock), `--after SEQ`, and whose `data` is a list of events with their `seq`, oldest
/// first, one line of `text` each.
///
/// # Errors
/// There is no database, or it can't be read.
pub fn answer(config: &Config, argv: &[String]) -> Result<Answer, Fatal> {
    let path = database(&config.state_dir)?;
    if argv.first().is_some_and(|name| name == "logs") {
        return logs(&inspect_record(&path).map_err(|e| crate::run::fatal(&e))?, argv);
    }
    let store = inspect(&path).map_err(|e| crate::run::fatal(&e))?;
    let said = |text: String| Answer { ok: false, data: serde_json::json!({ "error": text }), text };
    let command = match parse_argv(argv) {
        Ok(command) if command.is_read() => command,
        Ok(command) => return Ok(said(format!("{} needs the daemon: start it with `mainstay run`", command.name()))),
        Err(error) => return Ok(said(error.text)),
    };
    let clock = clock::SystemClock::new().map_err(|e| Fatal::new(ExitCode::Internal, e.to_string()))?;
    let now = crate::ports::Time::now(&clock);
    let now = Moment { wall_ms: now.wall_ms, boot_ms: now.boot_ms, entropy: 0 };
    let mut view = store.view().map_err(|e| crate::run::fatal(&e))?;
    view.offline = true;
    crate::ports::Time::boot_id(&clock).clone_into(&mut view.boot);
    view.free_bytes = Storage::free_bytes(&FileStorage::new(path));
    store.load_command(&mut view, &command, now.wall_ms).map_err(|e| crate::run::fatal(&e))?;
    let actor = config.person(Actor::Local(rustix::process::getuid().as_raw()));
    let asker = Asker { actor, to: ReplyTo::Local { connection: 0 } };
    let mut draft = Draft::new(config, &view, now);
    let said = match carry_out(&mut draft, asker, &command) {
        Some(said) => said,
        None => read_log(config, draft),
    };
    Ok(Answer { ok: said.ok, text: report::visible(&said.text), data: said.data })
}

/// `/log` is answered by an effect, the only one that reads.
fn read_log(config: &Config, draft: Draft<'_>) -> crate::decide::Said {
    let effect = draft.done().effects.pop();
    let Some(Effect::ReadLog { key, lines, to }) = effect else {
        return crate::decide::Said::no("that needs the daemon");
    };
    let folders = (config.state_dir.join(ATTEMPTS_NAME), config.state_dir.join(ARCHIVE_NAME));
    let runner = match runner::LocalRunner::to_read(&folders.0, &folders.1) {
        Ok(runner) => runner,
        Err(error) => return crate::decide::Said::no(format!("the attempts can't be read: {error}")),
    };
    // The daemon's environment is not ours: what is secret in ours is all that can be known here.
    let secrets = secrets::of(config, None);
    let clean = |text: String| secrets.clean(&text).into_owned();
    report::log(key, &crate::perform::read_log(&runner, key, lines).map(clean), to)
}

/// An event on one line.
pub(crate) fn line(event: &Recorded) -> String {
    let task = event.task.map_or_else(String::new, |t| format!(" #{t}"));
    let (at, fact) = (report::utc(event.at), &event.fact);
    format!("{} {at} {}{task} {} {}", event.seq, fact.kind(), event.actor, fact.data())
}

/// That events of the task in question are gone, if they are.
fn of_task(store: &Store, filter: &LogFilter) -> Result<Option<String>, StoreError> {
    let id = match (filter.task, &filter.trace) {
        (Some(id), _) => Some(id),
        (None, Some(trace)) => store.task_of(trace)?,
        (None, None) => None,
    };
    let Some(id) = id else { return Ok(None) };
    let removed = store.removed()?.filter(|_| store.newest_task() >= id);
    Ok(report::beginning_removed(&store.events_of(id)?, removed.as_ref()))
}

fn logs(store: &Store, argv: &[String]) -> Result<Answer, Fatal> {
    let mut filter = LogFilter { last: 50, ..LogFilter::default() };
    for pair in argv[1..].chunks(2) {
        let [name, value] = pair else {
            return Err(Fatal::new(ExitCode::Usage, format!("{:?} needs a value", pair[0])));
        };
        let bad = |_| Fatal::new(ExitCode::Usage, format!("{name} can't be {value:?}"));
        match name.as_str() {
            "--last" => filter.last = value.parse().map_err(bad)?,
            "--task" => filter.task = Some(value.parse().map_err(bad)?),
            "--after" => filter.after = Some(value.parse().map_err(bad)?),
            "--since-ms" => filter.since_ms = Some(value.parse().map_err(bad)?),
            "--trace" => filter.trace = Some(value.clone()),
            "--kind" => filter.kind = Some(value.clone()),
            _ => return Err(Fatal::new(ExitCode::Usage, format!("logs has no {name}"))),
        }
    }
    let events = store.logs(&filter).map_err(|e| crate::run::fatal(&e))?;
    let mut lines: Vec<String> = events.iter().map(line).collect();
    if filter.after.is_none() {
        lines.splice(0..0, of_task(store, &filter).map_err(|e| crate::run::fatal(&e))?);
    }
    let versioned: Vec<Versioned<'_>> = events.iter().map(|event| Versioned { v: SCHEMA, event }).collect();
    let data = serde_json::to_value(&versioned).map_err(|e| Fatal::new(ExitCode::Internal, e.to_string()))?;
    Ok(Answer { ok: true, text: report::visible(&lines.join("\n")), data })
}
