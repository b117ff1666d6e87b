//! Switches of releases that somebody breaks off, or that a loss of power cuts off.

use super::keeper::{Host, said};
use super::place::until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

const A: &str = "0.1.0-aaaaaaaaaaaa";
const B: &str = "0.1.0-bbbbbbbbbbbb";
const C: &str = "0.1.0-cccccccccccc";

/// A switch that somebody watches.
struct Begun {
    child: Child,
    stderr: BufReader<ChildStderr>,
    told: String,
}

impl Begun {
    fn new(mut child: Child) -> Begun {
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        Begun { child, stderr, told: String::new() }
    }

    /// Ctrl-C, and waits until it is heeded.
    fn interrupt(&mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a pid");
        kill_process(pid, Signal::INT).expect("it is there");
        self.until_told("interrupted");
    }

    fn until_told(&mut self, words: &str) {
        loop {
            let from = self.told.len();
            let read = self.stderr.read_line(&mut self.told).expect("text");
            assert!(read > 0, "it ended without \"{words}\": {}", self.told);
            if self.told[from..].contains(words) {
                return;
            }
        }
    }

    /// It and nothing else is killed.
    fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Its exit code, and all that it told.
    fn end(mut self) -> (Option<i32>, String) {
        self.stderr.read_to_string(&mut self.told).expect("text");
        let output = self.child.wait_with_output().expect("it ends");
        self.told.push_str(&said(&output));
        (output.status.code(), self.told)
    }
}

fn at(host: &Host, step: &str) {
    until(&format!("it is at {step}"), || (host.step()? == step).then_some(()));
}

/// What the machine's next start would run.
fn finisher(host: &Host) -> PathBuf {
    host.place.path("opt/finisher/bin/mainstay")
}

