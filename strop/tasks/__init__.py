"""The tasks: what the labels, the head, the metric and the answer of each are. numpy alone.

A task is one file here; train, export, serve and bench ask it and know no task by name.
"""

from collections.abc import Mapping

from .causal_lm import CausalLM
from .masked_lm import MaskedLM
from .multi_label import MultiLabelClassification
from .question_answering import QuestionAnswering
from .regression import Regression
from .sentence_embedding import SentenceEmbedding
from .sentence_similarity import SentenceSimilarity
from .task import (
    IGNORED,
    Answers,
    Example,
    Floats,
    Label,
    LabelScores,
    Outputs,
    Pooling,
    Result,
    Span,
    Tally,
    Task,
    by_example,
    softmax,
)
from .text_classification import TextClassification
from .token_classification import Entity, TokenClassification

TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        TextClassification(),
        MultiLabelClassification(),
        Regression(),
        TokenClassification(),
        SentenceEmbedding(),
        SentenceSimilarity(),
        QuestionAnswering(),
        CausalLM(),
        MaskedLM(),
    )
}

__all__ = [
    "IGNORED",
    "TASKS",
    "Answers",
    "Entity",
    "Example",
    "Floats",
    "Label",
    "LabelScores",
    "Outputs",
    "Pooling",
    "Result",
    "Span",
    "Tally",
    "Task",
    "by_example",
    "softmax",
]
