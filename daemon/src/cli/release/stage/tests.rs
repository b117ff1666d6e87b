//! What is staged is whole, and nothing of an archive reaches beyond its folder.

use super::super::root::Root;
use super::*;
use crate::hex::hex;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tar::{Builder, EntryType, Header};

const ID: &str = "0.1.0-aaaaaaaaaaaa";

/// Files of a release, with what is listed of them.
fn release(id: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::from([
        ("bin/mainstay".to_owned(), b"program".to_vec()),
        ("bin/mainstay-shim".to_owned(), b"shim".to_vec()),
        ("share/doc/README.md".to_owned(), b"read me".to_vec()),
    ]);
    let binaries: BTreeMap<&String, String> =
        files.iter().take(2).map(|(path, bytes)| (path, hex(&Sha256::digest(bytes)))).collect();
    let manifest = json!({
        "format": 1, "id": id, "target": format!("{}-unknown-linux-gnu", std::env::consts::ARCH), "binaries": binaries,
        "database": { "schema": 5, "min_reader": 5, "min_writer": 5 },
    });
    files.insert("release.json".to_owned(), manifest.to_string().into_bytes());
    listed(files)
}

/// The same with `SHA256SUMS` made anew.
fn listed(mut files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    files.remove("SHA256SUMS");
    let sums: String = files.iter().map(|(path, bytes)| format!("{}  {path}\n", hex(&Sha256::digest(bytes)))).collect();
    files.insert("SHA256SUMS".to_owned(), sums.into_bytes());
    files
}

type Archive = Builder<GzEncoder<Vec<u8>>>;

fn header(kind: EntryType, path: &[u8], bytes: usize) -> Header {
    let mut header = Header::new_gnu();
    // Not by the crate, which would not write what is wrong.
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.set_entry_type(kind);
    header.set_size(bytes as u64);
    header.set_mode(0o755);
    header.set_cksum();
    header
}

fn put(archive: &mut Archive, kind: EntryType, path: &str, content: &[u8]) {
    archive.append(&header(kind, path.as_bytes(), content.len()), content).expect("written");
}

/// The whole release in its folder, with something more.
fn archive(more: impl FnOnce(&mut Archive)) -> Vec<u8> {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    put(&mut archive, EntryType::Directory, &format!("mainstay-{ID}/"), b"");
    for (path, content) in release(ID) {
        put(&mut archive, EntryType::Regular, &format!("mainstay-{ID}/{path}"), &content);
    }
    more(&mut archive);
    archive.into_inner().and_then(GzEncoder::finish).expect("written")
}

struct Here {
    dir: tempfile::TempDir,
    root: Root,
}

fn here() -> Here {
    let dir = tempfile::tempdir().expect("a folder");
    let root = Root::new(&dir.path().join("opt")).unwrap_or_else(|fatal| panic!("{fatal}"));
    Here { dir, root }
}

impl Here {
    fn stage(&self, from: &Path, more: &[&str]) -> Result<(), String> {
        let line = [&["release", "stage", from.to_str().expect("text")], more].concat();
        let matches = super::super::command().try_get_matches_from(line).expect("understood");
        let (_, matches) = matches.subcommand().expect("stage");
        let options = Options { config: None, json: true, quiet: true, color: clap::ColorChoice::Never };
        stage(matches, &self.root, &options).map(drop).map_err(|fatal| fatal.text)
    }

    fn archive(&self, bytes: &[u8]) -> Result<(), String> {
        let path = self.dir.path().join("release.tar.gz");
        fs::write(&path, bytes).expect("write");
        self.stage(&path, &[])
    }

    fn folder(&self, files: &BTreeMap<String, Vec<u8>>) -> PathBuf {
        let folder = self.dir.path().join("unpacked");
        let _ = fs::remove_dir_all(&folder);
        for (path, content) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, content).expect("write");
        }
        folder
    }

    /// Releases in place, and what was left on the way.
    fn placed(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join("opt/releases")).expect("there");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }
}

