"""k12: what people get wrong about the training loop."""

from dojo.spec import family, mistake, swap

ZERO = "    optimizer.zero_grad()\n"
LOSS = "loss = cross_entropy(model(x), y)"
BACKWARD = "    loss.backward()\n"
CLIP = "nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)"
WHETHER = "    if max_grad_norm is not None:\n        nn.utils"
STEP = "    optimizer.step()\n"
RETURN = "return loss.item()"  # and a comment
WINDOWS = "inputs, targets = windows(data, context_length, stride=context_length)"
MEASURE = "return corpus_loss(model, zip(inputs.split(batch_size), targets.split(batch_size)))"
BATCHES = "zip(inputs.split(batch_size), targets.split(batch_size))"
RISE = "return peak * (step + 1) / warmup"
RISING = "if step < warmup:"
END = "    if step >= total:\n        return floor\n"
PROGRESS = "progress = (step - warmup) / (total - warmup)"
FALL = "return floor + (peak - floor) / 2 * (1 + math.cos(math.pi * progress))"
TRAIN_MODE = "    model.train()\n"
RATES = """        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
"""
GROUPS = "for group in optimizer.param_groups:"
BATCH = "x, y = get_batch(data, batch_size, context_length, generator)"
ONE_STEP = "loss = train_step(model, optimizer, x, y)"
TOLD = """        if on_step is not None:
            on_step(step, loss)
"""

HALF, ROW = "max(1, (len(x) + 1) // 2)", "1"
LONG = "test_a_long_gradient_is_cut_to_the_norm"
FALLS = "test_the_rate_falls_by_half_a_cosine"
RISES = "test_the_rate_rises_in_a_straight_line"
MEASURED = "test_evaluate_is_the_mean_loss_of_all_windows"
TRACES = "test_evaluate_leaves_weights_and_gradients_as_they_were"
SCHEDULED = "test_schedule_sets_every_groups_rate_before_each_step"
HEARD = "test_on_step_is_told_of_every_step"
ENDLESS = "test_a_run_is_as_long_as_asked"


def in_parts(name, size, *lines, caught_by, explanation, result=None):
    """A batch that is run in parts of `size` rows, each of which goes through `lines`."""
    body = "".join(f"        {line}\n" for line in lines)
    loop = f"loss = torch.zeros(())\n    for rows, answers in zip(x.split({size}), y.split({size})):\n{body}"
    swaps = [swap(f"    {LOSS}\n{BACKWARD}", f"    {loop}")]
    swaps += [swap(RETURN, f"return {result}")] if result else []
    return mistake(name, *swaps, caught_by=caught_by, explanation=explanation)


PART = "part = cross_entropy(model(rows), answers)"
SHARE = "loss = loss + part.detach() * len(rows) / len(x)"
WEIGHTED = "(part * len(rows) / len(x)).backward()"


def clipped(name, norm, explanation, scale="torch.clamp(max_grad_norm / norm, max=1.0)"):
    """A batch whose gradient is scaled down by another norm, or in another way."""
    lines = f"norm = {norm}\n        for weights in model.parameters():\n            weights.grad *= {scale}"
    return mistake(name, swap(CLIP, lines), caught_by=LONG, explanation=explanation)


