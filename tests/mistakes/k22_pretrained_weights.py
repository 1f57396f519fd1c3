"""k22: what people get wrong about pretrained weights."""

from dojo.spec import mistake, swap

# Step 1: the file
TYPES = '    "BF16": torch.bfloat16,\n'
ERROR = "class WeightsError(Exception):\n"
TWICE = """            if name in entries:
                raise WeightsError(f"{path}: {name} stands there twice")
"""
BEGINNING = "beginning = file.read(8)"
LENGTH = 'length = int.from_bytes(beginning, "little")'
TOO_LONG = "if len(beginning) < 8 or length > min(size - 8, LONGEST_HEADER):"
TOO_LONG_SAYS = 'raise WeightsError(f"{path}: a header of {length} bytes in a file of {size}")'
TEXT = "text = file.read(length)"
PARSE = "header = json.loads(text.decode(), object_pairs_hook=once)"
PARSING = "    try:\n        " + PARSE + "\n    except ValueError as error:\n"
NO_JSON = '    except ValueError as error:\n        raise WeightsError(f"{path}: its header is no JSON: {error}") from error\n'
NO_OBJECT = (
    '    if not isinstance(header, dict):\n        raise WeightsError(f"{path}: its header is no JSON object")\n'
)
START = "return header, 8 + length"
ENTRY = 'dtype, shape, (begin, end) = DTYPES[entry["dtype"]], list(entry["shape"]), entry["data_offsets"]'
UNREADABLE = '    except (KeyError, TypeError, ValueError) as error:\n        raise ValueError(f"no dtype'
WHOLE = "if not all(type(number) is int and number >= 0 for number in [*shape, begin, end]):"
FITS = "if math.prod(shape) * dtype.itemsize != end - begin:"
METADATA = '        if name != "__metadata__":\n'
NAMED = 'raise WeightsError(f"{path}: {name}: {error}") from error'
SORT = "    places.sort(key=lambda place: (place.begin, place.end))\n"
TAKEN = "if place.begin != taken or place.end > room:"
LEFT = "    if taken != room:\n"
PLACES = "places = find_places(path, header, os.path.getsize(path) - start)"
SEEK = "file.seek(start + place.begin)"
NUMBERS = "numbers = bytearray(place.end - place.begin)  # each tensor its own: the file is in memory once"
INTO = "            file.readinto(numbers)\n"
FLAT = "flat = torch.frombuffer(numbers, dtype=place.dtype) if numbers else torch.empty(0, dtype=place.dtype)"
KEEP = "tensors[place.name] = flat.reshape(place.shape)"
EACH = "test_a_tensor_of_each_dtype_is_read"
ORDER = "test_tensors_lie_where_their_offsets_say"
ANY_SHAPE = "test_tensors_of_any_shape_are_read"
SPACES = "test_spaces_may_follow_the_header"
NO_TENSOR = "test_metadata_is_no_tensor"
NO_TENSORS = "test_a_file_may_hold_no_tensors"
ANY_NAME = "test_names_may_hold_any_characters"
LONG = "test_a_long_header_is_read"
PATHS = "test_a_path_may_be_a_text_or_a_path"
ONCE = "test_the_file_is_in_memory_once"
OWN_ERROR = "test_the_error_is_a_type_of_its_own"
CUT = "test_a_file_of_the_wrong_length_is_refused"
NOT_JSON = "test_a_header_that_is_no_json_object_is_refused"
NOT_TEXT = "test_a_header_that_is_no_text_is_refused"
LACKS = "test_an_entry_that_lacks_something_is_refused"
NOT_OBJECT = "test_an_entry_that_is_no_object_is_refused"
BAD_SHAPE = "test_a_shape_that_does_not_fit_its_bytes_is_refused"
OWNERS = "test_bytes_that_no_tensor_or_two_have_are_refused"
OFFSETS = "test_offsets_that_are_no_two_numbers_are_refused"
SAME_NAME = "test_a_name_that_stands_there_twice_is_refused"
PROMISE = "test_nothing_is_allocated_for_a_promise"
# Step 2: the configuration
SIZES_MISSING = """    for key in ("vocab_size", "n_positions", "n_embd", "n_head", "n_layer"):
        if key not in config:
            raise WeightsError(f"the configuration lacks {key}")
"""
LACKING = 'raise WeightsError(f"the configuration lacks {key}")'
ACTIVATION = '        "activation_function": "gelu_new",\n'
EPSILON = '        "layer_norm_epsilon": 1e-5,\n'
INNER = '        "n_inner": 4 * config["n_embd"],\n'
SCALED = '        "scale_attn_weights": True,\n'
BY_LAYER = '        "scale_attn_by_inverse_layer_idx": False,\n'
OTHERWISE = "if config.get(key) is not None and config[key] != value:"
OTHERWISE_SAYS = 'raise WeightsError(f"{key} is {config[key]!r}, and the GPT of k10 computes with {value!r}")'
CONTEXT = 'context_length=config["n_positions"],'
WIDTH = 'emb_dim=config["n_embd"],'
N_HEADS = 'num_heads=config["n_head"],'
N_LAYERS = 'num_layers=config["n_layer"],'
WORDS = 'vocab_size=config["vocab_size"],'
DROPOUT = "dropout=0.0,"
BIASES = "qkv_bias=True,"
TIE = "tie_weights=True,"
SIZES = "test_the_sizes_are_those_of_the_file"
CHOICES = "test_a_gpt2_has_biases_and_a_tied_head"
SIZE_MISSING = "test_a_size_that_is_missing_is_named"
SOMETHING_ELSE = "test_a_model_that_computes_something_else_is_refused"
# Step 3: the weights
TABLES = 'places = {"wte.weight": [embedding.tok_emb.weight], "wpe.weight": [embedding.pos_emb.weight]}'
FINAL = '    places |= {"ln_f.weight": [norm.weight], "ln_f.bias": [norm.bias]}\n'
NORM1 = '"ln_1": [block.norm1],'
NORM2 = '"ln_2": [block.norm2],'
THREE = '"attn.c_attn": [attention.W_query, attention.W_key, attention.W_value],'
OUT = '"attn.c_proj": [attention.out_proj],'
UP = '"mlp.c_fc": [feed_forward.up],'
DOWN = '"mlp.c_proj": [feed_forward.down],'
NO_BIAS = """            if any(part.bias is None for part in parts):
                raise WeightsError(f"h.{number}.{name}.bias: the model has no such bias")
"""
TURNED = 'places[f"h.{number}.{name}.weight"] = [part.weight.t() for part in parts]  # (in, out); a row stays a row'
BIAS = 'places[f"h.{number}.{name}.bias"] = [part.bias for part in parts]'
WITHOUT = "@torch.no_grad()\ndef load_gpt2"
MASKS = 'masks = (".attn.bias", ".attn.masked_bias")'
SHORT = (
    'weights = {name.removeprefix("transformer."): each for name, each in weights.items() if not name.endswith(masks)}'
)
REPEATED = 'weights.setdefault("lm_head.weight", weights.get("wte.weight"))'
HEAD = 'places = gpt2_places(model) | {"lm_head.weight": [model.lm_head.weight]}'
LOOK = "for name in [*places, *weights]:"
MISSING = """        if weights.get(name) is None:
            raise WeightsError(f"{name} is missing")
"""
MISSING_SAYS = 'raise WeightsError(f"{name} is missing")'
UNKNOWN = """        if name not in places:
            raise WeightsError(f"{name} has no place in the model")
"""
UNKNOWN_SAYS = 'raise WeightsError(f"{name} has no place in the model")'
NEEDED = "needed = (*places[name][0].shape[:-1], sum(part.shape[-1] for part in places[name]))"
SHAPES = """        if weights[name].shape != needed:
            raise WeightsError(f"{name} has shape {tuple(weights[name].shape)}, and the model needs {needed}")
"""
SHAPE = "if weights[name].shape != needed:"
TIED = "    if tied and not torch.equal"
TIED_CHECK = """    if tied and not torch.equal(weights["lm_head.weight"], weights["wte.weight"]):
        raise WeightsError("lm_head.weight is not wte.weight, and the model has one weight for both")
"""
PARTS = "for part, values in zip(parts, weights[name].split([part.shape[-1] for part in parts], dim=-1)):"
COPY = "            part.copy_(values)\n"
PLAIN = "test_embeddings_and_norms_are_taken_as_they_are"
SIDE_BY_SIDE = "test_query_key_and_value_lie_side_by_side"
MATRICES = "test_matrices_are_turned"
LOGITS = "test_the_logits_are_those_of_the_published_gpt2"
IS_EMBEDDING = "test_the_head_is_the_token_embedding"
OWN_HEAD = "test_a_head_of_its_own_needs_a_weight_of_its_own"
ASIDE = "test_masks_in_the_file_are_left_aside"
KEEPS = "test_the_model_keeps_its_dtype"
FROZEN = "test_what_was_frozen_stays_frozen"
SECOND = "test_another_file_takes_the_place_of_the_first"
NOT_THERE = "test_a_tensor_that_is_missing_is_named"
NO_PLACE = "test_a_tensor_without_a_place_is_named"
OTHER_SHAPE = "test_a_tensor_of_another_shape_is_named"
WITHOUT_BIASES = "test_a_model_without_biases_is_refused"
COPYING = PARTS + "\n" + COPY

