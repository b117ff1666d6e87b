//! What an operator can say. One table drives the chat parser, the command line, `/help`, the bot's menu and the docs.
//!
//! Here is the table; [`parse`] reads text by it. Neither knows anything of tasks, people or rights: `decide` asks those
//! questions.

mod parse;

pub use parse::{ParseError, Parsed, nearest, parse_argv, parse_text};

use crate::id::TaskId;
use crate::policy;
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

/// How a back-up went, as the program that made it tells the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupResult {
    /// It is there, and was verified.
    Made {
        /// Its path.
        file: String,
        /// Its size.
        bytes: u64,
        /// It has the record up to this event.
        events: i64,
    },
    /// There is none.
    Failed {
        /// Why.
        error: String,
    },
}

/// What became of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It runs, and is watched.
    Activated,
    /// It has proven itself.
    Blessed,
    /// The one that was to come after it failed, so it runs again.
    WentBack,
    /// Somebody wanted it back, and it runs again.
    RolledBack,
    /// It failed, and there was nothing to go back to, or that failed too.
    Stuck,
}

/// A switch from one release to another, as the program that makes it tells the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseNews {
    /// The release that runs now, or was to.
    pub release: String,
    /// What became of it.
    pub became: Became,
    /// The one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Why, where it did not just go forward.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

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
    Drain,
    Undrain,
    Backup { result: BackupResult },
    Release { news: ReleaseNews },
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
            Command::Drain => "drain",
            Command::Undrain => "undrain",
            Command::Backup { .. } => "backup",
            Command::Release { .. } => "release",
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
            | Command::Mode { .. }
            | Command::Drain
            | Command::Undrain
            | Command::Backup { .. }
            | Command::Release { .. } => None,
        }
    }

    /// Its row in [`COMMANDS`] or [`MACHINE`].
    pub fn syntax(&self) -> &'static Syntax {
        let name = self.name();
        COMMANDS.iter().chain(MACHINE).find(|s| s.name == name).expect("every command has a row: a test looks")
    }

    /// Brings new work or new text, which a full disk has no room for.
    pub fn asks_for_more(&self) -> bool {
        matches!(self, Command::NewTask { .. } | Command::Rerun { .. } | Command::Recover { .. } | Command::Plan { .. })
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
    /// A positive number; a greater one counts as `max`.
    Number {
        /// When it is left out.
        default: u32,
        /// At most.
        max: u32,
    },
    /// Everything that is left, with its line breaks.
    Rest {
        /// At most, in bytes. Who decides refuses what is longer, or keeps only so much.
        max: usize,
    },
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
    /// What it means; [`Arg::text`] has its limits too.
    pub about: &'static str,
}

impl Arg {
    /// For `--help`, `/help` and the docs.
    pub fn text(&self) -> String {
        let about = self.about;
        match self.takes {
            Takes::Number { default, max } => format!("{about} (default {default}, at most {max})"),
            Takes::Rest { max } if max % 1_024 == 0 => format!("{about} (at most {} KiB)", max / 1_024),
            Takes::Rest { max } => format!("{about} (at most {max} bytes)"),
            Takes::Task | Takes::Word | Takes::OneOf(_) => about.to_owned(),
        }
    }
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

/// What a task or its approval is about.
const fn rest(name: &'static str, required: bool, about: &'static str) -> Arg {
    Arg { name, takes: Takes::Rest { max: policy::PROMPT_BYTES_MAX }, required, about }
}

/// Words beside it.
const fn note(name: &'static str, required: bool, about: &'static str) -> Arg {
    Arg { name, takes: Takes::Rest { max: policy::NOTE_BYTES_MAX }, required, about }
}

const fn number(name: &'static str, default: u32, max: u32, about: &'static str) -> Arg {
    Arg { name, takes: Takes::Number { default, max }, required: false, about }
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
            number("n", policy::LIST_DEFAULT, policy::LIST_MAX, "how many"),
            Arg { name: "state", takes: Takes::OneOf(STATES), required: false, about: "only tasks in this state" },
        ],
        Role::Viewer,
        Effect::Reads,
        "the newest tasks",
        "20 running",
    ),
    row(
        "approve",
        &[TASK, note("note", false, "kept with the approval")],
        Role::Approver,
        Effect::Changes,
        "approve a task; starts nothing",
        "42 reviewed the plan",
    ),
    row(
        "reject",
        &[TASK, note("reason", true, "why; the requester sees it")],
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
            note("notes", false, "for fail: a reason code first, then notes"),
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
        &[TASK, number("n", 1, policy::RERUN_COPIES_MAX, "how many copies")],
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
        &[TASK, number("lines", policy::LOG_LINES_DEFAULT, policy::LOG_LINES_MAX, "how many, of the last 64 KiB")],
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
    row("drain", &[], Role::Admin, Effect::Changes, "start nothing new until undrain or the next start", ""),
    row("undrain", &[], Role::Admin, Effect::Changes, "let tasks start again", ""),
];

/// What programs of ours say on the local socket: offered to nobody, and not understood in a chat.
pub const MACHINE: &[Syntax] = &[
    row(
        "backup",
        &[rest("result", true, "how it went, as JSON")],
        Role::Admin,
        Effect::Changes,
        "puts on record how a back-up went",
        r#"{"failed":{"error":"the disk is full"}}"#,
    ),
    row(
        "release",
        &[rest("news", true, "what became of it, as JSON")],
        Role::Admin,
        Effect::Changes,
        "puts on record what became of a release",
        r#"{"release":"0.1.0-1f5504b0abcd","became":"blessed"}"#,
    ),
];

impl Syntax {
    /// It is about one task, which has to be named.
    pub fn needs_task(&self) -> bool {
        self.args.first().is_some_and(|arg| arg.name == TASK.name)
    }

    /// `approve <id> [note]`
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for arg in self.args {
            let name = match arg.takes {
                Takes::OneOf(words) if words.len() <= 3 => words.join("|"),
                Takes::OneOf(_) | Takes::Task | Takes::Word | Takes::Number { .. } | Takes::Rest { .. } => {
                    arg.name.to_owned()
                }
            };
            usage += &if arg.required { format!(" <{name}>") } else { format!(" [{name}]") };
        }
        usage
    }
}
