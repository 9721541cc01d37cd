"""How well an answer agrees with the true ones: the scores of SQuAD.

Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016, and of
questions without an answer "Know What You Don't Know", ACL 2018.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_scores(answer: str, truths: Sequence[str]) -> tuple[float, float]:
    """F1 and exact match of an answer, each the best over the true ones, by SQuAD's rules.

    Texts are compared in lower case, without punctuation and articles, word by word. No answer is the
    empty text, and where no true answer has a word, none is right.
    """
    given = _words(answer)
    known = [words for truth in truths if (words := _words(truth))] or [[]]
    return max(_f1(given, words) for words in known), float(given in known)


def _words(text: str) -> list[str]:
    """The words of an answer that SQuAD compares."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def _f1(given: Sequence[str], true: Sequence[str]) -> float:
    if not given or not true:
        return float(given == true)
    return 2 * (Counter(given) & Counter(true)).total() / (len(given) + len(true))
