//! `backup`: a verified copy of the database in a file of its own, whether the daemon runs or not.
//!
//! The copy is made here, beside the daemon: it would not answer for as long as that takes. It is told what came of it, so
//! that its record knows.

use super::client::{Client, Unanswered, fresh_key};
use super::progress::{self, mib};
use super::verify::fingerprint;
use super::{Options, as_owner, print};
use crate::command::BackupResult;
use crate::exit::{ExitCode, Fatal};
use crate::offline::database;
use crate::policy;
use crate::real::backups::{self, BACKUPS_NAME, Unfinished};
use crate::real::clock::wall_ms;
use crate::real::complain::complain;
use crate::real::config_file;
use crate::real::store::{Source, StoreError, read_back};
use clap::ArgMatches;
use serde_json::json;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A back-up that is there.
struct Made {
    file: PathBuf,
    bytes: u64,
    events: i64,
    fingerprint: String,
}

/// Makes one, removes the oldest, and tells the daemon.
pub(super) fn backup(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let state_dir = config_file::state_dir(&options.config_path()?)?;
    as_owner::of(&state_dir, matches.get_one::<PathBuf>("to").map(PathBuf::as_path))?;
    let database = database(&state_dir)?;
    let keep = matches.get_one::<u32>("keep").copied().unwrap_or(policy::BACKUPS_KEPT);
    let place = Place { to: folder(matches, &state_dir)?, state_dir: &state_dir, shows: progress::shows(options) };
    let made = match place.begin() {
        // It is no failure of this machine's back-ups: one is being made.
        Ok(None) => {
            let text = format!("another back-up is being written to {}: nothing was done", place.to.display());
            return Err(Fatal::new(ExitCode::Refused, text));
        }
        Ok(Some(unfinished)) => place.make(&database, unfinished),
        Err(fatal) => Err(fatal),
    };
    let mut client = Client::new(&state_dir);
    let made = match made {
        Ok(made) => made,
        Err(fatal) => {
            let error = fatal.text.clone();
            match tell(&mut client, &BackupResult::Failed { error }) {
                Ok(true) => {}
                Ok(false) => options.remark("the daemon is not running: this failure is not on record"),
                Err(why) => options.remark(&format!("this failure is not on record: {}", why.text)),
            }
            return Err(fatal);
        }
    };
    let rotated = backups::rotate(&made.file, usize::try_from(keep).unwrap_or(usize::MAX));
    let file = made.file.display().to_string();
    let told = tell(&mut client, &BackupResult::Made { file, bytes: made.bytes, events: made.events });
    report(&made, rotated, told, options)
}

/// The folder to write to. One that was named has to be there: what is to be mounted there may be missing.
fn folder(matches: &ArgMatches, state_dir: &Path) -> Result<PathBuf, Fatal> {
    let named = matches.get_one::<PathBuf>("to");
    let to = std::path::absolute(named.unwrap_or(&state_dir.join(BACKUPS_NAME)));
    let to = to.map_err(|e| Fatal::new(ExitCode::Usage, format!("there is no such folder: {e}")))?;
    if to.to_str().is_none() {
        return Err(Fatal::new(ExitCode::Usage, format!("{} is no UTF-8 text: name another folder", to.display())));
    }
    Ok(to)
}

/// Where to, and for whom.
struct Place<'a> {
    to: PathBuf,
    state_dir: &'a Path,
    shows: bool,
}

