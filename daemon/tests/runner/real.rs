//! What only a real machine can show: descriptors, environments, floods, full disks, zombies.

use crate::support::{Machine, all_ways, block_on, end, key, launch, marked, progress, receipt, run, runs, script};
use mainstay::attempt::{End, EndCause};
use mainstay::ports::{Runner, StartFailed, Stream};
use mainstay::real::runner::{Cgroups, LocalRunner, ShimCommand};
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;

async fn a_stray_that_holds_the_output_does_not_hold_the_task(machine: &Machine) {
    let runner = machine.runner();
    let receipt = run(&runner, script(1, "echo before; sleep 1000 & exit 0")).await;
    assert_eq!((receipt.end, receipt.strays, receipt.stdout.bytes), (End::Exited(0), 1, 7));
}

async fn a_flood_is_cut_and_counted(machine: &Machine) {
    let runner = machine.runner();
    let mut spec = script(1, "head -c 200000000 /dev/zero; echo end");
    spec.max_log_bytes = 65_536;
    let receipt = run(&runner, spec).await;
    let kept = ["stdout.log", "stdout.log.1"]
        .map(|name| std::fs::metadata(machine.attempt(key(1)).join(name)).map_or(0, |m| m.len()))
        .iter()
        .sum::<u64>();
    assert_eq!(receipt.stdout.bytes, 200_000_004);
    assert_eq!(receipt.stdout.dropped, 200_000_004 - kept);
    assert!((32_768..=65_536).contains(&kept), "{kept} bytes kept");
    // sha256 of 200,000,000 zero bytes and "end\n".
    let expected = std::process::Command::new("sh")
        .args(["-c", "(head -c 200000000 /dev/zero; echo end) | sha256sum"])
        .output()
        .expect("sha256sum");
    assert!(expected.stdout.starts_with(receipt.stdout.sha256.as_bytes()));
    assert!(runner.tail(key(1), Stream::Stdout, 1, 8).expect("tail").ends_with("end\n"));
}

async fn the_environment_is_exactly_what_is_allowed(machine: &Machine) {
    let runner = machine.runner();
    let mut spec = script(1, "");
    spec.argv = vec!["env".to_owned(), "-0".to_owned()];
    spec.env.push("GREETING".to_owned());
    run(&runner, spec.clone()).await;
    let said = std::fs::read_to_string(machine.attempt(key(1)).join("stdout.log")).expect("log");
    let said: BTreeSet<&str> = said.split_terminator('\0').collect();
    let folder = machine.attempt(key(1)).display().to_string();
    let expected = [
        "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
        "GREETING=hä \"x\"\ny".to_owned(),
        "MAINSTAY_TASK_ID=1".to_owned(),
        "MAINSTAY_ATTEMPT=1".to_owned(),
        format!("MAINSTAY_PROMPT_FILE={folder}/prompt"),
        format!("MAINSTAY_PROGRESS_FILE={folder}/progress"),
        format!("MAINSTAY_ARTIFACTS_DIR={folder}/artifacts"),
        "MAINSTAY_TRACE_ID=trace-1".to_owned(),
        format!("MAINSTAY_NONCE={}", spec.nonce),
    ];
    assert_eq!(said, expected.iter().map(String::as_str).collect());
}

async fn descriptors_signals_and_group_are_clean(machine: &Machine) {
    // An open descriptor without close-on-exec, as a careless starter of the daemon would leave it.
    let leak = std::fs::File::open("/dev/null").expect("file");
    rustix::io::fcntl_setfd(leak.as_fd(), rustix::io::FdFlags::empty()).expect("flags");
    let runner = machine.runner();
    let mut spec = script(
        1,
        "ls -l /proc/self/fd | sed -n 's/.* \\([0-9]* -> .*\\)/\\1/p'; grep ^Sig /proc/self/status
        echo group $(cut -d' ' -f5 /proc/$$/stat) $$",
    );
    spec.nice = 5;
    run(&runner, spec).await;
    drop(leak);
    let said = std::fs::read_to_string(machine.attempt(key(1)).join("stdout.log")).expect("log");
    let links: Vec<(&str, &str)> = said.lines().filter_map(|l| l.split_once(" -> ")).collect();
    let numbers: Vec<&str> = links.iter().map(|l| l.0).collect();
    // 3 is the folder that ls reads.
    assert_eq!(numbers, ["0", "1", "2", "3"], "{said}");
    assert!(links[0].1.ends_with("/prompt") && links[1].1.starts_with("pipe:") && links[2].1.starts_with("pipe:"));
    for name in ["SigBlk", "SigIgn", "SigPnd"] {
        let line = said.lines().find(|l| l.starts_with(name)).expect("a line");
        let mask = u64::from_str_radix(line.rsplit('\t').next().expect("a mask"), 16).expect("hex");
        // 32 and 33 are glibc's own, and neither programs nor we can set them.
        assert_eq!(mask & !(3 << 31), 0, "{line}");
    }
    let group = said.lines().find_map(|l| l.strip_prefix("group ")).expect("group");
    let (group, pid) = group.split_once(' ').expect("two numbers");
    assert_eq!(group, pid, "the main process leads its own group");
}

