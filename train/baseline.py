"""What a model must beat to be worth its cost: the majority class, and TF-IDF with a linear model."""

from collections import Counter
from collections.abc import Sequence

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from .examples import Example
from .scores import headline

MAJORITY = "majority class"
TFIDF = "TF-IDF + logistic regression"
FEW = 1000


def score_baselines(
    train: Sequence[Example], held_out: Sequence[Example], labels: Sequence[str]
) -> dict[str, dict[str, float]]:
    """``accuracy`` and ``macro_f1`` of both on ``held_out``, having learnt from ``train``."""
    number = {label: index for index, label in enumerate(labels)}
    learnt = [number[example.label] for example in train]
    truth = [number[example.label] for example in held_out]
    ((majority, _),) = Counter(learnt).most_common(1)
    terms = TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        # In few texts hardly a term comes twice.
        min_df=1 if len(train) < FEW else 2,
        # Words and signs, so that no text is empty, whatever its script.
        token_pattern=r"\w+|[^\w\s]",  # noqa: S106
    )
    linear = make_pipeline(terms, LogisticRegression(max_iter=2000, C=4))
    linear.fit([example.text for example in train], learnt)
    predicted = linear.predict([example.text for example in held_out]).tolist()
    return {
        MAJORITY: headline(truth, [majority] * len(truth)),
        TFIDF: headline(truth, predicted),
    }
