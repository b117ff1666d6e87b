//! Tasks: where each stands at the end, whether that is where the oracle has it, whether its story is whole, and what it took
//! of people.

use super::execution::{is_tried_again, timed_out};
use super::gap;
use super::oracle::gates::Where;
use super::oracle::{Act, Life, Lives};
use crate::property::Evidence;
use crate::world::World;
use crate::world::machine::Ran;
use crate::world::script::Script;
use mainstay::attempt::End;
use mainstay::task::{Outcome, State};
use mainstay_metric::ledger::{Line, Task};

/// What people do to a task to bring it on its way, or off it.
const ACTS: [&str; 7] = ["approve", "resume", "plan", "review", "reject", "stop", "recover"];

/// A line a task that somebody knows.
pub(super) fn lines(e: &Evidence<'_>, world: &World, lives: &Lives) -> Vec<Line> {
    let sent = gap::reports(world);
    lives.tasks.iter().map(|(task, life)| Line::Task(one(e, *task, life, lives, &sent))).collect()
}

fn one(e: &Evidence<'_>, task: i64, life: &Life, lives: &Lives, sent: &gap::Reports) -> Task {
    let runs: Vec<&Ran> = e.ledger.iter().filter(|ran| ran.key.task.0 == task).collect();
    let acts: Vec<&Act> = life.acts.iter().filter(|act| ACTS.contains(&act.verb)).collect();
    let last = |verb: &str| acts.iter().rev().find(|act| act.verb == verb && act.done).map(|act| act.at);
    let began = runs.first().map(|ran| ran.began_ms);
    let resumes = || acts.iter().filter(|act| act.verb == "resume");
    // Of those that nobody answered, the last before it ran is the one that let it.
    let unanswered = || resumes().rfind(|act| began.is_some_and(|at| act.at <= at));
    let first_resume = resumes().find(|act| act.done).or_else(unanswered).map(|act| act.at);
    let approved_ms = acts
        .iter()
        .filter(|act| act.verb == "approve" && act.done && first_resume.is_none_or(|at| act.at <= at))
        .map(|act| act.at)
        .next_back();
    let (state, outcome, wrong) = match e.state(task) {
        Ok((state, outcome)) => (state.to_string(), outcome, wrong(e, task, life, lives, state, outcome, &runs)),
        Err(error) => ("NOWHERE".to_owned(), None, Some(error)),
    };
    Task {
        task,
        kind: life.kind.name.clone(),
        heavy: life.kind.heavy,
        admitted: last("resume").is_some() || !runs.is_empty(),
        could_succeed: could_succeed(e, life, lives, &runs),
        state,
        outcome: outcome.map(|outcome| outcome.name().to_owned()),
        wrong,
        gap: gap::of(e, task, life, &runs, sent),
        acts: u32::try_from(acts.len()).unwrap_or(u32::MAX),
        least_acts: least_acts(life, &acts),
        approved_ms,
        resumed_ms: first_resume,
        running_ms: began,
        // Taken back from its end it has more than one way, of which these would be mixed.
        withdrawn_ms: last("stop").max(last("reject")).filter(|_| began.is_none() && last("recover").is_none()),
    }
}

