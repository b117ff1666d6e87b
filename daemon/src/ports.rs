//! The seams of the daemon: what it needs from the world, and what each of these promises across a crash.
//!
//! Every port has at most two implementations: the one in [`crate::real`] and a simulated one. A port decides nothing:
//! it carries out what was committed and tells what came of it. Nothing above this file names HTTP, files, processes or clocks.

use crate::attempt::{Identity, Observation};
use crate::id::AttemptKey;
use crate::policy::ErrorClass;
use crate::redact::Secrets;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

/// A future that stays on the daemon's one thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Everything that `run` needs. Clones share the same world.
#[derive(Clone)]
pub struct Ports {
    /// What the program that runs is called: a release's id, else its version.
    pub version: String,
    /// Clocks, timers, randomness.
    pub time: Rc<dyn Time>,
    /// The Bot API; none when the configuration names no bot.
    pub telegram: Option<Rc<dyn Telegram>>,
    /// Where the database lies.
    pub storage: Rc<dyn Storage>,
    /// The machine that runs attempts.
    pub runner: Rc<dyn Runner>,
    /// The local socket, signals, and the service manager.
    pub control: Rc<dyn Control>,
    /// What must not be shown.
    pub secrets: Rc<Secrets>,
}

/// One reading of the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instants {
    /// Milliseconds since 1970. For display and for deadlines that have to survive a reboot; never for ownership.
    pub wall_ms: i64,
    /// Milliseconds since this boot, counting suspend. Every deadline of this boot is measured with it.
    pub boot_ms: i64,
}

/// Clocks and randomness.
pub trait Time {
    /// Both clocks, read together.
    fn now(&self) -> Instants;
    /// Names this boot of the machine. Constant for the process.
    fn boot_id(&self) -> &str;
    /// Completes once `boot_ms` has reached the argument; may complete early, never measurably late.
    fn sleep_until(&self, boot_ms: i64) -> LocalFuture<'_, ()>;
    /// Fresh unpredictable bits (a seeded stream in simulation).
    fn entropy(&self) -> u64;
}

/// Opens the database.
///
/// Across a crash: what a successful COMMIT reported is there after power loss (`synchronous=FULL`). A COMMIT that *failed*
/// may or may not be there: the caller drops the connection, opens again, and believes what it reads.
pub trait Storage {
    /// A connection on the database file, made if it does not exist.
    ///
    /// # Errors
    /// What SQLite says; the caller classifies it.
    fn open(&self) -> Result<rusqlite::Connection, rusqlite::Error>;
    /// Bytes free for the database, if that can be known.
    fn free_bytes(&self) -> Option<u64>;
    /// Keeps space for what is written next, so that ends can be recorded on a disk that a task has filled. As well as it
    /// can: on a disk that is full already, there is none. Cheap where nothing was written since the last time.
    fn keep_room(&self);
}

// ---------------------------------------------------------------------------------------------------- Telegram

/// A call to the Bot API, reduced to what this daemon uses.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Who are we?
    GetMe,
    /// A new message.
    Send(Outgoing),
    /// Replace text and buttons of our message `message`.
    Edit {
        /// Its id in the chat.
        message: i32,
        /// The new content.
        content: Outgoing,
    },
    /// A file with a caption.
    Document {
        /// Caption, chat, thread, reply.
        content: Outgoing,
        /// The file's name as shown.
        name: String,
        /// The file's bytes.
        bytes: Vec<u8>,
    },
    /// The little banner over a pressed button; at most 200 characters.
    AnswerPress {
        /// `callback_query.id`.
        id: String,
        /// What it says.
        text: String,
        /// As a dialog that has to be dismissed.
        alert: bool,
    },
    /// The bot's command menu: (name, description).
    SetCommands(Vec<(String, String)>),
    /// Leave a chat that a stranger put us in.
    Leave {
        /// The chat.
        chat: i64,
    },
}

