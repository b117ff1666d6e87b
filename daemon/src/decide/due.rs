//! What time does: a daemon takes over, deadlines pass, slots are free.

use super::{Draft, attempt};
use crate::event::Fact;
use crate::id::Actor;
use crate::plan::Effect;
use crate::policy;
use crate::task::{Cause, Outcome, State, step};
use crate::view::{Restore, TaskView};

/// A daemon takes over, perhaps what a back-up says.
pub fn booted(draft: &mut Draft<'_>, version: &str, boot: &str) {
    let view = draft.view;
    if let Some(restore) = view.restore.clone() {
        let Restore { file, through, replaced, epoch, newest_task } = restore;
        let fact = Fact::Restored { file, through, replaced, epoch, newest_task };
        draft.record(None, None, Actor::System, fact);
    }
    let fact = Fact::Booted {
        version: version.to_owned(),
        config: draft.config.hash.clone(),
        boot: boot.to_owned(),
        boot_ms: draft.now.boot_ms,
        wall_ms: draft.now.wall_ms,
    };
    draft.record(None, None, Actor::System, fact);
    if draft.view.mode.is_none() {
        draft.record(None, None, Actor::System, Fact::ModeSet { mode: draft.config.autonomy });
    }
    if let Some(restore) = &view.restore {
        view.waiting.iter().for_each(|task| hold(draft, task, restore.through));
    }
}

/// What waited when the back-up was made may have run since, and nothing here would know: somebody has to say that it is still
/// to run, through all gates, as what was approved then may have been done.
fn hold(draft: &mut Draft<'_>, task: &TaskView, through: i64) {
    let Ok(moved) = step(task.task.state, Cause::Stopped) else { return };
    let id = task.task.id;
    let reason = format!(
        "held: it may have run since the back-up (event {through}) that was restored; /recover {id} asks for it again"
    );
    draft.record(Some(task), None, Actor::System, Fact::Stopped { reason: reason.clone(), step: moved });
    attempt::finish(draft, task, moved, Outcome::Stopped, &reason, Some(Actor::System));
}

/// The daemon is back: whoever pressed a button meanwhile may have pressed in vain, and needs a card to press again. With
/// another configuration, others may be whom a card waits for.
pub fn returned(draft: &mut Draft<'_>, away_ms: i64, reconfigured: bool) {
    let anew = away_ms > policy::PRESS_LIFE_MS;
    if anew || reconfigured {
        for task in &draft.view.waiting {
            draft.show_card(task, anew);
        }
    }
}

/// A waiting task's time to live ran out.
pub fn expire(draft: &mut Draft<'_>, task: &TaskView) {
    let Ok(moved) = step(task.task.state, Cause::Expired) else { return };
    draft.record(Some(task), None, Actor::System, Fact::Expired { step: moved });
    attempt::finish(draft, task, moved, Outcome::Expired, "", None);
}

/// A running task's put-off start has come due, or its end is overdue.
pub fn overdue(draft: &mut Draft<'_>, task: &TaskView) {
    let Some(attempt) = &task.attempt else { return };
    if task.task.state != State::Running {
        return;
    }
    if attempt.start_due.is_some_and(|due| due <= draft.now.boot_ms) {
        return attempt::start_again(draft, task, attempt);
    }
    let (key, shim, number) = (attempt.key, attempt.identity.clone(), Some(attempt.key.attempt));
    match attempt.stop_alarm {
        // The slot stays taken for as long as anything is alive; people are told.
        Some(alarm) if alarm <= draft.now.boot_ms => {
            draft.record(Some(task), number, Actor::System, Fact::StopOverdue {});
            let waited_ms = attempt::stop_grace_ms(draft, task);
            shim.into_iter().for_each(|identity| draft.effect(Effect::Kill { key, identity, waited_ms }));
        }
        // Its shim did not keep the time limit: a task can stop its own. First it gets the chance to catch up.
        None if attempt.stop_by.is_none() && attempt.stale_at.is_some_and(|at| at <= draft.now.boot_ms) => {
            let alarm = attempt::stop_alarm(draft, task);
            draft.record(Some(task), number, Actor::System, Fact::StopAsked { alarm });
            shim.into_iter().for_each(|identity| draft.effect(Effect::Stop { key, identity }));
        }
        Some(_) | None => return,
    }
    draft.show_card(task, false);
}
