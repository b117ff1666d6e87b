//! Switching releases on a real machine: a good one is blessed, a bad one is left again, and nobody's task notices.

use super::keeper::{Host, said};
use super::place::{binary, until};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Output};

const A: &str = "0.1.0-aaaaaaaaaaaa";
const B: &str = "0.1.0-bbbbbbbbbbbb";

/// What became of releases, by the daemon's record: `[release, became]`.
fn record(host: &Host) -> Vec<[String; 2]> {
    let text = |event: &Value, name: &str| event["data"][name].as_str().unwrap_or_default().to_owned();
    let events = host.place.events_of("released");
    events.iter().map(|event| [text(event, "release"), text(event, "became")]).collect()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn ended(child: Child) -> Output {
    child.wait_with_output().expect("it ends")
}

/// It went back, because of this, and the one of before runs.
fn went_back(host: &Host, output: &Output, why: &str) {
    assert_eq!(code(output), Some(23), "{}", said(output));
    assert!(said(output).contains(why), "{}", said(output));
    host.answers_as(A);
    let status = host.status();
    assert_eq!((&status["current"], &status["running"]), (&json!(A), &json!(A)), "{status}");
    assert_eq!(record(host).last(), Some(&[A.to_owned(), "went_back".to_owned()]));
    let ops = host.place.line().ask(&["ops"])["data"]["anomalies"].to_string();
    assert!(ops.contains("release_failed") && ops.contains(B), "{ops}");
    let again = host.activate(B, &[]);
    assert!(code(&again) == Some(1) && said(&again).contains("failed before"), "{}", said(&again));
}

#[test]
fn a_good_release_is_blessed_and_gone_back_from_and_running_tasks_notice_nothing() {
    let host = Host::with(A);
    let running = host.place.let_run("work", "until go 0");
    let pid = host.place.wait_for_entry(running, "begin");
    host.stage(&host.good(B));
    let output = host.activate(B, &["--soak", "500ms"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    host.answers_as(B);
    assert_eq!(host.status()["current"], B);
    assert_eq!(host.place.events_of("backed_up").len(), 1);
    assert_eq!(host.place.line().ask(&["ops"])["data"]["draining"], false, "over with the new start");
    let back = host.begin(&["rollback"]);
    let back = ended(back);
    assert_eq!(code(&back), Some(0), "{}", said(&back));
    host.answers_as(A);
    let told = [[A, "activated"], [A, "blessed"], [B, "activated"], [B, "blessed"], [A, "rolled_back"]];
    assert_eq!(record(&host), told.map(|pair| pair.map(str::to_owned)));
    host.place.release("go");
    host.place.wait_for(running, "SUCCEEDED");
    assert_eq!((host.place.begun(running), host.place.wait_for_entry(running, "end")), (1, pid));
    let list = host.run(&["list"]);
    assert!(said(&list).contains(&format!("* {A}")) && said(&list).contains("somebody wanted it"), "{}", said(&list));
    host.place.assert_sound();
}

/// It can't drain, nor put the back-up on record.
#[test]
fn a_release_that_gives_no_answer_can_be_left_forward() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    let socket = host.place.path("state").join(mainstay::real::control::SOCKET_NAME);
    fs::remove_file(&socket).expect("removed");
    let listener = UnixListener::bind(&socket).expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"this is no answer\n");
        }
    });
    let output = host.activate(B, &["--soak", "100ms"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("the back-up is made and verified") && text.contains("not on record"), "{text}");
    host.answers_as(B);
}

#[test]
fn a_preflight_that_says_no_changes_nothing() {
    let host = Host::with(A);
    let refusal = r#"echo '{"errors":["the disk is made of cheese"],"warnings":["it smells"]}'; exit 10"#;
    host.stage(&host.strange(B, "*check*", refusal));
    let before = host.daemon();
    let output = host.activate(B, &[]);
    assert_eq!(code(&output), Some(1), "{}", said(&output));
    assert!(said(&output).contains("the disk is made of cheese") && said(&output).contains("warning: it smells"));
    assert_eq!((host.status()["current"].as_str(), host.daemon()), (Some(A), before));
    assert_eq!(host.place.line().ask(&["ops"])["data"]["draining"], false);
    assert_eq!(host.place.events_of("backed_up").len(), 0);
}

