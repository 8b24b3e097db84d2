//! The keys: one table, from which come what a key does, the key line, the help, the README and the names for rebinding.
//!
//! It does not act; [`crate::tui::app`] does. Keys reach it in its own type, so that neither the table nor the state
//! knows the library that reads the terminal.

mod name;
mod rebind;

pub use crate::tui::keys::rebind::RebindError;

/// A key that means something here; all others never leave the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    Char(char),
    Ctrl(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Esc,
    Enter,
    Tab,
    BackTab,
    Backspace,
    Delete,
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Quit,
    /// Leaves the last picture on the terminal.
    QuitLeaving,
    Help,
    Freeze,
    Sort(Turn),
    Span(Turn),
    /// Through all spans, and from the longest to the shortest.
    SpanAround,
    Units,
    Move(Motion),
    Back,
    Repaint,
    Suspend,
    /// Opens the line in which the filter is edited.
    Filter,
    /// Opens the menu of what the selected row can be copied as.
    Copy,
    CopyAs(Form),
    HostNames,
    ServiceNames,
    Privacy,
    Mouse,
    /// Opens the line in which a word of the help is searched for.
    Search,
    /// What is typed shall hold.
    Accept,
    Complete,
    History(Turn),
}

/// To the next or the previous of something that is in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Next,
    Previous,
}

/// Through rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    Up,
    Down,
    HalfPageUp,
    HalfPageDown,
    PageUp,
    PageDown,
    First,
    Last,
}

/// What a selection can be copied as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text for the filter line.
    Filter,
    Nfdump,
    Tcpdump,
    Sql,
    Csv,
    Markdown,
}

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Wherever keys are not typed text.
    Everywhere,
    Main,
    Help,
    /// The copy menu.
    Copy,
    /// A line that is edited: keys that are no text.
    Line,
}

