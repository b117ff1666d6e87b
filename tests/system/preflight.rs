//! `mainstay check` before a switch: whatever is broken about a host is told by its code and nothing else is, whatever is good is
//! accepted, and nothing on disk changes by either.

use super::host::{Host, used_state};
use super::phone::{BOT, Phone};
use super::place::until;
use mainstay::event::{Event, Fact};
use mainstay::id::Actor;
use mainstay::real::store::{FileStorage, Store};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// How a host is made what it is.
type Make = fn(&mut Host);

/// A configuration without a bot.
const LEAST: &str =
    "[[operator]]\nid = 1\nname = \"a\"\nroles = [\"admin\"]\n[[kind]]\nname = \"k\"\nargv = [\"/bin/true\"]\n";

/// The one code, a part of what is said, and what was done to a host where all was well.
const BROKEN: &[(&str, &str, Make)] = &[
    ("config-missing", "mainstay.toml", |h| fs::remove_file(h.path("mainstay.toml")).expect("remove")),
    ("config-invalid", "mainstay.toml:1", |h| h.write("mainstay.toml", "this is not toml")),
    ("config-invalid", "state_dri", |h| h.replace("mainstay.toml", "[telegram]", "state_dri = \"x\"\n[telegram]")),
    ("config-invalid", "running_max", |h| h.replace("mainstay.toml", "[telegram]", "running_max = 0\n[telegram]")),
    ("config-invalid", "api_url", |h| h.replace("mainstay.toml", "http://", "ftp://")),
    ("config-nobody", "operator", |h| h.write("mainstay.toml", "[[kind]]\nname = \"k\"\nargv = [\"true\"]\n")),
    ("token-own-bot", "the bot itself", |h| h.replace("mainstay.toml", "id = 1002", &format!("id = {}", BOT.0))),
    ("token-unreadable", "is no token", |h| h.write("token", "12345")),
    ("token-unreadable", "none/token", |h| {
        h.unit("LoadCredential=");
        h.replace("mainstay.toml", "\"token\"", "\"none/token\"");
    }),
    ("telegram-token-wrong", "@BotFather", |h| h.write("token", &format!("{}:AAanother-secret-0123456789", BOT.0))),
    ("telegram-webhook", "deleteWebhook", |_| {}),
    ("state-unusable", "is no directory", |h| {
        fs::remove_dir_all(h.path("state")).expect("remove");
        h.write("state", "a file");
    }),
    ("state-unusable", "does not exist", |h| {
        h.unit("ReadWritePaths={dir}");
        h.replace("mainstay.toml", "[telegram]", "state_dir = \"none/state\"\n[telegram]");
    }),
    ("lock-foreign", "end it", |h| hold(h, std::process::id())),
    ("lock-foreign", "fuser", |h| hold(h, u32::MAX >> 1)),
    ("database-newer", "99", |h| {
        h.sql("UPDATE meta SET value = '99' WHERE key IN ('min_writer', 'min_reader'); PRAGMA user_version = 99");
    }),
    ("database-damaged", "mainstay.db", |h| edit(h, |bytes| bytes[..64].fill(0xa5))),
    ("database-damaged", "mainstay.db", |h| edit(h, |bytes| bytes.truncate(bytes.len() / 2))),
    ("database-damaged", "attempts", |h| fs::remove_file(h.path("state/mainstay.db")).expect("remove")),
    ("database-damaged", "event 4", |h| {
        h.sql("DROP TRIGGER events_are_not_changed; UPDATE events SET actor = 'tg:99' WHERE seq = 4");
    }),
    ("database-migration", "stay with the one before", |h| h.sql("PRAGMA user_version = 3")),
    ("database-replay", "tasks at 1", |h| h.sql("UPDATE tasks SET state = 'QUEUED' WHERE id = 1")),
    ("database-replay", "chats", |h| h.sql("DELETE FROM chats; INSERT INTO chats (chat, next) VALUES (5, 5)")),
    ("scratch-unusable", "--scratch", |h| fs::remove_dir(h.path("scratch")).expect("remove")),
    ("clock-behind", "newest event", |h| {
        let db = h.path("state/mainstay.db");
        record_of_tomorrow(&db);
    }),
    ("unit-missing", "mainstay.service", |h| fs::remove_file(h.path("units/mainstay.service")).expect("remove")),
    ("unit-masked", "unmask", |h| {
        fs::remove_file(h.path("units/mainstay.service")).expect("remove");
        h.link("/dev/null", "units/mainstay.service");
    }),
    ("unit-unreadable", "UTF-8", |h| fs::write(h.path("units/mainstay.service"), b"[Unit]\n\xff\n").expect("write")),
    ("unit-syntax", "mainstay.service:19", |h| h.append("units/mainstay.service", "KillMode process\n")),
    ("unit-verify", "Unknown key", |h| {
        h.write("tools/verdict", "Unknown key 'Nonsense' in section [Service], ignoring.\n")
    }),
    ("unit-verify", "Unknown key name 'Nonsense'", |h| {
        let line = "{dir}/units/mainstay.service:3: Unknown key name 'Nonsense' in section 'Service', ignoring.\n";
        older_systemd(h, line);
    }),
    ("unit-verify", "Failed to load", |h| older_systemd(h, "mainstay.service: Failed to load properly\n")),
    ("unit-launcher-missing", "mainstay-launch.socket", |h| {
        h.append("units/mainstay.service", "Environment=MAINSTAY_LAUNCHER=/run/mainstay-launch.sock\n");
    }),
    ("unit-user-missing", "no user nobody-here", |h| h.unit("User=nobody-here")),
    ("unit-group-missing", "no group nobodies", |h| h.unit("SupplementaryGroups=nobodies")),
    ("unit-exec-none", "ExecStart", |h| h.unit("ExecStart=")),
    ("unit-exec-missing", "none/mainstay", |h| {
        h.unit("ExecStart={dir}/none/mainstay --config {dir}/mainstay.toml run")
    }),
    ("unit-exec-missing", "current/bin", |h| {
        h.unit("ExecStart={dir}/current/bin/mainstay --config {dir}/mainstay.toml run");
        h.link("releases/gone", "current");
    }),
    ("unit-exec-missing", "prepare", |h| h.append("units/mainstay.service", "ExecStartPre={dir}/prepare\n")),
    ("unit-exec-unusable", "chmod", |h| h.unit("ExecStart={dir}/variables --config {dir}/mainstay.toml run")),
    ("unit-exec-other", "0.0.0-of-before", |h| {
        h.program("mainstay", "#!/bin/sh\necho mainstay 0.0.0-of-before\n");
        h.unit("ExecStart={dir}/mainstay --config {dir}/mainstay.toml run");
    }),
    ("unit-exec-arguments", "mainstay run", |h| h.unit("ExecStart={binary} --config {dir}/mainstay.toml ops")),
    ("unit-config-other", "other.toml", |h| h.unit("ExecStart={binary} --config={dir}/other.toml run")),
    ("unit-config-other", "no --config", |h| {
        h.unit("EnvironmentFile=");
        h.unit("ExecStart={binary} run");
        h.append("units/mainstay.service", "Environment=A=1 MAINSTAY_CONFIG={dir}/other.toml\n");
    }),
    ("unit-config-other", "mainstay-backup.service:2", |h| {
        h.write("units/mainstay-backup.service", "[Service]\nExecStart={binary} --config /none.toml backup\n");
    }),
    ("unit-environment-file", "none/variables", |h| h.unit("EnvironmentFile={dir}/none/variables")),
    ("unit-working-directory", "none", |h| h.unit("WorkingDirectory={dir}/none")),
    ("unit-path-missing", "none", |h| h.unit("ReadWritePaths={dir}/state {dir}/none")),
    ("unit-credential-missing", "token", |h| fs::remove_file(h.path("token")).expect("remove")),
    ("unit-credential-missing", "none/key", |h| {
        h.append("units/mainstay.service", "LoadCredential=key:{dir}/none/key\n")
    }),
    ("unit-state-hidden", "ReadWritePaths", |h| h.unit("ReadWritePaths={dir}/units")),
    ("unit-type", "Type=notify", |h| h.unit("Type=simple")),
    ("unit-kill-mode", "KillMode=process", |h| h.unit("KillMode=")),
    ("unit-kill-mode", "override.conf:2", |h| drop_in(h, "[Service]\nKillMode=mixed\n")),
    ("unit-stop-timeout", "10 s", |h| h.unit("TimeoutStopSec=2s")),
    ("unit-start-limit", "[Unit]", |h| h.append("units/mainstay.service", "StartLimitIntervalSec=0\n")),
    ("unit-watchdog", "20 s", |h| h.unit("WatchdogSec=5s")),
    ("unit-second", "old.service", |h| {
        h.program("mainstay", "");
        h.write("units/old.service", "[Service]\nExecStart={dir}/mainstay --config {dir}/mainstay.toml run\n");
    }),
];

