//! Whether roll-ups know what is asked: from which dimension, and how its rows become keys.
//!
//! It reads nothing.

use crate::filter::{Address, Filter, Number, Side, Test};
use crate::store::ask::{By, Question};
use crate::store::rollup::Dimension;
use crate::store::scan::{self, Field};

/// One dimension that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) dimension: Dimension,
    pub(super) how: How,
}

/// How a row of a dimension becomes a key of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is one.
    Same,
    /// Its first direction only.
    There,
    /// Its second direction only, which is the only one of the answer.
    Back,
    /// Its first direction is the second one of the answer.
    AsBack,
    /// Several rows make one key, so that what roll-ups do not know by name may be any part of it.
    Regrouped,
    /// The key without who reports it.
    Unreported,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan(pub(super) Vec<Part>);

impl Plan {
    /// Whether a key that has no row has no more than the floor of its bucket.
    pub(super) fn is_bounded(&self) -> bool {
        self.0.iter().all(|part| part.how != How::Regrouped)
    }
}

/// `None` when only raw rows know.
pub(super) fn plan(question: &Question<'_>) -> Option<Plan> {
    if !is_whole(question) {
        return None;
    }
    let one = |dimension, how| Some(Plan(vec![Part { dimension, how }]));
    let fields = scan::fields(question.filter);
    let only = |allowed: &[Field]| fields.iter().all(|field| allowed.contains(field));
    match question.by {
        By::Exporter if only(EXPORTER) => one(Dimension::InInterface, How::Regrouped),
        By::Interface if only(EXPORTER) => {
            let ways = [(Dimension::InInterface, How::There), (Dimension::OutInterface, How::AsBack)];
            Some(Plan(ways.map(|(dimension, how)| Part { dimension, how }).to_vec()))
        }
        By::Host if fields.is_empty() => one(Dimension::Host, How::Same),
        By::Source if is_of_side(question, Side::Src) => one(Dimension::Host, How::There),
        By::Destination if is_of_side(question, Side::Dst) => one(Dimension::Host, How::Back),
        By::Protocol if only(&[PROTOCOL]) => one(Dimension::Protocol, How::Same),
        By::Protocol if only(&[PROTOCOL, SERVICE]) => one(Dimension::Service, How::Regrouped),
        By::Service if only(&[PROTOCOL, SERVICE]) => one(Dimension::Service, How::Same),
        By::Conversation if only(CONVERSATION) => one(Dimension::Conversation, How::Same),
        By::Host | By::Source | By::Destination | By::Pair | By::Service | By::Protocol if only(CONVERSATION) => {
            one(Dimension::Conversation, How::Regrouped)
        }
        _ => None,
    }
}

/// The same for a filter that only one exporter meets, of whom it asks `rest` besides. With several, nobody could say how
/// much is missing.
pub(super) fn reported(question: &Question<'_>, rest: &Filter) -> Option<Plan> {
    let fields = scan::fields(rest);
    let how = match question.by {
        By::Conversation => How::Unreported,
        By::Host | By::Source | By::Destination | By::Pair | By::Service | By::Protocol => How::Regrouped,
        _ => return None,
    };
    let is_known = is_whole(question) && fields.iter().all(|field| CONVERSATION.contains(field));
    is_known.then(|| Plan(vec![Part { dimension: Dimension::Reported, how }]))
}

const PROTOCOL: Field = Field::Number(Number::Protocol);
const SERVICE: Field = Field::Number(Number::Service);
const CONVERSATION: &[Field] = &[PROTOCOL, SERVICE, Field::Address(Address::Host)];
pub(super) const EXPORTER: &[Field] =
    &[Field::Address(Address::Exporter), Field::Number(Number::Domain), Field::Number(Number::Version)];

/// Whether its span is of whole minutes.
const fn is_whole(question: &Question<'_>) -> bool {
    let (from, to) = question.span;
    from.0.rem_euclid(60_000) == 0 && to.0.rem_euclid(60_000) == 0
}

/// Whether all tests are of addresses at one end.
fn is_of_side(question: &Question<'_>, wanted: Side) -> bool {
    let mut all = true;
    scan::tests(question.filter.expr(), &mut |test| {
        all &= matches!(test, Test::Address { field: Address::Host, side, .. } if *side == wanted);
    });
    all
}
