//! Sending: which message goes out next as which call, and what follows from how that call ended.

use super::{Draft, gate};
use crate::event::{Fact, Then, What};
use crate::id::Actor;
use crate::plan::Effect;
use crate::policy;
use crate::ports::{Call, CallError, CallErrorKind, Called, Outgoing};
use crate::report;
use crate::view::{NOBODYS, OutboxRow, TaskView};

/// What stands before a message that may already have arrived.
const REPEAT_MARK: &str = "(possible repeat) ";

/// Begins to send a message: its call, and the fact that from now on it may arrive. What waited while its reader was taken
/// off the configuration is not sent: a report of theirs comes to its end here too, on record.
pub fn send(draft: &mut Draft<'_>, row: &OutboxRow, task: Option<&TaskView>) {
    if !draft.may_be_told(row.chat) {
        let whose = if row.chat < 0 { "not listed" } else { "no operator's" };
        let error = format!("chat {} is {whose} {NOBODYS}", row.chat);
        let fact = Fact::SendFailed { id: row.id, error, then: Then::GiveUp, until: None };
        return draft.record(task, None, Actor::System, fact);
    }
    let call = render(draft, row, task);
    draft.record(task, None, Actor::System, Fact::Sending { id: row.id, version: row.version });
    draft.effect(Effect::Call { message: row.id, version: row.version, chat: row.chat, call });
}

/// The same for a message whose own text can't be made (our bug): whoever waits for it is told that there is one.
pub fn send_plain(draft: &mut Draft<'_>, row: &OutboxRow, task: Option<&TaskView>) {
    let what = format!("message {} could not be put into words", row.id);
    draft.record(task, None, Actor::System, Fact::Violation { what });
    let about = row.task.map_or_else(|| "something".into(), |id| format!("#{id}"));
    let text = format!("There is news of {about} that can't be shown (a bug in mainstay, and on record).");
    let content = Outgoing { chat: row.chat, text, ..Outgoing::default() };
    let call = match row.message {
        Some(message) => Call::Edit { message, content },
        None => Call::Send(content),
    };
    draft.record(task, None, Actor::System, Fact::Sending { id: row.id, version: row.version });
    draft.effect(Effect::Call { message: row.id, version: row.version, chat: row.chat, call });
}

fn render(draft: &Draft<'_>, row: &OutboxRow, task: Option<&TaskView>) -> Call {
    let marked = |mut content: Outgoing| {
        if row.marked {
            let shift = REPEAT_MARK.len();
            content.text.insert_str(0, REPEAT_MARK);
            content.pre.iter_mut().for_each(|(offset, _)| *offset += shift);
        }
        content.chat = row.chat;
        if row.error.as_ref().is_some_and(|e| e.contains("thread not found")) {
            content.thread = None;
        }
        content
    };
    match (&row.what, task) {
        (What::Text(content), _) => Call::Send(marked(content.clone())),
        (What::Document { caption, name, content }, _) => {
            Call::Document { content: marked(caption.clone()), name: name.clone(), bytes: content.clone().into_bytes() }
        }
        (What::Card { buttons, .. }, Some(task)) => {
            let decides = gate::decides_there(draft.config, &task.task, row.chat);
            let buttons: &[_] = if decides { buttons } else { &[] };
            let mut content = report::card(draft.config, draft.view.mode(), task, buttons, draft.now);
            if task.task.chat != Some(row.chat) {
                // The message that asked is in another chat.
                (content.thread, content.reply_to) = (None, None);
            }
            match row.message {
                // Editing twice shows the same: no mark is needed.
                Some(message) => Call::Edit { message, content: Outgoing { chat: row.chat, ..content } },
                None => Call::Send(marked(content)),
            }
        }
        (What::Alert(news), _) => Call::Send(marked(report::alert(news))),
        (What::Report(content), _) => Call::Send(marked(content.clone())),
        (What::Card { .. }, None) => {
            Call::Send(marked(Outgoing { text: "a task that is not on record".into(), ..Outgoing::default() }))
        }
    }
}

/// A message, or a document of that name when it is too long for one. Its caption has the first line, and as much of the end
/// as fits into a few lines: that is where output says how it went.
pub fn message_or_document(content: Outgoing, name: String) -> What {
    if content.text.encode_utf16().count() <= policy::MESSAGE_UTF16_MAX - REPEAT_MARK.len() {
        return What::Text(content);
    }
    let mut caption = report::Text::default();
    caption.line(&report::short(content.text.lines().next().unwrap_or_default(), policy::CAPTION_LINE_CHARS_MAX));
    let last: Vec<&str> = content.text.lines().skip(1).filter(|line| !line.trim().is_empty()).collect();
    let last = &last[last.len().saturating_sub(policy::CAPTION_LINES_MAX)..];
    let last: Vec<String> = last.iter().map(|line| report::short(line, policy::CAPTION_LINE_CHARS_MAX)).collect();
    if !last.is_empty() {
        caption.line("…");
        caption.foreign(&last.join("\n"));
    }
    let name = if name.is_empty() { "answer.txt".into() } else { name };
    let caption = Outgoing { text: caption.text, pre: caption.pre, ..content.clone() };
    What::Document { caption, name, content: content.text }
}

