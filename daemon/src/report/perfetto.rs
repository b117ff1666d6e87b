//! A task's events as a trace that <https://ui.perfetto.dev> shows: JSON in the Trace Event Format.
//!
//! One process, the task; its threads are tracks: the states of its life, its attempts, each message, and the events that are
//! none of these, as instants. Times are those of the wall clock, in microseconds since 1970; one that was set back makes a
//! span of no length, never a negative one.

use super::short;
use crate::event::{Fact, Recorded, Then, What};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Tracks, as threads: their order on the screen.
const LIFE: i64 = 1;
const ATTEMPTS: i64 = 2;
const EVENTS: i64 = 3;
/// The first message's track.
const MESSAGES: i64 = 10;

/// The trace of `task`, from its events, oldest first. What has not ended lasts until `now_ms` (wall clock, ms since 1970).
pub fn perfetto(task: i64, events: &[Recorded], now_ms: i64) -> Value {
    let kind = events
        .iter()
        .find_map(|event| if let Fact::Requested { kind, .. } = &event.fact { Some(kind.as_str()) } else { None });
    let mut trace = Trace { task, at: 0, names: Vec::new(), drawn: Vec::new(), open: BTreeMap::new() };
    trace.name("process_name", LIFE, &format!("#{task} {}", kind.unwrap_or_default()));
    for (track, name) in [(LIFE, "life"), (ATTEMPTS, "attempts"), (EVENTS, "events")] {
        trace.name("thread_name", track, name);
    }
    let mut messages: BTreeMap<i64, Message> = BTreeMap::new();
    for event in events {
        trace.at = trace.at.max(event.at);
        trace.life(event);
        trace.attempt(event);
        if !trace.message(event, &mut messages) {
            trace.instant(event);
        }
    }
    trace.at = trace.at.max(now_ms);
    trace.close_all();
    json!({ "displayTimeUnit": "ms", "traceEvents": trace.all() })
}

/// A message's track.
struct Message {
    track: i64,
    tries: u32,
}

/// A span that has begun. Spans of one track lie within each other: `depth` is 0 for the outer one.
struct Open {
    name: String,
    from: i64,
    args: Value,
}

/// By time, and of what begins together the outer first: beginning, length, depth.
type Order = (i64, Reverse<i64>, u8);

struct Trace {
    task: i64,
    /// Wall clock, ms: never before that of an earlier event.
    at: i64,
    names: Vec<Value>,
    /// What is drawn, with its order.
    drawn: Vec<(Order, Value)>,
    open: BTreeMap<(i64, u8), Open>,
}

impl Trace {
    fn name(&mut self, what: &str, track: i64, name: &str) {
        self.names.push(json!({ "ph": "M", "name": what, "pid": self.task, "tid": track, "args": { "name": name } }));
        if what == "thread_name" {
            let args = json!({ "sort_index": track });
            self.names
                .push(json!({ "ph": "M", "name": "thread_sort_index", "pid": self.task, "tid": track, "args": args }));
        }
    }

    fn begin(&mut self, track: i64, depth: u8, name: String, args: Value) {
        self.close(track, depth, &Value::Null);
        self.open.insert((track, depth), Open { name, from: self.at, args });
    }

    /// Ends a span, and those within it. Nothing happens when none has begun.
    fn close(&mut self, track: i64, depth: u8, ended: &Value) {
        let within: Vec<(i64, u8)> = self.open.range((track, depth)..=(track, u8::MAX)).map(|(key, _)| *key).collect();
        for key in within.into_iter().rev() {
            let Some(mut open) = self.open.remove(&key) else { continue };
            if !ended.is_null() {
                open.args["ended"] = ended.clone();
            }
            let (from, span) = (micros(open.from), micros(self.at - open.from));
            let drawn = json!({
                "ph": "X", "cat": "mainstay", "name": open.name, "pid": self.task, "tid": track,
                "ts": from, "dur": span, "args": open.args,
            });
            self.drawn.push(((from, Reverse(span), key.1), drawn));
        }
    }

    fn close_all(&mut self) {
        let open: Vec<(i64, u8)> = self.open.keys().copied().collect();
        for (track, depth) in open.into_iter().rev() {
            self.close(track, depth, &json!("not yet"));
        }
    }

    fn all(mut self) -> Vec<Value> {
        // Stable: what is alike in all that stays as it was recorded.
        self.drawn.sort_by_key(|(order, _)| *order);
        self.names.into_iter().chain(self.drawn.into_iter().map(|(_, drawn)| drawn)).collect()
    }

