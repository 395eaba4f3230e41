"""MODEL_CARD.md: what a model is for, how good it is, where from, and what nobody knows yet.

Follows the headings of Mitchell et al. 2019, "Model Cards for Model Reporting", shortened; Vietnamese first,
then English.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vnvision.export.card_facts import (
    data_lines,
    preprocess_lines,
    provenance_lines,
)
from vnvision.export.card_results import divided, headline, label_names, result_blocks
from vnvision.export.card_sections import CardSections, cost_lines, look_lines
from vnvision.export.card_targets import calibration_lines, first_target, is_dense, target_blocks
from vnvision.export.card_text import TEXT
from vnvision.export.markdown import bullets, plain, table
from vnvision.export.result import GateResult
from vnvision.hub.cards import Card
from vnvision.records import BundleManifest, EvalReport
from vnvision.report.phrases import Language


def model_card(
    manifest: BundleManifest,
    report: EvalReport | None,
    results: Mapping[str, GateResult],
    sizes_bytes: Mapping[str, int],
) -> str:
    """The card as Markdown. Every text that came from outside is escaped.

    Args:
        manifest: of the bundle; its file hashes are not used.
        report: the evaluation, if there was one.
        results: the parity gate's figures, by target.
        sizes_bytes: size of each target's files.
    """
    parts = [f"# {plain(manifest.name)}"]
    for language in TEXT:
        parts += _Card(manifest, report, results, sizes_bytes, language).sections()
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class _Card:
    """One language's half of the card."""

    manifest: BundleManifest
    report: EvalReport | None
    results: Mapping[str, GateResult]
    sizes: Mapping[str, int]
    language: Language

    @property
    def text(self) -> Mapping[str, str]:
        """This language's words."""
        return TEXT[self.language]

    @property
    def own(self) -> CardSections | None:
        """What the model's own card says; None for a model without one."""
        told = self.manifest.provenance.get("card")
        return None if told is None else CardSections(Card.model_validate(told), self.language)

    def sections(self) -> list[str]:
        """Every section, heading included, in order; empty ones are left out."""
        own, told = self.own, self.manifest.provenance
        banners = [*own.banners()] if own else []
        banners += [self.text["synthetic"]] if self.manifest.synthetic else []
        clinic = "clinic" in (told.get("domain"), own.card.domain if own else None)
        banners += [self.text["clinic"]] if clinic else []
        named = self._first_part(own) | {"task": self._task(), "results": self._results()}
        named |= {name: own.part(name) for name in ("shortcuts", "field", "never_seen") if own}
        named |= {
            "learned_from": own.data() if own else [],
            "data": self._data(),
            "looks_title": [bullets(look_lines(told, self.language))] if own else [],
            "calibration": [bullets(calibration_lines(self.manifest, self.language))],
            "limits": [bullets(self._limits())],
            "use": self._use(),
            "sources": own.sources() if own else [],
            "cost": [bullets(cost_lines(self.manifest, self.language))],
            "preprocess": [bullets(self._preprocess())],
            "targets": target_blocks(self.manifest, self.results, self.sizes, self.language),
            "licences": [bullets(self._licences())],
            "provenance": [bullets(provenance_lines(told, self.language))],
        }
        parts = [f"## {self.text['language']}", *(f"> {banner}" for banner in banners)]
        parts += [own.title(), headline(self.report, own.card, self.language)] if own else []
        for key, body in named.items():
            blocks = [block for block in body if block]
            parts += [f"### {self.text[key]}", *blocks] if blocks else []
        return [part for part in parts if part]

    def _first_part(self, own: CardSections | None) -> dict[str, list[str]]:
        """What a reader needs before anything else."""
        if own:
            return {key: own.part(key) for key in ("purpose", "users", "not_for", "out_of_scope", "not_sure")}
        purpose = self.manifest.provenance.get("purpose")
        return {"purpose": [plain(purpose, 2000) if purpose else self.text["no_purpose"]]}

    def _task(self) -> list[str]:
        task = self.manifest.task
        words = self.text[task.kind].format(dim=task.embedding_dim)
        rows = [
            (str(i), plain(label.id), plain(label.vi or "–"), plain(label.en or "–"))
            for i, label in enumerate(task.labels)
        ]
        return [words, table(self.text["labels"], rows)] if rows else [words]

    def _results(self) -> list[str]:
        credited = self.own is not None
        return [*result_blocks(self.manifest.task, self.report, self.language, credited=credited)]

    def _data(self) -> list[str]:
        if self.report is None:
            return [self.text["no_data"]]
        names = label_names(self.manifest.task, self.report, self.language)
        return [bullets(data_lines(self.report.data, self.language, names, credited=self.own is not None))]

    def _preprocess(self) -> Iterator[str]:
        yield from preprocess_lines(self.manifest.task.preprocess, self.language)
        inside = {key: record.converter_took for key, record in self.manifest.targets.items()}
        for key, steps in inside.items():
            if steps:
                yield self.text["inside"].format(target=plain(key), steps=", ".join(steps))
        if not any(inside.values()):
            yield self.text["outside"]

    def _licences(self) -> Iterator[str]:
        licences = self.manifest.licences
        data = ", ".join(plain(text) for text in licences.training_data) or self.text["unknown"]
        yield self.text["code"].format(text=plain(licences.code))
        yield self.text["weights"].format(text=plain(licences.weights))
        yield self.text["training_data"].format(text=data)

    def _limits(self) -> Iterator[str]:
        yield self.text["limit_elsewhere"]
        if "region" not in divided(self.report):
            yield self.text["limit_regions"]
        calibration = first_target(self.manifest).calibration
        if calibration.scope_file is None:
            yield self.text["limit_abstain"]
        if calibration.n == 0 and not is_dense(self.manifest):
            yield self.text["limit_calibration"]
        yield self.text["limit_devices"]
        if all(record.judged is None for record in self.manifest.targets.values()):
            yield self.text["limit_precision"]

    def _use(self) -> list[str]:
        name = (self.own.card.call or self.own.card.name) if self.own else "BUNDLE"
        return [
            f"```sh\nvnvision predict {name} image.jpg --language {self.language}\n```",
            f'```python\nimport vnvision as vv\n\nvv.load_bundle("{name}").predict("image.jpg")\n```',
        ]
