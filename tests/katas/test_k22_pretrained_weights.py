"""k22 pretrained weights: what must be true of it."""

import json
import math
import os
import struct
import tempfile
import tracemalloc
import weakref
from contextlib import contextmanager
from pathlib import Path

import torch

from dojo.spec import OperationMode, ban_module, check, claim, randomise, sizes, tree_leaves

BANS = [
    ban_module("safetensors", why="the file is a few bytes and a JSON text: reading it is what this kata is about."),
    ban_module("transformers", why="it has the model and its weights ready-made."),
    ban_module("pickle", why="a file that holds nothing but numbers can be read without running what it says."),
]
FILE = "model.safetensors"
CODES = {
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F64": torch.float64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: code for code, dtype in CODES.items()}
OF_A_FILE = {
    "layout": "the bytes of a file lie as they lie",
    "dtype": "a file says which dtypes it holds",
    "earlier": "a file is read anew by each call",
}
OF_A_CONFIG = {
    "layout": "a configuration holds no tensors",
    "dtype": "a configuration holds no tensors",
    "earlier": "a configuration holds no tensors",
}
EARLIER = {"earlier": "a call before would fill the model; a law of its own loads twice"}
NET = "V C D L"  # words, context, width, layers; D is made a multiple of the heads, which are two
RANGES = {"V": (9, 14), "C": (5, 8), "D": (2, 4), "L": (2, 3)}
HEADS = 2
CLOSE = 1e-10
prefixes = ["", "transformer."]


# --- Files made by hand ----------------------------------------------------------------------------------------


def entries_of(tensors, order=None):
    """The entries of a header, and the bytes behind it; the bytes lie in another order, if one is given."""
    entries, data = {}, b""
    for name in order or tensors:
        tensor = tensors[name]
        raw = bytes_of(tensor)
        offsets = [len(data), len(data) + len(raw)]
        entries[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        data += raw
    return {name: entries[name] for name in tensors}, data


def bytes_of(tensor):
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist()) if tensor.numel() else b""


def file_of(header, data, spaces=0):
    text = (header if isinstance(header, str) else json.dumps(header)).encode() + b" " * spaces
    return struct.pack("<Q", len(text)) + text + data


@contextmanager
def in_a_folder(content=None):
    """Work in an empty folder that is gone afterwards, with `content` in FILE."""
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            if content is not None:
                Path(FILE).write_bytes(content)
            yield
        except OSError as error:
            error.filename = error.filename and Path(error.filename).name  # the folder has another name each time
            raise
        finally:
            os.chdir(home)


def some_tensor(size, names, dtype=torch.float32, salt=""):
    """Numbers of every kind that a dtype has, small enough to be read."""
    if dtype == torch.bool:
        return size.ids(names, 2, salt=salt).bool().contiguous()
    if not dtype.is_floating_point:
        largest = torch.iinfo(dtype).max
        low = 0 if dtype == torch.uint8 else -largest - 1
        values = torch.randint(low, largest, size.shape(names), generator=size.generator(names + salt))
        return values.to(dtype)
    return torch.randn(size.shape(names), generator=size.generator(names + salt), dtype=torch.float64).to(dtype)


def check_read(got, tensors):
    """Demand these tensors and no others, to the last bit."""
    check.instance(got, dict, "read_safetensors(path)")
    check.equal(sorted(got), sorted(tensors), "the list of names, in order of the alphabet,")
    for name, want in tensors.items():
        check.exactly(got[name], want, f"the tensor {name!r}")


# --- Step 1: the file ------------------------------------------------------------------------------------------


@claim(step=1, examples=12, without=OF_A_FILE, size=sizes("T D", strided=False, T=(2, 7)), code=list(CODES))
def test_a_tensor_of_each_dtype_is_read(kata, size, code):
    """A file with a single tensor of any of the ten dtypes gives that tensor: its name, dtype, shape and numbers."""
    tensors = {"wte": some_tensor(size, "T D", CODES[code])}
    with in_a_folder(file_of(*entries_of(tensors))):
        check_read(kata.read_safetensors(FILE), tensors)


def three_tensors(size):
    """Of different widths, so that bytes read from the wrong place are other numbers."""
    names = {"wq": ("T D", torch.float32), "wk": ("D", torch.int64), "wv": ("D T", torch.float16)}
    return {name: some_tensor(size, shape, dtype, name) for name, (shape, dtype) in names.items()}


@claim(
    step=1,
    examples=6,
    without=OF_A_FILE,
    size=sizes("T D", strided=False, T=(2, 7)),
    order=["wq wk wv", "wk wq wv", "wv wk wq", "wq wv wk"],
)
def test_tensors_lie_where_their_offsets_say(kata, size, order):
    """Several tensors are read from where their offsets say, counted from the end of the header, in any order."""
    tensors = three_tensors(size)
    with in_a_folder(file_of(*entries_of(tensors, order.split()))):
        check_read(kata.read_safetensors(FILE), tensors)


@claim(
    step=1,
    examples=8,
    without=OF_A_FILE,
    size=sizes("T D", strided=False),
    shape=["1", "", "0", "0 D", "T 0 D", "1 1 1", "T D 2 3"],
    last=[False, True],
)
def test_tensors_of_any_shape_are_read(kata, size, shape, last):
    """A number without dimensions, tensors without numbers and tensors of many dimensions are read like others."""
    odd = some_tensor(size, shape, salt="odd")
    plain = some_tensor(size, "D T", torch.float64)
    tensors = {"plain": plain, "odd": odd} if last else {"odd": odd, "plain": plain}
    with in_a_folder(file_of(*entries_of(tensors))):
        check_read(kata.read_safetensors(FILE), tensors)


@claim(step=1, examples=6, without=OF_A_FILE, size=sizes("T D", strided=False), spaces=[1, 0, 2, 5, 40])
def test_spaces_may_follow_the_header(kata, size, spaces):
    """Any number of spaces may follow the JSON; they count as header, and the numbers begin at any byte."""
    tensors = three_tensors(size)
    with in_a_folder(file_of(*entries_of(tensors), spaces)):
        check_read(kata.read_safetensors(FILE), tensors)


@claim(step=1, examples=4, without=OF_A_FILE, size=sizes("T D", strided=False), first=[True, False])
def test_metadata_is_no_tensor(kata, size, first):
    """`__metadata__` is no tensor, wherever it stands in the header."""
    tensors, metadata = three_tensors(size), {"__metadata__": {"format": "pt", "dtype": "F32"}}
    entries, data = entries_of(tensors)
    with in_a_folder(file_of(metadata | entries if first else entries | metadata, data)):
        check_read(kata.read_safetensors(FILE), tensors)


@claim(step=1, examples=2, without=OF_A_FILE, header=[{}, {"__metadata__": {"format": "pt"}}])
def test_a_file_may_hold_no_tensors(kata, header):
    """A file without tensors, with or without metadata, gives an empty dict."""
    with in_a_folder(file_of(header, b"")):
        check.equal(kata.read_safetensors(FILE), {}, f"what a file with the header {header} holds")


ODD_NAMES = ["weight.größe", "", " h.0 ", 'a "quoted"\n\\name', "__metadata__.weight", "shape", "重み", "h/0", "🙂"]


@claim(step=1, examples=18, without=OF_A_FILE, size=sizes("T D", strided=False), name=ODD_NAMES, escaped=[True, False])
def test_names_may_hold_any_characters(kata, size, name, escaped):
    """A name is any text: it comes back as it is, escaped in the header or in UTF-8."""
    tensors = {"h.0.weight": some_tensor(size, "T D"), name: some_tensor(size, "D")}
    entries, data = entries_of(tensors)
    with in_a_folder(file_of(json.dumps(entries, ensure_ascii=escaped), data)):
        check_read(kata.read_safetensors(FILE), tensors)


@claim(step=1, examples=2, without=OF_A_FILE, size=sizes("D", strided=False))
def test_a_long_header_is_read(kata, size):
    """A header of more than 65,535 bytes is read too: its length is a number of eight bytes."""
    tensors = {"weight": some_tensor(size, "D 2")}
    entries, data = entries_of(tensors)
    with in_a_folder(file_of(entries, data, spaces=70_000)):
        check_read(kata.read_safetensors(FILE), tensors)


@claim(step=1, examples=3, without=OF_A_FILE, size=sizes("D", strided=False), way=["a text", "a Path", "a whole path"])
def test_a_path_may_be_a_text_or_a_path(kata, size, way):
    """The path may be a text or a Path; another file under it gives other tensors, and the one before stay."""
    with in_a_folder():
        path = {"a text": FILE, "a Path": Path(FILE), "a whole path": str(Path(FILE).absolute())}[way]
        both = [{"weight": some_tensor(size, "D 3", salt=salt)} for salt in ("one", "two")]
        read = []
        for tensors in both:
            Path(FILE).unlink(missing_ok=True)
            Path(FILE).write_bytes(file_of(*entries_of(tensors)))
            read.append(kata.read_safetensors(path))
        for got, tensors in zip(read, both):
            check_read(got, tensors)


class Memory(OperationMode):
    """Counts the bytes that Python and torch hold while a call runs, and the most there were at once."""

    def __init__(self):
        super().__init__()
        self.held, self.peak, self.storages = 0, 0, {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        sources = {one.untyped_storage().data_ptr() for one in tensors_in((args, kwargs))}
        for made in tensors_in(result):
            storage = made.untyped_storage()
            mapped = func.overloadpacket.__name__ == "from_file"  # the file itself takes the place of memory
            if storage.data_ptr() not in sources and not mapped:  # a view of what Python holds is counted there
                self._hold(storage)
        return result

    def _hold(self, storage):
        at, size = storage._cdata, storage.nbytes()
        if at in self.storages:
            return

        def let_go(_):
            self.held -= size
            del self.storages[at]

        self.storages[at] = weakref.ref(storage, let_go)
        self.held += size
        self.peak = max(self.peak, self.held + tracemalloc.get_traced_memory()[0])


def tensors_in(values):
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


def peak_of(call):
    """The most bytes that were held at once while a call ran, and what it gave."""
    tracemalloc.start()
    try:
        with Memory() as memory:
            before = tracemalloc.get_traced_memory()[0]
            result = call()
            return max(memory.peak, tracemalloc.get_traced_memory()[1]) - before, result
    finally:
        tracemalloc.stop()


@claim(step=1, examples=1, without=OF_A_FILE, costly=True)
def test_the_file_is_in_memory_once(kata):
    """Reading holds at most 1.3 times the bytes of the file at once."""
    tensors = {f"h.{number}.weight": torch.full((200, 500), float(number)) for number in range(5)}
    with in_a_folder(file_of(*entries_of(tensors))):
        peak, got = peak_of(lambda: kata.read_safetensors(FILE))
        check_read(got, tensors)
        times = peak / Path(FILE).stat().st_size
        if times > 1.3:
            problem = "reading holds too much of the file in memory at once"
            raise check.Mismatch(problem, f"{times:.1f} times its size", "at most 1.3 times", alike=round(times))


# --- Step 1: what is damaged -----------------------------------------------------------------------------------


def refused(kata, content, mentions=(), what="the file"):
    """Demand WeightsError with the file's name and what else it has to say."""
    with in_a_folder(content):
        check.raises(kata.WeightsError, lambda: kata.read_safetensors(FILE), [FILE, *mentions], what)


@claim(step=1)
def test_the_error_is_a_type_of_its_own(kata):
    """WeightsError is an exception of its own, so that it can be caught without catching others."""
    kind = kata.WeightsError
    check.equal(isinstance(kind, type) and issubclass(kind, Exception), True, "whether WeightsError is an exception")
    check.equal(kind.__module__ == "builtins", False, "whether WeightsError is one of Python's own")


cuts = {
    "an empty file": lambda data: b"",
    "a file of 7 bytes": lambda data: data[:7],
    "a file of 8 bytes": lambda data: data[:8],
    "a file cut in its header": lambda data: data[:60],
    "a file without its last byte": lambda data: data[:-1],
    "a file with a byte too many": lambda data: data + b"\0",
    "a file whose length is 4 gigabytes more": lambda data: data[:4] + b"\1" + data[5:],
}


@claim(step=1, examples=7, without=OF_A_FILE, size=sizes("T D", strided=False), cut=list(cuts))
def test_a_file_of_the_wrong_length_is_refused(kata, size, cut):
    """A file that is cut short, or has bytes that belong to no tensor, is a WeightsError with its name."""
    refused(kata, cuts[cut](file_of(*entries_of(three_tensors(size)))), what=cut)


headers = {
    "half a JSON object": '{"a": {"dtype": "F32"',
    "a text": "Shall I compare thee to a summer's day?",
    "an empty header": "",
    "a list": "[]",
    "a number": "7",
    "null": "null",
    "two objects": "{}{}",
}


@claim(step=1, examples=7, without=OF_A_FILE, kind=list(headers))
def test_a_header_that_is_no_json_object_is_refused(kata, kind):
    """A header that is no JSON object is a WeightsError with the file's name."""
    refused(kata, file_of(headers[kind], b""), what=f"a file whose header is {kind}")


@claim(step=1, without=OF_A_FILE)
def test_a_header_that_is_no_text_is_refused(kata):
    """A header that is no UTF-8 is a WeightsError with the file's name."""
    text = b'{"__metadata__": {"format": "\xff\xfe"}}'
    refused(kata, struct.pack("<Q", len(text)) + text, what="a file whose header is no UTF-8")


def changed(name, size, **entry):
    """A file of three tensors, in which the entry of one says something else."""
    entries, data = entries_of(three_tensors(size))
    entries[name] = {key: value for key, value in (entries[name] | entry).items() if value is not None}
    return file_of(entries, data)


unreadable = {
    "no dtype": {"dtype": None},
    "no shape": {"shape": None},
    "no offsets": {"data_offsets": None},
    "an unknown dtype": {"dtype": "F31"},
    "a dtype by another name": {"dtype": "float32"},
    "a dtype that is a number": {"dtype": 32},
}


@claim(step=1, examples=6, without=OF_A_FILE, size=sizes("T D", strided=False), kind=list(unreadable))
def test_an_entry_that_lacks_something_is_refused(kata, size, kind):
    """An entry without dtype, shape or offsets, or of an unknown dtype, is a WeightsError with file and name."""
    refused(kata, changed("wq", size, **unreadable[kind]), ["wq"], f"an entry with {kind}")


@claim(step=1, examples=4, without=OF_A_FILE, entry=["F32", [0, 4], None, 4])
def test_an_entry_that_is_no_object_is_refused(kata, entry):
    """An entry that is no JSON object is a WeightsError with the file and the name."""
    refused(kata, file_of({"weight": entry}, b"1234"), ["weight"], f"an entry that is {json.dumps(entry)}")


shapes = {
    "a row too many": lambda T, D: [T + 1, D],
    "a row too few": lambda T, D: [T - 1, D],
    "no dimensions": lambda T, D: [],
    "no rows": lambda T, D: [0, D],
    "two negative numbers": lambda T, D: [-T, -D],
    "a fraction": lambda T, D: [float(T), D],
    "a text": lambda T, D: f"{T}, {D}",
    "a number": lambda T, D: T * D,
}


@claim(step=1, examples=8, without=OF_A_FILE, size=sizes("T D", strided=False, T=(2, 7)), kind=list(shapes))
def test_a_shape_that_does_not_fit_its_bytes_is_refused(kata, size, kind):
    """A shape that does not fit the bytes, or is no list of whole numbers from 0, is a WeightsError with the name."""
    refused(kata, changed("wq", size, shape=shapes[kind](size.T, size.D)), ["wq"], f"a shape with {kind}")


def two_at(first, second, length):
    """A file of `length` bytes behind the header and two tensors of bytes, at these offsets."""
    entries = {
        name: {"dtype": "U8", "shape": [offsets[1] - offsets[0]], "data_offsets": list(offsets)}
        for name, offsets in (("wq", first), ("wv", second))
    }
    return file_of(entries, bytes(range(length)))


placings = {
    "beyond the end of the file": ((0, 4), (4, 10), 8, "wv"),
    "wholly beyond the end of the file": ((0, 4), (8, 12), 4, "wv"),
    "on the same bytes as another": ((0, 4), (0, 4), 4, ""),
    "on a part of another": ((0, 4), (3, 8), 8, ""),
    "inside another": ((0, 8), (2, 4), 8, ""),
    "on a part of another, before a hole as large": ((0, 4), (2, 6), 8, ""),
    "behind a hole": ((0, 4), (5, 8), 8, ""),
    "behind a hole at the start": ((1, 4), (4, 8), 8, ""),
    "before a hole at the end": ((0, 4), (4, 7), 8, ""),
    "before a hole at the start, in another order": ((4, 8), (1, 4), 8, ""),
}


@claim(step=1, examples=10, without=OF_A_FILE, kind=list(placings))
def test_bytes_that_no_tensor_or_two_have_are_refused(kata, kind):
    """Every byte belongs to one tensor: an offset outside, an overlap or a hole is a WeightsError with the file."""
    first, second, length, name = placings[kind]
    refused(kata, two_at(first, second, length), [name] * bool(name), f"a tensor {kind}")


offsets = {
    "the end before the start": [24, 0],
    "a negative start": [-8, 0],
    "only one of them": [0],
    "three of them": [0, 24, 24],
    "fractions": [0.0, 24.0],
    "texts": ["0", "24"],
    "an object": {"begin": 0, "end": 24},
    "a number": 24,
}


@claim(step=1, examples=8, without=OF_A_FILE, kind=list(offsets))
def test_offsets_that_are_no_two_numbers_are_refused(kata, kind):
    """Offsets that are not two whole numbers, the larger last, are a WeightsError with the file and the name."""
    entry = {"dtype": "F32", "shape": [2, 3], "data_offsets": offsets[kind]}
    refused(kata, file_of({"weight": entry}, bytes(24)), ["weight"], f"an entry with {kind} for offsets")


@claim(step=1, examples=3, without=OF_A_FILE, same=[True, False], name=["weight", "h.0", "__metadata__"])
def test_a_name_that_stands_there_twice_is_refused(kata, same, name):
    """A name that stands in the header twice is a WeightsError with the file and the name."""
    entry = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
    other = entry if same else entry | {"shape": [2, 2]}
    if name == "__metadata__":
        entry, other = {"format": "pt"}, {"format": "pt" if same else "tf"}
    text = f'{{"{name}": {json.dumps(entry)}, "{name}": {json.dumps(other)}}}'
    data = b"" if name == "__metadata__" else bytes(4)
    refused(kata, file_of(text, data), [name], "a header with one name twice")


MILLION = 1_000_000


def long_header(length):
    """A file that is as long as its header needs it to be, and takes no room on the disk."""
    with open(FILE, "wb") as file:
        file.write(struct.pack("<Q", length) + b"{}" + b" " * 100)
        file.truncate(8 + length)


def large_tensor(*shape):
    count = 4 * math.prod(shape)
    Path(FILE).write_bytes(
        file_of({"weight": {"dtype": "F32", "shape": list(shape), "data_offsets": [0, count]}}, b"1234")
    )


promises = {
    "a header longer than the file": lambda: Path(FILE).write_bytes(struct.pack("<Q", 90 * MILLION) + b"{}"),
    "a header longer than any file": lambda: Path(FILE).write_bytes(struct.pack("<Q", 2**64 - 1) + b"{}"),
    "a header of 100,000,001 bytes": lambda: long_header(100 * MILLION + 1),
    "a header of 105,000,000 bytes": lambda: long_header(105 * MILLION),
    "a tensor of 80 million bytes": lambda: large_tensor(20, MILLION),
    "a tensor of 4 terabytes": lambda: large_tensor(MILLION, MILLION),
}


@claim(step=1, examples=6, without=OF_A_FILE, costly=True, kind=list(promises))
def test_nothing_is_allocated_for_a_promise(kata, kind):
    """A header of over 100 MB, or more than the file holds, is a WeightsError at once, without taking the memory."""
    with in_a_folder():
        promises[kind]()

        def call():
            check.raises(kata.WeightsError, lambda: kata.read_safetensors(FILE), [FILE], f"a file with {kind}")

        peak, _ = peak_of(call)
        if peak > MILLION:
            problem = f"{kind} is refused, but memory is taken first"
            raise check.Mismatch(problem, f"{peak:,} bytes", "next to none", alike="taken")


# --- Step 2: the configuration ---------------------------------------------------------------------------------


SIZES = {
    "vocab_size": "vocab_size",
    "n_positions": "context_length",
    "n_embd": "emb_dim",
    "n_head": "num_heads",
    "n_layer": "num_layers",
}
published_sizes = [
    dict(zip(SIZES, numbers))
    for numbers in (
        (50257, 1024, 768, 12, 12),
        (50257, 1024, 1024, 16, 24),
        (50257, 1024, 1280, 20, 36),
        (50257, 1024, 1600, 25, 48),
        (32, 7, 6, 2, 3),
        (11, 5, 12, 4, 1),
    )
]
OTHERS = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "bos_token_id": 50256,
    "embd_pdrop": 0.1,
    "eos_token_id": 50256,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "resid_pdrop": 0.1,
    "summary_first_dropout": 0.1,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
}
more = {
    "as published": lambda sizes: OTHERS,
    "the sizes alone": lambda sizes: {},
    "as newer files are": lambda sizes: (
        OTHERS
        | {"n_inner": None, "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False}
        | {"use_cache": True, "reorder_and_upcast_attn": False, "tie_word_embeddings": True}
    ),
    "with n_inner and n_ctx": lambda sizes: OTHERS | {"n_inner": 4 * sizes["n_embd"], "n_ctx": 3},
    "with None throughout": lambda sizes: dict.fromkeys(("activation_function", "layer_norm_epsilon", "n_inner")),
}
fields = ["vocab_size", "context_length", "emb_dim", "num_heads", "num_layers"]


def fields_of(got, names):
    check.present(got, "gpt2_config(config)")
    missing = [name for name in names if not hasattr(got, name)]
    if missing:
        problem = f"gpt2_config gives no GPTConfig: it has no {missing[0]}"
        raise check.Mismatch(problem, type(got).__name__, "GPTConfig", alike=missing)
    return {name: getattr(got, name) for name in names}


@claim(step=2, examples=8, without=OF_A_CONFIG, published=published_sizes, rest=list(more))
def test_the_sizes_are_those_of_the_file(kata, published, rest):
    """The five sizes of a published configuration become those of a GPTConfig, whatever else stands in the file."""
    got = kata.gpt2_config(published | more[rest](published))
    want = {ours: published[theirs] for theirs, ours in SIZES.items()}
    check.equal(fields_of(got, fields), want, "the set of sizes", config=published)


@claim(step=2, examples=5, without=OF_A_CONFIG, rest=list(more))
def test_a_gpt2_has_biases_and_a_tied_head(kata, rest):
    """The configuration asks for biases of query, key and value, for a tied head, and for no dropout at all."""
    sizes_of_it = published_sizes[0]
    got = kata.gpt2_config(sizes_of_it | more[rest](sizes_of_it))
    want = {"qkv_bias": True, "tie_weights": True, "dropout": 0.0}
    check.equal(fields_of(got, want), want, "the choice of biases, head and dropout")


@claim(step=2, examples=5, without=OF_A_CONFIG, key=list(SIZES))
def test_a_size_that_is_missing_is_named(kata, key):
    """A configuration that lacks one of the sizes is a WeightsError with the key."""
    config = {name: value for name, value in (published_sizes[4] | OTHERS).items() if name != key}
    check.raises(kata.WeightsError, lambda: kata.gpt2_config(config), [key], f"a configuration without {key}")


functions = [
    ("activation_function", "gelu"),
    ("activation_function", "relu"),
    ("layer_norm_epsilon", 1e-6),
    ("n_inner", 7),
    ("scale_attn_weights", False),
    ("scale_attn_by_inverse_layer_idx", True),
]


@claim(step=2, examples=6, without=OF_A_CONFIG, other=functions)
def test_a_model_that_computes_something_else_is_refused(kata, other):
    """A configuration that asks for another function than the GPT of k10 computes is a WeightsError with the key."""
    key, value = other
    config = published_sizes[4] | OTHERS | {key: value}
    check.raises(kata.WeightsError, lambda: kata.gpt2_config(config), [key], f"a configuration with {key} {value!r}")


# --- Step 3: a published GPT-2, and the slow, obvious way to its logits ----------------------------------------


def model_for(reference, size, scale=1.0, **choices):
    """A GPT of k10 whose parameters are none of the file's."""
    sizes_of_it = (size.V, size.C, HEADS * size.D, HEADS, size.L)
    config = reference.GPTConfig(*sizes_of_it, **({"dropout": 0.0, "qkv_bias": True, "tie_weights": True} | choices))
    model = reference.GPT(config)
    randomise(model, size, scale)
    return model.eval()


def published_shapes(size):
    """The published names of a GPT-2, and the shapes of what they stand for."""
    D = HEADS * size.D
    shapes = {"wte.weight": (size.V, D), "wpe.weight": (size.C, D)}
    for number in range(size.L):
        block = {
            "ln_1.weight": (D,),
            "ln_1.bias": (D,),
            "attn.c_attn.weight": (D, 3 * D),
            "attn.c_attn.bias": (3 * D,),
            "attn.c_proj.weight": (D, D),
            "attn.c_proj.bias": (D,),
            "ln_2.weight": (D,),
            "ln_2.bias": (D,),
            "mlp.c_fc.weight": (D, 4 * D),
            "mlp.c_fc.bias": (4 * D,),
            "mlp.c_proj.weight": (4 * D, D),
            "mlp.c_proj.bias": (D,),
        }
        shapes |= {f"h.{number}.{name}": shape for name, shape in block.items()}
    return shapes | {"ln_f.weight": (D,), "ln_f.bias": (D,)}


def published(size, prefix="", dtype=None, salt=""):
    """Random weights under the published names."""
    dtype = dtype or torch.get_default_dtype()
    return {
        prefix + name: torch.randn(shape, generator=size.generator(name + salt), dtype=torch.float64).to(dtype)
        for name, shape in published_shapes(size).items()
    }


def normalised(x, weights, name):
    x = x - x.mean(-1, keepdim=True)
    x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def published_logits(weights, ids, layers):
    """What a GPT-2 with these weights answers, straight from its published names."""

    def linear(x, name):
        return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]  # the file has matrices as (in, out)

    T = ids.shape[1]
    hidden = torch.ones(T, T, dtype=torch.bool).triu(1)
    x = weights["wte.weight"][ids] + weights["wpe.weight"][:T]
    for block in (f"h.{number}." for number in range(layers)):
        three = linear(normalised(x, weights, block + "ln_1"), block + "attn.c_attn").chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in three)
        scores = (query @ key.mT / query.shape[-1] ** 0.5).masked_fill(hidden, -torch.inf)
        context = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        x = x + linear(context, block + "attn.c_proj")
        up = linear(normalised(x, weights, block + "ln_2"), block + "mlp.c_fc")
        gelu = 0.5 * up * (1 + torch.tanh((2 / math.pi) ** 0.5 * (up + 0.044715 * up**3)))
        x = x + linear(gelu, block + "mlp.c_proj")
    return normalised(x, weights, "ln_f") @ weights["wte.weight"].T


