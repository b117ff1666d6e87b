//! When a new release has proven itself: a judge of what is seen of it, look by look. Pure.
//!
//! That its start returned 0 says nothing: a daemon can hang after it said that it is ready. It has to answer, as this
//! release and with this configuration, within each answer's time, from its first answer to the end of the window, in one
//! life. What it is asked at both ends is a command, whose answer comes after a commit; see `News`.

use super::Id;
use super::switch::Limits;
use crate::policy;

/// What has to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The release that answers.
    pub release: Id,
    /// Its configuration's hash, or the beginning of it; none where nobody knows.
    pub config: Option<String>,
    /// The newest life on record before it; none where there was no record.
    pub life_before: Option<i64>,
    /// Violations on record before it, if that is known.
    pub violations: Option<i64>,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its release, or its version where it is none.
    pub version: String,
    /// Its configuration's hash.
    pub config_hash: String,
    /// Which of its lives this is: one more with every start.
    pub life: i64,
    /// Violations on record.
    pub violations: i64,
    /// How often Telegram has refused its token in a row; 0 of one that does not say, or has none.
    pub refusals: i64,
}

/// What is seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When, ms of the boot clock.
    pub at_ms: i64,
    /// The supervisor has given it up; what it says.
    pub given_up: Option<String>,
    /// How often the supervisor has started it anew, if it counts that.
    pub restarts: Option<i64>,
    /// What it says, or why it says nothing.
    pub heard: Result<Heard, String>,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    GoOn,
    /// It is there.
    There,
    /// It did nothing wrong for as long as it was watched.
    Proven,
    /// It did something wrong.
    Failed(String),
}

/// Watches.
#[derive(Debug, Clone)]
pub struct Watch {
    expected: Expected,
    limits: Limits,
    begun_ms: i64,
    /// As counted in the first look.
    restarts: Option<i64>,
    first: Option<First>,
}

#[derive(Debug, Clone, Copy)]
struct First {
    at_ms: i64,
    life: i64,
    violations: i64,
    /// The newest answer.
    last_ms: i64,
}

impl Watch {
    /// From `now_ms` of the boot clock on.
    pub fn new(expected: Expected, limits: Limits, now_ms: i64) -> Watch {
        Watch { expected, limits, begun_ms: now_ms, restarts: None, first: None }
    }

    /// Takes a look into account.
    pub fn see(&mut self, look: &Look) -> Verdict {
        let before = *self.restarts.get_or_insert(look.restarts.unwrap_or(0));
        let restarts = look.restarts.map_or(0, |n| n - before);
        if let Some(words) = &look.given_up {
            return Verdict::Failed(format!("it ended, and is not started again ({words})"));
        }
        match self.first {
            None => self.wait(look, restarts),
            Some(first) => self.soak(look, restarts, first),
        }
    }

    fn wait(&mut self, look: &Look, restarts: i64) -> Verdict {
        let said = match &look.heard {
            Err(why) => why.clone(),
            Ok(heard) if self.expected.life_before.is_some_and(|before| heard.life <= before) => {
                "the daemon of before still answers".to_owned()
            }
            Ok(heard) => {
                // It is none of the lives before, so it is the one that was started now.
                if let Some(other) = self.other(heard) {
                    return Verdict::Failed(other);
                }
                let violations = self.expected.violations.unwrap_or(heard.violations);
                let (at_ms, life) = (look.at_ms, heard.life);
                self.first = Some(First { at_ms, life, violations, last_ms: at_ms });
                self.restarts = look.restarts.or(self.restarts);
                return Verdict::There;
            }
        };
        if restarts >= policy::DEPLOY_CRASHES_MAX {
            return Verdict::Failed(format!("it ended {restarts} times before it answered ({said})"));
        }
        if look.at_ms - self.begun_ms >= self.limits.ready_ms {
            return Verdict::Failed(format!("it has not answered within {} s ({said})", self.limits.ready_ms / 1_000));
        }
        Verdict::GoOn
    }

    /// What answers is another than expected.
    fn other(&self, heard: &Heard) -> Option<String> {
        let Expected { release, config, .. } = &self.expected;
        if heard.version != release.as_str() {
            return Some(format!("another release answers: {}", heard.version));
        }
        let config = config.as_ref().filter(|hash| !heard.config_hash.starts_with(*hash))?;
        Some(format!(
            "it runs with another configuration than was looked at: {}, not {config}",
            heard.config_hash.chars().take(config.len()).collect::<String>()
        ))
    }

    fn soak(&mut self, look: &Look, restarts: i64, first: First) -> Verdict {
        let silent_ms = look.at_ms - first.last_ms;
        match &look.heard {
            _ if restarts > 0 => return Verdict::Failed("it was started anew while it was watched".to_owned()),
            Err(why) if silent_ms >= self.limits.answer_ms => {
                return Verdict::Failed(format!("it does not answer since {silent_ms} ms ({why})"));
            }
            Err(_) => return Verdict::GoOn,
            Ok(heard) if heard.life != first.life => {
                return Verdict::Failed("it was started anew while it was watched".to_owned());
            }
            Ok(heard) if heard.violations > first.violations => {
                return Verdict::Failed(format!(
                    "it put {} violation(s) on record (`mainstay logs --kind violation`)",
                    heard.violations - first.violations
                ));
            }
            Ok(heard) if heard.refusals >= policy::DEPLOY_REFUSALS_MAX => {
                return Verdict::Failed(format!("telegram has refused its token {} times in a row", heard.refusals));
            }
            Ok(heard) => {
                if let Some(other) = self.other(heard) {
                    return Verdict::Failed(other);
                }
            }
        }
        if look.at_ms - first.at_ms >= self.limits.soak_ms {
            return Verdict::Proven;
        }
        self.first = Some(First { last_ms: look.at_ms, ..first });
        Verdict::GoOn
    }
}

#[cfg(test)]
mod tests;
