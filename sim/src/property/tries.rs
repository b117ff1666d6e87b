//! How often what fails is tried again, as the world saw it, against the table of limits (`mainstay policy`): the numbers
//! come from there.

use super::{Evidence, Part, traffic};
use crate::botapi::{Method, Outcome, Record};
use crate::world::is_poll;
use mainstay::policy;
use mainstay::policy::matrix::{Limits, matrix};
use std::collections::BTreeMap;

const MINUTE_MS: i64 = 60_000;
/// A request that a slow line held up arrives together with the one after it.
const HELD_UP: usize = 2;

/// In no minute more than each class's row says, for the class as a whole and for each message and attempt.
pub(super) fn as_the_table_says(e: &Evidence<'_>) -> Result<(), String> {
    polls(e)?;
    sends(e)?;
    starts(e)?;
    opens(e)
}

/// Tries a minute that a class of the table allows.
fn most(e: &Evidence<'_>, name: &str) -> Result<usize, String> {
    let class = matrix(e.config).into_iter().find(|class| class.class == name);
    let value = class.and_then(|class| class.values.into_iter().find(|value| value.limits == Limits::TriesAMinute));
    value
        .and_then(|value| usize::try_from(value.number).ok())
        .ok_or_else(|| format!("the table has no number for {name}"))
}

/// `times`, in order, against a number for any minute. Each daemon's life begins by trying: `burst` more for each that began
/// in that minute.
fn within(e: &Evidence<'_>, what: &str, times: &[i64], most: usize, burst: usize) -> Result<(), String> {
    let mut first = 0;
    e.looked.many(times.len());
    for (n, until) in times.iter().enumerate() {
        while times[first] + MINUTE_MS <= *until {
            first += 1;
        }
        let (tries, from) = (n + 1 - first, times[first]);
        if tries <= most {
            continue;
        }
        let began = |at: i64| (from..=*until).contains(&at);
        let lives = 1 + e.outages.spans(Part::Daemon).filter(|(_, until)| began(*until)).count();
        let most = most + lives * burst;
        if tries > most {
            return Err(format!("{what}: {tries} tries in the minute from {from} ms, at most {most} are allowed"));
        }
    }
    Ok(())
}

/// Polls that failed.
fn polls(e: &Evidence<'_>) -> Result<(), String> {
    let failed = |record: &&Record| match &record.outcome {
        Outcome::Struck { fault, .. } => *fault != "slow",
        Outcome::Answered { status, .. } => *status != 200,
        Outcome::Waiting | Outcome::Abandoned => false,
    };
    let times: Vec<i64> = e
        .telegram
        .look(|t| t.log().iter().filter(|r| is_poll(r)).filter(failed).map(|record| traffic::at(e, record)).collect());
    within(e, "polls", &times, most(e, "telegram poll")?, HELD_UP)
}

/// What a call for a message came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It got through, be it to be refused.
    Through,
    /// It did not, and that says nothing about the message.
    Not,
    /// It was told to wait, or nobody can tell.
    Else,
}

fn sent(outcome: &Outcome) -> Sent {
    match outcome {
        Outcome::Struck { fault: "slow", .. } => Sent::Through,
        Outcome::Struck { fault: "429", .. } | Outcome::Answered { status: 429, .. } => Sent::Else,
        Outcome::Struck { .. } => Sent::Not,
        Outcome::Answered { .. } => Sent::Through,
        Outcome::Waiting | Outcome::Abandoned => Sent::Else,
    }
}

/// Messages: all together while none gets through, and each for itself.
fn sends(e: &Evidence<'_>) -> Result<(), String> {
    let most = most(e, "telegram send")?;
    let is_message = |record: &&Record| {
        matches!(
            Method::parse(&record.method),
            Some(Method::SendMessage | Method::EditMessageText | Method::SendDocument)
        )
    };
    let mut broken: Vec<Vec<i64>> = vec![Vec::new()];
    let mut each: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    e.telegram.look(|t| {
        for record in t.log().iter().filter(is_message) {
            let at = traffic::at(e, record);
            let sent = sent(&record.outcome);
            match sent {
                Sent::Through => broken.push(Vec::new()),
                Sent::Not => broken.last_mut().into_iter().for_each(|run| run.push(at)),
                Sent::Else => {}
            }
            if sent != Sent::Through {
                let body = &record.body;
                let place = format!("{} {} {} {}", record.method, body["chat_id"], body["message_id"], body["text"]);
                each.entry(place).or_default().push(at);
            }
        }
    });
    for run in broken {
        // Calls that are under way together fail together, and one failed call is no outage yet.
        within(e, "messages, while none gets through", &run, most, 2 * policy::SENDS_AT_ONCE)?;
    }
    each.iter().try_for_each(|(what, times)| within(e, what, times, most, HELD_UP))
}

/// Starts that the machine was short of something for.
fn starts(e: &Evidence<'_>) -> Result<(), String> {
    let most = most(e, "dispatch start")?;
    let mut broken: Vec<Vec<i64>> = vec![Vec::new()];
    let mut each: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for tried in &e.tried {
        if tried.failed {
            broken.last_mut().into_iter().for_each(|run| run.push(tried.at_ms));
            each.entry(format!("starts of attempt {}", tried.key)).or_default().push(tried.at_ms);
        } else {
            broken.push(Vec::new());
        }
    }
    for run in broken {
        // What was begun before the first of them failed.
        let slots = usize::try_from(e.config.running_max).unwrap_or(usize::MAX);
        within(e, "starts, while all fail", &run, most, slots)?;
    }
    each.iter().try_for_each(|(what, times)| within(e, what, times, most, 1))
}

/// The database, opened again and again.
fn opens(e: &Evidence<'_>) -> Result<(), String> {
    // A start looks twice: for its log to be emptied, and to be used.
    within(e, "opening the database", &e.opened, most(e, "storage failed")?, 2)
}