MATRICES = {"attention.out_proj": "attn.c_proj", "feed_forward.up": "mlp.c_fc", "feed_forward.down": "mlp.c_proj"}
NORMS = {"norm1": "ln_1", "norm2": "ln_2"}
THREE = ("W_query", "W_key", "W_value")


def check_parameters(model, wanted, what=""):
    """Demand these numbers of the parameters at these paths, all of them in one comparison."""
    for path, want in wanted.items():
        got = check.parameter(model, path)
        check.equal(got.detach(), want.to(got.dtype), f"`{path}`{what}", tolerance=1e-6)


def in_blocks(size, make):
    return {path: want for number in range(size.L) for path, want in make(f"blocks.{number}", f"h.{number}").items()}


@claim(step=3, examples=4, without=EARLIER, size=sizes(NET, strided=False, **RANGES), prefix=prefixes)
def test_embeddings_and_norms_are_taken_as_they_are(kata, reference, size, prefix):
    """The two embeddings and all norms get the file's numbers, with or without `transformer.` before the names."""
    model, weights = model_for(reference, size), published(size)
    kata.load_gpt2(model, {prefix + name: values for name, values in weights.items()})
    names = {"embedding.tok_emb.weight": "wte.weight", "embedding.pos_emb.weight": "wpe.weight"}
    names |= in_blocks(
        size,
        lambda block, h: {
            f"{block}.{ours}.{part}": f"{h}.{theirs}.{part}"
            for ours, theirs in NORMS.items()
            for part in ("weight", "bias")
        },
    )
    names |= {"final_norm.weight": "ln_f.weight", "final_norm.bias": "ln_f.bias"}
    check_parameters(model, {ours: weights[theirs] for ours, theirs in names.items()})


