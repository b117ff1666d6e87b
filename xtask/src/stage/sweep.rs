//! No process of a stage survives it, however it ends: at the orderly end, and by a janitor that waits for ours when
//! somebody presses Ctrl-C or kills us.
//!
//! Only what is the stage's is touched: our programs whose arguments name its folder, and the tasks below them, whose
//! environment names it. An editor or pager that has a file of it open is somebody else's.

use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a process is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The daemon.
    Daemon,
    /// Owner of an attempt; outlives the daemon.
    Shim,
    /// A task's own processes.
    Task,
    /// The Bot API server, a command line that waits.
    Other,
}

/// Waits until whoever started us is gone, then clears up after it if it did not do so itself.
pub(crate) fn wait_and_clear(dir: &Path, keep: bool) {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    if dir.exists() {
        clear(dir);
        if !keep {
            // There is nobody left to tell.
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}

/// Starts a janitor. It lives in a process group of its own, so Ctrl-C does not reach it.
pub(crate) fn janitor(dir: &Path, keep: bool) -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(std::env::current_exe()?);
    // The demo's argument, whatever is played: nobody is meant to use it.
    command.args(["demo", "--janitor"]).arg(dir).args(keep.then_some("--keep"));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
}

/// Ends everything, in the order in which it is least rude; returns what could not be ended.
pub(crate) fn clear(dir: &Path) -> Vec<Pid> {
    let is = |part: Part| move |found: &[(Pid, Part)]| found.iter().any(|(_, p)| *p == part);
    end(dir, Signal::TERM, Duration::from_secs(10), is(Part::Daemon));
    // A shim that is asked to end stops its task first, so both are gone then.
    end(dir, Signal::TERM, Duration::from_secs(8), is(Part::Shim));
    end(dir, Signal::TERM, Duration::from_secs(2), is(Part::Other));
    end(dir, Signal::KILL, Duration::from_secs(10), |found| !found.is_empty())
}

/// Signals what `wanted` is about until there is none of it, or the time is over; returns what is left.
fn end(dir: &Path, signal: Signal, limit: Duration, wanted: impl Fn(&[(Pid, Part)]) -> bool) -> Vec<Pid> {
    let start = Instant::now();
    let mut told = Vec::new();
    loop {
        let found = find(dir);
        let matching: Vec<Pid> =
            found.iter().filter(|one| wanted(std::slice::from_ref(one))).map(|(p, _)| *p).collect();
        if matching.is_empty() || start.elapsed() >= limit {
            return matching;
        }
        for pid in matching {
            if !told.contains(&pid) {
                told.push(pid);
                // It may have ended since; that is what we want.
                let _ = kill_process(pid, signal);
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The stage's living processes.
pub(crate) fn find(dir: &Path) -> Vec<(Pid, Part)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let others = numbers.filter(|pid| u32::try_from(*pid) != Ok(std::process::id()));
    others.filter_map(|pid| Some((Pid::from_raw(pid)?, part(pid, dir)?))).collect()
}

/// Living processes of tasks and their shims, and which of the two.
pub(crate) fn of_tasks(dir: &Path) -> Vec<(i32, &'static str)> {
    let name = |part: Part| match part {
        Part::Task => Some("task"),
        Part::Shim => Some("shim"),
        Part::Daemon | Part::Other => None,
    };
    find(dir).into_iter().filter_map(|(pid, part)| Some((pid.as_raw_nonzero().get(), name(part)?))).collect()
}

/// The living shims, each with the folder of its attempt.
pub(crate) fn shims(dir: &Path) -> Vec<(Pid, PathBuf)> {
    let of_attempt = |pid: Pid| {
        let arguments = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
        let folder = arguments.split(|byte| *byte == 0).nth(2)?;
        Some((pid, PathBuf::from(String::from_utf8_lossy(folder).into_owned())))
    };
    let shims = find(dir).into_iter().filter(|(_, part)| *part == Part::Shim);
    shims.filter_map(|(pid, _)| of_attempt(pid)).collect()
}

fn part(pid: i32, dir: &Path) -> Option<Part> {
    let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let words = |bytes: Vec<u8>| -> Vec<String> {
        bytes.split(|b| *b == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    };
    let within = |text: &str| Path::new(text).starts_with(dir);
    let arguments = words(read("cmdline"));
    let program: PathBuf = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    // A program that was built anew since is called "... (deleted)".
    let is_ours = program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("mainstay"));
    if is_ours && arguments.iter().any(|argument| within(argument)) {
        return Some(match arguments.iter().any(|argument| argument == "run") {
            true => Part::Daemon,
            false if arguments.get(1).is_some_and(|first| first == "shim") => Part::Shim,
            false => Part::Other,
        });
    }
    let file = |variable: &String| variable.strip_prefix("MAINSTAY_PROMPT_FILE=").is_some_and(within);
    words(read("environ")).iter().any(file).then_some(Part::Task)
}
