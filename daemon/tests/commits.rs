//! What a task costs the disk: commits of the database, each of which is one sync, counted in its write-ahead log.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const CONFIG: &str = "autonomy = \"auto\"\n[[operator]]\nid = 1\nname = \"a\"\nroles = [\"admin\"]\n\
     [[kind]]\nname = \"noop\"\nheavy = false\nargv = [\"true\"]\n";
const AT_ONCE: usize = 32;

#[test]
fn a_life_is_three_commits_questions_are_none_and_many_at_once_share_theirs() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut daemon = Daemon::start(dir.path());
    let stream = UnixStream::connect(dir.path().join("state/mainstay.sock")).expect("connect");
    let mut client = BufReader::new(stream);
    let commits = || commits(&dir.path().join("state/mainstay.db-wal"));

    let before = commits();
    for n in 0..5 {
        ask(&mut client, n, &["newtask", "noop"]);
        daemon.wait_for_ends(1);
    }
    let alone = commits();
    assert_eq!(alone - before, 5 * 3, "asked and claimed; ready; ended");

    for n in 5..10 {
        ask(&mut client, n, &["ops"]);
        ask(&mut client, n + 100, &["status", "1"]);
    }
    assert_eq!(commits(), alone, "a question changes nothing on disk");

    for n in 0..AT_ONCE {
        send(&mut client, 1_000 + n, &["newtask", "noop"]);
    }
    daemon.wait_for_ends(AT_ONCE);
    let shared = commits() - alone;
    assert!(shared <= AT_ONCE, "{shared} commits for {AT_ONCE} tasks at once: at most one each");
}

struct Daemon {
    child: Child,
    log: BufReader<ChildStdout>,
}

impl Daemon {
    fn start(dir: &Path) -> Daemon {
        std::fs::write(dir.join("mainstay.toml"), CONFIG).expect("config");
        let ready = UnixDatagram::bind(dir.join("notify")).expect("bind");
        let mut child = Command::new(env!("CARGO_BIN_EXE_mainstay"))
            .arg("--config")
            .arg(dir.join("mainstay.toml"))
            .arg("run")
            .env("NOTIFY_SOCKET", dir.join("notify"))
            .env_remove("MAINSTAY_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("spawn");
        let mut word = [0; 64];
        let n = ready.recv(&mut word).expect("the daemon says that it is ready");
        assert_eq!(&word[..n], b"READY=1\n", "nothing is said before");
        let log = BufReader::new(child.stdout.take().expect("piped"));
        Daemon { child, log }
    }

    /// Reads the log until so many tasks have ended. A line is written after its commit.
    fn wait_for_ends(&mut self, count: usize) {
        let mut line = String::new();
        let mut ends = 0;
        while ends < count {
            line.clear();
            assert!(self.log.read_line(&mut line).expect("read") > 0, "the daemon lives");
            ends += usize::from(line.contains("\"event\":\"ended\""));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a pid");
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.child.wait();
    }
}

fn send(client: &mut BufReader<UnixStream>, key: usize, argv: &[&str]) {
    let request = serde_json::json!({ "v": 1, "key": key.to_string(), "argv": argv });
    client.get_mut().write_all(format!("{request}\n").as_bytes()).expect("write");
}

fn ask(client: &mut BufReader<UnixStream>, key: usize, argv: &[&str]) {
    send(client, key, argv);
    let mut answer = String::new();
    client.read_line(&mut answer).expect("read");
    assert!(answer.starts_with("{\"ok\":true"), "{answer}");
}

/// Frames that end a transaction. All of them, as long as the log was never emptied: far fewer events than that takes.
fn commits(log: &Path) -> usize {
    let log = std::fs::read(log).expect("a write-ahead log");
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().expect("four bytes"));
    let (header, frame) = (32, 24 + number(8) as usize);
    let salts = log[16..24].to_vec();
    let frames = (header..).step_by(frame).take_while(|at| at + frame <= log.len());
    frames.take_while(|at| log[at + 8..at + 16] == salts[..]).filter(|at| number(at + 4) != 0).count()
}
