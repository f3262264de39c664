//! Files that others write: opened exactly, or refused by what they are. Nothing is guessed.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use headcount::model::weights_file::{Container, encode_weights, parse};
use headcount::model::{Activation, ModelConfig, ModelSettings, Normalization, PositionEmbedding, Weights};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

type Tensors = Vec<(String, Vec<usize>, Vec<u8>)>;

fn model(normalization_type: Normalization, act_fn: Activation) -> ModelConfig {
    let base = ModelConfig::default();
    ModelConfig {
        normalization_type,
        act_fn,
        d_model: 8,
        d_head: 4,
        d_mlp: 12,
        n_ctx: 6,
        n_layers: 2,
        ..base
    }
}

/// The tensors that TransformerLens' state dict of such a model has.
fn tensors(config: &ModelConfig) -> Tensors {
    let bytes = encode_weights(&Weights::initial(config, 3), &[]);
    let file = Container::parse(&bytes).unwrap();
    file.tensors.iter().map(|(name, t)| (name.clone(), t.shape().to_vec(), t.data().to_vec())).collect()
}

/// A file as Python's safetensors writes it: no metadata.
fn bare(tensors: &Tensors) -> Vec<u8> {
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()))
        .collect();
    serialize(views.iter().map(|(name, view)| (name.as_str(), view)), None).unwrap()
}

/// The file with its header's text changed.
fn with_header(file: &[u8], change: impl FnOnce(String) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let header = change(String::from_utf8(file[8..8 + length].to_vec()).unwrap());
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &file[8 + length..]].concat()
}

fn with_metadata(file: &[u8], metadata: &Value) -> Vec<u8> {
    with_header(file, |header| header.replacen('{', &format!("{{\"__metadata__\":{metadata},"), 1))
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    /// Exit status, stdout and stderr of `headcount`.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output =
            Command::cargo_bin("headcount").unwrap().current_dir(self.path()).args(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn summary(&self, file: &[u8], more: &[&str]) -> (i32, String, String) {
        self.write("w", file);
        self.run(&[&["inspect", "summary", "--weights", "w"], more].concat())
    }

    #[track_caller]
    fn refuses(&self, file: &[u8], more: &[&str], status: i32, words: &[&str]) {
        let (found, stdout, stderr) = self.summary(file, more);
        assert_eq!((found, stdout.as_str()), (status, ""), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        words.iter().for_each(|word| assert!(stderr.contains(word), "no `{word}` in {stderr}"));
    }

    #[track_caller]
    fn opens(&self, file: &[u8], more: &[&str], words: &[&str]) -> String {
        let (status, stdout, stderr) = self.summary(file, more);
        assert_eq!(status, 0, "{stderr}");
        words.iter().for_each(|word| assert!(stdout.contains(word), "no `{word}` in {stdout}"));
        stderr
    }
}

#[test]
fn other_formats_are_refused_by_what_they_are() {
    let folder = Folder::new();
    let torch_magic = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    let old_torch = [&[0x80, 2, 0x8a, 10][..], &torch_magic, b".\x80\x02M\xe9\x03.\x80\x02}q\x00"].concat();
    let local = |name: &str| [b"PK\x03\x04\x00\x00\x00\x00", name.as_bytes(), &[0; 64]].concat();
    for (file, words) in [
        (local("archive/data.pkl"), &["PyTorch checkpoint", "torch.load", "save_file", "README section"][..]),
        (old_torch, &["PyTorch checkpoint", "torch.load"]),
        (b"\x80\x04\x95\x20\x00\x00\x00\x00\x00\x00\x00}\x94.".to_vec(), &["Python pickle"]),
        (local("arr_0.npy"), &["NumPy archive (npz)"]),
        (local("word/document.xml"), &["zip archive"]),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}".to_vec(), &["NumPy array (npy)"]),
        (b"GGUF\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec(), &["GGUF"]),
        (b"\x89HDF\r\n\x1a\n\x00\x00\x00\x00".to_vec(), &["HDF5"]),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec(), &["gzip"]),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(), &["Git LFS pointer"]),
        (b"\n<!DOCTYPE html><html>404</html>".to_vec(), &["web page"]),
        (b"[model]\nn_layers = 2\n".to_vec(), &["a text file"]),
        (Vec::new(), &["empty file"]),
        (b"\x01\x02".to_vec(), &["not a safetensors file: 2 bytes"]),
    ] {
        folder.refuses(&file, &[], 1, &[words, &["headcount: w: not a safetensors file"]].concat());
    }
}

