//! The program in a real pseudo-terminal, looked at through a screen model: it waits for what it wants to see, never for
//! a time, and the terminal is as before when the program has ended, however it ended.

use std::env;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use flowglass::tui::terminal::Terminal;
use flowglass::tui::view::Theme;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::package;

mod past;

/// Longer than anything here takes on a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program in a terminal of its own.
pub(crate) struct Session {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
    /// Everything that the program sent.
    sent: Arc<(Mutex<Vec<u8>>, Condvar)>,
}

impl Session {
    /// Whatever the one who runs the tests has set, the terminal has colours and more than ASCII.
    fn start(mut command: CommandBuilder, size: (u16, u16)) -> Self {
        command.env_remove("NO_COLOR");
        command.env("LC_ALL", "C.UTF-8");
        Self::start_as_is(command, size)
    }

    fn start_as_is(mut command: CommandBuilder, (columns, rows): (u16, u16)) -> Self {
        let pty = native_pty_system().openpty(PtySize { rows, cols: columns, ..Default::default() }).unwrap();
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command).unwrap();
        let mut output = pty.master.try_clone_reader().unwrap();
        let keys = pty.master.take_writer().unwrap();
        let screen = Arc::new((Mutex::new(vt100::Parser::new(nonzero(rows), nonzero(columns), 0)), Condvar::new()));
        let model = Arc::clone(&screen);
        let sent = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let record = Arc::clone(&sent);
        thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(1..) = output.read(&mut octets).inspect(|&n| {
                model.0.lock().unwrap().process(&octets[..n]);
                model.1.notify_all();
                record.0.lock().unwrap().extend_from_slice(&octets[..n]);
                record.1.notify_all();
            }) {}
        });
        Self { child, master: pty.master, keys, screen, sent }
    }

    fn demo(size: (u16, u16)) -> Self {
        Self::program(&["demo"], &[], size)
    }

    /// The program with these arguments and variables.
    pub(crate) fn program(arguments: &[&str], variables: &[(&str, &str)], size: (u16, u16)) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowglass"));
        command.args(arguments);
        variables.iter().for_each(|(name, value)| command.env(name, value));
        Self::start(command, size)
    }

    /// Presses keys, and waits for what they bring.
    pub(crate) fn press_for(&mut self, keys: &str, text: &str) -> String {
        self.press(keys);
        self.wait_for(text)
    }

    fn resize(&self, (columns, rows): (u16, u16)) {
        self.screen.0.lock().unwrap().screen_mut().set_size(nonzero(rows), nonzero(columns));
        self.master.resize(PtySize { rows, cols: columns, ..Default::default() }).unwrap();
    }

    /// Waits until the terminal was sent these octets.
    fn wait_for_octets(&self, wanted: &[u8]) {
        let (seen, changed) = &*self.sent;
        let seen = seen.lock().unwrap();
        let lacks = |seen: &mut Vec<u8>| !seen.windows(wanted.len()).any(|window| window == wanted);
        let (seen, waited) = changed.wait_timeout_while(seen, PATIENCE, lacks).unwrap();
        assert!(!waited.timed_out(), "{:?} was not sent", String::from_utf8_lossy(wanted));
        drop(seen);
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen is as wanted, and returns its text.
    pub(crate) fn wait_until(&self, wanted: impl Fn(&vt100::Screen) -> bool, what: &str) -> String {
        let (model, changed) = &*self.screen;
        let parser = model.lock().unwrap();
        let (parser, waited) = changed.wait_timeout_while(parser, PATIENCE, |parser| !wanted(parser.screen())).unwrap();
        let text = parser.screen().contents();
        assert!(!waited.timed_out(), "{what} is not on the screen:\n{text}");
        text
    }

    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait_until(|screen| screen.contents().contains(text), text)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid(&*self.child), signal).unwrap();
    }

    /// Waits for the end, and for the terminal to be as before.
    pub(crate) fn ends(mut self, code: u32) -> String {
        let status = self.child.wait().unwrap();
        let text = self.wait_until(|screen| !screen.alternate_screen() && !screen.hide_cursor(), "the old screen");
        assert_eq!(status.exit_code(), code, "{text}");
        assert!(self.is_cooked(), "line editing and echo are back");
        text
    }

    /// Whether the line discipline edits lines, as a shell needs it. The slave's settings are those of the master.
    fn is_cooked(&self) -> bool {
        let Some(tty) = self.master.tty_name() else { return true };
        let output = Command::new("stty").arg("-F").arg(tty).arg("-a").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let has = |flag| text.split_whitespace().any(|word| word == flag);
        !output.status.success() || ["icanon", "echo", "isig"].into_iter().all(has)
    }
}

