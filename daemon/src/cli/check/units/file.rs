//! A unit file with its drop-ins, read as systemd reads it: sections, assignments, lists that an empty value clears, lines that
//! go on. What the values mean is [`super::value`]'s business.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// An assignment, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    section: String,
    key: String,
    pub(super) value: String,
    /// `file:line`, for people.
    pub(super) at: String,
}

/// A unit with everything that counts for it.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// As systemd calls it.
    pub(super) name: String,
    /// The unit itself.
    pub(super) path: PathBuf,
    entries: Vec<Entry>,
    /// Lines that are none: `file:line: why`.
    pub(super) odd: Vec<String>,
}

impl Unit {
    /// Reads it, and then its drop-ins by their names.
    ///
    /// # Errors
    /// One of the files can't be read.
    pub(super) fn read(path: &Path) -> io::Result<Unit> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut unit = Unit { name, path: path.to_owned(), ..Unit::default() };
        for file in std::iter::once(path.to_owned()).chain(drop_ins(path)?) {
            let text =
                fs::read_to_string(&file).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", file.display())))?;
            unit.parse(&file, &text);
        }
        Ok(unit)
    }

    fn parse(&mut self, file: &Path, text: &str) {
        let mut section = String::new();
        for (n, line) in whole_lines(text) {
            let at = format!("{}:{n}", file.display());
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                header.clone_into(&mut section);
                continue;
            }
            match line.split_once('=') {
                Some(_) if section.is_empty() => {
                    self.odd.push(format!("{at}: it stands in no section, and is ignored"))
                }
                Some((key, value)) => self.entries.push(Entry {
                    section: section.clone(),
                    key: key.trim().to_owned(),
                    value: value.trim().to_owned(),
                    at,
                }),
                None => self.odd.push(format!("{at}: it is no assignment (Name=value), and is ignored")),
            }
        }
    }

    /// What counts of a key that takes one value: the last, unless that is empty.
    pub(super) fn last(&self, section: &str, key: &str) -> Option<&Entry> {
        let mut entries = self.entries.iter().rev();
        entries.find(|entry| entry.section == section && entry.key == key).filter(|entry| !entry.value.is_empty())
    }

    /// What counts of a key that takes many: all since the last empty one.
    pub(super) fn all(&self, section: &str, key: &str) -> Vec<&Entry> {
        let mut all = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.section == section && entry.key == key) {
            if entry.value.is_empty() {
                all.clear();
            } else {
                all.push(entry);
            }
        }
        all
    }

    /// Whether a key of `[Service]` has this value, in any case of letters.
    pub(super) fn service_is(&self, key: &str, value: &str) -> bool {
        self.last("Service", key).is_some_and(|entry| entry.value.eq_ignore_ascii_case(value))
    }

    /// Whether a key of `[Service]` is switched on.
    pub(super) fn service_has(&self, key: &str) -> bool {
        ["yes", "true", "on", "1"].iter().any(|on| self.service_is(key, on))
    }
}

/// Lines with their numbers, without comments and blanks, those that go on put together.
fn whole_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        // Also between the parts of a line that goes on.
        if line.starts_with(['#', ';']) || (line.is_empty() && !goes_on) {
            continue;
        }
        let (part, more) = match line.strip_suffix('\\') {
            Some(part) => (part.trim_end(), true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some((_, begun)) if goes_on => *begun = format!("{begun} {part}"),
            Some(_) | None => lines.push((n + 1, part.to_owned())),
        }
        goes_on = more;
    }
    lines
}

/// `NAME.service.d/*.conf` beside it, by name.
fn drop_ins(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".d");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", folder.display()))),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        files.extend(path.extension().is_some_and(|end| end == "conf").then_some(path));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> Unit {
        let mut unit = Unit::default();
        unit.parse(Path::new("a.service"), text);
        unit
    }

    #[test]
    fn it_is_read_as_systemd_reads_it() {
        let unit = unit(
            "# a comment\n[Unit]\nAfter=a\n\n[Service]\nExecStart=/bin/a \\\n; between\n  --flag \\\n  last\nUser = who \n\
             Read=a\nRead=b\nRead=\nRead=c\nType=simple\nType=notify\nNice=\n[Service]\nDelegate=Yes\n",
        );
        let last = |key: &str| unit.last("Service", key).map(|entry| (&*entry.value, &*entry.at));
        assert_eq!(last("ExecStart"), Some(("/bin/a --flag last", "a.service:6")));
        assert_eq!(last("User"), Some(("who", "a.service:10")));
        assert_eq!(last("Type"), Some(("notify", "a.service:16")));
        assert_eq!((last("Nice"), last("After")), (None, None));
        assert_eq!(unit.all("Service", "Read").iter().map(|entry| &*entry.value).collect::<Vec<_>>(), ["c"]);
        assert!(unit.service_has("Delegate") && unit.service_is("Type", "Notify") && unit.odd.is_empty());
    }

    #[test]
    fn lines_that_are_none_are_told_with_their_places() {
        let unit = unit("Lost=1\n[Service]\nType notify\nUser=a\n");
        assert_eq!(
            unit.odd,
            [
                "a.service:1: it stands in no section, and is ignored",
                "a.service:3: it is no assignment (Name=value), and is ignored"
            ]
        );
        assert!(unit.last("Service", "User").is_some());
    }

    #[test]
    fn drop_ins_come_after_it_by_their_names() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.service");
        fs::write(&path, "[Service]\nUser=unit\nRead=unit\n").expect("write");
        let folder = dir.path().join("a.service.d");
        fs::create_dir(&folder).expect("make");
        for (name, text) in
            [("20.conf", "[Service]\nUser=last\n"), ("10.conf", "[Service]\nUser=b\nRead=x\n"), ("note", "x")]
        {
            fs::write(folder.join(name), text).expect("write");
        }
        let unit = Unit::read(&path).expect("readable");
        assert_eq!(unit.last("Service", "User").map(|entry| &*entry.value), Some("last"));
        assert_eq!(unit.all("Service", "Read").len(), 2);
        assert!(Unit::read(&dir.path().join("none.service")).is_err());
    }
}
