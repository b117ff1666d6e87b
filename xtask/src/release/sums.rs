//! `SHA256SUMS`: the digest of every file, as `sha256sum -c` takes it; and the signature over it.

use super::{File, Tree};
use crate::gate::raw::digest;
use crate::gate::sign::{self, Secret, Signed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Its name in the tree.
pub(crate) const NAME: &str = "SHA256SUMS";
/// The signature's.
pub(crate) const SIGNATURE: &str = "SHA256SUMS.sig";
const ALGORITHM: &str = "ed25519";
/// Between digest and path: what was read was read as bytes or as text, which is the same here.
const BETWEEN: &str = "  ";

/// A signature.
#[derive(Debug, Serialize, Deserialize)]
struct Signature {
    algorithm: String,
    key: String,
    signature: String,
}

/// The digests of a tree: all files but itself and its signature.
pub(crate) fn text(tree: &Tree) -> String {
    let summed = tree.iter().filter(|(path, _)| !matches!(path.as_str(), NAME | SIGNATURE));
    summed.map(|(path, file)| format!("{}{BETWEEN}{path}\n", digest(&file.bytes))).collect()
}

/// Closes a tree: adds the digests, and the signature if there is a key.
pub(crate) fn seal(tree: &mut Tree, key: Option<&Secret>) {
    let sums = text(tree);
    if let Some(key) = key {
        let signature = Signature {
            algorithm: ALGORITHM.to_owned(),
            key: key.public(),
            // No other kind of message that this key signs can be taken for it: they begin with their kind.
            signature: key.over(sums.as_bytes()),
        };
        let text = serde_json::to_string(&signature).expect("words") + "\n";
        tree.insert(SIGNATURE.to_owned(), File::plain(text));
    }
    tree.insert(NAME.to_owned(), File::plain(sums));
}

/// Checks that the digests are those of the tree: nothing changed, nothing missing, nothing besides.
pub(crate) fn check(tree: &Tree) -> Result<(), String> {
    let there = tree.get(NAME).ok_or_else(|| format!("{NAME}: missing: nothing can be checked"))?;
    let sums = parse(&there.bytes)?;
    for (path, file) in tree.iter().filter(|(path, _)| !matches!(path.as_str(), NAME | SIGNATURE)) {
        match sums.get(path) {
            None => return Err(format!("{path}: {NAME} does not have it")),
            Some(sum) if *sum != digest(&file.bytes) => return Err(format!("{path}: not the file that {NAME} has")),
            Some(_) => {}
        }
    }
    if let Some(path) = sums.keys().find(|path| !tree.contains_key(*path)) {
        return Err(format!("{path}: missing, and {NAME} has it"));
    }
    match text(tree).as_bytes() == there.bytes {
        true => Ok(()),
        false => Err(format!("{NAME}: not as releases write it: sorted by path, each once")),
    }
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("{NAME}: {error}"))?;
    let line = |(n, line): (usize, &str)| {
        let (sum, path) = line.split_once(BETWEEN).ok_or_else(|| format!("{NAME} line {n}: not `digest  path`"))?;
        Ok((path.to_owned(), sum.to_owned()))
    };
    (1..).zip(text.lines()).map(line).collect()
}

/// Checks the signature. With a key from outside it has to be there, and by that key.
pub(crate) fn signed(tree: &Tree, trusted: Option<&str>) -> Result<Signed, String> {
    let Some(file) = tree.get(SIGNATURE) else {
        return match trusted {
            Some(_) => Err(format!("{SIGNATURE}: missing, and a key was given: who made the release signed nothing")),
            None => Ok(Signed::No),
        };
    };
    let sums = tree.get(NAME).ok_or_else(|| format!("{NAME}: missing: nothing can be checked"))?;
    let signature: Signature =
        serde_json::from_slice(&file.bytes).map_err(|error| format!("{SIGNATURE}: no signature: {error}"))?;
    let Signature { algorithm, key, signature } = signature;
    if algorithm != ALGORITHM {
        return Err(format!("{SIGNATURE}: {algorithm:?}, and only {ALGORITHM} is known"));
    }
    if !sign::holds(&sums.bytes, &key, &signature) {
        return Err(format!("{SIGNATURE}: not a signature over {NAME} by the key that it names"));
    }
    match trusted {
        None => Ok(Signed::By(key)),
        Some(trusted) if trusted == key => Ok(Signed::Vouched(key)),
        Some(trusted) => Err(format!("{SIGNATURE}: signed by {key}, and the key that was given is {trusted}")),
    }
}
