//! The command line of the simulated machine: requests on the daemon's socket, and its signals.

use super::points::{Class, Points};
use mainstay::ports::{Answer, Control, ControlInput, LocalFuture, LocalRequest, Notice};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often the service manager expects a sign of life, as in the unit that is shipped.
const WATCHDOG: Duration = Duration::from_secs(30);

/// Where people of the machine ask. Clones are the same one.
#[derive(Clone)]
pub struct Desk(Rc<Inner>);

struct Inner {
    points: Points,
    queue: RefCell<VecDeque<ControlInput>>,
    arrived: Notify,
    /// With when they were given, ms of the simulation.
    answers: RefCell<BTreeMap<u64, (i64, Answer)>>,
    connections: RefCell<u64>,
    notices: RefCell<Vec<Notice>>,
}

impl Desk {
    /// A desk at which nobody has asked; answers can be cut at these points.
    pub fn new(points: &Points) -> Desk {
        Desk(Rc::new(Inner {
            points: points.clone(),
            queue: RefCell::default(),
            arrived: Notify::new(),
            answers: RefCell::default(),
            connections: RefCell::default(),
            notices: RefCell::default(),
        }))
    }

    /// Somebody of this uid asks; the number is for [`Desk::answer`]. The same key is the same request.
    pub fn ask(&self, uid: u32, key: &str, argv: &[&str]) -> u64 {
        *self.0.connections.borrow_mut() += 1;
        let connection = *self.0.connections.borrow();
        self.push(ControlInput::Request(LocalRequest {
            connection,
            uid,
            from_task: false,
            key: key.to_owned(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        }));
        connection
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.push(ControlInput::Terminate);
    }

    fn push(&self, input: ControlInput) {
        self.0.queue.borrow_mut().push_back(input);
        self.0.arrived.notify_one();
    }

    /// What was answered to a request, if anything was.
    pub fn answer(&self, connection: u64) -> Option<Answer> {
        self.answered(connection).map(|(_, answer)| answer)
    }

    /// The same with when that was, ms of the simulation.
    pub fn answered(&self, connection: u64) -> Option<(i64, Answer)> {
        self.0.answers.borrow().get(&connection).cloned()
    }

    /// All answers so far, in the order of their requests.
    pub fn answers(&self) -> Vec<Answer> {
        self.0.answers.borrow().values().map(|(_, answer)| answer.clone()).collect()
    }

    /// The daemon died: what it had not taken is lost with its socket.
    pub fn daemon_died(&self) {
        self.0.queue.borrow_mut().clear();
        self.0.notices.borrow_mut().clear();
    }

    /// Whether the daemon has said that it serves.
    pub fn is_ready(&self) -> bool {
        self.0.notices.borrow().contains(&Notice::Ready)
    }
}

impl Control for Desk {
    fn next(&self) -> LocalFuture<'_, ControlInput> {
        Box::pin(async move {
            loop {
                if let Some(input) = self.0.queue.borrow_mut().pop_front() {
                    return input;
                }
                self.0.arrived.notified().await;
            }
        })
    }

    fn ready(&self) -> Vec<ControlInput> {
        self.0.queue.borrow_mut().drain(..).collect()
    }

    fn answer(&self, connection: u64, answer: Answer) {
        if self.0.points.pass(Class::Desk, "before an answer") {
            let now = self.0.points.now();
            self.0.answers.borrow_mut().insert(connection, (now, answer));
            self.0.points.pass(Class::Desk, "answered");
        }
    }

    fn notify(&self, notice: Notice) {
        let mut notices = self.0.notices.borrow_mut();
        if notices.last() != Some(&notice) {
            notices.push(notice);
        }
    }

    fn watchdog(&self) -> Option<Duration> {
        Some(WATCHDOG)
    }
}
