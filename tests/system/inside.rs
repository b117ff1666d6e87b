//! From inside a task, the daemon can be asked and not commanded.

use super::place::{Place, binary, until};

#[test]
fn a_task_cannot_approve_however_far_it_forks_away() {
    let kind = format!(
        r#"
[[kind]]
name = "sly"
heavy = false
argv = ["/bin/sh", "-c", '''
ask() {{ {program} --config {{dir}}/mainstay.toml "$@"; }}
ask status 1 --json > {{dir}}/asked 2>&1
ask approve 1 > {{dir}}/direct 2>&1
(setsid sh -c '{program} --config {{dir}}/mainstay.toml approve 1 > {{dir}}/away.new 2>&1; mv {{dir}}/away.new {{dir}}/away' &)
while [ ! -e {{dir}}/away ]; do sleep 0.02; done
''']
"#,
        program = binary().display()
    );
    let mut place = Place::new("autonomy = \"auto\"", &kind);
    place.start();
    place.line().done(&["newtask", "work", "for 0 0"]);
    place.line().done(&["newtask", "sly", "x"]);
    until("it has tried", || place.path("away").exists().then_some(()));
    place.wait_for(2, "SUCCEEDED");
    let said = |name: &str| std::fs::read_to_string(place.path(name)).expect("it has said something");
    assert!(said("asked").contains("REQUESTED"), "{}", said("asked"));
    for tried in ["direct", "away"] {
        assert!(said(tried).contains("from inside a task"), "{tried}: {}", said(tried));
    }
    assert_eq!(place.task(1)["state"], "REQUESTED");
    // The same from outside is done, also while tasks run.
    let running = place.let_run("work", "until go 0");
    place.wait_for_entry(running, "begin");
    place.line().done(&["approve", "1"]);
    assert_eq!(place.task(1)["state"], "APPROVED");
    place.release("go");
    place.wait_for(running, "SUCCEEDED");
    place.assert_sound();
}

/// A build that cleans up with a wrong path: what lies around its working directory is the attempt itself.
#[test]
fn a_task_that_removes_its_attempt_runs_once_and_its_exit_code_is_known() {
    for (vandalism, killed) in
        [("rm -rf ../*", true), (": > ../lock", true), ("rm -rf ../../1-1", true), ("rm -rf ../*", false)]
    {
        let kind = r#"
[[kind]]
name = "vandal"
heavy = false
argv = ["/bin/sh", "-c", '''
{vandalism}
echo begin $MAINSTAY_TASK_ID $MAINSTAY_ATTEMPT $$ >> {dir}/ledger
while [ ! -e {dir}/go ]; do sleep 0.02; done
exit 7
''']
"#;
        let mut place = Place::new("autonomy = \"auto\"", &kind.replace("{vandalism}", vandalism));
        place.start();
        let id = place.line().done(&["newtask", "vandal", "x"])["task_id"].as_i64().expect("a task");
        place.wait_for_entry(id, "begin");
        if killed {
            place.kill();
            place.start();
            assert_eq!(place.task(id)["state"], "RUNNING", "{vandalism}");
        }
        place.release("go");
        assert_eq!(place.wait_for(id, "FAILED")["exit_code"], 7, "{vandalism}");
        assert_eq!((place.begun(id), place.events_of("start_again").len()), (1, 0), "{vandalism}");
        place.assert_sound();
    }
}

/// With its shim as well, nobody can know how far it came: and it does not run again.
#[test]
fn a_task_that_removes_its_attempt_and_kills_its_shim_is_unknown() {
    let kind = r#"
[[kind]]
name = "vandal"
heavy = false
argv = ["/bin/sh", "-c", '''
echo begin $MAINSTAY_TASK_ID $MAINSTAY_ATTEMPT $$ >> {dir}/ledger
rm -rf ../*
kill -9 $PPID
sleep 1000
''']
"#;
    let mut place = Place::new("autonomy = \"auto\"", kind);
    place.start();
    let id = place.line().done(&["newtask", "vandal", "x"])["task_id"].as_i64().expect("a task");
    assert_eq!(place.wait_for(id, "FAILED")["outcome"], "unknown");
    assert_eq!((place.begun(id), place.processes().len()), (1, 0));
    place.assert_sound();
}
