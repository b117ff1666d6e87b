//! What others do who queue and run commands, beside ours and the floors of the same rounds: pueue, task-spooler, nq, where
//! they are installed. `cargo xtask bench --peers`.
//!
//! They promise less (none of them syncs a task to disk, none knows after a kill what became of it): what is compared is what
//! somebody waits for, an added command and commands that ran.

use crate::floors;
use crate::process::{Daemon, LeastDaemon, Log, Place, request};
use crate::stats::{Figure, Target};
use crate::{Bench, measures};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a peer's daemon.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody else's queue.
struct Peer {
    name: &'static str,
    /// Its program on the path.
    program: &'static str,
    /// Commands that it runs at once here.
    width: u32,
    /// Makes it ready in a folder; what is to be ended afterwards.
    start: fn(&Path) -> Option<Child>,
    /// Adds `true`.
    add: fn(&Path) -> Command,
    /// Waits until everything that was added has run.
    wait: fn(&Path) -> Command,
}

const PEERS: [Peer; 3] = [
    Peer {
        name: "pueue",
        program: "pueue",
        width: 2,
        start: start_pueue,
        add: |dir| pueue(dir, "pueue", &["add", "--", "true"]),
        wait: |dir| pueue(dir, "pueue", &["wait", "--quiet"]),
    },
    Peer {
        name: "task-spooler",
        program: "tsp",
        width: 2,
        start: |dir| {
            run(&mut tsp(dir, &["-S", "2"]));
            None
        },
        add: |dir| tsp(dir, &["-n", "true"]),
        wait: |dir| tsp(dir, &["-w"]),
    },
    Peer {
        name: "nq",
        program: "nq",
        width: 1,
        start: |_| None,
        add: |dir| nq(dir, &["true"]),
        wait: |dir| nq(dir, &["-w"]),
    },
];

/// Those that are not installed: they are left out, and that is said.
pub(crate) fn missing() -> Vec<&'static str> {
    PEERS.iter().filter(|peer| !is_installed(peer.program)).map(|peer| peer.name).collect()
}

/// All that are there.
pub(crate) fn peers(bench: &Bench) -> Vec<Figure> {
    let least_client = bench.least_client();
    let there = || PEERS.iter().filter(|peer| is_installed(peer.program));
    let mut figures = vec![ours_added(bench, &least_client)];
    figures.extend(there().map(|peer| added(bench, peer, &least_client)));
    figures.extend([1, 2].map(|width| ours_ran(bench, width)));
    figures.extend(there().map(|peer| ran(bench, peer)));
    figures
}

fn figure(what: String, ours: Vec<f64>, floor: Vec<f64>) -> Figure {
    Figure { number: "peers", what, unit: "/s", ours, floor, target: Target::None }
}

fn times(bench: &Bench) -> u32 {
    bench.scaled(60)
}

/// Commands a second of one that adds, and of the least client in turns with it.
fn in_turns(bench: &Bench, dir: &Path, least_client: &Path, mut add: impl FnMut() -> Command) -> (f64, f64) {
    let least = LeastDaemon::start(dir);
    let line = request(1, 1, &["newtask", "ask", "-"]);
    let (mut ours, mut floor) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..times(bench) {
        let mut theirs = add();
        ours += timed(|| run(&mut theirs));
        let mut client = Command::new(least_client);
        client.arg(&least.socket).arg(line.trim());
        floor += timed(|| run(&mut client));
    }
    let rate = |time: Duration| f64::from(times(bench)) / time.as_secs_f64();
    (rate(ours), rate(floor))
}

fn ours_added(bench: &Bench, least_client: &Path) -> Figure {
    let round = |_| {
        let place = bench.place("peers-ours");
        let daemon = Daemon::start(&place, Log::File);
        let rates = in_turns(bench, &place.dir, least_client, || ours(&place, "ask"));
        drop(daemon);
        rates
    };
    let (ours, floor) = (0..bench.rounds()).map(round).unzip();
    figure("mainstay: commands that add (floor: least client)".into(), ours, floor)
}