#[test]
fn a_release_that_crashes_at_its_start_is_left_again() {
    let host = Host::with(A);
    host.stage(&host.strange(B, "*' run'*", "exit 1"));
    let output = host.activate(B, &[]);
    went_back(&host, &output, "times before it answered");
}

#[test]
fn a_release_that_never_answers_is_left_again() {
    let host = Host::with(A);
    host.stage(&host.strange(B, "*' run'*", "exec sleep 1000"));
    let output = host.activate(B, &["--ready", "1s"]);
    went_back(&host, &output, "has not answered within 1 s");
}

#[test]
fn a_release_that_hangs_after_it_was_ready_is_left_again() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    let child = host.begin(&["activate", B, "--soak", "60s", "--answer", "1s"]);
    until("it was told of", || record(&host).contains(&[B.to_owned(), "activated".to_owned()]).then_some(()));
    kill_process(host.daemon(), Signal::STOP).expect("stop");
    went_back(&host, &ended(child), "does not answer");
}

#[test]
fn a_release_that_dies_while_it_is_watched_is_left_again() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    let child = host.begin(&["activate", B, "--soak", "60s"]);
    until("it was told of", || record(&host).contains(&[B.to_owned(), "activated".to_owned()]).then_some(()));
    kill_process(host.daemon(), Signal::KILL).expect("kill");
    went_back(&host, &ended(child), "started anew while it was watched");
}

#[test]
fn a_release_that_runs_with_another_configuration_than_was_looked_at_is_left_again() {
    let host = Host::with(A);
    // Somebody edits the file meanwhile.
    let config = host.place.path("mainstay.toml").display().to_string();
    let edit = format!(
        "\"$here/mainstay-real\" \"$@\"; code=$?; printf '[[operator]]\\nid = 1002\\nname = \"ben\"\\nroles = [\"viewer\"]\\n' >> {config}; exit $code"
    );
    host.stage(&host.strange(B, "*check*", &edit));
    let output = host.activate(B, &["--soak", "60s"]);
    went_back(&host, &output, "another configuration than was looked at");
}

#[test]
fn two_that_fail_are_not_flapped_between_and_a_person_is_asked() {
    let host = Host::with(A);
    host.stage(&host.strange(B, "*' run'*", "exit 1"));
    // What was good stops being it.
    let program = host.place.path(&format!("opt/releases/{A}/bin/mainstay"));
    fs::remove_file(&program).expect("removed");
    let output = host.activate(B, &[]);
    assert_eq!(code(&output), Some(24), "{}", said(&output));
    assert!(said(&output).contains("bin/mainstay is missing") && said(&output).contains("ROLLBACK.md"));
    let status = host.status();
    assert_eq!((&status["switch"], &status["last"]["outcome"]), (&Value::Null, &json!("stuck")), "{status}");
    let nowhere = ended(host.begin(&["rollback"]));
    assert!(code(&nowhere) == Some(1) && said(&nowhere).contains("nothing to go back to"), "{}", said(&nowhere));
    // As soon as there is a daemon that can pass it on, the next command tells it, once.
    let bin = host.place.path(&format!("opt/releases/{B}/bin"));
    fs::rename(bin.join("mainstay-real"), bin.join("mainstay")).expect("mended");
    host.answers_as(B);
    for _ in 0..2 {
        assert_eq!(code(&host.run(&["status"])), Some(0));
        let stuck = record(&host).iter().filter(|[_, became]| became == "stuck").count();
        assert_eq!(stuck, 1);
    }
}

