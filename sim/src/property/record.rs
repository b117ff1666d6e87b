//! The record as it lies on the disk.

use super::Evidence;
use mainstay::attempt::End;
use mainstay::decide::Moment;
use mainstay::event::{Fact, Recorded, Then, What};
use mainstay::id::{Actor, TaskId};
use mainstay::policy;
use mainstay::real::store::replay;
use mainstay::task::{Outcome, State, step};
use mainstay::view::View;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn record_is_whole(e: &Evidence<'_>) -> Result<(), String> {
    e.looked.many(e.events.len());
    if let Some(seq) = e.store.verify(1).map_err(|error| error.to_string())? {
        return Err(format!("the chain breaks at event {seq}"));
    }
    let violation = e.events.iter().find(|e| matches!(e.fact, Fact::Violation { .. }));
    if let Some(event) = violation {
        return Err(format!("a violation on record: {:?}", event.fact));
    }
    struct Elsewhere;
    impl mainstay::ports::Storage for Elsewhere {
        fn open(&self) -> Result<rusqlite::Connection, rusqlite::Error> {
            rusqlite::Connection::open_in_memory()
        }
        fn free_bytes(&self) -> Option<u64> {
            None
        }
        fn keep_room(&self) {}
    }
    nothing_needed_removed(e)?;
    let rebuilt =
        replay(e.events.iter().cloned(), &Elsewhere).map_err(|error| format!("it can't be replayed: {error}"))?;
    let except = ["cursors"];
    let (is, should) = (e.store.dump(&except), rebuilt.dump(&except));
    let (is, should) = (is.map_err(|e| e.to_string())?, should.map_err(|e| e.to_string())?);
    match is.lines().zip(should.lines()).find(|(is, should)| is != should) {
        Some((is, should)) => Err(format!("tables are not the sum of the record: {is:?} should be {should:?}")),
        None if is.len() != should.len() => Err("tables are not the sum of the record: rows are missing".into()),
        None => Ok(()),
    }
}

/// What is gone from the record is its beginning, up to some event before the first of any task that has not ended.
fn nothing_needed_removed(e: &Evidence<'_>) -> Result<(), String> {
    if !e.events.iter().map(|event| event.seq).eq(1..=e.store.events()) {
        return Err("events are gone that nobody has seen".into());
    }
    let there = super::all_events(e.store)?;
    let first = there.first().map_or(1, |event| event.seq);
    for (task, events) in by_task(e) {
        let open = !e.state(task)?.0.is_terminal();
        if let Some(event) = events.first().filter(|event| open && event.seq < first) {
            return Err(format!("task {task} has not ended, and its event {} was removed", event.seq));
        }
    }
    Ok(())
}

pub(super) fn one_owner(e: &Evidence<'_>) -> Result<(), String> {
    let mut epoch = 0;
    for event in &e.events {
        e.looked.one();
        let booted = matches!(event.fact, Fact::Booted { .. });
        let follows = if booted { event.epoch == epoch + 1 } else { event.epoch == epoch };
        if !follows {
            return Err(format!("event {} of daemon {} stands among those of daemon {epoch}", event.seq, event.epoch));
        }
        epoch = event.epoch;
    }
    Ok(())
}

/// Events of tasks, in order.
fn by_task<'e>(e: &'e Evidence<'_>) -> BTreeMap<i64, Vec<&'e Recorded>> {
    let mut tasks: BTreeMap<i64, Vec<&Recorded>> = BTreeMap::new();
    for event in &e.events {
        if let Some(TaskId(task)) = event.task {
            tasks.entry(task).or_default().push(event);
        }
    }
    tasks
}

pub(super) fn moves_have_reasons(e: &Evidence<'_>) -> Result<(), String> {
    for (task, events) in by_task(e) {
        let mut state: Option<State> = None;
        // The last try ends it, and leaves no event of its own.
        let (mut starts, tries) = (0, policy::START_TRIES_MAX - 1);
        for event in events {
            if matches!(event.fact, Fact::Claimed { .. }) {
                starts = 0;
            }
            starts += u32::from(matches!(event.fact, Fact::StartFailed { .. }));
            let refuse = |why: &str| Err(format!("task {task}, event {} ({}): {why}", event.seq, event.fact.kind()));
            if matches!(event.fact, Fact::Requested { .. }) {
                state = Some(State::Requested);
                continue;
            }
            let Some(moved) = event.fact.step() else { continue };
            e.looked.one();
            if state != Some(moved.from()) {
                return refuse(&format!("it leaves {}, and the task is {state:?}", moved.from()));
            }
            if step(moved.from(), moved.cause()).map(|legal| legal.to()) != Ok(moved.to()) {
                return refuse(&format!("{} does not lead to {}", moved.from(), moved.to()));
            }
            state = Some(moved.to());
            if matches!(&event.fact, Fact::Ended { outcome: Outcome::NotStarted, end: None, .. }) && starts < tries {
                return refuse(&format!("it was tried {starts} times, and could have been {tries} times"));
            }
            if let Err(why) = reason(e, task, event) {
                return refuse(&why);
            }
        }
        if state.is_some_and(|last| e.state(task).is_ok_and(|(state, _)| state != last)) {
            return Err(format!("task {task} is not in the state of its last move"));
        }
    }
    Ok(())
}

