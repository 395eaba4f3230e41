"""From folders of photographs to a model that is used at once."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Literal

from vnvision.errors import ConfigError, MissingExtraError
from vnvision.imaging.isolated import IsolatedReader
from vnvision.runtime.publish import check_free, staged
from vnvision.teach.bar import Bar, Progress
from vnvision.teach.bundle import write_bundle
from vnvision.teach.head import one_thread
from vnvision.teach.learn import Asked, learn, portable
from vnvision.teach.look import READERS, Reader, look_at
from vnvision.teach.names import labels_of, model_name
from vnvision.teach.photos import found_in, listed
from vnvision.teach.records import Taught
from vnvision.teach.trunk import DEFAULT, open_trunk


def teach(
    photographs: str | Path | Mapping[str, Sequence[str | Path]],
    out: str | Path,
    *,
    name: str,
    trunk: str | Path = DEFAULT,
    domain: Literal["crop", "clinic"] = "crop",
    by_folder: bool = False,
    progress: Progress | None = None,
    reader: Reader | None = None,
    overwrite: bool = False,
    seed: int = 0,
    threads: int | None = None,
) -> Taught:
    """Teach an image classifier from 20 photographs a class or more, without torch and without a network.

    A frozen network describes each photograph and a logistic regression learns from the descriptions. The
    score is of photographs that it had not seen, near-duplicates kept together. Equal photographs, names and
    seed give equal bundles on one machine.

    Args:
        photographs: a folder with a folder for each class, or the files by class name.
        out: the bundle's folder. It appears whole or not at all, also where ``progress`` raises.
        name: of the model; a Vietnamese one is kept as the title, and ``Lá ớt`` is called ``la_ot``.
        trunk: the model whose network describes the photographs, by name or folder.
        domain: ``crop``, or ``clinic``: then no file name goes into the bundle.
        by_folder: photographs of one folder inside a class's folder are of one plant or patient.
        progress: called with (share done 0 to 1, stage, a key of ``STAGES``); raise from it to stop.
        reader: how a file becomes a sample; default: decoded apart, with limited memory and time.
        overwrite: replace a bundle that is there.
        seed: of folds and resamples.
        threads: how many threads one inference may use.

    Raises:
        TeachError: the photographs cannot teach a model; see ``vnvision.teach.faults`` for its kinds.
        DataError: there is no such folder.
        ConfigError: a name that no model can have, or an unknown domain.
        BundleError, ModelError: the trunk is damaged or unfit.
        ExportError: ``out`` is taken.
        MissingExtraError: scikit-learn or scipy is not installed.
    """
    start = time.monotonic()
    _check_packages()
    if domain not in ("crop", "clinic"):
        raise ConfigError("unknown domain", expected="crop or clinic", got=repr(domain))
    called, place = model_name(name), Path(out).absolute()
    check_free(place, overwrite=overwrite)
    classes = photographs if isinstance(photographs, Mapping) else found_in(photographs)
    labels = labels_of(classes)
    photos = listed(classes, by_folder=by_folder)
    tell = Bar(progress)
    with ExitStack() as stack:
        if reader is None:
            reader = stack.enter_context(IsolatedReader(workers=READERS)).read
        network = stack.enter_context(closing(open_trunk(trunk, threads=threads)))
        seen = look_at(photos, network, reader, tell.within("read", "groups"))
        asked = Asked(called, name, domain, by_folder, place, seed)
        with one_thread():
            taught, parts = learn(seen, photos, labels, network, tell, asked)
        tell("write")
        taught = taught.model_copy(update={"seconds": round(time.monotonic() - start, 2)})
        with staged(place, overwrite=overwrite) as folder:
            write_bundle(folder, parts, portable(taught, asked))
            tell("write")
        tell("done")
    return taught


def _check_packages() -> None:
    """Say what is missing before an hour of photographs is read."""
    for package, said in (("sklearn", "scikit-learn"), ("scipy", "scipy")):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(said, "eval")
