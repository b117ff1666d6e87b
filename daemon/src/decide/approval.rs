//! Saying yes and no before a task runs: approvals, rejections, plans, reviews. None of these starts anything.

use super::order::{Asker, cut, refuse, refuse_step};
use super::{Draft, Said, attempt, gate};
use crate::command::Command;
use crate::config::Kind;
use crate::event::Fact;
use crate::id::Actor;
use crate::policy;
use crate::report;
use crate::task::{Cause, Outcome, State, step};
use crate::view::{ApprovalRow, Review, TaskView};

/// Approves what would run now. Only ever records: no path from here starts anything.
pub fn approve(draft: &mut Draft<'_>, asker: Asker, command: &Command, task: &TaskView, note: &str) -> Said {
    let id = task.task.id;
    let Some(kind) = draft.config.kinds.get(&task.task.kind) else {
        let why = gate::Gate::KindGone.text(&task.task);
        return refuse(draft, asker, command, Some(task), &why, false);
    };
    let hash = gate::content_hash(draft.config, &task.task);
    let valid = gate::valid_approvals(draft.config, kind, task, &hash, draft.now);
    let enough = |n: usize| u32::try_from(n).is_ok_and(|n| n >= kind.approvals);
    // Approved, but what would run has changed since, or approvals ran out: it can be approved again without a move.
    let again = task.task.state == State::Approved && !enough(valid.len());
    let moved = match step(task.task.state, Cause::Approved) {
        Ok(step) => Some(step),
        Err(_) if again => None,
        Err(refused) => return refuse_step(draft, asker, command, task, refused),
    };
    if kind.requires_plan && task.task.plan.is_none() {
        let why = format!("#{id} needs a plan before it can be approved: /plan {id} <text>");
        return refuse(draft, asker, command, Some(task), &why, false);
    }
    if let Some(why) = not_another(draft, asker, task, kind) {
        return refuse(draft, asker, command, Some(task), &why, false);
    }
    if valid.iter().any(|a| a.approver == asker.actor) {
        let why = format!("you approved #{id} already; it needs {} in all", kind.approvals);
        return refuse(draft, asker, command, Some(task), &why, true);
    }
    let until = draft.now.boot_ms + kind.approval_ttl_ms;
    let step = moved.filter(|_| enough(valid.len() + 1));
    let note = cut(note);
    draft.record(Some(task), None, asker.actor, Fact::Approved { hash: hash.clone(), note: note.clone(), until, step });
    let mut after = task.clone();
    after.approvals.retain(|a| a.approver != asker.actor);
    after.approvals.push(ApprovalRow { approver: asker.actor, hash, note, until });
    if let Some(step) = step {
        after.task.state = step.to();
    }
    draft.show_card(&after, false);
    let next = report::next_step(draft.config, draft.view.mode(), &after, draft.now);
    Said::yes(format!("#{id} approved: {next}"), report::task_data(&after, draft.now))
}

/// Why this is not the second pair of eyes that a kind may want: they asked for it, or wrote the plan, or nobody can tell.
fn not_another(draft: &Draft<'_>, asker: Asker, task: &TaskView, kind: &Kind) -> Option<String> {
    let id = task.task.id;
    if gate::may_be_another(draft.config, kind, &task.task, asker.actor) {
        return None;
    }
    let wants = format!("kind {} wants somebody else's yes", kind.name);
    Some(match asker.actor {
        Actor::Local(uid) => format!(
            "user {uid} of this machine could be anybody, and {wants}: say it in Telegram, or give your [[operator]] `uid = {uid}`"
        ),
        actor if actor == draft.config.person(task.task.requester) => format!("#{id} was asked for by you: {wants}"),
        Actor::User(_) | Actor::Policy | Actor::System => format!("the plan of #{id} is yours: {wants}"),
    })
}

