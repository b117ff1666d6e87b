//! What is measured of the daemon, each beside its floor, in turns.

use crate::process::{Client, Daemon, LeastDaemon, Log, Place, request};
use crate::stats::{Figure, Target, percentile, us};
use crate::{Bench, floors};
use rusqlite::{Connection, OpenFlags};
use rustix::event::epoll;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ASK: [&str; 3] = ["newtask", "ask", "main branch, release profile"];
/// Requests before the sides change.
const CHUNK: u32 = 250;
/// Below the 10,000 open tasks that a daemon takes.
const ASKED_MAX: u32 = 8_000;
/// At seven events each, these come before the first checkpoint.
const COUNTED_LIVES: u32 = 120;

/// The floors by themselves: what this disk and this machine do today.
pub(crate) fn floors(bench: &Bench) -> Vec<Figure> {
    let dir = bench.dir("floors");
    let times = bench.scaled(400);
    let figure = |what: &str, sample: &dyn Fn() -> Vec<Duration>| {
        let ours = (0..bench.rounds()).map(|_| percentile(&micros(&sample()), 50.0)).collect();
        Figure { number: "-", what: what.to_owned(), unit: "us", ours, floor: Vec::new(), target: Target::None }
    };
    vec![
        figure("floor: append 4 KiB and sync, p50", &|| floors::append(&dir, times)),
        figure("floor: one commit of a task and an event, p50", &|| floors::commit(&dir, times)),
        figure("floor: spawn and wait of /bin/true, p50", &|| floors::timed(times, floors::spawn)),
        figure("floor: receipt (write, sync, rename, sync), p50", &|| {
            floors::timed(times, || floors::receipt(&dir, "one"))
        }),
    ]
}

/// Target 1, one connection: time to a durable answer.
pub(crate) fn answer(bench: &Bench) -> Vec<Figure> {
    let (mut p50, mut p99) = (Pairs::default(), Pairs::default());
    for _ in 0..bench.rounds() {
        let place = bench.place("answer");
        let daemon = Daemon::start(&place, Log::File);
        let least = LeastDaemon::start(&place.dir);
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        let (mut us_client, mut least_client) = (Client::connect(&place.socket()), Client::connect(&least.socket));
        for _ in 0..bench.scaled(8) {
            ours.extend(latencies(&mut us_client, CHUNK));
            floor.extend(latencies(&mut least_client, CHUNK));
        }
        drop(daemon);
        p50.push(percentile(&ours, 50.0), percentile(&floor, 50.0));
        p99.push(percentile(&ours, 99.0), percentile(&floor, 99.0));
    }
    vec![
        p50.figure("1", "durable answer, 1 connection, p50", "us", Target::RatioAtMost(1.25)),
        p99.figure("1", "durable answer, 1 connection, p99", "us", Target::RatioAtMost(2.0)),
    ]
}

fn latencies(client: &mut Client, times: u32) -> Vec<f64> {
    let one = |_| {
        let start = Instant::now();
        client.ask(&ASK);
        us(start.elapsed())
    };
    (0..times).map(one).collect()
}

/// Target 1, 64 connections: requests a second.
pub(crate) fn throughput(bench: &Bench) -> Vec<Figure> {
    let mut rates = Pairs::default();
    for _ in 0..bench.rounds() {
        let place = bench.place("throughput");
        let least = LeastDaemon::start(&place.dir);
        let floor = rate(&least.socket, 64, ASKED_MAX);
        drop(least);
        let daemon = Daemon::start(&place, Log::File);
        let ours = rate(&place.socket(), 64, ASKED_MAX);
        drop(daemon);
        rates.push(ours, floor);
    }
    vec![rates.figure("1", "durable answers, 64 connections", "/s", Target::RatioAtLeast(0.6))]
}

