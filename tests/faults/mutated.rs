//! Files that were made to hurt: an error or a state, at once, and in little memory.

use std::time::{Duration, Instant};

use headcount::model::ModelConfig;
use headcount::model::weights_file::{encode_weights, parse};
use headcount::train::{DataFile, TrainState, decode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// Set in the process that reads them, whose memory is limited.
const INSIDE: &str = "HEADCOUNT_MUTATED";
/// Of address space, for everything.
const MEMORY: usize = 512 << 20;
/// What a reader may take besides twice the file.
const SLACK: usize = 32 << 20;

fn number(random: &mut StdRng) -> u64 {
    let interesting =
        [0, 1, 7, 8, 255, 1 << 20, (1 << 20) + 1, 1 << 31, 1 << 53, u64::MAX / 4, u64::MAX - 7, u64::MAX];
    if random.gen_bool(0.5) {
        interesting[random.gen_range(0..interesting.len())]
    } else {
        random.gen_range(0..5000)
    }
}

/// Replaces one of the numbers in a text.
fn change_a_number(text: &str, random: &mut StdRng) -> String {
    let digits: Vec<usize> = text.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).collect();
    if digits.is_empty() {
        return text.into();
    }
    let at = digits[random.gen_range(0..digits.len())];
    let length = text[at..].chars().take_while(char::is_ascii_digit).count();
    format!("{}{}{}", &text[..at], number(random), &text[at + length..])
}

