//! Commands, wherever they come from: the same handler for chat, buttons and the local socket.

use super::{Draft, Moment, Said, approval, attempt, gate, read};
use crate::command::{BackupResult, Command, Mode, ReleaseNews, Role, parse_argv};
use crate::event::{Again, Event, Fact};
use crate::id::{Actor, AttemptKey, TaskId};
use crate::input::ReplyTo;
use crate::plan::Effect;
use crate::policy;
use crate::ports::LocalRequest;
use crate::report;
use crate::task::{Cause, Outcome, Refused, State, step};
use crate::view::{TaskRow, TaskView};
use serde_json::json;

/// Who asks, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Named in events and approvals.
    pub actor: Actor,
    /// Where answers go.
    pub to: ReplyTo,
}

impl Asker {
    /// Where a task that they ask for reports to: chat, topic, message.
    fn origin(&self, draft: &Draft<'_>) -> (Option<i64>, Option<i32>, Option<i32>) {
        match self.to {
            ReplyTo::Chat { chat, thread, message } => (Some(chat), thread, message),
            ReplyTo::Local { .. } => {
                let configured = draft.config.telegram.as_ref().and_then(|t| t.report_chat);
                (draft.view.report_chat_now.or(configured), None, None)
            }
        }
    }
}

/// A request on the local socket. A change is taken up once per key, however often it is asked.
pub fn local(draft: &mut Draft<'_>, request: &LocalRequest) {
    let actor = draft.config.person(Actor::Local(request.uid));
    let asker = Asker { actor, to: ReplyTo::Local { connection: request.connection } };
    draft.trace(format!("cli-{}", request.key));
    let said = match parse_argv(&request.argv) {
        Err(error) => Said::no(error.text),
        Ok(command) if command.is_read() => match carry_out(draft, asker, &command) {
            Some(said) => said,
            None => return,
        },
        Ok(command) => {
            let key = request.natural_key();
            if let Some(task) = draft.view.seen {
                let again = Again::Delivery;
                draft.record_about(task, asker.actor, Fact::Replayed { again, key, update: None, why: String::new() });
                Said::yes(
                    match task {
                        Some(task) => format!("this request was already taken up: see task {task}"),
                        None => "this request was already taken up".into(),
                    },
                    json!({ "task_id": task, "replayed": true }),
                )
            } else {
                let named = Named { key, update: None, chat: None };
                let said = if request.from_task {
                    received(draft, asker.actor, named, &command, draft.plan.events.len());
                    let why = "this came from inside a task: a task may ask, but changes nothing here";
                    let task = draft.view.task.clone();
                    Some(refuse(draft, asker, &command, task.as_ref(), why, false))
                } else if let Some(why) = no_room(draft, &command) {
                    // Not on record: that would take room, and the same request may come again.
                    Some(Said::no(why))
                } else {
                    take_up(draft, asker, named, &command)
                };
                match said {
                    Some(said) => said,
                    None => return,
                }
            }
        }
    };
    draft.reply(asker.to, said);
}

/// By which a command is recognised, and where it came from.
pub struct Named {
    /// Its natural key.
    pub key: String,
    /// The update's id, for updates.
    pub update: Option<i64>,
    /// The chat, for updates.
    pub chat: Option<i64>,
}

/// Carries a command out, with the fact that it was taken up before everything that came of it.
pub fn take_up(draft: &mut Draft<'_>, asker: Asker, named: Named, command: &Command) -> Option<Said> {
    let at = draft.plan.events.len();
    draft.named = (named.key.clone(), named.update);
    let said = carry_out(draft, asker, command);
    received(draft, asker.actor, named, command, at);
    said
}

/// Puts on record, before event `at` of the plan, that a command was taken up; with the task it led to.
pub fn received(draft: &mut Draft<'_>, actor: Actor, named: Named, command: &Command, at: usize) {
    let made = draft.plan.events[at..].iter().find(|e| matches!(e.fact, Fact::Requested { .. }));
    let task = if matches!(command, Command::NewTask { .. }) {
        made.and_then(|e| e.task)
    } else {
        command.task().filter(|_| draft.view.task.is_some())
    };
    let Named { key, update, chat } = named;
    let fact = Fact::Received { key, update, chat, command: command.name().to_owned() };
    let trace = draft.current_trace();
    draft.plan.events.insert(at, Event { trace, task, attempt: None, actor, fact });
}

