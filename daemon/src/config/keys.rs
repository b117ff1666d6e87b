//! Every key of the configuration file, once: the reader, its hints and the manual come from this table.

use crate::policy;

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Before any header.
    Top,
    /// `[telegram]`, at most once.
    Telegram,
    /// `[status]`, at most once.
    Status,
    /// `[[operator]]`, one per person.
    Operator,
    /// `[[kind]]`, one per sort of task.
    Kind,
    /// `[record]`, at most once.
    Record,
}

impl Section {
    /// All, in the order of the manual.
    pub const ALL: [Section; 6] =
        [Section::Top, Section::Telegram, Section::Status, Section::Operator, Section::Kind, Section::Record];

    /// As in its header; empty for the top.
    pub const fn name(self) -> &'static str {
        match self {
            Section::Top => "",
            Section::Telegram => "telegram",
            Section::Status => "status",
            Section::Operator => "operator",
            Section::Kind => "kind",
            Section::Record => "record",
        }
    }

    /// Its header as it is written; empty for the top.
    pub const fn header(self) -> &'static str {
        match self {
            Section::Top => "",
            Section::Telegram => "[telegram]",
            Section::Status => "[status]",
            Section::Operator => "[[operator]]",
            Section::Kind => "[[kind]]",
            Section::Record => "[record]",
        }
    }

    /// Its keys.
    pub fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(move |key| key.section == self)
    }
}

/// What a key takes. Ranges include both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Any text but the empty one.
    Text,
    /// One lower-case word: `a-z`, then `a-z 0-9 _ -`, at most 32.
    Name,
    /// A path; a relative one starts at the file's folder.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number(i64, i64),
    /// Telegram's numeric id of a person or chat.
    Id,
    /// A list of such ids.
    Ids,
    /// Text like `"90s"`, `"1h30m"`, `"250ms"`; the range is in ms.
    Duration(i64, i64),
    /// A number of bytes, or text like `"16MiB"`.
    Bytes(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of these words, at least one.
    SomeOf(&'static [&'static str]),
    /// A list of texts, none of them empty; it may be empty itself where there is a default.
    Texts,
    /// A list of exit codes, 1 to 255.
    Codes,
}

impl Takes {
    /// For the manual and for messages: "must be ...".
    pub fn describe(self) -> String {
        match self {
            Takes::Text => "a text".into(),
            Takes::Name => "one lower-case word (a-z, then a-z, 0-9, _ or -; at most 32)".into(),
            Takes::Path => "a path".into(),
            Takes::Flag => "true or false".into(),
            Takes::Number(min, max) => format!("a whole number from {min} to {max}"),
            Takes::Id => "a numeric id".into(),
            Takes::Ids => "a list of numeric ids".into(),
            Takes::Duration(min, max) => {
                format!("a duration from {} to {}, like \"90s\" or \"1h30m\"", show_ms(min), show_ms(max))
            }
            Takes::Bytes(min, i64::MAX) => format!("a size from {} up, like \"16MiB\"", show_bytes(min)),
            Takes::Bytes(min, max) => {
                format!("a size from {} to {}, like \"16MiB\"", show_bytes(min), show_bytes(max))
            }
            Takes::OneOf(words) => format!("one of {}", words.join(", ")),
            Takes::SomeOf(words) => format!("a list of {}", words.join(", ")),
            Takes::Texts => "a list of texts".into(),
            Takes::Codes => "a list of exit codes from 1 to 255".into(),
        }
    }
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it stands.
    pub section: Section,
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What is meant when it is left out, for the manual; none: it can't be left out.
    pub default: Option<&'static str>,
    /// One line.
    pub about: &'static str,
}

const fn key(
    section: Section,
    name: &'static str,
    takes: Takes,
    default: Option<&'static str>,
    about: &'static str,
) -> Key {
    Key { section, name, takes, default, about }
}

const MS: i64 = 1;
const S: i64 = 1_000;
const H: i64 = 3_600 * S;
const DAY: i64 = 24 * H;
const MIB: i64 = 1024 * 1024;
/// The number after it is no user: system calls take it for "none".
const UID_MAX: i64 = u32::MAX as i64 - 1;