/// Swaps words, repeats a part, nests deeply: what a text that means something can suffer.
fn change_text(text: &str, random: &mut StdRng) -> String {
    let words = [
        "F32", "F64", "I8", "BF16", "null", "{}", "[]", "-1", "1e999", "\"\"", "\\u0000", "true", "nan",
        "inf",
    ];
    let any = |random: &mut StdRng| {
        let at = random.gen_range(0..=text.len());
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let (one, other) = (any(random), any(random));
    let (start, end) = (one.min(other), one.max(other));
    let word = words[random.gen_range(0..words.len())];
    match random.gen_range(0..7) {
        0 | 1 => change_a_number(text, random),
        2 => text.replacen("F32", word, random.gen_range(1..4)),
        3 => format!("{}{}{}", &text[..end], &text[start..end.min(start + 200)], &text[end..]),
        4 => format!("{}{word}{}", &text[..start], &text[end.min(start + 9)..]),
        5 => format!("{}{}{}", &text[..start], "[".repeat(random.gen_range(1..3000)), &text[start..]),
        _ => text.replacen("exp_avg", word, random.gen_range(1..3)),
    }
}

fn change_bytes(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let at = random.gen_range(0..bytes.len().max(1));
    match random.gen_range(0..5) {
        0 => bytes.truncate(at),
        1 => bytes.extend(std::iter::repeat_n(random.r#gen::<u8>(), random.gen_range(1..5000))),
        2 if bytes.len() >= 8 => bytes[..8].copy_from_slice(&number(random).to_le_bytes()),
        3 => drop(bytes.drain(at..(at + random.gen_range(1..64)).min(bytes.len()))),
        _ => {
            for _ in 0..random.gen_range(1..9) {
                if let Some(byte) = bytes.get_mut(at.saturating_add(random.gen_range(0..40))) {
                    *byte ^= 1 << random.gen_range(0..8);
                }
            }
        }
    }
}

/// A safetensors file with changes to its header, kept consistent with its length or not, and to its bytes.
fn mutated(bytes: &[u8], random: &mut StdRng) -> Vec<u8> {
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let mut header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let mut changed = Vec::new();
    if random.gen_bool(0.7) {
        for _ in 0..random.gen_range(1..4) {
            header = change_text(&header, random);
        }
        let length = if random.gen_bool(0.9) { header.len() as u64 } else { number(random) };
        changed.extend(length.to_le_bytes());
        changed.extend(header.as_bytes());
        changed.extend(&bytes[8 + length_of(bytes)..]);
    } else {
        changed.extend(bytes);
    }
    if random.gen_bool(0.5) || changed == bytes {
        change_bytes(&mut changed, random);
    }
    changed
}

fn length_of(bytes: &[u8]) -> usize {
    u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize
}

/// Reads every one of them; how many were taken for good, and the longest that one took.
fn read_all(count: usize, mut read: impl FnMut(&mut StdRng) -> bool) -> (usize, Duration) {
    let (mut good, mut longest) = (0, Duration::ZERO);
    for seed in 0..count {
        let mut random = StdRng::seed_from_u64(seed as u64);
        let started = Instant::now();
        good += usize::from(read(&mut random));
        longest = longest.max(started.elapsed());
        // A thousandth of it is enough for most.
        assert!(longest < bar(Duration::from_secs(2)), "seed {seed} took {longest:?}");
    }
    (good, longest)
}

/// Resident memory of this process in bytes: what it is (`VmRSS`) or at most was since it was last asked to forget
/// (`VmHWM`).
fn resident(what: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse::<usize>().unwrap() << 10
}

/// The memory that reading took at its height, beyond what was there before.
fn height<T>(read: impl FnOnce() -> T) -> (usize, T) {
    // 5: the highest figure begins again.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = resident("VmRSS");
    let done = read();
    (resident("VmHWM").saturating_sub(before), done)
}

/// Reads a file, and holds the memory that it took against its bar.
fn read_in_bounds<T>(bytes: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
    let (height, done) = height(|| read(bytes));
    // The file itself is in memory already.
    let bar = bytes.len() + SLACK;
    assert!(height <= bar, "{height} bytes of memory for a file of {}", bytes.len());
    done
}

/// In a process of little memory: an allocation that a file talked us into ends it.
fn in_little_memory(test: &str) {
    let executable = std::env::current_exe().unwrap();
    let mut command = Command::new("prlimit");
    command.arg(format!("--as={MEMORY}")).arg(executable);
    let output = command
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("read in at most"), "{text}");
    text.lines().filter(|line| line.contains("read in at most")).for_each(|line| println!("{line}"));
}

#[test]
fn checkpoints_and_weights() {
    if std::env::var_os(INSIDE).is_none() {
        return in_little_memory("mutated::checkpoints_and_weights");
    }
    let config = small();
    let checkpoint = TrainState::initial(&config).encode(&config, 7);
    let weights = encode_weights(&TrainState::initial(&config).weights, &[]);
    let count = times(2000, 100_000);
    let (good, longest) = read_all(count, |random| {
        read_in_bounds(&mutated(&checkpoint, random), |file| decode(file, &config).is_ok())
    });
    println!("{count} checkpoints: {good} taken, read in at most {longest:?}");
    assert!(good < count / 20, "{good} of {count} were taken: they are not mutated enough");
    let (good, longest) = read_all(count, |random| {
        read_in_bounds(&mutated(&weights, random), |file| parse(file, None).is_ok())
    });
    println!("{count} files of weights: {good} taken, read in at most {longest:?}");
}

#[test]
fn a_small_file_that_names_a_large_model_allocates_nothing() {
    if std::env::var_os(INSIDE).is_none() {
        return in_little_memory("mutated::a_small_file_that_names_a_large_model_allocates_nothing");
    }
    let bytes = encode_weights(&TrainState::initial(&small()).weights, &[]);
    let length = length_of(&bytes);
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let large = header
        .replace("\\\"d_mlp\\\":24", "\\\"d_mlp\\\":60000")
        .replace("\\\"d_model\\\":16", "\\\"d_model\\\":2000");
    assert_ne!(large, header);
    let file = [&(large.len() as u64).to_le_bytes()[..], large.as_bytes(), &bytes[8 + length..]].concat();
    let (good, longest) = read_all(1, |_| parse(&file, None).is_ok());
    println!("{good} taken, read in at most {longest:?}");
    assert_eq!(good, 0);
}

#[test]
fn configurations() {
    if std::env::var_os(INSIDE).is_none() {
        return in_little_memory("mutated::configurations");
    }
    let (config, count) = (small().to_toml(), times(1000, 10_000));
    let (good, longest) = read_all(count, |random| {
        let mut text = config.clone();
        for _ in 0..random.gen_range(1..4) {
            text = change_text(&text, random);
        }
        let parsed = RunConfig::parse(&text);
        if let Err(error) = &parsed {
            // The place must be one, whatever the text.
            let (line, column) = error.position(&text).unwrap_or((1, 1));
            assert!(line >= 1 && column >= 1 && line <= text.lines().count() + 1, "{text}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        parsed.is_ok()
    });
    println!("{count} configurations: {good} taken, read in at most {longest:?}");
}

#[test]
fn data_sets() {
    if std::env::var_os(INSIDE).is_none() {
        return in_little_memory("mutated::data_sets");
    }
    let (dir, count) = (tempfile::tempdir().unwrap(), times(1000, 10_000));
    let rows: Vec<u8> = (0..40).collect();
    let tensors = ["tokens", "targets"].map(|name| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![8, 5], &rows).unwrap())
    });
    let lengths = [5; 8];
    let lengths = safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![8], &lengths).unwrap();
    let names = [("vocab".to_owned(), format!("{:?}", ["a"; 40]))].into();
    let tensors =
        safetensors::serialize(tensors.into_iter().chain([("lengths", lengths)]), Some(names)).unwrap();
    let line = "{\"tokens\":[0,1,2],\"targets\":[-100,1,2],\"lengths\":3,\"train\":true}\n";
    let lines = format!("{{\"vocab\":[\"a\",\"b\",\"c\"]}}\n{}", line.repeat(8));
    let read = |bytes: &[u8]| {
        let path = dir.path().join("data");
        fs::write(&path, bytes).unwrap();
        let model = ModelConfig { n_ctx: 5, d_vocab: 40, ..ModelConfig::default() };
        let read = match DataFile::read(&path, None) {
            Ok(file) => file.dataset(&path, &model),
            Err(error) => Err(error),
        };
        let error = read.as_ref().err().map_or_else(String::new, ToString::to_string);
        assert!(!error.contains('\n'), "{error}");
        read.is_ok()
    };
    assert!(read(&tensors));
    let (good, longest) = read_all(count, |random| read_in_bounds(&mutated(&tensors, random), read));
    println!("{count} data sets: {good} taken, read in at most {longest:?}");
    assert!(good < count / 2, "{good} of {count} were taken: they are not mutated enough");
    let (good, longest) =
        read_all(count, |random| read_in_bounds(change_text(&lines, random).as_bytes(), read));
    println!("{count} texts of data sets: {good} taken, read in at most {longest:?}");
}

#[test]
fn memory_beyond_the_bar_shows() {
    let (height, _) = height(|| std::hint::black_box(vec![1_u8; 2 * SLACK]));
    assert!(height > SLACK, "{height} bytes");
}

#[test]
fn a_large_file_takes_no_more_than_itself_again() {
    if std::env::var_os(INSIDE).is_none() {
        return in_little_memory("mutated::a_large_file_takes_no_more_than_itself_again");
    }
    let large = RunConfig { model: ModelConfig { d_mlp: 20_000, ..ModelConfig::default() }, ..small() };
    let started = Instant::now();
    let state = TrainState::initial(&large);
    let (checkpoint, weights) = (state.encode(&large, 7), encode_weights(&state.weights, &[]));
    drop(state);
    for file in [&checkpoint, &weights] {
        let (all, good) = height(|| decode(file, &large).is_ok() || parse(file, None).is_ok());
        println!("{} bytes take {all} more, read in at most {:?}", file.len(), started.elapsed());
        assert!(good && all <= file.len() + SLACK, "{all} bytes for a file of {}", file.len());
    }
}
