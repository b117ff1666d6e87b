//! One life, cut off at each of its points; or at one of them.

mod all;
mod report;

use crate::{BROKEN, UNSTEADY};
use clap::{Args, ValueEnum};
use mainstay_sim::crash::Crash;
use mainstay_sim::crash::life::{self, live};
use mainstay_sim::crash::plan::Shard;
use mainstay_sim::crash::point::undisturbed;
use mainstay_sim::world::points::Passed;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  mainstay-simulate crash --quick                        some hundred lives, in under a minute
  mainstay-simulate crash --jobs 2                       every point
  mainstay-simulate crash --shard 2/4                    the second of four shares
  mainstay-simulate crash --points                       what there is to be cut
  mainstay-simulate crash --at disk:123                  the daemon is killed there
  mainstay-simulate crash --at disk:123/0b101            power is lost there; of what waits, the oldest and the third survive
  mainstay-simulate crash --at api:9/none --then disk:4  and during the recovery the daemon is killed
  mainstay-simulate crash --control lying-disk           must find something

A point is disk, machine, api or desk and a number, counted from the beginning, or for --then from the crash before.
What survives a power loss is none, all, torn, first:N, or a mask like 0b101, whose last digit is the oldest write.

Exit codes: 0 all held (with --control: it was found), 1 a property did not hold (with --control: nothing was found),
2 usage, 3 the same cut did not do the same twice.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Crashes {
    /// One crash only, with its story
    #[arg(long, value_name = "CRASH")]
    at: Option<Crash>,
    /// Another crash after that
    #[arg(long, value_name = "CRASH", requires = "at")]
    then: Option<Crash>,
    /// What is cut, and nothing more
    #[arg(long, conflicts_with = "at")]
    points: bool,
    /// So many points, evenly spread, instead of all
    #[arg(long, value_name = "N", conflicts_with = "at")]
    sample: Option<usize>,
    /// The same as --sample 100
    #[arg(long, conflicts_with_all = ["at", "sample"])]
    quick: bool,
    /// Second crashes during the recovery from each first kill and each first power loss
    #[arg(long, value_name = "N", default_value_t = 1)]
    again: u64,
    /// One share of several: 1/4 is the first of four
    #[arg(long, value_name = "M/N", value_parser = shard, default_value = "1/1")]
    shard: Shard,
    /// Processes at once; as many as there are cores when not given
    #[arg(long)]
    jobs: Option<usize>,
    /// Something is made wrong, and must be found; at 20 points when nothing else is said
    #[arg(long, value_enum)]
    control: Option<Control>,
    /// JSON instead of words
    #[arg(long)]
    json: bool,
    /// A line for each point as it is done: what is passed between processes
    #[arg(long, hide = true)]
    lines: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Control {
    /// A disk that says it synced, and did not
    LyingDisk,
    /// Commits that are not synced
    LazyCommits,
}

impl Crashes {
    fn control(&self) -> Option<life::Control> {
        self.control.map(|control| match control {
            Control::LyingDisk => life::Control::LyingDisk,
            Control::LazyCommits => life::Control::LazyCommits,
        })
    }

    fn sample(&self) -> Option<usize> {
        match (self.quick, self.control) {
            (true, _) => Some(100),
            // One finding is enough.
            (false, Some(_)) => self.sample.or(Some(20)),
            (false, None) => self.sample,
        }
    }
}

fn shard(text: &str) -> Result<Shard, String> {
    let wrong = || format!("{text:?} is no share: write 1/4 for the first of four");
    let (number, of) = text.split_once('/').ok_or_else(wrong)?;
    let (number, of): (usize, usize) = (number.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
    if (1..=of).contains(&number) { Ok(Shard { number: number - 1, of }) } else { Err(wrong()) }
}

pub(crate) fn crash(crashes: &Crashes) -> Result<ExitCode, String> {
    if let Some(at) = crashes.at {
        return one(crashes, &[Some(at), crashes.then].into_iter().flatten().collect::<Vec<_>>());
    }
    let undisturbed = match undisturbed(crashes.control()) {
        Ok(undisturbed) => undisturbed,
        Err(how) => {
            println!("{how}\nagain: cargo xtask sim crash --points{}", all::control(crashes));
            return Ok(ExitCode::from(BROKEN));
        }
    };
    match (crashes.points, crashes.lines) {
        (true, _) => Ok(points(crashes, &undisturbed)),
        (false, true) => all::lines(crashes, &undisturbed),
        (false, false) => all::all(crashes, &undisturbed),
    }
}

/// Lives once, and tells the story.
fn one(crashes: &Crashes, at: &[Crash]) -> Result<ExitCode, String> {
    let lived = live(at, crashes.control());
    if lived.passed.len() <= at.len() {
        let missed = at[lived.passed.len() - 1];
        return Err(format!("{missed} is never reached: `crash --points` lists what is"));
    }
    if crashes.json {
        let broken = lived.broken.as_ref();
        let line = serde_json::json!({
            "crashes": at.iter().map(Crash::to_string).collect::<Vec<_>>(),
            "broken": broken.map(|b| b.property),
            "how": broken.map(|b| &b.how),
            "at_ms": broken.map(|b| b.at_ms),
            "digest": format!("{:016x}", lived.digest),
            "ran": lived.ran,
            "simulated_ms": lived.simulated_ms,
        });
        println!("{line}");
    } else {
        for (at, what) in &lived.timeline {
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let seconds = *at as f64 / 1_000.0;
            println!("{seconds:>9.3} s  {what}");
        }
        match &lived.broken {
            None => println!("everything held; {} programs started; digest {:016x}", lived.ran, lived.digest),
            Some(broken) => println!("BROKEN: {}: {}", broken.property, broken.how),
        }
    }
    Ok(ExitCode::from(if lived.broken.is_some() { BROKEN } else { 0 }))
}

fn points(crashes: &Crashes, undisturbed: &[Passed]) -> ExitCode {
    for passed in undisturbed {
        let mut line = serde_json::json!({ "point": passed.point.to_string(), "what": &passed.what });
        line["at_ms"] = passed.at_ms.into();
        line["waiting"] = passed.waiting.into();
        if crashes.json {
            println!("{line}");
        } else {
            println!("{:>7} ms  {:<12} {} ({} waiting)", passed.at_ms, passed.point, passed.what, passed.waiting);
        }
    }
    ExitCode::SUCCESS
}

/// For all that was found: broken, or not the same twice.
fn code(broken: bool, unsteady: bool, control: bool) -> ExitCode {
    match (unsteady, broken == control) {
        (true, _) => ExitCode::from(UNSTEADY),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(BROKEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_counted_from_one() {
        assert_eq!(shard("2/4"), Ok(Shard { number: 1, of: 4 }));
        for text in ["0/4", "5/4", "1", "x/2", "1/0"] {
            assert!(shard(text).is_err_and(|error| error.contains("write 1/4")), "{text}");
        }
    }

    #[test]
    fn with_a_control_it_is_right_to_find_something() {
        let is = |code: ExitCode, should: u8| format!("{code:?}") == format!("{:?}", ExitCode::from(should));
        assert!(is(code(false, false, false), 0) && is(code(true, false, false), BROKEN));
        assert!(is(code(true, false, true), 0) && is(code(false, false, true), BROKEN));
        assert!(is(code(true, true, false), UNSTEADY) && is(code(false, true, true), UNSTEADY));
    }
}