/// Refuses a task, with a reason.
pub fn reject(draft: &mut Draft<'_>, asker: Asker, command: &Command, task: &TaskView, reason: &str) -> Said {
    let step = match step(task.task.state, Cause::Rejected) {
        Ok(step) => step,
        Err(refused) => return refuse_step(draft, asker, command, task, refused),
    };
    let reason = cut(reason);
    draft.record(Some(task), None, asker.actor, Fact::Rejected { reason: reason.clone(), step });
    let after = attempt::finish(draft, task, step, Outcome::Rejected, &reason, Some(asker.actor));
    Said::yes(format!("#{} rejected: {reason}", task.task.id), report::task_data(&after, draft.now))
}

/// Attaches a plan: what was approved before is another thing now.
pub fn plan(draft: &mut Draft<'_>, asker: Asker, command: &Command, task: &TaskView, text: &str) -> Said {
    let id = task.task.id;
    if !matches!(task.task.state, State::Requested | State::Approved) {
        let why = format!("#{id} is {}: a plan can be attached before it is resumed", task.task.state);
        return refuse(draft, asker, command, Some(task), &why, false);
    }
    // What is approved is the plan that was said: one that is too long is refused, not cut.
    if text.len() > policy::PROMPT_BYTES_MAX {
        let why = format!("the plan has {} bytes, at most {} are taken", text.len(), policy::PROMPT_BYTES_MAX);
        return refuse(draft, asker, command, Some(task), &why, false);
    }
    draft.record(Some(task), None, asker.actor, Fact::Planned { text: text.to_owned() });
    if !task.approvals.is_empty() || task.task.review.is_some() {
        draft.record(Some(task), None, Actor::System, Fact::Voided { why: "the plan changed".into() });
    }
    let mut after = task.clone();
    after.task.plan = Some(text.to_owned());
    after.task.plan_by = Some(asker.actor);
    after.task.review = None;
    after.approvals.iter_mut().for_each(|approval| approval.hash.clear());
    draft.show_card(&after, false);
    let next = report::next_step(draft.config, draft.view.mode(), &after, draft.now);
    Said::yes(format!("#{id} has a plan: {next}"), report::task_data(&after, draft.now))
}

/// Passes or fails what would run now.
pub fn review(
    draft: &mut Draft<'_>,
    asker: Asker,
    command: &Command,
    task: &TaskView,
    pass: bool,
    code: Option<&String>,
    notes: &str,
) -> Said {
    let id = task.task.id;
    if !matches!(task.task.state, State::Requested | State::Approved) {
        let why = format!("#{id} is {}: a review comes before it is resumed", task.task.state);
        return refuse(draft, asker, command, Some(task), &why, false);
    }
    let Some(kind) = draft.config.kinds.get(&task.task.kind) else {
        let why = gate::Gate::KindGone.text(&task.task);
        return refuse(draft, asker, command, Some(task), &why, false);
    };
    // Holding a task back takes no second pair of eyes: who could be anybody is refused for a pass alone.
    let counts = pass || gate::is_involved(draft.config, &task.task, asker.actor);
    if let Some(why) = not_another(draft, asker, task, kind).filter(|_| counts) {
        return refuse(draft, asker, command, Some(task), &why, false);
    }
    let hash = gate::content_hash(draft.config, &task.task);
    let fact = Fact::Reviewed { hash: hash.clone(), pass, code: code.cloned(), notes: cut(notes) };
    draft.record(Some(task), None, asker.actor, fact);
    let mut after = task.clone();
    after.task.review = Some(Review { hash, pass, code: code.cloned(), by: asker.actor });
    draft.show_card(&after, false);
    let verdict = if pass { "passed".to_owned() } else { format!("failed ({})", code.map_or("other", |c| c)) };
    let next = report::next_step(draft.config, draft.view.mode(), &after, draft.now);
    Said::yes(format!("#{id} review {verdict}: {next}"), report::task_data(&after, draft.now))
}
