//! The keys: one table, from which come what a key does, the key line, the help and the manual.
//!
//! It does not act; [`crate::tui::app`] does. Keys reach it in its own type, so that neither the table nor the state
//! knows the library that reads the terminal.

use std::fmt;

/// A key that means something here; all others never leave the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Ctrl(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Esc,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(' ') => f.write_str("space"),
            Self::Char(letter) => write!(f, "{letter}"),
            Self::Ctrl(letter) => write!(f, "ctrl-{letter}"),
            Self::Up => f.write_str("up"),
            Self::Down => f.write_str("down"),
            Self::PageUp => f.write_str("pgup"),
            Self::PageDown => f.write_str("pgdn"),
            Self::Home => f.write_str("home"),
            Self::End => f.write_str("end"),
            Self::Esc => f.write_str("esc"),
        }
    }
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Quit,
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

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    Everywhere,
    Main,
}

#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// The first one stands in the key line.
    pub keys: &'static [Key],
    pub action: Action,
    /// For the key line; empty for what does not stand there.
    pub label: &'static str,
    pub help: &'static str,
    pub context: Context,
}

const fn binding(
    keys: &'static [Key],
    action: Action,
    context: Context,
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding { keys, action, label, help, context }
}

/// All bindings, in the order in which people read them.
pub const KEYS: &[Binding] = &[
    binding(
        &[Key::Char(' ')],
        Action::Freeze,
        Context::Main,
        "freeze",
        "freeze the figures, or go on; collecting never stops",
    ),
    binding(&[Key::Char('s')], Action::Sort(Turn::Next), Context::Main, "sort", "sort by bytes, packets or flows"),
    binding(&[Key::Char('S')], Action::Sort(Turn::Previous), Context::Main, "", "the same, the other way round"),
    binding(
        &[Key::Char('w')],
        Action::SpanAround,
        Context::Main,
        "span",
        "look back 10 s, 1 min, 5 min, 15 min, 60 min",
    ),
    binding(&[Key::Char('+'), Key::Char('=')], Action::Span(Turn::Next), Context::Main, "", "look back further"),
    binding(&[Key::Char('-')], Action::Span(Turn::Previous), Context::Main, "", "look back less far"),
    binding(&[Key::Char('u')], Action::Units, Context::Main, "units", "rates in bits, bytes or packets"),
    binding(&[Key::Down, Key::Char('j')], Action::Move(Motion::Down), Context::Everywhere, "", "the next row"),
    binding(&[Key::Up, Key::Char('k')], Action::Move(Motion::Up), Context::Everywhere, "", "the row before"),
    binding(&[Key::PageDown], Action::Move(Motion::PageDown), Context::Everywhere, "", "a page down"),
    binding(&[Key::PageUp], Action::Move(Motion::PageUp), Context::Everywhere, "", "a page up"),
    binding(&[Key::Ctrl('d')], Action::Move(Motion::HalfPageDown), Context::Everywhere, "", "half a page down"),
    binding(&[Key::Ctrl('u')], Action::Move(Motion::HalfPageUp), Context::Everywhere, "", "half a page up"),
    binding(&[Key::Home, Key::Char('g')], Action::Move(Motion::First), Context::Everywhere, "", "the first row"),
    binding(&[Key::End, Key::Char('G')], Action::Move(Motion::Last), Context::Everywhere, "", "the last row"),
    binding(&[Key::Esc], Action::Back, Context::Everywhere, "", "leave the help, or unselect the row"),
    binding(&[Key::Ctrl('l')], Action::Repaint, Context::Everywhere, "", "paint the screen anew"),
    binding(
        &[Key::Ctrl('z')],
        Action::Suspend,
        Context::Everywhere,
        "",
        "suspend; nothing is collected until `fg` or `bg`",
    ),
    binding(&[Key::Char('?')], Action::Help, Context::Everywhere, "help", "this page"),
    binding(
        &[Key::Char('q'), Key::Ctrl('c')],
        Action::Quit,
        Context::Everywhere,
        "quit",
        "quit; what was received is stored first",
    ),
];

/// What `key` means where the main view is open, or where something lies over it.
pub fn action(key: Key, context: Context) -> Option<Action> {
    KEYS.iter()
        .find(|binding| {
            binding.keys.contains(&key) && (binding.context == Context::Everywhere || binding.context == context)
        })
        .map(|binding| binding.action)
}

impl Binding {
    /// `down j`, as in the help.
    pub fn key_names(&self) -> String {
        let names: Vec<_> = self.keys.iter().map(Key::to_string).collect();
        names.join(" ")
    }
}
