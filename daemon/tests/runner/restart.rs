//! Daemons come and go, shims are killed: what the next daemon finds, and that no task ever runs twice.

use crate::support::{Machine, all_ways, block_on, end, key, launch, marked, progress, receipt, run, runs, script};
use mainstay::attempt::{End, EndCause, Identity, Observation};
use mainstay::ports::{Runner, Spec, StartFailed};
use mainstay::real::runner::{Cgroups, LocalRunner, ShimCommand};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const UP_AND_STAY: &str = "echo up >>$MAINSTAY_PROGRESS_FILE; exec sleep 1000";

async fn a_dropped_daemon_starts_nothing(machine: &Machine) {
    let first = machine.runner();
    let identity = first.start(script(1, "echo ran")).await.expect("ready");
    drop(first);
    let second = machine.runner();
    assert_eq!(end(&second, key(1), &identity).await, Observation::NotStarted);
    second.clear(key(1)).expect("cleared");
    assert_eq!(run(&second, script(1, "exit 4")).await.end, End::Exited(4));
}

async fn a_running_task_is_adopted(machine: &Machine) {
    let first = machine.runner();
    let identity = launch(&first, script(1, UP_AND_STAY)).await;
    assert_eq!(progress(&first, key(1), &identity).await, "up");
    drop(first);
    let second = machine.runner();
    assert_eq!(second.observe(key(1), Some(&identity)), Observation::Alive(identity.clone()));
    assert_eq!(progress(&second, key(1), &identity).await, "up", "the newest line is news to a new daemon");
    assert!(matches!(second.start(script(1, "echo twice")).await, Err(StartFailed::Exists)));
    assert!(second.stop(key(1), &identity));
    let receipt = receipt(&second, key(1), &identity).await;
    assert_eq!((receipt.end, receipt.cause), (End::Signaled(15), EndCause::Stopped));
}

async fn an_end_without_a_watcher_is_found(machine: &Machine) {
    let first = machine.runner();
    let identity = launch(&first, script(1, "exit 9")).await;
    drop(first);
    let second = machine.runner();
    assert_eq!(receipt(&second, key(1), &identity).await.end, End::Exited(9));
    // And once more, when there is no shim to wait for at all.
    assert_eq!(receipt(&second, key(1), &identity).await.end, End::Exited(9));
}

