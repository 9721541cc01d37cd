"""Causal language modelling: to reply to a prompt, or in a conversation.

A row has a prompt and a response, or a whole conversation in one column: ``messages``, each an object
with ``role`` and ``content``, or ``turns``, texts of user and assistant in turn. Only the assistant's
words are learnt.
"""

import json
from collections.abc import Mapping, Sequence

from .language import LanguageTask
from .task import Example

Message = Mapping[str, str]
"""``role``, such as user, and ``content``."""
_CONVERSATION = '[{"role": '
ASSISTANT = "assistant"


class CausalLM(LanguageTask):
    """Each token of a reply, from all that comes before it.

    ``exact_match`` is that of greedy generation, which needs no generating: it gives the reply's own
    tokens if and only if each is the likeliest after those before it. Where a reply was cut off, what is
    left of it is judged.
    """

    name = "text-generation"
    summary = "replies to prompts or in chats, by a decoder; one column may hold whole conversations"
    text_column = "prompt"
    label_column = "response"
    label_optional = True
    head = "causal-lm"
    metrics = ("loss", "perplexity", "exact_match")
    served = False

    def read_text(self, value: object) -> str:
        """A prompt; or a conversation, as JSON, which a file without lists may hold as such."""
        if isinstance(value, str) and value.startswith(_CONVERSATION):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise ValueError(f"begins like a list of messages and is no JSON ({error})") from error
        if not isinstance(value, list):
            return super().read_text(value)
        if not value:
            raise ValueError("is empty; give it messages or remove the row")
        if all(isinstance(turn, str) for turn in value):
            roles = ("user", ASSISTANT)
            value = [{"role": roles[place % 2], "content": turn} for place, turn in enumerate(value)]
        messages = [_message(place, one) for place, one in enumerate(value, start=1)]
        return json.dumps(messages, ensure_ascii=False)

    def read_label(self, value: object, text: str, pair: str | None) -> str:
        """A reply."""
        return super().read_text(value)

    def refuse(self, parts: Mapping[str, Sequence[Example]]) -> None:
        """What has no reply."""
        for name, part in parts.items():
            for example in part:
                if example.label is None and not _replies(example.text):
                    raise ValueError(
                        f"{example.text[:60]!r} in the {name} split has no reply; name the column of"
                        " replies as --label-column, or that of messages as --text-column"
                    )

    def messages(self, example: Example) -> list[Message]:
        """The conversation, up to its last reply."""
        messages = _parsed(example.text) or [{"role": "user", "content": example.text}]
        if example.label is not None:
            return [*messages, {"role": ASSISTANT, "content": str(example.label)}]
        return messages[: _replies(example.text)[-1] + 1]


def _message(place: int, value: object) -> dict[str, str]:
    """One of a row's messages; ``ValueError`` names its place."""
    if not isinstance(value, Mapping) or not {"role", "content"} <= value.keys():
        raise ValueError(f"has as message {place} {value!r:.60}; give each a role and a content")
    message = {name: value[name] for name in ("role", "content")}
    for name, text in message.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"has in message {place} the {name} {text!r:.60}; give it a text")
    return message


def _parsed(text: str) -> list[Message]:
    """The messages of a conversation; none of a prompt."""
    return list(json.loads(text)) if text.startswith(_CONVERSATION) else []


def _replies(text: str) -> list[int]:
    """The places of a conversation's messages that answer one before them."""
    return [place for place, one in enumerate(_parsed(text)) if place and one["role"] == ASSISTANT]