async fn a_prompt_arrives_unchanged_all_ways(machine: &Machine) {
    let runner = machine.runner();
    for (task, prompt) in [
        (1, ""),
        (2, "line\nline\n"),
        (3, "'\"$(reboot)`x`\\ \u{0} ünï \u{1F600}\r\n\u{7f}"),
        (4, &*"x".repeat(300_000)),
    ] {
        let mut spec = script(task, "cat >a; cat $MAINSTAY_PROMPT_FILE >b");
        spec.prompt = prompt.to_owned();
        run(&runner, spec).await;
        for copy in ["a", "b"] {
            let got = std::fs::read(machine.attempt(key(task)).join("work").join(copy)).expect("copy");
            assert_eq!(got, prompt.as_bytes());
        }
    }
}

async fn zombies_do_not_gather(machine: &Machine) {
    let runner = machine.runner();
    let orphans = "i=0; while [ $i -lt 2000 ]; do (: &) ; i=$((i+1)); done
        echo up >>$MAINSTAY_PROGRESS_FILE; exec sleep 1000";
    let identity = launch(&runner, script(1, orphans)).await;
    progress(&runner, key(1), &identity).await;
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", identity.pid)).expect("children");
    assert!(children.split_whitespace().count() < 200, "the shim buries orphans while the task runs");
    runner.stop(key(1), &identity);
    receipt(&runner, key(1), &identity).await;
    assert!(!Path::new(&format!("/proc/{}", identity.pid)).exists(), "and the daemon its shims");
}

async fn descriptors_do_not_gather(machine: &Machine) {
    let open = || std::fs::read_dir("/proc/self/fd").expect("descriptors").count();
    let runner = machine.runner();
    run(&runner, script(1, "exit 0")).await;
    let before = open();
    for task in 2..62 {
        run(&runner, script(task, "exit 0")).await;
    }
    // Other tests may share this process; sixty lives must not show.
    assert!(open() < before + 30, "{before} descriptors before, {} after", open());
}

async fn a_start_that_fails_leaves_nothing(machine: &Machine) {
    let live = machine.live();
    for program in ["/nowhere/mainstay", "/bin/false"] {
        let runner = LocalRunner::new(&live, &machine.path("archive"), ShimCommand::of(program), Cgroups::Never)
            .expect("runner");
        let failed = runner.start(script(1, "exit 0")).await;
        assert!(matches!(failed, Err(StartFailed::Transient(_))), "{failed:?}");
        assert_eq!(runner.scan(), Ok(vec![]));
    }
    let mut spec = script(1, "exit 0");
    spec.nice = 0;
    assert_eq!(run(&machine.runner(), spec).await.end, End::Exited(0));
}

async fn limits_and_cgroups_leave_nothing_behind(machine: &Machine) {
    let runner = machine.runner();
    let mut spec = script(1, "cat /proc/self/cgroup");
    spec.memory_max = Some(64 << 20);
    spec.cpu_percent = Some(50);
    run(&runner, spec).await;
    let said = runner.tail(key(1), Stream::Stdout, 100, 10_000).expect("tail");
    let own = said.lines().find_map(|l| l.strip_prefix("0::")).unwrap_or_default();
    assert_eq!(own.ends_with("-1-1"), runner.uses_cgroups(), "{own}");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    for mount in mounts.lines().filter(|l| l.contains(" - cgroup2 ")).filter_map(|l| l.split(' ').nth(4)) {
        assert!(own == "/" || !Path::new(&format!("{mount}{own}")).exists(), "{own} is still there");
    }
}

