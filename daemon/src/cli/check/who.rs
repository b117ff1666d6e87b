//! A user of this machine, and what that user may do with a file. Root asks this for the service, whose rights it has not.

use super::tool;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is to be done with a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// Read it.
    Read,
    /// Write to it; in a folder: make something in it.
    Write,
    /// Execute it.
    Execute,
}

/// A user with their groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) uid: u32,
    gids: Vec<u32>,
    name: String,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Who {
    /// The user of this name or number, in their own group or that one, and in others; none when one of them does not exist.
    ///
    /// # Errors
    /// Which group does not exist.
    pub(super) fn named(user: &str, group: Option<&str>, more: &[String]) -> Result<Option<Who>, String> {
        let Some(line) = entry("passwd", user) else { return Ok(None) };
        let fields: Vec<&str> = line.split(':').collect();
        let number = |n: usize| fields.get(n).and_then(|field| field.parse::<u32>().ok());
        let (Some(uid), Some(own)) = (number(2), number(3)) else { return Ok(None) };
        let name = fields[0].to_owned();
        let mut gids = Vec::new();
        for group in group.into_iter().chain(more.iter().map(String::as_str)) {
            gids.push(group_id(group).ok_or_else(|| group.to_owned())?);
        }
        if group.is_none() {
            gids.push(own);
        }
        gids.extend(groups_with(&name));
        Ok(Some(Who { uid, gids, name }))
    }

    /// Whether that is the user who asks.
    pub(super) fn is_us(&self) -> bool {
        rustix::process::geteuid().as_raw() == self.uid
    }

    /// Whether this user may do that. Where it is us, the kernel is asked; else it is reckoned from owners and modes, and what
    /// has an access control list gets the benefit of the doubt.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) fn may(&self, path: &Path, wanted: Wanted) -> Result<(), String> {
        if self.is_us() {
            let access = match wanted {
                Wanted::Read => Access::READ_OK,
                Wanted::Write => Access::WRITE_OK | Access::EXEC_OK,
                Wanted::Execute => Access::EXEC_OK,
            };
            return accessat(CWD, path, access, AtFlags::EACCESS)
                .map_err(|error| format!("{}: {error}", path.display()));
        }
        let whole = std::fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()))?;
        for folder in whole.ancestors().skip(1) {
            self.has(folder, 0o1, "look into")?;
        }
        match wanted {
            Wanted::Read => self.has(&whole, 0o4, "read"),
            Wanted::Write => self.has(&whole, 0o3, "write to"),
            Wanted::Execute => self.has(&whole, 0o1, "execute"),
        }
    }

    /// Whether the mode gives this user all of `bits`.
    fn has(&self, path: &Path, bits: u32, doing: &str) -> Result<(), String> {
        let metadata = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mode = metadata.mode();
        let given = match () {
            () if self.uid == 0 => 0o7,
            () if metadata.uid() == self.uid => mode >> 6,
            () if self.gids.contains(&metadata.gid()) => mode >> 3,
            () => mode,
        };
        if given & bits == bits || has_list(path) {
            return Ok(());
        }
        Err(format!("{self} may not {doing} {} (mode {:03o}, owner {})", path.display(), mode & 0o777, metadata.uid()))
    }
}

fn has_list(path: &Path) -> bool {
    let mut nothing = [0_u8; 0];
    rustix::fs::getxattr(path, "system.posix_acl_access", &mut nothing).is_ok_and(|bytes| bytes > 0)
}

/// The number of a group.
pub(super) fn group_id(group: &str) -> Option<u32> {
    entry("group", group)?.split(':').nth(2)?.parse().ok()
}

/// Groups in which this user is listed.
fn groups_with(user: &str) -> Vec<u32> {
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let is_in = fields.get(3)?.split(',').any(|member| member == user);
            if is_in { fields[2].parse().ok() } else { None }
        })
        .collect()
}

/// The line of a name or number: of the machine's own files, else of whatever else the system asks (`getent`).
fn entry(database: &str, wanted: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new("/etc").join(database)).unwrap_or_default();
    let matches = |line: &&str| {
        let mut fields = line.split(':');
        fields.next() == Some(wanted) || (wanted.bytes().all(|b| b.is_ascii_digit()) && fields.nth(1) == Some(wanted))
    };
    if let Some(line) = text.lines().find(matches) {
        return Some(line.to_owned());
    }
    let said = tool::ask(&PathBuf::from("getent"), &[database, wanted]).ok().filter(|said| said.ok)?;
    said.text.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{DirBuilder, Permissions};
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    #[test]
    fn users_and_groups_are_found_by_name_and_by_number() {
        let root = Who::named("root", None, &[]).expect("its group is there").expect("everybody has one");
        assert_eq!((root.uid, root.to_string()), (0, "root".to_owned()));
        assert_eq!(Who::named("0", None, &[]), Ok(Some(root)));
        assert_eq!(Who::named("no-such-user-here", None, &[]), Ok(None));
        assert_eq!(Who::named("root", Some("no-such-group"), &[]), Err("no-such-group".to_owned()));
        assert_eq!(Who::named("root", None, &["no-such-group".to_owned()]), Err("no-such-group".to_owned()));
        assert_eq!(group_id("root"), Some(0));
    }

    #[test]
    fn what_somebody_else_may_is_reckoned_from_modes_all_the_way_down() {
        let dir = tempfile::tempdir().expect("a folder");
        let shut = dir.path().join("shut");
        DirBuilder::new().mode(0o700).create(&shut).expect("make");
        let file = shut.join("file");
        std::fs::write(&file, "").expect("write");
        let mode = |path: &Path, mode: u32| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
        };
        let metadata = std::fs::metadata(&file).expect("there");
        let stranger = Who { uid: metadata.uid() + 1, gids: vec![metadata.gid() + 1], name: "stranger".into() };
        let member = Who { gids: vec![metadata.gid()], ..stranger.clone() };
        mode(dir.path(), 0o755);
        mode(&file, 0o644);
        assert!(stranger.may(&file, Wanted::Read).is_err_and(|why| why.contains("look into") && why.contains("shut")));
        mode(&shut, 0o711);
        for (bits, read, write, execute) in
            [(0o644, true, false, false), (0o640, false, false, false), (0o605, true, false, true)]
        {
            mode(&file, bits);
            let may = [Wanted::Read, Wanted::Write, Wanted::Execute].map(|wanted| stranger.may(&file, wanted).is_ok());
            assert_eq!(may, [read, write, execute], "{bits:o}");
        }
        mode(&file, 0o640);
        assert!(member.may(&file, Wanted::Read).is_ok());
        mode(&file, 0o604);
        assert!(member.may(&file, Wanted::Read).is_err(), "a group that is left out stays out");
        assert!(stranger.may(&dir.path().join("none"), Wanted::Read).is_err());
    }
}
