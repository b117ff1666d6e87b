//! What starts the daemon of a machine: systemd, where it runs this one and we may have units there; elsewhere a script that
//! stands in for it. Either way nothing is started while there is a file `paused`.

use crate::kill::lab::{PATIENCE, Step};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The script.
const KEEPER: &str = include_str!("keeper.sh");
/// Its name in the place.
const KEEPER_NAME: &str = "keeper.sh";
/// There as long as systemd is what runs this machine.
const SYSTEMD: &str = "/run/systemd/system";
/// What an installation has, by the names that are put in place of the first word.
const UNITS: [(&str, &str); 3] = [
    (".service", include_str!("../../../deploy/mainstay.service")),
    ("-launch.socket", include_str!("../../../deploy/mainstay-launch.socket")),
    ("-launch@.service", include_str!("../../../deploy/mainstay-launch@.service")),
];
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(2);

/// By which of the two the daemon is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The script.
    StandIn,
    /// The real one, with the units that an installation has, under names of their own.
    Systemd,
}

impl By {
    /// The real one where there is one.
    pub(crate) fn of_this_machine() -> By {
        let is_there = Path::new(SYSTEMD).is_dir() && geteuid().is_root();
        if is_there { By::Systemd } else { By::StandIn }
    }

    /// As the evidence says it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            By::StandIn => "started by a stand-in for systemd",
            By::Systemd => "started by systemd, as a unit like that of an installation",
        }
    }
}

/// The one of a machine.
pub(super) enum Supervisor {
    StandIn { place: PathBuf, keeper: Child },
    Systemd { place: PathBuf, name: String },
}

impl Supervisor {
    /// Ready to start what will be `current` in this place.
    pub(super) fn set(by: By, place: &Path) -> Step<Supervisor> {
        match by {
            By::StandIn => Ok(Supervisor::StandIn { place: place.to_owned(), keeper: keeper(place)? }),
            By::Systemd => {
                let name = place.file_name().and_then(|name| name.to_str()).ok_or("a place without a name")?.to_owned();
                let supervisor = Supervisor::Systemd { place: place.to_owned(), name: name.clone() };
                for (end, text) in UNITS {
                    let path = Path::new(SYSTEMD).join(format!("{name}{end}"));
                    fs::write(&path, unit(text, &name, place))
                        .map_err(|e| format!("failed to write {}: {e}", path.display()))?;
                }
                systemctl(&["daemon-reload"])?;
                Ok(supervisor)
            }
        }
    }

    /// As `mainstay release --supervisor` takes it.
    pub(super) fn argument(&self) -> String {
        match self {
            Supervisor::StandIn { place, .. } => format!("/bin/sh {}", place.join(KEEPER_NAME).display()),
            Supervisor::Systemd { name, .. } => format!("systemd:{name}.service"),
        }
    }

    /// The daemon's process.
    pub(super) fn daemon(&self) -> Option<Pid> {
        let pid = match self {
            Supervisor::StandIn { place, .. } => fs::read_to_string(place.join("pid")).ok()?,
            Supervisor::Systemd { name, .. } => shown(name, "MainPID").ok()?,
        };
        Pid::from_raw(pid.trim().parse().ok()?)
    }

    /// Starts nothing from now on.
    pub(super) fn pause(&self) -> Step {
        fs::write(self.place().join("paused"), "").map_err(|e| format!("failed to pause the supervisor: {e}"))
    }

    /// Starts what is current, now and whenever it has ended.
    pub(super) fn go(&self) -> Step {
        // It is not there at the first start.
        let _ = fs::remove_file(self.place().join("paused"));
        match self {
            Supervisor::StandIn { .. } => Ok(()),
            Supervisor::Systemd { name, .. } => {
                systemctl(&["start", "--no-block", &format!("{name}.service")]).map(drop)
            }
        }
    }

    /// Ends the daemon, and starts it no more; its exit code.
    pub(super) fn stop(&mut self) -> Step<Option<i32>> {
        match self {
            Supervisor::StandIn { place, keeper } => {
                stop_keeper(place, keeper)?;
                Ok(fs::read_to_string(place.join("ended")).ok().and_then(|code| code.trim().parse().ok()))
            }
            Supervisor::Systemd { name, .. } => {
                systemctl(&["stop", &format!("{name}.service")])?;
                Ok(shown(name, "ExecMainStatus")?.trim().parse().ok())
            }
        }
    }

    fn place(&self) -> &Path {
        match self {
            Supervisor::StandIn { place, .. } | Supervisor::Systemd { place, .. } => place,
        }
    }
}

