//! The timeout and retry matrix (`mainstay policy`, `docs/POLICY.md`): one row for each class of waiting and trying again,
//! with the values in force and where each comes from.

mod deploy;

use super as policy;
use super::ErrorClass;
use crate::config::keys::show_ms;
use crate::config::{Config, Kind};
use crate::ports::CallErrorKind;
use serde::Serialize;
use std::collections::BTreeMap;

/// One class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Class {
    /// What it is called, also in docs and scenarios.
    pub class: &'static str,
    /// What it is about.
    pub covers: &'static str,
    /// The numbers in force.
    pub values: Vec<Value>,
    /// The errors that it meets, by what they say about trying again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<ErrorClass, Vec<&'static str>>,
    /// What is tried again.
    pub retried: &'static str,
    /// What happens when the limit has passed or the tries are spent.
    pub spent: &'static str,
    /// Why the numbers are what they are.
    pub because: &'static str,
    /// Scenarios (`scenarios/NAME.toml`) and tests (functions) in which it can be seen.
    pub shown_by: &'static [&'static str],
}

/// What a number limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limits {
    /// How long one try, or one wait, may take.
    Time,
    /// Tries at the most.
    Tries,
    /// The window of the first pause between tries; it doubles. Each pause is drawn from its window (full jitter), and is half
    /// of the first window at the least.
    FirstPause,
    /// The window grows no more.
    LongestPause,
    /// Between two of them, always.
    Gap,
    /// Under way at the same time, at the most.
    AtOnce,
    /// Tries in a minute at the most, while nothing but failures comes back: what the least pause allows.
    TriesAMinute,
}

impl Limits {
    fn words(self) -> &'static str {
        match self {
            Limits::Time => "time limit",
            Limits::Tries => "tries",
            Limits::FirstPause => "first pause",
            Limits::LongestPause => "longest pause",
            Limits::Gap => "gap",
            Limits::AtOnce => "at once",
            Limits::TriesAMinute => "tries a minute, while broken",
        }
    }
}

/// Where a number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// It can't be configured.
    Fixed,
    /// It could be.
    Default,
    /// The configuration file says so.
    Config,
}

/// A number in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// What it limits.
    pub limits: Limits,
    /// Milliseconds, or a count.
    pub number: i64,
    /// What exactly, where a class has several of the kind; or whose, where each kind of task has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The key of the configuration that changes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'static str>,
    /// Where it comes from.
    pub source: Source,
}

impl Value {
    fn fixed(limits: Limits, number: impl TryInto<i64>) -> Value {
        let number = number.try_into().unwrap_or(i64::MAX);
        Value { limits, number, of: None, key: None, source: Source::Fixed }
    }

    fn of(self, of: impl Into<String>) -> Value {
        Value { of: Some(of.into()), ..self }
    }

    /// As people read it: `stop_grace 10s`.
    pub fn words(&self) -> String {
        let number = match self.limits {
            Limits::Tries | Limits::AtOnce | Limits::TriesAMinute => self.number.to_string(),
            Limits::Time | Limits::FirstPause | Limits::LongestPause | Limits::Gap => show_ms(self.number),
        };
        let of = self.of.as_ref().map(|of| format!(" ({of})")).unwrap_or_default();
        let from = match (self.key, self.source) {
            (None, _) => String::new(),
            (Some(key), Source::Config) => format!(", {key} of the configuration"),
            (Some(key), Source::Default | Source::Fixed) => format!(", default of {key}"),
        };
        format!("{}{of}: {number}{from}", self.limits.words())
    }
}

/// Doubling pauses: both ends of the window, and what they allow in a minute.
fn pauses(base: i64, cap: i64) -> Vec<Value> {
    vec![
        Value::fixed(Limits::FirstPause, base),
        Value::fixed(Limits::LongestPause, cap),
        Value::fixed(Limits::TriesAMinute, policy::tries_a_minute(base)),
    ]
}

