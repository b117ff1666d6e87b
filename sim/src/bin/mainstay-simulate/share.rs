//! The share of one process of a sweep: seed after seed, a JSON line for each.

use crate::Trouble;
use mainstay_sim::expect::Expected;
use mainstay_sim::property;
use mainstay_sim::run::{Verdict, run};
use mainstay_sim::scenario::Scenario;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// A run takes a tenth of a second; one that takes so long does not end.
const ENDLESS: Duration = Duration::from_secs(120);

/// What a run came to, as one line of JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    /// The seed.
    pub(crate) seed: u64,
    /// The property that did not hold, or how the run was lost.
    pub(crate) broken: Option<String>,
    /// How it did not hold.
    pub(crate) how: Option<String>,
    /// When that was seen, ms of the simulation.
    pub(crate) at_ms: Option<i64>,
    /// The run has no verdict: it panicked, did not end, or its process died.
    pub(crate) lost: bool,
    /// Over all that happened.
    pub(crate) digest: String,
    /// Jobs that were asked for.
    pub(crate) jobs: usize,
    /// Faults that struck.
    pub(crate) faults: usize,
    /// Programs that were started.
    pub(crate) ran: usize,
    /// Simulated ms.
    pub(crate) simulated_ms: i64,
    /// Which faults struck in which states.
    pub(crate) met: Vec<(String, String)>,
    /// What the scenario expects, with what was seen.
    pub(crate) expected: Vec<Expected>,
}

impl Line {
    /// Of a verdict.
    pub(crate) fn of(verdict: &Verdict) -> Line {
        Line {
            seed: verdict.seed,
            broken: verdict.broken.as_ref().map(|b| b.property.to_owned()),
            how: verdict.broken.as_ref().map(|b| b.how.clone()),
            at_ms: verdict.broken.as_ref().map(|b| b.at_ms),
            lost: false,
            digest: format!("{:016x}", verdict.digest),
            jobs: verdict.jobs,
            faults: verdict.faults,
            ran: verdict.ran,
            simulated_ms: verdict.simulated_ms,
            met: verdict.met.iter().map(|(fault, state)| (fault.clone(), state.to_string())).collect(),
            expected: verdict.expected.clone(),
        }
    }

    /// Of a run that has no verdict.
    pub(crate) fn lost(seed: u64, why: &str) -> Line {
        Line { seed, broken: Some(why.to_owned()), lost: true, ..Line::default() }
    }

    /// In JSON.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("words and numbers")
    }

    /// For people.
    pub(crate) fn words(&self) -> String {
        let Line { seed, jobs, faults, ran, .. } = self;
        if self.lost {
            let (why, how) = (self.broken.as_deref().unwrap_or_default(), self.how.as_deref().unwrap_or_default());
            return format!("seed {seed}\nLOST: {why} {how}").trim_end().to_owned();
        }
        let what = format!("seed {seed}: {jobs} jobs, {faults} faults, {ran} programs started");
        match &self.broken {
            None => format!("{what}: everything held"),
            Some(broken) => format!("{what}\nBROKEN: {broken}: {}", self.how.as_deref().unwrap_or("no verdict")),
        }
    }
}

/// Runs these seeds, one after the other.
pub(crate) fn run_share(scenario: &Scenario, seeds: impl Iterator<Item = u64>) -> Result<ExitCode, Trouble> {
    let mut out = std::io::stdout().lock();
    for seed in seeds {
        let (line, ended) = guarded(scenario, seed);
        writeln!(out, "{}", line.json()).map_err(Trouble::machine)?;
        if !ended {
            // Its thread can't be stopped, and nothing may run beside it: another process takes the rest.
            return Ok(ExitCode::from(crate::LOST));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One run in a fresh thread, so that nothing kept by a thread reaches the next; and whether it ended.
fn guarded(scenario: &Scenario, seed: u64) -> (Line, bool) {
    let (send, receive) = channel();
    let scenario = scenario.clone();
    let thread = std::thread::spawn(move || {
        // Nobody listens any more when it has taken too long.
        let _ = send.send(Line::of(&run(&scenario, seed)));
    });
    match receive.recv_timeout(ENDLESS) {
        Ok(line) => (line, true),
        Err(RecvTimeoutError::Timeout) => (Line::lost(seed, property::ENDLESS), false),
        Err(RecvTimeoutError::Disconnected) => {
            let why = thread.join().err().map_or_else(String::new, |panic| message(&*panic));
            (Line { how: Some(why), ..Line::lost(seed, property::PANICS) }, true)
        }
    }
}

/// The words of a panic, if it has any.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
