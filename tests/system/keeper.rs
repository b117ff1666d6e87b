//! A machine with releases: a folder of them, and something that starts the daemon again whenever it ends.

use super::place::{Place, binary, until};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// Starts the daemon whenever it has ended, and counts how often it ended by itself. `restart` ends it, by force when it has not
/// ended within a second.
const KEEPER: &str = r#"#!/bin/sh
here=${0%/*}
case $1 in
  run)
    n=0
    while :; do
      if [ -e "$here/opt/current" ]; then
        # Not by the link: while a shell comes up for a release that is a script, the link may come to lead to one that is none.
        release=$(readlink -f "$here/opt/current")
        "$release/bin/mainstay" --config "$here/mainstay.toml" run >> "$here/daemon.log" 2>&1 &
        echo $! > "$here/pid.new" && mv "$here/pid.new" "$here/pid"
        wait $!
        rm -f "$here/pid"
        if [ -e "$here/wanted" ]; then rm "$here/wanted"; else n=$((n + 1)); echo $n > "$here/restarts"; fi
      fi
      sleep 0.02
    done ;;
  restart)
    [ ! -e "$here/slow" ] || sleep 2
    [ ! -e "$here/broken" ] || exit 1
    pid=$(cat "$here/pid" 2>/dev/null) || exit 0
    touch "$here/wanted"
    kill -TERM "$pid" 2>/dev/null || exit 0
    i=0
    while kill -0 "$pid" 2>/dev/null; do
      i=$((i + 1))
      [ $i -lt 50 ] || kill -KILL "$pid" 2>/dev/null
      sleep 0.02
    done ;;
  status)
    echo "restarts=$(cat "$here/restarts" 2>/dev/null || echo 0)" ;;
esac
"#;

/// The machine.
pub(crate) struct Host {
    pub(crate) place: Place,
    keeper: Child,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// The program without what only a debugger reads: a tenth of the bytes to copy and to hash, where the tool is there.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<(PathBuf, Option<tempfile::TempDir>)> = OnceLock::new();
    let (program, _) = PROGRAM.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let small = dir.path().join("mainstay");
        let stripped = Command::new("strip").arg("-o").arg(&small).arg(binary()).stderr(Stdio::null()).status();
        match stripped {
            Ok(status) if status.success() => (small, Some(dir)),
            Ok(_) | Err(_) => (binary().to_owned(), None),
        }
    });
    program
}

impl Host {
    /// With nothing on it yet.
    pub(crate) fn new() -> Host {
        let place = Place::new("", "");
        let keeper = place.path("keeper");
        fs::write(&keeper, KEEPER).expect("write");
        fs::set_permissions(&keeper, fs::Permissions::from_mode(0o755)).expect("chmod");
        let keeper = Command::new(keeper).arg("run").spawn().expect("start the keeper");
        Host { place, keeper }
    }

    /// With a release that is blessed, and runs.
    pub(crate) fn with(id: &str) -> Host {
        let host = Host::new();
        host.stage(&host.good(id));
        let output = host.activate(id, &["--soak", "0s"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        host
    }

    /// A release that works.
    pub(crate) fn good(&self, id: &str) -> PathBuf {
        self.release(id, &[("bin/mainstay", &fs::read(program()).expect("the program"))], json!({}))
    }

    /// A release that does something else when it is run in one of these ways (a shell's pattern), and works otherwise.
    pub(crate) fn strange(&self, id: &str, pattern: &str, does: &str) -> PathBuf {
        let script = format!(
            "#!/bin/sh\nhere=${{0%/*}}\ncase \"$*\" in\n {pattern}) {does} ;;\nesac\nexec \"$here/mainstay-real\" \"$@\"\n"
        );
        let real = fs::read(program()).expect("the program");
        self.release(id, &[("bin/mainstay", script.as_bytes()), ("bin/mainstay-real", &real)], json!({}))
    }

    /// A release of these files; `more` is put into its manifest.
    pub(crate) fn release(&self, id: &str, files: &[(&str, &[u8])], more: Value) -> PathBuf {
        let folder = self.place.path(&format!("made-{id}"));
        let mut manifest = json!({
            "format": 1, "id": id, "target": format!("{}-unknown-linux-gnu", std::env::consts::ARCH), "binaries": {},
            "database": { "schema": 5, "min_reader": 5, "min_writer": 5 },
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            manifest[name] = value.clone();
        }
        let manifest = manifest.to_string();
        let mut all = vec![("release.json", manifest.as_bytes()), ("bin/mainstay-shim", b"#!/bin/sh\nexit 1\n")];
        all.extend(files);
        fs::create_dir_all(folder.join("bin")).expect("made");
        let mut sums = String::new();
        for (path, bytes) in all {
            fs::write(folder.join(path), bytes).expect("write");
            let mode = if path.starts_with("bin/") { 0o755 } else { 0o644 };
            fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode)).expect("chmod");
            let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            sums += &format!("{digest}  {path}\n");
        }
        fs::write(folder.join("SHA256SUMS"), sums).expect("write");
        folder
    }

    /// `mainstay release ...`
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let root = self.place.path("opt");
        let root = root.to_str().expect("a plain path");
        let mut command = self.place.command(&[&["release", "--root", root], args].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("run the program")
    }

    pub(crate) fn stage(&self, from: &Path) {
        let output = self.run(&["stage", from.to_str().expect("a plain path")]);
        assert!(output.status.success(), "{}", said(&output));
    }

    /// Arguments that name what starts the daemon.
    pub(crate) fn by_keeper(&self, args: &[&str]) -> Vec<String> {
        let keeper = self.place.path("keeper").display().to_string();
        args.iter().map(|arg| (*arg).to_owned()).chain(["--supervisor".to_owned(), keeper]).collect()
    }

    /// `mainstay release activate ID ...`, to its end.
    pub(crate) fn activate(&self, id: &str, more: &[&str]) -> Output {
        let args = self.by_keeper(&[&["activate", id], more].concat());
        self.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The same, begun.
    pub(crate) fn begin(&self, args: &[&str]) -> Child {
        let args = self.by_keeper(args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.command(&args).spawn().expect("run the program")
    }

    /// What `release status` tells.
    pub(crate) fn status(&self) -> Value {
        let output = self.run(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
    }

    /// The step that is done now, as it is written down.
    pub(crate) fn step(&self) -> Option<String> {
        let text = fs::read(self.place.path("opt/state.json")).ok()?;
        let state: Value = serde_json::from_slice(&text).ok()?;
        state["switch"]["step"].as_str().map(str::to_owned)
    }

    /// Waits until the daemon answers as this release.
    pub(crate) fn answers_as(&self, id: &str) {
        until(&format!("the daemon answers as {id}"), || {
            let ops = self.place.line().once(&format!("k{}", rand_key()), &["ops"]).ok()?;
            (ops["data"]["version"] == id).then_some(())
        });
    }

    /// The daemon's pid, once there is one.
    pub(crate) fn daemon(&self) -> rustix::process::Pid {
        until("the daemon's pid", || {
            let pid = fs::read_to_string(self.place.path("pid")).ok()?.trim().parse().ok()?;
            rustix::process::Pid::from_raw(pid)
        })
    }
}

/// A key that no other question has.
fn rand_key() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a command said to people.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}
