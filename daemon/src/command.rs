//! What an operator can say. One table drives the chat parser, the command line, `/help`, the bot's menu and the docs.
//!
//! Parsing knows nothing of tasks, people or rights: `decide` asks those questions.

use crate::id::TaskId;
use crate::task::State;
use serde::{Deserialize, Serialize};

/// What somebody may do. An admin may do all of it; operators and approvers may also look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May look.
    Viewer,
    /// May ask for work, resume and stop it.
    Operator,
    /// May approve, reject and review.
    Approver,
    /// May do everything, and set the mode.
    Admin,
}

impl Role {
    /// As in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Approver => "approver",
            Role::Admin => "admin",
        }
    }

    /// Whether holding `self` includes what `needed` may do.
    pub fn covers(self, needed: Role) -> bool {
        match needed {
            Role::Viewer => true,
            Role::Operator | Role::Approver | Role::Admin => self == needed || self == Role::Admin,
        }
    }
}

/// How much the machine may do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing new starts.
    Readonly,
    /// Every task is approved and resumed by people.
    Supervised,
    /// Light tasks start by themselves.
    Auto,
}

impl Mode {
    /// As in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Readonly => "readonly",
            Mode::Supervised => "supervised",
            Mode::Auto => "auto",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Mode> {
        [Mode::Readonly, Mode::Supervised, Mode::Auto].into_iter().find(|m| m.name() == name)
    }
}

/// Why a review failed.
pub const REASON_CODES: [&str; 6] =
    ["policy_conflict", "missing_tests", "insufficient_plan", "high_risk_unmitigated", "artifact_incomplete", "other"];

/// A parsed wish.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table below describes each command and argument")]
pub enum Command {
    Start,
    Help { command: Option<String> },
    Whoami,
    Kinds,
    NewTask { kind: String, prompt: String },
    Status { task: TaskId },
    List { limit: u32, state: Option<State> },
    Approve { task: TaskId, note: String },
    Reject { task: TaskId, reason: String },
    Plan { task: TaskId, text: String },
    Review { task: TaskId, pass: bool, code: Option<String>, notes: String },
    Resume { task: TaskId },
    Stop { task: TaskId },
    Recover { task: TaskId },
    Rerun { task: TaskId, copies: u32 },
    Why { task: TaskId },
    Trace { of: String },
    Log { task: TaskId, lines: u32 },
    Board,
    Ops,
    Inbox,
    Mode { to: Option<Mode> },
}

impl Command {
    /// Its row in [`COMMANDS`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Start => "start",
            Command::Help { .. } => "help",
            Command::Whoami => "whoami",
            Command::Kinds => "kinds",
            Command::NewTask { .. } => "newtask",
            Command::Status { .. } => "status",
            Command::List { .. } => "list",
            Command::Approve { .. } => "approve",
            Command::Reject { .. } => "reject",
            Command::Plan { .. } => "plan",
            Command::Review { .. } => "review",
            Command::Resume { .. } => "resume",
            Command::Stop { .. } => "stop",
            Command::Recover { .. } => "recover",
            Command::Rerun { .. } => "rerun",
            Command::Why { .. } => "why",
            Command::Trace { .. } => "trace",
            Command::Log { .. } => "log",
            Command::Board => "board",
            Command::Ops => "ops",
            Command::Inbox => "inbox",
            Command::Mode { .. } => "mode",
        }
    }

    /// The task it is about, where there is one.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Command::Status { task }
            | Command::Approve { task, .. }
            | Command::Reject { task, .. }
            | Command::Plan { task, .. }
            | Command::Review { task, .. }
            | Command::Resume { task }
            | Command::Stop { task }
            | Command::Recover { task }
            | Command::Rerun { task, .. }
            | Command::Why { task }
            | Command::Log { task, .. } => Some(*task),
            Command::Start
            | Command::Help { .. }
            | Command::Whoami
            | Command::Kinds
            | Command::NewTask { .. }
            | Command::List { .. }
            | Command::Trace { .. }
            | Command::Board
            | Command::Ops
            | Command::Inbox
            | Command::Mode { .. } => None,
        }
    }

    /// Its row in [`COMMANDS`].
    pub fn syntax(&self) -> &'static Syntax {
        let name = self.name();
        COMMANDS.iter().find(|s| s.name == name).expect("every command has a row: a test looks")
    }

    /// Changes nothing. (`/mode` without an argument only tells.)
    pub fn is_read(&self) -> bool {
        self.syntax().effect == Effect::Reads || matches!(self, Command::Mode { to: None })
    }
}

