"""Face protocols inside a run: embedded and compared at every validation; one may choose the best."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vnvision.data.manifest import Manifest, read_manifest
from vnvision.data.records.bin_sets import read_bin
from vnvision.data.records.images import ImageFiles, Images, as_rgb8
from vnvision.data.select import select_rows
from vnvision.errors import DataError
from vnvision.imaging import Preprocessor, read
from vnvision.metrics.comparisons import tar_at_fmr
from vnvision.metrics.verification import eer, fold_accuracy
from vnvision.models import StagedNet
from vnvision.tasks.embedding import compared, embedded, face_figures
from vnvision.train.config import TrainConfig
from vnvision.train.data import lookup
from vnvision.train.embedding_config import ProtocolConfig
from vnvision.train.inputs import to_device
from vnvision.train.packed import images_of
from vnvision.train.state import Run

_BATCH = 64
_BIN_FOLDS = 10


def protocol_figures(config: TrainConfig) -> tuple[str, ...]:
    """The figures of a run's protocols that get a column in ``log.csv``."""
    protocols = () if config.embedding is None else config.embedding.protocols
    return tuple(
        f"{one.name}_{figure}"
        for one in protocols
        for figure in (("accuracy", "tar", "eer") if is_bin(one) else ("tar", "eer"))
    )


def is_bin(protocol: ProtocolConfig) -> bool:
    """Whether it is a ``.bin`` set of pairs, judged by accuracy over folds, not a manifest of people."""
    return protocol.data.endswith(".bin")


@dataclass(frozen=True, slots=True)
class Faces:
    """A protocol's pictures in memory, (N, h, w, 3) uint8, and what is known of them."""

    protocol: ProtocolConfig
    crops: np.ndarray
    columns: dict[str, tuple[str, ...]]
    same: np.ndarray | None = None


class Protocols:
    """All protocols of a run, read once.

    Raises:
        DataError: a manifest, a row or a picture is wrong.
    """

    def __init__(self, run: Run) -> None:
        config = run.config.embedding
        self.run, self.config = run, config
        wanted = () if config is None else config.protocols
        self.faces = (
            [load_protocol(one, run.preprocessor, config.identity) for one in wanted] if config else []
        )

    def figures(self, net: StagedNet) -> dict[str, float]:
        """``<protocol>_tar``, ``_eer``, and FMR and FNMR a group; ``_accuracy`` of a ``.bin`` set.

        Every process embeds everything: these sets are small, and all must agree on the best checkpoint.
        """
        found: dict[str, float] = {}
        for faces in self.faces:
            figures = self._judge(faces, embed(self.run, net, faces.crops))
            found |= {f"{faces.protocol.name}_{key}": value for key, value in figures.items()}
        if self.config is not None and self.config.best_by is not None:
            found |= {name: found[f"{self.config.best_by}_{name}"] for name in ("tar", "eer")}
        return found

    def _judge(self, faces: Faces, embeddings: np.ndarray) -> dict[str, float]:
        if faces.same is not None:
            return pair_figures(embeddings, faces.same, faces.protocol.fmr)
        protocol = faces.protocol
        report = compared(
            embedded(embeddings, faces.columns),
            fmr=protocol.fmr,
            identity="" if self.config is None else self.config.identity,
            group=protocol.group,
            within=protocol.within,
        )
        return face_figures(report)


@torch.no_grad()
def embed(run: Run, net: StagedNet, crops: np.ndarray) -> np.ndarray:
    """Crops (N, h, w, 3) -> (N, D), as deployed: the mean with the mirrored face where so configured."""
    views = [slice(None), slice(None, None, -1)] if run.spec.preprocess.flip_average else [slice(None)]
    net.eval()
    out = [np.empty((0, run.task.n_outputs), np.float32)]
    for at in range(0, len(crops), _BATCH):
        seen = [_forward(run, net, crops[at : at + _BATCH][:, :, view]) for view in views]
        out.append(np.mean(seen, axis=0))
    return np.concatenate(out)