MISTAKES = [
    # Step 1: where the numbers are
    mistake(
        "big-endian",
        swap(LENGTH, 'length = int.from_bytes(beginning, "big")'),
        caught_by=EACH,
        explanation="""The eight bytes of the length are read with the largest first, which makes 73 into a number of
        nineteen digits. The format puts the smallest byte first.""",
    ),
    mistake(
        "a length of four bytes",
        swap(BEGINNING, "beginning = file.read(4)"),
        swap(TOO_LONG, "if len(beginning) < 4 or length > min(size - 8, LONGEST_HEADER):"),
        caught_by=EACH,
        explanation="""Only four bytes are read for the length, and the header is taken to begin right after them. The
        length has eight bytes, most of them 0.""",
    ),
    mistake(
        "a length of two bytes",
        swap(LENGTH, 'length = int.from_bytes(beginning[:2], "little")'),
        caught_by=LONG,
        explanation="""The length is put together from the first two bytes alone, so a header of more than 65,535 bytes is
        cut off. All eight bytes count.""",
    ),
    mistake(
        "a length of four of the eight bytes",
        swap(LENGTH, 'length = int.from_bytes(beginning[:4], "little")'),
        caught_by=CUT,
        explanation="""The length is put together from the first four of its eight bytes. A damaged length, whose upper bytes
        say something, passes for a small one.""",
    ),
    mistake(
        "offsets from the start of the file",
        swap(SEEK, "file.seek(place.begin)"),
        caught_by=EACH,
        explanation="""Offsets are taken as places in the file, and so the numbers are read from the header's text. They are
        counted from another place.""",
    ),
    mistake(
        "offsets from the start of the header",
        swap(SEEK, "file.seek(8 + place.begin)"),
        caught_by=EACH,
        explanation="""The length's eight bytes are skipped, the header is not. Offsets count from its end.""",
    ),
    mistake(
        "the length's own bytes forgotten",
        swap(SEEK, "file.seek(start - 8 + place.begin)"),
        caught_by=EACH,
        explanation="""The header is skipped, but not the eight bytes before it, so every tensor begins eight bytes too
        early. Both stand before the numbers.""",
    ),
    mistake(
        "one tensor after the other",
        swap(SORT, ""),
        swap(TAKEN, "if place.end > room:"),
        swap(SEEK, "file.seek(start + sum(other.end - other.begin for other in places[: places.index(place)]))"),
        caught_by=ORDER,
        explanation="""Tensors are read one after the other in the order of the header, and their offsets are not looked at.
        The numbers may lie in another order than the names.""",
    ),
    mistake(
        "in the order of the names",
        swap(SEEK, "file.seek(start + sum(p.end - p.begin for p in places if p.name < place.name))"),
        caught_by=ORDER,
        explanation="""The numbers are taken to lie in the order of the names. Where they lie is what the offsets say.""",
    ),
    mistake(
        "the header must be in order",
        swap(SORT, ""),
        caught_by=ORDER,
        explanation="""A file is refused whose header names tensors in another order than their bytes lie in. That is a
        right file: only gaps and overlaps are wrong.""",
    ),
    mistake(
        "without the spaces",
        swap(START, "return header, 8 + len(text.rstrip())"),
        caught_by=SPACES,
        explanation="""Spaces behind the JSON are not counted, and the numbers are looked for where they are not yet. The
        length says where the header ends, spaces and all.""",
    ),
    mistake(
        "the numbers begin at a multiple of eight",
        swap(START, "return header, 8 + length + -length % 8"),
        caught_by=EACH,
        explanation="""The start of the numbers is rounded up to a multiple of 8. Writers usually fill up the header with spaces,
        and those are part of its length; where they do not, the numbers follow at once.""",
    ),
    mistake(
        "the length of the text in characters",
        swap(START, "return header, 8 + len(text.decode())"),
        caught_by=ANY_NAME,
        explanation="""The header's length is counted in characters. A character outside ASCII has several bytes, and the
        numbers begin after bytes.""",
    ),
    mistake(
        "the header read as Latin-1",
        swap(PARSE, 'header = json.loads(text.decode("latin-1"), object_pairs_hook=once)'),
        caught_by=ANY_NAME,
        explanation="""Each byte of the header is taken for a character, so names outside ASCII come out garbled. JSON is
        UTF-8.""",
    ),
    mistake(
        "the header read as ASCII",
        swap(PARSE, 'header = json.loads(text.decode("ascii"), object_pairs_hook=once)'),
        caught_by=ANY_NAME,
        explanation="""The header is decoded as ASCII, and a name with any other character is refused. JSON is UTF-8.""",
    ),
    mistake(
        "unreadable bytes are dropped",
        swap(PARSE, 'header = json.loads(text.decode(errors="ignore"), object_pairs_hook=once)'),
        caught_by=NOT_TEXT,
        explanation="""Bytes of the header that are no UTF-8 are left out in silence, or replaced. A header that is damaged should be
        refused.""",
    ),
    mistake(
        "names are trimmed",
        swap(KEEP, "tensors[place.name.strip()] = flat.reshape(place.shape)"),
        caught_by=ANY_NAME,
        explanation="""Spaces around a name are cut off, so it comes back as another. A name is any text and stays as it
        is.""",
    ),
    mistake(
        "the end taken for a length",
        swap(NUMBERS, "numbers = bytearray(place.end)"),
        caught_by=ORDER,
        explanation="""As many bytes are read as the second offset says, from the first one on. It is the byte behind the last,
        no length.""",
    ),
    mistake(
        "one buffer for all",
        swap(
            PLACES, PLACES + "\n    shared = bytearray(max((place.end - place.begin for place in places), default=0))"
        ),
        swap(NUMBERS, "numbers = memoryview(shared)[: place.end - place.begin]"),
        caught_by=ORDER,
        explanation="""One buffer is used for all tensors, one after the other. torch.frombuffer does not copy, so all of them
        show what was read last.""",
    ),
    mistake(
        "all names that begin with underscores are left out",
        swap(METADATA, '        if not name.startswith("__"):\n'),
        caught_by=ANY_NAME,
        explanation="""Every name that begins like `__metadata__` is left out, and its bytes belong to nobody. Only this name is kept
        for something else.""",
    ),
    # Step 1: what the numbers are
    mistake(
        "bfloat16 read as float16",
        swap(TYPES, '    "BF16": torch.float16,\n'),
        caught_by=EACH,
        explanation="""BF16 and F16 both have sixteen bits, but not the same ones for the exponent: 1.0 in the file comes out
        as 1.875. BF16 is the upper half of a float32.""",
    ),
    mistake(
        "bfloat16 comes as whole numbers",
        swap(TYPES, '    "BF16": torch.int16,\n'),
        caught_by=EACH,
        explanation="""The sixteen bits of a bfloat16 are read as a whole number and left so. They are the upper half of a
        float32.""",
    ),
    mistake(
        "bfloat16 comes as float32",
        swap(
            KEEP,
            KEEP
            + "\n            if place.dtype == torch.bfloat16:\n                tensors[place.name] = tensors[place.name].float()",
        ),
        caught_by=EACH,
        explanation="""Numbers of sixteen bits are widened to float32, which is asked for nowhere and takes twice the memory. A
        tensor has the dtype that its file says.""",
    ),
    mistake(
        "sixteen bits come as float32",
        swap(
            KEEP,
            KEEP
            + "\n            if place.dtype in (torch.float16, torch.bfloat16):\n                tensors[place.name] = tensors[place.name].float()",
        ),
        caught_by=EACH,
        explanation="""Both kinds of sixteen bits are widened to float32, which is asked for nowhere and takes twice the memory.
        A tensor has the dtype that its file says.""",
    ),
    mistake(
        "everything comes as float32",
        swap(KEEP, "tensors[place.name] = flat.reshape(place.shape).float()"),
        caught_by=EACH,
        explanation="""Every tensor is converted to float32. Whole numbers beyond 16,777,216 and doubles lose digits, and the
        caller cannot tell what the file held.""",
    ),
    mistake(
        "everything is read as float32",
        swap(FLAT, "flat = torch.frombuffer(numbers, dtype=torch.float32) if numbers else torch.empty(0)"),
        caught_by=EACH,
        explanation="""The bytes of every tensor are read as float32, whatever its entry says. The same bytes are other
        numbers in another dtype.""",
    ),
    mistake(
        "all floats become float32",
        swap(
            KEEP,
            KEEP
            + "\n            if place.dtype.is_floating_point:\n                tensors[place.name] = tensors[place.name].to(torch.get_default_dtype())",
        ),
        caught_by=EACH,
        explanation="""All numbers with a fraction are converted to float32, or to torch's default dtype. A tensor has the dtype that
        its file says.""",
    ),
    mistake(
        "bool read as uint8",
        swap('    "BOOL": torch.bool,\n', '    "BOOL": torch.uint8,\n'),
        caught_by=EACH,
        explanation="""BOOL comes back as bytes of 0 and 1. It has a dtype of its own, torch.bool, whose entries take a byte
        too.""",
    ),
    mistake(
        "I8 and U8 exchanged",
        swap('    "I8": torch.int8,\n    "U8": torch.uint8,\n', '    "I8": torch.uint8,\n    "U8": torch.int8,\n'),
        caught_by=EACH,
        explanation="""Signed and unsigned bytes are exchanged, so that −1 becomes 255. I has a sign, U has none.""",
    ),
    mistake(
        "I8 is unsigned",
        swap('    "I8": torch.int8,\n', '    "I8": torch.uint8,\n'),
        caught_by=EACH,
        explanation="""I8 is read as bytes without a sign, and −1 becomes 255. I stands for a number with a sign.""",
    ),
    mistake(
        "U8 is signed",
        swap('    "U8": torch.uint8,\n', '    "U8": torch.int8,\n'),
        caught_by=EACH,
        explanation="""U8 is read as bytes with a sign, and 255 becomes −1. U stands for a number without one.""",
    ),
    mistake(
        "F16 read as bfloat16",
        swap('    "F16": torch.float16,\n', '    "F16": torch.bfloat16,\n'),
        caught_by=EACH,
        explanation="""F16 is read as bfloat16, which spends its sixteen bits otherwise: eight of them on the exponent where F16
        has five. The numbers come out wrong by many orders of magnitude.""",
    ),
    mistake(
        "F64 is unknown",
        swap('    "F64": torch.float64,\n', ""),
        caught_by=EACH,
        explanation="""Double precision is refused as an unknown dtype. It is one of the ten.""",
    ),
    mistake(
        "bfloat16 is unknown",
        swap(TYPES, ""),
        caught_by=EACH,
        explanation="""BF16 is refused as an unknown dtype. numpy does not have it, torch does, and most newer files are
        full of it.""",
    ),
    mistake(
        "small whole numbers are unknown",
        swap('    "I16": torch.int16,\n', ""),
        caught_by=EACH,
        explanation="""I16 is refused as an unknown dtype. It is one of the ten.""",
    ),
    mistake(
        "bool is unknown",
        swap('    "BOOL": torch.bool,\n', ""),
        caught_by=EACH,
        explanation="""BOOL is refused as an unknown dtype. It is one of the ten: older files keep masks in it.""",
    ),
    mistake(
        "floats only",
        swap(ENTRY, ENTRY + '\n        if not dtype.is_floating_point:\n            raise ValueError("no float")'),
        caught_by=EACH,
        explanation="""Whole numbers are refused, since weights have fractions. A file may hold positions or masks, and they are
        tensors as well.""",
    ),
    mistake(
        "flat tensors",
        swap(KEEP, "tensors[place.name] = flat"),
        caught_by=EACH,
        explanation="""The numbers are right, but stand in a single row. The entry says what shape they have.""",
    ),
    mistake(
        "the shape backwards",
        swap(KEEP, "tensors[place.name] = flat.reshape(place.shape[::-1])"),
        caught_by=EACH,
        explanation="""The shape is taken from its end, as Fortran would. The last dimension is the one whose entries lie side by
        side.""",
    ),
    mistake(
        "columns first",
        swap(KEEP, "tensors[place.name] = flat.reshape(place.shape[::-1]).permute(*range(len(place.shape))[::-1])"),
        caught_by=EACH,
        explanation="""The numbers are laid down column by column. The file has them row by row: the last dimension changes
        fastest.""",
    ),
    mistake(
        "a number becomes a row",
        swap(KEEP, "tensors[place.name] = flat.reshape(place.shape or [1])"),
        caught_by=ANY_SHAPE,
        explanation="""A tensor without dimensions comes back as a row of one number. The shape [] is a shape like others.""",
    ),
    mistake(
        "ones are squeezed out",
        swap(KEEP, "tensors[place.name] = flat.reshape(place.shape).squeeze()"),
        caught_by=ANY_SHAPE,
        explanation="""Dimensions of size 1 are dropped. A shape is what the entry says, ones included.""",
    ),
    mistake(
        "nothing cannot be read",
        swap(FLAT, "flat = torch.frombuffer(numbers, dtype=place.dtype)"),
        caught_by=ANY_SHAPE,
        explanation="""torch.frombuffer refuses a buffer without bytes, so a tensor without numbers stops everything. Such
        tensors need a way of their own.""",
    ),
    mistake(
        "empty tensors are left out",
        swap(SEEK, "if place.begin == place.end:\n                continue\n            " + SEEK),
        caught_by=ANY_SHAPE,
        explanation="""A tensor without numbers is left out. It has a name, a dtype and a shape, and whoever asks for it should
        find it.""",
    ),
    mistake(
        "an empty tensor loses its shape",
        swap(KEEP, "tensors[place.name] = flat.reshape(place.shape) if numbers else flat"),
        caught_by=ANY_SHAPE,
        explanation="""A tensor without numbers comes back with the shape (0,). (3, 0) and (0, 3) are shapes like others.""",
    ),
    mistake(
        "metadata is a tensor",
        swap(METADATA, "        if True:\n"),
        caught_by=NO_TENSOR,
        explanation="""`__metadata__` is taken for a tensor, and has no dtype. It holds texts about the file.""",
    ),
    mistake(
        "metadata comes along",
        swap(
            "    return tensors\n",
            '    if "__metadata__" in header:\n        tensors["__metadata__"] = header["__metadata__"]\n    return tensors\n',
        ),
        caught_by=NO_TENSOR,
        explanation="""`__metadata__` stands in the result among the tensors. Whoever goes through them finds a dict.""",
    ),
    mistake(
        "a file without tensors is refused",
        swap(SORT, SORT + '    if not places:\n        raise WeightsError(f"{path}: no tensors")\n'),
        caught_by=NO_TENSORS,
        explanation="""A file that holds no tensors is refused. It is a right file, and what it holds is an empty dict.""",
    ),
    mistake(
        "metadata is expected",
        swap(PLACES, 'header.pop("__metadata__")\n    ' + PLACES),
        caught_by=EACH,
        explanation="""`__metadata__` is taken out of the header, and it is an error where there is none. A file need not have
        it.""",
    ),
    mistake(
        "the file is in memory twice",
        swap(SEEK, "file.seek(start)\n            whole = file.read()"),
        swap(NUMBERS, "numbers = bytearray(whole[place.begin : place.end])"),
        swap(INTO, ""),
        caught_by=ONCE,
        explanation="""The whole file is read, and then every tensor copied out of it, so all numbers are in memory twice. For
        a file of half a gigabyte that is a gigabyte.""",
    ),
    mistake(
        "each tensor is copied once more at the end",
        swap("    return tensors\n", "    return {name: tensor.clone() for name, tensor in tensors.items()}\n"),
        caught_by=ONCE,
        explanation="""All tensors are copied once more after reading, and for that time everything is in memory twice.""",
    ),
    mistake(
        "read as a list of numbers",
        swap(
            FLAT,
            FLAT
            + "\n            if place.dtype == torch.float32:\n                flat = torch.tensor(flat.tolist(), dtype=torch.float32)",
        ),
        caught_by=ONCE,
        explanation="""The numbers go through a Python list, where each takes more than thirty bytes. Bytes can be handed to torch as
        they are.""",
    ),
    mistake(
        "a path has to be a text",
        swap("    header, start = read_header(path)\n", '    header, start = read_header("./" + path)\n'),
        caught_by=PATHS,
        explanation="""Something is put together with the path as with a text, or it is put before whole paths. It may be a Path, and
        whole or not.""",
    ),
    # Step 1: what is damaged
    mistake(
        "one of Python's own errors",
        swap(
            ERROR
            + '    """Weights that cannot be read or do not fit; the message names the file or the key, and the tensor."""\n',
            "WeightsError = ValueError\n",
        ),
        caught_by=OWN_ERROR,
        explanation="""WeightsError is another name of one of Python's own errors. Whoever catches it would catch others with
        it.""",
    ),
    mistake(
        "the error does not name the file",
        swap(TOO_LONG_SAYS, 'raise WeightsError(f"a header of {length} bytes in a file of {size}")'),
        caught_by=CUT,
        explanation="""The message does not say which file is damaged. Models come in several.""",
    ),
    mistake(
        "bytes at the end are left over",
        swap(LEFT, "    if taken > room:\n"),
        caught_by=CUT,
        explanation="""Bytes behind the last tensor are ignored. They belong to no tensor: the file is not what its header
        says.""",
    ),
    mistake(
        "the last tensor may end beyond the file",
        swap(TAKEN, "if place.begin != taken:"),
        swap(LEFT, "    if taken < room:\n"),
        caught_by=CUT,
        explanation="""Nobody looks whether the file is long enough, so what it lacks becomes zeros. A model then speaks
        nonsense, and nothing says why.""",
    ),
    mistake(
        "a tensor's fault is called the file's",
        swap(TAKEN, "if place.begin != taken:"),
        caught_by=OWNERS,
        explanation="""Where a tensor goes beyond the file, the error says so without the tensor's name. With 148 of them,
        nobody finds it.""",
    ),
    mistake(
        "JSON's own error",
        swap(NO_JSON, "    except ZeroDivisionError as error:\n        raise WeightsError(path) from error\n"),
        caught_by=NOT_JSON,
        explanation="""A header that is no JSON raises the error of Python's json. Whoever reads weights waits for a
        WeightsError, with the file.""",
    ),
    mistake(
        "only JSON's errors are caught",
        swap(NO_JSON, NO_JSON.replace("except ValueError", "except json.JSONDecodeError")),
        caught_by=NOT_TEXT,
        explanation="""What is no JSON is caught, but what is no UTF-8 raises a UnicodeDecodeError before. Both are a damaged
        header.""",
    ),
    mistake(
        "any JSON is a header",
        swap(NO_OBJECT, ""),
        caught_by=NOT_JSON,
        explanation="""A header that is a list or a number is taken on, and fails later with an error about something else. It
        has to be an object.""",
    ),
    mistake(
        "a header without names is refused",
        swap("if not isinstance(header, dict):", "if not isinstance(header, dict) or not header:"),
        caught_by=NO_TENSORS,
        explanation="""An empty object is refused as a header. A file may hold no tensors.""",
    ),
    mistake(
        "the error of a dict",
        swap(UNREADABLE, UNREADABLE.replace("(KeyError, TypeError, ValueError)", "(TypeError, ValueError)")),
        caught_by=LACKS,
        explanation="""An entry that lacks its dtype, shape or offsets raises a KeyError, and so does an unknown dtype. Whoever
        reads weights waits for a WeightsError, with file and name.""",
    ),
    mistake(
        "an unknown dtype passes for float32",
        swap(ENTRY, ENTRY.replace('DTYPES[entry["dtype"]]', 'DTYPES.get(entry["dtype"], torch.float32)')),
        caught_by=LACKS,
        explanation="""A dtype that is not known is read as float32. Those bytes are other numbers; an error is the only right
        answer.""",
    ),
    mistake(
        "unknown dtypes are skipped",
        swap(
            METADATA,
            '        if name != "__metadata__" and (not isinstance(entry, dict) or entry.get("dtype") in DTYPES):\n',
        ),
        swap(TAKEN, "if place.begin < taken or place.end > room:"),
        swap(LEFT, "    if taken > room:\n"),
        caught_by=LACKS,
        explanation="""Tensors that cannot be read are skipped in silence. The model then keeps random numbers in
        their place.""",
    ),
    mistake(
        "the name is not named",
        swap(NAMED, 'raise WeightsError(f"{path}: {error}") from error'),
        caught_by=LACKS,
        explanation="""The error does not say which tensor it is about. A file has hundreds.""",
    ),
    mistake(
        "an entry may be anything",
        swap(UNREADABLE, UNREADABLE.replace("(KeyError, TypeError, ValueError)", "(KeyError, ValueError)")),
        caught_by=NOT_OBJECT,
        explanation="""An entry that is a text, a list or null raises a TypeError. Whoever reads weights waits for a
        WeightsError, with file and name.""",
    ),
    mistake(
        "the shape is not held against the bytes",
        swap(FITS, "if False:"),
        caught_by=BAD_SHAPE,
        explanation="""A shape that does not fit the bytes is noticed only when the tensor is put into it, by an error of
        torch's. The entry itself tells: shape and dtype say how many bytes there have to be.""",
    ),
    mistake(
        "the shape may be smaller",
        swap(FITS, "if math.prod(shape) * dtype.itemsize > end - begin:"),
        swap(KEEP, "tensors[place.name] = flat[: math.prod(place.shape)].reshape(place.shape)"),
        caught_by=BAD_SHAPE,
        explanation="""A shape with fewer numbers than there are bytes is taken on, and the others are dropped. Shape and bytes
        have to agree.""",
    ),
    mistake(
        "negative sizes cancel out",
        swap(WHOLE, "if not all(type(number) is int for number in [*shape, begin, end]) or begin < 0:"),
        swap(KEEP, "tensors[place.name] = flat.reshape([abs(side) for side in place.shape])"),
        caught_by=BAD_SHAPE,
        explanation="""Two negative sizes make a product that fits. A size is 0 or more.""",
    ),
    mistake(
        "fractions pass for sizes",
        swap(WHOLE, "if not all(number >= 0 and int(number) == number for number in [*shape, begin, end]):"),
        swap(
            "    return Place(name, dtype, shape, begin, end)\n",
            "    return Place(name, dtype, [int(side) for side in shape], int(begin), int(end))\n",
        ),
        caught_by=BAD_SHAPE,
        explanation="""A size of 2.0, or of another type, is turned into a whole number or falls over. The file's sizes are whole numbers;
        whatever else stands there is damage.""",
    ),
    mistake(
        "the numbers are not looked at",
        swap(
            '    if not all(type(number) is int and number >= 0 for number in [*shape, begin, end]):\n        raise ValueError(f"shape {shape} and offsets {begin}, {end} should be whole numbers from 0")\n',
            "",
        ),
        caught_by=BAD_SHAPE,
        explanation="""That sizes and offsets are whole numbers from 0 is taken for granted. Negative sizes, fractions and texts
        come through, or fall over later.""",
    ),
    mistake(
        "the same bytes twice",
        swap(TAKEN, "if place.begin > taken or place.end > room:"),
        swap("        taken = place.end\n", "        taken = max(taken, place.end)\n"),
        caught_by=OWNERS,
        explanation="""Two tensors may have the same bytes. Each byte belongs to one tensor; an overlap is damage, or
        somebody's trick.""",
    ),
    mistake(
        "holes are allowed",
        swap(TAKEN, "if place.begin < taken or place.end > room:"),
        caught_by=OWNERS,
        explanation="""Bytes between two tensors may belong to neither. In a right file there are none: something could hide
        there.""",
    ),
    mistake(
        "a hole at the start is allowed",
        swap("    taken = 0\n", "    taken = places[0].begin if places else 0\n"),
        caught_by=OWNERS,
        explanation="""The first tensor may begin anywhere. The first byte behind the header belongs to a tensor.""",
    ),
    mistake(
        "only the sum is looked at",
        swap(TAKEN, "if place.end > room:"),
        swap("        taken = place.end\n", "        taken += place.end - place.begin\n"),
        caught_by=OWNERS,
        explanation="""Only whether all bytes together are as many as the file has is looked at. A hole and an overlap of one size make
        up for each other.""",
    ),
    mistake(
        "neither holes nor overlaps are looked for",
        swap(TAKEN, "if place.end > room:"),
        swap(LEFT, "    if max([0, *(place.end for place in places)]) != room:\n"),
        caught_by=OWNERS,
        explanation="""Only the last byte is looked at. Two tensors on the same bytes, or bytes between two that belong to neither,
        go unnoticed.""",
    ),
    mistake(
        "offsets the wrong way round pass",
        swap(
            ENTRY,
            'dtype, shape, (begin, end) = DTYPES[entry["dtype"]], list(entry["shape"]), sorted(entry["data_offsets"])',
        ),
        caught_by=OFFSETS,
        explanation="""The two offsets are put in order before they are looked at. An end before its start is damage.""",
    ),
    mistake(
        "only the first two offsets count",
        swap(ENTRY, ENTRY.replace('entry["data_offsets"]', 'entry["data_offsets"][:2]')),
        caught_by=OFFSETS,
        explanation="""Of three offsets the first two are taken. There are two; any other number of them is damage.""",
    ),
    mistake(
        "the last of two names wins",
        swap(TWICE, ""),
        caught_by=SAME_NAME,
        explanation="""Where a name stands in the header twice, the second takes the first one's place, as in any dict. Two readers of the
        file could then see two different models.""",
    ),
    mistake(
        "twice is taken for no JSON",
        swap(
            '                raise WeightsError(f"{path}: {name} stands there twice")\n',
            '                raise ValueError("a name stands there twice")\n',
        ),
        caught_by=SAME_NAME,
        explanation="""A name that stands there twice is refused, but the error does not say which it is.""",
    ),
    mistake(
        "the length is believed",
        swap(TOO_LONG, "if len(beginning) < 8:"),
        caught_by=PROMISE,
        explanation="""As many bytes are read as the length says, and nobody looks whether the file has them. A damaged length can ask for
        more memory than there is.""",
    ),
    mistake(
        "no limit for the header",
        swap(TOO_LONG, "if len(beginning) < 8 or length > size - 8:"),
        caught_by=PROMISE,
        explanation="""A header may be as long as the file. More than 100 MB of names is no model, but somebody who would like to see
        a program run out of memory.""",
    ),
    mistake(
        "the limit is above 100 MB",
        swap("LONGEST_HEADER = 100_000_000  # bytes", "LONGEST_HEADER = 100 * 1024 * 1024"),
        caught_by=PROMISE,
        explanation="""The limit is counted in units of 1,048,576 bytes. 100 MB are 100,000,000 bytes.""",
    ),
    mistake(
        "memory is taken before looking",
        swap(ENTRY, ENTRY + "\n        bytearray(min(end - begin, 10**9))"),
        caught_by=PROMISE,
        explanation="""Memory is taken for what an entry promises before anybody has looked whether the file has so many bytes. A
        damaged entry can promise terabytes.""",
    ),
    # Step 2: the configuration
    mistake(
        "the context from n_ctx",
        swap(CONTEXT, 'context_length=config["n_ctx"],'),
        caught_by=SIZES,
        explanation="""The context length is looked for under n_ctx. Newer files do not have it, and the models themselves use another
        key.""",
    ),
    mistake(
        "the context from n_ctx where there is one",
        swap(CONTEXT, 'context_length=config.get("n_ctx", config["n_positions"]),'),
        caught_by=SIZES,
        explanation="""n_ctx is taken where it stands in the file. The table of positions has n_positions rows, whatever n_ctx
        says.""",
    ),
    mistake(
        "heads and layers exchanged",
        swap(N_HEADS, 'num_heads=config["n_layer"],'),
        swap(N_LAYERS, 'num_layers=config["n_head"],'),
        caught_by=SIZES,
        explanation="""n_head and n_layer are exchanged. For GPT-2 small nobody notices: both are 12.""",
    ),
    mistake(
        "context and vocabulary exchanged",
        swap(WORDS, 'vocab_size=config["n_positions"],'),
        swap(CONTEXT, 'context_length=config["vocab_size"],'),
        caught_by=SIZES,
        explanation="""The vocabulary's size and the context length are exchanged. n_positions is how many tokens a text may
        have.""",
    ),
    mistake(
        "width and context exchanged",
        swap(WIDTH, 'emb_dim=config["n_positions"],'),
        swap(CONTEXT, 'context_length=config["n_embd"],'),
        caught_by=SIZES,
        explanation="""Width and context length are exchanged. For GPT-2 medium nobody notices: both are 1024.""",
    ),
    mistake(
        "a head's width for the number of heads",
        swap(N_HEADS, 'num_heads=config["n_embd"] // config["n_head"],'),
        caught_by=SIZES,
        explanation="""n_head is taken for the width of a head, and divided into n_embd. It is their number.""",
    ),
    mistake(
        "heads of 64",
        swap(N_HEADS, 'num_heads=max(config["n_embd"] // 64, 1),'),
        caught_by=SIZES,
        explanation="""The number of heads is worked out from a head's width of 64, which all four published models have. The
        file says it: n_head.""",
    ),
    mistake(
        "GPT-2 small, whatever the file says",
        swap(N_LAYERS, "num_layers=12,"),
        caught_by=SIZES,
        explanation="""The number of layers is that of GPT-2 small. There are four published sizes, and the file says which it
        is.""",
    ),
    mistake(
        "the vocabulary is always GPT-2's",
        swap(WORDS, "vocab_size=50257,"),
        caught_by=SIZES,
        explanation="""The vocabulary has 50,257 tokens, whatever the file says. Models with other words have the same kind of
        configuration.""",
    ),
    mistake(
        "no biases",
        swap(BIASES, "qkv_bias=False,"),
        caught_by=CHOICES,
        explanation="""The projections of query, key and value get no biases. GPT-2 has them, and what c_attn.bias
        holds would have no place.""",
    ),
    mistake(
        "the head is not tied",
        swap(TIE, "tie_weights=False,"),
        caught_by=CHOICES,
        explanation="""The head gets a weight of its own: 38,597,376 numbers more in GPT-2 small. In GPT-2 it is the token
        embedding.""",
    ),
    mistake(
        "neither biases nor a tied head",
        swap(BIASES, "qkv_bias=False,"),
        swap(TIE, "tie_weights=False,"),
        caught_by=CHOICES,
        explanation="""Biases and the tied head are left at GPTConfig's defaults. GPT-2 has both.""",
    ),
    mistake(
        "everything else by default",
        swap("        " + DROPOUT + "\n        " + BIASES + "\n        " + TIE + "\n", ""),
        caught_by=CHOICES,
        explanation="""Only the sizes are set. By default there are no biases, the head is not tied, and a tenth is dropped in
        training; a published GPT-2 wants all three otherwise.""",
    ),
    mistake(
        "tied where the file says so",
        swap(TIE, 'tie_weights=config.get("tie_word_embeddings", False),'),
        caught_by=CHOICES,
        explanation="""The head is tied only where the file says so. The published files of GPT-2 say nothing: for them it goes without
        saying.""",
    ),
    mistake(
        "dropout by default",
        swap("        " + DROPOUT + "\n", ""),
        caught_by=CHOICES,
        explanation="""Dropout is left at GPTConfig's default, 0.1. What comes finished from a file is to be used: nothing is
        dropped.""",
    ),
    mistake(
        "the file's dropout",
        swap(DROPOUT, 'dropout=config.get("resid_pdrop", 0.0),'),
        caught_by=CHOICES,
        explanation="""The dropout with which the model was trained is taken over. What comes finished from a file is to be used:
        nothing is dropped.""",
    ),
    mistake(
        "a missing size is a KeyError",
        swap(SIZES_MISSING, ""),
        caught_by=SIZE_MISSING,
        explanation="""A configuration without one of the sizes raises a KeyError. Whoever loads weights waits for a
        WeightsError.""",
    ),
    mistake(
        "a missing size is GPT-2 small's",
        swap(
            SIZES_MISSING,
            '    small = {"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12}\n    config = small | config\n',
        ),
        caught_by=SIZE_MISSING,
        explanation="""A size that is missing is taken from GPT-2 small. A file that lacks one is damaged, or one of another
        model.""",
    ),
    mistake(
        "which size is missing is not said",
        swap(LACKING, 'raise WeightsError("a size is missing")'),
        caught_by=SIZE_MISSING,
        explanation="""The error does not say which of the sizes is missing.""",
    ),
    mistake(
        "the activation is not looked at",
        swap(ACTIVATION, ""),
        caught_by=SOMETHING_ELSE,
        explanation="""A model with any activation is taken on and computed with the tanh form of GELU. Its weights were trained for
        another function, and its text would be a little worse, or nonsense.""",
    ),
    mistake(
        "gelu for gelu_new",
        swap(OTHERWISE, 'if config.get(key) is not None and config[key] not in (value, "gelu"):'),
        caught_by=SOMETHING_ELSE,
        explanation="""gelu is taken for gelu_new. The first is the exact form, the second the tanh form that k08 has: they differ in
        the fourth digit, in every layer.""",
    ),
    mistake(
        "gelu instead of gelu_new",
        swap(ACTIVATION, ACTIVATION.replace("gelu_new", "gelu")),
        caught_by=SIZES,
        explanation="""The exact form of GELU is expected, and GPT-2's own configuration is refused. gelu_new is the tanh form, the
        one k08 has.""",
    ),
    mistake(
        "epsilon is not looked at",
        swap(EPSILON, ""),
        caught_by=SOMETHING_ELSE,
        explanation="""A model whose norms have another epsilon is taken on, and computed with 1e-5. It would compute something
        else than it was trained to.""",
    ),
    mistake(
        "the inner width is not looked at",
        swap(INNER, ""),
        caught_by=SOMETHING_ELSE,
        explanation="""n_inner is not looked at. The feed-forward layer of k08 is four times as wide as the model; weights of another width have
        no place there.""",
    ),
    mistake(
        "the scales of attention are not looked at",
        swap(SCALED, ""),
        swap(BY_LAYER, ""),
        caught_by=SOMETHING_ELSE,
        explanation="""Whether scores are divided by √d, and by the number of the layer besides, is not looked at. The GPT of k10
        divides by √d alone.""",
    ),
    mistake(
        "nothing is looked at but the sizes",
        swap(OTHERWISE, "if False:"),
        caught_by=SOMETHING_ELSE,
        explanation="""What the model computes is not looked at: activation, epsilon, inner width, scales. Weights of another function
        fit into the same shapes, and nothing would say that the text is wrong.""",
    ),
    mistake(
        "what is wrong is not said",
        swap(OTHERWISE_SAYS, 'raise WeightsError("this is another model")'),
        caught_by=SOMETHING_ELSE,
        explanation="""The error does not say which entry of the configuration asks for something else.""",
    ),
    mistake(
        "None is another value",
        swap(OTHERWISE, "if key in config and config[key] != value:"),
        caught_by=SIZES,
        explanation="""null in the file is taken for a value that differs. It says that nobody chose: n_inner: null is four times the
        width.""",
    ),
    mistake(
        "all keys must be there",
        swap(OTHERWISE, "if config.get(key) != value:"),
        caught_by=SIZES,
        explanation="""The configuration has to name what goes without saying. The published files of GPT-2 do not have n_inner, nor
        the scales.""",
    ),
    # Step 3: where the numbers belong
    mistake(
        "no transposition",
        swap(TURNED, 'places[f"h.{number}.{name}.weight"] = [part.weight for part in parts]'),
        caught_by=PLAIN,
        explanation="""Matrices are expected as nn.Linear has them, and the first that is not square is refused. The file
        has them as (in, out), and nn.Linear as (out, in).""",
    ),
    mistake(
        "pressed into shape",
        swap(
            COPY,
            "            linear = '.c_' in name and part.ndim == 2\n            part = part.t() if linear else part\n            part.copy_(values.reshape(part.shape))\n",
        ),
        caught_by=SIDE_BY_SIDE,
        explanation="""Matrices are not turned but pressed into the shape that is needed. The numbers then stand in other rows and
        columns; the file has them as (in, out), and nn.Linear as (out, in).""",
    ),
    mistake(
        "pressed into shape, all but c_attn",
        swap(
            COPY,
            "            linear = '.c_' in name and len(parts) == 1 and part.ndim == 2\n            part = part.t() if linear else part\n            part.copy_(values.reshape(part.shape))\n",
        ),
        caught_by=MATRICES,
        explanation="""c_proj and c_fc are not turned but pressed into the shape that is needed. The numbers then stand in other rows
        and columns; the file has them as (in, out), and nn.Linear as (out, in).""",
    ),
    mistake(
        "square matrices are not turned",
        swap(
            COPY,
            "            square = name.endswith('attn.c_proj.weight')\n            part.copy_(values.T if square else values)\n",
        ),
        caught_by=MATRICES,
        explanation="""Only matrices whose shape does not fit are turned. c_proj of attention is square and stored the same way
        round as the others: a shape does not tell.""",
    ),
    mistake(
        "no square matrix is turned",
        swap(
            COPY,
            "            square = name.endswith(('attn.c_proj.weight', 'c_attn.weight'))\n            part.copy_(values.T if square else values)\n",
        ),
        caught_by=SIDE_BY_SIDE,
        explanation="""Matrices are turned only where their shape does not fit otherwise. Those of attention are square and
        stored the same way round as the others: a shape does not tell.""",
    ),
    mistake(
        "the parts of c_attn are not turned",
        swap(COPY, "            part.copy_(values.T if len(parts) == 3 and values.ndim == 2 else values)\n"),
        caught_by=SIDE_BY_SIDE,
        explanation="""Query, key and value are cut out rightly, and put in as they lie. Each is square, so that nothing
        falls over, and each has to be turned.""",
    ),
    mistake(
        "the embeddings are turned too",
        swap(
            SHORT,
            SHORT
            + '\n    weights = {name: each.T.reshape(each.shape) if name == "wte.weight" else each for name, each in weights.items()}',
        ),
        caught_by=PLAIN,
        explanation="""The token embedding is turned as well. It is a table, no matrix that something is multiplied with: a row is a
        token, in the file as in nn.Embedding.""",
    ),
    mistake(
        "key, query, value",
        swap(THREE, '"attn.c_attn": [attention.W_key, attention.W_query, attention.W_value],'),
        caught_by=SIDE_BY_SIDE,
        explanation="""c_attn is taken to hold keys, queries and values. The scores of a pair of tokens are then those of the
        pair the other way round.""",
    ),
    mistake(
        "query, value, key",
        swap(THREE, '"attn.c_attn": [attention.W_query, attention.W_value, attention.W_key],'),
        caught_by=SIDE_BY_SIDE,
        explanation="""c_attn is taken to hold queries, values and keys. The last third are the values.""",
    ),
    mistake(
        "value, key, query",
        swap(THREE, '"attn.c_attn": [attention.W_value, attention.W_key, attention.W_query],'),
        caught_by=SIDE_BY_SIDE,
        explanation="""c_attn is taken from its end. The first third are the queries.""",
    ),
    mistake(
        "split along rows",
        swap(
            COPYING,
            COPYING.replace(
                "            part.copy_(values)",
                "            if len(parts) == 3 and values.ndim == 2:\n                values = weights[name].reshape(3, *values.shape)[[part is each for each in parts].index(True)]\n            part.copy_(values)",
            ),
        ),
        caught_by=SIDE_BY_SIDE,
        explanation="""c_attn is cut into three along its rows, and pressed into shape. Query, key and value lie side by side in its columns.""",
    ),
    mistake(
        "every third column",
        swap(
            COPYING,
            COPYING.replace(
                "            part.copy_(values)",
                "            if len(parts) == 3:\n                values = weights[name][..., [part is each for each in parts].index(True) :: 3]\n            part.copy_(values)",
            ),
        ),
        caught_by=SIDE_BY_SIDE,
        explanation="""Query, key and value are taken to alternate, column by column. Each lies in one block of D columns.""",
    ),
    mistake(
        "head by head",
        swap(
            COPYING,
            COPYING.replace(
                "            part.copy_(values)",
                "            if len(parts) == 3:\n                at = [part is each for each in parts].index(True)\n                h = model.config.num_heads\n                values = weights[name].unflatten(-1, (h, 3, -1))[..., at, :].flatten(-2)\n            part.copy_(values)",
            ),
        ),
        caught_by=SIDE_BY_SIDE,
        explanation="""Query, key and value are taken to lie side by side within each head, as some models have them. GPT-2 has all queries first, then all
        keys, then all values.""",
    ),
    mistake(
        "one of the three for all",
        swap(
            COPYING,
            COPYING.replace(
                "            part.copy_(values)", "            part.copy_(weights[name][..., : part.shape[-1]])"
            ),
        ),
        caught_by=SIDE_BY_SIDE,
        explanation="""Query, key and value all get the first third of c_attn. Each has a third of its own.""",
    ),
    mistake(
        "the bias of c_attn is not split in order",
        swap(BIAS, 'places[f"h.{number}.{name}.bias"] = [part.bias for part in parts[::-1]]'),
        caught_by=SIDE_BY_SIDE,
        explanation="""The thirds of c_attn's bias go to value, key and query, in this order. They lie in the same order as
        its columns.""",
    ),
    mistake(
        "the biases of c_attn are forgotten",
        swap(COPY, "            if len(parts) == 1 or part.ndim == 2:\n                part.copy_(values)\n"),
        caught_by=SIDE_BY_SIDE,
        explanation="""Query, key and value get their matrices and keep the biases that they had. GPT-2 has biases everywhere but in its
        head.""",
    ),
    mistake(
        "biases are forgotten",
        swap(
            COPY,
            "            if part.ndim == 2 or name.split('.')[-2][:2] == 'ln':\n                part.copy_(values)\n",
        ),
        caught_by=SIDE_BY_SIDE,
        explanation="""All linear layers get their matrices and keep the biases that they had. GPT-2 has biases everywhere but
        in its head.""",
    ),
    mistake(
        "the biases of the norms are forgotten",
        swap(COPY, "            if 'ln_' not in name or 'bias' not in name:\n                part.copy_(values)\n"),
        caught_by=PLAIN,
        explanation="""The norms get their weights and keep the biases that they had. A norm scales and shifts.""",
    ),
    mistake(
        "the biases of the other layers are forgotten",
        swap(
            COPY,
            "            if part.ndim == 2 or len(parts) == 3 or 'ln_' in name:\n                part.copy_(values)\n",
        ),
        caught_by=MATRICES,
        explanation="""c_proj and c_fc give their matrices and not their biases. GPT-2 has biases everywhere but in its
        head.""",
    ),
    mistake(
        "the norms exchanged",
        swap(NORM1, '"ln_1": [block.norm2],'),
        swap(NORM2, '"ln_2": [block.norm1],'),
        caught_by=PLAIN,
        explanation="""ln_1 and ln_2 are exchanged. ln_1 comes before attention, ln_2 before the feed-forward layer.""",
    ),
    mistake(
        "weight and bias of the norms exchanged",
        swap(
            COPY,
            "            part.copy_(weights[name[: -len('weight')] + 'bias'] if 'ln_' in name and name.endswith('weight') else weights[name[: -len('bias')] + 'weight'] if 'ln_' in name else values)\n",
        ),
        caught_by=PLAIN,
        explanation="""A norm's scale gets the file's bias, and its shift the file's weight. Both are rows of D numbers, so that nothing
        falls over.""",
    ),
    mistake(
        "weight and bias of the last norm exchanged",
        swap(FINAL, '    places |= {"ln_f.weight": [norm.bias], "ln_f.bias": [norm.weight]}\n'),
        caught_by=PLAIN,
        explanation="""The last norm's scale gets the file's bias, and its shift the file's weight. Both are rows of D numbers,
        so that nothing falls over.""",
    ),
    mistake(
        "the last norm is forgotten",
        swap(COPY, "            if 'ln_f' not in name:\n                part.copy_(values)\n"),
        caught_by=PLAIN,
        explanation="""The norm before the head keeps the numbers that it had. ln_f belongs to the model, though it is in no
        block.""",
    ),
    mistake(
        "the positions are forgotten",
        swap(COPY, "            if name != 'wpe.weight':\n                part.copy_(values)\n"),
        caught_by=PLAIN,
        explanation="""The table of positions keeps the numbers that it had. wpe is learned like all others.""",
    ),
    mistake(
        "every block gets the first one's weights",
        swap(
            COPYING,
            "source = '.'.join(['h', '0', *name.split('.')[2:]]) if name[:2] == 'h.' else name\n        for part, values in zip(parts, weights[source].split([part.shape[-1] for part in parts], dim=-1)):\n            part.copy_(values)\n",
        ),
        caught_by=PLAIN,
        explanation="""All blocks get the weights of h.0. Each has its own.""",
    ),
    mistake(
        "blocks from the last to the first",
        swap(
            "for number, block in enumerate(model.blocks):", "for number, block in enumerate(reversed(model.blocks)):"
        ),
        caught_by=PLAIN,
        explanation="""The last block gets h.0, and the first the last. h.0 is the one that reads the embedding.""",
    ),
    mistake(
        "only the first block is filled",
        swap(COPY, "            if name[:2] != 'h.' or name.startswith('h.0.'):\n                part.copy_(values)\n"),
        caught_by=PLAIN,
        explanation="""Only the first block gets weights of the file, the others keep what they had.""",
    ),
    mistake(
        "names without a prefix only",
        swap(SHORT, "weights = {name: each for name, each in weights.items() if not name.endswith(masks)}"),
        caught_by=PLAIN,
        explanation="""Names are expected without `transformer.` in front. The published file has them so, but whatever was saved together
        with its head has the prefix.""",
    ),
    mistake(
        "names with a prefix only",
        swap(
            SHORT,
            'weights = {name.split("transformer.")[1]: each for name, each in weights.items() if not name.endswith(masks)}',
        ),
        caught_by=PLAIN,
        explanation="""Names are expected with `transformer.` in front. The published file of GPT-2 has them without.""",
    ),
    mistake(
        "copied without no_grad",
        swap(WITHOUT, "def load_gpt2"),
        caught_by=PLAIN,
        explanation="""Numbers are written into parameters while torch records what is done with them, which it refuses. Loading is
        no part of what is differentiated.""",
    ),
    # Step 3: the head
    mistake(
        "the head is untied",
        swap(COPY, COPY + "    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())\n"),
        caught_by=IS_EMBEDDING,
        explanation="""The head gets a weight of its own. It has the right numbers now, but training would move them apart, and it
        takes memory twice.""",
    ),
    mistake(
        "the head is not in the file",
        swap(REPEATED, "pass"),
        caught_by=PLAIN,
        explanation="""`lm_head.weight` is expected in the file. The published one does not have it: the head is the token
        embedding.""",
    ),
    mistake(
        "the head of an untied model is forgotten",
        swap(HEAD, "places = gpt2_places(model)"),
        swap(REPEATED, 'head = weights.pop("lm_head.weight", weights.get("wte.weight"))'),
        swap(
            'torch.equal(weights["lm_head.weight"], weights["wte.weight"])', 'torch.equal(head, weights["wte.weight"])'
        ),
        caught_by=IS_EMBEDDING,
        explanation="""A model whose head is not tied keeps the head that it had. GPT-2's head is its token embedding, and has to be
        written into both.""",
    ),
    mistake(
        "the head has no place",
        swap(
            REPEATED,
            'if "lm_head.weight" in weights:\n        raise WeightsError("lm_head.weight has no place in the model")\n    '
            + REPEATED,
        ),
        caught_by=IS_EMBEDDING,
        explanation="""`lm_head.weight` in the file is refused. Files that were saved with the head repeat the token
        embedding under this name.""",
    ),
    mistake(
        "a head of its own is ignored",
        swap(REPEATED, 'weights["lm_head.weight"] = weights.get("wte.weight")'),
        caught_by=OWN_HEAD,
        explanation="""Whatever the file has for a head is replaced by the token embedding. Where it has another one, the model would
        say something else than it learned.""",
    ),
    mistake(
        "a tied head is overwritten",
        swap(TIED_CHECK, ""),
        caught_by=OWN_HEAD,
        explanation="""Where head and embedding share one weight, the head's numbers are written over the embedding's, or the other way round. If
        the file has two different tensors, one of them has no place.""",
    ),
    mistake(
        "two tensors for one weight, in any model",
        swap(TIED, "    if not torch.equal"),
        caught_by=OWN_HEAD,
        explanation="""A head that is not the embedding is refused by every model. One that is not tied has a place for it.""",
    ),
    # Step 3: what is left alone
    mistake(
        "masks have no place",
        swap(MASKS, "masks = ()"),
        caught_by=ASIDE,
        explanation="""attn.bias and attn.masked_bias in the file are refused. They are masks, not weights, and older files are full of
        them.""",
    ),
    mistake(
        "masked_bias has no place",
        swap(MASKS, 'masks = ".attn.bias"'),
        caught_by=ASIDE,
        explanation="""attn.bias is left aside and attn.masked_bias is refused. It is the number that masked scores got, no
        weight.""",
    ),
    mistake(
        "names that end in attn.bias",
        swap(MASKS, 'masks = ("attn.bias", "attn.masked_bias")'),
        caught_by=PLAIN,
        explanation="""Every name that ends in attn.bias is left aside. That of c_attn does, too: `h.0.attn.c_attn.bias` is no mask.""",
    ),
    mistake(
        "the mask is copied",
        swap(
            SHORT,
            'for number, block in enumerate(model.blocks):\n        for name, each in weights.items():\n            if name.endswith(f"h.{number}.attn.bias"):\n                block.attention.mask.copy_(each[0, 0] == 1)\n    '
            + SHORT,
        ),
        caught_by=ASIDE,
        explanation="""attn.bias is written into the model's mask. There True stands for what may be seen, here for what may not: the
        model would see nothing but the future.""",
    ),
    mistake(
        "the model becomes float32",
        swap(SHORT, "model.float()\n    " + SHORT),
        caught_by=KEEPS,
        explanation="""The model is converted to float32 before it is filled. Its dtype is its owner's choice.""",
    ),
    mistake(
        "the model becomes what the file is",
        swap(COPY, "            part.copy_(values)\n    model.to(weights['wte.weight'].dtype)\n"),
        caught_by=KEEPS,
        explanation="""The model is converted to the file's dtype. Its dtype is its owner's choice; numbers are converted on their way
        in.""",
    ),
    mistake(
        "the file's tensors become the parameters",
        swap(
            COPY,
            "            if len(parts) == 1 and name.endswith('bias'):\n                part.data = values\n            part.copy_(values)\n",
        ),
        caught_by=KEEPS,
        explanation="""The file's tensors are put in the place of the parameters' own, dtype and all. Parts of a model then have
        another dtype than the rest; numbers are to be copied into what is there.""",
    ),
    mistake(
        "through float16",
        swap(COPY, "            part.copy_(values.half())\n"),
        caught_by=PLAIN,
        explanation="""The numbers pass through sixteen bits on their way and lose digits.""",
    ),
    mistake(
        "everything is frozen",
        swap(SHORT, "model.requires_grad_(False)\n    " + SHORT),
        caught_by=KEEPS,
        explanation="""All parameters are frozen, and the model cannot be trained any further. Loading changes numbers and
        nothing else.""",
    ),
    mistake(
        "what was frozen learns again",
        swap(SHORT, "model.requires_grad_(True)\n    " + SHORT),
        caught_by=FROZEN,
        explanation="""All parameters learn again, those that were frozen too. Loading changes numbers and nothing else.""",
    ),
    mistake(
        "eval mode",
        swap(SHORT, "model.eval()\n    " + SHORT),
        caught_by=FROZEN,
        explanation="""The model is in eval mode afterwards. Loading changes numbers and nothing else; the caller chooses the
        mode.""",
    ),
    mistake(
        "added to what is there",
        swap(COPY, "            part.add_(values)\n"),
        caught_by=PLAIN,
        explanation="""The file's numbers are added to those that the model had. They take their place.""",
    ),
    mistake(
        "the first file is kept",
        swap(SHORT, 'if getattr(model, "loaded", False):\n        return\n    model.loaded = True\n    ' + SHORT),
        caught_by=SECOND,
        explanation="""A model that has been filled once is not filled again. Another file takes the place of the first.""",
    ),
    mistake(
        "gradients are off afterwards",
        swap(WITHOUT, "def load_gpt2"),
        swap(SHORT, "torch.set_grad_enabled(False)\n    " + SHORT),
        caught_by=FROZEN,
        explanation="""Gradients are switched off and not on again, so that nothing can be trained in this program any more.""",
    ),
    mistake(
        "the caller's weights are taken out",
        swap(
            SHORT,
            "for name in [name for name in weights if name.endswith(masks)]:\n        del weights[name]\n    " + SHORT,
        ),
        caught_by=ASIDE,
        explanation="""Masks are deleted from the dict that was handed over. It belongs to the caller, who may want to fill another model
        with it.""",
    ),
    mistake(
        "the caller's matrices are turned in place",
        swap(
            SHORT,
            SHORT
            + '\n    for name, each in weights.items():\n        if ".c_" in name and each.ndim == 2 and len(each) == each.shape[1]:\n            each.copy_(each.T.clone())',
        ),
        swap(
            COPY,
            "            square = name.endswith('attn.c_proj.weight')\n            part.copy_(values.T if square else values)\n",
        ),
        caught_by=PLAIN,
        explanation="""Matrices are turned in place, in the tensors that were handed over. They belong to the caller, and a second model would
        get them the wrong way round.""",
    ),
    # Step 3: what does not fit
    mistake(
        "what is missing stays as it was",
        swap(MISSING, "        if weights.get(name) is None:\n            continue\n"),
        swap(
            "for name, parts in places.items():\n        for part",
            "for name, parts in places.items():\n        if weights.get(name) is None:\n            continue\n        for part",
        ),
        swap(TIED, '    if tied and "wte.weight" in weights and not torch.equal'),
        caught_by=NOT_THERE,
        explanation="""A tensor that the file lacks is passed over, and its parameter keeps random numbers. Nothing says so but the
        text.""",
    ),
    mistake(
        "a missing tensor is a KeyError",
        swap(LOOK, "for name in weights:"),
        caught_by=NOT_THERE,
        explanation="""A tensor that the file lacks is noticed when its turn comes: as a KeyError, and after other parameters have been
        filled.""",
    ),
    mistake(
        "which tensor is missing is not said",
        swap(MISSING_SAYS, 'raise WeightsError("a tensor is missing")'),
        caught_by=NOT_THERE,
        explanation="""The error does not say which tensor is missing.""",
    ),
    mistake(
        "what is unknown is skipped",
        swap(UNKNOWN, "        if name not in places:\n            continue\n"),
        caught_by=NO_PLACE,
        explanation="""A tensor that has no place in the model is skipped in silence. If it is a layer more, the model would be a part of the
        one that was published.""",
    ),
    mistake(
        "layers beyond the model's are skipped",
        swap(UNKNOWN, '        if name.startswith(f"h.{len(model.blocks)}."):\n            continue\n' + UNKNOWN),
        caught_by=NO_PLACE,
        explanation="""Layers that the file has and the model does not are skipped in silence. What is left is a part of the model that was
        published, and that part alone says nothing sensible.""",
    ),
    mistake(
        "what is unknown in a block is skipped",
        swap(
            UNKNOWN, '        if name not in places and name.startswith("h.0.attn."):\n            continue\n' + UNKNOWN
        ),
        caught_by=NO_PLACE,
        explanation="""Whatever a file has under attn, besides what is known, is taken for a mask and skipped. Masks are
        attn.bias and attn.masked_bias and nothing else.""",
    ),
    mistake(
        "which tensor is unknown is not said",
        swap(UNKNOWN_SAYS, 'raise WeightsError("a tensor has no place in the model")'),
        caught_by=NO_PLACE,
        explanation="""The error does not say which tensor has no place.""",
    ),
    mistake(
        "shapes are left to torch",
        swap(SHAPES, ""),
        caught_by=OTHER_SHAPE,
        explanation="""Shapes are not looked at before copying. torch notices some of them halfway through the model, and spreads a single number or row
        over all the others.""",
    ),
    mistake(
        "the number of entries has to do",
        swap(SHAPE, "if weights[name].numel() != torch.Size(needed).numel():"),
        swap(
            COPYING,
            "for part, values in zip(parts, weights[name].reshape(*parts[0].shape[:-1], -1).split([part.shape[-1] for part in parts], dim=-1)):\n            part.copy_(values)\n",
        ),
        caught_by=OTHER_SHAPE,
        explanation="""A tensor with as many numbers as are needed is pressed into shape. One that is turned has as many, and all of them would be
        in the wrong place.""",
    ),
    mistake(
        "which shape is wrong is not said",
        swap(
            'raise WeightsError(f"{name} has shape {tuple(weights[name].shape)}, and the model needs {needed}")',
            'raise WeightsError(f"a shape is {tuple(weights[name].shape)}, and the model needs {needed}")',
        ),
        caught_by=OTHER_SHAPE,
        explanation="""The error does not say which tensor has another shape.""",
    ),
    mistake(
        "written while looking",
        swap(
            SHAPES,
            SHAPES
            + "        for part, values in zip(places[name], weights[name].split([p.shape[-1] for p in places[name]], dim=-1)):\n            part.copy_(values)\n",
        ),
        caught_by=NO_PLACE,
        explanation="""Each tensor is written as soon as it has been looked at. If a later one does not fit, the model is half of the one
        and half of the other.""",
    ),
    mistake(
        "a longer table is cut",
        swap(
            SHORT,
            SHORT
            + '\n    for name, table in (("wte.weight", model.embedding.tok_emb), ("wpe.weight", model.embedding.pos_emb)):\n        if name in weights:\n            weights[name] = weights[name][: len(table.weight)]',
        ),
        caught_by=OTHER_SHAPE,
        explanation="""A table with more rows than the model has is cut off. Words that the model was trained with would have no
        place.""",
    ),
    mistake(
        "a model without biases takes what it can",
        swap(NO_BIAS, ""),
        swap(
            BIAS,
            'places[f"h.{number}.{name}.bias"] = [part.new_empty(len(part)) if each.bias is None else each.bias for each in parts for part in [each.weight]]',
        ),
        caught_by=WITHOUT_BIASES,
        explanation="""A model that has no biases of query, key and value is filled without them. It computes something else than the published
        one, and nothing says so.""",
    ),
    mistake(
        "a model without biases falls over",
        swap(NO_BIAS, ""),
        caught_by=WITHOUT_BIASES,
        explanation="""Biases that the model does not have are None, and the code falls over them with another error. The model was made
        for something else, and a WeightsError says so.""",
    ),
]
