//! All names together: what a screen or a filter asks, and is answered at once.
//!
//! For a host, a name of the operator's own file comes before one of `/etc/hosts`, and that before reverse DNS. For a
//! service, the own table comes before `/etc/services`, so that a name means the same on every host that has both.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::filter::Meaning;
use crate::names::dns::{self, Resolver};
use crate::names::geo::{Geo, Place};
use crate::names::{self, files};

/// Where names come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub dns: Dns,
    /// The system's files; they need not be there.
    pub hosts: PathBuf,
    pub services: PathBuf,
    /// The operator's own, in the shape of `/etc/hosts`.
    pub own: Option<PathBuf>,
    pub mmdb: Vec<PathBuf>,
}

/// Who is asked for names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Dns {
    /// Nobody.
    Off,
    /// The servers of `/etc/resolv.conf`.
    #[default]
    System,
    Servers(Vec<SocketAddr>),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dns: Dns::default(),
            hosts: PathBuf::from("/etc/hosts"),
            services: PathBuf::from("/etc/services"),
            own: None,
            mmdb: Vec::new(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read `{path}`: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("`{path}` line {line}: {problem}\nhint: each line has an address and a name, as in `/etc/hosts`")]
    Line { path: PathBuf, line: usize, problem: String },
    #[error("`{path}` is no MMDB file: {problem}\nhint: GeoLite2-ASN.mmdb and GeoLite2-Country.mmdb are some")]
    Mmdb { path: PathBuf, problem: String },
    #[error("cannot start the thread for host names: {0}")]
    Thread(io::Error),
}

/// Names of everything. The default one knows what is compiled in.
#[derive(Debug, Default)]
pub struct Names {
    hosts: HashMap<IpAddr, Arc<str>>,
    services: HashMap<(u8, u16), Arc<str>>,
    resolver: Option<Resolver>,
    geo: Geo,
}

impl Names {
    /// Reads the files. `wake` is called from another thread whenever DNS has told something new.
    ///
    /// # Errors
    /// A file that was given on purpose cannot be used, or there is no thread to be had.
    pub fn open(options: &Options, wake: impl Fn() + Send + 'static) -> Result<Self, Error> {
        let mut hosts = HashMap::new();
        if let Some(path) = &options.own
            && let Some(bad) = files::hosts(&read(path)?, &mut hosts)
        {
            return Err(Error::Line { path: path.clone(), line: bad.line, problem: bad.problem });
        }
        files::hosts(&read(&options.hosts).unwrap_or_default(), &mut hosts);
        let mut services = HashMap::new();
        files::services(&read(&options.services).unwrap_or_default(), &mut services);
        let servers = match &options.dns {
            Dns::Off => Vec::new(),
            Dns::System => dns::servers(&read(Path::new("/etc/resolv.conf")).unwrap_or_default()),
            Dns::Servers(servers) => servers.clone(),
        };
        let resolver = match servers {
            none if none.is_empty() => None,
            servers => Some(Resolver::start(servers, wake).map_err(Error::Thread)?),
        };
        Ok(Self { hosts, services, resolver, geo: Geo::open(&options.mmdb)? })
    }

    /// Names that are known from elsewhere, as those of a made-up network.
    #[must_use]
    pub fn with_hosts(mut self, hosts: impl IntoIterator<Item = (IpAddr, Arc<str>)>) -> Self {
        self.hosts.extend(hosts);
        self
    }

    /// The name of a host, as far as it is known by now.
    pub fn host(&self, address: IpAddr) -> Option<Arc<str>> {
        let address = address.to_canonical();
        self.hosts.get(&address).cloned().or_else(|| self.resolver.as_ref()?.host(address))
    }

    /// The service that usually listens there.
    pub fn service(&self, protocol: u8, port: u16) -> Option<&str> {
        names::service(protocol, port).or_else(|| self.services.get(&(protocol, port)).map(|name| &**name))
    }

    pub fn place(&self, address: IpAddr) -> Place {
        self.geo.place(address.to_canonical())
    }

    /// Whether there is a file that knows places.
    pub const fn has_places(&self) -> bool {
        !self.geo.is_empty()
    }

    /// Grows whenever a host got a name.
    pub fn generation(&self) -> u64 {
        self.resolver.as_ref().map_or(0, Resolver::generation)
    }

    /// What a word means in a filter: a protocol, services, and hosts of this name that are known by now.
    pub fn meanings(&self, word: &str) -> Vec<Meaning> {
        let mut meanings = names::meanings(word);
        for (&(protocol, port), name) in &self.services {
            if name.eq_ignore_ascii_case(word) && names::service(protocol, port).is_none() {
                meanings.push(Meaning::Port { protocol, port });
            }
        }
        let fixed = self.hosts.iter().filter(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(&at, _)| at);
        let asked = self.resolver.as_ref().map(|resolver| resolver.addresses(word)).unwrap_or_default();
        let mut hosts: Vec<_> = fixed.chain(asked).collect();
        hosts.sort_unstable();
        hosts.dedup();
        meanings.extend(hosts.into_iter().map(Meaning::Host));
        meanings
    }