impl Call {
    /// The Bot API's name of the method, for logs.
    pub fn method(&self) -> &'static str {
        match self {
            Call::GetMe => "getMe",
            Call::Send(_) => "sendMessage",
            Call::Edit { .. } => "editMessageText",
            Call::Document { .. } => "sendDocument",
            Call::AnswerPress { .. } => "answerCallbackQuery",
            Call::SetCommands(_) => "setMyCommands",
            Call::Leave { .. } => "leaveChat",
        }
    }
}

/// A message's content: plain text with marked ranges, never markup to be parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The chat.
    pub chat: i64,
    /// The topic within a forum; none for "General".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<i32>,
    /// A message to answer to; a vanished one is no error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<i32>,
    /// Plain text, 1 to 4096 UTF-16 units.
    pub text: String,
    /// Ranges shown as `pre`, as (offset, length) in UTF-16 units: where foreign text stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pre: Vec<(usize, usize)>,
    /// Rows of buttons: (label, callback data).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Vec<(String, String)>>,
    /// Without sound.
    #[serde(default)]
    pub silent: bool,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// Done, nothing to remember.
    Done,
    /// Done; the message has this id.
    Message(i32),
    /// We are this bot.
    Me {
        /// Numeric id: the part of the token before the colon.
        id: i64,
        /// User name without `@`.
        username: String,
    },
}

/// Why a call did not come to its end. `text` never contains the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?}: {text}")]
pub struct CallError {
    /// The class, which decides what happens next.
    pub kind: CallErrorKind,
    /// For people.
    pub text: String,
}

/// Classes of failed calls, by what must happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallErrorKind {
    /// Certainly had no effect (DNS, refused, TLS): try again.
    NotSent,
    /// May have had its effect (timeout after writing, reset, any 5xx): try again, marked.
    Ambiguous,
    /// Not before this long from now; certainly had no effect.
    Flood(Duration),
    /// The group has a new id.
    Migrated(i64),
    /// This chat does not want us (403): its rows wait until it does.
    Forbidden,
    /// The token is wrong or revoked (401, 404): keep everything, alarm.
    Unauthorized,
    /// Somebody else polls with our token, or a webhook is set (409).
    Conflict,
    /// The text is as it was: what we wanted.
    NotModified,
    /// The message to edit is gone: a new card is needed.
    EditTargetGone,
    /// The topic is gone: send without.
    ThreadGone,
    /// The press can no longer be answered.
    PressTooOld,
    /// Too long for a message: send as a document.
    TooLong,
    /// Any other refusal (400): trying again changes nothing.
    Refused,
}

impl CallErrorKind {
    /// All of them, with what they are called in the table of limits.
    pub const ALL: [(&str, CallErrorKind); 13] = [
        ("not sent", CallErrorKind::NotSent),
        ("no clear answer", CallErrorKind::Ambiguous),
        ("429", CallErrorKind::Flood(Duration::ZERO)),
        ("group moved", CallErrorKind::Migrated(0)),
        ("chat does not want us (403)", CallErrorKind::Forbidden),
        ("token refused", CallErrorKind::Unauthorized),
        ("409", CallErrorKind::Conflict),
        ("not modified", CallErrorKind::NotModified),
        ("message to edit is gone", CallErrorKind::EditTargetGone),
        ("topic is gone", CallErrorKind::ThreadGone),
        ("press too old", CallErrorKind::PressTooOld),
        ("too long", CallErrorKind::TooLong),
        ("any other refusal (400)", CallErrorKind::Refused),
    ];

    /// Whether the same call, or what takes its place, is worth another try.
    pub fn class(&self) -> ErrorClass {
        match self {
            CallErrorKind::NotSent
            | CallErrorKind::Ambiguous
            | CallErrorKind::Flood(_)
            | CallErrorKind::Migrated(_)
            | CallErrorKind::Forbidden
            | CallErrorKind::Unauthorized
            | CallErrorKind::Conflict
            | CallErrorKind::EditTargetGone
            | CallErrorKind::ThreadGone => ErrorClass::Transient,
            CallErrorKind::NotModified
            | CallErrorKind::PressTooOld
            | CallErrorKind::TooLong
            | CallErrorKind::Refused => ErrorClass::Permanent,
        }
    }
}

