"""The label that an output gives a text, and how sure it is."""

import numpy as np
import pytest

from strop.tasks import TASKS, Example


def test_the_likeliest_class_is_as_sure_as_its_probability():
    output = np.array([0.2, 0.7, 0.1], dtype=np.float32)
    guess = TASKS["text-classification"].guess(Example("a", None), output, (), ("x", "y", "z"))
    assert guess == ("y", pytest.approx(0.7))


def test_many_labels_are_as_sure_as_the_nearest_to_the_threshold():
    output = np.array([0.95, 0.02, 0.6], dtype=np.float32)
    guess = TASKS["multi-label-classification"].guess(Example("a", None), output, (), ("z", "y", "x"))
    assert guess == (("x", "z"), pytest.approx(0.6))


def test_every_word_has_the_tag_of_its_first_token_and_the_least_sure_one_counts():
    task, labels = TASKS["token-classification"], ("O", "B-PER", "I-PER")
    offsets = [(0, 0), (0, 2), (2, 4), (5, 9), (0, 0)]
    output = np.full((5, 3), 0.01, dtype=np.float32)
    output[[0, 1, 2, 3, 4], [0, 2, 0, 2, 0]] = [0.1, 0.9, 0.2, 0.8, 0.1]
    example = Example("John Hill", None)
    assert task.guess(example, output, offsets, labels) == (("B-PER", "I-PER"), pytest.approx(0.8))
    cut = task.guess(Example("John Hill said", None), output, offsets, labels)
    assert cut == (("B-PER", "I-PER", "O"), 0)


def test_a_number_has_no_probability():
    confident = {name for name, task in TASKS.items() if task.confident}
    assert confident == {"text-classification", "multi-label-classification", "token-classification"}
    with pytest.raises(NotImplementedError):
        TASKS["regression"].guess(Example("a", None), np.zeros(1, dtype=np.float32), (), ("score",))
