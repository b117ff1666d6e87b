//! One client of the local socket: bytes in, requests out; answers in, bytes out, in the order of the requests.
//!
//! Reading and writing never wait. Memory is bounded: a line that is too long is thrown away while it arrives, and a
//! client that does not fetch its answers is not read from.

use crate::policy;
use crate::ports::{Answer, LocalRequest};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde::Deserialize;
use std::collections::VecDeque;

/// The version of the protocol, `v` in every request.
pub(crate) const PROTOCOL_VERSION: u32 = 1;

/// Buffers greater than this are given back once they are empty.
const KEPT_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct Wire {
    v: u32,
    #[serde(default)]
    key: String,
    #[serde(default)]
    argv: Vec<String>,
}

/// A client.
pub(super) struct Connection {
    pub(super) fd: OwnedFd,
    uid: u32,
    from_task: bool,
    /// What was read after the last whole line.
    input: Vec<u8>,
    /// So much of `input` is known to hold no line end.
    scanned: usize,
    /// Inside a line that was too long: everything up to its end is thrown away.
    skipping: bool,
    /// The kernel may have more for us; it tells only once (edge-triggered).
    pub(super) readable: bool,
    /// The peer will write no more.
    pub(super) hung_up: bool,
    /// Nothing more will be read: the connection ends when everything is answered and fetched.
    ended: bool,
    /// In the list of connections to look at.
    pub(super) listed: bool,
    /// When something last went in or out, in steps of the control's own count.
    pub(super) used: u64,
    /// Boot clock, ms: since when it has been half-way through a request, or through fetching its answers.
    halfway_since: Option<i64>,
    /// Written answers that the kernel has not taken yet.
    output: Vec<u8>,
    /// The kernel was asked to tell when more can be written.
    pub(super) watches_output: bool,
    /// The number of the first request in `answers`.
    first: u32,
    /// One place per request that has no answer written yet, in order.
    answers: VecDeque<Option<Vec<u8>>>,
}

/// What became of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrote {
    /// The kernel has it all.
    All,
    /// The client has to read first.
    Blocked,
    /// The client is gone.
    Gone,
}

impl Connection {
    pub(super) fn new(fd: OwnedFd, uid: u32, from_task: bool) -> Connection {
        Connection {
            fd,
            uid,
            from_task,
            input: Vec::new(),
            scanned: 0,
            skipping: false,
            readable: true,
            hung_up: false,
            ended: false,
            listed: false,
            used: 0,
            halfway_since: None,
            output: Vec::new(),
            watches_output: false,
            first: 0,
            answers: VecDeque::new(),
        }
    }

    /// Bytes held for this client.
    pub(super) fn held(&self) -> usize {
        self.input.len() + self.output.len() + self.answers.iter().flatten().map(Vec::len).sum::<usize>()
    }

