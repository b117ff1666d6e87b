//! Stopping, retrying, starting.

use crate::world::*;
use mainstay::event::Fact;
use mainstay::policy;
use mainstay::task::{Outcome, State};

#[test]
fn stopped_before_it_runs_a_task_is_canceled_at_once() {
    let mut w = World::with(|c| c.running_max = 1);
    w.say(OLGA, "/newtask build");
    let approved = w.approved("build", "exit:0");
    let running = w.run_task("build", "hang");
    let queued = w.run_task("build", "exit:0");
    assert_eq!(w.state(queued), State::Queued);
    for id in [1, approved, queued] {
        assert!(w.cli(&format!("stop {id}")).ok);
        assert_eq!(w.state(id), State::Canceled);
    }
    w.cli(&format!("stop {running}"));
    w.quiet();
    assert_eq!(w.state(running), State::Canceled);
    assert_eq!(w.ran(queued, 1), 0);
    w.check_settled();
}

#[test]
fn stopped_between_claim_and_go_nothing_runs() {
    let mut w = World::new();
    w.machine.borrow_mut().hold_starts = true;
    let id = w.run_task("build", "exit:0");
    w.say(OLGA, &format!("/stop {id}"));
    assert_eq!(w.state(id), State::Running, "its shim is still there");
    w.machine.borrow_mut().hold_starts = false;
    w.quiet();
    assert_eq!((w.state(id), w.ran(id, 1)), (State::Canceled, 0));
    w.check_settled();
}

#[test]
fn stopped_between_claim_and_go_and_killed_there_nothing_runs() {
    let mut w = World::new();
    w.machine.borrow_mut().hold_starts = true;
    let id = w.run_task("build", "exit:0");
    w.say(OLGA, &format!("/stop {id}"));
    w.kill();
    w.machine.borrow_mut().hold_starts = false;
    w.start();
    w.quiet();
    assert_eq!((w.state(id), w.ran(id, 1)), (State::Canceled, 0));
    w.check_settled();
}

#[test]
fn stopped_while_its_start_is_put_off_nothing_runs() {
    let mut w = World::new();
    w.machine.borrow_mut().fail_starts = 3;
    let id = w.run_task("build", "exit:0");
    w.say(OLGA, &format!("/stop {id}"));
    w.quiet();
    assert_eq!((w.state(id), w.ran(id, 1)), (State::Canceled, 0));
    w.check_settled();
}

#[test]
fn a_running_task_is_canceled_only_when_nothing_of_it_is_alive() {
    let mut w = World::new();
    let id = w.run_task("build", "hang stubborn:12000");
    w.say(OLGA, &format!("/stop {id}"));
    w.advance(10_000);
    assert_eq!(w.state(id), State::Running);
    w.check();
    w.restart();
    w.advance(5_000);
    assert_eq!((w.state(id), w.task(id).task.outcome), (State::Canceled, Some(Outcome::Stopped)));
    w.quiet();
    assert_eq!(w.reports(OLGA, id).len(), 1);
    w.check_settled();
}

#[test]
fn a_task_that_cannot_be_killed_keeps_its_slot_and_says_so() {
    let mut w = World::new();
    let id = w.run_task("solo", "hang immortal");
    let behind = w.run_task("solo", "exit:0");
    w.say(OLGA, &format!("/stop {id}"));
    w.advance(3_600_000);
    assert_eq!((w.state(id), w.state(behind)), (State::Running, State::Queued));
    assert_eq!(w.count(|f| matches!(f, Fact::StopOverdue {})), 1);
    assert!(w.card(OLGA, id).expect("a card").1.text().contains("could not be stopped"));
    assert_eq!(w.cli("ops").data["status"], "degraded");
    w.restart();
    w.power_loss(1_000);
    w.start();
    w.quiet();
    assert_eq!((w.state(id), w.state(behind)), (State::Canceled, State::Succeeded));
    w.check_settled();
}

#[test]
fn a_task_whose_shim_does_not_do_it_is_killed_by_the_daemon() {
    let mut w = World::new();
    let stopped = w.run_task("build", "deaf");
    w.say(OLGA, &format!("/stop {stopped}"));
    w.advance(10_000);
    assert_eq!(w.state(stopped), State::Running, "its shim has its time");
    let why = w.cli(&format!("why {stopped}")).text;
    assert!(why.contains("is being stopped"), "{why}");
    // Grace and alarm have passed: it is not given another grace.
    w.advance(6_000);
    assert_eq!((w.state(stopped), w.task(stopped).task.outcome), (State::Canceled, Some(Outcome::Stopped)));
    assert_eq!(w.count(|f| matches!(f, Fact::StopOverdue {})), 1);
    w.quiet();
    w.check_settled();
}