@claim(step=3, examples=6, without=EARLIER, size=sizes(NET, strided=False, **RANGES), prefix=prefixes)
def test_query_key_and_value_lie_side_by_side(kata, reference, size, prefix):
    """`attn.c_attn` holds query, key and value side by side, in this order, each stored as (in, out)."""
    model, weights = model_for(reference, size), published(size)
    kata.load_gpt2(model, {prefix + name: values for name, values in weights.items()})
    D = HEADS * size.D

    def parts(block, h):
        wanted = {}
        for at, name in enumerate(THREE):
            columns = slice(at * D, (at + 1) * D)
            wanted[f"{block}.attention.{name}.weight"] = weights[f"{h}.attn.c_attn.weight"][:, columns].T
            wanted[f"{block}.attention.{name}.bias"] = weights[f"{h}.attn.c_attn.bias"][columns]
        return wanted

    check_parameters(model, in_blocks(size, parts))


@claim(step=3, examples=6, without=EARLIER, size=sizes(NET, strided=False, **RANGES), prefix=prefixes)
def test_matrices_are_turned(kata, reference, size, prefix):
    """The file stores matrices as (in, out) and `nn.Linear` as (out, in), square ones too; biases are as they are."""
    model, weights = model_for(reference, size), published(size)
    kata.load_gpt2(model, {prefix + name: values for name, values in weights.items()})

    def layers(block, h):
        wanted = {}
        for ours, theirs in MATRICES.items():
            wanted[f"{block}.{ours}.weight"] = weights[f"{h}.{theirs}.weight"].T
            wanted[f"{block}.{ours}.bias"] = weights[f"{h}.{theirs}.bias"]
        return wanted

    check_parameters(model, in_blocks(size, layers))


