//! The installed units: what systemd says of them, and what it does not see. It accepts a unit whose user, paths and credentials
//! are not there, and finds out when it starts it, which after a switch is too late.

mod daemon;
mod file;
mod program;
mod second;
mod service;
mod value;

use super::super::install;
use super::code::Code;
use super::findings::Findings;
use super::tool;
use super::who::Who;
use crate::config::Config;
use crate::real::token::TOKEN_CREDENTIAL;
use file::Unit;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where units are installed.
const FOLDER: &str = "/etc/systemd/system";
/// The daemon's.
const DAEMON: &str = "mainstay.service";

/// Where the service's token comes from.
pub(super) enum Credential {
    /// From this file.
    File(PathBuf),
    /// From somewhere where only systemd can read it.
    Sealed,
}

/// What the units say that others have to know.
#[derive(Default)]
pub(super) struct Installed {
    /// As whom the daemon runs, where that can be known.
    pub(super) who: Option<Who>,
    /// Its token, if systemd hands it over.
    pub(super) credential: Option<Credential>,
    /// Folders that systemd makes, and gives to the daemon's user.
    state_directories: Vec<PathBuf>,
}

impl Installed {
    /// Whether systemd makes this folder.
    pub(super) fn makes(&self, folder: &Path) -> bool {
        self.state_directories.iter().any(|made| made == folder)
    }
}

/// Looks at the units in the folder that was named; else at the installed ones, if they are for this configuration.
pub(super) fn look(
    named: Option<&Path>,
    config_path: &Path,
    config: Option<&Config>,
    findings: &mut Findings,
) -> Installed {
    let folder = named.unwrap_or(Path::new(FOLDER));
    let path = folder.join(DAEMON);
    if named.is_none() && std::fs::symlink_metadata(&path).is_err() {
        return Installed::default();
    }
    let errors = findings.errors();
    let Some(unit) = read(&path, findings) else { return Installed::default() };
    if named.is_none() && !daemon::is_for(&unit, config_path) {
        let text = format!(
            "{} runs another configuration than {}: the units were not looked at; name their folder (--units) to have them looked at all the same",
            path.display(),
            config_path.display()
        );
        findings.add(Code::UnitsOther, text);
        return Installed::default();
    }
    let installed = installed(&unit, findings);
    daemon::look(&unit, &installed, config_path, config, findings);
    let others: Vec<Unit> = own_services(folder).iter().filter_map(|path| read(path, findings)).collect();
    for unit in std::iter::once(&unit).chain(&others) {
        service::look(unit, config_path, findings);
    }
    second::look(folder, config_path, config, findings);
    compare(folder, findings);
    verify(std::iter::once(&unit).chain(&others), findings);
    if findings.errors() == errors {
        let as_whom = installed.who.as_ref().map_or(String::new(), |who| format!(", which runs as {who}"));
        findings.add(Code::Units, format!("{}{as_whom}: {} units fit", path.display(), 1 + others.len()));
    }
    installed
}

fn read(path: &Path, findings: &mut Findings) -> Option<Unit> {
    let shown = path.display();
    if std::fs::canonicalize(path).is_ok_and(|whole| whole == Path::new("/dev/null")) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        findings.add(Code::UnitMasked, format!("{shown} is masked: systemctl unmask {name}"));
        return None;
    }
    match Unit::read(path) {
        Ok(unit) => {
            for odd in &unit.odd {
                findings.add(Code::UnitSyntax, odd);
            }
            Some(unit)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            findings.add(
                Code::UnitMissing,
                format!("there is no {shown}: install the units, or name their folder (--units)"),
            );
            None
        }
        Err(error) => {
            findings.add(Code::UnitUnreadable, format!("can't read the unit {error}"));
            None
        }
    }
}

/// A switch of releases changes no units: whoever has those of an older one is told.
fn compare(folder: &Path, findings: &mut Findings) {
    let own = std::env::current_exe().map_or_else(|_| "mainstay".to_owned(), |path| path.display().to_string());
    for (name, ours) in install::units() {
        let path = folder.join(name);
        // One that is masked, or can't be read, was told of; one that is not there is missed by whoever needs it.
        if path.is_file() && std::fs::read(&path).is_ok_and(|there| there != ours.as_bytes()) {
            let text = format!(
                "the installed {} is not this release's: `sudo {own} install` brings it, and keeps what is there beside it",
                path.display()
            );
            findings.add(Code::UnitDiffers, text);
        }
    }
}