#[test]
fn the_names_of_other_libraries_are_refused_by_whose_they_are() {
    let folder = Folder::new();
    for (name, words) in [
        ("transformer.h.0.attn.c_attn.weight", "GPT-2's names"),
        ("h.0.attn.c_attn.weight", "GPT-2's names"),
        ("gpt_neox.layers.0.attention.query_key_value.weight", "GPT-NeoX's names"),
        ("model.layers.0.self_attn.q_proj.weight", "Llama"),
        ("bert.encoder.layer.0.attention.self.query.weight", "BERT's names"),
        ("encoder.layers.0.self_attn.in_proj_weight", "torch.nn's MultiheadAttention and Transformer"),
        ("layers.0.self_attn.in_proj_weight", "torch.nn's MultiheadAttention and Transformer"),
        ("embed.weight", "no tensor `unembed.weight`"),
        ("embed._original_component.weight", "no tensor `unembed.weight`"),
        ("blocks.0.attn.hook_q", "holds activations"),
        ("tokens", "holds a data set"),
        ("foo", "no tensor `embed.W_E`"),
    ] {
        let file = bare(&vec![(name.into(), vec![1, 2], vec![0; 8])]);
        folder.refuses(&file, &[], 1, &[words, "headcount: w: "]);
    }
}

#[test]
fn what_tensors_do_not_tell_is_asked_for() {
    let folder = Folder::new();
    let open = |norm, act| bare(&tensors(&model(norm, act)));
    folder.refuses(
        &open(Normalization::Ln, Activation::Gelu),
        &[],
        2,
        &["do not tell act_fn (\"gelu\" or \"relu\" or \"gelu_new\" or \"silu\" or \"solu\")", "--config"],
    );
    let asked = [
        "normalization_type (\"LNPre\" or \"RMSPre\" or \"none\")",
        "act_fn (\"solu_ln\" or \"gelu\" or \"relu\" or \"gelu_new\" or \"silu\" or \"solu\")",
    ];
    folder.refuses(&open(Normalization::LnPre, Activation::SoluLn), &[], 2, &asked);
    folder.refuses(&open(Normalization::None, Activation::Relu), &[], 2, &asked);
    let attention_only = ModelConfig { d_mlp: 0, ..model(Normalization::None, Activation::Relu) };
    folder.refuses(
        &bare(&tensors(&attention_only)),
        &[],
        2,
        &["not tell normalization_type (", "\"none\"): say"],
    );
    let told = folder.opens(
        &open(Normalization::Ln, Activation::SoluLn),
        &[],
        &["act_fn solu_ln, normalization LN"],
    );
    assert_eq!(told, "");
}

