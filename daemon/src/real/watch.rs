//! Waits for processes to end and for progress to be made, without polling.

use super::folder::PROGRESS;
use super::logfile;
use super::process::Pin;
use rustix::fs::inotify;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Bytes of a progress line that are shown.
const LINE_BYTES: usize = 500;
/// Bytes at the end of the progress file in which the last line is looked for.
const TAIL_BYTES: usize = 16_384;

/// The end of a process.
pub(super) struct Ending(AsyncFd<OwnedFd>);

impl Ending {
    pub(super) fn of(pin: Pin) -> io::Result<Ending> {
        Ending::of_fd(pin.into_fd())
    }

    /// From a pidfd.
    pub(super) fn of_fd(pidfd: OwnedFd) -> io::Result<Ending> {
        Ok(Ending(readable(pidfd)?))
    }

    /// Completes when the process has ended, and buries it if it was our child.
    pub(super) async fn wait(&self) {
        // An error could only mean that the runtime is shutting down.
        let _ = self.0.readable().await;
        reap(self.0.get_ref().as_fd());
    }
}

/// A descriptor that this runtime tells us about.
#[expect(
    deprecated,
    reason = "its replacement is unsafe, for the sake of types that close their descriptor early; ours owns it"
)]
fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// Buries the process if it is a dead child of ours; else nothing.
pub(super) fn reap(pidfd: BorrowedFd<'_>) -> bool {
    matches!(waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED | WaitIdOptions::NOHANG), Ok(Some(_)))
}

/// Changes of an attempt's progress file.
pub(super) struct Progress(AsyncFd<OwnedFd>);

impl Progress {
    /// None where it can't be watched (the file is gone, the user's inotify limit is used up): the end is what matters.
    pub(super) fn watch(folder: &Path) -> Option<Progress> {
        let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok()?;
        inotify::add_watch(&fd, folder.join(PROGRESS), inotify::WatchFlags::MODIFY).ok()?;
        readable(fd).ok().map(Progress)
    }

    /// Completes when the file was written since the last call.
    pub(super) async fn changed(&self) {
        let Ok(mut guard) = self.0.readable().await else { return std::future::pending().await };
        // What exactly happened does not matter: the file is read next.
        let mut buffer = [0u8; 4096];
        while rustix::io::read(self.0.get_ref(), &mut buffer).is_ok_and(|n| n > 0) {}
        guard.clear_ready();
    }
}

/// A line of progress, and where in the file it ended: the same text again is news if the file has grown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    end: u64,
    pub(super) text: String,
}

/// The newest complete line, if there is one that says anything.
pub(super) fn last_line(folder: &Path) -> Option<Line> {
    let path = folder.join(PROGRESS);
    let length = std::fs::metadata(&path).ok()?.len();
    let tail = logfile::last_bytes(&path, TAIL_BYTES).ok()?;
    let complete = tail.iter().rposition(|b| *b == b'\n')?;
    let after = (tail.len() - complete) as u64;
    let text = tail[..complete].rsplit(|b| *b == b'\n').map(clean).find(|line| !line.is_empty())?;
    Some(Line { end: length.saturating_sub(after), text })
}

fn clean(line: &[u8]) -> String {
    let line: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).collect();
    let mut end = LINE_BYTES.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_complete_line_counts() {
        let folder = tempfile::tempdir().expect("folder");
        let read = |content: &str| {
            std::fs::write(folder.path().join(PROGRESS), content).expect("write");
            last_line(folder.path()).map(|l| l.text)
        };
        assert_eq!(read(""), None);
        assert_eq!(read("half"), None);
        assert_eq!(read("one\ntwo\nhalf"), Some("two".to_owned()));
        assert_eq!(read("one\n\n \u{7}\n"), Some("one".to_owned()));
        assert_eq!(read("a\u{1b}[31mb\n"), Some("a[31mb".to_owned()));
        assert_eq!(read(&format!("x{}\n", "ä".repeat(400))).map(|l| l.len()), Some(499));
    }
}
