use std::cell::Cell as Counter;

use super::*;

const COLUMNS: [Column; 6] = [
    Column { heading: "inside", width: 15, widest: 39, is_number: false, rank: 0 },
    Column { heading: "outside", width: 15, widest: 39, is_number: false, rank: 0 },
    Column { heading: "service", width: 10, widest: 18, is_number: false, rank: 2 },
    Column { heading: "rate", width: 9, widest: 9, is_number: true, rank: 1 },
    Column { heading: "total", width: 7, widest: 7, is_number: true, rank: 3 },
    Column { heading: "flows", width: 8, widest: 8, is_number: true, rank: 4 },
];

fn cell(row: usize, column: usize, _: usize) -> Cell {
    match column {
        0 => Cell::address(format!("2001:db8::{row:x}:1319:8a2e:370:7348")),
        1 => Cell::new(format!("日本-host{row}.example.net")),
        2 => Cell::new("https"),
        _ => Cell::new(format!("{}", row * 1000)).styled(Style::new().add_modifier(Modifier::BOLD)),
    }
}

fn beyond(column: usize, _: usize, more: usize) -> Cell {
    Cell::new(if column == 0 { format!("… {more} more") } else { String::new() })
}

fn drawn(width: u16, height: u16, offset: usize, total: usize, marks: Marks) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    let layout = Layout::new(&COLUMNS, &[], &[], usize::from(width));
    render(&mut buf, area, (&COLUMNS, &layout), (offset, total, total), marks, cell, beyond, Theme::default());
    buf
}

#[test]
fn pictures() {
    let marks = Marks { sorted: Some(3), selected: Some(3), column: Some(1) };
    for (width, height) in [(40, 10), (80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("table_{width}x{height}"), text(&drawn(width, height, 1, 100, marks)));
    }
}

#[test]
fn columns_leave_by_rank_and_keep_their_order() {
    let shown = |width: usize, kept: &[usize]| {
        let layout = Layout::new(&COLUMNS, &[], kept, width);
        layout.list.iter().map(|&(at, ..)| at).collect::<Vec<_>>()
    };
    assert_eq!(shown(120, &[]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(shown(70, &[]), [0, 1, 2, 3, 4]);
    assert_eq!(shown(58, &[]), [0, 1, 2, 3]);
    assert_eq!(shown(50, &[]), [0, 1, 3]);
    assert_eq!(shown(30, &[]), [0, 1]);
    assert_eq!(shown(49, &[5]), [0, 1, 5], "the sorted column stays");
    let layout = Layout::new(&COLUMNS, &[5, 0], &[], 80);
    assert_eq!(layout.list.iter().map(|&(at, ..)| at).collect::<Vec<_>>(), [5, 0], "in the order that is wanted");
    assert!(layout.has(5) && !layout.has(1));
}

#[test]
fn no_width_is_too_small_and_none_is_left_unused() {
    for width in 0..300 {
        let layout = Layout::new(&COLUMNS, &[], &[3], width);
        let end = layout.list.last().map_or(0, |&(_, x, width)| x + width);
        if 40 <= width {
            assert_eq!(end, width - usize::from(60 <= width), "{width}: {layout:?}");
        }
        for height in [0, 1, 2, 3, 40] {
            drawn(u16::try_from(width).unwrap(), height, 7, 20, Marks::default());
        }
    }
}

#[test]
fn only_rows_in_sight_are_made() {
    let asked = Counter::new(0);
    let area = Rect::new(0, 0, 120, 40);
    let mut buf = Buffer::empty(area);
    let layout = Layout::new(&COLUMNS, &[], &[], 120);
    let counted = |row, column, width| {
        asked.set(asked.get() + 1);
        cell(row, column, width)
    };
    let whole = (50_000, 100_000, 100_000);
    render(&mut buf, area, (&COLUMNS, &layout), whole, Marks::default(), counted, beyond, Theme::default());
    assert_eq!(asked.get(), 38 * COLUMNS.len());
    assert!(text(&buf).contains("… 49962 more"));
}

#[test]
fn the_selected_row_and_its_cell_are_marked() {
    let marks = Marks { selected: Some(2), column: Some(1), sorted: None };
    let buf = drawn(80, 10, 0, 5, marks);
    let reversed: Vec<_> = (0..10).filter(|&y| buf[(2, y)].modifier.contains(Modifier::REVERSED)).collect();
    assert_eq!(reversed, [3]);
    let underlined: Vec<_> = (0..80).filter(|&x| buf[(x, 3)].modifier.contains(Modifier::UNDERLINED)).collect();
    let layout = Layout::new(&COLUMNS, &[], &[], 80);
    let (_, x, width) = layout.list[1];
    assert!(underlined.iter().all(|&at| (x..x + width).contains(&usize::from(at))) && !underlined.is_empty());
}
