"""A Llama's GGUF file: what it says of itself, and its tensors in float32 under the published names.

The package gguf reads and dequantises it; it belongs to the extra `chat`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..spec.byte_pairs import GPT2_PATTERN
from ..system.command import command, python
from ..system.data_files import DataError

# How SmolLM2 cuts a text into pieces: first every digit by itself, then what lies between as GPT-2 does.
SMOLLM_PATTERN = (
    r"\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+"  # a digit ends a text
)
PATTERNS = {"gpt-2": GPT2_PATTERN, "smollm": SMOLLM_PATTERN}
VISIBLE = [byte for byte in range(256) if chr(byte).isprintable() and not chr(byte).isspace()]
HIDDEN = [byte for byte in range(256) if byte not in VISIBLE]
BYTES = {chr(byte): byte for byte in VISIBLE} | {chr(256 + n): byte for n, byte in enumerate(HIDDEN)}
ORDINARY = 1  # the type of a token that is no special one
WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
Unpermute = Callable[[Tensor, int], Tensor]  # k24's


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a file: ranks and pattern as k01 has them, and the special ones as k20 has them."""

    ranks: dict[bytes, int]
    pattern: str
    special: dict[str, int]
    stop_id: int  # what ends an answer


class GGUFFile:
    """A file that is open. Raises DataError where it is damaged, or its model is none that k24 computes."""

    def __init__(self, path: Path) -> None:
        try:
            import gguf
        except ImportError:
            line = f"{python()} -m pip install -c constraints.txt gguf"
            raise DataError(f"{path.name} is read by the package gguf, which is not installed: {line}") from None
        self.path = path
        with _damage(path):
            self._reader, self._dequantize = gguf.GGUFReader(path), gguf.dequantize
        kind, scaling = self.get("general.architecture"), self.get("llama.rope.scaling.type", "none")
        if kind != "llama" or scaling != "none":
            what = f"a {kind}" if kind != "llama" else f"a llama with rotary positions scaled by {scaling}"
            raise DataError(f"{path} holds {what}, and k24 is a llama. {again()}")

    def get(self, name: str, *default: Any) -> Any:
        """What the file says under a name."""
        with _damage(self.path):
            field = self._reader.get_field(name)
            if field is None and not default:
                raise ValueError(f"it does not say its {name}")
            return field.contents() if field is not None else default[0]

    @property
    def sizes(self) -> dict[str, Any]:
        """The sizes of the model, by the names of k24's `LlamaConfig`."""
        names = {
            "context_length": "context_length",
            "emb_dim": "embedding_length",
            "num_heads": "attention.head_count",
            "num_kv_heads": "attention.head_count_kv",
            "num_layers": "block_count",
            "hidden_dim": "feed_forward_length",
            "rope_base": "rope.freq_base",
            "eps": "attention.layer_norm_rms_epsilon",
        }
        sizes = {ours: self.get(f"llama.{theirs}") for ours, theirs in names.items()}
        tied = all(tensor.name != "output.weight" for tensor in self._reader.tensors)
        return sizes | {"vocab_size": len(self.get("tokenizer.ggml.tokens")), "tie_weights": tied}

    @property
    def vocabulary(self) -> Vocabulary:
        """Its tokens. Raises DataError for those of another kind than byte pairs."""
        model, cut = self.get("tokenizer.ggml.model"), self.get("tokenizer.ggml.pre", "gpt-2")
        if model != "gpt2" or cut not in PATTERNS:
            known = ", ".join(PATTERNS)
            raise DataError(f"{self.path} has tokens of kind {model}, cut by {cut}; what is known is gpt2, by {known}.")
        ranks, special = {}, {}
        for i, (token, kind) in enumerate(
            zip(self.get("tokenizer.ggml.tokens"), self.get("tokenizer.ggml.token_type"))
        ):
            if kind == ORDINARY:
                ranks[_bytes_of(token)] = i
            else:
                special[token] = i
        return Vocabulary(ranks, PATTERNS[cut], special, self.get("tokenizer.ggml.eos_token_id"))

    def weights(self, unpermute: Unpermute) -> Weights:
        """The tensors by their published names, each dequantised when it is asked for.

        The file keeps rotary pairs side by side; `unpermute` brings them into the order of k16.
        """
        heads = {"attn_q": self.get("llama.attention.head_count"), "attn_k": self.get("llama.attention.head_count_kv")}
        return Weights(
            {_published(tensor.name): tensor for tensor in self._reader.tensors},
            lambda tensor: self._values(tensor, heads, unpermute),
        )

    def _values(self, tensor: Any, heads: dict[str, int], unpermute: Unpermute) -> Tensor:
        with _damage(self.path):
            values = torch.from_numpy(self._dequantize(tensor.data, tensor.tensor_type).copy())
        kind = tensor.name.split(".")[-2]
        return unpermute(values, heads[kind]) if kind in heads else values


class Weights(Mapping[str, Tensor]):
    """Tensors that are made when they are asked for: whole, the model would be in memory twice."""

    def __init__(self, tensors: dict[str, Any], values: Callable[[Any], Tensor]) -> None:
        self._tensors, self._values, self._last = tensors, values, ("", torch.empty(0))
        self.left = set(tensors)  # that nobody has asked for

    def __getitem__(self, name: str) -> Tensor:
        if self._last[0] != name:  # who looks at its shape first asks twice
            self._last = name, self._values(self._tensors[name])
            self.left.discard(name)
        return self._last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def again() -> str:
    """How a file is had that works."""
    return f"Fetch one that works: {command('data', WEIGHTS='smollm2')}"


def _published(name: str) -> str:
    first, *middle, last = name.split(".")
    if first == "blk" and middle[-1] in LAYER:
        return f"model.layers.{middle[0]}.{LAYER[middle[-1]]}.{last}"
    return ".".join([WHOLE.get(first, first), *middle, last])


def _bytes_of(token: str) -> bytes:
    """The bytes of a token as files spell it: a byte that is no visible character of Latin-1 is character 256 + n."""
    return bytes(BYTES[character] for character in token)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Whatever the package gguf raises for a file that is cut off, or is none, becomes a DataError."""
    try:
        yield
    except (ValueError, IndexError, KeyError, OSError, NotImplementedError) as error:
        raise DataError(f"{path} cannot be used as a GGUF file: {error}. {again()}") from error
