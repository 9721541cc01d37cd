"""The calls by which models are asked, a file a call; ``query`` and ``bench`` know none by name."""

from collections.abc import Mapping

from .answer import Answer
from .call import Call
from .classify import Classify
from .embed import Embed
from .fill import Fill
from .score import Score
from .tag import Tag

CALLS: Mapping[str, type[Call]] = {call.name: call for call in (Classify, Score, Tag, Answer, Embed, Fill)}
"""By the name that strop.v1 has for them, and a task for the one that answers it."""

__all__ = ["CALLS", "Call"]
