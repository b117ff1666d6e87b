//! `/stop`: whatever a task has done to get away, nothing of it is left when it is said to be canceled.

use super::place::{Place, until};
use serde_json::json;
use std::time::Duration;

/// Ignores SIGTERM, and forks twice into a session of its own with another name and nothing to wait for.
const ESCAPES: &str = r#"
[[kind]]
name = "escape"
heavy = false
stop_grace = "200ms"
argv = ["/bin/sh", "-c", '''
trap "" TERM
(trap "" TERM; setsid sh -c 'trap "" TERM; echo $$ >> {dir}/escaped; (while :; do sleep 0.05; done) & while :; do sleep 0.05; done' >/dev/null 2>&1 &)
echo begin $MAINSTAY_TASK_ID $MAINSTAY_ATTEMPT $$ >> {dir}/ledger
while :; do sleep 0.05; done
''']
"#;

#[test]
fn a_task_that_ignores_sigterm_and_has_forked_away_is_stopped_whole() {
    let mut place = Place::new("autonomy = \"auto\"", ESCAPES);
    place.start();
    for restarted in [false, true] {
        let id = place.line().done(&["newtask", "escape", "x"])["task_id"].as_i64().expect("a task");
        place.wait_for_entry(id, "begin");
        let escaped = || std::fs::read_to_string(place.path("escaped")).unwrap_or_default().lines().count();
        until("it has forked away", || (escaped() == if restarted { 2 } else { 1 }).then_some(()));
        assert!(place.processes().len() >= 4, "{:?}", place.processes());
        if restarted {
            place.kill();
            place.start();
        }
        place.line().done(&["stop", &id.to_string()]);
        let task = place.wait_for(id, "CANCELED");
        // Not "soon": it is said only once it is so. Only the shim may still be on its way out.
        assert_eq!(place.processes_but_shims(), Vec::<i32>::new());
        assert_eq!(task["outcome"], "stopped", "{task}");
    }
    place.assert_sound();
}

/// Stops its own shim, again and again: what the daemon asks of that is not heard.
const DEAFENS: &str = r#"
[[kind]]
name = "deafen"
heavy = false
timeout = "{timeout}"
stop_grace = "200ms"
argv = ["/bin/sh", "-c", '''
trap "" TERM
kill -STOP $PPID
echo begin $MAINSTAY_TASK_ID $MAINSTAY_ATTEMPT $$ >> {dir}/ledger
while :; do kill -STOP $PPID; done
''']
"#;

#[test]
fn a_task_that_stops_its_shim_is_stopped_and_keeps_its_time_limit_all_the_same() {
    for (timeout, stopped, state, outcome) in
        [("1h", true, "CANCELED", "stopped"), ("300ms", false, "FAILED", "timeout")]
    {
        let mut place = Place::new("autonomy = \"auto\"", &DEAFENS.replace("{timeout}", timeout));
        place.start();
        let id = place.line().done(&["newtask", "deafen", "x"])["task_id"].as_i64().expect("a task");
        place.wait_for_entry(id, "begin");
        if stopped {
            place.line().done(&["stop", &id.to_string()]);
        }
        assert_eq!(place.wait_for(id, state)["outcome"], outcome);
        assert_eq!(place.processes_but_shims(), Vec::<i32>::new());
        place.assert_sound();
    }
}

impl Place {
    fn processes_but_shims(&self) -> Vec<i32> {
        let is_shim = |pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.is_empty() || line.split(|byte| *byte == 0).nth(1) == Some(b"shim")
        };
        self.processes().into_iter().filter(|pid| !is_shim(pid)).collect()
    }
}

#[test]
fn a_task_that_waits_for_a_slot_is_stopped_without_ever_running() {
    let mut place = Place::new("running_max = 1", "");
    place.start();
    let first = place.let_run("work", "until go 0");
    place.wait_for_entry(first, "begin");
    let second = place.let_run("work", "for 0 0");
    assert_eq!(place.task(second)["state"], "QUEUED");
    place.line().done(&["stop", &second.to_string()]);
    assert_eq!(place.task(second)["state"], "CANCELED");
    place.release("go");
    place.wait_for(first, "SUCCEEDED");
    place.kill();
    place.start();
    assert_eq!((place.task(second)["state"].clone(), place.begun(second)), (json!("CANCELED"), 0));
    place.assert_sound();
}

#[test]
fn stopped_at_any_moment_of_its_start_it_is_gone() {
    let mut chance = super::place::Chance::new("stopped_at_any_moment_of_its_start");
    let mut place = Place::new("", "");
    place.start();
    for round in 0..20 {
        let id = place.let_run("work", "until never 0");
        std::thread::sleep(Duration::from_micros(chance.below(30_000)));
        // Also by a daemon that comes in between.
        if round % 5 == 0 {
            place.kill();
            place.launch();
        }
        place.line().done(&["stop", &id.to_string()]);
        assert_eq!(place.wait_for(id, "CANCELED")["outcome"], "stopped");
        assert_eq!(place.processes_but_shims(), Vec::<i32>::new(), "round {round}");
        assert!(place.begun(id) <= 1);
    }
    place.assert_sound();
}

#[test]
fn a_stop_that_is_lost_in_a_crash_goes_on_afterwards() {
    let mut place = Place::new("autonomy = \"auto\"", &ESCAPES.replace("200ms", "1h"));
    place.start();
    let id = place.line().done(&["newtask", "escape", "x"])["task_id"].as_i64().expect("a task");
    place.wait_for_entry(id, "begin");
    place.line().done(&["stop", &id.to_string()]);
    place.kill();
    place.start();
    let task = place.task(id);
    assert_eq!((&task["state"], &task["stopping"]), (&json!("RUNNING"), &json!(true)), "{task}");
    // The slot is held as long as anything is alive; the worker's death ends it.
    super::place::kill(place.wait_for_entry(id, "begin"));
    assert_eq!(place.wait_for(id, "CANCELED")["outcome"], "stopped");
    assert_eq!(place.processes_but_shims(), Vec::<i32>::new());
    place.assert_sound();
}

#[test]
fn draining_waits_for_what_runs_and_is_over_with_the_next_start() {
    let mut place = Place::new("", "");
    place.start();
    let running = place.let_run("work", "until go 0");
    place.wait_for_entry(running, "begin");
    let late = place.run(&["drain", "--timeout", "1ms"]);
    let said = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(late.status.code() == Some(21) && said.contains(&format!("still running: #{running}")), "{said}");
    let waiting = place.let_run("work", "for 0 0");
    assert!(place.cli(&["check"]).to_string().contains("the daemon is draining"));
    let mut drain = place.command(&["drain"]).spawn().expect("start");
    place.release("go");
    assert_eq!(drain.wait().expect("its end").code(), Some(0));
    assert_eq!((place.task(running)["state"].clone(), place.begun(waiting)), ("SUCCEEDED".into(), 0));
    assert_eq!(place.terminate().code(), Some(0));
    place.start();
    place.wait_for(waiting, "SUCCEEDED");
    assert!(!place.cli(&["check"]).to_string().contains("draining"));
    place.assert_sound();
    place.terminate();
}
