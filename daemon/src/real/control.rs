//! The machine's side of the daemon: the local socket, signals, the service manager.
//!
//! One JSON object a line in each direction: `{"v":1,"key":"...","argv":["newtask","build","..."]}` is answered by an
//! [`Answer`]. A connection may carry many requests, also before the first is answered; answers come in their order.
//!
//! The socket has an epoll of its own, of which the runtime sees one descriptor. So `ready` can ask the kernel what has
//! come in since, without going through the runtime, which is what makes many requests share one commit; an idle
//! connection costs nothing; and nothing is lost when a `next` is dropped, because all state is here.

mod connection;
mod service;

pub(crate) use connection::PROTOCOL_VERSION;

use super::clock::boot_ms;
use super::watched::Watched;
use super::{ATTEMPTS_NAME, process};
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use crate::ports::{Answer, Control, ControlInput, LocalFuture, LocalRequest, Notice};
use connection::{Connection, Wrote, encode, encode_into, parts, refusal};
use rustix::event::{Timespec, epoll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use service::ServiceManager;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The socket's name in the state directory.
pub const SOCKET_NAME: &str = "mainstay.sock";

/// Bytes read from a client at once.
const READ_BYTES: usize = 64 * 1024;
/// The listener's mark among epoll's events; clients have their serial, which is never 0.
const LISTENER: u64 = 0;
const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The production [`Control`]. Must be made and used inside a tokio runtime.
pub struct LocalControl {
    epoll: Watched,
    state: RefCell<State>,
    service: ServiceManager,
    path: PathBuf,
    /// Which file the socket is: device and number.
    file: (u64, u64),
}

struct State {
    terminate: [Signal; 2],
    listener: OwnedFd,
    /// Held so that one descriptor can be given up to turn a client away when there is none left.
    reserve: Option<OwnedFd>,
    connections: BTreeMap<u32, Connection>,
    /// The serial of the newest connection.
    newest: u32,
    /// Counts what goes in and out, to tell who has been idle longest.
    steps: u64,
    /// Connections to look at, by serial.
    work: VecDeque<u32>,
    requests: VecDeque<LocalRequest>,
    /// Bytes held by all connections.
    held: usize,
    events: Vec<epoll::Event>,
    read_buffer: Vec<u8>,
    write_buffer: Vec<u8>,
    /// Who waits in `next`, should an answer make room for more requests.
    waiting: Option<Waker>,
    own_uid: u32,
    /// How long a client may be half-way, in ms.
    halfway_ms: i64,
    /// The folders of attempts, by which shims are known.
    attempts: PathBuf,
}

impl LocalControl {
    /// Listens in `state_dir`, for its owner and root only. The caller holds the lock of the state directory: a socket
    /// that is already there belongs to nobody.
    ///
    /// # Errors
    /// [`ExitCode::ConfigInvalid`] when the path is too long, [`ExitCode::StateDirUnusable`] when it can't be made.
    pub fn listen(state_dir: &Path) -> Result<LocalControl, Fatal> {
        LocalControl::listen_for(state_dir, ServiceManager::from_env())
    }

    fn listen_for(state_dir: &Path, service: ServiceManager) -> Result<LocalControl, Fatal> {
        let path = state_dir.join(SOCKET_NAME);
        check_path(&path)?;
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Fatal::new(ExitCode::StateDirUnusable, format!("can't {what} {}: {error}", path.display()))
        };
        let listener = bind(state_dir, &path).map_err(|e| failed("listen on", &e))?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| failed("watch", &e))?;
        // Level-triggered: clients beyond policy::LOCAL_ACCEPTS_AT_ONCE_MAX are offered again.
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)
            .map_err(|e| failed("watch", &e))?;
        let on = |kind| signal(kind).map_err(|e| failed("handle signals beside", &e));
        let state = State {
            terminate: [on(SignalKind::terminate())?, on(SignalKind::interrupt())?],
            listener,
            reserve: reserve(),
            connections: BTreeMap::new(),
            newest: 0,
            steps: 0,
            work: VecDeque::new(),
            requests: VecDeque::new(),
            held: 0,
            events: Vec::with_capacity(policy::LOCAL_CONNECTIONS_MAX + 1),
            read_buffer: vec![0; READ_BYTES],
            write_buffer: Vec::new(),
            waiting: None,
            own_uid: rustix::process::geteuid().as_raw(),
            halfway_ms: policy::LOCAL_HALFWAY_MS,
            attempts: path.with_file_name(ATTEMPTS_NAME),
        };
        let epoll = Watched::new(epoll).map_err(|e| failed("watch", &e))?;
        let file = identity(&path).map_err(|e| failed("look at", &e))?;
        Ok(LocalControl { epoll, state: RefCell::new(state), service, path, file })
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<ControlInput> {
        // Under load there is always a request: without this the runtime would never get to see timers and signals.
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let mut state = self.state.borrow_mut();
        if state.terminate.iter_mut().any(|signal| signal.poll_recv(cx).is_ready()) {
            coop.made_progress();
            return Poll::Ready(ControlInput::Terminate);
        }
        for _ in 0..policy::LOCAL_HARVESTS_MAX {
            let busy = state.harvest(self.epoll.as_fd());
            if let Some(request) = state.requests.pop_front() {
                coop.made_progress();
                return Poll::Ready(ControlInput::Request(request));
            }
            if busy {
                continue;
            }
            // Cleared before the kernel is asked again: what comes in between shows up anew.
            match self.epoll.poll_readable(cx) {
                Poll::Ready(Ok(mut guard)) => guard.clear_ready(),
                // The runtime is going away; so are we.
                Poll::Ready(Err(_)) => return Poll::Pending,
                Poll::Pending => {
                    state.waiting = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        // Clients keep us busy without asking for anything: let others have their turn.
        coop.made_progress();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Control for LocalControl {
    fn next(&self) -> LocalFuture<'_, ControlInput> {
        Box::pin(std::future::poll_fn(|cx| self.poll_next(cx)))
    }

    fn ready(&self) -> Vec<ControlInput> {
        let mut state = self.state.borrow_mut();
        state.harvest(self.epoll.as_fd());
        // One less than a turn's worth: the turn has begun with what `next` gave.
        let count = state.requests.len().min(policy::TURN_INPUTS_MAX - 1);
        state.requests.drain(..count).map(ControlInput::Request).collect()
    }

    fn answer(&self, connection: u64, answer: Answer) {
        self.state.borrow_mut().answer(self.epoll.as_fd(), connection, &answer);
    }

    fn notify(&self, notice: Notice) {
        self.service.notify(notice);
    }

    /// Half the time after which the service manager would lose patience.
    fn watchdog(&self) -> Option<Duration> {
        self.service.watchdog()
    }
}

impl Drop for LocalControl {
    fn drop(&mut self) {
        // A client then reads "not running" off the missing file. Left behind it would only be refused. If another daemon
        // took over, the name is its own by now.
        if identity(&self.path).is_ok_and(|found| found == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl State {
    /// Takes what the kernel has for us, up to about one turn's worth. False when there was nothing to do: then, and only
    /// then, the kernel will tell of what comes next.
    fn harvest(&mut self, epoll: BorrowedFd<'_>) -> bool {
        if self.requests.len() >= policy::TURN_INPUTS_MAX {
            return true;
        }
        let mut busy = self.collect(epoll);
        // Once around, one buffer each: a client that never stops writing takes nothing from the others.
        for _ in 0..self.work.len() {
            if self.requests.len() >= policy::TURN_INPUTS_MAX {
                break;
            }
            let Some(serial) = self.work.pop_front() else { break };
            self.serve(epoll, serial);
            busy = true;
        }
        busy
    }

    fn collect(&mut self, epoll: BorrowedFd<'_>) -> bool {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match epoll::wait(epoll, rustix::buffer::spare_capacity(&mut events), Some(&NO_WAIT)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("our own epoll failed: {error}"),
        }
        for event in &events {
            let (flags, data) = (event.flags, event.data.u64());
            if data == LISTENER {
                self.accept(epoll);
            } else if let Ok(serial) = u32::try_from(data) {
                self.note(epoll, serial, flags);
            }
        }
        let busy = !events.is_empty();
        self.events = events;
        busy
    }

    fn note(&mut self, epoll: BorrowedFd<'_>, serial: u32, flags: epoll::EventFlags) {
        let Some(connection) = self.connections.get_mut(&serial) else { return };
        let gone = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        connection.hung_up |= flags.intersects(gone);
        connection.readable |= flags.intersects(gone | epoll::EventFlags::IN);
        // Also when the peer is gone: writing tells, and ends a connection that waits for it to read.
        if flags.intersects(epoll::EventFlags::OUT | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
            let before = connection.held();
            let wrote = connection.flush();
            let _ = self.after_write(epoll, serial, before, wrote);
        }
        self.list(serial);
    }

    fn list(&mut self, serial: u32) {
        if let Some(connection) = self.connections.get_mut(&serial)
            && !connection.listed
            && connection.has_work()
        {
            connection.listed = true;
            self.work.push_back(serial);
        }
    }

    fn serve(&mut self, epoll: BorrowedFd<'_>, serial: u32) {
        let Some(connection) = self.connections.get_mut(&serial) else { return };
        connection.listed = false;
        self.steps += 1;
        connection.used = self.steps;
        let (before, asked) = (connection.held(), self.requests.len());
        connection.advance(serial, &mut self.read_buffer, &mut self.requests);
        if self.held - before + connection.held() > policy::LOCAL_BUFFERED_BYTES_MAX {
            connection.shed();
        }
        // Refusals were written on the way: whether the kernel took them shows here.
        let wrote = connection.flush();
        connection.note_halfway(boot_ms(), self.requests.len() > asked);
        if self.after_write(epoll, serial, before, wrote) {
            self.list(serial);
        }
    }

    /// Keeps the books after reading or writing; false when the connection is no more.
    fn after_write(&mut self, epoll: BorrowedFd<'_>, serial: u32, before: usize, wrote: Wrote) -> bool {
        let Some(connection) = self.connections.get_mut(&serial) else { return false };
        self.held = self.held - before + connection.held();
        let too_much = self.held > policy::LOCAL_BUFFERED_BYTES_MAX;
        if wrote == Wrote::Gone || connection.is_over() || (too_much && wrote == Wrote::Blocked) {
            if let Some(connection) = self.connections.remove(&serial) {
                self.held -= connection.held();
            }
            return false;
        }
        // Told about writability only while that matters: else every answer fetched would be an event.
        let watches_output = wrote == Wrote::Blocked;
        if connection.watches_output != watches_output {
            connection.watches_output = watches_output;
            let data = epoll::EventData::new_u64(u64::from(serial));
            if epoll::modify(epoll, &connection.fd, data, interest(watches_output)).is_err() {
                connection.hung_up = true;
            }
        }
        true
    }

    fn answer(&mut self, epoll: BorrowedFd<'_>, address: u64, answer: &Answer) {
        let (serial, number) = parts(address);
        let Some(connection) = self.connections.get_mut(&serial) else { return };
        self.write_buffer.clear();
        encode_into(&mut self.write_buffer, answer);
        self.steps += 1;
        connection.used = self.steps;
        let before = connection.held();
        let wrote = connection.answer(number, &self.write_buffer);
        connection.note_halfway(boot_ms(), true);
        if self.after_write(epoll, serial, before, wrote) {
            self.list(serial);
        }
        if !self.work.is_empty()
            && let Some(waker) = self.waiting.take()
        {
            waker.wake();
        }
    }

    fn accept(&mut self, epoll: BorrowedFd<'_>) {
        for _ in 0..policy::LOCAL_ACCEPTS_AT_ONCE_MAX {
            match rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(fd) => self.admit(epoll, fd),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => {
                    tracing::warn!(%error, "a local client can't be accepted");
                    // Left in the queue it would wake us for ever: take it with the reserve, and turn it away.
                    self.reserve = None;
                    let _ = rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC);
                    self.reserve = reserve();
                    return;
                }
            }
        }
    }

    fn admit(&mut self, epoll: BorrowedFd<'_>, fd: OwnedFd) {
        let (uid, pid) = match rustix::net::sockopt::socket_peercred(&fd) {
            Ok(peer) => (peer.uid.as_raw(), peer.pid.as_raw_pid().cast_unsigned()),
            Err(_) => return,
        };
        if uid != self.own_uid && uid != 0 {
            tracing::warn!(uid, "a local client of another user was turned away");
            return turn_away(&fd, "not_permitted", &format!("user {uid} may not talk to this daemon"));
        }
        if self.connections.len() >= policy::LOCAL_CONNECTIONS_MAX && !self.make_room() {
            let text = format!("{} clients are connected, which is the limit; try again", self.connections.len());
            return turn_away(&fd, "busy", &text);
        }
        loop {
            self.newest = self.newest.wrapping_add(1).max(1);
            if !self.connections.contains_key(&self.newest) {
                break;
            }
        }
        let data = epoll::EventData::new_u64(u64::from(self.newest));
        if let Err(error) = epoll::add(epoll, &fd, data, interest(false)) {
            tracing::warn!(%error, "a local client can't be watched");
            return turn_away(&fd, "busy", "the daemon can't take more clients; try again");
        }
        let from_task = process::is_below_shim(pid, &self.attempts);
        self.connections.insert(self.newest, Connection::new(fd, uid, from_task));
        self.list(self.newest);
    }

    /// Ends the connection that has been idle longest, if one is, else the one whose client has been half-way for longest, if
    /// that is too long: clients that only hold on keep nobody out. Who still wants something connects again.
    fn make_room(&mut self) -> bool {
        let idle = self.connections.iter().filter(|(_, connection)| connection.is_idle());
        let mut idle: Vec<(u64, u32)> = idle.map(|(serial, connection)| (connection.used, *serial)).collect();
        idle.sort_unstable();
        let longest = idle.into_iter().map(|(_, serial)| serial).find(|serial| !self.connections[serial].has_news());
        let Some(serial) = longest.or_else(|| self.too_slow()) else { return false };
        if let Some(connection) = self.connections.remove(&serial) {
            self.held -= connection.held();
        }
        true
    }

    fn too_slow(&self) -> Option<u32> {
        let waited_for = self.connections.iter().filter_map(|(serial, c)| Some((c.waited_for_since()?, *serial)));
        let (since, serial) = waited_for.min()?;
        (boot_ms() - since >= self.halfway_ms).then_some(serial)
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

fn interest(output: bool) -> epoll::EventFlags {
    let input = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
    if output { input | epoll::EventFlags::OUT } else { input }
}

fn turn_away(fd: &OwnedFd, error: &str, text: &str) {
    let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
    let _ = rustix::net::send(fd, &encode(&refusal(error, text)), flags);
}

fn reserve() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}

/// Whether a socket can have this path.
///
/// # Errors
/// [`ExitCode::ConfigInvalid`]: it is too long for the kernel.
pub fn check_path(path: &Path) -> Result<(), Fatal> {
    let length = path.as_os_str().len();
    let most = policy::LOCAL_SOCKET_PATH_BYTES_MAX;
    if length <= most {
        return Ok(());
    }
    let text = format!(
        "the socket's path has {length} bytes, and the system allows {most}: choose a shorter state_dir ({})",
        path.display()
    );
    Err(Fatal::new(ExitCode::ConfigInvalid, text))
}

/// The socket appears under its name only when it has its mode and listens; whatever had the name before is replaced.
fn bind(state_dir: &Path, path: &Path) -> std::io::Result<OwnedFd> {
    let fresh = state_dir.join(".mainstay.new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(listener.as_fd(), &SocketAddrUnix::new(&fresh)?)?;
    rustix::fs::chmod(&fresh, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    rustix::net::listen(&listener, 512)?;
    std::fs::rename(&fresh, path)?;
    Ok(listener)
}

#[cfg(test)]
mod tests;