/// One long poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// The *committed* next offset; none on first contact.
    pub offset: Option<i32>,
    /// How long the server may wait, in whole seconds, at most 50.
    pub timeout: Duration,
    /// How long we wait for the answer; above `timeout`.
    pub give_up: Duration,
}

/// The Bot API.
///
/// Across a crash: nothing is remembered here. An update is offered until a poll with a higher offset was *received*;
/// a sent message may exist although no answer arrived.
pub trait Telegram {
    /// The bot's numeric id: the part of its token before the colon. Known without a call.
    fn bot_id(&self) -> i64;
    /// One `getUpdates` with our list of allowed kinds. The raw updates in the server's order, unknown kinds included.
    fn poll(&self, poll: Poll) -> LocalFuture<'_, Result<Vec<teloxide_core::types::Update>, CallError>>;
    /// One call; never retried inside.
    fn call(&self, call: Call, give_up: Duration) -> LocalFuture<'_, Result<Called, CallError>>;
}

// ---------------------------------------------------------------------------------------------------- runner

/// All that a shim needs to run one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Which attempt.
    pub key: AttemptKey,
    /// Fresh per attempt; also the marker in the child's environment by which strays are found.
    pub nonce: String,
    /// Carried from the command to the report.
    pub trace: String,
    /// Program and arguments; never a shell string.
    pub argv: Vec<String>,
    /// Working directory; the daemon's `workdir` for the attempt when none.
    pub cwd: Option<PathBuf>,
    /// Names of the variables of the daemon's environment that the task gets; it gets no others but `MAINSTAY_*`.
    pub env: Vec<String>,
    /// What the operator asked for; given on stdin and in `$MAINSTAY_PROMPT_FILE`.
    pub prompt: String,
    /// Run time limit in milliseconds of the boot clock, enforced by the shim, also while the daemon is away.
    pub timeout_ms: u64,
    /// Milliseconds between SIGTERM and SIGKILL.
    pub stop_grace_ms: u64,
    /// Bytes kept of each output stream (the newest).
    pub max_log_bytes: u64,
    /// Niceness of the task's processes, 0 to 19.
    pub nice: i32,
    /// Memory limit in bytes, where the cgroup can enforce one.
    pub memory_max: Option<u64>,
    /// CPU limit in percent of one core, where the cgroup can enforce one.
    pub cpu_percent: Option<u32>,
}

/// Something that happened to a running attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noticed {
    /// The newest line the child wrote to its progress file (older unread ones are skipped).
    Progress(String),
    /// The shim is gone; this is what it left.
    Ended(Observation),
}

/// Why an attempt could not be brought to "ready". Nothing of the task has run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartFailed {
    /// The attempt's folder is already there: somebody started this attempt before. Observe it.
    #[error("attempt folder exists")]
    Exists,
    /// Could work later (out of space, processes, memory).
    #[error("{0}")]
    Transient(String),
}