#[test]
fn a_time_limit_that_a_shim_does_not_keep_is_kept_by_the_daemon() {
    let mut w = World::new();
    let id = w.run_task("build", "deaf");
    let limit = 30 * 60_000;
    w.advance(limit + 10_000);
    assert_eq!(
        (w.state(id), w.count(|f| matches!(f, Fact::StopAsked { .. }))),
        (State::Running, 0),
        "its shim has its time"
    );
    w.advance(6_000);
    assert_eq!((w.state(id), w.count(|f| matches!(f, Fact::StopAsked { .. }))), (State::Running, 1));
    let why = w.cli(&format!("why {id}")).text;
    assert!(why.contains("past its time limit") && why.contains("pid 100"), "{why}");
    // By the next daemon as well as by this one.
    w.restart();
    w.advance(60_000);
    assert_eq!((w.state(id), w.task(id).task.outcome), (State::Failed, Some(Outcome::Timeout)));
    assert_eq!(w.count(|f| matches!(f, Fact::StopOverdue {})), 1);
    w.check_settled();
}

#[test]
fn a_stop_while_the_time_limit_does_its_work_is_a_stop() {
    let mut w = World::new();
    let id = w.run_task("build", "hang stubborn:9000");
    w.advance(30 * 60_000 + 4_000);
    w.say(OLGA, &format!("/stop {id}"));
    w.quiet();
    assert_eq!((w.state(id), w.task(id).task.outcome), (State::Canceled, Some(Outcome::Stopped)));
    assert!(!w.reports(OLGA, id)[0].contains("already finished"), "{:?}", w.reports(OLGA, id));
    w.check_settled();
}

#[test]
fn what_was_killed_late_and_left_no_receipt_is_unknown_and_not_run_again() {
    let mut w = World::new();
    // A kind whose failures are tried again, and that may not run twice.
    let id = w.run_task("flaky", "deaf");
    w.say(OLGA, &format!("/stop {id}"));
    w.advance(1_000);
    let other = w.run_task("flaky", "deaf");
    w.advance(30 * 60_000 + 20_000);
    assert_eq!(w.count(|f| matches!(f, Fact::StopAsked { .. })), 2);
    w.machine.borrow_mut().kill_shim(key(other, 1));
    w.advance(60_000);
    assert_eq!((w.state(other), w.task(other).task.outcome), (State::Failed, Some(Outcome::Unknown)));
    assert_eq!(w.ran(other, 2), 0);
    w.check_settled();
}

#[test]
fn a_start_that_takes_long_is_no_running_time() {
    let mut w = World::new();
    w.machine.borrow_mut().fail_starts = 9;
    let id = w.run_task("build", "exit:0@1795000");
    w.advance(1_900_000);
    assert_eq!((w.state(id), w.count(|f| matches!(f, Fact::StopAsked { .. }))), (State::Succeeded, 0));
    w.check_settled();
}

#[test]
fn an_attempt_that_never_comes_as_far_as_running_is_given_up() {
    let mut w = World::new();
    w.machine.borrow_mut().hold_starts = true;
    let id = w.run_task("build", "exit:0");
    for _ in 0..2 * policy::START_TRIES_MAX {
        w.restart();
        // After the first try, with a pause.
        w.advance(policy::START_RETRY_MS);
    }
    w.machine.borrow_mut().hold_starts = false;
    w.quiet();
    assert_eq!((w.state(id), w.task(id).task.outcome), (State::Failed, Some(Outcome::NotStarted)));
    assert_eq!(w.count(|f| matches!(f, Fact::StartAgain { .. })), policy::START_TRIES_MAX as usize);
    assert_eq!(w.ran(id, 1), 0);
    w.check_settled();
}

#[test]
fn what_is_known_never_to_have_run_is_started_also_after_a_power_loss() {
    for calls in 0..40 {
        let mut w = World::new();
        let id = w.approved("build", "exit:0@60000");
        w.machine.borrow_mut().hold_starts = true;
        w.say(OLGA, &format!("/resume {id}"));
        w.restart();
        w.machine.borrow_mut().hold_starts = false;
        w.restart();
        // Somewhere between its second start and its "go".
        w.kill_in(calls);
        w.advance(2 * policy::START_RETRY_MS);
        w.kill();
        let has_run = w.ran(id, 1) > 0;
        w.start();
        w.advance(policy::START_RETRY_MS / 2);
        w.power_loss(60_000);
        w.start();
        w.advance(120_000);
        let known = if has_run { State::Failed } else { State::Succeeded };
        assert_eq!((w.state(id), w.ran(id, 1)), (known, 1), "{calls}");
        w.check_settled();
    }
}

