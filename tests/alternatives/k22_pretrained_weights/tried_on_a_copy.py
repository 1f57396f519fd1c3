"""The file as a class over `mmap`; the weights are written into a copy of the model first, and then into the model."""

import copy
import json
import mmap
import struct
from dataclasses import dataclass
from functools import reduce
from operator import mul

import torch

from ..k10_gpt_model.gpt_model import GPT, GPTConfig


class WeightsError(Exception):
    """Weights that cannot be read or do not fit."""


CODES = "F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL".split()
TORCH = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8]
TORCH = dict(zip(CODES, [*TORCH, torch.uint8, torch.bool]))


class Twice(ValueError):
    pass


def strictly(pairs):
    result = {}
    for key, value in pairs:
        if result.setdefault(key, value) is not value:
            raise Twice(f"two of the name {key}")
    if len(result) < len(pairs):
        raise Twice(f"two of a name in {[key for key, _ in pairs]}")
    return result


@dataclass
class Slice:
    dtype: torch.dtype
    shape: tuple
    begin: int
    end: int

    @classmethod
    def of(cls, entry):
        dtype = TORCH[entry["dtype"]]
        shape, ends = entry["shape"], entry["data_offsets"]
        if type(shape) is not list or type(ends) is not list or {type(x) for x in shape + ends} > {int}:
            raise ValueError("not a list of whole numbers")
        if any(type(x) is not int for x in shape + ends) or min(shape + ends, default=0) < 0:
            raise ValueError("a size below 0, or no size")
        begin, end = ends
        if reduce(mul, shape, dtype.itemsize) != end - begin:
            raise ValueError("as many bytes as it should not have")
        return cls(dtype, tuple(shape), begin, end)

    def read(self, view):
        result = torch.empty(self.shape, dtype=self.dtype)
        if result.numel():
            flat = result.view(-1).view(torch.uint8)
            flat.copy_(torch.frombuffer(bytearray(view[self.begin : self.end]), dtype=torch.uint8))
        return result


def read_safetensors(path):
    with open(path, "rb") as file:
        if file.seek(0, 2) < 8:
            raise WeightsError(f"{path} is too short")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as everything:
            return tensors_of(path, everything)


def tensors_of(path, everything):
    length = struct.unpack_from("<Q", everything)[0]
    if length > 100_000_000 or length > len(everything) - 8:
        raise WeightsError(f"{path}: the header should have {length} bytes")
    try:
        header = json.loads(str(everything[8 : 8 + length], "utf-8"), object_pairs_hook=strictly)
        header.pop("__metadata__", None)
        items = header.items()
    except (ValueError, AttributeError, TypeError) as error:
        raise WeightsError(f"{path}: {error}") from error
    slices = {}
    for name, entry in items:
        try:
            slices[name] = Slice.of(entry)
        except (KeyError, ValueError, TypeError) as error:
            raise WeightsError(f"{path}: tensor {name}: {error}") from error
    end = 8 + length
    for name in sorted(slices, key=lambda name: (slices[name].begin, slices[name].end)):
        if 8 + length + slices[name].begin != end:
            raise WeightsError(f"{path}: tensor {name} should begin at {end}")
        end = 8 + length + slices[name].end
        if end > len(everything):
            raise WeightsError(f"{path}: tensor {name} ends at {end}, behind the file")
    if end != len(everything):
        raise WeightsError(f"{path} goes on after {end}")
    with memoryview(everything) as view, view[8 + length :] as numbers:
        return {name: piece.read(numbers) for name, piece in slices.items()}


def gpt2_config(config):
    known = {"activation_function": "gelu_new", "layer_norm_epsilon": 1e-05, "scale_attn_weights": True}
    known |= {"scale_attn_by_inverse_layer_idx": False}
    settings = known | {"n_inner": None} | {key: value for key, value in config.items() if value is not None}
    for key in ("vocab_size", "n_positions", "n_embd", "n_head", "n_layer"):
        if settings.get(key) is None:
            raise WeightsError(f"{key}?")
    known["n_inner"] = 4 * settings["n_embd"] if settings["n_inner"] else None
    wrong = [key for key in known if settings[key] != known[key]]
    if wrong:
        raise WeightsError(f"another model: {wrong}")
    return GPTConfig(
        settings["vocab_size"],
        settings["n_positions"],
        settings["n_embd"],
        settings["n_head"],
        settings["n_layer"],
        dropout=0.0,
        qkv_bias=True,
        tie_weights=True,
    )


def load_gpt2(model: GPT, weights: dict[str, torch.Tensor]) -> None:
    fill(copy.deepcopy(model), weights)
    fill(model, weights)


@torch.no_grad()
def fill(model, weights):
    rest = {name.split("transformer.", 1)[-1]: values for name, values in weights.items()}
    for number in range(len(model.blocks)):
        rest.pop(f"h.{number}.attn.bias", None)
        rest.pop(f"h.{number}.attn.masked_bias", None)

    def move(name, *targets):
        values = rest.pop(name, None)
        if values is None:
            raise WeightsError(f"{name} is not there")
        if any(target is None for target in targets):
            raise WeightsError(f"{name} has nowhere to go")
        conv = ".c_" in name and name.endswith("weight")
        shape = torch.cat([target.detach() for target in targets]).T.shape if conv else None
        shape = shape or (sum(len(target) for target in targets), *targets[0].shape[1:])
        if values.shape != shape:
            raise WeightsError(f"{name}: {values.shape}, not {shape}")
        for at, target in enumerate(targets):
            width = len(target)
            if conv:
                target[...] = torch.einsum("io->oi", values[:, at * width : at * width + width])
            else:
                target[...] = values[at * width : at * width + width]

    tokens = rest.get("wte.weight")
    move("wte.weight", model.embedding.tok_emb.weight)
    move("wpe.weight", model.embedding.pos_emb.weight)
    if (head := rest.pop("lm_head.weight", None)) is not None:
        rest["lm_head.weight"] = head
        if model.lm_head.weight is model.embedding.tok_emb.weight and not torch.equal(head, tokens):
            raise WeightsError("lm_head.weight is not wte.weight")
    else:
        rest["lm_head.weight"] = tokens
    move("lm_head.weight", model.lm_head.weight)
    for kind in ("weight", "bias"):
        move(f"ln_f.{kind}", getattr(model.final_norm, kind))
        for number, block in enumerate(model.blocks):
            a, f, h = block.attention, block.feed_forward, f"h.{number}"
            pairs = [("ln_1", [block.norm1]), ("ln_2", [block.norm2]), ("mlp.c_fc", [f.up]), ("mlp.c_proj", [f.down])]
            pairs += [("attn.c_proj", [a.out_proj]), ("attn.c_attn", [a.W_query, a.W_key, a.W_value])]
            for name, layers in pairs:
                move(f"{h}.{name}.{kind}", *(getattr(layer, kind) for layer in layers))
    if rest:
        raise WeightsError(f"left over: {list(rest)}")
