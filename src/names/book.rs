//! All names together: what a screen or a filter asks, and is answered at once.
//!
//! For a host, a name of the settings comes before one of the operator's own file, that before one of `/etc/hosts`, and
//! that before reverse DNS. For a service, the own table comes before `/etc/services`, so that a name means the same on
//! every host that has both.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::collector::stats::ExporterNames;
use crate::filter::Meaning;
use crate::names::applications::Applications;
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
    /// The operator's own, said one by one.
    pub given: Vec<(IpAddr, Arc<str>)>,
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
            given: Vec::new(),
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
    applications: Applications,
    geo: Geo,
}

impl Names {
    /// Reads the files. `wake` is called from another thread whenever DNS has told something new.
    ///
    /// # Errors
    /// A file that was given on purpose cannot be used, or there is no thread to be had.
    pub fn open(options: &Options, wake: impl Fn() + Send + 'static) -> Result<Self, Error> {
        let mut hosts: HashMap<_, _> = options.given.iter().cloned().collect();
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
        let applications = Applications::default();
        Ok(Self { hosts, services, resolver, applications, geo: Geo::open(&options.mmdb)? })
    }

    /// Names that are known from elsewhere, as those of a made-up network.
    #[must_use]
    pub fn with_hosts(mut self, hosts: impl IntoIterator<Item = (IpAddr, Arc<str>)>) -> Self {
        self.hosts.extend(hosts);
        self
    }

    /// Takes over what exporters call applications.
    pub fn learn(&self, exporters: &[ExporterNames]) {
        self.applications.learn(exporters);
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
        meanings.extend(self.applications.ids(word).into_iter().map(Meaning::Application));
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
        services.extend(self.applications.beginning(start));
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
mod tests;