/// Carries a command out, or refuses it. None: the answer comes later (it needs an effect first).
pub fn carry_out(draft: &mut Draft<'_>, asker: Asker, command: &Command) -> Option<Said> {
    let needed = if command.is_read() { Role::Viewer } else { command.syntax().role };
    if !draft.config.may(asker.actor, needed) {
        let why = format!("/{} needs the role {}: ask an admin (/whoami shows yours)", command.name(), needed.name());
        return Some(refuse(draft, asker, command, None, &why, false));
    }
    if command.task().is_some() && draft.view.task.is_none() {
        let id = command.task().map_or(0, |t| t.0);
        let why = read::no_task(draft.view, id);
        return Some(if command.is_read() { Said::no(why) } else { refuse(draft, asker, command, None, &why, false) });
    }
    if let Some(why) = no_room(draft, command) {
        return Some(refuse(draft, asker, command, None, &why, false));
    }
    let task = draft.view.task.clone();
    if let Command::NewTask { kind, prompt } = command {
        return Some(new_task(draft, asker, command, kind, prompt, None));
    }
    if command.is_read() {
        return read::read(draft, asker, command);
    }
    match (command, task) {
        (Command::Mode { to: Some(mode) }, _) => Some(set_mode(draft, asker, *mode)),
        (Command::Drain, _) => Some(drain(draft, asker, command, true)),
        (Command::Undrain, _) => Some(drain(draft, asker, command, false)),
        (Command::Backup { result }, _) => Some(backed_up(draft, asker, result)),
        (Command::Release { news }, _) => Some(released(draft, asker, news)),
        (command, Some(task)) => Some(on_task(draft, asker, command, &task)),
        (command, None) => Some(refuse(draft, asker, command, None, "that needs a task", false)),
    }
}

/// Why a command that asks for more is not taken up on a full disk.
fn no_room(draft: &Draft<'_>, command: &Command) -> Option<String> {
    let free = draft.view.free_bytes.filter(|free| command.asks_for_more() && *free < policy::DISK_FULL_BYTES)?;
    Some(format!(
        "the disk is full ({} MiB left); nothing was done: make room (/stop what fills it), then ask again",
        free >> 20
    ))
}

fn on_task(draft: &mut Draft<'_>, asker: Asker, command: &Command, task: &TaskView) -> Said {
    match command {
        Command::Approve { note, .. } => approval::approve(draft, asker, command, task, note),
        Command::Reject { reason, .. } => approval::reject(draft, asker, command, task, reason),
        Command::Plan { text, .. } => approval::plan(draft, asker, command, task, text),
        Command::Review { pass, code, notes, .. } => {
            approval::review(draft, asker, command, task, *pass, code.as_ref(), notes)
        }
        Command::Resume { .. } => resume(draft, asker, command, task),
        Command::Stop { .. } => stop(draft, asker, command, task),
        Command::Recover { .. } => recover(draft, asker, command, task),
        Command::Rerun { copies, .. } => rerun(draft, asker, command, task, *copies),
        Command::Start
        | Command::Help { .. }
        | Command::Whoami
        | Command::Kinds
        | Command::NewTask { .. }
        | Command::Status { .. }
        | Command::List { .. }
        | Command::Why { .. }
        | Command::Trace { .. }
        | Command::Log { .. }
        | Command::Board
        | Command::Ops
        | Command::Inbox
        | Command::Mode { .. }
        | Command::Drain
        | Command::Undrain
        | Command::Backup { .. }
        | Command::Release { .. } => Said::no("that is answered elsewhere"),
    }
}

/// Says no, on record: also in the story of the task that the command was about, whatever the reason (`task` is for the
/// answer). Asking for what is so already (`already`) is no failure of the one who asks: it is a replay.
pub fn refuse(
    draft: &mut Draft<'_>,
    asker: Asker,
    command: &Command,
    task: Option<&TaskView>,
    why: &str,
    already: bool,
) -> Said {
    let why = why.to_owned();
    let fact = if already {
        let (key, update) = draft.named.clone();
        Fact::Replayed { again: Again::Wish, key, update, why: why.clone() }
    } else {
        Fact::Refused { command: command.name().to_owned(), why: why.clone(), already: false }
    };
    let about = draft.view.task.as_ref().map(|t| t.task.id);
    draft.record_about(about, asker.actor, fact);
    let mut said = Said::no(why.clone());
    if let Some(task) = task {
        said.data = report::task_data(task, draft.now);
        said.data["error"] = json!(why);
    }
    said.ok = already;
    said
}

