//! What any design of this kind has to pay.

use rusqlite::{Connection, params};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const BODY: &str =
    r#"{"kind":"ask","prompt":"main branch, release profile","heavy":true,"group":"ask","until":86400000}"#;

/// A database with the least tables: a row a task, a row an event.
pub(crate) struct Rows {
    db: Connection,
    next: i64,
}

impl Rows {
    pub(crate) fn open(path: &Path) -> Rows {
        let db = Connection::open(path).expect("open");
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE IF NOT EXISTS tasks (id INTEGER PRIMARY KEY, state TEXT NOT NULL, body TEXT NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, task INTEGER NOT NULL, body TEXT NOT NULL) STRICT;",
        )
        .expect("tables");
        Rows { db, next: 0 }
    }

    pub(crate) fn begin(&self) {
        self.db.prepare_cached("BEGIN IMMEDIATE").expect("sql").execute([]).expect("begin");
    }

    pub(crate) fn commit(&self) {
        self.db.prepare_cached("COMMIT").expect("sql").execute([]).expect("commit");
    }

    /// A request becomes a row.
    pub(crate) fn add(&mut self, body: &str) -> i64 {
        self.next += 1;
        let mut insert = self.db.prepare_cached("INSERT INTO tasks VALUES (?1, 'REQUESTED', ?2)").expect("sql");
        insert.execute(params![self.next, body]).expect("insert");
        self.next
    }

    /// C1's content: a task and an event.
    pub(crate) fn add_both(&mut self) {
        let task = self.add(BODY);
        let mut insert = self.db.prepare_cached("INSERT INTO events VALUES (?1, ?1, ?2)").expect("sql");
        insert.execute(params![task, BODY]).expect("insert");
    }

    /// Between measurements: the WAL starts again.
    pub(crate) fn checkpoint(&self) {
        self.db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).expect("checkpoint");
    }
}

/// (a) Appends 4 KiB and syncs.
pub(crate) fn append(dir: &Path, times: u32) -> Vec<Duration> {
    let mut file = File::create(dir.join("append")).expect("create");
    timed(times, || {
        file.write_all(&[7; 4096]).expect("write");
        file.sync_data().expect("sync");
    })
}

/// (b) One commit of a task and an event.
pub(crate) fn commit(dir: &Path, times: u32) -> Vec<Duration> {
    let mut rows = Rows::open(&dir.join("floor.db"));
    rows.next = rows.db.query_row("SELECT coalesce(max(id), 0) FROM tasks", [], |r| r.get(0)).expect("max");
    rows.checkpoint();
    timed(times, || {
        rows.begin();
        rows.add_both();
        rows.commit();
    })
}

/// (d) Starts `/bin/true` in a process group of its own and waits for its end.
pub(crate) fn spawn() {
    let mut command = Command::new("/bin/true");
    let status = command.process_group(0).stdin(Stdio::null()).status().expect("spawn");
    assert!(status.success());
}

/// (e) Makes a small file durable under its name.
pub(crate) fn receipt(dir: &Path, name: &str) {
    let (new, done) = (dir.join(format!("{name}.tmp")), dir.join(format!("{name}.json")));
    let mut file = File::create(&new).expect("create");
    file.write_all(BODY.as_bytes()).expect("write");
    file.sync_all().expect("sync");
    fs::rename(&new, &done).expect("rename");
    File::open(dir).expect("open").sync_all().expect("sync");
}

pub(crate) fn timed(times: u32, mut what: impl FnMut()) -> Vec<Duration> {
    let one = |_| {
        let start = Instant::now();
        what();
        start.elapsed()
    };
    (0..times).map(one).collect()
}

/// (f) `times` lives of a task, `width` at once: three commits, two spawns, one receipt each. Returns lives per second.
pub(crate) fn lives(dir: &Path, width: u32, times: u32) -> f64 {
    let db = dir.join(format!("lives-{width}.db"));
    let mut rows = Rows::open(&db);
    rows.next = rows.db.query_row("SELECT coalesce(max(id), 0) FROM tasks", [], |r| r.get(0)).expect("max");
    rows.checkpoint();
    let receipts = dir.join("receipts");
    fs::create_dir_all(&receipts).expect("mkdir");
    let start = Instant::now();
    if width == 1 {
        for n in 0..times {
            life(&receipts, n, || {
                rows.begin();
                rows.add_both();
                rows.commit();
            });
        }
    } else {
        lives_at_once(&receipts, width, times, rows);
    }
    let rate = f64::from(times) / start.elapsed().as_secs_f64();
    let _ = fs::remove_dir_all(&receipts);
    rate
}

fn life(receipts: &Path, n: u32, mut commit: impl FnMut()) {
    commit();
    spawn();
    commit();
    spawn();
    receipt(receipts, &n.to_string());
    commit();
}

/// A thread a life; one more commits for all who wait, together.
fn lives_at_once(receipts: &Path, width: u32, times: u32, mut rows: Rows) {
    let next = AtomicU32::new(0);
    let (ask, asked) = mpsc::channel::<mpsc::SyncSender<()>>();
    std::thread::scope(|scope| {
        for _ in 0..width {
            let (ask, next) = (ask.clone(), &next);
            scope.spawn(move || {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= times {
                        return;
                    }
                    life(receipts, n, || {
                        let (done, wait) = mpsc::sync_channel(1);
                        ask.send(done).expect("the committer lives");
                        wait.recv().expect("the committer lives");
                    });
                }
            });
        }
        drop(ask);
        while let Ok(first) = asked.recv() {
            let waiting: Vec<_> = std::iter::once(first).chain(asked.try_iter()).collect();
            rows.begin();
            waiting.iter().for_each(|_| rows.add_both());
            rows.commit();
            waiting.iter().for_each(|done| done.send(()).expect("the life waits"));
        }
    });
}
