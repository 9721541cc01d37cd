"""Every numeric form that ``strop export --recipes`` knows, by name."""

from collections.abc import Mapping

from .precision import PRECISIONS, Precision
from .program.forms import PROGRAMS, ProgramForm

Form = Precision | ProgramForm

FORMS: Mapping[str, Form] = {**PRECISIONS, **PROGRAMS}