/// What an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A task's number, `42` or `#42`.
    Task,
    /// One word, free.
    Word,
    /// One word of these.
    OneOf(&'static [&'static str]),
    /// A positive number.
    Number,
    /// Everything that is left, with its line breaks.
    Rest,
}

/// One argument.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    /// As in usage lines.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Can't be left out.
    pub required: bool,
    /// For `--help`.
    pub about: &'static str,
}

/// Whether a command changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Looks only; allowed when stale, answered from the database when the daemon is down.
    Reads,
    /// Changes something, but is always welcome, however late: stopping.
    StopsWork,
    /// Changes something; needs a confirming press when it arrives late.
    Changes,
}

/// One row of the command table.
#[derive(Debug, Clone, Copy)]
pub struct Syntax {
    /// Without the slash.
    pub name: &'static str,
    /// In order; only the last may be [`Takes::Rest`], optional ones stand at the end.
    pub args: &'static [Arg],
    /// Who may.
    pub role: Role,
    /// Whether it changes anything.
    pub effect: Effect,
    /// One line for the menu and the list of commands.
    pub about: &'static str,
    /// Arguments of an example.
    pub example: &'static str,
}

const TASK: Arg = Arg { name: "id", takes: Takes::Task, required: true, about: "the task's number" };

const fn rest(name: &'static str, required: bool, about: &'static str) -> Arg {
    Arg { name, takes: Takes::Rest, required, about }
}

const fn number(name: &'static str, about: &'static str) -> Arg {
    Arg { name, takes: Takes::Number, required: false, about }
}

const STATES: &[&str] = &["requested", "approved", "queued", "running", "succeeded", "failed", "canceled", "expired"];

const fn row(
    name: &'static str,
    args: &'static [Arg],
    role: Role,
    effect: Effect,
    about: &'static str,
    example: &'static str,
) -> Syntax {
    Syntax { name, args, role, effect, about, example }
}

