//! Releases with made-up programs: how they are packed, and what is found wrong with one.

use super::record::{Database, FORMAT, Record};
use super::verify::{check, packed};
use super::{BINARIES, File, Tree, archive, deb, evidence, record, sums, twice};
use crate::gate::raw::digest;
use crate::gate::sign::{Secret, Signed};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// 2026-01-02 03:04:05 UTC.
const TIME_S: u64 = 1_767_323_045;
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn key() -> Secret {
    Secret::of([7; 32])
}

fn record_of(tree: &Tree) -> Record {
    Record {
        format: FORMAT,
        id: record::id("1.2.3", COMMIT, false).expect("a name"),
        version: "1.2.3".into(),
        commit: COMMIT.into(),
        dirty: false,
        commit_time: "2026-01-02T03:04:05Z".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        toolchain: "rustc 1.95.0".into(),
        cargo_lock_sha256: digest(b"lock"),
        binaries: BINARIES.iter().map(|path| ((*path).to_owned(), digest(&tree[*path].bytes))).collect(),
        config_schema_sha256: digest(b"schema"),
        default_config_hash: digest(b"config"),
        database: Database { schema: 4, min_reader: 4, min_writer: 4 },
        tests: None,
        gate: None,
        sbom_sha256: None,
    }
}

fn unsealed() -> Tree {
    let mut tree: Tree = [
        ("etc/mainstay.toml", "state_dir = \"/var/lib/mainstay\"\n"),
        ("share/completions/_mainstay", "#compdef mainstay\n"),
        ("share/doc/LICENSE", "MIT\n"),
        ("share/doc/README.md", "# Mainstay\n"),
        ("share/man/man1/mainstay.1", ".TH mainstay 1\n"),
        ("systemd/mainstay.service", "[Unit]\n"),
    ]
    .map(|(path, text)| (path.to_owned(), File::plain(text)))
    .into();
    for path in BINARIES {
        tree.insert(path.to_owned(), File::program(format!("program {path}").into_bytes()));
    }
    let text = record::text(&record_of(&tree));
    tree.insert(record::NAME.to_owned(), File::plain(text));
    tree
}

fn tree() -> Tree {
    let mut tree = unsealed();
    sums::seal(&mut tree, Some(&key()));
    tree
}

fn archive_of(tree: &Tree) -> Vec<u8> {
    archive::pack(tree, &format!("mainstay-{}/", record_of(tree).id), TIME_S).expect("packed")
}

fn package_of(tree: &Tree) -> Vec<u8> {
    let text = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/deb").join(name);
        std::fs::read_to_string(path).expect("readable")
    };
    let (control, postinst) = (text("control"), text("postinst"));
    let templates = deb::Templates { control, postinst, licence: "MIT\n".into() };
    deb::pack(tree, &record_of(tree), &templates, (2, 36), TIME_S).expect("packed")
}

/// A program of this machine, run in a folder; none: it is not installed, which is said.
fn tool(folder: &Path, program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).current_dir(folder).env("TZ", "UTC").env("LC_ALL", "C").output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: {program}: {error}");
            None
        }
    }
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn lay_out(tree: &Tree, folder: &Path, backwards: bool) {
    let mut files: Vec<_> = tree.iter().collect();
    if backwards {
        files.reverse();
    }
    for (path, file) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
        std::fs::write(&path, &file.bytes).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(file.mode())).expect("set");
    }
}

#[test]
fn a_tree_has_one_archive_whatever_the_order_and_time_in_which_its_files_were_written() {
    let tree = tree();
    let archives = [false, true].map(|backwards| {
        let folder = tempfile::tempdir().expect("a folder");
        lay_out(&tree, folder.path(), backwards);
        if backwards {
            let old = std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
            let file = std::fs::File::options().write(true).open(folder.path().join("etc/mainstay.toml"));
            file.expect("opened").set_times(old).expect("set");
        }
        archive_of(&super::verify::folder(folder.path()).expect("read"))
    });
    assert_eq!(archives[0], archive_of(&tree));
    assert_eq!(archives[0], archives[1]);
    assert_eq!(package_of(&tree), package_of(&tree));
}

#[test]
fn what_was_packed_is_what_is_unpacked_and_it_is_verified() {
    let tree = tree();
    for bytes in [archive_of(&tree), package_of(&tree)] {
        let verified = packed(&bytes, Some(&key().public())).expect("verified");
        assert_eq!(verified.record, record_of(&tree));
        assert_eq!(verified.signed, Signed::Vouched(key().public()));
        assert_eq!(verified.files, tree.len());
    }
    assert_eq!(packed(&archive_of(&tree), None).expect("verified").signed, Signed::By(key().public()));
    let mut unsigned = unsealed();
    sums::seal(&mut unsigned, None);
    assert_eq!(check(&unsigned, None).expect("verified").signed, Signed::No);
}

