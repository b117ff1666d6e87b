//! The bytes between machine and Telegram, counted and digested at both ends as they come and go.

use crate::digest::Digest;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What has passed so far. Clones are the same wire.
#[derive(Clone, Default)]
pub struct Wire(Rc<RefCell<Passed>>);

/// Counts and digest of a wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Bytes that an end handed to the network.
    pub sent: u64,
    /// Bytes that arrived at an end.
    pub arrived: u64,
    /// Over all of them, with when and at which end.
    pub digest: Digest,
}

/// Who holds an end of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The daemon's host.
    Machine,
    /// The host of the Bot API server.
    Telegram,
}

impl Wire {
    /// What has passed.
    pub fn passed(&self) -> Passed {
        *self.0.borrow()
    }

    /// A stream of this end, from now on watched.
    pub fn watch<S>(&self, end: End, stream: S) -> Watched<S> {
        Watched { stream, end, wire: self.clone() }
    }

    fn note(&self, end: End, arrived: bool, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut passed = self.0.borrow_mut();
        *(if arrived { &mut passed.arrived } else { &mut passed.sent }) += bytes.len() as u64;
        let elapsed = turmoil::sim_elapsed().unwrap_or_default().as_micros();
        passed.digest.add(u64::try_from(elapsed).unwrap_or(u64::MAX));
        passed.digest.add(u64::from(end == End::Machine) * 2 + u64::from(arrived));
        passed.digest.add_bytes(bytes);
    }
}

/// A stream whose bytes are noted.
pub struct Watched<S> {
    stream: S,
    end: End,
    wire: Wire,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.wire.note(self.end, true, &buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.wire.note(self.end, false, &bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
