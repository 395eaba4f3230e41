"""``vnvision face kit OUT --engine ncnn``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from vnvision.cli.face import DEFAULT, AsJson, Population, Wanted

app = typer.Typer()


@app.command("kit")
def kit(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="folder to write")],
    engine: Annotated[str, typer.Option(help="onnxruntime, openvino, ncnn or mnn")] = "onnxruntime",
    embedder: Annotated[Path | None, typer.Option(help="embedding bundle; default: SFace")] = None,
    threshold: Wanted = DEFAULT,
    population: Population = None,
    picture: Annotated[
        list[Path] | None,
        typer.Option(help="a further golden picture; it travels in the kit; may be repeated"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="replace a face kit that is there")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a folder that finds, aligns and compares faces without vnvision: numpy, OpenCV and one engine.

    It is proven equal to vnvision's own chain before it is there.
    """
    from vnvision.export.face_kit import write_face_kit

    folder = write_face_kit(
        out,
        engine=cast(Any, engine),
        embedder=embedder,
        threshold=threshold,
        population=population,
        pictures=picture or (),
        overwrite=overwrite,
    )
    about = json.loads((folder / "manifest.json").read_text("utf-8"))
    chosen = about["thresholds"]["chosen"]
    if as_json:
        print(json.dumps({"kit": str(folder), "engine": about["engine"], "threshold": chosen}))
        return
    names = [name for part in ("detector", "embedder") for name in about[part]["files"]]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    source = f" ({chosen['target']} for {chosen['population']})" if chosen["target"] else ""
    print(f"face kit  {folder}  {size / 2**20:.1f} MiB")
    print(f"  engine    {about['engine']}: {', '.join(names)}")
    print(f"  threshold {chosen['value']:.4f}{source}")
    print(
        "  proven here; on the board: python self_test.py | đã kiểm chứng; trên thiết bị: python self_test.py"
    )
