"""Answers and what callers say was right, in one file of a bounded size.

``strop serve`` writes it, several processes at once, and ``strop data from-feedback`` reads it.
"""

from .records import Answered, AnsweredBy, Correction, Stored
from .store import FeedbackStore

__all__ = ["Answered", "AnsweredBy", "Correction", "FeedbackStore", "Stored"]