/// A code that is told all the same, and how the host came to be as it is.
const GOOD: &[(&str, Make)] = &[
    ("units", |_| {}),
    ("unit-key-later", |h| {
        h.write("tools/verdict", "Unknown key 'DelegateSubgroup' in section [Service], ignoring.\n");
    }),
    ("unit-key-later", |h| {
        let line =
            "{dir}/units/mainstay.service:3: Unknown key name 'DelegateSubgroup' in section 'Service', ignoring.\n";
        older_systemd(h, line);
    }),
    ("units", |h| older_systemd(h, "/lib/systemd/system/x.service:3: Unknown key name 'Y' in section 'Service'\n")),
    ("state", |h| {
        fs::remove_dir_all(h.path("state")).expect("remove");
        h.unit("ReadWritePaths=-{dir}/state");
    }),
    ("database", |h| {
        for name in ["mainstay.db", "attempts", "archive"] {
            let path = h.path("state").join(name);
            fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)).expect("remove");
        }
    }),
    ("daemon", |h| {
        h.living = true;
        h.place.start();
        h.place.line().done(&["list"]);
    }),
    ("database", |h| {
        // Killed: what it wrote last is in its log alone.
        h.place.start();
        h.place.line().done(&["newtask", "work", "x"]);
        h.place.kill();
        assert!(fs::metadata(h.path("state/mainstay.db-wal")).is_ok_and(|log| log.len() > 0));
    }),
    ("database-one-way", |h| crate::core::store::as_of_schema_1(&h.path("state/mainstay.db"))),
    ("telegram-none", |h| h.write("mainstay.toml", LEAST)),
    ("telegram-unreachable", |h| h.replace("mainstay.toml", "http://", "http://127.0.0.1:1/")),
    ("units", |h| {
        h.args.push("--offline".into());
        h.replace("mainstay.toml", "http://", "http://127.0.0.1:1/");
    }),
    ("token-exposed", |h| fs::set_permissions(h.path("token"), fs::Permissions::from_mode(0o644)).expect("chmod")),
    ("token", |h| h.unit("LoadCredential=")),
    ("token-unseen", |h| h.unit("LoadCredential=telegram-token")),
    ("unit-unverified", |h| fs::remove_file(h.path("tools/systemd-analyze")).expect("remove")),
    ("unit-not-activated", |h| {
        fs::create_dir(h.path("releases")).expect("make");
        h.unit("ExecStart={dir}/current/bin/mainstay --config {dir}/mainstay.toml run");
    }),
    ("units", |h| {
        fs::create_dir_all(h.path("releases/1/bin")).expect("make");
        h.program("releases/1/bin/mainstay", "#!/bin/sh\necho mainstay 0.0.0-of-before\n");
        h.link("releases/1", "current");
        h.link("current/bin/mainstay", "mainstay");
        h.unit("ExecStart={dir}/mainstay --config {dir}/mainstay.toml run");
    }),
    ("units", |h| {
        h.unit("EnvironmentFile=-{dir}/none");
        h.unit("ReadWritePaths={dir}/state -{dir}/none");
        h.append("units/mainstay.service", "ExecStartPre=-{dir}/none\n");
    }),
    ("units", |h| {
        // Somebody else's, or ours with a state of its own.
        h.program("mainstay", "");
        h.write("other.toml", "state_dir = \"elsewhere\"\n");
        h.write("units/second.service", "[Service]\nExecStart={dir}/mainstay --config {dir}/other.toml run\n");
        h.write(
            "units/reader.service",
            "[Service]\nExecStart={dir}/mainstay --config {dir}/mainstay.toml logs --follow\n",
        );
    }),
    ("unit-gives-up", |h| h.unit("StartLimitIntervalSec=")),
    ("unit-unwatched", |h| h.unit("WatchdogSec=")),
    ("unit-no-restart", |h| h.unit("Restart=no")),
    ("units", |h| {
        // As deployed, with what a test has to put elsewhere.
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let units =
            ["mainstay.service", "mainstay-launch.socket", "mainstay-launch@.service", "mainstay-backup.service"];
        for name in units {
            fs::copy(deploy.join(name), h.path("units").join(name)).expect("copy");
        }
        let own = "[Service]\nUser={user}\nSupplementaryGroups=\nGroup=\nReadWritePaths={dir}/state\nLoadCredential=\n\
                   LoadCredential=telegram-token:{dir}/token\nExecStart=\nExecStart={binary} --config {dir}/mainstay.toml ";
        drop_in(h, &format!("{own}run\n"));
        fs::create_dir(h.path("units/mainstay-backup.service.d")).expect("make");
        h.write("units/mainstay-backup.service.d/own.conf", &format!("{own}backup\n"));
        fs::create_dir(h.path("units/mainstay-launch@.service.d")).expect("make");
        let task = "[Service]\nUser={user}\nExecStart=\nExecStart=-/bin/true\n";
        h.write("units/mainstay-launch@.service.d/own.conf", task);
    }),
];

