//! The table "After a restart", and being killed anywhere.

use crate::world::*;
use mainstay::attempt::{End, EndCause, LogDigest, Receipt};
use mainstay::event::Fact;
use mainstay::policy;
use mainstay::task::{Outcome, State};

#[test]
fn an_attempt_that_ended_while_the_daemon_was_away_has_its_true_exit_code() {
    for (prompt, state, code) in [("exit:0@5000", State::Succeeded, 0), ("exit:7@5000", State::Failed, 7)] {
        let mut w = World::new();
        let id = w.run_task("build", prompt);
        w.kill();
        w.advance(48 * 3_600_000);
        w.start();
        let task = w.task(id).task;
        assert_eq!((task.state, task.exit_code), (state, Some(code)));
        w.quiet();
        assert_eq!(w.ran(id, 1), 1);
        assert_eq!(w.reports(OLGA, id).len(), 1);
        w.check_settled();
    }
}

#[test]
fn an_attempt_that_is_alive_is_adopted() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0@100000 progress:half@50000");
    w.restart();
    assert_eq!(w.state(id), State::Running);
    assert_eq!(w.count(|f| matches!(f, Fact::Adopted { .. })), 1);
    w.advance(60_000);
    assert!(w.card(OLGA, id).expect("a card").1.text().contains("half"));
    w.restart();
    w.advance(60_000);
    assert_eq!(w.state(id), State::Succeeded);
    assert_eq!((w.ran(id, 1), w.ran(id, 2)), (1, 0));
    w.quiet();
    w.check_settled();
}

#[test]
fn a_claimed_attempt_without_a_folder_is_started_under_its_number() {
    let mut w = World::new();
    let id = w.approved("build", "exit:0");
    w.machine.borrow_mut().fail_starts = 1;
    w.say(OLGA, &format!("/resume {id}"));
    assert_eq!((w.state(id), w.ran(id, 1)), (State::Running, 0));
    w.restart();
    w.quiet();
    assert_eq!((w.state(id), w.ran(id, 1), w.task(id).task.attempt), (State::Succeeded, 1, 1));
    w.check_settled();
}

#[test]
fn a_ready_attempt_that_was_never_told_to_go_is_started_again_under_its_number() {
    let mut w = World::new();
    let id = w.approved("build", "exit:0");
    w.machine.borrow_mut().hold_starts = true;
    w.say(OLGA, &format!("/resume {id}"));
    assert!(w.machine.borrow().folders.contains_key(&key(id, 1)));
    w.kill();
    w.machine.borrow_mut().hold_starts = false;
    w.start();
    w.quiet();
    assert_eq!((w.state(id), w.ran(id, 1), w.task(id).task.attempt), (State::Succeeded, 1, 1));
    assert_eq!(w.count(|f| matches!(f, Fact::StartAgain { .. })), 1);
    w.check_settled();
}

#[test]
fn an_attempt_that_vanished_has_an_unknown_outcome_and_is_not_run_again() {
    let mut w = World::new();
    let id = w.run_task("build", "hang");
    w.kill();
    w.machine.borrow_mut().kill_shim(key(id, 1));
    w.start();
    w.quiet();
    let task = w.task(id).task;
    assert_eq!((task.state, task.outcome), (State::Failed, Some(Outcome::Unknown)));
    assert!(task.evidence.contains("still alive and were killed"), "{}", task.evidence);
    assert!(w.reports(OLGA, id)[0].contains("It may have done all, some or nothing"));
    assert!(!w.cli(&format!("resume {id}")).ok);
    assert_eq!(w.ran(id, 2), 0);
    w.check_settled();
}

#[test]
fn a_vanished_attempt_is_not_run_again_because_retries_are_left() {
    let mut w = World::new();
    let id = w.run_task("flaky", "hang");
    w.machine.borrow_mut().kill_shim(key(id, 1));
    w.advance(3_600_000);
    assert_eq!((w.state(id), w.ran(id, 2)), (State::Failed, 0));
    assert_eq!(w.task(id).task.outcome, Some(Outcome::Unknown));
    w.check_settled();
}

#[test]
fn a_vanished_attempt_of_an_idempotent_kind_is_run_again_while_budget_is_left() {
    let mut w = World::new();
    let id = w.run_task("backup", "hang");
    for attempt in 1..=3 {
        assert_eq!(w.ran(id, attempt), 1);
        w.machine.borrow_mut().kill_shim(key(id, attempt));
        w.advance(60_000);
    }
    let task = w.task(id).task;
    assert_eq!((task.state, task.outcome, task.attempt), (State::Failed, Some(Outcome::Unknown), 3));
    assert_eq!(w.reports(OLGA, id).len(), 1);
    w.check_settled();
}

