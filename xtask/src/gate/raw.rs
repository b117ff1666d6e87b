//! Files of evidence: lines of JSON, compressed, each run closed by a link of a chain.
//!
//! After the lines of a run stands `{"link":{"seq":0,"lines":12,"prev":"..","hash":".."}}`: its hash is over the link before, its
//! place and the bytes of its lines. The first `prev` follows from what was tried (commit, policy, suite, unit), so that a
//! file of another bundle does not fit here. The last line is `{"end":{"links":3,"hash":".."}}`: a file that was cut off
//! between two runs is seen as well.
//!
//! A chain alone does not stop those who write it anew from the beginning: the signature and replaying do.

use mainstay_metric::ledger::Line;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

/// Evidence compresses well at any level; this one is quick.
const LEVEL: i32 = 3;
/// More than any unit writes. A file that unpacks to more is not read to its end.
const UNPACKED_BYTES_MAX: u64 = 4 << 30;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Closing {
    Link(Link),
    End(Last),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    seq: u64,
    lines: u64,
    prev: String,
    hash: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    links: u64,
    hash: String,
}

/// A line, with where it stands.
pub(crate) struct At<'a> {
    /// From 1.
    pub(crate) number: u64,
    /// As it is written.
    pub(crate) text: &'a str,
    /// What it says.
    pub(crate) line: Line,
}

/// The chain so far.
struct Chain {
    seq: u64,
    prev: String,
    lines: u64,
    hash: Sha256,
}

impl Chain {
    fn new(genesis: &str) -> Chain {
        Chain { seq: 0, prev: genesis.to_owned(), lines: 0, hash: Sha256::new() }
    }

    fn add(&mut self, text: &str) {
        self.lines += 1;
        self.hash.update(text.as_bytes());
        self.hash.update(b"\n");
    }

    fn link(&mut self) -> Link {
        let lines = std::mem::take(&mut self.lines);
        let block = hex(&std::mem::take(&mut self.hash).finalize());
        let hash = digest(format!("{}\n{}\n{lines}\n{block}\n", self.prev, self.seq).as_bytes());
        let link = Link { seq: self.seq, lines, prev: std::mem::replace(&mut self.prev, hash.clone()), hash };
        self.seq += 1;
        link
    }

    fn last(&self) -> Last {
        Last { links: self.seq, hash: self.prev.clone() }
    }
}

/// SHA-256, in hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A unit's lines as a file. The same lines and genesis give the same bytes.
pub(crate) fn pack(genesis: &str, lines: &[Line]) -> Result<Vec<u8>, String> {
    let mut out = zstd::Encoder::new(Vec::new(), LEVEL).map_err(|error| format!("zstd: {error}"))?;
    let mut chain = Chain::new(genesis);
    let mut put = |text: &str| writeln!(out, "{text}").map_err(|error| format!("zstd: {error}"));
    for line in lines {
        let text = json(line)?;
        chain.add(&text);
        put(&text)?;
        if matches!(line, Line::End(_)) {
            put(&json(&Closing::Link(chain.link()))?)?;
        }
    }
    put(&json(&Closing::End(chain.last()))?)?;
    out.finish().map_err(|error| format!("zstd: {error}"))
}

fn json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

/// Every line of a file, one after the other, with its chain checked against `genesis`; without one it is only read. Errors
/// name the line.
pub(crate) fn each(
    path: &Path,
    genesis: Option<&str>,
    see: &mut dyn FnMut(At<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let unpacked = zstd::Decoder::new(file).map_err(|error| format!("zstd: {error}"))?.take(UNPACKED_BYTES_MAX);
    let mut chain = Chain::new(genesis.unwrap_or_default());
    let mut ended = false;
    for (n, text) in (1..).zip(BufReader::new(unpacked).lines()) {
        let at = |what: String| format!("line {n}: {what}");
        let text = text.map_err(|error| at(error.to_string()))?;
        if ended {
            return Err(at("comes after the end of the chain".into()));
        }
        if !text.starts_with("{\"line\":") {
            let closing: Closing = serde_json::from_str(&text).map_err(|error| at(error.to_string()))?;
            ended = matches!(closing, Closing::End(_));
            if genesis.is_some() {
                check(&mut chain, &closing).map_err(at)?;
            }
            continue;
        }
        chain.add(&text);
        let line: Line = serde_json::from_str(&text).map_err(|error| at(error.to_string()))?;
        see(At { number: n, text: &text, line }).map_err(at)?;
    }
    if ended { Ok(()) } else { Err("is cut off: the end of its chain is missing".into()) }
}

fn check(chain: &mut Chain, closing: &Closing) -> Result<(), String> {
    match closing {
        Closing::Link(told) => {
            let link = chain.link();
            if *told == link {
                return Ok(());
            }
            let what = if told.seq != link.seq {
                format!("link {} stands where {} should", told.seq, link.seq)
            } else if told.prev != link.prev {
                format!("link {} does not follow what is before it", told.seq)
            } else if told.lines != link.lines {
                format!("link {} closes {} lines and {} are there", told.seq, told.lines, link.lines)
            } else {
                format!("link {} is not over the lines that are there", told.seq)
            };
            Err(format!("the chain is broken: {what}"))
        }
        Closing::End(told) if chain.lines > 0 => Err(format!(
            "the chain is broken: {} lines before its end ({} links) are in no link",
            chain.lines, told.links
        )),
        Closing::End(told) if *told == chain.last() => Ok(()),
        Closing::End(told) => {
            Err(format!("the chain is broken: it ends after {} links and says {}", chain.seq, told.links))
        }
    }
}

/// All lines of a packed file.
pub(crate) fn unpack(bytes: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    let decoder = zstd::Decoder::new(bytes).map_err(|error| format!("zstd: {error}"))?;
    decoder.take(UNPACKED_BYTES_MAX).read_to_string(&mut text).map_err(|error| format!("zstd: {error}"))?;
    Ok(text)
}
