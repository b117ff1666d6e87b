//! The smallest scenario that still fails as a seed or a scenario does.

use crate::one::Which;
use crate::pool::{cores, program};
use crate::share::Line;
use crate::{BROKEN, SWARM, Trouble};
use clap::Args;
use mainstay_sim::run::resolve;
use mainstay_sim::scenario::Scenario;
use mainstay_sim::shrink::{Trial, shrink, text};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// `shrink`
#[derive(Args)]
pub(crate) struct Shrink {
    /// A seed of the swarm, or a scenario file with its seed in it
    what: String,
    /// The scenario that the seed is of
    #[arg(long, value_name = "FILE", default_value = SWARM)]
    of: PathBuf,
    /// Where the smallest scenario is written; on the screen when not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Processes at once; as many as there are cores when not given
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    jobs: Option<u64>,
    /// How long it may take, s
    #[arg(long, default_value_t = 50)]
    seconds: u64,
}

/// A candidate that takes so long has no end, which is another failure.
const ENDLESS: Duration = Duration::from_secs(20);

pub(crate) fn run(wanted: &Shrink) -> Result<ExitCode, Trouble> {
    let which = Which::of(&wanted.what, &wanted.of)?;
    let whole = resolve(&which.scenario, which.seed);
    let began = Instant::now();
    let mut tries = Tries {
        program: program()?,
        jobs: usize::try_from(wanted.jobs.unwrap_or_else(cores)).unwrap_or(1),
        until: began + Duration::from_secs(wanted.seconds),
        property: String::new(),
        tried: 0,
        shown: std::io::stderr().is_terminal(),
    };
    let Some(first) = tries.verdict(&whole)? else {
        println!("seed {} of {}: everything held: there is nothing to shrink", which.seed, which.file.display());
        return Ok(ExitCode::SUCCESS);
    };
    tries.property = first.broken.clone().unwrap_or_default();
    let small = shrink(&whole, &mut tries).map_err(Trouble::machine)?;
    if tries.shown {
        eprintln!();
    }
    let last = tries.verdict(&small)?.ok_or_else(|| Trouble::machine("what was left failed and fails no more"))?;
    let small = Scenario { about: format!("{}: what broke it once holds", tries.property), ..small };
    let notes = notes(&which, &whole, &small, &last);
    let text = text(&small, &notes).map_err(Trouble::machine)?;
    match &wanted.out {
        Some(path) => {
            write(path, &text)?;
            println!("written: {}", path.display());
            println!("again:   cargo xtask sim run {}", path.display());
        }
        None => print!("{text}"),
    }
    eprintln!(
        "{}: {} faults and {} jobs are left of {} and {}, after {} runs in {:.0} s",
        tries.property,
        small.faults.len(),
        small.jobs.len(),
        whole.faults.len(),
        whole.jobs.len(),
        tries.tried,
        began.elapsed().as_secs_f64()
    );
    Ok(ExitCode::from(BROKEN))
}

fn notes(which: &Which, whole: &Scenario, small: &Scenario, last: &Line) -> Vec<String> {
    vec![
        format!("Broken: {}.", last.broken.as_deref().unwrap_or_default()),
        format!("How: {}", last.how.as_deref().unwrap_or("no verdict")),
        format!(
            "Found by seed {} of {}; shrunk from {} faults and {} jobs to {} and {}.",
            which.seed,
            which.file.display(),
            whole.faults.len(),
            whole.jobs.len(),
            small.faults.len(),
            small.jobs.len()
        ),
    ]
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Trouble::machine(format!("{}: {error}; say another --out", path.display())))
}

/// Runs candidates, each in a process of its own: one simulation at a time, and none that another one has touched.
struct Tries {
    program: PathBuf,
    jobs: usize,
    until: Instant,
    /// What a candidate has to break.
    property: String,
    tried: u32,
    shown: bool,
}

impl Trial for Tries {
    fn first_failing(&mut self, candidates: &[Scenario]) -> Option<usize> {
        for (n, some) in candidates.chunks(self.jobs).enumerate() {
            if self.is_over() {
                return None;
            }
            let runs: Vec<Option<Running>> = some.iter().map(|one| Running::start(&self.program, one).ok()).collect();
            self.tried += u32::try_from(runs.len()).unwrap_or(0);
            self.tell();
            // All of them are waited for, and the first counts: what is found does not depend on which was quicker.
            let verdicts: Vec<Option<Line>> = runs.into_iter().map(|run| run?.verdict()).collect();
            let fails = |line: &Option<Line>| line.as_ref().is_some_and(|l| l.broken.as_ref() == Some(&self.property));
            if let Some(first) = verdicts.iter().position(fails) {
                return Some(n * self.jobs + first);
            }
        }
        None
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

impl Tries {
    /// What is broken in a run, if anything.
    fn verdict(&mut self, scenario: &Scenario) -> Result<Option<Line>, Trouble> {
        self.tried += 1;
        let line = Running::start(&self.program, scenario)?.verdict();
        let line =
            line.ok_or_else(|| Trouble(crate::LOST, "the run panics or does not end: that is not shrunk".into()))?;
        Ok(line.broken.is_some().then_some(line))
    }

    fn tell(&self) {
        if self.shown {
            let left = self.until.saturating_duration_since(Instant::now()).as_secs();
            eprint!("\r{} runs, at most {left} s left   ", self.tried);
        }
    }
}

/// A candidate that runs.
struct Running(Child);

impl Running {
    fn start(program: &Path, scenario: &Scenario) -> Result<Running, Trouble> {
        let text = text(scenario, &[]).map_err(Trouble::machine)?;
        let mut child = Command::new(program)
            .args(["run", "--json", "/dev/stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Trouble::machine)?;
        let stdin = child.stdin.take();
        if let Some(mut stdin) = stdin {
            stdin.write_all(text.as_bytes()).map_err(Trouble::machine)?;
        }
        Ok(Running(child))
    }

    /// Its verdict; none when it has none.
    fn verdict(mut self) -> Option<Line> {
        let began = Instant::now();
        while self.0.try_wait().ok()?.is_none() {
            if began.elapsed() > ENDLESS {
                // Its own child, and nobody waits for it any more.
                let _ = self.0.kill();
                let _ = self.0.wait();
                return None;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut text = String::new();
        self.0.stdout.take()?.read_to_string(&mut text).ok()?;
        serde_json::from_str(text.lines().last()?).ok()
    }
}
