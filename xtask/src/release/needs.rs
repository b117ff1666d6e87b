//! What a program needs of the machine: which version of which libraries, as its file says.

use elf::ElfBytes;
use elf::abi::{DT_NEEDED, SHT_GNU_VERNEED};
use elf::endian::AnyEndian;
use elf::gnu_symver::VerNeedIterator;

/// Libraries that are part of libc, by the beginnings of their names.
const LIBC: [&str; 3] = ["libc.so.", "libm.so.", "ld-linux"];
/// Relocations are packed: the first glibc that knows them.
const PACKED: (&str, Version) = ("GLIBC_ABI_DT_RELR", (2, 36));

/// Of glibc.
pub(crate) type Version = (u32, u32);

/// The least glibc with which a program starts.
///
/// # Errors
/// It needs another library, or a version of a kind that is not known: a package that does not say so could not be used.
pub(crate) fn libc(program: &[u8]) -> Result<Version, String> {
    let wrong = |error: elf::ParseError| format!("no program for Linux: {error}");
    let file = ElfBytes::<AnyEndian>::minimal_parse(program).map_err(wrong)?;
    let common = file.find_common_data().map_err(wrong)?;
    let strings = common.dynsyms_strs.ok_or("has no names of libraries")?;
    for entry in common.dynamic.iter().flat_map(|table| table.iter()).filter(|entry| entry.d_tag == DT_NEEDED) {
        let name = strings.get(usize::try_from(entry.d_val()).unwrap_or(usize::MAX)).map_err(wrong)?;
        if !LIBC.iter().any(|begin| name.starts_with(begin)) {
            return Err(format!("needs {name}, which is no part of libc: a release names no other library"));
        }
    }
    let mut least = (2, 0);
    let sections = file.section_headers().ok_or("has no sections")?;
    for section in sections.iter().filter(|section| section.sh_type == SHT_GNU_VERNEED) {
        let (bytes, _) = file.section_data(&section).map_err(wrong)?;
        let needs = VerNeedIterator::new(file.ehdr.endianness, file.ehdr.class, u64::from(section.sh_info), 0, bytes);
        for version in needs.flat_map(|(_, versions)| versions) {
            let name = strings.get(usize::try_from(version.vna_name).unwrap_or(usize::MAX)).map_err(wrong)?;
            least = least.max(version_of(name)?);
        }
    }
    Ok(least)
}

fn version_of(name: &str) -> Result<Version, String> {
    let (packed, since) = PACKED;
    if name == packed {
        return Ok(since);
    }
    let numbers = name.strip_prefix("GLIBC_").and_then(|numbers| {
        let mut numbers = numbers.split('.').map(str::parse::<u32>);
        // What comes after these two numbers is never needed alone.
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    numbers.ok_or_else(|| format!("needs {name:?}, and no version of glibc is known to have it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version_of("GLIBC_2.2.5"), Ok((2, 2)));
        assert!(version_of("GLIBC_2.4") < version_of("GLIBC_2.34"));
        assert_eq!(version_of("GLIBC_ABI_DT_RELR"), Ok((2, 36)));
        assert!(version_of("GLIBC_PRIVATE").is_err());
        assert!(version_of("GCC_3.0").is_err(), "libgcc_s is no part of libc");
    }

    /// The running test is a program of this machine, and it starts with the glibc that is here.
    #[test]
    fn a_program_says_what_it_needs_and_other_bytes_say_that_they_are_none() {
        let program = std::fs::read(std::env::current_exe().expect("running")).expect("readable");
        match libc(&program) {
            Ok(version) => assert!(((2, 2)..(3, 0)).contains(&version), "{version:?}"),
            // Tests link libgcc_s, as nothing tells them not to.
            Err(error) => assert!(error.contains("libgcc_s.so.1"), "{error}"),
        }
        assert!(libc(b"#!/bin/sh\n").is_err_and(|error| error.contains("no program")));
        assert!(libc(&program[..100]).is_err());
    }
}