/// One output stream of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The machine that runs attempts.
///
/// Across a crash of the daemon: attempts go on, end, and leave a receipt. Across a crash of the machine: every process is
/// gone, and what was not synced may be; a receipt that is there is whole and true.
///
/// The order is `start` -> (the caller commits the identity) -> `go`. Until `go` nothing of the task runs, and a shim whose
/// starter dies before `go` exits by itself. `start` is exclusive by key: a second one is refused with [`StartFailed::Exists`].
pub trait Runner {
    /// Makes the attempt's folder (exclusively), spawns its shim and waits until the shim holds its lock and is ready.
    /// On `Err(Transient)` nothing is left behind.
    fn start(&self, spec: Spec) -> LocalFuture<'_, Result<Identity, StartFailed>>;
    /// Lets a ready attempt run. False when the shim is no longer there: `watch` or `observe` tell what became of it.
    fn go(&self, key: AttemptKey) -> bool;
    /// Removes what a never started attempt left (state [`Observation::NotStarted`]), so that it can be started again.
    ///
    /// # Errors
    /// [`StartFailed::Exists`]: it may have run after all, observe it. [`StartFailed::Transient`]: not yet.
    fn clear(&self, key: AttemptKey) -> Result<(), StartFailed>;
    /// What the machine says of the attempt now.
    fn observe(&self, key: AttemptKey, recorded: Option<&Identity>) -> Observation;
    /// The next thing that happens to a running attempt: works the same for one that another daemon started.
    /// Does not poll. After `Progress`, call again.
    fn watch(&self, key: AttemptKey, identity: Identity) -> LocalFuture<'_, Noticed>;
    /// Asks the shim to stop the task: SIGTERM, grace, SIGKILL, then whatever is left of the tree. Returns at once;
    /// `watch` tells when nothing is alive any more. Asking again changes nothing. False when the shim is not there.
    fn stop(&self, key: AttemptKey, identity: &Identity) -> bool;
    /// Kills a task whose shim did not do it in time; completes when the shim is gone, of which `watch` tells. The shim itself
    /// is woken up and left alive: how the task ended is known to it alone. `waited_ms` counts against the grace that the
    /// task was started with.
    fn kill(&self, key: AttemptKey, identity: Identity, waited_ms: i64) -> LocalFuture<'_, ()>;
    /// Kills whatever is left of an attempt whose shim is gone; completes when nothing of it is alive, with their number.
    fn destroy(&self, key: AttemptKey, nonce: String) -> LocalFuture<'_, u32>;
    /// The attempts that have a folder among the live ones.
    ///
    /// # Errors
    /// The folder can't be listed.
    fn scan(&self) -> Result<Vec<AttemptKey>, String>;
    /// Moves an ended attempt's folder out of the live ones; logs stay readable. Doing it twice is fine.
    fn archive(&self, key: AttemptKey) -> Result<(), String>;
    /// The last `lines` lines of a stream, at most `max_bytes` of them; empty when there is none. Output that could not be
    /// written has a line of ours in its place, and once the attempt has ended a last one tells how much it was.
    fn tail(&self, key: AttemptKey, stream: Stream, lines: usize, max_bytes: usize) -> Result<String, String>;
}

// ---------------------------------------------------------------------------------------------------- control

/// A request on the local socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRequest {
    /// To address the answer; meaningless afterwards.
    pub connection: u64,
    /// The peer's uid, as the kernel tells it.
    pub uid: u32,
    /// The peer runs below one of our attempts, or nobody can tell any more while there are any.
    pub from_task: bool,
    /// The client's own name for this request: the same key is the same request, however often it arrives.
    pub key: String,
    /// Command and arguments, as on the command line.
    pub argv: Vec<String>,
}

impl LocalRequest {
    /// By which it is recognised among all that comes in.
    pub fn natural_key(&self) -> String {
        format!("l:{}", self.key)
    }
}

/// The answer to a request, in both forms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// False: refused or failed; the text says why and what to do.
    pub ok: bool,
    /// For people: at most eight lines where it can be.
    pub text: String,
    /// For programs.
    pub data: serde_json::Value,
}

/// What comes from the machine's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlInput {
    /// Somebody asks on the socket.
    Request(LocalRequest),
    /// End cleanly; tasks go on.
    Terminate,
}

/// A word to the service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Recovered and serving.
    Ready,
    /// The loop turns.
    Alive,
    /// On the way out.
    Stopping,
}

/// Local socket, signals, service manager. Remembers nothing across a crash; clients ask again with the same key.
pub trait Control {
    /// The next request or signal.
    fn next(&self) -> LocalFuture<'_, ControlInput>;
    /// Whatever else has already arrived, without waiting.
    fn ready(&self) -> Vec<ControlInput>;
    /// Sends the answer; a client that has gone is no error.
    fn answer(&self, connection: u64, answer: Answer);
    /// Tells the service manager, if there is one.
    fn notify(&self, notice: Notice);
    /// How often [`Notice::Alive`] is expected, if at all.
    fn watchdog(&self) -> Option<Duration>;
}
