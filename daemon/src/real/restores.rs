//! Puts another database in the place of the one that is there: the files, and the order in which they are moved.
//!
//! Nothing is removed: what was there gets another name. A marker, written before the first move and removed after the last,
//! says which. Whoever is killed on the way leaves either the old database as it was, or none beside the marker: then no daemon
//! starts, and the next restore goes on with the same names.

use super::{ARCHIVE_NAME, ATTEMPTS_NAME, DATABASE_NAME, folder};
use crate::id::AttemptKey;
use crate::report;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Says under which name the old database is set aside, while that is under way.
const MARKER_NAME: &str = "restore-under-way";
/// How the name begins that the old database gets. It ends as that of any database, by which its log is found.
const ASIDE: &str = "mainstay.before-restore-";
/// The copy of the back-up that is to become the database.
const COPY_NAME: &str = ".mainstay-restore.db";
/// The database, and what SQLite keeps beside it. The log must not meet another database.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

/// The exchange, in a state directory that the caller holds.
pub struct Exchange {
    state_dir: PathBuf,
    /// Name of the old database from now on.
    aside: String,
    /// An earlier one was killed between its moves.
    cut_off: bool,
}

/// Whether a restore was killed between its moves: there is no database, and one that waits for its place.
pub fn is_cut_off(state_dir: &Path) -> bool {
    !state_dir.join(DATABASE_NAME).exists() && state_dir.join(MARKER_NAME).exists()
}

