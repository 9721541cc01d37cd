"""What a model or an exporter can't be asked for, refused before any work is spent on it."""

from collections.abc import Mapping, Sequence

from strop.errors import InputError

from .config import ExportConfig
from .forms import Form
from .program.forms import ProgramForm
from .program.write import require_varlen
from .recipe import Recipe
from .shapes import require_smaller
from .source import Source


def refuse_cuts(config: ExportConfig, recipes: Sequence[Recipe]) -> None:
    """Raise ``InputError`` for what transformers can't load from a folder, as optimum does."""
    for recipe in recipes:
        if recipe.shape.vocab or recipe.shape.sizes.keys() - {"layers"}:
            raise InputError(
                f"--recipes {recipe}: --exporter optimum can have layers cut and nothing else; leave out"
                " the other cuts or the exporter"
            )
    if config.search:
        raise InputError("--search cuts what --exporter optimum can't take; leave out one of them")


def refuse_uncuttable(config: ExportConfig, source: Source, recipes: Sequence[Recipe]) -> None:
    """Raise ``InputError`` for cuts of a model that can't be cut, or not as far."""
    if source.task.cuttable:
        for recipe in recipes:
            require_smaller(source.model, recipe.shape)
        return
    why = (
        f"{source.task.name} can't be cut: its last layer is its embeddings, and what parts are worth is"
        " measured, and taught, text by text"
    )
    for recipe in recipes:
        if not recipe.shape.whole:
            raise InputError(f"--recipes {recipe}: {why}; leave out {recipe.shape}")
    if config.search:
        raise InputError(f"--search: {why}; name --recipes without cuts")


def refuse_unattended(
    config: ExportConfig, source: Source, recipes: Sequence[Recipe], forms: Mapping[str, Form]
) -> None:
    """Raise ``InputError`` for programs of a model whose attention can't be theirs."""
    if config.exporter == "torch-export":
        require_varlen(source.model, "--exporter torch-export")
    for recipe in recipes:
        if isinstance(forms.get(recipe.precision), ProgramForm):
            require_varlen(source.model, f"--recipes {recipe}")
