//! What every service of ours needs to be started at all: its user, its programs, its files, its credentials.

use super::super::code::Code;
use super::super::findings::Findings;
use super::super::who::{Wanted, Who, group_id};
use super::file::{Entry, Unit};
use super::value::{self, Command};
use super::{daemon, program};
use std::path::Path;

/// Keys that name a program to be run.
const COMMANDS: [&str; 7] =
    ["ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"];
/// Folders that systemd makes for a unit, below these.
const MADE: [(&str, &str); 5] = [
    ("StateDirectory", "/var/lib"),
    ("CacheDirectory", "/var/cache"),
    ("LogsDirectory", "/var/log"),
    ("RuntimeDirectory", "/run"),
    ("ConfigurationDirectory", "/etc"),
];

pub(super) fn look(unit: &Unit, config_path: &Path, findings: &mut Findings) {
    // What is wrong with it was said when the daemon's user was asked for.
    let who =
        if unit.name == super::DAEMON { runs_as(unit, &mut Findings::default()) } else { runs_as(unit, findings) };
    look_at_programs(unit, who.as_ref(), findings);
    look_at_configuration(unit, config_path, findings);
    look_at_paths(unit, findings);
    look_at_credentials(unit, findings);
}

/// As whom it runs; none where that can't be known, and says so where it should be.
pub(super) fn runs_as(unit: &Unit, findings: &mut Findings) -> Option<Who> {
    if unit.service_has("DynamicUser") {
        return None;
    }
    let group = unit.last("Service", "Group");
    let user = unit.last("Service", "User");
    let more: Vec<String> =
        unit.all("Service", "SupplementaryGroups").into_iter().flat_map(|entry| value::words(&entry.value)).collect();
    let name = user.map_or("root", |entry| &*entry.value);
    if name.contains('%') || group.is_some_and(|entry| entry.value.contains('%')) {
        return None;
    }
    match Who::named(name, group.map(|entry| &*entry.value), &more) {
        Ok(Some(who)) => Some(who),
        Ok(None) => {
            let at = user.map_or_else(|| unit.path.display().to_string(), |entry| entry.at.clone());
            let text = format!("{at}: there is no user {name}: make it (useradd --system {name}), or name another one");
            findings.add(Code::UnitUserMissing, text);
            look_at_group(group, findings);
            None
        }
        Err(missing) => {
            let at = group
                .filter(|entry| entry.value == missing)
                .map_or_else(|| unit.path.display().to_string(), |entry| entry.at.clone());
            findings.add(Code::UnitGroupMissing, group_is_missing(&at, &missing));
            None
        }
    }
}

/// Where the user is missing, the group was not asked for.
fn look_at_group(group: Option<&Entry>, findings: &mut Findings) {
    if let Some(entry) = group.filter(|entry| group_id(&entry.value).is_none()) {
        findings.add(Code::UnitGroupMissing, group_is_missing(&entry.at, &entry.value));
    }
}

fn group_is_missing(at: &str, name: &str) -> String {
    format!("{at}: there is no group {name}: make it (groupadd --system {name}), or name another one")
}

fn look_at_programs(unit: &Unit, who: Option<&Who>, findings: &mut Findings) {
    if unit.all("Service", "ExecStart").is_empty() {
        findings.add(Code::UnitExecNone, format!("{}: there is no ExecStart=", unit.path.display()));
    }
    for key in COMMANDS {
        for entry in unit.all("Service", key) {
            if let Some(command) = value::command(&entry.value).filter(|command| !command.may_fail) {
                look_at_program(entry, &command, who, findings);
            }
        }
    }
}

fn look_at_program(entry: &Entry, command: &Command, who: Option<&Who>, findings: &mut Findings) {
    let Some(path) = &command.program else { return };
    let (at, shown) = (&entry.at, path.display());
    if program::awaits_activation(path) {
        findings.add(Code::UnitNotActivated, format!("{at}: {shown} will be there once a release is activated"));
        return;
    }
    let Ok(metadata) = std::fs::metadata(path) else {
        findings
            .add(Code::UnitExecMissing, format!("{at}: {shown} does not exist: install it there, or correct the unit"));
        return;
    };
    let why = match who.filter(|_| !command.as_root) {
        _ if !metadata.is_file() => Some(format!("{shown} is no file")),
        Some(who) => who.may(path, Wanted::Execute).err(),
        None => program::not_executable(path).then(|| format!("{shown} is not executable")),
    };
    if let Some(why) = why {
        findings.add(Code::UnitExecUnusable, format!("{at}: {why}: chmod 755 {shown}, and its folders"));
    }
}

/// Whoever of ours is given a configuration gets the one that is checked.
fn look_at_configuration(unit: &Unit, config_path: &Path, findings: &mut Findings) {
    for entry in unit.all("Service", "ExecStart") {
        let Some(command) = value::command(&entry.value) else { continue };
        let Some(other) = daemon::named_config(&command) else { continue };
        if !daemon::is_same(&other, config_path) {
            let text = format!(
                "{}: it runs with {}, and {} was checked: check that one (--config), or correct the unit",
                entry.at,
                other.display(),
                config_path.display()
            );
            findings.add(Code::UnitConfigOther, text);
        }
    }
}

fn look_at_paths(unit: &Unit, findings: &mut Findings) {
    for entry in unit.all("Service", "EnvironmentFile") {
        if let Some(path) = missing(&entry.value) {
            let text =
                format!("{}: {path} can't be read: write it, or put a - before it if it may be missing", entry.at);
            findings.add(Code::UnitEnvironmentFile, text);
        }
    }
    if let Some(entry) = unit.last("Service", "WorkingDirectory")
        && let Some(needed) = value::path(&entry.value).filter(|needed| !needed.optional && !needed.path.is_dir())
    {
        let text = format!("{}: there is no folder {}: make it", entry.at, needed.path.display());
        findings.add(Code::UnitWorkingDirectory, text);
    }
    let made: Vec<_> = MADE
        .iter()
        .flat_map(|(key, below)| {
            let words = unit.all("Service", key).into_iter().flat_map(|entry| value::words(&entry.value));
            words.map(move |word| Path::new(below).join(word.split(':').next().unwrap_or_default()))
        })
        .collect();
    for entry in unit.all("Service", "ReadWritePaths") {
        for word in value::words(&entry.value) {
            let Some(path) = missing(&word) else { continue };
            if !made.iter().any(|made| *made == Path::new(&path)) {
                let text =
                    format!("{}: there is no {path}: make it, or put a - before it if it may be missing", entry.at);
                findings.add(Code::UnitPathMissing, text);
            }
        }
    }
}

/// The path, if it has to be there and is not.
fn missing(word: &str) -> Option<String> {
    let needed = value::path(word)?;
    // Where we may not look, nobody can say that it is missing.
    let gone = std::fs::metadata(&needed.path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    (gone && !needed.optional && !needed.path.to_string_lossy().contains('*'))
        .then(|| needed.path.display().to_string())
}

fn look_at_credentials(unit: &Unit, findings: &mut Findings) {
    for key in ["LoadCredential", "LoadCredentialEncrypted"] {
        for entry in unit.all("Service", key) {
            let word = value::words(&entry.value).join(" ");
            let Some(path) = word.split_once(':').and_then(|(_, source)| missing(source)) else { continue };
            let text = format!(
                "{}: there is no {path}: write it (mode 600, owner root), or the unit does not start",
                entry.at
            );
            findings.add(Code::UnitCredentialMissing, text);
        }
    }
}
