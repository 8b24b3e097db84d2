use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::collector::stats::Health;
use crate::store::history::History;
use crate::store::rollup::prune::Before;
use crate::store::tests::{NOW, Place, flow, flows};

const ALWAYS: (Timestamp, Timestamp) = (Timestamp(0), Timestamp(NOW.0 * 2));

fn host(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 | n).into()
}

fn ranges(place: &Place, needs: &Needs) -> Vec<Range<RowKey>> {
    History::open(&place.path).unwrap().ranges(needs, ALWAYS).unwrap()
}

/// Rows in the ranges, and how many of them are of a host.
fn rows(place: &Place, ranges: &[Range<RowKey>], host: IpAddr) -> (usize, usize) {
    let mut read = (0, 0);
    let sqlite = place.sqlite();
    for range in ranges {
        crate::store::index::stored(&sqlite, range.start.0..=range.end.0 - 1, usize::MAX, |_, _, flow| {
            read.0 += 1;
            read.1 += usize::from(flow.key.src_ip == host);
            Ok(())
        })
        .unwrap();
    }
    read
}

/// Four blocks and a bit, in each of which other hosts occur.
fn four_blocks(place: &Place) {
    let mut writer = place.writer();
    for n in 0..9 {
        let received = NOW.plus(i64::from(n) * 1_000);
        let flows: Vec<_> = (0..ROWS / 2).map(|row| flow(received, n * 4096 + row % 4096)).collect();
        writer.push(&flows);
        writer.flush(received, &Health::default()).unwrap();
    }
    writer.close(NOW, &Health::default()).unwrap();
}

#[test]
fn a_rare_host_is_looked_for_where_it_occurs() {
    let place = Place::new();
    four_blocks(&place);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM blocks"), 4);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM block_filters"), 64);
    let open = ROWS as usize / 2;
    let all = rows(&place, &ranges(&place, &Needs::Nothing), host(0));
    assert_eq!(all.0, ROWS as usize * 9 / 2);
    for n in [0, 3, 7] {
        let host = host(n * 4096 + 77);
        let needs = Needs::Token(Token::Address(host));
        assert_eq!(rows(&place, &ranges(&place, &needs), host), (ROWS as usize + open, 2));
    }
    let last = host(8 * 4096 + 77);
    assert_eq!(rows(&place, &ranges(&place, &Needs::Token(Token::Address(last))), last), (open, 2));
    let token = |token| Needs::Token(token);
    let (web, dns) = (Token::port(443).unwrap(), Token::port(53).unwrap());
    let blocks = |needs: &Needs| (rows(&place, &ranges(&place, needs), last).0 - open) / ROWS as usize;
    assert_eq!(blocks(&token(web)), 4);
    assert_eq!(blocks(&token(dns)), 0);
    assert_eq!(blocks(&Needs::All(vec![token(web), token(dns)])), 0);
    assert_eq!(blocks(&Needs::Any(vec![token(web), token(dns)])), 4);
    assert_eq!(blocks(&Needs::All(vec![token(web), token(Token::Address(host(77)))])), 1);
    assert_eq!(blocks(&Needs::Any(Vec::new())), 0);
    assert_eq!(blocks(&token(Token::prefix(host(2 * 8192), 24).unwrap())), 1);
    assert_eq!(blocks(&token(Token::Protocol(17))), 0);
    assert_eq!(blocks(&token(Token::Exporter(1))), 4);
    assert_eq!(blocks(&token(Token::InInterface(9))), 0);
}

#[test]
fn blocks_of_other_times_are_left_out() {
    let place = Place::new();
    four_blocks(&place);
    let history = History::open(&place.path).unwrap();
    let span = (NOW.plus(2_000), NOW.plus(3_500));
    let found = history.ranges(&Needs::Nothing, span).unwrap();
    assert_eq!(rows(&place, &found, host(0)).0, ROWS as usize * 3 / 2);
}

#[test]
fn a_late_flow_is_found() {
    let place = Place::new();
    four_blocks(&place);
    let late = host(0xf_ffff);
    let needs = Needs::Token(Token::Address(late));
    let mut writer = place.writer();
    writer.flush(NOW, &Health::default()).unwrap();
    writer.push(&[flow(NOW.plus(500), 0xf_ffff), flow(NOW.plus(501), 5)]);
    // Noted as late, then in a block of its own.
    for written in [0, 1] {
        writer.flush(NOW.plus(70_000 * written), &Health::default()).unwrap();
        let found = ranges(&place, &needs);
        assert_eq!(rows(&place, &found, late), (ROWS as usize / 2 + 2, 1));
        assert_eq!(place.ask::<i64>("SELECT count(*) FROM blocks WHERE late = 1"), written);
    }
}