impl Exchange {
    /// Of now, or that which was cut off. Changes nothing.
    ///
    /// # Errors
    /// The marker of one that was cut off can't be read.
    pub fn plan(state_dir: &Path, wall_ms: i64) -> io::Result<Exchange> {
        let cut_off = is_cut_off(state_dir);
        let aside =
            if cut_off { fs::read_to_string(state_dir.join(MARKER_NAME))? } else { fresh_name(state_dir, wall_ms) };
        if !(aside.starts_with(ASIDE) && aside.ends_with(".db")) || aside.contains('/') {
            let text = format!("{} does not name a database", state_dir.join(MARKER_NAME).display());
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        Ok(Exchange { state_dir: state_dir.to_owned(), aside, cut_off })
    }

    /// Where the database that is replaced lies now, if there is one.
    pub fn replaced(&self) -> Option<PathBuf> {
        let path = if self.cut_off { self.aside() } else { self.state_dir.join(DATABASE_NAME) };
        path.exists().then_some(path)
    }

    /// Where it will lie.
    pub fn aside(&self) -> PathBuf {
        self.state_dir.join(&self.aside)
    }

    /// Finishes what one that was cut off had begun: the old database has its log beside it again, and can be read.
    ///
    /// # Errors
    /// A file can't be moved.
    pub fn go_on(&self) -> io::Result<()> {
        if self.cut_off { self.set_database_aside() } else { Ok(()) }
    }

    /// Attempts whose folders are there and that are not among `known`, with whether their shim lives.
    ///
    /// # Errors
    /// A folder can't be listed.
    pub fn later_attempts(&self, known: &BTreeSet<AttemptKey>) -> io::Result<BTreeSet<(AttemptKey, bool)>> {
        let mut later = BTreeSet::new();
        for name in [ATTEMPTS_NAME, ARCHIVE_NAME] {
            let unknown = keys(&self.state_dir.join(name))?.into_iter().filter(|key| !known.contains(key));
            later.extend(unknown.map(|key| (key, self.is_alive(name, key))));
        }
        Ok(later)
    }

    fn is_alive(&self, name: &str, key: AttemptKey) -> bool {
        name == ATTEMPTS_NAME && folder::is_locked(&self.state_dir.join(name).join(key.to_string()))
    }

    /// An empty file for the copy, in place of what a killed one may have left.
    ///
    /// # Errors
    /// It can't be made.
    pub fn begin_copy(&self) -> io::Result<PathBuf> {
        let path = self.state_dir.join(COPY_NAME);
        for end in ["", "-journal", "-wal", "-shm"] {
            match fs::remove_file(with_end(&path, end)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(path)
    }

    /// Removes a copy that came to nothing.
    pub fn give_up_copy(&self) {
        let _ = fs::remove_file(self.state_dir.join(COPY_NAME));
    }

    /// Sets the old database aside, with the folders of attempts that the new one does not know and that are over, and puts
    /// the copy, which nobody has open, in its place. Durable when it returns.
    ///
    /// # Errors
    /// A file can't be moved; the next restore goes on.
    pub fn carry_out(&self, known: &BTreeSet<AttemptKey>) -> io::Result<()> {
        let (copy, database) = (self.state_dir.join(COPY_NAME), self.state_dir.join(DATABASE_NAME));
        if let Some(end) = COMPANIONS[1..].iter().find(|end| with_end(&copy, end).exists()) {
            return Err(io::Error::other(format!("somebody has the copy open: its {end} is there")));
        }
        File::open(&copy)?.sync_all()?;
        if !self.cut_off {
            self.mark()?;
        }
        self.set_database_aside()?;
        self.set_attempts_aside(known)?;
        fs::rename(&copy, &database)?;
        self.sync()?;
        fs::remove_file(self.state_dir.join(MARKER_NAME))?;
        self.sync()
    }

    /// In one move: half a marker beside no database would be a way out for nobody.
    fn mark(&self) -> io::Result<()> {
        let (marker, new) = (self.state_dir.join(MARKER_NAME), self.state_dir.join(format!(".{MARKER_NAME}")));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(self.aside.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &marker)?;
        self.sync()
    }

    fn set_database_aside(&self) -> io::Result<()> {
        let database = self.state_dir.join(DATABASE_NAME);
        for end in COMPANIONS {
            move_aside(&with_end(&database, end), &with_end(&self.aside(), end))?;
            // Nobody may find the database without its log.
            self.sync()?;
        }
        Ok(())
    }

    /// Their numbers are given again: a later attempt must not find the folder of another.
    fn set_attempts_aside(&self, known: &BTreeSet<AttemptKey>) -> io::Result<()> {
        let to = with_end(&self.aside(), "-attempts");
        for name in [ATTEMPTS_NAME, ARCHIVE_NAME] {
            for key in keys(&self.state_dir.join(name))? {
                if known.contains(&key) || self.is_alive(name, key) {
                    continue;
                }
                DirBuilder::new().recursive(true).mode(0o700).create(&to)?;
                let key = key.to_string();
                move_aside(&self.state_dir.join(name).join(&key), &to.join(&key))?;
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.state_dir)?.sync_all()
    }
}

/// Attempts whose shim lives, by their names.
pub fn living_attempts(state_dir: &Path) -> Vec<String> {
    let live = state_dir.join(ATTEMPTS_NAME);
    let keys = keys(&live).unwrap_or_default().into_iter().map(|key| key.to_string());
    keys.filter(|key| folder::is_locked(&live.join(key))).collect()
}

/// `mainstay.before-restore-20261129T120000Z.db`, or with a number where that is taken.
fn fresh_name(state_dir: &Path, wall_ms: i64) -> String {
    let name = format!("{ASIDE}{}", report::compact_utc(wall_ms));
    let taken = |name: &str| COMPANIONS.iter().any(|end| state_dir.join(format!("{name}{end}")).exists());
    let first = format!("{name}.db");
    let numbered = (2..).map(|n| format!("{name}-{n}.db"));
    std::iter::once(first.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(first)
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Moves what is there; never over something else.
fn move_aside(from: &Path, to: &Path) -> io::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    if to.exists() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, format!("{} is there already", to.display())));
    }
    fs::rename(from, to)
}

/// The attempts that have a folder there.
fn keys(folder: &Path) -> io::Result<Vec<AttemptKey>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut keys = Vec::new();
    for entry in entries {
        keys.extend(entry?.file_name().to_str().and_then(|name| name.parse::<AttemptKey>().ok()));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [(&str, &str); 3] =
        [("mainstay.db", "old"), ("mainstay.db-wal", "old log"), ("mainstay.db-shm", "old index")];

    /// Names and contents of all files below.
    fn files(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).expect("list") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                found.extend(files(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
            } else {
                found.push((name, fs::read_to_string(&path).expect("text")));
            }
        }
        found.sort();
        found
    }

    /// The old database, attempts of which one is known to the back-up, and a copy of that.
    fn state() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in OLD {
            fs::write(dir.path().join(name), text).expect("write");
        }
        for key in ["attempts/2-1", "archive/1-1", "archive/1-2"] {
            fs::create_dir_all(dir.path().join(key)).expect("make");
            fs::write(dir.path().join(key).join("receipt.json"), key).expect("write");
        }
        dir
    }