#[test]
fn after_power_loss_what_ran_is_unknown_and_what_ended_is_known() {
    let mut w = World::new();
    let ended = w.run_task("build", "exit:0@1000");
    let hung = w.run_task("build", "hang");
    w.kill();
    w.advance(2_000);
    w.power_loss(3_600_000);
    w.start();
    w.quiet();
    assert_eq!(w.state(ended), State::Succeeded);
    assert_eq!(w.task(hung).task.outcome, Some(Outcome::Unknown));
    w.check_settled();
}

#[test]
fn an_attempt_that_should_not_live_is_killed_and_counted() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0");
    w.quiet();
    // A database of before is put back: the machine is ahead of it.
    let copy = w.run_task("build", "hang");
    w.kill();
    w.disk.look().execute_batch("DELETE FROM attempts; UPDATE tasks SET state = 'FAILED'").expect("a restored back-up");
    w.start();
    w.quiet();
    assert_eq!(w.count(|f| matches!(f, Fact::Violation { .. })), 1);
    assert_eq!(w.machine.borrow().folders[&key(copy, 1)].alive, 0);
    assert_eq!((w.ran(id, 1), w.ran(copy, 1)), (1, 1));
    assert_eq!(w.cli("ops").data["status"], "broken");
}

#[test]
fn a_receipt_of_another_attempt_of_the_same_number_is_no_receipt() {
    let mut w = World::new();
    let id = w.run_task("build", "hang");
    w.kill();
    {
        let mut machine = w.machine.borrow_mut();
        let folder = machine.folder(key(id, 1));
        folder.receipt = Some(Receipt {
            key: key(id, 1),
            nonce: "of another life".into(),
            end: End::Exited(0),
            cause: EndCause::Itself,
            started_ms: 0,
            ended_ms: 1,
            ran_ms: 1,
            cpu_ms: 0,
            max_rss_kib: 0,
            strays: 0,
            stdout: LogDigest::default(),
            stderr: LogDigest::default(),
        });
        folder.shim = Shim::Gone;
    }
    w.start();
    w.quiet();
    assert_eq!((w.state(id), w.task(id).task.outcome), (State::Failed, Some(Outcome::Unknown)));
    w.check_settled();
}

#[test]
fn killed_at_any_call_of_a_port_nothing_is_lost_and_nothing_runs_twice() {
    for calls in 0..260 {
        let mut w = World::new();
        w.kill_in(calls);
        let connection = w.request("newtask", "newtask backup exit:0@2000 progress:half@1000");
        w.settle();
        let mut dead = !w.is_up();
        let again = |w: &mut World| {
            if !w.is_up() {
                w.start();
            }
        };
        again(&mut w);
        if w.answer(connection).is_none() {
            w.cli_again("newtask", "newtask backup exit:0@2000 progress:half@1000");
            again(&mut w);
        }
        assert_eq!(w.tasks(), 1, "killed at {calls}");
        for step in 0..4 {
            match step {
                0 => w.say(AXEL, "/approve 1"),
                1 => w.say(OLGA, "/resume 1"),
                _ => w.advance(10_000),
            }
            dead |= !w.is_up();
            again(&mut w);
            w.check();
        }
        w.advance(60_000);
        again(&mut w);
        w.advance(60_000);
        assert_eq!((w.state(1), w.ran(1, 1), w.ran(1, 2)), (State::Succeeded, 1, 0), "killed at {calls}");
        w.check_settled();
        if !dead {
            assert!(calls > 60, "the story has only {calls} calls");
            return;
        }
    }
    panic!("the story never came to its end");
}

#[test]
fn deadlines_survive_a_reboot_with_the_time_without_power_counted() {
    let hour = 3_600_000;
    for (off, expected) in [(20 * hour, State::Requested), (25 * hour, State::Expired)] {
        let mut w = World::new();
        w.say(OLGA, "/newtask build");
        w.advance(2 * hour);
        w.power_loss(off);
        w.start();
        assert_eq!(w.state(1), expected, "after {off} ms");
        w.advance(2 * hour + 1_000);
        w.quiet();
        assert_eq!(w.state(1), State::Expired, "24 h after it was asked for");
        w.check_settled();
    }
}

#[test]
fn a_wall_clock_that_jumps_changes_no_deadline_within_a_boot() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    let running = w.run_task("build", "exit:0@60000");
    for years in [10, -20, 10] {
        w.shared.wall_ms.set(w.shared.wall_ms.get() + years * 365 * 24 * 3_600_000);
        w.advance(1_000);
        w.restart();
        assert_eq!((w.state(1), w.state(running)), (State::Requested, State::Running));
    }
    w.advance(60_000);
    assert_eq!(w.state(running), State::Succeeded);
    w.advance(24 * 3_600_000);
    assert_eq!(w.state(1), State::Expired);
}

