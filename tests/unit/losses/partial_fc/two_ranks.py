"""What a rank of a small training does; run as a script, it is one of two gloo ranks."""

import sys
from pathlib import Path

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from vnvision.errors import VnvisionError
from vnvision.losses.margin import HEADS, build_head
from vnvision.losses.partial_fc import PartialFC, clip_grad_norm_, share_overflow

INPUTS, DIM, BATCH = 6, 16, 8
OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=1e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.05),
    "fused": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.05, fused=True),
}


def batch(step, n_classes, dtype=torch.float64):
    """Inputs and classes of all ranks."""
    random = torch.Generator().manual_seed(1000 + step)
    x = torch.randn(BATCH, INPUTS, generator=random, dtype=torch.float64)
    return x.to(dtype), torch.randint(n_classes, (BATCH,), generator=random)


def backbone(dtype=torch.float64):
    torch.manual_seed(5)
    return torch.nn.Sequential(torch.nn.Linear(INPUTS, DIM), torch.nn.Tanh(), torch.nn.Linear(DIM, DIM)).to(
        dtype
    )


class Training:
    """A tiny network, its Partial FC and one optimiser over both, on one or two ranks."""

    def __init__(self, n_classes, *, optimiser="sgd", head="cosface", dtype=torch.float64, **options):
        self.world = distributed.get_world_size() if distributed.is_initialized() else 1
        self.rank = distributed.get_rank() if self.world > 1 else 0
        self.net, self.dtype, self.micro = backbone(dtype), dtype, 1
        self.model = DistributedDataParallel(self.net) if self.world > 1 else self.net
        made = build_head(head)
        self.layer = PartialFC(made, n_classes, DIM, sub_centres=made.sub_centres, **options).to(dtype)
        self.optimiser = OPTIMISERS[optimiser]([*self.net.parameters(), *self.layer.parameters()])
        self.layer.attach(self.optimiser)

    def backward(self, step):
        """Loss and gradients of a step, in micro-batches."""
        x, target = batch(step, self.layer.n_classes, self.dtype)
        self.optimiser.zero_grad()
        total = 0.0
        for xs, targets in zip(x.chunk(self.micro), target.chunk(self.micro), strict=True):
            mine = slice(self.rank * len(xs) // self.world, (self.rank + 1) * len(xs) // self.world)
            loss = self.layer(self.model(xs[mine]), targets[mine], step) / self.micro
            loss.backward()
            total = total + loss.detach()
        classes = self.layer.sampled_classes
        return {
            "loss": total,
            "classes": torch.arange(self.layer.shard.start, self.layer.shard.end)
            if classes is None
            else classes,
            "centre_grad": self.layer.sampled.grad.clone(),
            **{f"net_grad.{k}": p.grad.clone() for k, p in self.net.named_parameters()},
            **{f"head_grad.{k}": p.grad.clone() for k, p in self.layer.head.named_parameters()},
        }

    def steps(self, start, stop):
        seen = []
        for step in range(start, stop):
            seen.append(self.backward(step))
            self.optimiser.step()
        return seen

    def all(self):
        """Everything learnt, this rank's rows."""
        return {
            "weight": self.layer.weight.clone(),
            **{f"state.{k}": v.clone() for k, v in self.layer.rows.state().items()},
            **{f"net.{k}": v.clone() for k, v in self.net.state_dict().items()},
            **{f"head.{k}": v.clone() for k, v in self.layer.head.state_dict().items()},
        }

    def net_state(self):
        """Network and its optimiser state, which any checkpoint of a training keeps."""
        state = [self.optimiser.state.get(p, {}) for p in self.net.parameters()]
        return {"net": self.net.state_dict(), "state": state}

    def load_net(self, kept):
        self.net.load_state_dict(kept["net"])
        for parameter, state in zip(self.net.parameters(), kept["state"], strict=True):
            self.optimiser.state[parameter] = {k: v.clone() for k, v in state.items()}


def trained(*, n_classes=13, steps=10, **options):
    training = Training(n_classes, **options)
    first = training.all()
    return {"first": first, "seen": training.steps(0, steps), "last": training.all()}


def one_step(head, **options):
    torch.manual_seed(3)  # ElasticFace draws margins
    training = Training(9, head=head, **options)
    torch.manual_seed(3)
    return {"seen": training.steps(0, 2), "last": training.all()}


def saved_half_way(folder, name, **options):
    """Five steps, a checkpoint, five more."""
    training = Training(13, **options)
    training.steps(0, 5)
    training.layer.save_shard(folder / name, step=5)
    if training.rank == 0:
        torch.save(training.net_state(), folder / name / "net.pt")
    training.steps(5, 10)
    return training.all()


def resumed(folder, name, **options):
    training = Training(13, seed=99, **{k: v for k, v in options.items() if k != "seed"})
    training.layer.seed = 0
    step = training.layer.load_shards(sorted((folder / name).glob("*.safetensors")))
    training.load_net(torch.load(folder / name / "net.pt"))
    training.steps(step, 10)
    return training.all()


def changed(**options):
    """Identities leave and join in the middle of training."""
    training = Training(13, **options)
    training.steps(0, 3)
    x, target = batch(9, 13)
    alive = training.layer(training.net(x), target, 9)  # a loss that outlives its step
    before = training.all()
    mapping = training.layer.remove_identities([12, 0, 5, 5])
    removed = training.all()
    directions = torch.arange(2.0 * DIM).view(2, DIM) - 7.0
    new = [*training.layer.add_identities(3), *training.layer.add_identities(2, directions)]
    added = training.all()
    training.steps(3, 5)
    return {
        "before": before,
        "mapping": mapping,
        "removed": removed,
        "new": torch.tensor(new),
        "added": added,
        "last": training.all(),
        "alive": float(alive.detach()),
    }


def accumulated(**options):
    training = Training(13, **options)
    training.micro = 2
    return {"seen": training.steps(0, 3), "last": training.all()}


def clipped():
    training = Training(13)
    training.backward(0)
    norm = clip_grad_norm_(training.net.parameters(), training.layer, 0.01)
    return {"norm": norm, "weight": training.layer.sampled.grad, "net": training.net[0].weight.grad}


def overflowed():
    training = Training(13)
    training.backward(0)
    share_overflow(training.layer)
    calm = bool(training.layer.sampled.grad.isfinite().all())
    if training.rank == training.world - 1:
        training.layer.sampled.grad[0, 0] = torch.nan
    share_overflow(training.layer)
    return {"calm": calm, "after": bool(training.layer.sampled.grad.isfinite().all())}


def errors():
    """What each bad input says; rank 1's is bad, rank 0's is good."""
    training = Training(13)
    bad = training.rank == 1 or training.world == 1
    layer, e = training.layer, torch.randn(3, DIM, dtype=torch.float64)
    good, said = torch.tensor([1, 2, 3]), {}
    cases = {
        "high": lambda: layer(e, torch.tensor([1, 2, 13 if bad else 3])),
        "unknown": lambda: layer(e, torch.tensor([1, 2, -1 if bad else 3])),
        "dim": lambda: layer(e[:, :5] if bad else e, good),
        "rows": lambda: layer(e, good[:2] if bad else good),
        "empty": lambda: layer(e[:0], good[:0]) if bad else layer(e, good),
        "whole": lambda: layer(e.long() if bad else e, good),
        "float": lambda: layer(e, good.float() if bad else good),
    }
    if training.world == 2:
        cases["batch"] = lambda: layer(e[:2], good[:2]) if bad else layer(e, good)
        cases["step"] = lambda: layer(e, good, 1 if bad else 2)
        cases["remove"] = lambda: layer.remove_identities([2 if bad else 3])
        cases["add"] = lambda: layer.add_identities(2 if bad else 3)
    for name, case in cases.items():
        try:
            case()
            said[name] = ""
        except VnvisionError as exc:
            said[name] = f"{type(exc).__name__}: {exc}"
    said["afterwards"] = float(layer(e, good).detach())
    return said


def late_errors():
    """Bad batches on rank 1 where facts are read a batch late, as on a GPU: losses and what is said."""
    training, said, step = Training(13), {}, 0
    layer = training.layer
    layer.batches.deferred = True
    x, good = torch.randn(4, INPUTS, dtype=torch.float64), torch.tensor([1, 2, 3, 4])

    def run(rows=slice(0, 3), change=None, at=None):
        e, target = training.model(x[rows]), good[rows]
        if change is not None and training.rank == 1:
            e, target = change(e, target)
        try:
            loss = layer(e, target, step if at is None else at[training.rank])
        except VnvisionError as exc:
            return f"{type(exc).__name__}: {exc}"
        training.optimiser.zero_grad()
        loss.backward()
        training.optimiser.step()
        return loss.item()

    cases = {
        "high": lambda e, t: (e, torch.tensor([1, 2, 13])),
        "unknown": lambda e, t: (e, torch.tensor([1, 2, -1])),
        "dim": lambda e, t: (e[:, :5], t),
        "rows": lambda e, t: (e, t[:2]),
        "float": lambda e, t: (e, t.float()),
        "empty": lambda e, t: (e[:0], t[:0]),
        "batch": lambda e, t: (e[:2], t[:2]),
    }
    said["first"] = run()
    for step, (name, change) in enumerate(cases.items(), 1):  # noqa: B007
        said[name] = [run(change=change), run(), run()]
    said["step"] = [run(at=(20, 21)), run(), run()]
    said["all smaller"] = [run(slice(0, 2)), run(slice(0, 2))]
    said["all others"] = [run(slice(0, 4 - 3 * training.rank)), run(slice(0, 2))]
    said["save"] = [run(slice(0, 2), lambda e, t: (e, t + 12))]
    try:
        layer.settle()
    except VnvisionError as exc:
        said["save"].append(str(exc))
    return {"said": said, "net": training.net.state_dict()}


def low_precision():
    training = Training(13, dtype=torch.float32)
    x, target = batch(0, 13, torch.float32)
    mine = slice(training.rank * BATCH // training.world, (training.rank + 1) * BATCH // training.world)
    exact = training.layer(training.model(x[mine]), target[mine])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embeddings = training.model(x[mine])
        rough = training.layer(embeddings, target[mine])
    rough.backward()
    return {
        "exact": exact.detach(),
        "rough": rough.detach(),
        "dtypes": [str(embeddings.dtype), str(rough.dtype), str(training.layer.sampled.grad.dtype)],
        "grad": training.layer.sampled.grad,
    }


def scenarios(folder):
    sampled = {"n_classes": 40, "sample_rate": 0.1}
    found = {
        "sgd": lambda: trained(optimiser="sgd"),
        "adamw": lambda: trained(optimiser="adamw"),
        "fused": lambda: trained(optimiser="fused", head="arcface"),
        "sgd32": lambda: trained(optimiser="sgd", dtype=torch.float32),
        "sampled_sgd": lambda: trained(optimiser="sgd", **sampled),
        "sampled_adamw": lambda: trained(optimiser="adamw", head="subcenter_arcface", **sampled),
        "sampled_fused": lambda: trained(optimiser="fused", **sampled),
        "filtered": lambda: trained(filter_cosine=0.1, steps=2),
        "changed": lambda: changed(optimiser="adamw"),
        "changed_sampled": lambda: changed(optimiser="sgd", sample_rate=0.3, head="subcenter_arcface"),
        "accumulated": lambda: accumulated(sample_rate=0.3),
        "clipped": clipped,
        "overflowed": overflowed,
        "errors": errors,
        "late_errors": late_errors,
        "low_precision": low_precision,
    }
    for head in HEADS:
        found[f"head_{head}"] = lambda head=head: one_step(head)
    for name, options in RESUMES.items():
        found[f"two_{name}"] = lambda name=name, o=options: saved_half_way(folder, f"two_{name}", **o)
        found[f"one_to_two_{name}"] = lambda name=name, o=options: resumed(folder, f"one_{name}", **o)
    return found


RESUMES = {
    "full": {"optimiser": "adamw", "head": "sphereface2"},
    "sampled": {"optimiser": "fused", "sample_rate": 0.3, "head": "curricularface"},
    "momentum": {"optimiser": "sgd", "sample_rate": 0.3, "head": "subcenter_arcface"},
}


def main():
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=2)
    out = {}
    for name, scenario in scenarios(folder).items():
        print("scenario", name, file=sys.stderr)
        out[name] = scenario()
    torch.save(out, folder / f"rank{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
