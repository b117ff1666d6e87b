//! A task's output on disk: the newest part of it, in at most two files, with a digest over all of it.
//!
//! Writing never fails: what can't be written is counted as dropped. A full disk costs output, not the task.

use crate::attempt::LogDigest;
use crate::ports::Stream;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The least size of one file in bytes: below, rotation costs more than it saves.
const LEAST_FILE_BYTES: u64 = 512;

/// One stream being written. There are the current file and the one before it, each at most half of the limit.
pub(super) struct LogFile {
    path: PathBuf,
    before: PathBuf,
    current: Option<File>,
    length: u64,
    before_length: u64,
    half: u64,
    hasher: Sha256,
    bytes: u64,
    dropped: u64,
}

/// The name of a stream's current file; the one before it ends in `.1`.
pub(super) fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout.log",
        Stream::Stderr => "stderr.log",
    }
}

impl LogFile {
    /// A new log in `folder`; its file is made when there is something to write.
    pub(super) fn new(folder: &Path, stream: Stream, max_bytes: u64) -> LogFile {
        let path = folder.join(name(stream));
        LogFile {
            current: None,
            before: older(&path),
            path,
            length: 0,
            before_length: 0,
            half: (max_bytes / 2).max(LEAST_FILE_BYTES),
            hasher: Sha256::new(),
            bytes: 0,
            dropped: 0,
        }
    }

    /// Takes what the task wrote.
    pub(super) fn write(&mut self, data: &[u8]) {
        self.hasher.update(data);
        self.bytes += data.len() as u64;
        let mut rest = data;
        while !rest.is_empty() {
            if self.length >= self.half || self.current.is_none() {
                self.rotate();
            }
            let room = usize::try_from(self.half - self.length).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at(room);
            self.keep(now);
            rest = later;
        }
    }

    fn keep(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            match self.current.as_mut().map(|file| file.write(data)) {
                Some(Ok(n)) if n > 0 => {
                    self.length += n as u64;
                    data = &data[n..];
                }
                Some(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Some(_) | None => {
                    self.dropped += data.len() as u64;
                    return;
                }
            }
        }
    }

    /// Makes the current file the one before, if there is one; the old one before is gone.
    fn rotate(&mut self) {
        if fs::rename(&self.path, &self.before).is_ok() {
            self.dropped += self.before_length;
            self.before_length = self.length;
        } else {
            self.dropped += self.length;
        }
        self.length = 0;
        self.current = open(&self.path).ok();
    }

    /// The totals.
    pub(super) fn digest(self) -> LogDigest {
        LogDigest { bytes: self.bytes, dropped: self.dropped, sha256: hex(&self.hasher.finalize()) }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

/// Lowercase hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The last `lines` lines of a stream in `folder`, at most `max_bytes` of them; empty when there is none.
pub(super) fn tail(folder: &Path, stream: Stream, lines: usize, max_bytes: usize) -> io::Result<String> {
    let path = folder.join(name(stream));
    let mut bytes = last_bytes(&path, max_bytes)?;
    if bytes.len() < max_bytes {
        let mut both = last_bytes(&older(&path), max_bytes - bytes.len())?;
        both.append(&mut bytes);
        bytes = both;
    }
    Ok(last_lines(&String::from_utf8_lossy(&bytes), lines).to_owned())
}

/// The end of a file; empty when there is none.
pub(super) fn last_bytes(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(max as u64)))?;
    let mut bytes = Vec::new();
    file.take(max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn last_lines(text: &str, lines: usize) -> &str {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let start = match lines.checked_sub(1) {
        None => text.len(),
        Some(n) => body.rmatch_indices('\n').nth(n).map_or(0, |(at, _)| at + 1),
    };
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_part_is_kept_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().expect("folder");
        let mut log = LogFile::new(folder.path(), Stream::Stdout, 2048);
        let all: Vec<u8> = (0..5000u32).map(|i| b'a' + (i % 26) as u8).collect();
        all.chunks(333).for_each(|chunk| log.write(chunk));
        let digest = log.digest();
        let kept = tail(folder.path(), Stream::Stdout, usize::MAX, usize::MAX).expect("tail");
        assert!(all.ends_with(kept.as_bytes()) && kept.len() as u64 >= 1024 && kept.len() as u64 <= 2048);
        assert_eq!((digest.bytes, digest.dropped), (5000, 5000 - kept.len() as u64));
        assert_eq!(digest.sha256, hex(&Sha256::digest(&all)));
    }

    #[test]
    fn lines_are_counted_from_the_end() {
        for (lines, expected) in [(0, ""), (1, "c\n"), (2, "b\nc\n"), (3, "a\nb\nc\n"), (9, "a\nb\nc\n")] {
            assert_eq!(last_lines("a\nb\nc\n", lines), expected);
        }
        assert_eq!(last_lines("a\nb", 1), "b");
        assert_eq!(last_lines("", 3), "");
    }
}
