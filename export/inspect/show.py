"""A bundle and what was found of it, for a person in 80 columns or for a script."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from strop.tasks import TASKS

from ..bundle import Bundle, Manifest, Variant
from .engines import EngineFinding
from .findings import Findings

SIGNATURES = {
    "none": "none",
    "unchecked": "there is one; --public-key tells whether it is whose you trust",
    "valid": "made with the private half of --public-key",
    "wrong": "not made with the private half of --public-key",
}

OK, WRONG = Text("ok", style="green"), Text("wrong", style="bold red")


def as_json(bundle: Bundle, findings: Findings, engines: Sequence[EngineFinding]) -> str:
    """One object: the manifest as it is written, the findings, and the engines in the cache."""
    manifest = json.loads(bundle.manifest.to_json())
    fields = {"manifest": manifest, "findings": asdict(findings), "engines": list(map(asdict, engines))}
    return json.dumps(fields, ensure_ascii=False, default=str) + "\n"


def show(bundle: Bundle, findings: Findings, engines: Sequence[EngineFinding], console: Console) -> None:
    """Print it all."""
    manifest = bundle.manifest
    console.print(f"{manifest.name} {manifest.version}", style="bold")
    console.print(_facts(_summary(manifest) | {"signature": SIGNATURES[findings.signature]}))
    console.print(_variants(manifest))
    if sparse := {one.name: one.sparsity for one in manifest.variants if one.sparsity}:
        console.print("\nsparsity", style="bold")
        console.print(_facts(sparse))
    if findings.elsewhere:
        console.print("\nnot here on what it was made for", style="bold")
        console.print(_facts(findings.elsewhere))
    if engines:
        console.print("\nTensorRT engines in the cache", style="bold")
        console.print(_engines(engines))
    console.print("\nwhere it comes from", style="bold")
    console.print(_facts(manifest.provenance))
    if findings.verified:
        console.print("\nverified on this machine", style="bold")
        console.print(_verified(manifest, findings))


def _summary(manifest: Manifest) -> dict[str, Any]:
    size = sum(entry.bytes for entry in manifest.files.values()) / 1e6
    return {
        "task": f"{manifest.task}, pooling {manifest.pooling}" if manifest.pooling else manifest.task,
        "labels": manifest.labels,
        "limits": f"{manifest.max_tokens} tokens a text; the rest of a longer one is cut off",
        "default": manifest.default_variant,
        "files": f"{len(manifest.files)}, {size:.1f} MB",
    }


def _facts(facts: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), _phrase(value))
    return table


def _phrase(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {part}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _variants(manifest: Manifest) -> Table:
    metric = TASKS[manifest.task].metrics[0]
    table = Table(
        *("variant", "MB", metric, "of fp32", "agree", "tokens/s", "provider", "layout"),
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        caption="agree: share of answers like fp32's; tokens/s: one thread, on the host below",
        caption_justify="left",
    )
    for column in table.columns[1:6]:
        column.justify = "right"
    for variant in manifest.variants:
        table.add_row(*_row(variant, metric))
    return table


def _row(variant: Variant, metric: str) -> tuple[str, ...]:
    return (
        variant.name,
        f"{variant.bytes / 1e6:.1f}",
        f"{variant.metrics[metric]:.4f}",
        f"{variant.share_of_reference:.2%}",
        f"{variant.metrics['agreement']:.2%}",
        f"{variant.tokens_per_second:,.0f}",
        variant.provider.removesuffix("ExecutionProvider"),
        variant.layout.kind,
    )


def _engines(engines: Sequence[EngineFinding]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in engines:
        engine, key = finding.engine, finding.engine.key
        card = f"compute capability {key.compute_capability}" + (f" ({engine.card})" if engine.card else "")
        table.add_row(
            Text("not here" if finding.fault else "usable", style="yellow" if finding.fault else "green"),
            f"{key.variant} for {card}, {key.library} {key.version} for CUDA {key.cuda};"
            f" {engine.entry.bytes / 1e6:.1f} MB, built in {engine.seconds:.1f} s; rows x tokens"
            f" {', '.join(map(str, key.profiles))}"
            + ("; may skip 2:4 sparse weights" if key.sparse else "")
            + (f"; {finding.fault}" if finding.fault else ""),
        )
    return table


def _verified(manifest: Manifest, findings: Findings) -> Table:
    table = Table.grid(padding=(0, 2))
    if not findings.files:
        count = len(manifest.files)
        table.add_row(OK, "files", f"{count} of {count} as the manifest says, and no other")
    for name, fault in findings.files.items():
        table.add_row(WRONG, name, fault)
    for check in findings.golden:
        table.add_row(WRONG if check.fault else OK, f"{check.variant} golden", str(check))
    return table