def _forward(run: Run, net: StagedNet, crops: np.ndarray) -> np.ndarray:
    pictures = np.ascontiguousarray(crops)
    if run.device.type == "cpu":
        pictures = lookup(pictures, run.preprocessor.table)
    with run.fabric.autocast():
        inputs = net.frozen(to_device(run, torch.from_numpy(pictures)))
        found: np.ndarray = net(inputs).float().cpu().numpy()
    return found


def read_crops(manifest: Manifest, preprocessor: Preprocessor) -> np.ndarray:
    """(N, h, w, 3) uint8, every picture of a manifest or a packed set at the size the network takes."""
    found = images_of(manifest)
    images = found if isinstance(found, Images) else ImageFiles(found)
    crops = np.empty((len(images), *preprocessor.spec.size_px, 3), np.uint8)
    for index in range(len(images)):
        crops[index] = preprocessor.geometry(as_rgb8(images.image(index)))
    return crops


def pair_figures(embeddings: np.ndarray, same: np.ndarray, fmr: float) -> dict[str, float]:
    """Of pairs (2 i, 2 i + 1): accuracy over folds, TAR at the smallest threshold whose FMR is at most
    ``fmr``, and EER; TAR 0 and EER 1 where all pairs are of one kind.
    """
    found = {"accuracy": bin_accuracy(embeddings, same), "tar": 0.0, "eer": 1.0}
    if same.any() and not same.all():
        scores = _pair_scores(embeddings)
        tar = tar_at_fmr(scores[same], scores[~same], fmr).tar.value
        found |= {"tar": 0.0 if tar is None else tar, "eer": eer(scores[same], scores[~same]).rate}
    return found


def _pair_scores(embeddings: np.ndarray) -> np.ndarray:
    """(N / 2,) cosine of the pictures 2 i and 2 i + 1."""
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.maximum(norms, np.finfo(np.float32).tiny)
    return np.asarray((unit[::2] * unit[1::2]).sum(axis=1))


def bin_accuracy(embeddings: np.ndarray, same: np.ndarray) -> float:
    """Accuracy of pairs (2 i, 2 i + 1) over ten folds in order, each at the threshold best on the others."""
    scores = _pair_scores(embeddings)
    folds = np.arange(len(same)) * min(_BIN_FOLDS, len(same)) // len(same)
    return fold_accuracy(scores, same, folds).accuracy


def load_protocol(protocol: ProtocolConfig, preprocessor: Preprocessor, identity: str) -> Faces:
    """Read a protocol's faces at the size the network takes.

    Raises:
        DataError: the set, a condition, or a picture is wrong.
    """
    if is_bin(protocol):
        found = read_bin(protocol.data)
        crops = [preprocessor.geometry(as_rgb8(read(image).image)) for image in found.images]
        return Faces(protocol, np.stack(crops), {}, np.array(found.same, dtype=bool))
    manifest = read_manifest(Path(protocol.data))
    if protocol.split is not None:
        manifest = manifest.split(protocol.split)
    where: dict[str, list[str]] = {}
    for condition in protocol.where:
        column, sign, value = condition.partition("=")
        if not sign:
            raise DataError(f"protocol {protocol.name}: a condition", expected="COLUMN=VALUE", got=condition)
        where.setdefault(column, []).append(value)
    if where:
        manifest = select_rows(manifest, where, mixed="split")
    wanted = [name for name in (identity, protocol.group, protocol.within) if name]
    columns = {name: tuple(row.extra.get(name, "").strip() for row in manifest.rows) for name in wanted}
    if not any(columns[identity]):
        raise DataError(
            f"protocol {protocol.name}: no row of {manifest.path} names a person",
            expected=f"a column {identity}",
        )
    return Faces(protocol, read_crops(manifest, preprocessor), columns)
