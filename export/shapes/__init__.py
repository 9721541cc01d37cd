"""Shapes: a model cut to really smaller matrices by importance on data, then taught by the whole one."""

from .cutting import cut
from .importance import Importance, measure_importance
from .teaching import Lesson, teach
from .vocabulary import trim_vocabulary

__all__ = ["Importance", "Lesson", "cut", "measure_importance", "teach", "trim_vocabulary"]
