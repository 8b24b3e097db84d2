//! Autonomous systems and countries of addresses, from MMDB files that the operator has: MaxMind's GeoLite2, and those of
//! DB-IP and IPinfo, which carry the same under other keys.
//!
//! Each look-up is a walk through a tree in memory, so nothing is cached.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use maxminddb::Reader;
use serde::Deserialize;

use crate::names::Error;
use crate::names::text;

/// Octets of a file, which is read whole; a larger one is refused.
const SIZE: u64 = 1 << 30;

/// Where an address belongs, as far as the files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Number of the autonomous system.
    pub asn: Option<u32>,
    /// Who runs it.
    pub organisation: Option<Arc<str>>,
    /// ISO 3166 code of the country: `DE`.
    pub country: Option<Arc<str>>,
}

/// Files in the order in which they are asked; the first that says something is believed.
#[derive(Debug, Default)]
pub(super) struct Geo {
    files: Vec<Reader<Vec<u8>>>,
}

impl Geo {
    /// # Errors
    /// A file cannot be read, or is no MMDB file.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, Error> {
        let files: Result<_, _> = paths.iter().map(|path| open(path)).collect();
        Ok(Self { files: files? })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What the files say of `address`.
    pub(super) fn place(&self, address: IpAddr) -> Place {
        let mut place = Place::default();
        for file in &self.files {
            let Ok(Some(row)) = file.lookup(address).and_then(|found| found.decode::<Row<'_>>()) else { continue };
            place.asn = place.asn.or_else(|| row.asn());
            place.organisation = place.organisation.or_else(|| row.organisation().and_then(text::safe));
            place.country = place.country.or_else(|| row.country().and_then(text::safe));
        }
        place
    }
}

fn open(path: &Path) -> Result<Reader<Vec<u8>>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if SIZE < size {
        return Err(Error::Mmdb { path: path.to_owned(), problem: format!("{size} octets, at most {SIZE}") });
    }
    let octets = std::fs::read(path).map_err(failed)?;
    Reader::from_source(octets)
        .map_err(|error| Error::Mmdb { path: path.to_owned(), problem: first_line(&error.to_string()) })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Everything that one of the vendors may call what is looked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row<'a> {
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<&'a str>,
    /// `AS64512`.
    asn: Option<&'a str>,
    as_name: Option<&'a str>,
    #[serde(borrow)]
    country: Option<Country<'a>>,
    country_code: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Country<'a> {
    Whole {
        #[serde(borrow)]
        iso_code: Option<&'a str>,
    },
    Code(&'a str),
    Unknown(serde::de::IgnoredAny),
}

impl<'a> Row<'a> {
    fn asn(&self) -> Option<u32> {
        self.autonomous_system_number.or_else(|| self.asn?.trim_start_matches("AS").parse().ok())
    }

    fn organisation(&self) -> Option<&'a str> {
        self.autonomous_system_organization.or(self.as_name)
    }

    fn country(&self) -> Option<&'a str> {
        let code = self.country_code.or(match self.country {
            Some(Country::Whole { iso_code }) => iso_code,
            Some(Country::Code(code)) => Some(code),
            Some(Country::Unknown(_)) | None => None,
        });
        // IPinfo has the country's whole name there in some of its files.
        code.filter(|code| code.len() == 2)
    }
}

#[cfg(test)]
mod tests;
