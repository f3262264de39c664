//! Keys that a slow line tears apart.

use std::time::Duration;

use super::*;

#[test]
fn an_arrow_that_a_slow_line_splits_is_an_arrow_and_no_other_key() {
    let explorer = Explorer::finished();
    explorer.type_keys("2");
    explorer.wait_for("▐2 Attention▌");
    explorer.wait_until("its figures", |pty| !pty.text().contains("computing"));
    explorer.settles();
    let shows = |screen: &str| explorer.wait_until("the same screen", |pty| pty.text() == screen);
    let here = explorer.text();
    explorer.type_keys("k");
    explorer.wait_until("another query", |pty| pty.text() != here);
    explorer.settles();
    let above = explorer.text();
    let splits = [("\x1b", "[A"), ("\x1b[", "A"), ("\x1b", "OA"), ("\x1bO", "A")];
    for (pause, (first, second)) in
        [60, 300, 800].into_iter().flat_map(|pause| splits.map(|split| (pause, split)))
    {
        explorer.type_keys("j");
        shows(&here);
        explorer.type_keys(first);
        std::thread::sleep(Duration::from_millis(pause));
        explorer.type_keys(second);
        shows(&above);
        // No key of this view, and neither are its parts.
        explorer.type_keys("\x1b[1;");
        std::thread::sleep(Duration::from_millis(pause));
        explorer.type_keys("5D");
        explorer.settles();
        shows(&above);
    }
    explorer.type_keys("q");
    explorer.leaves(0, PATIENCE);
}
