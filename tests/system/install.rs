//! Installing below another root: what is there afterwards, that it can be done again, and that nobody's own files are lost.

use super::place::binary;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Another root.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Root {
        Root(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn run_with(&self, program: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).arg("--root-fs").arg(self.0.path()).stdin(Stdio::null());
        command.output().expect("run the program")
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_with(binary(), args)
    }

    /// Runs it, and gives its steps: what each came to, by its words.
    fn steps(&self, args: &[&str]) -> BTreeMap<String, String> {
        let output = self.run(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let steps = told["steps"].as_array().expect("steps");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        steps.iter().map(|step| (text(&step["step"]), text(&step["state"]))).collect()
    }

    /// All that is there, with what it says and its mode.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
            for entry in fs::read_dir(folder).expect("list") {
                let path = entry.expect("an entry").path();
                let metadata = fs::symlink_metadata(&path).expect("there");
                let mode = metadata.mode() & 0o7777;
                let content = match () {
                    () if metadata.is_symlink() => fs::read_link(&path).expect("a link").display().to_string(),
                    () if metadata.is_dir() => String::new(),
                    () if metadata.len() > 1 << 20 => format!("{} bytes", metadata.len()),
                    () => String::from_utf8_lossy(&fs::read(&path).expect("read")).into_owned(),
                };
                if metadata.is_dir() {
                    walk(&path, found);
                }
                found.insert(path, format!("{mode:o} {content}"));
            }
        }
        let mut found = BTreeMap::new();
        walk(self.0.path(), &mut found);
        found
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).expect("there").mode() & 0o7777
    }
}

#[test]
fn all_that_a_service_needs_is_there_and_installing_again_changes_nothing() {
    let root = Root::new();
    let told = root.steps(&["install", "--dry-run"]);
    assert!(told.values().any(|state| state == "to do") && root.tree().is_empty(), "{told:?}");
    root.steps(&["install"]);
    for (path, mode) in [
        ("etc/mainstay/mainstay.toml", 0o644),
        ("etc/mainstay/token", 0o600),
        ("var/lib/mainstay", 0o700),
        ("etc/systemd/system/mainstay.service", 0o644),
        ("etc/systemd/system/mainstay-backup.timer", 0o644),
        ("etc/systemd/system/mainstay-release.service", 0o644),
        ("etc/systemd/system/mainstay-release.path", 0o644),
        ("opt/mainstay/current/bin/mainstay", 0o555),
    ] {
        assert_eq!(root.mode(path), mode, "{path}");
    }
    let program = fs::read_link(root.path("usr/local/bin/mainstay")).expect("a link");
    assert_eq!(program, Path::new("/opt/mainstay/current/bin/mainstay"));
    let version =
        Command::new(root.path("opt/mainstay/current/bin/mainstay")).arg("--version").output().expect("it runs");
    assert!(version.status.success());
    let check = Command::new(root.path("opt/mainstay/current/bin/mainstay"))
        .args(["policy", "--config"])
        .arg(root.path("etc/mainstay/mainstay.toml"))
        .output();
    assert!(check.expect("it runs").status.success(), "the configuration is one that it takes");
    let drop_in = root.path("etc/systemd/system/mainstay-launch@.service.d/closed.conf");
    assert!(!drop_in.exists(), "unless it is asked for");
    root.steps(&["install", "--closed"]);
    assert!(drop_in.exists());
    let before = root.tree();
    let again = root.steps(&["install"]);
    assert!(again.values().all(|state| state == "is so" || state == "left out"), "{again:?}");
    assert_eq!(root.tree(), before);
}

