"""What a ``.pt2`` archive of ``torch.export`` says, read without running any of it.

``torch.export.load`` is not safe for files of others (torch 2.15): it unpickles, without ``weights_only``,
whatever weight, constant or sample input the archive says is a pickle, evaluates size formulas with sympy,
and runs guards given as Python code. So it is never called here. The archive is a plain zip with the graph
as JSON (schema 8) and the weights as raw bytes; these are read, and what else lies in it is not opened.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.engines import base
from vnvision.engines.pt2_program import Program, Ref, Special, Step, Weight
from vnvision.errors import ModelError

EXTRA = "vnvision.json"
SCHEMA = 8
_DTYPES = {1: np.uint8, 2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64, 6: np.float16, 7: np.float32,
           8: np.float64, 12: np.bool_}  # fmt: skip
_FLOAT32 = 7
_BROKEN = (
    zipfile.BadZipFile, OSError, EOFError, KeyError, IndexError, TypeError, ValueError, AttributeError,
    RecursionError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""What zip, JSON and a walk through either raise on other bytes."""

_PLAIN = {"as_none", "as_int", "as_ints", "as_float", "as_floats", "as_string", "as_bool", "as_bools"}
_NAMED = {"as_tensor", "as_sym_int", "as_sym_float", "as_sym_bool", "as_optional_tensor"}
_LISTS = {"as_tensors", "as_sym_ints", "as_optional_tensors"}
_KINDS = {"as_scalar_type", "as_memory_format", "as_layout", "as_device"}


def read_program(path: Path) -> Program:
    """Read an archive.

    Raises:
        ModelError: damaged, of another schema, with pickled content, or not one network.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Archive(archive).program()
    except ModelError as exc:
        raise ModelError(f"model file {path} cannot be used", got=exc.problem, fix=exc.fix) from exc
    except _BROKEN as exc:
        raise base.damaged(path, "torch", f"{type(exc).__name__}: {exc}") from exc


class _Archive:
    """An open archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        if any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist()):
            raise ModelError("compressed entries, which torch.export does not write")
        self._names = set(archive.namelist())
        self._root = archive.namelist()[0].partition("/")[0]

    def program(self) -> Program:
        whole = self._json("models/model.json")
        if whole["schema_version"]["major"] != SCHEMA:
            raise ModelError(f"schema {whole['schema_version']['major']}", fix=f"export to schema {SCHEMA}")
        module = whole["graph_module"]
        graph, signature = module["graph"], module["signature"]
        weights, entries = self._inputs(signature["input_specs"])
        outputs = [spec["user_output"]["arg"]["as_tensor"]["name"] for spec in signature["output_specs"]]
        found = [_shape(graph["tensor_values"][name]) for name in entries]
        return Program(
            entries[0] if entries else "",
            tuple(found),
            weights,
            tuple(_step(node) for node in graph["nodes"]),
            tuple(outputs),
            self._output_names(len(outputs)),
        )

    def _inputs(self, specs: list[dict[str, Any]]) -> tuple[dict[str, Weight], list[str]]:
        stored = self._tensors("data/weights/", "model_weights_config.json")
        constants = self._tensors("data/constants/", "model_constants_config.json")
        weights, entries = {}, []
        for spec in specs:
            ((kind, item),) = spec.items()
            if kind == "user_input":
                entries.append(item["arg"]["as_tensor"]["name"])
            elif kind == "parameter":
                weights[item["arg"]["name"]] = stored[item["parameter_name"]]
            elif kind == "buffer":
                name = item["buffer_name"]
                weights[item["arg"]["name"]] = stored[name] if item["persistent"] else constants[name]
            elif kind == "tensor_constant":
                weights[item["arg"]["name"]] = constants[item["tensor_constant_name"]]
            else:
                raise ModelError(f"an input of kind {kind}")
        return weights, entries

    def _tensors(self, folder: str, config: str) -> dict[str, Weight]:
        records: dict[str, np.ndarray] = {}
        found = {}
        for name, item in self._json(folder + config)["config"].items():
            if item["use_pickle"] is not False:
                raise ModelError(
                    f"{name} is pickled, and pickles can run code", fix="export it with plain tensors"
                )
            meta, record = item["tensor_meta"], item["path_name"]
            dtype = _DTYPES[meta["dtype"]]
            if record not in records:
                records[record] = np.frombuffer(self._read(folder + record), dtype)
            sizes, strides = ([size["as_int"] for size in meta[key]] for key in ("sizes", "strides"))
            offset = meta["storage_offset"]["as_int"]
            last = offset + sum((size - 1) * step for size, step in zip(sizes, strides, strict=True))
            if records[record].dtype != dtype or min([offset, *sizes, *strides]) < 0 or (
                all(sizes) and last >= records[record].size
            ):  # fmt: skip
                raise ModelError(f"{name} reaches beyond its data")
            found[name] = Weight(records[record], tuple(sizes), tuple(strides), offset)
        return found

    def _output_names(self, count: int) -> tuple[str, ...]:
        if f"{self._root}/extra/{EXTRA}" not in self._names:
            return tuple(f"output_{index}" for index in range(count)) if count > 1 else ("output",)
        names = self._json(f"extra/{EXTRA}")["output_names"]
        if len(names) != count or not all(isinstance(name, str) for name in names):
            raise ModelError(f"{count} outputs under the names {names}")
        return tuple(names)

    def _read(self, name: str) -> bytes:
        return self._archive.read(f"{self._root}/{name}")

    def _json(self, name: str) -> Any:
        return json.loads(self._read(name))


def _shape(meta: dict[str, Any]) -> tuple[base.Shape, bool]:
    return tuple(size.get("as_int") for size in meta["sizes"]), meta["dtype"] == _FLOAT32


def _step(node: dict[str, Any]) -> Step:
    args: list[Any] = []
    options = {}
    for item in node["inputs"]:
        value = _argument(item["arg"])
        if item.get("kind") == 2:
            options[item["name"]] = value
        else:
            args.append(value)
    outputs, many = [], len(node["outputs"]) > 1
    for item in node["outputs"]:
        ((kind, value),) = item.items()
        if kind in _LISTS:
            many = True
            outputs += [part["name"] for part in value]
        else:
            outputs.append(value["name"] if kind == "as_tensor" else value["as_name"])
    return Step(node["target"], tuple(args), options, tuple(outputs), many)


def _argument(arg: dict[str, Any]) -> Any:
    ((kind, value),) = arg.items()
    if kind in _PLAIN:
        return None if kind == "as_none" else value
    if kind in _NAMED:
        return _named(value)
    if kind in _LISTS:
        return [_named(item) for item in value]
    if kind in _KINDS:
        return Special(kind, value)
    raise ModelError(f"an argument of kind {kind}")


def _named(value: dict[str, Any]) -> Any:
    if "name" in value:
        return Ref(value["name"])
    ((kind, inner),) = value.items()
    if kind == "as_tensor":
        return Ref(inner["name"])
    if kind == "as_name":
        return Ref(inner)
    return None if kind == "as_none" else inner