/// Every connection has one request under way; the next follows its answer at once.
fn rate(socket: &Path, connections: u32, requests: u32) -> f64 {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    let mut clients: Vec<Client> = (0..connections).map(|_| Client::connect(socket)).collect();
    for (n, client) in clients.iter().enumerate() {
        let data = epoll::EventData::new_u64(n as u64);
        epoll::add(&epoll, client.stream(), data, epoll::EventFlags::IN).expect("add");
    }
    let start = Instant::now();
    clients.iter_mut().for_each(|c| c.send(&ASK));
    let (mut sent, mut answered) = (connections, 0);
    let mut events = Vec::with_capacity(64);
    while answered < requests {
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None).expect("wait");
        for event in &events {
            let client = &mut clients[event.data.u64() as usize];
            assert!(!client.receive().is_empty(), "the daemon answers");
            answered += 1;
            if sent < requests {
                client.send(&ASK);
                sent += 1;
            }
        }
    }
    f64::from(requests) / start.elapsed().as_secs_f64()
}

/// Target 2: a command as a process.
pub(crate) fn command(bench: &Bench) -> Vec<Figure> {
    let times = bench.scaled(100);
    let least_client = bench.least_client();
    let (mut empty, mut full) = (Pairs::default(), Pairs::default());
    let with_100_000 = bench.filled(100_000, 0);
    for round in 0..bench.rounds() {
        for (pairs, filled) in [(&mut empty, None), (&mut full, Some(&with_100_000))] {
            let place = bench.place("command");
            if let Some(filled) = filled {
                std::fs::copy(filled, place.database()).expect("copy");
            }
            let daemon = Daemon::start(&place, Log::File);
            let least = LeastDaemon::start(&place.dir);
            let line = request(u64::from(round), 1, &ASK);
            let mut theirs = Command::new(&least_client);
            theirs.arg(&least.socket).arg(line.trim()).stdout(Stdio::null());
            let mut ours = place.command();
            ours.args(ASK).stdout(Stdio::null());
            let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
            for _ in 0..times {
                our_times.extend(floors::timed(1, || assert!(ours.status().expect("run").success())));
                their_times.extend(floors::timed(1, || assert!(theirs.status().expect("run").success())));
            }
            drop(daemon);
            pairs.push(1e6 / percentile(&micros(&our_times), 50.0), 1e6 / percentile(&micros(&their_times), 50.0));
        }
    }
    let history = Pairs { ours: full.ours.clone(), floor: empty.ours.clone() };
    vec![
        empty.figure("2", "`mainstay newtask` as a process, against the least client", "/s", Target::RatioAtLeast(0.8)),
        history.figure("2", "the same with 100,000 tasks, against none", "/s", Target::RatioAtLeast(0.9)),
    ]
}

/// Target 3: whole lives of a task that does nothing, and how often they sync the database.
pub(crate) fn lives(bench: &Bench) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (width, times) in [(1, bench.scaled(150)), (2, bench.scaled(200)), (32, bench.scaled(400))] {
        let (mut rates, mut commits) = (Pairs::default(), Pairs::default());
        for _ in 0..bench.rounds() {
            let place = bench.place("lives");
            let floor = floors::lives(&place.dir, width, times);
            let daemon = Daemon::start(&place, Log::Read);
            // Counted first, and not over more lives than fit before the log is emptied; this warms the caches too.
            let before = wal_commits(&place.database());
            run_lives(&daemon, &place, width, COUNTED_LIVES);
            let used = wal_commits(&place.database()) - before;
            commits.ours.push(used / f64::from(COUNTED_LIVES));
            rates.push(run_lives(&daemon, &place, width, times), floor);
            drop(daemon);
        }
        let what = format!("lives of a no-op task, {width} at once");
        figures.push(rates.figure("3", &what, "/s", Target::RatioAtLeast(0.6)));
        let target = if width == 32 { Target::CountedAtMost(1.0) } else { Target::None };
        figures.push(commits.figure("3", &format!("commits a life, {width} at once"), "", target));
    }
    figures
}

pub(crate) fn run_lives(daemon: &Daemon, place: &Place, width: u32, times: u32) -> f64 {
    let mut clients: Vec<Client> = (0..width).map(|_| Client::connect(&place.socket())).collect();
    let start = Instant::now();
    for n in 0..times + width {
        if n >= width {
            daemon.next_end();
        }
        if n < times {
            let client = &mut clients[(n % width) as usize];
            if n >= width {
                client.receive();
            }
            client.send(&["newtask", "noop", "-"]);
        }
    }
    f64::from(times) / start.elapsed().as_secs_f64()
}

