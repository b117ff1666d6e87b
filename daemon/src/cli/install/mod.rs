//! `install` and `uninstall`: the program as a service of a machine with systemd. What that consists of is a table
//! ([`steps`]); both go through it and say each step, and both can be given again at any time.

mod perform;
mod release;
mod steps;

use super::{Options, print};
use crate::exit::{ExitCode, Fatal};
use crate::real::restores::living_attempts;
use clap::ArgMatches;
use perform::{Look, Target};
use rustix::fs::Mode;
use rustix::process::umask;
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use steps::{CLOSED, ENABLE, Existing, INSTALL, KEPT, PURGE, SERVICE_USER, Step, UNINSTALL};

/// Puts it there.
pub(super) fn install(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let job = Job::of(matches, "install")?;
    // Programs that it runs make files, too, and folders on the way: not for root alone, whatever its shell says.
    umask(Mode::WGRP | Mode::WOTH);
    let closed = matches.get_flag("closed").then_some(CLOSED);
    let steps: Vec<Step> = INSTALL.into_iter().chain(closed).chain(ENABLE).collect();
    job.go_through(&steps, options)?;
    if !options.json && !job.dry {
        let config = "/etc/mainstay/mainstay.toml";
        print(&format!(
            "next: your people and kinds of task into {config}, the bot's token into /etc/mainstay/token, \
             then `sudo -u mainstay mainstay check` and `sudo systemctl start mainstay mainstay-backup.timer`"
        ));
    }
    Ok(ExitCode::Ok)
}

/// Takes it away.
pub(super) fn uninstall(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let job = Job::of(matches, "uninstall")?;
    let purge = matches.get_flag("purge");
    let running = living_attempts(&job.below("/var/lib/mainstay"));
    if purge {
        if !running.is_empty() {
            let text = format!(
                "tasks run, and their folders would be removed: {}; `mainstay drain` waits for them, `mainstay stop ID` ends one",
                running.join(", ")
            );
            return Err(Fatal::new(ExitCode::Refused, text));
        }
        if !job.dry {
            confirm_purge()?;
        }
    } else if !running.is_empty() {
        options.remark(&format!("tasks go on without the daemon, up to their time limits: {}", running.join(", ")));
    }
    let steps: Vec<Step> = UNINSTALL.into_iter().chain(PURGE.into_iter().filter(|_| purge)).collect();
    job.go_through(&steps, options)?;
    if !purge && !options.json {
        let kept: Vec<&str> = KEPT.into_iter().filter(|path| job.below(path).exists()).collect();
        if !kept.is_empty() {
            print(&format!("kept: {} (--purge removes them)", kept.join(", ")));
        }
    }
    Ok(ExitCode::Ok)
}

/// The units that this program puts in place: their names, and what they say to the byte.
pub(super) fn units() -> impl Iterator<Item = (&'static str, &'static str)> {
    INSTALL.into_iter().filter_map(|step| {
        let Step::File { path, content, existing: Existing::Aside, .. } = step else { return None };
        path.rsplit('/').next().map(|name| (name, content))
    })
}

/// Back-ups are among what goes: it has to be typed.
fn confirm_purge() -> Result<(), Fatal> {
    if std::io::stdin().is_terminal() {
        let mut err = std::io::stderr().lock();
        let _ = write!(
            err,
            "this removes the record and all back-ups in the state directory; type {SERVICE_USER} to go on: "
        )
        .and_then(|()| err.flush());
    }
    let mut typed = String::new();
    let _ = std::io::stdin().read_line(&mut typed);
    if typed.trim() == SERVICE_USER {
        return Ok(());
    }
    let text =
        format!("--purge removes the record and all back-ups: type {SERVICE_USER} when asked; nothing was changed");
    Err(Fatal::new(ExitCode::Refused, text))
}

/// Where to, and whether for real.
struct Job {
    root_fs: Option<PathBuf>,
    dry: bool,
    program: PathBuf,
}

impl Job {
    fn of(matches: &ArgMatches, name: &str) -> Result<Job, Fatal> {
        let root_fs = matches.get_one::<PathBuf>("root-fs").cloned();
        let dry = matches.get_flag("dry-run");
        if let Some(root) = root_fs.as_ref().filter(|root| !root.is_dir()) {
            return Err(Fatal::new(ExitCode::Usage, format!("--root-fs: there is no folder {}", root.display())));
        }
        if root_fs.is_none() && !dry && !rustix::process::geteuid().is_root() {
            let text = format!("this needs root: sudo mainstay {name} (--dry-run tells what would be done)");
            return Err(Fatal::new(ExitCode::Refused, text));
        }
        let program = std::env::current_exe()
            .map_err(|e| Fatal::new(ExitCode::Internal, format!("can't find out which program this is: {e}")))?;
        Ok(Job { root_fs, dry, program })
    }

    fn below(&self, path: &str) -> PathBuf {
        self.root_fs.as_deref().unwrap_or(Path::new("/")).join(path.trim_start_matches('/'))
    }

    /// Says and does each step; the first that fails ends it, and the next time goes on there.
    fn go_through(&self, steps: &[Step], options: &Options) -> Result<(), Fatal> {
        let target = Target::new(self.root_fs.as_deref(), self.program.clone());
        let mut told = Vec::new();
        for step in steps {
            let words = step.words();
            let (state, remark) = self.go(&target, step).map_err(|why| {
                let text = format!("can't {words}: {why}; mend that and give the command again: it goes on there");
                Fatal::new(ExitCode::Refused, text)
            })?;
            if options.json {
                told.push(json!({ "step": words, "state": state, "remark": remark }));
            } else {
                let remark = remark.map_or_else(String::new, |remark| format!(" ({remark})"));
                print(&format!("{state:>8}  {words}{remark}"));
            }
        }
        if options.json {
            print(&json!({ "dry_run": self.dry, "steps": Value::from(told) }).to_string());
        }
        Ok(())
    }

    fn go(&self, target: &Target<'_>, step: &Step) -> Result<(&'static str, Option<String>), String> {
        Ok(match target.look(step)? {
            Look::Done(remark) => ("is so", remark),
            Look::LeftOut(why) => ("left out", Some(why)),
            Look::ToDo if self.dry => ("to do", None),
            Look::ToDo => ("done", target.perform(step)?),
        })
    }
}