fn pid(child: &(dyn Child + Send + Sync)) -> Pid {
    Pid::from_raw(i32::try_from(child.process_id().unwrap()).unwrap()).unwrap()
}

fn nonzero(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

/// Whether a whole row stands in reverse.
fn has_selected_row(screen: &vt100::Screen) -> bool {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let reversed = |row, column| screen.cell(row, column).is_some_and(vt100::Cell::inverse);
    (0..rows).any(|row| (2..columns - 2).all(|column| reversed(row, column)))
}

#[test]
fn a_stranger_sees_traffic_freezes_it_reads_the_help_and_quits() {
    let mut session = Session::demo((80, 24));
    session.wait_for("https");
    let text = session.wait_for("Conversations");
    assert!(text.contains("lost 0"), "{text}");
    session.press("?");
    session.wait_for("overview: how much, since when, who");
    session.press("\x1b");
    session.wait_for("Conversations by rate");
    session.press("s");
    session.wait_for("Conversations by down");
    session.press("w");
    session.wait_for("last 5 min");
    session.press(" ");
    let frozen = session.wait_for("FROZEN");
    session.press("j");
    session.wait_until(has_selected_row, "a selected row");
    assert!(frozen.contains("FROZEN"));
    session.press(" ");
    session.wait_until(|screen| !screen.contents().contains("FROZEN"), "live traffic");
    session.press("q");
    session.ends(0);
}

/// Who uploads most, to whom, over which service, since when, and a filter for tcpdump: with nothing but what the help
/// says. What it finds is compared with every other row on the screen.
#[test]
fn a_first_time_user_finds_who_uploads_most_and_copies_a_filter_for_it() {
    let mut session = Session::demo((120, 40));
    session.wait_for("https");
    session.press_for("?", "overview: how much, since when, who");
    session.wait_for("sort by rate, down, up");
    session.press_for("/", "Help: _");
    session.press("tcpdump");
    let found = |screen: &vt100::Screen| {
        let text = screen.contents();
        text.contains("after `y`: as a filter for tcpdump") && !text.contains("overview")
    };
    session.wait_until(found, "what the help has of tcpdump");
    session.press_for("\r", "Help: tcpdump ");
    session.press_for("\x1b", "overview");
    session.press_for("\x1b", "Conversations by rate");
    session.press_for("s", "Conversations by down");
    session.press_for("s", "Conversations by up");
    // The figures stand still, and hosts are addresses, as tcpdump wants them.
    session.press_for(" ", "FROZEN");
    session.press("d");
    let has_rows = |screen: &vt100::Screen| uploads(&screen.contents()).first().is_some_and(|first| first.is_plain());
    let text = session.wait_until(has_rows, "rows with addresses");
    let rows = uploads(&text);
    let most = &rows[0];
    assert!(rows.iter().all(|row| row.up <= most.up), "{text}");
    assert!(most.since.starts_with('>') || most.since.len() == 5 && most.since.contains(':'), "{text}");
    session.press("j");
    session.wait_until(has_selected_row, "a selected row");
    session.press_for("y", "as a filter for tcpdump");
    let copied = session.press_for("t", "Copied as a filter for tcpdump");
    let wanted = format!("host {} and host {}", most.inside, most.outside);
    assert!(copied.contains(&wanted), "{wanted}: {copied}");
    session.wait_for_octets(b"\x1b]52;c;");
    session.press("q");
    session.ends(0);
}

/// One row of the table, as it is read on the screen.
struct Upload {
    inside: String,
    outside: String,
    up: f64,
    since: String,
}

impl Upload {
    fn is_plain(&self) -> bool {
        [&self.inside, &self.outside].iter().all(|end| end.parse::<std::net::IpAddr>().is_ok())
    }
}

fn uploads(text: &str) -> Vec<Upload> {
    let lines: Vec<&str> = text.lines().collect();
    let Some(heading) = lines.iter().position(|line| line.contains("inside") && line.contains("since")) else {
        return Vec::new();
    };
    let letters: Vec<char> = lines[heading].chars().collect();
    let end = letters.windows(2).position(|pair| pair == ['u', 'p']).unwrap() + 2;
    let rows = lines[heading + 1..].iter().take_while(|line| !line.contains("more") && !line.contains('─'));
    let row = |line: &&str| {
        let letters: Vec<char> = line.chars().collect();
        let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "│").collect();
        let figure: String = letters[end - 9..end].iter().collect();
        let (number, unit) = figure.trim().split_once(' ').unwrap();
        let scale = match unit.chars().next().unwrap() {
            'k' => 1e3,
            'M' => 1e6,
            'G' => 1e9,
            _ => 1.0,
        };
        Upload {
            inside: words[0].to_owned(),
            outside: words[1].to_owned(),
            up: number.parse::<f64>().unwrap() * scale,
            since: words[words.len() - 1].to_owned(),
        }
    };
    rows.filter(|line| line.split_whitespace().count() > 6).map(row).collect()
}

