//! The table itself: one line for each thing that a key can do.

use crate::tui::app::Tab;
use crate::tui::keys::{Action, Binding, Context, Form, Key, Motion, Turn};

use Action::{CopyAs, History, Move, Sort, Span, View};
use Context::{Columns, Everywhere, Help, Line, Main, Menu};
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
    row("overview", &[Char('1')], View(Tab::Overview), Main, "", "overview: how much, since when, who"),
    row("conversations", &[Char('2')], View(Tab::Conversations), Main, "", "conversations, sources, destinations"),
    row("hosts", &[Char('3')], View(Tab::Hosts), Main, "", "hosts, autonomous systems, countries"),
    row("services", &[Char('4')], View(Tab::Services), Main, "", "services, protocols, applications, DSCP"),
    row("exporters", &[Char('5')], View(Tab::Exporters), Main, "", "exporters and their health, interfaces, VLANs"),
    row("flows", &[Char('6')], View(Tab::Flows), Main, "", "the newest flows as they come"),
    row("next-view", &[Key::Tab], Action::NextView(Turn::Next), Main, "", "the next view of the same flows"),
    row("view-before", &[Key::BackTab], Action::NextView(Turn::Previous), Main, "", "the view before"),
    row("by", &[Char('b')], Action::Dimension(Turn::Next), Main, "", "rows by something else: hosts, then autonomous systems, and so on"),
    row("by-back", &[Char('B')], Action::Dimension(Turn::Previous), Main, "", "the same, the other way round"),
    row("filter", &[Char('/')], Action::Filter, Main, "filter", "show only what a filter lets through"),
    row("open", &[Key::Enter], Action::Open, Main, "open", "open the row: a host, its conversations, their flows, one flow"),
    row("only", &[Char('f')], Action::Only, Main, "only", "only what the cell under the cursor says"),
    row("except", &[Char('F')], Action::Except, Main, "", "all but what the cell under the cursor says"),
    row("explain", &[Char('e')], Action::Explain, Main, "explain", "all there is to say about the host, the flow or the exporter"),
    row("freeze", &[Char(' ')], Action::Freeze, Main, "freeze", "freeze the figures, or go on; collecting never stops"),
    row("sort", &[Char('s')], Sort(Turn::Next), Main, "sort", "sort by rate, down, up, total, packets, flows; the title says it"),
    row("sort-back", &[Char('S')], Sort(Turn::Previous), Main, "", "the same, the other way round"),
    row("span", &[Char('w')], Action::SpanAround, Main, "span", "rates over 10 s, 1 min, 5 min, 15 min, 60 min"),
    row("span-longer", &[Char('+'), Char('=')], Span(Turn::Next), Main, "", "rates over a longer time"),
    row("span-shorter", &[Char('-')], Span(Turn::Previous), Main, "", "rates over a shorter time"),
    row("units", &[Char('u')], Action::Units, Main, "units", "rates in bits, bytes, packets or flows"),
    row("copy", &[Char('y')], Action::Copy, Main, "copy", "copy the selected row: as a filter, SQL, CSV or Markdown"),
    row("copy-filter", &[Char('f')], CopyAs(Form::Filter), Menu, "filter", "as a filter of this program"),
    row("copy-nfdump", &[Char('n')], CopyAs(Form::Nfdump), Menu, "nfdump", "as arguments for nfdump, with the time"),
    row("copy-tcpdump", &[Char('t')], CopyAs(Form::Tcpdump), Menu, "tcpdump", "as a filter for tcpdump"),
    row("copy-sql", &[Char('s')], CopyAs(Form::Sql), Menu, "sql", "as a query of the database, with the time"),
    row("copy-csv", &[Char('c')], CopyAs(Form::Csv), Menu, "csv", "the figures as CSV"),
    row("copy-markdown", &[Char('m')], CopyAs(Form::Markdown), Menu, "markdown", "the figures as a table in Markdown"),
    row("cell-right", &[Key::Right, Char('>')], Action::Cell(Turn::Next), Main, "", "the cursor to the cell at the right"),
    row("cell-left", &[Key::Left, Char('<')], Action::Cell(Turn::Previous), Main, "", "the cursor to the cell at the left"),
    row("pin", &[Char('*')], Action::Pin, Main, "", "keep the row on top, or let it go"),
    row("remark", &[Char('n')], Action::Remark(Turn::Next), Main, "", "the next row that has a badge"),
    row("remark-back", &[Char('N')], Action::Remark(Turn::Previous), Main, "", "the one before"),
    row("columns", &[Char('c')], Action::Columns, Main, "", "choose columns"),
    row("choose", &[Key::Enter, Char(' ')], Action::Choose, Columns, "show or hide", "show the column, or hide it"),
    row("raw", &[Char('r')], Action::Raw, Main, "", "as reported, or as sampling makes of it"),
    row("once", &[Char('o')], Action::Once, Main, "", "what was reported twice: once, or all reports"),
    row("clock", &[Char('a')], Action::Clock, Main, "", "by when it passed, or by when its report arrived"),
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
    row("back", &[Key::Esc, Key::Backspace], Action::Back, Everywhere, "", "leave what lies on top, or go back up"),
    row("search", &[Char('/')], Action::Search, Help, "search", "search this page"),
    row("repaint", &[Ctrl('l')], Action::Repaint, Everywhere, "", "paint the screen anew"),
    row("suspend", &[Ctrl('z')], Action::Suspend, Everywhere, "", "suspend; nothing is collected until `fg` or `bg`"),
    row("help", &[Char('?')], Action::Help, Everywhere, "help", "this page"),
    row("quit-leaving", &[Char('Q')], Action::QuitLeaving, Everywhere, "", "quit, and leave the last picture behind"),
    row("quit", &[Char('q'), Ctrl('c')], Action::Quit, Everywhere, "quit", "quit; what was received is stored first"),
];