/// Why a task may have moved, by the world. The record's clock may have been set wrong, so what is compared is who and what.
fn reason(e: &Evidence<'_>, task: i64, event: &Recorded) -> Result<(), String> {
    let asked = e.asked.iter().find(|asked| asked.tasks.contains(&task));
    let Some(asked) = asked else { return Ok(()) };
    let by = |presses: &[crate::people::Pressed]| {
        let said = |user: i64| presses.iter().any(|p| p.by.0 == user && p.task.is_none_or(|of| of == task));
        let theirs = matches!(event.actor, Actor::User(user) if said(user));
        if theirs { Ok(()) } else { Err(format!("{} never wanted that", event.actor)) }
    };
    let no_approvals = e.config.kinds.get(&asked.job.kind).is_some_and(|kind| kind.approvals == 0);
    #[expect(clippy::wildcard_enum_match_arm, reason = "only facts that move a task come here")]
    match &event.fact {
        Fact::Approved { .. } if no_approvals && event.actor == Actor::Policy => Ok(()),
        Fact::Approved { .. } => by(&asked.approved),
        Fact::Rejected { .. } => by(&asked.rejected),
        Fact::Resumed { .. } => by(&asked.resumed),
        Fact::Recovered { .. } => by(&asked.recovered),
        // Withdrawn because what was approved does not hold any more: nobody's wish.
        Fact::Stopped { reason, .. } if event.actor == Actor::System && !reason.is_empty() => Ok(()),
        Fact::Stopped { .. } => by(&asked.stopped.into_iter().collect::<Vec<_>>()),
        Fact::Expired { .. } => {
            let life =
                e.config.kinds.get(&asked.job.kind).map_or(0, |kind| kind.approval_ttl_ms.min(kind.queue_ttl_ms));
            let asked_at = asked.at.unwrap_or(0);
            if e.now_ms - asked_at >= life { Ok(()) } else { Err(format!("its {life} ms can't be over")) }
        }
        Fact::Ended { end: Some(end), .. } => {
            let ran = e.ledger.iter().find(|ran| ran.key.task.0 == task && Some(ran.key.attempt) == event.attempt);
            match ran {
                Some(ran) if ran.end.as_ref() == Some(end) => Ok(()),
                Some(ran) => Err(format!("it came to {:?}", ran.end)),
                None if matches!(end, End::NotStarted(_)) => Ok(()),
                None => Err("that attempt never ran".into()),
            }
        }
        _ => Ok(()),
    }
}

pub(super) fn one_effect(e: &Evidence<'_>) -> Result<(), String> {
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    let mut buttons: BTreeSet<&str> = BTreeSet::new();
    let mut messages: BTreeMap<(Option<i64>, Option<i32>), i64> = BTreeMap::new();
    for event in &e.events {
        let once = matches!(event.fact, Fact::Received { .. } | Fact::ButtonUsed { .. });
        e.looked.many(usize::from(once));
        #[expect(clippy::wildcard_enum_match_arm, reason = "these two are the ones that happen once")]
        let again = match &event.fact {
            Fact::Received { key, .. } => !keys.insert(key),
            Fact::ButtonUsed { nonce } => !buttons.insert(nonce),
            _ => false,
        };
        if again {
            return Err(format!("event {} is a second effect of the same: {:?}", event.seq, event.fact));
        }
        if let (Fact::Requested { chat, message: Some(message), rerun_of: None, .. }, Some(TaskId(task))) =
            (&event.fact, event.task)
            && let Some(first) = messages.insert((*chat, Some(*message)), task)
        {
            return Err(format!("one message became tasks {first} and {task}"));
        }
    }
    for (n, asked) in e.asked.iter().enumerate() {
        // A request on the command line is one, however often its client repeats it.
        let asked_for = (asked.messages.len() + usize::from(asked.connection.is_some())).max(1);
        if asked.tasks.len() > asked_for {
            let became = &asked.tasks;
            return Err(format!("job {} was asked for {asked_for} time(s) and became {became:?}", n + 1));
        }
    }
    Ok(())
}

