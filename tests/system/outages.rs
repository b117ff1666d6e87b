//! Reports that can't be sent: they arrive when the trouble is over, what may be a repeat says so, and none is lost over a
//! restart in between.

use super::phone::Phone;
use super::place::until;
use mainstay_sim::botapi::{Effect, Fault, Method, Methods, Outcome, Quota, Rule};

/// What has to hold of the report in the end.
struct Case {
    name: &'static str,
    fault: Fault,
    /// It never arrives more than once, and is not marked: the trouble was certain.
    certain: bool,
}

const CASES: [Case; 10] = [
    Case { name: "reset before it took effect", fault: Fault::Reset(Effect::Missing), certain: false },
    Case { name: "reset after it took effect", fault: Fault::Reset(Effect::Taken), certain: false },
    Case { name: "502 before", fault: Fault::Html(502, Effect::Missing), certain: false },
    Case { name: "502 after", fault: Fault::Html(502, Effect::Taken), certain: false },
    Case { name: "500", fault: Fault::Html(500, Effect::Missing), certain: false },
    Case { name: "half an answer", fault: Fault::BadJson, certain: false },
    // These two are given up after 20 s, unless the next daemon comes first.
    Case { name: "no answer", fault: Fault::Hang, certain: false },
    Case { name: "a connection that died half-open", fault: Fault::HalfOpen, certain: false },
    Case { name: "429", fault: Fault::RetryAfter(1), certain: true },
    Case { name: "401", fault: Fault::Unauthorized, certain: true },
];

fn lets_one_report_be_hit(fault: Fault, certain: bool, restart: bool) {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    let task = 1;
    phone.say("/newtask work until go 0");
    phone.press(task, "Approve");
    phone.press(task, "Resume");
    place.wait_for_entry(task, "begin");
    phone.wait_for("RUNNING");
    phone.heard();
    phone.server.world().faults.add(Rule {
        methods: Methods::Only(Method::SendMessage),
        quota: Quota::Times(if matches!(fault, Fault::Hang | Fault::HalfOpen) { 1 } else { 2 }),
        fault,
    });
    place.release("go");
    until("the fault has struck", || {
        let world = phone.server.world();
        world.log().iter().any(|record| matches!(record.outcome, Outcome::Struck { .. })).then_some(())
    });
    if restart {
        place.kill();
        place.start();
    }
    until("it is sent", || {
        let ops = place.line().ask(&["ops"]);
        let left = ops["data"]["outbox"]["pending"].as_i64()? + ops["data"]["outbox"]["uncertain"].as_i64()?;
        (left == 0 && !phone.reports(task).is_empty()).then_some(())
    });
    let reports = phone.reports(task);
    let marked = reports.iter().filter(|report| report.text.starts_with("(possible repeat) ")).count();
    assert!(reports.len() - marked <= 1, "{reports:?}");
    if certain && !restart {
        assert_eq!((reports.len(), marked), (1, 0), "{reports:?}");
    }
    assert_eq!(place.begun(task), 1);
    assert_eq!(place.task(task)["state"], "SUCCEEDED");
    place.assert_sound();
}

#[test]
fn a_report_that_is_hit_arrives_and_says_when_it_may_be_a_repeat() {
    // Side by side: each waits for its own retries.
    let threads: Vec<_> = CASES
        .into_iter()
        .flat_map(|case| [false, true].map(|restart| (case.name, case.fault, case.certain, restart)))
        .map(|(name, fault, certain, restart)| {
            let run = std::thread::spawn(move || lets_one_report_be_hit(fault, certain, restart));
            (name, restart, run)
        })
        .collect();
    for (name, restart, thread) in threads {
        assert!(thread.join().is_ok(), "{name}, restart: {restart}");
    }
}

#[test]
fn while_connections_are_refused_tasks_run_and_their_reports_come_afterwards_also_of_the_next_daemon() {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    for task in [1, 2] {
        phone.say("/newtask work until go 0");
        phone.press(task, "Approve");
        phone.press(task, "Resume");
        place.wait_for_entry(task, "begin");
    }
    phone.server.down().expect("down");
    place.release("go");
    for task in [1, 2] {
        place.wait_for(task, "SUCCEEDED");
    }
    // Sending has been tried in vain; and the task asked for meanwhile runs.
    until("it was tried", || (!place.events_of("send_failed").is_empty()).then_some(()));
    let local = place.let_run("work", "for 0 0");
    place.wait_for(local, "SUCCEEDED");
    place.kill();
    place.start();
    phone.server.up().expect("up");
    for task in [1, 2] {
        phone.wait_for_report(task);
        assert_eq!(place.begun(task), 1);
    }
    phone.say("/status 1");
    phone.wait_for("SUCCEEDED");
    place.assert_sound();
}

#[test]
fn stop_works_while_sending_hangs() {
    let phone = Phone::new();
    let mut place = phone.place("", "");
    place.start();
    phone.say("/newtask work until never 0");
    phone.press(1, "Approve");
    phone.press(1, "Resume");
    place.wait_for_entry(1, "begin");
    let hang = phone.server.world().faults.always(Methods::AllBut(Method::GetUpdates), Fault::Hang);
    phone.say("/list");
    until("a call hangs", || {
        let world = phone.server.world();
        world.log().iter().any(|record| matches!(record.outcome, Outcome::Struck { .. })).then_some(())
    });
    phone.say("/stop 1");
    place.wait_for(1, "CANCELED");
    phone.server.world().faults.remove(hang);
    // What hangs would be given up after 20 s; the next daemon does not wait for it.
    place.kill();
    place.start();
    phone.wait_for_report(1);
    assert_eq!(place.begun(1), 1);
    place.assert_sound();
}
