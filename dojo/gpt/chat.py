"""A conversation with a published model, in the form that its file's own template gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from ..system.data_files import DataError
from .pretrained import Pretrained

TEMPERATURE, TOP_P = 0.2, 0.9  # as the authors of SmolLM2 advise
LONGEST = 256  # tokens of an answer: a small model that repeats itself never ends


class Chat:
    """What was said so far, as messages and as the tokens that the model has read or written."""

    def __init__(self, gpt: Pretrained, longest: int = LONGEST) -> None:
        """Answers have at most `longest` tokens, for which room is kept in the context."""
        self.gpt, self._template = gpt, _compiled(gpt.template)
        self.longest = min(longest, gpt.preset.context_length // 2)
        self.messages: list[dict[str, str]] = []
        self.ids: list[int] = []
        self._reader = gpt.reader()

    def ask(self, message: str, generator: torch.Generator, forget: Any = lambda: None) -> Iterator[str]:
        """The answer to a message, piece by piece; what came of it stays said where one stops listening.

        `forget` is called where the conversation no longer fits into the context, for each exchange that is left out,
        the oldest first. Raises DataError, at once, for a message that is longer than the context.
        """
        self.messages.append({"role": "user", "content": message})
        context = self.gpt.preset.context_length
        while len(ids := self._tokens()) > context - self.longest:
            if len(self.messages) == 1:
                self.messages.clear()
                raise DataError(
                    f"The message has {len(ids):,} tokens, and the model reads {context:,} at once: cut it."
                )
            del self.messages[:2]
            forget()
        return self._answer(ids, generator)

    def _answer(self, ids: list[int], generator: torch.Generator) -> Iterator[str]:
        answer: dict[str, str] = {"role": "assistant", "content": ""}
        self.messages.append(answer)
        self.ids, begun = ids, len(ids)
        waiting: list[int] = []
        options = {"temperature": TEMPERATURE, "top_p": TOP_P}
        for grown in self.gpt.grow(torch.tensor([ids]), self.longest, generator, self._reader, **options):
            self.ids = grown[0].tolist()
            answer["content"] = self.gpt.tokenizer.decode(self.ids[begun:])
            if piece := self.gpt.shown(waiting, self.ids[-1]):
                yield piece

    def _tokens(self) -> list[int]:
        """The conversation up to where the model goes on.

        Its beginning stays as it was read and written, token by token, so that the cache need not read it again.
        """
        text: str = self._template.render(messages=self.messages, add_generation_prompt=True)
        before = self.gpt.tokenizer.decode(self.ids)
        if self.ids and text.startswith(before):
            return self.ids + self.gpt.tokenizer.encode(text[len(before) :])
        return self.gpt.tokenizer.encode(text)


def _compiled(template: str) -> Any:
    """A template as transformers runs it. Raises DataError where there is none, or it is none."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    if not template:
        raise DataError("The file has no template for a conversation: its model continues texts, and does not answer.")
    try:
        return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(template)
    except TemplateError as error:
        raise DataError(f"The file's template for a conversation cannot be read: {error}") from error
