"""Median milliseconds of a training step in TransformerLens, the peer of tests/gpu.sh.

usage: peer.py DEVICE STEPS d_model=64 n_heads=2 d_head=32 d_mlp=256 n_layers=1 n_ctx=128 batch_size=256
Needs torch and transformer-lens.
"""
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from transformer_lens import HookedTransformer, HookedTransformerConfig

device, steps = sys.argv[1], int(sys.argv[2])
sizes = {name: int(value) for name, value in (word.split("=") for word in sys.argv[3:])}
batch = sizes.pop("batch_size")
config = HookedTransformerConfig(**sizes, d_vocab=10, act_fn="solu_ln", normalization_type="LN", seed=23, device=device)
model = HookedTransformer(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
tokens = torch.randint(0, 10, (batch, config.n_ctx), device=device)
labels = F.one_hot(tokens, 10).cumsum(1).argmax(-1)
times = []
for step in range(steps + 5):
    start = time.perf_counter()
    loss = F.cross_entropy(model(tokens).reshape(-1, 10), labels.reshape(-1))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    loss.item()  # waits for the device, as a loop that logs its loss does
    if step >= 5:
        times.append(time.perf_counter() - start)
print(f"{statistics.median(times) * 1e3:.2f}")
