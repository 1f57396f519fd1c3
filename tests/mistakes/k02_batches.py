"""k02: what people get wrong about batches."""

from dojo.spec import mistake, swap

BORDER = "border = int(len(data) * train_fraction)"
PARTS = "return data[:border], data[border:]"
SHORT = 'raise ValueError(f"{len(data)} tokens cannot fill a context of {context_length} and its last target")'
WALK = "offsets = torch.arange(0, len(data) - context_length, stride)  # (W,)"
PICK = "\n    return data[places], data[places + 1]"
WALKED = "\n    places = offsets[:, None] + torch.arange(context_length)  # (W, T)" + PICK
LOOPED = """inputs = [data[i : i + context_length] for i in range(0, STOP, stride)]
    targets = [data[i + 1 : i + context_length + 1] for i in range(0, STOP, stride)]
    return torch.stack(inputs), torch.stack(targets)"""
DRAW = "offsets = torch.randint(len(data) - context_length, (batch_size,), generator=generator)  # (B,)"
GUARD = "if len(data) <= context_length:\n        "


def split_mistake(name, *swaps, caught_by, explanation):
    return mistake(name, *swaps, caught_by=f"test_{caught_by}", explanation=explanation)


def of_windows(name, old, new, caught_by, explanation):
    """A mistake in `windows`: what follows its offsets."""
    return mistake(f"{name} (windows)", swap(old, new), caught_by=f"test_{caught_by}", explanation=explanation)


def of_batches(name, old, new, caught_by, explanation):
    """The same in `get_batch`."""
    return mistake(f"{name} (get_batch)", swap(old, new), caught_by=f"test_{caught_by}", explanation=explanation)


def of_both(name, pick, caught_by, explanation):
    """A mistake in the last line, once in each function: `pick` replaces it."""
    in_windows, in_batches = caught_by
    windows, batches = "torch.arange(context_length)  # (W, T)", "torch.arange(context_length)  # (B, T)"
    return [
        of_windows(name, windows + PICK, windows + "\n    " + pick, in_windows, explanation),
        of_batches(name, batches + PICK, batches + "\n    " + pick, in_batches, explanation),
    ]


BOTH = ("data_for_one_window_gives_one_window", "one_possible_window_fills_the_batch")
LARGE = ("large_ids_stay_what_they_are_in_windows", "large_ids_stay_what_they_are_in_a_batch")
GUARDS = {"windows": "windows_refuses_too_short_data", "get_batch": "get_batch_refuses_too_short_data"}

