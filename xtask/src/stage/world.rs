//! The processes: the Bot API server, and the daemon with somebody who starts it again, as a service manager would.

use super::build::Programs;
use super::place::Place;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The Bot API server listens, and the daemon is up, within this time even on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Before the daemon is started again, as `RestartSec=` would have it.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// The Bot API server with its chat.
pub(crate) struct BotApi {
    child: Child,
    input: Option<ChildStdin>,
}

impl BotApi {
    /// Starts it, for a person (it prints to this terminal) or for a script (it prints JSON lines, returned here), and writes
    /// the configuration once its address is known.
    pub(crate) fn start(
        programs: &Programs,
        place: &Place,
        json: bool,
    ) -> Result<(BotApi, Option<ChildStdout>), String> {
        let port = place.path("port");
        let mut command = Command::new(&programs.botapi);
        command.arg("--token-file").arg(place.path("token")).arg("--port-file").arg(&port);
        for person in place.setting().people {
            command.args(["--user", person]);
        }
        command.args(place.setting().unlimited.then_some("--no-limits"));
        if json {
            command.arg("--json").stdout(Stdio::piped());
        }
        // In a process group of its own: Ctrl-C is for us, and the janitor clears up in order.
        let mut child = command
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|e| format!("failed to start the Bot API server: {e}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let address = wait(START_LIMIT, || std::fs::read_to_string(&port).ok())
            .ok_or("the Bot API server did not come up within 30 s")?;
        place.configure(&format!("http://{}", address.trim())).map_err(|e| format!("failed to configure: {e}"))?;
        Ok((BotApi { child, input }, output))
    }

    /// Types a line. False when it has ended.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        use std::io::Write;
        self.input.as_mut().is_some_and(|input| writeln!(input, "{line}").and_then(|()| input.flush()).is_ok())
    }

    /// Ends its input, and waits for its end.
    pub(crate) fn end(mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// What the supervisor and the others share.
#[derive(Default)]
struct Shared {
    state: Mutex<Supervised>,
    changed: Condvar,
}

/// The daemon as its supervisor knows it.
#[derive(Default)]
struct Supervised {
    pid: Option<u32>,
    lives: u32,
    /// It is not to be started again.
    ending: bool,
    ended: Option<ExitStatus>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Supervised> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut Supervised)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// The daemon, started again whenever it is killed.
pub(crate) struct Daemon {
    shared: Arc<Shared>,
    supervisor: Option<JoinHandle<()>>,
    program: PathBuf,
    config: PathBuf,
}

impl Daemon {
    /// Starts it; `note` hears of every start and end.
    pub(crate) fn start(
        programs: &Programs,
        place: &Place,
        note: impl Fn(&str) + Send + 'static,
    ) -> Result<Daemon, String> {
        let shared = Arc::new(Shared::default());
        let (program, config) = (programs.mainstay.clone(), place.config());
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(place.path("daemon.log"))
            .map_err(|e| format!("failed to open the daemon's log: {e}"))?;
        let supervisor = {
            let (shared, program, config) = (shared.clone(), program.clone(), config.clone());
            std::thread::spawn(move || supervise(&shared, &program, &config, &log, &note))
        };
        let daemon = Daemon { shared, supervisor: Some(supervisor), program, config };
        daemon.wait_until_up(0)?;
        Ok(daemon)
    }

    /// Its process, unless it is down just now.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.shared.lock().pid
    }

    /// How often it was started.
    pub(crate) fn lives(&self) -> u32 {
        self.shared.lock().lives
    }

    /// Kills it with -9; returns the pid, or none if it is down already.
    pub(crate) fn kill(&self) -> Option<u32> {
        let pid = self.pid()?;
        signal(pid, rustix::process::Signal::KILL);
        Some(pid)
    }

    /// Waits until one of a later life than `life` answers.
    pub(crate) fn wait_until_up(&self, life: u32) -> Result<(), String> {
        let up = wait(START_LIMIT, || {
            if self.shared.lock().ended.is_some() {
                return Some(false);
            }
            (self.lives() > life && self.cli(&["whoami"]).is_ok()).then_some(true)
        });
        match up {
            Some(true) => Ok(()),
            Some(false) => Err("the daemon refused to start; its log says why".into()),
            None => Err("the daemon did not answer within 30 s".into()),
        }
    }

    /// Ends it with SIGTERM; how it ended.
    pub(crate) fn terminate(&mut self) -> Option<ExitStatus> {
        self.shared.set(|state| state.ending = true);
        if let Some(pid) = self.pid() {
            signal(pid, rustix::process::Signal::TERM);
        }
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
        self.shared.lock().ended
    }

    /// Runs the command line; what it printed, or what it complained about.
    pub(crate) fn cli(&self, args: &[&str]) -> Result<String, String> {
        let output = self.run(args)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        let both = [output.stdout, output.stderr].concat();
        Err(format!("mainstay {} ended with {}: {}", args.join(" "), output.status, String::from_utf8_lossy(&both)))
    }

    /// The same with `--json`; an answer counts whatever the exit code (`ops` says degraded by its own).
    pub(crate) fn cli_json(&self, args: &[&str]) -> Result<Value, String> {
        let output = self.run(&[args, &["--json"]].concat())?;
        let answer = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&answer).map_err(|e| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            format!("mainstay {} --json answered no JSON ({e}): {answer}{complaint}", args.join(" "))
        })
    }

    fn run(&self, args: &[&str]) -> Result<Output, String> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&self.config).args(args).stdin(Stdio::null());
        command.output().map_err(|e| format!("failed to start mainstay: {e}"))
    }

    /// What to type in another terminal.
    pub(crate) fn command_line(&self) -> String {
        format!("{} --config {}", self.program.display(), self.config.display())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.supervisor.is_some() {
            self.terminate();
        }
    }
}

fn supervise(shared: &Shared, program: &Path, config: &Path, log: &File, note: &dyn Fn(&str)) {
    loop {
        let mut command = Command::new(program);
        command.arg("--config").arg(config).arg("run").stdin(Stdio::null()).process_group(0);
        let spawned = log.try_clone().and_then(|out| {
            let errors = log.try_clone()?;
            command.stdout(out).stderr(errors).spawn()
        });
        let Ok(mut child) = spawned else {
            note("the daemon could not be started");
            return shared.set(|state| state.ended = Some(ExitStatus::default()));
        };
        let pid = child.id();
        shared.set(|state| {
            state.pid = Some(pid);
            state.lives += 1;
        });
        note(&format!("the daemon runs, pid {pid}"));
        let status = child.wait().unwrap_or_default();
        shared.set(|state| state.pid = None);
        // With an exit code of its own it has said that starting it again would not help.
        if shared.lock().ending || status.code().is_some() {
            return shared.set(|state| state.ended = Some(status));
        }
        note(&format!("the daemon is gone ({status}); it is started again in a second"));
        let state = shared.lock();
        let paused = shared.changed.wait_timeout_while(state, RESTART_PAUSE, |state| !state.ending);
        if paused.unwrap_or_else(PoisonError::into_inner).0.ending {
            return shared.set(|state| state.ended = Some(status));
        }
    }
}

/// Signals a process of ours; it may have ended, then there is nothing to do.
fn signal(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Looks until there is something to see, or the time is over.
pub(crate) fn wait<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if start.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