/// Modes, as [`crate::command::Mode`] names them.
pub const MODES: &[&str] = &["readonly", "supervised", "auto"];
/// Roles, as [`crate::command::Role`] names them.
pub const ROLES: &[&str] = &["viewer", "operator", "approver", "admin"];

use Section::{Kind, Operator, Record, Status, Telegram, Top};
use Takes::{Bytes, Codes, Duration, Flag, Id, Ids, Name, Number, OneOf, Path, SomeOf, Text, Texts};

/// The table.
pub const KEYS: &[Key] = &[
    key(Top, "state_dir", Path, Some("\"state\""), "where database, attempts and socket are kept"),
    key(Top, "autonomy", OneOf(MODES), Some("\"supervised\""), "mode at the first start; /mode changes it for good"),
    key(Top, "running_max", Number(1, 10_000), Some("32"), "tasks of all kinds running at once"),
    key(Telegram, "api_url", Text, Some("\"https://api.telegram.org\""), "base address of the Bot API"),
    key(Telegram, "token_file", Path, Some("none"), "file that holds the bot's token and nothing else"),
    key(
        Telegram,
        "poll_timeout",
        Duration(S, policy::POLL_TIMEOUT_MAX_MS),
        Some("\"30s\""),
        "how long the server may wait in a poll; whole seconds",
    ),
    key(Telegram, "chats", Ids, Some("[]"), "groups in which operators may speak, beside their private chats"),
    key(Telegram, "report_chat", Id, Some("none"), "where tasks asked for on the command line report, and alerts go"),
    key(
        Status,
        "listen",
        Text,
        Some("\"127.0.0.1:8787\""),
        "loopback address and port of the status page; without this section there is none",
    ),
    key(Operator, "id", Id, None, "Telegram's numeric user id"),
    key(Operator, "name", Text, None, "how answers call them"),
    key(Operator, "roles", SomeOf(ROLES), None, "what they may do"),
    key(
        Operator,
        "uid",
        Number(0, UID_MAX),
        Some("none"),
        "their user on this machine: over the socket it is the same person as in Telegram",
    ),
    key(Kind, "name", Name, None, "what operators type"),
    key(Kind, "about", Text, Some("\"\""), "one line for /kinds"),
    key(Kind, "heavy", Flag, Some("true"), "may cost or change something: needs its gates"),
    key(Kind, "argv", Texts, None, "program and arguments; never a shell line"),
    key(Kind, "cwd", Path, Some("a fresh folder"), "working directory"),
    key(
        Kind,
        "env",
        Texts,
        Some("PATH, HOME, LANG, USER, LOGNAME, SHELL, TZ"),
        "names of the daemon's variables that the task gets",
    ),
    key(Kind, "approvals", Number(0, 100), Some("1 if heavy, else 0"), "distinct approvers needed"),
    key(Kind, "self_approval", Flag, Some("false if heavy, else true"), "the requester's own approval counts"),
    key(Kind, "requires_plan", Flag, Some("false"), "needs a plan before it can be approved"),
    key(Kind, "requires_review", Flag, Some("false"), "needs a passed review before it runs"),
    key(Kind, "idempotent", Flag, Some("false"), "running it again does no harm: an unknown outcome is retried"),
    key(
        Kind,
        "transient_exit_codes",
        Codes,
        Some("[]"),
        "exit codes that mean \"try again\"; empty: every failure does, while attempts are left",
    ),
    key(Kind, "timeout", Duration(MS, 30 * DAY), Some("\"30m\""), "run time limit"),
    key(Kind, "stop_grace", Duration(0, policy::STOP_GRACE_MAX_MS), Some("\"10s\""), "between SIGTERM and SIGKILL"),
    key(
        Kind,
        "approval_ttl",
        Duration(S, 365 * DAY),
        Some("\"1d\""),
        "how long a request may wait for approval and resume",
    ),
    key(Kind, "queue_ttl", Duration(S, 365 * DAY), Some("\"1d\""), "how long it may wait in the queue"),
    key(Kind, "max_attempts", Number(1, 100), Some("1"), "attempts at most, retries included"),
    key(
        Kind,
        "backoff",
        Duration(100, policy::TASK_RETRY_CAP_MS),
        Some("\"5s\""),
        "first pause before a retry; it doubles",
    ),
    key(Kind, "max_log_bytes", Bytes(4096, 1024 * MIB), Some("\"16MiB\""), "kept of each output stream"),
    key(Kind, "group", Name, Some("the kind's name"), "kinds of one group share its slots"),
    key(Kind, "concurrency", Number(1, 10_000), Some("running_max"), "tasks of the group running at once"),
    key(Kind, "nice", Number(0, 19), Some("10"), "niceness of its processes"),
    key(
        Kind,
        "memory_max",
        Bytes(MIB, i64::MAX),
        Some("none"),
        "memory limit, where the system's control groups allow it",
    ),
    key(
        Kind,
        "cpu_percent",
        Number(1, 100_000),
        Some("none"),
        "CPU limit in percent of one core, where control groups allow it",
    ),
    key(Kind, "denied_words", Texts, Some("[]"), "a prompt with one of these words is refused; case is ignored"),
    key(
        Record,
        "keep",
        Duration(S, 36_500 * DAY),
        Some("\"400d\""),
        "events older than this are removed from the record, the oldest first; not those of tasks that have not ended, and no later ones",
    ),
    key(
        Record,
        "max_size",
        Bytes(MIB, i64::MAX),
        Some("\"4GiB\""),
        "while the database holds more than this, the oldest events are removed in the same way",
    ),
    key(
        Record,
        "secret_env",
        Texts,
        Some("[]"),
        "names of variables whose values must not be shown, beside those that are called a token, secret, password, key or credential",
    ),
];

