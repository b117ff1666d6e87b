//! A program that is run to its end, within a time.

use crate::policy;
use crate::real::clock::boot_ms;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// What came of it.
pub(super) struct Ran {
    /// Its exit code; none where a signal ended it.
    pub(super) code: Option<i32>,
    /// What it wrote to standard output.
    pub(super) out: String,
    /// What it wrote to standard error.
    pub(super) err: String,
}

impl Ran {
    /// How it ended and what it said, in a line.
    pub(super) fn words(&self) -> String {
        let how = self.code.map_or_else(|| "was killed".to_owned(), |code| format!("exit code {code}"));
        let said = if self.err.trim().is_empty() { &self.out } else { &self.err };
        let said = said.trim().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        if said.is_empty() { how } else { format!("{how}: {said}") }
    }
}

/// Runs it. What it starts in turn is ended with it when the time is over; a terminal that hangs up does not end it.
pub(super) fn run(command: &mut Command, within_ms: i64) -> Result<Ran, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    within(command, within_ms)?.ok_or_else(|| format!("{name} had not ended after {} s", within_ms / 1_000))
}

/// The same; none when it was ended because the time was over.
pub(super) fn within(command: &mut Command, within_ms: i64) -> Result<Option<Ran>, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| format!("{name} can't be run: {error}");
    // Not pipes: nobody reads while it is waited for.
    let (mut out, mut err) = (memory().map_err(failed)?, memory().map_err(failed)?);
    command.stdin(Stdio::null()).process_group(0);
    command.stdout(out.try_clone().map_err(failed)?).stderr(err.try_clone().map_err(failed)?);
    let mut child = command.spawn().map_err(failed)?;
    let waited = wait(&mut child, within_ms).map_err(|error| format!("{name} can't be waited for: {error}"))?;
    let Some(code) = waited else { return Ok(None) };
    Ok(Some(Ran { code, out: text(&mut out).map_err(failed)?, err: text(&mut err).map_err(failed)? }))
}

fn memory() -> std::io::Result<File> {
    Ok(File::from(memfd_create("output", MemfdFlags::CLOEXEC)?))
}

/// Its exit code, if a signal did not end it; nothing when we did.
fn wait(child: &mut Child, within_ms: i64) -> std::io::Result<Option<Option<i32>>> {
    let until = boot_ms() + within_ms;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status.code())),
            None if boot_ms() < until => std::thread::sleep(policy::PREDECESSOR_END_PAUSE),
            None => {
                if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                let _ = child.wait();
                return Ok(None);
            }
        }
    }
}

fn text(file: &mut File) -> std::io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(policy::DEPLOY_OUTPUT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, within_ms: i64) -> Result<Ran, String> {
        run(Command::new("/bin/sh").args(["-c", script]), within_ms)
    }

    #[test]
    fn what_it_says_and_how_it_ends_is_told() {
        let ran = sh("echo out; echo a >&2; echo b >&2; exit 3", 60_000).expect("run");
        assert_eq!((ran.code, ran.out.as_str(), ran.words().as_str()), (Some(3), "out\n", "exit code 3: a; b"));
        assert_eq!(sh("echo out", 60_000).expect("run").words(), "exit code 0: out");
        assert_eq!(sh("kill -9 $$", 60_000).expect("run").words(), "was killed");
        assert!(run(&mut Command::new("/nowhere"), 1).is_err_and(|why| why.contains("can't be run")));
    }

    #[test]
    fn one_that_does_not_end_is_ended_with_all_that_it_began() {
        let began = boot_ms();
        let error = sh("sleep 60 & sleep 60", 50).err().expect("it takes longer");
        assert!(error.contains("had not ended") && boot_ms() - began < 30_000, "{error}");
        let waited = within(Command::new("/bin/sh").args(["-c", "sleep 60"]), 50).expect("run");
        assert!(waited.is_none() && boot_ms() - began < 30_000);
    }
}
