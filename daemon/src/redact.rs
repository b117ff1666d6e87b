//! What must not be shown, and the one place where it is taken out of texts.
//!
//! Whatever the daemon records, says or sends comes of an input, so inputs are what is cleaned, before anything looks at them:
//! then no hash is taken over a secret, and none is cut in two. Log lines, which may come from libraries, are cleaned by
//! the same [`Secrets`] where they are written.

use crate::attempt::{End, Observation};
use crate::event::Fact;
use crate::input::{IncomingKind, Input};
use crate::policy;
use crate::ports::{CallError, Noticed, StartFailed};
use std::borrow::Cow;
use std::fmt::Write;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Parts of a variable's name, between underscores, whose end says that its value is secret.
const SECRET_NAMES: [&str; 7] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "KEY", "CREDENTIAL"];

/// Whether a variable of this name holds something secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.split('_').any(|part| SECRET_NAMES.iter().any(|word| part.trim_end_matches('S').ends_with(word)))
}

/// What must not be shown, in every form in which it could stand somewhere. It can't be printed.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The longest first: what contains another is replaced as a whole.
    forms: Vec<String>,
}

impl Secrets {
    /// These values, and each line of those that have several. What is shorter than [`policy::SECRET_BYTES_MIN`] is left out:
    /// nobody could tell it from any other text.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Secrets {
        let mut forms: Vec<String> = values
            .into_iter()
            .flat_map(|value| std::iter::once(value).chain(value.lines()))
            .map(str::trim)
            .filter(|text| text.len() >= policy::SECRET_BYTES_MIN)
            .flat_map(|text| [text.to_owned(), in_json(text), in_address(text)])
            .collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Secrets { forms }
    }

    /// A text without them; the same where there are none in it, as nearly always.
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.forms.iter().filter(|form| text.contains(form.as_str()));
        found.fold(Cow::Borrowed(text), |text, form| Cow::Owned(text.replace(form.as_str(), REDACTED)))
    }

    /// An input without them.
    pub fn input<'a>(&self, input: &'a Input) -> Cow<'a, Input> {
        if self.forms.is_empty() {
            return Cow::Borrowed(input);
        }
        let mut clean = input.clone();
        let mut found = false;
        each_text(&mut clean, &mut |text| {
            if let Cow::Owned(without) = self.clean(text) {
                *text = without;
                found = true;
            }
        });
        if found { Cow::Owned(clean) } else { Cow::Borrowed(input) }
    }
}

/// As it stands within a JSON text.
fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As it stands within an address.
fn in_address(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Every text of an input that somebody else has written.
fn each_text(input: &mut Input, clean: &mut dyn FnMut(&mut String)) {
    match input {
        Input::Update(incoming) => match &mut incoming.what {
            IncomingKind::Message { text, .. } => clean(text),
            IncomingKind::Anonymous { .. }
            | IncomingKind::Edited { .. }
            | IncomingKind::Press { .. }
            | IncomingKind::Membership { .. }
            | IncomingKind::Migrated { .. }
            | IncomingKind::Unsupported => {}
        },
        Input::Local(request) => request.argv.iter_mut().for_each(clean),
        Input::Found { observation, .. } => in_observation(observation, clean),
        Input::Started { result: Err(StartFailed::Transient(error)), .. } => clean(error),
        Input::Noticed { noticed: Noticed::Progress(line), .. } => clean(line),
        Input::Noticed { noticed: Noticed::Ended(observation), .. } => in_observation(observation, clean),
        Input::Destroyed { evidence, .. } => clean(evidence),
        Input::Called { result: Err(CallError { text, .. }), .. } => clean(text),
        Input::LogRead { result: Ok(text) | Err(text), .. } => clean(text),
        Input::Seen(Fact::PollBroke { error } | Fact::StorageRecovered { error, .. }) => clean(error),
        Input::Seen(_)
        | Input::Started { .. }
        | Input::Called { .. }
        | Input::Booted { .. }
        | Input::Returned { .. }
        | Input::Interrupted { .. }
        | Input::Me { .. }
        | Input::Terminate => {}
    }
}

fn in_observation(observation: &mut Observation, clean: &mut dyn FnMut(&mut String)) {
    match observation {
        Observation::Vanished(evidence) => clean(evidence),
        Observation::Ended(receipt) => {
            if let End::NotStarted(why) = &mut receipt.end {
                clean(why);
            }
            for log in [&mut receipt.stdout, &mut receipt.stderr] {
                if let Some(lost) = &mut log.lost {
                    clean(&mut lost.error);
                }
            }
        }
        Observation::Absent | Observation::NotStarted | Observation::Alive(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::LocalRequest;

    #[test]
    fn names_tell_what_is_secret() {
        for name in [
            "GITHUB_TOKEN",
            "token",
            "AWS_SECRET_ACCESS_KEY",
            "DB_PASSWORD",
            "APIKEY",
            "SSH_KEYS",
            "GOOGLE_CREDENTIALS",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["PATH", "HOME", "LANG", "USER", "SHELL", "TZ", "KEYBOARD_LAYOUT", "SSH_AUTH_SOCK", "TOKENIZER"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_secret_is_replaced_in_every_form() {
        let secrets =
            Secrets::new(["12:abcdefghijkl", "abcdefghijkl", "pass\"word/1 ", "first line\nsecond line", "short"]);
        for (text, clean) in [
            ("GET /bot12:abcdefghijkl/getMe", "GET /bot[redacted]/getMe"),
            ("bot12%3Aabcdefghijkl", "bot[redacted]"),
            ("bot12%3aabcdefghijkl", "bot12%3a[redacted]"),
            ("secret=abcdefghijkl 12:abcdefghijkl", "secret=[redacted] [redacted]"),
            (r#"{"a":"pass\"word/1"}"#, r#"{"a":"[redacted]"}"#),
            ("p=pass%22word%2F1&q", "p=[redacted]&q"),
            ("only the second line of it", "only the [redacted] of it"),
            ("short: nothing to hide", "short: nothing to hide"),
        ] {
            assert_eq!(secrets.clean(text), clean);
        }
        assert_eq!(Secrets::default().clean("anything"), "anything");
    }

    #[test]
    fn inputs_come_without_them_and_the_others_are_left_alone() {
        let secrets = Secrets::new(["open sesame"]);
        let asked = |word: &str| {
            let argv = ["newtask", "build", word].map(str::to_owned).to_vec();
            Input::Local(LocalRequest { connection: 1, uid: 0, from_task: false, key: "k".into(), argv })
        };
        assert_eq!(*secrets.input(&asked("say open sesame")), asked("say [redacted]"));
        assert!(matches!(secrets.input(&asked("sesame")), Cow::Borrowed(_)));
        let key = crate::id::AttemptKey { task: crate::id::TaskId(1), attempt: 1 };
        let line = |text: &str| Input::Noticed { key, noticed: Noticed::Progress(text.into()) };
        assert_eq!(*secrets.input(&line("open sesame!")), line("[redacted]!"));
    }
}
