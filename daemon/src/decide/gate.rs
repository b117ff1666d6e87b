//! Gates: what has to hold before a task may be resumed and before it is claimed, and what can be done about it.

use super::Moment;
use crate::command::{Mode, Role};
use crate::config::{Config, Kind};
use crate::hex::hex;
use crate::id::Actor;
use crate::task::State;
use crate::view::{ApprovalRow, Review, TaskRow, TaskView, View};
use sha2::{Digest, Sha256};

/// A condition that does not hold yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Its kind is no longer configured.
    KindGone,
    /// Its prompt has a word that the kind denies.
    DeniedWord(String),
    /// It needs a plan.
    Plan,
    /// It needs a passed review of what would run now.
    Review,
    /// So many approvals of what would run now are missing.
    Approvals {
        /// Missing.
        missing: u32,
        /// Given for something else that would have run, out of date, or by who may not approve (any more).
        void: u32,
        /// Of others than who asked or planned.
        of_others: bool,
    },
    /// Nothing starts in this mode.
    Readonly,
}

impl Gate {
    /// For people: what it waits for and what to do.
    pub fn text(&self, task: &TaskRow) -> String {
        let id = task.id;
        match self {
            Gate::KindGone => format!("its kind {} is no longer configured: configure it, or /stop {id}", task.kind),
            Gate::DeniedWord(word) => format!("its prompt has the word {word:?}, which this kind denies: /stop {id}"),
            Gate::Plan => format!("a plan: /plan {id} <text>"),
            Gate::Review => format!("a passed review: /review {id} pass"),
            Gate::Approvals { missing, void, of_others } => {
                let others = if *of_others { " by somebody else" } else { "" };
                let void = match void {
                    0 => String::new(),
                    n => format!(" ({n} given before it changed or expired, or by who approves no more, do not count)"),
                };
                format!("{missing} approval{}{others}{void}: /approve {id}", plural(*missing))
            }
            Gate::Readonly => "mode readonly: nothing starts until /mode supervised or auto".into(),
        }
    }
}

fn plural(n: u32) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// A hash over what will run: kind, program, prompt, plan and the limits that matter to who approves it. An approval names
/// it; any change makes another. SHA-256, hex.
pub fn content_hash(config: &Config, task: &TaskRow) -> String {
    let kind = config.kinds.get(&task.kind);
    let meaning = serde_json::json!([
        1, // version of this list
        task.kind,
        task.prompt,
        task.plan,
        kind.map(|k| (&k.argv, &k.cwd, &k.env, k.heavy, k.idempotent, k.timeout_ms, k.max_attempts)),
    ]);
    hex(&Sha256::digest(meaning.to_string()))
}

/// Approvals that count now, for `hash`: one a person, of those whose yes would still be taken.
pub fn valid_approvals(config: &Config, kind: &Kind, task: &TaskView, hash: &str, now: Moment) -> Vec<ApprovalRow> {
    let mut valid: Vec<ApprovalRow> = Vec::new();
    for given in task.approvals.iter().filter(|a| a.hash == hash && a.until > now.boot_ms) {
        let approver = config.person(given.approver);
        let first = valid.iter().all(|a| a.approver != approver);
        if first && still_counts(config, kind, &task.task, approver) {
            valid.push(ApprovalRow { approver, ..given.clone() });
        }
    }
    valid
}

/// Whether what somebody said yes to is still said: they may approve and review by the present configuration, and are
/// whom the kind wants.
fn still_counts(config: &Config, kind: &Kind, task: &TaskRow, actor: Actor) -> bool {
    config.may(actor, Role::Approver) && may_be_another(config, kind, task, config.person(actor))
}

/// Whether somebody's yes is what the kind wants: anybody's, or that of another than who asked and who wrote the plan. A
/// user of this machine who is no operator could be either of them.
pub fn may_be_another(config: &Config, kind: &Kind, task: &TaskRow, actor: Actor) -> bool {
    let known = !matches!(actor, Actor::Local(_));
    kind.self_approval || (known && !is_involved(config, task, actor))
}

/// Whether somebody asked for the task or wrote its plan, also as a user of this machine whose `uid` was configured since.
pub fn is_involved(config: &Config, task: &TaskRow, actor: Actor) -> bool {
    [Some(task.requester), task.plan_by].into_iter().flatten().any(|one| config.person(one) == actor)
}

