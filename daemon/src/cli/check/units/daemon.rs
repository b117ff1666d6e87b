//! What the daemon's own unit has to say so that a stop, a restart and a hang are what they should be.

use super::super::code::Code;
use super::super::findings::Findings;
use super::super::who::Wanted;
use super::Installed;
use super::file::{Entry, Unit};
use super::program::{self, Program};
use super::value::{self, Command, span};
use crate::config::Config;
use crate::policy;
use crate::real::config_file::{CONFIG_PLACES, CONFIG_VARIABLE};
use crate::real::service::VARIABLE as LAUNCHER_VARIABLE;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The units by which systemd starts tasks, where the daemon's unit says that it does.
const LAUNCH_UNITS: [&str; 2] = ["mainstay-launch.socket", "mainstay-launch@.service"];

pub(super) fn look(
    unit: &Unit,
    installed: &Installed,
    config_path: &Path,
    config: Option<&Config>,
    findings: &mut Findings,
) {
    look_at_program(unit, findings);
    look_at_configuration(unit, installed, config_path, findings);
    look_at_sandbox(unit, installed, config, findings);
    look_at_start_and_stop(unit, findings);
    look_at_watchdog(unit, findings);
    look_at_launcher(unit, findings);
}

/// Where a setting stands, or would stand.
fn place(unit: &Unit, entry: Option<&Entry>) -> String {
    entry.map_or_else(|| unit.path.display().to_string(), |entry| entry.at.clone())
}

fn look_at_program(unit: &Unit, findings: &mut Findings) {
    let own = concat!("mainstay ", env!("CARGO_PKG_VERSION"));
    for entry in unit.all("Service", "ExecStart") {
        let Some(command) = value::command(&entry.value) else { continue };
        if subcommand(&command) != Some("run") {
            findings.add(
                Code::UnitExecArguments,
                format!("{}: this is not `mainstay run`: the daemon is started with it", entry.at),
            );
            continue;
        }
        let Some(path) = command.program.filter(|path| path.is_file() && !program::not_executable(path)) else {
            continue;
        };
        if let Program::Other(said) = program::at(&path) {
            let text = format!(
                "{}: {} is another program than this one, which is {own}: it says {said:?}; put this one there, or let the unit start the activated release",
                entry.at,
                path.display()
            );
            findings.add(Code::UnitExecOther, text);
        }
    }
}

/// The first word that is neither an option nor its value.
pub(super) fn subcommand(command: &Command) -> Option<&str> {
    let mut args = command.args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "--config" | "--color" | "--log" => _ = args.next(),
            flag if flag.starts_with('-') => {}
            word => return Some(word),
        }
    }
    None
}

/// The configuration that a command names.
pub(super) fn named_config(command: &Command) -> Option<PathBuf> {
    let mut args = command.args.iter();
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.strip_prefix("--config=") {
            return Some(PathBuf::from(path));
        }
    }
    None
}

/// Whether both are the same file, or the same path where there is none.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
    };
    whole(one) == whole(other)
}

/// Whether the unit's daemon would read this configuration.
pub(super) fn is_for(unit: &Unit, config_path: &Path) -> bool {
    configuration(unit).is_none_or(|path| is_same(&path, config_path))
}

/// The configuration that the unit's daemon would read, found as that would find it; none where that can't be known here.
fn configuration(unit: &Unit) -> Option<PathBuf> {
    let command = unit.last("Service", "ExecStart").and_then(|entry| value::command(&entry.value))?;
    let folder = unit.last("Service", "WorkingDirectory").and_then(|entry| value::path(&entry.value));
    let folder = folder.map_or(PathBuf::from("/"), |needed| needed.path);
    let variable = unit.all("Service", "Environment").into_iter().flat_map(|entry| value::words(&entry.value));
    let variable = variable
        .filter_map(|word| Some(PathBuf::from(word.strip_prefix(CONFIG_VARIABLE)?.strip_prefix('=')?)))
        .next_back();
    if let Some(path) = named_config(&command).or(variable) {
        return (!path.to_string_lossy().contains(['%', '$'])).then(|| folder.join(path));
    }
    if !unit.all("Service", "EnvironmentFile").is_empty() {
        return None;
    }
    let [here, system] = CONFIG_PLACES;
    let here = folder.join(here);
    Some(if here.exists() { here } else { PathBuf::from(system) })
}

fn look_at_configuration(unit: &Unit, installed: &Installed, config_path: &Path, findings: &mut Findings) {
    let command = unit.last("Service", "ExecStart").and_then(|entry| value::command(&entry.value));
    let is_named = command.is_some_and(|command| named_config(&command).is_some());
    // One that is named is compared for every service alike.
    if !is_named && let Some(other) = configuration(unit).filter(|other| !is_same(other, config_path)) {
        let text = format!(
            "{}: it names no --config, so the daemon would read {}, and {} was checked",
            unit.path.display(),
            other.display(),
            config_path.display()
        );
        findings.add(Code::UnitConfigOther, text);
    }
    if let Some(who) = &installed.who
        && config_path.exists()
        && let Err(why) = who.may(config_path, Wanted::Read)
    {
        let shown = config_path.display();
        findings.add(
            Code::ConfigUnreadable,
            format!("the service can't read its configuration: {why}; chmod 644 {shown}, and its folders"),
        );
    }
}

