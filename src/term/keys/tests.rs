use super::*;
use proptest::prelude::*;

/// Everything typed, with a silence at the end.
fn typed_in(chunks: &[&[u8]]) -> Vec<Typed> {
    let mut decoder = Decoder::default();
    let mut typed = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk, |event| typed.push(event));
    }
    while decoder.patience().is_some() {
        decoder.silence(|event| typed.push(event));
    }
    typed
}

fn keys(bytes: &[u8]) -> Vec<KeyEvent> {
    let key = |typed| match typed {
        Typed::Key(key) => key,
        Typed::Paste(text) => panic!("a paste of {text:?}"),
    };
    typed_in(&[bytes]).into_iter().map(key).collect()
}

fn with(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
    KeyEvent::new(code, modifiers)
}

fn paste(text: &str) -> Typed {
    Typed::Paste(text.into())
}

#[test]
fn plain_and_control_characters() {
    assert_eq!(keys(b"q"), [key(KeyCode::Char('q'))]);
    assert_eq!(keys(b"G"), [with(KeyCode::Char('G'), KeyModifiers::SHIFT)]);
    assert_eq!(
        keys(b"\x03\x1a"),
        ['c', 'z'].map(|letter| with(KeyCode::Char(letter), KeyModifiers::CONTROL))
    );
    assert_eq!(
        keys(b"\r\t\x7f\x08"),
        [KeyCode::Enter, KeyCode::Tab, KeyCode::Backspace, KeyCode::Backspace].map(key)
    );
    assert_eq!(keys("é漢".as_bytes()), ['é', '漢'].map(|letter| key(KeyCode::Char(letter))));
}

#[test]
fn cursor_and_function_keys_of_every_dialect() {
    assert_eq!(keys(b"\x1b[A\x1bOA"), [KeyCode::Up; 2].map(key));
    assert_eq!(keys(b"\x1b[H\x1b[1~\x1b[7~\x1bOH"), [KeyCode::Home; 4].map(key));
    assert_eq!(keys(b"\x1b[5~\x1b[6~"), [KeyCode::PageUp, KeyCode::PageDown].map(key));
    assert_eq!(keys(b"\x1bOP\x1b[11~\x1b[[A"), [KeyCode::F(1); 3].map(key));
    assert_eq!(keys(b"\x1b[15~\x1b[17~\x1b[24~"), [5, 6, 12].map(|number| key(KeyCode::F(number))));
    assert_eq!(keys(b"\x1b[Z"), [with(KeyCode::BackTab, KeyModifiers::SHIFT)]);
    assert_eq!(keys(b"\x1b[1;5C"), [with(KeyCode::Right, KeyModifiers::CONTROL)]);
    assert_eq!(keys(b"\x1b[3;2~"), [with(KeyCode::Delete, KeyModifiers::SHIFT)]);
}

#[test]
fn escape_is_a_key_only_after_a_silence() {
    let mut decoder = Decoder::default();
    decoder.feed(b"\x1b", |typed| panic!("{typed:?} too early"));
    assert!(decoder.patience().is_some());
    assert_eq!(typed_in(&[b"\x1b"]), [Typed::Key(key(KeyCode::Esc))]);
    assert_eq!(keys(b"\x1bx"), [with(KeyCode::Char('x'), KeyModifiers::ALT)]);
    assert_eq!(keys(b"\x1b\x1b[A"), [KeyCode::Esc, KeyCode::Up].map(key));
}

#[test]
fn a_sequence_may_arrive_in_pieces() {
    let whole = b"\x1b[1;5C\x1b[200~3, 1\x1b[201~\xe6\xbc\xa2".as_slice();
    let pieces: Vec<&[u8]> = whole.chunks(1).collect();
    assert_eq!(typed_in(&pieces), typed_in(&[whole]));
}

#[test]
fn a_paste_is_one_event_and_never_a_key() {
    assert_eq!(
        typed_in(&[b"\x1b[200~q\x03\x1b[Aq\x1b[201~x"]),
        [paste("q\x03\x1b[Aq"), Typed::Key(key(KeyCode::Char('x')))]
    );
    assert_eq!(typed_in(&[b"\x1b[200~cut off \x1b[20"]), [paste("cut off \x1b[20")]);
}

#[test]
fn a_huge_paste_is_cut_and_takes_no_time() {
    let mut huge = b"\x1b[200~".to_vec();
    huge.resize(3 * LONGEST_PASTE, b'7');
    huge.extend_from_slice(b"\x1b[201~q");
    let chunks: Vec<&[u8]> = huge.chunks(1000).collect();
    let started = std::time::Instant::now();
    assert_eq!(typed_in(&chunks), [paste(&"7".repeat(LONGEST_PASTE)), Typed::Key(key(KeyCode::Char('q')))]);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn reports_that_nobody_asked_for_are_not_keys() {
    for junk in [
        b"\x1b[M !!".as_slice(),
        b"\x1b[<35;10;10M",
        b"\x1b[I\x1b[O",
        b"\x1b[?62;c",
        b"\x1b[12;40R",
        b"\x1b[>0;276;0c",
        b"\xff\xfe\x80",
        "\u{9b}".as_bytes(),
    ] {
        assert_eq!(keys(junk), [], "{junk:?}");
    }
    assert_eq!(keys(b"\x1b[12\x1b[Aq"), [KeyCode::Up, KeyCode::Char('q')].map(key));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_hoard(chunks in prop::collection::vec(prop::collection::vec(
        prop_oneof![any::<u8>(), prop::sample::select(b"\x1b[O;0123~M<200".to_vec())], 0..40), 0..40)) {
        let mut decoder = Decoder::default();
        for chunk in &chunks {
            decoder.feed(chunk, drop);
            prop_assert!(decoder.pending.len() <= LONGEST_SEQUENCE + 2);
        }
        while decoder.patience().is_some() {
            decoder.silence(drop);
        }
    }
}