#[test]
fn nobodys_own_files_are_overwritten() {
    let root = Root::new();
    root.steps(&["install"]);
    fs::write(root.path("etc/mainstay/mainstay.toml"), "mine").expect("write");
    fs::write(root.path("etc/mainstay/token"), "secret").expect("write");
    fs::write(root.path("etc/systemd/system/mainstay.service"), "an older one").expect("write");
    fs::remove_file(root.path("usr/local/bin/mainstay")).expect("remove");
    fs::write(root.path("usr/local/bin/mainstay"), "a program").expect("write");
    root.steps(&["install"]);
    let read = |path: &str| fs::read_to_string(root.path(path)).expect("there");
    assert_eq!((&*read("etc/mainstay/mainstay.toml"), &*read("etc/mainstay/token")), ("mine", "secret"));
    assert_eq!(read("etc/systemd/system/mainstay.service.before-install"), "an older one");
    assert!(read("etc/systemd/system/mainstay.service").contains("[Service]"));
    assert_eq!(read("usr/local/bin/mainstay.before-install"), "a program");
}

#[test]
fn what_was_set_aside_earlier_is_not_written_over() {
    let root = Root::new();
    let unit = "etc/systemd/system/mainstay.service";
    for text in ["first", "second", "third"] {
        root.steps(&["install"]);
        fs::write(root.path(unit), text).expect("write");
    }
    root.steps(&["install"]);
    let aside = |end: &str| fs::read_to_string(root.path(&format!("{unit}.before-install{end}"))).expect("there");
    assert_eq!(["", "-2", "-3"].map(aside), ["first", "second", "third"]);
}

/// The daemon's user has to get at its program.
#[test]
fn root_whose_shell_keeps_everything_to_itself_installs_for_all() {
    let root = Root::new();
    let mut install = Command::new("/bin/sh");
    install
        .args(["-c", "umask 077; exec \"$@\"", "sh"])
        .arg(binary())
        .args(["install", "--root-fs"])
        .arg(root.path(""));
    let output = install.stdin(Stdio::null()).output().expect("run the program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (path, mode) in [
        ("opt", 0o755),
        ("opt/mainstay/releases", 0o755),
        ("opt/mainstay/current/", 0o755),
        ("opt/mainstay/current/bin", 0o755),
        ("opt/mainstay/current/bin/mainstay", 0o555),
        ("opt/mainstay/state.json", 0o644),
        ("etc/systemd/system", 0o755),
        ("var/lib/mainstay", 0o700),
        ("etc/mainstay/token", 0o600),
    ] {
        assert_eq!(root.mode(path), mode, "{path}");
    }
}

