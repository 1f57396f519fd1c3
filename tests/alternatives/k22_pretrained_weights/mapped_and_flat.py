"""The file mapped into memory by torch and cut up; the weights go in by a state dict that is checked beforehand."""

import json
from math import prod
from pathlib import Path

import torch

from ..k10_gpt_model.gpt_model import GPTConfig


class WeightsError(ValueError):
    pass


TYPES = dict(
    zip(
        "F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL".split(),
        (torch.double, torch.float, torch.half, torch.bfloat16, torch.long, torch.int, torch.short, torch.int8)
        + (torch.uint8, torch.bool),
    )
)


def unique(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        raise WeightsError(f"repeated: {[name for name in result if names.count(name) > 1]}")
    return result


def read_safetensors(path):
    try:
        return read(Path(path))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def read(path):
    size = path.stat().st_size
    if size < 8:
        raise WeightsError("too short")
    whole = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
    length = sum(int(byte) << 8 * at for at, byte in enumerate(whole[:8]))
    if length > 10**8 or length + 8 > size:
        raise WeightsError("a header that long cannot be")
    try:
        header = json.loads(bytes(whole[8 : 8 + length].tolist()).decode(), object_pairs_hook=unique)
    except ValueError as error:
        raise WeightsError(str(error)) from None
    if type(header) is not dict:
        raise WeightsError("no object")
    header.pop("__metadata__", None)
    body, covered = whole[8 + length :], []
    result = {}
    for name, entry in header.items():
        try:
            dtype, shape = TYPES[entry["dtype"]], entry["shape"]
            begin, end = entry["data_offsets"]
            good = all(type(n) is int and n >= 0 for n in (*shape, begin, end)) and end <= len(body)
            good = good and isinstance(shape, list) and end - begin == prod(shape) * dtype.itemsize
        except (LookupError, TypeError, ValueError):
            good = False
        if not good:
            raise WeightsError(f"{name} cannot be read: {entry}")
        covered.append((begin, end))
        part = body[begin:end]
        if part.storage_offset() % dtype.itemsize:
            part = part.clone()
        result[name] = part.view(dtype).view(shape) if len(part) else torch.zeros(shape, dtype=dtype)
    ends = [0] + [end for _, end in sorted(covered)]
    if [begin for begin, _ in sorted(covered)] != ends[:-1] or ends[-1] != len(body):
        raise WeightsError("bytes that nobody has, or two have")
    return result


def gpt2_config(config):
    try:
        sizes = [config[key] for key in ("vocab_size", "n_positions", "n_embd", "n_head", "n_layer")]
    except KeyError as error:
        raise WeightsError(f"no {error}") from None
    checks = {
        "activation_function": {"gelu_new", "gelu_pytorch_tanh", None},
        "layer_norm_epsilon": {1e-5, None},
        "n_inner": {4 * config["n_embd"], None},
        "scale_attn_weights": {True, None},
        "scale_attn_by_inverse_layer_idx": {False, None},
    }
    for key, good in checks.items():
        if config.get(key) not in good:
            raise WeightsError(f"{key}: {config[key]}")
    return GPTConfig(*sizes, 0.0, True, True)


def load_gpt2(model, weights):
    short = {}
    for name, values in weights.items():
        name = name[12:] if name.startswith("transformer.") else name
        if not (name.startswith("h.") and name.split(".")[2:] in (["attn", "bias"], ["attn", "masked_bias"])):
            short[name] = values
    own = model.state_dict()
    if any(f"blocks.{i}.attention.W_query.bias" not in own for i in range(len(model.blocks))):
        raise WeightsError("no biases for attn.c_attn.bias")
    D = model.final_norm.weight.shape[0]
    wanted = {"wte.weight": ["embedding.tok_emb.weight"], "wpe.weight": ["embedding.pos_emb.weight"]}
    wanted |= {f"ln_f.{part}": [f"final_norm.{part}"] for part in ("weight", "bias")}
    layers = {
        "ln_1": ["norm1"],
        "ln_2": ["norm2"],
        "attn.c_attn": ["attention.W_query", "attention.W_key", "attention.W_value"],
        "attn.c_proj": ["attention.out_proj"],
        "mlp.c_fc": ["feed_forward.up"],
        "mlp.c_proj": ["feed_forward.down"],
    }
    for i in range(len(model.blocks)):
        for theirs, ours in layers.items():
            for part in ("weight", "bias"):
                wanted[f"h.{i}.{theirs}.{part}"] = [f"blocks.{i}.{one}.{part}" for one in ours]
    if lacking := wanted.keys() - short.keys():
        raise WeightsError(f"missing: {sorted(lacking)}")
    if unknown := short.keys() - wanted.keys() - {"lm_head.weight"}:
        raise WeightsError(f"unknown: {sorted(unknown)}")
    state = {}
    for theirs, ours in wanted.items():
        values = short[theirs]
        if values.ndim == 2 and ".c_" in theirs:
            values = values.T
        if values.shape[:1] != (len(ours) * len(own[ours[0]]),) or values.shape[1:] != own[ours[0]].shape[1:]:
            raise WeightsError(f"shape of {theirs}")
        state |= dict(zip(ours, values.tensor_split(len(ours))))
    head = short.get("lm_head.weight", short["wte.weight"])
    if head.shape != (model.lm_head.out_features, D):
        raise WeightsError("shape of lm_head.weight")
    if model.lm_head.weight.data_ptr() == model.embedding.tok_emb.weight.data_ptr():
        if (head != short["wte.weight"]).any():
            raise WeightsError("lm_head.weight is another")
    state["lm_head.weight"] = head
    model.load_state_dict(state, strict=False)
    return model
