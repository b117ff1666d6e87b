//! What runs came to, for people.

use crate::Verdict;
use mainstay_metric::ledger::Line;
use std::collections::{BTreeMap, BTreeSet};

/// What is counted over all runs.
#[derive(Default)]
struct Sums {
    seed: u64,
    runs: u64,
    tasks: u64,
    /// Of each class, how long it took to be well again, ms.
    classes: BTreeMap<String, Vec<i64>>,
    looked: BTreeMap<String, u64>,
    forged: BTreeSet<String>,
    left_out: Vec<String>,
    off: Vec<String>,
}

/// Prints it; whether all held.
pub(super) fn summary(lines: &[Line], seconds: f64) -> Verdict {
    let mut sums = Sums::default();
    lines.iter().for_each(|line| sums.add(line));
    sums.tell(seconds);
    if sums.off.is_empty() { Verdict::Good } else { Verdict::Off }
}

impl Sums {
    fn off(&mut self, what: &str) {
        self.off.push(format!("seed {}: {what}", self.seed));
    }

    fn add(&mut self, line: &Line) {
        match line {
            Line::Run(run) => {
                self.seed = run.seed;
                self.runs += 1;
            }
            Line::Task(_) => self.tasks += 1,
            Line::Property(property) => {
                *self.looked.entry(property.name.clone()).or_default() += property.looked;
                if let Some(why) = &property.broken {
                    self.off(&format!("{}: {why}", property.name));
                }
            }
            Line::Fault(fault) => {
                let well = fault.recovered_ms.map_or(i64::MAX, |at| at - fault.over_ms);
                self.classes.entry(fault.class.clone()).or_default().push(well);
            }
            Line::Command(command) => {
                if let Some(why) = &command.wrong {
                    self.off(&format!("/{} was answered wrongly: {why}", command.verb));
                }
            }
            Line::Step(step) => match step.held {
                Some(true) if step.name.starts_with("forged ") => drop(self.forged.insert(step.seen.clone())),
                Some(true) => {}
                Some(false) => self.off(&format!("{}: {}", step.name, step.seen)),
                None => self.left_out.push(format!("{}: {}", step.name, step.seen)),
            },
            Line::End(end) => {
                if let Some(why) = &end.cut_off {
                    self.off(&format!("cut off: {why}"));
                }
            }
            Line::Execution(_)
            | Line::Mutant(_)
            | Line::Slices(_)
            | Line::Act(_)
            | Line::Rerun(_)
            | Line::Figure(_) => {}
        }
    }

    fn tell(&mut self, seconds: f64) {
        let blows: usize = self.classes.values().map(Vec::len).sum();
        let rate = blows as f64 / seconds;
        tell!("{blows} blows at {} tasks in {} runs, {rate:.1} a second", self.tasks, self.runs);
        for (class, times) in &mut self.classes {
            times.sort_unstable();
            let (middle, worst) = (times[times.len() / 2], times.last().copied().unwrap_or_default());
            tell!("  {:>5} x {class:<12} well again after {middle} ms, at worst {worst} ms", times.len());
        }
        for (name, looked) in &self.looked {
            tell!("  {looked:>5} x {name}");
        }
        tell!("  {} kinds of forgery noticed", self.forged.len());
        self.left_out.iter().for_each(|what| tell!("left out: {what}"));
        self.off.iter().for_each(|what| tell!("off: {what}"));
    }
}