/// What others have to know of the daemon's unit.
fn installed(unit: &Unit, findings: &mut Findings) -> Installed {
    let words = |key: &str| unit.all("Service", key).into_iter().flat_map(|entry| value::words(&entry.value));
    let made = words("StateDirectory").filter_map(|word| Some(Path::new("/var/lib").join(word.split(':').next()?)));
    let has = |key: &str| words(key).any(|word| word.split(':').next() == Some(TOKEN_CREDENTIAL));
    let file = words("LoadCredential").find_map(|word| {
        let (id, source) = word.split_once(':')?;
        if id == TOKEN_CREDENTIAL { value::path(source).map(|needed| Credential::File(needed.path)) } else { None }
    });
    let sealed = ["LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted"];
    Installed {
        who: service::runs_as(unit, findings),
        credential: file.or_else(|| sealed.iter().any(|key| has(key)).then_some(Credential::Sealed)),
        state_directories: made.collect(),
    }
}

/// The other services that are ours by their names.
fn own_services(folder: &Path) -> Vec<PathBuf> {
    services(folder, |name| name.starts_with("mainstay") && name != DAEMON)
}

fn services(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.ends_with(".service") && wanted(name)))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// Keys of the units that `install` puts in place which not every systemd knows that they are made for, and what an older one
/// goes without.
const LATER_KEYS: &[(&str, &str)] = &[(
    "DelegateSubgroup",
    "systemd is older than 254 here and passes over DelegateSubgroup=: limits of memory and CPU on tasks are not enforced",
)];

/// Has `systemd-analyze verify` tell of the units that are named alone, and fail for them. Of systemd 250.
const THESE_ALONE: &str = "--recursive-errors=no";

/// What systemd itself says of them, without starting anything.
fn verify<'a>(units: impl Iterator<Item = &'a Unit>, findings: &mut Findings) {
    let paths: Vec<String> = units.map(|unit| unit.path.display().to_string()).collect();
    let lines = match said_of(&paths) {
        Ok(lines) => lines,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let text = "systemd-analyze is not here: unknown keys and values in the units were not looked for";
            return findings.add(Code::UnitUnverified, text);
        }
        Err(error) => {
            return findings.add(Code::UnitUnverified, format!("systemd-analyze could not be asked: {error}"));
        }
    };
    // That a program is missing was said already, with what to do.
    for line in lines.iter().filter(|line| !line.trim().is_empty() && !line.contains("is not executable")) {
        match later_key(line) {
            Some(what) => findings.add(Code::UnitKeyLater, what),
            None => findings.add(Code::UnitVerify, format!("systemd-analyze verify: {line}")),
        }
    }
}

/// What `systemd-analyze verify` has against the units at these paths.
fn said_of(paths: &[String]) -> std::io::Result<Vec<String>> {
    let ask = |options: &[&str]| {
        let paths = paths.iter().map(String::as_str);
        let args: Vec<&str> = ["verify", "--man=no"].into_iter().chain(options.iter().copied()).chain(paths).collect();
        tool::ask(Path::new("systemd-analyze"), &args)
    };
    let lines = |said: &tool::Said| said.text.lines().map(str::to_owned).collect::<Vec<String>>();
    // Without the option it ends well whatever it finds.
    let said = ask(&[THESE_ALONE])?;
    if said.ok {
        return Ok(Vec::new());
    }
    if !said.text.contains("unrecognized option") {
        return Ok(lines(&said));
    }
    // An older one. It tells of all that those units need, too.
    let mut lines = lines(&ask(&[])?);
    lines.retain(|line| paths.iter().any(|path| is_of(line, path)));
    Ok(lines)
}

/// Whether a line is about the unit at `path`: `/etc/systemd/system/mainstay.service:7: ...`, or `mainstay.service: ...`. Of a
/// template, some instance is verified.
fn is_of(line: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.find('@').map_or(name, |at| &name[..=at]);
    line.split(':').next().unwrap_or(line).contains(stem)
}

/// What is passed over, where a line says that a key is not known which came later than this systemd.
fn later_key(line: &str) -> Option<&'static str> {
    // Older ones call it the name of a key.
    let says = |key: &str| ["key", "key name"].iter().any(|word| line.contains(&format!("Unknown {word} '{key}'")));
    LATER_KEYS.iter().find(|(key, _)| says(key)).map(|(_, what)| *what)
}
