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
