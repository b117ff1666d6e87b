//! Many tasks or messages at once.

use super::{short, span, task_row_data, who};
use crate::config::Config;
use crate::decide::{Moment, Said};
use crate::event::What;
use crate::policy;
use crate::view::{BacklogRow, TaskRow, View};
use serde_json::{Value, json};

fn line(config: &Config, task: &TaskRow, now: Moment) -> String {
    format!(
        "#{} {} {} · {} · {} ago · {}",
        task.id,
        task.kind,
        task.state,
        who(config, task.requester),
        span(now.wall_ms - task.ended_ms.unwrap_or(task.created_ms)),
        short(&task.prompt, 40)
    )
}

/// The answer to `/list`: an array of tasks, newest first.
pub fn list(config: &Config, tasks: &[TaskRow], now: Moment) -> Said {
    let text = if tasks.is_empty() {
        "no tasks".to_owned()
    } else {
        tasks.iter().map(|t| line(config, t, now)).collect::<Vec<_>>().join("\n")
    };
    Said::yes(text, tasks.iter().map(task_row_data).collect::<Value>())
}

/// The answer to `/inbox`: how much waits for which chat and why, then the messages that did not arrive or may not have, as
/// many as fit. The data has every message that waits, as far as they were loaded.
pub fn inbox(config: &Config, view: &View, now: Moment) -> Said {
    let mut text: Vec<String> = view.backlog.iter().map(|row| backlog(config, view, row, now)).collect();
    let mut data = Vec::new();
    for row in &view.messages {
        let what = match &row.what {
            What::Text(content) => short(&content.text, 80),
            What::Document { name, .. } => name.clone(),
            What::Card { .. } => "card".to_owned(),
            What::Alert(_) => "alert".to_owned(),
            What::Report(_) => "final report".to_owned(),
        };
        let task = row.task.map_or_else(String::new, |t| format!(" of #{t}"));
        let state = match (row.state.as_str(), row.marked) {
            ("refused", _) => "refused",
            (_, true) => "may have arrived, is sent again",
            (_, false) => "waits to be sent",
        };
        let error = row.error.clone().unwrap_or_default();
        if row.state == "refused" || row.marked || row.tries > 0 {
            text.push(format!("{what}{task} to {}: {state} ({} tries; {})", row.chat, row.tries, short(&error, 80)));
        }
        data.push(json!({
            "id": row.id, "chat": row.chat, "task_id": row.task, "what": what, "state": state, "tries": row.tries,
            "error": row.error,
        }));
    }
    if text.len() > policy::ANSWER_LINES_MAX {
        let more = text.len() - (policy::ANSWER_LINES_MAX - 1);
        text.truncate(policy::ANSWER_LINES_MAX - 1);
        text.push(format!("and {more} more: `mainstay inbox --json` has more"));
    }
    let text = if text.is_empty() { "everything was delivered".to_owned() } else { text.join("\n") };
    Said::yes(text, Value::from(data))
}

fn backlog(config: &Config, view: &View, row: &BacklogRow, now: Moment) -> String {
    let (what, waits) = if row.messages == 1 { ("message", "waits") } else { ("messages", "wait") };
    let outage = view.outage.seen().map(|(_, error)| error);
    let error = row.error.as_deref().or(outage).map_or_else(String::new, |error| format!(" ({})", short(error, 80)));
    let until = row.until.max(view.outage.until);
    let left = span(until - now.boot_ms);
    let why = match (row.parked, until > now.boot_ms) {
        _ if config.telegram.is_none() => "no bot is configured".to_owned(),
        _ if view.offline => format!("the daemon is not running{error}"),
        (true, true) => format!("it does not want us{error}; tried again in {left}, or when it wants us again"),
        (false, true) => format!("not before {left} from now{error}"),
        (_, false) => format!("next to be sent{error}"),
    };
    format!("{} {what} {waits} for chat {}: {why}", row.messages, row.chat)
}
