//! Recognises files of other programs by their first bytes or their tensor names.

use std::collections::BTreeMap;

/// Number of first bytes that [`by_content`] inspects.
pub(super) const HEAD: usize = 4096;

const TO_SAFETENSORS: &str =
    "torch.load it and save_file its state dict, README section \"Weights to and from Python\"";
const NOT_YET: &str = "cannot be opened yet; save_file a HookedTransformer's state dict, README section \"Weights to and \
                       from Python\"";

/// Names the known format of a file that is not safetensors, and says what to do.
pub(super) fn by_content(head: &[u8]) -> Option<String> {
    let holds = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
    let what = match head {
        [] => "an empty file",
        [b'P', b'K', 3, 4, ..] if holds(b"data.pkl") => {
            return Some(format!("a PyTorch checkpoint: {TO_SAFETENSORS}"));
        }
        [b'P', b'K', 3, 4, ..] if holds(b".npy") => {
            "a NumPy archive (npz): save its arrays with safetensors.numpy.save_file"
        }
        [b'P', b'K', 3, 4, ..] => "a zip archive",
        // PyTorch's magic number, before torch 1.6.
        [0x80, 2..=5, ..] if holds(&[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]) => {
            return Some(format!("a PyTorch checkpoint: {TO_SAFETENSORS}"));
        }
        [0x80, 2..=5, ..] if holds(b"torch") => {
            return Some(format!("a PyTorch checkpoint (pickle): {TO_SAFETENSORS}"));
        }
        [0x80, 2..=5, b'}' | b']' | b'(' | b'c' | 0x95 | 0x8a, ..] => {
            return Some(format!("a Python pickle: if it is a PyTorch checkpoint, {TO_SAFETENSORS}"));
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            "a NumPy array (npy): save the model's tensors with safetensors.numpy.save_file"
        }
        [b'G', b'G', b'U', b'F', ..] => "a GGUF file (llama.cpp): use the safetensors file it was made from",
        [0x89, b'H', b'D', b'F', ..] => {
            "an HDF5 file (Keras): save the model's tensors with safetensors.numpy.save_file"
        }
        [0x1f, 0x8b, ..] => "a gzip archive: unpack it",
        _ if head.starts_with(b"version https://git-lfs") => {
            "a Git LFS pointer: fetch the file itself with git lfs pull"
        }
        _ if is_markup(head) => "a web page: the download brought a page, not the file",
        _ if is_text(head) => "a text file",
        _ => return None,
    };
    Some(what.into())
}

fn is_markup(head: &[u8]) -> bool {
    let start = head.trim_ascii_start().to_ascii_lowercase();
    start.starts_with(b"<!doctype") || start.starts_with(b"<html") || start.starts_with(b"<?xml")
}

/// A safetensors header length is never printable: its upper bytes are 0.
fn is_text(head: &[u8]) -> bool {
    head.len() >= 8 && head[..8].iter().all(|byte| (0x20..0x7f).contains(byte) || b"\t\r\n".contains(byte))
}

/// Prefixes that wrappers add: a trainer's attribute, torch.compile, DistributedDataParallel.
const WRAPPERS: [&str; 3] = ["model.", "_orig_mod.", "module."];

/// What TransformerLens 4 puts between a component and its tensors.
const COMPONENT: &str = "._original_component";

/// A tensor's name without wrappers.
pub(super) fn unwrapped(name: &str) -> String {
    match WRAPPERS.iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
        Some(inner) => unwrapped(inner),
        None => name.replace(COMPONENT, ""),
    }
}

/// Whether a tensor is a constant in TransformerLens' state dict, or a moment in our checkpoints.
pub(super) fn is_buffer(name: &str) -> bool {
    let (module, leaf) = name.rsplit_once('.').unwrap_or_default();
    matches!(leaf, "mask" | "IGNORE" | "rotary_sin" | "rotary_cos" | "alibi") || module == "optimizer"
}

/// Parts of some TransformerLens models that would change the results and are not supported.
pub(super) fn unsupported_part(name: &str) -> Option<&'static str> {
    let parts = [
        (".mlp.W_gate", "a gated MLP"),
        (".mlp.gate.", "a gated MLP"),
        (".mlp.b_gate", "a gated MLP"),
        (".attn._W_", "fewer key and value heads than query heads"),
        (".attn.q_norm.", "a norm of queries"),
        (".attn.k_norm.", "a norm of keys"),
        (".attn.rel_pos_bias.", "relative positions"),
        (".ln1_post.", "a norm after attention"),
        (".ln2_post.", "a norm after the MLP"),
        (".mlp.experts.", "a mixture of experts"),
        (".mlp.W_router", "a mixture of experts"),
        ("embed.ln.", "a norm of the embeddings"),
    ];
    parts.iter().find(|(part, _)| name.contains(part)).map(|(_, what)| *what)
}

/// The origin of these names, if not TransformerLens.
pub(super) fn by_names<T>(tensors: &BTreeMap<String, T>) -> Option<String> {
    let has = |part: &str| tensors.keys().find(|name| format!(".{name}.").contains(part));
    let families = [
        (".attn.c_attn.", "GPT-2's names (Hugging Face)"),
        (".gpt_neox.", "GPT-NeoX's names (Hugging Face)"),
        (".query_key_value.", "GPT-NeoX's names (Hugging Face)"),
        (".self_attn.q_proj.", "the names of Llama and its kin (Hugging Face)"),
        (".attn.attention.q_proj.", "GPT-Neo's names (Hugging Face)"),
        (".attention.self.query.", "BERT's names (Hugging Face)"),
        (".in_proj_weight.", "the names of torch.nn's MultiheadAttention and Transformer"),
        (".wte.", "GPT-2's names (Hugging Face)"),
        (".embed_tokens.", "the names of Llama and its kin (Hugging Face)"),
    ];
    if let Some((name, whose)) = families.iter().find_map(|(part, whose)| Some((has(part)?, whose))) {
        return Some(format!("{whose}, `{name}` say, {NOT_YET}"));
    }
    let others =
        [(".hook_", "holds activations"), (".qk.0.0.", "holds circuits"), (".tokens.", "holds a data set")];
    let (name, holds) = others.iter().find_map(|(part, holds)| Some((has(part)?, holds)))?;
    Some(format!("{holds}, `{name}` say, and no weights"))
}
