//! What an installation consists of: one table for putting it there, one for taking it away. Data; [`super::perform`] looks
//! whether a step is done, and does it.

/// The user that the daemon and its tasks run as.
pub(super) const SERVICE_USER: &str = "mainstay";
/// Where releases live: `releases/ID/`, and `current`, a link to the one that runs.
pub(super) const ROOT: &str = "/opt/mainstay";
/// What units, and people, call.
pub(super) const CURRENT_PROGRAM: &str = "/opt/mainstay/current/bin/mainstay";
const CONFIG_DIR: &str = "/etc/mainstay";
const CONFIG: &str = "/etc/mainstay/mainstay.toml";
const TOKEN: &str = "/etc/mainstay/token";
const STATE_DIR: &str = "/var/lib/mainstay";
const KEYS: &str = "/opt/mainstay/keys";
const LINK: &str = "/usr/local/bin/mainstay";
/// Where units are installed.
pub(super) const UNITS: &str = "/etc/systemd/system";
const SERVICE: &str = "/etc/systemd/system/mainstay.service";
const LAUNCH_SOCKET: &str = "/etc/systemd/system/mainstay-launch.socket";
const LAUNCH_SERVICE: &str = "/etc/systemd/system/mainstay-launch@.service";
const CLOSED_CONF: &str = "/etc/systemd/system/mainstay-launch@.service.d/closed.conf";
const BACKUP_SERVICE: &str = "/etc/systemd/system/mainstay-backup.service";
const BACKUP_TIMER: &str = "/etc/systemd/system/mainstay-backup.timer";
const RELEASE_SERVICE: &str = "/etc/systemd/system/mainstay-release.service";
const RELEASE_PATH: &str = "/etc/systemd/system/mainstay-release.path";

/// Whose a file or folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Root,
    /// The daemon's user.
    Service,
}

/// What becomes of a file that is there and says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It is somebody's own, and stays.
    Stays,
    /// It is of another version: it is set aside.
    Aside,
}

/// One step. Each can be looked at and done again at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The daemon's user is there.
    User,
    /// A folder is there; one that is keeps its owner and mode.
    Folder { path: &'static str, mode: u32, owner: Owner },
    /// A file is there.
    File { path: &'static str, mode: u32, content: &'static str, existing: Existing },
    /// The release that this program belongs to is below [`ROOT`], and something is `current`.
    Release,
    /// A link is there.
    Link { path: &'static str, to: &'static str },
    /// The service manager was told.
    Systemctl { args: &'static [&'static str] },
    /// A file, link or folder is not there any more, with all that is in it.
    Gone { path: &'static str },
    /// The same of a folder, but for one that is in it.
    GoneBut { path: &'static str, kept: &'static str },
    /// The daemon's user is not there any more.
    NoUser,
}

/// Puts it there, without starting anything: what is to run, and who may say so, is not known yet.
pub(super) const INSTALL: [Step; 17] = [
    Step::User,
    Step::Folder { path: ROOT, mode: 0o755, owner: Owner::Root },
    Step::Folder { path: "/opt/mainstay/releases", mode: 0o755, owner: Owner::Root },
    Step::Release,
    Step::Folder { path: "/usr/local/bin", mode: 0o755, owner: Owner::Root },
    Step::Link { path: LINK, to: CURRENT_PROGRAM },
    Step::Folder { path: CONFIG_DIR, mode: 0o755, owner: Owner::Root },
    Step::File {
        path: CONFIG,
        mode: 0o644,
        content: include_str!("../../../../deploy/mainstay.toml"),
        existing: Existing::Stays,
    },
    // For the token, which only root reads: the service gets it as a credential.
    Step::File { path: TOKEN, mode: 0o600, content: "", existing: Existing::Stays },
    Step::Folder { path: STATE_DIR, mode: 0o700, owner: Owner::Service },
    unit(SERVICE, include_str!("../../../../deploy/mainstay.service")),
    unit(LAUNCH_SOCKET, include_str!("../../../../deploy/mainstay-launch.socket")),
    unit(LAUNCH_SERVICE, include_str!("../../../../deploy/mainstay-launch@.service")),
    unit(BACKUP_SERVICE, include_str!("../../../../deploy/mainstay-backup.service")),
    unit(BACKUP_TIMER, include_str!("../../../../deploy/mainstay-backup.timer")),
    unit(RELEASE_SERVICE, include_str!("../../../../deploy/mainstay-release.service")),
    unit(RELEASE_PATH, include_str!("../../../../deploy/mainstay-release.path")),
];

