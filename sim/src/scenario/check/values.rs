//! What single values have to look like.

use super::{Checker, OUTCOMES, Value};
use crate::scenario::grammar::Takes;
use crate::scenario::words::{self, Moment, Word, may_stay, nearest};
use mainstay::task::State;
use std::ops::Range;
use toml::de::DeValue;

impl Checker {
    pub(super) fn misfit(&mut self, value: &Value<'_>, name: &str, wanted: &str, example: &str) {
        let what = format!("{name} is {wanted}, not {}", of_type(value.get_ref()));
        self.wrong(value.span(), what, format!("write it like {example}"));
    }

    pub(super) fn text<'a>(&mut self, value: &'a Value<'_>, name: &str) -> Option<&'a str> {
        let text = value.get_ref().as_str();
        match text {
            None => self.misfit(value, name, "a text", "\"a text\""),
            Some(text) if text.trim().is_empty() => {
                self.wrong(value.span(), format!("{name} is empty"), "say something, or leave it out");
            }
            Some(_) => {}
        }
        text.filter(|text| !text.trim().is_empty())
    }

    pub(super) fn parsed<T: std::str::FromStr<Err = String>>(&mut self, value: &Value<'_>, name: &str, hint: &str) {
        match value.get_ref().as_str().map(str::parse::<T>) {
            Some(Ok(_)) => {}
            Some(Err(what)) => self.wrong(value.span(), format!("{name}: {what}"), hint),
            None => self.wrong(value.span(), format!("{name} is {}", of_type(value.get_ref())), hint),
        }
    }

    pub(super) fn number(&mut self, value: &Value<'_>, name: &str, least: i64, most: i64) -> Option<i64> {
        let number = whole(value).filter(|n| (least..=most).contains(n));
        if number.is_none() {
            let range = if most == i64::MAX { format!("{least} up") } else { format!("{least} to {most}") };
            let hint = format!("write a number without quotes, like {}", least.max(1));
            self.wrong(value.span(), format!("{name} is a whole number from {range}"), hint);
        }
        number
    }

    pub(super) fn pair(&mut self, value: &Value<'_>, name: &str, least: i64, most: i64) {
        let numbers: Vec<i64> = value.get_ref().as_array().into_iter().flatten().filter_map(whole).collect();
        let is_pair = value.get_ref().as_array().is_some_and(|all| all.len() == 2);
        if !is_pair || !matches!(numbers[..], [a, b] if least <= a && a <= b && b <= most) {
            let what = format!("{name} is two whole numbers from {least} to {most}, the smaller one first");
            self.wrong(value.span(), what, "write it like [3, 12]");
        }
    }

    pub(super) fn word(&mut self, value: &Value<'_>, name: &str, known: &[&str]) {
        let Some(text) = self.text(value, name) else { return };
        if !known.contains(&text) {
            self.wrong(value.span(), format!("{name}: there is no {text:?}"), did_you_mean(text, known));
        }
    }

    pub(super) fn job(&mut self, n: usize, span: Range<usize>) {
        if n == 0 || n > self.jobs {
            let hint = match self.jobs {
                0 => "there is no [[job]] yet: add one".to_owned(),
                1 => "the one [[job]] is job 1".to_owned(),
                jobs => format!("they are numbered in the order of the file, from 1 to {jobs}"),
            };
            self.wrong(span, format!("there is no job {n}"), hint);
        }
    }

    pub(super) fn moment(&mut self, value: &Value<'_>, name: &str) {
        let Some(text) = self.text(value, name) else { return };
        match text.parse::<Moment>() {
            Ok(moment) => self.job(moment.job(), value.span()),
            Err(what) => {
                let known: Vec<String> = Moment::WHAT.iter().map(|word| format!("job 1 {}", word.name)).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                self.wrong(value.span(), format!("{name}: {what}"), did_you_mean(text, &known));
            }
        }
    }

    /// Numbers of jobs in it exist.
    pub(super) fn said(&mut self, value: &Value<'_>, name: &str) {
        let Some(text) = self.text(value, name) else { return };
        for part in text.split('{').skip(1) {
            let inside = part.split_once('}').map(|(inside, _)| inside);
            match inside.and_then(|inside| inside.strip_prefix("job ")).and_then(|n| n.parse().ok()) {
                Some(n) => self.job(n, value.span()),
                None => {
                    let what = format!("{name}: {:?} stands for nothing", format!("{{{}", inside.unwrap_or(part)));
                    self.wrong(value.span(), what, "the number of a task is written {job 1}");
                }
            }
        }
    }