#[test]
fn another_release_is_put_beside_the_one_that_runs() {
    let root = Root::new();
    root.steps(&["install"]);
    let runs = fs::read_link(root.path("opt/mainstay/current")).expect("a link");
    let unpacked = tempfile::tempdir().expect("a folder");
    let bin = unpacked.path().join("bin");
    fs::create_dir(&bin).expect("make");
    fs::copy(binary(), bin.join("mainstay")).expect("copy");
    fs::write(bin.join("mainstay-shim"), "a shim").expect("write");
    let digest = |path: &Path| {
        let bytes = fs::read(path).expect("read");
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (program, shim) = (digest(&bin.join("mainstay")), digest(&bin.join("mainstay-shim")));
    let about = unpacked.path().join("release.json");
    let manifest = serde_json::json!({
        "format": 1, "id": "9.9.9-0123456789ab", "target": format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
        "binaries": { "bin/mainstay": program, "bin/mainstay-shim": shim }, "database": { "schema": 5, "min_reader": 5, "min_writer": 5 },
    });
    fs::write(&about, manifest.to_string()).expect("write");
    let sums = unpacked.path().join("SHA256SUMS");
    let listed = |about: &str| format!("{program}  bin/mainstay\n{shim}  bin/mainstay-shim\n{about}  release.json\n");
    fs::write(&sums, listed(&"0".repeat(64))).expect("write");
    let damaged = root.run_with(&bin.join("mainstay"), &["install"]);
    let said = String::from_utf8_lossy(&damaged.stderr);
    assert!(!damaged.status.success() && said.contains("release.json is not what SHA256SUMS says"), "{said}");
    fs::write(&sums, listed(&digest(&about))).expect("write");
    let output = root.run_with(&bin.join("mainstay"), &["install"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let release = root.path("opt/mainstay/releases/9.9.9-0123456789ab");
    assert_eq!(fs::read(release.join("SHA256SUMS")).expect("all of it"), fs::read(&sums).expect("read"));
    assert_eq!(fs::metadata(release.join("release.json")).expect("there").mode() & 0o7777, 0o444);
    assert_eq!(fs::read_link(root.path("opt/mainstay/current")).expect("a link"), runs);
    let again = root.run_with(&bin.join("mainstay"), &["install"]);
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(said.contains("mainstay release activate 9.9.9-0123456789ab"), "{said}");
}

/// What was built here is a release as any other: known, whole, and something to go back to once it has been blessed.
#[test]
fn what_was_built_here_is_a_release_that_can_be_verified() {
    let root = Root::new();
    root.steps(&["install"]);
    let opt = root.path("opt/mainstay");
    let runs = fs::read_link(opt.join("current")).expect("a link");
    let id = runs.file_name().expect("a name").to_str().expect("text").to_owned();
    assert!(id.contains("-local-"), "{id}");
    let list = || {
        let list = Command::new(binary()).args(["--json", "release", "--root"]).arg(&opt).arg("list").output();
        serde_json::from_slice::<serde_json::Value>(&list.expect("it runs").stdout).expect("JSON")
    };
    let listed = list();
    assert!(listed.to_string().contains(&id), "{listed}");
    let staged = |from: &Path| {
        let stage = Command::new(binary()).args(["release", "--root"]).arg(&opt).arg("stage").arg(from).output();
        String::from_utf8_lossy(&stage.expect("it runs").stdout).into_owned()
    };
    assert!(staged(&opt.join(runs)).contains("was here already, the very same"));
}

#[test]
fn uninstalling_keeps_the_data_and_purging_wants_the_name() {
    let root = Root::new();
    root.steps(&["install"]);
    fs::write(root.path("var/lib/mainstay/mainstay.db"), "the record").expect("write");
    root.steps(&["uninstall", "--dry-run"]);
    assert!(root.path("opt/mainstay/current/bin/mainstay").exists());
    let key = "opt/mainstay/keys/ours.pub";
    fs::create_dir(root.path("opt/mainstay/keys")).expect("make");
    fs::write(root.path(key), "a key").expect("write");
    root.steps(&["uninstall"]);
    for gone in [
        "opt/mainstay/current",
        "opt/mainstay/releases",
        "opt/mainstay/state.json",
        "usr/local/bin/mainstay",
        "etc/systemd/system/mainstay.service",
        "etc/systemd/system/mainstay-release.service",
        "etc/systemd/system/mainstay-release.path",
    ] {
        assert!(!root.path(gone).exists(), "{gone}");
    }
    for kept in ["etc/mainstay/mainstay.toml", "etc/mainstay/token", "var/lib/mainstay/mainstay.db", key] {
        assert!(root.path(kept).exists(), "{kept}");
    }
    let again = root.steps(&["uninstall"]);
    assert!(again.values().all(|state| state == "is so" || state == "left out"), "{again:?}");
    let refused = root.run(&["uninstall", "--purge"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(root.path("var/lib/mainstay/mainstay.db").exists(), "nothing was typed");
    let mut purge = Command::new(binary());
    purge.args(["uninstall", "--purge", "--root-fs"]).arg(root.path("")).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut purge = purge.spawn().expect("run the program");
    std::io::Write::write_all(&mut purge.stdin.take().expect("piped"), b"mainstay\n").expect("typed");
    assert!(purge.wait().expect("it ends").success());
    assert!(!root.path("var/lib/mainstay").exists() && !root.path("etc/mainstay").exists());
    assert!(!root.path("opt/mainstay").exists());
}

#[test]
fn what_is_in_the_way_is_named_and_the_next_time_goes_on() {
    let root = Root::new();
    fs::create_dir_all(root.path("etc")).expect("make");
    fs::write(root.path("etc/mainstay"), "a file").expect("write");
    let output = root.run(&["install"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("etc/mainstay is no folder: move it away"), "{said}");
    fs::remove_file(root.path("etc/mainstay")).expect("move it away");
    root.steps(&["install"]);
    assert!(root.path("etc/mainstay/token").exists());
}