MISTAKES = [
    # Step 1
    mistake(
        "old gradients are never cleared",
        swap(ZERO, ""),
        caught_by="test_gradients_left_from_before_play_no_part",
        explanation="""`backward` adds to the gradients that are there, and nothing takes the old ones away. Each step
        then follows the sum of all batches so far.""",
    ),
    mistake(
        "gradients are cleared after the step only",
        swap(ZERO, ""),
        swap(STEP, STEP + ZERO),
        caught_by="test_gradients_left_from_before_play_no_part",
        explanation="""Each step tidies up behind itself, and trusts that everyone else did. Gradients that another
        `backward` left are added to those of the first batch.""",
    ),
    mistake(
        "gradients are cleared before they are used",
        swap(ZERO, ""),
        swap(BACKWARD, BACKWARD + ZERO),
        caught_by="test_one_step_of_sgd",
        explanation="""The gradients are computed and then cleared at once, before the optimizer sees them. It has
        nothing to step along, and the model never learns.""",
    ),
    mistake(
        "the step comes before the gradients",
        swap(STEP, ""),
        swap(BACKWARD, STEP + BACKWARD),
        caught_by="test_one_step_of_sgd",
        explanation="""The optimizer steps before `backward` has computed anything to step along. What `backward` finds
        comes too late, and is cleared in the next step.""",
    ),
    mistake(
        "gradients are never computed",
        swap(BACKWARD, ""),
        caught_by="test_one_step_of_sgd",
        explanation="""Nothing runs backward from the loss to the weights. The optimizer finds no gradients and leaves
        every weight as it is.""",
    ),
    mistake(
        "the optimizer never steps",
        swap(STEP, ""),
        caught_by="test_one_step_of_sgd",
        explanation="""The gradients are computed and left lying. Only the optimizer changes weights, and nobody asks
        it to.""",
    ),
    mistake(
        "the optimizer is passed over",
        swap(
            STEP,
            "    with torch.no_grad():\n        for group in optimizer.param_groups:\n"
            '            for weights in group["params"]:\n                weights -= group["lr"] * weights.grad\n',
        ),
        caught_by="test_steps_of_adamw",
        explanation="""The weights are moved by the rate times the gradient, without asking the optimizer. That is what
        plain SGD does; AdamW has its averages and its decay besides.""",
    ),
    mistake(
        "uphill instead of downhill",
        swap(BACKWARD, "    (-loss).backward()\n"),
        caught_by="test_one_step_of_sgd",
        explanation="""The weights follow the gradient of the negative loss. The optimizer already walks against the
        gradient it is given, so this makes the loss grow.""",
    ),
    mistake(
        "half a step",
        swap(BACKWARD, "    (loss / 2).backward()\n"),
        caught_by="test_one_step_of_sgd",
        explanation="""The loss is scaled before its gradients are taken. Every step then has another length than the
        learning rate says.""",
    ),
    mistake(
        "two steps",
        swap(STEP, STEP + STEP),
        caught_by="test_one_step_of_sgd",
        explanation="""The optimizer steps twice along one gradient. The second step follows a slope that the
        first has already left.""",
    ),
    mistake(
        "divided by the batch size once more",
        swap(BACKWARD, "    (loss / len(x)).backward()\n"),
        caught_by="test_one_step_of_sgd",
        explanation="""The loss is divided by the number of texts before the gradient is taken. It is a mean
        already, so that the step gets shorter the larger the batch is.""",
    ),
    mistake(
        "the loss is a sum over the tokens",
        swap(LOSS, "loss = cross_entropy(model(x), y) * y.numel()"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The losses of all tokens are added up. Loss and step then grow with the size of the batch; their
        mean does not.""",
    ),
    mistake(
        "softmax before the loss",
        swap(LOSS, "loss = cross_entropy(model(x).softmax(dim=-1), y)"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The logits are made into probabilities before they go into the loss, which does that itself. A
        second softmax leaves hardly any difference between tokens.""",
    ),
    mistake(
        "reshaped where a transpose is meant",
        swap(
            LOSS,
            "logits = model(x)\n    loss = cross_entropy(logits.reshape(len(x), -1, x.shape[1]).transpose(1, 2), y)",
        ),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The logits are reshaped to (B, V, T), the form that torch's loss wants. A reshape only counts through the
        numbers anew, and so mixes tokens and positions; `transpose` is what exchanges the two.""",
    ),
    mistake(
        "only the last position learns",
        swap(LOSS, "loss = cross_entropy(model(x)[:, -1], y[:, -1])"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The loss looks at the last token of each row and drops the others. A window of T tokens holds T
        exercises, and all of them count.""",
    ),
    mistake(
        "the targets are shifted twice",
        swap(LOSS, "loss = cross_entropy(model(x)[:, :-1], y[:, 1:])"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""Logits and targets are moved against each other by one. `y` already holds the token after each
        one in `x`, so this asks for the one after next.""",
    ),
    mistake(
        "the inputs are the targets",
        swap(LOSS, "loss = cross_entropy(model(x), x)"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The model is asked for the token that it has just been shown. It learns to repeat, and nothing
        about what comes next.""",
    ),
    mistake(
        "the loss is returned with its graph",
        swap(RETURN, "return loss"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The loss comes back as a tensor, and behind it hangs the graph that computed it. Whoever keeps
        the losses of a run keeps all of these graphs.""",
    ),
    mistake(
        "the loss is returned as a tensor",
        swap(RETURN, "return loss.detach()"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The loss comes back cut off from its graph, but it is still a tensor. Callers were promised a
        plain number, to print, to average and to write to a file.""",
    ),
    mistake(
        "the loss is returned times the batch size",
        swap(RETURN, "return loss.item() * len(x)"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""What is returned is the mean loss times the number of texts, as where a whole epoch, or the losses of rows that are
        run one by one, are added up. Asked for is the mean of this batch.""",
    ),
    mistake(
        "the loss after the update is returned",
        swap(RETURN, "return cross_entropy(model(x), y).item()"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The loss is computed once more with the new weights. That costs a second forward pass and flatters:
        the model has just been shown this very batch.""",
    ),
    mistake(
        "clipped after the step",
        swap(CLIP, "pass"),
        swap(STEP, STEP + f"    if max_grad_norm is not None:\n        {CLIP}\n"),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""The gradients are cut down when the optimizer has already used them. The long step that clipping
        is there to prevent has been taken.""",
    ),
    mistake(
        "each parameter is clipped by itself",
        swap(CLIP, "for weights in model.parameters():\n            nn.utils.clip_grad_norm_(weights, max_grad_norm)"),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""Every tensor of weights is cut to the norm on its own. The whole is then longer than asked for,
        and points another way.""",
    ),
    mistake(
        "only the first parameter group is clipped",
        swap(CLIP, CLIP.replace("model.parameters()", 'optimizer.param_groups[0]["params"]')),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""The gradients of the optimizer's first group are cut, and those of the others stay as they
        are. The norm is that of all parameters together.""",
    ),
    mistake(
        "the norms of the parameters are added up",
        swap(
            CLIP,
            "norm = sum(weights.grad.norm() for weights in model.parameters())\n"
            "        for weights in model.parameters():\n"
            "            weights.grad *= min(1, max_grad_norm / norm)",
        ),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""The norm of each tensor is taken and the norms are added. The norm of the whole gradient is the root of the
        sum of their squares, which is less.""",
    ),
    mistake(
        "the ratio of the norms is upside down",
        swap(
            CLIP,
            "norm = torch.cat([weights.grad.flatten() for weights in model.parameters()]).norm()\n"
            "        for weights in model.parameters():\n"
            "            weights.grad *= max(1, norm / max_grad_norm)",
        ),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""A long gradient is multiplied by its norm over max_grad_norm. That makes it longer still.""",
    ),
    mistake(
        "divided by max_grad_norm",
        swap(
            CLIP,
            "norm = torch.cat([weights.grad.flatten() for weights in model.parameters()]).norm()\n"
            "        for weights in model.parameters():\n"
            "            weights.grad *= 1 / max_grad_norm if norm > max_grad_norm else 1",
        ),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""A long gradient is divided by max_grad_norm, whatever its own norm is. It has that norm afterwards only if
        it is also divided by its own.""",
    ),
    mistake(
        "cut to length 1",
        swap(
            CLIP,
            "norm = torch.cat([weights.grad.flatten() for weights in model.parameters()]).norm()\n"
            "        for weights in model.parameters():\n"
            "            weights.grad *= 1 / norm if norm > max_grad_norm else 1",
        ),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""A long gradient is divided by its norm and has the norm 1 afterwards. It was to have max_grad_norm.""",
    ),
    mistake(
        "each parameter group is clipped by itself",
        swap(
            CLIP,
            'for group in optimizer.param_groups:\n            nn.utils.clip_grad_norm_(group["params"], max_grad_norm)',
        ),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""The optimizer's groups are cut to the norm one by one. The norm is that of the whole gradient, all
        parameters together.""",
    ),
    mistake(
        "each entry is clipped",
        swap(CLIP, "nn.utils.clip_grad_value_(model.parameters(), max_grad_norm)"),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""Every single number is cut to ±max_grad_norm. That bends the gradient into another direction; a
        norm is a length, and cutting it keeps the direction.""",
    ),
    mistake(
        "the norm is the largest entry",
        swap(CLIP, "nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm, norm_type=math.inf)"),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""The gradient is scaled by its largest entry. Its length is the root of the sum of all squares.""",
    ),
    mistake(
        "the norm is the sum of all entries",
        swap(CLIP, "nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm, norm_type=1)"),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""The gradient is scaled by the sum of its absolute entries. Its length is the root of the sum of
        all squares, which is less.""",
    ),
    mistake(
        "the norm is left squared",
        swap(
            CLIP,
            "square = sum((weights.grad**2).sum() for weights in model.parameters())\n"
            "        for weights in model.parameters():\n"
            "            weights.grad *= torch.clamp(max_grad_norm / square, max=1.0)",
        ),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""The limit is compared with the sum of all squares. The norm is the root of that sum.""",
    ),
    mistake(
        "nothing is clipped",
        swap(CLIP, "pass"),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""`max_grad_norm` changes nothing: it is not used, or clipping runs before `backward` and finds no
        gradients. A batch with a huge gradient makes a huge step.""",
    ),
    mistake(
        "a short gradient is made longer",
        swap(
            CLIP,
            "norm = nn.utils.get_total_norm([weights.grad for weights in model.parameters()])\n"
            "        for weights in model.parameters():\n"
            "            weights.grad *= max_grad_norm / norm",
        ),
        caught_by="test_a_short_gradient_is_left_alone",
        explanation="""Every gradient is scaled to the norm, the short ones too. `max_grad_norm` is an upper limit, and
        what lies below it stays as it is.""",
    ),
    mistake(
        "clipped unasked",
        swap(WHETHER, "    max_grad_norm = max_grad_norm or 1.0\n    if max_grad_norm:\n        nn.utils"),
        caught_by="test_one_step_of_sgd",
        explanation="""Gradients are cut to norm 1 although no max_grad_norm was given. None means that they keep their
        length.""",
    ),
    mistake(
        "the step is taken in eval mode",
        swap(LOSS, "model.eval()\n    loss = cross_entropy(model(x), y)"),
        caught_by="test_step_keeps_dropout_on",
        explanation="""The model is put into eval mode before the forward pass. Dropout is then off in training, where
        it belongs.""",
    ),
    mistake(
        "eval mode is left on after the step",
        swap(RETURN, "model.eval()\n    return loss.item()"),
        caught_by="test_step_keeps_dropout_on",
        explanation="""The model is put into eval mode when the step is done. The next step, and all after it, train
        without dropout.""",
    ),
    # Step 2
    mistake(
        "measured in train mode",
        swap(
            MEASURE,
            "losses = [(cross_entropy(model(x), y).item(), len(x)) for x, y in " + BATCHES + "]\n"
            "    return sum(loss * rows for loss, rows in losses) / len(inputs)",
        ),
        swap(WINDOWS, "torch.set_grad_enabled(False)\n    " + WINDOWS),
        swap("    return sum(loss", "    torch.set_grad_enabled(True)\n    return sum(loss"),
        caught_by="test_evaluate_measures_without_dropout",
        explanation="""Dropout is on while the loss is measured. The number is too high, and another one each time.""",
    ),
    mistake(
        "eval mode is never left",
        swap(MEASURE, "model.eval()\n    " + MEASURE),
        caught_by="test_evaluate_leaves_the_mode_as_it_was",
        explanation="""The model is put into eval mode to be measured, and stays in it. All training after the first
        measurement runs without dropout.""",
    ),
    mistake(
        "train mode is always switched on afterwards",
        swap(MEASURE, "loss = " + MEASURE.removeprefix("return ") + "\n    model.train()\n    return loss"),
        caught_by="test_evaluate_leaves_the_mode_as_it_was",
        explanation="""After measuring, the model is put into train mode, whatever mode it came in. Someone who measures
        a finished model gets it back with dropout on.""",
    ),
    mistake(
        "measuring builds graphs",
        swap(
            MEASURE,
            "was_training = model.training\n    model.eval()\n"
            "    losses = [(cross_entropy(model(x), y).item(), len(x)) for x, y in " + BATCHES + "]\n"
            "    model.train(was_training)\n"
            "    return sum(loss * rows for loss, rows in losses) / len(inputs)",
        ),
        caught_by="test_evaluate_builds_no_graph",
        explanation="""The model is in eval mode, which turns dropout off, but gradients are still prepared. A graph is
        built for each batch, for nobody.""",
    ),
    mistake(
        "windows overlap",
        swap(WINDOWS, "inputs, targets = windows(data, context_length, stride=1)"),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""A new window starts at every token, so most tokens are measured many times. Windows that touch
        measure each token once.""",
    ),
    mistake(
        "a token is skipped between windows",
        swap(WINDOWS, "inputs, targets = windows(data, context_length, stride=context_length + 1)"),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""The next window starts one token too late. The target of the last token of a window is the first
        input of the next, not a token that is used up.""",
    ),
    mistake(
        "the last batch is dropped",
        swap(
            MEASURE,
            "inputs = inputs[: max(1, len(inputs) // batch_size) * batch_size]\n"
            "    targets = targets[: len(inputs)]\n    " + MEASURE,
        ),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""What does not fill a whole batch is left out. The windows of the last, smaller batch count like
        all others.""",
    ),
    mistake(
        "a batch that is not full is never measured",
        swap(
            MEASURE,
            "inputs = inputs[: len(inputs) // batch_size * batch_size]\n"
            "    targets = targets[: len(inputs)]\n    " + MEASURE,
        ),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""What does not fill a whole batch is left out, also where nothing is left then. Every window counts, however
        many there are.""",
    ),
    mistake(
        "the last window is dropped where it fits exactly",
        swap(
            WINDOWS,
            WINDOWS + "\n"
            "    inputs = inputs[: (len(data) - 2) // context_length]\n"
            "    targets = targets[: len(inputs)]",
        ),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""The windows end one token early. Where the last target is the very last token, its window is left out.""",
    ),
    mistake(
        "the rest of the text is measured as well",
        swap(
            MEASURE,
            "rest = len(inputs) * context_length\n"
            "    last = [(data[None, rest:-1], data[None, rest + 1 :])] if rest < len(data) - 1 else []\n"
            "    return corpus_loss(model, [*" + BATCHES + ", *last])",
        ),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""What is left at the end and fills no window is measured too. Only whole windows are asked for, as `windows`
        makes them.""",
    ),
    mistake(
        "the text is measured in one piece",
        swap(MEASURE, "return corpus_loss(model, [(data[None, :-1], data[None, 1:])])"),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""The whole text goes into the model at once. Each window is to be measured by itself; and a model
        has positions for a context length only.""",
    ),
    mistake(
        "only the last position is measured",
        swap(
            MEASURE,
            "class Last(nn.Module):\n"
            "        def __init__(self):\n"
            "            super().__init__()\n"
            "            self.model = model\n\n"
            "        def forward(self, ids):\n"
            "            return self.model(ids)[:, -1:]\n\n"
            "    " + MEASURE.replace("model, ", "Last(), ").replace("targets.split", "targets[:, -1:].split"),
        ),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""Of each window only the last prediction counts. A window holds as many predictions as it has tokens.""",
    ),
    mistake(
        "divided by the windows, not the tokens",
        swap(MEASURE, MEASURE + " * context_length"),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""The losses of all tokens are added up and divided by the number of windows. The result grows with the context
        length; the mean per token does not.""",
    ),
    mistake(
        "only the first batch is measured",
        swap(MEASURE, "return corpus_loss(model, [(inputs[:batch_size], targets[:batch_size])])"),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""The loss is that of the first batch. The rest of the data is never looked at.""",
    ),
    mistake(
        "a mean of means",
        swap(
            MEASURE,
            "losses = [corpus_loss(model, [batch]) for batch in " + BATCHES + "]\n    return sum(losses) / len(losses)",
        ),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""Every batch gets the same say, however few windows it has. The tokens of a small last batch then
        count for more than the others.""",
    ),
    mistake(
        "a sum of the batches",
        swap(MEASURE, "return sum(corpus_loss(model, [batch]) for batch in " + BATCHES + ")"),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""The losses of the batches are added up and never divided. The number then says how long the text
        is rather than how good the model.""",
    ),
    mistake(
        "random batches are measured",
        swap(WINDOWS, "inputs, targets = get_batch(data, max(1, len(data) // context_length), context_length)"),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""The windows are drawn at random, so that some count twice and others not at all. Two measurements
        of the same model differ, and the random state of the run moves on.""",
    ),
    mistake(
        "the perplexity is returned",
        swap(MEASURE, "return math.exp(" + MEASURE.removeprefix("return ") + ")"),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""What comes back is the exponential of the loss. That is the perplexity; the loss was asked for.""",
    ),
    mistake(
        "measured against the inputs",
        swap(MEASURE, MEASURE.replace("targets.split", "inputs.split")),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""The model is measured at naming the token that it sees. It has to name the next one.""",
    ),
    mistake(
        "the measured loss is a tensor",
        swap(MEASURE, "return torch.tensor(" + MEASURE.removeprefix("return ") + ")"),
        caught_by="test_evaluate_is_the_mean_loss_of_all_windows",
        explanation="""The loss comes back as a tensor. A plain number was promised.""",
    ),
    mistake(
        "measuring clears gradients",
        swap(MEASURE, "model.zero_grad()\n    " + MEASURE),
        caught_by="test_evaluate_leaves_weights_and_gradients_as_they_were",
        explanation="""The model's gradients are cleared before measuring. They belong to the training that may be going
        on around it.""",
    ),
    mistake(
        "measuring seeds the random numbers",
        swap(MEASURE, "torch.manual_seed(0)\n    " + MEASURE),
        caught_by="test_evaluate_leaves_the_random_state_as_it_was",
        explanation="""The random state is set anew before measuring. All dropout after it then repeats itself, from one
        measurement to the next.""",
    ),
    mistake(
        "the batch size is ignored",
        swap(MEASURE, "return corpus_loss(model, [(inputs, targets)])"),
        caught_by="test_evaluate_takes_no_more_than_batch_size_windows_at_a_time",
        explanation="""All windows go through the model at once. The result is right, and the memory that it takes grows
        with the length of the text.""",
    ),
    # Step 3
    mistake(
        "the first step has rate 0",
        swap(RISE, "return peak * step / warmup"),
        caught_by="test_the_rate_rises_in_a_straight_line",
        explanation="""The rise is one step late and begins at 0. The first batch is computed and nothing is learned from
        it.""",
    ),
    mistake(
        "the rise ends before the peak",
        swap(RISE, "return peak * (step + 1) / (warmup + 1)"),
        caught_by="test_the_rate_rises_in_a_straight_line",
        explanation="""The rise is spread over one step more than there are. It stays below the peak that its last step
        should have.""",
    ),
    mistake(
        "the rise begins at the floor",
        swap(RISE, "return floor + (peak - floor) * (step + 1) / warmup"),
        caught_by="test_the_rate_rises_in_a_straight_line",
        explanation="""The floor is where the rise starts from. It is where the fall ends; the rise comes from 0.""",
    ),
    mistake(
        "the rise is lifted to the floor",
        swap(RISE, "return max(floor, peak * (step + 1) / warmup)"),
        caught_by="test_the_rate_rises_in_a_straight_line",
        explanation="""The first steps are lifted to the floor where the rise lies below it. The floor is where the fall ends;
        the rise comes from 0.""",
    ),
    mistake(
        "there is no warm-up",
        swap(RISE, "return peak"),
        caught_by="test_the_rate_rises_in_a_straight_line",
        explanation="""The first steps already have the full rate. The first gradients are wild, and that is when the
        steps are largest.""",
    ),
    mistake(
        "the warm-up includes step number warmup",
        swap(RISING, "if step <= warmup:"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""Step number `warmup` still belongs to the rise, which takes it above the peak; where there is no
        warm-up, that divides by zero. With steps counted from 0, `warmup` steps end one earlier.""",
    ),
    mistake(
        "the warm-up is one step too long",
        swap(RISING, "if step <= warmup and warmup:"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""Step number `warmup` still belongs to the rise, which takes it above the peak. With steps counted
        from 0, `warmup` steps end one earlier.""",
    ),
    mistake(
        "the cosine starts at step 0",
        swap(PROGRESS, "progress = step / total"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The fall counts from the beginning of the run. The warm-up has used up part of it, so the rate jumps
        down right after the peak.""",
    ),
    mistake(
        "the cosine is stretched by the warm-up",
        swap(PROGRESS, "progress = (step - warmup) / total"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The steps since the peak are divided by the length of the whole run. The fall is then not over
        when the run is.""",
    ),
    mistake(
        "the fall is one step ahead",
        swap(PROGRESS, "progress = (step - warmup + 1) / (total - warmup)"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The fall starts one step early, so that the rate at step `warmup` is below the peak. Progress is
        0 there.""",
    ),
    mistake(
        "the floor is reached one step early",
        swap(PROGRESS, "progress = (step - warmup) / max(1, total - warmup - 1)"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The fall is one step short: its last step is at the floor already. The floor belongs to step
        `total`.""",
    ),
    mistake(
        "a straight fall",
        swap(FALL, "return floor + (peak - floor) * (1 - progress)"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The rate falls in a straight line. Half a cosine stays long near the peak and long near the
        floor.""",
    ),
    mistake(
        "a whole cosine",
        swap(FALL, "return floor + (peak - floor) / 2 * (1 + math.cos(2 * math.pi * progress))"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The cosine goes round once, so that the rate falls and rises again to the peak. From peak to floor
        is half a turn.""",
    ),
    mistake(
        "a quarter of a cosine",
        swap(FALL, "return floor + (peak - floor) * math.cos(math.pi / 2 * progress)"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The cosine is followed from 1 to 0 only. It comes down steeply at the end, where the fall should
        be gentle.""",
    ),
    mistake(
        "the cosine without π",
        swap(FALL, FALL.replace("math.pi * ", "")),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The cosine is taken of a number from 0 to 1. Half a wave goes from 0 to π, and before that the
        cosine does not fall to −1.""",
    ),
    mistake(
        "the cosine is not halved",
        swap(FALL, FALL.replace(" / 2", "")),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""1 + cos goes from 2 to 0, so the fall begins at twice the peak. Half of it goes from 1 to 0.""",
    ),
    mistake(
        "the cosine is upside down",
        swap(FALL, FALL.replace("1 + math", "1 - math")),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""1 − cos rises from 0 to 2. The rate then climbs from the floor to the peak, after the warm-up.""",
    ),
    mistake(
        "a quarter of a sine",
        swap(FALL, "return floor + (peak - floor) * (1 - math.sin(math.pi / 2 * progress))"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The rate follows a quarter of a sine. It falls steeply at once; half a cosine begins and ends level.""",
    ),
    mistake(
        "an exponential fall",
        swap(FALL, "return floor + (peak - floor) * math.exp(-5 * progress)"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The rate falls by the same factor in every step. It is half a cosine that is asked for, level at
        both ends.""",
    ),
    mistake(
        "the floor is taken for a part of the peak",
        swap(FALL, FALL.replace("floor", "floor * peak").replace("peak - floor * peak", "peak - peak * floor")),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The floor is multiplied by the peak. It is a rate itself, in the same unit as the peak.""",
    ),
    mistake(
        "a factor is returned, not a rate",
        swap(RISE, "return (step + 1) / warmup"),
        swap(FALL, FALL.replace("peak", "1")),
        caught_by="test_the_rate_rises_in_a_straight_line",
        explanation="""What comes back goes up to 1, to be multiplied by a rate. The rate itself is asked for, which goes up
        to the peak.""",
    ),
    mistake(
        "the rate is a tensor",
        swap(FALL, "progress = torch.tensor(progress)\n    " + FALL.replace("math.cos", "torch.cos")),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The rate comes back as a tensor. A plain number is asked for, which is what optimizers and loggers take.""",
    ),
    mistake(
        "the floor is added on top",
        swap(FALL, "return floor + peak / 2 * (1 + math.cos(math.pi * progress))"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The whole peak is put on top of the floor, so the fall begins above the peak. What falls is the
        part between the two.""",
    ),
    mistake(
        "the floor cuts the curve",
        swap(FALL, "return max(floor, peak / 2 * (1 + math.cos(math.pi * progress)))"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The curve runs to 0 and is cut off at the floor. It should be a gentle curve that ends there.""",
    ),
    mistake(
        "the floor is ignored",
        swap(END, "    if step >= total:\n        return 0.0\n"),
        swap(FALL, "return peak / 2 * (1 + math.cos(math.pi * progress))"),
        caught_by="test_the_rate_falls_by_half_a_cosine",
        explanation="""The rate falls to 0, whatever floor is given. Then nothing is learned in the last steps.""",
    ),
    mistake(
        "the cosine goes on after the end",
        swap(END, ""),
        caught_by="test_the_rate_stays_at_the_floor",
        explanation="""After step `total` the cosine is followed further, and it rises again. A run that goes on a little
        longer is shaken out of what it had found.""",
    ),
    mistake(
        "the cosine starts again",
        swap(END, ""),
        swap(PROGRESS, "progress = (step - warmup) % (total - warmup) / (total - warmup)"),
        caught_by="test_the_rate_stays_at_the_floor",
        explanation="""At step `total` the rate jumps back to the peak and falls once more. Some schedules restart like this;
        here it stays at the floor.""",
    ),
    mistake(
        "the schedule starts again",
        swap(RISING, "step %= total\n    if step < warmup:"),
        caught_by="test_the_rate_stays_at_the_floor",
        explanation="""After step `total` the warm-up comes again. The rate is to stay at the floor.""",
    ),
    mistake(
        "the rate is 0 after the end",
        swap(END, "    if step >= total:\n        return 0.0\n"),
        caught_by="test_the_rate_stays_at_the_floor",
        explanation="""From step `total` on the rate is 0, below the floor. The floor is what the rate never goes
        below.""",
    ),
    # Step 4
    mistake(
        "trained in the mode the model comes in",
        swap(TRAIN_MODE, ""),
        caught_by="test_train_switches_train_mode_on",
        explanation="""Nobody switches train mode on. A model that was measured before is then trained without
        dropout.""",
    ),
    mistake(
        "trained in eval mode",
        swap(TRAIN_MODE, "    model.eval()\n"),
        caught_by="test_train_switches_train_mode_on",
        explanation="""The model is put into eval mode for training. Dropout is off just where it is needed.""",
    ),
    mistake(
        "trained on the validation part",
        swap(BATCH, "x, y = get_batch(data[len(data) * 9 // 10 :], batch_size, context_length, generator)"),
        caught_by="test_every_part_of_the_data_is_used",
        explanation="""Batches come from the last tenth of the data, the part that is kept for measuring. What has been
        trained on can no longer tell how good the model is.""",
    ),
    mistake(
        "a tenth of the data is left out",
        swap(BATCH, "x, y = get_batch(data[: len(data) * 9 // 10], batch_size, context_length, generator)"),
        caught_by="test_every_part_of_the_data_is_used",
        explanation="""The data is split once more, and its end is never trained on. Whoever calls `train` has split it
        already.""",
    ),
    mistake(
        "the inputs are trained on as targets",
        swap(ONE_STEP, "loss = train_step(model, optimizer, x, x)"),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""Each step gets the inputs as its targets. The model learns to say again what it has just read.""",
    ),
    mistake(
        "batch size and context length are swapped",
        swap(BATCH, "x, y = get_batch(data, context_length, batch_size, generator)"),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""`get_batch` is told the two sizes the wrong way round. Rows are as long as a batch is meant to be
        high.""",
    ),
    mistake(
        "the generator is ignored",
        swap(BATCH, "x, y = get_batch(data, batch_size, context_length)"),
        caught_by="test_equal_generators_give_equal_batches",
        explanation="""Batches are drawn with torch's global random numbers. The run cannot be repeated by giving it an
        equal generator.""",
    ),
    mistake(
        "the run is always seeded the same",
        swap(TRAIN_MODE, TRAIN_MODE + "    generator = torch.Generator().manual_seed(0)\n"),
        caught_by="test_equal_generators_give_equal_batches",
        explanation="""The run makes a generator of its own, with a fixed seed, and drops the one it was given. Every
        run sees the same batches.""",
    ),
    mistake(
        "the run is seeded where no generator is given",
        swap(TRAIN_MODE, TRAIN_MODE + "    generator = generator or torch.Generator().manual_seed(42)\n"),
        caught_by="test_a_second_run_draws_other_batches",
        explanation="""Without a generator the run makes one with a fixed seed, so that every such run has the same
        batches. None leaves the draw to chance.""",
    ),
    mistake(
        "every step starts the generator anew",
        swap(
            BATCH,
            "seed = generator.initial_seed() if generator else 0\n        "
            "x, y = get_batch(data, batch_size, context_length, torch.Generator().manual_seed(seed))",
        ),
        caught_by="test_every_step_draws_a_new_batch",
        explanation="""Each step begins with a fresh generator of the same seed, and so draws the same batch. A generator
        moves on by itself; that is how the next batch differs.""",
    ),
    mistake(
        "every step makes a generator with a fixed seed",
        swap(BATCH, "x, y = get_batch(data, batch_size, context_length, torch.Generator().manual_seed(0))"),
        caught_by="test_every_step_draws_a_new_batch",
        explanation="""Each step makes a new generator with the same seed, and so draws the same batch for ever. The
        generator that was given is not used.""",
    ),
    mistake(
        "the optimizer's memory is cleared",
        swap(TRAIN_MODE, TRAIN_MODE + "    optimizer.state.clear()\n"),
        caught_by="test_a_second_run_goes_on_with_the_optimizer",
        explanation="""What the optimizer remembers of earlier steps is thrown away at the start. A run that is taken up
        again then begins with averages that know nothing.""",
    ),
    mistake(
        "the run ends with the data",
        swap("for step in range(steps):", "for step in range(min(steps, len(data))):"),
        caught_by="test_a_run_is_as_long_as_asked",
        explanation="""The run takes no more steps than data has tokens. Batches are drawn at random, so they never run
        out.""",
    ),
    mistake(
        "one batch for the whole run",
        swap(BATCH, ""),
        swap(
            "    losses = []\n", "    losses = []\n    x, y = get_batch(data, batch_size, context_length, generator)\n"
        ),
        caught_by="test_every_step_draws_a_new_batch",
        explanation="""The batch is drawn before the loop, and every step uses it. The model learns these few windows by
        heart and sees nothing else.""",
    ),
    mistake(
        "the windows come one after the other",
        swap(
            BATCH,
            "inputs, targets = windows(data, context_length, context_length)\n"
            "        rows = [(step * batch_size + row) % len(inputs) for row in range(batch_size)]\n"
            "        x, y = inputs[rows], targets[rows]",
        ),
        caught_by="test_equal_generators_give_equal_batches",
        explanation="""The batches go through the data in order, always with the same borders. They are to be drawn at random, as
        `get_batch` does with the generator.""",
    ),
    mistake(
        "the schedule is ignored",
        swap(RATES, ""),
        caught_by="test_schedule_sets_every_groups_rate_before_each_step",
        explanation="""The rate is never set. All steps have the one that the optimizer was made with.""",
    ),
    mistake(
        "the schedule is one step ahead",
        swap(RATES, RATES.replace("schedule(step)", "schedule(step + 1)")),
        caught_by="test_schedule_sets_every_groups_rate_before_each_step",
        explanation="""Step 0 gets the rate of step 1, and so on. The first rate of the schedule is never used.""",
    ),
    mistake(
        "the rate is set after the step",
        swap(RATES, ""),
        swap(TOLD, RATES + TOLD),
        caught_by="test_schedule_sets_every_groups_rate_before_each_step",
        explanation="""Each step runs with the rate of the one before it, and the first with the optimizer's own. The
        rate has to be there before the step.""",
    ),
    mistake(
        "only the first parameter group gets the rate",
        swap(GROUPS, "for group in optimizer.param_groups[:1]:"),
        caught_by="test_schedule_sets_every_groups_rate_before_each_step",
        explanation="""The schedule reaches one group of parameters. The others go on at the rate that they began
        with.""",
    ),
    mistake(
        "the rate is set once",
        swap(RATES, RATES.replace("is not None", "is not None and step == 0")),
        caught_by="test_schedule_sets_every_groups_rate_before_each_step",
        explanation="""The schedule is asked before the first step only. It has a rate for every step.""",
    ),
    mistake(
        "the rates are multiplied together",
        swap(RATES, RATES.replace('group["lr"] =', 'group["lr"] *=')),
        caught_by="test_schedule_sets_every_groups_rate_before_each_step",
        explanation="""The schedule's value is multiplied with the rate of the step before. `schedule(step)` is the rate
        itself, not a factor.""",
    ),
    mistake(
        "the rate is multiplied by the optimizer's own",
        swap(TRAIN_MODE, TRAIN_MODE + "    own = [group['lr'] for group in optimizer.param_groups]\n"),
        swap(
            RATES,
            RATES.replace(
                "for group in optimizer.param_groups", "for rate, group in zip(own, optimizer.param_groups)"
            ).replace("= schedule", "= rate * schedule"),
        ),
        caught_by="test_schedule_sets_every_groups_rate_before_each_step",
        explanation="""Each rate is schedule(step) times the one that the optimizer came with. The schedule says the rate
        itself, not a factor.""",
    ),
    mistake(
        "the first step keeps the optimizer's rate",
        swap(RATES, RATES.replace("is not None", "is not None and step > 0")),
        caught_by="test_schedule_sets_every_groups_rate_before_each_step",
        explanation="""The schedule is asked from the second step on. The first one, which a warm-up makes small, is taken at the
        rate that the optimizer came with.""",
    ),
    mistake(
        "on_step is never called",
        swap(TOLD, ""),
        caught_by="test_on_step_is_told_of_every_step",
        explanation="""`on_step` is taken and not used. Whoever waits for news of the run gets none.""",
    ),
    mistake(
        "on_step counts from 1",
        swap(TOLD, TOLD.replace("(step, loss)", "(step + 1, loss)")),
        caught_by="test_on_step_is_told_of_every_step",
        explanation="""The first step is reported as step 1. Steps are counted from 0, as the schedule does.""",
    ),
    mistake(
        "on_step gets loss and step in the wrong order",
        swap(TOLD, TOLD.replace("step, loss", "loss, step")),
        caught_by="test_on_step_is_told_of_every_step",
        explanation="""The loss comes first and the number of the step second. It is the other way round.""",
    ),
    mistake(
        "on_step is called for the last step only",
        swap(TOLD, TOLD.replace("is not None", "is not None and step == steps - 1")),
        caught_by="test_on_step_is_told_of_every_step",
        explanation="""Only the last step is reported. Every one is to be.""",
    ),
    mistake(
        "on_step is called every tenth step",
        swap(TOLD, TOLD.replace("is not None", "is not None and step % 10 == 0")),
        caught_by="test_on_step_is_told_of_every_step",
        explanation="""One step in ten is reported. Every one is to be: whoever listens chooses what to print.""",
    ),
    mistake(
        "on_step is called when all is over",
        swap(TOLD, ""),
        swap(
            "    return losses\n",
            "    for step, loss in enumerate(losses):\n        if on_step is not None:\n"
            "            on_step(step, loss)\n    return losses\n",
        ),
        caught_by="test_on_step_is_told_of_every_step",
        explanation="""All reports come at the end of the run. They are meant to be heard while it goes on, after each
        step.""",
    ),
    mistake(
        "on_step is called before the step",
        swap(TOLD, ""),
        swap(
            ONE_STEP,
            "if on_step is not None:\n            on_step(step, cross_entropy(model(x), y).item())\n        "
            + ONE_STEP,
        ),
        caught_by="test_on_step_is_told_of_every_step",
        explanation="""`on_step` hears of a step that has not been taken, and the loss is computed twice for it. It is
        called after the step, with the loss that the step gave.""",
    ),
    mistake(
        "the run keeps its graphs",
        swap(
            ONE_STEP,
            "optimizer.zero_grad()\n        kept = cross_entropy(model(x), y)\n        kept.backward()\n"
            "        optimizer.step()\n        loss = kept.item()",
        ),
        swap("losses.append(loss)", "losses.append(kept)"),
        swap("    return losses\n", "    return [kept.item() for kept in losses]\n"),
        caught_by="test_training_holds_no_graphs",
        explanation="""The losses are collected as tensors and made numbers at the end. Until then each of them keeps the
        graph of its step, and memory fills up as the run goes on.""",
    ),
    mistake(
        "only the last loss is returned",
        swap("    return losses\n", "    return losses[-1]\n"),
        caught_by="test_train_returns_a_loss_for_each_step",
        explanation="""The run returns one number, its last loss. A list with the loss of each step was asked for.""",
    ),
    mistake(
        "the mean loss is returned",
        swap("    return losses\n", "    return sum(losses) / len(losses)\n"),
        caught_by="test_train_returns_a_loss_for_each_step",
        explanation="""The losses of all steps are averaged into one number. Nobody can see from it whether the loss
        fell.""",
    ),
    mistake(
        "the losses are a tensor",
        swap("    return losses\n", "    return torch.tensor(losses)\n"),
        caught_by="test_train_returns_a_loss_for_each_step",
        explanation="""The losses come back as a tensor. A list with one float for each step is asked for.""",
    ),
    mistake(
        "the losses are averaged on the way",
        swap("    return losses\n", "    return [sum(losses[: n + 1]) / (n + 1) for n in range(len(losses))]\n"),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""Each entry is the mean of all losses so far. It lags behind; asked for is the loss of each step itself.""",
    ),
    mistake(
        "the batch is measured again after the step",
        swap(
            ONE_STEP, ONE_STEP + "\n        with torch.no_grad():\n            loss = cross_entropy(model(x), y).item()"
        ),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""After each step its batch goes through the model once more, and that loss is noted. The loss before the step is
        asked for, which train_step returns, and the second pass costs time.""",
    ),
    mistake(
        "losses are summed up on the way",
        swap("losses.append(loss)", "losses.append(loss + sum(losses[-1:]))"),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""Each entry holds the sum of all losses so far. It should be the loss of its own step.""",
    ),
    mistake(
        "one step too few",
        swap("for step in range(steps):", "for step in range(1, steps):"),
        caught_by="test_train_returns_a_loss_for_each_step",
        explanation="""The loop starts at 1 and ends before `steps`. That is one step less than was asked for, and step 0
        never happens.""",
    ),
    mistake(
        "one step too many",
        swap("for step in range(steps):", "for step in range(steps + 1):"),
        caught_by="test_train_returns_a_loss_for_each_step",
        explanation="""The loop takes one step more than was asked for. Counted from 0, the last one is
        `steps` - 1.""",
    ),
    mistake(
        "gradients are clipped unasked in every step",
        swap(ONE_STEP, "loss = train_step(model, optimizer, x, y, 1.0)"),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""Every step is taken with gradients cut to norm 1. Nobody asked for that, and nobody can turn it
        off.""",
    ),
    mistake(
        "seeded in every step",
        swap("    optimizer.zero_grad()\n", "    torch.manual_seed(0)\n    optimizer.zero_grad()\n"),
        caught_by="test_every_step_drops_other_numbers",
        explanation="""Torch's random numbers begin anew in every step, so dropout drops the same numbers each time, and the
        rest is all that is ever trained. A seed is set once, before the run.""",
    ),
    mistake(
        "the run begins with the generator's seed",
        swap(
            TRAIN_MODE,
            TRAIN_MODE + "    if generator is not None:\n"
            "        generator = torch.Generator().manual_seed(generator.initial_seed())\n",
        ),
        caught_by="test_a_second_run_draws_other_batches",
        explanation="""The generator is put back to its seed, or copied from it, so every run with it sees the same batches.
        It is taken as it comes, and moves on with each draw.""",
    ),
    mistake(
        "the run seeds torch",
        swap(TRAIN_MODE, TRAIN_MODE + "    torch.manual_seed(0)\n"),
        caught_by="test_a_second_run_draws_other_batches",
        explanation="""The run sets torch's own seed. Without a generator every run sees the same batches, and with one it
        still drops the same numbers. Whether a run can be repeated is for the caller to say.""",
    ),
    mistake(
        "the last token is never a target",
        swap(BATCH, "x, y = get_batch(data[:-1], batch_size, context_length, generator)"),
        caught_by="test_every_part_of_the_data_is_used",
        explanation="""The last token is cut off before batches are drawn. `get_batch` sees to the shift by itself, and its
        last window ends with the last token.""",
    ),
    # Step 1: a batch in parts
    in_parts(
        "the gradients of two halves are added up",
        HALF,
        PART,
        "part.backward()",
        SHARE,
        caught_by="test_one_step_of_sgd",
        explanation="""The batch is run in two halves, and `backward` of each adds a mean of its own. The two have to be
        weighted by their share of the batch, or the step is about twice as long.""",
    ),
    in_parts(
        "the gradients of the rows are added up",
        ROW,
        PART,
        "part.backward()",
        SHARE,
        caught_by="test_one_step_of_sgd",
        explanation="""The batch is run row by row, and `backward` adds the gradients up. Their sum is B times the gradient
        of the mean: each row has to be divided by the number of rows.""",
    ),
    in_parts(
        "two halves count the same",
        HALF,
        PART,
        "(part / min(2, len(x))).backward()",
        "loss = loss + part.detach() / min(2, len(x))",
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The batch is run in two parts, each of which counts a half. Where one has more rows than the other,
        its rows then count less than those of the smaller.""",
    ),
    in_parts(
        "gradients are cleared before each part",
        ROW,
        "optimizer.zero_grad()",
        PART,
        WEIGHTED,
        SHARE,
        caught_by="test_one_step_of_sgd",
        explanation="""The batch is run in parts, and before each of them the gradients are cleared. Those of the last part
        are all that the step sees.""",
    ),
    in_parts(
        "only the last row's gradient is kept",
        ROW,
        "optimizer.zero_grad()",
        PART,
        "part.backward()",
        SHARE,
        caught_by="test_one_step_of_sgd",
        explanation="""The batch is run row by row, and each row begins with cleared gradients. The step follows the last
        row alone; they were to add up.""",
    ),
    in_parts(
        "a step for each row",
        ROW,
        "optimizer.zero_grad()",
        PART,
        "part.backward()",
        "optimizer.step()",
        SHARE,
        "optimizer.zero_grad()",
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""Each row of the batch gets a step of its own. One step for the batch is asked for, along the mean
        of all its rows.""",
    ),
    in_parts(
        "the loss of the last part is returned",
        ROW,
        PART,
        WEIGHTED,
        "loss = part.detach()",
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The batch is run in parts, and the loss that comes back is that of the last one. It is the mean of
        the whole batch that is asked for.""",
    ),
    in_parts(
        "each part is clipped by itself",
        ROW,
        PART,
        WEIGHTED,
        SHARE,
        "if max_grad_norm is not None:",
        "    nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)",
        caught_by=LONG,
        explanation="""The gradient is cut after each part of the batch, before the others have added theirs. What is cut
        is then another vector than the gradient of the batch.""",
    ),
    mistake(
        "only the first half of the batch is trained on",
        swap(LOSS, "x, y = x[: (len(x) + 1) // 2], y[: (len(x) + 1) // 2]\n    " + LOSS),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The second half of the batch never reaches the model. Loss and gradient are means over all of its
        rows.""",
    ),
    mistake(
        "the last row is left out",
        swap(LOSS, "loss = cross_entropy(model(x)[: max(1, len(x) - 1)], y[: max(1, len(x) - 1)])"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The last row of the batch is missing from the loss. All rows count the same.""",
    ),
    mistake(
        "the optimizer steps every second time",
        swap(
            STEP,
            "    model.calls = getattr(model, 'calls', 0) + 1\n    if model.calls % 2 == 0:\n        optimizer.step()\n",
        ),
        caught_by="test_one_step_of_sgd",
        explanation="""The optimizer is asked to step at every second call only, as where gradients are collected over
        several batches. One call is one step.""",
    ),
    # Step 1: clipping
    clipped(
        "a tied weight counts twice in the norm",
        "torch.cat([p.grad.flatten() for m in model.modules() for p in m.parameters(recurse=False)]).norm()",
        """The norm goes over the parameters of each module. A weight that two modules share is then in it twice;
        `model.parameters()` gives each once.""",
    ),
    clipped(
        "the norm is the root of the mean square",
        "torch.cat([weights.grad.flatten() for weights in model.parameters()]).square().mean().sqrt()",
        """The limit is compared with the root of the mean of all squares. A norm is the root of their sum, which grows
        with the number of weights.""",
    ),
    clipped(
        "the norm is the largest norm of a parameter",
        "max(weights.grad.norm() for weights in model.parameters())",
        """The limit is compared with the norm of the longest tensor. The norm is that of all parameters together.""",
    ),
    clipped(
        "the norm of the weights is compared",
        "torch.cat([weights.detach().flatten() for weights in model.parameters()]).norm()",
        """The gradient is scaled by the norm of the weights. It is the norm of the gradient itself that must not be too
        large.""",
    ),
    mistake(
        "a step with a long gradient is left out",
        swap(
            CLIP,
            "if nn.utils.get_total_norm([p.grad for p in model.parameters()]) > max_grad_norm:\n"
            "            return loss.item()",
        ),
        caught_by=LONG,
        explanation="""Where the gradient is longer than allowed no step is taken at all. It is to be scaled down, and
        then followed.""",
    ),
    mistake(
        "the weights are cut, not the gradients",
        swap(
            CLIP,
            "with torch.no_grad():\n            for weights in model.parameters():\n"
            "                weights.clamp_(-max_grad_norm, max_grad_norm)",
        ),
        caught_by=LONG,
        explanation="""The weights themselves are cut to ±max_grad_norm. It is the gradient that is to be shortened,
        before the step.""",
    ),
    mistake(
        "only the last parameter group is clipped",
        swap(CLIP, CLIP.replace("model.parameters()", 'optimizer.param_groups[-1]["params"]')),
        caught_by=LONG,
        explanation="""The gradients of the optimizer's last group are cut, and those of the others stay as they are. The
        norm is that of all parameters together.""",
    ),
    # Step 1: the optimizer
    mistake(
        "the gradients of the first group only are cleared",
        swap(ZERO, '    for weights in optimizer.param_groups[0]["params"]:\n        weights.grad = None\n'),
        caught_by="test_gradients_left_from_before_play_no_part",
        explanation="""The gradients of one parameter group are cleared. Those of the others are added to from step to
        step.""",
    ),
    mistake(
        "weights decay once more by hand",
        swap(
            STEP,
            '    with torch.no_grad():\n        for group in optimizer.param_groups:\n            for p in group["params"]:\n'
            '                p.mul_(1 - group["lr"] * group["weight_decay"])\n' + STEP,
        ),
        caught_by="test_steps_of_adamw",
        explanation="""Before the step the weights are shrunk by rate times decay. AdamW does that by itself, so that they
        decay twice.""",
    ),
    mistake(
        "the decay goes into the gradient as well",
        swap(
            STEP,
            '    for group in optimizer.param_groups:\n        for p in group["params"]:\n'
            '            p.grad = p.grad + group["weight_decay"] * p.detach()\n' + STEP,
        ),
        caught_by="test_steps_of_adamw",
        explanation="""Decay times weight is added to the gradient, as Adam did it. AdamW takes it off the weights
        directly, and its averages must not see it.""",
    ),
    mistake(
        "the optimizer forgets before each step",
        swap(STEP, "    optimizer.state.clear()\n" + STEP),
        caught_by="test_steps_of_adamw",
        explanation="""What the optimizer remembers is thrown away before each step, as where a new one is made each time.
        AdamW's averages then never hold more than one gradient.""",
    ),
    # Step 2, once more
    mistake(
        "only the last batch is measured",
        swap(MEASURE, "return corpus_loss(model, list(" + BATCHES + ")[-1:])"),
        caught_by=MEASURED,
        explanation="""The loss is that of the last batch. All windows before it are left out.""",
    ),
    mistake(
        "the first window is left out",
        swap(WINDOWS, WINDOWS + "\n    inputs, targets = inputs[1:], targets[1:]"),
        caught_by=MEASURED,
        explanation="""The first window is never measured, and of a short text nothing is left. Each window counts
        once.""",
    ),
    mistake(
        "the last window is left out",
        swap(WINDOWS, WINDOWS + "\n    inputs, targets = inputs[:-1], targets[:-1]"),
        caught_by=MEASURED,
        explanation="""The last window is never measured, and of a short text nothing is left. Each window counts
        once.""",
    ),
    mistake(
        "batch size and context length are swapped in evaluate",
        swap(WINDOWS, "inputs, targets = windows(data, batch_size, stride=batch_size)"),
        swap(MEASURE, MEASURE.replace("batch_size", "context_length")),
        caught_by=MEASURED,
        explanation="""The windows are batch_size tokens long, and context_length of them go in at a time. It is the other
        way round.""",
    ),
    mistake(
        "windows overlap by half",
        swap(WINDOWS, "inputs, targets = windows(data, context_length, stride=max(1, context_length // 2))"),
        caught_by=MEASURED,
        explanation="""A new window starts in the middle of the one before, so most tokens are measured twice. Windows
        that touch measure each token once.""",
    ),
    mistake(
        "the windows are shuffled before measuring",
        swap(
            WINDOWS,
            WINDOWS + "\n    order = torch.randperm(len(inputs))\n    inputs, targets = inputs[order], targets[order]",
        ),
        caught_by="test_evaluate_leaves_the_random_state_as_it_was",
        explanation="""The windows are put into a random order, which changes nothing about their mean. But it draws random
        numbers, and the training that goes on around it then draws others.""",
    ),
    mistake(
        "measuring seeds Python's random numbers",
        swap(MEASURE, "import random\n\n    random.seed(0)\n    " + MEASURE),
        caught_by="test_evaluate_leaves_the_random_state_as_it_was",
        explanation="""Python's own random numbers are seeded before measuring. Whatever draws them afterwards repeats
        itself from one measurement to the next.""",
    ),
    mistake(
        "only the model itself gets its mode back",
        swap(
            MEASURE,
            "was_training = model.training\n    model.eval()\n    loss = "
            + MEASURE.removeprefix("return ")
            + "\n    model.training = was_training\n    return loss",
        ),
        caught_by="test_evaluate_leaves_the_mode_as_it_was",
        explanation="""`training` is set back on the model alone, and its dropout stays in eval mode. `train(mode)` tells
        all of its parts.""",
    ),
    mistake(
        "measuring leaves gradients off",
        swap(MEASURE, "torch.set_grad_enabled(False)\n    " + MEASURE),
        caught_by=TRACES,
        explanation="""Gradients are turned off and not on again. Whoever trains on afterwards finds nothing to train
        with.""",
    ),
    mistake(
        "measuring leaves the parameters frozen",
        swap(MEASURE, "model.requires_grad_(False)\n    " + MEASURE),
        caught_by=TRACES,
        explanation="""The parameters are told to ask for no gradient, and stay like that. Whoever trains on afterwards
        finds nothing to train.""",
    ),
    # Step 3, once more
    mistake(
        "the fall is one step behind",
        swap(PROGRESS, "progress = (step - warmup - 1) / (total - warmup)"),
        caught_by=FALLS,
        explanation="""The fall starts one step late. At step `warmup` progress is 0, and one step later it has begun.""",
    ),
    mistake(
        "the floor is reached one step late",
        swap(PROGRESS, "progress = (step - warmup) / (total - warmup + 1)"),
        caught_by=FALLS,
        explanation="""The fall is spread over one step more than there are, so that a jump is left at its end. At step
        `total` progress is 1.""",
    ),
    mistake(
        "the peak is reached one step early",
        swap(RISE, "return peak * min(1.0, (step + 1) / max(1, warmup - 1))"),
        caught_by=RISES,
        explanation="""The rise is one step short, and the peak is there twice. It belongs to the last of the `warmup`
        steps.""",
    ),
    mistake(
        "the rise begins with the second part",
        swap(RISE, "return peak * (step + 2) / (warmup + 1)"),
        caught_by=RISES,
        explanation="""The straight line is cut into warmup + 1 parts, and the first of them left out. It goes from 1 part
        of `warmup` to all of them.""",
    ),
    mistake(
        "the rise is a parabola",
        swap(RISE, "return peak * ((step + 1) / warmup) ** 2"),
        caught_by=RISES,
        explanation="""The share of the warm-up is squared, so that the rate begins slowly. A straight line is asked
        for.""",
    ),
    mistake(
        "the rise is half a cosine",
        swap(RISE, "return peak / 2 * (1 - math.cos(math.pi * (step + 1) / warmup))"),
        caught_by=RISES,
        explanation="""The rise is a cosine too. It is a straight line that is asked for; the cosine is for the fall.""",
    ),
    mistake(
        "the rise goes to 1",
        swap(RISE, "return (step + 1) / warmup"),
        caught_by=RISES,
        explanation="""The rise ends at 1, whatever the peak. That is the share of the warm-up; the rate is the peak times
        that.""",
    ),
    mistake(
        "rise and fall are multiplied",
        swap(RISE, RISE + " * (1 + math.cos(math.pi * step / total)) / 2"),
        swap(PROGRESS, "progress = step / total"),
        caught_by=RISES,
        explanation="""The cosine falls from the very first step, and the warm-up is a factor in front of it. The peak is
        then never reached; the fall begins where the rise ends.""",
    ),
    mistake(
        "steps are counted from 1",
        swap(RISING, "step += 1\n    if step < warmup:"),
        caught_by=RISES,
        explanation="""The number of the step is raised by 1 before it is used. Rise and fall then come one step early:
        steps are counted from 0, and the + 1 of the rise sees to the rest.""",
    ),
    mistake(
        "everything comes one step late",
        swap(RISING, "step -= 1\n    if step < warmup:"),
        caught_by=RISES,
        explanation="""The number of the step is lowered by 1 before it is used. Step 0 has the rate 0, and the fall comes
        late as well.""",
    ),
    mistake(
        "the cosine in degrees",
        swap(FALL, FALL.replace("math.pi * progress", "180 * progress")),
        caught_by=FALLS,
        explanation="""The angle is counted in degrees. `math.cos` takes radians: half a turn is π.""",
    ),
    mistake(
        "the rate does not fall until the end",
        swap(PROGRESS, "progress = (step - warmup) // (total - warmup)"),
        caught_by=FALLS,
        explanation="""Progress is divided in whole numbers and stays 0 until `total`. Between the two it is a fraction.""",
    ),
    mistake(
        "total is counted from the end of the warm-up",
        swap(END, "    if step >= warmup + total:\n        return floor\n"),
        swap(PROGRESS, "progress = (step - warmup) / total"),
        caught_by=FALLS,
        explanation="""The fall takes `total` steps, and the warm-up comes on top. `total` is the number of steps of the
        whole run, warm-up included.""",
    ),
    mistake(
        "the fall goes below the floor",
        swap(FALL, "return peak / 2 * (1 + math.cos(math.pi * progress))"),
        caught_by=FALLS,
        explanation="""The cosine falls to 0, and only from `total` on is the rate at the floor. The curve itself is to end
        at the floor.""",
    ),
    # Step 4, once more
    mistake(
        "the schedule begins anew with each pass",
        swap(
            RATES,
            RATES.replace("schedule(step)", "schedule(step % max(1, len(data) // (batch_size * context_length)))"),
        ),
        caught_by=ENDLESS,
        explanation="""The steps are counted within a pass through the data, and the schedule begins anew with each. It
        goes over the whole run.""",
    ),
    mistake(
        "the rate is set once a pass",
        swap(
            RATES,
            RATES.replace("schedule(step)", "schedule(step // max(1, len(data) // (batch_size * context_length)))"),
        ),
        caught_by=SCHEDULED,
        explanation="""The schedule is asked with the number of passes through the data. It has a rate for each step.""",
    ),
    mistake(
        "only the last parameter group gets the rate",
        swap(GROUPS, "for group in optimizer.param_groups[-1:]:"),
        caught_by=SCHEDULED,
        explanation="""The schedule reaches the last group of parameters. The others go on at the rate that they began
        with.""",
    ),
    mistake(
        "the schedule is one step behind",
        swap(RATES, RATES.replace("schedule(step)", "schedule(step - 1)")),
        caught_by=SCHEDULED,
        explanation="""Each step gets the rate of the one before, and step 0 one that the schedule was never made for.
        Steps are counted from 0 on both sides.""",
    ),
    mistake(
        "the first rate is used twice",
        swap(RATES, RATES.replace("schedule(step)", "schedule(max(0, step - 1))")),
        caught_by=SCHEDULED,
        explanation="""From step 1 on each step has the rate of the one before, as where the schedule moves on at the end of
        a step and is asked before that. Step 1 has schedule(1).""",
    ),
    mistake(
        "each group is a step ahead of the one before",
        swap(GROUPS, "for ahead, group in enumerate(optimizer.param_groups):"),
        swap('group["lr"] = schedule(step)', 'group["lr"] = schedule(step + ahead)'),
        caught_by=SCHEDULED,
        explanation="""The schedule moves on with every group. All groups of a step have the rate of that step.""",
    ),
    mistake(
        "a rate never rises again",
        swap(RATES, RATES.replace("= schedule(step)", '= min(group["lr"], schedule(step))')),
        caught_by=SCHEDULED,
        explanation="""A rate is set only where it is lower than the group's own. The schedule says the rate itself, also
        where that is higher.""",
    ),
    mistake(
        "on_step hears the mean loss so far",
        swap(TOLD, TOLD.replace("(step, loss)", "(step, sum(losses) / len(losses))")),
        caught_by=HEARD,
        explanation="""`on_step` gets the mean of all losses so far. Asked for is the loss of its own step.""",
    ),
    mistake(
        "on_step is not told of the first step",
        swap(TOLD, TOLD.replace("is not None", "is not None and step > 0")),
        caught_by=HEARD,
        explanation="""Step 0 is not reported: where every so many steps are, 0 is easily taken for none. Every step is to
        be.""",
    ),
    mistake(
        "on_step is not told of the last step",
        swap(TOLD, TOLD.replace("is not None", "is not None and step < steps - 1")),
        caught_by=HEARD,
        explanation="""The last step is not reported. Every step is to be.""",
    ),
    mistake(
        "on_step gets the step before its own",
        swap(TOLD, TOLD.replace("(step, loss)", "(step - 1, loss)")),
        caught_by=HEARD,
        explanation="""The first step is reported as step −1. Steps are counted from 0, as the schedule does.""",
    ),
    mistake(
        "the losses come in reverse",
        swap("losses.append(loss)", "losses.insert(0, loss)"),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""Each loss is put in front of those before it. The list is to be in the order of the steps.""",
    ),
    mistake(
        "the best loss so far is noted",
        swap("losses.append(loss)", "losses.append(min([loss, *losses]))"),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""Each entry is the smallest loss until then. Asked for is the loss of each step itself, also where it
        rose.""",
    ),
    mistake(
        "the run makes an optimizer of its own",
        swap(TRAIN_MODE, TRAIN_MODE + "    optimizer = torch.optim.AdamW(model.parameters())\n"),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""A new optimizer is made, and the one that was given never steps. Its kind, its rates and what it
        remembers are for the caller to choose.""",
    ),
    mistake(
        "every batch is used twice",
        swap(BATCH, "if step % 2 == 0:\n            " + BATCH),
        caught_by="test_every_step_draws_a_new_batch",
        explanation="""A batch is drawn in every second step only. Each step draws one of its own.""",
    ),
    mistake(
        "the first token is never an input",
        swap(BATCH, "x, y = get_batch(data[1:], batch_size, context_length, generator)"),
        caught_by="test_every_part_of_the_data_is_used",
        explanation="""The first token is cut off before batches are drawn, as for targets. `get_batch` sees to the shift by
        itself.""",
    ),
    mistake(
        "every pass draws the same batches",
        swap(
            BATCH,
            "if step % max(1, len(data) // (batch_size * context_length)) == 0 and generator is not None:\n"
            "            generator.manual_seed(generator.initial_seed())\n        " + BATCH,
        ),
        caught_by="test_a_second_run_draws_other_batches",
        explanation="""The generator is put back to its seed with each pass through the data. A run takes it as it comes,
        and it moves on with each draw.""",
    ),
    # Any other number
    family(
        "a loss of {c} times the mean",
        swap(LOSS, "loss = {c} * cross_entropy(model(x), y)"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The loss is multiplied by {c} before anything else. What is returned and how far the step goes both follow
        it.""",
    ),
    family(
        "the gradient counts {c} times",
        swap(BACKWARD, "    ({c} * loss).backward()\n"),
        constants=(0.1, 0.25, 2.0, 10.0),
        caught_by="test_one_step_of_sgd",
        explanation="""The loss is multiplied by {c} before its gradients are taken. Every step then has another length than the
        learning rate says.""",
    ),
    family(
        "a long gradient is cut to {c}",
        swap(CLIP, "nn.utils.clip_grad_norm_(model.parameters(), {c})"),
        constants=(0.01, 0.1, 0.5, 1.0, 2.0, 5.0),
        caught_by="test_a_long_gradient_is_cut_to_the_norm",
        explanation="""The norm that a gradient is cut to is always {c}. How long it may be says `max_grad_norm`.""",
    ),
    family(
        "gradients are cut to {c} unasked",
        swap(ONE_STEP, "loss = train_step(model, optimizer, x, y, {c})"),
        constants=(0.01, 0.1, 0.5, 2.0),
        caught_by="test_training_is_one_step_after_the_other",
        explanation="""Every step is taken with gradients cut to norm {c}. Nobody asked for that, and nobody can turn it off.""",
    ),
    family(
        "a cosine of {c} times the progress",
        swap(FALL, "return floor + (peak - floor) / 2 * (1 + math.cos({c} * progress))"),
        constants=(0.5, 2.0, 3.0, 3.1, 3.14, 4.0),
        caught_by=FALLS,
        explanation="""The cosine is taken of {c} times the progress. Half a cosine ends at π.""",
    ),
    family(
        "an exponential fall by {c}",
        swap(FALL, "return floor + (peak - floor) * math.exp(-{c} * progress)"),
        constants=(1.0, 2.0, 3.0, 10.0),
        caught_by=FALLS,
        explanation="""The rate falls by the same factor in every step, by e to the power of {c} in all. It is half a cosine that is asked
        for, level at both ends.""",
    ),
    family(
        "the power {c} of a straight fall",
        swap(FALL, "return floor + (peak - floor) * (1 - progress) ** {c}"),
        constants=(0.5, 0.75, 1.5, 2.0, 3.0),
        caught_by=FALLS,
        explanation="""What is left of the way is raised to the power of {c}. It is half a cosine that is asked for, level at both
        ends.""",
    ),
    family(
        "the floor is {c} of the peak",
        swap("    if step < warmup:", "    floor = {c} * peak\n    if step < warmup:"),
        constants=(0.01, 0.1, 0.2),
        caught_by=FALLS,
        explanation="""The rate falls to {c} of the peak. It falls to `floor`, which whoever calls has chosen.""",
    ),
    family(
        "the rise to the power of {c}",
        swap(RISE, "return peak * ((step + 1) / warmup) ** {c}"),
        constants=(0.5, 0.75, 1.5, 3.0),
        caught_by=RISES,
        explanation="""The share of the warm-up is raised to the power of {c}. A straight line is asked for.""",
    ),
    family(
        "{c} times the rate",
        swap('group["lr"] = schedule(step)', 'group["lr"] = {c} * schedule(step)'),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by=SCHEDULED,
        explanation="""Every group gets {c} times what the schedule says. It gets `schedule(step)` itself.""",
    ),
    mistake(
        "inputs and targets are exchanged",
        swap(LOSS, "loss = cross_entropy(model(y), x)"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The model reads the targets and is to predict the inputs, the tokens before them. x goes in, y is what should come
        out.""",
    ),
    mistake(
        "as many parts as a batch has windows",
        swap(BATCHES, "zip(inputs.chunk(batch_size), targets.chunk(batch_size))"),
        caught_by="test_evaluate_takes_no_more_than_batch_size_windows_at_a_time",
        explanation="""`chunk` is told how many parts there are, `split` how large each is. `batch_size` is the size.""",
    ),
    mistake(
        "the loss is a sum over the texts",
        swap(LOSS, "loss = cross_entropy(model(x), y) * len(x)"),
        caught_by="test_step_returns_the_loss_before_the_update",
        explanation="""The mean loss is multiplied by the size of the batch, so that twice the batch makes twice the step. The loss is the
        mean over all tokens.""",
    ),
    mistake(
        "a norm of 0 is taken for none",
        swap(WHETHER, WHETHER.replace("max_grad_norm is not None", "max_grad_norm")),
        caught_by=LONG,
        explanation="""0 counts as False, so that a `max_grad_norm` of 0 does not clip at all. Not to clip is None; 0 leaves
        nothing of the gradient.""",
    ),
    mistake(
        "the gradient is that of the sum",
        swap(BACKWARD, BACKWARD.replace("loss.", "(loss * y.numel()).")),
        caught_by="test_one_step_of_sgd",
        explanation="""The loss is multiplied by the number of tokens before it goes backward. The step follows the gradient
        of the mean, however many tokens a batch has.""",
    ),
    mistake(
        "the gradient is that of the sum over a row",
        swap(BACKWARD, BACKWARD.replace("loss.", "(loss * y.shape[1]).")),
        caught_by="test_one_step_of_sgd",
        explanation="""The loss is multiplied by the length of a row before it goes backward. The step follows the gradient of
        the mean over all tokens.""",
    ),
    mistake(
        "the optimizer forgets at every step",
        swap(ZERO, ZERO + "    optimizer.state.clear()\n"),
        caught_by="test_steps_of_adamw",
        explanation="""What the optimizer remembers of earlier steps is cleared, or it is made anew. AdamW divides by what it has
        seen so far.""",
    ),
    mistake(
        "the first token of the text is left out",
        swap(WINDOWS, WINDOWS.replace("windows(data,", "windows(data[1:],")),
        caught_by=MEASURED,
        explanation="""The windows begin at the second token. The first one is an input like others.""",
    ),
    mistake(
        "the rate is the peak after the end",
        swap(END, END.replace("return floor", "return peak")),
        caught_by="test_the_rate_stays_at_the_floor",
        explanation="""From the step numbered `total` on, the rate is the peak again. It stays where the fall has ended.""",
    ),
    mistake(
        "a rate of 0 is passed over",
        swap('group["lr"] = schedule(step)', 'group["lr"] = schedule(step) or group["lr"]'),
        caught_by=SCHEDULED,
        explanation="""0 counts as False, so that a scheduled rate of 0 leaves the rate of the step before. 0 is a rate like
        others.""",
    ),
]
