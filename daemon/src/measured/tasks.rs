//! Tasks and their attempts, by what is on record of them.

use super::Days;
use crate::config::Config;
use crate::event::{Fact, Recorded, What};
use crate::id::{Actor, TaskId};
use crate::task::{Outcome, State};
use mainstay_metric::ledger::{Allowed, Execution, Line, Task};
use mainstay_metric::limits::APPROVE_TO_RUNNING_MS;
use std::collections::BTreeMap;

/// Attempts of a task: by number, what is known of them.
struct Tried {
    began: i64,
    /// Shims that were told to go, less those that were found never to have begun.
    starts: u32,
    allowed: Allowed,
}

/// A task's story.
struct Story {
    asked: i64,
    kind: String,
    heavy: bool,
    state: State,
    outcome: Option<Outcome>,
    admitted: bool,
    approved: Option<i64>,
    /// What was approved is not what would run any more: nobody waits for it.
    voided: bool,
    resumed: Option<i64>,
    running: Option<i64>,
    withdrawn: Option<i64>,
    acts: u32,
    /// Of the acts, those that its policy wants, by what they are: a second resume is not wanted.
    wanted: Wanted,
    /// Why a further attempt is allowed.
    next: Allowed,
    tried: BTreeMap<u32, Tried>,
    commanded: bool,
    reported: Reported,
}

#[derive(Default)]
struct Wanted {
    approvals: u32,
    resumed: bool,
    rejected: bool,
    planned: bool,
    reviewed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reported {
    /// There is nobody to report to.
    Nowhere,
    Missing,
    Queued(i64),
    Sent,
}

/// Tasks that have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Open {
    /// All of them.
    pub all: u64,
    /// Those that should have run by now, and have not: they count as failures.
    pub late: u64,
}

/// All tasks that were asked for within the window.
pub(super) struct Tasks<'a> {
    config: &'a Config,
    stories: BTreeMap<TaskId, Story>,
    /// Reports on their way.
    reports: BTreeMap<i64, TaskId>,
}

impl<'a> Tasks<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        Self { config, stories: BTreeMap::new(), reports: BTreeMap::new() }
    }

    pub(super) fn see(&mut self, event: &Recorded) {
        if let Fact::Sent { id, .. } = &event.fact
            && let Some(story) = self.reports.remove(id).and_then(|task| self.stories.get_mut(&task))
            && story.reported == Reported::Queued(*id)
        {
            story.reported = Reported::Sent;
        }
        let Some(task) = event.task else { return };
        if let Fact::Requested { kind, heavy, chat, .. } = &event.fact {
            self.stories.insert(task, Story::new(event, kind, *heavy, chat.is_some()));
        }
        let Some(story) = self.stories.get_mut(&task) else { return };
        if let Some(state) = event.fact.state_after() {
            story.state = state;
        }
        story.people(event);
        story.attempts(event);
        if let Fact::Queued { id, what: What::Report(_), .. } = &event.fact {
            story.reported = Reported::Queued(*id);
            self.reports.insert(*id, task);
        }
    }

    /// Tells of those that ended, and of those that should have run by the end of the window.
    pub(super) fn tell(self, days: &mut Days) -> Open {
        let mut open = Open::default();
        for (id, story) in &self.stories {
            for (attempt, tried) in story.tried.iter().filter(|(_, tried)| tried.starts > 0) {
                days.add(story.asked, |clock| Line::Execution(tried.execution(*id, *attempt, story.heavy, clock)));
            }
            let ended = story.state.is_terminal();
            let late = !ended && story.is_late(days.window.to_ms);
            open.all += u64::from(!ended);
            open.late += u64::from(late);
            if ended || late {
                days.add(story.asked, |clock| Line::Task(story.task(*id, self.config, clock)));
            }
        }
        open
    }
}

impl Tried {
    fn execution(&self, task: TaskId, attempt: u32, heavy: bool, clock: &dyn Fn(i64) -> i64) -> Execution {
        Execution {
            task: task.0,
            attempt,
            heavy,
            began_ms: clock(self.began),
            spawns: self.starts,
            effects: 1,
            allowed: self.allowed,
        }
    }
}

impl Story {
    fn new(event: &Recorded, kind: &str, heavy: bool, has_chat: bool) -> Self {
        Self {
            asked: event.at,
            kind: kind.to_owned(),
            heavy,
            state: State::Requested,
            outcome: None,
            admitted: false,
            approved: None,
            voided: false,
            resumed: None,
            running: None,
            withdrawn: None,
            acts: 0,
            wanted: Wanted::default(),
            next: Allowed::First,
            tried: BTreeMap::new(),
            commanded: !event.trace.is_empty(),
            reported: if has_chat { Reported::Missing } else { Reported::Nowhere },
        }
    }

