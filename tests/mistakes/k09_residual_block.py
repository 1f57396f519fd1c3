"""k09: what people get wrong about residual blocks."""

from dojo.spec import family, mistake, swap

LAYERS = "self.layers = nn.ModuleList(nn.Linear(d_in, d_out) for d_in, d_out in pairwise(layer_sizes))"
LAYER = "out = gelu(layer(x))"
WHERE = "if self.shortcut and out.shape == x.shape:"
SHORTCUT = "out = x + out"
LOSS = "loss = model(x).pow(2).mean()"
WEIGHTS = "weights = [layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)]"
GRADIENTS = "gradients = torch.autograd.grad(loss, weights)"
NORMS = "return [gradient.abs().mean().item() for gradient in gradients]"
ATTENTION = "self.attention = MultiHeadAttention(emb_dim, emb_dim, context_length, dropout, num_heads, qkv_bias)"
NORM1 = "self.norm1 = LayerNorm(emb_dim)"
NORM2 = "self.norm2 = LayerNorm(emb_dim)"
FEED_FORWARD = "self.feed_forward = FeedForward(emb_dim)"
DROPOUT = "self.dropout = nn.Dropout(dropout)"
FIRST = "x = x + self.dropout(self.attention(self.norm1(x)))"
SECOND = "x = x + self.dropout(self.feed_forward(self.norm2(x)))"

DEEP = "test_each_layer_is_linear_then_gelu"
MEANS = "test_gradient_norms_are_mean_absolute_gradients"
PARTS = "test_block_has_two_norms_one_attention_one_feed_forward"
EARLIER = "test_parts_are_those_of_the_earlier_katas"
SILENT = "test_silent_branches_leave_x_as_it_is"
ALONE = "test_each_branch_alone"
OUTPUT = "test_block_adds_attention_then_feed_forward"
DROPPED = "test_dropout_acts_on_what_a_branch_adds"

NESTED = "test_gradient_norms_looks_into_any_model"


def layered(name, old, new, explanation):
    """A mistake in a layer of DeepNet."""
    return mistake(name, swap(old, new), caught_by=DEEP, explanation=explanation)


def measured(name, old, new, explanation, caught_by=MEANS):
    """A mistake in gradient_norms."""
    return mistake(name, swap(old, new), caught_by=caught_by, explanation=explanation)


def block(name, *swaps, explanation, caught_by=OUTPUT):
    """A mistake in how the block is put together."""
    return mistake(name, *swaps, caught_by=caught_by, explanation=explanation)


