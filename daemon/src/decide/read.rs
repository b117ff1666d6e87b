//! Questions: answered from what was loaded, changing nothing.

use super::order::Asker;
use super::{Draft, Said};
use crate::command::{COMMANDS, Command, Role, Syntax};
use crate::id::{Actor, AttemptKey, TaskId};
use crate::plan::Effect;
use crate::policy;
use crate::report;
use crate::task::State;
use crate::view::{TaskView, View};
use serde_json::json;

/// Answers a question. None: the answer comes later (it needs an effect first).
pub fn read(draft: &mut Draft<'_>, asker: Asker, command: &Command) -> Option<Said> {
    let (view, now, config) = (draft.view, draft.now, draft.config);
    let task = view.task.as_ref();
    Some(match (command, task) {
        (Command::Start, _) => start(draft, asker),
        (Command::Help { command }, _) => help(draft, asker, command.as_deref()),
        (Command::Whoami, _) => whoami(draft, asker),
        (Command::Kinds, _) => kinds(draft),
        (Command::Status { .. }, Some(task)) => {
            let said = report::status(config, view.mode(), task, now);
            let file = format!("task-{}.txt", task.task.id);
            let data = report::task_data(task, now);
            Said { ok: true, text: said.text, pre: said.pre, file, data, ..Said::default() }
        }
        (Command::Why { .. }, Some(task)) => {
            let text = why(draft, task);
            Said::yes(text.clone(), json!({ "task_id": task.task.id, "state": task.task.state, "why": text }))
        }
        (Command::List { .. }, _) => report::list(config, &view.tasks, now),
        (Command::Board, _) => report::board(config, asker.actor, view, now),
        (Command::Trace { of }, _) => match task {
            Some(task) => {
                let mut said = report::trace(config, view, task, &why(draft, task), now);
                if let Some(line) = report::beginning_removed(&view.events, view.removed.as_ref()) {
                    said.text = format!("{}\n{line}", said.text);
                    said.data["removed"] = report::removed_data(view.removed.as_ref());
                }
                said
            }
            None => Said::no(match of.parse::<TaskId>() {
                Ok(TaskId(id)) => no_task(view, id),
                Err(_) => {
                    let shown: String = of.chars().take(40).collect();
                    format!("nothing is on record for {shown:?}: say a task's number, or its trace as /status shows it")
                }
            }),
        },
        (Command::Ops, _) => report::ops(config, view, now),
        (Command::Inbox, _) => report::inbox(config, view, now),
        (Command::Log { lines, .. }, Some(task)) => {
            if task.task.attempt == 0 {
                return Some(Said::yes(format!("#{} has not run yet", task.task.id), json!({ "log": "" })));
            }
            let key = AttemptKey { task: task.task.id, attempt: task.task.attempt };
            draft.effect(Effect::ReadLog { key, lines: *lines, to: asker.to });
            return None;
        }
        (Command::Mode { .. }, _) => Said::yes(format!("mode {}", view.mode().name()), json!({ "mode": view.mode() })),
        (
            Command::Status { .. }
            | Command::Why { .. }
            | Command::Log { .. }
            | Command::NewTask { .. }
            | Command::Approve { .. }
            | Command::Reject { .. }
            | Command::Plan { .. }
            | Command::Review { .. }
            | Command::Resume { .. }
            | Command::Stop { .. }
            | Command::Recover { .. }
            | Command::Rerun { .. }
            | Command::Drain
            | Command::Undrain
            | Command::Backup { .. }
            | Command::Release { .. },
            _,
        ) => Said::no("that is no question"),
    })
}

/// What a task waits for.
fn why(draft: &Draft<'_>, task: &TaskView) -> String {
    let view = draft.view;
    let queued = task.task.state == State::Queued;
    match &view.shortage {
        _ if queued && view.draining => {
            format!("#{} waits because the daemon is draining: /undrain, or its next start", task.task.id)
        }
        Some(error) if queued => format!(
            "#{} is QUEUED and waits because nothing can be started ({}): one attempt is tried every {} s",
            task.task.id,
            report::short(error, 200),
            policy::START_RETRY_MS / 1_000
        ),
        Some(_) | None => report::why(draft.config, view.mode(), task, draft.now, view.running_full),
    }
}

/// What is said of a task that nobody asked for. Tasks are numbered from one, so the newest is the nearest.
pub fn no_task(view: &View, id: i64) -> String {
    match view.next_task - 1 {
        newest @ 1.. => format!("there is no task {id}: the newest is {newest} (/list)"),
        _ => format!("there is no task {id}: nobody has asked for one yet"),
    }
}

fn allowed(draft: &Draft<'_>, asker: Asker) -> impl Iterator<Item = &'static Syntax> {
    let config = draft.config;
    COMMANDS.iter().filter(move |s| config.may(asker.actor, s.role))
}

fn start(draft: &Draft<'_>, asker: Asker) -> Said {
    let kinds: Vec<&str> = draft.config.kinds.keys().map(String::as_str).collect();
    let name = report::who(draft.config, asker.actor);
    let mut text = format!("Mainstay runs tasks on this machine. You are {name}.");
    if draft.config.may(asker.actor, Role::Operator) {
        text += &format!("\nAsk: /newtask <kind> <prompt>. Kinds: {}.", kinds.join(", "));
    }
    text += "\nWhat you may do: /help. What waits for you: /board. Is all well: /ops";
    Said::yes(text, json!({ "kinds": kinds }))
}

/// What commands are for, as `/help` has them.
const SUBJECTS: [&str; 5] = ["ask and run", "decide", "set", "look at one task", "look around"];

/// For all but questions it is the role that they need. Whoever reads `/help` has found it, and `/start`.
fn subject_of(syntax: &Syntax) -> Option<&'static str> {
    let [ask, decide, set, one, around] = SUBJECTS;
    match syntax.role {
        Role::Operator => Some(ask),
        Role::Approver => Some(decide),
        Role::Admin => Some(set),
        Role::Viewer if syntax.needs_task() => Some(one),
        Role::Viewer => Some(around).filter(|_| !["start", "help"].contains(&syntax.name)),
    }
}