#[test]
fn rows_lead_to_flows_and_back_in_every_view() {
    let mut session = Session::demo((120, 40));
    session.wait_for("https");
    session.press_for("3", "Hosts by rate");
    session.press("j");
    session.wait_until(has_selected_row, "a selected row");
    session.press_for("\r", "› conversations by rate");
    session.press("j");
    session.wait_until(has_selected_row, "a selected row");
    session.press_for("\r", "› flows by arrival");
    session.wait_until(|screen| !screen.contents().contains("no flow that matches"), "flows");
    session.press(" j");
    session.wait_until(has_selected_row, "a selected row");
    session.press_for("\r", "Seen by");
    session.press("\x1b");
    session.wait_for("› flows by arrival");
    session.press_for("\x7f", "› conversations by rate");
    session.press_for("\x1b", "Hosts by rate");
    session.press_for("e", "against the hour");
    session.resize((80, 24));
    session.wait_for("? help");
    session.press("\x1b");
    session.wait_until(|screen| !screen.contents().contains("against the hour"), "the rows without the card");
    session.press_for("5", "What is wrong, why, and what mends it");
    session.press_for("6", "Flows by arrival");
    session.press("q");
    session.ends(0);
}

#[test]
fn a_filter_narrows_the_rows_and_comes_back_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let state = [("XDG_STATE_HOME", folder.path().to_str().unwrap())];
    let capture = package().join("fixtures/softflowd-ipfix/capture.pcap");
    let arguments = ["replay", capture.to_str().unwrap(), "--no-dns"];
    let mut session = Session::program(&arguments, &state, (100, 30));
    session.wait_for("Conversations");
    session.press_for("/", "filter: ");
    session.press_for("proto 6 and prt 443", "^^^");
    // Some clients send this for the key above Enter.
    session.press("\x08\x08\x08\x08\x08\x08\x08");
    session.press_for("\x1b[200~port 443\x1b[201~", "port 443");
    session.wait_until(|screen| !screen.contents().contains("^^^"), "a filter without an error");
    session.press_for("\r", "of proto 6 and port 443");
    session.press("q");
    session.ends(0);
    let mut session = Session::program(&arguments, &state, (100, 30));
    session.wait_for("of proto 6 and port 443");
    session.press("q");
    session.ends(0);
}

#[test]
fn a_row_is_copied_over_the_line_and_shown() {
    let mut session = Session::demo((100, 30));
    session.wait_for("https");
    session.press("j");
    session.wait_until(has_selected_row, "a selected row");
    session.press_for("y", "as a filter for tcpdump");
    let text = session.press_for("t", "Copied as a filter for tcpdump");
    assert!(text.contains("host "), "{text}");
    session.wait_for_octets(b"\x1b]52;c;");
    session.press_for("\x1b", "The selected row");
    session.press("\x1b");
    session.wait_until(|screen| !screen.contents().contains("Copy"), "the rows");
    session.press("Q");
    let text = session.ends(0);
    assert!(text.contains("Conversations"), "the last picture stays: {text}");
}

#[test]
fn colours_are_as_many_as_are_wanted() {
    for (arguments, variables, wanted) in [
        (&["demo", "--color", "truecolor"][..], &[][..], &b"\x1b[38;2;"[..]),
        (&["demo"], &[("COLORTERM", "")], b"\x1b[38;5;73"),
        (&["demo", "--color", "16"], &[], b"\x1b[38;5;6"),
    ] {
        let mut session = Session::program(arguments, variables, (100, 30));
        session.wait_for("https");
        session.wait_for_octets(wanted);
        session.press("q");
        session.ends(0);
    }
}

#[test]
fn without_colour_none_is_sent_and_a_plain_locale_gets_ascii() {
    let variables = [("NO_COLOR", "1"), ("LC_ALL", "de_DE.ISO-8859-1")];
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowglass"));
    command.arg("demo");
    variables.iter().for_each(|(name, value)| command.env(name, value));
    let mut session = Session::start_as_is(command, (100, 30));
    let text = session.wait_for("https");
    assert!(text.is_ascii(), "{text}");
    session.press("q");
    let sent = Arc::clone(&session.sent);
    session.ends(0);
    let sent = sent.0.lock().unwrap();
    let text = String::from_utf8_lossy(&sent);
    assert!(!text.contains("\x1b[38;") && !text.contains("\x1b[48;"), "{text:?}");
}