    pub(super) fn does(&mut self, value: &Value<'_>, name: &str) {
        let Some(text) = value.get_ref().as_str() else {
            return self.misfit(value, name, "a text", "\"exit:0@20000\"");
        };
        for written in text.split_whitespace() {
            if let Err((what, hint)) = is_done(written) {
                self.wrong(value.span(), format!("{name}: {what}"), hint);
            }
        }
    }

    pub(super) fn ends(&mut self, value: &Value<'_>, name: &str) {
        let Some(text) = self.text(value, name) else { return };
        let (state, outcome) = text.split_once(' ').unwrap_or((text, ""));
        let states: Vec<&str> = State::ALL.iter().filter(|state| may_stay(**state)).map(|state| state.name()).collect();
        if !states.contains(&state) {
            self.wrong(value.span(), format!("{name}: no task ends as {state:?}"), did_you_mean(state, &states));
        } else if !outcome.is_empty() && !OUTCOMES.contains(&outcome) {
            self.wrong(
                value.span(),
                format!("{name}: there is no outcome {outcome:?}"),
                did_you_mean(outcome, &OUTCOMES),
            );
        }
    }
}

/// Whether a word says what a task does; else what is wrong, and a hint.
fn is_done(written: &str) -> Result<(), (String, String)> {
    let (what, at) = written.split_once('@').map_or((written, None), |(what, at)| (what, Some(at)));
    let (verb, detail) = what.split_once(':').map_or((what, None), |(verb, detail)| (verb, Some(detail)));
    let of = |verb: &str| words::DOES.iter().find(|word| word.name.split([':', '@']).next() == Some(verb));
    let Some(word) = of(verb) else {
        let verbs: Vec<&str> = words::DOES.iter().filter_map(|word| word.name.split([':', '@']).next()).collect();
        return Err((format!("no task does {written:?}"), did_you_mean(verb, &verbs)));
    };
    let is_number = |text: Option<&str>, most: u64| text.is_some_and(|t| t.parse::<u64>().is_ok_and(|n| n <= most));
    let is_right = match verb {
        "exit" | "fails" => is_number(detail, 255) && is_number(at, u64::from(u32::MAX)),
        "signal" => is_number(detail, 64) && is_number(at, u64::from(u32::MAX)),
        "stubborn" => is_number(detail, u64::from(u32::MAX)) && at.is_none(),
        "progress" => detail.is_some_and(|text| !text.is_empty()) && is_number(at, u64::from(u32::MAX)),
        _ => detail.is_none() && at.is_none(),
    };
    let hint = format!("it is written {}, times in ms without a unit: {}", word.name, word.about);
    if is_right { Ok(()) } else { Err((format!("{written:?} is not how it is written"), hint)) }
}

/// The one that was meant if that can be told, else all that there are.
pub(super) fn did_you_mean(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are {}", known.join(", ")),
    }
}

pub(super) fn whole(value: &Value<'_>) -> Option<i64> {
    let number = value.get_ref().as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn of_type(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number without a unit",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// How a value is written.
pub(in crate::scenario) fn example(takes: Takes) -> String {
    let quoted = |word: Option<&Word>| format!("\"{}\"", word.map_or("", |word| word.name));
    match takes {
        Takes::Text => "\"a sentence\"".into(),
        Takes::Said => "\"/stop {job 1}\"".into(),
        Takes::Texts => "[\"a text\"]".into(),
        Takes::Time => "\"30s\"".into(),
        Takes::Bool => "true".into(),
        Takes::Number(least, _) => least.max(1).to_string(),
        Takes::Pair(..) => "[3, 12]".into(),
        Takes::Amount => "\"at least 1\"".into(),
        Takes::Job => "1".into(),
        Takes::Word(words) => quoted(words.first()),
        Takes::Operator | Takes::Person => "\"ben\"".into(),
        Takes::Kind => "\"build\"".into(),
        Takes::Moment => "\"job 1 runs\"".into(),
        Takes::Does => "\"exit:0@20000\"".into(),
        Takes::Ends => "\"SUCCEEDED success\"".into(),
        Takes::Anomalies => "{ disk_low = 1 }".into(),
        Takes::Rates => "{ line-cut = 50 }".into(),
        Takes::Events => "{ replayed = \"at least 1\" }".into(),
        Takes::Table(_) | Takes::Tables(_) | Takes::Faults => "…".into(),
    }
}
