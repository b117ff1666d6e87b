//! Another program of the machine that is asked something.

use crate::policy;
use crate::real::clock::boot_ms;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek};
use std::path::Path;
use std::process::{Command, Stdio};

/// What it said, on either output, and how it ended.
pub(super) struct Said {
    /// It ended with 0.
    pub(super) ok: bool,
    /// Both outputs in their order.
    pub(super) text: String,
}

/// Runs it to its end, but no longer than [`policy::CHECK_TOOL_WITHIN`].
///
/// # Errors
/// It is not there, can't be started, or did not end in time.
pub(super) fn ask(program: &Path, args: &[&str]) -> Result<Said> {
    // A file takes whatever is said, without anybody who reads meanwhile; this one is in memory.
    let mut output = File::from(memfd_create("said", MemfdFlags::CLOEXEC)?);
    let mut command = Command::new(program);
    // What it says is read, so it says it in the language that we know.
    command.args(args).env("LC_ALL", "C").stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
    let mut child = command.spawn()?;
    let deadline = boot_ms() + i64::try_from(policy::CHECK_TOOL_WITHIN.as_millis()).unwrap_or(i64::MAX);
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if boot_ms() >= deadline => {
                child.kill()?;
                child.wait()?;
                return Err(Error::new(ErrorKind::TimedOut, "it did not end in time"));
            }
            None => std::thread::sleep(policy::CHECK_TOOL_PAUSE),
        }
    };
    let mut text = Vec::new();
    output.rewind()?;
    output.take(policy::CONFIG_BYTES_MAX).read_to_end(&mut text)?;
    Ok(Said { ok: status.success(), text: String::from_utf8_lossy(&text).into_owned() })
}
