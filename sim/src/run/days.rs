//! Days as people live them: what chance makes of `[soak]`.
//!
//! Jobs are asked for in working hours, by all three, of all kinds but the hurried one; most workers do what they say, some
//! fail, hang, are late, or lie about what they did. Faults come at the rates of the file, half of them while people work.
//! Programs take seconds to minutes here, since the kinds of a simulation are given 90 s: hours of them would show no more.

use crate::fault::{Fault, KINDS, To};
use crate::people;
use crate::scenario::{Job, Moment, Planned, Soak, Span, Via};
use mainstay::policy::{APPROVAL_TTL_MS, QUEUE_TTL_MS};

/// A day, ms.
pub const DAY_MS: u64 = 24 * 3_600_000;
/// When work begins and ends, ms of a day. The first comes after everybody has got up, the last leaves the evening for it.
const WORK_MS: std::ops::Range<u64> = 8 * 3_600_000..17 * 3_600_000 + 1_800_000;
/// Before the end nothing goes wrong for so long: ten minutes to recover, and some to see it.
const SPARED_MS: u64 = 15 * 60_000;
/// Of a hundred requests so many are never looked at again, where there is time enough to see what becomes of them.
const FORGOTTEN: u32 = 3;
/// What nobody looks at has expired by then, in every state in which it may wait; some of it is for a daemon that is away.
const EXPIRES_WITHIN_MS: u64 = (APPROVAL_TTL_MS + QUEUE_TTL_MS).cast_unsigned() + SPARED_MS;
/// Kinds, each as often as it is asked for.
const KINDS_ASKED: [&str; 21] = [
    "build", "build", "build", "build", "build", "build", "backup", "backup", "backup", "flaky", "flaky", "flaky",
    "flaky", "solo", "solo", "note", "note", "note", "pair", "pair", "plan",
];
/// How Telegram misbehaves, by what it means for a bot; each is as likely as the others.
pub const TELEGRAM_DOES: [(&str, &[&str]); 8] = [
    ("silence", &["hang", "half-open"]),
    ("reset", &["reset-before", "reset-after"]),
    ("gateway", &["html500", "html502", "html502-after"]),
    ("flood", &["429"]),
    ("refusal", &["401"]),
    ("conflict", &["409"]),
    ("slow", &["slow"]),
    ("garbled", &["bad-json"]),
];

/// The jobs of so long.
pub(super) fn jobs(rng: &mut fastrand::Rng, soak: &Soak, lasts: Span) -> Vec<Job> {
    let names = people::names();
    let days = lasts.0.div_ceil(DAY_MS);
    let mut jobs = Vec::new();
    for day in 0..days {
        for _ in 0..rng.u32(soak.jobs.0..=soak.jobs.1) {
            let at = day * DAY_MS + rng.u64(WORK_MS);
            jobs.push(job(rng, &names, at));
        }
    }
    jobs.retain(|job| job.at < lasts);
    // Last, so that what a seed means else does not hang on it.
    for job in &mut jobs {
        let forgotten = rng.u32(..100) < FORGOTTEN;
        job.left_alone = forgotten && job.at.0 + EXPIRES_WITHIN_MS < lasts.0;
    }
    jobs.sort_by_key(|job| job.at);
    jobs
}

fn job(rng: &mut fastrand::Rng, names: &[&str], at: u64) -> Job {
    let kind = KINDS_ASKED[rng.usize(..KINDS_ASKED.len())];
    let via = match rng.u32(..10) {
        0..7 => Via::Group,
        7..9 => Via::Private,
        _ => Via::Cli,
    };
    Job {
        at: Span(at),
        // The command line is ana's.
        by: if via == Via::Cli { "ana".into() } else { names[rng.usize(..names.len())].to_owned() },
        kind: kind.to_owned(),
        does: worker(rng, kind),
        via,
        stop_after: None,
        left_alone: false,
        ends: None,
        runs: None,
        attempts: None,
        reported: None,
    }
}