/// What the machine ran and refused is all on record, with how it ended.
pub(super) fn attempts_on_record(e: &Evidence<'_>) -> Result<(), String> {
    let tasks = by_task(e);
    for ran in &e.ledger {
        e.looked.one();
        let of_it = || {
            let events = tasks.get(&ran.key.task.0).into_iter().flatten();
            events.filter(|event| event.attempt == Some(ran.key.attempt))
        };
        let claimed = of_it().any(|event| matches!(&event.fact, Fact::Claimed { nonce, .. } if *nonce == ran.nonce));
        if !claimed {
            return Err(format!("attempt {} ran, and its claim is not on record", ran.key));
        }
        if !of_it().any(|event| matches!(event.fact, Fact::Identified { .. })) {
            return Err(format!("attempt {} ran, and who it was is not on record", ran.key));
        }
        if ran.ended_ms.is_some() && !of_it().any(|event| matches!(event.fact, Fact::Ended { .. })) {
            return Err(format!("attempt {} ended, and that is not on record", ran.key));
        }
    }
    for (task, events) in &tasks {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the others tell of no failure")]
        let mute = events.iter().find(|event| match &event.fact {
            Fact::StartFailed { error, .. } | Fact::SendFailed { error, .. } => error.is_empty(),
            Fact::Ended { step, evidence, .. } => step.to() == State::Failed && evidence.is_empty(),
            _ => false,
        });
        if let Some(event) = mute {
            return Err(format!("task {task}, event {}: {} without why", event.seq, event.fact.kind()));
        }
        let view = e.store.task(TaskId(*task)).map_err(|error| error.to_string())?;
        let attempts = e.ledger.iter().filter(|ran| ran.key.task.0 == *task).map(|ran| ran.key.attempt).max();
        if let (Some(view), Some(ran)) = (view, attempts)
            && view.task.attempt < ran
        {
            return Err(format!("task {task} has {} attempts on record, and {ran} ran", view.task.attempt));
        }
    }
    Ok(())
}

/// The story of each ended task that people know is whole, up to the message that told of its end.
pub(super) fn traces_complete(e: &Evidence<'_>) -> Result<(), String> {
    let refused: BTreeSet<i64> =
        e.events
            .iter()
            .filter_map(|event| {
                if let Fact::SendFailed { id, then: Then::GiveUp, .. } = &event.fact { Some(*id) } else { None }
            })
            .collect();
    let tasks = by_task(e);
    for task in e.asked.iter().flat_map(|asked| &asked.tasks) {
        let Some(view) = e.store.task(TaskId(*task)).map_err(|error| error.to_string())? else { continue };
        let events: Vec<Recorded> = tasks.get(task).into_iter().flatten().map(|event| (*event).clone()).collect();
        if let Some(event) = events.iter().find(|event| event.trace != view.task.trace && event.fact.step().is_some()) {
            return Err(format!("task {task}, event {}: its trace is {:?}", event.seq, event.trace));
        }
        let undeliverable = events
            .iter()
            .any(|ev| matches!(&ev.fact, Fact::Queued { id, what: What::Report(_), .. } if refused.contains(id)));
        if !view.task.state.is_terminal() || undeliverable {
            continue;
        }
        e.looked.one();
        let story = View { events, ..View::default() };
        let now = Moment { wall_ms: e.epoch_ms + e.now_ms, boot_ms: 0, entropy: 0 };
        let said = mainstay::report::trace(e.config, &story, &view, "", now);
        if said.data["complete"] != true {
            return Err(format!("the trace of task {task} is not complete: {}", said.text));
        }
    }
    Ok(())
}

/// Of each task that is not finished, `/why` says what it waits for.
pub(super) fn why_explains(e: &Evidence<'_>) -> Result<(), String> {
    let mode = e.store.view().map_err(|error| error.to_string())?.mode();
    for task in e.asked.iter().flat_map(|asked| asked.tasks.iter().copied()) {
        let Some(view) = e.store.task(TaskId(task)).map_err(|error| error.to_string())? else { continue };
        let now = Moment { wall_ms: e.epoch_ms + e.now_ms, boot_ms: 0, entropy: 0 };
        let said = mainstay::report::why(e.config, mode, &view, now, false);
        let wanted: &[&str] = match view.task.state {
            State::Requested => &["/approve", "/plan", "/review"],
            State::Approved => &["/resume"],
            State::Queued => &["slot", "another try", "waits for"],
            State::Running => &["running for", "RUNNING", "started", "stopped", "time limit"],
            State::Succeeded | State::Failed | State::Canceled | State::Expired => continue,
        };
        e.looked.one();
        if !wanted.iter().any(|words| said.contains(words)) || !said.contains(&format!("#{task}")) {
            return Err(format!("task {task} is {}, and of why it says {said:?}", view.task.state));
        }
    }
    Ok(())
}
