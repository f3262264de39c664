//! Numbers on the clipboard and in files.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// The text behind base 64.
fn decoded(text: &str) -> String {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().fold(0, |bits: u32, byte| bits << 6 | u32::from(digit(*byte)));
        let bits = bits << (6 * (4 - group.len()));
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn weights_without_a_run_are_exported_into_the_working_directory() {
    let folder = folder_with(&epochs(2));
    train(folder.path());
    let mut command = session_leader(&program());
    command.args(["explore", "--weights", "run/weights.safetensors"]).current_dir(folder.path());
    let explorer = Explorer::spawn(&mut command, folder).unwrap();
    explorer.is_up();
    explorer.settles();
    explorer.type_keys("2");
    explorer.wait_for("▐2 ");
    explorer.settles();
    explorer.type_keys("e");
    explorer.wait_for(".csv .json .svg in exports");
    assert_eq!(fs::read_dir(explorer.folder.path().join("exports")).unwrap().count(), 3);
}

#[test]
fn the_keys_that_copy_and_export_do_so_in_every_view() {
    let explorer = Explorer::finished();
    let exports = explorer.run().join("exports");
    for (number, view) in ["1", "2", "3", "4", "5", "6"].into_iter().enumerate() {
        explorer.type_keys(view);
        explorer.wait_for(&format!("▐{view} "));
        if view == "4" {
            // The last view has numbers when something is off.
            explorer.type_keys(" ");
        }
        explorer.settles();
        explorer.type_keys("y");
        explorer.wait_until("a copy", |pty| pty.modes().copied.len() > number);
        explorer.type_keys("e");
        explorer.wait_for(".csv .json .svg in run/exports");
        let mut files: Vec<_> = fs::read_dir(&exports).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 3 * (number + 1));
        files.sort_by_key(|file| (fs::metadata(file).unwrap().modified().unwrap(), file.clone()));
        for file in &files[3 * number..] {
            let mode = fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
        let of_kind = |kind: &str| {
            let file =
                files[3 * number..].iter().find(|file| file.extension().is_some_and(|end| end == kind));
            fs::read_to_string(file.unwrap()).unwrap()
        };
        let copied = decoded(&explorer.modes().copied[number]);
        assert!(copied.lines().count() > 1 && copied.contains(','), "{copied:?}");
        assert_eq!(copied, of_kind("csv"), "view {view}");
        serde_json::from_str::<serde_json::Value>(&of_kind("json")).unwrap();
        assert!(of_kind("svg").starts_with("<svg"));
        // Takes the note of the export away, so that the next is a new one.
        explorer.type_keys("\x1b");
        explorer.wait_until("no note", |pty| !pty.text().contains(".csv .json .svg"));
    }
    let modes = explorer.modes();
    assert!(modes.unexpected.is_empty() && modes.outside == 0, "{modes:?}");
    explorer.type_keys("q");
    explorer.leaves(0, PATIENCE);
}
