//! What `ops` answers, for monitors: OpenMetrics text 1.0.0. One table; a field that an answer lacks is left out.

use crate::command::Mode;
use crate::task::{Outcome, State};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What the text is, for the one who asks.
pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A family of metrics. Names, types and units as OpenMetrics has them: a unit is also the end of the name, and what a
/// counter's or an info's sample ends with is not part of it.
struct Family {
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    from: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gauge,
    Counter,
    StateSet,
    Info,
}

/// Where the values are in the answer, by JSON pointers.
#[derive(Clone, Copy)]
enum Source {
    /// A number as it is, or a flag as 0 or 1.
    Value(&'static str),
    /// A number of ms; seconds are told.
    Millis(&'static str),
    /// How many there are in a list.
    Count(&'static str),
    /// How many there are in a list, by this field of its items; none of those that are not there.
    CountBy(&'static str, &'static str),
    /// The greatest of a list's items in ms, in this field; seconds are told.
    GreatestMillis(&'static str, &'static str),
    /// Numbers by name: one sample for each of these names, 0 for those that are not there.
    Each(&'static str, &'static str, fn() -> Vec<&'static str>),
    /// Which of these words it is.
    OneOf(&'static str, fn() -> Vec<&'static str>),
    /// Texts, as labels.
    Labels(&'static [(&'static str, &'static str)]),
}

const fn family(name: &'static str, kind: Kind, unit: &'static str, from: Source, help: &'static str) -> Family {
    Family { name, kind, unit, help, from }
}

fn statuses() -> Vec<&'static str> {
    vec!["healthy", "degraded", "broken"]
}

fn modes() -> Vec<&'static str> {
    [Mode::Readonly, Mode::Supervised, Mode::Auto].map(Mode::name).to_vec()
}

fn states() -> Vec<&'static str> {
    State::ALL.map(State::name).to_vec()
}

fn outcomes() -> Vec<&'static str> {
    Outcome::ALL.map(Outcome::name).to_vec()
}

fn outbox() -> Vec<&'static str> {
    vec!["pending", "uncertain", "refused"]
}

use Kind::{Counter, Gauge, Info, StateSet};
use Source::{Count, CountBy, Each, GreatestMillis, Labels, Millis, OneOf};

const FAMILIES: &[Family] = &[
    family("mainstay_status", StateSet, "", OneOf("/status", statuses), "Whether all is well, in one word."),
    family("mainstay_reasons", Gauge, "", Count("/reasons"), "How many reasons there are for not being healthy."),
    family("mainstay_anomalies", Gauge, "", CountBy("/anomalies", "name"), "What is wrong, by the anomaly's name."),
    family("mainstay_mode", StateSet, "", OneOf("/mode", modes), "How much may happen by itself."),
    family("mainstay_draining", Gauge, "", Source::Value("/draining"), "1 while nothing new starts before undrain."),
    family("mainstay_tasks", Gauge, "", Each("/tasks", "state", states), "Tasks on record by state."),
    family(
        "mainstay_tasks_stale",
        Gauge,
        "",
        Count("/stale_running"),
        "Running tasks that should have ended long ago.",
    ),
    family(
        "mainstay_tasks_oldest_running_seconds",
        Gauge,
        "seconds",
        GreatestMillis("/running", "age_ms"),
        "Since the start of the attempt that runs longest.",
    ),
    family(
        "mainstay_tasks_oldest_queued_seconds",
        Gauge,
        "seconds",
        Millis("/oldest_queued_ms"),
        "Since the task was asked for that has waited longest for a slot.",
    ),
    family(
        "mainstay_tasks_expired_waiting_24h",
        Gauge,
        "",
        Source::Value("/expired_waiting_24h"),
        "Tasks whose time ran out in the last 24 hours while they waited for people.",
    ),
    family(
        "mainstay_attempts_adopted_24h",
        Gauge,
        "",
        Source::Value("/adopted_24h"),
        "Attempts that a new daemon found alive in the last 24 hours.",
    ),
    family(
        "mainstay_tasks_ended_24h",
        Gauge,
        "",
        Each("/ended_24h", "outcome", outcomes),
        "Tasks that ended in the last 24 hours, by outcome.",
    ),
    family(
        "mainstay_outbox_messages",
        Gauge,
        "",
        Each("/outbox", "state", outbox),
        "Messages not delivered: pending ones, those of them that may have arrived, and those set aside.",
    ),
    family(
        "mainstay_poll_last_timestamp_seconds",
        Gauge,
        "seconds",
        Millis("/poll/last_ms"),
        "When the last long poll completed, since 1970.",
    ),
    family(
        "mainstay_poll_silent_seconds",
        Gauge,
        "seconds",
        Millis("/poll/silent_ms"),
        "Since a long poll completed, or since the daemon began.",
    ),
    family("mainstay_poll_failures", Gauge, "", Source::Value("/poll/failures"), "Polls that failed since then."),
    family(
        "mainstay_database_bytes",
        Gauge,
        "bytes",
        Source::Value("/database_bytes"),
        "What the database holds; its file may be larger.",
    ),
    family(
        "mainstay_backup_last_timestamp_seconds",
        Gauge,
        "seconds",
        Millis("/backup/made_ms"),
        "When the last back-up was made, since 1970.",
    ),
    family("mainstay_backup_bytes", Gauge, "bytes", Source::Value("/backup/bytes"), "Size of that back-up."),
    family(
        "mainstay_backup_failed_timestamp_seconds",
        Gauge,
        "seconds",
        Millis("/backup/failed_ms"),
        "When a back-up last failed, since 1970.",
    ),
    family(
        "mainstay_disk_free_bytes",
        Gauge,
        "bytes",
        Source::Value("/disk_free_bytes"),
        "Free for the state directory.",
    ),
    family(
        "mainstay_events",
        Counter,
        "",
        Source::Value("/events"),
        "Number of the last event: so many were ever recorded.",
    ),
    family("mainstay_replays", Counter, "", Source::Value("/replays"), "What came again and was not done again."),
    family("mainstay_violations", Counter, "", Source::Value("/violations"), "Events that must never happen."),
    family("mainstay_starts", Counter, "", Source::Value("/epoch"), "Times that a daemon took over this record."),
    family(
        "mainstay_build",
        Info,
        "",
        Labels(&[("version", "/version"), ("config_hash", "/config_hash")]),
        "The daemon and the configuration it runs with.",
    ),
];