    /// Nothing will ever happen here again.
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.input.is_empty() && self.answers.is_empty() && self.output.is_empty()
    }

    /// Nothing is half-read, in flight or to be fetched: to end here would lose nothing.
    pub(super) fn is_idle(&self) -> bool {
        let nothing_read = self.input.is_empty() && !self.skipping && !self.readable;
        nothing_read && self.answers.is_empty() && self.output.is_empty()
    }

    /// Notes whether its client is half-way. A request that has come whole begins the time anew, a byte more does not.
    pub(super) fn note_halfway(&mut self, now_ms: i64, came_whole: bool) {
        if self.is_idle() {
            self.halfway_since = None;
        } else if came_whole || self.halfway_since.is_none() {
            self.halfway_since = Some(now_ms);
        }
    }

    /// Since when its client has kept us waiting, if nothing of it waits for us.
    pub(super) fn waited_for_since(&self) -> Option<i64> {
        let waits_for_us = self.answers.iter().any(Option::is_none);
        self.halfway_since.filter(|_| !waits_for_us)
    }

    /// Something has come that was not looked at yet.
    pub(super) fn has_news(&self) -> bool {
        let mut byte = [0_u8; 1];
        matches!(recv(&self.fd, &mut byte, RecvFlags::DONTWAIT | RecvFlags::PEEK), Ok((1.., _)))
    }

    /// Takes no more requests before some of its answers are gone.
    fn is_full(&self) -> bool {
        self.answers.len() >= policy::LOCAL_IN_FLIGHT_MAX || !self.output.is_empty()
    }

    /// Looking here again would bring something forward.
    pub(super) fn has_work(&self) -> bool {
        !self.is_full() && (self.readable || self.has_line())
    }

    fn has_line(&self) -> bool {
        self.scanned < self.input.len() || (self.ended && !self.input.is_empty())
    }

    /// Takes up to one buffer of bytes and the requests in it. `serial` is this connection's part of the address.
    pub(super) fn advance(&mut self, serial: u32, buffer: &mut [u8], requests: &mut VecDeque<LocalRequest>) {
        if self.has_line() {
            let mut input = std::mem::take(&mut self.input);
            let used = self.lines(serial, &input, self.scanned, requests);
            input.drain(..used);
            self.input = input;
        }
        if self.readable && !self.ended && !self.is_full() {
            match recv(&self.fd, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) => self.end(),
                Ok((n, _)) => {
                    // A short read has emptied the socket; only the end of the stream could still be behind it.
                    self.readable = n == buffer.len() || self.hung_up;
                    self.feed(serial, &buffer[..n], requests);
                }
                Err(Errno::AGAIN) => self.readable = false,
                Err(Errno::INTR) => {}
                // Reset: whoever asked no longer waits for an answer.
                Err(_) => {
                    self.end();
                    self.input.clear();
                    self.answers.clear();
                }
            }
        }
        if self.ended && !self.input.is_empty() && self.scanned == self.input.len() && !self.is_full() {
            // A last line without line end: whole if it is JSON, as an object is not whole without its brace.
            let line = std::mem::take(&mut self.input);
            self.scanned = 0;
            self.line(serial, &line, requests);
        }
        if self.input.is_empty() && self.input.capacity() > KEPT_BYTES {
            self.input = Vec::new();
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.readable = false;
    }

    fn feed(&mut self, serial: u32, bytes: &[u8], requests: &mut VecDeque<LocalRequest>) {
        if self.input.is_empty() {
            // The usual case: whole requests, parsed where they were read.
            let used = self.lines(serial, bytes, 0, requests);
            self.input.extend_from_slice(&bytes[used..]);
        } else {
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(bytes);
            let used = self.lines(serial, &input, self.scanned, requests);
            input.drain(..used);
            self.input = input;
        }
    }

    /// Takes whole lines off `bytes`, in which nothing before `scanned` ends a line; returns how many bytes it used.
    fn lines(&mut self, serial: u32, bytes: &[u8], mut scanned: usize, requests: &mut VecDeque<LocalRequest>) -> usize {
        let mut used = 0;
        loop {
            if self.is_full() {
                // The rest may hold lines: it has to be looked at again.
                self.scanned = 0;
                return used;
            }
            let Some(end) = bytes[scanned..].iter().position(|b| *b == b'\n').map(|at| scanned + at) else {
                break;
            };
            let line = &bytes[used..end];
            used = end + 1;
            scanned = used;
            if std::mem::take(&mut self.skipping) || line.trim_ascii().is_empty() {
                continue;
            }
            self.line(serial, line, requests);
        }
        if self.skipping {
            used = bytes.len();
        } else if bytes.len() - used > policy::LOCAL_REQUEST_BYTES_MAX {
            // Answered now, while the rest of it is still arriving.
            self.refuse("too_long", &too_long());
            self.skipping = true;
            used = bytes.len();
        }
        self.scanned = bytes.len() - used;
        used
    }

    fn line(&mut self, serial: u32, line: &[u8], requests: &mut VecDeque<LocalRequest>) {
        if line.len() > policy::LOCAL_REQUEST_BYTES_MAX {
            return self.refuse("too_long", &too_long());
        }
        match read_request(line) {
            Ok(wire) => {
                let number = self.first.wrapping_add(u32::try_from(self.answers.len()).unwrap_or(u32::MAX));
                self.answers.push_back(None);
                requests.push_back(LocalRequest {
                    connection: address(serial, number),
                    uid: self.uid,
                    from_task: self.from_task,
                    key: wire.key,
                    argv: wire.argv,
                });
            }
            Err((error, text)) => self.refuse(error, &text),
        }
    }

    /// Forgets what was read and not yet taken, says so, and reads no more.
    pub(super) fn shed(&mut self) {
        self.input = Vec::new();
        self.scanned = 0;
        self.end();
        self.refuse("busy", "the daemon holds too many unfinished requests; try again");
    }

    fn refuse(&mut self, error: &str, text: &str) {
        self.answers.push_back(Some(encode(&refusal(error, text))));
        self.flush_answers();
    }

    /// Puts the answer of request `number` where its turn is. `line` is the encoded answer. An unknown number is ignored.
    pub(super) fn answer(&mut self, number: u32, line: &[u8]) -> Wrote {
        let place = number.wrapping_sub(self.first) as usize;
        if place == 0 && self.answers.front().is_some_and(Option::is_none) {
            // The usual case: written from the shared buffer, without a copy.
            self.answers.pop_front();
            self.first = self.first.wrapping_add(1);
            let wrote = self.write(line);
            return if wrote == Wrote::Gone { wrote } else { self.flush_answers() };
        }
        if let Some(slot @ None) = self.answers.get_mut(place) {
            *slot = Some(line.to_vec());
        }
        self.flush_answers()
    }

    /// Writes the answers whose turn has come.
    fn flush_answers(&mut self) -> Wrote {
        let mut wrote = if self.output.is_empty() { Wrote::All } else { Wrote::Blocked };
        while wrote != Wrote::Gone && self.answers.front().is_some_and(Option::is_some) {
            let line = self.answers.pop_front().flatten().unwrap_or_default();
            self.first = self.first.wrapping_add(1);
            wrote = self.write(&line);
        }
        wrote
    }

    /// The client can take more: what waits goes out.
    pub(super) fn flush(&mut self) -> Wrote {
        let output = std::mem::take(&mut self.output);
        self.write(&output)
    }

    fn write(&mut self, mut bytes: &[u8]) -> Wrote {
        if !self.output.is_empty() {
            self.output.extend_from_slice(bytes);
            return Wrote::Blocked;
        }
        while !bytes.is_empty() {
            match send(&self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(n) => bytes = &bytes[n..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.output.extend_from_slice(bytes);
                    return Wrote::Blocked;
                }
                Err(_) => return Wrote::Gone,
            }
        }
        Wrote::All
    }
}

