//! Files that others write: opened exactly, or refused by what they are. Nothing is guessed.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use headcount::model::weights_file::{Container, encode_weights};
use headcount::model::{Activation, ModelConfig, Normalization, Weights};
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
    for (key, value) in [("attn_scores_soft_cap", json!(30.0)), ("n_key_value_heads", json!(1))] {
        let mut other = theirs.clone();
        other[key] = value;
        folder.write("c.json", other.to_string());
        folder.refuses(&gelu, &["--config", "c.json"], 2, &[&format!("{key} = "), "is not supported"]);
    }
}
