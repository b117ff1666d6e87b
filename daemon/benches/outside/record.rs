//! The record as a whole: how fast its end is shown, and what a turn costs that removes its beginning.

use crate::Bench;
use crate::process::Place;
use crate::stats::{Figure, Target, percentile, us};
use mainstay::event::{Event, Fact, Outlived};
use mainstay::id::Actor;
use mainstay::real::store::{FileStorage, Store};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// `logs --last 500` as a process, over a long record and (the floor) over a short one.
pub(crate) fn shown(bench: &Bench) -> Figure {
    let [long, short] = [100_000, 10].map(|tasks| linked(bench, tasks));
    let once = |place: &Place| {
        let mut logs = place.command();
        logs.args(["logs", "--last", "500"]).stdout(Stdio::null());
        let start = Instant::now();
        assert!(logs.status().expect("it runs").success());
        us(start.elapsed()) / 1e3
    };
    let median = |place: &Place| percentile(&(0..bench.scaled(30)).map(|_| once(place)).collect::<Vec<_>>(), 50.0);
    let rounds: Vec<(f64, f64)> = (0..bench.rounds()).map(|_| (median(&long), median(&short))).collect();
    Figure {
        number: "8",
        what: "`mainstay logs --last 500`, 1,150,000 events (floor: 117)".to_owned(),
        unit: "ms",
        ours: rounds.iter().map(|(ours, _)| *ours).collect(),
        floor: rounds.iter().map(|(_, floor)| *floor).collect(),
        target: Target::AtMost(50.0),
    }
}

/// A place with a record of its own name only: it is read.
fn linked(bench: &Bench, tasks: i64) -> Place {
    let place = bench.place("shown");
    std::fs::hard_link(bench.filled(tasks, 0), place.database()).expect("link");
    place
}

/// Turns that remove as many events as one may, beside turns that record one event (the floor).
pub(crate) fn removed(bench: &Bench) -> Figure {
    let path = bench.dir("removed").join("mainstay.db");
    std::fs::copy(bench.filled(10_000, 0), &path).expect("a copy");
    let (ours, floor) = turns(&path, bench.scaled(210));
    let third = |times: &[Duration]| -> Vec<f64> {
        let chunk = times.len() / 3;
        times.chunks(chunk.max(1)).map(|t| percentile(&t.iter().map(|d| us(*d)).collect::<Vec<_>>(), 50.0)).collect()
    };
    Figure {
        number: "8",
        what: "a turn that removes 256 events (floor: one that records an event)".to_owned(),
        unit: "us",
        ours: third(&ours),
        floor: third(&floor),
        target: Target::AtMost(10_000.0),
    }
}

fn turns(path: &Path, times: u32) -> (Vec<Duration>, Vec<Duration>) {
    let mut store = Store::open(&FileStorage::new(path.to_owned())).expect("open");
    let event = |fact| Event { trace: String::new(), task: None, attempt: None, actor: Actor::System, fact };
    let commit = |store: &mut Store, fact: Fact| {
        let start = Instant::now();
        store.begin().expect("begin");
        store.apply(1, &event(fact)).expect("apply");
        store.commit().expect("commit");
        start.elapsed()
    };
    let booted =
        Fact::Booted { version: String::new(), config: String::new(), boot: "b".into(), boot_ms: 1, wall_ms: 1 };
    commit(&mut store, booted);
    let mut samples = (Vec::new(), Vec::new());
    for _ in 0..times {
        // What the daemon looks at first belongs to the turn.
        let start = Instant::now();
        let oldest = store.record_row().expect("read").oldest;
        let (first, last) = (oldest.first().expect("events").seq, oldest.last().expect("events").seq);
        let hash = store.hash_of(last).expect("read").expect("there");
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let looked = start.elapsed();
        let fact = Fact::Pruned { through: last, hash, events: last - first + 1, why: Outlived::Age };
        samples.0.push(looked + commit(&mut store, fact));
        samples.1.push(commit(&mut store, Fact::Violation { what: "none".into() }));
        store.checkpoint().expect("checkpoint");
    }
    samples
}
