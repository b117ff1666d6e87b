//! The database file: its chain, its fence, its schema.

use crate::world::*;
use mainstay::command::Mode;
use mainstay::event::{Event, Fact};
use mainstay::id::Actor;
use mainstay::ports::Storage;
use mainstay::real::store::{FileStorage, Store, StoreError, inspect};
use mainstay::task::State;
use mainstay_sim::disk::{Disk, Fault, Op, Profile, Survivors};
use mainstay_sim::vfs::Vfs;
use rusqlite::Connection;
use std::path::PathBuf;
use tempfile::TempDir;

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = TempDir::new().expect("a folder");
    Place { path: folder.path().join("mainstay.db"), _folder: folder }
}

fn open(place: &Place) -> Result<Store, StoreError> {
    Store::open(&FileStorage::new(place.path.clone()))
}

/// A world in which most kinds of events are on record.
fn story() -> World {
    let mut w = World::new();
    w.say_in(GROUP, OLGA, "/newtask deploy exit:0@2000 progress:half@500");
    w.say(OLGA, "/plan 1 carefully");
    w.say(AXEL, "/approve 1");
    w.say(OLGA, "/plan 1 more carefully");
    w.say(AXEL, "/approve 1");
    w.say(BEA, "/approve 1 fine");
    w.say(OLGA, "/resume 1");
    w.say(STRANGER, "/stop 1");
    w.run_task("flaky", "exit:75@10");
    w.advance(60_000);
    let stopped = w.run_task("build", "hang");
    w.say(OLGA, &format!("/stop {stopped}"));
    w.say(OLGA, "/newtask audit");
    w.say(AXEL, "/review 4 fail other because");
    w.say(AXEL, "/reject 4 no");
    w.say(OLGA, "/recover 4");
    w.cli("rerun 1 2");
    w.cli("mode auto");
    w.write(OLGA, OLGA, "/newtask build late", 3_600_000, serde_json::json!({}));
    w.replay(0, true);
    w.chats.borrow_mut().migrated.insert(GROUP, -1_001_000_000_500);
    w.power_loss(3_600_000);
    w.start();
    w.quiet();
    w.quiet();
    w
}

/// The database on a simulated disk, with production's settings that matter to a power loss.
struct OnDisk(Vfs);

impl Storage for OnDisk {
    fn open(&self) -> Result<Connection, rusqlite::Error> {
        let db = self.0.open("mainstay.db")?;
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0")?;
        Ok(db)
    }
    fn free_bytes(&self) -> Option<u64> {
        None
    }
    fn keep_room(&self) {}
}

/// A failed sync can leave pages that the system shows and has forgotten to write; later syncs succeed without them.
#[test]
fn what_is_committed_after_a_failed_sync_survives_a_power_loss() {
    let disk = Disk::new(1, Profile::SMALL_SECTORS);
    let storage = OnDisk(Vfs::mount(&disk));
    let event = |mode| Event {
        task: None,
        attempt: None,
        trace: String::new(),
        actor: Actor::System,
        fact: Fact::ModeSet { mode },
    };
    let commit = |store: &mut Store, mode| {
        store.begin()?;
        store.apply(1, &event(mode))?;
        store.commit()
    };
    let mut store = Store::open(&storage).expect("a new database");
    commit(&mut store, Mode::Supervised).expect("the disk is well");
    disk.set_faults(Some(Box::new(|op, _, _| (op == Op::Sync).then_some(Fault::SyncDropsWrites))));
    assert!(commit(&mut store, Mode::Readonly).is_err());
    disk.set_faults(None);
    // Killed: closing would tidy up.
    disk.freeze();
    drop(store);
    disk.kill();
    let mut store = Store::open(&storage).expect("it goes on");
    assert!(store.log_kept().is_none());
    commit(&mut store, Mode::Auto).expect("the disk is well");
    disk.freeze();
    drop(store);
    disk.power_loss(Survivors::Nothing);
    let store = Store::open(&storage).expect("it comes back");
    assert_eq!(store.view().expect("readable").mode, Some(Mode::Auto), "what was acknowledged is there");
    assert_eq!(store.verify(1).expect("readable"), None);
}

