//! What came of what people asked for, and whether they were told.

use super::Evidence;
use super::told::told;
use crate::botapi::ChatId;
use crate::people::{MEDDLING, STRANGER, is_card, job_of, task_of};
use mainstay::event::{Fact, Recorded};
use mainstay::id::{Actor, TaskId};
use mainstay::task::{Outcome, State, Step};
use std::collections::BTreeMap;

pub(super) fn nothing_lost(e: &Evidence<'_>) -> Result<(), String> {
    for (n, asked) in e.asked.iter().enumerate() {
        e.looked.one();
        for task in &asked.tasks {
            e.state(*task)?;
        }
        let late = asked.at.is_some_and(|at| at <= e.now_ms);
        // Telegram keeps what nobody fetched for a day, so a message is answered in the end; a request on the command line
        // whose daemon died is asked again by its client.
        if late && asked.acknowledged.is_none() {
            return Err(format!("job {} was asked for and never answered", n + 1));
        }
    }
    super::told::check(e)
}

pub(super) fn everything_ends(e: &Evidence<'_>) -> Result<(), String> {
    for (n, asked) in e.asked.iter().enumerate() {
        for task in &asked.tasks {
            e.looked.one();
            let (state, _) = e.state(*task)?;
            let waits_for_people = match state {
                State::Requested | State::Approved => true,
                State::Queued | State::Running => false,
                State::Succeeded | State::Failed | State::Canceled | State::Expired => continue,
            };
            let first = asked.tasks.first() == Some(task);
            // Twins of an impatient request are nobody's any more, and some jobs are left alone: they wait for people, and that
            // is right.
            if waits_for_people && (!first || asked.job.left_alone) {
                continue;
            }
            let why = if waits_for_people { "although everybody has pressed what was offered" } else { "for ever" };
            return Err(format!("task {task} (job {}) is {state} {why}", n + 1));
        }
        if let (Some(ends), Some(task)) = (&asked.job.ends, asked.tasks.first()) {
            let (state, outcome) = e.state(*task)?;
            let is = outcome.map_or_else(|| state.to_string(), |outcome| format!("{state} {}", outcome.name()));
            if is != *ends && state.to_string() != *ends {
                return Err(format!("job {} is {is} and should be {ends}", n + 1));
            }
        }
        let ran = e.ledger.iter().filter(|ran| job_of(&ran.prompt) == Some(n + 1)).count();
        // Each message of somebody impatient is a request of its own.
        let requests = asked.tasks.len().max(1);
        if let Some(runs) = asked.job.runs.filter(|runs| !(*runs..=runs * requests).contains(&ran)) {
            return Err(format!("job {} ran {ran} time(s) and should have {runs}", n + 1));
        }
    }
    Ok(())
}

pub(super) fn ends_are_true(e: &Evidence<'_>) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for entry in &e.ledger {
        last.insert(entry.key.task.0, entry);
    }
    for task in e.asked.iter().flat_map(|asked| &asked.tasks).filter(|task| !last.contains_key(task)) {
        if e.state(*task)?.0 == State::Succeeded {
            return Err(format!("task {task} has succeeded, and nothing of it ever ran"));
        }
    }
    for (task, entry) in last {
        e.looked.one();
        let (state, outcome) = e.state(task)?;
        let says_success = state == State::Succeeded;
        let was_success = entry.end == Some(mainstay::attempt::End::Exited(0));
        if says_success != was_success {
            return Err(format!("task {task} is {state} and its last attempt came to {:?}", entry.end));
        }
        // Of an attempt that was claimed and never began, nobody may know that.
        let view = e.store.task(entry.key.task).map_err(|error| error.to_string())?;
        let is_last = view.is_some_and(|view| view.task.attempt == entry.key.attempt);
        if is_last && entry.end.is_some() && outcome == Some(Outcome::Unknown) {
            return Err(format!("task {task} is unknown, and there is a receipt: {:?}", entry.end));
        }
    }
    Ok(())
}

