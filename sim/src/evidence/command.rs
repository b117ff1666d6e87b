//! Commands: what was given, when the right answer was there, and what is wrong with it.
//!
//! A refusal that the oracle expects is a right answer. What was typed wrong is no command, and its answer is judged by
//! nobody. Whether the state followed is seen in what the machine ran after it.

use super::oracle::Lives;
use crate::people::{Given, STRANGER};
use crate::property::Evidence;
use mainstay_metric::ledger::{Command, Limited, Line};

/// A line a command.
pub(super) fn lines(e: &Evidence<'_>, given: &[Given], lives: &Lives) -> Vec<Line> {
    let judged = given.iter().zip(&lives.judged).filter(|(given, _)| given.by != STRANGER);
    let one = |(given, judged): (&Given, &super::oracle::Judged)| {
        let verb = given.verb?;
        let answered_ms = judged.reply.as_ref().map(|reply| reply.at);
        let followed = || answered_ms.and_then(|at| unfollowed(e, given, lives, at));
        Some(Line::Command(Command {
            at_ms: given.at,
            by: name(e, given.by.0),
            verb: verb.to_owned(),
            answered_ms,
            within_ms: judged.within_ms,
            wrong: judged.wrong.clone().or_else(followed),
            limited: limited(judged.reply.as_ref().map(|reply| reply.text.as_str())),
        }))
    };
    judged.filter_map(one).collect()
}

/// Who somebody is.
pub(super) fn name(e: &Evidence<'_>, id: i64) -> String {
    e.config.operators.get(&id).map_or_else(|| id.to_string(), |operator| operator.name.clone())
}

/// The daemon publishes no limit on how often an operator may ask: whoever is refused for that is refused within it.
fn limited(text: Option<&str>) -> Limited {
    let refused = text.is_some_and(|text| ["too often", "too many requests"].iter().any(|words| text.contains(words)));
    if refused { Limited::Within } else { Limited::No }
}

/// What was answered as done, and did not come about.
fn unfollowed(e: &Evidence<'_>, given: &Given, lives: &Lives, answered: i64) -> Option<String> {
    let task = given.task?;
    let life = lives.tasks.get(&task)?;
    let is_done = |at: i64| life.acts.iter().any(|act| act.at == at && act.done && Some(act.verb) == given.verb);
    if !is_done(given.at) {
        return None;
    }
    let later = |verb: &str| life.acts.iter().find(|act| act.verb == verb && act.at >= given.at).map(|act| act.at);
    let began = || e.ledger.iter().filter(|ran| ran.key.task.0 == task).map(|ran| ran.began_ms);
    match given.verb? {
        "resume" => {
            let ran = began().any(|at| at >= given.at - 1_000);
            // The machine was struck or out of slots for longer than it may wait: that is judged by where it ended.
            let excused = later("stop").is_some()
                || e.now_ms - given.at < life.kind.timeout_ms
                || lives.struck.iter().any(|at| *at >= given.at);
            (!ran && !excused).then(|| format!("task {task} was let run, and nothing of it ran"))
        }
        "stop" | "reject" => {
            let until = later("recover").unwrap_or(i64::MAX);
            let again = began().find(|at| (answered + 1..until).contains(at));
            again.map(|at| format!("task {task} was ended by {}, and ran at {at} ms", name(e, given.by.0)))
        }
        _ => None,
    }
}
