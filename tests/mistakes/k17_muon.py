"""k17: what people get wrong about Muon, and about AdamW beside it."""

from dojo.spec import family, mistake, swap

MEAN = "mean = betas[0] * mean + (1 - betas[0]) * gradient"
SQUARE = "square = betas[1] * square + (1 - betas[1]) * gradient**2"
TRUE_MEAN = "true_mean = mean / (1 - betas[0] ** step)  # a running mean that began at 0 is too small at first"
TRUE_SQUARE = "true_square = square / (1 - betas[1] ** step)"
ADAM = "direction = true_mean / (true_square.sqrt() + eps)"
ADAM_MOVES = "weight = weight - lr * (direction + weight_decay * weight)"
ADAM_GIVES = "return weight, mean, square"
TALL = "tall = matrix.shape[0] > matrix.shape[1]"
TURNED = "X = matrix.T if tall else matrix  # (short, long)"
NORMALISED = "X = X / (X.norm() + 1e-12)"
GRAM = "A = X @ X.T  # (short, short)"
ITERATION = "X = a * X + (b * A + c * A @ A) @ X"
BACK = "return X.T if tall else X"
BUFFER = "buffer = momentum * buffer + gradient\n    direction"
LOOK_AHEAD = "direction = gradient + momentum * buffer if nesterov else buffer"
UPDATE = "update = newton_schulz(direction, steps) * max(1, rows / columns) ** 0.5"
MUON_MOVES = "weight = weight - lr * (update + weight_decay * weight)"
MUON_GIVES = "return weight, buffer"
SETTINGS = 'settings = {name: group[name] for name in ("lr", "momentum", "nesterov", "weight_decay", "steps")}'
SKIP = "                if weight.grad is None:\n                    continue\n"
STATE = "state = self.state[weight]"
KEPT = 'buffer = state.get("buffer", torch.zeros_like(weight))'
STEP = 'new, state["buffer"] = muon_step(weight, weight.grad, buffer, **settings)'
WRITTEN = "weight.copy_(new)  # the parameter stays the same object: the model holds it too"
REFUSE = "                if weight.ndim != 2:\n"
ADAM_FORMULA = "test_a_step_of_adamw_follows_its_formula"
ADAM_DEFAULTS = "test_adamw_has_its_usual_settings"
POLYNOMIAL = "test_each_singular_value_goes_through_the_polynomial"
MUON_LOOP = "test_steps_of_muon_equal_the_loop"
MUON_DEFAULTS = "test_muon_has_its_usual_settings"
OPTIMIZER = "test_the_optimizer_takes_the_steps_of_the_loop"
OPTIMIZER_DEFAULTS = "test_the_optimizer_has_its_usual_settings"
GROUPS = "test_each_group_has_settings_of_its_own"
REFUSED = "test_what_is_no_matrix_is_refused"
IN_STEP = "for group in self.param_groups:\n            settings"
IN_INIT = 'for group in self.param_groups:\n            for weight in group["params"]:\n                if weight.ndim'
RAISE = 'raise ValueError(f"Muon is for matrices; this parameter has shape {tuple(weight.shape)}")'

