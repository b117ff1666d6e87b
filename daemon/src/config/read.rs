//! Text to checked values, key by key, after the table. Every problem is collected, with its line and what to do.

use super::keys::{Key, Section, Takes, read_bytes, read_ms};
use crate::command::nearest;
use crate::policy;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something wrong, or strange, in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// Like `kind.build.timeout`; empty when no key is to blame.
    pub key: String,
    /// What is wrong and what to do.
    pub text: String,
    /// No operator is named at all: has an exit code of its own.
    pub nobody: bool,
}

impl fmt::Display for Problem {
    /// `12: kind.build.timeout: must be ...`; the file's name is for the caller to put before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.line, self.text)
        } else {
            write!(f, "{}: {}: {}", self.line, self.key, self.text)
        }
    }
}

/// Collects problems and knows lines.
pub(super) struct Reader<'a> {
    text: &'a str,
    pub(super) problems: Vec<Problem>,
}

/// A checked value. Durations are ms, sizes bytes; list items carry their lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    Number(i64),
    Texts(Vec<(String, usize)>),
    Numbers(Vec<(i64, usize)>),
}

/// One table of the file, checked: what is here is right by itself.
pub(super) struct Fields {
    pub(super) section: Section,
    /// How messages call it: `kind.build`, or `kind 2` when it has no name.
    pub(super) title: String,
    /// Of its header.
    pub(super) line: usize,
    values: BTreeMap<&'static str, (Value, usize)>,
    /// Keys that were given, but wrong: they are not missing.
    given: Vec<&'static str>,
}

impl Fields {
    /// The line of a key, or of the header.
    pub(super) fn line_of(&self, name: &str) -> usize {
        self.values.get(name).map_or(self.line, |(_, line)| *line)
    }

    /// Its path in messages.
    pub(super) fn path(&self, name: &str) -> String {
        if self.title.is_empty() { name.to_owned() } else { format!("{}.{name}", self.title) }
    }