/// What a program of schema 5 can't read an event without, and the kinds that it knows.
const SCHEMA_5: &[(&str, &[&str])] = &[
    ("booted", &["version", "config", "boot", "boot_ms", "wall_ms"]),
    ("stopping", &[]),
    ("mode_set", &["mode"]),
    ("bot_known", &["bot", "username"]),
    ("poll_broke", &["error"]),
    ("poll_recovered", &["after_ms", "failures"]),
    ("poll_contested", &["times"]),
    ("storage_recovered", &["error", "after_ms"]),
    ("disk_low", &["free"]),
    ("disk_well", &["free"]),
    ("clock_stepped", &["by_ms"]),
    ("alert_raised", &["anomaly", "about", "words"]),
    ("alert_over", &["anomaly", "about", "lasted_ms"]),
    ("backed_up", &["file", "bytes", "events"]),
    ("backup_failed", &["error"]),
    ("released", &["release", "became"]),
    ("violation", &["what"]),
    ("pruned", &["through", "hash", "events", "why"]),
    ("received", &["key", "command"]),
    ("replayed", &["key"]),
    ("passed_over", &["why"]),
    ("refused", &["command", "why"]),
    ("requested", &["of", "prompt", "heavy", "group", "until"]),
    ("approved", &["hash", "until"]),
    ("voided", &["why"]),
    ("rejected", &["reason", "step"]),
    ("planned", &["text"]),
    ("reviewed", &["hash", "pass"]),
    ("resumed", &["step", "until"]),
    ("stopped", &["step"]),
    ("expired", &["step"]),
    ("recovered", &["step", "until"]),
    ("claimed", &["nonce", "hash", "step"]),
    ("identified", &["identity"]),
    ("start_failed", &["error", "until"]),
    ("start_again", &["found"]),
    ("adopted", &["identity"]),
    ("stop_asked", &["alarm"]),
    ("stop_overdue", &[]),
    ("progress", &["line"]),
    ("ended", &["outcome", "step"]),
    ("queued", &["id", "class", "chat", "what"]),
    ("sending", &["id"]),
    ("sent", &["id", "message", "next"]),
    ("send_failed", &["id", "error", "then"]),
    ("send_unknown", &["id"]),
    ("chat_returned", &["chat"]),
    ("chat_migrated", &["from", "to"]),
    ("confirm_asked", &["nonce", "text", "user", "chat", "message", "until"]),
    ("button_used", &["nonce"]),
];

#[test]
fn what_is_recorded_now_can_be_read_by_a_program_of_schema_5_as_the_database_says() {
    let mut w = story();
    assert!(!w.cli("resume 4").ok, "a refusal");
    let (db, mut kinds) = (w.disk.look(), std::collections::BTreeSet::new());
    let least: String =
        db.query_row("SELECT value FROM meta WHERE key = 'min_reader'", [], |r| r.get(0)).expect("says");
    assert_eq!(least, "5", "with a new floor, the table above has to be that of the new floor");
    let mut statement = db.prepare("SELECT kind, data FROM events").expect("sql");
    let mut rows = statement.query([]).expect("events");
    while let Some(row) = rows.next().expect("events") {
        let (kind, data): (String, String) = (row.get(0).expect("kind"), row.get(1).expect("data"));
        let known = SCHEMA_5.iter().find(|(name, _)| *name == kind);
        let (_, fields) = known.unwrap_or_else(|| panic!("{kind} is new: MIN_READER has to be raised for it"));
        let data: serde_json::Value = serde_json::from_str(&data).expect("JSON");
        for field in *fields {
            assert!(data.get(field).is_some(), "{kind} needs {field}: {data}");
        }
        kinds.insert(kind);
    }
    assert!(
        ["refused", "replayed", "claimed", "ended", "planned"].iter().all(|kind| kinds.contains(*kind)),
        "{kinds:?}"
    );
}

#[test]
fn the_tables_are_the_sum_of_the_record() {
    let w = story();
    let kinds: std::collections::BTreeSet<&str> = w.events().iter().map(|e| e.fact.kind()).collect();
    assert!(kinds.len() >= 25, "{kinds:?}");
    w.check_settled();
}