/// The table.
pub const COMMANDS: &[Syntax] = &[
    row("start", &[], Role::Viewer, Effect::Reads, "who I am and where to begin", ""),
    row(
        "help",
        &[Arg { name: "command", takes: Takes::Word, required: false, about: "only this command" }],
        Role::Viewer,
        Effect::Reads,
        "what you may do here",
        "newtask",
    ),
    row("whoami", &[], Role::Viewer, Effect::Reads, "your id and roles", ""),
    row("kinds", &[], Role::Viewer, Effect::Reads, "which kinds of task there are", ""),
    row(
        "newtask",
        &[
            Arg { name: "kind", takes: Takes::Word, required: true, about: "a configured kind of task (see kinds)" },
            rest("prompt", false, "what to do; given to the task on stdin"),
        ],
        Role::Operator,
        Effect::Changes,
        "ask for a task",
        "build main branch, release profile",
    ),
    row("status", &[TASK], Role::Viewer, Effect::Reads, "where a task stands", "42"),
    row(
        "list",
        &[
            number("n", "how many (default 10)"),
            Arg { name: "state", takes: Takes::OneOf(STATES), required: false, about: "only tasks in this state" },
        ],
        Role::Viewer,
        Effect::Reads,
        "the newest tasks",
        "20 running",
    ),
    row(
        "approve",
        &[TASK, rest("note", false, "kept with the approval")],
        Role::Approver,
        Effect::Changes,
        "approve a task; starts nothing",
        "42 reviewed the plan",
    ),
    row(
        "reject",
        &[TASK, rest("reason", true, "why; the requester sees it")],
        Role::Approver,
        Effect::Changes,
        "refuse a task",
        "42 not during the release",
    ),
    row(
        "plan",
        &[TASK, rest("text", true, "the plan; changing it voids approvals")],
        Role::Operator,
        Effect::Changes,
        "attach a plan",
        "42 1. back up 2. migrate 3. verify",
    ),
    row(
        "review",
        &[
            TASK,
            Arg { name: "verdict", takes: Takes::OneOf(&["pass", "fail"]), required: true, about: "pass or fail" },
            rest("notes", false, "for fail: a reason code first, then notes"),
        ],
        Role::Approver,
        Effect::Changes,
        "pass or fail a task's review",
        "42 fail missing_tests no test for the rollback",
    ),
    row("resume", &[TASK], Role::Operator, Effect::Changes, "let an approved task run", "42"),
    row("stop", &[TASK], Role::Operator, Effect::StopsWork, "stop a task, wherever it is", "42"),
    row("recover", &[TASK], Role::Operator, Effect::Changes, "ask again for a failed, canceled or expired task", "42"),
    row(
        "rerun",
        &[TASK, number("n", "how many copies (default 1, at most 5)")],
        Role::Operator,
        Effect::Changes,
        "ask for a new task like an old one",
        "42",
    ),
    row("why", &[TASK], Role::Viewer, Effect::Reads, "what a task waits for, and until when", "42"),
    row(
        "trace",
        &[Arg { name: "id", takes: Takes::Word, required: true, about: "a task's number or a trace id" }],
        Role::Viewer,
        Effect::Reads,
        "the whole story of a task",
        "42",
    ),
    row(
        "log",
        &[TASK, number("lines", "how many (default 20)")],
        Role::Viewer,
        Effect::Reads,
        "the end of a task's output",
        "42 50",
    ),
    row("board", &[], Role::Viewer, Effect::Reads, "what waits for whom", ""),
    row("ops", &[], Role::Viewer, Effect::Reads, "is everything well?", ""),
    row("inbox", &[], Role::Viewer, Effect::Reads, "what could not be delivered", ""),
    row(
        "mode",
        &[Arg {
            name: "mode",
            takes: Takes::OneOf(&["readonly", "supervised", "auto"]),
            required: false,
            about: "the new mode; without it: tell",
        }],
        Role::Admin,
        Effect::Changes,
        "how much may happen by itself",
        "readonly",
    ),
];

impl Syntax {
    /// `approve <id> [note]`
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for arg in self.args {
            let name = match arg.takes {
                Takes::OneOf(words) if words.len() <= 3 => words.join("|"),
                Takes::OneOf(_) | Takes::Task | Takes::Word | Takes::Number | Takes::Rest => arg.name.to_owned(),
            };
            usage += &if arg.required { format!(" <{name}>") } else { format!(" [{name}]") };
        }
        usage
    }
}

/// Why something is no command. The text is shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ParseError {
    /// What is wrong and what to do.
    pub text: String,
}

fn wrong(text: String) -> ParseError {
    ParseError { text }
}

/// What a chat message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// A command for us.
    Command(Command),
    /// A command, but not a well-formed one.
    Bad(ParseError),
    /// A command for another bot, or no command at all.
    NotForUs,
}

/// Reads a chat message. `bot` is our user name, for `/approve@our_bot 42`.
pub fn parse_text(text: &str, bot: Option<&str>) -> Parsed {
    let Some(body) = text.trim_start().strip_prefix('/') else {
        return Parsed::NotForUs;
    };
    let (head, rest) = split_word(body);
    let name = match head.split_once('@') {
        Some((name, who)) if bot.is_some_and(|b| b.eq_ignore_ascii_case(who)) => name,
        Some(_) => return Parsed::NotForUs,
        None => head,
    };
    match parse(&name.to_lowercase(), rest) {
        Ok(command) => Parsed::Command(command),
        Err(error) => Parsed::Bad(error),
    }
}

