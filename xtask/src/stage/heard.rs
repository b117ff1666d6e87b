//! What the chat has shown so far, as a script reads it, and printed for whoever looks on.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::ChildStdout;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Everything that was shown, in order; grows while the chat runs.
pub(crate) struct Heard {
    shared: Arc<(Mutex<Said>, Condvar)>,
    reader: JoinHandle<()>,
}

#[derive(Default)]
struct Said {
    events: Vec<Value>,
    /// Nothing more will come: the chat has ended.
    ended: bool,
}

impl Heard {
    /// Listens to the chat's output, and prints it if it is to be `told`.
    pub(crate) fn listen(output: ChildStdout, told: bool) -> Heard {
        let shared = Arc::new((Mutex::new(Said::default()), Condvar::new()));
        let to = shared.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
                if told {
                    show(&event);
                }
                to.0.lock().unwrap_or_else(PoisonError::into_inner).events.push(event);
                to.1.notify_all();
            }
            to.0.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            to.1.notify_all();
        });
        Heard { shared, reader }
    }

    /// How much was shown so far: a place to look on from.
    pub(crate) fn so_far(&self) -> usize {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).events.len()
    }

    /// What was shown since `from`.
    pub(crate) fn since(&self, from: usize) -> Vec<Value> {
        let said = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.events.get(from..).unwrap_or_default().to_vec()
    }

    /// Waits until `look` finds something in what was shown since `from`, or the chat has ended.
    pub(crate) fn wait<T>(&self, from: usize, limit: Duration, look: impl Fn(&[Value]) -> Option<T>) -> Option<T> {
        let (said, grown) = &*self.shared;
        let mut seen = None;
        let guard = said.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = grown.wait_timeout_while(guard, limit, |said| {
            seen = look(&said.events[from.min(said.events.len())..]);
            seen.is_none() && !said.ended
        });
        drop(waited);
        seen
    }

    /// The first that was shown since `from` and is this.
    pub(crate) fn find(&self, from: usize, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let said = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.events.iter().skip(from).find(|event| is_it(event)).cloned()
    }

    /// How many were shown since `from` that are this.
    pub(crate) fn count(&self, from: usize, is_it: impl Fn(&Value) -> bool) -> usize {
        let said = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.events.iter().skip(from).filter(|event| is_it(event)).count()
    }

    /// Whether the chat has ended.
    pub(crate) fn ended(&self) -> bool {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).ended
    }

    /// Waits for the end of the output.
    pub(crate) fn end(self) {
        let _ = self.reader.join();
    }
}

/// A new message of the bot, no change of one.
pub(crate) fn is_new(event: &Value) -> bool {
    event["event"] == "message" && event["is_bot"] == true
}

/// What the bot wrote or changed, if this is that.
pub(crate) fn bot_text(event: &Value) -> Option<&str> {
    let is_message = event["event"] == "message" || event["event"] == "edited";
    event["text"].as_str().filter(|_| is_message && event["is_bot"] == true)
}

/// The number of the button with this on it.
pub(crate) fn button(event: &Value, label: &str) -> Option<u64> {
    let rows = event["buttons"].as_array()?;
    let mut buttons = rows.iter().filter_map(Value::as_array).flatten();
    buttons.find(|button| button["label"].as_str().is_some_and(|l| l.contains(label)))?["n"].as_u64()
}

fn show(event: &Value) {
    let word = event["event"].as_str().unwrap_or_default();
    let mut lines = match word {
        "message" | "edited" => {
            let who = event["from"].as_str().unwrap_or_default();
            let changed = if word == "edited" { " (changed its message)" } else { "" };
            let text = event["text"].as_str().unwrap_or_default();
            format!("{who}{changed}: {}", text.replace('\n', "\n    "))
        }
        "toast" => match event["text"].as_str() {
            Some(text) => format!("popped up for {}: {text}", event["user"].as_str().unwrap_or_default()),
            None => return,
        },
        "error" | "note" => event["text"].as_str().unwrap_or_default().to_owned(),
        _ => return,
    };
    let rows = event["buttons"].as_array().into_iter().flatten().filter_map(Value::as_array);
    for row in rows {
        let labels: Vec<String> = row
            .iter()
            .map(|b| format!("[{} {}]", b["n"].as_u64().unwrap_or_default(), b["label"].as_str().unwrap_or_default()))
            .collect();
        lines += &format!("\n    {}", labels.join(" "));
    }
    tell!("  {lines}");
}