#[test]
fn a_configuration_completes_what_the_tensors_tell() {
    let folder = Folder::new();
    let gelu = bare(&tensors(&model(Normalization::Ln, Activation::Gelu)));
    let none = bare(&tensors(&model(Normalization::None, Activation::Relu)));
    let whole = [
        "2 layer(s), 2 head(s) of 4, d_model 8, d_mlp 12, n_ctx 6, d_vocab 10, act_fn gelu, normalization LN",
    ];
    for text in
        ["act_fn = \"gelu\"", "[model]\nact_fn = \"gelu\"", "model.act_fn = 'gelu'", "{\"act_fn\": \"gelu\"}"]
    {
        folder.write("c", text);
        assert_eq!(folder.opens(&gelu, &["--config", "c"], &whole), "");
    }
    folder.write("c", "normalization_type = \"none\"\nact_fn = \"relu\"\n");
    folder.opens(&none, &["--config", "c"], &["act_fn relu, normalization none"]);
    folder.write("c", "normalization_type = \"none\"\n");
    folder.refuses(
        &none,
        &["--config", "c"],
        2,
        &["do not tell act_fn (\"solu_ln\" or \"gelu\" or \"relu\" or \"gelu_new\" or \"silu\" or \"solu\")"],
    );
    for (text, words) in [
        ("d_mlp = 64", ["model.d_mlp = 64 (c)", "12 (the tensors)"]),
        ("act_fn = \"solu_ln\"", ["model.act_fn = \"solu_ln\" (c)", "\"gelu\" or \"relu\" or \"gelu_new\""]),
        (
            "normalization_type = \"LNPre\"",
            ["model.normalization_type = \"LNPre\" (c)", "\"LN\" (the tensors)"],
        ),
        ("n_layers = 1", ["model.n_layers = 1 (c)", "2 (the tensors)"]),
    ] {
        folder.write("c", text);
        folder.refuses(&gelu, &["--config", "c"], 2, &words);
    }
}