/// A call for a message came to its end.
pub fn called(draft: &mut Draft<'_>, id: i64, version: u32, result: &Result<Called, CallError>) {
    let Some(row) = draft.view.outbox.clone() else { return };
    let gap = if row.chat < 0 { policy::GROUP_GAP_MS } else { policy::CHAT_GAP_MS };
    let next = draft.now.boot_ms + gap;
    let task = draft.view.task.clone();
    let sent = |message: i32| Fact::Sent { id, message, version, next };
    let fact = match result {
        Ok(Called::Message(message)) => sent(*message),
        // An edit; without a message, a new card was asked for meanwhile.
        Ok(Called::Done | Called::Me { .. }) => sent(row.message.unwrap_or_default()),
        Err(error) => match (&error.kind, row.message) {
            (CallErrorKind::NotModified, message) => sent(message.unwrap_or_default()),
            (CallErrorKind::Migrated(to), _) => {
                draft.record(None, None, Actor::System, Fact::ChatMigrated { from: row.chat, to: *to });
                // At once, but for a server that never has enough.
                let pause = if row.tries == 0 { 0 } else { policy::FLOOD_WAIT_MS };
                failed(&row, error, Then::Retry, Some(draft.now.boot_ms + pause))
            }
            _ => follow(draft, &row, error),
        },
    };
    draft.record(task.as_ref(), None, Actor::System, fact);
    draft.welcome();
}

fn follow(draft: &mut Draft<'_>, row: &OutboxRow, error: &CallError) -> Fact {
    let now = draft.now.boot_ms;
    let later =
        now + policy::backoff_ms(policy::SEND_RETRY_BASE_MS, policy::SEND_RETRY_CAP_MS, row.tries, draft.draw());
    // A moment after the others, so that another message is the next to try: should it be this one after all that can't be
    // sent, it does not hold them up.
    let again = now.max(draft.view.outage.until) + 1;
    // An edit shows the same however often it arrives.
    let edit = matches!(row.what, What::Card { .. }) && row.message.is_some();
    let (then, until) = match &error.kind {
        CallErrorKind::NotSent | CallErrorKind::Conflict | CallErrorKind::Unauthorized => (Then::Retry, Some(again)),
        CallErrorKind::Ambiguous if edit => (Then::Retry, Some(later.max(again))),
        CallErrorKind::Ambiguous => (Then::RetryMarked, Some(later.max(again))),
        CallErrorKind::Flood(wait) => {
            let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4);
            (Then::Hold, Some(now.saturating_add(wait.max(policy::FLOOD_WAIT_MIN_MS))))
        }
        CallErrorKind::Forbidden => (Then::Park, Some(now + policy::PARKED_RETRY_MS)),
        // A server that says so of a message that was to be new is not asked again at once.
        CallErrorKind::EditTargetGone => (Then::Anew, Some(if row.message.is_some() { now } else { later })),
        CallErrorKind::ThreadGone if row.tries < policy::SEND_REFUSALS_MAX => (Then::Retry, Some(now)),
        CallErrorKind::NotModified
        | CallErrorKind::Migrated(_)
        | CallErrorKind::ThreadGone
        | CallErrorKind::PressTooOld
        | CallErrorKind::TooLong
        | CallErrorKind::Refused => (Then::GiveUp, None),
    };
    failed(row, error, then, until)
}

fn failed(row: &OutboxRow, error: &CallError, then: Then, until: Option<i64>) -> Fact {
    Fact::SendFailed { id: row.id, error: error.text.chars().take(300).collect(), then, until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::build;
    use crate::decide::Moment;
    use crate::policy::ErrorClass;
    use crate::ports::Outgoing;
    use crate::view::View;
    use std::path::Path;

    fn config() -> Config {
        let text = "[telegram]\n[[operator]]\nid = 1\nname = \"ana\"\nroles = [\"admin\"]\n[[kind]]\nname = \"build\"\n\
                    argv = [\"/bin/true\"]\nself_approval = true\n";
        build::parse(text, Path::new("/")).expect("valid").config
    }

    #[test]
    fn what_is_permanent_is_given_up_at_once_and_what_is_transient_never_is() {
        let (config, view) = (config(), View::default());
        let mut draft = Draft::new(&config, &view, Moment { wall_ms: 0, boot_ms: 5, entropy: 0 });
        let row = OutboxRow {
            id: 1,
            class: 0,
            chat: 1,
            task: None,
            what: What::Text(Outgoing::default()),
            state: "sending".into(),
            version: 1,
            sending: 1,
            tries: 1,
            due: 0,
            marked: false,
            message: None,
            error: None,
            at: 0,
        };
        for (name, kind) in CallErrorKind::ALL {
            // Dealt with before: one is what was wanted, the other a new address.
            if matches!(kind, CallErrorKind::NotModified | CallErrorKind::Migrated(_)) {
                continue;
            }
            let class = kind.class();
            let Fact::SendFailed { then, .. } = follow(&mut draft, &row, &CallError { kind, text: String::new() })
            else {
                panic!("{name}: no failure")
            };
            assert_eq!(then == Then::GiveUp, class == ErrorClass::Permanent, "{name}: {then:?}");
        }
    }
}