    /// The states, one after the other; the last one only where something may still follow it.
    fn life(&mut self, event: &Recorded) {
        let Some(state) = event.fact.state_after() else { return };
        self.close(LIFE, 0, &Value::Null);
        if state.is_terminal() {
            self.mark(LIFE, state.name(), &json!({ "seq": event.seq }));
        } else {
            self.begin(LIFE, 0, state.name().to_owned(), json!({ "seq": event.seq }));
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the facts that begin and end an attempt, of all facts")]
    fn attempt(&mut self, event: &Recorded) {
        let name = format!("attempt {}", event.attempt.unwrap_or_default());
        match &event.fact {
            Fact::Claimed { .. } => {
                self.begin(ATTEMPTS, 0, name, json!({ "seq": event.seq }));
                self.begin(ATTEMPTS, 1, "starting".into(), json!({}));
            }
            Fact::Identified { identity, .. } => {
                self.begin(ATTEMPTS, 1, "running".into(), json!({ "shim_pid": identity.pid }));
            }
            Fact::StopAsked { .. } => self.begin(ATTEMPTS, 1, "stopping".into(), json!({})),
            Fact::Ended { outcome, evidence, .. } => {
                let ended = json!(format!("{} {}", outcome.name(), short(evidence, 200)).trim_end());
                self.close(ATTEMPTS, 0, &ended);
            }
            _ => {}
        }
    }

    /// Whether the event is one of a message.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the facts about messages, of all facts")]
    fn message(&mut self, event: &Recorded, messages: &mut BTreeMap<i64, Message>) -> bool {
        let (id, what) = match &event.fact {
            Fact::Queued { id, what, .. } => (*id, what_name(what)),
            Fact::Sending { id, .. }
            | Fact::Sent { id, .. }
            | Fact::SendFailed { id, .. }
            | Fact::SendUnknown { id } => (*id, "message"),
            _ => return false,
        };
        let fresh = Message { track: MESSAGES + i64::try_from(messages.len()).unwrap_or(i64::MAX / 2), tries: 0 };
        let is_new = !messages.contains_key(&id);
        let message = messages.entry(id).or_insert(fresh);
        let track = message.track;
        if is_new {
            self.name("thread_name", track, &format!("{what} {id}"));
        }
        match &event.fact {
            // A card that changes while it waits is one message that waits.
            Fact::Queued { chat, .. } if !self.open.contains_key(&(track, 0)) => {
                message.tries = 0;
                self.begin(track, 0, "to be delivered".into(), json!({ "seq": event.seq, "chat": chat }));
            }
            Fact::Sending { .. } => {
                message.tries += 1;
                self.begin(track, 1, format!("try {}", message.tries), json!({ "seq": event.seq }));
            }
            Fact::Sent { message, .. } => self.close(track, 0, &json!(format!("arrived as message {message}"))),
            Fact::SendFailed { error, then, .. } => {
                let depth = u8::from(*then != Then::GiveUp);
                self.close(track, depth, &json!(short(error, 200)));
            }
            Fact::SendUnknown { .. } => self.close(track, 1, &json!("nobody knows whether it arrived")),
            _ => {}
        }
        true
    }

    fn instant(&mut self, event: &Recorded) {
        let data = serde_json::to_value(&event.fact).map(|mut fact| fact["data"].take()).unwrap_or_default();
        let args = json!({ "seq": event.seq, "actor": event.actor, "data": data });
        self.mark(EVENTS, event.fact.kind(), &args);
    }

    fn mark(&mut self, track: i64, name: &str, args: &Value) {
        let at = micros(self.at);
        let drawn = json!({
            "ph": "i", "s": "t", "cat": "mainstay", "name": name, "pid": self.task, "tid": track, "ts": at, "args": args,
        });
        self.drawn.push(((at, Reverse(0), u8::MAX), drawn));
    }
}

const fn micros(ms: i64) -> i64 {
    ms.saturating_mul(1_000)
}

fn what_name(what: &What) -> &'static str {
    match what {
        What::Alert(_) => "alert",
        What::Report(_) => "report",
        What::Card { .. } => "card",
        What::Text(_) | What::Document { .. } => "answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Identity;
    use crate::event::Class;
    use crate::id::{Actor, TaskId};
    use crate::ports::Outgoing;
    use crate::task::{Cause, Outcome, State, step};

    fn told(facts: Vec<(i64, Fact)>) -> Vec<Recorded> {
        let recorded = |(n, (at, fact)): (usize, (i64, Fact))| Recorded {
            seq: i64::try_from(n).expect("few") + 1,
            at,
            boot: "boot".into(),
            epoch: 1,
            trace: "t".into(),
            task: Some(TaskId(42)),
            attempt: Some(1),
            actor: Actor::User(7),
            fact,
        };
        facts.into_iter().enumerate().map(recorded).collect()
    }

    fn story() -> Vec<Recorded> {
        let moved = |state, cause| step(state, cause).expect("a step there is");
        let report = What::Report(Outgoing::default());
        told(vec![
            (
                1_000,
                Fact::Requested {
                    kind: "build".into(),
                    prompt: String::new(),
                    heavy: false,
                    group: "build".into(),
                    chat: Some(7),
                    thread: None,
                    message: None,
                    rerun_of: None,
                    until: 0,
                },
            ),
            (
                1_500,
                Fact::Approved {
                    hash: "h".into(),
                    note: String::new(),
                    until: 0,
                    step: Some(moved(State::Requested, Cause::Approved)),
                },
            ),
            (2_000, Fact::Resumed { step: moved(State::Approved, Cause::Resumed), until: 0 }),
            (2_000, Fact::Claimed { nonce: "n".into(), hash: "h".into(), step: moved(State::Queued, Cause::Claimed) }),
            (2_100, Fact::Identified { identity: Identity { boot: "boot".into(), pid: 77, start: 1 }, until: None }),
            (
                9_000,
                Fact::Ended {
                    end: None,
                    cause: None,
                    outcome: Outcome::Success,
                    ran_ms: Some(6_900),
                    strays: 0,
                    logs: Vec::new(),
                    evidence: String::new(),
                    stop_lost: false,
                    retry: None,
                    step: moved(State::Running, Cause::ExitedZero),
                },
            ),
            (9_000, Fact::Queued { id: 5, class: Class::Report, chat: 7, what: report, anew: false }),
            (9_100, Fact::Sending { id: 5, version: 0 }),
            (9_300, Fact::SendFailed { id: 5, error: "reset".into(), then: Then::RetryMarked, until: Some(1) }),
            // The clock was set back.
            (8_000, Fact::Sending { id: 5, version: 0 }),
        ])
    }

    #[test]
    fn the_trace_has_what_the_format_asks_for() {
        let trace = perfetto(42, &story(), 10_000);
        assert_eq!(trace["displayTimeUnit"], "ms");
        let events = trace["traceEvents"].as_array().expect("a list");
        for event in events {
            assert!(event["pid"] == 42 && event["tid"].is_i64() && event["name"].is_string(), "{event}");
            match event["ph"].as_str() {
                Some("M") => assert!(event["args"].is_object(), "{event}"),
                Some("X") => {
                    assert!(event["ts"].is_i64() && event["dur"].as_i64().is_some_and(|dur| dur >= 0), "{event}")
                }
                Some("i") => assert!(event["ts"].is_i64() && event["s"] == "t", "{event}"),
                other => panic!("{other:?}: {event}"),
            }
        }
        let named = |tid: &Value| events.iter().any(|e| e["name"] == "thread_name" && e["tid"] == *tid);
        assert!(events.iter().all(|event| named(&event["tid"])), "every track has a name");
    }

    #[test]
    fn spans_of_one_track_come_in_order_and_lie_within_or_after_each_other() {
        for n in 0..=story().len() {
            let trace = perfetto(42, &story()[..n], 10_000);
            let spans: Vec<(i64, i64, i64)> = trace["traceEvents"]
                .as_array()
                .expect("a list")
                .iter()
                .filter(|event| event["ph"] == "X")
                .map(|e| (e["tid"].as_i64(), e["ts"].as_i64(), e["dur"].as_i64()))
                .map(|(tid, ts, dur)| (tid.expect("a track"), ts.expect("a time"), dur.expect("a time")))
                .collect();
            for (n, (track, from, dur)) in spans.iter().enumerate() {
                for (_, start, length) in spans[n + 1..].iter().filter(|(other, ..)| other == track) {
                    let (end, stop) = (from + dur, start + length);
                    assert!(from <= start && (end <= *start || stop <= end), "{spans:?}");
                }
            }
        }
    }

    #[test]
    fn the_trace_reads_as_reviewed() {
        let trace = perfetto(42, &story(), 10_000);
        let lines: Vec<String> =
            trace["traceEvents"].as_array().expect("a list").iter().map(Value::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
