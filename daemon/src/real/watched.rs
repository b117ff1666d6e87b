//! A descriptor that the runtime watches for being readable.
//!
//! A wrapper because the runtime's own type lets its holder swap the descriptor while it is registered, for which it asks
//! an unsafe promise. Here nobody can, so the promise is kept by construction.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::io;
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// A descriptor, registered for its life.
pub(crate) struct Watched(AsyncFd<OwnedFd>);

impl Watched {
    /// Must be called inside a runtime.
    ///
    /// # Errors
    /// The descriptor is of a kind that can't be watched, or there is no memory for it.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Watched> {
        #[expect(unsafe_code, reason = "the promise is that the descriptor stays what it is, which this type ensures")]
        // SAFETY: an `OwnedFd` is open and ours until it is dropped; `AsyncFd` deregisters it first; nothing here or
        // above can reach it mutably, and its `AsFd` always gives the same descriptor.
        let watched = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        watched.map(Watched).map_err(io::Error::from)
    }

    /// Readable since it was last cleared?
    pub(crate) fn poll_readable<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, OwnedFd>>> {
        self.0.poll_read_ready(cx)
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