/// Why it is not where the oracle has it.
fn wrong(
    e: &Evidence<'_>,
    task: i64,
    life: &Life,
    lives: &Lives,
    state: State,
    outcome: Option<Outcome>,
    runs: &[&Ran],
) -> Option<String> {
    let places = life.places(e, task, &lives.struck, (e.now_ms, e.now_ms));
    let fits = |place: &Where| match place {
        Where::Requested => state == State::Requested,
        Where::Approved => state == State::Approved,
        Where::Active => matches!(state, State::Queued | State::Running),
        Where::Over(over) => state == *over,
    };
    if !places.iter().any(fits) {
        return Some(format!("it is {state}, and by what people wanted and the machine ran it is {places:?}"));
    }
    let expected: &[Outcome] = match (state, runs.last()) {
        (State::Succeeded, _) => &[Outcome::Success],
        (State::Failed, Some(last)) if timed_out(&life.kind, last) => &[Outcome::Timeout],
        (State::Failed, Some(last)) if last.end.is_none() => &[Outcome::Unknown],
        // A try after it may have been lost before its program began.
        (State::Failed, Some(last)) if is_tried_again(&life.kind, last) => &[Outcome::Failure, Outcome::Unknown],
        (State::Failed, Some(_)) => &[Outcome::Failure],
        (State::Failed, None) => &[Outcome::Unknown, Outcome::NotStarted],
        (State::Canceled, _) => &[Outcome::Stopped, Outcome::Rejected],
        (State::Expired, _) => &[Outcome::Expired],
        (State::Requested | State::Approved | State::Queued | State::Running, _) => return None,
    };
    let right = outcome.is_some_and(|outcome| expected.contains(&outcome));
    (!right)
        .then(|| format!("it is {state} {outcome:?}, and its last attempt came to {:?}", runs.last().map(|r| &r.end)))
}

/// By what its worker does, what people wanted, and what struck the machine while it ran.
fn could_succeed(e: &Evidence<'_>, life: &Life, lives: &Lives, runs: &[&Ran]) -> bool {
    let unwanted = life.acts.iter().any(|act| ["stop", "reject"].contains(&act.verb));
    let Some(asked) = e.asked.get(life.job).filter(|_| !unwanted) else { return false };
    let struck = |ran: &&&Ran| {
        let while_it_ran = |at: &&i64| (ran.began_ms..=ran.ended_ms.unwrap_or(e.now_ms)).contains(*at);
        ran.end.is_none() && lives.struck.iter().any(|at| while_it_ran(&at))
    };
    let lost = u32::try_from(runs.iter().filter(struck).count()).unwrap_or(u32::MAX);
    if lost > 0 && !life.kind.idempotent {
        return false;
    }
    // What was lost used up a try.
    let tries = life.kind.max_attempts.saturating_sub(lost);
    let mut attempt = 1;
    while attempt <= tries {
        let script = Script::read(&asked.job.does, attempt);
        let Some((after, end)) = script.end.clone().filter(|(after, _)| *after < life.kind.timeout_ms) else {
            return false;
        };
        if end == End::Exited(0) {
            return script.has_effect(&end);
        }
        let key = mainstay::id::AttemptKey { task: mainstay::id::TaskId(0), attempt };
        let ran = Ran {
            key,
            nonce: String::new(),
            prompt: String::new(),
            began_ms: 0,
            ended_ms: Some(after),
            end: Some(end),
            effects: 0,
        };
        if !is_tried_again(&life.kind, &ran) {
            return false;
        }
        attempt += 1;
    }
    false
}

/// So many acts what people wanted takes at least: the way that the kind's policy has, a plan that somebody changed with the
/// approvals and reviews that it voided, and one more for who ends it. To take something back from its end is no part of any way.
fn least_acts(life: &Life, acts: &[&Act]) -> u32 {
    let kind = &life.kind;
    let way = kind.approvals + 1 + u32::from(kind.requires_plan) + u32::from(kind.requires_review);
    let way = way + spent_on_plans(acts, kind.requires_plan);
    let end = acts.iter().position(|act| ["stop", "reject"].contains(&act.verb) && act.done);
    match end {
        Some(before) => way.min(u32::try_from(before).unwrap_or(u32::MAX)) + 1,
        None => way,
    }
}

/// Plans beyond the one that is wanted, each with what had been said to the plan before it.
fn spent_on_plans(acts: &[&Act], one_is_wanted: bool) -> u32 {
    let (mut plans, mut given, mut voided) = (0, 0, 0);
    for act in acts.iter().filter(|act| act.done) {
        match act.verb {
            "plan" => (plans, voided, given) = (plans + 1, voided + given, 0),
            "approve" | "review" => given += 1,
            _ => {}
        }
    }
    u32::saturating_sub(plans, u32::from(one_is_wanted)) + voided
}
