"""Every numeric form that ``strop export --recipes`` knows, by name."""

from collections.abc import Mapping

from strop.errors import InputError

from .precision import PRECISIONS, Precision
from .program.forms import PROGRAMS, ProgramForm
from .recipe import Recipe

Form = Precision | ProgramForm

FORMS: Mapping[str, Form] = {**PRECISIONS, **PROGRAMS}


def require_sparse_products(recipe: Recipe) -> None:
    """Raise ``InputError`` for 2:4 sparsity in a form in which nothing computes faster for it."""
    able = [name for name, one in PRECISIONS.items() if one.sparse24]
    if recipe.shape.sparse24 and recipe.precision not in able:
        raise InputError(
            f"--recipes {recipe}: TensorRT alone skips the zeros of sparse24, and not in"
            f" {recipe.precision}; join it with {' or '.join(able)}, or leave it out"
        )
