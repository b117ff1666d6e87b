//! The daemon as a process against the floors of the same run: the targets of docs/BENCHMARKS.md.
//!
//! `cargo xtask bench [--quick] [--json] [PART...]`. Every figure is a median over rounds, in each of which ours and the
//! floor take turns; beside it stand the lowest and the highest ratio of the rounds, which is how noisy the machine was.
//! Nothing here fails when a target is missed: it is a measurement, not a test.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what measures reads clocks and plays clients in threads"
)]

#[path = "../fill.rs"]
mod fill;
mod floors;
mod least;
mod measures;
mod peers;
mod process;
mod record;
mod stats;

use process::Place;
use stats::Figure;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

type Part = (&'static str, fn(&Bench) -> Vec<Figure>);

const PARTS: [Part; 9] = [
    ("floors", measures::floors),
    ("answer", measures::answer),
    ("throughput", measures::throughput),
    ("command", measures::command),
    ("lives", measures::lives),
    ("latency", measures::latency),
    ("restart", measures::restart),
    ("history", measures::history),
    ("loaded", measures::loaded),
];
/// The record is measured last, when the large database is warm or not as it may be.
const RECORD: Part = ("record", measures::record);

/// Others, only when they are asked for by name.
const PEERS: Part = ("peers", peers::peers);

/// What the measures share.
pub(crate) struct Bench {
    pub(crate) quick: bool,
    scratch: PathBuf,
    places: Cell<u32>,
}

impl Bench {
    /// Repetitions of every comparison.
    pub(crate) fn rounds(&self) -> u32 {
        if self.quick { 3 } else { 7 }
    }

    /// How often within a round.
    pub(crate) fn scaled(&self, times: u32) -> u32 {
        if self.quick { times.div_ceil(3) } else { times }
    }

    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.places.set(self.places.get() + 1);
        let dir = self.scratch.join(format!("{}-{name}", self.places.get()));
        std::fs::create_dir_all(&dir).expect("mkdir");
        dir
    }

    /// A fresh state directory.
    pub(crate) fn place(&self, name: &str) -> Place {
        Place::new(self.dir(name))
    }

    /// A database with so many tasks.
    pub(crate) fn filled(&self, finished: i64, waiting: i64) -> PathBuf {
        fill::filled(Path::new(env!("CARGO_TARGET_TMPDIR")), finished, waiting)
    }

    pub(crate) fn least_client(&self) -> PathBuf {
        let (source, program) = (self.dir("least").join("least_client.rs"), self.scratch.join("least_client"));
        std::fs::write(&source, include_str!("least_client.rs")).expect("write");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let status = Command::new(rustc).args(["-O", "--edition", "2024", "-o"]).arg(&program).arg(&source).status();
        assert!(status.expect("rustc").success(), "the least client compiles");
        program
    }
}

impl Drop for Bench {
    /// Gives back what is large. The many small files stay until `cargo clean`: an ext4 without a journal does not use an
    /// inode again for five minutes after its file was deleted, and looks at each of them for every file it makes, which
    /// slowed the next run's tasks by milliseconds.
    fn drop(&mut self) {
        for place in std::fs::read_dir(&self.scratch).into_iter().flatten().flatten() {
            for name in ["mainstay.db", "mainstay.db-wal", "mainstay.db-shm"] {
                let _ = std::fs::remove_file(place.path().join("state").join(name));
            }
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [role, socket, database] = &arguments[..]
        && role == "least-daemon"
    {
        return least::serve(Path::new(socket), Path::new(database));
    }
    let has = |flag: &str| arguments.iter().any(|a| a == flag);
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    // Beside the databases, so that a filled one can be linked rather than copied, on a disk that is one.
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("scratch").keep();
    let bench = Bench { quick: has("--quick"), scratch, places: Cell::new(0) };
    let json = has("--json");
    if !json {
        println!("{}", stats::HEAD);
    }
    let is_wanted = |name: &str| wanted.iter().any(|w| *w == name);
    for (name, measure) in PARTS.into_iter().chain([RECORD, PEERS]) {
        if !is_wanted(name) && (!wanted.is_empty() || name == PEERS.0) {
            continue;
        }
        for figure in measure(&bench) {
            println!("{}", if json { figure.json().to_string() } else { figure.row() });
        }
    }
    for name in if is_wanted(PEERS.0) { peers::missing() } else { Vec::new() } {
        if json {
            println!("{}", serde_json::json!({ "left_out": name, "why": "it is not installed" }));
        } else {
            eprintln!("{name} is left out: it is not installed");
        }
    }
}