fn drop_in(host: &Host, text: &str) {
    fs::create_dir(host.path("units/mainstay.service.d")).expect("make");
    host.write("units/mainstay.service.d/override.conf", text);
}

/// A systemd of before 250, and what its `systemd-analyze verify` says.
fn older_systemd(host: &Host, verdict: &str) {
    host.write("tools/older", "");
    host.write("tools/verdict", verdict);
}

/// Holds the state directory, and says that it is this process.
fn hold(host: &mut Host, pid: u32) {
    fs::write(host.path("state/lock"), format!("{pid}\n")).expect("write");
    let file = File::open(host.path("state/lock")).expect("open");
    flock(&file, FlockOperation::LockExclusive).expect("lock");
    host.held.push(file);
}

fn edit(host: &Host, change: fn(&mut Vec<u8>)) {
    let path = host.path("state/mainstay.db");
    let mut bytes = fs::read(&path).expect("read");
    change(&mut bytes);
    fs::write(&path, bytes).expect("write");
}

/// Goes on with the record as a daemon whose clock is a day ahead.
fn record_of_tomorrow(path: &Path) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let wall_ms = i64::try_from(now.as_millis()).expect("a time") + 86_400_000;
    let fact = Fact::Booted { version: "ahead".into(), config: String::new(), boot: "b".into(), boot_ms: 1, wall_ms };
    let mut store = Store::open(&FileStorage::new(path.to_owned())).expect("open");
    store.begin().expect("begin");
    let event = Event { trace: String::new(), task: None, attempt: None, actor: Actor::System, fact };
    store.apply(wall_ms, &event).expect("apply");
    store.commit().expect("commit");
}