    fn known() -> BTreeSet<AttemptKey> {
        BTreeSet::from(["1-1".parse().expect("a key")])
    }

    fn exchange(dir: &Path, wall_ms: i64) -> Exchange {
        let exchange = Exchange::plan(dir, wall_ms).expect("readable");
        let copy = exchange.begin_copy().expect("room");
        fs::write(copy, "new").expect("write");
        exchange
    }

    #[test]
    fn however_far_a_killed_one_came_the_next_comes_to_the_same() {
        let whole = state();
        exchange(whole.path(), 0).carry_out(&known()).expect("moved");
        let expected = files(whole.path());
        assert_eq!(
            expected.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            [
                "archive/1-1/receipt.json",
                "mainstay.before-restore-19700101T000000Z.db",
                "mainstay.before-restore-19700101T000000Z.db-attempts/1-2/receipt.json",
                "mainstay.before-restore-19700101T000000Z.db-attempts/2-1/receipt.json",
                "mainstay.before-restore-19700101T000000Z.db-shm",
                "mainstay.before-restore-19700101T000000Z.db-wal",
                "mainstay.db",
            ]
        );
        assert_eq!((&*expected[6].1, &*expected[1].1), ("new", "old"));
        for moves in 0..=OLD.len() {
            let dir = state();
            fs::write(dir.path().join(MARKER_NAME), "mainstay.before-restore-19700101T000000Z.db").expect("marked");
            for (name, _) in &OLD[..moves] {
                let aside = name.replace("mainstay.db", "mainstay.before-restore-19700101T000000Z.db");
                fs::rename(dir.path().join(name), dir.path().join(aside)).expect("moved");
            }
            assert_eq!(is_cut_off(dir.path()), moves > 0, "{moves}");
            let exchange = exchange(dir.path(), 0);
            let replaced = exchange.replaced().expect("it is somewhere");
            assert_eq!(fs::read_to_string(replaced).expect("readable"), "old", "{moves}");
            exchange.carry_out(&known()).expect("moved");
            assert_eq!(files(dir.path()), expected, "{moves}");
        }
    }

    #[test]
    fn what_was_marked_is_not_marked_again() {
        let dir = state();
        let name = "mainstay.before-restore-19700101T000000Z.db";
        fs::write(dir.path().join(MARKER_NAME), name).expect("marked");
        fs::rename(dir.path().join(DATABASE_NAME), dir.path().join(name)).expect("moved");
        let exchange = exchange(dir.path(), 0);
        // Nothing can be put beside the marker under its name for a moment: whoever is killed now finds it as it was.
        fs::create_dir(dir.path().join(format!(".{MARKER_NAME}"))).expect("in the way");
        let marker = fs::metadata(dir.path().join(MARKER_NAME)).and_then(|marker| marker.modified()).expect("there");
        fs::write(dir.path().join(name).with_extension("db-wal"), "in the way").expect("write");
        assert!(exchange.carry_out(&known()).is_err(), "the log can't be moved over another");
        let after = fs::metadata(dir.path().join(MARKER_NAME)).and_then(|marker| marker.modified()).expect("there");
        assert_eq!(marker, after);
    }

    #[test]
    fn nothing_that_was_set_aside_is_ever_moved_over() {
        let dir = state();
        for n in 1..=3 {
            exchange(dir.path(), 0).carry_out(&known()).expect("moved");
            let kept = files(dir.path())
                .into_iter()
                .filter(|(name, _)| name.contains("before-restore") && !name.contains('/'));
            assert_eq!(kept.filter(|(_, text)| text == "old" || text == "new").count(), n);
        }
    }

    #[test]
    fn a_copy_that_somebody_has_open_is_not_put_in_place() {
        let dir = state();
        let exchange = exchange(dir.path(), 0);
        fs::write(dir.path().join(format!("{COPY_NAME}-wal")), "not moved in yet").expect("write");
        assert!(exchange.carry_out(&known()).expect_err("refused").to_string().contains("-wal"));
        assert_eq!(fs::read_to_string(dir.path().join("mainstay.db")).expect("there"), "old");
    }

    #[test]
    fn a_marker_that_names_something_else_is_no_way_out_of_the_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join(MARKER_NAME), "mainstay.before-restore-/../../etc/passwd.db").expect("write");
        assert!(Exchange::plan(dir.path(), 0).is_err());
    }
}
