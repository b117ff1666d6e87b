//! What a scenario means, in words: who does what when, what goes wrong, what must come of it.

use super::{How, Moment, Planned, Scenario, Span, Via};
use crate::fault;
use std::fmt::Write;

/// The story, line by line.
pub fn tell(scenario: &Scenario) -> String {
    let mut lines = vec![scenario.about.clone(), String::new()];
    for (_, when, what) in timeline(scenario) {
        lines.push(format!("{when:>28}  {what}"));
    }
    lines.push(format!("{:>28}  nothing goes wrong any more", scenario.lasts.to_string()));
    let rest = Span(scenario.lasts.0 + scenario.settles.0);
    lines.push(format!(
        "{:>28}  everything has come to rest; expected besides what must always hold:",
        rest.to_string()
    ));
    let expected = expected(scenario);
    match expected.is_empty() {
        true => lines.push(format!("{:>28}  nothing", "")),
        false => lines.extend(expected.into_iter().map(|line| format!("{:>28}  {line}", ""))),
    }
    lines.join("\n")
}

/// Place in the order, when, and what: what has a time first, then what follows something, by job.
fn timeline(scenario: &Scenario) -> Vec<((usize, u64), String, String)> {
    let mut all = Vec::new();
    for (n, job) in scenario.jobs.iter().enumerate() {
        let mut what = format!("{} asks {} for job {}: {}", job.by, place(job.via), n + 1, job.kind);
        what += &if job.does.is_empty() { String::new() } else { format!(" that does {:?}", job.does) };
        if let Some(after) = job.stop_after {
            let _ = write!(what, ", and stops it {after} after it began");
        }
        if job.left_alone {
            what += "; nobody presses anything for it by themselves";
        }
        all.push(((0, job.at.0), job.at.to_string(), what));
    }
    for says in &scenario.says {
        let how = match says.how {
            How::Plain => "writes",
            How::Edited => "changes their newest message to",
            How::Forwarded => "passes on a stranger's",
        };
        let late = says.late.map_or_else(String::new, |late| format!(", which arrives {late} late"));
        let (order, when) = due(says.at, says.when);
        all.push((order, when, format!("{} {how} {:?} {}{late}", says.by, says.text, place(says.via))));
    }
    for presses in &scenario.presses {
        let times = if presses.times == 1 { String::new() } else { format!(", {} times", presses.times) };
        let (order, when) = due(presses.at, presses.when);
        let what = format!("{} presses {:?} for job {}{times}", presses.by, presses.button, presses.job);
        all.push((order, when, what));
    }
    for Planned { at, when, fault } in &scenario.faults {
        let (order, when) = due(*at, *when);
        all.push((order, when, told(fault)));
    }
    if let Some(swarm) = &scenario.swarm {
        let (least, most) = swarm.jobs;
        all.push(((0, 0), "by chance".into(), format!("{least} to {most} jobs, and up to {} faults", swarm.faults)));
    }
    all.sort();
    all
}

fn due(at: Option<Span>, when: Option<Moment>) -> ((usize, u64), String) {
    let after = at.map_or(0, |at| at.0);
    match (when, at) {
        (None, _) => ((0, after), Span(after).to_string()),
        (Some(when), None) => ((when.job(), after), when.to_string()),
        (Some(when), Some(at)) => ((when.job(), after), format!("{when} + {at}")),
    }
}

fn place(via: Via) -> &'static str {
    match via {
        Via::Group => "in the group",
        Via::Private => "in private",
        Via::Cli => "on the command line",
    }
}

/// A fault with its fields, and what it is.
fn told(fault: &fault::Fault) -> String {
    let fields = toml::Table::try_from(fault).unwrap_or_default();
    let fields: Vec<String> = fields
        .iter()
        .filter(|(name, _)| *name != "fault")
        .map(|(name, value)| format!("{name} {}", value.to_string().trim_matches('"')))
        .collect();
    let kind = fault::KINDS.iter().find(|kind| kind.name == fault.name());
    let about = kind.map(|kind| super::schema::about(kind.about)).unwrap_or_default();
    let fields = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
    format!("{}{fields}: {about}", fault.name())
}

fn expected(scenario: &Scenario) -> Vec<String> {
    let mut all = Vec::new();
    for (n, job) in scenario.jobs.iter().enumerate() {
        let n = n + 1;
        all.extend(job.ends.as_ref().map(|ends| format!("job {n} ends {ends}")));
        all.extend(job.runs.map(|runs| format!("job {n} runs {runs} time(s)")));
        all.extend(job.attempts.map(|amount| format!("job {n} has {amount} attempt(s)")));
        all.extend(job.reported.map(|amount| format!("job {n} is reported {amount} time(s)")));
    }
    let fields = toml::Table::try_from(&scenario.expect).unwrap_or_default();
    for (name, value) in fields {
        all.push(format!("{}: {}", name.replace('_', " "), value.to_string().trim_matches('"')));
    }
    all
}