/// What a worker does: of a hundred, eighty do their work.
pub fn worker(rng: &mut fastrand::Rng, kind: &str) -> String {
    let ms = rng.u64(1_000..=60_000);
    match (rng.u32(..100), kind) {
        (0..35, "flaky") => format!("fails:{}@{ms} exit:0@{ms}", rng.u32(1..=2)),
        (0..70, _) => format!("exit:0@{ms}"),
        (70..75, _) => format!("exit:0@{ms} progress:half@{}", ms / 2),
        (75..80, _) => format!("exit:0@{} stubborn:4000", rng.u64(70_000..=85_000)),
        (80..85, _) => format!("exit:1@{ms}"),
        (85..88, _) => format!("signal:9@{ms}"),
        (88..91, _) => format!("hang stubborn:{}", rng.u64(0..=5_000)),
        (91..94, _) => format!("exit:75@{ms}"),
        (94..97, _) => format!("lies exit:0@{ms}"),
        _ => format!("did exit:1@{ms}"),
    }
}

/// What goes wrong in so long, among so many jobs.
pub(super) fn faults(rng: &mut fastrand::Rng, soak: &Soak, lasts: Span, jobs: usize) -> Vec<Planned> {
    let mut all = Vec::new();
    let until = lasts.0.saturating_sub(SPARED_MS).max(1);
    for (name, a_hundred_days) in &soak.faults {
        let Some(draw) = KINDS.iter().find(|kind| kind.name == name).and_then(|kind| kind.draw) else { continue };
        for _ in 0..number(rng, u64::from(*a_hundred_days) * lasts.0, 100 * DAY_MS) {
            let anywhere = rng.u64(0..until);
            let at_work = anywhere / DAY_MS * DAY_MS + rng.u64(WORK_MS);
            let at = if rng.bool() && at_work < until { at_work } else { anywhere };
            let drawn = draw(rng);
            let fault = if let Fault::Telegram { lasts, .. } = drawn { telegram(rng, lasts) } else { drawn };
            // At most times nothing runs that could lose its shim.
            let needs_a_program = matches!(fault, Fault::ShimKilled { .. }) && jobs > 0;
            all.push(if needs_a_program { while_it_runs(rng, fault, jobs) } else { at_time(at, fault) });
        }
    }
    all.sort_by_key(|planned| planned.at);
    all
}

fn at_time(at: u64, fault: Fault) -> Planned {
    Planned { at: Some(Span(at)), when: None, fault }
}

/// In the first second of one of the jobs, whichever; if it ever runs.
fn while_it_runs(rng: &mut fastrand::Rng, fault: Fault, jobs: usize) -> Planned {
    let when = Moment::Runs(rng.usize(1..=jobs));
    Planned { at: Some(Span(rng.u64(..1_000))), when: Some(when), fault }
}

/// A rate as a number: what is over a whole is one more, by chance.
fn number(rng: &mut fastrand::Rng, of: u64, each: u64) -> u64 {
    of / each + u64::from(rng.u64(0..each) < of % each)
}

fn telegram(rng: &mut fastrand::Rng, lasts: Span) -> Fault {
    let (_, answers) = TELEGRAM_DOES[rng.usize(..TELEGRAM_DOES.len())];
    let to = [To::All, To::All, To::Polls, To::Sends][rng.usize(..4)];
    Fault::Telegram { answer: answers[rng.usize(..answers.len())].to_owned(), to, lasts }
}

/// What a wrong answer of Telegram means, by its name.
pub fn telegram_class(answer: &str) -> &'static str {
    TELEGRAM_DOES.iter().find(|(_, answers)| answers.contains(&answer)).map_or("other", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::botapi;

    #[test]
    fn every_wrong_answer_has_a_class() {
        for (name, _) in botapi::Fault::NAMED {
            assert_ne!(telegram_class(name), "other", "{name}");
        }
    }

    #[test]
    fn a_rate_is_met_on_average() {
        let mut rng = fastrand::Rng::with_seed(1);
        let sum: u64 = (0..1_000).map(|_| number(&mut rng, 35, 100)).sum();
        assert!((300..400).contains(&sum), "{sum}");
        assert_eq!(number(&mut rng, 700, 100), 7);
    }
}
