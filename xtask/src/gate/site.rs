//! Where a unit runs, and what it may use: the checkout, its seeds, and processes that end with the gate.

use super::policy::Policy;
use super::seeds::Seeds;
use super::suites::{Suite, Unit};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a process that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The place of one unit.
pub(crate) struct Site<'a> {
    /// The checkout.
    pub(crate) root: &'a Path,
    /// The run's folder, which becomes the bundle.
    pub(crate) run: &'a Path,
    /// The policy.
    pub(crate) policy: &'a Policy,
    /// Where seeds come from.
    pub(crate) seeds: Seeds,
    /// The suite.
    pub(crate) suite: &'a Suite,
    /// What is played in simulations.
    pub(crate) build: Build<'a>,
    /// Somebody wants it to end.
    pub(crate) stop: &'a Stop,
}

/// A build of the simulator, and so of the product in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build<'a> {
    /// What the commit has.
    Commit,
    /// The copy that has all bugs of `sim/mutants.toml`, with none of them planted.
    Copy,
    /// The copy, with this one planted.
    Planted(&'a str),
}

/// Set by a signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Set from now on by SIGINT and SIGTERM.
    pub(crate) fn on_signals() -> Result<Stop, String> {
        let stop = Stop::default();
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, stop.0.clone()).map_err(|error| format!("signals: {error}"))?;
        }
        Ok(stop)
    }

    /// As a signal would.
    #[cfg(test)]
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is set.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What came of a process.
pub(crate) struct Called {
    /// How it ended; none: it took too long, and was killed.
    pub(crate) status: Option<ExitStatus>,
    /// What it wrote.
    pub(crate) stdout: Vec<u8>,
    /// What it complained about.
    pub(crate) stderr: Vec<u8>,
}

impl Called {
    /// Whether it ended well.
    pub(crate) fn good(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, in words.
    pub(crate) fn ended(&self) -> String {
        match self.status {
            Some(status) => format!("ended with {status}"),
            None => "took too long, and was killed".to_owned(),
        }
    }

    /// The last line it complained with, or else wrote.
    pub(crate) fn last_words(&self) -> String {
        let last = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
        };
        last(&self.stderr).or_else(|| last(&self.stdout)).unwrap_or_default()
    }
}

impl Site<'_> {
    /// The unit's seeds.
    pub(crate) fn seeds(&self, unit: &Unit) -> Vec<u64> {
        self.seeds.of(self.suite.name, unit)
    }

    /// Puts a file into the bundle, beside the lines: in `tests/`, `bench/` or `drills/`.
    pub(crate) fn attach(&self, path: &str, bytes: &[u8]) -> Result<(), String> {
        if !super::layout::is_attachment(path) {
            return Err(format!("{path} has no place in a bundle: attach to one of {:?}", super::layout::ATTACHED));
        }
        super::layout::write(&self.run.join(path), bytes)
    }

    /// Runs a process to its end, with a process group of its own. When the gate is to end, or after `limit`, the whole group
    /// is killed. Err: it can't be started, or the gate is to end.
    pub(crate) fn call(&self, command: &mut Command, limit: Duration) -> Result<Called, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let failed = |error: std::io::Error| format!("{name}: {error}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        let group = Pid::from_child(&child);
        let (mut stdout, mut stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let began = Instant::now();
        std::thread::scope(|scope| {
            let out = scope.spawn(move || all(&mut stdout));
            let complaints = scope.spawn(move || all(&mut stderr));
            let status = loop {
                if let Some(status) = child.try_wait().map_err(failed)? {
                    break Some(status);
                }
                if self.stop.is_set() || began.elapsed() > limit {
                    // Gone by itself in this moment: as good.
                    let _ = kill_process_group(group, Signal::KILL);
                    child.wait().map_err(failed)?;
                    break None;
                }
                std::thread::sleep(LOOK);
            };
            let stdout = out.join().map_err(|_| format!("{name}: its output could not be read"))?;
            let stderr = complaints.join().map_err(|_| format!("{name}: its output could not be read"))?;
            if self.stop.is_set() {
                return Err(format!("{name}: interrupted"));
            }
            Ok(Called { status, stdout, stderr })
        })
    }
}

/// All that comes, as far as it can be read.
fn all(from: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is kept; how the process ended tells the rest.
    let _ = from.read_to_end(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::policy::QUICK;
    use super::super::suites::SUITES;
    use super::*;
    use std::collections::BTreeMap;

    fn call(script: &str, stop: &Stop, limit: Duration) -> Result<Called, String> {
        let policy =
            Policy { quick: true, amounts: QUICK, scenarios: Vec::new(), kept: BTreeMap::new(), mutants: Vec::new() };
        let seeds = Seeds { commit: String::new(), policy: String::new(), from: None };
        let here = Path::new(".");
        let site =
            Site { root: here, run: here, policy: &policy, seeds, suite: &SUITES[0], build: Build::Commit, stop };
        site.call(Command::new("sh").args(["-c", script]), limit)
    }

    #[test]
    fn what_a_process_wrote_and_how_it_ended_is_known() {
        let called = call("echo a; echo b >&2; exit 3", &Stop::default(), Duration::from_secs(60)).expect("called");
        assert!(!called.good() && called.ended().contains('3'), "{}", called.ended());
        assert_eq!((called.stdout, called.stderr), (b"a\n".to_vec(), b"b\n".to_vec()));
    }

    /// Its children have its output open: were one left, this would wait for a hundred seconds.
    #[test]
    fn what_takes_too_long_is_killed_with_its_children() {
        let began = Instant::now();
        let called =
            call("echo a; sleep 100 & sleep 100", &Stop::default(), Duration::from_millis(300)).expect("called");
        assert!(called.status.is_none() && called.ended().contains("too long"));
        assert_eq!(called.stdout, b"a\n");
        assert!(began.elapsed() < Duration::from_secs(50));
    }

    #[test]
    fn an_interruption_kills_it_and_leaves_no_evidence() {
        let stop = Stop::default();
        stop.set();
        let Err(error) = call("sleep 100", &stop, Duration::from_secs(60)) else { panic!("interrupted") };
        assert!(error.contains("interrupted"), "{error}");
    }
}