#[test]
fn what_can_not_start_the_daemon_anew_is_noticed_before_anything_is_begun() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    let output = host.run(&["activate", B, "--supervisor", "/no/such/program"]);
    assert_eq!(code(&output), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("/no/such/program") && said(&output).contains("nothing was done"),
        "{}",
        said(&output)
    );
    assert_eq!((&host.status()["current"], &host.status()["switch"]), (&A.into(), &Value::Null));
}

#[test]
fn where_the_daemon_can_not_be_started_anew_it_starts_tasks_again_and_no_release_is_blamed() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    std::fs::write(host.place.path("broken"), "").expect("write");
    let output = host.activate(B, &["--soak", "0s"]);
    assert_eq!(code(&output), Some(24), "{}", said(&output));
    host.answers_as(A);
    assert_eq!(host.status()["current"], A);
    assert_eq!(host.place.line().ask(&["ops"])["data"]["draining"], false);
    std::fs::remove_file(host.place.path("broken")).expect("mended");
    let output = host.activate(B, &["--soak", "0s"]);
    assert_eq!(code(&output), Some(0), "nothing speaks against it: {}", said(&output));
}

#[test]
fn where_older_programs_could_not_go_on_with_the_database_that_has_to_be_wanted() {
    let host = Host::with(A);
    let newer = json!({ "database": { "schema": 99, "min_reader": 99, "min_writer": 99 } });
    host.stage(&host.release(B, &[("bin/mainstay", b"#!/bin/sh\nexit 1\n")], newer));
    let output = host.activate(B, &[]);
    assert!(code(&output) == Some(1) && said(&output).contains(&format!("no way back to {A}")), "{}", said(&output));
    let wanted = host.activate(B, &["--no-way-back"]);
    assert!(code(&wanted) == Some(1) && said(&wanted).contains("preflight"), "{}", said(&wanted));
}

/// Both would be down if the new one failed.
#[test]
fn where_the_release_of_the_way_back_could_not_read_the_configuration_that_has_to_be_wanted() {
    let host = Host::new();
    host.stage(&host.strange(A, "facts*", "echo 'mainstay.toml:3: there is no key later' >&2; exit 10"));
    assert_eq!(code(&host.activate(A, &["--soak", "0s"])), Some(0));
    host.stage(&host.good(B));
    let refused = host.activate(B, &[]);
    let text = said(&refused);
    assert!(code(&refused) == Some(1) && text.contains(&format!("no way back to {A}")), "{text}");
    assert!(text.contains("there is no key later") && text.contains("--no-way-back"), "{text}");
    host.answers_as(A);
    let wanted = host.activate(B, &["--soak", "0s", "--no-way-back"]);
    assert_eq!(code(&wanted), Some(0), "{}", said(&wanted));
    // As a release says it: a key that it does not know.
    let config = host.place.path("mainstay.toml");
    let facts = || Command::new(binary()).arg("facts").arg(&config).output().expect("run the program");
    assert_eq!(code(&facts()), Some(0));
    let text = fs::read_to_string(&config).expect("read");
    fs::write(&config, format!("later = 1\n{text}")).expect("write");
    let unknown = facts();
    assert!(code(&unknown) == Some(10) && said(&unknown).contains("later"), "{}", said(&unknown));
}

/// At night, on a disk that is full.
#[test]
fn a_rollback_is_not_refused_for_want_of_room() {
    let host = Host::new();
    let full =
        r#"echo '{"errors":["no room"],"findings":[{"code":"space-low","weight":"error","text":"no room"}]}'; exit 15"#;
    let when_full = format!("[ ! -e \"$here/../../../../full\" ] || {{ {full}; }}");
    host.stage(&host.strange(A, "*check*", &when_full));
    assert_eq!(code(&host.activate(A, &["--soak", "0s"])), Some(0));
    host.stage(&host.good(B));
    assert_eq!(code(&host.activate(B, &["--soak", "0s"])), Some(0));
    fs::write(host.place.path("full"), "").expect("write");
    let back = ended(host.begin(&["rollback"]));
    assert_eq!(code(&back), Some(0), "{}", said(&back));
    assert!(said(&back).contains("not held against it on the way back: no room"), "{}", said(&back));
    host.answers_as(A);
}

