//! Edits of every site of a model, as the patches of a training batch.

use std::borrow::Cow;
use std::sync::Arc;

use headcount::analysis::edit_sums::EditSums;
use headcount::model::{ModelConfig, Patch, PatchOf, PositionEmbedding, Snapshot, Weights, read_edits};
use headcount::task::{Token, unlabelled};

/// Edits of the sites of a model, a list for each pass.
pub fn lists(c: &ModelConfig) -> Vec<Vec<&'static str>> {
    let attention = vec![
        vec!["site = 'z', heads = [0], to = 'zero'"],
        vec!["site = 'z', scale = 0.5", "site = 'z', positions = '1', add = 0.25"],
        vec!["site = 'q', heads = [0], scale = 2.0", "site = 'k', scale = 0.5", "site = 'v', add = 0.5"],
        vec!["site = 'q', clamp = [-0.5, 0.5]", "site = 'q', scale = 3.0"],
        vec!["site = 'pattern', heads = [0], to = 'uniform'"],
        vec!["site = 'pattern', heads = [0], positions = '1-2', to = 'previous'"],
        vec!["site = 'pattern', hide = '0'"],
        vec!["site = 'attn_out', scale = 0.5", "site = 'attn_out', clamp = [-0.2, 0.3]"],
        vec!["site = 'resid_pre', clamp = [-1.0, 1.0]", "site = 'resid_pre', add = 0.1"],
        vec!["site = 'resid_post', scale = 1.5"],
        vec![
            "site = 'resid_post', add = 2.0, direction = { class = 1 }",
            "site = 'resid_pre', to = 'without', direction = { class = 0 }",
        ],
        vec!["site = 'embed', scale = 0.5", "site = 'embed', clamp = [-0.4, 0.4]"],
    ];
    let mlp = vec![
        vec!["site = 'pre', scale = 0.5", "site = 'pre', neurons = [0, 2], set = 1.0"],
        vec!["site = 'post', neurons = [1], to = 'zero'", "site = 'post', positions = '0-1', scale = 2.0"],
        vec!["site = 'mlp_out', clamp = [-0.5, 0.5]"],
        vec!["site = 'resid_mid', scale = 0.5", "site = 'mlp_out', add = 1.0"],
    ];
    let positions = vec![vec!["site = 'pos_embed', scale = 0.5"]];
    let has_positions = c.positional_embedding_type == PositionEmbedding::Standard;
    let mlp = mlp.into_iter().filter(|_| c.has_mlp());
    let all = attention.into_iter().chain(mlp).chain(positions.into_iter().filter(|_| has_positions));
    let fits = |edit: &&str| c.n_ctx > 2 || !edit.contains("positions");
    all.filter(|list| list.iter().all(fits)).collect()
}

/// The edits' patches of sequences, in a layer; of two edits of the stream, the one before a block in the next layer.
pub fn patch_of(weights: &Weights, edits: &[&str], layer: usize) -> Arc<PatchOf> {
    let next = (layer + 1).min(weights.config().n_layers - 1);
    let table = |edit: &&str| match edit {
        edit if edit.contains("embed") => format!("{{ {edit} }}"),
        edit if edit.contains("resid_pre") => format!("{{ {edit}, layer = {next} }}"),
        edit => format!("{{ {edit}, layer = {layer} }}"),
    };
    let tables: Vec<String> = edits.iter().map(table).collect();
    let text = format!("edit = [{}]", tables.join(", "));
    let task = unlabelled(weights.config().shape());
    let rules = read_edits(&text, weights.config(), &*task).unwrap_or_else(|error| panic!("{text}: {error}"));
    let snapshot = Arc::new(Snapshot::new(0, weights.clone()));
    let ready = EditSums::new(&snapshot, &rules.into()).ready();
    Arc::new(move |tokens: &[Token]| {
        ready.patch(&snapshot.weights, (tokens, None), Cow::Owned(Patch::default())).into_owned()
    })
}
