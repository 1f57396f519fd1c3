"""k16: what people get wrong about rotary positions."""

from dojo.spec import family, mistake, swap

ODD = 'raise ValueError(f"head_dim = {head_dim} is odd: channels are turned in pairs")'
EXPONENTS = "exponents = torch.arange(0, head_dim, 2, device=positions.device) / head_dim  # (d/2,)"
ANGLES = "return positions[:, None] * base**-exponents  # (T, d/2)"
HALVES = "first, second = x.chunk(2, dim=-1)  # (..., T, d/2)"
TURN = "turned = torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)  # (..., T, d)"
TURNED = "return turned.to(x.dtype)"
KEEP = "self.num_heads, self.base = num_heads, base"
MAKE_QUERY = "self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_KEY = "self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_VALUE = "self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)"
MAKE_OUT = "self.out_proj = nn.Linear(d_out, d_out)"
TOKENS = "T = x.shape[1]"
QUERY = "query = split_heads(self.W_query(x), self.num_heads)  # (B, h, T, d)"
VALUE = "value = split_heads(self.W_value(x), self.num_heads)  # (B, h, T, d)"
MAKE_ANGLES = "angles = rotary_angles(torch.arange(T, device=x.device), query.shape[-1], self.base)  # (T, d/2)"
TURN_QUERY = "query = apply_rotary(query, angles.cos(), angles.sin())"
TURN_KEY = "key = apply_rotary(key, angles.cos(), angles.sin())"
SCORES = "scores = query @ key.transpose(2, 3) / key.shape[-1] ** 0.5  # (B, h, T, T)"
WEIGHTS = "weights = masked_softmax(scores, causal_mask(T).to(x.device))"
RESULT = "return self.out_proj(merge_heads(weights @ value))  # (B, T, d_out)"
SLOPES = "return 2.0 ** (-8 * torch.arange(1, num_heads + 1) / num_heads)"
DISTANCE = "distance = position[:, None] - position  # (T, T): how far the key lies behind the query"
BIAS = "bias = -alibi_slopes(num_heads)[:, None, None] * distance  # (h, T, T)"
HIDE = "return bias.masked_fill(distance < 0, -torch.inf)"
WAYS = "first, second = x.chunk(2, dim=-1)\n    "
SPLIT_KEY = "key = split_heads(self.W_key(x), self.num_heads)  # (B, h, T, d)"
POSITIONS = "torch.arange(T, device=x.device)"