async fn a_full_disk_costs_output_but_not_the_outcome(machine: &Machine) {
    let disk = machine.path("disk");
    std::fs::create_dir(&disk).expect("folder");
    let Some(_disk) = SmallDisk::mount(&disk) else { return };
    let shim = ShimCommand::of(env!("CARGO_BIN_EXE_mainstay"));
    let cgroups = if machine.runner().uses_cgroups() { Cgroups::IfPossible } else { Cgroups::Never };
    let runner = LocalRunner::new(&disk.join("attempts"), &disk.join("archive"), shim, cgroups).expect("runner");
    let mut spec = script(1, "cat /dev/zero >$MAINSTAY_ARTIFACTS_DIR/full; head -c 3000000 /dev/zero; exit 8");
    spec.max_log_bytes = 1 << 30;
    let receipt = run(&runner, spec).await;
    assert_eq!((receipt.end, receipt.cause), (End::Exited(8), EndCause::Itself));
    assert_eq!(receipt.stdout.bytes, 3_000_000);
    assert!(receipt.stdout.dropped > 2_000_000, "{}", receipt.stdout.dropped);
    // With the disk still full, the next attempt can't be prepared, says so, and leaves nothing.
    let failed = runner.start(script(2, "exit 0")).await;
    assert!(matches!(failed, Err(StartFailed::Transient(_))), "{failed:?}");
    assert_eq!(runner.scan(), Ok(vec![key(1)]));
}

async fn a_shim_whose_folder_was_removed_ends(machine: &Machine) {
    let runner = machine.runner();
    let task = script(1, "echo 1 >$MAINSTAY_PROGRESS_FILE; exec sleep 1000");
    let nonce = task.nonce.clone();
    let identity = launch(&runner, task).await;
    progress(&runner, key(1), &identity).await;
    std::fs::remove_dir_all(machine.attempt(key(1))).expect("removed");
    // Asked to stop, as at a shutdown: with nowhere to leave a receipt it must not try for ever.
    let shim = rustix::process::Pid::from_raw(identity.pid.cast_signed()).expect("pid");
    rustix::process::kill_process(shim, rustix::process::Signal::TERM).expect("alive");
    end(&runner, key(1), &identity).await;
    assert!(!runs(&identity.pid.to_string()));
    assert!(marked(&nonce).is_empty());
}

struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let size = c"size=1m";
        match rustix::mount::mount("tmpfs", at, "tmpfs", rustix::mount::MountFlags::empty(), size) {
            Ok(()) => Some(SmallDisk(at)),
            Err(e) => {
                eprintln!("skipped: a small disk needs the right to mount ({e})");
                None
            }
        }
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

mod ways {
    crate::real::all_ways! {
        a_stray_that_holds_the_output_does_not_hold_the_task
        a_flood_is_cut_and_counted
        the_environment_is_exactly_what_is_allowed
        descriptors_signals_and_group_are_clean
        a_prompt_arrives_unchanged_all_ways
        zombies_do_not_gather
        descriptors_do_not_gather
        a_start_that_fails_leaves_nothing
        limits_and_cgroups_leave_nothing_behind
        a_full_disk_costs_output_but_not_the_outcome
        a_shim_whose_folder_was_removed_ends
    }
}

/// The shim goes on alone: the time limit holds with no daemon anywhere.
#[test]
fn the_time_limit_holds_without_a_daemon() {
    let machine = Machine::new(Cgroups::Never).expect("always possible");
    let mut spec = script(1, "exec sleep 1000");
    spec.timeout_ms = 300;
    let nonce = spec.nonce.clone();
    let identity = block_on(async { launch(&machine.runner(), spec).await });
    block_on(async {
        let receipt = receipt(&machine.runner(), key(1), &identity).await;
        assert_eq!((receipt.end, receipt.cause), (End::Signaled(15), EndCause::TimedOut));
        assert_eq!(marked(&nonce), Vec::<String>::new());
        assert!(!runs(&identity.pid.to_string()));
    });
}
