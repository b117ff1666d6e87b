//! Who vouches for a release: an Ed25519 signature over `SHA256SUMS`, by a key that was known before.

use crate::hex::hex;
use crate::release::tree::SIGNATURE;
use ed25519_compact::{PublicKey, Signature};
use serde::Deserialize;
use std::path::Path;

/// What the file of a signature says.
#[derive(Deserialize)]
struct Signed {
    algorithm: String,
    /// The public key, in hex.
    key: String,
    /// The signature, in hex.
    signature: String,
}

/// The key of a signature over `sums`: one of the `trusted` ones, where there are any. None where nothing is signed, and
/// nothing has to be.
pub(super) fn check(sums: &[u8], signature: Option<&[u8]>, trusted: &[String]) -> Result<Option<String>, String> {
    let Some(text) = signature else {
        return match trusted {
            [] => Ok(None),
            _ => Err(format!("it has no {SIGNATURE}, and a key that is trusted has to vouch for it")),
        };
    };
    let wrong = |why: &str| format!("{SIGNATURE}: {why}");
    let signed: Signed = serde_json::from_slice(text).map_err(|error| wrong(&error.to_string()))?;
    if signed.algorithm != "ed25519" {
        return Err(wrong(&format!("{:?} is no algorithm that is known", signed.algorithm)));
    }
    let broken = || wrong("it is no signature over these files by the key that it names");
    let key: [u8; 32] = bytes(&signed.key).ok_or_else(broken)?;
    let signature: [u8; 64] = bytes(&signed.signature).ok_or_else(broken)?;
    PublicKey::new(key).verify(sums, &Signature::new(signature)).map_err(|_| broken())?;
    let key = hex(&key);
    if trusted.is_empty() || trusted.contains(&key) {
        return Ok(Some(key));
    }
    Err(wrong(&format!("signed by {key}, which is none of the keys that are trusted")))
}

/// A public key: 64 hex digits, or a file that has them.
pub(super) fn key(text: &str) -> Result<String, String> {
    match bytes::<32>(text.trim()) {
        Some(key) => Ok(hex(&key)),
        None => key_of(Path::new(text)),
    }
}

/// The public key in a file.
pub(super) fn key_of(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("the key {shown} can't be read: {error}"))?;
    let key = bytes::<32>(text.trim()).ok_or_else(|| format!("{shown} has no public key in it: 64 hex digits"))?;
    Ok(hex(&key))
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_compact::{KeyPair, Seed};

    fn pair(seed: u8) -> (String, KeyPair) {
        let pair = KeyPair::from_seed(Seed::new([seed; 32]));
        (hex(&*pair.pk), pair)
    }

    fn signed(sums: &[u8], by: &KeyPair, named: &str) -> Vec<u8> {
        let signature = hex(&*by.sk.sign(sums, None));
        format!(r#"{{"algorithm":"ed25519","key":"{named}","signature":"{signature}"}}"#).into_bytes()
    }

    #[test]
    fn only_a_trusted_key_over_the_very_files_vouches() {
        let ((ours, our_pair), (theirs, their_pair)) = (pair(1), pair(2));
        let good = signed(b"sums", &our_pair, &ours);
        let trusted = std::slice::from_ref(&ours);
        assert_eq!(check(b"sums", Some(&good), trusted), Ok(Some(ours.clone())));
        assert_eq!(check(b"sums", Some(&good), &[]), Ok(Some(ours.clone())));
        assert_eq!(check(b"sums", None, &[]), Ok(None));
        for (sums, signature, said) in [
            (&b"sums"[..], None, "has to vouch"),
            (b"sums", Some(signed(b"sums", &their_pair, &theirs)), "none of the keys"),
            (b"sums", Some(signed(b"sums", &their_pair, &ours)), "no signature over these files"),
            (b"other", Some(good.clone()), "no signature over these files"),
            (b"sums", Some(b"{}".to_vec()), "missing field"),
            (b"sums", Some(br#"{"algorithm":"rot13","key":"","signature":""}"#.to_vec()), "rot13"),
            (b"sums", Some(br#"{"algorithm":"ed25519","key":"","signature":""}"#.to_vec()), "no signature over"),
        ] {
            let error = check(sums, signature.as_deref(), trusted).expect_err("nobody vouches");
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_key_is_given_as_such_or_as_a_file() {
        let (ours, _) = pair(1);
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), format!("{ours}\n")).expect("write");
        assert_eq!(key(&ours), Ok(ours.clone()));
        assert_eq!(key(file.path().to_str().expect("text")), Ok(ours));
        std::fs::write(file.path(), "hello").expect("write");
        assert!(key_of(file.path()).is_err_and(|why| why.contains("64 hex digits")));
        assert!(key("nowhere").is_err_and(|why| why.contains("can't be read")));
    }
}