MISTAKES = [
    # Step 1
    split_mistake(
        "the data is shuffled first",
        swap(
            BORDER, "data = data[torch.randperm(len(data), generator=torch.Generator().manual_seed(0))]\n    " + BORDER
        ),
        caught_by="training_part_is_the_beginning",
        explanation="""The tokens are shuffled before they are divided. Shuffled tokens are no text any more, and there is
        nothing left to predict.""",
    ),
    split_mistake(
        "the border is rounded to the nearest",
        swap(BORDER, "border = round(len(data) * train_fraction)"),
        caught_by="training_part_is_the_beginning",
        explanation="""The border is rounded up as often as down. It is rounded down, so that the same fraction always
        means the same border.""",
    ),
    split_mistake(
        "a token is always kept for validation",
        swap(BORDER, "border = min(int(len(data) * train_fraction), len(data) - 1)"),
        caught_by="training_part_is_the_beginning",
        explanation="""The validation part is never empty, also where everything is asked for training. Where the border
        lies follows from the fraction alone.""",
    ),
    split_mistake(
        "the border is rounded up",
        swap(BORDER, "border = -int(-len(data) * train_fraction // 1)"),
        caught_by="training_part_is_the_beginning",
        explanation="""The training part is one token longer wherever the border falls between two tokens, as when the
        validation part is the one that is rounded down. It is the training part that is.""",
    ),
    split_mistake(
        "the fraction is ignored",
        swap(BORDER, "border = int(len(data) * 0.9)"),
        caught_by="training_part_is_the_beginning",
        explanation="""Nine tenths are for training whatever was asked for. `train_fraction` is an argument so that one can
        ask for another share.""",
    ),
    split_mistake(
        "the fraction is that of the validation part",
        swap(BORDER, "border = len(data) - int(len(data) * train_fraction)"),
        caught_by="training_part_is_the_beginning",
        explanation="""The training part is as long as the validation part should be, and the reverse. The fraction tells
        how much there is to learn from.""",
    ),
    split_mistake(
        "the two parts are exchanged",
        swap(PARTS, "return data[border:], data[:border]"),
        caught_by="training_part_is_the_beginning",
        explanation="""The end of the text comes first and its beginning second. The caller takes the first result for the
        training part.""",
    ),
    split_mistake(
        "training happens at the end of the text",
        swap(BORDER, "border = len(data) - int(len(data) * train_fraction)"),
        swap(PARTS, "return data[border:], data[:border]"),
        caught_by="training_part_is_the_beginning",
        explanation="""The training part has the right length and is cut from the end. Training takes the beginning of the
        text, and what comes after it is for measuring.""",
    ),
    split_mistake(
        "a token on both sides of the border",
        swap(PARTS, "return data[: border + 1], data[border:]"),
        caught_by="training_part_is_the_beginning",
        explanation="""The token at the border is in both parts. A slice leaves out its end, so the same number ends one part
        and begins the other.""",
    ),
    split_mistake(
        "a token is lost at the border",
        swap(PARTS, "return data[:border], data[border + 1 :]"),
        caught_by="validation_part_is_the_rest",
        explanation="""The token at the border is in neither part. A slice leaves out its end, so the same number ends one
        part and begins the other.""",
    ),
    split_mistake(
        "the validation part is counted from the end",
        swap(PARTS, "return data[:border], data[-border:]"),
        caught_by="validation_part_is_the_rest",
        explanation="""The validation part is the last `border` tokens, as many as the training part has. The two
        overlap wherever more than half is for training.""",
    ),
    split_mistake(
        "the last token is lost",
        swap(PARTS, "return data[:border], data[border:-1]"),
        caught_by="validation_part_is_the_rest",
        explanation="""The validation part stops before the last token. A slice without an end goes to the end.""",
    ),
    split_mistake(
        "training has seen it all",
        swap(PARTS, "return data, data[border:]"),
        caught_by="training_part_is_the_beginning",
        explanation="""The training part is the whole text, the validation part included. The model is then examined on what
        it has learnt by heart.""",
    ),
    split_mistake(
        "lists instead of tensors",
        swap(PARTS, "return data[:border].tolist(), data[border:].tolist()"),
        caught_by="training_part_is_the_beginning",
        explanation="""The parts come as lists of numbers. What follows indexes them with tensors, and lists do not take
        those.""",
    ),
    split_mistake(
        "another share where none is asked for",
        swap("train_fraction: float = 0.9", "train_fraction: float = 0.8"),
        caught_by="nine_tenths_are_for_training_unless_asked_otherwise",
        explanation="""Without a fraction another share than nine tenths is for training. The signature has 0.9 as the
        default.""",
    ),
    # Steps 2 and 3: the targets
    *of_both(
        "the targets are the inputs plus 1",
        "return data[places], data[places] + 1",
        BOTH,
        """One is added to the ids, not to their places. The target is the token that follows in the data, and only on
        data that counts 0, 1, 2, … do the two agree.""",
    ),
    *of_both(
        "the targets are the inputs",
        "return data[places], data[places]",
        BOTH,
        """Inputs and targets are the same tokens. A model learns from that to copy, and its loss looks wonderful.""",
    ),
    *of_both(
        "one target a window",
        "return data[places], data[places[:, -1] + 1]",
        BOTH,
        """There is a target for the last token of a window only. Every token of a window is an exercise, with the token
        after it as the answer.""",
    ),
    *of_both(
        "the windows are joined to one row",
        "return data[places].flatten(), data[places + 1].flatten()",
        BOTH,
        """All windows come in one long row, as `torch.cat` joins them. A batch has a row for each window.""",
    ),
    *of_both(
        "the tokens come first",
        "return data[places].T, data[places + 1].T",
        BOTH,
        """Each window is a column, and each row holds one place of all windows. The first dimension is that of the
        windows, the second that of their tokens.""",
    ),
    *of_both(
        "the targets are moved the wrong way",
        "return data[places + 1], data[places]",
        BOTH,
        """Each target stands before its input. The model would learn to write backwards.""",
    ),
    *of_both(
        "the targets come round from the front",
        "return data[places], data[places].roll(-1, dims=1)",
        BOTH,
        """The targets are the inputs rolled by one, so the last target is the first input. The token after the window
        stands in the data.""",
    ),
    *of_both(
        "the last target is lost",
        "return data[places[:, :-1]], data[places[:, 1:]]",
        BOTH,
        """Both are cut out of one window of T tokens, which leaves T - 1 of each. T inputs and T targets take T + 1 tokens of
        the data.""",
    ),
    *of_both(
        "the results are floats",
        "return data[places].float(), data[places + 1].float()",
        BOTH,
        """The ids come back as floating-point numbers. They are rows of a table, and a row number is an integer.""",
    ),
    *of_both(
        "the results are int32",
        "return data[places].int(), data[places + 1].int()",
        BOTH,
        """The ids come back in 32 bits. PyTorch's losses take targets of 64 bits, the type that the data has.""",
    ),
    # Step 2
    of_windows(
        "the targets are moved by two",
        "# (W, T)" + PICK,
        "# (W, T)\n    return data[places], data[(places + 2).clamp(max=len(data) - 1)]",
        "data_for_one_window_gives_one_window",
        """Each target is the token after the next. What the model is asked for is the very next one.""",
    ),
    of_windows(
        "the last window is left out",
        WALK,
        WALK.replace("context_length", "context_length - 1"),
        "data_for_one_window_gives_one_window",
        """The offsets end one too early. There are `len(data) - context_length` of them, and the last window ends with the
        last token of the data as its target.""",
    ),
    of_windows(
        "a loop ends one window early",
        WALK + WALKED,
        LOOPED.replace("STOP", "len(data) - context_length - 1"),
        "data_for_one_window_gives_one_window",
        """The loop over the offsets ends one too early, and where there is but one window nothing is left to stack. The
        last window ends with the last token of the data as its target.""",
    ),
    of_windows(
        "a loop runs one window too far",
        WALK + WALKED,
        LOOPED.replace("STOP", "len(data) - context_length + 1"),
        "data_for_one_window_gives_one_window",
        """The last window of the loop has a target that ends before it is full, since no token follows the last one. A
        slice past the end raises nothing, it is only shorter.""",
    ),
    of_windows(
        "a window runs off the end",
        WALK,
        WALK.replace("context_length", "context_length + 1"),
        "data_for_one_window_gives_one_window",
        """The offsets go one too far. The last window fits, but its last target lies behind the end of the data.""",
    ),
    of_windows(
        "a last window that wraps round",
        "offsets[:, None] + torch.arange(context_length)  # (W, T)" + PICK,
        """offsets[:, None] + torch.arange(context_length)  # (W, T)
    offsets = torch.arange(0, len(data), stride)
    places = offsets[:, None] + torch.arange(context_length)
    return data[places % len(data)], data[(places + 1) % len(data)]""",
        "data_for_one_window_gives_one_window",
        """Windows at the end are filled up from the beginning. The text's last sentence is then followed by its first, which
        nobody wrote.""",
    ),
    of_windows(
        "the last target comes from the front",
        WALK + "\n    places = offsets[:, None] + torch.arange(context_length)  # (W, T)" + PICK,
        """offsets = torch.arange(0, len(data) - context_length + 1, stride)
    places = offsets[:, None] + torch.arange(context_length)
    return data[places], data.roll(-1)[places]""",
        "data_for_one_window_gives_one_window",
        """There is a window more than there should be, and its last target is the first token of the data. Rolling the data
        brings its beginning round to its end.""",
    ),
    of_windows(
        "an extra window at the end",
        WALK,
        WALK.replace("  # (W,)", "")
        + "\n    last = torch.tensor([len(data) - context_length - 1])\n    offsets = torch.cat([offsets, last]).unique()",
        "inputs_are_every_whole_window",
        """What is left at the end gets a window of its own, which overlaps the one before. Those tokens would count twice
        when a loss is measured.""",
    ),
    of_windows(
        "the stride is ignored",
        WALK,
        WALK.replace("stride)", "1)"),
        "inputs_are_every_whole_window",
        """There is a window at every offset. `stride` tells how far it is from one to the next.""",
    ),
    of_windows(
        "the stride is always the context",
        WALK,
        WALK.replace("stride)", "context_length)"),
        "inputs_are_every_whole_window",
        """The windows lie end to end whatever stride was asked for. That is one stride of many.""",
    ),
    of_windows(
        "the stride skips a token",
        WALK,
        WALK.replace("stride)", "stride + 1)"),
        "inputs_are_every_whole_window",
        """From one window to the next it is one token too far. With a stride of the context length a token between two
        windows is then never an input.""",
    ),
    of_windows(
        "the stride is one short",
        WALK,
        WALK.replace("stride)", "max(stride - 1, 1))"),
        "inputs_are_every_whole_window",
        """From one window to the next it is one token too few. With a stride of the context length the last token of each
        window comes twice.""",
    ),
    of_windows(
        "the first window is skipped",
        WALK,
        WALK.replace("arange(0, ", "arange(min(stride, len(data) - context_length - 1), "),
        "inputs_are_every_whole_window",
        """The first offset is the stride. Windows begin at the beginning, at offset 0.""",
    ),
    of_windows(
        "the data is cut to a multiple of T first",
        WALK,
        WALK.replace(
            "len(data) - context_length", "(len(data) - 1) // context_length * context_length - context_length + 1"
        ),
        "inputs_are_every_whole_window",
        """The data is cut to a multiple of the context length first. With another stride, windows that would still fit are
        lost.""",
    ),
    # Step 3
    of_batches(
        "the targets are moved by two",
        "# (B, T)" + PICK,
        "# (B, T)\n    return data[places], data[(places + 2).clamp(max=len(data) - 1)]",
        "one_possible_window_fills_the_batch",
        """Each target is the token after the next. What the model is asked for is the very next one.""",
    ),
    of_batches(
        "the last window is never drawn",
        DRAW,
        DRAW.replace("len(data) - context_length", "max(len(data) - context_length - 1, 1)"),
        "every_offset_is_drawn",
        """The offsets end one too early: the upper bound of `torch.randint` is left out already. The last token of the data is
        never learnt.""",
    ),
    of_batches(
        "a bound one too low",
        DRAW,
        DRAW.replace("len(data) - context_length", "len(data) - context_length - 1"),
        "one_possible_window_fills_the_batch",
        """The offsets end one too early: the upper bound of `torch.randint` is left out already. Data for exactly one window
        leaves nothing to draw from.""",
    ),
    of_batches(
        "the first window is never drawn",
        DRAW,
        DRAW.replace("torch.randint(", "torch.randint(min(1, len(data) - context_length - 1), "),
        "every_offset_is_drawn",
        """The offsets begin at 1. The first window of the data begins at 0.""",
    ),
    of_batches(
        "a window runs off the end",
        DRAW,
        DRAW.replace("len(data) - context_length", "len(data) - context_length + 1"),
        "every_offset_is_drawn",
        """The offsets go one too far. Every now and then a window is drawn whose last target lies behind the end of the
        data.""",
    ),
    of_batches(
        "the last target comes from the front",
        DRAW + "\n    places = offsets[:, None] + torch.arange(context_length)  # (B, T)" + PICK,
        """offsets = torch.randint(len(data) - context_length + 1, (batch_size,), generator=generator)
    places = offsets[:, None] + torch.arange(context_length)
    return data[places], data.roll(-1)[places]""",
        "y_is_one_token_further_on",
        """There is a window more than there should be, and its last target is the first token of the data. Rolling the data
        brings its beginning round to its end.""",
    ),
    of_batches(
        "windows wrap round the end",
        DRAW + "\n    places = offsets[:, None] + torch.arange(context_length)  # (B, T)" + PICK,
        """offsets = torch.randint(len(data), (batch_size,), generator=generator)
    places = offsets[:, None] + torch.arange(context_length)
    return data[places % len(data)], data[(places + 1) % len(data)]""",
        "rows_are_stretches_of_the_data",
        """A window that does not fit goes on at the beginning of the data. The text's last sentence is then followed by its
        first, which nobody wrote.""",
    ),
    of_batches(
        "the offsets are multiples of the context",
        DRAW,
        DRAW.replace("len(data) - context_length", "(len(data) - 1) // context_length").replace(
            "  # (B,)", " * context_length"
        ),
        "every_offset_is_drawn",
        """Windows begin only at multiples of the context length. A token then always stands at the same place of a window,
        and has always the same context.""",
    ),
    of_batches(
        "too large offsets are pushed back",
        DRAW,
        DRAW.replace("len(data) - context_length", "len(data)").replace(
            "  # (B,)", ".clamp(max=len(data) - context_length - 1)"
        ),
        "offsets_are_equally_likely",
        """Offsets beyond the last are replaced by the last. That one window is then drawn far more often than any
        other.""",
    ),
    of_batches(
        "x and y have offsets of their own",
        "# (B, T)" + PICK,
        """# (B, T)
    others = torch.randint(len(data) - context_length, (batch_size,), generator=generator)
    return data[places], data[others[:, None] + torch.arange(context_length) + 1]""",
        "y_is_one_token_further_on",
        """Offsets are drawn twice, once for x and once for y. The targets then belong to other windows than the inputs.""",
    ),
    of_batches(
        "every row is the same window",
        DRAW,
        DRAW.replace("(batch_size,)", "(1,)").replace("  # (B,)", ".repeat(batch_size)"),
        "rows_are_drawn_independently",
        """One offset is drawn for the whole batch. A batch of equal windows costs as much as a batch of different ones and
        teaches as little as one.""",
    ),
    of_batches(
        "the rows follow each other",
        DRAW,
        DRAW.replace("(batch_size,)", "(1,)").replace(
            "  # (B,)", " + torch.arange(batch_size)\n    offsets = offsets % (len(data) - context_length)"
        ),
        "rows_are_drawn_independently",
        """One offset is drawn, and the rows begin one after the other from there. Neighbouring windows are nearly the same
        text.""",
    ),
    of_batches(
        "the offsets are drawn without replacement",
        DRAW,
        "offsets = torch.randperm(len(data) - context_length, generator=generator)[:batch_size]",
        "one_possible_window_fills_the_batch",
        """Each offset can come once only, so a batch cannot hold more windows than there are offsets. It comes out shorter
        than was asked for.""",
    ),
    of_batches(
        "an offset comes twice only where there are too few",
        DRAW,
        """room = len(data) - context_length
    if batch_size <= room:
        offsets = torch.randperm(room, generator=generator)[:batch_size]
    else:
        offsets = torch.randint(room, (batch_size,), generator=generator)""",
        "rows_are_drawn_independently",
        """Where there are enough offsets, none comes twice in a batch. Each row is drawn anew, whatever the others
        are.""",
    ),
    of_batches(
        "the offsets are sorted",
        DRAW,
        DRAW + "\n    offsets = offsets.sort().values",
        "rows_are_drawn_independently",
        """The windows of a batch come in the order in which they stand in the data. Where one row starts then says
        something about the next one, and rows are drawn each by itself.""",
    ),
    of_batches(
        "tokens are drawn, not windows",
        DRAW + "\n    places = offsets[:, None] + torch.arange(context_length)  # (B, T)",
        "places = torch.randint(len(data) - context_length, (batch_size, context_length), generator=generator)",
        "rows_are_stretches_of_the_data",
        """Every token of a row is drawn by itself, from anywhere in the data. A row has to be a stretch of the text, or
        there is no context to learn from.""",
    ),
    of_batches(
        "the first windows, in order",
        DRAW,
        "offsets = torch.arange(batch_size) % (len(data) - context_length)",
        "rows_are_drawn_independently",
        """The batch holds the windows at 0, 1, 2, … each time. Training needs another random handful in each step.""",
    ),
    of_batches(
        "the generator is ignored",
        DRAW,
        DRAW.replace(", generator=generator", ""),
        "equal_generators_give_equal_batches",
        """The offsets come from torch's global generator, not from the one that was handed over. A run cannot be repeated by
        giving it an equal generator.""",
    ),
    of_batches(
        "the generator is set back",
        DRAW,
        "if generator is not None:\n        generator.manual_seed(generator.initial_seed())\n    " + DRAW,
        "equal_generators_give_equal_batches",
        """The generator is set back to its seed before it is used. Every batch of a run is then the same.""",
    ),
    of_batches(
        "every call draws the same",
        DRAW,
        DRAW.replace("generator=generator", "generator=torch.Generator().manual_seed(1337)"),
        "rows_are_drawn_independently",
        """Every call draws the same offsets, whatever generator it is given. All batches of a run are then the same
        one.""",
    ),
    of_batches(
        "without a generator every call draws the same",
        DRAW,
        DRAW.replace("generator=generator", "generator=generator or torch.Generator().manual_seed(1337)"),
        "batches_differ_without_a_generator",
        """Without a generator the offsets of one call are those of the next. Whoever passes none wants chance, not the
        same batch again and again.""",
    ),
]

