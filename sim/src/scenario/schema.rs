//! The JSON Schema of scenario files, for editors: they complete what the [`super::grammar`] knows and mark what it does not.

use super::check::{kinds, persons};
use super::grammar::{DUE, FILE, Key, Takes};
use super::words::{self, Moment, Word, may_stay};
use crate::{fault, people};
use mainstay::anomaly::ANOMALIES;
use mainstay::event::Fact;
use mainstay::task::State;
use serde_json::{Map, Value, json};

/// Where it is written, seen from the top of the repository.
pub const PATH: &str = "scenarios/scenario.schema.json";

/// The schema, as the file has it.
pub fn text() -> String {
    let mut schema = table(&[FILE]);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("A scenario of Mainstay's simulation");
    schema["$comment"] =
        json!("Generated from sim/src/scenario/grammar.rs and sim/src/fault: cargo xtask scenario schema");
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

fn table(keys: &[&'static [Key]]) -> Value {
    let all = || keys.iter().flat_map(|keys| keys.iter());
    let properties: Map<String, Value> = all().map(|key| (key.name.to_owned(), described(key))).collect();
    let required: Vec<&str> = all().filter(|key| key.rule.default.is_none()).map(|key| key.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn described(key: &Key) -> Value {
    let mut value = value(key.rule.takes);
    value["description"] = json!(about(key.about));
    if let Some(default) = key.rule.default.filter(|default| !default.is_empty()) {
        // Truths and numbers are JSON as they are written, everything else is a text.
        value["default"] = serde_json::from_str(default).unwrap_or_else(|_| json!(default));
    }
    value
}

pub(super) fn about(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn value(takes: Takes) -> Value {
    match takes {
        Takes::Text | Takes::Said => json!({ "type": "string", "minLength": 1 }),
        Takes::Texts => json!({ "type": "array", "items": { "type": "string", "minLength": 1 } }),
        Takes::Time => json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$" }),
        Takes::Bool => json!({ "type": "boolean" }),
        Takes::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Takes::Pair(least, most) => {
            let number = json!({ "type": "integer", "minimum": least, "maximum": most });
            json!({ "type": "array", "items": number, "minItems": 2, "maxItems": 2 })
        }
        Takes::Amount => amount(),
        Takes::Job => json!({ "type": "integer", "minimum": 1 }),
        Takes::Word(words) => one_of(words),
        Takes::Operator => json!({ "enum": people::names() }),
        Takes::Person => json!({ "enum": persons() }),
        Takes::Kind => json!({ "enum": kinds() }),
        Takes::Moment => {
            let what: Vec<&str> = Moment::WHAT.iter().map(|word| word.name).collect();
            json!({ "type": "string", "pattern": format!("^job [0-9]+ ({})$", what.join("|")) })
        }
        Takes::Does => {
            let words: Vec<&str> = words::DOES.iter().map(|word| word.name).collect();
            json!({ "type": "string", "examples": words })
        }
        Takes::Ends => {
            let states: Vec<&str> = State::ALL.iter().filter(|s| may_stay(**s)).map(|s| s.name()).collect();
            let outcomes = super::check::OUTCOMES.join("|");
            json!({ "type": "string", "pattern": format!("^({})( ({outcomes}))?$", states.join("|")) })
        }
        Takes::Events => {
            let events: Map<String, Value> = Fact::KINDS.iter().map(|kind| ((*kind).to_owned(), amount())).collect();
            json!({ "type": "object", "properties": events, "additionalProperties": false })
        }
        Takes::Anomalies => {
            let all: Map<String, Value> = ANOMALIES.iter().map(|one| (one.name.to_owned(), amount())).collect();
            json!({ "type": "object", "properties": all, "additionalProperties": false })
        }
        Takes::Rates => {
            let all: Map<String, Value> = fault::drawn()
                .into_iter()
                .map(|name| (name.to_owned(), json!({ "type": "integer", "minimum": 0 })))
                .collect();
            json!({ "type": "object", "properties": all, "additionalProperties": false })
        }
        Takes::Table(keys) => table(&[keys]),
        Takes::Tables(keys) => json!({ "type": "array", "items": table(&[keys]) }),
        Takes::Faults => json!({ "type": "array", "items": { "oneOf": faults() } }),
    }
}

fn amount() -> Value {
    json!({ "oneOf": [
        { "type": "integer", "minimum": 0 },
        { "type": "string", "pattern": "^((at least |at most )?[0-9]+|[0-9]+ to [0-9]+)$" },
    ] })
}

fn one_of(words: &[Word]) -> Value {
    let one = |word: &Word| json!({ "const": word.name, "description": word.about });
    json!({ "oneOf": words.iter().map(one).collect::<Vec<_>>() })
}

fn faults() -> Vec<Value> {
    let one = |kind: &fault::Kind| {
        let mut schema = table(&[DUE, kind.keys]);
        schema["properties"]["fault"] = json!({ "const": kind.name, "description": about(kind.about) });
        if let Some(required) = schema["required"].as_array_mut() {
            required.push(json!("fault"));
        }
        schema["description"] = json!(about(kind.about));
        schema
    };
    fault::KINDS.iter().map(one).collect()
}
