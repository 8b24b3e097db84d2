//! The way that led to a view, as its title: `Hosts › nas.lan › backup.example`. When the room is short, the middle goes
//! first, since where one came from and where one is are what matters.

use unicode_width::UnicodeWidthStr;

use crate::tui::view::text;
use crate::tui::view::theme::Theme;

/// The steps in at most `width` columns.
pub(super) fn title(steps: &[String], width: usize, theme: Theme) -> String {
    let joined = |steps: &[&str]| steps.join(&format!(" {} ", theme.step()));
    let mut shown: Vec<&str> = steps.iter().map(String::as_str).collect();
    let mut has_gap = false;
    while width < joined(&shown).width() && 2 + usize::from(has_gap) < shown.len() {
        if has_gap {
            shown.remove(2);
        } else {
            *shown.get_mut(1).unwrap_or(&mut "") = theme.ellipsis();
            has_gap = true;
        }
    }
    let whole = joined(&shown);
    if whole.width() <= width {
        return whole;
    }
    // Where one is, if nothing else.
    text::cut(shown.last().copied().unwrap_or(""), width, theme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_way_goes_first() {
        let steps = ["Hosts", "nas.lan", "backup.example", "https"].map(str::to_owned);
        let title = |width| title(&steps, width, Theme::default());
        assert_eq!(title(80), "Hosts › nas.lan › backup.example › https");
        assert_eq!(title(39), "Hosts › … › backup.example › https");
        assert_eq!(title(20), "Hosts › … › https");
        assert_eq!(title(10), "https");
        assert_eq!(title(4), "htt…");
        assert_eq!(title(0), "");
        assert_eq!(super::title(&[], 10, Theme::default()), "");
        assert_eq!(super::title(&steps[..2], 80, Theme { ascii: true, ..Theme::default() }), "Hosts > nas.lan");
    }

    #[test]
    fn no_title_is_wider_than_its_room() {
        let steps = ["日本", "a.very.long.name.of.a.host.example", "x", "2001:db8::1"].map(str::to_owned);
        for width in 0..90 {
            for taken in 0..=steps.len() {
                assert!(title(&steps[..taken], width, Theme::default()).width() <= width);
            }
        }
    }
}