@claim(step=3, examples=5, without=EARLIER, double=True, size=sizes(NET, strided=False, **RANGES))
def test_the_logits_are_those_of_the_published_gpt2(kata, reference, size):
    """With the weights in place, the GPT of k10 gives the logits of the GPT-2 that they come from."""
    model, weights = model_for(reference, size).double(), published(size, dtype=torch.float64)
    kata.load_gpt2(model, weights)
    ids = size.ids(f"3 {size.C}", size.V)
    with torch.no_grad():
        got, want = model(ids), published_logits(weights, ids, size.L)
    check.equal(got, want, "the logits", tolerance=CLOSE, ids=ids)


@claim(
    step=3,
    examples=6,
    without=EARLIER,
    size=sizes(NET, strided=False, **RANGES),
    tied=[True, False],
    head=["missing", "the embedding", "as lm_head.weight, without a prefix"],
)
def test_the_head_is_the_token_embedding(kata, reference, size, tied, head):
    """The head gets the numbers of `wte.weight`, where the file repeats them too, and a tied one stays tied."""
    model, weights = model_for(reference, size, tie_weights=tied), published(size, "transformer.")
    want = weights["transformer.wte.weight"]
    if head != "missing":
        weights["lm_head.weight"] = want.clone()
    kata.load_gpt2(model, weights)
    check_parameters(model, {"lm_head.weight": want, "embedding.tok_emb.weight": want})
    check.equal(
        model.lm_head.weight is model.embedding.tok_emb.weight, tied, "whether head and embedding share one weight"
    )


