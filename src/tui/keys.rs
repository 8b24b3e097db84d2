//! The keys: one table, from which come what a key does, the key line, the help, the README and the names for rebinding.
//!
//! It does not act; [`crate::tui::app`] does. Keys reach it in its own type, so that neither the table nor the state
//! knows the library that reads the terminal.

mod name;
mod rebind;
mod table;

pub use crate::tui::keys::rebind::RebindError;
pub use crate::tui::keys::table::KEYS;

use crate::tui::app::Tab;

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
    /// A view of everything.
    View(Tab),
    /// The next view of the same flows.
    NextView(Turn),
    /// Tells rows of the view apart by something else.
    Dimension(Turn),
    /// Opens what the selected row stands for.
    Open,
    /// Moves the cursor among the cells of a row.
    Cell(Turn),
    /// Shows only what the cell says, or all but that.
    Only,
    Except,
    Explain,
    Pin,
    /// Opens the choice of columns, and chooses one.
    Columns,
    Choose,
    /// Counts as reported, or as sampling makes of them.
    Raw,
    /// What was reported twice, once or twice.
    Once,
    Clock,
    /// To the next row that has a badge.
    Remark(Turn),
    /// To an earlier or a later moment.
    Step(Stride, Turn),
    /// Back from the past.
    Now,
    /// Opens the line for a moment to go to.
    Jump,
    /// Marks the moment as A or B.
    Mark(usize),
    /// Shows what moved, and compares with something else.
    Compare,
    /// Opens the line for a note.
    Note,
    /// Writes everything about the span in view into a folder.
    Bundle,
    /// Opens the choice of named questions.
    Presets,
}

/// How far a step through time leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stride {
    /// A part of the span.
    Step,
    Span,
    Day,
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
    /// While time stands still; what holds in [`Context::Main`] holds as well.
    Past,
    Help,
    /// The copy menu.
    Menu,
    /// A line that is edited: keys that are no text.
    Line,
    /// What explains one thing.
    Card,
    /// The choice of columns.
    Columns,
}

impl Context {
    /// Whether one key may not have two meanings in these.
    fn overlaps(self, other: Self) -> bool {
        // Keys of the past come before what they mean otherwise.
        let is_apart = |context| matches!(context, Self::Line | Self::Past);
        self == other || (self == Self::Everywhere || other == Self::Everywhere) && !is_apart(self) && !is_apart(other)
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
            Context::Line => {
                find(context).or_else(|| find(Context::Everywhere).filter(|_| matches!(key, Key::Ctrl(_))))
            }
            Context::Past => find(context).or_else(|| find(Context::Main)).or_else(|| find(Context::Everywhere)),
            _ => find(context).or_else(|| find(Context::Everywhere)),
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
        Context::Past => "while time stands still: ",
        Context::Help => "in the help: ",
        Context::Menu => "after `y`: ",
        Context::Card => "in what explains: ",
        Context::Columns => "after `c`: ",
        Context::Line => "in the filter: ",
    }
}

#[cfg(test)]
mod tests;