/// Says why a cause leads nowhere from the task's state, on record.
pub fn refuse_step(draft: &mut Draft<'_>, asker: Asker, command: &Command, task: &TaskView, refused: Refused) -> Said {
    let (id, state) = (task.task.id, task.task.state);
    let already = refused == Refused::Already;
    let why = match (command, state) {
        (Command::Approve { .. }, _) if already => format!("#{id} is approved already: it is {state}"),
        (Command::Resume { .. }, _) if already => format!("#{id} is resumed already: it is {state}"),
        (Command::Resume { .. }, State::Requested) => format!("#{id} is not approved yet: /approve {id}"),
        (Command::Stop { .. }, State::Succeeded | State::Failed) => format!("#{id} had already finished: {state}"),
        (_, State::Succeeded) if !already => format!("#{id} succeeded: /rerun {id} asks for a new one"),
        (_, state) if state.is_terminal() && !already => {
            format!("#{id} is {state}: /recover {id} asks for it again, /rerun {id} makes a new one")
        }
        (_, state) => format!("#{id} is {state}: /{} does nothing there", command.name()),
    };
    refuse(draft, asker, command, Some(task), &why, already)
}

fn set_mode(draft: &mut Draft<'_>, asker: Asker, mode: Mode) -> Said {
    if mode == draft.view.mode() {
        let command = Command::Mode { to: Some(mode) };
        return refuse(draft, asker, &command, None, &format!("the mode is {} already", mode.name()), true);
    }
    draft.record(None, None, asker.actor, Fact::ModeSet { mode });
    Said::yes(format!("mode {}", mode.name()), json!({ "mode": mode }))
}

/// Lets nothing new start, or lifts that. The command is on record as every other; that it holds is known to this daemon
/// alone, because its end is what is waited for: a start that began nothing would surprise whoever drained for an upgrade.
fn drain(draft: &mut Draft<'_>, asker: Asker, command: &Command, on: bool) -> Said {
    if draft.view.draining == on {
        let why = if on { "it is draining already: nothing new starts" } else { "it is not draining" };
        return refuse(draft, asker, command, None, why, true);
    }
    draft.effect(Effect::Drain(on));
    let text = if on {
        "draining: nothing new starts until /undrain or the next start of the daemon; what runs goes on (/ops)"
    } else {
        "tasks start again"
    };
    Said::yes(text.to_owned(), json!({ "draining": on }))
}

/// Puts on record what came of a back-up, by the word of who made it.
fn backed_up(draft: &mut Draft<'_>, asker: Asker, result: &BackupResult) -> Said {
    let fact = match result {
        BackupResult::Made { file, bytes, events } => {
            Fact::BackedUp { file: cut(file), bytes: *bytes, events: *events }
        }
        BackupResult::Failed { error } => Fact::BackupFailed { error: cut(error) },
    };
    draft.record(None, None, asker.actor, fact);
    Said::yes("on record", json!({ "recorded": true }))
}

/// Puts on record what became of a release, by the word of who switched to it.
fn released(draft: &mut Draft<'_>, asker: Asker, news: &ReleaseNews) -> Said {
    let fact = Fact::Released {
        release: cut(&news.release),
        became: news.became,
        from: news.from.as_deref().map(cut),
        why: cut(&news.why),
    };
    draft.record(None, None, asker.actor, fact);
    Said::yes("on record", json!({ "recorded": true }))
}

// ------------------------------------------------------------------------------------------------ asking

