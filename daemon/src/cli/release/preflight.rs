//! What programs of releases say before a switch: whether the one that it leads to fits this machine, and whether the one that
//! the way back would lead to could still read the configuration.

use super::super::check::code::Code;
use super::child::{self, Ran};
use crate::exit::ExitCode;
use crate::policy;
use crate::release::switch::Way;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What is no reason to stay with a release that somebody wants to leave for one that has run here: room, and what is tried on a
/// copy of the database. That it can go on with the database is asked on its own.
const REMARKS_ON_THE_WAY_BACK: [Code; 5] =
    [Code::SpaceLow, Code::ScratchFull, Code::ScratchUnusable, Code::DatabaseUnusable, Code::DatabaseReplay];

/// What a check came to.
#[derive(Debug)]
pub(super) struct Checked {
    /// What there is to tell, whatever follows from it.
    pub(super) told: Vec<String>,
    /// The beginning of the configuration's hash, if it was said; or what is in the way.
    pub(super) verdict: Result<Option<String>, String>,
}

/// Has a release's program check this machine.
///
/// # Errors
/// It can't.
pub(super) fn check(program: &Path, config: &Path, way: Way) -> Result<Checked, String> {
    let mut command = Command::new(program);
    command.arg("--config").arg(config).args(["--json", "check"]);
    if way == Way::Forward {
        return Ok(judged(&child::run(&mut command, policy::PREFLIGHT_WITHIN_MS)?, way));
    }
    // Telegram is the same for both, and may be slow.
    command.arg("--offline");
    match child::within(&mut command, policy::PREFLIGHT_BACK_WITHIN_MS)? {
        Some(ran) => Ok(judged(&ran, way)),
        None => {
            let within_s = policy::PREFLIGHT_BACK_WITHIN_MS / 1_000;
            let told = vec![format!("its own check had not ended after {within_s} s, and is not waited for")];
            Ok(Checked { told, verdict: Ok(None) })
        }
    }
}

fn judged(ran: &Ran, way: Way) -> Checked {
    let found: Value = serde_json::from_str(ran.out.trim()).unwrap_or_default();
    let lines = |name: &str| -> Vec<String> {
        found[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut errors = lines("errors");
    let mut told: Vec<String> = lines("warnings").iter().map(|text| format!("warning: {text}")).collect();
    let mut refused = ran.code != Some(0);
    if refused && way != Way::Forward && !errors.is_empty() {
        let passed = passed_over(&found);
        errors.retain(|text| !passed.contains(&text.as_str()));
        told.extend(passed.iter().map(|text| format!("not held against it on the way back: {text}")));
        refused = !errors.is_empty();
    }
    let verdict = if refused {
        let said = if errors.is_empty() { ran.words() } else { errors.join("; ") };
        Err(format!("the new program's own check says no: {said}"))
    } else {
        Ok(lines("good").iter().find_map(|line| config_hash_in(line)))
    };
    Checked { told, verdict }
}

/// Errors that do not count on the way back.
fn passed_over(found: &Value) -> Vec<&str> {
    let findings = found["findings"].as_array().into_iter().flatten();
    let passed = findings.filter(|finding| {
        finding["weight"] == "error" && REMARKS_ON_THE_WAY_BACK.iter().any(|code| finding["code"] == code.name())
    });
    passed.filter_map(|finding| finding["text"].as_str()).collect()
}

/// Why a release's program can't read the configuration; none where it can.
///
/// # Errors
/// It does not say.
pub(super) fn reads(program: &Path, config: &Path) -> Result<Option<String>, String> {
    let ran = child::run(Command::new(program).arg("facts").arg(config), policy::FACTS_WITHIN_MS)?;
    match ran.code {
        Some(0) => Ok(None),
        Some(code) if code == i32::from(ExitCode::ConfigInvalid.number()) => Ok(Some(ran.words())),
        Some(_) | None => Err(ran.words()),
    }
}

/// The hash in `/etc/mainstay/mainstay.toml: 2 operators, 3 kinds, hash 0123456789ab`.
fn config_hash_in(line: &str) -> Option<String> {
    let (_, hash) = line.rsplit_once(", hash ")?;
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (hash.len() >= 8 && hash.bytes().all(hex)).then(|| hash.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ran(code: i32, findings: &[(&str, &str, &str)]) -> Ran {
        let of = |weight: &str| -> Vec<&str> {
            findings.iter().filter(|(_, there, _)| *there == weight).map(|(_, _, text)| *text).collect()
        };
        let all: Vec<Value> = findings
            .iter()
            .map(|(code, weight, text)| json!({ "code": code, "weight": weight, "text": text }))
            .collect();
        let out = json!({ "errors": of("error"), "warnings": of("warning"), "good": of("ok"), "findings": all });
        Ran { code: Some(code), out: out.to_string(), err: String::new() }
    }

    #[test]
    fn room_and_the_copy_of_the_database_do_not_keep_anybody_from_the_way_back() {
        let full = [("space-low", "error", "3 MiB are free"), ("scratch-full", "error", "no room for a copy")];
        for way in [Way::Forward, Way::Back] {
            let checked = judged(&ran(15, &full), way);
            assert_eq!(checked.verdict.is_err(), way == Way::Forward, "{checked:?}");
            let worse = [full[0], ("unit-masked", "error", "it is masked")];
            let refused = judged(&ran(15, &worse), way).verdict.expect_err("it would not start");
            assert!(
                refused.contains("it is masked") && refused.contains("3 MiB") == (way == Way::Forward),
                "{refused}"
            );
            assert!(judged(&ran(14, &[]), way).verdict.is_err(), "it says no, and not why");
        }
        let told = judged(&ran(15, &full), Way::Back).told;
        assert!(told.len() == 2 && told[1].contains("no room for a copy"), "{told:?}");
    }

    #[test]
    fn the_hash_of_the_configuration_is_found_in_what_the_check_says() {
        let line = "/etc/mainstay/mainstay.toml: 2 operators, 3 kinds, hash 0123456789ab";
        assert_eq!(config_hash_in(line).as_deref(), Some("0123456789ab"));
        for other in ["token of bot 42", "x, hash ", "x, hash 0123", "x, hash 0123456789aX"] {
            assert_eq!(config_hash_in(other), None, "{other}");
        }
    }
}
