//! A task's output on disk: the newest part of it, in at most two files, with a digest over all of it.
//!
//! Writing never fails: what can't be written is counted as lost. A full disk costs output, not the task. Where the output
//! goes on after a loss, a line of ours says so; the total is in the receipt, for which there always is room.

use super::folder::{self, ReceiptState};
use crate::attempt::{LogDigest, Lost};
use crate::hex::hex;
use crate::id::AttemptKey;
use crate::policy;
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
    /// All that could not be written.
    lost: Option<Lost>,
    /// So much of it since the last byte that could be.
    gap: u64,
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
            lost: None,
            gap: 0,
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
        let marked = if self.gap > 0 { self.mark() } else { Ok(()) };
        let wrote = marked.and_then(|()| {
            while !data.is_empty() {
                let n = self.put(data)?;
                self.length += n as u64;
                data = &data[n..];
            }
            Ok(())
        });
        if let Err(error) = wrote {
            self.lose(data.len() as u64, &error);
        }
    }

    /// One write, of at least one byte.
    fn put(&mut self, data: &[u8]) -> io::Result<usize> {
        let file = self.current.as_mut().ok_or_else(|| io::Error::other("its file can't be opened"))?;
        loop {
            match file.write(data) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn lose(&mut self, bytes: u64, error: &io::Error) {
        self.dropped += bytes;
        self.gap += bytes;
        self.lost.get_or_insert_with(|| Lost { bytes: 0, error: error.to_string() }).bytes += bytes;
    }

    /// Says where output is missing. Whole or not at all: half a line would pass for the task's.
    fn mark(&mut self) -> io::Result<()> {
        let error = self.lost.as_ref().map_or_else(String::new, |lost| lost.error.clone());
        let line = format!("\n{}", mark(&Lost { bytes: self.gap, error }));
        let n = self.put(line.as_bytes())?;
        if n < line.len() {
            if let Some(file) = &mut self.current {
                file.set_len(self.length)?;
                file.seek(SeekFrom::Start(self.length))?;
            }
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.length += n as u64;
        self.gap = 0;
        Ok(())
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
        self.current = match open(&self.path) {
            Ok(file) => Some(file),
            Err(error) => {
                self.lose(0, &error);
                None
            }
        };
    }

    /// The totals.
    pub(super) fn digest(mut self) -> LogDigest {
        if self.gap > 0 {
            // If there is still no room, the receipt says it alone.
            let _ = self.mark();
        }
        let lost = self.lost.filter(|lost| lost.bytes > 0);
        LogDigest { bytes: self.bytes, dropped: self.dropped, sha256: hex(&self.hasher.finalize()), lost }
    }
}

/// The line that says so.
fn mark(lost: &Lost) -> String {
    format!("[mainstay: {lost}]\n")
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

/// The last `lines` lines of a stream in the folder of an attempt, at most `max_bytes` of them; empty when there is none. If
/// the receipt tells of lost output, so does a last line.
pub(super) fn tail(
    folder: &Path,
    key: AttemptKey,
    stream: Stream,
    lines: usize,
    max_bytes: usize,
) -> io::Result<String> {
    let mut text = written(folder, stream, lines, max_bytes)?;
    if let ReceiptState::There(receipt) = folder::read_receipt(folder, key) {
        let digest = match stream {
            Stream::Stdout => receipt.stdout,
            Stream::Stderr => receipt.stderr,
        };
        if let Some(lost) = digest.lost {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text += &mark(&lost);
        }
    }
    Ok(text)
}

fn written(folder: &Path, stream: Stream, lines: usize, max_bytes: usize) -> io::Result<String> {
    let path = folder.join(name(stream));
    let mut bytes = last_bytes(&path, max_bytes)?;
    if bytes.len() < max_bytes {
        let mut both = last_bytes(&older(&path), max_bytes - bytes.len())?;
        both.append(&mut bytes);
        bytes = both;
    }
    if bytes.len() == max_bytes {
        // It was cut, perhaps in the middle of a secret, whose second half nobody would recognise.
        let head = &bytes[..policy::LOG_CUT_BYTES.min(max_bytes / 2)];
        let cut = head.iter().position(|byte| *byte == b'\n').map_or(head.len(), |at| at + 1);
        bytes.drain(..cut);
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
        let kept = written(folder.path(), Stream::Stdout, usize::MAX, usize::MAX).expect("tail");
        assert!(all.ends_with(kept.as_bytes()) && kept.len() as u64 >= 1024 && kept.len() as u64 <= 2048);
        assert_eq!((digest.bytes, digest.dropped), (5000, 5000 - kept.len() as u64));
        assert_eq!(digest.sha256, hex(&Sha256::digest(&all)));
    }

    #[test]
    fn what_is_shown_of_a_cut_output_begins_with_a_whole_line_or_far_behind_the_cut() {
        let folder = tempfile::tempdir().expect("folder");
        let read = |text: &str, max: usize| {
            std::fs::write(folder.path().join(name(Stream::Stdout)), text).expect("write");
            written(folder.path(), Stream::Stdout, usize::MAX, max).expect("read")
        };
        assert_eq!(read("token=abcdef\nnext line of it\n", 20), "next line of it\n");
        assert_eq!(read("token=abcdef\nnext\n", 100), "token=abcdef\nnext\n");
        let endless = "x".repeat(3 * policy::LOG_CUT_BYTES);
        assert_eq!(read(&endless, 2 * policy::LOG_CUT_BYTES).len(), policy::LOG_CUT_BYTES);
    }

    #[test]
    fn what_can_not_be_written_is_counted_and_marked_where_it_is_missing() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join(name(Stream::Stdout));
        // In the way of the file, as a full disk is: nothing can be opened there.
        fs::create_dir_all(path.join("in the way")).expect("make");
        fs::create_dir_all(older(&path).join("in the way")).expect("make");
        let mut log = LogFile::new(folder.path(), Stream::Stdout, 4096);
        log.write(b"first\n");
        log.write(b"second\n");
        fs::remove_dir_all(&path).expect("make room");
        fs::remove_dir_all(older(&path)).expect("make room");
        log.write(b"third\n");
        let digest = log.digest();
        let lost = digest.lost.expect("a loss");
        assert_eq!((digest.bytes, digest.dropped, lost.bytes), (19, 13, 13));
        assert!(lost.error.contains("directory"), "{lost}");
        let kept = written(folder.path(), Stream::Stdout, 9, 1000).expect("tail");
        assert_eq!(kept, format!("\n[mainstay: 13 bytes of output lost: {}]\nthird\n", lost.error));
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
