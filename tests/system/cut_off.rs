//! Switches of releases that somebody breaks off, or that a loss of power cuts off.

use super::keeper::{Host, said};
use super::place::until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

const A: &str = "0.1.0-aaaaaaaaaaaa";
const B: &str = "0.1.0-bbbbbbbbbbbb";

/// Ctrl-C.
fn interrupt(child: &Child) {
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a pid");
    kill_process(pid, Signal::INT).expect("it is there");
}

fn at(host: &Host, step: &str) {
    until(&format!("it is at {step}"), || (host.step()? == step).then_some(()));
}

/// What the machine's next start would run.
fn finisher(host: &Host) -> PathBuf {
    host.place.path("opt/finisher/bin/mainstay")
}

/// As `mainstay-release.service` does it.
fn finish(host: &Host) -> std::process::Output {
    let like = host.command(&["finish"]);
    let mut command = Command::new(finisher(host));
    command.args(like.get_args());
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.output().expect("run the program")
}

#[test]
fn ctrl_c_before_the_flip_changes_nothing() {
    let host = Host::with(A);
    host.stage(&host.strange(B, "*check*", "sleep 1"));
    let child = host.begin(&["activate", B]);
    at(&host, "preflight");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    let told = said(&output);
    assert_eq!(output.status.code(), Some(1), "whoever waits for the release did not get it: {told}");
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
    let mut child = host.begin(&["activate", B, "--soak", "60s"]);
    host.answers_as(B);
    at(&host, "soak");
    interrupt(&child);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(child.try_wait().expect("ask").is_none() && host.step().is_some(), "it is watched all the same");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(23), "{}", said(&output));
    assert!(said(&output).contains("somebody interrupted it"), "{}", said(&output));
    host.answers_as(A);
    assert_eq!(host.status()["current"], A);
    assert!(fs::symlink_metadata(host.place.path("opt/finisher")).is_err(), "nothing is left to be finished");
}

#[test]
fn what_was_cut_off_is_ended_by_the_release_that_was_there_before() {
    let host = Host::with(A);
    host.stage(&host.strange(B, "*check*", "sleep 1"));
    for (step, limits, current) in [("preflight", ["--soak", "60s"], A), ("soak", ["--soak", "3s"], B)] {
        let mut child = host.begin(&[&["activate", B][..], &limits].concat());
        at(&host, step);
        child.kill().expect("kill");
        child.wait().expect("wait");
        let leads = fs::read_link(host.place.path("opt/finisher")).expect("somebody is to end it");
        assert!(leads.ends_with(A), "{step}: {}", leads.display());
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