MISTAKES = [
    # Step 1
    mistake(
        "positions are counted from 1",
        swap(ANGLES, "return (positions[:, None] + 1) * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Every position is taken for the next one. Position 0 is then turned, and where one part of a
        program counts so and another does not, all distances are off by one.""",
    ),
    mistake(
        "the positions that were given are ignored",
        swap(ANGLES, "return torch.arange(len(positions))[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The angles are those of 0, 1, 2, … whatever the positions are. A token that is decoded alone, at
        position 57, would be turned as if it were the first.""",
    ),
    mistake(
        "the exponent is halved",
        swap(EXPONENTS, "exponents = torch.arange(0, head_dim // 2, device=positions.device) / head_dim  # (d/2,)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The exponent of pair i is i / head_dim. It has to go from 0 up to nearly 1 over the pairs; here it
        gets only half as far, and no pair is slow.""",
    ),
    mistake(
        "the exponent is divided by the number of pairs",
        swap("device=positions.device) / head_dim", "device=positions.device) / (head_dim // 2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The exponent of pair i is 2i divided by the number of pairs, so it goes up to nearly 2. Either i is
        divided by the pairs, or 2i by the channels.""",
    ),
    mistake(
        "the last pair turns by 1 / base",
        swap("device=positions.device) / head_dim", "device=positions.device) / max(head_dim - 2, 1)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The exponents are spread so that the last is exactly 1, as `linspace` does. In the formula the
        last pair stays a step short of that.""",
    ),
    mistake(
        "pairs are counted from 1",
        swap("torch.arange(0, head_dim, 2, device", "torch.arange(2, head_dim + 2, 2, device"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Every pair has the frequency of the next one. Pair 0 turns by one radian a position.""",
    ),
    mistake(
        "frequencies grow from pair to pair",
        swap(ANGLES, "return positions[:, None] * base**exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The minus of the exponent is missing. Later pairs turn by thousands of radians a position, which
        no neighbours could be told apart by.""",
    ),
    mistake(
        "frequencies are in reverse",
        swap(ANGLES, "return positions[:, None] * (base**-exponents).flip(0)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The last pair is the fastest. The fast ones come first.""",
    ),
    mistake(
        "every pair has the same angle",
        swap(ANGLES, "return positions[:, None] * base ** -(0 * exponents)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""All pairs turn by one radian a position. After some six positions they are all back where they
        began, so tokens at that distance look like neighbours.""",
    ),
    mistake(
        "the base is ignored",
        swap(ANGLES, "return positions[:, None] * 10000.0**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The base is 10,000 whatever was asked for. Models made for long texts have a larger one.""",
    ),
    mistake(
        "the base is cut to a whole number",
        swap(ANGLES, "return positions[:, None] * float(int(base)) ** -exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""What stands behind the point of the base is lost. A base is any number, and those of
        models for long texts are often no whole ones.""",
    ),
    family(
        "a base of {c} unless told",
        swap("head_dim: int, base: float = 10000.0)", "head_dim: int, base: float = {c})"),
        constants=(1000.0, 500_000.0),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Where nobody gives a base it is not 10,000, which is that of the paper. Weights that were trained
        with one base cannot be used with another.""",
    ),
    mistake(
        "one radian is taken for a whole turn",
        swap(ANGLES, "return 2 * torch.pi * positions[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The angles are multiplied by 2π. Pair 0 then makes a whole turn at every position, which is no turn
        at all.""",
    ),
    mistake(
        "angles in degrees",
        swap(ANGLES, "return torch.deg2rad(positions[:, None] * base**-exponents)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The numbers are taken for degrees and divided by 57. They are angles in radians as they stand.""",
    ),
    mistake(
        "the angles are turned into degrees",
        swap(ANGLES, "return torch.rad2deg(positions[:, None] * base**-exponents)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The angles are multiplied by 57, as for a reader of degrees. Cosine and sine take
        radians, and pair 0 turns by one a position.""",
    ),
    mistake(
        "the powers are not multiplied by the position",
        swap(ANGLES, "return base ** (-exponents * positions[:, None])  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The position stands in the exponent. An angle has to grow evenly, by the same amount from each
        position to the next.""",
    ),
    mistake(
        "each angle stands twice",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).repeat(1, 2)  # (T, d)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The angles are laid side by side twice, one for each channel. Here there is one for each pair.""",
    ),
    mistake(
        "rows are pairs",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).T  # (d/2, T)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The table is transposed: a row for each pair. It has a row for each position.""",
    ),
    mistake(
        "an odd width is accepted",
        swap(ODD, "pass"),
        caught_by="test_odd_width_is_refused",
        explanation="""An odd head_dim goes through. One channel has no partner, and the trouble shows later and
        elsewhere, as shapes that do not fit.""",
    ),
    mistake(
        "the message lacks the width",
        swap(ODD, 'raise ValueError("head_dim is odd")'),
        caught_by="test_odd_width_is_refused",
        explanation="""The error does not say which number was wrong. Whoever meets it wants to know that first.""",
    ),
    mistake(
        "positions are counted from -1",
        swap(ANGLES, "return (positions[:, None] - 1) * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Every position is taken for the one before it. Position 0 is then turned backwards, and where
        another part of the program counts from 0, all distances are off by one.""",
    ),
    mistake(
        "positions begin where the first one stands",
        swap(ANGLES, "return (positions - positions[0])[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The first position is taken off all of them. A token that comes alone is then always turned as
        if it stood at 0, whatever stands before it.""",
    ),
    mistake(
        "the positions are sorted first",
        swap(ANGLES, "return positions.sort().values[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The rows are put into the order of the positions. A row belongs to the place in which its
        position was given.""",
    ),
    mistake(
        "the positions are read from the end",
        swap(ANGLES, "return positions.flip(0)[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The rows stand in reverse, so the first token is turned by the position of the last. Row t is
        for position t of those given.""",
    ),
    mistake(
        "positions are parts of the whole",
        swap(ANGLES, "return (positions / len(positions))[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Positions are divided by how many there are. The angle between two neighbours would then depend
        on the length of the text.""",
    ),
    mistake(
        "a table of 2,048 positions",
        swap(ANGLES, "return positions.clamp(max=2047)[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""All positions beyond a longest one get its angle. The angle follows from a formula, which has
        no last row.""",
    ),
    mistake(
        "positions from 2,048 on are an error",
        swap(
            ANGLES,
            "table = torch.arange(2048, device=positions.device)[:, None] * base**-exponents\n    return table[positions]",
        ),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The angles are read from a table with 2,048 rows, and a later position has none. The
        angle follows from a formula, which has no longest text.""",
    ),
    mistake(
        "positions are pressed into 1,024",
        swap(
            ANGLES,
            "shrink = min(1.0, 1024 / max(1, int(positions.max())))\n    return positions[:, None] * shrink * base**-exponents  # (T, d/2)",
        ),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Where a position is beyond 1,024 all of them are made smaller, as in position
        interpolation. The angle of a token would then depend on what else is asked for.""",
    ),
    mistake(
        "positions begin again after 4,096",
        swap(ANGLES, "return (positions % 4096)[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Far positions are counted anew from 0. A token there looks like one at the beginning of the
        text.""",
    ),
    mistake(
        "the exponents are those of the odd channels",
        swap("torch.arange(0, head_dim, 2, device", "torch.arange(1, head_dim, 2, device"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The exponent of pair i is (2i + 1) / head_dim, half a step too far. Pair 0 turns by one radian
        a position, and its exponent is 0.""",
    ),
    mistake(
        "a pair is missing",
        swap("torch.arange(0, head_dim, 2, device", "torch.arange(0, head_dim - 2, 2, device"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The count of pairs ends one too early, since a range does not hold its end. There are head_dim
        / 2 columns.""",
    ),
    mistake(
        "a pair too many",
        swap("torch.arange(0, head_dim, 2, device", "torch.arange(0, head_dim + 1, 2, device"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The count of pairs takes in head_dim itself, so there is a column more. There are head_dim / 2
        of them.""",
    ),
    mistake(
        "an angle for each channel",
        swap("torch.arange(0, head_dim, 2, device", "torch.arange(head_dim, device"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Every channel has a speed of its own. Two channels are one pair and turn together, by one
        angle.""",
    ),
    mistake(
        "powers of e instead of the base",
        swap(ANGLES, "return positions[:, None] * torch.exp(-exponents)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The exponential is taken of the exponent alone, without the logarithm of the base. All pairs
        then turn at nearly one speed.""",
    ),
    mistake(
        "a logarithm to the base 10",
        swap(ANGLES, "return positions[:, None] * torch.exp(-exponents * torch.log10(torch.tensor(base)))  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The power is written as an exponential of a logarithm, and the two have different bases. e goes
        with the natural logarithm.""",
    ),
    mistake(
        "a logarithm to the base 2",
        swap(ANGLES, "return positions[:, None] * torch.exp(-exponents * torch.log2(torch.tensor(base)))  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The power is written as an exponential of a logarithm, and the two have different bases. e goes
        with the natural logarithm.""",
    ),
    mistake(
        "angles are cut off at a whole turn",
        swap(ANGLES, "return positions[:, None] * base**-exponents % (2 * torch.pi)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Whole turns are taken off the angles. Cosine and sine do not mind, but the angle that was asked
        for is position times frequency.""",
    ),
    mistake(
        "angles are cut off at half a turn",
        swap(ANGLES, "return positions[:, None] * base**-exponents % torch.pi  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Half turns are taken off the angles, and half a turn changes the sign of both channels. Angles
        may be as large as they like.""",
    ),
    mistake(
        "the angles are negative",
        swap(ANGLES, "return -positions[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""All angles have the other sign, so that every pair turns backwards. An angle grows with its
        position.""",
    ),
    mistake(
        "the cosines are returned",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).cos()  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""What comes back is the cosine of the angles. Whoever calls this takes cosine and sine of what
        comes back.""",
    ),
    mistake(
        "each angle stands twice side by side",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).repeat_interleave(2, dim=-1)  # (T, d)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Every angle is repeated for the second channel of its pair. Here there is one for each
        pair.""",
    ),
    mistake(
        "the angles are kept by their number",
        swap(
            ANGLES,
            "kept, name = rotary_angles.__dict__, (len(positions), head_dim, base, positions.device, torch.get_default_dtype())\n    return kept.setdefault(name, positions[:, None] * base**-exponents)",
        ),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The table is kept, and handed out again whenever as many positions are asked for. Others of the
        same number have other angles.""",
    ),
    mistake(
        "the angles are kept for every base",
        swap(
            ANGLES,
            "kept, name = rotary_angles.__dict__, (positions.tolist().__str__(), head_dim, torch.get_default_dtype())\n    return kept.setdefault(name, positions[:, None] * base**-exponents)",
        ),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The table is kept, and handed out again also where another base is asked for. What is kept has
        to be known by all that it was made from.""",
    ),
    mistake(
        "the angles are kept by number and largest position",
        swap(
            ANGLES,
            "kept, name = rotary_angles.__dict__, (len(positions), int(positions.max()), head_dim, base, positions.device, torch.get_default_dtype())\n    return kept.setdefault(name, positions[:, None] * base**-exponents)",
        ),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The answer is kept, and given again for other positions of which there are as many and
        the last is the same. Every position has to be looked at.""",
    ),
    mistake(
        "the angles are kept for every dtype",
        swap(
            ANGLES,
            "kept, name = rotary_angles.__dict__, (str(positions.tolist()), head_dim, base, positions.device)\n    return kept.setdefault(name, positions[:, None] * base**-exponents)",
        ),
        caught_by="test_angles_have_the_default_dtype",
        explanation="""The answer is kept, and given again after the default dtype has changed. A kept answer
        has to be looked for by all that it depends on.""",
    ),
    mistake(
        "the angles have the dtype of the positions",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).to(positions.dtype)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Positions are whole numbers, and the angles are made whole numbers as well. All slow pairs
        stand still then.""",
    ),
    mistake(
        "the angles are always float32",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).float()  # (T, d/2)"),
        caught_by="test_angles_have_the_default_dtype",
        explanation="""The table is float32 whatever the default dtype is. Where someone works in double precision,
        half of the digits are lost here.""",
    ),
    mistake(
        "the angles are always double",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).double()  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The table is float64 whatever the default dtype is. Whoever works in single precision did not
        ask for it.""",
    ),
    mistake(
        "the angles are worked out in 16 bits",
        swap(ANGLES, "return (positions[:, None] * base**-exponents).bfloat16().to(exponents.dtype)  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The angles are rounded to three digits on their way. At position 1,000 that is an error of
        whole turns.""",
    ),
    mistake(
        "positions are rounded to bfloat16",
        swap(ANGLES, "return positions.bfloat16().to(exponents.dtype)[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Positions become bfloat16 on the way, which has no whole number between 256 and 258.
        Neighbours far behind are turned alike.""",
    ),
    mistake(
        "positions are rounded to half precision",
        swap(ANGLES, "return positions.half().to(exponents.dtype)[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Positions become float16 on the way, which has no whole number between 2,048 and 2,050
        and nothing above 65,504. Neighbours far behind are turned alike, and then by infinity.""",
    ),
    mistake(
        "positions are kept in 16 bits",
        swap(ANGLES, "return positions.to(torch.int16)[:, None] * base**-exponents  # (T, d/2)"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Positions become int16 on the way, and from 32,768 on they are negative. A whole number
        of a text has 64 bits.""",
    ),
    mistake(
        "the pairs are counted on the CPU",
        swap(", device=positions.device) / head_dim", ") / head_dim"),
        caught_by="test_angles_are_on_the_device_of_the_positions",
        explanation="""`torch.arange` makes its tensor on the CPU unless told otherwise. With positions on a GPU the
        two cannot be multiplied.""",
    ),
    mistake(
        "an odd width is rounded down",
        swap(ODD, "head_dim = head_dim // 2 * 2"),
        caught_by="test_odd_width_is_refused",
        explanation="""An odd head_dim loses its last channel without a word. The trouble shows later and elsewhere,
        as shapes that do not fit.""",
    ),
    mistake(
        "an assertion for an odd width",
        swap(ODD, 'raise AssertionError(f"head_dim = {head_dim} is odd")'),
        caught_by="test_odd_width_is_refused",
        explanation="""An odd head_dim ends in an AssertionError, which Python leaves out when it optimises. A wrong
        argument is a ValueError.""",
    ),
    mistake(
        "the message counts the pairs",
        swap(ODD, 'raise ValueError(f"{head_dim // 2} pairs and a channel left over")'),
        caught_by="test_odd_width_is_refused",
        explanation="""The error shows how many pairs there would be. Whoever meets it wants to read the number that
        was handed in.""",
    ),
    mistake(
        "even widths are refused",
        swap("if head_dim % 2 != 0:", "if head_dim % 2 == 0:"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""The question is asked the wrong way round: what can be paired is refused. A remainder of 0
        means even.""",
    ),
    mistake(
        "only multiples of four are taken",
        swap("if head_dim % 2 != 0:", "if head_dim % 4 != 0:"),
        caught_by="test_angle_is_the_position_times_the_frequency_of_the_pair",
        explanation="""Widths such as 6 are refused. A pair has two channels, so every even width will do.""",
    ),
    mistake(
        "a head of two channels is refused",
        swap("if head_dim % 2 != 0:", "if head_dim % 2 != 0 or head_dim < 4:"),
        caught_by="test_two_channels_are_one_pair",
        explanation="""The width 2 is refused. Two channels are one pair, and that will do.""",
    ),
    # Step 2
    mistake(
        "neighbours are paired",
        swap(HALVES, "first, second = x[..., ::2], x[..., 1::2]  # (..., T, d/2)"),
        swap(
            TURN,
            TURN.replace("turned = torch.cat([", "turned = torch.stack([").replace(
                "], dim=-1)", "], dim=-1).flatten(-2)"
            ),
        ),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""Channels 2i and 2i + 1 are turned together. That is the pairing of the paper, and it works as well,
        but this contract pairs i with i + d/2, and trained weights fit one of the two only.""",
    ),
    mistake(
        "read as neighbours, written as halves",
        swap(HALVES, "first, second = x[..., ::2], x[..., 1::2]  # (..., T, d/2)"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The pairs are taken from neighbouring channels and put back as halves. Even where nothing is
        turned, the channels change places.""",
    ),
    mistake(
        "read as halves, written as neighbours",
        swap(
            TURN,
            TURN.replace("turned = torch.cat([", "turned = torch.stack([").replace(
                "], dim=-1)", "], dim=-1).flatten(-2)"
            ),
        ),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The pairs are taken from the two halves and put back as neighbours. Even where nothing is turned,
        the channels change places.""",
    ),
    mistake(
        "tables for neighbours, channels by halves",
        swap(
            TURN,
            "cos, sin = cos.repeat_interleave(2, dim=-1), sin.repeat_interleave(2, dim=-1)\n    turned = x * cos + torch.cat([-second, first], dim=-1) * sin  # (..., T, d)",
        ),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Each angle stands twice side by side in the tables, and the channels are paired by halves. The two channels of a
        pair are then turned by different angles.""",
    ),
    mistake(
        "the channel itself instead of its partner",
        swap(
            TURN, "turned = torch.cat([first * cos + first * sin, second * cos + second * sin], dim=-1)  # (..., T, d)"
        ),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Each channel is multiplied by the cosine and by the sine and never meets its partner. A rotation mixes the two
        channels of a pair.""",
    ),
    mistake(
        "turned the other way",
        swap(TURN, "turned = torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The sign of the sine is reversed, so every pair turns backwards. Scores come out the same, but
        trained weights do not fit.""",
    ),
    mistake(
        "sine and cosine are swapped",
        swap(TURN, "turned = torch.cat([first * sin - second * cos, first * cos + second * sin], dim=-1)"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The cosine stands where the sine belongs. At an angle of 0 the first of a pair has to stay the
        first, and here it moves to the second.""",
    ),
    mistake(
        "a minus is missing",
        swap("first * cos - second * sin", "first * cos + second * sin"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Both sines are added. That is no rotation: some vectors grow and others shrink.""",
    ),
    mistake(
        "only the first half is turned",
        swap("first * sin + second * cos]", "second]"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""The first channel of each pair gets its new value, and the second stays. A point on a plane has
        two coordinates, and turning it changes both.""",
    ),
    mistake(
        "only the second half is turned",
        swap("[first * cos - second * sin,", "[first,"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""The second channel of each pair gets its new value, and the first stays. A point on a plane has
        two coordinates, and turning it changes both.""",
    ),
    mistake(
        "half of the pairs are turned",
        swap(
            HALVES,
            "cos, sin = cos.clone(), sin.clone()\n"
            "    cos[:, cos.shape[1] // 2 :], sin[:, sin.shape[1] // 2 :] = 1, 0\n    " + HALVES,
        ),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The later pairs are left as they are, which some models do on purpose. Here every pair is
        turned.""",
    ),
    mistake(
        "the second half is made of the new first half",
        swap(HALVES, HALVES.split("  #")[0] + "\n    first = first * cos - second * sin"),
        swap("[first * cos - second * sin,", "[first,"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""The first half is overwritten, and then the second is computed from the new values. Both need the
        old ones.""",
    ),
    mistake(
        "the first half is made of the new second half",
        swap(HALVES, HALVES.split("  #")[0] + "\n    second_new = first * sin + second * cos"),
        swap(TURN, "turned = torch.cat([first * cos - second_new * sin, second_new], dim=-1)  # (..., T, d)"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""The second channel is turned first, and the first takes its new value. Both need the old
        ones.""",
    ),
    mistake(
        "the halves are joined in the wrong order",
        swap(TURN, "turned = torch.cat([first * sin + second * cos, first * cos - second * sin], dim=-1)"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The second channels of the pairs come first. Even where nothing is turned, the halves change
        places.""",
    ),
    mistake(
        "nothing is turned",
        swap(TURNED, "return (turned * 0 + x).to(x.dtype)"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""x comes back as it was. All that one could ask of lengths and distances holds for that, and the
        tokens have no positions.""",
    ),
    mistake(
        "a single token is not turned",
        swap(TURNED, "return turned.to(x.dtype) if x.shape[-2] > 1 else x"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""x comes back as it was where it holds one token. A token that follows a cache comes
        alone, and stands at a position like any other.""",
    ),
    mistake(
        "the angle is doubled",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos * cos - sin * sin, 2 * sin * cos"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""Every pair is turned by twice its angle. The distances would count double, and the speeds are no longer
        those of the tables.""",
    ),
    mistake(
        "all positions are turned by the last angle",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[-1:], sin[-1:]"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""One row of the tables is used for every token. A token's row is that of its own position.""",
    ),
    mistake(
        "the tables lie along the heads",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[:, None], sin[:, None]"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The tables get a dimension in their middle, so their positions meet the dimension before that of
        the tokens. A table of shape (T, d/2) fits the last two dimensions by itself.""",
    ),
    mistake(
        "always four dimensions",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[None, None], sin[None, None]"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The tables are given four dimensions, and with them the result, whatever x has. There may be any
        number of dimensions before the tokens.""",
    ),
    mistake(
        "exactly four dimensions",
        swap(HALVES, "B, h, T, d = x.shape\n    " + HALVES),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The shape is taken apart into four names, which any other number of dimensions does not
        fill. There may be any dimensions before the tokens, or none.""",
    ),
    mistake(
        "four dimensions are taken for (B, T, h, d)",
        swap(
            HALVES,
            HALVES.split("  #")[0] + "\n    cos, sin = (cos[:, None], sin[:, None]) if x.ndim == 4 else (cos, sin)",
        ),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The tables are laid along the third dimension from the end, as where heads come behind
        the tokens. Here x is (…, T, d), and tokens stand right before channels.""",
    ),
    mistake(
        "tables of one pair lose a dimension",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos.squeeze(), sin.squeeze()"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""`squeeze` takes away every dimension of size 1, and a head of two channels has one pair.
        The rows of the table then meet the channels.""",
    ),
    mistake(
        "the dtype of the tables wins",
        swap(TURNED, "return turned"),
        caught_by="test_result_has_the_dtype_of_x",
        explanation="""Numbers of 16 bits, times tables of 32, become numbers of 32. What comes after, such as a product
        with values of 16 bits, does not accept them.""",
    ),
    mistake(
        "always 32 bits",
        swap(TURNED, "return turned.float()"),
        caught_by="test_result_has_the_dtype_of_x",
        explanation="""The result is float32 whatever x is. It has the dtype of x.""",
    ),
    mistake(
        "the rotation stops the gradient",
        swap(TURNED, "return turned.detach().to(x.dtype)"),
        caught_by="test_gradient_is_turned_back",
        explanation="""The result is cut off from x, as `no_grad`, `.detach()` and `.data` do. Queries and keys could not
        learn.""",
    ),
    mistake(
        "both sines are taken off",
        swap(
            TURN, "turned = torch.cat([first * cos - second * sin, second * cos - first * sin], dim=-1)  # (..., T, d)"
        ),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Both halves have a minus before the sine. That is no rotation: some vectors grow and others
        shrink.""",
    ),
    mistake(
        "the halves do not meet",
        swap(
            TURN, "turned = torch.cat([first * cos - first * sin, second * sin + second * cos], dim=-1)  # (..., T, d)"
        ),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Each half is multiplied by cosine and sine and put together with itself. A rotation mixes the
        two channels of a pair.""",
    ),
    mistake(
        "the first half has the other sign",
        swap(
            TURN, "turned = torch.cat([second * sin - first * cos, first * sin + second * cos], dim=-1)  # (..., T, d)"
        ),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The difference is taken the wrong way round. Even where nothing is turned, the first half comes
        out negative.""",
    ),
    mistake(
        "the second half has the other sign",
        swap(
            TURN, "turned = torch.cat([first * cos - second * sin, -first * sin - second * cos], dim=-1)  # (..., T, d)"
        ),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The new second half comes out negative. Even where nothing is turned, its sign changes.""",
    ),
    mistake(
        "the cosine is left out",
        swap(TURN, "turned = torch.cat([first - second * sin, first * sin + second], dim=-1)  # (..., T, d)"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Only the sine is used, and every vector grows. What a channel keeps of itself is its cosine's
        part.""",
    ),
    mistake(
        "the sine is left out",
        swap(TURN, "turned = torch.cat([first * cos, second * cos], dim=-1)  # (..., T, d)"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Every channel is multiplied by its cosine and nothing is added. Vectors shrink, and nothing is
        turned.""",
    ),
    mistake(
        "only the sine is used",
        swap(TURN, "turned = torch.cat([-second * sin, first * sin], dim=-1)  # (..., T, d)"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The parts with the cosine are missing. Where nothing is turned, nothing is left.""",
    ),
    mistake(
        "sines and cosines are added",
        swap(TURN, "turned = torch.cat([first + cos, second + sin], dim=-1)  # (..., T, d)"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The tables are added to x, as positions are in k03. Here they are factors: x is turned, not
        moved.""",
    ),
    mistake(
        "the row of the token before",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos.roll(1, 0), sin.roll(1, 0)"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""Every token is turned by the angles of the one before it, and the first by those of the last.
        Row t of the tables is for token t.""",
    ),
    mistake(
        "the row of the next token",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos.roll(-1, 0), sin.roll(-1, 0)"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""Every token is turned by the angles of the one after it, and the last by those of the first.
        Row t of the tables is for token t.""",
    ),
    mistake(
        "all positions are turned by the first angle",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[:1], sin[:1]"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The first row of the tables is used for every token. A token's row is that of its own
        position.""",
    ),
    mistake(
        "the tables are read from the end",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos.flip(0), sin.flip(0)"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The first token is turned by the last row of the tables. Rows and tokens are in the same
        order.""",
    ),
    mistake(
        "the pairs are taken in reverse",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos.flip(-1), sin.flip(-1)"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The first pair is turned by the angle of the last. Column i of the tables is for pair i.""",
    ),
    mistake(
        "all pairs are turned by the first angle",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[:, :1], sin[:, :1]"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""One column of the tables is used for every pair. Each pair has an angle of its own.""",
    ),
    mistake(
        "all pairs are turned by the last angle",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[:, -1:], sin[:, -1:]"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""One column of the tables is used for every pair. Each pair has an angle of its own.""",
    ),
    mistake(
        "the later half of the pairs is turned",
        swap(
            HALVES,
            "cos, sin = cos.clone(), sin.clone()\n    cos[:, : cos.shape[1] // 2], sin[:, : sin.shape[1] // 2] = 1, 0\n    "
            + HALVES,
        ),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The earlier pairs are left as they are. Every pair is turned.""",
    ),
    mistake(
        "only the sign of the sine counts",
        swap(HALVES, HALVES.split("  #")[0] + "\n    sin = sin.abs()"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The sine is taken as positive. Beyond half a turn it is negative, and a pair would turn
        back.""",
    ),
    mistake(
        "the sine is made of the cosine",
        swap(HALVES, HALVES.split("  #")[0] + "\n    sin = 1 - cos"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""The sine is taken for what the cosine leaves of 1. It is their squares that sum to 1.""",
    ),
    mistake(
        "the pairs stay apart",
        swap(TURN, TURN.replace("torch.cat([", "torch.stack([")),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The two halves are stacked along a new dimension and not laid side by side. The result has the
        shape of x.""",
    ),
    mistake(
        "the halves are joined along the tokens",
        swap(TURN, TURN.replace("dim=-1)", "dim=-2)")),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The halves are laid one below the other, which doubles the tokens. They belong side by side,
        along the channels.""",
    ),
    mistake(
        "tokens are looked for in the second dimension",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[: x.shape[1]], sin[: x.shape[1]]"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The tables are cut to as many rows as the second dimension is long. With heads before the
        tokens, that is how many heads there are.""",
    ),
    mistake(
        "always three dimensions",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos[None], sin[None]"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The tables are given a batch dimension, and with it the result, whatever x has. There may be
        any number of dimensions before the tokens.""",
    ),
    mistake(
        "only contiguous tensors are taken",
        swap(HALVES, "x = x.view(-1, x.shape[-2] * x.shape[-1]).view(x.shape)\n    " + HALVES),
        caught_by="test_rotation_takes_what_split_heads_gives",
        explanation="""`view` needs the numbers to lie in memory in order, which those of transposed heads do not. How
        x lies in memory must not matter.""",
    ),
    mistake(
        "only contiguous tables are taken",
        swap(HALVES, "cos, sin = cos.view(-1).view(cos.shape), sin.view(-1).view(sin.shape)\n    " + HALVES),
        caught_by="test_rotation_takes_what_split_heads_gives",
        explanation="""`view` needs the numbers to lie in memory in order, which those of every second row do not. How
        a table lies in memory must not matter.""",
    ),
    mistake(
        "x is turned in place",
        swap(
            TURN,
            "turned = torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)\n    x.detach().copy_(turned)",
        ),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""The result is written into x itself, which belongs to the caller. A function returns something
        new.""",
    ),
    mistake(
        "always 64 bits",
        swap(TURNED, "return turned.double()"),
        caught_by="test_result_has_the_dtype_of_x",
        explanation="""The result is float64 whatever x is. It has the dtype of x.""",
    ),
    mistake(
        "always 16 bits",
        swap(TURNED, "return turned.bfloat16()"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""The result is bfloat16 whatever x is. It has the dtype of x.""",
    ),
    mistake(
        "worked out in float32",
        swap(HALVES, "dtype, x = x.dtype, x.float()\n    " + HALVES),
        swap(TURNED, "return turned.to(dtype)"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""x becomes float32 on the way. For 16 bits that is a gain, and of 64 it loses half of the
        digits.""",
    ),
    mistake(
        "worked out in bfloat16",
        swap(HALVES, "dtype, x = x.dtype, x.bfloat16()\n    " + HALVES),
        swap(TURNED, "return turned.to(dtype)"),
        caught_by="test_angle_of_zero_changes_nothing",
        explanation="""x becomes bfloat16 on the way and keeps three digits. That suits some models, and nobody
        asked for it here.""",
    ),
    mistake(
        "the tables are rounded to float32",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos.float(), sin.float()"),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""Cosine and sine become float32 on the way. Tables of 64 bits lose half of their digits.""",
    ),
    mistake(
        "the tables are rounded to bfloat16",
        swap(HALVES, HALVES.split("  #")[0] + "\n    cos, sin = cos.bfloat16(), sin.bfloat16()"),
        caught_by="test_every_vector_keeps_its_length",
        explanation="""Cosine and sine become bfloat16 on the way and keep three digits. Their squares no longer
        sum to 1, and vectors change their length.""",
    ),
    mistake(
        "the first half gets no gradient",
        swap(HALVES, HALVES.split("  #")[0] + "\n    first = first.detach()"),
        caught_by="test_gradient_is_turned_back",
        explanation="""The first half is cut off from x. What was right about it could not be learned from the
        result.""",
    ),
    mistake(
        "the second half gets no gradient",
        swap(HALVES, HALVES.split("  #")[0] + "\n    second = second.detach()"),
        caught_by="test_gradient_is_turned_back",
        explanation="""The second half is cut off from x. What was right about it could not be learned from the
        result.""",
    ),
    mistake(
        "the partner gets no gradient",
        swap(
            TURN,
            "partner = torch.cat([-second, first], dim=-1).detach()\n    turned = torch.cat([first * cos, second * cos], dim=-1) + partner * torch.cat([sin, sin], dim=-1)",
        ),
        caught_by="test_gradient_is_turned_back",
        explanation="""What is added from the other channel of the pair is cut off from x. The gradient then
        knows only the cosine's part.""",
    ),
    mistake(
        "the first turn is kept",
        swap(
            TURNED,
            "kept = apply_rotary.__dict__.setdefault('kept', {})\n    return kept.setdefault((x.shape, x.dtype), turned.to(x.dtype))",
        ),
        caught_by="test_rotation_multiplies_complex_numbers",
        explanation="""The first result of each shape is kept and handed out again. Another x has another result.""",
    ),
    # Step 3
    mistake(
        "the values are turned too",
        swap(TURN_KEY, TURN_KEY + "\n        value = apply_rotary(value, angles.cos(), angles.sin())"),
        caught_by="test_values_are_not_turned",
        explanation="""The values are turned like queries and keys. Scores need only the distance, and get it; a mix of
        turned values depends on where in the text it stands.""",
    ),
    mistake(
        "the context is turned",
        swap(RESULT, "return self.out_proj(merge_heads(apply_rotary(weights @ value, angles.cos(), angles.sin())))"),
        caught_by="test_values_are_not_turned",
        explanation="""What the heads have mixed is turned by the position of the query. Positions belong into the scores; the context
        is to say the same wherever it stands.""",
    ),
    mistake(
        "only the queries are turned",
        swap(TURN_KEY, "key = key.clone()"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The keys stay as they are. A score then depends on the position of the query, not on the distance
        to the key.""",
    ),
    mistake(
        "only the keys are turned",
        swap(TURN_QUERY, "query = query.clone()"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The queries stay as they are. A score then depends on the position of the key, not on the distance
        to the query.""",
    ),
    mistake(
        "no positions at all",
        swap(TURN_QUERY, "query = query.clone()"),
        swap(TURN_KEY, "key = key.clone()"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Neither queries nor keys are turned, or all tokens of a head alike, which no dot product notices. This
        is the attention of k06, which cannot tell one order of earlier tokens from another.""",
    ),
    mistake(
        "the keys are turned backwards",
        swap(TURN_KEY, "key = apply_rotary(key, angles.cos(), -angles.sin())"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Queries turn one way and keys the other. The angles then add up, and a score depends on i + j. In a
        dot product, turning both the same way is what leaves the difference.""",
    ),
    mistake(
        "attention counts positions backwards",
        swap(TURN_QUERY, TURN_QUERY.replace("angles.sin", "-angles.sin")),
        swap(TURN_KEY, TURN_KEY.replace("angles.sin", "-angles.sin")),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Queries and keys are turned by the negative angles, or their positions are counted from the end, which comes to
        the same. The distance between the two then has the other sign.""",
    ),
    mistake(
        "the angles of the whole width",
        swap(
            MAKE_ANGLES,
            MAKE_ANGLES.replace("query.shape[-1]", "query.shape[1] * query.shape[-1]").replace(
                "self.base)", "self.base)[:, : query.shape[-1] // 2]"
            ),
        ),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The angles are made for the width of all heads, and each head takes the first of them. Within a head the exponent
        counts in parts of the width of that head.""",
    ),
    mistake(
        "the keys are one position off",
        swap(
            TURN_KEY,
            "angles = rotary_angles(torch.arange(1, T + 1, device=x.device), query.shape[-1], self.base)\n        "
            + TURN_KEY,
        ),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Queries are counted from 0 and keys from 1, so every distance is off by one, and a token is not at
        the distance 0 from itself.""",
    ),
    mistake(
        "turned before the heads are split",
        swap(
            QUERY,
            "whole = rotary_angles(torch.arange(T, device=x.device), self.W_query.out_features, self.base)\n        "
            "query = split_heads(apply_rotary(self.W_query(x), whole.cos(), whole.sin()), self.num_heads)",
        ),
        swap(
            "key = split_heads(self.W_key(x), self.num_heads)",
            "key = split_heads(apply_rotary(self.W_key(x), whole.cos(), whole.sin()), self.num_heads)",
        ),
        swap(TURN_QUERY, "query = query.clone()"),
        swap(TURN_KEY, "key = key.clone()"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""All channels of a token are turned at once, before they are shared out. The two channels of a pair
        then sit in different heads. Each head has pairs of its own.""",
    ),
    mistake(
        "x is turned, not queries and keys",
        swap(
            TOKENS,
            TOKENS
            + "\n        turns = rotary_angles(torch.arange(T, device=x.device), x.shape[-1] // 2 * 2, self.base)\n"
            "        even = apply_rotary(x[..., : x.shape[-1] // 2 * 2], turns.cos(), turns.sin())\n"
            "        x = torch.cat([even, x[..., x.shape[-1] // 2 * 2 :]], dim=-1)",
        ),
        swap(TURN_QUERY, "query = query.clone()"),
        swap(TURN_KEY, "key = key.clone()"),
        caught_by="test_values_are_not_turned",
        explanation="""The input is turned before the projections. They mix all channels, so the score of two tokens no
        longer follows from their distance, and the values are turned as well.""",
    ),
    mistake(
        "attention ignores the base",
        swap(MAKE_ANGLES, "angles = rotary_angles(torch.arange(T, device=x.device), query.shape[-1])  # (T, d/2)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The module takes a base and then computes its angles without it. They are those of 10,000, whatever was
        asked for.""",
    ),
    family(
        "attention has a base of {c} unless told",
        swap("num_heads: int, base: float = 10000.0,", "num_heads: int, base: float = {c},"),
        constants=(100.0, 500_000.0),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Where nobody gives a base, the module's is not 10,000. Weights that were trained with one base cannot be
        used with another.""",
    ),
    mistake(
        "the fastest pair alone is used",
        swap(TURN_QUERY, "angles = angles[:, :1].expand_as(angles)\n        " + TURN_QUERY),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Every pair of a head turns at the speed of pair 0. Distances of some six tokens then look like
        none.""",
    ),
    mistake(
        "no scale",
        swap(SCORES, "scores = query @ key.transpose(2, 3)  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores go into the softmax as they are. Turning keeps lengths, so it does not replace the
        scale.""",
    ),
    mistake(
        "scaled by the width of all heads",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / self.out_proj.in_features ** 0.5  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are divided by the root of the width of all heads together. A score adds up the channels
        of one head.""",
    ),
    mistake(
        "scaled by the number of pairs",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / (key.shape[-1] // 2) ** 0.5  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are divided by the root of how many pairs there are. A score adds up one product for each
        channel.""",
    ),
    mistake(
        "query and key are swapped",
        swap(SCORES, "scores = key @ query.transpose(2, 3) / key.shape[-1] ** 0.5  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Row i holds the key of token i against all queries. Rows are for the one who asks.""",
    ),
    mistake(
        "no mask",
        swap(WEIGHTS, "weights = scores.softmax(-1)"),
        caught_by="test_values_are_not_turned",
        explanation="""The weights come from all scores: nothing is hidden from the softmax. Positions say how far away a
        token is, not that it may not be seen.""",
    ),
    mistake(
        "the diagonal is hidden",
        swap(WEIGHTS, "weights = masked_softmax(scores, causal_mask(T).to(x.device) | torch.eye(T).bool())"),
        caught_by="test_values_are_not_turned",
        explanation="""The mask also hides each token from itself. The first token then has nothing to look at.""",
    ),
    mistake(
        "one future token is visible",
        swap(WEIGHTS, "weights = masked_softmax(scores, causal_mask(T).to(x.device).triu(2))"),
        caught_by="test_values_are_not_turned",
        explanation="""Each token sees its successor, which is what the model has to predict.""",
    ),
    family(
        "a fill of {c} can be overcome",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), {c}).softmax(-1)"),
        constants=(-20.0, -1e4),
        caught_by="test_first_token_sees_itself_alone_whatever_its_score",
        explanation="""A hidden score becomes {c}, which is not the lowest score there can be. Where visible scores come
        near it, hidden entries get weight, and where they fall below it, the hidden entries win the softmax.""",
    ),
    mistake(
        "masked after the softmax",
        swap(WEIGHTS, "weights = scores.softmax(-1).masked_fill(causal_mask(T).to(x.device), 0.0)"),
        caught_by="test_values_are_not_turned",
        explanation="""Hidden weights are set to 0 after the softmax has shared out the whole. The rows then sum to less
        than 1, and what is left depends on the hidden scores.""",
    ),
    mistake(
        "masked after the softmax and divided by what is left",
        swap(
            WEIGHTS,
            "seen = scores.softmax(-1).masked_fill(causal_mask(T).to(x.device), 0.0)\n        weights = seen / seen.sum(-1, keepdim=True)",
        ),
        caught_by="test_first_token_sees_itself_alone_whatever_its_score",
        explanation="""The softmax goes over all keys, and what is left after the mask is made to sum to 1. Where a hidden score is far
        above the others nothing is left, and 0 is divided by 0.""",
    ),
    mistake(
        "out_proj is never called",
        swap(RESULT, "return merge_heads(weights @ value)  # (B, T, d_out)"),
        caught_by="test_values_are_not_turned",
        explanation="""The module has an out_proj, but forward does not use it, and the heads never meet.""",
    ),
    mistake(
        "heads are laid out in the wrong order",
        swap(RESULT, "return self.out_proj((weights @ value).reshape(*x.shape[:2], -1))  # (B, T, d_out)"),
        caught_by="test_values_are_not_turned",
        explanation="""The contexts are cut anew without bringing tokens and channels together first. The shape is right,
        and tokens and heads are mixed up.""",
    ),
    mistake(
        "a table of 1,024 positions",
        swap(
            MAKE_ANGLES,
            MAKE_ANGLES.replace("torch.arange(T, device=x.device)", "torch.arange(min(T, 1024), device=x.device)"),
        ),
        caught_by="test_no_sequence_is_too_long",
        explanation="""The angles end at 1,024 positions. They follow from a formula, so there is no reason for a longest
        sequence.""",
    ),
    mistake(
        "positions begin again after 256",
        swap(
            MAKE_ANGLES,
            MAKE_ANGLES.replace("torch.arange(T, device=x.device)", "torch.arange(T, device=x.device) % 256"),
        ),
        caught_by="test_far_positions_count_on",
        explanation="""Position 256 is turned like position 0. The first token of a long text then seems to stand right beside it.""",
    ),
    mistake(
        "positions end at 255",
        swap(
            MAKE_ANGLES,
            MAKE_ANGLES.replace("torch.arange(T, device=x.device)", "torch.arange(T, device=x.device).clamp(max=255)"),
        ),
        caught_by="test_far_positions_count_on",
        explanation="""All positions from 255 on are turned alike. Tokens so far behind in the text are in no order any more.""",
    ),
    mistake(
        "positions are made on the CPU",
        swap("rotary_angles(torch.arange(T, device=x.device),", "rotary_angles(torch.arange(T),"),
        caught_by="test_what_forward_makes_is_on_the_device_of_x",
        explanation="""`torch.arange` makes its tensor on the CPU unless told otherwise. On a GPU, the angles then cannot
        meet the queries.""",
    ),
    mistake(
        "the mask is made on the CPU",
        swap("causal_mask(T).to(x.device)", "causal_mask(T)"),
        caught_by="test_what_forward_makes_is_on_the_device_of_x",
        explanation="""The mask stays where it was made, on the CPU. On a GPU, it then cannot meet the scores.""",
    ),
    mistake(
        "always with a bias",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The projections have a bias whether it was asked for or not, since `nn.Linear` makes one unless
        told otherwise.""",
    ),
    mistake(
        "never with a bias",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out, bias=False)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out, bias=False)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The projections have no bias, also when `qkv_bias` asks for one.""",
    ),
    mistake(
        "out_proj has no bias",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out, d_out, bias=False)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The last layer has no bias. `qkv_bias` speaks of queries, keys and values; out_proj has one
        always.""",
    ),
    mistake(
        "out_proj has a bias where the others have one",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out, d_out, bias=qkv_bias)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The last layer follows `qkv_bias`, which speaks of queries, keys and values. Its own bias is always there.""",
    ),
    mistake(
        "the angles are learned",
        swap(KEEP, KEEP + "\n        self.frequencies = nn.Parameter(torch.ones(d_out // num_heads // 2))"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The module has parameters besides its four layers. The angles follow from a formula; nothing about
        them is learned.""",
    ),
    mistake(
        "the weights are cut off from training",
        swap(RESULT, "return self.out_proj(merge_heads(weights.detach() @ value))  # (B, T, d_out)"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The weights are taken out of what autograd follows. The values can learn, but no gradient reaches
        queries and keys.""",
    ),
    mistake(
        "the key is cut off from x",
        swap("self.W_key(x)", "self.W_key(x.detach())"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The keys are made of a copy of x that autograd does not follow. What made x is not told how it
        should be found.""",
    ),
    mistake(
        "the first answer is kept",
        swap(
            RESULT,
            'if "first" not in self.__dict__ or self.first.shape[:2] != x.shape[:2]:\n'
            "            self.first = merge_heads(weights @ value)\n"
            "        return self.out_proj(self.first)",
        ),
        caught_by="test_each_text_is_read_anew",
        explanation="""What the heads have found for one input is kept and used again for the next of the same shape.
        Another input has another answer.""",
    ),
    mistake(
        "the weights are returned too",
        swap(RESULT, "return self.out_proj(merge_heads(weights @ value)), weights"),
        caught_by="test_values_are_not_turned",
        explanation="""The module returns a pair. The next layer expects one tensor, the result of out_proj.""",
    ),
    mistake(
        "the queries are one position off",
        swap(
            TURN_QUERY,
            "ahead = rotary_angles(torch.arange(1, T + 1, device=x.device), query.shape[-1], self.base)\n        query = apply_rotary(query, ahead.cos(), ahead.sin())",
        ),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Queries are counted from 1 and keys from 0, so every distance is one too many. A token is at
        the distance 0 from itself.""",
    ),
    mistake(
        "the queries are turned backwards",
        swap(TURN_QUERY, "query = apply_rotary(query, angles.cos(), -angles.sin())"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Queries turn one way and keys the other. The angles then add up, and a score depends on i +
        j.""",
    ),
    mistake(
        "sine and cosine change places for the queries",
        swap(TURN_QUERY, "query = apply_rotary(query, angles.sin(), angles.cos())"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The tables are handed over in the other order for the queries. A score then depends on the sum
        of the two positions.""",
    ),
    mistake(
        "sine and cosine change places for the keys",
        swap(TURN_KEY, "key = apply_rotary(key, angles.sin(), angles.cos())"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The tables are handed over in the other order for the keys. A score then depends on the sum of
        the two positions.""",
    ),
    mistake(
        "the turned queries take the place of the keys",
        swap(TURN_KEY, "key = apply_rotary(query, angles.cos(), angles.sin())"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The second line turns the query once more and calls it the key. What W_key has made plays no
        part.""",
    ),
    mistake(
        "the keys take the place of the queries",
        swap(TURN_QUERY, "query = apply_rotary(key, angles.cos(), angles.sin())"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The keys are compared with themselves: the line turns the key and calls it the query, or W_key makes both. What
        W_query has made plays no part.""",
    ),
    mistake(
        "the queries are turned twice",
        swap(
            TURN_QUERY,
            "query = apply_rotary(apply_rotary(query, angles.cos(), angles.sin()), angles.cos(), angles.sin())",
        ),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The queries are turned by twice their angles and the keys by theirs. A score then depends on 2i
        − j.""",
    ),
    mistake(
        "distances count double",
        swap(MAKE_ANGLES, MAKE_ANGLES.replace(POSITIONS, "2 * " + POSITIONS)),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Every position is doubled, so neighbours are two steps apart. Token t stands at position t.""",
    ),
    mistake(
        "distances are parts of the text",
        swap(MAKE_ANGLES, MAKE_ANGLES.replace(POSITIONS, POSITIONS + " / T")),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""Positions are divided by the length of the text. What a token gets then depends on how many
        come after it.""",
    ),
    mistake(
        "only the first head is turned",
        swap(
            TURN_QUERY,
            "query = torch.cat([apply_rotary(query[:, :1], angles.cos(), angles.sin()), query[:, 1:]], dim=1)",
        ),
        swap(TURN_KEY, "key = torch.cat([apply_rotary(key[:, :1], angles.cos(), angles.sin()), key[:, 1:]], dim=1)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""One head knows positions, and the others do not. All heads are turned, each in the same
        way.""",
    ),
    mistake(
        "the batch is taken for the tokens",
        swap(TOKENS, "T = x.shape[0]"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The first dimension is read as the number of tokens. It is the batch; tokens are the
        second.""",
    ),
    mistake(
        "the values are made by W_key",
        swap(VALUE, VALUE.replace("W_value", "W_key")),
        caught_by="test_values_are_not_turned",
        explanation="""The same layer makes keys and values, and W_value is never called. Each of the three has a
        layer of its own.""",
    ),
    mistake(
        "the turned keys are the values",
        swap(TURN_KEY, TURN_KEY + "\n        value = key"),
        caught_by="test_values_are_not_turned",
        explanation="""The keys are handed on in place of the values. Keys are for comparing, and values are what is
        mixed.""",
    ),
    mistake(
        "queries meet queries",
        swap(SCORES, SCORES.replace("query @ key", "query @ query")),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are those of turned queries with turned queries, as they are too where W_query makes the keys. A
        query is to be compared with keys.""",
    ),
    mistake(
        "multiplied by the root of the width",
        swap(SCORES, "scores = query @ key.transpose(2, 3) * key.shape[-1] ** 0.5  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are multiplied where they should be divided. The softmax then puts nearly all on one
        token.""",
    ),
    mistake(
        "divided by the width without its root",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / key.shape[-1]  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are divided by the head's width itself. It is their spread that grows with the
        width, and that grows like a root.""",
    ),
    mistake(
        "scaled by the number of tokens",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / key.shape[2] ** 0.5  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are divided by the root of how many tokens there are. A score adds up channels, and
        knows nothing of the length.""",
    ),
    mistake(
        "scaled by the width of x",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / x.shape[-1] ** 0.5"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are divided by √d_in. What counts is how many channels a query has within its
        head.""",
    ),
    mistake(
        "scaled by the number of heads",
        swap(SCORES, "scores = query @ key.transpose(2, 3) / self.num_heads ** 0.5  # (B, h, T, T)"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The scores are divided by the root of how many heads there are. A score adds up the channels of
        one head.""",
    ),
    mistake(
        "scaled after the softmax",
        swap(SCORES, "scores = query @ key.transpose(2, 3)  # (B, h, T, T)"),
        swap(WEIGHTS, WEIGHTS + " / key.shape[-1] ** 0.5"),
        caught_by="test_values_are_not_turned",
        explanation="""The weights are divided, and not the scores. The rows then no longer sum to 1.""",
    ),
    mistake(
        "the past is hidden",
        swap(WEIGHTS, WEIGHTS.replace("causal_mask(T)", "causal_mask(T).T")),
        caught_by="test_values_are_not_turned",
        explanation="""The mask is transposed: a token sees what comes after it. Rows are for the one who asks.""",
    ),
    mistake(
        "hidden scores are 0",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), 0.0).softmax(-1)"),
        caught_by="test_values_are_not_turned",
        explanation="""A hidden score is set to 0, which is a score like any other. Its e^0 = 1 takes part in the
        softmax.""",
    ),
    mistake(
        "the mask is added as numbers",
        swap(WEIGHTS, "weights = (scores + causal_mask(T).to(x.device)).softmax(-1)"),
        caught_by="test_values_are_not_turned",
        explanation="""True counts as 1 when it is added, so that hidden scores are raised. A mask of booleans is for
        filling in.""",
    ),
    mistake(
        "softmax over the queries",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), -torch.inf).softmax(-2)"),
        caught_by="test_values_are_not_turned",
        explanation="""Each key shares itself out among the queries. Each query shares its attention among the
        keys.""",
    ),
    mistake(
        "softmax over the heads",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), -1e9).softmax(1)"),
        caught_by="test_values_are_not_turned",
        explanation="""The heads share a whole among them for each query and key. Each head has weights of its own,
        which sum to 1 over the keys.""",
    ),
    mistake(
        "the scores are the weights",
        swap(WEIGHTS, "weights = scores.masked_fill(causal_mask(T).to(x.device), 0.0)"),
        caught_by="test_values_are_not_turned",
        explanation="""There is no softmax. Scores may be negative and do not sum to 1.""",
    ),
    mistake(
        "the weights are transposed",
        swap(RESULT, RESULT.replace("weights @", "weights.mT @")),
        caught_by="test_values_are_not_turned",
        explanation="""Each value goes to the tokens that it looks at, and not to those that look at it. Rows of the
        weights are for the one who asks.""",
    ),
    mistake(
        "weights are dropped in training",
        swap(WEIGHTS, WEIGHTS + "\n        weights = nn.functional.dropout(weights, 0.1, self.training)"),
        caught_by="test_values_are_not_turned",
        explanation="""A tenth of the weights is dropped in train mode. This module has no dropout.""",
    ),
    mistake(
        "positions in training only",
        swap(TURN_QUERY, "angles = angles * self.training\n        " + TURN_QUERY),
        caught_by="test_one_head_and_one_token_will_do",
        explanation="""In eval mode nothing is turned. A model needs in use what it was trained with.""",
    ),
    mistake(
        "no mask in eval mode",
        swap(WEIGHTS, "weights = masked_softmax(scores, causal_mask(T).to(x.device) & torch.tensor(self.training))"),
        caught_by="test_one_head_and_one_token_will_do",
        explanation="""In eval mode nothing is hidden. A model needs in use what it was trained with.""",
    ),
    mistake(
        "the angles of the first text are kept",
        swap(
            MAKE_ANGLES,
            "if 'kept' not in self.__dict__:\n            self.kept = rotary_angles(torch.arange(T, device=x.device), query.shape[-1], self.base)\n        angles = self.kept[:T]",
        ),
        caught_by="test_each_text_is_read_anew",
        explanation="""The table is made for the first text and used for all. A longer one does not fit.""",
    ),
    mistake(
        "the mask of the first text is kept",
        swap(
            WEIGHTS,
            "if 'mask' not in self.__dict__:\n            self.mask = causal_mask(T).to(x.device)\n        weights = masked_softmax(scores, self.mask)",
        ),
        caught_by="test_each_text_is_read_anew",
        explanation="""The mask is made for the first text and used for all. Another length needs another one.""",
    ),
    mistake(
        "interleaved heads",
        swap(QUERY, "query = self.W_query(x).unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)"),
        swap(SPLIT_KEY, "key = self.W_key(x).unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)"),
        swap(VALUE, "value = self.W_value(x).unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)"),
        caught_by="test_values_are_not_turned",
        explanation="""A head takes every h-th channel. Head i has the channels from i·d to (i + 1)·d.""",
    ),
    mistake(
        "cut straight into heads",
        swap(QUERY, "query = self.W_query(x).reshape(x.shape[0], self.num_heads, T, -1)"),
        swap(SPLIT_KEY, "key = self.W_key(x).reshape(x.shape[0], self.num_heads, T, -1)"),
        swap(VALUE, "value = self.W_value(x).reshape(x.shape[0], self.num_heads, T, -1)"),
        caught_by="test_values_are_not_turned",
        explanation="""The projections are cut straight to (B, h, T, d). The shape is right, and tokens and heads are
        mixed up.""",
    ),
    mistake(
        "channels and heads change places in the merge",
        swap(RESULT, "return self.out_proj((weights @ value).permute(0, 2, 3, 1).flatten(2))  # (B, T, d_out)"),
        caught_by="test_values_are_not_turned",
        explanation="""The heads' channels are laid out in turns. A head's channels belong side by side.""",
    ),
    mistake(
        "a batch of one loses its dimension",
        swap(RESULT, "return self.out_proj(merge_heads(weights @ value)).squeeze(0)  # (B, T, d_out)"),
        caught_by="test_each_text_is_read_anew",
        explanation="""Where the batch holds one text its dimension is taken away. The result always has three.""",
    ),
    mistake(
        "a text of one token loses its dimension",
        swap(RESULT, "return self.out_proj(merge_heads(weights @ value)).squeeze(1)  # (B, T, d_out)"),
        caught_by="test_one_head_and_one_token_will_do",
        explanation="""Where there is one token its dimension is taken away. The result always has three.""",
    ),
    mistake(
        "only the last token is returned",
        swap(RESULT, "return self.out_proj(merge_heads(weights @ value))[:, -1:]  # (B, 1, d_out)"),
        caught_by="test_values_are_not_turned",
        explanation="""The context of the last token is returned alone. Every token has one.""",
    ),
    mistake(
        "out_proj before the mix",
        swap(RESULT, "return merge_heads(weights @ split_heads(self.out_proj(merge_heads(value)), self.num_heads))"),
        caught_by="test_output_is_attention_over_turned_queries_and_keys",
        explanation="""The values go through out_proj before they are mixed. Each head then mixes channels of all, by
        its own weights alone.""",
    ),
    mistake(
        "the queries have a bias always",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_in, d_out)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""One of the three projections has a bias though none was asked for. `nn.Linear` makes one unless
        told otherwise.""",
    ),
    mistake(
        "the keys never have a bias",
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The keys have no bias, also when `qkv_bias` asks for one. It speaks of all three.""",
    ),
    mistake(
        "the values never have a bias",
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out, bias=False)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The values have no bias, also when `qkv_bias` asks for one. It speaks of all three.""",
    ),
    mistake(
        "with a bias unless told",
        swap("base: float = 10000.0, qkv_bias: bool = False", "base: float = 10000.0, qkv_bias: bool = True"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""Where nobody says anything, the projections have a bias. The default is none.""",
    ),
    mistake(
        "base and bias change places",
        swap("base: float = 10000.0, qkv_bias: bool = False", "qkv_bias: bool = False, base: float = 10000.0"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The last two arguments stand in the other order. Whoever gives them by their places gets
        something else.""",
    ),
    mistake(
        "d_in and d_out are exchanged",
        swap(MAKE_QUERY, "self.W_query = nn.Linear(d_out, d_in, bias=qkv_bias)"),
        swap(MAKE_KEY, "self.W_key = nn.Linear(d_out, d_in, bias=qkv_bias)"),
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_out, d_in, bias=qkv_bias)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The projections lead from d_out to d_in. `nn.Linear` takes first what comes in.""",
    ),
    mistake(
        "out_proj leads back to d_in",
        swap(MAKE_OUT, "self.out_proj = nn.Linear(d_out, d_in)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The last layer brings the width back to that of x. Here it leads from d_out to d_out.""",
    ),
    mistake(
        "each head has the whole width",
        swap(MAKE_VALUE, "self.W_value = nn.Linear(d_in, d_out * num_heads, bias=qkv_bias)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The values are made d_out wide for each head. d_out is the width of all heads together.""",
    ),
    mistake(
        "queries and keys share a layer",
        swap(MAKE_KEY, "self.W_key = self.W_query"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""One layer has two names. Queries and keys are made by layers of their own.""",
    ),
    mistake(
        "keys and values share a layer",
        swap(MAKE_VALUE, "self.W_value = self.W_key"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""One layer has two names. Keys and values are made by layers of their own.""",
    ),
    mistake(
        "a table of positions is learned too",
        swap(KEEP, KEEP + "\n        self.pos_emb = nn.Embedding(8, d_in)"),
        caught_by="test_layers_are_those_of_multi_head_attention",
        explanation="""The module has a learned table of positions besides the rotation. Positions come in by turning
        alone.""",
    ),
    mistake(
        "the frequencies are a buffer",
        swap(
            KEEP,
            KEEP
            + "\n        self.register_buffer('frequencies', rotary_angles(torch.arange(1), d_out // num_heads, base))",
        ),
        caught_by="test_module_keeps_no_buffer",
        explanation="""What follows from a formula is kept in a buffer, and with it in every checkpoint. The module is
        to have the four layers and nothing beside them.""",
    ),
    mistake(
        "the mask is a buffer",
        swap(KEEP, KEEP + "\n        self.register_buffer('mask', causal_mask(64))"),
        caught_by="test_module_keeps_no_buffer",
        explanation="""A mask for a longest text is kept in a buffer. There is no longest text here, and the mask is
        made for the tokens that came.""",
    ),
    mistake(
        "the query is cut off from x",
        swap("self.W_query(x)", "self.W_query(x.detach())"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The queries are made of a copy of x that autograd does not follow. What made x is not told what
        it should ask for.""",
    ),
    mistake(
        "the value is cut off from x",
        swap("self.W_value(x)", "self.W_value(x.detach())"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The values are made of a copy of x that autograd does not follow. What made x is not told what
        it should hand on.""",
    ),
    mistake(
        "the keys cannot learn",
        swap(TURN_KEY, TURN_KEY + "\n        key = key.detach()"),
        caught_by="test_training_reaches_every_layer",
        explanation="""The turned keys are taken out of what autograd follows. No gradient reaches W_key.""",
    ),
    mistake(
        "the values cannot learn",
        swap(RESULT, RESULT.replace("@ value", "@ value.detach()")),
        caught_by="test_training_reaches_every_layer",
        explanation="""The values are taken out of what autograd follows. No gradient reaches W_value.""",
    ),
    # Step 4
    mistake(
        "the slopes begin at 1",
        swap("torch.arange(1, num_heads + 1)", "torch.arange(num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""Heads are counted from 0 in the exponent, so the first slope is 1. It is the ratio that the row
        begins with, as it does in the paper.""",
    ),
    mistake(
        "the ratio is one half for any number of heads",
        swap(SLOPES, "return 2.0 ** -torch.arange(1, num_heads + 1)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""Each slope is half of the one before. That is right for 8 heads only: the last slope is 2^−8 however
        many there are.""",
    ),
    mistake(
        "the exponent is not divided by the heads",
        swap(SLOPES, "return 2.0 ** (-8 * torch.arange(1, num_heads + 1))"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""Each slope is 1/256 of the one before, and all heads but the first hardly look at distances. The
        exponent is shared out among the heads.""",
    ),
    mistake(
        "the ratio is 2^(−8 · heads)",
        swap(SLOPES, "return 2.0 ** (-torch.arange(1, num_heads + 1) * num_heads / 8)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The fraction stands upside down: heads / 8 where it is 8 / heads.""",
    ),
    mistake(
        "slopes grow",
        swap(SLOPES, SLOPES + ".flip(0)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The slopes are in reverse. Head 0 has the steepest.""",
    ),
    mistake(
        "slopes are negative",
        swap(SLOPES, SLOPES.replace("return 2.0", "return -(2.0") + ")"),
        swap("bias = -alibi_slopes", "bias = alibi_slopes"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The minus of the bias is put into the slopes. By the contract a slope is positive, and the bias
        takes it away.""",
    ),
    mistake(
        "powers of e",
        swap(SLOPES, "return torch.exp(-8 * torch.arange(1, num_heads + 1) / num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The row is made of powers of e. It is made of powers of 2.""",
    ),
    mistake(
        "spread evenly",
        swap(SLOPES, "return torch.linspace(2 ** (-8 / num_heads), 2**-8, num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""Each slope is a constant amount below the one before. It is a constant part of it.""",
    ),
    mistake(
        "far scores are raised",
        swap(BIAS, "bias = alibi_slopes(num_heads)[:, None, None] * distance  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The bias grows with the distance, so a token looks at what is far away. It is meant to fall.""",
    ),
    mistake(
        "the future mirrors the past",
        swap(HIDE, "return -alibi_slopes(num_heads)[:, None, None] * distance.abs()"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A later key is lowered as much as an earlier one at the same distance. That suits a model that
        reads both ways; here a later key is not to be seen at all.""",
    ),
    mistake(
        "the future is not hidden",
        swap(HIDE, "return bias"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The line goes on past the query, where the distance is negative, so later keys are raised above all
        others. They are not to be seen at all.""",
    ),
    family(
        "the future has a bias of {c}",
        swap(HIDE, "return bias.masked_fill(distance < 0, {c})"),
        constants=(-1e4, -1e9),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A later key gets {c}. That may do in a softmax; −∞ is what was promised, and nothing overcomes it.""",
    ),
    mistake(
        "the future has a bias of 0",
        swap(HIDE, "return bias.masked_fill(distance < 0, 0.0)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A later key is neither lowered nor hidden. Adding 0 to a score hides nothing.""",
    ),
    mistake(
        "the query itself is hidden",
        swap(HIDE, "return bias.masked_fill(distance <= 0, -torch.inf)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The diagonal is −∞ too, so no token sees itself, and the first one sees nothing.""",
    ),
    mistake(
        "rows are keys",
        swap(DISTANCE, "distance = position - position[:, None]  # (T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The matrix is transposed: the past is hidden and the future lowered. A row is a query.""",
    ),
    mistake(
        "the distance is counted from 1",
        swap(BIAS, "bias = -alibi_slopes(num_heads)[:, None, None] * (distance + 1)  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A token is lowered at the distance 0 from itself. Softmax would not notice, for a whole row is
        lowered alike, but the numbers are not those of the formula.""",
    ),
    mistake(
        "the bias follows the key's position",
        swap(BIAS, "bias = alibi_slopes(num_heads)[:, None, None] * position.expand(tokens, tokens)  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""Each key is raised by its own position, whoever asks. A softmax gives the same weights, since a row
        differs by a constant, but the numbers grow with the text and are not those of the formula.""",
    ),
    mistake(
        "all heads have one slope",
        swap(BIAS, "bias = -alibi_slopes(num_heads)[:1, None, None].expand(num_heads, 1, 1) * distance"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""Every head gets the slope of head 0. With slopes of their own, some heads look near and others
        far.""",
    ),
    mistake(
        "the heads come last",
        swap(HIDE, HIDE + ".permute(1, 2, 0)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The heads are the last dimension. Scores have them before queries and keys: (B, h, T, T).""",
    ),
    mistake(
        "the 8 is missing",
        swap(SLOPES, "return 2.0 ** (-torch.arange(1, num_heads + 1) / num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The exponents go down to −1 and not to −8. The last slope is 2^−8 however many heads there
        are.""",
    ),
    mistake(
        "a slope too many is counted",
        swap(SLOPES, "return 2.0 ** (-8 * torch.arange(1, num_heads + 1) / (num_heads + 1))"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The exponent is shared out among one head more than there are. The last slope is 2^−8.""",
    ),
    mistake(
        "the last slope is missing",
        swap(SLOPES, "return 2.0 ** (-8 * torch.arange(1, num_heads) / num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The count ends one head too early, since a range does not hold its end. There is a slope for
        each head.""",
    ),
    mistake(
        "each slope is the square of the one before",
        swap(SLOPES, "return (2.0 ** (-8 / num_heads)) ** (2.0 ** torch.arange(num_heads))"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The exponent doubles from head to head. It grows by the same amount each time.""",
    ),
    mistake(
        "the exponents are whole numbers",
        swap(SLOPES, "return 2.0 ** (-8 * torch.arange(1, num_heads + 1) // num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The exponents are rounded, and with more than 8 heads two of them share a slope. Exponents may
        be fractions.""",
    ),
    mistake(
        "slopes in powers of 10",
        swap(SLOPES, "return 10.0 ** (-8 * torch.arange(1, num_heads + 1) / num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The row is made of powers of 10. It is made of powers of 2.""",
    ),
    mistake(
        "exponents spread from 0 to -8",
        swap(SLOPES, "return 2.0 ** torch.linspace(0, -8, num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The exponents begin at 0, and are spread from there. The first slope is already the ratio of
        the row.""",
    ),
    mistake(
        "exponents spread from -1 to -8",
        swap(SLOPES, "return 2.0 ** -torch.linspace(1, 8, num_heads)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The exponents begin at −1 for any number of heads. That is right for 8 heads; otherwise
        the step between two heads is the first exponent.""",
    ),
    mistake(
        "slopes are always float32",
        swap(SLOPES, SLOPES.replace("return ", "return (") + ").float()"),
        caught_by="test_slopes_and_bias_have_the_default_dtype",
        explanation="""The slopes are float32 whatever the default dtype is. Where someone works in double precision,
        they do not fit.""",
    ),
    mistake(
        "slopes are always double",
        swap(SLOPES, SLOPES.replace("return ", "return (") + ").double()"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The slopes are float64 whatever the default dtype is. Scores in single precision would become
        double with them.""",
    ),
    mistake(
        "slopes are a list",
        swap(SLOPES, SLOPES.replace("return ", "return (") + ").tolist()"),
        swap(BIAS, BIAS.replace("alibi_slopes(num_heads)", "torch.tensor(alibi_slopes(num_heads))")),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The slopes come as a list of numbers. A tensor is asked for.""",
    ),
    mistake(
        "slopes have the shape of the scores",
        swap(SLOPES, "return (2.0 ** (-8 * torch.arange(1, num_heads + 1) / num_heads))[:, None, None]"),
        swap(BIAS, "bias = -alibi_slopes(num_heads) * distance  # (h, T, T)"),
        caught_by="test_slopes_are_a_geometric_row",
        explanation="""The slopes come as (h, 1, 1), ready for the matrix of distances. Here they are a row of h
        numbers.""",
    ),
    mistake(
        "the bias is always float32",
        swap(HIDE, HIDE + ".float()"),
        caught_by="test_slopes_and_bias_have_the_default_dtype",
        explanation="""The bias is float32 whatever the default dtype is. Where someone works in double precision, it
        does not fit.""",
    ),
    mistake(
        "the bias is always double",
        swap(HIDE, HIDE + ".double()"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The bias is float64 whatever the default dtype is. Scores in single precision would become
        double with it.""",
    ),
    mistake(
        "0 times infinity",
        swap(HIDE, "return bias + (distance < 0) * -torch.inf"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The mask is multiplied by −∞, and where it is 0 that gives NaN. −∞ is to be filled in, not
        multiplied.""",
    ),
    mistake(
        "the past has no bias left",
        swap(HIDE, "return bias.masked_fill(distance > 0, -torch.inf)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""Earlier keys are hidden and later ones visible. A query looks back only.""",
    ),
    mistake(
        "one future key has a bias",
        swap(HIDE, "return bias.masked_fill(distance < -1, -torch.inf)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The mask begins one key too late. The next token is what a model has to predict.""",
    ),
    mistake(
        "the future has the lowest number there is",
        swap(HIDE, "return bias.masked_fill(distance < 0, torch.finfo(bias.dtype).min)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A later key gets the lowest number of the dtype. That may do in a softmax; −∞ is what was
        promised.""",
    ),
    mistake(
        "the future has plus infinity",
        swap(HIDE, "return bias.masked_fill(distance < 0, torch.inf)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""A later key gets +∞, and a softmax of that is NaN. What nobody may see has the lowest
        score.""",
    ),
    mistake(
        "the bias is divided by the slope",
        swap(BIAS, "bias = -distance / alibi_slopes(num_heads)[:, None, None]  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The distance is divided by the slope, so that heads with a small one fall steeply. A slope says
        how much is lost at each step.""",
    ),
    mistake(
        "the distance is counted from -1",
        swap(BIAS, "bias = -alibi_slopes(num_heads)[:, None, None] * (distance - 1)  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""Every distance is one too small, and a token is raised at its own place. It is at the distance
        0 from itself.""",
    ),
    mistake(
        "the square of the distance",
        swap(BIAS, "bias = -alibi_slopes(num_heads)[:, None, None] * distance**2  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The bias falls with the square of the distance. It falls by the same amount at each step.""",
    ),
    mistake(
        "the logarithm of the distance",
        swap(BIAS, "bias = -alibi_slopes(num_heads)[:, None, None] * (1 + distance.clamp(min=0)).log()  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The bias falls with the logarithm of the distance. It falls by the same amount at each
        step.""",
    ),
    mistake(
        "the distance is a part of the text",
        swap(BIAS, "bias = -alibi_slopes(num_heads)[:, None, None] * distance / tokens  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The distance is divided by the number of tokens. What a key loses would then depend on how long
        the text is.""",
    ),
    mistake(
        "all queries are taken for the last",
        swap(
            BIAS,
            "bias = -alibi_slopes(num_heads)[:, None, None] * (tokens - 1 - position).expand(tokens, tokens)  # (h, T, T)",
        ),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The distance is counted to the last token, whoever asks. A softmax gives the same weights, but
        the numbers are not those of the formula.""",
    ),
    mistake(
        "one row for all queries",
        swap(HIDE, "return bias[:, -1:]"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""Only the last query's row is returned. Each query has its own, for each has its own future to
        hide.""",
    ),
    mistake(
        "a batch dimension too many",
        swap(HIDE, HIDE + "[None]"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The bias has a dimension for the batch. (h, T, T) fits scores of (B, h, T, T) by itself.""",
    ),
    mistake(
        "the slopes of the heads in reverse",
        swap(BIAS, "bias = -alibi_slopes(num_heads).flip(0)[:, None, None] * distance  # (h, T, T)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""Head 0 gets the slope of the last. Slopes and heads are in the same order.""",
    ),
    mistake(
        "all heads have the last slope",
        swap(BIAS, "bias = -alibi_slopes(num_heads)[-1:, None, None].expand(num_heads, 1, 1) * distance"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""Every head gets the slope of the last. With slopes of their own, some heads look near and
        others far.""",
    ),
    mistake(
        "the bias of one token fewer",
        swap("position = torch.arange(tokens)", "position = torch.arange(tokens - 1)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The matrix is a row and a column too small. It has one for each token.""",
    ),
    mistake(
        "the bias of one token more",
        swap("position = torch.arange(tokens)", "position = torch.arange(tokens + 1)"),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The matrix is a row and a column too large. It has one for each token.""",
    ),
    mistake(
        "the bias is kept whatever the heads",
        swap(
            HIDE,
            "kept = alibi_bias.__dict__.setdefault('kept', {})\n    return kept.setdefault(tokens, bias.masked_fill(distance < 0, -torch.inf))",
        ),
        caught_by="test_bias_falls_with_the_distance",
        explanation="""The matrix is kept, and handed out again for every number of heads. What is kept has to be
        known by all that it was made from.""",
    ),
]
