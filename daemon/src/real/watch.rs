//! Waits for processes to end and for progress to be made, without polling.

use super::folder::PROGRESS;
use super::logfile;
use super::process::Pin;
use rustix::fs::inotify;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

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

/// Buries the process if it is a dead child of ours. False only for a living child.
pub(super) fn reap(pidfd: BorrowedFd<'_>) -> bool {
    // An error means that it is none of ours, or that it was buried before.
    !matches!(waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED | WaitIdOptions::NOHANG), Ok(None))
}

/// Tells of changes to progress files. One inotify instance for all attempts: closing an instance waits for a grace period
/// of the kernel (measured: 9 ms), and a user may have 128 of them; ending a single watch does neither.
#[derive(Default)]
pub(super) struct ProgressWatch {
    inotify: OnceCell<Option<AsyncFd<OwnedFd>>>,
    watched: RefCell<BTreeMap<i32, Rc<Notify>>>,
}

/// The watch on one attempt's file, until it is dropped. There should be one per attempt at a time.
pub(super) struct Watched<'a> {
    all: &'a ProgressWatch,
    inotify: &'a AsyncFd<OwnedFd>,
    number: i32,
    changed: Rc<Notify>,
}

impl ProgressWatch {
    /// None where it can't be watched (the file is gone, the user's inotify limit is used up): the end is what matters.
    pub(super) fn watch(&self, folder: &Path) -> Option<Watched<'_>> {
        let make = || inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok();
        let inotify = self.inotify.get_or_init(|| make().and_then(|fd| readable(fd).ok())).as_ref()?;
        let number = inotify::add_watch(inotify.get_ref(), folder.join(PROGRESS), inotify::WatchFlags::MODIFY).ok()?;
        let changed = Rc::new(Notify::new());
        self.watched.borrow_mut().insert(number, Rc::clone(&changed));
        Some(Watched { all: self, inotify, number, changed })
    }

    /// Passes on what has arrived, to whomever it concerns.
    fn pass_on(&self, inotify: &OwnedFd) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(inotify, &mut buffer);
        while let Ok(event) = events.next() {
            if event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW) {
                self.watched.borrow().values().for_each(|w| w.notify_one());
            } else if let Some(watched) = self.watched.borrow().get(&event.wd()) {
                watched.notify_one();
            }
        }
    }
}

impl Watched<'_> {
    /// Completes when the file was written since the last call.
    pub(super) async fn changed(&self) {
        loop {
            // Whoever wakes first reads the events of all.
            tokio::select! { biased;
                () = self.changed.notified() => return,
                ready = self.inotify.readable() => {
                    let Ok(mut guard) = ready else { return std::future::pending().await };
                    self.all.pass_on(self.inotify.get_ref());
                    guard.clear_ready();
                }
            }
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let mut watched = self.all.watched.borrow_mut();
        if watched.get(&self.number).is_some_and(|w| Rc::ptr_eq(w, &self.changed)) {
            watched.remove(&self.number);
            let _ = inotify::remove_watch(self.inotify.get_ref(), self.number);
        }
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
    // A line whose beginning is not there says nothing, and may begin in the middle of a secret.
    let cut = length > TAIL_BYTES as u64;
    let first = if cut { tail.iter().position(|b| *b == b'\n')? + 1 } else { 0 };
    let after = (tail.len() - complete) as u64;
    let text = tail.get(first..complete)?.rsplit(|b| *b == b'\n').map(clean).find(|line| !line.is_empty())?;
    Some(Line { end: length.saturating_sub(after), text })
}

fn clean(line: &[u8]) -> String {
    let line: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).collect();
    line.trim().to_owned()
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
        assert_eq!(read(&format!("one\n{}\n", "x".repeat(TAIL_BYTES))), None, "its beginning is not there");
    }
}