#[test]
fn the_record_refuses_update_delete_and_replace() {
    let w = story();
    let db = w.disk.look();
    for sql in [
        "UPDATE events SET data = '{}' WHERE seq = 3",
        "DELETE FROM events WHERE seq = 3",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT seq, at, epoch, trace, task, attempt, 'policy', kind, data, hash FROM events WHERE seq = 3",
    ] {
        let error = db.execute(sql, []).expect_err(sql);
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    w.check();
}

#[test]
fn an_altered_removed_or_inserted_row_breaks_the_chain_where_it_is() {
    for (sql, found) in [
        ("UPDATE events SET data = replace(data, 'build', 'deploy') WHERE seq = 4", 4),
        ("UPDATE events SET actor = 'tg:99' WHERE seq = 5", 5),
        ("UPDATE events SET at = at + 1 WHERE seq = 7", 7),
        ("UPDATE events SET task = 2 WHERE seq = 4", 4),
        ("DELETE FROM events WHERE seq = 6", 6),
    ] {
        let mut w = World::new();
        for _ in 0..4 {
            w.cli("newtask build");
        }
        w.kill();
        let db = w.disk.look();
        db.execute_batch("DROP TRIGGER events_are_not_changed; DROP TRIGGER events_are_not_removed").expect("triggers");
        assert!(db.execute(sql, []).expect("altered") > 0, "{sql}");
        assert_eq!(w.store().verify(1).expect("readable"), Some(found), "{sql}");
        w.start();
        match &w.exit {
            Some(Exit::Ended(Err(fatal))) => {
                assert_eq!(fatal.code, mainstay::exit::ExitCode::DatabaseDamaged);
                assert!(fatal.text.contains(&format!("event {found} ")), "{fatal}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[test]
fn a_database_of_a_newer_version_is_refused_unless_it_says_that_we_may_write() {
    let place = place();
    drop(open(&place).expect("a new one"));
    let db = Connection::open(&place.path).expect("open");
    db.execute_batch("PRAGMA user_version = 9; UPDATE meta SET value = '9' WHERE key = 'min_writer'").expect("newer");
    let Err(StoreError::Newer { found: 9, known }) = open(&place) else { panic!("it was opened") };
    assert!(known < 9);
    db.execute_batch("UPDATE meta SET value = '1' WHERE key = 'min_writer'").expect("compatible");
    assert!(open(&place).is_ok());
}

#[test]
fn a_newer_database_that_may_be_written_but_not_read_is_refused_to_readers() {
    let place = place();
    drop(open(&place).expect("a new one"));
    let db = Connection::open(&place.path).expect("open");
    db.execute_batch("PRAGMA user_version = 9; UPDATE meta SET value = '9' WHERE key = 'min_reader'").expect("newer");
    drop(db);
    assert!(matches!(inspect(&place.path), Err(StoreError::Newer { found: 9, .. })));
    let db = Connection::open(&place.path).expect("open");
    db.execute_batch("UPDATE meta SET value = '1' WHERE key = 'min_reader'").expect("compatible");
    db.execute_batch("UPDATE meta SET value = '9' WHERE key = 'min_writer'").expect("to readers alone");
    drop(db);
    assert!(inspect(&place.path).is_ok(), "a rollback can still look");
}

#[test]
fn a_new_database_is_made_and_opening_it_again_changes_nothing() {
    let place = place();
    let first = open(&place).expect("a new one").dump(&[]).expect("dump");
    assert_eq!(open(&place).expect("the same").dump(&[]).expect("dump"), first);
    assert!(open(&place).expect("the same").integrity().is_ok());
    assert_eq!(inspect(&place.path).expect("readable").events(), 0);
}

#[test]
fn what_is_not_our_database_is_refused_and_left_alone() {
    let text = place();
    std::fs::write(&text.path, "dear diary, today I was not a database. ".repeat(100)).expect("written");
    let before = std::fs::read(&text.path).expect("read");
    assert!(matches!(open(&text), Err(StoreError::Damaged(_))));
    assert_eq!(std::fs::read(&text.path).expect("read"), before);
    for sql in ["CREATE TABLE recipes (name)", "CREATE TABLE recipes (name); PRAGMA user_version = 1"] {
        let foreign = place();
        Connection::open(&foreign.path).expect("open").execute_batch(sql).expect("foreign");
        assert!(matches!(open(&foreign), Err(StoreError::Damaged(_))), "{sql}");
        let tables: i64 = Connection::open(&foreign.path)
            .expect("open")
            .query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0))
            .expect("a count");
        assert_eq!(tables, 1);
    }
}

#[test]
fn every_life_of_a_daemon_has_its_own_epoch() {
    let mut w = World::new();
    for _ in 0..3 {
        w.restart();
    }
    let epochs: Vec<i64> = w.events().iter().map(|e| e.epoch).collect();
    assert!(epochs.is_sorted());
    assert_eq!((epochs.first(), epochs.last()), (Some(&1), Some(&4)));
}

#[test]
fn a_database_of_schema_1_is_brought_up_to_date_with_what_is_in_it() {
    let place = place();
    let db = Connection::open(&place.path).expect("open");
    db.execute_batch(include_str!("../../daemon/migrations/1.sql")).expect("schema 1");
    db.execute_batch(
        "PRAGMA application_id = 0x4d61696e; PRAGMA user_version = 1;
         INSERT INTO meta (key, value) VALUES ('min_reader', '1'), ('min_writer', '1');
         INSERT INTO tasks (id, kind, prompt, state, heavy, grp, requester, trace, created_ms, attempt, plan, until)
         VALUES (1, 'build', 'old', 'RUNNING', 1, 'build', 'tg:1001', 'cli-old', 5, 1, 'as ever', 9);
         INSERT INTO attempts (task, attempt, nonce, hash, claimed_ms) VALUES (1, 1, 'n', 'h', 6);
         INSERT INTO events VALUES (1, 5, 0, 'cli-old', 1, NULL, 'tg:1002', 'planned', '{\"text\":\"as ever\"}', zeroblob(32));",
    )
    .expect("rows");
    drop(db);
    assert!(inspect(&place.path).is_ok(), "it is read in a copy");
    let version: i64 = Connection::open(&place.path)
        .and_then(|db| db.query_row("PRAGMA user_version", [], |r| r.get(0)))
        .expect("readable");
    assert_eq!(version, 1, "reading alone does not bring it up to date");
    // The one event is there for what is made of it; its hash is none.
    assert!(matches!(open(&place), Err(StoreError::Damaged(_))));
    let store = inspect(&place.path).expect("it is up to date");
    let task = store.task(mainstay::id::TaskId(1)).expect("readable").expect("it is there");
    let author = Some(mainstay::id::Actor::User(1_002));
    assert_eq!((task.task.plan.as_deref(), task.task.plan_by, task.copies.len()), (Some("as ever"), author, 0));
    assert_eq!(task.attempt.expect("its attempt").stale_at, None);
}

/// Makes a database what an older version would have left: schema 1, with all of it that schema 1 has room for.
pub(crate) fn as_of_schema_1(path: &std::path::Path) {
    let older = path.with_extension("older");
    let db = Connection::open(&older).expect("open");
    db.execute_batch(include_str!("../../daemon/migrations/1.sql")).expect("schema 1");
    db.execute("ATTACH ?1 AS newer", [path.to_str().expect("a plain path")]).expect("both");
    let names = |sql: &str| -> Vec<String> {
        let mut statement = db.prepare(sql).expect("sql");
        statement.query_map([], |r| r.get(0)).and_then(Iterator::collect).expect("names")
    };
    for table in names("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'") {
        let columns =
            names(&format!("SELECT format('\"%w\"', name) FROM pragma_table_info('{table}', 'main')")).join(", ");
        let empty = if table == "events" { String::new() } else { format!("DELETE FROM main.{table};") };
        let copy = format!("{empty} INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}");
        db.execute_batch(&copy).unwrap_or_else(|e| panic!("{table}: {e}"));
    }
    db.execute_batch("DETACH newer; PRAGMA application_id = 0x4d61696e; PRAGMA user_version = 1;").expect("marks");
    db.close().expect("closed");
    for end in ["db-wal", "db-shm"] {
        let _ = std::fs::remove_file(path.with_extension(end));
    }
    std::fs::rename(older, path).expect("in its place");
}

#[test]
fn a_daemon_goes_on_with_a_record_of_schema_1() {
    let mut w = World::with(|c| c.kinds.get_mut("deploy").expect("it is there").approvals = 1);
    w.say(OLGA, "/newtask deploy exit:0@10");
    w.say(BEA, "/plan 1 my way");
    w.power_loss(1_000);
    as_of_schema_1(&w.disk.path());
    w.start();
    w.say(BEA, "/approve 1");
    assert_eq!(w.state(1), State::Requested, "the plan is hers, also when nobody wrote that down then");
    w.say(AXEL, "/approve 1");
    w.say(OLGA, "/resume 1");
    w.quiet();
    assert_eq!(w.state(1), State::Succeeded);
    w.check_settled();
}
