//! The units as systemd's own tools read them. Where there is no `systemd-analyze`, that is said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Exposure that units may have, times ten.
const EXPOSURE_MAX: &str = "20";

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

/// What `systemd-analyze` says, and whether it is content; none where it is not there.
fn analyze(args: &[&str], unit: &Path) -> Option<(bool, String)> {
    let output = match Command::new("systemd-analyze").args(args).arg(unit).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: systemd-analyze: {error}");
            return None;
        }
    };
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

fn exposure(unit: &Path) -> Option<(bool, String)> {
    analyze(&["--no-pager", "security", "--offline=true", &format!("--threshold={EXPOSURE_MAX}")], unit)
}

#[test]
fn what_runs_by_itself_and_tasks_that_are_closed_in_are_not_exposed() {
    let folder = tempfile::tempdir().expect("a folder");
    // As systemd merges it: what comes later is added.
    let closed = [deploy("mainstay-launch@.service"), deploy("mainstay-closed.conf")]
        .map(|path| fs::read_to_string(path).expect("read"));
    // The tool has no instance to give to a template that is no installed one.
    let merged = folder.path().join("mainstay-launch-closed.service");
    fs::write(&merged, closed.concat()).expect("write");
    for unit in
        [deploy("mainstay.service"), deploy("mainstay-backup.service"), deploy("mainstay-release.service"), merged]
    {
        let Some((is_below, said)) = exposure(&unit) else { return };
        assert!(is_below, "{}: {said}", unit.display());
    }
    // The tool can say no: tasks that are not closed in may do what the machine's users may.
    let open = folder.path().join("mainstay-launch-open.service");
    fs::copy(deploy("mainstay-launch@.service"), &open).expect("copy");
    assert!(exposure(&open).is_some_and(|(is_below, _)| !is_below));
}

/// Where the daemon asks is where systemd listens, and what it starts is the shim for that.
#[test]
fn daemon_and_launcher_name_the_same_socket() {
    let read = |name: &str| fs::read_to_string(deploy(name)).expect("read");
    let value = |name: &str, key: &str| {
        let text = read(name);
        let value = text.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        value.unwrap_or_else(|| panic!("{name} has no {key}"))
    };
    let named = value("mainstay.service", "Environment=MAINSTAY_LAUNCHER=");
    assert_eq!(named, value("mainstay-launch.socket", "ListenStream="));
    assert!(value("mainstay-launch@.service", "ExecStart=-").ends_with("/mainstay-shim from-socket"));
}

#[test]
fn every_key_is_one_that_systemd_knows() {
    let folder = tempfile::tempdir().expect("a folder");
    let units = [
        "mainstay.service",
        "mainstay-launch.socket",
        "mainstay-launch@.service",
        "mainstay-backup.service",
        "mainstay-backup.timer",
        "mainstay-release.service",
        "mainstay-release.path",
    ];
    for name in units {
        let text = fs::read_to_string(deploy(name)).expect("read");
        // Of what it can't find here only the program is worth a word; older ones don't know the key.
        let text = text
            .replace("/opt/mainstay/current/bin/mainstay-shim", "/bin/true")
            .replace("/opt/mainstay/current/bin/mainstay", "/bin/true")
            .replace("DelegateSubgroup=shim\n", "");
        fs::write(folder.path().join(name), text).expect("write");
    }
    for name in units {
        let Some((is_clean, said)) = analyze(&["verify", "--recursive-errors=no"], &folder.path().join(name)) else {
            return;
        };
        assert!(is_clean, "{name}: {said}");
    }
}

#[test]
fn units_run_the_release_that_is_current() {
    for name in ["mainstay.service", "mainstay-backup.service"] {
        let text = fs::read_to_string(deploy(name)).expect("read");
        let start = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
        assert!(
            start.starts_with("/opt/mainstay/current/bin/mainstay --config /etc/mainstay/mainstay.toml "),
            "{name}: {start}"
        );
    }
}
