//! `restore`: a back-up in the place of the database, while no daemon runs. Nothing is removed, and nothing runs by itself
//! afterwards: the copy is marked, and the daemon that starts next holds what was open in it.
//!
//! Two halves: [`Plan`] looks and changes nothing, [`carry_out`] changes.

use super::progress::{self, mib};
use super::verify::fingerprint;
use super::{Options, print};
use crate::exit::{ExitCode, Fatal};
use crate::id::AttemptKey;
use crate::policy;
use crate::real::backups;
use crate::real::clock::wall_ms;
use crate::real::config_file;
use crate::real::lock::StateLock;
use crate::real::restores::Exchange;
use crate::real::store::{FileStorage, Kinship, Replaced, Source, Store, StoreError, inspect_record, read_back};
use crate::report;
use clap::ArgMatches;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Tells what would be, or does it.
pub(super) fn restore(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let state_dir = config_file::state_dir(&options.config_path()?)?;
    let file = matches.get_one::<PathBuf>("backup").map_or(Path::new(""), PathBuf::as_path);
    let file = std::path::absolute(file).map_err(|e| Fatal::new(ExitCode::Usage, format!("no such file: {e}")))?;
    let does = matches.get_flag("yes");
    // Only to look at it nobody has to be stopped, and nothing is made.
    let lock = if does { Some(StateLock::take(&state_dir).map_err(stop_first)?) } else { None };
    let exchange = Exchange::plan(&state_dir, wall_ms()).map_err(|e| failed("look at", &state_dir, &e))?;
    if does {
        exchange.go_on().map_err(|e| failed("go on in", &state_dir, &e))?;
    }
    let mut plan = Plan::make(&file, exchange, matches.get_flag("another-record"))?;
    if does {
        carry_out(&mut plan, &state_dir, progress::shows(options))?;
    }
    drop(lock);
    if options.json {
        print(&plan.data(does).to_string());
    } else {
        print(&plan.text(does));
    }
    Ok(if does { ExitCode::Ok } else { ExitCode::Refused })
}

fn stop_first(fatal: Fatal) -> Fatal {
    let first = if fatal.code == ExitCode::AlreadyRunning { ": stop it first (systemctl stop mainstay)" } else { "" };
    Fatal::new(fatal.code, format!("{}{first}; nothing was changed", fatal.text))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Fatal {
    let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
    let code = if full { ExitCode::DiskFull } else { ExitCode::Refused };
    Fatal::new(code, format!("can't {what} {}: {error}", path.display()))
}

/// What would be done, and to what.
struct Plan {
    file: PathBuf,
    source: Source,
    fingerprint: String,
    /// Wall clock of the back-up's last event, ms.
    last_ms: i64,
    /// Tasks that waited, and that ran.
    waiting: usize,
    running: i64,
    /// Its attempts.
    known: BTreeSet<AttemptKey>,
    /// Attempts on this machine that it does not know, with whether their shim lives.
    later: BTreeSet<(AttemptKey, bool)>,
    /// Of the database that is there, as far as it can be read.
    replaced: Option<Replaced>,
    /// Why that can't be read, or how it differs.
    remark: Option<String>,
    exchange: Exchange,
}

impl Plan {
    fn make(file: &Path, exchange: Exchange, another: bool) -> Result<Plan, Fatal> {
        if !file.is_file() {
            let text = format!("there is no back-up {}: `ls` where back-ups are kept", file.display());
            return Err(Fatal::new(ExitCode::Refused, text));
        }
        let bad = |error: StoreError| bad_backup(file, &error);
        let source = Source::open(file).map_err(bad)?;
        let record = source.record();
        let known = record.attempts().map_err(bad)?;
        let later = exchange.later_attempts(&known).map_err(|e| failed("list", &exchange.aside(), &e))?;
        let (replaced, remark) = look_at_present(&exchange, record, another)?;
        Ok(Plan {
            fingerprint: fingerprint(record).map_err(bad)?,
            last_ms: record.last_at().map_err(bad)?.unwrap_or(0),
            waiting: record.waiting().map_err(bad)?.len(),
            running: record.count_running().map_err(bad)?,
            file: file.to_owned(),
            source,
            known,
            later,
            replaced,
            remark,
            exchange,
        })
    }

    /// Attempts that the daemon will find alive, and kill.
    fn alive(&self) -> Vec<String> {
        self.later.iter().filter(|(_, alive)| *alive).map(|(key, _)| key.to_string()).collect()
    }

    fn text(&self, done: bool) -> String {
        let through = self.source.record().events();
        let mut lines = vec![format!(
            "{}: up to event {through} of {}; fingerprint {}",
            self.file.display(),
            report::utc(self.last_ms),
            self.fingerprint
        )];
        lines.extend(self.remark.clone());
        if self.exchange.replaced().is_some() || done {
            let is = if done { "is" } else { "would be" };
            lines.push(format!("the database that was there {is} kept as {}", self.exchange.aside().display()));
        }
        lines.push(format!(
            "{} task(s) waited then: they are held, until somebody says /recover; {} ran: their receipts tell how they ended, \
             and none is tried again by itself",
            self.waiting, self.running
        ));
        let alive = self.alive();
        if !alive.is_empty() {
            let all = alive.join(", ");
            lines.push(format!("attempts that began later run still, and are killed when the daemon starts: {all}"));
        }
        lines.push(if done {
            "restored: start the daemon (systemctl start mainstay)".into()
        } else {
            "nothing was changed: stop the daemon, then say the same with --yes".into()
        });
        lines.join("\n")
    }

    fn data(&self, done: bool) -> Value {
        json!({
            "done": done,
            "file": self.file.display().to_string(),
            "events": self.source.record().events(),
            "fingerprint": self.fingerprint,
            "replaced_events": self.replaced.as_ref().map(|replaced| replaced.events),
            "set_aside": self.exchange.aside().display().to_string(),
            "waiting": self.waiting,
            "running": self.running,
            "later_alive": self.alive(),
            "remark": self.remark,
        })
    }
}

/// What has to be carried over from the database that is there. It is refused when that is another record; one that can't be
/// read is what back-ups are for.
fn look_at_present(
    exchange: &Exchange,
    backup: &Store,
    another: bool,
) -> Result<(Option<Replaced>, Option<String>), Fatal> {
    let Some(path) = exchange.replaced() else { return Ok((None, None)) };
    let looked = inspect_record(&path).and_then(|present| Ok((present.replaced()?, present.kinship(backup)?)));
    let (replaced, kinship) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            let text = format!(
                "the database that is there can't be read (failed to {error}): what Telegram was told to have been taken up is not known, so its last messages may come again"
            );
            return Ok((None, Some(text)));
        }
    };
    let lost = replaced.events - backup.events();
    let remark = match kinship {
        Kinship::Same if lost > 0 => format!("{lost} event(s) that came after it are not known any more"),
        Kinship::Same => "nothing came after it".to_owned(),
        Kinship::Parted => "its record and that of the database that is there part before its end".to_owned(),
        Kinship::Foreign | Kinship::Untold if another => {
            // Numbers of another record mean nothing in this one.
            return Ok((None, Some("it is of another record than the database that is there".to_owned())));
        }
        Kinship::Foreign => {
            let text = format!(
                "the back-up is of another record than {}: see that it is this machine's; if it is meant, say --another-record",
                path.display()
            );
            return Err(Fatal::new(ExitCode::Refused, text));
        }
        Kinship::Untold => {
            let text = format!(
                "whether the back-up is of the same record as {} can't be told, as no event is left in both; if it is meant, say --another-record",
                path.display()
            );
            return Err(Fatal::new(ExitCode::Refused, text));
        }
    };
    Ok((Some(replaced), Some(remark)))
}

