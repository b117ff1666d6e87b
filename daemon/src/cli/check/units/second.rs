//! A second service that starts a daemon on the same state directory: one of the two would be turned away, by chance.

use super::super::code::Code;
use super::super::findings::Findings;
use super::value;
use super::{daemon, file::Unit, services};
use crate::config::Config;
use crate::real::config_file;
use std::path::Path;

pub(super) fn look(folder: &Path, config_path: &Path, config: Option<&Config>, findings: &mut Findings) {
    for path in services(folder, |name| name != super::DAEMON) {
        // What can't be read is none of ours, or was said to be unreadable.
        let Ok(unit) = Unit::read(&path) else { continue };
        if is_second(&unit, config_path, config) {
            let name = &unit.name;
            let text = format!(
                "{} starts a second daemon on the same state directory: systemctl disable --now {name}, and remove it, or give it a configuration with a state_dir of its own",
                path.display()
            );
            findings.add(Code::UnitSecond, text);
        }
    }
}

fn is_second(unit: &Unit, config_path: &Path, config: Option<&Config>) -> bool {
    unit.all("Service", "ExecStart").into_iter().any(|entry| {
        let Some(command) = value::command(&entry.value) else { return false };
        let is_ours =
            command.program.as_ref().is_some_and(|path| path.file_name().is_some_and(|name| name == "mainstay"));
        if !is_ours || daemon::subcommand(&command) != Some("run") {
            return false;
        }
        let Some(other) = daemon::named_config(&command) else { return daemon::is_for(unit, config_path) };
        let state_dir = config_file::state_dir(&other).ok();
        daemon::is_same(&other, config_path)
            || (state_dir.is_some() && state_dir == config.map(|config| config.state_dir.clone()))
    })
}
