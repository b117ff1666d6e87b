//! A switch from one release to another, as steps. Each is written down before it is done, changes what it changes in one
//! move, and can be done again: whoever is killed on the way leaves nothing that the next command can't go on with.
//!
//! ```text
//! forward         verify  preflight  back-up  drain  flip  restart  soak        then it is blessed
//! back, by hand   verify  preflight           drain  flip  restart  soak        then that is where it is
//! back, by itself verify                             flip  restart  soak        the same
//! ```
//!
//! Before the flip a failure ends the switch, and nothing was changed. From the flip on it leads back, by itself, once: a way
//! back that fails leads nowhere, and a person has to look.

use super::Id;
use crate::policy;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Every file is read, and held against the digests.
    Verify,
    /// The new program says what would go wrong with it on this machine.
    Preflight,
    /// The database is copied.
    BackUp,
    /// The daemon that runs starts no more tasks. What runs goes on.
    Drain,
    /// `current` leads to the release.
    Flip,
    /// The daemon is started anew.
    Restart,
    /// The daemon is watched.
    Soak,
}

impl Step {
    /// As it is told.
    pub const fn name(self) -> &'static str {
        match self {
            Step::Verify => "verify",
            Step::Preflight => "preflight",
            Step::BackUp => "back-up",
            Step::Drain => "drain",
            Step::Flip => "flip",
            Step::Restart => "restart",
            Step::Soak => "soak",
        }
    }

    /// From here on the release may be the one that runs.
    pub fn may_have_flipped(self) -> bool {
        self >= Step::Flip
    }
}

/// Which way it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To a release that has to prove itself.
    Forward,
    /// To one that has, because somebody wants it.
    Back,
    /// To one that has, because the other failed.
    BackByItself,
}

impl Way {
    /// Its steps.
    pub const fn steps(self) -> &'static [Step] {
        use Step::{BackUp, Drain, Flip, Preflight, Restart, Soak, Verify};
        match self {
            Way::Forward => &[Verify, Preflight, BackUp, Drain, Flip, Restart, Soak],
            // On the same database, which nothing has been taken from: there is nothing to back up.
            Way::Back => &[Verify, Preflight, Drain, Flip, Restart, Soak],
            // No time is lost with what could only say no.
            Way::BackByItself => &[Verify, Flip, Restart, Soak],
        }
    }
}

/// How long it may take, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Until the daemon has answered as this release.
    pub ready_ms: i64,
    /// Each answer.
    pub answer_ms: i64,
    /// Until a release that did nothing wrong is blessed.
    pub soak_ms: i64,
}

impl Limits {
    /// With no less patience than usual.
    pub fn at_least_usual(self) -> Limits {
        Limits {
            ready_ms: self.ready_ms.max(policy::DEPLOY_READY_MS),
            answer_ms: self.answer_ms.max(policy::DEPLOY_ANSWER_MS),
            soak_ms: self.soak_ms,
        }
    }
}

/// A switch under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// To this release.
    pub to: Id,
    /// From this one, if there was any.
    pub from: Option<Id>,
    /// Which way.
    pub way: Way,
    /// Why it leads back; empty forward.
    pub why: String,
    /// The step that is done now, or next.
    pub step: Step,
    /// Why somebody wanted it though something spoke against it.
    pub forced: Option<String>,
    /// Somebody wants it also where it leaves no way back.
    #[serde(default)]
    pub no_way_back: bool,
    /// The daemon is draining because of it: an end before the flip lifts that.
    pub drained: bool,
    /// It undoes one that was under way: what it leads away from may run, and has not proven itself.
    #[serde(default)]
    pub undoes: bool,
    /// The newest of the daemon's lives on record before the restart: a later one is the new daemon's.
    pub life: Option<i64>,
    /// Violations on record before the restart, if the daemon answered.
    pub violations: Option<i64>,
    /// The beginning of the configuration's hash, as the preflight told it.
    pub config: Option<String>,
    /// How long it may take.
    pub limits: Limits,
    /// What starts the daemon anew, where that is not systemd.
    pub supervisor: Option<String>,
    /// The configuration's file, as the command that began it had it.
    #[serde(default)]
    pub config_file: Option<PathBuf>,
    /// Its command was cut off, and what goes on with it has nobody to tell how it ends.
    #[serde(default)]
    pub unattended: bool,
}

impl Switch {
    /// The step after this one; none after the last.
    pub fn next(&self) -> Option<Step> {
        let steps = self.way.steps();
        let at = steps.iter().position(|step| *step == self.step)?;
        steps.get(at + 1).copied()
    }

    /// Whether it has changed nothing yet that runs. A way back is never given up: what it leads away from may be what runs.
    pub fn can_be_given_up(&self) -> bool {
        self.way == Way::Forward && !self.step.may_have_flipped()
    }

    /// `5 of 7`: where it is.
    pub fn place(&self) -> (usize, usize) {
        let steps = self.way.steps();
        (1 + steps.iter().position(|step| *step == self.step).unwrap_or(0), steps.len())
    }
}

/// How a switch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The new release has proven itself.
    Blessed,
    /// Something spoke against it before anything was changed.
    Refused,
    /// Somebody gave it up before anything was changed.
    GivenUp,
    /// The new release failed, and the one before runs again.
    WentBack,
    /// Somebody wanted the one before, and it runs.
    RolledBack,
    /// What is there failed, and there is nothing to go back to, or that failed too: a person has to look.
    Stuck,
}

/// A switch that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, ms since 1970.
    pub at_ms: i64,
    /// How.
    pub outcome: Outcome,
    /// The release that it was to lead to.
    pub to: Id,
    /// From which one, if there was any.
    pub from: Option<Id>,
    /// Why, where it did not go forward.
    pub why: String,
    /// Whoever began it has not been told: its command was cut off.
    #[serde(default)]
    pub unattended: bool,
}

impl Ended {
    /// Whether it ended with the release before it, and whoever began it may not know yet.
    pub fn leaves_the_one_before_unseen(&self) -> bool {
        self.unattended && !matches!(self.outcome, Outcome::Blessed | Outcome::Stuck)
    }
}