#[test]
fn an_archive_is_put_in_place_for_nobody_to_change_and_the_same_again_is_no_other() {
    let here = here();
    let id = Id::new(ID).expect("an id");
    assert_eq!(here.archive(&archive(|_| {})), Ok(()));
    let program = here.root.folder(&id).join("bin/mainstay");
    assert_eq!(fs::metadata(&program).expect("there").permissions().mode() & 0o777, 0o555);
    assert_eq!(here.root.known().map(|known| known.releases.len()).ok(), Some(1));
    assert_eq!(here.archive(&archive(|_| {})), Ok(()));
    assert_eq!(here.stage(&here.folder(&release(ID)), &[]), Ok(()), "unpacked it is the same");
    assert_eq!(here.root.known().map(|known| known.releases.len()).ok(), Some(1));
    let mut other = release(ID);
    other.insert("share/doc/README.md".to_owned(), b"read me again".to_vec());
    let refused = here.stage(&here.folder(&listed(other)), &[]).expect_err("another release of that id");
    assert!(refused.contains("one id has to mean one release"), "{refused}");
    assert_eq!(here.placed(), [ID]);
    // Known again, though what was known is gone.
    fs::remove_file(here.dir.path().join("opt/state.json")).expect("removed");
    assert_eq!(here.archive(&archive(|_| {})), Ok(()));
    assert_eq!(here.root.known().map(|known| known.releases.len()).ok(), Some(1));
}

#[test]
fn nothing_of_an_archive_reaches_beyond_its_folder() {
    let top = format!("mainstay-{ID}");
    let cases: [(&str, String, EntryType, &str); 12] = [
        ("up", format!("{top}/../evil"), EntryType::Regular, "no plain path"),
        ("far up", format!("{top}/bin/../../../evil"), EntryType::Regular, "no plain path"),
        ("absolute", "/evil".to_owned(), EntryType::Regular, "beside the release's folder"),
        ("beside", "evil".to_owned(), EntryType::Regular, "beside the release's folder"),
        ("the folder as a file", top.clone(), EntryType::Regular, "no plain path"),
        ("twice", format!("{top}/release.json"), EntryType::Regular, "can't be written"),
        ("symbolic link", format!("{top}/evil"), EntryType::Symlink, "neither file nor folder"),
        ("hard link", format!("{top}/evil"), EntryType::Link, "neither file nor folder"),
        ("device", format!("{top}/evil"), EntryType::Char, "neither file nor folder"),
        ("pipe", format!("{top}/evil"), EntryType::Fifo, "neither file nor folder"),
        ("not listed", format!("{top}/evil"), EntryType::Regular, "evil is in no line of SHA256SUMS"),
        ("control characters", format!("{top}/a\u{1b}[2J"), EntryType::Regular, "no plain path"),
    ];
    for (case, path, kind, said) in cases {
        let here = here();
        let refused = here.archive(&archive(|archive| put(archive, kind, &path, b""))).expect_err(case);
        assert!(refused.contains(said), "{case}: {refused}");
        assert_eq!(here.placed(), Vec::<String>::new(), "{case}");
        let outside: Vec<_> = fs::read_dir(here.dir.path()).expect("there").collect();
        assert_eq!(outside.len(), 2, "{case}: the archive and opt");
    }
}

