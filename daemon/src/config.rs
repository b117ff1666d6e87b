//! What the operator of the machine configures: people, kinds, limits, places. Pure data; reading files is `real`'s.
//!
//! [`keys`] is the table of every key, [`read`] turns text into checked values by that table, [`build`] turns those into a
//! [`Config`] and checks what no single key can tell.

pub mod build;
pub mod keys;
pub mod read;

use crate::command::{Mode, Role};
use crate::id::Actor;
use crate::policy;
use crate::view::Moved;
use core::net::SocketAddr;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A whole, valid configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Database, attempts, socket. Absolute after loading.
    pub state_dir: PathBuf,
    /// Mode at the first start; `/mode` changes it for good.
    pub autonomy: Mode,
    /// The bot; none = command line only.
    pub telegram: Option<TelegramConfig>,
    /// Where the status page listens: a loopback address; none = there is no page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SocketAddr>,
    /// Who may do what, by numeric id. Never empty.
    pub operators: BTreeMap<i64, Operator>,
    /// By name. Never empty.
    pub kinds: BTreeMap<String, Kind>,
    /// Tasks of all kinds running at once.
    pub running_max: u32,
    /// How long the record is kept.
    pub record: RecordConfig,
    /// Keys that the file has, by their paths (`kind.build.timeout`): the others have their defaults.
    #[serde(skip)]
    pub given: BTreeSet<String>,
    /// SHA-256 over the meaning of the configuration (no secrets), hex: tells which one is running.
    #[serde(skip)]
    pub hash: String,
}

impl Config {
    /// Whether a chat is to be told anything. A private chat has its person's id, and who is no operator (any more) is told
    /// nothing; in a group it is the group that is listed, not who reads it. Without a bot nobody is told anything now: that is
    /// no reason to forget what a group waits for.
    pub fn may_be_told(&self, chat: i64, moved: &Moved) -> bool {
        self.operators.contains_key(&chat) || (chat < 0 && self.telegram.is_none()) || self.lists(chat, moved)
    }

    /// Whether a group is on the list, also under the id that it has got since.
    pub fn lists(&self, chat: i64, moved: &Moved) -> bool {
        let listed = |chat: &i64| self.telegram.as_ref().is_some_and(|telegram| telegram.chats.contains(chat));
        listed(&chat) || moved.get(&chat).is_some_and(listed)
    }

    /// The person behind an actor: an operator's own user on this machine is the operator, and else each is itself.
    pub fn person(&self, actor: Actor) -> Actor {
        match actor {
            Actor::Local(uid) => {
                self.operators.values().find(|o| o.uid == Some(uid)).map_or(actor, |o| Actor::User(o.id))
            }
            Actor::User(_) | Actor::Policy | Actor::System => actor,
        }
    }

    /// Whether somebody may do what needs this role. Whoever reaches the local socket (mode 0600) could as well read the
    /// database and the token, and is an admin where they are no operator.
    pub fn may(&self, actor: Actor, role: Role) -> bool {
        match self.person(actor) {
            Actor::User(id) => self.operators.get(&id).is_some_and(|o| o.may(role)),
            Actor::Local(_) => true,
            Actor::Policy | Actor::System => false,
        }
    }
}

/// How long the record is kept, and what must not get into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordConfig {
    /// Events older than this are removed, ms.
    pub keep_ms: i64,
    /// While the database holds more bytes than this, the oldest events are removed.
    pub max_bytes: u64,
    /// Names of environment variables whose values are secret though their names do not say so.
    pub secret_env: Vec<String>,
}

impl Default for RecordConfig {
    fn default() -> RecordConfig {
        RecordConfig { keep_ms: policy::RECORD_KEEP_MS, max_bytes: policy::RECORD_BYTES_MAX, secret_env: Vec::new() }
    }
}