#[test]
fn tar_shows_root_the_modes_and_the_time_of_the_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.tar.gz"), archive_of(&tree())).expect("written");
    let Some(output) = tool(folder.path(), "tar", &["--numeric-owner", "-tvzf", "a.tar.gz"]) else { return };
    let listed = said(&output);
    let line = |end: &str| listed.lines().find(|line| line.ends_with(end)).unwrap_or_else(|| panic!("{end}: {listed}"));
    assert!(line("/bin/mainstay").starts_with("-rwxr-xr-x 0/0"), "{listed}");
    assert!(line("/etc/mainstay.toml").starts_with("-rw-r--r-- 0/0"), "{listed}");
    assert!(line("-0123456789ab/").starts_with("drwxr-xr-x 0/0"), "{listed}");
    assert!(listed.lines().all(|line| line.contains("2026-01-02 03:04")), "{listed}");
}

#[test]
fn sha256sum_accepts_the_digests_and_sees_an_edited_file() {
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(&tree(), folder.path(), false);
    let sums = ["--check", "--strict", "--quiet", sums::NAME];
    let Some(output) = tool(folder.path(), "sha256sum", &sums) else { return };
    said(&output);
    std::fs::write(folder.path().join("etc/mainstay.toml"), "state_dir = \"/tmp\"\n").expect("written");
    assert!(tool(folder.path(), "sha256sum", &sums).is_some_and(|output| !output.status.success()));
}

#[test]
fn dpkg_reads_the_package_and_its_files_are_the_tree() {
    let (folder, tree) = (tempfile::tempdir().expect("a folder"), tree());
    std::fs::write(folder.path().join("a.deb"), package_of(&tree)).expect("written");
    let fields = ["--field", "a.deb", "Package", "Version", "Architecture", "Depends", "Maintainer"];
    let Some(output) = tool(folder.path(), "dpkg-deb", &fields) else { return };
    let expected = "Package: mainstay\nVersion: 1.2.3+20260102030405.0123456789ab\nArchitecture: amd64\n\
                    Depends: libc6 (>= 2.36)\nMaintainer: Mainstay\n";
    assert_eq!(said(&output), expected);
    said(&tool(folder.path(), "dpkg-deb", &["--extract", "a.deb", "root"]).expect("as before"));
    let unpacked = super::verify::folder(&folder.path().join("root/usr/lib/mainstay/release")).expect("read");
    assert_eq!(unpacked, tree);
    said(&tool(folder.path(), "dpkg-deb", &["--control", "a.deb", "control"]).expect("as before"));
    let script = std::fs::metadata(folder.path().join("control/postinst")).expect("there");
    assert_eq!(script.permissions().mode() & 0o777, 0o755);
}

#[test]
fn later_commits_are_newer_packages() {
    let mut record = record_of(&tree());
    let first = deb::version(&record);
    (record.commit_time, record.commit) = ("2026-01-02T03:04:06Z".into(), "0".repeat(40));
    let second = deb::version(&record);
    record.version = "1.2.3-rc.1".into();
    record.commit_time = "2027-01-02T03:04:06Z".into();
    let candidate = deb::version(&record);
    let here = Path::new(".");
    for (newer, older) in [(&second, &first), (&first, &candidate)] {
        let Some(output) = tool(here, "dpkg", &["--compare-versions", newer, "gt", older]) else { return };
        assert!(output.status.success(), "{newer} should be newer than {older}");
    }
}

#[test]
fn release_json_is_canonical_and_passes_over_what_is_not_known() {
    let record = record_of(&tree());
    let text = record::text(&record);
    assert!(text.starts_with("{\n  \"binaries\": {\n    \"bin/mainstay\": "), "{text}");
    assert!(text.ends_with("\n}\n"));
    assert_eq!(record::read(text.as_bytes()), Ok(record.clone()));
    let later = text.replace("  \"commit\":", "  \"ci\": 1,\n  \"commit\":");
    assert_eq!(record::read(later.as_bytes()), Ok(record));
    for (text, part) in [
        (text.replace("  ", " "), "not as releases write it"),
        (text.replace("\"format\": 1", "\"format\": 2"), "format 2"),
        (text.replace("\"version\"", "\"versions\""), "version"),
        ("[]\n".to_owned(), "format"),
    ] {
        assert!(record::read(text.as_bytes()).is_err_and(|error| error.contains(part)), "{part}");
    }
}