/// The same command, by another program.
fn by(program: PathBuf, like: &Command) -> Command {
    let mut command = Command::new(program);
    command.args(like.get_args());
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// As `mainstay-release.service` does it, which knows nothing of what was typed: neither the configuration nor the supervisor.
fn finish_command(host: &Host) -> Command {
    let mut command = Command::new(finisher(host));
    let root = host.place.path("opt");
    command.args(["--config", "/nowhere/mainstay.toml", "release", "--root"]).arg(root).arg("finish");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finish(host: &Host) -> Output {
    finish_command(host).output().expect("run the program")
}

/// The same beside a switch that is under way, as `mainstay-release.path` has it.
fn finish_beside(host: &Host) -> Begun {
    let mut waits = Begun::new(finish_command(host).spawn().expect("run the program"));
    waits.until_told("waiting for its end");
    waits
}

/// Stages a release whose preflight waits until it is let go.
fn stage_one_that_waits(host: &Host, id: &str) {
    let wait = format!("while [ ! -e '{}' ]; do sleep 0.02; done", host.place.path("go").display());
    host.stage(&host.strange(id, "*check*", &wait));
}

fn let_go(host: &Host) {
    fs::write(host.place.path("go"), "").expect("write");
}

#[test]
fn ctrl_c_before_the_flip_changes_nothing() {
    let host = Host::with(A);
    stage_one_that_waits(&host, B);
    let mut switch = Begun::new(host.begin(&["activate", B]));
    at(&host, "preflight");
    switch.interrupt();
    let_go(&host);
    let (code, told) = switch.end();
    assert_eq!(code, Some(1), "whoever waits for the release did not get it: {told}");
    assert!(told.contains("it was interrupted") && told.contains(&format!("{A} is current")), "{told}");
    let status = host.status();
    assert_eq!((&status["current"], &status["running"], &status["switch"]), (&A.into(), &A.into(), &Value::Null));
    assert_eq!(host.place.line().ask(&["ops"])["data"]["draining"], false);
    assert!(fs::symlink_metadata(host.place.path("opt/finisher")).is_err(), "nothing is left to be finished");
    // That is no word against it.
    let output = host.activate(B, &["--soak", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn from_the_flip_on_it_takes_two_to_go_back() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    let mut switch = Begun::new(host.begin(&["activate", B, "--soak", "60s"]));
    host.answers_as(B);
    at(&host, "soak");
    switch.interrupt();
    // Longer than from one look to the next.
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(host.step().is_some(), "it is watched all the same");
    switch.interrupt();
    let (code, told) = switch.end();
    assert_eq!(code, Some(23), "{told}");
    assert!(told.contains("somebody interrupted it"), "{told}");
    host.answers_as(A);
    assert_eq!(host.status()["current"], A);
    assert!(fs::symlink_metadata(host.place.path("opt/finisher")).is_err(), "nothing is left to be finished");
}

#[test]
fn where_nothing_was_blessed_before_there_is_nothing_to_go_back_to() {
    let host = Host::new();
    host.stage(&host.good(A));
    let mut switch = Begun::new(host.begin(&["activate", A, "--soak", "3s"]));
    at(&host, "soak");
    switch.interrupt();
    switch.interrupt();
    let (code, told) = switch.end();
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(host.status()["last"]["outcome"], "blessed");
}

#[test]
fn a_release_that_is_switched_from_its_own_program_is_ended_by_that() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    let args = host.by_keeper(&["activate", B, "--soak", "60s"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let own = host.place.path(&format!("opt/releases/{B}/bin/mainstay"));
    let mut child = by(own, &host.command(&args)).spawn().expect("run the program");
    at(&host, "soak");
    child.kill().expect("kill");
    child.wait().expect("wait");
    let leads = fs::read_link(host.place.path("opt/finisher")).expect("somebody is to end it");
    assert!(leads.ends_with(B), "what is at work knows for sure how to go on: {}", leads.display());
}

#[test]
fn what_was_cut_off_is_ended_by_the_release_that_was_there_before() {
    let host = Host::with(A);
    stage_one_that_waits(&host, B);
    for (step, limits, current) in [("preflight", ["--soak", "60s"], A), ("soak", ["--soak", "3s"], B)] {
        let mut child = host.begin(&[&["activate", B][..], &limits].concat());
        at(&host, step);
        child.kill().expect("kill");
        child.wait().expect("wait");
        let leads = fs::read_link(host.place.path("opt/finisher")).expect("somebody is to end it");
        assert!(leads.ends_with(A), "{step}: {}", leads.display());
        let_go(&host);
        let output = finish(&host);
        assert_eq!(output.status.code(), Some(0), "{step}: {}", said(&output));
        let status = host.status();
        assert_eq!((&status["current"], &status["switch"]), (&current.into(), &Value::Null), "{step}: {status}");
        host.answers_as(current);
        assert_eq!(host.place.line().ask(&["ops"])["data"]["draining"], false, "{step}");
        assert!(fs::symlink_metadata(host.place.path("opt/finisher")).is_err(), "{step}: once");
    }
    // Nothing to do is no failure.
    let output = host.run(&["finish"]);
    assert!(output.status.success() && said(&output).contains("nothing to do"), "{}", said(&output));
}

#[test]
fn a_command_that_is_killed_is_gone_on_with_at_once_by_who_waited_beside_it() {
    let host = Host::with(A);
    stage_one_that_waits(&host, B);
    for (step, limits, current) in [("preflight", ["--soak", "60s"], A), ("soak", ["--soak", "3s"], B)] {
        let switch = Begun::new(host.begin(&[&["activate", B][..], &limits].concat()));
        at(&host, step);
        let beside = finish_beside(&host);
        switch.kill();
        let_go(&host);
        let (code, told) = beside.end();
        assert!(
            code == Some(0) && told.contains(&format!("was cut off at the step {step}")),
            "{step}: {code:?} {told}"
        );
        host.answers_as(current);
        assert_eq!((&host.status()["current"], host.step()), (&current.into(), None), "{step}");
        assert!(fs::symlink_metadata(host.place.path("opt/finisher")).is_err(), "{step}: once");
    }
}

#[test]
fn a_command_that_ends_in_order_leaves_nothing_to_who_waited_beside_it() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    let switch = Begun::new(host.begin(&["activate", B, "--soak", "5s"]));
    at(&host, "soak");
    let beside = finish_beside(&host);
    let (code, told) = switch.end();
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = beside.end();
    assert!(code == Some(0) && told.contains("nothing to do"), "{code:?} {told}");
}

/// Who was told why it stands still goes on with it: nobody is to give it up meanwhile.
#[test]
fn a_switch_that_stands_still_is_left_to_who_was_told_of_it() {
    let host = Host::with(A);
    stage_one_that_waits(&host, B);
    let switch = Begun::new(host.begin(&["activate", B, "--soak", "1s"]));
    at(&host, "preflight");
    let beside = finish_beside(&host);
    // Writing down the next step fails.
    let state = host.place.path("opt/.state.json");
    fs::create_dir(&state).expect("make");
    let_go(&host);
    let (code, told) = switch.end();
    assert!(code == Some(1) && told.contains("the switch stands still"), "{code:?} {told}");
    let (code, told) = beside.end();
    assert!(code == Some(1) && told.contains("nothing goes on by itself"), "{code:?} {told}");
    fs::remove_dir(&state).expect("remove");
    assert!(host.step().is_some(), "it was not given up");
    let output = host.run(&["activate"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    host.answers_as(B);
}

/// Who types what undid a cut-off switch, as long as nobody else did, means that switch and no other.
#[test]
fn who_undoes_a_switch_that_was_given_up_meanwhile_does_not_leave_the_release_that_runs() {
    let host = Host::with(A);
    host.stage(&host.good(C));
    let output = host.activate(C, &["--soak", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    stage_one_that_waits(&host, B);
    let switch = Begun::new(host.begin(&["activate", B]));
    at(&host, "preflight");
    switch.kill();
    let_go(&host);
    let output = finish(&host);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let back = |id: &[&str]| {
        let args = host.by_keeper(&[&["rollback"], id].concat());
        host.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let output = back(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("ended already, after its command was cut off"), "{}", said(&output));
    assert_eq!(host.status()["current"], C);
    host.answers_as(C);
    let output = back(&[A]);
    assert_eq!(output.status.code(), Some(0), "who names one means it: {}", said(&output));
    host.answers_as(A);
}

#[test]
fn who_meets_another_command_is_told_how_to_have_it_go_back() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    let switch = Begun::new(host.begin(&["activate", B, "--soak", "60s"]));
    at(&host, "soak");
    let output = host.run(&["rollback"]);
    let interrupt = format!("kill -INT {}", switch.child.id());
    assert!(output.status.code() == Some(1) && said(&output).contains(&interrupt), "{}", said(&output));
    switch.kill();
}
