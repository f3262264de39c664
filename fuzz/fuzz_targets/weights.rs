//! Any bytes as a file of weights: as many as its model has, or an error.
#![no_main]

use headcount::model::weights_file::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(opened) = parse(bytes, None) {
        assert_eq!(opened.weights.values.len(), opened.weights.layout.len);
        assert!(opened.weights.config().validate().is_ok());
    }
});
