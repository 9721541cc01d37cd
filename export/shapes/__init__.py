"""Shapes: a model cut to really smaller matrices by importance on data, then taught by the whole one."""

from .cutting import cut, require_smaller
from .importance import Importance, measure_importance
from .sparsity import encoder_linears, held_sparse, sparse_masks
from .teaching import Lesson, teach
from .vocabulary import trim_vocabulary

__all__ = [
    "Importance",
    "Lesson",
    "cut",
    "encoder_linears",
    "held_sparse",
    "measure_importance",
    "require_smaller",
    "sparse_masks",
    "teach",
    "trim_vocabulary",
]