fn new_task(
    draft: &mut Draft<'_>,
    asker: Asker,
    command: &Command,
    kind: &str,
    prompt: &str,
    rerun_of: Option<TaskId>,
) -> Said {
    let Some(kind) = draft.config.kinds.get(kind) else {
        let hint = crate::command::nearest(kind, draft.config.kinds.keys().map(String::as_str))
            .map_or_else(|| "/kinds tells which there are".into(), |near| format!("did you mean {near}?"));
        let shown: String = kind.chars().take(40).collect();
        return refuse(draft, asker, command, None, &format!("there is no kind {shown:?}: {hint}"), false);
    };
    if prompt.len() > policy::PROMPT_BYTES_MAX {
        let why = format!("the prompt has {} bytes, at most {} are taken", prompt.len(), policy::PROMPT_BYTES_MAX);
        return refuse(draft, asker, command, None, &why, false);
    }
    if let Some(word) = gate::denied_word(kind, prompt) {
        let why = format!("kind {} denies prompts with {word:?}", kind.name);
        return refuse(draft, asker, command, None, &why, false);
    }
    if draft.view.open_tasks >= policy::OPEN_TASKS_MAX {
        let why = format!("{} tasks are open, no more are taken: /stop some (/board)", policy::OPEN_TASKS_MAX);
        return refuse(draft, asker, command, None, &why, false);
    }
    let (chat, thread, message) = asker.origin(draft);
    let mut task = TaskView {
        task: TaskRow {
            id: TaskId(draft.view.next_task),
            kind: kind.name.clone(),
            prompt: prompt.to_owned(),
            state: State::Requested,
            heavy: kind.heavy,
            group: kind.group.clone(),
            requester: asker.actor,
            chat,
            thread,
            message,
            trace: draft.current_trace(),
            created_ms: draft.now.wall_ms,
            ended_ms: None,
            attempt: 0,
            attempt_base: 0,
            outcome: None,
            exit_code: None,
            signal: None,
            evidence: String::new(),
            plan: None,
            plan_by: None,
            review: None,
            until: draft.now.boot_ms + kind.approval_ttl_ms,
            not_before: 0,
            rerun_of,
            card: None,
            resumed_by: None,
            recovered_by: None,
            ended_by: None,
        },
        approvals: Vec::new(),
        attempt: None,
        buttons: Vec::new(),
        copies: Vec::new(),
    };
    let fact = Fact::Requested {
        kind: task.task.kind.clone(),
        prompt: task.task.prompt.clone(),
        heavy: kind.heavy,
        group: kind.group.clone(),
        chat,
        thread,
        message,
        rerun_of,
        until: task.task.until,
    };
    draft.record(Some(&task), None, asker.actor, fact);
    walk_by_policy(draft, &mut task);
    draft.show_card(&task, false);
    let data = report::task_data(&task, draft.now);
    let next = report::next_step(draft.config, draft.view.mode(), &task, draft.now);
    // In a chat the card is the answer.
    let text = match asker.to {
        ReplyTo::Chat { .. } => String::new(),
        ReplyTo::Local { .. } => format!("task {} ({}) is {}: {next}", task.task.id, task.task.kind, task.task.state),
    };
    Said::yes(text, data)
}

/// What nobody has to be asked for: a kind that needs no approval is approved, and in mode `auto` a light one is resumed
/// too, all in the transaction of the request.
fn walk_by_policy(draft: &mut Draft<'_>, task: &mut TaskView) {
    let Some(kind) = draft.config.kinds.get(&task.task.kind) else { return };
    if kind.approvals > 0 || draft.view.mode() == Mode::Readonly {
        return;
    }
    let Ok(approved) = step(task.task.state, Cause::Approved) else { return };
    let hash = gate::content_hash(draft.config, &task.task);
    let until = task.task.until;
    draft.record(
        Some(task),
        None,
        Actor::Policy,
        Fact::Approved { hash, note: String::new(), until, step: Some(approved) },
    );
    task.task.state = approved.to();
    if kind.heavy
        || draft.view.mode() != Mode::Auto
        || !gate::gates(draft.config, Mode::Auto, task, draft.now).is_empty()
    {
        return;
    }
    let Ok(resumed) = step(task.task.state, Cause::Resumed) else { return };
    let until = draft.now.boot_ms + kind.queue_ttl_ms;
    draft.record(Some(task), None, Actor::Policy, Fact::Resumed { step: resumed, until });
    task.task.state = resumed.to();
    task.task.until = until;
    task.task.resumed_by = Some(Actor::Policy);
}

fn rerun(draft: &mut Draft<'_>, asker: Asker, command: &Command, old: &TaskView, copies: u32) -> Said {
    let mut ids = Vec::new();
    let mut said = Said::default();
    // Each copy is decided on a view of its own, as if asked for one after the other.
    for _ in 0..copies {
        let mut view = draft.view.clone();
        view.next_task += i64::try_from(ids.len()).unwrap_or(0);
        view.next_message = draft.next_message;
        let mut one = Draft::new(draft.config, &view, Moment { entropy: draft.draw(), ..draft.now });
        one.trace(draft.current_trace());
        said = new_task(&mut one, asker, command, &old.task.kind, &old.task.prompt, Some(old.task.id));
        draft.next_message = one.next_message;
        let plan = one.done();
        draft.plan.events.extend(plan.events);
        draft.plan.effects.extend(plan.effects);
        if !said.ok {
            return said;
        }
        ids.push(view.next_task);
    }
    if ids.len() > 1 {
        said.text = if said.text.is_empty() { String::new() } else { format!("tasks {ids:?} ask for the same again") };
        said.data = json!({ "task_ids": ids });
    }
    said
}