async fn a_killed_shim_leaves_an_unknown_outcome_and_destroy_leaves_nobody(machine: &Machine) {
    let runner = machine.runner();
    let script = script(
        1,
        // Not by a FIFO: who reads from it may leave it to another than the one that is waited for, and that one dies of it.
        "cd $MAINSTAY_ARTIFACTS_DIR
         echo 'echo $$ >>pids; : >up.$1; exec sleep 1000' >hold
         until_up() { while [ ! -e up.$1 ]; do sleep 0.01; done; }
         setsid sh hold 1 & until_up 1
         env -i /bin/sh hold 2 & until_up 2
         (trap '' TERM; setsid sh hold 3 &) ; until_up 3
         echo $$ >>pids; echo up >>$MAINSTAY_PROGRESS_FILE; exec sleep 1000",
    );
    let nonce = script.nonce.clone();
    let identity = launch(&runner, script).await;
    progress(&runner, key(1), &identity).await;
    kill(identity.pid);
    let Observation::Vanished(evidence) = end(&runner, key(1), &identity).await else { panic!("not vanished") };
    assert!(evidence.contains("stdout.log") && evidence.contains(&identity.pid.to_string()), "{evidence}");
    assert!(runner.clear(key(1)).is_err(), "it has run");
    // A restarted daemon has to find them as well.
    let next = machine.runner();
    let killed = next.destroy(key(1), nonce.clone()).await;
    let pids = std::fs::read_to_string(machine.attempt(key(1)).join("artifacts/pids")).expect("pids");
    let left: Vec<_> = pids.lines().filter(|p| runs(p)).map(str::to_owned).chain(marked(&nonce)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(killed >= 4, "{killed} of {pids:?}");
    assert_eq!(next.destroy(key(1), nonce).await, 0);
    next.archive(key(1)).expect("archived");
    assert!(matches!(next.observe(key(1), Some(&identity)), Observation::Vanished(_)));
}

/// Whatever a task removes around itself (a build that cleans up with a wrong path), nobody takes it for one that never ran.
async fn a_task_without_its_lock_is_alive_and_then_gone(machine: &Machine) {
    for (task, vandalism) in [
        (1, "rm -rf 1-1/*"),
        (2, ": >2-1/lock"),
        (3, "rm -rf 3-1"),
        (4, "rm 4-1/lock; head -n 1 1-1/spec.json >4-1/lock"),
        (5, "exec 9>>5-1/lock; rm 5-1/lock; exec 9>>5-1/lock; flock 9 true"),
    ] {
        let task_key = key(task);
        let first = machine.runner();
        let spec = script(task, UP_AND_STAY);
        let nonce = spec.nonce.clone();
        let identity = launch(&first, spec).await;
        progress(&first, task_key, &identity).await;
        let shell = Command::new("sh").arg("-c").arg(vandalism).current_dir(machine.live()).status();
        assert!(shell.is_ok(), "{shell:?}");
        drop(first);
        let next = machine.runner();
        assert_eq!(next.observe(task_key, Some(&identity)), Observation::Alive(identity.clone()), "{vandalism}");
        kill(identity.pid);
        let found = end(&next, task_key, &identity).await;
        // Without a folder no evidence is needed: with an identity on record it may have run.
        let may_have_run = matches!(&found, Observation::Vanished(_) | Observation::Absent);
        assert!(may_have_run, "{vandalism}: {found:?}");
        assert_eq!(next.destroy(task_key, nonce).await, 1, "{vandalism}");
    }
}

/// And its exit code is not lost.
async fn a_receipt_is_left_though_its_place_was_removed(machine: &Machine) {
    for (task, vandalism) in [
        (1, "rm -rf ../*"),
        (2, "rm -rf ../../2-1"),
        (3, ": >../lock; rm ../receipt*"),
        (4, "mkdir ../receipt.json"),
        (5, "rm ../receipt.tmp; mkdir ../receipt.tmp"),
        (6, "mkdir ../../../away; mv ../* ../../../away"),
        (7, "mv ../../7-1 ../../../elsewhere"),
        (8, "ln ../receipt.tmp keep; rm -rf ../receipt*"),
        (9, "cd /; rm -rf $OLDPWD/..; touch ${OLDPWD%/work}"),
        (10, "chmod -R a-w .."),
        (11, "ln -s /dev/null ../receipt.json; rm ../receipt.tmp; ln -s /dev/null ../receipt.tmp"),
        (12, "mv ../receipt.tmp ../receipt.json"),
        (13, "ln ../receipt.tmp ../receipt.json"),
        (14, "rm ../receipt.tmp; mkdir -p ../receipt.tmp/x ../receipt.json/y"),
    ] {
        let receipt = run(&machine.runner(), script(task, &format!("{vandalism}; exit 7"))).await;
        assert_eq!((receipt.end, receipt.cause), (End::Exited(7), EndCause::Itself), "{vandalism}");
        machine.runner().archive(key(task)).unwrap_or_else(|error| panic!("{vandalism}: {error}"));
        // What came too late for that is put with it.
        std::fs::create_dir(machine.attempt(key(task))).expect("made");
        machine.runner().archive(key(task)).unwrap_or_else(|error| panic!("{vandalism}, late: {error}"));
        assert_eq!(machine.runner().scan(), Ok(Vec::new()), "{vandalism}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a real grace, in real time")]
async fn the_grace_that_a_task_was_started_with_is_kept(machine: &Machine) {
    let runner = machine.runner();
    let spec =
        Spec { stop_grace_ms: 400, ..script(1, "trap '' TERM; echo up >>$MAINSTAY_PROGRESS_FILE; exec sleep 1000") };
    let identity = launch(&runner, spec).await;
    progress(&runner, key(1), &identity).await;
    kill_by(&identity, rustix::process::Signal::STOP);
    let began = std::time::Instant::now();
    runner.kill(key(1), identity.clone(), 100).await;
    assert!(began.elapsed().as_millis() >= 300, "{:?}", began.elapsed());
    assert_eq!(receipt(&runner, key(1), &identity).await.end, End::Signaled(9));
}

fn kill_by(identity: &Identity, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(identity.pid.cast_signed()).expect("pid");
    rustix::process::kill_process(pid, signal).expect("alive");
}

/// A task can stop its shim (`kill -STOP $PPID`): neither stop nor time limit work in it any more.
async fn a_shim_that_was_stopped_goes_on_when_it_is_asked(machine: &Machine) {
    let runner = machine.runner();
    let stopped = "kill -STOP $PPID; echo up >>$MAINSTAY_PROGRESS_FILE; exec sleep 1000";
    let identity = launch(&runner, script(1, stopped)).await;
    progress(&runner, key(1), &identity).await;
    assert!(runner.stop(key(1), &identity));
    let by_stop = receipt(&runner, key(1), &identity).await;
    assert_eq!((by_stop.end, by_stop.cause), (End::Signaled(15), EndCause::Stopped));
    // Its time was up long before it was woken up to be asked.
    let late = "kill -STOP $PPID; sleep 0.2; echo up >>$MAINSTAY_PROGRESS_FILE; exec sleep 1000";
    let limited = Spec { timeout_ms: 50, ..script(2, late) };
    let identity = launch(&runner, limited).await;
    progress(&runner, key(2), &identity).await;
    assert!(runner.stop(key(2), &identity));
    assert_eq!(receipt(&runner, key(2), &identity).await.cause, EndCause::TimedOut);
}

async fn a_shim_that_is_stopped_again_and_again_is_killed_with_all_it_has(machine: &Machine) {
    let runner = machine.runner();
    let deaf = "trap '' TERM; kill -STOP $PPID
                (setsid env -i sh -c 'while :; do sleep 0.01; done' &)
                echo up >>$MAINSTAY_PROGRESS_FILE; while :; do kill -STOP $PPID; done";
    let task = script(1, deaf);
    let nonce = task.nonce.clone();
    let identity = launch(&runner, task).await;
    progress(&runner, key(1), &identity).await;
    assert!(runner.stop(key(1), &identity));
    runner.kill(key(1), identity.clone(), 60_000).await;
    assert!(!runs(&identity.pid.to_string()));
    // Peace was all that the shim lacked.
    let receipt = receipt(&runner, key(1), &identity).await;
    assert_eq!((receipt.end, receipt.cause), (End::Signaled(9), EndCause::Stopped));
    assert!(marked(&nonce).is_empty());
}

async fn another_boot_proves_nothing(machine: &Machine) {
    let runner = machine.runner();
    let identity = runner.start(script(1, "echo ran")).await.expect("ready");
    runner.stop(key(1), &identity);
    assert_eq!(end(&runner, key(1), &identity).await, Observation::NotStarted);
    let before = Identity { boot: "the boot before".to_owned(), ..identity };
    // Its marker, and even its folder, may have been lost with the page cache.
    assert!(matches!(runner.observe(key(1), Some(&before)), Observation::Vanished(_)));
    runner.clear(key(1)).expect("cleared");
    assert!(matches!(runner.observe(key(1), Some(&before)), Observation::Vanished(_)));
    // "Go" is never said before the identity is committed.
    assert_eq!(runner.observe(key(1), None), Observation::Absent);
}

async fn a_damaged_receipt_is_no_receipt(machine: &Machine) {
    let runner = machine.runner();
    let identity = launch(&runner, script(1, "exit 0")).await;
    let whole = receipt(&runner, key(1), &identity).await;
    let path = machine.attempt(key(1)).join("receipt.json");
    let bytes = std::fs::read(&path).expect("receipt");
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).expect("cut");
        assert!(matches!(runner.observe(key(1), Some(&identity)), Observation::Vanished(_)), "{cut} bytes");
    }
    let other = String::from_utf8(bytes).expect("text").replace(&whole.nonce, "another nonce");
    std::fs::write(&path, other).expect("replaced");
    assert!(matches!(runner.observe(key(1), Some(&identity)), Observation::Vanished(_)));
}

