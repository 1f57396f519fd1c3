"""Pairs of (published name, parameter, its numbers) from one generator; numbers are looked at before any is written."""

import json
import os

import torch

from ..k10_gpt_model.gpt_model import GPTConfig


class WeightsError(Exception):
    pass


def dtype_of(code):
    if not isinstance(code, str):
        raise WeightsError(f"{code!r} is no dtype")
    if code in ("BOOL", "BF16", "U8"):
        return {"BOOL": torch.bool, "BF16": torch.bfloat16, "U8": torch.uint8}[code]
    if code in ("F16", "F32", "F64", "I8", "I16", "I32", "I64"):
        return getattr(torch, code.replace("F", "float").replace("I", "int"))
    raise WeightsError(f"{code} is no dtype that is known")


def whole(number):
    if type(number) is not int or number < 0:
        raise WeightsError(f"{number!r} should be a whole number, 0 or more")
    return number


def pairs_once(pairs):
    for name in (names := [pair[0] for pair in pairs]):
        if names.count(name) > 1:
            raise WeightsError(f"{name} twice")
    return dict(pairs)


def plan(file, size):
    """Yield name, dtype, shape and first byte of each tensor, in order of the file."""
    length = int.from_bytes(file.read(8), byteorder="little", signed=False)
    if size < 8 + length or size < 8 or length > 100_000_000:
        raise WeightsError(f"no header of {length} bytes fits in")
    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=pairs_once)
    except ValueError as error:
        raise WeightsError(f"the header: {error}") from error
    if not isinstance(header, dict):
        raise WeightsError("the header is something else")
    rows, position = [], 0
    for name in header:
        if name == "__metadata__":
            continue
        try:
            entry = header[name]
            begin, end = map(whole, entry["data_offsets"])
            if not isinstance(entry["shape"], list):
                raise WeightsError("shape")
            shape = torch.Size(map(whole, entry["shape"]))
            rows.append((begin, end, name, dtype_of(entry["dtype"]), shape))
            if rows[-1][3].itemsize * shape.numel() != end - begin:
                raise WeightsError(f"{shape} in bytes {begin} to {end}")
        except (WeightsError, KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{name}: {error}") from error
    rows.sort(key=lambda row: row[:2])
    for begin, end, name, _, _ in rows:
        if begin != position:
            raise WeightsError(f"{name} begins at {begin} and not at {position}")
        position = end
        if end > size - 8 - length:
            raise WeightsError(f"{name} ends behind the file")
    if 8 + length + position != size:
        raise WeightsError("bytes are left over")
    for begin, _, name, dtype, shape in rows:
        yield name, dtype, shape, 8 + length + begin


def read_safetensors(path):
    path = os.fspath(path)
    with open(path, "rb", buffering=0) as file:
        try:
            rows = [*plan(file, os.fstat(file.fileno()).st_size)]
        except WeightsError as error:
            raise WeightsError(f"in {path}, {error}") from error
        result = {}
        for name, dtype, shape, begin in reversed(rows):
            result[name] = torch.empty(shape, dtype=dtype)
            if shape.numel():
                file.seek(begin)
                file.readinto(result[name].reshape(-1).view(torch.uint8).numpy().data)
    return result


def gpt2_config(config):
    for key in ["vocab_size", "n_positions", "n_embd", "n_head", "n_layer"]:
        if key not in config:
            raise WeightsError(f"no {key} in the configuration")
    V, C, D, h, L = (config[key] for key in ["vocab_size", "n_positions", "n_embd", "n_head", "n_layer"])
    if config.get("n_inner") is not None and config["n_inner"] != D * 4:
        raise WeightsError("n_inner")
    if config.get("activation_function") not in ("gelu_new", None):
        raise WeightsError(f"activation_function: {config['activation_function']}")
    epsilon = config.get("layer_norm_epsilon")
    if epsilon is not None and abs(epsilon - 1e-5) > 1e-9:
        raise WeightsError(f"layer_norm_epsilon: {epsilon}")
    if config.get("scale_attn_weights") is False:
        raise WeightsError("scale_attn_weights")
    if config.get("scale_attn_by_inverse_layer_idx") is True:
        raise WeightsError("scale_attn_by_inverse_layer_idx")
    return GPTConfig(V, C, D, h, L, dropout=0, qkv_bias=True, tie_weights=True)


def where(model, tied):
    """Yield each published name, the parameter, if it is turned, and which part of how many it is."""
    yield "wte.weight", model.embedding.tok_emb.weight, False, 0, 1
    yield "wpe.weight", model.embedding.pos_emb.weight, False, 0, 1
    if not tied:
        yield "lm_head.weight", model.lm_head.weight, False, 0, 1
    for kind in ("weight", "bias"):
        yield f"ln_f.{kind}", getattr(model.final_norm, kind), False, 0, 1
        turn = kind == "weight"
        for i, block in enumerate(model.blocks):
            yield f"h.{i}.ln_1.{kind}", getattr(block.norm1, kind), False, 0, 1
            yield f"h.{i}.ln_2.{kind}", getattr(block.norm2, kind), False, 0, 1
            for part, letter in enumerate(("query", "key", "value")):
                layer = getattr(block.attention, f"W_{letter}")
                yield f"h.{i}.attn.c_attn.{kind}", getattr(layer, kind), turn, part, 3
            yield f"h.{i}.attn.c_proj.{kind}", getattr(block.attention.out_proj, kind), turn, 0, 1
            yield f"h.{i}.mlp.c_fc.{kind}", getattr(block.feed_forward.up, kind), turn, 0, 1
            yield f"h.{i}.mlp.c_proj.{kind}", getattr(block.feed_forward.down, kind), turn, 0, 1


def load_gpt2(model, weights):
    table = {}
    for name, values in weights.items():
        pieces = name.split(".")
        if pieces[0] == "transformer":
            pieces = pieces[1:]
        if pieces[-2:] not in (["attn", "bias"], ["attn", "masked_bias"]):
            table[".".join(pieces)] = values
    tied = model.lm_head.weight is model.embedding.tok_emb.weight
    if "wte.weight" not in table:
        raise WeightsError("wte.weight is missing")
    head = table.setdefault("lm_head.weight", table["wte.weight"])
    if tied and not torch.equal(head, table["wte.weight"]):
        raise WeightsError("lm_head.weight")
    places = list(where(model, tied))
    unknown = set(table) - {name for name, *_ in places} - {"lm_head.weight"}
    if unknown:
        raise WeightsError(f"{unknown} unknown")
    jobs = []
    for name, parameter, turn, part, parts in places:
        if name not in table:
            raise WeightsError(f"{name} missing")
        if parameter is None:
            raise WeightsError(f"{name}: the model has no bias")
        values = table[name].mT if turn and table[name].ndim == 2 else table[name]
        if values.shape != (parts * parameter.shape[0], *parameter.shape[1:]):
            raise WeightsError(f"{name} has a shape of {list(table[name].shape)}")
        jobs.append((parameter, values.chunk(parts)[part]))
    for parameter, values in jobs:
        flag = parameter.requires_grad
        parameter.requires_grad_(False).copy_(values)
        parameter.requires_grad_(flag)
