//! What starts the daemon anew: systemd, or whatever a command line says.
//!
//! That it took the wish says nothing of the daemon: that is seen by asking the daemon itself.

use super::child;
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use crate::real::clock::boot_ms;
use std::path::Path;
use std::process::Command;

/// The daemon's unit, unless another is named.
const UNIT: &str = "mainstay.service";
/// Another is named behind this.
const BY_UNIT: &str = "systemd:";
/// There as long as systemd is what runs this machine.
const SYSTEMD: &str = "/run/systemd/system";

/// How the daemon stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// It has ended and is not started again; why.
    pub(super) given_up: Option<String>,
    /// How often it was started anew by itself, where that is counted.
    pub(super) restarts: Option<i64>,
}

/// Starts the daemon anew.
pub(super) trait Supervisor {
    /// Has it ended (by force, if it does not end) and started, as the release that `current` leads to. Does not wait until it
    /// is ready.
    fn restart(&self) -> Result<(), String>;
    /// How it stands.
    fn status(&self) -> Result<Seen, String>;
    /// Whether it is there at all: asked before anything is begun that ends with it.
    fn is_there(&self) -> Result<(), String>;
}

/// The one of this machine, or the one that was named.
pub(super) fn of_this_machine(named: Option<&str>) -> Result<Box<dyn Supervisor>, Fatal> {
    let is_there = Path::new(SYSTEMD).is_dir();
    match named {
        Some(named) if let Some(unit) = named.strip_prefix(BY_UNIT) => match unit {
            "" => Err(Fatal::new(ExitCode::Usage, "--supervisor systemd: names no unit")),
            _ if !is_there => Err(Fatal::new(ExitCode::Usage, "there is no systemd on this machine")),
            _ => Ok(Box::new(Systemd { unit: unit.to_owned() })),
        },
        Some(named) => {
            let words: Vec<String> = named.split_whitespace().map(str::to_owned).collect();
            if words.is_empty() {
                return Err(Fatal::new(ExitCode::Usage, "--supervisor names no program"));
            }
            Ok(Box::new(ByCommand(words)))
        }
        None if is_there => Ok(Box::new(Systemd { unit: UNIT.to_owned() })),
        None => {
            let text = "there is no systemd on this machine: name what starts the daemon anew with --supervisor CMD (`mainstay release --help`)";
            Err(Fatal::new(ExitCode::Usage, text))
        }
    }
}

struct Systemd {
    unit: String,
}

impl Systemd {
    fn systemctl(args: &[&str]) -> Result<String, String> {
        let ran =
            child::run(Command::new("systemctl").arg("--no-ask-password").args(args), policy::SUPERVISOR_WITHIN_MS)?;
        if ran.code == Some(0) { Ok(ran.out) } else { Err(format!("systemctl {}: {}", args.join(" "), ran.words())) }
    }

    fn show(&self, properties: &str) -> Result<String, String> {
        Systemd::systemctl(&["show", &self.unit, "--property", properties])
    }

    fn main_pid(&self) -> Result<i64, String> {
        let shown = self.show("MainPID")?;
        number(&shown, "MainPID")
            .ok_or_else(|| format!("systemctl tells no MainPID of {}: {}", self.unit, shown.trim()))
    }
}

impl Supervisor for Systemd {
    fn restart(&self) -> Result<(), String> {
        let before = self.main_pid()?;
        // Else what was counted and said of the last one stands there for this one. It fails where nothing has to be forgotten.
        let _ = Systemd::systemctl(&["reset-failed", &self.unit]);
        Systemd::systemctl(&["restart", "--no-block", &self.unit])?;
        let until = boot_ms() + policy::DEPLOY_STOP_WITHIN_MS;
        while before != 0 && self.main_pid()? == before {
            if boot_ms() >= until {
                // It hangs. It would be killed anyway, when the unit's time to stop is over.
                return Systemd::systemctl(&["kill", "--kill-who=main", "--signal=SIGKILL", &self.unit]).map(drop);
            }
            std::thread::sleep(policy::DEPLOY_LOOK_PAUSE);
        }
        Ok(())
    }

    fn status(&self) -> Result<Seen, String> {
        seen_by_systemd(&self.unit, &self.show("ActiveState,Result,ExecMainStatus,NRestarts")?)
    }

    fn is_there(&self) -> Result<(), String> {
        is_loaded(&self.unit, &self.show("LoadState")?)
    }
}

