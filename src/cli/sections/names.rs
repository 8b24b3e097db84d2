//! `[names]`: what the operator calls hosts.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Result, bail};

use crate::cli::file::shown;
use crate::cli::sections::Item;
use crate::names;

pub(super) fn read(items: &[&Item]) -> Result<Vec<(IpAddr, Arc<str>)>> {
    items.iter().map(|item| name(item)).collect()
}

fn name(item: &Item) -> Result<(IpAddr, Arc<str>)> {
    let address = match item.path.as_slice() {
        [address] => address.parse::<IpAddr>().ok(),
        _ => None,
    };
    let Some(address) = address else {
        bail!(
            "{}: `{}` is no address\nhint: write `\"192.0.2.7\" = \"nas\"`, or `file = \"FILE\"` for a file like /etc/hosts",
            item.place,
            shown(&item.path.join("."))
        );
    };
    let Some(name) = names::safe(item.one()?) else {
        bail!("{}: the name of `{address}` has no letter that can be shown", item.place);
    };
    Ok((address.to_canonical(), name))
}
