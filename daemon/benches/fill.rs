//! Fills a database with tasks, through the store's own code: the events that each task's life would have left.
//!
//! Every second task was asked for in a chat and has what that leaves: a card that was shown and edited, its buttons, a
//! report. The others came from the command line.

use mainstay::attempt::{End, EndCause, Identity};
use mainstay::event::{Class, Event, Fact, What};
use mainstay::id::{Actor, AttemptKey, TaskId};
use mainstay::policy;
use mainstay::ports::{Outgoing, Storage};
use mainstay::real::store::{FileStorage, Store};
use mainstay::task::{Cause, Outcome, State, step};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tasks per transaction: a page of an index whose keys are random is changed by many of them, and written once.
const TASKS_AT_ONCE: i64 = 50_000;
/// What such a transaction changes stays in memory until it ends, KiB.
const CACHE_KIB: i64 = 1 << 20;
/// Between the ends of two tasks, in ms of the wall clock: 2,880 a day, which is a busy machine of this size.
const GAP_MS: i64 = 30_000;
/// Far beyond any bench, ms of the boot clock.
const NEVER_MS: i64 = i64::MAX / 4;

/// The chat of those who ask in one.
const CHAT: i64 = -1_001_234_567_890;

/// A database in `folder` with so many tasks; made once and kept, because the largest takes a minute.
pub(crate) fn filled(folder: &Path, finished: i64, waiting: i64) -> PathBuf {
    let path = folder.join(format!("filled-chats-{finished}-{waiting}.db"));
    if !path.exists() {
        eprintln!("filling {}", path.display());
        for stale in ["new", "new-wal", "new-shm"] {
            let _ = std::fs::remove_file(path.with_extension(stale));
        }
        let new = path.with_extension("new");
        fill(&new, finished, waiting);
        std::fs::rename(&new, &path).expect("rename");
    }
    path
}

/// The daemon's storage, with memory for what a whole transaction changes.
struct Roomy(FileStorage);

impl Storage for Roomy {
    fn open(&self) -> Result<Connection, rusqlite::Error> {
        let db = self.0.open()?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(db)
    }

    fn free_bytes(&self) -> Option<u64> {
        self.0.free_bytes()
    }

    fn keep_room(&self) {
        self.0.keep_room();
    }
}

/// Writes a database at `path` in which `finished` tasks have succeeded and `waiting` ones wait for approval.
fn fill(path: &Path, finished: i64, waiting: i64) {
    let storage = Roomy(FileStorage::new(path.to_owned()));
    let mut store = Store::open(&storage as &dyn Storage).expect("open");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("in range");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("boot id").trim().to_owned();
    let uptime = std::fs::read_to_string("/proc/uptime").expect("uptime");
    let boot_ms = uptime.split('.').next().and_then(|s| s.parse::<i64>().ok()).expect("seconds") * 1_000;
    let booted = |boot_ms: i64, wall_ms: i64| {
        let fact =
            Fact::Booted { version: "bench".to_owned(), config: String::new(), boot: boot.clone(), boot_ms, wall_ms };
        Event { trace: String::new(), task: None, attempt: None, actor: Actor::System, fact }
    };
    store.begin().expect("begin");
    store.apply(now - finished * GAP_MS, &booted(0, now - finished * GAP_MS)).expect("apply");
    for id in 1..=finished + waiting {
        let ago = (finished - id).max(0) * GAP_MS + 1_000;
        for event in life(id, &boot, id <= finished, boot_ms - ago + policy::BUTTON_TTL_MS) {
            store.apply(now - ago, &event).expect("apply");
        }
        if id % TASKS_AT_ONCE == 0 {
            store.commit().expect("commit");
            store.checkpoint().expect("checkpoint");
            store.begin().expect("begin");
        }
    }
    // A daemon that starts forgets the buttons that are too old, and the next one is not to do it all at once.
    store.apply(now, &booted(boot_ms, now)).expect("apply");
    store.commit().expect("commit");
    store.checkpoint().expect("checkpoint");
}

