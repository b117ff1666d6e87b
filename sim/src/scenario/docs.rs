//! `docs/SCENARIOS.md`: everything that a scenario file may say.

use super::Span;
use super::check::{OUTCOMES, example, persons};
use super::grammar::{DUE, EXPECT, FILE, JOB, Key, PRESSES, SAYS, SOAK, SWARM, Takes};
use super::schema::about;
use super::words::{BUTTONS, DOES, Moment, Word, may_stay};
use crate::fault;
use mainstay::anomaly::ANOMALIES;
use mainstay::event::Fact;
use mainstay::task::State;
use std::fmt::Write;

/// Where it is written, seen from the top of the repository.
pub const PATH: &str = "docs/SCENARIOS.md";

const INTRODUCTION: &str = "\
# Scenarios

<!-- generated from sim/src/scenario and sim/src/fault: cargo xtask scenario docs -->

A scenario is a file in `scenarios/`: what people ask for, what goes wrong and when, and what must come of it. It is played
by the simulator against the daemon as it is in production. `cargo xtask scenario new NAME` writes one to begin with,
`cargo xtask scenario check FILE` says what is wrong with it or what it means, `cargo xtask sim run FILE` plays it.

Whatever a scenario says, all properties of the simulation must hold as well: nothing acknowledged is lost, nothing runs
twice, every end is reported, strangers are told nothing, and so on. `[expect]` and the keys of a job add what this story is
about.

People do by themselves what people do: three of them ask, look, approve each other's tasks, resume their own, lose patience
and press again. `ana` is careful, `ben` hasty (he taps twice, asks again, and tries what he may not), `cleo` absent-minded
(she takes minutes). How fast they are follows from the seed.
";

/// The file's text.
pub fn text() -> String {
    let mut md = String::from(INTRODUCTION);
    section(&mut md, "A file", "", &[FILE]);
    section(&mut md, "`[[job]]`", "", &[JOB]);
    kinds(&mut md);
    words(&mut md, "What a task does", &DOES);
    let states: Vec<String> =
        State::ALL.iter().filter(|state| may_stay(**state)).map(|state| format!("`{state}`")).collect();
    let outcomes = OUTCOMES.map(|outcome| format!("`{outcome}`")).join(", ");
    let _ = writeln!(md, "\n`ends` is one of {}, alone or followed by one of {outcomes}.", states.join(", "));
    md += "\n## When\n\nA fault, a word or a press has `at`, `when`, or both: `at` counts from the beginning, or from what `when` \
           names. Nothing new happens after `lasts`.\n";
    let moments = Moment::WHAT.map(|Word { name, about }| (format!("job 1 {name}"), about));
    let _ = writeln!(md, "\n| `when` | |\n| --- | --- |");
    for (name, about) in moments {
        let _ = writeln!(md, "| `\"{name}\"` | {about} |");
    }
    section(&mut md, "`[[says]]`", "", &[SAYS]);
    let _ = writeln!(md, "\n`by` is one of {}.", persons().join(", "));
    section(&mut md, "`[[presses]]`", "", &[PRESSES]);
    words(&mut md, "What stands on buttons", &BUTTONS);
    faults(&mut md);
    section(
        &mut md,
        "`[expect]`",
        "An amount is a number, `\"at least 2\"`, `\"at most 3\"` or `\"2 to 3\"`.\n",
        &[EXPECT],
    );
    let events = Fact::KINDS.map(|kind| format!("`{kind}`")).join(", ");
    let _ = writeln!(md, "\nEvents that can be on record: {events}.");
    let anomalies = ANOMALIES.map(|anomaly| format!("`{}`", anomaly.name)).join(", ");
    let _ = writeln!(md, "\nAnomalies: {anomalies}.");
    section(
        &mut md,
        "`[swarm]`",
        "Each seed draws which kinds of fault there are at all, about a third of them, and how often each.\n",
        &[SWARM],
    );
    section(
        &mut md,
        "`[soak]`",
        "Faults strike at any hour but the last quarter of one, so that there is time to recover from each.\n",
        &[SOAK],
    );
    md
}

