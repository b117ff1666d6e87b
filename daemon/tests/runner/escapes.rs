//! Ways in which programs get away from who started them. None of them may.

use crate::support::{Machine, all_ways, key, launch, marked, progress, receipt, runs, script};
use mainstay::attempt::{End, EndCause};
use mainstay::ports::{Runner, Stream};

/// `$A` is the attempt's artifacts folder; `hold` notes its pid, says that it is there, and stays.
const ESCAPES: &[(&str, &str)] = &[
    ("background", "sh hold $A &"),
    ("setsid", "setsid sh hold $A &"),
    ("nohup", "nohup sh hold $A >/dev/null 2>&1 &"),
    ("double fork", "(sh hold $A &)"),
    ("daemonize", "setsid sh -c '(cd /; umask 0; sh $0/hold $0 </dev/null >/dev/null 2>&1 &)' $A"),
    ("other name", "bash -c 'exec -a kworker/0:1 sh hold $0' $A &"),
    ("no environment", "env -i /bin/sh hold $A &"),
    ("no environment, own session", "env -i setsid /bin/sh hold $A &"),
    ("stopped", "sh stopped $A & sh hold $A &"),
    ("deaf", "(trap '' TERM HUP INT QUIT; setsid sh hold $A &)"),
    ("no descriptors", "sh hold $A <&- >&- 2>&- &"),
    ("chain of forks", "setsid sh chain $A & sh hold $A &"),
    ("many", "for i in 1 2 3 4 5 6 7 8 9; do setsid sh stay $A & done; sh hold $A &"),
    ("all at once", "(trap '' TERM; env -i nohup setsid /bin/sh -c '(sh hold $0 &)' $A <&- >/dev/null 2>&1 &)"),
];

/// The helpers of the escapes, and the fifo over which `hold` is waited for.
const PRELUDE: &str = "A=$MAINSTAY_ARTIFACTS_DIR; cd $A; mkfifo up
    echo 'echo $$ >>$1/pids; exec sleep 1000' >stay
    echo 'echo $$ >>$1/pids; echo >$1/up; exec sleep 1000' >hold
    echo 'echo $$ >>$1/pids; kill -STOP $$' >stopped
    echo 'sh $1/chain $1 &' >chain
";

fn pids(machine: &Machine, task: i64) -> Vec<String> {
    let list = std::fs::read_to_string(machine.attempt(key(task)).join("artifacts/pids")).expect("pids");
    list.lines().map(str::to_owned).collect()
}

async fn nothing_outlives_a_main_process_that_ends(machine: &Machine) {
    let runner = machine.runner();
    let each = ESCAPES.iter().zip(1..).map(async |((name, escape), task)| {
        let spec = script(task, &format!("{PRELUDE}{escape}\nread x <up; exit 3"));
        let nonce = spec.nonce.clone();
        let identity = launch(&runner, spec).await;
        let receipt = receipt(&runner, key(task), &identity).await;
        assert_eq!((receipt.end, receipt.cause), (End::Exited(3), EndCause::Itself), "{name}");
        assert!(receipt.strays >= 1, "{name}");
        let left: Vec<_> = pids(machine, task).into_iter().filter(|p| runs(p)).chain(marked(&nonce)).collect();
        assert!(left.is_empty(), "{name} left {left:?}");
    });
    futures_util::future::join_all(each).await;
}

async fn nothing_outlives_a_stop(machine: &Machine) {
    let runner = machine.runner();
    let each = ESCAPES.iter().zip(1..).map(async |((name, escape), task)| {
        let rest = "read x <up; trap '' TERM; echo up >>$MAINSTAY_PROGRESS_FILE; while :; do sleep 1000; done";
        let mut spec = script(task, &format!("{PRELUDE}{escape}\n{rest}"));
        spec.stop_grace_ms = 100;
        let nonce = spec.nonce.clone();
        let identity = launch(&runner, spec).await;
        progress(&runner, key(task), &identity).await;
        assert!(runner.stop(key(task), &identity));
        let receipt = receipt(&runner, key(task), &identity).await;
        assert_eq!((receipt.end, receipt.cause), (End::Signaled(9), EndCause::Stopped), "{name}");
        let left: Vec<_> = pids(machine, task).into_iter().filter(|p| runs(p)).chain(marked(&nonce)).collect();
        assert!(left.is_empty(), "{name} left {left:?}");
    });
    futures_util::future::join_all(each).await;
}

/// Output of a helper that finishes shortly after its main process is not lost, and the helper is no stray.
async fn a_helper_may_finish_its_line(machine: &Machine) {
    // It is at work when its main process ends, and so needs no more than its next turn on a processor to be heard.
    let runner = machine.runner();
    let helper = "main=$$; (while kill -0 $main; do echo .; done; echo late) 2>/dev/null & exit 0";
    let identity = launch(&runner, script(1, helper)).await;
    let receipt = receipt(&runner, key(1), &identity).await;
    let said = runner.tail(key(1), Stream::Stdout, 1, 100).expect("its output");
    assert_eq!((receipt.strays, said.as_str()), (0, "late\n"));
}

mod ways {
    crate::escapes::all_ways! {
        nothing_outlives_a_main_process_that_ends
        nothing_outlives_a_stop
        a_helper_may_finish_its_line
    }
}
