"""Pretrained weights: read the file that a published GPT-2 comes in, and write its numbers into a GPT of your own."""

import json
import math
import os
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..k10_gpt_model.gpt_model import GPT, GPTConfig

LONGEST_HEADER = 100_000_000  # bytes
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class WeightsError(Exception):
    """Weights that cannot be read or do not fit; the message names the file or the key, and the tensor."""


class Place(NamedTuple):
    """Where a tensor lies, in bytes counted from the end of the header, and how it is to be read."""

    name: str
    dtype: torch.dtype
    shape: list[int]
    begin: int
    end: int


def read_header(path: str | os.PathLike) -> tuple[dict[str, Any], int]:
    """Return the header of a safetensors file, as JSON gives it, and the byte of the file at which it ends.

    Raises WeightsError, with the path, where the header is longer than the file or than `LONGEST_HEADER` (then nothing
    is read) or is no JSON object; with the name, where a name stands in it twice.
    """

    # <solution step=1>
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for name, entry in pairs:
            if name in entries:
                raise WeightsError(f"{path}: {name} stands there twice")
            entries[name] = entry
        return entries

    size = os.path.getsize(path)
    with open(path, "rb") as file:
        beginning = file.read(8)
        length = int.from_bytes(beginning, "little")
        if len(beginning) < 8 or length > min(size - 8, LONGEST_HEADER):
            raise WeightsError(f"{path}: a header of {length} bytes in a file of {size}")
        text = file.read(length)
    try:
        header = json.loads(text.decode(), object_pairs_hook=once)
    except ValueError as error:
        raise WeightsError(f"{path}: its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise WeightsError(f"{path}: its header is no JSON object")
    return header, 8 + length
    # </solution>


def find_place(name: str, entry: Any) -> Place:
    """Return where a tensor lies, from its entry in the header, `{"dtype": …, "shape": …, "data_offsets": …}`.

    Raises ValueError where anything is missing, of another type, negative or unknown, and where the shape does not
    fit the bytes.
    """
    # <solution step=1>
    try:
        dtype, shape, (begin, end) = DTYPES[entry["dtype"]], list(entry["shape"]), entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no dtype, shape or offsets that can be read: {entry}") from error
    if not all(type(number) is int and number >= 0 for number in [*shape, begin, end]):
        raise ValueError(f"shape {shape} and offsets {begin}, {end} should be whole numbers from 0")
    if math.prod(shape) * dtype.itemsize != end - begin:
        raise ValueError(f"shape {shape} of {dtype} does not fit bytes {begin} to {end}")
    return Place(name, dtype, shape, begin, end)
    # </solution>


def find_places(path: str | os.PathLike, header: dict[str, Any], room: int) -> list[Place]:
    """Return where each tensor lies in the `room` bytes behind the header, in the order of these bytes.

    Raises WeightsError, with the path and the tensor's name, unless every byte belongs to one tensor.
    """
    # <solution step=1>
    places = []
    for name, entry in header.items():
        if name != "__metadata__":
            try:
                places.append(find_place(name, entry))
            except ValueError as error:
                raise WeightsError(f"{path}: {name}: {error}") from error
    places.sort(key=lambda place: (place.begin, place.end))
    taken = 0
    for place in places:
        if place.begin != taken or place.end > room:
            raise WeightsError(f"{path}: {place.name}: bytes {place.begin} to {place.end} of {room}, {taken} taken")
        taken = place.end
    if taken != room:
        raise WeightsError(f"{path}: the last {room - taken} bytes belong to no tensor")
    return places
    # </solution>


def read_safetensors(path: str | os.PathLike) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name, each with its dtype and shape.

    The file is 8 bytes with the length of the header (little-endian, unsigned), the header (JSON, spaces may follow),
    and the numbers of all tensors. `__metadata__` in the header is no tensor. At most 1.3 times the size of the file is
    in memory at any moment.

    Raises WeightsError, with the path and, where there is one, the tensor's name, for a file that is damaged; what such
    a file promises is not allocated.

    Source: the format's description in the repository huggingface/safetensors.
    """
    # <solution step=1>
    header, start = read_header(path)
    places = find_places(path, header, os.path.getsize(path) - start)
    tensors = {}
    with open(path, "rb") as file:
        for place in places:
            file.seek(start + place.begin)
            numbers = bytearray(place.end - place.begin)  # each tensor its own: the file is in memory once
            file.readinto(numbers)
            flat = torch.frombuffer(numbers, dtype=place.dtype) if numbers else torch.empty(0, dtype=place.dtype)
            tensors[place.name] = flat.reshape(place.shape)
    return tensors
    # </solution>


def gpt2_config(config: dict[str, Any]) -> GPTConfig:
    """Return the configuration of the GPT of k10 that a GPT-2's `config.json` asks for.

    The sizes are `vocab_size`, `n_positions`, `n_embd`, `n_head` and `n_layer`. Every GPT-2 has biases for query, key
    and value, and a head tied to the token embedding; nothing is dropped any more.

    Raises WeightsError, with the key, where a size is missing, and where the GPT of k10 would compute something else:
    where `activation_function` is not "gelu_new", `layer_norm_epsilon` not 1e-5, `n_inner` not 4·n_embd,
    `scale_attn_weights` not true or `scale_attn_by_inverse_layer_idx` not false. These five may be missing or None,
    which stands for the value named here. Other keys make no difference.
    """
    # <solution step=2>
    for key in ("vocab_size", "n_positions", "n_embd", "n_head", "n_layer"):
        if key not in config:
            raise WeightsError(f"the configuration lacks {key}")
    needed = {
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "n_inner": 4 * config["n_embd"],
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
    }
    for key, value in needed.items():
        if config.get(key) is not None and config[key] != value:
            raise WeightsError(f"{key} is {config[key]!r}, and the GPT of k10 computes with {value!r}")
    return GPTConfig(
        vocab_size=config["vocab_size"],
        context_length=config["n_positions"],
        emb_dim=config["n_embd"],
        num_heads=config["n_head"],
        num_layers=config["n_layer"],
        dropout=0.0,
        qkv_bias=True,
        tie_weights=True,
    )
    # </solution>


def gpt2_places(model: GPT) -> dict[str, list[Tensor]]:
    """Return, for each published name, where its numbers belong: views of the model's parameters, side by side.

    Each view has the shape that the published tensor, or its part for this parameter, has: matrices are (in, out).
    Raises WeightsError, with the published name, where the model has no such parameter.
    """
    # <solution step=3>
    embedding, norm = model.embedding, model.final_norm
    places = {"wte.weight": [embedding.tok_emb.weight], "wpe.weight": [embedding.pos_emb.weight]}
    places |= {"ln_f.weight": [norm.weight], "ln_f.bias": [norm.bias]}
    for number, block in enumerate(model.blocks):
        attention, feed_forward = block.attention, block.feed_forward
        layers = {
            "ln_1": [block.norm1],
            "attn.c_attn": [attention.W_query, attention.W_key, attention.W_value],
            "attn.c_proj": [attention.out_proj],
            "ln_2": [block.norm2],
            "mlp.c_fc": [feed_forward.up],
            "mlp.c_proj": [feed_forward.down],
        }
        for name, parts in layers.items():
            if any(part.bias is None for part in parts):
                raise WeightsError(f"h.{number}.{name}.bias: the model has no such bias")
            places[f"h.{number}.{name}.weight"] = [part.weight.t() for part in parts]  # (in, out); a row stays a row
            places[f"h.{number}.{name}.bias"] = [part.bias for part in parts]
    return places
    # </solution>


@torch.no_grad()
def load_gpt2(model: GPT, weights: dict[str, Tensor]) -> None:
    """Write the weights of a published GPT-2 into a GPT of k10, whose parameters keep their dtype and what they share.

    Published names may have `transformer.` in front. The masks, `h.0.attn.bias` and `h.0.attn.masked_bias` and so on,
    are left aside. GPT-2's head is its token embedding: `lm_head.weight` may be missing, and then is `wte.weight`.

    Raises WeightsError, with the published name, where a tensor is missing, has no place in the model or another shape,
    and where `lm_head.weight` differs from `wte.weight` while the model has one weight for both. The model is then as
    it was.
    """
    # <solution step=3>
    masks = (".attn.bias", ".attn.masked_bias")
    weights = {name.removeprefix("transformer."): each for name, each in weights.items() if not name.endswith(masks)}
    weights.setdefault("lm_head.weight", weights.get("wte.weight"))
    places = gpt2_places(model) | {"lm_head.weight": [model.lm_head.weight]}
    for name in [*places, *weights]:
        if weights.get(name) is None:
            raise WeightsError(f"{name} is missing")
        if name not in places:
            raise WeightsError(f"{name} has no place in the model")
        needed = (*places[name][0].shape[:-1], sum(part.shape[-1] for part in places[name]))
        if weights[name].shape != needed:
            raise WeightsError(f"{name} has shape {tuple(weights[name].shape)}, and the model needs {needed}")
    tied = model.lm_head.weight is model.embedding.tok_emb.weight
    if tied and not torch.equal(weights["lm_head.weight"], weights["wte.weight"]):
        raise WeightsError("lm_head.weight is not wte.weight, and the model has one weight for both")
    for name, parts in places.items():
        for part, values in zip(parts, weights[name].split([part.shape[-1] for part in parts], dim=-1)):
            part.copy_(values)
    # </solution>