/// Commits in the write-ahead log, which is one sync each. Only right while it was never checkpointed.
fn wal_commits(database: &Path) -> f64 {
    let wal = std::fs::read(database.with_extension("db-wal")).expect("a log");
    let number = |at: usize| u32::from_be_bytes(wal[at..at + 4].try_into().expect("four bytes"));
    let page = number(8) as usize;
    let salt = &wal[16..24];
    let frames = (32..wal.len()).step_by(24 + page).take_while(|at| wal.len() >= at + 24 + page);
    let valid = frames.take_while(|at| &wal[at + 8..at + 16] == salt);
    valid.filter(|at| number(at + 4) != 0).count() as f64
}

/// Target 4: from the answer to the first instruction of the task.
pub(crate) fn latency(bench: &Bench) -> Vec<Figure> {
    let times = bench.scaled(100);
    let (mut p50, mut p99) = (Pairs::default(), Pairs::default());
    for _ in 0..bench.rounds() {
        let place = bench.place("latency");
        let fifo = place.dir.join("started");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("fifo");
        let heard = hear(&fifo);
        let daemon = Daemon::start(&place, Log::Read);
        let mut client = Client::connect(&place.socket());
        let mut rows = floors::Rows::open(&place.dir.join("floor.db"));
        let script = format!("echo x > {}", fifo.display());
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..times {
            client.ask(&["newtask", "exec", "-"]);
            let answered = Instant::now();
            ours.push(us(heard.recv().expect("it starts").saturating_duration_since(answered)));
            daemon.next_end();

            let start = Instant::now();
            rows.begin();
            rows.add_both();
            rows.commit();
            floors::spawn();
            let mut task = Command::new("/bin/sh").args(["-c", &script]).spawn().expect("spawn");
            floor.push(us(heard.recv().expect("it starts").saturating_duration_since(start)));
            task.wait().expect("wait");
        }
        drop(daemon);
        p50.push(percentile(&ours, 50.0), percentile(&floor, 50.0));
        p99.push(percentile(&ours, 99.0), percentile(&floor, 99.0));
    }
    vec![
        p50.figure("4", "answer to exec, p50", "us", Target::RatioAtMost(3.0)),
        p99.figure("4", "answer to exec, p99", "us", Target::RatioAtMost(8.0)),
    ]
}

/// Tells when somebody wrote to the pipe.
fn hear(fifo: &Path) -> std::sync::mpsc::Receiver<Instant> {
    let (sender, receiver) = std::sync::mpsc::channel();
    // Also open for writing, so that a writer's end is not the end of the pipe.
    let mut pipe = File::options().read(true).write(true).open(fifo).expect("open");
    std::thread::spawn(move || {
        let mut byte = [0; 2];
        while pipe.read_exact(&mut byte).is_ok() && sender.send(Instant::now()).is_ok() {}
    });
    receiver
}

