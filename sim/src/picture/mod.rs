//! A run as one page for any browser: what broke, in words, and what happened when, as a drawing. It needs nothing from
//! elsewhere, and no script.

mod chart;
mod focus;

use crate::run::Verdict;
use crate::scenario::Scenario;
use crate::trace::{Entry, Lane, seconds};
use chart::chart;
use focus::{Focus, focus};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// The page. `again` is the command that runs it once more.
pub fn page(scenario: &Scenario, verdict: &Verdict, again: &str) -> String {
    let end = verdict.simulated_ms;
    let mut body = head(scenario, verdict, again);
    if let Some(Focus { from, until, why, task }) = focus(verdict) {
        let shown = format!("{} s to {} s: {why}.", seconds(from), seconds(until));
        body += &section("Around the failure", &shown, &chart(&verdict.trace, from, until, true));
        let here = |entry: &&Entry| entry.at_ms <= until && entry.until_ms.unwrap_or(entry.at_ms) >= from;
        // Of other tasks only what could have to do with it is told.
        let mine = |e: &&Entry| task.is_none() || e.task == task || e.lane < Lane::Person || is_trouble(e);
        let near: Vec<&Entry> = verdict.trace.iter().filter(here).filter(|e| is_told(e)).filter(mine).collect();
        let _ =
            write!(body, "<details open><summary>What happened in it, in words</summary>{}</details>", table(&near));
    }
    let whole = "Each task has a row: the wide bar is its state by the daemon's record, the thin line below it what really \
                 ran on the machine (red: it left no receipt). Point at anything to read what it is.";
    body += &section("The whole run", whole, &chart(&verdict.trace, 0, end, false));
    let all: Vec<&Entry> = verdict.trace.iter().filter(|entry| is_told(entry)).collect();
    let _ = write!(body, "<details><summary>All of it in words</summary>{}</details>", table(&all));
    let title = verdict.broken.as_ref().map_or("everything held", |broken| broken.property);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Seed {}: {}</title><style>{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n",
        verdict.seed,
        escape(title)
    )
}

fn head(scenario: &Scenario, verdict: &Verdict, again: &str) -> String {
    let (class, title, how) = match &verdict.broken {
        Some(broken) => (
            "broken",
            format!("Broken: {}", broken.property),
            format!("{} (seen at {} s)", broken.how, seconds(broken.at_ms)),
        ),
        None => ("held", "Everything held".to_owned(), "No property was broken in this run.".to_owned()),
    };
    let facts = [
        ("Seed", verdict.seed.to_string()),
        ("Simulated", format!("{} s", seconds(verdict.simulated_ms))),
        ("Jobs asked for", verdict.jobs.to_string()),
        ("Faults", verdict.faults.to_string()),
        ("Programs started", verdict.ran.to_string()),
        ("Digest", format!("{:016x}", verdict.digest)),
    ];
    let facts: String =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>")).collect();
    format!(
        "<header class=\"{class}\"><h1>{}</h1><p class=\"how\">{}</p></header>\
         <p class=\"about\">Scenario: {}</p><dl>{facts}</dl><p>Run it again: <code>{}</code></p>",
        escape(&title),
        escape(&how),
        escape(&scenario.about),
        escape(again)
    )
}

fn section(title: &str, words: &str, drawing: &str) -> String {
    format!("<section><h2>{title}</h2><p>{}</p><div class=\"wide\">{drawing}</div></section>", escape(words))
}

/// What people read; the rest is in the trace.
fn is_told(entry: &Entry) -> bool {
    match entry.lane {
        Lane::Wire | Lane::Clock => false,
        Lane::Disk => is_trouble(entry),
        Lane::Fault | Lane::Daemon | Lane::Person | Lane::Task | Lane::Machine | Lane::Network | Lane::Record => true,
    }
}

/// Something did not go as it should: of the disk and the network, only that is worth a second look.
fn is_trouble(entry: &Entry) -> bool {
    match entry.lane {
        Lane::Disk => entry.words.contains(" failed") || entry.words.contains(" lost"),
        Lane::Network => {
            ![": 200", ": still waits", ": its client went away"].iter().any(|well| entry.words.contains(well))
        }
        Lane::Fault => entry.is_strike(),
        Lane::Daemon => entry.words.contains("ended") || entry.words.contains("off"),
        Lane::Person | Lane::Task | Lane::Machine | Lane::Record | Lane::Wire | Lane::Clock => false,
    }
}

fn table(entries: &[&Entry]) -> String {
    let rows: String = entries
        .iter()
        .map(|entry| {
            let class = if is_trouble(entry) { " class=\"trouble\"" } else { "" };
            let task = entry.task.map_or_else(String::new, |task| format!("#{task}"));
            let until = entry.until_ms.map_or_else(String::new, |until| format!(" (until {} s)", seconds(until)));
            let lane = entry.lane.name();
            format!(
                "<tr{class}><td>{}</td><td><i class=\"{lane}\"></i>{lane}</td><td>{task}</td><td>{}{until}</td></tr>",
                seconds(entry.at_ms),
                escape(&entry.words)
            )
        })
        .collect();
    format!(
        "<table><thead><tr><th>s</th><th>of</th><th>task</th><th>what</th></tr></thead><tbody>{rows}</tbody></table>"
    )
}

/// Text that is no markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
