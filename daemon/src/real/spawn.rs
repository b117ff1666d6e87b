//! Starts the main process of a task: argv only, a clean environment, three descriptors, its own process group, and its
//! cgroup from the first instruction on.

use super::cgroup::Group;
use super::complain::complain;
use super::folder::{ARTIFACTS, PROGRESS, PROMPT};
use super::sys::{self, Forked};
use crate::ports::Spec;
use rustix::fs::{Access, OFlags, access, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where programs are looked for when the environment names no PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A started main process, and the reading ends of its output.
pub(super) struct Started {
    pub(super) pid: Pid,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

/// Starts it, or says in a way that helps the operator why that is impossible. `folder` is absolute.
pub(super) fn start(spec: &Spec, folder: &Path, cwd: &Path, group: Option<&Group>) -> Result<Started, String> {
    let name = spec.argv.first().ok_or("the kind has an empty argv: give it a program to run")?;
    let program = find(name, cwd, spec)?;
    let prompt = File::open(folder.join(PROMPT)).map_err(|e| format!("the prompt file can't be opened: {e}"))?;
    let (stdout, their_stdout) = output_pipe().map_err(|e| format!("no pipe for its output: {e}"))?;
    let (stderr, their_stderr) = output_pipe().map_err(|e| format!("no pipe for its output: {e}"))?;

    let mut command = Command::new(&program);
    command.arg0(name).args(&spec.argv[1..]).current_dir(cwd).process_group(0);
    // The starter of this shim passed on what the spec names, and nothing else is taken over.
    let passed = spec.env.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(passed).envs(own_variables(spec, folder));
    command.stdin(prompt).stdout(Stdio::from(their_stdout)).stderr(Stdio::from(their_stderr));
    let pid = spawn(&mut command, group).map_err(|e| explain(&e, &program, cwd))?;
    Ok(Started { pid, stdout, stderr })
}

fn own_variables(spec: &Spec, folder: &Path) -> [(&'static str, std::ffi::OsString); 7] {
    [
        ("MAINSTAY_TASK_ID", spec.key.task.to_string().into()),
        ("MAINSTAY_ATTEMPT", spec.key.attempt.to_string().into()),
        ("MAINSTAY_PROMPT_FILE", folder.join(PROMPT).into()),
        ("MAINSTAY_PROGRESS_FILE", folder.join(PROGRESS).into()),
        ("MAINSTAY_ARTIFACTS_DIR", folder.join(ARTIFACTS).into()),
        ("MAINSTAY_TRACE_ID", spec.trace.clone().into()),
        ("MAINSTAY_NONCE", spec.nonce.clone().into()),
    ]
}

/// The program's path, by the rules of execvp but with the task's own PATH and folder.
fn find(name: &str, cwd: &Path, spec: &Spec) -> Result<PathBuf, String> {
    if !fs::metadata(cwd).is_ok_and(|m| m.is_dir()) {
        let cwd = cwd.display();
        return Err(format!(
            "working directory {cwd} does not exist or can't be entered: create it or change the kind's cwd"
        ));
    }
    if name.contains('/') {
        return Ok(cwd.join(name));
    }
    let own = if spec.env.iter().any(|name| name == "PATH") { std::env::var("PATH").ok() } else { None };
    let path = own.as_deref().unwrap_or(DEFAULT_PATH);
    let runs = |p: &PathBuf| p.is_file() && access(p, Access::EXEC_OK).is_ok();
    path.split(':').map(|folder| cwd.join(folder).join(name)).find(runs).ok_or_else(|| {
        format!("program {name:?} is not in PATH={path}: install it, or give its full path in the kind's argv")
    })
}

/// We read without blocking; the task's end blocks like any pipe, which slows a flood down instead of losing it.
fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok((ours, theirs))
}

fn spawn(command: &mut Command, group: Option<&Group>) -> io::Result<Pid> {
    if let Some(cgroup) = group.and_then(|g| g.descriptor().ok()) {
        let (failure, mut report) = pipe_with(PipeFlags::CLOEXEC)?;
        match sys::fork_into(cgroup.as_fd()) {
            Ok(Forked::Child) => {
                let error = command.exec().raw_os_error().unwrap_or(0).to_ne_bytes();
                let _ = rustix::io::write(&mut report, &error);
                sys::leave(127);
            }
            Ok(Forked::Parent(pid)) => {
                drop(report);
                return exec_result(pid, failure);
            }
            // An old kernel, or a sandbox without clone3: go on without the cgroup.
            Err(e) => complain(format_args!("no start in {:?}: {e}", group.map(Group::path))),
        }
    }
    // The handle is dropped: the shim reaps whoever ends, in one place.
    let pid = command.spawn()?.id();
    Ok(Pid::from_raw(pid.cast_signed()).expect("a child's pid is not zero"))
}

/// Waits until the forked child has become the program; its end of the pipe closes by that.
fn exec_result(pid: Pid, failure: OwnedFd) -> io::Result<Pid> {
    let mut code = Vec::new();
    let _ = File::from(failure).read_to_end(&mut code);
    match <[u8; 4]>::try_from(code.as_slice()) {
        Err(_) => Ok(pid),
        Ok(code) => {
            let _ = waitpid(Some(pid), WaitOptions::empty());
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(code)))
        }
    }
}

fn explain(error: &io::Error, program: &Path, cwd: &Path) -> String {
    let there = program.exists();
    let (program, cwd) = (program.display(), cwd.display());
    let kind = error.kind();
    if kind == ErrorKind::NotFound && there {
        format!("{program} names an interpreter in its first line that does not exist: install that one")
    } else if kind == ErrorKind::NotFound {
        format!("program {program} does not exist: install it or correct the kind's argv")
    } else if kind == ErrorKind::PermissionDenied {
        format!("program {program} may not be executed in {cwd}: check chmod +x, owner and the folder's rights")
    } else if kind == ErrorKind::InvalidInput {
        "an argument or environment value contains a NUL byte: remove it".to_owned()
    } else if kind == ErrorKind::ArgumentListTooLong {
        "arguments and environment are too long: pass data in files".to_owned()
    } else if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) {
        format!("{program} is not a program: a script needs #! and an interpreter in its first line")
    } else {
        format!("program {program} could not be started: {error}")
    }
}
