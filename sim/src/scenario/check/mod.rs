//! Reads a scenario against its [`super::grammar`], and tells all that is wrong with it at once.

mod values;

pub(super) use values::example;

use super::grammar::{self, DUE, FILE, Key, Takes};
use super::{Amount, Scenario, Span, Wrong};
use crate::{fault, people};
use mainstay::anomaly::ANOMALIES;
use mainstay::event::Fact;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use values::{did_you_mean, whole};

/// How tasks end beside their state.
pub const OUTCOMES: [&str; 8] =
    ["success", "failure", "timeout", "not_started", "unknown", "stopped", "rejected", "expired"];

/// Reads a scenario.
///
/// # Errors
/// All that is wrong with it, in the order of the text.
pub fn check(text: &str) -> Result<Scenario, Vec<Wrong>> {
    let (file, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        return Err(broken.into_iter().map(of_toml).collect());
    }
    let jobs = file.get_ref().get("job").and_then(|jobs| jobs.get_ref().as_array()).map_or(0, |jobs| jobs.len());
    let open = ["swarm", "soak"].iter().any(|name| file.get_ref().contains_key(*name));
    let mut checker = Checker { jobs: if open { usize::MAX } else { jobs }, wrongs: Vec::new() };
    checker.table(file.get_ref(), &file.span(), &[FILE], "a scenario");
    checker.sense(file.get_ref());
    let mut wrongs = checker.wrongs;
    if wrongs.is_empty() {
        match toml::from_str(text) {
            Ok(scenario) => return Ok(scenario),
            Err(error) => wrongs.push(of_toml(error)),
        }
    }
    wrongs.sort_by_key(|wrong| wrong.span.start);
    Err(wrongs)
}

fn of_toml(error: toml::de::Error) -> Wrong {
    Wrong {
        span: error.span().unwrap_or(0..0),
        what: error.message().to_owned(),
        hint: "texts stand in quotes; [name] begins a table, [[name]] one more of its kind; # begins a comment".into(),
    }
}

struct Checker {
    /// How many there are; any number may be meant where chance adds some.
    jobs: usize,
    wrongs: Vec<Wrong>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl Checker {
    fn wrong(&mut self, span: Range<usize>, what: impl Into<String>, hint: impl Into<String>) {
        self.wrongs.push(Wrong { span, what: what.into(), hint: hint.into() });
    }

    /// A table, against the keys that it may have.
    fn table(&mut self, table: &DeTable<'_>, span: &Range<usize>, keys: &[&'static [Key]], place: &str) {
        let known = || keys.iter().flat_map(|keys| keys.iter());
        for (name, value) in table {
            match known().find(|key| key.name == name.get_ref().as_ref()) {
                Some(key) => self.value(key.rule.takes, value, key.name),
                None => {
                    let names: Vec<&str> = known().map(|key| key.name).collect();
                    let hint = did_you_mean(name.get_ref(), &names);
                    self.wrong(name.span(), format!("{place} has no {:?}", name.get_ref()), hint);
                }
            }
        }
        for key in known().filter(|key| key.rule.default.is_none() && !table.contains_key(key.name)) {
            let hint = format!("say `{} = {}`: {}", key.name, example(key.rule.takes), told(key));
            self.wrong(first_line(span), format!("{place} needs {:?}", key.name), hint);
        }
    }