#[test]
fn metadata_tell_what_tensors_do_not() {
    let folder = Folder::new();
    let relu = bare(&tensors(&model(Normalization::None, Activation::Relu)));
    let said = json!({"config": r#"{"act_fn":"relu","normalization_type":null,"device":"cpu","eps":1e-05}"#});
    let file = with_metadata(&relu, &said);
    folder.opens(&file, &[], &["act_fn relu, normalization none"]);
    folder.write("c", "act_fn = \"gelu\"");
    folder.refuses(
        &file,
        &["--config", "c"],
        2,
        &["\"gelu\" (c)", "\"relu\" (the file's metadata `config`)"],
    );
    let gated = json!({"config": r#"{"act_fn":"relu","normalization_type":null,"gated_mlp":true}"#});
    folder.refuses(&with_metadata(&relu, &gated), &[], 1, &["`config`", "gated_mlp = true is not supported"]);
    let older = json!({"headcount.model": r#"{"act_fn":"relu","normalization_type":"none"}"#});
    folder.opens(&with_metadata(&relu, &older), &[], &["act_fn relu, normalization none"]);
}

#[test]
fn a_file_of_ours_explains_itself_wherever_it_lies() {
    let folder = Folder::new();
    folder.write("c", "d_model = 8\nd_head = 4\nd_mlp = 12\nn_ctx = 6\nact_fn = \"gelu\"\n[train]\nepochs = 1\n[task]\nsequences = 40");
    let (status, _, stderr) = folder.run(&["train", "--config", "c", "--run", "r", "--quiet"]);
    assert_eq!(status, 0, "{stderr}");
    fs::rename(folder.path().join("r/weights.safetensors"), folder.path().join("alone")).unwrap();
    let (status, _, stderr) = folder.run(&["inspect", "fold", "--weights", "alone", "--out", "folded"]);
    assert_eq!(status, 0, "{stderr}");
    for (name, norm) in [("alone", "LN"), ("folded", "LNPre")] {
        let bytes = fs::read(folder.path().join(name)).unwrap();
        let metadata = Container::parse(&bytes).unwrap().metadata;
        let config: Map<String, Value> = serde_json::from_str(&metadata["config"]).unwrap();
        assert_eq!((&config["act_fn"], &config["normalization_type"]), (&json!("gelu"), &json!(norm)));
        assert_eq!(metadata["task"], "majority");
        let names: Vec<String> = serde_json::from_str(&metadata["vocab"]).unwrap();
        assert_eq!((names.len(), names[9].as_str(), &metadata["vocab"]), (10, "9", &metadata["vocab_out"]));
        let (status, stdout, _) = folder.run(&["inspect", "summary", "--weights", name]);
        assert!(status == 0 && stdout.contains(&format!("act_fn gelu, normalization {norm}")), "{stdout}");
    }
    let checkpoint =
        fs::read_dir(folder.path().join("r/checkpoints")).unwrap().next().unwrap().unwrap().path();
    let (status, stdout, stderr) =
        folder.run(&["inspect", "summary", "--weights", checkpoint.to_str().unwrap()]);
    assert!(status == 0 && stdout.contains("act_fn gelu") && stderr.is_empty(), "{stderr}");
}

#[test]
fn wrappers_buffers_and_other_tensors_do_not_stand_in_the_way() {
    let folder = Folder::new();
    let ours = tensors(&model(Normalization::Ln, Activation::SoluLn));
    let named = |rename: &dyn Fn(&str) -> String| -> Tensors {
        ours.iter().map(|(name, shape, bytes)| (rename(name), shape.clone(), bytes.clone())).collect()
    };
    for prefix in ["model.", "_orig_mod.", "module.", "model._orig_mod."] {
        let file = bare(&named(&|name| format!("{prefix}{name}")));
        assert_eq!(folder.opens(&file, &[], &["2 layer(s)"]), "", "{prefix}");
    }
    let mut more = ours.clone();
    let extra = |name: &str| (name.to_owned(), vec![1], vec![0; 4]);
    more.extend(["blocks.0.attn.mask", "blocks.1.attn.IGNORE"].map(extra));
    assert_eq!(folder.opens(&bare(&more), &[], &[]), "", "buffers are passed over in silence");
    more.extend(["probe.weight", "blocks.0.attn.counter"].map(extra));
    let told = folder.opens(&bare(&more), &[], &["2 layer(s)"]);
    assert!(told.contains("`blocks.0.attn.counter`, `probe.weight`"), "{told}");
    for (name, words) in
        [("blocks.0.mlp.W_gate", "a gated MLP is not supported"), ("blocks.2.ln1.w", "`blocks.2.")]
    {
        let mut file = ours.clone();
        file.push(extra(name));
        folder.refuses(&bare(&file), &[], 1, &[words]);
    }
    let twice = [named(&|name| format!("model.{name}")), ours.clone()].concat();
    folder.refuses(&bare(&twice), &[], 1, &["is there twice, with and without a prefix"]);
}

#[test]
fn numeric_metadata_are_taken_and_repeated_keys_refused() {
    let folder = Folder::new();
    let file = bare(&tensors(&model(Normalization::Ln, Activation::SoluLn)));
    let numeric = with_metadata(&file, &json!({"step": 420, "loss": 0.5, "final": true, "none": null}));
    assert_eq!(folder.opens(&numeric, &[], &["2 layer(s)"]), "");
    let tensor = with_header(&file, |header| header.replacen("blocks.0.attn.b_Q", "blocks.0.attn.b_K", 1));
    folder.refuses(&tensor, &[], 1, &["`blocks.0.attn.b_K` is there twice"]);
    let metadata = with_header(&file, |h| h.replacen('{', r#"{"__metadata__":{"task":"a","task":"b"},"#, 1));
    folder.refuses(&metadata, &[], 1, &["`task` is there twice"]);
    let shape =
        with_header(&file, |h| h.replacen("\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"F32\"", 1));
    folder.refuses(&shape, &[], 1, &["duplicate field `dtype`"]);
}

#[test]
fn a_table_that_would_not_fit_in_memory_is_refused_before_it_is_made() {
    let folder = Folder::new();
    let base = model(Normalization::Ln, Activation::SoluLn);
    folder.write("w", bare(&tensors(&ModelConfig { d_vocab: 60_000, d_model: 2, ..base })));
    let mut command = std::process::Command::new("prlimit");
    command.arg("--as=2000000000").arg(assert_cmd::cargo::cargo_bin("headcount"));
    command.args(["inspect", "circuits", "--weights", "w", "--out", "o"]).current_dir(folder.path());
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("GiB of memory") && stderr.contains("d_vocab = 60000"), "{stderr}");
}

#[test]
fn configurations_of_others_are_read_or_refused_by_name() {
    let folder = Folder::new();
    let gelu = bare(&tensors(&model(Normalization::Ln, Activation::Gelu)));
    // json.dumps(cfg.to_dict(), default=str), the part of it that could matter.
    let theirs = json!({
        "d_model": 8, "d_head": 4, "n_layers": 2, "n_ctx": 6, "n_heads": 2, "d_mlp": 12, "d_vocab": 10,
        "d_vocab_out": 10, "act_fn": "gelu", "normalization_type": "LN", "eps": 1e-5, "attn_only": false,
        "positional_embedding_type": "standard", "attention_dir": "causal", "use_attn_scale": true,
        "attn_scale": -1.0, "n_key_value_heads": null, "gated_mlp": false, "attn_scores_soft_cap": -1.0,
        "seed": null, "device": "cpu", "dtype": "torch.float32", "model_name": "native", "init_mode": "gpt2",
    });
    folder.write("c.json", theirs.to_string());
    assert_eq!(folder.opens(&gelu, &["--config", "c.json"], &["act_fn gelu, normalization LN"]), "");
    for (key, value) in [
        ("attn_scores_soft_cap", json!(30.0)),
        ("output_logits_soft_cap", json!(30.0)),
        ("n_key_value_heads", json!(1)),
        ("gated_mlp", json!(true)),
        ("parallel_attn_mlp", json!(true)),
        ("use_local_attn", json!(true)),
        ("use_qk_norm", json!(true)),
        ("post_embedding_ln", json!(true)),
        ("rmsnorm_uses_offset", json!(true)),
        ("use_NTK_by_parts_rope", json!(true)),
        ("use_yarn_rope", json!(true)),
        ("final_rms", json!(true)),
        ("clip_qkv", json!(8.0)),
        ("num_experts", json!(4)),
        ("rope_scaling", json!({"type": "linear", "factor": 2.0})),
    ] {
        let mut other = theirs.clone();
        other[key] = value;
        folder.write("c.json", other.to_string());
        folder.refuses(&gelu, &["--config", "c.json"], 2, &[&format!("{key} = "), "is not supported"]);
    }
    for (key, value) in [("positional_embedding_type", "alibi"), ("act_fn", "xielu")] {
        let mut other = theirs.clone();
        other[key] = json!(value);
        folder.write("c.json", other.to_string());
        folder.refuses(&gelu, &["--config", "c.json"], 2, &[key, value]);
    }
    for (key, value) in
        [("n_key_value_heads", json!(2)), ("attn_scores_soft_cap", json!(0)), ("seed", json!(3))]
    {
        let mut same = theirs.clone();
        same[key] = value;
        folder.write("c.json", same.to_string());
        folder.opens(&gelu, &["--config", "c.json"], &["act_fn gelu"]);
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

fn bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// What `load_state_dict` of TransformerLens 4 would take: PyTorch's `Linear` is `[out, in]`.
fn of_version_4(config: &ModelConfig) -> Tensors {
    let (heads, d_head, d_model) = (config.n_heads, config.d_head, config.d_model);
    let modules = [("W_Q", "q"), ("W_K", "k"), ("W_V", "v"), ("W_O", "o"), ("W_in", "in"), ("W_out", "out")];
    let of = |(name, shape, data): &(String, Vec<usize>, Vec<u8>)| {
        let (module, leaf) = name.rsplit_once('.').unwrap();
        let from = floats(data);
        let (shape, values): (Vec<usize>, Vec<f32>) = match leaf {
            "W_Q" | "W_K" | "W_V" => {
                let cell = |at: usize| {
                    let (row, m) = (at / d_model, at % d_model);
                    from[(row / d_head * d_model + m) * d_head + row % d_head]
                };
                (vec![heads * d_head, d_model], (0..from.len()).map(cell).collect())
            }
            "W_O" | "W_in" | "W_out" | "W_U" => {
                let (rows, cols) = (from.len() / shape[shape.len() - 1], shape[shape.len() - 1]);
                (vec![cols, rows], (0..from.len()).map(|at| from[at % rows * cols + at / rows]).collect())
            }
            _ if leaf.starts_with("b_") => (vec![from.len()], from),
            _ => (shape.clone(), from),
        };
        let part =
            |letter: &str| modules.iter().find(|(three, _)| three[2..] == *letter).map(|(_, four)| *four);
        let name = match leaf.split_once('_') {
            Some(("W", "E" | "pos" | "U")) => format!("{module}.weight"),
            Some(("b", "U")) => format!("{module}.bias"),
            Some(("W", letter)) => format!("{module}.{}.weight", part(letter).unwrap()),
            Some((_, letter)) => format!("{module}.{}.bias", part(letter).unwrap()),
            None => format!("{module}.{}", if leaf == "w" { "weight" } else { "bias" }),
        };
        (name, shape, bytes(values))
    };
    tensors(config).iter().map(of).collect()
}

fn settings(json: &Value) -> ModelSettings {
    ModelSettings::from_json(&json.to_string(), "c".into()).unwrap()
}

#[test]
fn the_layout_of_transformer_lens_4_gives_the_same_weights() {
    for act_fn in [Activation::SoluLn, Activation::Gelu] {
        let config = ModelConfig { d_vocab_out: Some(7), ..model(Normalization::Ln, act_fn) };
        let opened =
            parse(&bare(&of_version_4(&config)), Some(&settings(&json!({"n_heads": 2, "act_fn": act_fn}))));
        let opened = opened.unwrap();
        assert_eq!((opened.weights.config(), &opened.notes[..]), (&config, &[][..]));
        assert_eq!(opened.weights.values, Weights::initial(&config, 3).values);
    }
}

#[test]
fn the_number_of_heads_of_transformer_lens_4_is_asked_for() {
    let folder = Folder::new();
    let file = bare(&of_version_4(&model(Normalization::Ln, Activation::SoluLn)));
    folder.refuses(&file, &[], 2, &["do not tell n_heads (heads that are 8 wide together)"]);
    folder.opens(&file, &["--set", "d_head=2"], &["4 head(s) of 2"]);
    folder.refuses(&file, &["--set", "n_heads=3"], 2, &["n_heads = 3", "n_heads * d_head = 8 (the tensors)"]);
    folder.refuses(
        &file,
        &["--set", "n_heads=4", "--set", "d_head=4"],
        2,
        &["model.n_heads = 4", "n_heads * d_head = 8"],
    );
}

#[test]
fn what_transformer_lens_4_does_with_a_setting_counts_and_not_what_the_setting_says() {
    let native = |more: Value| {
        let always = json!({
            "architecture": "TransformerLensNative", "d_head": 4, "use_attn_scale": false, "attn_scale": 1.0,
        });
        let all = [always, more].into_iter().flat_map(|part| part.as_object().cloned().unwrap());
        settings(&Value::Object(all.collect())).values
    };
    let rotary = native(json!({"positional_embedding_type": "rotary", "rotary_adjacent_pairs": false}));
    assert_eq!(rotary["rotary_adjacent_pairs"], json!(true));
    assert!(
        !rotary.contains_key("use_attn_scale") && !rotary.contains_key("attn_scale"),
        "divided by the root of d_head"
    );
    assert!(!native(json!({"positional_embedding_type": "standard"})).contains_key("rotary_adjacent_pairs"));
}

#[test]
fn other_precisions_are_converted_and_said() {
    let folder = Folder::new();
    let config = model(Normalization::Ln, Activation::SoluLn);
    let ours = tensors(&config);
    for (dtype, name) in [(Dtype::F16, "F16"), (Dtype::BF16, "BF16"), (Dtype::F64, "F64")] {
        // Powers of two have a value in every precision.
        let value = |at: usize| 2.0_f32.powi(at as i32 % 9 - 4);
        let convert = |at: usize| match dtype {
            Dtype::F16 => ((at as u16 % 9 + 11) << 10).to_le_bytes().to_vec(),
            Dtype::BF16 => value(at).to_le_bytes()[2..].to_vec(),
            _ => f64::from(value(at)).to_le_bytes().to_vec(),
        };
        let data = ours.iter().map(|(_, _, data)| (0..data.len() / 4).flat_map(convert).collect::<Vec<u8>>());
        let data: Vec<Vec<u8>> = data.collect();
        let views = ours.iter().zip(&data);
        let views = views
            .map(|((name, shape, _), data)| (name, TensorView::new(dtype, shape.clone(), data).unwrap()));
        let file = serialize(views, None).unwrap();
        let stderr = folder.opens(&file, &[], &["2 layer(s)"]);
        assert_eq!(stderr, format!("headcount: w: converted from {name} to F32\n"));
        let weights = parse(&file, None).unwrap().weights;
        for (name, shape, _) in &ours {
            let want: Vec<f32> = (0..shape.iter().product()).map(value).collect();
            assert_eq!(weights.get(name).unwrap(), want, "{dtype:?} {name}");
        }
    }
}

#[test]
fn absent_biases_are_zero_and_said() {
    let folder = Folder::new();
    let ours = tensors(&model(Normalization::Ln, Activation::Gelu));
    let without = |gone: &dyn Fn(&str) -> bool| -> Vec<u8> {
        bare(&ours.iter().filter(|(name, ..)| !gone(name)).cloned().collect())
    };
    let is_norm_bias = |name: &str| name.rsplit('.').next() == Some("b");
    let gelu = ["--set", "act_fn=gelu"];
    let some = without(&|name| name.ends_with("b_Q") || name == "unembed.b_U");
    let stderr = folder.opens(&some, &gelu, &["normalization LN"]);
    assert_eq!(
        stderr,
        "headcount: w: not there, so 0: `blocks.0.attn.b_Q`, `blocks.1.attn.b_Q`, `unembed.b_U`\n"
    );
    // Layer norms of which no bias was saved, or RMS norms: not to be told from each other.
    let none = without(&|name| is_norm_bias(name) || name.contains(".b_"));
    folder.refuses(&none, &gelu, 2, &["do not tell normalization_type (\"LN\" or \"RMS\")"]);
    for norm in ["LN", "RMS"] {
        let norm_said = format!("normalization_type={norm}");
        let stderr = folder.opens(&none, &[&gelu[..], &["--set", &norm_said]].concat(), &[norm]);
        assert!(stderr.contains("not there, so 0: ") && stderr.contains("more"), "{stderr}");
    }
    // With other biases there, norms without are RMS.
    folder.opens(&without(&is_norm_bias), &gelu, &["normalization RMS"]);
    folder.refuses(&without(&|name| name == "unembed.W_U"), &gelu, 1, &["no tensor `unembed.W_U`"]);
}

#[test]
fn positions_that_tensors_do_not_tell_are_asked_for() {
    let folder = Folder::new();
    let none = ModelConfig {
        positional_embedding_type: PositionEmbedding::None,
        ..model(Normalization::Ln, Activation::SoluLn)
    };
    let file = bare(&tensors(&none));
    folder.refuses(
        &file,
        &[],
        2,
        &["positional_embedding_type (\"none\" or \"rotary\")", "n_ctx (the most positions)"],
    );
    let placed = ["--set", "n_ctx=6", "--set"];
    for (kind, also) in [("none", ""), ("rotary", "positional_embedding_type \"rotary\"")] {
        let kind = format!("positional_embedding_type={kind}");
        folder.opens(&file, &[&placed[..], &[&kind]].concat(), &["n_ctx 6", also]);
    }
    let standard = bare(&tensors(&model(Normalization::Ln, Activation::SoluLn)));
    folder.opens(&standard, &[], &["n_ctx 6"]);
    folder.refuses(
        &standard,
        &["--set", "positional_embedding_type=none"],
        2,
        &["positional_embedding_type = \"none\"", "`pos_embed.W_pos`, which is not 0"],
    );
    folder.refuses(&standard, &["--set", "positional_embedding_type=rotary"], 2, &["\"standard\" or"]);
    folder.opens(&standard, &["--set", "positional_embedding_type=shortformer"], &["shortformer"]);
    for (bad, words) in [
        ("positional_embedding_type=alibi", "\"shortformer\""),
        ("attention_dir=both", "\"bidirectional\""),
        ("eps=-1", "model.eps = -1: must be from 0 to 1"),
        ("attn_scale=0", "model.attn_scale = 0: must be above 0"),
        ("pad_token=10", "model.pad_token = 10: must be below d_vocab = 10"),
    ] {
        let status = if words.starts_with("model") { 1 } else { 2 };
        folder.refuses(&standard, &["--set", bad], status, &[words]);
    }
}

#[test]
fn weights_are_scored_by_the_task_that_is_named_and_by_no_other() {
    let folder = Folder::new();
    let config = ModelConfig { d_vocab: 10, ..model(Normalization::Ln, Activation::SoluLn) };
    let bare = bare(&tensors(&config));
    let loss = |file: &[u8], more: &[&str]| -> Value {
        folder.write("w", file);
        let ablate = ["ablate", "--weights", "w", "--tokens", "1,2,2,1", "--heads", "0", "--json"];
        let (status, stdout, stderr) = folder.run(&[&ablate, more].concat());
        assert_eq!(status, 0, "{stderr}");
        serde_json::from_str::<Value>(&stdout).unwrap()["loss_before"].clone()
    };
    assert_eq!(loss(&bare, &[]), Value::Null);
    let scored = loss(&bare, &["--task", "majority"]);
    assert!(scored.is_number(), "{scored}");
    assert_eq!(loss(&with_metadata(&bare, &json!({"task": "majority"})), &[]), scored);
    assert_eq!(loss(&with_metadata(&bare, &json!({"task": "chess"})), &[]), Value::Null);
    let ours = encode_weights(&Weights::initial(&config, 3), &[("task", "majority".into())]);
    assert_eq!(loss(&ours, &[]), scored);
}

#[test]
fn weights_without_a_task_have_the_names_that_their_file_gives() {
    let folder = Folder::new();
    let config = ModelConfig { d_vocab: 4, ..model(Normalization::Ln, Activation::Gelu) };
    let about = json!({"config": "{\"act_fn\":\"gelu\"}", "vocab": "[\"ash\",\"oak\",\"elm\",\"yew\"]"});
    folder.write("w.safetensors", with_metadata(&bare(&tensors(&config)), &about));
    let show = |panel, tokens| {
        folder.run(&["show", panel, "--weights", "w.safetensors", "--tokens", tokens, "--format", "csv"])
    };
    let (status, stdout, stderr) = show("token", "yew,ash,oak");
    assert!(status == 0, "{stderr}");
    let named: Vec<&str> = stdout.lines().filter(|line| !line.starts_with('#')).skip(1).collect();
    assert!(named.len() == 3 && named[0].contains("yew") && named[2].contains("oak"), "{stdout}");
    let (status, _, stderr) = show("token", "yew,fir");
    assert!(status == 2 && stderr.contains("`fir` at position 1 is not a token"), "{stderr}");
}