/// Target 5: restart, memory, idleness.
pub(crate) fn restart(bench: &Bench) -> Vec<Figure> {
    let filled = bench.filled(100_000, 1_000);
    let (mut empty, mut full) = (Vec::new(), Pairs::default());
    let (mut idle_memory, mut full_memory, mut used_memory) = (vec![], vec![], vec![]);
    let (mut wakeups, mut cpu) = (vec![], vec![]);
    for _ in 0..bench.rounds() {
        let place = bench.place("restart");
        let daemon = Daemon::start(&place, Log::File);
        empty.push(daemon.ready_after.as_secs_f64() * 1e3);
        // Let it come to rest first: going to sleep is a switch too.
        std::thread::sleep(Duration::from_millis(300));
        let (before, used) = (daemon.wakeups(), daemon.cpu_ms());
        let idle = bench.scaled(10);
        std::thread::sleep(Duration::from_secs(u64::from(idle)));
        wakeups.push(daemon.wakeups() - before);
        cpu.push((daemon.cpu_ms() - used) / f64::from(idle));
        idle_memory.push(daemon.number("smaps_rollup", "Pss") / 1024.0);
        drop(daemon);
        std::fs::copy(&filled, place.database()).expect("copy");
        drop(Daemon::start(&place, Log::File));
        let daemon = Daemon::start(&place, Log::File);
        full.push(daemon.ready_after.as_secs_f64() * 1e3, *empty.last().expect("one"));
        full_memory.push(daemon.number("smaps_rollup", "Pss") / 1024.0);
        let mut client = Client::connect(&place.socket());
        for task in (1..100_000).step_by(500) {
            client.ask_data(&["ops"]);
            client.ask_data(&["list", "50"]);
            client.ask_data(&["status", &task.to_string()]);
        }
        used_memory.push(daemon.number("smaps_rollup", "Pss") / 1024.0);
    }
    let alone = |what: &str, unit, ours, target| Figure {
        number: "5",
        what: what.to_owned(),
        unit,
        ours,
        floor: Vec::new(),
        target,
    };
    vec![
        alone("start to ready, empty", "ms", empty, Target::None),
        full.figure(
            "5",
            "start to ready, 100,000 finished and 1,000 waiting (floor: empty)",
            "ms",
            Target::AtMost(50.0),
        ),
        alone("memory (PSS) idle, empty", "MiB", idle_memory, Target::CountedAtMost(12.0)),
        alone("memory (PSS) with 100,000 and 1,000 after start", "MiB", full_memory, Target::None),
        alone("the same after 600 questions", "MiB", used_memory, Target::CountedAtMost(40.0)),
        alone("wake-ups while idle", "", wakeups, Target::CountedAtMost(0.0)),
        alone("processor time while idle", "ms/s", cpu, Target::None),
    ]
}

/// Target 6: questions do not get slower with history. Target 8: the record follows.
pub(crate) fn history(bench: &Bench) -> Vec<Figure> {
    let mut figures = Vec::new();
    let sizes: &[i64] = if bench.quick { &[10, 10_000, 100_000] } else { &[10, 10_000, 1_000_000] };
    for size in sizes {
        let filled = bench.filled(*size, 0);
        let place = bench.place("history");
        std::fs::hard_link(&filled, place.database()).expect("link");
        let middle = (size / 2).max(1).to_string();
        let mut samples = [Vec::new(), Vec::new(), Vec::new()];
        let daemon = Daemon::start(&place, Log::File);
        let started = daemon.ready_after.as_secs_f64() * 1e3;
        let mut client = Client::connect(&place.socket());
        for _ in 0..bench.rounds() {
            let questions: [&[&str]; 3] = [&["ops"], &["list", "50"], &["status", &middle]];
            for (argv, samples) in questions.iter().zip(&mut samples) {
                let mut times = Vec::new();
                for _ in 0..20 {
                    let start = Instant::now();
                    client.ask_data(argv);
                    times.push(us(start.elapsed()) / 1e3);
                }
                // The slowest of twenty, so that the first, with cold caches, counts.
                samples.push(percentile(&times, 100.0));
            }
        }
        drop(daemon);
        for (what, ours) in ["/ops", "list of 50", "status"].iter().zip(samples) {
            let what = format!("{what}, {size} tasks, slowest of 20");
            let target = Target::AtMost(10.0);
            figures.push(Figure { number: "6", what, unit: "ms", ours, floor: Vec::new(), target });
        }
        let what = format!("start to ready, {size} tasks");
        let ours = vec![started];
        figures.push(Figure { number: "6", what, unit: "ms", ours, floor: Vec::new(), target: Target::None });
    }
    figures
}

/// Target 7: while every core compiles. The least daemon beside it shows what the scheduler alone does to an answer; the
/// client waits for its turns as well, so it is measured again with one that asks for short ones as the daemon does.
pub(crate) fn loaded(bench: &Bench) -> Vec<Figure> {
    let mut figures = loaded_with(bench, "");
    mainstay::real::slice::ask_for_short_ones().expect("short turns");
    figures.extend(loaded_with(bench, ", client with short turns"));
    figures
}

