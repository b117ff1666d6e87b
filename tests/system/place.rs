//! A place for one test: a folder with configuration and state, its daemon, and all processes that came of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// Longest wait for anything: far beyond what a busy machine needs, so that only a fault gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What every task runs. Its prompt says how it lives: `for SECONDS CODE`, or `until NAME CODE` (such a file exists).
/// The ledger is its own account of what ran, one line each: `begin` or `end`, task, attempt, pid.
const WORKER: &str = r#"#!/bin/sh
here=${0%/*}
read -r how what code
note() { echo "$1 $MAINSTAY_TASK_ID $MAINSTAY_ATTEMPT $$" >> "$here/ledger"; }
note begin
case $how in
  for) sleep "$what" ;;
  until) until [ -e "$here/$what" ]; do sleep 0.02; done ;;
esac
note end
exit "${code:-0}"
"#;

/// Kinds that every place has: `work` needs approval and resume; `again` too, and may run twice; `light` runs by itself
/// in mode auto.
const KINDS: &str = r#"
[[kind]]
name = "work"
argv = ["{dir}/worker"]
self_approval = true

[[kind]]
name = "again"
argv = ["{dir}/worker"]
self_approval = true
idempotent = true
max_attempts = 3
backoff = "100ms"

[[kind]]
name = "light"
argv = ["{dir}/worker"]
heavy = false
"#;

/// A person, and no Telegram: steered by command line.
const OPERATORS: &str = r#"
[[operator]]
id = 1001
name = "ana"
roles = ["admin"]
"#;

/// One test's world. What is left of it when it goes is killed and removed.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    daemon: Option<Child>,
    variables: BTreeMap<String, String>,
}

/// The way to the daemon of a place, for threads.
#[derive(Clone)]
pub(crate) struct Line {
    socket: PathBuf,
}

/// One line of the workers' ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) task: i64,
    pub(crate) attempt: i64,
    pub(crate) what: String,
    pub(crate) pid: i32,
}

/// The program under test. Built when it is not there or not of these sources; another one can be named.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("MAINSTAY_TEST_BINARY") {
            return PathBuf::from(named);
        }
        let test = std::env::current_exe().expect("a test knows its own path");
        let profile = test.ancestors().nth(2).expect("tests are in target/<profile>/deps");
        let binary = profile.join("mainstay");
        if is_fresh(&binary) {
            return binary;
        }
        let release = profile.file_name().is_some_and(|name| name == "release");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "mainstay", "--bin", "mainstay"]);
        build.args(release.then_some("--release"));
        build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        assert!(build.status().expect("cargo").success(), "the program under test can't be built");
        binary
    })
}

/// Whether the program is newer than all that it is made of.
fn is_fresh(binary: &Path) -> bool {
    fn newest(path: &Path) -> Option<SystemTime> {
        let own = fs::metadata(path).ok()?.modified().ok();
        let inside = fs::read_dir(path).into_iter().flatten().filter_map(|entry| newest(&entry.ok()?.path())).max();
        own.max(inside)
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sources = ["daemon/src", "daemon/migrations", "daemon/Cargo.toml", "Cargo.toml", "Cargo.lock"];
    let sources = sources.iter().filter_map(|name| newest(&root.join(name))).max();
    let made = fs::metadata(binary).and_then(|metadata| metadata.modified()).ok();
    made.is_some() && made > sources
}

/// Waits until `look` gives something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A number that no earlier call gave: for keys of requests.
fn fresh() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Place {
    /// A place whose configuration is `top`, the usual kinds and people, and `rest`. `{dir}` stands for its folder.
    pub(crate) fn new(top: &str, rest: &str) -> Place {
        Place::bare(&format!("{top}\n{OPERATORS}{KINDS}{rest}"))
    }

    /// A place with exactly this configuration.
    pub(crate) fn bare(config: &str) -> Place {
        let dir = tempfile::Builder::new().prefix("mainstay-").tempdir().expect("a folder for the test");
        let place = Place { dir, daemon: None, variables: BTreeMap::new() };
        place.configure(config);
        let mut worker = File::options()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(place.path("worker"))
            .expect("make the worker");
        worker.write_all(WORKER.as_bytes()).expect("write the worker");
        place
    }

    /// Writes another configuration.
    pub(crate) fn configure(&self, config: &str) {
        let config = config.replace("{dir}", &self.dir.path().display().to_string());
        fs::write(self.path("mainstay.toml"), config).expect("write the configuration");
    }

    /// Something in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Gives the daemon a variable from its next start on.
    pub(crate) fn variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// A command of the program, in this place, with nothing of the surrounding configuration.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--config").arg(self.path("mainstay.toml")).args(args).current_dir(self.dir.path());
        command.stdin(Stdio::null());
        for name in ["MAINSTAY_CONFIG", "MAINSTAY_LOG", "MAINSTAY_TELEGRAM_TOKEN", "CREDENTIALS_DIRECTORY"] {
            command.env_remove(name);
        }
        command.envs(&self.variables);
        command
    }

    /// Runs a command of the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("run the program")
    }

    /// Runs a command that must succeed, with `--json`, and gives its answer.
    pub(crate) fn cli(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {:?} {text} {said}", output.status);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }

    /// Starts the daemon without waiting for anything.
    pub(crate) fn launch(&mut self) {
        self.launch_at("info");
    }

    /// The same with a log level.
    pub(crate) fn launch_at(&mut self, level: &str) {
        assert!(self.daemon.is_none(), "one daemon at a time");
        let log = File::options().append(true).create(true).open(self.path("daemon.log")).expect("open the log");
        let mut command = self.command(&["run", "--log", level]);
        command.stdout(log.try_clone().expect("the log twice")).stderr(log);
        self.daemon = Some(command.spawn().expect("start the daemon"));
    }

    /// Starts the daemon and waits until it takes requests.
    pub(crate) fn start(&mut self) {
        self.launch();
        self.wait_for_socket();
    }

    /// Waits until the daemon takes requests.
    pub(crate) fn wait_for_socket(&mut self) {
        let line = self.line();
        let daemon = self.daemon.as_mut().expect("a daemon was started");
        until("the daemon's socket", || {
            let ended = daemon.try_wait().expect("look at the daemon");
            assert!(ended.is_none(), "the daemon ended: {ended:?}");
            UnixStream::connect(&line.socket).ok()
        });
    }

    /// The daemon's pid.
    pub(crate) fn pid(&self) -> Pid {
        let id = self.daemon.as_ref().expect("a daemon runs").id();
        Pid::from_raw(id.cast_signed()).expect("not zero")
    }

    /// Kills the daemon, as a crash would.
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        daemon.kill().expect("kill");
        daemon.wait().expect("wait");
    }

    /// `kill -9`, and at once the next daemon, as by somebody who does not wait for the end of the old one.
    pub(crate) fn kill_and_start(&mut self) {
        let mut old = self.daemon.take().expect("a daemon runs");
        old.kill().expect("kill");
        self.launch();
        // Until then the old one's socket may still take connections.
        old.wait().expect("wait");
        self.wait_for_socket();
    }

    /// Asks the daemon to end, and gives how it did.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::TERM).expect("signal");
        self.ended()
    }

    /// Waits for the daemon's end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        until("the daemon's end", || daemon.try_wait().expect("look at the daemon"))
    }

    /// The way to the daemon.
    pub(crate) fn line(&self) -> Line {
        Line { socket: self.path("state/mainstay.sock") }
    }

    /// A task, told on the socket.
    pub(crate) fn task(&self, id: i64) -> Value {
        self.line().ask(&["status", &id.to_string()])["data"].clone()
    }

    /// Waits until a task is in this state.
    pub(crate) fn wait_for(&self, id: i64, state: &str) -> Value {
        until(&format!("task {id} is {state}"), || Some(self.task(id)).filter(|task| task["state"] == state))
    }

    /// Asks for a task, approves it, and lets it run.
    pub(crate) fn let_run(&self, kind: &str, prompt: &str) -> i64 {
        self.line().let_run(kind, prompt)
    }

    /// Makes a file that workers wait for.
    pub(crate) fn release(&self, name: &str) {
        fs::write(self.path(name), "").expect("release");
    }

    /// What the workers say that happened.
    pub(crate) fn ledger(&self) -> Vec<Entry> {
        let text = fs::read_to_string(self.path("ledger")).unwrap_or_default();
        text.lines()
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let number = |n: usize| words[n].parse::<i64>().expect("a number");
                let pid = words[3].parse().expect("a pid");
                Entry { task: number(1), attempt: number(2), what: words[0].to_owned(), pid }
            })
            .collect()
    }

    /// How often a task began, by its own account.
    pub(crate) fn begun(&self, task: i64) -> usize {
        self.ledger().iter().filter(|entry| entry.task == task && entry.what == "begin").count()
    }

    /// Waits until a task's worker has written this, and gives its pid.
    pub(crate) fn wait_for_entry(&self, task: i64, what: &str) -> i32 {
        until(&format!("task {task} notes {what}"), || {
            self.ledger().into_iter().find(|entry| entry.task == task && entry.what == what).map(|entry| entry.pid)
        })
    }

    /// All events on record.
    pub(crate) fn events(&self) -> Vec<Value> {
        let output = self.run(&["logs", "--last", "1000000", "--json"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    /// The events of one kind.
    pub(crate) fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["kind"] == kind).collect()
    }

    /// Nothing happened that must not.
    pub(crate) fn assert_sound(&self) {
        assert_eq!(self.events_of("violation"), Vec::<Value>::new());
        let log = fs::read_to_string(self.path("daemon.log")).unwrap_or_default();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Processes that came of this place, but for the daemon: shims name its folder in their arguments, and tasks in their
    /// environment, however they forked.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let own = self.daemon.as_ref().map(Child::id);
        marked(&self.dir.path().display().to_string())
            .into_iter()
            .filter(|pid| Some(pid.cast_unsigned()) != own)
            .collect()
    }

    /// The shim of a task's attempt.
    pub(crate) fn shim(&self, task: i64) -> Pid {
        let pid = self.task(task)["pid"].as_i64().expect("it has a shim");
        Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("not zero")
    }
}

/// Living processes with this text in arguments or environment, but for this one.
fn marked(text: &str) -> Vec<i32> {
    let has = |path: String| {
        fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    let dead = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with(['Z', 'X']))
    };
    let own = std::process::id().cast_signed();
    fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own && !dead(*pid))
        .filter(|pid| has(format!("/proc/{pid}/cmdline")) || has(format!("/proc/{pid}/environ")))
        .collect()
}

/// Whether a process lives.
pub(crate) fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Kills a process that came of a test.
pub(crate) fn kill(pid: i32) {
    let pid = Pid::from_raw(pid).expect("not zero");
    let _ = kill_process(pid, Signal::KILL);
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        // Until none is left: each may have forked while we looked.
        let deadline = Instant::now() + PATIENCE;
        let text = self.dir.path().display().to_string();
        while let left = marked(&text)
            && !left.is_empty()
            && Instant::now() < deadline
        {
            left.into_iter().for_each(kill);
            std::thread::sleep(Duration::from_millis(2));
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.path("daemon.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(60)..];
            let ledger = fs::read_to_string(self.path("ledger")).unwrap_or_default();
            eprintln!("--- the daemon's last lines\n{}\n--- the ledger\n{ledger}", last.join("\n"));
        }
    }
}

impl Line {
    /// One request on a connection of its own.
    pub(crate) fn once(&self, key: &str, argv: &[&str]) -> io::Result<Value> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        writeln!(stream, "{}", json!({ "v": 1, "key": key, "argv": argv }))?;
        read_answer(stream)
    }

    /// A connection that nothing was said on yet.
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.socket)
    }

    /// The same request until it is answered, across restarts.
    pub(crate) fn insist(&self, key: &str, argv: &[&str]) -> Value {
        until(&format!("an answer to {argv:?}"), || self.once(key, argv).ok())
    }

    /// A request, until it is answered.
    pub(crate) fn ask(&self, argv: &[&str]) -> Value {
        self.insist(&fresh(), argv)
    }

    /// A request that must be carried out. Said twice because its answer was lost, it counts as carried out.
    pub(crate) fn done(&self, argv: &[&str]) -> Value {
        let answer = self.ask(argv);
        assert_eq!(answer["ok"], true, "{argv:?}: {answer}");
        answer["data"].clone()
    }

    /// Asks for a task, approves it, and lets it run.
    pub(crate) fn let_run(&self, kind: &str, prompt: &str) -> i64 {
        let id = self.done(&["newtask", kind, prompt])["task_id"].as_i64().expect("a task");
        self.done(&["approve", &id.to_string()]);
        self.done(&["resume", &id.to_string()]);
        id
    }
}

/// Reads one answer.
pub(crate) fn read_answer(stream: UnixStream) -> io::Result<Value> {
    let mut text = String::new();
    BufReader::new(stream).read_line(&mut text)?;
    if text.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_str(&text).map_err(io::Error::other)
}

/// How many kills a test of crashes makes: `MAINSTAY_TEST_KILLS`, else so many.
pub(crate) fn kills_wanted(usual: u64) -> u64 {
    std::env::var("MAINSTAY_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Numbers by chance, from a seed that is printed: a failure can be had again.
pub(crate) struct Chance(u64);

impl Chance {
    /// From `MAINSTAY_TEST_SEED`, else from the time.
    pub(crate) fn new(test: &str) -> Chance {
        let named = std::env::var("MAINSTAY_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seed = named.unwrap_or(u64::from(now.subsec_nanos()));
        eprintln!("{test}: MAINSTAY_TEST_SEED={seed}");
        Chance(seed)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}