/// How to reach Telegram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TelegramConfig {
    /// Base address; Telegram's own by default.
    pub api_url: String,
    /// File that holds the token and nothing else.
    pub token_file: Option<PathBuf>,
    /// How long the server may wait in a poll, ms.
    pub poll_timeout_ms: i64,
    /// Groups in which operators may speak, beside their private chats.
    pub chats: Vec<i64>,
    /// Where tasks asked for on the command line report to.
    pub report_chat: Option<i64>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// Telegram's numeric user id.
    pub id: i64,
    /// How answers call them.
    pub name: String,
    /// Never empty.
    pub roles: Vec<Role>,
    /// Their user on this machine.
    pub uid: Option<u32>,
}

impl Operator {
    /// Whether one of the roles includes `needed`.
    pub fn may(&self, needed: Role) -> bool {
        self.roles.iter().any(|role| role.covers(needed))
    }
}

/// A sort of task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// One line for `/kinds`.
    pub about: String,
    /// May cost or change something: needs its gates. Light ones may start by themselves in mode `auto`.
    pub heavy: bool,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Working directory; a fresh one per attempt when none.
    pub cwd: Option<PathBuf>,
    /// Names of the daemon's environment variables that the task gets.
    pub env: Vec<String>,
    /// Distinct approvers needed.
    pub approvals: u32,
    /// The requester's own approval counts.
    pub self_approval: bool,
    /// Needs a plan before approval.
    pub requires_plan: bool,
    /// Needs a passed review before it runs.
    pub requires_review: bool,
    /// Running it again does no harm: an unknown outcome is retried.
    pub idempotent: bool,
    /// Exit codes that mean "try again"; empty = every failure does, while attempts are left.
    pub transient_exit_codes: Vec<i32>,
    /// Run time limit, ms.
    pub timeout_ms: i64,
    /// Between SIGTERM and SIGKILL, ms.
    pub stop_grace_ms: i64,
    /// How long a request may wait for approval and resume, ms; approvals expire with it.
    pub approval_ttl_ms: i64,
    /// How long it may wait in the queue, ms.
    pub queue_ttl_ms: i64,
    /// Attempts at most, retries included.
    pub max_attempts: u32,
    /// First pause before a retry, ms.
    pub backoff_ms: i64,
    /// Kept of each output stream.
    pub max_log_bytes: u64,
    /// Tasks of the same group run one after the other, up to `concurrency` at once.
    pub group: String,
    /// Of this group at once.
    pub concurrency: u32,
    /// Niceness of its processes.
    pub nice: i32,
    /// Memory limit, bytes, where cgroups can enforce it.
    pub memory_max: Option<u64>,
    /// CPU limit, percent of one core, where cgroups can enforce it.
    pub cpu_percent: Option<u32>,
    /// A prompt with one of these words (case ignored) is refused.
    pub denied_words: Vec<String>,
}

impl Kind {
    /// A kind with every default: what a `[[kind]]` with only a name, `heavy` and `argv` means.
    pub fn new(name: &str, heavy: bool, argv: Vec<String>) -> Kind {
        Kind {
            name: name.to_owned(),
            about: String::new(),
            heavy,
            argv,
            cwd: None,
            env: ["PATH", "HOME", "LANG", "USER", "LOGNAME", "SHELL", "TZ"].map(str::to_owned).to_vec(),
            approvals: u32::from(heavy),
            self_approval: !heavy,
            requires_plan: false,
            requires_review: false,
            idempotent: false,
            transient_exit_codes: Vec::new(),
            timeout_ms: policy::TASK_TIMEOUT_MS,
            stop_grace_ms: policy::STOP_GRACE_MS,
            approval_ttl_ms: policy::APPROVAL_TTL_MS,
            queue_ttl_ms: policy::QUEUE_TTL_MS,
            max_attempts: 1,
            backoff_ms: policy::TASK_RETRY_BASE_MS,
            max_log_bytes: policy::LOG_BYTES_MAX,
            group: name.to_owned(),
            concurrency: policy::RUNNING_MAX,
            nice: policy::TASK_NICE,
            memory_max: None,
            cpu_percent: None,
            denied_words: Vec::new(),
        }
    }
}