mod ways {
    crate::restart::all_ways! {
        a_dropped_daemon_starts_nothing
        a_running_task_is_adopted
        an_end_without_a_watcher_is_found
        a_killed_shim_leaves_an_unknown_outcome_and_destroy_leaves_nobody
        a_task_without_its_lock_is_alive_and_then_gone
        a_receipt_is_left_though_its_place_was_removed
        the_grace_that_a_task_was_started_with_is_kept
        a_shim_that_was_stopped_goes_on_when_it_is_asked
        a_shim_that_is_stopped_again_and_again_is_killed_with_all_it_has
        another_boot_proves_nothing
        a_damaged_receipt_is_no_receipt
        killed_daemons_at_any_moment_run_the_task_exactly_once
    }
}

/// The environment variable that makes this test binary a daemon to be killed.
const DAEMON_FOLDER: &str = "RUNNER_TEST_DAEMON_FOLDER";
/// Where its shims are started, if it is not to do that.
const DAEMON_SERVICE: &str = "RUNNER_TEST_DAEMON_SERVICE";

fn ledger_spec(folder: &Path) -> Spec {
    let mut spec = script(1, &format!("echo ran >>{}; exit 6", folder.join("ledger").display()));
    spec.nonce = format!("ledger-{}", folder.display());
    spec
}

