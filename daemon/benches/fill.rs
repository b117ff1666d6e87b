//! Fills a database with tasks, through the store's own code: the events that each task's life would have left.

use mainstay::attempt::{End, EndCause, Identity};
use mainstay::event::{Event, Fact};
use mainstay::id::{Actor, AttemptKey, TaskId};
use mainstay::ports::Storage;
use mainstay::real::store::{FileStorage, Store};
use mainstay::task::{Cause, Outcome, State, step};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tasks per transaction: few syncs, and the WAL stays small.
const TASKS_AT_ONCE: i64 = 2_000;
/// Between the ends of two tasks, in ms of the wall clock: 2,880 a day, which is a busy machine of this size.
const GAP_MS: i64 = 30_000;
/// Far beyond any bench, ms of the boot clock.
const NEVER_MS: i64 = i64::MAX / 4;

/// A database in `folder` with so many tasks; made once and kept, because the largest takes a minute.
pub(crate) fn filled(folder: &Path, finished: i64, waiting: i64) -> PathBuf {
    let path = folder.join(format!("filled-{finished}-{waiting}.db"));
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

/// Writes a database at `path` in which `finished` tasks have succeeded and `waiting` ones wait for approval.
fn fill(path: &Path, finished: i64, waiting: i64) {
    let storage = FileStorage::new(path.to_owned());
    let mut store = Store::open(&storage as &dyn Storage).expect("open");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("in range");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("boot id").trim().to_owned();
    let booted = Fact::Booted {
        version: "bench".to_owned(),
        config: String::new(),
        boot: boot.clone(),
        boot_ms: 0,
        wall_ms: now - finished * GAP_MS,
    };
    let system = Event { trace: String::new(), task: None, attempt: None, actor: Actor::System, fact: booted };
    store.begin().expect("begin");
    store.apply(now - finished * GAP_MS, &system).expect("apply");
    for id in 1..=finished + waiting {
        let at = now - (finished - id).max(0) * GAP_MS - 1_000;
        for event in life(id, &boot, id <= finished) {
            store.apply(at, &event).expect("apply");
        }
        if id % TASKS_AT_ONCE == 0 {
            store.commit().expect("commit");
            store.checkpoint().expect("checkpoint");
            store.begin().expect("begin");
        }
    }
    store.commit().expect("commit");
    store.checkpoint().expect("checkpoint");
}

/// What is on record of a task that was asked for on the command line, and ran if `finished`.
fn life(id: i64, boot: &str, finished: bool) -> Vec<Event> {
    // Spread like the random keys and nonces of real requests, which is what costs the index something.
    let key =
        format!("{:032x}", u128::from(id.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let task = TaskId(id);
    let hash = format!("{:064x}", u128::from(id.cast_unsigned()));
    let moved = |from, cause| step(from, cause).expect("a legal move");
    let key_of = AttemptKey { task, attempt: 1 };
    let received = Fact::Received { key: format!("l:{key}"), update: None, chat: None, command: "newtask".to_owned() };
    let requested = Fact::Requested {
        kind: "ask".to_owned(),
        prompt: "main branch, release profile".to_owned(),
        heavy: true,
        group: "ask".to_owned(),
        chat: None,
        thread: None,
        message: None,
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
        Fact::Claimed { nonce: key[..13].to_owned(), hash, until: None, step: moved(State::Queued, Cause::Claimed) };
    let identified = Fact::Identified { identity: Identity { boot: boot.to_owned(), pid: 4_000, start: 123_456 } };
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
    let mut facts = vec![received, requested];
    if finished {
        facts.extend([approved, resumed, claimed, identified, ended]);
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