fn added(bench: &Bench, peer: &Peer, least_client: &Path) -> Figure {
    let round = |_| {
        let dir = bench.dir(peer.program);
        let child = (peer.start)(&dir);
        let rates = in_turns(bench, &dir, least_client, || (peer.add)(&dir));
        end(peer, &dir, child);
        rates
    };
    let (ours, floor) = (0..bench.rounds()).map(round).unzip();
    figure(format!("{}: commands that add (floor: least client)", peer.name), ours, floor)
}

/// `true`s that ran, a second, from the first command that adds one.
fn ours_ran(bench: &Bench, width: u32) -> Figure {
    let round = |_| {
        let place = bench.place("peers-ran");
        let floor = floors::lives(&place.dir, width, times(bench));
        let daemon = Daemon::start(&place, Log::Read);
        let ours = measures::run_lives(&daemon, &place, width, times(bench));
        drop(daemon);
        (ours, floor)
    };
    let (ours, floor) = (0..bench.rounds()).map(round).unzip();
    figure(format!("mainstay: `true`, {width} at once, on a connection (floor: life)"), ours, floor)
}

fn ran(bench: &Bench, peer: &Peer) -> Figure {
    let round = |_| {
        let dir = bench.dir(peer.program);
        let floor = floors::lives(&dir, peer.width, times(bench));
        let child = (peer.start)(&dir);
        let took = timed(|| {
            for _ in 0..times(bench) {
                run(&mut (peer.add)(&dir));
            }
            run(&mut (peer.wait)(&dir));
        });
        end(peer, &dir, child);
        (f64::from(times(bench)) / took.as_secs_f64(), floor)
    };
    let (ours, floor) = (0..bench.rounds()).map(round).unzip();
    figure(format!("{}: `true`, {} at once, by its commands (floor: life)", peer.name, peer.width), ours, floor)
}

fn ours(place: &Place, kind: &str) -> Command {
    let mut command = place.command();
    command.args(["newtask", kind, "-"]);
    command
}

fn tsp(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("tsp");
    command.args(args).env("TS_SOCKET", dir.join("tsp")).env("TMPDIR", dir);
    command
}

fn nq(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("nq");
    command.args(args).env("NQDIR", dir);
    command
}

fn pueue(dir: &Path, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("--config").arg(dir.join("pueue.yml")).args(args).env("HOME", dir).env("XDG_RUNTIME_DIR", dir);
    command
}

fn start_pueue(dir: &Path) -> Option<Child> {
    let shared = format!(
        "shared:\n  pueue_directory: {0}\n  runtime_directory: {0}\n  use_unix_socket: true\nclient: {{}}\n\
         daemon:\n  default_parallel_tasks: 2\n",
        dir.display()
    );
    std::fs::write(dir.join("pueue.yml"), shared).expect("config");
    let mut command = pueue(dir, "pueued", &[]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pueued");
    let since = Instant::now();
    while !is_good(&mut pueue(dir, "pueue", &["status"])) {
        assert!(since.elapsed() < PATIENCE, "pueued answers");
        std::thread::sleep(Duration::from_millis(20));
    }
    pueue(dir, "pueue", &["parallel", "2"]).stdout(Stdio::null()).status().expect("pueue");
    Some(child)
}

/// Ends what a peer left running in the background.
fn end(peer: &Peer, dir: &Path, child: Option<Child>) {
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    } else if peer.program == "tsp" {
        run(&mut tsp(dir, &["-K"]));
    }
}

fn run(command: &mut Command) {
    assert!(is_good(command), "{command:?} ends well");
}

fn is_good(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

fn timed(what: impl FnOnce()) -> Duration {
    let start = Instant::now();
    what();
    start.elapsed()
}

fn is_installed(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).map(|folder: PathBuf| folder.join(program)).any(|path| path.is_file())
}
