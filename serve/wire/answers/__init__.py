"""The typed calls, one a module: which texts a request asks about, and how the answer is written."""

from collections.abc import Mapping

from .answer import AnswerQuestion
from .call import AnyRequest, Call
from .classify import Classify
from .embed import Embed
from .fill import Fill
from .score import Score
from .tag import Tag

CALLS: Mapping[str, Call] = {
    call.name: call for call in (Classify(), Score(), Tag(), Embed(), AnswerQuestion(), Fill())
}

__all__ = ["CALLS", "AnyRequest", "Call", "Classify"]
