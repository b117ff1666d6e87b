//! What a scenario file may contain: every key, once. The reader and its hints, the JSON Schema and the docs follow from it.

use super::words::{self, Word};

/// A key of a table.
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it says, line by line.
    pub about: &'static [&'static str],
    /// What it takes.
    pub rule: Rule,
}

/// What a key takes, and whether it must be there.
#[derive(Clone, Copy)]
pub struct Rule {
    /// What.
    pub takes: Takes,
    /// What it is when nothing is said; empty where that is nothing. None: it has to be said.
    pub default: Option<&'static str>,
}

/// It has to be said.
pub const fn needed(takes: Takes) -> Rule {
    Rule { takes, default: None }
}

/// It is `default` when nothing is said.
pub const fn or(takes: Takes, default: &'static str) -> Rule {
    Rule { takes, default: Some(default) }
}

/// It is nothing when nothing is said.
pub const fn optional(takes: Takes) -> Rule {
    or(takes, "")
}

/// What a value may be. Ranges include both ends.
#[derive(Clone, Copy)]
pub enum Takes {
    /// Any text but the empty one.
    Text,
    /// A text in which `{job 1}` stands for the number of a task.
    Said,
    /// Several texts.
    Texts,
    /// A length of time.
    Time,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Number(i64, i64),
    /// Two whole numbers, the first not above the second.
    Pair(i64, i64),
    /// How many.
    Amount,
    /// The number of a job; the first is 1.
    Job,
    /// One of these.
    Word(&'static [Word]),
    /// Somebody who may ask for jobs.
    Operator,
    /// Anybody.
    Person,
    /// A configured kind of task.
    Kind,
    /// Something that happens to a job.
    Moment,
    /// What a task does.
    Does,
    /// How a task ends.
    Ends,
    /// Kinds of event, with how many of each.
    Events,
    /// Names of anomalies, with how many of each.
    Anomalies,
    /// Names of faults that chance draws, with how many of each.
    Rates,
    /// A table.
    Table(&'static [Key]),
    /// Tables, as many as one likes.
    Tables(&'static [Key]),
    /// [`crate::fault::KINDS`], each with when it strikes.
    Faults,
}

const fn key(name: &'static str, about: &'static [&'static str], rule: Rule) -> Key {
    Key { name, about, rule }
}

const AT: Key = key("at", &["So long after the beginning, or after what `when` says."], optional(Takes::Time));
const WHEN: Key = key("when", &["What has to happen first."], optional(Takes::Moment));

/// When something happens: one of them is needed.
pub const DUE: &[Key] = &[AT, WHEN];

/// A file.
pub const FILE: &[Key] = &[
    key("about", &["What it shows, in a sentence or two."], needed(Takes::Text)),
    key("lasts", &["How long people ask and things go wrong."], needed(Takes::Time)),
    key(
        "settles",
        &["Then nothing goes wrong any more, and so long after everything must have come to rest."],
        or(Takes::Time, "10m"),
    ),
    key("tick", &["How finely the network's time passes; finer is slower."], or(Takes::Time, "50ms")),
    key("seed", &["The seed it is run with when none is said."], optional(Takes::Number(0, i64::MAX))),
    key(
        "sectors",
        &["What the disk writes together; by chance when nothing is said."],
        optional(Takes::Word(&words::SECTORS)),
    ),
    key(
        "small_cache",
        &["The database holds next to nothing in memory: else it reads its disk only when it is opened."],
        or(Takes::Bool, "false"),
    ),
    key(
        "keep",
        &["How long the record is kept: older events are removed. As long as the run lasts when nothing is said."],
        optional(Takes::Time),
    ),
    key("expect", &["What must come of it, besides what must hold of every run."], optional(Takes::Table(EXPECT))),
    key("job", &["Something that a person asks for. The first is job 1."], optional(Takes::Tables(JOB))),
    key("says", &["Something that a person writes."], optional(Takes::Tables(SAYS))),
    key("presses", &["A button that a person presses, as soon as it is there."], optional(Takes::Tables(PRESSES))),
    key("fault", &["Something that goes wrong."], optional(Takes::Faults)),
    key("swarm", &["Jobs and faults by chance, besides."], optional(Takes::Table(SWARM))),
    key(
        "soak",
        &["Days as people live them, by chance, besides: for evidence, played with a persona."],
        optional(Takes::Table(SOAK)),
    ),
];

/// `[[job]]`
pub const JOB: &[Key] = &[
    key("at", &["When it is asked for."], needed(Takes::Time)),
    key("by", &["Who asks."], or(Takes::Operator, "ana")),
    key("kind", &["Of which kind the task is."], needed(Takes::Kind)),
    key("does", &["What the task does, in words of the table below."], optional(Takes::Does)),
    key("via", &["Where it is asked for."], or(Takes::Word(&words::VIA), "group")),
    key("stop_after", &["Who asked stops it so long after it began to run."], optional(Takes::Time)),
    key(
        "left_alone",
        &["People press nothing for it by themselves: only what `says` and `presses` tell happens to it."],
        or(Takes::Bool, "false"),
    ),
    key("ends", &["How it must end: a state, or state and outcome."], optional(Takes::Ends)),
    key("runs", &["How often its program must have been started in all."], optional(Takes::Number(0, 1_000))),
    key("attempts", &["How often the program of its first task must have been started."], optional(Takes::Amount)),
    key("reported", &["How many reports of its end can be read, repeats included."], optional(Takes::Amount)),
];

/// `[[says]]`
pub const SAYS: &[Key] = &[
    AT,
    WHEN,
    key("by", &["Who."], or(Takes::Person, "ana")),
    key("via", &["Where."], or(Takes::Word(&words::VIA), "group")),
    key("text", &["What they write; `{job 1}` stands for the number of the task."], needed(Takes::Said)),
    key("how", &["How they write it."], or(Takes::Word(&words::HOW), "plain")),
    key("late", &["It arrives so long after it was written."], optional(Takes::Time)),
];

/// `[[presses]]`
pub const PRESSES: &[Key] = &[
    AT,
    WHEN,
    key("by", &["Who."], or(Takes::Person, "ana")),
    key("via", &["Where they look for it."], or(Takes::Word(&words::VIA), "group")),
    key("job", &["On a message about which job."], needed(Takes::Job)),
    key("button", &["What stands on it."], needed(Takes::Word(&words::BUTTONS))),
    key("times", &["How often, without waiting for what comes of it."], or(Takes::Number(1, 20), "1")),
];

/// `[expect]`
pub const EXPECT: &[Key] = &[
    key("tasks", &["Tasks on record."], optional(Takes::Amount)),
    key("programs", &["Programs that were started."], optional(Takes::Amount)),
    key("repeats", &["Messages that say of themselves that they may be a repeat."], optional(Takes::Amount)),
    key("to_strangers", &["Messages to strangers."], optional(Takes::Amount)),
    key("polls_struck", &["Polls that a fault of Telegram struck."], optional(Takes::Amount)),
    key("sends_struck", &["Other requests that a fault of Telegram struck."], optional(Takes::Amount)),
    key(
        "polls_a_minute",
        &["The most polls in any one minute, of those that a fault of Telegram struck."],
        optional(Takes::Amount),
    ),
    key(
        "polls_back_within",
        &["Within how long after faults of Telegram and the line were over a poll was answered."],
        optional(Takes::Time),
    ),
    key("disk_failures", &["Operations of the disk that failed."], optional(Takes::Amount)),
    key("writes_lost", &["Writes that a power loss took."], optional(Takes::Amount)),
    key("said", &["Texts that can be read in some chat."], optional(Takes::Texts)),
    key("never_said", &["Texts that can be read in no chat."], optional(Takes::Texts)),
    key("ops_said", &["Texts, each in an answer to `/ops` of at most ten lines."], optional(Takes::Texts)),
    key("alerts", &["Anomalies, and how often people were told of each."], optional(Takes::Anomalies)),
    key("alerts_over", &["Anomalies, and how often people were told that each is over."], optional(Takes::Anomalies)),
    key("alerts_in_all", &["Alerts, of whatever."], optional(Takes::Amount)),
    key("on_record", &["Kinds of event, and how many of each are on record."], optional(Takes::Events)),
];

/// `[swarm]`
pub const SWARM: &[Key] = &[
    key("jobs", &["Jobs at least and at most."], needed(Takes::Pair(0, 1_000))),
    key("faults", &["Faults at most."], needed(Takes::Number(0, 1_000))),
];

/// `[soak]`
pub const SOAK: &[Key] = &[
    key("jobs", &["Jobs a day at least and at most, all in working hours."], needed(Takes::Pair(0, 1_000))),
    key(
        "probe",
        &["Somebody who is no operator asks for a sign of life this often, on the command line."],
        or(Takes::Time, "1m"),
    ),
    key("faults", &["Faults, and how many of each a hundred days see."], optional(Takes::Rates)),
];

/// The names of the keys of a table.
pub fn names(keys: &'static [Key]) -> impl Iterator<Item = &'static str> {
    keys.iter().map(|key| key.name)
}
