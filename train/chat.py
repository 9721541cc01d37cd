"""Conversations as text: as a tokenizer's chat template writes them, with the replies marked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerFast

from strop.errors import InputError
from strop.tasks import Span

PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ message['role'] + ': ' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
"""For a tokenizer that has none: ``user: …`` and ``assistant: …`` on lines of their own, a reply ending in
the end-of-text token. It is saved with the tokenizer, so that whoever generates writes prompts alike."""


class Chat(NamedTuple):
    """A conversation as the model reads it."""

    text: str
    replies: Sequence[Span]
    """What is to be learnt: each reply, with the token that ends it."""


def give_template(tokenizer: PreTrainedTokenizerFast) -> None:
    """Give a tokenizer ``PLAIN_TEMPLATE`` if it has none; ``InputError`` if it can't end a reply."""
    if tokenizer.chat_template is not None:
        return
    if tokenizer.eos_token is None:
        raise InputError(
            f"model {tokenizer.name_or_path} has neither a chat template nor an end-of-text token, so no"
            " reply would end; give its tokenizer an eos_token"
        )
    tokenizer.chat_template = PLAIN_TEMPLATE


def render(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Mapping[str, str]]) -> Chat:
    """Write a conversation that ends with a reply.

    A reply is what the template adds to the conversation before it, written as when one is asked for. Some
    templates write an earlier reply otherwise than the last one (without its reasoning): then only those
    are learnt that they write alike. Raises ``InputError`` for a conversation that the template refuses,
    and for a template that doesn't write the last reply after what asks for it.
    """
    text = _written(tokenizer, messages)
    replies = [
        (len(asked), _end(tokenizer, told, len(asked)))
        for place, message in enumerate(messages)
        if place and message["role"] == "assistant"
        for asked in [_written(tokenizer, messages[:place], asking=True)]
        for told in [_written(tokenizer, messages[: place + 1])]
        if text.startswith(told) and told.startswith(asked)
    ]
    if not replies:
        raise InputError(
            f"the chat template of {tokenizer.name_or_path} doesn't write a reply right after what asks for"
            " it, so replies can't be told from prompts; give the tokenizer another template"
        )
    return Chat(text, replies)


def _written(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Mapping[str, str]], *, asking: bool = False
) -> str:
    try:
        return str(
            tokenizer.apply_chat_template(
                [dict(one) for one in messages], tokenize=False, add_generation_prompt=asking
            )
        )
    except TemplateError as error:
        raise InputError(
            f"the chat template of {tokenizer.name_or_path} refuses the conversation that begins with"
            f" {messages[0]['content'][:60]!r} ({error}); change it, or the template"
        ) from error


def _end(tokenizer: PreTrainedTokenizerFast, told: str, start: int) -> int:
    """Where the reply that begins at ``start`` ends: after the end-of-text token, where the template writes
    one; what follows is never generated.
    """
    mark = tokenizer.eos_token
    place = told.rfind(mark, start) if mark else -1
    return len(told) if place < 0 else place + len(mark)