#[test]
fn an_approval_that_ran_out_during_a_power_loss_runs_nothing() {
    let mut w = World::with(|c| c.kinds.get_mut("backup").expect("it is there").approval_ttl_ms = 3_600_000);
    let id = w.run_task("backup", "hang");
    w.power_loss(2 * 3_600_000);
    w.start();
    w.quiet();
    assert_eq!(w.state(id), State::Canceled, "its retry needs an approval that holds");
    assert_eq!(w.ran(id, 2), 0);
    w.check_settled();
}

#[test]
fn a_daemon_that_ends_cleanly_leaves_its_tasks_alone() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0@60000");
    w.quiet();
    w.terminate();
    assert!(matches!(w.exit, Some(Exit::Ended(Ok(())))), "{:?}", w.exit);
    assert_eq!(w.machine.borrow().folders[&key(id, 1)].alive, 1);
    w.advance(120_000);
    w.start();
    w.quiet();
    assert_eq!(w.state(id), State::Succeeded);
    assert_eq!(w.reports(OLGA, id).len(), 1);
    w.check_settled();
}

#[test]
fn a_clean_end_marks_no_message_as_a_repeat() {
    let mut w = World::new();
    w.chats.borrow_mut().hold = true;
    w.say(OLGA, "/newtask build");
    w.terminate();
    assert!(w.is_up(), "it waits for the answer");
    w.chats.borrow_mut().hold = false;
    w.settle();
    assert!(!w.is_up());
    w.start();
    w.quiet();
    assert_eq!(w.shows(OLGA, "possible repeat"), 0);
    w.check_settled();
}

#[test]
fn a_daemon_told_to_end_does_not_wait_for_ever_for_an_answer() {
    let mut w = World::new();
    w.chats.borrow_mut().hold = true;
    w.say(OLGA, "/newtask build");
    w.terminate();
    w.advance(policy::SHUTDOWN_SENDING_MS - 1);
    assert!(w.is_up(), "it waits for the answer");
    w.advance(1);
    assert!(!w.is_up());
    w.chats.borrow_mut().hold = false;
    w.start();
    w.quiet();
    // Both have arrived, and the second one says what it may be.
    assert_eq!(w.shows(OLGA, "possible repeat"), 1);
    w.check_settled();
}

#[test]
fn after_a_long_downtime_the_cards_that_wait_are_shown_anew_with_the_right_buttons() {
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    let approved = w.approved("build", "exit:0");
    w.quiet();
    let (first, _) = w.card(OLGA, 1).expect("a card");
    w.restart();
    w.quiet();
    assert_eq!(w.card(OLGA, 1).expect("a card").0, first, "a short absence changes nothing");
    w.kill();
    w.advance(3_600_000);
    w.start();
    w.quiet();
    assert!(w.card(OLGA, 1).expect("a card").0 > first);
    w.press(OLGA, OLGA, approved, "Resume");
    w.quiet();
    assert_eq!(w.state(approved), State::Succeeded);
    w.check_settled();
}

#[test]
fn after_a_long_silence_of_the_network_the_cards_that_wait_are_shown_anew() {
    use mainstay::ports::CallErrorKind;
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    w.quiet();
    let (first, _) = w.card(OLGA, 1).expect("a card");
    w.chats.borrow_mut().poll_faults.push_back(CallErrorKind::Ambiguous);
    w.advance(120_000);
    assert_eq!(w.card(OLGA, 1).expect("a card").0, first, "a short silence changes nothing");
    w.chats.borrow_mut().poll_faults.extend(vec![CallErrorKind::Ambiguous; 40]);
    w.advance(3_600_000);
    assert!(w.card(OLGA, 1).expect("a card").0 > first);
    w.check();
}

#[test]
fn a_wall_clock_set_back_across_a_reboot_lengthens_no_deadline_by_the_time_that_was_seen() {
    let hour = 3_600_000;
    let mut w = World::new();
    w.say(OLGA, "/newtask build");
    w.advance(20 * hour);
    assert!(w.cli("newtask build").ok, "a sign of life");
    w.power_loss(hour);
    w.shared.wall_ms.set(w.shared.wall_ms.get() - 365 * 24 * hour);
    w.start();
    w.advance(4 * hour + 1_000);
    w.quiet();
    assert_eq!(w.state(1), State::Expired, "24 h after it was asked for, less what nobody could see");
    w.check_settled();
}
