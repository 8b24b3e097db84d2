use super::*;

fn sections() -> Vec<Section> {
    let long = "reverse DNS says that this host is a.very.long.name.of.a.host.in.a.zone.of.its.own.example.net, which \
                nobody believes without a second look";
    vec![
        Section {
            heading: "Names".to_owned(),
            entries: vec![
                Entry::named("name", "nas.lan"),
                Entry::named("system", "AS64512 Example Networks, DE"),
                Entry::named("a name that is longer than there is room", long),
            ],
        },
        Section {
            heading: String::new(),
            entries: vec![Entry::text("no name here"), Entry::note("of less weight"), Entry::alarm("lost", "12 %")],
        },
    ]
}

fn drawn(width: u16, height: u16, offset: usize) -> (String, usize) {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::filled(area, ratatui::buffer::Cell::new("."));
    let hidden = render(&mut buf, area, "192.168.1.2", &sections(), offset, Theme::default());
    (text(&buf), hidden)
}

#[test]
fn pictures() {
    for (width, height) in [(40, 10), (80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("card_{width}x{height}"), drawn(width, height, 0).0);
    }
}

#[test]
fn what_does_not_fit_is_scrolled_to() {
    let (_, hidden) = drawn(40, 8, 0);
    assert!(0 < hidden);
    let (last, _) = drawn(40, 8, hidden);
    assert!(last.contains("12 %"), "{last}");
    assert_eq!(drawn(40, 8, 10_000).0, last);
    assert_eq!(drawn(120, 40, 0).1, 0);
}

#[test]
fn no_size_is_too_small() {
    for width in 0..60 {
        for height in 0..20 {
            drawn(width, height, 3);
        }
    }
}