/// Not a test by itself: a daemon with one task, killed from outside at some moment. `committed` stands for the database.
#[test]
fn as_a_daemon_to_be_killed() {
    let Some(folder) = std::env::var_os(DAEMON_FOLDER) else { return };
    let folder = Path::new(&folder);
    let cgroups = if folder.join("no-cgroups").exists() { Cgroups::Never } else { Cgroups::IfPossible };
    let shim = ShimCommand::of(env!("CARGO_BIN_EXE_mainstay"));
    let runner = LocalRunner::new(&folder.join("attempts"), &folder.join("archive"), shim, cgroups).expect("runner");
    let runner = runner.with_service(std::env::var_os(DAEMON_SERVICE).map(Into::into));
    block_on(async {
        println!("\nalive");
        let spec = ledger_spec(folder);
        let key = spec.key;
        let identity = runner.start(spec).await.expect("ready");
        println!("\nready");
        let commit = folder.join("commit.tmp");
        std::fs::write(&commit, serde_json::to_vec(&identity).expect("json")).expect("write");
        std::fs::rename(commit, folder.join("committed")).expect("commit");
        assert!(runner.go(key));
        println!("\ngone");
        std::future::pending::<()>().await;
    });
}

/// Kills a daemon after each of its steps and at many moments in between; then recovers as the design's table says.
async fn killed_daemons_at_any_moment_run_the_task_exactly_once(machine: &Machine) {
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    for round in 0..40u32 {
        let folder = machine.path(&format!("round-{round}"));
        std::fs::create_dir(&folder).expect("folder");
        if !machine.runner().uses_cgroups() {
            std::fs::write(folder.join("no-cgroups"), "").expect("flag");
        }
        // Four kinds of moments: after a step that it told us of, and some spins of the processor later.
        let step = ["alive", "alive", "ready", "gone"][round as usize % 4];
        kill_a_daemon_after(&folder, machine.service().as_deref(), step, round / 4 * 40_000);

        let shim = ShimCommand::of(env!("CARGO_BIN_EXE_mainstay"));
        let cgroups = if machine.runner().uses_cgroups() { Cgroups::IfPossible } else { Cgroups::Never };
        let runner =
            LocalRunner::new(&folder.join("attempts"), &folder.join("archive"), shim, cgroups).expect("runner");
        let runner = runner.with_service(machine.service());
        *seen.entry(recover(&runner, &folder).await).or_default() += 1;
        assert_eq!(std::fs::read_to_string(folder.join("ledger")).expect("ledger"), "ran\n", "round {round}");
    }
    println!("found by the next daemon: {seen:?}");
}

fn kill_a_daemon_after(folder: &Path, service: Option<&Path>, step: &str, spins: u32) {
    let mut daemon = Command::new(std::env::current_exe().expect("this binary"));
    if let Some(service) = service {
        daemon.env(DAEMON_SERVICE, service);
    }
    let mut daemon = daemon
        .args(["--exact", "restart::as_a_daemon_to_be_killed", "--nocapture"])
        .env(DAEMON_FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("daemon");
    let lines = BufReader::new(daemon.stdout.take().expect("its output")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == step), "daemon never came to {step}");
    for _ in 0..spins {
        std::hint::spin_loop();
    }
    daemon.kill().expect("killed");
    daemon.wait().expect("buried");
}

/// Recovery by the table of the design, until there is a receipt. Says what was found first.
async fn recover(runner: &LocalRunner, folder: &Path) -> &'static str {
    let mut first = None;
    loop {
        let recorded: Option<Identity> =
            std::fs::read(folder.join("committed")).ok().map(|b| serde_json::from_slice(&b).expect("identity"));
        let found = match runner.observe(key(1), recorded.as_ref()) {
            Observation::Absent => {
                let identity = launch(runner, ledger_spec(folder)).await;
                end(runner, key(1), &identity).await;
                "absent"
            }
            Observation::NotStarted => {
                // Refused as long as the orphaned shim is on its way out.
                let _ = runner.clear(key(1));
                "not started"
            }
            Observation::Alive(identity) => {
                end(runner, key(1), &identity).await;
                "alive"
            }
            Observation::Ended(receipt) => {
                assert_eq!(receipt.end, End::Exited(6));
                return first.unwrap_or("ended");
            }
            Observation::Vanished(evidence) => panic!("outcome lost: {evidence}"),
        };
        first.get_or_insert(found);
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
}
