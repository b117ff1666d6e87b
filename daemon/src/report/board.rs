//! What waits for whom: first what is the asker's own, then what they can give a yes to, then what runs, then the rest.

use super::{short, span, task_row_data, who};
use crate::command::Role;
use crate::config::Config;
use crate::decide::gate::{Gate, content_hash, gates, may_be_another, valid_approvals};
use crate::decide::{Moment, Said};
use crate::id::Actor;
use crate::policy;
use crate::task::State;
use crate::view::{TaskRow, TaskView, View};
use serde_json::{Value, json};

/// The states of open tasks, with what they are called in the first line.
const OPEN: [(State, &str); 4] = [
    (State::Requested, "to approve"),
    (State::Approved, "to resume"),
    (State::Running, "running"),
    (State::Queued, "queued"),
];

/// Names of who could give what a task waits for; more are counted.
const NAMED: usize = 2;

/// A line of the board. Lesser ranks stand first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Own,
    WaitsForAsker,
    Running,
    Other,
}

/// The answer to `/board`, as `asker` sees it.
pub fn board(config: &Config, asker: Actor, view: &View, now: Moment) -> Said {
    let asker = config.person(asker);
    let mut lines: Vec<(Rank, bool, String)> =
        view.tasks.iter().map(|task| line(config, asker, view, task, now)).collect();
    // Within a rank first what the asker can move on, then by state and newest first, as loaded.
    lines.sort_by_key(|(rank, is_askers, _)| (*rank, !is_askers));

    let count = |state: State| view.by_state.get(state.name()).copied().unwrap_or(0);
    let counts = OPEN.into_iter().filter(|(state, _)| count(*state) > 0);
    let head = std::iter::once(format!("mode {}", view.mode().name()))
        .chain(counts.map(|(state, what)| format!("{} {what}", count(state))));
    let mut text = head.collect::<Vec<_>>().join(" · ");
    let all: i64 = OPEN.into_iter().map(|(state, _)| count(state)).sum();
    let room = policy::ANSWER_LINES_MAX - 1;
    let shown = if all > i64::try_from(room).unwrap_or(i64::MAX) { room - 1 } else { room };
    for (_, _, line) in lines.iter().take(shown) {
        text += &format!("\n{line}");
    }
    match all - i64::try_from(lines.len().min(shown)).unwrap_or(0) {
        more @ 1.. => {
            let most = OPEN.into_iter().map(|(state, _)| state).max_by_key(|state| count(*state));
            let most = most.map_or_else(String::new, |state| state.name().to_lowercase());
            text += &format!("\nand {more} more (/list {} {most})", policy::LISTED_MAX);
        }
        _ if all == 0 => text += "\nnothing waits, nothing runs",
        _ => {}
    }

    let mut data = json!({ "mode": view.mode() });
    for (state, _) in OPEN {
        let these = view.tasks.iter().filter(|t| t.state == state);
        data[state.name()] = these.map(task_row_data).collect::<Value>();
    }
    Said::yes(text, data)
}

fn line(config: &Config, asker: Actor, view: &View, task: &TaskRow, now: Moment) -> (Rank, bool, String) {
    let waits = view.waiting.iter().find(|waiting| waiting.task.id == task.id);
    let (what, is_askers) = match (task.state, waits) {
        (State::Requested | State::Approved, Some(waiting)) => needs(config, asker, view, waiting, now),
        (State::Running, _) => ("runs".to_owned(), false),
        (_, _) => ("waits for a slot".to_owned(), false),
    };
    let rank = if config.person(task.requester) == asker {
        Rank::Own
    } else if is_askers {
        Rank::WaitsForAsker
    } else if task.state == State::Running {
        Rank::Running
    } else {
        Rank::Other
    };
    let by = who(config, task.requester);
    let age = span(now.wall_ms - task.created_ms);
    let prompt = short(&task.prompt, 40);
    let about = if prompt.is_empty() { String::new() } else { format!(" · {prompt}") };
    (rank, is_askers, format!("#{} {} {what} · {by}, {age} ago{about}", task.id, task.kind))
}

/// What a task waits for that waits for people, and whether the asker can give it.
fn needs(config: &Config, asker: Actor, view: &View, task: &TaskView, now: Moment) -> (String, bool) {
    let id = task.task.id;
    let may = |role: Role| config.may(asker, role);
    match gates(config, view.mode(), task, now).first() {
        None if may(Role::Operator) => (format!("waits for your /resume {id}"), true),
        None => ("waits for its resume".to_owned(), false),
        Some(Gate::Plan) if may(Role::Operator) => (format!("waits for your /plan {id}"), true),
        Some(Gate::Plan) => ("waits for a plan".to_owned(), false),
        Some(Gate::Review) => yes(config, asker, task, now, "review"),
        Some(Gate::Approvals { .. }) => yes(config, asker, task, now, "approve"),
        Some(gate @ (Gate::KindGone | Gate::DeniedWord(_) | Gate::Readonly)) => {
            (format!("waits for {}", gate.text(&task.task)), false)
        }
    }
}

/// Whose yes a task waits for: the asker's, if it would count, or whose it would be.
fn yes(config: &Config, asker: Actor, task: &TaskView, now: Moment, command: &str) -> (String, bool) {
    let id = task.task.id;
    let Some(kind) = config.kinds.get(&task.task.kind) else { return (String::new(), false) };
    let hash = content_hash(config, &task.task);
    let given = valid_approvals(config, kind, task, &hash, now);
    let counts = |actor: Actor| {
        config.may(actor, Role::Approver)
            && may_be_another(config, kind, &task.task, actor)
            && (command == "review" || given.iter().all(|a| a.approver != actor))
    };
    if counts(asker) {
        return (format!("waits for your /{command} {id}"), true);
    }
    let others: Vec<String> = config
        .operators
        .keys()
        .filter(|id| counts(Actor::User(**id)))
        .map(|id| who(config, Actor::User(*id)))
        .collect();
    let whose = match others.len() {
        0 => format!("a /{command} that nobody else may give"),
        1..=NAMED => format!("/{command} by {}", others.join(" or ")),
        n => format!("/{command} by one of {n} approvers"),
    };
    (format!("waits for {whose}"), false)
}
