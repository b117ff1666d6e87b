//! The state directory: whose it is, how much room it has, and who holds it now.

use super::super::client::{Client, Unanswered, fresh_key};
use super::code::Code;
use super::findings::Findings;
use super::units::Installed;
use super::who::{Wanted, Who};
use crate::config::Config;
use crate::policy;
use crate::real::{lock, store};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Whether a daemon holds it; none when there is no state directory that can be looked into.
pub(super) fn look(config: &Config, installed: &Installed, findings: &mut Findings) -> Option<bool> {
    let state_dir = &config.state_dir;
    let shown = state_dir.display();
    let exists = match &installed.who {
        // Whoever is somebody else than the service can't see with its eyes, so its rights are reckoned.
        Some(who) if !who.is_us() && rustix::process::geteuid().is_root() => {
            can_be_used_by(who, state_dir, installed.makes(state_dir))
                .map_err(|text| findings.add(Code::StateUnusable, text))
        }
        Some(_) | None => {
            let inspected = lock::inspect(state_dir).map(|metadata| metadata.is_some());
            inspected.map_err(|fatal| findings.refused(Code::StateUnusable, &fatal))
        }
    }
    .ok()?;
    look_at_space(state_dir, exists, findings);
    if !exists {
        findings.add(Code::State, format!("{shown} will be made at the first start"));
        return None;
    }
    findings.add(Code::State, format!("{shown} can be used"));
    Some(look_at_holder(state_dir, findings))
}

/// Whether it is there, if this user can use it. `made`: systemd makes it, and gives it to the user.
fn can_be_used_by(who: &Who, state_dir: &Path, made: bool) -> Result<bool, String> {
    let shown = state_dir.display();
    let Ok(metadata) = std::fs::metadata(state_dir) else {
        let parent = state_dir.parent().unwrap_or(Path::new("/"));
        if made {
            return Ok(false);
        }
        let advice = format!("make it (install -d -o {who} -m 700 {shown}), or let the unit do it (StateDirectory=)");
        if !parent.is_dir() {
            return Err(format!(
                "the state directory {shown} can't be made: {} does not exist; {advice}",
                parent.display()
            ));
        }
        let may = who.may(parent, Wanted::Write);
        return may
            .map(|()| false)
            .map_err(|why| format!("the state directory {shown} can't be made: {why}; {advice}"));
    };
    if !metadata.is_dir() {
        return Err(format!("the state directory {shown} is no directory"));
    }
    if metadata.uid() != who.uid && !made {
        return Err(format!(
            "the state directory {shown} belongs to {}, and the service runs as {who}: chown -R {who} {shown}",
            lock::user_name(metadata.uid())
        ));
    }
    who.may(state_dir, Wanted::Write).map(|()| true).or_else(|why| {
        if made {
            Ok(true)
        } else {
            Err(format!("the state directory {shown} can't be used: {why}; chmod 700 {shown}"))
        }
    })
}

/// Whether a daemon holds it, which a switch ends. Whatever else holds it keeps every daemon from starting.
fn look_at_holder(state_dir: &Path, findings: &mut Findings) -> bool {
    let (shown, name) = (state_dir.display(), lock::LOCK_NAME);
    let holder = match lock::holder(state_dir) {
        Ok(Some(holder)) => holder,
        Ok(None) => return false,
        Err(error) => {
            let text = format!("can't read {shown}/{name}: {error}; it has to be the daemon's user's");
            findings.add(Code::StateUnusable, text);
            return false;
        }
    };
    let pid = holder.pid.map_or("of unknown pid".to_owned(), |pid| format!("pid {pid}"));
    match holder.program.as_deref() {
        Some(program) if program.starts_with("mainstay") => {
            look_at_daemon(state_dir, &pid, findings);
            return true;
        }
        Some(program) => findings.add(
            Code::LockForeign,
            format!("{program} ({pid}) holds the state directory {shown} and is no daemon: end it, or no daemon starts"),
        ),
        None => findings.add(
            Code::LockForeign,
            format!("somebody other than it says ({pid}) holds the state directory {shown}: end what has {shown}/{name} open (fuser -v names it), or no daemon starts"),
        ),
    }
    false
}

fn look_at_daemon(state_dir: &Path, pid: &str, findings: &mut Findings) {
    findings.add(Code::Daemon, format!("a daemon is running ({pid})"));
    match Client::impatient(state_dir, policy::CLIENT_PAGE_WITHIN).ask(&fresh_key(), &["ops".to_owned()]) {
        Ok(ops) if ops.data["draining"] == true => findings
            .add(Code::DaemonDraining, "the daemon is draining: nothing new starts before undrain or its next start"),
        Ok(_) => {}
        Err(Unanswered::NotPermitted) => {}
        Err(_) => findings.add(
            Code::DaemonSilent,
            format!(
                "the daemon ({pid}) holds the state directory and does not answer: see its log (journalctl -u mainstay)"
            ),
        ),
    }
}

/// On a disk that is full a daemon does not start, or only to end what runs; under the reserve it starts no task.
fn look_at_space(state_dir: &Path, exists: bool, findings: &mut Findings) {
    let made_in = state_dir.parent().unwrap_or(Path::new("/"));
    let Some(free) = store::free_bytes(if exists { state_dir } else { made_in }) else { return };
    let (shown, free_mib, reserve_mib) = (state_dir.display(), free >> 20, policy::DISK_RESERVE_BYTES >> 20);
    if free < policy::DISK_RESERVE_BYTES {
        let text = format!(
            "{free_mib} MiB are free for {shown}: no task starts where it is less than {reserve_mib} MiB; make room"
        );
        findings.add(Code::SpaceLow, text);
    } else {
        findings.add(Code::Space, format!("{free_mib} MiB are free for it; {reserve_mib} are kept in reserve"));
    }
}