/// Reads a command line: the name and its arguments. Arguments after the last word-like one are joined by spaces.
///
/// # Errors
/// Not a well-formed command; the text tells what to do.
pub fn parse_argv(argv: &[String]) -> Result<Command, ParseError> {
    let Some((name, args)) = argv.split_first() else {
        return Err(wrong("say a command; `help` lists them".into()));
    };
    parse(name, &args.join(" "))
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    match text.find(char::is_whitespace) {
        Some(end) => (&text[..end], text[end..].trim_start()),
        None => (text, ""),
    }
}

fn parse(name: &str, rest: &str) -> Result<Command, ParseError> {
    let Some(syntax) = COMMANDS.iter().find(|s| s.name == name) else {
        let hint = nearest(name, COMMANDS.iter().map(|s| s.name))
            .map_or_else(|| "/help lists them".into(), |near| format!("did you mean /{near}?"));
        return Err(wrong(format!("there is no /{}: {hint}", shown(name))));
    };
    let mut rest = rest;
    let mut values: Vec<&str> = Vec::new();
    for (index, arg) in syntax.args.iter().enumerate() {
        let before = rest;
        let value = if arg.takes == Takes::Rest {
            std::mem::take(&mut rest).trim_end()
        } else {
            let (word, after) = split_word(rest);
            rest = after;
            word
        };
        if value.is_empty() {
            if arg.required {
                return Err(wrong(format!("{} is missing: /{}", arg.name, syntax.usage())));
            }
            break;
        }
        if let Err(error) = check(syntax, arg, value) {
            // An optional argument may be left out before the next one: `/list running`.
            let skips =
                !arg.required && syntax.args.get(index + 1).is_some_and(|next| check(syntax, next, value).is_ok());
            if !skips {
                return Err(error);
            }
            values.push("");
            rest = before;
            continue;
        }
        values.push(value);
    }
    if !rest.trim().is_empty() {
        return Err(wrong(format!("too much: /{}", syntax.usage())));
    }
    build(syntax, &values)
}

fn check(syntax: &Syntax, arg: &Arg, value: &str) -> Result<(), ParseError> {
    match arg.takes {
        Takes::Task => match value.parse::<TaskId>() {
            Ok(TaskId(1..)) => Ok(()),
            Ok(_) | Err(_) => {
                Err(wrong(format!("{:?} is no task number: /{} (like 42)", shown(value), syntax.usage())))
            }
        },
        Takes::Number => match value.parse::<u32>() {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(wrong(format!("{:?} is no positive number: /{}", shown(value), syntax.usage()))),
        },
        Takes::OneOf(words) if !words.contains(&value.to_lowercase().as_str()) => {
            Err(wrong(format!("{:?} is none of {}: /{}", shown(value), words.join(", "), syntax.usage())))
        }
        Takes::OneOf(_) | Takes::Word | Takes::Rest => Ok(()),
    }
}

/// Foreign words in our answers: short.
fn shown(word: &str) -> String {
    word.chars().take(40).collect()
}

/// The name in `names` that `word` was most likely meant to be.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `values` were checked against the row; what is missing is optional.
fn build(syntax: &'static Syntax, values: &[&str]) -> Result<Command, ParseError> {
    let text = |i: usize| values.get(i).map_or_else(String::new, |v| (*v).to_owned());
    let task = || TaskId(values.first().and_then(|v| v.parse::<TaskId>().ok()).map_or(0, |t| t.0));
    let number = |i: usize, default: u32| values.get(i).and_then(|v| v.parse().ok()).unwrap_or(default);
    Ok(match syntax.name {
        "start" => Command::Start,
        "help" => Command::Help { command: values.first().map(|v| v.trim_start_matches('/').to_lowercase()) },
        "whoami" => Command::Whoami,
        "kinds" => Command::Kinds,
        "newtask" => Command::NewTask { kind: text(0), prompt: text(1) },
        "status" => Command::Status { task: task() },
        "list" => Command::List { limit: number(0, 10).min(100), state: values.get(1).and_then(|v| v.parse().ok()) },
        "approve" => Command::Approve { task: task(), note: text(1) },
        "reject" => Command::Reject { task: task(), reason: text(1) },
        "plan" => Command::Plan { task: task(), text: text(1) },
        "review" => return review(task(), &text(1), &text(2)),
        "resume" => Command::Resume { task: task() },
        "stop" => Command::Stop { task: task() },
        "recover" => Command::Recover { task: task() },
        "rerun" => Command::Rerun { task: task(), copies: number(1, 1).min(5) },
        "why" => Command::Why { task: task() },
        "trace" => Command::Trace { of: text(0) },
        "log" => Command::Log { task: task(), lines: number(1, 20).min(1_000) },
        "board" => Command::Board,
        "ops" => Command::Ops,
        "inbox" => Command::Inbox,
        "mode" => Command::Mode { to: values.first().and_then(|v| Mode::named(&v.to_lowercase())) },
        other => unreachable!("{other} has a row but no command: a test looks"),
    })
}

