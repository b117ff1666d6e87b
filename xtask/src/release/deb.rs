//! The Debian package: the same tree as the archive's, in a folder of its own, and a script that stages it. Three members in an
//! `ar`: the version of the format, what is said of the package, its files.

use super::needs::Version;
use super::record::Record;
use super::{File, Tree, archive};
use ar::{Archive, Builder, Header};
use std::io::Read;

/// Where the tree is in the package.
const FOLDER: &str = "usr/lib/mainstay/release/";
/// Where Debian looks for the licence.
const LICENCE: &str = "usr/share/doc/mainstay/copyright";
const FORMAT: (&str, &[u8]) = ("debian-binary", b"2.0\n");
const ABOUT: &str = "control.tar.gz";
const FILES: &str = "data.tar.gz";

/// What the repository has for it, in `deploy/deb/`, and its licence.
pub(crate) struct Templates {
    /// What is said of the package, with `@NAMES@` where this program knows better.
    pub(crate) control: String,
    /// Run when it was unpacked.
    pub(crate) postinst: String,
    /// The licence.
    pub(crate) licence: String,
}

/// The version of the package. Ids of commits have no order, so their time stands before them: a later one is newer for dpkg.
pub(crate) fn version(record: &Record) -> String {
    // A hyphen would begin a revision of Debian's; a tilde sorts before the end, as a pre-release should.
    let version = record.version.replace('-', "~");
    let time: String = record.commit_time.chars().filter(char::is_ascii_digit).collect();
    let dirty = if record.dirty { ".dirty" } else { "" };
    format!("{version}+{time}.{}{dirty}", record.commit.get(..12).unwrap_or_default())
}

/// Debian's word for the machines of a target.
pub(crate) fn architecture(target: &str) -> Result<&'static str, String> {
    match target.split('-').next() {
        Some("x86_64") => Ok("amd64"),
        Some("aarch64") => Ok("arm64"),
        Some(_) | None => {
            Err(format!("{target}: Debian's name for these machines is not known (xtask/src/release/deb.rs)"))
        }
    }
}

/// Packs a tree.
pub(crate) fn pack(
    tree: &Tree,
    record: &Record,
    templates: &Templates,
    libc: Version,
    time_s: u64,
) -> Result<Vec<u8>, String> {
    let mut files: Tree = tree.iter().map(|(path, file)| (format!("{FOLDER}{path}"), file.clone())).collect();
    files.insert(LICENCE.to_owned(), File::plain(templates.licence.as_str()));
    let bytes: usize = files.values().map(|file| file.bytes.len()).sum();
    let control = templates
        .control
        .replace("@VERSION@", &version(record))
        .replace("@ARCHITECTURE@", architecture(&record.target)?)
        .replace("@DEPENDS@", &format!("libc6 (>= {}.{})", libc.0, libc.1))
        .replace("@INSTALLED_SIZE@", &bytes.div_ceil(1024).to_string());
    if let Some(left) = control.lines().find(|line| line.contains('@')) {
        return Err(format!("deploy/deb/control: nothing is known for {left:?}"));
    }
    let about = Tree::from([
        ("control".to_owned(), File::plain(control)),
        ("postinst".to_owned(), File::program(templates.postinst.clone().into())),
    ]);
    let (format, number) = FORMAT;
    let members = [
        (format, number.to_vec()),
        (ABOUT, archive::pack(&about, "", time_s)?),
        (FILES, archive::pack(&files, "", time_s)?),
    ];
    let mut package = Builder::new(Vec::new());
    for (name, bytes) in &members {
        let mut header = Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mtime(time_s);
        header.set_mode(0o100_644);
        package.append(&header, bytes.as_slice()).map_err(|error| format!("pack {name}: {error}"))?;
    }
    package.into_inner().map_err(|error| format!("pack: {error}"))
}

/// The tree in a package, and what is said of it.
pub(crate) fn unpack(bytes: &[u8]) -> Result<(Tree, String), String> {
    let mut members = Archive::new(bytes);
    let mut member = |wanted: &str| {
        let mut entry = match members.next_entry() {
            Some(Ok(entry)) => entry,
            Some(Err(error)) => return Err(format!("{wanted}: {error}")),
            None => return Err(format!("{wanted}: missing")),
        };
        let name = String::from_utf8_lossy(entry.header().identifier()).into_owned();
        if name != wanted {
            return Err(format!("{name}: where a package has {wanted}"));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| format!("{wanted}: {error}"))?;
        Ok(bytes)
    };
    let (format, number) = FORMAT;
    if member(format)? != number {
        return Err(format!("{format}: a format that is not known"));
    }
    let about = archive::unpack(&member(ABOUT)?)?;
    let control = about.get("control").ok_or("control: missing")?;
    let control = String::from_utf8(control.bytes.clone()).map_err(|error| format!("control: {error}"))?;
    let mut tree = Tree::new();
    for (path, file) in archive::unpack(&member(FILES)?)? {
        match path.strip_prefix(FOLDER) {
            Some(path) => _ = tree.insert(path.to_owned(), file),
            None if path == LICENCE => {}
            None => return Err(format!("{path}: has no place in a package of a release")),
        }
    }
    Ok((tree, control))
}

/// Checks that a package says of itself what its release does.
pub(crate) fn check(control: &str, record: &Record) -> Result<(), String> {
    for (field, expected) in
        [("Package", "mainstay"), ("Version", &version(record)), ("Architecture", architecture(&record.target)?)]
    {
        let said = control.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
        if said != Some(expected) {
            return Err(format!("control: {field} is {}, and the release's is {expected}", said.unwrap_or("missing")));
        }
    }
    Ok(())
}
