//! Every point, by several processes: chance of SQLite belongs to a process, and it lives one life at a time.

use super::report::{Line, Summary};
use super::{Crashes, code};
use clap::ValueEnum;
use mainstay_sim::crash::plan::{Shard, places};
use mainstay_sim::crash::point::{Depth, cut_at};
use mainstay_sim::world::points::Passed;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

/// The share of one process: a line for each point.
pub(super) fn lines(crashes: &Crashes, points: &[Passed]) -> Result<ExitCode, String> {
    let depth = Depth { again: crashes.again, control: crashes.control() };
    let mut out = std::io::stdout().lock();
    for place in places(points, crashes.sample(), crashes.shard) {
        let line = Line::new(place, &points[place], &cut_at(points, place, depth));
        let text = serde_json::to_string(&line).map_err(|error| error.to_string())?;
        writeln!(out, "{text}").map_err(|error| error.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn all(crashes: &Crashes, points: &[Passed]) -> Result<ExitCode, String> {
    let began = Instant::now();
    let wanted = places(points, crashes.sample(), crashes.shard).len();
    let jobs = crashes.jobs.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let jobs = jobs.clamp(1, wanted.max(1));
    let mut children = Vec::new();
    for job in 0..jobs {
        children.push(child(crashes, crashes.shard.part(job, jobs))?);
    }
    let lines = gather(&mut children, wanted)?;
    let summary = Summary::new(lines, began.elapsed().as_secs_f64());
    if crashes.json {
        println!("{}", serde_json::to_string(&summary).map_err(|error| error.to_string())?);
    } else {
        print!("{}", summary.words(crashes.shard, &control(crashes)));
    }
    Ok(code(summary.broken(), summary.unsteady(), crashes.control.is_some()))
}

/// As it is said on the command line.
pub(super) fn control(crashes: &Crashes) -> String {
    let value = crashes.control.and_then(|control| control.to_possible_value());
    value.map_or_else(String::new, |value| format!(" --control {}", value.get_name()))
}

fn child(crashes: &Crashes, shard: Shard) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(&program);
    command.args(["crash", "--lines", "--again", &crashes.again.to_string()]);
    command.args(["--shard", &format!("{}/{}", shard.number + 1, shard.of)]);
    if let Some(sample) = crashes.sample() {
        command.args(["--sample", &sample.to_string()]);
    }
    command.args(control(crashes).split_whitespace());
    command.stdout(Stdio::piped()).spawn().map_err(|error| format!("{}: {error}", program.display()))
}

/// All that they tell, with progress on a terminal.
fn gather(children: &mut [Child], wanted: usize) -> Result<Vec<Line>, String> {
    let (send, receive) = std::sync::mpsc::channel();
    for child in &mut *children {
        let (stdout, send) = (child.stdout.take().ok_or("a child without output")?, send.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more when another one's line could not be read.
                let _ = send.send(line);
            }
        });
    }
    drop(send);
    let progress = std::io::stderr().is_terminal();
    let (began, mut lines, mut lives, mut found) = (Instant::now(), Vec::new(), 0, 0);
    for text in receive {
        let line: Line = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        lives += line.lives();
        found += line.found.len();
        lines.push(line);
        if progress {
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let (done, of) = (lines.len() as f64, wanted as f64);
            let seconds = began.elapsed().as_secs_f64();
            eprint!(
                "\r{done} of {of} points, {lives} lives, {found} found, {:.1} points a second, {:.0} s left   ",
                done / seconds,
                seconds / done * (of - done)
            );
        }
    }
    if progress {
        eprintln!();
    }
    for child in children {
        let status = child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("a process ended with {status}"));
        }
    }
    Ok(lines)
}