@claim(step=3, examples=3, without=EARLIER, size=sizes(NET, strided=False, **RANGES), first=[True, False])
def test_a_head_of_its_own_needs_a_weight_of_its_own(kata, reference, size, first):
    """A head in the file that is not its embedding goes into an untied model; a tied model refuses it, untouched."""
    weights = published(size)
    other = {"lm_head.weight": some_tensor(size, f"V {HEADS * size.D}", torch.get_default_dtype(), "head")}
    weights = other | weights if first else weights | other
    model = model_for(reference, size, tie_weights=False)
    kata.load_gpt2(model, weights)
    wanted = {"lm_head.weight": other["lm_head.weight"], "embedding.tok_emb.weight": weights["wte.weight"]}
    check_parameters(model, wanted)
    refused_untouched(kata, model_for(reference, size), weights, ["lm_head.weight"], "a head of its own")


def masks(size, kind):
    """The masks that older files hold."""
    square = torch.ones(size.C, size.C).tril()[None, None]
    kinds = {"numbers": square, "bytes": square.to(torch.uint8), "bools": square.bool()}
    return {"attn.bias": kinds[kind], "attn.masked_bias": torch.tensor(-1e4)}


@claim(
    step=3,
    examples=6,
    without=EARLIER,
    size=sizes(NET, strided=False, **RANGES),
    prefix=prefixes,
    kind=["numbers", "bytes", "bools"],
)
def test_masks_in_the_file_are_left_aside(kata, reference, size, prefix, kind):
    """`attn.bias` and `attn.masked_bias` of a file are masks: they are no error, and the model keeps its own."""
    model, weights = model_for(reference, size), published(size, prefix)
    own = {name: values.clone() for name, values in model.named_buffers()}
    for number in range(size.L):
        weights |= {f"{prefix}h.{number}.{name}": values for name, values in masks(size, kind).items()}
    kata.load_gpt2(model, weights)
    check.equal(sorted(dict(model.named_buffers())), sorted(own), "the list of the model's buffers")
    for name, values in model.named_buffers():
        check.exactly(values, own[name], f"the model's own `{name}`")
    block = f"{prefix}h.{size.L - 1}"
    check_parameters(
        model, {f"blocks.{size.L - 1}.feed_forward.up.bias": weights[f"{block}.mlp.c_fc.bias"]}, " of a file with masks"
    )


