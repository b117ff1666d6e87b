//! Signatures over manifests: Ed25519. The secret key is never in the tree; whoever verifies has the public one from elsewhere.
//!
//! A signature says who vouches for the files, and that they are the same since. It does not say that they are true:
//! replaying does.

use super::layout;
use super::raw::hex;
use ed25519_compact::{KeyPair, PublicKey, Seed, Signature};
use std::path::{Path, PathBuf};

/// The variable that has the secret key, or the path of its file.
pub(crate) const VARIABLE: &str = "MAINSTAY_GATE_KEY";
/// So that a signature over a manifest is none over anything else.
const DOMAIN: &[u8] = b"mainstay-gate-manifest-v1\n";

/// A key to sign with.
pub(crate) struct Secret(KeyPair);

impl Secret {
    /// From 32 bytes of chance.
    pub(crate) fn of(seed: [u8; 32]) -> Secret {
        Secret(KeyPair::from_seed(Seed::new(seed)))
    }

    /// From text: 64 hex digits, or the path of a file that has them.
    pub(crate) fn read(text: &str) -> Result<Secret, String> {
        key(text).map(Secret::of)
    }

    /// The public key, in hex.
    pub(crate) fn public(&self) -> String {
        hex(&*self.0.pk)
    }

    /// `MANIFEST.sig` for a manifest. The same manifest gives the same signature.
    pub(crate) fn sign(&self, manifest: &[u8]) -> String {
        format!("ed25519 {} {}\n", self.public(), self.over(&message(manifest)))
    }

    /// A signature over a message, in hex. Whoever asks sees to it that it is none over something else.
    pub(crate) fn over(&self, message: &[u8]) -> String {
        hex(&*self.0.sk.sign(message, None))
    }
}

/// What a signature came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signed {
    /// By the key that the verifier gave.
    Vouched(String),
    /// By this key, for which nobody vouches here.
    By(String),
    /// Not at all.
    No,
}

/// Checks the signature of a bundle over its manifest. With a key from outside it has to be there, and by that key.
pub(crate) fn check(manifest: &[u8], signature: Option<&str>, trusted: Option<&str>) -> Result<Signed, String> {
    let file = layout::SIGNATURE;
    let Some(text) = signature else {
        return match trusted {
            Some(_) => Err(format!("{file}: missing, and a key was given: who made the bundle signed nothing")),
            None => Ok(Signed::No),
        };
    };
    let parts: Vec<&str> = text.strip_suffix('\n').unwrap_or_default().split(' ').collect();
    let ["ed25519", public, signed] = parts[..] else {
        return Err(format!("{file}: no signature of the kind that is known"));
    };
    let broken = || format!("{file}: not a signature over this manifest by the key that it names");
    if !holds(&message(manifest), public, signed) {
        return Err(broken());
    }
    match trusted {
        None => Ok(Signed::By(public.to_owned())),
        Some(trusted) if trusted == public => Ok(Signed::Vouched(public.to_owned())),
        Some(trusted) => Err(format!("{file}: signed by {public}, and the key that was given is {trusted}")),
    }
}

/// Whether this is a signature over a message by a key, both in hex.
pub(crate) fn holds(message: &[u8], public: &str, signature: &str) -> bool {
    let key = unhex(public).and_then(|bytes| PublicKey::from_slice(&bytes).ok());
    let signature = unhex(signature).and_then(|bytes| Signature::from_slice(&bytes).ok());
    key.zip(signature).is_some_and(|(key, signature)| key.verify(message, &signature).is_ok())
}

/// A public key from outside: 64 hex digits, or the path of a file that has them.
pub(crate) fn trusted(text: &str) -> Result<String, String> {
    key(text).map(|bytes| hex(&bytes))
}

/// Makes a key: the secret one at `path`, for its owner alone, and the public one beside it. Not in the tree, where it would
/// be committed one day.
pub(crate) fn make(path: &Path, tree: &Path) -> Result<(PathBuf, String), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
    if folder.starts_with(tree) {
        return Err(format!("{}: inside the tree; keep the key elsewhere", path.display()));
    }
    let mut seed = [0_u8; 32];
    let mut filled = 0;
    while filled < seed.len() {
        filled += rustix::rand::getrandom(&mut seed[filled..], rustix::rand::GetRandomFlags::empty())
            .map_err(|error| format!("getrandom: {error}"))?;
    }
    let secret = Secret::of(seed);
    let public = path.with_extension("pub");
    new_file(path, 0o600, &hex(&seed))?;
    new_file(&public, 0o644, &secret.public())?;
    Ok((public, secret.public()))
}

fn new_file(path: &Path, mode: u32, text: &str) -> Result<(), String> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{text}\n").as_bytes()))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn key(text: &str) -> Result<[u8; 32], String> {
    let of = |text: &str| unhex(text.trim()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    if let Some(key) = of(text) {
        return Ok(key);
    }
    let read =
        std::fs::read_to_string(text).map_err(|error| format!("{text}: neither 64 hex digits nor a file: {error}"))?;
    of(&read).ok_or_else(|| format!("{text}: has no key in it, which is 64 hex digits"))
}

fn message(manifest: &[u8]) -> Vec<u8> {
    [DOMAIN, manifest].concat()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !digits || text.len() % 2 == 1 {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_one_manifest_and_by_one_key() {
        let (ours, others) = (Secret::of([1; 32]), Secret::of([2; 32]));
        let signature = ours.sign(b"m");
        assert_eq!(signature, ours.sign(b"m"));
        let ours_is = ours.public();
        assert_eq!(check(b"m", Some(&signature), Some(&ours_is)), Ok(Signed::Vouched(ours_is.clone())));
        assert_eq!(check(b"m", Some(&signature), None), Ok(Signed::By(ours_is.clone())));
        assert_eq!(check(b"m", None, None), Ok(Signed::No));
        assert!(check(b"n", Some(&signature), None).is_err());
        assert!(check(b"m", Some(&signature), Some(&others.public())).is_err());
        assert!(check(b"m", Some(&others.sign(b"m")), Some(&ours_is)).is_err());
        assert!(check(b"m", None, Some(&ours_is)).is_err());
        assert!(check(b"m", Some("ed25519 x y\n"), None).is_err());
    }

    #[test]
    fn a_key_is_not_made_in_the_tree_and_not_over_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path().canonicalize().expect("there");
        let tree = top.join("tree");
        std::fs::create_dir(&tree).expect("made");
        assert!(make(&tree.join("key"), &tree).is_err_and(|error| error.contains("inside the tree")));
        let path = top.join("key");
        let (public_file, public) = make(&path, &tree).expect("made");
        let secret = Secret::read(path.to_str().expect("text")).expect("read");
        assert_eq!(secret.public(), public);
        assert_eq!(trusted(public_file.to_str().expect("text")), Ok(public));
        assert!(make(&path, &tree).is_err(), "it is there");
    }
}
