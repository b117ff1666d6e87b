//! The program as a process: what it exits with, what it says, what can be seen of it from outside.
//!
//! No daemon is needed: where the command line wants one, a thread plays it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

const CANARY: &str = "7700:canary-token-abcdefghijklmnopqrst";
const CONFIG: &str = "[[operator]]\nid = 1\nname = \"a\"\nroles = [\"admin\"]\n\
     [[kind]]\nname = \"k\"\nargv = [\"true\"]\nheavy = false\n[telegram]\n";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(config: &str) -> Place {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::write(dir.path().join("mainstay.toml"), config).expect("write");
        Place { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        for name in ["MAINSTAY_CONFIG", "MAINSTAY_LOG", "MAINSTAY_TELEGRAM_TOKEN", "CREDENTIALS_DIRECTORY"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("run")
    }

    /// Plays a daemon that is asked as often as there are replies; none: it hangs up instead. Returns the requests.
    #[expect(clippy::disallowed_methods, reason = "a daemon that is played needs a thread beside the test's")]
    fn daemon(&self, replies: Vec<Option<Value>>) -> JoinHandle<Vec<Value>> {
        std::fs::create_dir(self.path("state")).expect("mkdir");
        let listener = UnixListener::bind(self.path("state/mainstay.sock")).expect("bind");
        std::thread::spawn(move || {
            let mut requests = Vec::new();
            let mut replies = replies.into_iter();
            while replies.len() > 0 {
                let mut stream = BufReader::new(listener.accept().expect("accept").0);
                let mut line = String::new();
                while stream.read_line(&mut line).expect("read") > 0 {
                    requests.push(serde_json::from_str(&line).expect("json"));
                    line.clear();
                    match replies.next().flatten() {
                        Some(reply) => writeln!(stream.get_mut(), "{reply}").expect("write"),
                        None => break,
                    }
                }
            }
            requests
        })
    }
}

fn reply(ok: bool, text: &str, data: Value) -> Option<Value> {
    Some(json!({ "ok": ok, "text": text, "data": data }))
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_broken_connection_is_mended_with_the_same_key() {
    let place = Place::new(CONFIG);
    let daemon = place.daemon(vec![None, None, reply(true, "approved", json!({ "task_id": 42 }))]);
    let output = place.run(&["approve", "42", "--json"]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), "{\"task_id\":42}\n"), "{}", err(&output));
    let requests = daemon.join().expect("daemon");
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|r| r["key"] == requests[0]["key"] && r["argv"] == json!(["approve", "42"])));
    assert_eq!(requests[0]["key"].as_str().map(str::len), Some(32));
}

#[test]
fn refusals_and_health_are_exit_codes() {
    for (args, answer, code) in [
        (&["status", "1"][..], reply(true, "fine", json!({})), 0),
        (&["approve", "1"], reply(false, "it has ended", json!({ "error": "it has ended" })), 1),
        (&["ops"], reply(true, "healthy", json!({ "status": "healthy" })), 0),
        (&["ops"], reply(true, "degraded", json!({ "status": "degraded" })), 1),
        (&["ops"], reply(true, "broken", json!({ "status": "broken" })), 2),
        (&["stop", "1"], reply(false, "no", json!({ "error": "not_permitted" })), 22),
    ] {
        let place = Place::new(CONFIG);
        let text = answer.as_ref().expect("an answer")["text"].as_str().expect("text").to_owned();
        let ok = answer.as_ref().expect("an answer")["ok"] == true;
        let daemon = place.daemon(vec![answer]);
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert_eq!(out(&output), if ok { format!("{text}\n") } else { String::new() }, "{args:?}");
        assert!(ok || err(&output).starts_with("mainstay: "), "{}", err(&output));
        daemon.join().expect("daemon");
    }
}