/// The data of `ops` as OpenMetrics text.
pub fn metrics(ops: &Value) -> String {
    let mut text = String::new();
    for family in FAMILIES {
        let samples = samples(family, ops);
        if samples.is_empty() {
            continue;
        }
        let (name, kind) = (family.name, type_name(family.kind));
        let _ = writeln!(text, "# TYPE {name} {kind}");
        if !family.unit.is_empty() {
            let _ = writeln!(text, "# UNIT {name} {}", family.unit);
        }
        let _ = writeln!(text, "# HELP {name} {}", escaped(family.help));
        for sample in samples {
            let _ = writeln!(text, "{name}{sample}");
        }
    }
    text + "# EOF\n"
}

const fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
        Kind::StateSet => "stateset",
        Kind::Info => "info",
    }
}

/// What follows the family's name, of each sample.
fn samples(family: &Family, ops: &Value) -> Vec<String> {
    let suffix = match family.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::StateSet => "",
    };
    let list = |at: &str| ops.pointer(at).and_then(Value::as_array);
    let one = |value: Option<String>| value.map(|value| format!("{suffix} {value}")).into_iter().collect();
    match family.from {
        Source::Value(at) => one(ops.pointer(at).and_then(number)),
        Source::Millis(at) => one(ops.pointer(at).and_then(Value::as_i64).map(seconds)),
        Source::Count(at) => one(list(at).map(|items| items.len().to_string())),
        Source::CountBy(at, field) => {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for name in list(at).into_iter().flatten().filter_map(|item| item[field].as_str()) {
                *counts.entry(escaped(name)).or_default() += 1;
            }
            counts.into_iter().map(|(name, n)| format!("{suffix}{{{field}=\"{name}\"}} {n}")).collect()
        }
        Source::GreatestMillis(at, field) => {
            one(list(at).and_then(|items| items.iter().filter_map(|item| item[field].as_i64()).max()).map(seconds))
        }
        Source::Each(at, label, names) => {
            let Some(all) = ops.pointer(at) else { return Vec::new() };
            let value = |name: &str| all.get(name).and_then(number).unwrap_or_else(|| "0".to_owned());
            names().into_iter().map(|name| format!("{suffix}{{{label}=\"{name}\"}} {}", value(name))).collect()
        }
        Source::OneOf(at, words) => {
            let Some(word) = ops.pointer(at).and_then(Value::as_str) else { return Vec::new() };
            let is = |known: &str| u8::from(known == word);
            // A state set's label has the name of its family.
            words().into_iter().map(|known| format!("{{{}=\"{known}\"}} {}", family.name, is(known))).collect()
        }
        Source::Labels(labels) => {
            let text = |at: &str| ops.pointer(at).and_then(Value::as_str).map(escaped);
            let labels: Vec<String> =
                labels.iter().filter_map(|(name, at)| Some(format!("{name}=\"{}\"", text(at)?))).collect();
            if labels.is_empty() { Vec::new() } else { vec![format!("{suffix}{{{}}} 1", labels.join(","))] }
        }
    }
}