@claim(
    step=3,
    examples=6,
    without=EARLIER | {"dtype": "the law has dtypes of its own"},
    size=sizes(NET, strided=False, **RANGES),
    of_file=[torch.float32, torch.float16, torch.bfloat16, torch.float64],
    of_model=[torch.float32, torch.float64, torch.bfloat16],
)
def test_the_model_keeps_its_dtype(kata, reference, size, of_file, of_model):
    """The numbers of a file of any dtype come into the parameters that are there, in the model's own dtype."""
    model, weights = model_for(reference, size).to(of_model), published(size, dtype=of_file)
    before = dict(model.named_parameters())
    kata.load_gpt2(model, weights)
    found = {name: (values.dtype, values.requires_grad) for name, values in model.named_parameters()}
    check.equal(found, dict.fromkeys(before, (of_model, True)), "the state of the parameters (dtype, requires_grad)")
    check_parameters(model, {"final_norm.bias": weights["ln_f.bias"]})
    check_parameters(model, {"blocks.0.feed_forward.up.weight": weights["h.0.mlp.c_fc.weight"].T})


@claim(step=3, examples=3, without=EARLIER, size=sizes(NET, strided=False, **RANGES), training=[True, False])
def test_what_was_frozen_stays_frozen(kata, reference, size, training):
    """Loading changes numbers and nothing else: what was frozen, the mode, and whether gradients are on stay."""
    model, weights = model_for(reference, size).train(training), published(size)
    model.embedding.requires_grad_(False)
    want = [values.requires_grad for values in model.parameters()]
    kata.load_gpt2(model, weights)
    check.equal([values.requires_grad for values in model.parameters()], want, "requires_grad of each parameter")
    check.equal({module.training for module in model.modules()}, {training}, "the modes of the parts (True: training)")
    check.equal(torch.is_grad_enabled(), True, "whether gradients are still on afterwards")
    check.equal([values.grad_fn for values in model.parameters()], [None] * len(want), "the grad_fn of each parameter")


