"""One bytearray for all numbers, views into it; the model is filled layer by layer through small functions."""

import io
import json
import struct

import torch
from torch import nn

from ..k10_gpt_model.gpt_model import GPTConfig


class WeightsError(Exception):
    def __init__(self, where, what):
        super().__init__(f"{where}: {what}")


FORMATS = {
    f"{letter}{bits}": f"{kind}{bits}" for letter, kind in (("F", "float"), ("I", "int")) for bits in (16, 32, 64)
}
FORMATS |= {"I8": "int8", "U8": "uint8", "BF16": "bfloat16", "BOOL": "bool"}


def read_safetensors(path):
    with open(path, "rb") as file:
        room = file.seek(0, io.SEEK_END) - 8
        file.seek(0)
        if room < 0:
            raise WeightsError(path, "it is shorter than 8 bytes")
        (length,) = struct.unpack("<Q", file.read(8))
        if length > room or length > 100_000_000:
            raise WeightsError(path, f"its header would have {length} bytes")
        header = parsed(path, file.read(length))
        looked_at(path, header, room - length)
        data = bytearray(room - length)
        file.readinto(data)
    return {name: cut(data, entry) for name, entry in header.items() if name != "__metadata__"}


def parsed(path, text):
    def no_twins(pairs):
        seen = set()
        for name, _ in pairs:
            if name in seen:
                raise WeightsError(path, f"{name} is there twice")
            seen.add(name)
        return dict(pairs)

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=no_twins)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise WeightsError(path, "its header cannot be read") from None
    if not isinstance(header, dict):
        raise WeightsError(path, "its header is no object")
    return header


def looked_at(path, header, room):
    owner = 0
    entries = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        where = f"{path}, {name}"
        if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(entry):
            raise WeightsError(where, "this is no tensor")
        shape, offsets = entry["shape"], entry["data_offsets"]
        if not isinstance(entry["dtype"], str) or entry["dtype"] not in FORMATS:
            raise WeightsError(where, f"unknown dtype {entry['dtype']}")
        if not isinstance(shape, list) or not isinstance(offsets, list) or len(offsets) != 2:
            raise WeightsError(where, "no lists")
        for number in shape + offsets:
            if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                raise WeightsError(where, f"{number} is no size")
        count = 1
        for side in shape:
            count *= side
        if offsets[0] + count * getattr(torch, FORMATS[entry["dtype"]]).itemsize != offsets[1]:
            raise WeightsError(where, "shape and offsets differ")
        if offsets[1] > room:
            raise WeightsError(where, "outside of the file")
        entries.append(offsets)
    for begin, end in sorted(entries):
        if begin != owner:
            raise WeightsError(path, f"byte {owner} has no owner, or two")
        owner = end
    if owner < room:
        raise WeightsError(path, f"byte {owner} has no owner")


def cut(data, entry):
    dtype, (begin, end) = getattr(torch, FORMATS[entry["dtype"]]), entry["data_offsets"]
    if begin == end:
        return torch.zeros(entry["shape"], dtype=dtype)
    count = (end - begin) // dtype.itemsize
    if begin % dtype.itemsize:
        return torch.frombuffer(data[begin:end], dtype=dtype).view(entry["shape"])
    return torch.frombuffer(data, dtype=dtype, count=count, offset=begin).view(entry["shape"])


def gpt2_config(config):
    names = {"vocab_size": None, "n_positions": "context_length", "n_embd": "emb_dim"}
    names |= {"n_head": "num_heads", "n_layer": "num_layers"}
    if lacking := sorted(set(names) - set(config)):
        raise WeightsError("config.json", f"lacks {', '.join(lacking)}")
    if (config.get("activation_function") or "gelu_new") != "gelu_new":
        raise WeightsError("activation_function", config["activation_function"])
    if config.get("layer_norm_epsilon") not in (None, 0.00001):
        raise WeightsError("layer_norm_epsilon", config["layer_norm_epsilon"])
    if config.get("n_inner") not in (None, config["n_embd"] * 4):
        raise WeightsError("n_inner", config["n_inner"])
    if config.get("scale_attn_weights", True) is False:
        raise WeightsError("scale_attn_weights", "not scaled")
    if config.get("scale_attn_by_inverse_layer_idx"):
        raise WeightsError("scale_attn_by_inverse_layer_idx", "scaled once more")
    sizes = {ours or theirs: config[theirs] for theirs, ours in names.items()}
    return GPTConfig(**sizes, dropout=0.0, qkv_bias=True, tie_weights=True)


class Loader:
    """Takes tensors out of the file's one by one; what has been planned is carried out at the end."""

    def __init__(self, weights):
        self.left, self.plan = {}, []
        for name, values in weights.items():
            name = name.removeprefix("transformer.")
            if not (name.endswith("attn.masked_bias") or name.endswith(".attn.bias")):
                self.left[name] = values

    def take(self, name):
        if name not in self.left:
            raise WeightsError(name, "is not in the file")
        return self.left.pop(name)

    def put(self, name, parameter, values):
        if parameter is None:
            raise WeightsError(name, "the model has no such parameter")
        if values.shape != parameter.shape:
            raise WeightsError(name, f"{list(values.shape)} instead of {list(parameter.shape)}")
        self.plan.append((parameter, values))

    def plain(self, name, module):
        for part in ("weight", "bias"):
            self.put(f"{name}.{part}", getattr(module, part), self.take(f"{name}.{part}"))

    def turned(self, name, *linears):
        weight, bias = self.take(f"{name}.weight"), self.take(f"{name}.bias")
        width = linears[0].weight.shape[0]
        if weight.ndim != 2 or weight.shape[1] != width * len(linears) or bias.shape != (width * len(linears),):
            at_fault = "bias" if weight.ndim == 2 and weight.shape[1] == width * len(linears) else "weight"
            raise WeightsError(f"{name}.{at_fault}", f"{list(weight.shape)}, {list(bias.shape)}")
        for number, linear in enumerate(linears):
            columns = range(number * width, (number + 1) * width)
            self.put(f"{name}.weight", linear.weight, torch.stack([weight[:, c] for c in columns]))
            self.put(f"{name}.bias", linear.bias, bias[columns.start : columns.stop])


def load_gpt2(model, weights):
    loader = Loader(weights)
    wte = loader.take("wte.weight")
    loader.put("wte.weight", model.embedding.tok_emb.weight, wte)
    loader.put("wpe.weight", model.embedding.pos_emb.weight, loader.take("wpe.weight"))
    for i, block in enumerate(model.blocks):
        loader.plain(f"h.{i}.ln_1", block.norm1)
        loader.turned(f"h.{i}.attn.c_attn", block.attention.W_query, block.attention.W_key, block.attention.W_value)
        loader.turned(f"h.{i}.attn.c_proj", block.attention.out_proj)
        loader.plain(f"h.{i}.ln_2", block.norm2)
        loader.turned(f"h.{i}.mlp.c_fc", block.feed_forward.up)
        loader.turned(f"h.{i}.mlp.c_proj", block.feed_forward.down)
    loader.plain("ln_f", model.final_norm)
    head = loader.left.pop("lm_head.weight", wte)
    if model.lm_head.weight is not model.embedding.tok_emb.weight:
        loader.put("lm_head.weight", model.lm_head.weight, head)
    elif head is not wte and not (head.shape == wte.shape and (head == wte).all()):
        raise WeightsError("lm_head.weight", "differs from the embedding")
    if loader.left:
        raise WeightsError(", ".join(loader.left), "no place for it")
    for parameter, values in loader.plan:
        nn.init.zeros_(parameter)
        parameter.data.add_(values.to(parameter.dtype))
