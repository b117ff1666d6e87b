//! What was found, and how it is told.

use super::code::{Code, Weight};
use crate::exit::{ExitCode, Fatal};
use serde_json::{Value, json};

/// One thing that was found.
struct Finding {
    code: Code,
    text: String,
}

/// All that was found, in the order in which it was looked at.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one; `text` says where, what and, if it is not good, what to do.
    pub(super) fn add(&mut self, code: Code, text: impl Into<String>) {
        self.0.push(Finding { code, text: text.into() });
    }

    /// Adds one for each line of what would end the program.
    pub(super) fn refused(&mut self, code: Code, fatal: &Fatal) {
        for line in fatal.text.lines() {
            self.add(code, line);
        }
    }

    /// How many are errors.
    pub(super) fn errors(&self) -> usize {
        self.of(|weight| matches!(weight, Weight::Error(_))).count()
    }

    /// The code of the first error, by the order of the subjects.
    pub(super) fn exit_code(&self) -> ExitCode {
        let mut codes = self.0.iter().filter_map(|finding| match finding.code.weight() {
            Weight::Error(code) => Some(code),
            Weight::Good | Weight::Warning => None,
        });
        codes.next().unwrap_or(ExitCode::Ok)
    }

    fn of(&self, wanted: impl Fn(Weight) -> bool) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(move |finding| wanted(finding.code.weight()))
    }

    /// For programs: the texts by weight, and all findings with their codes.
    pub(super) fn json(&self) -> Value {
        let texts = |wanted: fn(Weight) -> bool| self.of(wanted).map(|finding| &*finding.text).collect::<Vec<&str>>();
        let findings: Vec<Value> = self
            .0
            .iter()
            .map(|Finding { code, text }| json!({ "code": code.name(), "weight": code.weight().name(), "text": text }))
            .collect();
        json!({
            "ok": self.errors() == 0,
            "errors": texts(|weight| matches!(weight, Weight::Error(_))),
            "warnings": texts(|weight| weight == Weight::Warning),
            "good": texts(|weight| weight == Weight::Good),
            "findings": findings,
        })
    }

    /// For people: what is good first, what is wrong last, where it is still on the screen.
    pub(super) fn text(&self, quiet: bool) -> String {
        let line = |Finding { code, text }: &Finding| match code.weight() {
            Weight::Good => format!("ok       {text}\n"),
            Weight::Warning => format!("warning  {text} [{}]\n", code.name()),
            Weight::Error(_) => format!("error    {text} [{}]\n", code.name()),
        };
        let good = self.of(|weight| weight == Weight::Good && !quiet).map(line);
        let warnings = self.of(|weight| weight == Weight::Warning).map(line);
        let errors = self.of(|weight| matches!(weight, Weight::Error(_))).map(line);
        good.chain(warnings).chain(errors).collect()
    }
}
