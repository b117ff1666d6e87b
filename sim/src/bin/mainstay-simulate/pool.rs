//! Many seeds by several processes: chance of SQLite belongs to a process, so each has one run at a time.

use crate::share::Line;
use crate::{SWARM, Trouble};
use clap::Args;
use mainstay_sim::scenario::Scenario;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

/// Which seeds of which scenario.
#[derive(Args, Clone)]
pub(crate) struct Seeds {
    /// The scenario file
    #[arg(required_unless_present = "swarm", conflicts_with = "swarm")]
    scenario: Option<PathBuf>,
    /// The swarm: scenarios/swarm.toml
    #[arg(long)]
    swarm: bool,
    /// How many seeds
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    pub(crate) from: u64,
    /// Processes at once; as many as there are cores when not given
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    jobs: Option<u64>,
}

impl Seeds {
    /// The scenario file.
    pub(crate) fn file(&self) -> &Path {
        self.scenario.as_deref().unwrap_or(Path::new(SWARM))
    }

    /// What stands in it, if there are so many seeds.
    pub(crate) fn scenario(&self) -> Result<Scenario, Trouble> {
        if self.from.checked_add(self.seeds).is_none() {
            let (from, seeds) = (self.from, self.seeds);
            return Err(Trouble::usage(format!("--from {from} --seeds {seeds}: seeds end at {}", u64::MAX - 1)));
        }
        Scenario::read(self.file()).map_err(Trouble::usage)
    }
}

/// Processes at once when nobody says how many.
pub(crate) fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64
}

/// This program, for its own processes.
pub(crate) fn program() -> Result<PathBuf, Trouble> {
    std::env::current_exe().map_err(Trouble::machine)
}

/// All seeds, in their order.
pub(crate) fn all(seeds: &Seeds) -> Result<Vec<Line>, Trouble> {
    seeds.scenario()?;
    let jobs = seeds.jobs.unwrap_or_else(cores).min(seeds.seeds);
    let (send, receive) = channel();
    let program = program()?;
    for job in 0..jobs {
        let share = Share { program: program.clone(), file: seeds.file().to_owned(), step: jobs };
        let (from, end, send) = (seeds.from + job, seeds.from.saturating_add(seeds.seeds), send.clone());
        std::thread::spawn(move || share.run(from, end, &send));
    }
    drop(send);
    let (mut found, mut progress) = (Vec::new(), Progress::new(seeds.seeds));
    for line in receive {
        let line = line?;
        progress.tell(&line);
        found.push(line);
    }
    progress.end();
    found.sort_by_key(|line: &Line| line.seed);
    Ok(found)
}

/// What one process after another works through.
struct Share {
    program: PathBuf,
    file: PathBuf,
    step: u64,
}

impl Share {
    /// Every `step`th seed. A process that dies is followed by another, which goes on after the seed that was its end.
    fn run(&self, from: u64, end: u64, send: &Sender<Result<Line, Trouble>>) {
        let mut next = from;
        while next < end {
            let before = next;
            let died = match self.process(&mut next, end, send) {
                Ok(status) if status.success() => None,
                // It has told of the seed that does not end, and left.
                Ok(status) if status.code() == Some(crate::LOST.into()) && next > before => None,
                Ok(status) => Some(format!("the process died: {status}")),
                Err(trouble) => {
                    let _ = send.send(Err(trouble));
                    return;
                }
            };
            match died {
                Some(why) => {
                    let _ = send.send(Ok(Line::lost(next, &why)));
                    next = next.saturating_add(self.step);
                }
                None if next == before => return,
                None => {}
            }
        }
    }

    fn process(
        &self,
        next: &mut u64,
        end: u64,
        send: &Sender<Result<Line, Trouble>>,
    ) -> Result<std::process::ExitStatus, Trouble> {
        let mut child = Command::new(&self.program)
            .args(["sweep", "--json", "--step", &self.step.to_string()])
            .args(["--from", &next.to_string(), "--seeds", &(end - *next).to_string()])
            .arg(&self.file)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Trouble::machine(format!("{}: {error}", self.program.display())))?;
        let stdout = child.stdout.take().ok_or_else(|| Trouble::machine("a child without output"))?;
        for text in BufReader::new(stdout).lines().map_while(Result::ok) {
            let line: Line = serde_json::from_str(&text)
                .map_err(|error| Trouble::machine(format!("a process of the sweep said {text:?}: {error}")))?;
            *next = line.seed.saturating_add(self.step);
            let _ = send.send(Ok(line));
        }
        child.wait().map_err(Trouble::machine)
    }
}

/// How far it is, for who looks at it.
struct Progress {
    shown: bool,
    began: Instant,
    all: u64,
    done: u64,
    broken: u64,
}

impl Progress {
    fn new(all: u64) -> Progress {
        Progress { shown: std::io::stderr().is_terminal(), began: Instant::now(), all, done: 0, broken: 0 }
    }

    fn tell(&mut self, line: &Line) {
        self.done += 1;
        self.broken += u64::from(line.broken.is_some());
        if !self.shown {
            return;
        }
        let (seconds, done) =
            (self.began.elapsed().as_secs_f64(), f64::from(u32::try_from(self.done).unwrap_or(u32::MAX)));
        let left = seconds / done * f64::from(u32::try_from(self.all - self.done).unwrap_or(u32::MAX));
        let rate = done / seconds * 60.0;
        let (done, all, broken) = (self.done, self.all, self.broken);
        eprint!("\r{done} of {all} seeds, {broken} broken, {rate:.0} a minute, {left:.0} s left   ");
    }

    fn end(&self) {
        if self.shown {
            eprintln!();
        }
    }
}
