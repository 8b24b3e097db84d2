//! Who made an exporter, guessed from the shape of its templates, and what is typed there.
//!
//! A guess only chooses which instructions stand first. No exporter says its maker over NetFlow.

use std::net::IpAddr;

use crate::collector::templates::KnownTemplate;
use crate::doctor::Step;
use crate::ie::ElementId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    Unknown,
    /// Gateways with ipt_NETFLOW inside.
    Unifi,
    MikroTik,
    Cisco,
    /// FreeBSD's ng_netflow.
    OpnSense,
    Softflowd,
}

/// What has to be set at the exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    /// Send flow data here.
    Send { host: &'a str, port: u16 },
    /// Repeat templates more often.
    Templates,
    /// Report long flows sooner.
    ActiveTimeout,
    /// Set the clock.
    Clock,
}

impl Maker {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "an exporter of unknown make",
            Self::Unifi => "a UniFi gateway",
            Self::MikroTik => "a MikroTik router",
            Self::Cisco => "a Cisco device",
            Self::OpnSense => "an OPNsense or pfSense firewall",
            Self::Softflowd => "softflowd",
        }
    }

    /// By all templates of one address.
    pub fn guess(templates: &[&KnownTemplate]) -> Self {
        let has = |template: &KnownTemplate, number: u16, length: Option<u16>| {
            template.template.fields.iter().any(|field| {
                field.element == ElementId::Iana(number) && length.is_none_or(|length| field.length == length)
            })
        };
        let flows = || templates.iter().filter(|known| !known.template.is_options());
        let any = |is: &dyn Fn(&KnownTemplate) -> bool| flows().any(|known| is(known));
        let is_cisco = |element| matches!(element, ElementId::Vendor { pen: 9, .. });
        let cisco = |known: &KnownTemplate| known.template.fields.iter().any(|field| is_cisco(field.element));
        if templates.iter().any(|known| cisco(known)) {
            return Self::Cisco;
        }
        // Interface numbers of two octets, beside those of the physical ones.
        if any(&|known| has(known, 252, Some(2)) || has(known, 253, Some(2))) {
            return Self::Unifi;
        }
        if any(&|known| [1024, 1025, 2048, 2049].contains(&known.template.id.0)) {
            return Self::Softflowd;
        }
        if any(&|known| [225, 226, 227, 228].iter().all(|&number| has(known, number, None)) && has(known, 1, None)) {
            return Self::MikroTik;
        }
        if any(&|known| known.template.fields.len() == 18 && has(known, 9, None) && has(known, 13, None)) {
            return Self::OpnSense;
        }
        // Flexible NetFlow counts its samplers and tells of its interfaces in options.
        if templates.iter().any(|known| known.template.is_options() && has(known, 82, None) && has(known, 83, None)) {
            return Self::Cisco;
        }
        Self::Unknown
    }

    /// Of each address that has templates.
    pub fn guess_all(templates: &[KnownTemplate]) -> Vec<(IpAddr, Self)> {
        let mut addresses: Vec<_> = templates.iter().map(|known| known.exporter).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let of = |address| templates.iter().filter(|known| known.exporter == address).collect::<Vec<_>>();
        addresses.into_iter().map(|address| (address, Self::guess(&of(address)))).collect()
    }

    /// What fulfils a wish; of an unknown maker, for each that is common.
    pub(super) fn steps(self, wish: Wish<'_>) -> Vec<Step> {
        if self != Self::Unknown {
            return self.step(wish).into_iter().collect();
        }
        let common = [Self::Unifi, Self::MikroTik, Self::Cisco, Self::OpnSense, Self::Softflowd];
        common.into_iter().filter_map(|maker| maker.step(wish)).collect()
    }

    fn step(self, wish: Wish<'_>) -> Option<Step> {
        let command = |note: &str, command: String| Some(Step { note: note.to_owned(), command: Some(command) });
        let advice = |note: &str| Some(Step { note: note.to_owned(), command: None });
        match (self, wish) {
            (Self::Unknown, _) => None,
            (Self::Unifi, Wish::Send { host, port }) => advice(&format!(
                "UniFi: Settings › System › NetFlow: server {host} (an address, not a name), port {port}, version 10, \
                 sampling off, your networks"
            )),
            (Self::Unifi, Wish::Templates) => {
                advice("UniFi: Settings › System › NetFlow: the smallest refresh rate; or restart the export there")
            }
            (Self::Unifi, Wish::ActiveTimeout) => {
                advice("UniFi: Settings › System › NetFlow: the shortest export interval")
            }
            (Self::Unifi, Wish::Clock) => advice("UniFi: Settings › System: an NTP server that the gateway reaches"),
            (Self::MikroTik, Wish::Send { host, port }) => command(
                "MikroTik:",
                format!(
                    "/ip traffic-flow set enabled=yes interfaces=all; \
                     /ip traffic-flow target add dst-address={host} port={port} version=ipfix"
                ),
            ),
            (Self::MikroTik, Wish::Templates) => command(
                "MikroTik:",
                "/ip traffic-flow target set [find] v9-template-refresh=20 v9-template-timeout=1m".to_owned(),
            ),
            (Self::MikroTik, Wish::ActiveTimeout) => {
                command("MikroTik:", "/ip traffic-flow set active-flow-timeout=1m".to_owned())
            }
            (Self::MikroTik, Wish::Clock) => {
                command("MikroTik:", "/system ntp client set enabled=yes servers=pool.ntp.org".to_owned())
            }
            (Self::Cisco, Wish::Send { host, port }) => command(
                "Cisco, then name the exporter in a flow monitor and the monitor at each interface:",
                format!("flow exporter FLOWGLASS; destination {host}; transport udp {port}; export-protocol ipfix"),
            ),
            (Self::Cisco, Wish::Templates) => {
                command("Cisco:", "flow exporter FLOWGLASS; template data timeout 60".to_owned())
            }
            (Self::Cisco, Wish::ActiveTimeout) => {
                command("Cisco:", "flow monitor FLOWGLASS; cache timeout active 60".to_owned())
            }
            (Self::Cisco, Wish::Clock) => command("Cisco:", "ntp server pool.ntp.org".to_owned()),
            (Self::OpnSense, Wish::Send { host, port }) => advice(&format!(
                "OPNsense: Reporting › NetFlow: your interfaces, version v9, destination {host}:{port}"
            )),
            (Self::OpnSense, Wish::Templates) => advice(
                "OPNsense: Reporting › NetFlow: apply again; it repeats its templates every few minutes by itself",
            ),
            (Self::OpnSense, Wish::ActiveTimeout) => advice("OPNsense: Reporting › NetFlow: active timeout 60"),
            (Self::OpnSense, Wish::Clock) => advice("OPNsense: Services › Network Time"),
            (Self::Softflowd, Wish::Send { host, port }) => {
                command("softflowd:", format!("softflowd -i eth0 -n {host}:{port} -v 10 -t maxlife=60"))
            }
            (Self::Softflowd, Wish::Templates) => command(
                "softflowd sends them at its start, and every 16 datagrams:",
                "systemctl restart softflowd".to_owned(),
            ),
            (Self::Softflowd, Wish::ActiveTimeout) => {
                command("softflowd, beside its other options:", "softflowd -t maxlife=60".to_owned())
            }
            (Self::Softflowd, Wish::Clock) => command("on the exporter's host:", "timedatectl set-ntp true".to_owned()),
        }
    }
}