    /// The paths of all keys that are there.
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.values.keys().map(|name| self.path(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some() || self.given.contains(&name)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        assert!(self.section.keys().any(|key| key.name == name), "{name} has no row in the table");
        self.values.get(name).map(|(value, _)| value)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            None | Some(Value::Flag(_) | Value::Number(_) | Value::Texts(_) | Value::Numbers(_)) => None,
        }
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Flag(flag)) => Some(*flag),
            None | Some(Value::Text(_) | Value::Number(_) | Value::Texts(_) | Value::Numbers(_)) => None,
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            None | Some(Value::Text(_) | Value::Flag(_) | Value::Texts(_) | Value::Numbers(_)) => None,
        }
    }

    pub(super) fn texts(&self, name: &str) -> Option<Vec<(String, usize)>> {
        match self.get(name) {
            Some(Value::Texts(texts)) => Some(texts.clone()),
            None | Some(Value::Text(_) | Value::Flag(_) | Value::Number(_) | Value::Numbers(_)) => None,
        }
    }

    pub(super) fn numbers(&self, name: &str) -> Option<Vec<(i64, usize)>> {
        match self.get(name) {
            Some(Value::Numbers(numbers)) => Some(numbers.clone()),
            None | Some(Value::Text(_) | Value::Flag(_) | Value::Number(_) | Value::Texts(_)) => None,
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, problems: Vec::new() }
    }

    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let end = span.start.min(self.text.len());
        1 + self.text.as_bytes()[..end].iter().filter(|b| **b == b'\n').count()
    }

    pub(super) fn problem(&mut self, line: usize, key: impl Into<String>, text: impl Into<String>) {
        self.problems.push(Problem { line, key: key.into(), text: text.into(), nobody: false });
    }

    /// Every table of the file, the top one first. Nothing when it is no TOML.
    pub(super) fn sections(&mut self) -> Vec<Fields> {
        let (document, mut errors) = DeTable::parse_recoverable(self.text);
        errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
        for error in &errors {
            let line = error.span().map_or(1, |span| self.line(&span));
            // What follows the first error is often but its echo: one a line, and few.
            if self.problems.len() < policy::CONFIG_SYNTAX_ERRORS_MAX
                && self.problems.iter().all(|known| known.line != line)
            {
                let text = error.message().lines().next().unwrap_or_default().to_owned();
                self.problem(line, "", format!("this is no TOML: {text}"));
            }
        }
        if !errors.is_empty() {
            return Vec::new();
        }
        let document = document.into_inner();
        let mut sections = vec![self.fields(Section::Top, String::new(), 1, &document)];
        for section in [Section::Telegram, Section::Status, Section::Operator, Section::Kind, Section::Record] {
            let Some(value) = document.get(section.name()) else { continue };
            let line = self.line(&value.span());
            match (section, value.get_ref()) {
                (Section::Telegram | Section::Status | Section::Record, DeValue::Table(table)) => {
                    sections.push(self.fields(section, section.name().into(), line, table));
                }
                (Section::Operator | Section::Kind, DeValue::Array(array)) => {
                    for (n, item) in array.iter().enumerate() {
                        let line = self.line(&item.span());
                        if let DeValue::Table(table) = item.get_ref() {
                            let title = title(section, n, table);
                            sections.push(self.fields(section, title, line, table));
                        } else {
                            self.problem(line, section.name(), format!("write [[{}]] and its keys", section.name()));
                        }
                    }
                }
                (Section::Telegram | Section::Status | Section::Record, _) => {
                    self.problem(line, section.name(), format!("there is one: write {}", section.header()));
                }
                (Section::Top | Section::Operator | Section::Kind, _) => {
                    let text = format!("there can be several: write [[{0}]], not [{0}]", section.name());
                    self.problem(line, section.name(), text);
                }
            }
        }
        sections
    }

    fn fields(&mut self, section: Section, title: String, line: usize, table: &DeTable<'_>) -> Fields {
        let mut fields = Fields { section, title, line, values: BTreeMap::new(), given: Vec::new() };
        for (name, value) in table {
            let line = self.line(&name.span());
            let word = name.get_ref().as_ref();
            match section.keys().find(|key| key.name == word) {
                Some(key) => {
                    fields.given.push(key.name);
                    if let Some(read) = self.value(&fields.path(word), key, line, value) {
                        fields.values.insert(key.name, (read, line));
                    }
                }
                None if section == Section::Top && Section::ALL.iter().any(|s| s.name() == word) => {}
                None => self.problem(line, fields.path(word), unknown(section, word)),
            }
        }
        for key in section.keys().filter(|key| key.default.is_none()) {
            if !fields.given.contains(&key.name) {
                self.problem(
                    fields.line,
                    fields.path(key.name),
                    format!("is missing ({}): must be {}", key.about, key.takes.describe()),
                );
            }
        }
        fields
    }

    fn value(&mut self, path: &str, key: &Key, line: usize, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let read = match (key.takes, value.get_ref()) {
            (Takes::Texts, DeValue::Array(items)) => return self.texts(path, items.iter(), None),
            (Takes::SomeOf(words), DeValue::Array(items)) => return self.texts(path, items.iter(), Some(words)),
            (Takes::Ids, DeValue::Array(items)) => return self.numbers(path, items.iter(), i64::MIN, i64::MAX, key),
            (Takes::Codes, DeValue::Array(items)) => return self.numbers(path, items.iter(), 1, 255, key),
            (takes, value) => scalar(takes, value),
        };
        match read {
            Ok(value) => Some(value),
            Err(text) => {
                self.problem(line, path, text);
                None
            }
        }
    }

    fn texts<'v, 'i: 'v>(
        &mut self,
        path: &str,
        items: impl Iterator<Item = &'v Spanned<DeValue<'i>>>,
        words: Option<&'static [&'static str]>,
    ) -> Option<Value> {
        let before = self.problems.len();
        let mut texts = Vec::new();
        for item in items {
            let line = self.line(&item.span());
            match item.get_ref().as_str() {
                None => self.problem(line, path, "every item must be a text in quotes"),
                Some(text) if text.is_empty() || text.contains('\0') => {
                    // An empty argument is legal, an empty program or word is not: the builder looks at those.
                    if text.is_empty() && path.ends_with(".argv") {
                        texts.push((String::new(), line));
                    } else {
                        self.problem(line, path, "an item is empty or has a zero byte in it");
                    }
                }
                Some(text) => match words.filter(|words| !words.contains(&text)) {
                    Some(words) => self.problem(line, path, none_of(text, words)),
                    None => texts.push((text.to_owned(), line)),
                },
            }
        }
        (self.problems.len() == before).then_some(Value::Texts(texts))
    }

    fn numbers<'v, 'i: 'v>(
        &mut self,
        path: &str,
        items: impl Iterator<Item = &'v Spanned<DeValue<'i>>>,
        min: i64,
        max: i64,
        key: &Key,
    ) -> Option<Value> {
        let before = self.problems.len();
        let mut numbers = Vec::new();
        for item in items {
            let line = self.line(&item.span());
            match integer(item.get_ref()) {
                Some(number) if (min..=max).contains(&number) => numbers.push((number, line)),
                Some(_) => self.problem(line, path, format!("must be {}", key.takes.describe())),
                None if key.takes == Takes::Ids => self.problem(line, path, name_for_id(item.get_ref())),
                None => self.problem(line, path, format!("must be {}", key.takes.describe())),
            }
        }
        (self.problems.len() == before).then_some(Value::Numbers(numbers))
    }
}