@claim(step=3, examples=3, without=EARLIER, size=sizes(NET, strided=False, **RANGES), other=[True, False])
def test_another_file_takes_the_place_of_the_first(kata, reference, size, other):
    """A second call writes the second file's numbers; another model, and the file's tensors, are left alone."""
    model, first, second = model_for(reference, size), published(size), published(size, salt="second")
    kata.load_gpt2(model, first)
    if other:
        kata.load_gpt2(model_for(reference, size), second)
    want = first if other else second
    if not other:
        kata.load_gpt2(model, second)
    check_parameters(
        model,
        {
            "embedding.tok_emb.weight": want["wte.weight"],
            "blocks.1.attention.out_proj.weight": want["h.1.attn.c_proj.weight"].T,
            "blocks.1.norm2.bias": want["h.1.ln_2.bias"],
        },
    )


# --- Step 3: what does not fit ---------------------------------------------------------------------------------


def refused_untouched(kata, model, weights, mentions, what):
    """Demand WeightsError with the published name, and the model as it was."""
    before = {name: values.detach().clone() for name, values in model.state_dict().items()}
    check.raises(kata.WeightsError, lambda: kata.load_gpt2(model, weights), mentions, what)
    now = model.state_dict()
    touched = [name for name, values in before.items() if not torch.equal(values, now[name])]
    if touched:
        kinds = sorted({name.split(".", 2)[-1] for name in touched})
        problem = f"{what} is refused, but the model has been changed before"
        raise check.Mismatch(problem, touched, [], alike=kinds)