impl Place<'_> {
    fn begin(&self) -> Result<Option<Unfinished>, Fatal> {
        if self.to == self.state_dir.join(BACKUPS_NAME) {
            backups::make(&self.to).map_err(|e| self.unusable("make", &e))?;
        }
        Unfinished::begin(&self.to).map_err(|e| self.unusable("write to", &e))
    }

    fn make(&self, database: &Path, unfinished: Unfinished) -> Result<Made, Fatal> {
        let mut source = Source::open(database).map_err(|e| read_failed(database, &e))?;
        let expected = source.bytes().map_err(|e| read_failed(database, &e))?;
        self.see_room(expected)?;
        let path = unfinished.path().to_owned();
        let text = path.to_str().unwrap_or_default();
        let written = path.clone();
        let copied = move || {
            let written = std::fs::metadata(&written).map_or(0, |metadata| metadata.len());
            format!("copied {} of {}", mib(written), mib(expected))
        };
        source.copy_to(text, progress::line(self.shows, copied)).map_err(|error| {
            if matches!(error, StoreError::Full) { self.full() } else { read_failed(database, &error) }
        })?;
        unfinished.sync().map_err(|e| self.unusable("write to", &e))?;
        let verified = self.verify(&path, expected, &source);
        let (events, fingerprint) = verified.map_err(|error| self.bad_copy(database, &mut source, &error))?;
        let (file, bytes) = unfinished.finish(wall_ms(), events).map_err(|e| self.unusable("write to", &e))?;
        Ok(Made { file, bytes, events, fingerprint })
    }

    /// The copy's last event and its fingerprint, if it is whole and one of this database.
    fn verify(&self, file: &Path, expected: u64, source: &Source) -> Result<(i64, String), StoreError> {
        let copy = read_back(file, progress::line(self.shows, move || format!("reading {} back", mib(expected))))?;
        source.is_in(&copy)?;
        Ok((copy.events(), fingerprint(&copy)?))
    }

    /// A back-up that fills the disk would end what it is made for.
    fn see_room(&self, expected: u64) -> Result<(), Fatal> {
        let (free, beside_state) = backups::room(&self.to, self.state_dir);
        let reserve = if beside_state { policy::DISK_RESERVE_BYTES } else { 0 };
        let needed = expected + reserve;
        match free {
            Some(free) if free < needed => {
                let why =
                    if reserve > 0 { format!(", of which {} stay in reserve", mib(reserve)) } else { String::new() };
                let text = format!(
                    "there is no room for a back-up in {}: {} are free, {} are needed{why}; make room (remove old ones, if need be) or write elsewhere (--to)",
                    self.to.display(),
                    mib(free),
                    mib(needed)
                );
                Err(Fatal::new(ExitCode::DiskFull, text))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn full(&self) -> Fatal {
        let text = format!("the disk of {} filled up: make room, or write elsewhere (--to)", self.to.display());
        Fatal::new(ExitCode::DiskFull, text)
    }

    fn unusable(&self, what: &str, error: &std::io::Error) -> Fatal {
        if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            return self.full();
        }
        let text = format!("can't {what} {}: {error}; check that it is there, mounted, and yours", self.to.display());
        Fatal::new(ExitCode::Refused, text)
    }

    /// What was read back is not whole: because the database is not, or because the copy's disk lost something.
    fn bad_copy(&self, database: &Path, source: &mut Source, error: &StoreError) -> Fatal {
        let progress = progress::line(self.shows, || "the copy is not whole: reading the database itself".to_owned());
        match source.verify(progress) {
            Err(own @ StoreError::Damaged(_)) => read_failed(database, &own),
            Ok(()) | Err(_) => {
                let text = format!(
                    "the copy in {} could not be verified and was removed: failed to {error}; check that disk, or write elsewhere (--to)",
                    self.to.display()
                );
                Fatal::new(ExitCode::Refused, text)
            }
        }
    }
}

fn read_failed(database: &Path, error: &StoreError) -> Fatal {
    let shown = database.display();
    match error {
        StoreError::Damaged(why) => Fatal::new(
            ExitCode::DatabaseDamaged,
            format!(
                "the database is damaged ({shown}: {why}): nothing was backed up, the back-ups made before are as they were; `mainstay verify-log` says more; OPERATIONS.md tells how to restore one"
            ),
        ),
        StoreError::Newer { .. } => crate::run::fatal(error),
        other @ (StoreError::Transient(_) | StoreError::Full | StoreError::Fenced { .. } | StoreError::Misfit(_)) => {
            let text =
                format!("failed to {other} ({shown}): nothing was backed up; see that both disks work, then try again");
            Fatal::new(ExitCode::Refused, text)
        }
    }
}

/// Puts it on record; false when there is no daemon that could.
fn tell(client: &mut Client, result: &BackupResult) -> Result<bool, Fatal> {
    let argv = ["backup".to_owned(), serde_json::to_string(result).expect("text and numbers are JSON")];
    match client.ask(&fresh_key(), &argv) {
        Ok(answer) if answer.data["error"] == "not_permitted" => Err(client.not_permitted()),
        Ok(answer) if answer.ok => Ok(true),
        Ok(answer) => Err(Fatal::new(ExitCode::Refused, answer.text)),
        Err(Unanswered::NotRunning) => Ok(false),
        Err(unanswered) => Err(client.fatal(&unanswered)),
    }
}

/// The back-up is there: says so, and what else did not go as it should.
fn report(
    made: &Made,
    rotated: std::io::Result<(Vec<String>, Vec<String>)>,
    told: Result<bool, Fatal>,
    options: &Options,
) -> Result<ExitCode, Fatal> {
    let (removed, left) = rotated.unwrap_or_else(|error| (Vec::new(), vec![error.to_string()]));
    let file = made.file.display();
    if options.json {
        let data = json!({
            "file": file.to_string(), "bytes": made.bytes, "events": made.events, "fingerprint": made.fingerprint,
            "removed": removed, "recorded": matches!(told, Ok(true)),
        });
        print(&data.to_string());
    } else {
        print(&format!("{file}: up to event {}, {}; fingerprint {}", made.events, mib(made.bytes), made.fingerprint));
        if !removed.is_empty() {
            print(&format!("removed: {}", removed.join(", ")));
        }
    }
    let mut trouble: Vec<String> =
        left.iter().map(|left| format!("the back-up is made, but an old one could not be removed: {left}")).collect();
    let code = match told {
        Ok(true) => ExitCode::Refused,
        Ok(false) => {
            options.remark("the daemon is not running: this back-up is not on record");
            ExitCode::Refused
        }
        Err(fatal) => {
            trouble.push(format!("the back-up is made, but it is not on record: {}", fatal.text));
            fatal.code
        }
    };
    for text in &trouble {
        complain(format_args!("mainstay: {text}"));
    }
    Ok(if trouble.is_empty() { ExitCode::Ok } else { code })
}
