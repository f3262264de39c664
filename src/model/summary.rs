//! The parameter table.

use std::fmt::Write;

use super::{Layout, ModelConfig, ModelSettings, TensorView, Weights};

const NAME: usize = 48;
const SHAPE: usize = 20;
const COUNT: usize = 14;

/// A table of every module and weight with shape and number of parameters, in the style of torchinfo.
pub fn summary(weights: &Weights) -> String {
    let layout = &weights.layout;
    let rule = "=".repeat(NAME + SHAPE + COUNT);
    let mut out =
        format!("{rule}\n{:NAME$}{:SHAPE$}{:>COUNT$}\n{rule}\n", "Module and weight", "Shape", "Parameters");
    row(&mut out, "HookedTransformer", "", layout.len);
    for node in tree(layout) {
        let shape = node.shape.map_or(String::new(), |shape| format!("{shape:?}"));
        row(
            &mut out,
            &format!("{}{}", "   ".repeat(node.depth - 1) + "├─ ", node.name),
            &shape,
            node.parameters,
        );
    }
    let c = &layout.config;
    let _ = write!(
        out,
        "{rule}\nTotal parameters: {}\nAll trained, f32: {:.1} KiB\n{} layer(s), {} head(s) of {}, d_model {}, d_mlp {}, \
         n_ctx {}, d_vocab {}, act_fn {}, normalization {}\n{rule}\n",
        thousands(layout.len),
        layout.len as f64 * 4.0 / 1024.0,
        c.n_layers,
        c.n_heads,
        c.d_head,
        c.d_model,
        c.d_mlp,
        c.n_ctx,
        c.d_vocab,
        c.act_fn,
        c.normalization_type,
    );
    let unusual = unusual(c);
    if !unusual.is_empty() {
        let _ = writeln!(out, "{unusual}\n{rule}");
    }
    out
}

/// The settings that few models change, if this one does.
fn unusual(c: &ModelConfig) -> String {
    let usual = ModelSettings::of(&ModelConfig::default()).values;
    let others = ModelSettings::of(c).values.into_iter().filter(|(key, _)| !usual.contains_key(key));
    let others: Vec<String> = others.map(|(key, value)| format!("{key} {value}")).collect();
    others.join(", ")
}

struct Node<'a> {
    depth: usize,
    name: String,
    shape: Option<&'a [usize]>,
    parameters: usize,
}

/// The modules, from the dots in the names, each before its weights.
fn tree(layout: &Layout) -> Vec<Node<'_>> {
    let mut nodes: Vec<Node<'_>> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for tensor in ordered(layout) {
        let path: Vec<&str> = tensor.name.split('.').collect();
        let modules = module_names(&path[..path.len() - 1]);
        let common = open.iter().zip(&modules).take_while(|(a, b)| a == b).count();
        open.truncate(common);
        for name in &modules[common..] {
            open.push(name.clone());
            let prefix = format!("{}.", open.join("."));
            let inside = layout.tensors().iter().filter(|tensor| tensor.name.starts_with(&prefix));
            nodes.push(Node {
                depth: open.len(),
                name: name.clone(),
                shape: None,
                parameters: inside.map(TensorView::len).sum(),
            });
        }
        let leaf = path[path.len() - 1].to_owned();
        nodes.push(Node {
            depth: open.len() + 1,
            name: leaf,
            shape: Some(&tensor.shape),
            parameters: tensor.len(),
        });
    }
    nodes
}

/// The weights, grouped by module.
fn ordered(layout: &Layout) -> Vec<&TensorView> {
    let mut tensors: Vec<_> = layout.tensors().iter().enumerate().collect();
    let first_of = |name: &str| {
        let module = name.rsplit_once('.').map_or("", |(module, _)| module);
        tensors.iter().position(|(_, tensor)| tensor.name.starts_with(module)).unwrap_or(0)
    };
    let keys: Vec<usize> = tensors.iter().map(|(_, tensor)| first_of(&tensor.name)).collect();
    tensors.sort_by_key(|(index, _)| (keys[*index], *index));
    tensors.into_iter().map(|(_, tensor)| tensor).collect()
}

/// `blocks.0` counts as one module.
fn module_names(path: &[&str]) -> Vec<String> {
    match path {
        ["blocks", layer, rest @ ..] => {
            std::iter::once(format!("blocks.{layer}")).chain(rest.iter().map(|s| (*s).to_owned())).collect()
        }
        path => path.iter().map(|s| (*s).to_owned()).collect(),
    }
}

fn row(out: &mut String, name: &str, shape: &str, parameters: usize) {
    let _ = writeln!(out, "{name:NAME$}{shape:SHAPE$}{:>COUNT$}", thousands(parameters));
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notebooks_model_has_the_notebooks_total() {
        let table = summary(&Weights::zeros(&ModelConfig::default()));
        assert!(table.contains("Total parameters: 60,106"), "{table}");
        insta::assert_snapshot!(table);
    }
}
