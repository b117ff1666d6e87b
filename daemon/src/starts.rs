//! Starting attempts, as their starts tell: while the machine lets none start, all wait together. Pure.
//!
//! No processes, no room: that says nothing about the task that met it. Were each task to find out by itself, fifty of them
//! would be fifty times as many tries, on a machine that is short of something. So one tries for all.

use crate::id::TaskId;
use crate::policy;
use crate::ports::StartFailed;

/// What is known of it in this daemon's life: a new daemon begins by trying.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts {
    /// Boot clock, ms: none begins before.
    until: i64,
    /// What was said at the last failure; none while starts succeed.
    error: Option<String>,
    /// The only task whose start failed since one succeeded: it may be the task and not the machine.
    suspect: Option<TaskId>,
}

impl Starts {
    /// A start came to its end.
    pub fn ended<T>(&mut self, task: TaskId, result: &Result<T, StartFailed>, boot_ms: i64) {
        let error = match result {
            Err(StartFailed::Transient(error)) => error,
            // What is there already was started once.
            Ok(_) | Err(StartFailed::Exists) => return *self = Starts::default(),
        };
        let first = self.error.is_none();
        let alone = self.suspect == Some(task);
        self.error = Some(error.chars().take(policy::ERROR_CHARS_MAX).collect());
        self.suspect = (first || alone).then_some(task);
        // Twice the same, and no other: it waits alone.
        self.until = if alone { 0 } else { boot_ms + policy::START_RETRY_MS };
    }

    /// How many may begin at this time.
    pub fn may_begin(&self, boot_ms: i64) -> u32 {
        match (boot_ms < self.until, self.shortage()) {
            (true, _) => 0,
            (false, Some(_)) => 1,
            (false, None) => u32::MAX,
        }
    }

    /// One begins. If it tries for all, the next one has to wait, whether this one has come to its end by then or not.
    pub fn begun(&mut self, boot_ms: i64) {
        if self.shortage().is_some() {
            self.until = boot_ms + policy::START_RETRY_MS;
        }
    }

    /// Whoever waited would have tried by now: nobody does, so nothing is known of what the machine is short of.
    pub fn forget(&mut self, boot_ms: i64) {
        if boot_ms >= self.until + policy::SHORTAGE_KEPT_MS {
            *self = Starts::default();
        }
    }

    /// Boot clock, ms: none begins before.
    pub fn until(&self) -> i64 {
        self.until
    }

    /// What the machine is short of: starts failed since the last one that succeeded, and not those of one task alone.
    pub fn shortage(&self) -> Option<&str> {
        self.error.as_deref().filter(|_| self.suspect.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(starts: &mut Starts, task: i64, boot_ms: i64) {
        starts.ended::<()>(TaskId(task), &Err(StartFailed::Transient("no more processes".into())), boot_ms);
    }

    #[test]
    fn starts_that_fail_together_are_followed_by_one_at_a_time() {
        let mut starts = Starts::default();
        assert_eq!(starts.may_begin(0), u32::MAX);
        (1..=50).for_each(|task| failed(&mut starts, task, task));
        assert_eq!(starts.shortage(), Some("no more processes"));
        let mut begun = 0;
        for boot_ms in 50..60_050 {
            while starts.may_begin(boot_ms) > 0 {
                starts.begun(boot_ms);
                begun += 1;
                failed(&mut starts, begun, boot_ms);
            }
        }
        assert_eq!(begun, 60_000 / policy::START_RETRY_MS - 1);
        starts.ended(TaskId(7), &Ok(()), 60_050);
        assert_eq!(starts, Starts::default());
    }

    #[test]
    fn a_start_that_does_not_come_to_its_end_lets_the_next_one_try_after_the_pause() {
        let mut starts = Starts::default();
        (1..=2).for_each(|task| failed(&mut starts, task, 0));
        let at = starts.until();
        starts.begun(at);
        assert_eq!((starts.may_begin(at), starts.may_begin(at + policy::START_RETRY_MS)), (0, 1));
    }

    #[test]
    fn a_shortage_is_forgotten_once_nobody_tries_any_more() {
        let mut starts = Starts::default();
        (1..=2).for_each(|task| failed(&mut starts, task, 0));
        starts.forget(starts.until() + policy::SHORTAGE_KEPT_MS - 1);
        assert!(starts.shortage().is_some());
        starts.forget(starts.until() + policy::SHORTAGE_KEPT_MS);
        assert_eq!(starts, Starts::default());
    }

    #[test]
    fn a_task_that_fails_alone_holds_up_no_other_and_is_no_shortage() {
        let mut starts = Starts::default();
        for boot_ms in [0, 10_000, 20_000] {
            failed(&mut starts, 1, boot_ms);
            assert!(starts.shortage().is_none() && starts.until() <= policy::START_RETRY_MS, "{starts:?}");
        }
        assert_eq!(starts.may_begin(20_000), u32::MAX);
        failed(&mut starts, 2, 30_000);
        assert_eq!(starts.may_begin(30_000 + policy::START_RETRY_MS), 1);
    }
}
