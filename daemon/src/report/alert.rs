//! What whoever is in charge is told without having asked.

use super::{Text, span};
use crate::anomaly::ANOMALIES;
use crate::event::News;
use crate::policy;
use crate::ports::Outgoing;

/// What began to be wrong, what to do, and what is over: a line each. Silent when all of it is over.
pub fn alert(news: &[News]) -> Outgoing {
    let mut text = Text::default();
    let (told, more) = news.split_at(news.len().min(policy::ALERT_LINES_MAX));
    for one in told {
        text.line(&line(one));
    }
    match more.len() {
        0 => text.line("/ops says how it is now"),
        n => text.line(&format!("and {n} more: /ops says how it is now")),
    }
    Outgoing { text: text.text, silent: news.iter().all(|one| one.over_ms.is_some()), ..Outgoing::default() }
}

/// A task by its number, or a release by its name.
fn about(news: &News) -> String {
    let is_task = news.about.bytes().all(|byte| byte.is_ascii_digit());
    if is_task { format!("#{}", news.about) } else { news.about.clone() }
}

fn line(news: &News) -> String {
    let name = &news.anomaly;
    match news.over_ms.map(span) {
        // What it is about stands in the words, as long as there are any.
        Some(after) if news.words.is_empty() && news.about.is_empty() => format!("over {name}: after {after}"),
        Some(after) if news.words.is_empty() => format!("over {name} of {}: after {after}", about(news)),
        Some(after) => format!("over {name}: after {after}; {}", news.words),
        None => {
            let todo = ANOMALIES.iter().find(|anomaly| anomaly.name == name).map_or("", |anomaly| anomaly.todo);
            format!("alert {name}: {}. What to do: {todo}", news.words)
        }
    }
}
