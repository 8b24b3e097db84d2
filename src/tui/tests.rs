use crossterm::event::KeyEventState;

use super::*;

#[test]
fn keys_of_the_terminal_become_ours() {
    let check = |code, modifiers, key| assert_eq!(translate(KeyEvent::new(code, modifiers)), key);
    check(KeyCode::Char('q'), KeyModifiers::NONE, Some(Key::Char('q')));
    check(KeyCode::Char('G'), KeyModifiers::SHIFT, Some(Key::Char('G')));
    check(KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Key::Ctrl('c')));
    check(KeyCode::Char('q'), KeyModifiers::ALT, None);
    check(KeyCode::PageUp, KeyModifiers::NONE, Some(Key::PageUp));
    check(KeyCode::Char('h'), KeyModifiers::CONTROL, Some(Key::Backspace));
    check(KeyCode::Backspace, KeyModifiers::NONE, Some(Key::Backspace));
    check(KeyCode::BackTab, KeyModifiers::SHIFT, Some(Key::BackTab));
    check(KeyCode::Enter, KeyModifiers::NONE, Some(Key::Enter));
    check(KeyCode::F(1), KeyModifiers::NONE, None);
    let release = KeyEvent {
        code: KeyCode::Esc,
        modifiers: KeyModifiers::NONE,
        kind: KeyEventKind::Release,
        state: KeyEventState::NONE,
    };
    assert_eq!(translate(release), None);
}