#[test]
fn the_terminal_is_restored_after_every_signal_and_after_ctrl_c() {
    for end in [Some(Signal::TERM), Some(Signal::INT), Some(Signal::HUP), None] {
        let mut session = Session::demo((100, 30));
        session.wait_for("https");
        match end {
            Some(signal) => session.signal(signal),
            None => session.press("\x03"),
        }
        session.ends(0);
    }
}

#[test]
fn a_terminal_that_goes_away_ends_the_program() {
    let session = Session::demo((80, 24));
    session.wait_for("https");
    let Session { mut child, master, keys, .. } = session;
    // The last handle of the master but the reader's: the kernel hangs up when the reader has seen the end.
    drop((master, keys));
    kill_process(pid(&*child), Signal::HUP).unwrap();
    child.wait().unwrap();
}

#[test]
fn the_screen_follows_the_size_of_the_terminal() {
    let session = Session::demo((120, 40));
    session.wait_for("Services ──");
    for (columns, rows) in [(40, 10), (20, 5), (80, 24)] {
        session.resize((columns, rows));
        session.wait_until(|screen| screen.contents().contains("b/s"), "a rate");
    }
    session.signal(Signal::TERM);
    session.ends(0);
}

#[test]
fn before_the_first_datagram_it_says_what_to_do() {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowglass"));
    command.args(["--host", "127.0.0.1", "--port", "0", "--no-db"]);
    let mut session = Session::start(command, (100, 30));
    session.wait_for("Nothing has arrived yet");
    let text = session.wait_for("UniFi");
    assert!(text.contains("127.0.0.1"), "{text}");
    session.press("q");
    session.ends(0);
}

/// Set for the child that [`panicking`] is.
const PANIC: &str = "FLOWGLASS_TEST_PANIC";

/// Does nothing, unless it runs as the child of the next test.
#[test]
fn panicking() {
    if env::var_os(PANIC).is_some() {
        let _terminal = Terminal::enter(Theme::default()).unwrap();
        panic!("a bug on the screen");
    }
}

#[test]
fn the_terminal_is_restored_after_a_panic_and_the_message_is_readable() {
    let mut command = CommandBuilder::new(env::current_exe().unwrap());
    command.args(["--exact", "pty::panicking", "--nocapture"]);
    command.env(PANIC, "1");
    let session = Session::start(command, (100, 30));
    session.wait_for("a bug on the screen");
    session.ends(101);
}

/// What its record was, octet by octet, and when the templates of its exporter came.
#[test]
fn a_flow_shows_the_record_that_it_was_made_of() {
    let mut session = Session::demo((120, 60));
    session.wait_for("https");
    session.press_for("6", "the newest");
    session.press_for(" ", "FROZEN");
    session.press("j");
    session.wait_until(has_selected_row, "a selected row");
    session.press_for("\r", "One flow");
    session.press_for("G", " octets at ");
    session.press("\x1b");
    // What comes with an escape is another key.
    session.wait_until(|screen| !screen.contents().contains("One flow"), "the flows without the card");
    session.press_for("5", "Exporters and their health");
    session.press_for("je", "when each was last refreshed");
    session.press("q");
    session.ends(0);
}

#[test]
fn the_configuration_says_how_the_screen_begins_and_what_its_keys_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowglass.toml");
    let text = "[screen]\nview = 'services, protocols'\nspan = '5m'\nunits = 'packets'\n[keys]\nfreeze = 'z'\n\
                [presets]\nmine = 'proto udp'\n";
    std::fs::write(&path, text).unwrap();
    let mut session = Session::program(&["demo", "--config", path.to_str().unwrap()], &[], (120, 40));
    session.wait_for("Protocols by rate, last 5 min");
    session.wait_for("p/s");
    session.press_for("z", "FROZEN");
    session.press("z");
    session.wait_until(|screen| !screen.contents().contains("FROZEN"), "live traffic");
    session.press_for("i", "mine");
    session.press("\x1b[F\r");
    session.wait_for("proto udp; `/` shows the filter");
    session.press("q");
    session.ends(0);
}

/// A feed comes once a second; a key must not wait for it.
#[test]
fn a_key_wakes_the_screen_by_itself() {
    let mut session = Session::demo((80, 24));
    session.wait_for("Conversations by rate");
    let begin = std::time::Instant::now();
    for _ in 0..15 {
        session.press_for("?", "overview: how much, since when, who");
        session.press_for("\x1b", "Conversations by rate");
    }
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "30 keys took {took:?}");
    session.press("q");
    session.ends(0);
}