/// For machines whose tasks need little of them (`--closed`).
pub(super) const CLOSED: Step = Step::File {
    path: CLOSED_CONF,
    mode: 0o644,
    content: include_str!("../../../../deploy/mainstay-closed.conf"),
    existing: Existing::Stays,
};

/// The service manager is told of all that.
pub(super) const ENABLE: [Step; 3] = [
    Step::Systemctl { args: &["daemon-reload"] },
    Step::Systemctl { args: &["enable", "mainstay.service", "mainstay-backup.timer", "mainstay-release.path"] },
    // It only looks; and where a daemon runs already, nobody would start it.
    Step::Systemctl { args: &["start", "mainstay-release.path"] },
];

/// Takes it away. Configuration, token, state, and whose releases are trusted stay.
pub(super) const UNINSTALL: [Step; 16] = [
    // Each by itself, because units of older releases are without it; and first, because it would start the daemon again.
    Step::Systemctl { args: &["stop", "mainstay-release.path"] },
    Step::Systemctl { args: &["stop", "mainstay-release.service"] },
    Step::Systemctl { args: &["disable", "mainstay-release.path"] },
    // Not `disable --now`: where no systemd runs, that disables and fails.
    Step::Systemctl { args: &["stop", "mainstay.service", "mainstay-launch.socket", "mainstay-backup.timer"] },
    Step::Systemctl { args: &["disable", "mainstay.service", "mainstay-backup.timer"] },
    Step::Gone { path: SERVICE },
    Step::Gone { path: CLOSED_CONF },
    Step::Gone { path: LAUNCH_SOCKET },
    Step::Gone { path: LAUNCH_SERVICE },
    Step::Gone { path: BACKUP_SERVICE },
    Step::Gone { path: BACKUP_TIMER },
    Step::Gone { path: RELEASE_SERVICE },
    Step::Gone { path: RELEASE_PATH },
    Step::Systemctl { args: &["daemon-reload"] },
    Step::Gone { path: LINK },
    Step::GoneBut { path: ROOT, kept: "keys" },
];

/// Takes away what is left then.
pub(super) const PURGE: [Step; 4] =
    [Step::Gone { path: ROOT }, Step::Gone { path: CONFIG_DIR }, Step::Gone { path: STATE_DIR }, Step::NoUser];

/// Kept by an uninstallation without `--purge`.
pub(super) const KEPT: [&str; 3] = [CONFIG_DIR, STATE_DIR, KEYS];

const fn unit(path: &'static str, content: &'static str) -> Step {
    Step::File { path, mode: 0o644, content, existing: Existing::Aside }
}

impl Step {
    /// What it comes to, in words that go on from "to do: ".
    pub(super) fn words(&self) -> String {
        match self {
            Step::User => format!("make the system user {SERVICE_USER}"),
            Step::Folder { path, mode, owner } => {
                let whose = if *owner == Owner::Service { SERVICE_USER } else { "root" };
                format!("make the folder {path} ({mode:04o}, {whose})")
            }
            Step::File { path, mode, .. } => format!("write {path} ({mode:04o})"),
            Step::Release => format!("copy this program's release below {ROOT}"),
            Step::Link { path, to } => format!("link {path} to {to}"),
            Step::Systemctl { args } => format!("systemctl {}", args.join(" ")),
            Step::Gone { path } => format!("remove {path}"),
            Step::GoneBut { path, kept } => format!("remove {path}, and leave {path}/{kept}"),
            Step::NoUser => format!("remove the system user {SERVICE_USER}"),
        }
    }
}
