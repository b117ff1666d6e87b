//! What every runner has to do, as functions over the port: a simulated machine has to pass the same.

use crate::support::{Machine, end, key, launch, progress, receipt, run, script};
use mainstay::attempt::{End, EndCause, Identity, Observation};
use mainstay::ports::{Runner, StartFailed, Stream};

/// Runs each contract on the real runner.
macro_rules! contract {
    ($($name:ident)*) => {
        $(async fn $name(machine: &Machine) { checks::$name(&machine.runner()).await; })*
        mod on_this_machine { crate::support::all_ways! { $($name)* } }
    };
}

contract! {
    exit_codes_are_true
    a_signal_is_told_from_an_exit
    what_cannot_be_started_says_why
    nothing_is_known_of_what_never_was
    a_second_start_is_refused
    before_go_nothing_runs_and_stop_ends_it
    what_was_never_told_to_go_can_be_cleared_and_started_again
    a_stop_ends_the_task_and_is_the_cause
    an_end_before_the_stop_keeps_its_truth
    a_task_that_ignores_sigterm_is_killed_after_the_grace
    the_time_limit_is_kept
    progress_is_told_line_by_line
    output_is_kept_and_found_after_archiving
    folders_are_listed_until_archived
    another_start_time_is_somebody_else
}

mod checks {
    use super::*;

    pub(super) async fn exit_codes_are_true(r: &dyn Runner) {
        for (task, code) in [(1, 0), (2, 1), (3, 77), (4, 255)] {
            let receipt = run(r, script(task, &format!("exit {code}"))).await;
            assert_eq!((receipt.end, receipt.cause, receipt.strays), (End::Exited(code), EndCause::Itself, 0));
            assert_eq!(receipt.key, key(task));
            assert!(receipt.ran_ms >= 0 && receipt.ended_ms >= receipt.started_ms);
        }
    }

    pub(super) async fn a_signal_is_told_from_an_exit(r: &dyn Runner) {
        let receipt = run(r, script(1, "kill -SEGV $$")).await;
        assert_eq!((receipt.end, receipt.cause), (End::Signaled(11), EndCause::Itself));
    }

    pub(super) async fn what_cannot_be_started_says_why(r: &dyn Runner) {
        let mut missing = script(1, "");
        missing.argv = vec!["/nowhere/to/be/found".to_owned()];
        let mut unfindable = script(2, "");
        unfindable.argv = vec!["no-such-program".to_owned()];
        let mut forbidden = script(3, "");
        forbidden.argv = vec!["/etc/passwd".to_owned()];
        let mut homeless = script(4, "exit 0");
        homeless.cwd = Some("/nowhere/to/be/found".into());
        let mut empty = script(5, "");
        empty.argv.clear();
        for (spec, hint) in [
            (missing, "does not exist"),
            (unfindable, "PATH"),
            (forbidden, "chmod"),
            (homeless, "working directory"),
            (empty, "argv"),
        ] {
            let receipt = run(r, spec).await;
            let End::NotStarted(why) = receipt.end else { panic!("started: {:?}", receipt.end) };
            assert!(why.contains(hint), "{why}");
        }
    }

    pub(super) async fn nothing_is_known_of_what_never_was(r: &dyn Runner) {
        assert_eq!(r.observe(key(1), None), Observation::Absent);
        assert!(!r.go(key(1)));
        assert_eq!(r.tail(key(1), Stream::Stdout, 10, 100), Ok(String::new()));
        assert_eq!(r.scan(), Ok(vec![]));
        assert_eq!(r.clear(key(1)), Ok(()));
        assert_eq!(r.destroy(key(1), "no such nonce".to_owned()).await, 0);
    }

    pub(super) async fn a_second_start_is_refused(r: &dyn Runner) {
        let identity = launch(r, script(1, "echo once")).await;
        assert_eq!(r.start(script(1, "echo twice")).await, Err(StartFailed::Exists));
        receipt(r, key(1), &identity).await;
        assert_eq!(r.start(script(1, "echo twice")).await, Err(StartFailed::Exists));
        r.archive(key(1)).expect("archived");
        assert_eq!(r.start(script(1, "echo twice")).await, Err(StartFailed::Exists));
        assert_eq!(r.tail(key(1), Stream::Stdout, 10, 100).expect("log"), "once\n");
    }

    pub(super) async fn before_go_nothing_runs_and_stop_ends_it(r: &dyn Runner) {
        let identity = r.start(script(1, "echo ran")).await.expect("ready");
        assert_eq!(r.observe(key(1), Some(&identity)), Observation::Alive(identity.clone()));
        assert_eq!(r.observe(key(1), None), Observation::Alive(identity.clone()));
        assert!(r.clear(key(1)).is_err(), "a living shim's folder is not cleared");
        assert!(r.stop(key(1), &identity));
        assert_eq!(end(r, key(1), &identity).await, Observation::NotStarted);
        assert!(!r.go(key(1)), "too late");
        assert!(!r.stop(key(1), &identity));
        assert_eq!(r.tail(key(1), Stream::Stdout, 10, 100).expect("log"), "");
    }

    pub(super) async fn what_was_never_told_to_go_can_be_cleared_and_started_again(r: &dyn Runner) {
        let identity = r.start(script(1, "echo first")).await.expect("ready");
        r.stop(key(1), &identity);
        assert_eq!(end(r, key(1), &identity).await, Observation::NotStarted);
        r.clear(key(1)).expect("cleared");
        assert_eq!(r.observe(key(1), Some(&identity)), Observation::Absent);
        run(r, script(1, "echo second")).await;
        assert_eq!(r.tail(key(1), Stream::Stdout, 10, 100).expect("log"), "second\n");
    }