MISTAKES = [
    # Step 1
    mistake(
        "no bias correction",
        swap(TRUE_MEAN, "true_mean = mean"),
        swap(TRUE_SQUARE, "true_square = square"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""Mean and square are used as they are. They began at 0, so in the first steps both are far too small,
        and not by the same factor.""",
    ),
    mistake(
        "only the mean is corrected",
        swap(TRUE_SQUARE, "true_square = square"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The square is used as it is. It began at 0 and is too small at first, so the first steps are much too
        long.""",
    ),
    mistake(
        "only the square is corrected",
        swap(TRUE_MEAN, "true_mean = mean"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The mean is used as it is. It began at 0 and is too small at first, and so are the first steps.""",
    ),
    mistake(
        "steps are counted from 0",
        swap(TRUE_MEAN, "true_mean = mean / (1 - betas[0] ** (step + 1))"),
        swap(TRUE_SQUARE, "true_square = square / (1 - betas[1] ** (step + 1))"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The correction is that of the next step. The first step has number 1, and by then mean and square
        have taken in one gradient.""",
    ),
    mistake(
        "the correction is one step late",
        swap(TRUE_MEAN, "true_mean = mean / (1 - betas[0] ** max(1, step - 1))"),
        swap(TRUE_SQUARE, "true_square = square / (1 - betas[1] ** max(1, step - 1))"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The correction is that of the step before. By step number n, mean and square have taken in n
        gradients.""",
    ),
    mistake(
        "the corrected values are kept",
        swap(ADAM_GIVES, "return weight, true_mean, true_square"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""Mean and square are handed back after their correction. They would be corrected again in the next
        step, and again in each that follows.""",
    ),
    mistake(
        "only the corrected mean is kept",
        swap(ADAM_GIVES, "return weight, true_mean, square"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The mean that comes back is the corrected one. The next step corrects it again; what is
        kept are the running means as they are.""",
    ),
    mistake(
        "the old mean is used",
        swap(TRUE_MEAN, "true_mean = (mean - (1 - betas[0]) * gradient) / betas[0] / (1 - betas[0] ** step)"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The step goes by the mean as it was before the gradient came in. The gradient belongs in first, then
        the step is taken.""",
    ),
    mistake(
        "the weight decay is in the gradient",
        swap(MEAN, "gradient = gradient + weight_decay * weight\n    " + MEAN),
        swap(ADAM_MOVES, "weight = weight - lr * direction"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The decay is added to the gradient, as in plain Adam. There the division flattens it; AdamW takes it
        off the weight directly.""",
    ),
    mistake(
        "the decay forgets the rate",
        swap(ADAM_MOVES, "weight = weight - lr * direction - weight_decay * weight"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The weight shrinks by the decay itself, whatever the rate. Rate times decay is what is taken
        off.""",
    ),
    mistake(
        "no weight decay at all",
        swap(ADAM_MOVES, "weight = weight - lr * direction"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""`weight_decay` is taken and not used. Besides its step, a weight shrinks a little each time.""",
    ),
    mistake(
        "the decay lets the weight grow",
        swap(ADAM_MOVES, "weight = weight - lr * (direction - weight_decay * weight)"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The decay has the wrong sign, and the weight moves away from 0. It is pulled towards 0.""",
    ),
    mistake(
        "AdamW climbs",
        swap(ADAM_MOVES, "weight = weight + lr * direction - lr * weight_decay * weight"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The step goes along the gradient, and the loss rises. Down is against the gradient.""",
    ),
    mistake(
        "eps under the root",
        swap(ADAM, "direction = true_mean / (true_square + eps).sqrt()"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""`eps` is added to the square, so its root is what counts, which is far larger. It is added to the
        root.""",
    ),
    mistake(
        "the square of eps under the root",
        swap(ADAM, "direction = true_mean / (true_square + eps**2).sqrt()"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""Both are squared and the root is taken of their sum. Where eps is small beside the root
        that makes no difference, and elsewhere it does.""",
    ),
    mistake(
        "eps is a least size",
        swap(ADAM, "direction = true_mean / true_square.sqrt().clamp(min=eps)"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The root is raised to eps where it is smaller. eps is added, whatever the root is.""",
    ),
    mistake(
        "eps is always 1e-8",
        swap(ADAM, "direction = true_mean / (true_square.sqrt() + 1e-8)"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The usual eps is written into the formula. Whoever asks for another does not get it.""",
    ),
    mistake(
        "eps is left out",
        swap(ADAM, "direction = true_mean / true_square.sqrt()"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""Nothing is added to the root. Where a gradient has been 0 all along, 0 is divided by 0.""",
    ),
    mistake(
        "no root of the square",
        swap(ADAM, "direction = true_mean / (true_square + eps)"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The mean is divided by the mean square, and not by its root. Large gradients then make small steps,
        and small ones huge steps.""",
    ),
    mistake(
        "the gradient is not squared",
        swap(SQUARE, "square = betas[1] * square + (1 - betas[1]) * gradient"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The second running mean takes in the gradient itself. It is the mean of its square, which is never
        below 0 and so has a root.""",
    ),
    mistake(
        "the square of the mean",
        swap(SQUARE, "square = betas[1] * square + (1 - betas[1]) * mean**2"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The second running mean takes in the square of the first. It takes in the square of the gradient, so
        that one that flips its sign is known to be large.""",
    ),
    mistake(
        "the square of what the mean misses",
        swap(SQUARE, "square = betas[1] * square + (1 - betas[1]) * (gradient - mean) ** 2"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""What is squared is the distance of the gradient from its mean, as in AdaBelief. AdamW
        squares the gradient.""",
    ),
    mistake(
        "the betas are swapped",
        swap(MEAN, "betas = betas[::-1]\n    " + MEAN),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The mean forgets as slowly as the square should, and the square as fast as the mean should. The
        first of the betas is for the mean.""",
    ),
    mistake(
        "beta on the wrong side",
        swap(MEAN, "mean = (1 - betas[0]) * mean + betas[0] * gradient"),
        swap(SQUARE, "square = (1 - betas[1]) * square + betas[1] * gradient**2"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The running means keep the small share and take in the large one, so they forget nearly all at each
        step. Beta is the share that is kept.""",
    ),
    mistake(
        "heavy-ball momentum in AdamW",
        swap(MEAN, "mean = betas[0] * mean + gradient"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The whole gradient is added to the mean, which then grows to ten times a gradient. A running mean
        takes in the share 1 − β.""",
    ),
    mistake(
        "mean and square change places",
        swap(ADAM_GIVES, "return weight, square, mean"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The square is handed back where the mean belongs. The order is weight, mean, square.""",
    ),
    family(
        "a second beta of {c} unless told",
        swap("betas: tuple[float, float] = (0.9, 0.999)", "betas: tuple[float, float] = (0.9, {c})"),
        constants=(0.95, 0.99),
        caught_by="test_adamw_has_its_usual_settings",
        explanation="""Where nobody says anything, the settings are not the usual ones. They stand in the signature of the
        stub.""",
    ),
    mistake(
        "the decay is taken off the new weight",
        swap(ADAM_MOVES, "weight = weight - lr * direction\n    weight = weight - lr * weight_decay * weight"),
        caught_by=ADAM_FORMULA,
        explanation="""The weight takes its step first, and what it is then is decayed. Both terms use the old
        weight.""",
    ),
    mistake(
        "eps before the correction",
        swap(ADAM, "direction = true_mean / ((square.sqrt() + eps) / (1 - betas[1] ** step) ** 0.5)"),
        caught_by=ADAM_FORMULA,
        explanation="""`eps` is added to the root of the square as it is kept, and the correction then makes it
        larger. It is added to the root of the corrected square.""",
    ),
    mistake(
        "the corrections multiply",
        swap(TRUE_MEAN, "true_mean = mean * (1 - betas[0] ** step)"),
        swap(TRUE_SQUARE, "true_square = square * (1 - betas[1] ** step)"),
        caught_by=ADAM_FORMULA,
        explanation="""Mean and square are multiplied by the share that they have taken in. They are too small by that
        share, so they are divided by it.""",
    ),
    mistake(
        "beta times step for its power",
        swap(TRUE_MEAN, "true_mean = mean / (1 - betas[0] * step)"),
        swap(TRUE_SQUARE, "true_square = square / (1 - betas[1] * step)"),
        caught_by=ADAM_FORMULA,
        explanation="""What is left of the zeros at the beginning is taken for β times the number of the step. Each
        step leaves the share β of it, so it is a power.""",
    ),
    mistake(
        "always the first step's correction",
        swap(TRUE_MEAN, "true_mean = mean / (1 - betas[0])"),
        swap(TRUE_SQUARE, "true_square = square / (1 - betas[1])"),
        caught_by=ADAM_FORMULA,
        explanation="""Every step is corrected as if it were the first. Later on there is less and less to
        correct.""",
    ),
    mistake(
        "only the first step is corrected",
        swap(TRUE_MEAN, "true_mean = mean / (1 - betas[0]) if step == 1 else mean"),
        swap(TRUE_SQUARE, "true_square = square / (1 - betas[1]) if step == 1 else square"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""From the second step on mean and square are used as they are. They are too small for many
        steps, each time by less.""",
    ),
    mistake(
        "the corrections change places",
        swap(TRUE_MEAN, "true_mean = mean / (1 - betas[1] ** step)"),
        swap(TRUE_SQUARE, "true_square = square / (1 - betas[0] ** step)"),
        caught_by=ADAM_FORMULA,
        explanation="""The mean is corrected by the beta of the square, and the square by that of the mean. Each has
        its own.""",
    ),
    mistake(
        "both are corrected by the first beta",
        swap(TRUE_SQUARE, "true_square = square / (1 - betas[0] ** step)"),
        caught_by=ADAM_FORMULA,
        explanation="""The square is corrected by the beta of the mean. It forgets by the second one.""",
    ),
    mistake(
        "both are corrected by the second beta",
        swap(TRUE_MEAN, "true_mean = mean / (1 - betas[1] ** step)"),
        caught_by=ADAM_FORMULA,
        explanation="""The mean is corrected by the beta of the square. It forgets by the first one.""",
    ),
    mistake(
        "the square is corrected after its root",
        swap(ADAM, "direction = true_mean / (square.sqrt() / (1 - betas[1] ** step) + eps)"),
        caught_by=ADAM_FORMULA,
        explanation="""The root is taken first and then divided by the whole correction. It is the square that is too
        small by that share.""",
    ),
    mistake(
        "the mean keeps the small share",
        swap(MEAN, "mean = (1 - betas[0]) * mean + betas[0] * gradient"),
        caught_by=ADAM_FORMULA,
        explanation="""The mean keeps 1 − β of itself and takes in β of the gradient. Beta is the share that is
        kept.""",
    ),
    mistake(
        "the square keeps the small share",
        swap(SQUARE, "square = (1 - betas[1]) * square + betas[1] * gradient**2"),
        caught_by=ADAM_FORMULA,
        explanation="""The square keeps 1 − β of itself and takes in β of the new one. Beta is the share that is
        kept.""",
    ),
    mistake(
        "the square adds up",
        swap(SQUARE, "square = betas[1] * square + gradient**2"),
        caught_by=ADAM_FORMULA,
        explanation="""The whole square of the gradient is added. A running mean takes in the share 1 − β.""",
    ),
    mistake(
        "the square never forgets",
        swap(SQUARE, "square = square + gradient**2"),
        caught_by=ADAM_FORMULA,
        explanation="""All squares are summed from the beginning, as in Adagrad, and steps become shorter and shorter.
        The square is a running mean.""",
    ),
    mistake(
        "the size for the square",
        swap(SQUARE, "square = betas[1] * square + (1 - betas[1]) * gradient.abs()"),
        caught_by=ADAM_FORMULA,
        explanation="""The second running mean takes in the size of the gradient. It is the mean of its square, whose
        root is taken later.""",
    ),
    mistake(
        "the largest square",
        swap(SQUARE, "square = torch.maximum(square, betas[1] * square + (1 - betas[1]) * gradient**2)"),
        caught_by=ADAM_FORMULA,
        explanation="""The square never becomes smaller, as in AMSGrad. It is a running mean, which may fall.""",
    ),
    mistake(
        "one square for the whole matrix",
        swap(TRUE_SQUARE, "true_square = (square / (1 - betas[1] ** step)).mean()"),
        caught_by=ADAM_FORMULA,
        explanation="""The squares are averaged over all entries. Each number is divided by its own usual size.""",
    ),
    mistake(
        "the gradient for the mean",
        swap(ADAM, "direction = gradient / (true_square.sqrt() + eps)"),
        caught_by=ADAM_FORMULA,
        explanation="""The step goes by this gradient alone, as in RMSprop. The mean is worked out and plays no part
        in it.""",
    ),
    mistake(
        "the mean as it is",
        swap(ADAM, "direction = true_mean"),
        caught_by=ADAM_FORMULA,
        explanation="""The mean is not divided by anything, as in SGD with momentum. It is divided by the gradient's
        usual size, so that all numbers move at about one pace.""",
    ),
    mistake(
        "only the sign of the mean",
        swap(ADAM, "direction = true_mean.sign()"),
        caught_by=ADAM_FORMULA,
        explanation="""Every number moves by the whole rate. How steady a gradient is, the mean beside the root of the
        square, decides how far.""",
    ),
    mistake(
        "AdamW looks ahead",
        swap(TRUE_MEAN, TRUE_MEAN.replace("mean / (1", "(betas[0] * mean + (1 - betas[0]) * gradient) / (1")),
        caught_by=ADAM_FORMULA,
        explanation="""The gradient is mixed into the mean a second time, as in NAdam. AdamW steps by the mean
        itself.""",
    ),
    mistake(
        "large gradients are clipped first",
        swap(MEAN, "gradient = gradient / max(1.0, float(gradient.norm()))\n    " + MEAN),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""A gradient longer than 1 is shortened before anything else. Clipping, where it is wanted,
        is done before the optimizer, over all parameters together.""",
    ),
    mistake(
        "eps is taken off",
        swap(ADAM, "direction = true_mean / (true_square.sqrt() - eps)"),
        caught_by=ADAM_FORMULA,
        explanation="""`eps` is subtracted from the root. A small root then becomes negative or 0.""",
    ),
    mistake(
        "eps is multiplied",
        swap(ADAM, "direction = true_mean / (true_square.sqrt() * (1 + eps))"),
        caught_by=ADAM_FORMULA,
        explanation="""`eps` is a part of the root. Where the root is 0 it does not help; it is added.""",
    ),
    mistake(
        "the decay is one number for all weights",
        swap(ADAM_MOVES, "weight = weight - lr * (direction + weight_decay)"),
        caught_by=ADAM_FORMULA,
        explanation="""The same number is taken off every weight. What is taken off is a share of the weight.""",
    ),
    mistake(
        "the decay goes by the sign",
        swap(ADAM_MOVES, "weight = weight - lr * (direction + weight_decay * weight.sign())"),
        caught_by=ADAM_FORMULA,
        explanation="""The same amount is taken off large weights and small ones. What is taken off is a share of the
        weight.""",
    ),
    mistake(
        "the weight does not move",
        swap(ADAM_MOVES, "direction = lr * (direction + weight_decay * weight)"),
        caught_by=ADAM_FORMULA,
        explanation="""The step is worked out and not taken. The weight that comes back is the old one.""",
    ),
    mistake(
        "the rate is not used",
        swap(ADAM_MOVES, "weight = weight - direction - weight_decay * weight"),
        caught_by=ADAM_FORMULA,
        explanation="""The step is taken whole. It is the rate that says how far.""",
    ),
    mistake(
        "the rate only for the decay",
        swap(ADAM_MOVES, "weight = weight - direction - lr * weight_decay * weight"),
        caught_by=ADAM_FORMULA,
        explanation="""The direction is taken whole and the rate stands before the decay alone. It stands before
        both.""",
    ),
    mistake(
        "the old mean is handed back",
        swap(MEAN, "old = mean\n    " + MEAN),
        swap(ADAM_GIVES, "return weight, old, square"),
        caught_by=ADAM_FORMULA,
        explanation="""The mean that comes back is the one that came in. The next step begins with the new one.""",
    ),
    mistake(
        "the old square is handed back",
        swap(MEAN, "old = square\n    " + MEAN),
        swap(ADAM_GIVES, "return weight, mean, old"),
        caught_by=ADAM_FORMULA,
        explanation="""The square that comes back is the one that came in. The next step begins with the new one.""",
    ),
    mistake(
        "the weight comes last",
        swap(ADAM_GIVES, "return mean, square, weight"),
        caught_by=ADAM_FORMULA,
        explanation="""The weight is handed back behind mean and square. The order is weight, mean, square.""",
    ),
    mistake(
        "only the weight comes back",
        swap(ADAM_GIVES, "return (weight,)"),
        caught_by=ADAM_FORMULA,
        explanation="""Mean and square are not handed back, and the next step would begin without them. Three things
        are returned.""",
    ),
    mistake(
        "the mean changes in place",
        swap(MEAN, "mean = mean.mul_(betas[0]).add_((1 - betas[0]) * gradient)"),
        caught_by=ADAM_FORMULA,
        explanation="""The caller's mean is overwritten. The function returns a new one and leaves its arguments
        alone.""",
    ),
    mistake(
        "the square changes in place",
        swap(SQUARE, "square = square.mul_(betas[1]).add_((1 - betas[1]) * gradient**2)"),
        caught_by=ADAM_FORMULA,
        explanation="""The caller's square is overwritten. The function returns a new one and leaves its arguments
        alone.""",
    ),
    mistake(
        "the weight changes in place",
        swap(ADAM_MOVES, "weight -= lr * (direction + weight_decay * weight)"),
        caught_by=ADAM_FORMULA,
        explanation="""The caller's weight is overwritten. The function returns a new one and leaves its arguments
        alone.""",
    ),
    mistake(
        "AdamW's direction in single precision",
        swap(ADAM, ADAM + "\n    direction = direction.float().to(weight.dtype)"),
        caught_by="test_adamw_keeps_the_dtype",
        explanation="""The direction is rounded to float32 on its way. In double precision half of the digits are
        lost.""",
    ),
    mistake(
        "AdamW is worked out in single precision",
        swap(
            MEAN,
            "weight, gradient, mean, square = (one.float() for one in (weight, gradient, mean, square))\n    dtype = torch.get_default_dtype()\n    "
            + MEAN,
        ),
        swap(ADAM_GIVES, "return weight.to(dtype), mean.to(dtype), square.to(dtype)"),
        caught_by="test_adamw_keeps_the_dtype",
        explanation="""Everything becomes float32 first. Numbers of 64 bits lose half of their digits.""",
    ),
    mistake(
        "AdamW returns single precision",
        swap(ADAM_GIVES, "return weight.float(), mean.float(), square.float()"),
        caught_by="test_adamw_keeps_the_dtype",
        explanation="""What comes back is float32 whatever came in. Weight, mean and square keep their dtype.""",
    ),
    family(
        "a rate of {c} for AdamW unless told",
        swap("lr: float = 1e-3,\n    betas", "lr: float = {c},\n    betas"),
        constants=(3e-4, 1e-2),
        caught_by=ADAM_DEFAULTS,
        explanation="""Where nobody says anything, the rate is not 1e-3. The usual settings stand in the signature of
        the stub.""",
    ),
    family(
        "an eps of {c} unless told",
        swap("eps: float = 1e-8", "eps: float = {c}"),
        constants=(1e-6, 1e-5),
        caught_by=ADAM_DEFAULTS,
        explanation="""Where nobody says anything, `eps` is not 1e-8. The usual settings stand in the signature of the
        stub.""",
    ),
    mistake(
        "no decay in AdamW unless told",
        swap("weight_decay: float = 0.01", "weight_decay: float = 0.0"),
        caught_by=ADAM_DEFAULTS,
        explanation="""Where nobody says anything, nothing decays, as in plain Adam. The usual settings stand in the
        signature of the stub.""",
    ),
    # Step 2
    mistake(
        "not normalised",
        swap(NORMALISED, "X = X * 1.0"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The iterations begin with the matrix as it is. Above 1 the polynomial sends a singular value far
        away, and in a few rounds to infinity.""",
    ),
    mistake(
        "each row is normalised",
        swap(NORMALISED, "X = X / (X.norm(dim=1, keepdim=True) + 1e-12)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Each row is divided by its own length. That changes the directions in the matrix; one number for the
        whole matrix leaves them.""",
    ),
    mistake(
        "each column is normalised",
        swap(NORMALISED, "X = X / (X.norm(dim=0, keepdim=True) + 1e-12)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Each column is divided by its own length. That changes the directions in the matrix; one number for
        the whole matrix leaves them.""",
    ),
    mistake(
        "divided by the largest entry",
        swap(NORMALISED, "X = X / (X.abs().max() + 1e-12)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The matrix is divided by its largest entry, and singular values may still be far above 1. None is
        above the Frobenius norm.""",
    ),
    mistake(
        "divided by the largest singular value",
        swap(NORMALISED, "X = X / (torch.linalg.matrix_norm(X, 2) + 1e-12)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The largest singular value becomes 1 exactly. To know it is what a decomposition is for;
        the Frobenius norm, which is never smaller, costs one sum.""",
    ),
    mistake(
        "divided by the squared norm",
        swap(NORMALISED, "X = X / (X.pow(2).sum() + 1e-12)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The matrix is divided by the sum of its squares. The Frobenius norm is the root of that sum.""",
    ),
    family(
        "divided by {c} times the norm",
        swap(NORMALISED, "X = X / (X.norm() * {c} + 1e-12)"),
        constants=(1.02, 2.0),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The matrix is divided by {c} times its norm, to be on the safe side. The norm is never below the
        largest singular value, so it is safe as it is, and all values come out smaller.""",
    ),
    mistake(
        "normalised in every round",
        swap(GRAM, "X = X / (X.norm() + 1e-12)\n        " + GRAM),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The matrix is divided by its norm again in each round. It is done once, before the first; after that
        the polynomial alone brings the values to 1.""",
    ),
    mistake(
        "zeros are divided by 0",
        swap(NORMALISED, "X = X / X.norm()"),
        caught_by="test_zeros_stay_zeros",
        explanation="""The norm of a matrix of zeros is 0, and 0 over 0 is NaN. A tiny number beside the norm avoids
        that.""",
    ),
    mistake(
        "zeros become the identity",
        swap(TALL, "if not matrix.any():\n        return torch.eye(*matrix.shape, dtype=matrix.dtype)\n    " + TALL),
        caught_by="test_zeros_stay_zeros",
        explanation="""A matrix of zeros comes back with ones on its diagonal. It has no direction, and a step
        without a gradient would move the weight.""",
    ),
    family(
        "{c} beside the norm",
        swap(NORMALISED, "X = X / (X.norm() + {c})"),
        constants=(1e-3, 1e-2),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""What is added to the norm is no longer small beside a small gradient. The result then depends on the
        size of the matrix.""",
    ),
    mistake(
        "b without its sign",
        swap("a, b, c = coefficients", "a, b, c = coefficients\n    b = abs(b)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The middle coefficient is taken as positive. It is what pulls large values down; without its sign
        everything grows.""",
    ),
    mistake(
        "a wrong digit in the coefficients",
        swap("(3.4445, -4.7750, 2.0315),\n)", "(3.4445, -4.7550, 2.0315),\n)"),
        caught_by="test_newton_schulz_has_its_usual_settings",
        explanation="""One of the coefficients is not the one that was asked for. Together they bring 1 back near 1, and a
        small change leads elsewhere.""",
    ),
    mistake(
        "the coefficients are fixed",
        swap("a, b, c = coefficients", "a, b, c = 3.4445, -4.7750, 2.0315"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The usual coefficients are used whatever is given. `coefficients` is there to try others.""",
    ),
    mistake(
        "the term of degree 5 is missing",
        swap(ITERATION, "X = a * X + b * A @ X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Only a·s + b·s³ is worked out. Without the fifth power the values are not brought near 1.""",
    ),
    mistake(
        "b and c change places",
        swap(ITERATION, "X = a * X + (c * A + b * A @ A) @ X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""b stands before the fifth power and c before the third. b belongs to A, c to A @ A.""",
    ),
    mistake(
        "the power is taken entry by entry",
        swap(ITERATION, "X = a * X + (b * A + c * A**2) @ X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""`A**2` squares each entry of A. It is the matrix product of A with itself that squares its singular
        values.""",
    ),
    mistake(
        "the cubes of the entries",
        swap(ITERATION, "X = a * X + b * X**3 + c * X**5"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The polynomial is applied to the entries of the matrix. It is meant for its singular values, and
        matrix products are what reaches those.""",
    ),
    mistake(
        "one iteration too many",
        swap("for _ in range(steps):", "for _ in range(steps + 1):"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""One iteration more is made than `steps` says.""",
    ),
    mistake(
        "at least one iteration",
        swap("for _ in range(steps):", "for _ in range(max(1, steps)):"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Where no iteration is asked for there is one. Then the normalised matrix comes back.""",
    ),
    mistake(
        "it stops where little changes",
        swap(
            ITERATION,
            "before, X = X, a * X + (b * A + c * A @ A) @ X\n        if (X - before).norm() < 1e-2:\n            X = before\n            break",
        ),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The loop ends as soon as an iteration changes little. It is `steps` iterations that were
        asked for, whatever they change.""",
    ),
    mistake(
        "always five iterations",
        swap("for _ in range(steps):", "for _ in range(5):"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Five iterations are made, whatever `steps` says.""",
    ),
    mistake(
        "turned and not turned back",
        swap(BACK, "return X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The result of a tall matrix is the transpose of what it should be. It has to come back in the shape in
        which it came.""",
    ),
    mistake(
        "the tall matrix is not turned",
        swap(TALL, "tall = False"),
        caught_by="test_no_tensor_is_larger_than_the_matrix",
        explanation="""For a tall matrix, X @ X.T is made on its long side: the result is right, and the products are far
        larger than they need be. Turned around first, the small side is the one that counts.""",
    ),
    mistake(
        "the wide matrix is turned",
        swap(TALL, "tall = matrix.shape[0] < matrix.shape[1]"),
        caught_by="test_no_tensor_is_larger_than_the_matrix",
        explanation="""The wide matrix is turned, and the tall one is not. Products are then made on the long side: right,
        and far larger than they need be.""",
    ),
    mistake(
        "worked out in bfloat16",
        swap(TURNED, "X = (matrix.T if tall else matrix).bfloat16()"),
        swap(BACK, "return (X.T if tall else X).to(matrix.dtype)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The iterations run in bfloat16, which has three digits. On a GPU that is fast and good enough; here
        the dtype of the matrix is asked for.""",
    ),
    mistake(
        "the correction is divided by the norm",
        swap(GRAM, "A = X.T @ X"),
        swap(ITERATION, "X = a * X + X @ (b * A + c * A @ A) / X.norm()"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The correction is divided by the norm of the matrix. The norm is taken out once, before the first
        iteration.""",
    ),
    mistake(
        "divided by the sum of the entries",
        swap(NORMALISED, "X = X / (X.sum() + 1e-12)"),
        caught_by=POLYNOMIAL,
        explanation="""The matrix is divided by the sum of its entries, which may be anything. The Frobenius norm is
        the root of the sum of their squares.""",
    ),
    mistake(
        "divided by the sum of the sizes",
        swap(NORMALISED, "X = X / (X.abs().sum() + 1e-12)"),
        caught_by=POLYNOMIAL,
        explanation="""The matrix is divided by the sum of the sizes of its entries, which is more than need be. The
        Frobenius norm is the root of the sum of their squares.""",
    ),
    mistake(
        "divided by the largest sum of a row",
        swap(NORMALISED, "X = X / (X.abs().sum(dim=1).max() + 1e-12)"),
        caught_by=POLYNOMIAL,
        explanation="""The matrix is divided by another norm, the largest sum of a row. The Frobenius norm is asked
        for.""",
    ),
    mistake(
        "divided by the root of the mean square",
        swap(NORMALISED, "X = X / (X.pow(2).mean().sqrt() + 1e-12)"),
        caught_by=POLYNOMIAL,
        explanation="""The squares are averaged and not summed. Singular values are then far above 1, where the
        polynomial sends them away.""",
    ),
    mistake(
        "divided by the norm of the product",
        swap(NORMALISED, "X = X / ((X @ X.T).norm().sqrt() + 1e-12)"),
        caught_by=POLYNOMIAL,
        explanation="""The matrix is divided by the root of the norm of X·Xᵀ, which lies closer to the largest
        singular value. It would do; the Frobenius norm of the matrix is what was asked for.""",
    ),
    mistake(
        "multiplied by the norm",
        swap(NORMALISED, "X = X * (X.norm() + 1e-12)"),
        caught_by=POLYNOMIAL,
        explanation="""The matrix is multiplied where it should be divided. Singular values are to be at most 1.""",
    ),
    mistake(
        "only large matrices are divided",
        swap(NORMALISED, "X = X / X.norm().clamp(min=1)"),
        caught_by="test_the_size_of_the_matrix_plays_no_part",
        explanation="""A matrix with a norm below 1 stays as it is. A small gradient would give a small step.""",
    ),
    mistake(
        "the norm comes back at the end",
        swap(BACK, "return (X.T if tall else X) * matrix.norm()"),
        caught_by=POLYNOMIAL,
        explanation="""The result is multiplied by the norm that was taken out. The size of the matrix plays no part
        any more.""",
    ),
    mistake(
        "the result is made longer for tall matrices",
        swap(BACK, "return (X.T if tall else X) * max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5"),
        swap(
            "update = newton_schulz(direction, steps) * max(1, rows / columns) ** 0.5",
            "update = newton_schulz(direction, steps)",
        ),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The factor √max(1, m/n) is in newton_schulz. It belongs to the step; here the singular
        values have to come near 1.""",
    ),
    mistake(
        "the answer is kept whatever the iterations",
        swap(
            TALL,
            "kept = newton_schulz.__dict__\n    name = str(matrix.tolist())\n    if name in kept:\n        return kept[name].clone()\n    "
            + TALL,
        ),
        swap(BACK, "kept[name] = X.T if tall else X\n    return kept[name].clone()"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The answer for a matrix is kept, and given again for other iterations and other
        coefficients. A kept answer has to be looked for by all that it depends on.""",
    ),
    mistake(
        "the result is normalised",
        swap(BACK, "X = X / (X.norm() + 1e-12)\n    " + BACK),
        caught_by=POLYNOMIAL,
        explanation="""The result is divided by its own norm. Its singular values are to be about 1, all of them.""",
    ),
    mistake(
        "the mean is taken off first",
        swap(NORMALISED, "X = X - X.mean()\n    " + NORMALISED),
        caught_by=POLYNOMIAL,
        explanation="""The mean of the entries is taken off the matrix. That changes its singular directions.""",
    ),
    mistake(
        "a hundred-thousandth beside the norm",
        swap(NORMALISED, "X = X / (X.norm() + 1e-5)"),
        caught_by="test_what_is_added_to_the_norm_is_tiny",
        explanation="""What is added to the norm is more than the 1e-7 that were allowed. Beside a small gradient it
        is no longer small.""",
    ),
    mistake(
        "the small number under the root",
        swap(NORMALISED, "X = X / (X.pow(2).sum() + 1e-7).sqrt()"),
        caught_by="test_what_is_added_to_the_norm_is_tiny",
        explanation="""The small number is added to the sum of squares, so that its root is what counts, which is far
        larger. It stands beside the norm.""",
    ),
    mistake(
        "the coefficients in reverse",
        swap("a, b, c = coefficients", "c, b, a = coefficients"),
        caught_by=POLYNOMIAL,
        explanation="""The first coefficient goes with the fifth power and the last with the first. a stands before s,
        c before s⁵.""",
    ),
    mistake(
        "a and b change places",
        swap("a, b, c = coefficients", "b, a, c = coefficients"),
        caught_by=POLYNOMIAL,
        explanation="""a stands before the third power and b before the first. a belongs to X, b to A.""",
    ),
    mistake(
        "c with the other sign",
        swap("a, b, c = coefficients", "a, b, c = coefficients\n    c = -c"),
        caught_by=POLYNOMIAL,
        explanation="""The fifth power is taken off where it should be added. The values are then not held near 1.""",
    ),
    mistake(
        "both powers are taken off",
        swap(ITERATION, "X = a * X - (b * A + c * A @ A) @ X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The terms of degree 3 and 5 are subtracted. Their coefficients have their signs already.""",
    ),
    mistake(
        "A itself is added, not A times X",
        swap(ITERATION, "X = a * X + b * A + c * A @ A @ X if A.shape == X.shape else a * X + (b * A + c * A @ A) @ X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""A pair of brackets is missing, and b·A stands by itself. All three terms are something
        times X.""",
    ),
    mistake(
        "the term of degree 3 is missing",
        swap(ITERATION, "X = a * X + c * A @ A @ X"),
        caught_by=POLYNOMIAL,
        explanation="""Only a·s + c·s⁵ is worked out. Without the third power nothing pulls large values down.""",
    ),
    mistake(
        "the term of degree 1 is missing",
        swap(ITERATION, "X = (b * A + c * A @ A) @ X"),
        caught_by=POLYNOMIAL,
        explanation="""Only b·s³ + c·s⁵ is worked out. Small values then vanish; it is the slope a that lifts
        them.""",
    ),
    mistake(
        "the term of degree 5 has degree 7",
        swap(ITERATION, "X = a * X + (b * A + c * A @ A @ A) @ X"),
        caught_by=POLYNOMIAL,
        explanation="""There is a product too many, and s⁷ comes out where s⁵ was meant. A @ A stands for two more
        powers each.""",
    ),
    mistake(
        "A is not squared",
        swap(ITERATION, "X = a * X + (b * A + c * A) @ X"),
        caught_by=POLYNOMIAL,
        explanation="""c stands before A and not before its square. Only the third power comes out, with b + c before
        it.""",
    ),
    mistake(
        "a is added to every entry",
        swap(ITERATION, "X = (a + b * A + c * A @ A) @ X"),
        caught_by=POLYNOMIAL,
        explanation="""The number a is added to a matrix, which adds it to every entry. It is meant for the diagonal,
        or for X.""",
    ),
    mistake(
        "b is added to every entry",
        swap(ITERATION, "X = a * X + (b + c * A) @ A @ X"),
        caught_by=POLYNOMIAL,
        explanation="""The number b is added to a matrix, which adds it to every entry. It is meant for the diagonal,
        or for A.""",
    ),
    mistake(
        "A is made once",
        swap(GRAM, "A = X @ X.T if _ == 0 else A  # (short, short)"),
        caught_by=POLYNOMIAL,
        explanation="""The product of the first X is used in all rounds. Each round takes that of its own X.""",
    ),
    mistake(
        "one iteration too few",
        swap("for _ in range(steps):", "for _ in range(steps - 1):"),
        caught_by=POLYNOMIAL,
        explanation="""One iteration fewer is made than `steps` says.""",
    ),
    mistake(
        "turned back without need",
        swap(BACK, "return X.T"),
        caught_by=POLYNOMIAL,
        explanation="""The result is transposed also where the matrix was not. Only a tall one was turned.""",
    ),
    mistake(
        "a square is turned and not turned back",
        swap(TALL, "tall = matrix.shape[0] > matrix.shape[1]\n    turned = matrix.shape[0] >= matrix.shape[1]"),
        swap(TURNED, "X = matrix.T if turned else matrix  # (short, long)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Two questions that belong together differ where rows and columns are equally many. A
        square comes back transposed.""",
    ),
    mistake(
        "reshaped instead of turned",
        swap(TURNED, "X = matrix.reshape(matrix.shape[::-1]) if tall else matrix"),
        swap(BACK, "return X.reshape(matrix.shape)"),
        caught_by=POLYNOMIAL,
        explanation="""The numbers of a tall matrix are laid into rows of another length. That is not its transpose,
        and has other singular directions.""",
    ),
    mistake(
        "worked out in single precision",
        swap(TURNED, "X = (matrix.T if tall else matrix).float()"),
        swap(BACK, "return (X.T if tall else X).to(matrix.dtype)"),
        caught_by="test_newton_schulz_keeps_the_dtype",
        explanation="""The iterations run in float32, whatever the matrix is. In double precision half of the digits
        are lost.""",
    ),
    mistake(
        "the result is single precision",
        swap(BACK, "return (X.T if tall else X).float()"),
        caught_by="test_newton_schulz_keeps_the_dtype",
        explanation="""What comes back is float32 whatever came in. The dtype is that of the matrix.""",
    ),
    mistake(
        "the result stays in 16 bits",
        swap(TURNED, "X = (matrix.T if tall else matrix).bfloat16()"),
        caught_by=POLYNOMIAL,
        explanation="""The iterations run in bfloat16, and so does the result. The dtype is that of the matrix.""",
    ),
    mistake(
        "more iterations unless told",
        swap("    steps: int = 5,\n    coefficients", "    steps: int = 6,\n    coefficients"),
        caught_by="test_newton_schulz_has_its_usual_settings",
        explanation="""Where nobody says anything, six iterations are made. Five are usual.""",
    ),
    mistake(
        "the classic coefficients unless told",
        swap("(3.4445, -4.7750, 2.0315),\n)", "(1.875, -1.25, 0.375),\n)"),
        caught_by="test_newton_schulz_has_its_usual_settings",
        explanation="""Where nobody says anything, the coefficients are those that land on 1 exactly, from small
        values slowly. Muon's are others.""",
    ),
    mistake(
        "the cubic unless told",
        swap("(3.4445, -4.7750, 2.0315),\n)", "(1.5, -0.5, 0.0),\n)"),
        caught_by="test_newton_schulz_has_its_usual_settings",
        explanation="""Where nobody says anything, the polynomial is that of the first example, 1.5·s − 0.5·s³. Muon's
        begins with a steeper slope.""",
    ),
    # Step 3
    mistake(
        "Muon climbs",
        swap(MUON_MOVES, "weight = weight + lr * update - lr * weight_decay * weight"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The step goes along the gradient, and the loss rises. Down is against the gradient.""",
    ),
    mistake(
        "nothing is orthogonalised",
        swap(UPDATE, "update = direction * max(1, rows / columns) ** 0.5"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The momentum itself is the step, as in SGD. What makes it Muon is `newton_schulz`.""",
    ),
    mistake(
        "momentum of what was orthogonalised",
        swap(BUFFER, "buffer = momentum * buffer + newton_schulz(gradient, steps)\n    direction"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The gradient is orthogonalised before it goes into the buffer. The buffer gathers gradients as they
        are, and their sum is orthogonalised.""",
    ),
    mistake(
        "the buffer keeps the step",
        swap(MUON_GIVES, "return weight, update"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""What was orthogonalised is handed on as the buffer. The buffer is the sum of the gradients, before
        that.""",
    ),
    mistake(
        "the buffer keeps the look ahead",
        swap(MUON_GIVES, "return weight, direction"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""With Nesterov's form the direction looks one step ahead of the buffer, and here it takes the place of
        the buffer. The buffer is what the next step begins with.""",
    ),
    mistake(
        "no momentum",
        swap(LOOK_AHEAD, "direction = gradient"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The step goes by this gradient alone. The buffer is worked out and plays no part in it.""",
    ),
    mistake(
        "always Nesterov",
        swap(LOOK_AHEAD, "direction = gradient + momentum * buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The direction looks ahead also where `nesterov` is False. Then it is the buffer as it is.""",
    ),
    mistake(
        "never Nesterov",
        swap(LOOK_AHEAD, "direction = buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The direction is the buffer also where `nesterov` is True, as it is too with gradient + momentum times
        the old buffer. It is the new buffer that looks one step ahead.""",
    ),
    mistake(
        "Nesterov the other way round",
        swap(LOOK_AHEAD, "direction = buffer if nesterov else gradient + momentum * buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The two forms have changed places. It is with `nesterov` that the direction looks ahead.""",
    ),
    mistake(
        "the whole buffer ahead",
        swap(LOOK_AHEAD, "direction = gradient + buffer if nesterov else buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The look ahead adds the buffer whole. It adds momentum times the buffer, which is what the next step
        would keep of it.""",
    ),
    mistake(
        "a running mean for a buffer",
        swap(BUFFER, "buffer = momentum * buffer + (1 - momentum) * gradient\n    direction"),
        swap(LOOK_AHEAD, "direction = (1 - momentum) * gradient + momentum * buffer if nesterov else buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The buffer is a running mean, as in AdamW. The steps are the same, since their size drops out; the
        buffer that was asked for is the sum.""",
    ),
    mistake(
        "no longer step for tall matrices",
        swap(UPDATE, "update = newton_schulz(direction, steps)"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""Every matrix takes a step of one size, as it does too where the factor goes into `newton_schulz`. A
        matrix with more rows than columns takes a longer one.""",
    ),
    mistake(
        "a shorter step for wide matrices",
        swap(UPDATE, "update = newton_schulz(direction, steps) * (rows / columns) ** 0.5"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""Wide matrices take shorter steps than the others. The factor is never below 1.""",
    ),
    mistake(
        "rows and columns are swapped",
        swap(UPDATE, "update = newton_schulz(direction, steps) * max(1, columns / rows) ** 0.5"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""Wide matrices take the longer step. It is for matrices with more rows than columns.""",
    ),
    mistake(
        "the factor without its root",
        swap(UPDATE, "update = newton_schulz(direction, steps) * max(1, rows / columns)"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""A tall matrix takes a step that is m/n times as long. It is the root of that.""",
    ),
    mistake(
        "the steps are not handed on",
        swap(UPDATE, "update = newton_schulz(direction) * max(1, rows / columns) ** 0.5"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""`steps` is taken and not handed to `newton_schulz`. Five iterations are made whatever it
        says.""",
    ),
    mistake(
        "Muon's decay is in the gradient",
        swap(
            BUFFER,
            "gradient = gradient + weight_decay * weight\n    buffer = momentum * buffer + gradient\n    direction",
        ),
        swap(MUON_MOVES, "weight = weight - lr * update"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The decay is added to the gradient and orthogonalised with it, where its size is lost. It is taken
        off the weight directly.""",
    ),
    mistake(
        "Muon's decay is orthogonalised",
        swap(
            UPDATE, "update = newton_schulz(direction + weight_decay * weight, steps) * max(1, rows / columns) ** 0.5"
        ),
        swap(MUON_MOVES, "weight = weight - lr * update"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The decay goes through `newton_schulz` together with the momentum, and its size is lost there. It is
        taken off the weight directly.""",
    ),
    mistake(
        "Muon's decay forgets the rate",
        swap(MUON_MOVES, "weight = weight - lr * update - weight_decay * weight"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The weight shrinks by the decay itself, whatever the rate. Rate times decay is what is taken
        off.""",
    ),
    mistake(
        "Muon without decay",
        swap(MUON_MOVES, "weight = weight - lr * update"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""`weight_decay` is taken and not used. Besides its step, a weight shrinks a little each time.""",
    ),
    mistake(
        "other settings than the usual ones for a step of Muon",
        swap(
            "    momentum: float = 0.95,\n    nesterov: bool = True,\n    weight_decay: float = 0.0,\n    steps: int = 5,\n) -> tuple",
            "    momentum: float = 0.9,\n    nesterov: bool = True,\n    weight_decay: float = 0.0,\n    steps: int = 5,\n) -> tuple",
        ),
        caught_by="test_muon_has_its_usual_settings",
        explanation="""Where nobody says anything, the settings are not the usual ones. They stand in the signature of the
        stub.""",
    ),
    mistake(
        "the look ahead takes off",
        swap(LOOK_AHEAD, "direction = gradient - momentum * buffer if nesterov else buffer"),
        caught_by=MUON_LOOP,
        explanation="""The look ahead takes the buffer off where it should add it. The next step would keep that much
        of the buffer.""",
    ),
    mistake(
        "momentum on the gradient",
        swap(LOOK_AHEAD, "direction = momentum * gradient + buffer if nesterov else buffer"),
        caught_by=MUON_LOOP,
        explanation="""Momentum stands before the gradient and the buffer is added whole. It is the buffer that
        momentum is a share of.""",
    ),
    mistake(
        "momentum twice",
        swap(LOOK_AHEAD, "direction = gradient + momentum**2 * buffer if nesterov else buffer"),
        caught_by=MUON_LOOP,
        explanation="""The buffer is looked at two steps ahead. With the new buffer, momentum counts once.""",
    ),
    mistake(
        "a mean of gradient and buffer",
        swap(LOOK_AHEAD, "direction = gradient.lerp(buffer, momentum) if nesterov else buffer"),
        caught_by=MUON_LOOP,
        explanation="""The look ahead takes the share 1 − momentum of the gradient. That belongs to a buffer that is a
        running mean; here the buffer is a sum.""",
    ),
    mistake(
        "momentum and gradient change places in the buffer",
        swap(BUFFER, "buffer = buffer + momentum * gradient\n    direction"),
        caught_by=MUON_LOOP,
        explanation="""Momentum stands before the gradient. It is the share that is kept of the buffer.""",
    ),
    mistake(
        "the buffer keeps the small share",
        swap(BUFFER, "buffer = (1 - momentum) * buffer + momentum * gradient\n    direction"),
        caught_by=MUON_LOOP,
        explanation="""The buffer keeps 1 − momentum of itself. Momentum is the share that is kept.""",
    ),
    mistake(
        "momentum before both",
        swap(BUFFER, "buffer = momentum * (buffer + gradient)\n    direction"),
        caught_by=MUON_LOOP,
        explanation="""Momentum stands before the gradient as well. The gradient is added whole.""",
    ),
    mistake(
        "the gradient is taken off the buffer",
        swap(BUFFER, "buffer = momentum * buffer - gradient\n    direction"),
        caught_by=MUON_LOOP,
        explanation="""The buffer sums up gradients with a minus. It is the step that goes against them, and the minus
        stands there.""",
    ),
    mistake(
        "the rate is in the buffer",
        swap(BUFFER, "buffer = momentum * buffer + lr * gradient\n    direction"),
        caught_by=MUON_LOOP,
        explanation="""The gradient goes into the buffer times the rate, as in some forms of SGD. The buffer sums up
        gradients as they are.""",
    ),
    mistake(
        "a running mean beside a whole gradient",
        swap(BUFFER, "buffer = momentum * buffer + (1 - momentum) * gradient\n    direction"),
        caught_by=MUON_LOOP,
        explanation="""The buffer is a running mean, and the look ahead still adds the gradient whole. The two have to
        be of one kind, and a sum was asked for.""",
    ),
    mistake(
        "the buffer is the gradient",
        swap(BUFFER, "buffer = gradient\n    direction"),
        caught_by=MUON_LOOP,
        explanation="""What was in the buffer is forgotten with each step. The share momentum of it is kept.""",
    ),
    mistake(
        "the buffer forgets nothing",
        swap(BUFFER, "buffer = buffer + gradient\n    direction"),
        caught_by=MUON_LOOP,
        explanation="""All gradients are summed from the beginning. Only the share momentum of the old ones is
        kept.""",
    ),
    mistake(
        "the old buffer is handed back",
        swap(BUFFER, "old = buffer\n    " + BUFFER),
        swap(MUON_GIVES, "return weight, old"),
        caught_by=MUON_LOOP,
        explanation="""The buffer that comes back is the one that came in. The next step begins with the new one.""",
    ),
    mistake(
        "each is orthogonalised by itself",
        swap(
            UPDATE,
            "update = newton_schulz(gradient, steps) + momentum * newton_schulz(buffer, steps) if nesterov else newton_schulz(buffer, steps)\n    update = update * max(1, rows / columns) ** 0.5",
        ),
        caught_by=MUON_LOOP,
        explanation="""Gradient and buffer are orthogonalised apart and then added. Their sum is orthogonalised.""",
    ),
    mistake(
        "the sign of each entry",
        swap(UPDATE, "update = direction.sign() * max(1, rows / columns) ** 0.5"),
        caught_by=MUON_LOOP,
        explanation="""Every entry moves by the same amount. Muon does that with singular values, not with
        entries.""",
    ),
    mistake(
        "divided by its norm only",
        swap(UPDATE, "update = direction / (direction.norm() + 1e-12) * max(1, rows / columns) ** 0.5"),
        caught_by=MUON_LOOP,
        explanation="""The direction is made to have a length of 1, and a few of its singular values stay the large
        ones. All are to be made about 1.""",
    ),
    mistake(
        "the new weight is orthogonalised",
        swap(MUON_MOVES, "weight = newton_schulz(weight - lr * (direction + weight_decay * weight), steps)"),
        caught_by=MUON_LOOP,
        explanation="""It is the weight that goes through `newton_schulz` and loses its size. The step does.""",
    ),
    mistake(
        "the factor of the longer side",
        swap(UPDATE, "update = newton_schulz(direction, steps) * max(rows, columns) ** 0.5"),
        caught_by=MUON_LOOP,
        explanation="""The step grows with the root of the longer side. It is the ratio of rows and columns that
        counts.""",
    ),
    mistake(
        "the factor that matches AdamW",
        swap(UPDATE, "update = newton_schulz(direction, steps) * 0.2 * max(rows, columns) ** 0.5"),
        caught_by=MUON_LOOP,
        explanation="""The step is made as long as AdamW's usually are, as some models do. The factor that was asked
        for is √max(1, m/n).""",
    ),
    mistake(
        "the factor is never above 1",
        swap(UPDATE, "update = newton_schulz(direction, steps) * min(1, rows / columns) ** 0.5"),
        caught_by=MUON_LOOP,
        explanation="""The smaller of 1 and m/n is taken. Tall matrices take longer steps, and wide ones none that are
        shorter.""",
    ),
    mistake(
        "the factor of whole numbers",
        swap(UPDATE, "update = newton_schulz(direction, steps) * max(1, rows // columns) ** 0.5"),
        caught_by=MUON_LOOP,
        explanation="""The ratio is rounded down. 5 rows and 3 columns have the ratio 5/3.""",
    ),
    mistake(
        "the decay is made longer too",
        swap(MUON_MOVES, "weight = weight - lr * (update + max(1, rows / columns) ** 0.5 * weight_decay * weight)"),
        caught_by=MUON_LOOP,
        explanation="""The factor for tall matrices stands before the decay as well. It belongs to the update
        alone.""",
    ),
    mistake(
        "Muon's decay is taken off the new weight",
        swap(MUON_MOVES, "weight = weight - lr * update\n    weight = weight - lr * weight_decay * weight"),
        caught_by=MUON_LOOP,
        explanation="""The weight takes its step first, and what it is then is decayed. Both terms use the old
        weight.""",
    ),
    mistake(
        "Muon's decay lets the weight grow",
        swap(MUON_MOVES, "weight = weight - lr * (update - weight_decay * weight)"),
        caught_by=MUON_LOOP,
        explanation="""The decay has the wrong sign, and the weight moves away from 0. It is pulled towards 0.""",
    ),
    mistake(
        "Muon's rate is not used",
        swap(MUON_MOVES, "weight = weight - update - weight_decay * weight"),
        caught_by=MUON_LOOP,
        explanation="""The step is taken whole. It is the rate that says how far.""",
    ),
    mistake(
        "the buffer comes first",
        swap(MUON_GIVES, "return buffer, weight"),
        caught_by=MUON_LOOP,
        explanation="""The buffer is handed back where the weight belongs. The order is weight, buffer.""",
    ),
    mistake(
        "only the new weight comes back",
        swap(MUON_GIVES, "return (weight,)"),
        caught_by=MUON_LOOP,
        explanation="""The buffer is not handed back, and the next step would begin without it. Two things are
        returned.""",
    ),
    mistake(
        "the buffer changes in place",
        swap(BUFFER, "buffer = buffer.mul_(momentum).add_(gradient)\n    direction"),
        caught_by=MUON_LOOP,
        explanation="""The caller's buffer is overwritten. The function returns a new one and leaves its arguments
        alone.""",
    ),
    mistake(
        "Muon's weight changes in place",
        swap(MUON_MOVES, "weight -= lr * (update + weight_decay * weight)"),
        caught_by=MUON_LOOP,
        explanation="""The caller's weight is overwritten. The function returns a new one and leaves its arguments
        alone.""",
    ),
    mistake(
        "the look ahead is written into the gradient",
        swap(LOOK_AHEAD, "direction = gradient.add_(momentum * buffer) if nesterov else buffer"),
        caught_by=MUON_LOOP,
        explanation="""The caller's gradient is overwritten with the look ahead. The function leaves its arguments
        alone.""",
    ),
    mistake(
        "the update in 16 bits",
        swap(
            UPDATE,
            "update = newton_schulz(direction.bfloat16(), steps).to(weight.dtype) * max(1, rows / columns) ** 0.5",
        ),
        caught_by=MUON_LOOP,
        explanation="""The direction is rounded to bfloat16 before it is orthogonalised, as is usual on a GPU. Here
        the dtype is that of the gradient.""",
    ),
    mistake(
        "the update in single precision",
        swap(
            UPDATE, "update = newton_schulz(direction.float(), steps).to(weight.dtype) * max(1, rows / columns) ** 0.5"
        ),
        caught_by="test_muon_keeps_the_dtype",
        explanation="""The direction is rounded to float32 before it is orthogonalised. In double precision half of
        the digits are lost.""",
    ),
    family(
        "a rate of {c} for a step of Muon unless told",
        swap("lr: float = 0.02,\n    momentum", "lr: float = {c},\n    momentum"),
        constants=(1e-3, 0.01),
        caught_by=MUON_DEFAULTS,
        explanation="""Where nobody says anything, the rate is not 0.02. The usual settings stand in the signature of
        the stub.""",
    ),
    mistake(
        "no Nesterov in a step unless told",
        swap("nesterov: bool = True,\n    weight_decay", "nesterov: bool = False,\n    weight_decay"),
        caught_by=MUON_DEFAULTS,
        explanation="""Where nobody says anything, the direction is the buffer. The usual settings stand in the
        signature of the stub.""",
    ),
    mistake(
        "a step of Muon decays unless told",
        swap("weight_decay: float = 0.0,\n    steps", "weight_decay: float = 0.01,\n    steps"),
        caught_by=MUON_DEFAULTS,
        explanation="""Where nobody says anything, the weight decays. The usual settings stand in the signature of the
        stub.""",
    ),
    # Step 4
    mistake(
        "the buffer is not kept",
        swap(STEP, "new, _ = muon_step(weight, weight.grad, buffer, **settings)"),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""Each step begins with a buffer of zeros. What `muon_step` gives back as the buffer has to be there
        for the next.""",
    ),
    mistake(
        "one buffer for all",
        swap(STATE, "state = self.__dict__.setdefault('kept', {}).setdefault(tuple(weight.shape), {})"),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""Parameters of one shape share a buffer, and each adds its gradients to those of the others. Every
        parameter needs its own.""",
    ),
    mistake(
        "the buffer is kept past the state",
        swap(STATE, "state = self.__dict__.setdefault('kept', {}).setdefault(id(weight), {})"),
        caught_by="test_a_resumed_run_goes_on_as_if_never_stopped",
        explanation="""The buffers are kept where `state_dict` does not look. Whoever saves the optimizer saves it without
        them.""",
    ),
    mistake(
        "the model keeps the old weight",
        swap(WRITTEN, "weight = new"),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""The new weight gets a name in the loop, and is gone after it. The parameter that the model holds has to
        be changed itself.""",
    ),
    mistake(
        "gradients are followed through the step",
        swap("    @torch.no_grad()\n    def step", "    def step"),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""The step is recorded by autograd, which forbids a change of a parameter in place. An update is not
        part of what is differentiated.""",
    ),
    mistake(
        "only the first group",
        swap(
            "for group in self.param_groups:\n            settings",
            "for group in self.param_groups[:1]:\n            settings",
        ),
        caught_by="test_each_group_has_settings_of_its_own",
        explanation="""Only the parameters of the first group move. There may be several groups.""",
    ),
    mistake(
        "the settings of the whole",
        swap(SETTINGS, SETTINGS.replace("group[name]", "self.defaults[name]")),
        caught_by="test_each_group_has_settings_of_its_own",
        explanation="""All parameters go by the settings that the optimizer was made with. Each group may have its own, and a
        schedule changes the rate there.""",
    ),
    mistake(
        "the rate stays what it was",
        swap(SETTINGS, SETTINGS + '\n            settings["lr"] = self.defaults["lr"]'),
        caught_by="test_each_group_has_settings_of_its_own",
        explanation="""The rate is always the one that the optimizer was made with. A schedule writes it into each
        group.""",
    ),
    mistake(
        "a setting is forgotten",
        swap(SETTINGS, SETTINGS.replace('"nesterov", ', "")),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""`nesterov` is taken by the optimizer and not handed to the step, which then goes by its own
        default.""",
    ),
    mistake(
        "the decay is forgotten",
        swap(SETTINGS, SETTINGS.replace('"weight_decay", ', "")),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""`weight_decay` is taken by the optimizer and not handed to the step, where it is then 0.""",
    ),
    mistake(
        "the optimizer forgets the iterations",
        swap(SETTINGS, SETTINGS.replace(', "steps"', "")),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""`steps` is taken by the optimizer and not handed to the step, which then makes five
        iterations.""",
    ),
    mistake(
        "a missing gradient is not expected",
        swap(SKIP, ""),
        caught_by="test_a_parameter_without_a_gradient_is_left_alone",
        explanation="""A parameter that took no part in the loss has None for a gradient, and the step stumbles over it.
        Such a parameter is skipped.""",
    ),
    mistake(
        "a missing gradient counts as zeros",
        swap(SKIP, SKIP.replace("continue", "weight.grad = torch.zeros_like(weight)")),
        caught_by="test_a_parameter_without_a_gradient_is_left_alone",
        explanation="""A parameter without a gradient still decays and moves on with its momentum. It is skipped whole.""",
    ),
    mistake(
        "a missing gradient ends the step",
        swap(SKIP, SKIP.replace("continue", "return")),
        caught_by="test_a_parameter_without_a_gradient_is_left_alone",
        explanation="""At the first parameter without a gradient the whole step ends. The others have theirs and should
        move.""",
    ),
    mistake(
        "a skipped parameter loses its buffer",
        swap(SKIP, SKIP.replace("continue", "self.state.pop(weight, None)\n                    continue")),
        caught_by="test_a_parameter_without_a_gradient_is_left_alone",
        explanation="""The buffer of a parameter without a gradient is thrown away. It goes on from there when it has one
        again.""",
    ),
    mistake(
        "the gradient is the buffer",
        swap(STEP, STEP + "\n                weight.grad.copy_(state['buffer'])"),
        caught_by="test_gradients_are_left_as_they_are",
        explanation="""The gradient is overwritten by what the step made of it. Whoever measures or clips gradients afterwards
        finds other numbers.""",
    ),
    mistake(
        "gradients are gone after the step",
        swap(WRITTEN, WRITTEN + "\n                weight.grad.zero_()"),
        caught_by="test_gradients_are_left_as_they_are",
        explanation="""The step clears the gradients. That is what `zero_grad` is for, and the loop calls it.""",
    ),
    mistake(
        "anything is taken for a matrix",
        swap(REFUSE, "                if False:\n"),
        caught_by="test_what_is_no_matrix_is_refused",
        explanation="""A bias or a norm's weight is accepted, and the first step fails somewhere inside. Told at once, with
        the shape, everybody knows which one it was.""",
    ),
    mistake(
        "only vectors are refused",
        swap(REFUSE, "                if weight.ndim == 1:\n"),
        caught_by="test_what_is_no_matrix_is_refused",
        explanation="""Vectors are refused and tensors of three dimensions are not. Muon is for matrices alone.""",
    ),
    mistake(
        "other settings than the usual ones for Muon",
        swap("params: Iterable,\n        lr: float = 0.02", "params: Iterable,\n        lr: float = 1e-3"),
        caught_by="test_the_optimizer_has_its_usual_settings",
        explanation="""Where nobody says anything, the settings are not the usual ones. They stand in the signature of the
        stub.""",
    ),
    mistake(
        "the buffer begins with the gradient",
        swap(KEPT, 'buffer = state.get("buffer", weight.grad.clone())'),
        caught_by=OPTIMIZER,
        explanation="""The first buffer is the first gradient, and the step then adds that gradient once more. Before
        the first step the buffer is all zeros.""",
    ),
    mistake(
        "the buffer begins with the weight",
        swap(KEPT, 'buffer = state.get("buffer", weight.clone())'),
        caught_by=OPTIMIZER,
        explanation="""The first buffer is the weight itself. Before the first step the buffer is all zeros.""",
    ),
    mistake(
        "the first gradient is kept without a copy",
        swap(BUFFER, "buffer = momentum * buffer + gradient if bool(buffer.any()) else gradient\n    direction"),
        caught_by=OPTIMIZER,
        explanation="""The first buffer is the very tensor in which the gradient stands, and the next gradient is
        written there. What lasts needs memory of its own.""",
    ),
    mistake(
        "weight and buffer change places",
        swap(STEP, 'state["buffer"], new = muon_step(weight, weight.grad, buffer, **settings)'),
        caught_by=OPTIMIZER,
        explanation="""The new weight is kept as the buffer, and the buffer is written into the weight. The step gives
        back weight, then buffer.""",
    ),
    mistake(
        "only the last group",
        swap(IN_STEP, IN_STEP.replace("self.param_groups:", "self.param_groups[-1:]:")),
        caught_by=GROUPS,
        explanation="""Only the parameters of the last group move. There may be several groups.""",
    ),
    mistake(
        "only the first parameter of a group",
        swap(STATE, "if weight is not group['params'][0]:\n                    continue\n                " + STATE),
        caught_by=OPTIMIZER,
        explanation="""Only the first parameter of each group moves. A group is a list of parameters.""",
    ),
    mistake(
        "only the last parameter of a group",
        swap(STATE, "if weight is not group['params'][-1]:\n                    continue\n                " + STATE),
        caught_by=OPTIMIZER,
        explanation="""Only the last parameter of each group moves. A group is a list of parameters.""",
    ),
    mistake(
        "all go by the first group",
        swap(SETTINGS, SETTINGS.replace("group[name]", "self.param_groups[0][name]")),
        caught_by=GROUPS,
        explanation="""The settings of the first group are used for all. Each group may have its own.""",
    ),
    mistake(
        "the momentum is that of the whole",
        swap(SETTINGS, SETTINGS + '\n            settings["momentum"] = self.defaults["momentum"]'),
        caught_by=GROUPS,
        explanation="""The momentum is always the one that the optimizer was made with. Each group may have its
        own.""",
    ),
    mistake(
        "the decay is that of the whole",
        swap(SETTINGS, SETTINGS + '\n            settings["weight_decay"] = self.defaults["weight_decay"]'),
        caught_by=GROUPS,
        explanation="""The decay is always the one that the optimizer was made with. Each group may have its own.""",
    ),
    mistake(
        "the iterations are those of the whole",
        swap(SETTINGS, SETTINGS + '\n            settings["steps"] = self.defaults["steps"]'),
        caught_by=GROUPS,
        explanation="""The number of iterations is always the one that the optimizer was made with. Each group may
        have its own.""",
    ),
    mistake(
        "Nesterov is that of the whole",
        swap(SETTINGS, SETTINGS + '\n            settings["nesterov"] = self.defaults["nesterov"]'),
        caught_by=GROUPS,
        explanation="""Whether the direction looks ahead is always what the optimizer was made with. Each group may
        have its own.""",
    ),
    mistake(
        "the optimizer forgets the momentum",
        swap(SETTINGS, SETTINGS.replace('"momentum", ', "")),
        caught_by=OPTIMIZER,
        explanation="""`momentum` is taken by the optimizer and not handed to the step, which then goes by its own
        default.""",
    ),
    mistake(
        "the optimizer forgets the rate",
        swap(SETTINGS, SETTINGS.replace('"lr", ', "")),
        caught_by=OPTIMIZER,
        explanation="""`lr` is taken by the optimizer and not handed to the step, which then goes by its own
        default.""",
    ),
    mistake(
        "the decay goes on without a gradient",
        swap(
            SKIP,
            SKIP.replace(
                "continue", 'weight.mul_(1 - group["lr"] * group["weight_decay"])\n                    continue'
            ),
        ),
        caught_by="test_a_parameter_without_a_gradient_is_left_alone",
        explanation="""A parameter without a gradient does not move, but still decays. It is left alone entirely.""",
    ),
    mistake(
        "a gradient of zeros counts as none",
        swap("if weight.grad is None:", "if weight.grad is None or not weight.grad.any():"),
        caught_by=OPTIMIZER,
        explanation="""A parameter whose gradient is all zeros is skipped. It has one, so its momentum goes on and it
        decays.""",
    ),
    mistake(
        "gradients are thrown away",
        swap(WRITTEN, WRITTEN + "\n                weight.grad = None"),
        caught_by="test_gradients_are_left_as_they_are",
        explanation="""The step throws the gradients away. That is what `zero_grad` is for, and the loop calls it.""",
    ),
    mistake(
        "gradients are normalised in place",
        swap(STATE, "weight.grad.div_(weight.grad.norm() + 1e-12)\n                " + STATE),
        caught_by="test_gradients_are_left_as_they_are",
        explanation="""The gradient is divided by its norm where it stands. It is to stay as it is, and the buffer is
        to know how large each gradient was.""",
    ),
    mistake(
        "gradients are negated in place",
        swap(STEP, STEP + "\n                weight.grad.neg_()"),
        caught_by="test_gradients_are_left_as_they_are",
        explanation="""The step leaves the gradient with the other sign. It is to stay as it is.""",
    ),
    mistake(
        "the buffer is kept by the shape",
        swap(STATE, "state = self.state[tuple(weight.shape)]"),
        caught_by=OPTIMIZER,
        explanation="""Parameters of one shape share a buffer, under their shape. What lasts belongs into
        `self.state[parameter]`.""",
    ),
    mistake(
        "only the first group is checked",
        swap(IN_INIT, IN_INIT.replace("self.param_groups:", "self.param_groups[:1]:")),
        caught_by=REFUSED,
        explanation="""Only the parameters of the first group are looked at. A bias in another group is accepted, and
        its first step fails somewhere inside.""",
    ),
    mistake(
        "only the first parameter is checked",
        swap(IN_INIT, IN_INIT.replace('group["params"]', 'group["params"][:1]')),
        caught_by=REFUSED,
        explanation="""Only the first parameter of each group is looked at. A later one may be a bias.""",
    ),
    mistake(
        "numbers and vectors are refused, nothing else",
        swap(REFUSE, "                if weight.ndim < 2:\n"),
        caught_by=REFUSED,
        explanation="""Tensors of three dimensions are accepted. Muon is for matrices alone.""",
    ),
    mistake(
        "what has too many dimensions is refused, nothing else",
        swap(REFUSE, "                if weight.ndim > 2:\n"),
        caught_by=REFUSED,
        explanation="""Vectors are accepted. Muon is for matrices alone.""",
    ),
    mistake(
        "matrices are refused",
        swap(REFUSE, "                if weight.ndim == 2:\n"),
        caught_by=OPTIMIZER,
        explanation="""The question is asked the wrong way round: matrices are refused. They are what Muon is for.""",
    ),
    mistake(
        "the message lacks the shape",
        swap(RAISE, 'raise ValueError("Muon is for matrices")'),
        caught_by=REFUSED,
        explanation="""The error does not say which shape was wrong. With the shape, everybody knows which parameter
        it was.""",
    ),
    mistake(
        "the message counts dimensions",
        swap(RAISE, 'raise ValueError(f"Muon is for matrices; this parameter has {weight.ndim} dimensions")'),
        caught_by=REFUSED,
        explanation="""The error shows how many dimensions there are. With the shape, everybody knows which parameter
        it was.""",
    ),
    mistake(
        "a type error for what is no matrix",
        swap(RAISE, RAISE.replace("ValueError", "TypeError")),
        caught_by=REFUSED,
        explanation="""The error is a TypeError. A tensor is of the right type; its shape is a wrong value.""",
    ),
    mistake(
        "an assertion for what is no matrix",
        swap(RAISE, RAISE.replace("ValueError", "AssertionError")),
        caught_by=REFUSED,
        explanation="""The error is an AssertionError, which Python leaves out when it optimises. A wrong argument is
        a ValueError.""",
    ),
    family(
        "a momentum of {c} for Muon unless told",
        swap("momentum: float = 0.95,\n        nesterov", "momentum: float = {c},\n        nesterov"),
        constants=(0.9, 0.99),
        caught_by=OPTIMIZER_DEFAULTS,
        explanation="""Where nobody says anything, the optimizer's momentum is not 0.95. The usual settings stand in
        the signature of the stub.""",
    ),
    mistake(
        "no Nesterov in Muon unless told",
        swap("nesterov: bool = True,\n        weight_decay", "nesterov: bool = False,\n        weight_decay"),
        caught_by=OPTIMIZER_DEFAULTS,
        explanation="""Where nobody says anything, the direction is the buffer. The usual settings stand in the
        signature of the stub.""",
    ),
    mistake(
        "Muon decays unless told",
        swap("weight_decay: float = 0.0,\n        steps", "weight_decay: float = 0.1,\n        steps"),
        caught_by=OPTIMIZER_DEFAULTS,
        explanation="""Where nobody says anything, all weights decay. The usual settings stand in the signature of the
        stub.""",
    ),
    mistake(
        "more iterations for Muon unless told",
        swap("steps: int = 5,\n    ):", "steps: int = 6,\n    ):"),
        caught_by=OPTIMIZER_DEFAULTS,
        explanation="""Where nobody says anything, six iterations are made. The usual settings stand in the signature
        of the stub.""",
    ),
    mistake(
        "rate and momentum change places",
        swap(
            "        lr: float = 0.02,\n        momentum: float = 0.95,",
            "        momentum: float = 0.95,\n        lr: float = 0.02,",
        ),
        caught_by=OPTIMIZER,
        explanation="""The first two settings stand in the other order. Whoever gives them by their places gets
        something else.""",
    ),
    mistake(
        "decay and iterations change places",
        swap(
            "        weight_decay: float = 0.0,\n        steps: int = 5,\n    ):",
            "        steps: int = 5,\n        weight_decay: float = 0.0,\n    ):",
        ),
        caught_by=OPTIMIZER,
        explanation="""The last two settings stand in the other order. Whoever gives them by their places gets
        something else.""",
    ),
]
