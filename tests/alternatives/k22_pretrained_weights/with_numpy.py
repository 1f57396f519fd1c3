"""numpy reads each tensor from the file; the model's own parameters are walked, and each asks for its numbers."""

import json
import os
import re

import numpy as np
import torch

from ..k10_gpt_model import gpt_model


class WeightsError(RuntimeError):
    pass


KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<i2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
KINDS |= {"I8": "<i1", "U8": "<u1", "BOOL": "<?"}


def read_safetensors(path):
    def fail(text):
        raise WeightsError(f"{os.fspath(path)}: {text}")

    def hook(pairs):
        names = sorted(name for name, _ in pairs)
        for one, other in zip(names, names[1:]):
            if one == other:
                fail(f"{one} twice")
        return {name: value for name, value in pairs}

    size = os.stat(path).st_size
    with open(path, "rb") as file:
        first = np.frombuffer(file.read(8), "<u8") if size >= 8 else fail("short")
        start = 8 + int(first[0])
        if start > size or start - 8 > 100_000_000:
            fail(f"header of {start - 8}")
        try:
            header = json.loads(file.read(start - 8), object_pairs_hook=hook)
            entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
        except WeightsError:
            raise
        except Exception as error:
            fail(error)
        for name, entry in entries:
            try:
                kind, shape, (begin, end) = np.dtype(KINDS[entry["dtype"]]), entry["shape"], entry["data_offsets"]
                assert isinstance(shape, list)
                assert all(type(each) is int and each >= 0 for each in shape)
                assert 0 <= begin <= end <= size - start
                assert type(begin) is int and type(end) is int
                assert end - begin == kind.itemsize * int(np.prod([*shape, 1], dtype=object))
            except Exception as error:
                fail(f"{name}: {error!r}")
        taken = sorted(entry["data_offsets"] for _, entry in entries)
        if sum(end - begin for begin, end in taken) != size - start:
            fail("gaps or overlaps")
        if any(one[1] > other[0] for one, other in zip(taken, taken[1:])):
            fail("overlaps")
        tensors = {}
        for name, entry in sorted(entries, key=lambda pair: pair[0]):
            file.seek(start + entry["data_offsets"][0])
            array = np.fromfile(file, KINDS[entry["dtype"]], int(np.prod([1, *entry["shape"]])))
            tensor = torch.from_numpy(array).reshape(entry["shape"])
            tensors[name] = tensor.view(torch.bfloat16) if entry["dtype"] == "BF16" else tensor
    return tensors


def gpt2_config(config):
    def get(key, *allowed):
        if not allowed:
            if key not in config:
                raise WeightsError(f"where is {key}?")
            return config[key]
        if config.get(key, allowed[0]) not in (None, *allowed):
            raise WeightsError(f"{key}={config[key]}")
        return None

    get("activation_function", "gelu_new")
    get("layer_norm_epsilon", 1e-5)
    get("n_inner", 4 * get("n_embd"))
    get("scale_attn_weights", True)
    get("scale_attn_by_inverse_layer_idx", False)
    return gpt_model.GPTConfig(
        tie_weights=True,
        qkv_bias=True,
        dropout=0.0,
        num_layers=get("n_layer"),
        num_heads=get("n_head"),
        emb_dim=get("n_embd"),
        context_length=get("n_positions"),
        vocab_size=get("vocab_size"),
    )


RENAMED = [
    (r"embedding\.tok_emb", "wte"),
    (r"embedding\.pos_emb", "wpe"),
    (r"final_norm", "ln_f"),
    (r"blocks\.(\d+)", r"h.\1"),
    (r"norm1", "ln_1"),
    (r"norm2", "ln_2"),
    (r"attention\.W_(query|key|value)", "attn.c_attn"),
    (r"attention\.out_proj", "attn.c_proj"),
    (r"feed_forward\.up", "mlp.c_fc"),
    (r"feed_forward\.down", "mlp.c_proj"),
]
THIRDS = {"W_query": 0, "W_key": 1, "W_value": 2}


def load_gpt2(model, weights):
    have = {re.sub(r"^transformer\.", "", name): weights[name] for name in weights}
    have = {name: have[name] for name in have if not re.search(r"\.attn\.(masked_)?bias$", name)}
    used, new = set(), {}
    for own, parameter in model.named_parameters():
        name = own
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        if name == "lm_head.weight" and name not in have:
            name = "wte.weight"
        if name not in have:
            raise WeightsError(f"missing {name}")
        used.add(name)
        values = have[name]
        third = next((number for part, number in THIRDS.items() if part in own), None)
        width = parameter.shape[0]
        whole = (3 * width, *parameter.shape[1:]) if third is not None else tuple(parameter.shape)
        turned = ".c_" in name and parameter.ndim == 2
        if tuple(values.shape) != (whole[::-1] if turned else whole):
            raise WeightsError(f"{name} is {tuple(values.shape)}")
        values = values.permute(1, 0) if turned else values
        new[parameter] = values if third is None else values[third * width : (third + 1) * width]
    if "lm_head.weight" in have and "lm_head.weight" not in used:
        if not torch.equal(have["lm_head.weight"], have["wte.weight"]):
            raise WeightsError("lm_head.weight has no place: the head is tied")
        used.add("lm_head.weight")
    for name in have:
        if name not in used:
            raise WeightsError(f"no place for {name}")
    if model.blocks[0].attention.W_value.bias is None:
        raise WeightsError("no place for attn.c_attn.bias")
    with torch.no_grad():
        for parameter, values in new.items():
            parameter.set_(values.to(parameter.dtype).clone(memory_format=torch.contiguous_format))