#[test]
fn a_name_is_one_that_a_folder_can_have() {
    assert_eq!(record::id("0.1.0", COMMIT, true).as_deref(), Ok("0.1.0-0123456789ab-dirty"));
    assert!(record::id("0.1.0+x", COMMIT, false).is_err());
    assert!(record::id("0.1.0/..", COMMIT, false).is_err());
    assert!(record::id("0.1.0", "0123", false).is_err());
    assert!(record::id(&"1".repeat(80), COMMIT, false).is_err());
}

/// Somebody who has the files and not the key.
#[test]
fn whatever_is_changed_is_found_and_named() {
    type Change = fn(&mut Tree);
    fn edit(tree: &mut Tree, path: &str, from: &str, to: &str) {
        let file = tree.get_mut(path).expect("there");
        let text = String::from_utf8(file.bytes.clone()).expect("text");
        assert!(text.contains(from), "{path} has no {from:?}");
        file.bytes = text.replace(from, to).into_bytes();
    }
    fn sum_again(tree: &mut Tree) {
        let sums = sums::text(tree);
        tree.insert(sums::NAME.into(), File::plain(sums));
    }
    let changes: [(Change, &str); 14] = [
        (|tree| tree.get_mut("bin/mainstay").expect("there").bytes[3] ^= 1, "bin/mainstay: not the file"),
        (|tree| _ = tree.remove("systemd/mainstay.service"), "systemd/mainstay.service: missing"),
        (|tree| _ = tree.remove("bin/mainstay-shim"), "bin/mainstay-shim: missing"),
        (|tree| _ = tree.insert("share/doc/NEW.md".into(), File::plain("x")), "share/doc/NEW.md: SHA256SUMS does not"),
        (|tree| _ = tree.insert("bin/other".into(), File::program(vec![1])), "bin/other: has no place"),
        (|tree| tree.get_mut("bin/mainstay").expect("there").runs = false, "bin/mainstay: can't be run"),
        (|tree| tree.get_mut("etc/mainstay.toml").expect("there").runs = true, "can be run"),
        (|tree| edit(tree, "release.json", "\"dirty\": false", "\"dirty\": true"), "release.json: not the file"),
        (
            |tree| {
                edit(tree, "release.json", "\"dirty\": false", "\"dirty\": true");
                sum_again(tree);
            },
            "SHA256SUMS.sig: not a signature",
        ),
        (
            |tree| {
                edit(tree, "release.json", "\"dirty\": false", "\"dirty\": true");
                tree.remove(sums::SIGNATURE);
                sum_again(tree);
            },
            "SHA256SUMS.sig: missing",
        ),
        (|tree| sums::seal(tree, Some(&Secret::of([8; 32]))), "SHA256SUMS.sig: signed by"),
        (|tree| edit(tree, sums::SIGNATURE, "ed25519", "none"), "only ed25519 is known"),
        (|tree| _ = tree.insert(sums::SIGNATURE.into(), File::plain("{}")), "SHA256SUMS.sig: no signature"),
        (|tree| _ = tree.remove(sums::NAME), "SHA256SUMS: missing"),
    ];
    for (change, expected) in changes {
        let mut tree = tree();
        change(&mut tree);
        let found = packed(&archive_of_any(&tree), Some(&key().public()));
        assert!(found.as_ref().is_err_and(|error| error.contains(expected)), "{expected}: {found:?}");
    }
}

/// The folder is named by what the release was before it was changed.
fn archive_of_any(tree: &Tree) -> Vec<u8> {
    archive::pack(tree, "mainstay-1.2.3-0123456789ab/", TIME_S).expect("packed")
}