#[test]
fn waiting_ends_with_the_task_and_tells_how_it_went() {
    for (state, code) in [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELED", 1)] {
        let place = Place::new(CONFIG);
        let daemon = place.daemon(vec![
            reply(true, "task 7 is asked for", json!({ "task_id": 7, "state": "REQUESTED" })),
            reply(true, "runs", json!({ "task_id": 7, "state": "RUNNING" })),
            // It restarts meanwhile.
            None,
            reply(true, "the report", json!({ "task_id": 7, "state": state })),
        ]);
        let output = place.run(&["newtask", "k", "do it", "--wait"]);
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(code), "the report\n"), "{}", err(&output));
        assert_eq!(err(&output), "mainstay: task 7 is asked for\n");
        assert_eq!(daemon.join().expect("daemon")[1]["argv"], json!(["status", "7"]));
    }
}

#[test]
fn draining_waits_until_nothing_runs_and_tells_for_what() {
    let ops = |draining: bool, running: &[i64]| {
        let running: Vec<Value> = running.iter().map(|id| json!({ "task_id": id })).collect();
        reply(true, "degraded", json!({ "draining": draining, "running": running }))
    };
    let drain = || reply(true, "draining", json!({ "draining": true }));
    for (args, looks, code, said) in [
        (&["drain"][..], vec![ops(true, &[7, 9]), ops(true, &[9]), ops(true, &[])], 0, "waiting for #7 #9"),
        (&["drain", "--timeout", "1ms"], vec![ops(true, &[7])], 21, "still running: #7"),
        (&["drain"], vec![ops(true, &[7]), ops(false, &[7])], 1, "lifted"),
    ] {
        let place = Place::new(CONFIG);
        let daemon = place.daemon([vec![drain()], looks].concat());
        let output = place.run(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{}", err(&output));
        assert!(err(&output).contains(said), "{}", err(&output));
        assert!(out(&output).contains(if code == 0 { "\"drained\":true" } else { "\"error\"" }), "{}", out(&output));
        let requests = daemon.join().expect("daemon");
        assert_eq!((&requests[0]["argv"], &requests[1]["argv"]), (&json!(["drain"]), &json!(["ops"])));
    }
}

#[test]
fn waiting_can_be_limited() {
    let place = Place::new(CONFIG);
    let daemon = place.daemon(vec![
        reply(true, "task 7 is asked for", json!({ "task_id": 7 })),
        reply(true, "runs", json!({ "task_id": 7, "state": "RUNNING" })),
    ]);
    let output = place.run(&["-q", "newtask", "k", "--wait", "--wait-timeout", "1ms"]);
    assert_eq!(output.status.code(), Some(21), "{}", err(&output));
    daemon.join().expect("daemon");
}

#[test]
fn a_prompt_comes_from_standard_input_or_a_file_with_its_lines() {
    let prompt = "line one\n  line two\n";
    for from_file in [false, true] {
        let place = Place::new(CONFIG);
        std::fs::write(place.path("prompt"), prompt).expect("write");
        let daemon = place.daemon(vec![reply(true, "ok", json!({}))]);
        let args: &[&str] =
            if from_file { &["newtask", "k", "--prompt-file", "prompt"] } else { &["newtask", "k", "-"] };
        let stdin = std::fs::File::open(place.path("prompt")).expect("open");
        let output = place.command(args).stdin(stdin).output().expect("run");
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        assert_eq!(daemon.join().expect("daemon")[0]["argv"], json!(["newtask", "k", prompt]));
    }
    let place = Place::new(CONFIG);
    std::fs::write(place.path("prompt"), "x".repeat(70_000)).expect("write");
    let output = place.run(&["newtask", "k", "--prompt-file", "prompt"]);
    assert_eq!(
        (output.status.code(), err(&output).as_str()),
        (Some(2), "mainstay: the prompt is longer than 65536 bytes\n")
    );
}

#[test]
fn without_a_daemon_a_change_fails_and_says_how_to_start_it() {
    let place = Place::new(CONFIG);
    let output = place.run(&["approve", "42"]);
    assert_eq!(output.status.code(), Some(20));
    assert_eq!(
        err(&output),
        "mainstay: the daemon is not running: start it with `mainstay run`, or `systemctl start mainstay`\n"
    );
    // A socket that nobody listens on any more is the same.
    std::fs::create_dir(place.path("state")).expect("mkdir");
    drop(UnixListener::bind(place.path("state/mainstay.sock")).expect("bind"));
    assert_eq!(place.run(&["approve", "42"]).status.code(), Some(20));
    let output = place.run(&["approve", "42", "--json"]);
    assert!(out(&output).contains("\"code\":20"), "{}", out(&output));
}

#[test]
fn stop_reaches_the_daemon_also_with_a_configuration_that_is_being_edited() {
    let place = Place::new("nonsense = 1\n");
    let daemon = place.daemon(vec![reply(true, "stopping", json!({}))]);
    assert_eq!(place.run(&["stop", "42"]).status.code(), Some(0));
    daemon.join().expect("daemon");
}

#[test]
fn check_lists_all_that_is_wrong_and_changes_nothing() {
    let place = Place::new("wrong = 1\nrunning_max = 0\n");
    let output = place.run(&["check"]);
    assert_eq!(output.status.code(), Some(10));
    let lines: Vec<String> = out(&output).lines().map(str::to_owned).collect();
    assert!(lines.iter().all(|line| line.starts_with("error    mainstay.toml:")), "{lines:?}");
    assert_eq!(lines.len(), 4, "{lines:?}");

    let place = Place::new(&format!("state_dir = \"none/state\"\n{CONFIG}token_file = \"token\"\n"));
    let output = place.run(&["check", "--json"]);
    assert_eq!(output.status.code(), Some(11), "the first problem's code");
    let said: Value = serde_json::from_str(&out(&output)).expect("json");
    assert_eq!(said["ok"], false);
    assert_eq!(said["errors"].as_array().map(Vec::len), Some(2), "{said}");

    std::fs::write(place.path("token"), CANARY).expect("write");
    std::fs::create_dir(place.path("none")).expect("mkdir");
    let output = place.run(&["check", "--offline"]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(out(&output).contains("will be made at the first start"), "{}", out(&output));
    assert!(!place.path("none/state").exists());
    assert!(!out(&output).contains("canary"), "{}", out(&output));
}

#[test]
fn nobody_allowed_and_no_configuration_have_their_codes() {
    let place = Place::new("[[kind]]\nname = \"k\"\nargv = [\"true\"]\nheavy = false\n");
    assert_eq!(place.run(&["run"]).status.code(), Some(12));
    assert_eq!(place.run(&["run", "--config", "none.toml"]).status.code(), Some(10));
    assert_eq!(place.run(&["run", "--log", "loud"]).status.code(), Some(2));
    assert_eq!(place.run(&["nonsense"]).status.code(), Some(2));
    assert_eq!(place.run(&["--version"]).status.code(), Some(0));
}

#[test]
fn a_kind_of_event_that_does_not_exist_is_wrong_usage_and_told_what_was_meant() {
    let place = Place::new(CONFIG);
    let output = place.run(&["logs", "--kind", "refusd"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("a similar value exists: 'refused'"), "{}", err(&output));
    // No daemon ever was here: a right one comes as far as that.
    assert_eq!(place.run(&["logs", "--kind", "refused"]).status.code(), Some(20));
    let output = place.run(&["logs", "--kind", "nonsense"]);
    assert!(output.status.code() == Some(2) && err(&output).contains("poll_recovered"), "{}", err(&output));
}

#[test]
fn manuals_and_completions_are_written() {
    let place = Place::new(CONFIG);
    for (args, expected) in [
        (&["completions", "bash"][..], "newtask"),
        (&["completions", "zsh"], "#compdef mainstay"),
        (&["completions", "fish"], "newtask"),
        (&["man"], ".TH mainstay 1"),
        (&["man", "newtask"], ".TH mainstay-newtask 1"),
        (&["commands-md"], "# Commands"),
    ] {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
        assert!(out(&output).contains(expected), "{args:?}: {}", out(&output));
        let hidden = ["commands-md", "commands__md"].iter().any(|name| out(&output).contains(name));
        assert!(!hidden || args == ["commands-md"], "{args:?} tells of a command that is for us");
    }
}

/// The state directory can't be made, so that `run` ends by itself once it has its token.
fn unusable_state() -> String {
    format!("state_dir = \"none/state\"\n{CONFIG}")
}

#[test]
fn a_token_from_the_environment_is_taken_and_is_in_no_line() {
    let place = Place::new(&unusable_state());
    let output =
        place.command(&["run", "--log", "trace"]).env("MAINSTAY_TELEGRAM_TOKEN", CANARY).output().expect("run");
    // Without a token it would be 11.
    assert_eq!(output.status.code(), Some(14), "{}{}", out(&output), err(&output));
    assert!(!(out(&output) + &err(&output)).contains("canary"));
    assert_eq!(place.run(&["run"]).status.code(), Some(11));
}

#[test]
fn a_running_daemon_shows_no_token_in_its_environment_or_arguments() {
    let place = Place::new(&unusable_state());
    // A credential is looked for first, and this one makes the daemon wait until somebody writes it.
    let fifo = place.path("telegram-token");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).expect("mkfifo");
    let mut child = place
        .command(&["run"])
        .env("MAINSTAY_TELEGRAM_TOKEN", CANARY)
        .env("CREDENTIALS_DIRECTORY", place.dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spawn");
    // Opens as soon as the daemon reads.
    let mut writer = std::fs::File::options().write(true).open(&fifo).expect("open");
    let seen = |name: &str| {
        let path = Path::new("/proc").join(child.id().to_string()).join(name);
        String::from_utf8_lossy(&std::fs::read(path).expect("read")).into_owned()
    };
    let (environ, cmdline, limits) = (seen("environ"), seen("cmdline"), seen("limits"));
    assert!(environ.contains("CREDENTIALS_DIRECTORY="), "{environ}");
    assert!(!environ.contains("canary") && !environ.contains("MAINSTAY_TELEGRAM_TOKEN"), "{environ}");
    assert!(cmdline.ends_with("\0run\0") && !cmdline.contains("canary"), "{cmdline}");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    writer.write_all(CANARY.as_bytes()).expect("write");
    drop(writer);
    let mut text = String::new();
    child.stdout.take().expect("stdout").read_to_string(&mut text).expect("read");
    assert_eq!(child.wait().expect("wait").code(), Some(14), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn whoever_starts_the_shim_by_hand_is_told_what_it_is_for() {
    let shim = || Command::new(env!("CARGO_BIN_EXE_mainstay-shim"));
    for wrong in [&[][..], &["--help"], &["shim"], &["version", "x"]] {
        let said = shim().args(wrong).output().expect("run");
        assert_eq!(said.status.code(), Some(2), "{wrong:?}");
        assert!(String::from_utf8_lossy(&said.stderr).contains("see `mainstay --help`"), "{wrong:?}: {said:?}");
    }
    let nobody_listens = shim().args(["shim", "/nonexistent"]).stdin(Stdio::null()).output().expect("run");
    assert_eq!(nobody_listens.status.code(), Some(1));
}

#[test]
fn where_nothing_can_be_said_the_exit_code_still_is() {
    let place = Place::new("nonsense");
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let code = |mut command: Command| command.stdout(full()).stderr(full()).status().expect("it runs").code();
    assert_eq!(code(place.command(&["ops"])), place.run(&["ops"]).status.code());
    let shim = || Command::new(env!("CARGO_BIN_EXE_mainstay-shim"));
    assert_eq!(code(shim()), shim().output().expect("it runs").status.code());
    assert_eq!(code(shim()), Some(2));
}