fn review(task: TaskId, verdict: &str, rest: &str) -> Result<Command, ParseError> {
    if verdict.eq_ignore_ascii_case("pass") {
        return Ok(Command::Review { task, pass: true, code: None, notes: rest.to_owned() });
    }
    let (code, notes) = split_word(rest);
    if !REASON_CODES.contains(&code) {
        return Err(wrong(format!("a failed review needs a reason code first, one of {}", REASON_CODES.join(", "))));
    }
    Ok(Command::Review { task, pass: false, code: Some(code.to_owned()), notes: notes.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_parses_its_own_example_and_names_itself() {
        for syntax in COMMANDS {
            let line = format!("/{} {}", syntax.name, syntax.example);
            let Parsed::Command(command) = parse_text(&line, None) else { panic!("{line}") };
            assert_eq!(command.name(), syntax.name, "{line}");
        }
    }

    #[test]
    fn a_mistyped_command_is_answered_with_the_nearest_one() {
        let Parsed::Bad(error) = parse_text("/aprove 42", None) else { panic!() };
        assert_eq!(error.text, "there is no /aprove: did you mean /approve?");
        let Parsed::Bad(error) = parse_text("/frobnicate", None) else { panic!() };
        assert_eq!(error.text, "there is no /frobnicate: /help lists them");
    }

    #[test]
    fn wrong_arguments_are_named_with_the_usage() {
        for (line, expected) in [
            ("/approve", "id is missing: /approve <id> [note]"),
            ("/approve abc", "\"abc\" is no task number: /approve <id> [note] (like 42)"),
            ("/approve -1", "\"-1\" is no task number: /approve <id> [note] (like 42)"),
            (
                "/approve 99999999999999999999",
                "\"99999999999999999999\" is no task number: /approve <id> [note] (like 42)",
            ),
            ("/resume 1 2", "too much: /resume <id>"),
            ("/list 0", "\"0\" is no positive number: /list [n] [state]"),
            ("/mode off", "\"off\" is none of readonly, supervised, auto: /mode [readonly|supervised|auto]"),
            ("/reject 3", "reason is missing: /reject <id> <reason>"),
        ] {
            assert_eq!(parse_text(line, None), Parsed::Bad(wrong(expected.into())), "{line}");
        }
    }

    #[test]
    fn a_prompt_keeps_its_lines_and_inner_spaces() {
        let Parsed::Command(command) = parse_text("/newtask build  first\n  second  line\n", None) else { panic!() };
        assert_eq!(command, Command::NewTask { kind: "build".into(), prompt: "first\n  second  line".into() });
    }

    #[test]
    fn an_optional_argument_may_be_left_out_before_another() {
        let running = Command::List { limit: 10, state: Some(State::Running) };
        assert_eq!(parse_text("/list running", None), Parsed::Command(running));
        let five = Command::List { limit: 5, state: Some(State::Failed) };
        assert_eq!(parse_text("/list 5 FAILED", None), Parsed::Command(five));
    }

    #[test]
    fn commands_for_other_bots_and_plain_talk_are_not_ours() {
        assert_eq!(parse_text("/ops@other_bot", Some("our_bot")), Parsed::NotForUs);
        assert_eq!(parse_text("hello", None), Parsed::NotForUs);
        assert_eq!(parse_text("/ops@Our_Bot", Some("our_bot")), Parsed::Command(Command::Ops));
    }
}
