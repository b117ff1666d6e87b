//! What is wrong is told once, and once more when it is over.
//!
//! Between being wrong and being told of stands a time that it has to last, and another that it has to be gone: what comes and
//! goes is one alert. What was told is on record ([`Fact::AlertRaised`]), so a daemon that starts repeats nothing; for how long
//! something has been seen is remembered, and seen anew by the next daemon.

use super::Draft;
use crate::anomaly::{Finding, Sight};
use crate::command::Role;
use crate::event::{Class, Fact, News, What};
use crate::id::Actor;
use crate::policy;
use crate::view::{AlertRow, OpsRow};
use std::collections::BTreeMap;

/// An anomaly's name, and which one of its kind.
type Key = (String, String);

/// What was seen to be wrong, at each look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch(BTreeMap<Key, Seen>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// Boot clock at which it was first seen, ms.
    first: i64,
    /// Boot clock at which it was last seen, or, for what was raised by an earlier daemon, missed.
    last: i64,
    /// This daemon saw it itself.
    found: bool,
}

impl Watch {
    /// Notes what is wrong now, and forgets what has been gone for so long that it is over.
    fn note(&mut self, found: &[Finding], open: &[AlertRow], boot_ms: i64) {
        let seen = Seen { first: boot_ms, last: boot_ms, found: false };
        for finding in found {
            let seen = self.0.entry(key(finding.anomaly, &finding.about)).or_insert(seen);
            (seen.last, seen.found) = (boot_ms, true);
        }
        for row in open {
            self.0.entry(key(&row.anomaly, &row.about)).or_insert(seen);
        }
        self.0.retain(|_, seen| boot_ms - seen.last < policy::ALERT_OVER_MS);
    }

    /// For how long it has been seen, ms.
    fn lasts(&self, finding: &Finding, boot_ms: i64) -> i64 {
        self.0.get(&key(finding.anomaly, &finding.about)).map_or(0, |seen| boot_ms - seen.first)
    }

    fn get(&self, row: &AlertRow) -> Option<Seen> {
        self.0.get(&key(&row.anomaly, &row.about)).copied()
    }
}

fn key(anomaly: &str, about: &str) -> Key {
    (anomaly.to_owned(), about.to_owned())
}

/// Puts on record that the wall clock was set. `base_ms` is what it was ahead of the boot clock before.
pub fn look_at_clock(draft: &mut Draft<'_>, base_ms: i64) {
    let by_ms = draft.now.wall_ms - draft.now.boot_ms - base_ms;
    if by_ms.abs() >= policy::CLOCK_STEP_MS {
        draft.record(None, None, Actor::System, Fact::ClockStepped { by_ms });
    }
}

/// Looks whether all is well: what is to be told goes on record, and to who is in charge.
pub fn look(draft: &mut Draft<'_>, watch: &mut Watch) {
    let (view, now) = (draft.view, draft.now);
    let empty = OpsRow::default();
    let ops = view.ops.as_ref().unwrap_or(&empty);
    let found = Sight { config: draft.config, view, ops, now }.findings();
    watch.note(&found, &ops.alerts, now.boot_ms);
    let is_open =
        |finding: &Finding| ops.alerts.iter().any(|a| a.anomaly == finding.anomaly && a.about == finding.about);
    let mut open = ops.alerts.clone();
    for finding in &found {
        let Some(hold_ms) = finding.hold_ms() else { continue };
        if !is_open(finding) && watch.lasts(finding, now.boot_ms) >= hold_ms {
            let (anomaly, about, words) = (finding.anomaly.to_owned(), finding.about.clone(), finding.words.clone());
            open.push(AlertRow { anomaly, about, words, since_ms: now.wall_ms, told: false });
            let (anomaly, about, words) = (finding.anomaly.to_owned(), finding.about.clone(), finding.words.clone());
            draft.record(None, None, Actor::System, Fact::AlertRaised { anomaly, about, words });
        }
    }
    let somebody = !in_charge(draft).is_empty();
    let mut news = Vec::new();
    for row in &open {
        let (anomaly, about) = (row.anomaly.clone(), row.about.clone());
        let words = if row.told { String::new() } else { row.words.clone() };
        let is_seen = found.iter().any(|finding| finding.anomaly == row.anomaly && finding.about == row.about);
        // Of what is only kept back nobody knows: no time has to pass until that is over. But a new daemon has to find out.
        let lasts = is_seen || watch.get(row).is_some_and(|seen| row.told || !somebody || !seen.found);
        if !lasts {
            let lasted_ms = (now.wall_ms - row.since_ms).max(0);
            let fact = Fact::AlertOver { anomaly: anomaly.clone(), about: about.clone(), lasted_ms };
            draft.record(None, None, Actor::System, fact);
            news.push(News { anomaly, about, words, over_ms: Some(lasted_ms) });
        } else if is_seen && !row.told && view.outage.seen().is_none() {
            // While nothing gets through it is not even written: when it could be read, it may be over.
            news.push(News { anomaly, about, words, over_ms: None });
        }
    }
    if !news.is_empty() {
        tell(draft, &news);
    }
}

/// One message to each of those who are in charge, together with what still waits to be told there.
fn tell(draft: &mut Draft<'_>, news: &[News]) {
    for chat in in_charge(draft) {
        // One that is on its way may have been read: it stays as it is.
        let waiting = draft.view.alerting.iter().find(|row| row.chat == chat);
        let mut lines = match waiting.map(|row| &row.what) {
            Some(What::Alert(lines)) => lines.clone(),
            Some(What::Text(_) | What::Document { .. } | What::Card { .. } | What::Report(_)) | None => Vec::new(),
        };
        let before = lines.clone();
        for one in news {
            add(&mut lines, one.clone());
        }
        // What has no room in it is still to be told, and is in it already.
        if waiting.is_some() && lines == before {
            continue;
        }
        let id = waiting.map(|row| row.id).unwrap_or_else(|| draft.message_id());
        let fact = Fact::Queued { id, class: Class::Note, chat, what: What::Alert(lines), anew: false };
        draft.record(None, None, Actor::System, fact);
    }
}

/// Of one and the same thing there is one line, as it stands now. But where people know of one and still have to be told that
/// it is over, the next one has a line of its own: it would read as a repeat otherwise.
fn add(lines: &mut Vec<News>, news: News) {
    let newest = lines.iter_mut().rfind(|line| line.anomaly == news.anomaly && line.about == news.about);
    match newest {
        Some(line) if news.over_ms.is_some() => line.over_ms = news.over_ms,
        Some(line) if line.over_ms.is_none() || !line.words.is_empty() => *line = news,
        Some(_) | None => lines.push(news),
    }
}

/// The configured chat; every administrator who can be written to where there is none, or while it refuses us: that it does
/// is one of the things to be told.
fn in_charge(draft: &Draft<'_>) -> Vec<i64> {
    let Some(telegram) = &draft.config.telegram else { return Vec::new() };
    let report_chat = draft.view.report_chat_now.or(telegram.report_chat);
    let mut chats: Vec<i64> = report_chat.into_iter().collect();
    if report_chat.is_none_or(|chat| draft.view.parked.contains(&chat)) {
        let admins = draft.config.operators.values().filter(|operator| operator.may(Role::Admin));
        chats.extend(admins.map(|operator| operator.id).filter(|id| draft.view.reachable.contains(id)));
    }
    chats.into_iter().filter(|chat| draft.may_be_told(*chat)).collect()
}

#[cfg(test)]
mod tests;
