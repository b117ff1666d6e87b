//! What lies in a release's folder: which paths may be there, and that all of it is what was signed.

use super::manifest::{MANIFEST, Manifest};
use std::collections::BTreeMap;

/// The digests of all other files.
pub const SUMS: &str = "SHA256SUMS";
/// The signature over them.
pub const SIGNATURE: &str = "SHA256SUMS.sig";
/// The program.
pub const PROGRAM: &str = "bin/mainstay";
/// Without these it is none.
const NEEDED: [&str; 3] = [MANIFEST, PROGRAM, "bin/mainstay-shim"];
/// Problems told at once: after the first ones it is clear that it is another tree.
const PROBLEMS_TOLD: usize = 5;

/// Whether a file of a release may have this path: below its folder, whatever the program that unpacks it makes of it.
///
/// # Errors
/// Why not.
pub fn check_path(path: &str) -> Result<(), String> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(char::is_control);
    if path.split('/').all(plain) { Ok(()) } else { Err(format!("{path:?} is no plain path below a folder")) }
}

/// `SHA256SUMS`: hex digests by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums(BTreeMap<String, String>);

impl Sums {
    /// Reads what `sha256sum` writes.
    ///
    /// # Errors
    /// The line that is none of its lines, or that names a path twice or one that may not be.
    pub fn parse(text: &str) -> Result<Sums, String> {
        let mut sums = BTreeMap::new();
        for (n, line) in (1..).zip(text.lines()) {
            let wrong = |why: &str| format!("{SUMS}:{n}: {why}");
            let (digest, path) = line.split_once("  ").ok_or_else(|| wrong("no line of sha256sum"))?;
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if digest.len() != 64 || !digest.bytes().all(hex) {
                return Err(wrong("no SHA-256 in small hex digits"));
            }
            check_path(path).map_err(|why| wrong(&why))?;
            if sums.insert(path.to_owned(), digest.to_owned()).is_some() {
                return Err(wrong(&format!("{path} stands there twice")));
            }
        }
        Ok(Sums(sums))
    }

    /// Holds the digests of the files that are there against it: nothing missing, nothing more, nothing else.
    ///
    /// # Errors
    /// What is not as it should be.
    pub fn compare(&self, found: &BTreeMap<String, String>) -> Result<(), String> {
        let listed = |path: &str| path != SUMS && path != SIGNATURE;
        let mut problems = Vec::new();
        for (path, digest) in &self.0 {
            match found.get(path) {
                None => problems.push(format!("{path} is missing")),
                Some(there) if there != digest => problems.push(format!("{path} is not what {SUMS} says")),
                Some(_) => {}
            }
        }
        let more = found.keys().filter(|path| listed(path) && !self.0.contains_key(*path));
        problems.extend(more.map(|path| format!("{path} is in no line of {SUMS}")));
        problems.extend(
            NEEDED.iter().filter(|path| !self.0.contains_key(**path)).map(|path| format!("there is no {path}")),
        );
        said(problems)
    }

    /// Whether the manifest names the same programs.
    ///
    /// # Errors
    /// The one that it says something else of.
    pub fn agrees(&self, manifest: &Manifest) -> Result<(), String> {
        let other = manifest.binaries.iter().filter(|(path, digest)| self.0.get(*path) != Some(*digest));
        said(other.map(|(path, _)| format!("{MANIFEST} has another digest of {path} than {SUMS}")).collect())
    }
}

fn said(mut problems: Vec<String>) -> Result<(), String> {
    let all = problems.len();
    problems.truncate(PROBLEMS_TOLD);
    if all > problems.len() {
        problems.push(format!("and {} more", all - problems.len()));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_below_the_folder_may_be() {
        for good in ["a", "a/b", "share/man/man1/mainstay.1", "..a", "a..b"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for bad in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a/.", "a\nb", "a\0"] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
    }

    fn whole() -> BTreeMap<String, String> {
        NEEDED.iter().map(|path| ((*path).to_owned(), "ab".repeat(32))).collect()
    }

    fn text(files: &BTreeMap<String, String>) -> String {
        files.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect()
    }

    #[test]
    fn nothing_may_be_missing_nothing_more_and_nothing_else() {
        let (sums, other) = (Sums::parse(&text(&whole())).expect("read"), "cd".repeat(32));
        let with = |change: fn(&mut BTreeMap<String, String>, String)| {
            let mut found = whole();
            change(&mut found, other.clone());
            sums.compare(&found).err().unwrap_or_default()
        };
        assert_eq!(with(|_, _| {}), "");
        assert_eq!(with(|f, o| _ = f.insert(SUMS.to_owned(), o)), "");
        assert_eq!(with(|f, o| _ = f.insert(SIGNATURE.to_owned(), o)), "");
        assert_eq!(with(|f, o| _ = f.insert("x".to_owned(), o)), "x is in no line of SHA256SUMS");
        assert_eq!(with(|f, o| _ = f.insert(PROGRAM.to_owned(), o)), "bin/mainstay is not what SHA256SUMS says");
        assert_eq!(with(|f, _| _ = f.remove(PROGRAM)), "bin/mainstay is missing");
        let mut few = whole();
        few.remove("bin/mainstay-shim");
        let error = Sums::parse(&text(&few)).expect("read").compare(&few).expect_err("it is no release");
        assert_eq!(error, "there is no bin/mainstay-shim");
    }

    #[test]
    fn a_manifest_says_the_same_of_its_programs() {
        let sums = Sums::parse(&text(&whole())).expect("read");
        let manifest = |digest: &str| {
            let text = format!(
                r#"{{"format":1,"id":"a","target":"t","binaries":{{"{PROGRAM}":"{digest}"}},
                    "database":{{"schema":4,"min_reader":4,"min_writer":4}}}}"#
            );
            Manifest::parse(text.as_bytes()).expect("a manifest")
        };
        assert_eq!(sums.agrees(&manifest(&"ab".repeat(32))), Ok(()));
        assert!(sums.agrees(&manifest(&"cd".repeat(32))).is_err_and(|why| why.contains(PROGRAM)));
    }

    #[test]
    fn a_list_that_is_none_is_told_of_with_its_line() {
        let good = format!("{}  a\n", "ab".repeat(32));
        for (bad, said) in [
            ("hello\n".to_owned(), ":2: no line"),
            (format!("{}  b\n", "AB".repeat(32)), ":2: no SHA-256"),
            (format!("{}  b\n", "ab".repeat(31)), ":2: no SHA-256"),
            (format!("{}  ../b\n", "ab".repeat(32)), ":2: \"../b\" is no plain path"),
            (good.clone(), ":2: a stands there twice"),
        ] {
            let error = Sums::parse(&format!("{good}{bad}")).expect_err("no list");
            assert!(error.contains(said), "{error}");
        }
    }
}
