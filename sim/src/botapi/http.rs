//! The mount: the server on a connection, whatever that is made of, with hyper's HTTP/1.
//!
//! It decides nothing. It reads a request, asks [`handle`], and does what the verdict says.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use super::form::Form;
use super::ids::Millis;
use super::request::{Answer, Refusal, Request, Ticket, Verdict};
use super::serve::{abandon, handle, resume};
use super::world::World;

/// A request may be so large: the largest document and what goes with it.
const LARGEST_REQUEST: usize = 60 * 1024 * 1024;

/// A world that several connections and threads share.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    /// Wakes long polls.
    changed: Notify,
    /// Counts changes, for threads that wait for one; and whether there will be any more.
    changes: Mutex<(u64, bool)>,
    changed_for_threads: Condvar,
}

/// The time that requests are served at. Waiting itself is tokio's, so that a paused or simulated runtime works.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

/// How a connection ended.
#[derive(Debug)]
pub enum Ended<Io> {
    /// As connections end.
    Closed,
    /// It must be reset: the caller knows how this kind of connection does that. Dropping it at least closes it abruptly.
    Reset(Io),
}

impl Clock {
    /// A clock.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Millis {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

impl Shared {
    /// Shares a world.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self(Arc::new(Inner {
            world: Mutex::new(world),
            changed: Notify::new(),
            changes: Mutex::new((0, false)),
            changed_for_threads: Condvar::new(),
        }))
    }

    /// Does something with the world, and wakes whoever waits for a change.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.lock());
        self.wake();
        result
    }

    /// Looks at the world without changing it.
    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock())
    }

    /// Blocks until there were more changes than these, and tells how many; none when the server has ended.
    #[must_use]
    pub fn wait_for_change(&self, seen: u64) -> Option<u64> {
        let mut changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        while changes.0 <= seen && !changes.1 {
            changes = self.0.changed_for_threads.wait(changes).unwrap_or_else(PoisonError::into_inner);
        }
        (!changes.1).then_some(changes.0)
    }

    /// The world. A test that panicked while it had it must not take the server along.
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        self.0.changed.notify_waiters();
        self.0.changes.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        self.0.changed_for_threads.notify_all();
    }

    pub(super) fn end(&self) {
        self.0.changes.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.0.changed_for_threads.notify_all();
    }
}

/// Serves one connection to its end.
pub async fn serve_connection<Io>(io: Io, shared: &Shared, clock: &Clock) -> Ended<Io>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let number = shared.lock().connect();
    let service = service_fn(|request| -> Pin<Box<dyn Future<Output = _> + Send + '_>> {
        Box::pin(answer(shared, clock, number, request))
    });
    // A `Date` header would be the machine's time in a simulation.
    let mut connection = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(io), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    match ended {
        Err(error) if error.is_user() => Ended::Reset(connection.into_parts().io.into_inner()),
        Ok(()) | Err(_) => Ended::Closed,
    }
}

/// The verdict was a reset: hyper ends the connection for it.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is to be reset")
    }
}

impl std::error::Error for Cut {}

/// A poll that waits, forgotten when its connection goes away.
struct Waiting<'a> {
    shared: &'a Shared,
    ticket: Ticket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        abandon(&mut self.shared.lock(), self.ticket);
    }
}

async fn answer(
    shared: &Shared,
    clock: &Clock,
    connection: u64,
    request: HttpRequest<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let verdict = match read(connection, request).await {
        Ok(request) => shared.change(|world| handle(world, clock.now(), request)),
        Err(refusal) => Verdict::Answer(Answer::json(&Err(refusal))),
    };
    match wait(shared, clock, verdict).await {
        Verdict::Answer(answer) => {
            if answer.delay > Millis(0) {
                tokio::time::sleep(Duration::from_millis(answer.delay.0)).await;
            }
            Ok(respond(answer))
        }
        Verdict::Reset => Err(Cut),
        Verdict::Hang | Verdict::Wait { .. } => pending().await,
    }
}

/// Waits as long as the verdict is to wait.
async fn wait(shared: &Shared, clock: &Clock, mut verdict: Verdict) -> Verdict {
    let Verdict::Wait { ticket, .. } = verdict else {
        return verdict;
    };
    let _waiting = Waiting { shared, ticket };
    loop {
        // Listens before it looks, so that no change falls in between.
        let changed = shared.0.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        verdict = resume(&mut shared.lock(), clock.now(), ticket);
        let Verdict::Wait { until, .. } = verdict else {
            return verdict;
        };
        let left = Duration::from_millis(until.since(clock.now()).0.max(1));
        tokio::select! {
            biased;
            () = changed => (),
            () = tokio::time::sleep(left) => (),
        }
    }
}

/// Reads a request: `/bot<token>/<method>`.
async fn read(connection: u64, request: HttpRequest<Incoming>) -> Result<Request, Refusal> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix("/bot").ok_or_else(Refusal::not_found)?;
    let (token, method) = path.split_once('/').ok_or_else(Refusal::not_found)?;
    // Clients may escape the token's colon.
    let token = token.replace("%3A", ":").replace("%3a", ":");
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = Limited::new(body, LARGEST_REQUEST).collect().await.map_err(|_| Refusal::too_large())?.to_bytes();
    let form = Form::read(head.uri.query().unwrap_or_default(), content_type, &body);
    let form = form.ok_or_else(|| Refusal::bad_request("can't parse the request body"))?;
    Ok(Request { token, method: method.to_owned(), body: form.fields.into(), files: form.files, connection })
}

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let response = Response::builder().status(answer.status).header(CONTENT_TYPE, answer.content_type);
    response.body(Full::new(Bytes::from(answer.body))).expect("statuses and content types are our own")
}
