"""Median milliseconds of a training step in PyTorch: the peer of benches/peers.sh and tests/gpu.sh.

usage: peer.py transformer-lens|compiled DEVICE STEPS [KEY=VALUE ...]
    transformer-lens    HookedTransformer, as it comes
    compiled            the same model in plain PyTorch: scaled_dot_product_attention and torch.compile, no hooks
Keys and defaults are those of `sizes`. Needs torch, and transformer-lens for the first.
"""
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

sizes = dict(d_model=64, n_heads=2, d_head=32, d_mlp=256, n_layers=1, n_ctx=128, batch_size=256,
             d_vocab=10, d_vocab_out=10, act_fn="solu_ln", normalization_type="LN", targets="all")
kind, device, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
for word in sys.argv[4:]:
    name, value = word.split("=")
    sizes[name] = type(sizes[name])(value)
batch, targets, last = sizes.pop("batch_size"), None, sizes.pop("targets") == "last"
c = type("Sizes", (), sizes)


def norm(width):
    return nn.LayerNorm(width) if c.normalization_type == "LN" else nn.Identity()


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        heads = c.n_heads * c.d_head
        self.ln1, self.qkv, self.out = norm(c.d_model), nn.Linear(c.d_model, 3 * heads), nn.Linear(heads, c.d_model)
        self.ln2, self.up, self.down = norm(c.d_model), nn.Linear(c.d_model, c.d_mlp), nn.Linear(c.d_mlp, c.d_model)
        self.inner = nn.LayerNorm(c.d_mlp) if c.act_fn == "solu_ln" else nn.Identity()

    def forward(self, x):
        rows, length, _ = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(rows, length, 3, c.n_heads, c.d_head).permute(2, 0, 3, 1, 4)
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(z.transpose(1, 2).reshape(rows, length, -1))
        pre = self.up(self.ln2(x))
        post = self.inner(pre * pre.softmax(-1)) if c.act_fn == "solu_ln" else F.relu(pre)
        return x + self.down(post)


class Plain(nn.Module):
    """The logits of every position, or of the last alone: the others are left out before the unembedding."""

    def __init__(self):
        super().__init__()
        self.embed, self.positions = nn.Embedding(c.d_vocab, c.d_model), nn.Parameter(torch.randn(c.n_ctx, c.d_model))
        self.blocks, self.ln_final = nn.Sequential(*(Block() for _ in range(c.n_layers))), norm(c.d_model)
        self.unembed = nn.Linear(c.d_model, c.d_vocab_out)

    def forward(self, tokens):
        x = self.blocks(self.embed(tokens) + self.positions)
        return self.unembed(self.ln_final(x[:, -1:] if last else x))


def transformer_lens():
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    settings = sizes | {"normalization_type": None if c.normalization_type == "none" else c.normalization_type}
    return HookedTransformer(HookedTransformerConfig(**settings, seed=23, device=device))


torch.manual_seed(23)
model = transformer_lens() if kind == "transformer-lens" else torch.compile(Plain().to(device))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
tokens = torch.randint(0, c.d_vocab, (batch, c.n_ctx), device=device)
targets = torch.randint(0, c.d_vocab_out, (batch, 1 if last else c.n_ctx), device=device)
times = []
for step in range(steps + 5):
    start = time.perf_counter()
    logits = model(tokens)[:, -targets.shape[1]:]
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    loss.item()  # waits for the device, as a loop that logs its loss does
    if step >= 5:
        times.append(time.perf_counter() - start)
print(f"{statistics.median(times) * 1e3:.2f}")