/// Even the key's owner can't sign what does not agree with itself.
#[test]
fn what_release_json_says_is_held_against_the_files() {
    type Lie = fn(&mut Record);
    let lies: [(Lie, &str); 5] = [
        (|record| record.id = "1.2.3-ffffffffffff".into(), "id \"1.2.3-ffffffffffff\""),
        (|record| record.dirty = true, "make it \"1.2.3-0123456789ab-dirty\""),
        (|record| record.commit = "main".into(), "no commit id"),
        (|record| _ = record.binaries.insert("bin/mainstay".into(), digest(b"x")), "another digest for bin/mainstay"),
        (|record| _ = record.binaries.insert("bin/third".into(), digest(b"x")), "bin/third is no program"),
    ];
    for (lie, expected) in lies {
        let mut tree = unsealed();
        let mut record = record_of(&tree);
        lie(&mut record);
        tree.insert(record::NAME.into(), File::plain(record::text(&record)));
        sums::seal(&mut tree, Some(&key()));
        let found = check(&tree, None);
        assert!(found.as_ref().is_err_and(|error| error.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn what_is_no_release_is_refused_with_words() {
    let tree = tree();
    let whole = archive_of(&tree);
    let elsewhere = archive::pack(&tree, "mainstay-1.0.0-000000000000/", TIME_S).expect("packed");
    let mut two = tree.iter().map(|(path, file)| (format!("a/{path}"), file.clone())).collect::<Tree>();
    two.insert("b/x".into(), File::plain("x"));
    for (bytes, part) in [
        (b"PK".to_vec(), "neither an archive"),
        (whole[..whole.len() / 2].to_vec(), "cut off"),
        (elsewhere, "is named mainstay-1.2.3-0123456789ab"),
        (archive::pack(&two, "", TIME_S).expect("packed"), "a second folder"),
        (b"!<arch>\n".to_vec(), "debian-binary: missing"),
        (archive_with("mainstay/../../etc/passwd", tar::EntryType::Regular, 0), "no plain path"),
        (archive_with("/etc/passwd", tar::EntryType::Regular, 0), "no plain path"),
        (archive_with("mainstay/link", tar::EntryType::Symlink, 0), "neither a file nor a folder"),
        (archive_with("mainstay/x", tar::EntryType::Regular, 1000), "not to root"),
    ] {
        let found = packed(&bytes, None);
        assert!(found.as_ref().is_err_and(|error| error.contains(part)), "{part}: {found:?}");
    }
}

/// An archive as somebody with bad intentions makes it.
fn archive_with(path: &str, kind: tar::EntryType, user: u64) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(user);
    header.set_gid(0);
    header.set_size(0);
    header.set_cksum();
    let gzip = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    builder.append(&header, std::io::empty()).expect("appended");
    builder.into_inner().and_then(flate2::write::GzEncoder::finish).expect("packed")
}

#[test]
fn a_package_says_of_itself_what_its_release_does() {
    let record = record_of(&tree());
    let (_, control) = deb::unpack(&package_of(&tree())).expect("unpacked");
    assert_eq!(deb::check(&control, &record), Ok(()));
    let other = control.replace("Version: 1.2.3", "Version: 1.2.4");
    assert!(deb::check(&other, &record).is_err_and(|error| error.contains("Version is 1.2.4")));
    assert!(deb::check("", &record).is_err_and(|error| error.contains("Package is missing")));
}

#[test]
fn each_test_of_a_report_is_counted_once_by_the_worst_that_is_said_of_it() {
    let report = r#"<?xml version="1.0"?><testsuites><testsuite name="a">
        <testcase name="good"/><testcase name="also good"><system-out>failure</system-out></testcase>
        <testcase name="bad"><failure/><skipped/></testcase><testcase name="broken"><error/></testcase>
        <testcase name="left out"><skipped/></testcase></testsuite></testsuites>"#;
    let tests = evidence::tests(report.as_bytes()).expect("counted");
    assert_eq!((tests.passed, tests.failed, tests.skipped), (2, 2, 1));
    assert_eq!(tests.report_sha256, digest(report.as_bytes()));
    assert!(evidence::tests(b"<testsuites/>").is_err_and(|error| error.contains("no test")));
    assert!(evidence::tests(b"<testsuites>").is_err_and(|error| error.contains("no report")));
}

#[test]
fn the_first_difference_is_in_a_program_before_it_is_in_what_is_said_of_it() {
    let (one, mut other) = (tree(), unsealed());
    other.get_mut("bin/mainstay-shim").expect("there").bytes[8] = b'X';
    let text = record::text(&record_of(&other));
    other.insert(record::NAME.into(), File::plain(text));
    sums::seal(&mut other, Some(&key()));
    let expected = "bin/mainstay-shim differs from byte 8 on; it has 25 and 25 bytes";
    assert_eq!(twice::difference(&one, &other).as_deref(), Some(expected));
    assert_eq!(twice::difference(&one, &one), None);
    other = one.clone();
    other.remove("share/doc/README.md");
    assert_eq!(twice::difference(&one, &other).as_deref(), Some("share/doc/README.md is only in one of them"));
}