/// All that stands between the task and running, except that somebody must resume it.
pub fn gates(config: &Config, mode: Mode, task: &TaskView, now: Moment) -> Vec<Gate> {
    let Some(kind) = config.kinds.get(&task.task.kind) else { return vec![Gate::KindGone] };
    // What would run matters only to who has said something about it; most tasks are asked about before that.
    let judged = !task.approvals.is_empty() || task.task.review.is_some();
    let hash = if judged { content_hash(config, &task.task) } else { String::new() };
    let mut gates = Vec::new();
    if let Some(word) = denied_word(kind, &task.task.prompt) {
        gates.push(Gate::DeniedWord(word.to_owned()));
    }
    if kind.requires_plan && task.task.plan.is_none() {
        gates.push(Gate::Plan);
    }
    let reviewed = |r: &Review| r.pass && r.hash == hash && still_counts(config, kind, &task.task, r.by);
    if kind.requires_review && !task.task.review.as_ref().is_some_and(reviewed) {
        gates.push(Gate::Review);
    }
    let valid = u32::try_from(valid_approvals(config, kind, task, &hash, now).len()).unwrap_or(u32::MAX);
    if valid < kind.approvals {
        let given = u32::try_from(task.approvals.len()).unwrap_or(u32::MAX);
        let (missing, void) = (kind.approvals - valid, given.saturating_sub(valid));
        gates.push(Gate::Approvals { missing, void, of_others: !kind.self_approval });
    }
    if mode == Mode::Readonly {
        gates.push(Gate::Readonly);
    }
    gates
}

fn lacks_approvals(config: &Config, mode: Mode, task: &TaskView, now: Moment) -> bool {
    gates(config, mode, task, now).iter().any(|g| matches!(g, Gate::Approvals { .. }))
}

/// Private chats of approvers whom a task waits for and who don't see its card: those who asked in a group are answered
/// there, and whoever approves their own tasks needs nobody. An approved task waits again when its approvals count no more.
pub fn askable(config: &Config, view: &View, task: &TaskView, now: Moment) -> Vec<i64> {
    let row = &task.task;
    let Some(kind) = config.kinds.get(&row.kind) else { return Vec::new() };
    let others = !kind.self_approval || kind.approvals > 1;
    if view.reachable.is_empty() || !others || row.chat.is_some_and(|chat| chat < 0) {
        return Vec::new();
    }
    let asks = match row.state {
        State::Requested => true,
        State::Approved => lacks_approvals(config, view.mode(), task, now),
        State::Queued | State::Running => false,
        State::Succeeded | State::Failed | State::Canceled | State::Expired => false,
    };
    if !asks {
        return Vec::new();
    }
    let approver = |chat: &&i64| {
        config.operators.get(chat).is_some_and(|o| o.may(Role::Approver))
            && row.requester != Actor::User(**chat)
            && row.chat != Some(**chat)
            && task.copies.iter().all(|(copy, _)| copy != *chat)
    };
    view.reachable.iter().filter(approver).copied().collect()
}

/// Whether a card there has buttons: the task's own card has, and a copy for as long as its person may approve.
pub fn decides_there(config: &Config, task: &TaskRow, chat: i64) -> bool {
    task.chat == Some(chat) || config.operators.get(&chat).is_some_and(|o| o.may(Role::Approver))
}

/// The first denied word in a prompt, case ignored.
pub fn denied_word<'a>(kind: &'a Kind, prompt: &str) -> Option<&'a str> {
    if kind.denied_words.is_empty() {
        return None;
    }
    let prompt = prompt.to_lowercase();
    kind.denied_words.iter().map(String::as_str).find(|word| prompt.contains(&word.to_lowercase()))
}

/// The buttons that make sense on the task's card now, in the order they are shown.
pub fn actions(config: &Config, mode: Mode, task: &TaskView, now: Moment) -> Vec<&'static str> {
    let stopping = task.attempt.as_ref().is_some_and(|a| a.stop_by.is_some());
    match task.task.state {
        State::Requested => vec!["approve", "reject", "why"],
        State::Approved if lacks_approvals(config, mode, task, now) => vec!["approve", "stop", "why"],
        State::Approved => vec!["resume", "stop", "why"],
        State::Queued => vec!["stop", "why"],
        State::Running if stopping => vec!["log", "why"],
        State::Running => vec!["stop", "log", "why"],
        State::Succeeded => vec!["log"],
        State::Failed | State::Canceled | State::Expired => vec!["recover", "log", "why"],
    }
}
