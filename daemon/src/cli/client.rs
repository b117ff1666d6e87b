//! The wire to the daemon: one request, one answer, and the same request again when the connection broke in between.
//!
//! The daemon knows a request by its key, so sending it twice does it once.

use crate::exit::{ExitCode, Fatal};
use crate::policy;
use crate::ports::Answer;
use crate::real::clock::entropy;
use crate::real::control::{PROTOCOL_VERSION, SOCKET_NAME};
use crate::real::lock::user_name;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Certainly nothing was asked: nobody listens.
    NotRunning,
    /// The daemon may have taken the request, and is gone.
    Broken,
    /// The daemon does not answer.
    Silent,
    /// The daemon takes no request now, and says why.
    Busy(String),
    /// The socket is not for this user.
    NotPermitted,
    /// The socket can't be used for another reason.
    Failed(String),
}

/// A connection to the daemon, made when it is needed.
pub(crate) struct Client {
    state_dir: PathBuf,
    stream: Option<BufReader<UnixStream>>,
    /// Before the same request is sent again, in ms.
    pauses: &'static [u64],
    /// The longest wait for an answer.
    within: Duration,
}

impl Client {
    pub(crate) fn new(state_dir: &Path) -> Client {
        Client {
            state_dir: state_dir.to_owned(),
            stream: None,
            pauses: &policy::CLIENT_RESEND_PAUSES_MS,
            within: policy::CLIENT_ANSWER_WITHIN,
        }
    }

    /// For who wants to know whether the daemon answers, rather than the answer: asks once, and waits no longer than this.
    pub(crate) fn impatient(state_dir: &Path, within: Duration) -> Client {
        Client { pauses: &[], within, ..Client::new(state_dir) }
    }

    /// For who needs the answer, within another time for each try.
    pub(crate) fn patient(state_dir: &Path, within: Duration) -> Client {
        Client { within, ..Client::new(state_dir) }
    }

    /// Asks until there is an answer or none is to be expected.
    pub(crate) fn ask(&mut self, key: &str, argv: &[String]) -> Result<Answer, Unanswered> {
        let mut line = serde_json::json!({ "v": PROTOCOL_VERSION, "key": key, "argv": argv }).to_string();
        line.push('\n');
        let mut sent = false;
        let mut pauses = self.pauses.iter();
        loop {
            let mut busy = None;
            let nobody = match self.once(&line, &mut sent) {
                Ok(answer) if answer.data["error"] == "busy" => {
                    busy = Some(answer.text);
                    false
                }
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let nobody = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
                    if nobody && !sent {
                        return Err(Unanswered::NotRunning);
                    } else if error.kind() == ErrorKind::PermissionDenied {
                        return Err(Unanswered::NotPermitted);
                    } else if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
                        return Err(Unanswered::Silent);
                    } else if !sent || error.kind() == ErrorKind::InvalidData {
                        return Err(Unanswered::Failed(error.to_string()));
                    }
                    nobody
                }
            };
            self.stream = None;
            match pauses.next() {
                Some(pause) => std::thread::sleep(Duration::from_millis(*pause)),
                None if nobody => return Err(Unanswered::Broken),
                None => return Err(busy.map_or(Unanswered::Silent, Unanswered::Busy)),
            }
        }
    }

    fn once(&mut self, line: &str, sent: &mut bool) -> std::io::Result<Answer> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = UnixStream::connect(self.state_dir.join(SOCKET_NAME))?;
                stream.set_read_timeout(Some(self.within))?;
                stream.set_write_timeout(Some(self.within))?;
                self.stream.insert(BufReader::new(stream))
            }
        };
        *sent = true;
        // Whoever is turned away is told why before anything was read: the answer counts, not the failed write.
        let written = stream.get_mut().write_all(line.as_bytes());
        let mut answer = Vec::new();
        stream.take(policy::CLIENT_ANSWER_BYTES_MAX).read_until(b'\n', &mut answer)?;
        if answer.last() != Some(&b'\n') {
            written?;
            return Err(ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_slice(&answer).map_err(|e| std::io::Error::new(ErrorKind::InvalidData, e))
    }

    /// What to tell people, and how to end.
    pub(crate) fn fatal(&self, unanswered: &Unanswered) -> Fatal {
        match unanswered {
            Unanswered::NotRunning => Fatal::new(
                ExitCode::DaemonNotRunning,
                "the daemon is not running: start it with `mainstay run`, or `systemctl start mainstay`",
            ),
            Unanswered::Broken => Fatal::new(
                ExitCode::DaemonNotRunning,
                "the daemon ended before it answered: whether the command took effect will show when it is back",
            ),
            Unanswered::Silent => {
                Fatal::new(ExitCode::DaemonNotRunning, "the daemon is there but does not answer; see its log")
            }
            Unanswered::Busy(why) => Fatal::new(ExitCode::DaemonNotRunning, format!("the daemon is busy: {why}")),
            Unanswered::NotPermitted => self.not_permitted(),
            Unanswered::Failed(why) => {
                let socket = self.state_dir.join(SOCKET_NAME);
                Fatal::new(
                    ExitCode::DaemonNotRunning,
                    format!("can't talk to the daemon at {}: {why}", socket.display()),
                )
            }
        }
    }

    /// Says who may.
    pub(crate) fn not_permitted(&self) -> Fatal {
        let own = user_name(rustix::process::geteuid().as_raw());
        let owner = std::fs::metadata(&self.state_dir).map(|metadata| metadata.uid());
        let who = owner.map_or_else(|_| "the daemon's user".into(), user_name);
        let sudo = who.split_once(" (").map_or(String::new(), |(name, _)| format!(": sudo -u {name} mainstay ..."));
        let text = format!("{own} may not talk to the daemon; only {who} and root may{sudo}");
        Fatal::new(ExitCode::NotPermitted, text)
    }
}

