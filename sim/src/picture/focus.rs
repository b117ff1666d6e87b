//! Which seconds of a run tell of its failure.

use crate::people::task_of;
use crate::run::Verdict;
use crate::trace::{Entry, Lane};

/// So much is shown before and after, ms.
const AROUND_MS: i64 = 10_000;
/// And no more than this in all, ms.
const MOST_MS: i64 = 120_000;

/// What is looked at closely.
pub(super) struct Focus {
    /// From when, ms.
    pub(super) from: i64,
    /// Until when, ms.
    pub(super) until: i64,
    /// Why there, in words.
    pub(super) why: String,
    /// The task that it is about, if it is about one.
    pub(super) task: Option<i64>,
}

/// What to look at; none when everything held. What is seen only at the end has its cause before: the
/// story of the task that it is about, from the last fault in it.
pub(super) fn focus(verdict: &Verdict) -> Option<Focus> {
    let broken = verdict.broken.as_ref()?;
    let faults = || verdict.trace.iter().filter(|entry| entry.is_strike());
    let task = named(&broken.how).or_else(|| task_of_job(verdict, &broken.how));
    let happens = |entry: &&Entry| entry.task.is_some() && entry.task == task && acts(entry.lane);
    let last = verdict.trace.iter().filter(happens).map(|entry| entry.at_ms).max();
    let seen_at_the_end = broken.at_ms >= verdict.simulated_ms;
    let (until, what) = match (seen_at_the_end, begin(verdict, &broken.how), last, task) {
        (false, _, _, _) => (broken.at_ms, "the moment in which it was seen".to_owned()),
        (true, Some((at, attempt)), _, _) => (at, format!("attempt {attempt} begins, which it is about")),
        (true, None, Some(last), Some(task)) => (last, format!("what last happened to task {task}, which it is about")),
        (true, None, _, _) => {
            let last = faults().map(|entry| entry.at_ms).max().unwrap_or(broken.at_ms);
            (last, "the last fault; it was seen only when everything was at rest".to_owned())
        }
    };
    let fault = faults().map(|entry| entry.at_ms).rfind(|at| *at <= until && until - at < MOST_MS - 2 * AROUND_MS);
    let from = (fault.unwrap_or(until - 3 * AROUND_MS) - AROUND_MS).max(0);
    let why = if fault.is_some() { format!("{what}, from the last fault before it on") } else { what };
    Some(Focus { from, until: (until + AROUND_MS).min(verdict.simulated_ms.max(1)), why, task })
}

/// When the attempt began that a sentence is about, and which that is: `attempt 3-2 began although`.
fn begin(verdict: &Verdict, how: &str) -> Option<(i64, String)> {
    let rest = &how[how.find("attempt ")? + "attempt ".len()..];
    let attempt = &rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len())];
    let words = format!("attempt {attempt} runs");
    let ran = verdict.trace.iter().find(|entry| entry.lane == Lane::Machine && entry.words.starts_with(&words))?;
    Some((ran.at_ms, attempt.to_owned()))
}

/// Something happens to a task; reports and repeats of them may come much later.
fn acts(lane: Lane) -> bool {
    match lane {
        Lane::Task | Lane::Machine | Lane::Person => true,
        Lane::Fault | Lane::Daemon | Lane::Network | Lane::Record | Lane::Disk | Lane::Wire | Lane::Clock => false,
    }
}

/// The first task of the job that a sentence is about: `job 3`.
fn task_of_job(verdict: &Verdict, how: &str) -> Option<i64> {
    let job = number_after(how, "job ")?;
    let asks = format!("asks for job {job}:");
    verdict.trace.iter().find(|entry| entry.lane == Lane::Person && entry.words.contains(&asks))?.task
}

/// The number behind a word.
fn number_after(text: &str, word: &str) -> Option<i64> {
    let rest = &text[text.find(word)? + word.len()..];
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

/// The task that a sentence is about: `task 3`, `attempt 3-1`, `#3`.
fn named(how: &str) -> Option<i64> {
    number_after(how, "attempt ").or_else(|| number_after(how, "task ")).or_else(|| task_of(how))
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_sentence_names_its_task() {
        assert_eq!(named("task 12 is RUNNING for ever"), Some(12));
        assert_eq!(named("attempt 3-2 began while 3-1 was alive"), Some(3));
        assert_eq!(named("a report of #7 is missing"), Some(7));
        assert_eq!(named("the chain breaks"), None);
    }
}
