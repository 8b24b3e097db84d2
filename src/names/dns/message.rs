//! Questions and answers as DNS messages (RFC 1035): octets in, octets out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::rdata::{Ptr, Soa};

use crate::names::text;

/// No answer is believed for less, or a name with a time to live of 0 would be asked for with every frame.
const SHORTEST: Duration = Duration::from_secs(60);

/// Nor for more, since the screen stays open for months.
const LONGEST: Duration = Duration::from_secs(86_400);

/// That there is no name, where the answer does not say for how long (RFC 2308 §5 wants a SOA record there).
const NO_NAME: Duration = Duration::from_secs(900);

/// A server that failed may be well again soon.
const FAILED: Duration = Duration::from_secs(60);

/// What a server says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) name: Option<Arc<str>>,
    pub(super) lasts: Duration,
}

impl Said {
    /// Nobody answered.
    pub(super) const NOTHING: Self = Self { name: None, lasts: FAILED };
}

/// Which name has this address? `None` for an address that cannot be asked for, which there is none of.
pub(super) fn question(id: u16, address: IpAddr) -> Option<Vec<u8>> {
    let name = Name::<Vec<u8>>::reverse_from_addr(address).ok()?;
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_id(id);
    message.header_mut().set_rd(true);
    let mut message = message.question();
    message.push((&name, Rtype::PTR)).ok()?;
    Some(message.finish())
}

/// The number of the question that these octets answer, if they are an answer at all.
pub(super) fn id(octets: &[u8]) -> Option<u16> {
    let message = Message::from_octets(octets).ok()?;
    message.header().qr().then(|| message.header().id())
}

/// What the octets say of `address`, or nothing when they do not answer that question.
pub(super) fn answer(octets: &[u8], address: IpAddr) -> Option<Said> {
    let message = Message::from_octets(octets).ok()?;
    let asked = Name::<Vec<u8>>::reverse_from_addr(address).ok()?;
    let question = message.first_question()?;
    if !message.header().qr() || question.qtype() != Rtype::PTR || *question.qname() != asked {
        return None;
    }
    match message.header().rcode() {
        Rcode::NOERROR | Rcode::NXDOMAIN => {}
        _ => return Some(Said::NOTHING),
    }
    let found = message.answer().ok()?.limit_to::<Ptr<_>>().find_map(Result::ok);
    // The name may stand behind an alias (RFC 2317), so whose record it is does not matter.
    Some(match found {
        Some(record) => {
            let name = text::safe(&record.data().ptrdname().to_string());
            Said { name, lasts: believed(record.ttl().as_secs()) }
        }
        None => Said { name: None, lasts: negative(&message).unwrap_or(NO_NAME) },
    })
}

/// For how long there is no name (RFC 2308 §5).
fn negative(message: &Message<&[u8]>) -> Option<Duration> {
    let record = message.authority().ok()?.limit_to::<Soa<_>>().find_map(Result::ok)?;
    Some(believed(record.ttl().as_secs().min(record.data().minimum().as_secs())))
}

fn believed(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into()).clamp(SHORTEST, LONGEST)
}
