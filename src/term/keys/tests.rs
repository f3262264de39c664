use super::*;
use proptest::prelude::*;

const ESC_DELAY: Duration = Duration::from_millis(200);

/// Everything typed when each piece arrives after its delay, with a silence at the end.
fn typed_at(pieces: &[(Duration, &[u8])]) -> Vec<Typed> {
    let mut decoder = Decoder::new(ESC_DELAY);
    let (mut now, mut typed) = (Instant::now(), Vec::new());
    for (pause, piece) in pieces {
        now += *pause;
        while let Some(deadline) = decoder.deadline().filter(|deadline| *deadline <= now) {
            decoder.silence(deadline, |event| typed.push(event));
        }
        decoder.feed(piece, now, |event| typed.push(event));
    }
    while let Some(deadline) = decoder.deadline() {
        decoder.silence(deadline, |event| typed.push(event));
    }
    typed
}

/// Everything typed without a pause.
fn typed_in(chunks: &[&[u8]]) -> Vec<Typed> {
    typed_at(&chunks.iter().map(|chunk| (Duration::ZERO, *chunk)).collect::<Vec<_>>())
}

fn keys(bytes: &[u8]) -> Vec<KeyEvent> {
    let key = |typed| match typed {
        Typed::Key(key) => key,
        other => panic!("{other:?} is no key"),
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
fn an_answer_of_the_terminal_is_never_a_key() {
    let answer = b"\x1b]11;rgb:fdfd/f6f6/e3e3\x1b\\";
    let light = Typed::Ground(Some(Ground::Light));
    // A slow line may delay the rest for longer than the wait after a lone escape.
    let pause = Duration::from_millis(300);
    for split in 2..answer.len() {
        let (begun, rest) = answer.split_at(split);
        assert_eq!(typed_at(&[(Duration::ZERO, begun), (pause, rest)]), [Typed::Ground(Some(Ground::Light))]);
        assert_eq!(typed_in(&[begun]), [], "{split}: the rest never came");
    }
    let held_up = typed_at(&[(Duration::ZERO, b"\x1b"), (pause, &answer[1..])]);
    assert_eq!(held_up, [Typed::Key(key(KeyCode::Esc)), Typed::Ground(Some(Ground::Light))]);
    let among_keys = [b"q", &answer[..], b"w"].concat();
    let q = |letter| Typed::Key(key(KeyCode::Char(letter)));
    assert_eq!(typed_in(&[&among_keys]), [q('q'), light, q('w')]);
    assert_eq!(keys_after(b"\x1b]11;rgb:0/0/0\x07"), [key(KeyCode::Char('z'))]);
    assert_eq!(
        keys_after(b"\x1b]11;rgb:0/0\x1b[A"),
        [KeyCode::Up, KeyCode::Char('z')].map(key),
        "broken off"
    );
    assert_eq!(keys_after(b"\x1b]52;c;\x07"), [key(KeyCode::Char('z'))], "an answer to nobody");
}

/// The keys among these bytes and a `z` after them.
fn keys_after(bytes: &[u8]) -> Vec<KeyEvent> {
    let typed = typed_in(&[bytes, b"z"]).into_iter();
    typed.filter_map(|typed| if let Typed::Key(key) = typed { Some(key) } else { None }).collect()
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
    let (mut decoder, now) = (Decoder::new(ESC_DELAY), Instant::now());
    decoder.feed(b"\x1b", now, |typed| panic!("{typed:?} too early"));
    assert_eq!(decoder.deadline(), Some(now + ESC_DELAY));
    assert_eq!(typed_in(&[b"\x1b"]), [Typed::Key(key(KeyCode::Esc))]);
    assert_eq!(keys(b"\x1bx"), [with(KeyCode::Char('x'), KeyModifiers::ALT)]);
    assert_eq!(keys(b"\x1b\x1b[A"), [KeyCode::Esc, KeyCode::Up].map(key));
}

#[test]
fn escape_and_a_letter_typed_by_hand_are_two_keys() {
    let esc_then =
        |pause, then: &[u8]| typed_at(&[(Duration::ZERO, b"\x1b"), (Duration::from_millis(pause), then)]);
    let [esc, q] = [KeyCode::Esc, KeyCode::Char('q')].map(|code| Typed::Key(key(code)));
    for pause in [60, 199, 200, 900, 5000] {
        assert_eq!(esc_then(pause, b"q"), [esc.clone(), q.clone()], "{pause} ms");
    }
    // Bytes that follow an escape this soon may be the rest of an arrow; later they are keys.
    assert_eq!(esc_then(1100, b"["), std::slice::from_ref(&esc));
    assert_eq!(esc_then(1300, b"["), [esc.clone(), Typed::Key(key(KeyCode::Char('[')))]);
    let another_between = typed_at(&[
        (Duration::ZERO, b"\x1b"),
        (Duration::from_millis(300), b"q"),
        (Duration::from_millis(100), b"["),
    ]);
    assert_eq!(another_between, [esc, q, Typed::Key(key(KeyCode::Char('[')))]);
}

/// The bytes of keys that are not characters, in every dialect.
const SEQUENCES: [&[u8]; 38] = [
    b"\x1b[A",
    b"\x1b[B",
    b"\x1b[C",
    b"\x1b[D",
    b"\x1b[F",
    b"\x1b[H",
    b"\x1b[Z",
    b"\x1bOA",
    b"\x1bOB",
    b"\x1bOC",
    b"\x1bOD",
    b"\x1bOF",
    b"\x1bOH",
    b"\x1bOM",
    b"\x1bOP",
    b"\x1bOS",
    b"\x1b[1~",
    b"\x1b[2~",
    b"\x1b[3~",
    b"\x1b[4~",
    b"\x1b[5~",
    b"\x1b[6~",
    b"\x1b[7~",
    b"\x1b[8~",
    b"\x1b[11~",
    b"\x1b[15~",
    b"\x1b[17~",
    b"\x1b[24~",
    b"\x1b[[A",
    b"\x1b[[E",
    b"\x1b[1;2A",
    b"\x1b[1;5C",
    b"\x1b[1;5D",
    b"\x1b[1;2F",
    b"\x1b[1;5H",
    b"\x1b[5;5~",
    b"\x1b[3;2~",
    b"\x1b[1;2P",
];

#[test]
fn a_delayed_sequence_is_its_key_and_never_another() {
    let esc = Typed::Key(key(KeyCode::Esc));
    for sequence in SEQUENCES {
        let whole = typed_in(&[sequence]);
        assert_eq!(whole.len(), 1, "{sequence:?}");
        for pause in [20, 49, 50, 60, 120, 199, 200, 201, 300, 500, 700, 900].map(Duration::from_millis) {
            let with_escape = [vec![esc.clone()], whole.clone()].concat();
            // A lone escape for this long is a key, and the sequence it started is its own key too.
            let expected = |first| if first == 1 && pause >= ESC_DELAY { &with_escape } else { &whole };
            for cut in 1..sequence.len() {
                let (first, second) = sequence.split_at(cut);
                let typed = typed_at(&[(Duration::ZERO, first), (pause, second)]);
                assert_eq!(typed, *expected(cut), "{sequence:?} cut at {cut} for {pause:?}");
                for again in 1..second.len() {
                    let (second, third) = second.split_at(again);
                    let typed = typed_at(&[(Duration::ZERO, first), (pause, second), (pause, third)]);
                    assert_eq!(typed, *expected(cut), "{sequence:?} cut at {cut} and {again} for {pause:?}");
                }
            }
            let bytes: Vec<_> = sequence.chunks(1).map(|byte| (pause, byte)).collect();
            assert_eq!(typed_at(&bytes), *expected(1), "{sequence:?} byte by byte, {pause:?} each");
        }
    }
}

#[test]
fn a_sequence_without_an_end_is_dropped() {
    let late = Duration::from_millis(1001);
    for sequence in SEQUENCES.iter().filter(|sequence| sequence.len() > 2) {
        for cut in 2..sequence.len() {
            let typed = typed_at(&[(Duration::ZERO, &sequence[..cut]), (late, b"q")]);
            assert_eq!(typed, [Typed::Key(key(KeyCode::Char('q')))], "{:?}", &sequence[..cut]);
        }
    }
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
fn a_huge_paste_is_cut_and_fast() {
    let mut huge = b"\x1b[200~".to_vec();
    huge.resize(3 * LONGEST_PASTE, b'7');
    huge.extend_from_slice(b"\x1b[201~q");
    let chunks: Vec<&[u8]> = huge.chunks(1000).collect();
    let started = std::time::Instant::now();
    assert_eq!(typed_in(&chunks), [paste(&"7".repeat(LONGEST_PASTE)), Typed::Key(key(KeyCode::Char('q')))]);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn unrequested_reports_are_not_keys() {
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
        let (mut decoder, mut now) = (Decoder::new(ESC_DELAY), Instant::now());
        for chunk in &chunks {
            decoder.feed(chunk, now, drop);
            prop_assert!(decoder.pending.len() <= LONGEST_SEQUENCE + 2);
        }
        while let Some(deadline) = decoder.deadline() {
            now = deadline;
            decoder.silence(now, drop);
        }
        prop_assert!(decoder.pending.is_empty());
    }
}