pub(super) fn ends_are_reported(e: &Evidence<'_>) -> Result<(), String> {
    let said = e.said();
    // How often each task came to which end: taken back from one, it comes to another. Presses would not tell, since some of
    // them are refused; that these moves are true is another property's.
    let mut ends: BTreeMap<(i64, State), usize> = BTreeMap::new();
    for event in &e.events {
        if let (Some(TaskId(task)), Some(to)) =
            (event.task, event.fact.step().map(Step::to).filter(|to| to.is_terminal()))
        {
            *ends.entry((task, to)).or_default() += 1;
        }
    }
    for task in e.asked.iter().flat_map(|asked| asked.tasks.iter().copied()) {
        let (state, _) = e.state(task)?;
        if state.is_terminal() && !ends.contains_key(&(task, state)) {
            return Err(format!("task {task} is {state}, and no move on record leads there"));
        }
        let is_report = |text: &str| {
            let plain = text.strip_prefix(MARK).unwrap_or(text);
            ["✅", "🔴", "⚪"].iter().any(|mark| plain.starts_with(mark)) && task_of(plain) == Some(task)
        };
        let reports: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).filter(|text| is_report(text)).collect();
        for ((_, state), times) in ends.range((task, State::Requested)..=(task, State::Expired)) {
            e.looked.one();
            let of_it = || reports.iter().filter(|text| told(text) == Some((task, *state)));
            let (told, unmarked) = (of_it().count(), of_it().filter(|text| !text.starts_with(MARK)).count());
            if told < *times {
                return Err(format!(
                    "task {task} came to be {state} {times} time(s) and that was told {told} time(s); reports are {reports:?}"
                ));
            }
            if unmarked > *times {
                return Err(format!(
                    "task {task} came to be {state} {times} time(s) and was reported {unmarked} times, and not said to be a repeat: {reports:?}"
                ));
            }
        }
    }
    Ok(())
}

pub(super) fn cards_are_right(e: &Evidence<'_>) -> Result<(), String> {
    // A later message stands for the earlier ones of its chat.
    let mut cards: BTreeMap<(ChatId, i64), String> = BTreeMap::new();
    for (chat, text) in e.said() {
        let plain = text.strip_prefix(MARK).unwrap_or(&text);
        if let Some(task) = task_of(plain).filter(|_| is_card(plain)) {
            cards.insert((chat, task), plain.to_owned());
        }
    }
    for asked in e.asked {
        for task in &asked.tasks {
            let (state, _) = e.state(*task)?;
            e.looked.many(cards.keys().filter(|(_, of)| of == task).count());
            let shows = |text: &str| told(text) == Some((*task, state));
            let wrong = cards.iter().find(|((_, of), text)| of == task && !shows(text));
            if let Some(((ChatId(chat), _), text)) = wrong {
                return Err(format!("task {task} is {state}, and its card in chat {chat} says {text:?}"));
            }
        }
    }
    Ok(())
}

/// What stands before a message that may have arrived before.
const MARK: &str = "(possible repeat) ";

pub(super) fn strangers_do_nothing(e: &Evidence<'_>) -> Result<(), String> {
    let screen = e.telegram.look(|t| t.screen(ChatId(STRANGER.0)));
    // What a stranger said or pressed: each could have had an effect.
    let meddled = e.asked.iter().filter(|asked| asked.meddled).count();
    e.looked.many(screen.messages.iter().filter(|m| !m.is_bot).count() + meddled);
    if let Some(message) = screen.messages.iter().find(|m| m.is_bot) {
        return Err(format!("a stranger was told {:?}", message.text));
    }
    if let Some(ran) = e.ledger.iter().find(|ran| ran.prompt.contains(MEDDLING)) {
        return Err(format!("attempt {} ran for a stranger", ran.key));
    }
    let acted =
        |event: &&Recorded| event.actor == Actor::User(STRANGER.0) && !matches!(event.fact, Fact::PassedOver { .. });
    if let Some(event) = e.events.iter().find(acted) {
        return Err(format!("a stranger is on record as who did something: event {}, {:?}", event.seq, event.fact));
    }
    let asked_for =
        |event: &&Recorded| matches!(&event.fact, Fact::Requested { prompt, .. } if prompt.contains(MEDDLING));
    match e.events.iter().find(asked_for) {
        Some(event) => Err(format!("a stranger's wish is task {:?}", event.task)),
        None => Ok(()),
    }
}