#[test]
fn what_is_no_whole_release_is_not_put_in_place() {
    let change = |name: &str, content: Option<&[u8]>, again: bool| {
        let mut files = release(ID);
        match content {
            Some(content) => _ = files.insert(name.to_owned(), content.to_vec()),
            None => _ = files.remove(name),
        }
        if again { listed(files) } else { files }
    };
    let manifest = |old: &str, new: &str| {
        let files = release(ID);
        let text = String::from_utf8_lossy(&files["release.json"]).replacen(old, new, 1);
        change("release.json", Some(text.as_bytes()), true)
    };
    let wrong_digest = manifest(&hex(&Sha256::digest(b"program")), &hex(&Sha256::digest(b"other")));
    for (files, said) in [
        (change("bin/mainstay", Some(b"other"), false), "bin/mainstay is not what SHA256SUMS says"),
        (change("bin/mainstay", None, false), "bin/mainstay is missing"),
        (change("bin/mainstay", None, true), "there is no bin/mainstay"),
        (change("SHA256SUMS", None, false), "SHA256SUMS can't be read"),
        (change("release.json", Some(b"{}"), true), "release.json can't be understood"),
        (wrong_digest, "release.json has another digest of bin/mainstay"),
        (manifest("\"format\":1", "\"format\":9"), "has format 9"),
        (manifest(std::env::consts::ARCH, "vax"), "it is built for vax"),
    ] {
        let here = here();
        let refused = here.stage(&here.folder(&files), &[]).expect_err(said);
        assert!(refused.contains(said), "{said}: {refused}");
        assert_eq!(here.placed(), Vec::<String>::new(), "{said}");
    }
    let here = here();
    let folder = here.folder(&release(ID));
    symlink("/etc/passwd", folder.join("share/link")).expect("a link");
    assert!(here.stage(&folder, &[]).is_err_and(|why| why.contains("share/link is neither file nor folder")));
    for (bytes, said) in [(&b"hello"[..], "can't be read as an archive"), (&archive(|_| {})[..200], "")] {
        assert!(here.archive(bytes).is_err_and(|why| why.contains(said)), "{said}");
    }
    let nowhere = here.stage(Path::new("/nowhere"), &[]).expect_err("nothing is there");
    assert!(nowhere.contains("it can't be read"), "{nowhere}");
    assert_eq!(here.placed(), Vec::<String>::new());
}

#[test]
fn where_a_key_is_trusted_it_has_to_vouch() {
    use ed25519_compact::{KeyPair, Seed};
    let here = here();
    let (ours, theirs) = (KeyPair::from_seed(Seed::new([1; 32])), KeyPair::from_seed(Seed::new([2; 32])));
    let signed = |by: &KeyPair| {
        let mut files = release(ID);
        let signature = hex(&*by.sk.sign(&files["SHA256SUMS"], None));
        let text = json!({ "algorithm": "ed25519", "key": hex(&*by.pk), "signature": signature }).to_string();
        files.insert("SHA256SUMS.sig".to_owned(), text.into_bytes());
        here.folder(&files)
    };
    let keys = here.dir.path().join("opt/keys");
    fs::create_dir_all(&keys).expect("made");
    fs::write(keys.join("ours.pub"), format!("{}\n", hex(&*ours.pk))).expect("write");
    let unsigned = here.stage(&here.folder(&release(ID)), &[]).expect_err("nobody vouches");
    assert!(unsigned.contains("has to vouch"), "{unsigned}");
    assert!(here.stage(&signed(&theirs), &[]).is_err_and(|why| why.contains("none of the keys")));
    assert!(here.stage(&signed(&ours), &["--key", "rubbish"]).is_err_and(|why| why.contains("can't be read")));
    assert_eq!(here.placed(), Vec::<String>::new());
    assert_eq!(here.stage(&signed(&ours), &[]), Ok(()));
    let known = here.root.known().map(|known| known.releases[0].signed_by.clone()).ok().flatten();
    assert_eq!(known, Some(hex(&*ours.pk)));
}

#[test]
fn a_signature_by_a_key_that_nobody_here_knows_is_no_proof_and_that_is_said() {
    let said = |signed_by, no_key| doubt(signed_by, no_key, Path::new("/opt/mainstay/keys")).unwrap_or_default();
    assert!(said(None, true).contains("not signed"));
    let unknown = said(Some("ab12"), true);
    assert!(unknown.contains("signed by ab12") && unknown.contains("/opt/mainstay/keys/NAME.pub"), "{unknown}");
    assert_eq!(said(Some("ab12"), false), "");
}