#[test]
fn whatever_is_broken_is_refused_by_its_code_and_nothing_changes() {
    let phone = Phone::new();
    let hooked = Phone::new();
    hooked.server.world().set_webhook(BOT, Some("https://example.com/a-secret"));
    let state = used_state(&phone);
    for (n, (code, part, make)) in BROKEN.iter().enumerate() {
        let server = if *code == "telegram-webhook" { &hooked } else { &phone };
        let mut host = Host::new(server, &state.path("state"));
        make(&mut host);
        let checked = host.check();
        let errors = checked.of("error");
        let case = format!("{n}: {code}, {part:?}: {errors:#?}");
        assert!(!errors.is_empty() && errors.iter().all(|(there, _)| there == code), "{case}");
        assert!(errors.iter().any(|(_, text)| text.contains(part)), "{case}");
        assert!(checked.exit_code.is_some_and(|code| code != 0) && checked.said["ok"] == false, "{case}");
    }
}

#[test]
fn whatever_is_good_is_accepted_and_nothing_changes() {
    let phone = Phone::new();
    let state = used_state(&phone);
    for (n, (code, make)) in GOOD.iter().enumerate() {
        let mut host = Host::new(&phone, &state.path("state"));
        make(&mut host);
        let checked = host.check();
        let case = format!("{n}: {code}: {:#}", checked.said);
        assert!(checked.exit_code == Some(0) && checked.said["ok"] == true && checked.of("error").is_empty(), "{case}");
        assert!(checked.has(code), "{case}");
        if host.living {
            assert!(host.place.terminate().success());
        }
    }
}

