//! Shims that the service manager starts: so that a task is not closed in as the daemon is, nor ended with it.
//!
//! The daemon connects to a socket of which systemd gives each connection to a new `mainstay-shim from-socket`, as its standard
//! input (`Accept=yes`, `StandardInput=socket`). What else would be arguments and environment is sent first; then that process
//! becomes the very shim that the daemon starts elsewhere, and what is said on the stream is the same.

use super::cgroup;
use super::folder::SHIM_LOG;
use super::shim::{ARGUMENT, VERSION};
use crate::policy;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment variable of the daemon that names the socket. Its unit sets it, together with the units behind the socket.
pub(crate) const VARIABLE: &str = "MAINSTAY_LAUNCHER";
/// First argument of the shim that is started for a connection.
pub(super) const ARGUMENT_FROM_SOCKET: &str = "from-socket";
/// Ends each word; an empty word ends all of them.
const END: u8 = 0;

/// What to start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// The attempt's folder.
    pub(super) folder: PathBuf,
    /// The name of its cgroup, if it is to have one.
    pub(super) cgroup: Option<OsString>,
    /// All of its environment.
    pub(super) environment: Vec<(OsString, OsString)>,
}

impl Order {
    /// Has it started by whoever listens.
    pub(super) fn send(&self, socket: &Path) -> io::Result<UnixStream> {
        let named = |error: io::Error| {
            let text = format!(
                "nobody starts it at {}: {error}; see systemctl status mainstay-launch.socket",
                socket.display()
            );
            io::Error::new(error.kind(), text)
        };
        let mut stream = UnixStream::connect(socket).map_err(named)?;
        // It fits into what the kernel keeps for the other end, unless an environment is huge and nobody reads.
        stream.set_write_timeout(Some(policy::LAUNCH_READ_WITHIN))?;
        stream.write_all(&self.bytes()?)?;
        Ok(stream)
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut words = vec![VERSION.as_bytes().to_vec(), self.folder.as_os_str().as_bytes().to_vec()];
        // An empty word would be the end.
        words.push([b"=".as_slice(), self.cgroup.as_deref().unwrap_or_default().as_bytes()].concat());
        for (name, value) in &self.environment {
            words.push([name.as_bytes(), b"=", value.as_bytes()].concat());
        }
        if words.iter().any(|word| word.is_empty() || word.contains(&END)) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a NUL byte in a path or variable"));
        }
        words.push(Vec::new());
        Ok(words.into_iter().flat_map(|word| word.into_iter().chain([END])).collect())
    }

    /// Reads it, and nothing of what follows it.
    fn read(mut stream: impl Read) -> io::Result<Order> {
        let invalid = |why: &str| io::Error::new(ErrorKind::InvalidData, why.to_owned());
        let (mut words, mut word, mut byte) = (Vec::new(), Vec::new(), [0]);
        for _ in 0..policy::LAUNCH_BYTES_MAX {
            stream.read_exact(&mut byte)?;
            match byte[0] {
                END if word.is_empty() => return Order::of(words),
                END => words.push(std::mem::take(&mut word)),
                other => word.push(other),
            }
        }
        Err(invalid("it has no end"))
    }

    fn of(words: Vec<Vec<u8>>) -> io::Result<Order> {
        let invalid = |why: String| io::Error::new(ErrorKind::InvalidData, why);
        let mut words = words.into_iter();
        let version = words.next().unwrap_or_default();
        if version != VERSION.as_bytes() {
            let version = String::from_utf8_lossy(&version).into_owned();
            return Err(invalid(format!(
                "the daemon is of {version:?} and its shim of {VERSION:?}: restart the daemon"
            )));
        }
        let folder = PathBuf::from(OsString::from_vec(words.next().unwrap_or_default()));
        let mut pairs = words.map(|word| {
            let at =
                word.iter().position(|byte| *byte == b'=').ok_or_else(|| invalid("a variable without value".into()))?;
            Ok((OsString::from_vec(word[..at].to_vec()), OsString::from_vec(word[at + 1..].to_vec())))
        });
        let cgroup = pairs.next().transpose()?.map(|(_, name)| name).filter(|name| !name.is_empty());
        Ok(Order { folder, cgroup, environment: pairs.collect::<io::Result<_>>()? })
    }
}

/// All of the process that is started for a connection: it becomes the shim. Comes back only with what kept it from that.
pub(super) fn become_the_shim() -> io::Error {
    let become_it = || -> io::Result<std::convert::Infallible> {
        // Not by the standard library's, which would read more than there is to read, and keep it.
        let order = Order::read(File::from(io::stdin().as_fd().try_clone_to_owned()?))?;
        let log = OpenOptions::new().append(true).create(true).mode(0o600).open(order.folder.join(SHIM_LOG))?;
        // The service's own, which is delegated to us: the daemon's is none of ours.
        let cgroup = order.cgroup.as_deref().and_then(|name: &OsStr| Some(cgroup::find_base()?.join(name)));
        let mut shim = Command::new("/proc/self/exe");
        shim.arg0("mainstay-shim").arg(ARGUMENT).arg(&order.folder).args(cgroup);
        shim.env_clear().envs(order.environment).stdout(log.try_clone()?).stderr(Stdio::from(log));
        Err(shim.exec())
    };
    match become_it() {
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            folder: "/var/lib/mainstay/attempts/7-1".into(),
            cgroup: Some("0a-7-1".into()),
            environment: vec![("PATH".into(), "/bin".into()), ("EMPTY".into(), "".into()), ("EQ".into(), "a=b".into())],
        }
    }

    #[test]
    fn an_order_is_read_to_its_end_and_no_further() {
        for order in [order(), Order { cgroup: None, environment: Vec::new(), ..order() }] {
            let bytes = [order.bytes().expect("plain"), b"s".to_vec()].concat();
            let mut stream = bytes.as_slice();
            assert_eq!(Order::read(&mut stream).expect("whole"), order);
            assert_eq!(stream, b"s");
        }
    }

    #[test]
    fn what_is_cut_off_of_another_version_or_has_a_nul_is_refused() {
        let bytes = order().bytes().expect("plain");
        for cut in [0, 1, bytes.len() - 1] {
            assert!(Order::read(&bytes[..cut]).is_err(), "{cut}");
        }
        let other = String::from_utf8(bytes).expect("text").replacen(VERSION, "0.0.1 9", 1);
        let refused = Order::read(other.as_bytes()).expect_err("another version").to_string();
        assert!(refused.contains("restart the daemon"), "{refused}");
        let nul = Order { environment: vec![("A".into(), "b\0c".into())], ..order() };
        assert!(nul.bytes().is_err());
    }
}
