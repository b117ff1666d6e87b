//! What people are told without having asked: by what can be read in the chats, and by Telegram's books.

use super::{Evidence, Part};
use crate::botapi::{ChatId, Millis, Outcome, Record};
use crate::people::{REPEAT_MARK, chats, job_of, task_of};
use crate::world::World;
use crate::world::machine::Ran;
use mainstay::policy;
use std::collections::BTreeSet;

/// A line of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Where it can be read.
    pub chat: ChatId,
    /// The anomaly's name.
    pub anomaly: String,
    /// The task that it is about, if it is about one.
    pub task: Option<i64>,
    /// That it is over.
    pub is_over: bool,
    /// That it was, and is over.
    pub is_both: bool,
    /// It says of itself that it may be a repeat.
    pub is_repeat: bool,
}

/// All that people can read of alerts, in the order of the chats.
pub fn alerts(world: &World) -> Vec<Told> {
    let screens = chats().into_iter().map(|chat| (chat, world.telegram.look(|t| t.screen(chat))));
    let all = screens.flat_map(|(chat, screen)| {
        let ours = screen.messages.into_iter().filter(|message| message.is_bot);
        ours.flat_map(move |message| in_message(chat, &message.text))
    });
    all.collect()
}

fn in_message(chat: ChatId, text: &str) -> Vec<Told> {
    let plain = text.strip_prefix(REPEAT_MARK).unwrap_or(text);
    let one = |line: &str| {
        let (verb, rest) = line.split_once(' ')?;
        let is_over = match verb {
            "alert" => false,
            "over" => true,
            _ => return None,
        };
        let (head, words) = rest.split_once(": ")?;
        let anomaly = head.split(' ').next()?.to_owned();
        let is_both = is_over && words.contains("; ");
        Some(Told { chat, anomaly, task: task_of(rest), is_over, is_both, is_repeat: plain != text })
    };
    plain.lines().filter_map(one).collect()
}

/// Nothing is told again that was not over, and nothing is over that was not told.
pub(super) fn told_once(e: &Evidence<'_>) -> Result<(), String> {
    let mut open = BTreeSet::new();
    let told: Vec<Told> = e.said().into_iter().flat_map(|(chat, text)| in_message(chat, &text)).collect();
    for one in told {
        e.looked.one();
        let key = (one.chat, one.anomaly.clone(), one.task);
        let wrong = match (one.is_over, one.is_both) {
            (false, _) => !open.insert(key),
            (true, false) => !open.remove(&key),
            (true, true) => open.remove(&key),
        };
        if wrong && !one.is_repeat {
            let how = if one.is_over { "is told to be over, and was not told of" } else { "is told of again" };
            return Err(format!("{} ({:?}) {how} in chat {}", one.anomaly, one.task, one.chat.0));
        }
    }
    Ok(())
}

/// From the moment at which it should have ended: a minute, and what a message needs.
const TOLD_WITHIN_MS: i64 = 60_000 + 10_000;
/// What keeps a daemon from seeing or telling it.
const KEEPS_FROM_TELLING: [Part; 6] = [Part::Daemon, Part::Line, Part::Speed, Part::Telegram, Part::Disk, Part::Rival];

pub(super) fn stale_in_time(e: &Evidence<'_>) -> Result<(), String> {
    let sent: Vec<(i64, String)> = e.telegram.look(|t| t.log().iter().filter_map(|record| sent(e, record)).collect());
    for ran in &e.ledger {
        let Some(should_end) = should_end(e, ran) else { continue };
        e.looked.one();
        let until = ran.ended_ms.unwrap_or(e.now_ms);
        let within = TOLD_WITHIN_MS + e.outages.between(&KEEPS_FROM_TELLING, should_end, until);
        if until <= should_end + within {
            continue;
        }
        let line = |text: &String| {
            in_message(ChatId(0), text)
                .iter()
                .any(|told| told.anomaly == "stale_running" && told.task == Some(ran.key.task.0))
        };
        // Also of an earlier attempt of it, as long as that is not over.
        let told = sent.iter().find(|(_, text)| line(text));
        let late = told.map(|(at, _)| at - should_end).filter(|after| *after > within);
        match (told, late) {
            (None, _) => return Err(format!("{} should have ended at {should_end} ms, and nobody was told", ran.key)),
            (_, Some(after)) => {
                return Err(format!("{} should have ended, and that was told {after} ms later", ran.key));
            }
            (Some(_), None) => {}
        }
    }
    Ok(())
}

/// A message that arrived: when, ms of the run, and its text.
fn sent(e: &Evidence<'_>, record: &Record) -> Option<(i64, String)> {
    let Millis(at) = record.at;
    let arrived = matches!(&record.outcome, Outcome::Answered { status: 200, .. });
    let text = record.body["text"].as_str().filter(|_| arrived)?;
    Some((i64::try_from(at).ok()? - e.epoch_ms, text.to_owned()))
}

/// When a program must be gone at the latest, ms of the run: its time limit, the grace of its kind, and the kill.
fn should_end(e: &Evidence<'_>, ran: &Ran) -> Option<i64> {
    let asked = e.asked.get(job_of(&ran.prompt)?.checked_sub(1)?)?;
    let kind = e.config.kinds.get(&asked.job.kind)?;
    Some(ran.began_ms + kind.timeout_ms + kind.stop_grace_ms + policy::KILL_ALARM_MS)
}