    fn value(&mut self, takes: Takes, value: &Value<'_>, name: &str) {
        match takes {
            Takes::Text => _ = self.text(value, name),
            Takes::Said => self.said(value, name),
            Takes::Texts => match value.get_ref().as_array() {
                Some(texts) => texts.iter().for_each(|text| _ = self.text(text, name)),
                None => self.misfit(value, name, "a list of texts", r#"["a text", "another"]"#),
            },
            Takes::Time => self.parsed::<Span>(value, name, "write it like \"250ms\", \"30s\", \"10m\" or \"2h\""),
            Takes::Amount if whole(value).is_some_and(|n| n >= 0) => {}
            Takes::Amount => {
                self.parsed::<Amount>(value, name, "write 2, \"at least 2\", \"at most 3\" or \"2 to 3\"");
            }
            Takes::Bool if value.get_ref().is_bool() => {}
            Takes::Bool => self.misfit(value, name, "true or false", "true"),
            Takes::Number(least, most) => _ = self.number(value, name, least, most),
            Takes::Pair(least, most) => self.pair(value, name, least, most),
            Takes::Job => {
                if let Some(n) = self.number(value, name, 1, i64::MAX) {
                    self.job(usize::try_from(n).unwrap_or(usize::MAX), value.span());
                }
            }
            Takes::Word(words) => self.word(value, name, &words.iter().map(|word| word.name).collect::<Vec<_>>()),
            Takes::Operator => self.word(value, name, &people::names()),
            Takes::Person => self.word(value, name, &persons()),
            Takes::Kind => self.word(value, name, &kinds().iter().map(String::as_str).collect::<Vec<_>>()),
            Takes::Moment => self.moment(value, name),
            Takes::Does => self.does(value, name),
            Takes::Ends => self.ends(value, name),
            Takes::Events => match value.get_ref().as_table() {
                Some(events) => self.amounts(events, &Fact::KINDS, "event"),
                None => self.misfit(value, name, "a table", &example(takes)),
            },
            Takes::Anomalies => match value.get_ref().as_table() {
                Some(all) => self.amounts(all, &ANOMALIES.map(|anomaly| anomaly.name), "anomaly"),
                None => self.misfit(value, name, "a table", &example(takes)),
            },
            Takes::Rates => match value.get_ref().as_table() {
                Some(rates) => self.amounts(rates, &fault::drawn(), "fault that chance draws"),
                None => self.misfit(value, name, "a table", &example(takes)),
            },
            Takes::Table(keys) => match value.get_ref().as_table() {
                Some(table) => self.table(table, &value.span(), &[keys], &format!("[{name}]")),
                None => self.misfit(value, name, "a table", &format!("[{name}]")),
            },
            Takes::Tables(keys) => self.tables(value, name, |checker, table, span| {
                checker.table(table, span, &[keys], &format!("[[{name}]]"));
            }),
            Takes::Faults => self.tables(value, name, Checker::fault),
        }
    }

    fn tables(
        &mut self,
        value: &Value<'_>,
        name: &str,
        mut each: impl FnMut(&mut Checker, &DeTable<'_>, &Range<usize>),
    ) {
        let Some(tables) = value.get_ref().as_array() else {
            return self.misfit(value, name, "a table in double brackets", &format!("[[{name}]]"));
        };
        for table in tables {
            match table.get_ref().as_table() {
                Some(inner) => each(self, inner, &table.span()),
                None => self.misfit(table, name, "a table in double brackets", &format!("[[{name}]]")),
            }
        }
    }

    /// A fault has the fields of its kind.
    fn fault(&mut self, table: &DeTable<'_>, span: &Range<usize>) {
        let names: Vec<&str> = fault::KINDS.iter().map(|kind| kind.name).collect();
        let Some(name) = table.get("fault") else {
            let hint = format!("say which, like `fault = \"{}\"`; there are {}", names[0], names.join(", "));
            return self.wrong(first_line(span), "[[fault]] needs \"fault\"", hint);
        };
        self.word(name, "fault", &names);
        if let Some(kind) = fault::KINDS.iter().find(|kind| Some(kind.name) == name.get_ref().as_str()) {
            self.table(table, span, &[WHICH, DUE, kind.keys], &format!("the fault {:?}", kind.name));
        }
    }

    /// How many of each: names of which each is known.
    fn amounts(&mut self, table: &DeTable<'_>, known: &[&str], of: &str) {
        for (name, amount) in table {
            if !known.contains(&name.get_ref().as_ref()) {
                let what = format!("there is no {of} {:?}", name.get_ref());
                self.wrong(name.span(), what, did_you_mean(name.get_ref(), known));
            }
            self.value(Takes::Amount, amount, name.get_ref());
        }
    }

    // ------------------------------------------------------------------------------------------ sense

    /// What is right by itself and makes no sense together.
    fn sense(&mut self, file: &DeTable<'_>) {
        let lasts = time(file, "lasts");
        if time(file, "tick").is_some_and(|tick| !(1..=1_000).contains(&tick.0)) {
            let span = file.get("tick").map_or(0..0, Spanned::span);
            self.wrong(span, "tick is from 1ms to 1s", "50ms for most, 10ms where timing matters");
        }
        for name in ["fault", "says", "presses", "job"] {
            for table in file.get(name).and_then(|tables| tables.get_ref().as_array()).into_iter().flatten() {
                let Some(inner) = table.get_ref().as_table() else { continue };
                if name != "job" && !inner.contains_key("at") && !inner.contains_key("when") {
                    let hint = "say `at = \"10s\"` or `when = \"job 1 runs\"`, or both: so long after it";
                    self.wrong(first_line(&table.span()), format!("[[{name}]] does not say when"), hint);
                }
                let is_late = |at: Span| lasts.is_some_and(|lasts| at > lasts) && !inner.contains_key("when");
                if let Some(at) = time(inner, "at").filter(|at| is_late(*at)) {
                    let span = inner.get("at").map_or(0..0, Spanned::span);
                    let what = format!("{at} is after the end");
                    self.wrong(span, what, "nothing new happens after `lasts`: make that longer, or this earlier");
                }
                self.desk(inner, name);
            }
        }
    }

    /// The machine's command line is ana's, and has neither buttons nor edits.
    fn desk(&mut self, table: &DeTable<'_>, name: &str) {
        let says = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
        if says("via") != Some("cli") {
            return;
        }
        let span = table.get("via").map_or(0..0, Spanned::span);
        if says("by").is_some_and(|by| by != "ana") {
            self.wrong(span, "the command line is ana's", "say `by = \"ana\"`, or another `via`");
        } else if name == "presses" || table.contains_key("late") || says("how").is_some_and(|how| how != "plain") {
            self.wrong(span, "the command line has no buttons, edits or delays", "say another `via`");
        }
    }
}

/// The name of a fault, which stands beside its fields.
const WHICH: &[Key] = &[Key { name: "fault", about: &["Which."], rule: grammar::needed(Takes::Text) }];

/// Everybody who can write something.
pub fn persons() -> Vec<&'static str> {
    people::names().into_iter().chain([people::STRANGER_NAME]).collect()
}

/// The kinds of task of every simulation.
pub fn kinds() -> Vec<String> {
    people::config().kinds.into_keys().collect()
}

fn told(key: &Key) -> String {
    key.about.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn first_line(span: &Range<usize>) -> Range<usize> {
    span.start..span.start
}

fn time(table: &DeTable<'_>, key: &str) -> Option<Span> {
    table.get(key)?.get_ref().as_str()?.parse().ok()
}
