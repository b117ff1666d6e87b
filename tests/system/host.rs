//! A host on which Mainstay is installed, in a folder: configuration, token, units, a state directory that was used, and what
//! `mainstay check` says of it.

use super::phone::{Phone, token};
use super::place::{Place, binary};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// As installed; `{dir}` is the host's folder. Not the unit that is deployed, whose paths are a real machine's: that one has a
/// case of its own.
const UNIT: &str = "\
[Unit]
Description=Mainstay
StartLimitIntervalSec=0

[Service]
Type=notify
WatchdogSec=60s
TimeoutStopSec=90s
ExecStart={binary} --config {dir}/mainstay.toml run
KillMode=process
Restart=always
User={user}
SupplementaryGroups={group}
WorkingDirectory={dir}
EnvironmentFile={dir}/variables
ProtectSystem=strict
ReadWritePaths={dir}/state
LoadCredential=telegram-token:{dir}/token
";

/// What stands where `systemd-analyze` is looked for: it accepts every unit, unless a verdict lies beside it. Where there is a
/// file `older`, it is one that does not know the option, tells of other units as well, and ends well whatever it finds.
const ANALYZE: &str = "#!/bin/sh
here=${0%/*}
if [ -e \"$here/older\" ]; then
  case \"$*\" in
    *--recursive-errors*) echo \"systemd-analyze: unrecognized option '--recursive-errors=no'\" >&2; exit 1 ;;
  esac
fi
[ -e \"$here/verdict\" ] || exit 0
while read -r line; do echo \"$line\" >&2; done < \"$here/verdict\"
[ -e \"$here/older\" ]
";

/// The host. Removed with everything on it.
pub(super) struct Host {
    pub(super) place: Place,
    /// Words after `check`.
    pub(super) args: Vec<String>,
    /// Files that a daemon may be writing to while it runs.
    pub(super) living: bool,
    /// What has to live as long as the host.
    pub(super) held: Vec<fs::File>,
}

/// What was said.
pub(super) struct Checked {
    pub(super) exit_code: Option<i32>,
    pub(super) said: Value,
}

impl Checked {
    /// Codes and texts of this weight.
    pub(super) fn of(&self, weight: &str) -> Vec<(String, String)> {
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let findings = self.said["findings"].as_array().unwrap_or_else(|| panic!("no findings: {}", self.said));
        findings.iter().filter(|f| f["weight"] == weight).map(|f| (text(f, "code"), text(f, "text"))).collect()
    }

    /// Whether there is a finding of this code.
    pub(super) fn has(&self, code: &str) -> bool {
        ["ok", "warning", "error"].iter().flat_map(|weight| self.of(weight)).any(|(there, _)| there == code)
    }
}

/// The state of a daemon that has run tasks and ended.
pub(super) fn used_state(phone: &Phone) -> Place {
    let mut place = phone.place("", "");
    place.start();
    let id = place.let_run("work", "for 0 0");
    place.wait_for(id, "SUCCEEDED");
    place.line().done(&["newtask", "work", "needle in the haystack"]);
    assert!(place.terminate().success());
    place
}

impl Host {
    /// A host where all is well, with a copy of this state.
    pub(super) fn new(phone: &Phone, state: &Path) -> Host {
        let place = phone.place("", "");
        for name in ["scratch", "tools", "units"] {
            fs::create_dir(place.path(name)).expect("make");
        }
        fs::write(place.path("variables"), "LANG=C.UTF-8\n").expect("write");
        executable(&place.path("tools/systemd-analyze"), ANALYZE);
        copy(state, &place.path("state"));
        let args = ["--units", "units", "--scratch", "scratch"].map(str::to_owned).to_vec();
        let host = Host { place, args, living: false, held: Vec::new() };
        host.write("units/mainstay.service", UNIT);
        host
    }

    /// Something in its folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    /// Writes a file, with what `{...}` stands for.
    pub(super) fn write(&self, name: &str, text: &str) {
        let dir = self.path("").display().to_string();
        let text = text
            .replace("{dir}", dir.trim_end_matches('/'))
            .replace("{binary}", &binary().display().to_string())
            .replace("{user}", &name_of("passwd", rustix::process::geteuid().as_raw()))
            .replace("{group}", &name_of("group", rustix::process::getegid().as_raw()));
        fs::write(self.path(name), text).expect("write");
    }

    /// Adds lines to a file.
    pub(super) fn append(&self, name: &str, text: &str) {
        self.write(name, &(fs::read_to_string(self.path(name)).expect("read") + text));
    }

    /// Puts another text in place of one that is in a file.
    pub(super) fn replace(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(name)).expect("read");
        assert!(text.contains(old), "{old:?} is not in {text}");
        self.write(name, &text.replace(old, new));
    }

    /// Replaces lines of the unit: those that begin with what the new one is an assignment of. `Name=` alone takes it out.
    pub(super) fn unit(&self, line: &str) {
        let text = fs::read_to_string(self.path("units/mainstay.service")).expect("read");
        let (name, value) = line.split_once('=').expect("an assignment");
        let begin = format!("{name}=");
        assert!(text.lines().any(|line| line.starts_with(&begin)), "{name} is not in {text}");
        let new = if value.is_empty() { String::new() } else { format!("{line}\n") };
        let lines = text.lines().map(|old| if old.starts_with(&begin) { new.clone() } else { format!("{old}\n") });
        self.write("units/mainstay.service", &lines.collect::<String>());
    }

    /// An executable file.
    pub(super) fn program(&self, name: &str, text: &str) {
        executable(&self.path(name), text);
    }

    /// A symbolic link.
    pub(super) fn link(&self, target: &str, name: &str) {
        symlink(target, self.path(name)).expect("link");
    }

    /// Statements on the database.
    pub(super) fn sql(&self, statements: &str) {
        let db = rusqlite::Connection::open(self.path("state/mainstay.db")).expect("open");
        db.execute_batch(statements).expect("sql");
        db.close().expect("closed");
    }

    /// Runs the check, which must change nothing.
    pub(super) fn check(&self) -> Checked {
        let before = self.everything();
        let mut command = self.place.command(&["check", "--json"]);
        let output =
            command.args(&self.args).env("PATH", self.path("tools")).env_remove("TMPDIR").output().expect("run");
        let after = self.everything();
        for (path, was) in &before {
            assert_eq!(after.get(path), Some(was), "{} is not as it was", path.display());
        }
        assert_eq!(
            before.len(),
            after.len(),
            "something was left: {:?}",
            after.keys().filter(|p| !before.contains_key(*p))
        );
        let left: Vec<_> = fs::read_dir(self.path("scratch")).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
        assert!(!text.contains(token().split_once(':').expect("a colon").1), "the token is shown: {text}");
        Checked { exit_code: output.status.code(), said }
    }

    /// Everything on the host but the folder for copies: what it is, and what would change if somebody wrote to it. Where a
    /// daemon runs, its index of the log is left out: that is memory which whoever reads the database shares with it.
    fn everything(&self) -> BTreeMap<PathBuf, String> {
        // What a daemon that runs beside it may write to meanwhile.
        let living = ["mainstay.db-shm", "daemon.log"];
        let mut all = BTreeMap::new();
        let mut folders = vec![self.path("")];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(&folder).expect("list").map(|entry| entry.expect("an entry").path()) {
                let metadata = fs::symlink_metadata(&path).expect("there");
                if path == self.path("scratch") || (self.living && living.iter().any(|name| path.ends_with(name))) {
                    continue;
                }
                let content = if metadata.is_file() { fs::read(&path).expect("read") } else { Vec::new() };
                let (mode, uid, ino, at) =
                    (metadata.mode(), metadata.uid(), metadata.ino(), (metadata.mtime(), metadata.mtime_nsec()));
                all.insert(path.clone(), format!("{mode:o} {uid} {ino} {at:?} {content:x?}"));
                if metadata.is_dir() {
                    folders.push(path);
                }
            }
        }
        all
    }
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("write");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// The name of a number; the number where it has none.
fn name_of(database: &str, id: u32) -> String {
    let text = fs::read_to_string(Path::new("/etc").join(database)).unwrap_or_default();
    let number = id.to_string();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(&number));
    line.and_then(|line| line.split(':').next()).map_or(number.clone(), str::to_owned)
}

/// A folder with all files in it and their modes; what is no file (a socket) stays behind.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("make");
    fs::set_permissions(to, fs::metadata(from).expect("there").permissions()).expect("chmod");
    for entry in fs::read_dir(from).expect("list").map(|entry| entry.expect("an entry")) {
        let (kind, name) = (entry.file_type().expect("a type"), entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &to.join(name));
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(name)).expect("copy");
        }
    }
}