    /// Known names that begin like this, in order: services, protocols and hosts, at most `limit` of each.
    pub fn beginning(&self, start: &str, limit: usize) -> Vec<String> {
        let begins = |name: &str| name.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start));
        let mut hosts: Vec<_> = self.hosts.values().filter(|name| begins(name)).map(|name| name.to_string()).collect();
        if let Some(resolver) = &self.resolver {
            resolver.each(|name| {
                if begins(name) {
                    hosts.push(name.to_string());
                }
            });
        }
        let mut services: Vec<_> = names::all().filter(|name| begins(name)).map(str::to_owned).collect();
        services.extend(self.services.values().filter(|name| begins(name)).map(|name| name.to_string()));
        let tidy = |names: &mut Vec<String>| {
            names.sort_unstable();
            names.dedup();
            names.truncate(limit);
        };
        tidy(&mut hosts);
        tidy(&mut services);
        services.extend(hosts);
        services
    }
}

/// Text in whatever encoding; octets that are no UTF-8 are replaced.
fn read(path: &Path) -> Result<String, Error> {
    let octets = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names out of these files, without DNS.
    fn names(hosts: &str, own: &str, services: &str) -> Result<Names, Error> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let options = Options {
            dns: Dns::Off,
            hosts: write("hosts", hosts),
            services: write("services", services),
            own: Some(write("own", own)),
            mmdb: Vec::new(),
        };
        Names::open(&options, || {})
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_operators_own_names_come_first() {
        let names = names("10.0.0.1 system\n10.0.0.2 two\nbroken\n", "10.0.0.1 own", "").unwrap();
        assert_eq!(names.host(address("10.0.0.1")).as_deref(), Some("own"));
        assert_eq!(names.host(address("10.0.0.2")).as_deref(), Some("two"));
        assert_eq!(names.host(address("::ffff:10.0.0.2")).as_deref(), Some("two"), "IPv4 in IPv6 is the same host");
        assert_eq!(names.host(address("10.0.0.3")), None);
    }

    #[test]
    fn a_bad_line_of_the_own_file_is_told() {
        let error = names("", "10.0.0.1 a\nnas 10.0.0.2\n", "").unwrap_err().to_string();
        assert!(error.contains("own` line 2: `nas` is no address\nhint: "), "{error}");
        let missing = Options { own: Some(PathBuf::from("/nonexistent/names")), dns: Dns::Off, ..Default::default() };
        assert!(matches!(Names::open(&missing, || {}), Err(Error::Read { .. })));
    }

    #[test]
    fn services_of_the_system_fill_the_gaps_alone() {
        let names = names("", "", "www 443/tcp\nours 40404/tcp\n").unwrap();
        assert_eq!(names.service(6, 443), Some("https"));
        assert_eq!(names.service(6, 40404), Some("ours"));
        assert_eq!(names.service(17, 40404), None);
        assert_eq!(names.meanings("OURS"), [Meaning::Port { protocol: 6, port: 40404 }]);
        assert_eq!(names.meanings("www"), [], "a name that is not shown means nothing");
    }

    #[test]
    fn a_filter_knows_hosts_by_name() {
        let names = names("10.0.0.1 nas.lan\n10.0.0.2 NAS.lan\n", "", "").unwrap();
        let hosts = ["10.0.0.1", "10.0.0.2"].map(|at| Meaning::Host(address(at)));
        assert_eq!(names.meanings("nas.lan"), hosts);
        let filter = crate::filter::parse("src ip nas.lan", &|word| names.meanings(word)).unwrap();
        assert_eq!(filter.to_string(), "src ip in [10.0.0.1 10.0.0.2]");
    }

    #[test]
    fn names_are_completed() {
        let names = names("10.0.0.1 httpbox\n10.0.0.2 other\n", "", "").unwrap();
        let found = names.beginning("http", 20);
        for name in ["http", "https", "httpbox"] {
            assert!(found.iter().any(|found| found == name), "{name} in {found:?}");
        }
        assert!(!found.iter().any(|found| found == "other"));
        assert_eq!(names.beginning("h", 1).len(), 2, "one service and one host");
    }

    #[test]
    fn without_files_and_dns_what_is_compiled_in_remains() {
        let names = Names::default();
        assert_eq!(names.service(17, 53), Some("dns"));
        assert_eq!(names.host(address("10.0.0.1")), None);
        assert_eq!(names.place(address("10.0.0.1")), Place::default());
        assert!(!names.has_places());
    }
}