#[test]
fn a_block_that_was_open_at_a_crash_is_filled_on() {
    let place = Place::new();
    for n in 0..5 {
        let mut writer = place.writer();
        writer.push(&flows(NOW.plus(n), 0..10_000));
        writer.flush(NOW.plus(n), &Health::default()).unwrap();
    }
    let blocks: Vec<i64> = {
        let sqlite = place.sqlite();
        let mut query = sqlite
            .prepare("SELECT (SELECT count(*) FROM flows WHERE id BETWEEN b.first AND b.last) FROM blocks AS b")
            .unwrap();
        query.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(blocks, [i64::from(ROWS); 3]);
    let whole = Needs::Token(Token::Address(host(9_999)));
    assert_eq!(rows(&place, &ranges(&place, &whole), host(9_999)).1, 5);
}

#[test]
fn one_in_a_thousand_seems_to_occur() {
    let mut block = Open::default();
    for n in 0..ROWS {
        let mut flow = flow(NOW, n.wrapping_mul(0x9e37_79b9) >> 8);
        flow.key.dst_ip = Ipv4Addr::from_bits(n.wrapping_mul(0x85eb_ca6b)).into();
        block.add(RowKey(n.into()), Booking::of(&flow), 1, &flow);
    }
    assert!(block.is_full());
    let hashes = block.tokens.hashes();
    let filters = filters(&hashes);
    let holds = |token: Token| holds(&filters[part_of(token.hash())], token.hash());
    assert!(hashes.iter().all(|hash| super::holds(&filters[part_of(*hash)], *hash)));
    let wrong = (0..100_000).filter(|n| holds(Token::Address(Ipv4Addr::from_bits(0xc000_0000 + n * 3).into()))).count();
    assert!(wrong < 200, "{wrong} of 100,000");
}

/// The filters of a file must mean the same to every later program.
#[test]
fn the_bits_of_tokens_never_change() {
    let hashes = [
        Token::Address(host(1)),
        Token::Prefix("2001:db8::".parse().unwrap(), 48),
        Token::Port(443),
        Token::As(64_500),
    ]
    .map(Token::hash);
    assert_eq!(hashes, [0x8b02_e972_8f83_3e25, 0xc29b_2391_6122_f936, 0x2d3a_eb6d_caa5_6a53, 0xb46a_e0a8_662b_6816]);
    assert_eq!(bits(0x0123_4567_89ab_cdef, 1_000).collect::<Vec<_>>(), [7256, 6995, 6734, 6473, 6212, 5952]);
}

#[test]
fn prefixes_are_looked_for_by_the_longest_that_is_indexed() {
    let address = host(0x01_0203);
    let v6: IpAddr = "2001:db8:1:2::3".parse().unwrap();
    assert_eq!(Token::prefix(address, 32), Some(Token::Address(address)));
    assert_eq!(Token::prefix(address, 27), Some(Token::Prefix(address, 24)));
    assert_eq!(Token::prefix(address, 16), Some(Token::Prefix(address, 16)));
    assert_eq!(Token::prefix(address, 8), None);
    assert_eq!(Token::prefix(v6, 56), Some(Token::Prefix(v6, 48)));
    assert_eq!(Token::prefix(v6, 127), Some(Token::Prefix(v6, 64)));
    assert_eq!(Token::Prefix(address, 24).hash(), Token::Prefix(host(0x01_02ff), 24).hash());
    assert_eq!(Token::port(40_000), None);
}

#[test]
fn blocks_go_with_their_rows() {
    let place = Place::new();
    four_blocks(&place);
    let mut writer = place.writer();
    let row = RowKey::at(NOW.plus(4_000));
    let before = Before { minute: Timestamp(0), hour: Timestamp(0), row };
    assert_eq!(writer.prune_derived(before, 1).unwrap(), 1);
    assert_eq!(writer.prune_derived(before, 9).unwrap(), 1);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM block_filters"), 32);
    assert_eq!(ranges(&place, &Needs::Nothing)[0].start, row);
}

#[test]
fn numbers_of_a_flow_are_the_tokens_that_are_asked_for() {
    let mut one = flow(NOW, 1);
    (one.key.src_port, one.key.dst_port, one.key.protocol) = (53, 443, 17);
    (one.src_as, one.dst_as, one.in_if, one.out_if) = (64_500, 64_501, 3, 0);
    let mut met = Met::default();
    let mut tokens = |flow: &FlowRecord| met.new_ones(9, flow).collect::<Vec<_>>();
    let all = [
        Token::Port(53),
        Token::Port(443),
        Token::As(64_500),
        Token::As(64_501),
        Token::InInterface(3),
        Token::OutInterface(0),
        Token::Protocol(17),
        Token::Exporter(9),
    ];
    assert_eq!(tokens(&one), all.map(Token::hash));
    let mut next = one;
    (next.key.src_port, next.key.dst_port, next.src_as, next.key.protocol) = (50_000, 22, 0, 6);
    assert_eq!(tokens(&next), [Token::Port(22), Token::Protocol(6)].map(Token::hash));
}