fn help(draft: &Draft<'_>, asker: Asker, command: Option<&str>) -> Said {
    if let Some(name) = command {
        return match COMMANDS.iter().find(|s| s.name == name) {
            Some(s) => help_on(draft, asker, s),
            None => {
                let near = crate::command::nearest(name, COMMANDS.iter().map(|s| s.name));
                let hint = near.map_or_else(|| "/help lists them".into(), |near| format!("did you mean /{near}?"));
                Said::no(format!("there is no /{}: {hint}", name.chars().take(40).collect::<String>()))
            }
        };
    }
    let mut lines = vec![format!("{}, you may:", report::who(draft.config, asker.actor))];
    for subject in SUBJECTS {
        let about_it = allowed(draft, asker).filter(|s| subject_of(s) == Some(subject));
        let names: Vec<String> = about_it.map(|s| format!("/{}", s.name)).collect();
        if !names.is_empty() {
            lines.push(format!("{subject}: {}", names.join(" ")));
        }
    }
    // Of what they may do, the command that takes most words.
    let may = |role: Role| draft.config.may(asker.actor, role);
    let example = if may(Role::Operator) {
        "newtask"
    } else if may(Role::Approver) {
        "review"
    } else {
        "log"
    };
    lines.push(format!("/help {example} tells what to write, with an example"));
    let names: Vec<&str> = allowed(draft, asker).map(|s| s.name).collect();
    Said::yes(lines.join("\n"), json!({ "commands": names }))
}

/// Help on one command: how it is written, who may, and an example that can be said here.
fn help_on(draft: &Draft<'_>, asker: Asker, syntax: &Syntax) -> Said {
    let config = draft.config;
    let usage = syntax.usage();
    let role = syntax.role.name();
    let may = match (syntax.role, config.may(asker.actor, syntax.role)) {
        (Role::Viewer, _) => String::new(),
        (_, true) => format!(" (role {role})"),
        (_, false) => format!(" (needs the role {role}, which you do not have)"),
    };
    let mut text = format!("/{usage}\n{}{may}", syntax.about);
    for arg in syntax.args {
        text += &format!("\n  {}: {}", arg.name, arg.text());
    }
    let takes_kind = syntax.args.first().is_some_and(|arg| arg.name == "kind");
    let mut example = syntax.example.to_owned();
    if takes_kind && let Some(kind) = config.kinds.keys().next() {
        let kinds: Vec<&str> = config.kinds.keys().map(String::as_str).collect();
        text += &format!("\nkinds: {}", kinds.join(", "));
        let (named, rest) = example.split_once(' ').unwrap_or((&example, ""));
        if !config.kinds.contains_key(named) {
            example = format!("{kind} {rest}");
        }
    }
    if !example.is_empty() {
        text += &format!("\nexample: /{} {example}", syntax.name);
    }
    Said::yes(text, json!({ "usage": usage, "about": syntax.about, "role": syntax.role }))
}

fn whoami(draft: &Draft<'_>, asker: Asker) -> Said {
    let roles: Vec<&str> = match asker.actor {
        Actor::User(id) => {
            draft.config.operators.get(&id).map(|o| o.roles.iter().map(|r| r.name()).collect()).unwrap_or_default()
        }
        Actor::Local(_) => vec!["admin"],
        Actor::Policy | Actor::System => Vec::new(),
    };
    let name = report::who(draft.config, asker.actor);
    Said::yes(
        format!("{name} ({}), roles: {}", asker.actor, roles.join(", ")),
        json!({ "name": name, "id": asker.actor, "roles": roles }),
    )
}

fn kinds(draft: &Draft<'_>) -> Said {
    let mut lines = Vec::new();
    let mut data = Vec::new();
    for kind in draft.config.kinds.values() {
        let weight = if kind.heavy { "heavy" } else { "light" };
        let mut needs = vec![format!("{} approval{}", kind.approvals, if kind.approvals == 1 { "" } else { "s" })];
        if kind.requires_plan {
            needs.push("a plan".into());
        }
        if kind.requires_review {
            needs.push("a review".into());
        }
        lines.push(format!(
            "{} ({weight}, needs {}, at most {}){}{}",
            kind.name,
            needs.join(", "),
            report::span(kind.timeout_ms),
            if kind.about.is_empty() { "" } else { ": " },
            kind.about
        ));
        data.push(json!({
            "name": kind.name, "about": kind.about, "heavy": kind.heavy, "approvals": kind.approvals,
            "requires_plan": kind.requires_plan, "requires_review": kind.requires_review,
            "timeout_ms": kind.timeout_ms, "max_attempts": kind.max_attempts, "idempotent": kind.idempotent,
        }));
    }
    if lines.len() > policy::ANSWER_LINES_MAX {
        let more: Vec<&str> =
            draft.config.kinds.keys().skip(policy::ANSWER_LINES_MAX - 1).map(String::as_str).collect();
        lines.truncate(policy::ANSWER_LINES_MAX - 1);
        lines.push(format!("and {} more: {}", more.len(), more.join(", ")));
    }
    Said::yes(lines.join("\n"), serde_json::Value::from(data))
}