#[test]
fn where_older_programs_could_not_write_any_more_nobody_is_sent_to_a_backup() {
    let phone = Phone::new();
    let state = used_state(&phone);
    let host = Host::new(&phone, &state.path("state"));
    crate::core::store::as_of_schema_1(&host.path("state/mainstay.db"));
    let warnings = host.check().of("warning");
    let (_, text) = warnings.iter().find(|(code, _)| code == "database-one-way").expect("it is told");
    assert!(text.contains("no way back") && text.contains("mended forward") && !text.contains("back-up"), "{text}");
}

#[test]
fn units_that_are_not_those_of_this_release_are_told_of() {
    let phone = Phone::new();
    let state = used_state(&phone);
    let host = Host::new(&phone, &state.path("state"));
    let told = || -> Vec<String> {
        let warnings = host.check().of("warning").into_iter();
        warnings.filter(|(code, _)| code == "unit-differs").map(|(_, text)| text).collect()
    };
    let mine = told();
    assert!(mine.len() == 1 && mine[0].contains("mainstay.service") && mine[0].contains(" install`"), "{mine:?}");
    let root = tempfile::tempdir().expect("a folder");
    let installed = host.place.command(&["install", "--root-fs"]).arg(root.path()).output().expect("run the program");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let folder = root.path().join("etc/systemd/system");
    for name in fs::read_dir(&folder).expect("list").map(|entry| entry.expect("an entry").file_name()) {
        fs::copy(folder.join(&name), host.path("units").join(&name)).expect("copy");
    }
    assert_eq!(told(), Vec::<String>::new(), "nobody touched them");
    host.append("units/mainstay-backup.timer", "# of an older one\n");
    let old = told();
    assert!(old.len() == 1 && old[0].contains("mainstay-backup.timer"), "{old:?}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let phone = Phone::new();
    let state = used_state(&phone);
    let host = Host::new(&phone, &state.path("state"));
    host.unit("User=nobody-here");
    host.unit("KillMode=mixed");
    host.write("token", "12345");
    host.sql("PRAGMA user_version = 99; UPDATE meta SET value = '99'");
    let codes: Vec<String> = host.check().of("error").into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["unit-user-missing", "unit-kill-mode", "token-unreadable", "database-newer"]);
}

/// The real tool, where there is one: it sees what no table of ours knows.
#[test]
fn systemd_itself_is_asked_where_it_is_there() {
    let phone = Phone::new();
    let state = used_state(&phone);
    let host = Host::new(&phone, &state.path("state"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(tool) = std::env::split_paths(&path).map(|dir| dir.join("systemd-analyze")).find(|tool| tool.exists())
    else {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    };
    fs::remove_file(host.path("tools/systemd-analyze")).expect("remove");
    host.link(&tool.display().to_string(), "tools/systemd-analyze");
    let good = host.check();
    assert_eq!((good.exit_code, good.of("error")), (Some(0), Vec::new()));
    host.append("units/mainstay.service", "Nonsense=1\n");
    let errors = host.check().of("error");
    assert!(errors.iter().any(|(code, text)| code == "unit-verify" && text.contains("Nonsense")), "{errors:?}");
}

/// The one that runs hangs: that is told, and not waited for.
#[test]
fn a_daemon_that_hangs_does_not_keep_the_check_from_its_end() {
    let phone = Phone::new();
    let state = used_state(&phone);
    let mut host = Host::new(&phone, &state.path("state"));
    host.living = true;
    host.place.start();
    host.place.line().done(&["list"]);
    rustix::process::kill_process(host.place.pid(), rustix::process::Signal::STOP).expect("stop");
    until("it is stopped", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", host.place.pid().as_raw_nonzero())).expect("read");
        stat.contains(") T ").then_some(())
    });
    let checked = host.check();
    assert!(checked.exit_code == Some(0) && checked.has("daemon-silent"), "{:#}", checked.said);
}
