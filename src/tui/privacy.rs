//! Masks for addresses and names, so that a screen can be shown to others: the same host always has the same mask while
//! the program runs, and nobody can tell from it who that is.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

/// What stands for text that may name somebody.
pub const HIDDEN: &str = "(hidden)";

/// Letters of a mask, none of which is taken for another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// A secret of this run. Without one, all IPv4 addresses could be tried in a minute.
#[derive(Debug, Clone, Default)]
pub struct Mask(RandomState);

impl Mask {
    /// `host-k3f9ab`: 30 bits, so that among thousands of hosts hardly two share a mask.
    pub fn host(&self, address: IpAddr) -> String {
        let mut bits = self.0.hash_one(address.to_canonical());
        let mut text = "host-".to_owned();
        for _ in 0..6 {
            let letter = usize::try_from(bits % 32).unwrap_or(0);
            text.push(LETTERS.get(letter).copied().map_or('a', char::from));
            bits /= 32;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_host_keeps_its_mask_and_another_run_has_others() {
        let (mask, other) = (Mask::default(), Mask::default());
        let address = |n: u32| IpAddr::from(std::net::Ipv4Addr::from(n));
        let masks: HashSet<_> = (0..1_000).map(|n| mask.host(address(n))).collect();
        assert!(995 <= masks.len(), "{}", masks.len());
        assert_eq!(mask.host(address(7)), mask.host(address(7)));
        assert_eq!(mask.host(address(7)), mask.clone().host("::ffff:0.0.0.7".parse().unwrap()));
        assert!((0..50).any(|n| mask.host(address(n)) != other.host(address(n))));
        assert!(masks.iter().all(|mask| mask.len() == 11));
    }
}