for function, first in (("windows", WALK), ("get_batch", DRAW)):
    of = of_windows if function == "windows" else of_batches
    after = "\n    " + first
    MISTAKES += [
        of(
            "too short data is not refused",
            GUARD + SHORT + after,
            "if False:\n        pass" + after,
            GUARDS[function],
            """Data that cannot fill one window goes through. What comes out is empty, or an error from deep inside
            torch that names no length.""",
        ),
        of(
            "data without a last target is accepted",
            GUARD + SHORT + after,
            GUARD.replace("<=", "<") + SHORT + after,
            GUARDS[function],
            """Data of exactly `context_length` tokens is let through. It fills a window, but the last target is
            missing.""",
        ),
        of(
            "data for one window is refused",
            GUARD + SHORT + after,
            GUARD.replace("<= context_length", "<= context_length + 1") + SHORT + after,
            dict(windows=BOTH[0], get_batch=BOTH[1])[function],
            """Data of `context_length + 1` tokens is refused. That is one whole window with its last target.""",
        ),
        of(
            "the error does not say the data's length",
            SHORT + after,
            'raise ValueError(f"too few tokens for a context of {context_length}")' + after,
            GUARDS[function],
            """The message tells how many tokens it takes and not how many there are. Both numbers together say what to
            change.""",
        ),
        of(
            "the error does not say the context length",
            SHORT + after,
            'raise ValueError(f"{len(data)} tokens are too few")' + after,
            GUARDS[function],
            """The message tells how many tokens there are and not how many it takes. Both numbers together say what to
            change.""",
        ),
        of(
            "an assertion instead of a ValueError",
            GUARD + SHORT + after,
            'assert len(data) > context_length, f"{len(data)} tokens cannot fill a context of {context_length}"'
            + after,
            GUARDS[function],
            """Too short data fails an assertion. Assertions are for what cannot happen, and `python -O` leaves them
            out.""",
        ),
    ]

