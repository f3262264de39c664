//! Any text as the settings of a run: ones that can be run and written again, or an error of one line.
#![no_main]

use headcount::train::RunConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match RunConfig::parse(text) {
        Ok(config) => assert_eq!(RunConfig::parse(&config.to_toml()).expect("what was read can be read"), config),
        Err(error) => {
            let _ = error.position(text);
            assert!(!error.to_string().contains('\n'));
        }
    }
});
