"""Partial FC: class centres spread over ranks, and a part of them compared a step.

layer = PartialFC(build_head("cosface"), n_classes, 512, sample_rate=0.1).to(device)
optimiser = torch.optim.AdamW([*backbone.parameters(), *layer.parameters()], fused=True)
layer.attach(optimiser)
start = layer.load_shards(files)  # to go on from a checkpoint
for step in range(start, stop):
    loss = layer(backbone(images), target, step)  # every rank its own rows
    optimiser.zero_grad()
    loss.backward()
    clip_grad_norm_(backbone.parameters(), layer, 5.0)
    optimiser.step()
layer.save_shard(folder, step=stop)  # on every rank
"""

from vnvision.losses.partial_fc.checkpoint import state_shard
from vnvision.losses.partial_fc.clip import clip_grad_norm_, share_overflow
from vnvision.losses.partial_fc.layer import PartialFC
from vnvision.losses.partial_fc.memory import predicted_bytes
from vnvision.losses.partial_fc.sharding import Shard, split

__all__ = [
    "PartialFC",
    "Shard",
    "clip_grad_norm_",
    "predicted_bytes",
    "share_overflow",
    "split",
    "state_shard",
]
