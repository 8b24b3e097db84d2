//! What the selected row can be copied as, and then what was copied: always in sight as well, since no terminal says
//! whether it took it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::keys::{Context, Form};
use crate::tui::view::card::{self, Entry, Section};
use crate::tui::view::theme::Theme;

pub(super) fn render(buf: &mut Buffer, area: Rect, app: &App, theme: Theme) {
    let section = match app.copied() {
        None => menu(app),
        Some(copied) => match &copied.text {
            Ok(text) => Section {
                heading: format!("Copied as {}", name(copied.form)),
                entries: text
                    .lines()
                    .map(Entry::text)
                    .chain([Entry::text(""), Entry::note("where the terminal did not take it, select it here")])
                    .collect(),
            },
            Err(why) => {
                Section { heading: format!("Not copied as {}", name(copied.form)), entries: vec![Entry::text(*why)] }
            }
        },
    };
    card::render(buf, area, "Copy", &[section], 0, theme);
}

fn menu(app: &App) -> Section {
    let bindings = app.keys().bindings().filter(|(binding, keys)| binding.context == Context::Menu && !keys.is_empty());
    let entries = bindings.map(|(binding, keys)| Entry::named(crate::tui::keys::Keys::names(keys), binding.help));
    Section { heading: "The selected row".to_owned(), entries: entries.collect() }
}

const fn name(form: Form) -> &'static str {
    match form {
        Form::Filter => "a filter",
        Form::Nfdump => "arguments for nfdump",
        Form::Tcpdump => "a filter for tcpdump",
        Form::Sql => "SQL",
        Form::Csv => "CSV",
        Form::Markdown => "Markdown",
    }
}
