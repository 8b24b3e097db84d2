//! The live tail: the newest flows, or those of them that are largest.

use crate::flow::FlowRecord;
use crate::tui::keys::Turn;

/// Flows that are asked for.
pub(super) const TAIL: usize = 1_000;

/// By what flows are sorted, the largest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FlowSort {
    /// As they came, the newest first.
    #[default]
    Arrival,
    Bytes,
    Packets,
    Duration,
}

impl FlowSort {
    const ALL: [Self; 4] = [Self::Arrival, Self::Bytes, Self::Packets, Self::Duration];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::Bytes => "bytes",
            Self::Packets => "packets",
            Self::Duration => "duration",
        }
    }

    pub(super) fn turned(self, turn: Turn) -> Self {
        let step = if turn == Turn::Next { 1 } else { Self::ALL.len() - 1 };
        Self::ALL[(self as usize + step) % Self::ALL.len()]
    }

    /// In this order; what is equal stays as it came.
    pub(super) fn arrange(self, flows: &mut [FlowRecord]) {
        match self {
            Self::Arrival => {}
            Self::Bytes => flows.sort_by_key(|flow| std::cmp::Reverse(flow.counts.bytes)),
            Self::Packets => flows.sort_by_key(|flow| std::cmp::Reverse(flow.counts.packets)),
            Self::Duration => flows.sort_by_key(|flow| std::cmp::Reverse(flow.last.since(flow.first))),
        }
    }
}
