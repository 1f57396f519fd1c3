"""k08: what people get wrong about the feed-forward."""

from dojo.spec import family, mistake, swap

INNER = "inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)"
FACTOR = "math.sqrt(2 / math.pi)"  # small pieces, so that two mistakes in one line can be told together
SUM = "(x + 0.044715 * x**3)"
CONSTANT = "0.044715"
CUBE = "x**3"
GATE = "1 + torch.tanh(inner)"
HALF = "0.5 * x * "
VALUE = "return 0.5 * x * (1 + torch.tanh(inner))"
LAYER = "return gelu(x)"
UP = "self.up = nn.Linear(emb_dim, expansion * emb_dim)"
DOWN = "self.down = nn.Linear(expansion * emb_dim, emb_dim)"
HIDDEN = "hidden = self.activation(self.up(x))"
OUTPUT = "return self.down(hidden)  # (B, T, D)"

CURVE = "test_gelu_is_the_tanh_form"
DIGITS = "test_constants_of_gelu_have_all_their_digits"
SHAPES = "test_up_widens_and_down_brings_back"
OUTPUTS = "test_output_is_down_of_gelu_of_up"

MISTAKES = [
    # Step 1
    mistake(
        "ReLU",
        swap(VALUE, "return torch.relu(x)"),
        caught_by=CURVE,
        explanation="""Negative numbers become 0 and the others stay. That is ReLU, which has a corner at 0 and no slope at
        all to the left of it.""",
    ),
    mistake(
        "SiLU",
        swap(VALUE, "return x * torch.sigmoid(x)"),
        caught_by=CURVE,
        explanation="""x is multiplied by sigmoid(x). That is SiLU: it looks much the same, but its dip lies further out
        and is deeper.""",
    ),
    mistake(
        "the sigmoid approximation",
        swap(VALUE, "return x * torch.sigmoid(1.702 * x)"),
        caught_by=CURVE,
        explanation="""x is multiplied by sigmoid(1.702 · x), the cruder of the two approximations in the paper. It is off by
        up to 0.02, and GPT-2 was trained with the other one.""",
    ),
    mistake(
        "the exact form",
        swap(VALUE, "return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))"),
        caught_by=CURVE,
        explanation="""x is multiplied by the normal distribution itself, by way of erf. It differs from the tanh form by up
        to 0.0005, and the tanh form is the one that GPT-2 was trained with.""",
    ),
    mistake(
        "x² for x³",
        swap(CUBE, "x**2"),
        caught_by=CURVE,
        explanation="""x is squared inside the tanh. A square forgets the sign, so far to the left the curve comes
        back up.""",
    ),
    mistake(
        "computed in float32",
        swap(INNER, f"x = x.float()\n    {INNER}"),
        caught_by="test_every_digit_of_x_counts",
        explanation="""x is rounded to float32 before anything is computed, whatever precision it comes in. An activation
        should work in the precision of its input.""",
    ),
    mistake(
        "the gate is computed in float32",
        swap(SUM, f"{SUM}.float()"),
        caught_by="test_every_digit_of_x_counts",
        explanation="""What x is multiplied by is computed in float32, whatever precision x comes in. An activation should
        work in the precision of its input.""",
    ),
    mistake(
        "π/2 for 2/π",
        swap(FACTOR, "math.sqrt(math.pi / 2)"),
        caught_by=CURVE,
        explanation="""The fraction under the root is upside down. The curve is too steep around 0.""",
    ),
    mistake(
        "no root of 2/π",
        swap(FACTOR, "2 / math.pi"),
        caught_by=CURVE,
        explanation="""The factor inside the tanh is 2/π itself, not its root. The curve is too flat around 0.""",
    ),
    mistake(
        "no factor inside the tanh",
        swap(f"{FACTOR} * ", ""),
        caught_by=CURVE,
        explanation="""The factor in front of the bracket is missing. Without it the tanh does not follow the normal
        distribution.""",
    ),
    mistake(
        "the factor reaches x only",
        swap(INNER, "inner = math.sqrt(2 / math.pi) * x + 0.044715 * x**3"),
        caught_by=CURVE,
        explanation="""The factor √(2/π) multiplies x and not the cube: a bracket is missing. It belongs in front of their
        sum.""",
    ),
    mistake(
        "no cube",
        swap(INNER, "inner = math.sqrt(2 / math.pi) * x"),
        caught_by=CURVE,
        explanation="""The tanh gets x alone. The cube is a correction that brings the curve to the normal distribution
        further out.""",
    ),
    mistake(
        "the cube of the bracket",
        swap(INNER, "inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x) ** 3"),
        caught_by=CURVE,
        explanation="""The power stands outside the bracket, so the whole sum is cubed. Only the second x is.""",
    ),
    mistake(
        "the cube is subtracted",
        swap("x + 0.044715", "x - 0.044715"),
        caught_by=CURVE,
        explanation="""The cube is taken away from x. Far out the tanh then runs to the wrong side.""",
    ),
    mistake(
        "no half",
        swap(HALF, "x * "),
        caught_by=CURVE,
        explanation="""The factor ½ is missing. One plus a tanh goes up to 2, so large inputs come out doubled.""",
    ),
    mistake(
        "no one",
        swap(GATE, "torch.tanh(inner)"),
        caught_by=CURVE,
        explanation="""The tanh is not shifted up by 1. It then runs from −1 to 1, and very negative inputs come out
        positive.""",
    ),
    mistake(
        "the one stands inside the tanh",
        swap(GATE, "torch.tanh(1 + inner)"),
        caught_by=CURVE,
        explanation="""The 1 is added before the tanh is taken. It belongs outside, where it lifts the tanh above 0.""",
    ),
    mistake(
        "the sign is wrong",
        swap(GATE, "1 - torch.tanh(inner)"),
        caught_by=CURVE,
        explanation="""The tanh is subtracted from 1. That mirrors the gate: negative numbers pass and positive ones are
        stopped.""",
    ),
    mistake(
        "x is not multiplied",
        swap(HALF, "0.5 * "),
        caught_by=CURVE,
        explanation="""What comes out is the gate, a number between 0 and 1. GELU multiplies x by it.""",
    ),
    mistake(
        "sigmoid for tanh",
        swap(GATE, "1 + torch.sigmoid(inner)"),
        caught_by=CURVE,
        explanation="""A sigmoid stands where the tanh should. It never goes below 0, so very negative inputs keep half
        their size.""",
    ),
    mistake(
        "tanh from exponentials",
        swap(
            VALUE,
            "up, down = torch.exp(inner), torch.exp(-inner)\n    return 0.5 * x * (1 + (up - down) / (up + down))",
        ),
        caught_by="test_gelu_far_out",
        explanation="""The tanh is put together from exponentials. For large inputs they overflow, and infinity over infinity
        is not a number.""",
    ),
    mistake(
        "tanh from one exponential",
        swap(VALUE, "up = torch.exp(2 * inner)\n    return 0.5 * x * (1 + (up - 1) / (up + 1))"),
        caught_by="test_gelu_far_out",
        explanation="""The tanh is computed as (e²ᶻ − 1)/(e²ᶻ + 1). For large inputs the exponential overflows, and
        infinity over infinity is not a number.""",
    ),
    mistake(
        "the gate from an exponential",
        swap(VALUE, "return x / (1 + torch.exp(-2 * inner))"),
        caught_by="test_slope_of_gelu",
        explanation="""x is divided by 1 + e⁻²ᶻ, which gives the right values. Far to the left the exponential overflows, and on the
        way back infinity times 0 is not a number.""",
    ),
    mistake(
        "no gradient at all",
        swap(VALUE, "return (0.5 * x * (1 + torch.tanh(inner))).detach()"),
        caught_by="test_slope_of_gelu",
        explanation="""The values are right, but they are taken out of the graph: by `detach`, `no_grad`, or a new tensor made of
        plain numbers. Nothing before the activation could learn.""",
    ),
    mistake(
        "the gradient is cut off",
        swap(INNER, "inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3).detach()"),
        caught_by="test_slope_of_gelu",
        explanation="""The values are right, but the gate is a constant on the way back. The gate depends on x too, and its
        part of the slope is missing.""",
    ),
    mistake(
        "x is changed in place",
        swap(VALUE, "return x.mul_(0.5 * (1 + torch.tanh(inner)))"),
        caught_by="test_gelu_leaves_x_alone",
        explanation="""The result is written into the tensor that was handed over. Whoever called still holds that tensor,
        and finds it changed.""",
    ),
    # Step 2
    mistake(
        "the layer does nothing",
        swap(LAYER, "return x"),
        caught_by="test_gelu_layer_is_gelu",
        explanation="""The layer hands x on as it is. It should apply the activation.""",
    ),
    mistake(
        "the layer is a ReLU",
        swap(LAYER, "return torch.relu(x)"),
        caught_by="test_gelu_layer_is_gelu",
        explanation="""`gelu` is right, but the layer computes a ReLU. It should call the function of the first step.""",
    ),
    mistake(
        "the layer applies gelu twice",
        swap(LAYER, "return gelu(gelu(x))"),
        caught_by="test_gelu_layer_is_gelu",
        explanation="""The activation is applied to its own result. Once is enough.""",
    ),
    mistake(
        "the layer returns nothing",
        swap(LAYER, "gelu(x)"),
        caught_by="test_gelu_layer_is_gelu",
        explanation="""The activation is computed and not handed back. A function without `return` gives None.""",
    ),
    # Step 3
    mistake(
        "the expansion is ignored",
        swap(UP, "self.up = nn.Linear(emb_dim, 4 * emb_dim)"),
        swap(DOWN, "self.down = nn.Linear(4 * emb_dim, emb_dim)"),
        caught_by=SHAPES,
        explanation="""The layers are 4 times as wide, whatever `expansion` says. A 4 written into the code works until
        somebody asks for 2.""",
    ),
    mistake(
        "the expansion is a width",
        swap(UP, "self.up = nn.Linear(emb_dim, expansion)"),
        swap(DOWN, "self.down = nn.Linear(expansion, emb_dim)"),
        caught_by=SHAPES,
        explanation="""A token has `expansion` numbers between the layers. It is a factor: `expansion` times as many as
        before.""",
    ),
    mistake(
        "no expansion",
        swap(UP, "self.up = nn.Linear(emb_dim, emb_dim)"),
        swap(DOWN, "self.down = nn.Linear(emb_dim, emb_dim)"),
        caught_by=SHAPES,
        explanation="""Both layers keep the width of the token. Between them it should be `expansion` times as wide, with
        room to think.""",
    ),
    mistake(
        "another expansion by default",
        swap("emb_dim: int, expansion: int = 4", "emb_dim: int, expansion: int = 2"),
        caught_by="test_expansion_is_4_by_default",
        explanation="""Where nobody says otherwise the token is not made 4 times as wide. That is the width of GPT-2, and
        its weights fit no other.""",
    ),
    mistake(
        "up without a bias",
        swap(UP, "self.up = nn.Linear(emb_dim, expansion * emb_dim, bias=False)"),
        caught_by=SHAPES,
        explanation="""`up` has no bias, so every bend of the activation stays at 0. The bias is what moves it to where it
        is of use.""",
    ),
    mistake(
        "down without a bias",
        swap(DOWN, "self.down = nn.Linear(expansion * emb_dim, emb_dim, bias=False)"),
        caught_by=SHAPES,
        explanation="""`down` has no bias. Both layers have one, and GPT-2's weights come with it.""",
    ),
    mistake(
        "no biases",
        swap(UP, "self.up = nn.Linear(emb_dim, expansion * emb_dim, bias=False)"),
        swap(DOWN, "self.down = nn.Linear(expansion * emb_dim, emb_dim, bias=False)"),
        caught_by=SHAPES,
        explanation="""Neither layer has a bias. It is the projections of attention that may go without; these two have
        one each.""",
    ),
    mistake(
        "a layer more",
        swap(UP, f"{UP}\n        self.middle = nn.Linear(expansion * emb_dim, expansion * emb_dim)"),
        swap(OUTPUT, "return self.down(self.activation(self.middle(hidden)))  # (B, T, D)"),
        caught_by=SHAPES,
        explanation="""There is a third linear layer between `up` and `down`. Two are enough, and this one is the largest of
        all.""",
    ),
    mistake(
        "up and down start as one matrix",
        swap(DOWN, f"{DOWN}\n        self.down.weight = nn.Parameter(self.up.weight.T)"),
        caught_by="test_up_and_down_share_nothing",
        explanation="""`down` gets the numbers of `up`, transposed, and not a copy of them: what is written into one changes the
        other. Widening and bringing back are two tasks, and each layer learns its own.""",
    ),
    mistake(
        "the first output is kept",
        swap(
            OUTPUT, "self.output = getattr(self, 'output', self.down(hidden))\n        return self.output  # (B, T, D)"
        ),
        caught_by="test_every_call_is_computed_anew",
        explanation="""The output is kept in the module and given again at the next call. That call comes with another x, and
        after a step of training with other weights.""",
    ),
    mistake(
        "float32 between the layers",
        swap(HIDDEN, "hidden = self.activation(self.up(x).float()).to(x.dtype)"),
        caught_by="test_every_digit_counts_between_the_layers",
        explanation="""What `up` gives is rounded to float32, whatever precision x comes in. The layers should work in the
        precision of their input.""",
    ),
    mistake(
        "no activation",
        swap(HIDDEN, "hidden = self.up(x)"),
        caught_by=OUTPUTS,
        explanation="""Nothing stands between `up` and `down`. Two linear layers in a row are one linear layer.""",
    ),
    mistake(
        "the activation comes after down",
        swap(HIDDEN, "hidden = self.up(x)"),
        swap(OUTPUT, "return self.activation(self.down(hidden))  # (B, T, D)"),
        caught_by=OUTPUTS,
        explanation="""`up` and `down` follow each other, and the activation comes last. Two linear layers in a row are one,
        and what comes out can hardly be negative.""",
    ),
    mistake(
        "an activation after down, too",
        swap(OUTPUT, "return self.activation(self.down(hidden))  # (B, T, D)"),
        caught_by=OUTPUTS,
        explanation="""The output goes through the activation once more. What a token makes of itself could then hardly be
        negative, so nothing could be taken away from it.""",
    ),
    mistake(
        "the activation comes before up",
        swap(HIDDEN, "hidden = self.up(self.activation(x))"),
        caught_by=OUTPUTS,
        explanation="""The activation is applied to x, and nothing stands between `up` and `down`. Those two are then one
        linear layer.""",
    ),
    mistake(
        "another activation in between",
        swap(HIDDEN, "hidden = torch.relu(self.up(x))"),
        caught_by=OUTPUTS,
        explanation="""A ReLU stands between `up` and `down`. The layer of step 2 belongs there.""",
    ),
    mistake(
        "x is added",
        swap(OUTPUT, "return x + self.down(hidden)  # (B, T, D)"),
        caught_by=OUTPUTS,
        explanation="""The result is added to x. That is the work of the residual block around it, and x would be added
        twice.""",
    ),
    mistake(
        "dropout that nobody asked for",
        swap(OUTPUT, "return nn.functional.dropout(self.down(hidden), 0.1, self.training)  # (B, T, D)"),
        caught_by=OUTPUTS,
        explanation="""In training a part of the output is dropped. The block around it does that, at a rate that this layer
        does not know.""",
    ),
    mistake(
        "dropout in eval mode, too",
        swap(OUTPUT, "return nn.functional.dropout(self.down(hidden), 0.1)  # (B, T, D)"),
        caught_by=OUTPUTS,
        explanation="""A part of the output is dropped, whether the layer is in training or not. Nobody asked for dropout here,
        and in eval mode nothing may be random.""",
    ),
    mistake(
        "the exact form in between",
        swap(HIDDEN, "hidden = self.up(x)\n        hidden = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))"),
        caught_by=OUTPUTS,
        explanation="""Between `up` and `down` stands the exact form of GELU, by way of erf. The layer of step 2 belongs there, in
        the tanh form.""",
    ),
    mistake(
        "tokens are mixed",
        swap(HIDDEN, "hidden = self.activation(self.up(x.mean(dim=1, keepdim=True).expand_as(x)))"),
        caught_by=OUTPUTS,
        explanation="""Each token is replaced by the mean of its text. Moving information between tokens is the work of
        attention; here each of them thinks alone.""",
    ),
    mistake(
        "the tokens are reshaped in the wrong order",
        swap(OUTPUT, "return self.down(hidden).transpose(0, 1).reshape(x.shape)  # (B, T, D)"),
        caught_by=OUTPUTS,
        explanation="""Batch and tokens are exchanged, and the result is cut to the old shape again. The shape is right, but
        tokens end up in other texts.""",
    ),
    mistake(
        "x is added, in place",
        swap(OUTPUT, "x += self.down(hidden)\n        return x  # (B, T, D)"),
        caught_by="test_feed_forward_leaves_x_alone",
        explanation="""The result is added to the very tensor that was handed over. Adding is the work of the block around
        it, and that block needs its tensor as it was.""",
    ),
    mistake(
        "three times x for its cube",
        swap(CUBE, "3 * x"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""x is multiplied by 3 where its cube is meant. In Python `**` is the power.""",
    ),
    mistake(
        "the cube is written with ^",
        swap(CUBE, "x ^ 3"),
        caught_by="test_gelu_leaves_x_alone",
        explanation="""`^` is not a power in Python but an operation on bits, which numbers with a point do not have. The power is
        `**`.""",
    ),
    mistake(
        "x⁴ for x³",
        swap(CUBE, "x**4"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""x is taken to the fourth power inside the tanh. An even power forgets the sign, so far to the left the curve
        comes back up.""",
    ),
    mistake(
        "the size of the cube",
        swap(CUBE, "x.abs() ** 3"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""The cube loses its sign. Left of 0 it then pulls the wrong way.""",
    ),
    mistake(
        "√2/π for √(2/π)",
        swap(FACTOR, "math.sqrt(2) / math.pi"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""Only the 2 stands under the root. The root is over the whole fraction 2/π.""",
    ),
    mistake(
        "2/√π for √(2/π)",
        swap(FACTOR, "2 / math.sqrt(math.pi)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""Only π stands under the root. The root is over the whole fraction 2/π.""",
    ),
    mistake(
        "√(2π) for √(2/π)",
        swap(FACTOR, "math.sqrt(2 * math.pi)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""2 is multiplied by π under the root, as in the density of a normal distribution. Here it is divided.""",
    ),
    mistake(
        "1/√2 for √(2/π)",
        swap(FACTOR, "math.sqrt(0.5)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""The factor is 1/√2, which belongs to the exact form with erf. The tanh form has √(2/π).""",
    ),
    mistake(
        "3.14 for π",
        swap("math.pi", "3.14"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""π has lost its digits. The curve looks right, but the numbers no longer agree with those of anybody else.""",
    ),
    mistake(
        "the half stands beside x inside",
        swap(INNER, "inner = math.sqrt(2 / math.pi) * 0.5 * (x + 0.044715 * x**3)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""The tanh is taken of half of what it should be: by a half inside, by 1/√(2π) for √(2/π), or by a
        sigmoid where ½ · (1 + tanh) is meant. ½ · (1 + tanh(z)) is sigmoid(2z).""",
    ),
    mistake(
        "twice inside the tanh",
        swap(INNER, "inner = 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""The tanh is taken of twice what it should be. That 2 goes with a sigmoid, of which tanh(z) is 2 ·
        sigmoid(2z) − 1.""",
    ),
    mistake(
        "erf of what the tanh takes",
        swap(VALUE, "return 0.5 * x * (1 + torch.erf(inner))"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""The exact form's erf stands around the tanh form's bracket. Each form has its own inside.""",
    ),
    mistake(
        "erf of x",
        swap(VALUE, "return 0.5 * x * (1 + torch.erf(x))"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""x is multiplied by ½ · (1 + erf(x)), without the root of 2 that belongs below x. And GPT-2 was trained with
        the tanh form.""",
    ),
    mistake(
        "ELU",
        swap(VALUE, "return torch.nn.functional.elu(x)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""Negative numbers become e^x − 1 and the others stay. That is ELU, which comes close to −1 far to the left.""",
    ),
    mistake(
        "softplus",
        swap(VALUE, "return torch.nn.functional.softplus(x)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""What comes back is log(1 + e^x). That is softplus, which is nowhere negative.""",
    ),
    mistake(
        "Mish",
        swap(VALUE, "return torch.nn.functional.mish(x)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""x is multiplied by tanh(log(1 + e^x)). That is Mish: it looks much the same, with other numbers.""",
    ),
    mistake(
        "tanh",
        swap(VALUE, "return torch.tanh(x)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""What comes back is tanh(x), which never gets beyond 1. GELU passes large numbers as they are.""",
    ),
    mistake(
        "sigmoid",
        swap(VALUE, "return torch.sigmoid(x)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""What comes back is sigmoid(x), a number between 0 and 1. GELU passes large numbers as they are.""",
    ),
    mistake(
        "a hard form of SiLU",
        swap(VALUE, "return torch.nn.functional.hardswish(x)"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""x is multiplied by a straight ramp between −3 and 3. It is cheap, and has corners where GELU has none.""",
    ),
    mistake(
        "the square of ReLU",
        swap(VALUE, "return torch.relu(x) ** 2"),
        caught_by="test_gelu_is_the_tanh_form",
        explanation="""Negative numbers become 0 and the others are squared. GELU passes large numbers as they are.""",
    ),
    mistake(
        "the layer is the exact form",
        swap(LAYER, "return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))"),
        caught_by="test_gelu_layer_is_gelu",
        explanation="""The layer works out the exact form by way of erf. It should give what `gelu` of step 1 gives.""",
    ),
    mistake(
        "the layer is a SiLU",
        swap(LAYER, "return x * torch.sigmoid(x)"),
        caught_by="test_gelu_layer_is_gelu",
        explanation="""The layer multiplies x by sigmoid(x). It should give what `gelu` of step 1 gives.""",
    ),
    mistake(
        "the layer is the sigmoid approximation",
        swap(LAYER, "return x * torch.sigmoid(1.702 * x)"),
        caught_by="test_gelu_layer_is_gelu",
        explanation="""The layer multiplies x by sigmoid(1.702 · x), the cruder approximation. It should give what `gelu` of step 1
        gives.""",
    ),
    mistake(
        "the layer adds x",
        swap(LAYER, "return x + gelu(x)"),
        caught_by="test_gelu_layer_is_gelu",
        explanation="""The layer adds x to its activation. It is the activation alone.""",
    ),
    mistake(
        "a SiLU in between",
        swap(HIDDEN, "hidden = nn.functional.silu(self.up(x))"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""Between `up` and `down` stands SiLU. The layer of step 2 belongs there.""",
    ),
    mistake(
        "a tanh in between",
        swap(HIDDEN, "hidden = torch.tanh(self.up(x))"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""Between `up` and `down` stands tanh. The layer of step 2 belongs there.""",
    ),
    mistake(
        "a sigmoid in between",
        swap(HIDDEN, "hidden = torch.sigmoid(self.up(x))"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""Between `up` and `down` stands sigmoid. The layer of step 2 belongs there.""",
    ),
    mistake(
        "the sigmoid approximation in between",
        swap(HIDDEN, "hidden = self.up(x)\n        hidden = hidden * torch.sigmoid(1.702 * hidden)"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""Between `up` and `down` stands the cruder approximation of GELU. The layer of step 2 belongs there.""",
    ),
    mistake(
        "the activation twice",
        swap(HIDDEN, "hidden = self.activation(self.activation(self.up(x)))"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The activation is applied to its own result. Once is enough.""",
    ),
    mistake(
        "the bias of up comes after the activation",
        swap(HIDDEN, "hidden = self.activation(nn.functional.linear(x, self.up.weight)) + self.up.bias"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The activation sees the product without the bias, which is added afterwards. It belongs to the linear layer.""",
    ),
    mistake(
        "the bias of up is not used",
        swap(HIDDEN, "hidden = self.activation(nn.functional.linear(x, self.up.weight))"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The bias of `up` is there but never added. It never learns anything either.""",
    ),
    mistake(
        "the bias of down is not used",
        swap(OUTPUT, "return nn.functional.linear(hidden, self.down.weight)"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The bias of `down` is there but never added. It never learns anything either.""",
    ),
    mistake(
        "down is up turned round",
        swap(OUTPUT, "return nn.functional.linear(hidden, self.up.weight.T, self.down.bias)"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The way down takes the weights of `up`, transposed. `down` has weights of its own.""",
    ),
    mistake(
        "normalised in between",
        swap(
            HIDDEN,
            HIDDEN
            + "\n        hidden = (hidden - hidden.mean(-1, keepdim=True)) / (hidden.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()",
        ),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""What stands between the layers is normalised. The norm has its place in front of the whole, in the block.""",
    ),
    mistake(
        "x is normalised first",
        swap(
            HIDDEN,
            "x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()\n        "
            + HIDDEN,
        ),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""x is normalised before `up`. The norm belongs to the block, which comes later and has one of its own.""",
    ),
    mistake(
        "a softmax in between",
        swap(HIDDEN, "hidden = torch.softmax(self.up(x), dim=-1)"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The wide features are made into shares of a whole. A feed-forward bends each by itself.""",
    ),
    mistake(
        "the expansion is added to the width",
        swap(UP, "self.up = nn.Linear(emb_dim, emb_dim + expansion)"),
        swap(DOWN, "self.down = nn.Linear(emb_dim + expansion, emb_dim)"),
        caught_by="test_up_widens_and_down_brings_back",
        explanation="""The width between the layers is emb_dim + expansion. `expansion` says how many times as wide.""",
    ),
    mistake(
        "up and down are exchanged",
        swap(UP, "self.down = nn.Linear(emb_dim, expansion * emb_dim)"),
        swap(DOWN, "self.up = nn.Linear(expansion * emb_dim, emb_dim)"),
        swap(HIDDEN, "hidden = self.activation(self.down(x))"),
        swap(OUTPUT, "return self.up(hidden)"),
        caught_by="test_up_widens_and_down_brings_back",
        explanation="""`down` makes each token wider and `up` brings it back. The names say it the other way round.""",
    ),
    mistake(
        "x is cut off from training",
        swap(HIDDEN, "hidden = self.activation(self.up(x.detach()))"),
        caught_by="test_gradients_reach_everything",
        explanation="""The layers work on a copy of x that autograd does not follow. What comes before them is not told what to
        change.""",
    ),
    mistake(
        "up is cut off from training",
        swap(OUTPUT, "return self.down(hidden.detach())  # (B, T, D)"),
        caught_by="test_gradients_reach_everything",
        explanation="""What `up` made is cut off from it before `down`. No gradient gets past `down`.""",
    ),
    mistake(
        "the output is cut off from training",
        swap(OUTPUT, "return self.down(hidden).detach()"),
        caught_by="test_gradients_reach_everything",
        explanation="""The output is cut off from what it was made of, as `no_grad`, `.detach()` and `.data` do. Nothing can learn.""",
    ),
    mistake(
        "the tokens run backwards",
        swap(OUTPUT, "return self.down(hidden).flip(1)"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The tokens come out in reverse order. Each keeps its place.""",
    ),
    mistake(
        "the sequences run backwards",
        swap(OUTPUT, "return self.down(hidden).flip(0)"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The sequences of the batch come out in reverse order. Each keeps its place.""",
    ),
    mistake(
        "each token hears the one before it",
        swap(HIDDEN, "hidden = self.activation(self.up(x) + self.up(x).roll(1, dims=1))"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The token before is added to each. Moving information between tokens is the work of attention.""",
    ),
    mistake(
        "the mean of the text is added",
        swap(HIDDEN, "hidden = self.activation(self.up(x + x.mean(dim=1, keepdim=True)))"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The mean of the text is added to each token. Moving information between tokens is the work of attention.""",
    ),
    mistake(
        "the mean of the batch is added",
        swap(HIDDEN, "hidden = self.activation(self.up(x + x.mean(dim=0, keepdim=True)))"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""The mean over the batch is added to each token. Texts of a batch have nothing to do with each other.""",
    ),
    mistake(
        "only the last token is answered",
        swap(OUTPUT, "return self.down(hidden)[:, -1]"),
        caught_by="test_output_is_down_of_gelu_of_up",
        explanation="""What comes back is the last token alone. Each token thinks it over.""",
    ),
    # Any other number
    family(
        "{c} for 0.044715",
        swap(CONSTANT, "{c}"),
        constants=(0.0044715, 0.03, 0.044175, 0.0447, 0.04471, 0.045, 0.04715, 0.44715, 1.0),
        caught_by=DIGITS,
        explanation="""The factor of the cube is {c}. Even where the curve looks right, the numbers no longer agree with those of
        anybody else.""",
    ),
    family(
        "{c} for √(2/π)",
        swap(FACTOR, "{c}"),
        constants=(0.1, 0.5, 0.75, 0.7978, 0.79788, 0.8, 0.85, 3.0),
        caught_by=DIGITS,
        explanation="""The factor in front of the bracket is {c}. Even where the curve looks right, the numbers no longer agree
        with those of anybody else.""",
    ),
    family(
        "{c} for the half",
        swap(HALF, "{c} * x * "),
        constants=(0.1, 0.4, 0.6, 2.0),
        caught_by=CURVE,
        explanation="""One plus a tanh goes up to 2, and is multiplied by {c}. Far to the right GELU is x itself.""",
    ),
    family(
        "x times the sigmoid of {c} x",
        swap(VALUE, "return x * torch.sigmoid({c} * x)"),
        constants=(0.5, 1.5, 1.7, 2.0, 4.0),
        caught_by=CURVE,
        explanation="""x is multiplied by sigmoid({c} · x). That is a cruder form of the curve; GPT-2 was trained with the one that
        has a tanh.""",
    ),
    family(
        "leaky ReLU with a slope of {c}",
        swap(VALUE, "return torch.nn.functional.leaky_relu(x, {c})"),
        constants=(0.001, 0.01, 0.1, 0.2),
        caught_by=CURVE,
        explanation="""Negative numbers are multiplied by {c} and the others stay. That is leaky ReLU; far to the left GELU is
        0.""",
    ),
    family(
        "what lies beyond {c} is cut off",
        swap(INNER, "x = x.clamp(-{c}, {c})\n    " + INNER),
        constants=(1.0, 3.0, 10.0, 30.0, 100.0),
        caught_by="test_gelu_far_out",
        explanation="""x is kept between −{c} and {c} before anything else. What is larger should pass as it is.""",
    ),
    mistake(
        "the cube of x with its factor",
        swap(SUM, "(x + (0.044715 * x) ** 3)"),
        caught_by=CURVE,
        explanation="""0.044715 is raised to the third power together with x. The cube is that of x alone.""",
    ),
    mistake(
        "the expansion counts twice",
        swap(UP, "self.up = nn.Linear(emb_dim, 2 * expansion * emb_dim)"),
        swap(DOWN, "self.down = nn.Linear(2 * expansion * emb_dim, emb_dim)"),
        caught_by=SHAPES,
        explanation="""Between the two layers a token is twice as wide as asked for. It is `expansion` times as wide as
        `emb_dim`.""",
    ),
    mistake(
        "the square of ReLU in between",
        swap(HIDDEN, "hidden = torch.relu(self.up(x)) ** 2"),
        caught_by=OUTPUTS,
        explanation="""Between `up` and `down` stands the square of ReLU. The layer of step 2 belongs there.""",
    ),
    mistake(
        "what up gives is added to its activation",
        swap(HIDDEN, "hidden = self.up(x)\n        hidden = hidden + self.activation(hidden)"),
        caught_by=OUTPUTS,
        explanation="""`down` gets the sum of what `up` gives and its activation. It should get the activation alone.""",
    ),
]