/// A key that no other request has.
pub(crate) fn fresh_key() -> String {
    format!("{:016x}{:016x}", entropy(), entropy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a daemon that is played needs a thread beside the test's")]
    fn a_request_that_gets_no_answer_is_sent_again_under_its_key_and_not_for_ever() {
        let dir = tempfile::tempdir().expect("tempdir");
        let listener = UnixListener::bind(dir.path().join(SOCKET_NAME)).expect("bind");
        let deaf = std::thread::spawn(move || {
            let hear = || {
                let (stream, _) = listener.accept().expect("accept");
                let mut line = String::new();
                BufReader::new(stream).read_line(&mut line).expect("a request");
                line
            };
            std::iter::repeat_with(hear).take_while(|line| line != "that was all\n").collect::<Vec<String>>()
        });
        let mut client = Client { pauses: &[0, 0], ..Client::new(dir.path()) };
        let Err(unanswered) = client.ask("k", &["stop".to_owned()]) else { panic!("it was answered") };
        assert!(matches!(unanswered, Unanswered::Silent), "{}", client.fatal(&unanswered));
        let mut last = UnixStream::connect(dir.path().join(SOCKET_NAME)).expect("connect");
        last.write_all(b"that was all\n").expect("write");
        let heard = deaf.join().expect("played");
        assert_eq!(heard.len(), 3);
        assert!(heard.iter().all(|line| *line == heard[0] && line.contains("\"key\":\"k\"")), "{heard:?}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a daemon that is played needs a thread beside the test's")]
    fn a_daemon_that_stays_busy_is_told_of_as_such() {
        let dir = tempfile::tempdir().expect("tempdir");
        let listener = UnixListener::bind(dir.path().join(SOCKET_NAME)).expect("bind");
        let busy = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().expect("accept");
                let answer =
                    Answer { ok: false, text: "all places taken".into(), data: serde_json::json!({ "error": "busy" }) };
                writeln!(stream, "{}", serde_json::to_string(&answer).expect("json")).expect("write");
            }
        });
        let mut client = Client { pauses: &[0], ..Client::new(dir.path()) };
        let Err(unanswered) = client.ask("k", &["ops".to_owned()]) else { panic!("it was answered") };
        let said = client.fatal(&unanswered).text;
        assert_eq!(said, "the daemon is busy: all places taken");
        busy.join().expect("played");
    }
}