MISTAKES += [
    mistake(
        "every tenth token is for validation",
        swap(PARTS, "tenth = torch.arange(len(data)) % 10 == 9\n    return data[~tenth], data[tenth]"),
        caught_by="test_training_part_is_the_beginning",
        explanation="""Every tenth token goes to validation. Both parts are then texts with holes, and each nearly holds what the
        other does.""",
    ),
    mistake(
        "the tokens of the two parts take turns",
        swap(PARTS, "return data[::2], data[1::2]"),
        caught_by="test_training_part_is_the_beginning",
        explanation="""Tokens go to the two parts in turn. A part is a stretch of the text, with its tokens in their order.""",
    ),
    mistake(
        "the fraction is in percent",
        swap(BORDER, "border = int(len(data) * train_fraction / 100)"),
        caught_by="test_training_part_is_the_beginning",
        explanation="""The fraction is divided by 100, as if it came in percent. Here 0.9 is nine tenths.""",
    ),
    mistake(
        "rounded down to whole tens",
        swap(BORDER, "border = len(data) // 10 * int(10 * train_fraction)"),
        caught_by="test_training_part_is_the_beginning",
        explanation="""The length is rounded to whole tens before the share is taken. The border is int(len(data) ·
        train_fraction), rounded once.""",
    ),
    mistake(
        "the validation part runs backwards",
        swap(PARTS, PARTS + ".flip(0)"),
        caught_by="test_validation_part_is_the_rest",
        explanation="""The validation part comes in reverse order. Read backwards a text is another text.""",
    ),
    mistake(
        "the validation part is as long as the training part",
        swap(PARTS, "return data[:border], data[border : 2 * border]"),
        caught_by="test_validation_part_is_the_rest",
        explanation="""The validation part ends where it is as long as the training part. It is all the rest.""",
    ),
    mistake(
        "the validation part is cut to a tenth",
        swap(PARTS, "return data[:border], data[border : border + len(data) // 10]"),
        caught_by="test_validation_part_is_the_rest",
        explanation="""The validation part is a tenth of the data, whatever the fraction leaves. It is all the rest.""",
    ),
    mistake(
        "both parts are the training part",
        swap(PARTS, "return data[:border], data[:border]"),
        caught_by="test_validation_part_is_the_rest",
        explanation="""What is held back for validation is what training has seen. A model that knows it by heart would look good.""",
    ),
    mistake(
        "the tokens of a window run backwards (windows)",
        swap(
            "torch.arange(context_length)  # (W, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (W, T)\n    return data[places].flip(1), data[places + 1].flip(1)",
        ),
        caught_by="test_data_for_one_window_gives_one_window",
        explanation="""Within each window the tokens come in reverse order. Text is read forwards.""",
    ),
    mistake(
        "the tokens of a window run backwards (get_batch)",
        swap(
            "torch.arange(context_length)  # (B, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (B, T)\n    return data[places].flip(1), data[places + 1].flip(1)",
        ),
        caught_by="test_one_possible_window_fills_the_batch",
        explanation="""Within each window the tokens come in reverse order. Text is read forwards.""",
    ),
    mistake(
        "the targets run backwards (windows)",
        swap(
            "torch.arange(context_length)  # (W, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (W, T)\n    return data[places], data[places + 1].flip(1)",
        ),
        caught_by="test_data_for_one_window_gives_one_window",
        explanation="""Within each window the targets come in reverse order. Each stands under its input.""",
    ),
    mistake(
        "the targets run backwards (get_batch)",
        swap(
            "torch.arange(context_length)  # (B, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (B, T)\n    return data[places], data[places + 1].flip(1)",
        ),
        caught_by="test_one_possible_window_fills_the_batch",
        explanation="""Within each window the targets come in reverse order. Each stands under its input.""",
    ),
    mistake(
        "the same target for a whole window (windows)",
        swap(
            "torch.arange(context_length)  # (W, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (W, T)\n    return data[places], data[places[:, -1:] + 1].expand_as(places)",
        ),
        caught_by="test_data_for_one_window_gives_one_window",
        explanation="""Every token of a window has the target of the last one. A window of T tokens holds T exercises, each with
        its own answer.""",
    ),
    mistake(
        "the same target for a whole window (get_batch)",
        swap(
            "torch.arange(context_length)  # (B, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (B, T)\n    return data[places], data[places[:, -1:] + 1].expand_as(places)",
        ),
        caught_by="test_one_possible_window_fills_the_batch",
        explanation="""Every token of a window has the target of the last one. A window of T tokens holds T exercises, each with
        its own answer.""",
    ),
    mistake(
        "windows are one token wider (windows)",
        swap(
            "torch.arange(context_length)  # (W, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (W, T)\n    places = torch.cat([places, places[:, -1:] + 1], dim=1)\n    return data[places], data[(places + 1).clamp(max=len(data) - 1)]",
        ),
        caught_by="test_data_for_one_window_gives_one_window",
        explanation="""A window holds one token more than the context length. The token more is needed for the last target only.""",
    ),
    mistake(
        "windows are one token wider (get_batch)",
        swap(
            "torch.arange(context_length)  # (B, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (B, T)\n    places = torch.cat([places, places[:, -1:] + 1], dim=1)\n    return data[places], data[(places + 1).clamp(max=len(data) - 1)]",
        ),
        caught_by="test_one_possible_window_fills_the_batch",
        explanation="""A window holds one token more than the context length. The token more is needed for the last target only.""",
    ),
    mistake(
        "only the inputs (windows)",
        swap(
            "torch.arange(context_length)  # (W, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (W, T)\n    return data[places]",
        ),
        caught_by="test_data_for_one_window_gives_one_window",
        explanation="""Only the inputs are returned. Each window comes with its targets.""",
    ),
    mistake(
        "only the inputs (get_batch)",
        swap(
            "torch.arange(context_length)  # (B, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (B, T)\n    return data[places]",
        ),
        caught_by="test_one_possible_window_fills_the_batch",
        explanation="""Only the inputs are returned. Each window comes with its targets.""",
    ),
    mistake(
        "one tensor of inputs and targets (windows)",
        swap(
            "torch.arange(context_length)  # (W, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (W, T)\n    return torch.stack([data[places], data[places + 1]])",
        ),
        caught_by="test_data_for_one_window_gives_one_window",
        explanation="""Inputs and targets are stacked into one tensor. They are two results, in a tuple.""",
    ),
    mistake(
        "one tensor of inputs and targets (get_batch)",
        swap(
            "torch.arange(context_length)  # (B, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (B, T)\n    return torch.stack([data[places], data[places + 1]])",
        ),
        caught_by="test_one_possible_window_fills_the_batch",
        explanation="""Inputs and targets are stacked into one tensor. They are two results, in a tuple.""",
    ),
    mistake(
        "the windows run backwards",
        swap(
            "torch.arange(context_length)  # (W, T)\n    return data[places], data[places + 1]",
            "torch.arange(context_length)  # (W, T)\n    places = places.flip(0)\n    return data[places], data[places + 1]",
        ),
        caught_by="test_inputs_are_every_whole_window",
        explanation="""The last window comes first. They come in the order of the text.""",
    ),
    mistake(
        "the stride is doubled",
        swap(WALK, "offsets = torch.arange(0, len(data) - context_length, 2 * stride)  # (W,)"),
        caught_by="test_inputs_are_every_whole_window",
        explanation="""Windows start at every second multiple of the stride. They start at 0, stride, 2·stride and so on.""",
    ),
    mistake(
        "the windows start at the stride",
        swap(WALK, "offsets = torch.arange(stride, max(len(data) - context_length, stride + 1), stride)  # (W,)"),
        caught_by="test_data_for_one_window_gives_one_window",
        explanation="""The first window starts at `stride`, so that the beginning of the text is never read. The first one starts
        at 0.""",
    ),
    mistake(
        "the stride and the context are exchanged",
        swap(WALK, "offsets = torch.arange(0, len(data) - stride, context_length)"),
        caught_by="test_inputs_are_every_whole_window",
        explanation="""Windows start at multiples of the context length, as far as the stride leaves room. The context is how long
        they are, the stride how far apart.""",
    ),
    mistake(
        "the windows are counted by whole strides",
        swap(WALK, "offsets = torch.arange((len(data) - context_length) // stride) * stride"),
        caught_by="test_inputs_are_every_whole_window",
        explanation="""How many windows there are is rounded down after a division. It leaves out the window that starts in what
        remains.""",
    ),
    mistake(
        "the start is drawn by rounding",
        swap(
            DRAW,
            "offsets = (torch.rand(batch_size, generator=generator) * (len(data) - context_length - 1)).round().long()",
        ),
        caught_by="test_offsets_are_equally_likely",
        explanation="""A random number is rounded to the nearest offset. The first and the last one are then drawn half as often as
        the others.""",
    ),
    mistake(
        "small offsets are likelier",
        swap(
            DRAW, "offsets = (torch.rand(batch_size, generator=generator) ** 2 * (len(data) - context_length)).long()"
        ),
        caught_by="test_offsets_are_equally_likely",
        explanation="""The random number is squared before it is scaled, so that windows from the beginning come more often. Each
        offset is equally likely.""",
    ),
    mistake(
        "batch size and context are exchanged",
        swap(
            DRAW, "offsets = torch.randint(len(data) - context_length, (context_length,), generator=generator)  # (B,)"
        ),
        swap("torch.arange(context_length)  # (B, T)", "torch.arange(batch_size)  # (B, T)"),
        caught_by="test_one_possible_window_fills_the_batch",
        explanation="""The batch has a row for each token of the context, and a column for each sequence. A row is a window.""",
    ),
    mistake(
        "even offsets only",
        swap(DRAW, DRAW + "\n    offsets = offsets // 2 * 2"),
        caught_by="test_every_offset_is_drawn",
        explanation="""Every window starts at an even place. Each offset is equally likely.""",
    ),
    mistake(
        "the batch is never larger than the number of offsets",
        swap(DRAW, "batch_size = min(batch_size, len(data) - context_length)\n    " + DRAW),
        caught_by="test_one_possible_window_fills_the_batch",
        explanation="""A batch is cut to as many windows as there are offsets. Offsets are drawn with replacement, so a batch may
        be of any size.""",
    ),
    mistake(
        "the border counts twice",
        swap("return data[:border], data[border:]", "return data[:border], data[max(border - 1, 0) :]"),
        caught_by="test_validation_part_is_the_rest",
        explanation="""The last token of the training part is the first of the validation part as well. The two share nothing.""",
    ),
    mistake(
        "shuffled with a seed",
        swap(
            "return data[:border], data[border:]",
            "data = data[torch.randperm(len(data), generator=torch.Generator().manual_seed(42))]\n    return data[:border], data[border:]",
        ),
        caught_by="test_training_part_is_the_beginning",
        explanation="""The tokens are shuffled before they are parted, always in the same way. A text without its order is no
        text.""",
    ),
    mistake(
        "the fraction is cut to whole percent",
        swap(BORDER, "border = len(data) * int(train_fraction * 100) // 100"),
        caught_by="test_a_fraction_may_be_finer_than_a_percent",
        explanation="""The fraction becomes a whole number of percent before it is used. An eighth is 12.5 percent.""",
    ),
    mistake(
        "the validation part is counted from the end, and none of it is all",
        swap(BORDER, BORDER + "\n    rest = len(data) - border"),
        swap(PARTS, "return data[:-rest], data[-rest:]"),
        caught_by="test_training_part_is_the_beginning",
        explanation="""Both parts are cut at so many tokens from the end. Where none are left for validation that is
        `data[:-0]`, which is nothing, and `data[-0:]`, which is all.""",
    ),
    mistake(
        "a third part is kept back",
        swap(PARTS, "return data[:border], data[border : (len(data) + border) // 2]"),
        caught_by="test_validation_part_is_the_rest",
        explanation="""The rest is halved, as if a part for testing were asked for. There are two parts, and no token is in
        neither.""",
    ),
    mistake(
        "too large offsets begin again at 0 (get_batch)",
        swap(
            DRAW,
            "offsets = torch.randint(len(data), (batch_size,), generator=generator) % (len(data) - context_length)",
        ),
        caught_by="test_offsets_are_equally_likely",
        explanation="""Offsets are drawn from all places, and those that are too large are taken modulo the number of
        offsets. The first ones are then drawn twice as often.""",
    ),
    *of_both(
        "ids pass through 16 bits",
        "return data[places].short().long(), data[places + 1].short().long()",
        LARGE,
        """The ids are kept in 16 bits on the way. Those beyond 32,767 come out as others, and GPT-2 has 50,257.""",
    ),
    *of_both(
        "ids pass through floats",
        "return data[places].float().long(), data[places + 1].float().long()",
        LARGE,
        """The ids are floating-point numbers on the way. A float32 holds whole numbers up to 16,777,216 only.""",
    ),
]
