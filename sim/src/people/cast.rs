//! Who the people are, with their habits; and the configuration of a daemon that knows them.

use crate::botapi::{ChatId, UserId};
use mainstay::command::{Mode, Role};
use mainstay::config::{Config, Kind, Operator, TelegramConfig};
use std::collections::BTreeMap;

/// The group in which operators talk.
pub const GROUP: ChatId = ChatId(-1_000_000_000_700);

/// The careful one, to whom the machine belongs.
pub const ANA: UserId = UserId(11);

/// How somebody behaves.
#[derive(Clone, Copy)]
pub(super) struct Habits {
    pub(super) name: &'static str,
    pub(super) user: UserId,
    pub(super) roles: &'static [Role],
    /// Between seeing and pressing, ms.
    pub(super) reacts_ms: (u64, u64),
    /// Of a hundred presses, so many are double taps.
    pub(super) double_taps: u32,
    /// Presses again when nothing has changed for so long, ms.
    pub(super) patience_ms: i64,
    /// Of a hundred requests, so many are made again because no answer came within ten seconds.
    pub(super) repeats: u32,
    /// Tries what is not theirs to do: approves their own, and says `/resume` before anybody approved.
    pub(super) pushes: bool,
}

/// The careful one looks first; the hasty one taps twice and asks again; the absent-minded one takes minutes.
pub(super) const EVERYBODY: [Habits; 3] = [
    Habits {
        name: "ana",
        user: ANA,
        roles: &[Role::Operator, Role::Approver],
        reacts_ms: (2_000, 8_000),
        double_taps: 0,
        patience_ms: 180_000,
        repeats: 0,
        pushes: false,
    },
    Habits {
        name: "ben",
        user: UserId(12),
        roles: &[Role::Operator, Role::Approver],
        reacts_ms: (300, 2_000),
        double_taps: 50,
        patience_ms: 20_000,
        repeats: 30,
        pushes: true,
    },
    Habits {
        name: "cleo",
        user: UserId(13),
        roles: &[Role::Admin],
        reacts_ms: (10_000, 120_000),
        double_taps: 5,
        patience_ms: 240_000,
        repeats: 0,
        pushes: false,
    },
];

/// Whose word means nothing.
pub const STRANGER: UserId = UserId(66);
/// How a scenario calls that one.
pub const STRANGER_NAME: &str = "stranger";
/// The uid of the one user of the machine: ana's.
pub const UID: u32 = 1_000;

/// The configuration of every simulation.
pub fn config() -> Config {
    let kind = |name: &str, heavy: bool, change: fn(&mut Kind)| {
        let mut kind = Kind::new(name, heavy, vec![name.to_owned()]);
        kind.timeout_ms = 90_000;
        change(&mut kind);
        (name.to_owned(), kind)
    };
    let operator = |h: &Habits| {
        let uid = (h.name == "ana").then_some(UID);
        (h.user.0, Operator { id: h.user.0, name: h.name.to_owned(), roles: h.roles.to_vec(), uid })
    };
    Config {
        state_dir: "/".into(),
        autonomy: Mode::Supervised,
        telegram: Some(TelegramConfig {
            api_url: String::new(),
            token_file: None,
            poll_timeout_ms: 30_000,
            chats: vec![GROUP.0],
            report_chat: Some(GROUP.0),
        }),
        operators: EVERYBODY.iter().map(operator).collect(),
        kinds: BTreeMap::from([
            kind("build", true, |_| {}),
            kind("backup", true, |k| (k.idempotent, k.max_attempts, k.backoff_ms) = (true, 3, 1_000)),
            kind("flaky", true, |k| {
                (k.max_attempts, k.backoff_ms, k.transient_exit_codes) = (3, 1_000, vec![75]);
            }),
            kind("solo", true, |k| k.concurrency = 1),
            kind("note", false, |_| {}),
            kind("brief", true, |k| (k.approval_ttl_ms, k.queue_ttl_ms, k.concurrency) = (60_000, 30_000, 1)),
            kind("pair", true, |k| k.approvals = 2),
            kind("plan", true, |k| (k.requires_plan, k.requires_review) = (true, true)),
        ]),
        status: None,
        running_max: 8,
        record: mainstay::config::RecordConfig::default(),
        given: std::collections::BTreeSet::new(),
        hash: "simulated".into(),
    }
}

/// Opens the chats.
pub fn move_in(people: &mut crate::botapi::People<'_>) {
    for somebody in &EVERYBODY {
        people.acquaintance(somebody.user, somebody.name);
    }
    people.group_with_id(GROUP, "Operators");
    people.acquaintance(STRANGER, "Mallory");
}

pub(super) fn habits_of(name: &str) -> &'static Habits {
    EVERYBODY.iter().find(|h| h.name == name).unwrap_or(&EVERYBODY[0])
}

/// Who has this name, strangers included.
pub fn user_of(name: &str) -> UserId {
    if name == STRANGER_NAME { STRANGER } else { habits_of(name).user }
}

/// How somebody of the cast is called.
pub(crate) fn name_of(user: UserId) -> Option<&'static str> {
    EVERYBODY.iter().find(|habits| habits.user == user).map(|habits| habits.name)
}

/// The chats in which the bot tells them something.
pub fn chats() -> Vec<ChatId> {
    std::iter::once(GROUP).chain(EVERYBODY.iter().map(|h| ChatId(h.user.0))).collect()
}

/// The names that a scenario can use.
pub fn names() -> Vec<&'static str> {
    EVERYBODY.iter().map(|h| h.name).collect()
}