fn is_loaded(unit: &str, shown: &str) -> Result<(), String> {
    match shown.trim().strip_prefix("LoadState=") {
        Some("loaded") => Ok(()),
        state => Err(format!("systemd can't start {unit}: it is {}", state.unwrap_or("not told of"))),
    }
}

fn seen_by_systemd(unit: &str, shown: &str) -> Result<Seen, String> {
    let value = |name: &str| shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let state = value("ActiveState").ok_or_else(|| format!("systemctl tells nothing of {unit}: {}", shown.trim()))?;
    let given_up = (state == "failed").then(|| {
        let (result, code) = (value("Result").unwrap_or("unknown"), value("ExecMainStatus").unwrap_or("unknown"));
        format!("{result}, exit code {code}; `journalctl -u {unit}` has its last words")
    });
    Ok(Seen { given_up, restarts: number(shown, "NRestarts") })
}

/// `name=5`, wherever it stands.
fn number(text: &str, name: &str) -> Option<i64> {
    text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// A program and its arguments.
struct ByCommand(Vec<String>);

impl ByCommand {
    fn ask(&self, verb: &str) -> Result<String, String> {
        let ran = child::run(Command::new(&self.0[0]).args(&self.0[1..]).arg(verb), policy::SUPERVISOR_WITHIN_MS)?;
        if ran.code == Some(0) { Ok(ran.out) } else { Err(format!("{} {verb}: {}", self.0.join(" "), ran.words())) }
    }
}

impl Supervisor for ByCommand {
    fn restart(&self) -> Result<(), String> {
        self.ask("restart").map(drop)
    }

    fn status(&self) -> Result<Seen, String> {
        let said = self.ask("status")?;
        let given_up = said.lines().find_map(|line| line.strip_prefix("failed"));
        let given_up = given_up.map(|why| why.trim_start_matches([':', ' ']).to_owned());
        Ok(Seen { given_up, restarts: number(&said, "restarts") })
    }

    fn is_there(&self) -> Result<(), String> {
        self.status().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_shows_is_understood() {
        let up = "ActiveState=active\nResult=success\nExecMainStatus=0\nNRestarts=2\n";
        assert_eq!(seen_by_systemd(UNIT, up), Ok(Seen { given_up: None, restarts: Some(2) }));
        let down = up.replace("=active", "=failed").replace("=success", "=exit-code").replace("Status=0", "Status=10");
        let seen = seen_by_systemd(UNIT, &down).expect("understood");
        assert!(seen.given_up.is_some_and(|why| why.starts_with("exit-code, exit code 10; ")));
        assert_eq!(seen_by_systemd(UNIT, &up.replace("=active", "=activating")).map(|seen| seen.given_up), Ok(None));
        assert!(seen_by_systemd(UNIT, "").is_err());
        assert_eq!(number("MainPID=77\n", "MainPID"), Some(77));
        assert_eq!(is_loaded(UNIT, "LoadState=loaded\n"), Ok(()));
        assert!(is_loaded(UNIT, "LoadState=not-found\n").is_err_and(|why| why.contains("it is not-found")));
    }

    #[test]
    fn a_command_is_asked_by_verbs_and_what_it_says_is_understood() {
        let by = |script: &str| {
            let words = ["/bin/sh", "-c", script, "sh"].map(str::to_owned);
            ByCommand(words.into())
        };
        assert_eq!(by("test $1 = restart").restart(), Ok(()));
        assert!(by("echo no >&2; exit 4").restart().is_err_and(|why| why.contains("exit code 4: no")));
        let status = |script: &str| by(script).status().expect("it says");
        assert_eq!(status("test $1 = status; echo restarts=3").restarts, Some(3));
        assert_eq!(status("echo restarts=3; echo 'failed: exit code 10'").given_up.as_deref(), Some("exit code 10"));
        assert_eq!(status("true"), Seen::default());
    }

    #[test]
    fn where_nothing_starts_the_daemon_that_is_said() {
        assert!(of_this_machine(Some("  ")).is_err());
        assert!(of_this_machine(Some("my-init mainstay")).is_ok());
        let here = of_this_machine(None);
        assert_eq!(here.is_ok(), Path::new(SYSTEMD).is_dir());
        assert_eq!(of_this_machine(Some("systemd:mainstay-test.service")).is_ok(), here.is_ok());
        assert!(of_this_machine(Some("systemd:")).is_err());
    }
}