fn number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn seconds(ms: i64) -> String {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    format!("{sign}{}.{:03}", ms / 1_000, ms % 1_000)
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Kind as TaskKind, Operator};
    use crate::decide::Moment;
    use crate::report::ops;
    use crate::view::{OpsRow, View};
    use serde_json::json;

    /// Numbers of `ops` that say nothing over time, or are part of a family in another way.
    const NO_METRIC: [&str; 1] = ["/oldest_queued"];

    fn answer() -> Value {
        let config = Config {
            state_dir: "/nowhere".into(),
            autonomy: Mode::Supervised,
            telegram: None,
            status: None,
            operators: BTreeMap::from([(7, Operator { id: 7, name: "ana".into(), roles: Vec::new(), uid: None })]),
            kinds: BTreeMap::from([("build".into(), TaskKind::new("build", true, vec!["/bin/true".into()]))]),
            running_max: 2,
            record: crate::config::RecordConfig::default(),
            given: std::collections::BTreeSet::new(),
            hash: String::new(),
        };
        let row = OpsRow {
            tasks: BTreeMap::from([("QUEUED".into(), 3)]),
            ended: BTreeMap::from([("success".into(), 5), ("unknown".into(), 1)]),
            pending: 4,
            events: 1_000,
            epoch: Some((9, "1.2.3".into(), "abc".into(), 0)),
            ..OpsRow::default()
        };
        let view =
            View { ops: Some(row), polled_ms: Some(1_800_000_000_250), free_bytes: Some(1 << 30), ..View::default() };
        ops(&config, &view, Moment { wall_ms: 1_800_000_001_000, boot_ms: 5_000, entropy: 0 }).data
    }

    #[test]
    fn the_numbers_read_as_reviewed() {
        let mut answer = answer();
        answer["running"] = json!([{ "task_id": 1, "age_ms": 61_500 }, { "task_id": 2, "age_ms": null }]);
        answer["anomalies"] = json!([{ "name": "stuck_outbox" }, { "name": "disk_low" }, { "name": "stuck_outbox" }]);
        answer["version"] = json!("1\\2\"3\n");
        insta::assert_snapshot!(metrics(&answer));
    }

    #[test]
    fn every_number_that_ops_tells_is_a_metric_or_said_to_be_none() {
        fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
            match value {
                Value::Number(_) | Value::Bool(_) => found.push(path.to_owned()),
                Value::Object(fields) => {
                    fields.iter().for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), found));
                }
                Value::Null | Value::String(_) | Value::Array(_) => {}
            }
        }
        let mut found = Vec::new();
        leaves(&answer(), "", &mut found);
        assert!(found.len() > 10, "{found:?}");
        let told = |path: &str| {
            FAMILIES.iter().any(|family| match family.from {
                Source::Value(at) | Source::Millis(at) => at == path,
                Source::Each(at, _, names) => names().iter().any(|name| path == format!("{at}/{name}")),
                Source::Count(_)
                | Source::CountBy(..)
                | Source::GreatestMillis(..)
                | Source::OneOf(..)
                | Source::Labels(_) => false,
            })
        };
        let missing: Vec<&String> =
            found.iter().filter(|path| !told(path) && !NO_METRIC.contains(&path.as_str())).collect();
        assert!(missing.is_empty(), "a row of FAMILIES for each of these, or its place in NO_METRIC: {missing:?}");
    }

    #[test]
    fn the_text_is_what_openmetrics_asks_for() {
        let text = metrics(&answer());
        assert!(text.ends_with("# EOF\n") && !text.contains("\n\n") && text.matches("# EOF").count() == 1);
        let mut family = String::new();
        let mut seen = Vec::new();
        for line in text.lines().take_while(|line| *line != "# EOF") {
            if let Some(meta) = line.strip_prefix("# ") {
                let words: Vec<&str> = meta.splitn(3, ' ').collect();
                if words[0] == "TYPE" {
                    family = words[1].to_owned();
                    assert!(!seen.contains(&family), "{family} stands in two places");
                    seen.push(family.clone());
                }
                assert_eq!(words[1], family, "{line}");
                assert!(words[0] != "UNIT" || family.ends_with(&format!("_{}", words[2])), "{line}");
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
            let name = sample.split('{').next().unwrap_or_default();
            let kind = FAMILIES.iter().find(|known| known.name == family).expect("a family").kind;
            let suffix = match kind {
                Kind::Counter => "_total",
                Kind::Info => "_info",
                Kind::Gauge | Kind::StateSet => "",
            };
            assert_eq!(name, format!("{family}{suffix}"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
        for family in FAMILIES {
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(family.name.starts_with("mainstay_") && family.name.chars().all(legal), "{}", family.name);
            for end in ["_total", "_info", "_created", "_count", "_sum", "_bucket"] {
                assert!(!family.name.ends_with(end), "{} ends like a sample", family.name);
            }
        }
    }

    #[test]
    fn what_an_answer_lacks_is_left_out() {
        assert_eq!(metrics(&Value::Null), "# EOF\n");
        assert_eq!(
            metrics(&json!({ "tasks": [], "running": {}, "status": 7, "epoch": "x", "poll": null }))
                .matches("TYPE")
                .count(),
            1
        );
    }
}
