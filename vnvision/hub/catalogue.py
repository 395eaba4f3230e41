"""The catalogue of ready functions: what vnvision does in one call, and how well that was measured.

The rows are data (``functions.yaml``), read once and checked whole. A row counts only with an output of its
own, examples that run in the tests, and a measured figure; rows that still wait for theirs say so.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, model_validator

from vnvision.errors import ConfigError
from vnvision.hub.library import Language, OnceLoader, checked_language
from vnvision.spec import Record, explain

FUNCTIONS = Path(__file__).parent / "functions.yaml"
BEGIN, END = "<!-- functions -->", "<!-- /functions -->"
Group = Literal["faces", "crops", "clinic", "data"]
GROUPS: tuple[Group, ...] = get_args(Group)

Text = Annotated[str, Field(min_length=1)]
# Kept as printed, so that 0.950 stays 0.950 and can be looked up in BENCHMARKS.
Number = Annotated[str, Field(pattern=r"^[+-]?[\d.,]+(e-?\d+)?( -> [+-]?[\d.,]+)?$")]
# Point and comma change places: the comma marks decimals, the point thousands.
_VIETNAMESE = str.maketrans(".,", ",.")


class Both(Record):
    """One text in both languages."""

    vi: Text
    en: Text

    def text(self, language: str) -> str:
        """The text in one language."""
        return str(getattr(self, checked_language(language)))


class Figure(Record):
    """A measured figure with its 95 % interval, as ``training/BENCHMARKS.md`` prints it.

    Attributes:
        metric: what was measured.
        value, low, high: the figure and the ends of its interval.
        n: how many were measured.
        of: what they are.
        section: heading of BENCHMARKS under which it stands, with its command, commit and manifest.
    """

    metric: Both
    value: Number
    low: Number
    high: Number
    n: int = Field(ge=1)
    of: Both
    section: Text

    def text(self, language: Language) -> str:
        """``accuracy 0.950 [0.909, 0.977], 3,500 cells``; Vietnamese ``0,950 [0,909; 0,977], 3.500``."""
        told = [self.value, self.low, self.high, f"{self.n:,}"]
        if language == "vi":
            told = [number.translate(_VIETNAMESE) for number in told]
        value, low, high, n = told
        between = "; " if language == "vi" else ", "
        return f"{self.metric.text(language)} {value} [{low}{between}{high}], {n} {self.of.text(language)}"


class Function(Record):
    """One ready function.

    Attributes:
        id: its name in the catalogue.
        group: who it is for.
        name, what: a heading and one sentence.
        python: the call; ``import vnvision as vv`` goes before it.
        command: one line for a shell.
        input: the file, folder or word of both examples that bad input replaces in the tests.
        output: what comes back.
        needs: the extra to install; empty where the base install is enough.
        model: the model on the shelf that it runs; empty where it runs none.
        experimental: measured on too little to rely on.
        figure: how well it does; None until that is measured.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    group: Group
    name: Both
    what: Both
    python: Text
    command: str = Field(pattern=r"^vnvision [^\n]+$")
    input: Text
    output: Both
    needs: str = Field(default="", pattern=r"^[a-z0-9-]*$")
    model: str = Field(default="", pattern=r"^[a-z0-9_-]*$")
    experimental: bool = False
    figure: Figure | None = None

    @model_validator(mode="after")
    def _input_is_in_the_examples(self) -> Function:
        if self.input not in self.command:
            raise ValueError(f"input {self.input!r} is not in the command")
        return self


@cache
def functions() -> tuple[Function, ...]:
    """All functions, in the order of their groups and of the file."""
    return load_functions(FUNCTIONS)


def find(name: str) -> Function | None:
    """The function of an id; None where there is none."""
    return next((one for one in functions() if one.id == name), None)


@cache
def own_names() -> frozenset[str]:
    """Names that no model of a user's may have: those of functions, and of the models behind them."""
    return frozenset({one.id for one in functions()} | {one.model for one in functions()} - {""})


def checked_group(group: str | None) -> Group | None:
    """The group, if there is one of that name; None is all of them.

    Raises:
        ConfigError: there is none.
    """
    for known in GROUPS:
        if group == known:
            return known
    if group is not None:
        raise ConfigError("unknown group", expected=", ".join(GROUPS), got=group)
    return None


def load_functions(path: str | Path) -> tuple[Function, ...]:
    """Read and check a file of functions.

    Raises:
        ConfigError: listing every problem in one line.
    """
    try:
        data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=OnceLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigError(f"cannot read {path}", got=" ".join(str(exc).split())[:200]) from exc
    if not isinstance(data, list):
        raise ConfigError(f"{path} is no catalogue", expected="a list of functions", got=type(data).__name__)
    found: list[Function] = []
    problems: list[str] = []
    for number, entry in enumerate(data, 1):
        _parse(number, entry, found, problems)
    if problems:
        raise ConfigError(f"the catalogue {path} is wrong: {'; '.join(problems)}")
    return tuple(sorted(found, key=lambda one: GROUPS.index(one.group)))


def _parse(number: int, entry: Any, found: list[Function], problems: list[str]) -> None:
    name = entry.get("id", number) if isinstance(entry, dict) else number
    try:
        one = Function.model_validate(entry)
    except ValidationError as exc:
        problems.append(f"{name}: {explain(exc)}")
        return
    if any(one.id == other.id for other in found):
        problems.append(f"{one.id}: given twice")
    same = [other.id for other in found if other.command == one.command or other.python == one.python]
    if same:
        problems.append(f"{one.id}: the same call as {', '.join(same)}")
    found.append(one)


def markdown_table(language: Language = "en") -> str:
    """README's table of the functions, between its two markers."""
    said = {
        "en": ("function", "Python (`import vnvision as vv`)", "command", "extra", "measured"),
        "vi": ("chức năng", "Python (`import vnvision as vv`)", "lệnh", "cần cài", "kết quả đo"),
    }[checked_language(language)]
    lines = [BEGIN, f"| {' | '.join(said)} |", f"|{'---|' * len(said)}"]
    for one in functions():
        name = f"**{one.name.text(language)}**" + (" *" if one.experimental else "")
        figure = one.figure.text(language) if one.figure else ""
        code = "<br>".join(f"`{line}`" for line in one.python.strip().splitlines())
        cells = [name, code, f"`{one.command}`", f"`{one.needs}`" if one.needs else "", figure]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    starred = {"en": "\\* experimental", "vi": "\\* đang thử nghiệm"}[language]
    return "\n".join([*lines, "", starred, END])
