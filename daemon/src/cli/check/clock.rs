//! The clock. Deadlines go by the time since boot; what is shown, kept and compared with Telegram's dates goes by this one.

use super::code::Code;
use super::findings::Findings;
use crate::policy;
use crate::real::clock::{is_synchronised, wall_ms};
use crate::report;

/// The time of the sources that this program was built of, in seconds since 1970: what reproducible builds set.
const BUILT_FROM: Option<&str> = option_env!("SOURCE_DATE_EPOCH");

pub(super) fn look(newest_ms: Option<i64>, findings: &mut Findings) {
    let now = wall_ms();
    let built_ms = BUILT_FROM.and_then(|seconds| seconds.parse::<i64>().ok()).map(|seconds| seconds * 1_000);
    match behind(now, built_ms, newest_ms) {
        Some(text) => findings.add(Code::ClockBehind, text),
        None => findings.add(Code::Clock, format!("the clock says {} UTC", report::utc(now))),
    }
    if is_synchronised() == Some(false) {
        let text = "nobody sets the clock: start a time service (timedatectl set-ntp true)";
        findings.add(Code::ClockUnsynchronised, text);
    }
}

/// What the clock is behind, if anything. All times in ms since 1970.
fn behind(now: i64, built: Option<i64>, newest: Option<i64>) -> Option<String> {
    let bounds = [(built, "the sources of this program are"), (newest, "the newest event on record is")];
    let (then, what) = bounds
        .into_iter()
        .filter_map(|(then, what)| then.map(|then| (then, what)))
        .find(|(then, _)| now + policy::CHECK_CLOCK_SLACK_MS < *then)?;
    Some(format!(
        "the clock says {} UTC, and {what} of {} UTC: set it (timedatectl set-ntp true), before messages are taken for old and events for new",
        report::utc(now),
        report::utc(then)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_behind_what_has_certainly_been() {
        let (day, slack) = (86_400_000, policy::CHECK_CLOCK_SLACK_MS);
        for (built, newest, said) in [
            (None, None, None),
            (Some(9 * day), Some(10 * day), None),
            (Some(10 * day + slack), Some(10 * day + slack), None),
            (Some(10 * day + slack + 1), None, Some("the sources of this program are of 1970-01-11 00:05:00 UTC")),
            (Some(9 * day), Some(11 * day), Some("the newest event on record is of 1970-01-12 00:00:00 UTC")),
        ] {
            let text = behind(10 * day, built, newest);
            assert_eq!(text.is_some(), said.is_some(), "{text:?}");
            assert!(text.is_none_or(|text| text.contains(said.unwrap_or_default())));
        }
    }
}