/// What the sandbox hides or protects of the places that the daemon needs.
fn look_at_sandbox(unit: &Unit, installed: &Installed, config: Option<&Config>, findings: &mut Findings) {
    let Some(state_dir) = config.map(|config| config.state_dir.as_path()) else { return };
    let shown = state_dir.display();
    let is_in_home = ["/home", "/root", "/run/user"].iter().any(|home| state_dir.starts_with(home));
    if is_in_home
        && let Some(entry) = unit
            .last("Service", "ProtectHome")
            .filter(|_| !unit.service_is("ProtectHome", "no") && !unit.service_is("ProtectHome", "false"))
    {
        let text = format!(
            "{}: ProtectHome={} hides {shown} from the daemon: keep the state elsewhere (/var/lib/mainstay)",
            entry.at, entry.value
        );
        findings.add(Code::UnitStateHidden, text);
        return;
    }
    let opened = unit.all("Service", "ReadWritePaths").into_iter().flat_map(|entry| value::words(&entry.value));
    let mut opened = opened.filter_map(|word| value::path(&word));
    let is_open = installed.makes(state_dir) || opened.any(|needed| state_dir.starts_with(&needed.path));
    if let Some(entry) = unit.last("Service", "ProtectSystem").filter(|entry| entry.value == "strict" && !is_open) {
        let text =
            format!("{}: ProtectSystem=strict lets the daemon only read {shown}: add ReadWritePaths={shown}", entry.at);
        findings.add(Code::UnitStateHidden, text);
    }
}

fn look_at_start_and_stop(unit: &Unit, findings: &mut Findings) {
    let of = |key: &str| unit.last("Service", key);
    let at = |key: &str| place(unit, of(key));
    if !unit.service_is("Type", "notify") {
        let text = format!(
            "{}: Type=notify is needed: without it systemd takes a daemon for ready that never will be",
            at("Type")
        );
        findings.add(Code::UnitType, text);
    }
    if !unit.service_is("KillMode", "process") {
        let text = format!(
            "{}: KillMode=process is needed: otherwise every stop and every upgrade kills the tasks that run",
            at("KillMode")
        );
        findings.add(Code::UnitKillMode, text);
    }
    // The last of the two counts, and with neither it is 90 s.
    let stop = ["TimeoutStopSec", "TimeoutSec"].iter().find_map(|key| of(key));
    if let Some((entry, within)) = stop.and_then(|entry| Some((entry, span(&entry.value)?)))
        && within < policy::STOP_WITHIN_MIN
        && within != Duration::ZERO
    {
        let text = format!(
            "{}: TimeoutStopSec={} is too short: the daemon needs up to {} s to end",
            entry.at,
            entry.value,
            policy::STOP_WITHIN_MIN.as_secs()
        );
        findings.add(Code::UnitStopTimeout, text);
    }
    if let Some(entry) = of("StartLimitIntervalSec") {
        findings.add(
            Code::UnitStartLimit,
            format!(
                "{}: it belongs to [Unit]; here systemd ignores it, and gives up after five starts in 10 s",
                entry.at
            ),
        );
    } else if unit.last("Unit", "StartLimitIntervalSec").and_then(|entry| span(&entry.value)) != Some(Duration::ZERO) {
        let text = format!(
            "{}: StartLimitIntervalSec=0 is missing in [Unit]: after a few failed starts systemd gives up for good",
            at_unit(unit)
        );
        findings.add(Code::UnitGivesUp, text);
    }
    if ["always", "on-failure", "on-abnormal"].iter().all(|value| !unit.service_is("Restart", value)) {
        findings.add(
            Code::UnitNoRestart,
            format!("{}: Restart=always is missing: a daemon that crashed stays down", at("Restart")),
        );
    }
}

/// The socket that it asks for tasks on is systemd's, by a unit of its own.
fn look_at_launcher(unit: &Unit, findings: &mut Findings) {
    let entries = unit.all("Service", "Environment").into_iter();
    let asks = entries
        .flat_map(|entry| value::words(&entry.value))
        .any(|word| word.split_once('=').is_some_and(|(name, _)| name == LAUNCHER_VARIABLE));
    let folder = unit.path.parent().unwrap_or(Path::new("/"));
    if let Some(missing) = LAUNCH_UNITS.iter().find(|name| asks && !folder.join(name).exists()) {
        let text = format!(
            "{} has tasks started by mainstay-launch.socket, and there is no {missing} beside it: sudo mainstay install",
            unit.path.display()
        );
        findings.add(Code::UnitLauncherMissing, text);
    }
}

fn at_unit(unit: &Unit) -> String {
    place(unit, unit.last("Unit", "StartLimitIntervalSec"))
}

fn look_at_watchdog(unit: &Unit, findings: &mut Findings) {
    let entry = unit.last("Service", "WatchdogSec");
    let within = entry.and_then(|entry| span(&entry.value)).unwrap_or(Duration::ZERO);
    let (at, least) = (place(unit, entry), policy::WATCHDOG_MIN.as_secs());
    if within.is_zero() || within == Duration::MAX {
        let text = format!("{at}: WatchdogSec=60s is missing: nobody notices a daemon that hangs");
        findings.add(Code::UnitUnwatched, text);
    } else if within < policy::WATCHDOG_MIN {
        let text = format!(
            "{at}: WatchdogSec={} is too short: on a slow disk the daemon is silent for up to {least} s, and would be killed for it",
            entry.map_or("", |entry| &*entry.value)
        );
        findings.add(Code::UnitWatchdog, text);
    }
}