/// The way back is needed most where nothing can be written down any more.
#[test]
fn what_can_not_be_written_down_keeps_from_going_on_and_not_from_going_back() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    assert_eq!(code(&host.activate(B, &["--soak", "0s"])), Some(0));
    // What is known is written to it before it gets its name.
    fs::create_dir(host.place.path("opt/.state.json")).expect("made");
    let forward = host.activate(A, &["--force", "to see"]);
    assert!(code(&forward) == Some(1) && said(&forward).contains("the switch stands still"), "{}", said(&forward));
    host.answers_as(B);
    let back = ended(host.begin(&["rollback"]));
    assert_eq!(code(&back), Some(0), "{}", said(&back));
    assert!(said(&back).contains("what came of it can't be written down"), "{}", said(&back));
    host.answers_as(A);
    assert_eq!(host.place.line().ask(&["ops"])["data"]["draining"], false);
}

/// Killed at each of its steps, then gone on with or undone: one of the two runs, and it is the one that is current.
#[test]
fn a_switch_that_is_killed_at_any_step_is_gone_on_with_or_undone() {
    let host = Host::with(A);
    host.stage(&host.good(B));
    let running = host.place.let_run("work", "until go 0");
    host.place.wait_for_entry(running, "begin");
    let steps = ["verify", "preflight", "back_up", "drain", "flip", "restart", "soak"];
    let again = ["--force", "again"];
    for (n, step) in steps.iter().enumerate() {
        let to = if host.status()["current"] == A { B } else { A };
        let mut child = host.begin(&[&["activate", to, "--soak", "60s"][..], &again].concat());
        let at = until(&format!("it is at {step}"), || {
            let at = host.step()?;
            (steps.iter().position(|other| *other == at) >= Some(n)).then_some(at)
        });
        child.kill().expect("kill");
        child.wait().expect("wait");
        let undone = n % 2 == 0;
        let went_on = if undone {
            ended(host.begin(&["rollback", "--force", "undone"]))
        } else {
            // As it was begun, it would be watched for a minute: blessed by hand as soon as it answers.
            let child = host.begin(&["activate"]);
            host.answers_as(to);
            until("it is watched again", || (host.step()? == "soak").then_some(()));
            let mut child = child;
            child.kill().expect("kill");
            child.wait().expect("wait");
            host.run(&["bless"])
        };
        assert_eq!(code(&went_on), Some(0), "{step} ({at}): {}", said(&went_on));
        let status = host.status();
        let current = status["current"].as_str().expect("it leads somewhere").to_owned();
        assert_eq!(status["switch"], Value::Null, "{step} ({at}): {status}");
        assert_eq!(current == to, !undone, "{step} ({at}): {status}");
        host.answers_as(&current);
        assert_eq!(host.place.line().ask(&["ops"])["data"]["draining"], false, "{step} ({at})");
    }
    host.place.release("go");
    host.place.wait_for(running, "SUCCEEDED");
    assert_eq!(host.place.begun(running), 1);
    host.place.assert_sound();
}

/// The daemon's user has to get at its program.
#[test]
fn what_root_stages_is_for_all_whatever_its_shell_keeps_to_itself() {
    let host = Host::new();
    let stage = host.command(&["stage", host.good(A).to_str().expect("a plain path")]);
    let mut under = Command::new("/bin/sh");
    under.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(stage.get_program()).args(stage.get_args());
    let output = under.output().expect("run the program");
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    for (path, mode) in [("opt/releases", 0o755), (&*format!("opt/releases/{A}/bin"), 0o755), ("opt/state.json", 0o644)]
    {
        let metadata = fs::metadata(host.place.path(path)).expect("there");
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
}
