"""Whose turn it is: contenders measured in alternation, so that drift of the machine hits all."""

from collections.abc import Collection, Iterator


def turns(rounds: int, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each name once a round, every other round backwards, with a phrase that says where it stands."""
    order = list(names)
    for number in range(rounds):
        for name in order if number % 2 == 0 else reversed(order):
            yield name, f"round {number + 1} of {rounds}: {name}"