#[test]
fn a_stop_that_lost_to_a_success_says_so() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0@5000 stubborn:9000");
    w.advance(4_000);
    w.say(OLGA, &format!("/stop {id}"));
    w.quiet();
    assert_eq!((w.state(id), w.task(id).task.outcome), (State::Succeeded, Some(Outcome::Success)));
    assert!(w.reports(OLGA, id)[0].contains("had already finished"));
    assert!(w.cli(&format!("stop {id}")).text.contains("had already finished"));
    w.check_settled();
}

#[test]
fn stop_is_heard_while_a_start_hangs_and_while_telegram_does_not_answer() {
    let mut w = World::new();
    w.chats.borrow_mut().hold = true;
    w.machine.borrow_mut().hold_starts = true;
    let hangs = w.run_task("build", "exit:0");
    w.machine.borrow_mut().hold_starts = false;
    let runs = w.run_task("build", "hang");
    for id in [hangs, runs] {
        assert!(w.cli(&format!("stop {id}")).ok);
    }
    w.quiet();
    assert_eq!((w.state(hangs), w.state(runs)), (State::Canceled, State::Canceled));
    w.chats.borrow_mut().hold = false;
    w.advance(120_000);
    w.check_settled();
}

#[test]
fn a_transient_failure_is_tried_again_after_a_growing_pause_until_the_budget_is_spent() {
    let mut w = World::new();
    let id = w.run_task("flaky", "exit:75@10");
    w.advance(60_000);
    assert_eq!((w.state(id), w.task(id).task.attempt), (State::Failed, 3));
    for attempt in 1..=3 {
        assert_eq!(w.ran(id, attempt), 1);
    }
    assert_eq!(w.reports(OLGA, id).len(), 1, "only the last failure is final");
    let permanent = w.run_task("flaky", "exit:1@10");
    w.advance(60_000);
    assert_eq!((w.state(permanent), w.task(permanent).task.attempt), (State::Failed, 1));
    w.check_settled();
}

#[test]
fn a_pause_before_a_retry_holds_across_restarts() {
    let mut w = World::with(|c| c.kinds.get_mut("flaky").expect("it is there").backoff_ms = 600_000);
    let id = w.run_task("flaky", "exit:75@10");
    w.advance(1_000);
    assert_eq!(w.state(id), State::Queued);
    w.restart();
    w.advance(290_000);
    assert_eq!((w.state(id), w.ran(id, 2)), (State::Queued, 0));
    w.advance(400_000);
    assert_eq!(w.ran(id, 2), 1);
    w.check();
}

#[test]
fn a_retry_may_wait_in_the_queue_as_long_as_the_first_try() {
    let mut w = World::with(|c| {
        let kind = c.kinds.get_mut("flaky").expect("it is there");
        (kind.queue_ttl_ms, kind.timeout_ms) = (60_000, 3_600_000);
    });
    let id = w.run_task("flaky", "exit:75@600000");
    w.advance(1_210_000);
    assert_eq!((w.ran(id, 1), w.ran(id, 2), w.state(id)), (1, 1, State::Running));
    w.advance(1_200_000);
    assert_eq!(w.state(id), State::Failed);
    w.check();
}

#[test]
fn a_task_whose_time_is_up_is_ended_and_tried_again_only_with_budget() {
    let mut w = World::new();
    let id = w.run_task("build", "hang");
    let retried = w.run_task("flaky", "hang");
    w.advance(31 * 60_000);
    assert_eq!((w.state(id), w.task(id).task.outcome), (State::Failed, Some(Outcome::Timeout)));
    assert_eq!(w.ran(retried, 2), 1);
    w.advance(3 * 31 * 60_000);
    assert_eq!((w.state(retried), w.task(retried).task.attempt), (State::Failed, 3));
    w.check_settled();
}

#[test]
fn a_start_that_fails_is_tried_again_and_given_up_in_the_end() {
    let mut w = World::new();
    w.machine.borrow_mut().fail_starts = 4;
    let id = w.run_task("build", "exit:0");
    w.advance(60_000);
    assert_eq!((w.state(id), w.ran(id, 1), w.task(id).task.attempt), (State::Succeeded, 1, 1));
    w.machine.borrow_mut().fail_starts = 1_000;
    let never = w.run_task("build", "exit:0");
    w.advance(120_000);
    assert_eq!((w.state(never), w.task(never).task.outcome), (State::Failed, Some(Outcome::NotStarted)));
    w.check_settled();
}