fn resume(draft: &mut Draft<'_>, asker: Asker, command: &Command, task: &TaskView) -> Said {
    let id = task.task.id;
    let step = match step(task.task.state, Cause::Resumed) {
        Ok(step) => step,
        Err(refused) => return refuse_step(draft, asker, command, task, refused),
    };
    let gates = gate::gates(draft.config, draft.view.mode(), task, draft.now);
    if let Some(first) = gates.first() {
        let why = format!("#{id} can't be resumed yet, it waits for {}", first.text(&task.task));
        return refuse(draft, asker, command, Some(task), &why, false);
    }
    let ttl = draft.config.kinds.get(&task.task.kind).map_or(policy::QUEUE_TTL_MS, |k| k.queue_ttl_ms);
    let until = draft.now.boot_ms + ttl;
    draft.record(Some(task), None, asker.actor, Fact::Resumed { step, until });
    let mut after = task.clone();
    after.task.state = step.to();
    after.task.until = until;
    after.task.resumed_by = Some(asker.actor);
    draft.show_card(&after, false);
    Said::yes(format!("#{id} resumed: it runs when there is a slot"), report::task_data(&after, draft.now))
}

// ------------------------------------------------------------------------------------------------ ends

fn stop(draft: &mut Draft<'_>, asker: Asker, command: &Command, task: &TaskView) -> Said {
    let id = task.task.id;
    let step = match step(task.task.state, Cause::Stopped) {
        Ok(step) => step,
        Err(refused) => return refuse_step(draft, asker, command, task, refused),
    };
    if task.task.state != State::Running {
        draft.record(Some(task), None, asker.actor, Fact::Stopped { reason: String::new(), step });
        let after = attempt::finish(draft, task, step, Outcome::Stopped, "", Some(asker.actor));
        return Said::yes(format!("#{id} canceled: it had not started"), report::task_data(&after, draft.now));
    }
    // Running: the wish is recorded, the move comes when nothing of it is alive any more.
    let Some(attempt) = &task.attempt else {
        return refuse(draft, asker, command, Some(task), "its attempt is not on record", false);
    };
    if attempt.is_to_be_stopped() {
        let why = format!("#{id} is being stopped already");
        return refuse(draft, asker, command, Some(task), &why, true);
    }
    let alarm = attempt::stop_alarm(draft, task);
    draft.record(Some(task), Some(attempt.key.attempt), asker.actor, Fact::StopAsked { alarm });
    if let Some(identity) = &attempt.identity {
        draft.effect(Effect::Stop { key: attempt.key, identity: identity.clone() });
    }
    let mut after = task.clone();
    if let Some(attempt) = &mut after.attempt {
        attempt.stop_by = Some(asker.actor);
    }
    draft.show_card(&after, false);
    Said::yes(
        format!("#{id} is being stopped: canceled when nothing of it is alive"),
        report::task_data(&after, draft.now),
    )
}

fn recover(draft: &mut Draft<'_>, asker: Asker, command: &Command, task: &TaskView) -> Said {
    let id = task.task.id;
    let step = match step(task.task.state, Cause::Recovered) {
        Ok(step) => step,
        Err(refused) => return refuse_step(draft, asker, command, task, refused),
    };
    let Some(kind) = draft.config.kinds.get(&task.task.kind) else {
        let why = gate::Gate::KindGone.text(&task.task);
        return refuse(draft, asker, command, Some(task), &why, false);
    };
    let until = draft.now.boot_ms + kind.approval_ttl_ms;
    draft.record(Some(task), None, asker.actor, Fact::Recovered { step, until });
    let mut after = task.clone();
    after.task.state = step.to();
    after.task.until = until;
    after.task.review = None;
    after.task.outcome = None;
    (after.task.resumed_by, after.task.ended_by) = (None, None);
    after.task.recovered_by = Some(asker.actor);
    after.approvals.clear();
    after.buttons.retain(|button| button.action == "log" || button.action == "why");
    draft.show_card(&after, true);
    let next = report::next_step(draft.config, draft.view.mode(), &after, draft.now);
    Said::yes(format!("#{id} is asked for again: {next}"), report::task_data(&after, draft.now))
}

/// The end of a task's output was read: now it can be answered.
pub fn log_read(draft: &mut Draft<'_>, key: AttemptKey, to: ReplyTo, result: &Result<String, String>) {
    let said = report::log(key, result, to);
    draft.reply(to, said);
}

/// Notes and reasons are kept up to a limit.
pub fn cut(text: &str) -> String {
    let mut end = text.len().min(policy::NOTE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