    /// What people did to it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most of what happens to a task is not done by people")]
    fn people(&mut self, event: &Recorded) {
        let by_people = match event.actor {
            Actor::User(_) | Actor::Local(_) => 1,
            Actor::Policy | Actor::System => 0,
        };
        match &event.fact {
            Fact::Approved { step, .. } => {
                self.acts += by_people;
                self.wanted.approvals += by_people;
                if step.is_some() || self.voided {
                    self.approved = Some(event.at);
                }
                self.voided = false;
            }
            // Those before are not what it takes: they were asked for again.
            Fact::Voided { .. } => {
                self.wanted.approvals = 0;
                self.voided = true;
            }
            Fact::Planned { .. } => {
                self.acts += by_people;
                self.wanted.planned |= by_people > 0;
            }
            Fact::Reviewed { .. } => {
                self.acts += by_people;
                self.wanted.reviewed |= by_people > 0;
            }
            Fact::Resumed { .. } => {
                self.acts += by_people;
                self.wanted.resumed |= by_people > 0;
                self.admitted = true;
                self.resumed = Some(event.at);
            }
            Fact::Rejected { .. } => {
                self.acts += by_people;
                self.wanted.rejected |= by_people > 0;
                self.withdrawn = Some(event.at);
                self.outcome = Some(Outcome::Rejected);
            }
            Fact::Stopped { .. } | Fact::StopAsked { .. } => {
                self.acts += by_people;
                if by_people > 0 {
                    self.withdrawn.get_or_insert(event.at);
                }
                self.outcome = Some(Outcome::Stopped);
            }
            Fact::Recovered { .. } => {
                self.acts += by_people;
                self.again();
            }
            Fact::Expired { .. } => self.outcome = Some(Outcome::Expired),
            _ => {}
        }
    }

    /// Taken back from its end: it starts over, and what was done before was not enough.
    fn again(&mut self) {
        self.wanted = Wanted::default();
        self.withdrawn = None;
        self.outcome = None;
        self.approved = None;
        self.voided = false;
        self.resumed = None;
        self.running = None;
        self.next = Allowed::Recovered;
        if self.reported != Reported::Nowhere {
            self.reported = Reported::Missing;
        }
    }

    /// Approved for longer than it may take until it runs, and it has not run.
    fn is_late(&self, now: i64) -> bool {
        self.running.is_none() && !self.voided && self.approved.is_some_and(|at| now - at > APPROVE_TO_RUNNING_MS)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most of what happens to a task is not about an attempt")]
    fn attempts(&mut self, event: &Recorded) {
        let Some(attempt) = event.attempt else { return };
        match &event.fact {
            Fact::Identified { .. } => {
                let allowed = self.next;
                let tried = self.tried.entry(attempt).or_insert(Tried { began: event.at, starts: 0, allowed });
                tried.starts += 1;
                self.running.get_or_insert(event.at);
            }
            Fact::StartAgain { .. } => {
                if let Some(tried) = self.tried.get_mut(&attempt) {
                    tried.starts = tried.starts.saturating_sub(1);
                }
            }
            Fact::Ended { outcome, retry, .. } => {
                self.outcome = Some(*outcome);
                self.next = if retry.is_some() { Allowed::Retry } else { Allowed::Nothing };
            }
            _ => {}
        }
    }

    fn task(&self, id: TaskId, config: &Config, clock: &dyn Fn(i64) -> i64) -> Task {
        let kind = config.kinds.get(&self.kind);
        let planned = self.wanted.planned && kind.is_none_or(|kind| kind.requires_plan);
        let reviewed = self.wanted.reviewed && kind.is_none_or(|kind| kind.requires_review);
        let once = [self.wanted.resumed, self.wanted.rejected, planned, reviewed].into_iter().map(u32::from);
        Task {
            task: id.0,
            kind: self.kind.clone(),
            heavy: self.heavy,
            admitted: self.admitted,
            // What its program was to do nobody knows: one that was not withdrawn should have succeeded.
            could_succeed: self.withdrawn.is_none(),
            state: self.state.name().to_owned(),
            outcome: self.outcome.map(|outcome| outcome.name().to_owned()),
            wrong: None,
            gap: self.gap().map(str::to_owned),
            acts: self.acts,
            least_acts: self.wanted.approvals + once.sum::<u32>(),
            approved_ms: self.approved.map(clock),
            resumed_ms: self.resumed.map(clock),
            running_ms: self.running.map(clock),
            withdrawn_ms: self.withdrawn.filter(|_| self.running.is_none() && !self.voided).map(clock),
        }
    }

    /// What is missing between the command and the report.
    fn gap(&self) -> Option<&'static str> {
        let ran = !self.tried.is_empty();
        match self.reported {
            _ if !self.commanded => Some("no command"),
            _ if ran && self.approved.is_none() => Some("no approval"),
            _ if ran && self.resumed.is_none() => Some("nobody let it run"),
            _ if self.outcome.is_none() => Some("no outcome"),
            Reported::Missing => Some("no report"),
            Reported::Queued(_) => Some("its report is not delivered"),
            Reported::Nowhere | Reported::Sent => None,
        }
    }
}
