"""How much memory class centres take, before any are made."""

from __future__ import annotations

from vnvision.errors import ConfigError

STATES = {"sgd": 1, "adamw": 2}  # entries shaped like the centres: momentum; both moments
_FLOAT = 4
_ALIVE = 3  # (batch, centres compared) at the height of the backward pass: cosines, their gradient, a scratch


def predicted_bytes(
    n_classes: int,
    dim: int,
    world: int,
    sample_rate: float,
    batch: int,
    optimiser: str,
    *,
    sub_centres: int = 1,
    mixed: bool = False,
) -> int:
    """Peak memory of a training step for `PartialFC` on the rank that holds most; the backbone is not in it.

    Kept throughout are the centres and their optimiser state; on top come a gradient and three tensors of
    (batch, centres compared), and with sampling the rows lent and their optimiser state. Not all of these are
    needed at one moment, but allocators keep what is freed for the next step. The optimiser is taken to be
    ``fused``: others make one (SGD with weight decay) or two (AdamW) more copies of the rows they step. Heads
    that change every column, such as CurricularFace, and a filter take one or two more of those tensors.

    Args:
        n_classes: identities over all ranks.
        dim: length D of an embedding.
        world: ranks.
        sample_rate: in (0, 1].
        batch: faces a step, over all ranks.
        optimiser: "sgd" (with momentum) or "adamw".
        sub_centres: K.
        mixed: matrix products in a 16 bit type, under autocast.

    Raises:
        ConfigError: an optimiser without a row here.
    """
    if optimiser not in STATES:
        raise ConfigError("optimiser", expected=" or ".join(STATES), got=repr(optimiser))
    held = -(-n_classes // world)
    positives = min(batch, held)  # at worst all in one shard
    compared = held if sample_rate >= 1.0 else int(sample_rate * (held - positives)) + positives
    whole, part = (count * sub_centres * dim * _FLOAT for count in (held, compared))
    states = STATES[optimiser]
    lent = part * (1 + states) if sample_rate < 1.0 else 0
    cosines = batch * compared * sub_centres * _FLOAT
    cast = part // 2 if mixed else 0
    return whole * (1 + states) + lent + part + cast + _ALIVE * cosines
