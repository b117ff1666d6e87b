//! What happens inside the process, by criterion: a turn of the loop with one command or 64 in it (decide, apply, commit),
//! opening, asking, verifying and rebuilding with a history. The real loop on the real store; only the socket and the
//! runner are played.
//!
//! `cargo bench -p mainstay --bench inside`. The whole program against its floors is `cargo xtask bench`.

#![expect(clippy::disallowed_methods, reason = "what measures reads clocks and plays clients in threads")]

mod fill;

use criterion::{BenchmarkId, Criterion, Throughput};
use mainstay::attempt::{Identity, Observation};
use mainstay::command::{Command, Mode, Role};
use mainstay::config::{Config, Kind, Operator};
use mainstay::id::{AttemptKey, TaskId};
use mainstay::ports::{
    Answer, Control, ControlInput, LocalFuture, LocalRequest, Notice, Noticed, Ports, Runner, Spec, StartFailed,
    Storage, Stream,
};
use mainstay::real::clock::SystemClock;
use mainstay::real::store::{FileStorage, Store, rebuild};
use mainstay::view::View;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Below the 10,000 open tasks that a daemon takes.
const ASKED_MAX: u64 = 8_000;
/// Ms since 1970, after everything in the databases.
const NOW_MS: i64 = 4_000_000_000_000;

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    turns(&mut criterion);
    histories(&mut criterion);
    record(&mut criterion);
    criterion.final_summary();
}

/// Commands through the whole loop, so many in a turn.
fn turns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("newtask, loop and commit");
    for in_a_turn in [1, 64] {
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::from_parameter(in_a_turn), |bencher| {
            bencher.iter_custom(|commands| {
                let rounds = (0..commands.div_ceil(ASKED_MAX)).map(|n| ASKED_MAX.min(commands - n * ASKED_MAX));
                rounds.map(|n| run(n, in_a_turn)).sum()
            });
        });
    }
}

fn run(commands: u64, in_a_turn: u64) -> Duration {
    let dir = tempfile::tempdir_in(scratch()).expect("tempdir");
    let script =
        Rc::new(Script { in_a_turn, left: Cell::new(commands), began: Cell::new(None), took: Cell::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let ports = Ports {
            version: mainstay::release::VERSION.to_owned(),
            time: Rc::new(SystemClock::new().expect("clock")),
            telegram: None,
            storage: Rc::new(FileStorage::new(dir.path().join("mainstay.db"))),
            runner: Rc::new(NoRunner),
            control: script.clone(),
            secrets: Rc::default(),
        };
        mainstay::run::run(ports, Rc::new(config(dir.path()))).await.expect("ends cleanly");
    });
    script.took.get()
}

fn config(dir: &Path) -> Config {
    let operator = Operator { id: 1, name: "bench".to_owned(), roles: vec![Role::Admin], uid: None };
    let kind = Kind::new("ask", true, vec!["/bin/true".to_owned()]);
    Config {
        state_dir: dir.to_owned(),
        autonomy: Mode::Supervised,
        telegram: None,
        operators: BTreeMap::from([(1, operator)]),
        kinds: BTreeMap::from([("ask".to_owned(), kind)]),
        status: None,
        running_max: 32,
        record: mainstay::config::RecordConfig::default(),
        given: std::collections::BTreeSet::new(),
        hash: String::new(),
    }
}

/// A socket on which so many requests are always waiting, until there are no more.
struct Script {
    in_a_turn: u64,
    left: Cell<u64>,
    began: Cell<Option<Instant>>,
    took: Cell<Duration>,
}

