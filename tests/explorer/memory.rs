//! What would take more memory than there is, before there is a screen.

use super::*;

/// Starts with so many MiB of address space; the lines of what is printed, with no screen before them.
#[track_caller]
fn refused(mib: u64, folder: TempDir, args: &[&str]) -> String {
    let mut command = session_leader(Path::new("prlimit"));
    command.arg(format!("--as={}", mib << 20)).arg(program()).arg("explore").args(args);
    // An arena for every thread would take all of it.
    command.env("MALLOC_ARENA_MAX", "1").current_dir(folder.path());
    let mut explorer = Explorer::spawn(&mut command, folder).unwrap();
    let output = String::from_utf8(explorer.ends(1, PATIENCE)).unwrap();
    assert!(!output.contains('\x1b'), "{output:?}");
    output
}

#[test]
fn a_run_and_a_model_that_would_not_fit_name_the_setting() {
    let settings = ["--run", "r", "--set", "model.d_mlp=65536", "--set", "model.d_model=512"];
    let said = refused(300, folder_with(ENDLESS), &settings);
    assert!(said.contains("explore would take ") && said.trim_end().ends_with("d_mlp = 65536"), "{said}");
    let folder = folder_with(&epochs(1).replace("n_ctx = 12", "n_ctx = 2000"));
    train(folder.path());
    let said = refused(180, folder, &["--weights", "run/weights.safetensors"]);
    assert!(said.contains("explore would take ") && said.trim_end().ends_with("n_ctx = 2000"), "{said}");
}