fn bad_backup(file: &Path, error: &StoreError) -> Fatal {
    let fatal = crate::run::fatal(error);
    let advice = match error {
        StoreError::Newer { .. } => "restore it with the newer version's program",
        StoreError::Damaged(_) => "take another back-up",
        StoreError::Transient(_) | StoreError::Full | StoreError::Fenced { .. } | StoreError::Misfit(_) => {
            "see owner, mode and disk"
        }
    };
    Fatal::new(fatal.code, format!("{} is of no use: failed to {error}; {advice}; nothing was changed", file.display()))
}

/// Puts it in its place, once a copy of it was verified.
fn carry_out(plan: &mut Plan, state_dir: &Path, shows: bool) -> Result<(), Fatal> {
    copy(plan, state_dir, shows).inspect_err(|_| plan.exchange.give_up_copy())?;
    plan.exchange.carry_out(&plan.known).map_err(|error| {
        let text = format!(
            "the back-up could not be put in place in {}: {error}; mend that, then give the same command again",
            state_dir.display()
        );
        Fatal::new(ExitCode::Refused, text)
    })
}

/// Copies it, verifies the copy from end to end, and marks it.
fn copy(plan: &mut Plan, state_dir: &Path, shows: bool) -> Result<(), Fatal> {
    let bad = |error: StoreError| bad_backup(&plan.file, &error);
    let expected = plan.source.bytes().map_err(bad)?;
    see_room(state_dir, expected)?;
    let copy = plan.exchange.begin_copy().map_err(|e| failed("write to", state_dir, &e))?;
    let Some(name) = copy.to_str() else {
        return Err(Fatal::new(ExitCode::Usage, format!("{} is no UTF-8 text", copy.display())));
    };
    plan.source.copy_to(name, progress::line(shows, move || format!("copying {}", mib(expected)))).map_err(bad)?;
    let verified = read_back(&copy, progress::line(shows, move || format!("reading {} back", mib(expected))));
    verified.and_then(|verified| plan.source.is_in(&verified)).map_err(bad)?;
    let mut marked = Store::open(&FileStorage::new(copy)).map_err(bad)?;
    marked.mark_restored(&plan.file.display().to_string(), plan.replaced.as_ref()).map_err(bad)?;
    // Closed, it holds all in one file.
    drop(marked);
    Ok(())
}

fn see_room(state_dir: &Path, expected: u64) -> Result<(), Fatal> {
    let needed = expected + policy::DISK_RESERVE_BYTES;
    match backups::room(state_dir, state_dir).0 {
        Some(free) if free < needed => {
            let text = format!(
                "there is no room for the back-up in {}: {} are free, {} are needed; make room; nothing was changed",
                state_dir.display(),
                mib(free),
                mib(needed)
            );
            Err(Fatal::new(ExitCode::DiskFull, text))
        }
        Some(_) | None => Ok(()),
    }
}
