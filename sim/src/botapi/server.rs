//! The server on a loopback port, on a thread of its own, so that blocking tests and async ones can use it alike.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::sync::{MutexGuard, mpsc as blocking};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::http::{Clock, Ended, Shared, serve_connection};
use super::people::People;
use super::world::World;

/// A Bot API server on a loopback port. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Shared,
    clock: Clock,
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// A server's world, locked. Polls that wait look again when it is given back.
#[derive(Debug)]
pub struct Guard<'a> {
    server: &'a Server,
    world: Option<MutexGuard<'a, World>>,
}

/// What the server's thread is told, each with where to say that it is done.
enum Order {
    Down(blocking::Sender<io::Result<()>>),
    Up(blocking::Sender<io::Result<()>>),
    Stop,
}

impl Server {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// If there is no thread or no port to be had.
    pub fn start(world: World) -> io::Result<Self> {
        Self::start_at(world, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Clock::system())
    }

    /// Starts a server at an address, with a clock of one's own; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address can't be had.
    pub fn start_at(world: World, address: SocketAddr, clock: Clock) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Shared::new(world);
        let (orders, inbox) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (theirs, their_clock) = (shared.clone(), clock.clone());
        let thread = std::thread::Builder::new().name("botapi".to_owned()).spawn(move || {
            runtime.block_on(async {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    run(address, listener, inbox, theirs, their_clock).await;
                }
            });
        })?;
        Ok(Self { address, shared, clock, orders, thread: Some(thread) })
    }

    /// Where it listens, as the base of the API's addresses: `http://127.0.0.1:4711`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its world, locked until the guard is dropped.
    #[must_use]
    pub fn world(&self) -> Guard<'_> {
        Guard { server: self, world: Some(self.shared.lock()) }
    }

    /// Does something as its people, now.
    pub fn people<T>(&self, act: impl FnOnce(&mut People<'_>) -> T) -> T {
        let now = self.clock.now();
        self.shared.change(|world| act(&mut world.people(now)))
    }

    /// The world as connections share it, for threads that wait for changes.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Refuses connections and cuts those that are open. What the world knows, it keeps.
    ///
    /// # Errors
    /// If the server's thread has ended.
    pub fn down(&self) -> io::Result<()> {
        self.order(Order::Down)
    }

    /// Takes connections again, on the same port.
    ///
    /// # Errors
    /// If somebody else has taken the port meanwhile.
    pub fn up(&self) -> io::Result<()> {
        self.order(Order::Up)
    }

    fn order(&self, order: impl FnOnce(blocking::Sender<io::Result<()>>) -> Order) -> io::Result<()> {
        let (done, answer) = blocking::channel();
        let gone = |_| io::Error::other("the server's thread has ended");
        self.orders.send(order(done)).map_err(|error| io::Error::other(error.to_string()))?;
        answer.recv().map_err(gone)?
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Down(_) => "go down",
            Self::Up(_) => "come up",
            Self::Stop => "stop",
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.end();
        // If this fails the thread has ended already, which is what is wanted.
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Deref for Guard<'_> {
    type Target = World;

    fn deref(&self) -> &World {
        self.world.as_ref().expect("the lock is given back only when the guard is dropped")
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut World {
        self.world.as_mut().expect("the lock is given back only when the guard is dropped")
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        drop(self.world.take());
        self.server.shared.wake();
    }
}

/// Takes connections and orders until it is told to stop.
async fn run(
    address: SocketAddr,
    listener: TcpListener,
    mut orders: mpsc::UnboundedReceiver<Order>,
    shared: Shared,
    clock: Clock,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::Down(done)) => {
                    listener = None;
                    connections.shutdown().await;
                    let _ = done.send(Ok(()));
                }
                Some(Order::Up(done)) => {
                    let bound = TcpListener::bind(address).await;
                    let _ = done.send(bound.map(|bound| listener = Some(bound)));
                }
                Some(Order::Stop) | None => break,
            },
            Some(_) = connections.join_next() => (),
            stream = accept(listener.as_ref()) => {
                connections.spawn(serve(stream, shared.clone(), clock.clone()));
            }
        }
    }
}

/// The next connection; never one while there is no listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        match listener {
            None => std::future::pending().await,
            Some(listener) => match listener.accept().await {
                Ok((stream, _)) => return stream,
                // The client was gone before it was taken, or there are too many open files: others may still come.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    }
}

async fn serve(stream: TcpStream, shared: Shared, clock: Clock) {
    // Answers are small and whole: waiting to join them with more only adds time. It works without, too.
    let _ = stream.set_nodelay(true);
    match serve_connection(stream, &shared, &clock).await {
        Ended::Closed => (),
        // With no time to linger, closing sends a reset instead of a farewell.
        Ended::Reset(stream) => drop(stream.set_zero_linger()),
    }
}