/// Leaves nothing of itself behind, nor the daemon, whatever state that is in. Should nobody come to do so, the folder's janitor
/// ends the daemon, and systemd starts nothing without a folder.
impl Drop for Supervisor {
    fn drop(&mut self) {
        // What is not there any more needs no end, and who is asked to end everything has nobody to tell.
        let _ = self.pause();
        if let Some(pid) = self.daemon() {
            let _ = kill_process(pid, Signal::KILL);
        }
        match self {
            Supervisor::StandIn { keeper, .. } => {
                let _ = keeper.kill();
                let _ = keeper.wait();
            }
            Supervisor::Systemd { name, .. } => {
                let units = [format!("{name}.service"), format!("{name}-launch.socket")];
                let _ = systemctl(&["stop", &units[0], &units[1]]);
                let _ = systemctl(&["reset-failed", &units[0]]);
                for (end, _) in UNITS {
                    let _ = fs::remove_file(Path::new(SYSTEMD).join(format!("{name}{end}")));
                }
                let _ = systemctl(&["daemon-reload"]);
            }
        }
    }
}

fn keeper(place: &Path) -> Step<Child> {
    fs::write(place.join(KEEPER_NAME), KEEPER).map_err(|e| format!("failed to write the keeper: {e}"))?;
    let mut keeper = Command::new("/bin/sh");
    // A shell tells of everybody who is killed.
    keeper.arg(place.join(KEEPER_NAME)).arg("run").stdin(Stdio::null()).stderr(Stdio::null());
    keeper.spawn().map_err(|e| format!("failed to start the keeper: {e}"))
}

fn stop_keeper(place: &Path, keeper: &mut Child) -> Step {
    let stop = Command::new("/bin/sh").arg(place.join(KEEPER_NAME)).arg("stop").stdin(Stdio::null()).spawn();
    let mut stop = stop.map_err(|e| format!("failed to start the keeper: {e}"))?;
    let began = Instant::now();
    while !matches!(keeper.try_wait(), Ok(Some(_))) {
        if began.elapsed() > PATIENCE {
            let _ = stop.kill();
            let _ = stop.wait();
            return Err(format!("the daemon did not end within {} s of SIGTERM", PATIENCE.as_secs()));
        }
        std::thread::sleep(GLANCE);
    }
    let _ = stop.wait();
    Ok(())
}

/// A unit of an installation, for a machine that lies in a folder: as this user, with the folder's paths, and with the unit's own
/// names. What closes the daemon in stays as it is.
fn unit(text: &str, name: &str, place: &Path) -> String {
    let place = place.display().to_string();
    let line = |line: &str| match line {
        "User=mainstay" | "SocketUser=mainstay" => None,
        // A folder of temporary files: the machine lies in it.
        "PrivateTmp=true" => Some(format!(
            "ReadWritePaths={place}\nStandardOutput=append:{place}/daemon.log\nStandardError=append:{place}/daemon.log"
        )),
        line if line.starts_with("StateDirectory") || line.starts_with("LoadCredential=") => None,
        "StartLimitIntervalSec=0" => {
            Some(format!("{line}\nConditionPathExists=!{place}/paused\nConditionPathExists={place}/opt/current"))
        }
        line => Some(
            line.replace("/opt/mainstay", &format!("{place}/opt"))
                .replace("/etc/mainstay", &place)
                .replace("mainstay-launch", &format!("{name}-launch")),
        ),
    };
    text.lines().filter_map(line).map(|line| line + "\n").collect()
}

/// A property of the daemon's unit.
fn shown(name: &str, property: &str) -> Step<String> {
    systemctl(&["show", "--value", "--property", property, &format!("{name}.service")])
}

fn systemctl(args: &[&str]) -> Step<String> {
    let output = Command::new("systemctl").arg("--no-ask-password").args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("failed to start systemctl: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("systemctl {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_an_installation_and_name_nothing_of_the_machine_s_own() {
        let place = Path::new("/tmp/mainstay-drill-x");
        let texts = UNITS.map(|(_, text)| unit(text, "mainstay-drill-x", place));
        for text in &texts {
            let of_the_machine = |line: &&str| {
                let said = !line.starts_with('#') && !line.starts_with("Description");
                let line = line.replace("/tmp/mainstay-drill-x/opt/", "").replace("mainstay-drill-x", "");
                said && ["/opt/", "/etc/", "/run/mainstay", " mainstay-", "=mainstay", "=telegram"]
                    .iter()
                    .any(|own| line.contains(own))
            };
            assert_eq!(text.lines().find(of_the_machine), None);
        }
        let [daemon, socket, task] = &texts;
        for line in [
            "ExecStart=/tmp/mainstay-drill-x/opt/current/bin/mainstay --config /tmp/mainstay-drill-x/mainstay.toml run",
            "Environment=MAINSTAY_LAUNCHER=/run/mainstay-drill-x-launch.sock",
            "ConditionPathExists=!/tmp/mainstay-drill-x/paused",
            "ReadWritePaths=/tmp/mainstay-drill-x",
            "ProtectSystem=strict",
            "WatchdogSec=60s",
            "Restart=always",
        ] {
            assert!(daemon.lines().any(|other| other == line), "{line}\n{daemon}");
        }
        assert!(socket.contains("ListenStream=/run/mainstay-drill-x-launch.sock"));
        assert!(task.contains("ExecStart=-/tmp/mainstay-drill-x/opt/current/bin/mainstay-shim from-socket"));
    }
}
