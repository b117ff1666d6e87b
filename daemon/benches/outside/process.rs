//! The real daemon as a process, and a client that speaks its protocol and nothing else.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Long enough for anything here; a bench that hangs is ended.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program under test.
pub(crate) const MAINSTAY: &str = env!("CARGO_BIN_EXE_mainstay");

/// A state directory with a configuration.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
}

impl Place {
    /// `ask` waits for approval, `noop` runs at once and does nothing, `exec` tells the pipe `started` that it runs,
    /// `busy` keeps a core busy until it is stopped. What is measured against spawns of the floor is not niced, as those
    /// are not: on a machine that others use it would only show how much they do.
    pub(crate) fn new(dir: PathBuf) -> Place {
        std::fs::create_dir_all(dir.join("state")).expect("mkdir");
        let fifo = dir.join("started").display().to_string();
        let config = format!(
            "autonomy = \"auto\"\n[[operator]]\nid = 1\nname = \"bench\"\nroles = [\"admin\"]\n\
             [[kind]]\nname = \"ask\"\nheavy = true\nargv = [\"/bin/true\"]\n\
             [[kind]]\nname = \"noop\"\nheavy = false\nnice = 0\nargv = [\"/bin/true\"]\n\
             [[kind]]\nname = \"exec\"\nheavy = false\nnice = 0\nargv = [\"/bin/sh\", \"-c\", \"echo x > {fifo}\"]\n\
             [[kind]]\nname = \"busy\"\nheavy = false\nargv = [\"/bin/sh\", \"-c\", \"while :; do :; done\"]\n"
        );
        std::fs::write(dir.join("mainstay.toml"), config).expect("config");
        Place { dir }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join("state/mainstay.db")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.join("state/mainstay.sock")
    }

    /// The program with this place's configuration.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(MAINSTAY);
        command.arg("--config").arg(self.dir.join("mainstay.toml")).stdin(Stdio::null());
        command
    }
}

/// A daemon that runs, until this is dropped.
pub(crate) struct Daemon {
    child: Child,
    /// From the start of the process to its word that it is ready.
    pub(crate) ready_after: Duration,
    ends: Receiver<Instant>,
}

/// Where its log goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// To a file.
    File,
    /// Here: every end of a task is told when its line arrives.
    Read,
}

impl Daemon {
    pub(crate) fn start(place: &Place, log: Log) -> Daemon {
        let notify = place.dir.join("notify");
        let _ = std::fs::remove_file(&notify);
        let ready = UnixDatagram::bind(&notify).expect("bind");
        ready.set_read_timeout(Some(PATIENCE)).expect("timeout");
        let mut command = place.command();
        command.arg("run").env("NOTIFY_SOCKET", &notify).stderr(Stdio::inherit());
        command.env_remove("MAINSTAY_LOG").env_remove("WATCHDOG_USEC");
        let output = match log {
            Log::File => File::create(place.dir.join("log")).expect("log").into(),
            Log::Read => Stdio::piped(),
        };
        let start = Instant::now();
        let mut child = command.stdout(output).spawn().expect("spawn the daemon");
        let (sender, ends) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || read_log(stdout, &sender));
        }
        let mut word = [0; 64];
        loop {
            let n = ready.recv(&mut word).expect("the daemon says that it is ready");
            if word[..n].starts_with(b"READY=1") {
                break;
            }
        }
        Daemon { child, ready_after: start.elapsed(), ends }
    }

    /// When the next end of a task was on record.
    pub(crate) fn next_end(&self) -> Instant {
        self.ends.recv_timeout(PATIENCE).expect("a task ends")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A number of /proc/pid/`file`, as in `VmRSS:  1234 kB`.
    pub(crate) fn number(&self, file: &str, name: &str) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.pid())).expect("the daemon lives");
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')).expect("a known name");
        line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
    }

    /// Processor time that it took so far, ms, in the kernel's ticks of 10.
    pub(crate) fn cpu_ms(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the daemon lives");
        let (_, after_name) = stat.rsplit_once(") ").expect("a name in brackets");
        let ticks: f64 = after_name.split(' ').skip(11).take(2).map(|n| n.parse::<f64>().expect("ticks")).sum();
        ticks * 1e3 / rustix::param::clock_ticks_per_second() as f64
    }

    /// Times that it was woken so far, over all its threads.
    pub(crate) fn wakeups(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the daemon lives");
        let of_thread = |id: String| self.number(&format!("task/{id}/status"), "voluntary_ctxt_switches");
        tasks.flatten().map(|t| of_thread(t.file_name().to_string_lossy().into_owned())).sum()
    }
}

fn read_log(stdout: impl Read, ends: &Sender<Instant>) {
    let mut lines = BufReader::with_capacity(1 << 16, stdout);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let marker = br#""event":"ended""#;
        if line.windows(marker.len()).any(|w| w == marker) && ends.send(Instant::now()).is_err() {
            return;
        }
        line.clear();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a pid");
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.child.wait();
    }
}

/// The least daemon as a process.
pub(crate) struct LeastDaemon {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl LeastDaemon {
    pub(crate) fn start(dir: &Path) -> LeastDaemon {
        let socket = dir.join("least.sock");
        for name in ["least.sock", "least.db", "least.db-wal", "least.db-shm"] {
            let _ = std::fs::remove_file(dir.join(name));
        }
        let mut command = Command::new("/proc/self/exe");
        let child = command.arg("least-daemon").arg(&socket).arg(dir.join("least.db")).spawn().expect("spawn");
        let since = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(since.elapsed() < PATIENCE, "the least daemon listens");
            std::thread::yield_now();
        }
        LeastDaemon { child, socket }
    }
}

impl Drop for LeastDaemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection.
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
    line: Vec<u8>,
    number: u64,
    /// What tells this connection's keys from all others.
    salt: u64,
}

impl Client {
    pub(crate) fn connect(socket: &Path) -> Client {
        let stream = UnixStream::connect(socket).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        let salt = stream_salt();
        Client { stream: BufReader::new(stream), line: Vec::new(), number: 0, salt }
    }

    pub(crate) fn stream(&self) -> &UnixStream {
        self.stream.get_ref()
    }

    /// Sends a request; does not wait.
    pub(crate) fn send(&mut self, argv: &[&str]) {
        self.number += 1;
        let request = request(self.salt, self.number, argv);
        self.stream.get_mut().write_all(request.as_bytes()).expect("write");
    }

    /// Waits for the answer.
    pub(crate) fn receive(&mut self) -> &[u8] {
        self.line.clear();
        self.stream.read_until(b'\n', &mut self.line).expect("an answer");
        &self.line
    }

    pub(crate) fn ask(&mut self, argv: &[&str]) -> &[u8] {
        self.send(argv);
        self.receive()
    }

    /// Asks and reads the answer; it has to be a yes.
    pub(crate) fn ask_data(&mut self, argv: &[&str]) -> Value {
        let answer: Value = serde_json::from_slice(self.ask(argv)).expect("JSON");
        assert_eq!(answer["ok"], true, "{argv:?}: {answer}");
        answer["data"].clone()
    }
}

fn stream_salt() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    now.as_nanos() as u64
}

/// A request line.
pub(crate) fn request(salt: u64, number: u64, argv: &[&str]) -> String {
    let key = format!("{salt:016x}{number:016x}");
    serde_json::json!({ "v": 1, "key": key, "argv": argv }).to_string() + "\n"
}