fn section(md: &mut String, title: &str, before: &str, keys: &[&'static [Key]]) {
    let _ = writeln!(md, "\n## {title}\n");
    if !before.is_empty() {
        let _ = writeln!(md, "{before}");
    }
    table(md, keys);
}

fn table(md: &mut String, keys: &[&'static [Key]]) {
    md.push_str("| key | takes | else | |\n| --- | --- | --- | --- |\n");
    for key in keys.iter().flat_map(|keys| keys.iter()) {
        let default = match key.rule.default {
            None => "needed".to_owned(),
            Some("") => String::new(),
            Some(default) => format!("`{default}`"),
        };
        let _ = writeln!(md, "| `{}` | {} | {default} | {} |", key.name, takes(key.rule.takes), about(key.about));
    }
}

/// The kinds of task, with what is not as usual about them.
fn kinds(md: &mut String) {
    md.push_str("\n| kinds of task | approvals | attempts | |\n| --- | --- | --- | --- |\n");
    for (name, kind) in crate::people::config().kinds {
        let usual = mainstay::config::Kind::new(&name, kind.heavy, Vec::new());
        let mut more = vec![if kind.heavy { "heavy" } else { "light" }.to_owned()];
        let mut tell = |what: String, is_told: bool| more.extend(is_told.then_some(what));
        tell("may be repeated whatever it did".into(), kind.idempotent);
        tell(
            format!("only exit codes {:?} are tried again", kind.transient_exit_codes),
            !kind.transient_exit_codes.is_empty(),
        );
        tell(format!("{} at a time", kind.concurrency), kind.concurrency != usual.concurrency);
        tell("needs a plan".into(), kind.requires_plan);
        tell("needs a passed review".into(), kind.requires_review);
        let span = |ms: i64| Span(ms.unsigned_abs());
        tell(
            format!("waits for people for {}", span(kind.approval_ttl_ms)),
            kind.approval_ttl_ms != usual.approval_ttl_ms,
        );
        tell(format!("waits in the queue for {}", span(kind.queue_ttl_ms)), kind.queue_ttl_ms != usual.queue_ttl_ms);
        tell(format!("runs for {} at the most", span(kind.timeout_ms)), true);
        let _ = writeln!(md, "| `{name}` | {} | {} | {} |", kind.approvals, kind.max_attempts, more.join(", "));
    }
}

fn words(md: &mut String, title: &str, words: &[Word]) {
    let _ = writeln!(md, "\n| {title} | |\n| --- | --- |");
    for Word { name, about } in words {
        let _ = writeln!(md, "| `{name}` | {about} |");
    }
}

fn faults(md: &mut String) {
    md.push_str("\n## `[[fault]]`\n\n");
    md.push_str("`fault` says which, beside `at` and `when`. With a star: chance draws it in a swarm.\n");
    for kind in fault::KINDS {
        let star = if kind.draw.is_some() { " \\*" } else { "" };
        let _ = writeln!(md, "\n### `{}`{star}\n\n{}\n", kind.name, about(kind.about));
        if !kind.keys.is_empty() {
            table(md, &[kind.keys]);
        }
        for key in kind.keys {
            if let Takes::Word(values) = key.rule.takes {
                words(md, &format!("`{}`", key.name), values);
            }
        }
    }
    debug_assert!(DUE.len() == 2, "the sentence above names both");
}

fn takes(takes: Takes) -> String {
    match takes {
        Takes::Text => "a text".into(),
        Takes::Said => "a text".into(),
        Takes::Texts => "a list of texts".into(),
        Takes::Time => "a time, like `\"250ms\"`, `\"30s\"`, `\"10m\"`".into(),
        Takes::Bool => "true or false".into(),
        Takes::Number(least, i64::MAX) => format!("a whole number from {least} up"),
        Takes::Number(least, most) => format!("a whole number from {least} to {most}"),
        Takes::Pair(..) => "two whole numbers".into(),
        Takes::Amount => "an amount".into(),
        Takes::Job => "the number of a job".into(),
        Takes::Word(values) => values.iter().map(|word| format!("`{}`", word.name)).collect::<Vec<_>>().join(", "),
        Takes::Operator | Takes::Person => "a name".into(),
        Takes::Kind => "a kind".into(),
        Takes::Moment => format!("a moment, like `{}`", example(takes)),
        Takes::Does => format!("words, like `{}`", example(takes)),
        Takes::Ends => format!("an end, like `{}`", example(takes)),
        Takes::Anomalies | Takes::Rates => format!("amounts, like `{}`", example(takes)),
        Takes::Events => format!("amounts, like `{}`", example(takes)),
        Takes::Table(_) => "a table".into(),
        Takes::Tables(_) | Takes::Faults => "tables".into(),
    }
}