    pub(super) async fn a_stop_ends_the_task_and_is_the_cause(r: &dyn Runner) {
        let identity = launch(r, script(1, "echo up >>$MAINSTAY_PROGRESS_FILE; exec sleep 1000")).await;
        assert_eq!(progress(r, key(1), &identity).await, "up");
        assert!(r.stop(key(1), &identity));
        r.stop(key(1), &identity);
        let receipt = receipt(r, key(1), &identity).await;
        assert_eq!((receipt.end, receipt.cause), (End::Signaled(15), EndCause::Stopped));
        assert!(!r.stop(key(1), &identity), "nobody is there any more");
    }

    pub(super) async fn an_end_before_the_stop_keeps_its_truth(r: &dyn Runner) {
        let identity = launch(r, script(1, "exit 0")).await;
        let first = receipt(r, key(1), &identity).await;
        assert!(!r.stop(key(1), &identity));
        assert_eq!(r.observe(key(1), Some(&identity)), Observation::Ended(Box::new(first.clone())));
        assert_eq!((first.end, first.cause), (End::Exited(0), EndCause::Itself));
    }

    pub(super) async fn a_task_that_ignores_sigterm_is_killed_after_the_grace(r: &dyn Runner) {
        let deaf = "trap '' TERM; echo up >>$MAINSTAY_PROGRESS_FILE; while :; do sleep 1000; done";
        let mut spec = script(1, deaf);
        spec.stop_grace_ms = 100;
        let identity = launch(r, spec).await;
        progress(r, key(1), &identity).await;
        r.stop(key(1), &identity);
        let receipt = receipt(r, key(1), &identity).await;
        assert_eq!((receipt.end, receipt.cause), (End::Signaled(9), EndCause::Stopped));
    }

    pub(super) async fn the_time_limit_is_kept(r: &dyn Runner) {
        let mut spec = script(1, "trap 'exit 5' TERM; while :; do sleep 0.01; done");
        spec.timeout_ms = 200;
        let receipt = run(r, spec).await;
        assert_eq!((receipt.end, receipt.cause), (End::Exited(5), EndCause::TimedOut));
        assert!(receipt.ran_ms >= 200);
    }

    pub(super) async fn progress_is_told_line_by_line(r: &dyn Runner) {
        // Each step waits for the file that the test makes after it has seen the one before.
        let steps = "cd $MAINSTAY_ARTIFACTS_DIR; P=$MAINSTAY_PROGRESS_FILE
            printf 'one\\nhalf' >>$P; while ! [ -e ../work/1 ]; do sleep 0.01; done
            printf ' of it\\n' >>$P; exec sleep 1000";
        let dir = tempfile::tempdir().expect("folder");
        let gate = dir.path().join("1");
        let identity = launch(r, script(1, &steps.replace("../work/1", &gate.display().to_string()))).await;
        assert_eq!(progress(r, key(1), &identity).await, "one");
        std::fs::write(&gate, "").expect("gate");
        assert_eq!(progress(r, key(1), &identity).await, "half of it");
        r.stop(key(1), &identity);
        receipt(r, key(1), &identity).await;
    }

    pub(super) async fn output_is_kept_and_found_after_archiving(r: &dyn Runner) {
        let receipt = run(r, script(1, "printf 'a\\nb\\nc\\n'; printf 'e' >&2")).await;
        assert_eq!((receipt.stdout.bytes, receipt.stdout.dropped, receipt.stderr.bytes), (6, 0, 1));
        assert_eq!(receipt.stderr.sha256, "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea");
        for _ in 0..2 {
            assert_eq!(r.tail(key(1), Stream::Stdout, 2, 100).expect("log"), "b\nc\n");
            // A line that was cut is left out: it could begin in the middle of a secret.
            assert_eq!(r.tail(key(1), Stream::Stdout, 100, 3).expect("log"), "c\n");
            assert_eq!(r.tail(key(1), Stream::Stderr, 1, 100).expect("log"), "e");
            r.archive(key(1)).expect("archived");
            assert_eq!(r.observe(key(1), None), Observation::Ended(Box::new(receipt.clone())));
        }
    }

    pub(super) async fn folders_are_listed_until_archived(r: &dyn Runner) {
        run(r, script(2, "exit 0")).await;
        run(r, script(1, "exit 0")).await;
        assert_eq!(r.scan(), Ok(vec![key(1), key(2)]));
        r.archive(key(1)).expect("archived");
        assert_eq!(r.scan(), Ok(vec![key(2)]));
    }

    pub(super) async fn another_start_time_is_somebody_else(r: &dyn Runner) {
        let identity = launch(r, script(1, "echo up >>$MAINSTAY_PROGRESS_FILE; exec sleep 1000")).await;
        progress(r, key(1), &identity).await;
        let strangers = [
            Identity { start: identity.start + 1, ..identity.clone() },
            Identity { boot: "another boot".to_owned(), ..identity.clone() },
        ];
        for stranger in strangers {
            assert!(!r.stop(key(1), &stranger), "never signalled");
            assert!(matches!(end(r, key(1), &stranger).await, Observation::Vanished(_)), "and never waited for");
        }
        r.stop(key(1), &identity);
        receipt(r, key(1), &identity).await;
    }
}