PLACES = ["wpe.weight", "h.1.ln_2.bias", "h.0.attn.c_attn.bias", "h.1.mlp.c_proj.weight", "ln_f.bias", "wte.weight"]


@claim(step=3, examples=6, without=EARLIER, size=sizes(NET, strided=False, **RANGES), name=PLACES, prefix=prefixes)
def test_a_tensor_that_is_missing_is_named(kata, reference, size, name, prefix):
    """A file that lacks a tensor is a WeightsError with its published name, and the model is untouched."""
    weights = published(size, prefix)
    del weights[prefix + name]
    refused_untouched(kata, model_for(reference, size), weights, [name], f"a file without {name}")


extras = ["h.{L}.ln_1.weight", "h.0.attn.c_attn.lora", "h.0.attn.bias_k", "classifier.weight", "wte.bias", "ln_f"]


@claim(step=3, examples=6, without=EARLIER, size=sizes(NET, strided=False, **RANGES), name=extras, prefix=prefixes)
def test_a_tensor_without_a_place_is_named(kata, reference, size, name, prefix):
    """A tensor that has no place in the model is a WeightsError with its name, and the model is untouched."""
    name = name.format(L=size.L)
    weights = published(size, prefix) | {prefix + name: torch.zeros(HEADS * size.D)}
    refused_untouched(kata, model_for(reference, size), weights, [name], f"a file with {name}")


def misshapen(size):
    """Published names with shapes that are not theirs; some would be broadcast, or have as many numbers."""
    D = HEADS * size.D
    return {
        "a shorter context": ("wpe.weight", (size.C - 1, D)),
        "a bias of one number": ("h.1.mlp.c_proj.bias", (1,)),
        "a matrix of one row": ("h.0.attn.c_proj.weight", (1, D)),
        "a matrix that is turned": ("h.1.mlp.c_fc.weight", (4 * D, D)),
        "a bias of two dimensions": ("ln_f.bias", (1, D)),
        "c_attn with its rows and columns exchanged": ("h.0.attn.c_attn.weight", (3 * D, D)),
        "a vocabulary with a word more": ("wte.weight", (size.V + 1, D)),
        "a bias for query and key alone": ("h.1.attn.c_attn.bias", (2 * D,)),
    }


kinds_of_shapes = [
    "a shorter context",
    "a bias of one number",
    "a matrix of one row",
    "a matrix that is turned",
    "a bias of two dimensions",
    "c_attn with its rows and columns exchanged",
    "a vocabulary with a word more",
    "a bias for query and key alone",
]


@claim(step=3, examples=8, without=EARLIER, size=sizes(NET, strided=False, **RANGES), kind=kinds_of_shapes)
def test_a_tensor_of_another_shape_is_named(kata, reference, size, kind):
    """A tensor of another shape than the model needs is a WeightsError with its name, and the model is untouched."""
    name, shape = misshapen(size)[kind]
    weights = published(size) | {name: torch.zeros(shape)}
    refused_untouched(kata, model_for(reference, size), weights, [name], f"a file with {kind}")


@claim(step=3, examples=2, without=EARLIER, size=sizes(NET, strided=False, **RANGES))
def test_a_model_without_biases_is_refused(kata, reference, size):
    """A model without biases of query, key and value has no place for the file's: a WeightsError with their name."""
    model = model_for(reference, size, qkv_bias=False)
    refused_untouched(kata, model, published(size), ["attn.c_attn.bias"], "a model without those biases")


@claim(step=3, examples=2, without=EARLIER, size=sizes(NET, strided=False, **RANGES))
def test_from_the_file_to_the_model(kata, reference, size):
    """A file, its configuration and its weights together make a model that gives the published logits."""
    weights = published(size, dtype=torch.float32)
    numbers = (size.V, size.C, HEADS * size.D, HEADS, size.L)
    with in_a_folder(file_of(*entries_of(weights))):
        read = kata.read_safetensors(FILE)
    config = kata.gpt2_config(dict(zip(SIZES, numbers)) | OTHERS)
    model = reference.GPT(reference.GPTConfig(**fields_of(config, [*fields, "dropout", "qkv_bias", "tie_weights"])))
    kata.load_gpt2(model.double(), read)
    ids = size.ids(f"2 {size.C}", size.V)
    with torch.no_grad():
        want = published_logits({name: values.double() for name, values in weights.items()}, ids, size.L)
        check.equal(model.eval()(ids), want, "the logits", tolerance=CLOSE, ids=ids)
