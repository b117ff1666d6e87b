//! Questions: answered from what was loaded, changing nothing.

use super::order::Asker;
use super::{Draft, Said};
use crate::command::{COMMANDS, Command, Syntax};
use crate::id::{Actor, AttemptKey};
use crate::plan::Effect;
use crate::policy;
use crate::report::{self, Text};
use crate::task::State;
use crate::view::TaskView;
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
            Said { ok: true, text: said.text, pre: said.pre, buttons: Vec::new(), data: report::task_data(task, now) }
        }
        (Command::Why { .. }, Some(task)) => {
            let text = why(draft, task);
            Said::yes(text.clone(), json!({ "task_id": task.task.id, "state": task.task.state, "why": text }))
        }
        (Command::List { .. }, _) => report::list(config, &view.tasks, now),
        (Command::Board, _) => report::board(config, view.mode(), &view.tasks, now),
        (Command::Trace { of }, _) => match task {
            Some(task) => {
                let mut said = report::trace(config, view, task, &why(draft, task), now);
                if let Some(line) = report::beginning_removed(&view.events, view.removed.as_ref()) {
                    said.text = format!("{}\n{line}", said.text);
                    said.data["removed"] = report::removed_data(view.removed.as_ref());
                }
                said
            }
            None => Said::no(format!("nothing is on record for {:?}", of.chars().take(40).collect::<String>())),
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
            | Command::Backup { .. },
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

fn allowed(draft: &Draft<'_>, asker: Asker) -> impl Iterator<Item = &'static Syntax> {
    let config = draft.config;
    COMMANDS.iter().filter(move |s| config.may(asker.actor, s.role))
}

fn start(draft: &Draft<'_>, asker: Asker) -> Said {
    let kinds: Vec<&str> = draft.config.kinds.keys().map(String::as_str).collect();
    Said::yes(
        format!(
            "Mainstay runs tasks on this machine. You are {}.\nAsk: /newtask <kind> <prompt>. Kinds: {}.\nWhat you may do: /help. Is all well: /ops",
            report::who(draft.config, asker.actor),
            kinds.join(", ")
        ),
        json!({ "kinds": kinds }),
    )
}

fn help(draft: &Draft<'_>, asker: Asker, command: Option<&str>) -> Said {
    if let Some(name) = command {
        return match COMMANDS.iter().find(|s| s.name == name) {
            Some(s) => {
                let mut text = format!("/{}\n{} (role {})", s.usage(), s.about, s.role.name());
                for arg in s.args {
                    text += &format!("\n  {}: {}", arg.name, arg.text());
                }
                if !s.example.is_empty() {
                    text += &format!("\nexample: /{} {}", s.name, s.example);
                }
                Said::yes(text, json!({ "usage": s.usage(), "about": s.about, "role": s.role }))
            }
            None => {
                let near = crate::command::nearest(name, COMMANDS.iter().map(|s| s.name));
                let hint = near.map_or_else(|| "/help lists them".into(), |near| format!("did you mean /{near}?"));
                Said::no(format!("there is no /{}: {hint}", name.chars().take(40).collect::<String>()))
            }
        };
    }
    let rows: Vec<String> = allowed(draft, asker).map(|s| format!("/{} - {}", s.usage(), s.about)).collect();
    let names: Vec<&str> = allowed(draft, asker).map(|s| s.name).collect();
    Said::yes(rows.join("\n"), json!({ "commands": names }))
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
    let mut text = Text::default();
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
        text.line(&format!(
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
    Said::yes(text.text, serde_json::Value::from(data))
}