impl Control for Script {
    fn next(&self) -> LocalFuture<'_, ControlInput> {
        Box::pin(std::future::pending())
    }

    fn ready(&self) -> Vec<ControlInput> {
        let began = self.began.get().unwrap_or_else(Instant::now);
        self.began.set(Some(began));
        let left = self.left.get();
        if left == 0 {
            self.took.set(began.elapsed());
            return vec![ControlInput::Terminate];
        }
        let now = left.min(self.in_a_turn);
        self.left.set(left - now);
        let request = |n: u64| {
            let argv = ["newtask", "ask", "main branch, release profile"].map(str::to_owned).to_vec();
            let key = format!("{:032x}", u128::from(left - n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
            ControlInput::Request(LocalRequest { connection: n, uid: 1_000, from_task: false, key, argv })
        };
        (0..now).map(request).collect()
    }

    fn answer(&self, _: u64, answer: Answer) {
        assert!(answer.ok, "{}", answer.text);
    }

    fn notify(&self, _: Notice) {}

    fn watchdog(&self) -> Option<Duration> {
        None
    }
}

/// A machine on which nothing ever ran.
struct NoRunner;

impl Runner for NoRunner {
    fn start(&self, _: Spec) -> LocalFuture<'_, Result<Identity, StartFailed>> {
        unreachable!("nothing is approved")
    }
    fn go(&self, _: AttemptKey) -> bool {
        false
    }
    fn clear(&self, _: AttemptKey) -> Result<(), StartFailed> {
        Ok(())
    }
    fn observe(&self, _: AttemptKey, _: Option<&Identity>) -> Observation {
        Observation::Absent
    }
    fn watch(&self, _: AttemptKey, _: Identity) -> LocalFuture<'_, Noticed> {
        unreachable!("nothing runs")
    }
    fn stop(&self, _: AttemptKey, _: &Identity) -> bool {
        false
    }
    fn kill(&self, _: AttemptKey, _: Identity, _: i64) -> LocalFuture<'_, ()> {
        unreachable!("nothing runs")
    }
    fn destroy(&self, _: AttemptKey, _: String) -> LocalFuture<'_, u32> {
        unreachable!("nothing runs")
    }
    fn scan(&self) -> Result<Vec<AttemptKey>, String> {
        Ok(Vec::new())
    }
    fn archive(&self, _: AttemptKey) -> Result<(), String> {
        Ok(())
    }
    fn tail(&self, _: AttemptKey, _: Stream, _: usize, _: usize) -> Result<String, String> {
        Ok(String::new())
    }
}

/// What grows with history, and must not take longer for it.
fn histories(criterion: &mut Criterion) {
    for finished in [10, 100_000, 1_000_000] {
        let storage = FileStorage::new(fill::filled(&scratch(), finished, 0));
        let mut group = criterion.benchmark_group(format!("{finished} finished tasks"));
        group.bench_function("open", |b| b.iter(|| Store::open(&storage as &dyn Storage).expect("open")));
        let store = Store::open(&storage as &dyn Storage).expect("open");
        let middle = TaskId((finished / 2).max(1));
        for (name, command) in [
            ("ops", Command::Ops),
            ("list 50", Command::List { limit: 50, state: None }),
            ("status", Command::Status { task: middle }),
        ] {
            group.bench_function(name, |b| {
                b.iter(|| {
                    let mut view = View::default();
                    store.load_command(&mut view, &command, NOW_MS).expect("load");
                    view
                });
            });
        }
    }
}

/// Events a second that are verified, and applied again.
fn record(criterion: &mut Criterion) {
    const TASKS: i64 = 10_000;
    let path = fill::filled(&scratch(), TASKS, 0);
    let store = Store::open(&FileStorage::new(path) as &dyn Storage).expect("open");
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(store.events().cast_unsigned()));
    group.bench_function("verify", |b| b.iter(|| assert_eq!(store.verify(1).expect("verify"), None)));
    group.bench_function("rebuild", |b| {
        b.iter(|| {
            let dir = tempfile::tempdir_in(scratch()).expect("tempdir");
            let into = FileStorage::new(dir.path().join("rebuilt.db"));
            rebuild(&store, &into as &dyn Storage).expect("rebuild").events()
        });
    });
}

/// On the disk that the build is on.
fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}
