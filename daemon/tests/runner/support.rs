//! What all runner tests share: a machine in a temporary folder, specs for shell scripts, and waiting with a guard.

use mainstay::attempt::{Identity, Observation, Receipt};
use mainstay::id::{AttemptKey, TaskId};
use mainstay::ports::{Noticed, Runner, Spec};
use mainstay::real::runner::{Cgroups, LocalRunner, ShimCommand};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Nonces given out so far.
static NONCES: AtomicU64 = AtomicU64::new(0);

/// A test that waits longer than this hangs.
const GUARD: Duration = Duration::from_secs(90);

/// A state folder, on which runners come and go like daemons.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
    cgroups: Cgroups,
    /// Where somebody else starts shims.
    service: Option<PathBuf>,
}

impl Machine {
    /// One with or without cgroups. None, with a word, where there are none to test.
    pub(crate) fn new(cgroups: Cgroups) -> Option<Machine> {
        let machine = Machine { folder: tempfile::tempdir().expect("folder"), cgroups, service: None };
        if cgroups == Cgroups::IfPossible && !machine.runner().uses_cgroups() {
            eprintln!("skipped: no writable cgroup v2 here");
            return None;
        }
        Some(machine)
    }

    /// One on which a stand-in for systemd starts shims, as its `Accept=yes` does: a process a connection, which it has as its
    /// standard input.
    #[expect(clippy::disallowed_methods, reason = "it stands for another process, and not for the daemon")]
    pub(crate) fn with_service() -> Machine {
        let folder = tempfile::tempdir().expect("folder");
        let socket = folder.path().join("launcher");
        let listener = UnixListener::bind(&socket).expect("socket");
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut shim = Command::new(env!("CARGO_BIN_EXE_mainstay-shim"));
                shim.arg("from-socket").env_clear().stdin(OwnedFd::from(stream)).stdout(Stdio::null());
                let mut shim = shim.spawn().expect("shim");
                std::thread::spawn(move || shim.wait());
            }
        });
        Machine { folder, cgroups: Cgroups::Never, service: Some(socket) }
    }

    pub(crate) fn service(&self) -> Option<PathBuf> {
        self.service.clone()
    }

    pub(crate) fn runner(&self) -> LocalRunner {
        // The small program; as its own shim, `mainstay` is tried by `restart.rs`.
        let shim = ShimCommand::of(env!("CARGO_BIN_EXE_mainstay-shim"));
        LocalRunner::new(&self.live(), &self.path("archive"), shim, self.cgroups)
            .expect("runner")
            .with_environment(environment())
            .with_service(self.service())
    }

    pub(crate) fn live(&self) -> PathBuf {
        self.path("attempts")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("folder").join(name)
    }

    pub(crate) fn attempt(&self, key: AttemptKey) -> PathBuf {
        self.live().join(key.to_string())
    }
}

/// Runs the body on a runtime like the daemon's.
#[expect(clippy::disallowed_methods, reason = "a guard against hanging, in real time like what is tested")]
pub(crate) fn block_on<F: Future>(body: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async { tokio::time::timeout(GUARD, body).await.expect("hangs") })
}

pub(crate) fn key(task: i64) -> AttemptKey {
    AttemptKey { task: TaskId(task), attempt: 1 }
}

/// What the tests' runners pass on: the same on every machine, with something that needs quoting.
fn environment() -> BTreeMap<OsString, OsString> {
    [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("GREETING", "hä \"x\"\ny"), ("SECRET", "canary")]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

/// A spec that runs a shell script, with limits that never matter.
pub(crate) fn script(task: i64, script: &str) -> Spec {
    Spec {
        key: key(task),
        // Tests of one process run beside each other, and each looks for its own processes by this.
        nonce: format!("{}-{}", std::process::id(), NONCES.fetch_add(1, Ordering::Relaxed)),
        trace: "trace-1".to_owned(),
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        cwd: None,
        env: vec!["PATH".to_owned()],
        prompt: "a prompt".to_owned(),
        timeout_ms: 3_600_000,
        stop_grace_ms: 60_000,
        max_log_bytes: 1 << 20,
        nice: 0,
        memory_max: None,
        cpu_percent: None,
    }
}

/// Starts and lets go.
pub(crate) async fn launch(runner: &dyn Runner, spec: Spec) -> Identity {
    let key = spec.key;
    let identity = runner.start(spec).await.expect("ready");
    assert!(runner.go(key), "go");
    identity
}

/// Waits for the next line of progress.
pub(crate) async fn progress(runner: &dyn Runner, key: AttemptKey, identity: &Identity) -> String {
    match runner.watch(key, identity.clone()).await {
        Noticed::Progress(line) => line,
        Noticed::Ended(observation) => panic!("ended instead of progress: {observation:?}"),
    }
}

/// Waits for the end, whatever progress there is.
pub(crate) async fn end(runner: &dyn Runner, key: AttemptKey, identity: &Identity) -> Observation {
    loop {
        match runner.watch(key, identity.clone()).await {
            Noticed::Progress(_) => {}
            Noticed::Ended(observation) => return observation,
        }
    }
}

/// Waits for the end, which has to leave a receipt.
pub(crate) async fn receipt(runner: &dyn Runner, key: AttemptKey, identity: &Identity) -> Receipt {
    let observation = end(runner, key, identity).await;
    let Observation::Ended(receipt) = observation else { panic!("no receipt: {observation:?}") };
    *receipt
}

/// The whole life of a spec.
pub(crate) async fn run(runner: &dyn Runner, spec: Spec) -> Receipt {
    let key = spec.key;
    let identity = launch(runner, spec).await;
    receipt(runner, key, &identity).await
}

/// Whether a process runs (a zombie does not).
pub(crate) fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Pids of all processes whose environment has this nonce.
pub(crate) fn marked(nonce: &str) -> Vec<String> {
    let marker = format!("MAINSTAY_NONCE={nonce}");
    let pids = std::fs::read_dir("/proc").expect("/proc").flatten().filter_map(|e| e.file_name().into_string().ok());
    let has = |pid: &String| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|entry| entry == marker.as_bytes())
    };
    pids.filter(|p| p.bytes().all(|b| b.is_ascii_digit())).filter(has).collect()
}

/// Makes three tests of each function: with cgroups and without, and with shims that somebody else starts.
macro_rules! all_ways {
    ($($name:ident)*) => {$(
        mod $name {
            use mainstay::real::runner::Cgroups;
            #[test]
            fn with_cgroup() {
                if let Some(machine) = crate::support::Machine::new(Cgroups::IfPossible) {
                    crate::support::block_on(super::super::$name(&machine));
                }
            }
            #[test]
            fn by_proc() {
                let machine = crate::support::Machine::new(Cgroups::Never).expect("always possible");
                crate::support::block_on(super::super::$name(&machine));
            }
            #[test]
            fn by_service() {
                crate::support::block_on(super::super::$name(&crate::support::Machine::with_service()));
            }
        }
    )*};
}
pub(crate) use all_ways;