#[test]
fn fifty_tasks_whose_starts_fail_are_tried_one_at_a_time_and_all_run_in_the_end() {
    const TASKS: i64 = 50;
    let mut w = World::with(|c| {
        c.running_max = 50;
        c.kinds.values_mut().for_each(|kind| kind.concurrency = 50);
    });
    w.machine.borrow_mut().fail_starts = u32::MAX;
    w.cli("drain");
    let tasks: Vec<i64> = (0..TASKS).map(|_| w.run_task("build", "exit:0")).collect();
    let late = w.run_task("build", "exit:0");
    w.cli("undrain");
    w.advance(1_000);
    let failed = |w: &World| w.count(|f| matches!(f, Fact::StartFailed { .. }));
    assert_eq!(failed(&w), 50, "all that were begun together");
    let most = 60_000 / policy::START_RETRY_MS;
    for minute in 1..=5 {
        let before = failed(&w);
        w.advance(60_000);
        let tries = i64::try_from(failed(&w) - before).expect("a number");
        assert!((most - 1..=most).contains(&tries), "{tries} tries in minute {minute}");
    }
    assert_eq!(w.state(late), State::Queued);
    for question in [format!("why {late}"), "ops".into()] {
        let said = w.cli(&question).text;
        assert!(said.contains("nothing can be started (no more processes)"), "{said}");
    }
    let stopped = tasks[TASKS as usize - 1];
    w.cli(&format!("stop {stopped}"));
    w.advance(policy::START_RETRY_MS);
    assert_eq!(w.state(stopped), State::Canceled, "who wants it stopped does not wait for its turn");
    // A new daemon tries by itself, each attempt once; what was put off keeps its time.
    w.restart();
    w.machine.borrow_mut().fail_starts = 0;
    w.advance(policy::START_RETRY_MS + 5_000);
    for id in tasks.into_iter().filter(|id| *id != stopped).chain([late]) {
        assert_eq!((w.state(id), w.ran(id, 1), w.task(id).task.attempt), (State::Succeeded, 1, 1));
    }
    // One message a second goes to each chat.
    w.advance(600_000);
    w.check_settled();
}

#[test]
fn a_task_that_can_not_be_started_alone_holds_up_no_other_for_long() {
    let mut w = World::new();
    w.machine.borrow_mut().fail_starts = 1;
    let alone = w.run_task("build", "exit:0");
    w.advance(1_000);
    let other = w.run_task("build", "exit:0");
    w.advance(policy::START_RETRY_MS);
    assert_eq!((w.ran(alone, 1), w.ran(other, 1)), (1, 1));
    assert!(w.cli("ops").data["status"] == "healthy");
    w.quiet();
    w.check_settled();
}

#[test]
fn a_group_runs_as_many_at_once_as_it_may_in_the_order_of_asking() {
    let mut w = World::new();
    let ids: Vec<i64> = (0..4).map(|_| w.run_task("solo", "exit:0@30000")).collect();
    for (done, id) in ids.iter().enumerate() {
        let running = ids.iter().filter(|id| w.state(**id) == State::Running).count();
        assert_eq!(running, 1);
        assert_eq!(w.state(*id), State::Running, "{done} are done");
        w.advance(30_000);
    }
    w.quiet();
    w.check_settled();
}

#[test]
fn the_last_slot_goes_to_whoever_waited_longest_and_not_to_the_first_group_by_name() {
    use mainstay::event::Fact;
    let mut w = World::with(|c| c.running_max = 1);
    let ids: Vec<i64> =
        ["build", "solo", "build", "build"].iter().map(|kind| w.run_task(kind, "exit:0@60000")).collect();
    w.advance(600_000);
    let claimed: Vec<i64> = w
        .events()
        .iter()
        .filter(|e| matches!(e.fact, Fact::Claimed { .. }))
        .filter_map(|e| e.task.map(|t| t.0))
        .collect();
    assert_eq!(claimed, ids);
    w.check_settled();
}

#[test]
fn a_task_whose_group_was_renamed_while_it_waited_still_runs() {
    let mut w = World::with(|c| c.running_max = 1);
    let ids = [w.run_task("build", "exit:0@60000"), w.run_task("solo", "exit:0"), w.run_task("solo", "exit:0")];
    assert_eq!(w.state(ids[1]), State::Queued);
    w.kill();
    w.config.kinds.get_mut("solo").expect("it is there").group = "renamed".into();
    w.start();
    w.advance(120_000);
    assert!(ids.iter().all(|id| w.state(*id) == State::Succeeded), "{:?}", ids.map(|id| w.state(id)));
    w.check_settled();
}