/// What is on record of a task, which ran if `finished`. If it has a card, its buttons can be pressed until `pressed_until`.
fn life(id: i64, boot: &str, finished: bool, pressed_until: i64) -> Vec<Event> {
    // Spread like the random keys and nonces of real requests, which is what costs the index something.
    let key =
        format!("{:032x}", u128::from(id.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let task = TaskId(id);
    let hash = format!("{:064x}", u128::from(id.cast_unsigned()));
    let moved = |from, cause| step(from, cause).expect("a legal move");
    let key_of = AttemptKey { task, attempt: 1 };
    let chat = (id % 2 == 0).then_some(CHAT);
    let natural = if chat.is_some() { format!("m:1:{CHAT}:{id}") } else { format!("l:{key}") };
    let received = Fact::Received { key: natural, update: None, chat, command: "newtask".to_owned() };
    let requested = Fact::Requested {
        kind: "ask".to_owned(),
        prompt: "main branch, release profile".to_owned(),
        heavy: true,
        group: "ask".to_owned(),
        chat,
        thread: None,
        message: chat.and_then(|_| i32::try_from(id).ok()),
        rerun_of: None,
        until: NEVER_MS,
    };
    let approved = Fact::Approved {
        hash: hash.clone(),
        note: String::new(),
        until: NEVER_MS,
        step: Some(moved(State::Requested, Cause::Approved)),
    };
    let resumed = Fact::Resumed { step: moved(State::Approved, Cause::Resumed), until: NEVER_MS };
    let claimed =
        Fact::Claimed { nonce: key[..13].to_owned(), hash: hash.clone(), step: moved(State::Queued, Cause::Claimed) };
    let identity = Identity { boot: boot.to_owned(), pid: 4_000, start: 123_456 };
    let identified = Fact::Identified { identity, until: Some(NEVER_MS) };
    let ended = Fact::Ended {
        end: Some(End::Exited(0)),
        cause: Some(EndCause::Itself),
        outcome: Outcome::Success,
        ran_ms: Some(1),
        strays: 0,
        logs: Vec::new(),
        evidence: String::new(),
        stop_lost: false,
        retry: None,
        step: moved(State::Running, Cause::ExitedZero),
    };
    let card = |actions: [&str; 2], class| {
        let button = |action: &str| (action.to_owned(), format!("{}{}", &key[..12], &action[..1]));
        let what = What::Card { buttons: actions.map(button).into(), hash: hash.clone(), until: pressed_until };
        Fact::Queued { id, class, chat: CHAT, what, anew: false }
    };
    let mut facts = vec![received, requested];
    if chat.is_some() {
        facts.push(card(["approve", "reject"], Class::Approval));
        facts.extend(shown(id, 1));
    }
    if finished {
        let after = chat.map(|_| card(["log", "why"], Class::Edit));
        facts.extend([approved, resumed, claimed, identified, ended]);
        facts.extend(after);
    }
    if finished && chat.is_some() {
        facts.extend(shown(id, 2));
        let text = format!("Task {id} (ask) succeeded after 1 ms.\nmain branch, release profile");
        let what = What::Report(Outgoing { chat: CHAT, text, ..Outgoing::default() });
        facts.push(Fact::Queued { id: id + 1, class: Class::Report, chat: CHAT, what, anew: false });
        facts.extend(shown(id + 1, 1));
    }
    let attempt = |fact: &Fact| {
        let of_attempt = matches!(fact, Fact::Claimed { .. } | Fact::Identified { .. } | Fact::Ended { .. });
        of_attempt.then_some(key_of.attempt)
    };
    facts
        .into_iter()
        .map(|fact| Event {
            trace: format!("cli-{key}"),
            task: Some(task),
            attempt: attempt(&fact),
            actor: Actor::Local(1_000),
            fact,
        })
        .collect()
}

/// A message was sent. Messages are numbered like the task of their card, and the reports by the numbers between.
fn shown(id: i64, version: u32) -> [Fact; 2] {
    let message = if version > 1 { 0 } else { i32::try_from(id).expect("in range") };
    [Fact::Sending { id, version }, Fact::Sent { id, message, version, next: 0 }]
}
