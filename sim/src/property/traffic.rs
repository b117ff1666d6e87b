//! What was asked of Telegram, by its own books.

use super::{Evidence, Part};
use crate::botapi::{Method, Millis, Outcome, Record};
use crate::world::is_poll;
use std::collections::{BTreeMap, BTreeSet};

/// A poll waits 30 s at the server; after trouble the next begins within half a minute, and one that hangs is given up
/// after 45 s.
const POLL_GAP_MS: i64 = 80_000;
/// Between two polls at the least, over any minute: what polls that are all answered at once may reach.
const POLLS_A_MINUTE: usize = 120;

pub(super) fn at(e: &Evidence<'_>, record: &Record) -> i64 {
    let Millis(at) = record.at;
    i64::try_from(at).unwrap_or(i64::MAX) - e.epoch_ms
}

/// More requests in ten seconds than any burst of cards needs, or polls without a pause.
pub(super) fn no_tight_loop(e: &Evidence<'_>) -> Result<(), String> {
    const MOST: usize = 200;
    let mut windows: BTreeMap<i64, usize> = BTreeMap::new();
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    let mut answered = BTreeSet::new();
    e.telegram.look(|t| {
        for record in t.log().iter() {
            let minute = at(e, record) / 60_000;
            // People press as often as they like while nobody answers, and each press is answered: once.
            let is_answer = Method::parse(&record.method) == Some(Method::AnswerCallbackQuery);
            let answers = is_answer.then(|| record.body["callback_query_id"].to_string());
            let is_first = answers.is_some_and(|press| answered.insert(press));
            *windows.entry(at(e, record) / 10_000).or_default() += usize::from(!is_first);
            *minutes.entry(minute).or_default() += usize::from(is_poll(record));
        }
    });
    e.looked.many(windows.len() + minutes.len());
    if let Some((window, n)) = windows.into_iter().find(|(_, n)| *n > MOST) {
        return Err(format!("{n} requests in the ten seconds from {window}0 s"));
    }
    // A new daemon begins anew: each of its lives may ask once at once.
    let lives = e.events.iter().filter(|r| r.fact.kind() == "booted").count();
    match minutes.into_iter().find(|(_, n)| *n > POLLS_A_MINUTE + lives) {
        Some((minute, n)) => Err(format!("{n} polls in minute {minute}")),
        None => Ok(()),
    }
}

/// What keeps a daemon from polling: also a disk on which it can record nothing, since it would lose what it heard. Processes
/// that can't be killed do not.
const KEEPS_FROM_POLLING: [Part; 5] = [Part::Daemon, Part::Line, Part::Speed, Part::Telegram, Part::Disk];

pub(super) fn poll_recovers(e: &Evidence<'_>) -> Result<(), String> {
    let mut polls: Vec<i64> =
        e.telegram.look(|t| t.log().iter().filter(|record| is_poll(record)).map(|record| at(e, record)).collect());
    polls.insert(0, 0);
    polls.push(e.now_ms);
    let gaps = polls.windows(2).map(|pair| (pair[0], pair[1]));
    for (from, until) in gaps {
        e.looked.one();
        let excused = e.outages.between(&KEEPS_FROM_POLLING, from, until);
        let most = POLL_GAP_MS + excused;
        if until - from > most {
            return Err(format!(
                "no poll from {from} to {until} ms, with {excused} ms out of order in between; at most {most} ms are needed"
            ));
        }
    }
    Ok(())
}

/// After a refusal with `retry_after`, the chat is left alone for so long.
pub(super) fn flood_waits_obeyed(e: &Evidence<'_>) -> Result<(), String> {
    // Where and until when, by method's family: polls, and messages of a chat.
    let mut refused: BTreeMap<(bool, i64), (i64, i64)> = BTreeMap::new();
    e.telegram.look(|t| {
        for record in t.log().iter() {
            let now = at(e, record);
            let chat = record.body["chat_id"].as_i64().unwrap_or(0);
            let place = (is_poll(record), chat);
            let counts = is_poll(record) || chat != 0;
            let waits = refused.get(&place).copied().filter(|_| counts);
            e.looked.many(usize::from(waits.is_some()));
            if let Some((since, until)) = waits
                && now < until
                // A daemon that died before it had put it on record may ask again.
                && !e.outages.any(&[Part::Daemon, Part::Disk], since, now)
            {
                return Err(format!("{} to chat {chat} at {now} ms, refused until {until} ms", record.method));
            }
            if let Some(wait_ms) = flood_wait_ms(record) {
                refused.insert(place, (now, now + wait_ms));
            }
        }
        Ok(())
    })
}

/// How long a refusal says to wait, ms, less what the answer took.
fn flood_wait_ms(record: &Record) -> Option<i64> {
    let seconds = match &record.outcome {
        Outcome::Answered { status: 429, description: Some(text) } => {
            text.rsplit(' ').next().and_then(|seconds| seconds.parse::<i64>().ok())?
        }
        Outcome::Struck { fault: "429", .. } => 5,
        Outcome::Answered { .. } | Outcome::Struck { .. } | Outcome::Waiting | Outcome::Abandoned => return None,
    };
    Some(seconds * 1_000 - 500)
}