/// `90000` is `1m30s`.
pub fn show_ms(ms: i64) -> String {
    let mut left = ms;
    let mut text = String::new();
    for (unit, name) in [(DAY, "d"), (H, "h"), (60 * S, "m"), (S, "s"), (MS, "ms")] {
        if left >= unit {
            text += &format!("{}{name}", left / unit);
            left %= unit;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// `1h30m` is 5,400,000. None when it is no duration.
pub fn read_ms(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut total: i64 = 0;
    let mut seen = false;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let unit = match &after[..end] {
            "ms" => MS,
            "s" => S,
            "m" | "min" => 60 * S,
            "h" => H,
            "d" => DAY,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = after[end..].trim_start();
        seen = true;
    }
    seen.then_some(total)
}

fn show_bytes(bytes: i64) -> String {
    match bytes {
        _ if bytes % (1024 * MIB) == 0 => format!("{}GiB", bytes / (1024 * MIB)),
        _ if bytes % MIB == 0 => format!("{}MiB", bytes / MIB),
        _ if bytes % 1024 == 0 => format!("{}KiB", bytes / 1024),
        _ => bytes.to_string(),
    }
}

/// `16MiB` is 16,777,216; powers of ten have no `i`. None when it is no size.
pub fn read_bytes(text: &str) -> Option<i64> {
    let (number, unit) = split_number(text.trim())?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn split_number(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_written() {
        for (text, ms) in [
            ("30s", Some(30_000)),
            ("1h30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("1d 2h", Some(26 * H)),
            ("0s", Some(0)),
            ("30", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5h", None),
            ("1y", None),
            ("9999999999999999999s", None),
            ("9223372036854775807d", None),
        ] {
            assert_eq!(read_ms(text), ms, "{text:?}");
        }
        for (text, bytes) in [
            ("16MiB", Some(16 << 20)),
            ("4096", Some(4096)),
            ("1 GB", Some(1_000_000_000)),
            ("1.5GiB", None),
            ("MiB", None),
            ("9223372036854775807k", None),
        ] {
            assert_eq!(read_bytes(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for ms in [0, 1, 250, 1_000, 90_000, 5_400_000, 30 * DAY, DAY + 1] {
            assert_eq!(read_ms(&show_ms(ms)), Some(ms));
        }
    }

    #[test]
    fn the_table_names_modes_and_roles_as_commands_do() {
        use crate::command::{Mode, Role};
        assert!(MODES.iter().all(|name| Mode::named(name).is_some()));
        let roles = [Role::Viewer, Role::Operator, Role::Approver, Role::Admin];
        assert_eq!(ROLES, roles.map(Role::name));
    }
}