MISTAKES = [
    # Step 1
    mistake(
        "the layers are in a plain list",
        swap(LAYERS, "self.layers = [nn.Linear(d_in, d_out) for d_in, d_out in pairwise(layer_sizes)]"),
        caught_by="test_one_linear_layer_between_neighbours",
        explanation="""The layers stand in a Python list, where the module does not see them. They are in nobody's
        `parameters()` and would never be trained.""",
    ),
    mistake(
        "one layer too few",
        swap(LAYERS, LAYERS.replace("pairwise(layer_sizes)", "pairwise(layer_sizes[:-1])")),
        caught_by="test_one_linear_layer_between_neighbours",
        explanation="""The last size is never reached. n sizes have n - 1 pairs of neighbours, and each gets a layer.""",
    ),
    mistake(
        "in and out are exchanged",
        swap(LAYERS, LAYERS.replace("nn.Linear(d_in, d_out)", "nn.Linear(d_out, d_in)")),
        caught_by="test_one_linear_layer_between_neighbours",
        explanation="""Each layer goes from the later size to the earlier. `nn.Linear` takes the width of its input
        first.""",
    ),
    mistake(
        "the shortcut is added in place",
        swap(SHORTCUT, "x += out\n                out = x"),
        caught_by="test_deep_net_leaves_x_alone",
        explanation="""The output of a layer is added to the very tensor that was handed over. Whoever called still holds
        it, and finds it changed.""",
    ),
    mistake(
        "no activation",
        swap(LAYER, "out = layer(x)"),
        caught_by=DEEP,
        explanation="""Nothing stands between the linear layers. However many there are, together they are one.""",
    ),
    mistake(
        "ReLU for GELU",
        swap(LAYER, "out = layer(x).relu()"),
        caught_by=DEEP,
        explanation="""A ReLU follows each layer. Its slope is 0 for every negative number, so other gradients come
        back.""",
    ),
    mistake(
        "no activation after the last layer",
        swap(LAYER, "out = layer(x) if layer is self.layers[-1] else gelu(layer(x))"),
        caught_by=DEEP,
        explanation="""The last layer is left linear, as one would in a classifier. In this net each layer is followed by
        GELU, the last one too.""",
    ),
    mistake(
        "the activation comes before the layer",
        swap(LAYER, "out = layer(gelu(x))"),
        caught_by=DEEP,
        explanation="""Each layer reads gelu(x) and its own output stays linear. The activation follows the layer.""",
    ),
    mistake(
        "the shortcut comes before the activation",
        swap(LAYER, "out = layer(x)"),
        swap("x = out\n", "x = gelu(out)\n"),
        caught_by=DEEP,
        explanation="""x is added to the layer's output, and their sum goes through the activation. The stream then passes a
        bend at every layer, when it should run straight through.""",
    ),
    mistake(
        "no shortcut at all",
        swap(WHERE, "if False:"),
        caught_by=DEEP,
        explanation="""Nothing is ever added, whatever `shortcut` says. The gradient then has to come back through every
        layer.""",
    ),
    mistake(
        "always a shortcut",
        swap(WHERE, "if out.shape == x.shape:"),
        caught_by=DEEP,
        explanation="""The input is added also where `shortcut` is False. There would be nothing to compare with.""",
    ),
    mistake(
        "the flag is turned round",
        swap(WHERE, "if not self.shortcut and out.shape == x.shape:"),
        caught_by=DEEP,
        explanation="""The input is added where `shortcut` is False, and not where it is True.""",
    ),
    mistake(
        "the shortcut does not look at shapes",
        swap(WHERE, "if self.shortcut:"),
        caught_by=DEEP,
        explanation="""The input is added also where its shape is another. Mostly that raises, and next to a width of 1 it
        broadcasts in silence.""",
    ),
    mistake(
        "the shortcut starts at the first input",
        swap("for layer in self.layers:", "start = x\n        for layer in self.layers:"),
        swap(WHERE, "if self.shortcut and out.shape == start.shape:"),
        swap(SHORTCUT, "out = start + out"),
        caught_by=DEEP,
        explanation="""Every layer gets the input of the net added, not its own input. What earlier layers have added is
        lost.""",
    ),
    mistake(
        "the last layer has no shortcut",
        swap(WHERE, "if self.shortcut and out.shape == x.shape and layer is not self.layers[-1]:"),
        caught_by=DEEP,
        explanation="""The last layer's input is not added, though the shapes agree. Every layer that keeps the shape has a
        shortcut.""",
    ),
    mistake(
        "the first layer has no shortcut",
        swap(WHERE, "if self.shortcut and out.shape == x.shape and layer is not self.layers[0]:"),
        caught_by=DEEP,
        explanation="""The first layer's input is not added, though the shapes agree. Every layer that keeps the shape has a
        shortcut.""",
    ),
    mistake(
        "the shortcut carries no gradient",
        swap(SHORTCUT, "out = x.detach() + out"),
        caught_by="test_shortcuts_keep_the_gradient_alive",
        explanation="""The values are right, but what is added is cut off from the graph. The gradient cannot come home that
        way, which is what a shortcut is for.""",
    ),
    mistake(
        "the net keeps its first output",
        swap(
            "            x = out\n        return x",
            "            x = out\n        self.output = getattr(self, 'output', x)\n        return self.output",
        ),
        caught_by="test_deep_net_computes_every_call_anew",
        explanation="""The output is kept in the net and given again at the next call. That call comes with another x.""",
    ),
    # Step 2
    mistake(
        "the mean loses its sign too late",
        swap(NORMS, "return [gradient.mean().abs().item() for gradient in gradients]"),
        caught_by=MEANS,
        explanation="""The mean is taken first and its absolute value after. Positive and negative entries cancel, and a
        large gradient can look like none.""",
    ),
    mistake(
        "mean without absolute value",
        swap(NORMS, "return [gradient.mean().item() for gradient in gradients]"),
        caught_by=MEANS,
        explanation="""The entries are averaged with their signs. Positive and negative ones cancel, and a large gradient
        can look like none.""",
    ),
    mistake(
        "the Euclidean norm",
        swap(NORMS, "return [gradient.norm().item() for gradient in gradients]"),
        caught_by=MEANS,
        explanation="""The root of the sum of squares is returned. It grows with the number of entries, so layers of
        different size cannot be compared.""",
    ),
    mistake(
        "the root mean square",
        swap(NORMS, "return [gradient.pow(2).mean().sqrt().item() for gradient in gradients]"),
        caught_by=MEANS,
        explanation="""The entries are squared before they are averaged. Asked for is the mean of their absolute
        values.""",
    ),
    mistake(
        "the mean square",
        swap(NORMS, "return [gradient.pow(2).mean().item() for gradient in gradients]"),
        caught_by=MEANS,
        explanation="""The mean of the squared gradients is returned. Squares make small gradients look far smaller than they
        are.""",
    ),
    mistake(
        "sum instead of mean",
        swap(NORMS, "return [gradient.abs().sum().item() for gradient in gradients]"),
        caught_by=MEANS,
        explanation="""The absolute values are added up. The sum grows with the number of entries, so layers of different
        size cannot be compared.""",
    ),
    mistake(
        "the largest entry",
        swap(NORMS, "return [gradient.abs().max().item() for gradient in gradients]"),
        caught_by=MEANS,
        explanation="""The largest absolute value stands for the whole layer. Asked for is their mean.""",
    ),
    mistake(
        "the loss is the mean distance from 0",
        swap(LOSS, "loss = model(x).abs().mean()"),
        caught_by=MEANS,
        explanation="""The output is averaged without its sign, and not squared. The gradient of that does not shrink
        where the output does.""",
    ),
    mistake(
        "the loss is the sum of the outputs",
        swap(LOSS, "loss = model(x).sum()"),
        caught_by=MEANS,
        explanation="""The outputs are added up, signs and all. The loss here is their mean square.""",
    ),
    mistake(
        "the square of the mean",
        swap(LOSS, "loss = model(x).mean() ** 2"),
        caught_by=MEANS,
        explanation="""The mean is taken first and then squared. Outputs of different signs cancel, where each should
        count by its square.""",
    ),
    mistake(
        "the root of the loss",
        swap(LOSS, "loss = model(x).pow(2).mean().sqrt()"),
        caught_by=MEANS,
        explanation="""The root of the mean square is differentiated. That divides all gradients by twice the root.""",
    ),
    mistake(
        "last layer first",
        swap(NORMS, "return [gradient.abs().mean().item() for gradient in reversed(gradients)]"),
        caught_by=MEANS,
        explanation="""The numbers run from the last layer to the first, as the gradient does. They should stand in the order
        of the layers.""",
    ),
    mistake(
        "the biases count too",
        swap(WEIGHTS, "weights = list(model.parameters())"),
        caught_by=MEANS,
        explanation="""Every parameter gets a number, so biases stand between the weights. Asked for is one number a layer,
        that of its weight.""",
    ),
    mistake(
        "the weights instead of their gradients",
        swap(NORMS, "return [weight.abs().mean().item() for weight in weights]"),
        caught_by=MEANS,
        explanation="""What is measured is the size of the weights. It says nothing of how much the loss would change with
        them.""",
    ),
    mistake(
        "the loss is the mean output",
        swap(LOSS, "loss = model(x).mean()"),
        caught_by=MEANS,
        explanation="""The output is averaged without being squared. The gradient is then another one: it no longer depends
        on how large the output is.""",
    ),
    mistake(
        "the loss is a sum",
        swap(LOSS, "loss = model(x).pow(2).sum()"),
        caught_by=MEANS,
        explanation="""The squared outputs are added up. The gradient then grows with the batch and with the width of the
        output.""",
    ),
    mistake(
        "half the mean square",
        swap(LOSS, "loss = model(x).pow(2).mean() / 2"),
        caught_by=MEANS,
        explanation="""The loss is halved, as textbooks do to save a factor in the derivative. All gradients are half as
        large.""",
    ),
    mistake(
        "the loss is the distance from 1",
        swap(LOSS, "loss = (model(x) - 1).pow(2).mean()"),
        caught_by=MEANS,
        explanation="""The output is compared with ones. The loss is the mean of the squared output itself, which is its
        distance from 0.""",
    ),
    mistake(
        "tensors instead of floats",
        swap(NORMS, "return [gradient.abs().mean() for gradient in gradients]"),
        caught_by=MEANS,
        explanation="""The numbers are still tensors. A plain float is easier to print and to plot.""",
    ),
    mistake(
        "gradients from before are counted",
        swap(GRADIENTS, "loss.backward()\n    gradients = [weight.grad for weight in weights]"),
        caught_by="test_gradient_norms_does_not_count_old_gradients",
        explanation="""`backward` adds to whatever `.grad` holds already, and nothing was cleared. Ask twice and the numbers
        double.""",
    ),
    mistake(
        "the model is trained on the way",
        swap(
            GRADIENTS,
            f"{GRADIENTS}\n    with torch.no_grad():\n"
            "        for weight, gradient in zip(weights, gradients):\n            weight -= 0.1 * gradient",
        ),
        caught_by="test_gradient_norms_does_not_count_old_gradients",
        explanation="""The weights are changed after the gradients were taken. Measuring should leave the model as it
        was.""",
    ),
    mistake(
        "the model is left in eval mode",
        swap(LOSS, "model.eval()\n    " + LOSS),
        caught_by="test_gradient_norms_only_looks",
        explanation="""The model is put into eval mode and stays there. Whoever goes on training it trains without
        dropout.""",
    ),
    mistake(
        "x is made to ask for a gradient",
        swap(LOSS, "x.requires_grad_()\n    " + LOSS),
        caught_by="test_gradient_norms_only_looks",
        explanation="""The caller's x asks for a gradient from now on. What is wanted are gradients of the weights, and
        those ask already.""",
    ),
    # Step 3
    mistake(
        "one norm for both branches",
        swap(NORM2, "self.norm2 = self.norm1"),
        caught_by=PARTS,
        explanation="""Both names stand for the same layer. The branches read different things, and each needs a weight and a
        bias of its own.""",
    ),
    mistake(
        "qkv_bias is not handed on",
        swap(ATTENTION, "self.attention = MultiHeadAttention(emb_dim, emb_dim, context_length, dropout, num_heads)"),
        caught_by=PARTS,
        explanation="""The block takes `qkv_bias` and forgets to tell its attention. The projections never have a bias.""",
    ),
    mistake(
        "always with a bias",
        swap(
            ATTENTION, "self.attention = MultiHeadAttention(emb_dim, emb_dim, context_length, dropout, num_heads, True)"
        ),
        caught_by=PARTS,
        explanation="""The projections have a bias whatever `qkv_bias` says. It is False unless somebody asks for one.""",
    ),
    mistake(
        "the feed-forward is not 4 times as wide",
        swap(FEED_FORWARD, "self.feed_forward = FeedForward(emb_dim, 2)"),
        caught_by=PARTS,
        explanation="""The feed-forward is built with another expansion than its own default. GPT-2 makes each token 4 times
        as wide there.""",
    ),
    mistake(
        "one head",
        swap(ATTENTION, "self.attention = MultiHeadAttention(emb_dim, emb_dim, context_length, dropout, 1, qkv_bias)"),
        caught_by=EARLIER,
        explanation="""The attention has a single head, whatever `num_heads` says. Its parameters look the same, but each
        token can look one way only.""",
    ),
    mistake(
        "attention without dropout",
        swap(
            ATTENTION, "self.attention = MultiHeadAttention(emb_dim, emb_dim, context_length, 0.0, num_heads, qkv_bias)"
        ),
        caught_by="test_attention_gets_the_dropout",
        explanation="""The attention is built with a rate of 0. In a block the dropout acts in three places, and the weights of
        the attention are one of them.""",
    ),
    # Step 4
    mistake(
        "x is changed in place",
        swap(FIRST, "x += self.dropout(self.attention(self.norm1(x)))"),
        caught_by="test_block_leaves_x_alone",
        explanation="""`x += …` writes into the very tensor that was handed over. Whoever called still holds it, and finds it
        changed.""",
    ),
    mistake(
        "x is changed in place, twice",
        swap(FIRST, "x += self.dropout(self.attention(self.norm1(x)))"),
        swap(SECOND, "x += self.dropout(self.feed_forward(self.norm2(x)))"),
        caught_by="test_block_leaves_x_alone",
        explanation="""Both sums are written with `+=`, into the very tensor that was handed over. Whoever called still holds
        it, and finds the output in its place.""",
    ),
    mistake(
        "post-norm",
        swap(FIRST, "x = self.norm1(x + self.dropout(self.attention(x)))"),
        swap(SECOND, "x = self.norm2(x + self.dropout(self.feed_forward(x)))"),
        caught_by=SILENT,
        explanation="""Each norm stands on the stream, after the sum, as in the paper of 2017. In GPT-2 it stands on the branch,
        so that nothing lies in the way of the stream.""",
    ),
    mistake(
        "the first shortcut starts after the norm",
        swap(FIRST, "x = self.norm1(x)\n        x = x + self.dropout(self.attention(x))"),
        caught_by=SILENT,
        explanation="""What the attention adds to is the normalised x. The shortcut starts before the norm, otherwise the stream
        is replaced after all.""",
    ),
    mistake(
        "the second shortcut starts after the norm",
        swap(SECOND, "x = self.norm2(x)\n        x = x + self.dropout(self.feed_forward(x))"),
        caught_by=SILENT,
        explanation="""What the feed-forward adds to is the normalised x. The shortcut starts before the norm, otherwise the
        stream is replaced after all.""",
    ),
    mistake(
        "both shortcuts start after the norm",
        swap(FIRST, "x = self.norm1(x)\n        x = x + self.dropout(self.attention(x))"),
        swap(SECOND, "x = self.norm2(x)\n        x = x + self.dropout(self.feed_forward(x))"),
        caught_by=SILENT,
        explanation="""Each branch adds to the normalised x. A shortcut starts before the norm, otherwise the stream is
        replaced after all.""",
    ),
    mistake(
        "no first shortcut",
        swap(FIRST, "x = self.dropout(self.attention(self.norm1(x)))"),
        caught_by=SILENT,
        explanation="""The result of the attention replaces x. It should be added: a block with nothing to say would wipe the
        stream out.""",
    ),
    mistake(
        "no second shortcut",
        swap(SECOND, "x = self.dropout(self.feed_forward(self.norm2(x)))"),
        caught_by=SILENT,
        explanation="""The result of the feed-forward replaces x. It should be added: a block with nothing to say would wipe
        the stream out.""",
    ),
    mistake(
        "no shortcuts",
        swap(FIRST, "x = self.dropout(self.attention(self.norm1(x)))"),
        swap(SECOND, "x = self.dropout(self.feed_forward(self.norm2(x)))"),
        caught_by=SILENT,
        explanation="""Both branches replace x and neither adds to it. The stream ends at every layer, and so does the
        gradient.""",
    ),
    mistake(
        "x counts twice",
        swap(FIRST, "x = x + x + self.dropout(self.attention(self.norm1(x)))"),
        caught_by=SILENT,
        explanation="""The stream is added to itself before anything is added to it. It doubles from block to
        block.""",
    ),
    mistake(
        "the feed-forward reads the attention alone",
        swap(SECOND, "x = x + self.dropout(self.feed_forward(self.norm2(x - before)))"),
        swap(FIRST, "before = x\n        " + FIRST),
        caught_by=ALONE,
        explanation="""The feed-forward gets what the attention has added, without the stream that it was added to. It
        is meant to read both.""",
    ),
    mistake(
        "dropout on the sums",
        swap(FIRST, "x = self.dropout(x + self.attention(self.norm1(x)))"),
        swap(SECOND, "x = self.dropout(x + self.feed_forward(self.norm2(x)))"),
        caught_by=SILENT,
        explanation="""Dropout is applied after the addition, to the stream itself. It belongs on the branch: what was there
        before passes unharmed.""",
    ),
    mistake(
        "dropout on the first sum",
        swap(FIRST, "x = self.dropout(x + self.attention(self.norm1(x)))"),
        caught_by=SILENT,
        explanation="""Dropout is applied after the attention was added, to the stream itself. It belongs on the branch: what
        was there before passes unharmed.""",
    ),
    mistake(
        "dropout on the second sum",
        swap(SECOND, "x = self.dropout(x + self.feed_forward(self.norm2(x)))"),
        caught_by=SILENT,
        explanation="""Dropout is applied after the feed-forward was added, to the stream itself. It belongs on the branch: what
        was there before passes unharmed.""",
    ),
    mistake(
        "a norm at the end",
        swap(SECOND, "x = self.norm2(x + self.dropout(self.feed_forward(self.norm2(x))))"),
        caught_by=SILENT,
        explanation="""The stream is normalised once more before it leaves the block. The next block has a norm on each of its
        branches, and the stream itself runs on untouched.""",
    ),
    mistake(
        "no first norm",
        swap(FIRST, "x = x + self.dropout(self.attention(x))"),
        caught_by=ALONE,
        explanation="""The attention reads the stream as it is. The stream grows with every block, and the norm gives the branch
        numbers of a size it knows.""",
    ),
    mistake(
        "no second norm",
        swap(SECOND, "x = x + self.dropout(self.feed_forward(x))"),
        caught_by=ALONE,
        explanation="""The feed-forward reads the stream as it is. The stream grows with every block, and the norm gives the
        branch numbers of a size it knows.""",
    ),
    mistake(
        "no norms",
        swap(FIRST, "x = x + self.dropout(self.attention(x))"),
        swap(SECOND, "x = x + self.dropout(self.feed_forward(x))"),
        caught_by=ALONE,
        explanation="""Both branches read the stream as it is. The stream grows with every block, and the norms give the
        branches numbers of a size they know.""",
    ),
    mistake(
        "the norm follows the branch",
        swap(FIRST, "x = x + self.dropout(self.norm1(self.attention(x)))"),
        swap(SECOND, "x = x + self.dropout(self.norm2(self.feed_forward(x)))"),
        caught_by=SILENT,
        explanation="""Each norm is applied to what its branch gives, and the branch reads the stream as it is. A norm belongs in
        front of its branch; behind it, every block has to add equally much.""",
    ),
    mistake(
        "norm1 serves both branches",
        swap(SECOND, "x = x + self.dropout(self.feed_forward(self.norm1(x)))"),
        caught_by=ALONE,
        explanation="""The feed-forward reads through `norm1`, and `norm2` is never used. The branches read different things,
        and each has a norm of its own.""",
    ),
    mistake(
        "the norms are exchanged",
        swap(FIRST, "x = x + self.dropout(self.attention(self.norm2(x)))"),
        swap(SECOND, "x = x + self.dropout(self.feed_forward(self.norm1(x)))"),
        caught_by=ALONE,
        explanation="""The attention reads through `norm2` and the feed-forward through `norm1`. Trained here that makes no
        difference, but weights from elsewhere end up in the wrong place.""",
    ),
    mistake(
        "the feed-forward comes first",
        swap(f"{FIRST}\n        {SECOND}", f"{SECOND}\n        {FIRST}"),
        caught_by=OUTPUT,
        explanation="""The tokens think before they have talked. First the attention brings news from other tokens, then the
        feed-forward works on it.""",
    ),
    mistake(
        "the branches run side by side",
        swap(FIRST, "start = x\n        x = x + self.dropout(self.attention(self.norm1(x)))"),
        swap(SECOND, "x = x + self.dropout(self.feed_forward(self.norm2(start)))"),
        caught_by=OUTPUT,
        explanation="""The feed-forward reads what came into the block, as the attention does. It should hear what the attention
        has just added.""",
    ),
    mistake(
        "the second shortcut starts at the block's input",
        swap(FIRST, "start = x\n        x = x + self.dropout(self.attention(self.norm1(x)))"),
        swap(SECOND, "x = start + self.dropout(self.feed_forward(self.norm2(x)))"),
        caught_by=ALONE,
        explanation="""The feed-forward's result is added to what came into the block. What the attention has added to the stream
        is lost.""",
    ),
    mistake(
        "no attention",
        swap(FIRST, "x = x + 0 * self.attention(self.norm1(x))"),
        caught_by=ALONE,
        explanation="""Only the feed-forward adds to the stream. Without attention no token learns anything of another.""",
    ),
    mistake(
        "no feed-forward",
        swap(SECOND, "x = x + 0 * self.feed_forward(self.norm2(x))"),
        caught_by=ALONE,
        explanation="""Only the attention adds to the stream. The tokens exchange news and nobody thinks it over.""",
    ),
    mistake(
        "the block keeps its first output",
        swap(
            f"{SECOND}\n        return x",
            f"{SECOND}\n        self.output = getattr(self, 'output', x)\n        return self.output",
        ),
        caught_by="test_every_call_is_computed_anew",
        explanation="""The output is kept in the block and given again at the next call. That call comes with another x, and
        after a step of training with other parameters.""",
    ),
    mistake(
        "the feed-forward waits for eval mode",
        swap(SECOND, f"if not self.training:\n            {SECOND}"),
        caught_by="test_without_dropout_training_changes_nothing",
        explanation="""In training the feed-forward adds nothing, so it can never learn. The two modes differ in what is dropped
        and in nothing else.""",
    ),
    mistake(
        "the skip path carries no gradient",
        swap(FIRST, "x = x.detach() + self.dropout(self.attention(self.norm1(x)))"),
        caught_by="test_gradient_passes_skip_and_branches",
        explanation="""The values are right, but x is cut off from the graph before it is added. The gradient cannot come home
        along the skip path.""",
    ),
    mistake(
        "the attention's result is not dropped",
        swap(FIRST, "x = x + self.attention(self.norm1(x))"),
        caught_by=DROPPED,
        explanation="""What the attention adds passes whole in training. Dropout acts on what each branch adds, on this one
        too.""",
    ),
    mistake(
        "the feed-forward's result is not dropped",
        swap(SECOND, "x = x + self.feed_forward(self.norm2(x))"),
        caught_by=DROPPED,
        explanation="""What the feed-forward adds passes whole in training. Dropout acts on what each branch adds, on this one
        too.""",
    ),
    mistake(
        "dropout is never used",
        swap(FIRST, "x = x + self.attention(self.norm1(x))"),
        swap(SECOND, "x = x + self.feed_forward(self.norm2(x))"),
        caught_by=DROPPED,
        explanation="""The block has a dropout layer, but forward never calls it. What both branches add passes whole in
        training.""",
    ),
    mistake(
        "dropout in eval mode, too",
        swap(FIRST, "x = x + nn.functional.dropout(self.attention(self.norm1(x)), self.dropout.p)"),
        swap(SECOND, "x = x + nn.functional.dropout(self.feed_forward(self.norm2(x)), self.dropout.p)"),
        caught_by=ALONE,
        explanation="""What the branches add is dropped whether the block is in training or not. In eval mode nothing may be
        random, and a function does not know the mode unless it is told.""",
    ),
    mistake(
        "dropout in front of the branch",
        swap(FIRST, "x = x + self.attention(self.dropout(self.norm1(x)))"),
        swap(SECOND, "x = x + self.feed_forward(self.dropout(self.norm2(x)))"),
        caught_by=DROPPED,
        explanation="""What is dropped is what a branch reads. Dropout acts on what it adds.""",
    ),
    mistake(
        "drops unless told otherwise",
        swap("        dropout: float = 0.0,", "        dropout: float = 0.1,"),
        caught_by="test_without_dropout_training_changes_nothing",
        explanation="""The rate is 0.1 where nobody says anything. Entries are then dropped in training that nobody
        asked to drop.""",
    ),
    # Step 1, once more
    layered(
        "x counts twice in the shortcut",
        SHORTCUT,
        "out = 2 * x + out",
        """The input of a layer is added twice. With a shortcut its output is x + f(x).""",
    ),
    layered(
        "the shortcut is the mean of both",
        SHORTCUT,
        "out = (x + out) / 2",
        """Input and output are averaged. They are added; halving the stream at every layer makes it vanish.""",
    ),
    layered(
        "the shortcut is divided by the root of two",
        SHORTCUT,
        "out = (x + out) / 2**0.5",
        """The sum is divided by √2, to keep its variance. The shortcut here is x + f(x) and nothing more.""",
    ),
    layered(
        "the shortcut is a product",
        SHORTCUT,
        "out = x * out",
        """Input and output are multiplied. The shortcut adds them, so that a layer with nothing to say leaves x alone.""",
    ),
    layered(
        "the shortcut is subtracted",
        SHORTCUT,
        "out = out - x",
        """The input is taken off the output. It is added.""",
    ),
    layered(
        "the output is taken off the shortcut",
        SHORTCUT,
        "out = x - out",
        """The output is taken off the input. It is added to it.""",
    ),
    layered(
        "a shortcut around every second layer",
        "for layer in self.layers:\n            out = gelu(layer(x))\n            if self.shortcut and",
        "for number, layer in enumerate(self.layers):\n            out = gelu(layer(x))\n"
        "            if number % 2 == 0 and self.shortcut and",
        """Only every second layer has a shortcut. Each has one, where its shape allows it.""",
    ),
    layered(
        "the shortcut broadcasts",
        WHERE,
        "if self.shortcut and (out.shape == x.shape or 1 in (out.shape[-1], x.shape[-1])):",
        """A layer from or to a width of 1 gets a shortcut as well, because addition stretches a single number. Only where
        both have one shape can anything be added.""",
    ),
    layered(
        "the shortcut starts a layer too early",
        "        for layer in self.layers:\n            out = gelu(layer(x))\n            if self.shortcut and out.shape == x.shape:\n"
        "                out = x + out\n            x = out\n",
        "        before = x\n        for layer in self.layers:\n            out = gelu(layer(x))\n"
        "            if self.shortcut and out.shape == before.shape:\n"
        "                out = before + out\n            before, x = x, out\n",
        """What is added is the input of the layer before. The shortcut goes around one layer: its own.""",
    ),
    layered(
        "two activations in a row",
        LAYER,
        "out = gelu(gelu(layer(x)))",
        """Each output goes through GELU twice. Once is asked for.""",
    ),
    layered(
        "SiLU for GELU",
        LAYER,
        "out = nn.functional.silu(layer(x))",
        """x times sigmoid of x looks like GELU and is not quite the same. GELU is asked for.""",
    ),
    layered(
        "tanh for GELU",
        LAYER,
        "out = layer(x).tanh()",
        """The activation is tanh. GELU is asked for.""",
    ),
    layered(
        "the first layer has no activation",
        LAYER,
        "out = layer(x) if layer is self.layers[0] else gelu(layer(x))",
        """The first layer is linear only. Every layer is followed by GELU.""",
    ),
    layered(
        "the activation comes after the shortcut, where there is none",
        f"{LAYER}\n            {WHERE}\n                {SHORTCUT}",
        "out = layer(x)\n            if self.shortcut and out.shape == x.shape:\n"
        "                out = gelu(x) + gelu(out)\n            else:\n                out = gelu(out)",
        """The input goes through GELU before it is added. The shortcut carries x as it is.""",
    ),
    mistake(
        "every call drops the same",
        swap(FIRST, "torch.manual_seed(0)\n        " + FIRST),
        caught_by="test_dropout_drops_the_expected_share",
        explanation="""Each call sets the seed again, so each drops the same entries, and everything else that draws
        numbers begins again as well. Whoever calls you sets the seed, once.""",
    ),
    mistake(
        "the net keeps an output for each batch size",
        swap(
            "            x = out\n        return x\n",
            "            x = out\n        self.outputs = getattr(self, 'outputs', {})\n"
            "        return self.outputs.setdefault(tuple(x.shape), x)\n",
        ),
        caught_by="test_deep_net_computes_every_call_anew",
        explanation="""An output is kept for each shape and given again when one of that shape is asked for. The numbers in it
        are others.""",
    ),
    # Step 2, once more
    measured(
        "the biases instead of the weights",
        WEIGHTS,
        WEIGHTS.replace("layer.weight for", "layer.bias for"),
        """The gradients of the biases are measured. Those of the weights are asked for.""",
    ),
    measured(
        "the median",
        NORMS,
        NORMS.replace(".mean()", ".flatten().median()"),
        """The median of the absolute gradients is returned. Their mean is asked for.""",
    ),
    measured(
        "the spread of the gradient",
        NORMS,
        "return [gradient.std(unbiased=False).item() for gradient in gradients]",
        """The standard deviation of the gradient is returned. The mean of its absolute values is asked for.""",
    ),
    measured(
        "the gradient as a share of the weight",
        NORMS,
        "return [(gradient.abs().mean() / weight.abs().mean()).item() for gradient, weight in zip(gradients, weights)]",
        """The gradient is divided by the size of its weight. The mean absolute gradient itself is asked for.""",
    ),
    measured(
        "as a share of the last layer's",
        NORMS,
        "norms = [gradient.abs().mean().item() for gradient in gradients]\n    return [norm / norms[-1] for norm in norms]",
        """Each number is divided by that of the last layer, as in the picture. The numbers themselves are asked for.""",
    ),
    measured(
        "as a share of all layers",
        NORMS,
        "norms = [gradient.abs().mean().item() for gradient in gradients]\n    return [norm / sum(norms) for norm in norms]",
        """The numbers are divided by their sum. They themselves are asked for.""",
    ),
    measured(
        "the logarithms of the means",
        NORMS,
        NORMS.replace(".item()", ".log10().item()"),
        """The logarithm of each mean is returned, as for a picture. The mean itself is asked for.""",
    ),
    measured(
        "the mean length of a row",
        NORMS,
        "return [gradient.norm(dim=1).mean().item() for gradient in gradients]",
        """The Euclidean norm of each row is taken, and the mean of those. The mean of the absolute entries is asked for.""",
    ),
    measured(
        "the loss sums over the features",
        LOSS,
        "loss = model(x).pow(2).sum(dim=-1).mean()",
        """The squares are summed over the features and averaged over the batch only. The mean goes over all entries.""",
    ),
    measured(
        "the loss sums over the batch",
        LOSS,
        "loss = model(x).pow(2).sum(dim=0).mean()",
        """The squares are averaged over the features only and summed over the batch. The mean goes over all entries.""",
    ),
    measured(
        "the loss is the variance",
        LOSS,
        "loss = model(x).var(unbiased=False)",
        """The mean is taken off before squaring. The loss is the mean of the squared output as it is.""",
    ),
    measured(
        "the loss of the first row",
        LOSS,
        "loss = model(x[:1]).pow(2).mean()",
        """Only the first row of x goes through the model. The loss is a mean over the whole batch.""",
    ),
    measured(
        "the loss is the largest square",
        LOSS,
        "loss = model(x).pow(2).max()",
        """The loss is the largest of the squares. Their mean is asked for.""",
    ),
    measured(
        "the first layer is left out",
        NORMS,
        NORMS.replace("in gradients]", "in gradients[1:]]"),
        """The first layer is missing from the list. It is the one that the whole measurement is about.""",
    ),
    measured(
        "the last layer is left out",
        NORMS,
        NORMS.replace("in gradients]", "in gradients[:-1]]"),
        """The last layer is missing from the list. A range or a slice ended one too early.""",
    ),
    measured(
        "only the layers of DeepNet are found",
        WEIGHTS,
        WEIGHTS.replace(
            "model.modules()", "[layer for net in model.modules() if isinstance(net, DeepNet) for layer in net.layers]"
        ),
        """Only what lies in a DeepNet's own list is measured. Every `nn.Linear` of the model counts, wherever it lies.""",
        caught_by=NESTED,
    ),
    measured(
        "only weights of the outermost layers are found",
        WEIGHTS,
        "weights = [layer.weight for part in [model, *model.children()] for layer in [*part.children(), *[inner for list_ in "
        "part.children() if isinstance(list_, nn.ModuleList) for inner in list_]] if isinstance(layer, nn.Linear)]",
        """The search goes one or two modules deep. `modules()` goes to the bottom.""",
        caught_by=NESTED,
    ),
    # Step 3, once more
    block(
        "the context is as long as a token is wide",
        swap(ATTENTION, ATTENTION.replace("context_length, ", "emb_dim, ")),
        caught_by="test_context_may_be_longer_than_a_token_is_wide",
        explanation="""The attention's context length is given as `emb_dim`. A text of more tokens than that has no mask that is
        large enough.""",
    ),
    block(
        "the context is one token short",
        swap(ATTENTION, ATTENTION.replace("context_length, ", "context_length - 1, ")),
        caught_by=EARLIER,
        explanation="""The attention's mask is a row and a column too small. A text may be as long as the context.""",
    ),
    block(
        "one head too few",
        swap(ATTENTION, ATTENTION.replace("num_heads, ", "max(1, num_heads // 2), ")),
        caught_by=EARLIER,
        explanation="""The attention gets another number of heads than was asked for. Where that divides the width nothing complains.""",
    ),
    # Step 4, once more
    block(
        "both branches are taken off",
        swap(FIRST, FIRST.replace("x + ", "x - ")),
        swap(SECOND, SECOND.replace("x + ", "x - ")),
        caught_by=ALONE,
        explanation="""What the branches have to say is taken off the stream. It is added.""",
    ),
    block(
        "the attention is taken off",
        swap(FIRST, FIRST.replace("x + ", "x - ")),
        caught_by=ALONE,
        explanation="""What the attention has to say is taken off the stream. It is added.""",
    ),
    block(
        "the feed-forward is taken off",
        swap(SECOND, SECOND.replace("x + ", "x - ")),
        caught_by=ALONE,
        explanation="""What the feed-forward has to say is taken off the stream. It is added.""",
    ),
    block(
        "the sums are divided by the root of two",
        swap(FIRST, FIRST.replace("x + ", "0.5**0.5 * (x + ") + ")"),
        swap(SECOND, SECOND.replace("x + ", "0.5**0.5 * (x + ") + ")"),
        caught_by=SILENT,
        explanation="""Each sum is divided by √2, to keep its variance. The stream of a block runs straight through: with silent
        branches x comes out as it went in.""",
    ),
    block(
        "the sums are halved",
        swap(FIRST, FIRST.replace("x + ", "0.5 * (x + ") + ")"),
        swap(SECOND, SECOND.replace("x + ", "0.5 * (x + ") + ")"),
        caught_by=SILENT,
        explanation="""Stream and branch are averaged. They are added: with silent branches x comes out as it went in.""",
    ),
    block(
        "norm1 is used twice in a row",
        swap(FIRST, FIRST.replace("self.norm1(x)", "self.norm1(self.norm1(x))")),
        caught_by=ALONE,
        explanation="""What the attention reads goes through its norm twice. Once is asked for.""",
    ),
    block(
        "the attention follows itself",
        swap(FIRST, FIRST + "\n        " + FIRST),
        caught_by=ALONE,
        explanation="""The attention's branch is there twice. A block has one of each.""",
    ),
    block(
        "the feed-forward follows itself",
        swap(SECOND, SECOND + "\n        " + SECOND),
        caught_by=ALONE,
        explanation="""The feed-forward's branch is there twice. A block has one of each.""",
    ),
    block(
        "the norm is behind the attention",
        swap(FIRST, "x = x + self.dropout(self.norm1(self.attention(x)))"),
        caught_by=ALONE,
        explanation="""The attention reads the stream as it is, and what it has to add is normalised. The norm comes before it.""",
    ),
    block(
        "the norm is behind the feed-forward",
        swap(SECOND, "x = x + self.dropout(self.norm2(self.feed_forward(x)))"),
        caught_by=ALONE,
        explanation="""The feed-forward reads the stream as it is, and what it has to add is normalised. The norm comes before
        it.""",
    ),
    block(
        "the first sum is normalised",
        swap(FIRST, "x = self.norm1(x + self.dropout(self.attention(self.norm1(x))))"),
        caught_by=SILENT,
        explanation="""The sum of stream and attention goes through the norm again. Nothing stands on the stream.""",
    ),
    block(
        "the attention's branch carries no gradient",
        swap(FIRST, FIRST.replace("self.norm1(x)", "self.norm1(x.detach())")),
        caught_by="test_gradient_passes_skip_and_branches",
        explanation="""The values are right, but the attention reads an x that is cut off from the graph. The gradient comes
        home along the skip path alone.""",
    ),
    block(
        "the feed-forward's branch carries no gradient",
        swap(SECOND, SECOND.replace("self.norm2(x)", "self.norm2(x.detach())")),
        caught_by="test_gradient_passes_skip_and_branches",
        explanation="""The values are right, but the feed-forward reads an x that is cut off from the graph. What attention has
        added learns nothing from it.""",
    ),
    block(
        "the block keeps an output for each shape",
        swap(
            f"{SECOND}\n        return x",
            f"{SECOND}\n        self.outputs = getattr(self, 'outputs', {{}})\n"
            "        return self.outputs.setdefault(tuple(x.shape), x)",
        ),
        caught_by="test_every_call_is_computed_anew",
        explanation="""An output is kept for each shape and given again when one of that shape is asked for. The numbers in it
        are others.""",
    ),
    block(
        "the block asks for contiguous tokens",
        swap(FIRST, "x = x.view(-1, x.shape[-1]).view(x.shape)\n        " + FIRST),
        caught_by=OUTPUT,
        explanation="""`view` is asked of x, which need not lie in memory as `view` needs it: a transposed tensor does not.
        `reshape` copies where it has to.""",
    ),
    block(
        "the rate is the share that is kept",
        swap(DROPOUT, "self.dropout = nn.Dropout(1 - dropout)"),
        caught_by=DROPPED,
        explanation="""The dropout gets 1 − rate. `nn.Dropout` wants the share that is dropped.""",
    ),
    block(
        "twice the rate",
        swap(DROPOUT, "self.dropout = nn.Dropout(min(0.95, 2 * dropout))"),
        caught_by=DROPPED,
        explanation="""The dropout gets twice the rate. It is the rate itself that is asked for.""",
    ),
    block(
        "what is added is dropped twice",
        swap(FIRST, "x = x + self.dropout(self.dropout(self.attention(self.norm1(x))))"),
        swap(SECOND, "x = x + self.dropout(self.dropout(self.feed_forward(self.norm2(x))))"),
        caught_by=DROPPED,
        explanation="""What a branch adds goes through two dropouts. Once is asked for.""",
    ),
    block(
        "what is left is not scaled up",
        swap(FIRST, FIRST.replace("self.dropout(", "self.kept(")),
        swap(SECOND, SECOND.replace("self.dropout(", "self.kept(")),
        swap(
            '    def forward(self, x: Float[Tensor, "B T D"])',
            "    def kept(self, x):\n        return x * (torch.rand_like(x) >= self.dropout.p) if self.training else x\n\n"
            '    def forward(self, x: Float[Tensor, "B T D"])',
        ),
        caught_by=DROPPED,
        explanation="""Entries are dropped, and those that stay are not scaled by 1 / (1 − rate). What a branch adds is then
        smaller in training than in eval mode.""",
    ),
    block(
        "whole tokens are dropped",
        swap(
            FIRST,
            FIRST.replace("self.dropout(", "nn.functional.dropout1d(", 1)[:-1] + ", self.dropout.p, self.training)",
        ),
        swap(
            SECOND,
            SECOND.replace("self.dropout(", "nn.functional.dropout1d(", 1)[:-1] + ", self.dropout.p, self.training)",
        ),
        caught_by="test_dropout_drops_the_expected_share",
        explanation="""All that a branch adds to a token is dropped or kept together. Each entry is dropped by itself.""",
    ),
    block(
        "whole branches are dropped",
        swap(FIRST, FIRST.replace("self.dropout(", "self.kept(")),
        swap(SECOND, SECOND.replace("self.dropout(", "self.kept(")),
        swap(
            '    def forward(self, x: Float[Tensor, "B T D"])',
            "    def kept(self, x):\n        ones = torch.ones(len(x), 1, 1, dtype=x.dtype)\n"
            "        return x * self.dropout(ones)\n\n"
            '    def forward(self, x: Float[Tensor, "B T D"])',
        ),
        caught_by="test_dropout_drops_the_expected_share",
        explanation="""All that a branch adds to a text is dropped or kept together, as in stochastic depth. Each entry is
        dropped by itself.""",
    ),
    block(
        "dropout on the stream",
        swap(FIRST, "x = self.dropout(x) + self.attention(self.norm1(x))"),
        swap(SECOND, "x = self.dropout(x) + self.feed_forward(self.norm2(x))"),
        caught_by=SILENT,
        explanation="""Dropout acts on the stream and not on what is added to it. The stream runs straight through; it is the
        branch that is dropped.""",
    ),
    # Any other number
    family(
        "the branches count {c} times",
        swap(FIRST, FIRST.replace("+ ", "+ {c} * ")),
        swap(SECOND, SECOND.replace("+ ", "+ {c} * ")),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by=ALONE,
        explanation="""What a branch has found is multiplied by {c} before it is added. How much it says, its last layer learns by
        itself.""",
    ),
    family(
        "x counts {c} times in both sums",
        swap(FIRST, FIRST.replace("= x", "= {c} * x")),
        swap(SECOND, SECOND.replace("= x", "= {c} * x")),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by=SILENT,
        explanation="""The stream is multiplied by {c} before anything is added to it. It grows or shrinks from block to block.""",
    ),
    family(
        "the layer's output counts {c} times",
        swap(SHORTCUT, "out = x + {c} * out"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by=DEEP,
        explanation="""What the layer gives is multiplied by {c} before it is added to its input. The two are added as they are.""",
    ),
    family(
        "the shortcut counts {c} times",
        swap(SHORTCUT, "out = {c} * x + out"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by=DEEP,
        explanation="""The input of the layer is multiplied by {c} before the output is added. The two are added as they are.""",
    ),
    family(
        "{c} times the loss",
        swap(LOSS, "loss = {c} * model(x).pow(2).mean()"),
        constants=(0.1, 2.0, 10.0, 100.0),
        caught_by=MEANS,
        explanation="""The mean square is multiplied by {c}, and all gradients with it. The loss is the mean square itself.""",
    ),
    family(
        "an eps of {c} in the norms",
        swap(NORM1, "self.norm1 = LayerNorm(emb_dim, eps={c})"),
        swap(NORM2, "self.norm2 = LayerNorm(emb_dim, eps={c})"),
        constants=(1e-12, 1e-8, 1e-6, 1e-3, 0.1),
        caught_by=EARLIER,
        explanation="""The norms are built with an eps of {c}. Weights that were trained with the default would not fit.""",
    ),
    family(
        "an eps of {c} in the second norm",
        swap(NORM2, "self.norm2 = LayerNorm(emb_dim, eps={c})"),
        constants=(1e-12, 1e-8, 1e-6, 1e-3, 0.1),
        caught_by=EARLIER,
        explanation="""The second norm is built with an eps of {c}. Both have the default.""",
    ),
    family(
        "an eps of {c} in the first norm",
        swap(NORM1, "self.norm1 = LayerNorm(emb_dim, eps={c})"),
        constants=(1e-12, 1e-8, 1e-6, 1e-3, 0.1),
        caught_by=EARLIER,
        explanation="""The first norm is built with an eps of {c}. Both have the default.""",
    ),
    family(
        "the block's rate is always {c}",
        swap(DROPOUT, "self.dropout = nn.Dropout({c})"),
        constants=(0.1, 0.2, 0.5, 0.9),
        caught_by=DROPPED,
        explanation="""The rate is {c}, a number written into the code. The block takes `dropout`, and whoever gives one means it.""",
    ),
    mistake(
        "every rate is fixed",
        swap(DROPOUT, "self.dropout = nn.Dropout(0.1)"),
        swap(ATTENTION, ATTENTION.replace("dropout,", "0.1,")),
        caught_by="test_attention_gets_the_dropout",
        explanation="""The rates of the attention and of the block are numbers written into the code. The block takes `dropout`, and
        whoever gives one means it.""",
    ),
]