fn title(section: Section, n: usize, table: &DeTable<'_>) -> String {
    match table.get("name").and_then(|name| name.get_ref().as_str()) {
        Some(name) if !name.is_empty() => format!("{}.{name}", section.name()),
        Some(_) | None => format!("{} {}", section.name(), n + 1),
    }
}

fn unknown(section: Section, word: &str) -> String {
    let names = section.keys().map(|key| key.name);
    let sections = Section::ALL.iter().map(|s| s.name()).filter(|name| section == Section::Top && !name.is_empty());
    if let Some(near) = nearest(word, names.chain(sections)) {
        return format!("there is no such key; did you mean {near}?");
    }
    // A key of another section often slips below the wrong header.
    match super::keys::KEYS.iter().find(|key| key.name == word) {
        Some(key) if key.section == Section::Top => "there is no such key here; it stands above every [header]".into(),
        Some(key) => format!("there is no such key here; it belongs to {}", key.section.header()),
        None => {
            let known: Vec<&str> = section.keys().map(|key| key.name).collect();
            format!("there is no such key; the keys here are {}", known.join(", "))
        }
    }
}

fn none_of(word: &str, words: &[&'static str]) -> String {
    match nearest(&word.to_lowercase(), words.iter().copied()) {
        Some(near) => format!("{word:?} is none of {}; did you mean {near:?}?", words.join(", ")),
        None => format!("{word:?} is none of {}", words.join(", ")),
    }
}

fn name_for_id(value: &DeValue<'_>) -> String {
    match value.as_str() {
        Some(text) if text.parse::<i64>().is_ok() => format!("write the id as a number, without quotes: {text}"),
        Some(text) => format!("{text:?} is a name, and names change hands: write Telegram's numeric id"),
        None => "must be a numeric id".into(),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    value.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok())
}

/// A value that is no list; the error is a whole message.
fn scalar(takes: Takes, value: &DeValue<'_>) -> Result<Value, String> {
    let must = || format!("must be {}", takes.describe());
    let text = value.as_str().filter(|text| !text.is_empty() && !text.contains('\0'));
    match takes {
        Takes::Text | Takes::Path => text.map(|t| Value::Text(t.to_owned())).ok_or_else(must),
        Takes::Name => {
            let fits = |t: &&str| {
                t.len() <= 32
                    && t.starts_with(|c: char| c.is_ascii_lowercase())
                    && t.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
            };
            text.filter(fits).map(|t| Value::Text(t.to_owned())).ok_or_else(must)
        }
        Takes::OneOf(words) => match text {
            Some(word) if words.contains(&word) => Ok(Value::Text(word.to_owned())),
            Some(word) => Err(none_of(word, words)),
            None => Err(must()),
        },
        Takes::Flag => value.as_bool().map(Value::Flag).ok_or_else(must),
        Takes::Id => integer(value).map(Value::Number).ok_or_else(|| name_for_id(value)),
        Takes::Number(min, max) => {
            integer(value).filter(|n| (min..=max).contains(n)).map(Value::Number).ok_or_else(must)
        }
        Takes::Duration(min, max) => match text.map(read_ms) {
            Some(Some(ms)) if (min..=max).contains(&ms) => Ok(Value::Number(ms)),
            Some(_) => Err(must()),
            None => match integer(value) {
                Some(n) => Err(format!("has no unit: write {n}s in quotes if seconds are meant")),
                None => Err(must()),
            },
        },
        Takes::Bytes(min, max) => {
            let bytes = integer(value).or_else(|| read_bytes(text?));
            bytes.filter(|n| (min..=max).contains(n)).map(Value::Number).ok_or_else(must)
        }
        Takes::Ids | Takes::Texts | Takes::SomeOf(_) | Takes::Codes => Err(format!("{}, in brackets", must())),
    }
}