fn loaded_with(bench: &Bench, how: &str) -> Vec<Figure> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let (mut own, mut foreign) = (Pairs::default(), Pairs::default());
    let mut least_foreign = Pairs::default();
    let times = bench.scaled(1_500);
    for _ in 0..bench.rounds() {
        let place = bench.place("loaded");
        let daemon = Daemon::start(&place, Log::File);
        let least = LeastDaemon::start(&place.dir);
        let mut client = Client::connect(&place.socket());
        let mut least_client = Client::connect(&least.socket);
        let p99 = |client: &mut Client| percentile(&latencies(client, times), 99.0);
        let (idle, least_idle) = (p99(&mut client), p99(&mut least_client));
        let ids: Vec<String> =
            (0..cores).map(|_| client.ask_data(&["newtask", "busy", "-"])["task_id"].to_string()).collect();
        std::thread::sleep(Duration::from_millis(200));
        own.push(p99(&mut client), idle);
        for id in &ids {
            client.ask_data(&["stop", id]);
        }
        let burn = || Command::new("/bin/sh").args(["-c", "while :; do :; done"]).spawn().expect("burn");
        let mut burners: Vec<_> = (0..cores).map(|_| burn()).collect();
        foreign.push(p99(&mut client), idle);
        least_foreign.push(p99(&mut least_client), least_idle);
        for burner in &mut burners {
            let _ = burner.kill();
            let _ = burner.wait();
        }
        drop(daemon);
    }
    vec![
        own.figure(
            "7",
            &format!("durable answer p99, a busy task a core{how} (floor: idle)"),
            "us",
            Target::RatioAtMost(6.0),
        ),
        foreign.figure("7", &format!("a stranger's busy loop a core at nice 0{how}"), "us", Target::None),
        least_foreign.figure("7", &format!("the same of the least daemon{how}"), "us", Target::None),
    ]
}

/// Target 8: bytes on record for a task's life, and how fast the record is verified.
pub(crate) fn record(bench: &Bench) -> Vec<Figure> {
    let place = bench.place("record");
    let daemon = Daemon::start(&place, Log::Read);
    run_lives(&daemon, &place, 1, 20);
    drop(daemon);
    let db = Connection::open_with_flags(place.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("open");
    let bytes: f64 = db
        .query_row(
            "SELECT sum(length(trace) + length(actor) + length(kind) + length(data) + length(hash) + 24) / 20.0
             FROM events WHERE task IS NOT NULL",
            [],
            |r| r.get(0),
        )
        .expect("bytes");
    let size = if bench.quick { 100_000 } else { 1_000_000 };
    let store = mainstay::real::store::inspect(&bench.filled(size, 0)).expect("open");
    let events = store.events().min(1_000_000);
    let one = |_| {
        let start = Instant::now();
        assert_eq!(store.verify(store.events() - events + 1).expect("verify"), None);
        start.elapsed().as_secs_f64() * 1e6 / events as f64
    };
    let verified = (0..bench.rounds()).map(one).collect();
    let figure = |what: &str, unit, ours, target| Figure {
        number: "8",
        what: what.to_owned(),
        unit,
        ours,
        floor: Vec::new(),
        target,
    };
    vec![
        figure("bytes of events a task's life", "B", vec![bytes], Target::CountedAtMost(1_500.0)),
        figure("a million events verified", "s", verified, Target::AtMost(2.0)),
        crate::record::shown(bench),
        crate::record::removed(bench),
    ]
}

/// Ours and the floor's, round by round.
#[derive(Default)]
struct Pairs {
    ours: Vec<f64>,
    floor: Vec<f64>,
}

impl Pairs {
    fn push(&mut self, ours: f64, floor: f64) {
        self.ours.push(ours);
        self.floor.push(floor);
    }

    fn figure(self, number: &'static str, what: &str, unit: &'static str, target: Target) -> Figure {
        Figure { number, what: what.to_owned(), unit, ours: self.ours, floor: self.floor, target }
    }
}

fn micros(durations: &[Duration]) -> Vec<f64> {
    durations.iter().copied().map(us).collect()
}
