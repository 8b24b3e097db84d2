use super::*;
use crate::tui::view::Depth;

fn bars(count: usize) -> Vec<Bar> {
    let value = |n: usize, step: usize| u64::try_from(n * step % 97).unwrap();
    (0..count).map(|n| Bar { up: value(n, 7), down: value(n, 3) / 3, is_settled: n + 9 < count }).collect()
}

fn drawn(width: u16, height: u16, bars: &[Bar], theme: Theme) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    render(&mut buf, area, bars, round_top(highest(bars)), theme);
    buf
}

#[test]
fn pictures() {
    let ascii = Theme { ascii: true, ..Theme::default() };
    for (width, height) in [(40, 3), (80, 6), (120, 9), (200, 14)] {
        let picture = text(&drawn(width, height, &bars(usize::from(width)), Theme::default()));
        insta::assert_snapshot!(format!("graph_{width}x{height}"), picture);
    }
    let picture = text(&drawn(80, 6, &bars(80), ascii));
    assert!(picture.is_ascii(), "{picture}");
    insta::assert_snapshot!("graph_ascii_80x6", picture);
}

#[test]
fn directions_have_one_scale_and_their_own_colours() {
    let theme = Theme { depth: Depth::Sixteen, ..Theme::default() };
    let bars = [Bar { up: 100, down: 100, is_settled: true }, Bar { up: 1, down: 1, is_settled: true }];
    let buf = drawn(2, 9, &bars, theme);
    let column = |x: u16| (0..9).map(|y| buf[(x, y)].symbol().to_owned()).collect::<Vec<_>>();
    assert_eq!(column(0), ["█"; 9]);
    assert_eq!(column(1), [" ", " ", " ", " ", " ", "▁", "▔", " ", " "]);
    assert_eq!(Some(buf[(0, 0)].fg), theme.traffic().fg);
    assert_eq!(Some(buf[(0, 8)].fg), theme.outbound().fg);
}

#[test]
fn what_is_not_settled_is_lighter_and_nothing_is_nothing() {
    let bars = [Bar { up: 5, down: 5, is_settled: false }, Bar { up: 0, down: 0, is_settled: false }];
    let buf = drawn(4, 3, &bars, Theme::default());
    assert_eq!(text(&buf), "  ░\n  ░\n  ░\n");
}

#[test]
fn no_size_and_no_value_is_too_much() {
    let extreme = [Bar { up: u64::MAX, down: u64::MAX, is_settled: true }, Bar::default()];
    for width in 0..40 {
        for height in 0..20 {
            drawn(width, height, &bars(60), Theme::default());
            drawn(width, height, &extreme, Theme::default());
            drawn(width, height, &[], Theme::default());
        }
    }
    assert_eq!(round_top(0), 1);
    assert_eq!(round_top(u64::MAX), u64::MAX);
}

#[test]
fn sparklines_have_the_width_of_their_cell() {
    let theme = Theme::default();
    assert_eq!(sparkline(&[0, 1, 4, 8], 6, theme), "  _▁▄▇");
    assert_eq!(sparkline(&[9, 9, 0, 1, 4, 8], 4, theme), "_▁▄▇");
    assert_eq!(sparkline(&[0, 0], 2, theme), "__");
    assert_eq!(sparkline(&[], 3, theme), "   ");
    assert_eq!(sparkline(&[u64::MAX, 1], 2, theme), "▇▁");
    assert!(sparkline(&[0, 1, 4, 8], 6, Theme { ascii: true, ..theme }).is_ascii());
}