/// Connection and request in one number.
pub(super) fn address(serial: u32, number: u32) -> u64 {
    u64::from(serial) << 32 | u64::from(number)
}

/// The inverse of [`address`].
pub(super) fn parts(address: u64) -> (u32, u32) {
    ((address >> 32) as u32, (address & u64::from(u32::MAX)) as u32)
}

fn too_long() -> String {
    format!("the request is longer than {} bytes", policy::LOCAL_REQUEST_BYTES_MAX)
}

fn read_request(line: &[u8]) -> Result<Wire, (&'static str, String)> {
    let wire: Wire = serde_json::from_slice(line)
        .map_err(|e| ("bad_request", format!("the request is no JSON object with v, key and argv: {e}")))?;
    if wire.v != PROTOCOL_VERSION {
        let text = format!("this daemon speaks version {PROTOCOL_VERSION} of the protocol, not {}", wire.v);
        return Err(("bad_version", text));
    }
    if wire.key.is_empty() || wire.key.len() > policy::LOCAL_KEY_BYTES_MAX {
        return Err(("bad_request", format!("`key` must have 1 to {} bytes", policy::LOCAL_KEY_BYTES_MAX)));
    }
    if wire.argv.is_empty() {
        return Err(("bad_request", "`argv` must hold a command".into()));
    }
    Ok(wire)
}

/// The answer to what is no request. `error` is for programs.
pub(super) fn refusal(error: &str, text: &str) -> Answer {
    Answer { ok: false, text: text.to_owned(), data: serde_json::json!({ "error": error }) }
}

/// One line.
pub(super) fn encode(answer: &Answer) -> Vec<u8> {
    let mut line = Vec::with_capacity(256);
    encode_into(&mut line, answer);
    line
}

/// One line, at the end of `line`.
pub(super) fn encode_into(line: &mut Vec<u8>, answer: &Answer) {
    serde_json::to_writer(&mut *line, answer).expect("an answer has only string keys, and memory does not fail");
    line.push(b'\n');
}
