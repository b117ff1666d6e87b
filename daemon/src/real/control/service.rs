//! A word to the service manager: systemd's notification protocol, one datagram a word.
//!
//! Written out because it is a few lines; without `$NOTIFY_SOCKET` nothing happens.

use crate::policy;
use crate::ports::Notice;
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// The service manager, where there is one.
pub(crate) struct ServiceManager {
    to: Option<(OwnedFd, SocketAddrUnix)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// As the environment names it.
    pub(crate) fn from_env() -> ServiceManager {
        let var = |name| std::env::var_os(name);
        // Set for our process, not for one that we would start: then the pid is another.
        let ours = var("WATCHDOG_PID").is_none_or(|pid| pid.to_str() == Some(&std::process::id().to_string()));
        let usec = var("WATCHDOG_USEC").filter(|_| ours).and_then(|v| v.to_str()?.parse().ok());
        ServiceManager::new(var("NOTIFY_SOCKET").as_deref(), usec)
    }

    /// `socket` is a path, or `@name` for an abstract one; `watchdog_usec` as systemd gives it.
    pub(crate) fn new(socket: Option<&OsStr>, watchdog_usec: Option<u64>) -> ServiceManager {
        let to = socket.and_then(|name| match connect(name.as_bytes()) {
            Ok(to) => Some(to),
            Err(error) => {
                tracing::warn!(%error, "the service manager's socket can't be used");
                None
            }
        });
        // Half, as sd_watchdog_enabled(3) recommends: one late word must not be our end.
        let watchdog = watchdog_usec.filter(|usec| *usec > 0).map(|usec| Duration::from_micros(usec / 2));
        if watchdog.is_some_and(|half| half < policy::WATCHDOG_MIN / 2) {
            let least = policy::WATCHDOG_MIN.as_secs();
            tracing::warn!("WatchdogSec of the unit is shorter than {least} s: a slow disk would be the daemon's end");
        }
        ServiceManager { watchdog: watchdog.filter(|_| to.is_some()), to }
    }

    /// Half the service manager's limit.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Says it. A service manager that does not listen is no error: it has its own means.
    pub(crate) fn notify(&self, notice: Notice) {
        let Some((socket, address)) = &self.to else { return };
        let word = match notice {
            Notice::Ready => "READY=1\n",
            Notice::Alive => "WATCHDOG=1\n",
            Notice::Stopping => "STOPPING=1\n",
        };
        if let Err(error) = sendto(socket, word.as_bytes(), SendFlags::NOSIGNAL, address) {
            tracing::debug!(%error, ?notice, "the service manager was not told");
        }
    }
}

fn connect(name: &[u8]) -> rustix::io::Result<(OwnedFd, SocketAddrUnix)> {
    let address = match name {
        [b'@', rest @ ..] => SocketAddrUnix::new_abstract_name(rest)?,
        path => SocketAddrUnix::new(path)?,
    };
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let n = socket.recv(&mut buffer).expect("receive");
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    }

    #[test]
    fn words_reach_a_socket_by_path_and_by_abstract_name() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("notify");
        let by_path = UnixDatagram::bind(&path).expect("bind");
        let name = format!("mainstay-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("name");
        let by_name = UnixDatagram::bind_addr(&address).expect("bind");

        for (socket, to) in [(&by_path, path.into_os_string()), (&by_name, format!("@{name}").into())] {
            let manager = ServiceManager::new(Some(&to), Some(30_000_000));
            assert_eq!(manager.watchdog(), Some(Duration::from_secs(15)));
            for (notice, word) in
                [(Notice::Ready, "READY=1\n"), (Notice::Alive, "WATCHDOG=1\n"), (Notice::Stopping, "STOPPING=1\n")]
            {
                manager.notify(notice);
                assert_eq!(heard(socket), word);
            }
        }
    }

    #[test]
    fn without_a_service_manager_or_with_a_dead_one_nothing_happens() {
        let manager = ServiceManager::new(None, Some(30_000_000));
        assert_eq!(manager.watchdog(), None);
        manager.notify(Notice::Ready);
        let manager = ServiceManager::new(Some(OsStr::new("/nowhere/notify")), None);
        manager.notify(Notice::Ready);
    }
}