fn errors(all: &[(ErrorClass, &[&'static str])]) -> BTreeMap<ErrorClass, Vec<&'static str>> {
    all.iter().map(|(class, names)| (*class, names.to_vec())).collect()
}

/// Errors of calls to Telegram.
fn calls(meets: impl Fn(&CallErrorKind) -> bool) -> BTreeMap<ErrorClass, Vec<&'static str>> {
    let mut all: BTreeMap<ErrorClass, Vec<&str>> = BTreeMap::new();
    for (name, kind) in CallErrorKind::ALL.iter().filter(|(_, kind)| meets(kind)) {
        all.entry(kind.class()).or_default().push(name);
    }
    all
}

/// One number of each kind of task.
fn of_kinds(config: &Config, limits: Limits, key: &'static str, number: impl Fn(&Kind) -> i64) -> Vec<Value> {
    let value = |kind: &Kind| {
        let source =
            if config.given.contains(&format!("kind.{}.{key}", kind.name)) { Source::Config } else { Source::Default };
        Value { limits, number: number(kind), of: Some(kind.name.clone()), key: Some(key), source }
    };
    config.kinds.values().map(value).collect()
}

/// The table, as this configuration makes it.
pub fn matrix(config: &Config) -> Vec<Class> {
    let all = [telegram(config), words(), tasks(config), machine(), deploy::deploy(), record(config)];
    all.into_iter().flatten().collect()
}

fn telegram(config: &Config) -> Vec<Class> {
    let (wait, source) = match &config.telegram {
        Some(telegram) if config.given.contains("telegram.poll_timeout") => (telegram.poll_timeout_ms, Source::Config),
        Some(telegram) => (telegram.poll_timeout_ms, Source::Default),
        None => (policy::POLL_TIMEOUT_MS, Source::Default),
    };
    let poll = Value { limits: Limits::Time, number: wait, of: None, key: Some("poll_timeout"), source };
    let held = Value::fixed(Limits::Time, wait + policy::POLL_SLACK_MS);
    let mut polls = vec![poll.of("at the server"), held.of("until it is given up here")];
    polls.extend(pauses(policy::POLL_RETRY_BASE_MS, policy::POLL_RETRY_CAP_MS));
    polls.push(
        Value::fixed(Limits::Gap, policy::POLL_GUARD_MS).of("between polls that answer at once and keep updates back"),
    );
    let mut sends = pauses(policy::SEND_RETRY_BASE_MS, policy::SEND_RETRY_CAP_MS);
    sends.push(Value::fixed(Limits::AtOnce, 2 * policy::SENDS_AT_ONCE).of("calls that fail before all wait together"));
    sends.push(Value::fixed(Limits::Tries, policy::SEND_REFUSALS_MAX).of("where its topic is gone"));
    sends.push(Value::fixed(Limits::Gap, policy::FLOOD_WAIT_MS).of("after a 429 that names no time, in its chat"));
    sends.push(Value::fixed(Limits::Gap, policy::FLOOD_WAIT_MIN_MS).of("after any 429, in its chat, at least"));
    vec![
        Class {
            class: "telegram poll",
            covers: "one long poll, from its request to its answer",
            values: polls,
            errors: errors(&[(ErrorClass::Transient, &["whatever comes instead of updates"])]),
            retried: "every failure, for ever: there is nothing else to do",
            spent: "on record as broken with the first failure, as contested with the third 409 in a row; health is degraded \
                    until a poll completes",
            because: "a half-open connection is noticed, and polling is back, within 75 s of healing",
            shown_by: &["poll-timeout-burst", "polls-half-open", "polls-answered-409", "token-refused"],
        },
        Class {
            class: "telegram call",
            covers: "any other call",
            values: vec![
                Value::fixed(Limits::Time, policy::CONNECT_GIVE_UP_MS).of("until connected: not sent"),
                Value::fixed(Limits::Time, policy::CALL_GIVE_UP_MS).of("in all: it may have arrived"),
                Value::fixed(Limits::AtOnce, policy::SENDS_AT_ONCE).of("one for a chat"),
                Value::fixed(Limits::Gap, policy::INTRODUCE_RETRY_MS)
                    .of("between tries to set the menu and ask for the bot's name"),
            ],
            errors: BTreeMap::new(),
            retried: "by the class that it belongs to; the menu and the name with the next poll that completes; the answer to a \
                      press is not, as its card tells the same",
            spent: "the call counts as not sent, or as one that may have arrived",
            because: "slow servers take 10 s; who waits for an answer has patience for twice that",
            shown_by: &[
                "answers-cut-off",
                "line-cut-one-way",
                "line-slow",
                "a_menu_that_can_not_be_set_is_tried_once_a_minute",
            ],
        },
        Class {
            class: "telegram send",
            covers: "messages and cards on their way out",
            values: sends,
            errors: calls(|kind| *kind != CallErrorKind::PressTooOld),
            retried: "what did not get through, for ever, and marked as a possible repeat where it may have; 429 after the time \
                      that it names. While nothing gets through, one message tries for all",
            spent: "what Telegram refuses for good is set aside for /inbox; health is degraded for a day",
            because: "after an outage everything begins to go out within a minute",
            shown_by: &[
                "success-then-reporting-failure",
                "too-many-requests",
                "gateway-errors",
                "an_outage_leaves_a_record_of_its_tries_and_not_of_all_that_waits",
                "a_topic_that_is_gone_is_no_reason_not_to_report",
                "a_flood_wait_is_kept_for_its_chat_and_holds_up_no_other",
            ],
        },
        Class {
            class: "telegram rate",
            covers: "how often Telegram lets a bot speak",
            values: vec![
                Value::fixed(Limits::Gap, policy::CHAT_GAP_MS).of("in a private chat"),
                Value::fixed(Limits::Gap, policy::GROUP_GAP_MS).of("in a group"),
                Value::fixed(Limits::Gap, policy::SEND_GAP_MS).of("over all"),
            ],
            errors: BTreeMap::new(),
            retried: "nothing: it waits",
            spent: "messages wait in the outbox; changes of a card meanwhile become one",
            because: "Telegram's published rates",
            shown_by: &["crowd", "calls_keep_their_distance_per_chat_and_over_all"],
        },
        Class {
            class: "outbox delivery",
            covers: "a chat that does not want us (403)",
            values: vec![Value::fixed(Limits::Gap, policy::PARKED_RETRY_MS)],
            errors: BTreeMap::new(),
            retried: "for ever, and at once when somebody writes there",
            spent: "its messages wait and /inbox tells; health is degraded",
            because: "being welcome again is normally heard of earlier",
            shown_by: &["chat-gone", "a_chat_that_is_silent_about_wanting_us_again_is_tried_after_its_time"],
        },
    ]
}

fn words() -> Vec<Class> {
    vec![
        Class {
            class: "command",
            covers: "the age of words when they are read",
            values: vec![Value::fixed(Limits::Time, policy::COMMAND_MAX_AGE_MS)],
            errors: BTreeMap::new(),
            retried: "nothing",
            spent: "it is not carried out before who wrote it presses a button; /stop and questions are never too old",
            because: "after a longer outage the world is another one",
            shown_by: &["stale-words-are-asked-back", "stop-is-never-stale"],
        },
        Class {
            class: "button",
            covers: "how long a button may be pressed",
            values: vec![
                Value::fixed(Limits::Time, policy::BUTTON_TTL_MS),
                Value::fixed(Limits::Time, policy::PRESS_LIFE_MS).of("a press waits at Telegram"),
            ],
            errors: BTreeMap::new(),
            retried: "nothing",
            spent: "the press is told that it came too late; cards that wait for one are shown again",
            because: "a week has a working day in it for everybody",
            shown_by: &["presses-get-lost", "a_button_that_is_older_than_a_week_does_nothing"],
        },
        Class {
            class: "local request",
            covers: "a client at the local socket",
            values: vec![
                Value::fixed(Limits::Time, policy::LOCAL_HALFWAY_MS).of("half-way through a request"),
                Value::fixed(Limits::Time, policy::CLIENT_ANSWER_WITHIN.as_millis()).of("until the client gives up"),
                Value::fixed(Limits::Tries, policy::CLIENT_RESEND_PAUSES_MS.len() + 1).of("of a client, under one key"),
            ],
            errors: BTreeMap::new(),
            retried: "a request that got no answer, under its key: however often it arrives, it is one",
            spent: "the client says that it is not known; a slow client loses its connection when there are too many",
            because: "a daemon that is started again is back within ten seconds",
            shown_by: &[
                "command-line-without-telegram",
                "clients_that_stay_half_way_keep_nobody_out",
                "a_request_that_gets_no_answer_is_sent_again_under_its_key_and_not_for_ever",
            ],
        },
    ]
}

fn tasks(config: &Config) -> Vec<Class> {
    let mut runs = of_kinds(config, Limits::Time, "timeout", |kind| kind.timeout_ms);
    runs.extend(of_kinds(config, Limits::Tries, "max_attempts", |kind| i64::from(kind.max_attempts)));
    runs.extend(of_kinds(config, Limits::FirstPause, "backoff", |kind| kind.backoff_ms));
    runs.push(Value::fixed(Limits::LongestPause, policy::TASK_RETRY_CAP_MS));
    let slots = if config.given.contains("running_max") { Source::Config } else { Source::Default };
    vec![
        Class {
            class: "approval ttl",
            covers: "a request that waits for approvals and its resume",
            values: of_kinds(config, Limits::Time, "approval_ttl", |kind| kind.approval_ttl_ms),
            errors: BTreeMap::new(),
            retried: "nothing",
            spent: "EXPIRED, and reported",
            because: "what nobody approved by the next working day is stale",
            shown_by: &["expires-while-daemon-away"],
        },
        Class {
            class: "queue ttl",
            covers: "a task that waits for its turn",
            values: of_kinds(config, Limits::Time, "queue_ttl", |kind| kind.queue_ttl_ms),
            errors: BTreeMap::new(),
            retried: "nothing",
            spent: "EXPIRED, and reported",
            because: "as for approvals",
            shown_by: &["expires-in-the-queue"],
        },
        Class {
            class: "dispatch start",
            covers: "a shim that is to be started for an attempt",
            values: vec![
                Value::fixed(Limits::Time, policy::SHIM_READY_WITHIN.as_millis()),
                Value::fixed(Limits::Gap, policy::START_RETRY_MS),
                Value::fixed(Limits::Tries, policy::START_TRIES_MAX),
                Value::fixed(Limits::TriesAMinute, 60_000 / policy::START_RETRY_MS).of("of all tasks together"),
                Value {
                    limits: Limits::AtOnce,
                    number: i64::from(config.running_max),
                    key: Some("running_max"),
                    source: slots,
                    of: Some("begun before the first of them failed".to_owned()),
                },
            ],
            errors: errors(&[
                (ErrorClass::Transient, &["no processes, room or memory", "not ready in time"]),
                (ErrorClass::Permanent, &["its kind is no longer configured", "another attempt's folder"]),
            ]),
            retried: "what fails before the program runs: no processes, no room, no folder. Once the starts of two tasks fail \
                      and none succeeds, all tasks wait together and one tries for all, each of them in turn; a task that fails \
                      alone holds up no other",
            spent: "FAILED with outcome not_started; meanwhile nothing leaves the queue, and health is degraded",
            because: "a machine that is short of something often has it again within a minute",
            shown_by: &[
                "starts-fail-for-a-while",
                "starts-fail-for-good",
                "starts-fail-for-fifty",
                "fifty_tasks_whose_starts_fail_are_tried_one_at_a_time_and_all_run_in_the_end",
            ],
        },
        Class {
            class: "task run",
            covers: "an attempt, and the next one after it failed",
            values: runs,
            errors: BTreeMap::new(),
            retried: "a failure (with transient_exit_codes: only those), a timeout; an unknown outcome only of an idempotent kind",
            spent: "a timeout stops the attempt; after the last attempt FAILED, with the last error",
            because: "half an hour is long for a build; trying again is for kinds that ask for it",
            shown_by: &[
                "retries-are-counted",
                "other-failures-are-not-retried",
                "timeout-while-daemon-away",
                "a_transient_failure_is_tried_again_after_a_growing_pause_until_the_budget_is_spent",
            ],
        },
        Class {
            class: "stop grace",
            covers: "between SIGTERM and SIGKILL",
            values: of_kinds(config, Limits::Time, "stop_grace", |kind| kind.stop_grace_ms),
            errors: BTreeMap::new(),
            retried: "nothing",
            spent: "SIGKILL to all that is left of the attempt",
            because: "what a well-behaved build needs to clean up",
            shown_by: &["stop-the-stubborn"],
        },
        Class {
            class: "kill",
            covers: "between SIGKILL and the end",
            values: vec![
                Value::fixed(Limits::Time, policy::KILL_ALARM_MS),
                Value::fixed(Limits::Gap, policy::KILL_RESCAN_MS).of("looked at again"),
            ],
            errors: BTreeMap::new(),
            retried: "for ever: the task is RUNNING, and holds its slot, until nothing of it is left",
            spent: "on record as overdue, and health is degraded",
            because: "only a process that waits for a device survives for so long",
            shown_by: &["process-stuck"],
        },
        Class {
            class: "receipt",
            covers: "how an attempt ended, put on disk by its shim",
            values: vec![
                Value::fixed(Limits::LongestPause, policy::RECEIPT_RETRY_CAP_S * 1_000),
                Value::fixed(Limits::Time, policy::OUTPUT_LINGER_MAX_MS).of("for output after the end"),
                Value::fixed(Limits::Time, policy::STRAY_GRACE_MS).of("for what the program left running"),
            ],
            errors: BTreeMap::new(),
            retried: "for ever: nobody else knows the exit code",
            spent: "strays are killed and counted",
            because: "a disk that has room again is noticed soon",
            shown_by: &["disk-full-at-the-end", "a_receipt_that_can_not_be_written_is_tried_until_it_can"],
        },
    ]
}

fn record(config: &Config) -> Vec<Class> {
    let source = if config.given.contains("record.keep") { Source::Config } else { Source::Default };
    let keep =
        Value { limits: Limits::Time, number: config.record.keep_ms, of: None, key: Some("record.keep"), source };
    vec![
        Class {
            class: "record kept",
            covers: "events on record, and how large the database gets (`record.max_size`)",
            values: vec![
                keep,
                Value::fixed(Limits::Gap, policy::RECORD_REMOVAL_PAUSE_MS).of("between removals"),
                Value::fixed(Limits::Time, policy::RECORD_CLOCK_TRUSTED_MS).of("after a boot nothing goes by age"),
            ],
            errors: BTreeMap::new(),
            retried: "a removal that did not come to be, with the next look",
            spent: "the oldest go, with an event that says so; never those of a task that has not ended, or any later ones",
            because: "a disk has an end, and a year can be compared with the year before",
            shown_by: &["record-gets-shorter"],
        },
        Class {
            class: "alert",
            covers: "something that is wrong",
            values: vec![
                Value::fixed(Limits::Gap, policy::HEALTH_LOOK_MS).of("between looks"),
                Value::fixed(Limits::Time, policy::ALERT_HOLD_MS).of("it lasts, if it may mend by itself"),
                Value::fixed(Limits::Time, policy::ALERT_OVER_MS).of("it has been gone"),
            ],
            errors: BTreeMap::new(),
            retried: "its message, like any other",
            spent: "it is told, once; and once more when it has been gone",
            because: "a task that should have ended is told of within a minute, and a blip is not",
            shown_by: &["alert-stale-running", "alert-not-for-a-blip"],
        },
        Class {
            class: "back-up",
            covers: "the last back-up, where there was ever one",
            values: vec![Value::fixed(Limits::Time, policy::BACKUP_OVERDUE_MS).of("its age")],
            errors: BTreeMap::new(),
            retried: "by the timer, once a day",
            spent: "health is degraded, and that is told",
            because: "one that failed at night is noticed as such before",
            shown_by: &["each_anomaly_is_found_by_itself_and_says_what_it_is"],
        },
    ]
}

fn machine() -> Vec<Class> {
    vec![
        Class {
            class: "storage busy",
            covers: "another process that reads the database",
            values: vec![
                Value::fixed(Limits::Time, policy::DATABASE_OPEN_WAIT_MS).of("while it is opened"),
                Value::fixed(Limits::Time, policy::DATABASE_WAIT_MS).of("later"),
            ],
            errors: errors(&[(ErrorClass::Transient, &["in use"])]),
            retried: "as a failed write",
            spent: "changes are refused, and health is broken, until it lets go",
            because: "everybody else waits meanwhile",
            shown_by: &["while_another_program_holds_the_database_changes_are_refused_and_questions_are_answered"],
        },
        Class {
            class: "storage failed",
            covers: "a write or sync that the disk did not take",
            values: pauses(policy::STORAGE_RETRY_BASE_MS, policy::STORAGE_RETRY_CAP_MS),
            errors: errors(&[
                (ErrorClass::Transient, &["not written, synced or read", "disk full"]),
                (ErrorClass::Permanent, &["what does not fit the record (a bug)"]),
                (ErrorClass::Corrupt, &["damaged", "of a newer version", "taken over by another daemon"]),
            ]),
            retried: "for ever: the database is opened again and what is there is read before anything is told",
            spent: "meanwhile changes are refused, nothing starts, and health is broken; what is damaged ends the daemon",
            because: "a disk that is back is used within ten seconds",
            shown_by: &["disk-syncs-fail", "disk-writes-fail", "failed-sync-then-power-loss"],
        },
        Class {
            class: "disk reserve",
            covers: "a disk that is almost full",
            values: vec![Value::fixed(Limits::Gap, policy::DISK_LOOK_MS).of("looked at again")],
            errors: BTreeMap::new(),
            retried: "for ever",
            spent: "nothing starts, and with less still nothing is asked for; what runs is ended and reported",
            because: "receipts and logs of what runs need the rest",
            shown_by: &["disk-full-refuses", "disk-full-at-the-end"],
        },
        Class {
            class: "predecessor",
            covers: "what is left of a killed daemon, while the next one starts",
            values: vec![Value::fixed(Limits::Time, policy::PREDECESSOR_END_MAX.as_millis())],
            errors: BTreeMap::new(),
            retried: "looked at every few ms",
            spent: "the new one refuses to start: somebody else holds the lock",
            because: "a process that waits for its disk ends when the disk has answered",
            shown_by: &[
                "killed-again-and-again",
                "what_is_left_of_a_dead_daemon_is_waited_for_also_while_nobody_has_buried_it",
                "a_second_daemon_is_told_who_holds_it_and_takes_nothing",
            ],
        },
        Class {
            class: "shutdown",
            covers: "messages under way when the daemon is told to end",
            values: vec![Value::fixed(Limits::Time, policy::SHUTDOWN_SENDING_MS)],
            errors: BTreeMap::new(),
            retried: "by the next daemon, marked as possible repeats",
            spent: "the daemon ends; tasks go on and are taken over by the next one",
            because: "short enough for an upgrade, long enough for an answer",
            shown_by: &["stopped-for-an-upgrade", "a_daemon_told_to_end_does_not_wait_for_ever_for_an_answer"],
        },
        Class {
            class: "drain",
            covers: "running tasks, before a restart or a reboot",
            values: Vec::new(),
            errors: BTreeMap::new(),
            retried: "nothing",
            spent: "nothing new starts until /undrain or the next start of the daemon; `mainstay drain` waits for the last \
                    task, or for its --timeout",
            because: "only who drains knows how long the machine may wait",
            shown_by: &["draining_waits_for_what_runs_and_is_over_with_the_next_start"],
        },
        Class {
            class: "watchdog",
            covers: "the loop itself, watched by systemd",
            values: vec![
                Value::fixed(Limits::Time, policy::WATCHDOG_MIN.as_millis()).of("the least that WatchdogSec should be"),
            ],
            errors: BTreeMap::new(),
            retried: "systemd starts the daemon again, and what runs is taken over",
            spent: "systemd kills a daemon that has not said for WatchdogSec of its unit that it is alive; it says so after a \
                    quarter of that, and after each turn",
            because: "one late word must not be its end",
            shown_by: &[
                "a_daemon_that_gives_no_sign_of_life_can_be_killed_and_its_task_is_taken_over",
                "signs_of_life_go_on_while_the_database_refuses",
            ],
        },
    ]
}

impl ErrorClass {
    /// As it begins its line.
    pub fn words(self) -> &'static str {
        match self {
            ErrorClass::Transient => "transient errors",
            ErrorClass::Permanent => "permanent errors",
            ErrorClass::Corrupt => "errors that end the daemon",
        }
    }
}

/// The table for `docs/`.
pub fn markdown(classes: &[Class]) -> String {
    let mut md = String::new();
    for class in classes {
        let values: String = class.values.iter().map(|value| format!("- {}\n", value.words())).collect();
        let shown: Vec<String> = class.shown_by.iter().map(|name| shown(name)).collect();
        md += &format!("\n## {}\n\n{}.\n\n", class.class, capital(class.covers));
        let errors: String =
            class.errors.iter().map(|(class, names)| format!("- {}: {}\n", class.words(), names.join(", "))).collect();
        md += &format!(
            "{values}{errors}- Tried again: {}.\n- Then: {}.\n- Because: {}.\n",
            class.retried, class.spent, class.because
        );
        if !shown.is_empty() {
            md += &format!("- Seen in: {}.\n", shown.join(", "));
        }
    }
    md
}

/// Scenarios have names with hyphens, tests with underscores.
fn shown(name: &str) -> String {
    if name.contains('_') { format!("the test `{name}`") } else { format!("[{name}](../scenarios/{name}.toml)") }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