impl Context {
    /// Whether one key may not have two meanings in these.
    fn overlaps(self, other: Self) -> bool {
        let is_line = |context| context == Self::Line;
        self == other || (self == Self::Everywhere || other == Self::Everywhere) && !is_line(self) && !is_line(other)
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// What the person who rebinds keys calls it; unique.
    pub name: &'static str,
    /// Those it has when nobody rebinds them. The first one stands in the key line.
    pub keys: &'static [Key],
    pub action: Action,
    /// For the key line; empty for what does not stand there.
    pub label: &'static str,
    pub help: &'static str,
    pub context: Context,
}

use Action::{CopyAs, History, Move, Sort, Span};
use Context::{Copy, Everywhere, Help, Line, Main};
use Key::{Char, Ctrl};

const fn row(
    name: &'static str,
    keys: &'static [Key],
    action: Action,
    context: Context,
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding { name, keys, action, label, help, context }
}

/// All bindings, in the order in which people read them.
#[rustfmt::skip]
pub const KEYS: &[Binding] = &[
    row("filter", &[Char('/')], Action::Filter, Main, "filter", "show only what a filter lets through"),
    row("freeze", &[Char(' ')], Action::Freeze, Main, "freeze", "freeze the figures, or go on; collecting never stops"),
    row("sort", &[Char('s')], Sort(Turn::Next), Main, "sort", "sort by bytes, packets or flows"),
    row("sort-back", &[Char('S')], Sort(Turn::Previous), Main, "", "the same, the other way round"),
    row("span", &[Char('w')], Action::SpanAround, Main, "span", "look back 10 s, 1 min, 5 min, 15 min, 60 min"),
    row("span-longer", &[Char('+'), Char('=')], Span(Turn::Next), Main, "", "look back further"),
    row("span-shorter", &[Char('-')], Span(Turn::Previous), Main, "", "look back less far"),
    row("units", &[Char('u')], Action::Units, Main, "units", "rates in bits, bytes, packets or flows"),
    row("copy", &[Char('y')], Action::Copy, Main, "copy", "copy the selected row: as a filter, SQL, CSV or Markdown"),
    row("copy-filter", &[Char('f')], CopyAs(Form::Filter), Copy, "filter", "as a filter of this program"),
    row("copy-nfdump", &[Char('n')], CopyAs(Form::Nfdump), Copy, "nfdump", "as arguments for nfdump, with the time"),
    row("copy-tcpdump", &[Char('t')], CopyAs(Form::Tcpdump), Copy, "tcpdump", "as a filter for tcpdump"),
    row("copy-sql", &[Char('s')], CopyAs(Form::Sql), Copy, "sql", "as a query of the database, with the time"),
    row("copy-csv", &[Char('c')], CopyAs(Form::Csv), Copy, "csv", "the figures as CSV"),
    row("copy-markdown", &[Char('m')], CopyAs(Form::Markdown), Copy, "markdown", "the figures as a table in Markdown"),
    row("host-names", &[Char('d')], Action::HostNames, Main, "", "hosts by name or by address"),
    row("service-names", &[Char('p')], Action::ServiceNames, Main, "", "services by name or by port"),
    row("privacy", &[Char('P')], Action::Privacy, Main, "", "mask addresses and names, for others who look on"),
    row("mouse", &[Char('m')], Action::Mouse, Main, "", "let the wheel scroll; the terminal then selects no text"),
    row("down", &[Key::Down, Char('j')], Move(Motion::Down), Everywhere, "", "the next row"),
    row("up", &[Key::Up, Char('k')], Move(Motion::Up), Everywhere, "", "the row before"),
    row("page-down", &[Key::PageDown], Move(Motion::PageDown), Everywhere, "", "a page down"),
    row("page-up", &[Key::PageUp], Move(Motion::PageUp), Everywhere, "", "a page up"),
    row("half-down", &[Ctrl('d')], Move(Motion::HalfPageDown), Everywhere, "", "half a page down"),
    row("half-up", &[Ctrl('u')], Move(Motion::HalfPageUp), Everywhere, "", "half a page up"),
    row("first", &[Key::Home, Char('g')], Move(Motion::First), Everywhere, "", "the first row"),
    row("last", &[Key::End, Char('G')], Move(Motion::Last), Everywhere, "", "the last row"),
    row("accept", &[Key::Enter], Action::Accept, Line, "apply", "apply what was typed"),
    row("cancel", &[Key::Esc], Action::Back, Line, "back", "leave the line; what held before holds on"),
    row("complete", &[Key::Tab], Action::Complete, Line, "complete", "complete the word"),
    row("older", &[Key::Up], History(Turn::Previous), Line, "older", "the filter before"),
    row("newer", &[Key::Down], History(Turn::Next), Line, "", "the filter after"),
    row("back", &[Key::Esc, Key::Backspace], Action::Back, Everywhere, "", "leave what lies on top, or unselect the row"),
    row("search", &[Char('/')], Action::Search, Help, "search", "search this page"),
    row("repaint", &[Ctrl('l')], Action::Repaint, Everywhere, "", "paint the screen anew"),
    row("suspend", &[Ctrl('z')], Action::Suspend, Everywhere, "", "suspend; nothing is collected until `fg` or `bg`"),
    row("help", &[Char('?')], Action::Help, Everywhere, "help", "this page"),
    row("quit-leaving", &[Char('Q')], Action::QuitLeaving, Everywhere, "", "quit, and leave the last picture behind"),
    row("quit", &[Char('q'), Ctrl('c')], Action::Quit, Everywhere, "quit", "quit; what was received is stored first"),
];

/// The table with the keys that hold for this person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// One list for each of [`KEYS`].
    keys: Vec<Vec<Key>>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { keys: KEYS.iter().map(|binding| binding.keys.to_vec()).collect() }
    }
}

impl Keys {
    /// What `key` means there. A binding of the place itself comes before one of everywhere.
    pub fn action(&self, key: Key, context: Context) -> Option<Action> {
        let find = |wanted| {
            self.bindings()
                .find(|(binding, keys)| binding.context == wanted && keys.contains(&key))
                .map(|(b, _)| b.action)
        };
        match context {
            // Letters are text there.
            Context::Line => find(context).or_else(|| find(Everywhere).filter(|_| matches!(key, Ctrl(_)))),
            _ => find(context).or_else(|| find(Everywhere)),
        }
    }

    /// All bindings with the keys that they have.
    pub fn bindings(&self) -> impl Iterator<Item = (&'static Binding, &[Key])> {
        KEYS.iter().zip(self.keys.iter().map(Vec::as_slice))
    }

    /// The keys of an action, as in the help: `down j`.
    pub fn names(keys: &[Key]) -> String {
        let names: Vec<_> = keys.iter().map(Key::to_string).collect();
        names.join(" ")
    }

    /// The table of the README.
    pub fn markdown(&self) -> String {
        let mut text = "| key | what it does |\n| --- | --- |\n".to_owned();
        for (binding, keys) in self.bindings().filter(|(_, keys)| !keys.is_empty()) {
            let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            text.push_str(&format!("| {} | {}{} |\n", keys.join(" "), place(binding.context), binding.help));
        }
        text
    }
}

/// Where a binding holds, for who reads all of them in one table.
pub const fn place(context: Context) -> &'static str {
    match context {
        Context::Everywhere | Context::Main => "",
        Context::Help => "in the help: ",
        Context::Copy => "after `y`: ",
        Context::Line => "in the filter: ",
    }
}

#[cfg(test)]
mod tests;
